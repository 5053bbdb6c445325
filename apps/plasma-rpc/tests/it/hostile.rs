//! Whatever is sent, the answer is one that is documented, and the server goes on.

use crate::nodes::{self, Node};
use crate::raw;
use plasma_rpc::codes;
use proptest::prelude::*;
use serde_json::Value;
use std::sync::LazyLock;
use tokio::runtime::Runtime;

const CHILD_CHAIN: &[&str] =
    &["block.get", "transaction.submit", "transaction.batch_submit", "fees.all"];
const WATCHER: &[&str] = &[
    "status.get",
    "account.get_exitable_utxos",
    "block.validate",
    "utxo.get_exit_data",
    "utxo.get_challenge_data",
    "sentinel.get",
    "in_flight_exit.get_data",
    "in_flight_exit.get_competitor",
    "in_flight_exit.prove_canonical",
    "in_flight_exit.get_input_challenge_data",
    "in_flight_exit.get_output_challenge_data",
    "transaction.submit",
];

/// Sends a body to a method in both envelopes and checks that the answers are documented ones.
async fn check(node: &Node, method: &str, body: &[u8]) {
    let answer = raw::post(node.addr, &format!("/{method}"), body).await;
    assert!([200, 400, 413].contains(&answer.status), "{method}: {answer:?}");
    let envelope: Value = serde_json::from_str(&answer.body).unwrap();
    if envelope["success"] != true {
        check_error(answer.status, &envelope["data"]);
    }
    let call = [
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":"#).as_bytes(),
        body,
        b"}",
    ]
    .concat();
    let answer = raw::post(node.addr, "/", call).await;
    assert!([200, 413].contains(&answer.status), "{method}: {answer:?}");
    let response: Value = serde_json::from_str(&answer.body).unwrap();
    if let Some(error) = response.get("error") {
        let status = if answer.status == 413 { 413 } else { 0 };
        check_error(status, &error["data"]);
    }
}

/// A stable error of this HTTP status (0: any), or a refusal named by rule.
fn check_error(status: u16, error: &Value) {
    assert_eq!(error["object"], "error");
    let code = error["code"].as_str().unwrap();
    let stable = codes::ALL
        .iter()
        .find(|stable| stable.code == code && error["description"] == stable.description);
    match stable {
        Some(stable) => assert!(status == 0 || status == stable.http_status, "{status} {error}"),
        None => assert_eq!(error["description"], Value::Null, "{error}"),
    }
    assert_ne!(code, codes::INTERNAL.code);
}

const BODIES: &[&str] = &[
    "",
    " ",
    "{",
    "}",
    "[",
    "]",
    "{}",
    "[]",
    "null",
    "true",
    "0",
    "-",
    "1e",
    "\"",
    "\"\\",
    "nul",
    "{\"",
    "{\"a",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{1:2}",
    "{'a':1}",
    "{\"a\":1}{",
    "{}{}",
    "\u{feff}{}",
    "{\"\":\"\"}",
    "\u{0}",
    "{\"hash\":\"\u{0}\"}",
    "{\"hash\":\"\\u0000\"}",
    "{\"hash\":\"\\ud800\"}",
    "{\"hash\":\"\\q\"}",
    "{\"hash\":NaN}",
    "{\"hash\":Infinity}",
    "{\"hash\":+1}",
    "{\"hash\":.5}",
    "{\"hash\":1e400}",
    "/* */{}",
    "{\"utxo_pos\":1e400}",
    "{\"utxo_pos\":-1e400}",
    "{\"utxo_pos\":1.0}",
    "{\"utxo_pos\":0x10}",
];

#[tokio::test]
async fn every_kind_of_bad_body_has_a_documented_answer() {
    let (child_chain, watcher) = (nodes::child_chain().await, nodes::watcher().await);
    let long_number = "9".repeat(10_000_000);
    let mut bodies: Vec<Vec<u8>> = BODIES.iter().map(|body| body.as_bytes().to_vec()).collect();
    for name in [
        "hash",
        "transaction",
        "transactions",
        "currencies",
        "tx_types",
        "address",
        "number",
        "utxo_pos",
    ] {
        for value in [
            "null", "0", "-1", "\"\"", "\"0x\"", "\"0x0\"", "[]", "[null]", "[[]]", "{}", "[{}]",
            "1.5", "false",
        ] {
            bodies.push(format!("{{\"{name}\":{value}}}").into_bytes());
            bodies.push(format!("{{\"{name}\":{value},\"{name}\":{value}}}").into_bytes());
        }
        bodies.push(
            format!("{{\"{name}\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000)).into_bytes(),
        );
        bodies.push([format!("{{\"{name}\":\"").as_bytes(), b"\xc3\x28\xff\"}"].concat());
        bodies.push(format!("{{\"{name}\":\"0x{}\"}}", "ab".repeat(30_000)).into_bytes());
        bodies.push(format!("{{\"{name}\":{}}}", &long_number[..60_000]).into_bytes());
    }
    bodies.push("{\"a\":".repeat(10_000).into_bytes());
    bodies.push(format!("{{{}}}", vec!["\"hash\":1"; 7_000].join(",")).into_bytes());
    bodies.push(vec![0xff; 1_000]);
    for body in &bodies {
        for (node, methods) in [(&child_chain, CHILD_CHAIN), (&watcher, WATCHER)] {
            for method in methods {
                check(node, method, body).await;
            }
        }
    }
}

#[tokio::test]
async fn bodies_of_many_megabytes_are_read_or_refused_without_harm() {
    let (child_chain, watcher) = (nodes::child_chain().await, nodes::watcher().await);
    let deep = 5_000_000;
    for body in [
        format!("{{\"transactions\":{}}}", "9".repeat(10_000_000)),
        format!("{{\"transactions\":[{}]}}", "9".repeat(10_000_000)),
        format!("{{\"transactions\":\"{}\"}}", "\\u0041".repeat(1_500_000)),
        format!("{{\"transactions\":{}{}}}", "[".repeat(deep), "]".repeat(deep)),
        format!("{{\"ignored\":{}{}}}", "[".repeat(deep), "]".repeat(deep)),
        format!("{}1{}", "{\"a\":".repeat(1_000_000), "}".repeat(1_000_000)),
        "[".repeat(deep),
        format!("[{}]", vec!["[]"; 3_000_000].join(",")),
        format!("{{{}}}", vec!["\"transactions\":1"; 600_000].join(",")),
        format!("{{\"transactions\":[{}]}}", vec!["\"0x\""; 2_000_000].join(",")),
        format!("{{\"{}\":1}}", "k".repeat(10_000_000)),
    ] {
        check(&child_chain, "transaction.batch_submit", body.as_bytes()).await;
        check(&watcher, "block.validate", body.as_bytes()).await;
    }
}

#[tokio::test]
async fn what_is_no_http_ends_the_connection_and_nothing_else() {
    let node = nodes::child_chain().await;
    let long = "x".repeat(100_000);
    for bytes in [
        b"\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nhost: test\r\ncontent-length: -1\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}"
            .to_vec(),
        b"POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec(),
        format!("GET /{long} HTTP/1.1\r\nhost: test\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\nhost: test\r\nx: {long}\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(1_000)).into_bytes(),
    ] {
        let text = String::from_utf8_lossy(&bytes).chars().take(60).collect::<String>();
        let status = refused_status(&node, &bytes).await;
        assert!(status.is_none_or(|status| (400..500).contains(&status)), "{text}: {status:?}");
        assert_eq!(raw::get(node.addr, "/alarm.get").await.status, 200, "{text}");
    }
}

/// The status of the answer, if there is one before the connection ends.
async fn refused_status(node: &Node, bytes: &[u8]) -> Option<u16> {
    use tokio::io::AsyncWriteExt;
    let mut stream = tokio::net::TcpStream::connect(node.addr).await.unwrap();
    let _ = stream.write_all(bytes).await;
    stream.shutdown().await.ok();
    let seen = raw::until_closed(&mut stream).await;
    std::str::from_utf8(seen.get(9..12)?).ok()?.parse().ok()
}

struct Servers {
    runtime: Runtime,
    child_chain: Node,
    watcher: Node,
}

static SERVERS: LazyLock<Servers> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let child_chain = runtime.block_on(nodes::child_chain());
    let watcher = runtime.block_on(nodes::watcher());
    Servers { runtime, child_chain, watcher }
});

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,10}".prop_map(Value::from),
        "0x([0-9a-f]{2}){0,40}".prop_map(Value::from),
        Just(Value::from(format!("0x{}", "11".repeat(32)))),
        Just(Value::from(plasma_rpc::json::hex::encode(nodes::payment(1_000)))),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{0,5}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_params() -> impl Strategy<Value = Value> {
    let names = "hash|transaction|transactions|currencies|tx_types|address|number|utxo_pos|other";
    prop_oneof![
        4 => prop::collection::btree_map(names, any_value(), 0..4)
            .prop_map(|map| Value::Object(map.into_iter().collect())),
        1 => any_value(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_json_is_answered_as_documented(params in any_params()) {
        let servers = &*SERVERS;
        let body = params.to_string();
        servers.runtime.block_on(async {
            for (node, methods) in [(&servers.child_chain, CHILD_CHAIN), (&servers.watcher, WATCHER)] {
                for method in methods {
                    check(node, method, body.as_bytes()).await;
                }
            }
        });
    }

    #[test]
    fn any_bytes_are_answered_as_documented(body: Vec<u8>) {
        let servers = &*SERVERS;
        servers.runtime.block_on(check(&servers.child_chain, "block.get", &body));
    }
}
