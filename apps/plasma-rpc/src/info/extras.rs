//! What the originals do not have: inclusion proofs to keep, the history of fees, and what happens at an account.

use super::objects::UtcTime;
use super::paging::Paging;
use crate::json::{hex, uint};
use crate::params::{Check, ParamError, RawParams, RequestParams};
use crate::subscription::{EventObject, TopicName};
use plasma_core::wire::{
    Address, Blknum, BlockHash, Currency, EthHeight, TxHash, TxIndex, U256, UtxoPos,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most entries in a page of [`FEES_HISTORY`](super::FEES_HISTORY).
pub const FEE_HISTORY_LEN_MAX: u32 = 200;
/// Most events in an answer of [`ADDRESS_WATCH`](super::ADDRESS_WATCH), and how many there are if nothing is said.
pub const WATCH_EVENTS_MAX: u32 = 200;

/// Parameters of [`PROOF_GET`](super::PROOF_GET): a position or, without one, the hash of a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(extend("anyOf" = [
    {"required": ["utxo_pos"], "properties": {"utxo_pos": {"type": "integer"}}},
    {"required": ["txhash"], "properties": {"txhash": {"type": "string"}}},
]))]
pub struct ProofParams {
    /// An output of the transaction.
    #[serde(with = "uint::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<uint::Number<U256>>")]
    pub utxo_pos: Option<U256>,
    /// The transaction.
    #[serde(with = "hex::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<hex::Hex<TxHash>>")]
    pub txhash: Option<TxHash>,
}

/// What a proof is asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofSubject {
    /// An output; `None` when no block can ever have this position.
    Output(Option<UtxoPos>),
    /// A transaction.
    Transaction(TxHash),
}

/// Proof that a transaction is in a block. With the root that the root chain has for `blknum` it can be verified without us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InclusionReference {
    /// The transaction.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<TxHash>")]
    pub txhash: TxHash,
    /// Its unsigned bytes: what is in the leaf of the Merkle tree.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub txbytes: Vec<u8>,
    /// Its block.
    #[schemars(with = "u64")]
    pub blknum: Blknum,
    /// Its place in the block: that of its leaf.
    #[schemars(with = "u32")]
    pub txindex: TxIndex,
    /// The 16 hashes beside the way from the leaf to the root.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub proof: Vec<u8>,
    /// The root: `blocks(blknum).root` of the framework contract.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<BlockHash>")]
    pub block_hash: BlockHash,
    /// The framework contract.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub plasma_framework: Address,
    /// The root chain block in which the root was submitted; `null` when the watcher does not know.
    #[schemars(with = "Option<u64>")]
    pub eth_height: Option<EthHeight>,
    /// Root chain time of that, in seconds.
    pub timestamp: Option<u64>,
}

/// `messages` of `watcher_db:unavailable`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DbLag {
    /// How many child chain blocks the database is behind the watcher; `null` when it is not known.
    pub lag_blocks: Option<u64>,
    /// The newest block in it; 0 before the first, and when it is not known.
    #[schemars(with = "u64")]
    pub last_indexed_child_block_number: Blknum,
    /// What is wrong, in words.
    pub reason: String,
}

/// Parameters of [`FEES_HISTORY`](super::FEES_HISTORY).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FeeHistoryParams {
    /// Only of this currency.
    #[serde(with = "hex::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<hex::Hex<Currency>>")]
    pub currency: Option<Currency>,
    /// Which part.
    #[serde(flatten)]
    pub paging: Paging,
}

/// A fee that was different from then on, as far as this watcher saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FeeChange {
    /// Number of the change: one more than that of the one before.
    pub sequence: u64,
    /// Transaction type.
    pub txtype: u64,
    /// What it is paid in.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Currency>")]
    pub currency: Currency,
    /// How much, in the smallest unit; `null` when the currency is not taken any more.
    #[serde(with = "uint::optional")]
    #[schemars(with = "Option<uint::Number<U256>>")]
    pub amount: Option<U256>,
    /// When this watcher saw it first.
    pub inserted_at: UtcTime,
}

/// Parameters of [`ADDRESS_WATCH`](super::ADDRESS_WATCH).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AddressWatchParams {
    /// Whose.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub address: Address,
    /// Events from this number on; without it, from the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// Most events.
    pub limit: u32,
}

/// Answer of [`ADDRESS_WATCH`](super::ADDRESS_WATCH).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AddressWatch {
    /// What to subscribe to: `transfer:0x…`.
    #[schemars(with = "String")]
    pub topic: TopicName,
    /// Number of the newest event there is, 0 before the first.
    pub head: u64,
    /// The number to go on with: of this method, or of a subscription.
    pub next: u64,
    /// The same objects as subscriptions have, the oldest first, without gaps.
    pub events: Vec<EventObject>,
}

impl ProofParams {
    /// What is asked for.
    pub fn subject(&self) -> ProofSubject {
        match (self.utxo_pos, self.txhash) {
            (None, Some(txhash)) => ProofSubject::Transaction(txhash),
            (position, _) => ProofSubject::Output(position.and_then(UtxoPos::decode_u256)),
        }
    }
}

impl RequestParams for ProofParams {
    const NAMES: &'static [&'static str] = &["utxo_pos", "txhash"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        let position = raw.field("utxo_pos").optional();
        let utxo_pos = position.map(|field| field.pos_integer()).transpose()?;
        let txhash = raw.field("txhash");
        let txhash = utxo_pos.is_none().then(|| txhash.hash()).transpose()?;
        Ok(Self { utxo_pos, txhash })
    }
}

impl RequestParams for FeeHistoryParams {
    const NAMES: &'static [&'static str] = &["currency", "limit", "page", "cursor"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        let currency = raw.field("currency").optional().map(|field| field.address()).transpose()?;
        Ok(Self { currency, paging: Paging::parse(raw, FEE_HISTORY_LEN_MAX, 1)? })
    }
}

impl RequestParams for AddressWatchParams {
    const NAMES: &'static [&'static str] = &["address", "from", "limit"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        let address = raw.field("address").address()?;
        let from = raw.field("from").optional().map(|field| field.pos_u64()).transpose()?;
        let limit = raw
            .field("limit")
            .optional()
            .map(|field| field.integer(&[Check::Greater(0), Check::Lesser(super::LIMIT_BOUND)]));
        let limit = limit.transpose()?.and_then(|limit| limit.to_u256());
        let limit = limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(u32::MAX);
        Ok(Self { address, from, limit: limit.min(WATCH_EVENTS_MAX) })
    }
}
