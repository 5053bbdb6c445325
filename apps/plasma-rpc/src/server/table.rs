//! A server's methods and their handlers, and the one way in which either envelope runs a call.

use super::config::Probes;
use crate::codes;
use crate::endpoint::{Endpoint, MethodSpec, Service};
use crate::error::{Refusal, RpcError};
use crate::json::{INLINE_PARSE_LEN_MAX, Rendered};
use crate::params::{RawParams, RequestParams};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use jsonrpsee::RpcModule;
use jsonrpsee::server::Methods;
use jsonrpsee::types::{ErrorObject, ErrorObjectOwned, Params};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What a handler may answer for an endpoint that answers an `A`: the value, or its JSON, rendered before.
pub trait IntoAnswer<A> {
    /// The JSON of the answer.
    ///
    /// # Errors
    /// When the value refuses to be serialized.
    fn into_answer(self) -> Result<Rendered<RawValue>, serde_json::Error>;
}

impl<A: Serialize> IntoAnswer<A> for A {
    fn into_answer(self) -> Result<Rendered<RawValue>, serde_json::Error> {
        Rendered::new(&self).map(Rendered::into_untyped)
    }
}

impl<A> IntoAnswer<A> for Rendered<A> {
    fn into_answer(self) -> Result<Rendered<RawValue>, serde_json::Error> {
        Ok(self.into_untyped())
    }
}

/// The methods of one server. Handlers share a context, and are called by many requests at once.
pub struct MethodTable<C> {
    service: Service,
    context: Arc<C>,
    methods: Vec<Method>,
}

impl<C: Send + Sync + 'static> MethodTable<C> {
    /// A table without methods.
    pub const fn new(service: Service, context: Arc<C>) -> Self {
        Self { service, context, methods: Vec::new() }
    }

    /// The same methods, and room for more that share another context.
    #[must_use]
    pub fn with_context<D: Send + Sync + 'static>(self, context: Arc<D>) -> MethodTable<D> {
        MethodTable { service: self.service, context, methods: self.methods }
    }

    /// Adds a method. The handler gets the context and valid parameters.
    ///
    /// A handler may be dropped at any await when its caller goes away. One that panics is answered as
    /// [`codes::INTERNAL`], and the server goes on.
    #[must_use]
    pub fn on<P, A, R, H, F>(mut self, endpoint: &Endpoint<P, A>, handler: H) -> Self
    where
        P: RequestParams,
        R: IntoAnswer<A>,
        H: Fn(Arc<C>, P) -> F + Send + Sync + 'static,
        F: Future<Output = Result<R, RpcError>> + Send + 'static,
    {
        let context = Arc::clone(&self.context);
        let handler = Arc::new(handler);
        let run = move |request: RequestText, is_healthy| -> BoxFuture<'static, Outcome> {
            let (context, handler) = (Arc::clone(&context), Arc::clone(&handler));
            Box::pin(async move {
                let params = parse::<P>(request, is_healthy).await?;
                let answer = handler(context, params).await?;
                answer.into_answer().map_err(|error| {
                    tracing::error!(%error, "an answer cannot be rendered");
                    RpcError::internal()
                })
            })
        };
        self.methods.push(Method {
            spec: endpoint.spec,
            in_flight: Semaphore::new(endpoint.spec.in_flight_max),
            run: Box::new(run),
        });
        self
    }

    pub(super) fn into_registry(
        self,
        probes: Probes,
        in_flight_max: usize,
        answer_len_max: usize,
    ) -> Result<Registry, DuplicateMethod> {
        let gate = Arc::new(Gate {
            service: self.service,
            probes,
            in_flight: Semaphore::new(in_flight_max.min(Semaphore::MAX_PERMITS)),
            answer_len_max,
        });
        let mut methods = BTreeMap::new();
        let mut json_rpc = RpcModule::from_arc(Arc::clone(&gate));
        for method in self.methods {
            let (name, method) = (method.spec.name, Arc::new(method));
            register(&mut json_rpc, &method).map_err(|_| DuplicateMethod(name))?;
            methods.insert(name, method);
        }
        Ok(Registry { gate, methods, json_rpc: json_rpc.into() })
    }
}

impl<C> fmt::Debug for MethodTable<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.methods.iter().map(|method| method.spec.name);
        f.debug_list().entries(names).finish()
    }
}

/// Two handlers for one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DuplicateMethod(pub(super) &'static str);

/// The methods, ready to be called by either envelope.
pub(super) struct Registry {
    gate: Arc<Gate>,
    methods: BTreeMap<&'static str, Arc<Method>>,
    json_rpc: Methods,
}

impl Registry {
    pub(super) fn service(&self) -> Service {
        self.gate.service
    }

    pub(super) fn method(&self, name: &str) -> Option<&Method> {
        self.methods.get(name).map(Arc::as_ref)
    }

    /// The same methods behind JSON-RPC.
    pub(super) const fn json_rpc(&self) -> &Methods {
        &self.json_rpc
    }

    /// Longest body of any method.
    pub(super) fn body_len_max(&self) -> usize {
        let lengths = self.methods.values().map(|method| method.spec.body_len_max);
        lengths.max().unwrap_or_default()
    }

    /// Runs a call from the HTTP-RPC envelope.
    pub(super) async fn call(&self, method: &Method, body: Bytes) -> Result<Json, Refusal> {
        self.gate.call(method, RequestText::Body(body)).await
    }
}

/// The JSON of any answer.
pub(super) type Json = Rendered<RawValue>;
type Outcome = Result<Json, RpcError>;
type Run = Box<dyn Fn(RequestText, bool) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// A method with its handler.
pub(super) struct Method {
    pub(super) spec: MethodSpec,
    in_flight: Semaphore,
    run: Run,
}

/// Parameters as they came.
enum RequestText {
    /// Body of an HTTP-RPC call.
    Body(Bytes),
    /// `params` of a JSON-RPC call.
    JsonRpc(Params<'static>),
}

/// What every call of a server has to pass.
struct Gate {
    service: Service,
    probes: Probes,
    in_flight: Semaphore,
    answer_len_max: usize,
}

impl Gate {
    /// Runs a call within the limits. Nothing of it is done when the answer is [`codes::OVERLOADED`].
    async fn call(&self, method: &Method, request: RequestText) -> Result<Json, Refusal> {
        let outcome = self.run(method, request).await;
        outcome.map_err(|error| {
            let refusal = error.render(self.service, method.spec.action);
            tracing::debug!(method = method.spec.name, code = refusal.body.code, "refused");
            refusal
        })
    }

    async fn run(&self, method: &Method, request: RequestText) -> Outcome {
        let _of_all = self.in_flight.try_acquire().map_err(|_| codes::OVERLOADED)?;
        let _of_method = method.in_flight.try_acquire().map_err(|_| codes::OVERLOADED)?;
        // What panics may leave its context in any state, as any handler may that is dropped half-way.
        let run = AssertUnwindSafe(async {
            let is_healthy = !method.spec.is_health_checked || self.probes.is_healthy();
            (method.run)(request, is_healthy).await
        });
        let answer = run.catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(method = method.spec.name, "a handler panicked");
            Err(RpcError::internal())
        })?;
        if answer.get().len() > self.answer_len_max {
            return Err(codes::ANSWER_TOO_LARGE.into());
        }
        Ok(answer)
    }
}

/// Reads and validates the parameters, off the async threads when they are long.
async fn parse<P: RequestParams>(request: RequestText, is_healthy: bool) -> Result<P, RpcError> {
    let len = match &request {
        RequestText::Body(body) => body.len(),
        RequestText::JsonRpc(params) => params.as_str().map_or(0, str::len),
    };
    let read = move || {
        let raw = match &request {
            RequestText::Body(body) => RawParams::from_body(P::NAMES, body)?,
            RequestText::JsonRpc(params) => RawParams::from_json_rpc(P::NAMES, params.as_str())?,
        };
        if !is_healthy {
            return Err(codes::SERVICE_UNAVAILABLE.into());
        }
        Ok(P::parse(&raw)?)
    };
    if len <= INLINE_PARSE_LEN_MAX {
        return read();
    }
    let outcome = tokio::task::spawn_blocking(read).await;
    outcome.unwrap_or_else(|error| {
        tracing::error!(%error, "parsing a request failed");
        Err(RpcError::internal())
    })
}

/// Puts a method behind JSON-RPC as well.
fn register(
    module: &mut RpcModule<Gate>,
    method: &Arc<Method>,
) -> Result<(), jsonrpsee::core::RegisterMethodError> {
    let callee = Arc::clone(method);
    module.register_async_method(method.spec.name, move |params, gate, _| {
        let callee = Arc::clone(&callee);
        async move {
            gate.call(&callee, RequestText::JsonRpc(params))
                .await
                .map_err(json_rpc_error)
        }
    })?;
    Ok(())
}

/// A refusal as JSON-RPC has it: a number and a text, and the same error object as in the other envelope as `data`.
pub(super) fn json_rpc_error(refusal: Refusal) -> ErrorObjectOwned {
    let message = refusal.body.description.as_ref().unwrap_or(&refusal.body.code);
    ErrorObject::owned(refusal.json_rpc_code, message.clone(), Some(refusal.body))
}
