//! Fees: what the operator asks, and whether a transaction pays it (protocol 3.3).
//!
//! A fee is implicit: what a payment's inputs hold beyond its outputs. It is paid in exactly one currency and exactly; during
//! the buffer after a change the amount asked before is taken too. Merges pay nothing, and a kind of transaction without a
//! specification is free.

mod parse;
mod server;

pub use parse::{FeeParseError, FeeParseErrors, parse_fee_specs};
pub use server::FeeServer;

use crate::wire::{Address, Currency, RecoveredTx, Transaction, TxType, U256};
use std::collections::BTreeMap;
use thiserror::Error;

/// What the operator asks for one kind of transaction in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeeSpec {
    /// The fee, in the smallest unit of the currency.
    pub amount: U256,
    /// How many of the smallest unit make one.
    pub subunit_to_unit: U256,
    /// What the amount was derived from, for display; never computed with.
    pub pegged: Option<PeggedFee>,
    /// When the operator set it, ISO 8601.
    pub updated_at: String,
}

/// A fee's value in another currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeggedFee {
    /// In units of [`Self::currency`], as written by the operator.
    pub amount: serde_json::Number,
    /// Name of the currency, such as `USD`.
    pub currency: String,
    /// How many of its smallest unit make one.
    pub subunit_to_unit: U256,
}

/// Specifications by transaction type number and currency.
pub type FeeSpecs = BTreeMap<u64, BTreeMap<Currency, FeeSpec>>;

/// Accepted amounts of one transaction type by currency: the current one first, then the one before it while its buffer lasts.
pub type AcceptedAmounts = BTreeMap<Currency, Vec<U256>>;

/// All accepted amounts by transaction type number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcceptedFees(BTreeMap<u64, AcceptedAmounts>);

/// A transaction does not pay what is asked. The text is its stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FeeError {
    /// Nothing or too little is paid, or in a currency that is not taken.
    #[error("fees_not_covered")]
    NotCovered,
    /// More is paid than asked.
    #[error("overpaying_fees")]
    Overpaying,
    /// Several currencies are left over, so which one is the fee?
    #[error("multiple_potential_currency_fees")]
    MultipleCurrencies,
}

/// What one transaction has to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequiredFee<'a> {
    /// Whatever is left over is fine: watchers do not know what the operator asked.
    Ignored,
    /// Nothing may be left over: a merge.
    Nothing,
    /// One of these amounts in one of these currencies; anything at all when there are none.
    OneOf(&'a AcceptedAmounts),
}

impl AcceptedFees {
    /// Current amounts, and those of the specification before it where they differ.
    pub fn merged(current: &FeeSpecs, previous: Option<&FeeSpecs>) -> Self {
        let mut accepted = BTreeMap::<u64, AcceptedAmounts>::new();
        for specs in [Some(current), previous].into_iter().flatten() {
            for (tx_type, by_currency) in specs {
                let amounts = accepted.entry(*tx_type).or_default();
                for (currency, spec) in by_currency {
                    let listed = amounts.entry(*currency).or_default();
                    if !listed.contains(&spec.amount) {
                        listed.push(spec.amount);
                    }
                }
            }
        }
        Self(accepted)
    }

    /// What this transaction has to pay.
    pub fn required_for(&self, tx: &RecoveredTx) -> RequiredFee<'_> {
        static FREE: AcceptedAmounts = AcceptedAmounts::new();
        if is_merge(tx) {
            return RequiredFee::Nothing;
        }
        RequiredFee::OneOf(self.0.get(&tx.tx_type().number().into()).unwrap_or(&FREE))
    }

    /// The accepted amounts of one transaction type.
    pub fn of(&self, tx_type: TxType) -> Option<&AcceptedAmounts> {
        self.0.get(&tx_type.number().into())
    }
}

impl RequiredFee<'_> {
    /// Checks what is left over per currency.
    ///
    /// # Errors
    /// [`FeeError`], by the table of protocol 3.3.
    pub fn check(&self, surpluses: &[(Currency, U256)]) -> Result<(), FeeError> {
        let mut paid = surpluses.iter().filter(|(_, surplus)| !surplus.is_zero());
        match self {
            Self::Ignored => Ok(()),
            Self::Nothing if paid.next().is_none() => Ok(()),
            Self::Nothing => Err(FeeError::Overpaying),
            Self::OneOf(accepted) if accepted.is_empty() => Ok(()),
            Self::OneOf(accepted) => {
                let (currency, amount) = paid.next().ok_or(FeeError::NotCovered)?;
                if paid.next().is_some() {
                    return Err(FeeError::MultipleCurrencies);
                }
                let asked = accepted.get(currency).ok_or(FeeError::NotCovered)?;
                match asked.first() {
                    _ if asked.contains(amount) => Ok(()),
                    Some(current) if current > amount => Err(FeeError::NotCovered),
                    _ => Err(FeeError::Overpaying),
                }
            }
        }
    }
}

/// Whether a transaction only joins one owner's outputs of one currency, which is free (protocol 1.8).
pub fn is_merge(tx: &RecoveredTx) -> bool {
    let Transaction::Payment(payment) = tx.transaction() else {
        return false;
    };
    let Some(first) = payment.outputs.first() else {
        return false;
    };
    let same_owner = |owner: &Address| *owner == first.owner;
    payment.inputs.len() > payment.outputs.len()
        && payment
            .outputs
            .iter()
            .all(|output| output.currency == first.currency && same_owner(&output.owner))
        && tx.spenders().iter().all(same_owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ETH;

    const TOKEN: Currency = primitive_types::H160([1; 20]);
    const OTHER: Currency = primitive_types::H160([2; 20]);

    fn accepted() -> AcceptedAmounts {
        [(ETH, vec![U256::from(5), U256::from(3)]), (TOKEN, vec![U256::from(10)])]
            .into_iter()
            .collect()
    }

    fn check(
        required: RequiredFee<'_>,
        surpluses: &[(Currency, u64)],
        expected: Result<(), FeeError>,
    ) {
        let surpluses: Vec<_> =
            surpluses.iter().map(|(currency, amount)| (*currency, U256::from(*amount))).collect();
        assert_eq!(required.check(&surpluses), expected, "{required:?} {surpluses:?}");
    }

    #[test]
    fn a_fee_is_paid_exactly_and_in_one_accepted_currency() {
        let accepted = accepted();
        let one_of = RequiredFee::OneOf(&accepted);
        check(one_of, &[(ETH, 5)], Ok(()));
        check(one_of, &[(ETH, 3)], Ok(()));
        check(one_of, &[(ETH, 5), (TOKEN, 0)], Ok(()));
        check(one_of, &[(ETH, 4)], Err(FeeError::NotCovered));
        check(one_of, &[(ETH, 6)], Err(FeeError::Overpaying));
        check(one_of, &[(ETH, 0)], Err(FeeError::NotCovered));
        check(one_of, &[], Err(FeeError::NotCovered));
        check(one_of, &[(OTHER, 5)], Err(FeeError::NotCovered));
        check(one_of, &[(ETH, 5), (TOKEN, 10)], Err(FeeError::MultipleCurrencies));
        check(one_of, &[(TOKEN, 10)], Ok(()));
    }

    #[test]
    fn merges_pay_nothing_and_watchers_do_not_care() {
        let free = AcceptedAmounts::new();
        check(RequiredFee::Nothing, &[(ETH, 0)], Ok(()));
        check(RequiredFee::Nothing, &[(ETH, 1)], Err(FeeError::Overpaying));
        check(RequiredFee::Ignored, &[(ETH, 1), (TOKEN, 7)], Ok(()));
        check(RequiredFee::OneOf(&free), &[(ETH, 1), (TOKEN, 7)], Ok(()));
        check(RequiredFee::OneOf(&free), &[(ETH, 0)], Ok(()));
    }
}
