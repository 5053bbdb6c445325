//! The ledger: the UTXO set and the pending block (protocol section 3).
//!
//! It must never accept what the rules refuse, create or lose money, or change anything when it answers an error. It runs in
//! both nodes: the operator executes submitted transactions and *forms* blocks, a watcher executes the transactions of a
//! downloaded block and *closes* it.
//!
//! Methods come in four families:
//! - [`State::restore`] builds it from what is on disk;
//! - facts: [`State::unknown_inputs`] and [`State::unknown`] name the outputs a decision needs from the store;
//! - commands: [`State::exec`], [`State::deposit`], [`State::exit_utxos`], [`State::form_block`], [`State::close_block`],
//!   [`State::abandon_block`]; they append the writes they ask for to the caller's batch;
//! - queries by `&self`.
//!
//! Before [`State::form_block`] or [`State::close_block`] is called, every batch handed out earlier must be in the store: from
//! then on memory only answers for the newest two generations of changes.

mod exec;
mod exits;
mod in_flight;
mod utxo_set;

pub use exec::{Accepted, ExecError};
pub use exits::{Exiting, ExitsOutcome};
pub use in_flight::{InFlightExits, InFlightRecord};
pub use utxo_set::{OutputFact, OutputFacts};

use crate::db_update::{BlockHeader, PendingRecord, StateUpdate, TxPos, Utxo, UtxoKey};
use crate::fees::RequiredFee;
use crate::wire::{
    Address, Blknum, CHILD_BLOCK_INTERVAL, Currency, FeeClaimTx, H256, MerkleBuilder, OutputIndex,
    RecoveredTx, Transaction, TxIndex, U256, UtxoPos,
};
use std::collections::BTreeMap;
use utxo_set::UtxoSet;

/// Who runs the ledger, and so which limits of a block apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The operator, who keeps room in each block for fee claims and owns what they collect.
    Operator {
        /// Owner of the outputs of fee claims.
        fee_claimer: Address,
    },
    /// A watcher, to whom a block may be as full as the tree allows.
    Watcher,
}

/// A deposit as the root chain reported it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// The block the vault gave it.
    pub blknum: Blknum,
    /// Who owns the money on the child chain.
    pub owner: Address,
    /// What was deposited.
    pub currency: Currency,
    /// How much, in the smallest unit.
    pub amount: U256,
}

/// The ledger could not be rebuilt from disk: what is there contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored pending block {blknum} claims {claimed} transactions and {found} are there")]
pub struct RestoreError {
    /// The pending block.
    pub blknum: Blknum,
    /// What its record says.
    pub claimed: u32,
    /// What is there.
    pub found: usize,
}

/// Last index the operator gives to a payment when no fee was collected yet: room is kept for one claim per currency a block
/// collects, and for one spare (protocol 2.3).
const OPERATOR_TX_INDEX_MAX: u32 = 65_531;

const _: () = assert!(
    OPERATOR_TX_INDEX_MAX as usize + 1 + crate::wire::MAX_INPUTS
        == crate::wire::MAX_BLOCK_TRANSACTIONS as usize
);

/// The ledger. See the module for its rules and the order of calls.
#[derive(Clone, Debug)]
pub struct State {
    role: Role,
    blknum: Blknum,
    merkle: MerkleBuilder,
    fees: BTreeMap<Currency, U256>,
    claiming_fees: bool,
    utxos: UtxoSet,
}

impl State {
    /// Continues where the store left off. `pending_leaves` are the leaves of the pending block's transactions, in order.
    ///
    /// # Errors
    /// [`RestoreError`] when the number of leaves is not what the record says.
    pub fn restore(
        role: Role,
        pending: PendingRecord,
        pending_leaves: &[H256],
    ) -> Result<Self, RestoreError> {
        let found = pending_leaves.len();
        let error = RestoreError { blknum: pending.blknum, claimed: pending.tx_count, found };
        if usize::try_from(pending.tx_count) != Ok(found) {
            return Err(error);
        }
        let merkle =
            MerkleBuilder::from_leaves(pending_leaves.iter().copied()).map_err(|_| error)?;
        let blknum = if pending.blknum == Blknum::default() {
            Blknum::new(CHILD_BLOCK_INTERVAL)
        } else {
            pending.blknum
        };
        Ok(Self {
            role,
            blknum,
            merkle,
            fees: pending.fees,
            claiming_fees: false,
            utxos: UtxoSet::default(),
        })
    }

    /// The number the pending block will have.
    pub const fn blknum(&self) -> Blknum {
        self.blknum
    }

    /// Transactions in the pending block.
    pub const fn pending_tx_count(&self) -> u32 {
        self.merkle.len()
    }

    /// Whether the operator can take no more payments into the pending block.
    pub fn is_full(&self) -> bool {
        self.has_no_room()
    }

    /// What a restart needs to continue the pending block; to be written in each batch that changes it.
    pub fn pending_record(&self) -> PendingRecord {
        PendingRecord { blknum: self.blknum, tx_count: self.merkle.len(), fees: self.fees.clone() }
    }

    /// Inputs of these transactions that only the store knows about, each with the signer as a guess at its owner.
    pub fn unknown_inputs<'a>(
        &'a self,
        transactions: impl IntoIterator<Item = &'a RecoveredTx> + 'a,
    ) -> impl Iterator<Item = UtxoKey> + 'a {
        transactions.into_iter().flat_map(|tx| {
            let positions = tx.transaction().inputs().iter().map(|input| input.position());
            positions.zip(tx.spenders()).filter_map(|(position, owner)| {
                let position = position?;
                // Also of the pending block: after a restart its outputs are in the store only.
                let asked =
                    position.blknum <= self.blknum && self.utxos.recent(&position).is_none();
                asked.then_some(UtxoKey { owner: *owner, position })
            })
        })
    }

    /// Which of these outputs only the store knows about.
    pub fn unknown<'a>(
        &'a self,
        positions: impl IntoIterator<Item = UtxoPos> + 'a,
    ) -> impl Iterator<Item = UtxoPos> + 'a {
        positions.into_iter().filter(|position| self.utxos.recent(position).is_none())
    }

    /// Credits deposits. Doing so twice writes the same again, so a replayed event does no harm — unless the output was spent
    /// since: `facts` must therefore hold what the store knows of the positions, and a known output is left alone. Returns the deposits
    /// that were credited.
    pub fn deposit(
        &mut self,
        deposits: &[Deposit],
        facts: &OutputFacts,
        updates: &mut Vec<StateUpdate>,
    ) -> Vec<Blknum> {
        let mut credited = Vec::with_capacity(deposits.len());
        for deposit in deposits {
            let position = UtxoPos::deposit(deposit.blknum);
            if self.utxos.find(&position, facts).is_some() {
                continue;
            }
            let tx = Transaction::deposit(deposit.owner, deposit.currency, deposit.amount);
            let bytes = tx.encode_signed(&[]).into();
            updates.push(StateUpdate::PutTransaction(deposit.blknum, TxIndex::new(0), bytes));
            for output in tx.outputs() {
                let utxo = Utxo {
                    output_type: output.output_type,
                    currency: output.currency,
                    amount: output.amount,
                };
                updates.push(StateUpdate::PutUtxo(UtxoKey { owner: output.owner, position }, utxo));
                self.utxos.put_settled(position, OutputFact::Unspent(output.owner, utxo));
            }
            credited.push(deposit.blknum);
        }
        credited
    }

    /// Ends the pending block as its operator: claims the fees, one transaction per currency in ascending order of the currency's
    /// bytes (protocol 3.4), and fixes the root. `None` when there is nothing in it: empty blocks are never formed.
    pub fn form_block(&mut self, updates: &mut Vec<StateUpdate>) -> Option<BlockHeader> {
        if self.merkle.is_empty() {
            return None;
        }
        if let Role::Operator { fee_claimer } = self.role {
            for (currency, amount) in self.fees.clone() {
                let claim = Transaction::fee_claim(self.blknum, fee_claimer, currency, amount);
                if let Transaction::FeeClaim(claim) = claim {
                    self.exec_fee_claim_of_operator(claim, updates);
                }
            }
        }
        Some(self.close_block(updates))
    }

    /// Ends the pending block with the transactions it has, as a watcher does after executing a downloaded one.
    pub fn close_block(&mut self, updates: &mut Vec<StateUpdate>) -> BlockHeader {
        let header = BlockHeader {
            number: self.blknum,
            hash: self.merkle.root(),
            tx_count: self.merkle.len(),
        };
        updates.push(StateUpdate::PutBlock(header, self.merkle.subtree_roots()));
        self.utxos.rotate();
        self.start_block(self.blknum.next_child_block().unwrap_or(self.blknum));
        updates.push(StateUpdate::PutPending(self.pending_record()));
        header
    }

    /// Forgets the pending block and all its effects; a watcher does so when a downloaded block proves invalid.
    /// Updates handed out since the last block must be dropped, not committed.
    pub fn abandon_block(&mut self) {
        self.utxos.drop_fresh();
        self.start_block(self.blknum);
    }

    fn start_block(&mut self, blknum: Blknum) {
        self.blknum = blknum;
        self.merkle = MerkleBuilder::new();
        self.fees.clear();
        self.claiming_fees = false;
    }

    fn exec_fee_claim_of_operator(&mut self, claim: FeeClaimTx, updates: &mut Vec<StateUpdate>) {
        // Each claim is made from what was collected, and room for it was kept, so it cannot be refused.
        let claimed = self.exec(
            &RecoveredTx::fee_claim(claim),
            &RequiredFee::Ignored,
            &OutputFacts::new(),
            updates,
        );
        debug_assert!(claimed.is_ok(), "a claim of collected fees was refused: {claimed:?}");
    }

    fn has_no_room(&self) -> bool {
        match self.role {
            Role::Operator { .. } => {
                let claims = u32::try_from(self.fees.len()).unwrap_or(u32::MAX);
                self.merkle.len().saturating_add(claims) > OPERATOR_TX_INDEX_MAX
            }
            Role::Watcher => self.merkle.len() >= crate::wire::MAX_BLOCK_TRANSACTIONS,
        }
    }

    fn next_tx_pos(&self) -> TxPos {
        TxPos { blknum: self.blknum, txindex: TxIndex::new(self.merkle.len()) }
    }
}

/// The position of an output of the transaction at `at`.
fn output_position(at: TxPos, oindex: usize) -> UtxoPos {
    UtxoPos::new(at.blknum, at.txindex, OutputIndex::new(u16::try_from(oindex).unwrap_or(u16::MAX)))
}
