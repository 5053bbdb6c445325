//! Pages for browsers.

use crate::nodes;
use crate::raw::{Answer, exchange, request};
use plasma_rpc::Service;
use plasma_rpc::server::{Limits, MethodTable, Page, Pages, Probes, Server, ServerConfig};
use std::sync::Arc;

const PAGES: &[Page] = &[
    Page {
        path: "/explorer/",
        content_type: "text/html; charset=utf-8",
        content: b"<!doctype html>",
    },
    Page {
        path: "/explorer/app.js",
        content_type: "text/javascript; charset=utf-8",
        content: b"1",
    },
];

async fn server() -> Server {
    let probes = Probes { alarms: Arc::new(Vec::new), metrics: Arc::new(String::new) };
    let table = MethodTable::new(Service::Watcher, Arc::new(()));
    let pages = Pages::new(PAGES, "/explorer/");
    let config = ServerConfig { pages, ..nodes::config(Limits::default()) };
    Server::start(config, table, probes).await.unwrap()
}

async fn ask(server: &Server, line: &str, headers: &[&str]) -> Answer {
    exchange(server.local_addr(), &request(line, headers, b"")).await
}

#[tokio::test]
async fn a_page_comes_with_its_type_a_strict_policy_and_a_tag() {
    let server = server().await;
    let page = ask(&server, "GET /explorer/", &[]).await;
    assert_eq!((page.status, &*page.body), (200, "<!doctype html>"));
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "public, no-cache"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("content-length", "15"),
    ] {
        assert_eq!(page.header(name), Some(value), "{name}");
    }
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let head = ask(&server, "HEAD /explorer/", &[]).await;
    assert_eq!((head.status, &*head.body), (200, ""));
    assert_eq!(head.header("content-length"), Some("15"));
    let tag = page.header("etag").unwrap();
    for (known, status) in [
        (tag.to_owned(), 304),
        (format!("\"x\", W/{tag}"), 304),
        ("*".to_owned(), 304),
        ("\"x\"".to_owned(), 200),
    ] {
        let header = format!("if-none-match: {known}");
        let page = ask(&server, "GET /explorer/", &[&header]).await;
        assert_eq!((page.status, page.body.is_empty()), (status, status == 304), "{known}");
        assert_eq!(page.header("etag"), Some(tag));
    }
}

#[tokio::test]
async fn browsers_are_sent_to_the_start_and_programs_are_not() {
    let server = server().await;
    let browser = ["accept: text/html,application/xhtml+xml,*/*;q=0.8"];
    for (line, headers, status, location) in [
        ("GET /", &browser[..], 302, Some("/explorer/")),
        ("HEAD /", &browser[..], 302, Some("/explorer/")),
        ("GET /explorer", &[], 308, Some("/explorer/")),
        ("GET /", &["accept: */*"], 200, None),
        ("GET /", &[], 200, None),
        ("GET /explorer/nothing.js", &browser[..], 200, None),
        ("GET /explorer/../secret", &browser[..], 200, None),
        ("POST /explorer/", &[], 200, None),
    ] {
        let answer = ask(&server, line, headers).await;
        assert_eq!(answer.status, status, "{line} {headers:?}");
        assert_eq!(answer.header("location"), location, "{line} {headers:?}");
        let is_refused = answer.body.contains("operation:not_found") || line.starts_with("HEAD");
        assert!(is_refused || location.is_some(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_server_without_pages_sends_nobody_anywhere() {
    let node = nodes::child_chain().await;
    let bytes = request("GET /", &["accept: text/html"], b"");
    let answer = exchange(node.addr, &bytes).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("operation:not_found"));
}
