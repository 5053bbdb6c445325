//! How far each service may read the root chain: as far as is final, and no farther than those it depends on (protocol 4.2).
//!
//! It must never let a service overtake what it waits for, and never send anybody back: a guide below what a service has read
//! means "wait". It does not follow the root chain down: margins are what protects from reorganisations (rules
//! `R1` to `R4` of `docs/protocol/root-chain-sync.md`).
//!
//! ```text
//! newest root chain height ─► on_eth_height
//! each service ─► check_in(service, how far it got)      sync_guide(service) ─► how far it may read now
//! ```

use crate::db_update::Service;
use crate::wire::EthHeight;
use std::collections::{BTreeMap, BTreeSet};

/// How far a service may get in one step, so that one guide never asks for more than a few queries and commits.
pub const LEAP_ETH_BLOCKS_MAX: u64 = 2_500;

/// Whom a service waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// It must not get ahead of this service.
    Synced(Service),
    /// It may get ahead of this service by that service's own margin, which is to the newest root chain block in practice.
    SyncedNoMargin(Service),
}

impl WaitsFor {
    const fn service(self) -> Service {
        match self {
            Self::Synced(service) | Self::SyncedNoMargin(service) => service,
        }
    }
}

/// One line of the table of services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSetup {
    /// Who.
    pub service: Service,
    /// Confirmations a root chain block needs before this service reads it.
    pub finality_margin_eth_blocks: u64,
    /// Whom it waits for; empty for nobody but the root chain.
    pub waits_for: Vec<WaitsFor>,
}

/// The services of a child chain. Its deposit margin is a promise to watchers, which have to use the same.
pub fn child_chain_services(deposit_finality_margin_eth_blocks: u64) -> Vec<ServiceSetup> {
    use Service::{Depositor, Exiter, InFlightExiter};
    use WaitsFor::Synced;
    let d = deposit_finality_margin_eth_blocks;
    #[rustfmt::skip]
    let table = vec![
        line(Depositor,      d, &[]),
        line(Exiter,         d, &[Synced(Depositor)]),
        line(InFlightExiter, d, &[Synced(Depositor)]),
    ];
    table
}

/// The services of a watcher.
pub fn watcher_services(
    deposit_finality_margin_eth_blocks: u64,
    exit_finality_margin_eth_blocks: u64,
) -> Vec<ServiceSetup> {
    use Service::{
        BlockGetter, Depositor, ExitChallenger, ExitFinalizer, ExitProcessor,
        InFlightExitFinalizer, InFlightExitProcessor,
    };
    use WaitsFor::{Synced, SyncedNoMargin};
    let (d, e) = (deposit_finality_margin_eth_blocks, exit_finality_margin_eth_blocks);
    // A spend of a deposit can be in a block that is submitted as soon as the deposit has its confirmations. Blocks are
    // therefore applied up to the height at which the child chain may have formed them, and not a margin later.
    #[rustfmt::skip]
    let table = vec![
        line(Depositor,      d, &[]),
        line(BlockGetter,    0, &[SyncedNoMargin(Depositor)]),
        line(ExitProcessor,  e, &[Synced(Depositor)]),
        line(ExitFinalizer,  e, &[Synced(Depositor), Synced(BlockGetter), Synced(ExitProcessor)]),
        line(ExitChallenger, e, &[Synced(ExitProcessor)]),
        line(InFlightExitProcessor, e, &[Synced(Depositor)]),
        line(InFlightExitFinalizer, e, &[Synced(Depositor), Synced(BlockGetter), Synced(InFlightExitProcessor)]),
    ];
    table
}

fn line(service: Service, finality_margin_eth_blocks: u64, waits_for: &[WaitsFor]) -> ServiceSetup {
    ServiceSetup { service, finality_margin_eth_blocks, waits_for: waits_for.to_vec() }
}

/// The table of services makes no sense; a mistake in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceTableError {
    /// Two lines for one service.
    #[error("the service {} is listed twice", service.name())]
    Duplicate {
        /// Which.
        service: Service,
    },
    /// Somebody waits for a service that nobody runs.
    #[error("{} waits for {}, which is not listed", service.name(), awaited.name())]
    Unknown {
        /// Who waits.
        service: Service,
        /// For whom.
        awaited: Service,
    },
    /// Services wait for each other in a circle, so they would never move.
    #[error("{} can never move: whom it waits for wait for each other", service.name())]
    Cycle {
        /// One of those that cannot move.
        service: Service,
    },
}

/// The service is not in the table of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("service_not_allowed: {} does not run on this node", service.name())]
pub struct ServiceNotAllowed {
    /// Who asked.
    pub service: Service,
}

/// How far a service may read now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncGuide {
    /// It may read up to this height, included. Can be lower than what it has read: then it does nothing.
    pub sync_height: EthHeight,
    /// The newest height that is final by this service's margin: where it will get to when nobody holds it up.
    pub root_chain_height: EthHeight,
}

/// See the module.
///
/// # After a restart
/// It knows nothing, and lets nobody move until everybody has checked in again with the height that is on disk.
#[derive(Clone, Debug)]
pub struct RootChainCoordinator {
    services: BTreeMap<Service, ServiceSetup>,
    synced: BTreeMap<Service, EthHeight>,
    root_chain_height: Option<EthHeight>,
}

impl RootChainCoordinator {
    /// Nobody has checked in yet.
    ///
    /// # Errors
    /// [`ServiceTableError`] when a service is listed twice, waits for one that is not listed, or for itself.
    pub fn new(table: Vec<ServiceSetup>) -> Result<Self, ServiceTableError> {
        let mut services = BTreeMap::new();
        for setup in table {
            let service = setup.service;
            if services.insert(service, setup).is_some() {
                return Err(ServiceTableError::Duplicate { service });
            }
        }
        refuse_unknown(&services)?;
        refuse_cycles(&services)?;
        Ok(Self { services, synced: BTreeMap::new(), root_chain_height: None })
    }

    /// The root chain has this height. A lower one than before is ignored (`R3`); returns whether there is something new.
    pub fn on_eth_height(&mut self, eth_height: EthHeight) -> bool {
        let higher = self.root_chain_height.is_none_or(|known| eth_height > known);
        if higher {
            self.root_chain_height = Some(eth_height);
        }
        higher
    }

    /// A service says how far it got, as committed. Its word counts, also when it is lower than before: it was restarted, and
    /// others only become more careful.
    ///
    /// # Errors
    /// [`ServiceNotAllowed`] when it is not in the table.
    pub fn check_in(
        &mut self,
        service: Service,
        synced_height: EthHeight,
    ) -> Result<(), ServiceNotAllowed> {
        self.setup(service)?;
        self.synced.insert(service, synced_height);
        Ok(())
    }

    /// A service is gone: nobody moves until it checks in again.
    ///
    /// # Errors
    /// [`ServiceNotAllowed`] when it is not in the table.
    pub fn check_out(&mut self, service: Service) -> Result<(), ServiceNotAllowed> {
        self.setup(service)?;
        self.synced.remove(&service);
        Ok(())
    }

    /// How far this service may read. `None` while the root chain's height is unknown or somebody has not checked in (`R1`);
    /// then it checks in again and asks at its next tick.
    ///
    /// # Errors
    /// [`ServiceNotAllowed`] when it is not in the table.
    pub fn sync_guide(&self, service: Service) -> Result<Option<SyncGuide>, ServiceNotAllowed> {
        let setup = self.setup(service)?;
        let everybody_is_here = self.services.keys().all(|s| self.synced.contains_key(s));
        let (Some(root), Some(own), true) =
            (self.root_chain_height, self.synced.get(&service), everybody_is_here)
        else {
            return Ok(None);
        };
        let awaited = setup
            .waits_for
            .iter()
            .filter_map(|awaited| self.awaited(*awaited))
            .min()
            .unwrap_or(root);
        let final_height = root.minus(setup.finality_margin_eth_blocks);
        let sync_height = awaited // R2
            .min(final_height)
            .min(own.plus(LEAP_ETH_BLOCKS_MAX))
            .min(root);
        Ok(Some(SyncGuide { sync_height, root_chain_height: final_height }))
    }

    /// The greatest height the root chain ever had.
    pub const fn root_chain_height(&self) -> Option<EthHeight> {
        self.root_chain_height
    }

    /// How far each service got, for `status.get`; who has not checked in is left out.
    pub fn synced_heights(&self) -> impl Iterator<Item = (Service, EthHeight)> + '_ {
        self.synced.iter().map(|(service, height)| (*service, *height))
    }

    /// Who has not checked in and so keeps everybody from moving.
    pub fn missing(&self) -> impl Iterator<Item = Service> + '_ {
        let listed = self.services.keys().copied();
        listed.filter(|service| !self.synced.contains_key(service))
    }

    fn setup(&self, service: Service) -> Result<&ServiceSetup, ServiceNotAllowed> {
        self.services.get(&service).ok_or(ServiceNotAllowed { service })
    }

    fn awaited(&self, awaited: WaitsFor) -> Option<EthHeight> {
        let synced = *self.synced.get(&awaited.service())?;
        Some(match awaited {
            WaitsFor::Synced(_) => synced,
            WaitsFor::SyncedNoMargin(service) => {
                let setup = self.services.get(&service)?;
                synced.plus(setup.finality_margin_eth_blocks)
            }
        })
    }
}

fn refuse_unknown(services: &BTreeMap<Service, ServiceSetup>) -> Result<(), ServiceTableError> {
    for setup in services.values() {
        for awaited in setup.waits_for.iter().map(|awaited| awaited.service()) {
            if !services.contains_key(&awaited) {
                return Err(ServiceTableError::Unknown { service: setup.service, awaited });
            }
        }
    }
    Ok(())
}

/// Takes away whoever waits for nobody that is left; in the end only cycles and who waits for them remain.
fn refuse_cycles(services: &BTreeMap<Service, ServiceSetup>) -> Result<(), ServiceTableError> {
    let mut left: BTreeSet<Service> = services.keys().copied().collect();
    loop {
        let free = |service: &Service| {
            services.get(service).is_none_or(|setup| {
                let mut waits_for = setup.waits_for.iter();
                waits_for.all(|awaited| !left.contains(&awaited.service()))
            })
        };
        let movable: Vec<Service> = left.iter().copied().filter(free).collect();
        if movable.is_empty() {
            break;
        }
        for service in movable {
            left.remove(&service);
        }
    }
    left.first().map_or(Ok(()), |service| Err(ServiceTableError::Cycle { service: *service }))
}

#[cfg(test)]
mod tests;
