//! Serves blocks by hash: fresh ones from memory, rendered once, older ones from the store.
//!
//! It must never serve anything but what is on disk, and never let many requests for one old block read it many times at once.

use plasma_core::fresh_blocks::FreshBlocks;
use plasma_core::wire::BlockHash;
use plasma_rpc::child_chain::BlockAnswer;
use plasma_rpc::json::Rendered;
use plasma_store::{Store, StoreError};
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error;
use tokio::sync::Semaphore;

/// Blocks read from the store at one time. A full block takes some 100 MB while it is rendered.
const READS_MAX: usize = 2;

/// A block cannot be served.
#[derive(Debug, Error)]
pub(crate) enum BlockError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The block cannot be rendered.
    #[error("a block cannot be rendered: {0}")]
    Render(String),
    /// The process is ending.
    #[error("the process is ending")]
    Ending,
}

/// Cheap to clone; lives as long as the process, so blocks are served while actors restart.
#[derive(Clone)]
pub(crate) struct Blocks {
    store: Store,
    fresh: Arc<Mutex<FreshBlocks<Rendered<BlockAnswer>>>>,
    reads: Arc<Semaphore>,
}

impl Blocks {
    pub(crate) fn new(store: Store, blocks_max: usize, bytes_max: usize) -> Self {
        Self {
            store,
            fresh: Arc::new(Mutex::new(FreshBlocks::new(blocks_max, bytes_max))),
            reads: Arc::new(Semaphore::new(READS_MAX)),
        }
    }

    /// The JSON of a block, `None` when there is none with this hash.
    pub(crate) async fn get(
        &self,
        hash: BlockHash,
    ) -> Result<Option<Rendered<BlockAnswer>>, BlockError> {
        if let Some(found) = self.fresh(&hash) {
            return Ok(Some(found));
        }
        let permit = self.reads.clone().acquire_owned().await.map_err(|_| BlockError::Ending)?;
        // Somebody else may have read it meanwhile.
        if let Some(found) = self.fresh(&hash) {
            return Ok(Some(found));
        }
        let blocks = self.clone();
        let read = tokio::task::spawn_blocking(move || {
            let read = blocks.read(hash);
            drop(permit);
            read
        });
        read.await.map_err(|_| BlockError::Ending)?
    }

    fn read(&self, hash: BlockHash) -> Result<Option<Rendered<BlockAnswer>>, BlockError> {
        let Some(header) = self.store.block_by_hash(hash)? else {
            return Ok(None);
        };
        let transactions = self.store.transactions(header.number, 0, header.tx_count)?;
        let json = BlockAnswer::render(header.number, hash, &transactions)
            .map_err(|error| BlockError::Render(error.to_string()))?;
        let bytes = json.get().len();
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        fresh.push(header.number, hash, json.clone(), bytes);
        Ok(Some(json))
    }

    fn fresh(&self, hash: &BlockHash) -> Option<Rendered<BlockAnswer>> {
        let fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        fresh.get(hash).cloned()
    }
}
