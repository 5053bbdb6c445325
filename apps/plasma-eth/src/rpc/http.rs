//! JSON-RPC 2.0 over HTTP with a limit on everything: time, size, requests at once.
//!
//! ethers' own HTTP client reads answers of any length into memory, hence this one.

use super::{Failure, NodeError};
use crate::config::ms;
use crate::error::printable;
use crate::{EthConfig, RootChainCause, RpcUrl};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Semaphore;

/// Longest time to a connection.
const CONNECT_TIMEOUT_MS: u64 = 5_000;

#[derive(Debug)]
pub(super) struct HttpTransport {
    client: Client,
    url: RpcUrl,
    timeout_ms: u64,
    response_bytes_max: usize,
    slots: Semaphore,
    next_id: AtomicU64,
}

#[derive(Serialize)]
struct Request<'a, P> {
    jsonrpc: &'static str,
    id: u64,
    method: &'a str,
    params: P,
}

#[derive(Deserialize)]
struct Answer<'a> {
    jsonrpc: &'a str,
    /// Null when the node could not read the request.
    id: Option<u64>,
    /// Present and null is an answer; absent is none.
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<AnswerError>,
}

#[derive(Deserialize)]
struct AnswerError {
    code: i64,
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: Option<serde_json::Value>,
}

fn present<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl HttpTransport {
    pub(super) fn new(config: &EthConfig) -> Result<Self, RootChainCause> {
        let mut client = Client::builder()
            .timeout(ms(config.request_timeout_ms))
            .connect_timeout(ms(CONNECT_TIMEOUT_MS.min(config.request_timeout_ms)))
            .redirect(reqwest::redirect::Policy::none());
        if config.rpc_url.is_loopback() {
            client = client.no_proxy();
        }
        Ok(Self {
            client: client.build().map_err(|error| RootChainCause::Invalid(without_url(error)))?,
            url: config.rpc_url.clone(),
            timeout_ms: config.request_timeout_ms,
            response_bytes_max: config.response_bytes_max,
            slots: Semaphore::new(config.requests_in_flight_max.max(1)),
            next_id: AtomicU64::new(1),
        })
    }

    /// One request and its answer.
    pub(super) async fn request<R: DeserializeOwned>(
        &self,
        method: &str,
        params: &impl Serialize,
    ) -> Result<R, Failure> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let request = Request { jsonrpc: "2.0", id, method, params };
        let body = serde_json::to_vec(&request)
            .map_err(|error| Failure::Cause(RootChainCause::Invalid(error.to_string())))?;
        let (status, retry_after_ms, bytes) = {
            // The semaphore is never closed; a closed one would mean no limit, not no service.
            let _slot = self.slots.acquire().await;
            self.exchange(body).await?
        };
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(Failure::RateLimited(retry_after_ms));
        }
        match read_answer(&bytes, id) {
            // An error status says that there is no result, whatever the body claims.
            Ok(_) if !status.is_success() => Err(http_status(status)),
            Ok(result) => serde_json::from_str(result.get())
                .map_err(|error| Failure::Cause(malformed(&error))),
            Err(Failure::Cause(_)) if !status.is_success() => Err(http_status(status)),
            Err(failure) => Err(failure),
        }
    }

    async fn exchange(&self, body: Vec<u8>) -> Result<(StatusCode, Option<u64>, Vec<u8>), Failure> {
        let mut response = self
            .client
            .post(self.url.url().clone())
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .send()
            .await
            .map_err(|error| self.lost(error))?;
        let status = response.status();
        let retry_after_ms = retry_after_ms(&response);
        let too_large = || {
            Failure::Cause(RootChainCause::AnswerTooLarge { bytes_max: self.response_bytes_max })
        };
        let announced = usize::try_from(response.content_length().unwrap_or(0));
        let announced = announced.unwrap_or(usize::MAX);
        if announced > self.response_bytes_max {
            return Err(too_large());
        }
        let mut bytes = Vec::with_capacity(announced);
        while let Some(chunk) = response.chunk().await.map_err(|error| self.lost(error))? {
            if bytes.len().saturating_add(chunk.len()) > self.response_bytes_max {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok((status, retry_after_ms, bytes))
    }

    fn lost(&self, error: reqwest::Error) -> Failure {
        Failure::Cause(if error.is_timeout() {
            RootChainCause::Timeout { after_ms: self.timeout_ms }
        } else {
            RootChainCause::Unreachable(format!("{}: {}", self.url, without_url(error)))
        })
    }
}

fn read_answer(bytes: &[u8], id: u64) -> Result<&RawValue, Failure> {
    let answer: Answer<'_> =
        serde_json::from_slice(bytes).map_err(|error| Failure::Cause(malformed(&error)))?;
    let nonsense = |what: &str| Failure::Cause(RootChainCause::Malformed(what.to_owned()));
    if answer.jsonrpc != "2.0" {
        return Err(nonsense("it is not JSON-RPC 2.0"));
    }
    if let Some(error) = answer.error {
        return Err(Failure::Node(NodeError {
            code: error.code,
            message: printable(&error.message),
            data: error.data,
        }));
    }
    if answer.id != Some(id) {
        return Err(nonsense("it belongs to another request"));
    }
    answer.result.ok_or_else(|| nonsense("it has neither result nor error"))
}

fn http_status(status: StatusCode) -> Failure {
    Failure::Cause(RootChainCause::HttpStatus { status: status.as_u16() })
}

fn retry_after_ms(response: &Response) -> Option<u64> {
    let seconds: u64 = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(seconds.saturating_mul(1000))
}

fn malformed(error: &serde_json::Error) -> RootChainCause {
    RootChainCause::Malformed(printable(&error.to_string()))
}

/// The innermost reason, which is the one that helps ("connection refused"). The URL stays out: it may hold an API key.
fn without_url(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    printable(&innermost.to_string())
}
