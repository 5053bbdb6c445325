//! Honest blocks: what is in them is served, whatever dies, restarts, moves or goes away meanwhile.

use crate::kit::{D, E, World, alice, bob, pos, until};
use plasma_core::wire::merkle::leaf_hash;
use plasma_core::wire::{Blknum, H256, InclusionProof, SignedTx, UtxoPos};
use plasma_eth::{Orphaned, RootChain};
use plasma_node::supervisor::SupervisorError;
use watcher::tree::WatcherError;

#[actix::test]
async fn deposits_and_payments_are_followed_and_can_be_taken_out() {
    let mut world = World::new().await;
    let watcher = world.watch().await;
    let deposit = world.deposit(&alice(), 10);
    let kept = world.deposit(&alice(), 5);
    let first = world.pay(&[(deposit, &alice())], &[(bob().address(), 6), (alice().address(), 4)]);
    let second = world.pay(&[(pos(1000, 0, 1), &alice())], &[(bob().address(), 4)]);
    let block = world.next_block(&[first.clone(), second.clone()]);
    world.submit(block.hash, Some(block.clone()));
    watcher.applied(block.number).await;

    assert_eq!(watcher.exitable(&bob()).await, [pos(1000, 0, 0), pos(1000, 1, 0)]);
    assert_eq!(watcher.exitable(&alice()).await, [kept]);
    for (position, bytes) in [(pos(1000, 0, 1), &first), (pos(1000, 1, 0), &second)] {
        let data = watcher.exit_data(position).await.unwrap();
        let signed = SignedTx::decode(bytes).unwrap();
        assert_eq!((data.utxo_pos, data.txbytes), (position, signed.unsigned_bytes()));
        let proof = InclusionProof::from_bytes(&data.proof).unwrap();
        assert!(proof.verify(signed.leaf(), position.txindex.get(), block.hash));
    }
    let of_deposit = watcher.exit_data(kept).await.unwrap();
    let on_chain = world.root_chain.child_block(kept.blknum).await.unwrap().unwrap();
    let proof = InclusionProof::from_bytes(&of_deposit.proof).unwrap();
    assert!(proof.verify(leaf_hash(&of_deposit.txbytes), 0, on_chain.root));

    watcher.caught_up(&world).await;
    let status = watcher.status().await;
    assert_eq!(status.byzantine_events, []);
    assert_eq!(status.last_mined_child_block_number, block.number);
    let newest = world.root_chain.newest_block();
    assert_eq!(status.last_validated_child_block_timestamp, newest.timestamp_s);
    assert_eq!(status.last_seen_eth_block_timestamp, newest.timestamp_s);
    let addresses = world.deployment.addresses;
    assert_eq!(status.contract_addr.payment_exit_game, addresses.payment_exit_game);
    watcher.stop().await;
}

#[actix::test]
async fn a_block_waits_for_the_deposits_it_spends_and_nobody_is_blamed() {
    let mut world = World::new().await;
    let watcher = world.watch().await;
    let early = world.any_block();
    let blknum = world.root_chain.deposit(alice().address(), Default::default(), 10.into());
    let payment = world.pay(&[(UtxoPos::deposit(blknum), &alice())], &[(bob().address(), 10)]);
    let block = world.block(&[payment]);
    watcher.applied(early).await;
    assert_eq!(watcher.exitable(&bob()).await, []);
    world.root_chain.mine(D);
    watcher.applied(block).await;
    assert_eq!(watcher.status().await.byzantine_events, []);
    assert_eq!(watcher.exitable(&bob()).await, [pos(block.get(), 0, 0)]);
    watcher.stop().await;
}

#[actix::test]
async fn a_restart_continues_from_disk() {
    let mut world = World::new().await;
    let mut output = world.deposit(&alice(), 10);
    for _ in 0..4 {
        let watcher = world.watch().await;
        for _ in 0..3 {
            let payment = world.pay(&[(output, &alice())], &[(alice().address(), 10)]);
            let block = world.block(&[payment]);
            output = pos(block.get(), 0, 0);
        }
        watcher.applied(output.blknum).await;
        assert_eq!(watcher.exitable(&alice()).await, [output]);
        watcher.stop().await;
    }
    // What is on disk is served before the root chain says anything.
    world.root_chain.go_away();
    let watcher = world.watch().await;
    assert_eq!(watcher.exitable(&alice()).await, [output]);
    assert!(watcher.exit_data(output).await.is_ok());
    watcher.stop().await;
}

#[actix::test]
async fn the_death_of_any_actor_is_survived() {
    let mut world = World::new().await;
    let mut output = world.deposit(&alice(), 10);
    let watcher = world.watch().await;
    watcher.status().await;
    let actors = watcher.tree.actors();
    assert!(actors.len() >= 10, "{actors:?}");
    watcher.stop().await;
    // Some at a time, since pauses between restarts grow.
    for actors in actors.chunks(4) {
        let mut watcher = world.watch().await;
        for actor in actors {
            watcher.tree.wait().await.unwrap();
            let payment = world.pay(&[(output, &alice())], &[(alice().address(), 10)]);
            let block = world.block(&[payment]);
            assert!(watcher.tree.crash(actor), "{actor}");
            watcher.tree.wait_down().await;
            watcher.applied(block).await;
            output = pos(block.get(), 0, 0);
            assert_eq!(watcher.exitable(&alice()).await, [output], "after {actor}");
        }
        watcher.stop().await;
    }
    let watcher = world.watch().await;
    world.exit_deposit(pos(1, 0, 0), &alice(), 10);
    world.root_chain.mine(E);
    watcher.events(&[("invalid_exit", pos(1, 0, 0).encode())]).await;
    watcher.stop().await;
}

#[actix::test]
async fn a_root_chain_that_is_away_raises_an_alarm_and_kills_nobody() {
    let mut world = World::new().await;
    let watcher = world.watch().await;
    let deposit = world.deposit(&alice(), 10);
    world.any_block();
    watcher.applied(Blknum::new(1000)).await;
    world.root_chain.go_away();
    let alarm = "ethereum_connection_error";
    until("the alarm", async || watcher.has_alarm(alarm).await.then_some(())).await;
    let none = serde_json::json!({});
    let status = watcher.call("status.get", &none).await;
    assert_eq!(status, Err("operation:service_unavailable".to_owned()));
    assert_eq!(watcher.exitable(&alice()).await, [deposit]);
    assert!(watcher.exit_data(deposit).await.is_ok());
    world.root_chain.come_back();
    let payment = world.pay(&[(deposit, &alice())], &[(bob().address(), 10)]);
    let block = world.block(&[payment]);
    watcher.applied(block).await;
    assert_eq!(watcher.alarms().await, []);
    assert!(watcher.tree.clone().get().is_some());
    assert_eq!(watcher.exitable(&bob()).await, [pos(block.get(), 0, 0)]);
    watcher.stop().await;
}

#[actix::test]
async fn an_operator_who_is_away_for_a_while_is_followed_again() {
    let mut world = World::new().await;
    let deposit = world.deposit(&alice(), 10);
    let watcher = world.watch().await;
    let first = world.any_block();
    watcher.applied(first).await;
    world.operator.go_away().await;
    let payment = world.pay(&[(deposit, &alice())], &[(bob().address(), 10)]);
    let block = world.block(&[payment]);
    let is_seen = |status: &_| mined(status) == block;
    let status = watcher.status_when("the submission to be seen", is_seen).await;
    assert_eq!(status.last_validated_child_block_number, first);
    assert_eq!(status.byzantine_events, []);
    world.operator.come_back().await;
    watcher.applied(block).await;
    watcher.stop().await;
}

fn mined(status: &plasma_rpc::watcher::Status) -> Blknum {
    status.last_mined_child_block_number
}

#[actix::test]
async fn blocks_that_a_reorganisation_moves_are_applied_once() {
    let mut world = World::new().await;
    let deposit = world.deposit(&alice(), 10);
    let watcher = world.watch().await;
    let payment = world.pay(&[(deposit, &alice())], &[(bob().address(), 10)]);
    let block = world.block(&[payment]);
    watcher.applied(block).await;
    world.root_chain.reorg(1, Orphaned::BackToPool);
    world.root_chain.mine(2);
    let payment = world.pay(&[(pos(1000, 0, 0), &bob())], &[(alice().address(), 10)]);
    let next = world.block(&[payment]);
    watcher.applied(next).await;
    assert_eq!(watcher.status().await.byzantine_events, []);
    assert_eq!(watcher.exitable(&alice()).await, [pos(next.get(), 0, 0)]);
    watcher.stop().await;
}

/// Regression: whoever came back after ten thousand blocks read submissions for ever, because those that do not fit in memory are
/// to be read again, and so never applied a block that would have made room.
#[actix::test]
async fn a_watcher_that_is_ten_thousand_blocks_behind_catches_up() {
    let mut world = World::new().await;
    for _ in 0..60 {
        world.any_block();
    }
    for batch in 0..101 {
        let root = |index: u64| H256::from_low_u64_be(1 + batch * 100 + index);
        world.root_chain.mine_block(|block| {
            for index in 0..100 {
                block.raw_root(root(index));
            }
        });
    }
    let watcher = world.watch().await;
    watcher.applied(Blknum::new(60_000)).await;
    watcher.stop().await;
}

#[actix::test]
async fn a_watcher_does_not_start_where_it_could_not_protect_anybody() {
    let mut world = World::new().await;
    let day_eth_blocks = 24 * 60 * 60 / 12;
    world.config.exit_processor_sla_margin_eth_blocks = 7 * day_eth_blocks;
    let failure = world.watch().await.failure().await;
    let too_big = matches!(failure, SupervisorError::Build(WatcherError::SlaMargin(_)));
    assert!(too_big, "{failure}");
    world.config.exit_processor_sla_margin_forced = true;
    let watcher = world.watch().await;
    watcher.status().await;
    watcher.stop().await;
    world.deployment.addresses.erc20_vault = Default::default();
    let failure = world.watch().await.failure().await;
    assert!(matches!(failure, SupervisorError::Build(WatcherError::Startup(_))), "{failure}");
}
