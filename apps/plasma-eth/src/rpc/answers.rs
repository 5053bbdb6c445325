//! The parts of answers we read, and nothing else of them: what a node adds or leaves out beside these does not matter.

use crate::RootChainCause;
use ethers::types::{U64, U256};
use plasma_core::wire::{EthHeight, H256};
use serde::Deserialize;

/// A block of `eth_getBlockByNumber`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BlockAnswer {
    pub(crate) number: U64,
    pub(crate) hash: H256,
    pub(crate) timestamp: U256,
}

impl BlockAnswer {
    pub(crate) fn block(&self) -> Result<crate::EthBlock, RootChainCause> {
        Ok(crate::EthBlock {
            eth_height: EthHeight::new(self.number.as_u64()),
            hash: self.hash,
            timestamp_s: u64_of(self.timestamp, "timestamp")?,
        })
    }
}

/// `eth_feeHistory`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FeeHistoryAnswer {
    #[serde(default)]
    pub(crate) base_fee_per_gas: Vec<U256>,
    #[serde(default)]
    pub(crate) reward: Option<Vec<Vec<U256>>>,
}

/// `eth_syncing`: `false`, or an object with the progress.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum SyncingAnswer {
    Flag(bool),
    Progress(serde::de::IgnoredAny),
}

impl SyncingAnswer {
    pub(crate) const fn is_syncing(&self) -> bool {
        !matches!(self, Self::Flag(false))
    }
}

/// A number that must fit 64 bits.
pub(crate) fn u64_of(number: U256, what: &str) -> Result<u64, RootChainCause> {
    u64::try_from(number)
        .map_err(|_| RootChainCause::Malformed(format!("{what} is beyond 64 bits: {number}")))
}

/// A number that must fit 128 bits.
pub(crate) fn u128_of(number: U256, what: &str) -> Result<u128, RootChainCause> {
    u128::try_from(number)
        .map_err(|_| RootChainCause::Malformed(format!("{what} is beyond 128 bits: {number}")))
}
