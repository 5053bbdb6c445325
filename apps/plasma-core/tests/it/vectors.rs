//! Every vector in `tests/fixtures/contracts-v1.json`, made by running the contracts (protocol 1.9, contracts v1 notes).

use crate::unhex;
use plasma_core::wire::ids::{ExitPriority, exitable_at_s, normal_output_id, output_id};
use plasma_core::wire::keccak::keccak256_concat;
use plasma_core::wire::merkle::{InclusionProof, MerkleBuilder, empty_roots, leaf_hash};
use plasma_core::wire::{
    Address, ExitId, H256, InputPointer, OutputIndex, SecretKey, Transaction, TypedDataDomain,
    U256, UtxoPos, keccak256,
};
use serde_json::Value;

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/contracts-v1.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn section(name: &str) -> Vec<Value> {
    vectors()[name].as_array().unwrap().clone()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

fn bytes(value: &Value, key: &str) -> Vec<u8> {
    unhex(text(value, key))
}

fn hash(value: &Value, key: &str) -> H256 {
    H256::from_slice(&bytes(value, key))
}

fn address(value: &Value, key: &str) -> Address {
    Address::from_slice(&bytes(value, key))
}

fn number(value: &Value, key: &str) -> U256 {
    match &value[key] {
        Value::Number(number) => number.as_u64().unwrap().into(),
        other => U256::from_dec_str(other.as_str().unwrap()).unwrap(),
    }
}

fn position(value: &Value, key: &str) -> UtxoPos {
    UtxoPos::decode_u256(number(value, key)).unwrap()
}

#[test]
fn transactions_hash_sign_and_name_their_outputs_as_the_contracts_do() {
    let key = SecretKey::from_bytes(keccak256(b"vector key 1").0).unwrap();
    assert_eq!(key.address(), Address::from_slice(&unhex(vectors()["signer"].as_str().unwrap())));
    for vector in section("transactions") {
        let raw = bytes(&vector, "raw");
        assert_eq!(keccak256(&raw), hash(&vector, "txHash"));

        let domain = TypedDataDomain::new(address(&vector, "verifyingContract"));
        let digest = sign_hash(&vector, &domain);
        assert_eq!(digest, hash(&vector, "eip712Hash"), "{vector}");
        assert_eq!(key.sign(digest).as_bytes().to_vec(), bytes(&vector, "signature"));

        let decoded = Transaction::decode_unsigned(&raw);
        let known_types =
            vector["outputs"].as_array().unwrap().iter().all(|output| output["outputType"] == 1);
        match decoded {
            Ok(Transaction::Payment(payment)) => {
                assert!(known_types);
                assert_eq!(domain.sign_hash(&payment), digest);
                assert_eq!(Transaction::Payment(payment).encode_unsigned(), raw);
            }
            Ok(Transaction::FeeClaim(_)) => panic!("no vector is a fee claim: {vector}"),
            Err(error) => assert!(!known_types, "{error}: {vector}"),
        }
        outputs_are_named(&vector, &raw);
    }
}

/// The digest built from the parts of the vector, so that output types this chain refuses are covered too.
fn sign_hash(vector: &Value, domain: &TypedDataDomain) -> H256 {
    let mut inputs = [domain.missing_input(); 4];
    for (slot, input) in inputs.iter_mut().zip(vector["inputs"].as_array().unwrap()) {
        let mut word = [0; 32];
        U256::from_dec_str(input.as_str().unwrap()).unwrap().to_big_endian(&mut word);
        *slot = domain.hash_input(&InputPointer::from_bytes(word));
    }
    let mut outputs = [domain.missing_output(); 4];
    for (slot, output) in outputs.iter_mut().zip(vector["outputs"].as_array().unwrap()) {
        *slot = domain.hash_output_fields(
            number(output, "outputType"),
            address(output, "outputGuard"),
            address(output, "token"),
            number(output, "amount"),
        );
    }
    let struct_hash = domain.struct_hash_of(&inputs, &outputs, hash(vector, "metaData"));
    keccak256_concat(&[b"\x19\x01", domain.separator().as_bytes(), struct_hash.as_bytes()])
}

fn outputs_are_named(vector: &Value, raw: &[u8]) {
    let of_tx = position(vector, "utxoPosOfTx");
    for output in vector["normalOutputs"].as_array().unwrap() {
        let oindex = OutputIndex::new(output["index"].as_u64().unwrap().try_into().unwrap());
        assert_eq!(normal_output_id(raw, oindex), hash(output, "outputId"));
        // Which form applies is decided by the block number; the vector's position may be a deposit's.
        let normal = UtxoPos { oindex, blknum: of_tx.blknum.next_child_block().unwrap(), ..of_tx };
        assert_eq!(output_id(raw, normal), hash(output, "outputId"));
        assert_eq!(
            ExitId::standard(raw, normal).unwrap().to_u256(),
            number(output, "standardExitId")
        );
    }
    let deposit = &vector["asDeposit"];
    let at = position(deposit, "utxoPos");
    if at.blknum.is_deposit() {
        assert_eq!(output_id(raw, at), hash(deposit, "outputId"));
        assert_eq!(ExitId::standard(raw, at).unwrap().to_u256(), number(deposit, "standardExitId"));
    }
    assert_eq!(ExitId::in_flight(raw).to_u256(), number(vector, "inFlightExitId"));
}

#[test]
fn encodings_are_accepted_and_refused_as_by_the_contracts() {
    for vector in section("encodings") {
        let name = text(&vector, "name");
        let accepted = matches!(
            Transaction::decode_unsigned(&bytes(&vector, "raw")),
            Ok(Transaction::Payment(_))
        );
        // The contracts do not look at the output type when they decode; the chain only knows its own.
        let expected = text(&vector, "payment") == "accepted" && name != "output type 7 decodes";
        assert_eq!(accepted, expected, "{name}");
    }
}

#[test]
fn merkle_proofs_verify_as_in_the_contracts() {
    for vector in section("merkle") {
        let index = u32::try_from(number(&vector, "index").low_u64()).unwrap_or(u32::MAX);
        let expected = vector["expect"].as_bool();
        let (leaf, root, proof) =
            (leaf_hash(&bytes(&vector, "leaf")), hash(&vector, "root"), bytes(&vector, "proof"));
        let verified =
            InclusionProof::from_bytes(&proof).is_some_and(|proof| proof.verify(leaf, index, root));
        // The contracts take proofs of any height and revert on malformed ones; ours are exactly 16 high.
        let of_our_height = proof.len() == 512;
        assert_eq!(verified, expected == Some(true) && of_our_height, "{vector}");
        if let Some(leaves) = vector["leaves"].as_array() {
            let leaves: Vec<H256> =
                leaves.iter().map(|leaf| leaf_hash(&unhex(leaf.as_str().unwrap()))).collect();
            assert_eq!(MerkleBuilder::from_leaves(leaves.iter().copied()).unwrap().root(), root);
            if verified {
                assert_eq!(InclusionProof::from_leaves(index, &leaves).unwrap().to_bytes(), proof);
            }
        }
    }
}

#[test]
fn empty_subtrees_hash_as_in_the_contracts() {
    let notes = vectors();
    let expected: Vec<H256> = notes["merkleNotes"]["zeroHashes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hash| H256::from_slice(&unhex(hash.as_str().unwrap())))
        .collect();
    assert_eq!(empty_roots().to_vec(), expected);
}

#[test]
fn positions_decode_as_in_the_contracts() {
    for vector in section("positions") {
        let decoded = UtxoPos::decode_u256(number(&vector, "utxoPos"))
            .filter(|at| at.is_decodable_on_chain());
        assert_eq!(decoded.is_some(), vector["ok"].as_bool().unwrap(), "{vector}");
        if let Some(at) = decoded {
            assert_eq!(U256::from(at.blknum.get()), number(&vector, "blockNum"));
            assert_eq!(U256::from(at.txindex.get()), number(&vector, "txIndex"));
            assert_eq!(U256::from(at.oindex.get()), number(&vector, "outputIndex"));
            assert_eq!(U256::from(at.encode()), number(&vector, "reEncoded"));
            assert_eq!(U256::from(at.tx_pos_for_priority()), number(&vector, "txPosForPriority"));
        }
    }
}

#[test]
fn standard_exit_ids_meet_the_edges_of_the_contracts() {
    for vector in section("standardExitIdEdges") {
        let at = position(&vector, "utxoPos");
        if at.blknum.is_deposit() != vector["isDeposit"].as_bool().unwrap()
            || !at.is_decodable_on_chain()
        {
            continue;
        }
        let id = ExitId::standard(&bytes(&vector, "tx"), at);
        match text(&vector, "result") {
            "revert" => assert_eq!(id, None, "{vector}"),
            _ => assert_eq!(id.unwrap().to_u256(), number(&vector, "result"), "{vector}"),
        }
    }
}

#[test]
fn priorities_pack_as_in_the_contracts() {
    for vector in section("priorities") {
        let exit_id = ExitId::from_u256(number(&vector, "exitId"));
        let exitable_at = number(&vector, "exitableAt").low_u64();
        let priority = ExitPriority::new(exitable_at, position(&vector, "utxoPos"), exit_id);
        assert_eq!(priority.to_u256(), number(&vector, "priority"), "{vector}");
        assert_eq!(U256::from(priority.exitable_at_s()), number(&vector, "parsedExitableAt"));
        assert_eq!(priority.exit_id().to_u256(), number(&vector, "parsedExitId"));
    }
}

#[test]
fn exits_mature_when_the_contracts_say() {
    let min_exit_period_s = number(&vectors(), "minExitPeriod").low_u64();
    for vector in section("exitable") {
        let (now, block) =
            (number(&vector, "now").low_u64(), number(&vector, "blockTimestamp").low_u64());
        assert_eq!(
            U256::from(exitable_at_s(now, block, min_exit_period_s, false)),
            number(&vector, "tx")
        );
        assert_eq!(
            U256::from(exitable_at_s(now, block, min_exit_period_s, true)),
            number(&vector, "deposit")
        );
    }
}

#[test]
fn the_typed_data_domain_of_the_fixture_is_ours() {
    let vectors = vectors();
    let eip712 = &vectors["eip712"];
    let domain = TypedDataDomain::new(Address::zero());
    assert_eq!(domain.missing_input(), hash(eip712, "emptyInputHash"));
    assert_eq!(domain.missing_output(), hash(eip712, "emptyOutputHash"));
    assert_eq!(plasma_core::wire::typed_data::TRANSACTION_TYPE, text(eip712, "txType"));
}
