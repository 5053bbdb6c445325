//! Drives every method of a server with right and wrong requests, over real HTTP, and judges every answer.
//!
//! No answer may have a status of 500 or more, be of another shape than its document says, or refuse with a code that is not in it. What
//! the document takes must not be refused as malformed, and what it does not take must not be answered.

use super::requests::{Known, fields, hostile, written};
use super::{Answer, Documents};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Requests by construction for each method.
const CASES: usize = 24;

/// Validators that look at more than one parameter knows.
const BEYOND_SCHEMAS: [&str; 1] = [":domain_separator_mismatch"];

/// How many requests there were, and how many answers said yes, by method.
#[derive(Debug, Default)]
pub struct Driven {
    /// All requests.
    pub requests: usize,
    /// Successes by path.
    pub successes: BTreeMap<String, usize>,
}

/// Drives a server that listens at this address and is documented under this name.
///
/// # Panics
/// When an answer is not documented, with the request.
pub async fn drive(name: &str, addr: std::net::SocketAddr, known: &Known) -> Driven {
    let mut driver = Driver {
        documents: Documents::read(name),
        http: reqwest::Client::new(),
        base: format!("http://{addr}"),
        driven: Driven::default(),
        runner: TestRunner::deterministic(),
    };
    for (path, verb) in driver.documents.methods() {
        driver.driven.successes.insert(path.clone(), 0);
        if verb == "get" {
            driver.get(&path).await;
            continue;
        }
        driver.malformed(&path).await;
        match driver.documents.params(&path, &verb) {
            Some((place, schema)) => driver.method(&path, &place, &schema, known).await,
            None => driver.post(&path, "{}", None).await,
        }
    }
    driver.driven
}

struct Driver {
    documents: Documents,
    http: reqwest::Client,
    base: String,
    driven: Driven,
    runner: TestRunner,
}

impl Driver {
    /// Right requests, and each of them with one thing wrong.
    async fn method(&mut self, path: &str, place: &str, schema: &Value, known: &Known) {
        let strategy = fields(schema, known);
        let hostile = hostile();
        for case in 0..CASES {
            let right = strategy.new_tree(&mut self.runner).unwrap().current();
            self.check(path, (place, schema), &written(&right), true).await;
            if case % 4 == 0 {
                let mut more = right.clone();
                more.push(("surplus".to_owned(), "[{}]".to_owned()));
                self.check(path, (place, schema), &written(&more), true).await;
            }
            for index in 0..right.len() {
                let mut wrong = right.clone();
                let removed = wrong.remove(index);
                self.check(path, (place, schema), &written(&wrong), true).await;
                let picked = (case * 7 + index * 3) % hostile.len();
                let (value, is_told) = &hostile[picked];
                wrong.insert(index, (removed.0, value.clone()));
                self.check(path, (place, schema), &written(&wrong), *is_told).await;
            }
        }
        // Every hostile value for every parameter, once.
        let names = schema["properties"].as_object().map(|properties| properties.keys());
        for name in names.into_iter().flatten() {
            for (value, is_told) in &hostile {
                let body = written(&[(name.clone(), value.clone())]);
                self.check(path, (place, schema), &body, *is_told).await;
            }
        }
    }

    async fn check(
        &mut self,
        path: &str,
        (place, schema): (&str, &Value),
        body: &str,
        is_told: bool,
    ) {
        let parsed: Value = serde_json::from_str(body).unwrap();
        let is_right = self.documents.check(place, &parsed).is_ok();
        // Of parameters that go together in several ways, the server looks at one way only.
        let is_told = is_told && (is_right || !has_alternatives(schema));
        self.post(path, body, is_told.then_some(is_right)).await;
    }

    /// Posts parameters in both envelopes. `is_right` is what the document says of them, if it can say.
    async fn post(&mut self, path: &str, body: &str, is_right: Option<bool>) {
        let request = self.http.post(format!("{}{path}", self.base));
        let request = request.header("content-type", "application/json").body(body.to_owned());
        let answer = self.send(request).await;
        self.judge(path, "post", body, &answer);
        let refused = answer.body.contains(r#""validation_error":"#)
            && !BEYOND_SCHEMAS.iter().any(|validator| answer.body.contains(validator));
        if let Some(is_right) = is_right {
            assert!(!(is_right && refused), "{path} {body}: the document takes it: {answer:?}");
            assert!(
                is_right || refused,
                "{path} {body}: the document does not take it: {answer:?}"
            );
        }
        let method = path.trim_start_matches('/');
        let index = self.documents.json_rpc["methods"].as_array().unwrap().iter();
        let index = index.clone().position(|one| one["name"] == method);
        let index = index.unwrap_or_else(|| panic!("{method} is not in the OpenRPC document"));
        let call =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":{},"params":{body}}}"#, json!(method));
        let request = self.http.post(format!("{}/", self.base)).body(call);
        let answer = self.send(request.header("content-type", "application/json")).await;
        if let Err(fault) = self.documents.judge_call(index, &answer) {
            panic!("{method} {body} over JSON-RPC: {fault}\n{answer:?}");
        }
    }

    async fn get(&mut self, path: &str) {
        let answer = self.send(self.http.get(format!("{}{path}", self.base))).await;
        self.judge(path, "get", "", &answer);
    }

    /// What is no request at all, or one of another kind.
    async fn malformed(&mut self, path: &str) {
        let deep = format!("{{\"x\":{}", "[".repeat(60_000));
        let bodies: [&[u8]; 8] =
            [b"", b"null", b"[]", b"\"x\"", b"{", b"{\"a\":1}x", b"\xff\xfe", deep.as_bytes()];
        for body in bodies {
            let request = self.http.post(format!("{}{path}", self.base)).body(body.to_vec());
            let answer = self.send(request.header("content-type", "application/json")).await;
            self.judge(
                path,
                "post",
                &String::from_utf8_lossy(&body[..body.len().min(40)]),
                &answer,
            );
        }
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "json", "a/b;c"] {
            let request = self.http.post(format!("{}{path}", self.base)).body("{}");
            let answer = self.send(request.header("content-type", content_type)).await;
            assert_eq!(answer.status, 415, "{path} {content_type}");
            self.judge(path, "post", content_type, &answer);
        }
        let place = format!("/paths/{}/post/x-body-bytes-max", super::escaped(path));
        let len_max = self.documents.http.pointer(&place).and_then(Value::as_u64).unwrap();
        if len_max <= 64 * 1_024 {
            let body = " ".repeat(usize::try_from(len_max).unwrap() + 1);
            let request = self.http.post(format!("{}{path}", self.base)).body(body);
            let answer = self.send(request.header("content-type", "application/json")).await;
            assert_eq!(answer.status, 413, "{path}");
            self.judge(path, "post", "too long", &answer);
        }
    }

    fn judge(&mut self, path: &str, verb: &str, request: &str, answer: &Answer) {
        assert!(answer.status < 500, "{path} {request}: {answer:?}");
        if let Err(fault) = self.documents.judge(path, verb, answer) {
            panic!("{path} {request}: {fault}\n{answer:?}");
        }
        if answer.body.contains(r#""success":true"#) {
            *self.driven.successes.entry(path.to_owned()).or_default() += 1;
        }
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Answer {
        self.driven.requests += 1;
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        Answer { status, body: response.text().await.unwrap() }
    }
}

fn has_alternatives(schema: &Value) -> bool {
    schema.get("anyOf").is_some()
}
