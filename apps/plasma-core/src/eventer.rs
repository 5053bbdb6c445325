//! Turns the set of conditions that are true into a numbered list of what appeared and what was resolved.
//!
//! It must never skip a number or report a condition twice. The numbers count from 1 in each run of the node; an observer who
//! was away compares with `byzantine_events` of the status, which is always the whole truth.

use crate::byzantine::ByzantineEvent;
use std::collections::BTreeSet;

/// What happened to a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// It became true.
    Appeared,
    /// It is no longer true.
    Resolved,
}

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Its number: one more than the entry before, 1 for the first.
    pub sequence: u64,
    /// Came or went.
    pub change: Change,
    /// The condition.
    pub event: ByzantineEvent,
}

/// Remembers what is true and where the numbers stand.
///
/// # After a restart
/// It starts empty and at 1: whatever is true then appears again.
#[derive(Clone, Debug, Default)]
pub struct Eventer {
    present: BTreeSet<ByzantineEvent>,
    last_sequence: u64,
}

impl Eventer {
    /// Nothing is wrong and nothing was told.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes everything that is true now. What is no longer true is resolved first, then the news appear, each in order of
    /// urgency. A condition whose facts changed, such as a spend that became known, is resolved and appears again.
    pub fn update(
        &mut self,
        events: impl IntoIterator<Item = ByzantineEvent>,
    ) -> Vec<Notification> {
        let now: BTreeSet<ByzantineEvent> = events.into_iter().collect();
        let before = std::mem::replace(&mut self.present, now);
        let resolved = before.difference(&self.present);
        let appeared = self.present.difference(&before);
        let changes = resolved
            .map(|event| (Change::Resolved, event))
            .chain(appeared.map(|event| (Change::Appeared, event)));
        let mut sequence = self.last_sequence;
        let notifications = changes
            .map(|(change, event)| {
                sequence = sequence.saturating_add(1);
                Notification { sequence, change, event: event.clone() }
            })
            .collect();
        self.last_sequence = sequence;
        notifications
    }

    /// Everything that is true, in order of urgency.
    pub fn present(&self) -> impl ExactSizeIterator<Item = &ByzantineEvent> {
        self.present.iter()
    }

    /// The number of the newest entry, 0 before the first.
    pub const fn last_sequence(&self) -> u64 {
        self.last_sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Blknum, H256};
    use proptest::prelude::*;

    fn withheld(blknum: u64) -> ByzantineEvent {
        ByzantineEvent::BlockWithholding { blknum: Blknum::new(blknum), hash: H256::zero() }
    }

    #[test]
    fn conditions_come_and_go_under_rising_numbers() {
        let mut eventer = Eventer::new();
        let mut told = Vec::new();
        for present in [&[][..], &[1, 2], &[1, 2], &[2, 3], &[], &[2]] {
            let events = present.iter().copied().map(withheld);
            told.extend(eventer.update(events).into_iter().map(|notification| {
                let ByzantineEvent::BlockWithholding { blknum, .. } = notification.event else {
                    unreachable!("only such events were put in");
                };
                (notification.sequence, notification.change, blknum.get())
            }));
        }
        use Change::{Appeared, Resolved};
        let expected = [
            (1, Appeared, 1),
            (2, Appeared, 2),
            (3, Resolved, 1),
            (4, Appeared, 3),
            (5, Resolved, 2),
            (6, Resolved, 3),
            (7, Appeared, 2),
        ];
        assert_eq!(told, expected);
    }

    proptest! {
           #[test]
           fn the_list_without_gaps_rebuilds_the_set(sets in proptest::collection::vec(proptest::collection::btree_set(0u64..6, 0..6), 0..20)) {
               let mut eventer = Eventer::new();
               let mut rebuilt = BTreeSet::new();
               let mut expected_sequence = 0;
               for set in sets {
                   for notification in eventer.update(set.iter().copied().map(withheld)) {
                       expected_sequence += 1;
                       prop_assert_eq!(notification.sequence, expected_sequence);
                       let is_news = match notification.change {
    Change::Appeared => rebuilt.insert(notification.event),
    Change::Resolved => rebuilt.remove(&notification.event),
    };
    prop_assert!(is_news);
                   }
                   prop_assert_eq!(rebuilt.iter().cloned().collect::<Vec<_>>(), set.iter().copied().map(withheld).collect::<Vec<_>>());
                   prop_assert_eq!(eventer.present().len(), set.len());
                   prop_assert_eq!(eventer.last_sequence(), expected_sequence);
               }
           }
       }
}
