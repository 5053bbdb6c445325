//! Tells followers of the journal that there is more of it, and what time it is.
//!
//! It must never be waited for by what secures funds, and never tell what is not on disk. A follower that misses a word of it reads on
//! from its own number all the same.

use plasma_core::journal::JournalSeq;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// That there is news, for as long as the process lives: trees come and go.
#[derive(Clone, Debug)]
pub struct JournalNews {
    /// The newest number of the journal.
    journal: watch::Sender<u64>,
    /// Grows with every event that can be told, also those that a follower of the journal makes of it.
    events: watch::Sender<u64>,
}

impl Default for JournalNews {
    fn default() -> Self {
        Self { journal: watch::channel(0).0, events: watch::channel(0).0 }
    }
}

impl JournalNews {
    /// The newest number of the journal, now and as it grows; 0 until a tree was built.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.journal.subscribe()
    }

    /// Changes whenever there may be news in any topic.
    pub fn events(&self) -> watch::Receiver<u64> {
        self.events.subscribe()
    }

    /// Everything up to this number is on disk.
    pub(crate) fn raise(&self, head: JournalSeq) {
        let is_news = self.journal.send_if_modified(|known| {
            let is_new = head.0 > *known;
            *known = head.0.max(*known);
            is_new
        });
        if is_news {
            self.index_grew();
        }
    }

    /// The index of transfers knows more.
    pub(crate) fn index_grew(&self) {
        self.events.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// The system's time, in milliseconds since 1970. Told, never compared.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
