//! Which downloads are running, which failed, and when each is tried again.

use crate::wire::Blknum;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeBounds;

/// A block that could not be fetched so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Failing {
    first_failed_ms: u64,
    retry_at_ms: u64,
    /// How long the next pause will be.
    pause_ms: u64,
}

/// See the module. A number can be running and failing at once: that is a retry.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempts {
    running: BTreeSet<Blknum>,
    failing: BTreeMap<Blknum, Failing>,
    /// The failing ones that are not running, by when they are due.
    due: BTreeSet<(u64, Blknum)>,
}

impl Attempts {
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// Whether this number is running or waiting to be retried.
    pub(super) fn contains(&self, blknum: Blknum) -> bool {
        self.running.contains(&blknum) || self.failing.contains_key(&blknum)
    }

    pub(super) fn start(&mut self, blknum: Blknum) {
        if let Some(failing) = self.failing.get(&blknum) {
            self.due.remove(&(failing.retry_at_ms, blknum));
        }
        self.running.insert(blknum);
    }

    /// An answer came. `false` when nothing was asked for.
    pub(super) fn stop(&mut self, blknum: Blknum) -> bool {
        self.running.remove(&blknum)
    }

    /// Nothing usable came: remembers since when, and pauses twice as long as before. Returns when to try again.
    pub(super) fn retry_later(&mut self, blknum: Blknum, now_ms: u64, pause_ms: (u64, u64)) -> u64 {
        let (shortest, longest) = pause_ms;
        let failing = self.failing.entry(blknum).or_insert(Failing {
            first_failed_ms: now_ms,
            retry_at_ms: now_ms,
            pause_ms: shortest,
        });
        self.due.remove(&(failing.retry_at_ms, blknum));
        failing.retry_at_ms = now_ms.saturating_add(failing.pause_ms);
        failing.pause_ms = failing.pause_ms.saturating_mul(2).min(longest);
        self.due.insert((failing.retry_at_ms, blknum));
        failing.retry_at_ms
    }

    /// It is there, or nobody asks for it any more.
    pub(super) fn forget(&mut self, blknum: Blknum) {
        if let Some(failing) = self.failing.remove(&blknum) {
            self.due.remove(&(failing.retry_at_ms, blknum));
        }
    }

    /// Numbers to try again now, those that waited longest first.
    pub(super) fn due(&self, now_ms: u64) -> impl Iterator<Item = Blknum> {
        let due = self.due.iter();
        due.take_while(move |(at_ms, _)| *at_ms <= now_ms).map(|(_, blknum)| *blknum)
    }

    /// The lowest number in this range that has failed for at least so long.
    pub(super) fn overdue(
        &self,
        range: impl RangeBounds<Blknum>,
        now_ms: u64,
        failing_ms_max: u64,
    ) -> Option<Blknum> {
        let mut failing = self.failing.range(range);
        let overdue = failing
            .find(|(_, failing)| now_ms.saturating_sub(failing.first_failed_ms) >= failing_ms_max);
        overdue.map(|(blknum, _)| *blknum)
    }

    pub(super) fn failing(
        &self,
        range: impl RangeBounds<Blknum>,
    ) -> impl DoubleEndedIterator<Item = Blknum> {
        self.failing.range(range).map(|(blknum, _)| *blknum)
    }

    /// The lowest number in this range that is running or failing.
    pub(super) fn lowest(&self, range: impl RangeBounds<Blknum> + Clone) -> Option<Blknum> {
        let running = self.running.range(range.clone()).next().copied();
        let failing = self.failing(range).next();
        running.into_iter().chain(failing).min()
    }
}
