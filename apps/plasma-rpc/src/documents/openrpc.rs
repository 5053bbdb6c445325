//! OpenRPC of a server: every method over JSON-RPC 2.0, by HTTP and WebSocket.

use super::examples::{Example, of_method};
use super::schemas::{Schemas, properties};
use super::{DocumentError, DocumentedServer, object_of, texts};
use crate::endpoint::MethodSpec;
use crate::subscription::{EVENT, Notification, SUBSCRIBE, UNSUBSCRIBE};
use serde_json::{Map, Value, json};

pub(super) fn document(
    server: &DocumentedServer,
    examples: &[Example],
) -> Result<Value, DocumentError> {
    let mut schemas = Schemas::new();
    let subscriptions = server.has_events.then_some([&SUBSCRIBE.spec, &UNSUBSCRIBE.spec]);
    let methods: Result<Vec<Value>, DocumentError> = server
        .methods()
        .chain(subscriptions.into_iter().flatten())
        .map(|spec| method(server, spec, &mut schemas, examples))
        .collect();
    let mut document = json!({
        "openrpc": "1.3.2",
        "info": server.info(),
        "servers": [
            {"name": "HTTP", "url": format!("http://localhost:{}/", server.port)},
            {"name": "WebSocket", "url": format!("ws://localhost:{}/", server.port)},
        ],
        "methods": methods?,
    });
    if let Some(document) = document.as_object_mut() {
        if server.has_events {
            let params = schemas.of::<Notification>();
            let notification =
                json!({"method": EVENT, "paramStructure": "by-name", "params": params});
            document.insert("x-notifications".to_owned(), json!([notification]));
        }
        document.insert("components".to_owned(), json!({"schemas": schemas.into_components()}));
    }
    Ok(document)
}

fn method(
    server: &DocumentedServer,
    method: &MethodSpec,
    schemas: &mut Schemas,
    examples: &[Example],
) -> Result<Value, DocumentError> {
    let (summary, description) = texts(method);
    let params = schemas.params(method)?;
    let required = params.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let none = Map::new();
    let properties = properties(&params).unwrap_or(&none);
    let names = method.schemas.names;
    let described = names.iter().map(|name| {
        let mut schema = properties.get(*name).cloned().unwrap_or_default();
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        json!({
            "name": name,
            "description": description.unwrap_or_default(),
            "required": required.iter().any(|required| required == name),
            "schema": schema,
        })
    });
    let described: Vec<Value> = described.collect();
    let shown: Vec<Value> =
        of_method(examples, method).filter_map(|example| pairing(example, names)).collect();
    Ok(json!({
        "name": method.name,
        "tags": [{"name": object_of(method)}],
        "summary": summary,
        "description": description,
        "paramStructure": "either",
        "params": described,
        "result": {"name": "answer", "schema": schemas.answer(method)},
        "errors": errors(server, method),
        "examples": shown,
    }))
}

/// A request with its answer.
fn pairing(example: &Example, names: &[&str]) -> Option<Value> {
    let result = example.data()?;
    let given = example.params()?;
    let given = names.iter().filter_map(|name| Some((name, given.get(*name)?)));
    let params: Vec<Value> =
        given.map(|(name, value)| json!({"name": name, "value": value})).collect();
    Some(json!({
        "name": example.name,
        "params": params,
        "result": {"name": "answer", "value": result},
    }))
}

/// Everything a caller can be refused for. Numbers are shared, so programs compare `data.code`.
fn errors(server: &DocumentedServer, method: &MethodSpec) -> Vec<Value> {
    let refusals = server.refusals(method);
    let errors = refusals.iter().map(|refusal| {
        let code = &refusal.body.code;
        json!({
            "code": refusal.json_rpc_code,
            "message": refusal.body.description.as_ref().unwrap_or(code),
            "data": refusal.body,
        })
    });
    errors.collect()
}
