//! The main job on a real network, with every wei accounted for: deposits, payments, merges and fees.

use crate::kit::penning;
use crate::test_chain::{TestChain, amount, milli};
use plasma_core::wire::{
    Address, Blknum, ETH, Output, OutputIndex, PaymentTx, SecretKey, SignedTx, TypedDataDomain,
    U256, UtxoPos,
};
use plasma_eth::RootChain;
use plasma_rpc::child_chain::{SubmitAnswer, SubmitParams, TRANSACTION_SUBMIT};
use plasma_rpc::client::{ClientConfig, HttpRpcClient};
use plasma_rpc::info::{InclusionReference, PROOF_GET, ProofParams};
use serde_json::Value;

/// How often two payments may miss each other: a block is formed every second, and they come within milliseconds.
const SAME_BLOCK_ATTEMPTS_MAX: usize = 10;

/// What a payment costs on a devnet (priv/fee_specs.json).
const FEE_WEI: u64 = 1;

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_ends_well_twice_and_once_more_after_a_restart() {
    let mut chain = TestChain::start(60);
    for _ in 0..2 {
        assert_tour(&chain.wallet(0, "tour"));
    }
    let claimed = chain.on_child_chain(chain.fee_claimer_address(), ETH);
    assert!(chain.process.stop().success(), "{}", chain.process.log());
    assert_eq!(chain.anvil(), None, "anvil outlives the devnet");
    chain.start_again();
    assert_eq!(chain.on_child_chain(chain.fee_claimer_address(), ETH), claimed);
    assert_tour(&chain.wallet(0, "tour"));
}

/// The tour compares all balances by itself, and fails when one is wrong.
fn assert_tour(told: &Value) {
    assert!(told["steps"].as_array().unwrap().len() >= 9, "{told}");
    let fees = told["balances"].as_array().unwrap();
    assert!(fees.iter().any(|line| line["holder"] == "fee claimer"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn deposits_payments_merges_and_fees_add_up_to_the_wei() {
    let chain = TestChain::start(60);
    let [alice, bob, carol] = [0, 1, 2].map(|account| chain.address(account));
    let token = chain.token;

    let before = [chain.on_root_chain(alice, ETH).await, chain.on_root_chain(alice, token).await];
    let deposit = chain.wallet(0, "deposit 1.5 --wait");
    assert_eq!(deposit["output"]["position"], "1:0:0");
    let of_tokens = chain.wallet(0, &format!("deposit 100 --currency {token:?} --wait"));
    let gas_wei = amount(&deposit["root_chain_fee"]) + amount(&of_tokens["root_chain_fee"]);
    let after = [chain.on_root_chain(alice, ETH).await, chain.on_root_chain(alice, token).await];
    assert_eq!(before[0] - after[0], milli(1_500) + gas_wei);
    assert_eq!(before[1] - after[1], milli(100_000));
    assert_eq!(chain.on_child_chain(alice, ETH), milli(1_500));
    assert_eq!(chain.on_child_chain(alice, token), milli(100_000));

    // Two currencies in one payment, whose outputs are spent in later blocks.
    let pay = format!("pay --to {bob:?}:0.25 --to {carol:?}:40:{token:?} --wait");
    let first = chain.wallet(0, &pay);
    let second = chain.wallet(1, &format!("pay --to {carol:?}:0.1 --wait"));
    let third = chain.wallet(2, &format!("pay --to {bob:?}:7.5:{token:?} --wait"));
    let blknums = [&first, &second, &third].map(|paid| paid["blknum"].as_u64().unwrap());
    assert!(blknums.is_sorted_by(|a, b| a < b), "{blknums:?}");
    assert!([&first, &second, &third].iter().all(|paid| amount(&paid["fee"]) == FEE_WEI.into()));

    assert_proof_is_checked(&chain, &third).await;

    // Merges are free.
    for _ in 0..2 {
        chain.wallet(0, &format!("pay --to {bob:?}:0.01 --wait"));
    }
    let utxos = chain.wallet(1, "utxos --currency eth")["utxos"].as_array().unwrap().len();
    assert_eq!(utxos, 3);
    let merged = chain.wallet(1, "merge --wait");
    assert_eq!(merged["fee"]["amount"], "0");
    assert_eq!(chain.wallet(1, "utxos --currency eth")["utxos"].as_array().unwrap().len(), 1);

    let fees = U256::from(5 * FEE_WEI);
    let claimer = chain.fee_claimer_address();
    for (owner, currency, expected) in [
        (alice, ETH, milli(1_500 - 250 - 20) - 3 * FEE_WEI),
        (bob, ETH, milli(250 - 100 + 20) - FEE_WEI),
        (carol, ETH, milli(100) - FEE_WEI),
        (alice, token, milli(60_000)),
        (bob, token, milli(7_500)),
        (carol, token, milli(32_500)),
        (claimer, ETH, fees),
        (claimer, token, U256::zero()),
    ] {
        assert_eq!(chain.on_child_chain(owner, currency), expected, "{owner:?} {currency:?}");
    }

    // Claimed fees are ordinary money: they pay, and are paid from.
    let claims = chain.fee_claimer("utxos --currency eth");
    let claims = claims["utxos"].as_array().unwrap();
    assert_eq!(claims.len(), 5, "one claim in each block with fees");
    chain.fee_claimer("merge --currency eth --wait");
    let left = chain.fee_claimer("utxos --currency eth");
    assert!(left["utxos"].as_array().unwrap().len() < 5, "{left}");
    chain.fee_claimer(&format!("pay --to {carol:?}:0.000000000000000002 --merge --wait"));
    // Two of the five go to Carol, and one is paid to the claimer himself, in a new block.
    assert_eq!(chain.on_child_chain(claimer, ETH), fees - 2);
    assert_eq!(chain.on_child_chain(carol, ETH), milli(100) - FEE_WEI + 2);
}

/// Whoever was paid keeps the proof, and needs nobody but the contract to check it.
async fn assert_proof_is_checked(chain: &TestChain, paid: &Value) {
    let position: u128 =
        paid["outputs"][0]["output"]["utxo_pos"].as_str().unwrap().parse().unwrap();
    let url = chain.file["watcher_info_url"].as_str().unwrap();
    let watcher = HttpRpcClient::new(ClientConfig::new(url)).unwrap();
    let params = ProofParams { utxo_pos: Some(position.into()), ..ProofParams::default() };
    let mut proof = watcher.call(&PROOF_GET, &params).await.unwrap();
    let keep = |proof: &InclusionReference| {
        let text = serde_json::to_string(proof).unwrap();
        std::fs::write(chain.folder.path().join("proof.json"), &text).unwrap();
        text
    };
    let text = keep(&proof);
    let checked = chain.wallet(0, "verify-proof proof.json --on-root-chain");
    assert_eq!(checked["on_root_chain"], true, "{checked}");
    assert_eq!(
        (&checked["txhash"], &checked["outputs"][0]["output"]),
        (&paid["txhash"], &paid["outputs"][0]["output"])
    );
    let nowhere = tempfile::tempdir().unwrap();
    let alone = penning(nowhere.path(), &["wallet", "verify-proof", "-", "--json"]).stdin(&text);
    let alone = alone.json();
    assert!(alone["left_to_check"].as_str().unwrap().contains("blocks("), "{alone}");

    // True of some tree, but not of this block.
    let real = proof.blknum;
    proof.blknum = Blknum::new(1_000_000);
    keep(&proof);
    chain.wallet(0, "verify-proof proof.json");
    chain.refused(0, "verify-proof proof.json --on-root-chain", "proof:no_such_block");
    proof.blknum = Blknum::new(1);
    keep(&proof);
    chain.refused(0, "verify-proof proof.json --on-root-chain", "proof:other_root_on_root_chain");
    (proof.blknum, proof.plasma_framework) = (real, Address::zero());
    keep(&proof);
    chain.refused(0, "verify-proof proof.json --on-root-chain", "proof:other_deployment");
}

/// Signs and submits without asking anybody, as a wallet in a hurry would.
struct Hurried<'a> {
    child_chain: HttpRpcClient,
    domain: TypedDataDomain,
    key: &'a SecretKey,
}

impl Hurried<'_> {
    async fn pay(&self, from: UtxoPos, has: U256, pays: U256, to: Address) -> SubmitAnswer {
        let change = has - pays - FEE_WEI;
        let outputs = [(to, pays), (self.key.address(), change)].into_iter();
        let outputs = outputs.filter(|(_, amount)| !amount.is_zero());
        let tx = PaymentTx {
            inputs: [from.into()].into_iter().collect(),
            outputs: outputs.map(|(owner, amount)| Output::payment(owner, ETH, amount)).collect(),
            metadata: Default::default(),
        };
        let signed = SignedTx::sign_payment(tx, &[self.key], &self.domain).unwrap();
        let params = SubmitParams { transaction: signed.as_bytes().to_vec() };
        self.child_chain.call(&TRANSACTION_SUBMIT, &params).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_is_spent_in_the_block_that_makes_it() {
    let chain = TestChain::start(60);
    let (bob, carol) = (chain.address(1), chain.address(2));
    chain.wallet(0, "deposit 1 --wait");
    let url = chain.file["child_chain_url"].as_str().unwrap();
    let domain = TypedDataDomain::new(chain.deployment.addresses.plasma_framework);
    let hurried = |account: usize| Hurried {
        child_chain: HttpRpcClient::new(ClientConfig::new(url)).unwrap(),
        domain: domain.clone(),
        key: &chain.keys[account],
    };
    let (of_alice, of_bob) = (hurried(0), hurried(1));
    let (mut change, mut has) = (UtxoPos::deposit(Blknum::new(1)), milli(1_000));
    let mut payments = 0;
    let at = |answer: &SubmitAnswer, oindex| {
        UtxoPos::new(answer.blknum, answer.txindex, OutputIndex::new(oindex))
    };
    let together = loop {
        payments += 1;
        assert!(payments <= SAME_BLOCK_ATTEMPTS_MAX, "two payments never came into one block");
        let first = of_alice.pay(change, has, milli(10), bob).await;
        let second = of_bob.pay(at(&first, 0), milli(10), milli(10) - FEE_WEI, carol).await;
        (change, has) = (at(&first, 1), has - milli(10) - FEE_WEI);
        if first.blknum == second.blknum {
            break second;
        }
    };
    let status = chain.wallet(0, &format!("status {} --wait", at(&together, 0)));
    assert_eq!(status["phase"], "final", "{status}");
    assert!(chain.reader.child_block(together.blknum).await.unwrap().is_some());
    let payments = u64::try_from(payments).unwrap();
    assert_eq!(chain.on_child_chain(chain.address(0), ETH), has);
    assert_eq!(chain.on_child_chain(bob, ETH), U256::zero());
    assert_eq!(chain.on_child_chain(carol, ETH), (milli(10) - FEE_WEI) * payments);
    let fees = U256::from(2 * FEE_WEI * payments);
    assert_eq!(chain.on_child_chain(chain.fee_claimer_address(), ETH), fees);
}
