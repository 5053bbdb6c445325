//! From a deposit to a root on the root chain: what goes in comes out, in order, with the fees at the end.

use crate::kit::World;
use crate::wallet::{self, alice, bob};
use plasma_core::wire::{Blknum, ETH, OutputType, Transaction};

#[actix::test]
async fn a_deposit_becomes_a_payment_in_a_block_whose_root_is_submitted() {
    let world = World::new().await;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address()], 10).await;
    let accepted = operator.submit(&wallet::to_bob(deposited[0], 10)).await.unwrap();
    assert_eq!((accepted.blknum, accepted.txindex.get()), (Blknum::new(1_000), 0));

    let blocks = world.check(&operator, &[accepted]).await;
    assert_eq!(blocks.len(), 1);
    let back = wallet::payment(&bob(), &[wallet::output(&accepted)], &[(alice().address(), 8)]);
    let accepted = operator.submit(&back).await.unwrap();
    assert_eq!(accepted.blknum, Blknum::new(2_000));
    assert_eq!(world.check(&operator, &[accepted]).await.len(), 2);
    operator.stop().await;
}

#[actix::test]
async fn a_deposit_cannot_be_spent_before_its_margin() {
    let world = World::new().await;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address()], 10).await[0];
    let blknum = world.chain.deposit(alice().address(), ETH, wallet::wei(10));
    let early = plasma_core::wire::UtxoPos::deposit(blknum);
    let refused = operator.refusal(&wallet::to_bob(early, 10)).await;
    assert_eq!(refused, "submit:utxo_not_found");
    world.confirm(&operator).await;
    let first = operator.submit(&wallet::to_bob(early, 10)).await.unwrap();
    let second = operator.submit(&wallet::to_bob(deposited, 10)).await.unwrap();
    world.check(&operator, &[first, second]).await;
    operator.stop().await;
}

#[actix::test]
async fn a_block_holds_chains_of_payments_and_ends_with_the_claim_of_its_fees() {
    let mut world = World::new().await;
    // Nothing is formed before the third transaction is there.
    world.config.block_queue.block_txs_min = 4;
    let operator = world.start().await;
    let (alice, bob) = (alice(), bob());
    let deposited = world.deposit(&operator, &[alice.address(), alice.address()], 10).await;

    let merge = wallet::payment(&alice, &deposited, &[(alice.address(), 20)]);
    let merged = operator.submit(&merge).await.unwrap();
    let mut answers = vec![merged];
    for amount in [19, 18, 17] {
        let (from, to) = if amount % 2 == 1 { (&alice, &bob) } else { (&bob, &alice) };
        let spent = wallet::output(answers.last().unwrap());
        let next = wallet::payment(from, &[spent], &[(to.address(), amount)]);
        answers.push(operator.submit(&next).await.unwrap());
    }
    assert!(answers.iter().all(|answer| answer.blknum == merged.blknum), "{answers:?}");

    let blocks = world.check(&operator, &answers).await;
    assert_eq!(blocks[0].transactions.len(), 5);
    let claim = wallet::decode(blocks[0].transactions.last().unwrap());
    let Transaction::FeeClaim(claim) = claim.transaction() else {
        panic!("the last transaction is {claim:?}");
    };
    assert_eq!(
        (claim.output.output_type, claim.output.owner, claim.output.currency, claim.output.amount),
        (OutputType::FeeClaim, wallet::fee_claimer(), ETH, wallet::wei(3))
    );
    operator.stop().await;
}

#[actix::test]
async fn no_block_is_formed_of_nothing() {
    let world = World::new().await;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address()], 10).await;
    // Many chances to form one.
    for _ in 0..5 {
        world.confirm(&operator).await;
    }
    assert_eq!(world.roots().await.len(), 0);
    let accepted = operator.submit(&wallet::to_bob(deposited[0], 10)).await.unwrap();
    assert_eq!(accepted.blknum, Blknum::new(1_000));
    assert_eq!(world.check(&operator, &[accepted]).await.len(), 1);
    operator.stop().await;
}
