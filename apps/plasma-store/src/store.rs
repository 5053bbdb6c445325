//! Opening a store, and the handle to it.

use crate::columns::{self, Column};
use crate::error::StoreError;
use crate::identity::{FORMAT_VERSION, StoreIdentity};
use rocksdb::{Cache, ColumnFamily, DB, DBRecoveryMode, Options};
use std::path::Path;
use std::sync::Arc;

/// Key of the identity in the meta column.
const IDENTITY_KEY: &[u8] = b"identity";

/// Bytes of log from which on recent writes are sorted into files. A start after a crash reads the log again, so this bounds how long
/// it takes.
const LOG_LEN_MAX: u64 = 64 << 20;

/// How much memory a store may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// Blocks, indexes and filters read from disk, in bytes.
    pub cache_len_max: usize,
    /// Recent writes of all columns together that are not in files yet, in bytes.
    pub write_buffers_len_max: usize,
    /// Files kept open.
    pub open_files_max: u16,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { cache_len_max: 256 << 20, write_buffers_len_max: 256 << 20, open_files_max: 512 }
    }
}

/// What RocksDB says about a store's size, for free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreSize {
    /// Unspent outputs, estimated.
    pub utxos_estimate: u64,
    /// Bytes of all files.
    pub files_len: u64,
    /// Bytes of recent writes in memory.
    pub write_buffers_len: u64,
    /// Bytes of blocks in the cache.
    pub cache_len: u64,
}

/// A node's store. Clones share it; the last one to be dropped closes it.
///
/// # After a restart
/// Everything that [`Store::commit`] returned for is there, and of anything else either the whole batch or nothing.
#[derive(Clone)]
pub struct Store {
    db: Arc<DB>,
    cache: Cache,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store in {}", self.db.path().display())
    }
}

impl Store {
    /// Opens the store in a folder, or makes one. Nothing is loaded: this takes as long for ten million outputs as for none.
    ///
    /// # Errors
    /// [`StoreError::OfAnother`] or [`StoreError::Format`] when it is not this node's, [`StoreError::Locked`] when it is in use,
    /// [`StoreError::NotAStore`] when the folder holds something else.
    pub fn open(
        path: &Path,
        identity: &StoreIdentity,
        config: &StoreConfig,
    ) -> Result<Self, StoreError> {
        if holds_something_else(path) {
            return Err(StoreError::NotAStore { path: path.to_owned() });
        }
        std::fs::create_dir_all(path)
            .map_err(|error| StoreError::Io { action: "create", cause: error.to_string() })?;
        let cache = Cache::new_lru_cache(config.cache_len_max);
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_db_write_buffer_size(config.write_buffers_len_max);
        options.set_max_total_wal_size(LOG_LEN_MAX);
        options.set_max_open_files(config.open_files_max.into());
        options.set_max_background_jobs(2);
        options.set_keep_log_file_num(4);
        // A torn last write is what a crash leaves. Damage before it means that acknowledged data is gone: refuse to go on.
        options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
        let db = DB::open_cf_descriptors(&options, path, columns::descriptors(&cache))
            .map_err(|error| explain(error, path))?;
        let store = Self { db: Arc::new(db), cache };
        store.check_identity(path, identity)?;
        store.index_exits()?;
        Ok(store)
    }

    fn check_identity(&self, path: &Path, expected: &StoreIdentity) -> Result<(), StoreError> {
        let path = path.to_owned();
        let Some(value) = self.get(Column::Meta, IDENTITY_KEY)? else {
            let meta = self.column(Column::Meta)?;
            return self
                .db
                .put_cf_opt(meta, IDENTITY_KEY, expected.encode(), &durable())
                .map_err(StoreError::io("write to"));
        };
        let (format, found) = StoreIdentity::decode(&value)
            .map_err(|reason| StoreError::corrupted(Column::Meta, IDENTITY_KEY, reason))?;
        debug_assert!(found.is_none() || format == FORMAT_VERSION);
        let Some(found) = found else {
            return Err(StoreError::Format { path, found: format });
        };
        let differs = [
            ("kind", found.node.to_string(), expected.node.to_string()),
            ("chain", found.chain_id.to_string(), expected.chain_id.to_string()),
            (
                "framework",
                format!("{:?}", found.plasma_framework),
                format!("{:?}", expected.plasma_framework),
            ),
        ];
        match differs.into_iter().find(|(_, found, expected)| found != expected) {
            Some((what, found, expected)) => {
                Err(StoreError::OfAnother { path, what, found, expected })
            }
            None => Ok(()),
        }
    }

    /// Sizes, for metrics.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    pub fn size(&self) -> Result<StoreSize, StoreError> {
        let sum = |property: &str| {
            Column::ALL.iter().try_fold(0_u64, |sum, column| {
                Ok(sum.saturating_add(self.property(*column, property)?))
            })
        };
        Ok(StoreSize {
            utxos_estimate: self.property(Column::Utxos, "rocksdb.estimate-num-keys")?,
            files_len: sum("rocksdb.total-sst-files-size")?,
            write_buffers_len: sum("rocksdb.cur-size-all-mem-tables")?,
            cache_len: u64::try_from(self.cache.get_usage()).unwrap_or(u64::MAX),
        })
    }

    fn property(&self, column: Column, property: &str) -> Result<u64, StoreError> {
        let value = self.db.property_int_value_cf(self.column(column)?, property);
        Ok(value.map_err(StoreError::io("measure"))?.unwrap_or_default())
    }

    pub(crate) fn db(&self) -> &DB {
        &self.db
    }

    pub(crate) fn column(&self, column: Column) -> Result<&ColumnFamily, StoreError> {
        // All of them were opened with the store.
        self.db.cf_handle(column.name()).ok_or_else(|| StoreError::Io {
            action: "read",
            cause: format!("column {} is missing", column.name()),
        })
    }

    pub(crate) fn get(
        &self,
        column: Column,
        key: &[u8],
    ) -> Result<Option<rocksdb::DBPinnableSlice<'_>>, StoreError> {
        self.db.get_pinned_cf(self.column(column)?, key).map_err(StoreError::io("read"))
    }
}

/// The write is on disk before it returns.
pub(crate) fn durable() -> rocksdb::WriteOptions {
    let mut options = rocksdb::WriteOptions::default();
    options.set_sync(true);
    options
}

/// Whether there is a file instead of a folder, or a folder with files but without a store.
fn holds_something_else(path: &Path) -> bool {
    match std::fs::read_dir(path) {
        Ok(mut entries) => {
            !path.join("CURRENT").exists() && entries.any(|entry| entry.is_ok_and(is_foreign))
        }
        Err(_) => path.exists(),
    }
}

/// Whether a file in a folder without a store was put there by somebody else: RocksDB itself leaves a lock and logs behind when it
/// is stopped while it creates a store.
fn is_foreign(entry: std::fs::DirEntry) -> bool {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    !(name == "LOCK"
        || name == "IDENTITY"
        || name.starts_with("LOG")
        || name.starts_with("MANIFEST")
        || name.ends_with(".dbtmp"))
}

fn explain(error: rocksdb::Error, path: &Path) -> StoreError {
    let cause = error.into_string();
    if cause.contains("lock") || cause.contains("LOCK") {
        return StoreError::Locked { path: path.to_owned() };
    }
    StoreError::Io { action: "open", cause }
}
