//! A check finds every row that is not that of a rebuild, and nothing else; it changes nothing and leaves nothing behind.

use crate::journal::{Chain, account};
use crate::kit::{assert_same, identity};
use crate::postgres::Database;
use plasma_core::wire::{ETH, U256};
use std::sync::Arc;
use watcher::watcher_db::{
    CheckError, Checked, JournalSource, TableChecked, WriteError, check, rebuild,
};

/// Every table that comes from the journal.
const TABLES: [&str; 8] = [
    "account_transactions",
    "blocks",
    "cursor",
    "ethevents",
    "ethevents_txoutputs",
    "transactions",
    "txoutputs",
    "unlinked_piggybacks",
];

fn some_chain(seed: u64) -> Chain {
    let mut chain = Chain::new(seed);
    for _ in 0..60 {
        chain.random_step();
    }
    chain
}

async fn checked(database: &Database, chain: &Chain) -> Result<Checked, CheckError> {
    loop {
        let source = Arc::new(chain.journal.clone());
        match check(database.config.clone(), identity(), source, |_| {}).await {
            // The server notices that the writer is gone when it reads from its connection.
            Err(CheckError::Database(WriteError::AnotherWriter)) => tokio::task::yield_now().await,
            other => return other,
        }
    }
}

async fn is_equal(database: &Database, chain: &Chain) -> Checked {
    let before = database.rows().await;
    let checked = checked(database, chain).await.unwrap();
    assert!(checked.is_equal(), "{checked:?}");
    assert_same(&database.rows().await, &before);
    database.run("CREATE SCHEMA penning_check; DROP SCHEMA penning_check").await;
    checked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_followed_is_equal_and_every_row_is_counted() {
    for seed in 21..24 {
        let chain = some_chain(seed);
        let mut database = Database::new().await;
        database.config.batch_entries_max = 3;
        database.follow(&chain).caught_up(&chain).await;
        let found = is_equal(&database, &chain).await;
        let names: Vec<_> = found.tables.iter().map(|one| one.table.as_str()).collect();
        assert_eq!(names, TABLES);
        let rows: u64 = found.tables.iter().map(|one| one.rows).sum();
        assert_eq!(rows, database.rows().await.len() as u64);
        assert_eq!(found.position.seq, found.journal_head);
    }
}

/// Changes a row by hand: the check tells of that table alone, how many rows, and which is the first.
async fn finds(database: &Database, chain: &Chain, by_hand: &str, counts: [u64; 3]) {
    let before = database.rows().await;
    database.run(by_hand).await;
    let after = database.rows().await;
    let row = |of: &[String], without: &[String]| {
        let one = of.iter().find(|row| without.binary_search(row).is_err());
        one.map(|row| row.split_once(' ').map(|(table, row)| (table.to_owned(), row.to_owned())))
    };
    let (found, expected) = (row(&after, &before).flatten(), row(&before, &after).flatten());
    let table = found.as_ref().or(expected.as_ref()).unwrap().0.clone();
    let told = checked(database, chain).await.unwrap();
    assert!(!told.is_equal());
    let told: Vec<&TableChecked> = told.tables.iter().filter(|one| !one.is_equal()).collect();
    let [told] = told[..] else { panic!("{by_hand}: {told:?}") };
    assert_eq!((&told.table, [told.missing, told.surplus, told.changed]), (&table, counts));
    let first = told.first.as_ref().unwrap();
    assert_eq!(first.found, found.map(|(_, row)| row), "{by_hand}");
    assert_eq!(first.expected, expected.map(|(_, row)| row), "{by_hand}");
    rebuild(database.config.clone(), identity(), Arc::new(chain.journal.clone()), |_| {})
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_changed_removed_or_added_by_hand_is_told() {
    let chain = some_chain(2);
    let database = Database::rebuilt(&chain, 100).await;
    let rows = database.rows().await;
    for table in TABLES {
        let count = rows.iter().filter(|row| row.starts_with(&format!("{table} "))).count();
        assert!(count > 0 || table == "unlinked_piggybacks", "{table} is empty");
        if count > 0 && table != "cursor" {
            let remove =
                format!("DELETE FROM {table} WHERE ctid = (SELECT min(ctid) FROM {table})");
            finds(&database, &chain, &remove, [1, 0, 0]).await;
        }
    }
    for by_hand in [
        "UPDATE cursor SET transaction_count = transaction_count + 1",
        "UPDATE blocks SET eth_height = eth_height + 1 WHERE blknum = (SELECT max(blknum) FROM blocks)",
        "UPDATE transactions SET metadata = CASE WHEN metadata IS NULL THEN '\\x01'::bytea END WHERE ctid = (SELECT min(ctid) FROM transactions)",
        "UPDATE txoutputs SET amount = amount + 1 WHERE ctid = (SELECT max(ctid) FROM txoutputs)",
        "UPDATE txoutputs SET spending_txhash = '\\x00' WHERE ctid = (SELECT min(ctid) FROM txoutputs WHERE spending_txhash IS NULL)",
        "UPDATE ethevents SET updated_at = updated_at + interval '1 millisecond' WHERE ctid = (SELECT min(ctid) FROM ethevents)",
    ] {
        finds(&database, &chain, by_hand, [0, 0, 1]).await;
    }
    for by_hand in [
        "INSERT INTO unlinked_piggybacks VALUES ('\\x01', 0, '\\x02', now())",
        "INSERT INTO account_transactions VALUES ('\\x01', 1, 1000, 0)",
        "INSERT INTO blocks SELECT blknum + 1, hash, \"timestamp\", eth_height, tx_count, inserted_at, updated_at FROM blocks ORDER BY blknum DESC LIMIT 1",
    ] {
        finds(&database, &chain, by_hand, [0, 1, 0]).await;
    }
    is_equal(&database, &chain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_compared_as_far_as_it_is_and_says_what_is_yet_to_come() {
    let mut chain = some_chain(31);
    let database = Database::new().await;
    database.follow(&chain).caught_up(&chain).await;
    let head = chain.journal.journal_head().unwrap();
    chain.deposit(account(1), ETH, U256::from(1_000));
    chain.random_block(20, 5);
    let found = is_equal(&database, &chain).await;
    assert_eq!(found.position.seq, head);
    assert_eq!(found.journal_head, chain.journal.journal_head().unwrap());
    // Whoever follows goes on.
    database.follow(&chain).caught_up(&chain).await;
    assert_eq!(is_equal(&database, &chain).await.position.seq, found.journal_head);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_behind_is_dropped_and_fees_are_not_compared() {
    let chain = some_chain(32);
    let database = Database::rebuilt(&chain, 100).await;
    let leftovers = "CREATE SCHEMA penning_check; CREATE TABLE penning_check.blocks (number integer); CREATE TABLE penning_check._sqlx_migrations (version integer)";
    database.run(leftovers).await;
    database.run("INSERT INTO fee_changes VALUES (1, 1, '\\x00', 1, now())").await;
    is_equal(&database, &chain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_written_empty_or_of_another_store_is_refused() {
    let chain = some_chain(33);
    let database = Database::new().await;
    let ask =
        || check(database.config.clone(), identity(), Arc::new(chain.journal.clone()), |_| {});
    assert!(matches!(ask().await, Err(CheckError::Empty)));
    let follower = database.follow(&chain);
    follower.caught_up(&chain).await;
    assert!(matches!(ask().await, Err(CheckError::Database(WriteError::AnotherWriter))));
    drop(follower);
    let other = Chain::new(99);
    let error = checked(&database, &other).await.unwrap_err();
    assert!(matches!(error, CheckError::Database(WriteError::ForeignJournal)), "{error}");
}
