//! Blocks and what the framework contract says as of each of them.
//!
//! Every block keeps the contract's counters as they are after it, so that removing blocks needs no replay.

use super::sentinel::{Account, MinedCall};
use crate::{ChildBlock, EthBlock, GasFees};
use plasma_core::root_chain::EthEvent;
use plasma_core::wire::keccak::keccak256_concat;
use plasma_core::wire::{Address, Blknum, BlockHash, CHILD_BLOCK_INTERVAL, EthHeight, H256};
use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Chain {
    seed: u64,
    /// Hashes made so far: a block that is mined again is another one.
    hashes: u64,
    genesis: MinedBlock,
    /// Block `n` is at index `n - 1`.
    blocks: Vec<MinedBlock>,
    /// What the contract has, and since when.
    child_blocks: BTreeMap<Blknum, (EthHeight, ChildBlock)>,
}

#[derive(Clone, Debug)]
pub(super) struct MinedBlock {
    pub(super) block: EthBlock,
    /// The contract's counters after it.
    pub(super) after: Counters,
    pub(super) events: Vec<EthEvent>,
    /// What the authority sent, in order.
    pub(super) authority_txs: Vec<AuthorityTx>,
    /// What Sentinels sent, in order.
    pub(super) calls: Vec<(Address, MinedCall)>,
    /// Sentinels' accounts after it.
    pub(super) accounts: BTreeMap<Address, Account>,
    /// Child chain blocks that came into being.
    pub(super) child_blocks: Vec<(Blknum, ChildBlock)>,
}

/// What the framework counts (protocol 2.2), and the authority's nonce.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counters {
    pub(super) next_child_block: Blknum,
    pub(super) next_deposit: u64,
    pub(super) authority_nonce: u64,
}

/// A transaction of the authority.
#[derive(Clone, Copy, Debug)]
pub(super) struct AuthorityTx {
    pub(super) nonce: u64,
    /// The root it submits, unless it does something else.
    pub(super) root: Option<BlockHash>,
    pub(super) fees: GasFees,
    pub(super) txhash: H256,
}

impl Counters {
    pub(super) const fn deposits_left(self) -> u64 {
        CHILD_BLOCK_INTERVAL.saturating_sub(self.next_deposit)
    }

    /// The number the next deposit gets.
    pub(super) const fn deposit_blknum(self) -> Blknum {
        let newest = self.next_child_block.previous_child_block().get();
        Blknum::new(newest.saturating_add(self.next_deposit))
    }
}

impl Chain {
    pub(super) fn new(seed: u64, timestamp_s: u64) -> Self {
        let hash = hash(seed, 0);
        let genesis = MinedBlock {
            block: EthBlock { eth_height: EthHeight::new(0), hash, timestamp_s },
            after: Counters {
                next_child_block: Blknum::new(CHILD_BLOCK_INTERVAL),
                next_deposit: 1,
                authority_nonce: 1,
            },
            events: Vec::new(),
            authority_txs: Vec::new(),
            calls: Vec::new(),
            accounts: BTreeMap::new(),
            child_blocks: Vec::new(),
        };
        Self { seed, hashes: 1, genesis, blocks: Vec::new(), child_blocks: BTreeMap::new() }
    }

    /// A hash nobody has seen, the same on every run.
    pub(super) fn fresh_hash(&mut self) -> H256 {
        let fresh = hash(self.seed, self.hashes);
        self.hashes = self.hashes.saturating_add(1);
        fresh
    }

    /// The newest block of a node that is so many blocks behind.
    pub(super) fn head(&self, eth_blocks_behind: u64) -> &MinedBlock {
        let newest = self.blocks.len();
        let behind = usize::try_from(eth_blocks_behind).unwrap_or(usize::MAX);
        newest
            .saturating_sub(behind)
            .checked_sub(1)
            .and_then(|index| self.blocks.get(index))
            .unwrap_or(&self.genesis)
    }

    pub(super) fn block(&self, height: EthHeight) -> Option<&MinedBlock> {
        match height.get().checked_sub(1) {
            None => Some(&self.genesis),
            Some(index) => self.blocks.get(usize::try_from(index).ok()?),
        }
    }

    /// All blocks from the first to this one.
    pub(super) fn up_to(&self, height: EthHeight) -> impl Iterator<Item = &MinedBlock> {
        let count = usize::try_from(height.get()).unwrap_or(usize::MAX);
        std::iter::once(&self.genesis).chain(self.blocks.iter().take(count))
    }

    /// Root and time of a child chain block, as of this height.
    pub(super) fn child_block(&self, blknum: Blknum, at: EthHeight) -> Option<ChildBlock> {
        self.child_blocks.get(&blknum).filter(|(since, _)| *since <= at).map(|(_, block)| *block)
    }

    pub(super) fn push(&mut self, mined: MinedBlock) {
        let since = mined.block.eth_height;
        let made = mined.child_blocks.iter().map(|(blknum, block)| (*blknum, (since, *block)));
        self.child_blocks.extend(made);
        self.blocks.push(mined);
    }

    pub(super) fn push_empty(&mut self, timestamp_s: u64) {
        let next = self.next(Some(timestamp_s));
        self.push(next);
    }

    /// An empty block on top of the newest, not yet part of the chain.
    pub(super) fn next(&mut self, timestamp_s: Option<u64>) -> MinedBlock {
        let hash = self.fresh_hash();
        let MinedBlock { block: parent, after, accounts, .. } = self.head(0);
        let timestamp_s = timestamp_s
            .unwrap_or(parent.timestamp_s.saturating_add(super::ETH_BLOCK_TIME_S))
            .max(parent.timestamp_s.saturating_add(1));
        MinedBlock {
            block: EthBlock { eth_height: parent.eth_height.plus(1), hash, timestamp_s },
            after: *after,
            events: Vec::new(),
            authority_txs: Vec::new(),
            calls: Vec::new(),
            accounts: accounts.clone(),
            child_blocks: Vec::new(),
        }
    }

    /// Takes the newest blocks off, oldest first. The first block stays.
    pub(super) fn remove(&mut self, depth: u64) -> Vec<MinedBlock> {
        let depth = usize::try_from(depth).unwrap_or(usize::MAX);
        let removed = self.blocks.split_off(self.blocks.len().saturating_sub(depth));
        for (blknum, _) in removed.iter().flat_map(|mined| &mined.child_blocks) {
            self.child_blocks.remove(blknum);
        }
        removed
    }
}

fn hash(seed: u64, number: u64) -> H256 {
    keccak256_concat(&[b"fake root chain", &seed.to_be_bytes(), &number.to_be_bytes()])
}
