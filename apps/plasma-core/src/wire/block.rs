//! A child chain block: a number, the signed bytes of its transactions, and their Merkle root (protocol 2.3).

use super::merkle::{MerkleBuilder, MerkleFull};
use super::primitives::{Blknum, BlockHash};
use super::signed::{DecodeTxError, SignedTx};
use thiserror::Error;

/// A block as `block.get` serves it. Nothing about it is checked yet; see [`Block::root`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its number, a multiple of the child block interval.
    pub number: Blknum,
    /// What its producer claims the Merkle root to be.
    pub hash: BlockHash,
    /// Signed bytes: payments first, then fee claims.
    pub transactions: Vec<Box<[u8]>>,
}

/// A root cannot be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BlockError {
    /// A transaction does not decode, so it has no unsigned bytes to hash.
    #[error(transparent)]
    Decode(#[from] DecodeTxError),
    /// More than 65,536 transactions.
    #[error("transactions_exceed_block_limit")]
    TooManyTransactions,
}

impl From<MerkleFull> for BlockError {
    fn from(_: MerkleFull) -> Self {
        Self::TooManyTransactions
    }
}

impl Block {
    /// The Merkle root of the transactions.
    ///
    /// # Errors
    /// [`BlockError`] when one does not decode, or there are too many.
    pub fn root(&self) -> Result<BlockHash, BlockError> {
        let mut merkle = MerkleBuilder::new();
        for transaction in &self.transactions {
            merkle.push(SignedTx::decode(transaction)?.leaf())?;
        }
        Ok(merkle.root())
    }
}
