//! What an evacuation does, and in which order. Pure: what an account has and what things cost in, a plan out.
//!
//! It must never plan the exit of an output that a signed merge spends (the operator could challenge it and take the bond), never plan
//! a merge on a chain that is not known to be safe, and never leave an output out without saying why.
//!
//! **Which exits, when Ether is short**: the most valuable of each currency first, then the second of each, Ether before tokens.
//! Starting and processing cost nearly the same for every output, so more value is more value per gas. Tokens have no price here, and
//! anybody can send worthless ones: those that the user names no limit for come last.
//!
//! **In which order**: on a safe chain the same. On an unsafe one the queue decides who is still paid, and it pays by
//! `max(start + period, block + 2 periods)`. An output older than a period ("ripe", and every deposit) moves back with every second
//! it is not started, behind others who flee; a younger one has its place until its block is a period old. So ripe ones start first,
//! then young ones, the first to lose its place before the others. Every output that the watcher lists is older than the fault, and
//! is ahead of what came with the fault if it starts within a period of it: so age decides nothing else, and value does.

use super::super::session::Utxos;
use plasma_core::wire::ids::exitable_at_s;
use plasma_core::wire::{Blknum, Currency, ETH, MAX_INPUTS, TxHash, U256, UtxoPos};
use std::collections::{BTreeMap, BTreeSet};

/// Starting a standard exit (docs/protocol/contracts.md, section 11: 191,857 to 195,598, and the deeper places of a long queue).
const START_GAS: u64 = 200_000;
/// Paying one exit of Ether, as the only one of its transaction (90,644 there).
const PROCESS_ETH_GAS: u64 = 88_000;
/// The same of a token (112,854 there; tokens differ).
const PROCESS_TOKEN_GAS: u64 = 112_000;
/// Opening a queue (94,162 there).
const OPEN_QUEUE_GAS: u64 = 95_000;
/// The node wants to see this much more than a transaction takes; needed once, for the last one.
const GAS_MARGIN_PERCENT: u64 = 30;

/// What is known before planning.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// What the watcher lists.
    pub(super) outputs: Utxos,
    /// Outputs whose exit was ever started, as the root chain tells.
    pub(super) exiting: BTreeSet<UtxoPos>,
    /// Outputs that a payment or merge spends which was signed here and no block holds yet.
    pub(super) signed_away: BTreeMap<UtxoPos, TxHash>,
    /// What payments signed here made in blocks that the watcher does not accept.
    pub(super) in_faulty_block: Vec<Left>,
    /// Whether the watcher says so; one that does not know is not enough.
    pub(super) is_safe: bool,
    /// The time of the root chain.
    pub(super) now_s: u64,
    pub(super) min_exit_period_s: u64,
    /// When blocks came to the root chain. A block that is missing here counts as old.
    pub(super) block_times_s: BTreeMap<Blknum, u64>,
    /// Currencies whose first exit has to open the queue.
    pub(super) without_queue: BTreeSet<Currency>,
    /// What gas costs now.
    pub(super) gas_price_wei: U256,
    /// What a transaction has to offer to stay payable for a while.
    pub(super) gas_price_max_wei: U256,
    pub(super) bond_wei: U256,
    /// What the account has on the root chain.
    pub(super) balance_wei: U256,
}

/// What the user wants.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    pub(super) may_merge: bool,
    /// Smallest amounts worth an exit; for Ether in place of the gas it costs.
    pub(super) minimums: BTreeMap<Currency, U256>,
    /// Currencies that stay.
    pub(super) skipped: BTreeSet<Currency>,
    /// Leave out what cannot be paid for.
    pub(super) as_many_as_possible: bool,
    /// Whether this account also pays for processing.
    pub(super) processes: bool,
}

/// What leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Output(UtxoPos),
    /// What this many outputs become.
    Merged(usize),
}

/// Outputs of one currency that become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Merge {
    pub(super) currency: Currency,
    pub(super) outputs: usize,
    pub(super) amount: U256,
    pub(super) transactions: usize,
}

/// An exit to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlannedExit {
    pub(super) source: Source,
    pub(super) currency: Currency,
    pub(super) amount: U256,
    /// If it starts now; a merged one, if it is in a block now.
    pub(super) exitable_at_s: u64,
    /// Start and payout at today's price.
    pub(super) cost_wei: U256,
}

/// What stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) source: Source,
    pub(super) currency: Currency,
    pub(super) amount: U256,
    pub(super) reason: Reason,
}

/// Why it stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It is worth less than the gas.
    CostsMore { cost_wei: U256 },
    /// It is less than the user wants to bother with.
    BelowMinimum { minimum: U256 },
    /// Bond and gas cannot be paid.
    NotAffordable { cost_wei: U256 },
    /// A payment or merge that was signed here and no block holds yet spends it.
    SignedAway { txhash: TxHash },
    /// The payment or merge that made it is in a block that the watcher does not accept.
    InFaultyBlock { txhash: TxHash },
    /// The user wants it so.
    Skipped,
    /// The contract refused.
    Refused { why: String },
}

/// What the root chain asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Money {
    /// Come back with the payouts.
    pub(super) bonds_wei: U256,
    /// At today's price.
    pub(super) gas_wei: U256,
    /// Bonds and gas, with what has to be offered on top.
    pub(super) needed_wei: U256,
    pub(super) balance_wei: U256,
    /// How much more is needed.
    pub(super) missing_wei: U256,
}

/// What to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) merges: Vec<Merge>,
    /// In this order.
    pub(super) exits: Vec<PlannedExit>,
    pub(super) left: Vec<Left>,
    pub(super) money: Money,
}

/// Makes the plan.
pub(super) fn plan(facts: &Facts, wishes: &Wishes) -> Plan {
    let mut plan = Plan::default();
    let mut by_currency = BTreeMap::<Currency, Vec<(UtxoPos, U256)>>::new();
    for (position, utxo) in &facts.outputs {
        let (currency, amount) = (utxo.currency, utxo.amount);
        if facts.exiting.contains(position) {
            continue;
        }
        match facts.signed_away.get(position) {
            Some(txhash) => {
                let reason = Reason::SignedAway { txhash: *txhash };
                plan.left.push(Left {
                    source: Source::Output(*position),
                    currency,
                    amount,
                    reason,
                });
            }
            None => by_currency.entry(currency).or_default().push((*position, amount)),
        }
    }
    plan.left.extend(facts.in_faulty_block.iter().cloned());
    let mut ranked = Vec::new();
    for (currency, outputs) in by_currency {
        let candidates = facts.candidates(wishes, currency, &outputs, &mut plan);
        let ranks = (0_usize..).zip(candidates);
        ranked.extend(ranks.map(|(rank, exit)| ((rank, currency != ETH, currency), exit)));
    }
    ranked.sort_by_key(|(place, _)| *place);
    let mut ranked: Vec<_> = ranked.into_iter().map(|(_, exit)| exit).collect();
    if !facts.money(wishes, &ranked).missing_wei.is_zero() {
        // Anybody can send a worthless token. Only what the user has named a limit for is known to be wanted.
        ranked.sort_by_key(|exit| {
            exit.currency != ETH && !wishes.minimums.contains_key(&exit.currency)
        });
    }
    plan.exits = facts.afford(wishes, ranked, &mut plan.left);
    plan.money = facts.money(wishes, &plan.exits);
    if !facts.is_safe {
        let ripe_s = facts.now_s.saturating_add(facts.min_exit_period_s);
        // The sort is stable: ripe ones, and young ones of one block, stay in the order of their value.
        plan.exits.sort_by_key(|exit| exit.exitable_at_s.max(ripe_s));
    }
    plan
}

impl Facts {
    /// What of one currency is worth an exit, the most valuable first.
    fn candidates(
        &self,
        wishes: &Wishes,
        currency: Currency,
        outputs: &[(UtxoPos, U256)],
        plan: &mut Plan,
    ) -> Vec<PlannedExit> {
        let sum =
            outputs.iter().try_fold(U256::zero(), |sum, (_, amount)| sum.checked_add(*amount));
        let merged = sum.filter(|_| self.is_safe && wishes.may_merge && outputs.len() > 1);
        let sources: Vec<_> = match merged {
            Some(sum) => vec![(Source::Merged(outputs.len()), sum)],
            None => outputs.iter().map(|(at, amount)| (Source::Output(*at), *amount)).collect(),
        };
        let mut exits = Vec::new();
        for (source, amount) in sources {
            match self.why_not(wishes, currency, amount) {
                Some(reason) => plan.left.push(Left { source, currency, amount, reason }),
                None => exits.push(PlannedExit {
                    source,
                    currency,
                    amount,
                    exitable_at_s: self.exitable_at_s(source),
                    cost_wei: self.cost_wei(currency),
                }),
            }
        }
        if let (Some(amount), false) = (merged, exits.is_empty()) {
            let (outputs, transactions) = (outputs.len(), merge_count(outputs.len()));
            plan.merges.push(Merge { currency, outputs, amount, transactions });
        }
        exits.sort_by_key(|exit| (std::cmp::Reverse(exit.amount), exit.source));
        exits
    }

    fn why_not(&self, wishes: &Wishes, currency: Currency, amount: U256) -> Option<Reason> {
        if wishes.skipped.contains(&currency) {
            return Some(Reason::Skipped);
        }
        let cost_wei = self.cost_wei(currency);
        match wishes.minimums.get(&currency) {
            Some(minimum) if amount < *minimum => Some(Reason::BelowMinimum { minimum: *minimum }),
            Some(_) => None,
            None if currency == ETH && amount <= cost_wei => Some(Reason::CostsMore { cost_wei }),
            None => None,
        }
    }

    fn exitable_at_s(&self, source: Source) -> u64 {
        let (block_s, is_deposit) = match source {
            Source::Merged(_) => (self.now_s, false),
            Source::Output(at) => {
                let block_s = self.block_times_s.get(&at.blknum).copied().unwrap_or_default();
                (block_s, at.blknum.is_deposit())
            }
        };
        exitable_at_s(self.now_s, block_s, self.min_exit_period_s, is_deposit)
    }

    /// Start and payout at today's price. The bond comes back and is no cost; somebody has to pay for the payout.
    fn cost_wei(&self, currency: Currency) -> U256 {
        let gas = START_GAS.saturating_add(process_gas(currency));
        self.gas_price_wei.saturating_mul(gas.into())
    }

    /// Takes what the account can pay for, in this order; all of it, unless the user wants less.
    fn afford(
        &self,
        wishes: &Wishes,
        ranked: Vec<PlannedExit>,
        left: &mut Vec<Left>,
    ) -> Vec<PlannedExit> {
        if !wishes.as_many_as_possible {
            return ranked;
        }
        let mut taken = Vec::new();
        for exit in ranked {
            taken.push(exit);
            if self.money(wishes, &taken).missing_wei.is_zero() {
                continue;
            }
            if let Some(PlannedExit { source, currency, amount, cost_wei, .. }) = taken.pop() {
                let reason = Reason::NotAffordable { cost_wei };
                left.push(Left { source, currency, amount, reason });
            }
        }
        taken
    }

    fn money(&self, wishes: &Wishes, exits: &[PlannedExit]) -> Money {
        let currencies: BTreeSet<Currency> = exits.iter().map(|exit| exit.currency).collect();
        let opened = currencies.intersection(&self.without_queue).count();
        let mut gas = OPEN_QUEUE_GAS.saturating_mul(u64::try_from(opened).unwrap_or(u64::MAX));
        for exit in exits {
            let processing = if wishes.processes { process_gas(exit.currency) } else { 0 };
            gas = gas.saturating_add(START_GAS).saturating_add(processing);
        }
        let margin = if exits.is_empty() { 0 } else { START_GAS * GAS_MARGIN_PERCENT / 100 };
        let bonds_wei = self.bond_wei.saturating_mul(exits.len().into());
        let offered_wei = self.gas_price_max_wei.saturating_mul(gas.saturating_add(margin).into());
        let needed_wei = bonds_wei.saturating_add(offered_wei);
        Money {
            bonds_wei,
            gas_wei: self.gas_price_wei.saturating_mul(gas.into()),
            needed_wei,
            balance_wei: self.balance_wei,
            missing_wei: needed_wei.saturating_sub(self.balance_wei),
        }
    }
}

fn process_gas(currency: Currency) -> u64 {
    if currency == ETH { PROCESS_ETH_GAS } else { PROCESS_TOKEN_GAS }
}

/// How many merges make one output of these, at most four into one.
fn merge_count(mut outputs: usize) -> usize {
    let mut count = 0_usize;
    while outputs > 1 {
        let (full, rest) = (outputs / MAX_INPUTS, outputs % MAX_INPUTS);
        count = count.saturating_add(full).saturating_add(usize::from(rest > 1));
        outputs = full.saturating_add(usize::from(rest > 0));
    }
    count
}

#[cfg(test)]
mod tests;
