//! Operators who lie: the right event is told, it stays, nobody is helped to spend, and everybody is helped to leave.

use crate::kit::{E, Watcher, World, alice, bob, key, pos, until};
use plasma_core::wire::{Block, H256, SignedTx, UtxoPos};
use plasma_rpc::watcher::ByzantineEvent;
use serde_json::json;

/// What is wrong with the second block.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lie {
    /// The root is of something else.
    WrongRoot,
    /// The answer says it is another block.
    WrongHash,
    /// The answer says it is another number.
    WrongNumber,
    /// The last transaction is not signed.
    Unsigned,
    /// One spends what was spent before.
    DoubleSpend,
    /// One makes more than it takes.
    Inflation,
    /// The block is not shown.
    Silence,
}

/// The first block pays Bob; in the second, Bob pays Carol, and something is wrong.
struct Scene {
    world: World,
    kept: UtxoPos,
    /// Somebody signs it away in the second block, if that is the lie.
    lost: UtxoPos,
    of_bob: UtxoPos,
    by_bob: Vec<u8>,
    to_bob: Vec<u8>,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let deposit = world.deposit(&alice(), 10);
        let (kept, lost) = (world.deposit(&alice(), 5), world.deposit(&key(5), 5));
        let to_bob = world.pay(&[(deposit, &alice())], &[(bob().address(), 10)]);
        let of_bob = pos(1000, 0, 0);
        let by_bob = world.pay(&[(of_bob, &bob())], &[(key(3).address(), 10)]);
        let mut scene = Self { world, kept, lost, of_bob, by_bob, to_bob };
        scene.world.block(&[scene.to_bob.clone()]);
        scene
    }

    fn lie(&mut self, lie: Lie) {
        let world = &self.world;
        let mut transactions = vec![self.by_bob.clone()];
        transactions.extend(match lie {
            Lie::DoubleSpend => {
                Some(world.pay(&[(pos(1, 0, 0), &alice())], &[(key(4).address(), 10)]))
            }
            Lie::Inflation => Some(world.pay(&[(self.lost, &key(5))], &[(key(4).address(), 50)])),
            Lie::Unsigned => {
                let signed = world.pay(&[(self.lost, &key(5))], &[(key(4).address(), 5)]);
                let signed = SignedTx::decode(&signed).unwrap();
                Some(signed.transaction().encode_signed(&[]))
            }
            _ => None,
        });
        let block = world.next_block(&transactions);
        let submitted = if lie == Lie::WrongRoot { H256::repeat_byte(7) } else { block.hash };
        let served = match lie {
            Lie::WrongRoot => Some(Block { hash: submitted, ..block }),
            Lie::WrongHash => Some(Block { hash: H256::repeat_byte(8), ..block }),
            Lie::WrongNumber => Some(Block { number: Default::default(), ..block }),
            Lie::Silence => None,
            _ => Some(block),
        };
        self.world.submit(submitted, served);
    }
}

fn error_type(event: &ByzantineEvent) -> &str {
    match event {
        ByzantineEvent::InvalidBlock(block) => &block.error_type,
        other => panic!("{other:?}"),
    }
}

/// Everything that has to go on after a fault at block 2000.
async fn check_service(scene: &Scene, watcher: &Watcher) {
    watcher.applied(scene.of_bob.blknum).await;
    let payment = json!({ "transaction": format!("0x{}", hex(&scene.by_bob)) });
    assert_eq!(watcher.call("transaction.submit", &payment).await.unwrap_err(), "chain:unsafe");
    let batch = json!({ "transactions": [] });
    assert_eq!(watcher.call("transaction.batch_submit", &batch).await.unwrap_err(), "chain:unsafe");
    assert_eq!(scene.world.operator.submitted(), [] as [Vec<u8>; 0]);
    assert!(watcher.exit_data(scene.of_bob).await.is_ok());
    assert!(watcher.exit_data(scene.kept).await.is_ok());
    assert_eq!(watcher.exitable(&alice()).await, [scene.kept]);
    assert_eq!(watcher.exit_data(pos(2000, 0, 0)).await.unwrap_err(), "exit:invalid");
    let status = watcher.status().await;
    assert_eq!(status.last_validated_child_block_number.get(), 1000);
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn check(lie: Lie, expected: &str) {
    let mut scene = Scene::new().await;
    if lie == Lie::Silence {
        scene.world.config.withholding_ms_max = 200;
    }
    let watcher = scene.world.watch().await;
    scene.lie(lie);
    let name = if lie == Lie::Silence { "block_withholding" } else { "invalid_block" };
    let found = watcher.events(&[(name, 2000)]).await;
    if lie != Lie::Silence {
        assert_eq!(error_type(&found[0]), expected, "{lie:?}");
    }
    check_service(&scene, &watcher).await;

    // Whoever exits what Bob signed away in that block can be challenged, and Alice cannot.
    let exited = scene.world.exit(scene.of_bob, &scene.to_bob);
    scene.world.exit_deposit(scene.kept, &alice(), 5);
    scene.world.root_chain.mine(E + 1);
    let position = scene.of_bob.encode();
    if lie == Lie::Silence {
        watcher.caught_up(&scene.world).await;
        assert_eq!(
            watcher.challenge_data(scene.of_bob).await.unwrap_err(),
            "challenge:utxo_not_spent"
        );
        // The block turns up after all: it is evidence, and the alarm stays.
        let late = scene.world.late_block(&[scene.by_bob.clone()]);
        scene.world.operator.serve(late.hash, late);
    }
    watcher.events(&[("invalid_exit", position), (name, 2000)]).await;
    let challenge = watcher.challenge_data(scene.of_bob).await.unwrap();
    assert_eq!(challenge.exit_id, exited);
    let spend = SignedTx::decode(&scene.by_bob).unwrap();
    assert_eq!(challenge.txbytes, spend.unsigned_bytes());
    assert_eq!(watcher.challenge_data(scene.kept).await.unwrap_err(), "challenge:utxo_not_spent");
    watcher.stop().await;

    let watcher = scene.world.watch().await;
    watcher.events(&[("invalid_exit", position), (name, 2000)]).await;
    // Later blocks are evidence as well, and the root chain is still read.
    let by_alice = scene.world.pay(&[(scene.kept, &alice())], &[(bob().address(), 5)]);
    scene.world.block(&[by_alice]);
    let kept = scene.kept.encode();
    let both = [("invalid_exit", position), ("invalid_exit", kept), (name, 2000)];
    watcher.events(&both).await;
    scene.world.root_chain.exit_challenged(scene.of_bob);
    scene.world.root_chain.mine(E + 1);
    watcher.events(&[("invalid_exit", kept), (name, 2000)]).await;
    watcher.stop().await;
}

#[actix::test]
async fn a_block_with_another_root_is_invalid() {
    check(Lie::WrongRoot, "incorrect_hash").await;
}

#[actix::test]
async fn an_answer_about_another_block_is_invalid() {
    check(Lie::WrongHash, "bad_returned_hash").await;
    check(Lie::WrongNumber, "bad_returned_number").await;
}

#[actix::test]
async fn a_block_with_an_unsigned_payment_is_invalid() {
    check(Lie::Unsigned, "missing_signature").await;
}

#[actix::test]
async fn a_block_that_spends_twice_is_invalid() {
    check(Lie::DoubleSpend, "tx_execution").await;
}

#[actix::test]
async fn a_block_that_makes_money_is_invalid() {
    check(Lie::Inflation, "tx_execution").await;
}

#[actix::test]
async fn a_block_that_is_not_shown_is_withheld() {
    check(Lie::Silence, "").await;
}

#[actix::test]
async fn a_crash_right_after_a_fault_does_not_forget_it() {
    let mut scene = Scene::new().await;
    scene.lie(Lie::DoubleSpend);
    let mut watcher = scene.world.watch().await;
    for actor in ["guard", "block_getter", "eventer"] {
        watcher.events(&[("invalid_block", 2000)]).await;
        assert!(watcher.tree.crash(actor));
        watcher.tree.wait_down().await;
        until("the tree", async || watcher.tree.get()).await;
        // Before anything was downloaded again, the fault is known.
        watcher.events(&[("invalid_block", 2000)]).await;
        check_service(&scene, &watcher).await;
    }
    watcher.stop().await;
}
