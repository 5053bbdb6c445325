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

use crate::codes;
use crate::endpoint::{Endpoint, endpoints};
use crate::error::ErrorBody;
use crate::params::{Check, ParamError, RawParams, RequestParams, Validator};
use crate::refusals::Refusals;
use chrono::{DateTime, SecondsFormat};
use plasma_core::wire::Blknum;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

endpoints! {
    /// Begins a subscription. Only over a WebSocket; answers its id.
    pub const SUBSCRIBE: Endpoint<SubscribeParams, String> = Endpoint::post("subscribe", "subscribe")
            .refuses(&[
                Refusals::Stable(codes::SUBSCRIPTION_NEEDS_WEBSOCKET),
                Refusals::Stable(codes::SUBSCRIPTION_TOO_MANY),
                Refusals::Stable(codes::SUBSCRIPTION_BEYOND_HEAD),
                Refusals::Stable(codes::EVENTS_UNAVAILABLE),
            ]);
    /// Ends a subscription of the same socket. Answers whether there was one.
    pub const UNSUBSCRIBE: Endpoint<UnsubscribeParams, bool> =
        Endpoint::post("unsubscribe", "unsubscribe")
            .refuses(&[Refusals::Stable(codes::SUBSCRIPTION_NEEDS_WEBSOCKET)]);
}

/// `method` of everything that a subscriber is told.
pub const EVENT: &str = "event";
/// Path of the server-sent events.
pub const EVENTS_PATH: &str = "/events";

/// Parameters of [`SUBSCRIBE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SubscribeParams {
    /// What to follow.
    #[schemars(with = "String")]
    pub topic: TopicName,
    /// Where to begin.
    #[serde(skip_serializing_if = "Start::is_news")]
    #[schemars(with = "serde_json::Value")]
    pub from: Start,
}

/// Parameters of [`UNSUBSCRIBE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UnsubscribeParams {
    /// What [`SUBSCRIBE`] answered.
    pub subscription: String,
}

/// One event as subscribers get it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EventObject {
    /// What it belongs to.
    #[schemars(with = "String")]
    pub topic: TopicName,
    /// Its number in the topic: one more than that of the event before.
    pub sequence: u64,
    /// `<topic>:<sequence>`: the same event has the same id for ever, whoever tells it.
    pub id: String,
    /// When the node learned of it: ISO 8601 in UTC, to the second.
    pub at: String,
    /// What happened; its shape depends on the topic.
    #[schemars(schema_with = "data_schema")]
    pub data: Box<RawValue>,
}

/// `params` of a notification.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Notification {
    /// What [`SUBSCRIBE`] answered.
    pub subscription: String,
    /// The event, or why the subscription is over.
    #[serde(flatten)]
    pub told: Told,
}

/// What a notification says.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// An event.
    Result(EventObject),
    /// The subscription is over, and why.
    Error(ErrorBody),
}

/// Not derived: what is flattened is read by way of values, and JSON as it was written is not one.
impl<'de> Deserialize<'de> for Notification {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Parts {
            subscription: String,
            result: Option<EventObject>,
            error: Option<ErrorBody>,
        }
        let Parts { subscription, result, error } = Parts::deserialize(deserializer)?;
        let told = match (result, error) {
            (Some(event), None) => Told::Result(event),
            (None, Some(error)) => Told::Error(error),
            _ => return Err(D::Error::custom("a notification has either a result or an error")),
        };
        Ok(Self { subscription, told })
    }
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

    fn schema() -> Result<serde_json::Value, ParamError> {
        Ok(subscribe_schema())
    }
}

/// What events of the topics say.
fn data_schema(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"anyOf": [
        generator.subschema_for::<ConditionEvent>(),
        generator.subschema_for::<BlockEvent>(),
        generator.subschema_for::<DepositEvent>(),
        generator.subschema_for::<ExitEventData<'_>>(),
        generator.subschema_for::<StatusEvent>(),
        generator.subschema_for::<TransferEvent>(),
    ]})
}

/// What the parser does not say: the topics, and that a start is one of two.
fn subscribe_schema() -> serde_json::Value {
    let start = |name: &str, lowest: u64| {
        json!({
            "type": "object",
            "required": [name],
            "properties": {name: {"type": "integer", "minimum": lowest, "maximum": u64::MAX}},
        })
    };
    json!({
        "type": "object",
        "required": ["topic"],
        "properties": {
            "topic": {
                "type": "string",
                "pattern": "^(byzantine|blocks|deposits|exits|status|transfer:0x[0-9a-fA-F]{40})$",
            },
            "from": {
                "description": "Where to begin; without it, with what happens from now on.",
                "type": ["object", "null"],
                "oneOf": [{"type": "null"}, start("sequence", 1), start("blknum", 0)],
            },
        },
    })
}

impl RequestParams for UnsubscribeParams {
    const NAMES: &'static [&'static str] = &["subscription"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        let subscription = raw.field("subscription").name(|id| Some(id.to_owned()))?;
        Ok(Self { subscription })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_survives_a_round_trip_and_its_data_stays_as_it_was_written() {
        let big = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
        let event = format!(
            r#"{{"topic":"blocks","sequence":17,"id":"blocks:17","at":"2026-11-21T10:00:00Z","data":{{"amount": {big}}}}}"#
        );
        let error = r#"{"object":"error","code":"subscription:too_slow","description":"","messages":{"next":18}}"#;
        for (text, is_event) in [
            (format!(r#"{{"subscription":"4","result":{event}}}"#), true),
            (format!(r#"{{"subscription":"4","error":{error}}}"#), false),
        ] {
            let read: Notification = serde_json::from_str(&text).unwrap();
            assert_eq!(matches!(read.told, Told::Result(_)), is_event);
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
        for nonsense in [
            r#"{"subscription":"4"}"#.to_owned(),
            format!(r#"{{"subscription":"4","result":{event},"error":{error}}}"#),
            format!(r#"{{"result":{event}}}"#),
            format!(r#"{{"subscription":"4","result":{error}}}"#),
        ] {
            assert!(serde_json::from_str::<Notification>(&nonsense).is_err(), "{nonsense}");
        }
    }
}
