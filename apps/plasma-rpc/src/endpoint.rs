//! A method of a server as a constant: its name, its action, its limits, and the types of its parameters and its answer.
//!
//! Servers register handlers for endpoints and clients call them, so both sides speak of the very same thing. The constants are
//! in [`child_chain`](crate::child_chain), [`watcher`](crate::watcher) and [`info`](crate::info).

use crate::info::Page;
use crate::params::{ParamError, RequestParams};
use crate::refusals::Refusals;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;
use serde_json::value::RawValue;
use std::marker::PhantomData;

/// Which of our servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The operator's node.
    ChildChain,
    /// A watching node.
    Watcher,
    /// A watching node that answers from a database as well.
    WatcherInfo,
}

impl Service {
    /// `service_name` in the envelope.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChildChain => "child_chain",
            Self::Watcher => "watcher",
            Self::WatcherInfo => "watcher_info",
        }
    }
}

/// How a method is called in the HTTP-RPC envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Without parameters; a body is ignored.
    Get,
    /// With an object as the body; a query is ignored.
    Post,
}

/// What a server has to know of a method before it reads a request.
#[derive(Clone, Copy, Debug)]
pub struct MethodSpec {
    /// The name: path of the HTTP-RPC call, `method` of the JSON-RPC call.
    pub name: &'static str,
    /// What error codes begin with; differs from the name (protocol 6.6).
    pub action: &'static str,
    /// How it is called in the HTTP-RPC envelope.
    pub verb: Verb,
    /// Whether it is refused while an alarm makes the service unhealthy.
    pub is_health_checked: bool,
    /// Whether the answer is a page: an object of `data` and `data_paging`, which the HTTP-RPC envelope takes apart.
    pub is_paged: bool,
    /// Longest request body in bytes.
    pub body_len_max: usize,
    /// How many calls of this method may run at once.
    pub in_flight_max: usize,
    /// What it is for: the text above its constant, as `endpoints!` hands it on.
    pub doc: &'static str,
    /// Why it may refuse, besides what any method may answer.
    pub refusals: &'static [Refusals],
    /// Its types as JSON Schemas.
    pub schemas: Schemas,
}

/// The types of a method, for documents.
#[derive(Clone, Copy, Debug)]
pub struct Schemas {
    /// Name of the parameters' type.
    pub params_name: fn() -> String,
    /// Names of the parameters, in their order.
    pub names: &'static [&'static str],
    /// What the parser of the parameters takes.
    pub params: fn() -> Result<Value, ParamError>,
    /// The parameters as a type, which has the descriptions.
    pub params_type: fn(&mut SchemaGenerator) -> Schema,
    /// The answer.
    pub answer: fn(&mut SchemaGenerator) -> Schema,
}

/// A method with parameters `P` that answers an `A`.
#[derive(Debug)]
pub struct Endpoint<P, A> {
    /// Everything but the types.
    pub spec: MethodSpec,
    types: PhantomData<fn(P) -> A>,
}

/// Defines endpoints whose documentation is also known to programs.
macro_rules! endpoints {
    ($($(#[doc = $doc:literal])* $visibility:vis const $name:ident: $type:ty = $endpoint:expr;)*) => {
        $(
            $(#[doc = $doc])*
            $visibility const $name: $type = $endpoint.doc(concat!($($doc, "\n"),*));
        )*
    };
}
pub(crate) use endpoints;

/// Longest body of a method that says nothing else: some keys and one transaction.
pub const BODY_LEN_MAX: usize = 64 * 1024;
/// How many calls of a method may run at once when it says nothing else.
pub const IN_FLIGHT_MAX: usize = 256;

impl<P, T> Endpoint<P, Page<T>> {
    /// Has the HTTP-RPC envelope tell `data_paging` beside `data`.
    #[must_use]
    pub const fn paged(mut self) -> Self {
        self.spec.is_paged = true;
        self
    }
}

impl<P, A> Endpoint<P, A> {
    /// The same method, whose answer the caller takes as it is.
    pub const fn untyped(&self) -> Endpoint<P, Box<RawValue>> {
        Endpoint { spec: self.spec, types: PhantomData }
    }
}

impl<P: RequestParams + JsonSchema, A: JsonSchema> Endpoint<P, A> {
    /// A method without parameters that is called with GET.
    pub const fn get(name: &'static str, action: &'static str) -> Self {
        Self::new(name, action, Verb::Get)
    }

    /// A method that is called with POST.
    pub const fn post(name: &'static str, action: &'static str) -> Self {
        Self::new(name, action, Verb::Post)
    }

    /// Refuses the method while the service is unhealthy.
    #[must_use]
    pub const fn health_checked(mut self) -> Self {
        self.spec.is_health_checked = true;
        self
    }

    /// Takes longer bodies than [`BODY_LEN_MAX`].
    #[must_use]
    pub const fn body_len_max(mut self, bytes: usize) -> Self {
        self.spec.body_len_max = bytes;
        self
    }

    /// Runs fewer calls at once than [`IN_FLIGHT_MAX`].
    #[must_use]
    pub const fn in_flight_max(mut self, calls: usize) -> Self {
        self.spec.in_flight_max = calls;
        self
    }

    /// Says what it is for; see `endpoints!`.
    #[must_use]
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.spec.doc = doc;
        self
    }

    /// Says why it may refuse, besides what any method may answer.
    #[must_use]
    pub const fn refuses(mut self, refusals: &'static [Refusals]) -> Self {
        self.spec.refusals = refusals;
        self
    }

    const fn new(name: &'static str, action: &'static str, verb: Verb) -> Self {
        Self {
            spec: MethodSpec {
                name,
                action,
                verb,
                is_health_checked: false,
                is_paged: false,
                body_len_max: BODY_LEN_MAX,
                in_flight_max: IN_FLIGHT_MAX,
                doc: "",
                refusals: &[],
                schemas: Schemas {
                    params_name: || P::schema_name().into_owned(),
                    names: P::NAMES,
                    params: P::schema,
                    params_type: P::json_schema,
                    answer: SchemaGenerator::subschema_for::<A>,
                },
            },
            types: PhantomData,
        }
    }
}
