//! The fake root chain behaves like a real node: every check below is put to both.
//!
//! A check sees the port and a few hands that move the chain; it must not know which chain it is. Where nodes differ among each
//! other (an offer below the base fee waits at one and is refused by another) the check allows what the port allows.

pub(crate) mod stage;

use crate::kit::{EVERY_KIND, ether};
use plasma_core::root_chain::{EventKind, RootChainEvent};
use plasma_core::wire::ids::exitable_at_s;
use plasma_core::wire::{
    Address, Blknum, ETH, ExitId, H256, MerkleBuilder, Transaction, merkle::leaf_hash,
};
use plasma_eth::{ChildBlock, GasFees, RootChainCause, SubmitOutcome};
use stage::Stage;

/// Each check as two tests.
macro_rules! checks {
    ($($check:ident)*) => {
        mod fake {
            $(#[tokio::test]
            async fn $check() {
                super::$check(super::Stage::fake()).await;
            })*
        }
        mod real {
            $(#[tokio::test]
            async fn $check() {
                super::$check(super::Stage::real().await).await;
            })*
        }
    };
}

checks! {
    the_framework_says_what_it_is
    time_and_height_only_grow
    deposits_get_the_numbers_between_child_blocks
    events_are_complete_or_an_error
    a_submission_is_pending_then_mined_then_too_late
    refusals_have_a_reason
    a_gap_in_the_nonces_holds_up_what_follows
    a_submission_below_the_base_fee_is_not_mined
    a_reorganisation_undoes_submissions_and_deposits
    a_rollback_makes_the_chain_shorter
    a_watcher_cannot_submit
    exits_are_reported_with_their_time
}

fn root(number: u8) -> H256 {
    H256::repeat_byte(number)
}

async fn the_framework_says_what_it_is(stage: Stage) {
    let facts = stage.chain().contract_facts().await.unwrap();
    assert!(facts.activated);
    assert_eq!(facts.child_block_interval, 1000);
    let state = stage.chain().submission_state().await.unwrap();
    assert_eq!(state.mined_blknum, Blknum::new(0));
    assert_eq!((state.authority_nonce, state.pending_nonce), (1, 1));
    assert!(!stage.chain().syncing().await.unwrap());
}

async fn time_and_height_only_grow(stage: Stage) {
    let chain = stage.chain();
    let first = stage.newest().await;
    stage.mine(3).await;
    let newest = stage.newest().await;
    assert_eq!(newest.eth_height, first.eth_height.plus(3));
    assert_eq!(chain.block(newest.eth_height.plus(1)).await.unwrap(), None);
    let mut before = first;
    for height in 1..=3 {
        let height = first.eth_height.plus(height);
        let block = chain.block(height).await.unwrap().unwrap();
        assert_eq!(block.eth_height, height);
        assert!(block.timestamp_s > before.timestamp_s && block.hash != before.hash);
        before = block;
    }
    assert_eq!(chain.submission_state().await.unwrap().eth_height, newest.eth_height);
    stage.mine_after(1000).await;
    assert!(stage.newest().await.timestamp_s >= newest.timestamp_s + 1000);
}

async fn deposits_get_the_numbers_between_child_blocks(stage: Stage) {
    let chain = stage.chain();
    assert_eq!(stage.deposit(ether(1)).await, Blknum::new(1));
    assert_eq!(stage.deposit(ether(2)).await, Blknum::new(2));
    stage.submit_and_mine(root(1), 1).await;
    assert_eq!(stage.deposit(ether(3)).await, Blknum::new(1001));

    let tx = Transaction::deposit(stage.depositor(), ETH, ether(2)).encode_unsigned();
    let events = stage.events(&EVERY_KIND).await;
    let included = chain.block(events[1].eth_height).await.unwrap().unwrap();
    let expected = ChildBlock {
        root: MerkleBuilder::from_leaves([leaf_hash(&tx)]).unwrap().root(),
        timestamp_s: included.timestamp_s,
    };
    assert_eq!(chain.child_block(Blknum::new(2)).await.unwrap(), Some(expected));
    for absent in [0, 3, 999, 1002, 2000] {
        assert_eq!(chain.child_block(Blknum::new(absent)).await.unwrap(), None, "{absent}");
    }
    let told: Vec<_> = events.into_iter().map(|event| event.event).collect();
    let deposit = |blknum, amount| RootChainEvent::DepositCreated {
        depositor: stage.depositor(),
        blknum: Blknum::new(blknum),
        currency: ETH,
        amount,
    };
    let submitted = RootChainEvent::BlockSubmitted { blknum: Blknum::new(1000) };
    let expected = [deposit(1, ether(1)), deposit(2, ether(2)), submitted, deposit(1001, ether(3))];
    assert_eq!(told, expected);
    assert_eq!(chain.submission_state().await.unwrap().mined_blknum, Blknum::new(1000));
}

async fn events_are_complete_or_an_error(stage: Stage) {
    let chain = stage.chain();
    for _ in 0..2 {
        stage.deposit(ether(1)).await;
        stage.mine(1).await;
    }
    let events = stage.events(&EVERY_KIND).await;
    assert_eq!(events.len(), 2);
    for event in &events {
        let block = chain.block(event.eth_height).await.unwrap().unwrap();
        assert_eq!(event.eth_block_hash, block.hash);
        let alone = chain.events(&EVERY_KIND, event.eth_height, event.eth_height).await.unwrap();
        assert_eq!(alone, std::slice::from_ref(event));
    }
    assert_ne!(events[0].root_chain_txhash, events[1].root_chain_txhash);
    let newest = stage.newest().await.eth_height;
    for (kinds, from, to) in [
        (&EVERY_KIND[..], newest, newest),
        (&EVERY_KIND[..], newest, newest.minus(1)),
        (&EVERY_KIND[..], newest.plus(9), newest.plus(8)),
        (&[], newest, newest.plus(1)),
        (&[EventKind::BlockSubmitted], events[0].eth_height, newest),
    ] {
        assert_eq!(chain.events(kinds, from, to).await.unwrap(), []);
    }
    let wanted = newest.plus(1);
    let error = chain.events(&EVERY_KIND, newest, wanted).await.unwrap_err();
    assert_eq!(error.cause(), &RootChainCause::BeyondHead { wanted, newest });
}

async fn a_submission_is_pending_then_mined_then_too_late(stage: Stage) {
    let chain = stage.chain();
    let txhash = stage.accepted(root(1), 1).await;
    let state = chain.submission_state().await.unwrap();
    assert_eq!((state.authority_nonce, state.pending_nonce), (1, 2));
    assert_eq!(state.mined_blknum, Blknum::new(0));
    let again = stage.submit(root(1), 1, stage.fees().await).await;
    assert_eq!(again, SubmitOutcome::AlreadyKnown { txhash });

    let fees = stage.fees().await;
    stage.mine(1).await;
    let state = chain.submission_state().await.unwrap();
    assert_eq!((state.authority_nonce, state.pending_nonce), (2, 2));
    assert_eq!(state.mined_blknum, Blknum::new(1000));
    let newest = stage.newest().await;
    let expected = ChildBlock { root: root(1), timestamp_s: newest.timestamp_s };
    assert_eq!(chain.child_block(Blknum::new(1000)).await.unwrap(), Some(expected));
    let events = stage.events(&[EventKind::BlockSubmitted]).await;
    assert_eq!(events[0].root_chain_txhash, txhash);
    for number in [1, 2] {
        assert_eq!(stage.submit(root(number), 1, fees).await, SubmitOutcome::NonceTooLow);
    }
}

async fn refusals_have_a_reason(stage: Stage) {
    let fees = stage.fees().await;
    let times = |factor: u128| GasFees {
        max_fee_per_gas_wei: fees.max_fee_per_gas_wei * factor,
        max_priority_fee_per_gas_wei: fees.max_priority_fee_per_gas_wei * factor,
    };
    stage.accepted(root(1), 1).await;
    assert_eq!(stage.submit(root(2), 1, fees).await, SubmitOutcome::ReplacementUnderpriced);
    let replaced = stage.submit(root(2), 1, times(2)).await;
    assert!(matches!(replaced, SubmitOutcome::Accepted { .. }), "{replaced}");
    // What was replaced is one that pays too little.
    assert_eq!(stage.submit(root(1), 1, fees).await, SubmitOutcome::ReplacementUnderpriced);
    let tip_only = GasFees {
        max_fee_per_gas_wei: fees.max_priority_fee_per_gas_wei,
        max_priority_fee_per_gas_wei: fees.max_fee_per_gas_wei,
    };
    let refused = stage.submit(root(3), 2, tip_only).await;
    assert!(matches!(refused, SubmitOutcome::Refused { .. }), "{refused}");
    let free = GasFees { max_fee_per_gas_wei: 0, max_priority_fee_per_gas_wei: 0 };
    assert_eq!(stage.submit(root(3), 2, free).await, SubmitOutcome::Underpriced);
    stage.mine(1).await;
    let mined = stage.chain().child_block(Blknum::new(1000)).await.unwrap().unwrap();
    assert_eq!(mined.root, root(2));

    stage.impoverish_authority().await;
    let outcome = stage.submit(root(3), 2, times(1)).await;
    assert_eq!(outcome, SubmitOutcome::InsufficientFunds);
    // A nonce that is gone is gone for the poor, too.
    assert_eq!(stage.submit(root(3), 1, times(1)).await, SubmitOutcome::NonceTooLow);
}

async fn a_gap_in_the_nonces_holds_up_what_follows(stage: Stage) {
    let chain = stage.chain();
    stage.accepted(root(3), 3).await;
    stage.accepted(root(2), 2).await;
    assert_eq!(chain.submission_state().await.unwrap().pending_nonce, 1);
    stage.mine(2).await;
    assert_eq!(chain.submission_state().await.unwrap().authority_nonce, 1);
    stage.accepted(root(1), 1).await;
    assert_eq!(chain.submission_state().await.unwrap().pending_nonce, 4);
    stage.mine(1).await;
    for number in 1..=3_u8 {
        let blknum = Blknum::new(u64::from(number) * 1000);
        let mined = chain.child_block(blknum).await.unwrap().unwrap();
        assert_eq!(mined.root, root(number));
    }
    let submitted = stage.events(&EVERY_KIND).await;
    assert!(submitted.windows(2).all(|pair| {
        pair[0].eth_height == pair[1].eth_height && pair[0].log_index < pair[1].log_index
    }));
}

async fn a_submission_below_the_base_fee_is_not_mined(stage: Stage) {
    let chain = stage.chain();
    stage.set_base_fee(50_000_000_000).await;
    assert!(chain.fee_quote().await.unwrap().base_fee_per_gas_wei > 10_000_000_000);
    let low =
        GasFees { max_fee_per_gas_wei: 1_000_000_000, max_priority_fee_per_gas_wei: 1_000_000 };
    let outcome = stage.submit(root(1), 1, low).await;
    assert!(
        matches!(outcome, SubmitOutcome::Underpriced | SubmitOutcome::Accepted { .. }),
        "{outcome}"
    );
    stage.mine(1).await;
    assert_eq!(chain.submission_state().await.unwrap().mined_blknum, Blknum::new(0));
    stage.submit_and_mine(root(2), 1).await;
    let mined = chain.child_block(Blknum::new(1000)).await.unwrap().unwrap();
    assert_eq!(mined.root, root(2));
}

async fn a_reorganisation_undoes_submissions_and_deposits(stage: Stage) {
    let chain = stage.chain();
    stage.mine(1).await;
    let before = stage.newest().await;
    assert_eq!(stage.deposit(ether(1)).await, Blknum::new(1));
    let fees = stage.fees().await;
    let txhash = stage.submit(root(1), 1, fees).await.txhash();
    stage.mine(1).await;
    let gone = stage.newest().await;
    assert_eq!(gone.eth_height, before.eth_height.plus(2));

    stage.reorg(2).await;
    assert_eq!(chain.eth_height().await.unwrap(), gone.eth_height);
    assert_ne!(stage.newest().await.hash, gone.hash);
    assert_eq!(chain.block(before.eth_height).await.unwrap(), Some(before));
    assert_eq!(stage.events(&EVERY_KIND).await, []);
    for blknum in [1, 1000] {
        assert_eq!(chain.child_block(Blknum::new(blknum)).await.unwrap(), None);
    }
    let state = chain.submission_state().await.unwrap();
    assert_eq!(state.mined_blknum, Blknum::new(0));
    assert_eq!((state.authority_nonce, state.pending_nonce), (1, 1));

    // The very same submission is good again.
    let again = stage.submit(root(1), 1, fees).await;
    assert_eq!(again, SubmitOutcome::Accepted { txhash: txhash.unwrap() });
    stage.mine(1).await;
    assert_eq!(stage.deposit(ether(1)).await, Blknum::new(1001));
}

async fn a_rollback_makes_the_chain_shorter(stage: Stage) {
    let chain = stage.chain();
    stage.mine(1).await;
    let before = stage.newest().await;
    stage.submit_and_mine(root(1), 1).await;
    stage.rollback(1).await;
    assert_eq!(stage.newest().await, before);
    assert_eq!(chain.block(before.eth_height.plus(1)).await.unwrap(), None);
    assert_eq!(chain.submission_state().await.unwrap().authority_nonce, 1);
    assert_eq!(chain.child_block(Blknum::new(1000)).await.unwrap(), None);
}

async fn a_watcher_cannot_submit(stage: Stage) {
    let authority = stage.chain().contract_facts().await.unwrap().authority;
    let fees = stage.fees().await;
    let error = stage.without_key().submit_block(root(1), 1, fees).await.unwrap_err();
    let key = Address::zero();
    assert_eq!(error.cause(), &RootChainCause::NotAuthority { key, authority });
    assert_eq!(stage.chain().submission_state().await.unwrap().pending_nonce, 1);
}

async fn exits_are_reported_with_their_time(stage: Stage) {
    let chain = stage.chain();
    let kept = stage.deposit_and_exit(ether(1)).await;
    let spent = stage.deposit_and_exit(ether(2)).await;
    stage.challenge(&spent).await;
    let facts = chain.contract_facts().await.unwrap();
    stage.mine_after(2 * facts.min_exit_period_s + 2).await;
    stage.process(&kept).await;

    stage.process_challenged(&spent).await;

    let exits = [
        EventKind::ExitStarted,
        EventKind::ExitChallenged,
        EventKind::ExitFinalized,
        EventKind::ExitOmitted,
    ];
    let events = stage.events(&exits).await;
    let mut told = Vec::new();
    for (event, included) in events.iter().zip([&kept, &spent]) {
        let started = chain.block(event.eth_height).await.unwrap().unwrap().timestamp_s;
        let deposited = chain.child_block(included.position.blknum).await.unwrap().unwrap();
        told.push(RootChainEvent::ExitStarted {
            owner: stage.depositor(),
            exit_id: ExitId::standard(&included.tx, included.position).unwrap(),
            position: included.position,
            output_tx: included.tx.as_slice().into(),
            exitable_at_s: exitable_at_s(
                started,
                deposited.timestamp_s,
                facts.min_exit_period_s,
                true,
            ),
        });
    }
    told.push(RootChainEvent::ExitChallenged { position: spent.position });
    let exit_id = ExitId::standard(&kept.tx, kept.position).unwrap();
    told.push(RootChainEvent::ExitFinalized { exit_id });
    let exit_id = ExitId::standard(&spent.tx, spent.position).unwrap();
    told.push(RootChainEvent::ExitOmitted { exit_id });
    let found: Vec<_> = events.into_iter().map(|event| event.event).collect();
    assert_eq!(found, told);
}
