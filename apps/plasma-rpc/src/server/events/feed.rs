//! The newest events of one topic, in memory, for everybody who is up to date.

use super::text::EventText;
use crate::subscription::TopicName;
use plasma_core::journal::Topic;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Events that a ring of a general topic keeps, and their bytes.
const RING_EVENTS_MAX: usize = 1_024;
const RING_LEN_MAX: usize = 1_024 * 1_024;
/// The same for the transfers of one account: there may be thousands of these rings.
const ACCOUNT_RING_EVENTS_MAX: usize = 16;
const ACCOUNT_RING_LEN_MAX: usize = 8 * 1_024;
/// Events that are taken at once, and their bytes: what a connection holds while it writes.
pub(super) const CHUNK_EVENTS_MAX: usize = 128;
pub(super) const CHUNK_LEN_MAX: usize = 64 * 1_024;

/// A topic that somebody follows. Only the hub adds events; readers take them.
#[derive(Debug)]
pub(super) struct Feed {
    topic: TopicName,
    ring: Mutex<Ring>,
    head: watch::Sender<Head>,
}

/// How far a feed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// The hub has not looked yet.
    Unknown,
    /// The number of the newest event that readers can take.
    At(u64),
    /// Its events cannot be read until somebody repairs something: the hub leaves it alone until it is wanted again.
    Retired,
}

#[derive(Debug, Default)]
struct Ring {
    /// The number before that of the first event here.
    after: u64,
    events: VecDeque<Arc<EventText>>,
    len: usize,
}

/// What there is for a reader.
#[derive(Debug)]
pub(super) enum Taken {
    /// These come next, at least one.
    Events(Vec<Arc<EventText>>),
    /// What comes next is not in memory any more.
    Behind,
    /// Nothing yet.
    UpToDate,
    /// Nothing, and nothing will come.
    Retired,
}

impl Feed {
    pub(super) fn new(topic: TopicName) -> Self {
        Self { topic, ring: Mutex::default(), head: watch::Sender::new(Head::Unknown) }
    }

    pub(super) const fn topic(&self) -> TopicName {
        self.topic
    }

    /// How many events it keeps at most.
    pub(super) const fn events_max(&self) -> usize {
        match self.topic.0 {
            Topic::Transfer(_) => ACCOUNT_RING_EVENTS_MAX,
            _ => RING_EVENTS_MAX,
        }
    }

    const fn len_max(&self) -> usize {
        match self.topic.0 {
            Topic::Transfer(_) => ACCOUNT_RING_LEN_MAX,
            _ => RING_LEN_MAX,
        }
    }

    /// How far it is.
    pub(super) fn head(&self) -> Head {
        *self.head.borrow()
    }

    /// Changes with every event.
    pub(super) fn news(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    /// Forgets everything, to go on after this number.
    pub(super) fn restart(&self, after: u64) {
        *self.lock() = Ring { after, ..Ring::default() };
        self.head.send_replace(Head::At(after));
    }

    /// Ends it for everybody who reads it.
    pub(super) fn retire(&self) {
        *self.lock() = Ring::default();
        self.head.send_replace(Head::Retired);
    }

    /// Makes the hub look again, if it was retired. Whether it was.
    pub(super) fn revive(&self) -> bool {
        self.head.send_if_modified(|head| {
            let is_retired = *head == Head::Retired;
            if is_retired {
                *head = Head::Unknown;
            }
            is_retired
        })
    }

    /// Adds events that follow the newest.
    pub(super) fn push(&self, events: &[Arc<EventText>]) {
        let Some(newest) = events.last() else {
            return;
        };
        let mut ring = self.lock();
        for event in events {
            ring.len = ring.len.saturating_add(event.json.len());
            ring.events.push_back(Arc::clone(event));
        }
        while ring.events.len() > self.events_max()
            || (ring.len > self.len_max() && ring.events.len() > 1)
        {
            let Some(oldest) = ring.events.pop_front() else {
                break;
            };
            ring.after = oldest.sequence;
            ring.len = ring.len.saturating_sub(oldest.json.len());
        }
        drop(ring);
        self.head.send_replace(Head::At(newest.sequence));
    }

    /// What comes after a number.
    pub(super) fn take(&self, after: u64) -> Taken {
        match self.head() {
            Head::At(head) if after < head => {}
            Head::At(_) | Head::Unknown => return Taken::UpToDate,
            Head::Retired => return Taken::Retired,
        }
        let ring = self.lock();
        let Some(skipped) = after.checked_sub(ring.after) else {
            return Taken::Behind;
        };
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let mut events = Vec::new();
        let mut len = 0_usize;
        for event in ring.events.iter().skip(skipped).take(CHUNK_EVENTS_MAX) {
            len = len.saturating_add(event.json.len());
            if len > CHUNK_LEN_MAX && !events.is_empty() {
                break;
            }
            events.push(Arc::clone(event));
        }
        if events.is_empty() { Taken::UpToDate } else { Taken::Events(events) }
    }

    /// Never held for longer than it takes to copy some pointers.
    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::wire::Address;

    fn texts(sequences: std::ops::RangeInclusive<u64>, len: usize) -> Vec<Arc<EventText>> {
        let text = |sequence| Arc::new(EventText { sequence, json: "x".repeat(len).into() });
        sequences.map(text).collect()
    }

    fn check(feed: &Feed, after: u64, expected: Option<(u64, usize)>) {
        match (feed.take(after), expected) {
            (Taken::Events(events), Some((first, count))) => {
                assert_eq!(events[0].sequence, first);
                assert_eq!(events.len(), count);
            }
            (Taken::UpToDate, Some((0, 0))) | (Taken::Behind, None) => {}
            (taken, expected) => panic!("after {after}: {taken:?}, not {expected:?}"),
        }
    }

    #[test]
    fn a_reader_gets_what_comes_next_or_hears_that_it_is_behind() {
        let feed = Feed::new(TopicName(Topic::Blocks));
        check(&feed, 0, Some((0, 0)));
        feed.restart(10);
        check(&feed, 10, Some((0, 0)));
        check(&feed, 99, Some((0, 0)));
        feed.push(&texts(11..=13, 10));
        check(&feed, 9, None);
        check(&feed, 10, Some((11, 3)));
        check(&feed, 12, Some((13, 1)));
        check(&feed, 13, Some((0, 0)));
        feed.push(&texts(14..=2_000, 10));
        check(&feed, 13, None);
        check(&feed, 2_000 - RING_EVENTS_MAX as u64 - 1, None);
        check(&feed, 2_000 - RING_EVENTS_MAX as u64, Some((977, CHUNK_EVENTS_MAX)));
    }

    #[test]
    fn a_retired_feed_ends_its_readers_and_begins_again_when_it_is_wanted() {
        let feed = Feed::new(TopicName(Topic::Blocks));
        assert!(!feed.revive());
        feed.restart(0);
        feed.push(&texts(1..=3, 10));
        assert!(!feed.revive());
        feed.retire();
        assert!(matches!(feed.take(0), Taken::Retired));
        assert!(matches!(feed.take(3), Taken::Retired));
        assert!(feed.revive());
        assert_eq!(feed.head(), Head::Unknown);
        check(&feed, 2, Some((0, 0)));
        feed.restart(3);
        check(&feed, 2, None);
    }

    #[test]
    fn rings_and_chunks_are_bounded_in_bytes_and_hold_an_event_of_any_length() {
        let account = Address::repeat_byte(1);
        for topic in [Topic::Exits, Topic::Transfer(account)] {
            let feed = Feed::new(TopicName(topic));
            feed.restart(0);
            feed.push(&texts(1..=16, feed.len_max() / 4));
            check(&feed, 11, None);
            let per_chunk = (CHUNK_LEN_MAX / (feed.len_max() / 4)).clamp(1, 4);
            check(&feed, 12, Some((13, per_chunk)));
            feed.push(&texts(17..=17, 2 * feed.len_max()));
            check(&feed, 15, None);
            check(&feed, 16, Some((17, 1)));
        }
    }
}
