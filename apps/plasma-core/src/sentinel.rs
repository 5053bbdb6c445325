//! What to challenge, by when and at what fee: the duties that the exit processor finds, done on the root chain.
//!
//! It must never invent a duty, do one twice, send what the contracts would refuse, or spend more than it may. The rules are
//! numbered in `docs/protocol/sentinel.md`, and the code cites them (`S2`).
//!
//! ```text
//! wanted duties ─► on_duties ─────┐
//! new L1 block  ─► on_root_chain ─┼─► Plan { updates, actions, notices, halt }
//! simulation    ─► on_checked ────┤      commit updates, then: check ─► on_checked
//! node's answer ─► on_sent ───────┘                            send ──► on_sent
//! ```

mod budget;
pub mod call;
mod config;
mod duty;
mod fees;
mod in_flight;
mod intake;
mod log;
mod plan;
mod slot;
mod status;

pub use call::{Call, MalformedCall};
pub use config::SentinelConfig;
pub use duty::{Duty, DutyId, Task, Urgency};
pub use in_flight::{InFlightTerms, QueueHead};
pub use log::{DutyOutcome, DutyRecord, Notice, SentinelUpdate};
pub use slot::{FILL_GAS, Fate, Mined, NonceRecord, Offer, Receipt};
pub use status::{DutyPhase, DutyStatus, SentinelStatus};

use crate::root_chain::{FeeQuote, GasFees};
use crate::wire::{Address, EthHeight, H256, U256};
use slot::Slot;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Most duties in memory; the least urgent ones wait outside until some of these are done.
pub const DUTIES_MAX: usize = 1_024;
/// Most duties that are simulated at a time.
pub const CHECKS_MAX: usize = 32;
/// Offers under a nonce that are left for filling it when its duties used up theirs.
const FILL_OFFERS: usize = 8;
/// Root chain blocks for which a simulation counts.
const CHECK_VALID_ETH_BLOCKS: u64 = 2;
/// Root chain blocks after which a used nonce without a receipt is somebody else's: receipts can lag behind.
const FOREIGN_AFTER_ETH_BLOCKS: u64 = 3;
/// Root chain blocks for which a transaction in the pool that is not ours keeps its nonce.
const FOREIGN_PATIENCE_ETH_BLOCKS: u64 = 10;
/// Most nonces that the pool is believed to hold beyond the used ones.
const POOL_NONCES_MAX: u64 = 1_024;
/// A transaction that was refused so often in a row makes room for another.
const REFUSALS_MAX: usize = 5;

/// What the root chain says, as of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootChainFacts {
    /// The newest block.
    pub eth_height: EthHeight,
    /// Its time, in seconds.
    pub eth_time_s: u64,
    /// The nonce of the account's next transaction, counting mined ones only.
    pub account_nonce: u64,
    /// The same, also counting those in the node's pool.
    pub pending_nonce: u64,
    /// What the account holds, in wei.
    pub balance_wei: U256,
    /// What a transaction costs now.
    pub quote: FeeQuote,
    /// Receipts of all transactions that [`Sentinel::receipts_needed`] names; none for those that are not mined. When a receipt could
    /// not be read, there are no facts.
    pub receipts: BTreeMap<H256, Receipt>,
}

/// A call to simulate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// For which duty.
    pub id: DutyId,
    /// What to simulate, from the account and without value.
    pub call: Call,
    /// The block that asks; the newest state counts all the same.
    pub eth_height: EthHeight,
}

/// What a simulation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The call would go through.
    Passes {
        /// Gas that it needs.
        gas: u64,
    },
    /// The contracts would refuse it.
    Reverts {
        /// What the node says about it.
        reason: String,
    },
}

/// A transaction to sign and send. It never carries value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The account's nonce.
    pub nonce: u64,
    /// Whom to call and how; `None` for a transfer of nothing to the account itself.
    pub call: Option<Call>,
    /// Most gas it may use.
    pub gas_limit: u64,
    /// What it pays.
    pub fees: GasFees,
}

/// What to do on the root chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Estimate the gas of a call; the result goes to [`Sentinel::on_checked`], unless the node did not answer.
    Check(Check),
    /// Sign and send; hash and answer go to [`Sentinel::on_sent`].
    Send(Transaction),
}

/// Why nothing more is spent, although something should be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SentinelHalt {
    /// The account needs more.
    #[error(
        "the sentinel's account holds {balance_wei} wei, which does not pay for its duties: send it some ether"
    )]
    InsufficientFunds {
        /// What it holds.
        balance_wei: U256,
    },
    /// The budget of the day is used up.
    #[error(
        "the sentinel has spent or promised {used_wei} wei today, and may spend {budget_wei}: raise day_budget_wei if its duties cannot wait until tomorrow"
    )]
    DayBudgetSpent {
        /// What was spent and what may be spent for transactions in flight.
        used_wei: U256,
        /// The budget.
        budget_wei: u64,
    },
    /// A node that signs by itself does not have the key unlocked.
    #[error("the node of the root chain does not have the sentinel's account unlocked")]
    AccountLocked,
}

/// What to do, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// To be on disk before anything is done or told.
    pub updates: Vec<SentinelUpdate>,
    /// In this order; an action whose result never comes is asked for again with a later block.
    pub actions: Vec<Action>,
    /// To be told.
    pub notices: Vec<Notice>,
    /// What needs a human.
    pub halt: Option<SentinelHalt>,
}

/// What the store kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveredSentinel {
    /// Every [`NonceRecord`] of the account.
    pub nonces: Vec<NonceRecord>,
    /// Every [`DutyRecord`].
    pub duties: Vec<DutyRecord>,
    /// The [`SentinelUpdate::PutSpent`].
    pub spent: Option<(u64, U256)>,
}

/// The newest facts, without receipts.
#[derive(Clone, Copy, Debug)]
struct Now {
    eth_height: EthHeight,
    time_s: u64,
    account_nonce: u64,
    pending_nonce: u64,
    balance_wei: U256,
    quote: FeeQuote,
}

/// A duty that is to be done.
#[derive(Clone, Debug)]
struct Wanted {
    duty: Duty,
    found_s: u64,
    /// Height of the newest question.
    asked: Option<EthHeight>,
    /// Height and gas of the newest simulation, if that went well.
    passed: Option<(EthHeight, u64)>,
    /// Height of the newest simulation, how many failed in a row, and why, if it failed.
    reverted: Option<(EthHeight, u32, String)>,
    /// When to simulate next.
    retry_at: EthHeight,
    /// What it could pay, in wei per gas, if that was not enough.
    too_expensive: Option<u128>,
    /// Whether a dry run told about it.
    pretended: bool,
}

/// What has changed since the last plan.
#[derive(Clone, Debug, Default)]
struct Draft {
    updates: Vec<SentinelUpdate>,
    nonces: BTreeSet<u64>,
    duties: BTreeSet<DutyId>,
    is_spent: bool,
    notices: Vec<Notice>,
    halt: Option<SentinelHalt>,
}

/// See the module.
///
/// # After a restart
/// Every transaction that was decided is sent again, byte for byte, with the nonce it had. Nothing else is sent, raised or filled
/// before the wanted duties are known again.
#[derive(Clone, Debug)]
pub struct Sentinel {
    config: SentinelConfig,
    account: Address,
    now: Option<Now>,
    /// Whether [`Self::on_duties`] was called since the start.
    is_following: bool,
    wanted: BTreeMap<DutyId, Wanted>,
    /// Duties that are not wanted any more and have not ended, and whether somebody did them.
    gone: BTreeMap<DutyId, bool>,
    slots: BTreeMap<u64, Slot>,
    /// The nonces under which something was offered for a duty.
    nonces_of: BTreeMap<DutyId, BTreeSet<u64>>,
    records: BTreeMap<DutyId, DutyRecord>,
    /// Records with an outcome, in the order in which they ended.
    ended: BTreeSet<(u64, DutyId)>,
    next_seq: u64,
    /// The newest day, and what its final transactions cost.
    spent: Option<(u64, U256)>,
    /// The first nonce that waits to be mined.
    first_open: Option<u64>,
    /// Since when the pool holds a transaction of the account that is not ours.
    foreign_since: Option<EthHeight>,
    /// What the node said last, if it needs a human.
    refused: Option<SentinelHalt>,
    draft: Draft,
}

impl Sentinel {
    /// Continues where the store left off. What was offered with another key is left alone: it belongs to that account's nonces.
    pub fn restore(config: SentinelConfig, account: Address, recovered: RecoveredSentinel) -> Self {
        let RecoveredSentinel { mut nonces, duties, spent } = recovered;
        nonces.retain(|record| record.account == account);
        let mut nonces_of = BTreeMap::<DutyId, BTreeSet<u64>>::new();
        for record in &nonces {
            for id in record.offers.iter().filter_map(|offer| offer.duty) {
                nonces_of.entry(id).or_default().insert(record.nonce);
            }
        }
        let ended = duties.iter().filter(|record| record.outcome.is_some());
        let ended: BTreeSet<_> = ended.map(|record| (record.ended_seq, record.id)).collect();
        Self {
            config,
            account,
            now: None,
            is_following: false,
            wanted: BTreeMap::new(),
            gone: BTreeMap::new(),
            slots: nonces.into_iter().map(|record| (record.nonce, Slot::new(record))).collect(),
            nonces_of,
            records: duties.into_iter().map(|record| (record.id, record)).collect(),
            next_seq: ended.last().map_or(0, |(seq, _)| seq.saturating_add(1)),
            ended,
            spent,
            first_open: None,
            foreign_since: None,
            refused: None,
            draft: Draft::default(),
        }
    }

    /// The transactions whose receipts are to be read when the account's nonce is this one, each as of the newest block.
    pub fn receipts_needed(&self, account_nonce: u64) -> Vec<H256> {
        let used = self.slots.range(..account_nonce);
        used.flat_map(|(_, slot)| &slot.record.offers).filter_map(|offer| offer.txhash).collect()
    }

    /// The only open nonce under which this duty may be offered: the first that it was offered under. (`S2`)
    fn home(&self, id: &DutyId) -> Option<u64> {
        let mut open = self.slots_of(id).filter(|slot| slot.is_open());
        open.find(|slot| slot.concerns(id)).map(|slot| slot.record.nonce)
    }

    /// The nonces under which something was offered for a duty.
    fn slots_of(&self, id: &DutyId) -> impl Iterator<Item = &Slot> {
        let nonces = self.nonces_of.get(id).into_iter().flatten();
        nonces.filter_map(|nonce| self.slots.get(nonce))
    }

    /// Whether one of our transactions did it. (`S2`)
    fn is_done(&self, id: &DutyId) -> bool {
        let record = self.records.get(id);
        record.is_some_and(|record| record.outcome == Some(DutyOutcome::Done))
            || self.slots_of(id).any(|slot| slot.did(id))
    }

    /// Whether too many of its transactions failed. (`S8`)
    fn is_given_up(&self, id: &DutyId) -> bool {
        self.full_of(id).is_some_and(|record| record.reverts >= self.config.reverts_max)
    }

    fn open_slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values().filter(|slot| slot.is_open())
    }
}

#[cfg(test)]
mod tests;
