//! Every method over real HTTP: what it answers, and the documented code of every way to ask wrongly (protocol 6.5, 6.6).

use crate::faults::hex;
use crate::kit::{Watcher, World, alice, bob, pos};
use plasma_core::wire::{Blknum, Block, ETH, Transaction, TxIndex, U256};
use plasma_rpc::child_chain::SubmitAnswer;
use plasma_rpc::client::ClientError;
use plasma_rpc::params::NoParams;
use plasma_rpc::watcher::{
    CONFIGURATION_GET, UTXO_GET_CHALLENGE_DATA, UTXO_GET_EXIT_DATA, UtxoPosParams,
};
use serde_json::{Value, json};

/// Alice has 5 left of two deposits; the other one went to Bob in block 1000, and from him to her in block 2000.
async fn scene() -> (World, Watcher) {
    let mut world = World::new().await;
    let deposit = world.deposit(&alice(), 10);
    world.deposit(&alice(), 5);
    let watcher = world.watch().await;
    let payment = world.pay(&[(deposit, &alice())], &[(bob().address(), 10)]);
    world.block(&[payment]);
    let payment = world.pay(&[(pos(1000, 0, 0), &bob())], &[(alice().address(), 10)]);
    let block = world.block(&[payment]);
    watcher.applied(block).await;
    (world, watcher)
}

fn bytes(bytes: &[u8]) -> Value {
    json!(format!("0x{}", hex(bytes)))
}

async fn check(watcher: &Watcher, table: &[(&'static str, Value, &str)]) {
    for (method, params, expected) in table {
        let code = match watcher.call(method, params).await {
            Ok(_) => "ok".to_owned(),
            Err(code) => code,
        };
        assert_eq!(code, *expected, "{method} {params}");
    }
}

#[actix::test]
async fn questions_about_outputs_have_documented_answers() {
    let (world, watcher) = scene().await;
    let at = |blknum: u64, txindex: u32, oindex: u16| json!({ "utxo_pos": pos(blknum, txindex, oindex).encode() as u64 });
    const BAD: &str = "operation:bad_request";
    let (exit, challenge) = ("utxo.get_exit_data", "utxo.get_challenge_data");
    check(
        &watcher,
        &[
            (exit, at(2, 0, 0), "ok"),
            (exit, at(2000, 0, 0), "ok"),
            // Spent, but no deposit.
            (exit, at(1000, 0, 0), "ok"),
            (exit, at(1, 0, 0), "exit:invalid"),
            (exit, at(3, 0, 0), "exit:invalid"),
            (exit, at(1000, 0, 1), "exit:invalid"),
            (exit, at(1000, 1, 0), "exit:invalid"),
            (exit, at(3000, 0, 0), "exit:invalid"),
            (exit, json!({}), BAD),
            (exit, json!({ "utxo_pos": null }), BAD),
            (exit, json!({ "utxo_pos": 0 }), BAD),
            (exit, json!({ "utxo_pos": -1 }), BAD),
            (exit, json!({ "utxo_pos": "1" }), BAD),
            (exit, json!({ "utxo_pos": 1.5 }), BAD),
            (challenge, at(1000, 0, 0), "challenge:exit_not_found"),
            (challenge, json!({ "utxo_pos": 0 }), BAD),
            ("account.get_exitable_utxos", json!({ "address": bytes(&[1; 20]) }), "ok"),
            ("account.get_exitable_utxos", json!({ "address": bytes(&[1; 19]) }), BAD),
            ("account.get_exitable_utxos", json!({ "address": 7 }), BAD),
            ("account.get_exitable_utxos", json!({}), BAD),
            ("account.get_balance", json!({}), "operation:not_found"),
            ("status.get", json!({}), "ok"),
            ("status.get", json!([1]), "ok"),
        ],
    )
    .await;
    let beyond = UtxoPosParams { utxo_pos: U256::MAX };
    let refused = watcher.client.call(&UTXO_GET_EXIT_DATA, &beyond).await.unwrap_err();
    assert!(matches!(refused, ClientError::Api(error) if error.code == "exit:invalid"));
    let refused = watcher.client.call(&UTXO_GET_CHALLENGE_DATA, &beyond).await.unwrap_err();
    assert!(matches!(refused, ClientError::Api(error) if error.code == "challenge:exit_not_found"));
    let owner = json!({ "address": bytes(alice().address().as_bytes()) });
    let utxos = watcher.call("account.get_exitable_utxos", &owner).await.unwrap();
    let shown = |blknum: u64, amount: u64| {
        json!({
            "blknum": blknum, "txindex": 0, "oindex": 0, "otype": 1,
            "owner": owner["address"], "currency": bytes(ETH.as_bytes()), "amount": amount,
            "utxo_pos": pos(blknum, 0, 0).encode() as u64,
        })
    };
    assert_eq!(utxos, json!([shown(2, 5), shown(2000, 10)]));
    let configuration = watcher.client.call(&CONFIGURATION_GET, &NoParams {}).await.unwrap();
    assert_eq!(configuration.deposit_finality_margin, crate::kit::D);
    assert_eq!(configuration.exit_processor_sla_margin, crate::kit::SLA);
    assert_eq!(configuration.contract_semver, world.deployment.contract_semver);
    watcher.stop().await;
}

#[actix::test]
async fn a_long_list_of_outputs_is_cut_behind_what_can_leave() {
    let mut world = World::new().await;
    world.config.exitable_utxos_max = 3;
    let deposits: Vec<_> = (0..6).map(|_| world.deposit(&alice(), 10)).collect();
    let watcher = world.watch().await;
    world.root_chain.mine(crate::kit::E);
    watcher.caught_up(&world).await;
    assert_eq!(watcher.exitable(&alice()).await, deposits[..3]);
    // What is leaving makes room for the rest, although it is still unspent.
    for deposit in &deposits[..4] {
        world.exit_deposit(*deposit, &alice(), 10);
    }
    world.root_chain.mine(crate::kit::E);
    watcher.caught_up(&world).await;
    assert_eq!(watcher.exitable(&alice()).await, deposits[4..]);
    watcher.stop().await;
}

#[actix::test]
async fn submissions_are_checked_and_forwarded() {
    let (mut world, watcher) = scene().await;
    let payment = world.pay(&[(pos(2000, 0, 0), &alice())], &[(bob().address(), 10)]);
    let claim = Transaction::fee_claim(Blknum::new(3000), bob().address(), ETH, U256::one());
    let unsigned = plasma_core::wire::SignedTx::decode(&payment).unwrap();
    let unsigned = unsigned.transaction().encode_signed(&[]);
    let twice = {
        let input = (pos(2000, 0, 0), &alice());
        world.pay(&[input, input], &[(bob().address(), 10)])
    };
    let submit = "transaction.submit";
    let with = |transaction: Value| json!({ "transaction": transaction });
    check(
        &watcher,
        &[
            (submit, json!({}), "operation:bad_request"),
            (submit, with(json!("00")), "operation:bad_request"),
            (submit, with(json!("0x0")), "operation:bad_request"),
            (submit, with(json!("0x")), "submit:malformed_transaction"),
            (submit, with(bytes(&[0xff, 0xff])), "submit:malformed_transaction_rlp"),
            (submit, with(bytes(&[0xc0])), "submit:malformed_transaction"),
            (submit, with(bytes(&claim.encode_signed(&[]))), "submit:transaction_not_supported"),
            (submit, with(bytes(&unsigned)), "submit_typed:missing_signature"),
            (submit, with(bytes(&twice)), "submit:duplicate_inputs"),
            // Whatever needs the ledger is the operator's to say.
            (submit, with(bytes(&payment)), "submit:client_error"),
            ("transaction.batch_submit", json!({ "transactions": 1 }), "operation:bad_request"),
        ],
    )
    .await;
    assert_eq!(world.operator.submitted(), std::slice::from_ref(&payment));

    let answer = SubmitAnswer {
        blknum: Blknum::new(3000),
        txindex: TxIndex::new(7),
        txhash: plasma_core::wire::SignedTx::decode(&payment).unwrap().hash(),
    };
    world.operator.answer(Ok(answer));
    let accepted = watcher.call(submit, &with(bytes(&payment))).await;
    assert_eq!(accepted, Ok(serde_json::to_value(answer).unwrap()));
    let batch = json!({ "transactions": [bytes(&payment), bytes(&payment)] });
    let accepted = watcher.call("transaction.batch_submit", &batch).await.unwrap();
    assert_eq!(accepted, serde_json::to_value([answer, answer]).unwrap());

    world.operator.go_away().await;
    check(
        &watcher,
        &[
            (submit, with(bytes(&payment)), "submit:host_unreachable"),
            ("transaction.batch_submit", batch, "batch_submit:host_unreachable"),
        ],
    )
    .await;
    watcher.stop().await;
}

#[actix::test]
async fn blocks_are_validated_without_their_history() {
    let world = World::new().await;
    let watcher = world.watch().await;
    let payment = world.pay(&[(pos(7000, 0, 0), &alice())], &[(bob().address(), 10)]);
    let block = world.next_block(&[payment]);
    let params = |block: &Block| {
        let transactions: Vec<Value> = block.transactions.iter().map(|tx| bytes(tx)).collect();
        let hash = bytes(block.hash.as_bytes());
        json!({ "hash": hash, "transactions": transactions, "number": block.number.get() })
    };
    let twice = [block.transactions.clone(), block.transactions.clone()].concat();
    let too_many = vec![Box::from([0xc0_u8]); 65_537];
    for (block, is_valid) in [
        (block.clone(), true),
        (Block { hash: Default::default(), ..block.clone() }, false),
        (Block { transactions: Vec::new(), ..block.clone() }, false),
        (Block { transactions: twice, ..block.clone() }, false),
        (Block { transactions: vec![Box::from([1_u8, 2])], ..block.clone() }, false),
        (Block { transactions: too_many, ..block.clone() }, false),
    ] {
        let answer = watcher.call("block.validate", &params(&block)).await;
        assert_eq!(answer, Ok(json!({ "valid": is_valid })), "{}", block.transactions.len());
    }
    let mut wrong = params(&block);
    wrong["number"] = json!(0);
    let refused = watcher.call("block.validate", &wrong).await;
    assert_eq!(refused, Err("operation:bad_request".to_owned()));
    watcher.stop().await;
}

#[actix::test]
async fn a_watcher_that_is_starting_serves_what_it_has_and_says_that_it_is_not_ready() {
    let (world, watcher) = scene().await;
    watcher.stop().await;
    world.root_chain.go_away();
    let watcher = world.watch().await;
    assert!(watcher.has_alarm("boot_in_progress").await);
    let payment = world.pay(&[(pos(2000, 0, 0), &alice())], &[(bob().address(), 10)]);
    let submission = json!({ "transaction": bytes(&payment) });
    let batch = json!({ "transactions": [bytes(&payment)] });
    const UNAVAILABLE: &str = "operation:service_unavailable";
    check(
        &watcher,
        &[
            ("status.get", json!({}), UNAVAILABLE),
            ("transaction.submit", submission, UNAVAILABLE),
            ("transaction.batch_submit", batch, UNAVAILABLE),
            ("utxo.get_exit_data", json!({ "utxo_pos": 2_000_000_000 }), "ok"),
        ],
    )
    .await;
    assert_eq!(world.operator.submitted(), [] as [Vec<u8>; 0]);
    world.root_chain.come_back();
    watcher.status().await;
    watcher.stop().await;
}
