//! The newest blocks, ready to be served, within a number and a number of bytes (architecture section 3).
//!
//! It must never hold more than it was told to. Old blocks make way for new ones; a block larger than everything is not kept.

use crate::wire::{Blknum, BlockHash};
use std::collections::BTreeMap;

/// Blocks by hash, in whatever form `T` they are served.
///
/// # After a restart
/// It is empty, and fills as blocks are asked for.
#[derive(Clone, Debug)]
pub struct FreshBlocks<T> {
    blocks_max: usize,
    bytes_max: usize,
    bytes: usize,
    by_number: BTreeMap<Blknum, BlockHash>,
    by_hash: BTreeMap<BlockHash, (T, usize)>,
}

impl<T> FreshBlocks<T> {
    /// Nothing yet, and never more than this.
    pub const fn new(blocks_max: usize, bytes_max: usize) -> Self {
        Self {
            blocks_max,
            bytes_max,
            bytes: 0,
            by_number: BTreeMap::new(),
            by_hash: BTreeMap::new(),
        }
    }

    /// Keeps a block that takes so many bytes, and drops the oldest ones that no longer fit. An old block does not push out
    /// newer ones: then it is the one that is dropped.
    pub fn push(&mut self, number: Blknum, hash: BlockHash, block: T, bytes: usize) {
        if let Some(replaced) = self.by_number.insert(number, hash) {
            self.forget(&replaced);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.by_hash.insert(hash, (block, bytes));
        while self.by_hash.len() > self.blocks_max || self.bytes > self.bytes_max {
            let Some((_, oldest)) = self.by_number.pop_first() else {
                break;
            };
            self.forget(&oldest);
        }
    }

    /// The block with this hash, if it is fresh.
    pub fn get(&self, hash: &BlockHash) -> Option<&T> {
        self.by_hash.get(hash).map(|(block, _)| block)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// Bytes of all of them.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    fn forget(&mut self, hash: &BlockHash) {
        if let Some((_, bytes)) = self.by_hash.remove(hash) {
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hash(number: u64) -> BlockHash {
        BlockHash::from_low_u64_be(number)
    }

    #[test]
    fn the_oldest_make_way() {
        let mut fresh = FreshBlocks::new(2, 100);
        for number in [3, 1, 2] {
            fresh.push(Blknum::new(number), hash(number), number, 10);
        }
        assert_eq!((fresh.get(&hash(1)), fresh.get(&hash(2))), (None, Some(&2)));
        assert_eq!((fresh.get(&hash(3)), fresh.bytes()), (Some(&3), 20));
        fresh.push(Blknum::new(4), hash(4), 4, 101);
        assert!(fresh.is_empty(), "nothing fits beside or instead of it");
    }

    proptest! {
        #[test]
        fn it_holds_the_newest_and_no_more_than_it_was_told(
            pushes in prop::collection::vec((0..20_u64, 0..50_usize), 0..60),
            blocks_max in 0..6_usize,
            bytes_max in 0..120_usize,
        ) {
            let mut fresh = FreshBlocks::new(blocks_max, bytes_max);
            for (number, bytes) in pushes {
                fresh.push(Blknum::new(number), hash(number), number, bytes);
                prop_assert!(fresh.len() <= blocks_max && fresh.bytes() <= bytes_max);
                let held = (0..20).filter(|number| fresh.get(&hash(*number)).is_some());
                prop_assert_eq!(held.count(), fresh.len());
            }
        }
    }
}
