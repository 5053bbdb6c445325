//! The wallet against a whole network: payments, merges, status, exits, challenges, and the tour.

use crate::kit::{Penning, all, penning};
use crate::small_chain::{FEE_WEI, SmallChain};
use serde_json::Value;

const BOB: &str = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8";
const CAROL: &str = "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc";

impl SmallChain {
    /// Runs a wallet command with JSON, as this account of the devnet. Not on the test's thread: that one serves the network.
    pub(crate) async fn wallet(&self, account: &str, line: &str) -> Value {
        let call = self.command(account, line);
        tokio::task::spawn_blocking(move || call.json()).await.unwrap()
    }

    pub(crate) async fn refused(&self, account: &str, line: &str, code: &'static str) {
        let call = self.command(account, line);
        tokio::task::spawn_blocking(move || call.refused(code)).await.unwrap();
    }

    fn command(&self, account: &str, line: &str) -> Penning {
        let arguments = format!("wallet --json --account {account} {line}");
        penning(self.folder.path(), &arguments.split(' ').collect::<Vec<_>>())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_are_made_merged_and_followed_until_they_are_final() {
    let chain = SmallChain::start().await;
    chain.wallet("0", "deposit 1 --wait").await;
    let paid = chain.wallet("0", &format!("pay --to {BOB}:0.25 --wait")).await;
    assert_eq!(paid["phase"], "final");
    assert_eq!(paid["fee"]["amount"], FEE_WEI.to_string());
    let position = paid["outputs"][0]["output"]["position"].as_str().unwrap();
    for target in [position, paid["txhash"].as_str().unwrap()] {
        let status = chain.wallet("0", &format!("status {target}")).await;
        assert_eq!(status["phase"], "final", "{status}");
        assert_eq!(status["txhash"], paid["txhash"]);
    }
    let nowhere = format!("status 0x{}", "1".repeat(64));
    assert_eq!(chain.wallet("0", &nowhere).await["phase"], "unknown");
    assert_eq!(chain.wallet("0", "status 9000:0:0").await["phase"], "pending");

    let balance = chain.wallet("1", "balance").await;
    assert_eq!(balance["balances"][0]["child_chain"]["units"], "0.25");
    let pay = format!("pay --to {BOB}:0.01");
    chain.refused("2", &pay, "transaction.create:insufficient_funds").await;
    let crumbs = vec![format!("--to {BOB}:0.001"); 3].join(" ");
    chain.wallet("0", &format!("pay {crumbs} --wait")).await;
    chain
        .refused(
            "1",
            &format!("pay --to {BOB}:0.1"),
            "transaction.create:self_transaction_not_supported",
        )
        .await;
    let utxos = chain.wallet("1", "utxos --currency eth").await;
    assert_eq!(utxos["utxos"].as_array().unwrap().len(), 4);
    let merged = chain.wallet("1", "merge --wait").await;
    assert_eq!(merged["fee"]["amount"], "0");
    assert_eq!(chain.wallet("1", "utxos").await["utxos"][0]["amount"]["units"], "0.253");
    chain.refused("1", "merge", "merge:nothing_to_do").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn small_outputs_are_joined_before_a_payment_that_needs_many() {
    let chain = SmallChain::start().await;
    chain.wallet("0", "deposit 1 --wait").await;
    let crumbs = vec![format!("--to {BOB}:0.1"); 3].join(" ");
    for _ in 0..2 {
        chain.wallet("0", &format!("pay {crumbs} --wait")).await;
    }
    let pay = format!("pay --to {CAROL}:0.55");
    chain.refused("1", &pay, "payment:needs_merge").await;
    let paid = chain.wallet("1", &format!("{pay} --merge --wait")).await;
    assert_eq!(paid["merges"].as_array().unwrap().len(), 2);
    assert_eq!(chain.wallet("2", "balance").await["balances"][0]["child_chain"]["units"], "0.55");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_pays_on_a_chain_that_is_unsafe_or_may_be() {
    let chain = SmallChain::start().await;
    chain.wallet("0", "deposit 1 --wait").await;
    let pay = format!("pay --to {BOB}:0.01");
    chain.ledger.make_unsafe();
    chain.refused("0", &pay, "chain:unsafe").await;
    let paid = chain.wallet("0", &format!("{pay} --pay-on-an-unsafe-chain")).await;
    assert_eq!(paid["phase"], "pending");
    chain.ledger.make_unhealthy();
    chain.refused("0", &pay, "chain:unsafe").await;
    // What gets people out works all the same.
    chain.wallet("0", "utxos").await;
    chain.refused("0", "exit start 5000:0:0", "exit:invalid").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exits_are_started_followed_challenged_and_processed() {
    let chain = SmallChain::start().await;
    let deposit = chain.wallet("0", "deposit 1 --wait").await;
    let position = deposit["output"]["position"].as_str().unwrap();
    chain.refused("0", "exit status 1000:0:0", "exit:not_found").await;
    chain.refused("0", &format!("challenge {position}"), "challenge:utxo_not_spent").await;
    chain.refused("1", &format!("exit start {position}"), "contract:NotOutputOwner").await;
    chain.wallet("0", &format!("pay --to {BOB}:0.5 --wait")).await;
    let start = format!("exit start {position}");
    chain.refused("0", &start, "exit:invalid").await;
    let started = chain.wallet("0", &format!("{start} --force")).await;
    assert_eq!(started["exit_queue_added"], false);
    assert!(started["eta_s"].as_u64().unwrap() > 500, "{started}");
    chain.refused("0", &start, "exit:invalid").await;
    let status = chain.wallet("0", "exit status").await;
    assert_eq!(status["exits"][0]["phase"], "waiting");
    assert_eq!(status["exits"][0]["place_in_queue"], 1);
    assert_eq!(status["exits"][0]["bond"], started["bond"]);
    assert_eq!(chain.wallet("2", "exit process --currency eth").await["processed"], 0);
    let challenged = chain.wallet("1", &format!("challenge {position}")).await;
    assert_eq!(challenged["bond"], started["bond"]);
    let status = chain.wallet("0", &format!("exit status {position}")).await;
    assert_eq!(status["exits"][0]["phase"], "challenged");
    assert_eq!(chain.wallet("0", "credit").await["credits"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_output_is_not_exited_even_though_the_watcher_has_its_proof() {
    let chain = SmallChain::start().await;
    chain.wallet("0", "deposit 1 --wait").await;
    let paid = chain.wallet("0", &format!("pay --to {BOB}:0.5 --wait")).await;
    let position = paid["outputs"][0]["output"]["position"].as_str().unwrap();
    chain.wallet("1", &format!("pay --to {CAROL}:0.1 --wait")).await;
    let start = format!("exit start {position}");
    chain.refused("1", &start, "exit:invalid").await;
    assert_eq!(chain.wallet("1", "exit status").await["exits"], serde_json::json!([]));
    let started = chain.wallet("1", &format!("{start} --force")).await;
    assert_eq!(started["output"]["position"], position);
    chain.wallet("0", &format!("challenge {position}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_ends_well_again_and_again_and_notices_a_missing_wei() {
    let chain = SmallChain::start().await;
    let told = chain.wallet("0", "tour").await;
    let balances = told["balances"].as_array().unwrap();
    let fees = balances.iter().find(|line| line["holder"] == "fee claimer").unwrap();
    assert_ne!(fees["amount"]["amount"], "0");
    assert!(told["steps"].as_array().unwrap().len() >= 9, "{told}");

    chain.ledger.lose_a_wei();
    let call = penning(chain.folder.path(), &["wallet", "tour", "--wait-s", "10"]);
    let output = tokio::task::spawn_blocking(move || call.run()).await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", all(&output));
    let story = all(&output);
    let expected = "fee claimer on the child chain: expected ";
    assert!(story.contains("[tour:wrong_balance]"), "{story}");
    assert!(story.contains(expected), "{story}");
    assert!(story.contains("1 of the smallest unit too little"), "{story}");
    assert!(story.contains("Mallory gets nothing, and the bond is gone"), "{story}");
}
