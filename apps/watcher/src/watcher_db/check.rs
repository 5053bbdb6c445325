//! Does the database say what the journal says? Every row is compared with those of a rebuild beside it, in a schema of its own.
//!
//! It must never change a row that it compares, run beside a writer, or leave the rebuild behind: what a crash leaves is dropped by the
//! next check. What it asks cannot be checked when the program is compiled: there is no such schema then.

use super::connection::{Identity, Position, WriteError, bring_up};
use super::inspection::inspect;
use super::rebuild::catch_up_telling;
use super::source::{JournalSource, SourceError};
use super::status::StatusSender;
use super::writer::Writer;
use super::{WatcherDbConfig, WatcherDbStatus};
use plasma_core::journal::{JournalEntry, JournalSeq};
use plasma_core::wire::Blknum;
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use std::sync::Arc;
use thiserror::Error;

/// Begins a rebuild in a schema of its own, and goes there.
const ENTER_SCRATCH: &str = "DROP SCHEMA IF EXISTS penning_check CASCADE; CREATE SCHEMA penning_check; SET search_path TO penning_check";
/// Ends it, and lets the next one write without waiting until the server has noticed that we are gone.
const LEAVE_SCRATCH: &str =
    "DROP SCHEMA IF EXISTS penning_check CASCADE; SELECT pg_advisory_unlock_all()";
/// Whole tables are read: nothing of what helps a writer helps here, and no statement is too long.
const PLAN_FREELY: &str = "ANALYZE; SET statement_timeout = 0; SET enable_seqscan = on; SET enable_hashjoin = on; SET enable_mergejoin = on";
/// Tables with their keys. What is not from the journal is not compared.
const TABLES: &str = "SELECT quote_ident(c.relname),
        array_agg(quote_ident(a.attname) ORDER BY array_position(i.indkey::smallint[], a.attnum))
    FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey::smallint[])
    WHERE c.relnamespace = 'penning_check'::regnamespace AND c.relname NOT IN ('_sqlx_migrations', 'fee_changes')
    GROUP BY c.relname ORDER BY c.relname";

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// How far the database is, and so how far it was compared.
    pub position: Position,
    /// The newest entry of the journal. What is behind the position is yet to be written, and no difference.
    pub journal_head: JournalSeq,
    /// Every table that is made from the journal.
    pub tables: Vec<TableChecked>,
}

/// What a check found in one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableChecked {
    /// Its name.
    pub table: String,
    /// Rows of the rebuild.
    pub rows: u64,
    /// Those that the database lacks.
    pub missing: u64,
    /// Rows of the database that the rebuild has not.
    pub surplus: u64,
    /// Rows with the same key and something else in them.
    pub changed: u64,
    /// The first of them all, by key.
    pub first: Option<Difference>,
}

/// A row that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The row of the database as a JSON object; `None` where it is missing.
    pub found: Option<String>,
    /// The row of the rebuild.
    pub expected: Option<String>,
}

/// Nothing can be said about the database.
#[derive(Debug, Error)]
pub enum CheckError {
    /// There is nothing in it.
    #[error("no watcher has written into this database yet")]
    Empty,
    /// It cannot be used, or is of somebody else.
    #[error(transparent)]
    Database(#[from] WriteError),
}

impl From<sqlx::Error> for CheckError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Checked {
    /// Whether all rows are the same.
    pub fn is_equal(&self) -> bool {
        self.tables.iter().all(TableChecked::is_equal)
    }
}

impl TableChecked {
    /// Whether all of its rows are the same.
    pub const fn is_equal(&self) -> bool {
        self.missing == 0 && self.surplus == 0 && self.changed == 0
    }
}

/// Compares every row with a rebuild from the journal, as far as the database is. Needs room for a second copy of it. `progress` hears
/// of every batch of the rebuild.
///
/// # Errors
/// [`CheckError`]; `AnotherWriter` when a watcher runs. Rows that differ are no error.
pub async fn check(
    config: WatcherDbConfig,
    identity: Identity,
    source: Arc<dyn JournalSource>,
    progress: impl FnMut(&WatcherDbStatus),
) -> Result<Checked, CheckError> {
    if inspect(&config).await?.is_none() {
        return Err(CheckError::Empty);
    }
    let journal_head = source.journal_head().map_err(WriteError::from)?;
    let (status, _) = StatusSender::new();
    let original = Writer { config, identity, source, status };
    // Its lock lives as long as this connection: nobody writes meanwhile.
    let (mut db, position) = original.open().await?;
    let tables = compare_with_rebuild(&mut db, original, position, progress).await;
    let left = db.execute(sqlx::raw_sql(LEAVE_SCRATCH)).await;
    let tables = tables?;
    left?;
    Ok(Checked { position, journal_head, tables })
}

async fn compare_with_rebuild(
    db: &mut PgConnection,
    original: Writer,
    position: Position,
    progress: impl FnMut(&WatcherDbStatus),
) -> Result<Vec<TableChecked>, CheckError> {
    let original_schema: String =
        sqlx::query_scalar("SELECT quote_ident(current_schema())").fetch_one(&mut *db).await?;
    db.execute(sqlx::raw_sql(ENTER_SCRATCH)).await?;
    bring_up(db, original.identity).await?;
    let (status, watch) = StatusSender::new();
    let source = Arc::new(UpTo { source: original.source.clone(), end: position.seq });
    let writer = Writer { source, status, ..original };
    catch_up_telling(&writer, db, watch, progress).await?;
    db.execute(sqlx::raw_sql(PLAN_FREELY)).await?;
    let tables: Vec<(String, Vec<String>)> = sqlx::query_as(TABLES).fetch_all(&mut *db).await?;
    let mut checked = Vec::with_capacity(tables.len());
    for (table, key) in tables {
        checked.push(compare(db, &original_schema, table, &key).await?);
    }
    Ok(checked)
}

/// Compares a table of the two schemas. All names are quoted.
async fn compare(
    db: &mut PgConnection,
    original_schema: &str,
    table: String,
    key: &[String],
) -> Result<TableChecked, CheckError> {
    let same: Vec<_> = key.iter().map(|name| format!("found.{name} = expected.{name}")).collect();
    let both = format!(
        "{original_schema}.{table} found FULL JOIN penning_check.{table} expected ON {}",
        same.join(" AND ")
    );
    let first_of_key = key.first().map_or("", String::as_str);
    let (missing, surplus) =
        (format!("found.{first_of_key} IS NULL"), format!("expected.{first_of_key} IS NULL"));
    let counts = format!(
        "SELECT count(expected.{first_of_key}), count(*) FILTER (WHERE {missing}), count(*) FILTER (WHERE {surplus}),
            count(*) FILTER (WHERE found IS DISTINCT FROM expected) FROM {both}"
    );
    let counts: (i64, i64, i64, i64) =
        sqlx::query_as(AssertSqlSafe(counts)).fetch_one(&mut *db).await?;
    let [rows, missing, surplus, different] =
        [counts.0, counts.1, counts.2, counts.3].map(i64::unsigned_abs);
    let changed = different.saturating_sub(missing).saturating_sub(surplus);
    let mut first = None;
    if different > 0 {
        let order = key.iter().map(|name| format!("coalesce(found.{name}, expected.{name})"));
        let rows = format!(
            "SELECT row_to_json(found)::text, row_to_json(expected)::text FROM {both}
                WHERE found IS DISTINCT FROM expected ORDER BY {} LIMIT 1",
            order.collect::<Vec<_>>().join(", ")
        );
        let (found, expected) = sqlx::query_as(AssertSqlSafe(rows)).fetch_one(&mut *db).await?;
        first = Some(Difference { found, expected });
    }
    Ok(TableChecked { table, rows, missing, surplus, changed, first })
}

/// A journal that ends where the database is.
struct UpTo {
    source: Arc<dyn JournalSource>,
    end: JournalSeq,
}

impl JournalSource for UpTo {
    fn journal_after(
        &self,
        after: JournalSeq,
        entries_max: usize,
    ) -> Result<Vec<(JournalSeq, JournalEntry)>, SourceError> {
        let mut entries = self.source.journal_after(after, entries_max)?;
        entries.retain(|(seq, _)| *seq <= self.end);
        Ok(entries)
    }

    fn journal_head(&self) -> Result<JournalSeq, SourceError> {
        Ok(self.end)
    }

    fn newest_blknum(&self) -> Result<Blknum, SourceError> {
        self.source.newest_blknum()
    }

    fn transactions(&self, blknum: Blknum, count: u32) -> Result<Vec<Box<[u8]>>, SourceError> {
        self.source.transactions(blknum, count)
    }
}
