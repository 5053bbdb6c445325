//! Executing a verified block on the ledger: all of it, or nothing.

use super::verified::{BlockFault, BlockId, VerifiedBlock};
use crate::db_update::{BlockHeader, StateUpdate};
use crate::fees::RequiredFee;
use crate::state::{ExecError, OutputFacts, State};
use crate::wire::{Blknum, TxIndex, UtxoPos};
use thiserror::Error;

/// Writes that a transaction usually causes: itself, an input that goes and how, two outputs.
const UPDATES_PER_TX: usize = 5;

/// What executing a block did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedBlock {
    /// The block as the ledger closed it.
    pub header: BlockHeader,
    /// Writes to commit, together with the block getter's for the same block.
    pub updates: Vec<StateUpdate>,
    /// The outputs it spent: exits of these are to be judged again.
    pub spent: Vec<UtxoPos>,
}

/// Why a block was not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ApplyError {
    /// The ledger refuses it and is as it was before. The block getter must be told.
    #[error("block {} is invalid: {fault}", .id.blknum)]
    Invalid {
        /// The block.
        id: BlockId,
        /// Why.
        fault: BlockFault,
    },
    /// The ledger stands somewhere else: at another block, or in the middle of one. Nothing changed.
    #[error(
        "the ledger is at transaction {pending_tx_count} of block {expected} and cannot take block {found}"
    )]
    NotNext {
        /// The block the ledger needs next.
        expected: Blknum,
        /// Transactions it already holds in there.
        pending_tx_count: u32,
        /// The block it was given.
        found: Blknum,
    },
    /// The closed block has another root than the verified one: memory is wrong, so the tree must end and come back from disk.
    #[error("the ledger closed {closed:?} after executing {executed:?}")]
    Inconsistent {
        /// What was executed.
        executed: BlockId,
        /// What came out.
        closed: BlockId,
    },
}

/// Executes a block and closes it. `facts` holds what the store knows of [`State::unknown_inputs`] of its transactions. Fees are
/// whatever is left over, for a watcher does not know what the operator asked; fee claims must match them (protocol 3.4).
///
/// The block is only borrowed: of a refused one every transaction is still evidence.
///
/// # Errors
/// [`ApplyError`]. After [`ApplyError::Invalid`] the ledger is at the last valid block, as if nothing had happened.
///
/// # After a restart
/// A block whose updates were not committed is downloaded and executed again.
pub fn apply_block(
    block: &VerifiedBlock,
    state: &mut State,
    facts: &OutputFacts,
) -> Result<AppliedBlock, ApplyError> {
    let id = block.id();
    if state.blknum() != id.blknum || state.pending_tx_count() != 0 {
        return Err(ApplyError::NotNext {
            expected: state.blknum(),
            pending_tx_count: state.pending_tx_count(),
            found: id.blknum,
        });
    }
    let count = block.transactions().len();
    let mut updates = Vec::with_capacity(count.saturating_mul(UPDATES_PER_TX));
    let mut spent = Vec::with_capacity(count);
    for (txindex, tx) in (0..).map(TxIndex::new).zip(block.transactions()) {
        let executed = state.exec(tx, &RequiredFee::Ignored, facts, &mut updates);
        if let Err(error) = executed {
            let fault = fault_of(txindex, error, state, facts);
            state.abandon_block();
            return Err(ApplyError::Invalid { id, fault });
        }
        spent.extend(tx.transaction().spent_positions());
    }
    let header = state.close_block(&mut updates);
    let closed = BlockId { blknum: header.number, hash: header.hash };
    if closed != id {
        return Err(ApplyError::Inconsistent { executed: id, closed });
    }
    Ok(AppliedBlock { header, updates, spent })
}

/// Tells a deposit that was never heard of from one that is spent.
fn fault_of(txindex: TxIndex, error: ExecError, state: &State, facts: &OutputFacts) -> BlockFault {
    match error {
        ExecError::UtxoNotFound { position }
            if position.blknum.is_deposit()
                && !facts.contains_key(&position)
                && state.unknown([position]).next().is_some() =>
        {
            BlockFault::UnknownDeposit { txindex, position }
        }
        _ => BlockFault::Execution { txindex, error },
    }
}
