//! Reading: point look-ups and bounded ranges, never a scan of a column.

mod blocks;
mod exits;
mod in_flight;
mod journal;
mod outputs;
mod sentinel;
mod transfers;

use crate::columns::Column;
use crate::error::StoreError;
use crate::records;
use crate::store::Store;
use plasma_core::db_update::{ChainFault, PendingRecord, Service};
use plasma_core::wire::{Blknum, EthHeight};
use rocksdb::{Direction, IteratorMode, ReadOptions};

pub(crate) const PENDING_KEY: &[u8] = b"pending";
pub(crate) const FAULT_KEY: &[u8] = b"fault";
/// Not the key that stores used before they kept different spends side by side: what they overwrote is looked for again.
pub(crate) const QUARANTINED_UP_TO_KEY: &[u8] = b"quarantined_txs_up_to";
/// There when all exits of the store are indexed by account.
pub(crate) const EXITS_INDEXED_KEY: &[u8] = b"exits_indexed";
pub(crate) const NONCE_OFFSET_KEY: &[u8] = b"nonce_offset";
pub(crate) const TRANSFERS_CURSOR_KEY: &[u8] = b"transfers_cursor";
pub(crate) const SPENT_KEY: &[u8] = b"sentinel_spent";

pub(crate) fn height_key(service: Service) -> String {
    format!("height/{}", service.name())
}

impl Store {
    /// The pending block; `None` in a new store.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn pending(&self) -> Result<Option<PendingRecord>, StoreError> {
        self.decoded(Column::Meta, PENDING_KEY, records::decode_pending)
    }

    /// The root chain height a service has dealt with; `None` when it never ran.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn service_height(&self, service: Service) -> Result<Option<EthHeight>, StoreError> {
        let height =
            self.decoded(Column::Meta, height_key(service).as_bytes(), records::decode_u64)?;
        Ok(height.map(EthHeight::new))
    }

    /// What is wrong with the chain, if anything.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn fault(&self) -> Result<Option<ChainFault>, StoreError> {
        self.decoded(Column::Meta, FAULT_KEY, records::decode_fault)
    }

    /// The newest block after a fault that has been looked at; `None` also in a store from before in-flight exits, whose quarantine is
    /// to be looked at again (docs/store.md).
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn quarantined_up_to(&self) -> Result<Option<Blknum>, StoreError> {
        Ok(self.decoded(Column::Meta, QUARANTINED_UP_TO_KEY, records::decode_u64)?.map(Blknum::new))
    }

    /// By how much the authority's nonce differs from a block's number in intervals.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn nonce_offset(&self) -> Result<Option<i64>, StoreError> {
        Ok(self.decoded(Column::Meta, NONCE_OFFSET_KEY, records::decode_u64)?.map(u64::cast_signed))
    }

    fn decoded<T>(
        &self,
        column: Column,
        key: &[u8],
        decode: impl FnOnce(&[u8]) -> Result<T, &'static str>,
    ) -> Result<Option<T>, StoreError> {
        let Some(value) = self.get(column, key)? else {
            return Ok(None);
        };
        decode(&value).map(Some).map_err(|reason| StoreError::corrupted(column, key, reason))
    }

    /// Which of these keys a column has.
    fn found<K: AsRef<[u8]>>(
        &self,
        column: Column,
        keys: impl Iterator<Item = K>,
    ) -> Result<Vec<bool>, StoreError> {
        let keys: Vec<K> = keys.collect();
        let values = self.db().batched_multi_get_cf(self.column(column)?, &keys, false);
        let found = values.into_iter().map(|value| Ok(value?.is_some()));
        found.collect::<Result<_, _>>().map_err(StoreError::io("read"))
    }

    /// Records from `first` on and before `end`, at most `limit` of them.
    fn range<T>(
        &self,
        column: Column,
        first: &[u8],
        end: Option<Vec<u8>>,
        limit: usize,
        mut decode: impl FnMut(&[u8], &[u8]) -> Result<T, &'static str>,
    ) -> Result<Vec<T>, StoreError> {
        let mut options = ReadOptions::default();
        if let Some(end) = end {
            options.set_iterate_upper_bound(end);
        }
        let mode = IteratorMode::From(first, Direction::Forward);
        let entries = self.db().iterator_cf_opt(self.column(column)?, options, mode);
        entries
            .take(limit)
            .map(|entry| {
                let (key, value) = entry.map_err(StoreError::io("read"))?;
                decode(&key, &value).map_err(|reason| StoreError::corrupted(column, &key, reason))
            })
            .collect()
    }
}
