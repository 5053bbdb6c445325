//! Transfers of accounts: an index that a follower of the journal writes, off the path that secures funds.

use super::TRANSFERS_CURSOR_KEY;
use super::journal::last_before;
use crate::columns::Column;
use crate::error::StoreError;
use crate::store::Store;
use crate::{keys, records};
use plasma_core::journal::Topic;
use plasma_core::transfers::{Transfer, TransfersCursor, TransfersUpdate};
use plasma_core::wire::{Address, Blknum};
use rocksdb::{WriteBatch, WriteOptions};
use std::collections::BTreeMap;

impl Store {
    /// Writes to the index of transfers, atomically, and unlike [`Store::commit`] without waiting for the disk: all of it is made again
    /// from the journal, with the same numbers.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    ///
    /// # After a restart
    /// All or nothing of the batch is there, and nothing of a later one without it.
    pub fn index_transfers(&self, updates: &[TransfersUpdate]) -> Result<(), StoreError> {
        let (transfers, heads) =
            (self.column(Column::Transfers)?, self.column(Column::TransferHeads)?);
        let meta = self.column(Column::Meta)?;
        let (mut batch, mut value) = (WriteBatch::default(), Vec::new());
        for update in updates {
            value.clear();
            match update {
                TransfersUpdate::Put(account, number, transfer) => {
                    records::encode_transfer(*transfer, &mut value);
                    batch.put_cf(transfers, keys::transfer(*account, *number), &value);
                }
                TransfersUpdate::PutHead(account, number) => {
                    records::encode_u64(*number, &mut value);
                    batch.put_cf(heads, account.as_bytes(), &value);
                }
                TransfersUpdate::PutCursor(cursor) => {
                    records::encode_transfers_cursor(*cursor, &mut value);
                    batch.put_cf(meta, TRANSFERS_CURSOR_KEY, &value);
                }
            }
        }
        self.db().write_opt(batch, &WriteOptions::default()).map_err(StoreError::io("write to"))
    }

    /// How far the index is.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn transfers_cursor(&self) -> Result<TransfersCursor, StoreError> {
        let cursor =
            self.decoded(Column::Meta, TRANSFERS_CURSOR_KEY, records::decode_transfers_cursor)?;
        Ok(cursor.unwrap_or_default())
    }

    /// The newest number of an account, 0 before the first.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn transfers_head(&self, account: Address) -> Result<u64, StoreError> {
        let head = self.decoded(Column::TransferHeads, account.as_bytes(), records::decode_u64)?;
        Ok(head.unwrap_or_default())
    }

    /// The newest numbers of those of these accounts that have any, looked up together.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn transfers_heads(
        &self,
        accounts: impl IntoIterator<Item = Address>,
    ) -> Result<BTreeMap<Address, u64>, StoreError> {
        let accounts: Vec<Address> = accounts.into_iter().collect();
        let column = Column::TransferHeads;
        let heads = self.db().batched_multi_get_cf(self.column(column)?, &accounts, false);
        let heads = accounts.iter().zip(heads).filter_map(|(account, head)| {
            let head = head.map_err(StoreError::io("read")).transpose()?;
            Some(head.and_then(|head| {
                let broken = |reason| StoreError::corrupted(column, account.as_bytes(), reason);
                Ok((*account, records::decode_u64(&head).map_err(broken)?))
            }))
        });
        heads.collect()
    }

    /// Transfers of an account with numbers behind `after`, oldest first, at most `transfers_max`.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn transfers_after(
        &self,
        account: Address,
        after: u64,
        transfers_max: usize,
    ) -> Result<Vec<(u64, Transfer)>, StoreError> {
        let Some(first) = after.checked_add(1) else {
            return Ok(Vec::new());
        };
        let (first, end) = (keys::transfer(account, first), keys::behind(account.as_bytes()));
        self.range(Column::Transfers, &first, end, transfers_max, |key, value| {
            Ok((keys::read_transfer_number(key)?, records::decode_transfer(value)?))
        })
    }

    /// The number before the first transfer of an account that was told with this child block or deposit, or with anything behind it.
    /// Deposits can be told before older blocks, so transfers of these may be among what follows.
    pub(super) fn transfers_before_block(
        &self,
        account: Address,
        blknum: Blknum,
    ) -> Result<u64, StoreError> {
        let head = self.transfers_head(account)?;
        let first = [Topic::Blocks, Topic::Deposits].map(|topic| self.first_from(topic, blknum));
        let [block, deposit] = first;
        let first = block?.into_iter().chain(deposit?).map(|(_, seq)| seq).min();
        let Some(first) = first else {
            return Ok(head);
        };
        last_before(head, |number| {
            let found = self.transfers_after(account, number.saturating_sub(1), 1)?;
            Ok(found.first().is_some_and(|(_, transfer)| transfer.journal < first))
        })
    }
}
