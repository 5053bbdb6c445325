//! What all connections of a server share.

use super::config::{Limits, Probes};
use super::envelope::Envelope;
use super::events::Hub;
use super::memory::Memory;
use super::pages::Pages;
use super::table::Registry;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Semaphore, watch};

/// Whether the server takes requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// It does.
    Serving,
    /// What runs may finish; nothing new begins.
    Stopping,
    /// Everything ends now.
    Stopped,
}

/// Waits until the server is at least that far. A server whose handle is gone is as far as it gets.
pub(super) async fn reached(phase: &mut watch::Receiver<Phase>, at_least: Phase) {
    drop(phase.wait_for(|phase| *phase >= at_least).await);
}

/// One of these exists per server.
pub(super) struct Shared {
    pub(super) registry: Registry,
    pub(super) envelope: Envelope,
    pub(super) probes: Probes,
    pub(super) limits: Arc<Limits>,
    pub(super) memory: Memory,
    pub(super) websockets: Arc<Semaphore>,
    pub(super) long_messages: Arc<Semaphore>,
    pub(super) event_streams: Arc<Semaphore>,
    pub(super) hub: Option<Arc<Hub>>,
    pub(super) pages: Pages,
    pub(super) cors: bool,
    pub(super) request_ids: RequestIds,
    pub(super) phase: watch::Receiver<Phase>,
}

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names requests, so that a log line can be found for an answer.
pub(super) struct RequestIds {
    server: u64,
    next: AtomicU64,
}

impl RequestIds {
    pub(super) fn new() -> Self {
        Self { server: RandomState::new().hash_one(()), next: AtomicU64::new(0) }
    }

    /// The caller's own id when it is of a sensible length, else a new one.
    pub(super) fn of(&self, headers: &HeaderMap) -> HeaderValue {
        let given = headers.get(REQUEST_ID);
        if let Some(id) = given.filter(|id| (20..=200).contains(&id.len())) {
            return id.clone();
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        HeaderValue::from_str(&format!("{:016x}{number:016x}", self.server))
            .unwrap_or(HeaderValue::from_static("-"))
    }
}
