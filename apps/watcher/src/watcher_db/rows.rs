//! From the journal to rows: which rows a batch of entries makes, and which older rows it touches.
//!
//! It must never depend on how entries are cut into batches: a rebuild cuts them differently and has to end with the very same rows.
//! So whatever happens to an output inside its own batch is written into its row, and times only ever grow. No SQL here.

use plasma_core::journal::{JournalBlock, JournalEntry, JournalFact, JournalSeq};
use plasma_core::root_chain::{EthEvent, PiggybackSide, RootChainEvent};
use plasma_core::wire::{
    Address, Blknum, BlockHash, Currency, DecodeTxError, EthHeight, H256, OutputIndex, SignedTx,
    Transaction, TxHash, TxIndex, U256, UtxoPos,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use thiserror::Error;

/// The signed transactions of a block, in order; none with an entry that is no block.
pub(super) type Body = Vec<Box<[u8]>>;

/// Entries with the bodies of their blocks, in order: what one transaction of the database applies.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    pub(super) entries: Vec<(JournalSeq, JournalEntry, Body)>,
}

/// What a batch changes.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) blocks: Vec<BlockRow>,
    pub(super) transactions: Vec<TransactionRow>,
    pub(super) outputs: Vec<OutputRow>,
    /// Spends of outputs that older batches made.
    pub(super) spends: Vec<Spend>,
    pub(super) account_transactions: BTreeSet<AccountTransaction>,
    pub(super) events: Vec<EventRow>,
    pub(super) links: Vec<LinkRow>,
    pub(super) piggybacks: Vec<PiggybackRow>,
    /// Blocks of older batches that were submitted somewhere else.
    pub(super) moves: Vec<BlockMove>,
    made: HashMap<UtxoPos, usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockRow {
    pub(super) blknum: Blknum,
    pub(super) hash: BlockHash,
    pub(super) timestamp_s: u64,
    pub(super) eth_height: EthHeight,
    pub(super) tx_count: u32,
    pub(super) inserted_ms: u64,
    pub(super) updated_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TransactionRow {
    pub(super) txhash: TxHash,
    pub(super) blknum: Blknum,
    pub(super) txindex: TxIndex,
    pub(super) txtype: u8,
    pub(super) metadata: Option<H256>,
    pub(super) txbytes: Box<[u8]>,
    pub(super) at_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OutputRow {
    pub(super) position: UtxoPos,
    pub(super) otype: u8,
    pub(super) owner: Address,
    pub(super) amount: U256,
    pub(super) currency: Currency,
    pub(super) creating_txhash: Option<TxHash>,
    pub(super) spent: Option<(TxHash, u16)>,
    pub(super) utxohash: H256,
    pub(super) inserted_ms: u64,
    pub(super) updated_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spend {
    pub(super) position: UtxoPos,
    pub(super) txhash: TxHash,
    pub(super) input_index: u16,
    /// Who gets to know of the transaction when the owner is known.
    pub(super) by: (u8, Blknum, TxIndex),
    pub(super) at_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AccountTransaction {
    pub(super) account: Address,
    pub(super) txtype: u8,
    pub(super) blknum: Blknum,
    pub(super) txindex: TxIndex,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EventRow {
    pub(super) root_chain_txhash: H256,
    pub(super) log_index: u32,
    pub(super) event_type: &'static str,
    pub(super) key: H256,
    pub(super) eth_height: EthHeight,
    pub(super) owner: Option<Address>,
    pub(super) at_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LinkRow {
    pub(super) event: H256,
    pub(super) position: UtxoPos,
    pub(super) utxohash: H256,
    pub(super) at_ms: u64,
}

/// A piggybacked output, to be found by the transaction that makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PiggybackRow {
    pub(super) event: H256,
    pub(super) txhash: TxHash,
    pub(super) oindex: u16,
    pub(super) at_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockMove {
    pub(super) blknum: Blknum,
    pub(super) eth_height: EthHeight,
    pub(super) timestamp_s: u64,
    pub(super) at_ms: u64,
}

/// The journal and the store do not fit together. A valid store never gets there.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RowsError {
    /// A transaction of a valid block.
    #[error("transaction {txindex} of block {blknum} does not decode: {source}")]
    Transaction {
        /// The block.
        blknum: Blknum,
        /// Its index.
        txindex: u32,
        /// Why.
        source: DecodeTxError,
    },
    /// Part of a block is missing.
    #[error("block {blknum} has {expected} transactions, and the store has {found} of them")]
    Incomplete {
        /// The block.
        blknum: Blknum,
        /// By the journal.
        expected: u32,
        /// In the store.
        found: usize,
    },
}

impl Batch {
    /// What it changes.
    pub(super) fn rows(self) -> Result<Rows, RowsError> {
        let mut rows = Rows::default();
        for (_, entry, body) in self.entries {
            rows.add(&entry, body)?;
        }
        Ok(rows)
    }
}

impl Rows {
    fn add(&mut self, entry: &JournalEntry, body: Vec<Box<[u8]>>) -> Result<(), RowsError> {
        match &entry.fact {
            JournalFact::Block(block) => self.block(block, body, entry.at_ms)?,
            JournalFact::BlockMoved { blknum, eth_height, timestamp_s } => {
                self.block_moved(BlockMove {
                    blknum: *blknum,
                    eth_height: *eth_height,
                    timestamp_s: *timestamp_s,
                    at_ms: entry.at_ms,
                })
            }
            JournalFact::RootChain(event) => self.root_chain_event(event, entry.at_ms),
            JournalFact::Byzantine { .. } | JournalFact::Status { .. } => {}
        }
        Ok(())
    }

    fn block(
        &mut self,
        block: &JournalBlock,
        body: Vec<Box<[u8]>>,
        at_ms: u64,
    ) -> Result<(), RowsError> {
        let JournalBlock { blknum, hash, tx_count, eth_height, timestamp_s } = *block;
        if u32::try_from(body.len()) != Ok(tx_count) {
            let found = body.len();
            return Err(RowsError::Incomplete { blknum, expected: tx_count, found });
        }
        self.blocks.push(BlockRow {
            blknum,
            hash,
            timestamp_s,
            eth_height,
            tx_count,
            inserted_ms: at_ms,
            updated_ms: at_ms,
        });
        for (txbytes, txindex) in body.into_iter().zip(0..) {
            let tx = SignedTx::decode(&txbytes).map_err(|source| RowsError::Transaction {
                blknum,
                txindex,
                source,
            })?;
            self.transaction(tx, (blknum, TxIndex::new(txindex)), at_ms);
        }
        Ok(())
    }

    fn transaction(&mut self, tx: SignedTx, (blknum, txindex): (Blknum, TxIndex), at_ms: u64) {
        let txhash = tx.hash();
        let (transaction, txbytes) = tx.into_parts();
        let txtype = transaction.tx_type().number();
        let concerns = |account| AccountTransaction { account, txtype, blknum, txindex };
        for (input, input_index) in transaction.inputs().iter().zip(0..) {
            // A valid transaction spends positions that exist.
            let Some(position) = input.position() else { continue };
            let made = self.made.get(&position).and_then(|index| self.outputs.get_mut(*index));
            match made {
                Some(output) => {
                    output.spent = Some((txhash, input_index));
                    output.updated_ms = output.updated_ms.max(at_ms);
                    self.account_transactions.insert(concerns(output.owner));
                }
                None => {
                    let by = (txtype, blknum, txindex);
                    self.spends.push(Spend { position, txhash, input_index, by, at_ms });
                }
            }
        }
        for (output, oindex) in transaction.outputs().iter().zip(0..) {
            self.account_transactions.insert(concerns(output.owner));
            let position = UtxoPos::new(blknum, txindex, OutputIndex::new(oindex));
            self.output(OutputRow {
                position,
                otype: output.output_type.number(),
                owner: output.owner,
                amount: output.amount,
                currency: output.currency,
                creating_txhash: Some(txhash),
                spent: None,
                utxohash: position.child_chain_utxohash(),
                inserted_ms: at_ms,
                updated_ms: at_ms,
            });
        }
        let metadata = match transaction {
            Transaction::Payment(payment) => Some(payment.metadata),
            Transaction::FeeClaim(_) => None,
        };
        let row = TransactionRow { txhash, blknum, txindex, txtype, metadata, txbytes, at_ms };
        self.transactions.push(row);
    }

    fn output(&mut self, output: OutputRow) {
        self.made.insert(output.position, self.outputs.len());
        self.outputs.push(output);
    }

    fn block_moved(&mut self, moved: BlockMove) {
        match self.blocks.iter_mut().rfind(|block| block.blknum == moved.blknum) {
            Some(block) => {
                block.eth_height = moved.eth_height;
                block.timestamp_s = moved.timestamp_s;
                block.updated_ms = block.updated_ms.max(moved.at_ms);
            }
            None => self.moves.push(moved),
        }
    }

    fn root_chain_event(&mut self, event: &EthEvent, at_ms: u64) {
        let key = event.root_chain_txhash_event();
        let mut row = EventRow {
            root_chain_txhash: event.root_chain_txhash,
            log_index: event.log_index,
            event_type: "standard_exit",
            key,
            eth_height: event.eth_height,
            owner: None,
            at_ms,
        };
        match &event.event {
            RootChainEvent::DepositCreated { depositor, blknum, currency, amount } => {
                row.event_type = "deposit";
                row.owner = Some(*depositor);
                self.deposit(*blknum, *depositor, (*currency, *amount), &row);
            }
            RootChainEvent::ExitStarted { position, .. } => self.link(key, *position, at_ms),
            RootChainEvent::InFlightExitStarted(start) => {
                row.event_type = "in_flight_exit";
                for position in &start.input_positions {
                    self.link(key, *position, at_ms);
                }
            }
            RootChainEvent::InFlightExitPiggybacked { tx_hash, slot, .. }
                if slot.side == PiggybackSide::Output =>
            {
                row.event_type = "in_flight_exit";
                let (txhash, oindex) = (*tx_hash, slot.index);
                self.piggybacks.push(PiggybackRow { event: key, txhash, oindex, at_ms });
            }
            _ => return,
        }
        self.events.push(row);
    }

    fn deposit(
        &mut self,
        blknum: Blknum,
        owner: Address,
        (currency, amount): (Currency, U256),
        event: &EventRow,
    ) {
        let position = UtxoPos::deposit(blknum);
        self.link(event.key, position, event.at_ms);
        self.output(OutputRow {
            position,
            otype: plasma_core::wire::OutputType::Payment.number(),
            owner,
            amount,
            currency,
            creating_txhash: None,
            spent: None,
            utxohash: position.child_chain_utxohash(),
            inserted_ms: event.at_ms,
            updated_ms: event.at_ms,
        });
    }

    fn link(&mut self, event: H256, position: UtxoPos, at_ms: u64) {
        let utxohash = position.child_chain_utxohash();
        self.links.push(LinkRow { event, position, utxohash, at_ms });
    }

    /// How many transactions are in its blocks.
    pub(super) fn tx_count(&self) -> usize {
        self.transactions.len()
    }

    /// The newest block, or none.
    pub(super) fn last_blknum(&self) -> Option<Blknum> {
        self.blocks.iter().map(|block| block.blknum).max()
    }

    /// Of blocks that moved more than once, where they are now.
    pub(super) fn last_moves(&self) -> Vec<BlockMove> {
        let mut last = BTreeMap::<Blknum, BlockMove>::new();
        for moved in &self.moves {
            let at_ms = last.get(&moved.blknum).map_or(0, |before| before.at_ms).max(moved.at_ms);
            last.insert(moved.blknum, BlockMove { at_ms, ..*moved });
        }
        last.into_values().collect()
    }
}

#[cfg(test)]
mod tests;
