//! The Merkle tree against documented roots and against a plain definition of itself (protocol 2.4).

use crate::unhex;
use plasma_core::wire::keccak::keccak256_concat;
use plasma_core::wire::merkle::{InclusionProof, MerkleBuilder, leaf_hash};
use plasma_core::wire::{
    Address, Blknum, Block, ETH, H256, InputPointer, Output, OutputIndex, PaymentTx, Signature,
    Transaction, TxIndex, U256, UtxoPos,
};
use proptest::prelude::*;

fn h256(hex: &str) -> H256 {
    H256::from_slice(&unhex(hex))
}

/// The tree by its definition: all 65,536 leaves, level by level.
fn plain_root(leaves: &[H256]) -> H256 {
    let mut level = leaves.to_vec();
    level.resize(1 << 16, leaf_hash(&[0; 32]));
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| keccak256_concat(&[&[1], pair[0].as_bytes(), pair[1].as_bytes()]))
            .collect();
    }
    level[0]
}

fn payment(txindex: u32, oindex: u16) -> Transaction {
    let bob = Address::from_slice(&unhex("cfc24fde5880abd99929c3ef8ab2e31048ad7623"));
    let position = UtxoPos::new(Blknum::new(1), TxIndex::new(txindex), OutputIndex::new(oindex));
    Transaction::Payment(PaymentTx {
        inputs: [InputPointer::from(position)].into_iter().collect(),
        outputs: [Output::payment(bob, ETH, U256::from(100))].into_iter().collect(),
        metadata: H256::zero(),
    })
}

fn block(transactions: &[Transaction]) -> Block {
    let sign = |tx: &Transaction| tx.encode_signed(&[Signature::from_bytes([1; 65])]).into();
    Block {
        number: Blknum::new(1000),
        hash: H256::zero(),
        transactions: transactions.iter().map(sign).collect(),
    }
}

#[test]
fn documented_roots_are_ours() {
    assert_eq!(
        MerkleBuilder::new().root(),
        h256("f609befdfe9066fe14e743b3623eae878fbc468005608816832c9d460f2a95d2")
    );
    let leaves = [b"abc", b"def", b"ghi"].map(|leaf| leaf_hash(leaf));
    let builder = MerkleBuilder::from_leaves(leaves).unwrap();
    assert_eq!(
        builder.root(),
        h256("2060aa204dd8b8cc723a8abf2ce20e982d0acbd4f95bdbfaca435495b5ad5dc6")
    );
    let proof = InclusionProof::from_leaves(1, &leaves).unwrap().to_bytes();
    assert_eq!(
        proof[..32],
        unhex("c168262281c10d4285a4aecba18107ae7f43f8c07d15d2875d5f2acf1ed3d076")
    );
    assert_eq!(
        proof[32..64],
        unhex("a0a6904d13564e87b62f4a4c0a158fa0620fb335e774b4691fda5de51de082c5")
    );
    let two = block(&[payment(0, 0), payment(1, 1)]);
    assert_eq!(
        two.root().unwrap(),
        h256("bdf545055e2d94d2055962f5c96fde303d7291377a54c49cfe5055b803cda3e9")
    );
}

/// The vector's positions are `(1, i, i)` with i up to 64,000, past what an output index can be: only their sum counts.
#[test]
fn the_documented_block_of_64000_payments_has_its_root() {
    let bob = Address::from_slice(&unhex("cfc24fde5880abd99929c3ef8ab2e31048ad7623"));
    let leaves = (1..=64_000_u64).map(|i| {
        let mut word = [0; 32];
        U256::from(1_000_000_000 + i * 10_000 + i).to_big_endian(&mut word);
        let tx = Transaction::Payment(PaymentTx {
            inputs: [InputPointer::from_bytes(word)].into_iter().collect(),
            outputs: [Output::payment(bob, ETH, U256::from(100))].into_iter().collect(),
            metadata: H256::zero(),
        });
        leaf_hash(&tx.encode_unsigned())
    });
    let builder = MerkleBuilder::from_leaves(leaves).unwrap();
    assert_eq!(
        builder.root(),
        h256("0c28ca0710af778a075f0803945da2a888e2c4ec533edc4b3b340612f9347ce4")
    );
}

#[test]
fn a_full_tree_proves_its_edges_and_takes_no_more() {
    let leaves: Vec<H256> = (0..65_536_u32).map(|i| leaf_hash(&i.to_be_bytes())).collect();
    let mut builder = MerkleBuilder::from_leaves(leaves.iter().copied()).unwrap();
    assert_eq!(builder.root(), plain_root(&leaves));
    assert!(builder.push(H256::zero()).is_err());
    let roots = builder.subtree_roots();
    assert_eq!(roots.len(), 256);
    for index in [0, 1, 255, 256, 257, 32_767, 32_768, 65_280, 65_535_u32] {
        let start = (index as usize / 256) * 256;
        let proof =
            InclusionProof::from_subtree(index, &leaves[start..start + 256], &roots).unwrap();
        assert!(proof.verify(leaves[index as usize], index, builder.root()), "{index}");
        assert!(!proof.verify(leaves[index as usize], index ^ 1, builder.root()), "{index}");
    }
}

#[test]
fn a_proof_is_exactly_512_bytes() {
    assert!(InclusionProof::from_bytes(&[0; 511]).is_none());
    assert!(InclusionProof::from_bytes(&[0; 513]).is_none());
    assert!(InclusionProof::from_bytes(&[]).is_none());
    assert!(InclusionProof::from_bytes(&[0; 544]).is_none());
    assert!(InclusionProof::from_bytes(&[0; 512]).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn growing_leaf_by_leaf_is_the_plain_tree(count in 0usize..700, salt: u64) {
        let leaves: Vec<H256> = (0..count).map(|i| leaf_hash(&salt.wrapping_add(i as u64).to_be_bytes())).collect();
        let builder = MerkleBuilder::from_leaves(leaves.iter().copied()).unwrap();
        prop_assert_eq!(builder.root(), plain_root(&leaves));
        prop_assert_eq!(builder.subtree_roots().len(), count.div_ceil(256));
    }

    #[test]
    fn every_leaf_is_proven_and_nothing_else(count in 1usize..600, at: prop::sample::Index, other: prop::sample::Index, byte in 0usize..512, flip in 1u8..) {
        let leaves: Vec<H256> = (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect();
        let root = MerkleBuilder::from_leaves(leaves.iter().copied()).unwrap().root();
        let index = at.index(count);
        let proof = InclusionProof::from_leaves(index as u32, &leaves).unwrap();
        prop_assert!(proof.verify(leaves[index], index as u32, root));

        let other = other.index(count);
        prop_assert_eq!(proof.verify(leaves[other], index as u32, root), other == index);
        prop_assert_eq!(proof.verify(leaves[index], other as u32, root), other == index);
        prop_assert!(!proof.verify(leaves[index], index as u32 + 65_536, root));
        let mut bytes = proof.to_bytes();
        bytes[byte] ^= flip;
        prop_assert!(!InclusionProof::from_bytes(&bytes).unwrap().verify(leaves[index], index as u32, root));
        prop_assert!(InclusionProof::from_leaves(count as u32, &leaves).is_none());
    }
}
