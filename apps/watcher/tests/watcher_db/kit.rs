//! One PostgreSQL for all tests of the process, and a database for each.

use crate::journal::Chain;
use sqlx::{Connection, Executor, PgConnection, Row};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use watcher::watcher_db::embedded::{EmbeddedConfig, EmbeddedPostgres, find_postgres};
use watcher::watcher_db::{
    Identity, WatcherDb, WatcherDbConfig, WatcherDbStatus, rebuild, start_watcher_db,
};

/// Longest wait for anything here.
pub(crate) const WAIT: Duration = Duration::from_secs(60);

/// A server with its data. It ends with the last test that uses it, for nothing else is dropped when a process ends.
pub(crate) struct Server {
    pub(crate) postgres: EmbeddedPostgres,
    _folder: TempDir,
}

pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A server of one's own.
pub(crate) fn start_server(folder: &TempDir, port: Option<u16>) -> EmbeddedPostgres {
    use std::os::unix::fs::PermissionsExt;
    // Whoever runs it is not who made the folder.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let native = find_postgres(&[repository()]).unwrap();
    let data_dir = folder.path().join("postgres");
    EmbeddedPostgres::start(&EmbeddedConfig { native, data_dir, port, is_durable: false }).unwrap()
}

fn shared_server() -> Arc<Server> {
    static SERVER: OnceLock<Mutex<Weak<Server>>> = OnceLock::new();
    let mut server = SERVER.get_or_init(Mutex::default).lock().unwrap();
    if let Some(running) = server.upgrade() {
        return running;
    }
    let folder = TempDir::new().unwrap();
    let started = Arc::new(Server { postgres: start_server(&folder, None), _folder: folder });
    *server = Arc::downgrade(&started);
    started
}

/// A database of one's own on the shared server, or on the one in the environment.
pub(crate) struct Database {
    pub(crate) config: WatcherDbConfig,
    _server: Option<Arc<Server>>,
}

pub(crate) fn identity() -> Identity {
    Identity { chain_id: 31_337, plasma_framework: plasma_core::wire::Address::repeat_byte(9) }
}

pub(crate) fn config(url: String) -> WatcherDbConfig {
    WatcherDbConfig {
        database_url: url,
        retry_ms_min: 20,
        retry_ms_max: 200,
        tick_ms: 50,
        connect_ms_max: 5_000,
        ..WatcherDbConfig::default()
    }
}

impl Database {
    pub(crate) async fn new() -> Self {
        let server = tokio::task::spawn_blocking(shared_server).await.unwrap();
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut db = PgConnection::connect(&server.postgres.url("postgres")).await.unwrap();
        db.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        Self { config: config(server.postgres.url(&name)), _server: Some(server) }
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.config.database_url).await.unwrap()
    }

    pub(crate) async fn run(&self, sql: &str) {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        self.connect().await.execute(sqlx::raw_sql(sql)).await.unwrap();
    }

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

impl Database {
    /// One that is somewhere else.
    pub(crate) fn at(url: String) -> Self {
        Self { config: config(url), _server: None }
    }
}
