//! One of every kind of entry, and what no watcher can have written.

use super::*;
use crate::records::tests::{Kind, written};
use plasma_core::byzantine::{
    AvailablePiggyback, AvailablePiggybacks, ByzantineEvent, ExitFault, InFlightFault,
    PiggybackFault,
};
use plasma_core::db_update::TxPos;
use plasma_core::root_chain::{
    EthEvent, InFlightExitChallenge, InFlightExitStart, PiggybackSlot, RootChainEvent,
};
use plasma_core::wire::{Address, ExitId, H256, TxIndex, U256, UtxoPos};

const ID: ExitId = ExitId::from_bytes([5; 20]);
const HASH: H256 = H256([1; 32]);
const SOMEBODY: Address = primitive_types::H160([2; 20]);

fn blknum() -> Blknum {
    Blknum::new(3000)
}

fn root_chain_events() -> Vec<RootChainEvent> {
    use RootChainEvent as Event;
    let (exit_id, tx_hash, challenger) = (ID, HASH, SOMEBODY);
    let (position, slot) = (UtxoPos::deposit(Blknum::new(1)), PiggybackSlot::output(2));
    let tx_pos = TxPos { blknum: blknum(), txindex: TxIndex::new(3) };
    let start = InFlightExitStart {
        exit_id,
        tx_hash,
        initiator: SOMEBODY,
        started_at_s: 3,
        tx_bytes: [4, 5].into(),
        input_positions: vec![position],
        witnesses: vec![[6; 3].into()],
        input_txs: vec![[7; 2].into(), [].into()],
    };
    let challenge = InFlightExitChallenge {
        exit_id,
        tx_hash,
        challenger,
        competing_tx_pos: Some(tx_pos),
        input_index: 1,
        competing_tx: [8, 9].into(),
        competing_input_index: 2,
        competing_witness: [10; 3].into(),
    };
    vec![
        Event::DepositCreated {
            depositor: SOMEBODY,
            blknum: Blknum::new(1),
            currency: SOMEBODY,
            amount: U256::MAX,
        },
        Event::BlockSubmitted { blknum: blknum() },
        Event::ExitStarted {
            owner: SOMEBODY,
            exit_id,
            position,
            output_tx: [1, 2, 3].into(),
            exitable_at_s: 9,
        },
        Event::ExitChallenged { position },
        Event::ExitFinalized { exit_id },
        Event::ExitOmitted { exit_id },
        Event::InFlightExitStarted(Box::new(start)),
        Event::InFlightExitPiggybacked {
            exit_id,
            tx_hash,
            slot,
            exit_target: SOMEBODY,
            exitable_at_s: 9,
        },
        Event::InFlightExitPiggybackBlocked { exit_id, tx_hash, slot, challenger },
        Event::InFlightExitChallenged(Box::new(challenge)),
        Event::InFlightExitChallengeResponded { exit_id, tx_hash, challenger, tx_pos },
        Event::InFlightExitPiggybackWithdrawn { exit_id, slot },
        Event::InFlightExitDeleted { exit_id },
        Event::InFlightExitFinalized { exit_id },
        Event::InFlightExitOmitted { exit_id, currency: SOMEBODY },
    ]
}

fn conditions() -> Vec<ByzantineEvent> {
    use ByzantineEvent as Event;
    let (eth_height, exit_id, tx_hash, tx_bytes) =
        (EthHeight::new(7), ID, HASH, Box::<[u8]>::from([1, 2]));
    let exit = ExitFault {
        eth_height,
        position: UtxoPos::deposit(Blknum::new(1)),
        exit_id,
        owner: SOMEBODY,
        currency: SOMEBODY,
        amount: U256::from(300),
        root_chain_txhash: HASH,
        scheduled_finalization_time_s: 8,
        spending_txhash: Some(HASH),
    };
    let in_flight = InFlightFault {
        eth_height,
        exit_id,
        tx_hash,
        tx_bytes: tx_bytes.clone(),
        started_at_s: 3,
        competing_txhash: Some(HASH),
    };
    let piggybacks = PiggybackFault {
        eth_height,
        exit_id,
        tx_hash,
        tx_bytes: tx_bytes.clone(),
        inputs: vec![0, 3],
        outputs: vec![1],
    };
    let owner = SOMEBODY;
    let available = AvailablePiggybacks {
        eth_height,
        exit_id,
        tx_hash,
        tx_bytes,
        started_at_s: 3,
        inputs: vec![AvailablePiggyback { index: 0, owner }],
        outputs: vec![AvailablePiggyback { index: 1, owner }],
    };
    let (blknum, hash) = (blknum(), HASH);
    vec![
        Event::UnchallengedNonCanonicalIfe(in_flight.clone()),
        Event::UnchallengedExit(exit.clone()),
        Event::UnchallengedPiggyback(piggybacks.clone()),
        Event::InvalidExit(ExitFault { spending_txhash: None, ..exit }),
        Event::InvalidPiggyback(piggybacks),
        Event::NonCanonicalIfe(in_flight.clone()),
        Event::InvalidIfeChallenge(InFlightFault { competing_txhash: None, ..in_flight }),
        Event::PiggybackAvailable(available),
        Event::InvalidBlock { blknum, hash, error_type: "incorrect_hash".to_owned() },
        Event::BlockWithholding { blknum, hash },
    ]
}

fn facts() -> Vec<JournalFact> {
    let (eth_height, timestamp_s) = (EthHeight::new(7), 8);
    let block = JournalBlock { blknum: blknum(), hash: HASH, tx_count: 9, eth_height, timestamp_s };
    let mut facts = vec![
        JournalFact::Block(block),
        JournalFact::BlockMoved { blknum: blknum(), eth_height, timestamp_s },
        JournalFact::Status { is_unsafe: true, byzantine_events: 2, last_validated: blknum() },
    ];
    facts.extend(root_chain_events().into_iter().map(|event| {
        JournalFact::RootChain(Box::new(EthEvent {
            eth_height,
            eth_block_hash: HASH,
            root_chain_txhash: H256([3; 32]),
            log_index: 4,
            event,
        }))
    }));
    let changes = [Change::Appeared, Change::Resolved];
    facts.extend(
        conditions()
            .into_iter()
            .zip(changes.into_iter().cycle())
            .map(|(event, change)| JournalFact::Byzantine { change, event: Box::new(event) }),
    );
    facts
}

/// Every kind of value of this file.
pub(in crate::records) fn kinds() -> Vec<Kind> {
    let submitted = SubmittedAt { eth_height: EthHeight::new(1), timestamp_s: u64::MAX };
    let mut kinds: Vec<Kind> = vec![
        (
            |value| {
                let (number, seq) = decode_numbers(value)?;
                Ok(written(|v| encode_numbers(number, seq, v)))
            },
            written(|v| encode_numbers(7, JournalSeq(u64::MAX), v)),
        ),
        (
            |value| {
                let submitted = decode_submitted_at(value)?;
                Ok(written(|v| encode_submitted_at(submitted, v)))
            },
            written(|v| encode_submitted_at(submitted, v)),
        ),
    ];
    let at = TxPos { blknum: blknum(), txindex: TxIndex::new(7) };
    let transfer = Transfer { journal: JournalSeq(9), at };
    kinds.push((
        |value| decode_transfer(value).map(|found| written(|v| encode_transfer(found, v))),
        written(|v| encode_transfer(transfer, v)),
    ));
    let cursor = TransfersCursor { done: JournalSeq(9), txs: 65_535 };
    kinds.push((
        |value| {
            let cursor = decode_transfers_cursor(value)?;
            Ok(written(|v| encode_transfers_cursor(cursor, v)))
        },
        written(|v| encode_transfers_cursor(cursor, v)),
    ));
    for fact in facts() {
        kinds.push((
            |value| {
                let entry = decode_journal_entry(value)?;
                Ok(written(|v| encode_journal_entry(&entry, v)))
            },
            written(|v| encode_journal_entry(&JournalEntry { at_ms: 77, fact }, v)),
        ));
    }
    kinds
}

#[test]
fn every_kind_of_entry_comes_back_as_it_was() {
    for fact in facts() {
        let entry = JournalEntry { at_ms: u64::MAX, fact };
        let value = written(|v| encode_journal_entry(&entry, v));
        assert_eq!(decode_journal_entry(&value), Ok(entry));
    }
}

#[test]
fn what_a_watcher_cannot_have_written_is_damage() {
    let check = |kind: &[u8], expected| {
        let value = [&[VERSION], [0; 8].as_slice(), kind].concat();
        assert_eq!(decode_journal_entry(&value), Err(expected));
    };
    check(&[5], "unknown kind of journal entry");
    check(&[3, 2], "neither yes nor no");
    check(&[3, 0, 10], "unknown kind of condition");
    check(&[&[2], [0; 76].as_slice(), &[15]].concat(), "unknown event of the root chain");
    check(&[&[4, 1], [0; 13].as_slice()].concat(), "bytes behind the end of the value");
    let not_text = [&[3, 0, 8], [0; 40].as_slice(), &[0, 0, 0, 1, 0xff]].concat();
    check(&not_text, "error type that is not text");
    // Neither a list nor bytes are taken for as long as they say.
    let endless = [&[3, 0, 4], [0; 60].as_slice(), &[0; 4], &[0xff; 4]].concat();
    check(&endless, "truncated value");
}
