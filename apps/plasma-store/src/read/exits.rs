//! Standard exits, and what the quarantine knows.

use crate::columns::Column;
use crate::error::StoreError;
use crate::keys::{self, UTXO_KEY_LEN};
use crate::records;
use crate::store::Store;
use plasma_core::db_update::UtxoKey;
use plasma_core::exit_processor::StandardExit;
use plasma_core::wire::{Address, ExitId, SignedTx, TxHash, UtxoPos};
use std::collections::{BTreeMap, BTreeSet};

impl Store {
    /// The newest exit of an output, also a closed one.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn standard_exit(&self, position: UtxoPos) -> Result<Option<StandardExit>, StoreError> {
        self.decoded(Column::StandardExits, &keys::position(position), |value| {
            records::decode_standard_exit(position, value)
        })
    }

    /// The newest exit with this id, also a closed one.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn standard_exit_by_id(&self, exit_id: ExitId) -> Result<Option<StandardExit>, StoreError> {
        let position =
            self.decoded(Column::StandardExitIds, exit_id.as_bytes(), keys::read_position)?;
        position.map_or(Ok(None), |position| self.standard_exit(position))
    }

    /// Ids of exits that concern an account, closed ones too: at most `limit` behind this one, in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn exits_of(
        &self,
        account: Address,
        after: Option<ExitId>,
        limit: usize,
    ) -> Result<Vec<ExitId>, StoreError> {
        let account_key = account.as_bytes();
        let first = match after {
            Some(exit_id) => keys::behind(&keys::account_exit(account, exit_id)),
            None => Some(account_key.to_vec()),
        };
        let Some(first) = first else {
            return Ok(Vec::new());
        };
        let (column, end) = (Column::ExitsByAccount, keys::behind(account_key));
        self.range(column, &first, end, limit, |key, _| keys::read_account_exit(key))
    }

    /// Every standard exit there is, to index them.
    pub(crate) fn all_standard_exits(&self) -> Result<Vec<StandardExit>, StoreError> {
        self.range(Column::StandardExits, &[], None, usize::MAX, |key, value| {
            records::decode_standard_exit(keys::read_position(key)?, value)
        })
    }

    /// Those of these outputs with an exit that still needs watching, looked up together.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    pub fn with_active_exits(
        &self,
        positions: &[UtxoPos],
    ) -> Result<BTreeSet<UtxoPos>, StoreError> {
        let keys = positions.iter().map(|position| keys::position(*position));
        let found = self.found(Column::ActiveExits, keys)?;
        Ok(positions.iter().zip(found).filter_map(|(at, found)| found.then_some(*at)).collect())
    }

    /// The outputs from the first to the last of these that this owner spends on the invalid part of the chain, in one go.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn spent_in_quarantine(
        &self,
        owner: Address,
        between: [UtxoPos; 2],
    ) -> Result<BTreeSet<UtxoPos>, StoreError> {
        self.told_spends(Column::QuarantinedSpends, owner, between)
    }

    /// All exits that still need watching. Closed ones are not looked at.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn active_standard_exits(&self) -> Result<Vec<StandardExit>, StoreError> {
        let positions = self
            .range(Column::ActiveExits, &[], None, usize::MAX, |key, _| keys::read_position(key))?;
        let exits = positions.into_iter().map(|position| {
            let missing = || {
                StoreError::corrupted(
                    Column::ActiveExits,
                    &keys::position(position),
                    "no such exit",
                )
            };
            self.standard_exit(position)?.ok_or_else(missing)
        });
        exits.collect()
    }

    /// The signed bytes of different transactions in which this owner spends this output on the invalid part of the chain, at most
    /// `limit`.
    ///
    /// A store from before in-flight exits holds one of them under the output alone (docs/store.md). It counts like any other, once.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn quarantined_spends(
        &self,
        key: UtxoKey,
        limit: usize,
    ) -> Result<Vec<Box<[u8]>>, StoreError> {
        let (first, end) = (keys::utxo(key), keys::behind(&keys::utxo(key)));
        // One more: the transaction of the old entry may be among the others, too.
        let (column, count) = (Column::QuarantinedSpends, limit.saturating_add(1));
        let found = self.range(column, &first, end, count, |key, bytes| {
            let tx_hash = match key.get(UTXO_KEY_LEN..).unwrap_or_default() {
                [] => {
                    SignedTx::decode(bytes).map_err(|_| "transaction that does not decode")?.hash()
                }
                tx_hash => keys::read_hash(tx_hash)?,
            };
            Ok((tx_hash, Box::from(bytes)))
        })?;
        let different: BTreeMap<TxHash, Box<[u8]>> = found.into_iter().collect();
        Ok(different.into_values().take(limit).collect())
    }
}
