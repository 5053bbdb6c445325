//! Forms blocks and submits their roots; [`BlockQueue`] decides when, and with which nonce and fee (protocol 4.5).
//!
//! It must never submit a root before its block is on disk, nor with a nonce that is not. A root chain that does not answer is asked
//! again in the next tick; blocks then wait, within limits.

use crate::tree::Parts;
use plasma_core::block_queue::{
    BlockQueue, PendingStatus, Plan, RecoveredQueue, RestoreQueueError, Submission,
};
use plasma_core::db_update::DbUpdate;
use plasma_core::root_chain::SubmitOutcome;
use plasma_core::wire::{Blknum, CHILD_BLOCK_INTERVAL};
use plasma_eth::{ErrorKind, RootChain, RootChainError};
use plasma_node::alarms::{Alarm, Alarms};
use plasma_node::core_actor::Unanswered;
use plasma_node::eth_height_monitor::EthHeights;
use plasma_node::startup::retry_transient;
use plasma_node::state::StateHandle;
use plasma_node::supervisor::{BuildError, Lease, Nursery};
use plasma_node::telemetry::Metrics;
use plasma_node::worker::Worker;
use plasma_store::{Store, StoreError};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinError;
use tokio::time::Instant;

/// The queue of blocks to submit cannot be rebuilt.
#[derive(Debug, Error)]
pub enum BlockQueueError {
    /// The root chain does not answer, or not in a way we understand.
    #[error("the root chain cannot be read: {0}")]
    RootChain(#[from] RootChainError),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store is not the one that submitted what is on the root chain.
    #[error(transparent)]
    Restore(#[from] RestoreQueueError),
    /// One node of a cluster is behind another.
    #[error(
        "block {mined} is mined, and the root chain's node that was asked for its root does not know it yet"
    )]
    RootNotSeen {
        /// Which block.
        mined: Blknum,
    },
    /// The thread of a write is gone, so nobody knows whether it was made.
    #[error("a write was not finished: {0}")]
    Unwritten(#[from] JoinError),
    /// The ledger is gone.
    #[error(transparent)]
    Ledger(#[from] Unanswered),
}

impl BuildError for BlockQueueError {
    fn is_transient(&self) -> bool {
        match self {
            Self::RootChain(error) => error.kind() == ErrorKind::Transient,
            Self::RootNotSeen { .. } => true,
            _ => false,
        }
    }
}

/// The queue with everything it needs; made by [`BlockQueueShell::recover`].
pub(crate) struct BlockQueueShell {
    queue: BlockQueue,
    tick_ms: u64,
    root_chain: Arc<dyn RootChain>,
    store: Store,
    alarms: Alarms,
    metrics: Metrics,
}

impl BlockQueueShell {
    /// Compares the store with the root chain, waiting for a root chain that is away.
    pub(crate) async fn recover(parts: &Parts) -> Result<Self, BlockQueueError> {
        let recovered = retry_transient(&parts.alarms, || recovered(parts)).await?;
        Ok(Self {
            queue: BlockQueue::restore(parts.config.block_queue, recovered)?,
            tick_ms: parts.config.block_queue.tick_ms,
            root_chain: parts.root_chain.clone(),
            store: parts.store.clone(),
            alarms: parts.alarms.clone(),
            metrics: parts.metrics.clone(),
        })
    }
}

async fn recovered(parts: &Parts) -> Result<RecoveredQueue, BlockQueueError> {
    let mined = parts.root_chain.submission_state().await?.mined_blknum;
    let mined_hash = match mined == Blknum::default() {
        true => None,
        false => {
            let block = parts.root_chain.child_block(mined).await?;
            Some(block.ok_or(BlockQueueError::RootNotSeen { mined })?.root)
        }
    };
    let first = RecoveredQueue::first_needed(mined);
    let newest = parts.store.newest_block()?.map(|header| header.number.get()).unwrap_or_default();
    let count = newest.saturating_sub(first.get()) / CHILD_BLOCK_INTERVAL + 1;
    let headers = parts.store.block_headers(first, usize::try_from(count).unwrap_or(usize::MAX))?;
    Ok(RecoveredQueue { mined, mined_hash, headers, nonce_offset: parts.store.nonce_offset()? })
}

/// Starts forming and submitting.
pub(crate) fn start_block_queue(
    shell: BlockQueueShell,
    state: StateHandle,
    heights: EthHeights,
    nursery: &mut Nursery,
) {
    Worker::start_with_lease("block_queue", nursery, |lease| shell.run(state, heights, lease));
}

impl BlockQueueShell {
    async fn run(
        mut self,
        state: StateHandle,
        mut heights: EthHeights,
        lease: Lease,
    ) -> Result<Infallible, BlockQueueError> {
        let started = Instant::now();
        let mut pending = state.pending();
        loop {
            let now_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            // Held across the tick, the borrow would keep the ledger from publishing what it forms.
            let status = *pending.borrow_and_update();
            self.tick(now_ms, &state, status, &lease).await?;
            self.alarms.set(Alarm::BlockSubmitStalled, self.queue.is_stalled());
            self.wait(&mut heights, &mut pending).await?;
        }
    }

    /// Until the next tick, a new root chain block, or a full pending block.
    async fn wait(
        &self,
        heights: &mut EthHeights,
        pending: &mut watch::Receiver<PendingStatus>,
    ) -> Result<(), Unanswered> {
        let tick = tokio::time::sleep(Duration::from_millis(self.tick_ms));
        let was_full = pending.borrow().is_full;
        tokio::select! {
            () = tick => {}
            changed = heights.changed() => changed.map_err(|_| Unanswered::Restarting)?,
            full = pending.wait_for(|pending| pending.is_full && !was_full) => {
                full.map_err(|_| Unanswered::Restarting)?;
            }
        }
        Ok(())
    }

    async fn tick(
        &mut self,
        now_ms: u64,
        state: &StateHandle,
        pending: PendingStatus,
        lease: &Lease,
    ) -> Result<(), BlockQueueError> {
        let asked = async {
            let snapshot = self.root_chain.submission_state().await?;
            let root = match self.queue.root_needed(snapshot.mined_blknum) {
                Some(mined) => self.root_chain.child_block(mined).await?.map(|block| block.root),
                None => None,
            };
            Ok::<_, RootChainError>((snapshot, root, self.root_chain.fee_quote().await?))
        };
        let (snapshot, root, quote) = match asked.await {
            Ok(answers) => answers,
            Err(error) => {
                tracing::warn!(%error, "blocks wait for the root chain");
                return Ok(());
            }
        };
        let Plan { form, updates, submissions, halt } =
            self.queue.on_tick(now_ms, &snapshot, root, &quote, pending);
        if let Some(halt) = halt {
            tracing::error!(%halt, "no block is submitted");
        }
        if form {
            self.form(state).await?;
        }
        self.commit(updates, lease.clone()).await?;
        for submission in submissions {
            if !self.submit(&submission).await {
                break;
            }
        }
        Ok(())
    }

    async fn form(&mut self, state: &StateHandle) -> Result<(), BlockQueueError> {
        let formed = match state.form_block().await {
            // Nothing was done; the next tick asks again.
            Err(Unanswered::Overloaded) => None,
            formed => formed?,
        };
        if let Some(header) = &formed {
            self.metrics.blocks.inc();
            self.metrics.newest_blknum.set(i64::try_from(header.number.get()).unwrap_or(i64::MAX));
            let (blknum, hash, tx_count) = (header.number, header.hash, header.tx_count);
            tracing::info!(%blknum, ?hash, tx_count, "block formed");
        }
        self.queue.on_formed(formed);
        Ok(())
    }

    async fn commit(&self, updates: Vec<DbUpdate>, lease: Lease) -> Result<(), BlockQueueError> {
        if updates.is_empty() {
            return Ok(());
        }
        let store = self.store.clone();
        let written = tokio::task::spawn_blocking(move || {
            let written = store.commit(&updates);
            drop(lease);
            written
        });
        Ok(written.await??)
    }

    async fn submit(&mut self, submission: &Submission) -> bool {
        let Submission { blknum, hash, nonce, fees } = *submission;
        match self.root_chain.submit_block(hash, nonce, fees).await {
            Ok(outcome) => {
                match &outcome {
                    SubmitOutcome::Accepted { txhash } => {
                        tracing::info!(%blknum, nonce, ?txhash, "block submitted");
                    }
                    SubmitOutcome::AlreadyKnown { .. } => {}
                    refused => tracing::warn!(%blknum, nonce, %refused, "block not submitted"),
                }
                self.queue.on_outcome(submission, &outcome)
            }
            Err(error) => {
                tracing::warn!(%blknum, nonce, %error, "it is open whether a block was submitted");
                false
            }
        }
    }
}
