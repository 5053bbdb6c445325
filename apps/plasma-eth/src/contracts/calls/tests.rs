//! Calls, read back as the contracts read them: by the compiler's ABI.

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
    let of_game =
        [challenge(), competitors(), response(), spent_input(), spent_output(), deletion()];
    let of_game = of_game.into_iter().flatten();
    let of_game = of_game.map(|(call, fields)| (call, Contract::PaymentExitGame, fields));
    let of_framework = processing().into_iter();
    let of_framework = of_framework.map(|(call, fields)| (call, Contract::PlasmaFramework, fields));
    of_game.chain(of_framework).collect()
}

type Expected = Vec<(Call, Vec<Field>)>;

fn proof() -> InclusionProof {
    InclusionProof::from_bytes(&[9; 512]).unwrap()
}

fn signature() -> Signature {
    Signature::from_bytes([4; 65])
}

fn id() -> Token {
    Token::Uint(U256::from_big_endian(&[0xe1; 20]))
}

fn challenge() -> Expected {
    let call = Call::ChallengeStandardExit(ChallengeData {
        exit_id: exit_id(),
        exiting_tx: b"exiting".as_slice().into(),
        tx_bytes: b"spend".as_slice().into(),
        input_index: 2,
        signature: signature(),
    });
    let fields = vec![
        ("exitId", id()),
        ("exitingTx", bytes(b"exiting")),
        ("challengeTx", bytes(b"spend")),
        ("inputIndex", number(2)),
        ("witness", bytes(&[4; 65])),
        ("senderData", named_sender()),
    ];
    vec![(call, fields)]
}

fn competitors() -> Expected {
    let fields = |at: u128, proof: &[u8]| -> Vec<Field> {
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
    let included = competitor(Some((position(3000, 3), proof())));
    vec![
        (competitor(None), fields(0, &[])),
        // A transaction stands where its first output stands.
        (included, fields(3_000_000_070_000, &[9; 512])),
    ]
}

fn response() -> Expected {
    let call = Call::RespondToNonCanonicalChallenge(Box::new(CanonicityProof {
        in_flight_tx: b"in flight".as_slice().into(),
        position: position(2000, 1),
        proof: proof(),
    }));
    let fields = vec![
        ("inFlightTx", bytes(b"in flight")),
        ("inFlightTxPos", number(2_000_000_070_000)),
        ("inFlightTxInclusionProof", bytes(&[9; 512])),
    ];
    vec![(call, fields)]
}

fn spent_input() -> Expected {
    let call = Call::ChallengeInFlightExitInputSpent(Box::new(InputSpentProof {
        in_flight_tx: b"in flight".as_slice().into(),
        in_flight_input_index: 3,
        challenging_tx: b"spend".as_slice().into(),
        challenging_input_index: 2,
        challenging_signature: signature(),
        input_tx: b"input".as_slice().into(),
        input_position: position(1000, 2),
    }));
    let fields = vec![
        ("inFlightTx", bytes(b"in flight")),
        ("inFlightTxInputIndex", number(3)),
        ("challengingTx", bytes(b"spend")),
        ("challengingTxInputIndex", number(2)),
        ("challengingTxWitness", bytes(&[4; 65])),
        ("inputTx", bytes(b"input")),
        ("inputUtxoPos", number(1_000_000_070_002)),
        ("senderData", named_sender()),
    ];
    vec![(call, fields)]
}

fn spent_output() -> Expected {
    let call = Call::ChallengeInFlightExitOutputSpent(Box::new(OutputSpentProof {
        in_flight_tx: b"in flight".as_slice().into(),
        in_flight_proof: proof(),
        output_position: position(2000, 1),
        challenging_tx: b"spend".as_slice().into(),
        challenging_input_index: 2,
        challenging_signature: signature(),
    }));
    let fields = vec![
        ("inFlightTx", bytes(b"in flight")),
        ("inFlightTxInclusionProof", bytes(&[9; 512])),
        ("outputUtxoPos", number(2_000_000_070_001)),
        ("challengingTx", bytes(b"spend")),
        ("challengingTxInputIndex", number(2)),
        ("challengingTxWitness", bytes(&[4; 65])),
        ("senderData", named_sender()),
    ];
    vec![(call, fields)]
}

fn deletion() -> Expected {
    let call = Call::DeleteNonPiggybackedInFlightExit { exit_id: exit_id() };
    vec![(call, vec![("exitId", id())])]
}

fn processing() -> Expected {
    let token = Address::repeat_byte(0x70);
    let expected = |(top_exit_id, in_call)| {
        let call = Call::ProcessExits { vault_id: 2, token, top_exit_id, exits_max: 50 };
        let fields = vec![
            ("vaultId", number(2)),
            ("token", Token::Address(token)),
            ("topExitId", in_call),
            ("maxExitsToProcess", number(50)),
        ];
        (call, fields)
    };
    [(None, number(0)), (Some(exit_id()), id())].map(expected).to_vec()
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
