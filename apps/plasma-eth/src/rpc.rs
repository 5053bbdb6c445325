//! JSON-RPC to a node: one request at a time per call, retried on a fixed schedule, every error with method and context.
//!
//! It must never follow the node's word further than needed: sizes, times and shapes are checked here, once, for everybody.
//!
//! ```text
//! call ─► slot (bounded number of requests) ─► http ─► classify ─┬─► answer
//!   ▲                                                            ├─► Transient ─► pause ─┐
//!   └────────────────────────────────────────────────────────────┼───────────────────────┘
//!                                                                └─► Permanent, or attempts used up ─► error
//! ```

pub(crate) mod answers;
mod classify;
mod http;

use crate::config::ms;
use crate::{ErrorKind, EthConfig, RetryPolicy, RootChainCause, RootChainError};
use http::HttpTransport;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Instant;

pub(crate) use classify::{cause_of, is_range_refusal, submit_outcome};

/// A connection to a node, cheap to share.
#[derive(Debug)]
pub(crate) struct Rpc {
    http: HttpTransport,
    retry: RetryPolicy,
}

/// Why one request failed, before method and context are known.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Everything but a JSON-RPC error.
    Cause(RootChainCause),
    /// The node wants a pause, if it said so of this many milliseconds.
    RateLimited(Option<u64>),
    /// The node answered with a JSON-RPC error.
    Node(NodeError),
}

/// A JSON-RPC error as it came, its text made printable.
#[derive(Clone, Debug)]
pub(crate) struct NodeError {
    pub(crate) code: i64,
    pub(crate) message: String,
    pub(crate) data: Option<serde_json::Value>,
}

impl Rpc {
    pub(crate) fn new(config: &EthConfig) -> Result<Self, RootChainError> {
        Ok(Self {
            http: HttpTransport::new(config).map_err(|cause| cause.during("rpc_url", ""))?,
            retry: config.retry,
        })
    }

    /// Calls a method and reads its answer.
    pub(crate) async fn call<R: DeserializeOwned>(
        &self,
        method: &'static str,
        context: impl FnOnce() -> String,
        params: impl Serialize + Sync,
    ) -> Result<R, RootChainError> {
        self.try_call(method, params)
            .await
            .map_err(|failure| cause_of(failure).during(method, context()))
    }

    /// Like [`Self::call`], for callers that read the node's errors themselves. Errors that pass have been retried.
    pub(crate) async fn try_call<R: DeserializeOwned>(
        &self,
        method: &'static str,
        params: impl Serialize + Sync,
    ) -> Result<R, Failure> {
        let started = Instant::now();
        let mut failed_attempts = 0_u32;
        loop {
            let failure = match self.http.request(method, &params).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            failed_attempts = failed_attempts.saturating_add(1);
            let pause_ms = match classify::kind_of(&failure) {
                ErrorKind::Permanent => None,
                ErrorKind::Transient => {
                    let asked_for_ms = match &failure {
                        Failure::RateLimited(asked_for_ms) => *asked_for_ms,
                        _ => None,
                    };
                    let elapsed_ms =
                        u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                    self.retry.pause_ms(failed_attempts, asked_for_ms, elapsed_ms)
                }
            };
            let Some(pause_ms) = pause_ms else {
                return Err(failure);
            };
            tracing::debug!(
                method,
                failed_attempts,
                pause_ms,
                ?failure,
                "request failed, will be made again"
            );
            tokio::time::sleep(ms(pause_ms)).await;
        }
    }
}
