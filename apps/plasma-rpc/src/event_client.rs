//! Follows the topics of a server: connects, yields events, and when the connection is lost goes on where it was.
//!
//! It must never skip an event, yield one twice, or yield one out of order; never hold more of a stream than its limits; and never go
//! on asking a server that says no. It reads server-sent events (`GET /events`): they pass through every proxy, and one text is the
//! place in all topics.
//!
//! ```text
//! connect ─► events ─► lost, slow or silent? ─► wait, longer each time ─► connect from the last event
//!    └─► refused: an error, and nothing else happens
//! ```

mod parser;

use crate::codes;
use crate::error::ErrorBody;
use crate::subscription::{EVENTS_PATH, EventCursor, EventObject, Start, TopicName};
use parser::{Message, Parser};
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Response, StatusCode, redirect};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;
use thiserror::Error;
use tokio::time::{sleep, timeout};

/// A refusal is not longer.
const REFUSAL_LEN_MAX: usize = 64 * 1_024;

/// What to follow, and what to put up with.
#[derive(Clone, Debug)]
pub struct EventClientConfig {
    /// Base URL of the server, as of [`HttpRpcClient`](crate::client::HttpRpcClient).
    pub base_url: String,
    /// What to follow: at least one.
    pub topics: Vec<TopicName>,
    /// Where to begin, in all topics.
    pub from: Start,
    /// Where to go on, in the topics that it holds: [`EventClient::place`] of an earlier client.
    pub place: EventCursor,
    /// Time to connect.
    pub connect_timeout: Duration,
    /// A server that says nothing for so long is as good as gone: twice the time after which it should say that it is alive.
    pub silence_max: Duration,
    /// Pause before the first new connection; doubled with every one that fails.
    pub pause_min: Duration,
    /// Longest pause.
    pub pause_max: Duration,
}

impl EventClientConfig {
    /// Defaults for news of these topics.
    pub fn new(base_url: impl Into<String>, topics: Vec<TopicName>) -> Self {
        Self {
            base_url: base_url.into(),
            topics,
            from: Start::News,
            place: EventCursor::default(),
            connect_timeout: Duration::from_secs(5),
            silence_max: Duration::from_secs(30),
            pause_min: Duration::from_millis(250),
            pause_max: Duration::from_secs(30),
        }
    }
}

/// Why there are no more events, ever.
#[derive(Debug, Error)]
pub enum EventClientError {
    /// The base URL or the system's TLS cannot be used.
    #[error("{url} cannot be followed: {reason}")]
    Unusable {
        /// What was to be followed.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The server says no, and would again.
    #[error("{0}")]
    Refused(ErrorBody),
    /// The server says something that is not documented.
    #[error("{url} says something that cannot be understood: {reason}")]
    Malformed {
        /// Who says it.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What happened to the connection, for whoever shows it. No event is lost by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// What went wrong.
    pub reason: String,
    /// When the client tries again.
    pub pause: Duration,
}

/// What a client yields.
#[derive(Debug)]
pub enum Heard {
    /// The next event of its topic.
    Event(EventObject),
    /// The connection was lost, and is made again by the next call.
    Interrupted(Interruption),
}

/// Follows topics of one server.
#[derive(Debug)]
pub struct EventClient {
    http: reqwest::Client,
    url: reqwest::Url,
    config: EventClientConfig,
    place: BTreeMap<TopicName, u64>,
    stream: Option<(Response, Parser)>,
    failures: u32,
    pause: Option<Duration>,
}

/// Why a connection ends.
enum Broken {
    /// Another one may do better.
    Lost(String),
    Final(EventClientError),
}

impl EventClient {
    /// A client. Nothing is connected yet.
    ///
    /// # Errors
    /// [`EventClientError::Unusable`].
    pub fn new(config: EventClientConfig) -> Result<Self, EventClientError> {
        let unusable =
            |reason: String| EventClientError::Unusable { url: config.base_url.clone(), reason };
        let url = format!("{}{EVENTS_PATH}", config.base_url.trim_end_matches('/'));
        let mut url = reqwest::Url::parse(&url).map_err(|error| unusable(error.to_string()))?;
        if !["http", "https"].contains(&url.scheme()) || config.topics.is_empty() {
            return Err(unusable("a http or https URL and a topic are needed".to_owned()));
        }
        let topics: Vec<_> = config.topics.iter().map(ToString::to_string).collect();
        url.query_pairs_mut().append_pair("topics", &topics.join(","));
        if config.from != Start::News {
            url.query_pairs_mut().append_pair("from", &config.from.to_string());
        }
        let http = reqwest::Client::builder()
            .connect_timeout(config.connect_timeout)
            .read_timeout(config.silence_max)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        let place = config.place.0.clone();
        Ok(Self { http, url, config, place, stream: None, failures: 0, pause: None })
    }

    /// Where the client is: what to go on from in another process.
    pub fn place(&self) -> EventCursor {
        EventCursor(self.place.clone())
    }

    /// The next event, as soon as there is one; or that the connection was lost. Dropping the future loses no event.
    ///
    /// # Errors
    /// [`EventClientError`]; nothing can come after it.
    pub async fn next(&mut self) -> Result<Heard, EventClientError> {
        if let Some(pause) = self.pause {
            sleep(pause).await;
            self.pause = None;
        }
        match self.advance().await {
            Ok(event) => {
                self.failures = 0;
                Ok(Heard::Event(event))
            }
            Err(Broken::Final(error)) => Err(error),
            Err(Broken::Lost(reason)) => {
                self.stream = None;
                let doubled = 2_u32.saturating_pow(self.failures.min(16));
                let pause = self.config.pause_min.saturating_mul(doubled);
                let pause = pause.min(self.config.pause_max);
                self.failures = self.failures.saturating_add(1);
                self.pause = Some(pause);
                Ok(Heard::Interrupted(Interruption { reason, pause }))
            }
        }
    }

    async fn advance(&mut self) -> Result<EventObject, Broken> {
        loop {
            if self.stream.is_none() {
                let response = self.connect().await?;
                self.stream = Some((response, Parser::default()));
            }
            let Some((response, parser)) = &mut self.stream else {
                return Err(Broken::Lost("no connection".into()));
            };
            if let Some(message) = parser.next() {
                let event = self.take(message)?;
                match event {
                    Some(event) => return Ok(event),
                    None => continue,
                }
            }
            let chunk = response.chunk().await.map_err(|error| Broken::Lost(error.to_string()))?;
            let chunk = chunk.ok_or_else(|| Broken::Lost("the server ended the stream".into()))?;
            if parser.push(&chunk).is_err() {
                return Err(malformed(&self.url, "an event is too long"));
            }
        }
    }

    async fn connect(&self) -> Result<Response, Broken> {
        let mut request = self.http.get(self.url.clone());
        request = request.header(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if !self.place.is_empty() {
            request = request.header("last-event-id", self.place().to_string());
        }
        let response = request.send().await.map_err(|error| Broken::Lost(innermost(&error)))?;
        let content_type = response.headers().get(reqwest::header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
        if response.status() == StatusCode::OK && content_type.starts_with("text/event-stream") {
            return Ok(response);
        }
        Err(self.refusal(response).await)
    }

    /// Why there is no stream.
    async fn refusal(&self, mut response: Response) -> Broken {
        #[derive(Deserialize)]
        struct Envelope {
            data: ErrorBody,
        }
        let status = response.status();
        let mut body = Vec::new();
        let reading = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                if body.len().saturating_add(chunk.len()) > REFUSAL_LEN_MAX {
                    break;
                }
                body.extend_from_slice(&chunk);
            }
        };
        drop(timeout(self.config.connect_timeout, reading).await);
        let refusal = serde_json::from_slice::<Envelope>(&body).map(|envelope| envelope.data);
        match refusal {
            Ok(refusal) if is_transient(&refusal) => Broken::Lost(refusal.to_string()),
            Ok(refusal) => Broken::Final(EventClientError::Refused(refusal)),
            Err(_) if may_pass(status) => Broken::Lost(format!("HTTP status {status}")),
            Err(error) => malformed(&self.url, &format!("HTTP status {status}: {error}")),
        }
    }

    /// The event of a message, if it is one.
    fn take(&mut self, message: Message) -> Result<Option<EventObject>, Broken> {
        if message.event == "end" {
            let stop = serde_json::from_str::<ErrorBody>(&message.data);
            return Err(Broken::Lost(stop.map_or_else(|_| message.data, |stop| stop.to_string())));
        }
        if !message.data.is_empty() {
            let event: EventObject = serde_json::from_str(&message.data)
                .map_err(|error| malformed(&self.url, &error.to_string()))?;
            let before = self.place.get(&event.topic).copied();
            if before.is_some_and(|before| before.checked_add(1) != Some(event.sequence)) {
                return Err(malformed(&self.url, &format!("{} is out of order", event.id)));
            }
            self.place.insert(event.topic, event.sequence);
            return Ok(Some(event));
        }
        // The stream begins with its place, so that nothing is missed from then on.
        if let Some(place) = message.id.and_then(|id| id.parse::<EventCursor>().ok()) {
            for (topic, sequence) in place.0 {
                self.place.entry(topic).or_insert(sequence);
            }
        }
        Ok(None)
    }
}

/// Whether the same request may be answered later. A server that lags behind another one reaches its events in time.
fn is_transient(refusal: &ErrorBody) -> bool {
    [codes::OVERLOADED, codes::SERVICE_UNAVAILABLE, codes::EVENTS_UNAVAILABLE, codes::INTERNAL]
        .iter()
        .any(|code| code.code == refusal.code)
}

/// Whether a status that something between us and the server made up may be another one later.
fn may_pass(status: StatusCode) -> bool {
    let passing =
        [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    status.is_server_error() || passing.contains(&status)
}

fn malformed(url: &reqwest::Url, reason: &str) -> Broken {
    let (url, reason) = (url.to_string(), reason.to_owned());
    Broken::Final(EventClientError::Malformed { url, reason })
}

/// The innermost cause says most: "connection refused" rather than "error sending request".
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
