//! `transaction.merge`: an account's outputs of one currency, or some outputs by their positions (protocol 5.10).

use super::{CreatedTx, Fee, build_merges, create, selection::Coin};
use crate::db_update::Utxo;
use crate::wire::{Address, Currency, H256, Output, U256, UtxoPos};
use std::collections::BTreeSet;
use thiserror::Error;

/// An unspent output with its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnedUtxo {
    /// Where it was made.
    pub position: UtxoPos,
    /// Who may spend it.
    pub owner: Address,
    /// What it holds.
    pub utxo: Utxo,
}

/// Why outputs cannot be merged. The text is the reason in the stable code (protocol 6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MergeError {
    /// There is one output only.
    #[error("single_input")]
    SingleInput,
    /// There is none.
    #[error("no_inputs_found")]
    NoInputsFound,
    /// A position has no unspent output.
    #[error("position_not_found")]
    PositionNotFound,
    /// An output is listed twice.
    #[error("duplicate_input_positions")]
    DuplicatePositions,
    /// The outputs do not all belong to one owner.
    #[error("multiple_input_owners")]
    MultipleOwners,
    /// The outputs are not all of one currency.
    #[error("multiple_currencies")]
    MultipleCurrencies,
    /// More outputs than a transaction has inputs, or with a sum beyond 256 bits.
    #[error("too_many_inputs")]
    TooManyInputs,
}

/// Merges of an account's outputs of one currency, the smallest first: at most as many inputs each as a transaction has. One that is
/// left over stays as it is.
///
/// # Errors
/// [`MergeError::NoInputsFound`] and [`MergeError::SingleInput`].
pub fn merge_account(
    owner: Address,
    currency: Currency,
    utxos: impl IntoIterator<Item = (UtxoPos, Utxo)>,
) -> Result<Vec<CreatedTx>, MergeError> {
    let utxos: Vec<_> = utxos.into_iter().filter(|(_, utxo)| utxo.currency == currency).collect();
    match utxos.len() {
        0 => Err(MergeError::NoInputsFound),
        1 => Err(MergeError::SingleInput),
        _ => Ok(build_merges(owner, currency, utxos)),
    }
}

/// One merge of outputs that were asked for by their positions, in that order; `None` is a position without an unspent output.
///
/// # Errors
/// [`MergeError`], in the order: not found, listed twice, of several owners, of several currencies.
pub fn merge_outputs(
    found: impl IntoIterator<Item = Option<OwnedUtxo>>,
) -> Result<CreatedTx, MergeError> {
    let found: Option<Vec<OwnedUtxo>> = found.into_iter().collect();
    let found = found.ok_or(MergeError::PositionNotFound)?;
    let first = match found.as_slice() {
        [] => return Err(MergeError::NoInputsFound),
        [_] => return Err(MergeError::SingleInput),
        [first, ..] => *first,
    };
    let positions: BTreeSet<UtxoPos> = found.iter().map(|one| one.position).collect();
    if positions.len() < found.len() {
        return Err(MergeError::DuplicatePositions);
    }
    if found.iter().any(|one| one.owner != first.owner) {
        return Err(MergeError::MultipleOwners);
    }
    let currency = first.utxo.currency;
    if found.iter().any(|one| one.utxo.currency != currency) {
        return Err(MergeError::MultipleCurrencies);
    }
    let mut amounts = found.iter().map(|one| one.utxo.amount);
    let sum = amounts.try_fold(U256::zero(), |sum, amount| sum.checked_add(amount));
    let coins = found.iter().map(|one| {
        let coin = Coin {
            position: one.position,
            amount: one.utxo.amount,
            output_type: one.utxo.output_type,
        };
        (currency, coin)
    });
    let output = Output::payment(first.owner, currency, sum.ok_or(MergeError::TooManyInputs)?);
    let free = Fee { currency, amount: U256::zero() };
    create(coins, [output], free, H256::zero()).ok_or(MergeError::TooManyInputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Blknum, ETH, MAX_INPUTS, OutputType};
    use proptest::prelude::*;

    const ALICE: Address = primitive_types::H160([0xa1; 20]);
    const BOB: Address = primitive_types::H160([0xb0; 20]);
    const TOKEN: Currency = primitive_types::H160([1; 20]);

    fn owned(blknum: u64, owner: Address, currency: Currency, amount: u64) -> OwnedUtxo {
        let output_type = OutputType::Payment;
        let utxo = Utxo { output_type, currency, amount: amount.into() };
        OwnedUtxo { position: UtxoPos::deposit(Blknum::new(blknum)), owner, utxo }
    }

    #[test]
    fn outputs_are_merged_only_when_they_belong_together() {
        let (a, b) = (owned(1, ALICE, ETH, 5), owned(2, ALICE, ETH, 7));
        let merged = merge_outputs([Some(b), Some(a)]).unwrap();
        assert_eq!(merged.inputs.iter().map(|(at, _)| at.blknum.get()).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(merged.tx.outputs.as_slice(), [Output::payment(ALICE, ETH, 12.into())]);
        assert_eq!(merged.fee, Fee { currency: ETH, amount: U256::zero() });
        let (bobs, token) = (owned(3, BOB, TOKEN, 1), owned(4, ALICE, TOKEN, 1));
        for (found, expected) in [
            (vec![], MergeError::NoInputsFound),
            (vec![Some(a)], MergeError::SingleInput),
            (vec![Some(a), Some(a), None], MergeError::PositionNotFound),
            (vec![Some(a), Some(a), Some(bobs)], MergeError::DuplicatePositions),
            (vec![Some(a), Some(bobs)], MergeError::MultipleOwners),
            (vec![Some(a), Some(token)], MergeError::MultipleCurrencies),
            ((1..=5).map(|at| Some(owned(at, ALICE, ETH, 1))).collect(), MergeError::TooManyInputs),
        ] {
            assert_eq!(merge_outputs(found), Err(expected), "{expected}");
        }
    }

    proptest! {
        #[test]
        fn an_account_is_merged_by_fours_and_one_may_be_left(amounts in prop::collection::vec(1_u64..100, 0..40)) {
            let utxos = (1..).zip(&amounts).map(|(at, amount)| {
                let OwnedUtxo { position, utxo, .. } = owned(at, ALICE, ETH, *amount);
                (position, utxo)
            });
            let other = owned(99, ALICE, TOKEN, 1);
            let utxos: Vec<_> = utxos.chain([(other.position, other.utxo)]).collect();
            match merge_account(ALICE, ETH, utxos) {
                Err(error) => {
                    let expected = [MergeError::NoInputsFound, MergeError::SingleInput];
                    prop_assert_eq!(Some(&error), expected.get(amounts.len()));
                }
                Ok(merges) => {
                    let left = usize::from(amounts.len() % MAX_INPUTS == 1);
                    let merged: usize = merges.iter().map(|merge| merge.inputs.len()).sum();
                    prop_assert_eq!(merged + left, amounts.len());
                    prop_assert!(merges.iter().all(|merge| (2..=MAX_INPUTS).contains(&merge.inputs.len())));
                }
            }
        }
    }
}
