//! What users may hand in: payments, and nothing else (protocol 3.1).
//!
//! The ledger executes fee claims as well, but only those the operator makes when a block is formed.

use crate::wire::{RecoveredTx, TxType};
use thiserror::Error;

/// A valid transaction that nobody may submit. The text is its stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("transaction_not_supported")]
pub struct TransactionNotSupported;

/// Refuses what only the operator may make.
///
/// # Errors
/// [`TransactionNotSupported`] for a fee claim.
pub fn check_submittable(tx: &RecoveredTx) -> Result<(), TransactionNotSupported> {
    match tx.tx_type() {
        TxType::Payment => Ok(()),
        TxType::FeeClaim => Err(TransactionNotSupported),
    }
}
