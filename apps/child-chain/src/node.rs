//! A child chain node in one process: its store, its supervised actors, its server.

use crate::api::{Api, methods};
use crate::blocks::Blocks;
use crate::config::ChildChainConfig;
use crate::tree::{ChildChain, ChildChainError, Parts};
use plasma_core::wire::TypedDataDomain;
use plasma_eth::{Deployment, RootChain};
use plasma_node::alarms::{Alarm, Alarms};
use plasma_node::supervisor::{
    Published, Publisher, RestartBudget, SupervisorError, publisher, supervise,
};
use plasma_node::telemetry::Metrics;
use plasma_rpc::child_chain::Configuration;
use plasma_rpc::server::{Probes, Server, ServerConfig, StartError};
use plasma_store::Store;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

/// What a node needs from outside.
pub struct Setup {
    /// What the operator set.
    pub config: ChildChainConfig,
    /// Where the contracts are.
    pub deployment: Deployment,
    /// The root chain, with the authority's key.
    pub root_chain: Arc<dyn RootChain>,
    /// The node's store, opened for this deployment.
    pub store: Store,
    /// What the server says about the program: `<semver>+<7 digits of the git commit>`.
    pub version: String,
}

/// A node whose port is open. Its actors start with [`Node::run`]; until then it answers that it is not ready.
pub struct Node {
    parts: Parts,
    server: Server,
    publisher: Publisher<ChildChain>,
    tree: Published<ChildChain>,
}

impl Node {
    /// Opens the port.
    ///
    /// # Errors
    /// [`StartError`], as when the port is in use.
    pub async fn start(setup: Setup) -> Result<Self, StartError> {
        let Setup { config, deployment, root_chain, store, version } = setup;
        let (publisher, tree) = publisher();
        let (alarms, metrics) = (Alarms::default(), Metrics::new("child_chain"));
        let blocks =
            Blocks::new(store.clone(), config.fresh_blocks_max, config.fresh_blocks_bytes_max);
        let api = Api {
            tree: tree.clone(),
            blocks,
            domain: Arc::new(TypedDataDomain::new(deployment.addresses.plasma_framework)),
            configuration: Configuration {
                deposit_finality_margin: config.deposit_finality_margin_eth_blocks,
                contract_semver: deployment.contract_semver.clone(),
                network: config.network.clone(),
            },
            metrics: metrics.clone(),
        };
        let probes = probes(alarms.clone(), metrics.clone(), tree.clone());
        let server_config = ServerConfig::new(config.listen, version);
        let server = Server::start(server_config, methods(Arc::new(api)), probes).await?;
        let parts = Parts { config, deployment, root_chain, store, alarms, metrics };
        Ok(Self { parts, server, publisher, tree })
    }

    /// Where the server listens.
    pub const fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// The actors, as they come and go.
    pub fn tree(&self) -> Published<ChildChain> {
        self.tree.clone()
    }

    /// Runs the actors until `shutdown` completes, and then stops everything. Needs an actix system around it.
    ///
    /// # Errors
    /// [`SupervisorError`], when the actors cannot be started, or keep dying. The process should end with a failure then.
    pub async fn run(
        self,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), SupervisorError<ChildChainError>> {
        let parts = &self.parts;
        let budget = RestartBudget::default();
        let build = async |nursery: &mut _| parts.build(nursery).await;
        let ended = supervise(build, self.publisher, budget, shutdown).await;
        if ended.is_err() {
            self.parts.alarms.raise(Alarm::MainSupervisorHalted);
        }
        self.server.stop().await;
        ended
    }
}

fn probes(alarms: Alarms, metrics: Metrics, tree: Published<ChildChain>) -> Probes {
    let raised = move || {
        // As long as nobody could answer, whether the actors start for the first time or again.
        let boot = tree.get().is_none().then_some(Alarm::BootInProgress.name());
        boot.into_iter().chain(alarms.names()).collect()
    };
    Probes::new("child_chain", raised, move || metrics.render())
}
