//! A look at a database from outside: whose it is and how far, without writing anything.

use super::config::WatcherDbConfig;
use super::connection::{Position, WRITER_LOCK, WriteError};
use plasma_core::journal::JournalSeq;
use plasma_core::wire::{Address, Blknum};

/// What is found in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The root chain's chain id.
    pub chain_id: u64,
    /// The framework contract.
    pub plasma_framework: Address,
    /// How far it is.
    pub position: Position,
    /// Blocks of transactions in it.
    pub block_count: u64,
    /// Transactions in them.
    pub transaction_count: u64,
    /// Whether a watcher or a rebuild is writing now.
    pub has_writer: bool,
}

/// Looks; `None` where there is no WatcherDB yet.
///
/// # Errors
/// [`WriteError`]
pub async fn inspect(config: &WatcherDbConfig) -> Result<Option<Inspection>, WriteError> {
    let mut db = config.connect_writer().await?;
    let exists = sqlx::query_scalar!(
        r#"SELECT to_regclass('cursor') IS NOT NULL AND to_regclass('_sqlx_migrations') IS NOT NULL AS "exists!""#
    );
    if !exists.fetch_one(&mut db).await? {
        return Ok(None);
    }
    let found = sqlx::query!(
        r#"SELECT chain_id, plasma_framework, journal_seq, last_blknum, block_count, transaction_count,
            EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.objsubid = 1
                    AND ((l.classid::bigint << 32) | l.objid::bigint) = $1) AS "has_writer!"
        FROM cursor"#,
        WRITER_LOCK,
    );
    let Some(found) = found.fetch_optional(&mut db).await? else {
        return Ok(None);
    };
    let framework = <[u8; 20]>::try_from(found.plasma_framework.as_slice()).unwrap_or_default();
    Ok(Some(Inspection {
        chain_id: found.chain_id.unsigned_abs(),
        plasma_framework: Address::from(framework),
        position: Position {
            seq: JournalSeq(found.journal_seq.unsigned_abs()),
            last_blknum: Blknum::new(found.last_blknum.unsigned_abs()),
        },
        block_count: found.block_count.unsigned_abs(),
        transaction_count: found.transaction_count.unsigned_abs(),
        has_writer: found.has_writer,
    }))
}
