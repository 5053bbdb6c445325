//! How fast the WatcherDB takes full blocks, and how fast it answers while it does.
//!
//! The chain is made up, deterministically and on demand, so that nothing but the database is measured: no signature is recovered, no
//! root computed. Everything else is what a watcher does: rows are made from signed bytes, and written by the writer that nodes run.

mod chain;

use super::machine::Machine;
use crate::nodes::run_system;
use crate::output::Out;
use anyhow::{Context, Result};
use chain::{BLOCK_TXS, MadeUp};
use plasma_core::wire::{Blknum, ETH, U256};
use plasma_rpc::info::{Paging, TransactionsParams};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use watcher::info_api::InfoReads;
use watcher::watcher_db::embedded::{
    DATABASE_URL_ENV, EmbeddedConfig, EmbeddedPostgres, find_postgres,
};
use watcher::watcher_db::{Identity, WatcherDb, WatcherDbConfig, start_watcher_db};

/// Blocks that are indexed while questions are asked.
const BUSY_BLOCKS: u64 = 8;
/// Who asks at the same time.
const ASKERS: u64 = 2;

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct DatabaseReport {
    machine: Machine,
    /// Transactions when questions are asked.
    transactions: u64,
    first_blocks_txs_per_s: u64,
    last_blocks_txs_per_s: u64,
    all_blocks_txs_per_s: u64,
    busy_txs_per_s: u64,
    questions: Vec<Question>,
}

#[derive(Clone, Debug, Serialize)]
struct Question {
    name: &'static str,
    calls: usize,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

/// Measures at so many transactions.
pub(super) fn measure(transactions: u64, parent: &Path, out: Out) -> Result<DatabaseReport> {
    let machine = Machine::look(parent);
    let folder = super::folder_in(parent)?;
    let own = match crate::secrets::environment(DATABASE_URL_ENV) {
        Some(_) => None,
        None => Some(start(folder.path())?),
    };
    let url = match &own {
        Some(server) => server.url("postgres"),
        None => crate::secrets::environment(DATABASE_URL_ENV).unwrap_or_default(),
    };
    let (send, receive) = std::sync::mpsc::channel();
    run_system(async move {
        let report = run(transactions, machine, url, out).await?;
        // The receiver is in the caller's frame.
        let _ = send.send(report);
        Ok(())
    })?;
    if let Some(server) = own {
        server.stop()?;
    }
    receive.recv().context("nothing was measured")
}

fn start(folder: &Path) -> Result<EmbeddedPostgres> {
    let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let native = find_postgres(&[PathBuf::from("."), repository])?;
    let data_dir = folder.join("postgres");
    // Whoever runs it as an ordinary user has to get there.
    #[cfg(unix)]
    std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let config = EmbeddedConfig { native, data_dir, port: None, is_durable: true };
    Ok(EmbeddedPostgres::start(&config)?)
}

async fn run(transactions: u64, machine: Machine, url: String, out: Out) -> Result<DatabaseReport> {
    let blocks = transactions.div_ceil(BLOCK_TXS).max(2);
    let chain = Arc::new(MadeUp::default());
    let identity = Identity { chain_id: 1, plasma_framework: chain::account(0) };
    let config = WatcherDbConfig {
        database_url: url.into(),
        lag_blocks_max: u64::MAX,
        ..WatcherDbConfig::default()
    };
    let (db, writer) = start_watcher_db(config, identity, chain.clone(), chain.news())?;
    let writer = tokio::spawn(async move {
        writer.await;
    });
    let mut seconds = Vec::new();
    out.progress("indexing deposits");
    index(&db, &chain, 0).await?;
    for block in 1..=blocks {
        let took = index(&db, &chain, block).await?;
        seconds.push(took);
        let speed = per_s(BLOCK_TXS, took);
        out.progress(format_args!("block {block} of {blocks}: {speed} transactions per second"));
    }
    out.progress("asking while blocks are indexed");
    let is_over = Arc::new(AtomicBool::new(false));
    let askers: Vec<_> = (0..ASKERS)
        .map(|seed| tokio::spawn(ask(db.clone(), blocks, seed, is_over.clone())))
        .collect();
    let started = Instant::now();
    for block in 1..=BUSY_BLOCKS {
        index(&db, &chain, blocks.saturating_add(block)).await?;
    }
    let busy = started.elapsed();
    is_over.store(true, Ordering::Relaxed);
    let mut latencies = BTreeMap::<&'static str, Vec<Duration>>::new();
    for asker in askers {
        for (name, mut found) in asker.await?? {
            latencies.entry(name).or_default().append(&mut found);
        }
    }
    writer.abort();
    let some = seconds.len().min(5);
    let speed = |part: &[Duration]| {
        per_s(BLOCK_TXS.saturating_mul(u64::try_from(part.len()).unwrap_or(1)), part.iter().sum())
    };
    Ok(DatabaseReport {
        machine,
        transactions: blocks.saturating_mul(BLOCK_TXS),
        first_blocks_txs_per_s: speed(seconds.get(..some).unwrap_or_default()),
        last_blocks_txs_per_s: speed(
            seconds.get(seconds.len().saturating_sub(some)..).unwrap_or_default(),
        ),
        all_blocks_txs_per_s: speed(&seconds),
        busy_txs_per_s: per_s(BLOCK_TXS.saturating_mul(BUSY_BLOCKS), busy),
        questions: latencies.into_iter().map(|(name, found)| Question::of(name, found)).collect(),
    })
}

/// Lets the writer see a block, and waits until it is in the database.
async fn index(db: &WatcherDb, chain: &MadeUp, block: u64) -> Result<Duration> {
    let started = Instant::now();
    let head = chain.reveal(block);
    let mut status = db.status_watch();
    let done = |status: &watcher::watcher_db::WatcherDbStatus| {
        status.position.is_some_and(|position| position.seq.0 >= head)
    };
    let broken = |status: &watcher::watcher_db::WatcherDbStatus| {
        status.reason.as_ref().is_some_and(|reason| !reason.contains("not opened yet"))
    };
    let status = status.wait_for(|status| done(status) || broken(status)).await?.clone();
    if let Some(reason) = status.reason {
        anyhow::bail!("{reason}");
    }
    Ok(started.elapsed())
}

/// Asks one question after the other about random accounts and transactions.
async fn ask(
    db: WatcherDb,
    blocks: u64,
    seed: u64,
    is_over: Arc<AtomicBool>,
) -> Result<BTreeMap<&'static str, Vec<Duration>>> {
    let mut latencies = BTreeMap::<&'static str, Vec<Duration>>::new();
    let mut random = seed.wrapping_add(1);
    while !is_over.load(Ordering::Relaxed) {
        for name in QUESTIONS {
            random = chain::mixed(random);
            let started = Instant::now();
            question(&db, name, blocks, random).await?;
            latencies.entry(name).or_default().push(started.elapsed());
        }
    }
    Ok(latencies)
}

const QUESTIONS: [&str; 9] = [
    "account.get_balance",
    "account.get_utxos",
    "account.get_transactions",
    "transaction.get",
    "transaction.all, newest",
    "transaction.all, block and type",
    "coins for a payment",
    "block.all",
    "stats.get",
];

async fn question(db: &WatcherDb, name: &str, blocks: u64, random: u64) -> Result<()> {
    let account = chain::account(random);
    let blknum = random.checked_rem(blocks).unwrap_or_default().saturating_add(1);
    let page = TransactionsParams { paging: Paging::first(50), ..TransactionsParams::default() };
    match name {
        "account.get_balance" => drop(db.balance(account).await?),
        "account.get_utxos" => drop(db.utxos(account, &Paging::first(200)).await?),
        "account.get_transactions" => {
            let params = TransactionsParams { address: Some(account), ..page };
            drop(db.transactions(&params).await?);
        }
        "transaction.get" => {
            let txhash = chain::txhash(blknum, random >> 20);
            let found = db.transaction(txhash).await?;
            anyhow::ensure!(found.is_some(), "a transaction is missing");
        }
        "transaction.all, newest" => drop(db.transactions(&page).await?),
        "transaction.all, block and type" => {
            let blknum = Some(Blknum::new(blknum.saturating_mul(1_000)));
            let params = TransactionsParams { blknum, txtypes: vec![1], ..page };
            drop(db.transactions(&params).await?);
        }
        "coins for a payment" => {
            drop(InfoReads::spendable(db, account, ETH, U256::from(7), 200).await?);
        }
        "block.all" => drop(db.blocks(&Paging::first(100)).await?),
        _ => drop(db.stats(chain::NOW_S).await?),
    }
    Ok(())
}

fn per_s(count: u64, took: Duration) -> u64 {
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    count.saturating_mul(1_000).checked_div(ms).unwrap_or_default()
}

impl Question {
    fn of(name: &'static str, mut found: Vec<Duration>) -> Self {
        found.sort_unstable();
        let at = |share: usize| {
            let index = found.len().saturating_mul(share).div_ceil(1_000).saturating_sub(1);
            found.get(index).copied().unwrap_or_default().as_secs_f64() * 1_000.0
        };
        Self { name, calls: found.len(), p50_ms: at(500), p99_ms: at(990), max_ms: at(1_000) }
    }
}

impl DatabaseReport {
    /// As docs/performance-database.md has it.
    pub(super) fn document(&self) -> String {
        let machine = &self.machine;
        let mib = machine.memory_len >> 20;
        format!(
            "# Performance of the WatcherDB\n\n\
             Full blocks of {BLOCK_TXS} payments, each with one input and two outputs of other accounts, are indexed by the writer of the\n\
             watcher into a PostgreSQL on the same machine. Then {ASKERS} clients ask one question after the other about random accounts and\n\
             transactions, while {BUSY_BLOCKS} more such blocks are indexed as fast as it goes. Lists are pages of 50 transactions, 100 blocks or\n\
             200 outputs. The chain is made up on demand, which costs time of the same processors.\n\n\
             | | |\n|---|---|\n| command | `{}` |\n| date | {} |\n| commit | {} ({}) |\n| processor | {}, {} cores |\n| memory | {mib} MiB |\n\
             | kernel | {} |\n| file system | {} |\n| load before | {} |\n\n{self}\n",
            machine.command,
            machine.date,
            machine.commit,
            machine.build,
            machine.cpu,
            machine.cores,
            machine.kernel,
            machine.file_system,
            machine.load,
        )
    }
}

impl fmt::Display for DatabaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| indexing | transactions per second |\n|---|---|")?;
        writeln!(f, "| the first blocks | {} |", self.first_blocks_txs_per_s)?;
        writeln!(
            f,
            "| the last blocks before {} transactions | {} |",
            self.transactions, self.last_blocks_txs_per_s
        )?;
        writeln!(f, "| all of them | {} |", self.all_blocks_txs_per_s)?;
        writeln!(f, "| while questions are asked | {} |", self.busy_txs_per_s)?;
        writeln!(
            f,
            "\n| question, at {} transactions | p50 | p99 | max | calls |\n|---|---|---|---|---|",
            self.transactions
        )?;
        for question in &self.questions {
            let Question { name, calls, p50_ms, p99_ms, max_ms } = question;
            writeln!(f, "| {name} | {p50_ms:.1} ms | {p99_ms:.1} ms | {max_ms:.1} ms | {calls} |")?;
        }
        Ok(())
    }
}
