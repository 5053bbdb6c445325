//! What an operator can set, with the defaults of protocol section 8 where they still make sense.

use plasma_core::block_queue::BlockQueueConfig;
use plasma_core::eth_event_listener::EthEventListenerConfig;
use plasma_core::wire::Address;
use plasma_node::eth_height_monitor::EthHeightMonitorConfig;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// The whole configuration of a child chain node, apart from its store, its root chain and its keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChildChainConfig {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Name of the root chain in `configuration.get`, such as `MAINNET`.
    pub network: String,
    /// Owner of collected fees.
    #[serde(with = "plasma_rpc::json::hex")]
    pub fee_claimer: Address,
    /// The fee specification.
    pub fee_specs_path: PathBuf,
    /// Pause between two looks at the fee specification.
    pub fee_specs_poll_ms: u64,
    /// How long a fee is still accepted after it was replaced.
    pub fee_buffer_ms: u64,
    /// How much more than the fee is accepted, in percent of it. At 0 it is the rule of the protocol: exactly the fee.
    pub fee_overpay_percent_max: u32,
    /// Confirmations before a deposit can be spent. Watchers must use the same.
    pub deposit_finality_margin_eth_blocks: u64,
    /// Pause before the root chain is asked again when nothing changed.
    pub listener_tick_ms: u64,
    /// Blocks kept ready to be served, by number.
    pub fresh_blocks_max: usize,
    /// The same, by bytes of JSON.
    pub fresh_blocks_bytes_max: usize,
    /// How root chain events are read.
    pub listener: EthEventListenerConfig,
    /// How the root chain's height is watched.
    pub eth_height_monitor: EthHeightMonitorConfig,
    /// When blocks are formed and how they are submitted.
    pub block_queue: BlockQueueConfig,
}

impl Default for ChildChainConfig {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 9_656).into(),
            network: "LOCALCHAIN".to_owned(),
            fee_claimer: Address::zero(),
            fee_specs_path: "priv/fee_specs.json".into(),
            fee_specs_poll_ms: 10_000,
            fee_buffer_ms: 30_000,
            fee_overpay_percent_max: 0,
            deposit_finality_margin_eth_blocks: 10,
            listener_tick_ms: 1_000,
            fresh_blocks_max: 100,
            fresh_blocks_bytes_max: 256 << 20,
            listener: EthEventListenerConfig::default(),
            eth_height_monitor: EthHeightMonitorConfig::default(),
            block_queue: BlockQueueConfig::default(),
        }
    }
}
