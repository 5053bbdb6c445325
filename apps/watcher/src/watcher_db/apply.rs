//! Writing a batch: one transaction of the database, with the cursor.
//!
//! It must never leave half a batch, or apply one twice: the cursor is locked and compared first and moves last.

use super::connection::{Position, WriteError};
use super::copy::{Copy, int4, int8};
use super::rows::{AccountTransaction, Rows};
use plasma_core::journal::JournalSeq;
use plasma_core::wire::{Address, Blknum};
use sqlx::{Connection, PgConnection};

/// Bytes of a COPY that are handed over at once.
const COPY_CHUNK_LEN: usize = 1 << 20;

/// Where a batch leads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// Its last entry.
    pub(super) seq: JournalSeq,
    /// The time of that.
    pub(super) at_ms: u64,
}

/// Applies what follows `from`, and says where the database is then.
pub(super) async fn apply(
    db: &mut PgConnection,
    from: Position,
    mut rows: Rows,
    target: Target,
) -> Result<Position, WriteError> {
    let mut tx = db.begin().await?;
    let seq = sqlx::query_scalar!("SELECT journal_seq FROM cursor FOR UPDATE")
        .fetch_one(&mut *tx)
        .await?;
    if seq != int8(from.seq.0) {
        return Err(WriteError::CursorMoved);
    }
    let last_blknum = rows.last_blknum().unwrap_or_default().max(from.last_blknum);
    copy_blocks(&mut tx, &rows).await?;
    copy_transactions(&mut tx, &rows).await?;
    copy_outputs(&mut tx, &rows).await?;
    spend(&mut tx, &mut rows, last_blknum).await?;
    copy_account_transactions(&mut tx, &rows).await?;
    copy_events(&mut tx, &rows).await?;
    link_exits(&mut tx, &rows).await?;
    move_blocks(&mut tx, &rows).await?;
    sqlx::query!(
        "UPDATE cursor SET journal_seq = $1, journal_at_ms = $2, last_blknum = $3,
            block_count = block_count + $4, transaction_count = transaction_count + $5",
        int8(target.seq.0),
        int8(target.at_ms),
        int8(last_blknum.get()),
        i64::try_from(rows.blocks.len()).unwrap_or(i64::MAX),
        i64::try_from(rows.tx_count()).unwrap_or(i64::MAX),
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Position { seq: target.seq, last_blknum })
}

/// Where a connection that writes puts rows that may be there already: a reorganisation of the root chain can put another event in the
/// place of one.
pub(super) const STAGES: &str = "
    CREATE TEMPORARY TABLE IF NOT EXISTS new_ethevents (LIKE ethevents) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE IF NOT EXISTS new_ethevents_txoutputs (LIKE ethevents_txoutputs) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE IF NOT EXISTS new_unlinked_piggybacks (LIKE unlinked_piggybacks) ON COMMIT DELETE ROWS;";
/// What takes over the rows that are not there.
const UNSTAGE: &str = "
    INSERT INTO ethevents SELECT * FROM new_ethevents ON CONFLICT DO NOTHING;
    INSERT INTO ethevents_txoutputs SELECT * FROM new_ethevents_txoutputs ON CONFLICT DO NOTHING;
    INSERT INTO unlinked_piggybacks SELECT * FROM new_unlinked_piggybacks ON CONFLICT DO NOTHING;";

async fn copy(db: &mut PgConnection, statement: &str, rows: Copy) -> Result<(), WriteError> {
    let mut copy = db.copy_in_raw(statement).await?;
    for chunk in rows.finish().chunks(COPY_CHUNK_LEN) {
        copy.send(chunk).await?;
    }
    copy.finish().await?;
    Ok(())
}

async fn copy_blocks(db: &mut PgConnection, rows: &Rows) -> Result<(), WriteError> {
    if rows.blocks.is_empty() {
        return Ok(());
    }
    let mut copied = Copy::new(rows.blocks.len().saturating_mul(128));
    for block in &rows.blocks {
        copied
            .row(7)
            .bigint(block.blknum.get())
            .bytes(block.hash.as_bytes())
            .bigint(block.timestamp_s)
            .bigint(block.eth_height.get())
            .int(block.tx_count)
            .time(block.inserted_ms)
            .time(block.updated_ms);
    }
    let statement = "COPY blocks (blknum, hash, \"timestamp\", eth_height, tx_count, inserted_at, updated_at) FROM STDIN (FORMAT binary)";
    copy(db, statement, copied).await
}

async fn copy_transactions(db: &mut PgConnection, rows: &Rows) -> Result<(), WriteError> {
    if rows.transactions.is_empty() {
        return Ok(());
    }
    let mut copied = Copy::new(rows.transactions.len().saturating_mul(512));
    for tx in &rows.transactions {
        copied
            .row(8)
            .bytes(tx.txhash.as_bytes())
            .int(tx.txindex.get())
            .bytes(&tx.txbytes)
            .bigint(tx.blknum.get())
            .optional(tx.metadata.as_ref().map(|metadata| metadata.as_bytes()))
            .int(tx.txtype.into())
            .time(tx.at_ms)
            .time(tx.at_ms);
    }
    let statement = "COPY transactions (txhash, txindex, txbytes, blknum, metadata, txtype, inserted_at, updated_at) FROM STDIN (FORMAT binary)";
    copy(db, statement, copied).await
}

async fn copy_outputs(db: &mut PgConnection, rows: &Rows) -> Result<(), WriteError> {
    if rows.outputs.is_empty() {
        return Ok(());
    }
    let mut copied = Copy::new(rows.outputs.len().saturating_mul(256));
    for output in &rows.outputs {
        let position = output.position;
        copied
            .row(14)
            .bigint(position.blknum.get())
            .int(position.txindex.get())
            .int(position.oindex.get().into())
            .int(output.otype.into())
            .bytes(output.owner.as_bytes())
            .numeric(output.amount)
            .bytes(output.currency.as_bytes())
            .optional(output.creating_txhash.as_ref().map(|hash| hash.as_bytes()))
            .optional(output.spent.as_ref().map(|(hash, _)| hash.as_bytes()));
        match output.spent {
            Some((_, input_index)) => copied.int(input_index.into()),
            None => copied.null(),
        };
        copied
            .bytes(output.utxohash.as_bytes())
            .boolean(false)
            .time(output.inserted_ms)
            .time(output.updated_ms);
    }
    let statement = "COPY txoutputs (blknum, txindex, oindex, otype, owner, amount, currency, creating_txhash, spending_txhash, spending_tx_oindex, child_chain_utxohash, exiting, inserted_at, updated_at) FROM STDIN (FORMAT binary)";
    copy(db, statement, copied).await
}

/// Marks older outputs spent. Their owners have a part in the transactions that spend them.
async fn spend(
    db: &mut PgConnection,
    rows: &mut Rows,
    last_blknum: Blknum,
) -> Result<(), WriteError> {
    if rows.spends.is_empty() {
        return Ok(());
    }
    // In the order of the table, so that neighbours are looked up together.
    rows.spends.sort_unstable_by_key(|spend| spend.position);
    let spends = &rows.spends;
    let blknums: Vec<i64> = spends.iter().map(|spend| int8(spend.position.blknum.get())).collect();
    let txindexes: Vec<i32> =
        spends.iter().map(|spend| int4(spend.position.txindex.get())).collect();
    let oindexes: Vec<i32> =
        spends.iter().map(|spend| spend.position.oindex.get().into()).collect();
    let txhashes: Vec<&[u8]> = spends.iter().map(|spend| spend.txhash.as_bytes()).collect();
    let input_indexes: Vec<i32> = spends.iter().map(|spend| spend.input_index.into()).collect();
    let times: Vec<i64> = spends.iter().map(|spend| int8(spend.at_ms)).collect();
    let spent = sqlx::query!(
        r#"UPDATE txoutputs o
            SET spending_txhash = s.txhash, spending_tx_oindex = s.input_index,
                updated_at = greatest(o.updated_at, timestamptz 'epoch' + s.at_ms * interval '1 millisecond')
            FROM unnest($1::bigint[], $2::integer[], $3::integer[], $4::bytea[], $5::integer[], $6::bigint[])
                WITH ORDINALITY AS s (blknum, txindex, oindex, txhash, input_index, at_ms, nr)
            WHERE o.blknum = s.blknum AND o.txindex = s.txindex AND o.oindex = s.oindex
            RETURNING s.nr AS "nr!", o.owner AS "owner!""#,
        &blknums,
        &txindexes,
        &oindexes,
        &txhashes as &[&[u8]],
        &input_indexes,
        &times,
    )
    .fetch_all(db)
    .await?;
    let missing = spends.len().saturating_sub(spent.len());
    if missing > 0 {
        return Err(WriteError::MissingOutputs { missing, blknum: last_blknum });
    }
    for row in spent {
        let index = usize::try_from(row.nr.saturating_sub(1)).unwrap_or(usize::MAX);
        let owner = <[u8; 20]>::try_from(row.owner.as_slice());
        if let (Some(spend), Ok(owner)) = (rows.spends.get(index), owner) {
            let (txtype, blknum, txindex) = spend.by;
            let account = Address::from(owner);
            let concerned = AccountTransaction { account, txtype, blknum, txindex };
            rows.account_transactions.insert(concerned);
        }
    }
    Ok(())
}

async fn copy_account_transactions(db: &mut PgConnection, rows: &Rows) -> Result<(), WriteError> {
    if rows.account_transactions.is_empty() {
        return Ok(());
    }
    let mut copied = Copy::new(rows.account_transactions.len().saturating_mul(64));
    for row in &rows.account_transactions {
        copied
            .row(4)
            .bytes(row.account.as_bytes())
            .int(row.txtype.into())
            .bigint(row.blknum.get())
            .int(row.txindex.get());
    }
    let statement =
        "COPY account_transactions (account, txtype, blknum, txindex) FROM STDIN (FORMAT binary)";
    copy(db, statement, copied).await
}

async fn copy_events(db: &mut PgConnection, rows: &Rows) -> Result<(), WriteError> {
    if rows.events.is_empty() {
        return Ok(());
    }
    let mut copied = Copy::new(rows.events.len().saturating_mul(160));
    for event in &rows.events {
        copied
            .row(8)
            .bytes(event.root_chain_txhash.as_bytes())
            .int(event.log_index)
            .bytes(event.event_type.as_bytes())
            .bytes(event.key.as_bytes())
            .bigint(event.eth_height.get())
            .optional(event.owner.as_ref().map(|owner| owner.as_bytes()))
            .time(event.at_ms)
            .time(event.at_ms);
    }
    let statement = "COPY new_ethevents (root_chain_txhash, log_index, event_type, root_chain_txhash_event, eth_height, owner, inserted_at, updated_at) FROM STDIN (FORMAT binary)";
    copy(db, statement, copied).await?;
    let mut copied = Copy::new(rows.links.len().saturating_mul(128));
    for link in &rows.links {
        copied
            .row(7)
            .bytes(link.event.as_bytes())
            .bytes(link.utxohash.as_bytes())
            .bigint(link.position.blknum.get())
            .int(link.position.txindex.get())
            .int(link.position.oindex.get().into())
            .time(link.at_ms)
            .time(link.at_ms);
    }
    let statement = "COPY new_ethevents_txoutputs (root_chain_txhash_event, child_chain_utxohash, blknum, txindex, oindex, inserted_at, updated_at) FROM STDIN (FORMAT binary)";
    copy(db, statement, copied).await?;
    let mut copied = Copy::new(rows.piggybacks.len().saturating_mul(96));
    for piggyback in &rows.piggybacks {
        copied
            .row(4)
            .bytes(piggyback.txhash.as_bytes())
            .int(piggyback.oindex.into())
            .bytes(piggyback.event.as_bytes())
            .time(piggyback.at_ms);
    }
    let statement = "COPY new_unlinked_piggybacks (txhash, oindex, root_chain_txhash_event, inserted_at) FROM STDIN (FORMAT binary)";
    copy(db, statement, copied).await?;
    sqlx::raw_sql(UNSTAGE).execute(db).await?;
    Ok(())
}

/// Links exits and outputs, whichever came first, and takes exiting outputs away from what can be spent.
async fn link_exits(db: &mut PgConnection, rows: &Rows) -> Result<(), WriteError> {
    let mut events: Vec<Vec<u8>> =
        rows.events.iter().map(|event| event.key.as_bytes().to_vec()).collect();
    let deposits = rows.outputs.iter().filter(|output| output.creating_txhash.is_none());
    let deposits = deposits.map(|output| output.position.blknum);
    let blknums = rows.blocks.iter().map(|block| block.blknum).chain(deposits);
    let blknums: Vec<i64> = blknums.map(|blknum| int8(blknum.get())).collect();
    let found = sqlx::query_scalar!(
        "WITH found AS (
            SELECT u.txhash, u.oindex AS index, u.root_chain_txhash_event, u.inserted_at,
                o.child_chain_utxohash, o.blknum, o.txindex, o.oindex
            FROM unlinked_piggybacks u
            JOIN transactions t ON t.txhash = u.txhash
            JOIN txoutputs o ON o.blknum = t.blknum AND o.txindex = t.txindex AND o.oindex = u.oindex
        ), gone AS (
            DELETE FROM unlinked_piggybacks u USING found f
            WHERE u.txhash = f.txhash AND u.oindex = f.index AND u.root_chain_txhash_event = f.root_chain_txhash_event
        )
        INSERT INTO ethevents_txoutputs (root_chain_txhash_event, child_chain_utxohash, blknum, txindex, oindex, inserted_at, updated_at)
        SELECT root_chain_txhash_event, child_chain_utxohash, blknum, txindex, oindex, inserted_at, inserted_at FROM found
        ON CONFLICT DO NOTHING
        RETURNING root_chain_txhash_event",
    )
    .fetch_all(&mut *db)
    .await?;
    events.extend(found);
    sqlx::query!(
        "UPDATE txoutputs o SET exiting = true, updated_at = greatest(o.updated_at, l.inserted_at)
            FROM ethevents_txoutputs l JOIN ethevents e ON e.root_chain_txhash_event = l.root_chain_txhash_event
            WHERE e.event_type <> 'deposit'
              AND (l.root_chain_txhash_event = ANY($1) OR l.blknum = ANY($2))
              AND o.blknum = l.blknum AND o.txindex = l.txindex AND o.oindex = l.oindex",
        &events,
        &blknums,
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn move_blocks(db: &mut PgConnection, rows: &Rows) -> Result<(), WriteError> {
    for moved in rows.last_moves() {
        sqlx::query!(
            r#"UPDATE blocks SET eth_height = $2, "timestamp" = $3,
                updated_at = greatest(updated_at, timestamptz 'epoch' + $4::bigint * interval '1 millisecond')
                WHERE blknum = $1"#,
            int8(moved.blknum.get()),
            int8(moved.eth_height.get()),
            int8(moved.timestamp_s),
            int8(moved.at_ms),
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}
