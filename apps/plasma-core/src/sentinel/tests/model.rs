//! Whatever the root chain does: every duty is done once, nothing is sent that was not asked for, and budgets hold.

use super::world::*;
use crate::sentinel::*;
use crate::wire::{ExitId, U256};
use proptest::prelude::*;
use std::collections::BTreeMap;

const DUTIES: u8 = 6;

#[derive(Clone, Copy, Debug)]
enum Step {
    Start(u8),
    Rival(u8),
    Look(Fault),
    Mine { base_fee: u128 },
    Reorg { depth: usize, keeps_pool: bool },
    LosePool,
    Restart,
    Stray,
}

/// Runs the steps, then lets things calm down. Checks the books after each step.
fn run(config: SentinelConfig, steps: &[Step]) -> World {
    let mut world = World::new(config);
    let mut is_reorganised = false;
    for step in steps {
        match *step {
            Step::Start(n) => world.start(duty(n)),
            Step::Rival(n) => world.rival(duty(n).id.exit_id),
            Step::Look(fault) => world.look(fault),
            Step::Mine { base_fee } => world.mine(base_fee),
            Step::Reorg { depth, keeps_pool } => {
                is_reorganised = true;
                world.reorg(depth, keeps_pool);
            }
            Step::LosePool => world.pool.clear(),
            Step::Restart => world.restart(),
            Step::Stray => world.stray(),
        }
        check_books(&world, is_reorganised);
    }
    for _ in 0..60 {
        world.look(Fault::None);
        world.mine(10);
        check_books(&world, is_reorganised);
    }
    world.look(Fault::None);
    world
}

fn check_books(world: &World, is_reorganised: bool) {
    let tip = world.tip();
    let mut costs = BTreeMap::<ExitId, U256>::new();
    let mut successes = BTreeMap::<ExitId, usize>::new();
    for (exit_id, receipt) in &tip.calls {
        *costs.entry(*exit_id).or_default() += receipt.cost_wei();
        *successes.entry(*exit_id).or_default() += usize::from(receipt.succeeded);
        // Only a rival makes one of our transactions fail.
        let is_fair = receipt.succeeded || tip.done.get(exit_id) == Some(&false);
        assert!(is_fair || is_reorganised, "a duty was done twice");
    }
    assert!(successes.values().all(|count| *count <= 1));
    if !is_reorganised {
        for (exit_id, cost) in costs {
            assert!(cost <= world.duties[&exit_id].cost_wei_max(&world.config));
        }
        let spent: U256 = tip.receipts.values().map(Receipt::cost_wei).fold(0.into(), |a, b| a + b);
        assert!(spent <= world.config.day_budget_wei.into(), "one day is never over here");
        let pooled = world.pool.values().filter_map(|pooled| pooled.transaction.as_ref());
        let mut exits: Vec<ExitId> =
            pooled.filter_map(|transaction| transaction.call.as_ref()).map(exit_of).collect();
        let count = exits.len();
        exits.sort();
        exits.dedup();
        assert_eq!(exits.len(), count, "a duty waits under two nonces");
    }
    // The store knows all that the Sentinel knows.
    let restored = Sentinel::restore(world.config, account(), world.store().clone());
    let mut known: Vec<_> = world.sentinel.history().map(|record| record.id).collect();
    let mut stored: Vec<_> = restored.history().map(|record| record.id).collect();
    known.sort();
    stored.sort();
    assert_eq!(known, stored);
}

fn check_done(world: &World) -> Result<(), TestCaseError> {
    for (exit_id, duty) in &world.duties {
        let who = world.tip().done.get(exit_id);
        prop_assert!(who.is_some(), "{duty:?} was not done: {:#?}", world.sentinel);
        let in_time = world.blocks.iter().find(|block| block.done.contains_key(exit_id));
        prop_assert!(in_time.is_some_and(|block| block.time_s <= duty.due_s));
        let record = world.sentinel.history().find(|record| record.id == duty.id);
        if who == Some(&true) {
            let record = record.expect("what was done is in the log");
            prop_assert_eq!(record.outcome, Some(DutyOutcome::Done));
        }
    }
    prop_assert_eq!(world.sentinel.status().in_flight, 0);
    prop_assert!(world.pool.is_empty());
    prop_assert_eq!(world.halt, None);
    prop_assert!(world.store().nonces.is_empty(), "what is final needs no nonce");
    Ok(())
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        12 => Just(Fault::None),
        1 => Just(Fault::CrashBeforeCommit),
        2 => (0..4_usize).prop_map(Fault::CrashAfter),
        2 => (0..4_usize).prop_map(Fault::CrashUnheard),
        1 => Just(Fault::Away),
        1 => Just(Fault::Silent),
        1 => Just(Fault::Deaf),
    ]
}

fn common_step() -> BoxedStrategy<Step> {
    prop_oneof![
        2 => (0..DUTIES).prop_map(Step::Start),
        8 => fault().prop_map(Step::Look),
        5 => (1..400_u128).prop_map(|base_fee| Step::Mine { base_fee }),
        1 => Just(Step::Restart),
        1 => Just(Step::LosePool),
    ]
    .boxed()
}

fn reorg() -> impl Strategy<Value = Step> {
    (1..6_usize, any::<bool>()).prop_map(|(depth, keeps_pool)| Step::Reorg { depth, keeps_pool })
}

fn rival() -> impl Strategy<Value = Step> {
    (0..DUTIES).prop_map(Step::Rival)
}

proptest! {
    #[test]
    fn every_duty_is_done_exactly_once(
        steps in prop::collection::vec(common_step(), 0..80),
    ) {
        let world = run(CONFIG, &steps);
        check_done(&world)?;
        prop_assert_eq!(world.tip().calls.len(), world.duties.len(), "one transaction for each duty");
        prop_assert_eq!(world.tip().fills, 0, "nothing is filled without need");
    }

    #[test]
    fn every_duty_is_done_when_others_are_faster_and_the_root_chain_reorganises(
        steps in prop::collection::vec(
            prop_oneof![12 => common_step(), 1 => rival(), 1 => reorg()], 0..80,
        ),
    ) {
        check_done(&run(CONFIG, &steps))?;
    }

    #[test]
    fn strangers_with_the_same_key_only_delay_it(
        steps in prop::collection::vec(
            prop_oneof![12 => common_step(), 1 => rival(), 1 => Just(Step::Stray)], 0..80,
        ),
    ) {
        check_done(&run(CONFIG, &steps))?;
    }

    #[test]
    fn budgets_hold_whatever_happens(
        steps in prop::collection::vec(prop_oneof![12 => common_step(), 2 => rival()], 0..80),
        duty_budget_wei in 0..60_000_000_u64, day_budget_wei in 0..200_000_000_u64,
        fill_budget_wei in 0..10_000_000_u64,
    ) {
        run(SentinelConfig { duty_budget_wei, day_budget_wei, fill_budget_wei, ..CONFIG }, &steps);
    }
}
