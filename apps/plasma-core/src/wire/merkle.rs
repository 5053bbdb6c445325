//! The Merkle tree of a block: depth 16, salted, padded with a fixed leaf (protocol 2.4).
//!
//! ```text
//! leaf = K(0x00 ‖ unsigned transaction)    node = K(0x01 ‖ left ‖ right)    missing leaf = K(0x00 ‖ 0^32)
//! ```
//! [`MerkleBuilder`] grows with the block: appending hashes at most 16 nodes and one on average, and the root is 16 hashes
//! away at any time. It also keeps the roots of all finished subtrees of [`SUBTREE_LEAVES`] leaves; with these and the leaves
//! of one subtree a proof costs hundreds of hashes instead of a whole block's.

use super::keccak::{keccak256, keccak256_concat};
use super::primitives::{BlockHash, H256};
use arrayvec::ArrayVec;
use thiserror::Error;

/// Height of the tree: 2¹⁶ leaves.
pub const DEPTH: usize = 16;
/// Height of the subtrees whose roots are kept with a block.
pub const SUBTREE_DEPTH: usize = 8;
/// Leaves of such a subtree.
pub const SUBTREE_LEAVES: u32 = 1 << SUBTREE_DEPTH;
/// Bytes of an inclusion proof: one sibling per level.
pub const PROOF_LEN: usize = DEPTH * 32;
/// What is hashed in front of a leaf, so that no inner node can pose as one.
pub const LEAF_SALT: u8 = 0;
const NODE_SALT: u8 = 1;

const _: () = assert!(1 << DEPTH == super::MAX_BLOCK_TRANSACTIONS as usize);

/// The hash of one leaf.
pub fn leaf_hash(unsigned_bytes: &[u8]) -> H256 {
    keccak256_concat(&[&[LEAF_SALT], unsigned_bytes])
}

fn node_hash(left: H256, right: H256) -> H256 {
    let mut bytes = [NODE_SALT; 65];
    if let Some((left_half, right_half)) =
        bytes.split_first_mut().and_then(|(_, rest)| rest.split_first_chunk_mut::<32>())
    {
        *left_half = left.0;
        right_half.copy_from_slice(&right.0);
    }
    keccak256(&bytes)
}

/// Roots of all-missing subtrees by height: entry 0 is the missing leaf, entry 16 the root of an empty block.
pub fn empty_roots() -> &'static [H256; DEPTH + 1] {
    static ROOTS: std::sync::LazyLock<[H256; DEPTH + 1]> = std::sync::LazyLock::new(|| {
        let mut roots = [leaf_hash(&[0; 32]); DEPTH + 1];
        let mut node = leaf_hash(&[0; 32]);
        for root in roots.iter_mut().skip(1) {
            node = node_hash(node, node);
            *root = node;
        }
        roots
    });
    &ROOTS
}

fn empty_root(height: usize) -> H256 {
    empty_roots().get(height).copied().unwrap_or_default()
}

/// A block has no room for another leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a block holds at most 65536 transactions")]
pub struct MerkleFull;

/// A tree that grows leaf by leaf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MerkleBuilder {
    len: u32,
    /// Root of the finished left sibling per height; meaningful where the matching bit of `len` is set.
    finished: [H256; DEPTH + 1],
    subtree_roots: Vec<H256>,
}

impl MerkleBuilder {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// A tree over leaves that are already known.
    ///
    /// # Errors
    /// [`MerkleFull`] past 65,536 leaves.
    pub fn from_leaves(leaves: impl IntoIterator<Item = H256>) -> Result<Self, MerkleFull> {
        let mut builder = Self::new();
        for leaf in leaves {
            builder.push(leaf)?;
        }
        Ok(builder)
    }

    /// Leaves so far.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a leaf: one node hash on average, 16 at most.
    ///
    /// # Errors
    /// [`MerkleFull`] when the tree holds 65,536 leaves.
    pub fn push(&mut self, leaf: H256) -> Result<(), MerkleFull> {
        if self.len >= super::MAX_BLOCK_TRANSACTIONS {
            return Err(MerkleFull);
        }
        let mut node = leaf;
        let mut height = 0_usize;
        let mut index = self.len;
        // A set bit means that a left sibling of this height waits: join it and carry on one level up.
        while index & 1 == 1 {
            node = node_hash(self.finished.get(height).copied().unwrap_or_default(), node);
            height = height.saturating_add(1);
            index >>= 1;
            if height == SUBTREE_DEPTH {
                self.subtree_roots.push(node);
            }
        }
        if let Some(slot) = self.finished.get_mut(height) {
            *slot = node;
        }
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    /// The root over the leaves so far, missing ones filled in.
    pub fn root(&self) -> BlockHash {
        self.root_of_tail(DEPTH, self.len)
    }

    /// Roots of the subtrees that hold leaves, the last one filled with missing leaves: at most 256.
    pub fn subtree_roots(&self) -> Vec<H256> {
        let mut roots = self.subtree_roots.clone();
        let tail = self.len & SUBTREE_LEAVES.saturating_sub(1);
        if tail != 0 {
            roots.push(self.root_of_tail(SUBTREE_DEPTH, tail));
        }
        roots
    }

    /// The root of the last, possibly unfinished, subtree of this height, which holds `leaves` leaves.
    fn root_of_tail(&self, height: usize, leaves: u32) -> H256 {
        if leaves >> height != 0 {
            return self.finished.get(height).copied().unwrap_or_default();
        }
        let mut node = empty_root(0);
        for (level, finished) in self.finished.iter().enumerate().take(height) {
            node = if (leaves >> level) & 1 == 1 {
                node_hash(*finished, node)
            } else {
                node_hash(node, empty_root(level))
            };
        }
        node
    }
}

/// The 16 siblings from a leaf up to the root, bottom first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof(Box<[H256; DEPTH]>);

impl InclusionProof {
    /// Proves a leaf by the leaves of its subtree and the roots of all subtrees (at most 256 of each).
    /// `None` when `index` is not among them.
    pub fn from_subtree(
        index: u32,
        subtree_leaves: &[H256],
        subtree_roots: &[H256],
    ) -> Option<Self> {
        let in_subtree = usize::try_from(index & SUBTREE_LEAVES.saturating_sub(1)).ok()?;
        let of_subtree = usize::try_from(index >> SUBTREE_DEPTH).ok()?;
        subtree_leaves.get(in_subtree)?;
        subtree_roots.get(of_subtree)?;
        let mut siblings = ArrayVec::new();
        siblings.extend(path(in_subtree, subtree_leaves, 0));
        siblings.extend(path(of_subtree, subtree_roots, SUBTREE_DEPTH));
        siblings.into_inner().ok().map(|array| Self(Box::new(array)))
    }

    /// Proves a leaf by all leaves of its block. `None` when there is no such leaf.
    pub fn from_leaves(index: u32, leaves: &[H256]) -> Option<Self> {
        let builder = MerkleBuilder::from_leaves(leaves.iter().copied()).ok()?;
        let subtree = index >> SUBTREE_DEPTH;
        let start = usize::try_from(subtree.checked_mul(SUBTREE_LEAVES)?).ok()?;
        let subtree_leaves: Vec<H256> = leaves
            .iter()
            .skip(start)
            .take(usize::try_from(SUBTREE_LEAVES).ok()?)
            .copied()
            .collect();
        Self::from_subtree(index, &subtree_leaves, &builder.subtree_roots())
    }

    /// Reads the wire form: exactly [`PROOF_LEN`] bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, []) = bytes.as_chunks::<32>() else {
            return None;
        };
        let words: &[[u8; 32]; DEPTH] = words.try_into().ok()?;
        Some(Self(Box::new(words.map(primitive_types::H256))))
    }

    /// The wire form: 512 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|sibling| sibling.0).collect()
    }

    /// Whether `leaf` stands at `index` under `root`.
    pub fn verify(&self, leaf: H256, index: u32, root: BlockHash) -> bool {
        self.root(leaf, index) == root && index >> DEPTH == 0
    }

    /// The root that it leads to from `leaf` at `index`.
    pub fn root(&self, leaf: H256, index: u32) -> BlockHash {
        let mut node = leaf;
        for (height, sibling) in self.0.iter().enumerate() {
            node = if (index >> height) & 1 == 1 {
                node_hash(*sibling, node)
            } else {
                node_hash(node, *sibling)
            };
        }
        node
    }
}

/// The siblings of node `index` on its way up through a level of nodes to the root of 256 of them.
fn path(mut index: usize, nodes: &[H256], height: usize) -> ArrayVec<H256, SUBTREE_DEPTH> {
    let mut level = nodes.to_vec();
    let mut siblings = ArrayVec::new();
    for height in height..height.saturating_add(SUBTREE_DEPTH) {
        let missing = empty_root(height);
        siblings.push(level.get(index ^ 1).copied().unwrap_or(missing));
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node_hash(*left, *right),
                [left] => node_hash(*left, missing),
                _ => missing,
            })
            .collect();
        index >>= 1;
    }
    siblings
}
