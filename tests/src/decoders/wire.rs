//! Decoders of `plasma-core`: transactions, positions, proofs, fee specifications.
//!
//! What is accepted has exactly one encoding, so decoding and encoding again gives the same bytes.

use super::Decoder;
use plasma_core::fees::{AcceptedFees, FeeSpec, FeeSpecs, PeggedFee, parse_fee_specs};
use plasma_core::wire::merkle::leaf_hash;
use plasma_core::wire::{
    Address, Blknum, ETH, H256, InclusionProof, InputPointer, MerkleBuilder, Output, OutputIndex,
    PaymentTx, RecoveredTx, SecretKey, Signature, SignedTx, Transaction, TxIndex, TypedDataDomain,
    U256, UtxoPos, keccak256,
};
use serde_json::{Number, Value, json};

/// The decoders of this file.
pub const DECODERS: &[Decoder] = &[
    Decoder { name: "signed_tx", check: signed_tx, seeds: signed_txs },
    Decoder { name: "recovered_tx", check: recovered_tx, seeds: signed_txs },
    Decoder { name: "unsigned_tx", check: unsigned_tx, seeds: unsigned_txs },
    Decoder { name: "utxo_pos", check: utxo_pos, seeds: utxo_positions },
    Decoder { name: "inclusion_proof", check: inclusion_proof, seeds: inclusion_proofs },
    Decoder { name: "fee_specs", check: fee_specs, seeds: fee_spec_files },
];

/// Bytes of the index and the leaf in front of a proof, as [`inclusion_proof`] takes them.
const INDEX_AND_LEAF_LEN: usize = 4 + 32;

/// Reads as one number, and as another when that is written and read again; found by the fuzzer. See [`settle`].
pub const FRACTION_OF_MANY_DIGITS: &str = "639.2103914081471124805e-61";

fn domain() -> TypedDataDomain {
    TypedDataDomain::new(Address::repeat_byte(0xf0))
}

/// Signed transactions: the bytes are kept, and are the only ones for this transaction and these signatures.
pub fn signed_tx(bytes: &[u8]) -> bool {
    let Ok(signed) = SignedTx::decode(bytes) else {
        return false;
    };
    let tx = signed.transaction();
    let signatures: Vec<Signature> = signed.signatures().collect();
    assert_eq!(signed.as_bytes(), bytes, "the bytes are not kept");
    assert_eq!(tx.encode_signed(&signatures), bytes, "there is a second encoding");
    let unsigned = signed.unsigned_bytes();
    assert_eq!(tx.encode_unsigned(), unsigned, "the unsigned form is another transaction");
    assert_eq!((signed.hash(), signed.leaf()), (keccak256(&unsigned), leaf_hash(&unsigned)));
    assert!(unsigned_tx(&unsigned), "the unsigned form is refused");
    true
}

/// Recovered transactions: a spender for each input, and each of them has signed these very bytes.
pub fn recovered_tx(bytes: &[u8]) -> bool {
    let Ok(recovered) = RecoveredTx::from_bytes(bytes, &domain()) else {
        return false;
    };
    assert_eq!(recovered.signed_bytes(), bytes, "the bytes are not kept");
    let tx = recovered.transaction();
    assert_eq!(recovered.spenders().len(), tx.inputs().len(), "an input without a spender");
    assert_eq!(recovered.hash(), tx.hash());
    assert!(signed_tx(bytes), "recovered, but not well-formed");
    let elsewhere = TypedDataDomain::new(Address::repeat_byte(0xf1));
    if let Ok(other) = RecoveredTx::from_bytes(bytes, &elsewhere) {
        let same = recovered.spenders().iter().zip(other.spenders()).any(|(one, two)| one == two);
        assert!(!same, "a signature is good for another deployment");
    }
    true
}

/// Unsigned transactions, as they stand in events and exit data.
pub fn unsigned_tx(bytes: &[u8]) -> bool {
    let Ok(tx) = Transaction::decode_unsigned(bytes) else {
        return false;
    };
    assert_eq!(tx.encode_unsigned(), bytes, "there is a second encoding");
    assert_eq!(tx.hash(), keccak256(bytes));
    if let Transaction::Payment(payment) = &tx {
        assert_ne!(domain().sign_hash(payment), tx.hash());
    }
    true
}

/// Positions of outputs: 32 bytes, as in an input.
pub fn utxo_pos(bytes: &[u8]) -> bool {
    let Some((word, _)) = bytes.split_first_chunk::<32>() else {
        return false;
    };
    let pointer = InputPointer::from_bytes(*word);
    assert_eq!(pointer.position(), UtxoPos::decode_u256(pointer.to_u256()));
    let Some(position) = pointer.position() else {
        return false;
    };
    assert_eq!(U256::from(position.encode()), pointer.to_u256(), "there is a second encoding");
    assert_eq!(InputPointer::from(position), pointer);
    true
}

/// Inclusion proofs, behind four bytes of index and 32 of leaf: a proof holds for one leaf at one index.
pub fn inclusion_proof(bytes: &[u8]) -> bool {
    let Some((head, proof_bytes)) = bytes.split_first_chunk::<INDEX_AND_LEAF_LEN>() else {
        return false;
    };
    let Some(proof) = InclusionProof::from_bytes(proof_bytes) else {
        return false;
    };
    assert_eq!(proof.to_bytes(), proof_bytes, "there is a second encoding");
    let ([a, b, c, d, leaf @ ..], mut leaves) = (*head, Vec::new());
    let (index, leaf) = (u32::from_be_bytes([a, b, c, d]), H256(leaf));
    // The siblings as leaves of a block make a tree whose proofs are known.
    leaves.extend(proof_bytes.chunks(32).map(H256::from_slice));
    let at = index % 16;
    let root = match MerkleBuilder::from_leaves(leaves.iter().copied()) {
        Ok(merkle) => merkle.root(),
        Err(error) => panic!("16 leaves are fine: {error}"),
    };
    let Some(honest) = InclusionProof::from_leaves(at, &leaves) else {
        panic!("leaf {at} of 16 has a proof");
    };
    let proven = leaves.get(at as usize).copied().unwrap_or_default();
    assert!(honest.verify(proven, at, root), "an honest proof fails");
    assert!(!honest.verify(proven, at | 1 << 16, root), "an index beyond the tree");
    if leaf != proven {
        assert!(!honest.verify(leaf, at, root), "a proof of something else");
    }
    if proof != honest {
        assert!(!proof.verify(proven, at, root), "two proofs of one leaf");
    }
    true
}

/// Fee specifications: what was read, written as a specification, reads the same.
pub fn fee_specs(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let specs = match parse_fee_specs(text) {
        Ok(specs) => specs,
        Err(errors) => {
            assert!(!errors.0.is_empty(), "refused without a reason");
            return false;
        }
    };
    for spec in specs.values().flat_map(|by_currency| by_currency.values()) {
        assert!(!spec.amount.is_zero() && !spec.subunit_to_unit.is_zero());
    }
    if pegged_fees(&mut specs.clone()).any(|pegged| is_at_the_edge(&pegged.amount)) {
        return true;
    }
    let written = write_fee_specs(&specs);
    let mut again = parse_fee_specs(&written);
    for (one, other) in again.iter_mut().flat_map(pegged_fees).zip(pegged_fees(&mut specs.clone()))
    {
        settle(&mut one.amount, &other.amount);
    }
    assert_eq!(again.as_ref(), Ok(&specs), "{written}");
    assert_eq!(
        AcceptedFees::merged(&specs, Some(&specs)),
        AcceptedFees::merged(&specs, None),
        "an unchanged specification changes what is accepted"
    );
    true
}

fn pegged_fees(specs: &mut FeeSpecs) -> impl Iterator<Item = &mut PeggedFee> {
    let specs = specs.values_mut().flat_map(|by_currency| by_currency.values_mut());
    specs.filter_map(|spec| spec.pegged.as_mut())
}

/// Takes a fraction that was read again for the one before it. `serde_json` reads fractions of many digits to the last bit but one,
/// unless its feature `float_roundtrip` is on. They are shown, and never computed with.
pub fn settle(again: &mut Number, before: &Number) {
    if let (Some(one), Some(other)) = (again.as_f64(), before.as_f64())
        && again.is_f64()
        && one.to_bits().abs_diff(other.to_bits()) <= 4
    {
        again.clone_from(before);
    }
}

/// Whether the last bit of a fraction can decide that it is zero or not finite, and so refused.
pub fn is_at_the_edge(number: &Number) -> bool {
    number.as_f64().is_none_or(|value| value != 0.0 && !(1e-300..1e300).contains(&value.abs()))
}

fn write_fee_specs(specs: &FeeSpecs) -> String {
    let mut entries = Vec::new();
    for (tx_type, by_currency) in specs {
        let by_token: Vec<String> = by_currency
            .iter()
            .map(|(currency, spec)| format!("\"{currency:?}\":{}", write_fee_spec(spec)))
            .collect();
        entries.push(format!("\"{tx_type}\":{{{}}}", by_token.join(",")));
    }
    format!("{{{}}}", entries.join(","))
}

/// Written by hand where numbers have more digits than a `Value` keeps.
fn write_fee_spec(spec: &FeeSpec) -> String {
    let pegged = spec.pegged.as_ref();
    let amount = pegged.map_or(Value::Null, |pegged| Value::Number(pegged.amount.clone()));
    let currency = pegged.map_or(Value::Null, |pegged| json!(pegged.currency));
    let subunit = pegged.map_or("null".to_owned(), |pegged| pegged.subunit_to_unit.to_string());
    format!(
        r#"{{"amount":{},"subunit_to_unit":{},"pegged_amount":{amount},"pegged_currency":{currency},"pegged_subunit_to_unit":{subunit},"updated_at":{},"type":"fixed"}}"#,
        spec.amount,
        spec.subunit_to_unit,
        json!(spec.updated_at),
    )
}

/// Payments of one and of four inputs, a deposit, and a fee claim.
fn transactions() -> Vec<Transaction> {
    let output = |byte: u8, amount: U256| {
        Output::payment(Address::repeat_byte(byte), Address::repeat_byte(byte), amount)
    };
    let input = |number: u16| {
        let blknum = Blknum::new(1000 * u64::from(number) + 1);
        UtxoPos::new(blknum, TxIndex::new(number.into()), OutputIndex::new(number % 4)).into()
    };
    let payment = |count: u16, amount: U256| {
        Transaction::Payment(PaymentTx {
            inputs: (1..=count).map(input).collect(),
            outputs: (1..=4).map(|byte| output(byte, amount)).collect(),
            metadata: H256::repeat_byte(7),
        })
    };
    vec![
        payment(1, U256::one()),
        payment(4, U256::MAX),
        Transaction::deposit(Address::repeat_byte(1), ETH, U256::exp10(18)),
        Transaction::fee_claim(Blknum::new(1000), Address::repeat_byte(1), ETH, U256::from(300)),
    ]
}

/// Inputs of [`signed_tx`] and [`recovered_tx`].
pub fn signed_txs() -> Vec<Vec<u8>> {
    let keys = [1, 2, 3, 4_u8].map(|byte| SecretKey::from_bytes([byte; 32]));
    transactions()
        .iter()
        .filter(|tx| tx.outputs().len() > 1)
        .map(|tx| {
            let Transaction::Payment(payment) = tx else { return Vec::new() };
            let digest = domain().sign_hash(payment);
            let keys = keys.iter().flatten().take(payment.inputs.len());
            let signatures: Vec<Signature> = keys.map(|key| key.sign(digest)).collect();
            tx.encode_signed(&signatures)
        })
        .collect()
}

/// Inputs of [`unsigned_tx`].
pub fn unsigned_txs() -> Vec<Vec<u8>> {
    transactions().iter().map(Transaction::encode_unsigned).collect()
}

fn utxo_positions() -> Vec<Vec<u8>> {
    [UtxoPos::deposit(Blknum::new(1)), UtxoPos::deposit(Blknum::new(u64::MAX))]
        .map(|position| InputPointer::from(position).as_bytes().to_vec())
        .to_vec()
}

fn inclusion_proofs() -> Vec<Vec<u8>> {
    let leaves: Vec<H256> = (0..16).map(H256::repeat_byte).collect();
    let proofs = [0, 5].into_iter().filter_map(|index: u32| {
        let proof = InclusionProof::from_leaves(index, &leaves)?;
        let leaf = leaves.get(index as usize)?;
        Some([&index.to_be_bytes()[..], leaf.as_bytes(), &proof.to_bytes()].concat())
    });
    proofs.collect()
}

fn fee_spec_files() -> Vec<Vec<u8>> {
    let spec = json!({
        "amount": 1, "subunit_to_unit": 1_000_000_000_000_000_000_u64, "type": "pegged",
        "pegged_amount": 4.5, "pegged_currency": "USD", "pegged_subunit_to_unit": 100,
        "updated_at": "2026-01-01T10:10:00+00:00",
    });
    let mut fixed = spec.clone();
    for field in ["pegged_amount", "pegged_currency", "pegged_subunit_to_unit"] {
        fixed[field] = Value::Null;
    }
    let ether = format!("{ETH:?}");
    let token = format!("{:?}", Address::repeat_byte(1));
    let file = json!({"1": {ether: spec, token: fixed}, "2": {}}).to_string();
    let many_digits = file.replace("4.5", FRACTION_OF_MANY_DIGITS);
    vec![file.into_bytes(), many_digits.into_bytes()]
}
