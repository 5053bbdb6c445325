//! One story for each way in which a nonce gets into trouble: crashes, reorganisations, rivals, strangers and moody nodes.

use super::world::*;
use crate::root_chain::SubmitOutcome;
use crate::sentinel::*;
use crate::wire::{Address, EthHeight, U256};
use std::collections::BTreeMap;

#[test]
fn a_withdrawn_duty_makes_room_for_the_next_or_for_nothing() {
    let mut world = world(CONFIG, [duty(1), duty(2)]);
    jam(&mut world, 1);
    assert_eq!(sent(&world), [(5, 1, 202), (6, 2, 202)]);
    world.rival(duty(1).id.exit_id);
    jam(&mut world, 1);
    assert_eq!(
        sent(&world)[2..],
        [(5, 1, 202), (6, 2, 202)],
        "one failed simulation can be a mistake"
    );
    jam(&mut world, 1);
    // The second one is enough, long before the exit processor knows.
    assert_eq!(sent(&world).last(), Some(&(5, 0, 228)));
    world.start(duty(3));
    jam(&mut world, 3);
    assert!(sent(&world).iter().rev().all(|row| row.0 != 5 || row.1 != 3), "it stays filled");
    world.calm(30);
    assert_eq!((world.tip().fills, world.tip().calls.len()), (1, 2));
    assert_eq!(world.outcome(1), Some(DutyOutcome::LostRace));
    assert_eq!(world.record(1).unwrap().gas_used, FILL_GAS);
    assert_eq!([world.outcome(2), world.outcome(3)], [Some(DutyOutcome::Done); 2]);
}

#[test]
fn a_duty_that_comes_back_takes_its_nonce_back() {
    let mut world = world(CONFIG, [duty(1)]);
    jam(&mut world, 1);
    world.rival(duty(1).id.exit_id);
    jam(&mut world, 2);
    assert_eq!(sent(&world).last(), Some(&(5, 0, 228)));
    for block in &mut world.blocks {
        block.done.clear();
    }
    jam(&mut world, 2);
    assert_eq!(sent(&world).last().map(|row| (row.0, row.1)), Some((5, 1)));
    world.calm(12);
    assert_eq!((world.tip().calls.len(), world.tip().fills), (1, 0));
}

#[test]
fn what_was_not_signed_is_not_replaced() {
    let mut world = world(CONFIG, [duty(1)]);
    world.look(Fault::None);
    world.sent.clear();
    jam(&mut world, 3);
    for _ in 0..8 {
        world.look(Fault::Deaf);
        world.mine(1_000_000);
        world.quote.base_fee_per_gas_wei = 100;
    }
    assert!(sent(&world)[3..].iter().all(|row| *row == (5, 1, 228)), "{:?}", sent(&world));
}

#[test]
fn a_transaction_that_waited_for_others_is_not_raised_at_once() {
    let mut world = world(CONFIG, [duty(1), duty(2)]);
    jam(&mut world, 3);
    world.pool.remove(&6);
    world.mine(100);
    world.look(Fault::None);
    assert_eq!(sent(&world).last(), Some(&(6, 2, 202)));
}

#[test]
fn a_simulation_that_failed_undoes_the_one_before() {
    let config = SentinelConfig { in_flight_max: 1, ..CONFIG };
    let mut world = world(config, [duty(1), duty(2)]);
    world.look(Fault::None);
    let (id, call) = (duty(2).id, duty(2).call);
    let eth_height = EthHeight::new(world.blocks.len() as u64);
    let reason = "suddenly".to_owned();
    world.sentinel.on_checked(&Check { id, call, eth_height }, Checked::Reverts { reason });
    world.mine(100);
    world.look(Fault::Silent);
    assert_eq!(sent(&world), [(5, 1, 202)]);
    world.calm(3);
    assert_eq!(sent(&world)[1..], [(6, 2, 202)]);
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
fn another_key_sends_nothing_of_the_one_before() {
    let mut world = world(CONFIG, [duty(1)]);
    jam(&mut world, 1);
    let open = world.store().nonces.clone();
    assert!(!open.is_empty());
    let facts = RootChainFacts {
        eth_height: EthHeight::new(40),
        eth_time_s: 100,
        account_nonce: 0,
        pending_nonce: 0,
        balance_wei: world.balance_wei,
        quote: world.quote,
        receipts: BTreeMap::new(),
    };
    let actions = |account| {
        let mut sentinel = Sentinel::restore(CONFIG, account, world.store().clone());
        sentinel.on_root_chain(&facts).actions
    };
    assert_eq!(actions(Address::repeat_byte(8)), []);
    assert_eq!(actions(account()).len(), open.len());
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
fn a_root_chain_that_grows_shorter_gets_everything_again() {
    let mut world = world(CONFIG, [duty(1)]);
    world.look(Fault::None);
    world.mine(100);
    world.look(Fault::None);
    world.blocks.pop();
    world.look(Fault::None);
    assert_eq!(sent(&world), [(5, 1, 202), (5, 1, 202)]);
}

#[test]
fn a_reorganisation_that_opens_two_nonces_for_a_duty_leaves_it_the_first() {
    let mut world = world(CONFIG, [duty(1)]);
    world.traps.insert(duty(1).id.exit_id);
    world.look(Fault::None);
    world.mine(100);
    jam(&mut world, 1);
    assert_eq!(sent(&world).last(), Some(&(6, 1, 202)), "it failed and is tried again");
    world.traps.clear();
    world.reorg(2, false);
    world.pool.clear();
    jam(&mut world, 2);
    let newest = |nonce| sent(&world).into_iter().rfind(|row| row.0 == nonce).map(|row| row.1);
    assert_eq!((newest(5), newest(6)), (Some(1), Some(0)));
    world.calm(20);
    assert_eq!((world.tip().calls.len(), world.tip().fills), (1, 1));
    assert_eq!(world.outcome(1), Some(DutyOutcome::Done));
}

#[test]
fn a_lost_race_that_a_reorganisation_undoes_is_run_again() {
    let mut world = world(CONFIG, [duty(1)]);
    world.rival(duty(1).id.exit_id);
    world.mine(100);
    world.look(Fault::None);
    world.calm(4);
    assert_eq!(world.outcome(1), Some(DutyOutcome::LostRace));
    for block in &mut world.blocks {
        block.done.clear();
    }
    world.look(Fault::None);
    assert!(matches!(world.phase(1), Some(DutyPhase::InFlight { .. })));
    assert_eq!(world.outcome(1), None);
    world.calm(12);
    assert_eq!(world.outcome(1), Some(DutyOutcome::Done));
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

/// A raised offer was mined while the shell could tell nothing, not even hashes, for longer than a receipt is waited for. Its nonce
/// then counted as somebody else's, and what the Sentinel had done as withdrawn. A nonce is nobody else's before all hashes are known.
#[test]
fn a_nonce_is_ours_until_every_hash_is_known() {
    let mut world = world(CONFIG, [duty(1)]);
    jam(&mut world, 3);
    world.look(Fault::Deaf);
    world.mine(100);
    world.look(Fault::Deaf);
    for _ in 0..5 {
        world.mine(100);
    }
    world.calm(12);
    assert!(!world.notices.contains(&Notice::NonceTaken { nonce: 5 }));
    assert_eq!(world.outcome(1), Some(DutyOutcome::Done));
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
