//! The writer: follows the journal into the database, for ever, off the path that secures funds.
//!
//! It must never end, and never keep anybody waiting: whatever is wrong with the database is told in a status and tried again, with a
//! pause that doubles. While one batch is written, the next is read and decoded.
//!
//! ```text
//! journal ─► batch ─► rows ─► apply (one transaction, with the cursor) ─► status
//!    ▲                                      │ error
//!    └──────────── open again ◄─────────────┘
//! ```

use super::apply::{Target, apply};
use super::config::WatcherDbConfig;
use super::connection::{Identity, Position, WriteError, check_journal, open};
use super::rows::{Batch, Rows};
use super::source::{JournalSource, SourceError};
use super::status::StatusSender;
use plasma_core::journal::{JournalFact, JournalSeq};
use sqlx::PgConnection;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Reads a journal and writes a database.
pub(super) struct Writer {
    pub(super) config: WatcherDbConfig,
    pub(super) identity: Identity,
    pub(super) source: Arc<dyn JournalSource>,
    pub(super) status: StatusSender,
}

/// A batch, ready to be applied.
struct Prepared {
    rows: Rows,
    target: Target,
}

impl Writer {
    /// Follows for ever.
    pub(super) async fn run(self, news: watch::Receiver<u64>) -> Infallible {
        // Whatever is told of the database, it is known how far the journal is.
        self.count().await;
        let (never, _) = tokio::join!(self.write(news.clone()), self.keep_count(news));
        never
    }

    /// Tells how far the journal is while the database keeps the writer waiting: nobody takes what it had then for what is now.
    async fn keep_count(&self, mut news: watch::Receiver<u64>) -> Infallible {
        loop {
            self.wait(&mut news).await;
            self.count().await;
        }
    }

    /// Waits for news, at most a tick; says whether there are any.
    async fn wait(&self, news: &mut watch::Receiver<u64>) -> bool {
        let tick = Duration::from_millis(self.config.tick_ms);
        match tokio::time::timeout(tick, news.changed()).await {
            Ok(Ok(())) => true,
            // Whoever brings news may be gone while its tree is built again; then the tick goes on.
            Ok(Err(_)) => {
                tokio::time::sleep(tick).await;
                false
            }
            Err(_) => false,
        }
    }

    async fn write(&self, mut news: watch::Receiver<u64>) -> Infallible {
        let mut pause_ms = self.config.retry_ms_min;
        loop {
            let before = self.status.position();
            let Err(error) = self.follow(&mut news).await;
            if self.status.position() != before {
                pause_ms = self.config.retry_ms_min;
            }
            tracing::warn!(%error, pause_ms, "the WatcherDB cannot be written");
            self.status.failed(error.reason());
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            pause_ms = pause_ms.saturating_mul(2).min(self.config.retry_ms_max);
        }
    }

    async fn follow(&self, news: &mut watch::Receiver<u64>) -> Result<Infallible, WriteError> {
        let (mut db, position) = self.open().await?;
        loop {
            news.borrow_and_update();
            self.catch_up(&mut db, position_of(&self.status, position)).await?;
            if !self.wait(news).await {
                self.check_alive(&mut db).await?;
            }
        }
    }

    /// Opens the database, where it is the right one.
    pub(super) async fn open(&self) -> Result<(PgConnection, Position), WriteError> {
        let opening = open(&self.config, self.identity);
        let (db, position, at_ms) = self.in_time(opening).await?;
        let source = self.source.clone();
        run_blocking(move || check_journal(&*source, position, at_ms)).await??;
        self.status.applied(position);
        Ok((db, position))
    }

    /// Applies everything there is behind a position.
    pub(super) async fn catch_up(
        &self,
        db: &mut PgConnection,
        mut position: Position,
    ) -> Result<Position, WriteError> {
        let mut prepared = self.prepare(position.seq).await?;
        while let Some(Prepared { rows, target }) = prepared {
            // Both at the same time: the database writes while we decode.
            let next = self.prepare(target.seq);
            let applied = self.in_time(apply(db, position, rows, target));
            let (applied, next) = tokio::join!(applied, next);
            position = applied?;
            self.status.applied(position);
            prepared = next?;
        }
        self.status.applied(position);
        Ok(position)
    }

    /// Gives up what takes longer than the server may: then it is gone, or cannot be reached any more.
    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, WriteError>>,
    ) -> Result<T, WriteError> {
        let done = tokio::time::timeout(self.config.batch_max(), work).await;
        done.map_err(|_| WriteError::Timeout)?
    }

    async fn prepare(&self, after: JournalSeq) -> Result<Option<Prepared>, WriteError> {
        let source = self.source.clone();
        let (entries_max, txs_max) = (self.config.batch_entries_max, self.config.batch_txs_max);
        let prepare = move || {
            let batch = read_batch(&*source, after, (entries_max, txs_max))?;
            let Some((seq, entry, _)) = batch.entries.last() else {
                return Ok(None);
            };
            let target = Target { seq: *seq, at_ms: entry.at_ms };
            Ok(Some(Prepared { rows: batch.rows()?, target }))
        };
        run_blocking(prepare).await?
    }

    /// A connection that nobody uses does not tell that it broke.
    async fn check_alive(&self, db: &mut PgConnection) -> Result<(), WriteError> {
        let ping = sqlx::Connection::ping(db);
        let limit = Duration::from_millis(self.config.connect_ms_max);
        Ok(tokio::time::timeout(limit, ping).await.map_err(|_| WriteError::Timeout)??)
    }

    /// Tells how far the journal is; nothing when it cannot be read, which whoever reads it next will tell.
    pub(super) async fn count(&self) {
        let source = self.source.clone();
        if let Ok(Ok(newest)) = run_blocking(move || source.newest_blknum()).await {
            self.status.newest(newest);
        }
    }
}

fn position_of(status: &StatusSender, opened: Position) -> Position {
    status.position().unwrap_or(opened)
}

/// Entries behind `after` with the bodies of their blocks: at most so many entries, and blocks of so many transactions together.
fn read_batch(
    source: &dyn JournalSource,
    after: JournalSeq,
    (entries_max, txs_max): (usize, usize),
) -> Result<Batch, SourceError> {
    let mut batch = Batch::default();
    let mut txs = 0_usize;
    for (seq, entry) in source.journal_after(after, entries_max.max(1))? {
        let mut body = Vec::new();
        if let JournalFact::Block(block) = &entry.fact {
            txs = txs.saturating_add(usize::try_from(block.tx_count).unwrap_or(usize::MAX));
            if txs > txs_max && !batch.entries.is_empty() {
                break;
            }
            body = source.transactions(block.blknum, block.tx_count)?;
        }
        batch.entries.push((seq, entry, body));
    }
    Ok(batch)
}

async fn run_blocking<T: Send + 'static>(
    task: impl FnOnce() -> T + Send + 'static,
) -> Result<T, SourceError> {
    // It fails only when the process ends.
    tokio::task::spawn_blocking(task).await.map_err(|error| SourceError(error.to_string()))
}
