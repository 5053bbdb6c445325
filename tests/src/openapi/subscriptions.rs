//! Drives `subscribe`, `unsubscribe` and `GET /events` with right and wrong requests, over real connections, and judges every answer
//! and everything that is told.

use super::requests::{Known, fields, hostile, written};
use super::socket::Socket;
use super::{Answer, Documents};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// Requests by construction for each method.
const CASES: usize = 48;
/// Calls on one socket: it may have 64 subscriptions.
const SOCKET_CALLS: usize = 40;
/// Pause before a server is asked again that has all the streams it may have.
const PAUSE: Duration = Duration::from_millis(5);
/// Where the document has the answers that are no stream.
const REFUSED: &str = "http#/paths/~1events/get/responses/200/content/application~1json/schema";
/// Where the other one has what subscribers are told.
pub(super) const TOLD: &str = "json_rpc#/components/schemas/Notification";

/// What happened.
#[derive(Debug, Default)]
pub struct Subscribed {
    /// Calls over WebSockets.
    pub calls: usize,
    /// Of these, how many were granted.
    pub granted: usize,
    /// Events that were told over WebSockets.
    pub events: usize,
    /// Requests for streams.
    pub streams: usize,
    /// Of these, how many were granted.
    pub opened: usize,
}

/// Drives a server that listens at this address and is documented under this name.
///
/// # Panics
/// When something is answered or told that is not documented, with the request.
pub async fn drive_subscriptions(name: &str, addr: SocketAddr, known: &Known) -> Subscribed {
    let mut driver = Driver {
        documents: Documents::read(name),
        addr,
        subscribed: Subscribed::default(),
        runner: TestRunner::deterministic(),
        socket: None,
    };
    for method in ["subscribe", "unsubscribe"] {
        driver.method(method, known).await;
    }
    for topic in &known["topic"] {
        driver.events(topic).await;
    }
    driver.nonsense().await;
    driver.streams(known).await;
    // Whatever was sent, it goes on.
    let mut socket = Socket::open(addr).await;
    let answer = socket.ask(r#"{"jsonrpc":"2.0","id":1,"method":"alarm.get"}"#).await;
    assert!(answer.contains("\"result\""), "{answer}");
    driver.subscribed
}

struct Driver {
    documents: Documents,
    addr: SocketAddr,
    subscribed: Subscribed,
    runner: TestRunner,
    /// The one that calls go through, and how many did.
    socket: Option<(Socket, usize)>,
}

impl Driver {
    async fn method(&mut self, method: &str, known: &Known) {
        let index = self.index(method);
        let schema = self.params(index);
        let strategy = fields(&schema, known);
        let hostile = hostile();
        for case in 0..CASES {
            let right = strategy.new_tree(&mut self.runner).unwrap().current();
            self.check(index, &right, true).await;
            for field in 0..right.len() {
                let mut wrong = right.clone();
                let (name, _) = wrong.remove(field);
                self.check(index, &wrong, true).await;
                let (value, is_told) = &hostile[(case * 7 + field * 3) % hostile.len()];
                wrong.insert(field, (name, value.clone()));
                self.check(index, &wrong, *is_told).await;
            }
        }
        let names = schema["properties"].as_object().unwrap();
        for name in names.keys() {
            for (value, is_told) in &hostile {
                self.check(index, &[(name.clone(), value.clone())], *is_told).await;
            }
        }
        for (from, is_told) in STARTS {
            let topic = known["topic"][0].clone();
            let fields = [("topic".to_owned(), topic), ("from".to_owned(), (*from).to_owned())];
            self.check(index, &fields, *is_told).await;
        }
    }

    /// Calls with parameters by name and by position, over a socket and where there is none.
    async fn check(&mut self, index: usize, fields: &[(String, String)], is_told: bool) {
        let params = written(fields);
        let is_right = self.is_right(index, &serde_json::from_str(&params).unwrap());
        let answer = self.call(index, &params).await;
        let refused = answer["error"]["code"] == -32_602;
        if is_told {
            assert_ne!(is_right, refused, "{params}: {answer}");
        }
        let schema = self.documents.json_rpc.pointer(&format!("/methods/{index}/params"));
        let names = schema.and_then(Value::as_array).unwrap().iter().map(|one| &one["name"]);
        let of_name = |name: &Value| {
            let field = fields.iter().find(|(field, _)| name == field);
            field.map_or("null".to_owned(), |(_, value)| value.clone())
        };
        let values: Vec<String> = names.map(of_name).collect();
        let answer = self.call(index, &format!("[{}]", values.join(","))).await;
        assert_eq!(answer["error"]["code"] == -32_602, refused, "{params} by position: {answer}");
        self.call_over_http(index, &params).await;
    }

    /// Calls over a WebSocket and judges the answer, and what was told meanwhile.
    async fn call(&mut self, index: usize, params: &str) -> Value {
        let (mut socket, calls) = match self.socket.take() {
            Some((socket, calls)) if calls < SOCKET_CALLS => (socket, calls),
            _ => (Socket::open(self.addr).await, 0),
        };
        let method = &self.documents.json_rpc["methods"][index]["name"];
        let request = format!(r#"{{"jsonrpc":"2.0","id":7,"method":{method},"params":{params}}}"#);
        let answer = Answer { status: 200, body: socket.ask(&request).await };
        if let Err(fault) = self.documents.judge_call(index, &answer) {
            panic!("{request}: {fault}\n{answer:?}");
        }
        for told in socket.told() {
            self.subscribed.events += 1;
            let parsed = serde_json::from_str(&told).unwrap();
            self.judge_event(&parsed).unwrap_or_else(|fault| panic!("{told}: {fault}"));
        }
        let answer: Value = serde_json::from_str(&answer.body).unwrap();
        self.subscribed.calls += 1;
        self.subscribed.granted += usize::from(answer.get("result").is_some());
        self.socket = Some((socket, calls + 1));
        answer
    }

    /// Listens to everything that a topic has.
    async fn events(&mut self, topic: &str) {
        let mut socket = Socket::open(self.addr).await;
        let subscribe = |from: u64| {
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{{"topic":{topic},"from":{{"sequence":{from}}}}}}}"#
            )
        };
        let beyond: Value = serde_json::from_str(&socket.ask(&subscribe(u64::MAX)).await).unwrap();
        let head = beyond["error"]["data"]["messages"]["head"].as_u64();
        let head = head.unwrap_or_else(|| panic!("{topic}: {beyond}"));
        socket.ask(&subscribe(1)).await;
        for sequence in 1..=head {
            let told = socket.next().await;
            let parsed: Value = serde_json::from_str(&told).unwrap();
            self.judge_event(&parsed).unwrap_or_else(|fault| panic!("{told}: {fault}"));
            assert_eq!(parsed["params"]["result"]["sequence"], sequence, "{told}");
            self.subscribed.events += 1;
        }
    }

    fn judge_event(&mut self, told: &Value) -> Result<(), String> {
        let params = told.get("params").ok_or("there are no params")?;
        if told["jsonrpc"] != "2.0" || told["method"] != "event" {
            return Err("this is no event".to_owned());
        }
        self.documents.check(TOLD, params)
    }

    async fn call_over_http(&mut self, index: usize, params: &str) {
        let method = &self.documents.json_rpc["methods"][index]["name"];
        let call = format!(r#"{{"jsonrpc":"2.0","id":1,"method":{method},"params":{params}}}"#);
        let request = reqwest::Client::new().post(format!("http://{}/", self.addr)).body(call);
        let response = request.header("content-type", "application/json").send().await.unwrap();
        let status = response.status().as_u16();
        let answer = Answer { status, body: response.text().await.unwrap() };
        self.documents.judge_call(index, &answer).unwrap_or_else(|fault| panic!("{fault}"));
        assert!(answer.body.contains("subscription:needs_websocket"), "{answer:?}");
    }

    /// Messages that are no calls: each has an answer, and the socket goes on.
    async fn nonsense(&mut self) {
        let mut socket = Socket::open(self.addr).await;
        let deep = "[".repeat(10_000);
        for message in ["", "{", "[]", "null", "7", "\u{0}", r#"{"jsonrpc":"1.0"}"#, &deep] {
            let answer: Value = serde_json::from_str(&socket.ask(message).await).unwrap();
            let code = answer["error"]["code"].as_i64().unwrap();
            assert!([-32_700, -32_600].contains(&code), "{message:.20}: {answer}");
        }
    }

    /// Every choice of topics with every place to begin and every place to go on.
    async fn streams(&mut self, known: &Known) {
        let address = known["address"][0].trim_matches('"').to_owned();
        let topics = topics(&address);
        for (topics, are_right) in &topics {
            for (from, from_is_right) in FROM {
                for (place, place_is_right) in PLACES {
                    let mut url = format!("http://{}/events?surplus=1", self.addr);
                    for (name, value) in [("topics", topics.as_deref()), ("from", *from)] {
                        url.extend(value.map(|value| format!("&{name}={value}")));
                    }
                    let is_right = *are_right && *from_is_right && *place_is_right;
                    self.stream(&url, *place, is_right).await;
                }
            }
        }
    }

    async fn stream(&mut self, url: &str, place: Option<&[u8]>, is_right: bool) {
        self.subscribed.streams += 1;
        let what = format!("{url:.200} {:?}", place.map(String::from_utf8_lossy));
        loop {
            let mut request = reqwest::Client::new().get(url);
            if let Some(place) = place {
                request = request.header("last-event-id", place);
            }
            let mut response = request.send().await.unwrap();
            assert_eq!(response.status(), 200, "{what}");
            let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
            if kind.starts_with("text/event-stream") {
                let opening = response.chunk().await.unwrap().unwrap();
                assert!(opening.starts_with(b"retry: 1000\nid: "), "{what}: {opening:?}");
                assert!(is_right, "{what}: granted");
                self.subscribed.opened += 1;
                return;
            }
            let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
            self.documents.check(REFUSED, &body).unwrap_or_else(|fault| panic!("{what}: {fault}"));
            // Streams that nobody reads any more are given up a moment later.
            if body["data"]["code"] != "operation:overloaded" {
                assert!(!is_right, "{what}: {body}");
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn index(&self, method: &str) -> usize {
        let methods = self.documents.json_rpc["methods"].as_array().unwrap();
        let index = methods.iter().position(|one| one["name"] == method);
        index.unwrap_or_else(|| panic!("{method} is not in the OpenRPC document"))
    }

    /// The parameters as the schema of an object.
    fn params(&self, index: usize) -> Value {
        let params = self.documents.json_rpc["methods"][index]["params"].as_array().unwrap();
        let required = params.iter().filter(|param| param["required"] == true);
        let required: Vec<&Value> = required.map(|param| &param["name"]).collect();
        let properties: Map<String, Value> = params
            .iter()
            .map(|param| (param["name"].as_str().unwrap().to_owned(), param["schema"].clone()))
            .collect();
        json!({"type": "object", "properties": properties, "required": required})
    }

    /// Whether the document takes these parameters.
    fn is_right(&mut self, index: usize, params: &Value) -> bool {
        let described = self.documents.json_rpc["methods"][index]["params"].clone();
        described.as_array().unwrap().iter().enumerate().all(|(at, described)| {
            let place = format!("json_rpc#/methods/{index}/params/{at}/schema");
            match params.get(described["name"].as_str().unwrap()) {
                Some(value) => self.documents.check(&place, value).is_ok(),
                None => described["required"] != true,
            }
        })
    }
}

/// Starts of subscriptions. JSON Schema cannot tell those that are not marked from the largest number that is right.
const STARTS: &[(&str, bool)] = &[
    (r#"{"sequence":0}"#, true),
    (r#"{"sequence":-1}"#, true),
    (r#"{"blknum":-1}"#, true),
    (r#"{"sequence":1,"blknum":1000}"#, true),
    (r#"{"sequence":1,"blknum":null,"surplus":[]}"#, true),
    (r#"{"sequence":18446744073709551616}"#, false),
    (r#"{"blknum":18446744073709551616}"#, false),
    (r#"{"sequence":"1"}"#, true),
    (r#"{"blknum":[1000]}"#, true),
    (r#""sequence:1""#, true),
];

type Part<T> = (Option<T>, bool);

/// Topics of a stream, and whether they are.
fn topics(address: &str) -> Vec<Part<String>> {
    let one = |text: &str, is_right| (Some(text.to_owned()), is_right);
    let many: Vec<String> = (0..17).map(|n| format!("transfer:0x{n:040x}")).collect();
    vec![
        one("blocks", true),
        one("byzantine,blocks,deposits,exits,status", true),
        one(&format!("transfer:{address}"), true),
        one("status%2Cexits&topics=blocks", true),
        (None, false),
        one("", false),
        one("blocks,", false),
        one("Blocks", false),
        one("transfer:0x12", false),
        one("%00", false),
        one("%ff%fe", false),
        one("'%20OR%201=1", false),
        (Some(many.join(",")), false),
        (Some("x".repeat(4_000)), false),
    ]
}

/// Where a stream begins, and whether it can.
const FROM: &[Part<&str>] = &[
    (None, true),
    (Some(""), true),
    (Some("sequence:1"), true),
    (Some("blknum%3A1000"), true),
    (Some("blknum:0"), true),
    (Some("sequence:0"), false),
    (Some("sequence:-1"), false),
    (Some("sequence:18446744073709551616"), false),
    (Some("sequence:1e3"), false),
    (Some("blknum:"), false),
    (Some("block:1"), false),
    (Some("1"), false),
    (Some("%ff"), false),
];

/// What a client says it has, and whether that can be. Of topics that are not in the stream, nothing is looked at.
const PLACES: &[Part<&[u8]>] = &[
    (None, true),
    (Some(b"exits:0"), true),
    (Some(b"deposits:0,exits:0"), true),
    (Some(b"17"), false),
    (Some(b"blocks"), false),
    (Some(b"blocks:-1"), false),
    (Some(b"blocks:0,blocks:0"), false),
    (Some(b"blocks:18446744073709551616"), false),
    (Some(b"\xff\xfe"), false),
];
