//! Nodes that lie, stall, garble and complain: every answer ends in a typed error in bounded time, and what passes is retried.

mod scripted;

use plasma_core::root_chain::EventKind;
use plasma_core::wire::{Address, EthHeight, H256, SecretKey};
use plasma_eth::{
    ContractAddresses, Deployment, ErrorKind, EthConfig, EthersRootChain, GasFees, RetryPolicy,
    RootChain, RootChainError, SubmitOutcome,
};
use scripted::{Reply, ScriptedNode};
use serde_json::{Value, json};

const FRAMEWORK: Address = plasma_core::wire::Address::repeat_byte(1);
const VAULT: Address = plasma_core::wire::Address::repeat_byte(2);

fn key() -> SecretKey {
    SecretKey::from_bytes([7; 32]).unwrap()
}

fn root_chain(node: &ScriptedNode) -> EthersRootChain {
    let mut config = EthConfig::new(node.rpc_url());
    config.request_timeout_ms = 300;
    config.response_bytes_max = 20_000;
    config.event_range_eth_blocks_max = 100;
    config.retry =
        RetryPolicy { attempts_max: 3, first_pause_ms: 1, pause_ms_max: 2, total_ms_max: 5_000 };
    let deployment = Deployment {
        plasma_framework_tx_hash: H256::zero(),
        addresses: ContractAddresses {
            plasma_framework: FRAMEWORK,
            eth_vault: VAULT,
            erc20_vault: VAULT,
            payment_exit_game: VAULT,
        },
        authority: key().address(),
        chain_id: 5,
        eth_height: EthHeight::new(0),
        min_exit_period_s: 1,
        contract_semver: String::new(),
        erc20_token: None,
    };
    EthersRootChain::new(config, &deployment, Some(key())).unwrap()
}

/// Answers what every test needs: the chain, the parts of the deployment, a newest block.
fn usual(method: &str, _params: &Value) -> Option<Reply> {
    let word = |address: Address| json!(format!("0x{:0>64}", const_hex::encode(address)));
    Some(Reply::result(match method {
        "eth_chainId" => json!("0x5"),
        "eth_blockNumber" => json!("0x3e8"),
        // All parts of the deployment and the authority are one address, which is all these tests need.
        "eth_call" => word(key().address()),
        _ => return None,
    }))
}

async fn height_of(replies: Vec<Reply>) -> (Result<EthHeight, RootChainError>, usize) {
    let node = ScriptedNode::start(replies, |_, _| None).await;
    let height = root_chain(&node).eth_height().await;
    (height, node.calls())
}

#[tokio::test]
async fn answers_that_make_no_sense_are_transient_errors_after_the_last_attempt() {
    for (reply, code) in [
        (Reply::body(200, "basic auth failure"), "malformed_answer"),
        (Reply::body(200, ""), "malformed_answer"),
        (Reply::body(200, "{}"), "malformed_answer"),
        (Reply::body(200, "[]"), "malformed_answer"),
        (Reply::body(200, r#"{"jsonrpc":"2.0","id":1}"#), "malformed_answer"),
        (Reply::body(200, r#"{"jsonrpc":"2.0","id":999,"result":"0x1"}"#), "malformed_answer"),
        (Reply::result(json!(null)), "malformed_answer"),
        (Reply::result(json!("one")), "malformed_answer"),
        (Reply::result(json!("0x1ffffffffffffffffff")), "malformed_answer"),
        (Reply::body(500, "oops"), "http_status"),
        (Reply::body(401, "who are you"), "http_status"),
        (Reply::body(302, ""), "http_status"),
        (Reply::body(429, ""), "rate_limited"),
        (Reply::error(-32000, "header not found"), "node_trouble"),
        (
            Reply::error(-32005, "daily request count exceeded, request rate limited"),
            "rate_limited",
        ),
        (Reply::Silence, "timeout"),
        (Reply::HangUp, "unreachable"),
    ] {
        let shown = format!("{reply:?}");
        let (height, calls) = height_of(vec![reply; 9]).await;
        let error = height.unwrap_err();
        assert_eq!(error.cause().code(), code, "{shown}: {error}");
        assert_eq!(error.kind(), ErrorKind::Transient, "{shown}");
        assert_eq!(error.method(), "eth_blockNumber");
        assert_eq!(calls, 3, "{shown}");
    }
}

#[tokio::test]
async fn errors_that_stay_are_not_retried() {
    let huge = Reply::result(json!("0x".to_owned() + &"0".repeat(30_000)));
    for (reply, code) in [
        (Reply::error(-32601, "no such method"), "refused"),
        (Reply::error(3, "execution reverted"), "reverted"),
        (huge, "answer_too_large"),
    ] {
        let (height, calls) = height_of(vec![reply; 9]).await;
        let error = height.unwrap_err();
        assert_eq!(error.cause().code(), code, "{error}");
        assert_eq!(error.kind(), ErrorKind::Permanent);
        assert_eq!(calls, 1, "{code}");
    }
}

#[tokio::test]
async fn trouble_that_passes_is_not_noticed() {
    let (height, calls) =
        height_of(vec![Reply::body(503, "later"), Reply::HangUp, Reply::result(json!("0x10"))])
            .await;
    assert_eq!(height.unwrap(), EthHeight::new(16));
    assert_eq!(calls, 3);
}

#[tokio::test]
async fn nobody_listening_is_said_without_the_secrets_of_the_url() {
    let mut config = EthConfig::new("http://user:hunter2@127.0.0.1:1/key-7".parse().unwrap());
    config.retry = RetryPolicy::NEVER;
    let node = ScriptedNode::start(vec![], |_, _| None).await;
    let deployment = Deployment::from_json(&serde_json::to_string(&json!({
        "plasma_framework_tx_hash": H256::zero(), "plasma_framework": FRAMEWORK, "eth_vault": VAULT,
        "erc20_vault": VAULT, "payment_exit_game": VAULT, "authority_address": VAULT, "chain_id": 5,
        "eth_height": 0, "min_exit_period_s": 1, "contract_semver": "",
    })).unwrap()).unwrap();
    drop(node);
    let chain = EthersRootChain::new(config, &deployment, None).unwrap();
    let error = chain.eth_height().await.unwrap_err().to_string();
    assert!(error.contains("http://127.0.0.1:1"), "{error}");
    assert!(!error.contains("hunter2") && !error.contains("key-7"), "{error}");
}

#[tokio::test]
async fn ranges_a_node_finds_too_large_are_halved_until_it_answers() {
    let node = ScriptedNode::start(vec![], |method, params| {
        if method != "eth_getLogs" {
            return usual(method, params);
        }
        let bound = |key: &str| {
            let hex = params[0][key].as_str().unwrap().trim_start_matches("0x").to_owned();
            u64::from_str_radix(&hex, 16).unwrap()
        };
        Some(if bound("toBlock") - bound("fromBlock") >= 30 {
            Reply::error(-32005, "query returned more than 10000 results")
        } else {
            Reply::result(json!([]))
        })
    })
    .await;
    let chain = root_chain(&node);
    let (from, to) = (EthHeight::new(1), EthHeight::new(200));
    let kinds = [EventKind::BlockSubmitted];
    assert_eq!(chain.events(&kinds, from, to).await.unwrap(), []);
    let ranges = node.log_ranges();
    // Refused at 100 and 50, and then without a gap.
    assert_eq!(ranges[..3], [(1, 100), (1, 50), (1, 25)]);
    let taken = &ranges[2..];
    assert!(taken.windows(2).all(|pair| pair[1].0 == pair[0].1 + 1), "{ranges:?}");
    assert_eq!(taken.last().unwrap().1, 200);
}

#[tokio::test]
async fn a_single_block_the_node_will_not_list_is_a_permanent_error() {
    let node = ScriptedNode::start(vec![], |method, params| match method {
        "eth_getLogs" => Some(Reply::error(-32005, "query returned more than 10000 results")),
        _ => usual(method, params),
    })
    .await;
    let chain = root_chain(&node);
    let kinds = [EventKind::BlockSubmitted];
    let range = (EthHeight::new(1), EthHeight::new(4));
    let error = chain.events(&kinds, range.0, range.1).await.unwrap_err();
    assert_eq!(error.cause().code(), "too_many_events", "{error}");
    assert!(error.to_string().contains("blocks 1 to 1"), "{error}");
}

/// A log of `BlockSubmitted(1000)` in block 10.
fn log() -> Value {
    json!({
        "address": FRAMEWORK,
        "topics": ["0x5a978f4723b249ccf79cd7a658a8601ce1ff8b89fc770251a6be35216351ce32"],
        "data": format!("0x{:064x}", 1000),
        "blockNumber": "0xa",
        "blockHash": H256::repeat_byte(10),
        "transactionHash": H256::repeat_byte(11),
        "transactionIndex": "0x0",
        "logIndex": "0x2",
        "removed": false,
    })
}

#[tokio::test]
async fn logs_are_taken_skipped_or_refused() {
    let with = |key: &str, value: Value| {
        let mut log = log();
        log[key] = value;
        log
    };
    let other_topic = json!([H256::repeat_byte(9)]);
    let second = with("logIndex", json!("0x1"));
    for (logs, expected) in [
        (json!([]), Ok(0)),
        (json!([log()]), Ok(1)),
        (json!([log(), log()]), Ok(1)),
        (json!([log(), second]), Ok(2)),
        (json!([with("address", json!(VAULT))]), Ok(0)),
        (json!([with("topics", other_topic)]), Ok(0)),
        (json!([with("topics", json!([]))]), Ok(0)),
        (json!([with("removed", json!(true))]), Err("history_changed")),
        (json!([with("blockNumber", json!(null))]), Err("malformed_answer")),
        (json!([with("blockHash", json!(null))]), Err("malformed_answer")),
        (json!([with("logIndex", json!("0x1ffffffff"))]), Err("malformed_answer")),
        (json!([with("blockNumber", json!("0x65"))]), Err("malformed_answer")),
        (json!([with("data", json!("0x"))]), Err("malformed_answer")),
        (json!([with("data", json!(format!("0x{}", "f".repeat(64))))]), Err("malformed_answer")),
        (json!([with("data", json!(format!("0x{:064x}00", 1000)))]), Err("malformed_answer")),
        (json!([log(), with("blockHash", json!(H256::zero()))]), Err("history_changed")),
        (json!([log(), with("transactionHash", json!(H256::zero()))]), Err("malformed_answer")),
        (json!({}), Err("malformed_answer")),
    ] {
        let shown = logs.to_string();
        let node = ScriptedNode::start(vec![], move |method, params| match method {
            "eth_getLogs" => Some(Reply::result(logs.clone())),
            _ => usual(method, params),
        })
        .await;
        let kinds = [EventKind::BlockSubmitted];
        let range = (EthHeight::new(1), EthHeight::new(100));
        let events = root_chain(&node).events(&kinds, range.0, range.1).await;
        let found = events.map(|events| events.len()).map_err(|error| {
            assert_eq!(error.kind(), ErrorKind::Transient, "{error}");
            error.cause().code()
        });
        assert_eq!(found, expected, "{shown}");
    }
}

#[tokio::test]
async fn a_submission_whose_answer_is_lost_is_made_once() {
    let replies = |method: &str, params: &Value| match method {
        "eth_sendRawTransaction" => Some(Reply::error(-32000, "already known")),
        _ => usual(method, params),
    };
    // The first four calls look the deployment up; the send gets lost once.
    let node =
        ScriptedNode::start_with(replies, &[("eth_sendRawTransaction", Reply::HangUp)]).await;
    let fees = GasFees { max_fee_per_gas_wei: 2, max_priority_fee_per_gas_wei: 1 };
    let chain = root_chain(&node);
    let outcome = chain.submit_block(H256::repeat_byte(3), 4, fees).await.unwrap();
    assert!(matches!(outcome, SubmitOutcome::AlreadyKnown { .. }), "{outcome}");
    let sent = node.params_of("eth_sendRawTransaction");
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0], sent[1]);
}

#[tokio::test]
async fn a_node_that_renames_a_transaction_is_not_believed() {
    let node = ScriptedNode::start(vec![], |method, params| match method {
        "eth_sendRawTransaction" => Some(Reply::result(json!(H256::repeat_byte(9)))),
        _ => usual(method, params),
    })
    .await;
    let fees = GasFees { max_fee_per_gas_wei: 2, max_priority_fee_per_gas_wei: 1 };
    let error = root_chain(&node).submit_block(H256::zero(), 4, fees).await.unwrap_err();
    assert_eq!(error.cause().code(), "malformed_answer", "{error}");
}
