//! Who did what, when, at what cost and with which outcome: the log of duties that the status shows (`S13`).
//!
//! It must never forget a duty that was done while the exit processor still asks for it, or it would be done again.

use super::Sentinel;
use super::duty::{DutyId, Task};
use super::slot::{NonceRecord, Slot};
use crate::wire::{Address, H256, U256};

/// What the Sentinel writes. Each replaces what is stored under the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SentinelUpdate {
    /// Keyed by account and nonce.
    PutNonce(Box<NonceRecord>),
    /// The nonce is final.
    DeleteNonce {
        /// The account of the key.
        account: Address,
        /// Which nonce of the account.
        nonce: u64,
    },
    /// Keyed by duty.
    PutDuty(Box<DutyRecord>),
    /// The duty is history that is not kept any more.
    DeleteDuty(DutyId),
    /// What the final transactions of the newest day cost. There is only one, whatever the account: another key gets no other budget.
    PutSpent {
        /// Seconds of root chain time divided by 86,400.
        day: u64,
        /// In wei.
        wei: U256,
    },
}

/// A duty that was taken up or that ended. Costs are of transactions that are final; the status adds the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutyRecord {
    /// Which duty.
    pub id: DutyId,
    /// Who: the account of the key under which it ended, or under which it was taken up while it goes on.
    pub account: Address,
    /// When it was first heard of, in seconds of root chain time.
    pub found_s: u64,
    /// When it had to be done, in seconds of root chain time.
    pub due_s: u64,
    /// What it earned or would have earned, in wei.
    pub reward_wei: U256,
    /// Gas of all its transactions.
    pub gas_used: u64,
    /// Cost of all its transactions, in wei.
    pub cost_wei: U256,
    /// Its transactions that were mined and failed.
    pub reverts: usize,
    /// The transaction that did it, or the last one mined.
    pub txhash: Option<H256>,
    /// What became of it, `None` while it goes on.
    pub outcome: Option<DutyOutcome>,
    /// When it ended, in seconds of root chain time.
    pub ended_s: u64,
    /// Its place among all that ended; the first is forgotten first.
    pub ended_seq: u64,
}

/// How a duty ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DutyOutcome {
    /// Our transaction did it.
    Done,
    /// Somebody else did it before.
    LostRace,
    /// Our transactions were mined and failed, and it was given up.
    Reverted,
    /// Its time was over.
    Expired,
    /// It was not necessary any more.
    Withdrawn,
    /// It was never worth the gas, or beyond a budget.
    TooExpensive,
    /// It would have been done, but this was a dry run.
    DryRun,
}

impl DutyOutcome {
    /// The stable name: in the status and in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::LostRace => "lost_race",
            Self::Reverted => "reverted",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::TooExpensive => "too_expensive",
            Self::DryRun => "dry_run",
        }
    }
}

/// What somebody hears. None of it is needed to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The contracts would refuse the call now. It is not sent, and tried again later.
    WouldRevert {
        /// Which duty.
        id: DutyId,
        /// What the node says.
        reason: String,
    },
    /// The gas costs more than the duty may cost. It waits for cheaper gas.
    TooExpensive {
        /// Which duty.
        id: DutyId,
        /// Gas it needs.
        gas_limit: u64,
        /// Most that it may pay, in wei per gas.
        affordable_wei: u128,
    },
    /// This would have been sent.
    WouldSend {
        /// Which duty.
        id: DutyId,
        /// Gas it needs.
        gas_limit: u64,
        /// What it would offer at most, in wei per gas.
        max_fee_per_gas_wei: u128,
    },
    /// A duty ended.
    Ended {
        /// Which duty.
        id: DutyId,
        /// How.
        outcome: DutyOutcome,
    },
    /// A transaction that we do not know used a nonce: the key is used for something else as well.
    NonceTaken {
        /// Which nonce.
        nonce: u64,
    },
    /// A transaction that was mined is not mined any more. It is sent again.
    Unmined {
        /// Its nonce.
        nonce: u64,
    },
    /// The node refuses a transaction.
    Refused {
        /// Its nonce.
        nonce: u64,
        /// What the node says.
        reason: String,
    },
    /// There are more duties than are kept in memory; the least urgent ones wait outside.
    TooManyDuties {
        /// How many are left out.
        left_out: usize,
    },
}

impl Task {
    /// The number under which the store keeps a task, and its index if it has one.
    pub const fn to_parts(self) -> (u8, u16) {
        match self {
            Self::ChallengeStandardExit => (0, 0),
            Self::ChallengeInFlightExit { input_index } => (1, input_index),
            Self::RespondToChallenge => (2, 0),
            Self::BlockInput { index } => (3, index),
            Self::BlockOutput { index } => (4, index),
            Self::DeleteInFlightExit => (5, 0),
            Self::ProcessExits => (6, 0),
        }
    }

    /// Reads [`Self::to_parts`].
    pub const fn from_parts(kind: u8, index: u16) -> Option<Self> {
        Some(match (kind, index) {
            (0, 0) => Self::ChallengeStandardExit,
            (1, input_index) => Self::ChallengeInFlightExit { input_index },
            (2, 0) => Self::RespondToChallenge,
            (3, index) => Self::BlockInput { index },
            (4, index) => Self::BlockOutput { index },
            (5, 0) => Self::DeleteInFlightExit,
            (6, 0) => Self::ProcessExits,
            _ => return None,
        })
    }
}

impl DutyRecord {
    /// Adds what a transaction cost.
    fn charge(&mut self, slot: &Slot) {
        let Some((mined, offer)) = slot.mined().filter(|(_, offer)| offer.duty == Some(self.id))
        else {
            return;
        };
        self.gas_used = self.gas_used.saturating_add(mined.receipt.gas_used);
        self.cost_wei = self.cost_wei.saturating_add(mined.receipt.cost_wei());
        if !offer.is_fill {
            self.txhash = Some(mined.txhash);
            let failed = usize::from(!mined.receipt.succeeded);
            self.reverts = self.reverts.saturating_add(failed);
        }
    }
}

impl Sentinel {
    /// The log, the newest duty first: costs include transactions that are not final yet.
    pub fn history(&self) -> impl Iterator<Item = DutyRecord> {
        self.ended.iter().rev().filter_map(|(_, id)| self.records.get(id)).map(|r| self.full(r))
    }

    /// A record as it would be if everything that is mined were final.
    pub(super) fn full(&self, record: &DutyRecord) -> DutyRecord {
        let mut record = record.clone();
        for slot in self.slots_of(&record.id.clone()) {
            record.charge(slot);
        }
        record
    }

    pub(super) fn full_of(&self, id: &DutyId) -> Option<DutyRecord> {
        self.records.get(id).map(|record| self.full(record))
    }

    /// Moves what a final nonce cost from the nonce to the duty and the day.
    pub(super) fn book(&mut self, slot: &Slot) {
        let Some((mined, offer)) = slot.mined() else {
            return;
        };
        let (day, cost) = (day_of(mined.seen_s), mined.receipt.cost_wei());
        let (last, spent) = self.spent.unwrap_or_default();
        if day >= last {
            let spent = if day == last { spent } else { U256::zero() };
            self.spent = Some((day, spent.saturating_add(cost)));
            self.draft.is_spent = true;
        }
        if let Some(record) = offer.duty.and_then(|id| self.records.get_mut(&id)) {
            record.charge(slot);
            self.draft.duties.insert(record.id);
        }
    }

    /// Ends a duty, or ends it otherwise than before.
    pub(super) fn end(&mut self, id: DutyId, outcome: DutyOutcome, now_s: u64) {
        let (seq, account) = (self.next_seq, self.account);
        let Some(record) = self.records.get_mut(&id) else {
            return;
        };
        if record.outcome == Some(outcome) {
            return;
        }
        self.next_seq = seq.saturating_add(1);
        self.ended.remove(&(record.ended_seq, id));
        (record.outcome, record.ended_s, record.ended_seq) = (Some(outcome), now_s, seq);
        record.account = account;
        self.ended.insert((seq, id));
        self.draft.duties.insert(id);
        self.draft.notices.push(Notice::Ended { id, outcome });
    }

    /// Takes up a duty that had ended, because it is there again.
    pub(super) fn reopen(&mut self, id: DutyId) {
        if let Some(record) = self.records.get_mut(&id)
            && record.outcome.take().is_some()
        {
            self.ended.remove(&(record.ended_seq, id));
            self.draft.duties.insert(id);
        }
    }

    /// Forgets the oldest duties that ended and that nobody asks for. (`S13`)
    pub(super) fn prune(&mut self) {
        let excess = self.ended.len().saturating_sub(self.config.history_len_max);
        let is_idle =
            |id: &DutyId| !self.wanted.contains_key(id) && !self.nonces_of.contains_key(id);
        let old = self.ended.iter().filter(|(_, id)| is_idle(id)).take(excess);
        for (seq, id) in old.copied().collect::<Vec<_>>() {
            self.ended.remove(&(seq, id));
            self.records.remove(&id);
            self.draft.duties.remove(&id);
            self.draft.updates.push(SentinelUpdate::DeleteDuty(id));
        }
    }
}

pub(super) const fn day_of(now_s: u64) -> u64 {
    now_s / 86_400
}
