//! A rebuild gives the very same rows, however the journal was cut while it grew.

use crate::journal::Chain;
use crate::kit::assert_same;
use crate::postgres::Database;

async fn check(seed: u64, batches: [usize; 2]) {
    let mut chain = Chain::new(seed);
    let mut database = Database::new().await;
    database.config.batch_entries_max = batches[0];
    let follower = database.follow(&chain);
    for step in 0..60 {
        chain.random_step();
        if step % 7 == 0 {
            follower.caught_up(&chain).await;
        }
    }
    follower.caught_up(&chain).await;
    let rebuilt = Database::rebuilt(&chain, batches[1]).await;
    let rows = database.rows().await;
    assert!(rows.iter().any(|row| row.contains("\"exiting\":true")), "seed {seed}: no exit");
    assert!(rows.iter().any(|row| row.starts_with("transactions")), "seed {seed}: no payment");
    assert_same(&rows, &rebuilt.rows().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_in_one_batch_equals_entries_taken_one_by_one() {
    for seed in 1..5 {
        check(seed, [1, 1_000]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_entry_by_entry_equals_batches() {
    for seed in 5..9 {
        check(seed, [1_000, 1]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_replaces_whatever_was_there_and_is_refused_beside_a_writer() {
    use crate::kit::identity;
    use std::sync::Arc;
    use watcher::watcher_db::{WriteError, rebuild};
    let mut chain = Chain::new(77);
    for _ in 0..30 {
        chain.random_step();
    }
    let database = Database::new().await;
    let follower = database.follow(&chain);
    follower.caught_up(&chain).await;
    let before = database.rows().await;
    let again =
        || rebuild(database.config.clone(), identity(), Arc::new(chain.journal.clone()), |_| {});
    assert!(matches!(again().await, Err(WriteError::AnotherWriter)));
    drop(follower);
    database.run("UPDATE txoutputs SET amount = 1; DELETE FROM account_transactions").await;
    // The server notices that the writer is gone when it reads from its connection.
    let rebuilt = loop {
        match again().await {
            Err(WriteError::AnotherWriter) => tokio::task::yield_now().await,
            other => break other.unwrap(),
        }
    };
    assert_eq!(
        rebuilt.position.seq,
        watcher::watcher_db::JournalSource::journal_head(&chain.journal).unwrap()
    );
    assert_same(&database.rows().await, &before);
}
