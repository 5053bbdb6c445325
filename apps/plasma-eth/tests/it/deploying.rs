//! The whole system, deployed.

use crate::kit::{MIN_EXIT_PERIOD_S, SEMVER, World, anvil_binary, config_of, ether};
use plasma_core::wire::{ETH, U256};
use plasma_eth::{
    Anvil, AnvilConfig, ContractFacts, DeployError, DeployRequest, DeployStep, Deployment,
    EthersRootChain, RootChain, RootChainCause, deploy, dev_keys,
};

#[tokio::test]
async fn a_deployment_is_what_the_framework_says_it_is() {
    let world = World::new().await;
    let facts = world.root_chain.contract_facts().await.unwrap();
    assert_eq!(
        facts,
        ContractFacts {
            chain_id: 31_337,
            addresses: world.deployment.addresses,
            authority: world.authority.address(),
            activated: true,
            child_block_interval: 1000,
            min_exit_period_s: MIN_EXIT_PERIOD_S,
            contract_semver: SEMVER.to_owned(),
        }
    );
    assert_eq!(world.deployment.check(&facts), Ok(()));
    let file = world.deployment.to_json();
    assert_eq!(Deployment::from_json(&file).unwrap(), world.deployment);

    let block = world.root_chain.block(world.deployment.eth_height).await;
    assert!(block.unwrap().is_some());
    for currency in [ETH, world.token()] {
        assert!(world.client.has_exit_queue(currency).await.unwrap());
        assert_eq!(world.client.exit_queue(currency).await.unwrap(), Some(vec![]));
        assert_eq!(world.client.next_exit(currency).await.unwrap(), None);
    }
    let state = world.root_chain.submission_state().await.unwrap();
    assert_eq!(state.authority_nonce, 1);
    assert_eq!(state.mined_blknum.get(), 0);
}

#[tokio::test]
async fn a_failed_step_is_named() {
    let anvil = Anvil::spawn(&AnvilConfig::new(anvil_binary())).await.unwrap();
    let config = config_of(&anvil);
    let [deployer, maintainer, authority] = dev_keys(3).unwrap().try_into().unwrap();
    let request = DeployRequest {
        deployer,
        maintainer,
        authority,
        min_exit_period_s: 1,
        contract_semver: SEMVER.to_owned(),
        funding_wei: U256::zero(),
        with_test_token: false,
    };
    let mut steps = Vec::new();
    let failed = deploy(config.clone(), &request, |step| steps.push(step)).await;
    match failed.unwrap_err() {
        DeployError::Step { step, source } => {
            assert_eq!(step, DeployStep::Create("PlasmaFramework"));
            assert_eq!(source.revert().unwrap().name(), "MinExitPeriodOutOfBounds", "{source}");
        }
        other => panic!("{other}"),
    }
    assert_eq!(steps[..2], [DeployStep::Look, DeployStep::Create("PlasmaFramework")]);

    let request =
        DeployRequest { min_exit_period_s: 10, authority: request.deployer.clone(), ..request };
    let failed = deploy(config, &request, |_| {}).await;
    assert!(matches!(failed, Err(DeployError::AuthorityUsed { .. })));
}

#[tokio::test]
async fn empty_accounts_are_funded_by_the_deployer() {
    let mut anvil = AnvilConfig::new(anvil_binary());
    anvil.accounts = 1;
    let anvil = Anvil::spawn(&anvil).await.unwrap();
    let config = config_of(&anvil);
    let [deployer, maintainer, authority] = dev_keys(3).unwrap().try_into().unwrap();
    let mut request = DeployRequest {
        deployer,
        maintainer,
        authority,
        min_exit_period_s: 10,
        contract_semver: SEMVER.to_owned(),
        funding_wei: U256::zero(),
        with_test_token: false,
    };
    match deploy(config.clone(), &request, |_| {}).await.unwrap_err() {
        DeployError::Step { step, source } => {
            assert_eq!(step, DeployStep::Call("EthVault", "setDepositVerifier"));
            assert_eq!(source.cause().code(), "insufficient_funds", "{source}");
        }
        other => panic!("{other}"),
    }
    request.funding_wei = ether(200);
    let deployment = deploy(config, &request, |_| {}).await.unwrap();
    assert_eq!(deployment.erc20_token, None);
}

#[tokio::test]
async fn a_node_on_another_chain_or_without_the_contracts_is_refused() {
    let world = World::new().await;
    let mut elsewhere = world.deployment.clone();
    elsewhere.chain_id = 1;
    let mut nowhere = world.deployment.clone();
    nowhere.addresses.plasma_framework = world.alice.address();
    for (deployment, expected) in [
        (elsewhere, RootChainCause::WrongChain { expected: 1, found: 31_337 }),
        (nowhere, RootChainCause::NoContract(world.alice.address())),
    ] {
        let root_chain = EthersRootChain::new(world.config.clone(), &deployment, None).unwrap();
        let error = root_chain.contract_facts().await.unwrap_err();
        assert_eq!(error.cause(), &expected);
    }
}
