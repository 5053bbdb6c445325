//! What has to be done on the root chain, by when, and what it is worth.
//!
//! A duty must never be invented here: all of them come from the exit processor, and an id names one duty for ever (`S1`).

use super::SentinelConfig;
use super::call::Call;
use crate::byzantine::ExitFault;
use crate::exit_processor::ChallengeData;
use crate::wire::{ETH, ExitId, H256, U256};
use std::cmp::Reverse;

/// Housekeeping may cost this part of each budget: one in so many.
pub(super) const HOUSEKEEPING_SHARE: u64 = 4;

/// What is to be done about an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// Show that the output of a standard exit was spent.
    ChallengeStandardExit,
    /// Show a competitor of an in-flight exit.
    ChallengeInFlightExit {
        /// The contested input.
        input_index: u16,
    },
    /// Show that an in-flight exit was included before its competitor.
    RespondToChallenge,
    /// Show that a piggybacked input was spent otherwise.
    BlockInput {
        /// Which input.
        index: u16,
    },
    /// Show that a piggybacked output was spent.
    BlockOutput {
        /// Which output.
        index: u16,
    },
    /// Delete an in-flight exit that nobody joined.
    DeleteInFlightExit,
    /// Process what is mature in the queue that this exit leads.
    ProcessExits,
}

/// Names a duty across restarts and reorganisations. (`S1`)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DutyId {
    /// Which exit.
    pub exit_id: ExitId,
    /// The root chain transaction that made the duty necessary: it started the exit, answered the last challenge or piggybacked.
    /// One transaction cannot start an exit twice, and a reorganisation that moves it keeps its hash.
    pub cause: H256,
    /// What is to be done.
    pub task: Task,
}

/// Something to do. All times are seconds of root chain time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    /// Its name.
    pub id: DutyId,
    /// How to do it.
    pub call: Call,
    /// From when on the contracts take the call; the time towards `due_s` is counted from here.
    pub opens_s: u64,
    /// When it has to be done: mined at this time or earlier. Later may be too late, but is tried.
    pub due_s: u64,
    /// After this the contracts take the call no more; `None` when they always do.
    pub closes_s: Option<u64>,
    /// The bond that whoever does it gets, in wei.
    pub reward_wei: U256,
    /// What honest people lose when nobody does it, in wei; `None` when that cannot be told in wei.
    pub at_stake_wei: Option<U256>,
}

impl Task {
    /// Whether it only tidies up: it earns nothing, nobody is robbed without it, and it never takes what challenges need. (`S7`)
    pub(super) const fn is_housekeeping(self) -> bool {
        matches!(self, Self::DeleteInFlightExit | Self::ProcessExits)
    }

    /// The stable name: in the status and in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChallengeStandardExit => "challenge_standard_exit",
            Self::ChallengeInFlightExit { .. } => "challenge_in_flight_exit",
            Self::RespondToChallenge => "respond_to_challenge",
            Self::BlockInput { .. } => "block_input",
            Self::BlockOutput { .. } => "block_output",
            Self::DeleteInFlightExit => "delete_in_flight_exit",
            Self::ProcessExits => "process_exits",
        }
    }
}

impl Duty {
    /// To challenge a standard exit that is invalid, with the proof that its output was spent. Whoever does it gets the bond.
    ///
    /// It is due when the exit can be processed, and counts as open since the earliest time at which it can have been started: twice
    /// the exit period before (protocol 5.3).
    pub fn challenge_standard_exit(
        exit: &ExitFault,
        proof: ChallengeData,
        bond_wei: U256,
        min_exit_period_s: u64,
    ) -> Self {
        let due_s = exit.scheduled_finalization_time_s;
        Self {
            id: DutyId {
                exit_id: exit.exit_id,
                cause: exit.root_chain_txhash,
                task: Task::ChallengeStandardExit,
            },
            call: Call::ChallengeStandardExit(proof),
            opens_s: due_s.saturating_sub(min_exit_period_s.saturating_mul(2)),
            due_s,
            closes_s: None,
            reward_wei: bond_wei,
            at_stake_wei: (exit.currency == ETH).then_some(exit.amount),
        }
    }

    /// The order in which duties are served: the earliest deadline first, then the most at stake; housekeeping last. (`S9`)
    pub(super) fn priority(&self) -> (u64, Reverse<U256>, DutyId) {
        let due_s = if self.id.task.is_housekeeping() { u64::MAX } else { self.due_s };
        (due_s, Reverse(self.at_stake_wei.unwrap_or(U256::MAX)), self.id)
    }

    /// Most that it may cost, in wei: the budget of a duty, but no more than a share of what it saves. (`S7`)
    pub fn cost_wei_max(&self, config: &SentinelConfig) -> U256 {
        let budget = U256::from(config.duty_budget_wei);
        if self.id.task.is_housekeeping() {
            return budget.checked_div(HOUSEKEEPING_SHARE.into()).unwrap_or_default();
        }
        let Some(at_stake) = self.at_stake_wei else {
            return budget;
        };
        let worth = at_stake.saturating_add(self.reward_wei);
        let share = worth.saturating_mul(config.worth_share_percent.into());
        budget.min(share.checked_div(U256::from(100)).unwrap_or_default())
    }

    /// How much it hurries. (`S6`)
    pub(super) fn urgency(&self, now_s: u64) -> Urgency {
        let window = self.due_s.saturating_sub(self.opens_s);
        let left = self.due_s.saturating_sub(now_s);
        match () {
            () if left.saturating_mul(8) <= window => Urgency::Critical,
            () if left.saturating_mul(2) <= window => Urgency::Pressing,
            () => Urgency::Calm,
        }
    }

    pub(super) fn is_open(&self, now_s: u64) -> bool {
        self.opens_s <= now_s && !self.is_closed(now_s)
    }

    pub(super) fn is_closed(&self, now_s: u64) -> bool {
        self.closes_s.is_some_and(|closes_s| closes_s < now_s)
    }
}

/// How near the deadline is, as a part of the time from opening to deadline. (`S6`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// More than half of the time is left.
    #[default]
    Calm,
    /// Half or less.
    Pressing,
    /// An eighth or less.
    Critical,
}
