//! What is wrong with exits, and since when it is urgent (protocol 5.5, 5.6).

use super::verdict::Verdict;
use super::{ExitProcessor, StandardExit};
use crate::byzantine::{ByzantineEvent, ExitFault};
use crate::wire::{EthHeight, UtxoPos};
use thiserror::Error;

/// How far the root chain was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitHeights {
    /// The newest root chain block.
    pub root_chain: EthHeight,
    /// Height of [`Service::ExitChallenger`](crate::db_update::Service::ExitChallenger): challenges up to here are known.
    pub challenges: EthHeight,
}

/// The margin would let an invalid exit be paid before it raises an alarm. The text is the stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("sla_margin_too_big")]
pub struct SlaMarginTooBig {
    /// How long the margin lasts, in milliseconds.
    pub sla_margin_ms: u64,
    /// How long an exit takes at least, in milliseconds.
    pub min_exit_period_ms: u64,
}

impl SlaMarginTooBig {
    /// Compares the margin with the time an exit takes (protocol 5.4).
    ///
    /// # Errors
    /// Itself, when the margin is not shorter.
    pub const fn check(
        sla_margin_eth_blocks: u64,
        eth_block_time_ms: u64,
        min_exit_period_s: u64,
    ) -> Result<(), Self> {
        let sla_margin_ms = sla_margin_eth_blocks.saturating_mul(eth_block_time_ms);
        let min_exit_period_ms = min_exit_period_s.saturating_mul(1000);
        if sla_margin_ms < min_exit_period_ms {
            return Ok(());
        }
        Err(Self { sla_margin_ms, min_exit_period_ms })
    }
}

impl ExitProcessor {
    /// What is wrong with exits now, as the status lists it. (`E12` to `E14`)
    ///
    /// While challenges are still being read, this is what was wrong at the height they are known for, so that an exit that was
    /// challenged long ago raises no alarm while a node catches up.
    pub fn byzantine_events(&self, heights: ExitHeights) -> Vec<ByzantineEvent> {
        let fault = |position: &UtxoPos| {
            let watched = self.watched.get(position)?;
            Some(exit_fault(&watched.exit, watched.verdict))
        };
        let paid = self.paid_invalid.iter().filter_map(fault); // E14
        let late = self.late(heights).filter_map(|(_, at)| fault(at)); // E13
        let invalid = self.reported(heights).filter_map(|(_, at)| fault(at)); // E12
        let mut unchallenged: Vec<ByzantineEvent> =
            paid.chain(late).map(ByzantineEvent::UnchallengedExit).collect();
        unchallenged.sort();
        unchallenged.extend(invalid.map(ByzantineEvent::InvalidExit));
        unchallenged
    }

    /// Whether an exit makes the chain unsafe: there is an `unchallenged_exit` now. Costs the same however many exits there are.
    /// (`E15`)
    pub fn is_chain_unsafe(&self, heights: ExitHeights) -> bool {
        !self.paid_invalid.is_empty() || self.late(heights).next().is_some()
    }

    /// Invalid exits about which challenges would be known.
    fn reported(&self, heights: ExitHeights) -> impl Iterator<Item = &(EthHeight, UtxoPos)> {
        let invalid = self.invalid.iter();
        invalid.take_while(move |(started, _)| *started <= heights.challenges) // E12
    }

    /// Those of them that nobody challenged in time.
    fn late(&self, heights: ExitHeights) -> impl Iterator<Item = &(EthHeight, UtxoPos)> {
        let margin = self.config.exit_finality_margin_eth_blocks;
        let now = heights.root_chain.min(heights.challenges.plus(margin));
        let sla_margin = self.config.sla_margin_eth_blocks;
        self.reported(heights).take_while(move |(started, _)| started.plus(sla_margin) <= now) // E13
    }
}

fn exit_fault(exit: &StandardExit, verdict: Verdict) -> ExitFault {
    ExitFault {
        eth_height: exit.eth_height,
        position: exit.position,
        exit_id: exit.exit_id,
        owner: exit.owner,
        currency: exit.currency,
        amount: exit.amount,
        root_chain_txhash: exit.root_chain_txhash,
        scheduled_finalization_time_s: exit.exitable_at_s,
        spending_txhash: match verdict {
            Verdict::Invalid { spending_txhash } => spending_txhash,
            Verdict::Open | Verdict::Valid => None,
        },
    }
}
