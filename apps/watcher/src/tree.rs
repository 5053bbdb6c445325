//! The watcher's actors, and how they are built from disk (architecture section 5).
//!
//! ```text
//! eth_height_monitor ─► root_chain_coordinator ─► depositor, exit_processor, exit_challenger, exit_finalizer ─┐
//!                                            └─► block_getter ─► downloads ─────────────────────────► guard ─► eventer ─► API
//!                                                                                                            └─► sentinel ─► L1
//! guard ─► journal (on disk) ─► transfers, events: followers that nobody waits for
//! ```

use crate::block_getter::{Following, start_block_getter};
use crate::config::WatcherConfig;
use crate::download::Downloader;
use crate::eventer::{FindingsWatch, start_eventer};
use crate::guard::{GuardHandle, start_guard};
use crate::journal_news::JournalNews;
use crate::sentinel::{SentinelParts, SentinelWatch, start_sentinel};
use crate::sinks::{DepositSink, ExitSink, InFlightExitSink, PaidExitSink};
use crate::status::{FactsWatch, start_status};
use crate::transfers::start_transfers;
use plasma_core::db_update::Service;
use plasma_core::exit_processor::SlaMarginTooBig;
use plasma_core::root_chain_coordinator::{ServiceTableError, watcher_services};
use plasma_core::state::Role;
use plasma_core::wire::TypedDataDomain;
use plasma_eth::{Deployment, RootChain, SentinelChain};
use plasma_node::alarms::Alarms;
use plasma_node::eth_event_listener::{EventSink, Listeners};
use plasma_node::eth_height_monitor::start_eth_height_monitor;
use plasma_node::memory_monitor::start_memory_monitor;
use plasma_node::root_chain_coordinator::{CoordinatorHandle, start_root_chain_coordinator};
use plasma_node::startup::{StartupError, wait_for_contracts};
use plasma_node::state::{RestoreStateError, restore_state};
use plasma_node::supervisor::{BuildError, Nursery};
use plasma_node::telemetry::Metrics;
use plasma_rpc::client::HttpRpcClient;
use plasma_store::{Store, StoreError};
use std::sync::Arc;
use thiserror::Error;

/// Handles to the running actors.
#[derive(Clone, Debug)]
pub struct Watcher {
    pub(crate) findings: FindingsWatch,
    pub(crate) coordinator: CoordinatorHandle,
    pub(crate) facts: FactsWatch,
    pub(crate) sentinel: Option<SentinelWatch>,
}

/// The actors cannot be started.
#[derive(Debug, Error)]
pub enum WatcherError {
    /// The root chain is not what the address file says.
    #[error(transparent)]
    Startup(#[from] StartupError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger cannot be rebuilt from the store.
    #[error(transparent)]
    State(#[from] RestoreStateError),
    /// The table of services makes no sense.
    #[error(transparent)]
    Services(#[from] ServiceTableError),
    /// Invalid exits could be paid before the alarm.
    #[error(
        "{0}: the margin is longer than an exit takes. Choose a smaller exit_processor_sla_margin_eth_blocks, or force it"
    )]
    SlaMargin(#[from] SlaMarginTooBig),
}

impl BuildError for WatcherError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Startup(error) if error.is_transient())
    }
}

/// What a tree is built from; lives as long as the process.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) config: WatcherConfig,
    pub(crate) deployment: Deployment,
    pub(crate) root_chain: Arc<dyn RootChain>,
    /// What the Sentinel acts through, if there is one.
    pub(crate) sentinel: Option<Arc<dyn SentinelChain>>,
    /// Calls the operator for blocks.
    pub(crate) blocks: HttpRpcClient,
    pub(crate) store: Store,
    /// Outlives the trees.
    pub(crate) journal_news: JournalNews,
    pub(crate) alarms: Alarms,
    pub(crate) metrics: Metrics,
}

impl Parts {
    /// Builds the tree from disk.
    pub(crate) async fn build(&self, nursery: &mut Nursery) -> Result<Watcher, WatcherError> {
        self.metrics.tree_starts.inc();
        self.check_sla_margin()?;
        wait_for_contracts(&*self.root_chain, &self.deployment, &self.alarms).await?;

        let config = &self.config;
        let state = restore_state(Role::Watcher, &self.store)?;
        let cores = (config.block_getter(), config.exit_processor());
        let deployed_at = self.deployment.eth_height;
        let (store, news) = (&self.store, &self.journal_news);
        let guard = start_guard(state, self.domain(), cores, deployed_at, store, news, nursery)?;
        let heights = start_eth_height_monitor(
            self.root_chain.clone(),
            config.eth_height_monitor,
            self.alarms.clone(),
            self.metrics.clone(),
            nursery,
        );
        start_transfers(self.store.clone(), self.journal_news.clone(), nursery);
        start_memory_monitor(self.alarms.clone(), nursery);
        let table = watcher_services(
            config.deposit_finality_margin_eth_blocks,
            config.exit_finality_margin_eth_blocks,
        );
        let coordinator =
            start_root_chain_coordinator(table, heights, self.metrics.clone(), nursery)?;
        self.start_listeners(&guard, &coordinator, nursery)?;
        start_block_getter(self.following(&guard, &coordinator), nursery);
        let findings =
            start_eventer(guard.clone(), coordinator.clone(), self.metrics.clone(), nursery);
        let facts = start_status(
            self.root_chain.clone(),
            coordinator.clone(),
            findings.clone(),
            config.tick_ms,
            nursery,
        );
        let sentinel = self.start_sentinel(&guard, &findings, &coordinator, nursery)?;
        Ok(Watcher { findings, coordinator, facts, sentinel })
    }

    fn start_sentinel(
        &self,
        guard: &GuardHandle,
        findings: &FindingsWatch,
        coordinator: &CoordinatorHandle,
        nursery: &mut Nursery,
    ) -> Result<Option<SentinelWatch>, StoreError> {
        let Some(chain) = &self.sentinel else {
            return Ok(None);
        };
        let parts = SentinelParts {
            config: self.config.sentinel,
            chain: chain.clone(),
            guard: guard.clone(),
            store: self.store.clone(),
            domain: Arc::new(self.domain()),
            min_exit_period_s: self.deployment.min_exit_period_s,
            // Exits wait for deposits.
            exits_read_margin_eth_blocks: self
                .config
                .exit_finality_margin_eth_blocks
                .max(self.config.deposit_finality_margin_eth_blocks),
            tick_ms: self.config.tick_ms,
            findings: findings.clone(),
            coordinator: coordinator.clone(),
        };
        start_sentinel(parts, nursery).map(Some)
    }

    fn domain(&self) -> TypedDataDomain {
        TypedDataDomain::new(self.deployment.addresses.plasma_framework)
    }

    fn check_sla_margin(&self) -> Result<(), SlaMarginTooBig> {
        let config = &self.config;
        let checked = SlaMarginTooBig::check(
            config.exit_processor_sla_margin_eth_blocks,
            config.eth_block_time_ms,
            self.deployment.min_exit_period_s,
        );
        match checked {
            Err(error) if config.exit_processor_sla_margin_forced => {
                tracing::warn!(%error, "invalid exits may be paid before they raise an alarm");
                Ok(())
            }
            checked => checked,
        }
    }

    fn following(&self, guard: &GuardHandle, coordinator: &CoordinatorHandle) -> Following {
        Following {
            guard: guard.clone(),
            root_chain: self.root_chain.clone(),
            coordinator: coordinator.clone(),
            downloader: Downloader {
                child_chain: self.blocks.clone(),
                root_chain: self.root_chain.clone(),
                domain: Arc::new(self.domain()),
                download_ms_max: self.config.download_ms_max,
            },
            metrics: self.metrics.clone(),
            tick_ms: self.config.tick_ms,
            reorg_margin_eth_blocks: self.config.reorg_margin_eth_blocks,
            is_top_raised: false,
        }
    }

    fn start_listeners(
        &self,
        guard: &GuardHandle,
        coordinator: &CoordinatorHandle,
        nursery: &mut Nursery,
    ) -> Result<(), StoreError> {
        let listeners = Listeners {
            root_chain: self.root_chain.clone(),
            coordinator: coordinator.clone(),
            store: &self.store,
            deployed_at: self.deployment.eth_height,
            config: self.config.listener,
            tick_ms: self.config.tick_ms,
        };
        let sinks: [(Service, Arc<dyn EventSink>); 6] = [
            (Service::Depositor, Arc::new(DepositSink(guard.clone()))),
            (Service::ExitProcessor, Arc::new(ExitSink(guard.clone()))),
            (Service::ExitChallenger, Arc::new(ExitSink(guard.clone()))),
            (Service::ExitFinalizer, Arc::new(PaidExitSink(guard.clone()))),
            (Service::InFlightExitProcessor, Arc::new(InFlightExitSink(guard.clone()))),
            (Service::InFlightExitFinalizer, Arc::new(InFlightExitSink(guard.clone()))),
        ];
        for (service, sink) in sinks {
            listeners.start(service, sink, nursery)?;
        }
        Ok(())
    }
}
