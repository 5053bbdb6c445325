//! What is shown to the contracts: challenges, exits, and the list of what can exit.

use super::*;
use crate::wire::{InclusionProof, Signature, SignedTx};
use std::collections::BTreeSet;

const P: UtxoPos = UtxoPos::new(Blknum::new(3000), TxIndex::new(1), OutputIndex::new(2));

fn exit_of(position: UtxoPos) -> StandardExit {
    StandardExit::from_event(&started(position, 50)).unwrap()
}

fn fact_with(bytes: &[u8], is_in_ledger: bool) -> ExitFact {
    let (spent_by, quarantined) =
        if is_in_ledger { (Some(bytes.into()), vec![]) } else { (None, vec![bytes.into()]) };
    ExitFact { spent_by, quarantined, ..ExitFact::default() }
}

/// Spends these outputs with the signatures of these keys.
fn spend(inputs: &[UtxoPos], signers: &[u8]) -> (PaymentTx, Vec<Signature>) {
    let payment = PaymentTx {
        inputs: inputs.iter().copied().map(Into::into).collect(),
        outputs: [Output::payment(bob(), ETH, U256::from(1))].into_iter().collect(),
        metadata: H256::zero(),
    };
    let digest = domain().sign_hash(&payment);
    let signatures = signers.iter().map(|seed| key(*seed).sign(digest)).collect();
    (payment, signatures)
}

#[test]
fn a_challenge_shows_the_input_and_the_signature_of_the_owner() {
    let other = pos(9, 0, 0);
    for (inputs, signers, expected_index) in [
        (vec![P], vec![1], 0),
        (vec![other, P], vec![2, 1], 1),
        (vec![P, other, pos(11, 0, 0)], vec![1, 2, 2], 0),
        (vec![other, pos(11, 0, 0), pos(12, 0, 0), P], vec![2, 1, 3, 1], 3),
    ] {
        for is_in_ledger in [true, false] {
            let (payment, signatures) = spend(&inputs, &signers);
            let digest = domain().sign_hash(&payment);
            let tx = Transaction::Payment(payment);
            let fact = fact_with(&tx.encode_signed(&signatures), is_in_ledger);
            let data = challenge_data(Some(&exit_of(P)), &fact, &domain()).unwrap();
            assert_eq!(data.exit_id, exit_id(P));
            assert_eq!(*data.exiting_tx, *creating_tx().encode_unsigned());
            assert_eq!(*data.tx_bytes, *tx.encode_unsigned());
            assert_eq!(data.input_index, expected_index);
            assert_eq!(data.signature.recover(digest), Ok(alice()));
        }
    }
}

#[test]
fn a_malleated_signature_is_shown_in_the_form_that_contracts_take() {
    let (payment, signatures) = spend(&[P], &[1]);
    let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    let order = U256::from_big_endian(&crate::wire::testing::unhex(order));
    let mut bytes = *signatures[0].as_bytes();
    let s = U256::from_big_endian(&bytes[32..64]);
    (order - s).to_big_endian(&mut bytes[32..64]);
    bytes[64] = 27 + ((bytes[64] - 27) ^ 1);
    let malleated = Signature::from_bytes(bytes);
    assert_ne!(malleated, signatures[0]);
    let signed = Transaction::Payment(payment).encode_signed(&[malleated]);
    let data = challenge_data(Some(&exit_of(P)), &fact_with(&signed, true), &domain());
    assert_eq!(data.map(|data| data.signature), Ok(signatures[0]));
}

#[test]
fn without_a_spend_by_the_owner_there_is_no_challenge() {
    let check = |exit: Option<&StandardExit>, fact: &ExitFact, expected: &str| {
        let error = challenge_data(exit, fact, &domain()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    let exit = exit_of(P);
    let nothing = ExitFact::default();
    check(None, &nothing, "challenge:exit_not_found");
    check(Some(&exit), &nothing, "challenge:utxo_not_spent");
    let other = alice_spends(pos(9, 0, 0));
    check(Some(&exit), &fact_with(other.signed_bytes(), true), "challenge:utxo_not_spent");
    let of_mallory = mallory_spends(P);
    check(Some(&exit), &fact_with(of_mallory.signed_bytes(), false), "challenge:utxo_not_spent");
    check(Some(&exit), &fact_with(b"garbage", true), "challenge:utxo_not_spent");
    let claim = Transaction::fee_claim(Blknum::new(1000), bob(), ETH, U256::one());
    let claim = claim.encode_signed(&[]);
    check(Some(&exit), &fact_with(&claim, true), "challenge:utxo_not_spent");
}

#[test]
fn closed_exits_are_still_served() {
    let mut exit = exit_of(P);
    exit.phase = StandardExitPhase::Challenged;
    let fact = fact_with(alice_spends(P).signed_bytes(), true);
    assert!(challenge_data(Some(&exit), &fact, &domain()).is_ok());
}

#[test]
fn exit_data_is_given_for_known_outputs_but_not_for_spent_deposits() {
    let signed = creating_tx().encode_signed(&[]);
    let leaf = SignedTx::decode(&signed).unwrap().leaf();
    let proof = InclusionProof::from_leaves(0, &[leaf]).unwrap();
    let utxo = Utxo { output_type: OutputType::Payment, currency: ETH, amount: U256::from(10) };
    let good = ExitDataFacts {
        output: Some(OutputFact::Unspent(alice(), utxo)),
        is_spent_in_quarantine: false,
        created_by: Some(signed.into()),
        proof: Some(proof.clone()),
    };
    let data = exit_data(P, good.clone()).unwrap();
    assert_eq!(data.position, P);
    assert_eq!(*data.tx_bytes, *creating_tx().encode_unsigned());
    assert_eq!(data.proof, proof);
    type Change = fn(&mut ExitDataFacts);
    let spent_deposit_is_refused = true;
    let cases: [(Change, bool); 6] = [
        (|facts| facts.output = None, false),
        (|facts| facts.created_by = None, false),
        (|facts| facts.created_by = Some(b"garbage".as_slice().into()), false),
        (|facts| facts.proof = None, false),
        (
            |facts| facts.output = Some(OutputFact::Gone(Spender::Exit(exit_id(P)))),
            spent_deposit_is_refused,
        ),
        (|facts| facts.is_spent_in_quarantine = true, spent_deposit_is_refused),
    ];
    let deposit = UtxoPos::deposit(Blknum::new(3_001));
    for (change, only_deposits) in cases {
        let mut facts = good.clone();
        change(&mut facts);
        let refused = exit_data(deposit, facts.clone()).unwrap_err();
        assert_eq!(refused.to_string(), "exit:invalid", "{facts:?}");
        assert_eq!(exit_data(P, facts.clone()).is_ok(), only_deposits, "{facts:?}");
    }
}

#[test]
fn exitable_outputs_are_unspent_and_not_leaving() {
    let utxo = Utxo { output_type: OutputType::Payment, currency: ETH, amount: U256::from(10) };
    let (free, exiting, spent_later, challenged_exit) =
        (pos(1, 0, 0), pos(2, 0, 0), pos(3, 0, 0), pos(4, 0, 0));
    let mut universe = Universe::new();
    universe.see(&[started(exiting, 50), started(challenged_exit, 50)]);
    universe.see(&[challenged(challenged_exit, 55)]);
    let unspent = [free, exiting, spent_later, challenged_exit].map(|position| (position, utxo));
    let quarantined = BTreeSet::from([spent_later]);
    let is_exiting = |position| universe.processor.is_exiting(position);
    let exitable = exitable_utxos(unspent, &quarantined, is_exiting);
    let positions: Vec<_> = exitable.map(|(position, _)| position).collect();
    assert_eq!(positions, [free, challenged_exit]);
}

/// An in-flight transaction of Alice's with a deposit and another output, and what the store knows of them.
fn in_flight() -> (SignedTx, Vec<ExitDataFacts>) {
    let (payment, signatures) = spend(&[pos(7, 0, 0), P], &[1, 1]);
    let made_by = creating_tx().encode_signed(&[]);
    let leaf = SignedTx::decode(&made_by).unwrap().leaf();
    let utxo = Utxo { output_type: OutputType::Payment, currency: ETH, amount: U256::from(10) };
    let facts = ExitDataFacts {
        output: Some(OutputFact::Unspent(alice(), utxo)),
        is_spent_in_quarantine: false,
        created_by: Some(made_by.into()),
        proof: InclusionProof::from_leaves(0, &[leaf]),
    };
    let signed = SignedTx::new(Transaction::Payment(payment), &signatures).unwrap();
    (signed, vec![facts.clone(), facts])
}

#[test]
fn an_in_flight_exit_is_started_with_the_proofs_of_its_inputs() {
    let (signed, facts) = in_flight();
    let proof = facts[0].proof.clone().unwrap();
    let data = in_flight_data::in_flight_exit_data(&signed, facts).unwrap();
    assert_eq!(*data.tx_bytes, *signed.unsigned_bytes());
    assert_eq!(data.signatures, signed.signatures().collect::<Vec<_>>());
    let positions: Vec<_> = data.inputs.iter().map(|input| input.position).collect();
    assert_eq!(positions, [pos(7, 0, 0), P]);
    for input in data.inputs {
        assert_eq!(*input.tx_bytes, *creating_tx().encode_unsigned());
        assert_eq!(input.proof, proof);
    }
}

#[test]
fn without_proofs_of_all_inputs_no_in_flight_exit_is_started() {
    type Change = fn(&mut Vec<ExitDataFacts>);
    let gone = Some(OutputFact::Gone(Spender::Exit(exit_id(P))));
    let not_found = "in_flight_exit:tx_for_input_not_found";
    let spent_deposit = "in_flight_exit:deposit_input_spent_ife_unsupported";
    let cases: [(Change, &str); 5] = [
        (|facts| drop(facts.pop()), not_found),
        (|facts| facts[1].output = None, not_found),
        (|facts| facts[1].created_by = None, not_found),
        (|facts| facts[1].created_by = Some(Box::default()), not_found),
        (|facts| facts[0].proof = None, not_found),
    ];
    for (change, expected) in cases {
        let (signed, mut facts) = in_flight();
        change(&mut facts);
        let error = in_flight_data::in_flight_exit_data(&signed, facts).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let (signed, mut facts) = in_flight();
    facts[1].output = gone;
    assert!(in_flight_data::in_flight_exit_data(&signed, facts.clone()).is_ok(), "as for exits");
    facts[0].output = gone;
    let error = in_flight_data::in_flight_exit_data(&signed, facts).unwrap_err();
    assert_eq!(error.to_string(), spent_deposit);
}
