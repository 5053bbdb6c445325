//! `penning devnet`: a whole network on this machine, with one command: root chain, contracts, operator, watcher, funded accounts.
//!
//! It must never leave a process behind, and always continue where it left off: anvil writes its state when it ends, both nodes
//! keep theirs in RocksDB, and an anvil or a PostgreSQL that was orphaned by a `kill -9` is ended in good order before a new one starts.
//!
//! ```text
//! folder ─► ports ─► anvil ─► contracts (first start) ─► PostgreSQL ─► child chain, watcher ─► devnet.json ─► Ctrl-C ─► stop in reverse
//! ```

mod chain;
mod database;
mod folder;
mod report;

pub(crate) use chain::roots;

use crate::devnet_file::{DEVNET_FILE, DEVNET_FOLDER, DevnetFile};
use crate::failure::Failure;
use crate::nodes::{open_store, run_system, stop_signal, version};
use crate::output::Out;
use anyhow::{Context, Result, anyhow};
use chain::{Chain, ChainRequest};
use child_chain::ChildChainConfig;
use clap::Args;
use database::Database;
use folder::Folder;
use plasma_core::block_queue::BlockQueueConfig;
use plasma_core::sentinel::SentinelConfig;
use plasma_eth::{EthConfig, EthersRootChain, EthersSentinelChain, RetryPolicy, SentinelChain};
use plasma_node::eth_height_monitor::EthHeightMonitorConfig;
use plasma_node::telemetry::{LogFormat, init_logging};
use plasma_rpc::client::{ClientConfig, ClientError, HttpRpcClient};
use plasma_rpc::codes;
use plasma_rpc::info::{DbLag, STATS_GET};
use plasma_rpc::params::NoParams;
use plasma_rpc::watcher::STATUS_GET;
use plasma_store::NodeKind;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use watcher::watcher_db::{IS_BEHIND, NOT_OPENED_YET, WatcherDbConfig};
use watcher::{EXPLORER_PATH, InfoConfig, WatcherConfig};

/// The fee specification a new devnet starts with.
const FEE_SPECS: &str = include_str!("../../../priv/fee_specs.json");
/// Where the informational API is, unless something else is there.
const WATCHER_INFO_PORT: u16 = 7_534;
/// Confirmations on a devnet, where nothing is ever reorganised by itself.
const FINALITY_MARGIN_ETH_BLOCKS: u64 = 1;
/// How long both nodes may take until they follow the root chain.
const READY_MS_MAX: u64 = 60_000;
/// Pause between two looks at that.
const READY_POLL_MS: u64 = 100;

/// Run a whole network on this machine: root chain (anvil), contracts, operator, watcher, explorer, ten funded accounts
///
/// Everything is kept in the data folder, the database (PostgreSQL) of the informational API among it, and the next start continues there;
/// DATABASE_URL names another database. Stop it with Ctrl-C. The keys are known to everybody: never use them for real money.
#[derive(Args, Debug)]
pub(crate) struct DevnetArgs {
    /// Where everything is kept, devnet.json among it
    #[arg(long, env = "PENNING_DEVNET_DIR", default_value = DEVNET_FOLDER, value_name = "FOLDER")]
    data_dir: PathBuf,
    /// Forget what is in the data folder and start anew
    #[arg(long)]
    fresh: bool,
    /// The time unit of exits: an exit of a fresh output takes twice as long. 120 for a new network, and cannot be changed later
    #[arg(long, env = "PENNING_MIN_EXIT_PERIOD_S", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(2..=315_360_000))]
    min_exit_period_s: Option<u64>,
    /// Port of the root chain's node
    #[arg(long, env = "PENNING_RPC_PORT", default_value_t = 8_545, value_name = "PORT")]
    rpc_port: u16,
    /// Port of the operator
    #[arg(long, env = "PENNING_CHILD_CHAIN_PORT", default_value_t = 9_656, value_name = "PORT")]
    child_chain_port: u16,
    /// Port of the watcher
    #[arg(long, env = "PENNING_WATCHER_PORT", default_value_t = 7_434, value_name = "PORT")]
    watcher_port: u16,
    /// Port of the informational API and the explorer; 7534 when it is not given, or a free one where that is taken
    #[arg(long, env = "PENNING_WATCHER_INFO_PORT", value_name = "PORT")]
    watcher_info_port: Option<u16>,
    /// Port of the database; a free one when it is not given
    #[arg(long, env = "PENNING_DATABASE_PORT", value_name = "PORT")]
    database_port: Option<u16>,
    /// Seconds between two root chain blocks
    #[arg(long, env = "PENNING_BLOCK_TIME_S", default_value_t = 1, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    block_time_s: u64,
    /// The anvil binary, if it is neither on the PATH nor installed by `npm ci` in contracts/
    #[arg(long, value_name = "FILE")]
    anvil: Option<PathBuf>,
    /// What is logged, in the language of RUST_LOG
    #[arg(long, env = "PENNING_LOG", value_name = "FILTER", default_value = "warn")]
    log: String,
    /// The watcher challenges by itself what is wrong, and processes exits that are due, with an account of its own
    #[arg(long)]
    sentinel: bool,
    /// Print devnet.json when everything is ready, and nothing else to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

impl DevnetArgs {
    pub(crate) fn run(self) -> Result<()> {
        init_logging(LogFormat::Text, &self.log).context("logging cannot be started")?;
        run_system(self.run_network())
    }

    async fn run_network(self) -> Result<()> {
        let out = Out::new(self.json);
        let stop = stop_signal()?;
        let folder = Folder::take(&self.data_dir, self.fresh)?;
        self.check_ports()?;
        let request = ChainRequest {
            anvil: self.anvil.as_deref(),
            port: self.rpc_port,
            block_time_s: self.block_time_s,
            min_exit_period_s: self.min_exit_period_s,
        };
        let chain = Chain::start(&folder, &request, |step| out.progress(step)).await?;
        let ended = self.run_on_chain(&folder, &chain, out, stop).await;
        let stopped = chain.anvil.stop().await;
        folder.forget_anvil();
        ended?;
        stopped.context("anvil did not stop")
    }

    /// Runs the database and both nodes until `stop`.
    async fn run_on_chain(
        &self,
        folder: &Folder,
        chain: &Chain,
        out: Out,
        stop: impl Future<Output = ()>,
    ) -> Result<()> {
        out.progress("starting the database");
        let database = Database::start(folder, self.database_port).await?;
        let ended = self.run_nodes(folder, chain, database.url(), out, stop).await;
        out.progress("stopping");
        let stopped = database.stop().await;
        ended.and(stopped)
    }

    /// Runs both nodes until `stop`.
    async fn run_nodes(
        &self,
        folder: &Folder,
        chain: &Chain,
        database_url: &str,
        out: Out,
        stop: impl Future<Output = ()>,
    ) -> Result<()> {
        let (shutdown, _) = watch::channel(false);
        let child_chain = self.child_chain(folder, chain).await?;
        let watcher = self.watcher(folder, chain, self.info_port(), database_url).await?;
        let info = watcher.info_addr().context("the informational API is not served")?;
        let file = self.file(chain, info.port(), database_url);
        let asked = || {
            let mut asked = shutdown.subscribe();
            async move {
                // A sender that is gone is a shutdown as well.
                let _ = asked.wait_for(|asked| *asked).await;
            }
        };
        let operator = async {
            let ended = child_chain.run(asked()).await;
            shutdown.send_replace(true);
            ended.context("the child chain ended")
        };
        let watching = async {
            let ended = watcher.run(asked()).await;
            shutdown.send_replace(true);
            ended.context("the watcher ended")
        };
        let user = async {
            let told = tokio::select! {
                told = tell_when_ready(&file, folder, out) => told,
                () = asked() => Ok(()),
            };
            if told.is_err() {
                shutdown.send_replace(true);
            }
            told
        };
        let signal = async {
            tokio::select! {
                () = stop => {}
                () = asked() => {}
            }
            shutdown.send_replace(true);
        };
        let (operator, watching, told, ()) = tokio::join!(operator, watching, user, signal);
        operator.and(watching).and(told)
    }

    /// Names the port that is taken, before anything is started.
    fn check_ports(&self) -> Result<()> {
        let ports = [
            (self.rpc_port, "--rpc-port"),
            (self.child_chain_port, "--child-chain-port"),
            (self.watcher_port, "--watcher-port"),
        ];
        let info = self.watcher_info_port.map(|port| (port, "--watcher-info-port"));
        let database = self.database_port.map(|port| (port, "--database-port"));
        for (port, flag) in ports.into_iter().chain(info).chain(database) {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
                Failure::new("devnet:port_in_use", format!("port {port} cannot be used: {error}"))
                    .next(format!("stop what listens there, or choose another with {flag}"))
            })?;
        }
        Ok(())
    }

    /// Several devnets on one machine must not need more flags than they did before there was this port: devnet.json tells it.
    fn info_port(&self) -> u16 {
        let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        // Port 0 takes a free one.
        self.watcher_info_port
            .unwrap_or_else(|| if is_free(WATCHER_INFO_PORT) { WATCHER_INFO_PORT } else { 0 })
    }

    async fn child_chain(&self, folder: &Folder, chain: &Chain) -> Result<child_chain::Node> {
        let fee_specs_path = folder.file("fee_specs.json");
        if !fee_specs_path.exists() {
            std::fs::write(&fee_specs_path, FEE_SPECS).context("writing fee_specs.json")?;
        }
        let config = ChildChainConfig {
            listen: local(self.child_chain_port),
            fee_claimer: chain.keys.fee_claimer.address(),
            fee_specs_path,
            fee_specs_poll_ms: 1_000,
            deposit_finality_margin_eth_blocks: FINALITY_MARGIN_ETH_BLOCKS,
            listener_tick_ms: 250,
            eth_height_monitor: self.eth_height_monitor(),
            block_queue: BlockQueueConfig { tick_ms: 250, ..BlockQueueConfig::default() },
            ..ChildChainConfig::default()
        };
        let root_chain = Self::root_chain(chain, true)?;
        let deployment = chain.deployment.clone();
        let store = open_store(&folder.file("child-chain"), NodeKind::ChildChain, &deployment)?;
        let version = version();
        let setup = child_chain::Setup { config, deployment, root_chain, store, version };
        Ok(child_chain::Node::start(setup).await?)
    }

    async fn watcher(
        &self,
        folder: &Folder,
        chain: &Chain,
        info_port: u16,
        database_url: &str,
    ) -> Result<watcher::Node> {
        let deployment = chain.deployment.clone();
        // Half of an exit's period to challenge before the alarm; and time passes in steps of a block.
        let sla_margin = deployment.min_exit_period_s / self.block_time_s / 2;
        let config = WatcherConfig {
            listen: local(self.watcher_port),
            child_chain_url: url(self.child_chain_port),
            deposit_finality_margin_eth_blocks: FINALITY_MARGIN_ETH_BLOCKS,
            exit_finality_margin_eth_blocks: FINALITY_MARGIN_ETH_BLOCKS,
            exit_processor_sla_margin_eth_blocks: sla_margin.max(1),
            exit_processor_sla_margin_forced: true,
            eth_block_time_ms: self.block_time_s.saturating_mul(1_000),
            withholding_ms_max: 60_000,
            download_retry_ms_max: 2_000,
            tick_ms: 250,
            eth_height_monitor: self.eth_height_monitor(),
            sentinel: SentinelConfig {
                process_exits: true,
                bump_after_eth_blocks: 1,
                ..SentinelConfig::default()
            },
            info: InfoConfig { listen: local(info_port), fees_poll_ms: 1_000 },
            watcher_db: WatcherDbConfig {
                database_url: database_url.to_owned().into(),
                retry_ms_max: 2_000,
                ..WatcherDbConfig::default()
            },
            ..WatcherConfig::default()
        };
        let root_chain = Self::root_chain(chain, false)?;
        let sentinel = self.sentinel.then(|| Self::sentinel_chain(chain)).transpose()?;
        let store = open_store(&folder.file("watcher"), NodeKind::Watcher, &deployment)?;
        let version = version();
        let setup = watcher::Setup { config, deployment, root_chain, sentinel, store, version };
        Ok(watcher::Node::start(setup).await?)
    }

    const fn eth_height_monitor(&self) -> EthHeightMonitorConfig {
        EthHeightMonitorConfig {
            poll_ms: 200,
            stalled_ms: self.block_time_s.saturating_mul(1_000).saturating_add(20_000),
        }
    }

    fn root_chain(chain: &Chain, signs: bool) -> Result<Arc<EthersRootChain>> {
        let key = signs.then(|| chain.keys.authority.clone());
        Ok(Arc::new(EthersRootChain::new(eth(chain), &chain.deployment, key)?))
    }

    fn sentinel_chain(chain: &Chain) -> Result<Arc<dyn SentinelChain>> {
        let key = chain.keys.sentinel.clone();
        Ok(Arc::new(EthersSentinelChain::new(eth(chain), &chain.deployment, key)?))
    }

    fn file(&self, chain: &Chain, info_port: u16, database_url: &str) -> DevnetFile {
        let keys = &chain.keys;
        DevnetFile {
            rpc_url: chain.anvil.rpc_url().clone(),
            deployment: chain.deployment.clone(),
            deployer: keys.deployer.clone(),
            maintainer: keys.maintainer.clone(),
            authority: keys.authority.clone(),
            fee_claimer: keys.fee_claimer.address(),
            accounts: keys.accounts.clone(),
            child_chain_url: url(self.child_chain_port),
            watcher_url: url(self.watcher_port),
            watcher_info_url: Some(url(info_port)),
            explorer_url: Some(format!("{}{EXPLORER_PATH}", url(info_port))),
            database_url: Some(database_url.to_owned().into()),
        }
    }
}

fn eth(chain: &Chain) -> EthConfig {
    let retry = RetryPolicy { first_pause_ms: 50, ..RetryPolicy::default() };
    EthConfig { retry, ..EthConfig::new(chain.anvil.rpc_url().clone()) }
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Waits until the watcher follows the root chain, writes devnet.json, and says what to try.
async fn tell_when_ready(file: &DevnetFile, folder: &Folder, out: Out) -> Result<()> {
    let wait = async {
        let mut without_database = None;
        let info = file.watcher_info_url.iter().map(|url| (url, Kind::Informational));
        let nodes = [(&file.child_chain_url, Kind::Operator), (&file.watcher_url, Kind::Watcher)];
        for (url, kind) in nodes.into_iter().chain(info) {
            let client = HttpRpcClient::new(ClientConfig::new(url.clone()))?;
            loop {
                match kind.readiness(&client).await {
                    Readiness::NotYet => {}
                    Readiness::Ready => break,
                    Readiness::WithoutDatabase(reason) => {
                        without_database = Some(reason);
                        break;
                    }
                }
                tokio::time::sleep(Duration::from_millis(READY_POLL_MS)).await;
            }
        }
        Ok::<_, anyhow::Error>(without_database)
    };
    let limit = Duration::from_millis(READY_MS_MAX);
    let ready = tokio::time::timeout(limit, wait).await;
    let without_database = ready
        .map_err(|_| anyhow!("the nodes are not ready after {READY_MS_MAX} ms; see the log"))??;
    let path = folder.file(DEVNET_FILE);
    file.write(&path).context("writing devnet.json")?;
    out.finish(&report::Report::new(file, path, without_database)?)
}

/// What answers at a port.
#[derive(Clone, Copy)]
enum Kind {
    Operator,
    Watcher,
    Informational,
}

/// How far a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Readiness {
    NotYet,
    Ready,
    /// It serves everything that needs no database; why it cannot use the one it has.
    WithoutDatabase(String),
}

impl Kind {
    async fn readiness(self, client: &HttpRpcClient) -> Readiness {
        use plasma_rpc::child_chain::{ALARM_GET, FEES_ALL, FeesAllParams};
        let is_ready = match self {
            Self::Operator => {
                let raised = client.call(&ALARM_GET, &NoParams {}).await;
                raised.is_ok_and(|raised| raised.is_empty())
                    && client.call(&FEES_ALL, &FeesAllParams::default()).await.is_ok()
            }
            Self::Watcher => client.call(&STATUS_GET, &NoParams {}).await.is_ok(),
            Self::Informational => {
                return informational(client.call(&STATS_GET, &NoParams {}).await.err());
            }
        };
        if is_ready { Readiness::Ready } else { Readiness::NotYet }
    }
}

/// How far a node is that answered like this. A database that cannot be used must not end a network that does without it: it may come
/// back, and payments and exits never ask it.
fn informational(refusal: Option<ClientError>) -> Readiness {
    let body = match refusal {
        None => return Readiness::Ready,
        Some(ClientError::Api(body)) if body.code == codes::WATCHER_DB_UNAVAILABLE.code => body,
        Some(_) => return Readiness::NotYet,
    };
    let lag = body.messages.and_then(|messages| serde_json::from_str(messages.get()).ok());
    match lag {
        Some(DbLag { reason, .. }) if ![NOT_OPENED_YET, IS_BEHIND].contains(&&*reason) => {
            Readiness::WithoutDatabase(reason)
        }
        _ => Readiness::NotYet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_rpc::ErrorBody;

    fn refused(code: &str, messages: &str) -> Option<ClientError> {
        let json = format!(r#"{{"object":"error","code":"{code}","messages":{messages}}}"#);
        let body: ErrorBody = serde_json::from_str(&json).unwrap();
        Some(ClientError::Api(body))
    }

    #[test]
    fn a_database_that_cannot_be_used_keeps_nobody_waiting() {
        let because = |reason| {
            let lag = DbLag { reason: String::from(reason), ..DbLag::default() };
            refused("watcher_db:unavailable", &serde_json::to_string(&lag).unwrap())
        };
        for (refusal, expected) in [
            (None, Readiness::Ready),
            (because(NOT_OPENED_YET), Readiness::NotYet),
            (because(IS_BEHIND), Readiness::NotYet),
            (because("it is full"), Readiness::WithoutDatabase("it is full".to_owned())),
            (refused("watcher_db:unavailable", "null"), Readiness::NotYet),
            (refused("operation:service_unavailable", "null"), Readiness::NotYet),
        ] {
            assert_eq!(informational(refusal), expected);
        }
    }
}
