//! In-flight exits in memory: each is judged again only when something is learned about what its transaction spends or makes.

use super::competitor::{spends_of_challenge, spends_of_start};
use super::in_flight_exit::{InFlightTx, output_of};
use super::piggyback::{InFlightVerdict, judge_in_flight};
use super::{
    ExitFacts, ExitProcessor, ExitProcessorUpdate, InFlightEvent, InFlightExit, InFlightMove,
    InFlightPhase, Incarnation, Payment, Subject,
};
use crate::db_update::{DbUpdate, TxPos, UtxoKey};
use crate::root_chain::{EthEvent, PiggybackSide, PiggybackSlot};
use crate::wire::{Currency, EthHeight, ExitId, Transaction, UtxoPos};
use std::collections::{BTreeMap, BTreeSet};

/// The in-flight exits that need watching, and how to find them.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlightExits {
    pub(super) watched: BTreeMap<ExitId, WatchedInFlight>,
    /// By what their transactions spend and, where these are included, make.
    by_output: BTreeMap<UtxoPos, BTreeSet<ExitId>>,
    /// Those about which there is something to say.
    pub(super) remarkable: BTreeSet<ExitId>,
    /// The height from which the longest running claim counts that is wrong and could be paid.
    pub(super) wrong_since: BTreeSet<(EthHeight, ExitId)>,
    /// Paid, and should not have been.
    pub(super) paid_wrongfully: BTreeSet<ExitId>,
    /// With payments that the ledger was not asked about.
    pub(super) unsettled: BTreeSet<ExitId>,
}

/// An in-flight exit in memory.
#[derive(Clone, Debug)]
pub(super) struct WatchedInFlight {
    pub(super) exit: InFlightExit,
    pub(super) now: Option<Incarnation>,
    /// `None` when the parts of the exit do not fit together.
    pub(super) tx: Option<InFlightTx>,
    /// Where the ledger has the transaction: its outputs are asked about, too.
    included_at: Option<TxPos>,
    /// `None` until it was looked at.
    pub(super) verdict: Option<InFlightVerdict>,
    wrong_since: Option<EthHeight>,
    /// The queues that it is in.
    currencies: Vec<Currency>,
}

impl InFlightExits {
    pub(super) fn is_empty(&self) -> bool {
        self.watched.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.watched.len()
    }

    /// All that are judged by facts.
    pub(super) fn subjects(&self) -> impl Iterator<Item = Subject> {
        let judged = self.watched.iter().filter(|(_, watched)| watched.tx.is_some());
        judged.map(|(exit_id, _)| Subject::InFlight(*exit_id))
    }

    /// What is to be known to judge this exit.
    pub(super) fn keys(&self, exit_id: ExitId) -> Vec<UtxoKey> {
        self.watched.get(&exit_id).map(WatchedInFlight::keys).unwrap_or_default()
    }

    /// Exits of transactions that spend or make this output.
    pub(super) fn concerned(&self, position: UtxoPos) -> Vec<ExitId> {
        let exits = self.by_output.get(&position);
        exits.into_iter().flatten().copied().collect()
    }

    /// Whether this output may leave with an in-flight exit: it is one of its inputs, or a piggybacked output. (`I18`)
    pub(super) fn is_exiting(&self, position: UtxoPos) -> bool {
        self.concerned(position).iter().any(|exit_id| {
            let watched = self.watched.get(exit_id);
            watched.is_some_and(|watched| watched.is_exiting(position))
        })
    }

    fn index(&mut self, exit_id: ExitId) {
        for key in self.keys(exit_id) {
            self.by_output.entry(key.position).or_default().insert(exit_id);
        }
    }

    fn remove(&mut self, exit_id: ExitId) -> Option<WatchedInFlight> {
        for key in self.keys(exit_id) {
            if let Some(exits) = self.by_output.get_mut(&key.position) {
                exits.remove(&exit_id);
                if exits.is_empty() {
                    self.by_output.remove(&key.position);
                }
            }
        }
        self.remarkable.remove(&exit_id);
        self.paid_wrongfully.remove(&exit_id);
        self.unsettled.remove(&exit_id);
        let removed = self.watched.remove(&exit_id)?;
        if let Some(since) = removed.wrong_since {
            self.wrong_since.remove(&(since, exit_id));
        }
        Some(removed)
    }

    /// Works out anew what there is to say about an exit.
    fn sort_in(&mut self, exit_id: ExitId) {
        let Some(watched) = self.watched.get_mut(&exit_id) else {
            return;
        };
        if let Some(since) = watched.wrong_since.take() {
            self.wrong_since.remove(&(since, exit_id));
        }
        watched.wrong_since = watched.wrong_claims().into_iter().min();
        if let Some(since) = watched.wrong_since {
            self.wrong_since.insert((since, exit_id));
        }
        let is = |set: &mut BTreeSet<ExitId>, is_in: bool| {
            if is_in { set.insert(exit_id) } else { set.remove(&exit_id) }
        };
        is(&mut self.remarkable, watched.is_remarkable());
        is(&mut self.paid_wrongfully, !watched.exit.paid_wrongfully().is_empty());
        is(&mut self.unsettled, watched.exit.has_due_payments());
    }
}

impl WatchedInFlight {
    fn keys(&self) -> Vec<UtxoKey> {
        let Some(tx) = &self.tx else {
            return Vec::new();
        };
        let outputs = self.included_at.into_iter().flat_map(|at| tx.outputs_at(at));
        tx.inputs.iter().copied().chain(outputs).collect()
    }

    /// The incarnation, while it can be paid.
    pub(super) fn active(&self) -> Option<&Incarnation> {
        self.now.as_ref().filter(|now| now.phase == InFlightPhase::Active)
    }

    fn is_exiting(&self, position: UtxoPos) -> bool {
        let (Some(now), Some(tx)) = (self.active(), &self.tx) else {
            return false;
        };
        let mut outputs = self.included_at.into_iter().flat_map(|at| tx.outputs_at(at));
        tx.inputs.iter().any(|key| key.position == position)
            || outputs.any(|key| {
                key.position == position
                    && now.may_pay(PiggybackSlot::output(position.oindex.get()))
            })
    }

    /// The heights at which the claims were made that are wrong and would be paid. (`I9`, `I12`)
    fn wrong_claims(&self) -> Vec<EthHeight> {
        let Some(now) = self.active() else {
            return Vec::new();
        };
        let canonicity = self.is_wrongly_canonical(now).then_some(now.eth_height);
        let piggybacks = self.invalid_piggybacks(now).into_iter().map(|(_, since)| since);
        piggybacks.chain(canonicity).collect()
    }
}

impl InFlightExit {
    /// Currencies of the piggybacks that wait to be paid: the queues that the exit is in.
    fn currencies(&self, now: Option<&Incarnation>) -> Vec<Currency> {
        let Some((start, now)) = self.start().zip(now) else {
            return Vec::new();
        };
        let made = Transaction::decode_unsigned(&start.tx_bytes);
        let currency = |slot: PiggybackSlot| {
            let index = usize::from(slot.index);
            match slot.side {
                PiggybackSide::Output => Some(made.as_ref().ok()?.outputs().get(index)?.currency),
                PiggybackSide::Input => {
                    let oindex = start.input_positions.get(index)?.oindex;
                    Some(output_of(start.input_txs.get(index)?, oindex)?.currency)
                }
            }
        };
        let joined = now.piggybacks.keys();
        joined.filter_map(|slot| currency(*slot)).collect()
    }

    fn has_due_payments(&self) -> bool {
        let is_due =
            |told: &InFlightMove| matches!(told.event, InFlightEvent::Withdrawn(_, Payment::Due));
        self.moves.iter().any(is_due)
    }
}

impl ExitProcessor {
    /// The active in-flight exits that anybody may delete now, at most `limit` of them. Looks at every active exit.
    pub fn deletable(&self, min_exit_period_s: u64, now_s: u64, limit: usize) -> Vec<InFlightExit> {
        let all = self.in_flight.watched.values();
        let deletable = all.filter(|watched| {
            let now = watched.active();
            now.is_some_and(|now| now.is_deletable(min_exit_period_s, now_s))
        });
        deletable.take(limit).map(|watched| watched.exit.clone()).collect()
    }

    /// The currencies of all exits that wait to be paid. Looks at every active exit.
    pub fn currencies_leaving(&self) -> BTreeSet<Currency> {
        let standard = self.watched.values().map(|watched| watched.exit.currency);
        let in_flight = self.in_flight.watched.values().filter(|it| it.active().is_some());
        standard.chain(in_flight.flat_map(|watched| watched.currencies.iter().copied())).collect()
    }

    /// Which stored in-flight exits are needed to take these events: those that are not in memory.
    pub fn in_flight_exits_needed(&self, events: &[EthEvent]) -> BTreeSet<ExitId> {
        let named = events.iter().filter_map(InFlightMove::from_event).map(|(exit_id, _)| exit_id);
        named.filter(|exit_id| !self.in_flight.watched.contains_key(exit_id)).collect()
    }

    /// Takes events of in-flight exits, all kinds in any order, payments included. `stored` holds the exits that
    /// [`Self::in_flight_exits_needed`] names, as far as there are any. The updates must be in the store before exits are judged
    /// again: they hold evidence. (`I1`, `I2`, `I4`)
    pub fn on_in_flight_events(
        &mut self,
        events: &[EthEvent],
        stored: &[InFlightExit],
        updates: &mut Vec<DbUpdate>,
    ) {
        let mut news: BTreeMap<ExitId, Vec<InFlightMove>> = BTreeMap::new();
        for (exit_id, told) in events.iter().filter_map(InFlightMove::from_event) {
            news.entry(exit_id).or_default().push(told);
        }
        for (exit_id, moves) in news {
            let watched = self.in_flight.watched.get(&exit_id).map(|watched| &watched.exit);
            let known = watched.or_else(|| stored.iter().find(|exit| exit.exit_id == exit_id));
            let mut exit = known.cloned().unwrap_or(InFlightExit::unknown(exit_id));
            let was_evidence = exit.is_evidence();
            let mut is_restarted = false;
            let mut is_changed = false;
            for told in moves {
                if !exit.take(told.clone()) {
                    continue;
                }
                is_changed = true;
                match told.event {
                    InFlightEvent::Started(_) => is_restarted = true,
                    InFlightEvent::Challenged(challenge) => {
                        for told in spends_of_challenge(&challenge, &self.domain) {
                            self.mark_spend(told.key);
                            updates.push(told.put());
                        }
                    }
                    _ => {}
                }
            }
            if !is_changed {
                continue;
            }
            let is_evidence = exit.is_evidence();
            if is_evidence != was_evidence || is_evidence && is_restarted {
                let spends = exit.start().map(|start| spends_of_start(start, &self.domain));
                for told in spends.unwrap_or_default() {
                    self.mark_spend(told.key);
                    updates.push(if is_evidence { told.put() } else { told.delete() });
                }
            }
            put(&exit, updates);
            self.replace_in_flight(exit);
        }
    }

    /// The in-flight exit with this id, if it needs watching; closed ones are in the store.
    pub fn in_flight_exit(&self, exit_id: ExitId) -> Option<&InFlightExit> {
        self.in_flight.watched.get(&exit_id).map(|watched| &watched.exit)
    }

    /// In-flight exits that can be paid, each with how it stands, as `in_flight_exits` of the status lists them (protocol 5.7).
    pub fn in_flight_exits(&self) -> impl Iterator<Item = (&InFlightExit, &Incarnation)> {
        let watched = self.in_flight.watched.values();
        watched.filter_map(|watched| Some((&watched.exit, watched.active()?)))
    }

    /// Puts a changed record in the place of the one in memory. What was found out about its transaction stays true.
    pub(super) fn replace_in_flight(&mut self, exit: InFlightExit) {
        let known = self.in_flight.remove(exit.exit_id);
        self.watch_in_flight(exit, known);
    }

    pub(super) fn watch_in_flight(&mut self, exit: InFlightExit, known: Option<WatchedInFlight>) {
        let exit_id = exit.exit_id;
        let subject = Subject::InFlight(exit_id);
        self.changed.insert(exit_id);
        self.touch();
        // A record without its start says nothing yet and waits in the store.
        if !exit.is_active() {
            self.unchecked.remove(&subject);
            return;
        }
        let (now, tx) = (exit.incarnation(), exit.tx());
        let known = known.filter(|known| known.tx == tx);
        let is_new = known.is_none();
        let (included_at, verdict) =
            known.map_or((None, None), |known| (known.included_at, known.verdict));
        let is_judged = tx.is_some();
        let currencies = exit.currencies(now.as_ref());
        let watched =
            WatchedInFlight { exit, now, tx, included_at, verdict, wrong_since: None, currencies };
        self.in_flight.watched.insert(exit_id, watched);
        self.in_flight.index(exit_id);
        self.in_flight.sort_in(exit_id);
        if is_new && is_judged {
            self.mark(subject);
        }
    }

    pub(super) fn decide_in_flight(&mut self, exit_id: ExitId, facts: &ExitFacts) {
        let Some(watched) = self.in_flight.watched.get_mut(&exit_id) else {
            return;
        };
        let Some(tx) = &watched.tx else {
            return;
        };
        let verdict = judge_in_flight(tx, facts, self.edge, &self.domain);
        self.changed.insert(exit_id);
        if verdict.included_at == watched.included_at {
            watched.verdict = Some(verdict);
            self.in_flight.sort_in(exit_id);
            return;
        }
        // Other outputs are its own now: nothing is said before they were looked at, too.
        if let Some(mut watched) = self.in_flight.remove(exit_id) {
            watched.included_at = verdict.included_at;
            self.in_flight.watched.insert(exit_id, watched);
            self.in_flight.index(exit_id);
            self.in_flight.sort_in(exit_id);
            self.mark(Subject::InFlight(exit_id));
        }
    }
}

impl InFlightExit {
    /// Whether its transaction counts as a spend of its inputs: not once the contract forgot the exit. (`I4`)
    fn is_evidence(&self) -> bool {
        self.incarnation().is_some_and(|now| now.phase != InFlightPhase::Deleted)
    }
}

impl super::competitor::ToldSpend {
    fn put(self) -> DbUpdate {
        ExitProcessorUpdate::PutInFlightSpend(self.key, self.source, self.signed_tx).into()
    }

    fn delete(self) -> DbUpdate {
        ExitProcessorUpdate::DeleteInFlightSpend(self.key, self.source).into()
    }
}

pub(super) fn put(exit: &InFlightExit, updates: &mut Vec<DbUpdate>) {
    let update = ExitProcessorUpdate::PutInFlightExit(Box::new(exit.clone()));
    updates.push(update.into());
}
