//! Others fail: the root chain's node, the operator's server, and the newest history itself. Nobody dies of it, and nobody stays
//! behind.

use crate::kit::{Watched, World, code, eventually, get};
use crate::operator::Taking;
use crate::users::{Who, output, pay};
use Who::{Alice, Bob, Carol};
use plasma_core::wire::{Block, ETH};
use plasma_eth::{ErrorKind, Orphaned};
use plasma_rpc::watcher::ByzantineEvent;

async fn is_fine(watched: &Watched) {
    watched.assert_quiet().await;
    assert_eq!(watched.alarms().await, Vec::<String>::new());
    assert_eq!(get(watched.addr, "health").await.0, 200);
    assert_eq!(watched.metric("tree_starts_total").await, 1);
}

#[actix::test]
async fn a_root_chain_that_goes_away_raises_an_alarm_and_is_caught_up_with() {
    let mut world = World::new().await;
    let deposit = world.deposit(Alice, 10);
    let watched = world.start().await;
    world.chain.go_away();
    watched.alarm("ethereum_connection_error", true).await;
    assert_eq!(get(watched.addr, "health").await.0, 503);
    assert_eq!(watched.exitable_positions(Alice).await, [deposit]);
    let block = world.block(vec![pay(&[(deposit, Alice)], &[(Bob, 10)])]);
    let other = world.deposit(Carol, 5);
    world.chain.come_back();
    watched.alarm("ethereum_connection_error", false).await;
    watched.validated(block.number).await;
    watched.synced().await;
    assert_eq!(watched.exitable_positions(Bob).await, [output(&block, 0, 0)]);
    assert_eq!(watched.exitable_positions(Carol).await, [other]);
    is_fine(&watched).await;
    watched.stop().await;
}

#[actix::test]
async fn a_root_chain_that_fails_now_and_then_lags_and_repeats_itself_is_followed() {
    let mut world = World::new().await;
    let watched = world.start().await;
    // As many nodes as no loop makes calls in a round, or one of them would always get the same node.
    world.chain.set_cluster(&[0, 2, 1, 0, 1, 2, 0]);
    world.chain.duplicate_events(true);
    let mut last = world.deposit(Alice, 10);
    let mut owner = Alice;
    for (round, next) in [Bob, Carol, Alice, Bob].into_iter().enumerate() {
        world.chain.fail_next(2 * round as u64 + 1, ErrorKind::Transient);
        let block = world.block(vec![pay(&[(last, owner)], &[(next, 10)])]);
        (last, owner) = (output(&block, 0, 0), next);
        world.chain.mine(3);
        watched.validated(block.number).await;
    }
    watched.synced().await;
    assert_eq!(watched.exitable_positions(owner).await, [last]);
    is_fine(&watched).await;
    watched.stop().await;
}

#[actix::test]
async fn an_operator_who_goes_away_is_waited_for() {
    let mut world = World::new().await;
    let deposit = world.deposit(Alice, 10);
    let watched = world.start().await;
    world.operator.go_away().await;
    let payment = pay(&[(deposit, Alice)], &[(Bob, 10)]);
    assert_eq!(code(watched.submit(&payment).await.unwrap_err()), "submit:host_unreachable");
    let block = world.block(vec![payment]);
    let next = world.block(vec![pay(&[(output(&block, 0, 0), Bob)], &[(Carol, 10)])]);
    world.chain.mine(2);
    watched
        .until("the blocks are known of", |status| {
            status.last_mined_child_block_number == next.number
        })
        .await;
    world.operator.come_back().await;
    watched.validated(next.number).await;
    assert_eq!(watched.exitable_positions(Carol).await, [output(&next, 0, 0)]);
    world.operator.take(Taking::Refuses("utxo_not_found"));
    is_fine(&watched).await;
    watched.stop().await;
}

#[actix::test]
async fn a_deposit_that_a_reorganisation_removes_never_was() {
    let world = World::new().await;
    let watched = world.start().await;
    world.chain.deposit(Alice.address(), ETH, 10.into());
    watched.synced().await;
    world.chain.reorg(1, Orphaned::Dropped);
    let bobs = world.deposit(Bob, 20);
    watched.synced().await;
    assert_eq!(watched.exitable_positions(Alice).await, []);
    assert_eq!(watched.exitable_positions(Bob).await, [bobs]);
    is_fine(&watched).await;
    watched.stop().await;
}

/// A valid block, then a reorganisation that removes its submission.
async fn reorganised(world: &mut World, watched: &Watched, is_served: bool) -> Block {
    let deposit = world.deposit(Alice, 10);
    let block = world.next_block(vec![pay(&[(deposit, Alice)], &[(Bob, 10)])]);
    if is_served {
        world.operator.serve(block.hash, &block);
    }
    world.submit(block.hash);
    watched
        .until("the submission is known", |status| {
            status.last_mined_child_block_number == block.number
                && (!is_served || status.last_validated_child_block_number == block.number)
        })
        .await;
    world.chain.reorg(1, Orphaned::Dropped);
    world.forget_from(block.number);
    block
}

#[actix::test]
async fn a_submission_that_is_replaced_before_it_was_applied_is_forgotten() {
    let mut world = World::new().await;
    let watched = world.start().await;
    let gone = reorganised(&mut world, &watched, false).await;
    let deposit = world.deposit(Carol, 5);
    let block = world.block(vec![pay(&[(deposit, Carol)], &[(Bob, 5)])]);
    assert_eq!((gone.number, gone.hash == block.hash), (block.number, false));
    world.chain.mine(1);
    watched.validated(block.number).await;
    watched.synced().await;
    assert_eq!(watched.exitable_positions(Bob).await, [output(&block, 0, 0)]);
    assert_eq!(watched.exitable_positions(Alice).await.len(), 1);
    is_fine(&watched).await;
    watched.stop().await;
}

#[actix::test]
async fn an_applied_block_that_is_submitted_again_is_no_fault() {
    let mut world = World::new().await;
    let watched = world.start().await;
    let block = reorganised(&mut world, &watched, true).await;
    world.chain.mine(2);
    world.submit(block.hash);
    let next = world.block(vec![pay(&[(output(&block, 0, 0), Bob)], &[(Carol, 10)])]);
    watched.validated(next.number).await;
    is_fine(&watched).await;
    watched.stop().await;
}

#[actix::test]
async fn another_root_for_an_applied_block_is_a_fault() {
    let mut world = World::new().await;
    let mut watched = world.start().await;
    let block = reorganised(&mut world, &watched, true).await;
    let other = world.block(vec![]);
    assert_eq!(other.number, block.number);
    world.chain.mine(1);
    for restarted in [false, true] {
        if restarted {
            watched = world.restart(watched).await;
        }
        let events = watched.events(&["invalid_block"]).await;
        let [ByzantineEvent::InvalidBlock(event)] = &events[..] else { panic!("{events:?}") };
        assert_eq!((event.blknum, event.hash), (block.number, other.hash));
        assert_eq!(event.error_type, "submitted_root_changed");
    }
    watched.stop().await;
}

#[actix::test]
async fn a_node_that_starts_before_its_root_chain_and_operator_waits_for_both() {
    let mut world = World::new().await;
    let deposit = world.deposit(Alice, 10);
    let block = world.block(vec![pay(&[(deposit, Alice)], &[(Bob, 10)])]);
    world.operator.go_away().await;
    world.chain.go_away();
    let watched = world.launch().await;
    watched.alarm("boot_in_progress", true).await;
    assert_eq!(get(watched.addr, "health").await.0, 503);
    world.chain.come_back();
    eventually("it is healthy", async || {
        (get(watched.addr, "health").await.0 == 200).then_some(())
    })
    .await;
    world.operator.come_back().await;
    watched.validated(block.number).await;
    is_fine(&watched).await;
    watched.stop().await;
}
