//! What lists and single rows are asked for by.

use super::paging::Paging;
use super::{BLOCKS_PAGE_LEN_MAX, TRANSACTIONS_PAGE_LEN_MAX};
use crate::json::hex;
use crate::params::{Check, ParamError, RawParams, RequestParams};
use plasma_core::wire::{Address, Blknum, BlockHash, H256, TxHash};
use schemars::JsonSchema;
use serde::Serialize;

/// Most transaction types that can be asked for at once.
pub const TX_TYPES_MAX: usize = 16;

/// Parameters of pages about one account: at most `LIMIT_MAX` rows, and cursors of `CURSOR_PARTS` numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AccountPageParams<const LIMIT_MAX: u32, const CURSOR_PARTS: usize> {
    /// Whose.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub address: Address,
    /// Which part.
    #[serde(flatten)]
    pub paging: Paging,
}

/// Parameters of [`TRANSACTION_ALL`](super::TRANSACTION_ALL). Filters add up; none of them lists everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TransactionsParams {
    /// Only those with an input or an output of this account.
    #[serde(with = "hex::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<hex::Hex<Address>>")]
    pub address: Option<Address>,
    /// Only those of this block.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u64>")]
    pub blknum: Option<Blknum>,
    /// Only those with exactly these bytes.
    #[serde(with = "hex::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<hex::Hex<H256>>")]
    pub metadata: Option<H256>,
    /// Only these types; none is like all.
    pub txtypes: Vec<u64>,
    /// Which part.
    #[serde(flatten)]
    pub paging: Paging,
    /// Only those in blocks up to this time, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_datetime: Option<u64>,
}

/// Parameters of [`TRANSACTION_GET`](super::TRANSACTION_GET).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TransactionByIdParams {
    /// Its hash.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<TxHash>")]
    pub id: TxHash,
}

/// Parameters of [`BLOCK_ALL`](super::BLOCK_ALL).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BlocksParams {
    /// Which part.
    #[serde(flatten)]
    pub paging: Paging,
}

/// Parameters of [`BLOCK_GET`](super::BLOCK_GET): a number or, without one, a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(extend("anyOf" = [
    {"required": ["blknum"], "properties": {"blknum": {"type": "integer"}}},
    {"required": ["hash"], "properties": {"hash": {"type": "string"}}},
]))]
pub struct BlockParams {
    /// Its number. One beyond 64 bits is as unknown as the last one that fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u64>")]
    pub blknum: Option<Blknum>,
    /// Its root. Of several blocks with the same root, the newest is meant.
    #[serde(with = "hex::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<hex::Hex<BlockHash>>")]
    pub hash: Option<BlockHash>,
}

/// What a block is asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockSubject {
    /// Its number.
    Number(Blknum),
    /// Its root.
    Hash(BlockHash),
}

impl Default for TransactionsParams {
    fn default() -> Self {
        Self {
            address: None,
            blknum: None,
            metadata: None,
            txtypes: Vec::new(),
            paging: Paging::first(TRANSACTIONS_PAGE_LEN_MAX),
            end_datetime: None,
        }
    }
}

impl<const LIMIT_MAX: u32, const CURSOR_PARTS: usize> AccountPageParams<LIMIT_MAX, CURSOR_PARTS> {
    /// The first page, as long as there can be.
    pub const fn first(address: Address) -> Self {
        Self { address, paging: Paging::first(LIMIT_MAX) }
    }
}

impl<const LIMIT_MAX: u32, const CURSOR_PARTS: usize> RequestParams
    for AccountPageParams<LIMIT_MAX, CURSOR_PARTS>
{
    const NAMES: &'static [&'static str] = &["address", "limit", "page", "cursor"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        Ok(Self {
            address: raw.field("address").address()?,
            paging: Paging::parse(raw, LIMIT_MAX, CURSOR_PARTS)?,
        })
    }
}

impl RequestParams for TransactionsParams {
    const NAMES: &'static [&'static str] =
        &["address", "blknum", "metadata", "txtypes", "limit", "page", "end_datetime", "cursor"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        const CHECKS: &[Check] = &[Check::MaxLength(TX_TYPES_MAX)];
        let address = raw.field("address").optional().map(|field| field.address()).transpose()?;
        let blknum = raw.field("blknum").optional().map(|field| field.pos_u64()).transpose()?;
        let metadata = raw.field("metadata").optional().map(|field| field.hash()).transpose()?;
        let txtypes = raw
            .field("txtypes")
            .optional()
            .map(|txtypes| txtypes.list("txtype", TX_TYPES_MAX, CHECKS, |txtype| txtype.pos_u64()));
        let txtypes = txtypes.transpose()?.unwrap_or_default();
        let paging = Paging::parse(raw, TRANSACTIONS_PAGE_LEN_MAX, 2)?;
        let end = raw.field("end_datetime").optional();
        let end_datetime = end.map(|field| field.pos_u64()).transpose()?;
        let blknum = blknum.map(Blknum::new);
        Ok(Self { address, blknum, metadata, txtypes, paging, end_datetime })
    }
}

impl RequestParams for TransactionByIdParams {
    const NAMES: &'static [&'static str] = &["id"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        Ok(Self { id: raw.field("id").hash()? })
    }
}

impl RequestParams for BlocksParams {
    const NAMES: &'static [&'static str] = &Paging::NAMES;

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        Ok(Self { paging: Paging::parse(raw, BLOCKS_PAGE_LEN_MAX, 1)? })
    }
}

impl BlockParams {
    /// Asks for a block by its number.
    pub const fn number(blknum: Blknum) -> Self {
        Self { blknum: Some(blknum), hash: None }
    }

    /// Asks for a block by its root.
    pub const fn hash(hash: BlockHash) -> Self {
        Self { blknum: None, hash: Some(hash) }
    }

    /// What is asked for; number 0, which no block has, when it is nothing.
    pub fn subject(&self) -> BlockSubject {
        match (self.blknum, self.hash) {
            (None, Some(hash)) => BlockSubject::Hash(hash),
            (blknum, _) => BlockSubject::Number(blknum.unwrap_or_default()),
        }
    }
}

impl RequestParams for BlockParams {
    const NAMES: &'static [&'static str] = &["blknum", "hash"];

    /// Without either, it is the number that is missing, as callers of the originals know it.
    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        let blknum = raw.field("blknum").optional().map(|field| field.pos_u64()).transpose()?;
        let hash = raw.field("hash").optional().map(|field| field.hash()).transpose()?;
        let blknum = match (blknum, hash) {
            (None, None) => Some(raw.field("blknum").pos_u64()?),
            (blknum, _) => blknum,
        };
        Ok(Self { blknum: blknum.map(Blknum::new), hash })
    }
}
