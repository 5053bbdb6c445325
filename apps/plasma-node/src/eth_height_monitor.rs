//! Watches how high the root chain is, and whether its node answers and keeps up (protocol 4.7).
//!
//! It must never end over a node that is away, and never report a height nobody saw. What a height means for whom is the
//! coordinator's business.

use crate::alarms::{Alarm, Alarms};
use crate::supervisor::Nursery;
use crate::telemetry::Metrics;
use crate::worker::Worker;
use plasma_core::wire::EthHeight;
use plasma_eth::RootChain;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often to look, and when to worry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EthHeightMonitorConfig {
    /// Pause between two looks at the root chain's height.
    pub poll_ms: u64,
    /// How long the height may stay the same before `ethereum_stalled_sync` is raised.
    pub stalled_ms: u64,
}

impl Default for EthHeightMonitorConfig {
    fn default() -> Self {
        Self { poll_ms: 1_000, stalled_ms: 60_000 }
    }
}

/// The newest height seen, `None` before the first.
pub type EthHeights = watch::Receiver<Option<EthHeight>>;

/// Starts watching.
pub fn start_eth_height_monitor(
    root_chain: Arc<dyn RootChain>,
    config: EthHeightMonitorConfig,
    alarms: Alarms,
    metrics: Metrics,
    nursery: &mut Nursery,
) -> EthHeights {
    let (sender, receiver) = watch::channel(None);
    let monitor = Monitor { root_chain, config, alarms, metrics, sender };
    Worker::start("eth_height_monitor", nursery, monitor.run());
    receiver
}

struct Monitor {
    root_chain: Arc<dyn RootChain>,
    config: EthHeightMonitorConfig,
    alarms: Alarms,
    metrics: Metrics,
    sender: watch::Sender<Option<EthHeight>>,
}

impl Monitor {
    async fn run(self) -> Result<Infallible, Infallible> {
        let mut risen_at = Instant::now();
        loop {
            match self.root_chain.eth_height().await {
                Ok(height) => {
                    self.alarms.clear(Alarm::EthereumConnectionError);
                    if self.sender.send_if_modified(|known| is_new(known, height)) {
                        risen_at = Instant::now();
                        self.metrics
                            .eth_height
                            .set(i64::try_from(height.get()).unwrap_or(i64::MAX));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the root chain's node does not tell its height");
                    self.alarms.raise(Alarm::EthereumConnectionError);
                }
            }
            let stalled = risen_at.elapsed() > Duration::from_millis(self.config.stalled_ms);
            self.alarms.set(Alarm::EthereumStalledSync, stalled);
            tokio::time::sleep(Duration::from_millis(self.config.poll_ms)).await;
        }
    }
}

/// Keeps the greatest height: nodes of a cluster may be a little behind each other.
fn is_new(known: &mut Option<EthHeight>, height: EthHeight) -> bool {
    let higher = known.is_none_or(|known| height > known);
    if higher {
        *known = Some(height);
    }
    higher
}
