//! JSON-RPC 2.0 over any transport: one text in, one text out, or none for notifications.
//!
//! Requests of a batch run one after the other, in order. A notification is executed and nobody hears what came of it.

use super::body::count;
use super::envelope::json;
use super::memory::Charge;
use super::session::Caller;
use super::shared::Shared;
use super::table::json_rpc_error;
use crate::codes::{self, StableError};
use crate::error::RpcError;
use bytes::Bytes;
use jsonrpsee::server::{ConnectionId, Extensions, MethodCallback, MethodResponse};
use jsonrpsee::types::{Id, Params, TwoPointZero};
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// An answer and its share of the memory, to be kept until it is written.
pub(super) struct Answer {
    pub(super) text: String,
    charges: Vec<Charge>,
}

impl Answer {
    /// The text as bytes that count until the last of them is dropped.
    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// Answers a text. `None` when it holds only notifications.
pub(super) async fn answer(shared: &Shared, caller: &Caller<'_>, request: &[u8]) -> Option<Answer> {
    let Ok(text) = std::str::from_utf8(request) else {
        return Some(refuse(shared, Id::Null, codes::MALFORMED_BODY));
    };
    if !text.trim_ascii_start().starts_with('[') {
        return answer_one(shared, caller, text).await;
    }
    let len_max = shared.limits.json_rpc_batch_len_max;
    match parse_batch(text, len_max) {
        Ok(requests) if requests.is_empty() => Some(refuse(shared, Id::Null, codes::NOT_JSON_RPC)),
        Ok(requests) if requests.len() > len_max => {
            Some(refuse(shared, Id::Null, codes::BATCH_TOO_LONG))
        }
        Ok(requests) => answer_batch(shared, caller, &requests).await,
        Err(_) => Some(refuse(shared, Id::Null, codes::MALFORMED_BODY)),
    }
}

/// An answer that says no.
pub(super) fn refuse(shared: &Shared, id: Id<'_>, error: StableError) -> Answer {
    refuse_for(shared, id, &error.into())
}

fn refuse_for(shared: &Shared, id: Id<'_>, error: &RpcError) -> Answer {
    let refusal = error.render(shared.registry.service(), "");
    let response = MethodResponse::error(id, json_rpc_error(refusal));
    Answer { text: response.as_json().get().to_owned(), charges: Vec::new() }
}

async fn answer_batch(
    shared: &Shared,
    caller: &Caller<'_>,
    requests: &[&RawValue],
) -> Option<Answer> {
    let mut batch = Answer { text: String::new(), charges: Vec::new() };
    for request in requests {
        // What was done is always told; what would make the answer too long is not even begun.
        let answer = if batch.text.len() < shared.limits.answer_len_max {
            answer_one(shared, caller, request.get()).await
        } else {
            let id = parse_request(request.get()).ok().and_then(|request| request.id);
            id.map(|id| refuse(shared, id, codes::ANSWER_TOO_LARGE))
        };
        if let Some(answer) = answer {
            batch.text.push(if batch.text.is_empty() { '[' } else { ',' });
            batch.text.push_str(&answer.text);
            batch.charges.extend(answer.charges);
        }
    }
    if batch.text.is_empty() {
        return None;
    }
    batch.text.push(']');
    Some(batch)
}

async fn answer_one(shared: &Shared, caller: &Caller<'_>, text: &str) -> Option<Answer> {
    let request = match parse_request(text) {
        Ok(request) => request,
        Err(error) => return Some(refuse(shared, Id::Null, error)),
    };
    let method = shared.registry.json_rpc().method_with_name(&request.method);
    let Some((_, MethodCallback::Async(callback))) = method else {
        return answer_subscriber(shared, caller, request).await;
    };
    let response = callback(
        request.id.clone().unwrap_or(Id::Null).into_owned(),
        Params::new(request.params.map(RawValue::get)).into_owned(),
        ConnectionId(0),
        usize::MAX,
        Extensions::new(),
    )
    .await;
    let id = request.id?;
    let text = String::from(Box::<str>::from(response.into_json()));
    match count(text.len(), &shared.memory) {
        Ok(charge) => Some(Answer { text, charges: vec![charge] }),
        Err(error) => Some(refuse(shared, id, error)),
    }
}

/// Answers what is no method of the table. Nobody subscribes with a notification: its id could not be told.
async fn answer_subscriber(
    shared: &Shared,
    caller: &Caller<'_>,
    request: Request<'_>,
) -> Option<Answer> {
    let id = request.id?;
    let params = request.params.map(RawValue::get);
    match caller.answer(shared, &request.method, params).await {
        Some(Ok(result)) => {
            let id = json(&id);
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
            Some(Answer { text, charges: Vec::new() })
        }
        Some(Err(error)) => Some(refuse_for(shared, id, &error)),
        None => Some(refuse(shared, id, codes::NOT_FOUND)),
    }
}

struct Request<'a> {
    /// Missing in a notification.
    id: Option<Id<'a>>,
    method: Cow<'a, str>,
    params: Option<&'a RawValue>,
}

/// Reads one request, and tells what is no JSON from what is no request.
fn parse_request(text: &str) -> Result<Request<'_>, StableError> {
    #[derive(Deserialize)]
    struct Fields<'a> {
        #[serde(rename = "jsonrpc")]
        _version: TwoPointZero,
        #[serde(borrow, default, deserialize_with = "present")]
        id: Option<Id<'a>>,
        #[serde(borrow)]
        method: Cow<'a, str>,
        #[serde(borrow, default)]
        params: Option<&'a RawValue>,
    }
    serde_json::from_str::<Fields<'_>>(text)
        .map(|fields| Request { id: fields.id, method: fields.method, params: fields.params })
        .map_err(|_| match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => codes::NOT_JSON_RPC,
            Err(_) => codes::MALFORMED_BODY,
        })
}

/// An id that is there, even if it is null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Id<'de>>, D::Error> {
    Id::deserialize(deserializer).map(Some)
}

/// The requests of a batch, or the first of them when there are more than allowed: always one more than that.
fn parse_batch(text: &str, len_max: usize) -> serde_json::Result<Vec<&RawValue>> {
    struct Requests {
        len_max: usize,
    }
    impl<'de> Visitor<'de> for Requests {
        type Value = Vec<&'de RawValue>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array of requests")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut requests = Vec::new();
            while let Some(request) = seq.next_element()? {
                if requests.len() <= self.len_max {
                    requests.push(request);
                }
            }
            Ok(requests)
        }
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let requests = Deserializer::deserialize_seq(&mut json, Requests { len_max })?;
    json.end()?;
    Ok(requests)
}
