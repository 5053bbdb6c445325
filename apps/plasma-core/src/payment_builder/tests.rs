//! Plans of payments: tables for the documented cases, and the books of random ones.

use super::*;
use crate::wire::{Blknum, ETH, OutputIndex, OutputType, TxIndex};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const ALICE: Address = primitive_types::H160([0xa1; 20]);
const BOB: Address = primitive_types::H160([0xb0; 20]);
const TOKEN: Currency = primitive_types::H160([1; 20]);
const OTHER: Currency = primitive_types::H160([2; 20]);

fn coins(amounts: &[(Currency, u64)]) -> Vec<(UtxoPos, Utxo)> {
    let numbered = (1..).zip(amounts);
    let coins = numbered.map(|(blknum, (currency, amount))| {
        let position = UtxoPos::new(Blknum::new(blknum), TxIndex::new(0), OutputIndex::new(0));
        let utxo = Utxo {
            output_type: OutputType::Payment,
            currency: *currency,
            amount: U256::from(*amount),
        };
        (position, utxo)
    });
    coins.collect()
}

fn order(payments: &[(Address, Currency, u64)], fee: (Currency, u64)) -> PaymentOrder {
    let payments = payments.iter().map(|(owner, currency, amount)| Payment {
        owner: *owner,
        currency: *currency,
        amount: U256::from(*amount),
    });
    PaymentOrder {
        owner: ALICE,
        payments: payments.collect(),
        fee: Fee { currency: fee.0, amount: U256::from(fee.1) },
        metadata: H256::repeat_byte(7),
    }
}

fn show(currency: Currency) -> char {
    let names = [(ETH, 'E'), (TOKEN, 'T'), (OTHER, 'O')];
    let name = names.iter().find(|(known, _)| *known == currency);
    name.map_or('?', |(_, name)| *name)
}

fn show_tx(created: &CreatedTx) -> String {
    let inputs = created.inputs.iter();
    let inputs = inputs.map(|(_, utxo)| format!("{}{}", utxo.amount, show(utxo.currency)));
    let outputs = created.tx.outputs.iter().map(|output| {
        let owner = if output.owner == ALICE { "alice" } else { "bob" };
        format!("{}{} {owner}", output.amount, show(output.currency))
    });
    let (inputs, outputs): (Vec<_>, Vec<_>) = (inputs.collect(), outputs.collect());
    format!("{} -> {}", inputs.join(" "), outputs.join(", "))
}

fn check(
    utxos: &[(Currency, u64)],
    payments: &[(Address, Currency, u64)],
    fee: (Currency, u64),
    expected: &str,
) {
    let plan = build_payment(&order(payments, fee), coins(utxos));
    let found = match plan {
        Ok(PaymentPlan::Complete(created)) => show_tx(&created),
        Ok(PaymentPlan::Intermediate(merges)) => {
            let merges: Vec<_> = merges.iter().map(show_tx).collect();
            format!("first {}", merges.join(" | "))
        }
        Err(PaymentError::InsufficientFunds { missing }) => {
            let missing = missing.iter();
            let missing = missing.map(|one| format!(" {}{}", one.amount, show(one.currency)));
            format!("missing{}", missing.collect::<String>())
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expected, "{utxos:?} {payments:?} {fee:?}");
}

#[test]
fn payments_take_an_exact_coin_or_the_largest() {
    let free = (ETH, 0);
    check(&[(ETH, 5)], &[(BOB, ETH, 5)], free, "5E -> 5E bob");
    check(&[(ETH, 9), (ETH, 5)], &[(BOB, ETH, 5)], free, "5E -> 5E bob");
    check(&[(ETH, 9)], &[(BOB, ETH, 5)], (ETH, 1), "9E -> 5E bob, 3E alice");
    check(&[(ETH, 6)], &[(BOB, ETH, 5)], (ETH, 1), "6E -> 5E bob");
    check(&[(ETH, 3), (ETH, 4)], &[(BOB, ETH, 5)], (ETH, 1), "4E 3E -> 5E bob, 1E alice");
    check(
        &[(ETH, 9), (TOKEN, 4)],
        &[(BOB, TOKEN, 4), (ALICE, ETH, 2)],
        (ETH, 1),
        "9E 4T -> 4T bob, 2E alice, 6E alice",
    );
}

#[test]
fn free_inputs_are_filled_with_small_coins_of_the_same_currencies() {
    let free = (ETH, 0);
    let pay = |amount| [(BOB, ETH, amount)];
    check(&[(ETH, 9), (ETH, 1), (TOKEN, 3)], &pay(5), free, "9E 1E -> 5E bob, 5E alice");
    let crumbs = [(ETH, 9), (ETH, 1), (ETH, 4), (ETH, 2), (ETH, 3)];
    check(&crumbs, &pay(5), free, "9E 1E 2E 3E -> 5E bob, 10E alice");
    // An exact coin leaves no change: one small coin would only be exchanged for another.
    check(&[(ETH, 5), (ETH, 1)], &pay(5), free, "5E -> 5E bob");
    check(&[(ETH, 5), (ETH, 1), (ETH, 2)], &pay(5), free, "5E 1E 2E -> 5E bob, 3E alice");
    // No output is free for the change of an exact coin.
    let four = [(BOB, ETH, 1); 4];
    check(&[(ETH, 4), (ETH, 1), (ETH, 2)], &four, free, "4E -> 1E bob, 1E bob, 1E bob, 1E bob");
    // The currency with most coins comes first.
    let two = [(ETH, 9), (ETH, 1), (TOKEN, 9), (TOKEN, 1), (TOKEN, 2)];
    let pay_both = [(BOB, ETH, 5), (BOB, TOKEN, 5)];
    check(&two, &pay_both, free, "9E 9T 1T 2T -> 5E bob, 5T bob, 4E alice, 7T alice");
}

#[test]
fn for_others_every_free_input_is_filled() {
    let show =
        |utxos: &[(Currency, u64)], payments: &[(Address, Currency, u64)]| match create_payment(
            &order(payments, (ETH, 0)),
            coins(utxos),
            &BTreeMap::new(),
        ) {
            Ok(PaymentPlan::Complete(created)) => show_tx(&created),
            other => format!("{other:?}"),
        };
    let pay = [(BOB, ETH, 5)];
    assert_eq!(show(&[(ETH, 5), (ETH, 1)], &pay), "5E 1E -> 5E bob, 1E alice");
    assert_eq!(show(&[(ETH, 5), (TOKEN, 1)], &pay), "5E -> 5E bob");
    // The change of an exact coin never makes a payment impossible.
    let four = [(BOB, ETH, 1); 4];
    let kept = "4E -> 1E bob, 1E bob, 1E bob, 1E bob";
    assert_eq!(show(&[(ETH, 4), (ETH, 1)], &four), kept);
}

#[test]
fn an_account_with_more_outputs_than_are_listed_merges_first() {
    let order = order(&[(BOB, ETH, 50), (BOB, TOKEN, 1)], (ETH, 0));
    let listed = coins(&[(ETH, 3), (ETH, 2), (TOKEN, 1)]);
    let missing = vec![Missing { currency: ETH, amount: 45.into() }];
    let more = |currency, all: u64| BTreeMap::from([(currency, all.into())]);
    let none = create_payment(&order, listed.clone(), &more(TOKEN, 90));
    assert_eq!(none, Err(PaymentError::InsufficientFunds { missing }));
    let missing = vec![Missing { currency: ETH, amount: 1.into() }];
    let almost = create_payment(&order, listed.clone(), &more(ETH, 49));
    assert_eq!(almost, Err(PaymentError::InsufficientFunds { missing }), "all of it is too little");
    let plan = create_payment(&order, listed, &more(ETH, 50)).unwrap();
    let PaymentPlan::Intermediate(merges) = plan else {
        panic!("{plan:?}");
    };
    assert_eq!(merges.iter().map(show_tx).collect::<Vec<_>>(), ["3E 2E -> 5E alice"]);
}

#[test]
fn too_many_small_coins_are_merged_first() {
    let free = (ETH, 0);
    check(&[(ETH, 1); 5], &[(BOB, ETH, 5)], free, "first 1E 1E 1E 1E -> 4E alice");
    let six = "first 1E 1E 1E 1E -> 4E alice | 1E 1E -> 2E alice";
    check(&[(ETH, 1); 6], &[(BOB, ETH, 5)], (ETH, 1), six);
    let mixed = [(ETH, 1), (ETH, 1), (TOKEN, 2), (TOKEN, 2), (OTHER, 7)];
    let pay = [(BOB, ETH, 2), (BOB, TOKEN, 4), (BOB, OTHER, 7)];
    check(&mixed, &pay, free, "first 1E 1E -> 2E alice | 2T 2T -> 4T alice");
}

#[test]
fn orders_that_cannot_be_filled_have_their_codes() {
    let free = (ETH, 0);
    let utxos = [(ETH, 9)];
    check(&utxos, &[], free, "transaction.create:empty_transaction");
    check(&utxos, &[(BOB, ETH, 1); 5], free, "transaction.create:too_many_outputs");
    // Four payments and no room for the change.
    check(&utxos, &[(BOB, ETH, 1); 4], free, "transaction.create:too_many_outputs");
    check(&utxos, &[(ALICE, ETH, 1)], free, "transaction.create:self_transaction_not_supported");
    check(&utxos, &[(BOB, ETH, 0)], free, "transaction.create:amount_cant_be_zero");
    let nobody = Address::zero();
    check(&utxos, &[(nobody, ETH, 1)], free, "transaction.create:output_guard_cant_be_zero");
    check(&utxos, &[(BOB, ETH, 10)], (ETH, 2), "missing 3E");
    check(&utxos, &[(BOB, ETH, 10)], (TOKEN, 2), "missing 1E 2T");
    check(&[], &[(BOB, TOKEN, 10)], free, "missing 10T");
    // Five currencies need five inputs, and nothing can be merged.
    let currencies: Vec<Currency> = (1..=5).map(Currency::repeat_byte).collect();
    let utxos: Vec<_> = currencies.iter().map(|currency| (*currency, 1)).collect();
    let payments: Vec<_> = currencies.iter().skip(1).map(|currency| (BOB, *currency, 1)).collect();
    check(&utxos, &payments, (currencies[0], 1), "transaction.create:too_many_inputs");
}

#[test]
fn the_order_is_kept() {
    let order = order(&[(BOB, ETH, 5)], (ETH, 1));
    let plan = build_payment(&order, coins(&[(ETH, 9)])).unwrap();
    let PaymentPlan::Complete(created) = plan else {
        panic!("one coin is enough: {plan:?}");
    };
    assert_eq!(created.tx.metadata, order.metadata);
    assert_eq!(created.fee, order.fee);
    let inputs: Vec<_> = created.tx.inputs.iter().map(|input| input.position()).collect();
    assert_eq!(inputs, [Some(created.inputs[0].0)]);
}

#[test]
fn amounts_beyond_256_bits_are_missing_and_not_wrapped() {
    let mut order = order(&[(BOB, ETH, 1), (BOB, ETH, 1)], (ETH, 1));
    order.payments[0].amount = U256::MAX;
    let missing = vec![Missing { currency: ETH, amount: U256::MAX }];
    let plan = build_payment(&order, coins(&[]));
    assert_eq!(plan, Err(PaymentError::InsufficientFunds { missing }));
}

/// What the transaction moves, per currency: in, out.
fn sums(created: &CreatedTx) -> BTreeMap<Currency, (U512, U512)> {
    let mut sums = BTreeMap::<Currency, (U512, U512)>::new();
    for (_, utxo) in &created.inputs {
        let (paid_in, _) = sums.entry(utxo.currency).or_default();
        *paid_in += U512::from(utxo.amount);
    }
    for output in &created.tx.outputs {
        let (_, paid_out) = sums.entry(output.currency).or_default();
        *paid_out += U512::from(output.amount);
    }
    sums
}

fn assert_books_balance(created: &CreatedTx, utxos: &BTreeMap<UtxoPos, Utxo>) {
    assert!((1..=MAX_INPUTS).contains(&created.inputs.len()));
    assert!((1..=MAX_OUTPUTS).contains(&created.tx.outputs.len()));
    let positions: BTreeSet<UtxoPos> = created.inputs.iter().map(|(at, _)| *at).collect();
    assert_eq!(positions.len(), created.inputs.len(), "an input twice");
    for ((position, utxo), input) in created.inputs.iter().zip(&created.tx.inputs) {
        assert_eq!(utxos.get(position), Some(utxo));
        assert_eq!(input.position(), Some(*position));
    }
    for (currency, (paid_in, paid_out)) in sums(created) {
        let of_currency = created.fee.currency == currency;
        let fee = if of_currency { created.fee.amount } else { U256::zero() };
        assert_eq!(paid_in, paid_out + U512::from(fee), "{created:?}");
    }
    assert!(created.tx.outputs.iter().all(|output| !output.amount.is_zero()));
}

fn assert_payments_are_made(created: &CreatedTx, order: &PaymentOrder) {
    let outputs = &created.tx.outputs;
    let (payments, change) = outputs.split_at(order.payments.len());
    for (output, payment) in payments.iter().zip(&order.payments) {
        let expected = Output::payment(payment.owner, payment.currency, payment.amount);
        assert_eq!(*output, expected);
    }
    assert!(change.iter().all(|output| output.owner == order.owner));
    let currencies: BTreeSet<Currency> = change.iter().map(|output| output.currency).collect();
    assert_eq!(currencies.len(), change.len(), "change of one currency twice");
}

fn any_amount() -> impl Strategy<Value = U256> {
    prop_oneof![
        8 => (0u64..12).prop_map(U256::from),
        1 => any::<u128>().prop_map(U256::from),
        1 => Just(U256::MAX),
    ]
}

fn any_currency() -> impl Strategy<Value = Currency> {
    (0u8..6).prop_map(Currency::repeat_byte)
}

fn any_utxos() -> impl Strategy<Value = BTreeMap<UtxoPos, Utxo>> {
    let utxo = (any_currency(), any_amount()).prop_map(|(currency, amount)| Utxo {
        output_type: OutputType::Payment,
        currency,
        amount,
    });
    let position = (1u64..5, 0u32..4, 0u16..4);
    let position = position.prop_map(|(blknum, txindex, oindex)| {
        UtxoPos::new(Blknum::new(blknum), TxIndex::new(txindex), OutputIndex::new(oindex))
    });
    proptest::collection::btree_map(position, utxo, 0..40)
}

fn any_order() -> impl Strategy<Value = PaymentOrder> {
    let owner = prop_oneof![1 => Just(Address::zero()), 4 => Just(ALICE), 15 => Just(BOB)];
    let payment = (owner, any_currency(), any_amount())
        .prop_map(|(owner, currency, amount)| Payment { owner, currency, amount });
    let payments = proptest::collection::vec(payment, 0..6);
    (payments, any_currency(), any_amount()).prop_map(|(payments, currency, amount)| PaymentOrder {
        owner: ALICE,
        payments,
        fee: Fee { currency, amount },
        metadata: H256::zero(),
    })
}

/// What the owner has beyond what the order needs, per currency; `None` when it is not enough.
fn has_enough(order: &PaymentOrder, utxos: &BTreeMap<UtxoPos, Utxo>) -> bool {
    needed(order).iter().all(|(currency, needed)| {
        let of_currency = utxos.values().filter(|utxo| utxo.currency == *currency);
        let sum = of_currency.fold(U512::zero(), |sum, utxo| sum + U512::from(utxo.amount));
        sum >= *needed
    })
}

/// The fewest coins that cover the order, by trying the largest ones.
fn fewest_inputs(order: &PaymentOrder, utxos: &BTreeMap<UtxoPos, Utxo>) -> usize {
    let fewest = needed(order).into_iter().map(|(currency, needed)| {
        let of_currency = utxos.values().filter(|utxo| utxo.currency == currency);
        let mut amounts: Vec<U256> = of_currency.map(|utxo| utxo.amount).collect();
        amounts.sort();
        let mut sum = U512::zero();
        let mut count = 0;
        while sum < needed {
            sum += U512::from(amounts.pop().unwrap());
            count += 1;
        }
        count
    });
    fewest.sum()
}

proptest! {
    #[test]
    fn any_order_is_filled_exactly_or_refused_for_cause(order in any_order(), utxos in any_utxos()) {
        match build_payment(&order, utxos.clone()) {
            Ok(PaymentPlan::Complete(created)) => {
                assert_books_balance(&created, &utxos);
                assert_payments_are_made(&created, &order);
                prop_assert_eq!(created.fee, order.fee);
                prop_assert!(created.inputs.len() >= fewest_inputs(&order, &utxos));
            }
            Ok(PaymentPlan::Intermediate(merges)) => {
                prop_assert!(fewest_inputs(&order, &utxos) > MAX_INPUTS);
                let mut spent = BTreeSet::new();
                for merge in &merges {
                    assert_books_balance(merge, &utxos);
                    prop_assert!(merge.inputs.len() > merge.tx.outputs.len());
                    prop_assert!(merge.tx.outputs.iter().all(|output| output.owner == ALICE));
                    prop_assert!(merge.inputs.iter().all(|(at, _)| spent.insert(*at)), "spent twice");
                }
                prop_assert!(!merges.is_empty());
            }
            Err(PaymentError::InsufficientFunds { missing }) => {
                prop_assert!(!has_enough(&order, &utxos));
                prop_assert!(!missing.is_empty());
            }
            Err(PaymentError::TooManyInputs) => prop_assert!(fewest_inputs(&order, &utxos) > MAX_INPUTS),
            Err(PaymentError::TooManyOutputs) => prop_assert!(order.payments.len() + needed(&order).len() > MAX_OUTPUTS),
            Err(PaymentError::EmptyTransaction) => prop_assert!(order.payments.is_empty()),
            Err(PaymentError::SelfTransaction) => prop_assert!(order.payments.iter().all(|payment| payment.owner == ALICE)),
            Err(PaymentError::ZeroAmount) => prop_assert!(order.payments.iter().any(|payment| payment.amount.is_zero())),
            Err(PaymentError::ZeroOwner) => prop_assert!(order.payments.iter().any(|payment| payment.owner.is_zero())),
        }
    }

    #[test]
    fn merging_and_building_again_comes_to_an_end(amounts in proptest::collection::vec((0u8..3, 1u64..20), 1..60), share in 1u64..=100) {
        let amounts: Vec<_> = amounts.into_iter().map(|(currency, amount)| (Currency::repeat_byte(currency), amount)).collect();
        let mut utxos: BTreeMap<UtxoPos, Utxo> = coins(&amounts).into_iter().collect();
        let total: u64 = amounts.iter().filter(|(currency, _)| *currency == ETH).map(|(_, amount)| amount).sum();
        prop_assume!(total > 0);
        let order = order(&[(BOB, ETH, (total * share / 100).max(1))], (ETH, 0));
        let mut rounds = 0;
        while let PaymentPlan::Intermediate(merges) = build_payment(&order, utxos.clone()).unwrap() {
            let before = utxos.len();
            for (merge, blknum) in merges.into_iter().zip(0u32..) {
                merge.inputs.iter().for_each(|(at, _)| {
                    utxos.remove(at);
                });
                let position = UtxoPos::new(Blknum::new(1000 + rounds), TxIndex::new(blknum), OutputIndex::new(0));
                let output = merge.tx.outputs[0];
                utxos.insert(position, Utxo { output_type: OutputType::Payment, currency: output.currency, amount: output.amount });
            }
            prop_assert!(utxos.len() < before);
            rounds += 1;
        }
        prop_assert!(rounds <= 3, "{rounds} rounds for 60 outputs");
    }

    #[test]
    fn merges_of_one_currency_end_in_one_output_with_all_the_money(amounts in proptest::collection::vec((0u8..2, 1u64..20), 0..60)) {
        let amounts: Vec<_> = amounts.into_iter().map(|(currency, amount)| (Currency::repeat_byte(currency), amount)).collect();
        let mut utxos: BTreeMap<UtxoPos, Utxo> = coins(&amounts).into_iter().collect();
        let others = utxos.values().filter(|utxo| utxo.currency != ETH).count();
        let total: u64 = amounts.iter().filter(|(currency, _)| *currency == ETH).map(|(_, amount)| amount).sum();
        for round in 1_u64.. {
            let merges = build_merges(ALICE, ETH, utxos.clone());
            if merges.is_empty() {
                break;
            }
            prop_assert!(round <= 3, "more than 3 rounds for 60 outputs");
            for (merge, index) in merges.into_iter().zip(0_u32..) {
                assert_books_balance(&merge, &utxos);
                prop_assert_eq!(merge.fee.amount, U256::zero());
                prop_assert_eq!(merge.tx.outputs.len(), 1);
                merge.inputs.iter().for_each(|(at, _)| {
                    utxos.remove(at);
                });
                let position = UtxoPos::new(Blknum::new(1000 * round), TxIndex::new(index), OutputIndex::new(0));
                let output = merge.tx.outputs[0];
                prop_assert_eq!(output.owner, ALICE);
                utxos.insert(position, Utxo { output_type: OutputType::Payment, currency: output.currency, amount: output.amount });
            }
        }
        let left: Vec<_> = utxos.values().filter(|utxo| utxo.currency == ETH).map(|utxo| utxo.amount).collect();
        prop_assert_eq!(left, if total == 0 { vec![] } else { vec![U256::from(total)] });
        prop_assert_eq!(utxos.values().filter(|utxo| utxo.currency != ETH).count(), others);
    }
}
