//! What can be set about the database.

use super::DatabaseUrl;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Settings of the WatcherDB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WatcherDbConfig {
    /// Where PostgreSQL answers: `postgres://user:password@host:port/database`, with `?sslmode=verify-full` for TLS. Empty for none.
    pub database_url: DatabaseUrl,
    /// Where queries go instead, such as a replica that only reads. Empty for the same place.
    pub database_read_url: DatabaseUrl,
    /// Connections for queries; one more writes.
    pub connections_max: u32,
    /// Longest wait for one of them, and for a new one to open.
    pub connect_ms_max: u64,
    /// Longest time for a query.
    pub query_ms_max: u64,
    /// Longest time for a statement of the writer; it can wait for locks of whoever else uses the database.
    pub write_ms_max: u64,
    /// How many child chain blocks the database may be behind the watcher while it still answers.
    pub lag_blocks_max: u64,
    /// Most journal entries in one transaction of the database.
    pub batch_entries_max: usize,
    /// Most transactions of child chain blocks in it, unless a single block has more.
    pub batch_txs_max: usize,
    /// Pause after a failure; it doubles.
    pub retry_ms_min: u64,
    /// Longest such pause.
    pub retry_ms_max: u64,
    /// How often the journal is looked at when nobody says that there is news.
    pub tick_ms: u64,
}

impl WatcherDbConfig {
    /// Longest time for a question, whatever becomes of the connection: to get one, and for two queries.
    pub(super) const fn question_max(&self) -> Duration {
        let queries_ms = self.query_ms_max.saturating_mul(2);
        Duration::from_millis(self.connect_ms_max.saturating_add(queries_ms))
    }

    /// Longest time for the writer's opening of the database, and for a batch: as long as its slowest statement may take, twice.
    pub(super) const fn batch_max(&self) -> Duration {
        let statements_ms = self.write_ms_max.saturating_mul(2);
        Duration::from_millis(self.connect_ms_max.saturating_add(statements_ms))
    }
}

impl Default for WatcherDbConfig {
    fn default() -> Self {
        Self {
            database_url: DatabaseUrl::default(),
            database_read_url: DatabaseUrl::default(),
            connections_max: 10,
            connect_ms_max: 5_000,
            query_ms_max: 10_000,
            write_ms_max: 300_000,
            lag_blocks_max: 100,
            batch_entries_max: 1_024,
            batch_txs_max: 65_536,
            retry_ms_min: 200,
            retry_ms_max: 30_000,
            tick_ms: 1_000,
        }
    }
}
