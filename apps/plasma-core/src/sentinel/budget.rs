//! What may be offered: the budgets of a duty, of a day and of the account (`S7`).
//!
//! It must never count on a cheap outcome: whatever is in flight is taken to cost all that it offers.

use super::duty::{DutyId, HOUSEKEEPING_SHARE};
use super::log::{Notice, day_of};
use super::slot::{Fate, NonceRecord, Offer, Slot};
use super::{CHECK_VALID_ETH_BLOCKS, Call, Now, Sentinel, SentinelHalt, Wanted, fees};
use crate::root_chain::GasFees;
use crate::wire::U256;

/// What a transaction may pay, and which limit says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ceiling {
    pub(super) per_gas_wei: u128,
    pub(super) limit: Limit,
}

/// In the order in which they are blamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Limit {
    Duty,
    Day,
    Balance,
}

/// What a new nonce may be used for.
pub(super) struct FirstOffer {
    pub(super) gas_limit: u64,
    pub(super) ceiling: Ceiling,
    /// `None` when the ceiling is too low.
    pub(super) fees: Option<GasFees>,
}

impl Sentinel {
    /// Most that a transaction may pay: for a duty, or to fill a nonce; under a new nonce, or one that has offers already.
    pub(super) fn ceiling(
        &self,
        now: &Now,
        id: Option<&DutyId>,
        gas_limit: u64,
        nonce: Option<u64>,
    ) -> Ceiling {
        let own = match id {
            None => self.config.fill_budget_wei.into(),
            Some(id) => {
                let wanted =
                    self.wanted.get(id).map(|wanted| wanted.duty.cost_wei_max(&self.config));
                let spent = self.full_of(id).map(|record| record.cost_wei).unwrap_or_default();
                wanted.unwrap_or_default().saturating_sub(spent)
            }
        };
        let held = nonce.and_then(|nonce| self.slots.get(&nonce)).map(Slot::reserved_wei);
        let promised = self.promised_wei().saturating_sub(held.unwrap_or_default());
        let used = self.spent_on(day_of(now.time_s)).saturating_add(promised);
        let budget = U256::from(self.config.day_budget_wei);
        let day = budget.saturating_sub(used);
        // Its part of the day is a limit of its own: nobody has to do anything about it.
        let own = match id.filter(|id| id.task.is_housekeeping()) {
            Some(_) => {
                let part = budget.checked_div(HOUSEKEEPING_SHARE.into()).unwrap_or_default();
                own.min(part.saturating_sub(used))
            }
            None => own,
        };
        let balance = now.balance_wei.saturating_sub(promised);
        let limits = [(own, Limit::Duty), (day, Limit::Day), (balance, Limit::Balance)];
        let (wei, limit) = limits.into_iter().min().unwrap_or((U256::zero(), Limit::Duty));
        let per_gas = wei.checked_div(gas_limit.into()).unwrap_or_default();
        let per_gas_wei = u128::try_from(per_gas).unwrap_or(u128::MAX);
        Ceiling { per_gas_wei: per_gas_wei.min(self.config.fee_per_gas_wei_max.into()), limit }
    }

    /// Most that everything in flight can cost, in wei.
    pub(super) fn promised_wei(&self) -> U256 {
        self.open_slots().map(Slot::reserved_wei).fold(U256::zero(), U256::saturating_add)
    }

    /// What was mined on a day cost, in wei.
    pub(super) fn spent_on(&self, day: u64) -> U256 {
        let recent = self.slots.values().filter_map(|slot| match &slot.record.fate {
            Fate::Mined(mined) if day_of(mined.seen_s) == day => Some(mined.receipt.cost_wei()),
            _ => None,
        });
        let spent = self.spent.filter(|(last, _)| *last == day);
        recent.fold(spent.map(|(_, wei)| wei).unwrap_or_default(), U256::saturating_add)
    }

    /// Says that a limit other than a duty's own keeps something from being sent.
    pub(super) fn blame(&mut self, now: &Now, limit: Limit) {
        let halt = match limit {
            Limit::Duty => return,
            Limit::Day => SentinelHalt::DayBudgetSpent {
                used_wei: self.spent_on(day_of(now.time_s)).saturating_add(self.promised_wei()),
                budget_wei: self.config.day_budget_wei,
            },
            Limit::Balance => SentinelHalt::InsufficientFunds { balance_wei: now.balance_wei },
        };
        self.draft.halt = Some(halt);
    }

    /// What a duty would offer under a new nonce; `None` when it was not simulated.
    pub(super) fn first_offer(&self, now: &Now, id: &DutyId) -> Option<FirstOffer> {
        let wanted = self.wanted.get(id)?;
        let gas_limit = gas_limit(wanted.passed?.1);
        let ceiling = self.ceiling(now, Some(id), gas_limit, None);
        let urgency = wanted.duty.urgency(now.time_s);
        let fees = fees::first(&now.quote, urgency, ceiling.per_gas_wei);
        Some(FirstOffer { gas_limit, ceiling, fees })
    }

    /// Lets a duty wait for cheaper gas. (`S7`)
    pub(super) fn postpone(&mut self, now: &Now, id: DutyId, first: &FirstOffer) {
        let affordable_wei = first.ceiling.per_gas_wei;
        if let Some(wanted) = self.wanted.get_mut(&id) {
            wanted.retry_at = now.eth_height.plus(CHECK_VALID_ETH_BLOCKS);
            if wanted.too_expensive.replace(affordable_wei).is_none() {
                let gas_limit = first.gas_limit;
                self.draft.notices.push(Notice::TooExpensive { id, gas_limit, affordable_wei });
            }
        }
        self.blame(now, first.ceiling.limit);
    }

    /// Says what would be sent. (`S14`)
    pub(super) fn pretend(&mut self, now: &Now) {
        for id in self.ready(None, now) {
            let Some(first) = self.first_offer(now, &id) else {
                continue;
            };
            let Some(fees) = first.fees else {
                self.postpone(now, id, &first);
                continue;
            };
            if let Some(wanted) = self.wanted.get_mut(&id)
                && !wanted.pretended
            {
                (wanted.pretended, wanted.too_expensive) = (true, None);
                let (gas_limit, max_fee_per_gas_wei) = (first.gas_limit, fees.max_fee_per_gas_wei);
                let notice = Notice::WouldSend { id, gas_limit, max_fee_per_gas_wei };
                self.draft.notices.push(notice);
            }
        }
    }

    /// Writes an offer down, to be handed out after the commit. (`S3`)
    pub(super) fn put_offer(&mut self, now: &Now, nonce: u64, offer: Offer, call: Option<Call>) {
        if let Some(id) = offer.duty {
            self.nonces_of.entry(id).or_default().insert(nonce);
        }
        let account = self.account;
        let slot = self.slots.entry(nonce).or_insert_with(|| {
            let (offers, call, fate) = (Vec::new(), None, Fate::Open);
            Slot::new(NonceRecord { account, nonce, offers, call, fate })
        });
        slot.offer(offer, call, now.eth_height);
        self.draft.nonces.insert(nonce);
    }
}

impl Wanted {
    /// Whether a simulation that still counts went well. (`S8`)
    pub(super) fn is_checked(&self, now: &Now) -> bool {
        self.passed.is_some_and(|(at, _)| at.plus(CHECK_VALID_ETH_BLOCKS) > now.eth_height)
    }
}

/// Room for a state that changes between simulation and block.
pub(super) fn gas_limit(gas: u64) -> u64 {
    gas.saturating_add(gas / 4).saturating_add(10_000)
}
