//! What an account has.

use super::records::{OutputRecord, address, select_outputs, sum};
use super::{limit_and_offset, part};
use crate::watcher_db::{WatcherDb, WatcherDbError};
use plasma_core::wire::{Address, Currency, U256, UtxoPos};
use plasma_rpc::info::{Balance, Page, Paging, Utxo};
use sqlx::{Error, PgConnection};

impl WatcherDb {
    /// Unspent outputs of an account that are in no exit, added up by currency.
    ///
    /// # Errors
    /// [`WatcherDbError::Unavailable`]
    pub async fn balance(&self, owner: Address) -> Result<Vec<Balance>, WatcherDbError> {
        self.ask(async {
            let rows = sqlx::query!(
                r#"SELECT currency, sum(amount)::text AS "amount!" FROM txoutputs
                WHERE owner = $1 AND spending_txhash IS NULL AND NOT exiting
                GROUP BY currency ORDER BY currency"#,
                owner.as_bytes(),
            )
            .fetch_all(&self.pool)
            .await?;
            let told = rows.into_iter().map(|row| {
                Ok(Balance { currency: address(&row.currency)?, amount: sum(&row.amount) })
            });
            told.collect()
        })
        .await
    }

    /// Unspent outputs of an account that are in no exit, the oldest first. Cursor: block, transaction, output.
    ///
    /// # Errors
    /// [`WatcherDbError::Unavailable`]
    pub async fn utxos(
        &self,
        owner: Address,
        paging: &Paging,
    ) -> Result<Page<Utxo>, WatcherDbError> {
        let (limit, offset) = limit_and_offset(paging);
        let behind = paging.cursor.as_ref().and_then(|cursor| cursor.key_of::<3>());
        let (blknum, txindex, oindex) = match behind {
            Some([blknum, txindex, oindex]) => {
                (part(blknum, i64::MAX), part(txindex, i32::MAX), part(oindex, i32::MAX))
            }
            None => (-1, -1, -1),
        };
        let rows = self
            .ask(async {
                let rows = select_outputs!(
                    "FROM txoutputs o
                WHERE owner = $1 AND spending_txhash IS NULL AND NOT exiting
                    AND (blknum, txindex, oindex) > ($2, $3, $4)
                ORDER BY blknum, txindex, oindex LIMIT $5 OFFSET $6",
                    owner.as_bytes(),
                    blknum,
                    txindex,
                    oindex,
                    limit,
                    offset,
                )
                .fetch_all(&self.pool)
                .await?;
                told(rows)
            })
            .await?;
        Ok(paging.answer(rows, |row| {
            let UtxoPos { blknum, txindex, oindex } = row.utxo_pos;
            vec![blknum.get(), txindex.get().into(), oindex.get().into()]
        }))
    }

    /// An output, spent or not; `None` when there never was one.
    ///
    /// # Errors
    /// [`WatcherDbError::Unavailable`]
    pub async fn utxo(&self, position: UtxoPos) -> Result<Option<Utxo>, WatcherDbError> {
        let read = async { outputs_at(&mut *self.pool.acquire().await?, &[position]).await };
        Ok(self.ask(read).await?.pop())
    }

    /// Of these outputs, those that can be spent; in the order of their positions.
    pub(in crate::watcher_db) async fn spendable_outputs_at(
        &self,
        positions: &[UtxoPos],
    ) -> Result<Vec<Utxo>, Error> {
        let (blknums, txindexes, oindexes) = columns(positions);
        let rows = select_outputs!(
                "FROM unnest($1::bigint[], $2::integer[], $3::integer[]) AS p (blknum, txindex, oindex)
                JOIN txoutputs o ON o.blknum = p.blknum AND o.txindex = p.txindex AND o.oindex = p.oindex
                WHERE o.spending_txhash IS NULL AND NOT o.exiting
                ORDER BY o.blknum, o.txindex, o.oindex",
            &blknums,
            &txindexes,
            &oindexes,
        )
        .fetch_all(&self.pool)
        .await?;
        told(rows)
    }
}

/// Outputs that can be spent, those that hold most first.
pub(in crate::watcher_db) async fn largest(
    db: &mut PgConnection,
    owner: Address,
    currency: Currency,
    limit: i64,
) -> Result<Vec<Utxo>, Error> {
    let rows = select_outputs!(
        "FROM txoutputs o
        WHERE owner = $1 AND currency = $2 AND spending_txhash IS NULL AND NOT exiting
        ORDER BY o.amount DESC, blknum DESC, txindex DESC, oindex DESC LIMIT $3",
        owner.as_bytes(),
        currency.as_bytes(),
        limit,
    )
    .fetch_all(db)
    .await?;
    told(rows)
}

/// What an account can spend of a currency.
pub(in crate::watcher_db) async fn total(
    db: &mut PgConnection,
    owner: Address,
    currency: Currency,
) -> Result<U256, Error> {
    let all = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(amount), 0)::text AS "amount!" FROM txoutputs
            WHERE owner = $1 AND currency = $2 AND spending_txhash IS NULL AND NOT exiting"#,
        owner.as_bytes(),
        currency.as_bytes(),
    )
    .fetch_one(db)
    .await?;
    Ok(sum(&all))
}

/// Outputs that can be spent, those that hold least first, the oldest first among equals.
pub(in crate::watcher_db) async fn smallest_spendable(
    db: &mut PgConnection,
    owner: Address,
    currency: Currency,
    limit: i64,
) -> Result<Vec<Utxo>, Error> {
    let rows = select_outputs!(
        "FROM txoutputs o
        WHERE owner = $1 AND currency = $2 AND spending_txhash IS NULL AND NOT exiting
        ORDER BY o.amount, blknum, txindex, oindex LIMIT $3",
        owner.as_bytes(),
        currency.as_bytes(),
        limit,
    )
    .fetch_all(db)
    .await?;
    told(rows)
}

/// Outputs that can be spent and hold exactly this, the oldest first.
pub(in crate::watcher_db) async fn exact(
    db: &mut PgConnection,
    owner: Address,
    currency: Currency,
    amount: U256,
    limit: i64,
) -> Result<Vec<Utxo>, Error> {
    let rows = select_outputs!(
        "FROM txoutputs o
        WHERE owner = $1 AND currency = $2 AND o.amount = $4::text::numeric
            AND spending_txhash IS NULL AND NOT exiting
        ORDER BY blknum, txindex, oindex LIMIT $3",
        owner.as_bytes(),
        currency.as_bytes(),
        limit,
        amount.to_string(),
    )
    .fetch_all(db)
    .await?;
    told(rows)
}

pub(super) async fn outputs_at(
    db: &mut PgConnection,
    positions: &[UtxoPos],
) -> Result<Vec<Utxo>, Error> {
    let (blknums, txindexes, oindexes) = columns(positions);
    let rows = select_outputs!(
                "FROM unnest($1::bigint[], $2::integer[], $3::integer[]) AS p (blknum, txindex, oindex)
                JOIN txoutputs o ON o.blknum = p.blknum AND o.txindex = p.txindex AND o.oindex = p.oindex
                ORDER BY o.blknum, o.txindex, o.oindex",
            &blknums,
            &txindexes,
            &oindexes,
        )
        .fetch_all(db)
        .await?;
    told(rows)
}

pub(super) fn told(rows: Vec<OutputRecord>) -> Result<Vec<Utxo>, Error> {
    rows.into_iter().map(OutputRecord::told).collect()
}

/// Positions as three arrays.
fn columns(positions: &[UtxoPos]) -> (Vec<i64>, Vec<i32>, Vec<i32>) {
    let blknums = positions.iter().map(|at| part(at.blknum.get(), i64::MAX)).collect();
    let txindexes = positions.iter().map(|at| part(at.txindex.get().into(), i32::MAX)).collect();
    (blknums, txindexes, positions.iter().map(|at| at.oindex.get().into()).collect())
}
