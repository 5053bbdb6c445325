//! Block submission, and every answer a node gives to it.

use crate::kit::World;
use plasma_core::root_chain::RootChainEvent;
use plasma_core::wire::{Address, Blknum, H256, SecretKey, U256};
use plasma_eth::{ChildBlock, EthersRootChain, GasFees, RootChain, RootChainCause, SubmitOutcome};

fn root(number: u8) -> H256 {
    H256::repeat_byte(number)
}

#[tokio::test]
async fn submitted_roots_are_in_the_contract_in_order() {
    let world = World::new().await;
    let chain = &world.root_chain;
    let fees = chain.fee_quote().await.unwrap().generous();
    for number in 1..=3_u8 {
        let nonce = number.into();
        let outcome = chain.submit_block(root(number), nonce, fees).await.unwrap();
        assert!(matches!(outcome, SubmitOutcome::Accepted { .. }), "{outcome}");
    }
    world.wait_for_block(Blknum::new(3000)).await;
    let state = chain.submission_state().await.unwrap();
    assert_eq!(state.mined_blknum, Blknum::new(3000));
    assert_eq!((state.authority_nonce, state.pending_nonce), (4, 4));
    assert_eq!(state.eth_height, chain.eth_height().await.unwrap());

    let events = world.events().await;
    let blknums: Vec<_> = events
        .iter()
        .map(|event| match event.event {
            RootChainEvent::BlockSubmitted { blknum } => blknum.get(),
            ref other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(blknums, [1000, 2000, 3000]);
    let mined_at = chain.block(events[1].eth_height).await.unwrap().unwrap();
    let expected = ChildBlock { root: root(2), timestamp_s: mined_at.timestamp_s };
    let found = async |blknum| chain.child_block(Blknum::new(blknum)).await.unwrap();
    assert_eq!(found(2000).await, Some(expected));
    assert_eq!(found(4000).await, None);
    assert_eq!(found(1).await, None);
    assert!(!chain.syncing().await.unwrap());
}

#[tokio::test]
async fn every_refusal_of_a_real_node_is_understood() {
    let world = World::new().await;
    let chain = &world.root_chain;
    let quote = chain.fee_quote().await.unwrap();
    let fees = quote.generous();
    world.dev.set_automine(false).await.unwrap();
    let submit =
        async |number, nonce, fees| chain.submit_block(root(number), nonce, fees).await.unwrap();

    let SubmitOutcome::Accepted { txhash } = submit(1, 1, fees).await else {
        panic!("the first submission is accepted");
    };
    assert_eq!(submit(1, 1, fees).await, SubmitOutcome::AlreadyKnown { txhash });
    assert_eq!(submit(2, 1, fees).await, SubmitOutcome::ReplacementUnderpriced);
    let state = chain.submission_state().await.unwrap();
    assert_eq!((state.authority_nonce, state.pending_nonce), (1, 2));

    let double = GasFees {
        max_fee_per_gas_wei: fees.max_fee_per_gas_wei * 2,
        max_priority_fee_per_gas_wei: fees.max_priority_fee_per_gas_wei * 2,
    };
    let replaced = submit(2, 1, double).await;
    assert!(matches!(replaced, SubmitOutcome::Accepted { .. }), "{replaced}");
    world.dev.mine(1).await.unwrap();
    let mined = chain.child_block(Blknum::new(1000)).await.unwrap().unwrap();
    assert_eq!(mined.root, root(2));
    assert_eq!(submit(1, 1, fees).await, SubmitOutcome::NonceTooLow);

    world.dev.set_balance(world.authority.address(), U256::one()).await.unwrap();
    assert_eq!(submit(3, 2, fees).await, SubmitOutcome::InsufficientFunds);
}

#[tokio::test]
async fn an_offer_below_the_base_fee_waits_or_is_underpriced() {
    let world = World::new().await;
    world.dev.set_automine(false).await.unwrap();
    world.dev.set_next_base_fee(50_000_000_000).await.unwrap();
    world.dev.mine(1).await.unwrap();
    let low = GasFees { max_fee_per_gas_wei: 1_000_000_000, max_priority_fee_per_gas_wei: 1 };
    let outcome = world.root_chain.submit_block(root(1), 1, low).await.unwrap();
    assert!(
        matches!(outcome, SubmitOutcome::Underpriced | SubmitOutcome::Accepted { .. }),
        "{outcome}"
    );
    world.dev.mine(1).await.unwrap();
    assert_eq!(world.root_chain.submission_state().await.unwrap().mined_blknum.get(), 0);
    let quote = world.root_chain.fee_quote().await.unwrap();
    assert!(quote.base_fee_per_gas_wei > 10_000_000_000, "{quote:?}");
}

#[tokio::test]
async fn only_the_key_of_the_authority_submits() {
    let world = World::new().await;
    let fees = world.root_chain.fee_quote().await.unwrap().generous();
    let mallory = world.mallory.clone();
    for key in [None, Some(mallory)] {
        let holder = key.as_ref().map_or(Address::zero(), SecretKey::address);
        let chain = EthersRootChain::new(world.config.clone(), &world.deployment, key).unwrap();
        let error = chain.submit_block(root(1), 1, fees).await.unwrap_err();
        let expected =
            RootChainCause::NotAuthority { key: holder, authority: world.authority.address() };
        assert_eq!(error.cause(), &expected);
    }
}
