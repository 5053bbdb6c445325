//! The stateless rules of a downloaded block (protocol 5.2): what was asked for, transactions that recover, the right root.
//!
//! [`VerifiedBlock`] can only be made by [`check_block`], and it is the only thing that is ever executed on the ledger.

use crate::state::ExecError;
use crate::wire::{
    Blknum, BlockHash, MAX_BLOCK_TRANSACTIONS, MerkleBuilder, RecoverTxError, RecoveredTx, TxIndex,
    UtxoPos,
};
use thiserror::Error;

/// A block as the root chain knows it: all that an answer of the operator is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId {
    /// Its number.
    pub blknum: Blknum,
    /// The root that was submitted for it.
    pub hash: BlockHash,
}

/// Which rule a block breaks. The text is the stable code: `error_type` of an `invalid_block` event (protocol 5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BlockFault {
    /// The answer claims to be a block with another root.
    #[error("bad_returned_hash")]
    BadReturnedHash,
    /// The answer claims to be a block with another number.
    #[error("bad_returned_number")]
    BadReturnedNumber,
    /// More than 65,536 transactions: no root covers them all.
    #[error("transactions_exceed_block_limit")]
    TooManyTransactions,
    /// A transaction breaks a stateless rule (protocol 3.1).
    #[error("{error}")]
    Transaction {
        /// Which one: the last of them when there are several.
        txindex: TxIndex,
        /// Which rule.
        error: RecoverTxError,
    },
    /// The transactions have another root than was submitted.
    #[error("incorrect_hash")]
    IncorrectHash,
    /// The ledger refuses a transaction.
    #[error("tx_execution")]
    Execution {
        /// Which one: the first of them.
        txindex: TxIndex,
        /// Why.
        error: ExecError,
    },
    /// A transaction spends a deposit that the ledger has never heard of. The rule is the same, but it may be the watcher that is
    /// late: see [`BlockGetter::on_invalid`](super::BlockGetter::on_invalid).
    #[error("tx_execution")]
    UnknownDeposit {
        /// Which one: the first of them.
        txindex: TxIndex,
        /// The output of the deposit.
        position: UtxoPos,
    },
    /// The operator replaced the root of a block that is part of the ledger, by way of a root chain reorganisation.
    #[error("submitted_root_changed")]
    SubmittedRootChanged,
}

/// A block that passed every stateless rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedBlock {
    id: BlockId,
    transactions: Vec<RecoveredTx>,
}

impl VerifiedBlock {
    /// Its number and root.
    pub const fn id(&self) -> BlockId {
        self.id
    }

    /// Its transactions, in order.
    pub fn transactions(&self) -> &[RecoveredTx] {
        &self.transactions
    }

    pub(super) fn into_transactions(self) -> Vec<RecoveredTx> {
        self.transactions
    }
}

/// An answer that is not the block that was submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedBlock {
    /// What was asked for.
    pub id: BlockId,
    /// The first rule broken.
    pub fault: BlockFault,
    /// Its statelessly valid transactions: each is a signed spend, whatever became of the block.
    pub transactions: Vec<RecoveredTx>,
}

/// Measures an answer by what was asked for. `returned` is what the answer claims to be; `recovered` holds, for each of its
/// transactions in order, what [`RecoveredTx::from_bytes`] made of it, which shells compute in parallel. Of an answer with more
/// than 65,536 transactions it is enough to recover the first 65,537.
///
/// # Errors
/// The first rule broken, in the order of protocol 5.2, with the transactions that are worth keeping.
pub fn check_block(
    requested: BlockId,
    returned: BlockId,
    recovered: Vec<Result<RecoveredTx, RecoverTxError>>,
) -> Result<VerifiedBlock, Box<RefusedBlock>> {
    let fault = first_fault(requested, returned, &recovered);
    let room = usize::try_from(MAX_BLOCK_TRANSACTIONS).unwrap_or(usize::MAX);
    let transactions = recovered.into_iter().filter_map(Result::ok).take(room);
    let transactions = transactions.collect();
    match fault {
        None => Ok(VerifiedBlock { id: requested, transactions }),
        Some(fault) => Err(Box::new(RefusedBlock { id: requested, fault, transactions })),
    }
}

fn first_fault(
    requested: BlockId,
    returned: BlockId,
    recovered: &[Result<RecoveredTx, RecoverTxError>],
) -> Option<BlockFault> {
    if returned.hash != requested.hash {
        return Some(BlockFault::BadReturnedHash);
    }
    if returned.blknum != requested.blknum {
        return Some(BlockFault::BadReturnedNumber);
    }
    if u32::try_from(recovered.len()).map_or(true, |count| count > MAX_BLOCK_TRANSACTIONS) {
        return Some(BlockFault::TooManyTransactions);
    }
    // From the last one backwards, as every watcher before this one did: they shall name the same error.
    let invalid =
        (0..).map(TxIndex::new).zip(recovered).filter_map(|(txindex, recovered)| match recovered {
            Ok(_) => None,
            Err(error) => Some(BlockFault::Transaction { txindex, error: *error }),
        });
    if let Some(fault) = invalid.last() {
        return Some(fault);
    }
    let leaves = recovered.iter().flatten().map(RecoveredTx::leaf);
    match MerkleBuilder::from_leaves(leaves) {
        Ok(merkle) if merkle.root() == requested.hash => None,
        _ => Some(BlockFault::IncorrectHash),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_getter::testing::{block_of, key, payment};
    use crate::wire::{DecodeTxError, H256};

    const BAD: RecoverTxError = RecoverTxError::Decode(DecodeTxError::Malformed);

    fn id(blknum: u64, hash: H256) -> BlockId {
        BlockId { blknum: Blknum::new(blknum), hash }
    }

    fn check(
        description: &str,
        requested: BlockId,
        returned: BlockId,
        recovered: Vec<Result<RecoveredTx, RecoverTxError>>,
        expected: &str,
    ) {
        let kept = recovered.iter().filter(|tx| tx.is_ok()).count();
        let (found, transactions) = match check_block(requested, returned, recovered) {
            Ok(block) => {
                assert_eq!(block.id(), requested, "{description}");
                ("ok".to_owned(), block.into_transactions())
            }
            Err(refused) => {
                assert_eq!(refused.id, requested, "{description}");
                (refused.fault.to_string(), refused.transactions)
            }
        };
        assert_eq!(found, expected, "{description}");
        assert_eq!(transactions.len(), kept.min(65_536), "{description}");
    }

    #[test]
    fn a_block_is_what_was_asked_for_or_has_a_documented_error() {
        let txs = [payment(&key(1), &[(1, 0)], 5), payment(&key(2), &[(2, 0)], 5)];
        let root = block_of(&txs);
        let good = || txs.iter().cloned().map(Ok).collect::<Vec<_>>();
        let (wanted, other) = (id(1000, root), H256::repeat_byte(1));
        check("the block", wanted, wanted, good(), "ok");
        check("an empty block", id(1000, block_of(&[])), id(1000, block_of(&[])), vec![], "ok");
        check("another root claimed", wanted, id(1000, other), good(), "bad_returned_hash");
        check("another number claimed", wanted, id(2000, root), good(), "bad_returned_number");
        check("both", wanted, id(2000, other), good(), "bad_returned_hash");
        check("another root", id(1000, other), id(1000, other), good(), "incorrect_hash");
        check("one left out", wanted, wanted, good().split_off(1), "incorrect_hash");
        let swapped = good().into_iter().rev().collect();
        check("another order", wanted, wanted, swapped, "incorrect_hash");
        let errors = [RecoverTxError::DuplicateInputs, BAD].map(Err);
        let with_errors = [good(), errors.to_vec()].concat();
        check("the last error counts", wanted, wanted, with_errors, "malformed_transaction");
        let too_many = vec![Ok(txs[0].clone()); 65_537];
        check("too many", wanted, wanted, too_many, "transactions_exceed_block_limit");
    }

    #[test]
    fn the_fault_names_the_transaction() {
        let wanted = id(1000, H256::zero());
        let recovered = vec![Err(BAD), Ok(payment(&key(1), &[(1, 0)], 5)), Err(BAD), Err(BAD)];
        let refused = check_block(wanted, wanted, recovered).unwrap_err();
        let txindex = TxIndex::new(3);
        assert_eq!(refused.fault, BlockFault::Transaction { txindex, error: BAD });
    }
}
