//! Decoders of `plasma-rpc`: what callers send, and what a child chain or a watcher answers to us.
//!
//! What is accepted survives being written and read again. Of parameters, both envelopes make the same.

use super::Decoder;
use super::wire::{FRACTION_OF_MANY_DIGITS, is_at_the_edge, settle};
use plasma_core::block_validator::validate_block;
use plasma_core::wire::{Address, Blknum, Block, H256, MerkleBuilder, RecoveredTx};
use plasma_core::wire::{TypedDataDomain, U256, UtxoPos};
use plasma_rpc::alarm::Alarm;
use plasma_rpc::child_chain::{
    BatchItem, BatchSubmitParams, BlockAnswer, BlockGetParams, Configuration, FeesAllParams,
    FeesAnswer, SubmitAnswer, SubmitParams,
};
use plasma_rpc::params::{NoParams, RawParams, RequestParams};
use plasma_rpc::subscription::{
    EventCursor, EventObject, Start, SubscribeParams, TopicName, UnsubscribeParams,
};
use plasma_rpc::watcher::{
    AccountParams, BlockValidateParams, BlockValidity, ByzantineEvent, CanonicalProof,
    ChallengeData, CompetitorData, ExitData, ExitEvent, ExitableUtxo, InFlightExitData,
    InputChallengeData, InputChallengeParams, OutputChallengeData, OutputChallengeParams, Status,
    TxBytesParams, UtxoPosParams, WatcherConfiguration,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::fmt::Debug;
use std::str::FromStr;

/// The decoders of this file.
pub const DECODERS: &[Decoder] = &[
    Decoder { name: "rpc_params", check: rpc_params, seeds: params },
    Decoder { name: "rpc_answer", check: rpc_answer, seeds: answers },
    Decoder { name: "block_answer", check: block_answer, seeds: blocks },
    Decoder { name: "byzantine_event", check: byzantine_event, seeds: events },
    Decoder { name: "event_place", check: event_place, seeds: places },
];

/// The parameters of every method, each from the same body.
pub fn rpc_params(body: &[u8]) -> bool {
    let accepted = [
        request::<NoParams>(body),
        request::<BlockGetParams>(body),
        request::<SubmitParams>(body),
        request::<BatchSubmitParams>(body),
        request::<FeesAllParams>(body),
        request::<AccountParams>(body),
        request::<UtxoPosParams>(body),
        request::<BlockValidateParams>(body),
        request::<TxBytesParams>(body),
        request::<InputChallengeParams>(body),
        request::<OutputChallengeParams>(body),
        request::<SubscribeParams>(body),
        request::<UnsubscribeParams>(body),
    ];
    accepted.contains(&true)
}

fn request<P: RequestParams + Serialize + PartialEq + Debug>(body: &[u8]) -> bool {
    let Ok(raw) = RawParams::from_body(P::NAMES, body) else {
        return false;
    };
    let parsed = P::parse(&raw);
    if let Ok(text) = std::str::from_utf8(body)
        && text.trim_ascii_start().starts_with('{')
    {
        let same = RawParams::from_json_rpc(P::NAMES, Some(text));
        assert!(same.is_ok(), "an object that only one envelope takes");
        let same = same.ok().map(|raw| P::parse(&raw));
        assert_eq!(same.as_ref(), Some(&parsed), "the envelopes disagree");
    }
    let Ok(params) = parsed else {
        return false;
    };
    let written = to_json(&params);
    let again = RawParams::from_body(P::NAMES, written.as_bytes()).map(|raw| P::parse(&raw));
    assert_eq!(again.ok(), Some(Ok(params)), "{written}");
    true
}

/// Every answer but blocks, each from the same text.
pub fn rpc_answer(bytes: &[u8]) -> bool {
    let accepted = [
        journey::<SubmitAnswer>(bytes),
        journey::<Vec<BatchItem>>(bytes),
        fees_answer(bytes),
        journey::<Configuration>(bytes),
        journey::<Vec<Alarm>>(bytes),
        journey::<Status>(bytes),
        journey::<WatcherConfiguration>(bytes),
        journey::<Vec<ExitableUtxo>>(bytes),
        journey::<BlockValidity>(bytes),
        journey::<ExitData>(bytes),
        journey::<ChallengeData>(bytes),
        journey::<InFlightExitData>(bytes),
        journey::<CompetitorData>(bytes),
        journey::<CanonicalProof>(bytes),
        journey::<InputChallengeData>(bytes),
        journey::<OutputChallengeData>(bytes),
    ];
    accepted.contains(&true)
}

fn fees_answer(bytes: &[u8]) -> bool {
    if let Ok(FeesAnswer(fees)) = serde_json::from_slice(bytes)
        && fees.values().flatten().filter_map(|fee| fee.pegged_amount.as_ref()).any(is_at_the_edge)
    {
        return true;
    }
    survives(bytes, |again: &mut FeesAnswer, before| {
        let (again, before) = (again.0.values_mut().flatten(), before.0.values().flatten());
        for (one, other) in again.zip(before) {
            if let (Some(one), Some(other)) = (&mut one.pegged_amount, &other.pegged_amount) {
                settle(one, other);
            }
        }
    })
}

/// The answer of `block.get`; whatever it holds can be judged, too.
pub fn block_answer(bytes: &[u8]) -> bool {
    let Ok(BlockAnswer(block)) = serde_json::from_slice(bytes) else {
        return false;
    };
    let written = match BlockAnswer::render(block.number, block.hash, &block.transactions) {
        Ok(rendered) => rendered.get().to_owned(),
        Err(error) => panic!("a block that was read cannot be written: {error}"),
    };
    let again = serde_json::from_str(&written).ok();
    assert_eq!(again, Some(BlockAnswer(block.clone())), "{written}");
    judge(&block);
    true
}

fn judge(block: &Block) {
    let domain = TypedDataDomain::new(Address::repeat_byte(0xf0));
    let recovered: Vec<_> =
        block.transactions.iter().map(|tx| RecoveredTx::from_bytes(tx, &domain)).collect();
    let leaves: Option<Vec<H256>> =
        recovered.iter().map(|tx| tx.as_ref().ok().map(RecoveredTx::leaf)).collect();
    if validate_block(block, recovered).is_ok() {
        let merkle = leaves.map(MerkleBuilder::from_leaves);
        let root = merkle.and_then(Result::ok).map(|merkle| merkle.root());
        assert_eq!(root, Some(block.hash), "a valid block with another root");
    }
}

/// A topic, a place in several topics, and where to begin, each from the same text; and an event as subscribers get it.
pub fn event_place(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let accepted = [
        is_written_as_read::<TopicName>(text),
        is_written_as_read::<EventCursor>(text),
        is_written_as_read::<Start>(text),
        event_object(text),
    ];
    accepted.contains(&true)
}

fn is_written_as_read<T: FromStr + ToString + PartialEq + Debug>(text: &str) -> bool {
    let Ok(value) = text.parse::<T>() else {
        return false;
    };
    let written = value.to_string();
    assert_eq!(written.parse::<T>().ok(), Some(value), "{written}");
    true
}

fn event_object(text: &str) -> bool {
    let Ok(event) = serde_json::from_str::<EventObject>(text) else {
        return false;
    };
    let written = to_json(&event);
    let again = serde_json::from_str::<EventObject>(&written).map(|again| to_json(&again));
    assert_eq!(again.ok().as_ref(), Some(&written));
    true
}

/// A byzantine event of `status.get`.
pub fn byzantine_event(bytes: &[u8]) -> bool {
    journey::<ByzantineEvent>(bytes)
}

fn journey<T: DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) -> bool {
    survives(bytes, |_: &mut T, _| ())
}

/// `forgive` may change what was read again, given what was read first.
fn survives<T: DeserializeOwned + Serialize + PartialEq + Debug>(
    bytes: &[u8],
    forgive: impl FnOnce(&mut T, &T),
) -> bool {
    let Ok(value) = serde_json::from_slice::<T>(bytes) else {
        return false;
    };
    let written = to_json(&value);
    match serde_json::from_str::<T>(&written) {
        Ok(mut again) => {
            forgive(&mut again, &value);
            assert_eq!(again, value, "{written}");
        }
        Err(error) => panic!("what was written cannot be read: {error}: {written}"),
    }
    true
}

fn to_json(value: &impl Serialize) -> String {
    match serde_json::to_string(value) {
        Ok(text) => text,
        Err(error) => panic!("what was read cannot be written: {error}"),
    }
}

fn params() -> Vec<Vec<u8>> {
    let hash = format!("{:?}", H256::repeat_byte(1));
    let address = format!("{:?}", Address::repeat_byte(2));
    let transaction = hex_of(&super::wire::signed_txs().concat());
    [
        json!({"hash": hash}),
        json!({"transaction": transaction}),
        json!({"transactions": [transaction, "0x00"]}),
        json!({"currencies": [address], "tx_types": [1, 2]}),
        json!({"address": address}),
        json!({"utxo_pos": 1_000_000_000_u64}),
        json!({"hash": hash, "transactions": ["0x"], "number": 1000}),
        json!({"txbytes": transaction}),
        json!({"txbytes": transaction, "input_index": 0, "output_index": 3}),
        json!({"topic": "blocks", "from": {"sequence": 17}}),
        json!({"topic": format!("transfer:{address}"), "from": {"blknum": 1000}}),
        json!({"subscription": "17"}),
    ]
    .map(|body| body.to_string().into_bytes())
    .to_vec()
}

fn exit() -> ExitEvent {
    ExitEvent {
        amount: U256::MAX,
        currency: Address::zero(),
        owner: Address::repeat_byte(3),
        eth_height: plasma_core::wire::EthHeight::new(7),
        utxo_pos: UtxoPos::deposit(Blknum::new(1)),
        root_chain_txhash: H256::repeat_byte(4),
        scheduled_finalization_time: 1_700_000_000,
        spending_txhash: Some(H256::repeat_byte(5)),
    }
}

fn answers() -> Vec<Vec<u8>> {
    let status =
        Status { byzantine_events: vec![ByzantineEvent::InvalidExit(exit())], ..Status::default() };
    let hash = format!("{:?}", H256::repeat_byte(1));
    let address = format!("{:?}", Address::repeat_byte(2));
    [
        to_json(&status),
        json!([{"blknum": 1000, "txindex": 0, "txhash": hash}, {"error": "utxo_not_found"}])
            .to_string(),
        json!({"1": [{
            "currency": address, "amount": 1, "subunit_to_unit": 100, "pegged_currency": "USD",
            "pegged_amount": 4.5, "pegged_subunit_to_unit": 100, "updated_at": "2026-01-01T10:10:00Z",
        }]})
        .to_string()
        .replace("4.5", FRACTION_OF_MANY_DIGITS),
        json!({
            "deposit_finality_margin": 10, "contract_semver": "1.0.5", "network": "LOCALCHAIN",
            "exit_processor_sla_margin": 20,
        })
        .to_string(),
        json!([{"boot_in_progress": {"node": "one", "reporter": "tree"}}]).to_string(),
        json!([{
            "blknum": 1, "txindex": 0, "oindex": 0, "otype": 1, "owner": address,
            "currency": address, "amount": 5, "utxo_pos": 1_000_000_000_u64,
        }])
        .to_string(),
        json!({"valid": true}).to_string(),
        json!({"utxo_pos": 1_000_000_000_u64, "txbytes": "0x01", "proof": "0x02"}).to_string(),
        json!({
            "exit_id": 5, "exiting_tx": "0x01", "txbytes": "0x02", "input_index": 0, "sig": "0x03",
        })
        .to_string(),
        json!({
            "in_flight_tx": "0x01", "input_txs": ["0x02"], "input_utxos_pos": [1_000_000_000_u64],
            "input_txs_inclusion_proofs": ["0x03"], "in_flight_tx_sigs": ["0x04"],
        })
        .to_string(),
        json!({
            "in_flight_txbytes": "0x01", "in_flight_input_index": 0, "competing_txbytes": "0x02",
            "competing_input_index": 1, "competing_sig": "0x03", "competing_tx_pos": 0,
            "competing_proof": "0x", "input_tx": "0x04", "input_utxo_pos": 1_000_000_000_u64,
        })
        .to_string(),
        json!({
            "in_flight_txbytes": "0x01", "in_flight_tx_pos": 1_000_000_000_u64,
            "in_flight_proof": "0x02",
        })
        .to_string(),
        json!({
            "in_flight_txbytes": "0x01", "in_flight_input_index": 0, "spending_txbytes": "0x02",
            "spending_input_index": 1, "spending_sig": "0x03", "input_tx": "0x04",
            "input_utxo_pos": 1_000_000_000_u64,
        })
        .to_string(),
        json!({
            "in_flight_txbytes": "0x01", "in_flight_output_pos": 1_000_000_000_u64,
            "in_flight_proof": "0x02", "spending_txbytes": "0x03", "spending_input_index": 1,
            "spending_sig": "0x04",
        })
        .to_string(),
    ]
    .map(String::into_bytes)
    .to_vec()
}

fn blocks() -> Vec<Vec<u8>> {
    let transactions = super::wire::signed_txs();
    let rendered = BlockAnswer::render(Blknum::new(1000), H256::repeat_byte(1), &transactions);
    rendered.iter().map(|json| json.get().as_bytes().to_vec()).collect()
}

fn events() -> Vec<Vec<u8>> {
    let withheld = json!({
        "event": "block_withholding",
        "details": {"name": "block_withholding", "blknum": 1000, "hash": format!("{:?}", H256::zero())},
    });
    let exit = to_json(&ByzantineEvent::UnchallengedExit(exit()));
    vec![withheld.to_string().into_bytes(), exit.into_bytes()]
}

fn places() -> Vec<Vec<u8>> {
    let account = format!("{:?}", Address::repeat_byte(2));
    [
        "blocks".to_owned(),
        format!("transfer:{account}"),
        format!("blocks:17,exits:0,transfer:{account}:18446744073709551615"),
        "sequence:1".to_owned(),
        "blknum:1000".to_owned(),
        json!({
            "topic": "blocks", "sequence": 17, "id": "blocks:17", "at": "2026-01-01T10:10:00Z",
            "data": {"blknum": 1000},
        })
        .to_string(),
    ]
    .map(String::into_bytes)
    .to_vec()
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}
