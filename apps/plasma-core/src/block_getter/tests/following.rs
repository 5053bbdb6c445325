//! A chain without faults: what is downloaded, and in which order blocks reach the ledger.

use super::*;

#[test]
fn downloads_are_limited_by_slots_and_by_blocks_in_memory() {
    let mut universe = Universe::with_blocks(9);
    universe.scan(9);
    assert_eq!(universe.start(0), [1000, 2000, 3000], "three slots");
    assert_eq!(universe.start(0), NOTHING, "nothing is downloaded twice");
    assert_eq!(universe.deliver(2000), Downloaded::Kept);
    assert_eq!(universe.start(0), [4000]);
    assert_eq!(universe.deliver(3000), Downloaded::Kept);
    assert_eq!(universe.deliver(4000), Downloaded::Kept);
    assert_eq!(universe.start(0), [5000], "no further than five blocks ahead of the ledger");
    assert_eq!(universe.deliver(5000), Downloaded::Kept);
    assert_eq!(universe.start(0), NOTHING);
    assert_eq!(universe.getter.unapplied(), 4);
    assert_eq!(universe.deliver(1000), Downloaded::Kept);
    assert_eq!(universe.apply(9), [1000, 2000, 3000, 4000, 5000]);
    assert_eq!(universe.start(0), [6000, 7000, 8000]);
}

#[test]
fn when_enough_transactions_wait_only_the_next_block_is_downloaded() {
    let mut universe = Universe::with_blocks(6);
    let config = BlockGetterConfig { unapplied_txs_max: 2, ..CONFIG };
    universe.getter = BlockGetter::restore(config, BlockGetterRecord::default());
    universe.scan(6);
    assert_eq!(universe.start(0), [1000, 2000, 3000]);
    assert_eq!(universe.deliver(2000), Downloaded::Kept);
    assert_eq!(universe.start(0), [4000], "one waits");
    assert_eq!(universe.deliver(3000), Downloaded::Kept);
    assert_eq!(universe.start(0), NOTHING, "two wait");
    let failed = universe.answer(1000, DownloadOutcome::Unavailable, 0);
    assert_eq!(failed, Downloaded::RetryAtMs(1_000));
    assert_eq!(universe.answer(4000, DownloadOutcome::Unavailable, 0), failed);
    assert_eq!(universe.start(1_000), [1000], "it makes room for all others");
    assert_eq!(universe.deliver(1000), Downloaded::Kept);
    assert_eq!(universe.start(1_000), NOTHING);
    assert_eq!(universe.apply(6), [1000, 2000, 3000]);
    assert_eq!(universe.start(1_000), [4000, 5000, 6000]);
}

#[test]
fn each_download_names_the_root_that_was_submitted() {
    let mut universe = Universe::with_blocks(1);
    universe.scan(1);
    let download = Download { blknum: Blknum::new(1000), hash: Some(block(1000).id().hash) };
    assert_eq!(universe.getter.start_downloads(0), [download]);
}

#[test]
fn answers_nobody_asked_for_are_ignored() {
    let mut universe = Universe::with_blocks(2);
    assert_eq!(universe.deliver(1000), Downloaded::Ignored, "never asked for");
    universe.scan(2);
    universe.start(0);
    assert_eq!(universe.deliver(1000), Downloaded::Kept);
    assert_eq!(universe.deliver(1000), Downloaded::Ignored, "a second time");
    let other = DownloadOutcome::Answered(Ok(block(1000)));
    assert_eq!(universe.answer(2000, other, 0), Downloaded::Ignored, "another block");
    assert_eq!(universe.apply(2), [1000]);
    assert_eq!(universe.start(0), [2000], "asked for again");
}

#[test]
fn blocks_reach_the_ledger_in_order_and_not_before_their_height() {
    let mut universe = Universe::new();
    for (blknum, height) in [(1000, 5), (2000, 5), (3000, 8)] {
        universe.submit(blknum, height);
    }
    universe.scan(10);
    assert_eq!(universe.start(0), [1000, 2000, 3000]);
    universe.deliver(2000);
    universe.deliver(3000);
    assert_eq!(universe.apply(10), NOTHING, "the first one is missing");
    assert_eq!(universe.getter.synced_height(), eth(4), "everything before it is done");
    universe.deliver(1000);
    assert_eq!(universe.apply(4), NOTHING, "not yet allowed");
    assert_eq!(universe.apply(7), [1000, 2000]);
    assert_eq!(universe.getter.synced_height(), eth(7));
    assert_eq!(universe.apply(3), NOTHING, "a lower height changes nothing");
    assert_eq!(universe.getter.synced_height(), eth(7));
    assert_eq!(universe.apply(8), [3000]);
    assert_eq!(universe.getter.synced_height(), eth(8));
}

#[test]
fn a_height_is_done_when_all_its_blocks_are() {
    let mut universe = Universe::new();
    universe.submit(1000, 5);
    universe.submit(2000, 5);
    universe.scan(9);
    universe.start(0);
    universe.deliver(1000);
    assert_eq!(universe.apply(9), [1000]);
    assert_eq!(universe.getter.synced_height(), eth(4));
    universe.deliver(2000);
    assert_eq!(universe.apply(9), [2000]);
    assert_eq!(universe.getter.synced_height(), eth(9));
}

#[test]
fn only_one_block_at_a_time_is_given_out() {
    let mut universe = Universe::with_blocks(2);
    universe.scan(2);
    universe.start(0);
    universe.deliver(1000);
    universe.deliver(2000);
    assert!(universe.getter.next_block(eth(2), eth(2)).is_some());
    assert_eq!(universe.getter.next_block(eth(2), eth(2)), None);
    assert_eq!(universe.start(0), NOTHING, "it is not downloaded again meanwhile");
    universe.getter.on_applied(eth(2), &mut Vec::new());
    assert!(universe.getter.next_block(eth(2), eth(2)).is_some());
}

#[test]
fn empty_heights_are_synced() {
    let mut universe = Universe::new();
    universe.scan(40);
    universe.apply(30);
    assert_eq!(universe.getter.synced_height(), eth(30));
    assert_eq!(universe.getter.scan_range(eth(40)), None, "read before");
    assert_eq!(universe.getter.scan_range(eth(41)), Some(eth(20)..=eth(41)));
}

#[test]
fn a_restart_goes_on_where_the_commits_ended() {
    let mut universe = Universe::with_blocks(3);
    universe.sync(2);
    let mut universe = universe.restarted();
    assert_eq!(universe.getter.scan_range(eth(3)), Some(eth(0)..=eth(3)));
    let (asked, _) = universe.scan(3);
    assert_eq!(asked, [1000, 2000, 3000], "roots of the ledger's blocks are checked again");
    assert_eq!(universe.start(0), [3000]);
}

#[test]
fn roots_are_read_once_while_history_stands() {
    let mut universe = Universe::with_blocks(3);
    assert_eq!(universe.scan(3).0, [1000, 2000, 3000]);
    universe.submit(4000, 4);
    assert_eq!(universe.scan(4).0, [4000]);
    universe.sync(4);
    assert_eq!(universe.scan(5).0, NOTHING, "also those of applied blocks");
    universe.branch = 1;
    assert_eq!(universe.scan(6).0, [1000, 2000, 3000, 4000], "another branch");
}

/// Protocol 10.7: what a reorganisation of the root chain may do to submissions without any harm.
#[test]
fn submissions_may_move_and_hide() {
    type Move = fn(&mut Universe);
    let moves: [(&str, Move); 6] = [
        ("an unapplied block turns up at a height that was read", |u| u.submit(3000, 6)),
        ("an applied block moves up", |u| u.submitted[1].1 = 9),
        ("an applied block moves down", |u| u.submitted[1].1 = 1),
        ("an applied block vanishes", |u| u.submitted.retain(|s| s.0 != 2000)),
        ("all applied blocks vanish", |u| u.submitted.clear()),
        ("applied blocks share a height", |u| u.submitted.iter_mut().for_each(|s| s.1 = 7)),
    ];
    for (description, change) in moves {
        let mut universe = Universe::with_blocks(2);
        universe.sync(8);
        assert_eq!(universe.getter.synced_height(), eth(8), "{description}");
        universe.branch = 1;
        change(&mut universe);
        universe.submitted.retain(|(blknum, _, _)| *blknum <= 3000);
        if universe.submitted.iter().all(|(blknum, _, _)| *blknum != 3000) {
            universe.submit(3000, 10);
        }
        universe.sync(11);
        assert_eq!(universe.getter.last_applied(), Blknum::new(3000), "{description}");
        assert_eq!(universe.getter.synced_height(), eth(11), "{description}");
        assert_eq!(universe.getter.fault(), None, "{description}");
    }
}

#[test]
fn a_block_that_was_replaced_before_it_was_applied_is_downloaded_again() {
    let mut universe = Universe::with_blocks(1);
    universe.scan(1);
    universe.start(0);
    universe.deliver(1000);
    universe.branch = 1;
    universe.submitted[0].2 = other_block(1000).id().hash;
    universe.scan(2);
    assert_eq!(universe.apply(2), NOTHING, "its root is no longer on the root chain");
    assert_eq!(universe.start(0), [1000]);
    let outcome = DownloadOutcome::Answered(Ok(other_block(1000)));
    assert_eq!(universe.answer(1000, outcome, 0), Downloaded::Kept);
    assert_eq!(universe.apply(2), [1000]);
    assert_eq!(universe.getter.fault(), None);
}

#[test]
fn an_answer_for_a_replaced_root_is_dropped() {
    let mut universe = Universe::with_blocks(1);
    universe.scan(1);
    universe.start(0);
    universe.branch = 1;
    universe.submitted[0].2 = other_block(1000).id().hash;
    universe.scan(2);
    let answer = universe.answer(1000, refused(1000, BlockFault::IncorrectHash), 0);
    assert_eq!(
        answer,
        Downloaded::Ignored,
        "nobody can be blamed for what is not on the root chain"
    );
    assert_eq!(universe.start(0), [1000]);
}

#[test]
fn a_height_without_a_root_is_read_again() {
    let mut universe = Universe::with_blocks(2);
    let event = [universe.event(1000, 1), universe.event(2000, 2)];
    let range = universe.getter.scan_range(eth(3)).unwrap();
    let mut facts = SubmissionFacts::default();
    let root = block(1000).id().hash;
    facts.roots.insert(Blknum::new(1000), ChildBlock { root, timestamp_s: 10 });
    universe.getter.on_submissions(&range, &event, &facts, &mut Vec::new());
    universe.apply(3);
    assert_eq!(universe.getter.synced_height(), eth(0));
    universe.sync(3);
    assert_eq!(universe.getter.last_applied(), Blknum::new(2000));
    assert_eq!(universe.getter.synced_height(), eth(3));
}

/// The story: a watcher that read a deposit later than the operator took the spend of it for a theft (user-pains B9).
#[test]
fn a_block_waits_for_the_deposits_it_may_spend() {
    let position = pos(1, 0, 0);
    let txindex = crate::wire::TxIndex::new(0);
    let fault = BlockFault::UnknownDeposit { txindex, position };
    let mut universe = Universe::with_blocks(1);
    universe.scan(9);
    universe.start(0);
    universe.deliver(1000);
    let mut updates = Vec::new();
    let next =
        |universe: &mut Universe, deposits| universe.getter.next_block(eth(9), eth(deposits));
    let block = next(&mut universe, 0).expect("most blocks need no new deposits");
    assert_eq!(universe.getter.on_invalid(block, fault, &mut updates), None);
    assert_eq!(next(&mut universe, 0), None, "no sense in trying again");
    let block = next(&mut universe, 1).expect("the deposits are there");
    let fault = universe.getter.on_invalid(block, fault, &mut updates);
    let kind = FaultKind::InvalidBlock("tx_execution".to_owned());
    assert_eq!(fault.map(|fault| fault.kind), Some(kind), "now it is a theft");
}

#[test]
fn a_block_that_leaves_the_root_chain_while_it_is_executed_is_nobodys_fault() {
    let mut universe = Universe::with_blocks(1);
    universe.scan(1);
    universe.start(0);
    universe.deliver(1000);
    let block = universe.getter.next_block(eth(1), eth(1)).unwrap();
    universe.branch = 1;
    universe.submitted[0].2 = other_block(1000).id().hash;
    universe.scan(2);
    let error = crate::state::ExecError::AmountsDoNotAddUp;
    let txindex = crate::wire::TxIndex::new(0);
    let fault = BlockFault::Execution { txindex, error };
    let mut updates = Vec::new();
    assert_eq!(universe.getter.on_invalid(block, fault, &mut updates), None);
    assert_eq!(updates, []);
    assert_eq!(universe.start(0), [1000]);
}
