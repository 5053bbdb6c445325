//! Long lists, page by page over real HTTP: whoever goes through them sees every row once.

use crate::kit::{World, post};
use crate::operator::hex;
use crate::users::{Who, output, pay};
use Who::{Alice, Bob};
use plasma_core::wire::UtxoPos;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Rows of all pages, in order: by number or by cursor.
async fn all(addr: SocketAddr, method: &str, params: &Value, by_cursor: bool) -> Vec<Value> {
    let (mut rows, mut page, mut cursor) = (Vec::new(), 1, Value::Null);
    loop {
        let mut body = params.clone();
        body["limit"] = json!(3);
        if by_cursor {
            body["cursor"] = cursor;
        } else {
            body["page"] = json!(page);
        }
        let (_, text) = post(addr, method, body.to_string()).await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        let data = answer["data"].as_array().unwrap_or_else(|| panic!("{method}: {text}"));
        let paging = &answer["data_paging"];
        assert_eq!((&paging["limit"], &paging["page"]), (&json!(3), &json!(page)), "{method}");
        assert!(data.len() <= 3, "{method}");
        assert_eq!(paging["next_cursor"].is_string(), data.len() == 3, "{method}: {text}");
        rows.extend(data.iter().cloned());
        cursor = paging["next_cursor"].clone();
        if !by_cursor {
            page += 1;
        }
        if data.len() < 3 {
            return rows;
        }
    }
}

#[actix::test]
async fn whoever_goes_through_all_pages_sees_every_row_once() {
    let mut world = World::with_database().await;
    let deposits: Vec<UtxoPos> = (0..8).map(|index| world.deposit(Alice, 10 + index)).collect();
    let watched = world.start().await;
    let mut newest = None;
    for pair in deposits[..6].chunks(2) {
        let payments = pair.iter().map(|spent| pay(&[(*spent, Alice)], &[(Bob, 6), (Alice, 4)]));
        let block = world.block(payments.collect());
        watched.validated(block.number).await;
        newest = Some(block);
    }
    watched.indexed(output(&newest.unwrap(), 1, 1)).await;
    let addr = watched.info_addr.unwrap();
    let alice = json!({"address": hex(Alice.address().as_bytes())});
    for (method, params, key, count, is_ascending) in [
        ("account.get_utxos", &alice, "/utxo_pos", 8, true),
        ("account.get_transactions", &alice, "/outputs/0/utxo_pos", 6, false),
        ("transaction.all", &json!({"txtypes": [1]}), "/outputs/0/utxo_pos", 6, false),
        ("block.all", &json!({}), "/blknum", 3, false),
        ("deposit.all", &alice, "/txoutputs/0/utxo_pos", 8, false),
        ("fees.history", &json!({}), "/sequence", 1, false),
    ] {
        let rows = all(addr, method, params, false).await;
        assert_eq!(all(addr, method, params, true).await, rows, "{method}");
        let keys: Vec<u64> =
            rows.iter().map(|row| row.pointer(key).unwrap().as_u64().unwrap()).collect();
        assert_eq!(keys.len(), count, "{method}");
        let is_sorted = keys.is_sorted_by(|one, next| (one < next) == is_ascending && one != next);
        assert!(is_sorted, "{method}: {keys:?}");
    }
    // A cursor stays where it is while rows are added before it.
    let (_, text) =
        post(addr, "deposit.all", json!({"address": alice["address"], "limit": 3}).to_string())
            .await;
    let first: Value = serde_json::from_str(&text).unwrap();
    watched.indexed(world.deposit(Alice, 99)).await;
    let next = json!({"address": alice["address"], "limit": 3, "cursor": first["data_paging"]["next_cursor"]});
    let (_, text) = post(addr, "deposit.all", next.to_string()).await;
    let second: Value = serde_json::from_str(&text).unwrap();
    let blknums = |page: &Value| -> Vec<u64> {
        let rows = page["data"].as_array().unwrap().iter();
        rows.map(|row| row["txoutputs"][0]["blknum"].as_u64().unwrap()).collect()
    };
    assert_eq!((blknums(&first), blknums(&second)), (vec![8, 7, 6], vec![5, 4, 3]));
    watched.stop().await;
}
