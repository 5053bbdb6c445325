//! Examples: those of docs/api, which tests execute against real nodes.
//!
//! On a page, an example is a fenced `http` block, the request, and right after it a fenced `json` block, the answer. The line
//! above says what it shows. A request may have `"{name}"` for bytes that the test knows, and an answer may shorten long texts with an
//! ellipsis: these stay on the page, as do numbers beyond 64 bits.

use super::DocumentError;
use crate::endpoint::MethodSpec;
use serde_json::Value;

/// The pages, by name.
pub const PAGES: &[(&str, &str)] = &[
    ("account", include_str!("../../../../docs/api/account.md")),
    ("block", include_str!("../../../../docs/api/block.md")),
    ("deposit", include_str!("../../../../docs/api/deposit.md")),
    ("exit", include_str!("../../../../docs/api/exit.md")),
    ("fees", include_str!("../../../../docs/api/fees.md")),
    ("in_flight_exit", include_str!("../../../../docs/api/in_flight_exit.md")),
    ("proof", include_str!("../../../../docs/api/proof.md")),
    ("stats", include_str!("../../../../docs/api/stats.md")),
    ("status", include_str!("../../../../docs/api/status.md")),
    ("subscriptions", include_str!("../../../../docs/api/subscriptions.md")),
    ("transaction", include_str!("../../../../docs/api/transaction.md")),
    ("utxo", include_str!("../../../../docs/api/utxo.md")),
];

/// A request and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// What it shows.
    pub name: String,
    /// Port of the server that is asked, which says which one it is.
    pub port: u16,
    /// `GET` or `POST`.
    pub verb: String,
    /// Path of the request, without the slash in front: the method.
    pub method: String,
    /// Body of the request as it stands on the page; empty when there is none.
    pub body: String,
    /// The answer as it stands on the page.
    pub answer: String,
    /// Where on the page it stands, in bytes.
    pub answer_at: usize,
}

impl Example {
    /// The parameters, if they can be shown as they are.
    pub(super) fn params(&self) -> Option<Value> {
        if self.body.is_empty() {
            Some(Value::Object(serde_json::Map::new()))
        } else {
            shown(&self.body)
        }
    }

    /// The answer with its envelope, if it can be shown as it is.
    pub(super) fn envelope(&self) -> Option<Value> {
        shown(&self.answer)
    }

    /// The answer without its envelope, if it can be shown as it is and is no refusal.
    pub(super) fn data(&self) -> Option<Value> {
        let mut envelope = self.envelope()?;
        let is_success = envelope.get("success") == Some(&Value::Bool(true));
        is_success.then(|| envelope.get_mut("data").map(Value::take)).flatten()
    }
}

/// JSON in which nothing is shortened, no digit is lost, and no name stands for something else.
fn shown(text: &str) -> Option<Value> {
    if text.contains('\u{2026}') || text.contains(r#""{"#) {
        return None;
    }
    serde_json::from_str(text).ok().filter(is_exact)
}

fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            number.as_f64().is_none_or(|number| !number.is_finite() || number.abs() < 1e15)
                || !number.is_f64()
        }
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(fields) => fields.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// All examples of one server.
pub(super) fn of(port: u16) -> Result<Vec<Example>, DocumentError> {
    let mut examples = Vec::new();
    for (page, text) in PAGES {
        let parsed = parse(text).map_err(|reason| DocumentError::Example { page, reason })?;
        examples.extend(parsed.into_iter().filter(|example| example.port == port));
    }
    Ok(examples)
}

pub(super) fn of_method<'a>(
    examples: &'a [Example],
    method: &'a MethodSpec,
) -> impl Iterator<Item = &'a Example> {
    examples.iter().filter(|example| example.method == method.name)
}

/// The examples of a page.
///
/// # Errors
/// What is wrong with the first one that cannot be read.
pub fn parse(page: &str) -> Result<Vec<Example>, String> {
    let mut examples = Vec::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("```http\n") {
        let title = before.lines().rev().find(|line| !line.trim().is_empty());
        let name = title.unwrap_or_default().trim().trim_end_matches(':').to_owned();
        let error = |what: &str| format!("the example {name:?} {what}");
        let (request, after) = after.split_once("```\n").ok_or_else(|| error("does not end"))?;
        let after =
            after.trim_start().strip_prefix("```json\n").ok_or_else(|| error("has no answer"))?;
        let answer_at = page.len().saturating_sub(after.len());
        let (answer, after) = after.split_once("```").ok_or_else(|| error("has no end"))?;
        let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
        let line = head.lines().next().unwrap_or_default();
        let (verb, url) =
            line.split_once(" http://localhost:").ok_or_else(|| error("has no url"))?;
        let (port, method) = url.split_once('/').ok_or_else(|| error("has no method"))?;
        examples.push(Example {
            port: port.parse().map_err(|_| error("has no port"))?,
            verb: verb.to_owned(),
            method: method.trim().to_owned(),
            body: body.trim().to_owned(),
            answer: answer.trim_end().to_owned(),
            answer_at,
            name,
        });
        rest = after;
    }
    Ok(examples)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Blocks\n\nThe first block:\n```http\nPOST http://localhost:9656/block.get\n\n{\"hash\": \"0x11\"}\n```\n```json\n{\"success\": true, \"data\": {\"blknum\": 1000}}\n```\nMore.\n";

    #[test]
    fn a_request_and_the_answer_below_it_are_an_example() {
        let examples = parse(PAGE).unwrap();
        let [example] = examples.as_slice() else {
            panic!("{examples:?}");
        };
        assert_eq!(example.name, "The first block");
        assert_eq!((example.port, example.verb.as_str()), (9_656, "POST"));
        assert_eq!(example.method, "block.get");
        assert_eq!(example.params().unwrap()["hash"], "0x11");
        assert_eq!(example.data().unwrap()["blknum"], 1_000);
    }

    #[test]
    fn what_is_no_example_is_an_error() {
        for (from, to) in
            [("```json", "```text"), ("http://localhost", "http://elsewhere"), ("9656/", "9656")]
        {
            assert!(parse(&PAGE.replace(from, to)).is_err(), "{to}");
        }
    }

    #[test]
    fn what_would_lose_digits_or_is_shortened_is_not_shown() {
        for (text, is_shown) in [
            ("1", true),
            ("0.33", true),
            ("18446744073709551615", true),
            ("18446744073709551616", false),
            (r#"["0x12…34"]"#, false),
            (r#"{"a": [36893488147419103232]}"#, false),
        ] {
            assert_eq!(shown(text).is_some(), is_shown, "{text}");
        }
    }
}
