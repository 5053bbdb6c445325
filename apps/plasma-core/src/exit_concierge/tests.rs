//! Tables of phases, next steps and places in queues, and what holds for all records.

use super::*;
use crate::exit_processor::{
    Canonicity, InFlightEvent, InFlightExit, InFlightFindings, InFlightMove, Judgement, Payment,
    StandardExit, StandardExitPhase,
};
use crate::root_chain::{InFlightExitStart, PiggybackSlot};
use crate::wire::{Blknum, ETH, Output, OutputIndex, PaymentTx, Transaction, TxIndex, keccak256};
use proptest::prelude::*;
use std::collections::BTreeSet;

const PERIOD_S: u64 = 100;
const STARTED_S: u64 = 1_000;
/// The end of the first half.
const HALF_S: u64 = 1_050;
const DUE_S: u64 = 1_100;
const IN_0: PiggybackSlot = PiggybackSlot::input(0);
const OUT_0: PiggybackSlot = PiggybackSlot::output(0);
const OUT_1: PiggybackSlot = PiggybackSlot::output(1);

fn token() -> Currency {
    Currency::repeat_byte(0x70)
}

fn who(seed: u8) -> Address {
    Address::repeat_byte(seed)
}

fn at(now_s: u64) -> ExitClock {
    let eth_height = EthHeight::new(500);
    ExitClock { eth_height, now_s, block_time_ms: 12_000, min_exit_period_s: PERIOD_S }
}

fn id(number: u64) -> ExitId {
    ExitId::from_u256(number.into())
}

fn standard(number: u64, exitable_at_s: u64, phase: StandardExitPhase) -> StandardExit {
    StandardExit {
        exit_id: id(number),
        position: UtxoPos::new(Blknum::new(1_000), TxIndex::new(0), OutputIndex::new(0)),
        owner: who(1),
        currency: ETH,
        amount: U256::from(7),
        exiting_tx: Box::default(),
        eth_height: EthHeight::new(9),
        log_index: 0,
        root_chain_txhash: H256::zero(),
        exitable_at_s,
        phase,
    }
}

/// Alice pays: one input of hers, an output for Bob, and one in a token for Carol.
fn start() -> InFlightExitStart {
    let position = UtxoPos::deposit(Blknum::new(1));
    let output = |owner, currency| Output::payment(owner, currency, U256::from(5));
    let tx = Transaction::Payment(PaymentTx {
        inputs: [position.into()].into_iter().collect(),
        outputs: [output(who(2), ETH), output(who(3), token())].into_iter().collect(),
        metadata: H256::zero(),
    });
    let tx_bytes = tx.encode_unsigned();
    InFlightExitStart {
        exit_id: ExitId::in_flight(&tx_bytes),
        tx_hash: keccak256(&tx_bytes),
        initiator: who(9),
        started_at_s: STARTED_S,
        tx_bytes: tx_bytes.into(),
        input_positions: vec![position],
        witnesses: vec![Box::default()],
        input_txs: vec![Transaction::deposit(who(1), ETH, U256::from(5)).encode_unsigned().into()],
    }
}

fn in_flight(events: &[InFlightEvent]) -> InFlightExit {
    let started = InFlightEvent::Started(Box::new(start()));
    let moves = (0_u32..).zip([started].into_iter().chain(events.iter().cloned())).map(
        |(log_index, event)| InFlightMove {
            eth_height: EthHeight::new(9),
            log_index,
            eth_block_hash: H256::zero(),
            root_chain_txhash: H256::from_low_u64_be(log_index.into()),
            event,
        },
    );
    InFlightExit { exit_id: start().exit_id, moves: moves.collect() }
}

fn joins(slot: PiggybackSlot, exitable_at_s: u64) -> InFlightEvent {
    InFlightEvent::Piggybacked { slot, exit_target: who(1), exitable_at_s }
}

fn pays(slot: PiggybackSlot, payment: Payment) -> InFlightEvent {
    InFlightEvent::Withdrawn(slot, payment)
}

fn case(events: &[InFlightEvent], findings: &InFlightFindings) -> ExitCase {
    let case = InFlightCase::new(&in_flight(events), findings.clone());
    ExitCase::InFlight(case.unwrap())
}

#[test]
fn a_standard_exit_has_the_phase_and_the_step_of_its_record_and_its_time() {
    use StandardExitPhase as Record;
    let spent = Judgement::Invalid { spending_txhash: Some(TxHash::repeat_byte(1)) };
    let never_was = Judgement::Invalid { spending_txhash: None };
    for (record, judgement, now_s, viewer, phase, next) in [
        (Record::Active, Judgement::Open, DUE_S, None, "waiting", "wait"),
        (Record::Active, Judgement::Valid, DUE_S, None, "waiting", "wait"),
        (Record::Active, Judgement::Valid, DUE_S + 1, None, "due", "process"),
        (Record::Active, Judgement::Superseded, DUE_S, None, "superseded", "wait"),
        (Record::Active, Judgement::Superseded, DUE_S + 1, None, "superseded", "process"),
        (Record::Active, spent, DUE_S, None, "invalid", "challenge"),
        (Record::Active, spent, DUE_S + 1, Some(2), "invalid", "challenge"),
        (Record::Active, spent, DUE_S, Some(1), "invalid", "nothing"),
        (Record::Active, never_was, DUE_S, None, "invalid", "leave"),
        (Record::Challenged, spent, DUE_S + 1, None, "challenged", "nothing"),
        (Record::Finalized, Judgement::Open, DUE_S + 1, None, "paid", "nothing"),
        (Record::FinalizedInvalid, spent, DUE_S + 1, None, "paid_wrongly", "leave"),
        (Record::Omitted, Judgement::Open, DUE_S + 1, None, "omitted", "nothing"),
        (Record::Omitted, spent, DUE_S + 1, Some(1), "omitted", "nothing"),
    ] {
        let exit = standard(1, DUE_S, record);
        let case = ExitCase::Standard(StandardCase::new(&exit, judgement));
        let view = case.view(&at(now_s), Vec::new(), viewer.map(who));
        assert_eq!(
            (view.phase.name(), view.next.name()),
            (phase, next),
            "{record:?} {judgement:?}"
        );
        assert_eq!(view.eta.is_some(), !view.phase.is_over());
        assert_eq!(view.windows.len(), usize::from(!view.phase.is_over()));
    }
}

#[test]
fn times_are_exact_and_blocks_are_estimates() {
    let exit = standard(1, DUE_S, StandardExitPhase::Active);
    let view = ExitCase::of_standard(&exit).view(&at(1_000), Vec::new(), None);
    // 101 s are 8.4 blocks: due in the ninth from now, and challenged for sure in the eighth.
    let eta = view.eta.unwrap();
    assert_eq!((eta.wait_s, eta.eth_height.get()), (101, 509));
    let window = view.windows[0];
    assert_eq!((window.until_s, window.until_eth_height.get()), (1_101, 508));
    assert_eq!((window.step, window.by, window.is_hard), (Step::Challenge, Mover::Anybody, false));
    assert_eq!(
        view.advice,
        "wait: it is due in 101 s, about root chain block 509; do not spend what leaves meanwhile"
    );
    for (now_s, expected) in [(1_100, (1, 501)), (1_101, (0, 500)), (u64::MAX, (0, 500))] {
        let eta = at(now_s).eta(DUE_S);
        assert_eq!((eta.wait_s, eta.eth_height.get()), expected);
    }
    assert_eq!(at(0).eta(u64::MAX).wait_s, u64::MAX, "no time is too late");
}

#[test]
fn an_in_flight_exit_has_the_phase_of_its_moves_and_its_time() {
    let fine = Payment::Rightful;
    let over = InFlightEvent::Finalized;
    for (events, now_s, phase) in [
        (vec![], STARTED_S, "piggyback_window"),
        (vec![joins(OUT_0, DUE_S)], HALF_S - 1, "piggyback_window"),
        (vec![], HALF_S, "deletable"),
        (vec![joins(OUT_0, DUE_S)], HALF_S, "response_window"),
        (vec![joins(OUT_0, DUE_S)], DUE_S, "response_window"),
        (vec![joins(OUT_0, DUE_S)], DUE_S + 1, "due"),
        (vec![joins(OUT_0, DUE_S), joins(OUT_1, DUE_S + 9)], DUE_S + 1, "due"),
        // One token is paid, and the other one waits.
        (
            vec![joins(OUT_0, DUE_S), joins(OUT_1, DUE_S + 9), pays(OUT_0, fine)],
            DUE_S + 1,
            "response_window",
        ),
        // A blocked piggyback does not take the entry out of the queue.
        (vec![joins(OUT_0, DUE_S), InFlightEvent::Blocked(OUT_0)], DUE_S + 1, "due"),
        (vec![joins(OUT_0, DUE_S), pays(OUT_0, fine)], DUE_S + 1, "due"),
        (vec![joins(OUT_0, DUE_S), pays(OUT_0, fine), over.clone()], DUE_S + 1, "paid"),
        (vec![joins(OUT_0, DUE_S), pays(OUT_0, Payment::Due), over.clone()], DUE_S, "paid"),
        (
            vec![joins(OUT_0, DUE_S), pays(OUT_0, Payment::Wrongful), over.clone()],
            DUE_S,
            "paid_wrongly",
        ),
        (vec![joins(OUT_0, DUE_S), over.clone()], DUE_S, "unpaid"),
        (vec![InFlightEvent::Deleted], HALF_S, "deleted"),
        // Another start is another exit: nobody joined yet.
        (
            vec![joins(OUT_0, DUE_S), over, InFlightEvent::Started(Box::new(start()))],
            HALF_S,
            "deletable",
        ),
    ] {
        let case = case(&events, &InFlightFindings::default());
        assert_eq!(case.phase(&at(now_s)).name(), phase, "{events:?}");
    }
    let unknown = InFlightExit { exit_id: id(1), moves: Vec::new() };
    assert_eq!(ExitCase::of_in_flight(&unknown), None);
}

#[test]
fn every_input_and_output_tells_how_it_stands() {
    let spent = |slots: &[PiggybackSlot]| InFlightFindings {
        spent: slots.iter().copied().collect(),
        ..InFlightFindings::default()
    };
    let none = InFlightFindings::default();
    for (events, findings, now_s, expected) in [
        (vec![], &none, STARTED_S, ["open", "open", "open"]),
        (vec![], &spent(&[IN_0]), STARTED_S, ["spent", "open", "open"]),
        (vec![], &none, HALF_S, ["missed", "missed", "missed"]),
        (vec![joins(IN_0, DUE_S)], &none, STARTED_S, ["joined", "open", "open"]),
        (vec![joins(IN_0, DUE_S)], &spent(&[IN_0]), DUE_S, ["invalid", "missed", "missed"]),
        (
            vec![joins(IN_0, DUE_S), InFlightEvent::Blocked(IN_0)],
            &spent(&[IN_0]),
            DUE_S,
            ["blocked", "missed", "missed"],
        ),
        // The token is another queue: its output still waits.
        (
            vec![
                joins(IN_0, DUE_S),
                joins(OUT_0, DUE_S),
                joins(OUT_1, DUE_S),
                pays(OUT_0, Payment::Rightful),
            ],
            &none,
            DUE_S,
            ["returned", "paid", "joined"],
        ),
        (
            vec![joins(OUT_0, DUE_S), pays(OUT_0, Payment::Wrongful), InFlightEvent::Finalized],
            &none,
            DUE_S,
            ["missed", "paid_wrongly", "missed"],
        ),
    ] {
        let view = case(&events, findings).view(&at(now_s), Vec::new(), None);
        let ExitParts::InFlight { slots, .. } = &view.parts else { panic!("{view:?}") };
        let shown: Vec<_> = slots.iter().map(|slot| slot.phase.name()).collect();
        assert_eq!(shown, expected, "{events:?}");
        let owners = [who(1), who(2), who(3)];
        assert!(slots.iter().map(|slot| slot.case.owner).eq(owners));
    }
}

#[test]
fn the_next_step_of_an_in_flight_exit_depends_on_who_asks() {
    let none = InFlightFindings::default;
    let competitor = InFlightFindings { has_viable_competitor: true, ..none() };
    let wrong = InFlightFindings { is_challenged_wrongly: true, ..none() };
    let included = InFlightFindings {
        included_at: Some(TxPos { blknum: Blknum::new(1_000), txindex: TxIndex::new(0) }),
        ..none()
    };
    let spent = InFlightFindings { spent: [IN_0].into_iter().collect(), ..none() };
    let joined = vec![joins(IN_0, DUE_S), joins(OUT_0, DUE_S), joins(OUT_1, DUE_S)];
    let late = DUE_S + 1;
    for (events, findings, now_s, viewer, next) in [
        (&vec![], &none(), STARTED_S, None, "wait"),
        (&vec![], &none(), STARTED_S, Some(1), "piggyback_input"),
        (&vec![], &none(), STARTED_S, Some(2), "piggyback_output"),
        (&vec![], &none(), STARTED_S, Some(7), "wait"),
        (&vec![], &included, STARTED_S, Some(2), "wait"),
        (&vec![], &spent, STARTED_S, Some(1), "wait"),
        // Outputs pay nothing if there is a competitor.
        (&vec![], &competitor, STARTED_S, Some(1), "piggyback_input"),
        (&vec![], &competitor, STARTED_S, Some(2), "challenge_canonicity"),
        (&vec![], &competitor, STARTED_S, None, "challenge_canonicity"),
        (&joined, &competitor, HALF_S, None, "leave"),
        (&joined, &wrong, STARTED_S, Some(2), "respond"),
        (&joined, &spent, STARTED_S, None, "challenge_piggyback"),
        (&joined, &spent, late, None, "challenge_piggyback"),
        (&joined, &none(), HALF_S, Some(2), "wait"),
        (&joined, &none(), late, Some(2), "process"),
        (&vec![], &none(), HALF_S, None, "delete"),
    ] {
        let view = case(events, findings).view(&at(now_s), Vec::new(), viewer.map(who));
        assert_eq!(view.next.name(), next, "{events:?} {findings:?} {viewer:?}");
        assert!(!view.advice.is_empty());
    }
    let view = case(&joined, &none()).view(&at(late), Vec::new(), None);
    assert_eq!(view.advice, "have it paid: `penning wallet exit process --currency eth`");
}

#[test]
fn the_advice_to_join_names_what_can_be_paid() {
    let none = InFlightFindings::default();
    let competitor = InFlightFindings { has_viable_competitor: true, ..none.clone() };
    let spent = InFlightFindings { spent: [IN_0].into_iter().collect(), ..none.clone() };
    // Alice pays herself, too.
    let with_change = |findings: &InFlightFindings| {
        let mut case = InFlightCase::new(&in_flight(&[]), findings.clone()).unwrap();
        let change = case.slots.iter_mut().find(|slot| slot.slot == OUT_1);
        change.unwrap().owner = who(1);
        ExitCase::InFlight(case)
    };
    for (findings, expected) in
        [(&none, " --output 1 --input 0`"), (&spent, " --output 1`"), (&competitor, " --input 0`")]
    {
        let view = with_change(findings).view(&at(STARTED_S), Vec::new(), Some(who(1)));
        let joins = format!("exit piggyback --exit {:?}{expected}", start().tx_hash);
        assert!(view.advice.ends_with(&joins), "{}", view.advice);
    }
}

#[test]
fn an_exit_says_who_can_do_what_until_when() {
    let check = |events: &[InFlightEvent], now_s, expected: &[(&str, &str, u64, bool)]| {
        let view = case(events, &InFlightFindings::default()).view(&at(now_s), Vec::new(), None);
        let shown: Vec<_> = view
            .windows
            .iter()
            .map(|open| (open.step.name(), open.by.name(), open.until_s, open.is_hard))
            .collect();
        assert_eq!(shown, expected, "{events:?}");
    };
    let competitors = ("challenge_canonicity", "anybody", HALF_S, true);
    let inputs = ("piggyback_input", "input_owners", HALF_S, true);
    let outputs = ("piggyback_output", "output_owners", HALF_S, true);
    let piggybacks = ("challenge_piggyback", "anybody", DUE_S + 1, false);
    check(&[], STARTED_S, &[inputs, outputs, competitors]);
    check(&[joins(IN_0, DUE_S)], STARTED_S, &[outputs, competitors, piggybacks]);
    check(&[joins(IN_0, DUE_S)], HALF_S, &[piggybacks]);
    check(&[], HALF_S, &[]);
    check(&[InFlightEvent::Deleted], STARTED_S, &[]);
    let challenged = InFlightCase {
        canonicity: Canonicity::NonCanonical { competitor: None },
        ..InFlightCase::new(&in_flight(&[joins(IN_0, DUE_S)]), InFlightFindings::default()).unwrap()
    };
    let view = ExitCase::InFlight(challenged).view(&at(HALF_S), Vec::new(), None);
    assert_eq!(view.windows.last().map(|open| open.step), Some(Step::Respond));
}

#[test]
fn names_are_unique_and_found_again() {
    fn check<T: Copy + PartialEq + std::fmt::Debug>(
        all: &[T],
        name: impl Fn(T) -> &'static str,
        find: impl Fn(&str) -> Option<T>,
    ) {
        assert!(all.iter().all(|one| find(name(*one)) == Some(*one)), "{all:?}");
        assert_eq!(find(""), None);
    }
    check(ExitPhase::ALL, ExitPhase::name, ExitPhase::from_name);
    check(SlotPhase::ALL, SlotPhase::name, SlotPhase::from_name);
    check(Step::ALL, Step::name, Step::from_name);
    check(ExitKind::ALL, ExitKind::name, ExitKind::from_name);
    check(Mover::ALL, Mover::name, Mover::from_name);
}

#[test]
fn the_board_pages_by_exit_id_and_knows_the_places() {
    let exits = [(4, 50), (2, 70), (9, 50), (5, 60)];
    let cases = exits.map(|(number, at_s)| {
        ExitCase::of_standard(&standard(number, at_s, StandardExitPhase::Active))
    });
    let closed = ExitCase::of_standard(&standard(1, 10, StandardExitPhase::Finalized));
    let board = ExitBoard::from_cases(cases.into_iter().chain([closed]));
    assert_eq!((board.len(), board.is_empty()), (5, false));
    let after = |cursor| board.after(cursor).map(|case| case.exit_id()).collect::<Vec<_>>();
    assert_eq!(after(None), [1, 2, 4, 5, 9].map(id));
    assert_eq!(after(Some(id(4))), [5, 9].map(id));
    assert_eq!(after(Some(id(9))), []);
    for (number, place) in [(4, 1), (9, 2), (5, 3), (2, 4)] {
        let places = board.places(id(number));
        assert_eq!(places.iter().map(|at| (at.place, at.of)).collect::<Vec<_>>(), [(place, 4)]);
    }
    assert_eq!(board.places(id(1)), []);
    assert_eq!(board.places(id(3)), []);
}

fn any_event() -> impl Strategy<Value = InFlightEvent> {
    let slot = || prop::sample::select(vec![IN_0, OUT_0, OUT_1, PiggybackSlot::input(3)]);
    let payment = prop::sample::select(vec![Payment::Due, Payment::Rightful, Payment::Wrongful]);
    prop_oneof![
        (slot(), 900_u64..1_300).prop_map(|(slot, at_s)| joins(slot, at_s)),
        slot().prop_map(InFlightEvent::Blocked),
        (slot(), payment).prop_map(|(slot, payment)| pays(slot, payment)),
        Just(InFlightEvent::Deleted),
        Just(InFlightEvent::Finalized),
    ]
}

fn any_findings() -> impl Strategy<Value = InFlightFindings> {
    let slots = prop::sample::subsequence(vec![IN_0, OUT_0, OUT_1], 0..=3);
    (any::<bool>(), any::<bool>(), slots).prop_map(|(competitor, wrong, spent)| InFlightFindings {
        included_at: None,
        has_viable_competitor: competitor,
        is_challenged_wrongly: wrong,
        spent: spent.into_iter().collect(),
    })
}

proptest! {
    /// Whatever stands in a record, it has one phase of its kind, and time leads it forwards only.
    #[test]
    fn in_flight_exits_go_forwards(
        events in prop::collection::vec(any_event(), 0..8),
        findings in any_findings(),
        times in prop::collection::btree_set(900_u64..1_400, 1..6),
        viewer in prop::option::of(0_u8..10),
    ) {
        let case = case(&events, &findings);
        let mut before: Option<ExitPhase> = None;
        for now_s in times {
            let view = case.view(&at(now_s), Vec::new(), viewer.map(who));
            prop_assert!(view.phase.is_of(ExitKind::InFlight));
            prop_assert_eq!(view.phase.is_over(), !case.is_open());
            if let Some(before) = before.filter(|before| *before != view.phase) {
                prop_assert!(before.becomes_with_time(view.phase), "{} {}", before, view.phase);
                prop_assert!(before.may_become(view.phase));
            }
            before = Some(view.phase);
        }
    }

    /// One more event of the same start leads along the documented transitions. What is over stays over.
    #[test]
    fn events_lead_along_the_documented_transitions(
        events in prop::collection::vec(any_event(), 1..8), now_s in 900_u64..1_400,
    ) {
        let phase = |count| case(&events[..count], &InFlightFindings::default()).phase(&at(now_s));
        for count in 0..events.len() {
            let (before, after) = (phase(count), phase(count + 1));
            if !before.is_over() {
                prop_assert!(before.may_become(after), "{} {} {:?}", before, after, events);
            }
        }
    }

    /// Places count from one without a gap, in the order in which the contract pays.
    #[test]
    fn places_are_those_of_the_contract(
        times in prop::collection::vec(900_u64..1_100, 0..30), joined_s in prop::option::of(900_u64..1_100),
    ) {
        let numbered = (1_u64..).zip(&times);
        let mut cases: Vec<ExitCase> = numbered
            .map(|(number, at_s)| ExitCase::of_standard(&standard(number, *at_s, StandardExitPhase::Active)))
            .collect();
        let joins: Vec<_> = joined_s.into_iter().flat_map(|at_s| [joins(OUT_0, at_s), joins(OUT_1, at_s)]).collect();
        cases.push(case(&joins, &InFlightFindings::default()));
        let board = ExitBoard::from_cases(cases.clone());
        // Deposits are older than anything in a later block, and then the lower id leaves first.
        let mut expected: Vec<(u64, bool, ExitId)> =
            (1_u64..).zip(&times).map(|(number, at_s)| (*at_s, true, id(number))).collect();
        expected.extend(joined_s.map(|at_s| (at_s, false, start().exit_id)));
        expected.sort_unstable();
        for (place, (at_s, _, exit_id)) in (1_u64..).zip(&expected) {
            let places = board.places(*exit_id);
            let of_ether = places.iter().find(|at| at.currency == ETH);
            let of = u64::try_from(expected.len()).unwrap();
            let queue = QueuePlace { currency: ETH, exitable_at_s: *at_s, place, of };
            prop_assert_eq!(of_ether, Some(&queue));
        }
        let in_flight = board.places(start().exit_id);
        let currencies: BTreeSet<Currency> = in_flight.iter().map(|at| at.currency).collect();
        prop_assert_eq!(currencies.len(), if joined_s.is_some() { 2 } else { 0 });
    }
}
