//! What `status.get` says besides what is wrong: heights and times of the root chain, asked for once per root chain block and not per
//! request (protocol 5.7).

use crate::eventer::FindingsWatch;
use crate::guard::Findings;
use plasma_core::db_update::Service;
use plasma_core::exit_processor::ExitProcessor;
use plasma_core::root_chain::PiggybackSide;
use plasma_core::wire::{Blknum, EthHeight};
use plasma_eth::{RootChain, RootChainError};
use plasma_node::core_actor::Unanswered;
use plasma_node::root_chain_coordinator::{CoordinatorHandle, SyncProgress};
use plasma_node::supervisor::Nursery;
use plasma_node::worker::Worker;
use plasma_rpc::watcher::{ContractAddresses, InFlightExitStatus, ServiceHeight, Status};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What the root chain said, for the status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RootChainFacts {
    validated: (Blknum, u64),
    mined: (Blknum, u64),
    seen: (EthHeight, u64),
    syncing: bool,
}

/// The newest facts, `None` before the first.
pub(crate) type FactsWatch = watch::Receiver<Option<Arc<RootChainFacts>>>;

/// Starts asking.
pub(crate) fn start_status(
    root_chain: Arc<dyn RootChain>,
    coordinator: CoordinatorHandle,
    findings: FindingsWatch,
    pause_ms: u64,
    nursery: &mut Nursery,
) -> FactsWatch {
    let (sender, facts) = watch::channel(None);
    Worker::start("status", nursery, run(root_chain, coordinator, findings, pause_ms, sender));
    facts
}

async fn run(
    root_chain: Arc<dyn RootChain>,
    mut coordinator: CoordinatorHandle,
    mut findings: FindingsWatch,
    pause_ms: u64,
    sender: watch::Sender<Option<Arc<RootChainFacts>>>,
) -> Result<Infallible, Unanswered> {
    loop {
        let found = findings.borrow_and_update().clone();
        let Some(found) = found else {
            // Nobody may hear of a ledger that is further back than it is.
            findings.changed().await.map_err(|_| Unanswered::Restarting)?;
            continue;
        };
        let newest = coordinator.progress().root_chain_height.unwrap_or_default();
        match ask(&*root_chain, found.last_applied).await {
            Ok(facts) => {
                // One of many nodes may lag behind what another one said.
                let is_behind = facts.seen.0 < newest;
                sender.send_if_modified(|known| {
                    let is_news = known.as_ref().is_none_or(|known| known.seen.0 <= facts.seen.0);
                    if is_news {
                        *known = Some(Arc::new(facts));
                    }
                    is_news
                });
                if is_behind {
                    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                    continue;
                }
            }
            Err(error) => {
                tracing::debug!(%error, "the status stays as it is");
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                continue;
            }
        }
        // While a node catches up, something changes all the time: the root chain's node has better things to do than this.
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        tokio::select! {
            changed = findings.changed() => changed.map_err(|_| Unanswered::Restarting)?,
            changed = coordinator.changed() => changed?,
        }
    }
}

async fn ask(
    root_chain: &dyn RootChain,
    validated: Blknum,
) -> Result<RootChainFacts, RootChainError> {
    let state = root_chain.submission_state().await?;
    let seen = root_chain.block(state.eth_height).await?;
    let submitted_at = async |blknum: Blknum| match blknum == Blknum::default() {
        true => Ok::<_, RootChainError>(0),
        false => Ok(root_chain.child_block(blknum).await?.map_or(0, |block| block.timestamp_s)),
    };
    Ok(RootChainFacts {
        validated: (validated, submitted_at(validated).await?),
        mined: (state.mined_blknum, submitted_at(state.mined_blknum).await?),
        seen: (state.eth_height, seen.map_or(0, |block| block.timestamp_s)),
        syncing: root_chain.syncing().await?,
    })
}

/// In-flight exits that can be paid, with who waits to be paid.
pub(crate) fn in_flight_exits(exits: &ExitProcessor) -> Vec<InFlightExitStatus> {
    let shown = exits.in_flight_exits().filter_map(|(exit, now)| {
        let start = exit.start()?;
        let piggybacked = |side: PiggybackSide| {
            let slots = now.active_piggybacks().filter(|(slot, _)| slot.side == side);
            slots.filter_map(|(slot, _)| u8::try_from(slot.index).ok()).collect()
        };
        Some(InFlightExitStatus {
            txhash: start.tx_hash,
            txbytes: start.tx_bytes.to_vec(),
            eth_height: now.eth_height,
            piggybacked_inputs: piggybacked(PiggybackSide::Input),
            piggybacked_outputs: piggybacked(PiggybackSide::Output),
        })
    });
    shown.collect()
}

/// Puts the answer together.
pub(crate) fn status(
    facts: &RootChainFacts,
    findings: &Findings,
    contract_addr: ContractAddresses,
    progress: &SyncProgress,
) -> Status {
    let root = progress.root_chain_height.unwrap_or_default();
    let named = |service: Service, height| ServiceHeight { service: service.name().into(), height };
    let services = progress.synced.iter().map(|(service, height)| named(*service, *height));
    let root = ServiceHeight { service: "root_chain_height".into(), height: root };
    Status {
        last_validated_child_block_number: facts.validated.0,
        last_validated_child_block_timestamp: facts.validated.1,
        last_mined_child_block_number: facts.mined.0,
        last_mined_child_block_timestamp: facts.mined.1,
        last_seen_eth_block_number: facts.seen.0,
        last_seen_eth_block_timestamp: facts.seen.1,
        eth_syncing: facts.syncing,
        byzantine_events: findings.events.iter().map(Into::into).collect(),
        in_flight_exits: findings.in_flight_exits.clone(),
        contract_addr,
        services_synced_heights: services.chain([root]).collect(),
    }
}
