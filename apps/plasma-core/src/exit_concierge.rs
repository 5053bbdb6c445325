//! The exit concierge: what the one who exits, and everybody who watches, is told about an exit (`docs/protocol/exits.md`, C1 to C9).
//!
//! It must never decide anything: the exit processor judges, the root chain pays, and this only says how far an exit is, by when who
//! can do what, and what to do next. A record and a clock give exactly one phase.
//!
//! ```text
//! ExitProcessor::take_changed ─► ExitBoard (open exits, their places in the queues) ─► ExitView
//! records of the store, closed ones ─► ExitCase ────────────────────────────────────► ExitView
//! ```

mod advice;
mod board;
mod clock;
mod in_flight;
mod phase;
mod standard;

pub use board::{ExitBoard, QueuePlace};
pub use clock::{Eta, ExitClock};
pub use in_flight::{InFlightCase, SlotCase, SlotOutcome, SlotView};
pub use phase::{ExitKind, ExitPhase, Mover, SlotPhase, Step};
pub use standard::{StandardCase, StandardStanding};

use crate::db_update::TxPos;
use crate::exit_processor::{
    ExitStanding, InFlightExit, InFlightFindings, Judgement, StandardExit,
};
use crate::wire::{Address, Currency, EthHeight, ExitId, H256, TxHash, U256, UtxoPos};
use std::collections::BTreeSet;

/// What there is to know of an exit, whatever time it is. Small: it holds no transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExitCase {
    /// One output leaves.
    Standard(StandardCase),
    /// A transaction leaves.
    InFlight(InFlightCase),
}

/// An exit as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitView {
    /// The contract's key.
    pub exit_id: ExitId,
    /// How far it is. (`C1`, `C2`)
    pub phase: ExitPhase,
    /// Who started it.
    pub exitor: Address,
    /// Where it was started.
    pub eth_height: EthHeight,
    /// The root chain transaction that started it.
    pub root_chain_txhash: H256,
    /// When something of it can be paid at first: strictly after this. `None` when nothing is or waits to be.
    pub exitable_at_s: Option<u64>,
    /// How long until then, while something waits to be paid. (`C4`)
    pub eta: Option<Eta>,
    /// Its places in the queues that it waits in, by currency. (`C5`)
    pub queue: Vec<QueuePlace>,
    /// Who can do what until when. (`C6`)
    pub windows: Vec<Window>,
    /// What only one kind of exit has.
    pub parts: ExitParts,
    /// The one thing to do next. (`C7`)
    pub next: Step,
    /// The same as a sentence, with the command.
    pub advice: String,
}

/// What leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExitParts {
    /// One output.
    Standard {
        /// Where it is.
        position: UtxoPos,
        /// What it is counted in.
        currency: Currency,
        /// How much, in the smallest unit.
        amount: U256,
        /// What shows that it was spent, if something does.
        spending_txhash: Option<TxHash>,
    },
    /// Inputs or outputs of a transaction.
    InFlight {
        /// The transaction.
        tx_hash: TxHash,
        /// When the exit was started.
        started_at_s: u64,
        /// Whether the contract counts it as canonical now: it pays outputs then, else inputs.
        is_canonical: bool,
        /// Where the ledger has the transaction.
        included_at: Option<TxPos>,
        /// Its inputs, then its outputs.
        slots: Vec<SlotView>,
    },
}

/// Something that can be done about an exit for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// What.
    pub step: Step,
    /// By whom.
    pub by: Mover,
    /// Until when it can be done for sure, in seconds of root chain time, and about which block that is.
    pub until_s: u64,
    /// The block that is probably the last one.
    pub until_eth_height: EthHeight,
    /// Whether the contract refuses it after that. Otherwise it takes it until somebody processes the exit.
    pub is_hard: bool,
}

impl ExitParts {
    /// Standard or in-flight.
    pub const fn kind(&self) -> ExitKind {
        match self {
            Self::Standard { .. } => ExitKind::Standard,
            Self::InFlight { .. } => ExitKind::InFlight,
        }
    }
}

impl ExitCase {
    /// Of an exit that the exit processor has in memory. `None` while its start is unknown.
    pub fn watched(standing: &ExitStanding<'_>) -> Option<Self> {
        match standing {
            ExitStanding::Standard(exit, judgement) => {
                Some(Self::Standard(StandardCase::new(exit, *judgement)))
            }
            ExitStanding::InFlight(exit, findings) => {
                InFlightCase::new(exit, findings.clone()).map(Self::InFlight)
            }
        }
    }

    /// Of an exit that is not in memory: a closed one, or one that was read just now.
    pub fn of_standard(exit: &StandardExit) -> Self {
        Self::Standard(StandardCase::new(exit, Judgement::default()))
    }

    /// The same for an in-flight exit. `None` while its start is unknown.
    pub fn of_in_flight(exit: &InFlightExit) -> Option<Self> {
        InFlightCase::new(exit, InFlightFindings::default()).map(Self::InFlight)
    }

    /// The contract's key.
    pub const fn exit_id(&self) -> ExitId {
        match self {
            Self::Standard(case) => case.exit_id,
            Self::InFlight(case) => case.exit_id,
        }
    }

    /// Standard or in-flight.
    pub const fn kind(&self) -> ExitKind {
        match self {
            Self::Standard(_) => ExitKind::Standard,
            Self::InFlight(_) => ExitKind::InFlight,
        }
    }

    /// Everybody whom it concerns: who started it, who can join, and who is paid.
    pub fn accounts(&self) -> BTreeSet<Address> {
        match self {
            Self::Standard(case) => [case.owner].into_iter().collect(),
            Self::InFlight(case) => case.accounts(),
        }
    }

    /// Whether it still waits for something: it is not over.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Standard(case) => case.is_open(),
            Self::InFlight(case) => case.is_open(),
        }
    }

    /// How far it is. (`C1`, `C2`)
    pub fn phase(&self, clock: &ExitClock) -> ExitPhase {
        match self {
            Self::Standard(case) => case.phase(clock),
            Self::InFlight(case) => case.phase(clock),
        }
    }

    /// Everything there is to say, to this account or, without one, to anybody. `places` are those of [`ExitBoard::places`].
    pub fn view(
        &self,
        clock: &ExitClock,
        places: Vec<QueuePlace>,
        viewer: Option<Address>,
    ) -> ExitView {
        match self {
            Self::Standard(case) => case.view(clock, places, viewer),
            Self::InFlight(case) => case.view(clock, places, viewer),
        }
    }
}

#[cfg(test)]
mod tests;
