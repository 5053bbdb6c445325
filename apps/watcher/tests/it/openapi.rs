//! The watcher answers what its documents say, whatever it is asked, and what docs/api shows.

use crate::info::fake::FakeDb;
use crate::kit::{Watched, World, eventually};
use crate::operator::{Taking, hex};
use crate::users::{Who, at, deposit_tx, domain, output, pay, txhash, unsigned};
use Who::{Alice, Bob, Carol};
use plasma_core::root_chain::PiggybackSlot;
use plasma_core::wire::{
    Blknum, Block as CoreBlock, ETH, EthHeight, ExitId, H256, OutputIndex, PaymentTx, SignedTx,
    Transaction, TxIndex, UtxoPos,
};
use plasma_rpc::child_chain::SubmitAnswer;
use plasma_rpc::info::{Block, Deposit, DepositEvent, Tx, TypedData, UtcTime, Utxo};
use plasma_tests::openapi::{Driven, Known, check_examples, drive};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;

/// A chain on which everything that can be asked for is there.
struct Scene {
    /// The root chain and the operator, which have to be there.
    _world: World,
    watched: Watched,
    /// The one block.
    block: CoreBlock,
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
        Self { _world: world, watched, block, in_flight, payment }
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

    fn known_to_info(&self, tx: &Tx) -> Known {
        let text = |text: &str| format!("\"{text}\"");
        let mut known = self.known();
        let alice = hex(Alice.address().as_bytes());
        let bob = hex(Bob.address().as_bytes());
        let zero = hex(ETH.as_bytes());
        let typed = TypedData::of(&payment_of(&self.payment), domain().verifying_contract());
        let signature = SignedTx::decode(&self.payment).unwrap().signatures().next().unwrap();
        let more = [
            ("owner", vec![text(&alice)]),
            ("currency", vec![text(&zero)]),
            ("amount", vec!["1".to_owned(), "7".to_owned()]),
            ("payments", vec![json!([{"amount": 6, "currency": zero, "owner": bob}]).to_string()]),
            ("fee", vec![json!({"currency": zero}).to_string()]),
            ("blknum", vec!["1000".to_owned()]),
            ("id", vec![text(&hex(tx.txhash.as_bytes()))]),
            ("txhash", vec![text(&hex(tx.txhash.as_bytes()))]),
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

/// When a row was written.
const NOTED: UtcTime = UtcTime(1_700_000_060);

fn payment_of(signed: &[u8]) -> PaymentTx {
    match SignedTx::decode(signed).unwrap().transaction() {
        Transaction::Payment(payment) => payment.clone(),
        other => panic!("{other:?}"),
    }
}

/// The same with a database that has the payments, Alice's outputs, and the deposit she spent.
struct InfoScene {
    scene: Scene,
    addr: SocketAddr,
    known: Known,
}

impl InfoScene {
    async fn new() -> Self {
        let mut world = World::new().await;
        let db = Arc::new(FakeDb::default());
        world.config.info.listen = ([127, 0, 0, 1], 0).into();
        world.info = Some(db.clone());
        let scene = Scene::in_world(world).await;
        let at = |txindex, oindex| at(Blknum::new(1_000), txindex, oindex);
        db.utxo(at(0, 1), Alice, ETH, 4);
        db.utxo(at(1, 0), Alice, ETH, 5);
        let block = Block {
            blknum: Blknum::new(1_000),
            hash: scene.block.hash,
            eth_height: EthHeight::new(5),
            timestamp: 1_700_000_060,
            tx_count: 2,
            inserted_at: NOTED,
            updated_at: NOTED,
        };
        let deposit = db.change(|rows| {
            let output = rows.utxos[&at(0, 1)].clone();
            let spent = Some(txhash(&scene.block.transactions[0]));
            Utxo {
                blknum: Blknum::new(1),
                oindex: OutputIndex::new(0),
                amount: 10.into(),
                spending_txhash: spent,
                utxo_pos: UtxoPos::deposit(Blknum::new(1)),
                ..output
            }
        });
        let tx = db.change(|rows| Tx {
            txindex: TxIndex::new(0),
            txhash: txhash(&scene.block.transactions[0]),
            txtype: 1,
            txbytes: scene.block.transactions[0].to_vec(),
            metadata: Some(H256::zero()),
            block: block.clone(),
            inputs: vec![deposit.clone()],
            outputs: vec![rows.utxos[&at(0, 1)].clone()],
            inserted_at: NOTED,
            updated_at: NOTED,
        });
        let known = scene.known_to_info(&tx);
        db.change(|rows| {
            rows.txs.push(tx);
            rows.blocks.push(block);
            rows.deposits.push(Deposit {
                event_type: DepositEvent::Deposit,
                root_chain_txhash: H256::repeat_byte(0xde),
                log_index: 0,
                eth_height: EthHeight::new(1),
                txoutputs: vec![deposit.clone()],
                inserted_at: NOTED,
                updated_at: NOTED,
            });
            rows.utxos.insert(deposit.utxo_pos, deposit);
        });
        let noted = async || db.change(|rows| !rows.fees.is_empty()).then_some(());
        eventually("the fees are noted", noted).await;
        let addr = scene.watched.info_addr.unwrap();
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
const VOLATILE: [&str; 9] = [
    "height",
    "last_seen_eth_block_number",
    "last_seen_eth_block_timestamp",
    "eta_s",
    "eta_eth_height",
    "until_eth_height",
    "advice",
    "at",
    "inserted_at",
];

#[actix::test]
async fn the_examples_of_the_pages_are_what_it_answers() {
    let scene = Scene::new().await;
    let (addr, names) = (scene.watched.addr, scene.stands_for());
    let shown = check_examples("watcher", 7_434, addr, &names, &VOLATILE).await;
    assert!(shown.examples > 10, "{shown:?}");
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
