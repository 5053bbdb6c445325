//! The answer of `status.get` (protocol 5.7).

use super::ByzantineEvent;
use crate::json::{Rendered, hex};
use plasma_core::wire::{Address, Blknum, EthHeight, TxHash};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The answer of `status.get`.
pub type Status = StatusWith<Vec<ByzantineEvent>, Vec<InFlightExitStatus>>;

/// The same with the two long lists as JSON that was rendered before.
pub type RenderedStatus =
    StatusWith<Rendered<Vec<ByzantineEvent>>, Rendered<Vec<InFlightExitStatus>>>;

/// How far a watcher is, and what is wrong with the chain. Timestamps are seconds of L1 time, 0 when there is no block yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Status")]
pub struct StatusWith<Events, InFlightExits> {
    /// The newest block that was executed and found valid.
    #[schemars(with = "u64")]
    pub last_validated_child_block_number: Blknum,
    /// When it was submitted.
    pub last_validated_child_block_timestamp: u64,
    /// The newest block that is on the root chain.
    #[schemars(with = "u64")]
    pub last_mined_child_block_number: Blknum,
    /// When it was submitted.
    pub last_mined_child_block_timestamp: u64,
    /// The newest root chain block.
    #[schemars(with = "u64")]
    pub last_seen_eth_block_number: EthHeight,
    /// Its time.
    pub last_seen_eth_block_timestamp: u64,
    /// Whether the Ethereum node is still syncing.
    pub eth_syncing: bool,
    /// Events of exits first, then those of blocks.
    pub byzantine_events: Events,
    /// Active in-flight exits.
    pub in_flight_exits: InFlightExits,
    /// The deployment that is watched.
    pub contract_addr: ContractAddresses,
    /// How far each service has read the root chain.
    pub services_synced_heights: Vec<ServiceHeight>,
}

/// An active in-flight exit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InFlightExitStatus {
    /// The transaction that exits.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<TxHash>")]
    pub txhash: TxHash,
    /// Its unsigned bytes.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub txbytes: Vec<u8>,
    /// Where the exit was started.
    #[schemars(with = "u64")]
    pub eth_height: EthHeight,
    /// Inputs whose owners joined.
    pub piggybacked_inputs: Vec<u8>,
    /// Outputs whose owners joined.
    pub piggybacked_outputs: Vec<u8>,
}

/// Addresses of the contracts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContractAddresses {
    /// Blocks, exit queues and registries.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub plasma_framework: Address,
    /// Holds Ether.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub eth_vault: Address,
    /// Holds tokens.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub erc20_vault: Address,
    /// Exits of payments.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub payment_exit_game: Address,
}

/// How far a service has read the root chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceHeight {
    /// `root_chain_height`, or the name of a service.
    pub service: String,
    /// Its height.
    #[schemars(with = "u64")]
    pub height: EthHeight,
}
