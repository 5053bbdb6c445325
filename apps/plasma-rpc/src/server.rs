//! A server: a table of methods behind one port (`docs/protocol/rpc.md`).
//!
//! It must never hold more connections, calls or bytes than its [`Limits`] say, whatever clients do; never wait for a client
//! without an end; and never answer something that is not documented. Flow of a call: socket → `http` or `ws` → envelope →
//! table (limits, health, validation) → handler → envelope.
//!
//! JSON-RPC calls are dispatched by `jsonrpsee`'s registry. Its server is not used: it starts a task per WebSocket message
//! without bound, and it waits for slow clients for ever.

mod body;
mod config;
mod connection;
mod envelope;
mod events;
mod files;
mod http;
mod json_rpc;
mod memory;
mod pages;
mod session;
mod shared;
mod sse;
mod table;
mod timed_io;
mod ws;

pub use config::{Events, Limits, Probes, ServerConfig};
pub use events::{Event, EventLog, EventLogError};
pub use pages::{Page, Pages};
pub use table::{IntoAnswer, MethodTable};

use crate::child_chain::ALARM_GET;
use crate::codes;
use crate::error::RpcError;
use envelope::Envelope;
use events::Hub;
use memory::Memory;
use shared::{Phase, RequestIds, Shared};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

/// A running server. Dropping it ends every connection at once; [`Server::stop`] lets calls finish.
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    phase: watch::Sender<Phase>,
    connections: Arc<Semaphore>,
    websockets: Arc<Semaphore>,
    limits: Arc<Limits>,
}

/// A server cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Somebody listens on the port already.
    #[error("port {} is in use: another process listens on {addr}", addr.port())]
    PortInUse {
        /// What the server was told to listen on.
        addr: SocketAddr,
    },
    /// The system does not let us listen there.
    #[error("cannot listen on {addr}: {error}")]
    Bind {
        /// What the server was told to listen on.
        addr: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The table has two handlers for a method. A bug of the caller.
    #[error("method {0} is registered twice")]
    DuplicateMethod(&'static str),
}

impl Server {
    /// Listens and serves, on the runtime it is called in. `alarm.get` is answered from the probes.
    ///
    /// # Errors
    /// [`StartError`]; nothing listens then.
    pub async fn start<C: Send + Sync + 'static>(
        config: ServerConfig,
        table: MethodTable<C>,
        probes: Probes,
    ) -> Result<Self, StartError> {
        let limits = Arc::new(config.limits);
        let alarms = Arc::clone(&probes.alarms);
        let table = table.on(&ALARM_GET, move |_, _| {
            let raised = alarms();
            async move { Ok(raised) }
        });
        let registry = table
            .into_registry(probes.clone(), limits.in_flight_max, limits.answer_len_max)
            .map_err(|duplicate| StartError::DuplicateMethod(duplicate.0))?;
        let (listener, local_addr) = bind(config.listen).await?;
        let (phase, seen) = watch::channel(Phase::Serving);
        let envelope = Envelope::new(&config.version, registry.service());
        let overloaded = RpcError::from(codes::OVERLOADED).render(registry.service(), "");
        let refusal = connection::refusal(&envelope.refusal_text(&overloaded));
        let hub = config.events.0.map(|log| Hub::start(log, &limits, seen.clone()));
        let websockets = Arc::new(semaphore(limits.websockets_max));
        let shared = Arc::new(Shared {
            registry,
            envelope,
            probes,
            memory: Memory::new(limits.memory_len_max),
            websockets: Arc::clone(&websockets),
            long_messages: Arc::new(semaphore(limits.websockets_of_long_messages_max)),
            event_streams: Arc::new(semaphore(limits.event_streams_max)),
            hub,
            pages: config.pages,
            cors: config.cors,
            request_ids: RequestIds::new(),
            phase: seen,
            limits: Arc::clone(&limits),
        });
        let connections = Arc::new(semaphore(limits.connections_max));
        tokio::spawn(connection::accept(shared, listener, Arc::clone(&connections), refusal));
        tracing::info!(%local_addr, "serving");
        Ok(Self { local_addr, phase, connections, websockets, limits })
    }

    /// Where it listens.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops: no new connections and calls, and running calls get [`Limits::stop_grace`] to be answered.
    pub async fn stop(self) {
        self.phase.send_replace(Phase::Stopping);
        let ended = timeout(self.limits.stop_grace, self.all_ended()).await;
        self.phase.send_replace(Phase::Stopped);
        if ended.is_err() {
            tracing::warn!("calls were cut off because they did not finish in time");
            self.all_ended().await;
        }
    }

    /// Waits until nobody is connected.
    async fn all_ended(&self) {
        let all = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        // One that becomes a WebSocket takes its place there before it gives this one back.
        drop(self.connections.acquire_many(all(self.limits.connections_max)).await);
        drop(self.websockets.acquire_many(all(self.limits.websockets_max)).await);
    }
}

async fn bind(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let error = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => StartError::PortInUse { addr },
        _ => StartError::Bind { addr, error },
    };
    let listener = TcpListener::bind(addr).await.map_err(error)?;
    let local_addr = listener.local_addr().map_err(error)?;
    Ok((listener, local_addr))
}

fn semaphore(permits: usize) -> Semaphore {
    Semaphore::new(permits.min(Semaphore::MAX_PERMITS))
}
