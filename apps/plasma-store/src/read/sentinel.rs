//! What the Sentinel needs to go on after a restart.

use super::SPENT_KEY;
use crate::columns::Column;
use crate::error::StoreError;
use crate::store::Store;
use crate::{keys, records};
use plasma_core::sentinel::RecoveredSentinel;
use plasma_core::wire::Address;

impl Store {
    /// What the Sentinel with this account's key wrote, for [`Sentinel::restore`](plasma_core::sentinel::Sentinel::restore).
    ///
    /// Nonces are those of this account only: a Sentinel with another key neither sends nor forgets what the one before offered. Duties
    /// and what the day cost do not depend on the key: what was done is not done again, and another key gets no other budget.
    ///
    /// All of it is read, and the Sentinel's own limits bound it: `in_flight_max` nonces and those of the last
    /// `finality_margin_eth_blocks`, `history_len_max` duties and those that go on.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn sentinel(&self, account: Address) -> Result<RecoveredSentinel, StoreError> {
        let (first, end) = (keys::nonce(account, 0), keys::behind(account.as_bytes()));
        let nonces =
            self.range(Column::SentinelNonces, &first, end, usize::MAX, |key, value| {
                records::decode_nonce(keys::read_nonce(key)?, value)
            })?;
        let duties = self.range(Column::SentinelDuties, &[], None, usize::MAX, |key, value| {
            records::decode_duty(keys::read_duty(key)?, value)
        })?;
        let spent = self.decoded(Column::Meta, SPENT_KEY, records::decode_spent)?;
        Ok(RecoveredSentinel { nonces, duties, spent })
    }
}
