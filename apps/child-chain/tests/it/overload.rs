//! More than the node can do is refused, and nothing that was refused was done.

use crate::kit::{World, code, eventually, post, soon};
use crate::wallet::{self, alice};
use futures::future::join_all;
use plasma_node::core_actor::Order;
use plasma_rpc::child_chain::{BATCH_SUBMIT_TRANSACTIONS_MAX, BatchItem, TRANSACTION_SUBMIT};
use std::cell::Cell;
use std::sync::mpsc;

#[actix::test]
async fn a_batch_longer_than_the_limit_is_refused() {
    let world = World::new().await;
    let operator = world.start().await;
    let batch = vec![vec![0xc0]; BATCH_SUBMIT_TRANSACTIONS_MAX + 1];
    let refused = operator.submit_batch(batch).await.unwrap_err();
    assert_eq!(code(refused), "operation:bad_request");
    let long = format!(r#"{{"hash":"0x{}"}}"#, "0".repeat(64 * 1024));
    let (status, body) = post(operator.addr, "block.get", long).await;
    assert_eq!(status, 413);
    assert!(body.contains("operation:request_too_large"), "{body}");
    operator.stop().await;
}

#[actix::test]
async fn a_thousand_payments_of_one_batch_are_in_one_block_in_their_order() {
    let world = World::new().await;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address(); 900], 10).await;
    let mut batch: Vec<_> = deposited.iter().map(|deposit| wallet::to_bob(*deposit, 10)).collect();
    batch.insert(450, batch[0].clone());
    let items = operator.submit_batch(batch).await.unwrap();
    let twice = BatchItem::Refused { error: "utxo_not_found".to_owned() };
    assert_eq!(items[450], twice);
    let accepted = |item: &BatchItem| match item {
        BatchItem::Accepted(answer) => Some(*answer),
        BatchItem::Refused { .. } => None,
    };
    let answers: Vec<_> = items.iter().filter_map(accepted).collect();
    assert_eq!(answers.len(), 900);
    assert!(answers.iter().zip(0..).all(|(answer, index)| answer.txindex.get() == index));
    world.check(&operator, &answers).await;
    operator.stop().await;
}

#[actix::test]
async fn more_submissions_than_may_run_at_once_are_refused_undone() {
    let world = World::new().await;
    let operator = world.start().await;
    let in_flight_max = TRANSACTION_SUBMIT.spec.in_flight_max;
    let deposited =
        world.deposit(&operator, &vec![alice().address(); in_flight_max + 44], 10).await;

    // Keeps the ledger busy until the sender is dropped.
    let (release, busy) = mpsc::channel::<()>();
    let state = operator.tree.get().unwrap().state;
    let blocked = tokio::task::spawn_local(async move {
        let block = state.decide(Order::Pipelined, move |_, _| {
            let _ = busy.recv();
            Ok(((), Vec::new()))
        });
        block.await.unwrap();
    });
    let refused = Cell::new(0);
    let submit = async |deposit| {
        let answer = operator.submit(&wallet::to_bob(deposit, 10)).await;
        refused.set(refused.get() + usize::from(answer.is_err()));
        answer
    };
    let releasing = async {
        eventually("some are refused", async || (refused.get() == 44).then_some(())).await;
        drop(release);
    };
    let submitting = join_all(deposited.iter().map(|deposit| submit(*deposit)));
    let (answers, ()) = tokio::join!(submitting, releasing);
    soon("the ledger is free", blocked).await.unwrap();

    let mut accepted = Vec::new();
    for (answer, deposit) in answers.into_iter().zip(deposited) {
        match answer {
            Ok(answer) => accepted.push(answer),
            Err(error) => {
                assert!(error.is_transient());
                assert_eq!(code(error), "operation:overloaded");
                accepted.push(operator.submit(&wallet::to_bob(deposit, 10)).await.unwrap());
            }
        }
    }
    world.check(&operator, &accepted).await;
    operator.stop().await;
}
