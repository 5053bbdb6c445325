//! How soon thousands of subscribers hear of a block, and what they cost while nothing happens.
//!
//! The server is the one of every node, with its default limits; its log is in memory, so that only the way from the log to the
//! subscribers is measured. The subscribers are real sockets in a process of their own, on the same processors: a time ends when a
//! subscriber has read the whole notification.
//!
//! ```text
//! log ─► server (this process) ─► loopback ─► listeners (another process) ─► times
//! ```

mod listeners;
mod log;

pub(super) use listeners::listen_as_child;

use super::machine::{PeakMemory, resident_len};
use crate::output::Out;
use anyhow::{Context, Result, ensure};
use listeners::{Heard, listen};
use log::BenchLog;
use plasma_rpc::Service;
use plasma_rpc::server::{Events, MethodTable, Probes, Server, ServerConfig};
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// Pause between two blocks: longer than it takes to tell everybody of one.
const PAUSE: Duration = Duration::from_millis(1_500);
/// Nothing takes longer; if it does, something is broken.
const PATIENCE: Duration = Duration::from_secs(300);

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub(super) struct SubscriberSizes {
    /// Sockets, each with one subscription.
    pub(super) subscribers: usize,
    /// Blocks that they are told of.
    pub(super) blocks: usize,
    /// Whether the subscribers have a process of their own.
    pub(super) is_apart: bool,
}

/// Everything that came out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SubscriberFigures {
    /// From the append to the receipt, in milliseconds: half, 99 of 100, all.
    pub(super) latency_ms: [f64; 3],
    /// Memory of the process before anybody connected, with everybody idle, and after all blocks, in bytes.
    pub(super) resident_len: [u64; 3],
}

/// Measures.
pub(super) fn measure(sizes: SubscriberSizes, out: Out) -> Result<(SubscriberFigures, PeakMemory)> {
    let runtime = tokio::runtime::Runtime::new().context("the runtime cannot be started")?;
    runtime.block_on(measure_on(sizes, out))
}

async fn measure_on(sizes: SubscriberSizes, out: Out) -> Result<(SubscriberFigures, PeakMemory)> {
    let mut memory = PeakMemory::default();
    let log = Arc::new(BenchLog::default());
    let mut config = ServerConfig::new(([127, 0, 0, 1], 0).into(), crate::nodes::version());
    config.events = Events::of(Arc::clone(&log) as _);
    let enough = sizes.subscribers <= config.limits.websockets_max;
    ensure!(enough, "a server takes {} WebSockets at most", config.limits.websockets_max);
    let probes = Probes::new("watcher", Vec::new, String::new);
    let table = MethodTable::new(Service::Watcher, Arc::new(()));
    let server = Server::start(config, table, probes).await?;
    let before = resident_len();
    out.progress(format!("connecting {} subscribers", sizes.subscribers));
    let (ready, is_ready) = oneshot::channel();
    let heard = tokio::spawn(subscribers(sizes, server.local_addr(), ready));
    timeout(PATIENCE, is_ready).await.context("not everybody got a connection")??;
    memory.note("connecting");
    // Everything that was needed for connecting is given back.
    sleep(PAUSE).await;
    let idle = resident_len();
    out.progress(format!("telling them of {} blocks", sizes.blocks));
    for _ in 0..sizes.blocks {
        log.append();
        sleep(PAUSE).await;
    }
    let heard = timeout(PATIENCE, heard).await.context("not everybody was told")???;
    memory.note("blocks");
    let latency_ms = heard.latency_us.map(|us| f64::from(us) / 1_000.0);
    let figures = SubscriberFigures { latency_ms, resident_len: [before, idle, resident_len()] };
    server.stop().await;
    Ok((figures, memory))
}

/// Runs the subscribers, and says when all are there.
async fn subscribers(
    sizes: SubscriberSizes,
    addr: SocketAddr,
    ready: oneshot::Sender<()>,
) -> Result<Heard> {
    // Whoever waits for it has gone when nobody hears this.
    let say_ready = || {
        let _ = ready.send(());
    };
    if !sizes.is_apart {
        return listen(addr, sizes.subscribers, sizes.blocks, say_ready).await;
    }
    let program = std::env::current_exe().context("this program cannot be started again")?;
    let mut child = Command::new(program)
        .args(["bench", "--subscribers", &sizes.subscribers.to_string()])
        .args(["--listen-to", &addr.to_string(), "--blocks", &sizes.blocks.to_string()])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("the subscribers cannot be started")?;
    let output = child.stdout.take().context("the subscribers say nothing")?;
    let mut lines = BufReader::new(output).lines();
    lines.next_line().await?.context("not everybody got a connection")?;
    say_ready();
    let heard = lines.next_line().await?.context("the subscribers gave up")?;
    child.wait().await.context("the subscribers do not end")?;
    serde_json::from_str(&heard).context("the subscribers say something strange")
}
