//! Decoding under protocol 3.1: every documented error, and random input that must never panic.

use crate::unhex;
use plasma_core::wire::{
    Address, Blknum, ETH, H256, InputPointer, Output, OutputIndex, PaymentTx, RecoveredTx,
    SecretKey, Signature, SignedTx, Transaction, TxIndex, TypedDataDomain, U256, UtxoPos,
};
use proptest::prelude::*;
use rlp::RlpStream;

fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes([seed; 32]).unwrap()
}

fn domain() -> TypedDataDomain {
    TypedDataDomain::new(Address::from_slice(&unhex("d17e1233a03affb9092d5109179b43d6a8828607")))
}

fn input(blknum: u64, oindex: u16) -> InputPointer {
    UtxoPos::new(Blknum::new(blknum), TxIndex::new(0), OutputIndex::new(oindex)).into()
}

fn payment(inputs: &[InputPointer], outputs: usize) -> PaymentTx {
    let output = Output::payment(key(2).address(), ETH, U256::from(12));
    PaymentTx {
        inputs: inputs.iter().copied().collect(),
        outputs: std::iter::repeat_n(output, outputs).collect(),
        metadata: H256::zero(),
    }
}

fn signed(payment: PaymentTx, keys: &[&SecretKey]) -> Vec<u8> {
    let digest = domain().sign_hash(&payment);
    let signatures: Vec<Signature> = keys.iter().map(|key| key.sign(digest)).collect();
    Transaction::Payment(payment).encode_signed(&signatures)
}

/// The parts of a signed payment as raw RLP, to be broken one at a time.
struct Parts {
    signatures: Vec<u8>,
    tx_type: Vec<u8>,
    inputs: Vec<u8>,
    outputs: Vec<u8>,
    tx_data: Vec<u8>,
    metadata: Vec<u8>,
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let mut stream = RlpStream::new_list(items.len());
    for item in items {
        stream.append_raw(item, 1);
    }
    stream.out().to_vec()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    rlp::encode(&bytes).to_vec()
}

fn output(output_type: &[u8], owner: &[u8], currency: &[u8], amount: &[u8]) -> Vec<u8> {
    list(&[string(output_type), list(&[string(owner), string(currency), string(amount)])])
}

impl Parts {
    fn valid() -> Self {
        Self {
            signatures: list(&[string(&[1; 65])]),
            tx_type: string(&[1]),
            inputs: list(&[string(input(1, 0).as_bytes())]),
            outputs: list(&[output(&[1], &[7; 20], &[0; 20], &[5])]),
            tx_data: string(&[]),
            metadata: string(&[0; 32]),
        }
    }

    fn encode(&self) -> Vec<u8> {
        list(&[
            self.signatures.clone(),
            self.tx_type.clone(),
            self.inputs.clone(),
            self.outputs.clone(),
            self.tx_data.clone(),
            self.metadata.clone(),
        ])
    }
}

fn check(description: &str, change: impl FnOnce(&mut Parts), expected: &str) {
    let mut parts = Parts::valid();
    change(&mut parts);
    let found = SignedTx::decode(&parts.encode())
        .map_or_else(|error| error.to_string(), |_| "ok".to_owned());
    assert_eq!(found, expected, "{description}");
}

#[test]
fn malformed_signatures_and_types_have_their_codes() {
    check("the valid transaction", |_| (), "ok");
    check("signatures as a string", |p| p.signatures = string(&[1; 65]), "malformed_witnesses");
    check(
        "a signature of 64 bytes",
        |p| p.signatures = list(&[string(&[1; 64])]),
        "malformed_witnesses",
    );
    check(
        "a signature that is a list",
        |p| p.signatures = list(&[list(&[])]),
        "malformed_witnesses",
    );
    check("an unknown type", |p| p.tx_type = string(&[2]), "unrecognized_transaction_type");
    check("type zero", |p| p.tx_type = string(&[]), "unrecognized_transaction_type");
    check("a type of 33 bytes", |p| p.tx_type = string(&[1; 33]), "unrecognized_transaction_type");
    check(
        "a type with a leading zero",
        |p| p.tx_type = string(&[0, 1]),
        "unrecognized_transaction_type",
    );
    check("a list as type", |p| p.tx_type = list(&[]), "unrecognized_transaction_type");
    check(
        "a fee claim with the fields of a payment",
        |p| p.tx_type = string(&[3]),
        "malformed_transaction",
    );
}

#[test]
fn malformed_inputs_have_their_codes() {
    let word = |byte: u8| string(&[byte; 32]);
    check("inputs as a string", |p| p.inputs = string(&[1]), "malformed_inputs");
    check("a short input", |p| p.inputs = list(&[string(&[1; 31])]), "malformed_inputs");
    check("a long input", |p| p.inputs = list(&[string(&[1; 33])]), "malformed_inputs");
    check("an input that is a list", |p| p.inputs = list(&[list(&[])]), "malformed_inputs");
    check("a zero input", |p| p.inputs = list(&[word(0)]), "malformed_inputs");
    check("five inputs", |p| p.inputs = list(&[1, 2, 3, 4, 5].map(word)), "too_many_inputs");
    check("no inputs", |p| p.inputs = list(&[]), "ok");
    check("an input in block zero", |p| p.inputs = list(&[string(input(0, 1).as_bytes())]), "ok");
    check("an input beyond every block", |p| p.inputs = list(&[word(0xff)]), "ok");
}

#[test]
#[allow(clippy::too_many_lines)] // a table
fn malformed_outputs_have_their_codes() {
    let (owner, token) = ([7; 20], [0; 20]);
    let good = output(&[1], &owner, &token, &[5]);
    let check = |description: &str, outputs: Vec<u8>, expected: &str| {
        check(description, |p| p.outputs = outputs, expected);
    };
    check("no outputs", list(&[]), "empty_outputs");
    check("outputs as a string", string(&[1]), "malformed_outputs");
    check(
        "five outputs",
        list(&[good.clone(), good.clone(), good.clone(), good.clone(), good.clone()]),
        "too_many_outputs",
    );
    check(
        "a flat output",
        list(&[list(&[string(&[1]), string(&owner), string(&token), string(&[5])])]),
        "malformed_outputs",
    );
    check("an output that is a string", list(&[string(&[1])]), "malformed_outputs");
    check(
        "a body of two items",
        list(&[list(&[string(&[1]), list(&[string(&owner), string(&token)])])]),
        "malformed_outputs",
    );
    check(
        "a body of four items",
        list(&[list(&[
            string(&[1]),
            list(&[string(&owner), string(&token), string(&[5]), string(&[5])]),
        ])]),
        "malformed_outputs",
    );
    check(
        "output type zero",
        list(&[output(&[], &owner, &token, &[5])]),
        "unrecognized_output_type",
    );
    check(
        "an unknown output type",
        list(&[output(&[7], &owner, &token, &[5])]),
        "unrecognized_output_type",
    );
    check(
        "a fee output in a payment",
        list(&[output(&[2], &owner, &token, &[5])]),
        "tx_cannot_create_output_type",
    );
    check(
        "an output type with a leading zero",
        list(&[output(&[0, 1], &owner, &token, &[5])]),
        "leading_zeros_in_encoded_uint",
    );
    check(
        "a list as output type",
        list(&[list(&[list(&[]), list(&[string(&owner), string(&token), string(&[5])])])]),
        "malformed_uint256",
    );
    check("a short owner", list(&[output(&[1], &[7; 19], &token, &[5])]), "malformed_address");
    check("a long owner", list(&[output(&[1], &[7; 32], &token, &[5])]), "malformed_address");
    check(
        "a zero owner",
        list(&[output(&[1], &[0; 20], &token, &[5])]),
        "output_guard_cant_be_zero",
    );
    check("an empty currency", list(&[output(&[1], &owner, &[], &[5])]), "malformed_address");
    check("no amount", list(&[output(&[1], &owner, &token, &[])]), "amount_cant_be_zero");
    check(
        "an amount of one zero byte",
        list(&[output(&[1], &owner, &token, &[0])]),
        "leading_zeros_in_encoded_uint",
    );
    check(
        "an amount with a leading zero",
        list(&[output(&[1], &owner, &token, &[0, 1])]),
        "leading_zeros_in_encoded_uint",
    );
    check(
        "an amount of 33 bytes",
        list(&[output(&[1], &owner, &token, &[1; 33])]),
        "encoded_uint_too_big",
    );
    check(
        "the second output is at fault",
        list(&[good, output(&[1], &owner, &token, &[])]),
        "amount_cant_be_zero",
    );
}

#[test]
fn malformed_tails_have_their_codes() {
    check("transaction data of one", |p| p.tx_data = string(&[1]), "malformed_tx_data");
    check(
        "transaction data of one zero byte",
        |p| p.tx_data = string(&[0]),
        "leading_zeros_in_encoded_uint",
    );
    check("a list as transaction data", |p| p.tx_data = list(&[]), "malformed_uint256");
    check("short metadata", |p| p.metadata = string(&[0; 31]), "malformed_metadata");
    check("empty metadata", |p| p.metadata = string(&[]), "malformed_metadata");
    check("a list as metadata", |p| p.metadata = list(&[]), "malformed_metadata");
}

#[test]
fn bytes_that_are_no_transaction_have_their_codes() {
    for (hex, expected) in [
        ("", "malformed_transaction"),
        ("c0", "malformed_transaction"),
        ("80", "malformed_transaction"),
        ("17", "malformed_transaction"),
        ("c1c0", "malformed_transaction"),
        ("c2c001", "malformed_transaction"),
        ("c0c0", "malformed_transaction_rlp"),
        ("8117", "malformed_transaction_rlp"),
        ("f8", "malformed_transaction_rlp"),
        ("c5", "malformed_transaction_rlp"),
    ] {
        assert_eq!(SignedTx::decode(&unhex(hex)).unwrap_err().to_string(), expected, "{hex:?}");
    }
    let mut trailing = Parts::valid().encode();
    trailing.push(0);
    assert_eq!(SignedTx::decode(&trailing).unwrap_err().to_string(), "malformed_transaction_rlp");
}

#[test]
fn fee_claims_are_decoded_strictly() {
    let nonce = string(&[9; 32]);
    let claim = |outputs: &[Vec<u8>], nonce: Vec<u8>| {
        list(&[list(&[]), string(&[3]), list(outputs), nonce])
    };
    let good = output(&[2], &[7; 20], &[0; 20], &[5]);
    for (description, bytes, expected) in [
        ("a good claim", claim(std::slice::from_ref(&good), nonce.clone()), "ok"),
        (
            "two outputs",
            claim(&[good.clone(), good.clone()], nonce.clone()),
            "tx_cannot_create_output_type",
        ),
        (
            "a payment output",
            claim(&[output(&[1], &[7; 20], &[0; 20], &[5])], nonce.clone()),
            "tx_cannot_create_output_type",
        ),
        ("no outputs", claim(&[], nonce), "empty_outputs"),
        ("a short nonce", claim(std::slice::from_ref(&good), string(&[9; 31])), "malformed_nonce"),
        (
            "a missing nonce",
            list(&[list(&[]), string(&[3]), list(&[good])]),
            "malformed_transaction",
        ),
    ] {
        let found =
            SignedTx::decode(&bytes).map_or_else(|error| error.to_string(), |_| "ok".to_owned());
        assert_eq!(found, expected, "{description}");
    }
}

#[test]
fn signatures_must_match_the_inputs() {
    let (alice, bob) = (key(1), key(2));
    let two = || payment(&[input(1, 0), input(2, 0)], 1);
    let code = |bytes: &[u8]| {
        RecoveredTx::from_bytes(bytes, &domain())
            .map_or_else(|e| e.to_string(), |_| "ok".to_owned())
    };

    assert_eq!(code(&signed(two(), &[&alice, &bob])), "ok");
    assert_eq!(code(&signed(two(), &[&alice])), "missing_signature");
    assert_eq!(code(&signed(two(), &[])), "missing_signature");
    assert_eq!(code(&signed(two(), &[&alice, &bob, &bob])), "superfluous_signature");
    assert_eq!(code(&signed(payment(&[], 1), &[&alice])), "superfluous_signature");
    assert_eq!(code(&signed(payment(&[], 1), &[])), "ok");
    assert_eq!(
        code(&signed(payment(&[input(1, 0), input(1, 0)], 1), &[&alice, &alice])),
        "duplicate_inputs"
    );

    let digest = domain().sign_hash(&two());
    let with =
        |signatures: &[Signature]| code(&Transaction::Payment(two()).encode_signed(signatures));
    let (good, zero) = (alice.sign(digest), Signature::from_bytes([0; 65]));
    assert_eq!(with(&[good, zero]), "missing_signature", "an all-zero signature is none");
    assert_eq!(with(&[good, Signature::from_bytes([1; 65])]), "recovery_id_not_u8");
    assert_eq!(with(&[good, Signature::from_bytes([0xff; 65])]), "corrupted_witness");
    assert_eq!(
        with(&[good, zero, good]),
        "recovery_id_not_u8",
        "an all-zero signature never recovers"
    );
}

#[test]
fn spenders_come_in_the_order_of_the_inputs() {
    let (alice, bob) = (key(1), key(2));
    let bytes =
        signed(payment(&[input(1, 0), input(2, 0), input(3, 0)], 2), &[&alice, &alice, &bob]);
    let recovered = RecoveredTx::from_bytes(&bytes, &domain()).unwrap();
    assert_eq!(recovered.spenders(), [alice.address(), alice.address(), bob.address()]);
    assert_eq!(recovered.signed_bytes(), bytes);
    let unsigned = recovered.transaction().encode_unsigned();
    assert_eq!(recovered.hash(), plasma_core::wire::keccak256(&unsigned));
    assert_eq!(recovered.leaf(), plasma_core::wire::merkle::leaf_hash(&unsigned));
}

#[test]
fn the_two_input_payment_of_the_reference_is_byte_exact() {
    let alice = SecretKey::from_bytes(
        unhex("fc9d75d29ab162416ff4e8f7267124043dbf6e7ddedbc2ddc7fb643fa0c27e7e")
            .try_into()
            .unwrap(),
    )
    .unwrap();
    let bob = Address::from_slice(&unhex("4637e4c7a75004e49fa9285f22b0dc600c7cc2cb"));
    let payment = PaymentTx {
        inputs: [input(1, 0), input(2, 0)].into_iter().collect(),
        outputs: [Output::payment(bob, ETH, U256::from(12))].into_iter().collect(),
        metadata: H256::zero(),
    };
    let bytes = signed(payment, &[&alice, &alice]);
    let decoded = SignedTx::decode(&bytes).unwrap();
    assert_eq!(
        decoded.unsigned_bytes(),
        unhex(
            "f89601f842a0000000000000000000000000000000000000000000000000000000003b9aca00a00000000000000000000000000000000000000000000000000000000077359400eeed01eb944637e4c7a75004e49fa9285f22b0dc600c7cc2cb9400000000000000000000000000000000000000000c80a00000000000000000000000000000000000000000000000000000000000000000"
        )
    );
    assert_eq!(
        decoded.hash().as_bytes(),
        unhex("698df99a36a00d23a1e7630dcee3960c6119b88fc9371e30133622c75f73ed38")
    );
    let expected = unhex(
        "7fae4db4eabd3154b3b29434a62dadf392e853320b14469b9d687c81abdad3a05421aef53f0aa802e4eaad1ec68de0c5261527ffa71e961fc9d03bce7a5a56ce1b",
    );
    assert!(decoded.signatures().all(|signature| signature.as_bytes().as_slice() == expected));
    assert_eq!(
        plasma_core::wire::ExitId::in_flight(&decoded.unsigned_bytes()).to_string(),
        "4031468392140019035158648906474771084802559196"
    );
}

fn any_output() -> impl Strategy<Value = Output> {
    (1u8.., any::<[u8; 20]>(), 1u128..).prop_map(|(owner, currency, amount)| {
        Output::payment(Address::repeat_byte(owner), Address::from(currency), U256::from(amount))
    })
}

fn any_payment() -> impl Strategy<Value = PaymentTx> {
    let inputs = proptest::collection::vec(
        any::<[u8; 32]>().prop_filter("zero", |word| word != &[0; 32]),
        0..=4,
    );
    let outputs = proptest::collection::vec(any_output(), 1..=4);
    (inputs, outputs, any::<[u8; 32]>()).prop_map(|(inputs, outputs, metadata)| PaymentTx {
        inputs: inputs.into_iter().map(InputPointer::from_bytes).collect(),
        outputs: outputs.into_iter().collect(),
        metadata: H256(metadata),
    })
}

proptest! {
    #[test]
    fn transactions_survive_a_round_trip(payment in any_payment(), signatures in 0usize..=5) {
        let tx = Transaction::Payment(payment);
        let signatures = vec![Signature::from_bytes([3; 65]); signatures];
        let decoded = SignedTx::new(tx.clone(), &signatures).unwrap();
        prop_assert_eq!(decoded.transaction(), &tx);
        prop_assert_eq!(decoded.signatures().collect::<Vec<_>>(), signatures);
        prop_assert_eq!(decoded.unsigned_bytes(), tx.encode_unsigned());
        prop_assert_eq!(decoded.hash(), tx.hash());
        prop_assert_eq!(Transaction::decode_unsigned(&tx.encode_unsigned()), Ok(tx));
    }

    #[test]
    fn a_changed_byte_is_refused_or_seen(payment in any_payment(), at: prop::sample::Index, flip in 1u8..) {
        let tx = Transaction::Payment(payment);
        let mut bytes = tx.encode_unsigned();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(other) = Transaction::decode_unsigned(&bytes) {
            prop_assert_ne!(&other, &tx);
            prop_assert_ne!(other.hash(), tx.hash());
            if let (Transaction::Payment(a), Transaction::Payment(b)) = (&tx, &other) {
                prop_assert_ne!(domain().sign_hash(a), domain().sign_hash(b));
            }
        }
    }

    #[test]
    fn random_bytes_never_decode_and_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(SignedTx::decode(&bytes).is_err());
        prop_assert!(Transaction::decode_unsigned(&bytes).is_err());
    }

    #[test]
    fn spliced_transactions_never_panic(payment in any_payment(), cut: prop::sample::Index, paste in proptest::collection::vec(any::<u8>(), 0..40)) {
        let mut bytes = Transaction::Payment(payment).encode_signed(&[Signature::from_bytes([3; 65])]);
        let at = cut.index(bytes.len());
        bytes.splice(at..at, paste);
        if let Ok(decoded) = SignedTx::decode(&bytes) {
            prop_assert_eq!(decoded.as_bytes(), bytes.as_slice());
            let _ = RecoveredTx::recover(decoded, &domain());
        }
    }
}
