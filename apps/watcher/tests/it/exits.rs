//! The life of standard exits: what is said about them, what can be shown against them, and what they leave behind.

use crate::kit::{Watched, World, code};
use crate::users::{Who, assert_challenges, at, deposit_tx, output, pay, txhash, unsigned};
use Who::{Alice, Bob, Carol};
use plasma_core::wire::{Blknum, Block, ETH, ExitId, U256, UtxoPos};
use plasma_rpc::watcher::ByzantineEvent;

/// Alice deposited 10 and paid them to Bob.
struct Story {
    world: World,
    watched: Watched,
    deposit: UtxoPos,
    block: Block,
    bobs: UtxoPos,
}

impl Story {
    async fn new() -> Self {
        Self::with_sla_margin(1_000).await
    }

    async fn with_sla_margin(eth_blocks: u64) -> Self {
        let mut world = World::new().await;
        world.config.exit_processor_sla_margin_eth_blocks = eth_blocks;
        let deposit = world.deposit(Alice, 10);
        let watched = world.start().await;
        let block = world.block(vec![pay(&[(deposit, Alice)], &[(Bob, 10)])]);
        watched.validated(block.number).await;
        let bobs = output(&block, 0, 0);
        Self { world, watched, deposit, block, bobs }
    }

    /// Alice exits what she spent.
    fn exit_spent(&self) -> ExitId {
        let exit_id =
            self.world.chain.exit_started(Alice.address(), self.deposit, &deposit_tx(Alice, 10));
        self.world.chain.mine(1);
        exit_id
    }

    /// Bob exits what is his.
    fn exit_bobs(&self) -> ExitId {
        let made = unsigned(&self.block.transactions[0]);
        let exit_id = self.world.chain.exit_started(Bob.address(), self.bobs, &made);
        self.world.chain.mine(1);
        exit_id
    }

    fn finalize(&self, exit_id: ExitId) {
        self.world.chain.exit_finalized(exit_id);
        self.world.chain.mine(1);
    }

    async fn is_refused(&self, position: UtxoPos, expected: &str) {
        assert_eq!(code(self.watched.challenge_data(position).await.unwrap_err()), expected);
    }
}

#[actix::test]
async fn a_valid_exit_is_nothing_to_report() {
    let story = Story::new().await;
    let exit_id = story.exit_bobs();
    story.watched.assert_quiet().await;
    story.is_refused(story.bobs, "challenge:utxo_not_spent").await;
    story.finalize(exit_id);
    story.watched.assert_quiet().await;
    assert_eq!(story.watched.exitable_positions(Bob).await, []);
    story.watched.stop().await;
}

#[actix::test]
async fn an_exit_of_a_spent_output_is_reported_challenged_and_resolved() {
    let mut story = Story::new().await;
    let eth_height = story.world.chain.newest_block().eth_height.get() + 1;
    let exit_id = story.exit_spent();
    for restarted in [false, true] {
        if restarted {
            story.watched = story.world.restart(story.watched).await;
        }
        let events = story.watched.events(&["invalid_exit"]).await;
        let [ByzantineEvent::InvalidExit(event)] = &events[..] else { panic!("{events:?}") };
        assert_eq!((event.utxo_pos, event.owner), (story.deposit, Alice.address()));
        assert_eq!((event.currency, event.amount), (ETH, U256::from(10)));
        assert_eq!(event.eth_height.get(), eth_height);
        assert_eq!(event.spending_txhash, Some(txhash(&story.block.transactions[0])));
        let data = story.watched.challenge_data(story.deposit).await.unwrap();
        assert_eq!(data.exit_id, exit_id);
        assert_eq!(data.exiting_tx, deposit_tx(Alice, 10));
        assert_eq!(data.txbytes, unsigned(&story.block.transactions[0]));
        assert_challenges(&data, story.deposit, Alice);
    }
    // One bad exit is no reason to stop anybody: the operator is asked.
    let payment = pay(&[(story.bobs, Bob)], &[(Carol, 10)]);
    let refused = story.watched.submit(&payment).await.unwrap_err();
    assert_eq!(code(refused), "submit:client_error");
    story.world.chain.exit_challenged(story.deposit);
    story.world.chain.mine(1);
    story.watched.events(&[]).await;
    story.watched.assert_quiet().await;
    // Closed exits can still be looked at.
    let data = story.watched.challenge_data(story.deposit).await.unwrap();
    assert_challenges(&data, story.deposit, Alice);
    story.watched.stop().await;
}

#[actix::test]
async fn the_second_input_of_a_spend_is_named_as_such() {
    let mut world = World::new().await;
    let (alices, bobs) = (world.deposit(Alice, 1), world.deposit(Bob, 2));
    let watched = world.start().await;
    let block = world.block(vec![pay(&[(alices, Alice), (bobs, Bob)], &[(Carol, 3)])]);
    watched.validated(block.number).await;
    world.chain.exit_started(Bob.address(), bobs, &deposit_tx(Bob, 2));
    world.chain.mine(1);
    watched.events(&["invalid_exit"]).await;
    let data = watched.challenge_data(bobs).await.unwrap();
    assert_eq!(data.input_index, 1);
    assert_challenges(&data, bobs, Bob);
    watched.stop().await;
}

#[actix::test]
async fn an_exit_that_nobody_challenges_makes_the_chain_unsafe_until_somebody_does() {
    let mut story = Story::with_sla_margin(5).await;
    story.exit_spent();
    story.watched.events(&["invalid_exit"]).await;
    story.world.chain.mine(5);
    story.watched.events(&["unchallenged_exit", "invalid_exit"]).await;
    let payment = pay(&[(story.bobs, Bob)], &[(Carol, 10)]);
    assert_eq!(code(story.watched.submit(&payment).await.unwrap_err()), "chain:unsafe");
    // The ledger goes on, for every block may tell what was spent.
    let next = story.world.block(vec![payment.clone()]);
    story.watched.validated(next.number).await;
    assert_eq!(story.watched.exitable_positions(Carol).await, [output(&next, 0, 0)]);
    story.watched = story.world.restart(story.watched).await;
    story.watched.events(&["unchallenged_exit", "invalid_exit"]).await;
    story.world.chain.exit_challenged(story.deposit);
    story.world.chain.mine(1);
    story.watched.events(&[]).await;
    story.watched.assert_quiet().await;
    let refused = story.watched.submit(&payment).await.unwrap_err();
    assert_eq!(code(refused), "submit:client_error");
    story.watched.stop().await;
}

#[actix::test]
async fn an_invalid_exit_that_left_the_queue_unpaid_is_over_until_it_starts_again() {
    let mut story = Story::with_sla_margin(5).await;
    let exit_id = story.exit_spent();
    story.world.chain.mine(5);
    story.watched.events(&["unchallenged_exit", "invalid_exit"]).await;
    // Its output had left with another exit.
    story.world.chain.exit_omitted(exit_id);
    story.world.chain.mine(1);
    for restarted in [false, true] {
        if restarted {
            story.watched = story.world.restart(story.watched).await;
        }
        story.watched.events(&[]).await;
        story.watched.assert_quiet().await;
    }
    let data = story.watched.challenge_data(story.deposit).await.unwrap();
    assert_challenges(&data, story.deposit, Alice);
    assert_eq!(story.exit_spent(), exit_id);
    story.watched.events(&["invalid_exit"]).await;
    story.watched.stop().await;
}

#[actix::test]
async fn an_exit_turns_invalid_when_its_output_is_spent_later() {
    let mut story = Story::new().await;
    story.exit_bobs();
    story.watched.assert_quiet().await;
    let spend = pay(&[(story.bobs, Bob)], &[(Carol, 10)]);
    let next = story.world.block(vec![spend.clone()]);
    story.watched.validated(next.number).await;
    let events = story.watched.events(&["invalid_exit"]).await;
    let [ByzantineEvent::InvalidExit(event)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(event.spending_txhash, Some(txhash(&spend)));
    let data = story.watched.challenge_data(story.bobs).await.unwrap();
    assert_challenges(&data, story.bobs, Bob);
    story.watched.stop().await;
}

#[actix::test]
async fn an_exit_of_an_output_that_never_was_is_invalid_and_nothing_can_be_shown() {
    let story = Story::new().await;
    let nowhere = output(&story.block, 9, 0);
    let made = unsigned(&story.block.transactions[0]);
    story.world.chain.exit_started(Bob.address(), nowhere, &made);
    story.world.chain.mine(1);
    let events = story.watched.events(&["invalid_exit"]).await;
    let [ByzantineEvent::InvalidExit(event)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(event.spending_txhash, None);
    assert!(story.watched.challenge_data(nowhere).await.is_err());
    story.is_refused(at(Blknum::new(1_000), 8, 0), "challenge:exit_not_found").await;
    story.watched.stop().await;
}

#[actix::test]
async fn an_exit_from_a_block_that_is_not_applied_yet_is_judged_when_it_is() {
    let mut story = Story::new().await;
    let spend = pay(&[(story.bobs, Bob)], &[(Carol, 10)]);
    let again = pay(&[(at(Blknum::new(2_000), 0, 0), Carol)], &[(Alice, 10)]);
    let late = story.world.next_block(vec![spend.clone(), again]);
    story.world.submit(late.hash);
    story.world.chain.exit_started(Carol.address(), output(&late, 0, 0), &unsigned(&spend));
    story.world.chain.mine(3);
    let newest = story.world.chain.newest_block().eth_height;
    story
        .watched
        .until("the exit is read", |status| {
            let read =
                status.services_synced_heights.iter().find(|at| at.service == "exit_processor");
            read.is_some_and(|at| at.height >= newest.minus(1))
        })
        .await;
    assert_eq!(story.watched.status().await.byzantine_events, []);
    story.world.operator.serve(late.hash, &late);
    story.watched.events(&["invalid_exit"]).await;
    let data = story.watched.challenge_data(output(&late, 0, 0)).await.unwrap();
    assert_challenges(&data, output(&late, 0, 0), Carol);
    story.watched.stop().await;
}

#[actix::test]
async fn an_output_that_was_paid_is_gone_and_spending_it_is_a_fault() {
    let mut story = Story::new().await;
    let exit_id = story.exit_bobs();
    story.finalize(exit_id);
    story.watched.assert_quiet().await;
    let block = story.world.block(vec![pay(&[(story.bobs, Bob)], &[(Carol, 10)])]);
    let events = story.watched.events(&["invalid_block"]).await;
    let [ByzantineEvent::InvalidBlock(event)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((event.blknum, event.error_type.as_str()), (block.number, "tx_execution"));
    story.watched.stop().await;
}

#[actix::test]
async fn an_invalid_exit_that_was_paid_is_reported_for_ever() {
    let mut story = Story::new().await;
    let exit_id = story.exit_spent();
    story.finalize(exit_id);
    for restarted in [false, true] {
        if restarted {
            story.watched = story.world.restart(story.watched).await;
        }
        story.watched.events(&["unchallenged_exit"]).await;
        let payment = pay(&[(story.bobs, Bob)], &[(Carol, 10)]);
        assert_eq!(code(story.watched.submit(&payment).await.unwrap_err()), "chain:unsafe");
        assert_eq!(story.watched.exitable_positions(Bob).await, [story.bobs]);
    }
    story.world.chain.mine(3);
    story.watched.synced().await;
    story.watched.events(&["unchallenged_exit"]).await;
    let next = story.world.block(vec![pay(&[(story.bobs, Bob)], &[(Carol, 10)])]);
    story.watched.validated(next.number).await;
    story.watched.events(&["unchallenged_exit"]).await;
    story.watched.stop().await;
}

#[actix::test]
async fn a_watcher_with_a_margin_longer_than_an_exit_does_not_start() {
    let mut world = World::new().await;
    world.config.exit_processor_sla_margin_eth_blocks = 1_000_000;
    let refused = world.launch().await.ended().await;
    assert!(refused.contains("exit_processor_sla_margin_eth_blocks"), "{refused}");
    world.config.exit_processor_sla_margin_forced = true;
    world.start().await.stop().await;
}
