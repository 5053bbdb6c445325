//! What subscribers hear, and what they are refused.

use super::fake_log::transfers;
use super::{Socket, call, code, notification, subscribe, subscriber, teller};
use crate::{nodes, raw};
use plasma_core::journal::Topic;
use serde_json::Value;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_subscriber_hears_what_happens_from_now_on() {
    let teller = teller().await;
    teller.log.append_blocks(3);
    let mut one = subscriber(&teller, r#"{"topic":"blocks"}"#).await;
    let big = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    teller.log.append(Topic::Blocks, &format!(r#"{{"amount":{big}}}"#), 1);
    let expected = format!(
        r#"{{"jsonrpc":"2.0","method":"event","params":{{"subscription":"{}","result":{{"topic":"blocks","sequence":4,"id":"blocks:4","at":"1970-01-01T00:00:04Z","data":{{"amount":{big}}}}}}}}}"#,
        one.id
    );
    assert_eq!(one.socket.receive().await.unwrap(), expected);
}

#[tokio::test]
async fn a_subscription_begins_where_it_is_told_to() {
    let teller = teller().await;
    teller.log.append_blocks(5);
    for (from, first) in [
        (r#"{"sequence":1}"#, 1),
        (r#"{"sequence":5}"#, 5),
        (r#"{"sequence":6}"#, 6),
        (r#"{"blknum":0}"#, 1),
        (r#"{"blknum":3000}"#, 3),
        (r#"{"blknum":3001}"#, 4),
        (r#"{"blknum":99000}"#, 6),
        ("null", 6),
    ] {
        let mut one = subscriber(&teller, &format!(r#"{{"topic":"blocks","from":{from}}}"#)).await;
        if first > 5 {
            teller.log.append_blocks(1);
            assert!(one.sequence().await >= first, "{from}");
        } else {
            one.expect(first..=5).await;
        }
    }
}

#[tokio::test]
async fn a_wrong_beginning_is_refused_and_says_what_to_do() {
    let teller = teller().await;
    teller.log.append_blocks(5);
    let mut socket = Socket::open_at(teller.addr).await;
    for (params, expected) in [
        (r#"{"topic":"blocks","from":{"sequence":7}}"#, "subscription:from_beyond_head"),
        (
            r#"{"topic":"blocks","from":{"sequence":18446744073709551615}}"#,
            "subscription:from_beyond_head",
        ),
        (r#"{"topic":"blocks","from":{"sequence":0}}"#, "operation:bad_request"),
        (r#"{"topic":"blocks","from":{"sequence":-1}}"#, "operation:bad_request"),
        (r#"{"topic":"blocks","from":{"sequence":18446744073709551616}}"#, "operation:bad_request"),
        (r#"{"topic":"blocks","from":{"sequence":1,"blknum":1}}"#, "operation:bad_request"),
        (r#"{"topic":"blocks","from":{}}"#, "operation:bad_request"),
        (r#"{"topic":"blocks","from":7}"#, "operation:bad_request"),
        (r#"{"topic":"nonsense"}"#, "operation:bad_request"),
        (r#"{"topic":["blocks"]}"#, "operation:bad_request"),
        (r#"{"topic":"transfer:0x12"}"#, "operation:bad_request"),
        ("{}", "operation:bad_request"),
        ("[]", "operation:bad_request"),
    ] {
        socket.send(&call("subscribe", params)).await;
        let answer = socket.receive().await.unwrap();
        assert_eq!(code(&answer), expected, "{params}");
        let messages = r#""messages":{"topic":"blocks","head":5}"#;
        assert!(!expected.ends_with("head") || answer.contains(messages), "{answer}");
    }
}

#[tokio::test]
async fn subscriptions_need_a_websocket() {
    let teller = teller().await;
    for method in ["subscribe", "unsubscribe"] {
        let params = r#"{"topic":"blocks","subscription":"1"}"#;
        let answer = raw::post(teller.addr, "/", call(method, params)).await;
        assert_eq!(code(&answer.body), "subscription:needs_websocket");
        let answer = raw::post(teller.addr, &format!("/{method}"), params).await;
        assert!(answer.body.contains("subscription:needs_websocket"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_server_without_events_knows_no_subscriptions() {
    let node = nodes::child_chain().await;
    let mut socket = Socket::open_at(node.addr).await;
    for method in ["subscribe", "unsubscribe"] {
        socket.send(&call(method, r#"{"topic":"blocks"}"#)).await;
        assert_eq!(code(&socket.receive().await.unwrap()), "operation:not_found");
    }
    let answer = raw::get(node.addr, "/events?topics=blocks").await;
    assert!(answer.body.contains("operation:not_found"));
}

#[tokio::test]
async fn topics_do_not_mix_and_calls_are_answered_in_between() {
    let teller = teller().await;
    let mut socket = Socket::open_at(teller.addr).await;
    let blocks = subscribe(&mut socket, r#"["blocks"]"#).await;
    let alice = format!(r#"["transfer:0x{}"]"#, "AA".repeat(20));
    let alice = subscribe(&mut socket, &alice).await;
    let twice = subscribe(&mut socket, r#"{"topic":"blocks"}"#).await;
    teller.log.append(transfers(0xbb), "1", 3);
    teller.log.append(transfers(0xaa), "2", 1);
    let told = notification(&mut socket).await;
    assert_eq!((&told["subscription"], &told["result"]["data"]), (&alice.into(), &2.into()));
    socket.check(&call("alarm.get", "[]"), r#"{"jsonrpc":"2.0","id":1,"result":[]}"#).await;
    teller.log.append_blocks(1);
    let told = [notification(&mut socket).await, notification(&mut socket).await];
    let mut ids = told.each_ref().map(|told| told["subscription"].as_str().unwrap());
    ids.sort_by_key(|id| id.parse::<u64>().unwrap());
    assert_eq!(ids, [&*blocks, &*twice]);
}

#[tokio::test]
async fn what_is_unsubscribed_from_is_not_heard_of_again() {
    let teller = teller().await;
    let mut other = subscriber(&teller, r#"["blocks"]"#).await;
    let mut one = subscriber(&teller, r#"["exits"]"#).await;
    let kept = subscribe(&mut one.socket, r#"["blocks"]"#).await;
    let unsubscribe = |id: &str| call("unsubscribe", &format!(r#"{{"subscription":"{id}"}}"#));
    let answer = |result: bool| format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
    one.socket.check(&unsubscribe(&other.id), &answer(false)).await;
    one.socket.check(&unsubscribe("x"), &answer(false)).await;
    one.socket.check(&unsubscribe(&one.id), &answer(true)).await;
    one.socket.check(&unsubscribe(&one.id), &answer(false)).await;
    teller.log.append(Topic::Exits, "{}", 2);
    teller.log.append_blocks(1);
    one.id = kept;
    one.expect([1]).await;
    other.expect([1]).await;
}

#[tokio::test]
async fn a_batch_can_subscribe_and_a_notification_cannot() {
    let teller = teller().await;
    teller.log.append_blocks(1);
    let mut socket = Socket::open_at(teller.addr).await;
    let silent = r#"{"jsonrpc":"2.0","method":"subscribe","params":["blocks",{"sequence":1}]}"#;
    socket.send(silent).await;
    let from_1 = call("subscribe", r#"["blocks",{"sequence":1}]"#);
    socket.send(&format!("[{from_1},{silent},{from_1}]")).await;
    let answers: Value = serde_json::from_str(&socket.receive().await.unwrap()).unwrap();
    assert_eq!(answers.as_array().unwrap().len(), 2);
    let mut told = [notification(&mut socket).await, notification(&mut socket).await];
    told.sort_by_key(|told| told["subscription"].as_str().unwrap().parse::<u64>().unwrap());
    let ids = [&answers[0]["result"], &answers[1]["result"]];
    assert_eq!(told.iter().map(|told| &told["subscription"]).collect::<Vec<_>>(), ids);
    let alarms = call("alarm.get", "[]");
    socket.check(&alarms, r#"{"jsonrpc":"2.0","id":1,"result":[]}"#).await;
}

#[tokio::test]
async fn a_log_that_cannot_be_read_ends_nobody_who_is_up_to_date() {
    let teller = teller().await;
    let mut one = subscriber(&teller, r#"["blocks"]"#).await;
    teller.log.is_broken.store(true, Ordering::Relaxed);
    teller.log.append_blocks(1);
    one.socket.send(&call("subscribe", r#"["exits"]"#)).await;
    let answer = one.socket.receive().await.unwrap();
    assert_eq!(code(&answer), "subscription:events_unavailable");
    assert!(answer.contains("-32009"), "{answer}");
    teller.log.is_broken.store(false, Ordering::Relaxed);
    one.expect([1]).await;
}

#[tokio::test]
async fn a_gap_in_the_log_is_never_told() {
    let teller = teller().await;
    teller.log.append_blocks(2_000);
    let mut live = subscriber(&teller, r#"["blocks"]"#).await;
    teller.log.append_blocks(1);
    live.expect([2_001]).await;
    let mut others = subscriber(&teller, r#"["exits"]"#).await;
    teller.log.has_gap.store(true, Ordering::Relaxed);
    let mut one = subscriber(&teller, r#"["blocks",{"sequence":1}]"#).await;
    let told = one.next().await;
    assert_eq!(told["error"]["code"], "subscription:events_unavailable");
    assert_eq!(told["error"]["messages"]["next"], 1);
    teller.log.append_blocks(2);
    let told = live.next().await;
    assert_eq!(told["error"]["code"], "subscription:events_unavailable");
    assert_eq!(told["error"]["messages"]["next"], 2_002);
    teller.log.has_gap.store(false, Ordering::Relaxed);
    let mut again = subscriber(&teller, r#"["blocks",{"sequence":2002}]"#).await;
    again.expect([2_002, 2_003]).await;
    teller.log.append(Topic::Exits, "{}", 1);
    others.expect([1]).await;
}
