//! What an account has.

use super::records::{OutputRecord, address, sum};
use super::{limit_and_offset, part};
use crate::watcher_db::{WatcherDb, WatcherDbError};
use plasma_core::wire::{Address, Currency, U256, UtxoPos};
use plasma_rpc::info::{Balance, Page, Paging, Utxo};
use sqlx::Error;

/// Which outputs come first when coins are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpendableOrder {
    /// Those that hold most, the oldest first among equals.
    LargestFirst,
    /// Those that hold least, the oldest first among equals.
    SmallestFirst,
    /// Only those that hold exactly this, the oldest first.
    Exact(U256),
}

/// Coins to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spendable {
    /// Whose.
    pub owner: Address,
    /// Of which currency.
    pub currency: Currency,
    /// Which ones first.
    pub order: SpendableOrder,
    /// Most of them.
    pub limit: u32,
}

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
                let rows = sqlx::query_as!(
                    OutputRecord,
                    r#"SELECT blknum, txindex, oindex, otype, owner, currency, amount::text AS "amount!",
                creating_txhash, spending_txhash,
                (extract(epoch FROM inserted_at) * 1000)::bigint AS "inserted_ms!",
                (extract(epoch FROM updated_at) * 1000)::bigint AS "updated_ms!"
                FROM txoutputs
                WHERE owner = $1 AND spending_txhash IS NULL AND NOT exiting
                    AND (blknum, txindex, oindex) > ($2, $3, $4)
                ORDER BY blknum, txindex, oindex LIMIT $5 OFFSET $6"#,
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

    /// Coins to choose from.
    ///
    /// # Errors
    /// [`WatcherDbError::Unavailable`]
    pub async fn spendable(&self, wanted: Spendable) -> Result<Vec<Utxo>, WatcherDbError> {
        let Spendable { owner, currency, order, limit } = wanted;
        let (owner, currency, limit) = (owner.as_bytes(), currency.as_bytes(), i64::from(limit));
        self.ask(async {
            let rows = match order {
                SpendableOrder::LargestFirst => {
                    sqlx::query_as!(
                        OutputRecord,
                        r#"SELECT blknum, txindex, oindex, otype, owner, currency, amount::text AS "amount!",
                creating_txhash, spending_txhash,
                (extract(epoch FROM inserted_at) * 1000)::bigint AS "inserted_ms!",
                (extract(epoch FROM updated_at) * 1000)::bigint AS "updated_ms!"
                FROM txoutputs
                WHERE owner = $1 AND currency = $2 AND spending_txhash IS NULL AND NOT exiting
                ORDER BY txoutputs.amount DESC, blknum, txindex, oindex LIMIT $3"#,
                        owner,
                        currency,
                        limit,
                    )
                    .fetch_all(&self.pool)
                    .await?
                }
                SpendableOrder::SmallestFirst => {
                    sqlx::query_as!(
                        OutputRecord,
                        r#"SELECT blknum, txindex, oindex, otype, owner, currency, amount::text AS "amount!",
                creating_txhash, spending_txhash,
                (extract(epoch FROM inserted_at) * 1000)::bigint AS "inserted_ms!",
                (extract(epoch FROM updated_at) * 1000)::bigint AS "updated_ms!"
                FROM txoutputs
                WHERE owner = $1 AND currency = $2 AND spending_txhash IS NULL AND NOT exiting
                ORDER BY txoutputs.amount, blknum, txindex, oindex LIMIT $3"#,
                        owner,
                        currency,
                        limit,
                    )
                    .fetch_all(&self.pool)
                    .await?
                }
                SpendableOrder::Exact(amount) => {
                    sqlx::query_as!(
                        OutputRecord,
                        r#"SELECT blknum, txindex, oindex, otype, owner, currency, amount::text AS "amount!",
                creating_txhash, spending_txhash,
                (extract(epoch FROM inserted_at) * 1000)::bigint AS "inserted_ms!",
                (extract(epoch FROM updated_at) * 1000)::bigint AS "updated_ms!"
                FROM txoutputs
                WHERE owner = $1 AND currency = $2 AND txoutputs.amount = $4::text::numeric
                    AND spending_txhash IS NULL AND NOT exiting
                ORDER BY blknum, txindex, oindex LIMIT $3"#,
                        owner,
                        currency,
                        limit,
                        amount.to_string(),
                    )
                    .fetch_all(&self.pool)
                    .await?
                }
            };
            told(rows)
        })
        .await
    }

    /// An output, spent or not; `None` when there never was one.
    ///
    /// # Errors
    /// [`WatcherDbError::Unavailable`]
    pub async fn utxo(&self, position: UtxoPos) -> Result<Option<Utxo>, WatcherDbError> {
        Ok(self.ask(self.outputs_at(&[position])).await?.pop())
    }

    /// These outputs, spent or not, as far as there are any; in the order of their positions.
    ///
    /// # Errors
    /// [`WatcherDbError::Unavailable`]
    pub async fn utxos_at(&self, positions: &[UtxoPos]) -> Result<Vec<Utxo>, WatcherDbError> {
        self.ask(self.outputs_at(positions)).await
    }

    pub(super) async fn outputs_at(&self, positions: &[UtxoPos]) -> Result<Vec<Utxo>, Error> {
        let blknums: Vec<i64> =
            positions.iter().map(|at| part(at.blknum.get(), i64::MAX)).collect();
        let txindexes: Vec<i32> =
            positions.iter().map(|at| part(at.txindex.get().into(), i32::MAX)).collect();
        let oindexes: Vec<i32> = positions.iter().map(|at| at.oindex.get().into()).collect();
        let rows = sqlx::query_as!(
            OutputRecord,
            r#"SELECT o.blknum, o.txindex, o.oindex, o.otype, o.owner, o.currency, o.amount::text AS "amount!",
                o.creating_txhash, o.spending_txhash,
                (extract(epoch FROM o.inserted_at) * 1000)::bigint AS "inserted_ms!",
                (extract(epoch FROM o.updated_at) * 1000)::bigint AS "updated_ms!"
                FROM unnest($1::bigint[], $2::integer[], $3::integer[]) AS p (blknum, txindex, oindex)
                JOIN txoutputs o ON o.blknum = p.blknum AND o.txindex = p.txindex AND o.oindex = p.oindex
                ORDER BY o.blknum, o.txindex, o.oindex"#,
            &blknums,
            &txindexes,
            &oindexes,
        )
        .fetch_all(&self.pool)
        .await?;
        told(rows)
    }
}

pub(super) fn told(rows: Vec<OutputRecord>) -> Result<Vec<Utxo>, Error> {
    rows.into_iter().map(OutputRecord::told).collect()
}
