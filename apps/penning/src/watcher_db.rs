//! `penning watcher-db`: a look at the database of a watcher, its rebuild from the store, and whether it is what that would give.

mod report;

use crate::failure::Failure;
use crate::nodes::{NodeArgs, open_store};
use crate::output::Out;
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use plasma_eth::Deployment;
use plasma_store::{NodeKind, Store};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use watcher::WatcherConfig;
use watcher::watcher_db::embedded::DATABASE_URL_ENV;
use watcher::watcher_db::{
    Identity, Inspection, WatcherDbConfig, WatcherDbStatus, WriteError, check, inspect, rebuild,
};

/// What can be done with it.
#[derive(Debug, Subcommand)]
pub(crate) enum WatcherDbCommand {
    /// Drop everything that comes from the chain, and read the watcher's store again
    ///
    /// Stop the watcher first: its store can be open once only. Takes the settings of `penning watcher`. History of fees is kept. When it
    /// is interrupted, the watcher goes on from where it was.
    Rebuild(WatcherDbArgs),
    /// Prove, row by row, that the database is what a rebuild from the watcher's store would give
    ///
    /// Stop the watcher first: its store can be open once only. Takes the settings of `penning watcher`. Rebuilds into a schema of its own,
    /// penning_check, compares every table both ways as far as the database is, says for each how many rows are missing, too many or
    /// changed and which is the first, and drops that schema, also one that a crash left behind. Needs the right to create a schema, and
    /// room for a second copy. Fails with watcher_db:differs when a row differs. History of fees is not from the chain, and not compared.
    Check(WatcherDbArgs),
    /// Say whose the database is, how far it is, and whether somebody writes into it now
    ///
    /// Changes nothing, and may be asked at any time. Takes the settings of `penning watcher`.
    Status(WatcherDbArgs),
}

/// What all are told.
#[derive(Args, Debug)]
pub(crate) struct WatcherDbArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What is printed.
#[derive(Serialize)]
struct Report {
    /// `false` where no watcher has ever written.
    exists: bool,
    chain_id: u64,
    plasma_framework: String,
    last_indexed_child_block_number: u64,
    journal_number: u64,
    blocks: u64,
    transactions: u64,
    has_writer: bool,
}

impl WatcherDbCommand {
    /// Whether scripts read what it prints.
    pub(crate) const fn is_json(&self) -> bool {
        match self {
            Self::Rebuild(args) | Self::Check(args) | Self::Status(args) => args.json,
        }
    }

    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Rebuild(args) => args.rebuild().await,
            Self::Check(args) => args.check().await,
            Self::Status(args) => args.status().await,
        }
    }
}

impl WatcherDbArgs {
    async fn status(self) -> Result<()> {
        let Some((_, config)) = self.node.settings("PENNING_WATCHER", &WatcherConfig::default())?
        else {
            return Ok(());
        };
        let found = inspect(&database(config.watcher_db)?).await?;
        Out::new(self.json).finish(&Report::of(found))
    }

    async fn rebuild(self) -> Result<()> {
        let Some(Stopped { config, identity, store }) = self.stopped()? else {
            return Ok(());
        };
        let out = Out::new(self.json);
        out.progress("dropping what comes from the chain, and reading the store again");
        rebuild(config.clone(), identity, store, progress(out)).await?;
        out.finish(&Report::of(inspect(&config).await?))
    }

    async fn check(self) -> Result<()> {
        let Some(Stopped { config, identity, store }) = self.stopped()? else {
            return Ok(());
        };
        let out = Out::new(self.json);
        out.progress("reading the store again, beside the database");
        let checked = check(config, identity, store, progress(out)).await;
        report::tell(checked.map_err(report::cannot_check)?, self.json)
    }

    /// Opens what belongs to a watcher that does not run; `None` when the settings were only to be printed.
    fn stopped(&self) -> Result<Option<Stopped>> {
        let Some((place, config)) =
            self.node.settings("PENNING_WATCHER", &WatcherConfig::default())?
        else {
            return Ok(None);
        };
        let config = database(config.watcher_db)?;
        let shown = place.address_file.display();
        let deployment =
            Deployment::read(&place.address_file).with_context(|| format!("{shown}"))?;
        let store = open_store(&place.data_dir, NodeKind::Watcher, &deployment)
            .context("the store of the watcher cannot be opened: stop the watcher first")?;
        let identity = Identity {
            chain_id: deployment.chain_id,
            plasma_framework: deployment.addresses.plasma_framework,
        };
        Ok(Some(Stopped { config, identity, store: Arc::new(store) }))
    }
}

/// What a watcher that does not run has left.
struct Stopped {
    config: WatcherDbConfig,
    identity: Identity,
    store: Arc<Store>,
}

fn progress(out: Out) -> impl FnMut(&WatcherDbStatus) {
    move |status| {
        let (at, newest) = (status.last_indexed_blknum(), status.newest_blknum);
        out.progress(format_args!("block {at} of {newest}"));
    }
}

/// The stable code of a database that cannot be used.
pub(crate) const fn code(error: &WriteError) -> &'static str {
    match error {
        WriteError::Database(_) | WriteError::Timeout => "watcher_db:unavailable",
        WriteError::ForeignSchema(_) => "watcher_db:foreign_schema",
        WriteError::ForeignDeployment { .. } => "watcher_db:foreign_deployment",
        WriteError::ForeignJournal => "watcher_db:foreign_journal",
        WriteError::AnotherWriter | WriteError::CursorMoved => "watcher_db:another_writer",
        WriteError::MissingOutputs { .. } => "watcher_db:missing_outputs",
        WriteError::Source(_) | WriteError::Rows(_) => "watcher_db:bad_journal",
    }
}

/// The settings, with the URL of the environment where they have none.
pub(crate) fn or_environment(mut config: WatcherDbConfig) -> WatcherDbConfig {
    if config.database_url.is_empty() {
        config.database_url =
            crate::secrets::environment(DATABASE_URL_ENV).unwrap_or_default().into();
    }
    config
}

/// The same, for what is nothing without a database.
pub(crate) fn database(config: WatcherDbConfig) -> Result<WatcherDbConfig> {
    let config = or_environment(config);
    if config.database_url.is_empty() {
        let failure = Failure::new("settings:missing", "no database is given".to_owned());
        let next = "set DATABASE_URL, or watcher_db.database_url in the settings file";
        return Err(failure.next(next).into());
    }
    Ok(config)
}

impl Report {
    fn of(found: Option<Inspection>) -> Self {
        let exists = found.is_some();
        let found = found.unwrap_or(Inspection {
            chain_id: 0,
            plasma_framework: plasma_core::wire::Address::zero(),
            position: watcher::watcher_db::Position::default(),
            block_count: 0,
            transaction_count: 0,
            has_writer: false,
        });
        Self {
            exists,
            chain_id: found.chain_id,
            plasma_framework: format!("{:?}", found.plasma_framework),
            last_indexed_child_block_number: found.position.last_blknum.get(),
            journal_number: found.position.seq.0,
            blocks: found.block_count,
            transactions: found.transaction_count,
            has_writer: found.has_writer,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.exists {
            return f.write_str("no watcher has written into this database yet");
        }
        writeln!(f, "chain        {} {}", self.chain_id, self.plasma_framework)?;
        writeln!(f, "newest block {}", self.last_indexed_child_block_number)?;
        writeln!(f, "blocks       {}", self.blocks)?;
        writeln!(f, "transactions {}", self.transactions)?;
        writeln!(f, "journal      {}", self.journal_number)?;
        let writer = if self.has_writer {
            "a watcher writes into it now"
        } else {
            "nobody writes into it now"
        };
        f.write_str(writer)
    }
}
