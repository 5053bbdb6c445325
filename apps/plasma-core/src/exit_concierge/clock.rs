//! The root chain's clock: what time it is, and about which block a time will be.

use crate::wire::EthHeight;

/// The newest block of the root chain, and how fast blocks come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitClock {
    /// Its number.
    pub eth_height: EthHeight,
    /// Its time, in seconds.
    pub now_s: u64,
    /// Usual time between two blocks, in milliseconds.
    pub block_time_ms: u64,
    /// How long an exit takes at least.
    pub min_exit_period_s: u64,
}

/// How long something takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eta {
    /// Seconds of root chain time.
    pub wait_s: u64,
    /// The block that it will probably be in.
    pub eth_height: EthHeight,
}

impl ExitClock {
    /// Until strictly after this time. The time is exact, the block an estimate. (`C4`)
    pub fn eta(&self, after_s: u64) -> Eta {
        let wait_s = after_s.saturating_add(1).saturating_sub(self.now_s);
        let blocks = wait_s.saturating_mul(1_000).div_ceil(self.block_time_ms.max(1));
        Eta { wait_s, eth_height: self.eth_height.plus(blocks) }
    }

    /// The last block before this time, about.
    pub(super) fn last_before(&self, end_s: u64) -> EthHeight {
        let left_s = end_s.saturating_sub(1).saturating_sub(self.now_s);
        let blocks = left_s.saturating_mul(1_000).checked_div(self.block_time_ms.max(1));
        self.eth_height.plus(blocks.unwrap_or_default())
    }

    /// When the first half of an in-flight exit is over: piggybacks and competitors are taken strictly before this (contracts.md,
    /// section 8).
    pub(super) const fn first_half_ends_s(&self, started_at_s: u64) -> u64 {
        started_at_s.saturating_add(self.min_exit_period_s >> 1)
    }
}
