//! Transactions of an account that wait to be mined, and what a node says to a new one.

use super::chain::AuthorityTx;
use crate::{GasFees, SUBMIT_BLOCK_GAS_MAX, SubmitOutcome};
use plasma_core::wire::{BlockHash, H256, U256};
use std::collections::BTreeMap;

/// What a node's pool takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolRules {
    /// Offers of less altogether are underpriced, in wei per gas.
    pub fee_per_gas_wei_min: u128,
    /// Whether an offer below the base fee waits for better times (geth) or is underpriced (anvil).
    pub waits_below_base_fee: bool,
    /// How much more both fees must be to replace a transaction, in percent.
    pub replacement_percent_min: u64,
}

impl Default for PoolRules {
    /// Those of geth.
    fn default() -> Self {
        Self { fee_per_gas_wei_min: 1, waits_below_base_fee: true, replacement_percent_min: 10 }
    }
}

/// A transaction that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooled {
    /// Its nonce.
    pub nonce: u64,
    /// The root it submits; `None` when it does something else.
    pub root: Option<BlockHash>,
    /// What it offers.
    pub fees: GasFees,
    /// Its hash.
    pub txhash: H256,
}

/// A transaction of the account whose pool it waits in.
pub(super) trait Waiting {
    fn nonce(&self) -> u64;
    fn fees(&self) -> GasFees;
    fn gas_limit(&self) -> u64;
    fn txhash(&self) -> H256;
}

impl AuthorityTx {
    pub(super) const fn pooled(&self) -> Pooled {
        let Self { nonce, root, fees, txhash } = *self;
        Pooled { nonce, root, fees, txhash }
    }
}

impl Waiting for AuthorityTx {
    fn nonce(&self) -> u64 {
        self.nonce
    }

    fn fees(&self) -> GasFees {
        self.fees
    }

    fn gas_limit(&self) -> u64 {
        SUBMIT_BLOCK_GAS_MAX
    }

    fn txhash(&self) -> H256 {
        self.txhash
    }
}

#[derive(Debug)]
pub(super) struct Pool<T> {
    waiting: BTreeMap<u64, T>,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new() }
    }
}

/// How things stand for a new transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) rules: PoolRules,
    /// The account's nonce, counting mined transactions only.
    pub(super) nonce: u64,
    pub(super) base_fee_per_gas_wei: u128,
    pub(super) balance_wei: U256,
}

impl<T: Waiting> Pool<T> {
    /// Takes a transaction, or says why not. The order of the questions is geth's.
    pub(super) fn add(&mut self, tx: T, terms: Terms) -> SubmitOutcome {
        let (txhash, fees, rules) = (tx.txhash(), tx.fees(), terms.rules);
        let there = self.waiting.get(&tx.nonce());
        if there.is_some_and(|there| there.txhash() == txhash) {
            return SubmitOutcome::AlreadyKnown { txhash };
        }
        let max_fee = fees.max_fee_per_gas_wei;
        if fees.max_priority_fee_per_gas_wei > max_fee {
            return SubmitOutcome::Refused {
                code: -32000,
                message: "max priority fee per gas higher than max fee per gas".to_owned(),
            };
        }
        if tx.nonce() < terms.nonce {
            return SubmitOutcome::NonceTooLow;
        }
        let too_low = !rules.waits_below_base_fee && max_fee < terms.base_fee_per_gas_wei;
        if too_low || max_fee < rules.fee_per_gas_wei_min {
            return SubmitOutcome::Underpriced;
        }
        let cost = U256::from(max_fee).checked_mul(tx.gas_limit().into());
        if cost.is_none_or(|cost| cost > terms.balance_wei) {
            return SubmitOutcome::InsufficientFunds;
        }
        if there.is_some_and(|there| !rules.replaces(fees, there.fees())) {
            return SubmitOutcome::ReplacementUnderpriced;
        }
        self.waiting.insert(tx.nonce(), tx);
        SubmitOutcome::Accepted { txhash }
    }

    /// The transaction with this nonce, if it can pay.
    pub(super) fn take(&mut self, nonce: u64, base_fee_per_gas_wei: u128) -> Option<T> {
        let tx = self.waiting.get(&nonce)?;
        if tx.fees().max_fee_per_gas_wei < base_fee_per_gas_wei {
            return None;
        }
        self.waiting.remove(&nonce)
    }

    /// The nonce after all that follow each other without a gap.
    pub(super) fn next_nonce(&self, mined: u64) -> u64 {
        let mut next = mined;
        for nonce in self.waiting.range(mined..).map(|(nonce, _)| *nonce) {
            if nonce != next {
                break;
            }
            next = next.saturating_add(1);
        }
        next
    }

    /// Takes back what was mined. Its nonces are lower than all that wait.
    pub(super) fn put_back(&mut self, sent: impl Iterator<Item = T>) {
        self.waiting.extend(sent.map(|tx| (tx.nonce(), tx)));
    }

    /// Forgets what can never be mined any more.
    pub(super) fn forget_mined(&mut self, next_nonce: u64) {
        self.waiting = self.waiting.split_off(&next_nonce);
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    pub(super) fn list(&self) -> impl Iterator<Item = &T> {
        self.waiting.values()
    }
}

impl PoolRules {
    fn replaces(self, new: GasFees, old: GasFees) -> bool {
        let enough = |new: u128, old: u128| {
            let wanted = U256::from(old) * (U256::from(self.replacement_percent_min) + 100);
            new > old && U256::from(new) * 100 >= wanted
        };
        enough(new.max_fee_per_gas_wei, old.max_fee_per_gas_wei)
            && enough(new.max_priority_fee_per_gas_wei, old.max_priority_fee_per_gas_wei)
    }
}
