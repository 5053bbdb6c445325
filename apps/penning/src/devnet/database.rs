//! The devnet's PostgreSQL: a cluster of its own in the data folder, or the database that `DATABASE_URL` names.

use super::chain::roots;
use super::folder::Folder;
use crate::secrets::environment;
use anyhow::{Context, Result};
use watcher::watcher_db::embedded::{
    DATABASE_URL_ENV, EmbeddedConfig, EmbeddedPostgres, find_postgres,
};

/// Database that every cluster has.
const DATABASE: &str = "postgres";

/// A running database.
pub(super) struct Database {
    url: String,
    /// Ours, unless somebody named another.
    server: Option<EmbeddedPostgres>,
}

impl Database {
    /// Starts the folder's cluster, on this port or a free one. Nothing is started where the environment names a database.
    pub(super) async fn start(folder: &Folder, port: Option<u16>) -> Result<Self> {
        if let Some(url) = environment(DATABASE_URL_ENV) {
            return Ok(Self { url, server: None });
        }
        let config = EmbeddedConfig {
            native: find_postgres(&roots())?,
            data_dir: folder.file("postgres"),
            port,
            is_durable: true,
        };
        let start = tokio::task::spawn_blocking(move || EmbeddedPostgres::start(&config));
        let server = start.await?.context("the devnet's database does not start")?;
        Ok(Self { url: server.url(DATABASE), server: Some(server) })
    }

    /// Where it is, with its password.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Ends what was started.
    pub(super) async fn stop(self) -> Result<()> {
        let Some(server) = self.server else {
            return Ok(());
        };
        let stopped = tokio::task::spawn_blocking(|| server.stop()).await?;
        stopped.context("the devnet's database did not stop")
    }
}
