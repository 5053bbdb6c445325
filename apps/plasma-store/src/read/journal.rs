//! The journal: by number, by topic, and from a block on. Nothing is scanned: every start is a look-up or a binary search of them.

use crate::columns::Column;
use crate::error::StoreError;
use crate::store::Store;
use crate::{keys, records};
use plasma_core::journal::{
    JournalEntry, JournalFact, JournalRecord, JournalSeq, TOLD_EXIT_EVENTS_MAX, ToldStatus, Topic,
};
use plasma_core::root_chain::{EthEvent, SubmittedAt};
use plasma_core::wire::Blknum;
use rocksdb::{Direction, IteratorMode, ReadOptions};

/// Topics that the journal numbers.
const TOPICS: [Topic; 5] =
    [Topic::Byzantine, Topic::Blocks, Topic::Deposits, Topic::Exits, Topic::Status];

impl Store {
    /// The newest number of the journal, 0 before the first entry.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn journal_head(&self) -> Result<JournalSeq, StoreError> {
        let newest = self.last(Column::Journal, &[], keys::read_number)?;
        Ok(JournalSeq(newest.unwrap_or_default()))
    }

    /// An entry; `None` when there is none with this number.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn journal_entry(&self, seq: JournalSeq) -> Result<Option<JournalEntry>, StoreError> {
        self.decoded(Column::Journal, &keys::journal(seq), records::decode_journal_entry)
    }

    /// Entries behind this number, oldest first, at most `entries_max`: what a follower reads from its cursor on. One of them takes up
    /// to some hundred kilobytes, when an in-flight exit was started, and usually a hundred bytes.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn journal_after(
        &self,
        after: JournalSeq,
        entries_max: usize,
    ) -> Result<Vec<(JournalSeq, JournalEntry)>, StoreError> {
        let Some(first) = after.0.checked_add(1) else {
            return Ok(Vec::new());
        };
        self.range(Column::Journal, &first.to_be_bytes(), None, entries_max, |key, value| {
            Ok((JournalSeq(keys::read_number(key)?), records::decode_journal_entry(value)?))
        })
    }

    /// The newest number in a topic, 0 before the first. Of transfers, as far as they are indexed.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn topic_head(&self, topic: Topic) -> Result<u64, StoreError> {
        if let Topic::Transfer(account) = topic {
            return self.transfers_head(account);
        }
        let Some(topic) = keys::topic_byte(topic) else {
            return Ok(0);
        };
        let newest = self.last(Column::JournalTopics, &[topic], keys::read_topic_number)?;
        Ok(newest.unwrap_or_default())
    }

    /// Entries of a topic with numbers in the topic behind `after`, oldest first, at most `entries_max`. Transfers are not entries of the
    /// journal: for these there is [`Store::transfers_after`].
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn topic_after(
        &self,
        topic: Topic,
        after: u64,
        entries_max: usize,
    ) -> Result<Vec<(u64, JournalEntry)>, StoreError> {
        let numbers = self.topic_numbers(topic, after, entries_max)?;
        let column = self.column(Column::Journal)?;
        let found = numbers.iter().map(|(_, seq)| keys::journal(*seq)).collect::<Vec<_>>();
        let values = self.db().batched_multi_get_cf(column, &found, true);
        let entries = numbers.iter().zip(values).map(|((number, seq), value)| {
            let broken =
                |reason| StoreError::corrupted(Column::Journal, &keys::journal(*seq), reason);
            let value = value.map_err(StoreError::io("read"))?;
            let value = value.ok_or_else(|| broken("no such entry"))?;
            Ok((*number, records::decode_journal_entry(&value).map_err(broken)?))
        });
        entries.collect()
    }

    fn topic_numbers(
        &self,
        topic: Topic,
        after: u64,
        entries_max: usize,
    ) -> Result<Vec<(u64, JournalSeq)>, StoreError> {
        let (Some(topic), Some(first)) = (keys::topic_byte(topic), after.checked_add(1)) else {
            return Ok(Vec::new());
        };
        let (first, end) = (keys::topic(topic, first), keys::behind(&[topic]));
        self.range(Column::JournalTopics, &first, end, entries_max, |key, value| {
            Ok((keys::read_topic_number(key)?, JournalSeq(keys::read_number(value)?)))
        })
    }

    /// The number before the first of a topic at or after this child block; the newest number when there is none. Blocks and deposits
    /// count by their own number, which is a look-up; of the other topics what was written behind the first such block counts, which
    /// takes a binary search over the topic. Transfers count by the entry of their block or deposit.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn topic_before_block(&self, topic: Topic, blknum: Blknum) -> Result<u64, StoreError> {
        if let Topic::Transfer(account) = topic {
            return self.transfers_before_block(account, blknum);
        }
        let own = matches!(topic, Topic::Blocks | Topic::Deposits);
        let first = self.first_from(if own { topic } else { Topic::Blocks }, blknum)?;
        match first {
            Some((number, _)) if own => Ok(number.saturating_sub(1)),
            Some((_, seq)) => self.topic_before(topic, seq),
            None => self.topic_head(topic),
        }
    }

    /// How many of a topic were written before this entry of the journal.
    fn topic_before(&self, topic: Topic, seq: JournalSeq) -> Result<u64, StoreError> {
        last_before(self.topic_head(topic)?, |number| {
            let found = self.topic_numbers(topic, number.saturating_sub(1), 1)?;
            Ok(found.first().is_some_and(|(_, found)| *found < seq))
        })
    }

    /// The numbers, in the topic and in the journal, of its first block or deposit with this number or a higher one.
    pub(crate) fn first_from(
        &self,
        topic: Topic,
        blknum: Blknum,
    ) -> Result<Option<(u64, JournalSeq)>, StoreError> {
        let Some(topic) = keys::topic_byte(topic) else {
            return Ok(None);
        };
        let (first, end) = (keys::topic(topic, blknum.get()), keys::behind(&[topic]));
        let found = self.range(Column::JournalBlknums, &first, end, 1, |_, value| {
            records::decode_numbers(value)
        })?;
        Ok(found.first().copied())
    }

    /// Where a block of the journal was submitted, as far as is known now; `None` when it is not in there.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn submitted_at(&self, blknum: Blknum) -> Result<Option<SubmittedAt>, StoreError> {
        let key = keys::blknum(blknum);
        self.decoded(Column::Submissions, &key, records::decode_submitted_at)
    }

    /// What the journal goes on from, for [`Journal::restore`](plasma_core::journal::Journal::restore): its heads and what is open, of
    /// which there is no more than there are faults, and its newest exit events.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn journal_record(&self) -> Result<JournalRecord, StoreError> {
        let topics = TOPICS.into_iter().map(|topic| Ok((topic, self.topic_head(topic)?)));
        let newest = self.topic_head(Topic::Status)?.saturating_sub(1);
        let status = self.topic_after(Topic::Status, newest, 1)?;
        Ok(JournalRecord {
            head: self.journal_head()?,
            topics: topics.collect::<Result<_, StoreError>>()?,
            open: self.open_conditions()?,
            status: status.into_iter().find_map(|(_, entry)| match entry.fact {
                JournalFact::Status { is_unsafe, byzantine_events, .. } => {
                    Some(ToldStatus { is_unsafe, byzantine_events })
                }
                _ => None,
            }),
            exits: self.newest_exits()?,
        })
    }

    /// The newest exit events, the oldest first.
    fn newest_exits(&self) -> Result<Vec<EthEvent>, StoreError> {
        let kept = u64::try_from(TOLD_EXIT_EVENTS_MAX).unwrap_or(u64::MAX);
        let after = self.topic_head(Topic::Exits)?.saturating_sub(kept);
        let entries = self.topic_after(Topic::Exits, after, TOLD_EXIT_EVENTS_MAX)?;
        let events = entries.into_iter().filter_map(|(_, entry)| match entry.fact {
            JournalFact::RootChain(event) => Some(*event),
            _ => None,
        });
        Ok(events.collect())
    }

    fn open_conditions(
        &self,
    ) -> Result<Vec<(u64, plasma_core::byzantine::ByzantineEvent)>, StoreError> {
        let column = Column::JournalOpen;
        let numbers = self.range(column, &[], None, usize::MAX, |key, _| keys::read_number(key))?;
        let open = numbers.into_iter().map(|number| {
            let entry = self.topic_after(Topic::Byzantine, number.saturating_sub(1), 1)?;
            match entry.into_iter().next().map(|(found, entry)| (found, entry.fact)) {
                Some((found, JournalFact::Byzantine { event, .. })) if found == number => {
                    Ok((number, *event))
                }
                _ => Err(StoreError::corrupted(
                    column,
                    &number.to_be_bytes(),
                    "no such condition in the journal",
                )),
            }
        });
        open.collect()
    }

    /// Whether this store of a watcher is from before there was a journal: blocks, deposits or exits are in it of which none tells.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn lacks_journal(&self) -> Result<bool, StoreError> {
        if self.journal_head()? > JournalSeq(0) {
            return Ok(false);
        }
        let told =
            [Column::Transactions, Column::Blocks, Column::StandardExits, Column::InFlightExits];
        for column in told {
            if !self.range(column, &[], None, 1, |_, _| Ok(()))?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The last key of a column that begins with this prefix.
    fn last<T>(
        &self,
        column: Column,
        prefix: &[u8],
        decode: impl FnOnce(&[u8]) -> Result<T, &'static str>,
    ) -> Result<Option<T>, StoreError> {
        let end = keys::behind(prefix);
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(prefix);
        let mode = match &end {
            Some(end) => IteratorMode::From(end, Direction::Reverse),
            None => IteratorMode::End,
        };
        let mut entries = self.db().iterator_cf_opt(self.column(column)?, options, mode);
        let Some(entry) = entries.next() else {
            return Ok(None);
        };
        let (key, _) = entry.map_err(StoreError::io("read"))?;
        // No key is shorter than its prefix and a number, so none equals the end.
        decode(&key).map(Some).map_err(|reason| StoreError::corrupted(column, &key, reason))
    }
}

/// The last number up to `head` that is before something, if all numbers before it are; 0 when none is.
pub(crate) fn last_before(
    head: u64,
    is_before: impl Fn(u64) -> Result<bool, StoreError>,
) -> Result<u64, StoreError> {
    let (mut before, mut behind) = (0_u64, head.saturating_add(1));
    while behind - before > 1 {
        let middle = before + (behind - before) / 2;
        if is_before(middle)? {
            before = middle;
        } else {
            behind = middle;
        }
    }
    Ok(before)
}
