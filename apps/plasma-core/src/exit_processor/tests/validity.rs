//! Which exits are invalid, and when that is said.

use super::*;

/// Starts an exit at height 95, applies `change`, and compares what is said before the margin is over and after.
fn check(
    description: &str,
    position: UtxoPos,
    change: fn(&mut Universe, UtxoPos),
    expected: Option<Option<RecoveredTx>>,
) {
    let spending = expected.map(|by| by.map(|tx| tx.hash()));
    for is_change_first in [true, false] {
        let mut universe = Universe::new();
        if is_change_first {
            change(&mut universe, position);
        }
        universe.see(&[started(position, 95)]);
        if !is_change_first {
            universe.check();
            change(&mut universe, position);
        }
        for is_restarted in [false, true] {
            if is_restarted {
                universe.restart();
            }
            let invalid = spending.map(|spending| ("invalid_exit", position, spending));
            let unchallenged = spending.map(|spending| ("unchallenged_exit", position, spending));
            universe.set_heights(104, 102);
            assert_eq!(
                universe.events(),
                Vec::from_iter(invalid),
                "{description}, within the margin"
            );
            universe.set_heights(105, 103);
            let both: Vec<_> = unchallenged.into_iter().chain(invalid).collect();
            assert_eq!(universe.events(), both, "{description}, past the margin");
        }
    }
}

#[test]
fn exits_are_judged_by_what_became_of_their_output() {
    let (deposit, output) = (pos(1, 0, 0), pos(3000, 1, 2));
    let (future, last) = (pos(5000, 0, 0), pos(4000, 65_535, 3));
    for position in [deposit, output, last] {
        check("unspent", position, Universe::unspent, None);
        let spent: fn(&mut Universe, UtxoPos) = |u, p| u.spent(p, &alice_spends(p));
        check("spent", position, spent, Some(Some(alice_spends(position))));
        check("taken by its exit", position, |u, p| u.exited(p, exit_id(p)), None);
        check("taken by another exit", position, |u, p| u.exited(p, exit_id(pos(7, 0, 0))), None);
    }
    check("never was", output, |_, _| {}, Some(None));
    check("a deposit that is not known yet", deposit, |_, _| {}, None);
    check("not in the ledger yet", future, |_, _| {}, None);
    check("in no ledger ever", pos(u64::MAX, 0, 0), |_, _| {}, None);
}

#[test]
fn the_event_has_the_documented_facts() {
    let position = pos(3000, 1, 2);
    let mut universe = Universe::new();
    universe.spent(position, &alice_spends(position));
    universe.see(&[started(position, 95)]);
    universe.check();
    let expected = ByzantineEvent::InvalidExit(crate::byzantine::ExitFault {
        eth_height: EthHeight::new(95),
        position,
        exit_id: exit_id(position),
        owner: alice(),
        currency: ETH,
        amount: U256::from(10),
        root_chain_txhash: H256::from_low_u64_be(95_001),
        scheduled_finalization_time_s: 7_777,
        spending_txhash: Some(alice_spends(position).hash()),
    });
    assert_eq!(universe.processor.byzantine_events(universe.heights()), [expected]);
}

#[test]
fn an_output_of_other_money_is_not_what_leaves() {
    let position = pos(3000, 1, 2);
    let differs: [fn(&mut Address, &mut Utxo); 3] = [
        |owner, _| *owner = bob(),
        |_, utxo| utxo.amount = U256::from(9),
        |_, utxo| utxo.currency = Address::repeat_byte(1),
    ];
    for change in differs {
        let mut universe = Universe::new();
        universe.unspent(position);
        let fact = universe.facts.get_mut(&position).unwrap();
        if let Some(OutputFact::Unspent(owner, utxo)) = &mut fact.output {
            change(owner, utxo);
        }
        universe.see(&[started(position, 95)]);
        assert_eq!(universe.events(), [("invalid_exit", position, None)]);
    }
}

/// Hostile or broken events are recorded and reported, and nothing panics.
#[test]
fn an_exit_whose_parts_do_not_fit_is_invalid() {
    let position = pos(3000, 1, 0);
    let good = creating_tx().encode_unsigned();
    let cases: [(&str, UtxoPos, Vec<u8>, Address, ExitId); 6] = [
        ("no bytes", position, vec![], alice(), exit_id(position)),
        ("no transaction", position, vec![0xc1, 0x01], alice(), exit_id(position)),
        ("cut short", position, good[..40].to_vec(), alice(), exit_id(position)),
        ("no such output", pos(3000, 1, 4), good.clone(), alice(), exit_id(pos(3000, 1, 4))),
        ("another owner", position, good.clone(), bob(), exit_id(position)),
        ("another id", position, good, alice(), ExitId::from_bytes([9; 20])),
    ];
    for (description, position, output_tx, owner, exit_id) in cases {
        for blknum_offset in [0, 50_000] {
            let position = pos(position.blknum.get() + blknum_offset, 1, position.oindex.get());
            let mut universe = Universe::new();
            universe.unspent(position);
            let event = RootChainEvent::ExitStarted {
                owner,
                exit_id,
                position,
                output_tx: output_tx.clone().into(),
                exitable_at_s: u64::MAX,
            };
            universe.see(&[at(95, 1, event)]);
            assert_eq!(universe.events(), [("invalid_exit", position, None)], "{description}");
            universe.restart();
            assert_eq!(universe.events(), [("invalid_exit", position, None)], "{description}");
        }
    }
}

#[test]
fn an_exit_ahead_of_the_ledger_is_judged_when_its_block_is_there() {
    let position = pos(6000, 0, 0);
    let mut universe = Universe::new();
    universe.see(&[started(position, 95)]);
    assert_eq!(universe.events(), []);
    assert_eq!(universe.asked, [position], "looked at once");
    universe.apply_up_to(6000);
    assert_eq!(universe.events(), []);
    assert_eq!(universe.asked, [], "still ahead");
    universe.apply_up_to(7000);
    assert_eq!(
        universe.events(),
        [("invalid_exit", position, None)],
        "its block had no such output"
    );
    universe.unspent(position);
    assert_eq!(universe.events(), []);
}

#[test]
fn alarms_wait_until_challenges_are_known() {
    let (early, late) = (pos(1000, 0, 0), pos(2000, 0, 0));
    let mut universe = Universe::new();
    for position in [early, late] {
        universe.spent(position, &alice_spends(position));
    }
    universe.see(&[started(early, 50), started(late, 60)]);
    let said = |name, position| (name, position, Some(alice_spends(position).hash()));
    // A node that catches up: the root chain is at 100, challenges are known up to some height.
    universe.set_heights(100, 49);
    assert_eq!(universe.events(), []);
    universe.set_heights(100, 50);
    assert_eq!(universe.events(), [said("invalid_exit", early)]);
    universe.set_heights(100, 57);
    assert_eq!(universe.events(), [said("invalid_exit", early)], "as of height 59");
    universe.set_heights(100, 60);
    let expected =
        [said("unchallenged_exit", early), said("invalid_exit", early), said("invalid_exit", late)];
    assert_eq!(universe.events(), expected);
    universe.see(&[challenged(early, 55)]);
    assert_eq!(universe.events(), [said("invalid_exit", late)]);
}

#[test]
fn spends_on_the_broken_part_of_the_chain_count_and_its_silence_does_not() {
    let (before, after) = (pos(3000, 0, 0), pos(4000, 0, 0));
    let mut universe = Universe::new();
    universe.unspent(before);
    universe.break_chain_at(4000);
    universe.see(&[started(before, 95), started(after, 96)]);
    assert_eq!(universe.events(), [], "an honest exit, and one that nobody can judge");
    universe.quarantine(before, &mallory_spends(before));
    assert_eq!(universe.events(), [], "signed by somebody else");
    assert_eq!(universe.asked, []);
    universe.quarantine(before, &alice_spends(before));
    universe.quarantine(after, &alice_spends(after));
    let said = |position| ("invalid_exit", position, Some(alice_spends(position).hash()));
    assert_eq!(universe.events(), [said(before), said(after)]);
    universe.restart();
    assert_eq!(universe.events(), [said(before), said(after)]);
}

#[test]
fn deposits_made_after_a_fault_are_judged_as_ever() {
    let deposit = pos(4001, 0, 0);
    let mut universe = Universe::new();
    universe.break_chain_at(3000);
    universe.see(&[started(deposit, 95)]);
    universe.unspent(deposit);
    assert_eq!(universe.events(), []);
    universe.spent(deposit, &alice_spends(deposit));
    assert_eq!(universe.events().len(), 1);
}

#[test]
fn a_replaced_history_is_no_witness_but_its_signatures_are() {
    let (unspent, never, spent) = (pos(3000, 0, 0), pos(3000, 1, 0), pos(4000, 0, 0));
    let mut universe = Universe::new();
    universe.see(&[started(unspent, 95), started(never, 95), started(spent, 95)]);
    universe.unspent(unspent);
    universe.spent(spent, &mallory_spends(spent));
    let expected = [
        ("invalid_exit", never, None),
        ("invalid_exit", spent, Some(mallory_spends(spent).hash())),
    ];
    assert_eq!(universe.events(), expected);
    // The roots from 3000 on were replaced: other people may own these positions now.
    universe.break_chain_at(3000);
    assert_eq!(universe.events(), []);
    universe.spent(unspent, &alice_spends(unspent));
    let expected = [("invalid_exit", unspent, Some(alice_spends(unspent).hash()))];
    assert_eq!(universe.events(), expected);
}

#[test]
fn what_changes_between_question_and_answer_is_asked_again() {
    let (spent, ahead) = (pos(3000, 0, 0), pos(5000, 0, 0));
    let mut universe = Universe::new();
    universe.see(&[started(spent, 95), started(ahead, 95)]);
    universe.unspent(spent);
    let request = universe.processor.facts_needed();
    let old_facts = universe.facts.clone();
    universe.spent(spent, &alice_spends(spent));
    universe.unspent(ahead);
    universe.apply_up_to(6000);
    universe.processor.decide(&request, &answer(&request, &old_facts));
    let heights = universe.heights();
    assert_eq!(universe.processor.byzantine_events(heights), [], "nothing is said too early");
    assert_eq!(universe.events(), [("invalid_exit", spent, Some(alice_spends(spent).hash()))]);
    assert_eq!(universe.asked, [spent, ahead]);
}

/// Ten thousand open exits cost nothing when nothing happens to them.
#[test]
fn only_touched_exits_are_looked_at_again() {
    let mut universe = Universe::new();
    let positions: Vec<_> = (0..10_000).map(|index| pos(3000, index, 0)).collect();
    positions.iter().for_each(|position| universe.unspent(*position));
    let events: Vec<_> = positions.iter().map(|position| started(*position, 95)).collect();
    universe.see(&events);
    universe.see(&[started(pos(7000, 0, 0), 95)]);
    assert_eq!(universe.events(), []);
    assert_eq!(universe.asked.len(), 10_001);
    universe.processor.on_ledger(Blknum::new(6000), (0..20_000).map(|index| pos(2000, index, 0)));
    universe.processor.on_quarantined(&[]);
    assert_eq!(universe.events(), []);
    assert_eq!(universe.asked, []);
    universe.spent(positions[77], &alice_spends(positions[77]));
    assert_eq!(universe.events().len(), 1);
    assert_eq!(universe.asked, [positions[77]]);
}
