//! Opening the database: is it there, is it ours, and how far is it.
//!
//! It must never write into a database of somebody else, another deployment or another journal, nor beside another writer.

use super::apply::STAGES;
use super::config::WatcherDbConfig;
use super::copy::int8;
use super::source::{JournalSource, SourceError};
use plasma_core::journal::JournalSeq;
use plasma_core::wire::{Address, Blknum};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use std::time::Duration;
use thiserror::Error;

/// The schema, and how older ones become it.
static MIGRATIONS: Migrator = sqlx::migrate!("../../priv/migrations");
/// Name of the lock that a writer holds, among the database's advisory locks.
pub(super) const WRITER_LOCK: i64 = 0x0070_656e_6e69_6e67;

/// What a database belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The root chain's chain id.
    pub chain_id: u64,
    /// The framework contract.
    pub plasma_framework: Address,
}

impl Identity {
    /// Whether the columns of a cursor say the same.
    pub(super) fn is(&self, chain_id: i64, plasma_framework: &[u8]) -> bool {
        chain_id == int8(self.chain_id) && plasma_framework == self.plasma_framework.as_bytes()
    }
}

/// How far a database is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The last entry of the journal that it has.
    pub seq: JournalSeq,
    /// The newest child chain block in it, zero before the first.
    pub last_blknum: Blknum,
}

/// Why the database cannot be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// It does not answer, or not as it should: gone, full, read-only. It may come back.
    #[error("the database cannot be used: {0}")]
    Database(#[from] sqlx::Error),
    /// It took too long to open it, or to write a batch.
    #[error("the database does not answer")]
    Timeout,
    /// It holds tables, and they are not ours.
    #[error(
        "the database has a schema of somebody else ({0}): give the watcher a database of its own"
    )]
    ForeignSchema(String),
    /// It belongs to another deployment.
    #[error(
        "the database belongs to {found}, this watcher to {expected}: give it a database of its own"
    )]
    ForeignDeployment {
        /// Chain and framework in it.
        found: String,
        /// Ours.
        expected: String,
    },
    /// It was written from another journal, or is ahead of this one.
    #[error(
        "the database was written from another store, which went another way: run `penning watcher-db rebuild`"
    )]
    ForeignJournal,
    /// Somebody else writes.
    #[error("another watcher writes into the database")]
    AnotherWriter,
    /// The cursor is not where this writer left it.
    #[error("somebody else moved the cursor of the database")]
    CursorMoved,
    /// Outputs are missing.
    #[error(
        "the database lacks {missing} outputs that were spent up to block {blknum}: run `penning watcher-db rebuild`"
    )]
    MissingOutputs {
        /// How many.
        missing: usize,
        /// The newest block of the batch.
        blknum: Blknum,
    },
    /// The journal cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It says what cannot be.
    #[error(transparent)]
    Rows(#[from] super::rows::RowsError),
}

impl WatcherDbConfig {
    pub(super) fn options(
        &self,
        database_url: &str,
        statement_ms_max: u64,
    ) -> Result<PgConnectOptions, sqlx::Error> {
        let options: PgConnectOptions = database_url.parse()?;
        Ok(options
            .application_name("penning-watcher")
            .options([("statement_timeout", statement_ms_max)])
            .disable_statement_logging())
    }

    /// Connections for queries, opened when they are needed.
    pub(super) fn read_pool(&self) -> Result<PgPool, sqlx::Error> {
        let url = if self.database_read_url.is_empty() {
            &self.database_url
        } else {
            &self.database_read_url
        };
        // A plan for all values would not know that one account is big and another is not. There is an index for every question, and a
        // page far behind must not make the planner think that a whole table is less work.
        let options = self.options(url, self.query_ms_max)?.options([
            ("plan_cache_mode", "force_custom_plan"),
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("jit", "off"),
        ]);
        Ok(PgPoolOptions::new()
            .max_connections(self.connections_max.max(1))
            .acquire_timeout(Duration::from_millis(self.connect_ms_max))
            .connect_lazy_with(options))
    }

    /// A connection to write through. Spends are looked up one by one by key, whatever the planner thinks of the size of the table; and
    /// a commit need not be on disk, because the cursor goes back with what is lost.
    pub(super) async fn connect_writer(&self) -> Result<PgConnection, WriteError> {
        let options = self.options(&self.database_url, self.write_ms_max)?.options([
            ("synchronous_commit", "off"),
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("jit", "off"),
        ]);
        let connecting = PgConnection::connect_with(&options);
        let connected =
            tokio::time::timeout(Duration::from_millis(self.connect_ms_max), connecting).await;
        Ok(connected.map_err(|_| WriteError::Timeout)??)
    }
}

/// Opens the database for writing: takes the writer's lock, brings the schema up to date, checks whose it is. The lock lives as long
/// as the connection.
pub(super) async fn open(
    config: &WatcherDbConfig,
    identity: Identity,
) -> Result<(PgConnection, Position, u64), WriteError> {
    let mut db = config.connect_writer().await?;
    let is_ours =
        sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "is_ours!""#, WRITER_LOCK)
            .fetch_one(&mut db)
            .await?;
    if !is_ours {
        return Err(WriteError::AnotherWriter);
    }
    let (position, at_ms) = bring_up(&mut db, identity).await?;
    Ok((db, position, at_ms))
}

/// Brings the schema that a connection is in up to date, and checks whose it is; where it is then, and the time of that entry.
pub(super) async fn bring_up(
    db: &mut PgConnection,
    identity: Identity,
) -> Result<(Position, u64), WriteError> {
    refuse_foreign_tables(db).await?;
    MIGRATIONS.run_direct(None, &mut *db, false).await.map_err(explain)?;
    sqlx::query!(
        "INSERT INTO cursor (chain_id, plasma_framework, journal_seq, journal_at_ms, last_blknum, block_count, transaction_count)
         VALUES ($1, $2, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING",
        int8(identity.chain_id),
        identity.plasma_framework.as_bytes(),
    )
    .execute(&mut *db)
    .await?;
    sqlx::raw_sql(STAGES).execute(&mut *db).await?;
    cursor(db, identity).await
}

/// Where the database is, and the time of that entry.
async fn cursor(db: &mut PgConnection, identity: Identity) -> Result<(Position, u64), WriteError> {
    let cursor = sqlx::query!(
        "SELECT chain_id, plasma_framework, journal_seq, journal_at_ms, last_blknum FROM cursor"
    )
    .fetch_one(db)
    .await?;
    if !identity.is(cursor.chain_id, &cursor.plasma_framework) {
        let found = <[u8; 20]>::try_from(cursor.plasma_framework.as_slice()).unwrap_or_default();
        return Err(WriteError::ForeignDeployment {
            found: format!("{:?} on chain {}", Address::from(found), cursor.chain_id),
            expected: format!("{:?} on chain {}", identity.plasma_framework, identity.chain_id),
        });
    }
    let position = Position {
        seq: JournalSeq(cursor.journal_seq.unsigned_abs()),
        last_blknum: Blknum::new(cursor.last_blknum.unsigned_abs()),
    };
    Ok((position, cursor.journal_at_ms.unsigned_abs()))
}

/// Whether the journal has the entry that the database is at.
pub(super) fn check_journal(
    source: &dyn JournalSource,
    position: Position,
    at_ms: u64,
) -> Result<(), WriteError> {
    let Some(before) = position.seq.0.checked_sub(1) else {
        return Ok(());
    };
    let found = source.journal_after(JournalSeq(before), 1)?;
    match found.first() {
        Some((seq, entry)) if *seq == position.seq && entry.at_ms == at_ms => Ok(()),
        _ => Err(WriteError::ForeignJournal),
    }
}

/// A database without our history of migrations has to be empty.
async fn refuse_foreign_tables(db: &mut PgConnection) -> Result<(), WriteError> {
    let tables = sqlx::query_scalar!(
        r#"SELECT tablename::text AS "name!" FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1"#
    )
    .fetch_all(db)
    .await?;
    let is_ours = |name: &String| name == "_sqlx_migrations";
    if tables.is_empty() || tables.iter().any(is_ours) {
        return Ok(());
    }
    let shown: Vec<_> = tables.iter().take(3).map(String::as_str).collect();
    Err(WriteError::ForeignSchema(format!("tables {}", shown.join(", "))))
}

fn explain(error: MigrateError) -> WriteError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        // A history that is not ours, or of a newer program.
        other => WriteError::ForeignSchema(other.to_string()),
    }
}
