//! Exit events of the root chain: each changes a record once, however often and in whatever company it is read again.
//!
//! Records are told apart by the place of their start, since the contracts let a challenged exit start again once its queue
//! entry was processed. Nothing here depends on the ledger: whether an exit is valid is another question.

use super::verdict::Verdict;
use super::{ExitProcessor, ExitProcessorUpdate, StandardExit, StandardExitPhase};
use crate::db_update::DbUpdate;
use crate::root_chain::{EthEvent, RootChainEvent};
use crate::state::{Exiting, ExitsOutcome};
use crate::wire::{ExitId, UtxoPos};
use std::collections::BTreeMap;

/// Names a stored exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExitKey {
    /// By its output.
    Position(UtxoPos),
    /// By the contract's key.
    Id(ExitId),
}

/// Exits that the root chain paid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaidExits {
    /// What to take off the ledger.
    pub exiting: Vec<Exiting>,
    /// Paid, but their start was never seen. That cannot be while events are read in order: say so loudly.
    pub unknown: Vec<ExitId>,
}

impl ExitProcessor {
    /// Which stored exits are needed to take these events: those that are not in memory.
    pub fn records_needed(&self, events: &[EthEvent]) -> Vec<ExitKey> {
        let keys = events.iter().filter_map(|event| match &event.event {
            RootChainEvent::ExitStarted { position, .. }
            | RootChainEvent::ExitChallenged { position } => {
                (!self.watched.contains_key(position)).then_some(ExitKey::Position(*position))
            }
            RootChainEvent::ExitFinalized { exit_id } => {
                (!self.by_id.contains_key(exit_id)).then_some(ExitKey::Id(*exit_id))
            }
            _ => None,
        });
        keys.collect()
    }

    /// Takes starts, challenges and omissions, each kind in root chain order. `stored` holds the exits that
    /// [`Self::records_needed`] names, as far as there are any. Payments of the same batch have to be
    /// [taken](Self::on_finalized) before, for what was paid was not omitted. (`E1` to `E4`, `E20`)
    pub fn on_events(
        &mut self,
        events: &[EthEvent],
        stored: &[StandardExit],
        updates: &mut Vec<DbUpdate>,
    ) {
        let mut closed: BTreeMap<UtxoPos, StandardExit> = BTreeMap::new();
        closed.extend(stored.iter().map(|exit| (exit.position, exit.clone())));
        for event in events {
            let ended = match &event.event {
                RootChainEvent::ExitChallenged { position } => {
                    self.on_challenged(*position, event, &closed)
                }
                RootChainEvent::ExitOmitted { exit_id } => self.on_omitted(*exit_id, event),
                _ => {
                    if let Some(exit) = StandardExit::from_event(event) {
                        self.on_started(exit, &mut closed, updates);
                    }
                    None
                }
            };
            if let Some(exit) = ended {
                put(&exit, updates);
                closed.insert(exit.position, exit);
            }
        }
    }

    /// Which outputs the root chain paid, for the ledger to take off. `stored` as for [`Self::on_events`]. (`E5`)
    pub fn exiting(&self, events: &[EthEvent], stored: &[StandardExit]) -> PaidExits {
        let mut paid = PaidExits::default();
        for event in events {
            let RootChainEvent::ExitFinalized { exit_id } = &event.event else {
                continue;
            };
            let watched = self.by_id.get(exit_id).and_then(|at| self.watched.get(at));
            let of_id = |exit: &&StandardExit| exit.exit_id == *exit_id;
            let exit = watched.map(|watched| &watched.exit);
            match exit.or_else(|| stored.iter().find(of_id)) {
                Some(exit) => match exit.phase {
                    // A challenged or omitted exit is never paid by the contracts. If the root chain says so, that was on a
                    // branch that is gone, and the money has left all the same.
                    StandardExitPhase::Active
                    | StandardExitPhase::Challenged
                    | StandardExitPhase::Omitted => {
                        paid.exiting.push(Exiting { position: exit.position, exit_id: *exit_id });
                    }
                    StandardExitPhase::Finalized | StandardExitPhase::FinalizedInvalid => {}
                },
                None => paid.unknown.push(*exit_id),
            }
        }
        paid
    }

    /// Takes the ledger's answer to [`Self::exiting`]; the writes belong into the same batch as the ledger's. What is known about
    /// the outputs should be [decided](Self::decide) before. (`E5`)
    pub fn on_finalized(
        &mut self,
        outcome: &ExitsOutcome,
        stored: &[StandardExit],
        updates: &mut Vec<DbUpdate>,
    ) {
        let valid = outcome.valid.iter().map(|exiting| (exiting, true));
        let invalid = outcome.invalid.iter().map(|exiting| (exiting, false));
        for (exiting, was_there) in valid.chain(invalid) {
            let position = exiting.position;
            let (exit, verdict) = match self.unwatch(position) {
                Some(watched) => (Some(watched.exit), watched.verdict),
                None => (None, Verdict::default()),
            };
            let of_id = |exit: &&StandardExit| exit.exit_id == exiting.exit_id;
            let Some(mut exit) = exit.or_else(|| stored.iter().find(of_id).cloned()) else {
                continue;
            };
            let is_proven_invalid = matches!(verdict, Verdict::Invalid { is_told: false, .. });
            let is_fine = was_there || self.edge.is_ahead(position);
            exit.phase = if is_fine && !is_proven_invalid {
                StandardExitPhase::Finalized
            } else {
                StandardExitPhase::FinalizedInvalid
            };
            put(&exit, updates); // E5
            self.watch(exit, verdict);
        }
    }

    fn on_started(
        &mut self,
        mut exit: StandardExit,
        closed: &mut BTreeMap<UtxoPos, StandardExit>,
        updates: &mut Vec<DbUpdate>,
    ) {
        let position = exit.position;
        let watched = self.watched.get(&position).map(|watched| &watched.exit);
        if let Some(known) = watched.or_else(|| closed.get(&position)) {
            if known.root_chain_txhash == exit.root_chain_txhash {
                exit.phase = known.phase; // E2: the same start, perhaps moved by a reorganisation
                if *known == exit {
                    return;
                }
            } else if exit.place() <= known.place() {
                return; // E3: an earlier start of the same exit
            }
        }
        self.unwatch(position);
        put(&exit, updates); // E1
        closed.insert(position, exit.clone());
        self.watch(exit, Verdict::default());
    }

    fn on_challenged(
        &mut self,
        position: UtxoPos,
        event: &EthEvent,
        closed: &BTreeMap<UtxoPos, StandardExit>,
    ) -> Option<StandardExit> {
        let watched = self.watched.get(&position).map(|watched| &watched.exit);
        let exit = watched.or_else(|| closed.get(&position))?;
        // E20: payments and omissions can be read before challenges
        let is_open = matches!(exit.phase, StandardExitPhase::Active | StandardExitPhase::Omitted);
        if !is_open || !is_after_start(event, exit) {
            return None; // E4: of an earlier start of the same exit
        }
        let exit = StandardExit { phase: StandardExitPhase::Challenged, ..exit.clone() }; // E4
        self.unwatch(position);
        Some(exit)
    }

    /// Only an exit in memory can be omitted: all others are over.
    fn on_omitted(&mut self, exit_id: ExitId, event: &EthEvent) -> Option<StandardExit> {
        let position = *self.by_id.get(&exit_id)?;
        let exit = &self.watched.get(&position)?.exit;
        if exit.phase != StandardExitPhase::Active || !is_after_start(event, exit) {
            return None; // E20: of an earlier start of the same exit, or paid on another branch
        }
        let mut exit = self.unwatch(position)?.exit;
        exit.phase = StandardExitPhase::Omitted; // E20
        Some(exit)
    }
}

/// What happens to an exit happens after its start: otherwise it happened to an earlier exit of the same output.
fn is_after_start(event: &EthEvent, exit: &StandardExit) -> bool {
    (event.eth_height, event.log_index) > exit.place()
}

fn put(exit: &StandardExit, updates: &mut Vec<DbUpdate>) {
    let update = ExitProcessorUpdate::PutStandardExit(Box::new(exit.clone()));
    updates.push(update.into());
}
