//! The watcher's methods: what they take and what they answer (protocol 5.6 to 5.9 and 6.5).
//!
//! Field order is part of the contract, because the JSON is compared as text by golden tests.

mod byzantine;
mod exit;
mod in_flight;
mod sentinel;
mod status;

pub use byzantine::{
    AvailablePiggyback, BlockWithholding, ByzantineEvent, ExitEvent, InFlightExitEvent,
    InvalidBlock, PiggybackAvailable, PiggybackEvent,
};
pub use exit::{
    EXIT_PAGE_LEN_MAX, Exit, ExitAllParams, ExitGetParams, ExitPage, ExitQueuePlace, ExitSlot,
    ExitWindow, IncludedAt,
};
pub use in_flight::{
    CanonicalProof, CompetitorData, IN_FLIGHT_EXIT_GET_COMPETITOR, IN_FLIGHT_EXIT_GET_DATA,
    IN_FLIGHT_EXIT_GET_INPUT_CHALLENGE_DATA, IN_FLIGHT_EXIT_GET_OUTPUT_CHALLENGE_DATA,
    IN_FLIGHT_EXIT_PROVE_CANONICAL, InFlightExitData, InputChallengeData, InputChallengeParams,
    OutputChallengeData, OutputChallengeParams, TxBytesParams,
};
pub use sentinel::{
    SENTINEL_DUTIES_MAX, SentinelAnswer, SentinelDuty, SentinelDutyId, SentinelRecord,
};
pub use status::{
    ContractAddresses, InFlightExitStatus, RenderedStatus, ServiceHeight, Status, StatusWith,
};

use crate::child_chain::{
    BATCH_SUBMIT_BODY_LEN_MAX, BIG_CALLS_IN_FLIGHT_MAX, BLOCK_JSON_LEN_MAX, BLOCK_TRANSACTIONS_MAX,
    BatchItem, BatchSubmitParams, SubmitAnswer, SubmitParams,
};
use crate::codes;
use crate::endpoint::{Endpoint, MethodSpec, endpoints};
use crate::json::{hex, uint};
use crate::params::{NoParams, ParamError, RawParams, RequestParams};
use crate::refusals::{FORWARDING, Refusals, SUBMITTING};
use plasma_core::wire::{
    Address, Blknum, BlockHash, Currency, ExitId, OutputIndex, TxIndex, U256, UtxoPos,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::child_chain::ALARM_GET;

endpoints! {
    /// How far the watcher is, and what is wrong with the chain.
    pub const STATUS_GET: Endpoint<NoParams, Status> =
        Endpoint::post("status.get", "get_status").health_checked();
    /// What a client has to know of this deployment.
    pub const CONFIGURATION_GET: Endpoint<NoParams, WatcherConfiguration> =
        Endpoint::get("configuration.get", "get_configuration");
    /// What an owner could exit: unspent outputs that are in no active exit, and that no transaction of an in-flight exit spends.
    pub const ACCOUNT_GET_EXITABLE_UTXOS: Endpoint<AccountParams, Vec<ExitableUtxo>> =
        Endpoint::post("account.get_exitable_utxos", "get_exitable_utxos")
            .in_flight_max(BIG_CALLS_IN_FLIGHT_MAX);
    /// Whether a block is statelessly valid; never says why not.
    pub const BLOCK_VALIDATE: Endpoint<BlockValidateParams, BlockValidity> =
        Endpoint::post("block.validate", "validate_block")
            .body_len_max(BLOCK_JSON_LEN_MAX)
            .in_flight_max(4);
    /// What the exit of an output has to prove.
    pub const UTXO_GET_EXIT_DATA: Endpoint<UtxoPosParams, ExitData> =
        Endpoint::post("utxo.get_exit_data", "get_utxo_exit")
            .refuses(&[Refusals::Stable(codes::EXIT_INVALID)]);
    /// What a challenge of an output's exit has to prove.
    pub const UTXO_GET_CHALLENGE_DATA: Endpoint<UtxoPosParams, ChallengeData> =
        Endpoint::post("utxo.get_challenge_data", "get_utxo_challenge")
            .refuses(&[
                Refusals::Stable(codes::CHALLENGE_EXIT_NOT_FOUND),
                Refusals::Stable(codes::CHALLENGE_UTXO_NOT_SPENT),
            ]);
    /// How far an exit is, and what to do next.
    pub const EXIT_GET: Endpoint<ExitGetParams, Exit> = Endpoint::post("exit.get", "get_exit")
            .refuses(&[Refusals::Stable(codes::EXIT_NOT_FOUND)]);
    /// Open exits, or all exits of an account, page by page.
    pub const EXIT_ALL: Endpoint<ExitAllParams, ExitPage> =
        Endpoint::post("exit.all", "get_exits").in_flight_max(BIG_CALLS_IN_FLIGHT_MAX);
    /// Checks a transaction statelessly and forwards it to the child chain.
    pub const TRANSACTION_SUBMIT: Endpoint<SubmitParams, SubmitAnswer> =
        Endpoint::post("transaction.submit", "submit")
            .refuses(SUBMITTING);
    /// Forwards transactions to the child chain unchecked.
    pub const TRANSACTION_BATCH_SUBMIT: Endpoint<BatchSubmitParams, Vec<BatchItem>> =
        Endpoint::post("transaction.batch_submit", "batch_submit")
            .body_len_max(BATCH_SUBMIT_BODY_LEN_MAX)
            .in_flight_max(BIG_CALLS_IN_FLIGHT_MAX)
            .refuses(&[FORWARDING, Refusals::Stable(codes::CHAIN_UNSAFE)]);

    /// What the Sentinel does and did, where one runs.
    pub const SENTINEL_GET: Endpoint<NoParams, SentinelAnswer> =
        Endpoint::post("sentinel.get", "get_sentinel")
            .refuses(&[Refusals::Stable(codes::SENTINEL_NOT_RUNNING)]);
}

/// All of them, for documentation and tests.
pub const METHODS: &[MethodSpec] = &[
    STATUS_GET.spec,
    CONFIGURATION_GET.spec,
    ALARM_GET.spec,
    ACCOUNT_GET_EXITABLE_UTXOS.spec,
    BLOCK_VALIDATE.spec,
    UTXO_GET_EXIT_DATA.spec,
    UTXO_GET_CHALLENGE_DATA.spec,
    SENTINEL_GET.spec,
    EXIT_GET.spec,
    EXIT_ALL.spec,
    TRANSACTION_SUBMIT.spec,
    TRANSACTION_BATCH_SUBMIT.spec,
    IN_FLIGHT_EXIT_GET_DATA.spec,
    IN_FLIGHT_EXIT_GET_COMPETITOR.spec,
    IN_FLIGHT_EXIT_PROVE_CANONICAL.spec,
    IN_FLIGHT_EXIT_GET_INPUT_CHALLENGE_DATA.spec,
    IN_FLIGHT_EXIT_GET_OUTPUT_CHALLENGE_DATA.spec,
];

/// Parameters of methods about one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AccountParams {
    /// Whose.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub address: Address,
}

/// Parameters of methods about one output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UtxoPosParams {
    /// Any integer above zero is well-formed; see [`Self::position`].
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub utxo_pos: U256,
}

/// Parameters of [`BLOCK_VALIDATE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BlockValidateParams {
    /// The claimed Merkle root.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<BlockHash>")]
    pub hash: BlockHash,
    /// Signed bytes, in order. One more than a block can hold stands for any greater number: the block is invalid then.
    #[serde(with = "hex::list")]
    #[schemars(with = "Vec<hex::Hex<Vec<u8>>>")]
    pub transactions: Vec<Vec<u8>>,
    /// The claimed number. Any integer above zero is well-formed.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub number: U256,
}

/// Answer of [`CONFIGURATION_GET`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatcherConfiguration {
    /// Root chain blocks after which a deposit can be spent. Must be the same at operator and watchers.
    pub deposit_finality_margin: u64,
    /// Version of the contracts.
    pub contract_semver: String,
    /// Name of the root chain, such as `LOCALCHAIN`.
    pub network: String,
    /// Root chain blocks within which somebody has to challenge an invalid exit.
    pub exit_processor_sla_margin: u64,
}

/// An output that could be exited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExitableUtxo {
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
    /// Who may exit it.
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
    /// The three numbers above as one.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<UtxoPos>")]
    pub utxo_pos: UtxoPos,
}

/// Answer of [`BLOCK_VALIDATE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlockValidity {
    /// Whether every stateless rule holds.
    pub valid: bool,
}

/// Answer of [`UTXO_GET_EXIT_DATA`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExitData {
    /// The output.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<UtxoPos>")]
    pub utxo_pos: UtxoPos,
    /// Unsigned bytes of the transaction that made it.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub txbytes: Vec<u8>,
    /// Merkle proof that the transaction is in its block.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub proof: Vec<u8>,
}

/// Answer of [`UTXO_GET_CHALLENGE_DATA`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChallengeData {
    /// The contract's key of the exit.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<ExitId>")]
    pub exit_id: ExitId,
    /// Unsigned bytes of the transaction that made the exiting output.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub exiting_tx: Vec<u8>,
    /// Unsigned bytes of the transaction that spends it.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub txbytes: Vec<u8>,
    /// Which input of the spending transaction it is.
    pub input_index: u8,
    /// The owner's signature of the spending transaction.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub sig: Vec<u8>,
}

impl UtxoPosParams {
    /// Asks for one output.
    pub fn new(position: UtxoPos) -> Self {
        Self { utxo_pos: position.encode().into() }
    }

    /// The output; `None` when no block can ever have this position.
    pub fn position(&self) -> Option<UtxoPos> {
        UtxoPos::decode_u256(self.utxo_pos)
    }
}

impl RequestParams for AccountParams {
    const NAMES: &'static [&'static str] = &["address"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        Ok(Self { address: raw.field("address").address()? })
    }
}

impl RequestParams for UtxoPosParams {
    const NAMES: &'static [&'static str] = &["utxo_pos"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        Ok(Self { utxo_pos: raw.field("utxo_pos").pos_integer()? })
    }
}

impl RequestParams for BlockValidateParams {
    const NAMES: &'static [&'static str] = &["hash", "transactions", "number"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        let kept_max = BLOCK_TRANSACTIONS_MAX + 1;
        Ok(Self {
            hash: raw.field("hash").hash()?,
            transactions: raw.field("transactions").list(
                "transaction",
                kept_max,
                &[],
                |transaction| transaction.hex(&[]),
            )?,
            number: raw.field("number").pos_integer()?,
        })
    }
}
