//! What the informational API asks of a database: the port of the WatcherDB.
//!
//! Whoever implements it must answer from one state of the database per call, never scan a table, and never wait longer than a query may
//! take: what cannot be answered is [`DbUnavailable`], at once and with the reason.

use async_trait::async_trait;
use plasma_core::wire::{Address, Blknum, BlockHash, Currency, TxHash, U256, UtxoPos};
use plasma_rpc::child_chain::FeesAnswer;
use plasma_rpc::info::{
    Balance, Block, DbLag, Deposit, FeeChange, FeeHistoryParams, Page, Paging, Stats,
    TransactionsParams, Tx, Utxo,
};
use thiserror::Error;

/// The database cannot answer now: it is gone, full, foreign, or too far behind.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the database cannot answer: {}", _0.reason)]
pub struct DbUnavailable(pub DbLag);

/// Outputs to choose from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spendable {
    /// Outputs that are unspent and in no exit.
    pub utxos: Vec<Utxo>,
    /// Where the owner has further ones in this currency, and these are not enough: how much there is altogether.
    pub more: Option<U256>,
}

/// Questions to a WatcherDB. "Can be spent" means unspent and in no exit.
#[async_trait]
pub trait InfoReads: Send + Sync + 'static {
    /// No list of what is on the chain is longer than this, so that pages behind it are empty; `None` when that is not known now.
    fn rows_max(&self) -> Option<u64>;

    /// What an owner can spend, by currency in ascending order; currencies without anything are not listed.
    async fn balance(&self, owner: Address) -> Result<Vec<Balance>, DbUnavailable>;

    /// What an owner can spend, by position in ascending order. Cursor: block, transaction, output.
    async fn utxos(&self, owner: Address, paging: &Paging) -> Result<Page<Utxo>, DbUnavailable>;

    /// Transactions, the newest first. Cursor: block, transaction.
    async fn transactions(&self, filter: &TransactionsParams) -> Result<Page<Tx>, DbUnavailable>;

    /// A transaction.
    async fn transaction(&self, txhash: TxHash) -> Result<Option<Tx>, DbUnavailable>;

    /// Blocks of transactions, the newest first. Cursor: block.
    async fn blocks(&self, paging: &Paging) -> Result<Page<Block>, DbUnavailable>;

    /// A block of transactions.
    async fn block(&self, blknum: Blknum) -> Result<Option<Block>, DbUnavailable>;

    /// The newest block of transactions with this root.
    async fn block_of_hash(&self, hash: BlockHash) -> Result<Option<Block>, DbUnavailable>;

    /// Deposits of an account, the newest first. Cursor: root chain block, log.
    async fn deposits(
        &self,
        owner: Address,
        paging: &Paging,
    ) -> Result<Page<Deposit>, DbUnavailable>;

    /// Statistics. The last day ends at `now_s`, in seconds since 1970.
    async fn stats(&self, now_s: u64) -> Result<Stats, DbUnavailable>;

    /// An output, spent or not.
    async fn utxo(&self, position: UtxoPos) -> Result<Option<Utxo>, DbUnavailable>;

    /// Of these outputs, in their order, those that can be spent.
    async fn spendable_at(&self, positions: &[UtxoPos])
    -> Result<Vec<Option<Utxo>>, DbUnavailable>;

    /// What an owner can spend of one currency: one of exactly the amount that is needed, if there is one; the largest; and the three
    /// smallest. At most `count_max` besides.
    async fn spendable(
        &self,
        owner: Address,
        currency: Currency,
        needed: U256,
        count_max: usize,
    ) -> Result<Spendable, DbUnavailable>;

    /// The smallest outputs that an owner can spend of one currency, in ascending order.
    async fn smallest(
        &self,
        owner: Address,
        currency: Currency,
        count_max: usize,
    ) -> Result<Vec<Utxo>, DbUnavailable>;

    /// Changes of fees, the newest first. Cursor: number of the change.
    async fn fee_history(
        &self,
        params: &FeeHistoryParams,
    ) -> Result<Page<FeeChange>, DbUnavailable>;

    /// Notes what is asked now, where it differs from what was asked before.
    async fn note_fees(&self, fees: &FeesAnswer, now_s: u64) -> Result<(), DbUnavailable>;
}
