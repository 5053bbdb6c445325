//! Which duty gets which nonce, what is raised, what is filled, and what is simulated first.
//!
//! It must never offer a duty under two open nonces, nor leave a nonce open that later ones wait for (`S2`, `S4`).

use super::budget::gas_limit;
use super::duty::{DutyId, Urgency};
use super::log::{DutyOutcome, SentinelUpdate};
use super::slot::{FILL_GAS, Offer, Slot};
use super::{
    Action, CHECKS_MAX, Check, FILL_OFFERS, FOREIGN_PATIENCE_ETH_BLOCKS, Now, POOL_NONCES_MAX,
    Plan, REFUSALS_MAX, Sentinel, Transaction, fees,
};
use std::ops::ControlFlow;

impl Sentinel {
    /// Decides everything that follows from what is known.
    pub(super) fn plan(&mut self) -> Plan {
        if let Some(now) = self.now.filter(|_| self.is_following) {
            self.draft.halt = None;
            self.end_duties(&now);
            if !self.config.dry_run {
                self.tend(&now);
                self.fill_gaps(&now);
                self.open(&now);
            } else {
                self.pretend(&now);
            }
            self.prune();
        }
        self.hand_over()
    }

    /// Turns what was decided into a plan.
    pub(super) fn hand_over(&mut self) -> Plan {
        let mut draft = std::mem::take(&mut self.draft);
        let records = draft.duties.iter().filter_map(|id| self.records.get(id));
        let records = records.map(|record| SentinelUpdate::PutDuty(Box::new(record.clone())));
        let nonces = draft.nonces.iter().filter_map(|nonce| self.slots.get(nonce));
        let nonces = nonces.map(|slot| SentinelUpdate::PutNonce(Box::new(slot.record.clone())));
        let spent = self.spent.filter(|_| draft.is_spent);
        let spent = spent.map(|(day, wei)| SentinelUpdate::PutSpent { day, wei });
        draft.updates.extend(records.chain(nonces).chain(spent));
        let mut actions = Vec::new();
        if let Some(now) = self.now {
            if !self.config.dry_run {
                self.hand_out(&now, &mut actions);
            }
            if self.is_following {
                self.ask(&now, &mut actions);
            }
        }
        // Answers and simulations do not undo what the newest plan complained about.
        self.draft.halt = draft.halt;
        let halt = self.refused.or(draft.halt);
        Plan { updates: draft.updates, actions, notices: draft.notices, halt }
    }

    /// Sends what is new, and with each block everything again that is open: that cures every lost pool. A transaction whose hash
    /// was lost in a crash is signed again even when its nonce is used, to know what to look for. (`S3`)
    fn hand_out(&mut self, now: &Now, actions: &mut Vec<Action>) {
        for slot in self.slots.values_mut().filter(|slot| slot.is_open()) {
            let Some(newest) = slot.newest().copied() else {
                continue;
            };
            let is_used = slot.missing_since.is_some();
            if slot.handed_out == Some(now.eth_height) || is_used && newest.txhash.is_some() {
                continue;
            }
            slot.handed_out = Some(now.eth_height);
            let (nonce, call) = (slot.record.nonce, slot.record.call.clone());
            let (gas_limit, fees) = (newest.gas_limit, newest.fees);
            actions.push(Action::Send(Transaction { nonce, call, gas_limit, fees }));
        }
    }

    /// Simulates what could be sent next and what is in flight. (`S8`)
    fn ask(&mut self, now: &Now, actions: &mut Vec<Action>) {
        let height = now.eth_height;
        // What is too expensive anyway does not keep others from being looked at.
        let mut ids: Vec<_> = self
            .wanted
            .values()
            .map(|wanted| (wanted.too_expensive.is_some(), wanted.duty.priority()))
            .collect();
        ids.sort();
        let due = ids.into_iter().map(|(_, (_, _, id))| id).filter(|id| {
            let Some(wanted) = self.wanted.get(id) else {
                return false;
            };
            let is_open = wanted.duty.is_open(now.time_s) && wanted.retry_at <= height;
            is_open && !self.is_done(id) && !self.is_given_up(id)
        });
        for id in due.take(CHECKS_MAX).collect::<Vec<_>>() {
            if let Some(wanted) = self.wanted.get_mut(&id)
                && wanted.asked != Some(height)
            {
                wanted.asked = Some(height);
                let call = wanted.duty.call.clone();
                actions.push(Action::Check(Check { id, call, eth_height: height }));
            }
        }
    }

    /// Ends what is over, and takes up again what came back. (`S4`, `S13`)
    fn end_duties(&mut self, now: &Now) {
        let is_busy = |id: &DutyId| self.home(id).is_some() || self.is_done(id);
        let mut ends = Vec::new();
        for (id, met) in self.gone.iter().filter(|(id, _)| !is_busy(id)) {
            let due_s = self.records.get(id).map_or(0, |record| record.due_s);
            ends.push((
                *id,
                match () {
                    () if *met => DutyOutcome::LostRace,
                    () if self.is_given_up(id) => DutyOutcome::Reverted,
                    () if now.time_s > due_s => DutyOutcome::Expired,
                    () => DutyOutcome::Withdrawn,
                },
            ));
        }
        let mut back = Vec::new();
        for (id, wanted) in self.wanted.iter().filter(|(id, _)| !is_busy(id)) {
            match () {
                () if self.is_given_up(id) => ends.push((*id, DutyOutcome::Reverted)),
                () if wanted.duty.is_closed(now.time_s) => {
                    let cost = wanted.too_expensive.map(|_| DutyOutcome::TooExpensive);
                    ends.push((*id, cost.unwrap_or(DutyOutcome::Expired)));
                }
                () => back.push(*id),
            }
        }
        for id in back {
            self.reopen(id);
        }
        for (id, outcome) in ends {
            self.gone.remove(&id);
            if let Some(wanted) = self.wanted.get(&id).filter(|_| !self.records.contains_key(&id)) {
                self.record(&wanted.clone());
            }
            self.end(id, outcome, now.time_s);
        }
    }

    /// Looks after every open nonce: raises it, gives it to another duty or fills it. (`S4`, `S6`)
    fn tend(&mut self, now: &Now) {
        let open = self.open_slots().filter(|slot| slot.missing_since.is_none());
        let open: Vec<u64> = open.map(|slot| slot.record.nonce).collect();
        let first = open.first().copied();
        if self.first_open.is_some_and(|before| Some(before) < first)
            && let Some(slot) = first.and_then(|nonce| self.slots.get_mut(&nonce))
        {
            slot.raised = slot.raised.max(Some(now.eth_height)); // It waited for others, not for its price.
        }
        self.first_open = first;
        // A nonce hurries as much as anything that waits for it.
        let mut hurry = self.hurry_of_waiting(now, open.len());
        let mut waits = hurry.is_some();
        for nonce in open.into_iter().rev() {
            let occupant = self.slots.get(&nonce).and_then(Slot::occupant);
            let wanted = occupant.and_then(|id| self.wanted.get(&id));
            let own = wanted.map(|wanted| wanted.duty.urgency(now.time_s));
            hurry = hurry.max(own);
            self.tend_one(now, nonce, hurry.unwrap_or_default(), waits);
            waits = true;
        }
    }

    /// How much the most urgent duty hurries that finds no free nonce.
    fn hurry_of_waiting(&self, now: &Now, open: usize) -> Option<Urgency> {
        let is_full = open >= self.config.in_flight_max;
        let waiting = self.wanted.values().filter(|wanted| {
            is_full && self.is_ready(wanted.duty.id, now) && self.home(&wanted.duty.id).is_none()
        });
        waiting.map(|wanted| wanted.duty.urgency(now.time_s)).max()
    }

    fn tend_one(&mut self, now: &Now, nonce: u64, urgency: Urgency, waits: bool) {
        let Some(slot) = self.slots.get(&nonce) else {
            return;
        };
        // What was not signed yet is handed out again first: an offer without a known hash must not be forgotten.
        let Some(newest) = slot.newest().copied().filter(|newest| newest.txhash.is_some()) else {
            return;
        };
        let is_late = self.is_late(now, slot, urgency);
        let is_stuck = !fees::is_payable(newest.fees, &now.quote) || slot.underpriced;
        let is_refused = slot.refusals >= REFUSALS_MAX;
        match slot.occupant() {
            Some(id) if self.is_alive(&id, nonce, now) => {
                let is_served = !is_late || !is_refused && self.raise(now, nonce, id, urgency);
                if !is_served && waits && (is_stuck || is_refused) {
                    self.refill(now, nonce, urgency, false);
                }
            }
            Some(_) => {
                self.refill(now, nonce, urgency, false);
            }
            None => {
                let is_back = self.refill(now, nonce, urgency, true);
                if !is_back && is_late {
                    self.fill(now, nonce, urgency);
                }
            }
        }
    }

    /// Whether the newest offer waits for too long. Those behind others wait for these, unless no block would take them. (`S6`)
    fn is_late(&self, now: &Now, slot: &Slot, urgency: Urgency) -> bool {
        let Some(newest) = slot.newest() else {
            return false;
        };
        let is_first = self.first_open == Some(slot.record.nonce);
        let is_waiting = is_first || !fees::is_payable(newest.fees, &now.quote);
        let patience = match urgency {
            Urgency::Calm => self.config.bump_after_eth_blocks.max(1),
            Urgency::Pressing | Urgency::Critical => 1,
        };
        let after = |eth_blocks| {
            slot.raised.is_some_and(|raised| now.eth_height >= raised.plus(eth_blocks))
        };
        (slot.underpriced || slot.refusals >= REFUSALS_MAX) && after(1)
            || is_waiting && after(patience)
    }

    /// Whether the duty is still to be done, and here. A simulation that failed with two blocks says that somebody was faster. (`S4`)
    fn is_alive(&self, id: &DutyId, nonce: u64, now: &Now) -> bool {
        let Some(wanted) = self.wanted.get(id) else {
            return false;
        };
        let is_lost = wanted.reverted.as_ref().is_some_and(|(_, times, _)| *times > 1);
        let is_here = self.home(id) == Some(nonce) && !self.is_done(id);
        is_here && !is_lost && !wanted.duty.is_closed(now.time_s)
    }

    /// Whether a duty could be sent now, if it has or gets a nonce.
    fn is_ready(&self, id: DutyId, now: &Now) -> bool {
        let Some(wanted) = self.wanted.get(&id) else {
            return false;
        };
        let is_due = wanted.duty.is_open(now.time_s) && wanted.is_checked(now);
        is_due && !self.is_done(&id) && !self.is_given_up(&id)
    }

    /// Ready duties that may be offered under this nonce, the most urgent first. (`S2`, `S9`)
    pub(super) fn ready(&self, nonce: Option<u64>, now: &Now) -> Vec<DutyId> {
        let here = self.wanted.values().filter(|wanted| {
            let home = self.home(&wanted.duty.id);
            self.is_ready(wanted.duty.id, now) && (home.is_none() || home == nonce)
        });
        let mut ids: Vec<_> = here.map(|wanted| wanted.duty.priority()).collect();
        ids.sort();
        ids.into_iter().map(|(_, _, id)| id).collect()
    }

    /// Offers more for the same duty. Returns whether that was possible or not necessary. (`S6`)
    fn raise(&mut self, now: &Now, nonce: u64, id: DutyId, urgency: Urgency) -> bool {
        let (Some(slot), Some(wanted)) = (self.slots.get(&nonce), self.wanted.get(&id)) else {
            return false;
        };
        let Some(newest) = slot.newest().copied() else {
            return false;
        };
        if wanted.reverted.is_some() {
            return true; // Nobody pays more for what may be refused.
        }
        if slot.record.offers.len() >= self.config.offers_max {
            return false;
        }
        let call = wanted.duty.call.clone();
        let gas_limit = match wanted.passed {
            Some((_, gas)) if slot.record.call.as_ref() != Some(&call) => gas_limit(gas),
            _ if slot.record.call.as_ref() == Some(&call) => newest.gas_limit,
            _ => return true,
        };
        let ceiling = self.ceiling(now, Some(&id), gas_limit, Some(nonce));
        let fees = fees::raised(newest.fees, &now.quote, urgency, ceiling.per_gas_wei);
        let Some(fees) = fees else {
            self.blame(now, ceiling.limit);
            return false;
        };
        let offer = Offer { duty: Some(id), is_fill: false, gas_limit, fees, txhash: None };
        self.put_offer(now, nonce, offer, Some(call));
        true
    }

    /// Gives an open nonce to the next duty that can pay for it, or fills it. With `is_kept`, only to a duty that cannot go anywhere
    /// else. Returns whether a duty has it. (`S4`)
    fn refill(&mut self, now: &Now, nonce: u64, urgency: Urgency, is_kept: bool) -> bool {
        let Some(slot) = self.slots.get(&nonce) else {
            return false;
        };
        let Some(newest) = slot.newest().copied() else {
            return false;
        };
        let has_room = slot.record.offers.len() < self.config.offers_max;
        for id in self.ready(Some(nonce), now).into_iter().filter(|_| has_room) {
            let is_at_home = self.home(&id) == Some(nonce);
            let Some(wanted) =
                self.wanted.get(&id).filter(|_| newest.duty != Some(id) || newest.is_fill)
            else {
                continue;
            };
            let Some(gas) = wanted.passed.map(|(_, gas)| gas_limit(gas)) else {
                continue;
            };
            if is_kept && !is_at_home {
                continue;
            }
            let call = wanted.duty.call.clone();
            let urgency = urgency.max(wanted.duty.urgency(now.time_s));
            let ceiling = self.ceiling(now, Some(&id), gas, Some(nonce));
            if let Some(fees) = fees::raised(newest.fees, &now.quote, urgency, ceiling.per_gas_wei)
            {
                self.record(&wanted.clone());
                let offer =
                    Offer { duty: Some(id), is_fill: false, gas_limit: gas, fees, txhash: None };
                self.put_offer(now, nonce, offer, Some(call));
                return true;
            }
        }
        if !is_kept {
            self.fill(now, nonce, urgency);
        }
        false
    }

    /// Uses up an open nonce as cheaply as possible. (`S4`)
    fn fill(&mut self, now: &Now, nonce: u64, urgency: Urgency) {
        let Some(slot) = self.slots.get(&nonce) else {
            return;
        };
        let limit = self.config.offers_max.saturating_add(FILL_OFFERS);
        let Some(newest) = slot.newest().copied().filter(|_| slot.record.offers.len() < limit)
        else {
            return;
        };
        let ceiling = self.ceiling(now, None, FILL_GAS, Some(nonce));
        if let Some(fees) = fees::raised(newest.fees, &now.quote, urgency, ceiling.per_gas_wei) {
            let offer =
                Offer { duty: newest.duty, is_fill: true, gas_limit: FILL_GAS, fees, txhash: None };
            self.put_offer(now, nonce, offer, None);
        } else {
            self.blame(now, ceiling.limit);
        }
    }

    /// Uses nonces below ours that nobody uses: later ones would wait for ever. What the pool holds there gets some time. (`S10`)
    fn fill_gaps(&mut self, now: &Now) {
        let Some(last) = self.open_slots().last().map(|slot| slot.record.nonce) else {
            return;
        };
        let gaps: Vec<u64> = (now.account_nonce..last)
            .filter(|nonce| !self.slots.contains_key(nonce))
            .take(CHECKS_MAX)
            .collect();
        if !gaps.iter().any(|nonce| *nonce < now.pending_nonce) {
            self.foreign_since = None;
        }
        for nonce in gaps {
            if nonce < now.pending_nonce {
                let since = *self.foreign_since.get_or_insert(now.eth_height);
                if now.eth_height < since.plus(FOREIGN_PATIENCE_ETH_BLOCKS) {
                    continue;
                }
            }
            if self.open_at(now, nonce).is_continue() {
                continue;
            }
            let ceiling = self.ceiling(now, None, FILL_GAS, None);
            let urgency = Urgency::default();
            if let Some(fees) = fees::first(&now.quote, urgency, ceiling.per_gas_wei) {
                let offer =
                    Offer { duty: None, is_fill: true, gas_limit: FILL_GAS, fees, txhash: None };
                self.put_offer(now, nonce, offer, None);
            }
        }
    }

    /// Gives nonces to duties while there may be more in flight. (`S9`)
    fn open(&mut self, now: &Now) {
        while self.open_slots().count() < self.config.in_flight_max {
            let in_pool = now.account_nonce.saturating_add(POOL_NONCES_MAX).min(now.pending_nonce);
            let mut nonces = now.account_nonce.max(in_pool)..;
            let free = nonces.find(|nonce| !self.slots.contains_key(nonce));
            if free.is_none_or(|nonce| self.open_at(now, nonce).is_break()) {
                return;
            }
        }
    }

    /// Gives a new nonce to the most urgent duty that can pay for it. (`S7`, `S9`)
    fn open_at(&mut self, now: &Now, nonce: u64) -> ControlFlow<()> {
        for id in self.ready(None, now) {
            let Some(first) = self.first_offer(now, &id) else {
                continue;
            };
            let Some(fees) = first.fees else {
                self.postpone(now, id, &first);
                continue;
            };
            let Some(wanted) = self.wanted.get_mut(&id) else {
                continue;
            };
            wanted.too_expensive = None;
            let wanted = wanted.clone();
            self.record(&wanted);
            let gas_limit = first.gas_limit;
            let offer = Offer { duty: Some(id), is_fill: false, gas_limit, fees, txhash: None };
            self.put_offer(now, nonce, offer, Some(wanted.duty.call));
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(())
    }
}
