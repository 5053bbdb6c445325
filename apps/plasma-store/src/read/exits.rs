//! Standard exits, and what the quarantine knows.

use crate::columns::Column;
use crate::error::StoreError;
use crate::store::Store;
use crate::{keys, records};
use plasma_core::db_update::UtxoKey;
use plasma_core::exit_processor::StandardExit;
use plasma_core::wire::{Address, ExitId, UtxoPos};
use std::collections::BTreeSet;

/// Positions of one owner's outputs that were spent on the invalid part of the chain.
pub type QuarantinedSpends = BTreeSet<UtxoPos>;

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

    /// The signed bytes by which this owner spends this output on the invalid part of the chain.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    pub fn quarantined_spend(&self, key: UtxoKey) -> Result<Option<Box<[u8]>>, StoreError> {
        Ok(self.get(Column::QuarantinedSpends, &keys::utxo(key))?.map(|bytes| Box::from(&*bytes)))
    }

    /// Which of an owner's outputs from `first` to `last` were spent on the invalid part of the chain, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn quarantined_spends_of(
        &self,
        owner: Address,
        first: UtxoPos,
        last: UtxoPos,
        limit: usize,
    ) -> Result<QuarantinedSpends, StoreError> {
        let key = |position| keys::utxo(UtxoKey { owner, position });
        let end = [key(last).as_slice(), &[0]].concat();
        let spends =
            self.range(Column::QuarantinedSpends, &key(first), Some(end), limit, |key, _| {
                keys::read_utxo_position(key)
            })?;
        Ok(spends.into_iter().collect())
    }
}
