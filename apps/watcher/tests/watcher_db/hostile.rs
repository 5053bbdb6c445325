//! What an operator and a reorganised root chain may do, and a database that goes silent: nothing of it stops the writer for good.

use crate::journal::{Chain, account};
use crate::kit::assert_same;
use crate::postgres::Database;
use plasma_core::root_chain::RootChainEvent;
use plasma_core::wire::{Blknum, ETH, ExitId, Transaction, U256};
use plasma_rpc::info::{Paging, TransactionsParams};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_claim_that_is_like_another_one_is_one_more_transaction() {
    let mut chain = Chain::new(1);
    let claim = Transaction::fee_claim(Blknum::new(1_000), account(9), ETH, U256::from(3));
    for _ in 0..2 {
        let mut left = Some(claim.clone());
        chain.block(|_| left.take());
    }
    let database = Database::new().await;
    let follower = database.follow(&chain);
    follower.caught_up(&chain).await;
    let first = follower.db.transaction(claim.hash()).await.unwrap().unwrap();
    assert_eq!(first.block.blknum, Blknum::new(1_000));
    let params = TransactionsParams { paging: Paging::first(9), ..TransactionsParams::default() };
    let all = follower.db.transactions(&params).await.unwrap().data;
    let blocks: Vec<u64> = all.iter().map(|tx| tx.block.blknum.get()).collect();
    assert_eq!(blocks, [2_000, 1_000]);
    assert!(all.iter().all(|tx| tx.txhash == claim.hash() && tx.outputs.len() == 1));
    assert_same(&database.rows().await, &Database::rebuilt(&chain, 9).await.rows().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_in_the_place_of_another_one_is_no_obstacle() {
    let mut chain = Chain::new(1);
    let outputs = [0, 1].map(|number| chain.deposit(account(number), ETH, U256::from(5)));
    let exit = |index: usize| RootChainEvent::ExitStarted {
        owner: account(index as u64),
        exit_id: ExitId::from_u256(U256::from(index)),
        position: outputs[index],
        output_tx: Box::default(),
        exitable_at_s: 0,
    };
    chain.event(exit(0));
    chain.forget_last_place();
    chain.event(exit(1));
    let database = Database::new().await;
    let follower = database.follow(&chain);
    follower.caught_up(&chain).await;
    assert_eq!(follower.db.balance(account(0)).await.unwrap(), []);
    assert_same(&database.rows().await, &Database::rebuilt(&chain, 1).await.rows().await);
}

/// A way to a server that can go silent without closing a connection, as when a host is gone.
async fn silent_proxy(server: String) -> (u16, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (silent, is_silent) = watch::channel(false);
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(&server).await.unwrap();
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            tokio::spawn(forward(from_client, to_server, is_silent.clone()));
            tokio::spawn(forward(from_server, to_client, is_silent.clone()));
        }
    });
    (port, silent)
}

async fn forward(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut is_silent: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(len) = from.read(&mut bytes).await {
        if *is_silent.borrow() {
            // What was under way is lost, and the connection with it; nobody is told.
            let _ = is_silent.wait_for(|silent| !silent).await;
            return;
        }
        if len == 0 || to.write_all(&bytes[..len]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_silent_is_not_asked_for_old_answers() {
    let mut chain = Chain::new(5);
    chain.deposit(account(1), ETH, U256::from(5));
    let mut database = Database::new().await;
    let url = database.config.database_url.clone();
    let (before, server) = url.rsplit_once('@').unwrap();
    let (server, name) = server.split_once('/').unwrap();
    let (port, silent) = silent_proxy(server.to_owned()).await;
    let config = &mut database.config;
    config.database_url = format!("{before}@127.0.0.1:{port}/{name}").into();
    (config.connect_ms_max, config.write_ms_max, config.query_ms_max) = (1_000, 2_000, 500);
    config.lag_blocks_max = 0;
    let follower = database.follow(&chain);
    follower.caught_up(&chain).await;
    follower.db.balance(account(1)).await.unwrap();

    silent.send_replace(true);
    chain.random_block(2, 3);
    // The journal is ahead at once, and the writer gives up in time.
    let status = follower.until("behind", |status| status.lag_blocks() == 1).await;
    assert_eq!(status.newest_blknum, Blknum::new(1_000));
    follower.db.balance(account(1)).await.unwrap_err();
    follower.until("given up", |status| status.reason.is_some()).await;

    silent.send_replace(false);
    follower.caught_up(&chain).await;
    follower.db.stats(0).await.unwrap();
}
