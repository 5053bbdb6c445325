//! A database in memory that holds what a test says, and cannot answer when a test says so.

use crate::users::Who;
use async_trait::async_trait;
use plasma_core::wire::{Address, Blknum, Currency, TxHash, U256, UtxoPos};
use plasma_rpc::child_chain::FeesAnswer;
use plasma_rpc::info::{
    Balance, Block, DbLag, Deposit, FeeChange, FeeHistoryParams, Page, Paging, Stats,
    TransactionsParams, Tx, UtcTime, Utxo,
};
use std::collections::BTreeMap;
use std::sync::Mutex;
use watcher::info_api::{DbUnavailable, InfoReads, Spendable};

/// What it holds.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) utxos: BTreeMap<UtxoPos, Utxo>,
    pub(crate) txs: Vec<Tx>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) deposits: Vec<Deposit>,
    pub(crate) stats: Stats,
    pub(crate) fees: Vec<FeeChange>,
    /// Why it cannot answer, if it cannot.
    pub(crate) broken: Option<DbLag>,
    /// Most outputs it lists to choose from, whatever is asked for.
    pub(crate) listed_max: Option<usize>,
}

/// The database.
#[derive(Debug, Default)]
pub(crate) struct FakeDb(Mutex<Rows>);

impl FakeDb {
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Rows) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    /// An output that can be spent.
    pub(crate) fn utxo(&self, at: UtxoPos, who: Who, currency: Currency, amount: u64) -> UtxoPos {
        let utxo = Utxo {
            blknum: at.blknum,
            txindex: at.txindex,
            oindex: at.oindex,
            otype: 1,
            utxo_pos: at,
            owner: who.address(),
            currency,
            amount: amount.into(),
            creating_txhash: None,
            spending_txhash: None,
            inserted_at: UtcTime(1_581_336_452),
            updated_at: UtcTime(1_581_336_452),
        };
        self.change(|rows| rows.utxos.insert(at, utxo));
        at
    }

    fn read<T>(&self, read: impl FnOnce(&mut Rows) -> T) -> Result<T, DbUnavailable> {
        self.change(|rows| match &rows.broken {
            Some(lag) => Err(DbUnavailable(lag.clone())),
            None => Ok(read(rows)),
        })
    }

    fn spendable_of(&self, owner: Address) -> Result<Vec<Utxo>, DbUnavailable> {
        self.read(|rows| {
            let unspent = rows.utxos.values().filter(|utxo| utxo.spending_txhash.is_none());
            unspent.filter(|utxo| utxo.owner == owner).cloned().collect()
        })
    }
}

fn page<T: Clone>(rows: &[T], paging: &Paging, key: impl Fn(&T) -> Vec<u64>) -> Page<T> {
    let skip = usize::try_from(paging.offset()).unwrap_or(usize::MAX);
    let data = rows.iter().skip(skip).take(paging.limit as usize).cloned().collect();
    paging.answer(data, key)
}

#[async_trait]
impl InfoReads for FakeDb {
    fn rows_max(&self) -> Option<u64> {
        None
    }

    async fn balance(&self, owner: Address) -> Result<Vec<Balance>, DbUnavailable> {
        let mut sums = BTreeMap::<Currency, U256>::new();
        for utxo in self.spendable_of(owner)? {
            *sums.entry(utxo.currency).or_default() += utxo.amount;
        }
        Ok(sums.into_iter().map(|(currency, amount)| Balance { currency, amount }).collect())
    }

    async fn utxos(&self, owner: Address, paging: &Paging) -> Result<Page<Utxo>, DbUnavailable> {
        let key = |utxo: &Utxo| {
            vec![utxo.blknum.get(), utxo.txindex.get().into(), utxo.oindex.get().into()]
        };
        Ok(page(&self.spendable_of(owner)?, paging, key))
    }

    async fn transactions(&self, filter: &TransactionsParams) -> Result<Page<Tx>, DbUnavailable> {
        let key = |tx: &Tx| vec![tx.block.blknum.get(), tx.txindex.get().into()];
        self.read(|rows| page(&rows.txs, &filter.paging, key))
    }

    async fn transaction(&self, txhash: TxHash) -> Result<Option<Tx>, DbUnavailable> {
        self.read(|rows| rows.txs.iter().find(|tx| tx.txhash == txhash).cloned())
    }

    async fn blocks(&self, paging: &Paging) -> Result<Page<Block>, DbUnavailable> {
        self.read(|rows| page(&rows.blocks, paging, |block| vec![block.blknum.get()]))
    }

    async fn block(&self, blknum: Blknum) -> Result<Option<Block>, DbUnavailable> {
        self.read(|rows| rows.blocks.iter().find(|block| block.blknum == blknum).cloned())
    }

    async fn deposits(
        &self,
        _owner: Address,
        paging: &Paging,
    ) -> Result<Page<Deposit>, DbUnavailable> {
        let key = |deposit: &Deposit| vec![deposit.eth_height.get(), deposit.log_index];
        self.read(|rows| page(&rows.deposits, paging, key))
    }

    async fn stats(&self, now_s: u64) -> Result<Stats, DbUnavailable> {
        assert!(now_s > 1_700_000_000, "the clock of this machine");
        self.read(|rows| rows.stats)
    }

    async fn utxo(&self, position: UtxoPos) -> Result<Option<Utxo>, DbUnavailable> {
        self.read(|rows| rows.utxos.get(&position).cloned())
    }

    async fn spendable_at(
        &self,
        positions: &[UtxoPos],
    ) -> Result<Vec<Option<Utxo>>, DbUnavailable> {
        self.read(|rows| {
            let found = positions.iter().map(|position| rows.utxos.get(position).cloned());
            found.map(|utxo| utxo.filter(|utxo| utxo.spending_txhash.is_none())).collect()
        })
    }

    async fn spendable(
        &self,
        owner: Address,
        currency: Currency,
        _exactly: U256,
        count_max: usize,
    ) -> Result<Spendable, DbUnavailable> {
        let mut utxos = self.spendable_of(owner)?;
        utxos.retain(|utxo| utxo.currency == currency);
        utxos.sort_by_key(|utxo| std::cmp::Reverse(utxo.amount));
        let count_max = self.change(|rows| rows.listed_max).unwrap_or(count_max);
        let all = utxos.iter().fold(U256::zero(), |sum, utxo| sum + utxo.amount);
        let more = (utxos.len() > count_max).then_some(all);
        utxos.truncate(count_max);
        Ok(Spendable { utxos, more })
    }

    async fn smallest(
        &self,
        owner: Address,
        currency: Currency,
        count_max: usize,
    ) -> Result<Vec<Utxo>, DbUnavailable> {
        let mut utxos = self.spendable_of(owner)?;
        utxos.retain(|utxo| utxo.currency == currency);
        utxos.sort_by_key(|utxo| utxo.amount);
        utxos.truncate(count_max);
        Ok(utxos)
    }

    async fn fee_history(
        &self,
        params: &FeeHistoryParams,
    ) -> Result<Page<FeeChange>, DbUnavailable> {
        self.read(|rows| page(&rows.fees, &params.paging, |change| vec![change.sequence]))
    }

    async fn note_fees(&self, fees: &FeesAnswer, now_s: u64) -> Result<(), DbUnavailable> {
        self.read(|rows| {
            for (txtype, fees) in &fees.0 {
                for fee in fees {
                    let sequence = rows.fees.len() as u64 + 1;
                    let change = FeeChange {
                        sequence,
                        txtype: *txtype,
                        currency: fee.currency,
                        amount: Some(fee.amount),
                        inserted_at: UtcTime(now_s),
                    };
                    rows.fees.insert(0, change);
                }
            }
        })
    }
}
