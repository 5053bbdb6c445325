//! The operator's node and a watcher as processes of their own, on a root chain that the test owns: for tests that kill them.

use crate::kit::root;
use crate::process::{Process, free_port};
use plasma_core::wire::{ETH, SecretKey, U256, UtxoPos};
use plasma_eth::{
    Anvil, AnvilConfig, DeployRequest, Deployment, DevChain, EthConfig, EthersRootChain,
    RootChainClient, deploy, dev_keys, find_anvil,
};
use std::path::Path;
use watcher::watcher_db::embedded::DATABASE_URL_ENV;

/// A root chain with our contracts on it, and where the nodes will listen.
pub(crate) struct Nodes {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) deployment: Deployment,
    pub(crate) keys: Vec<SecretKey>,
    pub(crate) client: RootChainClient,
    pub(crate) reader: EthersRootChain,
    pub(crate) child_chain_url: String,
    pub(crate) watcher_url: String,
    /// Where a watcher with a database answers questions to it.
    pub(crate) info_url: String,
    ports: [u16; 3],
    anvil: Anvil,
}

/// Accounts with Ether; the last ones are the network's.
const ACCOUNTS: usize = 8;

impl Nodes {
    pub(crate) async fn new() -> Self {
        Self::deployed_by(7).await
    }

    /// Addresses of contracts follow from who deploys them: with another account it is another deployment.
    pub(crate) async fn deployed_by(deployer: usize) -> Self {
        let binary = find_anvil(None, &[root()])
            .unwrap_or_else(|error| panic!("these tests need a real node. {error}"));
        let folder = tempfile::tempdir().unwrap();
        let config = AnvilConfig {
            port: Some(free_port()),
            log_file: Some(folder.path().join("anvil.log")),
            ..AnvilConfig::new(binary)
        };
        let anvil = Anvil::spawn(&config).await.unwrap();
        let config = EthConfig::new(anvil.rpc_url().clone());
        let keys = dev_keys(u32::try_from(ACCOUNTS).unwrap()).unwrap();
        let request = DeployRequest {
            deployer: keys[deployer].clone(),
            maintainer: keys[6].clone(),
            authority: keys[5].clone(),
            min_exit_period_s: 600,
            contract_semver: "1.0.5+test".to_owned(),
            funding_wei: U256::zero(),
            with_test_token: false,
        };
        let deployment = deploy(config.clone(), &request, |_| {}).await.unwrap();
        std::fs::write(folder.path().join("addresses.json"), deployment.to_json()).unwrap();
        let key = const_hex::encode(keys[5].to_bytes());
        std::fs::write(folder.path().join("authority.key"), key).unwrap();
        let fee_specs = include_str!("../../../../priv/fee_specs.json");
        std::fs::write(folder.path().join("fee_specs.json"), fee_specs).unwrap();
        let dev = DevChain::new(&config).unwrap();
        dev.set_automine(false).await.unwrap();
        dev.set_interval_mining(1).await.unwrap();
        let ports = [free_port(), free_port(), free_port()];
        Self {
            folder,
            client: RootChainClient::new(config.clone(), &deployment).unwrap(),
            reader: EthersRootChain::new(config, &deployment, None).unwrap(),
            deployment,
            keys,
            child_chain_url: format!("http://127.0.0.1:{}", ports[0]),
            watcher_url: format!("http://127.0.0.1:{}", ports[1]),
            info_url: format!("http://127.0.0.1:{}", ports[2]),
            ports,
            anvil,
        }
    }

    pub(crate) fn at(&self) -> &Path {
        self.folder.path()
    }

    /// Money for users.
    pub(crate) fn accounts(&self) -> &[SecretKey] {
        &self.keys[..4]
    }

    pub(crate) fn fee_claimer(&self) -> &SecretKey {
        &self.keys[4]
    }

    /// One deposit for each account.
    pub(crate) async fn deposits(&self) -> Vec<(UtxoPos, U256)> {
        let mut deposits = Vec::new();
        for key in self.accounts() {
            let amount = U256::exp10(18);
            let sent = self.client.deposit(key, ETH, amount).await.unwrap();
            let receipt = self.client.confirm(&sent, 1, |_| {}).await.unwrap().success().unwrap();
            deposits.push((UtxoPos::deposit(receipt.deposit_blknum().unwrap()), amount));
        }
        deposits
    }

    /// The arguments of the operator's node.
    pub(crate) fn child_chain_arguments(&self) -> Vec<String> {
        let fee_claimer = format!("fee_claimer={:?}", self.fee_claimer().address());
        let listen = format!("listen=127.0.0.1:{}", self.ports[0]);
        let mut arguments = self.arguments("child-chain");
        arguments.extend(["--authority-key-file", "authority.key"].map(str::to_owned));
        for setting in [
            &listen,
            &fee_claimer,
            "fee_specs_path=fee_specs.json",
            "deposit_finality_margin_eth_blocks=1",
            "listener_tick_ms=100",
            "eth_height_monitor.poll_ms=100",
            "block_queue.tick_ms=50",
            "block_queue.form_every_ms=200",
        ] {
            arguments.extend(["--set".to_owned(), setting.to_owned()]);
        }
        arguments
    }

    pub(crate) fn child_chain(&self) -> Process {
        self.start("child-chain", &self.child_chain_arguments(), &[])
    }

    pub(crate) fn watcher(&self) -> Process {
        self.start("watcher", &self.watcher_arguments(), &[])
    }

    /// A watcher that writes into this database.
    pub(crate) fn watcher_with(&self, database_url: &str) -> Process {
        self.start("watcher", &self.watcher_arguments(), &[(DATABASE_URL_ENV, database_url)])
    }

    /// The arguments of a watcher, and of commands that take its settings.
    pub(crate) fn watcher_arguments(&self) -> Vec<String> {
        let listen = format!("listen=127.0.0.1:{}", self.ports[1]);
        let child_chain = format!("child_chain_url={}", self.child_chain_url);
        let mut arguments = self.arguments("watcher");
        let info_listen = format!("info.listen=127.0.0.1:{}", self.ports[2]);
        for setting in [
            &listen,
            &info_listen,
            &child_chain,
            "deposit_finality_margin_eth_blocks=1",
            "exit_finality_margin_eth_blocks=1",
            "exit_processor_sla_margin_eth_blocks=100",
            "eth_block_time_ms=1000",
            // The operator is away for a second at most.
            "withholding_ms_max=30000",
            "download_retry_ms_min=50",
            "download_retry_ms_max=200",
            "tick_ms=100",
            "eth_height_monitor.poll_ms=100",
        ] {
            arguments.extend(["--set".to_owned(), setting.to_owned()]);
        }
        arguments
    }

    fn arguments(&self, node: &str) -> Vec<String> {
        let rpc_url = self.anvil.rpc_url().reveal();
        let line = format!(
            "{node} --network addresses.json --rpc-url {rpc_url} --data-dir {node} --log warn"
        );
        line.split(' ').map(str::to_owned).collect()
    }

    fn start(&self, name: &str, arguments: &[String], env: &[(&str, &str)]) -> Process {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Process::start(self.at(), name, &arguments, env)
    }
}
