//! Questions and answers. Every question is answered from an index, whatever is in the tables; a test looks at the plans.
//!
//! It must never answer from a database that cannot be used or is behind: each method says so instead.

mod accounts;
mod history;
mod records;
mod transactions;

pub use accounts::{Spendable, SpendableOrder};
pub(super) use records::{address, amount, time};

use super::WatcherDbError;
use super::WatcherDb;
use plasma_rpc::info::Paging;
use std::future::Future;

impl WatcherDb {
    /// Runs a question, if the database can be used.
    async fn ask<T>(
        &self,
        question: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, WatcherDbError> {
        self.check()?;
        question.await.map_err(|error| self.failed(&error))
    }
}

/// Limit and offset of a page, as SQL has them. Behind a cursor there is no offset.
pub(super) fn limit_and_offset(paging: &Paging) -> (i64, i64) {
    let offset = if paging.cursor.is_some() { 0 } else { paging.offset() };
    // Far enough behind the end of any table, and the sum with a limit still is a number.
    let offset = i64::try_from(offset).unwrap_or(i64::MAX).min(i64::MAX / 2);
    (paging.limit.into(), offset)
}

/// A number of a cursor, which anybody can make up.
pub(super) fn part<N: TryFrom<u64>>(value: u64, beyond: N) -> N {
    N::try_from(value).unwrap_or(beyond)
}
