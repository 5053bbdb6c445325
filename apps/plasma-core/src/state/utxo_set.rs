//! The part of the UTXO set that is in memory: what changed too recently to be read back from the store.
//!
//! Two generations are kept. `fresh` holds the effects of the pending block and can be dropped as a whole; `settled` holds
//! those of the block before, and of deposits and exits, which the store may not have answered for yet. Anything older is in
//! the store, so memory is bounded by two blocks however many outputs there are.

use crate::db_update::{Spender, Utxo};
use crate::wire::{Address, UtxoPos};
use std::collections::BTreeMap;

/// What is known about one output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFact {
    /// It can be spent by this owner.
    Unspent(Address, Utxo),
    /// It was there and has left the set this way.
    Gone(Spender),
}

/// What the store knows about the outputs a decision is about. An output that is not listed never existed.
pub type OutputFacts = BTreeMap<UtxoPos, OutputFact>;

/// The recent changes.
#[derive(Clone, Debug, Default)]
pub(super) struct UtxoSet {
    fresh: OutputFacts,
    settled: OutputFacts,
}

impl UtxoSet {
    /// Looks in memory only.
    pub(super) fn recent(&self, position: &UtxoPos) -> Option<OutputFact> {
        self.fresh.get(position).or_else(|| self.settled.get(position)).copied()
    }

    /// Looks in memory and then among the facts from the store.
    pub(super) fn find(&self, position: &UtxoPos, facts: &OutputFacts) -> Option<OutputFact> {
        self.recent(position).or_else(|| facts.get(position).copied())
    }

    /// Records an effect of the pending block.
    pub(super) fn put_fresh(&mut self, position: UtxoPos, fact: OutputFact) {
        self.fresh.insert(position, fact);
    }

    /// Records a deposit or an exit, which hold whatever becomes of the pending block.
    pub(super) fn put_settled(&mut self, position: UtxoPos, fact: OutputFact) {
        self.settled.insert(position, fact);
    }

    /// The pending block became a block. The generation before it must be in the store by now.
    pub(super) fn rotate(&mut self) {
        self.settled = std::mem::take(&mut self.fresh);
    }

    /// The pending block never was.
    pub(super) fn drop_fresh(&mut self) {
        self.fresh.clear();
    }
}
