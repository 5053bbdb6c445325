//! The informational methods: what their parameters fail, and that typed calls read what is answered.

use crate::nodes::{self, Node};
use crate::raw;
use plasma_core::wire::{Address, ETH, H256};
use plasma_rpc::client::{ClientConfig, ClientError, HttpRpcClient};
use plasma_rpc::info::{
    ACCOUNT_GET_UTXOS, AccountPageParams, CreateFee, CreateParams, CreatePayment, CreateResult,
    Cursor, SubmitTypedParams, TRANSACTION_ALL, TRANSACTION_CREATE, TRANSACTION_SUBMIT_TYPED,
    TransactionsParams,
};
use serde_json::{Value, json};

/// Sends a body, and returns `parameter validator` of what failed, or the code, or nothing.
async fn ask(node: &Node, path: &str, body: &str) -> String {
    let request = raw::request(&format!("POST /{path}"), &[], body.as_bytes());
    let answer = raw::exchange(node.addr, &request).await;
    let answer: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(answer["service_name"], "watcher_info");
    let failed = &answer["data"]["messages"]["validation_error"];
    match (&failed["parameter"], &failed["validator"], &answer["data"]["code"]) {
        (Value::String(parameter), Value::String(validator), _) => {
            format!("{parameter} {validator}")
        }
        (_, _, Value::String(code)) => code.clone(),
        _ => String::new(),
    }
}

async fn check(node: &Node, path: &str, body: &Value, expected: &str) {
    assert_eq!(ask(node, path, &body.to_string()).await, expected, "{path} {body}");
}

/// A body that is right, with one value replaced or, with `null`, missing.
fn with(good: &Value, pointer: &str, value: Value) -> Value {
    let mut body = good.clone();
    *body.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer} in {good}")) = value;
    body
}

fn address(digit: char) -> String {
    format!("0x{}", digit.to_string().repeat(40))
}

fn hash(digit: char) -> String {
    format!("0x{}", digit.to_string().repeat(64))
}

#[tokio::test]
async fn every_parameter_of_a_list_has_its_validators() {
    let node = nodes::info().await;
    let (account, hash) = (address('a'), hash('1'));
    let account = json!({ "address": account });
    for (path, body, expected) in [
        ("account.get_balance", json!({}), "address :hex"),
        ("account.get_balance", json!({"address": "0x12"}), "address {:length, 20}"),
        ("account.get_utxos", json!({"limit": 0}), "address :hex"),
        ("account.get_transactions", json!({"address": "aa"}), "address :hex"),
        ("account.get_transactions", json!({}), ""),
        ("transaction.all", json!({"blknum": 0}), "blknum {:greater, 0}"),
        ("transaction.all", json!({"blknum": "1"}), "blknum :integer"),
        ("transaction.all", json!({"metadata": "0x12"}), "metadata {:length, 32}"),
        ("transaction.all", json!({"txtypes": 1}), "txtypes :list"),
        ("transaction.all", json!({"txtypes": ["1"]}), "txtypes.txtype :integer"),
        ("transaction.all", json!({"txtypes": [0]}), "txtypes.txtype {:greater, 0}"),
        ("transaction.all", json!({"txtypes": vec![1; 17]}), "txtypes {:max_length, 16}"),
        ("transaction.all", json!({"txtypes": vec![1; 16]}), ""),
        ("transaction.all", json!({"end_datetime": -1}), "end_datetime {:greater, 0}"),
        ("transaction.all", json!({"end_datetime": 1.5}), "end_datetime :integer"),
        ("transaction.all", json!({"cursor": "1"}), "cursor :cursor"),
        ("transaction.all", json!({"cursor": "1.2", "jsonrpc": "2.0", "id": 0}), ""),
        ("transaction.get", json!({"id": "0x12"}), "id {:length, 32}"),
        ("transaction.get", json!({"id": hash}), "transaction:not_found"),
        ("block.all", json!({"limit": 1_000}), "limit {:lesser, 1000}"),
        ("block.all", json!({"limit": "10"}), "limit :integer"),
        ("block.all", json!({"page": 0}), "page {:greater, 0}"),
        ("block.all", json!({"cursor": "1.2"}), "cursor :cursor"),
        ("block.get", json!({}), "blknum :integer"),
        ("block.get", json!({"blknum": 0}), "blknum {:greater, 0}"),
        ("block.get", json!({"blknum": 7}), "get_block:block_not_found"),
        ("deposit.all", json!({"page": 1}), "address :hex"),
        ("fees.all", json!({"currencies": [1]}), "currencies.currency :hex"),
        ("fees.all", json!({"tx_types": [-1]}), "tx_types.tx_type {:greater, -1}"),
        ("fees.all", json!({}), "connection:childchain_unreachable"),
        ("utxo.get", json!({"utxo_pos": 0}), "utxo_pos {:greater, 0}"),
        ("utxo.get", json!({"utxo_pos": 1}), "utxo:not_found"),
        ("proof.get", json!({}), "txhash :hex"),
        ("proof.get", json!({"utxo_pos": 0}), "utxo_pos {:greater, 0}"),
        ("proof.get", json!({"txhash": hash}), "proof:not_found"),
        ("fees.history", json!({"currency": 1}), "currency :hex"),
        ("address.watch", json!({"from": 1}), "address :hex"),
    ] {
        check(&node, path, &body, expected).await;
    }
    for path in ["account.get_utxos", "deposit.all", "address.watch"] {
        let limit = with(&json!({"address": account["address"], "limit": 0}), "/limit", 0.into());
        check(&node, path, &limit, "limit {:greater, 0}").await;
        check(&node, path, &account, "").await;
    }
    let from = json!({"address": account["address"], "from": 0});
    check(&node, "address.watch", &from, "from {:greater, 0}").await;
}

#[tokio::test]
async fn every_parameter_of_a_payment_has_its_validators() {
    let node = nodes::info().await;
    let payment = json!({"amount": 1, "currency": address('0'), "owner": address('b')});
    let good = json!({
        "owner": address('a'), "payments": [payment], "fee": {"currency": address('0')},
        "metadata": hash('1'),
    });
    check(&node, "transaction.create", &good, "").await;
    for (pointer, value, expected) in [
        ("/owner", json!(null), "owner :hex"),
        ("/owner", json!("0x12"), "owner {:length, 20}"),
        ("/payments", json!(null), "payments :list"),
        ("/payments", json!({}), "payments :list"),
        ("/payments", json!([]), "transaction.create:empty_transaction"),
        ("/payments", json!([1]), "payments.payment :map"),
        ("/payments", json!(vec![payment.clone(); 5]), "payments {:too_many_payments, 4}"),
        ("/payments/0/amount", json!(null), "payments.amount :integer"),
        ("/payments/0/amount", json!("1"), "payments.amount :integer"),
        ("/payments/0/amount", json!(0), "payments.amount {:greater, 0}"),
        ("/payments/0/currency", json!(null), "payments.currency :hex"),
        ("/payments/0/currency", json!("0x00"), "payments.currency {:length, 20}"),
        ("/payments/0/owner", json!(null), "payments.owner :hex"),
        ("/payments/0/owner", json!("0x"), "payments.owner {:length, 20}"),
        ("/fee", json!(null), "fee :map"),
        ("/fee", json!([]), "fee :map"),
        ("/fee/currency", json!(null), "fee.currency :hex"),
        ("/fee/currency", json!("0x00"), "fee.currency {:length, 20}"),
        ("/fee/currency", json!(address('2')), "create:unexpected_fee_currency"),
        ("/metadata", json!(null), ""),
        ("/metadata", json!("0x12"), "metadata {:length, 32}"),
    ] {
        check(&node, "transaction.create", &with(&good, pointer, value), expected).await;
    }
    for (body, expected) in [
        (json!({}), "address :hex"),
        (json!({"address": address('a')}), "currency :hex"),
        (json!({"address": address('a'), "currency": "0x12"}), "currency {:length, 20}"),
        (json!({"address": address('a'), "currency": address('0')}), ""),
        (json!({"utxo_positions": 1}), "utxo_positions :list"),
        (json!({"utxo_positions": []}), "utxo_positions {:min_length, 2}"),
        (json!({"utxo_positions": [1]}), "utxo_positions {:min_length, 2}"),
        (json!({"utxo_positions": [1, 2, 3, 4, 5]}), "utxo_positions {:max_length, 4}"),
        (json!({"utxo_positions": [1, "2"]}), "utxo_positions.utxo_pos :integer"),
        (json!({"utxo_positions": [1, 0]}), "utxo_positions.utxo_pos {:greater, 0}"),
        (json!({"utxo_positions": [1, 2], "address": 1}), "merge:single_input"),
    ] {
        check(&node, "transaction.merge", &body, expected).await;
    }
    let beyond = format!(r#"{{"utxo_positions": [1, 1{}]}}"#, "0".repeat(60));
    assert_eq!(ask(&node, "transaction.merge", &beyond).await, "merge:position_not_found");
}

#[tokio::test]
async fn every_parameter_of_a_signed_document_has_its_validators() {
    let node = nodes::info().await;
    let input = json!({"blknum": 0, "txindex": 0, "oindex": 0});
    let output = json!({"owner": address('b'), "currency": address('0'), "amount": 0});
    let mut message = json!({"metadata": hash('0')});
    for slot in 0..4 {
        message[format!("input{slot}")] = input.clone();
        message[format!("output{slot}")] = output.clone();
    }
    message["input0"]["blknum"] = json!(1_000);
    message["output0"]["amount"] = json!(1);
    let salt = "0xfad5c7f626d80f9256ef01929f3beb96e058b8b4b0e3fe52d84f054c0e2a7a83";
    let good = json!({
        "domain": {
            "name": "OMG Network", "version": "1", "salt": salt,
            "verifyingContract": format!("0x{}", "01".repeat(20)),
        },
        "message": message,
        "signatures": [format!("0x{}", "1b".repeat(65))],
    });
    check(&node, "transaction.submit_typed", &good, "").await;
    for (pointer, value, expected) in [
        ("/domain", json!(null), "domain :map"),
        ("/domain/name", json!(null), "domain.name :string"),
        ("/domain/version", json!(1), "domain.version :string"),
        ("/domain/salt", json!("0x12"), "domain.salt {:length, 32}"),
        ("/domain/verifyingContract", json!(1), "domain.verifyingContract :hex"),
        ("/domain/name", json!("OMG"), "domain :domain_separator_mismatch"),
        ("/domain/version", json!("2"), "domain :domain_separator_mismatch"),
        ("/domain/salt", json!(hash('1')), "domain :domain_separator_mismatch"),
        ("/domain/verifyingContract", json!(address('2')), "domain :domain_separator_mismatch"),
        ("/message", json!([]), "message :map"),
        ("/message/input0", json!(null), "message.input0 :map"),
        ("/message/input3/blknum", json!(-1), "message.input3.blknum {:greater, -1}"),
        ("/message/input0/txindex", json!("0"), "message.input0.txindex :integer"),
        ("/message/input0/oindex", json!(null), "message.input0.oindex :integer"),
        ("/message/output3", json!(1), "message.output3 :map"),
        ("/message/output0/owner", json!("0x12"), "message.output0.owner {:length, 20}"),
        ("/message/output0/currency", json!(null), "message.output0.currency :hex"),
        ("/message/output0/amount", json!(-1), "message.output0.amount {:greater, -1}"),
        ("/message/output0/amount", json!(0), "submit_typed:empty_outputs"),
        ("/message/input0/oindex", json!(10_000), "submit_typed:malformed_inputs"),
        ("/message/metadata", json!(null), "message.metadata :hex"),
        ("/signatures", json!(null), "signatures :list"),
        ("/signatures", json!(["0x12"]), "signatures.signature {:length, 65}"),
        ("/signatures", json!([1]), "signatures.signature :hex"),
        ("/signatures", json!([]), "submit_typed:missing_signature"),
    ] {
        check(&node, "transaction.submit_typed", &with(&good, pointer, value), expected).await;
    }
}

#[tokio::test]
async fn typed_calls_read_pages_and_documents() {
    let node = nodes::info().await;
    let client = HttpRpcClient::new(ClientConfig::new(format!("http://{}/", node.addr))).unwrap();
    let mut params = AccountPageParams::first(Address::repeat_byte(0xaa));
    let page = client.call(&ACCOUNT_GET_UTXOS, &params).await.unwrap();
    assert_eq!((page.data.len(), page.data_paging.page, page.data_paging.limit), (1, 1, 200));
    assert_eq!(page.data_paging.next_cursor, None);
    params.paging.limit = 1;
    let page = client.call(&ACCOUNT_GET_UTXOS, &params).await.unwrap();
    let cursor = page.data_paging.next_cursor.unwrap();
    assert_eq!(cursor, Cursor::new(vec![1_000, 2, 1]));
    params.paging.cursor = Some(cursor);
    client.call(&ACCOUNT_GET_UTXOS, &params).await.unwrap();
    let none = TransactionsParams { txtypes: vec![1], ..TransactionsParams::default() };
    assert!(client.call(&TRANSACTION_ALL, &none).await.unwrap().data.is_empty());

    let mut order = CreateParams {
        owner: Address::repeat_byte(0xaa),
        payments: vec![CreatePayment {
            amount: 5.into(),
            currency: ETH,
            owner: Address::repeat_byte(0xbb),
        }],
        fee: CreateFee { currency: ETH },
        metadata: Some(H256::repeat_byte(7)),
    };
    let creation = client.call(&TRANSACTION_CREATE, &order).await.unwrap();
    assert_eq!(creation.result, CreateResult::Complete);
    let created = creation.transactions.into_iter().next().unwrap();
    assert_eq!(created.metadata, order.metadata);
    let signature = plasma_core::wire::Signature::from_bytes([0x1b; 65]);
    let signed = SubmitTypedParams {
        domain: created.typed_data.domain,
        message: created.typed_data.message,
        signatures: vec![signature],
    };
    let accepted = client.call(&TRANSACTION_SUBMIT_TYPED, &signed).await.unwrap();
    assert_eq!(accepted.txhash, plasma_core::wire::keccak256(&created.txbytes));
    order.payments[0].currency = Address::repeat_byte(2);
    let refused = client.call(&TRANSACTION_CREATE, &order).await.unwrap_err();
    let ClientError::Api(refused) = refused else {
        panic!("{refused}");
    };
    assert_eq!(refused.code, "transaction.create:insufficient_funds");
    let token = format!("0x{}", "02".repeat(20));
    assert_eq!(refused.messages.unwrap().get(), format!(r#"[{{"token":"{token}","missing":5}}]"#));
}
