//! Standard exits: one output of an included transaction leaves.

use crate::wire::{Address, Currency, EthHeight, ExitId, H256, U256, UtxoPos};

/// A standard exit as the root chain reported it, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandardExit {
    /// The contract's key.
    pub exit_id: ExitId,
    /// The exiting output.
    pub position: UtxoPos,
    /// Who exits: the owner of the output.
    pub owner: Address,
    /// What leaves.
    pub currency: Currency,
    /// How much leaves, in the smallest unit.
    pub amount: U256,
    /// Unsigned bytes of the transaction that made the output.
    pub exiting_tx: Box<[u8]>,
    /// Where the exit was started.
    pub eth_height: EthHeight,
    /// The root chain transaction that started it.
    pub root_chain_txhash: H256,
    /// Scheduled finalization time in seconds: it can be processed strictly after this.
    pub exitable_at_s: u64,
    /// What became of it.
    pub phase: StandardExitPhase,
}

/// What became of a standard exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StandardExitPhase {
    /// Started, and neither challenged nor processed.
    Active,
    /// Challenged with a spend: it pays nothing.
    Challenged,
    /// Processed, and the output was there to leave.
    Finalized,
    /// Processed although the output was spent or never was: money left that belonged to somebody else.
    FinalizedInvalid,
}
