//! Starts, deletions, payments and new starts, in whatever order they are read.

use super::*;
use proptest::prelude::*;
use proptest::sample::Index;

#[test]
fn one_batch_takes_piggybacks_of_both_sides() {
    let mut board = Board::new();
    let slots = [INPUT_0, INPUT_1, OUTPUT_0, OUTPUT_1];
    let joined: Vec<_> = slots.iter().map(|slot| piggybacked(51, *slot)).collect();
    board.see(&[&[started(50)], joined.as_slice()].concat());
    let now = board.exits[&id()].incarnation().unwrap();
    assert_eq!(now.active_piggybacks().map(|(slot, _)| slot).collect::<Vec<_>>(), slots);
    assert!([P, Q].iter().all(|position| board.processor.is_exiting(*position)));
    assert!(!board.processor.is_exiting(pos(3000, 4, 0)), "not included");
    board.include(&tx(), EARLY);
    board.check();
    assert!(board.processor.is_exiting(pos(3000, 4, 0)));
}

#[test]
fn a_deleted_exit_is_forgotten_and_can_start_again() {
    let mut board = Board::new();
    board.see(&[started(50), piggybacked(51, INPUT_0), challenged_with(52, &competitor(), None)]);
    assert_eq!(board.told.len(), 3, "both inputs, and the one signature of the competitor");
    board.see(&[deleted(55)]);
    assert_eq!(board.told.len(), 1, "a competitor is never forgotten");
    assert_eq!(board.events(), [""; 0]);
    assert_eq!(board.processor.active_count(), 0);
    let unknown = InFlightDataError::Unknown;
    assert_eq!(board.with_case(|case| case.competitor()), Err(unknown));
    board.see(&[started(50), piggybacked(51, INPUT_0)]);
    assert_eq!(board.processor.active_count(), 0, "old news");
    let mut again = started(58);
    again.root_chain_txhash = H256::repeat_byte(5);
    board.see(&[again]);
    let now = board.exits[&id()].incarnation().unwrap();
    assert_eq!(now.phase, InFlightPhase::Active);
    assert_eq!(now.canonicity, Canonicity::Canonical { included_at: None });
    assert!(now.piggybacks.is_empty());
    assert_eq!(board.told.len(), 3);
    assert_eq!(board.events(), ["non_canonical_ife"], "the competitor is still known");
}

#[test]
fn payments_take_off_what_leaves() {
    let output = |oindex| pos(3000, 4, oindex);
    let own: fn(&mut Board) = |board| board.include(&tx(), EARLY);
    let nothing: fn(&mut Board) = |_| {};
    let by_block: fn(&mut Board) = |board| board.quarantine(&competitor());
    // As if to leave an alarm for ever, for the price of a bond: nothing was taken from anybody.
    let told: fn(&mut Board) = |board| {
        board.see(&[started(50), challenged_with(51, &competitor(), None), responded(52, EARLY)]);
    };
    type Case<'a> = (&'a str, PiggybackSlot, fn(&mut Board), &'a [UtxoPos], &'a [UtxoPos], bool);
    let cases: [Case<'_>; 12] = [
        ("an input", INPUT_1, nothing, &[Q], &[], true),
        ("an input that is gone", INPUT_1, nothing, &[Q], &[Q], false),
        ("an input that it spent itself", INPUT_1, own, &[Q], &[Q], false),
        ("an output in a block", OUTPUT_1, own, &[output(1)], &[], true),
        ("an output in a block that is gone", OUTPUT_1, own, &[output(1)], &[output(1)], false),
        ("an output in no block", OUTPUT_1, nothing, &[P, Q], &[], true),
        ("an output in no block, input gone", OUTPUT_1, nothing, &[P, Q], &[Q], false),
        ("an output, competitor in a block", OUTPUT_1, by_block, &[P, Q], &[], false),
        ("an input, competitor in a block", INPUT_1, by_block, &[Q], &[], false),
        ("an output, competitor told", OUTPUT_1, told, &[P, Q], &[], true),
        ("an input, competitor told", INPUT_1, told, &[Q], &[], true),
        ("there is none", PiggybackSlot::output(3), nothing, &[], &[], false),
    ];
    for (description, slot, change, expected, missing, is_rightful) in cases {
        let mut board = Board::new();
        change(&mut board);
        board.see(&[started(50), piggybacked(51, slot)]);
        board.see(&[withdrawn(80, slot), finalized(80)]);
        board.restart();
        assert_eq!(board.settle(missing), expected, "{description}");
        board.see(&[withdrawn(80, slot), finalized(80), started(50)]);
        assert_eq!(board.settle(missing), [], "{description}: once");
        for _ in 0..2 {
            assert_eq!(board.events().is_empty(), is_rightful, "{description}");
            assert_eq!(board.processor.active_count() == 0, is_rightful, "{description}");
            board.restart();
        }
    }
}

#[test]
fn a_payment_from_beyond_the_fault_blames_nobody() {
    let mut board = Board::new();
    board.break_chain_at(2000);
    board.see(&[started(50), piggybacked(51, INPUT_1), withdrawn(80, INPUT_1)]);
    assert_eq!(board.settle(&[Q]), [Q]);
    assert_eq!(board.events(), [""; 0]);
}

#[test]
fn a_payment_whose_start_is_unknown_waits_for_it() {
    let mut board = Board::new();
    board.see(&[withdrawn(80, INPUT_0)]);
    assert_eq!(board.settle(&[]), []);
    assert_eq!(board.events(), [""; 0]);
    board.see(&[started(50), piggybacked(51, INPUT_0)]);
    assert_eq!(board.settle(&[]), [P]);
    assert_eq!(board.events(), [""; 0]);
}

/// No contract lets such exits start. They are recorded and reported, and nothing panics.
#[test]
fn an_exit_whose_parts_do_not_fit_is_reported() {
    type Change = fn(&mut InFlightExitStart);
    let changes: [(&str, Change); 8] = [
        ("no transaction", |start| start.tx_bytes = [0xc1, 1].into()),
        ("another transaction", |start| start.tx_bytes = unsigned(&competitor()).into()),
        ("another hash", |start| start.tx_hash = H256::zero()),
        ("other positions", |start| start.input_positions.reverse()),
        ("no positions", |start| start.input_positions.clear()),
        ("an input too few", |start| drop(start.input_txs.pop())),
        ("no such output", |start| start.input_txs[1] = unsigned(&competitor()).into()),
        ("garbage made it", |start| start.input_txs[1] = Box::default()),
    ];
    for (description, change) in changes {
        let mut start = start_of(&tx());
        change(&mut start);
        let mut board = Board::new();
        board.see(&[at(50, 1, RootChainEvent::InFlightExitStarted(Box::new(start)))]);
        let expected = ["unchallenged_non_canonical_ife", "non_canonical_ife"];
        assert_eq!(board.events(), expected, "{description}");
        assert!(board.with_case(|case| case.competitor()).is_err());
        board.see(&[piggybacked(51, INPUT_0), withdrawn(80, INPUT_0), finalized(80)]);
        board.restart();
        assert_eq!(board.settle(&[]), [], "{description}");
        assert_eq!(board.events(), ["unchallenged_piggyback [0] []"], "{description}");
    }
}

#[test]
fn each_signature_of_a_competitor_is_kept() {
    let mut board = Board::new();
    let both = pay(&[P, Q], &[1, 1], &[1]);
    board.see(&[started(50), challenged_with(52, &both, None)]);
    let source = SpendSource::Competitor(both.hash());
    let knows = |board: &Board, position| {
        board.told.contains_key(&(UtxoKey { owner: alice(), position }, source))
    };
    assert!(!knows(&board, P) && knows(&board, Q));
    let mut other = challenged_with(53, &both, Some(LATE));
    let RootChainEvent::InFlightExitChallenged(challenge) = &mut other.event else { panic!() };
    challenge.input_index = 0;
    challenge.competing_input_index = 0;
    board.see(&[other]);
    assert!(knows(&board, P) && knows(&board, Q));
}

#[test]
fn a_standard_exit_of_what_an_in_flight_transaction_spends_is_invalid() {
    let mut board = Board::new();
    let utxo = Utxo { output_type: OutputType::Payment, currency: ETH, amount: U256::from(10) };
    board.facts.entry(P).or_default().output = Some(OutputFact::Unspent(alice(), utxo));
    let mut updates = Vec::new();
    board.processor.on_events(&[super::super::started(P, 50)], &[], &mut updates);
    assert_eq!(board.events(), [""; 0]);
    board.see(&[started(55)]);
    assert_eq!(board.events(), ["unchallenged_exit", "invalid_exit"]);
    let exit = board.processor.active_exit(P).unwrap();
    let fact = board.fact(UtxoKey { owner: alice(), position: P });
    assert_eq!(challenge_data(Some(exit), &fact, &domain()).unwrap().input_index, 0);
    board.see(&[deleted(56)]);
    assert_eq!(board.events(), [""; 0]);
}

#[test]
fn what_stood_on_another_branch_is_forgotten() {
    let mut board = Board::new();
    let moved = |mut event: EthEvent, eth_height: u64, branch: u8| {
        event.eth_height = EthHeight::new(eth_height);
        event.eth_block_hash = H256::repeat_byte(branch);
        event
    };
    board.see(&[started(50), piggybacked(51, INPUT_0), blocked(52, INPUT_0)]);
    let again = [moved(started(50), 51, 1), moved(piggybacked(51, INPUT_0), 53, 2)];
    board.see(&again);
    let heights = |board: &Board| {
        let moves = board.exits[&id()].moves.iter();
        moves.map(|told| (told.eth_height.get(), told.event.clone())).collect::<Vec<_>>()
    };
    let found = heights(&board);
    assert_eq!(found.iter().map(|(height, _)| *height).collect::<Vec<_>>(), [51, 52, 53]);
    assert!(matches!(found[2].1, InFlightEvent::Piggybacked { .. }));
    board.see(&again);
    assert_eq!(heights(&board), found, "the same again");
    let now = board.exits[&id()].incarnation().unwrap();
    assert_eq!((now.eth_height.get(), now.active_piggybacks().count()), (51, 1));
}

/// Ten thousand open exits cost nothing when nothing happens to them.
#[test]
fn only_touched_exits_are_looked_at_again() {
    let mut board = Board::new();
    let events = (0..10_000).map(|index| {
        let tx = pay(&[pos(1000, index, 0)], &[1], &[5]);
        at(50, index, RootChainEvent::InFlightExitStarted(Box::new(start_of(&tx))))
    });
    board.see(&events.collect::<Vec<_>>());
    let told = std::mem::take(&mut board.told);
    board.check();
    assert_eq!(board.asked.len(), 10_000);
    board.processor.on_ledger(Blknum::new(6000), (0..20_000).map(|index| pos(2000, index, 0)));
    board.check();
    assert_eq!(board.asked, []);
    board.processor.on_ledger(Blknum::new(6000), [pos(1000, 77, 0)]);
    board.check();
    assert_eq!(board.asked, [pos(1000, 77, 0)]);
    assert_eq!(told.len(), 10_000);
}

/// One whole game, with a restart of the exit in it.
fn game() -> Vec<EthEvent> {
    let again = |mut event: EthEvent| {
        event.root_chain_txhash = H256::repeat_byte(u8::try_from(event.log_index).unwrap());
        event
    };
    vec![
        started(50),
        piggybacked(51, INPUT_0),
        piggybacked(52, OUTPUT_1),
        challenged_with(53, &competitor(), None),
        blocked(54, INPUT_0),
        responded(55, EARLY),
        withdrawn(80, OUTPUT_1),
        finalized(80),
        again(started(90)),
        piggybacked(91, INPUT_1),
        challenged_with(92, &pay(&[Q], &[1], &[2]), Some(LATE)),
        blocked(93, INPUT_1),
        deleted(94),
    ]
}

proptest! {
    /// In whatever order, company and number events are read: the record, the evidence and the verdict are the same.
    #[test]
    fn any_order_and_repetition_of_events_leads_to_the_same_record(
        length in 1..=13_usize,
        order in proptest::collection::vec(any::<Index>(), 13),
        repeat in proptest::collection::vec(any::<Index>(), 0..10),
        batch in 1..6_usize,
        restarts in any::<bool>(),
    ) {
        let events = &game()[..length];
        let mut expected = Board::new();
        events.iter().for_each(|event| expected.see(std::slice::from_ref(event)));
        let mut shuffled = events.to_vec();
        for (from, to) in order.iter().enumerate() {
            if from < length {
                let to = to.index(length);
                shuffled.swap(from, to);
            }
        }
        shuffled.extend(repeat.iter().map(|index| events[index.index(length)].clone()));
        let mut board = Board::new();
        for some in shuffled.chunks(batch) {
            board.see(some);
            if restarts {
                board.restart();
            }
        }
        prop_assert_eq!(&board.exits, &expected.exits);
        prop_assert_eq!(&board.told, &expected.told);
        board.eth_height = 99;
        expected.eth_height = 99;
        prop_assert_eq!(board.events(), expected.events());
    }
}
