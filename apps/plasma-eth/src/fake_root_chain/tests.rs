//! Reorganisations, the pool and the faults: what a test orders, and no real node does on demand.

use super::*;
use crate::{FeeQuote, GasFees, RootChain, RootChainCause, RootChainError};
use plasma_core::root_chain::{
    EthEvent, EventKind, InFlightExitStart, PiggybackSlot, RootChainEvent,
};
use plasma_core::wire::{
    ETH, EthHeight, H256, Output, OutputIndex, PaymentTx, Signature, SignedTx, Transaction, TxIndex,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

const EVERY_KIND: [EventKind; 5] = [
    EventKind::DepositCreated,
    EventKind::BlockSubmitted,
    EventKind::ExitStarted,
    EventKind::ExitChallenged,
    EventKind::ExitFinalized,
];
const FEES: GasFees =
    GasFees { max_fee_per_gas_wei: 3_000_000_000, max_priority_fee_per_gas_wei: 1_000_000_000 };
const ALICE: Address = account(1);

/// The fake never waits, so one poll is enough.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("the fake root chain waits for nothing"),
    }
}

fn root(number: u8) -> H256 {
    H256::repeat_byte(number)
}

fn submit(chain: &FakeRootChain, number: u8, nonce: u64) -> SubmitOutcome {
    now(chain.submit_block(root(number), nonce, FEES)).unwrap()
}

fn events(chain: &FakeRootChain) -> Vec<EthEvent> {
    let newest = now(chain.eth_height()).unwrap();
    now(chain.events(&EVERY_KIND, EthHeight::new(0), newest)).unwrap()
}

/// Mined block number, mined nonce and pending nonce.
fn standing(chain: &FakeRootChain) -> (u64, u64, u64) {
    let state = now(chain.submission_state()).unwrap();
    (state.mined_blknum.get(), state.authority_nonce, state.pending_nonce)
}

fn code<T: std::fmt::Debug>(answer: Result<T, RootChainError>) -> &'static str {
    answer.unwrap_err().cause().code()
}

#[test]
fn orphaned_submissions_wait_again_or_are_forgotten() {
    for (orphaned, pending, after) in
        [(Orphaned::BackToPool, (0, 1, 3), (2000, 3, 3)), (Orphaned::Dropped, (0, 1, 1), (0, 1, 1))]
    {
        for shorter in [false, true] {
            let chain = FakeRootChain::new(1);
            assert!(submit(&chain, 1, 1).txhash().is_some());
            chain.mine(1);
            assert!(submit(&chain, 2, 2).txhash().is_some());
            chain.mine(1);
            let (before, newest) = (events(&chain), chain.newest_block());
            if shorter {
                chain.rollback(2, orphaned);
                assert_eq!(chain.newest_block().eth_height, EthHeight::new(0));
            } else {
                chain.reorg(2, orphaned);
                assert_eq!(chain.newest_block().eth_height, newest.eth_height);
                assert_eq!(chain.newest_block().timestamp_s, newest.timestamp_s);
                assert_ne!(chain.newest_block().hash, newest.hash);
            }
            assert_eq!((events(&chain), standing(&chain)), (vec![], pending));
            chain.mine(1);
            assert_eq!(standing(&chain), after, "{orphaned:?}");
            // The same transactions, but in other blocks.
            for (one, other) in before.iter().zip(events(&chain)) {
                assert_eq!(one.root_chain_txhash, other.root_chain_txhash);
                assert_ne!(one.eth_block_hash, other.eth_block_hash);
            }
        }
    }
}

#[test]
fn an_emptied_pool_takes_the_same_submission_anew() {
    let chain = FakeRootChain::new(1);
    let first = submit(&chain, 1, 1);
    chain.drop_pool();
    assert_eq!((standing(&chain), chain.pooled()), ((0, 1, 1), vec![]));
    assert_eq!(submit(&chain, 1, 1), first);
    let waiting =
        Pooled { nonce: 1, root: Some(root(1)), fees: FEES, txhash: first.txhash().unwrap() };
    assert_eq!(chain.pooled(), [waiting]);
}

#[test]
fn a_reorganisation_never_removes_the_first_block() {
    let chain = FakeRootChain::new(1);
    let first = chain.newest_block();
    chain.reorg(5, Orphaned::BackToPool);
    assert_eq!(chain.newest_block(), first);
    chain.mine(3);
    chain.reorg(u64::MAX, Orphaned::BackToPool);
    assert_eq!(chain.newest_block().eth_height, EthHeight::new(3));
    chain.rollback(u64::MAX, Orphaned::BackToPool);
    assert_eq!(chain.newest_block(), first);
}

#[test]
fn a_held_pool_waits_and_automine_does_not() {
    let chain = FakeRootChain::new(1);
    chain.hold_pool(true);
    submit(&chain, 1, 1);
    chain.mine(3);
    assert_eq!(standing(&chain), (0, 1, 2));
    assert_eq!(chain.pooled().len(), 1);
    // Deposits have blocks of their own.
    assert_eq!(chain.deposit(ALICE, ETH, U256::one()), Blknum::new(1));
    chain.hold_pool(false);
    chain.mine(1);
    assert_eq!(standing(&chain), (1000, 2, 2));
    chain.set_automine(true);
    submit(&chain, 2, 2);
    assert_eq!(standing(&chain), (2000, 3, 3));
}

#[test]
fn pools_have_rules() {
    let wei = |max_fee: u128, tip: u128| GasFees {
        max_fee_per_gas_wei: max_fee,
        max_priority_fee_per_gas_wei: tip,
    };
    let strict =
        PoolRules { fee_per_gas_wei_min: 50, waits_below_base_fee: false, ..Default::default() };
    let replaced = |fees| {
        let chain = FakeRootChain::new(1);
        chain.set_base_fee(60);
        now(chain.submit_block(root(1), 1, wei(100, 20))).unwrap();
        now(chain.submit_block(root(2), 1, fees)).unwrap()
    };
    let offered = |rules, fees| {
        let chain = FakeRootChain::new(1);
        chain.set_base_fee(60);
        chain.set_pool_rules(rules);
        now(chain.submit_block(root(1), 1, fees)).unwrap()
    };
    for (outcome, expected) in [
        (replaced(wei(109, 22)), "underpriced as a replacement"),
        (replaced(wei(110, 21)), "underpriced as a replacement"),
        (replaced(wei(110, 22)), "accepted"),
        (offered(strict, wei(49, 1)), "underpriced"),
        (offered(strict, wei(59, 1)), "underpriced"),
        (offered(strict, wei(60, 1)), "accepted"),
        (offered(PoolRules::default(), wei(59, 1)), "accepted"),
        (offered(PoolRules::default(), wei(0, 0)), "underpriced"),
        (offered(PoolRules::default(), wei(u128::MAX, 0)), "insufficient funds"),
    ] {
        let told = outcome.to_string();
        assert!(told == expected || outcome.txhash().is_some() && told.starts_with(expected));
    }
}

#[test]
fn what_cannot_pay_waits_until_the_base_fee_falls() {
    let chain = FakeRootChain::new(1);
    chain.set_base_fee(FEES.max_fee_per_gas_wei + 1);
    submit(&chain, 1, 1);
    chain.mine(2);
    assert_eq!(standing(&chain), (0, 1, 2));
    chain.set_base_fee(FEES.max_fee_per_gas_wei);
    chain.set_priority_fee(5);
    let quote =
        FeeQuote { base_fee_per_gas_wei: FEES.max_fee_per_gas_wei, priority_fee_per_gas_wei: 5 };
    assert_eq!(now(chain.fee_quote()).unwrap(), quote);
    chain.mine(1);
    assert_eq!(standing(&chain), (1000, 2, 2));
}

#[test]
fn an_operator_past_its_node_takes_numbers_and_nonces() {
    let chain = FakeRootChain::new(1);
    chain.hold_pool(true);
    submit(&chain, 1, 1);
    submit(&chain, 2, 2);
    assert_eq!(chain.push_raw_root(root(9)), Blknum::new(1000));
    assert_eq!(standing(&chain), (1000, 2, 3));
    assert_eq!(submit(&chain, 1, 1), SubmitOutcome::NonceTooLow);
    chain.spend_authority_nonce();
    assert_eq!((standing(&chain), chain.pooled()), ((1000, 3, 3), vec![]));
    assert_eq!(events(&chain).len(), 1);
}

#[test]
fn a_block_is_filled_in_the_order_of_the_test() {
    let chain = FakeRootChain::new(1);
    submit(&chain, 1, 1);
    let position = UtxoPos::new(Blknum::new(1000), TxIndex::new(7), OutputIndex::new(3));
    let (before, after, exit_id, at_s) = chain.mine_block(|block| {
        let before = block.deposit(ALICE, ETH, U256::one());
        block.submissions();
        let after = block.deposit(ALICE, ETH, U256::one());
        let exit_id = block.exit_started(ALICE, position, b"tx");
        block.exit_challenged(position);
        block.exit_finalized(exit_id);
        (before, after, exit_id, block.timestamp_s())
    });
    assert_eq!((before, after), (Blknum::new(1), Blknum::new(1001)));
    let events = events(&chain);
    assert!(events.iter().zip(0..).all(|(event, index)| event.log_index == index));
    let RootChainEvent::ExitStarted { exit_id: told, exitable_at_s, .. } = events[3].event else {
        unreachable!("{events:?}")
    };
    let period_s = now(chain.contract_facts()).unwrap().min_exit_period_s;
    assert_eq!((told, exitable_at_s), (exit_id, at_s + 2 * period_s));
    assert_eq!(events[4].event, RootChainEvent::ExitChallenged { position });
    assert_eq!(events[5].event, RootChainEvent::ExitFinalized { exit_id });
}

#[test]
fn deposits_end_at_the_interval() {
    let chain = FakeRootChain::new(1);
    chain.mine_block(|block| {
        for expected in 1..=999 {
            assert_eq!(block.deposit(ALICE, ETH, U256::one()), Blknum::new(expected));
        }
    });
    assert_eq!(chain.deposits_left(), 0);
    let refused = std::panic::catch_unwind(|| chain.deposit(ALICE, ETH, U256::one()));
    assert!(refused.is_err());
    // The refused deposit has left no trace.
    assert_eq!(chain.newest_block().eth_height, EthHeight::new(1));
    chain.push_raw_root(root(1));
    assert_eq!(chain.deposit(ALICE, ETH, U256::one()), Blknum::new(1001));
}

#[test]
fn faults_come_as_ordered_and_go() {
    let chain = FakeRootChain::new(1);
    chain.fail_next(2, ErrorKind::Transient);
    chain.fail_next(1, ErrorKind::Permanent);
    let kinds: Vec<_> = (0..4).map(|_| now(chain.eth_height()).map_err(|e| e.kind())).collect();
    let (transient, permanent) = (Err(ErrorKind::Transient), Err(ErrorKind::Permanent));
    assert_eq!(kinds, [transient, transient, permanent, Ok(EthHeight::new(0))]);

    chain.go_away();
    assert_eq!(code(now(chain.submit_block(root(1), 1, FEES))), "unreachable");
    assert_eq!(code(now(chain.contract_facts())), "unreachable");
    chain.come_back();
    assert_eq!(standing(&chain), (0, 1, 1));

    chain.lose_next_answers(1);
    assert_eq!(code(now(chain.submit_block(root(1), 1, FEES))), "timeout");
    assert!(matches!(submit(&chain, 1, 1), SubmitOutcome::AlreadyKnown { .. }));

    chain.answer_next(SubmitOutcome::AccountLocked);
    chain.answer_next(SubmitOutcome::InsufficientFunds);
    assert_eq!(submit(&chain, 2, 2), SubmitOutcome::AccountLocked);
    assert_eq!(submit(&chain, 2, 2), SubmitOutcome::InsufficientFunds);
    assert!(submit(&chain, 2, 2).txhash().is_some());

    chain.set_syncing(true);
    assert!(now(chain.syncing()).unwrap());
}

#[test]
fn events_may_come_twice() {
    let chain = FakeRootChain::new(1);
    chain.deposit(ALICE, ETH, U256::one());
    chain.deposit(ALICE, ETH, U256::one());
    let once = events(&chain);
    chain.duplicate_events(true);
    let twice: Vec<_> = once.iter().flat_map(|event| [event.clone(), event.clone()]).collect();
    assert_eq!(events(&chain), twice);
}

#[test]
fn nodes_of_a_cluster_are_behind_each_other() {
    let chain = FakeRootChain::new(1);
    chain.mine(4);
    chain.push_raw_root(root(1));
    chain.set_cluster(&[0, 1, 9]);
    let heights: Vec<_> = (0..4).map(|_| now(chain.eth_height()).unwrap().get()).collect();
    assert_eq!(heights, [5, 4, 0, 5]);

    chain.set_cluster(&[1]);
    let (newest, behind) = (EthHeight::new(5), EthHeight::new(4));
    assert_eq!(now(chain.block(newest)).unwrap(), None);
    assert_eq!(now(chain.child_block(Blknum::new(1000))).unwrap(), None);
    let error = now(chain.events(&EVERY_KIND, behind, newest)).unwrap_err();
    let expected = RootChainCause::BeyondHead { wanted: newest, newest: behind };
    assert_eq!(error.cause(), &expected);
    // The pool's nonce is the cluster's.
    assert_eq!(standing(&chain), (0, 1, 2));
    chain.set_cluster(&[]);
    assert_eq!(standing(&chain), (1000, 2, 2));
}

/// Something a test does.
#[derive(Clone, Copy, Debug)]
enum Step {
    Mine(u64),
    Deposit,
    Submit { number: u8, ahead: u64 },
    RawRoot(u8),
    Reorg(u64, bool),
    Rollback(u64, bool),
    Hold(bool),
    DropPool,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..4_u64).prop_map(Step::Mine),
        Just(Step::Deposit),
        (1..9_u8, 0..3_u64).prop_map(|(number, ahead)| Step::Submit { number, ahead }),
        (1..9_u8).prop_map(Step::RawRoot),
        (1..5_u64, any::<bool>()).prop_map(|(depth, back)| Step::Reorg(depth, back)),
        (1..5_u64, any::<bool>()).prop_map(|(depth, back)| Step::Rollback(depth, back)),
        any::<bool>().prop_map(Step::Hold),
        Just(Step::DropPool),
    ]
}

#[test]
fn in_flight_exits_are_told_as_the_contract_would() {
    let chain = FakeRootChain::new(1);
    let (one, other) = (chain.deposit(ALICE, ETH, 10.into()), chain.deposit(ALICE, ETH, 5.into()));
    let youngest_at_s = chain.newest_block().timestamp_s;
    let tx = PaymentTx {
        inputs: [other, one].map(|blknum| UtxoPos::deposit(blknum).into()).into_iter().collect(),
        outputs: [Output::payment(ALICE, ETH, 15.into())].into_iter().collect(),
        metadata: H256::zero(),
    };
    let signatures = [Signature::from_bytes([1; 65]), Signature::from_bytes([2; 65])];
    let tx = SignedTx::new(Transaction::Payment(tx), &signatures).unwrap();
    let slot = PiggybackSlot::output(0);
    let input_txs = [vec![1], vec![2]];
    chain.mine_block(|block| {
        let exit_id = block.in_flight_exit_started(ALICE, &tx, &input_txs);
        assert_eq!(block.in_flight_piggybacked(&tx, slot, ALICE), exit_id);
        block.event(RootChainEvent::InFlightExitDeleted { exit_id });
    });
    let now_s = chain.newest_block().timestamp_s;
    let exit_id = ExitId::in_flight(&tx.unsigned_bytes());
    let start = InFlightExitStart {
        exit_id,
        tx_hash: tx.hash(),
        initiator: ALICE,
        started_at_s: now_s,
        tx_bytes: tx.unsigned_bytes().into(),
        input_positions: vec![UtxoPos::deposit(other), UtxoPos::deposit(one)],
        witnesses: vec![[1; 65].into(), [2; 65].into()],
        input_txs: vec![[1].into(), [2].into()],
    };
    let period_s = 7 * 24 * 60 * 60;
    let told = [
        RootChainEvent::InFlightExitStarted(Box::new(start)),
        RootChainEvent::InFlightExitPiggybacked {
            exit_id,
            tx_hash: tx.hash(),
            slot,
            exit_target: ALICE,
            exitable_at_s: youngest_at_s + 2 * period_s,
        },
        RootChainEvent::InFlightExitDeleted { exit_id },
    ];
    let kinds = told.each_ref().map(RootChainEvent::kind);
    let newest = chain.newest_block().eth_height;
    let events = now(chain.events(&kinds, EthHeight::new(0), newest)).unwrap();
    assert_eq!(events.into_iter().map(|event| event.event).collect::<Vec<_>>(), told);
}

fn take(chain: &FakeRootChain, step: Step) {
    let orphaned = |back| if back { Orphaned::BackToPool } else { Orphaned::Dropped };
    match step {
        Step::Mine(eth_blocks) => chain.mine(eth_blocks),
        Step::Deposit => {
            chain.deposit(ALICE, ETH, U256::one());
        }
        Step::Submit { number, ahead } => {
            submit(chain, number, standing(chain).1 + ahead);
        }
        Step::RawRoot(number) => {
            chain.push_raw_root(root(number));
        }
        Step::Reorg(depth, back) => chain.reorg(depth, orphaned(back)),
        Step::Rollback(depth, back) => chain.rollback(depth, orphaned(back)),
        Step::Hold(held) => chain.hold_pool(held),
        Step::DropPool => chain.drop_pool(),
    }
}

/// What the contract must hold by its events alone (protocol 2.2).
fn check_books(chain: &FakeRootChain, seen: &mut BTreeMap<H256, EthEvent>) {
    let (mut mined, mut deposits, mut blknums) = (0, 0, BTreeSet::new());
    for event in events(chain) {
        let expected = match event.event {
            RootChainEvent::BlockSubmitted { .. } => {
                (mined, deposits) = (mined + 1000, 0);
                mined
            }
            _ => {
                deposits += 1;
                mined + deposits
            }
        };
        let (RootChainEvent::BlockSubmitted { blknum }
        | RootChainEvent::DepositCreated { blknum, .. }) = event.event
        else {
            unreachable!("{event:?}")
        };
        assert_eq!(blknum.get(), expected);
        let included = now(chain.block(event.eth_height)).unwrap().unwrap();
        assert_eq!(included.hash, event.eth_block_hash);
        let stored = now(chain.child_block(blknum)).unwrap().unwrap();
        assert_eq!(stored.timestamp_s, included.timestamp_s);
        blknums.insert(blknum);
        // A block hash stands for one history: an event in it never changes.
        if event.log_index == 0 {
            let known = seen.entry(event.eth_block_hash).or_insert_with(|| event.clone());
            assert_eq!(known, &event);
        }
    }
    for absent in [mined + deposits + 1, mined + 1000] {
        assert_eq!(now(chain.child_block(Blknum::new(absent))).unwrap(), None);
    }
    let (mined_blknum, authority_nonce, pending_nonce) = standing(chain);
    assert_eq!((mined_blknum, authority_nonce), (mined, mined / 1000 + 1));
    let waiting = chain.pooled();
    assert!(waiting.iter().all(|tx| tx.nonce >= authority_nonce));
    let in_line = waiting.iter().zip(authority_nonce..).take_while(|(tx, next)| tx.nonce == *next);
    assert_eq!(pending_nonce, authority_nonce + in_line.count() as u64);
}

proptest! {
    #[test]
    fn the_books_hold_through_any_history(steps in proptest::collection::vec(step(), 1..60)) {
        let (chain, twin) = (FakeRootChain::new(3), FakeRootChain::new(3));
        let mut seen = BTreeMap::new();
        for step in steps {
            take(&chain, step);
            take(&twin, step);
            check_books(&chain, &mut seen);
        }
        // The same steps make the same chain, to the hash.
        prop_assert_eq!(chain.newest_block(), twin.newest_block());
        prop_assert_eq!(events(&chain), events(&twin));
        prop_assert_eq!(chain.pooled(), twin.pooled());
    }
}
