//! The client that follows topics: through restarts of the server, and what it refuses.

use super::fake_log::FakeLog;
use super::{Teller, teller, teller_at};
use crate::nodes;
use crate::raw::soon;
use plasma_core::journal::Topic;
use plasma_rpc::event_client::{
    EventClient, EventClientConfig, EventClientError, Heard, Interruption,
};
use plasma_rpc::server::Limits;
use plasma_rpc::subscription::{Start, TopicName};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

fn config(addr: SocketAddr) -> EventClientConfig {
    let topics = vec![TopicName(Topic::Blocks), TopicName(Topic::Exits)];
    EventClientConfig {
        pause_min: Duration::from_millis(1),
        pause_max: Duration::from_millis(20),
        ..EventClientConfig::new(format!("http://{addr}/"), topics)
    }
}

async fn next(client: &mut EventClient) -> (TopicName, u64) {
    loop {
        if let Heard::Event(event) = soon(client.next()).await.unwrap() {
            return (event.topic, event.sequence);
        }
    }
}

/// Passes bytes on, and breaks each connection off when it has passed so many.
async fn flaky_way_to(teller: &Teller, len_max: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (addr, target) = (listener.local_addr().unwrap(), teller.addr);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass_on(client, target, len_max));
        }
    });
    addr
}

async fn pass_on(mut client: TcpStream, target: SocketAddr, len_max: u64) {
    let mut server = TcpStream::connect(target).await.unwrap();
    let (mut ask, mut hear) = client.split();
    let (answers, mut asked) = server.split();
    let mut answers = answers.take(len_max);
    tokio::select! {
        _ = tokio::io::copy(&mut answers, &mut hear) => {}
        _ = tokio::io::copy(&mut ask, &mut asked) => {}
    }
    let _ = hear.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missed_on_a_connection_that_breaks_again_and_again() {
    let teller = teller().await;
    let addr = flaky_way_to(&teller, 3_000).await;
    let from = Start::Sequence(1);
    let mut client = EventClient::new(EventClientConfig { from, ..config(addr) }).unwrap();
    teller.log.append_blocks(100);
    for sequence in 1..=100 {
        assert_eq!(next(&mut client).await, (TopicName(Topic::Blocks), sequence));
    }
    teller.log.append(Topic::Exits, "{}", 100);
    for sequence in 1..=100 {
        assert_eq!(next(&mut client).await, (TopicName(Topic::Exits), sequence));
    }
    assert_eq!(client.place().to_string(), "blocks:100,exits:100");
    // Another process goes on from there.
    let place = client.place();
    teller.log.append_blocks(1);
    let mut client = EventClient::new(EventClientConfig { place, ..config(addr) }).unwrap();
    assert_eq!(next(&mut client).await, (TopicName(Topic::Blocks), 101));
}

#[tokio::test]
async fn a_client_waits_for_a_server_that_is_not_there_and_finds_it_when_it_is() {
    // Bound and not listening: the port is ours, and connections are refused.
    let reserved = TcpSocket::new_v4().unwrap();
    reserved.set_reuseaddr(true).unwrap();
    reserved.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = reserved.local_addr().unwrap();
    let from = Start::Sequence(1);
    let mut client = EventClient::new(EventClientConfig { from, ..config(addr) }).unwrap();
    let mut pauses = Vec::new();
    for _ in 0..7 {
        pauses.push(interruption(&mut client).await.pause.as_millis());
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 20, 20]);
    drop(reserved);
    let log = Arc::new(FakeLog::default());
    log.append_blocks(1);
    let teller = teller_at(addr, log, Limits::default()).await;
    assert_eq!(next(&mut client).await, (TopicName(Topic::Blocks), 1));
    // It hears that the server stops, and begins with a short pause again.
    let (lost, ()) = tokio::join!(interruption(&mut client), teller.server.stop());
    assert!(lost.reason.contains("subscription:server_stops"), "{}", lost.reason);
    assert_eq!(lost.pause.as_millis(), 1);
}

async fn interruption(client: &mut EventClient) -> Interruption {
    match soon(client.next()).await.unwrap() {
        Heard::Interrupted(interruption) => interruption,
        Heard::Event(event) => panic!("nobody is there, but {}", event.id),
    }
}

#[tokio::test]
async fn a_client_tries_again_what_a_proxy_may_grant_later() {
    for (status, is_lost) in [
        ("408 Request Timeout", true),
        ("425 Too Early", true),
        ("429 Too Many Requests", true),
        ("502 Bad Gateway", true),
        ("200 OK", false),
        ("302 Found", false),
        ("403 Forbidden", false),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = EventClient::new(config(listener.local_addr().unwrap())).unwrap();
        let proxy = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let page = "<html>no</html>";
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
                page.len()
            );
            assert_ne!(stream.read(&mut [0; 4_096]).await.unwrap(), 0);
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        let (heard, ()) = tokio::join!(soon(client.next()), proxy);
        match heard {
            Ok(Heard::Interrupted(_)) => assert!(is_lost, "{status}"),
            Err(EventClientError::Malformed { .. }) => assert!(!is_lost, "{status}"),
            heard => panic!("{status}: {heard:?}"),
        }
    }
}

#[tokio::test]
async fn a_client_does_not_go_on_when_the_server_says_no() {
    let teller = teller().await;
    let from = Start::Sequence(7);
    let mut client = EventClient::new(EventClientConfig { from, ..config(teller.addr) }).unwrap();
    let error = soon(client.next()).await.unwrap_err();
    assert!(
        matches!(&error, EventClientError::Refused(body) if body.code == "subscription:from_beyond_head"),
        "{error}"
    );
    let node = nodes::child_chain().await;
    let mut client = EventClient::new(config(node.addr)).unwrap();
    let error = soon(client.next()).await.unwrap_err();
    assert!(
        matches!(&error, EventClientError::Refused(body) if body.code == "operation:not_found")
    );
    for url in ["ftp://localhost", "nonsense", ""] {
        let topics = vec![TopicName(Topic::Blocks)];
        assert!(EventClient::new(EventClientConfig::new(url, topics)).is_err(), "{url}");
    }
}
