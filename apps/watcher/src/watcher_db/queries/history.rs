//! Blocks, deposits, and how much happened.

use super::records::{BlockRecord, OutputRecord, hash, number, select_blocks, time};
use super::{limit_and_offset, part};
use crate::watcher_db::{WatcherDb, WatcherDbError};
use plasma_core::wire::{Address, Blknum, BlockHash, EthHeight};
use plasma_rpc::info::{Block, Count, Deposit, DepositEvent, Interval, Page, Paging, Stats};
use sqlx::Error;

/// What counts as the last day.
const DAY_S: u64 = 86_400;

/// A row of `ethevents` with the output it made.
#[derive(Debug)]
struct DepositRecord {
    root_chain_txhash: Vec<u8>,
    log_index: i32,
    event_eth_height: i64,
    event_inserted_ms: i64,
    event_updated_ms: i64,
    blknum: i64,
    txindex: i32,
    oindex: i32,
    otype: i32,
    owner: Vec<u8>,
    currency: Vec<u8>,
    amount: String,
    creating_txhash: Option<Vec<u8>>,
    spending_txhash: Option<Vec<u8>>,
    inserted_ms: i64,
    updated_ms: i64,
}

/// Asks for deposits: the text behind the joins, and its parameters.
macro_rules! select_deposits {
    ($behind:literal, $($parameter:expr),* $(,)?) => {
        sqlx::query_as!(
            DepositRecord,
            r#"SELECT e.root_chain_txhash, e.log_index, e.eth_height AS event_eth_height,
                (extract(epoch FROM e.inserted_at) * 1000)::bigint AS "event_inserted_ms!",
                (extract(epoch FROM e.updated_at) * 1000)::bigint AS "event_updated_ms!",
                o.blknum, o.txindex, o.oindex, o.otype, o.owner, o.currency, o.amount::text AS "amount!",
                o.creating_txhash, o.spending_txhash,
                (extract(epoch FROM o.inserted_at) * 1000)::bigint AS "inserted_ms!",
                (extract(epoch FROM o.updated_at) * 1000)::bigint AS "updated_ms!"
                FROM ethevents e
                JOIN ethevents_txoutputs l ON l.root_chain_txhash_event = e.root_chain_txhash_event
                JOIN txoutputs o ON o.blknum = l.blknum AND o.txindex = l.txindex AND o.oindex = l.oindex
                "# + $behind,
            $($parameter),*
        )
    };
}

impl WatcherDb {
    /// Blocks of transactions, the newest first. Cursor: block.
    ///
    /// # Errors
    /// [`WatcherDbError::Unavailable`]
    pub async fn blocks(&self, paging: &Paging) -> Result<Page<Block>, WatcherDbError> {
        let (limit, offset) = limit_and_offset(paging);
        let before = paging.cursor.as_ref().and_then(|cursor| cursor.key_of::<1>());
        let before = before.map_or(i64::MAX, |[blknum]| part(blknum, i64::MAX));
        let rows = self
            .ask(async {
                let rows = select_blocks!(
                    "FROM blocks b WHERE b.blknum < $1 ORDER BY b.blknum DESC LIMIT $2 OFFSET $3",
                    before,
                    limit,
                    offset,
                )
                .fetch_all(&self.pool)
                .await?;
                rows.into_iter().map(BlockRecord::told).collect::<Result<Vec<_>, Error>>()
            })
            .await?;
        Ok(paging.answer(rows, |row| vec![row.blknum.get()]))
    }

    /// A block of transactions; `None` when there is none with this number.
    ///
    /// # Errors
    /// [`WatcherDbError::Unavailable`]
    pub async fn block(&self, blknum: Blknum) -> Result<Option<Block>, WatcherDbError> {
        self.ask(async {
            let row =
                select_blocks!("FROM blocks b WHERE b.blknum = $1", part(blknum.get(), i64::MAX),)
                    .fetch_optional(&self.pool)
                    .await?;
            row.map(BlockRecord::told).transpose()
        })
        .await
    }

    /// The newest block of transactions with this root; `None` when there is none.
    ///
    /// # Errors
    /// [`WatcherDbError::Unavailable`]
    pub async fn block_of_hash(&self, hash: BlockHash) -> Result<Option<Block>, WatcherDbError> {
        self.ask(async {
            let row = select_blocks!(
                "FROM blocks b WHERE b.hash = $1 ORDER BY b.blknum DESC LIMIT 1",
                hash.as_bytes(),
            )
            .fetch_optional(&self.pool)
            .await?;
            row.map(BlockRecord::told).transpose()
        })
        .await
    }

    /// Deposits, the newest first; of one account or of all. Cursor: height on the root chain, log.
    ///
    /// # Errors
    /// [`WatcherDbError::Unavailable`]
    pub async fn deposits(
        &self,
        owner: Option<Address>,
        paging: &Paging,
    ) -> Result<Page<Deposit>, WatcherDbError> {
        let (limit, offset) = limit_and_offset(paging);
        let before = paging.cursor.as_ref().and_then(|cursor| cursor.key_of::<2>());
        let (height, log) = before.map_or((i64::MAX, i32::MAX), |[height, log]| {
            (part(height, i64::MAX), part(log, i32::MAX))
        });
        let rows = self
            .ask(async {
                let rows = match owner {
                    Some(owner) => {
                        select_deposits!(
                            "WHERE e.event_type = 'deposit' AND e.owner = $1 AND (e.eth_height, e.log_index) < ($2, $3)
                ORDER BY e.eth_height DESC, e.log_index DESC LIMIT $4 OFFSET $5",
                            owner.as_bytes(),
                            height,
                            log,
                            limit,
                            offset,
                        )
                        .fetch_all(&self.pool)
                        .await?
                    }
                    None => {
                        select_deposits!(
                            "WHERE e.event_type = 'deposit' AND (e.eth_height, e.log_index) < ($1, $2)
                ORDER BY e.eth_height DESC, e.log_index DESC LIMIT $3 OFFSET $4",
                            height,
                            log,
                            limit,
                            offset,
                        )
                        .fetch_all(&self.pool)
                        .await?
                    }
                };
                rows.into_iter().map(DepositRecord::told).collect::<Result<Vec<_>, Error>>()
            })
            .await?;
        Ok(paging.answer(rows, |row| vec![row.eth_height.get(), row.log_index]))
    }

    /// How much happened, all in all and during the day before `now_s` by the time of blocks. Totals are kept, not counted.
    ///
    /// # Errors
    /// [`WatcherDbError::Unavailable`]
    pub async fn stats(&self, now_s: u64) -> Result<Stats, WatcherDbError> {
        let since = part(now_s.saturating_sub(DAY_S), i64::MAX);
        self.ask(async {
            let db = &mut *self.snapshot().await?;
            let all = sqlx::query!(
                r#"SELECT block_count, transaction_count,
                    (SELECT min("timestamp") FROM blocks) AS oldest, (SELECT max("timestamp") FROM blocks) AS newest
                FROM cursor"#
            )
            .fetch_one(&mut *db)
            .await?;
            let day = sqlx::query!(
                r#"SELECT count(*) AS "block_count!", coalesce(sum(tx_count), 0)::bigint AS "transaction_count!",
                    min("timestamp") AS oldest, max("timestamp") AS newest
                FROM blocks WHERE "timestamp" >= $1"#,
                since
            )
            .fetch_one(db)
            .await?;
            Ok(Stats {
                transaction_count: Count {
                    all_time: number(all.transaction_count)?,
                    last_24_hours: number(day.transaction_count)?,
                },
                block_count: Count {
                    all_time: number(all.block_count)?,
                    last_24_hours: number(day.block_count)?,
                },
                average_block_interval_seconds: Interval {
                    all_time: average(all.block_count, all.oldest, all.newest),
                    last_24_hours: average(day.block_count, day.oldest, day.newest),
                },
            })
        })
        .await
    }
}

/// Average time between blocks; `None` for less than two.
fn average(blocks: i64, oldest: Option<i64>, newest: Option<i64>) -> Option<f64> {
    let intervals = u32::try_from(blocks.saturating_sub(1)).ok().filter(|count| *count > 0)?;
    let span = u32::try_from(newest?.saturating_sub(oldest?)).ok()?;
    Some(f64::from(span) / f64::from(intervals))
}

impl DepositRecord {
    fn told(self) -> Result<Deposit, Error> {
        let output = OutputRecord {
            blknum: self.blknum,
            txindex: self.txindex,
            oindex: self.oindex,
            otype: self.otype,
            owner: self.owner,
            currency: self.currency,
            amount: self.amount,
            creating_txhash: self.creating_txhash,
            spending_txhash: self.spending_txhash,
            inserted_ms: self.inserted_ms,
            updated_ms: self.updated_ms,
        };
        Ok(Deposit {
            event_type: DepositEvent::Deposit,
            root_chain_txhash: hash(&self.root_chain_txhash)?,
            log_index: number(self.log_index)?,
            eth_height: EthHeight::new(number(self.event_eth_height)?),
            txoutputs: vec![output.told()?],
            inserted_at: time(self.event_inserted_ms),
            updated_at: time(self.event_updated_ms),
        })
    }
}
