//! A WebSocket that asks, and listens to what it is told in between.

use futures::io::{BufReader, BufWriter};
use serde_json::Value;
use soketto::handshake::{Client, ServerResponse};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

type Io = BufReader<BufWriter<Compat<TcpStream>>>;

/// How long a message may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// A connection.
pub(super) struct Socket {
    sender: soketto::Sender<Io>,
    receiver: soketto::Receiver<Io>,
    /// What came while an answer was awaited.
    told: VecDeque<String>,
}

impl Socket {
    pub(super) async fn open(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap().compat();
        let mut client = Client::new(BufReader::new(BufWriter::new(stream)), "test", "/");
        let response = client.handshake().await.unwrap();
        assert!(matches!(response, ServerResponse::Accepted { .. }), "{response:?}");
        let (sender, receiver) = client.into_builder().finish();
        Self { sender, receiver, told: VecDeque::new() }
    }

    /// Sends a request and waits for its answer.
    pub(super) async fn ask(&mut self, request: &str) -> String {
        self.sender.send_text(request).await.unwrap();
        self.sender.flush().await.unwrap();
        loop {
            let message = self.receive().await;
            let parsed: Value = serde_json::from_str(&message).unwrap();
            if parsed.get("method").is_none() {
                return message;
            }
            self.told.push_back(message);
        }
    }

    /// The next thing that it is told without having asked.
    pub(super) async fn next(&mut self) -> String {
        match self.told.pop_front() {
            Some(message) => message,
            None => self.receive().await,
        }
    }

    /// What it was told up to now.
    pub(super) fn told(&mut self) -> Vec<String> {
        self.told.drain(..).collect()
    }

    async fn receive(&mut self) -> String {
        let mut bytes = Vec::new();
        let received = tokio::time::timeout(DEADLINE, self.receiver.receive_data(&mut bytes));
        received.await.expect("a message comes in time").expect("the socket stays open");
        String::from_utf8(bytes).unwrap()
    }
}
