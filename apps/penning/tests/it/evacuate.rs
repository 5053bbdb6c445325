//! `wallet evacuate` on real networks: everything leaves, with every wei accounted for, also when a run is killed in the middle.

use crate::process::{Process, wait_for};
use crate::small_chain::SmallChain;
use crate::test_chain::{TestChain, amount, milli};
use plasma_core::db_update::Utxo;
use plasma_core::payment_builder::build_merges;
use plasma_core::root_chain::{EventKind, RootChainEvent};
use plasma_core::wire::{ETH, OutputType, SignedTx, TypedDataDomain, U256, UtxoPos};
use plasma_eth::{Deployment, DevChain, EthConfig, RootChain, dev_keys};
use serde_json::{Value, json};
use std::time::Duration;

/// The time unit of exits here.
const PERIOD_S: u64 = 600;
/// How long a run may take to get somewhere.
const DEADLINE: Duration = Duration::from_secs(60);
const BOB: usize = 1;

impl TestChain {
    /// What an account paid for starting exits, by the receipts of what it started.
    async fn start_fees(&self, account: usize) -> (usize, U256) {
        let owner = self.address(account);
        let height = self.client.newest_block().await.unwrap().eth_height;
        let from = self.deployment.eth_height;
        let events = self.reader.events(&[EventKind::ExitStarted], from, height).await.unwrap();
        let (mut count, mut fees_wei) = (0, U256::zero());
        for event in events {
            let RootChainEvent::ExitStarted { owner: found, .. } = event.event else { continue };
            if found == owner {
                count += 1;
                fees_wei += self.receipt(&json!(event.root_chain_txhash)).await.fee_wei();
            }
        }
        (count, fees_wei)
    }

    async fn fees(&self, txhashes: &Value) -> U256 {
        let mut fees_wei = U256::zero();
        for txhash in txhashes.as_array().unwrap() {
            fees_wei += self.receipt(txhash).await.fee_wei();
        }
        fees_wei
    }

    /// Bob gets outputs of both currencies: Ether of a quarter in each of three payments, and tokens, and a crumb.
    fn fill(&self) {
        let (bob, token) = (self.address(BOB), self.token);
        self.wallet(0, "deposit 2 --wait");
        self.wallet(0, &format!("deposit 50 --currency {token:?} --wait"));
        for (ether, tokens) in [("0.1", "5"), ("0.3", "7"), ("0.2", "8")] {
            let to = format!("--to {bob:?}:{ether} --to {bob:?}:{tokens}:{token:?}");
            self.wallet(0, &format!("pay {to} --wait"));
        }
        self.wallet(0, &format!("pay --to {bob:?}:0.000000000000001 --wait"));
    }
}

fn total(told: &Value, currency: &str, part: &str) -> U256 {
    let all = told["totals"].as_array().unwrap();
    let found = all.iter().find(|line| line["paid"]["currency"] == currency);
    amount(&found.unwrap_or_else(|| panic!("{told}"))[part])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_evacuation_goes_on_where_it_was_and_pays_out_to_the_wei() {
    let chain = TestChain::start(PERIOD_S);
    let (bob, token) = (chain.address(BOB), chain.token);
    chain.fill();
    let before = [chain.on_root_chain(bob, ETH).await, chain.on_root_chain(bob, token).await];

    let planned = chain.wallet(BOB, "evacuate --no-merge --dry-run");
    assert_eq!(planned["exits"].as_array().unwrap().len(), 6, "{planned}");
    assert_eq!(planned["left"][0]["reason"], "costs_more", "{planned}");
    assert_eq!(chain.on_root_chain(bob, ETH).await, before[0], "a plan costs nothing");

    // Killed when the third exit begins: two have started, perhaps three.
    let key = const_hex::encode(chain.keys[BOB].to_bytes());
    let env = [("PENNING_PRIVATE_KEY", key.as_str())];
    let arguments = ["wallet", "--network", ".penning/devnet.json", "evacuate", "--no-merge"];
    let mut run = Process::start(chain.folder.path(), "evacuation", &arguments, &env);
    wait_for("the third exit", DEADLINE, || run.log().contains("[3/6]").then_some(()));
    run.kill();
    let (started, _) = chain.start_fees(BOB).await;
    assert!((2..6).contains(&started), "{started} exits had started");

    let told = chain.wallet(BOB, "evacuate --no-merge");
    let (all, _) = chain.start_fees(BOB).await;
    assert_eq!(all, 6, "{told}");
    let again = told["started"].as_array().unwrap().len();
    assert!(again <= 6 - started && again > 0, "{told}");
    assert_eq!(total(&told, &format!("{ETH:?}"), "waiting"), milli(600));
    assert_eq!(total(&told, &format!("{token:?}"), "waiting"), milli(20_000));

    chain.dev.advance_time(2 * PERIOD_S + 1).await.unwrap();
    let told = chain.wallet(BOB, "evacuate --no-merge --wait");
    assert_eq!(told["started"], json!([]), "{told}");
    assert_eq!(total(&told, &format!("{ETH:?}"), "paid"), milli(600));
    assert_eq!(total(&told, &format!("{token:?}"), "paid"), milli(20_000));
    let (_, start_fees_wei) = chain.start_fees(BOB).await;
    let process_fees_wei = chain.fees(&told["processed"]).await;
    assert_eq!(amount(&told["gas_paid"]), process_fees_wei);
    // The bonds are back, the gas is gone.
    let after = [chain.on_root_chain(bob, ETH).await, chain.on_root_chain(bob, token).await];
    assert_eq!(after[0] + start_fees_wei + process_fees_wei, before[0] + milli(600));
    assert_eq!(after[1], before[1] + milli(20_000));
    assert_eq!(chain.on_child_chain(bob, token), U256::zero());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_merged_leaves_as_one_output_of_each_currency() {
    let chain = TestChain::start(PERIOD_S);
    let (bob, token) = (chain.address(BOB), chain.token);
    chain.fill();
    let before = [chain.on_root_chain(bob, ETH).await, chain.on_root_chain(bob, token).await];
    let told = chain.wallet(BOB, "evacuate");
    assert_eq!(told["merges"].as_array().unwrap().len(), 2, "{told}");
    assert_eq!(told["started"].as_array().unwrap().len(), 2, "{told}");
    assert_eq!(told["left"], json!([]), "joined, the crumb leaves as well: {told}");
    assert!(!chain.data("evacuate-merges").exists());

    chain.dev.advance_time(2 * PERIOD_S + 1).await.unwrap();
    let told = chain.wallet(BOB, "evacuate --process");
    let (count, start_fees_wei) = chain.start_fees(BOB).await;
    assert_eq!(count, 2);
    let fees_wei = start_fees_wei + chain.fees(&told["processed"]).await;
    let ether = milli(600) + U256::from(1_000);
    let after = [chain.on_root_chain(bob, ETH).await, chain.on_root_chain(bob, token).await];
    assert_eq!(after[0] + fees_wei, before[0] + ether);
    assert_eq!(after[1], before[1] + milli(20_000));
    assert_eq!(chain.wallet(BOB, "evacuate")["exits"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_an_unsafe_chain_nothing_is_merged_and_exits_start_at_once() {
    let chain = SmallChain::start().await;
    for deposit in ["0.5", "0.7"] {
        chain.wallet("2", &format!("deposit {deposit} --wait")).await;
    }
    assert_eq!(chain.wallet("2", "evacuate --dry-run").await["merges"][0]["outputs"], 2);
    chain.ledger.make_unsafe();
    let told = chain.wallet("2", "evacuate").await;
    assert_eq!(told["is_safe"], false, "{told}");
    assert_eq!(told["merges"], json!([]), "{told}");
    let started = told["started"].as_array().unwrap().iter();
    let amounts: Vec<_> = started.map(|exit| exit["amount"]["units"].clone()).collect();
    assert_eq!(amounts, ["0.7", "0.5"]);
    let status = chain.wallet("2", "exit status").await;
    assert_eq!(status["exits"].as_array().unwrap().len(), 2);
    // A watcher in trouble of its own is not one that says "safe", and helps people out all the same.
    chain.wallet("2", "deposit 0.1 --wait").await;
    chain.ledger.make_unhealthy();
    let told = chain.wallet("2", "evacuate").await;
    assert_eq!(told["started"].as_array().unwrap().len(), 1, "{told}");
    chain.refused("2", "evacuate --watcher-url http://127.0.0.1:1", "watcher:unreachable").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_cannot_pay_for_all_exits_says_so_or_exits_what_it_can() {
    let chain = SmallChain::start().await;
    for deposit in ["0.5", "0.7"] {
        chain.wallet("2", &format!("deposit {deposit} --wait")).await;
    }
    let planned = chain.wallet("2", "evacuate --no-merge --dry-run").await;
    let money = &planned["root_chain"];
    let (needed, balance) = (amount(&money["needed"]), amount(&money["balance"]));
    let file = std::fs::read_to_string(chain.folder.path().join(".penning/devnet.json")).unwrap();
    let file: Value = serde_json::from_str(&file).unwrap();
    let config = EthConfig::new(file["rpc_url"].as_str().unwrap().parse().unwrap());
    let account = dev_keys(3).unwrap()[2].address();
    DevChain::new(&config).unwrap().set_balance(account, needed * 2 / 3).await.unwrap();
    assert!(balance > needed);
    chain.refused("2", "evacuate --no-merge", "evacuate:not_enough_eth").await;
    let told = chain.wallet("2", "evacuate --no-merge --as-many-as-possible").await;
    assert_eq!(told["started"][0]["amount"]["units"], "0.7", "{told}");
    assert_eq!(told["left"][0]["reason"], "not_affordable", "{told}");
    assert_eq!(told["left"][0]["amount"]["units"], "0.5");
}

/// A signed merge of two deposits, as a run that was killed leaves it behind.
fn leave_merge(chain: &SmallChain, account: usize, utxos: &Value, file_name: &str) {
    let file = std::fs::read_to_string(chain.folder.path().join(".penning/devnet.json")).unwrap();
    let framework = Deployment::from_json(&file).unwrap().addresses.plasma_framework;
    let key = dev_keys(4).unwrap()[account].clone();
    let listed = utxos["utxos"].as_array().unwrap().iter().map(|utxo| {
        let position = utxo["output"]["utxo_pos"].as_str().unwrap().parse().unwrap();
        let amount = amount(&utxo["amount"]);
        let utxo = Utxo { output_type: OutputType::Payment, currency: ETH, amount };
        (UtxoPos::decode(position).unwrap(), utxo)
    });
    let merge = build_merges(key.address(), ETH, listed).remove(0);
    let keys = vec![&key; merge.inputs.len()];
    let signed = SignedTx::sign_payment(merge.tx, &keys, &TypedDataDomain::new(framework)).unwrap();
    let line = format!("\n{framework:?} {}\n", const_hex::encode_prefixed(signed.as_bytes()));
    std::fs::write(chain.folder.path().join(".penning").join(file_name), line).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_kept_payment_spends_exits_only_by_force() {
    let chain = SmallChain::start().await;
    for deposit in ["0.5", "0.7"] {
        chain.wallet("2", &format!("deposit {deposit} --wait")).await;
    }
    let utxos = chain.wallet("2", "utxos").await;
    leave_merge(&chain, 2, &utxos, "sent-payments");
    chain.wallet("2", "deposit 0.9 --wait").await;
    let told = chain.wallet("2", "evacuate --no-merge").await;
    assert_eq!(told["started"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(told["started"][0]["amount"]["units"], "0.9");
    let reasons = told["left"].as_array().unwrap().iter().map(|left| left["reason"].clone());
    assert_eq!(reasons.collect::<Vec<_>>(), ["signed_away", "signed_away"]);
    let command = "penning wallet exit --in-flight 0x";
    assert!(told["left"][0]["text"].as_str().unwrap().contains(command), "{told}");
    let position = utxos["utxos"][0]["output"]["position"].as_str().unwrap();
    let start = format!("exit start {position}");
    chain.refused("2", &start, "exit:signed_away").await;
    chain.wallet("2", &format!("{start} --force")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_who_names_another_place_gets_no_further_signature() {
    let chain = SmallChain::start().await;
    chain.wallet("2", "deposit 1 --wait").await;
    // Block 1000 is decided.
    chain.wallet("2", "pay --to 0x70997970C51812dc3A010C7d01b50e0d17dc79C8:0.1 --wait").await;
    for _ in 0..5 {
        chain.wallet("2", "deposit 0.1 --wait").await;
    }
    chain.ledger.lie_about_places();
    chain.refused("2", "merge", "operator:wrong_position").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_run_signed_into_a_merge_does_not_exit_singly() {
    let chain = SmallChain::start().await;
    for account in ["2", "3"] {
        for deposit in ["0.5", "0.7"] {
            chain.wallet(account, &format!("deposit {deposit} --wait")).await;
        }
    }
    // Safe: the merge is sent again, although this run merges nothing by itself.
    leave_merge(&chain, 2, &chain.wallet("2", "utxos").await, "evacuate-merges");
    let told = chain.wallet("2", "evacuate --no-merge").await;
    assert_eq!(told["started"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(told["started"][0]["amount"]["units"], "1.2");
    // Unsafe: the operator may have the merge and could challenge the exits of its inputs.
    leave_merge(&chain, 3, &chain.wallet("3", "utxos").await, "evacuate-merges");
    chain.ledger.make_unsafe();
    let told = chain.wallet("3", "evacuate").await;
    assert_eq!(told["started"], json!([]), "{told}");
    let reasons = told["left"].as_array().unwrap().iter().map(|left| left["reason"].clone());
    assert_eq!(reasons.collect::<Vec<_>>(), ["signed_away", "signed_away"]);
}
