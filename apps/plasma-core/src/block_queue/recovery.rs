//! What a restart finds: the store's blocks against the root chain's (`Q9`).
//!
//! It must never continue from a store that the root chain contradicts: it is of another chain, or older than what was submitted.

use super::{BlockQueue, BlockQueueConfig, MINED_BLOCKS_KEPT};
use crate::db_update::BlockHeader;
use crate::wire::{Blknum, BlockHash, CHILD_BLOCK_INTERVAL, EthHeight};
use std::collections::BTreeMap;
use thiserror::Error;

/// What the store and the root chain say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveredQueue {
    /// The newest mined block, zero for none.
    pub mined: Blknum,
    /// Its root, as the contract has it.
    pub mined_hash: Option<BlockHash>,
    /// The store's blocks from [`RecoveredQueue::first_needed`] on.
    pub headers: Vec<BlockHeader>,
    /// The stored offset of nonces.
    pub nonce_offset: Option<i64>,
}

impl RecoveredQueue {
    /// The first block that is needed from the store when this one is mined.
    pub fn first_needed(mined: Blknum) -> Blknum {
        let kept = MINED_BLOCKS_KEPT.saturating_mul(CHILD_BLOCK_INTERVAL);
        Blknum::new(mined.get().saturating_sub(kept).max(CHILD_BLOCK_INTERVAL))
    }
}

/// The store is not the one that submitted what is on the root chain. The codes are those of protocol 4.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RestoreQueueError {
    /// The store has no blocks, or only older ones.
    #[error(
        "contract_ahead_of_db: block {mined} is on the root chain and the store ends at {stored}. Restore the store it was submitted from"
    )]
    ContractAheadOfDb {
        /// The newest block on the root chain.
        mined: Blknum,
        /// The newest block in the store, zero for none.
        stored: Blknum,
    },
    /// There is a hole where the mined block should be.
    #[error(
        "mined_blknum_not_found_in_db: block {mined} is on the root chain and not in the store"
    )]
    MinedNotFound {
        /// The newest block on the root chain.
        mined: Blknum,
    },
    /// The same number with two roots.
    #[error(
        "hashes_dont_match: block {blknum} is {on_chain:?} on the root chain and {stored:?} in the store, which is of another chain"
    )]
    HashesDontMatch {
        /// Which block.
        blknum: Blknum,
        /// The contract's root.
        on_chain: BlockHash,
        /// Ours.
        stored: BlockHash,
    },
}

impl BlockQueue {
    /// Continues where the store and the root chain left off.
    ///
    /// # Errors
    /// [`RestoreQueueError`]; the node must not start then.
    pub fn restore(
        config: BlockQueueConfig,
        recovered: RecoveredQueue,
    ) -> Result<Self, RestoreQueueError> {
        let RecoveredQueue { mined, mined_hash, headers, nonce_offset } = recovered;
        let stored = headers.iter().map(|header| header.number).max().unwrap_or_default();
        if stored < mined {
            return Err(RestoreQueueError::ContractAheadOfDb { mined, stored });
        }
        if mined > Blknum::default() {
            let own = headers.iter().find(|header| header.number == mined);
            let own = own.ok_or(RestoreQueueError::MinedNotFound { mined })?;
            let on_chain = mined_hash.unwrap_or_default();
            if on_chain != own.hash {
                let stored = own.hash;
                return Err(RestoreQueueError::HashesDontMatch { blknum: mined, on_chain, stored });
            }
        }
        let mut queue = Self {
            config,
            nonce_offset,
            mined,
            compared: mined,
            blocks: BTreeMap::new(),
            forming: false,
            formed_at: None,
            waiting_since_ms: None,
            eth_height: EthHeight::default(),
            halt: None,
        };
        for header in &headers {
            queue.enqueue(header);
        }
        Ok(queue)
    }
}
