//! The table of cases of protocol 10.5, lying nodes, and a random root chain of which no event is lost.

use super::*;
use crate::root_chain::RootChainEvent;
use crate::wire::{Address, Blknum, ETH, H256, U256, UtxoPos};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::{BTreeMap, BTreeSet};

const CONFIG: EthEventListenerConfig = EthEventListenerConfig {
    range_eth_blocks_max: 10,
    ranges_per_tick_max: 2,
    batch_events_max: 3,
};

fn h(height: u64) -> EthHeight {
    EthHeight::new(height)
}

fn guide(sync_height: u64) -> Option<SyncGuide> {
    Some(SyncGuide { sync_height: h(sync_height), root_chain_height: h(sync_height) })
}

/// A deposit in log `log_index` of block `height`, with `blknum` as its content.
fn deposit(height: u64, log_index: u32, blknum: u64) -> EthEvent {
    EthEvent {
        eth_height: h(height),
        eth_block_hash: H256::from_low_u64_be(height),
        root_chain_txhash: H256::repeat_byte(1),
        log_index,
        event: RootChainEvent::DepositCreated {
            depositor: Address::repeat_byte(2),
            blknum: Blknum::new(blknum),
            currency: ETH,
            amount: U256::one(),
        },
    }
}

fn listener(stored: u64) -> EthEventListener {
    EthEventListener::restore(Service::Depositor, CONFIG, Some(h(stored)), h(1))
}

fn places(batch: &EventBatch) -> Vec<(u64, u32)> {
    let places = batch.events.iter().map(place);
    places.map(|(height, log)| (height.get(), log)).collect()
}

#[test]
fn it_starts_after_what_is_stored_or_with_the_deployment() {
    for (stored, deployed_at, synced, first) in [
        (None, 100, 99, 100),
        (None, 0, 0, 1),
        (Some(5), 100, 99, 100),
        (Some(99), 100, 99, 100),
        (Some(100), 100, 100, 101),
        (Some(500), 100, 500, 501),
    ] {
        let mut listener =
            EthEventListener::restore(Service::Depositor, CONFIG, stored.map(h), h(deployed_at));
        assert_eq!(listener.synced_height(), h(synced), "{stored:?}");
        listener.on_guide(guide(1_000));
        assert_eq!(*listener.next_range().unwrap().start(), h(first), "{stored:?}");
    }
}

#[test]
fn ranges_end_at_the_guide_or_the_cap() {
    for (synced, sync_height, expected) in [
        (20, Some(21), Some((21, 21))),
        (20, Some(25), Some((21, 25))),
        (20, Some(30), Some((21, 30))),
        (20, Some(31), Some((21, 30))),
        (20, Some(20), None),
        (20, Some(3), None),
        (20, None, None),
    ] {
        let mut listener = listener(synced);
        listener.on_guide(sync_height.and_then(guide));
        let range = listener.next_range();
        let range = range.map(|range| (range.start().get(), range.end().get()));
        assert_eq!(range, expected, "{sync_height:?}");
    }
}

#[test]
fn it_catches_up_in_several_ranges_but_not_without_end() {
    let mut listener = listener(0);
    let mut tick = |sync_height| {
        listener.on_guide(guide(sync_height));
        let mut read = Vec::new();
        while let Some(range) = listener.next_range() {
            let batch = listener.on_events(&range, vec![]).unwrap().unwrap();
            assert_eq!(listener.next_range(), None, "nothing is read during a commit");
            assert_eq!(listener.on_committed(batch.synced_height), Some(batch.synced_height));
            read.push((range.start().get(), range.end().get()));
        }
        read
    };
    assert_eq!(tick(35), [(1, 10), (11, 20)]);
    assert_eq!(tick(35), [(21, 30), (31, 35)]);
    assert_eq!(tick(35), []);
    assert_eq!(tick(30), [], "sent back");
    assert_eq!(tick(36), [(36, 36)]);
}

#[test]
fn a_read_that_failed_is_tried_again_within_the_share_of_the_tick() {
    let mut listener = listener(0);
    listener.on_guide(guide(5));
    assert_eq!(listener.next_range(), Some(h(1)..=h(5)));
    assert_eq!(listener.next_range(), Some(h(1)..=h(5)));
    assert_eq!(listener.next_range(), None);
    listener.on_guide(guide(5));
    assert_eq!(listener.next_range(), Some(h(1)..=h(5)));
}

#[test]
fn answers_that_come_twice_or_late_are_ignored() {
    let mut listener = listener(0);
    listener.on_guide(guide(8));
    let range = listener.next_range().unwrap();
    let event = deposit(3, 0, 1);
    assert_eq!(listener.on_events(&(h(1)..=h(7)), vec![event.clone()]), Ok(None), "another range");
    let batch = listener.on_events(&range, vec![event.clone()]).unwrap().unwrap();
    assert_eq!(listener.on_events(&range, vec![event.clone()]), Ok(None), "twice");
    assert_eq!(listener.on_committed(h(7)), None, "another batch");
    assert_eq!(listener.synced_height(), h(0), "not before the commit");
    assert_eq!(batch.height_update(), DbUpdate::ServiceHeight(Service::Depositor, h(8)));
    assert_eq!(listener.on_committed(h(8)), Some(h(8)));
    assert_eq!(listener.on_committed(h(8)), None, "committed twice");
    assert_eq!(listener.on_events(&range, vec![event]), Ok(None), "late");
    assert_eq!(listener.synced_height(), h(8));
}

#[test]
fn answers_are_put_in_order_and_repetitions_dropped() {
    let mut listener = listener(0);
    listener.on_guide(guide(8));
    let range = listener.next_range().unwrap();
    let events = [(5, 9), (5, 2), (3, 4), (5, 2)].map(|(height, log)| deposit(height, log, 1));
    let batch = listener.on_events(&range, events.to_vec()).unwrap().unwrap();
    assert_eq!(places(&batch), [(3, 4), (5, 2), (5, 9)]);
    assert_eq!(batch.synced_height, h(8));
}

#[test]
fn a_large_answer_is_cut_between_root_chain_blocks() {
    for (what, heights, kept, synced) in [
        ("fits", vec![2, 3, 5], 3, 8),
        ("the last block goes", vec![2, 3, 5, 5], 2, 4),
        ("more goes", vec![2, 3, 4, 5, 6], 3, 4),
        ("a block is not split", vec![2, 2, 2, 2, 2], 5, 8),
        ("nor one of several", vec![2, 2, 2, 2, 6], 4, 2),
    ] {
        let mut listener = listener(0);
        listener.on_guide(guide(8));
        let range = listener.next_range().unwrap();
        let events = heights.iter().zip(0..);
        let events = events.map(|(height, log)| deposit(*height, log, 1)).collect();
        let batch = listener.on_events(&range, events).unwrap().unwrap();
        assert_eq!((batch.events.len(), batch.synced_height), (kept, h(synced)), "{what}");
        listener.on_committed(batch.synced_height).unwrap();
        let next = listener.next_range();
        let next = next.map(|range| range.start().get());
        assert_eq!(next, (synced < 8).then_some(synced + 1), "{what}");
    }
}

#[test]
fn answers_that_cannot_be_true_are_refused_and_asked_for_again() {
    use EventsError::{Contradiction, OutsideRange, TwoHistories, UnexpectedKind};
    let other_kind = EthEvent {
        event: RootChainEvent::ExitChallenged { position: UtxoPos::deposit(Blknum::new(1)) },
        ..deposit(4, 7, 1)
    };
    let other_hash = EthEvent { eth_block_hash: H256::repeat_byte(9), ..deposit(4, 7, 1) };
    let outside =
        |height| OutsideRange { eth_height: h(height), log_index: 7, from: h(3), to: h(8) };
    let at = (h(4), 7);
    let cases = [
        (vec![deposit(2, 7, 1)], outside(2)),
        (vec![deposit(9, 7, 1)], outside(9)),
        (
            vec![deposit(4, 6, 1), other_kind],
            UnexpectedKind { kind: EventKind::ExitChallenged, eth_height: at.0, log_index: at.1 },
        ),
        (
            vec![deposit(4, 7, 1), deposit(5, 0, 3), deposit(4, 7, 2)],
            Contradiction { eth_height: at.0, log_index: at.1 },
        ),
        (vec![deposit(4, 6, 1), other_hash], TwoHistories { eth_height: at.0 }),
    ];
    for (events, expected) in cases {
        let mut listener = listener(2);
        listener.on_guide(guide(8));
        let range = listener.next_range().unwrap();
        assert_eq!(listener.on_events(&range, events), Err(expected));
        assert_eq!(listener.next_range(), Some(range), "{expected}");
    }
}

#[test]
fn each_service_reads_its_own_events() {
    let table = Service::ALL.iter().map(|service| (service.name(), events_of(*service)));
    let table: BTreeMap<_, _> = table.collect();
    assert_eq!(table["depositor"], [EventKind::DepositCreated]);
    assert_eq!(table["exiter"], [EventKind::ExitStarted]);
    assert_eq!(table["block_getter"], [EventKind::BlockSubmitted]);
    assert_eq!(table["exit_processor"], [EventKind::ExitStarted]);
    assert_eq!(table["exit_finalizer"], [EventKind::ExitFinalized, EventKind::ExitOmitted]);
    assert_eq!(table["exit_challenger"], [EventKind::ExitChallenged]);
    assert_eq!(table["in_flight_exiter"].len(), 2);
    assert_eq!(table["in_flight_exit_processor"].len(), 8);
    assert_eq!(table["in_flight_exit_finalizer"].len(), 3);
    let processed: BTreeSet<_> = table["in_flight_exit_processor"].iter().collect();
    assert!(table["in_flight_exit_finalizer"].iter().all(|kind| !processed.contains(kind)));
}

/// What happens to a listener, and to the answer to what it asks.
#[derive(Clone, Debug)]
enum Step {
    Guide(u64),
    Answer { shuffle: Vec<Index>, repeat: Vec<Index>, commit: bool },
    WrongAnswer(u64),
    LateAnswer,
    NoAnswer,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let indices = || proptest::collection::vec(any::<Index>(), 0..4);
    prop_oneof![
        3 => (0u64..=200).prop_map(Step::Guide),
        8 => (indices(), indices(), any::<bool>())
            .prop_map(|(shuffle, repeat, commit)| Step::Answer { shuffle, repeat, commit }),
        1 => (0u64..=210).prop_map(Step::WrongAnswer),
        1 => Just(Step::LateAnswer),
        1 => Just(Step::NoAnswer),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    /// Whatever is asked twice, answered twice, shuffled, lied about or lost in a crash: what is committed is a prefix of what
    /// happened, without repetition, and exactly as long as the committed height says.
    #[test]
    fn what_is_committed_is_what_happened(
        logs in proptest::collection::vec((1u64..=200, 0u32..5), 0..60),
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        let history: BTreeMap<(u64, u32), EthEvent> =
            logs.into_iter().map(|(height, log)| ((height, log), deposit(height, log, height))).collect();
        let truth = |range: &RangeInclusive<EthHeight>| -> Vec<EthEvent> {
            history.values().filter(|event| range.contains(&event.eth_height)).cloned().collect()
        };
        let mut listener = EthEventListener::restore(Service::Depositor, CONFIG, None, h(1));
        let (mut disk, mut committed) = (None, Vec::new());
        let (mut allowed, mut last) = (0, None);
        for step in steps {
            match step {
                Step::Guide(height) => {
                    allowed = allowed.max(height);
                    listener.on_guide(guide(height));
                }
                Step::Answer { shuffle, repeat, commit } => {
                    let Some(range) = listener.next_range() else { continue };
                    prop_assert!(range.end().get() <= allowed);
                    let mut events = truth(&range);
                    if !events.is_empty() {
                        for (from, to) in shuffle.iter().zip(&repeat) {
                            let (from, to) = (from.index(events.len()), to.index(events.len()));
                            events.swap(from, to);
                        }
                        for again in repeat {
                            events.push(again.get(&events).clone());
                        }
                    }
                    let batch = listener.on_events(&range, events).unwrap().unwrap();
                    prop_assert!(batch.synced_height <= *range.end());
                    if commit {
                        committed.extend(batch.events.iter().cloned());
                        disk = Some(batch.synced_height);
                        listener.on_committed(batch.synced_height).unwrap();
                        last = Some((range, batch.events));
                    } else {
                        listener = EthEventListener::restore(Service::Depositor, CONFIG, disk, h(1));
                    }
                }
                Step::WrongAnswer(height) => {
                    let Some(range) = listener.next_range() else { continue };
                    let mut events = truth(&range);
                    let contradicts = EthEvent { log_index: 3, ..deposit(height, 3, 999) };
                    let lie = !range.contains(&h(height)) || history.contains_key(&(height, 3));
                    events.push(contradicts);
                    if lie {
                        prop_assert!(listener.on_events(&range, events).is_err());
                    }
                }
                Step::LateAnswer => {
                    if let Some((range, events)) = last.take() {
                        prop_assert_eq!(listener.on_events(&range, events), Ok(None));
                    }
                }
                Step::NoAnswer => { listener.next_range(); }
                Step::Restart => listener = EthEventListener::restore(Service::Depositor, CONFIG, disk, h(1)),
            }
            let expected = truth(&(h(0)..=disk.unwrap_or_default()));
            prop_assert_eq!(&committed, &expected);
            prop_assert_eq!(listener.synced_height(), disk.unwrap_or_default());
            prop_assert!(disk.unwrap_or_default().get() <= allowed);
        }
    }
}
