//! One attempt to download a block: bounded in time and size, with everything that can be checked without the ledger.

use plasma_core::block_getter::{BlockId, Download, DownloadOutcome, check_block};
use plasma_core::wire::{BlockHash, MAX_BLOCK_TRANSACTIONS, TypedDataDomain};
use plasma_eth::RootChain;
use plasma_node::recover::recover_all;
use plasma_rpc::child_chain::{BLOCK_GET, BlockAnswer, BlockGetParams};
use plasma_rpc::client::HttpRpcClient;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Whom to ask, and how long to wait.
#[derive(Clone)]
pub(crate) struct Downloader {
    pub(crate) child_chain: HttpRpcClient,
    pub(crate) root_chain: Arc<dyn RootChain>,
    pub(crate) domain: Arc<TypedDataDomain>,
    pub(crate) download_ms_max: u64,
}

impl Downloader {
    /// Makes one attempt. The time limit is for the download; recovering signers of what came takes as long as it takes.
    pub(crate) async fn attempt(&self, download: Download) -> DownloadOutcome {
        let limit = Duration::from_millis(self.download_ms_max);
        let fetched = timeout(limit, self.fetch(download)).await.ok().flatten();
        let Some((hash, BlockAnswer(block))) = fetched else {
            return DownloadOutcome::Unavailable;
        };
        let requested = BlockId { blknum: download.blknum, hash };
        let returned = BlockId { blknum: block.number, hash: block.hash };
        let enough = usize::try_from(MAX_BLOCK_TRANSACTIONS).unwrap_or(usize::MAX);
        let mut transactions = block.transactions;
        transactions.truncate(enough.saturating_add(1));
        let count = transactions.len();
        let recovered = recover_all(transactions, self.domain.clone()).await;
        if recovered.len() != count {
            // It gave up for a reason of ours. Nobody is to be blamed for that, for a fault is for ever.
            return DownloadOutcome::Unavailable;
        }
        let checked =
            tokio::task::spawn_blocking(move || check_block(requested, returned, recovered));
        checked.await.map_or(DownloadOutcome::Unavailable, DownloadOutcome::Answered)
    }

    async fn fetch(&self, download: Download) -> Option<(BlockHash, BlockAnswer)> {
        let blknum = download.blknum;
        let hash = match download.hash {
            Some(hash) => hash,
            None => self.root_chain.child_block(blknum).await.ok()??.root,
        };
        match self.child_chain.call(&BLOCK_GET, &BlockGetParams { hash }).await {
            Ok(answer) => Some((hash, answer)),
            Err(error) => {
                tracing::warn!(%blknum, ?hash, %error, "a block is not available");
                None
            }
        }
    }
}
