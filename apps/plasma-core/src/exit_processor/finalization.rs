//! Payments of in-flight exits: what they take off the ledger, and whether it was there to leave.
//!
//! The contract decides on which side to pay by what it was shown; whether that was right is decided here, by the ledger and
//! all evidence at the moment when the payment is taken. The outcome is part of the record and never judged again.

use super::in_flight::{WatchedInFlight, put};
use super::{ExitProcessor, InFlightEvent, Payment, Subject};
use crate::db_update::DbUpdate;
use crate::root_chain::{PiggybackSide, PiggybackSlot};
use crate::state::{Exiting, ExitsOutcome};
use crate::wire::{EthHeight, ExitId, UtxoPos};

/// A payment that the ledger has to be asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlightPayment {
    /// Which exit.
    pub exit_id: ExitId,
    /// Which of its inputs and outputs was paid.
    pub slot: PiggybackSlot,
    /// What leaves the ledger with it. Empty when the transaction has no such input or output.
    pub exiting: Vec<Exiting>,
    place: (EthHeight, u32),
}

impl ExitProcessor {
    /// Payments the ledger was not asked about, of exits that are [judged](Self::decide). Hand all their outputs to
    /// [`State::exit_utxos`](crate::state::State::exit_utxos), and its answer to [`Self::on_paid`]. (`I15`, `I16`)
    ///
    /// # After a restart
    /// What was not answered in a committed batch is due again.
    pub fn payments_due(&self) -> Vec<InFlightPayment> {
        let mut due = Vec::new();
        for exit_id in &self.in_flight.unsettled {
            let is_judged = !self.unchecked.contains_key(&Subject::InFlight(*exit_id));
            let watched = self.in_flight.watched.get(exit_id);
            // Whose start is unknown cannot be judged: it was paid on a branch that is gone, or its start is still to be read.
            let Some(watched) = watched.filter(|it| is_judged && it.now.is_some()) else {
                continue;
            };
            for told in &watched.exit.moves {
                if let InFlightEvent::Withdrawn(slot, Payment::Due) = told.event {
                    let positions = watched.leaving_with(slot).into_iter();
                    let exiting = positions.map(|position| Exiting { position, exit_id: *exit_id });
                    due.push(InFlightPayment {
                        exit_id: *exit_id,
                        slot,
                        exiting: exiting.collect(),
                        place: told.place(),
                    });
                }
            }
        }
        due
    }

    /// Takes the ledger's answer to [`Self::payments_due`]; the writes belong into the same batch as the ledger's. (`I17`)
    pub fn on_paid(
        &mut self,
        payments: &[InFlightPayment],
        outcome: &ExitsOutcome,
        updates: &mut Vec<DbUpdate>,
    ) {
        for paid in payments {
            let Some(watched) = self.in_flight.watched.get(&paid.exit_id) else {
                continue;
            };
            let verdict = watched.verdict.as_ref();
            let is_unclear = |position: UtxoPos| {
                self.edge.is_ahead(position)
                    || verdict.is_some_and(|verdict| verdict.unclear.contains(&position))
            };
            let was_there = paid
                .exiting
                .iter()
                .all(|exiting| !outcome.invalid.contains(exiting) || is_unclear(exiting.position));
            let is_wrong = verdict.is_none_or(|verdict| verdict.is_wrong_to_pay(paid.slot));
            let payment = if was_there && !is_wrong && !paid.exiting.is_empty() {
                Payment::Rightful
            } else {
                Payment::Wrongful
            };
            let mut exit = watched.exit.clone();
            for told in &mut exit.moves {
                let is_due = told.event == InFlightEvent::Withdrawn(paid.slot, Payment::Due);
                if is_due && told.place() == paid.place {
                    told.event = InFlightEvent::Withdrawn(paid.slot, payment);
                }
            }
            put(&exit, updates);
            self.replace_in_flight(exit);
        }
    }
}

impl WatchedInFlight {
    /// What a payment takes off the ledger: an input; an output where the ledger has it; or, for an output of a transaction that
    /// is in no block, everything that it spends, since the contract lets none of that leave any more. (`I15`)
    fn leaving_with(&self, slot: PiggybackSlot) -> Vec<UtxoPos> {
        let Some(tx) = &self.tx else {
            return Vec::new();
        };
        let index = usize::from(slot.index);
        let included_at = self.verdict.as_ref().and_then(|verdict| verdict.included_at);
        let inputs = tx.inputs.iter().map(|key| key.position);
        match (slot.side, included_at) {
            (PiggybackSide::Input, _) => inputs.skip(index).take(1).collect(),
            (PiggybackSide::Output, Some(at)) => {
                let outputs = tx.outputs_at(at).map(|key| key.position);
                outputs.skip(index).take(1).collect()
            }
            (PiggybackSide::Output, None) if index < tx.output_owners.len() => inputs.collect(),
            (PiggybackSide::Output, None) => Vec::new(),
        }
    }
}
