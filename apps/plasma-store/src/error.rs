//! What can go wrong with a store.

use crate::columns::Column;
use crate::identity::FORMAT_VERSION;
use std::path::PathBuf;
use thiserror::Error;

/// Why a store could not be opened, read or written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The disk or RocksDB failed. Trying again may help, once the cause is gone.
    #[error("cannot {action} the store: {cause}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// What RocksDB said.
        cause: String,
    },
    /// Another process has the store open.
    #[error("the store in {} is in use by another process: stop that one first", .path.display())]
    Locked {
        /// Where.
        path: PathBuf,
    },
    /// The store belongs to another node, chain or deployment.
    #[error(
        "the store in {} is of {what} {found}, but this node is of {what} {expected}: choose another data folder, or \
         delete this one if its contents are not needed", .path.display()
    )]
    OfAnother {
        /// Where.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// What the store says.
        found: String,
        /// What the node is.
        expected: String,
    },
    /// The store was written by another version of this program.
    #[error(
        "the store in {} has format {found}, and this program reads format {FORMAT_VERSION}: use the version that wrote \
         it, or delete the folder and sync again", .path.display()
    )]
    Format {
        /// Where.
        path: PathBuf,
        /// What the store says.
        found: u32,
    },
    /// A folder that holds something else.
    #[error("{} is not a store of a Penning node: choose another data folder", .path.display())]
    NotAStore {
        /// Where.
        path: PathBuf,
    },
    /// A value does not decode. The store must not be trusted any more: restore a copy, or delete it and sync again.
    #[error("the store is corrupted: {reason} in {column} at key 0x{}", const_hex::encode(.key))]
    Corrupted {
        /// Which column family.
        column: &'static str,
        /// Which key.
        key: Vec<u8>,
        /// What is wrong with the value.
        reason: &'static str,
    },
}

impl StoreError {
    pub(crate) fn io(action: &'static str) -> impl FnOnce(rocksdb::Error) -> Self {
        move |error| Self::Io { action, cause: error.into_string() }
    }

    pub(crate) fn corrupted(column: Column, key: &[u8], reason: &'static str) -> Self {
        Self::Corrupted { column: column.name(), key: key.to_vec(), reason }
    }

    /// Whether the same call may succeed later.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Locked { .. })
    }
}
