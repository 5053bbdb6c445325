//! Proof that a payment is in a block, to be kept by whoever was paid and checked by anybody without a watcher (protocol 2.4).
//!
//! It must never say more than it proves: that the transaction is in a block with this root. That the root is the one of the block on the
//! root chain, only the root chain says: `blocks(blknum)` of the framework contract.

use crate::wire::merkle::leaf_hash;
use crate::wire::{
    BlockHash, DecodeTxError, InclusionProof, MAX_BLOCK_TRANSACTIONS, Transaction, TxHash, TxIndex,
    keccak256,
};
use thiserror::Error;

/// What somebody claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InclusionClaim<'a> {
    /// Id of the transaction.
    pub tx_hash: TxHash,
    /// Its unsigned bytes.
    pub tx_bytes: &'a [u8],
    /// Its place in the block.
    pub txindex: TxIndex,
    /// The siblings on the way to the root.
    pub proof: &'a [u8],
    /// The root of the block.
    pub root: BlockHash,
}

/// Why a claim proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InclusionError {
    /// The bytes are no transaction.
    #[error("the transaction cannot be read: {0}")]
    Transaction(#[from] DecodeTxError),
    /// The bytes are another transaction.
    #[error("the bytes are those of transaction {found:?}")]
    OtherTransaction {
        /// Its id.
        found: TxHash,
    },
    /// No block has such a place.
    #[error("a block has no place {0}")]
    NoSuchPlace(TxIndex),
    /// The proof is not as long as one is.
    #[error("the proof is malformed")]
    MalformedProof,
    /// The proof leads somewhere else.
    #[error("the proof does not lead from the transaction at this place to the root")]
    OtherRoot,
}

/// Checks a claim, and returns the transaction that it proves.
///
/// # Errors
/// [`InclusionError`]
pub fn verify_inclusion(claim: &InclusionClaim<'_>) -> Result<Transaction, InclusionError> {
    let tx = Transaction::decode_unsigned(claim.tx_bytes)?;
    let found = keccak256(claim.tx_bytes);
    if found != claim.tx_hash {
        return Err(InclusionError::OtherTransaction { found });
    }
    if claim.txindex.get() >= MAX_BLOCK_TRANSACTIONS {
        return Err(InclusionError::NoSuchPlace(claim.txindex));
    }
    let proof = InclusionProof::from_bytes(claim.proof).ok_or(InclusionError::MalformedProof)?;
    if !proof.verify(leaf_hash(claim.tx_bytes), claim.txindex.get(), claim.root) {
        return Err(InclusionError::OtherRoot);
    }
    Ok(tx)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Address, ETH, H256, MerkleBuilder};
    use proptest::prelude::*;

    fn tx(amount: u64) -> Transaction {
        Transaction::deposit(Address::repeat_byte(0xaa), ETH, amount.into())
    }

    /// A block of so many transactions, and the claim that the one at `index` is in it.
    fn claim(count: u64, index: u64) -> (Vec<u8>, Vec<u8>, BlockHash) {
        let leaves: Vec<H256> =
            (1..=count).map(|amount| leaf_hash(&tx(amount).encode_unsigned())).collect();
        let root = MerkleBuilder::from_leaves(leaves.iter().copied()).unwrap().root();
        let proof = InclusionProof::from_leaves(index as u32, &leaves).unwrap();
        (tx(index + 1).encode_unsigned(), proof.to_bytes(), root)
    }

    #[test]
    fn what_is_not_there_is_not_proven() {
        let (tx_bytes, proof, root) = claim(300, 260);
        let good = InclusionClaim {
            tx_hash: tx(261).hash(),
            tx_bytes: &tx_bytes,
            txindex: TxIndex::new(260),
            proof: &proof,
            root,
        };
        assert_eq!(verify_inclusion(&good), Ok(tx(261)));
        let other = tx(7).encode_unsigned();
        let found = tx(7).hash();
        for (claim, expected) in [
            (InclusionClaim { tx_bytes: &[], ..good }, DecodeTxError::Malformed.into()),
            (
                InclusionClaim { tx_bytes: &other, ..good },
                InclusionError::OtherTransaction { found },
            ),
            (
                InclusionClaim { tx_bytes: &other, tx_hash: found, ..good },
                InclusionError::OtherRoot,
            ),
            (InclusionClaim { txindex: TxIndex::new(261), ..good }, InclusionError::OtherRoot),
            (
                InclusionClaim { txindex: TxIndex::new(65_536 + 260), ..good },
                InclusionError::NoSuchPlace(TxIndex::new(65_796)),
            ),
            (InclusionClaim { proof: &proof[1..], ..good }, InclusionError::MalformedProof),
            (InclusionClaim { root: H256::zero(), ..good }, InclusionError::OtherRoot),
        ] {
            assert_eq!(verify_inclusion(&claim), Err(expected));
        }
    }

    proptest! {
        #[test]
        fn one_flipped_bit_proves_nothing(index in 0_u64..20, byte in 0_usize..512, bit in 0_u8..8) {
            let (tx_bytes, mut proof, root) = claim(20, index);
            proof[byte] ^= 1 << bit;
            let txindex = TxIndex::new(index as u32);
            let tx_hash = tx(index + 1).hash();
            let claim = InclusionClaim { tx_hash, tx_bytes: &tx_bytes, txindex, proof: &proof, root };
            prop_assert_eq!(verify_inclusion(&claim), Err(InclusionError::OtherRoot));
        }
    }
}
