//! Judges what a server answers by its documents in priv/openapi.
//!
//! It must not know a method by name: what it expects is in the documents. They are read from the repository, so a test sees what
//! clients see. Documents leave room for new keys; here every object is closed, so that a key nobody wrote down is a fault.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod drive;
mod examples;
mod requests;
mod socket;
mod subscriptions;
mod told;

pub use drive::{Driven, drive};
pub use examples::{Shown, check_examples};
pub use requests::Known;
pub use subscriptions::{Subscribed, drive_subscriptions};
pub use told::check_told;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where the documents are for whoever refers to them.
const HOME: &str = "http://penning.test";

/// The two documents of a server, ready to judge.
pub struct Documents {
    /// OpenAPI.
    pub http: Value,
    /// OpenRPC.
    pub json_rpc: Value,
    compiler: Compiler,
    schemas: Schemas,
    compiled: BTreeMap<String, SchemaIndex>,
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Documents {
    /// The documents `priv/openapi/<name>.json` and `<name>.openrpc.json`.
    pub fn read(name: &str) -> Self {
        let [http, json_rpc] =
            [format!("{name}.json"), format!("{name}.openrpc.json")].map(|file| {
                let path =
                    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../priv/openapi").join(file);
                let text = std::fs::read_to_string(&path).expect("there is such a document");
                let mut document: Value = serde_json::from_str(&text).unwrap();
                close(&mut document);
                document
            });
        let mut compiler = Compiler::new();
        compiler.add_resource(&format!("{HOME}/http"), http.clone()).unwrap();
        compiler.add_resource(&format!("{HOME}/json_rpc"), json_rpc.clone()).unwrap();
        let (schemas, compiled) = (Schemas::new(), BTreeMap::new());
        Self { http, json_rpc, compiler, schemas, compiled }
    }

    /// Whether a value is what the schema at this place says; else what is wrong with it.
    pub fn check(&mut self, place: &str, value: &Value) -> Result<(), String> {
        let index = match self.compiled.get(place) {
            Some(index) => *index,
            None => {
                let url = format!("{HOME}/{place}");
                let compiled = self.compiler.compile(&url, &mut self.schemas);
                let index = compiled.unwrap_or_else(|error| panic!("{place}: {error:#}"));
                self.compiled.insert(place.to_owned(), index);
                index
            }
        };
        self.schemas.validate(value, index).map_err(|error| format!("{error:#}"))
    }

    /// Whether the document of the HTTP-RPC has such an answer to a request.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn judge(&mut self, path: &str, verb: &str, answer: &Answer) -> Result<(), String> {
        let place = format!("/paths/{}/{verb}/responses/{}", escaped(path), answer.status);
        let response = self.http.pointer(&place);
        let response =
            response.ok_or_else(|| format!("status {} is not documented", answer.status))?;
        let place = match response.get("$ref").and_then(Value::as_str) {
            Some(reference) => reference.trim_start_matches('#').to_owned(),
            None => place,
        };
        let body = serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
        self.check(&format!("http#{place}/content/application~1json/schema"), &body)
    }

    /// Whether the document of the JSON-RPC has such an answer to a call of the method at this place in its list.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn judge_call(&mut self, method: usize, answer: &Answer) -> Result<(), String> {
        if !matches!(answer.status, 200 | 408 | 413 | 415) {
            return Err(format!("status {} is not documented", answer.status));
        }
        let body: Value = serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
        if let Some(result) = body.get("result") {
            return self.check(&format!("json_rpc#/methods/{method}/result/schema"), result);
        }
        let error = body.get("error").ok_or("neither a result nor an error")?;
        let listed = self.json_rpc.pointer(&format!("/methods/{method}/errors"));
        let listed = listed.and_then(Value::as_array).ok_or("no errors are documented")?;
        let of = |error: &Value| (error["code"].clone(), error["data"]["code"].clone());
        if listed.iter().any(|one| of(one) == of(error)) {
            return Ok(());
        }
        Err(format!("this error is not documented: {error}"))
    }

    /// The schema of a method's parameters, with what it refers to in its place; `None` when there are none.
    pub fn params(&self, path: &str, verb: &str) -> Option<(String, Value)> {
        let place =
            format!("/paths/{}/{verb}/requestBody/content/application~1json/schema", escaped(path));
        let schema = self.http.pointer(&place)?;
        let target = schema.get("$ref")?.as_str()?.trim_start_matches('#');
        Some((format!("http#{place}"), self.http.pointer(target)?.clone()))
    }

    /// Path and verb of every method.
    pub fn methods(&self) -> Vec<(String, String)> {
        let paths = self.http["paths"].as_object().unwrap();
        let operations = paths.iter().flat_map(|(path, operations)| {
            let operations = operations.as_object().unwrap().iter();
            operations.map(move |(verb, operation)| (path, verb, operation))
        });
        let methods = operations.filter(|(_, _, operation)| operation.get("x-action").is_some());
        methods.map(|(path, verb, _)| (path.clone(), verb.clone())).collect()
    }
}

/// A key as a part of a JSON pointer in a URL.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Takes the room out of a document that it leaves for new keys, parameters apart.
fn close(document: &mut Value) {
    match document {
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Object(fields) => {
            let is_object = fields.get("type") == Some(&json!("object"));
            let is_open = !fields.contains_key("additionalProperties");
            let is_closed = is_object && is_open && fields.contains_key("properties");
            let has_more = is_closed && ALTERNATIVES.iter().any(|name| fields.contains_key(*name));
            if is_closed {
                let key = if has_more { "unevaluatedProperties" } else { "additionalProperties" };
                fields.insert(key.to_owned(), false.into());
            }
            for (name, field) in fields.iter_mut() {
                if has_more && ALTERNATIVES.contains(&name.as_str()) {
                    close_alternatives(field);
                } else if !OPEN.iter().any(|open| name.ends_with(open)) {
                    close(field);
                }
            }
        }
        _ => {}
    }
}

/// What callers send, who may send more.
const OPEN: [&str; 3] = ["Params", "params", "requestBody"];
/// Where a schema has others, of which it is one as well.
const ALTERNATIVES: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// Of what is one half of an object only the parts are closed: the object knows what else may be there.
fn close_alternatives(alternatives: &mut Value) {
    for alternative in alternatives.as_array_mut().into_iter().flatten() {
        let parts = alternative.as_object_mut().into_iter().flat_map(|fields| fields.values_mut());
        parts.for_each(close);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(documents: &mut Documents, body: &str, status: u16, fault: Option<&str>) {
        let answer = Answer { status, body: body.to_owned() };
        let judged = documents.judge("/configuration.get", "get", &answer);
        match (judged, fault) {
            (Ok(()), None) => {}
            (Err(found), Some(fault)) => assert!(found.contains(fault), "{body}: {found}"),
            (judged, _) => panic!("{body}: {judged:?}"),
        }
    }

    #[test]
    fn answers_that_are_not_written_down_are_faults() {
        let mut documents = Documents::read("child-chain");
        let good = r#"{"version": "1", "success": true, "data": {"deposit_finality_margin": 10, "contract_semver": "1", "network": "X"}, "service_name": "child_chain"}"#;
        let refused = r#"{"version": "1", "success": false, "data": {"object": "error", "code": "operation:overloaded", "description": null}, "service_name": "child_chain"}"#;
        let unavailable = r#"{"success": false, "data": {"object": "error", "code": "operation:service_unavailable", "description": "no"}}"#;
        for (body, status, fault) in [
            (good.to_owned(), 200, None),
            (refused.to_owned(), 200, None),
            (unavailable.to_owned(), 200, None),
            (good.to_owned(), 404, Some("404")),
            (good.replace("10", "-1"), 200, Some("oneOf")),
            (good.replace("child_chain", "watcher"), 200, Some("oneOf")),
            (good.replace("\"network\"", "\"net\""), 200, Some("oneOf")),
            (good.replace("\"network\"", "\"new\": 1, \"network\""), 200, Some("oneOf")),
            (refused.replace("overloaded", "bad_luck"), 200, Some("oneOf")),
            ("{".to_owned(), 200, Some("EOF")),
        ] {
            check(&mut documents, &body, status, fault);
        }
    }

    #[test]
    fn keys_that_nobody_wrote_down_are_faults_beside_alternatives_too() {
        let mut documents = Documents::read("watcher");
        let place = "json_rpc#/components/schemas/Notification";
        let error =
            json!({"object": "error", "code": "subscription:too_slow", "description": null});
        let good = json!({"subscription": "1", "error": error});
        assert_eq!(documents.check(place, &good), Ok(()));
        for wrong in [
            json!({"subscription": "1"}),
            json!({"subscription": "1", "error": error, "new": 1}),
            json!({"subscription": "1", "error": {"object": "error", "code": "x", "description": null, "new": 1}}),
        ] {
            assert!(documents.check(place, &wrong).is_err(), "{wrong}");
        }
    }

    /// The schema of documents like these, from their authors; `tests/fixtures/schemas/README.md` says where it is from.
    fn meta(name: &str) -> Value {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/schemas").join(name);
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn check_form(schema: &Value, file: &str) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../priv/openapi").join(file);
        let document: Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
        compiler.add_resource(&format!("{HOME}/meta"), schema.clone()).unwrap();
        let index = compiler.compile(&format!("{HOME}/meta"), &mut schemas).unwrap();
        if let Err(error) = schemas.validate(&document, index) {
            panic!("{file}: {error:#}");
        }
    }

    #[test]
    fn the_documents_are_openapi_3_1_and_openrpc_1() {
        let mut openapi = meta("openapi-3.1.json");
        let mut openrpc = meta("openrpc-1.json");
        for schema in [&mut openapi, &mut openrpc] {
            let schema = schema.as_object_mut().unwrap();
            schema.remove("$id");
        }
        // Whether schemas in it are schemas is checked where they are compiled; its own dialect is nowhere to be had.
        openrpc["$schema"] = "http://json-schema.org/draft-07/schema#".into();
        openrpc["definitions"]["JSONSchema"] = true.into();
        openrpc["definitions"]["referenceObject"]["properties"]["$ref"] = json!({"type": "string"});
        for name in ["child-chain", "watcher", "watcher-info"] {
            check_form(&openapi, &format!("{name}.json"));
            check_form(&openrpc, &format!("{name}.openrpc.json"));
        }
    }

    #[test]
    fn every_schema_of_every_method_is_one() {
        for name in ["child-chain", "watcher", "watcher-info"] {
            let mut documents = Documents::read(name);
            for (path, verb) in documents.methods() {
                let answer = Answer { status: 200, body: "0".to_owned() };
                assert!(documents.judge(&path, &verb, &answer).is_err(), "{path}");
                if let Some((place, _)) = documents.params(&path, &verb) {
                    assert!(documents.check(&place, &json!(0)).is_err(), "{path}");
                }
            }
            let methods = documents.json_rpc["methods"].as_array().unwrap().len();
            for method in 0..methods {
                let place = format!("json_rpc#/methods/{method}/result/schema");
                // Compiling it is the check; some answers are numbers, none is both.
                let found =
                    [json!(0), json!("x")].map(|value| documents.check(&place, &value).is_ok());
                assert!(!found.into_iter().all(|is_ok| is_ok), "{name} {method}");
            }
        }
    }
}
