//! A database that cannot be used is told, harms nobody, and is used again when it can be.

use crate::journal::{Chain, account};
use crate::kit::{Follower, assert_same, identity};
use crate::postgres::Database;
use plasma_core::wire::{Blknum, ETH, U256};
use std::sync::Arc;
use watcher::watcher_db::{Identity, WatcherDbError, rebuild, start_watcher_db};

fn some_chain() -> Chain {
    let mut chain = Chain::new(12);
    for _ in 0..40 {
        chain.random_step();
    }
    chain
}

async fn reason(follower: &Follower) -> String {
    let status = follower.until("refused", |status| {
        status.reason.as_ref().is_some_and(|reason| !reason.contains("not opened yet"))
    });
    let reason = status.await.reason.unwrap();
    match follower.db.balance(account(1)).await {
        Err(WatcherDbError::Unavailable { reason: told, .. }) => assert_eq!(told, reason),
        Ok(balance) => panic!("answered: {balance:?}"),
    }
    reason
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_database_is_told_and_used_when_it_comes() {
    let chain = some_chain();
    let database = Database::new().await;
    database.remove().await;
    let follower = database.follow(&chain);
    let told = reason(&follower).await;
    assert!(told.contains("no such database"), "{told}");
    database.create().await;
    follower.caught_up(&chain).await;
    follower.db.balance(account(1)).await.unwrap();
    assert!(follower.db.status().lag_blocks() == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_where_nobody_answers_is_told_with_the_lag() {
    let mut chain = Chain::new(3);
    chain.deposit(account(1), ETH, U256::from(5));
    chain.random_block(2, 3);
    chain.random_block(2, 3);
    let database = Database::at("postgres://nobody@127.0.0.1:1/nothing".to_owned());
    let follower = database.follow(&chain);
    reason(&follower).await;
    let error = follower.db.stats(0).await.unwrap_err();
    let WatcherDbError::Unavailable { lag_blocks, last_indexed_blknum, .. } = error;
    assert_eq!((lag_blocks, last_indexed_blknum), (2, Blknum::new(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_no_more_writes_is_told_and_catches_up() {
    let mut chain = some_chain();
    let database = Database::new().await;
    let follower = database.follow(&chain);
    follower.caught_up(&chain).await;
    let name = database.config.database_url.rsplit_once('/').unwrap().1.to_owned();
    database.take_writes_away().await;
    chain.deposit(account(1), ETH, U256::from(17));
    let told = reason(&follower).await;
    assert!(told.contains("disk is full"), "{told}");
    database.give_writes_back().await;
    follower.caught_up(&chain).await;
    // The same for one that only reads, as after a failover.
    database.run(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    database.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()").await;
    chain.deposit(account(1), ETH, U256::from(18));
    let told = reason(&follower).await;
    assert!(!told.is_empty());
    database
        .run(&format!(
            "BEGIN READ WRITE; ALTER DATABASE {name} RESET default_transaction_read_only; COMMIT"
        ))
        .await;
    follower.caught_up(&chain).await;
    assert_same(&database.rows().await, &Database::rebuilt(&chain, 9).await.rows().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_somebody_else_is_refused_and_not_touched() {
    let chain = some_chain();
    let database = Database::new().await;
    database.run("CREATE TABLE blocks (number integer); INSERT INTO blocks VALUES (1)").await;
    let follower = database.follow(&chain);
    let told = reason(&follower).await;
    assert!(told.contains("somebody else"), "{told}");
    database.run("DROP TABLE blocks").await;
    follower.caught_up(&chain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_deployment_or_another_store_is_refused() {
    let chain = some_chain();
    let database = Database::new().await;
    let first = database.follow(&chain);
    first.caught_up(&chain).await;
    let rows = database.rows().await;
    drop(first);
    let mut foreign = identity();
    foreign.chain_id = 1;
    let source = Arc::new(chain.journal.clone());
    let (db, task) =
        start_watcher_db(database.config.clone(), foreign, source, chain.news()).unwrap();
    let second = Follower::new(
        db,
        tokio::spawn(async move {
            task.await;
        }),
    );
    second
        .until("foreign", |status| {
            status.reason.as_ref().is_some_and(|told| told.contains("on chain 31337"))
        })
        .await;
    drop(second);
    // It has another history of the same chain.
    let other = Chain::new(99);
    let third = database.follow(&other);
    third
        .until("foreign", |status| {
            status.reason.as_ref().is_some_and(|told| told.contains("rebuild"))
        })
        .await;
    drop(third);
    assert_same(&database.rows().await, &rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_of_another_deployment_is_not_read() {
    let chain = some_chain();
    let source = || Arc::new(chain.journal.clone());
    let (ours, foreign) = (Database::new().await, Database::new().await);
    let other = Identity { chain_id: 1, ..identity() };
    rebuild(foreign.config.clone(), other, source(), |_| {}).await.unwrap();
    for (replica, is_read) in [(&foreign, false), (&ours, true)] {
        let mut database = Database::at(ours.config.database_url.to_string());
        database.config.database_read_url = replica.config.database_url.clone();
        let follower = database.follow(&chain);
        follower.caught_up(&chain).await;
        match follower.db.stats(0).await {
            Ok(_) => assert!(is_read),
            Err(WatcherDbError::Unavailable { reason, .. }) => {
                assert!(!is_read && reason.contains("another deployment"), "{reason}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_writer_waits_for_the_first() {
    let chain = some_chain();
    let database = Database::new().await;
    let first = database.follow(&chain);
    first.caught_up(&chain).await;
    let second = database.follow(&chain);
    second
        .until("refused", |status| {
            status.reason.as_ref().is_some_and(|told| told.contains("another watcher"))
        })
        .await;
    drop(first);
    second.caught_up(&chain).await;
}
