//! Fees: what the operator asks, and whether a transaction pays it (protocol 3.3).
//!
//! A fee is implicit: what a payment's inputs hold beyond its outputs. It is paid in exactly one currency and exactly; during
//! the buffer after a change the amount asked before is taken too. An operator may take a little more ([`FeeTolerance`]). Merges pay nothing, and a kind of transaction without a
//! specification is free.

mod parse;
mod server;

pub use parse::{FeeParseError, FeeParseErrors, parse_fee_specs};
pub use server::FeeServer;

use crate::wire::{Address, Currency, RecoveredTx, Transaction, TxType, U256, U512};
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

/// How much more than a listed amount is taken as well. Nothing, if nobody says otherwise: the rule of the protocol.
///
/// It only ever widens what an operator accepts. Watchers take any fee, so operators may differ, and change it at any time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeeTolerance {
    /// In percent of the listed amount, rounded down.
    pub overpay_percent_max: u32,
}

/// All accepted amounts by transaction type number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcceptedFees {
    by_type: BTreeMap<u64, AcceptedAmounts>,
    tolerance: FeeTolerance,
}

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
    /// One of these amounts in one of these currencies, or a little more; anything at all when there are none.
    OneOf(&'a AcceptedAmounts, FeeTolerance),
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
        Self { by_type: accepted, tolerance: FeeTolerance::default() }
    }

    /// The same, and so much more.
    #[must_use]
    pub const fn tolerating(mut self, tolerance: FeeTolerance) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// What this transaction has to pay.
    pub fn required_for(&self, tx: &RecoveredTx) -> RequiredFee<'_> {
        static FREE: AcceptedAmounts = AcceptedAmounts::new();
        if is_merge(tx) {
            return RequiredFee::Nothing;
        }
        RequiredFee::OneOf(self.of(tx.tx_type()).unwrap_or(&FREE), self.tolerance)
    }

    /// The accepted amounts of one transaction type.
    pub fn of(&self, tx_type: TxType) -> Option<&AcceptedAmounts> {
        self.by_type.get(&tx_type.number().into())
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
            Self::OneOf(accepted, _) if accepted.is_empty() => Ok(()),
            Self::OneOf(accepted, tolerance) => {
                let (currency, amount) = paid.next().ok_or(FeeError::NotCovered)?;
                if paid.next().is_some() {
                    return Err(FeeError::MultipleCurrencies);
                }
                let asked = accepted.get(currency).ok_or(FeeError::NotCovered)?;
                match asked.first() {
                    _ if asked.iter().any(|asked| tolerance.takes(*asked, *amount)) => Ok(()),
                    Some(current) if current > amount => Err(FeeError::NotCovered),
                    _ => Err(FeeError::Overpaying),
                }
            }
        }
    }
}

impl FeeTolerance {
    fn takes(self, asked: U256, paid: U256) -> bool {
        let Some(more) = paid.checked_sub(asked) else {
            return false;
        };
        let percent = U512::from(asked).saturating_mul(self.overpay_percent_max.into());
        U512::from(more).saturating_mul(100.into()) <= percent
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
        let one_of = RequiredFee::OneOf(&accepted, FeeTolerance::default());
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
    fn a_tolerance_takes_a_little_more_and_never_less() {
        let tolerant = |overpay_percent_max| FeeTolerance { overpay_percent_max };
        let accepted: AcceptedAmounts =
            [(ETH, vec![U256::from(100), U256::from(10)]), (TOKEN, vec![U256::MAX])].into();
        for (percent, paid, expected) in [
            (0, 100, Ok(())),
            (0, 101, Err(FeeError::Overpaying)),
            (5, 99, Err(FeeError::NotCovered)),
            (5, 105, Ok(())),
            (5, 106, Err(FeeError::Overpaying)),
            // The amount of the buffer, and a little more than that.
            (25, 12, Ok(())),
            (25, 13, Err(FeeError::NotCovered)),
            (u32::MAX, 9, Err(FeeError::NotCovered)),
            (u32::MAX, u64::MAX, Err(FeeError::Overpaying)),
        ] {
            check(RequiredFee::OneOf(&accepted, tolerant(percent)), &[(ETH, paid)], expected);
        }
        let one_of = RequiredFee::OneOf(&accepted, tolerant(u32::MAX));
        check(one_of, &[(ETH, 101), (TOKEN, 1)], Err(FeeError::MultipleCurrencies));
        check(one_of, &[(TOKEN, 1)], Err(FeeError::NotCovered));
        assert_eq!(one_of.check(&[(TOKEN, U256::MAX)]), Ok(()));
        check(RequiredFee::Nothing, &[(ETH, 1)], Err(FeeError::Overpaying));
    }

    #[test]
    fn merges_pay_nothing_and_watchers_do_not_care() {
        let free = AcceptedAmounts::new();
        check(RequiredFee::Nothing, &[(ETH, 0)], Ok(()));
        check(RequiredFee::Nothing, &[(ETH, 1)], Err(FeeError::Overpaying));
        check(RequiredFee::Ignored, &[(ETH, 1), (TOKEN, 7)], Ok(()));
        check(RequiredFee::OneOf(&free, FeeTolerance::default()), &[(ETH, 1), (TOKEN, 7)], Ok(()));
        check(RequiredFee::OneOf(&free, FeeTolerance::default()), &[(ETH, 0)], Ok(()));
    }
}
