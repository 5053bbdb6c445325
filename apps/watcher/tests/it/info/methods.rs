//! Every method of the informational port, as clients send it and read it: one chain, a table of questions and what is answered.
//!
//! A method that no row asks successfully or in vain is missed, and so is one with parameters that no row gets wrong.

use super::rows::{Answer, Books, WRONG, rows};
use super::token;
use crate::kit::{Watched, World};
use crate::operator::hex;
use crate::users::Who;
use Answer::{Data, Page, Refusal};
use Who::{Alice, Carol};
use plasma_core::wire::U256;
use plasma_rpc::endpoint::{MethodSpec, Verb};
use plasma_rpc::{info, watcher};
use plasma_tests::openapi::Documents;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Headers and body of an answer.
pub(super) async fn ask(
    watched: &Watched,
    path: &str,
    body: &str,
) -> (reqwest::header::HeaderMap, Value) {
    let url = format!("http://{}/{path}", watched.info_addr.unwrap());
    let http = reqwest::Client::new();
    let is_get = ["alarm.get", "configuration.get"].iter().any(|method| path.ends_with(method));
    let request = if is_get { http.get(url) } else { http.post(url).body(body.to_owned()) };
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{path} {body}");
    let headers = response.headers().clone();
    let text = response.text().await.unwrap();
    (headers, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path}: {text}")))
}

/// Whether everything expected is found; members of objects may be more.
fn has(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => expected
            .iter()
            .all(|(name, expected)| found.get(name).is_some_and(|found| has(expected, found))),
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected.iter().zip(found).all(|(expected, found)| has(expected, found))
        }
        _ => expected == found,
    }
}

fn is_so(expected: &Answer, answer: &Value) -> bool {
    let (data, paging) = (&answer["data"], &answer["data_paging"]);
    match expected {
        Data(expected) => answer["success"] == true && has(expected, data) && paging.is_null(),
        Page(rows, expected) => answer["success"] == true && has(rows, data) && paging == expected,
        Refusal(code) => answer["success"] == false && data["code"] == *code,
    }
}

/// Asks plainly, and as the JavaScript client does: with keys of JSON-RPC, at a URL that ends with a slash.
async fn check(watched: &Watched, method: &str, params: &Value, holds: impl Fn(&Value) -> bool) {
    let mut more = params.clone();
    more["jsonrpc"] = json!("2.0");
    if more["id"].is_null() {
        more["id"] = json!(0);
    }
    for (path, body) in [(method.to_owned(), params), (format!("/{method}"), &more)] {
        let (headers, answer) = ask(watched, &path, &body.to_string()).await;
        assert_eq!(headers["access-control-allow-origin"], "*", "{method}");
        assert_eq!(answer["service_name"], "watcher_info", "{method} {body}: {answer}");
        assert!(holds(&answer), "{path} {body}: {answer:#}");
    }
}

fn takes_parameters(documents: &Documents, method: &MethodSpec) -> bool {
    let params = documents.params(&format!("/{}", method.name), "post");
    let properties = params.map(|(_, schema)| schema["properties"].clone());
    method.verb == Verb::Post
        && properties.is_some_and(|names| names.as_object().is_some_and(|names| !names.is_empty()))
}

#[actix::test]
async fn every_method_answers_what_is_in_the_books() {
    let books = Books::new().await;
    let (mut answered, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for (method, params, expected) in rows(&books) {
        check(&books.watched, method, &params, |answer| is_so(&expected, answer)).await;
        answered.insert(method);
    }
    for (method, body, parameter, validator) in WRONG {
        let error = json!({"parameter": parameter, "validator": validator});
        let body = serde_json::from_str(body).unwrap();
        check(&books.watched, method, &body, |answer| {
            answer["data"]["code"] == "operation:bad_request"
                && answer["data"]["messages"] == json!({"validation_error": error})
        })
        .await;
        refused.insert(*method);
    }
    let documents = Documents::read("watcher-info");
    for method in info::METHODS.iter().chain(watcher::METHODS) {
        assert!(answered.contains(method.name), "nobody asks {}", method.name);
        let is_checked = refused.contains(method.name);
        assert_eq!(is_checked, takes_parameters(&documents, method), "wrong to {}", method.name);
    }
    books.watched.stop().await;
}

#[actix::test]
async fn no_digit_of_the_largest_amount_is_lost() {
    let books = Books::new().await;
    let [alice, carol, tokens] = [Alice.address(), Carol.address(), token()];
    let [alice, carol, tokens] = [alice, carol, tokens].map(|bytes| hex(bytes.as_bytes()));
    let position = books.most.encode();
    let amount = format!("\"amount\":{}", U256::MAX);
    let max = U256::MAX;
    for (method, body, told) in [
        ("account.get_balance", json!({"address": carol}).to_string(), &amount),
        ("account.get_utxos", json!({"address": carol}).to_string(), &amount),
        ("deposit.all", json!({"address": carol}).to_string(), &amount),
        ("address.watch", json!({"address": carol}).to_string(), &amount),
        ("utxo.get", format!("{{\"utxo_pos\":{position}}}"), &amount),
        // As large in a question: nothing has such a position, and nobody so much that is not Carol.
        ("utxo.get", format!("{{\"utxo_pos\":{max}}}"), &"\"utxo:not_found\"".to_owned()),
        ("proof.get", format!("{{\"utxo_pos\":{max}}}"), &"\"proof:not_found\"".to_owned()),
        ("block.get", format!("{{\"blknum\":{max}}}"), &"\"get_block:block_not_found\"".to_owned()),
        ("block.all", format!("{{\"page\":{max}}}"), &"\"data\":[]".to_owned()),
        (
            "transaction.create",
            format!(
                r#"{{"owner": "{alice}", "fee": {{"currency": "0x{:040}"}}, "payments":
                    [{{"amount": {max}, "currency": "{tokens}", "owner": "{carol}"}}]}}"#,
                0
            ),
            &format!("\"missing\":{}", U256::MAX - 9),
        ),
    ] {
        let (_, text) = crate::kit::post(books.watched.info_addr.unwrap(), method, body).await;
        assert!(text.contains(told.as_str()), "{method}: {told} is not in {text}");
    }
    drop(books.world);
    books.watched.stop().await;
}

#[actix::test]
async fn browsers_on_other_pages_may_ask() {
    let world = World::with_database().await;
    let watched = world.launch().await;
    let url = format!("http://{}/account.get_balance", watched.info_addr.unwrap());
    let preflight = reqwest::Client::new().request(reqwest::Method::OPTIONS, url);
    let preflight = preflight
        .header("origin", "https://wallet.test")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type")
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status(), 204);
    assert_eq!(preflight.headers()["access-control-allow-origin"], "*");
    watched.stop().await;
}
