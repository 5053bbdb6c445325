//! `docs/protocol/rpc.md` says what the code does: tables, limits, and every example.

use crate::golden;
use crate::nodes::{self, Node};
use plasma_rpc::endpoint::{BODY_LEN_MAX, IN_FLIGHT_MAX, MethodSpec, Verb};
use plasma_rpc::server::Limits;
use plasma_rpc::{child_chain, codes, info, watcher};

const DOC: &str = include_str!("../../../../docs/protocol/rpc.md");

fn rows() -> impl Iterator<Item = &'static str> {
    DOC.lines().filter(|line| line.starts_with('|'))
}

#[test]
fn every_stable_error_is_in_the_table() {
    for error in codes::ALL {
        let (code, description) = (error.code, error.description);
        let row = format!(
            "| `{code}` | {} | {} | {description} |",
            error.http_status, error.json_rpc_code
        );
        assert!(rows().any(|line| line == row), "{row}");
    }
    let listed = rows().filter(|line| line.contains(" | -32")).count();
    assert_eq!(listed, codes::ALL.len());
}

#[test]
fn every_limit_is_in_the_table_with_its_default() {
    let limits = format!("{:#?}", Limits::default());
    let fields =
        limits.lines().filter_map(|line| line.trim().trim_end_matches(',').split_once(": "));
    let fields: Vec<_> = fields.collect();
    assert!(fields.len() > 10, "{limits}");
    for (name, value) in fields {
        let row = format!("| `{name}` | {value} | ");
        assert!(rows().any(|line| line.starts_with(&row)), "{row}");
    }
}

#[test]
fn every_method_has_a_section_with_its_action_and_its_limits() {
    let (of_child_chain, rest) = DOC.split_once("## Methods of the watcher").unwrap();
    let (of_watcher, of_info) = rest.split_once("## Methods of the informational").unwrap();
    for (text, methods) in [
        (of_child_chain, child_chain::METHODS),
        (of_watcher, watcher::METHODS),
        (of_info, info::METHODS),
    ] {
        for method in methods {
            check_section(text, method);
            check_limits(method);
        }
    }
}

fn check_section(text: &str, method: &MethodSpec) {
    let heading = format!("### `{}`\n", method.name);
    // The watcher's page does not repeat what is the same.
    let Some((_, section)) = text.split_once(&heading) else {
        assert_eq!(method.name, child_chain::ALARM_GET.spec.name);
        return;
    };
    let verb = match method.verb {
        Verb::Get => "GET",
        Verb::Post => "POST",
    };
    let start = format!("{verb} · action `{}`", method.action);
    assert!(section.starts_with(&start), "{}: {start}", method.name);
    let line = section.lines().next().unwrap();
    assert_eq!(line.contains("health-checked"), method.is_health_checked, "{}", method.name);
}

fn check_limits(method: &MethodSpec) {
    let limits = (method.body_len_max, method.in_flight_max);
    let row = format!("| `{}` | {} | {} |", method.name, limits.0, limits.1);
    let is_default = limits == (BODY_LEN_MAX, IN_FLIGHT_MAX);
    assert_eq!(rows().any(|line| line == row), !is_default, "{row}");
}

/// Runs the examples of one server and compares their answers, white space apart.
async fn check_examples(server: &str, node: &Node) {
    let fence = format!("```{server}\n");
    let mut count = 0;
    for block in DOC.split(&fence).skip(1) {
        let (block, _) = block.split_once("```").unwrap();
        let entries = golden::parse(&format!("# {server}\n{block}"));
        let [entry] = entries.as_slice() else {
            panic!("{block}");
        };
        let answer = golden::send(node, entry).await;
        let expected = entry.expected.join("\n");
        let (status, body) = expected.split_once("\n\n").unwrap();
        assert_eq!(status, answer.status.to_string());
        assert_eq!(without_space(&answer.body), without_space(body));
        count += 1;
    }
    assert!(count > 5);
}

/// JSON without the white space between its tokens.
fn without_space(json: &str) -> String {
    let mut in_string = false;
    json.chars()
        .filter(|character| {
            in_string ^= *character == '"';
            in_string || !character.is_whitespace()
        })
        .collect()
}

#[tokio::test]
async fn every_example_of_the_child_chain_is_what_it_answers() {
    check_examples("child_chain", &nodes::child_chain().await).await;
}

#[tokio::test]
async fn every_example_of_the_watcher_is_what_it_answers() {
    check_examples("watcher", &nodes::watcher().await).await;
}

#[tokio::test]
async fn every_example_of_the_informational_watcher_is_what_it_answers() {
    check_examples("info", &nodes::info().await).await;
}
