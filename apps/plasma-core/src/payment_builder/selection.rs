//! Choosing coins: an exact one, or the largest; and sweeping up small ones on the way.

use crate::db_update::Utxo;
use crate::wire::{Currency, MAX_INPUTS, OutputType, U256, U512, UtxoPos};
use std::collections::BTreeMap;

/// Most small outputs of one currency that are swept up by one payment (protocol 5.10).
const DUST_PER_CURRENCY_MAX: usize = 3;

/// An output that can be spent, without its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coin {
    pub(super) position: UtxoPos,
    pub(super) amount: U256,
    pub(super) output_type: OutputType,
}

/// Coins of one currency that cover what is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selection {
    pub(super) currency: Currency,
    pub(super) coins: Vec<Coin>,
    /// What they hold beyond it.
    pub(super) change: U256,
}

/// When small coins join a coin of exactly the needed amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sweep {
    /// Whenever there is room.
    Always,
    /// When at least two become one.
    Useful,
}

/// Coins by currency, the largest first and the oldest first among equals. Selected ones are taken out.
#[derive(Clone, Debug)]
pub(super) struct Purse(BTreeMap<Currency, Vec<Coin>>);

impl Purse {
    pub(super) fn new(utxos: impl IntoIterator<Item = (UtxoPos, Utxo)>) -> Self {
        let by_position: BTreeMap<UtxoPos, Utxo> = utxos.into_iter().collect();
        let mut purse = BTreeMap::<Currency, Vec<Coin>>::new();
        for (position, utxo) in by_position {
            if !utxo.amount.is_zero() {
                let coin = Coin { position, amount: utxo.amount, output_type: utxo.output_type };
                purse.entry(utxo.currency).or_default().push(coin);
            }
        }
        for coins in purse.values_mut() {
            // The sort is stable: equal amounts stay in the order of their age.
            coins.sort_by_key(|coin| std::cmp::Reverse(coin.amount));
        }
        Self(purse)
    }

    /// All coins of one currency, the largest first.
    pub(super) fn into_coins(mut self, currency: Currency) -> Vec<Coin> {
        self.0.remove(&currency).unwrap_or_default()
    }

    /// Takes all coins of one currency, without asking whether they are enough.
    pub(super) fn select_all(&mut self, currency: Currency) -> Selection {
        let coins = self.0.remove(&currency).unwrap_or_default();
        Selection { currency, coins, change: U256::zero() }
    }

    /// Takes coins that hold at least `needed`, as few as possible. Otherwise says how much is missing and takes nothing.
    pub(super) fn select(&mut self, currency: Currency, needed: U512) -> Result<Selection, U512> {
        let coins = self.0.entry(currency).or_default();
        if let Some(exact) = coins.iter().position(|coin| U512::from(coin.amount) == needed) {
            return Ok(Selection {
                currency,
                coins: vec![coins.remove(exact)],
                change: U256::zero(),
            });
        }
        let mut sum = U512::zero();
        let mut count = 0_usize;
        for coin in coins.iter() {
            if sum >= needed {
                break;
            }
            sum = sum.saturating_add(coin.amount.into());
            count = count.saturating_add(1);
        }
        let change = sum.checked_sub(needed).ok_or_else(|| needed.saturating_sub(sum))?;
        Ok(Selection {
            currency,
            coins: coins.drain(..count).collect(),
            // Less than the last coin, or that one would not have been taken.
            change: U256::try_from(change).unwrap_or(U256::MAX),
        })
    }

    /// Adds the smallest coins that are left to the selections, those of the currency with most coins first. Where there is no
    /// change yet, one more coin would only be exchanged for another, so it takes two to be useful; and a free output in any case.
    pub(super) fn sweep_dust(
        &self,
        selections: &mut [Selection],
        mut free_inputs: usize,
        mut free_outputs: usize,
        sweep: Sweep,
    ) {
        let dust_min = match sweep {
            Sweep::Always => 1,
            Sweep::Useful => 2,
        };
        let mut crumbled: Vec<(&mut Selection, &[Coin])> = Vec::new();
        for selection in selections {
            let left = self.0.get(&selection.currency).map(Vec::as_slice);
            crumbled.push((selection, left.unwrap_or_default()));
        }
        crumbled.sort_by_key(|(selection, left)| {
            std::cmp::Reverse(selection.coins.len().saturating_add(left.len()))
        });
        for (selection, left) in crumbled {
            let is_exact = selection.change.is_zero();
            let mut change = selection.change;
            let mut dust = Vec::new();
            for coin in left.iter().rev().take(free_inputs.min(DUST_PER_CURRENCY_MAX)) {
                let Some(more) = change.checked_add(coin.amount) else {
                    break;
                };
                change = more;
                dust.push(*coin);
            }
            if is_exact && (dust.len() < dust_min || free_outputs == 0) {
                continue;
            }
            if is_exact {
                free_outputs = free_outputs.saturating_sub(1);
            }
            free_inputs = free_inputs.saturating_sub(dust.len());
            selection.coins.extend(dust);
            selection.change = change;
        }
    }
}

/// Cuts coins into groups to merge: at least two, at most as many as a transaction has inputs, and with a sum that fits.
pub(super) fn chunks(coins: &[Coin]) -> impl Iterator<Item = (&[Coin], U256)> {
    let chunks = coins.chunks(MAX_INPUTS);
    chunks.filter_map(|chunk| {
        let sum = chunk.iter().try_fold(U256::zero(), |sum, coin| sum.checked_add(coin.amount))?;
        (chunk.len() > 1).then_some((chunk, sum))
    })
}
