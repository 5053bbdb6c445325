//! What the Sentinel may spend, and how patient it is.
//!
//! It must never spend more than this says, whatever is at stake: the operator of the watcher set the limits (`S7`).

use serde::{Deserialize, Serialize};

/// Settings of the Sentinel. Amounts are in wei.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SentinelConfig {
    /// Everything is decided and nothing is sent.
    pub dry_run: bool,
    /// Mature exits are processed as well.
    pub process_exits: bool,
    /// Most that a duty may cost, all tries together.
    pub duty_budget_wei: u64,
    /// Most that may be spent in a day of root chain time (UTC).
    pub day_budget_wei: u64,
    /// Most that filling a nonce may cost, so that later transactions are not stuck.
    pub fill_budget_wei: u64,
    /// A duty may cost this part of what it saves and earns, in percent.
    pub worth_share_percent: u64,
    /// Most that a transaction ever offers, in wei per gas.
    pub fee_per_gas_wei_max: u64,
    /// Most transactions that wait to be mined.
    pub in_flight_max: usize,
    /// Root chain blocks after which an offer that is not mined is raised; each block when the deadline is near.
    pub bump_after_eth_blocks: u64,
    /// Most offers under one nonce.
    pub offers_max: usize,
    /// A duty is given up after so many of its transactions were mined and failed.
    pub reverts_max: usize,
    /// Root chain blocks after which a transaction that was mined is not watched any more.
    pub finality_margin_eth_blocks: u64,
    /// Finished duties that are remembered.
    pub history_len_max: usize,
}

impl Default for SentinelConfig {
    fn default() -> Self {
        Self {
            dry_run: false,
            process_exits: false,
            duty_budget_wei: 50_000_000_000_000_000,
            day_budget_wei: 500_000_000_000_000_000,
            fill_budget_wei: 10_000_000_000_000_000,
            worth_share_percent: 50,
            fee_per_gas_wei_max: 500_000_000_000,
            in_flight_max: 8,
            bump_after_eth_blocks: 3,
            offers_max: 24,
            reverts_max: 4,
            finality_margin_eth_blocks: 64,
            history_len_max: 1_000,
        }
    }
}
