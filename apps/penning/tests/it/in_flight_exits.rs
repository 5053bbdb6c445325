//! The in-flight exit game on a real network, played with our own wallet and watched by our own watcher, every wei accounted for.
//!
//! Each test tells one story of protocol 10.8 to 10.11: who starts, who joins, what the watcher says, who argues, who is paid.

use crate::process::wait_for;
use crate::test_chain::{TestChain, amount, milli};
use plasma_core::root_chain::PiggybackSlot;
use plasma_core::sentinel::{Call, call::CompetitorProof};
use plasma_core::wire::{
    Blknum, ETH, H256, Output, OutputIndex, PaymentTx, SecretKey, SignedTx, TxIndex,
    TypedDataDomain, U256, UtxoPos,
};
use plasma_eth::Receipt;
use plasma_rpc::client::{ClientConfig, HttpRpcClient};
use plasma_rpc::params::NoParams;
use plasma_rpc::watcher::{STATUS_GET, Status};
use serde_json::Value;
use std::time::Duration;

/// The time unit of exits here.
const PERIOD_S: u64 = 600;
const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;
/// Who pays Alice, so that she has something that is no deposit: of spent deposits the watcher serves no data to start with.
const ERIN: usize = 3;
/// Who argues and processes, and owns nothing on the child chain.
const DAVE: usize = 4;
const DEADLINE: Duration = Duration::from_secs(30);

/// A network, and what its accounts were worth when the story began.
struct Story {
    chain: TestChain,
    watcher: HttpRpcClient,
    start_bond: U256,
    piggyback_bond: U256,
}

impl Story {
    async fn new() -> Self {
        let chain = TestChain::start(PERIOD_S);
        let url = chain.file["watcher_url"].as_str().unwrap().to_owned();
        Self {
            watcher: HttpRpcClient::new(ClientConfig::new(url)).unwrap(),
            start_bond: chain.client.in_flight_exit_bond_wei().await.unwrap(),
            piggyback_bond: chain.client.piggyback_bond_wei().await.unwrap(),
            chain,
        }
    }

    // -- what happens on the child chain

    /// Deposits whole Ether; the position of the output.
    fn deposit(&self, account: usize, ether: u64) -> UtxoPos {
        let told = self.chain.wallet(account, &format!("deposit {ether} --wait"));
        position(&told["output"])
    }

    /// A payment in a block: its signed bytes, and where its first output is.
    fn pay(&self, account: usize, to: usize, ether: &str) -> (String, UtxoPos) {
        let to = self.chain.address(to);
        let told = self.chain.wallet(account, &format!("pay --to {to:?}:{ether} --wait"));
        let txbytes = told["txbytes"].as_str().unwrap().to_owned();
        (txbytes, position(&told["outputs"][0]["output"]))
    }

    /// Gives Alice 0.9 Ether that is no deposit: the signed bytes of what made it, and where it is.
    fn fund_alice(&self) -> (String, UtxoPos) {
        self.deposit(ERIN, 1);
        self.pay(ERIN, ALICE, "0.9")
    }

    /// A payment that nobody but its parties has ever seen.
    fn secret(&self, owner: usize, input: UtxoPos, outputs: &[(usize, U256)]) -> SignedTx {
        let output =
            |(to, amount): &(usize, U256)| Output::payment(self.chain.address(*to), ETH, *amount);
        let payment = PaymentTx {
            inputs: [input.into()].into_iter().collect(),
            outputs: outputs.iter().map(output).collect(),
            metadata: H256::zero(),
        };
        let domain = TypedDataDomain::new(self.chain.deployment.addresses.plasma_framework);
        let keys: [&SecretKey; 1] = [&self.chain.keys[owner]];
        SignedTx::sign_payment(payment, &keys, &domain).unwrap()
    }

    // -- what the watcher says

    async fn status(&self) -> Status {
        self.watcher.call(&STATUS_GET, &NoParams {}).await.unwrap()
    }

    /// Waits until exactly these events are reported, apart from invitations to join.
    async fn events(&self, expected: &[&str]) {
        let deadline = std::time::Instant::now() + DEADLINE;
        loop {
            let status = serde_json::to_value(self.status().await).unwrap();
            let events = status["byzantine_events"].as_array().unwrap().iter();
            let names = events.map(|event| event["event"].as_str().unwrap().to_owned());
            let names: Vec<_> = names.filter(|name| name != "piggyback_available").collect();
            if names == expected {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "{names:?} instead of {expected:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    // -- what happens on the root chain

    async fn worth(&self, account: usize) -> U256 {
        self.chain.on_root_chain(self.chain.address(account), ETH).await
    }

    /// Runs a wallet command, and returns what it told and what all its transactions cost in gas.
    async fn run(&self, account: usize, line: &str) -> (Value, U256) {
        let told = self.chain.wallet_when_ready(account, line);
        let mut gas_wei = U256::zero();
        for txhash in txhashes(&told) {
            gas_wei += self.chain.receipt(&txhash).await.fee_wei();
        }
        (told, gas_wei)
    }

    /// Runs a wallet command that costs this much besides gas.
    async fn costs(&self, account: usize, line: &str, cost_wei: U256) -> Value {
        let before = self.worth(account).await;
        let (told, gas_wei) = self.run(account, line).await;
        assert_eq!(before - self.worth(account).await, cost_wei + gas_wei, "{line}: {told}");
        told
    }

    async fn to_second_half(&self) {
        self.chain.dev.advance_time(PERIOD_S / 2 + 1).await.unwrap();
    }

    /// Lets every exit become due, and has Dave process the queue; what came of it.
    async fn process(&self) -> Vec<Receipt> {
        self.chain.dev.advance_time(2 * PERIOD_S + 1).await.unwrap();
        self.process_now().await
    }

    async fn process_now(&self) -> Vec<Receipt> {
        let told = self.chain.wallet(DAVE, "exit process --currency eth");
        let mut receipts = Vec::new();
        for txhash in told["txhashes"].as_array().unwrap() {
            receipts.push(self.chain.receipt(txhash).await);
        }
        receipts
    }

    /// What accounts got while exits were processed.
    async fn processed<const N: usize>(&self, accounts: [usize; N]) -> ([U256; N], Vec<Receipt>) {
        let mut got = [U256::zero(); N];
        for (got, account) in got.iter_mut().zip(accounts) {
            *got = self.worth(account).await;
        }
        let receipts = self.process().await;
        for (got, account) in got.iter_mut().zip(accounts) {
            *got = self.worth(account).await - *got;
        }
        (got, receipts)
    }

    /// Nothing is left to say about any exit, and none is listed.
    async fn is_over(&self) {
        self.events(&[]).await;
        let deadline = std::time::Instant::now() + DEADLINE;
        while !self.status().await.in_flight_exits.is_empty() {
            assert!(std::time::Instant::now() < deadline, "an in-flight exit is still listed");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn position(view: &Value) -> UtxoPos {
    let mut parts = view["position"].as_str().unwrap().split(':');
    let mut next = || parts.next().unwrap();
    let (blknum, txindex, oindex) = (next(), next(), next());
    UtxoPos::new(
        Blknum::new(blknum.parse().unwrap()),
        TxIndex::new(txindex.parse().unwrap()),
        OutputIndex::new(oindex.parse().unwrap()),
    )
}

fn hex(tx: &SignedTx) -> String {
    format!("0x{}", const_hex::encode(tx.as_bytes()))
}

/// Every root chain transaction that a report of an exit or a challenge names.
fn txhashes(told: &Value) -> Vec<Value> {
    let parts = [&told["started"], told].into_iter();
    let lists = ["joined", "played"].into_iter().filter_map(|list| told[list].as_array());
    let parts = parts.chain(lists.flatten());
    parts.map(|part| part["txhash"].clone()).filter(Value::is_string).collect()
}

fn paid(receipts: &[Receipt]) -> Vec<PiggybackSlot> {
    receipts.iter().flat_map(Receipt::withdrawn_piggybacks).map(|(_, slot)| slot).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_never_appears_leaves_with_its_outputs_and_its_inputs_are_spent() {
    let story = Story::new().await;
    let deposit = story.deposit(ALICE, 1);
    let tx = story.secret(ALICE, deposit, &[(BOB, milli(400)), (ALICE, milli(600))]);
    let (start, join) = (story.start_bond, story.piggyback_bond);
    // Alice joins with her input and her change, Bob with what he was paid.
    let alice = format!("exit --in-flight {}", hex(&tx));
    let told = story.costs(ALICE, &alice, start + join * 2).await;
    assert_eq!(told["joined"].as_array().unwrap().len(), 2);
    let bob = format!("exit piggyback --exit {} --output 0", hex(&tx));
    story.costs(BOB, &bob, join).await;
    story.chain.refused(BOB, &bob, "in_flight_exit:piggybacked_before");

    // The operator hears of it: the deposit can be spent no more, and the watcher does not offer it.
    wait_for("the deposit leaves the child chain", DEADLINE, || {
        let left = story.chain.on_child_chain(story.chain.address(ALICE), ETH);
        left.is_zero().then_some(())
    });
    assert_eq!(paid(&story.process_now().await), []);
    story.to_second_half().await;
    story.chain.refused(ALICE, &format!("challenge {}", hex(&tx)), "challenge:nothing_wrong");

    let ([alice, bob], receipts) = story.processed([ALICE, BOB]).await;
    assert_eq!(paid(&receipts), [PiggybackSlot::output(0), PiggybackSlot::output(1)]);
    assert_eq!(alice, milli(600) + start + join * 2, "her input's bond comes back unpaid");
    assert_eq!(bob, milli(400) + join);
    story.is_over().await;
    // Bonds are not paid twice for what has left.
    let again = format!("exit --in-flight {}", hex(&tx));
    story.chain.refused(BOB, &again, "in_flight_exit:over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_spend_is_contested_and_blocked_and_costs_its_author_both_bonds() {
    let story = Story::new().await;
    let (_, hers) = story.fund_alice();
    story.pay(ALICE, BOB, "0.4");
    // The same again, to herself: nobody was ever told of this one.
    let tx = story.secret(ALICE, hers, &[(ALICE, milli(900))]);
    let (start, join) = (story.start_bond, story.piggyback_bond);
    let not_hers = format!("exit start --in-flight {} --output 1", hex(&tx));
    story.chain.refused(ALICE, &not_hers, "in_flight_exit:no_such_share");
    // Unasked, the wallet pays no bond for the input that she spent.
    let told = story.costs(ALICE, &format!("exit --in-flight {}", hex(&tx)), start + join).await;
    assert_eq!(told["joined"][0]["name"], "output 0", "{told}");
    let unasked = format!("exit piggyback --exit {}", hex(&tx));
    story.chain.refused(ALICE, &unasked, "in_flight_exit:nothing_to_join");
    story.costs(ALICE, &format!("{unasked} --input 0"), join).await;
    story.events(&["invalid_piggyback", "non_canonical_ife"]).await;

    let before = story.worth(DAVE).await;
    let (told, gas_wei) = story.run(DAVE, &format!("challenge {}", hex(&tx))).await;
    assert_eq!(told["played"].as_array().unwrap().len(), 2, "{told}");
    assert_eq!(
        story.worth(DAVE).await + gas_wei - before,
        join,
        "the blocked piggyback pays at once"
    );
    story.events(&[]).await;

    let ([alice, bob], receipts) = story.processed([ALICE, BOB]).await;
    assert_eq!(paid(&receipts), [], "outputs of what is not canonical stay");
    assert_eq!((alice, bob), (join, U256::zero()), "only the bond of the output comes back");
    let dave = story.worth(DAVE).await + gas_wei + fees(&receipts);
    assert_eq!(dave - before, join + start, "who contested gets the bond of the start");
    story.is_over().await;
    assert_eq!(story.chain.on_child_chain(story.chain.address(BOB), ETH), milli(400));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_contest_of_an_included_payment_is_answered_and_the_receiver_is_paid() {
    let story = Story::new().await;
    let (made_by, hers) = story.fund_alice();
    let (txbytes, at) = story.pay(ALICE, BOB, "0.4");
    let (start, join) = (story.start_bond, story.piggyback_bond);
    story.costs(BOB, &format!("exit --in-flight {txbytes}"), start + join).await;
    story.events(&[]).await;
    // Alice shows another payment of hers, that no block has.
    let competitor = story.secret(ALICE, hers, &[(CAROL, milli(900))]);
    story.contest(&txbytes, (&made_by, hers), &competitor).await;
    story.events(&["invalid_ife_challenge"]).await;

    let before = story.worth(DAVE).await;
    let (_, gas_wei) = story.run(DAVE, &format!("challenge {txbytes}")).await;
    story.events(&[]).await;
    let ([alice, bob], receipts) = story.processed([ALICE, BOB]).await;
    assert_eq!(paid(&receipts), [PiggybackSlot::output(0)]);
    assert_eq!((alice, bob), (U256::zero(), milli(400) + join));
    let dave = story.worth(DAVE).await + gas_wei + fees(&receipts);
    assert_eq!(dave - before, start, "who answered gets the bond of the start");
    story.is_over().await;
    let spent = format!("exit start {at} --force");
    story.chain.refused(BOB, &spent, "contract:OutputFinalizedBefore");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_piggyback_of_a_spent_output_is_blocked_and_what_was_paid_on_stays() {
    let story = Story::new().await;
    story.fund_alice();
    let (txbytes, _) = story.pay(ALICE, BOB, "0.4");
    story.pay(BOB, CAROL, "0.3");
    let (start, join) = (story.start_bond, story.piggyback_bond);
    story.costs(BOB, &format!("exit start --in-flight {txbytes} --output 0"), start + join).await;
    story.events(&["invalid_piggyback"]).await;
    let before = story.worth(DAVE).await;
    let (_, gas_wei) = story.run(DAVE, &format!("challenge {txbytes}")).await;
    assert_eq!(story.worth(DAVE).await + gas_wei - before, join);
    story.events(&[]).await;
    // The contract would take his bond again; the wallet does not offer it.
    let again = format!("exit piggyback --exit {txbytes}");
    story.chain.refused(BOB, &again, "in_flight_exit:nothing_to_join");
    let ([bob], receipts) = story.processed([BOB]).await;
    assert_eq!(paid(&receipts), []);
    assert_eq!(bob, start, "nobody contested the payment itself");
    story.is_over().await;
    assert_eq!(story.chain.on_child_chain(story.chain.address(CAROL), ETH), milli(300));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_that_nobody_joined_is_deleted_and_leaves_nothing_behind() {
    let story = Story::new().await;
    let deposit = story.deposit(ALICE, 1);
    let tx = story.secret(ALICE, deposit, &[(BOB, milli(1_000))]);
    let start = format!("exit start --in-flight {} --no-piggyback", hex(&tx));
    story.costs(ALICE, &start, story.start_bond).await;
    let delete = format!("exit delete-in-flight {}", hex(&tx));
    story.chain.refused(DAVE, &delete, "contract:FirstPhaseNotOver");
    story.to_second_half().await;
    story.chain.refused(
        BOB,
        &format!("exit piggyback --exit {}", hex(&tx)),
        "contract:FirstPhaseOver",
    );
    let before = story.worth(ALICE).await;
    story.costs(DAVE, &delete, U256::zero()).await;
    assert_eq!(story.worth(ALICE).await - before, story.start_bond);
    story.is_over().await;
    // Nobody has spent the deposit, and it leaves as it came.
    story.chain.wallet_when_ready(ALICE, &format!("exit start {deposit}"));
    let ([_], receipts) = story.processed([ALICE]).await;
    assert_eq!(receipts.iter().flat_map(Receipt::finalized_exits).count(), 1);
    story.is_over().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_in_flight_exit_proves_a_standard_exit_of_its_input_wrong() {
    let story = Story::new().await;
    let deposit = story.deposit(ALICE, 1);
    let tx = story.secret(ALICE, deposit, &[(BOB, milli(1_000))]);
    // Alice takes the deposit out although she has signed it away.
    let told = story.chain.wallet(ALICE, &format!("exit start {deposit}"));
    let standard_bond = amount(&told["bond"]);
    story.events(&[]).await;
    let (start, join) = (story.start_bond, story.piggyback_bond);
    story.costs(BOB, &format!("exit --in-flight {}", hex(&tx)), start + join).await;
    story.events(&["invalid_exit"]).await;
    let before = story.worth(DAVE).await;
    let told = story.chain.wallet_when_ready(DAVE, &format!("challenge {deposit}"));
    let gas_wei = amount(&told["root_chain_fee"]);
    assert_eq!(story.worth(DAVE).await + gas_wei - before, standard_bond);
    story.events(&[]).await;
    let ([alice, bob], receipts) = story.processed([ALICE, BOB]).await;
    assert_eq!(paid(&receipts), [PiggybackSlot::output(0)]);
    assert_eq!((alice, bob), (U256::zero(), milli(1_000) + start + join));
    story.is_over().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_input_that_has_left_alone_nothing_is_paid_a_second_time() {
    let story = Story::new().await;
    let deposit = story.deposit(ALICE, 1);
    let tx = story.secret(ALICE, deposit, &[(ALICE, milli(1_000))]);
    story.chain.wallet(ALICE, &format!("exit start {deposit}"));
    let ([alice], _) = story.processed([ALICE]).await;
    assert!(alice > milli(1_000), "the deposit and its bond");
    let (start, join) = (story.start_bond, story.piggyback_bond);
    let exit = format!("exit start --in-flight {}", hex(&tx));
    story.chain.refused(ALICE, &exit, "in_flight_exit:over");
    story.costs(ALICE, &format!("{exit} --again"), start + join * 2).await;
    let ([alice], receipts) = story.processed([ALICE]).await;
    assert_eq!(paid(&receipts), [], "the input left before, and so may no output");
    assert_eq!(alice, start + join * 2, "bonds are all that comes back");
    story.is_over().await;
}

impl Story {
    /// Alice shows a competitor that no block has, past the wallet, which would not.
    async fn contest(&self, txbytes: &str, (made_by, at): (&str, UtxoPos), by: &SignedTx) {
        let call = Call::ChallengeInFlightExitNotCanonical(Box::new(CompetitorProof {
            input_tx: unsigned(made_by).into(),
            input_position: at,
            in_flight_tx: unsigned(txbytes).into(),
            in_flight_input_index: 0,
            competing_tx: by.unsigned_bytes().into(),
            competing_input_index: 0,
            included: None,
            competing_signature: by.signatures().next().unwrap(),
        }));
        let sent = self.chain.client.argue(&self.chain.keys[ALICE], &call).await.unwrap();
        let receipt = self.chain.client.confirm(&sent, 1, |_| {}).await.unwrap();
        receipt.success().unwrap();
    }
}

fn unsigned(signed: &str) -> Vec<u8> {
    SignedTx::decode(&const_hex::decode(signed).unwrap()).unwrap().unsigned_bytes()
}

fn fees(receipts: &[Receipt]) -> U256 {
    receipts.iter().fold(U256::zero(), |sum, receipt| sum + receipt.fee_wei())
}
