//! Payments without any network: which fee, what to sign, and what an account has once a transaction is accepted.

use super::merging::made_for;
use super::session::Utxos;
use crate::failure::Failure;
use anyhow::{Context, Result};
use plasma_core::payment_builder::{CreatedTx, Fee, Payment, PaymentError};
use plasma_core::wire::{
    Currency, ETH, OutputIndex, SecretKey, SignedTx, Transaction, TxHash, TxType, TypedDataDomain,
    U256, UtxoPos,
};
use plasma_rpc::child_chain::{FeesAnswer, SubmitAnswer};
use plasma_rpc::watcher::{ByzantineEvent, Status};

/// Chooses the fee: in the wanted currency, else in the one that is paid first, else in Ether. Free where the operator asks nothing.
pub(super) fn choose_fee(
    fees: &FeesAnswer,
    wanted: Option<Currency>,
    payments: &[Payment],
) -> Result<Fee, Failure> {
    let asked = fees.0.get(&u64::from(TxType::Payment.number())).map(Vec::as_slice);
    let asked = asked.unwrap_or_default();
    let in_currency = |currency: Currency| {
        let fee = asked.iter().find(|fee| fee.currency == currency);
        fee.map(|fee| Fee { currency, amount: fee.amount })
    };
    if asked.is_empty() {
        return Ok(Fee { currency: wanted.unwrap_or(ETH), amount: U256::zero() });
    }
    let listed = || {
        let listed: Vec<_> = asked.iter().map(|fee| format!("{:?}", fee.currency)).collect();
        format!(
            "the operator takes {} (zero is ETH): choose with --fee-currency",
            listed.join(", ")
        )
    };
    if let Some(wanted) = wanted {
        return in_currency(wanted).ok_or_else(|| {
            Failure::new(
                "fee:currency_fee_not_supported",
                format!("no fee can be paid in {wanted:?}"),
            )
            .next(listed())
        });
    }
    let paid_first = payments.first().and_then(|payment| in_currency(payment.currency));
    paid_first.or_else(|| in_currency(ETH)).ok_or_else(|| {
        Failure::new(
            "fee:choose_currency",
            "the fee can be paid neither in what is paid nor in ETH",
        )
        .next(listed())
    })
}

/// Signs for all inputs, which belong to the key's owner.
pub(super) fn sign(
    created: &CreatedTx,
    key: &SecretKey,
    domain: &TypedDataDomain,
) -> Result<SignedTx> {
    let signature = key.sign(domain.sign_hash(&created.tx));
    let signatures = vec![signature; created.inputs.len()];
    let tx = Transaction::Payment(created.tx.clone());
    SignedTx::new(tx, &signatures).context("this payment cannot be put into bytes")
}

/// The position of an output of an accepted transaction.
pub(super) fn output_of(accepted: &SubmitAnswer, oindex: usize) -> UtxoPos {
    let oindex = OutputIndex::new(u16::try_from(oindex).unwrap_or(u16::MAX));
    UtxoPos::new(accepted.blknum, accepted.txindex, oindex)
}

/// What is left and what comes back once a transaction is accepted, by the operator's word alone: good for a payment that ends a
/// command. Before its outputs are spent, the watcher must list them (`merging.rs`).
pub(super) fn apply(
    utxos: &mut Utxos,
    key: &SecretKey,
    created: &CreatedTx,
    accepted: &SubmitAnswer,
) {
    for (position, _) in &created.inputs {
        utxos.remove(position);
    }
    utxos.extend(made_for(key.address(), created, accepted));
}

/// The operator could answer about another transaction than the one it got.
pub(super) fn check_accepted(accepted: &SubmitAnswer, signed: &SignedTx) -> Result<(), Failure> {
    let ours: TxHash = signed.hash();
    if accepted.txhash == ours {
        return Ok(());
    }
    Err(Failure::new(
        "operator:wrong_answer",
        format!("sent {ours:?}, but the operator answers about {:?}", accepted.txhash),
    )
    .next("treat the payment as not made until `penning wallet status TXHASH` finds it, and be careful with this operator"))
}

/// Why no payment should be made on this chain now; `None` when it is safe.
///
/// An exit that is invalid and can still be challenged is no danger; everything else that the watcher reports is.
pub(super) fn danger(status: &Status) -> Option<String> {
    let faults: Vec<String> = status
        .byzantine_events
        .iter()
        .filter_map(|event| match event {
            ByzantineEvent::InvalidExit(_)
            | ByzantineEvent::NonCanonicalIfe(_)
            | ByzantineEvent::InvalidIfeChallenge(_)
            | ByzantineEvent::InvalidPiggyback(_)
            | ByzantineEvent::PiggybackAvailable(_) => None,
            ByzantineEvent::UnchallengedNonCanonicalIfe(_) => {
                Some("nobody challenged a non-canonical in-flight exit".to_owned())
            }
            ByzantineEvent::UnchallengedPiggyback(_) => {
                Some("nobody challenged an invalid piggyback of an in-flight exit".to_owned())
            }
            ByzantineEvent::InvalidBlock(block) => {
                Some(format!("block {} is invalid ({})", block.blknum, block.error_type))
            }
            ByzantineEvent::BlockWithholding(block) => {
                Some(format!("block {} is withheld", block.blknum))
            }
            ByzantineEvent::UnchallengedExit(exit) => {
                Some(format!("nobody challenged the invalid exit of {}", exit.utxo_pos))
            }
        })
        .collect();
    (!faults.is_empty()).then(|| faults.join("; "))
}

/// What is missing, in words.
pub(super) fn explain(error: PaymentError, show: impl Fn(Currency, U256) -> String) -> Failure {
    let code = error.to_string();
    match &error {
        PaymentError::InsufficientFunds { missing } => {
            let missing: Vec<_> =
                missing.iter().map(|one| show(one.currency, one.amount)).collect();
            Failure::new(code, format!("not enough money: {} is missing", missing.join(" and ")))
                .next("deposit more, or wait until the watcher shows what is on its way; fees are paid on top")
        }
        PaymentError::TooManyOutputs => {
            Failure::new(code, "more receivers and change than the four outputs of a transaction")
                .next("pay in several transactions")
        }
        PaymentError::TooManyInputs => Failure::new(
            code,
            "more currencies than the four inputs of a transaction have room for",
        )
        .next("pay each currency in its own transaction"),
        PaymentError::SelfTransaction => {
            Failure::new(code, "all of it would go back to the one who pays")
                .next("to join small outputs, use `penning wallet merge`")
        }
        PaymentError::EmptyTransaction => Failure::new(code, "nobody is paid"),
        PaymentError::ZeroAmount => Failure::new(code, "a payment of nothing"),
        PaymentError::ZeroOwner => {
            Failure::new(code, "a payment to the zero address would be lost")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::db_update::Utxo;
    use plasma_core::payment_builder::{PaymentOrder, PaymentPlan, build_payment};
    use plasma_core::wire::{Address, Blknum, H256, OutputType, RecoveredTx, TxIndex};
    use plasma_rpc::child_chain::FeeAnswer;
    use plasma_rpc::watcher::{BlockWithholding, ExitEvent};

    const TOKEN: Currency = Address::repeat_byte(1);
    const OTHER: Currency = Address::repeat_byte(2);

    fn key(number: u8) -> SecretKey {
        SecretKey::from_bytes([number; 32]).unwrap()
    }

    fn fees(listed: &[(Currency, u64)]) -> FeesAnswer {
        let fees = listed.iter().map(|(currency, amount)| FeeAnswer {
            currency: *currency,
            amount: U256::from(*amount),
            subunit_to_unit: U256::one(),
            pegged_currency: None,
            pegged_amount: None,
            pegged_subunit_to_unit: None,
            updated_at: String::new(),
        });
        FeesAnswer([(1, fees.collect())].into())
    }

    fn pay(currency: Currency, amount: u64) -> Payment {
        Payment { owner: key(2).address(), currency, amount: U256::from(amount) }
    }

    #[test]
    fn fees_are_paid_in_what_is_wanted_or_paid_or_in_ether() {
        let both = &[(ETH, 5), (TOKEN, 7)][..];
        for (listed, wanted, paid, expected) in [
            (both, None, TOKEN, Ok((TOKEN, 7))),
            (both, None, OTHER, Ok((ETH, 5))),
            (both, Some(ETH), TOKEN, Ok((ETH, 5))),
            (both, Some(OTHER), TOKEN, Err("fee:currency_fee_not_supported")),
            (&[(TOKEN, 7)], None, OTHER, Err("fee:choose_currency")),
            (&[], None, OTHER, Ok((ETH, 0))),
        ] {
            let found = choose_fee(&fees(listed), wanted, &[pay(paid, 1)]);
            match (found, expected) {
                (Ok(fee), Ok((currency, amount))) => {
                    assert_eq!(fee, Fee { currency, amount: U256::from(amount) });
                }
                (Err(error), Err(code)) => {
                    assert_eq!(crate::failure::ErrorReport::of(&error.into()).code, code);
                }
                (found, expected) => panic!("{found:?} instead of {expected:?}"),
            }
        }
        assert_eq!(choose_fee(&FeesAnswer::default(), None, &[]).unwrap().amount, U256::zero());
    }

    fn utxos(amounts: &[u64]) -> Utxos {
        (1..)
            .zip(amounts)
            .map(|(blknum, amount)| {
                let amount = U256::from(*amount);
                let utxo = Utxo { output_type: OutputType::Payment, currency: ETH, amount };
                (UtxoPos::deposit(Blknum::new(blknum)), utxo)
            })
            .collect()
    }

    #[test]
    fn a_signed_payment_recovers_to_its_payer_and_its_change_comes_back() {
        let mut utxos = utxos(&[5, 9]);
        let order = PaymentOrder {
            owner: key(1).address(),
            payments: vec![pay(ETH, 10)],
            fee: Fee { currency: ETH, amount: U256::one() },
            metadata: H256::zero(),
        };
        let PaymentPlan::Complete(created) = build_payment(&order, utxos.clone()).unwrap() else {
            panic!("two inputs fit");
        };
        let domain = TypedDataDomain::new(Address::repeat_byte(9));
        let signed = sign(&created, &key(1), &domain).unwrap();
        let recovered = RecoveredTx::recover(signed.clone(), &domain).unwrap();
        assert!(recovered.spenders().iter().all(|spender| *spender == key(1).address()));

        let accepted = SubmitAnswer {
            blknum: Blknum::new(1000),
            txindex: TxIndex::new(3),
            txhash: signed.hash(),
        };
        check_accepted(&accepted, &signed).unwrap();
        let wrong = SubmitAnswer { txhash: H256::zero(), ..accepted };
        assert!(check_accepted(&wrong, &signed).is_err());

        apply(&mut utxos, &key(1), &created, &accepted);
        let left: Vec<_> = utxos.into_iter().map(|(at, utxo)| (at, utxo.amount)).collect();
        assert_eq!(left, [(output_of(&accepted, 1), U256::from(3))]);
    }

    #[test]
    fn only_exits_that_can_still_be_challenged_are_no_danger() {
        let exit = ExitEvent {
            amount: U256::one(),
            currency: ETH,
            owner: Address::zero(),
            eth_height: Default::default(),
            utxo_pos: UtxoPos::deposit(Blknum::new(1)),
            root_chain_txhash: H256::zero(),
            scheduled_finalization_time: 0,
            spending_txhash: None,
        };
        let withheld = BlockWithholding { blknum: Blknum::new(1000), hash: H256::zero() };
        for (events, expected) in [
            (vec![], None),
            (vec![ByzantineEvent::InvalidExit(exit)], None),
            (
                vec![ByzantineEvent::InvalidExit(exit), ByzantineEvent::UnchallengedExit(exit)],
                Some("nobody challenged the invalid exit of 1:0:0"),
            ),
            (vec![ByzantineEvent::BlockWithholding(withheld)], Some("block 1000 is withheld")),
        ] {
            let status = Status { byzantine_events: events, ..Status::default() };
            assert_eq!(danger(&status).as_deref(), expected);
        }
    }

    #[test]
    fn what_is_missing_is_said_in_units() {
        let missing =
            vec![plasma_core::payment_builder::Missing { currency: ETH, amount: U256::exp10(18) }];
        let failure = explain(PaymentError::InsufficientFunds { missing }, |_, amount| {
            crate::amount::Denomination::eth().show(amount)
        });
        assert_eq!(failure.to_string(), "not enough money: 1 ETH is missing");
    }
}
