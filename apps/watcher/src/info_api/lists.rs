//! What is read as it is: balances, outputs, transactions, blocks, deposits and statistics.

use super::{DbUnavailable, InfoApi};
use plasma_rpc::info::{
    ACCOUNT_GET_BALANCE, ACCOUNT_GET_TRANSACTIONS, ACCOUNT_GET_UTXOS, BLOCK_ALL, BLOCK_GET,
    BlockSubject, DEPOSIT_ALL, Page, Paging, STATS_GET, TRANSACTION_ALL, TRANSACTION_GET, UTXO_GET,
};
use plasma_rpc::server::MethodTable;
use plasma_rpc::{RpcError, codes};
use std::future::Future;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) fn methods(table: MethodTable<InfoApi>) -> MethodTable<InfoApi> {
    table
        .on(&ACCOUNT_GET_BALANCE, |api, params| async move {
            Ok(api.reads().balance(params.address).await?)
        })
        .on(&ACCOUNT_GET_UTXOS, |api, params| async move {
            let read = api.reads().utxos(params.address, &params.paging);
            api.page(&params.paging, read).await
        })
        .on(&ACCOUNT_GET_TRANSACTIONS, |api, params| async move {
            api.page(&params.paging, api.reads().transactions(&params)).await
        })
        .on(&TRANSACTION_ALL, |api, params| async move {
            api.page(&params.paging, api.reads().transactions(&params)).await
        })
        .on(&TRANSACTION_GET, |api, params| async move {
            let found = api.reads().transaction(params.id).await?;
            found.ok_or_else(|| codes::TRANSACTION_NOT_FOUND.into())
        })
        .on(&BLOCK_ALL, |api, params| async move {
            api.page(&params.paging, api.reads().blocks(&params.paging)).await
        })
        .on(&BLOCK_GET, |api, params| async move {
            let found = match params.subject() {
                BlockSubject::Number(blknum) => api.reads().block(blknum).await?,
                BlockSubject::Hash(hash) => api.reads().block_of_hash(hash).await?,
            };
            found.ok_or_else(|| RpcError::reason("block_not_found"))
        })
        .on(&DEPOSIT_ALL, |api, params| async move {
            let read = api.reads().deposits(params.address, &params.paging);
            api.page(&params.paging, read).await
        })
        .on(&STATS_GET, |api, _| async move { Ok(api.reads().stats(now_s()).await?) })
        .on(&UTXO_GET, |api, params| async move {
            let position = params.position().ok_or(codes::UTXO_NOT_FOUND)?;
            let found = api.reads().utxo(position).await?;
            found.ok_or_else(|| codes::UTXO_NOT_FOUND.into())
        })
}

impl InfoApi {
    /// A page of what is on the chain. One that is asked for by a number so high that it has to be empty is, without a look.
    async fn page<T>(
        &self,
        paging: &Paging,
        read: impl Future<Output = Result<Page<T>, DbUnavailable>>,
    ) -> Result<Page<T>, RpcError> {
        if let Some(rows_max) = self.reads().rows_max() {
            if paging.offset() >= rows_max && paging.cursor.is_none() {
                return Ok(paging.answer(Vec::new(), |_| Vec::new()));
            }
            paging.check_offset()?;
        }
        Ok(read.await?)
    }
}

/// Seconds since 1970 by the clock of this machine.
pub(super) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
