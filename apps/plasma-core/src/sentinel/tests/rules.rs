//! One table or story for each rule of `docs/protocol/sentinel.md`.

use super::world::*;
use crate::sentinel::*;
use crate::wire::{Address, H256, U256};

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
fn a_transaction_hurries_as_much_as_those_behind_it() {
    let mut world = world(CONFIG, [duty(1)]);
    jam(&mut world, 3);
    let now_s = world.tip().time_s;
    world.start(Duty { opens_s: now_s, due_s: now_s + 60, ..duty(2) });
    jam(&mut world, 5);
    let first = sent(&world).into_iter().filter(|(nonce, _, _)| *nonce == 5);
    let offers: Vec<u128> = first.map(|(_, _, fee)| fee).collect();
    assert_eq!(offers, [202, 202, 202, 228, 228, 228, 286, 358]);
}

#[test]
fn what_failed_before_counts_against_the_budget_of_a_duty() {
    let one = 135_000 * 202;
    let at_stake_wei = Some(U256::from(2 * (one + 1_000_000_u64)));
    let mut world = world(CONFIG, [Duty { at_stake_wei, ..duty(1) }]);
    world.traps.insert(duty(1).id.exit_id);
    world.calm(3);
    assert_eq!(world.tip().calls.len(), 3, "each offers less than the one before");
    let offers: Vec<u128> = sent(&world).into_iter().map(|(_, _, fee)| fee).collect();
    assert_eq!(offers, [202, 171, 133]);
    world.calm(9);
    assert_eq!(world.tip().calls.len(), 3);
    assert!(matches!(world.phase(1), Some(DutyPhase::TooExpensive { .. })));
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
    world.restart();
    world.calm(5);
    assert_eq!(world.tip().calls.len(), 2, "a restart is no new day");
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
    for history_len_max in [0, 100] {
        let mut world = world(SentinelConfig { history_len_max, ..CONFIG }, [duty(1)]);
        world.traps.insert(duty(1).id.exit_id);
        world.calm(30);
        assert_eq!((world.tip().calls.len(), world.outcome(1)), (4, Some(DutyOutcome::Reverted)));
        assert_eq!(world.phase(1), Some(DutyPhase::Ended));
        world.restart();
        world.calm(10);
        assert_eq!(world.tip().calls.len(), 4);
    }
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

#[test]
fn challenging_a_standard_exit_is_due_before_it_can_be_processed_and_earns_its_bond() {
    let check = |currency, due_s, opens_s, at_stake_wei: Option<U256>| {
        let exit = crate::byzantine::ExitFault {
            eth_height: EthHeight::new(7),
            position: crate::wire::UtxoPos::decode(1_000_000_000_000).unwrap(),
            exit_id: crate::wire::ExitId::from_bytes([3; 20]),
            owner: Address::repeat_byte(1),
            currency,
            amount: 500.into(),
            root_chain_txhash: H256::repeat_byte(9),
            scheduled_finalization_time_s: due_s,
            spending_txhash: None,
        };
        let proof = crate::exit_processor::ChallengeData {
            exit_id: exit.exit_id,
            exiting_tx: [1].into(),
            tx_bytes: [2].into(),
            input_index: 0,
            signature: crate::wire::Signature::from_bytes([0; 65]),
        };
        let duty = Duty::challenge_standard_exit(&exit, proof.clone(), 14.into(), 100);
        let cause = exit.root_chain_txhash;
        let id = DutyId { exit_id: exit.exit_id, cause, task: Task::ChallengeStandardExit };
        let call = Call::ChallengeStandardExit(proof);
        let expected =
            Duty { id, call, opens_s, due_s, closes_s: None, reward_wei: 14.into(), at_stake_wei };
        assert_eq!(duty, expected);
    };
    check(crate::wire::ETH, 1_000, 800, Some(500.into()));
    check(crate::wire::ETH, 150, 0, Some(500.into()));
    check(Address::repeat_byte(0xee), 1_000, 800, None);
}

#[test]
fn housekeeping_comes_last_and_leaves_three_quarters_of_each_budget_to_challenges() {
    let tidy = |n: u8| {
        let mut duty = duty(n);
        (duty.id.task, duty.at_stake_wei, duty.reward_wei) =
            (Task::DeleteInFlightExit, None, U256::zero());
        duty
    };
    let config = SentinelConfig::default();
    let whole = U256::from(config.duty_budget_wei);
    let urgent = Duty { at_stake_wei: None, ..duty(1) };
    assert_eq!((urgent.cost_wei_max(&config), tidy(2).cost_wei_max(&config)), (whole, whole / 4));
    let late = Duty { due_s: u64::MAX - 1, ..duty(3) };
    assert!(late.priority() < tidy(4).priority());
}

#[test]
fn duties_of_which_nothing_comes_leave_room_for_the_others() {
    let facts = RootChainFacts {
        eth_height: EthHeight::new(40),
        eth_time_s: 1_000,
        account_nonce: 0,
        pending_nonce: 0,
        balance_wei: U256::exp10(18),
        quote: FeeQuote { base_fee_per_gas_wei: 100, priority_fee_per_gas_wei: 2 },
        receipts: std::collections::BTreeMap::new(),
    };
    let fresh = Duty { opens_s: 900, due_s: 1_500, ..duty(9) };
    let asks_for_fresh = |plan: &Plan| {
        let is_it =
            |action: &Action| matches!(action, Action::Check(check) if check.id == fresh.id);
        plan.actions.iter().any(is_it)
    };
    // What the contracts take no more is due before everything else.
    let closed = |n: u16| Duty {
        id: DutyId { cause: H256::from_low_u64_be(n.into()), ..duty(1).id },
        due_s: 500,
        closes_s: Some(500),
        ..duty(1)
    };
    let mut sentinel = Sentinel::restore(CONFIG, account(), RecoveredSentinel::default());
    sentinel.on_root_chain(&facts);
    let duties = (0..1_100).map(closed).chain([fresh.clone()]).collect();
    assert!(asks_for_fresh(&sentinel.on_duties(duties, |_| false)));
}
