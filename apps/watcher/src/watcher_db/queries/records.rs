//! Rows as the database has them, and as they are told.

use plasma_core::wire::{Address, Blknum, EthHeight, H256, OutputIndex, TxIndex, U256, UtxoPos};
use plasma_rpc::info::{Block, UtcTime, Utxo};
use sqlx::Error;

/// Asks for rows of `txoutputs`, called `o`: the text behind the columns, and its parameters. sqlx reads literals only.
macro_rules! select_outputs {
    ($behind:literal, $($parameter:expr),* $(,)?) => {
        sqlx::query_as!(
            $crate::watcher_db::queries::records::OutputRecord,
            r#"SELECT o.blknum, o.txindex, o.oindex, o.otype, o.owner, o.currency, o.amount::text AS "amount!",
                o.creating_txhash, o.spending_txhash,
                (extract(epoch FROM o.inserted_at) * 1000)::bigint AS "inserted_ms!",
                (extract(epoch FROM o.updated_at) * 1000)::bigint AS "updated_ms!"
                "# + $behind,
            $($parameter),*
        )
    };
}

/// Asks for rows of `blocks`, called `b`.
macro_rules! select_blocks {
    ($behind:literal, $($parameter:expr),* $(,)?) => {
        sqlx::query_as!(
            $crate::watcher_db::queries::records::BlockRecord,
            r#"SELECT b.blknum, b.hash, b."timestamp", b.eth_height, b.tx_count,
                (extract(epoch FROM b.inserted_at) * 1000)::bigint AS "inserted_ms!",
                (extract(epoch FROM b.updated_at) * 1000)::bigint AS "updated_ms!"
                "# + $behind,
            $($parameter),*
        )
    };
}

/// Asks for rows of `transactions`, called `t`, with their blocks, called `b`.
macro_rules! select_transactions {
    ($behind:literal, $($parameter:expr),* $(,)?) => {
        sqlx::query_as!(
            $crate::watcher_db::queries::records::TxRecord,
            r#"SELECT t.txhash, t.txindex, t.txtype, t.txbytes, t.metadata,
                (extract(epoch FROM t.inserted_at) * 1000)::bigint AS "inserted_ms!",
                (extract(epoch FROM t.updated_at) * 1000)::bigint AS "updated_ms!",
                b.blknum, b.hash, b."timestamp", b.eth_height, b.tx_count,
                (extract(epoch FROM b.inserted_at) * 1000)::bigint AS "block_inserted_ms!",
                (extract(epoch FROM b.updated_at) * 1000)::bigint AS "block_updated_ms!"
                "# + $behind,
            $($parameter),*
        )
    };
}

pub(super) use {select_blocks, select_outputs, select_transactions};

/// A row of `txoutputs`.
#[derive(Debug)]
pub(super) struct OutputRecord {
    pub(super) blknum: i64,
    pub(super) txindex: i32,
    pub(super) oindex: i32,
    pub(super) otype: i32,
    pub(super) owner: Vec<u8>,
    pub(super) currency: Vec<u8>,
    pub(super) amount: String,
    pub(super) creating_txhash: Option<Vec<u8>>,
    pub(super) spending_txhash: Option<Vec<u8>>,
    pub(super) inserted_ms: i64,
    pub(super) updated_ms: i64,
}

/// A row of `blocks`.
#[derive(Debug)]
pub(super) struct BlockRecord {
    pub(super) blknum: i64,
    pub(super) hash: Vec<u8>,
    pub(super) timestamp: i64,
    pub(super) eth_height: i64,
    pub(super) tx_count: i32,
    pub(super) inserted_ms: i64,
    pub(super) updated_ms: i64,
}

/// A row of `transactions` with its block.
#[derive(Debug)]
pub(super) struct TxRecord {
    pub(super) txhash: Vec<u8>,
    pub(super) txindex: i32,
    pub(super) txtype: i32,
    pub(super) txbytes: Vec<u8>,
    pub(super) metadata: Option<Vec<u8>>,
    pub(super) inserted_ms: i64,
    pub(super) updated_ms: i64,
    pub(super) blknum: i64,
    pub(super) hash: Vec<u8>,
    pub(super) timestamp: i64,
    pub(super) eth_height: i64,
    pub(super) tx_count: i32,
    pub(super) block_inserted_ms: i64,
    pub(super) block_updated_ms: i64,
}

impl TxRecord {
    pub(super) fn block(&self) -> Result<Block, Error> {
        BlockRecord {
            blknum: self.blknum,
            hash: self.hash.clone(),
            timestamp: self.timestamp,
            eth_height: self.eth_height,
            tx_count: self.tx_count,
            inserted_ms: self.block_inserted_ms,
            updated_ms: self.block_updated_ms,
        }
        .told()
    }
}

impl OutputRecord {
    pub(super) fn position(&self) -> Result<UtxoPos, Error> {
        Ok(UtxoPos::new(
            Blknum::new(number(self.blknum)?),
            TxIndex::new(number(self.txindex)?),
            OutputIndex::new(number(self.oindex)?),
        ))
    }

    pub(super) fn told(self) -> Result<Utxo, Error> {
        let utxo_pos = self.position()?;
        Ok(Utxo {
            blknum: utxo_pos.blknum,
            txindex: utxo_pos.txindex,
            oindex: utxo_pos.oindex,
            otype: number(self.otype)?,
            utxo_pos,
            owner: address(&self.owner)?,
            currency: address(&self.currency)?,
            amount: amount(&self.amount)?,
            creating_txhash: self.creating_txhash.as_deref().map(hash).transpose()?,
            spending_txhash: self.spending_txhash.as_deref().map(hash).transpose()?,
            inserted_at: time(self.inserted_ms),
            updated_at: time(self.updated_ms),
        })
    }
}

impl BlockRecord {
    pub(super) fn told(self) -> Result<Block, Error> {
        Ok(Block {
            blknum: Blknum::new(number(self.blknum)?),
            hash: hash(&self.hash)?,
            eth_height: EthHeight::new(number(self.eth_height)?),
            timestamp: number(self.timestamp)?,
            tx_count: number(self.tx_count)?,
            inserted_at: time(self.inserted_ms),
            updated_at: time(self.updated_ms),
        })
    }
}

/// Milliseconds since 1970, cut to seconds.
pub(in crate::watcher_db) fn time(at_ms: i64) -> UtcTime {
    UtcTime::from_ms(u64::try_from(at_ms).unwrap_or_default())
}

/// What only a row that was not written by us can be.
fn strange(what: &str) -> Error {
    Error::Decode(format!("a row with {what} that was not written by a watcher").into())
}

pub(super) fn number<N, T: TryFrom<N>>(value: N) -> Result<T, Error> {
    T::try_from(value).map_err(|_| strange("a number"))
}

pub(super) fn hash(bytes: &[u8]) -> Result<H256, Error> {
    <[u8; 32]>::try_from(bytes).map(H256).map_err(|_| strange("a hash"))
}

pub(in crate::watcher_db) fn address(bytes: &[u8]) -> Result<Address, Error> {
    <[u8; 20]>::try_from(bytes).map(Address::from).map_err(|_| strange("an address"))
}

pub(in crate::watcher_db) fn amount(text: &str) -> Result<U256, Error> {
    U256::from_dec_str(text).map_err(|_| strange("an amount"))
}

/// A sum: the largest number there is when it is more than that.
pub(super) fn sum(text: &str) -> U256 {
    U256::from_dec_str(text).unwrap_or(U256::MAX)
}
