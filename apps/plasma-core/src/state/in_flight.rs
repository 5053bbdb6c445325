//! What in-flight exits take off the operator's ledger (protocol 3.5, 4.1): all inputs when one starts, and each output that is
//! piggybacked where the transaction is included.
//!
//! A watcher must not do so: it executes what the operator put into blocks before he heard of the exit. It takes off what was
//! paid (`exit_processor`, `I15`).
//!
//! ```text
//! events ─► records_needed ─► new ─► inputs ─► facts ─► State::spending_txs ─► hashes ─► exiting ─► State::exit_utxos
//! ```

use super::{Exiting, OutputFact, OutputFacts, State};
use crate::db_update::{Spender, StateUpdate, TxPos};
use crate::root_chain::{EthEvent, PiggybackSide, RootChainEvent};
use crate::wire::{ExitId, OutputIndex, TxHash, UtxoPos};
use std::collections::{BTreeMap, BTreeSet};

/// What an operator remembers of an in-flight exit: piggybacks name the transaction only, and it is found through what it spends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlightRecord {
    /// The contract's key.
    pub exit_id: ExitId,
    /// The in-flight transaction.
    pub tx_hash: TxHash,
    /// What it spends.
    pub inputs: Vec<UtxoPos>,
}

/// Starts and piggybacks of one batch, to be taken in order.
#[derive(Clone, Debug, Default)]
pub struct InFlightExits {
    records: BTreeMap<ExitId, InFlightRecord>,
    started: BTreeSet<ExitId>,
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Start(ExitId),
    PiggybackOutput(ExitId, u16),
}

impl InFlightExits {
    /// Exits that these events piggyback and do not start: their [records](InFlightRecord) are needed from the store.
    pub fn records_needed(events: &[EthEvent]) -> BTreeSet<ExitId> {
        let all = Self::new(events, &[]);
        let piggybacked = all.steps.iter().filter_map(|step| match step {
            Step::PiggybackOutput(exit_id, _) => Some(*exit_id),
            Step::Start(_) => None,
        });
        piggybacked.filter(|exit_id| !all.started.contains(exit_id)).collect()
    }

    /// Reads the events of a batch, whatever mixture it is. Piggybacks of inputs change nothing. `stored` holds what
    /// [`Self::records_needed`] names, as far as there is any; without its start, a piggyback has no effect.
    pub fn new(events: &[EthEvent], stored: &[InFlightRecord]) -> Self {
        let mut exits = Self::default();
        exits.records.extend(stored.iter().map(|record| (record.exit_id, record.clone())));
        for event in events {
            match &event.event {
                RootChainEvent::InFlightExitStarted(start) => {
                    let record = InFlightRecord {
                        exit_id: start.exit_id,
                        tx_hash: start.tx_hash,
                        inputs: start.input_positions.clone(),
                    };
                    exits.started.insert(start.exit_id);
                    exits.records.insert(start.exit_id, record);
                    exits.steps.push(Step::Start(start.exit_id));
                }
                RootChainEvent::InFlightExitPiggybacked { exit_id, slot, .. }
                    if slot.side == PiggybackSide::Output =>
                {
                    exits.steps.push(Step::PiggybackOutput(*exit_id, slot.index));
                }
                _ => {}
            }
        }
        exits
    }

    /// What the transactions spend: what the store knows of these is needed.
    pub fn inputs(&self) -> BTreeSet<UtxoPos> {
        self.records.values().flat_map(|record| record.inputs.iter().copied()).collect()
    }

    /// What leaves, in order, for [`State::exit_utxos`], which needs facts about all of it. `facts` is about [`Self::inputs`], and
    /// `hashes` names the transactions at [`State::spending_txs`] of them. What the transaction itself spent is not among it.
    pub fn exiting(
        &self,
        state: &State,
        facts: &OutputFacts,
        hashes: &BTreeMap<TxPos, TxHash>,
    ) -> Vec<Exiting> {
        let mut exiting = Vec::new();
        for step in &self.steps {
            let (Step::Start(exit_id) | Step::PiggybackOutput(exit_id, _)) = *step;
            let Some(record) = self.records.get(&exit_id) else {
                continue;
            };
            let spent_at = |position: &UtxoPos| {
                let at = state.spending_tx(position, facts)?;
                (hashes.get(&at) == Some(&record.tx_hash)).then_some(at)
            };
            match step {
                Step::Start(_) => {
                    let left = record.inputs.iter().filter(|position| spent_at(position).is_none());
                    exiting.extend(left.map(|position| Exiting { position: *position, exit_id }));
                }
                Step::PiggybackOutput(_, oindex) => {
                    let at = record.inputs.iter().find_map(spent_at);
                    let output =
                        |at: TxPos| UtxoPos::new(at.blknum, at.txindex, OutputIndex::new(*oindex));
                    exiting.extend(at.map(|at| Exiting { position: output(at), exit_id }));
                }
            }
        }
        exiting
    }

    /// What later batches need to know, to be written with the rest of this one.
    pub fn updates(&self) -> impl Iterator<Item = StateUpdate> {
        let started = self.started.iter().filter_map(|exit_id| self.records.get(exit_id));
        started.map(|record| StateUpdate::PutInFlightRecord(record.clone()))
    }
}

impl State {
    /// Where these outputs were spent, as far as they were, the pending block included. `facts` as for [`State::exit_utxos`].
    pub fn spending_txs(
        &self,
        positions: &BTreeSet<UtxoPos>,
        facts: &OutputFacts,
    ) -> BTreeSet<TxPos> {
        positions.iter().filter_map(|position| self.spending_tx(position, facts)).collect()
    }

    fn spending_tx(&self, position: &UtxoPos, facts: &OutputFacts) -> Option<TxPos> {
        match self.utxos.find(position, facts)? {
            OutputFact::Gone(Spender::Transaction(at)) => Some(at),
            OutputFact::Gone(Spender::Exit(_)) | OutputFact::Unspent(..) => None,
        }
    }
}
