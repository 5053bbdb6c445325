//! Money in, and the events that tell of it.

use crate::kit::{EVERY_KIND, World, ether};
use plasma_core::root_chain::{EventKind, RootChainEvent};
use plasma_core::wire::{Blknum, ETH, EthHeight, U256};
use plasma_eth::{EthersRootChain, RootChain, RootChainCause, TokenMetadata};

#[tokio::test]
async fn deposits_of_ether_and_tokens_become_blocks_and_events() {
    let world = World::new().await;
    let (alice, token) = (&world.alice, world.token());
    let minted = world.client.mint(alice, token, alice.address(), U256::from(500)).await;
    world.mined(minted).await;
    world.deposit(alice, ETH, ether(1000)).await;
    world.deposit(alice, token, U256::from(300)).await;
    world.deposit(&world.bob, ETH, U256::one()).await;

    let deposits: Vec<_> = world.events().await.into_iter().map(|event| event.event).collect();
    let deposit = |blknum, depositor, currency, amount| RootChainEvent::DepositCreated {
        depositor,
        blknum: Blknum::new(blknum),
        currency,
        amount,
    };
    let (alice, bob) = (alice.address(), world.bob.address());
    assert_eq!(
        deposits,
        [
            deposit(1, alice, ETH, ether(1000)),
            deposit(2, alice, token, U256::from(300)),
            deposit(3, bob, ETH, U256::one()),
        ]
    );
    assert_eq!(world.client.balance(alice, token).await.unwrap(), U256::from(200));
    let vault = world.deployment.addresses.eth_vault;
    assert_eq!(world.client.balance(vault, ETH).await.unwrap(), ether(1000) + 1);

    for (currency, symbol) in [(ETH, "ETH"), (token, "PTT")] {
        let expected = TokenMetadata { symbol: symbol.to_owned(), decimals: 18 };
        assert_eq!(world.client.token_metadata(currency).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn an_allowance_is_renewed_only_where_it_is_too_small() {
    let world = World::new().await;
    let (alice, token) = (&world.alice, world.token());
    let minted = world.client.mint(alice, token, alice.address(), U256::from(500)).await;
    world.mined(minted).await;
    let approve = async |amount: u64| {
        let sent = world.client.approve_if_needed(alice, token, amount.into()).await;
        match sent.unwrap() {
            Some(sent) => {
                world.mined(Ok(sent)).await;
                true
            }
            None => false,
        }
    };
    assert!(approve(100).await);
    assert!(!approve(100).await);
    assert!(!approve(40).await);
    assert!(approve(101).await);
    world.deposit(alice, token, U256::from(101)).await;
    assert!(approve(1).await);
}

#[tokio::test]
async fn refused_deposits_cost_nothing_and_say_why() {
    let world = World::new().await;
    let (mallory, token) = (&world.mallory, world.token());
    let before = world.wei(mallory).await;
    for (currency, amount, expected) in [
        (ETH, U256::zero(), "AmountZero()".to_owned()),
        (ETH, ether(20_000_000), format!("{:?}", mallory.address())),
    ] {
        let error = world.client.deposit(mallory, currency, amount).await.unwrap_err();
        match error.cause() {
            RootChainCause::Reverted(revert) => assert_eq!(revert.to_string(), expected),
            RootChainCause::InsufficientFunds(_) => {}
            other => panic!("{other}"),
        }
    }
    assert_eq!(world.wei(mallory).await, before);
    // The allowance is given before the token refuses, and that is all that was paid for.
    let error = world.client.deposit(mallory, token, U256::one()).await.unwrap_err();
    assert_eq!(error.revert().unwrap().name(), "ERC20InsufficientBalance", "{error}");
    let unknown = world.client.token_metadata(mallory.address()).await.unwrap_err();
    assert_eq!(unknown.cause(), &RootChainCause::NoContract(mallory.address()));
}

#[tokio::test]
async fn events_are_the_same_in_ranges_of_any_size() {
    let mut world = World::new().await;
    for _ in 0..3 {
        world.deposit(&world.alice, ETH, U256::one()).await;
        world.dev.mine(2).await.unwrap();
    }
    let expected = world.events().await;
    assert_eq!(expected.len(), 3);
    let newest = world.root_chain.eth_height().await.unwrap();
    for range_max in [1, 2, 7] {
        world.config.event_range_eth_blocks_max = range_max;
        let root_chain =
            EthersRootChain::new(world.config.clone(), &world.deployment, None).unwrap();
        let events =
            root_chain.events(&EVERY_KIND, world.deployment.eth_height, newest).await.unwrap();
        assert_eq!(events, expected, "{range_max}");
    }

    let none = [
        (vec![], EthHeight::new(0), newest),
        (vec![EventKind::ExitStarted], EthHeight::new(0), newest),
        (EVERY_KIND.to_vec(), newest, newest.minus(1)),
        (EVERY_KIND.to_vec(), newest, newest),
    ];
    for (kinds, from, to) in none {
        assert_eq!(world.root_chain.events(&kinds, from, to).await.unwrap(), []);
    }
    let beyond = newest.plus(1);
    let error = world.root_chain.events(&EVERY_KIND, newest, beyond).await.unwrap_err();
    assert_eq!(error.cause(), &RootChainCause::BeyondHead { wanted: beyond, newest });
}

#[tokio::test]
async fn a_reorganised_deposit_is_gone_and_blocks_have_other_hashes() {
    let world = World::new().await;
    world.deposit(&world.alice, ETH, U256::one()).await;
    let height = world.root_chain.eth_height().await.unwrap();
    let before = world.root_chain.block(height).await.unwrap().unwrap();
    assert_eq!(world.events().await[0].eth_block_hash, before.hash);
    world.dev.reorg(1).await.unwrap();
    assert_eq!(world.events().await, []);
    let after = world.root_chain.block(height).await.unwrap().unwrap();
    assert_ne!(after.hash, before.hash);
    assert_eq!(world.root_chain.block(height.plus(1)).await.unwrap(), None);
    world.dev.rollback(1).await.unwrap();
    assert_eq!(world.root_chain.eth_height().await.unwrap(), height.minus(1));
}
