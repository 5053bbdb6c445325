//! JSON-RPC over a WebSocket: the round trip, and what a rude peer gets.

use crate::nodes::{self, Node};
use crate::raw;
use futures::io::{BufReader, BufWriter};
use plasma_rpc::server::Limits;
use soketto::handshake::{Client, ServerResponse};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

type Io = BufReader<BufWriter<Compat<TcpStream>>>;

pub(crate) struct Socket {
    sender: soketto::Sender<Io>,
    receiver: soketto::Receiver<Io>,
}

impl Socket {
    async fn open(node: &Node) -> Self {
        Self::open_at(node.addr).await
    }

    pub(crate) async fn open_at(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap().compat();
        let mut client = Client::new(BufReader::new(BufWriter::new(stream)), "test", "/");
        let response = client.handshake().await.unwrap();
        assert!(matches!(response, ServerResponse::Accepted { .. }), "{response:?}");
        let (sender, receiver) = client.into_builder().finish();
        Self { sender, receiver }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.sender.send_text(text).await.unwrap();
        self.sender.flush().await.unwrap();
    }

    pub(crate) async fn receive(&mut self) -> Option<String> {
        let mut text = Vec::new();
        raw::soon(self.receiver.receive_data(&mut text)).await.ok()?;
        Some(String::from_utf8(text).unwrap())
    }

    pub(crate) async fn check(&mut self, request: &str, answer: &str) {
        self.send(request).await;
        assert_eq!(self.receive().await.as_deref(), Some(answer), "{request}");
    }
}

fn call(id: u32, method: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"}}"#)
}

fn result(id: u32, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

#[tokio::test]
async fn calls_batches_and_nonsense_are_answered_like_over_http() {
    let node = nodes::child_chain().await;
    let mut socket = Socket::open(&node).await;
    socket.check(&call(1, "alarm.get"), &result(1, "[]")).await;
    let hash = format!("0x{}", "11".repeat(32));
    socket
        .check(
            &format!(r#"{{"jsonrpc":"2.0","id":"x","method":"block.get","params":["{hash}"]}}"#),
            &format!(r#"{{"jsonrpc":"2.0","id":"x","result":{{"blknum":1000,"hash":"{hash}","transactions":["0xf801","0xabcdef"]}}}}"#),
        )
        .await;
    // A notification has no answer, so the next thing heard is the answer of the call after it.
    socket.send(r#"{"jsonrpc":"2.0","method":"test.mark"}"#).await;
    let batch = format!("[{},{}]", call(2, "alarm.get"), call(3, "test.mark"));
    socket.check(&batch, &format!("[{},{}]", result(2, "[]"), result(3, "1"))).await;
    for nonsense in ["", "{", "7 7", "\u{0}"] {
        socket.send(nonsense).await;
        let answer = socket.receive().await.unwrap();
        assert!(answer.contains("-32700"), "{answer}");
    }
    socket.sender.send_binary(b"\xff\xfe").await.unwrap();
    socket.sender.flush().await.unwrap();
    assert!(socket.receive().await.unwrap().contains("-32700"));
    socket.check(&call(4, "alarm.get"), &result(4, "[]")).await;
}

#[tokio::test]
async fn an_answer_does_not_wait_for_the_one_before_it() {
    let node = nodes::child_chain().await;
    let mut socket = Socket::open(&node).await;
    socket.send(&call(1, "test.wait")).await;
    socket.check(&call(2, "alarm.get"), &result(2, "[]")).await;
    node.context.released.add_permits(1);
    assert_eq!(socket.receive().await, Some(result(1, "1")));
}

#[tokio::test]
async fn an_answer_that_nobody_reads_does_not_hold_up_the_call_after_it() {
    let node = nodes::child_chain().await;
    let mut socket = Socket::open(&node).await;
    let long = r#"{"jsonrpc":"2.0","id":1,"method":"test.long","params":[50000000]}"#;
    socket.send(long).await;
    socket.send(&call(2, "test.mark")).await;
    let marked = async {
        while !node.context.marked.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
    };
    raw::soon(marked).await;
    assert!(socket.receive().await.unwrap().len() > 50_000_000);
    assert_eq!(socket.receive().await, Some(result(2, "1")));
}

#[tokio::test]
async fn a_socket_is_not_read_while_its_calls_take_all_its_room() {
    let node =
        nodes::child_chain_with(Limits { websocket_in_flight_max: 2, ..Limits::default() }).await;
    let mut socket = Socket::open(&node).await;
    for id in [1, 2] {
        socket.send(&call(id, "test.wait")).await;
    }
    node.context.waiting.acquire_many(2).await.unwrap().forget();
    socket.send(&call(3, "test.mark")).await;
    // Another connection is served all the while, and long enough for the third call to run if it were going to.
    for _ in 0..20 {
        assert_eq!(raw::get(node.addr, "/alarm.get").await.status, 200);
    }
    assert!(!node.context.marked.load(Ordering::Relaxed));
    node.context.released.add_permits(2);
    let answers: Vec<_> = [socket.receive().await, socket.receive().await, socket.receive().await]
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(answers[2], result(3, "1"));
    assert!(node.context.marked.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_peer_that_floods_and_does_not_read_loses_its_socket() {
    let node = nodes::child_chain_with(Limits {
        transfer_grace: Duration::from_millis(50),
        transfer_bytes_per_s_min: 1_000_000_000,
        ..Limits::default()
    })
    .await;
    let mut socket = Socket::open(&node).await;
    let flood = async {
        for sent in 0..10_000_000 {
            let outcome = socket.sender.send_text("x").await;
            if outcome.and(socket.sender.flush().await).is_err() {
                return sent;
            }
        }
        panic!("the server takes everything and never minds");
    };
    // What it took is what fits into the buffers of the system as answers, and no more.
    assert!(raw::soon(flood).await < 1_000_000);
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_and_ends_the_socket() {
    let node =
        nodes::child_chain_with(Limits { websocket_message_len_max: 1_000, ..Limits::default() })
            .await;
    let mut socket = Socket::open(&node).await;
    socket.check(&call(1, "alarm.get"), &result(1, "[]")).await;
    socket.send(&"x".repeat(1_001)).await;
    let answer = socket.receive().await.unwrap();
    assert!(answer.contains("operation:request_too_large"), "{answer}");
    assert_eq!(socket.receive().await, None);
}

#[tokio::test]
async fn a_websocket_too_many_is_refused() {
    let node = nodes::child_chain_with(Limits { websockets_max: 1, ..Limits::default() }).await;
    let mut socket = Socket::open(&node).await;
    let upgrade = "GET / HTTP/1.1\r\nhost: test\r\nupgrade: websocket\r\nconnection: upgrade, close\r\n\
                   sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let answer = raw::exchange(node.addr, upgrade.as_bytes()).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("operation:overloaded"), "{answer:?}");
    socket.check(&call(1, "alarm.get"), &result(1, "[]")).await;
}

#[tokio::test]
async fn sockets_beyond_the_first_take_short_messages_only() {
    let limits = Limits { websockets_of_long_messages_max: 1, ..Limits::default() };
    let node = nodes::child_chain_with(limits).await;
    let mut first = Socket::open(&node).await;
    let mut second = Socket::open(&node).await;
    let padded = |len: usize| format!("{}{}", call(1, "alarm.get"), " ".repeat(len));
    first.check(&padded(1_000_000), &result(1, "[]")).await;
    second.check(&padded(60_000), &result(1, "[]")).await;
    second.send(&padded(70_000)).await;
    let answer = second.receive().await.unwrap();
    assert!(answer.contains("operation:request_too_large"), "{answer}");
}

#[tokio::test]
async fn a_handshake_without_its_key_is_malformed() {
    let node = nodes::child_chain().await;
    let upgrade =
        "GET / HTTP/1.1\r\nhost: test\r\nupgrade: websocket\r\nconnection: upgrade, close\r\n\r\n";
    let answer = raw::exchange(node.addr, upgrade.as_bytes()).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn a_peer_that_never_answers_a_ping_loses_its_socket() {
    let node = nodes::child_chain_with(Limits {
        websocket_ping_interval: Duration::from_millis(20),
        ..Limits::default()
    })
    .await;
    let mut stream = TcpStream::connect(node.addr).await.unwrap();
    let upgrade = "GET / HTTP/1.1\r\nhost: test\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                   sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).await.unwrap();
    // Ends only because the server closes.
    assert!(raw::until_closed(&mut stream).await.starts_with(b"HTTP/1.1 101 "));
}

#[tokio::test]
async fn a_call_of_a_websocket_is_answered_before_the_server_stops() {
    let node = nodes::child_chain().await;
    let mut socket = Socket::open(&node).await;
    socket.send(&call(1, "test.wait")).await;
    node.context.waiting.acquire().await.unwrap().forget();
    let stop = tokio::spawn(node.server.stop());
    node.context.released.add_permits(1);
    assert_eq!(socket.receive().await, Some(result(1, "1")));
    assert_eq!(socket.receive().await, None);
    stop.await.unwrap();
}
