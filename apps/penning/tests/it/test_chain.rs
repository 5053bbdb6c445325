//! A real network for one test: `penning devnet` as a process of its own, on free ports, in a folder that goes with it.

use crate::kit::{Penning, penning};
use crate::process::{Process, free_port, is_anvil_of, kill_anvil_of, tail, wait_for};
use plasma_core::wire::{Address, Currency, H256, SecretKey, U256};
use plasma_eth::{
    Deployment, DevChain, EthConfig, EthersRootChain, Receipt, RootChainClient, SentTransaction,
    dev_keys,
};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// Accounts in devnet.json; the fee claimer has the last of the well-known keys after them.
const ACCOUNTS: usize = 10;
const FEE_CLAIMER: usize = 13;

/// The network, and everything to look at it with.
pub(crate) struct TestChain {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) keys: Vec<SecretKey>,
    pub(crate) deployment: Deployment,
    pub(crate) token: Currency,
    pub(crate) client: RootChainClient,
    pub(crate) reader: EthersRootChain,
    pub(crate) dev: DevChain,
    pub(crate) process: Process,
    pub(crate) file: Value,
    ports: [u16; 4],
}

impl TestChain {
    /// Starts a fresh one whose exits take twice `min_exit_period_s`.
    pub(crate) fn start(min_exit_period_s: u64) -> Self {
        Self::start_in(min_exit_period_s, &[])
    }

    /// The same in such an environment.
    pub(crate) fn start_in(min_exit_period_s: u64, env: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = [free_port(), free_port(), free_port(), free_port()];
        let period = min_exit_period_s.to_string();
        let arguments = devnet_arguments(ports, &["--min-exit-period-s", &period]);
        let mut process = Process::start(folder.path(), "devnet", &as_strs(&arguments), env);
        let file = ready(&mut process);
        let deployment = Deployment::from_json(&file.to_string()).unwrap();
        let config = EthConfig::new(file["rpc_url"].as_str().unwrap().parse().unwrap());
        Self {
            keys: dev_keys(14).unwrap(),
            token: deployment.erc20_token.unwrap(),
            client: RootChainClient::new(config.clone(), &deployment).unwrap(),
            reader: EthersRootChain::new(config.clone(), &deployment, None).unwrap(),
            dev: DevChain::new(&config).unwrap(),
            folder,
            deployment,
            process,
            file,
            ports,
        }
    }

    /// Starts it again in the same folder, on the same ports, after it ended.
    pub(crate) fn start_again(&mut self) {
        self.start_with(&[]);
    }

    /// The same, and forgets everything.
    pub(crate) fn start_fresh(&mut self, min_exit_period_s: u64) {
        self.start_with(&["--fresh", "--min-exit-period-s", &min_exit_period_s.to_string()]);
    }

    fn start_with(&mut self, flags: &[&str]) {
        assert!(!self.process.is_running());
        let arguments = devnet_arguments(self.ports, flags);
        let at = self.folder.path();
        self.process = Process::start(at, "devnet", &as_strs(&arguments), &[]);
        self.file = ready(&mut self.process);
    }

    /// A call of the binary that finds this network by itself.
    pub(crate) fn penning(&self, line: &str) -> Penning {
        penning(self.folder.path(), &line.split(' ').collect::<Vec<_>>())
    }

    /// A devnet in the same folder with other flags, called to the end.
    pub(crate) fn another_devnet(&self, flags: &[&str]) -> Penning {
        penning(self.folder.path(), &as_strs(&devnet_arguments(self.ports, flags)))
    }

    /// Runs a wallet command as one of the accounts.
    pub(crate) fn wallet(&self, account: usize, line: &str) -> Value {
        self.wallet_call(account, line).json()
    }

    /// The same, for a command that must fail.
    pub(crate) fn refused(&self, account: usize, line: &str, code: &str) {
        self.wallet_call(account, line).refused(code);
    }

    /// The same, again and again while the watcher does not know yet what happened on the root chain.
    pub(crate) fn wallet_when_ready(&self, account: usize, line: &str) -> Value {
        wait_for(line, Duration::from_secs(30), || {
            let output = self.wallet_call(account, line).run();
            output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
        })
    }

    fn wallet_call(&self, account: usize, line: &str) -> Penning {
        assert!(account < ACCOUNTS || account == FEE_CLAIMER, "{account} is for the network");
        let key = const_hex::encode(self.keys[account].to_bytes());
        self.penning(&format!("wallet --network .penning/devnet.json --json {line}"))
            .env("PENNING_PRIVATE_KEY", &key)
    }

    /// Runs a wallet command as the owner of the fees.
    pub(crate) fn fee_claimer(&self, line: &str) -> Value {
        self.wallet(FEE_CLAIMER, line)
    }

    pub(crate) fn address(&self, account: usize) -> Address {
        self.keys[account].address()
    }

    pub(crate) fn fee_claimer_address(&self) -> Address {
        self.address(FEE_CLAIMER)
    }

    /// What an account has on the child chain, as the wallet shows it.
    pub(crate) fn on_child_chain(&self, owner: Address, currency: Currency) -> U256 {
        let told = self.wallet(0, &format!("balance --address {owner:?}"));
        let wanted = format!("{currency:?}");
        let all = told["balances"].as_array().unwrap();
        let found = all.iter().find(|line| line["child_chain"]["currency"] == wanted.as_str());
        found.map_or_else(U256::zero, |line| amount(&line["child_chain"]))
    }

    /// What an account has on the root chain, from the node itself.
    pub(crate) async fn on_root_chain(&self, owner: Address, currency: Currency) -> U256 {
        self.client.balance(owner, currency).await.unwrap()
    }

    /// The receipt of a mined transaction that a command told about.
    pub(crate) async fn receipt(&self, txhash: &Value) -> Receipt {
        let txhash: H256 = txhash.as_str().unwrap().parse().unwrap();
        let sent = SentTransaction { txhash, sender: Address::zero(), nonce: u64::MAX };
        self.client.confirm(&sent, 1, |_| {}).await.unwrap()
    }

    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.folder.path().join(".penning").join(name)
    }

    /// The number of the process that serves the root chain, while there is one.
    pub(crate) fn anvil(&self) -> Option<u32> {
        let recorded = std::fs::read_to_string(self.data("anvil.pid")).ok()?;
        let recorded = recorded.trim().parse().unwrap();
        is_anvil_of(recorded, self.folder.path()).then_some(recorded)
    }
}

impl Drop for TestChain {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the end of anvil.log\n{}", tail(&self.data("anvil.log")));
        }
        if self.process.is_running() && self.process.wait_for_stop().is_none() {
            self.process.kill();
        }
        if let Some(anvil) = self.anvil() {
            kill_anvil_of(anvil, self.folder.path());
        }
    }
}

/// In the smallest unit.
pub(crate) fn amount(view: &Value) -> U256 {
    U256::from_dec_str(view["amount"].as_str().unwrap()).unwrap()
}

/// Thousandths of a unit with 18 decimals, which Ether and the test token have.
pub(crate) fn milli(amount: u64) -> U256 {
    U256::from(amount) * U256::exp10(15)
}

fn ready(process: &mut Process) -> Value {
    process.document().unwrap_or_else(|| panic!("the devnet is not ready\n{}", process.log()))
}

fn devnet_arguments(ports: [u16; 4], more: &[&str]) -> Vec<String> {
    let [rpc, child_chain, watcher, info] = ports.map(|port| port.to_string());
    let ports = [
        ["--rpc-port", &rpc],
        ["--child-chain-port", &child_chain],
        ["--watcher-port", &watcher],
        ["--watcher-info-port", &info],
    ];
    let all = ["devnet", "--json"].into_iter().chain(ports.iter().flatten().copied());
    all.chain(more.iter().copied()).map(str::to_owned).collect()
}

fn as_strs(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}
