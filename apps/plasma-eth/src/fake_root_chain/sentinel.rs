//! Sentinels' accounts on the chain in memory, and what tests order for them.
//!
//! It must never execute a call: what the contracts say, in a simulation as in a block, is what the test has told them to, and every
//! call goes through until then. Records of exits and heads of queues are the test's word, too, and no reorganisation changes them.
//! Nonces, payments and receipts belong to blocks, and go with them.

mod port;

use super::chain::MinedBlock;
use super::faults::SendFaults;
use super::pool::{Pool, Terms, Waiting};
use super::{FakeRootChain, World};
use crate::{GasFees, InFlightExitRecord, StandardExitRecord, SubmitOutcome};
use plasma_core::sentinel::{Call, Checked, FILL_GAS, Receipt, Transaction};
use plasma_core::wire::ids::ExitPriority;
use plasma_core::wire::keccak::keccak256_concat;
use plasma_core::wire::{Address, ExitId, H256, U256};
use std::collections::BTreeMap;

/// Gas of every call, until the test says otherwise.
const CALL_GAS: u64 = 200_000;

/// The port of a Sentinel with this account's key, on a chain in memory; clones share the chain and the account.
///
/// Outages, failures and clusters are those of the [`FakeRootChain`], and so are the rules of the pool, and whether it is held.
#[derive(Clone, Debug)]
pub struct FakeSentinelChain {
    chain: FakeRootChain,
    address: Address,
}

/// A Sentinel's transaction in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinedCall {
    /// What was mined.
    pub transaction: Transaction,
    /// Its hash.
    pub txhash: H256,
    /// What became of it.
    pub receipt: Receipt,
}

/// What a block leaves an account with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Account {
    pub(super) nonce: u64,
    /// For all its transactions so far.
    paid_wei: U256,
}

/// What is the same in every block.
#[derive(Debug)]
pub(super) struct Wallet {
    pool: Pool<SentinelTx>,
    /// Before it has paid for anything.
    funds_wei: U256,
    faults: SendFaults,
}

impl Default for Wallet {
    /// 100 ether.
    fn default() -> Self {
        let faults = SendFaults::default();
        Self { pool: Pool::default(), funds_wei: U256::exp10(20), faults }
    }
}

#[derive(Clone, Debug)]
struct SentinelTx {
    transaction: Transaction,
    txhash: H256,
}

/// What the contracts are told to say.
#[derive(Debug, Default)]
pub(super) struct Script {
    by_name: BTreeMap<&'static str, Checked>,
    by_call: Vec<(Call, Checked)>,
    standard_exits: BTreeMap<ExitId, StandardExitRecord>,
    in_flight_exits: BTreeMap<ExitId, InFlightExitRecord>,
    next_exits: BTreeMap<(u64, Address), ExitPriority>,
}

impl FakeRootChain {
    /// The port of a Sentinel that has this account's key. The account has nonce 0 and 100 ether.
    #[must_use]
    pub fn sentinel(&self, address: Address) -> FakeSentinelChain {
        self.lock().wallets.entry(address).or_default();
        FakeSentinelChain { chain: self.clone(), address }
    }
}

impl FakeSentinelChain {
    /// The chain it is on.
    pub const fn chain(&self) -> &FakeRootChain {
        &self.chain
    }

    // -- what the contracts say, to every account

    /// What the contracts say to every call with this [name](Call::name), unless [`Self::set_check_of`] says more. A call that they
    /// refuse when it is mined is in the block all the same, and fails: that is how somebody else wins a race.
    pub fn set_check(&self, name: &'static str, says: Checked) {
        self.chain.lock().script.by_name.insert(name, says);
    }

    /// What the contracts say to exactly this call.
    pub fn set_check_of(&self, call: Call, says: Checked) {
        let script = &mut self.chain.lock().script;
        script.by_call.retain(|(known, _)| *known != call);
        script.by_call.push((call, says));
    }

    /// The record of a standard exit, from now on.
    pub fn set_standard_exit(&self, exit_id: ExitId, record: Option<StandardExitRecord>) {
        put(&mut self.chain.lock().script.standard_exits, exit_id, record);
    }

    /// The record of an in-flight exit, from now on.
    pub fn set_in_flight_exit(&self, exit_id: ExitId, record: Option<InFlightExitRecord>) {
        put(&mut self.chain.lock().script.in_flight_exits, exit_id, record);
    }

    /// What leads the queue of this vault and token, from now on.
    pub fn set_next_exit(&self, queue: (u64, Address), next: Option<ExitPriority>) {
        put(&mut self.chain.lock().script.next_exits, queue, next);
    }

    // -- the account

    /// What the account can pay with from here on.
    pub fn set_balance(&self, balance_wei: U256) {
        let world = &mut *self.chain.lock();
        let paid_wei = world.chain.head(0).account(self.address).paid_wei;
        world.wallet(self.address).funds_wei = balance_wei.saturating_add(paid_wei);
    }

    /// The key is used for something else, in a block of its own: what waits with that nonce will never be mined.
    pub fn spend_nonce(&self) {
        self.chain.mine_block(|block| block.spend_nonce_of(self.address));
    }

    /// What waits in the pool, by nonce.
    pub fn pooled(&self) -> Vec<Transaction> {
        let world = self.chain.lock();
        let pool = world.wallets.get(&self.address).map(|wallet| wallet.pool.list());
        pool.into_iter().flatten().map(|tx| tx.transaction.clone()).collect()
    }

    /// Empties the pool of this account's transactions.
    pub fn drop_pool(&self) {
        self.chain.lock().wallet(self.address).pool.clear();
    }

    /// What was mined, in order, on the present chain.
    pub fn mined(&self) -> Vec<MinedCall> {
        let world = self.chain.lock();
        let newest = world.chain.head(0).block.eth_height;
        world.chain.up_to(newest).flat_map(|block| block.calls_of(self.address)).cloned().collect()
    }

    /// The next transaction is answered so and does not come to the pool, one call of this for each.
    pub fn answer_next(&self, outcome: SubmitOutcome) {
        self.chain.lock().wallet(self.address).faults.outcomes.push_back(outcome);
    }

    /// The next transactions come to the pool, and the answers end in a timeout.
    pub fn lose_next_answers(&self, transactions: u64) {
        self.chain.lock().wallet(self.address).faults.answers_to_lose = transactions;
    }
}

fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

impl Waiting for SentinelTx {
    fn nonce(&self) -> u64 {
        self.transaction.nonce
    }

    fn fees(&self) -> GasFees {
        self.transaction.fees
    }

    fn gas_limit(&self) -> u64 {
        self.transaction.gas_limit
    }

    fn txhash(&self) -> H256 {
        self.txhash
    }
}

impl Script {
    fn check(&self, call: &Call) -> Checked {
        let of_call = self.by_call.iter().find(|(known, _)| known == call).map(|(_, says)| says);
        let says = of_call.or_else(|| self.by_name.get(call.name()));
        says.cloned().unwrap_or(Checked::Passes { gas: CALL_GAS })
    }

    /// Gas that a transaction uses, and whether it goes through.
    fn execute(&self, transaction: &Transaction) -> (u64, bool) {
        let gas = match transaction.call.as_ref().map(|call| self.check(call)) {
            None => FILL_GAS,
            Some(Checked::Passes { gas }) => gas,
            Some(Checked::Reverts { .. }) => return (transaction.gas_limit.min(CALL_GAS), false),
        };
        (gas.min(transaction.gas_limit), gas <= transaction.gas_limit)
    }
}

impl MinedBlock {
    /// An account as of this block.
    pub(super) fn account(&self, address: Address) -> Account {
        self.accounts.get(&address).copied().unwrap_or_default()
    }

    pub(super) fn spend_nonce(&mut self, address: Address, cost_wei: U256) {
        let account = self.accounts.entry(address).or_default();
        account.nonce = account.nonce.saturating_add(1);
        account.paid_wei = account.paid_wei.saturating_add(cost_wei);
    }

    fn calls_of(&self, address: Address) -> impl Iterator<Item = &MinedCall> {
        self.calls.iter().filter(move |(sender, _)| *sender == address).map(|(_, mined)| mined)
    }
}

impl World {
    fn wallet(&mut self, address: Address) -> &mut Wallet {
        self.wallets.entry(address).or_default()
    }

    /// Executes what Sentinels' transactions are next in line and can pay.
    pub(super) fn mine_calls(&mut self, mined: &mut MinedBlock) {
        let base_fee = self.base_fee_per_gas_wei;
        for (address, wallet) in &mut self.wallets {
            while let Some(tx) = wallet.pool.take(mined.account(*address).nonce, base_fee) {
                let fees = tx.transaction.fees;
                let (gas_used, succeeded) = self.script.execute(&tx.transaction);
                let offered = base_fee.saturating_add(fees.max_priority_fee_per_gas_wei);
                let receipt = Receipt {
                    eth_height: mined.block.eth_height,
                    gas_used,
                    gas_price_wei: offered.min(fees.max_fee_per_gas_wei),
                    succeeded,
                };
                mined.spend_nonce(*address, receipt.cost_wei());
                let SentinelTx { transaction, txhash } = tx;
                mined.calls.push((*address, MinedCall { transaction, txhash, receipt }));
            }
        }
    }

    /// The pools forget what can never be mined any more.
    pub(super) fn forget_mined_calls(&mut self, mined: &MinedBlock) {
        for (address, wallet) in &mut self.wallets {
            wallet.pool.forget_mined(mined.account(*address).nonce);
        }
    }

    /// What was mined waits again.
    pub(super) fn put_calls_back(&mut self, calls: Vec<(Address, MinedCall)>) {
        for (address, MinedCall { transaction, txhash, .. }) in calls {
            let tx = SentinelTx { transaction, txhash };
            self.wallet(address).pool.put_back(std::iter::once(tx));
        }
    }

    fn send(&mut self, address: Address, tx: SentinelTx) -> SubmitOutcome {
        if let Some(outcome) = self.wallet(address).faults.outcomes.pop_front() {
            return outcome;
        }
        let account = self.chain.head(0).account(address);
        let (rules, base_fee_per_gas_wei) = (self.pool_rules, self.base_fee_per_gas_wei);
        let wallet = self.wallet(address);
        let balance_wei = wallet.funds_wei.saturating_sub(account.paid_wei);
        let terms = Terms { rules, nonce: account.nonce, base_fee_per_gas_wei, balance_wei };
        let outcome = wallet.pool.add(tx, terms);
        self.automine_after(&outcome);
        outcome
    }
}

/// The same transaction always has the same hash, as signing does.
fn hash(address: Address, transaction: &Transaction) -> H256 {
    let Transaction { nonce, call, gas_limit, fees } = transaction;
    keccak256_concat(&[
        b"fake call",
        address.as_bytes(),
        &nonce.to_be_bytes(),
        &gas_limit.to_be_bytes(),
        &fees.max_fee_per_gas_wei.to_be_bytes(),
        &fees.max_priority_fee_per_gas_wei.to_be_bytes(),
        &call.as_ref().map(Call::to_bytes).unwrap_or_default(),
    ])
}

#[cfg(test)]
mod tests;
