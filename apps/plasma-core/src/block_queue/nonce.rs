//! Which nonce a block's submission has: `blknum / interval + offset`, always the same for a block (`Q4`, docs/adr/0009).
//!
//! It must never move a nonce while a submission with the old one may still be mined: the contract numbers roots in the order they
//! arrive, so the root of one block would become the other's.

use crate::root_chain::SubmissionState;
use crate::wire::{Blknum, BlockHash, CHILD_BLOCK_INTERVAL};
use thiserror::Error;

/// Why nothing is submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum QueueHalt {
    /// The authority's account was used for something else while blocks were waiting.
    #[error(
        "the authority's next nonce is {found} where block submission needs {expected}, and {unmined} blocks wait: its account was used for something else. Cancel its pending transactions by replacing them with empty ones until none of these blocks can be mined any more, then restart the node with an empty queue"
    )]
    NonceTaken {
        /// The nonce that the next block has.
        expected: u64,
        /// The authority's next nonce.
        found: u64,
        /// Blocks that wait.
        unmined: usize,
    },
    /// Somebody else submits blocks.
    #[error(
        "block {blknum} is {on_chain:?} on the root chain, and {stored:?} here: somebody else submits with the authority's key. Stop the other operator; if its blocks are on the root chain, this store is lost"
    )]
    ForeignRoot {
        /// Which block.
        blknum: Blknum,
        /// The contract's root.
        on_chain: BlockHash,
        /// Ours, `None` when no such block was formed.
        stored: Option<BlockHash>,
    },
    /// The first submission waits until nothing of the authority's is in the pool.
    #[error(
        "the authority has transactions in the pool (nonces {from} to {to}): submission starts when they are mined"
    )]
    PoolNotEmpty {
        /// The first such nonce.
        from: u64,
        /// The nonce after the last.
        to: u64,
    },
}

/// The nonce of a block; `None` when there can be no such nonce.
pub(super) fn nonce_of(blknum: Blknum, offset: i64) -> Option<u64> {
    (blknum.get() / CHILD_BLOCK_INTERVAL).checked_add_signed(offset)
}

/// The offset to use: the known one while the root chain agrees with it, else a new one where that is safe.
///
/// # Errors
/// Why nothing may be submitted; `None` when the root chain is merely being asked at a bad moment.
pub(super) fn offset(
    known: Option<i64>,
    state: &SubmissionState,
    unmined: usize,
) -> Result<i64, Option<QueueHalt>> {
    let index = state.mined_blknum.next_child_block().ok_or(None)?.get() / CHILD_BLOCK_INTERVAL;
    let found = state.authority_nonce;
    let derived =
        i64::try_from(i128::from(found).saturating_sub(index.into())).map_err(|_| None)?;
    let Some(known) = known else {
        // Nothing was submitted yet, so whatever is in the pool is none of ours.
        return match state.pending_nonce > found {
            true => Err(Some(QueueHalt::PoolNotEmpty { from: found, to: state.pending_nonce })),
            false => Ok(derived),
        };
    };
    if derived == known {
        return Ok(known);
    }
    // A single waiting block whose nonce is used up can never be mined with it. With two, the second one's old nonce could be the
    // first one's new one. A nonce that is too low came back with a reorganisation, and can still be used.
    let is_safe = unmined == 0 || unmined == 1 && derived > known;
    if is_safe && state.pending_nonce <= found {
        return Ok(derived);
    }
    let expected = index.checked_add_signed(known).ok_or(None)?;
    Err(Some(QueueHalt::NonceTaken { expected, found, unmined }))
}
