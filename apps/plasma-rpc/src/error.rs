//! What a method answers when it does not do what was asked, and how that is rendered (protocol 6.1, 6.2 and 6.6).
//!
//! A handler never builds a code by hand: it names a [`StableError`] or a reason, and the server adds the action of the method.

use crate::codes::{self, JSON_RPC_REFUSED, StableError};
use crate::endpoint::Service;
use crate::params::ParamError;
use plasma_core::state::ExecError;
use plasma_core::wire::signing::RecoverError;
use plasma_core::wire::{DecodeTxError, RecoverTxError};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use std::borrow::Cow;
use std::fmt;

/// Why a call is refused.
#[derive(Clone, Debug)]
pub struct RpcError {
    cause: Cause,
    messages: Option<Box<RawValue>>,
}

#[derive(Clone, Debug)]
enum Cause {
    /// An error with a code of its own.
    Stable(StableError),
    /// A reason that is an atom in the original: `<action>:<reason>`.
    Reason(Cow<'static, str>),
    /// A reason that is a string in the original: `<action>"<reason>"`.
    Text(Cow<'static, str>),
}

impl RpcError {
    /// A refusal for a reason, such as `utxo_not_found`. A watcher renders some reasons with a code of their own
    /// ([`Service::stable_error`]), everything else becomes `<action>:<reason>` without a description.
    pub fn reason(reason: impl Into<Cow<'static, str>>) -> Self {
        Cause::Reason(reason.into()).into()
    }

    /// A refusal for a reason that is a string in the original.
    pub(crate) fn text(text: impl Into<Cow<'static, str>>) -> Self {
        Cause::Text(text.into()).into()
    }

    /// A broken part or a bug. What went wrong belongs into the log, not into the answer.
    pub fn internal() -> Self {
        codes::INTERNAL.into()
    }

    /// The child chain refused what this server forwarded: `<action>:client_error`, with its error as `messages`.
    pub fn client_error(refusal: &ErrorBody) -> Self {
        Self::reason("client_error").with_messages(refusal)
    }

    /// Adds details for programs. Details that cannot be rendered are left out.
    #[must_use]
    pub fn with_messages(mut self, messages: &impl Serialize) -> Self {
        self.messages = to_raw_value(messages).ok();
        self
    }

    /// The reason or the code, without an action.
    pub fn name(&self) -> &str {
        match &self.cause {
            Cause::Stable(error) => error.code,
            Cause::Reason(reason) | Cause::Text(reason) => reason,
        }
    }

    /// What a caller of this method at this server sees.
    pub fn render(&self, service: Service, action: &str) -> Refusal {
        let stable = match &self.cause {
            Cause::Stable(error) => Some(*error),
            Cause::Reason(reason) => service.stable_error(reason),
            Cause::Text(_) => None,
        };
        let code = match (&stable, &self.cause) {
            (Some(error), _) => error.code.to_owned(),
            (None, Cause::Text(text)) => format!("{action}{text:?}"),
            (None, _) => format!("{action}:{}", self.name()),
        };
        Refusal {
            body: ErrorBody {
                code,
                description: stable.map(|error| error.description.to_owned()),
                messages: self.messages.clone(),
            },
            http_status: stable.map_or(200, |error| error.http_status),
            json_rpc_code: stable.map_or(JSON_RPC_REFUSED, |error| error.json_rpc_code),
            is_unavailable: stable == Some(codes::SERVICE_UNAVAILABLE),
        }
    }
}

/// A rendered [`RpcError`].
#[derive(Clone, Debug)]
pub struct Refusal {
    /// What is in `data` of either envelope.
    pub body: ErrorBody,
    /// Status in the HTTP-RPC envelope.
    pub http_status: u16,
    /// `error.code` in the JSON-RPC envelope.
    pub json_rpc_code: i32,
    /// Whether the HTTP-RPC envelope goes without `version` and `service_name`.
    pub is_unavailable: bool,
}

/// The error object: `{"object":"error","code":…,"description":…}`, and `messages` when there are any.
#[derive(Clone, Debug, Deserialize)]
pub struct ErrorBody {
    /// What to compare with.
    pub code: String,
    /// What to show, if there is a text.
    #[serde(default)]
    pub description: Option<String>,
    /// Details, as JSON.
    #[serde(default)]
    pub messages: Option<Box<RawValue>>,
}

impl JsonSchema for ErrorBody {
    fn schema_name() -> Cow<'static, str> {
        "ErrorObject".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "required": ["object", "code", "description"],
            "properties": {
                "object": {"const": "error"},
                "code": {"description": "What to compare with.", "type": "string"},
                "description": {
                    "description": "What to show, if there is a text.",
                    "type": ["string", "null"],
                },
                "messages": {
                    "description": "Details, if there are any: such as the first parameter that fails, and the validator it fails.",
                },
            },
        })
    }
}

impl Serialize for ErrorBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("object", "error")?;
        map.serialize_entry("code", &self.code)?;
        map.serialize_entry("description", &self.description)?;
        if let Some(messages) = &self.messages {
            map.serialize_entry("messages", messages)?;
        }
        map.end()
    }
}

impl fmt::Display for ErrorBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)?;
        if let Some(description) = &self.description {
            write!(f, ": {description}")?;
        }
        if let Some(messages) = &self.messages {
            write!(f, " {messages}")?;
        }
        Ok(())
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for RpcError {}

impl From<Cause> for RpcError {
    fn from(cause: Cause) -> Self {
        Self { cause, messages: None }
    }
}

impl From<StableError> for RpcError {
    fn from(error: StableError) -> Self {
        Cause::Stable(error).into()
    }
}

impl From<ParamError> for RpcError {
    fn from(error: ParamError) -> Self {
        #[derive(Serialize)]
        struct Messages {
            validation_error: ValidationError,
        }
        #[derive(Serialize)]
        struct ValidationError {
            parameter: String,
            validator: String,
        }
        Self::from(codes::BAD_PARAMETERS).with_messages(&Messages {
            validation_error: ValidationError {
                parameter: error.parameter,
                validator: error.validator.to_string(),
            },
        })
    }
}

impl From<DecodeTxError> for RpcError {
    fn from(error: DecodeTxError) -> Self {
        Self::reason(error.to_string())
    }
}

impl From<RecoverTxError> for RpcError {
    fn from(error: RecoverTxError) -> Self {
        match error {
            // The one reason that is a string in the original and leaks as such (protocol 1.4).
            RecoverTxError::Witness(RecoverError::RecoveryIdNotU8) => Self::text(error.to_string()),
            _ => Self::reason(error.to_string()),
        }
    }
}

impl From<ExecError> for RpcError {
    fn from(error: ExecError) -> Self {
        Self::reason(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: impl Into<RpcError>, service: Service, code: &str, description: Option<&str>) {
        let refusal = error.into().render(service, "submit");
        assert_eq!(refusal.body.code, code);
        assert_eq!(refusal.body.description.as_deref(), description, "{code}");
    }

    #[test]
    fn reasons_are_rendered_by_rule_or_with_a_code_of_their_own() {
        use Service::{ChildChain, Watcher};
        check(RpcError::reason("utxo_not_found"), ChildChain, "submit:utxo_not_found", None);
        check(
            RpcError::reason("utxo_not_found"),
            Watcher,
            "exit:invalid",
            Some("Utxo was spent or does not exist."),
        );
        check(RecoverTxError::MissingSignature, ChildChain, "submit:missing_signature", None);
        check(
            RecoverTxError::MissingSignature,
            Watcher,
            "submit_typed:missing_signature",
            Some("The transaction has fewer signatures than inputs."),
        );
        check(DecodeTxError::MalformedRlp, Watcher, "submit:malformed_transaction_rlp", None);
        check(
            RecoverTxError::Witness(RecoverError::RecoveryIdNotU8),
            Watcher,
            r#"submit"recovery_id_not_u8""#,
            None,
        );
        check(
            RecoverTxError::Witness(RecoverError::Corrupted),
            Watcher,
            "submit:corrupted_witness",
            None,
        );
        check(ExecError::UnauthorizedSpend, ChildChain, "submit:unauthorized_spend", None);
        check(
            codes::NOT_FOUND,
            Watcher,
            "operation:not_found",
            Some("Operation cannot be found. Check request URL."),
        );
    }

    #[test]
    fn the_error_object_has_messages_only_when_there_are_some() {
        let render = |error: RpcError| {
            serde_json::to_string(&error.render(Service::Watcher, "submit").body).unwrap()
        };
        let refused = RpcError::reason("utxo_not_found").render(Service::ChildChain, "submit");
        assert_eq!(
            render(RpcError::client_error(&refused.body)),
            r#"{"object":"error","code":"submit:client_error","description":null,"messages":{"object":"error","code":"submit:utxo_not_found","description":null}}"#
        );
        assert_eq!(
            render(RpcError::reason("host_unreachable")),
            r#"{"object":"error","code":"submit:host_unreachable","description":null}"#
        );
    }

    #[test]
    fn codes_that_differ_in_meaning_differ_in_text() {
        for (index, error) in codes::ALL.iter().enumerate() {
            let rest = codes::ALL.iter().skip(index + 1);
            assert!(rest.clone().all(|other| other != error), "{error:?}");
            assert!(rest.clone().all(|other| other.description != error.description));
        }
    }
}
