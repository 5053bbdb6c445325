//! An honest operator: what is in the blocks is in the ledger, and everything a user may ask is answered.

use crate::kit::{World, code, get};
use crate::users::{Who, at, deposit_tx, output, pay, unsigned};
use Who::{Alice, Bob, Carol};
use plasma_core::wire::{Blknum, ETH, InclusionProof, U256, merkle::leaf_hash};
use plasma_rpc::params::NoParams;
use plasma_rpc::watcher::{CONFIGURATION_GET, WatcherConfiguration};

#[actix::test]
async fn deposits_and_payments_over_several_blocks_become_what_their_owners_can_exit() {
    let mut world = World::new().await;
    let deposit = world.deposit(Alice, 10);
    let watched = world.start().await;
    let to_bob = pay(&[(deposit, Alice)], &[(Bob, 6), (Alice, 4)]);
    let first = world.block(vec![to_bob.clone()]);
    let (bobs, change) = (output(&first, 0, 0), output(&first, 0, 1));
    let other = world.deposit(Carol, 3);
    // Spent in the block that made it, and merged with a younger deposit.
    let to_carol = pay(&[(bobs, Bob)], &[(Carol, 6)]);
    let carols = at(Blknum::new(2_000), 0, 0);
    let merged = pay(&[(carols, Carol), (other, Carol)], &[(Carol, 9)]);
    let second = world.block(vec![to_carol, merged]);
    let status = watched.validated(second.number).await;
    assert_eq!(status.byzantine_events, []);

    assert_eq!(watched.exitable_positions(Alice).await, [change]);
    assert_eq!(watched.exitable_positions(Bob).await, []);
    let [exitable] = &watched.exitable(Carol.address()).await[..] else { panic!("one output") };
    assert_eq!(exitable.utxo_pos, output(&second, 1, 0));
    assert_eq!((exitable.owner, exitable.otype), (Carol.address(), 1));
    assert_eq!((exitable.currency, exitable.amount), (ETH, U256::from(9)));
    let place = (exitable.blknum, exitable.txindex.get(), exitable.oindex.get());
    assert_eq!(place, (second.number, 1, 0));

    let data = watched.exit_data(change).await.unwrap();
    assert_eq!((data.utxo_pos, &data.txbytes), (change, &unsigned(&to_bob)));
    let proof = InclusionProof::from_bytes(&data.proof).unwrap();
    assert!(proof.verify(leaf_hash(&data.txbytes), 0, first.hash));
    let data = watched.exit_data(exitable.utxo_pos).await.unwrap();
    let proof = InclusionProof::from_bytes(&data.proof).unwrap();
    assert!(proof.verify(leaf_hash(&data.txbytes), 1, second.hash));
    watched.stop().await;
}

#[actix::test]
async fn a_deposit_counts_after_its_margin_and_its_exit_data_has_a_proof() {
    let world = World::new().await;
    let watched = world.start().await;
    let blknum = world.chain.deposit(Alice.address(), ETH, 5.into());
    watched.synced().await;
    assert_eq!(watched.exitable_positions(Alice).await, [], "not confirmed");
    let deposit = at(blknum, 0, 0);
    assert_eq!(code(watched.exit_data(deposit).await.unwrap_err()), "exit:invalid");
    world.chain.mine(1);
    watched.synced().await;
    assert_eq!(watched.exitable_positions(Alice).await, [deposit]);
    let data = watched.exit_data(deposit).await.unwrap();
    assert_eq!(data.txbytes, deposit_tx(Alice, 5));
    let root =
        plasma_eth::RootChain::child_block(&world.chain, blknum).await.unwrap().unwrap().root;
    let proof = InclusionProof::from_bytes(&data.proof).unwrap();
    assert!(proof.verify(leaf_hash(&data.txbytes), 0, root));
    watched.stop().await;
}

#[actix::test]
async fn the_status_says_how_far_both_chains_are() {
    let mut world = World::new().await;
    let deposit = world.deposit(Alice, 10);
    let watched = world.start().await;
    let empty = watched.status().await;
    assert_eq!(empty.last_validated_child_block_number, Blknum::new(0));
    assert_eq!(empty.last_validated_child_block_timestamp, 0);
    let valid = world.block(vec![pay(&[(deposit, Alice)], &[(Bob, 10)])]);
    let valid_at_s = world.chain.newest_block().timestamp_s;
    let unserved = world.next_block(vec![pay(&[(output(&valid, 0, 0), Bob)], &[(Carol, 10)])]);
    world.submit(unserved.hash);
    let mined_at_s = world.chain.newest_block().timestamp_s;
    world.chain.mine(2);
    world.chain.set_syncing(true);
    world.chain.mine(1);
    let newest = world.chain.newest_block();
    let status = watched
        .until("the status is new", |status| {
            status.last_seen_eth_block_number == newest.eth_height
                && status.last_validated_child_block_number == valid.number
                && status.eth_syncing
                && status.last_validated_child_block_timestamp != 0
        })
        .await;
    assert_eq!(status.last_validated_child_block_timestamp, valid_at_s);
    assert_eq!(status.last_mined_child_block_number, unserved.number);
    assert_eq!(status.last_mined_child_block_timestamp, mined_at_s);
    assert_eq!(status.last_seen_eth_block_timestamp, newest.timestamp_s);
    assert_eq!((status.byzantine_events, status.in_flight_exits), (vec![], vec![]));
    let (shown, addresses) = (status.contract_addr, world.deployment.addresses);
    assert_eq!(shown.plasma_framework, addresses.plasma_framework);
    assert_eq!(shown.eth_vault, addresses.eth_vault);
    assert_eq!(shown.erc20_vault, addresses.erc20_vault);
    assert_eq!(shown.payment_exit_game, addresses.payment_exit_game);
    let mut services: Vec<String> =
        status.services_synced_heights.into_iter().map(|at| at.service).collect();
    services.sort();
    assert_eq!(
        services,
        [
            "block_getter",
            "depositor",
            "exit_challenger",
            "exit_finalizer",
            "exit_processor",
            "in_flight_exit_finalizer",
            "in_flight_exit_processor",
            "root_chain_height"
        ]
    );
    watched.stop().await;
}

#[actix::test]
async fn configuration_alarms_health_and_metrics_are_those_of_this_node() {
    let mut world = World::new().await;
    world.config.network = "FAKENET".to_owned();
    let deposit = world.deposit(Alice, 10);
    let block = world.block(vec![pay(&[(deposit, Alice)], &[(Bob, 10)])]);
    let watched = world.start().await;
    watched.validated(block.number).await;
    let configuration = watched.call(&CONFIGURATION_GET, &NoParams {}).await.unwrap();
    let expected = WatcherConfiguration {
        deposit_finality_margin: 1,
        contract_semver: world.deployment.contract_semver.clone(),
        network: "FAKENET".to_owned(),
        exit_processor_sla_margin: 1_000,
    };
    assert_eq!(configuration, expected);
    assert_eq!(watched.alarms().await, Vec::<String>::new());
    assert_eq!(get(watched.addr, "health").await.0, 200);
    assert_eq!(watched.metric("tree_starts_total").await, 1);
    assert_eq!(watched.metric("blocks_total").await, 1);
    assert_eq!(watched.metric("newest_blknum").await, 1_000);
    assert_eq!(watched.metric("byzantine_events").await, 0);
    watched.stop().await;
}

#[actix::test]
async fn outputs_that_are_leaving_cannot_be_exited_again() {
    let mut world = World::new().await;
    let (first, second) = (world.deposit(Alice, 10), world.deposit(Alice, 20));
    let watched = world.start().await;
    assert_eq!(watched.exitable_positions(Alice).await, [first, second]);
    world.chain.exit_started(Alice.address(), first, &deposit_tx(Alice, 10));
    watched.assert_quiet().await;
    assert_eq!(watched.exitable_positions(Alice).await, [second]);
    let watched = world.restart(watched).await;
    assert_eq!(watched.exitable_positions(Alice).await, [second]);
    // Challenged by mistake of the contract or not: the exit is over, the output stays.
    world.chain.exit_challenged(first);
    world.chain.mine(1);
    watched.synced().await;
    assert_eq!(watched.exitable_positions(Alice).await, [first, second]);
    let block = world.block(vec![pay(&[(second, Alice)], &[(Bob, 20)])]);
    watched.validated(block.number).await;
    assert_eq!(watched.exitable_positions(Alice).await, [first]);
    watched.stop().await;
}

#[actix::test]
async fn a_watcher_that_starts_late_catches_up_with_a_long_chain() {
    const BLOCKS: u32 = 120;
    const TRANSACTIONS: u32 = 25;
    let mut world = World::new().await;
    let mut unspent = Vec::new();
    for _ in 0..TRANSACTIONS {
        unspent.push(world.deposit(Alice, 10));
    }
    let people = [Alice, Bob];
    for round in 0..BLOCKS {
        let from = people[round as usize % 2];
        let to = people[(round as usize + 1) % 2];
        let txs = unspent.iter().map(|position| pay(&[(*position, from)], &[(to, 10)]));
        let block = world.block(txs.collect());
        unspent = (0..TRANSACTIONS).map(|txindex| output(&block, txindex, 0)).collect();
    }
    let watched = world.launch().await;
    let newest = Blknum::new(u64::from(BLOCKS) * 1_000);
    let status = watched.validated(newest).await;
    assert_eq!(status.byzantine_events, []);
    watched.synced().await;
    assert_eq!(watched.exitable_positions(Alice).await, unspent);
    assert_eq!(watched.exitable_positions(Bob).await, []);
    assert_eq!(watched.metric("blocks_total").await, u64::from(BLOCKS));
    watched.stop().await;
}
