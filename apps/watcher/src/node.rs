//! A watcher in one process: its store, its supervised actors, its server.

use crate::api::{Api, configuration, methods};
use crate::config::WatcherConfig;
use crate::event_log::StoredEvents;
use crate::explorer::explorer;
use crate::info_api::{FeeWatch, InfoApi, info_methods, watch_fees};
use crate::journal_news::JournalNews;
use crate::status::StatusDocuments;
use crate::tree::{Parts, Watcher, WatcherError};
use crate::watcher_db::{DatabaseUrlError, Identity, WatcherDbTask};
use plasma_core::wire::TypedDataDomain;
use plasma_eth::{Deployment, RootChain, SentinelChain};
use plasma_node::alarms::{Alarm, Alarms};
use plasma_node::supervisor::{
    Published, Publisher, RestartBudget, SupervisorError, publisher, supervise,
};
use plasma_node::telemetry::Metrics;
use plasma_rpc::Service;
use plasma_rpc::child_chain::BLOCK_JSON_LEN_MAX;
use plasma_rpc::client::{ClientConfig, ClientConfigError, HttpRpcClient};
use plasma_rpc::server::{EventLog, Events, Probes, Server, ServerConfig, StartError};
use plasma_rpc::watcher::ContractAddresses;
use plasma_store::{Store, StoreError};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// Longest answer of `block.get` that is read: a full block and its envelope. A hostile operator sends no more than this.
const BLOCK_ANSWER_LEN_MAX: usize = BLOCK_JSON_LEN_MAX + (4 << 10);
/// Longest answer to submissions that is read: there are at most 10,000 places or reasons in it.
const SUBMIT_ANSWER_LEN_MAX: usize = 4 << 20;

/// What a node needs from outside.
pub struct Setup {
    /// What was set.
    pub config: WatcherConfig,
    /// Where the contracts are.
    pub deployment: Deployment,
    /// The root chain. No key is needed.
    pub root_chain: Arc<dyn RootChain>,
    /// What the Sentinel acts through: it holds a key that pays gas. `None` for a watcher that only tells.
    pub sentinel: Option<Arc<dyn SentinelChain>>,
    /// The node's store, opened for this deployment.
    pub store: Store,
    /// What the server says about the program: `<semver>+<7 digits of the git commit>`.
    pub version: String,
}

/// A node cannot be set up.
#[derive(Debug, Error)]
pub enum SetupError {
    /// Its port cannot be opened.
    #[error(transparent)]
    Server(#[from] StartError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store is from before there was a journal, and nothing of its past could be told.
    #[error(
        "the watcher's store is from a version that kept no journal of what happened, so it cannot tell its users: sync again in a fresh \
         data folder"
    )]
    NoJournal,
    /// The operator's URL cannot be used.
    #[error("child_chain_url: {0}")]
    ChildChain(#[from] ClientConfigError),
    /// The database's URL cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseUrlError),
}

/// A node whose port is open. Its actors start with [`Node::run`]; until then it answers that it is not ready.
pub struct Node {
    parts: Parts,
    server: Server,
    info: Option<InfoNode>,
    watcher_db: Option<WatcherDbTask>,
    publisher: Publisher<Watcher>,
    tree: Published<Watcher>,
}

/// The informational part of a node.
struct InfoNode {
    server: Server,
    _fee_watch: FeeWatch,
}

impl Node {
    /// Opens the port, and that of the informational methods where a database is configured. When only that one cannot be opened, the
    /// node goes on without.
    ///
    /// # Errors
    /// [`SetupError`], as when a port is in use.
    pub async fn start(setup: Setup) -> Result<Self, SetupError> {
        let Setup { config, deployment, root_chain, sentinel, store, version } = setup;
        if store.lacks_journal()? {
            return Err(SetupError::NoJournal);
        }
        let (publisher, tree) = publisher();
        let (alarms, metrics) = (Alarms::default(), Metrics::new("watcher"));
        let child_chain = |call_ms_max, answer_len_max| {
            HttpRpcClient::new(ClientConfig {
                watcher_version: Some(version.clone()),
                call_timeout: Duration::from_millis(call_ms_max),
                answer_len_max,
                ..ClientConfig::new(config.child_chain_url.clone())
            })
        };
        let blocks = child_chain(config.download_ms_max, BLOCK_ANSWER_LEN_MAX)?;
        let submissions = child_chain(config.submit_ms_max, SUBMIT_ANSWER_LEN_MAX)?;
        let addresses = deployment.addresses;
        let api = Api {
            tree: tree.clone(),
            store: store.clone(),
            child_chain: submissions,
            domain: Arc::new(TypedDataDomain::new(addresses.plasma_framework)),
            configuration: configuration(&config, &deployment.contract_semver),
            statuses: StatusDocuments::new(ContractAddresses {
                plasma_framework: addresses.plasma_framework,
                eth_vault: addresses.eth_vault,
                erc20_vault: addresses.erc20_vault,
                payment_exit_game: addresses.payment_exit_game,
            }),
            exitable_utxos_max: config.exitable_utxos_max,
            min_exit_period_s: deployment.min_exit_period_s,
            eth_block_time_ms: config.eth_block_time_ms,
        };
        let probes = probes(alarms.clone(), metrics.clone(), tree.clone());
        let api = Arc::new(api);
        let journal_news = JournalNews::default();
        let events: Arc<dyn EventLog> =
            Arc::new(StoredEvents::new(store.clone(), journal_news.clone()));
        let identity = Identity {
            chain_id: deployment.chain_id,
            plasma_framework: addresses.plasma_framework,
        };
        let news = journal_news.subscribe();
        let (database, watcher_db) =
            WatcherDbTask::start(&config.watcher_db, identity, &store, news)?.unzip();
        let mut server_config = ServerConfig::new(config.listen, version.clone());
        server_config.events = Events::of(events.clone());
        let table = methods(Service::Watcher, api.clone());
        let server = Server::start(server_config, table, probes.clone()).await?;
        let info = match database {
            Some(database) => {
                let info_api = InfoApi { watcher: api, reads: Arc::new(database), events };
                serve_info(&config, info_api, &version, probes).await
            }
            None => None,
        };
        let parts = Parts {
            config,
            deployment,
            root_chain,
            sentinel,
            blocks,
            store,
            journal_news,
            alarms,
            metrics,
        };
        Ok(Self { parts, server, info, watcher_db, publisher, tree })
    }

    /// Where the server listens.
    pub const fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Where the server with the informational methods listens, if there is one.
    pub fn info_addr(&self) -> Option<SocketAddr> {
        self.info.as_ref().map(|info| info.server.local_addr())
    }

    /// The actors, as they come and go.
    pub fn tree(&self) -> Published<Watcher> {
        self.tree.clone()
    }

    /// Runs the actors until `shutdown` completes, and then stops everything. Needs an actix system around it.
    ///
    /// # Errors
    /// [`SupervisorError`], when the actors cannot be started, or keep dying. The process should end with a failure then.
    pub async fn run(
        self,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), SupervisorError<WatcherError>> {
        let parts = &self.parts;
        let budget = RestartBudget::default();
        let build = async |nursery: &mut _| parts.build(nursery).await;
        let ended = supervise(build, self.publisher, budget, shutdown).await;
        if ended.is_err() {
            self.parts.alarms.raise(Alarm::MainSupervisorHalted);
        }
        if let Some(info) = self.info {
            info.server.stop().await;
        }
        if let Some(watcher_db) = self.watcher_db {
            watcher_db.stop().await;
        }
        self.server.stop().await;
        ended
    }
}

/// Nobody who guards funds stops because people cannot look at them.
async fn serve_info(
    config: &WatcherConfig,
    api: InfoApi,
    version: &str,
    probes: Probes,
) -> Option<InfoNode> {
    let started = start_info(config, api, version, probes).await;
    let refused = |error: &StartError| {
        let listen = config.info.listen;
        tracing::error!(%error, %listen, "the informational methods are not served; everything else is. Free the port and restart");
    };
    started.inspect_err(refused).ok()
}

async fn start_info(
    config: &WatcherConfig,
    api: InfoApi,
    version: &str,
    probes: Probes,
) -> Result<InfoNode, StartError> {
    let mut server = ServerConfig::new(config.info.listen, version);
    server.events = Events::of(api.events.clone());
    server.pages = explorer();
    let (child_chain, reads) = (api.watcher.child_chain.clone(), api.reads.clone());
    let server = Server::start(server, info_methods(Arc::new(api)), probes).await?;
    let fee_watch = watch_fees(child_chain, reads, config.info.fees_poll_ms);
    Ok(InfoNode { server, _fee_watch: fee_watch })
}

fn probes(alarms: Alarms, metrics: Metrics, tree: Published<Watcher>) -> Probes {
    let raised = move || {
        // As long as nobody could answer, whether the actors start for the first time or again.
        let boot = tree.get().is_none().then_some(Alarm::BootInProgress.name());
        boot.into_iter().chain(alarms.names()).collect()
    };
    Probes::new("watcher", raised, move || metrics.render())
}
