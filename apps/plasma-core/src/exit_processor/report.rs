//! What is wrong with exits, and since when it is urgent (protocol 5.5, 5.6).

use super::in_flight::WatchedInFlight;
use super::piggyback::{InFlightVerdict, available};
use super::verdict::Verdict;
use super::{Canonicity, ExitProcessor, Incarnation, StandardExit};
use crate::byzantine::{
    AvailablePiggybacks, ByzantineEvent, ExitFault, InFlightFault, PiggybackFault,
};
use crate::root_chain::{InFlightExitStart, PiggybackSide, PiggybackSlot};
use crate::wire::{EthHeight, TxHash, UtxoPos};
use thiserror::Error;

/// How far the root chain was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExitHeights {
    /// The newest root chain block.
    pub root_chain: EthHeight,
    /// Height of [`Service::ExitChallenger`](crate::db_update::Service::ExitChallenger): challenges up to here are known.
    pub challenges: EthHeight,
    /// Height of [`Service::InFlightExitProcessor`](crate::db_update::Service::InFlightExitProcessor): what happened to in-flight
    /// exits is known up to here, payments aside.
    pub in_flight_exits: EthHeight,
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
    /// What is wrong with exits now, as the status lists it. (`E12` to `E14`, `I8` to `I14`)
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
        let mut events: Vec<ByzantineEvent> =
            paid.chain(late).map(ByzantineEvent::UnchallengedExit).collect();
        events.extend(invalid.map(ByzantineEvent::InvalidExit));
        let now = self.now(heights, heights.in_flight_exits);
        let is_late = |since: EthHeight| self.is_late(since, now);
        for exit_id in &self.in_flight.remarkable {
            if let Some(watched) = self.in_flight.watched.get(exit_id) {
                watched.report(is_late, &mut events);
            }
        }
        events.sort();
        events
    }

    /// Whether an exit makes the chain unsafe: there is an `unchallenged_exit`, an `unchallenged_non_canonical_ife` or an
    /// `unchallenged_piggyback` now. Costs the same however many exits there are. (`E15`, `I14`)
    pub fn is_chain_unsafe(&self, heights: ExitHeights) -> bool {
        let now = self.now(heights, heights.in_flight_exits);
        let oldest = self.in_flight.wrong_since.first();
        !self.paid_invalid.is_empty()
            || !self.in_flight.paid_wrongfully.is_empty()
            || self.late(heights).next().is_some()
            || oldest.is_some_and(|(since, _)| self.is_late(*since, now))
    }

    /// The newest height at which a challenge could be known of.
    fn now(&self, heights: ExitHeights, known: EthHeight) -> EthHeight {
        heights.root_chain.min(known.plus(self.config.exit_finality_margin_eth_blocks))
    }

    /// Whether a challenge of what began then was to be expected by now.
    fn is_late(&self, since: EthHeight, now: EthHeight) -> bool {
        since.plus(self.config.sla_margin_eth_blocks) <= now
    }

    /// Invalid exits about which challenges would be known.
    fn reported(&self, heights: ExitHeights) -> impl Iterator<Item = &(EthHeight, UtxoPos)> {
        let invalid = self.invalid.iter();
        invalid.take_while(move |(started, _)| *started <= heights.challenges) // E12
    }

    /// Those of them that nobody challenged in time.
    fn late(&self, heights: ExitHeights) -> impl Iterator<Item = &(EthHeight, UtxoPos)> {
        let now = self.now(heights, heights.challenges);
        self.reported(heights).take_while(move |(started, _)| self.is_late(*started, now)) // E13
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
            Verdict::Invalid { spending_txhash, .. } => spending_txhash,
            Verdict::Open | Verdict::Valid | Verdict::Superseded => None,
        },
    }
}

impl WatchedInFlight {
    /// Whether there is anything to say about it, now or later.
    pub(super) fn is_remarkable(&self) -> bool {
        let mut events = Vec::new();
        self.report(|_| false, &mut events);
        !events.is_empty()
    }

    /// Whether the contract would pay outputs, and somebody would lose by it. What only exit events told of took from nobody. (`I9`)
    pub(super) fn is_wrongly_canonical(&self, now: &Incarnation) -> bool {
        let is_canonical = matches!(now.canonicity, Canonicity::Canonical { .. });
        let takes = self.verdict.as_ref().is_none_or(InFlightVerdict::takes_from_somebody);
        is_canonical && takes && self.competitor(now).is_some()
    }

    /// Piggybacks that must not be paid and can still be challenged, each with the height at which it was made. (`I11`, `I12`)
    pub(super) fn invalid_piggybacks(&self, now: &Incarnation) -> Vec<(PiggybackSlot, EthHeight)> {
        let is_spent = |slot: &PiggybackSlot| {
            self.verdict.as_ref().is_some_and(|verdict| verdict.spent.contains(slot))
        };
        let active = now.active_piggybacks();
        let spent = active.filter(|(slot, _)| is_spent(slot));
        spent.map(|(slot, piggyback)| (slot, piggyback.eth_height)).collect()
    }

    /// The competitor to show; `Some(None)` when the exit makes no sense, so that there is none. (`I3`, `I8`)
    fn competitor(&self, now: &Incarnation) -> Option<Option<TxHash>> {
        if self.tx.is_none() {
            return Some(None);
        }
        self.verdict.as_ref()?.viable_competitor(now).map(Some)
    }

    fn report(&self, is_late: impl Fn(EthHeight) -> bool, events: &mut Vec<ByzantineEvent>) {
        let (Some(start), Some(newest)) = (self.exit.start(), &self.now) else {
            return;
        };
        let mut unchallenged = self.exit.paid_wrongfully(); // I17
        if let Some(now) = self.active() {
            if let Some(competing_txhash) = self.competitor(now) {
                let fault = in_flight_fault(start, now, competing_txhash);
                if self.is_wrongly_canonical(now) && is_late(now.eth_height) {
                    events.push(ByzantineEvent::UnchallengedNonCanonicalIfe(fault.clone())); // I9
                }
                events.push(ByzantineEvent::NonCanonicalIfe(fault)); // I8
            }
            let invalid = self.invalid_piggybacks(now);
            let late = invalid.iter().filter(|(_, since)| is_late(*since));
            unchallenged.extend(late.map(|(slot, _)| *slot)); // I12
            if !invalid.is_empty() {
                let slots = invalid.into_iter().map(|(slot, _)| slot);
                let fault = piggyback_fault(start, newest, slots);
                events.push(ByzantineEvent::InvalidPiggyback(fault)); // I11
            }
            self.report_inclusion(start, now, events);
        }
        if !unchallenged.is_empty() {
            let fault = piggyback_fault(start, newest, unchallenged);
            events.push(ByzantineEvent::UnchallengedPiggyback(fault));
        }
    }

    /// What depends on where the ledger has the transaction.
    fn report_inclusion(
        &self,
        start: &InFlightExitStart,
        now: &Incarnation,
        events: &mut Vec<ByzantineEvent>,
    ) {
        let (Some(tx), Some(verdict)) = (&self.tx, &self.verdict) else {
            return;
        };
        if now.canonicity.answer(verdict.included_at).is_some() {
            let fault = in_flight_fault(start, now, None);
            events.push(ByzantineEvent::InvalidIfeChallenge(fault)); // I10
        }
        if verdict.included_at.is_some() {
            return;
        }
        let input_owners = tx.inputs.iter().map(|key| key.owner);
        let inputs = available(PiggybackSide::Input, input_owners, now);
        let outputs = available(PiggybackSide::Output, tx.output_owners.iter().copied(), now);
        if !inputs.is_empty() || !outputs.is_empty() {
            events.push(ByzantineEvent::PiggybackAvailable(AvailablePiggybacks {
                eth_height: now.eth_height,
                exit_id: start.exit_id,
                tx_hash: start.tx_hash,
                tx_bytes: start.tx_bytes.clone(),
                started_at_s: now.started_at_s,
                inputs,
                outputs,
            })); // I13
        }
    }
}

fn in_flight_fault(
    start: &InFlightExitStart,
    now: &Incarnation,
    competing_txhash: Option<TxHash>,
) -> InFlightFault {
    InFlightFault {
        eth_height: now.eth_height,
        exit_id: start.exit_id,
        tx_hash: start.tx_hash,
        tx_bytes: start.tx_bytes.clone(),
        started_at_s: now.started_at_s,
        competing_txhash,
    }
}

fn piggyback_fault(
    start: &InFlightExitStart,
    now: &Incarnation,
    slots: impl IntoIterator<Item = PiggybackSlot>,
) -> PiggybackFault {
    let (inputs, outputs): (Vec<_>, Vec<_>) =
        slots.into_iter().partition(|slot| slot.side == PiggybackSide::Input);
    let indexes = |slots: Vec<PiggybackSlot>| slots.iter().map(|slot| slot.index).collect();
    PiggybackFault {
        eth_height: now.eth_height,
        exit_id: start.exit_id,
        tx_hash: start.tx_hash,
        tx_bytes: start.tx_bytes.clone(),
        inputs: indexes(inputs),
        outputs: indexes(outputs),
    }
}
