//! What a watcher tells the outside: all that happened, once, in order, also across restarts, and only what is on disk.

use crate::kit::{Watched, World, soon};
use crate::users::{Who, deposit_tx, output, pay, txhash, unsigned};
use Who::{Alice, Bob, Carol};
use plasma_core::byzantine::ByzantineEvent;
use plasma_core::db_update::{BlockHeader, StateUpdate};
use plasma_core::eventer::Change;
use plasma_core::journal::{JournalBlock, JournalEntry, JournalFact, JournalSeq, Topic};
use plasma_core::root_chain::{EthEvent, RootChainEvent};
use plasma_core::wire::{Blknum, EthHeight, ExitId, H256, SignedTx, UtxoPos};
use plasma_eth::Orphaned;
use plasma_rpc::server::EventLog;
use plasma_store::Store;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use watcher::{JournalNews, Node, SetupError, StoredEvents};

/// A journal, topic by topic, without the times of its own clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) blocks: Vec<JournalBlock>,
    pub(crate) deposits: Vec<EthEvent>,
    pub(crate) exits: Vec<EthEvent>,
    pub(crate) moved: Vec<(Blknum, EthHeight)>,
    conditions: Vec<(Change, ByzantineEvent)>,
    statuses: Vec<(bool, u32)>,
    /// Numbers of transfers by account, with their places.
    transfers: BTreeMap<&'static str, Vec<(u64, Blknum, u32)>>,
}

impl Told {
    /// Everything in a store, of which all numbers are checked.
    pub(crate) fn of(store: &Store) -> Self {
        let entries = store.journal_after(JournalSeq(0), usize::MAX).unwrap();
        let mut told = Self::default();
        let mut topics: BTreeMap<Topic, Vec<JournalEntry>> = BTreeMap::new();
        for ((seq, entry), expected) in entries.into_iter().zip(1..) {
            assert_eq!(seq, JournalSeq(expected), "there is a gap");
            if let Some(topic) = entry.fact.topic() {
                topics.entry(topic).or_default().push(entry.clone());
            }
            told.take(entry.fact);
        }
        for (topic, entries) in topics {
            let numbered: Vec<_> = (1..).zip(entries).collect();
            assert_eq!(store.topic_after(topic, 0, usize::MAX).unwrap(), numbered);
        }
        for (name, who) in [("Alice", Alice), ("Bob", Bob), ("Carol", Carol)] {
            let transfers = store.transfers_after(who.address(), 0, usize::MAX).unwrap();
            let places = transfers
                .into_iter()
                .map(|(number, transfer)| (number, transfer.at.blknum, transfer.at.txindex.get()));
            told.transfers.insert(name, places.collect());
        }
        told
    }

    fn take(&mut self, fact: JournalFact) {
        match fact {
            JournalFact::Block(block) => self.blocks.push(block),
            JournalFact::BlockMoved { blknum, eth_height, .. } => {
                self.moved.push((blknum, eth_height));
            }
            JournalFact::RootChain(event) => match event.event {
                RootChainEvent::DepositCreated { .. } => self.deposits.push(*event),
                _ => self.exits.push(*event),
            },
            JournalFact::Byzantine { change, event } => self.conditions.push((change, *event)),
            JournalFact::Status { is_unsafe, byzantine_events, .. } => {
                self.statuses.push((is_unsafe, byzantine_events));
            }
        }
    }

    /// What does not depend on who was faster: services follow the root chain side by side, and conditions are looked at when there is
    /// time.
    pub(crate) fn happened(&self) -> (Vec<JournalBlock>, Vec<EthEvent>, Vec<EthEvent>) {
        let mut exits = self.exits.clone();
        exits.sort_by_key(|event| (event.eth_height, event.log_index));
        (self.blocks.clone(), self.deposits.clone(), exits)
    }

    /// Names of conditions that came and went.
    fn conditions(&self) -> Vec<(Change, &'static str)> {
        self.conditions.iter().map(|(change, event)| (*change, event.name())).collect()
    }
}

/// What a process that has stopped left behind.
async fn told(world: &World) -> Told {
    Told::of(&world.open_store().await)
}

/// The first events of a stream, each with its topic.
async fn hear(watched: &Watched, query: &str, count: usize) -> Vec<(String, Value)> {
    let url = format!("http://{}/events?{query}", watched.addr);
    let mut answer = soon("a stream", reqwest::Client::new().get(url).send()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let (mut text, mut heard) = (String::new(), Vec::new());
    while heard.len() < count {
        let chunk = soon("an event", answer.chunk()).await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((message, rest)) = text.split_once("\n\n") {
            let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name));
            if let (Some(topic), Some(data)) = (field("event: "), field("data: ")) {
                heard.push((topic.to_owned(), serde_json::from_str(data).unwrap()));
            }
            text = rest.to_owned();
        }
    }
    heard
}

/// An invalid exit and an in-flight exit that come and go, deposits and blocks between them. `disturb` happens between any two steps.
async fn a_story(disturb: impl AsyncFn(&World, Watched) -> Watched) -> (World, Told) {
    let mut world = World::new().await;
    let deposit = world.deposit(Alice, 10);
    let mut watched = world.start().await;
    let to_bob = pay(&[(deposit, Alice)], &[(Bob, 6), (Alice, 4)]);
    let block = world.block(vec![to_bob]);
    watched.validated(block.number).await;
    watched = disturb(&world, watched).await;

    world.chain.exit_started(Alice.address(), deposit, &deposit_tx(Alice, 10));
    world.chain.mine(1);
    watched.events(&["invalid_exit"]).await;
    watched = disturb(&world, watched).await;

    let other = world.deposit(Carol, 3);
    let in_flight = pay(&[(other, Carol)], &[(Bob, 3)]);
    let signed = SignedTx::decode(&in_flight).unwrap();
    world.chain.in_flight_exit_started(Carol.address(), &signed, &[deposit_tx(Carol, 3)]);
    world.chain.mine(1);
    watched.events(&["invalid_exit", "piggyback_available"]).await;
    watched = disturb(&world, watched).await;

    world.chain.exit_challenged(deposit);
    world.chain.mine(1);
    watched.events(&["piggyback_available"]).await;
    watched = disturb(&world, watched).await;

    let exit_id = ExitId::in_flight(&unsigned(&in_flight));
    world.chain.event(RootChainEvent::InFlightExitDeleted { exit_id });
    world.chain.mine(1);
    watched.events(&[]).await;
    watched = disturb(&world, watched).await;

    let block = world.block(vec![pay(&[(output(&block, 0, 0), Bob)], &[(Carol, 6)])]);
    watched.validated(block.number).await;
    let carols = format!("topics=transfer:{:?}&from=sequence:1", Carol.address());
    hear(&watched, &carols, 2).await;
    watched.stop().await;
    let told = told(&world).await;
    (world, told)
}

#[actix::test]
async fn all_that_happens_is_in_the_journal_once() {
    let (_, told) = a_story(async |_, watched| watched).await;
    let heights: Vec<_> = told.blocks.iter().map(|block| block.blknum.get()).collect();
    assert_eq!(heights, [1000, 2000]);
    let kinds: Vec<_> = told.deposits.iter().map(|event| &event.event).collect();
    assert!(
        matches!(kinds[..], [
            RootChainEvent::DepositCreated { blknum: first, .. },
            RootChainEvent::DepositCreated { blknum: second, .. },
        ] if (first.get(), second.get()) == (1, 1001)),
        "{kinds:?}"
    );
    let exits: Vec<_> = told.exits.iter().map(|event| event.event.kind()).collect();
    use plasma_core::root_chain::EventKind::{
        ExitChallenged, ExitStarted, InFlightExitDeleted, InFlightExitStarted,
    };
    assert_eq!(exits, [ExitStarted, InFlightExitStarted, ExitChallenged, InFlightExitDeleted]);
    use Change::{Appeared, Resolved};
    let conditions = [
        (Appeared, "invalid_exit"),
        (Appeared, "piggyback_available"),
        (Resolved, "invalid_exit"),
        (Resolved, "piggyback_available"),
    ];
    assert_eq!(told.conditions(), conditions);
    assert_eq!(told.statuses, [(false, 0), (false, 1), (false, 2), (false, 1), (false, 0)]);
    assert_eq!(told.moved, []);
    let place = |number, blknum, txindex| (number, Blknum::new(blknum), txindex);
    assert_eq!(told.transfers["Alice"], [place(1, 1, 0), place(2, 1000, 0)]);
    assert_eq!(told.transfers["Bob"], [place(1, 1000, 0), place(2, 2000, 0)]);
    assert_eq!(told.transfers["Carol"], [place(1, 1001, 0), place(2, 2000, 0)]);
}

#[actix::test]
async fn a_watcher_that_is_restarted_all_the_time_tells_what_one_that_is_not_tells() {
    let (_, undisturbed) = a_story(async |_, watched| watched).await;
    let restart = async |world: &World, watched: Watched| world.restart(watched).await;
    let crash = async |_: &World, mut watched: Watched| {
        watched.crash("guard").await;
        watched.synced().await;
        watched.crash("transfers").await;
        watched
    };
    let (_, restarted) = a_story(restart).await;
    let (_, crashed) = a_story(crash).await;
    for disturbed in [restarted, crashed] {
        assert_eq!(disturbed.happened(), undisturbed.happened());
        assert_eq!(disturbed.conditions, undisturbed.conditions);
        assert_eq!(disturbed.statuses, undisturbed.statuses);
        assert_eq!(disturbed.transfers, undisturbed.transfers);
    }
}

/// Kills come between any two commits: whenever another block or two are in the ledger, while events are read and transfers indexed.
#[actix::test]
async fn a_watcher_that_dies_again_and_again_while_it_catches_up_leaves_nothing_out() {
    const BLOCKS: u64 = 16;
    let mut world = World::new().await;
    let mut unspent = world.deposit(Alice, 10);
    let people = [Alice, Bob];
    for round in 0..BLOCKS {
        let (from, to) = (people[round as usize % 2], people[(round as usize + 1) % 2]);
        let other = world.deposit(Carol, 1);
        let block = world.block(vec![
            pay(&[(unspent, from)], &[(to, 10)]),
            pay(&[(other, Carol)], &[(Alice, 1)]),
        ]);
        world.chain.exit_started(Carol.address(), other, &deposit_tx(Carol, 1));
        unspent = output(&block, 0, 0);
    }
    world.chain.mine(2);
    let carols = format!("topics=transfer:{:?}&from=sequence:1", Carol.address());
    let transfers = usize::try_from(BLOCKS).unwrap() * 2;
    let mut catch_up = Vec::new();
    for dies in [true, false] {
        let mut watched = world.launch().await;
        for round in (1..BLOCKS).step_by(3).filter(|_| dies) {
            watched.validated(Blknum::new(round * 1000)).await;
            watched.crash(if round % 2 == 0 { "transfers" } else { "guard" }).await;
        }
        watched.synced().await;
        hear(&watched, &carols, transfers).await;
        watched.stop().await;
        catch_up.push(told(&world).await);
        drop(world.another_folder());
    }
    let [disturbed, undisturbed] = &catch_up[..] else { panic!("two") };
    assert_eq!(disturbed.happened(), undisturbed.happened());
    assert_eq!(disturbed.exits.len(), transfers / 2);
    // Deposits and blocks may be told in another order, so numbers of transfers may differ. There are no others, and none is missing.
    for (who, transfers) in &disturbed.transfers {
        let places = |transfers: &[(u64, Blknum, u32)]| {
            let numbers = transfers.iter().map(|(number, _, _)| *number);
            assert!(numbers.eq(1..=transfers.len() as u64), "{who}");
            let places = transfers.iter().map(|(_, blknum, txindex)| (*blknum, *txindex));
            places.collect::<std::collections::BTreeSet<_>>()
        };
        let found = places(transfers);
        assert_eq!(found.len(), transfers.len(), "{who}: nothing twice");
        assert_eq!(found, places(&undisturbed.transfers[who]), "{who}");
    }
}

#[actix::test]
async fn what_is_resolved_while_a_watcher_is_away_is_told_when_it_is_back() {
    let mut world = World::new().await;
    let deposit = world.deposit(Alice, 10);
    let watched = world.start().await;
    let block = world.block(vec![pay(&[(deposit, Alice)], &[(Bob, 10)])]);
    watched.validated(block.number).await;
    world.chain.exit_started(Alice.address(), deposit, &deposit_tx(Alice, 10));
    world.chain.mine(1);
    watched.events(&["invalid_exit"]).await;
    watched.stop().await;
    world.chain.exit_challenged(deposit);
    world.chain.mine(1);
    let watched = world.start().await;
    watched.events(&[]).await;
    watched.stop().await;
    let told = told(&world).await;
    let expected = [(Change::Appeared, "invalid_exit"), (Change::Resolved, "invalid_exit")];
    assert_eq!(told.conditions(), expected);
    assert_eq!(told.conditions[0].1, told.conditions[1].1, "the same condition");
}

#[actix::test]
async fn a_fault_makes_the_chain_unsafe_once() {
    let mut world = World::new().await;
    let watched = world.start().await;
    let mut lie = world.next_block(vec![]);
    lie.transactions = vec![pay(&[(output(&lie, 0, 0), Carol)], &[(Carol, 1)])];
    world.operator.serve(lie.hash, &lie);
    world.submit(lie.hash);
    watched.events(&["invalid_block"]).await;
    let watched = world.restart(watched).await;
    watched.events(&["invalid_block"]).await;
    watched.stop().await;
    let told = told(&world).await;
    assert_eq!(told.conditions(), [(Change::Appeared, "invalid_block")]);
    assert_eq!(told.statuses, [(false, 0), (true, 1)]);
    assert_eq!(told.blocks, []);
}

#[actix::test]
async fn a_block_that_a_reorganisation_moves_is_told_to_be_elsewhere_also_after_a_restart() {
    for is_away in [false, true] {
        let mut world = World::new().await;
        let deposit = world.deposit(Alice, 10);
        let watched = world.start().await;
        let block = world.block(vec![pay(&[(deposit, Alice)], &[(Bob, 10)])]);
        watched.validated(block.number).await;
        let before = world.chain.newest_block().eth_height;
        let still_there = if is_away {
            watched.stop().await;
            None
        } else {
            Some(watched)
        };
        world.chain.reorg(1, Orphaned::Dropped);
        world.forget_from(block.number);
        world.chain.mine(2);
        let watched = match still_there {
            Some(watched) => watched,
            None => world.start().await,
        };
        world.submit(block.hash);
        let after = world.chain.newest_block();
        watched.assert_quiet().await;
        watched.stop().await;
        let store = world.open_store().await;
        let told = Told::of(&store);
        let [journaled] = &told.blocks[..] else { panic!("{:?}", told.blocks) };
        assert_eq!(journaled.eth_height, before);
        assert_eq!(told.moved, [(block.number, after.eth_height)], "away: {is_away}");
        let at = store.submitted_at(block.number).unwrap().unwrap();
        assert_eq!((at.eth_height, at.timestamp_s), (after.eth_height, after.timestamp_s));
    }
}

#[actix::test]
async fn a_deposit_that_a_reorganisation_moves_is_told_once() {
    let mut world = World::new().await;
    let deposit = world.deposit(Alice, 10);
    let watched = world.start().await;
    let block = world.block(vec![pay(&[(deposit, Alice)], &[(Bob, 10)])]);
    watched.validated(block.number).await;
    world.chain.reorg(4, Orphaned::Dropped);
    world.forget_from(block.number);
    assert_eq!(world.deposit(Alice, 10), deposit, "the same deposit, in another block");
    world.chain.mine(4);
    world.submit(block.hash);
    watched.assert_quiet().await;
    watched.stop().await;
    let told = Told::of(&world.open_store().await);
    assert_eq!(told.deposits.len(), 1, "{:?}", told.deposits);
}

#[actix::test]
async fn a_store_from_before_the_journal_is_refused() {
    let world = World::new().await;
    let header = BlockHeader { number: Blknum::new(1000), hash: H256::zero(), tx_count: 0 };
    world.open_store().await.commit(&[StateUpdate::PutBlock(header, vec![]).into()]).unwrap();
    let refused = Node::start(world.setup().await).await.err().unwrap();
    assert!(matches!(refused, SetupError::NoJournal), "{refused}");
    assert!(refused.to_string().contains("fresh data folder"), "{refused}");
}

#[actix::test]
async fn subscribers_are_told_as_documented_and_from_anywhere_on() {
    let (world, _) = a_story(async |_, watched| watched).await;
    let watched = world.start().await;
    let (alice, bob) = (Alice.address(), Bob.address());
    let heard = hear(&watched, &format!("topics=transfer:{bob:?}&from=sequence:1"), 2).await;
    let [(topic, first), (_, second)] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(*topic, format!("transfer:{bob:?}"));
    let tx = pay(&[(UtxoPos::deposit(Blknum::new(1)), Alice)], &[(Bob, 6), (Alice, 4)]);
    let eth = format!("0x{}", "00".repeat(20));
    let of = |utxo_pos: u64, owner, amount: u64| json!({"utxo_pos": utxo_pos, "owner": format!("{owner:?}"), "currency": eth, "amount": amount});
    let expected = json!({
        "type": "payment", "txhash": format!("{:?}", txhash(&tx)), "blknum": 1000, "txindex": 0,
        "inputs": [of(1_000_000_000, alice, 10)],
        "outputs": [of(1_000_000_000_000, bob, 6), of(1_000_000_000_001, alice, 4)],
        "metadata": format!("{:?}", H256::zero()),
    });
    assert_eq!((&first["sequence"], &first["data"]), (&json!(1), &expected));
    assert_eq!((&second["sequence"], &second["data"]["blknum"]), (&json!(2), &json!(2000)));

    let all = "topics=blocks,byzantine,deposits,exits,status&from=sequence:1";
    let heard = hear(&watched, all, 17).await;
    let of = |topic: &str| -> Vec<&Value> {
        let of_topic = heard.iter().filter(|(of, _)| of == topic);
        let events: Vec<_> = of_topic.map(|(_, event)| event).collect();
        for (event, number) in events.iter().zip(1..) {
            assert_eq!(event["sequence"], json!(number), "{topic}");
        }
        events.into_iter().map(|event| &event["data"]).collect()
    };
    let names: Vec<_> = of("exits").iter().map(|data| data["event"].as_str().unwrap()).collect();
    let expected =
        ["exit_started", "in_flight_exit_started", "exit_challenged", "in_flight_exit_deleted"];
    assert_eq!(names, expected);
    assert_eq!(of("exits")[0]["exit_id"], of("exits")[2]["exit_id"], "a challenge names its exit");
    assert_eq!(of("byzantine")[0]["event"]["details"]["name"], "invalid_exit");
    assert_eq!(of("byzantine")[2]["change"], "resolved");
    assert_eq!(of("status")[4]["is_safe"], true);
    assert_eq!(of("deposits")[1]["utxo_pos"], json!(1_001_000_000_000_u64));
    assert_eq!(of("blocks")[1]["tx_count"], 1);

    // From a block on, and only news.
    let heard = hear(&watched, "topics=blocks&from=blknum:1001", 1).await;
    assert_eq!(heard[0].1["data"]["blknum"], 2000);
    watched.stop().await;

    let log = StoredEvents::new(world.open_store().await, JournalNews::default());
    for (topic, blknum, before) in [
        (Topic::Blocks, 2000, 1),
        (Topic::Deposits, 1001, 1),
        (Topic::Transfer(bob), 1000, 0),
        (Topic::Transfer(bob), 2000, 1),
        (Topic::Transfer(bob), 3000, 2),
        (Topic::Exits, 1000, 0),
        (Topic::Exits, 2000, 4),
    ] {
        let found = log.before_block(&topic, Blknum::new(blknum)).unwrap();
        assert_eq!(found, before, "{topic:?} from {blknum}");
    }
    assert_eq!(log.head(&Topic::Transfer(bob)).unwrap(), 2);
    assert_eq!(log.read(&Topic::Transfer(bob), 2, 10).unwrap().len(), 0);
}

#[actix::test]
async fn news_reach_a_subscriber_who_waits() {
    let mut world = World::new().await;
    let deposit = world.deposit(Alice, 10);
    let watched = world.start().await;
    let carol = Carol.address();
    let query = format!("topics=transfer:{carol:?},blocks&from=sequence:1");
    let listening = hear(&watched, &query, 2);
    let paying = async {
        let block = world.block(vec![pay(&[(deposit, Alice)], &[(Carol, 10)])]);
        watched.validated(block.number).await;
    };
    let (heard, ()) = futures::join!(listening, paying);
    let mut topics: Vec<_> = heard.iter().map(|(topic, _)| topic.as_str()).collect();
    topics.sort_unstable();
    assert_eq!(topics, ["blocks", format!("transfer:{carol:?}").as_str()]);
    watched.stop().await;
}
