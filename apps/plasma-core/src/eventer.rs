//! Turns the set of conditions that are true into a numbered list of what appeared and what was resolved.
//!
//! It must never skip a number or report a condition twice, also across restarts: its list is the topic
//! [`Byzantine`](crate::journal::Topic::Byzantine) of the journal, and it starts from what is open there.

use crate::byzantine::ByzantineEvent;
use std::collections::{BTreeMap, BTreeSet};

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
    /// The number under which it appeared: its own, unless it is resolved.
    pub appeared_as: u64,
    /// Came or went.
    pub change: Change,
    /// The condition.
    pub event: ByzantineEvent,
}

/// Remembers what is true and where the numbers stand.
///
/// # After a restart
/// It starts from what was open and the last number: nothing appears again, and what is not true any more is resolved.
#[derive(Clone, Debug, Default)]
pub struct Eventer {
    /// What is true, with the number under which it appeared.
    present: BTreeMap<ByzantineEvent, u64>,
    last_sequence: u64,
}

impl Eventer {
    /// Nothing is wrong and nothing was told.
    pub fn new() -> Self {
        Self::default()
    }

    /// Continues behind `last_sequence`, with what was told and not resolved under the numbers under which it appeared.
    pub fn restore(
        open: impl IntoIterator<Item = (u64, ByzantineEvent)>,
        last_sequence: u64,
    ) -> Self {
        let present = open.into_iter().map(|(appeared_as, event)| (event, appeared_as)).collect();
        Self { present, last_sequence }
    }

    /// Takes everything that is true now. What is no longer true is resolved first, then the news appear, each in order of
    /// urgency. A condition whose facts changed, such as a spend that became known, is resolved and appears again.
    pub fn update(
        &mut self,
        events: impl IntoIterator<Item = ByzantineEvent>,
    ) -> Vec<Notification> {
        let mut before = std::mem::take(&mut self.present);
        let mut appeared = BTreeSet::new();
        for event in events {
            match before.remove_entry(&event) {
                Some((event, appeared_as)) => {
                    self.present.insert(event, appeared_as);
                }
                None if self.present.contains_key(&event) => {}
                None => {
                    appeared.insert(event);
                }
            }
        }
        let mut notifications = Vec::with_capacity(before.len().saturating_add(appeared.len()));
        for (event, appeared_as) in before {
            let sequence = self.next_sequence();
            let change = Change::Resolved;
            notifications.push(Notification { sequence, appeared_as, change, event });
        }
        for event in appeared {
            let sequence = self.next_sequence();
            self.present.insert(event.clone(), sequence);
            let (appeared_as, change) = (sequence, Change::Appeared);
            notifications.push(Notification { sequence, appeared_as, change, event });
        }
        notifications
    }

    fn next_sequence(&mut self) -> u64 {
        self.last_sequence = self.last_sequence.saturating_add(1);
        self.last_sequence
    }

    /// Everything that is true, in order of urgency.
    pub fn present(&self) -> impl ExactSizeIterator<Item = &ByzantineEvent> {
        self.present.keys()
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
        fn the_list_without_gaps_rebuilds_the_set_whenever_it_is_restored(
            sets in proptest::collection::vec((proptest::collection::btree_set(0u64..6, 0..6), any::<bool>()), 0..20),
        ) {
            let mut eventer = Eventer::new();
            let mut rebuilt = BTreeMap::new();
            let mut expected_sequence = 0;
            for (set, is_restored) in sets {
                if is_restored {
                    let open = rebuilt.iter().map(|(event, appeared_as)| (*appeared_as, ByzantineEvent::clone(event)));
                    eventer = Eventer::restore(open.collect::<Vec<_>>(), expected_sequence);
                }
                for told in eventer.update(set.iter().copied().map(withheld)) {
                    expected_sequence += 1;
                    prop_assert_eq!(told.sequence, expected_sequence);
                    let before = match told.change {
                        Change::Appeared => rebuilt.insert(told.event, told.sequence).map_or(told.sequence, |_| 0),
                        Change::Resolved => rebuilt.remove(&told.event).unwrap_or_default(),
                    };
                    prop_assert_eq!(told.appeared_as, before);
                }
                prop_assert_eq!(rebuilt.keys().cloned().collect::<Vec<_>>(), set.iter().copied().map(withheld).collect::<Vec<_>>());
                prop_assert_eq!(eventer.present().len(), set.len());
                prop_assert_eq!(eventer.last_sequence(), expected_sequence);
            }
        }
    }
}
