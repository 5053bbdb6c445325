//! [`RootChain`] in memory: a chain whose clock, pool, faults and reorganisations belong to the test.
//!
//! It must never read a clock, draw lots, or do anything that no real chain does: `tests/it/conformance.rs` puts the same questions
//! to it and to a real node. The same calls on the same seed always make the same hashes.
//!
//! ```text
//! test ─► mine · mine_block · deposit · reorg · rollback        ┐
//!         hold_pool · answer_next · set_*                       ├─► one chain behind a lock ◄─ RootChain (nodes under test)
//!         fail_next · lose_next_answers · go_away · set_cluster ┘
//! ```
//! Sentinels have accounts of their own on it: [`FakeRootChain::sentinel`].
//!
//! What it leaves out: the authority never pays for anything, the base fee moves only when told to, exits are reported without being
//! judged, and users' transactions never wait in the pool: each is mined with the block that holds it.

mod block;
mod chain;
mod faults;
mod pool;
mod port;
mod sentinel;
#[cfg(test)]
mod tests;

pub use block::FakeBlock;
pub use pool::{PoolRules, Pooled};
pub use sentinel::{FakeSentinelChain, MinedCall};

use crate::{ContractAddresses, ContractFacts, ErrorKind, EthBlock, SubmitOutcome};
use chain::{AuthorityTx, Chain};
use faults::Faults;
use plasma_core::root_chain::{PiggybackSlot, RootChainEvent};
use plasma_core::wire::{
    Address, Blknum, BlockHash, CHILD_BLOCK_INTERVAL, Currency, ExitId, H256, SignedTx, U256,
    UtxoPos,
};
use pool::Pool;
use sentinel::{Script, Wallet};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Time of the first block: a round number in 2023.
const GENESIS_TIMESTAMP_S: u64 = 1_700_000_000;
/// Time between two blocks, as on the real chain.
const ETH_BLOCK_TIME_S: u64 = 12;
/// What everything costs until the test says otherwise: 1 gwei.
const FEE_DEFAULT_WEI: u128 = 1_000_000_000;

/// A handle to a chain in memory; clones share the chain.
#[derive(Clone, Debug)]
pub struct FakeRootChain {
    world: Arc<Mutex<World>>,
    /// Whose key this handle submits with.
    key_of: Option<Address>,
}

/// What becomes of the authority's and Sentinels' transactions in blocks that a reorganisation removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orphaned {
    /// They wait in the pool again.
    BackToPool,
    /// Every node has forgotten them.
    Dropped,
}

#[derive(Debug)]
struct World {
    chain: Chain,
    pool: Pool<AuthorityTx>,
    pool_rules: PoolRules,
    /// By account.
    wallets: BTreeMap<Address, Wallet>,
    script: Script,
    faults: Faults,
    facts: ContractFacts,
    base_fee_per_gas_wei: u128,
    priority_fee_per_gas_wei: u128,
    authority_balance_wei: U256,
    /// Mined blocks leave the pool alone.
    pool_held: bool,
    /// Whatever comes into the pool is mined at once.
    automine: bool,
    syncing: bool,
}

impl FakeRootChain {
    /// A chain of one block, in which the framework was deployed and activated (which took the authority's nonce 0).
    pub fn new(seed: u64) -> Self {
        let authority = account(0xa0);
        let facts = ContractFacts {
            chain_id: 1337,
            addresses: ContractAddresses {
                plasma_framework: account(0xf0),
                eth_vault: account(0xf1),
                erc20_vault: account(0xf2),
                payment_exit_game: account(0xf3),
            },
            authority,
            activated: true,
            child_block_interval: CHILD_BLOCK_INTERVAL,
            min_exit_period_s: 7 * 24 * 60 * 60,
            contract_semver: "1.0.5+penning.fake".to_owned(),
        };
        Self::with_facts(seed, facts)
    }

    /// The same with other contracts. The interval between child blocks is what the facts *say*; it always is
    /// [`CHILD_BLOCK_INTERVAL`].
    pub fn with_facts(seed: u64, facts: ContractFacts) -> Self {
        let world = World {
            chain: Chain::new(seed, GENESIS_TIMESTAMP_S),
            pool: Pool::default(),
            pool_rules: PoolRules::default(),
            wallets: BTreeMap::new(),
            script: Script::default(),
            faults: Faults::default(),
            base_fee_per_gas_wei: FEE_DEFAULT_WEI,
            priority_fee_per_gas_wei: FEE_DEFAULT_WEI,
            authority_balance_wei: U256::exp10(20),
            pool_held: false,
            automine: false,
            syncing: false,
            facts,
        };
        let key_of = Some(world.facts.authority);
        Self { world: Arc::new(Mutex::new(world)), key_of }
    }

    /// Another handle to this chain, which holds the key of this account, or none, as a watcher.
    #[must_use]
    pub fn with_key_of(&self, account: Option<Address>) -> Self {
        Self { world: Arc::clone(&self.world), key_of: account }
    }

    // -- time and blocks

    /// Mines blocks, 12 seconds apart; the first takes whatever in the pool can pay for it.
    pub fn mine(&self, eth_blocks: u64) {
        let mut world = self.lock();
        for _ in 0..eth_blocks {
            world.mine(None);
        }
    }

    /// Mines one block at this time, or a second after the newest block when that is later: time never stands still.
    pub fn mine_at(&self, timestamp_s: u64) {
        self.lock().mine(Some(timestamp_s));
    }

    /// Mines one block with exactly what `fill` puts into it, in that order. `fill` must not use any handle to this chain.
    pub fn mine_block<T>(&self, fill: impl FnOnce(&mut FakeBlock<'_>) -> T) -> T {
        let mut world = self.lock();
        let mut block = FakeBlock::new(&mut world, None);
        let told = fill(&mut block);
        block.close();
        told
    }

    /// The newest block.
    pub fn newest_block(&self) -> EthBlock {
        self.lock().chain.head(0).block
    }

    // -- what users and the operator do, each in a root chain block of its own

    /// A deposit; see [`FakeBlock::deposit`].
    ///
    /// # Panics
    /// When the contracts refuse it.
    pub fn deposit(&self, owner: Address, currency: Currency, amount: U256) -> Blknum {
        self.mine_block(|block| block.deposit(owner, currency, amount))
    }

    /// Deposits the contract takes before it has the operator's next block.
    pub fn deposits_left(&self) -> u64 {
        self.lock().chain.head(0).after.deposits_left()
    }

    /// A standard exit; see [`FakeBlock::exit_started`].
    ///
    /// # Panics
    /// When the output index has no room in an exit id.
    pub fn exit_started(&self, owner: Address, position: UtxoPos, output_tx: &[u8]) -> ExitId {
        self.mine_block(|block| block.exit_started(owner, position, output_tx))
    }

    /// A standard exit was challenged.
    pub fn exit_challenged(&self, position: UtxoPos) {
        self.mine_block(|block| block.exit_challenged(position));
    }

    /// A standard exit was paid.
    pub fn exit_finalized(&self, exit_id: ExitId) {
        self.mine_block(|block| block.exit_finalized(exit_id));
    }

    /// One block in which an exit leaves the queue unpaid.
    pub fn exit_omitted(&self, exit_id: ExitId) {
        self.mine_block(|block| block.exit_omitted(exit_id));
    }

    /// An in-flight exit; see [`FakeBlock::in_flight_exit_started`].
    pub fn in_flight_exit_started(
        &self,
        initiator: Address,
        tx: &SignedTx,
        input_txs: &[Vec<u8>],
    ) -> ExitId {
        self.mine_block(|block| block.in_flight_exit_started(initiator, tx, input_txs))
    }

    /// A piggyback of an in-flight exit; see [`FakeBlock::in_flight_piggybacked`].
    pub fn in_flight_piggybacked(
        &self,
        tx: &SignedTx,
        slot: PiggybackSlot,
        exit_target: Address,
    ) -> ExitId {
        self.mine_block(|block| block.in_flight_piggybacked(tx, slot, exit_target))
    }

    /// Any other event; see [`FakeBlock::event`].
    pub fn event(&self, event: RootChainEvent) -> H256 {
        self.mine_block(|block| block.event(event))
    }

    /// The operator submits any root, past its node's queue; see [`FakeBlock::raw_root`].
    pub fn push_raw_root(&self, root: BlockHash) -> Blknum {
        self.mine_block(|block| block.raw_root(root))
    }

    /// The authority sends something else, which it never should: see [`FakeBlock::spend_authority_nonce`].
    pub fn spend_authority_nonce(&self) {
        self.mine_block(|block| block.spend_authority_nonce());
    }

    // -- the pool

    /// Whether blocks mined from now on leave the pool alone.
    pub fn hold_pool(&self, held: bool) {
        self.lock().pool_held = held;
    }

    /// Whether a submission is mined at once, in a block of its own, unless the pool is held.
    pub fn set_automine(&self, automine: bool) {
        self.lock().automine = automine;
    }

    /// What waits in the pool, by nonce, of the authority.
    pub fn pooled(&self) -> Vec<Pooled> {
        self.lock().pool.list().map(AuthorityTx::pooled).collect()
    }

    /// Empties the pool of the authority's transactions, as nodes do that restart or are short of memory.
    pub fn drop_pool(&self) {
        self.lock().pool.clear();
    }

    /// What the pool takes.
    pub fn set_pool_rules(&self, rules: PoolRules) {
        self.lock().pool_rules = rules;
    }

    /// What every transaction of the blocks mined from now on pays, in wei per gas.
    pub fn set_base_fee(&self, base_fee_per_gas_wei: u128) {
        self.lock().base_fee_per_gas_wei = base_fee_per_gas_wei;
    }

    /// What the quote says is usually paid on top, in wei per gas.
    pub fn set_priority_fee(&self, priority_fee_per_gas_wei: u128) {
        self.lock().priority_fee_per_gas_wei = priority_fee_per_gas_wei;
    }

    /// What the authority can pay with.
    pub fn set_authority_balance(&self, balance_wei: U256) {
        self.lock().authority_balance_wei = balance_wei;
    }

    // -- history

    /// Replaces the newest `depth` blocks, at most all but the first, by as many empty ones of the same times with other hashes.
    /// Deposits and exits in them never happened; `orphaned` says where the authority's and Sentinels' transactions go.
    pub fn reorg(&self, depth: u64, orphaned: Orphaned) {
        let mut world = self.lock();
        for timestamp_s in world.roll_back(depth, orphaned) {
            world.chain.push_empty(timestamp_s);
        }
    }

    /// Removes the newest `depth` blocks, at most all but the first: the chain is shorter then.
    pub fn rollback(&self, depth: u64, orphaned: Orphaned) {
        self.lock().roll_back(depth, orphaned);
    }

    // -- faults

    /// The next calls fail without having done anything.
    pub fn fail_next(&self, calls: u64, kind: ErrorKind) {
        self.lock().faults.fail_next(calls, kind);
    }

    /// The next submissions are made, and end in a timeout: the caller cannot know.
    pub fn lose_next_answers(&self, submissions: u64) {
        self.lock().faults.submissions.answers_to_lose = submissions;
    }

    /// The next submission is answered so and not made, one call of this for each.
    pub fn answer_next(&self, outcome: SubmitOutcome) {
        self.lock().faults.submissions.outcomes.push_back(outcome);
    }

    /// The node cannot be reached until it comes back.
    pub fn go_away(&self) {
        self.lock().faults.away = true;
    }

    /// The node can be reached again.
    pub fn come_back(&self) {
        self.lock().faults.away = false;
    }

    /// Whether every event is reported twice, as the port allows.
    pub fn duplicate_events(&self, twice: bool) {
        self.lock().faults.events_twice = twice;
    }

    /// Calls go round these nodes of a cluster, each so many blocks behind. No node in the list means one without delay.
    pub fn set_cluster(&self, eth_blocks_behind: &[u64]) {
        self.lock().faults.set_cluster(eth_blocks_behind);
    }

    /// Whether the node says that it is still catching up.
    pub fn set_syncing(&self, syncing: bool) {
        self.lock().syncing = syncing;
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        // Whatever panicked was the test's; a block is added whole or not at all.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    /// Mines a block with what the pool offers.
    fn mine(&mut self, timestamp_s: Option<u64>) {
        let held = self.pool_held;
        let mut block = FakeBlock::new(self, timestamp_s);
        if !held {
            block.submissions();
        }
        block.close();
    }

    /// The times of the blocks that are gone, oldest first.
    fn roll_back(&mut self, depth: u64, orphaned: Orphaned) -> Vec<u64> {
        let removed = self.chain.remove(depth);
        let times = removed.iter().map(|mined| mined.block.timestamp_s).collect();
        if orphaned == Orphaned::BackToPool {
            for mined in removed {
                self.pool.put_back(mined.authority_txs.into_iter());
                self.put_calls_back(mined.calls);
            }
        }
        times
    }
}

/// An address whose last byte is this.
const fn account(last: u8) -> Address {
    let mut bytes = [0; 20];
    bytes[19] = last;
    Address(bytes)
}
