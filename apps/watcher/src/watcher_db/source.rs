//! Where the rows come from: the journal and the blocks of a store.

use plasma_core::journal::{JournalEntry, JournalFact, JournalSeq, Topic};
use plasma_core::wire::Blknum;
use plasma_store::{Store, StoreError};
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

impl JournalSource for Store {
    fn journal_after(
        &self,
        after: JournalSeq,
        entries_max: usize,
    ) -> Result<Vec<(JournalSeq, JournalEntry)>, SourceError> {
        Ok(Self::journal_after(self, after, entries_max)?)
    }

    fn journal_head(&self) -> Result<JournalSeq, SourceError> {
        Ok(Self::journal_head(self)?)
    }

    fn newest_blknum(&self) -> Result<Blknum, SourceError> {
        let newest = self.topic_head(Topic::Blocks)?.saturating_sub(1);
        let newest = self.topic_after(Topic::Blocks, newest, 1)?;
        Ok(match newest.first().map(|(_, entry)| &entry.fact) {
            Some(JournalFact::Block(block)) => block.blknum,
            _ => Blknum::default(),
        })
    }

    fn transactions(&self, blknum: Blknum, count: u32) -> Result<Vec<Box<[u8]>>, SourceError> {
        Ok(Self::transactions(self, blknum, 0, count)?)
    }
}

/// A store that cannot be read.
#[derive(Clone, Debug, Error)]
#[error("the journal cannot be read: {0}")]
pub struct SourceError(pub String);

impl From<StoreError> for SourceError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}
