//! Executes the examples of docs/api against a real node.
//!
//! With `UPDATE_DOCS=1` the answers on the pages are rewritten; read the diff before you commit it.

use super::{Answer, Documents};
use plasma_rpc::documents::examples::{Example, parse};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Texts longer than this are shortened on a page.
const SHOWN_LEN: usize = 90;

/// How many examples there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Executed.
    pub examples: usize,
}

/// Executes all examples that ask the server with this port in the documentation, at the address where it listens here. In requests,
/// `{name}` stands for what is told here. Values under the names in `volatile` differ from run to run; of everything else every digit is compared.
///
/// # Panics
/// When an answer is not the one on the page, or not one of the document's.
pub async fn check_examples(
    document: &str,
    port: u16,
    addr: SocketAddr,
    stands_for: &[(&str, String)],
    volatile: &[&str],
) -> Shown {
    let mut documents = Documents::read(document);
    let mut shown = Shown::default();
    for page in pages() {
        let mut text = std::fs::read_to_string(&page).unwrap();
        let mut updates = Vec::new();
        let examples = parse(&text).unwrap_or_else(|reason| panic!("{}: {reason}", page.display()));
        for example in examples.iter().filter(|example| example.port == port) {
            shown.examples += 1;
            let answer = ask(addr, example, stands_for).await;
            let name = format!("{}: {}", page.display(), example.name);
            let verb = example.verb.to_lowercase();
            if let Err(fault) = documents.judge(&format!("/{}", example.method), &verb, &answer) {
                panic!("{name}: {fault}\n{answer:?}");
            }
            let value: Value = serde_json::from_str(&answer.body).unwrap();
            if std::env::var_os("UPDATE_DOCS").is_some() {
                updates.push((example.answer_at, example.answer.len(), on_page(&answer.body)));
                continue;
            }
            let expected: Value = serde_json::from_str(&example.answer).unwrap();
            if let Err(fault) = same(&expected, &value, volatile, "") {
                panic!("{name}: {fault}\n{}", answer.body);
            }
        }
        for (at, len, answer) in updates.into_iter().rev() {
            text.replace_range(at..at + len, &answer);
            std::fs::write(&page, &text).unwrap();
        }
    }
    shown
}

/// The pages that have examples.
pub(super) fn pages() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/api");
    let mut pages: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    pages
}

async fn ask(addr: SocketAddr, example: &Example, stands_for: &[(&str, String)]) -> Answer {
    let mut body = example.body.clone();
    for (name, bytes) in stands_for {
        body = body.replace(&format!("{{{name}}}"), bytes);
    }
    let url = format!("http://{addr}/{}", example.method);
    let http = reqwest::Client::new();
    let request = match example.verb.as_str() {
        "GET" => http.get(url),
        _ => http.post(url).header("content-type", "application/json").body(body),
    };
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    Answer { status, body: response.text().await.unwrap() }
}

pub(super) fn same(
    expected: &Value,
    found: &Value,
    volatile: &[&str],
    at: &str,
) -> Result<(), String> {
    let differ = || Err(format!("{at}: {expected} on the page, {found} in the answer"));
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            if !expected.keys().eq(found.keys()) {
                return differ();
            }
            let pairs = expected.iter().zip(found.values());
            for ((name, expected), found) in pairs {
                if !volatile.contains(&name.as_str()) {
                    same(expected, found, volatile, &format!("{at}/{name}"))?;
                }
            }
            Ok(())
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            let mut pairs = expected.iter().zip(found).enumerate();
            pairs.try_for_each(|(index, (expected, found))| {
                same(expected, found, volatile, &format!("{at}/{index}"))
            })
        }
        (Value::String(expected), Value::String(found)) => match expected.split_once('…') {
            Some((start, end)) if found.starts_with(start) && found.ends_with(end) => Ok(()),
            None if expected == found => Ok(()),
            _ => differ(),
        },
        _ if expected == found => Ok(()),
        _ => differ(),
    }
}

/// An answer as pages show it: one member per line, small objects and lists on one, long texts shortened. Digits and the order of
/// members are those of the answer.
pub(super) fn on_page(json: &str) -> String {
    let mut text = String::new();
    let mut depth = 0_usize;
    let mut rest = json.trim();
    while let Some(first) = rest.chars().next() {
        let line = |depth: usize| format!("\n{}", "  ".repeat(depth));
        match first {
            '"' => {
                let end = rest[1..].find('"').map_or(rest.len(), |end| end + 2);
                text.push_str(&shortened(&rest[..end]));
                rest = &rest[end..];
                continue;
            }
            '{' | '[' => {
                let close = if first == '{' { '}' } else { ']' };
                if let Some(whole) = small(rest, close) {
                    text.push_str(&spaced(whole));
                    rest = &rest[whole.len()..];
                    continue;
                }
                depth += 1;
                text.push(first);
                text.push_str(&line(depth));
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                text.push_str(&line(depth));
                text.push(first);
            }
            ',' => text.push_str(&format!(",{}", line(depth))),
            ':' => text.push_str(": "),
            other => text.push(other),
        }
        rest = &rest[first.len_utf8()..];
    }
    text
}

/// An object or a list without further ones inside that fits on a line.
fn small(text: &str, close: char) -> Option<&str> {
    let end = text.find(close)?;
    let whole = &text[..=end];
    (whole.len() <= 80 && !whole[1..].contains(['{', '['])).then_some(whole)
}

/// The same on one line, with room after commas and colons outside of texts.
fn spaced(text: &str) -> String {
    let mut in_text = false;
    let mut spaced = String::new();
    for character in text.chars() {
        in_text ^= character == '"';
        spaced.push(character);
        if !in_text && matches!(character, ',' | ':') {
            spaced.push(' ');
        }
    }
    spaced
}

fn shortened(quoted: &str) -> String {
    if quoted.len() <= SHOWN_LEN || !quoted.starts_with("\"0x") {
        return quoted.to_owned();
    }
    format!("{}…{}", &quoted[..21], &quoted[quoted.len() - 17..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_show_every_digit_and_shorten_long_texts() {
        let long = format!("0x{}", "ab".repeat(60));
        let json = format!(
            r#"{{"amount":115792089237316195423570985008687907853269984665640564039457584007913129639935,"txbytes":"{long}","list":[{{"a":1,"b":":x,y"}}],"none":[]}}"#
        );
        let shown = on_page(&json);
        assert!(shown.contains("129639935,\n  \"txbytes\": \"0xababababababababab…"), "{shown}");
        assert!(
            shown.contains("\"list\": [\n    {\"a\": 1, \"b\": \":x,y\"}\n  ],\n  \"none\": []"),
            "{shown}"
        );
        let (page, answer): (Value, Value) =
            (serde_json::from_str(&shown).unwrap(), serde_json::from_str(&json).unwrap());
        assert_eq!(same(&page, &answer, &[], ""), Ok(()));
    }

    #[test]
    fn what_differs_is_found_unless_it_is_volatile() {
        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        for (page, answer, volatile, is_same) in [
            (r#"{"a": 1}"#, r#"{"a": 2}"#, [].as_slice(), false),
            (r#"{"a": 1}"#, r#"{"a": 2}"#, &["a"], true),
            (r#"{"a": 1}"#, r#"{"b": 1}"#, &["a"], false),
            (r#"["0x12…34"]"#, r#"["0x1299934"]"#, &[], true),
            (r#"["0x12…34"]"#, r#"["0x1299935"]"#, &[], false),
            ("[1]", "[1, 2]", &[], false),
        ] {
            let found = same(&parse(page), &parse(answer), volatile, "");
            assert_eq!(found.is_ok(), is_same, "{page} {answer}");
        }
    }
}
