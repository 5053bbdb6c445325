//! Which outputs a wallet spends to make payments, and the transactions that do it (protocol 5.10).
//!
//! It must never create or lose money: what goes in is what comes out, and the fee. It never asks for more inputs or outputs than
//! a transaction has room for: when too many small outputs are needed, it says which to merge first, which is free.

mod merging;
mod selection;

pub use merging::{MergeError, OwnedUtxo, merge_account, merge_outputs};

use crate::db_update::Utxo;
use crate::wire::{
    Address, Currency, H256, MAX_INPUTS, MAX_OUTPUTS, Output, PaymentTx, U256, U512, UtxoPos,
};
use arrayvec::ArrayVec;
use selection::{Coin, Purse, Selection, Sweep};
use std::collections::BTreeMap;
use thiserror::Error;

/// One amount for one receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Who receives it.
    pub owner: Address,
    /// What is paid.
    pub currency: Currency,
    /// How much, in the smallest unit.
    pub amount: U256,
}

/// What the operator asks for a payment transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fee {
    /// What the fee is paid in.
    pub currency: Currency,
    /// How much, in the smallest unit; zero when payments are free.
    pub amount: U256,
}

/// What somebody wants to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentOrder {
    /// Who pays, and gets the change.
    pub owner: Address,
    /// At most as many as a transaction has outputs.
    pub payments: Vec<Payment>,
    /// The fee, paid exactly.
    pub fee: Fee,
    /// 32 bytes of the sender's choice, zero when unused.
    pub metadata: H256,
}

/// A transaction for its owner to sign: one signature, repeated for each input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTx {
    /// The outputs it spends, in the order of its inputs.
    pub inputs: ArrayVec<(UtxoPos, Utxo), MAX_INPUTS>,
    /// What is left to the operator.
    pub fee: Fee,
    /// What to sign.
    pub tx: PaymentTx,
}

/// How to make the payments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentPlan {
    /// This transaction makes them.
    Complete(Box<CreatedTx>),
    /// They need more inputs than a transaction has. Send these merges first, in any order, wait until all are accepted, and
    /// build again from the outputs there are then.
    Intermediate(Vec<CreatedTx>),
}

/// How much is missing in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The currency.
    pub currency: Currency,
    /// How much more is needed, in the smallest unit; the largest number there is when it is more than that.
    pub amount: U256,
}

/// Why the payments cannot be made. The text is the stable code (protocol 6.6).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PaymentError {
    /// No payments were asked for.
    #[error("transaction.create:empty_transaction")]
    EmptyTransaction,
    /// More outputs are needed than a transaction has, change included.
    #[error("transaction.create:too_many_outputs")]
    TooManyOutputs,
    /// More inputs are needed than a transaction has, and merging would not help: too many currencies.
    #[error("transaction.create:too_many_inputs")]
    TooManyInputs,
    /// All payments go to the one who pays.
    #[error("transaction.create:self_transaction_not_supported")]
    SelfTransaction,
    /// A payment of nothing.
    #[error("transaction.create:amount_cant_be_zero")]
    ZeroAmount,
    /// A payment to nobody.
    #[error("transaction.create:output_guard_cant_be_zero")]
    ZeroOwner,
    /// The owner has too little.
    #[error("transaction.create:insufficient_funds")]
    InsufficientFunds {
        /// What is missing, by currency.
        missing: Vec<Missing>,
    },
}

/// Plans payments out of `utxos`, which all belong to the owner of the order. An output that is listed twice counts once.
///
/// Of each currency it takes one output of exactly the needed amount if there is one, else the largest until it is enough. Free
/// inputs are then filled with small outputs of the same currencies, so that wallets do not crumble.
///
/// # Errors
/// [`PaymentError`]
pub fn build_payment(
    order: &PaymentOrder,
    utxos: impl IntoIterator<Item = (UtxoPos, Utxo)>,
) -> Result<PaymentPlan, PaymentError> {
    plan(order, utxos, &BTreeMap::new(), Sweep::Useful)
}

/// The same as the originals do it for others (protocol 5.10): free inputs are filled even where that only exchanges one small output
/// for another. Of the currencies in `more`, the owner has further outputs, all of a middling size, and this much altogether: when
/// those listed are not enough and all of them are, they are merged first.
///
/// # Errors
/// [`PaymentError`]
pub fn create_payment(
    order: &PaymentOrder,
    utxos: impl IntoIterator<Item = (UtxoPos, Utxo)>,
    more: &BTreeMap<Currency, U256>,
) -> Result<PaymentPlan, PaymentError> {
    plan(order, utxos, more, Sweep::Always)
}

fn plan(
    order: &PaymentOrder,
    utxos: impl IntoIterator<Item = (UtxoPos, Utxo)>,
    more: &BTreeMap<Currency, U256>,
    sweep: Sweep,
) -> Result<PaymentPlan, PaymentError> {
    check_order(order)?;
    let mut purse = Purse::new(utxos);
    let (selections, is_enough) = select(&mut purse, &needed(order), more)?;
    let count: usize = selections.iter().map(|one| one.coins.len()).sum();
    if count > MAX_INPUTS || !is_enough {
        return match merges(order, &selections) {
            merges if merges.is_empty() => Err(PaymentError::TooManyInputs),
            merges => Ok(PaymentPlan::Intermediate(merges)),
        };
    }
    let created = complete(order, selections, &purse, sweep)?;
    Ok(PaymentPlan::Complete(Box::new(created)))
}

/// Transactions that join an owner's outputs of one currency, at most as many inputs each as a transaction has; one signature each,
/// and free. The smallest come first, and an output that is left over stays as it is. What they make can be merged again, until one
/// is left and nothing comes back.
pub fn build_merges(
    owner: Address,
    currency: Currency,
    utxos: impl IntoIterator<Item = (UtxoPos, Utxo)>,
) -> Vec<CreatedTx> {
    let of_currency = utxos.into_iter().filter(|(_, utxo)| utxo.currency == currency);
    let mut coins = Purse::new(of_currency).into_coins(currency);
    coins.reverse();
    merges_of(owner, currency, &coins, currency).collect()
}

/// What the payments and the fee take out of an account, by currency; the largest number there is where it is more than that.
pub fn funds_needed(order: &PaymentOrder) -> BTreeMap<Currency, U256> {
    let needed = needed(order).into_iter();
    needed.map(|(currency, sum)| (currency, U256::try_from(sum).unwrap_or(U256::MAX))).collect()
}

fn check_order(order: &PaymentOrder) -> Result<(), PaymentError> {
    let payments = &order.payments;
    if payments.is_empty() {
        return Err(PaymentError::EmptyTransaction);
    }
    if payments.len() > MAX_OUTPUTS {
        return Err(PaymentError::TooManyOutputs);
    }
    if payments.iter().any(|payment| payment.owner.is_zero()) {
        return Err(PaymentError::ZeroOwner);
    }
    if payments.iter().any(|payment| payment.amount.is_zero()) {
        return Err(PaymentError::ZeroAmount);
    }
    if payments.iter().all(|payment| payment.owner == order.owner) {
        return Err(PaymentError::SelfTransaction);
    }
    Ok(())
}

/// What has to go in, by currency. Five amounts of 256 bits fit 512.
fn needed(order: &PaymentOrder) -> BTreeMap<Currency, U512> {
    let mut needed = BTreeMap::<Currency, U512>::new();
    let payments = order.payments.iter();
    let payments = payments.map(|payment| (payment.currency, payment.amount));
    let fee = (order.fee.currency, order.fee.amount);
    let amounts = payments.chain([fee]).filter(|(_, amount)| !amount.is_zero());
    for (currency, amount) in amounts {
        let sum = needed.entry(currency).or_default();
        *sum = sum.saturating_add(amount.into());
    }
    needed
}

/// What covers the order, and whether it does: it does not when there is more than what is listed.
fn select(
    purse: &mut Purse,
    needed: &BTreeMap<Currency, U512>,
    more: &BTreeMap<Currency, U256>,
) -> Result<(Vec<Selection>, bool), PaymentError> {
    let mut selections = Vec::new();
    let mut missing = Vec::new();
    let mut is_enough = true;
    for (currency, needed) in needed {
        match purse.select(*currency, *needed) {
            Ok(selection) => selections.push(selection),
            Err(lacking) => {
                let all = more.get(currency).map(|all| U512::from(*all));
                let lacking = all.map_or(lacking, |all| needed.saturating_sub(all));
                if lacking.is_zero() {
                    is_enough = false;
                    selections.push(purse.select_all(*currency));
                } else {
                    let amount = U256::try_from(lacking).unwrap_or(U256::MAX);
                    missing.push(Missing { currency: *currency, amount });
                }
            }
        }
    }
    if missing.is_empty() {
        Ok((selections, is_enough))
    } else {
        Err(PaymentError::InsufficientFunds { missing })
    }
}

fn complete(
    order: &PaymentOrder,
    mut selections: Vec<Selection>,
    purse: &Purse,
    sweep: Sweep,
) -> Result<CreatedTx, PaymentError> {
    let count: usize = selections.iter().map(|one| one.coins.len()).sum();
    let with_change = selections.iter().filter(|one| !one.change.is_zero()).count();
    let outputs = order.payments.len().saturating_add(with_change);
    let free_outputs = MAX_OUTPUTS.checked_sub(outputs).ok_or(PaymentError::TooManyOutputs)?;
    let free_inputs = MAX_INPUTS.saturating_sub(count);
    purse.sweep_dust(&mut selections, free_inputs, free_outputs, sweep);

    let payments = order.payments.iter();
    let payments =
        payments.map(|payment| Output::payment(payment.owner, payment.currency, payment.amount));
    let change = selections.iter().filter(|one| !one.change.is_zero());
    let change = change.map(|one| Output::payment(order.owner, one.currency, one.change));
    let coins = selections.iter().flat_map(|one| {
        let coins = one.coins.iter();
        coins.map(|coin| (one.currency, *coin))
    });
    create(coins, payments.chain(change), order.fee, order.metadata)
        .ok_or(PaymentError::TooManyOutputs)
}

/// Joins the selected outputs of each currency.
fn merges(order: &PaymentOrder, selections: &[Selection]) -> Vec<CreatedTx> {
    let merges = selections.iter().flat_map(|selection| {
        merges_of(order.owner, selection.currency, &selection.coins, order.fee.currency)
    });
    merges.collect()
}

/// Joins coins of one currency, four at a time. One that is left over stays as it is.
fn merges_of(
    owner: Address,
    currency: Currency,
    coins: &[Coin],
    fee_currency: Currency,
) -> impl Iterator<Item = CreatedTx> {
    let free = Fee { currency: fee_currency, amount: U256::zero() };
    selection::chunks(coins).filter_map(move |(chunk, sum)| {
        let coins = chunk.iter().map(|coin| (currency, *coin));
        let output = Output::payment(owner, currency, sum);
        create(coins, [output], free, H256::zero())
    })
}

/// `None` when a transaction has no room for it, which the callers make sure of.
fn create(
    coins: impl IntoIterator<Item = (Currency, Coin)>,
    outputs: impl IntoIterator<Item = Output>,
    fee: Fee,
    metadata: H256,
) -> Option<CreatedTx> {
    let mut inputs = ArrayVec::new();
    for (currency, coin) in coins {
        let utxo = Utxo { output_type: coin.output_type, currency, amount: coin.amount };
        inputs.try_push((coin.position, utxo)).ok()?;
    }
    let mut made = ArrayVec::new();
    for output in outputs {
        made.try_push(output).ok()?;
    }
    let tx = PaymentTx {
        inputs: inputs.iter().map(|(position, _)| (*position).into()).collect(),
        outputs: made,
        metadata,
    };
    Some(CreatedTx { inputs, fee, tx })
}

#[cfg(test)]
mod tests;
