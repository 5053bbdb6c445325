//! Numbers what happened, and says what to write of it.
//!
//! It must never give a number twice, leave one out, or tell a condition again that was told before a restart: what it starts from is
//! what is in the store, where each entry is written together with its cause.
//!
//! ```text
//! block, deposit, exit event ─► append ──────┐
//! what is wrong now ─► on_findings ─► Eventer ├─► JournalUpdate ─► the batch of the cause
//! whether the chain can be used ─────────────┘
//! ```

use super::told::ToldEvents;
use super::{JournalEntry, JournalFact, JournalSeq, Topic};
use crate::byzantine::ByzantineEvent;
use crate::db_update::DbUpdate;
use crate::eventer::{Change, Eventer, Notification};
use crate::root_chain::EthEvent;
use crate::wire::Blknum;
use std::collections::BTreeMap;

/// What the journal writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalUpdate {
    /// A new entry.
    Append(Box<NumberedEntry>),
    /// What appeared under this number of [`Topic::Byzantine`] is true.
    PutOpen(u64),
    /// What appeared under this number of [`Topic::Byzantine`] is no longer true.
    DeleteOpen(u64),
}

/// An entry and its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedEntry {
    /// Its number among all entries.
    pub seq: JournalSeq,
    /// Its topic, and its number in there; `None` for what only corrects an earlier entry.
    pub topic: Option<(Topic, u64)>,
    /// What happened.
    pub entry: JournalEntry,
}

/// The status that was told last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldStatus {
    /// Whether nobody should receive or spend on the chain.
    pub is_unsafe: bool,
    /// Conditions that are true.
    pub byzantine_events: u32,
}

/// What the store knows about the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalRecord {
    /// The newest number, 0 before the first.
    pub head: JournalSeq,
    /// The newest number of each topic; one without entries may be left out.
    pub topics: BTreeMap<Topic, u64>,
    /// Conditions that were told and not resolved, with the numbers under which they appeared.
    pub open: Vec<(u64, ByzantineEvent)>,
    /// The newest entry of [`Topic::Status`].
    pub status: Option<ToldStatus>,
    /// The newest entries of [`Topic::Exits`], the oldest first; [`TOLD_EXIT_EVENTS_MAX`](super::TOLD_EXIT_EVENTS_MAX) are enough.
    pub exits: Vec<EthEvent>,
}

/// See the module.
///
/// # After a restart
/// It goes on behind the last entry in the store. What was told is not told again; what was resolved meanwhile is told as resolved.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    head: JournalSeq,
    topics: BTreeMap<Topic, u64>,
    eventer: Eventer,
    status: Option<ToldStatus>,
    exits: ToldEvents,
}

impl Journal {
    /// Continues where the store left off.
    pub fn restore(record: JournalRecord) -> Self {
        let last_sequence = record.topics.get(&Topic::Byzantine).copied().unwrap_or_default();
        let mut exits = ToldEvents::default();
        for event in &record.exits {
            exits.take(event);
        }
        Self {
            head: record.head,
            topics: record.topics,
            eventer: Eventer::restore(record.open, last_sequence),
            status: record.status,
            exits,
        }
    }

    /// Something happened at `at_ms`. The write belongs into the batch of its cause. An exit event of a root chain transaction that was
    /// mined again, in another block, is not told again.
    pub fn append(&mut self, at_ms: u64, fact: JournalFact, updates: &mut Vec<DbUpdate>) {
        if let JournalFact::RootChain(event) = &fact
            && fact.topic() == Some(Topic::Exits)
            && !self.exits.take(event)
        {
            return;
        }
        self.head = self.head.next();
        let topic = fact.topic().map(|topic| {
            let newest = self.topics.entry(topic).or_default();
            *newest = newest.saturating_add(1);
            (topic, *newest)
        });
        let entry = JournalEntry { at_ms, fact };
        let numbered = NumberedEntry { seq: self.head, topic, entry };
        updates.push(JournalUpdate::Append(Box::new(numbered)).into());
    }

    /// Takes everything that is wrong now, whether the chain can be used, and the newest valid block (zero for none). Appends what
    /// appeared, what was resolved, and whether the chain can be used if that or the number of conditions changed. Returns what
    /// appeared and what was resolved, to be told when it is written.
    ///
    /// To be called only with what is judged by everything that was read before a restart, or what is still true would be resolved.
    pub fn on_findings(
        &mut self,
        at_ms: u64,
        events: impl IntoIterator<Item = ByzantineEvent>,
        (is_unsafe, last_validated): (bool, Blknum),
        updates: &mut Vec<DbUpdate>,
    ) -> Vec<Notification> {
        let notifications = self.eventer.update(events);
        for notification in &notifications {
            let (change, event) = (notification.change, Box::new(notification.event.clone()));
            self.append(at_ms, JournalFact::Byzantine { change, event }, updates);
            updates.push(match change {
                Change::Appeared => JournalUpdate::PutOpen(notification.appeared_as).into(),
                Change::Resolved => JournalUpdate::DeleteOpen(notification.appeared_as).into(),
            });
        }
        let byzantine_events = u32::try_from(self.eventer.present().len()).unwrap_or(u32::MAX);
        let status = Some(ToldStatus { is_unsafe, byzantine_events });
        if self.status != status {
            self.status = status;
            let fact = JournalFact::Status { is_unsafe, byzantine_events, last_validated };
            self.append(at_ms, fact, updates);
        }
        notifications
    }

    /// The newest number, 0 before the first.
    pub const fn head(&self) -> JournalSeq {
        self.head
    }
}

#[cfg(test)]
mod tests;
