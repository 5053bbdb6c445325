//! Subscribers who do not read: told, dropped, and nobody waits for them.

use super::{Socket, Subscriber, Teller, call, subscriber, teller_with};
use crate::raw::{soon, until_closed};
use plasma_core::journal::Topic;
use plasma_rpc::server::Limits;
use serde_json::Value;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Events that fill the buffers of any system.
const MANY: usize = 2_000;

fn fill(teller: &Teller) {
    let data = format!("\"{}\"", "x".repeat(20_000));
    teller.log.append(Topic::Blocks, &data, MANY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_not_read_is_told_and_dropped_while_others_go_on() {
    let teller = teller_with(Limits {
        subscription_stall_timeout: Duration::from_millis(200),
        transfer_grace: Duration::from_secs(60),
        ..Limits::default()
    })
    .await;
    let mut slow = subscriber(&teller, r#"["blocks"]"#).await;
    let mut fast = subscriber(&teller, r#"["blocks"]"#).await;
    fill(&teller);
    fast.expect(1..=MANY as u64).await;
    // Long enough for the server to lose its patience, and it keeps what it has begun.
    soon(teller.log.is_quiet_for(Duration::from_millis(500))).await;
    let told = after_events(&mut slow).await;
    assert_eq!(told.1["error"]["code"], "subscription:too_slow");
    assert_eq!(told.1["error"]["messages"]["next"], told.0 + 1);
    assert!(told.0 < MANY as u64);
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":[]}"#;
    slow.socket.check(&call("alarm.get", "[]"), answer).await;
    let rest = format!(r#"["blocks",{{"sequence":{}}}]"#, told.0 + 1);
    let mut again = subscriber(&teller, &rest).await;
    again.expect(told.0 + 1..=MANY as u64).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_does_not_read_keeps_nobody_else_from_the_log() {
    let patient = Duration::from_secs(3_600);
    let teller = teller_with(Limits {
        subscription_stall_timeout: patient,
        transfer_grace: patient,
        event_log_reads_max: 1,
        ..Limits::default()
    })
    .await;
    fill(&teller);
    let mut silent = Socket::open_at(teller.addr).await;
    let ask = vec![call("subscribe", r#"["blocks",{"sequence":1}]"#); 16].join(",");
    silent.send(&format!("[{ask}]")).await;
    soon(teller.log.is_quiet_for(Duration::from_millis(500))).await;
    let mut behind = subscriber(&teller, r#"["blocks",{"sequence":1}]"#).await;
    behind.expect(1..=100).await;
    let events = crate::raw::request("GET /events?topics=blocks&from=sequence:1", &[], b"");
    let mut stream = TcpStream::connect(teller.addr).await.unwrap();
    stream.write_all(&events).await.unwrap();
    soon(stream.readable()).await.unwrap();
    drop(silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_does_not_read_does_not_keep_the_server_from_stopping() {
    let patient = Duration::from_secs(3_600);
    let teller = teller_with(Limits {
        subscription_stall_timeout: patient,
        transfer_grace: patient,
        stop_grace: Duration::from_millis(200),
        ..Limits::default()
    })
    .await;
    let mut silent = subscriber(&teller, r#"["blocks"]"#).await;
    fill(&teller);
    soon(teller.log.is_quiet_for(Duration::from_millis(500))).await;
    soon(teller.server.stop()).await;
    // What was cut off in the middle is not followed by anything that could be taken for its rest.
    while let Some(text) = silent.socket.receive().await {
        let told: Value = serde_json::from_str(&text).unwrap();
        assert!(told["params"]["result"].is_object(), "{told}");
    }
}

/// Reads events from the first on, until something else comes: the last number, and what came.
async fn after_events(one: &mut Subscriber) -> (u64, Value) {
    let mut last = 0;
    loop {
        let told = one.next().await;
        match told["result"]["sequence"].as_u64() {
            Some(sequence) => {
                assert_eq!(sequence, last + 1);
                last = sequence;
            }
            None => return (last, told),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_never_reads_loses_the_connection() {
    let teller = teller_with(Limits {
        subscription_stall_timeout: Duration::from_millis(50),
        transfer_grace: Duration::from_millis(100),
        transfer_bytes_per_s_min: 1_000_000_000,
        websockets_max: 1,
        event_streams_max: 1,
        ..Limits::default()
    })
    .await;
    let silent = subscriber(&teller, r#"["blocks"]"#).await;
    let mut stream = TcpStream::connect(teller.addr).await.unwrap();
    stream.write_all(b"GET /events?topics=blocks HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    stream.readable().await.unwrap();
    fill(&teller);
    // The only place for a WebSocket becomes free, and so does the only one for a stream.
    soon(async { while TcpStream::connect(teller.addr).await.is_err() {} }).await;
    soon(async { while !is_free(&teller, "/", "upgrade").await {} }).await;
    soon(async { while !is_free(&teller, "/events?topics=exits", "close").await {} }).await;
    drop(silent);
    assert!(until_closed(&mut stream).await.len() < MANY * 20_000);
}

/// Whether there is room for one more.
async fn is_free(teller: &Teller, path: &str, connection: &str) -> bool {
    let mut stream = TcpStream::connect(teller.addr).await.unwrap();
    let ask = format!(
        "GET {path} HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: {connection}\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut start = [0; 512];
    let len = tokio::io::AsyncReadExt::read(&mut stream, &mut start).await.unwrap();
    let start = String::from_utf8_lossy(&start[..len]);
    start.starts_with("HTTP/1.1 101") || start.contains("text/event-stream")
}
