//! The envelope of the HTTP-RPC: `{"version":…,"success":…,"data":…,"service_name":…}` (protocol 6.1).

use super::body::AnswerBody;
use crate::endpoint::Service;
use crate::error::Refusal;
use bytes::Bytes;
use serde::Serialize;

/// The parts that are the same in every answer of a server.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    success: Bytes,
    failure: String,
    end: String,
}

impl Envelope {
    pub(super) fn new(version: &str, service: Service) -> Self {
        let version = json(&version);
        let start = |success: bool| format!(r#"{{"version":{version},"success":{success},"data":"#);
        Self {
            success: start(true).into(),
            failure: start(false),
            end: format!(r#","service_name":"{}"}}"#, service.name()),
        }
    }

    /// Wraps an answer without copying it.
    pub(super) fn answer(&self, data: Bytes) -> AnswerBody {
        AnswerBody::from([self.success.clone(), data, Bytes::from(self.end.clone())])
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

/// JSON of a value that cannot fail to be serialized: texts, numbers and JSON that was checked before.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}
