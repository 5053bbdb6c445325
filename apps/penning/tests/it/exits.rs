//! Money out on a real network, with every wei accounted for: payouts, bonds, challenges, the order of the queue, and credits.

use crate::process::wait_for;
use crate::test_chain::{TestChain, amount, milli};
use plasma_core::wire::{Address, ETH, ExitId, U256};
use plasma_eth::Receipt;
use serde_json::{Value, json};
use std::time::Duration;

/// The time unit of exits here.
const PERIOD_S: u64 = 600;
/// Who processes exits and has none.
const DAVE: usize = 4;
/// How long the watcher may take to read of what happened.
const DEADLINE: Duration = Duration::from_secs(30);

impl TestChain {
    /// Starts an exit, and checks what it cost: the bond and gas.
    async fn exit(&self, account: usize, line: &str) -> Started {
        let owner = self.address(account);
        let before = self.on_root_chain(owner, ETH).await;
        let told = self.wallet(account, &format!("exit start {line}"));
        let receipt = self.receipt(&told["txhash"]).await;
        let (exit_id, exitable_at_s) = receipt.started_exit().unwrap();
        let bond_wei = amount(&told["bond"]);
        let mut cost_wei = bond_wei + receipt.fee_wei();
        if told["exit_queue_added"] == true {
            // Its receipt is not told; what is left over is its gas.
            cost_wei = before - self.on_root_chain(owner, ETH).await;
        }
        assert_eq!(before - self.on_root_chain(owner, ETH).await, cost_wei);
        assert_eq!(told["exitable_at_s"], exitable_at_s);
        Started { exit_id, exitable_at_s, bond_wei, amount: amount(&told["amount"]) }
    }

    /// Goes beyond the time of an exit and has somebody process the queue.
    async fn process(&self, currency: &str, after_s: u64) -> Vec<Receipt> {
        let now_s = self.client.newest_block().await.unwrap().timestamp_s;
        self.dev.advance_time((after_s + 1).saturating_sub(now_s)).await.unwrap();
        let told = self.wallet(DAVE, &format!("exit process --currency {currency}"));
        let mut receipts = Vec::new();
        for txhash in told["txhashes"].as_array().unwrap() {
            receipts.push(self.receipt(txhash).await);
        }
        receipts
    }

    fn phase(&self, position: &str) -> Value {
        self.wallet(0, &format!("exit status {position}"))["exits"][0]["phase"].clone()
    }

    fn position(&self, told: &Value, output: usize) -> String {
        told["outputs"][output]["output"]["position"].as_str().unwrap().to_owned()
    }
}

struct Started {
    exit_id: ExitId,
    exitable_at_s: u64,
    bond_wei: U256,
    amount: U256,
}

fn finalized(receipts: &[Receipt]) -> Vec<ExitId> {
    receipts.iter().flat_map(Receipt::finalized_exits).collect()
}

fn deposit_of(told: &Value) -> String {
    told["output"]["position"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_and_deposits_are_paid_out_exactly_and_bonds_come_back() {
    let chain = TestChain::start(PERIOD_S);
    let [alice, bob] = [0, 1].map(|account| chain.address(account));
    let token = chain.token;
    chain.wallet(0, "deposit 1 --wait");
    chain.wallet(0, &format!("deposit 50 --currency {token:?} --wait"));
    let pay = format!("pay --to {bob:?}:0.25 --to {bob:?}:20:{token:?} --wait");
    let paid = chain.wallet(0, &pay);
    let (of_ether, of_tokens) = (chain.position(&paid, 0), chain.position(&paid, 1));
    let kept = deposit_of(&chain.wallet(0, "deposit 0.3 --wait"));

    chain.refused(1, &format!("exit start {kept}"), "contract:NotOutputOwner");
    let deposit = chain.exit(0, &kept).await;
    let ether = chain.exit(1, &of_ether).await;
    let tokens = chain.exit(1, &of_tokens).await;
    chain.refused(1, &format!("exit start {of_ether} --force"), "contract:ExitStartedBefore");
    assert_eq!(
        [deposit.amount, ether.amount, tokens.amount],
        [milli(300), milli(250), milli(20_000)]
    );
    // What leaves is no longer there once the watcher has read of it, and nothing is paid before its time.
    wait_for("what leaves is gone", DEADLINE, || {
        (chain.on_child_chain(bob, ETH) == U256::zero()).then_some(())
    });
    assert_eq!(chain.process("eth", 0).await.len(), 0);
    assert_eq!(chain.phase(&of_ether), "waiting");
    let told = wait_for("the watcher has read of both exits", DEADLINE, || {
        let told = chain.wallet(1, "exits");
        (told["exits"].as_array().unwrap().len() == 2).then_some(told)
    });
    assert_eq!(told["source"], "watcher");
    for exit in told["exits"].as_array().unwrap() {
        assert_eq!((&exit["phase"], &exit["next"]), (&json!("waiting"), &json!("wait")));
        assert_eq!(amount(&exit["bond"]), ether.bond_wei);
    }

    let before = [
        chain.on_root_chain(alice, ETH).await,
        chain.on_root_chain(bob, ETH).await,
        chain.on_root_chain(bob, token).await,
    ];
    let last_s = ether.exitable_at_s.max(deposit.exitable_at_s).max(tokens.exitable_at_s);
    let mut receipts = chain.process("eth", last_s).await;
    receipts.extend(chain.process(&format!("{token:?}"), last_s).await);
    assert_eq!(finalized(&receipts), [deposit.exit_id, ether.exit_id, tokens.exit_id]);
    let after = [
        chain.on_root_chain(alice, ETH).await,
        chain.on_root_chain(bob, ETH).await,
        chain.on_root_chain(bob, token).await,
    ];
    assert_eq!(after[0] - before[0], deposit.amount + deposit.bond_wei);
    assert_eq!(after[1] - before[1], ether.amount + ether.bond_wei + tokens.bond_wei);
    assert_eq!(after[2] - before[2], tokens.amount);
    wait_for("the watcher has read of the payments", DEADLINE, || {
        let told = chain.wallet(1, "exits --watch");
        let shown = told["exits"].as_array().unwrap();
        shown.iter().all(|exit| exit["phase"] == "paid").then_some(())
    });
    for (owner, position) in [(0, &kept), (1, &of_ether), (1, &of_tokens)] {
        assert_eq!(chain.phase(position), "paid");
        chain.refused(
            owner,
            &format!("exit start {position} --force"),
            "contract:OutputFinalizedBefore",
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_of_a_spent_output_is_challenged_and_its_bond_is_the_challengers() {
    let chain = TestChain::start(PERIOD_S);
    let [bob, carol] = [1, 2].map(|account| chain.address(account));
    let deposit = deposit_of(&chain.wallet(0, "deposit 1 --wait"));
    let paid = chain.wallet(0, &format!("pay --to {bob:?}:0.4 --wait"));
    let payment = chain.position(&paid, 0);
    chain.wallet(1, &format!("pay --to {carol:?}:0.3 --wait"));
    // A deposit and a payment, both spent: the wallet refuses, and those who know better lose their bonds.
    for (thief, position) in [(0, &deposit), (1, &payment)] {
        chain.refused(thief, &format!("exit start {position}"), "exit:invalid");
        let exit = chain.exit(thief, &format!("{position} --force")).await;
        let before = chain.on_root_chain(carol, ETH).await;
        let told = chain.wallet_when_ready(2, &format!("challenge {position}"));
        assert_eq!(amount(&told["bond"]), exit.bond_wei);
        let after = chain.on_root_chain(carol, ETH).await;
        assert_eq!(after + amount(&told["root_chain_fee"]) - before, exit.bond_wei);
        assert_eq!(chain.phase(position), "challenged");
        let thief = chain.address(thief);
        let before = chain.on_root_chain(thief, ETH).await;
        assert_eq!(finalized(&chain.process("eth", exit.exitable_at_s).await), []);
        assert_eq!(chain.on_root_chain(thief, ETH).await, before);
    }
    assert_eq!(chain.on_child_chain(carol, ETH), milli(300));
}

#[tokio::test(flavor = "multi_thread")]
async fn exits_leave_in_the_order_of_their_age_and_not_of_their_start() {
    let chain = TestChain::start(PERIOD_S);
    let [bob, carol] = [1, 2].map(|account| chain.address(account));
    let old = deposit_of(&chain.wallet(3, "deposit 1 --wait"));
    chain.dev.advance_time(2 * PERIOD_S).await.unwrap();
    chain.wallet(0, "deposit 1 --wait");
    let pay = format!("pay --to {bob:?}:0.1 --to {carol:?}:0.2 --wait");
    let paid = chain.wallet(0, &pay);
    // The youngest output of all starts first, and the oldest last.
    let later = chain.wallet(1, &format!("pay --to {carol:?}:0.05 --wait"));
    let starts = [
        (2, chain.position(&later, 0)),
        (1, chain.position(&later, 1)),
        (2, chain.position(&paid, 1)),
        (3, old),
    ];
    let mut exits = Vec::new();
    for (account, position) in &starts {
        exits.push(chain.exit(*account, position).await);
    }
    let [young, sibling, middle, oldest] = &exits[..] else { panic!("four exits") };
    assert!(oldest.exitable_at_s < middle.exitable_at_s);
    assert!(middle.exitable_at_s < young.exitable_at_s);
    assert_eq!(young.exitable_at_s, sibling.exitable_at_s, "they are of one block");
    let places: Vec<Value> = starts
        .iter()
        .map(|(_, at)| {
            chain.wallet(0, &format!("exit status {at}"))["exits"][0]["place_in_queue"].clone()
        })
        .collect();
    assert_eq!(places[2..], [json!(2), json!(1)], "{places:?}");

    // At its time the oldest leaves alone; the others follow together, in order.
    let first = chain.process("eth", oldest.exitable_at_s).await;
    assert_eq!(finalized(&first), [oldest.exit_id]);
    let rest = finalized(&chain.process("eth", young.exitable_at_s).await);
    assert_eq!(rest.len(), 3);
    assert_eq!(rest[0], middle.exit_id);
    let mut of_one_transaction = [young.exit_id, sibling.exit_id];
    of_one_transaction.sort_unstable();
    assert_eq!(rest[1..], of_one_transaction, "the same transaction: by exit id");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_that_nobody_takes_waits_as_a_credit() {
    let chain = TestChain::start(PERIOD_S);
    let alice = chain.address(0);
    let position = deposit_of(&chain.wallet(0, "deposit 1 --wait"));
    let exit = chain.exit(0, &position).await;
    // From now on the account is a contract that takes nothing: PUSH1 0 PUSH1 0 REVERT.
    chain.dev.set_code(alice, &[0x60, 0, 0x60, 0, 0xfd]).await.unwrap();
    let before = chain.on_root_chain(alice, ETH).await;
    let receipts = chain.process("eth", exit.exitable_at_s).await;
    assert_eq!(
        finalized(&receipts),
        [exit.exit_id],
        "the others in the queue must not wait for it"
    );
    assert_eq!(chain.on_root_chain(alice, ETH).await, before);
    let credits = chain.wallet(0, "credit")["credits"].clone();
    let kept = |keeper: &str| {
        let all = credits.as_array().unwrap();
        all.iter().find(|credit| credit["from"] == keeper).map(|credit| amount(&credit["amount"]))
    };
    assert_eq!(kept("eth-vault"), Some(exit.amount), "{credits}");
    assert_eq!(kept("exit-game"), Some(exit.bond_wei), "{credits}");

    chain.dev.set_code(alice, &[]).await.unwrap();
    let heir: Address = Address::repeat_byte(0x77);
    for keeper in ["eth-vault", "exit-game"] {
        chain.wallet(0, &format!("withdraw-credit --from {keeper} --to {heir:?}"));
    }
    assert_eq!(chain.on_root_chain(heir, ETH).await, exit.amount + exit.bond_wei);
    assert_eq!(chain.wallet(0, "credit")["credits"], json!([]));
}
