//! Questions and answers. Every question is answered from an index, whatever is in the tables; a test looks at the plans.
//!
//! It must never answer from a database that cannot be used or is behind: each method says so instead.

mod accounts;
mod history;
mod records;
mod transactions;

pub(super) use accounts::{exact, largest, smallest_spendable, total};
pub(super) use records::{address, amount, time};

use super::WatcherDb;
use super::WatcherDbError;
use plasma_rpc::info::Paging;
use sqlx::{Postgres, Transaction};
use std::future::Future;
use tokio::time::timeout;

/// What is wrong with `database_read_url`.
pub(super) const FOREIGN_REPLICA: &str = "what is read belongs to another deployment";

impl WatcherDb {
    /// Runs a question, if the database can be used.
    pub(super) async fn ask<T>(
        &self,
        question: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, WatcherDbError> {
        self.check()?;
        let answer = async {
            self.is_checked.get_or_try_init(|| self.check_replica()).await?;
            question.await
        };
        // The server's own limit does not count where the server cannot be reached any more.
        match timeout(self.question_max, answer).await {
            Ok(answer) => answer.map_err(|error| self.failed(&error)),
            Err(_) => Err(self.failed(&sqlx::Error::PoolTimedOut)),
        }
    }

    /// Whether the database that is read is one of this deployment, as the one that is written is known to be.
    async fn check_replica(&self) -> Result<(), sqlx::Error> {
        let found = sqlx::query!("SELECT chain_id, plasma_framework FROM cursor")
            .fetch_one(&self.pool)
            .await?;
        if self.identity.is(found.chain_id, &found.plasma_framework) {
            return Ok(());
        }
        Err(sqlx::Error::Configuration(FOREIGN_REPLICA.into()))
    }

    /// A connection that sees one state of the database, for answers that take several queries: replicas are not all equally far.
    pub(super) async fn snapshot(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
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
