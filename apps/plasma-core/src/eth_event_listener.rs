//! Which range of the root chain a service reads next, and each event of it exactly once (protocol 4.3).
//!
//! It must never read beyond its guide, hand out an event twice or out of order, skip one, or move before its owner has
//! committed. What a node answers is checked before anybody acts on it; a wrong answer changes nothing and is asked for again
//! (rules `R5` to `R9` of `docs/protocol/root-chain-sync.md`).
//!
//! ```text
//! guide ─► on_guide ─► next_range ─► shell reads ─► on_events ─► EventBatch ─► owner commits events and height together
//!                          ▲                                                       │
//!                          └───────────── check in ◄── on_committed ◄──────────────┘
//! ```

use crate::db_update::{DbUpdate, Service};
use crate::root_chain::{EthEvent, EventKind};
use crate::root_chain_coordinator::SyncGuide;
use crate::wire::EthHeight;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Limits of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EthEventListenerConfig {
    /// Most root chain blocks read at once.
    pub range_eth_blocks_max: u64,
    /// Most ranges read in one tick, so that catching up does not starve others.
    pub ranges_per_tick_max: u32,
    /// Most events committed at once. Only a single root chain block with more of them is not split.
    pub batch_events_max: usize,
}

impl Default for EthEventListenerConfig {
    fn default() -> Self {
        Self { range_eth_blocks_max: 1_000, ranges_per_tick_max: 10, batch_events_max: 10_000 }
    }
}

/// The events a service reads.
pub const fn events_of(service: Service) -> &'static [EventKind] {
    match service {
        Service::Depositor => &[EventKind::DepositCreated],
        Service::BlockGetter => &[EventKind::BlockSubmitted],
        Service::Exiter | Service::ExitProcessor => &[EventKind::ExitStarted],
        Service::ExitFinalizer => &[EventKind::ExitFinalized, EventKind::ExitOmitted],
        Service::ExitChallenger => &[EventKind::ExitChallenged],
        Service::InFlightExiter => {
            &[EventKind::InFlightExitStarted, EventKind::InFlightExitOutputPiggybacked]
        }
        Service::InFlightExitProcessor => &[
            EventKind::InFlightExitStarted,
            EventKind::InFlightExitInputPiggybacked,
            EventKind::InFlightExitOutputPiggybacked,
            EventKind::InFlightExitInputBlocked,
            EventKind::InFlightExitOutputBlocked,
            EventKind::InFlightExitChallenged,
            EventKind::InFlightExitChallengeResponded,
            EventKind::InFlightExitDeleted,
        ],
        Service::InFlightExitFinalizer => &[
            EventKind::InFlightExitInputWithdrawn,
            EventKind::InFlightExitOutputWithdrawn,
            EventKind::InFlightExitFinalized,
        ],
    }
}

/// Events to commit, in chain order, with the height they complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventBatch {
    /// Whose they are.
    pub service: Service,
    /// Ordered by height, then by log index. Can be empty: the height moves all the same.
    pub events: Vec<EthEvent>,
    /// All events up to here, included, are in this batch or an earlier one.
    pub synced_height: EthHeight,
}

impl EventBatch {
    /// The write that the owner of the events puts into the batch of their effects (`R7`).
    pub const fn height_update(&self) -> DbUpdate {
        DbUpdate::ServiceHeight(self.service, self.synced_height)
    }
}

/// What a node said cannot be true. Nothing was taken of it; asking again at the next tick is right, because a load-balanced
/// or reorganising node can answer so in passing. When it lasts, the node is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventsError {
    /// An event from somewhere else.
    #[error(
        "an event of root chain block {eth_height} (log {log_index}) answers a question about {from} to {to}"
    )]
    OutsideRange {
        /// Where it claims to be.
        eth_height: EthHeight,
        /// Its place in the block.
        log_index: u32,
        /// First height that was asked for.
        from: EthHeight,
        /// Last height that was asked for.
        to: EthHeight,
    },
    /// An event nobody asked for.
    #[error(
        "log {log_index} of root chain block {eth_height} is a {kind:?}, which was not asked for"
    )]
    UnexpectedKind {
        /// What it is.
        kind: EventKind,
        /// Where it is.
        eth_height: EthHeight,
        /// Its place in the block.
        log_index: u32,
    },
    /// Two events in one place.
    #[error("log {log_index} of root chain block {eth_height} is reported with two contents")]
    Contradiction {
        /// Where.
        eth_height: EthHeight,
        /// The place in the block.
        log_index: u32,
    },
    /// Two blocks at one height: the chain was reorganised while it was read.
    #[error("root chain block {eth_height} is reported with two hashes")]
    TwoHistories {
        /// The height.
        eth_height: EthHeight,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    /// An answer about this range is awaited.
    Reading(RangeInclusive<EthHeight>),
    /// A batch up to this height was handed out.
    Committing(EthHeight),
}

/// See the module.
///
/// # After a restart
/// It continues after the last committed height. What was read and not committed is read again.
#[derive(Clone, Debug)]
pub struct EthEventListener {
    service: Service,
    config: EthEventListenerConfig,
    synced_height: EthHeight,
    sync_height: EthHeight,
    ranges_left: u32,
    phase: Phase,
}

impl EthEventListener {
    /// Continues after the stored height, or with the block that deployed the contracts (`R5`). Nothing older can be ours, and
    /// what is in that very block already can.
    pub fn restore(
        service: Service,
        config: EthEventListenerConfig,
        stored: Option<EthHeight>,
        deployed_at: EthHeight,
    ) -> Self {
        let before_deployment = deployed_at.minus(1);
        Self {
            service,
            config,
            synced_height: stored.map_or(before_deployment, |stored| stored.max(before_deployment)),
            sync_height: EthHeight::default(),
            ranges_left: 0,
            phase: Phase::Idle,
        }
    }

    /// A tick begins: how far the service may read now, if anywhere.
    pub fn on_guide(&mut self, guide: Option<SyncGuide>) {
        self.sync_height = guide.map_or(EthHeight::default(), |guide| guide.sync_height);
        self.ranges_left = self.config.ranges_per_tick_max;
    }

    /// The next range to read, for [`events_of`] the service. `None` when there is nothing to do in this tick: all is read
    /// that may be, the tick has done its share, or a batch is being committed. Calling again without an answer asks again.
    pub fn next_range(&mut self) -> Option<RangeInclusive<EthHeight>> {
        if matches!(self.phase, Phase::Committing(_)) {
            return None;
        }
        self.phase = Phase::Idle;
        let left = self.ranges_left.checked_sub(1)?;
        if self.sync_height <= self.synced_height {
            return None;
        }
        self.ranges_left = left;
        let last = self.synced_height.plus(self.config.range_eth_blocks_max.max(1));
        let range = self.synced_height.plus(1)..=self.sync_height.min(last); // R6
        self.phase = Phase::Reading(range.clone());
        Some(range)
    }

    /// Takes the answer to a range: all events of it. `None` when this range is not the one being read; then the answer came
    /// twice or too late. The batch's writes and [`EventBatch::height_update`] belong into one commit (`R7`).
    ///
    /// # Errors
    /// [`EventsError`] when the answer cannot be true (`R8`). The range counts as not read.
    pub fn on_events(
        &mut self,
        range: &RangeInclusive<EthHeight>,
        events: Vec<EthEvent>,
    ) -> Result<Option<EventBatch>, EventsError> {
        if !matches!(&self.phase, Phase::Reading(reading) if reading == range) {
            return Ok(None);
        }
        self.phase = Phase::Idle;
        let mut events = in_order(events, events_of(self.service), range)?;
        let synced_height = cut(&mut events, self.config.batch_events_max).unwrap_or(*range.end());
        self.phase = Phase::Committing(synced_height);
        Ok(Some(EventBatch { service: self.service, events, synced_height }))
    }

    /// The batch up to `synced_height` is on disk; returns the height to check in with. `None` when no such batch is out.
    pub fn on_committed(&mut self, synced_height: EthHeight) -> Option<EthHeight> {
        if self.phase != Phase::Committing(synced_height) {
            return None;
        }
        self.phase = Phase::Idle;
        self.synced_height = synced_height;
        Some(synced_height)
    }

    /// Whose listener it is.
    pub const fn service(&self) -> Service {
        self.service
    }

    /// Everything up to here is committed; what the service checks in with.
    pub const fn synced_height(&self) -> EthHeight {
        self.synced_height
    }
}

/// Puts the answer to a question for events of these kinds in order, each event once.
///
/// # Errors
/// [`EventsError`] when the answer cannot be true (`R8`).
pub fn in_order(
    mut events: Vec<EthEvent>,
    kinds: &[EventKind],
    range: &RangeInclusive<EthHeight>,
) -> Result<Vec<EthEvent>, EventsError> {
    for event in &events {
        let (eth_height, log_index) = place(event);
        if !range.contains(&eth_height) {
            let (from, to) = (*range.start(), *range.end());
            return Err(EventsError::OutsideRange { eth_height, log_index, from, to });
        }
        let kind = event.event.kind();
        if !kinds.contains(&kind) {
            return Err(EventsError::UnexpectedKind { kind, eth_height, log_index });
        }
    }
    events.sort_by_key(place);
    refuse_contradictions(&events)?;
    events.dedup();
    Ok(events)
}

const fn place(event: &EthEvent) -> (EthHeight, u32) {
    (event.eth_height, event.log_index)
}

/// Expects the events in order. The same event twice is no contradiction.
fn refuse_contradictions(events: &[EthEvent]) -> Result<(), EventsError> {
    for (event, next) in events.iter().zip(events.iter().skip(1)) {
        let (eth_height, log_index) = place(event);
        if next.eth_height == eth_height && next.eth_block_hash != event.eth_block_hash {
            return Err(EventsError::TwoHistories { eth_height });
        }
        if place(next) == place(event) && next != event {
            return Err(EventsError::Contradiction { eth_height, log_index });
        }
    }
    Ok(())
}

/// Drops what is too much for one batch, in whole root chain blocks from the end, and returns the height that is complete then
/// (`R9`). `None` when everything fits.
fn cut(events: &mut Vec<EthEvent>, events_max: usize) -> Option<EthHeight> {
    let first = events.first()?.eth_height;
    let first_too_many = events.get(events_max)?.eth_height;
    let complete = if first_too_many == first { first } else { first_too_many.minus(1) };
    let kept = events.partition_point(|event| event.eth_height <= complete);
    if kept == events.len() {
        return None;
    }
    events.truncate(kept);
    Some(complete)
}

#[cfg(test)]
mod tests;
