//! Keeps the fees in force: watches the specification file, and lets [`FeeServer`] decide what is accepted (protocol 3.3).
//!
//! A file that cannot be used changes nothing but an alarm. The first one must be good: without fees nothing can be accepted.

use plasma_core::fees::{
    AcceptedFees, FeeParseErrors, FeeServer, FeeSpecs, FeeTolerance, parse_fee_specs,
};
use plasma_node::alarms::{Alarm, Alarms};
use plasma_node::supervisor::Nursery;
use plasma_node::worker::Worker;
use std::convert::Infallible;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::Instant;

/// Largest fee specification that is read; the parser has the same limit.
const FEE_SPECS_BYTES_MAX: u64 = 16 << 20;
/// How often a fee that is being phased out is looked at.
const BUFFER_TICK_MS: u64 = 200;

/// The fees in force.
#[derive(Clone, Debug)]
pub struct Fees {
    /// What the operator asks.
    pub specs: Arc<FeeSpecs>,
    /// What is accepted.
    pub accepted: Arc<AcceptedFees>,
}

/// The fee specification cannot be used.
#[derive(Debug, Error)]
pub enum FeeSpecsError {
    /// The file cannot be read.
    #[error("the fee specification {} cannot be read: {error}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// What is in it is no specification.
    #[error("the fee specification {} is wrong: {errors}", path.display())]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Everything that is wrong with it.
        errors: FeeParseErrors,
    },
}

fn load(path: &Path) -> Result<FeeSpecs, FeeSpecsError> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FEE_SPECS_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| FeeSpecsError::Io { path: path.to_owned(), error })?;
    parse_fee_specs(&text).map_err(|errors| FeeSpecsError::Parse { path: path.to_owned(), errors })
}

/// How the file is watched.
#[derive(Clone, Debug)]
pub(crate) struct FeeFile {
    /// Where it is.
    pub path: PathBuf,
    /// Pause between two looks.
    pub poll_ms: u64,
    /// How long a replaced fee is accepted.
    pub buffer_ms: u64,
    /// How much more than asked is taken.
    pub tolerance: FeeTolerance,
}

/// Starts watching.
///
/// # Errors
/// [`FeeSpecsError`] when there is no usable specification to start with.
///
/// # After a restart
/// A fee that was being phased out is no longer accepted.
pub(crate) fn start_fee_server(
    file: FeeFile,
    alarms: Alarms,
    nursery: &mut Nursery,
) -> Result<watch::Receiver<Fees>, FeeSpecsError> {
    let server = FeeServer::new(load(&file.path)?, file.buffer_ms, file.tolerance);
    let (sender, receiver) = watch::channel(fees(&server));
    Worker::start("fee_server", nursery, run(file, server, sender, alarms));
    Ok(receiver)
}

fn fees(server: &FeeServer) -> Fees {
    Fees {
        specs: Arc::new(server.current().clone()),
        accepted: Arc::new(server.accepted().clone()),
    }
}

async fn run(
    file: FeeFile,
    mut server: FeeServer,
    sender: watch::Sender<Fees>,
    alarms: Alarms,
) -> Result<Infallible, Infallible> {
    let started = Instant::now();
    let now_ms = || u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut load_at_ms = 0;
    loop {
        let mut changed = server.on_tick(now_ms());
        if now_ms() >= load_at_ms {
            load_at_ms = now_ms().saturating_add(file.poll_ms);
            changed |= reload(&file, &mut server, &alarms, now_ms()).await;
        }
        if changed {
            sender.send_replace(fees(&server));
        }
        let pause_ms = BUFFER_TICK_MS.min(file.poll_ms.max(1));
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    }
}

async fn reload(file: &FeeFile, server: &mut FeeServer, alarms: &Alarms, now_ms: u64) -> bool {
    let path = file.path.clone();
    let loaded = tokio::task::spawn_blocking(move || load(&path)).await;
    match loaded {
        Ok(Ok(specs)) => {
            alarms.clear(Alarm::InvalidFeeSource);
            let changed = server.on_loaded(specs, now_ms);
            if changed {
                tracing::info!(path = %file.path.display(), "new fees are in force");
            }
            changed
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "the fees stay as they are");
            alarms.raise(Alarm::InvalidFeeSource);
            false
        }
        // The runtime is shutting down.
        Err(_) => false,
    }
}
