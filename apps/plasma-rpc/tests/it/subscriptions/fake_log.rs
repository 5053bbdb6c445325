//! A log in memory. Every event has a child chain block: that of its number, in thousands.

use plasma_core::journal::Topic;
use plasma_core::wire::{Address, Blknum};
use plasma_rpc::server::{Event, EventLog, EventLogError};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;

#[derive(Debug)]
pub(crate) struct FakeLog {
    topics: Mutex<BTreeMap<Topic, Vec<String>>>,
    changed: watch::Sender<u64>,
    pub(crate) is_broken: AtomicBool,
    /// Reads begin with one event later than they should.
    pub(crate) has_gap: AtomicBool,
    /// What cannot be read, and why.
    pub(crate) damage: Mutex<Option<(Topic, EventLogError)>>,
    /// Calls of `read` that found something.
    pub(crate) reads: AtomicUsize,
    /// Calls that failed because of the damage.
    pub(crate) failures: AtomicUsize,
}

impl Default for FakeLog {
    fn default() -> Self {
        Self {
            topics: Mutex::default(),
            changed: watch::Sender::new(0),
            is_broken: AtomicBool::new(false),
            has_gap: AtomicBool::new(false),
            damage: Mutex::default(),
            reads: AtomicUsize::new(0),
            failures: AtomicUsize::new(0),
        }
    }
}

impl FakeLog {
    /// Appends events and says so.
    pub(crate) fn append(&self, topic: Topic, data: &str, count: usize) {
        let events = vec![data.to_owned(); count];
        self.topics.lock().unwrap().entry(topic).or_default().extend(events);
        self.changed.send_modify(|changes| *changes += 1);
    }

    /// Appends empty blocks.
    pub(crate) fn append_blocks(&self, count: usize) {
        self.append(Topic::Blocks, "{}", count);
    }

    /// Waits until nobody has read anything for so long: everybody has everything, or is stuck.
    pub(crate) async fn is_quiet_for(&self, time: Duration) {
        let mut before = 0;
        loop {
            tokio::time::sleep(time).await;
            let reads = self.reads.load(Ordering::Relaxed);
            if reads == before && reads > 0 {
                return;
            }
            before = reads;
        }
    }

    fn check(&self, topic: &Topic) -> Result<(), EventLogError> {
        if let Some((damaged, error)) = &*self.damage.lock().unwrap()
            && damaged == topic
        {
            self.failures.fetch_add(1, Ordering::Relaxed);
            return Err(error.clone());
        }
        if self.is_broken.load(Ordering::Relaxed) {
            return Err(EventLogError::Transient("the disk is on fire".into()));
        }
        Ok(())
    }
}

impl EventLog for FakeLog {
    fn read(&self, topic: &Topic, after: u64, max: usize) -> Result<Vec<Event>, EventLogError> {
        self.check(topic)?;
        let topics = self.topics.lock().unwrap();
        let after = after + u64::from(self.has_gap.load(Ordering::Relaxed));
        let all = topics.get(topic).map_or(&[][..], Vec::as_slice).iter().zip(1_u64..);
        let events: Vec<_> = all
            .skip(usize::try_from(after).unwrap())
            .take(max)
            .map(|(data, sequence)| Event {
                sequence,
                at_ms: sequence * 1_000,
                data: RawValue::from_string(data.clone()).unwrap(),
            })
            .collect();
        if !events.is_empty() {
            self.reads.fetch_add(1, Ordering::Relaxed);
        }
        Ok(events)
    }

    fn head(&self, topic: &Topic) -> Result<u64, EventLogError> {
        self.check(topic)?;
        let topics = self.topics.lock().unwrap();
        Ok(topics.get(topic).map_or(0, Vec::len) as u64)
    }

    fn before_block(&self, topic: &Topic, blknum: Blknum) -> Result<u64, EventLogError> {
        Ok(self.head(topic)?.min(blknum.get().div_ceil(1_000).saturating_sub(1)))
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

/// The transfers of an account.
pub(crate) fn transfers(byte: u8) -> Topic {
    Topic::Transfer(Address::repeat_byte(byte))
}
