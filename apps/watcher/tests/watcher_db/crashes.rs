//! PostgreSQL is killed while blocks are written, again and again.

use crate::journal::{Chain, account};
use crate::kit::{assert_same, identity};
use crate::postgres::{Database, config, start_server};
use plasma_core::wire::{ETH, U256};
use std::sync::Arc;
use tempfile::TempDir;
use watcher::watcher_db::embedded::EmbeddedPostgres;
use watcher::watcher_db::start_watcher_db;

async fn restarted(server: EmbeddedPostgres, folder: &Arc<TempDir>) -> EmbeddedPostgres {
    let port = server.port();
    let folder = folder.clone();
    let restart = move || {
        server.kill().unwrap();
        start_server(&folder, Some(port))
    };
    tokio::task::spawn_blocking(restart).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_kill_interrupts_the_rows_are_those_of_a_rebuild() {
    let folder = Arc::new(TempDir::new().unwrap());
    let made = folder.clone();
    let mut server = tokio::task::spawn_blocking(move || start_server(&made, None)).await.unwrap();
    let url = server.url("postgres");
    let mut chain = Chain::new(4);
    for number in 0..200 {
        chain.deposit(account(number % 20), ETH, U256::from(1_000_000 + number));
    }
    let source = Arc::new(chain.journal.clone());
    let (db, task) =
        start_watcher_db(config(url.clone()), identity(), source, chain.news()).unwrap();
    let task = tokio::spawn(async move {
        task.await;
    });
    for round in 0..4_u64 {
        for _ in 0..20 {
            chain.random_block(150, 20);
        }
        // Somewhere in the middle of the blocks of this round.
        let mut status = db.status_watch();
        let at = 20_000 * round + 5_000 + chain.random(10) * 1_000;
        let there = status.wait_for(|status| status.last_indexed_blknum().get() >= at);
        tokio::time::timeout(crate::kit::WAIT, there).await.unwrap().unwrap();
        server = restarted(server, &folder).await;
    }
    let follower = crate::kit::Follower::new(db, task);
    follower.caught_up(&chain).await;
    let killed = Database::at(url);
    let rebuilt = Database::rebuilt(&chain, 100).await;
    assert_same(&killed.rows().await, &rebuilt.rows().await);
    drop(follower);
    tokio::task::spawn_blocking(move || server.stop().unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_left_behind_is_stopped_and_its_data_used_again() {
    let folder = TempDir::new().unwrap();
    let check = move || {
        let orphan = start_server(&folder, None);
        let id = orphan.process_id();
        // As after a SIGKILL of the process that started it: nobody stops it.
        std::mem::forget(orphan);
        let mut server = start_server(&folder, None);
        assert_ne!(server.process_id(), id);
        assert!(server.is_running());
        server.stop().unwrap();
    };
    tokio::task::spawn_blocking(check).await.unwrap();
}
