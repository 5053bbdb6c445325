//! One HTTP request: which method or page it is for, and its answer in the right envelope (protocol 6.1 and 6.2).

use super::body::{AnswerBody, keep, read};
use super::envelope::json;
use super::json_rpc;
use super::session::Caller;
use super::shared::{REQUEST_ID, Shared};
use super::sse;
use super::table::Method;
use super::ws;
use crate::alarm::Alarm;
use crate::codes::{self, StableError};
use crate::endpoint::Verb;
use crate::error::{Refusal, RpcError};
use bytes::Bytes;
use futures::FutureExt;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request, Response, StatusCode};
use jsonrpsee::types::Id;
use serde::Serialize;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument;

/// Room for what a JSON-RPC request has around its parameters.
const JSON_RPC_REST_LEN_MAX: usize = 4 * 1024;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

type Answer = Response<AnswerBody>;

/// Answers one request. `connection` is held by a WebSocket for as long as it lives.
pub(super) async fn answer(
    shared: Arc<Shared>,
    connection: Arc<OwnedSemaphorePermit>,
    request: Request<Incoming>,
) -> Answer {
    let id = shared.request_ids.of(request.headers());
    let span =
        tracing::debug_span!("request", ?id, client = ?request.headers().get("cf-connecting-ip"));
    let routed = AssertUnwindSafe(route(&shared, connection, request).instrument(span));
    let mut answer = routed.catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(?id, "answering a request panicked");
        refuse(&shared, codes::INTERNAL)
    });
    let headers = answer.headers_mut();
    headers.insert(REQUEST_ID, id);
    if shared.cors {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(""));
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    answer
}

async fn route(
    shared: &Arc<Shared>,
    connection: Arc<OwnedSemaphorePermit>,
    mut request: Request<Incoming>,
) -> Answer {
    use hyper::Method as Http;
    let verb = request.method().clone();
    if verb == Http::OPTIONS && shared.cors {
        return preflight();
    }
    if verb == Http::GET || verb == Http::HEAD {
        let page = shared.pages.answer(request.uri().path(), request.headers());
        if let Some(page) = page.filter(|_| !ws::is_upgrade(&request)) {
            return page;
        }
    }
    // The originals build urls by appending to a base that may end in a slash.
    let path = request.uri().path().to_owned();
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    match (verb, segments.next(), segments.next()) {
        (Http::GET, None, None) if ws::is_upgrade(&request) => {
            ws::accept(shared, connection, &mut request)
        }
        (Http::POST, None, None) => json_rpc(shared, request).await,
        (Http::GET | Http::HEAD, Some("health"), None) => health(shared),
        (Http::GET | Http::HEAD, Some("metrics"), None) => {
            let text = (shared.probes.metrics)();
            page(StatusCode::OK, OPEN_METRICS, text.into())
        }
        (Http::GET, Some("events"), None) if shared.hub.is_some() => {
            sse::answer(shared, &request).await
        }
        (Http::POST, Some("subscribe" | "unsubscribe"), None) if shared.hub.is_some() => {
            refuse(shared, codes::SUBSCRIPTION_NEEDS_WEBSOCKET)
        }
        (verb, Some(name), None) => {
            let method = shared.registry.method(name);
            match method.map(|method| (method.spec.verb, method)) {
                Some((Verb::Get, method)) if verb == Http::GET || verb == Http::HEAD => {
                    http_rpc(shared, method, Bytes::new()).await
                }
                Some((Verb::Post, method)) if verb == Http::POST => {
                    match body(shared, request, method.spec.body_len_max).await {
                        Ok(body) => http_rpc(shared, method, body).await,
                        Err(error) => refuse(shared, error),
                    }
                }
                _ => refuse(shared, codes::NOT_FOUND),
            }
        }
        _ => refuse(shared, codes::NOT_FOUND),
    }
}

/// A call in the HTTP-RPC envelope.
async fn http_rpc(shared: &Shared, method: &Method, body: Bytes) -> Answer {
    match shared.registry.call(method, body).await {
        Ok(data) => match keep(data, &shared.memory) {
            Ok(data) => {
                page(StatusCode::OK, JSON, shared.envelope.answer(data, method.spec.is_paged))
            }
            Err(error) => refuse(shared, error),
        },
        Err(refusal) => refusal_page(shared, &refusal),
    }
}

/// Calls in the JSON-RPC envelope. What HTTP has a status for is said in the status as well.
async fn json_rpc(shared: &Shared, request: Request<Incoming>) -> Answer {
    let len_max = shared.registry.body_len_max().saturating_add(JSON_RPC_REST_LEN_MAX);
    let (status, answer) = match body(shared, request, len_max).await {
        Ok(body) => (200, json_rpc::answer(shared, &Caller::default(), &body).await),
        Err(error) => {
            let refusal = json_rpc::refuse(shared, Id::Null, error);
            (error.http_status, Some(refusal))
        }
    };
    let Some(answer) = answer else {
        let mut silence = Response::new(AnswerBody::default());
        *silence.status_mut() = StatusCode::NO_CONTENT;
        return silence;
    };
    page(to_status(status), JSON, AnswerBody::from([answer.into_bytes()]))
}

/// The body of a POST, if it may be JSON and is not too long or too slow.
async fn body(
    shared: &Shared,
    request: Request<Incoming>,
    len_max: usize,
) -> Result<Bytes, StableError> {
    if !may_be_json(request.headers()) {
        return Err(codes::WRONG_CONTENT_TYPE);
    }
    read(request.into_body(), len_max, &shared.limits, &shared.memory).await
}

/// Whether the content type says JSON, or nothing at all.
fn may_be_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(header::CONTENT_TYPE) else {
        return true;
    };
    let essence = content_type.to_str().ok().and_then(|text| text.split(';').next());
    let Some((kind, subtype)) = essence.and_then(|essence| essence.trim().split_once('/')) else {
        return false;
    };
    let subtype = subtype.to_ascii_lowercase();
    kind.eq_ignore_ascii_case("application") && (subtype == "json" || subtype.ends_with("+json"))
}

fn health(shared: &Shared) -> Answer {
    #[derive(Serialize)]
    struct Health {
        healthy: bool,
        alarms: Vec<Alarm>,
    }
    let alarms = (shared.probes.alarms)();
    let healthy = !alarms.iter().any(Alarm::makes_unhealthy);
    let status = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    page(status, JSON, json(&Health { healthy, alarms }).into())
}

/// What browsers ask before they let a page call us.
fn preflight() -> Answer {
    let mut answer = Response::new(AnswerBody::default());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    headers
        .insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET,POST,OPTIONS"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "Authorization,Content-Type,Accept,Origin,User-Agent,X-Request-Id,X-Watcher-Version,Last-Event-ID",
        ),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("1728000"));
    answer
}

/// An error that no method had a part in.
pub(super) fn refuse(shared: &Shared, error: StableError) -> Answer {
    refusal_page(shared, &RpcError::from(error).render(shared.registry.service(), ""))
}

pub(super) fn refusal_page(shared: &Shared, refusal: &Refusal) -> Answer {
    let body = shared.envelope.refusal(refusal);
    let mut answer = page(to_status(refusal.http_status), JSON, body);
    if refusal.json_rpc_code == codes::JSON_RPC_BUSY {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

fn page(status: StatusCode, content_type: HeaderValue, body: AnswerBody) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, content_type);
    answer
}

fn to_status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
