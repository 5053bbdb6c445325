//! One table or story for each rule of `docs/protocol/sentinel.md`.

use super::world::*;
use crate::root_chain::SubmitOutcome;
use crate::sentinel::*;
use crate::wire::{Address, EthHeight, H256, U256};
use std::collections::BTreeMap;

/// The transactions that were handed out: nonce, the n of the duty (0 for filling), offer in wei per gas.
fn sent(world: &World) -> Vec<(u64, u8, u128)> {
    let n_of = |call: &Option<Call>| call.as_ref().map_or(0, |call| exit_of(call).as_bytes()[0]);
    let row = |transaction: &Transaction| {
        let fee = transaction.fees.max_fee_per_gas_wei;
        (transaction.nonce, n_of(&transaction.call), fee)
    };
    world.sent.iter().map(row).collect()
}

/// A world in which these duties are wanted, and nothing was sent yet.
fn world(config: SentinelConfig, duties: impl IntoIterator<Item = Duty>) -> World {
    let mut world = World::new(config);
    for duty in duties {
        world.start(duty);
    }
    for _ in 0..2 {
        world.mine(100);
    }
    world
}

/// Looks at a block that takes nothing.
fn jam(world: &mut World, blocks: usize) {
    for _ in 0..blocks {
        world.look(Fault::None);
        world.mine(1_000_000);
        world.quote.base_fee_per_gas_wei = 100;
    }
}

#[test]
fn a_duty_costs_at_most_its_budget_and_its_share_of_what_it_saves() {
    let check = |reward: u64, at_stake: Option<u64>, expected: u64| {
        let (reward_wei, at_stake_wei) = (reward.into(), at_stake.map(U256::from));
        let config = SentinelConfig { duty_budget_wei: 100, ..CONFIG };
        let duty = Duty { reward_wei, at_stake_wei, ..duty(1) };
        assert_eq!(duty.cost_wei_max(&config), expected.into(), "{reward} {at_stake:?}");
    };
    check(0, None, 100);
    check(0, Some(0), 0);
    check(30, Some(0), 15);
    check(30, Some(50), 40);
    check(30, Some(500), 100);
    check(u64::MAX, Some(u64::MAX), 100);
}

#[test]
fn a_duty_hurries_when_half_of_its_time_is_over_and_more_when_an_eighth_is_left() {
    let check = |opens_s, due_s, now_s, expected| {
        let duty = Duty { opens_s, due_s, ..duty(1) };
        assert_eq!(duty.urgency(now_s), expected, "{opens_s} {due_s} {now_s}");
    };
    check(100, 180, 0, Urgency::Calm);
    check(100, 180, 139, Urgency::Calm);
    check(100, 180, 140, Urgency::Pressing);
    check(100, 180, 169, Urgency::Pressing);
    check(100, 180, 170, Urgency::Critical);
    check(100, 180, 999, Urgency::Critical);
    check(200, 180, 0, Urgency::Calm);
    check(200, 180, 180, Urgency::Critical);
}

#[test]
fn tasks_keep_their_numbers_in_the_store() {
    for (kind, index, name) in [
        (0, 0, "challenge_standard_exit"),
        (1, 3, "challenge_in_flight_exit"),
        (2, 0, "respond_to_challenge"),
        (3, 1, "block_input"),
        (4, 2, "block_output"),
        (5, 0, "delete_in_flight_exit"),
        (6, 0, "process_exits"),
    ] {
        let task = Task::from_parts(kind, index).unwrap();
        assert_eq!((task.name(), task.to_parts()), (name, (kind, index)));
    }
    assert_eq!(Task::from_parts(0, 1), None);
    assert_eq!(Task::from_parts(7, 0), None);
}

#[test]
fn the_earliest_deadline_goes_first_then_the_most_at_stake_and_not_too_many_at_once() {
    let with = |n, due_s, at_stake: Option<u64>| {
        let at_stake_wei = at_stake.map(|finney| U256::from(finney * 1_000_000_000_000_000));
        Duty { due_s, at_stake_wei, ..duty(n) }
    };
    let duties = [
        with(1, 3_000, Some(9)),
        with(2, 2_000, Some(5)),
        with(3, 2_000, Some(8)),
        with(4, 2_000, None),
        with(5, 1_000, Some(1)),
    ];
    let mut world = world(CONFIG, duties);
    world.look(Fault::None);
    assert_eq!(sent(&world), [(5, 5, 202), (6, 4, 202), (7, 3, 202)]);
    world.mine(100);
    world.look(Fault::None);
    assert_eq!(sent(&world)[3..], [(8, 2, 202), (9, 1, 202)]);
}

#[test]
fn offers_rise_by_an_eighth_at_first_and_double_at_the_end() {
    let offers = |due_blocks: u64, blocks: usize| {
        let due_s = due_blocks * BLOCK_TIME_S;
        let mut world = world(CONFIG, [Duty { due_s, ..duty(1) }]);
        jam(&mut world, blocks);
        sent(&world).into_iter().map(|(_, _, fee)| fee).collect::<Vec<_>>()
    };
    // Offered again with each block: a pool that lost it has it again.
    assert_eq!(offers(1_000, 7), [202, 202, 202, 228, 228, 228, 257]);
    assert_eq!(offers(8, 4), [202, 202, 254, 318]);
    assert_eq!(offers(3, 4), [204, 412, 828, 1_660]);
}

#[test]
fn what_the_contracts_would_refuse_is_not_sent_and_tried_again_later_and_later() {
    let mut world = world(CONFIG, [duty(1), duty(2)]);
    world.rival(duty(1).id.exit_id);
    for _ in 0..20 {
        world.look(Fault::None);
        world.blocks.push(world.tip().clone());
        // The exit processor does not hear of the rival.
        world.blocks.iter_mut().rev().skip(1).for_each(|block| {
            block.done.remove(&duty(1).id.exit_id);
        });
    }
    assert!(sent(&world).iter().all(|(_, n, _)| *n == 2), "{:?}", sent(&world));
    let checked = world.checked.iter().filter(|(exit_id, _)| *exit_id == duty(1).id.exit_id);
    let heights: Vec<u64> = checked.map(|(_, height)| *height).collect();
    assert_eq!(heights, [5, 6, 8, 12, 20]);
    let reason = "not now".to_owned();
    assert_eq!(world.phase(1), Some(DutyPhase::WouldRevert { reason: reason.clone() }));
    let told = world.notices.iter().filter(|notice| matches!(notice, Notice::WouldRevert { .. }));
    assert_eq!(told.collect::<Vec<_>>(), [&Notice::WouldRevert { id: duty(1).id, reason }]);
    // The facts change.
    let tip = world.blocks.last_mut().unwrap();
    tip.done.remove(&duty(1).id.exit_id);
    world.calm(40);
    assert_eq!(world.outcome(1), Some(DutyOutcome::Done));
}

#[test]
fn a_withdrawn_duty_makes_room_for_the_next_or_for_nothing() {
    let mut world = world(CONFIG, [duty(1), duty(2)]);
    jam(&mut world, 1);
    assert_eq!(sent(&world), [(5, 1, 202), (6, 2, 202)]);
    world.rival(duty(1).id.exit_id);
    jam(&mut world, 1);
    world.start(duty(3));
    jam(&mut world, 3);
    let newest =
        |world: &World, nonce| sent(world).into_iter().rfind(|(at, _, _)| *at == nonce).unwrap();
    // Its simulation failed twice, long before the exit processor knew: the nonce was filled and stays so.
    assert_eq!(newest(&world, 5).1, 0);
    world.calm(30);
    assert_eq!((world.tip().fills, world.tip().calls.len()), (1, 2));
    assert_eq!(world.outcome(1), Some(DutyOutcome::LostRace));
    assert_eq!(world.record(1).unwrap().gas_used, FILL_GAS);
    assert_eq!([world.outcome(2), world.outcome(3)], [Some(DutyOutcome::Done); 2]);
}

#[test]
fn the_next_duty_takes_the_nonce_of_a_withdrawn_one() {
    let config = SentinelConfig { in_flight_max: 1, ..CONFIG };
    let mut world = world(config, [duty(1), duty(2)]);
    jam(&mut world, 1);
    world.rival(duty(1).id.exit_id);
    jam(&mut world, 3);
    assert_eq!(sent(&world).last().map(|(nonce, n, _)| (*nonce, *n)), Some((5, 2)));
    world.calm(30);
    assert_eq!((world.tip().fills, world.tip().calls.len()), (0, 1));
    assert_eq!(world.outcome(2), Some(DutyOutcome::Done));
}

#[test]
fn a_crash_anywhere_sends_the_same_transaction_again() {
    for fault in [
        Fault::CrashBeforeCommit,
        Fault::CrashAfter(0),
        Fault::CrashAfter(1),
        Fault::CrashUnheard(0),
        Fault::Away,
        Fault::Silent,
    ] {
        let mut world = world(CONFIG, [duty(1)]);
        world.look(Fault::None);
        world.pool.clear();
        world.mine(100);
        world.look(fault);
        world.calm(12);
        assert!(sent(&world).iter().all(|row| *row == (5, 1, 202)), "{fault:?} {:?}", sent(&world));
        assert_eq!(world.tip().calls.len(), 1, "{fault:?}");
        assert_eq!(world.outcome(1), Some(DutyOutcome::Done), "{fault:?}");
    }
}

#[test]
fn after_a_restart_nothing_is_raised_before_the_duties_are_known() {
    let mut world = world(CONFIG, [duty(1)]);
    jam(&mut world, 1);
    world.restart();
    for height in 10..40 {
        let facts = RootChainFacts {
            eth_height: EthHeight::new(height),
            eth_time_s: 100,
            account_nonce: 5,
            pending_nonce: 5,
            balance_wei: U256::zero(),
            quote: world.quote,
            receipts: BTreeMap::new(),
        };
        let plan = world.sentinel.on_root_chain(&facts);
        let [Action::Send(transaction)] = plan.actions.as_slice() else {
            panic!("{:?}", plan.actions);
        };
        assert_eq!(Some(transaction), world.sent.first());
        assert_eq!(plan.updates, []);
    }
}

#[test]
fn what_a_reorganisation_undoes_is_done_again_with_the_same_nonce() {
    let mut world = world(CONFIG, [duty(1)]);
    world.look(Fault::None);
    world.mine(100);
    world.look(Fault::None);
    assert!(matches!(world.phase(1), Some(DutyPhase::Mined { .. })));
    world.reorg(1, false);
    world.look(Fault::None);
    assert!(world.notices.contains(&Notice::Unmined { nonce: 5 }));
    assert_eq!(sent(&world), [(5, 1, 202), (5, 1, 202)]);
    world.calm(12);
    assert_eq!(world.outcome(1), Some(DutyOutcome::Done));
    assert_eq!(world.record(1).unwrap().cost_wei, U256::from(CALL_GAS * 102));
}

#[test]
fn a_duty_waits_while_gas_costs_more_than_it_may() {
    let at_stake_wei = Some(U256::from(135_000 * 2 * 101_u64));
    let mut world = world(CONFIG, [Duty { at_stake_wei, ..duty(1) }]);
    world.look(Fault::None);
    assert_eq!(world.phase(1), Some(DutyPhase::TooExpensive { affordable_wei: 101 }));
    assert_eq!((sent(&world), world.halt), (vec![], None));
    world.mine(99);
    world.look(Fault::None);
    world.mine(99);
    world.look(Fault::None);
    assert_eq!(sent(&world), [(5, 1, 101)]);
}

#[test]
fn the_day_and_the_account_limit_what_is_in_flight_together() {
    let each = 135_000 * 202;
    let check = |config, balance: u64, expected: usize, halt| {
        let mut world = world(config, [duty(1), duty(2), duty(3)]);
        world.balance_wei = balance.into();
        jam(&mut world, 2);
        let mut nonces: Vec<u64> = sent(&world).iter().map(|(nonce, _, _)| *nonce).collect();
        nonces.dedup();
        nonces.sort();
        nonces.dedup();
        assert_eq!((nonces.len(), world.halt), (expected, halt));
        assert_eq!(world.sentinel.status().halt, halt);
    };
    check(CONFIG, each * 3, 3, None);
    let balance_wei = (each * 2).into();
    check(CONFIG, each * 2, 2, Some(SentinelHalt::InsufficientFunds { balance_wei }));
    let config = SentinelConfig { day_budget_wei: each * 2 + each / 4, ..CONFIG };
    let (used_wei, budget_wei) = ((each * 2).into(), config.day_budget_wei);
    check(config, each * 9, 2, Some(SentinelHalt::DayBudgetSpent { used_wei, budget_wei }));
}

#[test]
fn a_new_day_has_a_new_budget() {
    let each = 135_000 * 202;
    let config = SentinelConfig { day_budget_wei: each, ..CONFIG };
    let mut world = world(config, [duty(1), duty(2), duty(3)]);
    world.calm(20);
    assert_eq!(world.tip().calls.len(), 2, "the second fits because the first was cheaper");
    world.blocks.last_mut().unwrap().time_s += 86_400;
    world.calm(20);
    assert_eq!(world.tip().calls.len(), 3);
}

#[test]
fn a_dry_run_decides_everything_and_sends_nothing() {
    let mut world = world(SentinelConfig { dry_run: true, ..CONFIG }, [duty(1)]);
    world.calm(5);
    let (id, gas_limit) = (duty(1).id, 135_000);
    let would = Notice::WouldSend { id, gas_limit, max_fee_per_gas_wei: 202 };
    assert_eq!((sent(&world), &world.notices), (vec![], &vec![would]));
    world.rival(duty(1).id.exit_id);
    world.calm(5);
    assert_eq!(world.outcome(1), Some(DutyOutcome::DryRun));
}

#[test]
fn a_duty_that_fails_again_and_again_is_given_up() {
    let mut world = world(CONFIG, [duty(1)]);
    world.traps.insert(duty(1).id.exit_id);
    world.calm(30);
    assert_eq!((world.tip().calls.len(), world.outcome(1)), (4, Some(DutyOutcome::Reverted)));
    assert_eq!(world.phase(1), Some(DutyPhase::Ended));
    world.restart();
    world.calm(10);
    assert_eq!(world.tip().calls.len(), 4);
}

#[test]
fn a_duty_ends_when_the_contracts_take_it_no_more() {
    let closing = |n| Duty { closes_s: Some(120), due_s: 100, ..duty(n) };
    let mut world = world(CONFIG, [closing(1)]);
    jam(&mut world, 30);
    world.calm(10);
    assert_eq!(world.outcome(1), Some(DutyOutcome::Expired));
    assert_eq!((world.tip().calls.len(), world.tip().fills), (0, 1));
    let mut world = self::world(CONFIG, [Duty { at_stake_wei: Some(U256::zero()), ..closing(1) }]);
    world.calm(30);
    assert_eq!(world.outcome(1), Some(DutyOutcome::TooExpensive));
}

#[test]
fn a_duty_that_is_late_is_done_all_the_same() {
    let mut world = world(CONFIG, [Duty { due_s: 10, ..duty(1) }]);
    world.calm(20);
    assert_eq!(world.outcome(1), Some(DutyOutcome::Done));
}

#[test]
fn exits_are_processed_only_if_asked() {
    for process_exits in [false, true] {
        let task = Task::ProcessExits;
        let process = Duty { id: DutyId { task, ..duty(1).id }, ..duty(1) };
        let mut world = world(SentinelConfig { process_exits, ..CONFIG }, [process]);
        world.calm(3);
        assert_eq!(world.tip().calls.len(), usize::from(process_exits));
    }
}

#[test]
fn a_stuck_transaction_makes_room_for_one_that_can_pay() {
    let poor = Some(U256::from(135_000 * 2 * 210_u64));
    let first = Duty { at_stake_wei: poor, due_s: 3_000, ..duty(1) };
    let mut world = world(CONFIG, [first, duty(2)]);
    world.look(Fault::None);
    for _ in 0..8 {
        world.mine(300);
        world.look(Fault::None);
    }
    assert!(world.tip().done.contains_key(&duty(2).id.exit_id), "{:?}", sent(&world));
    assert_eq!(world.tip().fills, 1);
    world.calm(20);
    assert_eq!(world.outcome(1), Some(DutyOutcome::Done), "when gas is cheap again");
}

#[test]
fn a_foreign_transaction_that_blocks_ours_is_replaced_in_the_end() {
    let mut world = world(CONFIG, [duty(1)]);
    world.stray();
    world.look(Fault::None);
    assert_eq!(sent(&world), [(6, 1, 202)]);
    for _ in 0..9 {
        world.mine(6_000);
        world.quote.base_fee_per_gas_wei = 100;
        world.look(Fault::None);
    }
    assert!(sent(&world).iter().all(|(nonce, _, _)| *nonce == 6));
    for _ in 0..200 {
        world.mine(6_000);
        world.look(Fault::None);
    }
    assert_eq!((world.tip().fills, world.tip().calls.len()), (1, 1));
}

#[test]
fn a_nonce_that_somebody_else_used_is_told_and_the_duty_gets_another() {
    let mut world = world(CONFIG, [duty(1)]);
    world.look(Fault::None);
    world.pool.clear();
    world.stray();
    world.calm(6);
    assert!(world.notices.contains(&Notice::NonceTaken { nonce: 5 }));
    world.calm(12);
    assert_eq!(world.outcome(1), Some(DutyOutcome::Done));
    assert!(world.store().nonces.is_empty());
}

#[test]
fn what_the_node_refuses_for_good_makes_room_and_what_needs_a_human_is_told() {
    let refused = SubmitOutcome::Refused { code: -32_000, message: "no".to_owned() };
    let mut world = world(CONFIG, [duty(1), duty(2)]);
    world.refusal = Some(refused);
    jam(&mut world, 8);
    world.refusal = None;
    world.calm(20);
    assert_eq!([world.outcome(1), world.outcome(2)], [Some(DutyOutcome::Done); 2]);
    for (refusal, halt) in [
        (SubmitOutcome::AccountLocked, SentinelHalt::AccountLocked),
        (
            SubmitOutcome::InsufficientFunds,
            SentinelHalt::InsufficientFunds { balance_wei: world.balance_wei },
        ),
    ] {
        let mut world = self::world(CONFIG, [duty(1)]);
        world.refusal = Some(refusal);
        world.look(Fault::None);
        assert_eq!(world.sentinel.status().halt, Some(halt));
        world.refusal = None;
        world.calm(3);
        assert_eq!(world.sentinel.status().halt, None);
    }
}

#[test]
fn the_log_is_bounded_and_forgets_nothing_that_is_still_wanted() {
    let config = SentinelConfig { history_len_max: 2, ..CONFIG };
    let mut world = world(config, (1..=6).map(duty));
    world.calm(40);
    assert_eq!(world.tip().calls.len(), 6);
    assert_eq!((world.sentinel.history().count(), world.store().duties.len()), (2, 2));
    let newest = world.sentinel.history().next().unwrap();
    assert_eq!((newest.account, newest.reverts), (account(), 0));
    assert_eq!(newest.gas_used, CALL_GAS);
}

#[test]
fn a_flood_of_duties_is_cut_to_the_most_urgent() {
    let mut sentinel = Sentinel::restore(CONFIG, Address::zero(), RecoveredSentinel::default());
    let flood = |n: u16| Duty {
        id: DutyId { cause: H256::from_low_u64_be(n.into()), ..duty(1).id },
        due_s: 9_000 - u64::from(n),
        ..duty(1)
    };
    let plan = sentinel.on_duties((0..1_100).map(flood).collect(), |_| false);
    assert_eq!(plan.notices, [Notice::TooManyDuties { left_out: 76 }]);
    // Nothing is known about the root chain yet.
    assert_eq!(plan.actions, []);
}
