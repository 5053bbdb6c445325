//! OpenAPI 3.1 of a server: every method in the HTTP-RPC envelope, and the pages.
//!
//! Status 200 also says no, as in the protocol: an answer is one of success, refusal, and a refusal without version and name while
//! the service is unhealthy.

use super::examples::{Example, of_method};
use super::schemas::Schemas;
use super::{DocumentError, DocumentedServer, object_of, texts};
use crate::codes;
use crate::endpoint::{MethodSpec, Service, Verb};
use crate::error::{ErrorBody, Refusal, RpcError};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The statuses of refusals that are the same for every method.
const STATUSES: &[(u16, &str, &str)] = &[
    (400, "MalformedBody", "The body is no JSON."),
    (408, "BodyTooSlow", "The body did not arrive in time."),
    (413, "BodyTooLarge", "The body is longer than the method takes."),
    (415, "WrongContentType", "The content type is something else than JSON."),
    (
        500,
        "Internal",
        "A bug or a broken part of the server. Its log says more under the request id.",
    ),
];

pub(super) fn document(
    server: &DocumentedServer,
    examples: &[Example],
) -> Result<Value, DocumentError> {
    let mut schemas = Schemas::new();
    let mut paths = pages(server);
    let mut tags = BTreeSet::new();
    for method in server.methods() {
        tags.insert(object_of(method));
        let verb = match method.verb {
            Verb::Get => "get",
            Verb::Post => "post",
        };
        let operation = operation(server, method, &mut schemas, examples)?;
        paths.insert(format!("/{}", method.name), json!({verb: operation}));
    }
    let mut components = schemas.into_components();
    components.insert("Unavailable".to_owned(), unavailable());
    components.insert("Health".to_owned(), health());
    Ok(json!({
        "openapi": "3.1.0",
        "info": server.info(),
        "servers": [{"url": format!("http://localhost:{}", server.port)}],
        "tags": tags.iter().map(|tag| json!({"name": tag})).collect::<Vec<_>>(),
        "paths": paths,
        "components": {"schemas": components, "responses": responses(server.service)},
    }))
}

fn operation(
    server: &DocumentedServer,
    method: &MethodSpec,
    schemas: &mut Schemas,
    examples: &[Example],
) -> Result<Value, DocumentError> {
    let examples: Vec<&Example> = of_method(examples, method).collect();
    let (summary, description) = texts(method);
    let mut responses = Map::new();
    let refusals = server.refusals(method);
    let answer =
        if method.is_paged { schemas.resolved_answer(method) } else { schemas.answer(method) };
    responses
        .insert("200".to_owned(), answered(server.service, method, &answer, &refusals, &examples));
    let statuses: BTreeSet<u16> = refusals.iter().map(|refusal| refusal.http_status).collect();
    for (status, name, _) in STATUSES.iter().filter(|(status, ..)| statuses.contains(status)) {
        responses.insert(status.to_string(), reference("responses", name));
    }
    responses.insert("503".to_owned(), reference("responses", "TooManyConnections"));
    let mut operation = json!({
        "operationId": method.name,
        "tags": [object_of(method)],
        "summary": summary,
        "description": description,
        "responses": responses,
        "x-action": method.action,
        "x-health-checked": method.is_health_checked,
        "x-body-bytes-max": method.body_len_max,
        "x-calls-at-once-max": method.in_flight_max,
    });
    let params = if method.verb == Verb::Post { schemas.params_reference(method)? } else { None };
    if let (Some(schema), Some(operation)) = (params, operation.as_object_mut()) {
        let mut content = json!({"schema": schema});
        let shown = shown(&examples, Example::params);
        if let Some(content) = content.as_object_mut().filter(|_| !shown.is_empty()) {
            content.insert("examples".to_owned(), shown.into());
        }
        operation
            .insert("requestBody".to_owned(), json!({"content": {"application/json": content}}));
    }
    Ok(operation)
}

/// Status 200: an answer, or a refusal by the application.
fn answered(
    service: Service,
    method: &MethodSpec,
    answer: &Value,
    refusals: &[Refusal],
    examples: &[&Example],
) -> Value {
    let codes = refusals.iter().filter(|refusal| refusal.http_status == 200);
    let codes: BTreeSet<&str> = codes.map(|refusal| refusal.body.code.as_str()).collect();
    let mut success = envelope(service, true, answer);
    if method.is_paged {
        take_apart(&mut success, answer);
    }
    let refusal = envelope(service, false, &error_object(&codes));
    let mut content = json!({
        "schema": {"oneOf": [success, refusal, reference("schemas", "Unavailable")]},
    });
    let shown = shown(examples, Example::envelope);
    if let Some(content) = content.as_object_mut().filter(|_| !shown.is_empty()) {
        content.insert("examples".to_owned(), shown.into());
    }
    let described: BTreeMap<&str, &str> = refusals
        .iter()
        .filter(|refusal| refusal.http_status == 200)
        .filter_map(|refusal| {
            Some((refusal.body.code.as_str(), refusal.body.description.as_deref()?))
        })
        .collect();
    json!({
        "description": format!("The answer of `{}`, or why there is none.", method.name),
        "content": {"application/json": content},
        "x-codes": described,
    })
}

fn shown(examples: &[&Example], part: impl Fn(&Example) -> Option<Value>) -> Map<String, Value> {
    let parts = examples.iter().filter_map(|example| Some((example, part(example)?)));
    parts.map(|(example, value)| (example.name.clone(), json!({"value": value}))).collect()
}

/// The members of a page stand beside the others of the envelope.
fn take_apart(envelope: &mut Value, page: &Value) {
    for name in ["data", "data_paging"] {
        let member = page.pointer(&format!("/properties/{name}")).cloned();
        let properties = envelope.get_mut("properties").and_then(Value::as_object_mut);
        if let (Some(member), Some(properties)) = (member, properties) {
            properties.insert(name.to_owned(), member);
        }
    }
    if let Some(required) = envelope.get_mut("required").and_then(Value::as_array_mut) {
        required.push("data_paging".into());
    }
}

fn envelope(service: Service, success: bool, data: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["version", "success", "data", "service_name"],
        "properties": {
            "version": {"description": "Version of the server: `<semver>+<commit>`.", "type": "string"},
            "success": {"const": success},
            "data": data,
            "service_name": {"const": service.name()},
        },
    })
}

/// The error object with one of these codes.
fn error_object(codes: &BTreeSet<&str>) -> Value {
    let mut schema = ErrorBody::json_schema(&mut SchemaGenerator::default()).to_value();
    if let Some(code) = schema.pointer_mut("/properties/code") {
        *code = json!({"enum": codes});
    }
    schema
}

fn unavailable() -> Value {
    let codes = [codes::SERVICE_UNAVAILABLE.code].into();
    json!({
        "description": "An alarm makes the service unhealthy. Nothing was done; try again later.",
        "type": "object",
        "required": ["success", "data"],
        "properties": {"success": {"const": false}, "data": error_object(&codes)},
    })
}

fn health() -> Value {
    json!({
        "type": "object",
        "required": ["healthy", "alarms"],
        "properties": {
            "healthy": {"type": "boolean"},
            "alarms": {"description": "As `alarm.get` answers them.", "type": "array", "items": reference("schemas", "Alarm")},
        },
    })
}

fn responses(service: Service) -> Map<String, Value> {
    let mut responses = Map::new();
    for (status, name, description) in STATUSES {
        let errors = codes::ALL.iter().filter(|error| error.http_status == *status);
        let codes: BTreeSet<&str> = errors.map(|error| error.code).collect();
        let schema = envelope(service, false, &error_object(&codes));
        responses.insert((*name).to_owned(), response(description, &schema));
    }
    let overloaded = RpcError::from(codes::OVERLOADED).render(service, "");
    let codes = [overloaded.body.code.as_str()].into();
    let schema = envelope(service, false, &error_object(&codes));
    let description = "The server has as many connections as it takes. Nothing was read; the connection is closed.";
    responses.insert("TooManyConnections".to_owned(), response(description, &schema));
    responses
}

fn response(description: &str, schema: &Value) -> Value {
    json!({"description": description, "content": {"application/json": {"schema": schema}}})
}

fn reference(place: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{place}/{name}")})
}

/// Pages that are no methods.
fn pages(server: &DocumentedServer) -> Map<String, Value> {
    let health = |description: &str| response(description, &reference("schemas", "Health"));
    let page = |id: &str, summary: &str, responses: Value| json!({"get": {"operationId": id, "tags": ["pages"], "summary": summary, "responses": responses}});
    let text = json!({"description": "OpenMetrics text.", "content": {"application/openmetrics-text": {"schema": {"type": "string"}}}});
    let mut pages: Map<String, Value> = [
        (
            "/health".to_owned(),
            page(
                "health",
                "Whether the server can be trusted to answer",
                json!({
                    "200": health("No raised alarm makes the service unhealthy."),
                    "503": health("An alarm makes the service unhealthy."),
                }),
            ),
        ),
        ("/metrics".to_owned(), page("metrics", "Numbers for operators", json!({"200": text}))),
    ]
    .into_iter()
    .collect();
    if server.has_events {
        pages.insert("/events".to_owned(), events(server.service));
    }
    pages
}

/// The same events as subscriptions have.
fn events(service: Service) -> Value {
    let parameter = |place: &str, name: &str, required: bool, description: &str| json!({"in": place, "name": name, "required": required, "description": description, "schema": {"type": "string"}});
    let refused = [
        codes::SUBSCRIPTION_BAD_REQUEST,
        codes::SUBSCRIPTION_TOO_MANY,
        codes::SUBSCRIPTION_BEYOND_HEAD,
        codes::EVENTS_UNAVAILABLE,
        codes::OVERLOADED,
        codes::NOT_FOUND,
    ];
    let codes: BTreeSet<&str> = refused.iter().map(|error| error.code).collect();
    let stream = "An endless stream: `id` is a place in all topics, `event` the topic, `data` the event object of the subscriptions.";
    json!({"get": {
        "operationId": "events",
        "tags": ["pages"],
        "summary": "What happens, as server-sent events",
        "description": "Several topics in one stream. A client that sends the last `id` as `Last-Event-ID` goes on where it was.",
        "parameters": [
            parameter("query", "topics", true, "`byzantine`, `blocks`, `deposits`, `exits`, `status` and `transfer:0x…`, separated by commas."),
            parameter("query", "from", false, "`sequence:<number>` or `blknum:<number>`; without it, what happens from now on."),
            parameter("header", "Last-Event-ID", false, "The `id` of the last event that was received."),
            parameter("query", "place", false, "The same for who cannot set headers. Ignored where there is a `Last-Event-ID`."),
        ],
        "responses": {"200": {"description": "Events, or why there are none.", "content": {
            "text/event-stream": {"schema": {"description": stream, "type": "string"}},
            "application/json": {"schema": envelope(service, false, &error_object(&codes))},
        }}},
    }})
}
