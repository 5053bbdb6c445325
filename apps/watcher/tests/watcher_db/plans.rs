//! No question scans a table that grows.

use crate::journal::{Chain, account};
use crate::postgres::{Database, repository};
use plasma_core::wire::{ETH, U256};
use serde_json::Value;
use sqlx::{Connection, Row};

/// Tables that grow with the chain. Not `unlinked_piggybacks`, which is read as a whole: each of its rows costs a bond.
const GROWING: [&str; 6] = [
    "blocks",
    "transactions",
    "txoutputs",
    "account_transactions",
    "ethevents",
    "ethevents_txoutputs",
];

/// Values that fit the parameters of any of the queries, by type.
fn value(kind: &str) -> &'static str {
    match kind {
        "Bytea" => "'\\x00000000000000000000000000000000acc00001'",
        "ByteaArray" => "ARRAY['\\x01'::bytea]",
        "Int8" => "100000",
        "Int4" => "3",
        "Int8Array" => "ARRAY[1000::bigint, 3]",
        "Int4Array" => "ARRAY[1, 3]",
        "TextArray" => "ARRAY['1']",
        "Text" => "'1'",
        other => panic!("no value of type {other}"),
    }
}

/// Tables of which rows are read that are not looked up. `is_limited`: as many are read as the page has.
fn scans(plan: &Value, is_limited: bool, found: &mut Vec<String>) {
    let kind = plan["Node Type"].as_str().unwrap();
    let is_looked_up = plan["Index Cond"].is_string() && kind != "Seq Scan";
    let is_walked = is_limited && kind != "Seq Scan" && plan["Filter"].is_null();
    // A bitmap's conditions are those of the index below it, and what is written is no row that is read.
    let is_other = ["Bitmap Heap Scan", "ModifyTable"].contains(&kind);
    let reads = plan["Relation Name"].is_string() && !is_other;
    if (reads || kind == "Bitmap Index Scan") && !is_looked_up && !is_walked {
        found.push(plan["Relation Name"].as_str().unwrap_or("?").to_owned());
    }
    // Whatever sorts or adds up takes all rows, also of what is limited.
    let is_whole = ["Sort", "Aggregate", "Hash", "WindowAgg"].contains(&kind);
    let is_limited = kind == "Limit" || is_limited && !is_whole;
    for part in plan["Plans"].as_array().into_iter().flatten() {
        scans(part, is_limited, found);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_question_and_no_write_scans_a_table_that_grows() {
    let mut chain = Chain::new(5);
    for number in 0..400 {
        chain.deposit(account(number % 50), ETH, U256::from(1_000_000));
    }
    for _ in 0..120 {
        chain.random_block(60, 50);
    }
    let database = Database::rebuilt(&chain, 1_000).await;
    let mut db = database.connect().await;
    let mut checked = 0;
    for file in std::fs::read_dir(repository().join(".sqlx")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let query: Value = serde_json::from_str(&text).unwrap();
        let mut sql = query["query"].as_str().unwrap().to_owned();
        let reads = sql.starts_with("SELECT") && !sql.contains("pg_");
        let writes = ["UPDATE txoutputs", "UPDATE blocks", "WITH"];
        if !reads && !writes.iter().any(|begin| sql.starts_with(begin)) {
            continue;
        }
        let kinds = query["describe"]["parameters"]["Left"].as_array().unwrap();
        for (index, kind) in kinds.iter().enumerate().rev() {
            let parameter = format!("${}", index + 1);
            let is_behind = |word: &str| sql.contains(&format!("{word} {parameter}"));
            let value = match kind.as_str().unwrap() {
                _ if is_behind("LIMIT") => "50",
                _ if is_behind("OFFSET") => "0",
                kind => value(kind),
            };
            sql = sql.replace(&parameter, value);
        }
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN (FORMAT JSON) {sql}"));
        let mut tx = db.begin().await.unwrap();
        // As all connections of the watcher have it. Where there is no index, a scan is planned all the same.
        let settings = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";
        sqlx::raw_sql(settings).execute(&mut *tx).await.unwrap();
        let plan: String = sqlx::query(explain)
            .fetch_one(&mut *tx)
            .await
            .unwrap()
            .try_get_unchecked::<String, _>(0)
            .unwrap();
        let plan: Value = serde_json::from_str(&plan).unwrap();
        let mut found = Vec::new();
        scans(&plan[0]["Plan"], false, &mut found);
        found.retain(|table| GROWING.contains(&table.as_str()));
        assert!(found.is_empty(), "{sql}\nscans {found:?}\n{plan:#}");
        checked += 1;
    }
    assert!(checked > 14, "{checked}");
}
