//! The child chain's methods: what they take and what they answer (protocol 6.3).
//!
//! Field order is part of the contract, because the JSON is compared as text by golden tests.

mod block;
mod fees;

pub use block::BlockAnswer;
pub use fees::{FeeAnswer, FeesAllParams, FeesAnswer};

use crate::alarm::Alarm;
use crate::codes;
use crate::endpoint::{Endpoint, MethodSpec, endpoints};
use crate::json::hex;
use crate::params::{Check, NoParams, ParamError, RawParams, RequestParams};
use crate::refusals::{CLAIMING, DECODING, EXECUTING, RECOVERING, RECOVERY_ID, Refusals};
use plasma_core::state::{Accepted, ExecError};
use plasma_core::wire::{Blknum, BlockHash, MAX_BLOCK_TRANSACTIONS, TxHash, TxIndex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest signed transaction in bytes: four inputs, outputs and signatures, every number as long as it gets.
pub const SIGNED_TX_LEN_MAX: usize = 766;
/// Most transactions of one `transaction.batch_submit`.
pub const BATCH_SUBMIT_TRANSACTIONS_MAX: usize = 10_000;
/// Most transactions in a block, as a length.
pub const BLOCK_TRANSACTIONS_MAX: usize = MAX_BLOCK_TRANSACTIONS as usize;
/// A transaction as an item of a JSON array: quotes, `0x`, two digits a byte, and a comma.
const TX_JSON_LEN_MAX: usize = 2 * SIGNED_TX_LEN_MAX + 5;
/// Room for everything around the transactions of a list.
const REST_LEN_MAX: usize = 4 * 1024;

/// Longest body of `transaction.batch_submit`.
pub const BATCH_SUBMIT_BODY_LEN_MAX: usize =
    BATCH_SUBMIT_TRANSACTIONS_MAX * TX_JSON_LEN_MAX + REST_LEN_MAX;
/// Longest JSON of a block, in the answer of `block.get` and in the body of `block.validate`.
pub const BLOCK_JSON_LEN_MAX: usize = BLOCK_TRANSACTIONS_MAX * TX_JSON_LEN_MAX + REST_LEN_MAX;

/// How many calls that carry thousands of transactions may run at once.
pub(crate) const BIG_CALLS_IN_FLIGHT_MAX: usize = 16;

endpoints! {
    /// A block by its hash. Answers `get_block:not_found` when there is none.
    pub const BLOCK_GET: Endpoint<BlockGetParams, BlockAnswer> =
        Endpoint::post("block.get", "get_block").in_flight_max(2 * BIG_CALLS_IN_FLIGHT_MAX)
            .refuses(&[Refusals::Reasons(&["not_found"])]);
    /// Submits one transaction. The answer means that it is on disk and in the pending block.
    pub const TRANSACTION_SUBMIT: Endpoint<SubmitParams, SubmitAnswer> =
        Endpoint::post("transaction.submit", "submit").health_checked()
            .refuses(&[DECODING, RECOVERING, RECOVERY_ID, CLAIMING, EXECUTING]);
    /// Submits transactions in order: later ones see the effects of earlier ones, and a stateful refusal concerns one item only.
    /// One transaction that does not decode, claims fees or lacks a signature fails the whole call, and none is executed.
    pub const TRANSACTION_BATCH_SUBMIT: Endpoint<BatchSubmitParams, Vec<BatchItem>> =
        Endpoint::post("transaction.batch_submit", "submit_batch")
            .health_checked()
            .body_len_max(BATCH_SUBMIT_BODY_LEN_MAX)
            .in_flight_max(BIG_CALLS_IN_FLIGHT_MAX)
            .refuses(&[DECODING, RECOVERING, RECOVERY_ID, CLAIMING]);
    /// What transactions have to pay.
    pub const FEES_ALL: Endpoint<FeesAllParams, FeesAnswer> =
        Endpoint::post("fees.all", "fees_all").health_checked()
            .refuses(&[
                Refusals::Stable(codes::TX_TYPE_NOT_SUPPORTED),
                Refusals::Stable(codes::CURRENCY_FEE_NOT_SUPPORTED),
            ]);
    /// What a client has to know of this deployment.
    pub const CONFIGURATION_GET: Endpoint<NoParams, Configuration> =
        Endpoint::get("configuration.get", "get_configuration");
    /// Raised alarms. Both servers have it; [`Server`](crate::server::Server) answers it by itself.
    pub const ALARM_GET: Endpoint<NoParams, Vec<Alarm>> = Endpoint::get("alarm.get", "get_alarms");
}

/// All of them, for documentation and tests.
pub const METHODS: &[MethodSpec] = &[
    BLOCK_GET.spec,
    TRANSACTION_SUBMIT.spec,
    TRANSACTION_BATCH_SUBMIT.spec,
    FEES_ALL.spec,
    CONFIGURATION_GET.spec,
    ALARM_GET.spec,
];

/// Parameters of [`BLOCK_GET`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BlockGetParams {
    /// The Merkle root that was submitted for the block.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<BlockHash>")]
    pub hash: BlockHash,
}

/// Parameters of [`TRANSACTION_SUBMIT`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SubmitParams {
    /// Signed bytes.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub transaction: Vec<u8>,
}

/// Parameters of [`TRANSACTION_BATCH_SUBMIT`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BatchSubmitParams {
    /// Signed bytes, at most [`BATCH_SUBMIT_TRANSACTIONS_MAX`].
    #[serde(with = "hex::list")]
    #[schemars(with = "Vec<hex::Hex<Vec<u8>>>")]
    pub transactions: Vec<Vec<u8>>,
}

/// Where a submitted transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubmitAnswer {
    /// The block it will be in.
    #[schemars(with = "u64")]
    pub blknum: Blknum,
    /// Its index there.
    #[schemars(with = "u32")]
    pub txindex: TxIndex,
    /// Its id.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<TxHash>")]
    pub txhash: TxHash,
}

/// What became of one transaction of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum BatchItem {
    /// Accepted and on disk.
    Accepted(SubmitAnswer),
    /// Refused; the ledger is as if it had never been sent.
    Refused {
        /// The reason alone, such as `utxo_not_found`.
        error: String,
    },
}

/// What a client has to know of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Configuration {
    /// Root chain blocks after which a deposit can be spent. Must be the same at operator and watchers.
    pub deposit_finality_margin: u64,
    /// Version of the contracts.
    pub contract_semver: String,
    /// Name of the root chain, such as `LOCALCHAIN`.
    pub network: String,
}

impl RequestParams for BlockGetParams {
    const NAMES: &'static [&'static str] = &["hash"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        Ok(Self { hash: raw.field("hash").hash()? })
    }
}

impl RequestParams for SubmitParams {
    const NAMES: &'static [&'static str] = &["transaction"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        Ok(Self { transaction: raw.field("transaction").hex(&[])? })
    }
}

impl RequestParams for BatchSubmitParams {
    const NAMES: &'static [&'static str] = &["transactions"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        const MAX: usize = BATCH_SUBMIT_TRANSACTIONS_MAX;
        let transactions = raw.field("transactions");
        Ok(Self {
            transactions: transactions.list(
                "transaction",
                MAX,
                &[Check::MaxLength(MAX)],
                |transaction| transaction.hex(&[]),
            )?,
        })
    }
}

impl From<Accepted> for SubmitAnswer {
    fn from(accepted: Accepted) -> Self {
        Self { blknum: accepted.blknum, txindex: accepted.txindex, txhash: accepted.tx_hash }
    }
}

impl From<Result<Accepted, ExecError>> for BatchItem {
    fn from(outcome: Result<Accepted, ExecError>) -> Self {
        match outcome {
            Ok(accepted) => Self::Accepted(accepted.into()),
            Err(error) => Self::Refused { error: error.to_string() },
        }
    }
}
