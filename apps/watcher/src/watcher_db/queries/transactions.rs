//! Transactions, by whatever they are asked for.
//!
//! Types are few, so each one is read from its own part of an index and the parts are merged: the newest of any choice of types are
//! found without looking at others.

use super::accounts::outputs_at;
use super::records::{TxRecord, hash, number, select_transactions};
use super::{limit_and_offset, part};
use crate::watcher_db::{WatcherDb, WatcherDbError};
use plasma_core::wire::{SignedTx, TxHash, TxIndex, TxType, UtxoPos};
use plasma_rpc::info::{Page, Paging, TransactionsParams, Tx, Utxo};
use sqlx::{Error, PgConnection};
use std::collections::BTreeMap;

/// Which transactions, as SQL has it.
struct Wanted {
    account: Option<Vec<u8>>,
    metadata: Option<Vec<u8>>,
    txtypes: Vec<i32>,
    /// The first block.
    from: i64,
    /// Only what is before this place.
    before: (i64, i32),
    limit: i64,
    offset: i64,
}

impl WatcherDb {
    /// Transactions that pass all filters, the newest first. Cursor: block, transaction.
    ///
    /// # Errors
    /// [`WatcherDbError::Unavailable`]
    pub async fn transactions(
        &self,
        params: &TransactionsParams,
    ) -> Result<Page<Tx>, WatcherDbError> {
        let rows = self
            .ask(async {
                let db = &mut *self.snapshot().await?;
                let Some(wanted) = wanted(db, params).await? else {
                    return Ok(Vec::new());
                };
                let records = match (&wanted.account, &wanted.metadata) {
                    (None, None) => all_transactions(db, &wanted).await?,
                    (Some(account), None) => account_transactions(db, account, &wanted).await?,
                    (None, Some(metadata)) => metadata_transactions(db, metadata, &wanted).await?,
                    (Some(account), Some(metadata)) => {
                        filtered_transactions(db, (account, metadata), &wanted).await?
                    }
                };
                complete(db, records).await
            })
            .await?;
        Ok(params.paging.answer(rows, |row| vec![row.block.blknum.get(), row.txindex.get().into()]))
    }

    /// A transaction by its hash; `None` when it is in no block. Of fee claims that are alike, the first.
    ///
    /// # Errors
    /// [`WatcherDbError::Unavailable`]
    pub async fn transaction(&self, txhash: TxHash) -> Result<Option<Tx>, WatcherDbError> {
        self.ask(async {
            let db = &mut *self.snapshot().await?;
            let records = select_transactions!(
                "FROM transactions t JOIN blocks b ON b.blknum = t.blknum WHERE t.txhash = $1
                ORDER BY t.blknum, t.txindex LIMIT 1",
                txhash.as_bytes(),
            )
            .fetch_all(&mut *db)
            .await?;
            Ok(complete(db, records).await?.pop())
        })
        .await
    }
}

/// `None` when nothing can pass.
async fn wanted(
    db: &mut PgConnection,
    params: &TransactionsParams,
) -> Result<Option<Wanted>, Error> {
    let TransactionsParams { address, blknum, metadata, txtypes, paging, end_datetime } = params;
    let mut before = cursor_of(paging);
    if let Some(end_s) = end_datetime {
        let last = sqlx::query_scalar!(
                r#"SELECT blknum FROM blocks WHERE "timestamp" <= $1 ORDER BY "timestamp" DESC, blknum DESC LIMIT 1"#,
                part(*end_s, i64::MAX)
            )
            .fetch_optional(&mut *db)
            .await?;
        let Some(last) = last else { return Ok(None) };
        before = before.min((last.saturating_add(1), 0));
    }
    let mut from = 0;
    if let Some(blknum) = blknum {
        from = part(blknum.get(), i64::MAX);
        before = before.min((from.saturating_add(1), 0));
    }
    let (limit, offset) = limit_and_offset(paging);
    let known = [TxType::Payment, TxType::FeeClaim].map(|kind| kind.number());
    let is_wanted = |kind: &u8| txtypes.is_empty() || txtypes.contains(&u64::from(*kind));
    Ok(Some(Wanted {
        account: address.map(|address| address.as_bytes().to_vec()),
        metadata: metadata.map(|metadata| metadata.as_bytes().to_vec()),
        txtypes: known.into_iter().filter(is_wanted).map(i32::from).collect(),
        from,
        before,
        limit,
        offset,
    }))
}

async fn all_transactions(db: &mut PgConnection, wanted: &Wanted) -> Result<Vec<TxRecord>, Error> {
    select_transactions!(
                "FROM (
                    SELECT n.blknum, n.txindex FROM unnest($1::integer[]) AS y (txtype)
                    CROSS JOIN LATERAL (
                        SELECT i.blknum, i.txindex FROM transactions i
                        WHERE i.txtype = y.txtype AND i.blknum >= $2 AND (i.blknum, i.txindex) < ($3, $4)
                        ORDER BY i.blknum DESC, i.txindex DESC LIMIT $5::bigint + $6::bigint
                    ) n
                    ORDER BY n.blknum DESC, n.txindex DESC LIMIT $5 OFFSET $6
                ) p
                JOIN transactions t ON t.blknum = p.blknum AND t.txindex = p.txindex
                JOIN blocks b ON b.blknum = t.blknum
                ORDER BY t.blknum DESC, t.txindex DESC",
                    &wanted.txtypes,
                    wanted.from,
                    wanted.before.0,
                    wanted.before.1,
                    wanted.limit,
                    wanted.offset,
                )
                .fetch_all(db)
                .await
}

async fn account_transactions(
    db: &mut PgConnection,
    account: &[u8],
    wanted: &Wanted,
) -> Result<Vec<TxRecord>, Error> {
    select_transactions!(
                "FROM (
                    SELECT n.blknum, n.txindex FROM unnest($1::integer[]) AS y (txtype)
                    CROSS JOIN LATERAL (
                        SELECT i.blknum, i.txindex FROM account_transactions i
                        WHERE i.account = $7 AND i.txtype = y.txtype AND i.blknum >= $2 AND (i.blknum, i.txindex) < ($3, $4)
                        ORDER BY i.blknum DESC, i.txindex DESC LIMIT $5::bigint + $6::bigint
                    ) n
                    ORDER BY n.blknum DESC, n.txindex DESC LIMIT $5 OFFSET $6
                ) p
                JOIN transactions t ON t.blknum = p.blknum AND t.txindex = p.txindex
                JOIN blocks b ON b.blknum = t.blknum
                ORDER BY t.blknum DESC, t.txindex DESC",
                    &wanted.txtypes,
                    wanted.from,
                    wanted.before.0,
                    wanted.before.1,
                    wanted.limit,
                    wanted.offset,
                    account,
                )
                .fetch_all(db)
                .await
}

async fn metadata_transactions(
    db: &mut PgConnection,
    metadata: &[u8],
    wanted: &Wanted,
) -> Result<Vec<TxRecord>, Error> {
    select_transactions!(
                "FROM transactions t
                JOIN blocks b ON b.blknum = t.blknum
                WHERE t.metadata = $7 AND t.txtype = ANY($1) AND t.blknum >= $2 AND (t.blknum, t.txindex) < ($3, $4)
                ORDER BY t.blknum DESC, t.txindex DESC LIMIT $5 OFFSET $6",
                    &wanted.txtypes,
                    wanted.from,
                    wanted.before.0,
                    wanted.before.1,
                    wanted.limit,
                    wanted.offset,
                    metadata,
                )
                .fetch_all(db)
                .await
}

/// The planner starts from whichever is rarer, the account or the metadata.
async fn filtered_transactions(
    db: &mut PgConnection,
    (account, metadata): (&[u8], &[u8]),
    wanted: &Wanted,
) -> Result<Vec<TxRecord>, Error> {
    select_transactions!(
                "FROM transactions t
                JOIN account_transactions a ON a.blknum = t.blknum AND a.txindex = t.txindex AND a.txtype = t.txtype
                JOIN blocks b ON b.blknum = t.blknum
                WHERE a.account = $8 AND a.txtype = ANY($1) AND t.metadata = $7
                    AND t.blknum >= $2 AND (t.blknum, t.txindex) < ($3, $4)
                ORDER BY t.blknum DESC, t.txindex DESC LIMIT $5 OFFSET $6",
                    &wanted.txtypes,
                    wanted.from,
                    wanted.before.0,
                    wanted.before.1,
                    wanted.limit,
                    wanted.offset,
                    metadata,
                    account,
                )
                .fetch_all(db)
                .await
}

/// Adds inputs and outputs. Inputs are in the bytes, so that nothing has to be indexed by who spent it.
async fn complete(db: &mut PgConnection, records: Vec<TxRecord>) -> Result<Vec<Tx>, Error> {
    let mut spent = Vec::with_capacity(records.len());
    let mut made = Vec::new();
    for record in &records {
        let tx = SignedTx::decode(&record.txbytes).map_err(|error| Error::Decode(error.into()))?;
        let transaction = tx.transaction();
        spent.push(transaction.spent_positions().collect::<Vec<UtxoPos>>());
        let count = u16::try_from(transaction.outputs().len()).unwrap_or(u16::MAX);
        let (blknum, txindex) = (number(record.blknum)?, number(record.txindex)?);
        made.push((0..count).map(move |oindex| position(blknum, txindex, oindex)));
    }
    let mut wanted: Vec<UtxoPos> = spent.iter().flatten().copied().collect();
    wanted.extend(made.iter().cloned().flatten());
    wanted.sort_unstable();
    wanted.dedup();
    let outputs = outputs_at(db, &wanted).await?.into_iter();
    let outputs: BTreeMap<UtxoPos, Utxo> =
        outputs.map(|output| (output.utxo_pos, output)).collect();
    // What a transaction spends and makes is written together with it.
    let found = |at: UtxoPos| outputs.get(&at).cloned().ok_or(Error::RowNotFound);
    let txs = records.into_iter().zip(spent).zip(made);
    txs.map(|((record, spent), made)| {
        Ok(Tx {
            txindex: TxIndex::new(number(record.txindex)?),
            txhash: hash(&record.txhash)?,
            txtype: number(record.txtype)?,
            metadata: record.metadata.as_deref().map(hash).transpose()?,
            block: record.block()?,
            inputs: spent.into_iter().map(found).collect::<Result<_, Error>>()?,
            outputs: made.map(found).collect::<Result<_, Error>>()?,
            inserted_at: super::records::time(record.inserted_ms),
            updated_at: super::records::time(record.updated_ms),
            txbytes: record.txbytes,
        })
    })
    .collect()
}

fn position(blknum: u64, txindex: u32, oindex: u16) -> UtxoPos {
    use plasma_core::wire::{Blknum, OutputIndex};
    UtxoPos::new(Blknum::new(blknum), TxIndex::new(txindex), OutputIndex::new(oindex))
}

fn cursor_of(paging: &Paging) -> (i64, i32) {
    match paging.cursor.as_ref().and_then(|cursor| cursor.key_of::<2>()) {
        Some([blknum, txindex]) => (part(blknum, i64::MAX), part(txindex, i32::MAX)),
        None => (i64::MAX, i32::MAX),
    }
}
