//! The watcher answers what its documents say, whatever it is asked, and what docs/api shows.

use crate::kit::{Watched, World, eventually};
use crate::operator::{Taking, hex};
use crate::users::{Who, deposit_tx, domain, output, pay, txhash, unsigned};
use Who::{Alice, Bob, Carol};
use plasma_core::root_chain::PiggybackSlot;
use plasma_core::wire::{Blknum, Block, ETH, ExitId, PaymentTx, SignedTx, Transaction, TxIndex};
use plasma_rpc::child_chain::SubmitAnswer;
use plasma_rpc::info::{FEES_HISTORY, FeeHistoryParams, Paging, TypedData};
use plasma_tests::openapi::{
    Driven, Known, check_examples, check_told, drive, drive_subscriptions,
};
use serde_json::json;
use std::net::SocketAddr;

/// A chain on which everything that can be asked for is there.
struct Scene {
    /// The root chain and the operator, which have to be there.
    world: World,
    watched: Watched,
    /// The one block.
    block: Block,
    /// Signed bytes of a payment that leaves in flight.
    in_flight: Box<[u8]>,
    /// Signed bytes of a payment that the child chain takes.
    payment: Box<[u8]>,
}

impl Scene {
    /// Alice paid Bob 6 of her deposit of 10 and exits it all the same; Bob exits what he got. Bob's own deposit of 5 is spent by a
    /// payment to Alice in a block, and by one to Carol that leaves in flight, joined by both of its owners.
    async fn new() -> Self {
        Self::in_world(World::new().await).await
    }

    async fn in_world(mut world: World) -> Self {
        let (alices, bobs) = (world.deposit(Alice, 10), world.deposit(Bob, 5));
        let watched = world.start().await;
        let paid = pay(&[(alices, Alice)], &[(Bob, 6), (Alice, 4)]);
        let block = world.block(vec![paid.clone(), pay(&[(bobs, Bob)], &[(Alice, 5)])]);
        watched.validated(block.number).await;
        let in_flight = pay(&[(bobs, Bob)], &[(Carol, 5)]);
        let tx = SignedTx::decode(&in_flight).unwrap();
        world.chain.exit_started(Alice.address(), alices, &deposit_tx(Alice, 10));
        world.chain.exit_started(Bob.address(), output(&block, 0, 0), &unsigned(&paid));
        world.chain.in_flight_exit_started(Carol.address(), &tx, &[deposit_tx(Bob, 5)]);
        world.chain.mine(1);
        world.chain.in_flight_piggybacked(&tx, PiggybackSlot::input(0), Bob.address());
        world.chain.in_flight_piggybacked(&tx, PiggybackSlot::output(0), Carol.address());
        world.chain.mine(2);
        watched.synced().await;
        watched.challengeable(alices).await;
        watched.events(&["invalid_exit", "invalid_piggyback", "non_canonical_ife"]).await;
        let payment = pay(&[(output(&block, 0, 1), Alice)], &[(Carol, 4)]);
        let (blknum, txindex) = (Blknum::new(2_000), TxIndex::new(0));
        let txhash = txhash(&payment);
        world.operator.take(Taking::Accepts(SubmitAnswer { blknum, txindex, txhash }));
        Self { world, watched, block, in_flight, payment }
    }

    fn known(&self) -> Known {
        let text = |text: &str| format!("\"{text}\"");
        let exit_id = ExitId::in_flight(&unsigned(&self.in_flight));
        let positions = ["1000000000", "2000000000", "1000000000000", "1000000000001"];
        [
            ("address", Who::ALL.map(|who| text(&hex(who.address().as_bytes()))).to_vec()),
            ("utxo_pos", positions.map(ToOwned::to_owned).to_vec()),
            ("exit_id", vec![exit_id.to_u256().to_string()]),
            ("txbytes", vec![text(&hex(&self.payment)), text(&hex(&unsigned(&self.in_flight)))]),
            ("transaction", vec![text(&hex(&self.payment))]),
            ("input_index", vec!["0".to_owned(), "1".to_owned()]),
            ("output_index", vec!["0".to_owned()]),
        ]
        .into()
    }

    fn known_to_info(&self) -> Known {
        let text = |text: &str| format!("\"{text}\"");
        let mut known = self.known();
        let alice = hex(Alice.address().as_bytes());
        let bob = hex(Bob.address().as_bytes());
        let zero = hex(ETH.as_bytes());
        let typed = TypedData::of(&payment_of(&self.payment), domain().verifying_contract());
        let signature = SignedTx::decode(&self.payment).unwrap().signatures().next().unwrap();
        let txhash = hex(txhash(&self.block.transactions[0]).as_bytes());
        let more = [
            ("owner", vec![text(&alice)]),
            ("currency", vec![text(&zero)]),
            ("amount", vec!["1".to_owned(), "7".to_owned()]),
            ("payments", vec![json!([{"amount": 6, "currency": zero, "owner": bob}]).to_string()]),
            ("fee", vec![json!({"currency": zero}).to_string()]),
            ("blknum", vec!["1000".to_owned()]),
            ("hash", vec![text(&hex(self.block.hash.as_bytes()))]),
            ("id", vec![text(&txhash)]),
            ("txhash", vec![text(&txhash)]),
            ("utxo_positions", vec!["[1000000000001,1000000010000]".to_owned()]),
            ("tx_types", vec!["[]".to_owned(), "[1]".to_owned()]),
            ("currencies", vec![format!("[\"{zero}\"]")]),
            ("domain", vec![serde_json::to_string(&typed.domain).unwrap()]),
            ("message", vec![serde_json::to_string(&typed.message).unwrap()]),
            ("signatures", vec![format!("[\"{}\"]", hex(signature.as_bytes()))]),
        ];
        known.extend(more);
        known
    }

    /// What names on the pages stand for.
    fn stands_for(&self) -> [(&'static str, String); 3] {
        [
            ("in_flight", hex(&unsigned(&self.in_flight))),
            ("payment", hex(&self.payment)),
            ("txhash", hex(txhash(&self.block.transactions[0]).as_bytes())),
        ]
    }

    async fn stop(self) {
        self.watched.stop().await;
    }
}

fn payment_of(signed: &[u8]) -> PaymentTx {
    match SignedTx::decode(signed).unwrap().transaction() {
        Transaction::Payment(payment) => payment.clone(),
        other => panic!("{other:?}"),
    }
}

/// The same, with all of it in a database.
struct InfoScene {
    scene: Scene,
    addr: SocketAddr,
    known: Known,
}

impl InfoScene {
    async fn new() -> Self {
        let scene = Scene::in_world(World::with_database().await).await;
        let watched = &scene.watched;
        // Whatever happened before is in the database when this is.
        watched.indexed(scene.world.deposit(Carol, 3)).await;
        let fees = FeeHistoryParams { currency: None, paging: Paging::first(1) };
        eventually("the fees are noted", async || {
            let noted = watched.info(&FEES_HISTORY, &fees).await.ok()?;
            (!noted.data.is_empty()).then_some(())
        })
        .await;
        let (addr, known) = (watched.info_addr.unwrap(), scene.known_to_info());
        Self { scene, addr, known }
    }
}

#[actix::test]
async fn no_request_gets_an_answer_that_is_not_documented() {
    let scene = Scene::new().await;
    let driven = drive("watcher", scene.watched.addr, &scene.known()).await;
    assert_answered(&driven, &WITHOUT_ANSWER);
    scene.stop().await;
}

#[actix::test]
async fn no_request_for_information_gets_an_answer_that_is_not_documented() {
    let info = InfoScene::new().await;
    let driven = drive("watcher-info", info.addr, &info.known).await;
    assert_answered(&driven, &WITHOUT_ANSWER);
    info.scene.stop().await;
}

#[actix::test]
async fn no_subscriber_is_told_what_is_not_documented() {
    let info = InfoScene::new().await;
    let mut known = info.known;
    let alice = hex(Alice.address().as_bytes());
    let topics =
        ["byzantine", "blocks", "deposits", "exits", "status", &format!("transfer:{alice}")];
    known.insert("topic", topics.map(|topic| format!("\"{topic}\"")).to_vec());
    let starts = [
        "null",
        r#"{"sequence":1}"#,
        r#"{"sequence":2}"#,
        r#"{"sequence":18446744073709551615}"#,
        r#"{"blknum":0}"#,
        r#"{"blknum":1000}"#,
        r#"{"blknum":18446744073709551615}"#,
    ];
    known.insert("from", starts.map(ToOwned::to_owned).to_vec());
    known.insert("subscription", (1..9).map(|id| format!("\"{id}\"")).collect());
    for (document, addr) in [("watcher-info", info.addr), ("watcher", info.scene.watched.addr)] {
        let subscribed = drive_subscriptions(document, addr, &known).await;
        assert!(subscribed.calls > 500 && subscribed.granted > 100, "{subscribed:?}");
        // The block, three deposits, and what happened to three exits, at least.
        assert!(subscribed.events > 10, "{subscribed:?}");
        assert!(subscribed.streams > 1_000 && subscribed.opened > 50, "{subscribed:?}");
    }
    info.scene.stop().await;
}

/// What this chain has no answer for: a Sentinel, and proof about a payment that is in no block.
const WITHOUT_ANSWER: [&str; 3] = [
    "/in_flight_exit.get_output_challenge_data",
    "/in_flight_exit.prove_canonical",
    "/sentinel.get",
];

/// Every other method has said yes, so that answers of all of them were judged.
fn assert_answered(driven: &Driven, without: &[&str]) {
    assert!(driven.requests > 1_000, "{driven:?}");
    for (path, successes) in &driven.successes {
        assert_eq!(*successes > 0, !without.contains(&path.as_str()), "{path}: {driven:?}");
    }
}

/// How far the root chain is when the question comes, and when a watcher saw something, is nobody's promise.
const VOLATILE: [&str; 10] = [
    "height",
    "last_seen_eth_block_number",
    "last_seen_eth_block_timestamp",
    "eta_s",
    "eta_eth_height",
    "until_eth_height",
    "advice",
    "at",
    "inserted_at",
    "updated_at",
];

#[actix::test]
async fn the_examples_of_the_pages_are_what_it_answers() {
    let scene = Scene::new().await;
    let (addr, names) = (scene.watched.addr, scene.stands_for());
    let shown = check_examples("watcher", 7_434, addr, &names, &VOLATILE).await;
    assert!(shown.examples > 10, "{shown:?}");
    let shown = check_told("watcher", 7_434, addr, &VOLATILE).await;
    assert!(shown.examples > 1, "{shown:?}");
    scene.stop().await;
}

#[actix::test]
async fn the_examples_for_information_are_what_it_answers() {
    let info = InfoScene::new().await;
    let names = info.scene.stands_for();
    let shown = check_examples("watcher-info", 7_534, info.addr, &names, &VOLATILE).await;
    assert!(shown.examples > 10, "{shown:?}");
    info.scene.stop().await;
}
