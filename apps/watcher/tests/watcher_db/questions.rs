//! Answers, compared with what the chain itself knows.

use crate::journal::{Chain, account, token};
use crate::postgres::Database;
use plasma_core::wire::{ETH, H256, U256, UtxoPos};
use plasma_rpc::info::{Cursor, FeeHistoryParams, Page, Paging, TransactionsParams};
use std::future::Future;
use watcher::info_api::InfoReads;

fn payments_chain() -> Chain {
    let mut chain = Chain::new(21);
    for number in 0..40 {
        let currency = if number % 3 == 0 { token() } else { ETH };
        chain.deposit(account(number % 9), currency, U256::exp10((number % 28) as usize) * 1_000);
    }
    for _ in 0..12 {
        chain.random_block(15, 9);
    }
    chain
}

/// All pages, by number or by cursor; they must be the same.
async fn all<T: Clone + PartialEq + std::fmt::Debug, F: Future<Output = Page<T>>>(
    limit: u32,
    ask: impl Fn(Paging) -> F,
) -> Vec<T> {
    let (mut by_number, mut by_cursor) = (Vec::new(), Vec::new());
    for page in 1.. {
        let rows = ask(Paging { limit, page, cursor: None }).await.data;
        if rows.is_empty() {
            break;
        }
        by_number.extend(rows);
    }
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = ask(Paging { limit, page: 1, cursor }).await;
        by_cursor.extend(page.data);
        cursor = page.data_paging.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(by_number, by_cursor);
    by_number
}

#[tokio::test(flavor = "multi_thread")]
async fn balances_and_outputs_are_those_of_the_chain() {
    let chain = payments_chain();
    let database = Database::new().await;
    let follower = database.follow(&chain);
    follower.caught_up(&chain).await;
    let db = &follower.db;
    for number in 0..9 {
        let owner = account(number);
        let owned = || chain.unspent.iter().filter(|(_, output)| output.owner == owner);
        let balances = db.balance(owner).await.unwrap();
        for currency in [ETH, token()] {
            let sum = owned().filter(|(_, output)| output.currency == currency);
            let sum = sum.fold(U256::zero(), |sum, (_, output)| sum + output.amount);
            let told = balances.iter().find(|balance| balance.currency == currency);
            assert_eq!(told.map_or(U256::zero(), |balance| balance.amount), sum);
        }
        let utxos = all(3, |paging| async move { db.utxos(owner, &paging).await.unwrap() }).await;
        let found: Vec<(UtxoPos, U256)> =
            utxos.iter().map(|utxo| (utxo.utxo_pos, utxo.amount)).collect();
        let expected: Vec<_> = owned().map(|(at, output)| (*at, output.amount)).collect();
        assert_eq!(found, expected);
        let positions: Vec<_> = expected.iter().map(|(at, _)| *at).collect();
        let spendable = db.spendable_at(&positions).await.unwrap();
        assert!(
            spendable
                .iter()
                .zip(&positions)
                .all(|(utxo, at)| utxo.as_ref().unwrap().utxo_pos == *at)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn coins_come_largest_first_with_the_exact_one_and_the_smallest() {
    let mut chain = Chain::new(2);
    for amount in [5_u64, 900, 17, 300, 2, 40, 80, 3] {
        chain.deposit(account(1), ETH, U256::from(amount));
    }
    let database = Database::new().await;
    let follower = database.follow(&chain);
    follower.caught_up(&chain).await;
    let amounts = |utxos: &[plasma_rpc::info::Utxo]| -> Vec<u64> {
        utxos.iter().map(|utxo| utxo.amount.as_u64()).collect()
    };
    let found = follower.db.spendable(account(1), ETH, U256::from(40), 2).await.unwrap();
    assert_eq!((amounts(&found.utxos), found.more), (vec![900, 300, 40, 2, 3, 5], None));
    let found = follower.db.spendable(account(1), ETH, U256::from(1_251), 2).await.unwrap();
    let all = Some(U256::from(1_347));
    assert_eq!((amounts(&found.utxos), found.more), (vec![900, 300, 2, 3, 5], all), "not enough");
    let found = follower.db.spendable(account(1), ETH, U256::from(40), 8).await.unwrap();
    assert_eq!((found.utxos.len(), found.more), (8, None));
    let found = follower.db.smallest(account(1), ETH, 3).await.unwrap();
    assert_eq!(amounts(&found), [2, 3, 5]);
    assert!(follower.db.smallest(account(1), token(), 3).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_found_by_every_filter() {
    let chain = payments_chain();
    let database = Database::new().await;
    let follower = database.follow(&chain);
    follower.caught_up(&chain).await;
    let db = &follower.db;
    let ask = |params: TransactionsParams| {
        all(7, move |paging| {
            let params = TransactionsParams { paging, ..params.clone() };
            async move { db.transactions(&params).await.unwrap() }
        })
    };
    let everything = ask(TransactionsParams::default()).await;
    assert!(everything.len() > 100, "{}", everything.len());
    let place = |tx: &plasma_rpc::info::Tx| (tx.block.blknum, tx.txindex);
    assert!(everything.is_sorted_by(|newer, older| place(newer) > place(older)));
    for tx in &everything {
        assert!(tx.inputs.iter().all(|input| input.spending_txhash == Some(tx.txhash)));
        assert!(tx.outputs.iter().all(|output| output.creating_txhash == Some(tx.txhash)));
        assert_eq!(tx.inputs.is_empty(), tx.txtype == 3);
    }
    let middle = &everything[everything.len() / 2];
    assert_eq!(db.transaction(middle.txhash).await.unwrap().as_ref(), Some(middle));
    assert_eq!(db.transaction(H256::zero()).await.unwrap(), None);
    let metadata = Some(H256::from_low_u64_be(1));
    let end = Some(middle.block.timestamp);
    for mask in 0..32_u32 {
        let has = |bit: u32| mask & (1 << bit) != 0;
        let params = TransactionsParams {
            address: has(0).then(|| account(3)),
            metadata: metadata.filter(|_| has(1)),
            blknum: has(2).then_some(middle.block.blknum),
            txtypes: if has(3) { vec![1, 77] } else { vec![] },
            end_datetime: end.filter(|_| has(4)),
            ..TransactionsParams::default()
        };
        let passes = |tx: &&plasma_rpc::info::Tx| {
            let concerned =
                tx.inputs.iter().chain(&tx.outputs).any(|output| output.owner == account(3));
            (!has(0) || concerned)
                && (!has(1) || tx.metadata == metadata)
                && (!has(2) || tx.block.blknum == middle.block.blknum)
                && (!has(3) || tx.txtype == 1)
                && (!has(4) || tx.block.timestamp <= middle.block.timestamp)
        };
        let expected: Vec<_> = everything.iter().filter(passes).cloned().collect();
        assert_eq!(ask(params.clone()).await, expected, "{params:?}");
    }
    let nothing = TransactionsParams { end_datetime: Some(1), ..TransactionsParams::default() };
    assert!(ask(nothing).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_deposits_and_statistics_are_told() {
    let chain = payments_chain();
    let database = Database::new().await;
    let follower = database.follow(&chain);
    follower.caught_up(&chain).await;
    let db = &follower.db;
    let blocks = all(5, |paging| async move { db.blocks(&paging).await.unwrap() }).await;
    assert_eq!(blocks.len(), 12);
    assert!(blocks.is_sorted_by(|newer, older| newer.blknum > older.blknum));
    assert_eq!(db.block(blocks[3].blknum).await.unwrap().as_ref(), Some(&blocks[3]));
    assert_eq!(db.block(plasma_core::wire::Blknum::new(5)).await.unwrap(), None);
    assert_eq!(db.block_of_hash(blocks[3].hash).await.unwrap().as_ref(), Some(&blocks[3]));
    assert_eq!(db.block_of_hash(plasma_core::wire::H256::zero()).await.unwrap(), None);
    let deposits = all(7, |paging| async move { db.deposits(None, &paging).await.unwrap() }).await;
    assert_eq!(deposits.len(), 40);
    let mine: Vec<_> = deposits
        .iter()
        .filter(|deposit| deposit.txoutputs[0].owner == account(4))
        .cloned()
        .collect();
    let told =
        all(2, |paging| async move { db.deposits(Some(account(4)), &paging).await.unwrap() }).await;
    assert_eq!(told, mine);
    let newest = blocks[0].timestamp;
    let stats = db.stats(newest + 86_400).await.unwrap();
    assert_eq!(stats.block_count.all_time, 12);
    assert_eq!(stats.block_count.last_24_hours, 1);
    assert_eq!(stats.transaction_count.all_time, 12 * 15);
    assert_eq!(stats.transaction_count.last_24_hours, 15);
    assert_eq!(stats.average_block_interval_seconds.all_time, Some(12.0));
    assert_eq!(stats.average_block_interval_seconds.last_24_hours, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_fees_are_noted_once_and_kept_by_a_rebuild() {
    use plasma_rpc::child_chain::FeesAnswer;
    let chain = Chain::new(1);
    let database = Database::new().await;
    let follower = database.follow(&chain);
    follower.caught_up(&chain).await;
    let fees = |amounts: &[(u8, u64)]| -> FeesAnswer {
        let fees: Vec<_> = amounts.iter().map(|(currency, amount)| serde_json::json!({
            "currency": format!("0x{}", format!("{currency:02x}").repeat(20)), "amount": amount, "subunit_to_unit": 1,
            "pegged_currency": null, "pegged_amount": null, "pegged_subunit_to_unit": null,
            "updated_at": "2020-01-01T10:10:00Z",
        })).collect();
        serde_json::from_str(&serde_json::json!({ "1": fees }).to_string()).unwrap()
    };
    for (at_s, told) in
        [(1, fees(&[(0, 5), (7, 9)])), (2, fees(&[(0, 5), (7, 9)])), (3, fees(&[(0, 6)]))]
    {
        InfoReads::note_fees(&follower.db, &told, at_s).await.unwrap();
    }
    drop(follower);
    let follower = database.follow(&chain);
    follower.caught_up(&chain).await;
    let params = |currency| FeeHistoryParams { currency, paging: Paging::first(10) };
    let history = follower.db.fee_history(&params(None)).await.unwrap().data;
    let shown: Vec<_> = history
        .iter()
        .map(|change| {
            (
                change.sequence,
                change.currency,
                change.amount.map(|amount| amount.as_u64()),
                change.inserted_at.0,
            )
        })
        .collect();
    let other = token();
    assert_eq!(
        shown,
        [(4, other, None, 3), (3, ETH, Some(6), 3), (2, other, Some(9), 1), (1, ETH, Some(5), 1)]
    );
    let history = follower.db.fee_history(&params(Some(ETH))).await.unwrap().data;
    assert_eq!(history.len(), 2);
}
