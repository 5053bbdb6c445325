//! What a server can be told, and every limit it keeps (`docs/protocol/rpc.md`, table of limits).

use super::events::EventLog;
use super::pages::Pages;
use crate::alarm::{Alarm, RaisedBy};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Where a server listens and what it says about itself.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// `version` in the envelope: `<semver>+<7 digits of the git commit>`.
    pub version: String,
    /// Whether browsers may call from any page: CORS headers on every answer, and preflights answered.
    pub cors: bool,
    /// How much it takes on.
    pub limits: Limits,
    /// What subscribers are told. Without it, nothing can be subscribed to.
    pub events: Events,
    /// What browsers can look at.
    pub pages: Pages,
}

impl ServerConfig {
    /// A server with the default limits, open to browsers, without events and pages.
    pub fn new(listen: SocketAddr, version: impl Into<String>) -> Self {
        Self {
            listen,
            version: version.into(),
            cors: true,
            limits: Limits::default(),
            events: Events::default(),
            pages: Pages::default(),
        }
    }
}

/// The node's events, or none.
#[derive(Clone, Default)]
pub struct Events(pub(super) Option<Arc<dyn EventLog>>);

impl Events {
    /// Events of this log.
    pub fn of(log: Arc<dyn EventLog>) -> Self {
        Self(Some(log))
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Events" } else { "no events" })
    }
}

/// How much a server takes on. Nothing that a client does makes it use more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections, apart from WebSockets. One more is answered with 503 and closed.
    pub connections_max: usize,
    /// Open WebSockets.
    pub websockets_max: usize,
    /// WebSockets that may send messages as long as [`websocket_message_len_max`](Self::websocket_message_len_max): the first
    /// ones. The others take no message over 64 KiB, so that thousands of them cannot hold gigabytes.
    pub websockets_of_long_messages_max: usize,
    /// Calls that run at once, of all methods together; each method has its own limit as well.
    pub in_flight_max: usize,
    /// Calls of one WebSocket that run at once. While they do, nothing more is read from it.
    pub websocket_in_flight_max: usize,
    /// Requests in one JSON-RPC batch.
    pub json_rpc_batch_len_max: usize,
    /// Bytes of one WebSocket message to the server. Longer requests go over HTTP.
    pub websocket_message_len_max: usize,
    /// Bytes of the request line and headers, and of what is read ahead on a connection.
    pub header_len_max: usize,
    /// Bytes of one answer's data.
    pub answer_len_max: usize,
    /// Bytes of all long bodies being worked on and all long answers being written: those beyond what every connection may
    /// have anyway, and not from a shared buffer.
    pub memory_len_max: usize,
    /// Time until the headers of a request are there; also how long an idle connection is kept.
    pub header_read_timeout: Duration,
    /// Head start of every body and answer before the pace below is asked for.
    pub transfer_grace: Duration,
    /// Pace that a client has to keep, in bytes per second, sending a body or reading an answer.
    pub transfer_bytes_per_s_min: usize,
    /// How often an idle WebSocket is pinged. One that stays silent for three times as long is closed.
    pub websocket_ping_interval: Duration,
    /// Subscriptions of all connections: those of WebSockets, and the topics of streams of server-sent events.
    pub subscriptions_max: usize,
    /// Subscriptions of one WebSocket.
    pub websocket_subscriptions_max: usize,
    /// Open streams of server-sent events.
    pub event_streams_max: usize,
    /// Subscribers that read events from the node's log at once, because they are behind. The others wait for their turn.
    pub event_log_reads_max: usize,
    /// Time that a subscriber gets to take the events being written, 64 KiB at most.
    pub subscription_stall_timeout: Duration,
    /// How often a stream of server-sent events without events says that it is alive.
    pub event_stream_heartbeat: Duration,
    /// Time that running calls get to finish when the server stops.
    pub stop_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1_024,
            websockets_max: 10_240,
            websockets_of_long_messages_max: 256,
            in_flight_max: 512,
            websocket_in_flight_max: 16,
            json_rpc_batch_len_max: 100,
            websocket_message_len_max: 2 * MIB,
            header_len_max: 64 * KIB,
            answer_len_max: 256 * MIB,
            memory_len_max: 1_024 * MIB,
            header_read_timeout: Duration::from_secs(30),
            transfer_grace: Duration::from_secs(10),
            transfer_bytes_per_s_min: 64 * KIB,
            websocket_ping_interval: Duration::from_secs(30),
            subscriptions_max: 20_480,
            websocket_subscriptions_max: 64,
            event_streams_max: 512,
            event_log_reads_max: 4,
            subscription_stall_timeout: Duration::from_secs(5),
            event_stream_heartbeat: Duration::from_secs(15),
            stop_grace: Duration::from_secs(5),
        }
    }
}

const KIB: usize = 1_024;
const MIB: usize = 1_024 * KIB;

impl Limits {
    /// How long a transfer may have taken when this many bytes have passed.
    pub(super) fn transfer_time(&self, len: usize) -> Duration {
        let per_s = self.transfer_bytes_per_s_min.max(1);
        let seconds = u64::try_from(len / per_s).unwrap_or(u64::MAX);
        self.transfer_grace.saturating_add(Duration::from_secs(seconds))
    }
}

/// What a server asks its node, on many requests: both must be cheap and must not block.
#[derive(Clone)]
pub struct Probes {
    /// The raised alarms. They are answered by `alarm.get` and `GET /health`, and decide about health-checked methods.
    pub alarms: Arc<dyn Fn() -> Vec<Alarm> + Send + Sync>,
    /// The text of `GET /metrics`, in the OpenMetrics format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

impl Probes {
    /// Probes of a node that knows its raised alarms by their stable names.
    pub fn new(
        node: &'static str,
        raised: impl Fn() -> Vec<&'static str> + Send + Sync + 'static,
        metrics: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        let shown = move |name: &'static str| Alarm {
            name: name.into(),
            raised_by: RaisedBy { node: node.into(), reporter: "penning".into() },
        };
        let alarms = move || raised().into_iter().map(shown).collect();
        Self { alarms: Arc::new(alarms), metrics: Arc::new(metrics) }
    }

    /// Whether no raised alarm makes the service unhealthy.
    pub(super) fn is_healthy(&self) -> bool {
        !(self.alarms)().iter().any(Alarm::makes_unhealthy)
    }
}

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probes")
    }
}
