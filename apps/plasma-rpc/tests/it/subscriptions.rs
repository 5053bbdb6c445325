//! Subscriptions over a WebSocket and as server-sent events, to a log that tests append to.

mod client;
mod damage;
mod fake_log;
mod limits;
mod order;
mod slow;
mod stream;
mod websocket;

use crate::nodes;
use crate::raw::soon;
use crate::websocket::Socket;
use fake_log::FakeLog;
use plasma_rpc::Service;
use plasma_rpc::server::{Events, Limits, MethodTable, Probes, Server, ServerConfig};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// A server with events.
struct Teller {
    server: Server,
    addr: SocketAddr,
    log: Arc<FakeLog>,
}

async fn teller() -> Teller {
    teller_with(Limits::default()).await
}

async fn teller_with(limits: Limits) -> Teller {
    let log = Arc::new(FakeLog::default());
    teller_at((Ipv4Addr::LOCALHOST, 0).into(), log, limits).await
}

async fn teller_at(listen: SocketAddr, log: Arc<FakeLog>, limits: Limits) -> Teller {
    let probes = Probes { alarms: Arc::new(Vec::new), metrics: Arc::new(String::new) };
    let table = MethodTable::new(Service::Watcher, Arc::new(()));
    let events = Events::of(Arc::clone(&log) as _);
    let config = ServerConfig { listen, events, ..nodes::config(limits) };
    let server = Server::start(config, table, probes).await.unwrap();
    Teller { addr: server.local_addr(), server, log }
}

/// Subscribes on a fresh socket. `params` are those of `subscribe`.
async fn subscriber(teller: &Teller, params: &str) -> Subscriber {
    let mut socket = Socket::open_at(teller.addr).await;
    let id = subscribe(&mut socket, params).await;
    Subscriber { socket, id }
}

async fn subscribe(socket: &mut Socket, params: &str) -> String {
    socket.send(&call("subscribe", params)).await;
    let answer: Value = serde_json::from_str(&socket.receive().await.unwrap()).unwrap();
    answer["result"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn call(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

struct Subscriber {
    socket: Socket,
    id: String,
}

impl Subscriber {
    /// `params` of the next notification.
    async fn next(&mut self) -> Value {
        notification(&mut self.socket).await
    }

    /// The number of the next event.
    async fn sequence(&mut self) -> u64 {
        let told = self.next().await;
        assert_eq!(told["subscription"], *self.id);
        told["result"]["sequence"].as_u64().unwrap_or_else(|| panic!("{told}"))
    }

    /// Checks that these are the next events.
    async fn expect(&mut self, sequences: impl IntoIterator<Item = u64>) {
        for sequence in sequences {
            assert_eq!(self.sequence().await, sequence);
        }
    }
}

async fn notification(socket: &mut Socket) -> Value {
    let text = soon(socket.receive()).await.expect("the socket is closed");
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["method"], "event", "{told}");
    assert!(told.get("id").is_none(), "{told}");
    told["params"].clone()
}

/// The code of a refusal in the JSON-RPC envelope.
fn code(answer: &str) -> String {
    let answer: Value = serde_json::from_str(answer).unwrap();
    answer["error"]["data"]["code"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}
