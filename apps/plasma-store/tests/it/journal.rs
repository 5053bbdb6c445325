//! The journal on disk: in order, by topic, from any block on, and what a watcher goes on from.

use crate::{creation, open, payment, pos, primitive};
use plasma_core::byzantine::ByzantineEvent;
use plasma_core::db_update::{BlockHeader, DbUpdate, Service, StateUpdate, TxPos};
use plasma_core::journal::{
    Journal, JournalBlock, JournalEntry, JournalFact, JournalRecord, JournalSeq, ToldStatus, Topic,
};
use plasma_core::root_chain::{EthEvent, RootChainEvent, SubmittedAt};
use plasma_core::transfers::{Transfer, TransfersCursor, TransfersUpdate};
use plasma_core::wire::{Address, Blknum, EthHeight, ExitId, H256, TxIndex};
use plasma_store::Store;
use proptest::prelude::*;

const TOPICS: [Topic; 5] =
    [Topic::Byzantine, Topic::Blocks, Topic::Deposits, Topic::Exits, Topic::Status];

fn block(blknum: u64) -> JournalFact {
    JournalFact::Block(JournalBlock {
        blknum: Blknum::new(blknum),
        hash: H256::from_low_u64_be(blknum),
        tx_count: 1,
        eth_height: EthHeight::new(blknum),
        timestamp_s: 5,
    })
}

fn root_chain(event: RootChainEvent) -> JournalFact {
    JournalFact::RootChain(Box::new(EthEvent {
        eth_height: EthHeight::new(1),
        eth_block_hash: H256::zero(),
        root_chain_txhash: H256::zero(),
        log_index: 0,
        event,
    }))
}

fn event_of(fact: JournalFact) -> EthEvent {
    match fact {
        JournalFact::RootChain(event) => *event,
        other => panic!("{other:?} is not of the root chain"),
    }
}

fn deposit(blknum: u64) -> JournalFact {
    root_chain(RootChainEvent::DepositCreated {
        depositor: primitive(1),
        blknum: Blknum::new(blknum),
        currency: primitive(2),
        amount: 1.into(),
    })
}

fn exit(id: u8) -> JournalFact {
    root_chain(RootChainEvent::ExitFinalized { exit_id: ExitId::from_bytes([id; 20]) })
}

fn withheld(blknum: u64) -> ByzantineEvent {
    ByzantineEvent::BlockWithholding { blknum: Blknum::new(blknum), hash: H256::zero() }
}

/// Writes facts as a watcher does, each in a commit of its own.
fn write(store: &Store, facts: impl IntoIterator<Item = JournalFact>) {
    let mut journal = Journal::restore(store.journal_record().unwrap());
    for fact in facts {
        let mut updates = Vec::new();
        journal.append(7, fact, &mut updates);
        store.commit(&updates).unwrap();
    }
}

/// What a watcher writes of a block, a deposit, an exit and a condition.
pub(crate) fn story() -> Vec<DbUpdate> {
    let (mut journal, mut updates) = (Journal::default(), Vec::new());
    for fact in [block(1000), deposit(1), exit(1)] {
        journal.append(7, fact, &mut updates);
    }
    journal.on_findings(7, [withheld(2000)], (true, Blknum::new(1000)), &mut updates);
    updates
}

fn transfer(journal: u64, blknum: u64, txindex: u32) -> Transfer {
    let at = TxPos { blknum: Blknum::new(blknum), txindex: TxIndex::new(txindex) };
    Transfer { journal: JournalSeq(journal), at }
}

/// What the index writes of the story: a deposit that is told behind the block that it was made before.
pub(crate) fn transfers(account: Address) -> Vec<TransfersUpdate> {
    vec![
        TransfersUpdate::Put(account, 1, transfer(1, 1000, 0)),
        TransfersUpdate::Put(account, 2, transfer(1, 1000, 7)),
        TransfersUpdate::Put(account, 3, transfer(2, 1, 0)),
        TransfersUpdate::PutHead(account, 3),
        TransfersUpdate::PutCursor(TransfersCursor { done: JournalSeq(2), txs: 5 }),
    ]
}

#[test]
fn transfers_of_an_account_are_read_from_anywhere_on_and_are_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.commit(&story()).unwrap();
    let (one, other) = (primitive(1), primitive(2));
    assert_eq!(store.transfers_cursor().unwrap(), TransfersCursor::default());
    store.index_transfers(&transfers(one)).unwrap();
    let put = TransfersUpdate::Put(other, 1, transfer(2, 1, 0));
    store.index_transfers(&[put, TransfersUpdate::PutHead(other, 1)]).unwrap();
    drop(store);
    let store = open(folder.path());
    let cursor = TransfersCursor { done: JournalSeq(2), txs: 5 };
    assert_eq!(store.transfers_cursor().unwrap(), cursor);
    let all = [(1, transfer(1, 1000, 0)), (2, transfer(1, 1000, 7)), (3, transfer(2, 1, 0))];
    assert_eq!(store.transfers_after(one, 0, 10).unwrap(), all);
    assert_eq!(store.transfers_after(one, 1, 1).unwrap(), all[1..2]);
    assert_eq!(store.transfers_after(one, u64::MAX, 1).unwrap(), []);
    assert_eq!(store.transfers_after(primitive(3), 0, 10).unwrap(), []);
    let heads = store.transfers_heads([one, other, primitive(3)]).unwrap();
    assert_eq!(heads, [(one, 3), (other, 1)].into());
    assert_eq!(store.topic_head(Topic::Transfer(one)).unwrap(), 3);
    let before =
        |blknum| store.topic_before_block(Topic::Transfer(one), Blknum::new(blknum)).unwrap();
    // From block 2 on: the block, and what was told behind it. Behind the last block there is nothing yet.
    assert_eq!([0, 1, 2, 1000, 1001].map(before), [0, 0, 0, 0, 3]);
}

#[test]
fn a_new_store_has_an_empty_journal() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert_eq!(store.journal_head().unwrap(), JournalSeq(0));
    assert_eq!(store.journal_after(JournalSeq(0), 10).unwrap(), []);
    assert_eq!(store.journal_entry(JournalSeq(1)).unwrap(), None);
    for topic in TOPICS {
        assert_eq!(store.topic_head(topic).unwrap(), 0);
        assert_eq!(store.topic_after(topic, 0, 10).unwrap(), []);
        assert_eq!(store.topic_before_block(topic, Blknum::new(0)).unwrap(), 0);
    }
    assert!(!store.lacks_journal().unwrap());
    let record = store.journal_record().unwrap();
    assert_eq!((record.head, record.open, record.status), (JournalSeq(0), vec![], None));
}

#[test]
fn what_the_whole_world_can_write_is_read_to_its_very_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    write(&store, [block(1000)]);
    assert_eq!(store.journal_after(JournalSeq(u64::MAX), 10).unwrap(), []);
    assert_eq!(store.topic_after(Topic::Blocks, u64::MAX, 10).unwrap(), []);
    assert_eq!(store.topic_before_block(Topic::Exits, Blknum::new(u64::MAX)).unwrap(), 0);
    assert_eq!(store.topic_before_block(Topic::Blocks, Blknum::new(u64::MAX)).unwrap(), 1);
    let nobody = Topic::Transfer(primitive(1));
    assert_eq!(store.topic_head(nobody).unwrap(), 0);
}

#[test]
fn a_block_that_moved_is_where_it_was_seen_last() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (blknum, eth_height) = (Blknum::new(1000), EthHeight::new(9));
    let at = |eth_height, timestamp_s| Some(SubmittedAt { eth_height, timestamp_s });
    assert_eq!(store.submitted_at(blknum).unwrap(), None);
    write(&store, [block(1000), block(2000)]);
    assert_eq!(store.submitted_at(blknum).unwrap(), at(EthHeight::new(1000), 5));
    write(&store, [JournalFact::BlockMoved { blknum, eth_height, timestamp_s: 6 }]);
    assert_eq!(store.submitted_at(blknum).unwrap(), at(eth_height, 6));
    assert_eq!(store.topic_head(Topic::Blocks).unwrap(), 2, "it is in no topic");
    let [(_, entry)] = &store.topic_after(Topic::Blocks, 0, 1).unwrap()[..] else { panic!("one") };
    assert_eq!(entry.fact, block(1000), "an entry never changes");
}

#[test]
fn deposits_count_by_their_own_number_and_exits_by_the_block_before_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    // A watcher that catches up knows deposits before the blocks they were made between.
    let facts = [deposit(1), exit(1), deposit(1001), block(1000), exit(2), block(2000), exit(3)];
    write(&store, facts);
    let before = |topic, blknum| store.topic_before_block(topic, Blknum::new(blknum)).unwrap();
    for (blknum, blocks, deposits, exits) in [
        (0, 0, 0, 1),
        (1, 0, 0, 1),
        (2, 0, 1, 1),
        (1000, 0, 1, 1),
        (1001, 1, 1, 2),
        (1002, 1, 2, 2),
        (2000, 1, 2, 2),
        (2001, 2, 2, 3),
    ] {
        assert_eq!(before(Topic::Blocks, blknum), blocks, "{blknum}");
        assert_eq!(before(Topic::Deposits, blknum), deposits, "{blknum}");
        assert_eq!(before(Topic::Exits, blknum), exits, "{blknum}");
    }
}

#[test]
fn open_conditions_the_last_status_and_the_newest_exits_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut journal = Journal::restore(store.journal_record().unwrap());
    for present in [&[1, 2][..], &[2, 3]] {
        let mut updates = Vec::new();
        let events = present.iter().copied().map(withheld);
        journal.on_findings(7, events, (true, Blknum::new(0)), &mut updates);
        store.commit(&updates).unwrap();
    }
    // The second of the same is that of a root chain transaction that was mined again.
    write(&store, [exit(1), deposit(1), exit(2), exit(1)]);
    drop(store);
    let record = open(folder.path()).journal_record().unwrap();
    let expected = JournalRecord {
        head: JournalSeq(8),
        topics: TOPICS.into_iter().zip([4, 0, 1, 2, 1]).collect(),
        open: vec![(2, withheld(2)), (4, withheld(3))],
        status: Some(ToldStatus { is_unsafe: true, byzantine_events: 2 }),
        exits: [exit(1), exit(2)].map(event_of).to_vec(),
    };
    assert_eq!(record, expected);
}

#[test]
fn a_store_with_a_past_of_which_no_journal_tells_is_known_as_such() {
    let header = BlockHeader { number: Blknum::new(1000), hash: H256::zero(), tx_count: 0 };
    let past: [(&str, Vec<DbUpdate>, bool); 4] = [
        ("a height", vec![DbUpdate::ServiceHeight(Service::Depositor, EthHeight::new(9))], false),
        ("a block", vec![StateUpdate::PutBlock(header, vec![]).into()], true),
        ("a deposit", creation(primitive(1), pos(1, 0, 0), 5), true),
        (
            "a transaction",
            vec![
                StateUpdate::PutTransaction(
                    Blknum::new(1),
                    TxIndex::new(0),
                    payment(1, &[primitive(1)]),
                )
                .into(),
            ],
            true,
        ),
    ];
    for (what, updates, lacks_journal) in past {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        store.commit(&updates).unwrap();
        assert_eq!(store.lacks_journal().unwrap(), lacks_journal, "{what}");
        write(&store, [deposit(1)]);
        assert!(!store.lacks_journal().unwrap(), "{what}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_was_written_is_read_in_order_from_anywhere_on(
        kinds in prop::collection::vec(0..4_u8, 0..40),
        after in 0..45_u64,
        entries_max in 0..45_usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (mut blocks, mut deposits, mut exits) = (0, 0, 0);
        let facts: Vec<JournalFact> = kinds.iter().map(|kind| match kind {
            0 => { blocks += 1; block(blocks * 1000) }
            1 => { deposits += 1; deposit(deposits) }
            2 => { exits += 1; exit(exits) }
            _ => JournalFact::Status { is_unsafe: false, byzantine_events: 0, last_validated: Blknum::new(0) },
        }).collect();
        let half = facts.len() / 2;
        write(&open(folder.path()), facts[..half].to_vec());
        let store = open(folder.path());
        write(&store, facts[half..].to_vec());

        let count = u64::try_from(facts.len()).unwrap();
        prop_assert_eq!(store.journal_head().unwrap(), JournalSeq(count));
        let entry = |fact: &JournalFact| JournalEntry { at_ms: 7, fact: fact.clone() };
        let all: Vec<_> = (1..).map(JournalSeq).zip(facts.iter().map(entry)).collect();
        let expected: Vec<_> = all.iter().filter(|(seq, _)| seq.0 > after).take(entries_max).cloned().collect();
        prop_assert_eq!(store.journal_after(JournalSeq(after), entries_max).unwrap(), expected);
        for topic in TOPICS {
            let of_topic = all.iter().filter(|(_, entry)| entry.fact.topic() == Some(topic));
            let of_topic: Vec<_> = (1..).zip(of_topic.map(|(_, entry)| entry.clone())).collect();
            prop_assert_eq!(store.topic_head(topic).unwrap(), u64::try_from(of_topic.len()).unwrap());
            let expected: Vec<_> = of_topic.into_iter().filter(|(number, _)| *number > after).take(entries_max).collect();
            prop_assert_eq!(store.topic_after(topic, after, entries_max).unwrap(), expected);
        }
    }
}
