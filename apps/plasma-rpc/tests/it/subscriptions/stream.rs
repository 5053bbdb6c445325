//! Server-sent events: their text, and that a browser that comes back loses nothing.

use super::fake_log::transfers;
use super::{Teller, teller, teller_with};
use crate::raw::{self, soon};
use plasma_core::journal::Topic;
use plasma_rpc::server::Limits;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// What a browser makes of a stream.
struct Browser {
    lines: tokio::io::Lines<BufReader<TcpStream>>,
    last_event_id: String,
    /// Headers of the answer.
    head: String,
}

#[derive(Debug, PartialEq, Eq)]
struct Heard {
    event: String,
    data: String,
}

impl Browser {
    async fn open(teller: &Teller, query: &str, last_event_id: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(teller.addr).await.unwrap();
        let last = last_event_id.map(|id| format!("last-event-id: {id}"));
        let headers: Vec<_> = last.as_deref().into_iter().collect();
        let ask = raw::request(&format!("GET /events?{query}"), &headers, b"");
        stream.write_all(&ask).await.unwrap();
        let mut lines = BufReader::new(stream).lines();
        let mut head = String::new();
        loop {
            let line = soon(lines.next_line()).await.unwrap().unwrap();
            if line.is_empty() {
                break;
            }
            head.push_str(&line);
            head.push('\n');
        }
        assert!(head.starts_with("HTTP/1.1 200 OK\n"), "{head}");
        Self { lines, last_event_id: last_event_id.unwrap_or_default().into(), head }
    }

    /// The next event, as the standard says; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Heard> {
        let (mut event, mut data) = (String::new(), String::new());
        while let Some(line) = soon(self.lines.next_line()).await.unwrap() {
            // Sizes of chunks are no lines of a stream of events, and nobody here sends such a field.
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "id" => self.last_event_id = value.to_owned(),
                "event" => event = value.to_owned(),
                "data" => data = value.to_owned(),
                "" if line.is_empty() && !data.is_empty() => return Some(Heard { event, data }),
                _ => {}
            }
        }
        None
    }
}

#[tokio::test]
async fn a_stream_begins_with_its_place_and_tells_events_with_theirs() {
    let teller = teller().await;
    teller.log.append_blocks(1);
    let account = format!("transfer:0x{}", "bb".repeat(20));
    let query = format!("topics=blocks,{account}&from=sequence:1");
    let mut browser = Browser::open(&teller, &query, None).await;
    for header in [
        "content-type: text/event-stream; charset=utf-8\n",
        "cache-control: no-store\n",
        "access-control-allow-origin: *\n",
        "transfer-encoding: chunked\n",
    ] {
        assert!(browser.head.contains(header), "{}", browser.head);
    }
    let heard = browser.next().await.unwrap();
    let data =
        r#"{"topic":"blocks","sequence":1,"id":"blocks:1","at":"1970-01-01T00:00:01Z","data":{}}"#;
    assert_eq!(heard, Heard { event: "blocks".into(), data: data.into() });
    assert_eq!(browser.last_event_id, format!("blocks:1,{account}:0"));
    teller.log.append(transfers(0xbb), "{\n}", 1);
    let heard = browser.next().await.unwrap();
    assert_eq!(heard.event, account);
    assert!(heard.data.ends_with(r#""data":{ }}"#), "{heard:?}");
    assert_eq!(browser.last_event_id, format!("blocks:1,{account}:1"));
}

#[tokio::test]
async fn a_browser_that_comes_back_with_its_last_id_misses_nothing() {
    let teller = teller().await;
    let mut last = None;
    let mut heard = Vec::new();
    for round in 0..20_usize {
        // Without a place to begin from: only the id says where the browser has been.
        let mut browser = Browser::open(&teller, "topics=blocks,exits", last.as_deref()).await;
        if round == 0 {
            // What happens while nothing was heard yet is not missed either: the stream begins with an id.
            while browser.last_event_id.is_empty() {
                let line = soon(browser.lines.next_line()).await.unwrap().unwrap();
                browser.last_event_id = line.strip_prefix("id: ").unwrap_or_default().into();
            }
        }
        teller.log.append_blocks(1 + round % 3);
        for _ in 0..round.min(2) {
            heard.push(browser.next().await.unwrap());
        }
        last = Some(browser.last_event_id);
        teller.log.append(Topic::Exits, "{}", 2);
    }
    let total = (0..20).map(|round| 1 + round % 3 + 2).sum();
    let mut browser = Browser::open(&teller, "topics=blocks,exits", last.as_deref()).await;
    while heard.len() < total {
        heard.push(browser.next().await.unwrap());
    }
    for (topic, count) in [("blocks", total - 40), ("exits", 40)] {
        let of_topic = heard.iter().filter(|heard| heard.event == topic);
        for (heard, sequence) in of_topic.clone().zip(1..) {
            assert!(heard.data.contains(&format!(r#""sequence":{sequence},"#)), "{heard:?}");
        }
        assert_eq!(of_topic.count(), count, "{topic}");
    }
}

#[tokio::test]
async fn a_page_that_cannot_set_headers_says_its_place_in_the_query() {
    let teller = teller().await;
    teller.log.append_blocks(5);
    teller.log.append(Topic::Exits, "{}", 3);
    let query = "topics=blocks,exits&place=blocks:4,exits:3";
    let mut browser = Browser::open(&teller, query, None).await;
    browser.next().await.unwrap();
    assert_eq!(browser.last_event_id, "blocks:5,exits:3");
    // The page repeats its query when it comes back by itself.
    teller.log.append_blocks(1);
    let last = browser.last_event_id;
    let mut browser = Browser::open(&teller, query, Some(&last)).await;
    browser.next().await.unwrap();
    assert_eq!(browser.last_event_id, "blocks:6,exits:3");
}

#[tokio::test]
async fn a_quiet_stream_says_that_it_is_alive() {
    let beat = Duration::from_millis(20);
    let teller = teller_with(Limits { event_stream_heartbeat: beat, ..Limits::default() }).await;
    let mut browser = Browser::open(&teller, "topics=blocks", None).await;
    let mut beats = 0;
    while beats < 3 {
        let line = soon(browser.lines.next_line()).await.unwrap().unwrap();
        beats += usize::from(line == ":");
    }
    teller.log.append_blocks(1);
    assert_eq!(browser.next().await.unwrap().event, "blocks");
}

#[tokio::test]
async fn a_stream_too_many_and_a_request_that_makes_no_sense_are_refused() {
    let teller = teller_with(Limits { event_streams_max: 1, ..Limits::default() }).await;
    for (query, code) in [
        ("", "subscription:bad_request"),
        ("?topics=nonsense", "subscription:bad_request"),
        ("?topics=blocks&from=7", "subscription:bad_request"),
        ("?topics=blocks&from=sequence:7", "subscription:from_beyond_head"),
        ("?topics=blocks&place=blocks", "subscription:bad_request"),
        ("?topics=blocks&place=blocks:7", "subscription:from_beyond_head"),
    ] {
        let answer = raw::get(teller.addr, &format!("/events{query}")).await;
        assert!(answer.body.contains(&format!(r#""code":"{code}""#)), "{query}: {answer:?}");
    }
    let ask = |id: &str| raw::request("GET /events?topics=blocks", &[id], b"");
    for (id, code) in [
        ("last-event-id: blocks", "subscription:bad_request"),
        ("last-event-id: blocks:7", "subscription:from_beyond_head"),
        ("last-event-id: \u{e9}", "subscription:bad_request"),
    ] {
        let answer = raw::exchange(teller.addr, &ask(id)).await;
        assert!(answer.body.contains(&format!(r#""code":"{code}""#)), "{id}: {answer:?}");
    }
    let _browser = Browser::open(&teller, "topics=blocks", None).await;
    let answer = raw::get(teller.addr, "/events?topics=blocks").await;
    assert!(answer.body.contains("operation:overloaded"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_does_not_read_is_told_and_dropped_and_can_go_on() {
    let teller = teller_with(Limits {
        subscription_stall_timeout: Duration::from_millis(200),
        transfer_grace: Duration::from_secs(60),
        ..Limits::default()
    })
    .await;
    let mut browser = Browser::open(&teller, "topics=blocks", None).await;
    let data = format!("\"{}\"", "x".repeat(20_000));
    teller.log.append(Topic::Blocks, &data, 2_000);
    soon(teller.log.is_quiet_for(Duration::from_millis(500))).await;
    let mut count = 0;
    let end = loop {
        let heard = browser.next().await.unwrap();
        if heard.event == "end" {
            break heard;
        }
        count += 1;
        assert!(count < 2_000, "the server kept everything for somebody who did not read");
    };
    let next = r#""code":"subscription:too_slow","#;
    assert!(end.data.contains(next), "{end:?}");
    assert!(end.data.contains(&format!(r#""messages":{{"next":{}}}"#, count + 1)), "{end:?}");
    assert_eq!(browser.next().await, None);
    assert_eq!(browser.last_event_id, format!("blocks:{count}"));
}
