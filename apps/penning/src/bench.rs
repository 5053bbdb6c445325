//! `penning bench`: how fast this program is on this machine, as a share of what its processors allow (docs/performance-payments.md).
//!
//! Every transaction costs a signature recovery, and nothing makes that cheaper, so the recoveries that all cores manage together
//! are the bound. Nothing may be measured that users do not get: real nodes, real stores on disk, real sockets, and an answer only
//! counts when it is durable. Signing is the users' work and never part of a time.
//!
//! ```text
//! operator + watcher in this process ─► rounds ┐
//! a store with millions of outputs ─► store    ├─► report ─► table │ JSON │ docs/performance-payments.md
//! /proc ─► machine                             ┘
//! ```
//! With `--exits` it measures something else instead: a watcher with thousands of open exits (docs/performance-exits.md); with
//! `--subscribers` how soon thousands of subscribers hear of a block (docs/performance-subscriptions.md); with
//! `--database`, the WatcherDB (docs/performance-database.md).

mod bound;
mod clock;
mod database;
mod drive;
mod exits;
mod machine;
mod network;
mod report;
mod rounds;
mod store;
mod subscribers;
#[cfg(test)]
mod tests;
mod workload;

use crate::nodes::run_system;
use crate::output::Out;
use anyhow::{Context, Result};
use clap::Args;
use exits::ExitSizes;
use machine::{Machine, PeakMemory};
use plasma_node::telemetry::{LogFormat, init_logging};
use report::Report;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use subscribers::SubscriberSizes;
use tempfile::TempDir;

/// Measure this program on this machine
///
/// Throughput is compared with the signature recoveries that all cores manage in the same run. Takes some minutes and some gigabytes
/// on disk. Nothing else should be running.
#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    /// Write the results as a document (Markdown)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Smaller numbers everywhere: for a first look, not for comparisons
    #[arg(long)]
    quick: bool,
    /// Measure a watcher with 10,000 open exits and a million transactions instead
    #[arg(long)]
    exits: bool,
    /// Measure the WatcherDB instead: indexing full blocks into a PostgreSQL, and questions meanwhile
    ///
    /// Uses the database of DATABASE_URL, which has to be empty, or a PostgreSQL of its own.
    #[arg(long, conflicts_with_all = ["exits", "subscribers"])]
    database: bool,
    /// With --database: how many transactions there are when questions are asked
    #[arg(long, value_name = "COUNT", requires = "database")]
    transactions: Option<u64>,
    /// Measure how soon so many subscribers hear of a block instead; 10,000 fit
    #[arg(long, value_name = "NUMBER", conflicts_with = "exits", value_parser = positive)]
    subscribers: Option<usize>,
    /// Be the subscribers of a bench: how it starts itself
    #[arg(long, value_name = "ADDRESS", hide = true, requires = "subscribers")]
    listen_to: Option<SocketAddr>,
    /// Blocks that the subscribers are told of
    #[arg(long, value_name = "NUMBER", hide = true, requires = "subscribers")]
    blocks: Option<usize>,
    /// Print the results as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the stores are made; they are removed afterwards [default: the folder for temporary files]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

/// How much of everything.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// How often each part is measured.
    rounds: usize,
    /// Recoveries in one measurement of the bound.
    recoveries: usize,
    /// Payments in one measurement of a throughput, and so in a block.
    payments: usize,
    /// Payments that are submitted one by one.
    single_payments: usize,
    /// Unspent outputs in the big store.
    utxos: u64,
}

/// One short of a full block, which the node would form by itself.
const BLOCK_PAYMENTS: usize = 65_530;

impl Sizes {
    const FULL: Self = Self {
        rounds: 5,
        recoveries: 65_536,
        payments: BLOCK_PAYMENTS,
        single_payments: 8_192,
        utxos: 10_000_000,
    };
    const QUICK: Self = Self { rounds: 2, single_payments: 2_048, utxos: 1_000_000, ..Self::FULL };
}

const EXITS_FULL: ExitSizes =
    ExitSizes { payments: BLOCK_PAYMENTS, blocks: 16, exits: 10_000, calls: 400 };
const EXITS_QUICK: ExitSizes = ExitSizes { payments: 20_000, blocks: 5, exits: 5_000, calls: 200 };

/// Blocks that subscribers are told of.
const SUBSCRIBER_BLOCKS: usize = 20;

fn positive(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "a number from 1 on is needed".to_owned())
}

impl BenchArgs {
    pub(crate) fn run(self) -> Result<()> {
        // Thousands of exits are wrong on purpose.
        let filter = if self.exits { "error,watcher::eventer=off" } else { "error" };
        init_logging(LogFormat::Text, filter).context("logging cannot be started")?;
        let out = Out::new(self.json);
        let blocks = self.blocks.unwrap_or(SUBSCRIBER_BLOCKS);
        if let (Some(addr), Some(subscribers)) = (self.listen_to, self.subscribers) {
            return subscribers::listen_as_child(addr, subscribers, blocks);
        }
        let sizes = if self.quick { Sizes::QUICK } else { Sizes::FULL };
        let parent = self.data_dir.unwrap_or_else(std::env::temp_dir);
        if self.database {
            let quick = if self.quick { 500_000 } else { 5_000_000 };
            let report = database::measure(self.transactions.unwrap_or(quick), &parent, out)?;
            write(self.out.as_deref(), &report.document())?;
            return out.finish(&report);
        }
        let report = match (self.subscribers, self.exits, self.quick) {
            (Some(subscribers), _, _) => {
                let sizes = SubscriberSizes { subscribers, blocks, is_apart: true };
                measure_subscribers(sizes, &parent, out)?
            }
            (None, false, _) => measure(sizes, &parent, out)?,
            (None, true, false) => measure_exits(EXITS_FULL, &parent, out)?,
            (None, true, true) => measure_exits(EXITS_QUICK, &parent, out)?,
        };
        write(self.out.as_deref(), &report.document())?;
        out.finish(&report)
    }
}

fn write(path: Option<&Path>, document: &str) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    std::fs::write(path, document).with_context(|| format!("{} cannot be written", path.display()))
}

fn folder_in(parent: &Path) -> Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("penning-bench-").tempdir_in(parent);
    folder.with_context(|| format!("no folder in {}", parent.display()))
}

/// Measures a watcher with many open exits, with stores in folders below `parent`.
fn measure_exits(sizes: ExitSizes, parent: &Path, out: Out) -> Result<Report> {
    let machine = Machine::look(parent);
    let folder = folder_in(parent)?;
    let (figures, memory) = exits::measure(sizes, folder.path(), out)?;
    Ok(Report::of_exits(machine, sizes, &figures, memory))
}

/// Measures a server with many subscribers.
fn measure_subscribers(sizes: SubscriberSizes, parent: &Path, out: Out) -> Result<Report> {
    let machine = Machine::look(parent);
    let (figures, memory) = subscribers::measure(sizes, out)?;
    Ok(Report::of_subscribers(machine, sizes, figures, memory))
}

/// Measures everything else, with stores in folders below `parent`.
fn measure(sizes: Sizes, parent: &Path, out: Out) -> Result<Report> {
    let machine = Machine::look(parent);
    let mut memory = PeakMemory::default();
    let folder = folder_in(parent)?;
    let nodes = folder.path().to_owned();
    let (rounds, mut memory) = {
        let (send, receive) = std::sync::mpsc::channel();
        run_system(async move {
            let rounds = network::with_network(&nodes, async |network| {
                rounds::run(sizes, network, &mut memory, out).await
            });
            let rounds = Box::pin(rounds).await?;
            // The receiver is in the caller's frame.
            let _ = send.send((rounds, memory));
            Ok(())
        })?;
        receive.recv().context("nothing was measured")?
    };
    let store = store::measure(folder.path(), sizes.utxos, out)?;
    memory.note("store");
    Ok(Report::new(machine, sizes, &rounds, &store, memory))
}
