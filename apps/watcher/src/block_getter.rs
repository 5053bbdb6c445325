//! Follows the operator: reads submissions, downloads blocks, has them applied, and keeps looking after a fault.
//!
//! It contains no rule: [`BlockGetter`](plasma_core::block_getter::BlockGetter) says what to read, what to download, when to apply and
//! what is wrong. An operator or a root chain that does not answer is asked again; how long an operator may be silent is a rule.

use crate::download::Downloader;
use crate::guard::{Applied, Guard, GuardHandle};
use plasma_core::block_getter::{DownloadOutcome, SubmissionFacts};
use plasma_core::db_update::{ChainFault, Service};
use plasma_core::eth_event_listener::{EventsError, in_order};
use plasma_core::root_chain::{ChildBlock, EthEvent, EventKind};
use plasma_core::wire::{Blknum, EthHeight};
use plasma_eth::{RootChain, RootChainError};
use plasma_node::core_actor::Unanswered;
use plasma_node::root_chain_coordinator::CoordinatorHandle;
use plasma_node::supervisor::Nursery;
use plasma_node::telemetry::Metrics;
use plasma_node::worker::Worker;
use plasma_store::Store;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Most new root chain blocks whose submissions are read at once.
const SCAN_ETH_BLOCKS_MAX: u64 = 10_000;
/// Most roots that are asked for at one time.
const ROOTS_IN_FLIGHT_MAX: usize = 8;

/// What the actor needs.
pub(crate) struct Following {
    pub(crate) guard: GuardHandle,
    pub(crate) root_chain: Arc<dyn RootChain>,
    pub(crate) coordinator: CoordinatorHandle,
    pub(crate) downloader: Downloader,
    pub(crate) metrics: Metrics,
    pub(crate) tick_ms: u64,
    pub(crate) reorg_margin_eth_blocks: u64,
    /// Whether the quarantine knows how far it reaches.
    pub(crate) is_top_raised: bool,
}

/// Starts following.
pub(crate) fn start_block_getter(following: Following, nursery: &mut Nursery) {
    Worker::start("block_getter", nursery, following.run());
}

type Downloads = JoinSet<(Blknum, DownloadOutcome)>;

impl Following {
    async fn run(mut self) -> Result<Infallible, Unanswered> {
        let started = Instant::now();
        let now_ms = move || u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut downloads = Downloads::new();
        let mut synced_height = self.guard.ask(|guard| guard.getter.synced_height()).await?;
        loop {
            let guide = self.coordinator.check_in(Service::BlockGetter, synced_height).await?;
            let mut is_applied = false;
            if let Some(guide) = guide {
                // Submissions are read ahead of what may be applied, up to the newest root chain block.
                self.scan(guide.root_chain_height).await?;
                is_applied = self.apply_one(guide.sync_height).await?;
            }
            self.on_time(now_ms()).await?;
            while self.guard.quarantine_next().await?.is_some() {}
            self.start_downloads(now_ms(), &mut downloads).await?;
            let height = self.guard.ask(|guard| guard.getter.synced_height()).await?;
            if !is_applied && height == synced_height {
                self.wait(&mut downloads, now_ms).await?;
            }
            while let Some(ended) = downloads.try_join_next() {
                self.on_download(ended, now_ms()).await?;
            }
            synced_height = height;
        }
    }

    /// Until a download ends, the root chain or another service gets further, or a tick is over.
    async fn wait(
        &mut self,
        downloads: &mut Downloads,
        now_ms: impl Fn() -> u64,
    ) -> Result<(), Unanswered> {
        tokio::select! {
            Some(ended) = downloads.join_next() => {
                self.on_download(ended, now_ms()).await?;
            }
            changed = self.coordinator.changed() => changed?,
            () = tokio::time::sleep(Duration::from_millis(self.tick_ms)) => {}
        }
        Ok(())
    }

    async fn on_download(
        &self,
        ended: Result<(Blknum, DownloadOutcome), tokio::task::JoinError>,
        now_ms: u64,
    ) -> Result<(), Unanswered> {
        // A task is only cancelled with the whole set, and does not panic; if it did, the tree must not go on without it.
        let (blknum, outcome) = ended.map_err(|_| Unanswered::Restarting)?;
        let decided = self.guard.decide(move |guard, _, updates| {
            guard.getter.on_download(blknum, outcome, now_ms, updates);
            Ok(guard.getter.fault().cloned())
        });
        report(decided.await?.filter(|fault| fault.blknum == blknum));
        Ok(())
    }

    async fn start_downloads(
        &self,
        now_ms: u64,
        downloads: &mut Downloads,
    ) -> Result<(), Unanswered> {
        for download in self.guard.ask(move |guard| guard.getter.start_downloads(now_ms)).await? {
            let downloader = self.downloader.clone();
            downloads.spawn(async move { (download.blknum, downloader.attempt(download).await) });
        }
        Ok(())
    }

    /// Has the next block applied, so that downloads are looked after between any two. Returns whether there was one.
    async fn apply_one(&self, sync_height: EthHeight) -> Result<bool, Unanswered> {
        let synced = self.coordinator.progress().synced;
        let deposits_height = synced.get(&Service::Depositor).copied().unwrap_or_default();
        match self.guard.apply_next(sync_height, deposits_height).await? {
            Applied::Block { blknum, tx_count } => {
                self.metrics.blocks.inc();
                self.metrics.newest_blknum.set(i64::try_from(blknum.get()).unwrap_or(i64::MAX));
                tracing::info!(%blknum, tx_count, "block applied");
                return Ok(true);
            }
            Applied::Refused(fault) => report(fault),
            Applied::Nothing => {}
        }
        Ok(false)
    }

    async fn on_time(&self, now_ms: u64) -> Result<(), Unanswered> {
        let decided =
            self.guard.decide(move |guard, _, updates| Ok(guard.getter.on_time(now_ms, updates)));
        report(decided.await?);
        Ok(())
    }

    /// Reads which blocks were submitted up to a height. What cannot be read now is read in the next round: reading goes no further
    /// when it gets nowhere, since then a block has to be applied first, or the root chain has to make up its mind.
    async fn scan(&mut self, to: EthHeight) -> Result<(), Unanswered> {
        let mut from = None;
        loop {
            let range = self.guard.ask(move |guard| guard.getter.scan_range(to)).await?;
            let Some(range) = range.filter(|range| from.is_none_or(|from| from < *range.start()))
            else {
                break;
            };
            from = Some(*range.start());
            let last = range.start().plus(self.reorg_margin_eth_blocks).plus(SCAN_ETH_BLOCKS_MAX);
            let range = *range.start()..=last.min(*range.end());
            if let Err(error) = self.scan_range(range).await? {
                tracing::warn!(%error, "submissions are not read");
                break;
            }
        }
        self.raise_top().await
    }

    async fn scan_range(
        &self,
        range: RangeInclusive<EthHeight>,
    ) -> Result<Result<(), ScanError>, Unanswered> {
        let kinds = [EventKind::BlockSubmitted];
        let events = match self.root_chain.events(&kinds, *range.start(), *range.end()).await {
            Ok(events) => events,
            Err(error) => return Ok(Err(error.into())),
        };
        let events = match in_order(events, &kinds, &range) {
            Ok(events) => Arc::new(events),
            Err(error) => return Ok(Err(error.into())),
        };
        let asked = events.clone();
        let needed = self.guard.ask(move |guard| guard.getter.facts_needed(&asked)).await?;
        let facts = match self.roots(&needed).await {
            Ok(roots) => SubmissionFacts { roots, ..SubmissionFacts::default() },
            Err(error) => return Ok(Err(error.into())),
        };
        report(self.on_submissions(range, events, needed, facts).await?);
        Ok(Ok(()))
    }

    async fn roots(
        &self,
        needed: &[Blknum],
    ) -> Result<BTreeMap<Blknum, ChildBlock>, RootChainError> {
        use futures::{StreamExt, TryStreamExt};
        let ask = |blknum: &Blknum| {
            let (root_chain, blknum) = (self.root_chain.clone(), *blknum);
            async move { Ok((blknum, root_chain.child_block(blknum).await?)) }
        };
        let asked: Vec<_> = needed.iter().map(ask).collect();
        futures::stream::iter(asked)
            .buffer_unordered(ROOTS_IN_FLIGHT_MAX)
            .try_filter_map(|(blknum, block)| async move { Ok(block.map(|block| (blknum, block))) })
            .try_collect()
            .await
    }

    async fn on_submissions(
        &self,
        range: RangeInclusive<EthHeight>,
        events: Arc<Vec<EthEvent>>,
        needed: Vec<Blknum>,
        mut facts: SubmissionFacts,
    ) -> Result<Option<ChainFault>, Unanswered> {
        let decide = move |guard: &mut Guard, store: &Store, updates: &mut Vec<_>| {
            for blknum in needed {
                let header = store.block_header(blknum)?;
                facts.ledger.extend(header.map(|header| (blknum, header.hash)));
                facts.journal.extend(store.submitted_at(blknum)?.map(|at| (blknum, at)));
            }
            let fault = guard.getter.on_submissions(&range, &events, &facts, updates);
            guard.note_moved(updates);
            Ok(fault)
        };
        self.guard.decide(decide).await
    }

    /// In quarantine, blocks may be older than the events that are read; the contract knows the newest. Asked once: whatever is
    /// submitted later is among the events.
    async fn raise_top(&mut self) -> Result<(), Unanswered> {
        if self.is_top_raised || self.guard.ask(|guard| guard.getter.fault().is_none()).await? {
            return Ok(());
        }
        match self.root_chain.submission_state().await {
            Ok(state) => {
                if let Some(next) = state.mined_blknum.next_child_block() {
                    self.guard.ask(move |guard| guard.getter.on_next_child_block(next)).await?;
                }
                self.is_top_raised = true;
            }
            Err(error) => tracing::warn!(%error, "the newest submitted block is not known"),
        }
        Ok(())
    }
}

/// Why submissions were not read; they are read in the next round.
#[derive(Debug, thiserror::Error)]
enum ScanError {
    #[error(transparent)]
    RootChain(#[from] RootChainError),
    #[error(transparent)]
    Events(#[from] EventsError),
}

fn report(fault: Option<ChainFault>) {
    if let Some(fault) = fault {
        let (blknum, hash, kind) = (fault.blknum, fault.hash, fault.kind);
        tracing::error!(%blknum, ?hash, ?kind, "THE CHILD CHAIN IS INVALID: exit now");
    }
}
