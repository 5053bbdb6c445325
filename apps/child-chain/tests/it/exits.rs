//! Exits that start on the root chain take outputs off the ledger, and nothing else.

use crate::kit::World;
use crate::wallet::{self, alice, bob};
use plasma_core::wire::{Blknum, OutputIndex, TxIndex, UtxoPos};

const GONE: &str = "submit:utxo_not_found";

#[actix::test]
async fn an_exiting_output_can_no_longer_be_spent() {
    let world = World::new().await;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address(); 2], 10).await;
    let paid = operator.submit(&wallet::to_bob(deposited[0], 10)).await.unwrap();
    let bobs = wallet::output(&paid);
    world.check(&operator, &[paid]).await;

    world.chain.mine_block(|block| {
        block.exit_started(alice().address(), deposited[1], b"a deposit");
        block.exit_started(bob().address(), bobs, b"a payment");
    });
    world.confirm(&operator).await;
    assert_eq!(operator.refusal(&wallet::to_bob(deposited[1], 10)).await, GONE);
    let spend = wallet::payment(&bob(), &[bobs], &[(alice().address(), 8)]);
    assert_eq!(operator.refusal(&spend).await, GONE);

    operator.stop().await;
    let operator = world.start().await;
    assert_eq!(operator.refusal(&spend).await, GONE, "after a restart");
    operator.stop().await;
}

#[actix::test]
async fn exits_of_outputs_that_are_not_there_change_nothing() {
    let world = World::new().await;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address(); 2], 10).await;
    let paid = operator.submit(&wallet::to_bob(deposited[0], 10)).await.unwrap();
    world.check(&operator, &[paid]).await;
    let unknown = |blknum, oindex| {
        UtxoPos::new(Blknum::new(blknum), TxIndex::new(0), OutputIndex::new(oindex))
    };
    world.chain.mine_block(|block| {
        for position in [deposited[0], unknown(1_000, 3), unknown(99_000, 0), unknown(77, 0)] {
            block.exit_started(alice().address(), position, b"whatever");
        }
    });
    world.confirm(&operator).await;
    let spend = wallet::payment(&bob(), &[wallet::output(&paid)], &[(alice().address(), 8)]);
    let answers = [
        operator.submit(&wallet::to_bob(deposited[1], 10)).await.unwrap(),
        operator.submit(&spend).await.unwrap(),
    ];
    world.check(&operator, &answers).await;
    assert_eq!(operator.tree_starts().await, 1);
    operator.stop().await;
}
