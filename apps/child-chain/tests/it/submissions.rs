//! Roots on their way to the root chain: late, forgotten, undone, or contradicted. No block is lost or submitted under another number.

use crate::kit::{Operator, World, eventually};
use crate::wallet::{self, alice};
use plasma_core::wire::{Blknum, H256, UtxoPos};
use plasma_eth::{FakeRootChain, Orphaned, Pooled};
use plasma_rpc::child_chain::SubmitAnswer;

const STALLED: &str = "block_submit_stalled";

/// Pays a deposit, and waits until the root of its block waits to be mined.
async fn pooled(world: &World, operator: &Operator, deposit: UtxoPos) -> (SubmitAnswer, Pooled) {
    let known = world.chain.pooled().len();
    let answer = operator.submit(&wallet::to_bob(deposit, 10)).await.unwrap();
    let pooled = eventually("the root is submitted", async || {
        // So that the next block may be formed.
        world.chain.mine(1);
        world.chain.pooled().get(known).copied()
    })
    .await;
    (answer, pooled)
}

fn roots(chain: &FakeRootChain) -> Vec<(u64, H256)> {
    chain.pooled().iter().map(|pooled| (pooled.nonce, pooled.root.unwrap())).collect()
}

#[actix::test]
async fn a_submission_that_is_not_mined_offers_more_and_raises_an_alarm() {
    let world = World::new().await;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address()], 10).await;
    world.chain.hold_pool(true);
    let (answer, first) = pooled(&world, &operator, deposited[0]).await;
    operator
        .mine_until("more is offered", async || {
            let now = world.chain.pooled()[0];
            assert_eq!((now.nonce, now.root), (first.nonce, first.root));
            now.fees.max_fee_per_gas_wei > first.fees.max_fee_per_gas_wei
        })
        .await;
    operator.mine_until("an alarm", async || operator.alarms().await == [STALLED.to_owned()]).await;
    world.chain.hold_pool(false);
    world.chain.mine(1);
    operator.alarm(STALLED, false).await;
    world.check(&operator, &[answer]).await;
    operator.stop().await;
}

#[actix::test]
async fn what_a_reorganisation_undoes_is_submitted_again_as_it_was() {
    for orphaned in [Orphaned::BackToPool, Orphaned::Dropped] {
        let world = World::new().await;
        let operator = world.start().await;
        let deposited = world.deposit(&operator, &[alice().address()], 10).await;
        world.chain.set_automine(false);
        world.chain.hold_pool(true);
        let (answer, first) = pooled(&world, &operator, deposited[0]).await;
        world.chain.hold_pool(false);
        world.chain.mine(1);
        world.check(&operator, &[answer]).await;
        world.chain.hold_pool(true);
        world.chain.reorg(1, orphaned);
        assert!(world.roots().await.is_empty());
        eventually("the root is in the pool again", async || {
            // It is due again with the next root chain block.
            world.chain.mine(1);
            let now = world.chain.pooled().first().copied()?;
            assert_eq!((now.nonce, now.root), (first.nonce, first.root));
            Some(())
        })
        .await;
        world.chain.hold_pool(false);
        world.chain.mine(1);
        world.check(&operator, &[answer]).await;
        assert_eq!(operator.tree_starts().await, 1);
        operator.stop().await;
    }
}

#[actix::test]
async fn a_new_process_submits_what_is_not_mined_and_keeps_what_is_pending() {
    let mut world = World::new().await;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address(); 4], 10).await;
    let mined = operator.submit(&wallet::to_bob(deposited[0], 10)).await.unwrap();
    world.check(&operator, &[mined]).await;
    world.chain.hold_pool(true);
    let (second, _) = pooled(&world, &operator, deposited[1]).await;
    let (third, _) = pooled(&world, &operator, deposited[2]).await;
    let submitted = roots(&world.chain);
    assert_eq!(submitted.len(), 2);
    operator.stop().await;

    // One that only waits in the pending block.
    world.config.block_queue.block_txs_min = 2;
    let operator = world.start().await;
    let fourth = operator.submit(&wallet::to_bob(deposited[3], 10)).await.unwrap();
    operator.stop().await;

    world.chain.drop_pool();
    world.config.block_queue.block_txs_min = 1;
    let operator = world.start().await;
    let again = operator.refusal(&wallet::to_bob(deposited[3], 10)).await;
    assert_eq!(again, "submit:utxo_not_found");
    eventually("both are submitted again", async || {
        (roots(&world.chain).get(..2) == Some(&submitted[..])).then_some(())
    })
    .await;
    world.chain.hold_pool(false);
    world.chain.mine(1);
    let numbers = [mined, second, third, fourth].map(|answer| answer.blknum.get());
    assert_eq!(numbers, [1_000, 2_000, 3_000, 4_000]);
    world.check(&operator, &[mined, second, third, fourth]).await;
    operator.stop().await;
}

#[actix::test]
async fn a_lost_answer_to_a_submission_loses_no_block() {
    let world = World::new().await;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address(); 2], 10).await;
    let mut answers = Vec::new();
    for deposit in deposited {
        world.chain.lose_next_answers(1);
        answers.push(operator.submit(&wallet::to_bob(deposit, 10)).await.unwrap());
        world.mined(answers.last().unwrap().blknum).await;
    }
    world.check(&operator, &answers).await;
    operator.stop().await;
}

#[actix::test]
async fn a_store_that_is_not_the_one_that_submitted_is_refused() {
    let mut world = World::new().await;
    world.chain.push_raw_root(H256::repeat_byte(7));
    let error = world.launch().await.ended().await;
    assert!(error.starts_with("contract_ahead_of_db: block 1000 "), "{error}");

    world = World::new().await;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address()], 10).await;
    let answer = operator.submit(&wallet::to_bob(deposited[0], 10)).await.unwrap();
    world.check(&operator, &[answer]).await;
    operator.stop().await;
    let submitted = world.chain.newest_block().eth_height;
    world.chain.reorg(submitted.get() - 1, Orphaned::Dropped);
    assert_eq!(world.chain.push_raw_root(H256::repeat_byte(7)), Blknum::new(1_000));
    let error = world.launch().await.ended().await;
    assert!(error.starts_with("hashes_dont_match: block 1000 "), "{error}");
}

#[actix::test]
async fn an_address_file_of_other_contracts_is_refused() {
    let mut world = World::new().await;
    world.deployment.authority = alice().address();
    let error = world.launch().await.ended().await;
    assert!(error.contains("it is the file of another deployment"), "{error}");
}

#[actix::test]
async fn an_authority_that_is_used_for_something_else_halts_submission_and_says_so() {
    let world = World::new().await;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address(); 2], 10).await;
    world.chain.hold_pool(true);
    let (first, _) = pooled(&world, &operator, deposited[0]).await;
    let (second, _) = pooled(&world, &operator, deposited[1]).await;
    world.chain.spend_authority_nonce();
    world.chain.drop_pool();
    operator.alarm(STALLED, true).await;
    for _ in 0..5 {
        // Each root chain block is a reason to submit again.
        world.confirm(&operator).await;
        assert!(world.chain.pooled().is_empty());
    }
    let blocks = [first.blknum, second.blknum];
    assert_eq!(blocks, [1_000, 2_000].map(Blknum::new));
    assert_eq!(world.roots().await.len(), 0);
    operator.stop().await;
}
