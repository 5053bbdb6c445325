//! Anvil as a process: its state survives a polite end, and nothing is left behind.

use crate::kit::{EVERY_KIND, World, anvil_binary, config_of};
use plasma_core::wire::{ETH, EthHeight, U256};
use plasma_eth::{
    Anvil, AnvilConfig, AnvilError, DeployRequest, DevChain, EthersRootChain, RootChain,
    RootChainClient, deploy, dev_keys,
};
use std::path::Path;

fn is_alive(process_id: u32) -> bool {
    // A process that was waited for has no entry.
    Path::new(&format!("/proc/{process_id}")).exists()
}

#[tokio::test]
async fn a_stopped_node_goes_on_where_it_left_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut anvil_config = AnvilConfig::new(anvil_binary());
    anvil_config.state_file = Some(folder.path().join("state.json"));
    let anvil = Anvil::spawn(&anvil_config).await.unwrap();
    let config = config_of(&anvil);
    let [deployer, maintainer, authority] = dev_keys(3).unwrap().try_into().unwrap();
    let request = DeployRequest {
        deployer: deployer.clone(),
        maintainer,
        authority: authority.clone(),
        min_exit_period_s: 10,
        contract_semver: "1.0.5".to_owned(),
        funding_wei: U256::zero(),
        with_test_token: false,
    };
    let deployment = deploy(config.clone(), &request, |_| {}).await.unwrap();
    let client = RootChainClient::new(config.clone(), &deployment).unwrap();
    let sent = client.deposit(&deployer, ETH, U256::one()).await.unwrap();
    client.confirm(&sent, 1, |_| {}).await.unwrap().success().unwrap();
    let chain = EthersRootChain::new(config, &deployment, Some(authority.clone())).unwrap();
    let height = chain.eth_height().await.unwrap();
    let events = chain.events(&EVERY_KIND, EthHeight::new(0), height).await.unwrap();
    assert_eq!(events.len(), 1);
    let process_id = anvil.process_id();
    anvil.stop().await.unwrap();
    assert!(!is_alive(process_id));

    let anvil = Anvil::spawn(&anvil_config).await.unwrap();
    let config = config_of(&anvil);
    let chain = EthersRootChain::new(config, &deployment, Some(authority)).unwrap();
    assert_eq!(chain.eth_height().await.unwrap(), height);
    assert_eq!(chain.events(&EVERY_KIND, EthHeight::new(0), height).await.unwrap(), events);
    let state = chain.submission_state().await.unwrap();
    assert_eq!(state.authority_nonce, 1);
    assert_eq!(deployment.check(&chain.contract_facts().await.unwrap()), Ok(()));
}

#[tokio::test]
async fn a_dropped_node_is_gone() {
    let mut anvil = Anvil::spawn(&AnvilConfig::new(anvil_binary())).await.unwrap();
    let process_id = anvil.process_id();
    assert!(anvil.is_running() && is_alive(process_id));
    drop(anvil);
    assert!(!is_alive(process_id));
}

#[tokio::test]
async fn a_port_in_use_is_named_before_anything_starts() {
    let anvil = Anvil::spawn(&AnvilConfig::new(anvil_binary())).await.unwrap();
    let mut config = AnvilConfig::new(anvil_binary());
    config.port = Some(anvil.port());
    let error = Anvil::spawn(&config).await.unwrap_err();
    assert!(matches!(error, AnvilError::PortBusy { port } if port == anvil.port()));
}

#[tokio::test]
async fn snapshots_and_interval_mining_work() {
    let world = World::new().await;
    let dev = DevChain::new(&world.config).unwrap();
    let before = world.root_chain.eth_height().await.unwrap();
    let snapshot = dev.snapshot().await.unwrap();
    world.deposit(&world.alice, ETH, U256::one()).await;
    dev.revert(snapshot).await.unwrap();
    assert_eq!(world.root_chain.eth_height().await.unwrap(), before);
    assert_eq!(world.events().await, []);
    assert_eq!(dev.revert(snapshot).await.unwrap_err().cause().code(), "invalid");

    dev.set_automine(false).await.unwrap();
    dev.set_interval_mining(1).await.unwrap();
    world.deposit(&world.alice, ETH, U256::one()).await;
    dev.set_interval_mining(0).await.unwrap();
    assert_eq!(world.events().await.len(), 1);
    dev.reset().await.unwrap();
    assert_eq!(world.root_chain.eth_height().await.unwrap(), EthHeight::new(0));
}
