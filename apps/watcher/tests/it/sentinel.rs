//! The Sentinel in a watcher: what it does about findings without being asked, and what it leaves alone.

use crate::kit::{Watched, World, eventually};
use crate::users::{Who, deposit_tx, output, pay, unsigned};
use Who::{Alice, Bob, Carol};
use plasma_core::db_update::TxPos;
use plasma_core::root_chain::{InFlightExitChallenge, PiggybackSlot, RootChainEvent};
use plasma_core::sentinel::{Call, Checked, Transaction};
use plasma_core::wire::ids::ExitPriority;
use plasma_core::wire::{Address, Block, ETH, ExitId, OutputId, SignedTx, TxIndex, U256, UtxoPos};
use plasma_eth::{ETH_VAULT_ID, FakeSentinelChain, Orphaned, StandardExitRecord};
use plasma_rpc::params::NoParams;
use plasma_rpc::watcher::{SENTINEL_GET, SentinelAnswer};

/// A bond that is worth a transaction.
const BOND_WEI: u64 = 14_000_000_000_000_000;

/// Alice deposited 10 and paid them to Bob, in a watcher's care that acts.
struct Story {
    world: World,
    watched: Watched,
    sentinel: FakeSentinelChain,
    deposit: UtxoPos,
    block: Block,
}

impl Story {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(set: impl FnOnce(&mut World)) -> Self {
        let mut world = World::new().await;
        let sentinel = world.chain.sentinel(Address::repeat_byte(0x5e));
        world.sentinel = Some(sentinel.clone());
        world.config.sentinel.finality_margin_eth_blocks = 3;
        world.config.sentinel.bump_after_eth_blocks = 1;
        set(&mut world);
        let deposit = world.deposit(Alice, 10);
        let watched = world.start().await;
        let block = world.block(vec![pay(&[(deposit, Alice)], &[(Bob, 10)])]);
        // The block waits until its deposit is final.
        world.chain.mine(world.config.deposit_finality_margin_eth_blocks - 1);
        watched.validated(block.number).await;
        Self { world, watched, sentinel, deposit, block }
    }

    /// Alice exits what she spent.
    fn exit_spent(&self) -> ExitId {
        let made = deposit_tx(Alice, 10);
        let exit_id = self.world.chain.exit_started(Alice.address(), self.deposit, &made);
        let record = StandardExitRecord {
            exitable: true,
            position: self.deposit,
            output_id: OutputId::zero(),
            exitor: Alice.address(),
            amount: 10.into(),
            bond_wei: BOND_WEI.into(),
        };
        self.sentinel.set_standard_exit(exit_id, Some(record));
        exit_id
    }

    async fn answer(&self) -> SentinelAnswer {
        let answer = async || self.watched.call(&SENTINEL_GET, &NoParams {}).await.ok();
        eventually("the sentinel answers", answer).await
    }

    /// Waits for the only transaction in the pool that does this.
    async fn pooled(&self, function: &str) -> Transaction {
        let does = |tx: &Transaction| tx.call.as_ref().is_some_and(|call| call.name() == function);
        eventually(function, async || {
            let pooled = self.sentinel.pooled();
            pooled.into_iter().find(does)
        })
        .await
    }

    /// Waits until the last duty that ended ended so.
    async fn ended(&self, task: &str, outcome: &str) -> SentinelAnswer {
        eventually("the duty ends", async || {
            self.world.chain.mine(1);
            let answer = self.answer().await;
            let newest = answer.history.first()?;
            (newest.duty.task == task && newest.outcome == outcome).then_some(answer)
        })
        .await
    }

    /// The calls that were mined, by name.
    fn mined(&self) -> Vec<&'static str> {
        let mined = self.sentinel.mined().into_iter();
        mined.map(|mined| mined.transaction.call.map_or("fill", |call| call.name())).collect()
    }
}

fn signed(bytes: &[u8]) -> SignedTx {
    SignedTx::decode(bytes).unwrap()
}

#[actix::test]
async fn an_invalid_exit_is_challenged_within_a_block_and_the_log_says_what_it_cost() {
    let story = Story::new().await;
    story.world.chain.hold_pool(true);
    let exit_id = story.exit_spent();
    story.world.chain.mine(1); // The confirmation that exits wait for here.
    let seen_at = story.world.chain.newest_block().eth_height;
    let transaction = story.pooled("challengeStandardExit").await;
    assert_eq!(story.world.chain.newest_block().eth_height, seen_at, "it took a further block");
    let Some(Call::ChallengeStandardExit(shown)) = &transaction.call else { panic!() };
    assert_eq!(shown.exit_id, exit_id);
    assert_eq!(*shown.tx_bytes, *unsigned(&story.block.transactions[0]));
    story.world.chain.hold_pool(false);
    story.world.chain.mine(1);
    story.world.chain.exit_challenged(story.deposit);
    let answer = story.ended("challenge_standard_exit", "done").await;
    let record = &answer.history[0];
    assert_eq!((record.account, record.duty.exit_id), (Address::repeat_byte(0x5e), exit_id));
    assert!(record.gas_used > 0 && record.cost_wei > U256::zero() && record.txhash.is_some());
    assert_eq!((record.reward_wei, record.reverts), (BOND_WEI.into(), 0));
    assert_eq!(answer.spent_today_wei, record.cost_wei);
    assert_eq!(story.mined(), ["challengeStandardExit"]);
    story.watched.stop().await;
}

#[actix::test]
async fn the_sentinel_acts_as_well_where_deposits_need_more_confirmations_than_exits() {
    let set = |world: &mut World| world.config.deposit_finality_margin_eth_blocks = 3;
    let story = Story::with(set).await;
    story.world.chain.hold_pool(true);
    story.exit_spent();
    story.world.chain.mine(3); // Exits wait for deposits.
    story.pooled("challengeStandardExit").await;
    story.watched.stop().await;
}

#[actix::test]
async fn a_valid_exit_costs_nothing() {
    let story = Story::new().await;
    let bobs = output(&story.block, 0, 0);
    let made = unsigned(&story.block.transactions[0]);
    story.world.chain.exit_started(Bob.address(), bobs, &made);
    story.watched.assert_quiet().await;
    let answer = story.answer().await;
    assert_eq!((answer.duties.len(), answer.history.len(), answer.in_flight), (0, 0, 0));
    assert!(story.mined().is_empty() && story.sentinel.pooled().is_empty());
    story.watched.stop().await;
}

#[actix::test]
async fn a_dry_run_decides_everything_and_sends_nothing() {
    let story = Story::with(|world| world.config.sentinel.dry_run = true).await;
    story.exit_spent();
    story.world.chain.mine(1);
    eventually("the duty is known", async || {
        let answer = story.answer().await;
        (answer.dry_run && answer.duties.iter().any(|duty| duty.call == "challengeStandardExit"))
            .then_some(())
    })
    .await;
    story.world.chain.exit_challenged(story.deposit);
    story.ended("challenge_standard_exit", "dry_run").await;
    assert!(story.mined().is_empty() && story.sentinel.pooled().is_empty());
    story.watched.stop().await;
}

#[actix::test]
async fn what_was_on_its_way_is_sent_again_after_a_restart_byte_for_byte() {
    let mut story = Story::new().await;
    story.world.chain.hold_pool(true);
    story.exit_spent();
    story.world.chain.mine(1);
    let before = story.pooled("challengeStandardExit").await;
    story.sentinel.drop_pool();
    story.watched = story.world.restart(story.watched).await;
    let after = story.pooled("challengeStandardExit").await;
    assert_eq!((after.nonce, &after.call), (before.nonce, &before.call));
    story.world.chain.hold_pool(false);
    story.world.chain.mine(1);
    story.world.chain.exit_challenged(story.deposit);
    story.ended("challenge_standard_exit", "done").await;
    assert_eq!(story.mined(), ["challengeStandardExit"]);
    story.watched.stop().await;
}

#[actix::test]
async fn somebody_who_was_faster_is_left_the_bond() {
    let story = Story::new().await;
    let reason = "ExitNotExitable".to_owned();
    story.sentinel.set_check("challengeStandardExit", Checked::Reverts { reason });
    story.exit_spent();
    story.world.chain.mine(1);
    eventually("the simulation fails", async || {
        let answer = story.answer().await;
        answer.duties.iter().find(|duty| duty.phase == "would_revert").map(drop)
    })
    .await;
    story.world.chain.exit_challenged(story.deposit);
    story.ended("challenge_standard_exit", "lost_race").await;
    assert!(story.mined().is_empty());
    story.watched.stop().await;
}

#[actix::test]
async fn an_in_flight_exit_that_lies_meets_every_answer_there_is() {
    let mut story = Story::new().await;
    // The block has Bob as the receiver; Alice exits another payment of the same deposit, to herself.
    let other = pay(&[(story.deposit, Alice)], &[(Alice, 10)]);
    story.world.chain.hold_pool(true);
    let inputs = [deposit_tx(Alice, 10)];
    let chain = story.world.chain.clone();
    let exit_id = chain.in_flight_exit_started(Alice.address(), &signed(&other), &inputs);
    chain.in_flight_piggybacked(&signed(&other), PiggybackSlot::input(0), Alice.address());
    chain.mine(1);
    let contest = story.pooled("challengeInFlightExitNotCanonical").await;
    let Some(Call::ChallengeInFlightExitNotCanonical(shown)) = contest.call else { panic!() };
    assert_eq!(*shown.competing_tx, *unsigned(&story.block.transactions[0]));
    assert_eq!(shown.included.map(|(at, _)| at), Some(output(&story.block, 0, 0)));
    let block = story.pooled("challengeInFlightExitInputSpent").await;
    let Some(Call::ChallengeInFlightExitInputSpent(shown)) = block.call else { panic!() };
    assert_eq!((shown.in_flight_input_index, shown.input_position), (0, story.deposit));
    chain.hold_pool(false);
    chain.mine(1);
    let block = &story.block;
    chain.event(RootChainEvent::InFlightExitChallenged(Box::new(InFlightExitChallenge {
        exit_id,
        tx_hash: signed(&other).hash(),
        challenger: Address::repeat_byte(0x5e),
        competing_tx_pos: Some(TxPos { blknum: block.number, txindex: TxIndex::new(0) }),
        input_index: 0,
        competing_tx: unsigned(&block.transactions[0]).into(),
        competing_input_index: 0,
        competing_witness: signed(&block.transactions[0])
            .signatures()
            .next()
            .unwrap()
            .as_bytes()
            .as_slice()
            .into(),
    })));
    chain.event(RootChainEvent::InFlightExitPiggybackBlocked {
        exit_id,
        tx_hash: signed(&other).hash(),
        slot: PiggybackSlot::input(0),
        challenger: Address::repeat_byte(0x5e),
    });
    story.ended_both().await;
    let mut mined = story.mined();
    mined.sort_unstable();
    assert_eq!(mined, ["challengeInFlightExitInputSpent", "challengeInFlightExitNotCanonical"]);
    story.watched = story.world.restart(story.watched).await;
    story.world.chain.mine(5);
    story.watched.synced().await;
    assert_eq!(story.mined().len(), 2, "a restart does nothing twice");
    story.watched.stop().await;
}

impl Story {
    async fn ended_both(&self) {
        eventually("both duties end", async || {
            self.world.chain.mine(1);
            let answer = self.answer().await;
            let done = answer.history.iter().filter(|record| record.outcome == "done").count();
            (done == 2).then_some(())
        })
        .await;
    }
}

#[actix::test]
async fn a_wrong_challenge_of_an_included_payment_is_answered() {
    let story = Story::new().await;
    let included = signed(&story.block.transactions[0]);
    let chain = &story.world.chain;
    let exit_id = chain.in_flight_exit_started(Bob.address(), &included, &[deposit_tx(Alice, 10)]);
    chain.in_flight_piggybacked(&included, PiggybackSlot::output(0), Bob.address());
    // Alice signed a competitor that no block has, and shows it.
    let competitor = signed(&pay(&[(story.deposit, Alice)], &[(Carol, 10)]));
    chain.hold_pool(true);
    chain.event(RootChainEvent::InFlightExitChallenged(Box::new(InFlightExitChallenge {
        exit_id,
        tx_hash: included.hash(),
        challenger: Alice.address(),
        competing_tx_pos: None,
        input_index: 0,
        competing_tx: competitor.unsigned_bytes().into(),
        competing_input_index: 0,
        competing_witness: competitor.signatures().next().unwrap().as_bytes().as_slice().into(),
    })));
    chain.mine(1);
    let answer = story.pooled("respondToNonCanonicalChallenge").await;
    let Some(Call::RespondToNonCanonicalChallenge(shown)) = answer.call else { panic!() };
    assert_eq!(shown.position, output(&story.block, 0, 0));
    story.watched.stop().await;
}

#[actix::test]
async fn what_nobody_joined_is_deleted_and_what_is_due_is_processed_when_asked() {
    let story = Story::with(|world| world.config.sentinel.process_exits = true).await;
    let (chain, bobs) = (&story.world.chain, output(&story.block, 0, 0));
    let exit_id = chain.exit_started(Bob.address(), bobs, &unsigned(&story.block.transactions[0]));
    let carols = story.world.deposit(Carol, 5);
    let lonely = signed(&pay(&[(carols, Carol)], &[(Bob, 5)]));
    let lonely_id = chain.in_flight_exit_started(Carol.address(), &lonely, &[deposit_tx(Carol, 5)]);
    let period_s = story.world.deployment.min_exit_period_s;
    let exitable_at_s = chain.newest_block().timestamp_s + 2 * period_s;
    let head = ExitPriority::new(exitable_at_s, bobs, exit_id);
    story.sentinel.set_next_exit((ETH_VAULT_ID, ETH), Some(head));
    chain.mine(1);
    story.watched.synced().await;
    assert!(story.mined().is_empty() && story.sentinel.pooled().is_empty(), "it is too early");
    chain.hold_pool(true);
    chain.mine_at(chain.newest_block().timestamp_s + period_s / 2);
    let delete = story.pooled("deleteNonPiggybackedInFlightExit").await.call;
    assert_eq!(delete, Some(Call::DeleteNonPiggybackedInFlightExit { exit_id: lonely_id }));
    chain.mine_at(exitable_at_s + 1);
    let process = story.pooled("processExits").await.call;
    let Some(Call::ProcessExits { token, top_exit_id, .. }) = process else { panic!() };
    assert_eq!((token, top_exit_id), (ETH, Some(exit_id)));
    story.watched.stop().await;
}

#[actix::test]
async fn a_watcher_without_a_key_says_that_nobody_acts() {
    let world = World::new().await;
    let watched = world.start().await;
    let refused = watched.call(&SENTINEL_GET, &NoParams {}).await.unwrap_err();
    assert_eq!(crate::kit::code(refused), "sentinel:not_running");
    watched.stop().await;
}

#[actix::test]
async fn a_root_chain_that_goes_away_delays_a_challenge_and_loses_nothing() {
    let story = Story::new().await;
    story.world.chain.hold_pool(true);
    story.exit_spent();
    story.world.chain.mine(1);
    let before = story.pooled("challengeStandardExit").await;
    story.world.chain.go_away();
    story.sentinel.drop_pool();
    story.world.chain.come_back();
    story.world.chain.mine(1);
    let after = story.pooled("challengeStandardExit").await;
    assert_eq!((after.nonce, after.call), (before.nonce, before.call));
    story.world.chain.hold_pool(false);
    story.world.chain.mine(1);
    story.world.chain.exit_challenged(story.deposit);
    story.ended("challenge_standard_exit", "done").await;
    assert_eq!(story.mined(), ["challengeStandardExit"]);
    story.watched.stop().await;
}

#[actix::test]
async fn a_reorganisation_that_drops_the_challenge_has_it_sent_again() {
    let story = Story::new().await;
    story.exit_spent();
    story.world.chain.mine(1);
    eventually("the challenge is mined", async || {
        story.world.chain.mine(1);
        (!story.mined().is_empty()).then_some(())
    })
    .await;
    let depth = {
        let mined = story.sentinel.mined().remove(0).receipt.eth_height;
        story.world.chain.newest_block().eth_height.get() - mined.get() + 1
    };
    story.world.chain.hold_pool(true);
    story.world.chain.reorg(depth, Orphaned::Dropped);
    assert!(story.mined().is_empty(), "it is gone");
    story.pooled("challengeStandardExit").await;
    story.world.chain.hold_pool(false);
    story.world.chain.mine(1);
    story.world.chain.exit_challenged(story.deposit);
    story.ended("challenge_standard_exit", "done").await;
    assert_eq!(story.mined(), ["challengeStandardExit"]);
    story.watched.stop().await;
}
