//! One PostgreSQL for all tests of a process, and a database for each. Both test binaries of the watcher have it.

use sqlx::{Connection, Executor, PgConnection};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use tempfile::TempDir;
use watcher::watcher_db::WatcherDbConfig;
use watcher::watcher_db::embedded::{EmbeddedConfig, EmbeddedPostgres, find_postgres};

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

pub(crate) fn config(url: String) -> WatcherDbConfig {
    WatcherDbConfig {
        database_url: url.into(),
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
        let url = server.postgres.url(&name);
        let database = Self { config: config(url), _server: Some(server) };
        database.create().await;
        database
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.config.database_url).await.unwrap()
    }

    pub(crate) async fn run(&self, sql: &str) {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        self.connect().await.execute(sqlx::raw_sql(sql)).await.unwrap();
    }

    /// Ends it, whoever uses it: there is no such database any more.
    pub(crate) async fn remove(&self) {
        let (server, name) = self.config.database_url.rsplit_once('/').unwrap();
        let server = Self::at(format!("{server}/postgres"));
        server.run(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
    }

    /// Makes an empty one after [`Self::remove`].
    pub(crate) async fn create(&self) {
        let (server, name) = self.config.database_url.rsplit_once('/').unwrap();
        Self::at(format!("{server}/postgres")).run(&format!("CREATE DATABASE {name}")).await;
    }

    /// What a full disk looks like to a client: no batch can be written, everything else works.
    pub(crate) async fn take_writes_away(&self) {
        self.run("CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END $$; CREATE TRIGGER disk_is_full BEFORE UPDATE ON cursor FOR EACH ROW EXECUTE FUNCTION disk_is_full()").await;
    }

    /// Somebody made room.
    pub(crate) async fn give_writes_back(&self) {
        self.run("DROP TRIGGER disk_is_full ON cursor; DROP FUNCTION disk_is_full()").await;
    }

    /// One that is somewhere else.
    pub(crate) fn at(url: String) -> Self {
        Self { config: config(url), _server: None }
    }
}
