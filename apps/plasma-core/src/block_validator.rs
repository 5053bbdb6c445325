//! A block by itself: everything that can be said about it without knowing what came before (protocol 5.9).
//!
//! It must never look at the ledger, and it does not judge who may spend what. The getter does not use it: a block of the chain is
//! measured by its submitted root and by executing it.

use crate::wire::{
    Block, Currency, InputPointer, MAX_BLOCK_TRANSACTIONS, MerkleBuilder, RecoverTxError,
    RecoveredTx, Transaction, TxType,
};
use std::collections::BTreeSet;
use thiserror::Error;

/// Which rule a block breaks. The text is its stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BlockInvalid {
    /// No transactions.
    #[error("empty_block")]
    Empty,
    /// More than 65,536 transactions.
    #[error("transactions_exceed_block_limit")]
    TooManyTransactions,
    /// A transaction breaks a stateless rule: the first of them.
    #[error(transparent)]
    Transaction(#[from] RecoverTxError),
    /// A payment behind a fee claim.
    #[error("unexpected_transaction_type_at_fee_index")]
    PaymentAmongFeeClaims,
    /// Two fee claims of one currency.
    #[error("duplicate_fee_transaction_for_ccy")]
    DuplicateFeeClaim {
        /// The currency.
        currency: Currency,
    },
    /// An input used twice in the block.
    #[error("block_duplicate_inputs")]
    DuplicateInputs {
        /// The input.
        input: InputPointer,
    },
    /// The transactions have another root than claimed.
    #[error("invalid_merkle_root")]
    InvalidMerkleRoot,
}

/// Checks the number of transactions, before anybody spends time on recovering them.
///
/// # Errors
/// [`BlockInvalid::Empty`] and [`BlockInvalid::TooManyTransactions`].
pub fn check_size(block: &Block) -> Result<(), BlockInvalid> {
    if block.transactions.is_empty() {
        return Err(BlockInvalid::Empty);
    }
    match u32::try_from(block.transactions.len()) {
        Ok(count) if count <= MAX_BLOCK_TRANSACTIONS => Ok(()),
        _ => Err(BlockInvalid::TooManyTransactions),
    }
}

/// Checks a block. `recovered` holds, for each of its transactions in order, what [`RecoveredTx::from_bytes`] made of it, which
/// shells compute in parallel.
///
/// # Errors
/// The first rule broken, in the order of protocol 5.9.
pub fn validate_block(
    block: &Block,
    recovered: Vec<Result<RecoveredTx, RecoverTxError>>,
) -> Result<(), BlockInvalid> {
    check_size(block)?;
    let transactions = recovered.into_iter().collect::<Result<Vec<_>, _>>()?;
    check_fee_claims(&transactions)?;
    let mut inputs = BTreeSet::new();
    for input in transactions.iter().flat_map(|tx| tx.transaction().inputs()) {
        if !inputs.insert(input) {
            return Err(BlockInvalid::DuplicateInputs { input: *input });
        }
    }
    match MerkleBuilder::from_leaves(transactions.iter().map(RecoveredTx::leaf)) {
        Ok(merkle) if merkle.root() == block.hash => Ok(()),
        _ => Err(BlockInvalid::InvalidMerkleRoot),
    }
}

/// Fee claims stand at the end, one per currency.
fn check_fee_claims(transactions: &[RecoveredTx]) -> Result<(), BlockInvalid> {
    let first_claim = transactions.iter().position(|tx| tx.tx_type() == TxType::FeeClaim);
    let mut currencies = BTreeSet::new();
    let claims = transactions.iter().skip(first_claim.unwrap_or(transactions.len()));
    // The order of the two rules shows when both are broken: types come first.
    if claims.clone().any(|tx| tx.tx_type() != TxType::FeeClaim) {
        return Err(BlockInvalid::PaymentAmongFeeClaims);
    }
    for tx in claims {
        if let Transaction::FeeClaim(claim) = tx.transaction() {
            let currency = claim.output.currency;
            if !currencies.insert(currency) {
                return Err(BlockInvalid::DuplicateFeeClaim { currency });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_getter::testing::{block_of, domain, key, payment};
    use crate::wire::{Address, Blknum, DecodeTxError, ETH, H256, U256};

    const TOKEN: Currency = primitive_types::H160([1; 20]);

    fn claim(currency: Currency, amount: u64) -> RecoveredTx {
        let claimer = Address::repeat_byte(0xfe);
        let amount = U256::from(amount);
        match Transaction::fee_claim(Blknum::new(1000), claimer, currency, amount) {
            Transaction::FeeClaim(claim) => RecoveredTx::fee_claim(claim),
            Transaction::Payment(_) => unreachable!("a fee claim was made"),
        }
    }

    fn check(description: &str, transactions: &[RecoveredTx], expected: &str) {
        check_with_hash(description, transactions, block_of(transactions), expected);
    }

    fn check_with_hash(
        description: &str,
        transactions: &[RecoveredTx],
        hash: H256,
        expected: &str,
    ) {
        let bytes = transactions.iter().map(|tx| tx.signed_bytes().into());
        let block = Block { number: Blknum::new(1000), hash, transactions: bytes.collect() };
        let recovered =
            transactions.iter().map(|tx| RecoveredTx::from_bytes(tx.signed_bytes(), &domain()));
        let found = validate_block(&block, recovered.collect());
        let found = found.map_or_else(|invalid| invalid.to_string(), |()| "ok".to_owned());
        assert_eq!(found, expected, "{description}");
    }

    #[test]
    fn a_block_by_itself_is_valid_or_has_a_documented_error() {
        let alice = key(1);
        let pay = |blknum: u64| payment(&alice, &[(blknum, 0)], 5);
        let two_inputs = payment(&alice, &[(1, 0), (2, 0)], 5);
        check("payments", &[pay(1), pay(2)], "ok");
        check("payments and claims", &[pay(1), claim(ETH, 1), claim(TOKEN, 1)], "ok");
        check("nothing but a claim", &[claim(ETH, 1)], "ok");
        check("nothing", &[], "empty_block");
        check("an input in two transactions", &[pay(1), two_inputs], "block_duplicate_inputs");
        check("the same transaction twice", &[pay(1), pay(1)], "block_duplicate_inputs");
        let behind = "unexpected_transaction_type_at_fee_index";
        check("a payment last", &[claim(ETH, 1), pay(1)], behind);
        check("a payment between", &[pay(1), claim(ETH, 1), pay(2), claim(TOKEN, 1)], behind);
        let twice = "duplicate_fee_transaction_for_ccy";
        check("two claims of one currency", &[pay(1), claim(ETH, 1), claim(ETH, 2)], twice);
        check("types come before currencies", &[claim(ETH, 1), claim(ETH, 2), pay(1)], behind);
        check_with_hash("another root", &[pay(1)], H256::zero(), "invalid_merkle_root");
    }

    #[test]
    fn bytes_that_are_no_transaction_and_too_many_of_them_are_refused() {
        let block = |count| Block {
            number: Blknum::new(1000),
            hash: H256::zero(),
            transactions: vec![Box::default(); count],
        };
        let broken = |error: RecoverTxError| validate_block(&block(2), vec![Err(error); 2]);
        let malformed = RecoverTxError::Decode(DecodeTxError::Malformed);
        for error in [malformed, RecoverTxError::DuplicateInputs] {
            assert_eq!(broken(error), Err(error.into()));
        }
        assert_eq!(check_size(&block(65_536)), Ok(()));
        assert_eq!(check_size(&block(65_537)), Err(BlockInvalid::TooManyTransactions));
        let too_many = validate_block(&block(65_537), vec![Err(malformed)]);
        assert_eq!(too_many, Err(BlockInvalid::TooManyTransactions));
    }
}
