//! An operator who does not show a block: for how long that is an outage, and what it is after that.
//!
//! Everything short of an answer in the shape of a block counts as not showing it: an error, JSON of another kind, no answer, no
//! HTTP at all. It heals until the deadline and never after it (docs/protocol/watching.md, W5 and below).

use crate::kit::{Watched, World, code, eventually};
use crate::operator::Serving;
use crate::users::{Who, assert_challenges, deposit_tx, output, pay};
use Who::{Alice, Bob, Carol};
use plasma_core::wire::{Block, UtxoPos};
use plasma_rpc::watcher::ByzantineEvent;
use serde_json::{Value, json};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long the watchers of this file wait for a block.
const SHORT_MS: u64 = 300;

async fn is_withheld(watched: &Watched, block: &Block) {
    let events = watched.events(&["block_withholding"]).await;
    let [ByzantineEvent::BlockWithholding(event)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((event.blknum, event.hash), (block.number, block.hash));
}

async fn a_valid_block(world: &mut World, watched: &Watched) -> (UtxoPos, Block) {
    let deposit = world.deposit(Alice, 10);
    let valid = world.block(vec![pay(&[(deposit, Alice)], &[(Bob, 10)])]);
    watched.validated(valid.number).await;
    (output(&valid, 0, 0), valid)
}

/// Whatever is answered in place of a block, the block is withheld when the time is up, without any further root chain block.
async fn check(what: &str, serving: Option<Serving>) {
    let mut world = World::with_patience_ms(SHORT_MS).await;
    world.config.download_ms_max = 100;
    let watched = world.start().await;
    let (bobs, valid) = a_valid_block(&mut world, &watched).await;
    let block = world.next_block(vec![pay(&[(bobs, Bob)], &[(Carol, 10)])]);
    if let Some(serving) = serving {
        world.operator.answer(block.hash, serving);
    }
    let submitted = Instant::now();
    world.submit(block.hash);
    is_withheld(&watched, &block).await;
    let waited_ms = submitted.elapsed().as_millis();
    assert!(waited_ms >= u128::from(SHORT_MS), "{what}: only {waited_ms} ms");
    assert_eq!(watched.status().await.last_validated_child_block_number, valid.number);
    let payment = pay(&[(bobs, Bob)], &[(Carol, 10)]);
    assert_eq!(code(watched.submit(&payment).await.unwrap_err()), "chain:unsafe", "{what}");
    assert!(watched.exit_data(bobs).await.is_ok(), "{what}");
    assert_eq!(watched.exitable_positions(Bob).await, [bobs], "{what}");
    watched.stop().await;
}

#[actix::test]
async fn a_block_that_is_not_there_is_withheld() {
    check("an error", None).await;
}

#[actix::test]
async fn a_block_that_never_arrives_is_withheld() {
    check("silence", Some(Serving::Hangs)).await;
}

#[actix::test]
async fn an_answer_that_is_no_block_withholds_it() {
    let hash = format!("0x{}", "11".repeat(32));
    let answers: [Value; 5] = [
        json!(null),
        json!([]),
        json!({"blknum": 2_000, "hash": "0x00", "transactions": []}),
        json!({"blknum": -1, "hash": hash, "transactions": "none"}),
        json!("x".repeat(1_000_000)),
    ];
    for answer in answers {
        check("other JSON", Some(Serving::Json(answer))).await;
    }
}

#[actix::test]
async fn an_operator_who_talks_nonsense_or_never_stops_talking_withholds_blocks() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endless =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"success\":true,\"data\":\"";
    let nonsense: [&'static [u8]; 3] = [b"\xff\xfe\x00\x00 no HTTP at all \r\n\r\n", b"", endless];
    let mut world = World::with_patience_ms(SHORT_MS).await;
    world.config.download_ms_max = 100;
    world.config.child_chain_url = format!("http://{}", listener.local_addr().unwrap());
    let talk = tokio::task::spawn_local(async move {
        for round in 0.. {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::task::spawn_local(async move {
                let mut request = [0; 4_096];
                let _ = socket.read(&mut request).await;
                let text = nonsense[round % 3];
                let _ = socket.write_all(text).await;
                while text == endless && socket.write_all(&[b'x'; 65_536]).await.is_ok() {}
            });
        }
    });
    let watched = world.start().await;
    let deposit = world.deposit(Alice, 10);
    let block = world.block(vec![pay(&[(deposit, Alice)], &[(Bob, 10)])]);
    is_withheld(&watched, &block).await;
    assert_eq!(watched.exitable_positions(Alice).await, [deposit]);
    watched.stop().await;
    talk.abort();
}

#[actix::test]
async fn a_block_that_appears_before_the_deadline_is_no_fault() {
    let mut world = World::new().await;
    let watched = world.start().await;
    let (bobs, _) = a_valid_block(&mut world, &watched).await;
    let late = world.next_block(vec![pay(&[(bobs, Bob)], &[(Carol, 10)])]);
    world.submit(late.hash);
    let next = world.block(vec![pay(&[(output(&late, 0, 0), Carol)], &[(Alice, 10)])]);
    // Later blocks wait for it, and nobody else waits for them.
    world.chain.mine(1);
    watched
        .until("the submissions are seen", |status| {
            status.last_mined_child_block_number == next.number
        })
        .await;
    assert_eq!(watched.status().await.byzantine_events, []);
    world.operator.serve(late.hash, &late);
    let status = watched.validated(next.number).await;
    assert_eq!(status.byzantine_events, []);
    assert_eq!(watched.exitable_positions(Alice).await, [output(&next, 0, 0)]);
    watched.stop().await;
}

#[actix::test]
async fn a_withheld_block_that_appears_after_the_deadline_is_evidence_and_nothing_else() {
    let mut world = World::with_patience_ms(SHORT_MS).await;
    let mut watched = world.start().await;
    let (bobs, valid) = a_valid_block(&mut world, &watched).await;
    let mine = world.deposit(Alice, 5);
    let spends = vec![pay(&[(bobs, Bob)], &[(Carol, 10)]), pay(&[(mine, Alice)], &[(Carol, 5)])];
    let withheld = world.next_block(spends);
    world.submit(withheld.hash);
    is_withheld(&watched, &withheld).await;
    world.chain.exit_started(Alice.address(), mine, &deposit_tx(Alice, 5));
    world.chain.mine(1);
    watched.synced().await;
    assert_eq!(code(watched.challenge_data(mine).await.unwrap_err()), "challenge:utxo_not_spent");

    world.operator.serve(withheld.hash, &withheld);
    assert_challenges(&watched.challengeable(mine).await, mine, Alice);
    watched.events(&["invalid_exit", "block_withholding"]).await;
    assert_eq!(watched.exitable_positions(Bob).await, []);
    watched = world.restart(watched).await;
    let status = watched.status().await;
    assert_eq!(status.last_validated_child_block_number, valid.number);
    watched.events(&["invalid_exit", "block_withholding"]).await;
    assert_challenges(&watched.challenge_data(mine).await.unwrap(), mine, Alice);
    watched.stop().await;
    // Somebody who trusts the operator again starts with an empty store, and finds no fault.
    drop(world.another_folder());
    let watched = world.start().await;
    watched.validated(withheld.number).await;
    watched.events(&["invalid_exit"]).await;
    watched.stop().await;
}

#[actix::test]
async fn blocks_after_a_withheld_one_are_searched_for_evidence() {
    let mut world = World::with_patience_ms(SHORT_MS).await;
    let watched = world.start().await;
    let (bobs, _) = a_valid_block(&mut world, &watched).await;
    let withheld = world.next_block(vec![]);
    world.submit(withheld.hash);
    is_withheld(&watched, &withheld).await;
    let later = world.block(vec![pay(&[(bobs, Bob)], &[(Carol, 10)])]);
    world.chain.mine(1);
    eventually("the spend is known", async || {
        watched.exitable_positions(Bob).await.is_empty().then_some(())
    })
    .await;
    assert_eq!(watched.exitable_positions(Carol).await, [], "{later:?} is not in the ledger");
    is_withheld(&watched, &withheld).await;
    watched.stop().await;
}
