//! The operator's actors, and how they are built from disk (architecture section 5).
//!
//! ```text
//! eth_height_monitor ─► root_chain_coordinator ─► depositor, exiters ─► state ─► block_queue ─► root chain
//! fee_server ─► API ─► state
//! ```

use crate::block_queue::{BlockQueueError, BlockQueueShell, start_block_queue};
use crate::config::ChildChainConfig;
use crate::fee_server::{FeeFile, FeeSpecsError, Fees, start_fee_server};
use crate::sinks::{DepositSink, ExitSink, InFlightExitSink};
use plasma_core::db_update::Service;
use plasma_core::fees::FeeTolerance;
use plasma_core::root_chain_coordinator::{ServiceTableError, child_chain_services};
use plasma_core::state::Role;
use plasma_eth::{Deployment, RootChain};
use plasma_node::alarms::Alarms;
use plasma_node::eth_event_listener::{EventSink, Listeners};
use plasma_node::eth_height_monitor::start_eth_height_monitor;
use plasma_node::memory_monitor::start_memory_monitor;
use plasma_node::root_chain_coordinator::{CoordinatorHandle, start_root_chain_coordinator};
use plasma_node::startup::{StartupError, wait_for_contracts};
use plasma_node::state::{RestoreStateError, StateHandle, start_state};
use plasma_node::supervisor::{BuildError, Nursery};
use plasma_node::telemetry::Metrics;
use plasma_store::{Store, StoreError};
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::watch;

/// Handles to the running actors.
#[derive(Clone, Debug)]
pub struct ChildChain {
    /// The ledger.
    pub state: StateHandle,
    /// The fees in force.
    pub fees: watch::Receiver<Fees>,
    /// How far the root chain was read.
    pub coordinator: CoordinatorHandle,
}

/// The actors cannot be started.
#[derive(Debug, Error)]
pub enum ChildChainError {
    /// The root chain is not what the address file says.
    #[error(transparent)]
    Startup(#[from] StartupError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger cannot be rebuilt from the store.
    #[error(transparent)]
    State(#[from] RestoreStateError),
    /// There are no usable fees.
    #[error(transparent)]
    Fees(#[from] FeeSpecsError),
    /// The table of services makes no sense.
    #[error(transparent)]
    Services(#[from] ServiceTableError),
    /// Nobody would own the collected fees.
    #[error("fee_claimer is not set: give the account that owns the collected fees")]
    NoFeeClaimer,
    /// The root chain and the store disagree about what was submitted.
    #[error(transparent)]
    BlockQueue(#[from] BlockQueueError),
}

impl BuildError for ChildChainError {
    fn is_transient(&self) -> bool {
        match self {
            Self::Startup(error) => error.is_transient(),
            Self::BlockQueue(error) => error.is_transient(),
            _ => false,
        }
    }
}

/// What a tree is built from; lives as long as the process.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) config: ChildChainConfig,
    pub(crate) deployment: Deployment,
    pub(crate) root_chain: Arc<dyn RootChain>,
    pub(crate) store: Store,
    pub(crate) alarms: Alarms,
    pub(crate) metrics: Metrics,
}

impl Parts {
    /// Builds the tree from disk.
    pub(crate) async fn build(&self, nursery: &mut Nursery) -> Result<ChildChain, ChildChainError> {
        self.metrics.tree_starts.inc();
        if self.config.fee_claimer.is_zero() {
            return Err(ChildChainError::NoFeeClaimer);
        }
        wait_for_contracts(&*self.root_chain, &self.deployment, &self.alarms).await?;
        let recovered = BlockQueueShell::recover(self).await?;

        let role = Role::Operator { fee_claimer: self.config.fee_claimer };
        let state = start_state(role, &self.store, nursery)?;
        let file = FeeFile {
            path: self.config.fee_specs_path.clone(),
            poll_ms: self.config.fee_specs_poll_ms,
            buffer_ms: self.config.fee_buffer_ms,
            tolerance: FeeTolerance { overpay_percent_max: self.config.fee_overpay_percent_max },
        };
        let fees = start_fee_server(file, self.alarms.clone(), nursery)?;
        let heights = start_eth_height_monitor(
            self.root_chain.clone(),
            self.config.eth_height_monitor,
            self.alarms.clone(),
            self.metrics.clone(),
            nursery,
        );
        start_memory_monitor(self.alarms.clone(), nursery);
        let table = child_chain_services(self.config.deposit_finality_margin_eth_blocks);
        let coordinator =
            start_root_chain_coordinator(table, heights.clone(), self.metrics.clone(), nursery)?;
        let listeners = Listeners {
            root_chain: self.root_chain.clone(),
            coordinator: coordinator.clone(),
            store: &self.store,
            deployed_at: self.deployment.eth_height,
            config: self.config.listener,
            tick_ms: self.config.listener_tick_ms,
        };
        let sinks: [(Service, Arc<dyn EventSink>); 3] = [
            (Service::Depositor, Arc::new(DepositSink(state.clone()))),
            (Service::Exiter, Arc::new(ExitSink(state.clone()))),
            (Service::InFlightExiter, Arc::new(InFlightExitSink(state.clone()))),
        ];
        for (service, sink) in sinks {
            listeners.start(service, sink, nursery)?;
        }
        start_block_queue(recovered, state.clone(), heights, nursery);
        Ok(ChildChain { state, fees, coordinator })
    }
}
