//! Follows the journal and keeps the index of transfers up to date, off the path that secures funds.
//!
//! It contains no rule: [`transfers`](plasma_core::transfers) says what to look at and which numbers to give. A disk that fails does not
//! end the tree here: the guard does that, if it concerns the guard. The index waits and tries again.

use crate::journal_news::JournalNews;
use plasma_core::db_update::TxPos;
use plasma_core::journal::JournalSeq;
use plasma_core::transfers::{Page, Transfer, accounts_of, next_pages, number};
use plasma_core::wire::{Address, DecodeTxError, SignedTx, Transaction, TxIndex, UtxoPos};
use plasma_node::core_actor::Unanswered;
use plasma_node::supervisor::{Lease, Nursery};
use plasma_node::worker::Worker;
use plasma_store::{Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;
use thiserror::Error;

/// Most entries of the journal that are read at once.
const ENTRIES_MAX: usize = 256;
/// Most transactions that are indexed in one batch.
const BATCH_TXS_MAX: u32 = 4_096;
/// Pause before a step that failed is tried again.
const RETRY_PAUSE_MS: u64 = 2_000;

/// Starts following.
pub(crate) fn start_transfers(store: Store, news: JournalNews, nursery: &mut Nursery) {
    Worker::start_with_lease("transfers", nursery, |lease| run(store, news, lease));
}

async fn run(store: Store, news: JournalNews, lease: Lease) -> Result<Infallible, Unanswered> {
    let mut journal = news.subscribe();
    loop {
        journal.borrow_and_update();
        let (store, held) = (store.clone(), lease.clone());
        let step = tokio::task::spawn_blocking(move || {
            let step = index_next(&store);
            drop((store, held));
            step
        });
        match step.await {
            Ok(Ok(true)) => news.index_grew(),
            Ok(Ok(false)) => {
                // The sender lives as long as this.
                let _ = journal.changed().await;
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "transfers are not indexed");
                tokio::time::sleep(Duration::from_millis(RETRY_PAUSE_MS)).await;
            }
            Err(_) => return Err(Unanswered::Restarting),
        }
    }
}

/// Why transfers cannot be indexed.
#[derive(Debug, Error)]
enum IndexError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("transaction {at:?} of the store does not decode: {error}")]
    Decode { at: TxPos, error: DecodeTxError },
    #[error("entry {0:?} of the journal tells of transactions that are not in the store")]
    Missing(JournalSeq),
}

/// Indexes what comes next; whether there was anything.
fn index_next(store: &Store) -> Result<bool, IndexError> {
    let cursor = store.transfers_cursor()?;
    let entries = store.journal_after(cursor.done, ENTRIES_MAX)?;
    let (pages, next) = next_pages(cursor, &entries, BATCH_TXS_MAX);
    if next == cursor {
        return Ok(false);
    }
    let mut transactions = Vec::new();
    for page in &pages {
        read_page(store, page, &mut transactions)?;
    }
    let owners = owners(store, transactions.iter().map(|(_, tx)| tx))?;
    let concerned = transactions.iter().map(|(transfer, tx)| {
        let spent = tx.spent_positions().filter_map(|position| owners.get(&position).copied());
        (*transfer, accounts_of(tx, spent))
    });
    let concerned: Vec<_> = concerned.collect();
    let accounts: BTreeSet<Address> =
        concerned.iter().flat_map(|(_, accounts)| accounts).copied().collect();
    let heads = store.transfers_heads(accounts)?;
    store.index_transfers(&number(concerned, heads, next))?;
    Ok(true)
}

fn read_page(
    store: &Store,
    page: &Page,
    transactions: &mut Vec<(Transfer, Transaction)>,
) -> Result<(), IndexError> {
    let Page { journal, blknum, first, count } = *page;
    let found = store.transactions(blknum, first, count)?;
    if u32::try_from(found.len()) != Ok(count) {
        return Err(IndexError::Missing(journal));
    }
    for (bytes, txindex) in found.into_iter().zip(first..) {
        let at = TxPos { blknum, txindex: TxIndex::new(txindex) };
        let tx = SignedTx::decode(&bytes).map_err(|error| IndexError::Decode { at, error })?;
        let (tx, _) = tx.into_parts();
        transactions.push((Transfer { journal, at }, tx));
    }
    Ok(())
}

/// Whose the inputs are, by the transactions that made them: reading these is cheaper than recovering signers.
fn owners<'a>(
    store: &Store,
    transactions: impl Iterator<Item = &'a Transaction>,
) -> Result<BTreeMap<UtxoPos, Address>, StoreError> {
    let spent: Vec<UtxoPos> = transactions.flat_map(Transaction::spent_positions).collect();
    let outputs = store.outputs_at(&spent)?;
    let owned = spent.into_iter().zip(outputs);
    Ok(owned.filter_map(|(position, output)| Some((position, output?.owner))).collect())
}
