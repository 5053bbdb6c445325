//! Any actor may die at any moment, while payments come in: what was acknowledged is in a block once, at the place that was answered.

use crate::kit::{Operator, World, code, eventually, get};
use crate::wallet::{self, alice};
use futures::stream::{self, StreamExt};
use plasma_core::wire::{TxHash, UtxoPos};
use plasma_rpc::child_chain::SubmitAnswer;
use std::cell::Cell;
use std::collections::BTreeSet;

/// Submissions at a time.
const AT_ONCE: usize = 8;
/// Payments that have to be acknowledged before the next actor dies.
const BETWEEN_DEATHS: usize = 10;

/// What a client knows of a payment it submitted until it was sure.
enum Known {
    Answered(SubmitAnswer),
    /// The answer got lost with the actors; submitted again, its input was gone.
    InSomeBlock(TxHash),
}

/// Submits a payment of this deposit, again and again while the node is not ready.
async fn pay(operator: &Operator, deposit: UtxoPos, answered: &Cell<usize>) -> Known {
    let transaction = wallet::to_bob(deposit, 10);
    let mut tries = 0;
    eventually("a payment is accepted", async || {
        tries += 1;
        match operator.submit(&transaction).await {
            Ok(answer) => {
                answered.set(answered.get() + 1);
                Some(Known::Answered(answer))
            }
            Err(error) if error.is_transient() => None,
            Err(error) => {
                let code = code(error);
                assert!(tries > 1 && code == "submit:utxo_not_found", "{code}");
                Some(Known::InSomeBlock(wallet::decode(&transaction).hash()))
            }
        }
    })
    .await
}

#[actix::test]
async fn whichever_actor_dies_every_acknowledged_payment_is_in_a_block_once() {
    let world = World::new().await;
    let operator = world.start().await;
    let actors = operator.tree.actors();
    assert_eq!(
        actors,
        [
            "block_queue",
            "depositor",
            "eth_height_monitor",
            "exiter",
            "fee_server",
            "in_flight_exiter",
            "memory_monitor",
            "root_chain_coordinator",
            "state"
        ]
    );
    let deposited = world.deposit(&operator, &[alice().address(); 400], 10).await;
    let answered = Cell::new(0);
    let killed = Cell::new(false);
    let told = Cell::new(0);

    let killing = async {
        for name in &actors {
            let before = answered.get();
            eventually("payments come in", async || {
                (answered.get() >= before + BETWEEN_DEATHS).then_some(())
            })
            .await;
            let mut tree = operator.tree.clone();
            assert!(tree.crash(name), "{name}");
            tree.wait_down().await;
            let (status, _) = get(operator.addr, "health").await;
            if tree.get().is_none() {
                told.set(told.get() + 1);
                assert_eq!(status, 503, "healthy without its actors");
            }
            eventually(&format!("the tree is back after {name}"), async || tree.get().map(drop))
                .await;
        }
        killed.set(true);
    };
    // Endless supply: after its first payment each deposit's owner is done, so there are enough of them.
    let paying = async {
        let mut known = Vec::new();
        let mut left = deposited.iter().copied();
        while !killed.get() {
            let some: Vec<UtxoPos> = left.by_ref().take(AT_ONCE).collect();
            assert!(!some.is_empty(), "more deposits are needed");
            let paid = stream::iter(some).map(|deposit| pay(&operator, deposit, &answered));
            known.extend(paid.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        known
    };
    let (known, ()) = tokio::join!(paying, killing);
    operator.healthy().await;
    assert!(told.get() > 0, "never asked in time");
    assert_eq!(operator.tree_starts().await, 1 + actors.len() as u64);

    let last = world.deposit(&operator, &[alice().address()], 10).await;
    let mut answers = vec![operator.submit(&wallet::to_bob(last[0], 10)).await.unwrap()];
    let mut lost = BTreeSet::new();
    for known in known {
        match known {
            Known::Answered(answer) => answers.push(answer),
            Known::InSomeBlock(txhash) => drop(lost.insert(txhash)),
        }
    }
    for block in world.check(&operator, &answers).await {
        for transaction in &block.transactions {
            lost.remove(&wallet::decode(transaction).hash());
        }
    }
    assert_eq!(lost, BTreeSet::new(), "spent, and in no block");
    operator.stop().await;
}
