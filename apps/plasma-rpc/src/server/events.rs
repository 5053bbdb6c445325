//! Where events come from, and how they reach every subscriber in order.
//!
//! The server must never tell an event that the node could lose, never number one itself, and never let a subscriber wait for
//! another one. A node commits its events with numbers; the server only reads them, forward, as often as it likes. There is no queue of
//! events anywhere: every subscriber has a number, and pulls what comes after it when its socket has taken what came before
//! (docs/adr/0010).
//!
//! ```text
//! log ──changed──► hub ──one read for all──► ring of each topic ──► readers that are up to date ─► sockets
//!  └───────────────── bounded batches, a few at once ─────────────► readers that are behind ─────► sockets
//! ```

mod feed;
mod hub;
mod reader;
mod text;

pub(super) use hub::{Hub, NoReader};
pub(super) use reader::{Reader, Stop};
pub(super) use text::EventText;

use plasma_core::journal::Topic;
use plasma_core::wire::Blknum;
use serde_json::value::RawValue;
use thiserror::Error;
use tokio::sync::watch;

/// The durable events of a node. Called off the async threads, by several at once; it may block on a disk, on nothing else.
pub trait EventLog: Send + Sync + 'static {
    /// Events of a topic with a number above `after`, oldest first and without a gap, at most `max`. Empty when there are none.
    ///
    /// # Errors
    /// [`EventLogError`].
    fn read(&self, topic: &Topic, after: u64, max: usize) -> Result<Vec<Event>, EventLogError>;

    /// The number of the newest event of a topic, 0 before the first.
    ///
    /// # Errors
    /// [`EventLogError`].
    fn head(&self, topic: &Topic) -> Result<u64, EventLogError>;

    /// The number before that of the topic's first event at or after this child chain block: what to pass as `after` in order to
    /// read from there. The head when nothing has happened since.
    ///
    /// # Errors
    /// [`EventLogError`].
    fn before_block(&self, topic: &Topic, blknum: Blknum) -> Result<u64, EventLogError>;

    /// Changes whenever there may be news in any topic. When its sender is gone, there is never news again.
    fn changed(&self) -> watch::Receiver<u64>;
}

/// One event as the log has it.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its number in its topic: one more than that of the event before, 1 for the first.
    pub sequence: u64,
    /// When the node learned of it, in milliseconds since 1970.
    pub at_ms: u64,
    /// What happened, as JSON.
    pub data: Box<RawValue>,
}

/// Why events cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EventLogError {
    /// Not now; the same call may work later.
    #[error("events cannot be read now: {0}")]
    Transient(String),
    /// Not without somebody repairing something.
    #[error("events cannot be read: {0}")]
    Permanent(String),
}
