//! The watcher answers what its documents say, whatever it is asked, and what docs/api shows.

use crate::kit::{Watched, World};
use crate::operator::{Taking, hex};
use crate::users::{Who, deposit_tx, output, pay, txhash, unsigned};
use Who::{Alice, Bob, Carol};
use plasma_core::root_chain::PiggybackSlot;
use plasma_core::wire::{Blknum, ExitId, SignedTx, TxIndex};
use plasma_rpc::child_chain::SubmitAnswer;
use plasma_tests::openapi::{Known, check_examples, drive};

/// A chain on which everything that can be asked for is there.
struct Scene {
    world: World,
    watched: Watched,
    /// Signed bytes of a payment that leaves in flight.
    in_flight: Box<[u8]>,
    /// Signed bytes of a payment that the child chain takes.
    payment: Box<[u8]>,
}

impl Scene {
    /// Alice paid Bob 6 of her deposit of 10 and exits it all the same; Bob exits what he got. Bob's own deposit of 5 is spent by a
    /// payment to Alice in a block, and by one to Carol that leaves in flight, joined by both of its owners.
    async fn new() -> Self {
        let mut world = World::new().await;
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
        Self { world, watched, in_flight, payment }
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
}

#[actix::test]
async fn no_request_gets_an_answer_that_is_not_documented() {
    let scene = Scene::new().await;
    let driven = drive("watcher", scene.watched.addr, &scene.known()).await;
    assert!(driven.requests > 1_000, "{driven:?}");
    // What this chain has no answer for: a Sentinel, and proof that an output of a payment in no block was spent.
    let without = [
        "/in_flight_exit.get_output_challenge_data",
        "/in_flight_exit.prove_canonical",
        "/sentinel.get",
    ];
    for (path, successes) in &driven.successes {
        assert_eq!(*successes > 0, !without.contains(&path.as_str()), "{path}: {driven:?}");
    }
    scene.watched.stop().await;
    drop(scene.world);
}

#[actix::test]
async fn the_examples_of_the_pages_are_what_it_answers() {
    let scene = Scene::new().await;
    let stands_for =
        [("in_flight", hex(&unsigned(&scene.in_flight))), ("payment", hex(&scene.payment))];
    // How far the root chain is when the question comes is nobody's promise.
    let volatile = [
        "height",
        "last_seen_eth_block_number",
        "last_seen_eth_block_timestamp",
        "eta_s",
        "eta_eth_height",
        "until_eth_height",
        "advice",
    ];
    let shown = check_examples("watcher", 7_434, scene.watched.addr, &stands_for, &volatile).await;
    assert!(shown.examples > 10, "{shown:?}");
    scene.watched.stop().await;
    drop(scene.world);
}
