//! All open exits, to be looked up and paged through without a lock or a look into the store.
//!
//! It is a value: whoever answers questions has a copy, which shares all exits with the one that is kept up to date.

use super::ExitCase;
use crate::exit_processor::ExitProcessor;
use crate::wire::ids::ExitPriority;
use crate::wire::{Currency, ExitId};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

/// A place in a queue. (`C5`)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuePlace {
    /// The queue.
    pub currency: Currency,
    /// It leaves strictly after this.
    pub exitable_at_s: u64,
    /// 1 leaves next.
    pub place: u64,
    /// How many wait.
    pub of: u64,
}

/// The exits that need watching, by exit id. Costs time only for exits that changed, apart from their places in the queues, which
/// are counted once for each change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExitBoard {
    exits: BTreeMap<ExitId, Arc<ExitCase>>,
    queues: BTreeSet<(Currency, ExitPriority)>,
    /// By exit and currency: place, and the time of the entry.
    places: BTreeMap<(ExitId, Currency), (u64, u64)>,
    lengths: BTreeMap<Currency, u64>,
}

impl ExitBoard {
    /// Takes over what changed; says whether anything did.
    pub fn update(board: &mut Arc<Self>, exits: &mut ExitProcessor) -> bool {
        let changed = exits.take_changed();
        if changed.is_empty() {
            return false;
        }
        let mut is_changed = false;
        for exit_id in changed {
            let case = exits.standing(exit_id).and_then(|standing| ExitCase::watched(&standing));
            if board.exits.get(&exit_id).map(|known| &**known) != case.as_ref() {
                Arc::make_mut(board).replace(exit_id, case);
                is_changed = true;
            }
        }
        if is_changed {
            Arc::make_mut(board).count();
        }
        is_changed
    }

    /// From cases, for whoever has no exit processor.
    pub fn from_cases(cases: impl IntoIterator<Item = ExitCase>) -> Self {
        let mut board = Self::default();
        for case in cases {
            board.replace(case.exit_id(), Some(case));
        }
        board.count();
        board
    }

    fn replace(&mut self, exit_id: ExitId, case: Option<ExitCase>) {
        let known = match case {
            Some(case) => {
                self.queues.extend(queued(&case));
                self.exits.insert(exit_id, Arc::new(case))
            }
            None => self.exits.remove(&exit_id),
        };
        let stays: Vec<_> = self.exits.get(&exit_id).map(|case| queued(case)).unwrap_or_default();
        for entry in known.map(|case| queued(&case)).unwrap_or_default() {
            if !stays.contains(&entry) {
                self.queues.remove(&entry);
            }
        }
    }

    fn count(&mut self) {
        self.places.clear();
        self.lengths.clear();
        for (currency, priority) in &self.queues {
            let length = self.lengths.entry(*currency).or_default();
            *length = length.saturating_add(1);
            let place = (*length, priority.exitable_at_s());
            self.places.insert((priority.exit_id(), *currency), place);
        }
    }

    /// An exit that needs watching.
    pub fn get(&self, exit_id: ExitId) -> Option<&Arc<ExitCase>> {
        self.exits.get(&exit_id)
    }

    /// The exits behind this one, or all, in the order of their ids.
    pub fn after(&self, cursor: Option<ExitId>) -> impl Iterator<Item = &Arc<ExitCase>> {
        let from = cursor.map_or(Bound::Unbounded, Bound::Excluded);
        self.exits.range((from, Bound::Unbounded)).map(|(_, case)| case)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.exits.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.exits.is_empty()
    }

    /// Where an exit stands in the queues, the entry that leaves first ahead. (`C5`)
    pub fn places(&self, exit_id: ExitId) -> Vec<QueuePlace> {
        let first = (exit_id, Currency::zero());
        let of_exit = self.places.range(first..).take_while(|((id, _), _)| *id == exit_id);
        let mut places: Vec<QueuePlace> = of_exit
            .map(|((_, currency), (place, exitable_at_s))| QueuePlace {
                currency: *currency,
                exitable_at_s: *exitable_at_s,
                place: *place,
                of: self.lengths.get(currency).copied().unwrap_or_default(),
            })
            .collect();
        places.sort_by_key(|place| place.exitable_at_s);
        places
    }
}

fn queued(case: &ExitCase) -> Vec<(Currency, ExitPriority)> {
    match case {
        ExitCase::Standard(case) => case.queued().into_iter().collect(),
        ExitCase::InFlight(case) => case.queued(),
    }
}
