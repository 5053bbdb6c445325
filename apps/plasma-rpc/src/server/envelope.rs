//! The envelope of the HTTP-RPC: `{"version":…,"success":…,"data":…,"service_name":…}` (protocol 6.1).

use super::body::AnswerBody;
use crate::endpoint::Service;
use crate::error::Refusal;
use bytes::Bytes;
use serde::Serialize;

/// Comes before everything that is no page.
const DATA: &str = r#""data":"#;

/// The parts that are the same in every answer of a server.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    success: Bytes,
    success_page: Bytes,
    failure: String,
    end: String,
}

impl Envelope {
    pub(super) fn new(version: &str, service: Service) -> Self {
        let version = json(&version);
        let start = |success: bool| format!(r#"{{"version":{version},"success":{success},"#);
        Self {
            success: (start(true) + DATA).into(),
            success_page: start(true).into(),
            failure: start(false) + DATA,
            end: format!(r#","service_name":"{}"}}"#, service.name()),
        }
    }

    /// Wraps an answer without copying it. Of a page, `data` and `data_paging` become members of the envelope.
    pub(super) fn answer(&self, data: Bytes, is_paged: bool) -> AnswerBody {
        let members = is_paged.then(|| members(&data)).flatten();
        let start = if members.is_some() { &self.success_page } else { &self.success };
        let end = Bytes::from(self.end.clone());
        AnswerBody::from([start.clone(), members.unwrap_or(data), end])
    }

    /// Wraps a refusal. That of an unhealthy service goes without version and name, as clients of the protocol expect it.
    pub(super) fn refusal(&self, refusal: &Refusal) -> AnswerBody {
        self.refusal_text(refusal).into()
    }

    /// The same as a text.
    pub(super) fn refusal_text(&self, refusal: &Refusal) -> String {
        let data = json(&refusal.body);
        if refusal.is_unavailable {
            return format!(r#"{{"success":false,"data":{data}}}"#);
        }
        format!("{}{data}{}", self.failure, self.end)
    }
}

/// What is between the braces of an object.
fn members(object: &Bytes) -> Option<Bytes> {
    let inside = object.strip_prefix(b"{")?.strip_suffix(b"}")?;
    Some(object.slice_ref(inside))
}

/// JSON of a value that cannot fail to be serialized: texts, numbers and JSON that was checked before.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}
