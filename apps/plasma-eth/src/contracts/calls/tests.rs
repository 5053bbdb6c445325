use super::*;
use plasma_core::exit_processor::ChallengeData;
use plasma_core::sentinel::call::{
    CanonicityProof, CompetitorProof, InputSpentProof, OutputSpentProof,
};
use plasma_core::wire::{Blknum, InclusionProof, Signature, TxIndex};

const SENDER: Address = Address::repeat_byte(0x5e);

fn exit_id() -> ExitId {
    ExitId::from_bytes([0xe1; 20])
}

fn position(blknum: u64, oindex: u16) -> UtxoPos {
    UtxoPos::new(Blknum::new(blknum), TxIndex::new(7), OutputIndex::new(oindex))
}

fn number(number: u128) -> Token {
    Token::Uint(number.into())
}

fn bytes(bytes: &[u8]) -> Token {
    Token::Bytes(bytes.to_vec())
}

/// `keccak256` of the sender's 20 bytes.
fn named_sender() -> Token {
    Token::FixedBytes(ethers::utils::keccak256([0x5e; 20]).to_vec())
}

fn competitor(included: Option<(UtxoPos, InclusionProof)>) -> Call {
    Call::ChallengeInFlightExitNotCanonical(Box::new(CompetitorProof {
        input_tx: b"input".as_slice().into(),
        input_position: position(1000, 2),
        in_flight_tx: b"in flight".as_slice().into(),
        in_flight_input_index: 3,
        competing_tx: b"competing".as_slice().into(),
        competing_input_index: 1,
        included,
        competing_signature: Signature::from_bytes([4; 65]),
    }))
}

/// The name of the field, and its value.
type Field = (&'static str, Token);

/// Each call, its contract, and the fields that the contract must find, by the names in its source.
fn expected_calls() -> Vec<(Call, Contract, Vec<Field>)> {
    let proof = InclusionProof::from_bytes(&[9; 512]).unwrap();
    let signature = Signature::from_bytes([4; 65]);
    let game = Contract::PaymentExitGame;
    let of_competitor = |at: u128, proof: &[u8]| -> Vec<Field> {
        vec![
            ("inputTx", bytes(b"input")),
            ("inputUtxoPos", number(1_000_000_070_002)),
            ("inFlightTx", bytes(b"in flight")),
            ("inFlightTxInputIndex", number(3)),
            ("competingTx", bytes(b"competing")),
            ("competingTxInputIndex", number(1)),
            ("competingTxPos", number(at)),
            ("competingTxInclusionProof", bytes(proof)),
            ("competingTxWitness", bytes(&[4; 65])),
        ]
    };
    let challenge = Call::ChallengeStandardExit(ChallengeData {
        exit_id: exit_id(),
        exiting_tx: b"exiting".as_slice().into(),
        tx_bytes: b"spend".as_slice().into(),
        input_index: 2,
        signature,
    });
    let response = Call::RespondToNonCanonicalChallenge(Box::new(CanonicityProof {
        in_flight_tx: b"in flight".as_slice().into(),
        position: position(2000, 1),
        proof: proof.clone(),
    }));
    let input_spent = Call::ChallengeInFlightExitInputSpent(Box::new(InputSpentProof {
        in_flight_tx: b"in flight".as_slice().into(),
        in_flight_input_index: 3,
        challenging_tx: b"spend".as_slice().into(),
        challenging_input_index: 2,
        challenging_signature: signature,
        input_tx: b"input".as_slice().into(),
        input_position: position(1000, 2),
    }));
    let output_spent = Call::ChallengeInFlightExitOutputSpent(Box::new(OutputSpentProof {
        in_flight_tx: b"in flight".as_slice().into(),
        in_flight_proof: proof.clone(),
        output_position: position(2000, 1),
        challenging_tx: b"spend".as_slice().into(),
        challenging_input_index: 2,
        challenging_signature: signature,
    }));
    let process = |top_exit_id| Call::ProcessExits {
        vault_id: 2,
        token: Address::repeat_byte(0x70),
        top_exit_id,
        exits_max: 50,
    };
    let of_process = |top_exit_id: U256| -> Vec<Field> {
        vec![
            ("vaultId", number(2)),
            ("token", Token::Address(Address::repeat_byte(0x70))),
            ("topExitId", Token::Uint(top_exit_id)),
            ("maxExitsToProcess", number(50)),
        ]
    };
    let id = U256::from_big_endian(&[0xe1; 20]);
    vec![
        (
            challenge,
            game,
            vec![
                ("exitId", Token::Uint(id)),
                ("exitingTx", bytes(b"exiting")),
                ("challengeTx", bytes(b"spend")),
                ("inputIndex", number(2)),
                ("witness", bytes(&[4; 65])),
                ("senderData", named_sender()),
            ],
        ),
        (competitor(None), game, of_competitor(0, &[])),
        // A transaction stands where its first output stands.
        (
            competitor(Some((position(3000, 3), proof))),
            game,
            of_competitor(3_000_000_070_000, &[9; 512]),
        ),
        (
            response,
            game,
            vec![
                ("inFlightTx", bytes(b"in flight")),
                ("inFlightTxPos", number(2_000_000_070_000)),
                ("inFlightTxInclusionProof", bytes(&[9; 512])),
            ],
        ),
        (
            input_spent,
            game,
            vec![
                ("inFlightTx", bytes(b"in flight")),
                ("inFlightTxInputIndex", number(3)),
                ("challengingTx", bytes(b"spend")),
                ("challengingTxInputIndex", number(2)),
                ("challengingTxWitness", bytes(&[4; 65])),
                ("inputTx", bytes(b"input")),
                ("inputUtxoPos", number(1_000_000_070_002)),
                ("senderData", named_sender()),
            ],
        ),
        (
            output_spent,
            game,
            vec![
                ("inFlightTx", bytes(b"in flight")),
                ("inFlightTxInclusionProof", bytes(&[9; 512])),
                ("outputUtxoPos", number(2_000_000_070_001)),
                ("challengingTx", bytes(b"spend")),
                ("challengingTxInputIndex", number(2)),
                ("challengingTxWitness", bytes(&[4; 65])),
                ("senderData", named_sender()),
            ],
        ),
        (
            Call::DeleteNonPiggybackedInFlightExit { exit_id: exit_id() },
            game,
            vec![("exitId", Token::Uint(id))],
        ),
        (process(None), Contract::PlasmaFramework, of_process(U256::zero())),
        (process(Some(exit_id())), Contract::PlasmaFramework, of_process(id)),
    ]
}

/// Reads call data as the contract does: by the compiler's ABI, to named fields.
fn decode_call(contract: Contract, call: &Call, data: &[u8]) -> Vec<(String, Token)> {
    let abi = serde_json::from_str::<serde_json::Value>(contract.json()).unwrap();
    let artifact = contract.artifact().unwrap();
    let function = artifact.abi.function(call.name()).unwrap();
    let (selector, arguments) = data.split_at(4);
    assert_eq!(selector, function.short_signature(), "{}", call.name());
    let tokens = function.decode_input(arguments).unwrap();
    assert_eq!(encode(&tokens), arguments, "{}", call.name());
    let entries = abi["abi"].as_array().unwrap();
    let is_it =
        |entry: &&serde_json::Value| entry["type"] == "function" && entry["name"] == call.name();
    let inputs = entries.iter().find(is_it).unwrap()["inputs"].clone();
    let (inputs, tokens) = match tokens.as_slice() {
        [Token::Tuple(fields)] => (inputs[0]["components"].clone(), fields.clone()),
        _ => (inputs, tokens),
    };
    let names = inputs.as_array().unwrap().iter();
    let names = names.map(|input| input["name"].as_str().unwrap().to_owned());
    names.zip(tokens).collect()
}

#[test]
fn every_call_says_to_its_contract_what_it_means() {
    let mut names = std::collections::BTreeSet::new();
    for (call, contract, expected) in expected_calls() {
        let (to, data) = call_data(&call, SENDER);
        assert_eq!(to, contract);
        let expected: Vec<_> =
            expected.into_iter().map(|(name, token)| (name.to_owned(), token)).collect();
        assert_eq!(decode_call(to, &call, &data), expected, "{}", call.name());
        names.insert(call.name());
    }
    assert_eq!(names.len(), 7);
}

#[test]
fn only_challenges_that_are_paid_for_name_their_sender() {
    for (call, _, fields) in expected_calls() {
        let named = fields.iter().any(|(name, _)| *name == "senderData");
        let other = call_data(&call, Address::repeat_byte(1));
        assert_eq!(call_data(&call, SENDER) != other, named, "{}", call.name());
    }
}
