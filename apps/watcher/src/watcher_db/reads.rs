//! The database as the informational methods see it.

use super::fees::ObservedFee;
use super::queries::{exact, largest, smallest_spendable, total};
use super::{WatcherDb, WatcherDbError};
use crate::info_api::{DbUnavailable, InfoReads, Spendable};
use async_trait::async_trait;
use plasma_core::wire::{
    Address, Blknum, BlockHash, CHILD_BLOCK_INTERVAL, Currency, TxHash, U256, U512, UtxoPos,
};
use plasma_rpc::child_chain::FeesAnswer;
use plasma_rpc::info::{
    Balance, Block, DbLag, Deposit, FeeChange, FeeHistoryParams, Page, Paging, Stats,
    TransactionsParams, Tx, Utxo,
};
use std::collections::{BTreeMap, BTreeSet};

/// No block makes more outputs.
const OUTPUTS_PER_BLOCK_MAX: u64 = 65_536 * 4;
/// Small outputs that a payment may sweep up (protocol 5.10).
const DUST_COUNT: i64 = 3;

impl From<WatcherDbError> for DbUnavailable {
    fn from(error: WatcherDbError) -> Self {
        let WatcherDbError::Unavailable { lag_blocks, last_indexed_blknum, reason } = error;
        Self(DbLag {
            lag_blocks: Some(lag_blocks),
            last_indexed_child_block_number: last_indexed_blknum,
            reason,
        })
    }
}

#[async_trait]
impl InfoReads for WatcherDb {
    fn rows_max(&self) -> Option<u64> {
        let status = self.status();
        let position = status.position.filter(|_| status.reason.is_none())?;
        let blocks = position.last_blknum.get().div_ceil(CHILD_BLOCK_INTERVAL);
        // Everything in a list is an output of a block, something less frequent, or in the journal.
        let outputs = blocks.saturating_mul(OUTPUTS_PER_BLOCK_MAX);
        Some(outputs.saturating_add(position.seq.0))
    }

    async fn balance(&self, owner: Address) -> Result<Vec<Balance>, DbUnavailable> {
        Ok(Self::balance(self, owner).await?)
    }

    async fn utxos(&self, owner: Address, paging: &Paging) -> Result<Page<Utxo>, DbUnavailable> {
        Ok(Self::utxos(self, owner, paging).await?)
    }

    async fn transactions(&self, filter: &TransactionsParams) -> Result<Page<Tx>, DbUnavailable> {
        Ok(Self::transactions(self, filter).await?)
    }

    async fn transaction(&self, txhash: TxHash) -> Result<Option<Tx>, DbUnavailable> {
        Ok(Self::transaction(self, txhash).await?)
    }

    async fn blocks(&self, paging: &Paging) -> Result<Page<Block>, DbUnavailable> {
        Ok(Self::blocks(self, paging).await?)
    }

    async fn block(&self, blknum: Blknum) -> Result<Option<Block>, DbUnavailable> {
        Ok(Self::block(self, blknum).await?)
    }

    async fn block_of_hash(&self, hash: BlockHash) -> Result<Option<Block>, DbUnavailable> {
        Ok(Self::block_of_hash(self, hash).await?)
    }

    async fn deposits(
        &self,
        owner: Address,
        paging: &Paging,
    ) -> Result<Page<Deposit>, DbUnavailable> {
        Ok(Self::deposits(self, Some(owner), paging).await?)
    }

    async fn stats(&self, now_s: u64) -> Result<Stats, DbUnavailable> {
        Ok(Self::stats(self, now_s).await?)
    }

    async fn utxo(&self, position: UtxoPos) -> Result<Option<Utxo>, DbUnavailable> {
        Ok(Self::utxo(self, position).await?)
    }

    async fn spendable_at(
        &self,
        positions: &[UtxoPos],
    ) -> Result<Vec<Option<Utxo>>, DbUnavailable> {
        let outputs = self.ask(self.spendable_outputs_at(positions)).await?;
        let outputs: BTreeMap<UtxoPos, Utxo> =
            outputs.into_iter().map(|output| (output.utxo_pos, output)).collect();
        Ok(positions.iter().map(|position| outputs.get(position).cloned()).collect())
    }

    async fn spendable(
        &self,
        owner: Address,
        currency: Currency,
        needed: U256,
        count_max: usize,
    ) -> Result<Spendable, DbUnavailable> {
        let limit = i64::try_from(count_max).unwrap_or(i64::MAX);
        let question = async {
            let db = &mut *self.snapshot().await?;
            let mut utxos = largest(db, owner, currency, limit.saturating_add(1)).await?;
            let mut more = None;
            if utxos.len() > count_max {
                utxos.truncate(count_max);
                utxos.extend(exact(db, owner, currency, needed, 1).await?);
                utxos.extend(smallest_spendable(db, owner, currency, DUST_COUNT).await?);
                let mut known = BTreeSet::new();
                utxos.retain(|utxo| known.insert(utxo.utxo_pos));
                let listed = utxos.iter().map(|utxo| U512::from(utxo.amount));
                let listed = listed.fold(U512::zero(), |sum, one| sum.saturating_add(one));
                if listed < U512::from(needed) {
                    more = Some(total(db, owner, currency).await?);
                }
            }
            Ok(Spendable { utxos, more })
        };
        Ok(self.ask(question).await?)
    }

    async fn smallest(
        &self,
        owner: Address,
        currency: Currency,
        count_max: usize,
    ) -> Result<Vec<Utxo>, DbUnavailable> {
        let limit = i64::try_from(count_max).unwrap_or(i64::MAX);
        let read = async {
            let db = &mut *self.pool.acquire().await?;
            smallest_spendable(db, owner, currency, limit).await
        };
        Ok(self.ask(read).await?)
    }

    async fn fee_history(
        &self,
        params: &FeeHistoryParams,
    ) -> Result<Page<FeeChange>, DbUnavailable> {
        Ok(self.history_of_fees(params.currency, &params.paging).await?)
    }

    async fn note_fees(&self, fees: &FeesAnswer, now_s: u64) -> Result<(), DbUnavailable> {
        let observed = fees.0.iter().flat_map(|(txtype, fees)| {
            fees.iter().map(|fee| ObservedFee {
                txtype: *txtype,
                currency: fee.currency,
                amount: fee.amount,
            })
        });
        let observed: Vec<ObservedFee> = observed.collect();
        Ok(self.observe_fees(now_s.saturating_mul(1_000), &observed).await?)
    }
}
