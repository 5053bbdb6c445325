//! Requests and their exact answers, from `tests/golden/*.golden`.
//!
//! An entry is a title (`#`), a request (`>`: request line, headers, an empty line, the body) and what is expected (`<`: status,
//! the headers that matter, an empty line, the body). `{payment}`, `{unknown_payment}` and `{fee_claim}` stand for signed
//! transactions. With `UPDATE_GOLDEN=1` the expectations are rewritten; read the diff before you commit it.

use crate::nodes::{self, Node};
use crate::raw::{self, Answer};
use plasma_rpc::alarm::AlarmName;
use plasma_rpc::json::hex;
use std::path::PathBuf;

pub(crate) struct Entry {
    title: String,
    request: Vec<String>,
    pub(crate) expected: Vec<String>,
}

async fn check(file: &str, node: &Node) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let entries = parse(&std::fs::read_to_string(&path).unwrap());
    assert!(!entries.is_empty());
    let mut actual = String::new();
    let mut expected = String::new();
    for entry in &entries {
        let answer = send(node, entry).await;
        actual.push_str(&render(entry, &shown(&answer, entry)));
        expected.push_str(&render(entry, &entry.expected));
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &actual).unwrap();
        return;
    }
    for (actual, expected) in actual.lines().zip(expected.lines()) {
        assert_eq!(actual, expected, "{file}");
    }
    assert_eq!(actual.lines().count(), expected.lines().count(), "{file}");
}

pub(crate) async fn send(node: &Node, entry: &Entry) -> Answer {
    let mut lines = entry.request.iter();
    let line = lines.next().unwrap();
    let headers: Vec<&str> =
        lines.by_ref().take_while(|line| !line.is_empty()).map(String::as_str).collect();
    let body: Vec<&str> = lines.map(String::as_str).collect();
    let body = body
        .join("\n")
        .replace("{payment}", &hex::encode(nodes::payment(1_000)))
        .replace("{unknown_payment}", &hex::encode(nodes::payment(3_000)))
        .replace("{fee_claim}", &hex::encode(nodes::fee_claim()));
    let answer = raw::exchange(node.addr, &raw::request(line, &headers, body.as_bytes())).await;
    assert!(answer.header("x-request-id").is_some(), "{}", entry.title);
    answer
}

/// The answer with those headers that the entry names.
fn shown(answer: &Answer, entry: &Entry) -> Vec<String> {
    let headers = entry.expected.iter().skip(1).take_while(|line| !line.is_empty());
    let names = headers.filter_map(|line| line.split(':').next());
    let mut lines = vec![answer.status.to_string()];
    for name in names {
        let value = answer.header(name).unwrap_or("(none)");
        lines.push(format!("{name}: {value}").trim_end().to_owned());
    }
    if !answer.body.is_empty() {
        lines.push(String::new());
        lines.extend(answer.body.lines().map(ToOwned::to_owned));
    }
    lines
}

pub(crate) fn parse(text: &str) -> Vec<Entry> {
    let mut entries = Vec::<Entry>::new();
    for line in text.lines() {
        match line.split_at_checked(1) {
            Some(("#", title)) => entries.push(Entry {
                title: title.trim().to_owned(),
                request: Vec::new(),
                expected: Vec::new(),
            }),
            Some((">", rest)) => {
                entries.last_mut().unwrap().request.push(rest.trim().to_owned());
            }
            Some(("<", rest)) => {
                entries.last_mut().unwrap().expected.push(rest.trim().to_owned());
            }
            _ => assert_eq!(line.trim(), ""),
        }
    }
    entries
}

fn render(entry: &Entry, expected: &[String]) -> String {
    let mut text = format!("# {}\n", entry.title);
    for (mark, lines) in [(">", entry.request.as_slice()), ("<", expected)] {
        for line in lines {
            text.push_str(format!("{mark} {line}").trim_end());
            text.push('\n');
        }
    }
    text + "\n"
}

#[tokio::test]
async fn the_child_chain_answers_as_documented() {
    let node = nodes::child_chain().await;
    check("child_chain.golden", &node).await;
    check("envelope.golden", &node).await;
    check("json_rpc.golden", &node).await;
}

#[tokio::test]
async fn the_watcher_answers_as_documented() {
    check("watcher.golden", &nodes::watcher().await).await;
}

#[tokio::test]
async fn the_informational_watcher_answers_as_documented() {
    check("info.golden", &nodes::info().await).await;
}

#[tokio::test]
async fn an_unhealthy_service_says_so_on_health_checked_methods_only() {
    let node = nodes::child_chain().await;
    node.raise(AlarmName::EthereumStalledSync);
    node.raise(AlarmName::InvalidFeeSource);
    check("unhealthy.golden", &node).await;
}

#[tokio::test]
async fn an_alarm_that_leaves_the_service_healthy_refuses_nothing() {
    let node = nodes::child_chain().await;
    node.raise(AlarmName::InvalidFeeSource);
    check("healthy_alarm.golden", &node).await;
}
