//! A root chain that is away is waited for: nothing dies, nothing is lost, and clients are told.

use crate::kit::{World, code, eventually, get};
use crate::wallet::{self, alice};
use plasma_eth::{ErrorKind, RootChain};

const AWAY: &str = "ethereum_connection_error";
const UNAVAILABLE: &str = "operation:service_unavailable";

#[actix::test]
async fn while_the_root_chain_is_away_blocks_are_served_and_payments_are_refused() {
    let world = World::new().await;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address(); 2], 10).await;
    let accepted = operator.submit(&wallet::to_bob(deposited[0], 10)).await.unwrap();
    let root = world.check(&operator, &[accepted]).await[0].hash;

    world.chain.go_away();
    operator.alarm(AWAY, true).await;
    let payment = wallet::to_bob(deposited[1], 10);
    assert_eq!(operator.refusal(&payment).await, UNAVAILABLE);
    let batch = operator.submit_batch(vec![payment.clone()]).await;
    assert_eq!(code(batch.unwrap_err()), UNAVAILABLE);
    let (status, body) = crate::kit::post(operator.addr, "fees.all", "{}").await;
    assert_eq!(
        (status, body.as_str()),
        (
            200,
            r#"{"success":false,"data":{"object":"error","code":"operation:service_unavailable","description":"The server is not ready to handle the request. Check the alarms for more info."}}"#
        )
    );
    assert_eq!(get(operator.addr, "health").await.0, 503);
    assert_eq!(operator.block(root).await.unwrap().hash, root);
    assert_eq!(get(operator.addr, "configuration.get").await.0, 200);

    world.chain.come_back();
    operator.alarm(AWAY, false).await;
    let accepted = operator.submit(&payment).await.unwrap();
    world.check(&operator, &[accepted]).await;
    assert_eq!(operator.tree_starts().await, 1, "an actor died of it");
    operator.stop().await;
}

#[actix::test]
async fn a_root_chain_that_is_away_at_the_start_is_waited_for() {
    let world = World::new().await;
    world.chain.go_away();
    let operator = world.launch().await;
    operator.alarm(AWAY, true).await;
    assert_eq!(operator.refusal(&[0xc0]).await, UNAVAILABLE);
    assert!(operator.alarms().await.contains(&"boot_in_progress".to_owned()));
    world.chain.come_back();
    operator.healthy().await;
    assert_eq!(operator.alarms().await, [""; 0]);
    let deposited = world.deposit(&operator, &[alice().address()], 10).await;
    let accepted = operator.submit(&wallet::to_bob(deposited[0], 10)).await.unwrap();
    world.check(&operator, &[accepted]).await;
    operator.stop().await;
}

#[actix::test]
async fn a_node_that_is_stopped_while_it_waits_for_the_root_chain_stops() {
    let world = World::new().await;
    world.chain.go_away();
    let operator = world.launch().await;
    operator.alarm(AWAY, true).await;
    operator.stop().await;
    drop(world.open_store().await);
}

#[actix::test]
async fn a_root_chain_that_stands_still_raises_an_alarm() {
    let mut world = World::new().await;
    world.config.eth_height_monitor.stalled_ms = 1_000;
    let operator = world.start().await;
    operator.alarm("ethereum_stalled_sync", true).await;
    assert_eq!(operator.refusal(&[0xc0]).await, UNAVAILABLE);
    world.chain.mine(1);
    operator.alarm("ethereum_stalled_sync", false).await;
    operator.stop().await;
}

#[actix::test]
async fn a_cluster_whose_nodes_lag_and_repeat_events_changes_nothing() {
    let world = World::new().await;
    // Four of them, so that the three calls of a tick do not always ask the same ones.
    world.chain.set_cluster(&[0, 2, 1, 1]);
    world.chain.duplicate_events(true);
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address(); 3], 10).await;
    let mut answers = Vec::new();
    for deposit in deposited {
        answers.push(operator.submit(&wallet::to_bob(deposit, 10)).await.unwrap());
        let newest = answers.last().unwrap().blknum;
        operator
            .mine_until("the block is mined", async || {
                world.chain.submission_state().await.unwrap().mined_blknum >= newest
            })
            .await;
    }
    world.chain.set_cluster(&[]);
    world.check(&operator, &answers).await;
    assert_eq!(operator.tree_starts().await, 1);
    operator.stop().await;
}

#[actix::test]
async fn a_cluster_whose_nodes_lag_does_not_keep_a_process_from_starting() {
    let world = World::new().await;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address()], 10).await;
    let accepted = operator.submit(&wallet::to_bob(deposited[0], 10)).await.unwrap();
    world.check(&operator, &[accepted]).await;
    operator.stop().await;
    // Of the questions of a start, the third is the one for the root of the newest block.
    world.chain.set_cluster(&[0, 0, 1, 0]);
    let operator = world.start().await;
    world.chain.set_cluster(&[]);
    world.check(&operator, &[accepted]).await;
    operator.stop().await;
}

#[actix::test]
async fn calls_that_fail_in_passing_are_repeated() {
    let world = World::new().await;
    world.chain.fail_next(2, ErrorKind::Transient);
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address(); 5], 10).await;
    let mut answers = Vec::new();
    for (deposit, failures) in deposited.into_iter().zip(1..) {
        let payment = wallet::to_bob(deposit, 10);
        world.chain.fail_next(failures, ErrorKind::Transient);
        let answer =
            eventually("a payment is accepted", async || match operator.submit(&payment).await {
                Ok(answer) => Some(answer),
                Err(error) => {
                    assert!(error.is_transient(), "{error}");
                    None
                }
            });
        answers.push(answer.await);
        world.mined(answers.last().unwrap().blknum).await;
    }
    world.check(&operator, &answers).await;
    assert_eq!(operator.tree_starts().await, 1);
    operator.stop().await;
}
