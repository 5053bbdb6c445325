//! Rows of the WatcherDB as they are told: UTXO, TX, BLOCK, deposits, balances and statistics (protocol 6.5).

use crate::json::{hex, uint};
use chrono::{DateTime, SecondsFormat};
use plasma_core::wire::{
    Address, Blknum, BlockHash, Currency, EthHeight, H256, OutputIndex, TxHash, TxIndex, U256,
    UtxoPos,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::borrow::Cow;

/// Seconds since 1970, told as `2020-02-10T12:07:32Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcTime(pub u64);

/// An output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Utxo {
    /// Its block.
    #[schemars(with = "u64")]
    pub blknum: Blknum,
    /// The creating transaction in the block.
    #[schemars(with = "u32")]
    pub txindex: TxIndex,
    /// The output in the transaction.
    #[schemars(with = "u16")]
    pub oindex: OutputIndex,
    /// Number of the output type.
    pub otype: u8,
    /// The three numbers above as one.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<UtxoPos>")]
    pub utxo_pos: UtxoPos,
    /// Who may spend it.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub owner: Address,
    /// What it is counted in.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Currency>")]
    pub currency: Currency,
    /// How much, in the smallest unit.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub amount: U256,
    /// The transaction that made it; `null` for a deposit.
    #[serde(with = "hex::optional")]
    #[schemars(with = "Option<hex::Hex<TxHash>>")]
    pub creating_txhash: Option<TxHash>,
    /// The transaction that spent it, if there is one.
    #[serde(with = "hex::optional")]
    #[schemars(with = "Option<hex::Hex<TxHash>>")]
    pub spending_txhash: Option<TxHash>,
    /// When the watcher learned of it.
    pub inserted_at: UtcTime,
    /// When the watcher learned something new of it.
    pub updated_at: UtcTime,
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tx {
    /// Its index in the block.
    #[schemars(with = "u32")]
    pub txindex: TxIndex,
    /// Its id.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<TxHash>")]
    pub txhash: TxHash,
    /// Number of the transaction type.
    pub txtype: u8,
    /// Signed bytes.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub txbytes: Vec<u8>,
    /// 32 bytes of the sender's choice; `null` where the kind of transaction has none.
    #[serde(with = "hex::optional")]
    #[schemars(with = "Option<hex::Hex<H256>>")]
    pub metadata: Option<H256>,
    /// The block it is in.
    pub block: Block,
    /// What it spends, in the order of its inputs.
    pub inputs: Vec<Utxo>,
    /// What it makes.
    pub outputs: Vec<Utxo>,
    /// When the watcher learned of it.
    pub inserted_at: UtcTime,
    /// When the watcher learned something new of it.
    pub updated_at: UtcTime,
}

/// A block of transactions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "BlockRow")]
pub struct Block {
    /// Its number.
    #[schemars(with = "u64")]
    pub blknum: Blknum,
    /// Merkle root of its transactions.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<BlockHash>")]
    pub hash: BlockHash,
    /// Where it was submitted.
    #[schemars(with = "u64")]
    pub eth_height: EthHeight,
    /// Root chain time of that, in seconds.
    pub timestamp: u64,
    /// How many transactions it has, fee claims included.
    pub tx_count: u32,
    /// When the watcher learned of it.
    pub inserted_at: UtcTime,
    /// When the watcher learned something new of it.
    pub updated_at: UtcTime,
}

/// What is told as `event_type` of a [`Deposit`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DepositEvent {
    /// Nothing else is listed.
    #[default]
    #[serde(rename = "deposit")]
    Deposit,
}

/// A deposit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deposit {
    /// `deposit`.
    pub event_type: DepositEvent,
    /// The root chain transaction.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<H256>")]
    pub root_chain_txhash: H256,
    /// Which of its logs.
    pub log_index: u64,
    /// The root chain block.
    #[schemars(with = "u64")]
    pub eth_height: EthHeight,
    /// The output it made: one.
    pub txoutputs: Vec<Utxo>,
    /// When the watcher learned of it.
    pub inserted_at: UtcTime,
    /// When the watcher learned something new of it.
    pub updated_at: UtcTime,
}

/// What an account holds in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Balance {
    /// What it is counted in.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Currency>")]
    pub currency: Currency,
    /// How much, in the smallest unit; the largest number there is when it is more than that.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub amount: U256,
}

/// How much happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// Transactions.
    pub transaction_count: Count,
    /// Blocks of transactions.
    pub block_count: Count,
    /// Time between two of them.
    pub average_block_interval_seconds: Interval,
}

/// A number, all in all and of the last day by the time of blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Count {
    /// Since the first block.
    pub all_time: u64,
    /// During 24 hours.
    pub last_24_hours: u64,
}

/// An average in seconds, all in all and of the last day; `null` for less than two blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// Since the first block.
    pub all_time: Option<f64>,
    /// During 24 hours.
    pub last_24_hours: Option<f64>,
}

impl UtcTime {
    /// Milliseconds since 1970, cut to seconds.
    pub const fn from_ms(at_ms: u64) -> Self {
        Self(at_ms / 1_000)
    }
}

impl JsonSchema for UtcTime {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "UtcTime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "date-time",
            "pattern": "^[0-9]{4,6}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
        })
    }
}

impl Serialize for UtcTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = i64::try_from(self.0).ok().and_then(|at_s| DateTime::from_timestamp(at_s, 0));
        // Beyond what a calendar has: the end of it, rather than no answer.
        let time = time.unwrap_or(DateTime::<chrono::Utc>::MAX_UTC);
        serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

impl<'de> Deserialize<'de> for UtcTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = DateTime::parse_from_rfc3339(&text).map_err(D::Error::custom)?;
        u64::try_from(time.timestamp()).map(Self).map_err(D::Error::custom)
    }
}
