//! What the runner of a watcher can set, with the defaults of protocol section 8 where they still make sense.

use plasma_core::block_getter::BlockGetterConfig;
use plasma_core::eth_event_listener::EthEventListenerConfig;
use plasma_core::exit_processor::ExitProcessorConfig;
use plasma_core::sentinel::SentinelConfig;
use plasma_node::eth_height_monitor::EthHeightMonitorConfig;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};

/// The whole configuration of a watcher, apart from its store and its root chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WatcherConfig {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Name of the root chain in `configuration.get`, such as `MAINNET`.
    pub network: String,
    /// Base URL of the operator.
    pub child_chain_url: String,
    /// Confirmations before a deposit can be spent. The operator must use the same.
    pub deposit_finality_margin_eth_blocks: u64,
    /// Confirmations before an event of an exit counts.
    pub exit_finality_margin_eth_blocks: u64,
    /// Root chain blocks within which an invalid exit should be challenged; later the chain counts as unsafe.
    pub exit_processor_sla_margin_eth_blocks: u64,
    /// Start even if that margin is longer than an exit takes.
    pub exit_processor_sla_margin_forced: bool,
    /// Usual time between two root chain blocks, to compare that margin with.
    pub eth_block_time_ms: u64,
    /// How long a submitted block may be unavailable before it counts as withheld.
    pub withholding_ms_max: u64,
    /// Most downloads at one time.
    pub downloads_max: usize,
    /// Most blocks in memory that are not applied yet.
    pub unapplied_blocks_max: usize,
    /// Transactions in such blocks from which on nothing but the next block is downloaded. Each takes up to 1.5 KiB.
    pub unapplied_txs_max: usize,
    /// Longest time for one attempt to download a block.
    pub download_ms_max: u64,
    /// Longest time for the operator to answer a submission that is forwarded.
    pub submit_ms_max: u64,
    /// Pause after the first failed download of a block; it doubles.
    pub download_retry_ms_min: u64,
    /// Longest such pause.
    pub download_retry_ms_max: u64,
    /// How much of known root chain history is read again for submissions, because it may have changed.
    pub reorg_margin_eth_blocks: u64,
    /// Most outputs in one answer of `account.get_exitable_utxos`.
    pub exitable_utxos_max: usize,
    /// Pause before the root chain or the operator is asked again when nothing changed.
    pub tick_ms: u64,
    /// How root chain events are read.
    pub listener: EthEventListenerConfig,
    /// How the root chain's height is watched.
    pub eth_height_monitor: EthHeightMonitorConfig,
    /// What the Sentinel may spend, where one runs.
    pub sentinel: SentinelConfig,
    /// The informational methods, where there is a database.
    pub info: InfoConfig,
}

/// How the informational methods are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InfoConfig {
    /// Where clients of the informational methods connect. All methods of the watcher are answered there as well.
    pub listen: SocketAddr,
    /// Pause between two looks at the operator's fees, whose changes are noted.
    pub fees_poll_ms: u64,
}

impl Default for InfoConfig {
    fn default() -> Self {
        Self { listen: (Ipv4Addr::LOCALHOST, 7_534).into(), fees_poll_ms: 10_000 }
    }
}

impl Default for WatcherConfig {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 7_434).into(),
            network: "LOCALCHAIN".to_owned(),
            child_chain_url: "http://127.0.0.1:9656".to_owned(),
            deposit_finality_margin_eth_blocks: 10,
            exit_finality_margin_eth_blocks: 12,
            exit_processor_sla_margin_eth_blocks: 5_520,
            exit_processor_sla_margin_forced: false,
            eth_block_time_ms: 12_000,
            withholding_ms_max: 15 * 60 * 60 * 1_000,
            downloads_max: 4,
            unapplied_blocks_max: 50,
            unapplied_txs_max: 400_000,
            download_ms_max: 120_000,
            submit_ms_max: 30_000,
            download_retry_ms_min: 500,
            download_retry_ms_max: 30_000,
            reorg_margin_eth_blocks: 200,
            exitable_utxos_max: 100_000,
            tick_ms: 1_000,
            listener: EthEventListenerConfig::default(),
            eth_height_monitor: EthHeightMonitorConfig::default(),
            sentinel: SentinelConfig::default(),
            info: InfoConfig::default(),
        }
    }
}

impl WatcherConfig {
    pub(crate) const fn block_getter(&self) -> BlockGetterConfig {
        BlockGetterConfig {
            downloads_max: self.downloads_max,
            unapplied_max: self.unapplied_blocks_max,
            unapplied_txs_max: self.unapplied_txs_max,
            withholding_ms_max: self.withholding_ms_max,
            retry_pause_ms_min: self.download_retry_ms_min,
            retry_pause_ms_max: self.download_retry_ms_max,
            reorg_margin_eth_blocks: self.reorg_margin_eth_blocks,
        }
    }

    pub(crate) const fn exit_processor(&self) -> ExitProcessorConfig {
        ExitProcessorConfig {
            sla_margin_eth_blocks: self.exit_processor_sla_margin_eth_blocks,
            exit_finality_margin_eth_blocks: self.exit_finality_margin_eth_blocks,
        }
    }
}
