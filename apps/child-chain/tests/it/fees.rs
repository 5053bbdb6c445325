//! The fee file: changes take effect, what was asked before is accepted for a while, and a bad file changes nothing.

use crate::kit::{Operator, World, eventually, fee_file, post};
use crate::wallet::{self, alice};
use plasma_core::wire::{ETH, TxType, UtxoPos};

const INVALID: &str = "invalid_fee_source";

/// A payment of a deposit of 10 that leaves this fee.
fn paying(deposit: UtxoPos, fee: u64) -> Vec<u8> {
    wallet::payment(&alice(), &[deposit], &[(alice().address(), 10 - fee)])
}

/// Waits until these amounts are accepted, the current one first.
async fn accepted(operator: &Operator, amounts: &[u64]) {
    let amounts: Vec<_> = amounts.iter().map(|amount| wallet::wei(*amount)).collect();
    eventually(&format!("fees of {amounts:?} are accepted"), async || {
        let fees = operator.tree.get()?.fees.borrow().clone();
        let found = fees.accepted.of(TxType::Payment)?.get(&ETH).cloned();
        (found.as_ref() == Some(&amounts)).then_some(())
    })
    .await;
}

#[actix::test]
async fn a_changed_fee_is_asked_at_once_and_the_old_one_is_accepted_for_a_while() {
    let world = World::new().await;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address(); 3], 10).await;
    accepted(&operator, &[1]).await;
    assert_eq!(operator.refusal(&paying(deposited[0], 2)).await, "submit:overpaying_fees");
    assert_eq!(operator.refusal(&paying(deposited[0], 0)).await, "submit:fees_not_covered");

    world.write_fees(&fee_file(&[(ETH, 3)]));
    accepted(&operator, &[3, 1]).await;
    let (_, shown) = post(operator.addr, "fees.all", "{}").await;
    assert!(shown.contains(r#""amount":3,"#), "{shown}");
    let old = operator.submit(&paying(deposited[0], 1)).await.unwrap();
    let new = operator.submit(&paying(deposited[1], 3)).await.unwrap();
    assert_eq!(operator.refusal(&paying(deposited[2], 2)).await, "submit:fees_not_covered");
    world.check(&operator, &[old, new]).await;
    operator.stop().await;
}

#[actix::test]
async fn an_operator_may_take_a_little_more_than_the_fee() {
    let mut world = World::new().await;
    world.config.fee_overpay_percent_max = 50;
    world.write_fees(&fee_file(&[(ETH, 4)]));
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address(); 3], 10).await;
    let answers = [
        operator.submit(&paying(deposited[0], 4)).await.unwrap(),
        operator.submit(&paying(deposited[1], 6)).await.unwrap(),
    ];
    assert_eq!(operator.refusal(&paying(deposited[2], 7)).await, "submit:overpaying_fees");
    assert_eq!(operator.refusal(&paying(deposited[2], 3)).await, "submit:fees_not_covered");
    // What was paid too much is collected with the rest.
    world.check(&operator, &answers).await;
    operator.stop().await;
}

#[actix::test]
async fn the_old_fee_is_refused_when_its_time_is_over() {
    let mut world = World::new().await;
    world.config.fee_buffer_ms = 300;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address()], 10).await;
    world.write_fees(&fee_file(&[(ETH, 3)]));
    accepted(&operator, &[3, 1]).await;
    accepted(&operator, &[3]).await;
    assert_eq!(operator.refusal(&paying(deposited[0], 1)).await, "submit:fees_not_covered");
    let answer = operator.submit(&paying(deposited[0], 3)).await.unwrap();
    world.check(&operator, &[answer]).await;
    operator.stop().await;
}

#[actix::test]
async fn a_fee_file_that_cannot_be_used_raises_an_alarm_and_changes_nothing() {
    let world = World::new().await;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address(); 3], 10).await;
    let mut answers = Vec::new();
    for (bad, deposit) in ["{", r#"{"1":{"0x00":{}}}"#].into_iter().zip(&deposited) {
        world.write_fees(bad);
        operator.alarm(INVALID, true).await;
        answers.push(operator.submit(&paying(*deposit, 1)).await.unwrap());
        world.write_fees(&fee_file(&[(ETH, 1)]));
        operator.alarm(INVALID, false).await;
    }
    std::fs::remove_file(&world.config.fee_specs_path).unwrap();
    operator.alarm(INVALID, true).await;
    answers.push(operator.submit(&paying(deposited[2], 1)).await.unwrap());
    world.check(&operator, &answers).await;
    assert_eq!(operator.tree_starts().await, 1);
    operator.stop().await;
}

#[actix::test]
async fn without_a_usable_fee_file_a_node_does_not_start_and_says_why() {
    let world = World::new().await;
    let path = world.config.fee_specs_path.clone();
    world.write_fees(r#"{"1":{"0x00":{}}}"#);
    let error = world.launch().await.ended().await;
    assert!(error.contains(path.to_str().unwrap()) && error.contains("is wrong"), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = world.launch().await.ended().await;
    assert!(error.contains(path.to_str().unwrap()) && error.contains("cannot be read"), "{error}");
}
