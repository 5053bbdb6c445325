//! The WatcherDB: what a watcher went through, in PostgreSQL, for people who ask (architecture invariant I8).
//!
//! It must never be read by anything that secures funds, and never keep such a thing waiting: it follows the journal of the store by
//! itself, can be dropped and rebuilt at any time, and says so when it cannot be used. SQL stays in here.
//!
//! ```text
//! journal ─► writer (rows, apply) ─► PostgreSQL ◄─ queries ◄─ WatcherDb ◄─ informational API
//!                └────── status ────────────────────────────────┘
//! ```
//! - [`WatcherDb`]: queries. [`start_watcher_db`]: the writer. [`rebuild`]: from the beginning. [`check`]: is it what a rebuild
//!   would give?
//! - [`embedded`]: a PostgreSQL of our own, for development and tests.

mod apply;
mod check;
mod config;
mod connection;
mod copy;
mod database_url;
pub mod embedded;
mod fees;
mod inspection;
mod queries;
mod reads;
mod reason;
mod rebuild;
mod rows;
mod source;
mod status;
mod task;
mod writer;

pub use check::{CheckError, Checked, Difference, TableChecked, check};
pub use config::WatcherDbConfig;
pub use connection::{Identity, Position, WriteError};
pub use database_url::DatabaseUrl;
pub use inspection::{Inspection, inspect};
pub use rebuild::{Rebuilt, rebuild};
pub use rows::RowsError;
pub use source::{JournalSource, SourceError};
pub use status::{IS_BEHIND, NOT_OPENED_YET, WatcherDbStatus};
pub(crate) use task::WatcherDbTask;

use plasma_core::wire::Blknum;
use sqlx::PgPool;
use status::StatusSender;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{OnceCell, watch};
use writer::Writer;

/// Answers questions. Clones share the connections.
#[derive(Clone, Debug)]
pub struct WatcherDb {
    pool: PgPool,
    /// Where fees are written; the other one may only read.
    write_pool: PgPool,
    status: watch::Receiver<WatcherDbStatus>,
    lag_blocks_max: u64,
    /// How long a question may take altogether.
    question_max: Duration,
    /// Whose database the one that is read has to be, and that it was looked at.
    identity: Identity,
    is_checked: Arc<OnceCell<()>>,
}

/// A question was not answered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WatcherDbError {
    /// The database cannot be used now, or is too far behind. Everything that secures funds goes on without it.
    #[error("the database cannot be used: {reason}")]
    Unavailable {
        /// How many child chain blocks it is behind the watcher.
        lag_blocks: u64,
        /// The newest child chain block in it.
        last_indexed_blknum: Blknum,
        /// What is wrong with it, for people.
        reason: String,
    },
}

/// The settings cannot be used.
#[derive(Debug, Error)]
#[error("the URL of the database cannot be used: {0}")]
pub struct DatabaseUrlError(#[from] sqlx::Error);

/// Makes the handle to a database, and the task that follows the journal into it, which never ends by itself. `news` changes whenever
/// the journal may have grown.
///
/// # Errors
/// [`DatabaseUrlError`]; whether there is a database is not looked at.
///
/// # After a restart
/// The task goes on from the database's cursor.
pub fn start_watcher_db(
    config: WatcherDbConfig,
    identity: Identity,
    source: Arc<dyn JournalSource>,
    news: watch::Receiver<u64>,
) -> Result<(WatcherDb, impl Future<Output = Infallible> + use<>), DatabaseUrlError> {
    let (sender, status) = StatusSender::new();
    let pool = config.read_pool()?;
    let write_pool = config.write_pool()?;
    let lag_blocks_max = config.lag_blocks_max;
    let question_max = config.question_max();
    // What is read is what is written, where there is no replica.
    let is_checked = OnceCell::new_with(config.database_read_url.is_empty().then_some(()));
    let is_checked = Arc::new(is_checked);
    let writer = Writer { config, identity, source, status: sender };
    let db =
        WatcherDb { pool, write_pool, status, lag_blocks_max, question_max, identity, is_checked };
    Ok((db, writer.run(news)))
}

impl WatcherDb {
    /// How the database is.
    pub fn status(&self) -> WatcherDbStatus {
        self.status.borrow().clone()
    }

    /// The same, as it changes.
    pub fn status_watch(&self) -> watch::Receiver<WatcherDbStatus> {
        self.status.clone()
    }

    /// Refuses when an answer would be missing or old.
    fn check(&self) -> Result<(), WatcherDbError> {
        let status = self.status();
        let reason = match &status.reason {
            Some(reason) => reason.clone(),
            None if status.lag_blocks() > self.lag_blocks_max => IS_BEHIND.to_owned(),
            None => return Ok(()),
        };
        Err(unavailable(&status, reason))
    }

    fn failed(&self, error: &sqlx::Error) -> WatcherDbError {
        tracing::warn!(%error, "a query failed");
        unavailable(&self.status(), reason::reason(error))
    }
}

fn unavailable(status: &WatcherDbStatus, reason: String) -> WatcherDbError {
    WatcherDbError::Unavailable {
        lag_blocks: status.lag_blocks(),
        last_indexed_blknum: status.last_indexed_blknum(),
        reason,
    }
}
