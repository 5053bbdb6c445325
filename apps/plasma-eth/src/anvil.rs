//! A local Ethereum node for development and tests: finding the anvil binary, starting it, stopping it for sure.
//!
//! It must never leave a process behind: [`Anvil::stop`] ends it politely, so that it writes its state file, and dropping an
//! [`Anvil`] does the same in a hurry. Only a SIGKILL of our own process can orphan it.

use crate::config::ms;
use crate::rpc::Rpc;
use crate::{EthConfig, RetryPolicy, RootChainError, RpcUrl};
use ethers::signers::MnemonicBuilder;
use ethers::signers::coins_bip39::English;
use plasma_core::wire::SecretKey;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use thiserror::Error;

/// Environment variable with the path of an anvil binary.
pub const ANVIL_ENV: &str = "PENNING_ANVIL";
/// Where npm puts the binary, below the repository's root.
const ANVIL_IN_REPOSITORY: &str = "contracts/node_modules/.bin/anvil";
/// The chain id of development nodes.
pub const DEV_CHAIN_ID: u64 = 31_337;
/// The words every development node derives its accounts from. Everybody knows them: no real money, ever.
const DEV_MNEMONIC: &str = "test test test test test test test test test test test junk";
/// Longest wait for the first answer.
const START_MS_MAX: u64 = 20_000;
/// Longest wait for a polite end; writing the state of a long chain takes a while.
const STOP_MS_MAX: u64 = 10_000;
/// Longest wait for a polite end where nobody can wait any longer.
const DROP_MS_MAX: u64 = 3_000;
/// Pause between two looks at a process.
const POLL_MS: u64 = 20;
/// End of the log that is shown when it did not start.
const LOG_TAIL_BYTES: u64 = 2_000;

/// How to start anvil.
#[derive(Clone, Debug)]
pub struct AnvilConfig {
    /// The binary; see [`find_anvil`].
    pub binary: PathBuf,
    /// The port on 127.0.0.1; `None` takes a free one.
    pub port: Option<u16>,
    /// The chain id.
    pub chain_id: u64,
    /// Seconds between two blocks; `None` mines a block for each transaction, at once.
    pub block_time_s: Option<u64>,
    /// Number of accounts with 10,000 ETH each; see [`dev_keys`].
    pub accounts: u32,
    /// Loads its state from here, if there is one, and writes it back at the end.
    pub state_file: Option<PathBuf>,
    /// Also writes it this often, against a sudden end.
    pub state_interval_s: Option<u64>,
    /// Where its log goes; `None` keeps it quiet.
    pub log_file: Option<PathBuf>,
    /// Out of reach of a Ctrl-C in the terminal, for a parent that catches it and then stops things in order. Otherwise a Ctrl-C ends
    /// anvil together with its parent, as tests want it.
    pub own_process_group: bool,
}

impl AnvilConfig {
    /// A quiet node on a free port that mines each transaction at once.
    pub const fn new(binary: PathBuf) -> Self {
        Self {
            binary,
            port: None,
            chain_id: DEV_CHAIN_ID,
            block_time_s: None,
            accounts: 10,
            state_file: None,
            state_interval_s: None,
            log_file: None,
            own_process_group: false,
        }
    }

    fn arguments(&self, port: u16) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        let mut add = |name: &str, value: Option<OsString>| {
            if let Some(value) = value {
                arguments.extend([name.into(), value]);
            }
        };
        let text = |number: u64| Some(OsString::from(number.to_string()));
        add("--host", Some("127.0.0.1".into()));
        add("--port", text(port.into()));
        add("--chain-id", text(self.chain_id));
        add("--accounts", text(self.accounts.into()));
        add("--mnemonic", Some(DEV_MNEMONIC.into()));
        add("--block-time", self.block_time_s.and_then(text));
        add("--state", self.state_file.as_ref().map(Into::into));
        add("--state-interval", self.state_interval_s.and_then(text));
        if self.log_file.is_none() {
            arguments.push("--quiet".into());
        }
        arguments
    }
}

/// Anvil did not start or stop.
#[derive(Debug, Error)]
pub enum AnvilError {
    /// There is no binary.
    #[error(
        "anvil was not found. Run `npm ci` in contracts/, or put anvil on the PATH, or set {ANVIL_ENV} to its path. Looked at: {}",
        list(looked_at)
    )]
    NotFound {
        /// Where it could have been.
        looked_at: Vec<PathBuf>,
    },
    /// Somebody else listens on the port.
    #[error("port {port} is in use: stop what listens there or choose another port")]
    PortBusy {
        /// The port.
        port: u16,
    },
    /// The operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// It ended by itself.
    #[error("anvil ended by itself ({status}); the end of its log: {log}")]
    Ended {
        /// How.
        status: ExitStatus,
        /// The end of its log, empty without a log file.
        log: String,
    },
    /// It runs and does not answer.
    #[error("anvil does not answer: {0}")]
    Silent(RootChainError),
    /// Keys could not be derived.
    #[error("the development keys cannot be derived: {0}")]
    Keys(String),
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}

/// Finds the anvil binary: `explicit`; else what [`ANVIL_ENV`] names; else `anvil` on the PATH; else the one that npm installed below
/// one of `roots`. The first two must exist when given.
///
/// # Errors
/// `NotFound`, with every place that was looked at.
pub fn find_anvil(explicit: Option<&Path>, roots: &[PathBuf]) -> Result<PathBuf, AnvilError> {
    let named =
        explicit.map(Path::to_path_buf).or_else(|| std::env::var_os(ANVIL_ENV).map(PathBuf::from));
    let candidates = match named {
        Some(path) => vec![path],
        None => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let on_path = std::env::split_paths(&path).map(|folder| folder.join("anvil"));
            let installed = roots.iter().map(|root| root.join(ANVIL_IN_REPOSITORY));
            on_path.chain(installed).collect()
        }
    };
    match candidates.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None => Err(AnvilError::NotFound { looked_at: candidates }),
    }
}

/// Keys of the first accounts of every development node. Anvil gives each 10,000 ETH.
///
/// # Errors
/// None in practice; deriving keys can fail in theory.
pub fn dev_keys(count: u32) -> Result<Vec<SecretKey>, AnvilError> {
    let failed = |error: &dyn std::fmt::Display| AnvilError::Keys(error.to_string());
    (0..count)
        .map(|index| {
            let wallet = MnemonicBuilder::<English>::default()
                .phrase(DEV_MNEMONIC)
                .index(index)
                .and_then(|builder| builder.build())
                .map_err(|error| failed(&error))?;
            SecretKey::from_bytes(wallet.signer().to_bytes().into()).map_err(|error| failed(&error))
        })
        .collect()
}

/// A running anvil.
#[derive(Debug)]
pub struct Anvil {
    child: Child,
    port: u16,
    rpc_url: RpcUrl,
    log_file: Option<PathBuf>,
}

impl Anvil {
    /// Starts anvil and waits for its first answer.
    ///
    /// # Errors
    /// [`AnvilError`]; nothing is left running then.
    pub async fn spawn(config: &AnvilConfig) -> Result<Self, AnvilError> {
        let port = reserve_port(config.port)?;
        let rpc_url = format!("http://127.0.0.1:{port}");
        let rpc_url: RpcUrl = rpc_url.parse().map_err(AnvilError::Silent)?;
        let mut command = Command::new(&config.binary);
        command.args(config.arguments(port)).stdin(Stdio::null());
        match &config.log_file {
            None => command.stdout(Stdio::null()).stderr(Stdio::null()),
            Some(path) => {
                let open = || -> std::io::Result<[File; 2]> {
                    let file = File::create(path)?;
                    Ok([file.try_clone()?, file])
                };
                let [out, err] = open().map_err(io(format!("opening {}", path.display())))?;
                command.stdout(out).stderr(err)
            }
        };
        if config.own_process_group {
            command.process_group(0);
        }
        let child = command.spawn().map_err(io(format!("starting {}", config.binary.display())))?;
        let mut anvil = Self { child, port, rpc_url, log_file: config.log_file.clone() };
        anvil.wait_for_first_answer().await?;
        Ok(anvil)
    }

    /// Its port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where it answers.
    pub const fn rpc_url(&self) -> &RpcUrl {
        &self.rpc_url
    }

    /// Its process id.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end, so that it writes its state file, and waits for that; ends it by force after ten seconds.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn stop(mut self) -> Result<(), AnvilError> {
        self.interrupt();
        let started = Instant::now();
        while self.is_running() && started.elapsed() < ms(STOP_MS_MAX) {
            tokio::time::sleep(ms(POLL_MS)).await;
        }
        self.end().map_err(io("ending anvil".to_owned()))
    }

    async fn wait_for_first_answer(&mut self) -> Result<(), AnvilError> {
        let mut config = EthConfig::new(self.rpc_url.clone());
        config.retry = RetryPolicy::NEVER;
        config.request_timeout_ms = 1_000;
        let rpc = Rpc::new(&config).map_err(AnvilError::Silent)?;
        let started = Instant::now();
        loop {
            let status = self.child.try_wait();
            if let Some(status) = status.map_err(io("looking at anvil".to_owned()))? {
                let log = self.log_tail().unwrap_or_default();
                return Err(AnvilError::Ended { status, log });
            }
            let answer: Result<String, _> =
                rpc.call("eth_chainId", String::new, serde_json::json!([])).await;
            match answer {
                Ok(_) => return Ok(()),
                Err(error) if started.elapsed() > ms(START_MS_MAX) => {
                    return Err(AnvilError::Silent(error));
                }
                Err(_) => tokio::time::sleep(ms(POLL_MS)).await,
            }
        }
    }

    fn log_tail(&self) -> Option<String> {
        let mut file = File::open(self.log_file.as_ref()?).ok()?;
        let len = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(LOG_TAIL_BYTES))).ok()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn interrupt(&mut self) {
        // Only while it runs: after it was waited for, the number may belong to another process.
        if !self.is_running() {
            return;
        }
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(id) = id
            && let Err(error) = kill_process(id, Signal::INT)
        {
            tracing::warn!(%error, "anvil could not be asked to end");
        }
    }

    fn end(&mut self) -> std::io::Result<()> {
        if self.is_running() {
            self.child.kill()?;
        }
        self.child.wait().map(drop)
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        self.interrupt();
        let started = Instant::now();
        while self.is_running() && started.elapsed() < ms(DROP_MS_MAX) {
            std::thread::sleep(Duration::from_millis(POLL_MS));
        }
        if let Err(error) = self.end() {
            tracing::warn!(%error, "anvil could not be ended");
        }
    }
}

/// Makes sure that nobody listens on the port, or finds one.
fn reserve_port(port: Option<u16>) -> Result<u16, AnvilError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0)));
    let bound = listener.and_then(|listener| listener.local_addr());
    match (bound, port) {
        (Ok(address), _) => Ok(address.port()),
        (Err(_), Some(port)) => Err(AnvilError::PortBusy { port }),
        (Err(source), None) => Err(io("looking for a free port".to_owned())(source)),
    }
}

fn io(what: String) -> impl FnOnce(std::io::Error) -> AnvilError {
    move |source| AnvilError::Io { what, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_development_key_is_the_one_everybody_knows() {
        let keys = dev_keys(2).unwrap();
        let shown = const_hex::encode(keys[0].to_bytes());
        assert_eq!(shown, "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
        assert_ne!(keys[0].address(), keys[1].address());
    }

    #[test]
    fn a_missing_binary_is_said_how_to_get() {
        let roots = [PathBuf::from("/nowhere")];
        let error = find_anvil(Some(Path::new("/nowhere/anvil")), &roots).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("npm ci"), "{message}");
        assert!(message.ends_with("Looked at: /nowhere/anvil"), "{message}");
    }

    #[test]
    fn a_busy_port_is_named() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = reserve_port(Some(port)).unwrap_err();
        assert!(matches!(error, AnvilError::PortBusy { port: named } if named == port));
        drop(listener);
        assert_eq!(reserve_port(Some(port)).unwrap(), port);
    }

    #[tokio::test]
    async fn a_binary_that_ends_at_once_is_reported_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = AnvilConfig::new(PathBuf::from("/bin/echo"));
        config.log_file = Some(folder.path().join("anvil.log"));
        match Anvil::spawn(&config).await.unwrap_err() {
            AnvilError::Ended { log, .. } => assert!(log.contains("--chain-id 31337"), "{log}"),
            other => panic!("{other}"),
        }
    }
}
