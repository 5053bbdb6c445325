//! What every method answers to everything that can be wrong with a request, over real HTTP and in both envelopes.

use crate::kit::{Operator, World, get, post};
use crate::wallet::{self, alice, bob};
use plasma_core::wire::{Blknum, ETH, H256, SignedTx, Transaction, UtxoPos};
use serde_json::{Value, json};

const BAD_REQUEST: &str = "operation:bad_request";

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{digits}")
}

/// Sends a body and checks the status and the code of the refusal; returns the refusal.
async fn check(operator: &Operator, path: &str, body: &str, status: u16, code: &str) -> Value {
    let (found, text) = post(operator.addr, path, body).await;
    let shown = &body[..body.len().min(200)];
    let answer: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path}: {text}"));
    assert_eq!((found, &answer["data"]["code"]), (status, &json!(code)), "{path} {shown}: {text}");
    assert_eq!((&answer["success"], &answer["data"]["object"]), (&json!(false), &json!("error")));
    assert_eq!(answer["service_name"], "child_chain", "{path} {shown}");
    assert_eq!(answer["version"], "0.1.0+0000000");
    answer["data"].clone()
}

/// The same for a parameter that fails a validator.
async fn check_param(
    operator: &Operator,
    path: &str,
    body: &str,
    parameter: &str,
    validator: &str,
) {
    let refusal = check(operator, path, body, 200, BAD_REQUEST).await;
    let found = &refusal["messages"]["validation_error"];
    assert_eq!(found, &json!({ "parameter": parameter, "validator": validator }), "{path} {body}");
}

/// What a method answers that does not refuse.
async fn answer(operator: &Operator, path: &str, body: &str) -> Value {
    let (status, text) = post(operator.addr, path, body).await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &answer["success"]), (200, &json!(true)), "{path} {body}: {text}");
    answer["data"].clone()
}

fn submit(transaction: &[u8]) -> String {
    json!({ "transaction": hex(transaction) }).to_string()
}

fn submit_batch(transactions: &[&[u8]]) -> String {
    let transactions: Vec<String> = transactions.iter().map(|bytes| hex(bytes)).collect();
    json!({ "transactions": transactions }).to_string()
}

#[actix::test]
async fn requests_that_are_none_are_refused_by_every_method() {
    let world = World::new().await;
    let operator = world.start().await;
    for path in ["block.get", "transaction.submit", "transaction.batch_submit", "fees.all"] {
        for body in ["{", "\"", "{\"a\":}", "\u{0}"] {
            check(&operator, path, body, 400, BAD_REQUEST).await;
        }
    }
    for path in ["block.get", "transaction.submit", "fees.all"] {
        let long = format!(r#"{{"pad":"{}"}}"#, "x".repeat(64 * 1024));
        check(&operator, path, &long, 413, "operation:request_too_large").await;
    }
    check(&operator, "block.put", "{}", 200, "operation:not_found").await;
    check(&operator, "configuration.get", "{}", 200, "operation:not_found").await;
    check_param(&operator, "block.get", "{}", "hash", ":hex").await;
    check_param(&operator, "block.get", r#"{"hash":7}"#, "hash", ":hex").await;
    check_param(&operator, "block.get", r#"{"hash":null}"#, "hash", ":hex").await;
    check_param(&operator, "block.get", r#"{"hash":"0x0g"}"#, "hash", ":hex").await;
    check_param(&operator, "block.get", r#"{"hash":"00"}"#, "hash", ":hex").await;
    check_param(&operator, "block.get", r#"{"hash":"0x00"}"#, "hash", "{:length, 32}").await;
    for body in ["{}", r#"{"transaction":[]}"#, r#"{"transaction":"0x0"}"#] {
        check_param(&operator, "transaction.submit", body, "transaction", ":hex").await;
    }
    for body in ["{}", r#"{"transactions":"0x00"}"#, r#"{"transactions":{}}"#] {
        check_param(&operator, "transaction.batch_submit", body, "transactions", ":list").await;
    }
    let body = r#"{"transactions":["0x00","zz"]}"#;
    let parameter = "transactions.transaction";
    check_param(&operator, "transaction.batch_submit", body, parameter, ":hex").await;
    let body = r#"{"currencies":["0x00"]}"#;
    check_param(&operator, "fees.all", body, "currencies.currency", "{:length, 20}").await;
    let body = r#"{"tx_types":["1"]}"#;
    check_param(&operator, "fees.all", body, "tx_types.tx_type", ":integer").await;
    operator.stop().await;
}

#[actix::test]
async fn transactions_are_refused_with_the_code_of_the_rule_they_break() {
    let world = World::new().await;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address(); 3], 10).await;
    let unsigned = wallet::unsigned(&deposited[..1], &[(bob().address(), 9)]);
    let not_signed = SignedTx::new(Transaction::Payment(unsigned.clone()), &[]).unwrap();
    let by_bob = SignedTx::sign_payment(unsigned, &[&bob()], &wallet::domain()).unwrap();
    let claim = Transaction::fee_claim(Blknum::new(1_000), alice().address(), ETH, wallet::wei(1));
    let claim = SignedTx::new(claim, &[]).unwrap();
    let unknown = wallet::to_bob(UtxoPos::deposit(Blknum::new(77)), 10);
    let ahead = wallet::to_bob(UtxoPos::deposit(Blknum::new(77_001)), 10);
    let pays = |left| wallet::payment(&alice(), &deposited[..1], &[(bob().address(), left)]);
    let merge = wallet::payment(&alice(), &deposited[..2], &[(alice().address(), 19)]);
    let (free, dear, minting) = (pays(10), pays(8), pays(11));
    let cases: [(&[u8], &str); 12] = [
        (&[], "malformed_transaction"),
        (&[0xff, 0xff], "malformed_transaction_rlp"),
        (&[0xc0], "malformed_transaction"),
        (claim.as_bytes(), "transaction_not_supported"),
        (not_signed.as_bytes(), "missing_signature"),
        (by_bob.as_bytes(), "unauthorized_spend"),
        (&unknown, "utxo_not_found"),
        (&ahead, "input_utxo_ahead_of_state"),
        (&free, "fees_not_covered"),
        (&dear, "overpaying_fees"),
        (&merge, "overpaying_fees"),
        (&minting, "amounts_do_not_add_up"),
    ];
    for (transaction, reason) in cases {
        let code = format!("submit:{reason}");
        let refusal =
            check(&operator, "transaction.submit", &submit(transaction), 200, &code).await;
        assert_eq!(refusal["description"], Value::Null);
    }
    let accepted = operator.submit(&wallet::to_bob(deposited[0], 10)).await.unwrap();
    assert_eq!(accepted.txindex.get(), 0, "something refused took a place");
    world.check(&operator, &[accepted]).await;
    operator.stop().await;
}

#[actix::test]
async fn one_bad_transaction_fails_a_batch_and_one_refused_by_the_ledger_only_itself() {
    let world = World::new().await;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address(); 2], 10).await;
    let good = wallet::to_bob(deposited[0], 10);
    let unsigned = wallet::unsigned(&deposited[1..], &[(bob().address(), 9)]);
    let not_signed = SignedTx::new(Transaction::Payment(unsigned), &[]).unwrap();
    let claim = Transaction::fee_claim(Blknum::new(1_000), alice().address(), ETH, wallet::wei(1));
    let claim = SignedTx::new(claim, &[]).unwrap();
    let path = "transaction.batch_submit";
    let cases: [(&[u8], &str); 3] = [
        (&[0xc0], "malformed_transaction"),
        (not_signed.as_bytes(), "missing_signature"),
        (claim.as_bytes(), "transaction_not_supported"),
    ];
    for (bad, reason) in cases {
        let code = format!("submit_batch:{reason}");
        check(&operator, path, &submit_batch(&[&good, bad]), 200, &code).await;
    }
    assert_eq!(answer(&operator, path, r#"{"transactions":[]}"#).await, json!([]));
    let other = wallet::to_bob(deposited[1], 10);
    let items = answer(&operator, path, &submit_batch(&[&good, &good, &other])).await;
    let accepted = |index: u32, bytes: &[u8]| {
        let txhash = hex(wallet::decode(bytes).hash().as_bytes());
        json!({ "blknum": 1_000, "txindex": index, "txhash": txhash })
    };
    let expected = json!([accepted(0, &good), { "error": "utxo_not_found" }, accepted(1, &other)]);
    assert_eq!(items, expected);
    operator.stop().await;
}

#[actix::test]
async fn fees_are_filtered_and_unknown_ones_are_refused() {
    let world = World::new().await;
    let operator = world.start().await;
    let eth = format!("0x{}", "00".repeat(20));
    let all = json!({ "1": [{
        "currency": eth, "amount": 1, "subunit_to_unit": 1_000_000, "pegged_currency": null,
        "pegged_amount": null, "pegged_subunit_to_unit": null, "updated_at": "2026-01-02T03:04:05Z",
    }] });
    let filtered = json!({ "currencies": [eth], "tx_types": [1], "id": 7 }).to_string();
    for body in ["{}", r#"{"currencies":[],"tx_types":null}"#, &filtered] {
        assert_eq!(answer(&operator, "fees.all", body).await, all, "{body}");
    }
    let unknown = format!(r#"{{"currencies":["0x{}"]}}"#, "11".repeat(20));
    check(&operator, "fees.all", &unknown, 200, "fee:currency_fee_not_supported").await;
    let body = r#"{"tx_types":[2]}"#;
    check(&operator, "fees.all", body, 200, "fee:tx_type_not_supported").await;
    operator.stop().await;
}

#[actix::test]
async fn blocks_configuration_alarms_health_and_metrics_are_served() {
    let world = World::new().await;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address()], 10).await;
    let unknown = json!({ "hash": hex(H256::repeat_byte(9).as_bytes()) }).to_string();
    let refusal = check(&operator, "block.get", &unknown, 200, "get_block:not_found").await;
    assert_eq!(refusal["description"], Value::Null);

    let payment = wallet::to_bob(deposited[0], 10);
    let accepted = operator.submit(&payment).await.unwrap();
    let block = world.check(&operator, &[accepted]).await.remove(0);
    let hash = hex(block.hash.as_bytes());
    let claim = hex(&block.transactions[1]);
    let expected = json!({ "blknum": 1_000, "hash": hash, "transactions": [hex(&payment), claim] });
    let body = json!({ "hash": hash }).to_string();
    assert_eq!(answer(&operator, "//block.get", &body).await, expected);

    let served = |data: &str| {
        format!(
            r#"{{"version":"0.1.0+0000000","success":true,"data":{data},"service_name":"child_chain"}}"#
        )
    };
    let configuration = r#"{"deposit_finality_margin":1,"contract_semver":"1.0.5+penning.fake","network":"LOCALCHAIN"}"#;
    assert_eq!(get(operator.addr, "configuration.get").await, (200, served(configuration)));
    assert_eq!(get(operator.addr, "alarm.get").await, (200, served("[]")));
    let health = r#"{"healthy":true,"alarms":[]}"#;
    assert_eq!(get(operator.addr, "health").await, (200, health.to_owned()));
    let (status, metrics) = get(operator.addr, "metrics").await;
    assert_eq!(status, 200);
    for line in [
        r#"penning_child_chain_transactions_total{answer="Accepted"} 1"#,
        "penning_child_chain_blocks_total 1",
        "penning_child_chain_newest_blknum 1000",
        "penning_child_chain_tree_starts_total 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in {metrics}");
    }
    operator.stop().await;
}

#[actix::test]
async fn the_same_is_said_in_json_rpc() {
    let world = World::new().await;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address()], 10).await;
    let call = async |method: &str, params: Value| {
        let call = json!({ "jsonrpc": "2.0", "id": 5, "method": method, "params": params });
        let (status, text) = post(operator.addr, "", call.to_string()).await;
        assert_eq!(status, 200, "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(5)));
        answer
    };
    let payment = hex(&wallet::to_bob(deposited[0], 10));
    let params = json!({ "transaction": payment });
    let accepted = call("transaction.submit", params.clone()).await["result"].clone();
    assert_eq!((&accepted["blknum"], &accepted["txindex"]), (&json!(1_000), &json!(0)));
    let configuration = call("configuration.get", json!({})).await["result"].clone();
    assert_eq!(configuration["deposit_finality_margin"], 1);
    let cases = [
        ("transaction.submit", params, -32_000, "submit:utxo_not_found"),
        ("transaction.submit", json!({}), -32_602, BAD_REQUEST),
        ("block.get", json!({ "hash": hex(&[9; 32]) }), -32_000, "get_block:not_found"),
        ("fees.all", json!({ "tx_types": [9] }), -32_000, "fee:tx_type_not_supported"),
        ("block.put", json!({}), -32_601, "operation:not_found"),
    ];
    for (method, params, number, code) in cases {
        let answer = call(method, params).await;
        let error = &answer["error"];
        assert_eq!(
            (&error["code"], &error["data"]["code"]),
            (&json!(number), &json!(code)),
            "{answer}"
        );
    }
    operator.stop().await;
}
