//! Starts, challenges, omissions and payments, in every order in which they can be read.

use super::*;
use StandardExitPhase::{Active, Challenged, Finalized, FinalizedInvalid, Omitted};

const P: UtxoPos = UtxoPos::new(Blknum::new(3000), TxIndex::new(1), OutputIndex::new(0));

fn spent_universe() -> Universe {
    let mut universe = Universe::new();
    universe.spent(P, &alice_spends(P));
    universe
}

/// The events are read one by one, all at once, and with repetitions; the exit must end in the same phase.
fn check(description: &str, events: &[EthEvent], expected: StandardExitPhase) {
    let one_by_one: Vec<_> = events.iter().map(std::slice::from_ref).collect();
    let repeated: Vec<_> = (1..=events.len()).map(|count| &events[..count]).collect();
    for batches in [vec![events], one_by_one, repeated, vec![events; 3]] {
        for is_restarted in [false, true] {
            let mut universe = spent_universe();
            for batch in &batches {
                universe.see(batch);
                if is_restarted {
                    universe.restart();
                }
            }
            assert_eq!(universe.phase(P), expected, "{description}: {batches:?}");
            let active = universe.processor.active_exit(P).map(|exit| exit.phase);
            assert_eq!(active, expected.is_active().then_some(expected), "{description}");
            assert_eq!(universe.events().is_empty(), !expected.is_active(), "{description}");
        }
    }
}

#[test]
fn challenges_close_the_exit_they_were_made_against() {
    check("started", &[started(P, 50)], Active);
    check("challenged", &[started(P, 50), challenged(P, 55)], Challenged);
    check("challenged in the same block", &[started(P, 50), challenged(P, 50)], Challenged);
    check("a challenge of an earlier start", &[started(P, 50), challenged(P, 49)], Active);
    check("a challenge of something else", &[started(P, 50), challenged(pos(9, 0, 0), 55)], Active);
    let again = [started(P, 50), challenged(P, 55), started(P, 90)];
    check("and started again", &again, Active);
    let and_again = [&again[..], &[challenged(P, 95)]].concat();
    check("and challenged again", &and_again, Challenged);
}

#[test]
fn an_omission_ends_the_exit_it_is_of() {
    check("omitted", &[started(P, 50), omitted(P, 60)], Omitted);
    check("challenged before", &[started(P, 50), challenged(P, 55), omitted(P, 60)], Challenged);
    // Payments and omissions may be read before challenges.
    let early = [started(P, 50), omitted(P, 60), challenged(P, 55)];
    check("of a challenge that is read later", &early, Challenged);
    let old = [started(P, 50), omitted(P, 60), challenged(P, 45)];
    check("and an old challenge", &old, Omitted);
    check("of an earlier start", &[started(P, 50), omitted(P, 49)], Active);
    check("of something else", &[started(P, 50), omitted(pos(9, 0, 0), 60)], Active);
    let again = [started(P, 50), omitted(P, 60), started(P, 90)];
    check("and started again", &again, Active);
    let late = [started(P, 50), challenged(P, 55), started(P, 90), omitted(P, 60)];
    check("read after the next start", &late, Active);
    let and_again = [&again[..], &[omitted(P, 95)]].concat();
    check("and omitted again", &and_again, Omitted);
    let mut same_block = started(P, 60);
    same_block.log_index = 8;
    check("in the block of the next start", &[started(P, 50), omitted(P, 60), same_block], Active);
}

#[test]
fn an_omitted_exit_is_over_and_its_output_is_not_leaving() {
    let mut universe = Universe::new();
    universe.unspent(P);
    universe.see(&[started(P, 50)]);
    universe.exited(P, ExitId::from_bytes([7; 20]));
    assert!(universe.events().is_empty() && universe.processor.is_exiting(P));
    let exit_id = exit_id(P);
    let standing = universe.processor.standing(exit_id);
    assert!(matches!(standing, Some(ExitStanding::Standard(_, Judgement::Superseded))));
    universe.processor.take_changed();
    universe.see(&[omitted(P, 60)]);
    assert_eq!(universe.processor.take_changed(), [exit_id].into());
    assert_eq!(
        (universe.processor.active_count(), universe.processor.standing(exit_id)),
        (0, None)
    );
    assert!(!universe.processor.is_exiting(P));
    assert_eq!(universe.events(), []);
}

#[test]
fn an_omission_of_an_unknown_exit_leaves_it_watched_when_its_start_is_read() {
    let mut universe = spent_universe();
    universe.see(&[omitted(P, 60)]);
    universe.see(&[started(P, 50)]);
    assert_eq!((universe.phase(P), universe.events().len()), (Active, 2));
    universe.see(&[omitted(P, 60)]);
    assert_eq!((universe.phase(P), universe.events().len()), (Omitted, 0));
}

#[test]
fn what_was_paid_was_not_omitted() {
    for (was_there, expected) in [(true, Finalized), (false, FinalizedInvalid)] {
        let both = [omitted(P, 60), finalized(P, 90)];
        for batches in [vec![&both[..]], vec![&both[..1], &both[1..]], vec![&both[1..], &both[..1]]]
        {
            let mut universe = Universe::new();
            universe.unspent(P);
            universe.see(&[started(P, 50)]);
            let paid: Vec<_> =
                batches.iter().map(|batch| universe.see_paid(batch, was_there)).collect();
            assert_eq!(paid.iter().map(|paid| paid.exiting.len()).sum::<usize>(), 1);
            assert!(paid.iter().all(|paid| paid.unknown.is_empty()));
            assert_eq!(universe.phase(P), expected, "{batches:?}");
            assert_eq!(universe.events().is_empty(), was_there);
        }
    }
}

#[test]
fn a_start_in_the_block_of_its_omission_is_a_new_one() {
    let (first, mut again) = (started(P, 50), started(P, 90));
    again.log_index = 8;
    let challenge = challenged(P, 90);
    let events = [first, challenge, omitted(P, 90), again];
    check("challenged, omitted and started in one block", &events, Active);
}

#[test]
fn a_start_moved_by_a_reorganisation_is_the_same_one() {
    let mut universe = spent_universe();
    universe.see(&[started(P, 50)]);
    let mut moved = started(P, 50);
    moved.eth_height = EthHeight::new(53);
    universe.see(&[moved.clone()]);
    assert_eq!(universe.store[&P].eth_height, EthHeight::new(53));
    assert_eq!(universe.events().len(), 2);
    universe.see(&[challenged(P, 60)]);
    moved.eth_height = EthHeight::new(54);
    universe.see(&[moved]);
    assert_eq!(universe.phase(P), Challenged, "it is still challenged");
    assert_eq!(universe.store[&P].eth_height, EthHeight::new(54));
}

#[test]
fn an_exit_challenged_before_it_was_looked_at_is_never_mentioned() {
    let mut universe = spent_universe();
    universe.see(&[started(P, 50), challenged(P, 55)]);
    assert_eq!(universe.events(), []);
    assert_eq!(universe.asked, []);
    assert!(!universe.processor.is_exiting(P));
}

#[test]
fn a_valid_exit_that_is_paid_is_closed() {
    let mut universe = Universe::new();
    universe.unspent(P);
    universe.see(&[started(P, 50)]);
    let paid = universe.see_paid(&[finalized(P, 90)], true);
    let exit_id = exit_id(P);
    let expected = [Exiting { position: P, exit_id }];
    assert_eq!(paid.exiting, expected);
    assert_eq!(paid.unknown, []);
    assert_eq!(universe.phase(P), Finalized);
    assert_eq!(universe.events(), []);
    assert_eq!(universe.see_paid(&[finalized(P, 90)], true), PaidExits::default(), "once");
    universe.restart();
    assert_eq!(universe.see_paid(&[finalized(P, 90)], true), PaidExits::default(), "for ever");
    universe.see(&[started(P, 50)]);
    assert_eq!(universe.phase(P), Finalized, "its start is read again");
    assert_eq!(universe.events(), []);
}

#[test]
fn an_invalid_exit_that_is_paid_is_an_alarm_for_ever() {
    let mut universe = spent_universe();
    universe.see(&[started(P, 50)]);
    universe.set_heights(55, 54);
    assert_eq!(universe.events().len(), 1, "within the margin");
    universe.see_paid(&[finalized(P, 56)], false);
    assert_eq!(universe.phase(P), FinalizedInvalid);
    let expected = [("unchallenged_exit", P, Some(alice_spends(P).hash()))];
    assert_eq!(universe.events(), expected, "no challenge helps any more");
    universe.see(&[started(P, 50), challenged(P, 58)]);
    assert_eq!(universe.see_paid(&[finalized(P, 56)], false), PaidExits::default());
    universe.restart();
    assert_eq!(universe.events(), expected);
}

#[test]
fn what_the_quarantine_knows_makes_a_payment_invalid() {
    let mut universe = Universe::new();
    universe.unspent(P);
    universe.break_chain_at(4000);
    universe.quarantine(P, &alice_spends(P));
    universe.see(&[started(P, 50)]);
    universe.see_paid(&[finalized(P, 90)], true);
    assert_eq!(universe.phase(P), FinalizedInvalid);
    let expected = [("unchallenged_exit", P, Some(alice_spends(P).hash()))];
    assert_eq!(universe.events(), expected);
}

#[test]
fn a_payment_from_beyond_the_fault_blames_nobody() {
    let mut universe = Universe::new();
    universe.break_chain_at(3000);
    universe.see(&[started(P, 50)]);
    universe.see_paid(&[finalized(P, 90)], false);
    assert_eq!(universe.phase(P), Finalized);
    assert_eq!(universe.events(), []);
}

#[test]
fn a_payment_despite_a_challenge_is_taken_off_the_ledger() {
    for (was_there, expected) in [(true, Finalized), (false, FinalizedInvalid)] {
        let mut universe = Universe::new();
        universe.unspent(P);
        universe.see(&[started(P, 50), challenged(P, 55)]);
        let paid = universe.see_paid(&[finalized(P, 90)], was_there);
        assert_eq!(paid.exiting.len(), 1);
        assert_eq!(universe.phase(P), expected);
        assert_eq!(universe.events().is_empty(), was_there);
    }
}

#[test]
fn a_payment_of_an_unknown_exit_is_said_aloud() {
    let mut universe = Universe::new();
    let paid = universe.see_paid(&[finalized(P, 90)], true);
    assert_eq!(paid.unknown, [exit_id(P)]);
    assert_eq!(paid.exiting, []);
}

#[test]
fn the_margin_must_be_shorter_than_an_exit() {
    assert_eq!(SlaMarginTooBig::check(119, 1_000, 120), Ok(()));
    let too_big = SlaMarginTooBig::check(120, 1_000, 120).unwrap_err();
    assert_eq!(too_big.to_string(), "sla_margin_too_big");
    assert!(SlaMarginTooBig::check(u64::MAX, u64::MAX, 604_800).is_err());
}
