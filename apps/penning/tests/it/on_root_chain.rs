//! What needs a root chain and no other node: deploying the contracts, and depositing.

use crate::kit::{Penning, all, penning, root};
use plasma_eth::{Anvil, AnvilConfig, Deployment, dev_keys, find_anvil};
use std::path::Path;

/// A deployment made by the binary itself.
struct World {
    folder: tempfile::TempDir,
    anvil: Anvil,
    keys: Vec<String>,
}

impl World {
    async fn new() -> Self {
        let binary = find_anvil(None, &[root()])
            .unwrap_or_else(|error| panic!("these tests need a real node. {error}"));
        let anvil = Anvil::spawn(&AnvilConfig::new(binary)).await.unwrap();
        let keys = dev_keys(5).unwrap();
        let keys = keys.iter().map(|key| const_hex::encode(key.to_bytes())).collect();
        Self { folder: tempfile::tempdir().unwrap(), anvil, keys }
    }

    fn at(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, arguments: &[&str]) -> Penning {
        penning(self.at(), arguments).env("PENNING_RPC_URL", self.anvil.rpc_url().reveal())
    }

    /// The deployer's key from a file, the maintainer's from a keystore, the authority's from the environment.
    fn deploy(&self, out: &str) -> Penning {
        std::fs::write(self.at().join("deployer"), format!("0x{}\n", self.keys[0])).unwrap();
        let keystore = self.at().join("maintainer");
        if !keystore.exists() {
            self.run(&["wallet", "key", "import", "--out", "maintainer"])
                .env("PENNING_PASSWORD", "hunter2")
                .stdin(&self.keys[1])
                .run();
        }
        let arguments = [
            "contracts",
            "deploy",
            "--min-exit-period-s",
            "120",
            "--out",
            out,
            "--test-token",
            "--deployer-key-file",
            "deployer",
            "--maintainer-keystore",
            "maintainer",
            "--json",
        ];
        self.run(&arguments)
            .env("PENNING_MAINTAINER_PASSWORD", "hunter2")
            .env("PENNING_AUTHORITY_KEY", &self.keys[2])
    }
}

#[tokio::test]
async fn contracts_are_deployed_with_three_keys_and_the_address_file_is_written() {
    let world = World::new().await;
    let made = world.deploy("addresses.json").json();
    let file = Deployment::read(&world.at().join("addresses.json")).unwrap();
    assert_eq!(file.min_exit_period_s, 120);
    assert_eq!(
        made["deployment"]["plasma_framework"],
        format!("{:?}", file.addresses.plasma_framework)
    );
    assert!(file.erc20_token.is_some());

    world.deploy("addresses.json").refused("deploy:out_exists");
    world.deploy("none/addresses.json").refused("deploy:no_folder");
    world.deploy("other.json").refused("deploy:authority_used");
    world
        .deploy("other.json")
        .env("PENNING_AUTHORITY_KEY", &world.keys[0])
        .refused("deploy:shared_key");
    world.deploy("other.json").env("PENNING_AUTHORITY_KEY", "").refused("key:missing");
    world
        .deploy("other.json")
        .env("PENNING_MAINTAINER_PASSWORD", "x")
        .refused("keystore:wrong_password");
    assert!(!world.at().join("other.json").exists());
}

#[tokio::test]
async fn ether_and_tokens_are_deposited() {
    let world = World::new().await;
    let made = world.deploy("addresses.json").json();
    let token = made["deployment"]["erc20_token"].as_str().unwrap().to_owned();
    let deposit = |amount: &str, currency: &str| {
        let network = ["--network", "addresses.json", "--json"];
        let arguments = [&["wallet", "deposit", amount, "--currency", currency][..], &network];
        world.run(&arguments.concat()).env("PENNING_PRIVATE_KEY", &world.keys[3])
    };
    let first = deposit("1.5", "eth").json();
    assert_eq!(first["amount"]["amount"], "1500000000000000000");
    assert_eq!(first["output"]["position"], "1:0:0");
    assert_eq!(first["spendable"], false);
    assert_eq!(deposit("1.5", "eth").json()["blknum"], 2);

    deposit("0", "eth").refused("deposit:amount_zero");
    deposit("1.0000000000000000001", "eth").refused("amount:too_fine");
    deposit("1", &format!("0x{}", "12".repeat(20))).refused("amount:unknown_decimals");
    deposit("100000", "eth").refused("root_chain:insufficient_funds");

    // Nobody has any tokens yet.
    let refused = deposit("2", &token).run();
    assert!(!refused.status.success(), "{}", all(&refused));
    let deployment = Deployment::read(&world.at().join("addresses.json")).unwrap();
    let config = plasma_eth::EthConfig::new(world.anvil.rpc_url().clone());
    let client = plasma_eth::RootChainClient::new(config, &deployment).unwrap();
    let key = &dev_keys(4).unwrap()[3];
    let tokens = plasma_core::wire::U256::exp10(18) * 5;
    let sent = client.mint(key, deployment.erc20_token.unwrap(), key.address(), tokens).await;
    client.confirm(&sent.unwrap(), 1, |_| {}).await.unwrap().success().unwrap();
    let third = deposit("2", &token).json();
    assert_eq!(third["output"]["position"], "3:0:0");
    assert_eq!(third["amount"]["units"], "2");
}
