//! Subscriptions over the wire: what `subscribe` and `unsubscribe` take, and what subscribers are told (docs/protocol/rpc.md).
//!
//! It must never decide what is told or when: that is the server's part ([`server::EventLog`](crate::server::EventLog)). Everything
//! here is a text form: of a topic, of a place in several topics, of an event.

mod cursor;
mod data;
mod exit_data;
mod start;
mod topic;

pub(crate) use cursor::STREAM_TOPICS_MAX;
pub use cursor::{BadCursor, EventCursor};
pub use data::{
    BlockEvent, ConditionChange, ConditionEvent, DepositEvent, StatusEvent, TransferEvent,
    TransferOutput, TransferType,
};
pub use exit_data::{ExitDetails, ExitEventData};
pub use start::{BadStart, Start};
pub use topic::{TOPIC_LEN_MAX, TopicName, UnknownTopic};

use crate::endpoint::Endpoint;
use crate::error::ErrorBody;
use crate::params::{Check, ParamError, RawParams, RequestParams, Validator};
use chrono::{DateTime, SecondsFormat};
use plasma_core::wire::Blknum;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Begins a subscription. Only over a WebSocket; answers its id.
pub const SUBSCRIBE: Endpoint<SubscribeParams, String> = Endpoint::post("subscribe", "subscribe");
/// Ends a subscription of the same socket. Answers whether there was one.
pub const UNSUBSCRIBE: Endpoint<UnsubscribeParams, bool> =
    Endpoint::post("unsubscribe", "unsubscribe");
/// `method` of everything that a subscriber is told.
pub const EVENT: &str = "event";
/// Path of the server-sent events.
pub const EVENTS_PATH: &str = "/events";

/// Parameters of [`SUBSCRIBE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SubscribeParams {
    /// What to follow.
    pub topic: TopicName,
    /// Where to begin.
    #[serde(skip_serializing_if = "Start::is_news")]
    pub from: Start,
}

/// Parameters of [`UNSUBSCRIBE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnsubscribeParams {
    /// What [`SUBSCRIBE`] answered.
    pub subscription: String,
}

/// One event as subscribers get it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventObject {
    /// What it belongs to.
    pub topic: TopicName,
    /// Its number in the topic: one more than that of the event before.
    pub sequence: u64,
    /// `<topic>:<sequence>`: the same event has the same id for ever, whoever tells it.
    pub id: String,
    /// When the node learned of it: ISO 8601 in UTC, to the second.
    pub at: String,
    /// What happened; its shape depends on the topic.
    pub data: Box<RawValue>,
}

/// `params` of a notification.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Notification {
    /// What [`SUBSCRIBE`] answered.
    pub subscription: String,
    /// The event, or why the subscription is over.
    #[serde(flatten)]
    pub told: Told,
}

/// What a notification says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// An event.
    Result(EventObject),
    /// The subscription is over, and why.
    Error(ErrorBody),
}

impl EventObject {
    /// An event with this number, which the node learned of at this time.
    pub fn new(topic: TopicName, sequence: u64, at_ms: u64, data: Box<RawValue>) -> Self {
        Self { topic, sequence, id: format!("{topic}:{sequence}"), at: iso_8601(at_ms), data }
    }
}

/// ISO 8601 in UTC, to the second. Times beyond the calendar are shown as its beginning.
fn iso_8601(at_ms: u64) -> String {
    let time = i64::try_from(at_ms).ok().and_then(DateTime::from_timestamp_millis);
    time.unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl RequestParams for SubscribeParams {
    const NAMES: &'static [&'static str] = &["topic", "from"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        let topic = raw.field("topic").name(|name| name.parse().ok())?;
        let Some(from) = raw.field("from").optional() else {
            return Ok(Self { topic, from: Start::News });
        };
        let from = from.map(&["sequence", "blknum"])?;
        let (sequence, blknum) = (from.field("sequence"), from.field("blknum"));
        let from = match (sequence.optional(), blknum.optional()) {
            (Some(_), Some(both)) => return Err(both.fails(Validator::Name)),
            (None, Some(blknum)) => Start::Blknum(Blknum::new(blknum.u64(Check::Greater(-1))?)),
            // Without either, the error names the first.
            (Some(sequence), None) => Start::Sequence(sequence.u64(Check::Greater(0))?),
            (None, None) => Start::Sequence(from.field("sequence").u64(Check::Greater(0))?),
        };
        Ok(Self { topic, from })
    }
}

impl RequestParams for UnsubscribeParams {
    const NAMES: &'static [&'static str] = &["subscription"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        let subscription = raw.field("subscription").name(|id| Some(id.to_owned()))?;
        Ok(Self { subscription })
    }
}
