//! What `status.get` says (protocol 5.7): heights and times of the root chain, asked for once per root chain block and not per request,
//! and the answer as JSON, rendered once per change and not per request.

use crate::eventer::FindingsWatch;
use crate::guard::{Findings, Shown};
use plasma_core::db_update::Service;
use plasma_core::exit_processor::ExitProcessor;
use plasma_core::root_chain::PiggybackSide;
use plasma_core::wire::{Blknum, EthHeight};
use plasma_eth::{RootChain, RootChainError};
use plasma_node::core_actor::Unanswered;
use plasma_node::root_chain_coordinator::{CoordinatorHandle, SyncProgress};
use plasma_node::supervisor::Nursery;
use plasma_node::worker::Worker;
use plasma_rpc::RpcError;
use plasma_rpc::json::Rendered;
use plasma_rpc::watcher::{
    ByzantineEvent, ContractAddresses, InFlightExitStatus, RenderedStatus, ServiceHeight, Status,
};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};

/// What the root chain said, for the status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RootChainFacts {
    validated: (Blknum, u64),
    mined: (Blknum, u64),
    seen: (EthHeight, u64),
    syncing: bool,
}

impl RootChainFacts {
    /// Number and time of the newest block.
    pub(crate) const fn newest(&self) -> (EthHeight, u64) {
        self.seen
    }
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

/// Everything that an answer says.
#[derive(Clone, Debug)]
pub(crate) struct StatusBasis {
    pub(crate) findings: Arc<Findings>,
    pub(crate) facts: Arc<RootChainFacts>,
    pub(crate) progress: SyncProgress,
}

/// The newest answer as JSON: rendered when somebody asks for the first time since something changed, and shared by all who ask until
/// something does. Megabytes, while there are thousands of exits.
pub(crate) struct StatusDocuments {
    contract_addr: ContractAddresses,
    newest: Arc<Mutex<Newest>>,
}

#[derive(Default)]
struct Newest {
    /// The long lists change less often than the rest.
    lists: Option<Lists>,
    whole: Option<(StatusBasis, Rendered<Status>)>,
}

#[derive(Clone)]
struct Lists {
    of: Arc<Shown>,
    byzantine_events: Rendered<Vec<ByzantineEvent>>,
    in_flight_exits: Rendered<Vec<InFlightExitStatus>>,
}

impl StatusDocuments {
    /// Nothing was asked yet.
    pub(crate) fn new(contract_addr: ContractAddresses) -> Self {
        Self { contract_addr, newest: Arc::default() }
    }

    /// The answer. Whoever asks while it is being rendered waits for that.
    pub(crate) async fn document(&self, basis: StatusBasis) -> Result<Rendered<Status>, RpcError> {
        let mut newest = self.newest.clone().lock_owned().await;
        if let Some((known, document)) = &newest.whole
            && known.is_same(&basis)
        {
            return Ok(document.clone());
        }
        let contract_addr = self.contract_addr;
        let rendering = tokio::task::spawn_blocking(move || newest.render(basis, contract_addr));
        rendering.await.map_err(internal)?
    }
}

impl StatusBasis {
    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.findings, &other.findings)
            && Arc::ptr_eq(&self.facts, &other.facts)
            && self.progress == other.progress
    }
}

impl Newest {
    fn render(
        &mut self,
        basis: StatusBasis,
        contract_addr: ContractAddresses,
    ) -> Result<Rendered<Status>, RpcError> {
        let lists = match self.lists.take() {
            Some(lists) if Arc::ptr_eq(&lists.of, &basis.findings.shown) => lists,
            _ => Lists::render(&basis.findings.shown)?,
        };
        let status = status(&basis, lists.clone(), contract_addr);
        let document = Rendered::of(&status).map_err(internal)?;
        self.lists = Some(lists);
        self.whole = Some((basis, document.clone()));
        Ok(document)
    }
}

impl Lists {
    fn render(shown: &Arc<Shown>) -> Result<Self, RpcError> {
        let events: Vec<ByzantineEvent> = shown.events.iter().map(Into::into).collect();
        Ok(Self {
            of: shown.clone(),
            byzantine_events: Rendered::new(&events).map_err(internal)?,
            in_flight_exits: Rendered::new(&shown.in_flight_exits).map_err(internal)?,
        })
    }
}

fn internal(error: impl std::error::Error) -> RpcError {
    tracing::error!(%error, "the status cannot be rendered");
    RpcError::internal()
}

/// Puts the answer together.
fn status(basis: &StatusBasis, lists: Lists, contract_addr: ContractAddresses) -> RenderedStatus {
    let StatusBasis { facts, progress, .. } = basis;
    let root = progress.root_chain_height.unwrap_or_default();
    let named = |service: Service, height| ServiceHeight { service: service.name().into(), height };
    let services = progress.synced.iter().map(|(service, height)| named(*service, *height));
    let root = ServiceHeight { service: "root_chain_height".into(), height: root };
    RenderedStatus {
        last_validated_child_block_number: facts.validated.0,
        last_validated_child_block_timestamp: facts.validated.1,
        last_mined_child_block_number: facts.mined.0,
        last_mined_child_block_timestamp: facts.mined.1,
        last_seen_eth_block_number: facts.seen.0,
        last_seen_eth_block_timestamp: facts.seen.1,
        eth_syncing: facts.syncing,
        byzantine_events: lists.byzantine_events,
        in_flight_exits: lists.in_flight_exits,
        contract_addr,
        services_synced_heights: services.chain([root]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::wire::TxHash;

    fn basis(events: Vec<plasma_core::byzantine::ByzantineEvent>) -> StatusBasis {
        let exit = InFlightExitStatus {
            txhash: TxHash::repeat_byte(1),
            txbytes: vec![1, 2],
            eth_height: EthHeight::new(3),
            piggybacked_inputs: vec![0],
            piggybacked_outputs: vec![1, 2],
        };
        let shown = Arc::new(Shown { events, in_flight_exits: vec![exit] });
        StatusBasis {
            findings: Arc::new(Findings { shown, ..Findings::default() }),
            facts: Arc::default(),
            progress: SyncProgress::default(),
        }
    }

    fn withheld() -> plasma_core::byzantine::ByzantineEvent {
        plasma_core::byzantine::ByzantineEvent::BlockWithholding {
            blknum: Blknum::new(1_000),
            hash: TxHash::repeat_byte(2),
        }
    }

    /// Where the text is in memory: equal places hold one document.
    async fn place(documents: &StatusDocuments, basis: &StatusBasis) -> *const u8 {
        documents.document(basis.clone()).await.unwrap().get().as_ptr()
    }

    #[actix::test]
    async fn whoever_asks_between_two_changes_gets_the_same_document() {
        let documents = StatusDocuments::new(ContractAddresses::default());
        let first = basis(vec![withheld()]);
        let shared = place(&documents, &first).await;
        assert_eq!(place(&documents, &first).await, shared);

        let mut later = first.clone();
        later.progress.root_chain_height = Some(EthHeight::new(9));
        let lists = |documents: &StatusDocuments| {
            let newest = documents.newest.try_lock().unwrap();
            newest.lists.as_ref().unwrap().byzantine_events.get().as_ptr()
        };
        let listed = lists(&documents);
        assert_ne!(place(&documents, &later).await, shared);
        assert_eq!(lists(&documents), listed, "the lists were rendered again for a new height");

        let document = documents.document(basis(vec![])).await.unwrap();
        assert_ne!(lists(&documents), listed);
        let status: Status = serde_json::from_str(document.get()).unwrap();
        assert_eq!(status.byzantine_events, []);
    }

    #[actix::test]
    async fn a_document_of_rendered_parts_is_what_a_status_is_on_the_wire() {
        let documents = StatusDocuments::new(ContractAddresses::default());
        for events in [vec![], vec![withheld(), withheld()]] {
            let basis = basis(events);
            let document = documents.document(basis.clone()).await.unwrap();
            let status: Status = serde_json::from_str(document.get()).unwrap();
            assert_eq!(serde_json::to_string(&status).unwrap(), document.get());
            assert_eq!(status.in_flight_exits, basis.findings.shown.in_flight_exits);
            assert_eq!(status.byzantine_events.len(), basis.findings.shown.events.len());
        }
    }
}
