//! Standard exits, as the concierge tells them.

use super::advice::{self, Told};
use super::{ExitClock, ExitParts, ExitPhase, ExitView, Mover, QueuePlace, Step, Window};
use crate::exit_processor::{Judgement, StandardExit, StandardExitPhase};
use crate::wire::ids::ExitPriority;
use crate::wire::{Address, Currency, EthHeight, ExitId, H256, TxHash, U256, UtxoPos};

/// What there is to know of a standard exit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandardCase {
    /// The contract's key.
    pub exit_id: ExitId,
    /// The exiting output.
    pub position: UtxoPos,
    /// Who exits.
    pub owner: Address,
    /// What leaves.
    pub currency: Currency,
    /// How much leaves, in the smallest unit.
    pub amount: U256,
    /// Where it was started.
    pub eth_height: EthHeight,
    /// The root chain transaction that started it.
    pub root_chain_txhash: H256,
    /// It can be processed strictly after this.
    pub exitable_at_s: u64,
    /// How it stands, whatever time it is.
    pub standing: StandardStanding,
}

/// How a standard exit stands, whatever time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandardStanding {
    /// It can be paid, and nothing speaks against it.
    Open,
    /// Its output left with another exit.
    Superseded,
    /// Its output was spent or never was.
    Invalid {
        /// What shows it; `None` when there is nothing to show.
        spending_txhash: Option<TxHash>,
    },
    /// Challenged.
    Challenged,
    /// Paid.
    Paid,
    /// Paid, and should not have been.
    PaidWrongly,
    /// Left the queue unpaid, because its output had left before.
    Omitted,
}

impl StandardCase {
    /// From its record, and what was found out about it: nothing, for a closed one.
    pub fn new(exit: &StandardExit, judgement: Judgement) -> Self {
        let standing = match (exit.phase, judgement) {
            (StandardExitPhase::Challenged, _) => StandardStanding::Challenged,
            (StandardExitPhase::Finalized, _) => StandardStanding::Paid,
            (StandardExitPhase::FinalizedInvalid, _) => StandardStanding::PaidWrongly,
            (StandardExitPhase::Omitted, _) => StandardStanding::Omitted,
            (StandardExitPhase::Active, Judgement::Open | Judgement::Valid) => {
                StandardStanding::Open
            }
            (StandardExitPhase::Active, Judgement::Superseded) => StandardStanding::Superseded,
            (StandardExitPhase::Active, Judgement::Invalid { spending_txhash }) => {
                StandardStanding::Invalid { spending_txhash }
            }
        };
        Self {
            exit_id: exit.exit_id,
            position: exit.position,
            owner: exit.owner,
            currency: exit.currency,
            amount: exit.amount,
            eth_height: exit.eth_height,
            root_chain_txhash: exit.root_chain_txhash,
            exitable_at_s: exit.exitable_at_s,
            standing,
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        match self.standing {
            StandardStanding::Open
            | StandardStanding::Superseded
            | StandardStanding::Invalid { .. } => true,
            StandardStanding::Challenged
            | StandardStanding::Paid
            | StandardStanding::PaidWrongly
            | StandardStanding::Omitted => false,
        }
    }

    /// Its entry in the queue, while it waits there as far as is known.
    pub(super) fn queued(&self) -> Option<(Currency, ExitPriority)> {
        let priority = ExitPriority::new(self.exitable_at_s, self.position, self.exit_id);
        self.is_open().then_some((self.currency, priority))
    }

    pub(super) const fn phase(&self, clock: &ExitClock) -> ExitPhase {
        match self.standing {
            StandardStanding::Challenged => ExitPhase::Challenged,
            StandardStanding::Paid => ExitPhase::Paid,
            StandardStanding::PaidWrongly => ExitPhase::PaidWrongly,
            StandardStanding::Omitted => ExitPhase::Omitted,
            StandardStanding::Invalid { .. } => ExitPhase::Invalid,
            StandardStanding::Superseded => ExitPhase::Superseded,
            StandardStanding::Open if self.exitable_at_s < clock.now_s => ExitPhase::Due,
            StandardStanding::Open => ExitPhase::Waiting,
        }
    }

    /// The one thing to do. (`C7`)
    fn next(&self, clock: &ExitClock, viewer: Option<Address>) -> Step {
        let is_due = self.exitable_at_s < clock.now_s;
        match self.standing {
            StandardStanding::Open | StandardStanding::Superseded if is_due => Step::Process,
            StandardStanding::Open | StandardStanding::Superseded => Step::Wait,
            StandardStanding::Invalid { .. } if viewer == Some(self.owner) => Step::Nothing,
            StandardStanding::Invalid { spending_txhash: Some(_) } => Step::Challenge,
            StandardStanding::Invalid { spending_txhash: None } | StandardStanding::PaidWrongly => {
                Step::Leave
            }
            StandardStanding::Challenged | StandardStanding::Paid | StandardStanding::Omitted => {
                Step::Nothing
            }
        }
    }

    pub(super) fn view(
        &self,
        clock: &ExitClock,
        queue: Vec<QueuePlace>,
        viewer: Option<Address>,
    ) -> ExitView {
        let (phase, next) = (self.phase(clock), self.next(clock, viewer));
        let eta = self.is_open().then(|| clock.eta(self.exitable_at_s));
        let until_s = self.exitable_at_s.saturating_add(1);
        let challenge = Window {
            step: Step::Challenge,
            by: Mover::Anybody,
            until_s,
            until_eth_height: clock.last_before(until_s),
            is_hard: false,
        };
        let told = Told {
            phase,
            next,
            eta,
            tx_hash: None,
            position: Some(self.position),
            currencies: vec![self.currency],
            slots: Vec::new(),
        };
        ExitView {
            exit_id: self.exit_id,
            phase,
            exitor: self.owner,
            eth_height: self.eth_height,
            root_chain_txhash: self.root_chain_txhash,
            exitable_at_s: Some(self.exitable_at_s),
            eta,
            queue,
            windows: self.is_open().then_some(challenge).into_iter().collect(),
            parts: ExitParts::Standard {
                position: self.position,
                currency: self.currency,
                amount: self.amount,
                spending_txhash: match self.standing {
                    StandardStanding::Invalid { spending_txhash } => spending_txhash,
                    _ => None,
                },
            },
            next,
            advice: advice::sentence(&told),
        }
    }
}
