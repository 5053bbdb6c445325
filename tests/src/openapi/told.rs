//! Executes the examples of docs/api that show what a subscriber is told, over real connections.
//!
//! On a page, such an example is a fenced `websocket` block with a URL and a call, and after it a fenced `json` block for each message
//! that comes back; or a fenced `events` block with a request, and after it a fenced `text` block with the beginning of the stream.
//! With `UPDATE_DOCS=1` what came is written to the page.

use super::examples::{Shown, on_page, pages, same};
use super::socket::Socket;
use super::subscriptions::TOLD;
use super::{Answer, Documents};
use serde_json::Value;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

/// The event object, wherever it is told.
const EVENT: &str = "json_rpc#/components/schemas/EventObject";
/// How long the beginning of a stream may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// A fenced block.
#[derive(Debug)]
struct Fence<'a> {
    language: &'a str,
    text: &'a str,
    at: Range<usize>,
}

/// Executes all examples that ask the server with this port in the documentation, at the address where it listens here. Values under
/// the names in `volatile` differ from run to run.
///
/// # Panics
/// When something else is told than the page shows, or something that is not in the document.
pub async fn check_told(document: &str, port: u16, addr: SocketAddr, volatile: &[&str]) -> Shown {
    let mut teller = Teller { documents: Documents::read(document), port, addr };
    let is_update = std::env::var_os("UPDATE_DOCS").is_some();
    let mut shown = Shown::default();
    for page in pages() {
        let mut text = std::fs::read_to_string(&page).unwrap();
        let mut updates = Vec::new();
        let fences = fences(&text);
        for (index, fence) in fences.iter().enumerate() {
            let rest = fences[index + 1..].iter();
            let (expected, told): (Vec<&Fence<'_>>, _) = match fence.language {
                "websocket" => {
                    let messages: Vec<_> =
                        rest.take_while(|next| next.language == "json").collect();
                    let told = teller.over_websocket(fence.text, messages.len()).await;
                    (messages, told)
                }
                "events" => (rest.take(1).collect(), teller.over_http(fence.text).await),
                _ => continue,
            };
            let Some(told) = told else { continue };
            shown.examples += 1;
            assert_eq!(told.len(), expected.len(), "{}: {}", page.display(), fence.text);
            for (expected, told) in expected.into_iter().zip(told) {
                if is_update {
                    updates.push((expected.at.clone(), told));
                } else if let Err(fault) = alike(expected, &told, volatile) {
                    panic!("{}: {fault}\n{told}", page.display());
                }
            }
        }
        for (at, told) in updates.into_iter().rev() {
            text.replace_range(at, &format!("{told}\n"));
            std::fs::write(&page, &text).unwrap();
        }
    }
    shown
}

struct Teller {
    documents: Documents,
    port: u16,
    addr: SocketAddr,
}

impl Teller {
    /// What comes over a WebSocket, as pages show it; `None` for another server.
    async fn over_websocket(&mut self, example: &str, messages: usize) -> Option<Vec<String>> {
        let (url, call) = example.split_once("\n\n").expect("a URL and a call");
        if url.trim() != format!("ws://localhost:{}/", self.port) {
            return None;
        }
        let mut socket = Socket::open(self.addr).await;
        let body = socket.ask(call.trim()).await;
        let answer: Value = serde_json::from_str(&body).unwrap();
        let parsed: Value = serde_json::from_str(call).unwrap();
        let methods = self.documents.json_rpc["methods"].as_array().unwrap();
        let index = methods.iter().position(|one| one["name"] == parsed["method"]).unwrap();
        let judged = self.documents.judge_call(index, &Answer { status: 200, body: body.clone() });
        judged.unwrap_or_else(|fault| panic!("{call}: {fault}"));
        // Ids count the subscriptions of the process; the first one is shown.
        let id = answer["result"].as_str().unwrap_or_default().to_owned();
        let shown = |text: &str| {
            let text = text.replacen(&format!("\"result\":\"{id}\""), "\"result\":\"1\"", 1);
            let subscription = format!("\"subscription\":\"{id}\"");
            on_page(&text.replacen(&subscription, "\"subscription\":\"1\"", 1))
        };
        let mut told = vec![shown(&body)];
        while told.len() < messages {
            let message = socket.next().await;
            let event: Value = serde_json::from_str(&message).unwrap();
            let judged = self.documents.check(TOLD, &event["params"]);
            judged.unwrap_or_else(|fault| panic!("{message}: {fault}"));
            told.push(shown(&message));
        }
        Some(told)
    }

    /// The beginning of a stream with its first event; `None` for another server.
    async fn over_http(&mut self, example: &str) -> Option<Vec<String>> {
        let url = format!("GET http://localhost:{}", self.port);
        let path = example.trim().strip_prefix(&url)?;
        let request = reqwest::Client::new().get(format!("http://{}{path}", self.addr));
        let mut response = request.send().await.unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap();
        assert!(kind.starts_with("text/event-stream"), "{path}: {kind}");
        let mut bytes = Vec::new();
        let reading = async {
            while String::from_utf8_lossy(&bytes).matches("\n\n").count() < 2 {
                bytes.extend(response.chunk().await.unwrap().expect("the stream goes on"));
            }
        };
        tokio::time::timeout(DEADLINE, reading).await.expect("there is an event in time");
        let stream = String::from_utf8(bytes).unwrap();
        let told: Vec<&str> = stream.split("\n\n").take(2).collect();
        let data = told[1].lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let judged = self.documents.check(EVENT, &serde_json::from_str(data).unwrap());
        judged.unwrap_or_else(|fault| panic!("{data}: {fault}"));
        Some(vec![told.join("\n\n")])
    }
}

fn alike(expected: &Fence<'_>, told: &str, volatile: &[&str]) -> Result<(), String> {
    let parse = |text: &str| -> Value { serde_json::from_str(text).expect("JSON") };
    if expected.language == "json" {
        return same(&parse(expected.text), &parse(told), volatile, "");
    }
    if expected.text.lines().count() != told.lines().count() {
        return Err(format!("the page shows\n{}", expected.text));
    }
    let mut lines = expected.text.lines().zip(told.lines());
    lines.try_for_each(|(expected, told)| {
        match (expected.strip_prefix("data: "), told.strip_prefix("data: ")) {
            (Some(expected), Some(told)) => same(&parse(expected), &parse(told), volatile, ""),
            _ if expected == told => Ok(()),
            _ => Err(format!("{expected:?} on the page, {told:?} in the stream")),
        }
    })
}

/// The fenced blocks of a page.
fn fences(page: &str) -> Vec<Fence<'_>> {
    let (mut fences, mut open, mut at) = (Vec::new(), None, 0);
    for line in page.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let Some(language) = line.strip_prefix("```") else { continue };
        match open.take() {
            None => open = Some((language.trim(), at)),
            Some((language, from)) => {
                fences.push(Fence { language, text: &page[from..start], at: from..start });
            }
        }
    }
    fences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fenced_blocks_are_found_where_they_are() {
        let page = "# A\n```websocket\nws\n```\n\n```json\n1\n```\ntext\n```events\nGET\n```\n```text\n```\n";
        let found: Vec<_> = fences(page).iter().map(|one| (one.language, one.text)).collect();
        assert_eq!(
            found,
            [("websocket", "ws\n"), ("json", "1\n"), ("events", "GET\n"), ("text", "")]
        );
        assert!(fences(page).iter().all(|fence| &page[fence.at.clone()] == fence.text));
    }

    #[test]
    fn a_stream_that_differs_from_the_page_is_a_fault() {
        let page = "id: a:1\ndata: {\"x\":1,\"at\":2}\n";
        let expected = Fence { language: "text", text: page, at: 0..0 };
        for (told, is_alike) in [
            ("id: a:1\ndata: {\"x\":1,\"at\":9}", true),
            ("id: a:2\ndata: {\"x\":1,\"at\":2}", false),
            ("id: a:1\ndata: {\"x\":2,\"at\":2}", false),
            ("id: a:1", false),
        ] {
            assert_eq!(alike(&expected, told, &["at"]).is_ok(), is_alike, "{told}");
        }
    }
}
