//! The writer as a part of a node: runs beside the actors, and goes with them.

use super::{DatabaseUrlError, Identity, WatcherDb, WatcherDbConfig, start_watcher_db};
use plasma_store::Store;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Pause between two looks at who still reads the store.
const POLL_MS: u64 = 5;

/// A running writer. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct WatcherDbTask {
    writer: JoinHandle<()>,
    store: Arc<Store>,
}

impl WatcherDbTask {
    /// Starts a writer on the runtime it is called in; `None` where no database is configured.
    pub(crate) fn start(
        config: &WatcherDbConfig,
        identity: Identity,
        store: &Store,
        news: watch::Receiver<u64>,
    ) -> Result<Option<(WatcherDb, Self)>, DatabaseUrlError> {
        if config.database_url.is_empty() {
            return Ok(None);
        }
        let store = Arc::new(store.clone());
        let (db, writer) = start_watcher_db(config.clone(), identity, store.clone(), news)?;
        let writer = tokio::spawn(async move {
            writer.await;
        });
        Ok(Some((db, Self { writer, store })))
    }

    /// Ends it, and waits until it has let go of the store: another process may want to open it.
    pub(crate) async fn stop(mut self) {
        self.writer.abort();
        // It ends where it waits; a read of the journal that was begun goes on for a moment.
        let _ = (&mut self.writer).await;
        while Arc::strong_count(&self.store) > 1 {
            tokio::time::sleep(Duration::from_millis(POLL_MS)).await;
        }
    }
}

impl Drop for WatcherDbTask {
    fn drop(&mut self) {
        self.writer.abort();
    }
}
