//! Tables for the rules of forming and recovery, and a random root chain that mines every block once, in order, with its root.

use super::*;
use crate::wire::H256;
use proptest::prelude::*;

const CONFIG: BlockQueueConfig = BlockQueueConfig {
    tick_ms: 1,
    form_every_eth_blocks: 2,
    form_every_ms: 0,
    block_txs_min: 10,
    force_form_after_ms: 1_000,
    unmined_blocks_max: 3,
    bump_after_eth_blocks: 2,
    fee_per_gas_wei_max: 10_000,
    stalled_after_eth_blocks: 4,
};

const QUOTE: FeeQuote = FeeQuote { base_fee_per_gas_wei: 100, priority_fee_per_gas_wei: 2 };

fn header(index: u64) -> BlockHeader {
    BlockHeader { number: Blknum::new(index * 1_000), hash: H256([index as u8; 32]), tx_count: 1 }
}

fn restored(
    config: BlockQueueConfig,
    indexes: &[u64],
    mined: u64,
    offset: Option<i64>,
) -> BlockQueue {
    let recovered = RecoveredQueue {
        mined: Blknum::new(mined * 1_000),
        mined_hash: (mined > 0).then(|| header(mined).hash),
        headers: indexes.iter().map(|index| header(*index)).collect(),
        nonce_offset: offset,
    };
    BlockQueue::restore(config, recovered).unwrap()
}

fn at(eth_height: u64, mined: u64, authority_nonce: u64) -> SubmissionState {
    SubmissionState {
        eth_height: EthHeight::new(eth_height),
        mined_blknum: Blknum::new(mined * 1_000),
        authority_nonce,
        pending_nonce: authority_nonce,
    }
}

fn pending(tx_count: u32) -> PendingStatus {
    PendingStatus { tx_count, is_full: false }
}

#[test]
fn a_block_is_formed_when_it_is_time_and_worth_it() {
    struct Case(&'static str, BlockQueueConfig, Vec<(u64, u64, PendingStatus)>, bool);
    let clock = BlockQueueConfig { form_every_ms: 300, ..CONFIG };
    let full = PendingStatus { tx_count: 1, is_full: true };
    let cases = [
        Case("nothing waits", CONFIG, vec![(0, 9, pending(0))], false),
        Case("enough wait", CONFIG, vec![(0, 9, pending(10))], true),
        Case("too few wait", CONFIG, vec![(0, 9, pending(9))], false),
        Case("few wait too long", CONFIG, vec![(0, 9, pending(1)), (1_000, 9, pending(1))], true),
        Case("few wait a while", CONFIG, vec![(0, 9, pending(1)), (999, 9, pending(1))], false),
        Case(
            "the clock starts anew after an empty block",
            CONFIG,
            vec![(0, 9, pending(1)), (900, 9, pending(0)), (1_100, 9, pending(1))],
            false,
        ),
        Case("it is full", CONFIG, vec![(0, 9, full)], true),
        Case("by the clock", clock, vec![(0, 9, pending(1)), (300, 9, pending(1))], true),
        Case("not yet by the clock", clock, vec![(0, 9, pending(1)), (299, 9, pending(1))], false),
    ];
    for Case(name, config, ticks, expected) in cases {
        let mut queue = restored(config, &[], 0, Some(0));
        let mut formed = false;
        for (now_ms, height, pending) in ticks {
            formed = queue.on_tick(now_ms, &at(height, 0, 1), None, &QUOTE, pending).form;
        }
        assert_eq!(formed, expected, "{name}");
    }
}

#[test]
fn one_block_at_a_time_some_root_chain_blocks_apart_and_not_too_many() {
    let mut queue = restored(CONFIG, &[], 0, Some(0));
    let mut tick = |height| queue.on_tick(0, &at(height, 0, 1), None, &QUOTE, pending(10)).form;
    assert!(tick(9));
    assert!(!tick(12), "the last one is not here yet");
    queue.on_formed(Some(header(1)));
    let mut formed = Vec::new();
    for height in 13..30 {
        if queue.on_tick(0, &at(height, 0, 1), None, &QUOTE, pending(10)).form {
            formed.push(height);
            queue.on_formed(Some(header(formed.len() as u64 + 1)));
        }
    }
    assert_eq!(formed, [14, 16], "three blocks wait then");
    assert!(queue.on_tick(0, &at(30, 1, 2), None, &QUOTE, pending(10)).form);
    queue.on_formed(None);
    assert!(queue.on_tick(0, &at(31, 1, 2), None, &QUOTE, pending(10)).form, "nothing was formed");
}

#[test]
fn a_submission_is_repeated_with_each_root_chain_block_and_bumped_when_late() {
    let mut queue = restored(CONFIG, &[1, 2], 0, Some(3));
    let mut offers = Vec::new();
    for height in [9, 9, 10, 11, 12] {
        let plan = queue.on_tick(0, &at(height, 0, 4), None, &QUOTE, pending(0));
        for submission in &plan.submissions {
            let accepted = SubmitOutcome::Accepted { txhash: H256::zero() };
            assert!(queue.on_outcome(submission, &accepted));
        }
        let seen = plan.submissions.iter().map(|submission| {
            (submission.blknum.get(), submission.nonce, submission.fees.max_fee_per_gas_wei)
        });
        offers.push(seen.collect::<Vec<_>>());
    }
    let first = vec![(1_000, 4, 202), (2_000, 5, 202)];
    let second = vec![(1_000, 4, 228), (2_000, 5, 228)];
    assert_eq!(offers, [first.clone(), vec![], first, second.clone(), second]);
    assert!(!queue.is_stalled());
    queue.on_tick(0, &at(13, 0, 4), None, &QUOTE, pending(0));
    assert!(queue.is_stalled());
    queue.on_tick(0, &at(13, 2, 6), None, &QUOTE, pending(0));
    assert!(!queue.is_stalled());
}

#[test]
fn blocks_that_the_root_chain_forgets_are_submitted_again_with_their_nonces() {
    let mut queue = restored(CONFIG, &[1, 2, 3], 0, Some(0));
    assert_eq!(queue.on_tick(0, &at(9, 3, 4), None, &QUOTE, pending(0)).submissions, []);
    let plan = queue.on_tick(0, &at(9, 1, 2), None, &QUOTE, pending(0));
    let nonces: Vec<u64> = plan.submissions.iter().map(|submission| submission.nonce).collect();
    assert_eq!(nonces, [2, 3]);
}

#[test]
fn roots_of_somebody_else_halt_everything() {
    let mut queue = restored(CONFIG, &[1, 2], 0, Some(0));
    assert_eq!(queue.root_needed(Blknum::new(1_000)), Some(Blknum::new(1_000)));
    let own = Some(header(1).hash);
    assert_eq!(queue.on_tick(0, &at(9, 1, 2), own, &QUOTE, pending(10)).halt, None);
    assert_eq!(queue.root_needed(Blknum::new(1_000)), None, "it was compared");
    let (blknum, on_chain) = (Blknum::new(2_000), H256([9; 32]));
    let plan = queue.on_tick(0, &at(10, 2, 3), Some(on_chain), &QUOTE, pending(10));
    let stored = Some(header(2).hash);
    let halt = Some(QueueHalt::ForeignRoot { blknum, on_chain, stored });
    assert_eq!(plan, Plan { halt, ..Plan::default() });
    assert!(queue.is_stalled());
    let plan = queue.on_tick(0, &at(10, 7, 8), Some(on_chain), &QUOTE, pending(10));
    assert!(matches!(plan.halt, Some(QueueHalt::ForeignRoot { stored: None, .. })));
}

#[test]
fn the_offset_of_nonces_is_found_once_and_kept() {
    let check = |known, nonces: (u64, u64), mined, unmined, expected| {
        let state = SubmissionState { pending_nonce: nonces.1, ..at(9, mined, nonces.0) };
        assert_eq!(nonce::offset(known, &state, unmined), expected, "{known:?} {nonces:?}");
    };
    let taken =
        |expected, found, unmined| Err(Some(QueueHalt::NonceTaken { expected, found, unmined }));
    check(None, (1, 1), 0, 2, Ok(0));
    check(None, (7, 7), 2, 0, Ok(4));
    check(None, (0, 0), 0, 0, Ok(-1));
    check(None, (1, 3), 0, 0, Err(Some(QueueHalt::PoolNotEmpty { from: 1, to: 3 })));
    check(Some(4), (7, 9), 2, 2, Ok(4));
    check(Some(4), (8, 8), 2, 0, Ok(5));
    check(Some(4), (8, 8), 2, 1, Ok(5));
    check(Some(4), (8, 9), 2, 1, taken(7, 8, 1));
    check(Some(4), (8, 8), 2, 2, taken(7, 8, 2));
    check(Some(4), (6, 6), 2, 1, taken(7, 6, 1));
    check(Some(4), (6, 6), 2, 0, Ok(3));
}

#[test]
fn a_store_that_the_root_chain_contradicts_is_refused() {
    let check = |mined: u64, hash: u8, indexes: &[u64], expected: Option<&str>| {
        let recovered = RecoveredQueue {
            mined: Blknum::new(mined * 1_000),
            mined_hash: Some(H256([hash; 32])),
            headers: indexes.iter().map(|index| header(*index)).collect(),
            nonce_offset: None,
        };
        let error = BlockQueue::restore(CONFIG, recovered).err().map(|error| error.to_string());
        let code = error.as_deref().and_then(|error| error.split(':').next());
        assert_eq!(code, expected, "{mined} {hash} {indexes:?}");
    };
    check(0, 0, &[], None);
    check(0, 0, &[1], None);
    check(2, 2, &[1, 2, 3], None);
    check(2, 2, &[], Some("contract_ahead_of_db"));
    check(2, 2, &[1], Some("contract_ahead_of_db"));
    check(2, 2, &[1, 3], Some("mined_blknum_not_found_in_db"));
    check(2, 9, &[1, 2], Some("hashes_dont_match"));
}

/// A root chain with one account, whose transactions wait in a pool.
#[derive(Clone, Debug, Default)]
struct RootChain {
    /// Roots and nonce after each block.
    history: Vec<(Vec<BlockHash>, u64)>,
    pool: BTreeMap<u64, (Option<BlockHash>, u128)>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Tick { txs: u32 },
    Mine { base_fee: u128 },
    Reorg { depth: usize, keeps_pool: bool },
    LosePool,
    Restart,
    Stray,
}

impl RootChain {
    fn new(nonce: u64) -> Self {
        Self { history: vec![(vec![], nonce)], pool: BTreeMap::new() }
    }

    fn tip(&self) -> &(Vec<BlockHash>, u64) {
        self.history.last().unwrap()
    }

    fn state(&self) -> SubmissionState {
        let (roots, nonce) = self.tip();
        let mut pending_nonce = *nonce;
        while self.pool.contains_key(&pending_nonce) {
            pending_nonce += 1;
        }
        SubmissionState {
            pending_nonce,
            ..at(self.history.len() as u64, roots.len() as u64, *nonce)
        }
    }

    fn submit(&mut self, nonce: u64, root: Option<BlockHash>, fee: u128) -> SubmitOutcome {
        match self.pool.get(&nonce) {
            _ if nonce < self.tip().1 => return SubmitOutcome::NonceTooLow,
            Some((pooled, paid)) if *pooled == root && *paid == fee => {
                return SubmitOutcome::AlreadyKnown { txhash: H256::zero() };
            }
            Some((_, paid)) if fee * 8 < paid * 9 => return SubmitOutcome::ReplacementUnderpriced,
            _ => {}
        }
        self.pool.insert(nonce, (root, fee));
        SubmitOutcome::Accepted { txhash: H256::zero() }
    }

    fn mine(&mut self, base_fee: u128) {
        let (mut roots, mut nonce) = self.tip().clone();
        while let Some((root, fee)) = self.pool.get(&nonce).copied() {
            if fee < base_fee {
                break;
            }
            self.pool.remove(&nonce);
            roots.extend(root);
            nonce += 1;
        }
        self.history.push((roots, nonce));
    }

    fn reorg(&mut self, depth: usize, keeps_pool: bool) {
        let kept = self.history.len().saturating_sub(depth).max(1);
        let (old_roots, old_nonce) = self.tip().clone();
        self.history.truncate(kept);
        let (roots, nonce) = self.tip().clone();
        if keeps_pool {
            // Without strays, nonces and roots run in parallel.
            for (index, nonce) in (nonce..old_nonce).enumerate() {
                self.pool.insert(nonce, (old_roots.get(roots.len() + index).copied(), 500));
            }
        }
        let height = self.history.len() + depth;
        self.history.resize(height, (roots, nonce));
    }
}

/// Runs the steps; returns how many blocks were formed and what the root chain looks like. Checks after each step that what is mined
/// is what was formed, in order.
fn run(steps: &[Step], first_nonce: u64) -> (u64, BlockQueue, RootChain) {
    let config = BlockQueueConfig { form_every_eth_blocks: 1, block_txs_min: 1, ..CONFIG };
    let mut chain = RootChain::new(first_nonce);
    let mut queue = restored(config, &[], 0, None);
    let (mut formed, mut offset) = (0, None);
    for step in steps {
        match *step {
            Step::Tick { txs } => {
                let state = chain.state();
                let root = queue.root_needed(state.mined_blknum).and(chain.tip().0.last().copied());
                let plan = queue.on_tick(0, &state, root, &QUOTE, pending(txs));
                if plan.form {
                    formed += 1;
                    queue.on_formed(Some(header(formed)));
                }
                for update in plan.updates {
                    let DbUpdate::BlockQueue(BlockQueueUpdate::PutNonceOffset(found)) = update
                    else {
                        panic!("somebody else's key: {update:?}");
                    };
                    offset = Some(found);
                }
                for submission in plan.submissions {
                    let fee = submission.fees.max_fee_per_gas_wei;
                    let outcome = chain.submit(submission.nonce, Some(submission.hash), fee);
                    if !queue.on_outcome(&submission, &outcome) {
                        break;
                    }
                }
            }
            Step::Mine { base_fee } => chain.mine(base_fee),
            Step::Reorg { depth, keeps_pool } => chain.reorg(depth, keeps_pool),
            Step::LosePool => chain.pool.clear(),
            Step::Restart => {
                let indexes: Vec<u64> = (1..=formed).collect();
                queue = restored(config, &indexes, chain.tip().0.len() as u64, offset);
            }
            Step::Stray => {
                let nonce = chain.state().pending_nonce;
                chain.submit(nonce, None, 5_000);
            }
        }
        let roots = &chain.tip().0;
        let expected: Vec<_> = (1..=roots.len() as u64).map(|index| header(index).hash).collect();
        assert_eq!(roots, &expected, "mined something else than was formed");
        assert!(roots.len() as u64 <= formed);
    }
    (formed, queue, chain)
}

fn common_step() -> BoxedStrategy<Step> {
    prop_oneof![
        6 => (0..3_u32).prop_map(|txs| Step::Tick { txs }),
        4 => (1..400_u128).prop_map(|base_fee| Step::Mine { base_fee }),
        1 => Just(Step::Restart),
    ]
    .boxed()
}

proptest! {
    #[test]
    fn every_block_is_mined_once_in_order_whatever_the_root_chain_does(
        steps in prop::collection::vec(prop_oneof![
            12 => common_step(),
            1 => Just(Step::LosePool),
            1 => (1..4_usize, any::<bool>())
                .prop_map(|(depth, keeps_pool)| Step::Reorg { depth, keeps_pool }),
        ], 0..80),
        first_nonce in 0..3_u64,
    ) {
        let calm = (0..40).flat_map(|_| [Step::Tick { txs: 0 }, Step::Mine { base_fee: 1 }]);
        let steps: Vec<Step> = steps.into_iter().chain(calm).collect();
        let (formed, queue, chain) = run(&steps, first_nonce);
        prop_assert_eq!(chain.tip().0.len() as u64, formed);
        prop_assert_eq!((queue.unmined(), queue.is_stalled()), (0, false));
    }

    #[test]
    fn transactions_of_somebody_else_with_the_authoritys_key_never_mix_up_blocks(
        steps in prop::collection::vec(prop_oneof![8 => common_step(), 1 => Just(Step::Stray)], 0..80),
    ) {
        run(&steps, 1);
    }
}
