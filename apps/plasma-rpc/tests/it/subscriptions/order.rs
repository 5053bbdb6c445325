//! Everything, in order, without a gap: whatever is appended, read slowly, or broken off.

use super::{Teller, subscriber, teller};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

/// What a subscriber does: how many events it reads before it breaks off and comes back, and how it dawdles.
#[derive(Clone, Debug)]
struct Habit {
    first: u64,
    reads: Vec<(usize, usize)>,
}

fn habit(before: usize) -> impl Strategy<Value = Habit> {
    let first = 1..=u64::try_from(before).unwrap() + 1;
    let reads = prop::collection::vec((1..400_usize, 0..20_usize), 1..6);
    (first, reads).prop_map(|(first, reads)| Habit { first, reads })
}

/// Events that are there, events that come while subscribers read, and the subscribers.
fn story() -> impl Strategy<Value = (usize, Vec<usize>, Vec<Habit>)> {
    (0..3_000_usize).prop_flat_map(|before| {
        let bursts = prop::collection::vec(1..300_usize, 1..12);
        (Just(before), bursts, prop::collection::vec(habit(before), 1..6))
    })
}

/// Reads up to the last event, and returns what was seen.
async fn follow(teller: &Teller, habit: Habit, last: u64) -> Vec<u64> {
    let mut seen = Vec::new();
    let mut reads = habit.reads.into_iter().cycle();
    while seen.last().is_none_or(|newest| *newest < last) {
        let next = seen.last().map_or(habit.first, |newest| newest + 1);
        if next > last {
            return seen;
        }
        let params = format!(r#"["blocks",{{"sequence":{next}}}]"#);
        let mut one = subscriber(teller, &params).await;
        let (count, pauses) = reads.next().unwrap();
        for _ in 0..count {
            seen.push(one.sequence().await);
            if seen.last() == Some(&last) {
                break;
            }
            for _ in 0..pauses {
                tokio::task::yield_now().await;
            }
        }
    }
    seen
}

async fn check(before: usize, bursts: Vec<usize>, habits: Vec<Habit>) {
    let teller = teller().await;
    teller.log.append_blocks(before);
    let last = u64::try_from(before + bursts.iter().sum::<usize>()).unwrap();
    let append = async {
        for burst in bursts {
            teller.log.append_blocks(burst);
            for _ in 0..burst {
                tokio::task::yield_now().await;
            }
        }
    };
    let read = habits.into_iter().map(|habit| {
        let first = habit.first;
        let teller = &teller;
        async move {
            let seen = follow(teller, habit, last).await;
            assert_eq!(seen, (first..=last).collect::<Vec<_>>());
        }
    });
    tokio::join!(append, futures::future::join_all(read));
}

#[test]
fn every_subscriber_sees_every_event_once_and_in_order() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = ProptestConfig { cases: 12, failure_persistence: None, ..Default::default() };
    proptest!(config, |((before, bursts, habits) in story())| {
        runtime.block_on(check(before, bursts, habits));
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_all_topics_are_complete_when_they_come_at_once() {
    let teller = teller().await;
    let topics = ["byzantine", "blocks", "deposits", "exits", "status"];
    let accounts: Vec<_> = (1..=20_u8).map(|byte| format!("{byte:02x}").repeat(20)).collect();
    let names = topics.iter().map(ToString::to_string);
    let names: Vec<_> =
        names.chain(accounts.iter().map(|hex| format!("transfer:0x{hex}"))).collect();
    let mut readers = Vec::new();
    for name in &names {
        readers.push(subscriber(&teller, &format!(r#"["{name}"]"#)).await);
    }
    for round in 0..50 {
        for name in &names {
            let name: plasma_rpc::subscription::TopicName = name.parse().unwrap();
            teller.log.append(name.0, "{}", 1 + round % 3);
        }
    }
    let last = (0..50).map(|round| 1 + round % 3).sum();
    for reader in &mut readers {
        reader.expect(1..=last).await;
    }
}

#[tokio::test]
async fn subscribers_who_are_up_to_date_share_one_read_of_each_event() {
    let teller = teller().await;
    let mut all = Vec::new();
    for _ in 0..50 {
        all.push(subscriber(&teller, r#"["blocks"]"#).await);
    }
    for sequence in 1..=20 {
        teller.log.append_blocks(1);
        for one in &mut all {
            one.expect([sequence]).await;
        }
    }
    assert_eq!(teller.log.reads.load(Ordering::Relaxed), 20);
    let ids: BTreeSet<_> = all.iter().map(|one| one.id.clone()).collect();
    assert_eq!(ids.len(), 50);
}
