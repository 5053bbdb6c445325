//! What the status shows: each duty that goes on, where it stands, and what all this costs.
//!
//! It must never decide anything: it reads what the plans decided.

use super::duty::{DutyId, Urgency};
use super::log::{DutyRecord, day_of};
use super::{Now, Sentinel, SentinelHalt, Wanted};
use crate::root_chain::GasFees;
use crate::wire::{Address, EthHeight, H256, U256};
use std::collections::BTreeSet;

/// The Sentinel at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentinelStatus {
    /// The account of the key.
    pub account: Address,
    /// Whether nothing is sent.
    pub is_dry_run: bool,
    /// What needs a human.
    pub halt: Option<SentinelHalt>,
    /// What the account holds, in wei; `None` before the root chain was read.
    pub balance_wei: Option<U256>,
    /// What was spent today (a day of root chain time), in wei.
    pub spent_today_wei: U256,
    /// Most that the transactions in flight can cost, in wei.
    pub promised_wei: U256,
    /// Transactions that wait to be mined.
    pub in_flight: usize,
}

/// A duty that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutyStatus {
    /// Which duty.
    pub id: DutyId,
    /// The function of the contracts that does it.
    pub call: &'static str,
    /// When it has to be done, in seconds of root chain time.
    pub due_s: u64,
    /// How much it hurries.
    pub urgency: Urgency,
    /// Most that it may cost, in wei.
    pub cost_wei_max: U256,
    /// Its record, once it was taken up.
    pub record: Option<DutyRecord>,
    /// Where it stands.
    pub phase: DutyPhase,
}

/// Where a duty stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DutyPhase {
    /// The contracts do not take it yet.
    NotOpen {
        /// From when on they do, in seconds of root chain time.
        opens_s: u64,
    },
    /// It is simulated, or waits for a free nonce.
    Waiting,
    /// The contracts would refuse it now.
    WouldRevert {
        /// What the node says.
        reason: String,
    },
    /// Gas costs more than it may cost.
    TooExpensive {
        /// Most that it may pay, in wei per gas.
        affordable_wei: u128,
    },
    /// A transaction is in flight, or one that takes its nonce.
    InFlight {
        /// Its nonce.
        nonce: u64,
        /// What it offers.
        fees: GasFees,
        /// Offers so far.
        offers: usize,
    },
    /// It is done, and not final yet.
    Mined {
        /// The transaction.
        txhash: H256,
        /// Its block.
        eth_height: EthHeight,
    },
    /// It ended: its [`DutyRecord::outcome`] says how. It is still wanted because others have not heard of it, or because it failed.
    Ended,
}

impl Sentinel {
    /// The Sentinel at a glance.
    pub fn status(&self) -> SentinelStatus {
        SentinelStatus {
            account: self.account,
            is_dry_run: self.config.dry_run,
            halt: self.refused.or(self.draft.halt),
            balance_wei: self.now.map(|now| now.balance_wei),
            spent_today_wei: self
                .now
                .map_or_else(U256::zero, |now| self.spent_on(day_of(now.time_s))),
            promised_wei: self.promised_wei(),
            in_flight: self.open_slots().count(),
        }
    }

    /// The duties that have not ended, whether they are wanted or not: about these [`Self::on_duties`] asks whether they are met.
    pub fn unended(&self) -> BTreeSet<DutyId> {
        let open = self.records.values().filter(|record| record.outcome.is_none());
        self.wanted.keys().copied().chain(open.map(|record| record.id)).collect()
    }

    /// The duties that go on, the most urgent first. [`Self::history`] has those that ended.
    pub fn duties(&self) -> Vec<DutyStatus> {
        let Some(now) = self.now else {
            return Vec::new();
        };
        let mut wanted: Vec<&Wanted> = self.wanted.values().collect();
        wanted.sort_by_key(|wanted| wanted.duty.priority());
        let status = |wanted: &Wanted| DutyStatus {
            id: wanted.duty.id,
            call: wanted.duty.call.name(),
            due_s: wanted.duty.due_s,
            urgency: wanted.duty.urgency(now.time_s),
            cost_wei_max: wanted.duty.cost_wei_max(&self.config),
            record: self.full_of(&wanted.duty.id),
            phase: self.phase(wanted, &now),
        };
        wanted.into_iter().map(status).collect()
    }

    fn phase(&self, wanted: &Wanted, now: &Now) -> DutyPhase {
        let id = &wanted.duty.id;
        let mut slots = self.slots_of(id);
        if let Some((mined, _)) = slots.find(|slot| slot.did(id)).and_then(|slot| slot.mined()) {
            let (txhash, eth_height) = (mined.txhash, mined.receipt.eth_height);
            return DutyPhase::Mined { txhash, eth_height };
        }
        if let Some(slot) = self.home(id).and_then(|nonce| self.slots.get(&nonce))
            && let Some(newest) = slot.newest()
        {
            let (nonce, offers) = (slot.record.nonce, slot.record.offers.len());
            return DutyPhase::InFlight { nonce, fees: newest.fees, offers };
        }
        let has_ended = self.records.get(id).is_some_and(|record| record.outcome.is_some());
        match (&wanted.reverted, wanted.too_expensive) {
            _ if has_ended => DutyPhase::Ended,
            _ if wanted.duty.opens_s > now.time_s => {
                DutyPhase::NotOpen { opens_s: wanted.duty.opens_s }
            }
            (Some((_, _, reason)), _) => DutyPhase::WouldRevert { reason: reason.clone() },
            (_, Some(affordable_wei)) => DutyPhase::TooExpensive { affordable_wei },
            (None, None) => DutyPhase::Waiting,
        }
    }
}
