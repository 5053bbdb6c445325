//! Every method over real HTTP: what it says to input of every wrong kind, and what it forwards.

use crate::kit::{Watched, World, code, post};
use crate::operator::{Taking, hex};
use crate::users::{Who, output, pay};
use Who::{Alice, Bob, Carol};
use plasma_core::wire::{Blknum, Block, SignedTx, TxIndex};
use plasma_rpc::child_chain::{BatchItem, BatchSubmitParams, SubmitAnswer};
use plasma_rpc::client::ClientError;
use plasma_rpc::watcher::TRANSACTION_BATCH_SUBMIT;
use serde_json::{Value, json};

/// Sends a body and returns status, code, and `parameter validator` of a parameter that failed.
async fn ask(watched: &Watched, path: &str, body: &str) -> (u16, String, String) {
    let (status, text) = post(watched.addr, path, body).await;
    let answer: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path}: {text}"));
    let data = &answer["data"];
    let failed = &data["messages"]["validation_error"];
    let shown = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let failed = format!("{} {}", shown(&failed["parameter"]), shown(&failed["validator"]));
    (status, shown(&data["code"]), failed.trim().to_owned())
}

async fn check(watched: &Watched, path: &str, body: &str, expected: (u16, &str, &str)) {
    let (status, code, failed) = ask(watched, path, body).await;
    let shown = body.get(..80).unwrap_or(body);
    assert_eq!((status, code.as_str(), failed.as_str()), expected, "{path} {shown}");
}

const METHODS: [(&str, &str, &str); 12] = [
    ("status.get", "", ""),
    ("account.get_exitable_utxos", "address", ":hex"),
    ("block.validate", "hash", ":hex"),
    ("utxo.get_exit_data", "utxo_pos", ":integer"),
    ("utxo.get_challenge_data", "utxo_pos", ":integer"),
    ("transaction.submit", "transaction", ":hex"),
    ("transaction.batch_submit", "transactions", ":list"),
    ("in_flight_exit.get_data", "txbytes", ":hex"),
    ("in_flight_exit.get_competitor", "txbytes", ":hex"),
    ("in_flight_exit.prove_canonical", "txbytes", ":hex"),
    (INPUT_CHALLENGE, "txbytes", ":hex"),
    (OUTPUT_CHALLENGE, "txbytes", ":hex"),
];

const INPUT_CHALLENGE: &str = "in_flight_exit.get_input_challenge_data";
const OUTPUT_CHALLENGE: &str = "in_flight_exit.get_output_challenge_data";

#[actix::test]
async fn malformed_missing_and_wrongly_typed_input_gets_the_documented_error() {
    let world = World::new().await;
    let watched = world.start().await;
    for (path, parameter, validator) in METHODS {
        check(&watched, path, "{nope", (400, "operation:bad_request", "")).await;
        check(&watched, path, "\u{0}\u{1}", (400, "operation:bad_request", "")).await;
        if parameter.is_empty() {
            continue;
        }
        let failed = format!("{parameter} {validator}");
        let bad = (200, "operation:bad_request", failed.as_str());
        check(&watched, path, "", bad).await;
        check(&watched, path, "{}", bad).await;
        check(&watched, path, "[]", bad).await;
        for value in ["null", "true", "{}", "1.5", "\"zz\"", "-0.0", "\"0xzz\""] {
            check(&watched, path, &format!("{{\"{parameter}\":{value}}}"), bad).await;
        }
    }
    for (path, body, failed) in [
        ("account.get_exitable_utxos", json!({"address": "0x12"}), "address {:length, 20}"),
        ("block.validate", json!({"hash": "0x12"}), "hash {:length, 32}"),
        ("utxo.get_exit_data", json!({"utxo_pos": 0}), "utxo_pos {:greater, 0}"),
        ("utxo.get_exit_data", json!({"utxo_pos": -1}), "utxo_pos {:greater, 0}"),
        ("utxo.get_exit_data", json!({"utxo_pos": "1"}), "utxo_pos :integer"),
        ("utxo.get_challenge_data", json!({"utxo_pos": 0}), "utxo_pos {:greater, 0}"),
        ("transaction.batch_submit", json!({"transactions": [1]}), "transactions.transaction :hex"),
        (INPUT_CHALLENGE, json!({"txbytes": "0x"}), "input_index :integer"),
        (INPUT_CHALLENGE, json!({"txbytes": "0x", "input_index": "0"}), "input_index :integer"),
        (
            INPUT_CHALLENGE,
            json!({"txbytes": "0x", "input_index": -1}),
            "input_index {:greater, -1}",
        ),
        (OUTPUT_CHALLENGE, json!({"txbytes": "0x", "output_index": 0.5}), "output_index :integer"),
        (
            OUTPUT_CHALLENGE,
            json!({"txbytes": "0x", "output_index": -1}),
            "output_index {:greater, -1}",
        ),
    ] {
        let bad = (200, "operation:bad_request", failed);
        check(&watched, path, &body.to_string(), bad).await;
    }
    let beyond = format!("{{\"utxo_pos\": 1{}}}", "0".repeat(78));
    for path in ["utxo.get_exit_data", "utxo.get_challenge_data"] {
        check(&watched, path, &beyond, (200, "operation:bad_request", "utxo_pos :integer")).await;
    }
    check(&watched, "block.get", "{}", (200, "operation:not_found", "")).await;
    check(&watched, "configuration.get", "{}", (200, "operation:not_found", "")).await;
    watched.stop().await;
}

#[actix::test]
async fn requests_larger_than_a_method_takes_are_refused() {
    let world = World::new().await;
    let watched = world.start().await;
    let junk = format!("{{\"junk\":\"{}\"}}", "x".repeat(70_000));
    for (path, ..) in METHODS {
        if ["block.validate", "transaction.batch_submit"].contains(&path) {
            continue;
        }
        check(&watched, path, &junk, (413, "operation:request_too_large", "")).await;
    }
    let junk = "x".repeat(15_400_000);
    let too_large = (413, "operation:request_too_large", "");
    check(&watched, "transaction.batch_submit", &junk, too_large).await;
    assert!(world.operator.behaviour.taken.lock().unwrap().is_empty());
    watched.assert_quiet().await;
    watched.stop().await;
}

#[actix::test]
async fn positions_nobody_knows_get_the_documented_error() {
    let mut world = World::new().await;
    let deposit = world.deposit(Alice, 10);
    let block = world.block(vec![pay(&[(deposit, Alice)], &[(Bob, 10)])]);
    let watched = world.start().await;
    watched.validated(block.number).await;
    let bobs = output(&block, 0, 0).encode();
    let all_ones = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    for position in [
        1.to_string(),                  // block 0
        (bobs + 1).to_string(),         // no such output
        (bobs + 10_000).to_string(),    // no such transaction
        deposit.encode().to_string(),   // spent, by a deposit
        (bobs + 9_999).to_string(),     // beyond the outputs of any transaction
        (bobs * 1_000_000).to_string(), // no such block
        u128::MAX.to_string(),
        all_ones.to_owned(),
    ] {
        let body = format!("{{\"utxo_pos\": {position}}}");
        check(&watched, "utxo.get_exit_data", &body, (200, "exit:invalid", "")).await;
        let none = (200, "challenge:exit_not_found", "");
        check(&watched, "utxo.get_challenge_data", &body, none).await;
    }
    let stranger = json!({"address": format!("0x{}", "77".repeat(20))}).to_string();
    check(&watched, "account.get_exitable_utxos", &stranger, (200, "", "")).await;
    watched.stop().await;
}

#[actix::test]
async fn transactions_that_cannot_be_valid_are_refused_before_the_operator_sees_them() {
    let world = World::new().await;
    let deposit = world.deposit(Alice, 10);
    let watched = world.start().await;
    let good = pay(&[(deposit, Alice)], &[(Bob, 10)]);
    let signed = SignedTx::decode(&good).unwrap();
    let unsigned = signed.transaction().encode_signed(&[]);
    let twice: Vec<_> = signed.signatures().chain(signed.signatures()).collect();
    let twice = signed.transaction().encode_signed(&twice);
    let claim = plasma_core::wire::Transaction::fee_claim(
        Blknum::new(1_000),
        Alice.address(),
        plasma_core::wire::ETH,
        1.into(),
    );
    let claim = claim.encode_signed(&[]);
    for (bytes, expected) in [
        (vec![], "submit:malformed_transaction"),
        (vec![0xc0], "submit:malformed_transaction"),
        (good[..good.len() - 1].to_vec(), "submit:malformed_transaction_rlp"),
        (unsigned, "submit_typed:missing_signature"),
        (twice, "submit_typed:superfluous_signature"),
        (claim, "submit:transaction_not_supported"),
    ] {
        let body = json!({"transaction": hex(&bytes)}).to_string();
        check(&watched, "transaction.submit", &body, (200, expected, "")).await;
    }
    assert!(world.operator.behaviour.taken.lock().unwrap().is_empty());
    watched.stop().await;
}

#[actix::test]
async fn what_the_operator_answers_is_handed_on() {
    let mut world = World::new().await;
    let deposit = world.deposit(Alice, 10);
    let watched = world.start().await;
    let payment = pay(&[(deposit, Alice)], &[(Bob, 10)]);
    let txhash = crate::users::txhash(&payment);
    let accepted = SubmitAnswer { blknum: Blknum::new(1_000), txindex: TxIndex::new(3), txhash };
    world.operator.take(Taking::Accepts(accepted));
    assert_eq!(watched.submit(&payment).await.unwrap(), accepted);
    let batch = BatchSubmitParams { transactions: vec![payment.to_vec(), vec![1, 2, 3]] };
    let answer = watched.call(&TRANSACTION_BATCH_SUBMIT, &batch).await.unwrap();
    assert_eq!(answer, vec![BatchItem::Accepted(accepted); 2]);
    assert_eq!(world.operator.behaviour.taken.lock().unwrap().len(), 3);
    assert_eq!(world.operator.behaviour.taken.lock().unwrap()[2], [1, 2, 3], "unchecked");

    world.operator.take(Taking::Refuses("fees_not_covered"));
    let ClientError::Api(refused) = watched.submit(&payment).await.unwrap_err() else {
        panic!("no refusal");
    };
    assert_eq!(refused.code, "submit:client_error");
    let messages: Value = serde_json::from_str(refused.messages.unwrap().get()).unwrap();
    let expected =
        json!({"object": "error", "code": "submit:fees_not_covered", "description": null});
    assert_eq!(messages, expected);
    let answer = watched.call(&TRANSACTION_BATCH_SUBMIT, &batch).await.unwrap();
    assert_eq!(answer, vec![BatchItem::Refused { error: "fees_not_covered".to_owned() }; 2]);

    world.operator.go_away().await;
    assert_eq!(code(watched.submit(&payment).await.unwrap_err()), "submit:host_unreachable");
    let unreachable = watched.call(&TRANSACTION_BATCH_SUBMIT, &batch).await.unwrap_err();
    assert_eq!(code(unreachable), "batch_submit:host_unreachable");
    watched.stop().await;
}

#[actix::test]
async fn blocks_are_validated_without_the_ledger() {
    let world = World::new().await;
    let watched = world.start().await;
    let first = pay(&[(output_of(7_000), Alice)], &[(Bob, 10)]);
    let second = pay(&[(output_of(8_000), Alice)], &[(Carol, 10)]);
    let good = world.next_block(vec![first.clone(), second.clone()]);
    let twice = world.next_block(vec![first.clone(), first.clone()]);
    let empty = world.next_block(vec![]);
    let other_root = Block { hash: empty.hash, ..good.clone() };
    let garbled = Block { transactions: vec![first, Box::from([1, 2, 3])], ..good.clone() };
    for (block, is_valid) in
        [(good, true), (twice, false), (empty, false), (other_root, false), (garbled, false)]
    {
        let body = json!({
            "hash": format!("{:?}", block.hash),
            "number": block.number.get(),
            "transactions": block.transactions.iter().map(|bytes| hex(bytes)).collect::<Vec<_>>(),
        });
        let (status, text) = post(watched.addr, "block.validate", body.to_string()).await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &answer["data"]), (200, &json!({ "valid": is_valid })), "{body}");
    }
    watched.stop().await;
}

fn output_of(blknum: u64) -> plasma_core::wire::UtxoPos {
    crate::users::at(Blknum::new(blknum), 0, 0)
}
