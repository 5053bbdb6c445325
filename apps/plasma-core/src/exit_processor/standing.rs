//! How exits in memory stand, for those who show them: nothing is judged here.

use super::in_flight::WatchedInFlight;
use super::verdict::Verdict;
use super::{ExitProcessor, InFlightExit, StandardExit};
use crate::db_update::TxPos;
use crate::root_chain::PiggybackSlot;
use crate::wire::{ExitId, TxHash};
use std::collections::BTreeSet;

/// An exit in memory, and what was found out about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExitStanding<'a> {
    /// One output leaves.
    Standard(&'a StandardExit, Judgement),
    /// A transaction leaves.
    InFlight(&'a InFlightExit, InFlightFindings),
}

/// What was found out about a standard exit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Judgement {
    /// Not judged: nobody looked yet, or the ledger says nothing about the output. (`E8`, `E11`)
    #[default]
    Open,
    /// The output is there to leave.
    Valid,
    /// The output left with another exit, so nothing is paid. (`E10`)
    Superseded,
    /// The output was spent, or never was. (`E6`, `E7`, `E9`)
    Invalid {
        /// The transaction that spent it.
        spending_txhash: Option<TxHash>,
    },
}

/// What was found out about an in-flight exit. Nothing, for one that is closed or not judged yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InFlightFindings {
    /// Where the ledger has the transaction. (`I5`)
    pub included_at: Option<TxPos>,
    /// Whether the contract should be shown a competitor. (`I8`)
    pub has_viable_competitor: bool,
    /// Whether the contract should be shown where the transaction is included. (`I10`)
    pub is_challenged_wrongly: bool,
    /// Inputs and outputs that were spent, whether somebody joined with them or not. (`I7`)
    pub spent: BTreeSet<PiggybackSlot>,
}

impl ExitProcessor {
    /// Exits that started, were judged, changed or left memory since the last call.
    pub fn take_changed(&mut self) -> BTreeSet<ExitId> {
        std::mem::take(&mut self.changed)
    }

    /// How an exit stands that needs watching; closed ones are in the store.
    pub fn standing(&self, exit_id: ExitId) -> Option<ExitStanding<'_>> {
        if let Some(watched) = self.in_flight.watched.get(&exit_id) {
            return Some(ExitStanding::InFlight(&watched.exit, watched.findings()));
        }
        let watched = self.watched.get(self.by_id.get(&exit_id)?)?;
        Some(ExitStanding::Standard(&watched.exit, watched.verdict.into()))
    }
}

impl From<Verdict> for Judgement {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Open => Self::Open,
            Verdict::Valid => Self::Valid,
            Verdict::Superseded => Self::Superseded,
            Verdict::Invalid { spending_txhash, .. } => Self::Invalid { spending_txhash },
        }
    }
}

impl WatchedInFlight {
    fn findings(&self) -> InFlightFindings {
        let (Some(now), Some(verdict)) = (self.active(), &self.verdict) else {
            return InFlightFindings::default();
        };
        InFlightFindings {
            included_at: verdict.included_at,
            has_viable_competitor: verdict.viable_competitor(now).is_some(),
            is_challenged_wrongly: now.canonicity.answer(verdict.included_at).is_some(),
            spent: verdict.spent.clone(),
        }
    }
}
