//! The [`RootChainCoordinator`] as an actor: services check in, and are told how far they may read.
//!
//! It contains no rule. It publishes its progress, so that services that wait for each other wake each other instead of polling.

use crate::core_actor::Unanswered;
use crate::eth_height_monitor::EthHeights;
use crate::supervisor::{Link, Nursery};
use crate::telemetry::{Metrics, ServiceLabel};
use actix::prelude::*;
use plasma_core::db_update::Service;
use plasma_core::root_chain_coordinator::{
    RootChainCoordinator, ServiceSetup, ServiceTableError, SyncGuide,
};
use plasma_core::wire::EthHeight;
use std::collections::BTreeMap;
use tokio::sync::watch;

/// Each service has at most one check-in under way.
const MAILBOX_MAX: usize = 64;

/// How far everybody got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncProgress {
    /// The greatest height the root chain ever had.
    pub root_chain_height: Option<EthHeight>,
    /// What each service checked in with.
    pub synced: BTreeMap<Service, EthHeight>,
}

struct CoordinatorActor {
    coordinator: RootChainCoordinator,
    heights: EthHeights,
    progress: watch::Sender<SyncProgress>,
    metrics: Metrics,
    link: Link,
}

#[derive(Message)]
#[rtype(result = "Option<SyncGuide>")]
struct CheckIn {
    service: Service,
    synced_height: EthHeight,
}

impl Actor for CoordinatorActor {
    type Context = Context<Self>;
}

crate::supervised!(CoordinatorActor);

impl Handler<CheckIn> for CoordinatorActor {
    type Result = MessageResult<CheckIn>;

    fn handle(&mut self, check_in: CheckIn, ctx: &mut Self::Context) -> Self::Result {
        let CheckIn { service, synced_height } = check_in;
        if let Some(height) = *self.heights.borrow() {
            self.coordinator.on_eth_height(height);
        }
        let checked_in = self.coordinator.check_in(service, synced_height);
        let guide = checked_in.and_then(|()| self.coordinator.sync_guide(service));
        let label = ServiceLabel { service: service.name() };
        let gauge = i64::try_from(synced_height.get()).unwrap_or(i64::MAX);
        self.metrics.synced_height.get_or_create(&label).set(gauge);
        self.progress.send_if_modified(|known| {
            let progress = SyncProgress {
                root_chain_height: self.coordinator.root_chain_height(),
                synced: self.coordinator.synced_heights().collect(),
            };
            let changed = *known != progress;
            *known = progress;
            changed
        });
        MessageResult(guide.unwrap_or_else(|error| {
            self.link.because(error);
            ctx.terminate();
            None
        }))
    }
}

/// Talks to the coordinator.
#[derive(Clone)]
pub struct CoordinatorHandle {
    addr: Recipient<CheckIn>,
    heights: EthHeights,
    progress: watch::Receiver<SyncProgress>,
}

impl std::fmt::Debug for CoordinatorHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.progress.borrow().fmt(f)
    }
}

/// Starts the coordinator of a node.
///
/// # Errors
/// When the table of services makes no sense.
pub fn start_root_chain_coordinator(
    table: Vec<ServiceSetup>,
    heights: EthHeights,
    metrics: Metrics,
    nursery: &mut Nursery,
) -> Result<CoordinatorHandle, ServiceTableError> {
    let coordinator = RootChainCoordinator::new(table)?;
    let (sender, progress) = watch::channel(SyncProgress::default());
    let own_heights = heights.clone();
    let addr = nursery.start("root_chain_coordinator", MAILBOX_MAX, |_, link| CoordinatorActor {
        coordinator,
        heights: own_heights,
        progress: sender,
        metrics,
        link,
    });
    Ok(CoordinatorHandle { addr: addr.recipient(), heights, progress })
}

impl CoordinatorHandle {
    /// A service says how far it got, as committed, and learns how far it may read. `None`: wait for [`Self::changed`].
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn check_in(
        &self,
        service: Service,
        synced_height: EthHeight,
    ) -> Result<Option<SyncGuide>, Unanswered> {
        let answer = self.addr.send(CheckIn { service, synced_height }).await;
        answer.map_err(|_| Unanswered::Restarting)
    }

    /// How far everybody got.
    pub fn progress(&self) -> SyncProgress {
        let mut progress = self.progress.borrow().clone();
        progress.root_chain_height = progress.root_chain_height.max(*self.heights.borrow());
        progress
    }

    /// Waits until the root chain or a service got further since the last call on this handle. Clones remember for themselves.
    ///
    /// # Errors
    /// [`Unanswered::Restarting`] when the coordinator or the height monitor is gone.
    pub async fn changed(&mut self) -> Result<(), Unanswered> {
        let changed = tokio::select! {
            changed = self.heights.changed() => changed,
            changed = self.progress.changed() => changed,
        };
        changed.map_err(|_| Unanswered::Restarting)
    }
}
