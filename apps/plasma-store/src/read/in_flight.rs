//! In-flight exits, and the spends that their events told of.

use crate::columns::Column;
use crate::error::StoreError;
use crate::keys::UTXO_KEY_LEN;
use crate::store::Store;
use crate::{keys, records};
use plasma_core::db_update::{InFlightRecord, UtxoKey};
use plasma_core::exit_processor::InFlightExit;
use plasma_core::wire::{Address, ExitId, UtxoPos};
use std::collections::BTreeSet;

impl Store {
    /// What an operator remembers of an in-flight exit, for
    /// [`InFlightExits::new`](plasma_core::state::InFlightExits::new).
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn in_flight_record(&self, exit_id: ExitId) -> Result<Option<InFlightRecord>, StoreError> {
        self.decoded(Column::InFlightRecords, exit_id.as_bytes(), |value| {
            records::decode_in_flight_record(exit_id, value)
        })
    }

    /// What a watcher knows of an in-flight exit, also of a closed one and of one whose start is not known yet. The id of a
    /// transaction's exit is [`ExitId::in_flight`] of its unsigned bytes, so this finds exits by transaction as well.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn in_flight_exit(&self, exit_id: ExitId) -> Result<Option<InFlightExit>, StoreError> {
        self.decoded(Column::InFlightExits, exit_id.as_bytes(), |value| {
            records::decode_in_flight_exit(exit_id, value)
        })
    }

    /// Whether any in-flight exit was ever seen: one lookup, however many there are.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    pub fn has_in_flight_exits(&self) -> Result<bool, StoreError> {
        let first = self.range(Column::InFlightExits, &[], None, 1, |_, _| Ok(()))?;
        Ok(!first.is_empty())
    }

    /// All in-flight exits that still need watching. Closed ones are not looked at.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn active_in_flight_exits(&self) -> Result<Vec<InFlightExit>, StoreError> {
        let column = Column::ActiveInFlightExits;
        let ids = self.range(column, &[], None, usize::MAX, |key, _| keys::read_exit_id(key))?;
        let exits = ids.into_iter().map(|exit_id| {
            let missing = || StoreError::corrupted(column, exit_id.as_bytes(), "no such exit");
            self.in_flight_exit(exit_id)?.ok_or_else(missing)
        });
        exits.collect()
    }

    /// Every in-flight exit there is, to index them.
    pub(crate) fn all_in_flight_exits(&self) -> Result<Vec<InFlightExit>, StoreError> {
        self.range(Column::InFlightExits, &[], None, usize::MAX, |key, value| {
            records::decode_in_flight_exit(keys::read_exit_id(key)?, value)
        })
    }

    /// Those of these in-flight exits that still need watching, looked up together.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn active_in_flight_exits_of(
        &self,
        exit_ids: &[ExitId],
    ) -> Result<Vec<InFlightExit>, StoreError> {
        let keys = exit_ids.iter().map(|exit_id| *exit_id.as_bytes());
        let found = self.found(Column::ActiveInFlightExits, keys)?;
        let active = exit_ids.iter().zip(found).filter(|(_, found)| *found);
        active.filter_map(|(exit_id, _)| self.in_flight_exit(*exit_id).transpose()).collect()
    }

    /// The outputs from the first to the last of these that this owner spends as events of in-flight exits told, in one go.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn spent_in_flight(
        &self,
        owner: Address,
        between: [UtxoPos; 2],
    ) -> Result<BTreeSet<UtxoPos>, StoreError> {
        self.told_spends(Column::InFlightSpends, owner, between)
    }

    /// The outputs under which a column holds spends by this owner. There are only those that the owner signed.
    pub(super) fn told_spends(
        &self,
        column: Column,
        owner: Address,
        [first, last]: [UtxoPos; 2],
    ) -> Result<BTreeSet<UtxoPos>, StoreError> {
        let key = |position| keys::utxo(UtxoKey { owner, position });
        let (first, end) = (key(first), keys::behind(&key(last)));
        let spent = self.range(column, &first, end, usize::MAX, |key, _| {
            keys::read_utxo_position(key.get(..UTXO_KEY_LEN).unwrap_or(key))
        })?;
        Ok(spent.into_iter().collect())
    }

    /// The signed bytes by which this account spends this output, as events of in-flight exits told, at most `limit`, in the
    /// order of their sources. Two sources may tell of the same transaction.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    pub fn in_flight_spends(
        &self,
        key: UtxoKey,
        limit: usize,
    ) -> Result<Vec<Box<[u8]>>, StoreError> {
        let (first, end) = (keys::utxo(key), keys::behind(&keys::utxo(key)));
        self.range(Column::InFlightSpends, &first, end, limit, |_, bytes| Ok(Box::from(bytes)))
    }
}
