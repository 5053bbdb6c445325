//! Every limit of a server, and what a client hears that runs into it.

use crate::nodes::{self, Node};
use crate::raw::{self, Answer, soon};
use plasma_core::wire::{
    Address, H256, InputPointer, Output, PaymentTx, Signature, Transaction, U256,
};
use plasma_rpc::child_chain::{
    BATCH_SUBMIT_TRANSACTIONS_MAX, BLOCK_TRANSACTIONS_MAX, SIGNED_TX_LEN_MAX,
};
use plasma_rpc::json::hex;
use plasma_rpc::server::{Limits, MethodTable, Probes, Server, StartError};
use plasma_rpc::{Service, child_chain};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

fn assert_code(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.body.contains(&format!(r#""code":"{code}""#)), "{answer:?}");
}

/// A signed transaction as long as they get.
fn longest_transaction() -> Vec<u8> {
    let input = |index: u8| InputPointer::from_bytes([index; 32]);
    let address = Address::repeat_byte(0xff);
    Transaction::Payment(PaymentTx {
        inputs: (1..=4).map(input).collect(),
        outputs: (0..4).map(|_| Output::payment(address, address, U256::MAX)).collect(),
        metadata: H256::repeat_byte(0xff),
    })
    .encode_signed(&[Signature::from_bytes([0xff; 65]); 4])
}

/// `["0x…",…]` with so many of the longest transactions.
fn transactions(count: usize) -> String {
    let item = format!("\"{}\"", hex::encode(longest_transaction()));
    format!("[{}]", vec![item; count].join(","))
}

#[test]
fn the_longest_transaction_is_as_long_as_the_body_limits_assume() {
    assert_eq!(longest_transaction().len(), SIGNED_TX_LEN_MAX);
}

#[tokio::test]
async fn a_batch_of_the_longest_transactions_fits_and_one_more_is_refused() {
    let node = nodes::child_chain().await;
    let body = format!("{{\"transactions\":{}}}", transactions(BATCH_SUBMIT_TRANSACTIONS_MAX));
    let answer = raw::post(node.addr, "/transaction.batch_submit", body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body.matches("utxo_not_found").count(), BATCH_SUBMIT_TRANSACTIONS_MAX);
    let short = vec!["\"0x\""; BATCH_SUBMIT_TRANSACTIONS_MAX + 1].join(",");
    let body = format!("{{\"transactions\":[{short}]}}");
    let answer = raw::post(node.addr, "/transaction.batch_submit", body).await;
    assert_code(&answer, 200, "operation:bad_request");
    assert!(answer.body.contains(r#""validator":"{:max_length, 10000}""#), "{}", answer.body);
}

#[tokio::test]
async fn a_full_block_of_the_longest_transactions_can_be_validated() {
    let node = nodes::watcher().await;
    let hash = hex::encode(H256::zero());
    let list = transactions(BLOCK_TRANSACTIONS_MAX);
    let body = format!("{{\"hash\":\"{hash}\",\"transactions\":{list},\"number\":1000}}");
    let answer = raw::post(node.addr, "/block.validate", body).await;
    assert!(answer.body.contains(r#""data":{"valid":true}"#), "{answer:?}");
    let list = vec!["\"0x\""; 2 * BLOCK_TRANSACTIONS_MAX].join(",");
    let body = format!("{{\"hash\":\"{hash}\",\"transactions\":[{list}],\"number\":1000}}");
    let answer = raw::post(node.addr, "/block.validate", body).await;
    assert!(answer.body.contains(r#""data":{"valid":false}"#), "{answer:?}");
}

#[tokio::test]
async fn a_body_over_the_limit_of_its_method_is_refused_before_it_is_read() {
    let node = nodes::child_chain().await;
    for path in ["/block.get", "/transaction.submit", "/"] {
        let announced = format!(
            "POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: 200000000\r\n\r\n{{"
        );
        let answer = raw::exchange(node.addr, announced.as_bytes()).await;
        assert_code(&answer, 413, "operation:request_too_large");
    }
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let chunked = format!(
        "POST /block.get HTTP/1.1\r\nhost: test\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n"
    );
    let answer = raw::exchange(node.addr, chunked.as_bytes()).await;
    assert_code(&answer, 413, "operation:request_too_large");
}

/// Begins `test.wait` and hands back the connection once the call runs.
async fn begin_wait(node: &Node) -> TcpStream {
    let mut stream = TcpStream::connect(node.addr).await.unwrap();
    stream.write_all(&raw::request("POST /test.wait", &[], b"")).await.unwrap();
    node.context.waiting.acquire().await.unwrap().forget();
    stream
}

#[tokio::test]
async fn a_call_too_many_is_refused_undone_and_succeeds_later() {
    let node = nodes::child_chain_with(Limits { in_flight_max: 2, ..Limits::default() }).await;
    let mut running = [begin_wait(&node).await, begin_wait(&node).await];
    let answer = raw::post(node.addr, "/test.mark", "").await;
    assert_code(&answer, 200, "operation:overloaded");
    assert_eq!(answer.header("retry-after"), Some("1"));
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"test.mark"}"#;
    let answer = raw::post(node.addr, "/", call).await;
    assert_code(&answer, 200, "operation:overloaded");
    assert!(!node.context.marked.load(Ordering::Relaxed));
    node.context.released.add_permits(2);
    for stream in &mut running {
        assert!(raw::read_all(stream).await.body.contains(r#""success":true"#));
    }
    let answer = raw::post(node.addr, "/test.mark", "").await;
    assert!(answer.body.contains(r#""success":true"#), "{answer:?}");
}

#[tokio::test]
async fn a_method_at_its_own_limit_leaves_the_others_alone() {
    let node = nodes::child_chain().await;
    let mut running = Vec::new();
    for _ in 0..nodes::WAIT.spec.in_flight_max {
        running.push(begin_wait(&node).await);
    }
    assert_code(&raw::post(node.addr, "/test.wait", "").await, 200, "operation:overloaded");
    let answer = raw::post(node.addr, "/test.mark", "").await;
    assert!(answer.body.contains(r#""success":true"#), "{answer:?}");
}

#[tokio::test]
async fn a_caller_that_goes_away_makes_room() {
    let node = nodes::child_chain_with(Limits { in_flight_max: 1, ..Limits::default() }).await;
    drop(begin_wait(&node).await);
    let served = async {
        let is_done = |answer: Answer| answer.body.contains(r#""success":true"#);
        while !is_done(raw::post(node.addr, "/test.mark", "").await) {}
    };
    soon(served).await;
}

#[tokio::test]
async fn a_connection_too_many_hears_why_and_gets_in_when_another_one_closes() {
    let node = nodes::child_chain_with(Limits { connections_max: 1, ..Limits::default() }).await;
    let first = begin_wait(&node).await;
    let mut refused = TcpStream::connect(node.addr).await.unwrap();
    let answer = raw::read_all(&mut refused).await;
    assert_code(&answer, 503, "operation:overloaded");
    assert_eq!(answer.header("retry-after"), Some("1"));
    drop(first);
    soon(async { while get_status(&node).await != Some(200) {} }).await;
}

/// The status of a harmless request; `None` when the connection breaks first.
async fn get_status(node: &Node) -> Option<u16> {
    let mut stream = TcpStream::connect(node.addr).await.ok()?;
    stream.write_all(&raw::request("GET /alarm.get", &[], b"")).await.ok()?;
    String::from_utf8(raw::until_closed(&mut stream).await).ok()?.get(9..12)?.parse().ok()
}

#[tokio::test]
async fn bodies_share_a_limited_memory_and_short_ones_always_fit() {
    let node =
        nodes::child_chain_with(Limits { memory_len_max: 100_000, ..Limits::default() }).await;
    let long = format!("{{\"transactions\":{}}}", transactions(1_000));
    let answer = raw::post(node.addr, "/transaction.batch_submit", &long).await;
    assert_code(&answer, 200, "operation:overloaded");
    let answer = raw::post(node.addr, "/", &long).await;
    assert_code(&answer, 200, "operation:overloaded");
    let short = format!("{{\"transactions\":{}}}", transactions(10));
    let answer = raw::post(node.addr, "/transaction.batch_submit", &short).await;
    assert!(answer.body.contains(r#""success":true"#), "{answer:?}");
}

#[tokio::test]
async fn an_answer_over_the_limit_is_refused() {
    let node = nodes::child_chain_with(Limits { answer_len_max: 1_000, ..Limits::default() }).await;
    let answer = raw::post(node.addr, "/test.long", r#"{"len": 999}"#).await;
    assert_code(&answer, 200, "operation:response_too_large");
    let call =
        |id: u32| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"test.long","params":[600]}}"#);
    let batch = format!("[{},{},{}]", call(1), call(2), call(3));
    let answer = raw::post(node.addr, "/", batch).await;
    assert_eq!(answer.body.matches("\"result\"").count(), 2, "{answer:?}");
    assert_code(&answer, 200, "operation:response_too_large");
}

#[tokio::test]
async fn an_answer_for_which_there_is_no_memory_is_refused() {
    let node =
        nodes::child_chain_with(Limits { memory_len_max: 1_000_000, ..Limits::default() }).await;
    let answer = raw::post(node.addr, "/test.long", r#"{"len": 3000000}"#).await;
    assert_code(&answer, 200, "operation:overloaded");
    // Up to two megabytes an answer is owed, so that no accepted transaction goes without one.
    let answer = raw::post(node.addr, "/test.long", r#"{"len": 2000000}"#).await;
    assert!(answer.body.contains(r#""success":true"#));
}

#[tokio::test]
async fn a_batch_over_the_limit_is_refused_undone() {
    let node = nodes::child_chain().await;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"test.mark"}"#;
    let batch = |len: usize| format!("[{}]", vec![call; len].join(","));
    let answer = raw::post(node.addr, "/", batch(101)).await;
    assert_code(&answer, 200, "operation:batch_too_long");
    assert!(!node.context.marked.load(Ordering::Relaxed));
    let answer = raw::post(node.addr, "/", batch(100)).await;
    assert_eq!(answer.body.matches("\"result\":1").count(), 100);
}

/// Sends bytes, and waits until the server closes the connection.
async fn talk(node: &Node, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(node.addr).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    String::from_utf8(raw::until_closed(&mut stream).await).unwrap()
}

#[tokio::test]
async fn whoever_is_slow_to_ask_loses_the_connection() {
    let node = nodes::child_chain_with(Limits {
        header_read_timeout: Duration::from_millis(300),
        transfer_grace: Duration::from_millis(50),
        ..Limits::default()
    })
    .await;
    assert_eq!(talk(&node, b"").await, "");
    assert_eq!(talk(&node, b"POST /block.get HTTP/1.1\r\nhost: te").await, "");
    let idle = talk(&node, b"GET /alarm.get HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert!(idle.starts_with("HTTP/1.1 200 OK\r\n"), "{idle}");
    let body = b"POST /block.get HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\n{";
    let slow = talk(&node, body).await;
    assert!(slow.starts_with("HTTP/1.1 408 "), "{slow}");
    assert!(slow.contains("operation:request_timeout"), "{slow}");
}

#[tokio::test]
async fn whoever_is_slow_to_read_loses_the_connection() {
    let node = nodes::child_chain_with(Limits {
        connections_max: 1,
        transfer_grace: Duration::from_millis(50),
        transfer_bytes_per_s_min: 1_000_000_000,
        ..Limits::default()
    })
    .await;
    let mut stream = TcpStream::connect(node.addr).await.unwrap();
    let ask = raw::request("POST /test.long", &[], br#"{"len": 100000000}"#);
    stream.write_all(&ask).await.unwrap();
    // Nothing of the answer is read, and still the only connection there may be becomes free.
    soon(async { while get_status(&node).await != Some(200) {} }).await;
    assert!(raw::until_closed(&mut stream).await.len() < 100_000_000);
}

#[tokio::test]
async fn a_probe_that_panics_is_answered_too() {
    let probes = Probes {
        alarms: Arc::new(|| panic!("the node is gone")),
        metrics: Arc::new(|| panic!("the node is gone")),
    };
    let table = MethodTable::new(Service::ChildChain, Arc::new(()));
    let server = Server::start(nodes::config(Limits::default()), table, probes).await.unwrap();
    for path in ["/health", "/metrics", "/alarm.get"] {
        let answer = raw::get(server.local_addr(), path).await;
        assert_code(&answer, 500, "server:internal_server_error");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let node = nodes::child_chain().await;
    let keep = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
    let bytes = [
        keep("/alarm.get").into_bytes(),
        keep("/configuration.get").into_bytes(),
        raw::request("GET /nope", &[], b""),
    ]
    .concat();
    let text = talk(&node, &bytes).await;
    let order = ["\"data\":[]", "deposit_finality_margin", "operation:not_found"];
    let places: Vec<_> = order.iter().map(|part| text.find(part).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
}

fn probes() -> Probes {
    Probes { alarms: Arc::new(Vec::new), metrics: Arc::new(String::new) }
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let node = nodes::child_chain().await;
    let mut config = nodes::config(Limits::default());
    config.listen = node.addr;
    let table = || MethodTable::new(Service::ChildChain, Arc::new(()));
    let error = Server::start(config.clone(), table(), probes()).await.unwrap_err();
    let port = node.addr.port();
    assert_eq!(
        error.to_string(),
        format!("port {port} is in use: another process listens on 127.0.0.1:{port}")
    );
    let twice = table().on(&child_chain::ALARM_GET, |_, _| async { Ok(Vec::new()) });
    let error = Server::start(config, twice, probes()).await.unwrap_err();
    assert!(matches!(error, StartError::DuplicateMethod("alarm.get")), "{error}");
}

#[tokio::test]
async fn a_server_that_stops_answers_what_it_has_begun() {
    let node = nodes::child_chain().await;
    let mut running = begin_wait(&node).await;
    let stop = tokio::spawn(node.server.stop());
    soon(async { while TcpStream::connect(node.addr).await.is_ok() {} }).await;
    node.context.released.add_permits(1);
    assert!(raw::read_all(&mut running).await.body.contains(r#""success":true"#));
    stop.await.unwrap();
}

#[tokio::test]
async fn a_server_that_stops_does_not_wait_for_ever() {
    let node = nodes::child_chain_with(Limits {
        stop_grace: Duration::from_millis(20),
        ..Limits::default()
    })
    .await;
    let mut running = begin_wait(&node).await;
    node.server.stop().await;
    assert_eq!(raw::until_closed(&mut running).await, b"");
}

#[tokio::test]
async fn a_server_that_is_dropped_ends_its_connections() {
    let node = nodes::child_chain().await;
    let mut running = begin_wait(&node).await;
    drop(node.server);
    assert_eq!(raw::until_closed(&mut running).await, b"");
}
