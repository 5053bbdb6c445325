//! OpenAPI 3.1 of a server: every method in the HTTP-RPC envelope, and the pages.
//!
//! Status 200 also says no, as in the protocol: an answer is one of success, refusal, and a refusal without version and name while
//! the service is unhealthy.

use super::examples::{Example, of_method};
use super::schemas::Schemas;
use super::{DocumentError, DocumentedServer, object_of, texts};
use crate::codes;
use crate::endpoint::{MethodSpec, Service, Verb};
use crate::error::{Refusal, RpcError};
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
    let mut paths = pages();
    let mut tags = BTreeSet::new();
    for method in server.methods {
        tags.insert(object_of(method));
        let verb = match method.verb {
            Verb::Get => "get",
            Verb::Post => "post",
        };
        let operation = operation(server, method, &mut schemas, examples)?;
        paths.insert(format!("/{}", method.name), json!({verb: operation}));
    }
    let mut components = schemas.into_components();
    components.insert("ErrorObject".to_owned(), error_object(None));
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
    let answer = schemas.answer(method);
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
    let success = envelope(service, true, answer);
    let refusal = envelope(service, false, &error_object(Some(&codes)));
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

/// The error object, with one of some codes.
pub(super) fn error_object(codes: Option<&BTreeSet<&str>>) -> Value {
    let code = codes.map_or_else(|| json!({"type": "string"}), |codes| json!({"enum": codes}));
    json!({
        "type": "object",
        "required": ["object", "code", "description"],
        "properties": {
            "object": {"const": "error"},
            "code": code,
            "description": {"description": "What to show, if there is a text.", "type": ["string", "null"]},
            "messages": {"description": "Details, if there are any: such as the first parameter that fails, and the validator it fails."},
        },
    })
}

fn unavailable() -> Value {
    let codes = [codes::SERVICE_UNAVAILABLE.code].into();
    json!({
        "description": "An alarm makes the service unhealthy. Nothing was done; try again later.",
        "type": "object",
        "required": ["success", "data"],
        "properties": {"success": {"const": false}, "data": error_object(Some(&codes))},
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
        let schema = envelope(service, false, &error_object(Some(&codes)));
        responses.insert((*name).to_owned(), response(description, &schema));
    }
    let overloaded = RpcError::from(codes::OVERLOADED).render(service, "");
    let codes = [overloaded.body.code.as_str()].into();
    let schema = envelope(service, false, &error_object(Some(&codes)));
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
fn pages() -> Map<String, Value> {
    let health = |description: &str| response(description, &reference("schemas", "Health"));
    let page = |id: &str, summary: &str, responses: Value| json!({"get": {"operationId": id, "tags": ["pages"], "summary": summary, "responses": responses}});
    let text = json!({"description": "OpenMetrics text.", "content": {"application/openmetrics-text": {"schema": {"type": "string"}}}});
    [
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
    .collect()
}
