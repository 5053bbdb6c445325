//! However often a watcher is restarted: numbers without gaps, and nothing twice.

use super::*;
use crate::root_chain::{EthEvent, RootChainEvent};
use crate::wire::{BlockHash, EthHeight, ExitId, H256};
use proptest::prelude::*;

/// What a store keeps of the journal, by the rules of docs/store.md.
#[derive(Clone, Debug, Default)]
struct Disk {
    entries: Vec<JournalEntry>,
    topics: BTreeMap<Topic, Vec<JournalSeq>>,
    open: BTreeMap<u64, ByzantineEvent>,
}

impl Disk {
    fn commit(&mut self, updates: Vec<DbUpdate>) {
        for update in updates {
            let DbUpdate::Journal(update) = update else { panic!("not of the journal") };
            match update {
                JournalUpdate::Append(numbered) => {
                    self.entries.push(numbered.entry.clone());
                    let count = u64::try_from(self.entries.len()).unwrap();
                    assert_eq!(numbered.seq, JournalSeq(count), "no number is left out");
                    assert_eq!(numbered.topic.map(|(topic, _)| topic), numbered.entry.fact.topic());
                    if let Some((topic, seq)) = numbered.topic {
                        let of_topic = self.topics.entry(topic).or_default();
                        of_topic.push(numbered.seq);
                        assert_eq!(seq, u64::try_from(of_topic.len()).unwrap(), "{topic:?}");
                    }
                }
                JournalUpdate::PutOpen(appeared_as) => {
                    let event = self.appeared(appeared_as);
                    assert_eq!(self.open.insert(appeared_as, event), None);
                }
                JournalUpdate::DeleteOpen(appeared_as) => {
                    assert!(self.open.remove(&appeared_as).is_some());
                }
            }
        }
    }

    fn appeared(&self, number: u64) -> ByzantineEvent {
        let seq = self.topics[&Topic::Byzantine][usize::try_from(number).unwrap() - 1];
        match &self.entries[usize::try_from(seq.0).unwrap() - 1].fact {
            JournalFact::Byzantine { change: Change::Appeared, event } => (**event).clone(),
            fact => panic!("{fact:?} did not appear"),
        }
    }

    fn record(&self) -> JournalRecord {
        let status = self.entries.iter().rev().find_map(|entry| match entry.fact {
            JournalFact::Status { is_unsafe, byzantine_events, .. } => {
                Some(ToldStatus { is_unsafe, byzantine_events })
            }
            _ => None,
        });
        let heads =
            self.topics.iter().map(|(topic, seqs)| (*topic, u64::try_from(seqs.len()).unwrap()));
        JournalRecord {
            head: JournalSeq(u64::try_from(self.entries.len()).unwrap()),
            topics: heads.collect(),
            open: self.open.iter().map(|(number, event)| (*number, event.clone())).collect(),
            status,
            exits: self.exits().collect(),
        }
    }

    fn exits(&self) -> impl Iterator<Item = EthEvent> {
        let exits = self.entries.iter().filter(|entry| entry.fact.topic() == Some(Topic::Exits));
        exits.filter_map(|entry| match &entry.fact {
            JournalFact::RootChain(event) => Some((**event).clone()),
            _ => None,
        })
    }
}

#[derive(Clone, Debug)]
enum Step {
    Block(u64),
    Moved(u64),
    Deposit(u64),
    Exit(u8),
    Findings(std::collections::BTreeSet<u64>, bool),
    Restart,
    /// The node dies before what it decided is on disk.
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1..9_u64).prop_map(Step::Block),
        (1..9_u64).prop_map(Step::Moved),
        (1..9_u64).prop_map(Step::Deposit),
        (1..9_u8).prop_map(Step::Exit),
        (prop::collection::btree_set(0..5_u64, 0..5), any::<bool>())
            .prop_map(|(wrong, is_unsafe)| Step::Findings(wrong, is_unsafe)),
        Just(Step::Restart),
        Just(Step::Crash),
    ];
    prop::collection::vec(step, 0..60)
}

fn withheld(blknum: u64) -> ByzantineEvent {
    ByzantineEvent::BlockWithholding { blknum: Blknum::new(blknum), hash: H256::zero() }
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

fn fact(step: &Step) -> Option<JournalFact> {
    Some(match step {
        Step::Block(number) => JournalFact::Block(super::super::JournalBlock {
            blknum: Blknum::new(number * 1000),
            hash: BlockHash::zero(),
            tx_count: 1,
            eth_height: EthHeight::new(*number),
            timestamp_s: 1,
        }),
        Step::Moved(number) => JournalFact::BlockMoved {
            blknum: Blknum::new(number * 1000),
            eth_height: EthHeight::new(*number),
            timestamp_s: 2,
        },
        Step::Deposit(number) => root_chain(RootChainEvent::DepositCreated {
            depositor: Default::default(),
            blknum: Blknum::new(*number),
            currency: Default::default(),
            amount: 1.into(),
        }),
        Step::Exit(id) => {
            root_chain(RootChainEvent::ExitFinalized { exit_id: ExitId::from_bytes([*id; 20]) })
        }
        _ => return None,
    })
}

proptest! {
    #[test]
    fn the_journal_of_a_restarted_watcher_has_no_gap_and_tells_nothing_twice(steps in steps()) {
        let (mut disk, mut journal) = (Disk::default(), Journal::default());
        let mut expected = Vec::new();
        for (at_ms, step) in (0..).zip(&steps) {
            let mut updates = Vec::new();
            match step {
                Step::Restart => journal = Journal::restore(disk.record()),
                Step::Crash => {
                    journal.append(at_ms, fact(&Step::Exit(1)).unwrap(), &mut updates);
                    journal.on_findings(at_ms, [withheld(7)], (true, Blknum::new(1000)), &mut updates);
                    journal = Journal::restore(disk.record());
                }
                Step::Findings(wrong, is_unsafe) => {
                    let events = wrong.iter().copied().map(withheld);
                    let told = journal.on_findings(at_ms, events, (*is_unsafe, Blknum::new(1000)), &mut updates);
                    disk.commit(updates);
                    for one in &told {
                        let number = usize::try_from(one.sequence).unwrap();
                        let seq = disk.topics[&Topic::Byzantine][number - 1];
                        let entry = &disk.entries[usize::try_from(seq.0).unwrap() - 1];
                        let event = Box::new(one.event.clone());
                        prop_assert_eq!(&entry.fact, &JournalFact::Byzantine { change: one.change, event });
                    }
                    let open: Vec<_> = disk.open.values().cloned().collect();
                    let mut true_now: Vec<_> = wrong.iter().copied().map(withheld).collect();
                    true_now.sort();
                    let mut told_open = open.clone();
                    told_open.sort();
                    prop_assert_eq!(told_open, true_now, "what was told is what is true");
                    let status = disk.record().status.unwrap();
                    let count = u32::try_from(wrong.len()).unwrap();
                    prop_assert_eq!(status, ToldStatus { is_unsafe: *is_unsafe, byzantine_events: count });
                    let mut again = Vec::new();
                    let events = wrong.iter().copied().map(withheld);
                    let twice = Journal::restore(disk.record()).on_findings(at_ms, events, (*is_unsafe, Blknum::new(9000)), &mut again);
                    prop_assert_eq!((twice, again), (vec![], vec![]), "nothing is told twice");
                }
                other => {
                    let fact = fact(other).unwrap();
                    // The same exit event again is that of a transaction that a reorganisation moved.
                    let is_again = matches!(other, Step::Exit(_)) && expected.contains(&fact);
                    if !is_again {
                        expected.push(fact.clone());
                    }
                    journal.append(at_ms, fact, &mut updates);
                    disk.commit(updates);
                }
            }
            prop_assert_eq!(journal.head(), disk.record().head);
        }
        let happened = disk.entries.iter().map(|entry| &entry.fact).filter(|fact| {
            !matches!(fact, JournalFact::Byzantine { .. } | JournalFact::Status { .. })
        });
        prop_assert_eq!(happened.cloned().collect::<Vec<_>>(), expected, "each once, in order");
    }
}
