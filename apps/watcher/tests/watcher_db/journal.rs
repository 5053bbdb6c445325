//! A journal in memory, made by a small chain that plays by the rules: what is spent exists, and is spent once.

use plasma_core::journal::{JournalBlock, JournalEntry, JournalFact, JournalSeq};
use plasma_core::root_chain::{EthEvent, InFlightExitStart, PiggybackSlot, RootChainEvent};
use plasma_core::wire::{
    Address, Blknum, BlockHash, Currency, ETH, EthHeight, ExitId, H256, InputPointer, Output,
    OutputIndex, PaymentTx, Signature, SignedTx, Transaction, TxHash, TxIndex, U256, UtxoPos,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use watcher::watcher_db::{JournalSource, SourceError};

#[derive(Default)]
struct Inner {
    entries: Vec<JournalEntry>,
    bodies: BTreeMap<Blknum, Vec<Box<[u8]>>>,
    newest: Blknum,
}

/// Shared with the writer that follows it.
#[derive(Clone)]
pub(crate) struct Journal {
    inner: Arc<Mutex<Inner>>,
    news: Arc<watch::Sender<u64>>,
}

impl JournalSource for Journal {
    fn journal_after(
        &self,
        after: JournalSeq,
        entries_max: usize,
    ) -> Result<Vec<(JournalSeq, JournalEntry)>, SourceError> {
        let inner = self.inner.lock().unwrap();
        let entries = inner.entries.iter().cloned().zip(1..).skip(after.0 as usize);
        Ok(entries.take(entries_max).map(|(entry, seq)| (JournalSeq(seq), entry)).collect())
    }

    fn journal_head(&self) -> Result<JournalSeq, SourceError> {
        Ok(JournalSeq(self.inner.lock().unwrap().entries.len() as u64))
    }

    fn newest_blknum(&self) -> Result<Blknum, SourceError> {
        Ok(self.inner.lock().unwrap().newest)
    }

    fn transactions(&self, blknum: Blknum, _: u32) -> Result<Vec<Box<[u8]>>, SourceError> {
        Ok(self.inner.lock().unwrap().bodies.get(&blknum).cloned().unwrap_or_default())
    }
}

/// A chain that writes its journal.
pub(crate) struct Chain {
    pub(crate) journal: Journal,
    /// What can be spent, oldest first.
    pub(crate) unspent: BTreeMap<UtxoPos, Output>,
    next_block: u64,
    next_deposit: u64,
    eth_height: u64,
    random: u64,
}

pub(crate) fn account(number: u64) -> Address {
    Address::from_low_u64_be(0xacc0_0000 + number)
}

pub(crate) fn token() -> Currency {
    Currency::repeat_byte(7)
}

impl Chain {
    pub(crate) fn new(seed: u64) -> Self {
        let inner = Arc::default();
        let journal = Journal { inner, news: Arc::new(watch::channel(0).0) };
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self {
            journal,
            unspent: BTreeMap::new(),
            next_block: 1_000,
            next_deposit: 1,
            eth_height: 10,
            random,
        }
    }

    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.journal.news.subscribe()
    }

    pub(crate) fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    fn push(&mut self, fact: JournalFact) {
        let mut inner = self.journal.inner.lock().unwrap();
        let at_ms = 1_700_000_000_123 + inner.entries.len() as u64 * 777;
        if let JournalFact::Block(block) = &fact {
            inner.newest = block.blknum;
        }
        inner.entries.push(JournalEntry { at_ms, fact });
        let head = inner.entries.len() as u64;
        drop(inner);
        self.journal.news.send_replace(head);
    }

    pub(crate) fn event(&mut self, event: RootChainEvent) {
        self.eth_height += 1;
        let event = EthEvent {
            eth_height: EthHeight::new(self.eth_height),
            eth_block_hash: H256::from_low_u64_be(self.eth_height),
            root_chain_txhash: H256::from_low_u64_be(self.eth_height * 31),
            log_index: (self.eth_height % 5) as u32,
            event,
        };
        self.push(JournalFact::RootChain(Box::new(event)));
    }

    /// The next event has the transaction and the place of the last one.
    pub(crate) fn forget_last_place(&mut self) {
        self.eth_height -= 1;
    }

    pub(crate) fn deposit(&mut self, owner: Address, currency: Currency, amount: U256) -> UtxoPos {
        let blknum = Blknum::new(self.next_deposit);
        self.next_deposit += 1;
        self.event(RootChainEvent::DepositCreated { depositor: owner, blknum, currency, amount });
        let position = UtxoPos::deposit(blknum);
        self.unspent.insert(position, Output::payment(owner, currency, amount));
        position
    }

    /// A payment of these outputs to these accounts, split evenly; to the first alone where there is too little for all.
    pub(crate) fn pay(&self, inputs: &[UtxoPos], to: &[Address], metadata: H256) -> Transaction {
        let spent: Vec<Output> = inputs.iter().map(|input| self.unspent[input]).collect();
        let sum = spent.iter().fold(U256::zero(), |sum, output| sum.saturating_add(output.amount));
        let to = if sum < U256::from(to.len()) { &to[..1] } else { to };
        let count = U256::from(to.len());
        let outputs = to.iter().enumerate().map(|(index, owner)| {
            let rest = if index == 0 { sum % count } else { U256::zero() };
            Output::payment(*owner, spent[0].currency, sum / count + rest)
        });
        Transaction::Payment(PaymentTx {
            inputs: inputs.iter().map(|input| InputPointer::from(*input)).collect(),
            outputs: outputs.collect(),
            metadata,
        })
    }

    /// A block of what `next` writes, until it has no more. It sees what earlier transactions of the block made.
    pub(crate) fn block(
        &mut self,
        mut next: impl FnMut(&mut Self) -> Option<Transaction>,
    ) -> Blknum {
        let blknum = Blknum::new(self.next_block);
        self.next_block += 1_000;
        self.next_deposit = self.next_block - 999;
        let mut body: Vec<Box<[u8]>> = Vec::new();
        while let Some(tx) = next(self) {
            for input in tx.inputs() {
                self.unspent.remove(&input.position().unwrap()).expect("spent once");
            }
            let txindex = TxIndex::new(body.len() as u32);
            for (output, oindex) in tx.outputs().iter().zip(0..) {
                let position = UtxoPos::new(blknum, txindex, OutputIndex::new(oindex));
                self.unspent.insert(position, *output);
            }
            let signatures = vec![Signature::from_bytes([1; 65]); tx.inputs().len()];
            body.push(SignedTx::new(tx, &signatures).unwrap().as_bytes().into());
        }
        self.eth_height += 1;
        let block = JournalBlock {
            blknum,
            hash: BlockHash::from_low_u64_be(blknum.get()),
            tx_count: body.len() as u32,
            eth_height: EthHeight::new(self.eth_height),
            timestamp_s: 1_700_000_000 + self.eth_height * 12,
        };
        self.journal.inner.lock().unwrap().bodies.insert(blknum, body);
        self.push(JournalFact::Block(block));
        blknum
    }

    /// One block of random payments, some of them chained inside the block, and a fee claim at its end.
    pub(crate) fn random_block(&mut self, payments: u64, accounts: u64) -> Blknum {
        let mut left = payments;
        self.block(|chain| {
            if left == 0 {
                return None;
            }
            left -= 1;
            if left == 0 {
                let blknum = Blknum::new(chain.next_block - 1_000);
                return Some(Transaction::fee_claim(blknum, account(999), ETH, U256::from(3)));
            }
            let index = chain.random(chain.unspent.len() as u64) as usize;
            let (first, output) =
                chain.unspent.iter().nth(index).map(|(at, output)| (*at, *output))?;
            let mut inputs = vec![first];
            let fits = |(at, other): &(&UtxoPos, &Output)| {
                **at != first && other.currency == output.currency && other.owner == output.owner
            };
            inputs.extend(chain.unspent.iter().filter(fits).map(|(at, _)| *at).take(1));
            let to: Vec<Address> =
                (0..=chain.random(3)).map(|_| account(chain.random(accounts))).collect();
            let metadata = H256::from_low_u64_be(chain.random(3));
            Some(chain.pay(&inputs, &to, metadata))
        })
    }

    /// Everything that can happen, in random order.
    pub(crate) fn random_step(&mut self) {
        match self.random(8) {
            0 | 1 => {
                let owner = account(self.random(9));
                let currency = if self.random(2) == 0 { ETH } else { token() };
                let amount = if self.random(9) == 0 {
                    U256::MAX
                } else {
                    U256::from(self.random(1 << 40)) * U256::exp10(self.random(30) as usize) + 5
                };
                // Sums of the largest amounts do not fit into a payment.
                let at = self.deposit(owner, currency, amount);
                if amount == U256::MAX {
                    self.unspent.remove(&at);
                }
            }
            2 => {
                let Some((position, output)) = self.any_output() else { return };
                self.event(RootChainEvent::ExitStarted {
                    owner: output.owner,
                    exit_id: ExitId::from_u256(U256::from(self.eth_height)),
                    position,
                    output_tx: Box::default(),
                    exitable_at_s: 0,
                });
            }
            3 => self.in_flight_exit(),
            4 => self.move_block(),
            _ => {
                let payments = 1 + self.random(12);
                if !self.unspent.is_empty() {
                    self.random_block(payments, 9);
                }
            }
        }
    }

    fn any_output(&mut self) -> Option<(UtxoPos, Output)> {
        let index = self.random(self.unspent.len().max(1) as u64) as usize;
        self.unspent.iter().nth(index).map(|(at, output)| (*at, *output))
    }

    /// Of a transaction that is included later, or never; its first output is joined before or after.
    fn in_flight_exit(&mut self) {
        let Some((position, output)) = self.any_output() else { return };
        let tx = self.pay(&[position], &[account(1), account(2)], H256::zero());
        let tx_hash: TxHash = tx.hash();
        let exit_id = ExitId::from_u256(U256::from(self.eth_height));
        self.event(RootChainEvent::InFlightExitStarted(Box::new(InFlightExitStart {
            exit_id,
            tx_hash,
            initiator: output.owner,
            started_at_s: 0,
            tx_bytes: tx.encode_unsigned().into(),
            input_positions: vec![position],
            witnesses: Vec::new(),
            input_txs: Vec::new(),
        })));
        let joined = |slot| RootChainEvent::InFlightExitPiggybacked {
            exit_id,
            tx_hash,
            slot,
            exit_target: account(1),
            exitable_at_s: 0,
        };
        let order = self.random(3);
        if order < 2 {
            self.event(joined(PiggybackSlot::output(0)));
            self.event(joined(PiggybackSlot::input(0)));
        }
        if order > 0 {
            let mut tx = Some(tx);
            self.block(|_| tx.take());
            self.event(joined(PiggybackSlot::output(1)));
        }
    }

    fn move_block(&mut self) {
        if self.next_block == 1_000 {
            return;
        }
        let blknum = Blknum::new(self.next_block - 1_000);
        self.eth_height += 2;
        self.push(JournalFact::BlockMoved {
            blknum,
            eth_height: EthHeight::new(self.eth_height),
            timestamp_s: 1_700_000_000 + self.eth_height * 12,
        });
    }
}
