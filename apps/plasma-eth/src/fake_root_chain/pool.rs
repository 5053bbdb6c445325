//! Transactions of the authority that wait to be mined, and what a node says to a new one.

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

#[derive(Debug, Default)]
pub(super) struct Pool {
    pub(super) rules: PoolRules,
    waiting: BTreeMap<u64, AuthorityTx>,
}

/// How things stand for a new transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) authority_nonce: u64,
    pub(super) base_fee_per_gas_wei: u128,
    pub(super) balance_wei: U256,
}

impl Pool {
    /// Takes a transaction, or says why not. The order of the questions is geth's.
    pub(super) fn add(&mut self, tx: AuthorityTx, terms: Terms) -> SubmitOutcome {
        let txhash = tx.txhash;
        let there = self.waiting.get(&tx.nonce);
        if there.is_some_and(|there| there.txhash == txhash) {
            return SubmitOutcome::AlreadyKnown { txhash };
        }
        let max_fee = tx.fees.max_fee_per_gas_wei;
        if tx.fees.max_priority_fee_per_gas_wei > max_fee {
            return SubmitOutcome::Refused {
                code: -32000,
                message: "max priority fee per gas higher than max fee per gas".to_owned(),
            };
        }
        if tx.nonce < terms.authority_nonce {
            return SubmitOutcome::NonceTooLow;
        }
        let too_low = !self.rules.waits_below_base_fee && max_fee < terms.base_fee_per_gas_wei;
        if too_low || max_fee < self.rules.fee_per_gas_wei_min {
            return SubmitOutcome::Underpriced;
        }
        let cost = U256::from(max_fee).checked_mul(SUBMIT_BLOCK_GAS_MAX.into());
        if cost.is_none_or(|cost| cost > terms.balance_wei) {
            return SubmitOutcome::InsufficientFunds;
        }
        if there.is_some_and(|there| !self.rules.replaces(tx.fees, there.fees)) {
            return SubmitOutcome::ReplacementUnderpriced;
        }
        self.waiting.insert(tx.nonce, tx);
        SubmitOutcome::Accepted { txhash }
    }

    /// The transaction with this nonce, if it can pay.
    pub(super) fn take(&mut self, nonce: u64, base_fee_per_gas_wei: u128) -> Option<AuthorityTx> {
        let tx = self.waiting.get(&nonce)?;
        if tx.fees.max_fee_per_gas_wei < base_fee_per_gas_wei {
            return None;
        }
        self.waiting.remove(&nonce)
    }

    /// The nonce after all that follow each other without a gap.
    pub(super) fn next_nonce(&self, authority_nonce: u64) -> u64 {
        let mut next = authority_nonce;
        for nonce in self.waiting.range(authority_nonce..).map(|(nonce, _)| *nonce) {
            if nonce != next {
                break;
            }
            next = next.saturating_add(1);
        }
        next
    }

    /// Takes back what was mined. Its nonces are lower than all that wait.
    pub(super) fn put_back(&mut self, sent: impl Iterator<Item = AuthorityTx>) {
        self.waiting.extend(sent.map(|tx| (tx.nonce, tx)));
    }

    /// Forgets what can never be mined any more.
    pub(super) fn forget_mined(&mut self, authority_nonce: u64) {
        self.waiting = self.waiting.split_off(&authority_nonce);
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    pub(super) fn list(&self) -> Vec<Pooled> {
        self.waiting
            .values()
            .map(|AuthorityTx { nonce, root, fees, txhash }| Pooled {
                nonce: *nonce,
                root: *root,
                fees: *fees,
                txhash: *txhash,
            })
            .collect()
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
