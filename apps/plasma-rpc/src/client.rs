//! Typed calls of our servers over the HTTP-RPC envelope.
//!
//! A client must never hold more of an answer than its limit, never follow a server elsewhere, and never mix up "nobody
//! answered", "the answer makes no sense" and "the answer is no": for a watcher that fetches a block each of the three may be
//! withholding, and for a wallet only the last one is final.

use crate::codes;
use crate::endpoint::{Endpoint, Verb};
use crate::error::{ErrorBody, RpcError};
use crate::json::INLINE_PARSE_LEN_MAX;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode, redirect};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::time::Duration;
use thiserror::Error;

/// Header in which a watcher says its version.
const WATCHER_VERSION: &str = "x-watcher-version";
/// How long an unused connection is kept: less than our servers keep it, so that no call meets a closing one.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Which server to call, and what to put up with.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Base URL; whether it ends in a slash makes no difference.
    pub base_url: String,
    /// Sent as `X-Watcher-Version`, when the caller is a watcher.
    pub watcher_version: Option<String>,
    /// Time to connect.
    pub connect_timeout: Duration,
    /// Time between two pieces of an answer, and until the first.
    pub read_timeout: Duration,
    /// Time for a whole call.
    pub call_timeout: Duration,
    /// Longest answer in bytes; reading stops there.
    pub answer_len_max: usize,
}

impl ClientConfig {
    /// Defaults that fit a full block over a slow line.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            watcher_version: None,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(30),
            call_timeout: Duration::from_secs(300),
            answer_len_max: 256 * 1024 * 1024,
        }
    }
}

/// Calls one server. Clones share connections.
#[derive(Clone, Debug)]
pub struct HttpRpcClient {
    http: reqwest::Client,
    base_url: String,
    answer_len_max: usize,
}

/// A client cannot be made from its configuration.
#[derive(Debug, Error)]
pub enum ClientConfigError {
    /// Not an http or https URL.
    #[error("{0:?} is no http or https URL")]
    BadUrl(String),
    /// The version does not fit into a header.
    #[error("{0:?} cannot be sent as a header")]
    BadVersion(String),
    /// The system has no TLS or no sockets for us.
    #[error("cannot set up an HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

/// Why a call has no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody answered, not in time, or not to the end. Whether the call was carried out is not known.
    #[error("{url} is unreachable: {reason}")]
    Unreachable {
        /// What was called.
        url: String,
        /// What the connection says.
        reason: String,
    },
    /// An answer in HTTP that is no answer of the RPC.
    #[error("{url} answered with HTTP status {status}")]
    Http {
        /// What was called.
        url: String,
        /// The status; never 200.
        status: u16,
    },
    /// The answer is not what is documented, or longer than the limit.
    #[error("{url} answered something that cannot be read: {reason}")]
    Malformed {
        /// What was called.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server says no.
    #[error("{0}")]
    Api(ErrorBody),
}

impl ClientError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Http { status, .. } => *status >= 500 || *status == 429,
            Self::Malformed { .. } => false,
            Self::Api(error) => [
                codes::OVERLOADED.code,
                codes::SERVICE_UNAVAILABLE.code,
                codes::WATCHER_DB_UNAVAILABLE.code,
            ]
            .contains(&error.code.as_str()),
        }
    }
}

/// How a server that forwards calls reports that forwarding failed (protocol 6.6).
impl From<ClientError> for RpcError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Unreachable { .. } => Self::reason("host_unreachable"),
            ClientError::Http { .. } => Self::reason("server_error"),
            ClientError::Malformed { .. } => Self::reason("malformed_response"),
            ClientError::Api(refusal) => Self::client_error(&refusal),
        }
    }
}

impl HttpRpcClient {
    /// A client. Nothing is connected yet, and proxies of the environment are not used.
    ///
    /// # Errors
    /// [`ClientConfigError`].
    pub fn new(config: ClientConfig) -> Result<Self, ClientConfigError> {
        let base_url = config.base_url.trim_end_matches('/').to_owned();
        let url = reqwest::Url::parse(&base_url).ok();
        if !url.is_some_and(|url| ["http", "https"].contains(&url.scheme())) {
            return Err(ClientConfigError::BadUrl(config.base_url));
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(version) = config.watcher_version {
            let value = HeaderValue::from_str(&version);
            let value = value.map_err(|_| ClientConfigError::BadVersion(version))?;
            headers.insert(WATCHER_VERSION, value);
        }
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(config.connect_timeout)
            .read_timeout(config.read_timeout)
            .timeout(config.call_timeout)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { http, base_url, answer_len_max: config.answer_len_max })
    }

    /// Calls a method.
    ///
    /// # Errors
    /// [`ClientError`]. After [`ClientError::Unreachable`] a submitted transaction may or may not have been accepted; submitting
    /// it again is safe, because a transaction that was accepted cannot be accepted twice.
    pub async fn call<P: Serialize, A: DeserializeOwned + Send + 'static>(
        &self,
        endpoint: &Endpoint<P, A>,
        params: &P,
    ) -> Result<A, ClientError> {
        let url = format!("{}/{}", self.base_url, endpoint.spec.name);
        let request = match endpoint.spec.verb {
            Verb::Get => self.http.get(&url),
            Verb::Post => {
                let body = serde_json::to_vec(params).map_err(|error| malformed(&url, error))?;
                let json = HeaderValue::from_static("application/json");
                self.http.post(&url).header(CONTENT_TYPE, json).body(body)
            }
        };
        let response = request.send().await.map_err(|error| unreachable(&url, &error))?;
        if response.status() != StatusCode::OK {
            return Err(ClientError::Http { status: response.status().as_u16(), url });
        }
        let body = self.read(&url, response).await?;
        let is_paged = endpoint.spec.is_paged;
        let opened = if body.len() <= INLINE_PARSE_LEN_MAX {
            open(&body, is_paged)
        } else {
            let opening = tokio::task::spawn_blocking(move || open(&body, is_paged)).await;
            opening.map_err(|error| malformed(&url, error))?
        };
        opened.map_err(|error| match error {
            Unopened::Malformed(error) => malformed(&url, error),
            Unopened::Refused(refusal) => ClientError::Api(refusal),
        })
    }

    /// Reads an answer piece by piece, and stops when it gets too long.
    async fn read(&self, url: &str, mut response: Response) -> Result<Vec<u8>, ClientError> {
        let too_long = || malformed(url, format!("more than {} bytes", self.answer_len_max));
        let announced = response.content_length().unwrap_or_default();
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        if announced > self.answer_len_max {
            return Err(too_long());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(url, &error))? {
            if body.len().saturating_add(chunk.len()) > self.answer_len_max {
                return Err(too_long());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Why an envelope holds no answer.
enum Unopened {
    Malformed(serde_json::Error),
    Refused(ErrorBody),
}

impl From<serde_json::Error> for Unopened {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(error)
    }
}

/// Takes the answer or the error out of the envelope. The members of a page stand beside the others of the envelope.
fn open<A: DeserializeOwned>(body: &[u8], is_paged: bool) -> Result<A, Unopened> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        success: bool,
        #[serde(borrow)]
        data: &'a RawValue,
    }
    let envelope = serde_json::from_slice::<Envelope<'_>>(body)?;
    if envelope.success && is_paged {
        return Ok(serde_json::from_slice(body)?);
    }
    if envelope.success {
        return Ok(serde_json::from_str(envelope.data.get())?);
    }
    Err(Unopened::Refused(serde_json::from_str(envelope.data.get())?))
}

fn malformed(url: &str, reason: impl ToString) -> ClientError {
    ClientError::Malformed { url: url.to_owned(), reason: reason.to_string() }
}

/// The innermost cause says most: "connection refused" rather than "error sending request".
fn unreachable(url: &str, error: &reqwest::Error) -> ClientError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    ClientError::Unreachable { url: url.to_owned(), reason: cause.to_string() }
}
