//! Chains followed into a database, and everything that is in it then.

use crate::journal::Chain;
use crate::postgres::Database;
use sqlx::Row;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use watcher::watcher_db::{Identity, WatcherDb, WatcherDbStatus, rebuild, start_watcher_db};

/// Longest wait for anything here.
pub(crate) const WAIT: Duration = Duration::from_secs(60);

pub(crate) fn identity() -> Identity {
    Identity { chain_id: 31_337, plasma_framework: plasma_core::wire::Address::repeat_byte(9) }
}

impl Database {
    /// Follows a chain until dropped.
    pub(crate) fn follow(&self, chain: &Chain) -> Follower {
        let config = self.config.clone();
        let source = Arc::new(chain.journal.clone());
        let (db, task) = start_watcher_db(config, identity(), source, chain.news()).unwrap();
        let task = tokio::spawn(async move {
            task.await;
        });
        Follower { db, task }
    }

    /// A database that was rebuilt from the same journal.
    pub(crate) async fn rebuilt(chain: &Chain, batch_entries_max: usize) -> Self {
        let mut database = Self::new().await;
        database.config.batch_entries_max = batch_entries_max;
        let source = Arc::new(chain.journal.clone());
        rebuild(database.config.clone(), identity(), source, |_| {}).await.unwrap();
        database
    }

    /// Every row of every table, as text, sorted.
    pub(crate) async fn rows(&self) -> Vec<String> {
        let mut db = self.connect().await;
        let mut rows = Vec::new();
        for table in [
            "cursor",
            "blocks",
            "transactions",
            "txoutputs",
            "account_transactions",
            "ethevents",
            "ethevents_txoutputs",
            "unlinked_piggybacks",
        ] {
            let sql = format!("SELECT row_to_json(t)::text FROM {table} t");
            let found = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut db).await.unwrap();
            rows.extend(found.iter().map(|row| format!("{table} {}", row.get::<String, _>(0))));
        }
        rows.sort();
        rows
    }
}

/// A running writer.
pub(crate) struct Follower {
    pub(crate) db: WatcherDb,
    task: JoinHandle<()>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Follower {
    /// Waits until the status is as wanted.
    pub(crate) async fn until(
        &self,
        what: &str,
        is_so: impl Fn(&WatcherDbStatus) -> bool,
    ) -> WatcherDbStatus {
        let mut watch = self.db.status_watch();
        let waiting = tokio::time::timeout(WAIT, watch.wait_for(|status| is_so(status)));
        match waiting.await {
            Ok(status) => status.unwrap().clone(),
            Err(_) => panic!("not {what}: {:?}", self.db.status()),
        }
    }

    /// Waits until everything in the journal is in the database.
    pub(crate) async fn caught_up(&self, chain: &Chain) {
        use watcher::watcher_db::JournalSource;
        let head = chain.journal.journal_head().unwrap();
        self.until("caught up", |status| {
            status.reason.is_none() && status.position.is_some_and(|position| position.seq == head)
        })
        .await;
    }
}

pub(crate) fn assert_same(found: &[String], expected: &[String]) {
    for row in found {
        assert!(expected.binary_search(row).is_ok(), "not after a rebuild: {row}");
    }
    for row in expected {
        assert!(found.binary_search(row).is_ok(), "only after a rebuild: {row}");
    }
    assert_eq!(found.len(), expected.len());
}

impl Follower {
    pub(crate) const fn new(db: WatcherDb, task: JoinHandle<()>) -> Self {
        Self { db, task }
    }
}
