//! Where the rows come from: the journal and the blocks of a store.

use plasma_core::journal::{JournalEntry, JournalSeq};
use plasma_core::wire::Blknum;
use thiserror::Error;

/// A journal with the bodies of its blocks. Calls are made off the async threads.
pub trait JournalSource: Send + Sync + 'static {
    /// Entries behind a number, oldest first, at most `entries_max`.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn journal_after(
        &self,
        after: JournalSeq,
        entries_max: usize,
    ) -> Result<Vec<(JournalSeq, JournalEntry)>, SourceError>;

    /// The newest number, 0 before the first entry.
    ///
    /// # Errors
    /// As above.
    fn journal_head(&self) -> Result<JournalSeq, SourceError>;

    /// The newest child chain block that is in the journal, zero before the first.
    ///
    /// # Errors
    /// As above.
    fn newest_blknum(&self) -> Result<Blknum, SourceError>;

    /// The signed transactions of a block in order, at most `count`.
    ///
    /// # Errors
    /// As above.
    fn transactions(&self, blknum: Blknum, count: u32) -> Result<Vec<Box<[u8]>>, SourceError>;
}

/// A store that cannot be read.
#[derive(Clone, Debug, Error)]
#[error("the journal cannot be read: {0}")]
pub struct SourceError(pub String);
