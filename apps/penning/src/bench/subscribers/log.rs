//! A log of blocks in memory. Every block says when it was appended.

use plasma_core::journal::Topic;
use plasma_core::wire::Blknum;
use plasma_rpc::server::{Event, EventLog, EventLogError};
use serde_json::value::RawValue;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// The name of the time in an event, in nanoseconds since 1970.
pub(super) const APPENDED_NS: &str = "\"appended_ns\":";

pub(super) struct BenchLog {
    blocks: Mutex<Vec<Event>>,
    changed: watch::Sender<u64>,
}

impl Default for BenchLog {
    fn default() -> Self {
        Self { blocks: Mutex::default(), changed: watch::Sender::new(0) }
    }
}

/// Nanoseconds since 1970: the one clock that two processes share.
pub(super) fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

impl BenchLog {
    /// Appends a block as long as a real one, and says so.
    pub(super) fn append(&self) {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let sequence = u64::try_from(blocks.len()).unwrap_or_default() + 1;
        let now_ns = now_ns();
        let data = format!(
            r#"{{"blknum":{},"hash":"0x{}","eth_height":{sequence},"timestamp":1700000000,"tx_count":65531,{APPENDED_NS}{now_ns}}}"#,
            sequence * 1_000,
            "ab".repeat(32),
        );
        let data = RawValue::from_string(data).unwrap_or_default();
        blocks.push(Event { sequence, at_ms: now_ns / 1_000_000, data });
        drop(blocks);
        self.changed.send_replace(sequence);
    }
}

impl EventLog for BenchLog {
    fn read(&self, topic: &Topic, after: u64, max: usize) -> Result<Vec<Event>, EventLogError> {
        if *topic != Topic::Blocks {
            return Ok(Vec::new());
        }
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        Ok(blocks.iter().skip(after).take(max).cloned().collect())
    }

    fn head(&self, topic: &Topic) -> Result<u64, EventLogError> {
        Ok(self.read(topic, 0, usize::MAX)?.last().map_or(0, |block| block.sequence))
    }

    fn before_block(&self, topic: &Topic, blknum: Blknum) -> Result<u64, EventLogError> {
        Ok(self.head(topic)?.min(blknum.get().div_ceil(1_000).saturating_sub(1)))
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
