//! From the beginning: everything that comes from the journal is dropped and read again.

use super::connection::{Identity, Position, WriteError};
use super::source::JournalSource;
use super::status::StatusSender;
use super::writer::Writer;
use super::{WatcherDbConfig, WatcherDbStatus};
use sqlx::{Connection, PgConnection};
use std::sync::Arc;
use tokio::sync::watch;

/// What a rebuild ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// How far the database is: as far as the journal.
    pub position: Position,
}

/// Drops what is in the database and reads the whole journal again. `progress` hears of every batch. Whoever asks meanwhile gets what
/// there is so far.
///
/// # Errors
/// [`WriteError`]; the database is part of the way then, and can be followed or rebuilt from there. `AnotherWriter` when a watcher runs.
pub async fn rebuild(
    config: WatcherDbConfig,
    identity: Identity,
    source: Arc<dyn JournalSource>,
    progress: impl FnMut(&WatcherDbStatus),
) -> Result<Rebuilt, WriteError> {
    let (status, watch) = StatusSender::new();
    let writer = Writer { config, identity, source, status };
    let mut db = writer.open_and_empty().await?;
    let position = catch_up_telling(&writer, &mut db, watch, progress).await?;
    // Plans depend on what the planner knows of the tables.
    sqlx::query!("ANALYZE").execute(&mut db).await?;
    Ok(Rebuilt { position })
}

/// Applies the whole journal to an empty database, and tells of every batch.
pub(super) async fn catch_up_telling(
    writer: &Writer,
    db: &mut PgConnection,
    mut watch: watch::Receiver<WatcherDbStatus>,
    mut progress: impl FnMut(&WatcherDbStatus),
) -> Result<Position, WriteError> {
    writer.count().await;
    let catching_up = writer.catch_up(db, Position::default());
    tokio::pin!(catching_up);
    loop {
        tokio::select! {
            done = &mut catching_up => return done,
            _ = watch.changed() => {
                let status = watch.borrow_and_update().clone();
                progress(&status);
            }
        }
    }
}

impl Writer {
    async fn open_and_empty(&self) -> Result<PgConnection, WriteError> {
        let (mut db, _, _) = super::connection::open(&self.config, self.identity).await?;
        let mut tx = db.begin().await?;
        sqlx::query!(
            "TRUNCATE blocks, transactions, txoutputs, account_transactions, ethevents, ethevents_txoutputs, unlinked_piggybacks"
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "UPDATE cursor SET journal_seq = 0, journal_at_ms = 0, last_blknum = 0, block_count = 0, transaction_count = 0"
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(db)
    }
}
