//! A root chain with one account and a contract that lets each exit be deleted once, an exit processor that lags behind, a store, and
//! the shell between them.

use crate::root_chain::{FeeQuote, SubmitOutcome};
use crate::sentinel::*;
use crate::wire::{Address, EthHeight, ExitId, H256, U256, keccak256};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const BLOCK_TIME_S: u64 = 12;
/// What a call needs, and what it costs when it fails.
pub(super) const CALL_GAS: u64 = 100_000;
const REVERT_GAS: u64 = 50_000;
pub(super) const TIP: u128 = 2;
/// Blocks by which the exit processor stays behind.
const LAG: usize = 2;

pub(super) const CONFIG: SentinelConfig = SentinelConfig {
    dry_run: false,
    process_exits: false,
    duty_budget_wei: 1_000_000_000_000,
    day_budget_wei: 1_000_000_000_000_000,
    fill_budget_wei: 1_000_000_000_000,
    worth_share_percent: 50,
    fee_per_gas_wei_max: 1_000_000,
    in_flight_max: 3,
    bump_after_eth_blocks: 3,
    offers_max: 24,
    reverts_max: 4,
    finality_margin_eth_blocks: 8,
    history_len_max: 100,
};

pub(super) fn account() -> Address {
    Address::repeat_byte(7)
}

/// The n-th duty: due 300 blocks after the start of the chain.
pub(super) fn duty(n: u8) -> Duty {
    let exit_id = ExitId::from_bytes([n; 20]);
    Duty {
        id: DutyId { exit_id, cause: H256([n; 32]), task: Task::RespondToChallenge },
        call: Call::DeleteNonPiggybackedInFlightExit { exit_id },
        opens_s: 0,
        due_s: 300 * BLOCK_TIME_S + u64::from(n),
        closes_s: None,
        reward_wei: U256::zero(),
        at_stake_wei: None,
    }
}

pub(super) fn exit_of(call: &Call) -> ExitId {
    match call {
        Call::DeleteNonPiggybackedInFlightExit { exit_id } => *exit_id,
        call => panic!("nobody asked for {call:?}"),
    }
}

/// Everything that a reorganisation undoes.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    pub(super) nonce: u64,
    pub(super) time_s: u64,
    pub(super) started: BTreeSet<ExitId>,
    /// Whether we did it.
    pub(super) done: BTreeMap<ExitId, bool>,
    pub(super) receipts: BTreeMap<H256, Receipt>,
    /// Our calls that were mined: exit, receipt.
    pub(super) calls: Vec<(ExitId, Receipt)>,
    pub(super) fills: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pooled {
    pub(super) transaction: Option<Transaction>,
    pub(super) fee: u128,
    txhash: H256,
}

/// What is lost when the shell executes a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fault {
    #[default]
    None,
    /// The process ends before the commit.
    CrashBeforeCommit,
    /// The process ends after the commit and so many actions.
    CrashAfter(usize),
    /// The process ends after so many actions, the last of which it does not hear about.
    CrashUnheard(usize),
    /// The node takes nothing and says nothing.
    Away,
    /// The node takes everything and says nothing.
    Silent,
    /// The node takes everything, and not even the hash is told.
    Deaf,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) config: SentinelConfig,
    pub(super) sentinel: Sentinel,
    store: RecoveredSentinel,
    pub(super) blocks: Vec<Block>,
    pub(super) pool: BTreeMap<u64, Pooled>,
    pub(super) duties: BTreeMap<ExitId, Duty>,
    pub(super) quote: FeeQuote,
    pub(super) balance_wei: U256,
    /// What the node answers instead of the truth.
    pub(super) refusal: Option<SubmitOutcome>,
    /// Exits whose calls fail although the simulation went well.
    pub(super) traps: BTreeSet<ExitId>,
    /// Exits whose calls were simulated, and at which height.
    pub(super) checked: Vec<(ExitId, u64)>,
    /// Every transaction that was handed out.
    pub(super) sent: Vec<Transaction>,
    pub(super) notices: Vec<Notice>,
    pub(super) halt: Option<SentinelHalt>,
}

impl World {
    pub(super) fn new(config: SentinelConfig) -> Self {
        let blocks = vec![Block { nonce: 5, ..Block::default() }; LAG + 1];
        Self {
            config,
            sentinel: Sentinel::restore(config, account(), RecoveredSentinel::default()),
            store: RecoveredSentinel::default(),
            blocks,
            pool: BTreeMap::new(),
            duties: BTreeMap::new(),
            quote: FeeQuote { base_fee_per_gas_wei: 100, priority_fee_per_gas_wei: TIP },
            balance_wei: U256::from(1_000_000_000_000_000_u64),
            refusal: None,
            traps: BTreeSet::new(),
            checked: Vec::new(),
            sent: Vec::new(),
            notices: Vec::new(),
            halt: None,
        }
    }

    pub(super) fn tip(&self) -> &Block {
        self.blocks.last().unwrap()
    }

    fn tip_mut(&mut self) -> &mut Block {
        self.blocks.last_mut().unwrap()
    }

    pub(super) fn start(&mut self, duty: Duty) {
        self.tip_mut().started.insert(duty.id.exit_id);
        self.duties.insert(duty.id.exit_id, duty);
    }

    /// Somebody else does a duty.
    pub(super) fn rival(&mut self, exit_id: ExitId) {
        let tip = self.tip_mut();
        if tip.started.contains(&exit_id) {
            tip.done.entry(exit_id).or_insert(false);
        }
    }

    fn pending_nonce(&self) -> u64 {
        let mut nonce = self.tip().nonce;
        while self.pool.contains_key(&nonce) {
            nonce += 1;
        }
        nonce
    }

    /// A new block reaches the Sentinel, then what the exit processor makes of older ones.
    pub(super) fn look(&mut self, fault: Fault) {
        let tip = self.tip().clone();
        let asked = self.sentinel.receipts_needed(tip.nonce);
        let known = |txhash: &H256| Some((*txhash, *tip.receipts.get(txhash)?));
        let facts = RootChainFacts {
            eth_height: EthHeight::new(self.blocks.len() as u64),
            eth_time_s: tip.time_s,
            account_nonce: tip.nonce,
            pending_nonce: self.pending_nonce(),
            balance_wei: self.balance_wei,
            quote: self.quote,
            receipts: asked.iter().filter_map(known).collect(),
        };
        let plan = self.sentinel.on_root_chain(&facts);
        if self.execute(plan, fault) {
            let seen = self.blocks[self.blocks.len() - 1 - LAG].clone();
            let open = seen.started.iter().filter(|exit_id| !seen.done.contains_key(exit_id));
            let wanted = open.map(|exit_id| self.duties[exit_id].clone()).collect();
            let is_met = |id: &DutyId| seen.done.get(&id.exit_id) == Some(&false);
            let plan = self.sentinel.on_duties(wanted, is_met);
            self.execute(plan, fault);
        }
    }

    /// Whether the process lives on.
    fn execute(&mut self, plan: Plan, fault: Fault) -> bool {
        if fault == Fault::CrashBeforeCommit {
            self.restart();
            return false;
        }
        for update in plan.updates {
            commit(&mut self.store, update);
        }
        self.notices.extend(plan.notices);
        self.halt = plan.halt;
        for (index, action) in plan.actions.into_iter().enumerate() {
            if fault == Fault::CrashAfter(index) {
                self.restart();
                return false;
            }
            let is_heard = !matches!(fault, Fault::Deaf) && fault != Fault::CrashUnheard(index);
            match action {
                Action::Check(check) => {
                    if !matches!(fault, Fault::Away | Fault::Silent) && is_heard {
                        let result = self.simulate(&check.call);
                        self.checked.push((exit_of(&check.call), self.blocks.len() as u64));
                        let plan = self.sentinel.on_checked(&check, result);
                        if !self.execute(plan, Fault::None) {
                            return false;
                        }
                    }
                }
                Action::Send(transaction) => {
                    let txhash = self.hash(&transaction);
                    let answer = (fault != Fault::Away).then(|| self.submit(&transaction, txhash));
                    let answer = answer.filter(|_| fault != Fault::Silent);
                    if is_heard {
                        let plan = self.sentinel.on_sent(&transaction, txhash, answer.as_ref());
                        self.execute(plan, Fault::None);
                    }
                }
            }
            if fault == Fault::CrashUnheard(index) {
                self.restart();
                return false;
            }
        }
        true
    }

    pub(super) fn restart(&mut self) {
        self.sentinel = Sentinel::restore(self.config, account(), self.store.clone());
    }

    fn would_succeed(&self, exit_id: ExitId, block: &Block) -> bool {
        let duty = &self.duties[&exit_id];
        let is_open =
            duty.opens_s <= block.time_s && duty.closes_s.is_none_or(|at| block.time_s <= at);
        is_open && block.started.contains(&exit_id) && !block.done.contains_key(&exit_id)
    }

    fn simulate(&self, call: &Call) -> Checked {
        match self.would_succeed(exit_of(call), self.tip()) {
            true => Checked::Passes { gas: CALL_GAS },
            false => Checked::Reverts { reason: "not now".to_owned() },
        }
    }

    fn hash(&self, transaction: &Transaction) -> H256 {
        keccak256(format!("{transaction:?}").as_bytes())
    }

    fn submit(&mut self, transaction: &Transaction, txhash: H256) -> SubmitOutcome {
        self.check_sent(transaction);
        self.sent.push(transaction.clone());
        if let Some(refusal) = &self.refusal {
            return refusal.clone();
        }
        let (nonce, fee) = (transaction.nonce, transaction.fees.max_fee_per_gas_wei);
        match self.pool.get(&nonce) {
            _ if nonce < self.tip().nonce => return SubmitOutcome::NonceTooLow,
            Some(pooled) if pooled.txhash == txhash => {
                return SubmitOutcome::AlreadyKnown { txhash };
            }
            Some(pooled) if fee * 8 < pooled.fee * 9 => {
                return SubmitOutcome::ReplacementUnderpriced;
            }
            _ => {}
        }
        self.pool.insert(nonce, Pooled { transaction: Some(transaction.clone()), fee, txhash });
        SubmitOutcome::Accepted { txhash }
    }

    /// Nothing leaves that is not on disk, was not asked for or costs too much.
    fn check_sent(&self, transaction: &Transaction) {
        assert!(!self.config.dry_run, "a dry run sends nothing");
        let stored = self.store.nonces.iter().find(|record| record.nonce == transaction.nonce);
        let stored = stored.expect("what is sent is on disk");
        let newest = stored.offers.last().unwrap();
        assert_eq!((&stored.call, newest.fees), (&transaction.call, transaction.fees));
        let most =
            U256::from(transaction.gas_limit) * U256::from(transaction.fees.max_fee_per_gas_wei);
        match &transaction.call {
            None => assert!(most <= self.config.fill_budget_wei.into()),
            Some(call) => {
                let duty = self.duties.get(&exit_of(call)).expect("somebody asked for it");
                assert!(most <= duty.cost_wei_max(&self.config));
            }
        }
    }

    /// A transaction with our key that is not ours.
    pub(super) fn stray(&mut self) {
        let nonce = self.pending_nonce();
        let txhash = keccak256(format!("stray {nonce} {}", self.blocks.len()).as_bytes());
        self.pool.insert(nonce, Pooled { transaction: None, fee: 5_000, txhash });
    }

    pub(super) fn mine(&mut self, base_fee: u128) {
        self.quote.base_fee_per_gas_wei = base_fee;
        let mut block = self.tip().clone();
        block.time_s += BLOCK_TIME_S;
        while let Some(pooled) = self.pool.get(&block.nonce) {
            if pooled.fee < base_fee + TIP {
                break;
            }
            let pooled = self.pool.remove(&block.nonce).unwrap();
            block.nonce += 1;
            let Some(transaction) = pooled.transaction else {
                continue;
            };
            let price = (base_fee + transaction.fees.max_priority_fee_per_gas_wei).min(pooled.fee);
            let exit_id = transaction.call.as_ref().map(exit_of);
            let succeeded = exit_id.is_none_or(|exit_id| {
                !self.traps.contains(&exit_id) && self.would_succeed(exit_id, &block)
            });
            let gas_used = match exit_id {
                None => FILL_GAS,
                Some(_) if succeeded => CALL_GAS,
                Some(_) => REVERT_GAS,
            };
            let eth_height = EthHeight::new(self.blocks.len() as u64 + 1);
            let receipt = Receipt { eth_height, gas_used, gas_price_wei: price, succeeded };
            block.receipts.insert(pooled.txhash, receipt);
            match exit_id {
                None => block.fills += 1,
                Some(exit_id) => block.calls.push((exit_id, receipt)),
            }
            if let Some(exit_id) = exit_id.filter(|_| succeeded) {
                block.done.insert(exit_id, true);
            }
        }
        self.blocks.push(block);
    }

    /// Forgets some blocks. Our transactions go back to the pool, or are lost; exits start again with the next block.
    pub(super) fn reorg(&mut self, depth: usize, keeps_pool: bool) {
        let height = self.blocks.len();
        let kept = height.saturating_sub(depth).max(LAG + 1);
        let lost = self.blocks.split_off(kept);
        let nonce = self.tip().nonce;
        if keeps_pool && !lost.is_empty() {
            for transaction in self.sent.iter().filter(|transaction| transaction.nonce >= nonce) {
                let fee = transaction.fees.max_fee_per_gas_wei;
                let txhash = self.hash(transaction);
                let is_mined = lost.last().unwrap().receipts.contains_key(&txhash);
                if is_mined {
                    let transaction = Some(transaction.clone());
                    self.pool.insert(
                        transaction.as_ref().unwrap().nonce,
                        Pooled { transaction, fee, txhash },
                    );
                }
            }
        }
        let started = lost.last().map(|block| block.started.clone()).unwrap_or_default();
        let mut block = self.tip().clone();
        block.started = started;
        while self.blocks.len() < height {
            block.time_s += BLOCK_TIME_S;
            self.blocks.push(block.clone());
        }
    }

    pub(super) fn outcome(&self, n: u8) -> Option<DutyOutcome> {
        self.record(n).and_then(|record| record.outcome)
    }

    pub(super) fn record(&self, n: u8) -> Option<DutyRecord> {
        self.sentinel.history().find(|record| record.id == duty(n).id)
    }

    pub(super) fn phase(&self, n: u8) -> Option<DutyPhase> {
        let mut duties = self.sentinel.duties().into_iter();
        duties.find(|status| status.id == duty(n).id).map(|status| status.phase)
    }

    /// Blocks in which nothing goes wrong.
    pub(super) fn calm(&mut self, blocks: usize) {
        for _ in 0..blocks {
            self.look(Fault::None);
            self.mine(100);
        }
    }

    pub(super) fn store(&self) -> &RecoveredSentinel {
        &self.store
    }
}

/// The transactions that were handed out: nonce, the n of the duty (0 for filling), offer in wei per gas.
pub(super) fn sent(world: &World) -> Vec<(u64, u8, u128)> {
    let n_of = |call: &Option<Call>| call.as_ref().map_or(0, |call| exit_of(call).as_bytes()[0]);
    let row = |transaction: &Transaction| {
        let fee = transaction.fees.max_fee_per_gas_wei;
        (transaction.nonce, n_of(&transaction.call), fee)
    };
    world.sent.iter().map(row).collect()
}

/// A world in which these duties are wanted, and nothing was sent yet.
pub(super) fn world(config: SentinelConfig, duties: impl IntoIterator<Item = Duty>) -> World {
    let mut world = World::new(config);
    for duty in duties {
        world.start(duty);
    }
    for _ in 0..2 {
        world.mine(100);
    }
    world
}

/// Looks at a block that takes nothing.
pub(super) fn jam(world: &mut World, blocks: usize) {
    for _ in 0..blocks {
        world.look(Fault::None);
        world.mine(1_000_000);
        world.quote.base_fee_per_gas_wei = 100;
    }
}

fn commit(store: &mut RecoveredSentinel, update: SentinelUpdate) {
    match update {
        SentinelUpdate::PutNonce(record) => {
            let key = |record: &NonceRecord| (record.account, record.nonce);
            store.nonces.retain(|known| key(known) != key(&record));
            store.nonces.push(*record);
        }
        SentinelUpdate::DeleteNonce { account, nonce } => {
            store.nonces.retain(|known| (known.account, known.nonce) != (account, nonce));
        }
        SentinelUpdate::PutDuty(record) => {
            store.duties.retain(|known| known.id != record.id);
            store.duties.push(*record);
        }
        SentinelUpdate::DeleteDuty(id) => store.duties.retain(|known| known.id != id),
        SentinelUpdate::PutSpent { day, wei } => store.spent = Some((day, wei)),
    }
}
