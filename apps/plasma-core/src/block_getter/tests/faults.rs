//! What a fault of the chain changes, and what it does not.

use super::*;
use crate::block_getter::testing::payment_to;

/// The story: a watcher that stays on the first history it saw cannot tell its users that theirs is gone (user-pains B9).
#[test]
fn a_ledger_block_with_another_root_is_a_fault() {
    for is_restarted in [false, true] {
        let mut universe = Universe::with_blocks(3);
        universe.sync(3);
        if is_restarted {
            universe = universe.restarted();
        }
        universe.branch = 1;
        let other = other_block(2000).id().hash;
        universe.submitted[1].2 = other;
        universe.submit(4000, 4);
        let fault = ChainFault {
            blknum: Blknum::new(2000),
            hash: other,
            kind: FaultKind::InvalidBlock("submitted_root_changed".to_owned()),
        };
        assert_eq!(universe.scan(4).1.as_ref(), Some(&fault));
        assert_eq!(universe.record.fault.as_ref(), Some(&fault));
        assert_eq!(universe.scan(5), (vec![], None), "told once");
        // The new history is evidence from there on, and the ledger stays as it is.
        let mut downloads = universe.getter.start_downloads(0);
        downloads.sort_by_key(|download| download.blknum);
        let expected = numbers(&[2000, 3000, 4000]).into_iter();
        let expected = expected.map(|blknum| Download { blknum, hash: None });
        assert!(downloads.into_iter().eq(expected));
        universe.deliver(4000);
        assert_eq!(universe.apply(9), NOTHING);
        assert_eq!(universe.quarantine(), [4000]);
    }
}

#[test]
fn a_refused_block_is_a_fault_and_the_ledger_stops_before_it() {
    let mut universe = Universe::with_blocks(6);
    universe.scan(6);
    assert_eq!(universe.start(0), [1000, 2000, 3000]);
    let error = RecoverTxError::DuplicateInputs;
    let txindex = crate::wire::TxIndex::new(0);
    let answer =
        universe.answer(2000, refused(2000, BlockFault::Transaction { txindex, error }), 0);
    let fault = ChainFault {
        blknum: Blknum::new(2000),
        hash: block(2000).id().hash,
        kind: FaultKind::InvalidBlock("duplicate_inputs".to_owned()),
    };
    assert_eq!(answer, Downloaded::Fault(fault.clone()));
    assert_eq!(universe.record.fault, Some(fault.clone()));
    assert_eq!(universe.getter.byzantine_event(), Some((&fault).into()));
    universe.deliver(1000);
    universe.deliver(3000);
    assert_eq!(universe.apply(6), [1000], "blocks before the fault are still applied");
    assert_eq!(universe.getter.synced_height(), eth(6), "and the height moves on");
    assert_eq!(universe.quarantine(), [2000, 3000]);
    assert!(universe.knows_evidence_of(2000), "also of the refused block");
    assert!(universe.knows_evidence_of(3000));
}

#[test]
fn a_block_that_fails_to_execute_is_a_fault() {
    let mut universe = Universe::with_blocks(2);
    universe.scan(2);
    universe.start(0);
    universe.deliver(1000);
    universe.deliver(2000);
    let block = universe.getter.next_block(eth(2), eth(2)).unwrap();
    let error = crate::state::ExecError::AmountsDoNotAddUp;
    let txindex = crate::wire::TxIndex::new(0);
    let mut updates = Vec::new();
    let fault =
        universe.getter.on_invalid(block, BlockFault::Execution { txindex, error }, &mut updates);
    let kind = FaultKind::InvalidBlock("tx_execution".to_owned());
    assert_eq!(fault.map(|fault| (fault.blknum.get(), fault.kind)), Some((1000, kind)));
    universe.commit(updates);
    assert_eq!(universe.apply(2), NOTHING);
    assert_eq!(universe.getter.last_applied(), Blknum::default());
    assert_eq!(universe.quarantine(), [1000, 2000]);
    assert_eq!(universe.record.quarantined_up_to, Blknum::new(2000));
}

#[test]
fn only_an_earlier_fault_replaces_a_fault() {
    let mut universe = Universe::with_blocks(3);
    universe.scan(3);
    universe.start(0);
    let refuse = |blknum| refused(blknum, BlockFault::IncorrectHash);
    assert!(matches!(universe.answer(2000, refuse(2000), 0), Downloaded::Fault(_)));
    assert!(matches!(universe.answer(3000, refuse(3000), 0), Downloaded::RetryAtMs(_)));
    assert_eq!(universe.record.fault.as_ref().map(|fault| fault.blknum.get()), Some(2000));
    assert!(matches!(universe.answer(1000, refuse(1000), 0), Downloaded::Fault(_)));
    assert_eq!(universe.record.fault.as_ref().map(|fault| fault.blknum.get()), Some(1000));
}

#[test]
fn an_unavailable_block_is_withheld_when_its_time_is_up() {
    let mut universe = Universe::with_blocks(2);
    universe.scan(2);
    assert_eq!(universe.start(500), [1000, 2000]);
    assert_eq!(universe.answer(1000, UNAVAILABLE, 1_000), Downloaded::RetryAtMs(2_000));
    universe.deliver(2000);
    assert_eq!(universe.start(1_999), NOTHING);
    assert_eq!(universe.start(2_000), [1000]);
    assert_eq!(universe.answer(1000, UNAVAILABLE, 3_000), Downloaded::RetryAtMs(5_000), "longer");
    assert_eq!(universe.start(5_000), [1000]);
    assert_eq!(universe.answer(1000, UNAVAILABLE, 5_000), Downloaded::RetryAtMs(9_000));
    assert_eq!(universe.start(9_000), [1000]);
    assert_eq!(universe.on_time(10_999), None);
    // An attempt is running, and it does not delay the verdict.
    let fault = ChainFault {
        blknum: Blknum::new(1000),
        hash: block(1000).id().hash,
        kind: FaultKind::Withheld,
    };
    assert_eq!(universe.on_time(11_000), Some(fault.clone()));
    assert_eq!(universe.on_time(12_000), None, "told once");
    assert_eq!(universe.record.fault, Some(fault));
    assert_eq!(
        universe.answer(1000, UNAVAILABLE, 12_000),
        Downloaded::RetryAtMs(16_000),
        "no longer"
    );
}

#[test]
fn a_block_that_comes_in_time_clears_its_clock() {
    let mut universe = Universe::with_blocks(1);
    universe.scan(1);
    universe.start(0);
    universe.answer(1000, UNAVAILABLE, 0);
    assert_eq!(universe.start(1_000), [1000]);
    assert_eq!(universe.deliver(1000), Downloaded::Kept);
    assert_eq!(universe.on_time(1_000_000), None);
    assert_eq!(universe.apply(1), [1000]);
}

#[test]
fn a_block_that_left_the_root_chain_is_not_withheld() {
    let mut universe = Universe::with_blocks(1);
    universe.scan(1);
    universe.start(0);
    universe.answer(1000, UNAVAILABLE, 0);
    universe.submitted.clear();
    universe.branch = 1;
    universe.scan(2);
    assert_eq!(universe.on_time(1_000_000), None);
    assert_eq!(universe.start(1_000_000), NOTHING, "and not asked for");
}

#[test]
fn clocks_are_bounded_by_the_window() {
    let mut universe = Universe::with_blocks(40);
    universe.scan(40);
    let mut tried = BTreeSet::new();
    for now_ms in (0..9_000).step_by(500) {
        for blknum in universe.start(now_ms) {
            tried.insert(blknum);
            universe.answer(blknum, UNAVAILABLE, now_ms);
        }
    }
    assert_eq!(tried, BTreeSet::from([1000, 2000, 3000, 4000, 5000]));
    let fault = universe.on_time(20_000).unwrap();
    assert_eq!(fault.blknum, Blknum::new(1000), "the lowest one is blamed");
}

/// The story: a watcher that stops looking after a fault cannot challenge what is spent after it (user-pains B5).
#[test]
fn a_withheld_block_that_appears_later_is_evidence_only() {
    let mut universe = Universe::with_blocks(3);
    universe.scan(3);
    universe.start(0);
    universe.answer(1000, UNAVAILABLE, 0);
    universe.deliver(2000);
    universe.deliver(3000);
    assert!(universe.on_time(10_000).is_some());
    assert_eq!(universe.apply(3), NOTHING);
    assert_eq!(universe.getter.synced_height(), eth(3), "nobody waits for a withheld block");
    assert_eq!(universe.quarantine(), [2000, 3000]);
    assert_eq!(
        universe.record.quarantined_up_to,
        Blknum::default(),
        "the first one is still missing"
    );
    let mut universe = universe.restarted();
    assert_eq!(
        universe.getter.byzantine_event().map(|event| event.name()),
        Some("block_withholding")
    );
    // After the restart its submission is too old to be read again: the contract knows the number.
    universe.submitted.clear();
    universe.getter.on_next_child_block(Blknum::new(4000));
    assert_eq!(universe.start(0), [1000, 2000, 3000]);
    [1000, 2000, 3000]
        .iter()
        .for_each(|blknum| assert_eq!(universe.deliver(*blknum), Downloaded::Kept));
    assert_eq!(universe.apply(90), NOTHING, "the ledger stays where it was");
    assert_eq!(universe.quarantine(), [1000, 2000, 3000]);
    assert!(universe.knows_evidence_of(1000));
    assert_eq!(universe.record.quarantined_up_to, Blknum::new(3000));
    assert!(universe.getter.fault().is_some(), "and the alarm too");
    assert_eq!(universe.start(1_000_000), NOTHING);
}

#[test]
fn a_wrong_answer_is_searched_once_and_the_right_one_is_still_asked_for() {
    let mut universe = Universe::with_blocks(1);
    universe.scan(1);
    universe.start(0);
    universe.answer(1000, refused(1000, BlockFault::IncorrectHash), 0);
    assert_eq!(universe.start(1_000), NOTHING, "not before the first one was searched");
    assert_eq!(universe.quarantine(), [1000]);
    assert_eq!(universe.start(1_000), [1000]);
    universe.answer(1000, refused(1000, BlockFault::IncorrectHash), 1_000);
    assert_eq!(universe.quarantine(), NOTHING, "lies do not fill the disk");
    assert_eq!(universe.start(3_000), [1000]);
    let right = DownloadOutcome::Answered(Ok(other_block(1000)));
    assert_eq!(universe.answer(1000, right, 3_000), Downloaded::Kept);
    assert_eq!(universe.quarantine(), [1000]);
    assert_eq!(universe.start(1_000_000), NOTHING);
}

#[test]
fn evidence_that_no_contract_could_read_is_not_kept() {
    let (alice, far) = (key(1), pos(u64::MAX, 0, 0));
    let useless = payment_to(&alice, &[pos(1, 0, 0), far], alice.address(), 1);
    let useful = payment(&alice, &[(2, 0), (3, 1)], 1);
    let evidence_of = |transactions: &[RecoveredTx]| {
        let mut universe = Universe::with_blocks(1);
        universe.scan(1);
        universe.start(0);
        let id = block(1000).id();
        let transactions = transactions.to_vec();
        let fault = BlockFault::IncorrectHash;
        let refused = Box::new(RefusedBlock { id, fault, transactions });
        universe.answer(1000, DownloadOutcome::Answered(Err(refused)), 0);
        assert_eq!(universe.quarantine(), [1000]);
        universe.evidence.into_iter().map(|key| key.position).collect::<Vec<_>>()
    };
    assert_eq!(evidence_of(&[useless]), []);
    assert_eq!(evidence_of(&[useful]), [pos(2, 0, 0), pos(3, 0, 1)]);
}

#[test]
fn missing_blocks_of_the_quarantine_are_bounded() {
    let count = u64::try_from(MISSING_MAX).unwrap() + 10;
    let record = BlockGetterRecord {
        fault: Some(ChainFault {
            blknum: Blknum::new(1000),
            hash: block_of(&[]),
            kind: FaultKind::Withheld,
        }),
        ..BlockGetterRecord::default()
    };
    let mut universe = Universe::with(record);
    universe.getter.on_next_child_block(Blknum::new((count + 1) * 1000));
    let mut asked = 0;
    loop {
        let started = universe.start(0);
        if started.is_empty() {
            break;
        }
        asked += started.len();
        started.iter().for_each(|blknum| drop(universe.answer(*blknum, UNAVAILABLE, 0)));
    }
    assert_eq!(asked, MISSING_MAX + 10, "new ones come before retries");
    let waiting = universe.getter.attempts.failing(..).count();
    assert_eq!(waiting, MISSING_MAX, "the oldest are given up");
    assert_eq!(universe.start(1_000), [11_000, 12_000, 13_000]);
}
