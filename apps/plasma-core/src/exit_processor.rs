//! Which exits are valid, and how to challenge those that are not (protocol 5.4 to 5.8).
//!
//! It must never blame an honest exit, overlook a spent one, or cost time for exits that nothing happens to: an exit is judged
//! when it starts and again only when something is learned about its output. `docs/protocol/exits.md` numbers the rules, and
//! the arms cite them (`E7`).
//!
//! ```text
//! events of exits ─► records_needed ─► on_events          blocks, deposits ─► on_ledger
//! events of payments ─► exiting ─► State::exit_utxos ─► on_finalized
//! events of in-flight exits ─► in_flight_exits_needed ─► on_in_flight_events
//! commit ─► judge ─► payments_due ─► State::exit_utxos ─► on_paid
//! quarantine ─► on_quarantined     judge: facts_needed ─► store ─► decide     byzantine_events
//! ```
//! Only exits that need watching are in memory; closed ones are in the store, found by position and by exit id.

pub mod canonicity;
pub mod challenge;
pub mod competitor;
pub mod exit_data;
pub mod finalization;
mod in_flight;
pub mod in_flight_data;
pub mod in_flight_exit;
pub mod piggyback;
mod recognise;
mod report;
pub mod standard_exit;
mod standing;
mod verdict;

pub use canonicity::Canonicity;
pub use challenge::{ChallengeData, ChallengeError, challenge_data};
pub use competitor::{IN_FLIGHT_SPENDS_MAX, SpendSource};
pub use exit_data::{ExitData, ExitDataFacts, ExitInvalid, exit_data, exitable_utxos};
pub use finalization::InFlightPayment;
pub use in_flight_exit::{
    InFlightEvent, InFlightExit, InFlightMove, InFlightPhase, Incarnation, Payment,
};
pub use piggyback::{Piggyback, PiggybackPhase};
pub use recognise::{ExitKey, PaidExits};
pub use report::{ExitHeights, SlaMarginTooBig};
pub use standard_exit::{StandardExit, StandardExitPhase};
pub use standing::{ExitStanding, InFlightFindings, Judgement};
pub use verdict::{ExitFact, ExitFacts, QUARANTINED_SPENDS_MAX};

use crate::db_update::UtxoKey;
use crate::wire::{Blknum, EthHeight, ExitId, OutputIndex, TxIndex, TypedDataDomain, UtxoPos};
use in_flight::InFlightExits;
use std::collections::{BTreeMap, BTreeSet};
use verdict::{LedgerEdge, Verdict, judge};

/// Most outputs that facts are asked for at one time.
pub const FACTS_MAX: usize = 1_024;

/// What the exit processor writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExitProcessorUpdate {
    /// A standard exit was recognised, or its phase changed. Keyed by position, and found by exit id.
    PutStandardExit(Box<StandardExit>),
    /// Something new is known of an in-flight exit: replaces the whole record, keyed by exit id.
    PutInFlightExit(Box<InFlightExit>),
    /// An exit event told of a transaction in which this account spends this output: its signed bytes, with zeros for signatures
    /// that were not told. Keyed by output, account and source, so that all that spend an output lie together.
    PutInFlightSpend(UtxoKey, SpendSource, Box<[u8]>),
    /// The in-flight exit that told of this spend was deleted.
    DeleteInFlightSpend(UtxoKey, SpendSource),
}

/// Margins of the exit processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitProcessorConfig {
    /// Root chain blocks after its start in which an invalid exit is expected to be challenged.
    pub sla_margin_eth_blocks: u64,
    /// Root chain blocks by which the listeners of exit events stay behind: at best they know what was true so long ago.
    pub exit_finality_margin_eth_blocks: u64,
}

/// A question about outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactsRequest {
    /// Which outputs, each with the one who owns it, under whom spends may be kept. At most [`FACTS_MAX`].
    pub keys: Vec<UtxoKey>,
    subjects: Vec<Subject>,
    epoch: u64,
    edge: LedgerEdge,
}

/// An exit to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Standard(UtxoPos),
    InFlight(ExitId),
}

/// An exit in memory.
#[derive(Clone, Debug)]
struct Watched {
    exit: StandardExit,
    verdict: Verdict,
}

/// See the module for the order of calls.
///
/// # After a restart
/// Every active exit is judged anew. Events that are read again change nothing.
#[derive(Clone, Debug)]
pub struct ExitProcessor {
    config: ExitProcessorConfig,
    domain: TypedDataDomain,
    edge: LedgerEdge,
    watched: BTreeMap<UtxoPos, Watched>,
    by_id: BTreeMap<ExitId, UtxoPos>,
    in_flight: InFlightExits,
    /// Exits to judge, and the epoch of the newest reason.
    unchecked: BTreeMap<Subject, u64>,
    /// Counts questions, so that an answer from before a change does not settle what came after.
    epoch: u64,
    /// See [`Self::revision`].
    revision: u64,
    /// Active exits judged invalid, the longest running first.
    invalid: BTreeSet<(EthHeight, UtxoPos)>,
    /// Active exits that are not judged because their output is ahead of the ledger.
    ahead: BTreeSet<UtxoPos>,
    /// Paid, and should not have been.
    paid_invalid: BTreeSet<UtxoPos>,
    /// Exits about which there may be something new to say.
    changed: BTreeSet<ExitId>,
}

impl ExitProcessor {
    /// Continues where the store left off. `active` are the stored exits whose phase
    /// [is active](StandardExitPhase::is_active), `in_flight` those that [are active](InFlightExit::is_active), `ledger_next` is [`State::blknum`](crate::state::State::blknum), and
    /// `fault` the block of the chain's fault.
    pub fn restore(
        config: ExitProcessorConfig,
        domain: TypedDataDomain,
        active: impl IntoIterator<Item = StandardExit>,
        in_flight: impl IntoIterator<Item = InFlightExit>,
        ledger_next: Blknum,
        fault: Option<Blknum>,
    ) -> Self {
        let mut processor = Self {
            config,
            domain,
            edge: LedgerEdge { next: ledger_next, fault },
            watched: BTreeMap::new(),
            by_id: BTreeMap::new(),
            in_flight: InFlightExits::default(),
            unchecked: BTreeMap::new(),
            epoch: 0,
            revision: 0,
            invalid: BTreeSet::new(),
            ahead: BTreeSet::new(),
            paid_invalid: BTreeSet::new(),
            changed: BTreeSet::new(),
        };
        for exit in active {
            processor.watch(exit, Verdict::default());
        }
        for exit in in_flight {
            processor.watch_in_flight(exit, None);
        }
        processor
    }

    /// The ledger changed and the change is in the store: it takes `ledger_next` next, and these outputs were spent or made.
    /// Costs nothing for exits of other outputs. (`E16`)
    pub fn on_ledger(&mut self, ledger_next: Blknum, touched: impl IntoIterator<Item = UtxoPos>) {
        self.edge.next = ledger_next;
        if self.watched.is_empty() && self.in_flight.is_empty() {
            return;
        }
        for position in touched {
            self.mark_output(position);
        }
        let edge = UtxoPos::new(self.edge.blknum(), TxIndex::new(0), OutputIndex::new(0));
        let reached: Vec<UtxoPos> = self.ahead.range(..edge).copied().collect();
        for position in reached {
            self.mark(Subject::Standard(position));
        }
    }

    /// The chain has a fault: what the ledger says about this block and later ones no longer counts. Telling it again changes
    /// nothing. (`E8`, `E16`)
    pub fn on_fault(&mut self, blknum: Blknum) {
        if self.edge.fault.is_some_and(|fault| fault <= blknum) {
            return;
        }
        self.edge.fault = Some(blknum);
        self.touch();
        let from = UtxoPos::new(blknum, TxIndex::new(0), OutputIndex::new(0));
        let concerned = self.watched.range(from..).map(|(at, _)| Subject::Standard(*at));
        let concerned: Vec<Subject> = concerned.chain(self.in_flight.subjects()).collect();
        for subject in concerned {
            self.mark(subject);
        }
    }

    /// The quarantine holds new spends, and they are in the store. (`E16`)
    pub fn on_quarantined(&mut self, spends: &[UtxoKey]) {
        for spend in spends {
            self.mark_spend(*spend);
        }
    }

    /// Which outputs to read from the store, to be answered with [`Self::decide`]. Ask until there are none.
    pub fn facts_needed(&mut self) -> FactsRequest {
        let epoch = self.epoch;
        self.epoch = self.epoch.saturating_add(1);
        let mut request =
            FactsRequest { keys: Vec::new(), subjects: Vec::new(), epoch, edge: self.edge };
        for subject in self.unchecked.keys() {
            let keys = match subject {
                Subject::Standard(position) => {
                    let watched = self.watched.get(position);
                    let key = watched.map(|watched| watched.exit.key());
                    key.into_iter().collect()
                }
                Subject::InFlight(exit_id) => self.in_flight.keys(*exit_id),
            };
            if request.keys.len().saturating_add(keys.len()) > FACTS_MAX {
                break;
            }
            request.keys.extend(keys);
            request.subjects.push(*subject);
        }
        request
    }

    /// Judges the exits that were asked about. An output that is not among the facts never was, and nobody spent it. What changed
    /// between question and answer is asked again. (`E6` to `E11`, `E16`, `I5` to `I7`)
    pub fn decide(&mut self, request: &FactsRequest, facts: &ExitFacts) {
        for subject in &request.subjects {
            self.touch();
            let mark = self.unchecked.get(subject);
            let is_newest = mark.is_none_or(|epoch| *epoch <= request.epoch);
            match *subject {
                Subject::Standard(position) => {
                    let is_ahead = request.edge.is_ahead(position);
                    if is_newest && is_ahead == self.edge.is_ahead(position) {
                        self.unchecked.remove(subject);
                    }
                    self.decide_standard(position, request, facts);
                }
                Subject::InFlight(exit_id) if is_newest => {
                    self.unchecked.remove(subject);
                    self.decide_in_flight(exit_id, facts);
                }
                Subject::InFlight(_) => {}
            }
        }
    }

    fn decide_standard(&mut self, position: UtxoPos, request: &FactsRequest, facts: &ExitFacts) {
        let Some(watched) = self.watched.get_mut(&position) else {
            return;
        };
        let nothing = ExitFact::default();
        let fact = facts.get(&watched.exit.key()).unwrap_or(&nothing);
        watched.verdict = judge(&watched.exit, fact, request.edge, &self.domain);
        self.changed.insert(watched.exit.exit_id);
        let (phase, verdict) = (watched.exit.phase, watched.verdict);
        let by_age = (watched.exit.eth_height, position);
        self.invalid.remove(&by_age);
        self.ahead.remove(&position);
        match (phase, verdict) {
            (StandardExitPhase::Active, Verdict::Invalid { .. }) => {
                self.invalid.insert(by_age);
            }
            (StandardExitPhase::Active, Verdict::Open) => {
                self.ahead.insert(position);
            }
            _ => {}
        }
    }

    /// The exit of this output, if it needs watching; closed ones are in the store.
    pub fn active_exit(&self, position: UtxoPos) -> Option<&StandardExit> {
        self.watched.get(&position).map(|watched| &watched.exit)
    }

    /// Whether this output is leaving or has left, alone or with an in-flight transaction (`E19`).
    pub fn is_exiting(&self, position: UtxoPos) -> bool {
        self.watched.contains_key(&position) || self.in_flight.is_exiting(position)
    }

    /// Rises whenever something was learned about exits: while it stays, so does everything that can be said or shown about them, apart
    /// from what becomes late as root chain blocks pass.
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    const fn touch(&mut self) {
        self.revision = self.revision.saturating_add(1);
    }

    /// Exits in memory.
    pub fn active_count(&self) -> usize {
        self.watched.len().saturating_add(self.in_flight.len())
    }

    /// Keeps an exit in memory, if it needs watching.
    fn watch(&mut self, exit: StandardExit, verdict: Verdict) {
        let position = exit.position;
        self.changed.insert(exit.exit_id);
        self.touch();
        match exit.phase {
            StandardExitPhase::Active => {}
            StandardExitPhase::FinalizedInvalid => {
                self.paid_invalid.insert(position);
            }
            StandardExitPhase::Challenged
            | StandardExitPhase::Finalized
            | StandardExitPhase::Omitted => return,
        }
        self.by_id.insert(exit.exit_id, position);
        self.watched.insert(position, Watched { exit, verdict });
        self.mark(Subject::Standard(position));
    }

    fn unwatch(&mut self, position: UtxoPos) -> Option<Watched> {
        let watched = self.watched.remove(&position)?;
        self.changed.insert(watched.exit.exit_id);
        self.touch();
        if self.by_id.get(&watched.exit.exit_id) == Some(&position) {
            self.by_id.remove(&watched.exit.exit_id);
        }
        self.invalid.remove(&(watched.exit.eth_height, position));
        self.ahead.remove(&position);
        self.paid_invalid.remove(&position);
        self.unchecked.remove(&Subject::Standard(position));
        Some(watched)
    }

    /// Something was learned about an output.
    fn mark_output(&mut self, position: UtxoPos) {
        if self.watched.contains_key(&position) {
            self.mark(Subject::Standard(position));
        }
        for exit_id in self.in_flight.concerned(position) {
            self.mark(Subject::InFlight(exit_id));
        }
    }

    /// A spend by this account became known.
    fn mark_spend(&mut self, spend: UtxoKey) {
        let watched = self.watched.get(&spend.position);
        if watched.is_some_and(|watched| watched.exit.owner == spend.owner) {
            self.mark(Subject::Standard(spend.position));
        }
        for exit_id in self.in_flight.concerned(spend.position) {
            self.mark(Subject::InFlight(exit_id));
        }
    }

    fn mark(&mut self, subject: Subject) {
        self.unchecked.insert(subject, self.epoch);
    }
}

#[cfg(test)]
mod tests;
