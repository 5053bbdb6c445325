//! The operator's node answers what its documents say, whatever it is asked, and what docs/api shows.

use crate::api::hex;
use crate::kit::{Operator, World};
use crate::wallet::{alice, output, payment, to_bob};
use plasma_core::wire::{H256, UtxoPos};
use plasma_tests::openapi::{Known, check_examples, drive};

/// A node with one block, and a deposit that is still there.
struct Scene {
    world: World,
    operator: Operator,
    block_hash: H256,
    deposit: UtxoPos,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let operator = world.start().await;
        let owners = [alice().address(), alice().address()];
        let deposits = world.deposit(&operator, &owners, 10).await;
        let accepted = operator.submit(&to_bob(deposits[0], 10)).await.unwrap();
        world.mined(output(&accepted).blknum).await;
        let block_hash = world.roots().await[&accepted.blknum];
        Self { world, operator, block_hash, deposit: deposits[1] }
    }

    fn payment(&self) -> String {
        hex(&payment(&alice(), &[self.deposit], &[(alice().address(), 9)]))
    }
}

#[actix::test]
async fn no_request_gets_an_answer_that_is_not_documented() {
    let scene = Scene::new().await;
    let text = |text: &str| format!("\"{text}\"");
    let known: Known = [
        ("hash", vec![text(&hex(scene.block_hash.as_bytes()))]),
        ("transaction", vec![text(&scene.payment())]),
    ]
    .into();
    let driven = drive("child-chain", scene.operator.addr, &known).await;
    assert!(driven.requests > 500, "{driven:?}");
    assert!(driven.successes.values().all(|successes| *successes > 0), "{driven:?}");
    scene.operator.stop().await;
    drop(scene.world);
}

#[actix::test]
async fn the_examples_of_the_pages_are_what_it_answers() {
    let scene = Scene::new().await;
    let stands_for =
        [("payment", scene.payment()), ("block_hash", hex(scene.block_hash.as_bytes()))];
    let addr = scene.operator.addr;
    let shown = check_examples("child-chain", 9_656, addr, &stands_for, &["updated_at"]).await;
    assert!(shown.examples > 3, "{shown:?}");
    scene.operator.stop().await;
    drop(scene.world);
}
