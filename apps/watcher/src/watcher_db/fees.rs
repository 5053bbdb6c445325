//! What the operator asked for, as this watcher saw it: the one table that is not from the journal, so a rebuild keeps it.

use super::copy::int8;
use super::queries::{amount, limit_and_offset, part, time};
use super::{WatcherDb, WatcherDbConfig, WatcherDbError};
use plasma_core::wire::{Address, Currency, U256};
use plasma_rpc::info::{FeeChange, Page, Paging};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Error, PgPool};
use std::time::Duration;

/// Fees of one look that are noted: an operator who asks for more does not want to be understood.
const OBSERVED_FEES_MAX: usize = 1_024;
/// Changes that are kept, the newest: whatever the operator asks for, they take no more room.
const FEE_CHANGES_MAX: i64 = 100_000;

/// A fee that is asked for now.
#[derive(Clone, Copy, Debug)]
pub(super) struct ObservedFee {
    /// Transaction type.
    pub(super) txtype: u64,
    /// What it is paid in.
    pub(super) currency: Currency,
    /// How much, in the smallest unit.
    pub(super) amount: U256,
}

/// Asks for changes of fees: the text behind the table, and its parameters.
macro_rules! select_fee_changes {
    ($behind:literal, $($parameter:expr),* $(,)?) => {
        sqlx::query_as!(
            FeeRecord,
            r#"SELECT sequence, txtype, currency, amount::text,
                (extract(epoch FROM inserted_at) * 1000)::bigint AS "inserted_ms!"
                FROM fee_changes "# + $behind,
            $($parameter),*
        )
    };
}

impl WatcherDbConfig {
    /// A connection to where rows can be written.
    pub(super) fn write_pool(&self) -> Result<PgPool, Error> {
        let options = self.options(&self.database_url, self.query_ms_max)?;
        Ok(PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_millis(self.connect_ms_max))
            .connect_lazy_with(options))
    }
}

impl WatcherDb {
    /// Notes what is different from what was seen before. What was asked for and is not among `fees` is not taken any more.
    ///
    /// # Errors
    /// [`WatcherDbError::Unavailable`]
    pub(super) async fn observe_fees(
        &self,
        at_ms: u64,
        fees: &[ObservedFee],
    ) -> Result<(), WatcherDbError> {
        self.ask(self.note_fees(at_ms, fees)).await
    }

    async fn note_fees(&self, at_ms: u64, fees: &[ObservedFee]) -> Result<(), Error> {
        let fees = fees.get(..OBSERVED_FEES_MAX).unwrap_or(fees);
        let txtypes: Vec<i64> = fees.iter().map(|fee| int8(fee.txtype)).collect();
        let currencies: Vec<&[u8]> = fees.iter().map(|fee| fee.currency.as_bytes()).collect();
        let amounts: Vec<String> = fees.iter().map(|fee| fee.amount.to_string()).collect();
        let mut tx = self.write_pool.begin().await?;
        // Numbers have no gaps: nobody else may count at the same time. Readers do not wait.
        sqlx::query!("LOCK TABLE fee_changes IN EXCLUSIVE MODE").execute(&mut *tx).await?;
        sqlx::query!(
            "WITH now AS (
                SELECT txtype, currency, amount::numeric AS amount
                FROM unnest($1::bigint[], $2::bytea[], $3::text[]) AS f (txtype, currency, amount)
            ), known AS (
                SELECT DISTINCT ON (txtype, currency) txtype, currency, amount
                FROM fee_changes ORDER BY txtype, currency, sequence DESC
            ), changed AS (
                SELECT coalesce(n.txtype, k.txtype) AS txtype, coalesce(n.currency, k.currency) AS currency, n.amount
                FROM now n FULL JOIN known k ON k.txtype = n.txtype AND k.currency = n.currency
                WHERE n.amount IS DISTINCT FROM k.amount
            )
            INSERT INTO fee_changes (sequence, txtype, currency, amount, inserted_at)
            SELECT coalesce((SELECT max(sequence) FROM fee_changes), 0) + row_number() OVER (ORDER BY txtype, currency),
                txtype, currency, amount, timestamptz 'epoch' + $4::bigint * interval '1 millisecond'
            FROM changed",
            &txtypes,
            &currencies as &[&[u8]],
            &amounts,
            int8(at_ms),
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "DELETE FROM fee_changes WHERE sequence <= (SELECT max(sequence) FROM fee_changes) - $1::bigint",
            FEE_CHANGES_MAX,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// Fees that changed, the newest first; of one currency or of all. Cursor: sequence.
    ///
    /// # Errors
    /// [`WatcherDbError::Unavailable`]
    pub(super) async fn history_of_fees(
        &self,
        currency: Option<Currency>,
        paging: &Paging,
    ) -> Result<Page<FeeChange>, WatcherDbError> {
        let rows = self.ask(self.fee_changes(currency, paging)).await?;
        Ok(paging.answer(rows, |row| vec![row.sequence]))
    }

    async fn fee_changes(
        &self,
        currency: Option<Currency>,
        paging: &Paging,
    ) -> Result<Vec<FeeChange>, Error> {
        let (limit, offset) = limit_and_offset(paging);
        let before = paging.cursor.as_ref().and_then(|cursor| cursor.key_of::<1>());
        let before = before.map_or(i64::MAX, |[sequence]| part(sequence, i64::MAX));
        let records = match currency {
            Some(currency) => {
                select_fee_changes!(
                    "WHERE currency = $1 AND sequence < $2
                    ORDER BY sequence DESC LIMIT $3 OFFSET $4",
                    currency.as_bytes(),
                    before,
                    limit,
                    offset,
                )
                .fetch_all(&self.pool)
                .await?
            }
            None => {
                select_fee_changes!(
                    "WHERE sequence < $1 ORDER BY sequence DESC LIMIT $2 OFFSET $3",
                    before,
                    limit,
                    offset,
                )
                .fetch_all(&self.pool)
                .await?
            }
        };
        records.into_iter().map(FeeRecord::told).collect()
    }
}

#[derive(Debug)]
struct FeeRecord {
    sequence: i64,
    txtype: i64,
    currency: Vec<u8>,
    amount: Option<String>,
    inserted_ms: i64,
}

impl FeeRecord {
    fn told(self) -> Result<FeeChange, Error> {
        let currency: Address = super::queries::address(&self.currency)?;
        Ok(FeeChange {
            sequence: self.sequence.unsigned_abs(),
            txtype: self.txtype.unsigned_abs(),
            currency,
            amount: self.amount.as_deref().map(amount).transpose()?,
            inserted_at: time(self.inserted_ms),
        })
    }
}
