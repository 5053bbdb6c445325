//! What queries were checked against when the program was compiled is what the database says today.

use crate::journal::Chain;
use crate::postgres::{Database, repository};
use serde_json::Value;
use sqlx::{Executor, SqlSafeStr};
use std::path::Path;

fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            sources(&entry.path(), text);
        } else {
            text.push_str(&std::fs::read_to_string(entry.path()).unwrap());
        }
    }
}

/// Whether the code asks this, in one literal or with the columns and tables in another.
fn stands_in(code: &str, query: &str) -> bool {
    let joints = query.match_indices("FROM").chain(query.match_indices("WHERE"));
    code.contains(query)
        || joints
            .map(|(at, _)| query.split_at(at))
            .any(|(asked, rest)| code.contains(asked) && code.contains(rest))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_committed_data_of_queries_is_up_to_date() {
    let database = Database::new().await;
    let chain = Chain::new(1);
    database.follow(&chain).caught_up(&chain).await;
    let mut db = database.connect().await;
    let mut code = String::new();
    sources(&repository().join("apps/watcher/src/watcher_db"), &mut code);
    let mut checked = 0;
    for file in std::fs::read_dir(repository().join(".sqlx")).unwrap().map(Result::unwrap) {
        let text = std::fs::read_to_string(file.path()).unwrap();
        let committed: Value = serde_json::from_str(&text).unwrap();
        let query = committed["query"].as_str().unwrap().to_owned();
        let shown = file.path().display().to_string();
        assert!(stands_in(&code, &query), "{shown} is of no query: run `make queries`");
        let described =
            (&mut db).describe(sqlx::AssertSqlSafe(query).into_sql_str()).await.unwrap();
        let described = serde_json::to_value(&described).unwrap();
        assert_eq!(described, committed["describe"], "{shown} is old: run `make queries`");
        checked += 1;
    }
    assert!(checked > 20, "{checked}");
}
