//! In-flight exits and the spends that were told come back as they were, after a restart too.

use crate::{open, pos, primitive, tx_pos};
use plasma_core::db_update::{DbUpdate, InFlightRecord, StateUpdate, TxPos, UtxoKey};
use plasma_core::exit_processor::{
    ExitProcessorUpdate, InFlightEvent, InFlightExit, InFlightMove, Payment, SpendSource,
};
use plasma_core::root_chain::{InFlightExitChallenge, InFlightExitStart, PiggybackSlot};
use plasma_core::wire::{Address, EthHeight, ExitId, H256, UtxoPos};
use proptest::prelude::*;
use rocksdb::{DB, Options};
use std::collections::BTreeMap;
use std::path::Path;

pub(crate) fn id(byte: u8) -> ExitId {
    ExitId::from_bytes([byte; 20])
}

pub(crate) fn record(exit: u8) -> InFlightRecord {
    InFlightRecord {
        exit_id: id(exit),
        tx_hash: H256([exit; 32]),
        inputs: vec![pos(1, 0, 0), pos(u64::MAX, u32::MAX, u16::MAX)],
    }
}

fn started(exit: u8) -> InFlightEvent {
    InFlightEvent::Started(Box::new(InFlightExitStart {
        exit_id: id(exit),
        tx_hash: H256([exit; 32]),
        initiator: primitive(2),
        started_at_s: 1_700_000_000,
        tx_bytes: Box::new([1, 2, 3]),
        input_positions: vec![pos(1, 0, 0), pos(1000, 2, 3)],
        witnesses: vec![Box::new([5; 65]), Box::new([])],
        input_txs: vec![Box::new([6; 300]), Box::new([7])],
    }))
}

/// An exit to which these things happened, one root chain block after the other.
pub(crate) fn exit(exit: u8, events: impl IntoIterator<Item = InFlightEvent>) -> InFlightExit {
    let moves = (100..).zip(events).map(|(height, event)| InFlightMove {
        eth_height: EthHeight::new(height),
        log_index: 3,
        eth_block_hash: H256([8; 32]),
        root_chain_txhash: H256([9; 32]),
        event,
    });
    InFlightExit { exit_id: id(exit), moves: moves.collect() }
}

pub(crate) fn active(byte: u8) -> InFlightExit {
    exit(byte, [started(byte)])
}

pub(crate) fn put_record(record: &InFlightRecord) -> DbUpdate {
    StateUpdate::PutInFlightRecord(record.clone()).into()
}

pub(crate) fn put(exit: &InFlightExit) -> DbUpdate {
    ExitProcessorUpdate::PutInFlightExit(Box::new(exit.clone())).into()
}

fn key(owner: u8, oindex: u16) -> UtxoKey {
    UtxoKey { owner: primitive(owner), position: pos(1000, 0, oindex) }
}

fn put_spend(key: UtxoKey, source: SpendSource, byte: u8) -> DbUpdate {
    ExitProcessorUpdate::PutInFlightSpend(key, source, Box::new([byte])).into()
}

fn delete_spend(key: UtxoKey, source: SpendSource) -> DbUpdate {
    ExitProcessorUpdate::DeleteInFlightSpend(key, source).into()
}

fn commit(path: &Path, updates: &[DbUpdate]) {
    open(path).commit(updates).unwrap();
}

#[test]
fn a_new_store_knows_no_in_flight_exit() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert_eq!(store.in_flight_record(id(1)).unwrap(), None);
    assert_eq!(store.in_flight_exit(id(1)).unwrap(), None);
    assert_eq!(store.active_in_flight_exits().unwrap(), []);
    assert_eq!(store.in_flight_spends(key(1, 0), 10).unwrap(), []);
}

#[test]
fn an_operator_finds_what_he_remembers_by_exit_id() {
    let folder = tempfile::tempdir().unwrap();
    let again = InFlightRecord { tx_hash: H256([7; 32]), inputs: vec![], ..record(1) };
    commit(folder.path(), &[put_record(&record(1)), put_record(&record(2)), put_record(&again)]);
    let store = open(folder.path());
    assert_eq!(store.in_flight_record(id(1)).unwrap(), Some(again));
    assert_eq!(store.in_flight_record(id(2)).unwrap(), Some(record(2)));
    assert_eq!(store.in_flight_record(id(3)).unwrap(), None);
}

#[test]
fn only_exits_that_need_watching_are_restored_and_all_are_found() {
    let (input, output) = (PiggybackSlot::input(3), PiggybackSlot::output(0));
    let joined = |exit_target| InFlightEvent::Piggybacked {
        slot: output,
        exit_target,
        exitable_at_s: u64::MAX,
    };
    let challenged = |at| {
        InFlightEvent::Challenged(Box::new(InFlightExitChallenge {
            exit_id: id(1),
            tx_hash: H256([1; 32]),
            challenger: primitive(7),
            competing_tx_pos: at,
            input_index: 1,
            competing_tx: Box::new([1; 200]),
            competing_input_index: u16::MAX,
            competing_witness: Box::new([2; 65]),
        }))
    };
    let at = tx_pos(pos(2000, 5, 0));
    let (paid, over) = (InFlightEvent::Withdrawn, InFlightEvent::Finalized);
    let everything = vec![
        started(1),
        joined(primitive(4)),
        challenged(None),
        challenged(Some(at)),
        InFlightEvent::Responded(at),
        InFlightEvent::Blocked(input),
        paid(output, Payment::Rightful),
    ];
    let exits = [
        (exit(1, everything), true),
        (exit(2, [started(2), InFlightEvent::Deleted]), false),
        (exit(3, [started(3), paid(output, Payment::Rightful), over.clone()]), false),
        (exit(4, [started(4), paid(output, Payment::Due), over.clone()]), true),
        (exit(5, [started(5), paid(output, Payment::Wrongful), over.clone()]), true),
        (exit(6, [InFlightEvent::Blocked(input)]), false),
        (exit(7, [started(7), over.clone(), started(7)]), true),
        (exit(8, []), false),
    ];
    let folder = tempfile::tempdir().unwrap();
    let puts: Vec<_> = exits.iter().rev().map(|(exit, _)| put(exit)).collect();
    commit(folder.path(), &puts);
    let store = open(folder.path());
    for (exit, _) in &exits {
        assert_eq!(store.in_flight_exit(exit.exit_id).unwrap().as_ref(), Some(exit));
    }
    let watched = exits.iter().filter(|(_, is_watched)| *is_watched);
    let watched: Vec<_> = watched.map(|(exit, _)| exit.clone()).collect();
    assert_eq!(store.active_in_flight_exits().unwrap(), watched);
    let ids: Vec<_> = exits.iter().map(|(exit, _)| exit.exit_id).chain([id(0xee)]).collect();
    assert_eq!(store.active_in_flight_exits_of(&ids).unwrap(), watched);

    let closed = exit(1, [started(1), over]);
    store.commit(&[put(&closed), put(&active(2))]).unwrap();
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.in_flight_exit(id(1)).unwrap(), Some(closed));
    let ids: Vec<_> = store.active_in_flight_exits().unwrap();
    assert_eq!(ids[..2], [active(2), watched[1].clone()], "one closed, one started again");
}

#[test]
fn told_spends_are_kept_by_source_and_forgotten_one_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let (exit, other_exit) = (SpendSource::InFlightExit(id(1)), SpendSource::InFlightExit(id(2)));
    let competitor = SpendSource::Competitor(H256([0; 32]));
    let last = UtxoKey { owner: primitive(0xff), position: pos(u64::MAX, u32::MAX, u16::MAX) };
    commit(
        folder.path(),
        &[
            put_spend(key(1, 1), competitor, 3),
            put_spend(key(1, 1), other_exit, 2),
            put_spend(key(1, 1), exit, 9),
            put_spend(key(1, 1), exit, 1),
            put_spend(key(1, 0), exit, 4),
            put_spend(key(1, 2), exit, 5),
            put_spend(key(2, 1), exit, 6),
            put_spend(last, competitor, 7),
            put_spend(key(1, 1), SpendSource::InFlightExit(id(3)), 8),
            delete_spend(key(1, 1), SpendSource::InFlightExit(id(3))),
        ],
    );
    let store = open(folder.path());
    let of = |key, limit| store.in_flight_spends(key, limit).unwrap().concat();
    assert_eq!(of(key(1, 1), 10), [1, 2, 3]);
    assert_eq!(of(key(1, 1), 2), [1, 2]);
    assert_eq!(of(key(2, 1), 10), [6]);
    assert_eq!(of(last, 10), [7]);
    assert_eq!(of(key(2, 0), 10), Vec::<u8>::new());
    let spent = |owner: u8, first: u16, end: u16| {
        let between = [pos(1000, 0, first), pos(1000, 0, end)];
        let spent = store.spent_in_flight(primitive(owner), between).unwrap();
        spent.into_iter().map(|position| position.oindex.get()).collect::<Vec<_>>()
    };
    assert_eq!(spent(1, 0, 2), [0, 1, 2]);
    assert_eq!(spent(1, 1, 1), [1]);
    assert_eq!(spent(1, 2, 9), [2]);
    assert_eq!(spent(2, 0, 9), [1]);
    assert_eq!(spent(3, 0, 9), Vec::<u16>::new());
    let all = store.spent_in_flight(last.owner, [pos(0, 0, 0), last.position]).unwrap();
    assert_eq!(Vec::from_iter(all), [last.position]);
    store.commit(&[delete_spend(key(1, 1), exit), delete_spend(key(2, 1), competitor)]).unwrap();
    assert_eq!(of(key(1, 1), 10), [2, 3]);
    assert_eq!(of(key(2, 1), 10), [6]);
    assert_eq!(of(key(1, 0), 10), [4]);
}

#[test]
fn an_active_exit_without_its_record_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    commit(folder.path(), &[put(&active(1))]);
    {
        let columns = DB::list_cf(&Options::default(), folder.path()).unwrap();
        let db = DB::open_cf(&Options::default(), folder.path(), columns).unwrap();
        db.delete_cf(db.cf_handle("in_flight_exits").unwrap(), id(1).as_bytes()).unwrap();
    }
    let error = open(folder.path()).active_in_flight_exits().unwrap_err();
    assert!(error.to_string().contains("no such exit in active_in_flight_exits"), "{error}");
}

fn any_bytes() -> impl Strategy<Value = Box<[u8]>> {
    prop::collection::vec(any::<u8>(), 0..80).prop_map(Box::from)
}

fn any_position() -> impl Strategy<Value = UtxoPos> {
    any::<(u64, u32, u16)>().prop_map(|(blknum, txindex, oindex)| pos(blknum, txindex, oindex))
}

fn any_tx_pos() -> impl Strategy<Value = TxPos> {
    any_position().prop_map(tx_pos)
}

fn any_slot() -> impl Strategy<Value = PiggybackSlot> {
    any::<(bool, u16)>().prop_map(|(is_input, index)| {
        if is_input { PiggybackSlot::input(index) } else { PiggybackSlot::output(index) }
    })
}

/// Starts with parts that need not fit: lists of any length, each for itself.
fn any_start() -> impl Strategy<Value = InFlightEvent> {
    let lists = (
        prop::collection::vec(any_position(), 0..5),
        prop::collection::vec(any_bytes(), 0..5),
        prop::collection::vec(any_bytes(), 0..5),
    );
    (any::<([u8; 20], [u8; 32], [u8; 20], u64)>(), any_bytes(), lists).prop_map(
        |((exit_id, tx_hash, initiator, started_at_s), tx_bytes, lists)| {
            let (input_positions, witnesses, input_txs) = lists;
            InFlightEvent::Started(Box::new(InFlightExitStart {
                exit_id: ExitId::from_bytes(exit_id),
                tx_hash: H256(tx_hash),
                initiator: Address::from(initiator),
                started_at_s,
                tx_bytes,
                input_positions,
                witnesses,
                input_txs,
            }))
        },
    )
}

fn any_challenge() -> impl Strategy<Value = InFlightEvent> {
    let numbers = any::<([u8; 20], [u8; 32], [u8; 20], u16, u16)>();
    (numbers, prop::option::of(any_tx_pos()), any_bytes(), any_bytes()).prop_map(
        |(numbers, competing_tx_pos, competing_tx, competing_witness)| {
            let (exit_id, tx_hash, challenger, input_index, competing_input_index) = numbers;
            InFlightEvent::Challenged(Box::new(InFlightExitChallenge {
                exit_id: ExitId::from_bytes(exit_id),
                tx_hash: H256(tx_hash),
                challenger: Address::from(challenger),
                competing_tx_pos,
                input_index,
                competing_tx,
                competing_input_index,
                competing_witness,
            }))
        },
    )
}

fn any_event() -> impl Strategy<Value = InFlightEvent> {
    let payments = vec![Payment::Due, Payment::Rightful, Payment::Wrongful];
    prop_oneof![
        any_start(),
        any_challenge(),
        (any_slot(), any::<([u8; 20], u64)>()).prop_map(|(slot, (target, exitable_at_s))| {
            let exit_target = Address::from(target);
            InFlightEvent::Piggybacked { slot, exit_target, exitable_at_s }
        }),
        any_slot().prop_map(InFlightEvent::Blocked),
        any_tx_pos().prop_map(InFlightEvent::Responded),
        (any_slot(), prop::sample::select(payments))
            .prop_map(|(slot, payment)| InFlightEvent::Withdrawn(slot, payment)),
        Just(InFlightEvent::Deleted),
        Just(InFlightEvent::Finalized),
    ]
}

fn any_source() -> impl Strategy<Value = SpendSource> {
    // Few of them, so that they meet.
    (0u8..3, any::<bool>()).prop_map(|(byte, is_exit)| {
        if is_exit {
            SpendSource::InFlightExit(id(byte))
        } else {
            SpendSource::Competitor(H256([byte; 32]))
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_exit_comes_back_with_all_that_was_said(
        exit_id: [u8; 20],
        moves in prop::collection::btree_map(
            any::<(u64, u32)>(), (any::<([u8; 32], [u8; 32])>(), any_event()), 0..12,
        ),
        inputs in prop::collection::vec(any_position(), 0..6),
    ) {
        let moves = moves.into_iter().map(|((height, log_index), ((block, tx), event))| InFlightMove {
            eth_height: EthHeight::new(height),
            log_index,
            eth_block_hash: H256(block),
            root_chain_txhash: H256(tx),
            event,
        });
        let exit = InFlightExit { exit_id: ExitId::from_bytes(exit_id), moves: moves.collect() };
        let record = InFlightRecord { exit_id: exit.exit_id, tx_hash: H256([3; 32]), inputs };
        let folder = tempfile::tempdir().unwrap();
        commit(folder.path(), &[put(&exit), put_record(&record)]);
        let store = open(folder.path());
        let restored = store.active_in_flight_exits().unwrap();
        prop_assert_eq!(restored.first(), exit.is_active().then_some(&exit));
        prop_assert_eq!(store.in_flight_exit(exit.exit_id).unwrap(), Some(exit));
        prop_assert_eq!(store.in_flight_record(record.exit_id).unwrap(), Some(record));
    }

    #[test]
    fn told_spends_are_those_of_a_sorted_map(
        steps in prop::collection::vec((0u8..3, 0u16..3, any_source(), any::<Option<u8>>()), 0..60),
        limit in 0usize..8,
    ) {
        let mut model: BTreeMap<(UtxoKey, SpendSource), u8> = BTreeMap::new();
        let mut updates = Vec::new();
        for (owner, oindex, source, byte) in steps {
            let key = key(owner, oindex);
            updates.push(match byte {
                Some(byte) => put_spend(key, source, byte),
                None => delete_spend(key, source),
            });
            match byte {
                Some(byte) => model.insert((key, source), byte),
                None => model.remove(&(key, source)),
            };
        }
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        for batch in updates.chunks(7) {
            store.commit(batch).unwrap();
        }
        for (owner, oindex) in (0..3).flat_map(|owner| (0..3).map(move |oindex| (owner, oindex))) {
            let key = key(owner, oindex);
            let expected = model.iter().filter(|((of, _), _)| *of == key).map(|(_, byte)| *byte);
            let found = store.in_flight_spends(key, limit).unwrap().concat();
            prop_assert_eq!(found, expected.take(limit).collect::<Vec<_>>());
        }
    }
}
