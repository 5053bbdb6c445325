//! `penning child-chain` and `penning watcher`: the same nodes that the devnet runs, against any root chain and address file.
//!
//! Both run until SIGINT or SIGTERM and then stop in order. A node that cannot go on ends the process with a failure, so that
//! whatever started it notices.

use crate::contracts::Role;
use crate::failure::Failure;
use crate::settings::{SettingsError, Sources, list, table, typed};
use anyhow::{Context, Result};
use clap::Args;
use plasma_core::wire::SecretKey;
use plasma_eth::{
    Deployment, EthConfig, EthersRootChain, EthersSentinelChain, RpcUrl, SentinelChain,
};
use plasma_node::startup::store_identity;
use plasma_node::telemetry::{LogFormat, init_logging};
use plasma_store::{NodeKind, Store, StoreConfig};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use toml::Table;

/// What both nodes are told.
#[derive(Args, Debug)]
pub(crate) struct NodeArgs {
    /// Address file of the deployment, or a devnet.json. Setting: address_file
    #[arg(long, env = "PENNING_NETWORK", value_name = "FILE")]
    network: Option<String>,
    /// The root chain's node (JSON-RPC over HTTP). Setting: rpc_url
    #[arg(long, env = "PENNING_RPC_URL", hide_env_values = true, value_name = "URL")]
    rpc_url: Option<String>,
    /// Where the node keeps its store, which belongs to one node of one deployment. Setting: data_dir
    #[arg(long, env = "PENNING_DATA_DIR", value_name = "FOLDER")]
    data_dir: Option<String>,
    /// Settings file (TOML)
    #[arg(long, env = "PENNING_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting, by its name in the settings file, such as listen=0.0.0.0:9656
    #[arg(long = "set", value_name = "NAME=VALUE")]
    assignments: Vec<String>,
    /// Print all settings as they would be used, and end
    #[arg(long)]
    print_settings: bool,
    /// How logs are written: text or json
    #[arg(long, env = "PENNING_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
    /// What is logged, in the language of RUST_LOG
    #[arg(long, env = "PENNING_LOG", value_name = "FILTER", default_value = "info")]
    log: String,
}

/// Run the operator's node: take payments, form blocks, submit their roots
///
/// Settings come from --set, then from the environment (`PENNING_CHILD_CHAIN_<NAME>`), then from --config, then from defaults;
/// --print-settings shows them. The authority's key comes from a keystore, a key file, or PENNING_AUTHORITY_KEY.
#[derive(Args, Debug)]
pub(crate) struct ChildChainArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Keystore of the authority
    #[arg(long, value_name = "FILE", conflicts_with = "authority_key_file")]
    authority_keystore: Option<PathBuf>,
    /// File with the authority's private key
    #[arg(long, value_name = "FILE")]
    authority_key_file: Option<PathBuf>,
    /// File with the password of the keystore; else PENNING_AUTHORITY_PASSWORD, PENNING_PASSWORD or a prompt
    #[arg(long, env = "PENNING_PASSWORD_FILE", value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Run a watching node: execute every block again, watch every exit, and tell what is wrong
///
/// Settings come from --set, then from the environment (`PENNING_WATCHER_<NAME>`), then from --config, then from defaults;
/// --print-settings shows them. With --sentinel the node does not only tell: it challenges by itself, with a key that only pays gas
/// and should be used for nothing else. The key comes from a keystore, a key file, or PENNING_SENTINEL_KEY.
#[derive(Args, Debug)]
pub(crate) struct WatcherArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Challenge what is wrong, answer wrong challenges, and clear away what nobody joined
    #[arg(long)]
    sentinel: bool,
    /// Keystore of the Sentinel
    #[arg(long, value_name = "FILE", requires = "sentinel", conflicts_with = "sentinel_key_file")]
    sentinel_keystore: Option<PathBuf>,
    /// File with the Sentinel's private key
    #[arg(long, value_name = "FILE", requires = "sentinel")]
    sentinel_key_file: Option<PathBuf>,
    /// File with the password of the keystore; else PENNING_SENTINEL_PASSWORD, PENNING_PASSWORD or a prompt
    #[arg(long, env = "PENNING_PASSWORD_FILE", value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Decide and simulate everything, and send nothing. Setting: sentinel.dry_run
    #[arg(long, requires = "sentinel")]
    dry_run: bool,
    /// Also pay for the processing of exits that are due. Setting: sentinel.process_exits
    #[arg(long, requires = "sentinel")]
    process_exits: bool,
}

/// `<semver>+<7 digits of the git commit>`, for the envelopes of our servers.
pub(crate) fn version() -> String {
    format!("{}+{}", env!("CARGO_PKG_VERSION"), env!("PENNING_GIT_COMMIT"))
}

impl ChildChainArgs {
    pub(crate) fn run(self) -> Result<()> {
        let defaults = child_chain::ChildChainConfig::default();
        let Some((place, config)) = self.node.settings("PENNING_CHILD_CHAIN", &defaults)? else {
            return Ok(());
        };
        let role = Role {
            name: "authority",
            keystore: self.authority_keystore.as_deref(),
            key_file: self.authority_key_file.as_deref(),
        };
        let key = role.key(self.password_file.as_deref())?;
        run_system(async move {
            let (deployment, root_chain) = place.root_chain(Some(key))?;
            let store = open_store(&place.data_dir, NodeKind::ChildChain, &deployment)?;
            let version = version();
            let setup = child_chain::Setup { config, deployment, root_chain, store, version };
            let node = child_chain::Node::start(setup).await?;
            announce("child chain", node.local_addr());
            node.run(stop_signal()?).await.context("the child chain ended")
        })
    }
}

impl WatcherArgs {
    pub(crate) fn run(self) -> Result<()> {
        let mut defaults = watcher::WatcherConfig::default();
        defaults.sentinel.dry_run = self.dry_run;
        defaults.sentinel.process_exits = self.process_exits;
        let Some((place, mut config)) = self.node.settings("PENNING_WATCHER", &defaults)? else {
            return Ok(());
        };
        config.sentinel.dry_run |= self.dry_run;
        config.sentinel.process_exits |= self.process_exits;
        config.watcher_db = crate::watcher_db::or_environment(config.watcher_db);
        let key = self.sentinel.then(|| self.key()).transpose()?;
        run_system(async move {
            let (deployment, root_chain) = place.root_chain(None)?;
            let sentinel = key.map(|key| place.sentinel(&deployment, key)).transpose()?;
            let store = open_store(&place.data_dir, NodeKind::Watcher, &deployment)?;
            let version = version();
            let setup = watcher::Setup { config, deployment, root_chain, sentinel, store, version };
            let node = watcher::Node::start(setup).await?;
            announce("watcher", node.local_addr());
            node.run(stop_signal()?).await.context("the watcher ended")
        })
    }

    fn key(&self) -> Result<SecretKey> {
        let role = Role {
            name: "sentinel",
            keystore: self.sentinel_keystore.as_deref(),
            key_file: self.sentinel_key_file.as_deref(),
        };
        role.key(self.password_file.as_deref())
    }
}

/// Where a node belongs: the settings that both kinds have.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) address_file: PathBuf,
    rpc_url: String,
    pub(crate) data_dir: PathBuf,
}

/// Their names.
const PLACE: [&str; 3] = ["address_file", "rpc_url", "data_dir"];

impl NodeArgs {
    /// `None` when they were only to be printed.
    pub(crate) fn settings<T: Serialize + DeserializeOwned>(
        &self,
        env_prefix: &'static str,
        defaults: &T,
    ) -> Result<Option<(Place, T)>> {
        let sources = Sources {
            env_prefix,
            env: crate::secrets::environment,
            file: self.config.as_deref(),
            assignments: &self.assignments,
        };
        let mut settings = sources.load(with_place(table(defaults)?)?)?;
        for (name, flag) in PLACE.into_iter().zip([&self.network, &self.rpc_url, &self.data_dir]) {
            if let Some(value) = flag {
                settings.insert(name.to_owned(), value.as_str().into());
            }
        }
        if self.print_settings {
            crate::output::Out::new(false).tell(list(&settings).join("\n"));
            return Ok(None);
        }
        let (place, settings) = split(settings)?;
        for (value, flag) in [(&place.address_file, "--network"), (&place.data_dir, "--data-dir")] {
            if value.as_os_str().is_empty() {
                let failure = Failure::new("settings:missing", format!("{flag} is not given"));
                let next = "see --help, and --print-settings for all settings";
                return Err(failure.next(next).into());
            }
        }
        init_logging(self.log_format, &self.log).context("logging cannot be started")?;
        Ok(Some((place, settings)))
    }
}

fn with_place(mut settings: Table) -> Result<Table, SettingsError> {
    settings.extend(table(&Place {
        address_file: PathBuf::new(),
        rpc_url: crate::wallet::DEFAULT_RPC_URL.to_owned(),
        data_dir: PathBuf::new(),
    })?);
    Ok(settings)
}

fn split<T: DeserializeOwned>(mut settings: Table) -> Result<(Place, T), SettingsError> {
    let place = PLACE.into_iter().filter_map(|name| settings.remove_entry(name)).collect();
    Ok((typed(place)?, typed(settings)?))
}

impl Place {
    fn root_chain(&self, key: Option<SecretKey>) -> Result<(Deployment, Arc<EthersRootChain>)> {
        let shown = self.address_file.display();
        let deployment =
            Deployment::read(&self.address_file).with_context(|| format!("{shown}"))?;
        let rpc_url: RpcUrl = self.rpc_url.parse().context("rpc_url")?;
        let root_chain = EthersRootChain::new(EthConfig::new(rpc_url), &deployment, key)?;
        Ok((deployment, Arc::new(root_chain)))
    }

    fn sentinel(&self, deployment: &Deployment, key: SecretKey) -> Result<Arc<dyn SentinelChain>> {
        let rpc_url: RpcUrl = self.rpc_url.parse().context("rpc_url")?;
        tracing::info!(account = ?key.address(), "the sentinel pays its gas from this account");
        let chain = EthersSentinelChain::new(EthConfig::new(rpc_url), deployment, key)?;
        Ok(Arc::new(chain))
    }
}

/// Opens the store of a node, or makes one.
pub(crate) fn open_store(path: &Path, node: NodeKind, deployment: &Deployment) -> Result<Store> {
    let identity = store_identity(node, deployment);
    Ok(Store::open(path, &identity, &StoreConfig::default())?)
}

fn announce(node: &str, addr: SocketAddr) {
    tracing::info!("the {node} listens on http://{addr}; it is ready when /health says so");
}

/// Runs actors on this thread and everything else on all of them.
pub(crate) fn run_system(task: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("the runtime cannot be started")?;
    actix::System::with_tokio_rt(move || runtime).block_on(task)
}

/// Completes when the process is asked to end.
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be caught")?;
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be caught")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => tracing::info!("stopping: SIGINT"),
            _ = terminate.recv() => tracing::info!("stopping: SIGTERM"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use child_chain::ChildChainConfig;
    use watcher::WatcherConfig;

    fn load<T: Serialize + DeserializeOwned>(file: &str, defaults: &T) -> T {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../priv/config").join(file);
        let sources =
            Sources { env_prefix: "TEST", env: |_| None, file: Some(&path), assignments: &[] };
        let defaults = with_place(table(defaults).unwrap()).unwrap();
        let (place, settings) = split(sources.load(defaults).unwrap()).unwrap();
        assert!(place.data_dir.is_absolute() && place.address_file.is_absolute());
        settings
    }

    #[test]
    fn the_example_files_are_good_settings() {
        let child_chain = load("child-chain.toml", &ChildChainConfig::default());
        assert_eq!(child_chain.block_queue.fee_per_gas_wei_max, 200_000_000_000);
        let watcher = load("watcher.toml", &WatcherConfig::default());
        let margin = child_chain.deposit_finality_margin_eth_blocks;
        assert_eq!(watcher.deposit_finality_margin_eth_blocks, margin);
    }
}
