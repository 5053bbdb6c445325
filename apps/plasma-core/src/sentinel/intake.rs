//! Facts from outside: wanted duties, blocks of the root chain, simulations and answers of the node.
//!
//! It must never take the silence of a node for a fact: what was not answered is asked again (`S11`).

use super::duty::{Duty, DutyId};
use super::log::{DutyOutcome, DutyRecord, Notice, SentinelUpdate};
use super::slot::{Fate, Mined, Slot};
use super::{
    Check, Checked, DUTIES_MAX, FOREIGN_AFTER_ETH_BLOCKS, Now, Plan, RootChainFacts, Sentinel,
    SentinelHalt, Transaction, Wanted,
};
use crate::root_chain::SubmitOutcome;
use crate::sentinel::duty::Task;
use crate::wire::{EthHeight, H256, U256};
use std::collections::BTreeMap;

/// A simulation that failed is repeated after 1, 2, 4 … blocks, doubling so often at most.
const BACKOFF_DOUBLINGS: u32 = 5;

impl Sentinel {
    /// Takes the duties that the exit processor wants done now; whatever is missing is not wanted any more, and `is_met` says
    /// whether somebody did it. To be called only while the exit processor knows all there is to know, and after
    /// [`Self::on_root_chain`]. (`S1`, `S4`)
    pub fn on_duties(&mut self, duties: Vec<Duty>, is_met: impl Fn(&DutyId) -> bool) -> Plan {
        let found_s = self.now.map_or(0, |now| now.time_s);
        let mut duties = duties;
        duties.retain(|duty| self.config.process_exits || duty.id.task != Task::ProcessExits);
        duties.sort_by_cached_key(|duty| (self.yields(duty), duty.priority()));
        let left_out = duties.len().saturating_sub(DUTIES_MAX);
        if left_out > 0 {
            self.draft.notices.push(Notice::TooManyDuties { left_out });
        }
        let mut before = std::mem::take(&mut self.wanted);
        for duty in duties.drain(..).take(DUTIES_MAX) {
            self.gone.remove(&duty.id);
            let wanted = match before.remove(&duty.id) {
                Some(known) if known.duty.call == duty.call => Wanted { duty, ..known },
                Some(known) => Wanted::new(duty, known.found_s),
                None => Wanted::new(duty, found_s),
            };
            self.wanted.insert(wanted.duty.id, wanted);
        }
        for (id, wanted) in before {
            if !self.records.contains_key(&id) {
                self.record(&wanted);
                self.leave(&wanted, is_met(&id), found_s);
            }
        }
        let unended = self.records.values().filter(|record| record.outcome.is_none());
        let left: Vec<DutyId> =
            unended.map(|record| record.id).filter(|id| !self.wanted.contains_key(id)).collect();
        self.gone.retain(|id, _| left.contains(id));
        for id in left {
            let met = is_met(&id);
            let known = self.gone.entry(id).or_default();
            *known = *known || met;
        }
        self.is_following = true;
        self.plan()
    }

    /// Whether a duty makes room for others when there are too many, because nothing comes of it now. What is on its way never does.
    /// (`S9`)
    fn yields(&self, duty: &Duty) -> bool {
        if self.home(&duty.id).is_some() {
            return false;
        }
        let is_closed = self.now.is_some_and(|now| duty.is_closed(now.time_s));
        let is_vain = self.wanted.get(&duty.id).is_some_and(|known| {
            known.too_expensive.is_some() || known.reverted.as_ref().is_some_and(|it| it.1 > 1)
        });
        let is_over = self.is_done(&duty.id) || self.is_given_up(&duty.id);
        is_closed || is_vain || is_over
    }

    /// Takes what the root chain says with each new block, and whenever something may have changed. (`S5`)
    pub fn on_root_chain(&mut self, facts: &RootChainFacts) -> Plan {
        let now = Now {
            eth_height: facts.eth_height,
            time_s: facts.eth_time_s,
            account_nonce: facts.account_nonce,
            pending_nonce: facts.pending_nonce,
            balance_wei: facts.balance_wei,
            quote: facts.quote,
        };
        self.now = Some(now);
        self.refused = None;
        for slot in self.slots.values_mut() {
            let before = slot.record.fate;
            let notice = follow(slot, &now, &facts.receipts);
            self.draft.notices.extend(notice);
            if slot.record.fate != before {
                self.draft.nonces.insert(slot.record.nonce);
            }
        }
        self.finalize(&now);
        self.plan()
    }

    /// Takes the result of a simulation. (`S8`)
    pub fn on_checked(&mut self, check: &Check, result: Checked) -> Plan {
        let is_offered = self.home(&check.id).is_some();
        let Some(wanted) = self.wanted.get_mut(&check.id) else {
            return self.hand_over();
        };
        if wanted.duty.call != check.call {
            return self.hand_over();
        }
        let at = check.eth_height;
        match result {
            Checked::Passes { gas } => {
                wanted.passed = Some((at, gas));
                wanted.reverted = None;
            }
            Checked::Reverts { reason } => {
                let (last, times, known) = wanted.reverted.take().unwrap_or_default();
                if known != reason {
                    let reason = reason.clone();
                    self.draft.notices.push(Notice::WouldRevert { id: check.id, reason });
                }
                let times = if at > last || times == 0 { times.saturating_add(1) } else { times };
                let doublings = times.saturating_sub(1).min(BACKOFF_DOUBLINGS);
                let wait = 2_u64.saturating_pow(doublings);
                wanted.retry_at = at.plus(if is_offered { 1 } else { wait });
                wanted.passed = None;
                wanted.reverted = Some((at, times, reason));
            }
        }
        self.plan()
    }

    /// Takes the hash of a transaction that was signed and what the node made of it: `None` when it did not answer, so that it
    /// may be in the pool or not. The hash is known as soon as it is signed, and is to be told in any case; the same transaction
    /// signed again has the same hash (RFC 6979). (`S3`, `S11`)
    pub fn on_sent(
        &mut self,
        transaction: &Transaction,
        txhash: H256,
        answer: Option<&SubmitOutcome>,
    ) -> Plan {
        let Some(slot) = self.slots.get_mut(&transaction.nonce) else {
            return self.hand_over();
        };
        let mut offers = slot.record.offers.iter_mut();
        let offer = offers.find(|offer| offer.txhash.is_none() && offer.fees == transaction.fees);
        if let Some(offer) = offer {
            offer.txhash = Some(txhash);
            slot.missing_since = None; // Nobody has looked for it yet.
            self.draft.nonces.insert(transaction.nonce);
        }
        let is_newest = slot.newest().is_some_and(|newest| newest.fees == transaction.fees);
        if let Some(answer) = answer.filter(|_| is_newest) {
            let notice = hear(slot, answer);
            self.draft.notices.extend(notice);
            let balance_wei = self.now.map_or_else(U256::zero, |now| now.balance_wei);
            self.refused = match answer {
                SubmitOutcome::InsufficientFunds => {
                    Some(SentinelHalt::InsufficientFunds { balance_wei })
                }
                SubmitOutcome::AccountLocked => Some(SentinelHalt::AccountLocked),
                _ => self.refused,
            };
        }
        self.hand_over()
    }

    /// Lets go of nonces that no reorganisation reaches any more. (`S5`)
    fn finalize(&mut self, now: &Now) {
        let margin = self.config.finality_margin_eth_blocks;
        let is_final =
            |slot: &Slot| slot.settled_at().is_some_and(|at| at.plus(margin) <= now.eth_height);
        let finals: Vec<u64> =
            self.slots.iter().filter(|(_, slot)| is_final(slot)).map(|(nonce, _)| *nonce).collect();
        for nonce in finals {
            let Some(slot) = self.slots.remove(&nonce) else {
                continue;
            };
            for id in slot.record.offers.iter().filter_map(|offer| offer.duty) {
                if let Some(nonces) = self.nonces_of.get_mut(&id) {
                    nonces.remove(&nonce);
                }
            }
            self.nonces_of.retain(|_, nonces| !nonces.is_empty());
            self.book(&slot);
            self.draft.nonces.remove(&nonce);
            let account = self.account;
            self.draft.updates.push(SentinelUpdate::DeleteNonce { account, nonce });
            let done = slot.mined().and_then(|(_, offer)| offer.duty).filter(|id| slot.did(id));
            if let Some(id) = done {
                self.end(id, DutyOutcome::Done, now.time_s);
            }
        }
    }

    /// Makes sure that there is a record.
    pub(super) fn record(&mut self, wanted: &Wanted) {
        let (duty, account) = (&wanted.duty, self.account);
        self.draft.duties.insert(duty.id);
        self.records.entry(duty.id).or_insert_with(|| DutyRecord {
            id: duty.id,
            account,
            found_s: wanted.found_s,
            due_s: duty.due_s,
            reward_wei: duty.reward_wei,
            gas_used: 0,
            cost_wei: U256::zero(),
            reverts: 0,
            txhash: None,
            outcome: None,
            ended_s: 0,
            ended_seq: 0,
        });
    }

    /// Ends a duty that was never taken up.
    fn leave(&mut self, wanted: &Wanted, is_met: bool, now_s: u64) {
        let outcome = match () {
            () if wanted.pretended => DutyOutcome::DryRun,
            () if is_met => DutyOutcome::LostRace,
            () if wanted.too_expensive.is_some() => DutyOutcome::TooExpensive,
            () if now_s > wanted.duty.due_s => DutyOutcome::Expired,
            () => DutyOutcome::Withdrawn,
        };
        self.end(wanted.duty.id, outcome, now_s);
    }
}

impl Wanted {
    const fn new(duty: Duty, found_s: u64) -> Self {
        Self {
            duty,
            found_s,
            asked: None,
            passed: None,
            reverted: None,
            retry_at: EthHeight::new(0),
            too_expensive: None,
            pretended: false,
        }
    }
}

/// Finds out what became of a nonce. (`S5`)
fn follow(slot: &mut Slot, now: &Now, receipts: &BTreeMap<H256, super::Receipt>) -> Option<Notice> {
    let nonce = slot.record.nonce;
    slot.raised.get_or_insert(now.eth_height);
    if nonce >= now.account_nonce {
        let was_open = slot.is_open();
        slot.missing_since = None;
        slot.record.fate = Fate::Open;
        if !was_open {
            slot.handed_out = None;
            slot.raised = Some(now.eth_height);
        }
        return (!was_open).then_some(Notice::Unmined { nonce });
    }
    let mut hashes = slot.record.offers.iter().filter_map(|offer| offer.txhash);
    let found = hashes.find_map(|txhash| Some((txhash, *receipts.get(&txhash)?)));
    let Some((txhash, receipt)) = found else {
        let since = *slot.missing_since.get_or_insert(now.eth_height);
        let is_foreign = matches!(slot.record.fate, Fate::Foreign { .. });
        let is_unknown = slot.newest().is_some_and(|newest| newest.txhash.is_none());
        if is_foreign || is_unknown || now.eth_height < since.plus(FOREIGN_AFTER_ETH_BLOCKS) {
            return None;
        }
        slot.record.fate = Fate::Foreign { at: now.eth_height };
        return Some(Notice::NonceTaken { nonce });
    };
    slot.missing_since = None;
    let seen_s = match slot.record.fate {
        Fate::Mined(mined) if mined.txhash == txhash => mined.seen_s,
        _ => now.time_s,
    };
    slot.record.fate = Fate::Mined(Mined { txhash, receipt, seen_s });
    None
}

fn hear(slot: &mut Slot, answer: &SubmitOutcome) -> Option<Notice> {
    use SubmitOutcome::{
        Accepted, AccountLocked, AlreadyKnown, InsufficientFunds, NonceTooLow, Refused,
        ReplacementUnderpriced, Underpriced,
    };
    match answer {
        Accepted { .. } | AlreadyKnown { .. } => {
            (slot.underpriced, slot.refusals) = (false, 0);
            None
        }
        Underpriced | ReplacementUnderpriced => {
            slot.underpriced = true;
            None
        }
        NonceTooLow | InsufficientFunds | AccountLocked => None,
        Refused { .. } => {
            slot.refusals = slot.refusals.saturating_add(1);
            Some(Notice::Refused { nonce: slot.record.nonce, reason: answer.to_string() })
        }
    }
}
