//! The ledger's rules, one by one (protocol 3.2 to 3.5 and the list of 10.2).

use crate::chain::{TOKEN, TestChain, Who, pay, pay_eth, pos};
use Who::{Alice, Bob, Carol, Mallory, Operator};
use plasma_core::db_update::{PendingRecord, StateUpdate};
use plasma_core::fees::RequiredFee;
use plasma_core::state::{Deposit, OutputFacts, Role, State};
use plasma_core::wire::{
    Blknum, ETH, FeeClaimTx, H256, RecoveredTx, SignedTx, Transaction, TxType, U256, UtxoPos,
};

fn refused(chain: &mut TestChain, bytes: &[u8], expected: &str) {
    assert_eq!(chain.submit(bytes).unwrap_err(), expected);
}

#[test]
fn deposits_are_spent_in_any_order_and_chained_within_a_block() {
    let mut chain = TestChain::new();
    let first = chain.deposit(Alice, ETH, 10);
    let second = chain.deposit(Bob, ETH, 20);
    let accepted = chain.submit(&pay_eth(second, Bob, Carol, 20)).unwrap();
    assert_eq!((accepted.blknum.get(), accepted.txindex.get()), (1000, 0));
    chain.submit(&pay_eth(first, Alice, Bob, 10)).unwrap();
    let accepted = chain.submit(&pay_eth(pos(1000, 1, 0), Bob, Alice, 10)).unwrap();
    assert_eq!((accepted.blknum.get(), accepted.txindex.get()), (1000, 2));
    let block = chain.form_block().unwrap();
    assert_eq!((block.number.get(), block.transactions.len()), (1000, 3));
    assert_eq!(
        (chain.balance(Alice, ETH), chain.balance(Bob, ETH), chain.balance(Carol, ETH)),
        (10, 0, 20)
    );
    chain.submit(&pay_eth(pos(1000, 2, 0), Alice, Bob, 10)).unwrap();
    assert_eq!(chain.form_block().unwrap().number, Blknum::new(2000));
}

#[test]
fn an_output_is_spent_once() {
    let mut chain = TestChain::new();
    let deposit = chain.deposit(Alice, ETH, 10);
    chain.submit(&pay_eth(deposit, Alice, Bob, 10)).unwrap();
    refused(&mut chain, &pay_eth(deposit, Alice, Carol, 10), "utxo_not_found");
    chain.form_block();
    refused(&mut chain, &pay_eth(deposit, Alice, Carol, 10), "utxo_not_found");
    chain.crash();
    refused(&mut chain, &pay_eth(deposit, Alice, Carol, 10), "utxo_not_found");
    chain.submit(&pay_eth(pos(1000, 0, 0), Bob, Carol, 10)).unwrap();
    refused(&mut chain, &pay_eth(pos(1000, 0, 0), Bob, Carol, 10), "utxo_not_found");
}

#[test]
fn only_the_owner_of_each_input_spends_it() {
    let mut chain = TestChain::new();
    let (of_alice, of_bob) = (chain.deposit(Alice, ETH, 10), chain.deposit(Bob, ETH, 5));
    let out = [(Mallory, ETH, 15)];
    refused(
        &mut chain,
        &pay(&[(of_alice, Mallory), (of_bob, Mallory)], &out),
        "unauthorized_spend",
    );
    refused(&mut chain, &pay(&[(of_alice, Alice), (of_bob, Mallory)], &out), "unauthorized_spend");
    refused(&mut chain, &pay(&[(of_alice, Bob), (of_bob, Alice)], &out), "unauthorized_spend");
    chain.submit(&pay(&[(of_alice, Alice), (of_bob, Bob)], &out)).unwrap();
}

#[test]
fn inputs_must_exist_by_now() {
    let mut chain = TestChain::new();
    let deposit = chain.deposit(Alice, ETH, 10);
    refused(&mut chain, &pay_eth(pos(2, 0, 0), Alice, Bob, 10), "utxo_not_found");
    refused(&mut chain, &pay_eth(pos(0, 0, 1), Alice, Bob, 10), "utxo_not_found");
    refused(&mut chain, &pay_eth(pos(1000, 0, 0), Alice, Bob, 10), "utxo_not_found");
    refused(&mut chain, &pay_eth(pos(1001, 0, 0), Alice, Bob, 10), "input_utxo_ahead_of_state");
    refused(&mut chain, &pay_eth(pos(u64::MAX, 0, 0), Alice, Bob, 10), "input_utxo_ahead_of_state");
    // What is ahead is told before what is missing, and what is missing before who signed.
    let inputs = [(pos(2, 0, 0), Mallory), (pos(1001, 0, 0), Mallory)];
    refused(&mut chain, &pay(&inputs, &[(Bob, ETH, 1)]), "input_utxo_ahead_of_state");
    refused(
        &mut chain,
        &pay(&[(deposit, Mallory), (pos(2, 0, 0), Mallory)], &[(Bob, ETH, 1)]),
        "utxo_not_found",
    );
}

#[test]
fn amounts_add_up_per_currency() {
    let mut chain = TestChain::new();
    let (eth, token) = (chain.deposit(Alice, ETH, 10), chain.deposit(Alice, TOKEN, 10));
    let both = [(eth, Alice), (token, Alice)];
    refused(&mut chain, &pay_eth(eth, Alice, Bob, 11), "amounts_do_not_add_up");
    refused(&mut chain, &pay(&[(eth, Alice)], &[(Bob, TOKEN, 1)]), "amounts_do_not_add_up");
    refused(&mut chain, &pay(&both, &[(Bob, ETH, 11), (Bob, TOKEN, 9)]), "amounts_do_not_add_up");
    refused(&mut chain, &pay(&both, &[(Bob, ETH, 6), (Bob, ETH, 5)]), "amounts_do_not_add_up");
    refused(&mut chain, &pay(&[], &[(Bob, ETH, 1)]), "amounts_do_not_add_up");
    chain.submit(&pay(&both, &[(Bob, ETH, 6), (Bob, TOKEN, 10), (Alice, ETH, 4)])).unwrap();
}

#[test]
fn sums_beyond_256_bits_neither_wrap_nor_pass() {
    let mut state = State::restore(Role::Watcher, PendingRecord::default(), &[]).unwrap();
    let half = U256::one() << 255;
    let deposit = |blknum| Deposit {
        blknum: Blknum::new(blknum),
        owner: Alice.address(),
        currency: TOKEN,
        amount: half,
    };
    state.deposit(&[deposit(1), deposit(2)], &OutputFacts::new(), &mut Vec::new());
    let inputs =
        [(UtxoPos::deposit(Blknum::new(1)), Alice), (UtxoPos::deposit(Blknum::new(2)), Alice)];
    let tx = RecoveredTx::from_bytes(&pay(&inputs, &[(Bob, TOKEN, 1)]), &crate::chain::domain())
        .unwrap();
    // 2^256 come in and 1 goes out: the surplus fits, just.
    state.exec(&tx, &RequiredFee::Ignored, &OutputFacts::new(), &mut Vec::new()).unwrap();
    assert_eq!(state.pending_record().fees[&TOKEN], U256::MAX);
    state.deposit(&[deposit(3)], &OutputFacts::new(), &mut Vec::new());
    let bytes = pay(&[(UtxoPos::deposit(Blknum::new(3)), Alice)], &[(Bob, TOKEN, 1)]);
    let tx = RecoveredTx::from_bytes(&bytes, &crate::chain::domain()).unwrap();
    let refused = state.exec(&tx, &RequiredFee::Ignored, &OutputFacts::new(), &mut Vec::new());
    assert_eq!(
        refused.unwrap_err().to_string(),
        "amounts_do_not_add_up",
        "fees beyond 256 bits could never be claimed"
    );
}

#[test]
fn fees_are_exact_and_merges_are_free() {
    let mut chain = TestChain::with_fees(&[(ETH, 2)]);
    let (first, second, token) = (
        chain.deposit(Alice, ETH, 10),
        chain.deposit(Alice, ETH, 10),
        chain.deposit(Alice, TOKEN, 3),
    );
    refused(&mut chain, &pay_eth(first, Alice, Bob, 10), "fees_not_covered");
    refused(&mut chain, &pay_eth(first, Alice, Bob, 9), "fees_not_covered");
    refused(&mut chain, &pay_eth(first, Alice, Bob, 7), "overpaying_fees");
    refused(&mut chain, &pay(&[(token, Alice)], &[(Bob, TOKEN, 1)]), "fees_not_covered");
    let both = [(first, Alice), (token, Alice)];
    refused(
        &mut chain,
        &pay(&both, &[(Bob, ETH, 8), (Bob, TOKEN, 1)]),
        "multiple_potential_currency_fees",
    );
    let merge = [(first, Alice), (second, Alice)];
    refused(&mut chain, &pay(&merge, &[(Alice, ETH, 18)]), "overpaying_fees");
    refused(&mut chain, &pay(&merge, &[(Bob, ETH, 20)]), "fees_not_covered");
    chain.submit(&pay(&merge, &[(Alice, ETH, 20)])).unwrap();
    chain.submit(&pay_eth(pos(1000, 0, 0), Alice, Bob, 18)).unwrap();
}

#[test]
fn fees_are_claimed_at_the_end_of_the_block_in_order_of_currency() {
    let mut chain = TestChain::new();
    let (eth, token) = (chain.deposit(Alice, ETH, 10), chain.deposit(Alice, TOKEN, 10));
    chain.submit(&pay(&[(token, Alice)], &[(Bob, TOKEN, 7)])).unwrap();
    chain.submit(&pay_eth(eth, Alice, Bob, 8)).unwrap();
    chain.submit(&pay_eth(pos(1000, 1, 0), Bob, Alice, 7)).unwrap();
    let block = chain.form_block().unwrap();
    let claims: Vec<(TxType, u64)> = block.transactions[3..]
        .iter()
        .map(|bytes| SignedTx::decode(bytes).unwrap().transaction().clone())
        .map(|tx| (tx.tx_type(), tx.outputs()[0].amount.low_u64()))
        .collect();
    assert_eq!(claims, [(TxType::FeeClaim, 3), (TxType::FeeClaim, 3)]);
    assert_eq!((chain.balance(Operator, ETH), chain.balance(Operator, TOKEN)), (3, 3));
    chain.submit(&pay_eth(pos(1000, 3, 0), Operator, Bob, 3)).unwrap();
    assert_eq!(chain.form_block().unwrap().transactions.len(), 1, "no surplus, no claim");
}

#[test]
fn a_claim_takes_exactly_what_the_block_collected_once() {
    let mut chain = TestChain::new();
    let deposit = chain.deposit(Alice, ETH, 10);
    let claim = |currency, amount: u64| match Transaction::fee_claim(
        Blknum::new(1000),
        Operator.address(),
        currency,
        amount.into(),
    ) {
        Transaction::FeeClaim(claim) => {
            RecoveredTx::fee_claim(FeeClaimTx { nonce: H256::zero(), ..claim })
        }
        Transaction::Payment(_) => unreachable!("a claim is no payment"),
    };
    let refused = |chain: &mut TestChain, tx, expected: &str| {
        assert_eq!(chain.exec(tx).unwrap_err().to_string(), expected)
    };
    refused(&mut chain, claim(ETH, 1), "surplus_in_token_not_collected");
    chain.submit(&pay_eth(deposit, Alice, Bob, 7)).unwrap();
    refused(&mut chain, claim(ETH, 2), "claimed_and_collected_amounts_mismatch");
    refused(&mut chain, claim(ETH, 4), "claimed_and_collected_amounts_mismatch");
    refused(&mut chain, claim(TOKEN, 3), "surplus_in_token_not_collected");
    chain.exec(claim(ETH, 3)).unwrap();
    refused(&mut chain, claim(ETH, 3), "surplus_in_token_not_collected");
    let late = pay_eth(pos(1000, 0, 0), Bob, Alice, 7);
    assert_eq!(chain.submit(&late).unwrap_err(), "payments_rejected_during_fee_claiming");
}

#[test]
fn empty_blocks_are_never_formed() {
    let mut chain = TestChain::new();
    assert!(chain.form_block().is_none());
    chain.deposit(Alice, ETH, 10);
    assert!(chain.form_block().is_none());
    assert_eq!(chain.operator.blknum(), Blknum::new(1000));
}

#[test]
fn exits_take_outputs_off_and_are_invalid_when_there_is_nothing() {
    let mut chain = TestChain::new();
    let (cold, warm) = (chain.deposit(Alice, ETH, 10), chain.deposit(Bob, ETH, 5));
    chain.submit(&pay_eth(warm, Bob, Carol, 5)).unwrap();
    assert!(!chain.exit(pos(1000, 0, 0)), "nothing of the pending block is on the root chain");
    chain.form_block();
    assert!(chain.exit(cold));
    assert!(chain.exit(pos(1000, 0, 0)));
    refused(&mut chain, &pay_eth(cold, Alice, Bob, 10), "utxo_not_found");
    refused(&mut chain, &pay_eth(pos(1000, 0, 0), Carol, Bob, 5), "utxo_not_found");
    assert!(!chain.exit(warm), "spent");
    assert!(!chain.exit(pos(7, 0, 0)), "never was");
    chain.crash();
    refused(&mut chain, &pay_eth(cold, Alice, Bob, 10), "utxo_not_found");
    assert!(chain.exit(cold), "the same exit again is still the one that took it");
}

#[test]
fn an_accepted_transaction_survives_the_exit_of_its_input() {
    let mut chain = TestChain::new();
    let deposit = chain.deposit(Alice, ETH, 10);
    chain.submit(&pay_eth(deposit, Alice, Bob, 10)).unwrap();
    assert!(!chain.exit(deposit), "it is spent, so the exit is invalid and will be challenged");
    assert_eq!(chain.form_block().unwrap().transactions.len(), 1);
}

#[test]
fn the_operator_keeps_room_for_its_claims_and_a_watcher_takes_a_full_tree() {
    let leaves = |count: usize| vec![H256::zero(); count];
    let pending = |count: u32, fees: &[u64]| PendingRecord {
        blknum: Blknum::new(1000),
        tx_count: count,
        fees: fees
            .iter()
            .map(|n| (primitive_types::H160::from_low_u64_be(*n), U256::one()))
            .collect(),
    };
    let operator = Role::Operator { fee_claimer: Operator.address() };
    for (role, count, fees, full) in [
        (operator, 65_531, vec![], false),
        (operator, 65_532, vec![], true),
        (operator, 65_530, vec![1], false),
        (operator, 65_531, vec![1], true),
        (operator, 65_527, vec![1, 2, 3, 4], false),
        (operator, 65_528, vec![1, 2, 3, 4], true),
        (Role::Watcher, 65_535, vec![1, 2, 3, 4], false),
        (Role::Watcher, 65_536, vec![], true),
    ] {
        let state = State::restore(role, pending(count, &fees), &leaves(count as usize)).unwrap();
        assert_eq!(state.is_full(), full, "{role:?} {count} {fees:?}");
        let mut state = state;
        let deposit = Deposit {
            blknum: Blknum::new(1),
            owner: Alice.address(),
            currency: ETH,
            amount: U256::one(),
        };
        state.deposit(&[deposit], &OutputFacts::new(), &mut Vec::new());
        let bytes = pay_eth(UtxoPos::deposit(Blknum::new(1)), Alice, Bob, 1);
        let tx = RecoveredTx::from_bytes(&bytes, &crate::chain::domain()).unwrap();
        let result = state.exec(&tx, &RequiredFee::Ignored, &OutputFacts::new(), &mut Vec::new());
        assert_eq!(
            result.err().map(|error| error.to_string()),
            full.then(|| "too_many_transactions_in_block".to_owned())
        );
    }
}

#[test]
fn a_store_that_lost_pending_transactions_is_refused() {
    let pending =
        PendingRecord { blknum: Blknum::new(1000), tx_count: 2, ..PendingRecord::default() };
    let error = State::restore(Role::Watcher, pending, &[H256::zero()]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the stored pending block 1000 claims 2 transactions and 1 are there"
    );
}

#[test]
fn an_invalid_block_leaves_a_watcher_where_it_was() {
    let mut chain = TestChain::new();
    let deposit = chain.deposit(Alice, ETH, 10);
    chain.submit(&pay_eth(deposit, Alice, Bob, 10)).unwrap();
    let mut updates = Vec::new();
    chain.operator.form_block(&mut updates).unwrap();
    chain.store.commit(updates);
    let good = chain.store.block(Blknum::new(1000));
    let mut bad = good.clone();
    bad.transactions.push(pay_eth(deposit, Alice, Carol, 10).into());
    assert_eq!(chain.watch(&bad).unwrap_err().to_string(), "utxo_not_found");
    chain.watch(&good).unwrap();
}

#[test]
fn updates_name_every_effect_once() {
    let mut chain = TestChain::new();
    let deposit = chain.deposit(Alice, ETH, 10);
    let tx = RecoveredTx::from_bytes(
        &pay(&[(deposit, Alice)], &[(Bob, ETH, 4), (Alice, ETH, 6)]),
        &crate::chain::domain(),
    );
    let mut updates = Vec::new();
    chain
        .operator
        .exec(&tx.unwrap(), &RequiredFee::Ignored, &OutputFacts::new(), &mut updates)
        .unwrap();
    let shown: Vec<&str> = updates
        .iter()
        .map(|update| match update {
            StateUpdate::DeleteUtxo(_) => "delete",
            StateUpdate::PutSpend(..) => "spend",
            StateUpdate::PutUtxo(..) => "utxo",
            StateUpdate::PutTransaction(..) => "transaction",
            StateUpdate::PutBlock(..) => "block",
            StateUpdate::PutPending(_) => "pending",
            StateUpdate::PutInFlightRecord(_) => "in-flight record",
        })
        .collect();
    assert_eq!(shown, ["delete", "spend", "utxo", "utxo", "transaction"]);
}
