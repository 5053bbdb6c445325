//! The methods of the informational watcher: what they take and what they answer (protocol 5.10 and 6.5).
//!
//! They must never be asked by anything that secures funds: they are answered from a database that can be gone. The informational watcher
//! serves all methods of [`watcher`](crate::watcher) as well. Field order is part of the contract, because the JSON is compared as text by
//! golden tests.

mod create;
mod extras;
mod filter;
mod objects;
mod paging;
mod typed_data;

pub use create::{
    CreateFee, CreateParams, CreatePayment, CreateResult, Created, CreatedFee, CreatedOutput,
    Creation, MERGED_OUTPUTS_MAX, MergeParams, Merges, MissingFunds,
};
pub use extras::{
    AddressWatch, AddressWatchParams, DbLag, FEE_HISTORY_LEN_MAX, FeeChange, FeeHistoryParams,
    InclusionReference, ProofParams, ProofSubject, WATCH_EVENTS_MAX,
};
pub use filter::{
    AccountPageParams, BlockParams, BlockSubject, BlocksParams, TX_TYPES_MAX,
    TransactionByIdParams, TransactionsParams,
};
pub use objects::{
    Balance, Block, Count, Deposit, DepositEvent, Interval, Stats, Tx, UtcTime, Utxo,
};
pub use paging::{
    CURSOR_LEN_MAX, CURSOR_PARTS_MAX, Cursor, DataPaging, LIMIT_BOUND, PAGE_OFFSET_MAX, Page,
    Paging,
};
pub use typed_data::{
    SubmitTypedParams, TypedData, TypedDataDomain, TypedDataField, TypedDataInput,
    TypedDataMessage, TypedDataOutput, TypedDataTypes,
};

use crate::child_chain::{FeesAllParams, FeesAnswer, SubmitAnswer};
use crate::codes;
use crate::endpoint::{Endpoint, MethodSpec, endpoints};
use crate::params::NoParams;
use crate::refusals::{CREATING, FORWARDING, MERGING, Refusals, SUBMITTING};
use crate::watcher::{AccountParams, UtxoPosParams};

/// Most outputs in a page of [`ACCOUNT_GET_UTXOS`].
pub const UTXOS_PAGE_LEN_MAX: u32 = 200;
/// Most transactions in a page of [`TRANSACTION_ALL`].
pub const TRANSACTIONS_PAGE_LEN_MAX: u32 = 200;
/// Most blocks in a page of [`BLOCK_ALL`].
pub const BLOCKS_PAGE_LEN_MAX: u32 = 100;
/// Most deposits in a page of [`DEPOSIT_ALL`].
pub const DEPOSITS_PAGE_LEN_MAX: u32 = 100;
/// How many calls may run at once that read more than a few rows, or that write a transaction for somebody.
const INFO_CALLS_IN_FLIGHT_MAX: usize = 64;

/// The database cannot answer.
const DB: Refusals = Refusals::Stable(codes::WATCHER_DB_UNAVAILABLE);

endpoints! {
    /// What an account holds: unspent outputs that are in no exit, added up by currency.
    pub const ACCOUNT_GET_BALANCE: Endpoint<AccountParams, Vec<Balance>> =
        Endpoint::post("account.get_balance", "get_balance").in_flight_max(INFO_CALLS_IN_FLIGHT_MAX)
            .refuses(&[DB]);
    /// What an account can spend, the oldest first.
    pub const ACCOUNT_GET_UTXOS: Endpoint<AccountPageParams<UTXOS_PAGE_LEN_MAX, 3>, Page<Utxo>> =
        Endpoint::post("account.get_utxos", "get_utxos")
            .in_flight_max(INFO_CALLS_IN_FLIGHT_MAX)
            .paged()
            .refuses(&[DB]);
    /// The same as [`TRANSACTION_ALL`].
    pub const ACCOUNT_GET_TRANSACTIONS: Endpoint<TransactionsParams, Page<Tx>> =
        Endpoint::post("account.get_transactions", "get_transactions")
            .in_flight_max(INFO_CALLS_IN_FLIGHT_MAX)
            .paged()
            .refuses(&[DB]);
    /// Transactions, the newest first.
    pub const TRANSACTION_ALL: Endpoint<TransactionsParams, Page<Tx>> =
        Endpoint::post("transaction.all", "get_transactions")
            .in_flight_max(INFO_CALLS_IN_FLIGHT_MAX)
            .paged()
            .refuses(&[DB]);
    /// A transaction by its hash.
    pub const TRANSACTION_GET: Endpoint<TransactionByIdParams, Tx> =
        Endpoint::post("transaction.get", "get_transaction")
            .refuses(&[DB, Refusals::Stable(codes::TRANSACTION_NOT_FOUND)]);
    /// Writes a payment for somebody to sign, or the merges that have to be sent before it.
    pub const TRANSACTION_CREATE: Endpoint<CreateParams, Creation> =
        Endpoint::post("transaction.create", "create").in_flight_max(INFO_CALLS_IN_FLIGHT_MAX)
            .refuses(&[
                DB,
                FORWARDING,
                CREATING,
                Refusals::Stable(codes::INSUFFICIENT_FUNDS),
                Refusals::Stable(codes::CHAIN_UNSAFE),
            ]);
    /// Writes merges of somebody's outputs.
    pub const TRANSACTION_MERGE: Endpoint<MergeParams, Merges> =
        Endpoint::post("transaction.merge", "merge").in_flight_max(INFO_CALLS_IN_FLIGHT_MAX)
            .refuses(&[DB, MERGING, Refusals::Stable(codes::CHAIN_UNSAFE)]);
    /// Submits what was signed as typed data.
    pub const TRANSACTION_SUBMIT_TYPED: Endpoint<SubmitTypedParams, SubmitAnswer> =
        Endpoint::post("transaction.submit_typed", "submit_typed")
            .refuses(SUBMITTING);
    /// Blocks of transactions, the newest first. Those of deposits are not among them.
    pub const BLOCK_ALL: Endpoint<BlocksParams, Page<Block>> =
        Endpoint::post("block.all", "get_blocks").in_flight_max(INFO_CALLS_IN_FLIGHT_MAX).paged()
            .refuses(&[DB]);
    /// A block by its number or, ours, by its root.
    pub const BLOCK_GET: Endpoint<BlockParams, Block> =
        Endpoint::post("block.get", "get_block")
            .refuses(&[DB, Refusals::Reasons(&["block_not_found"])]);
    /// Deposits of an account, the newest first.
    pub const DEPOSIT_ALL: Endpoint<AccountPageParams<DEPOSITS_PAGE_LEN_MAX, 2>, Page<Deposit>> =
        Endpoint::post("deposit.all", "get_deposits").in_flight_max(INFO_CALLS_IN_FLIGHT_MAX).paged()
            .refuses(&[DB]);
    /// What the child chain says that transactions have to pay.
    pub const FEES_ALL: Endpoint<FeesAllParams, FeesAnswer> = Endpoint::post("fees.all", "fees_all")
            .refuses(&[FORWARDING]);
    /// How much happened, and how much of it during the last day.
    pub const STATS_GET: Endpoint<NoParams, Stats> =
        Endpoint::post("stats.get", "get_statistics").in_flight_max(INFO_CALLS_IN_FLIGHT_MAX)
            .refuses(&[DB]);
    /// One output, spent or not. Ours.
    pub const UTXO_GET: Endpoint<UtxoPosParams, Utxo> = Endpoint::post("utxo.get", "get_utxo")
            .refuses(&[DB, Refusals::Stable(codes::UTXO_NOT_FOUND)]);
    /// Proof that a payment is in a block, with what the root chain says of the block. Ours.
    pub const PROOF_GET: Endpoint<ProofParams, InclusionReference> =
        Endpoint::post("proof.get", "get_proof").in_flight_max(INFO_CALLS_IN_FLIGHT_MAX)
            .refuses(&[DB, Refusals::Stable(codes::PROOF_NOT_FOUND)]);
    /// What the child chain asked for, and since when; the newest first. Ours.
    pub const FEES_HISTORY: Endpoint<FeeHistoryParams, Page<FeeChange>> =
        Endpoint::post("fees.history", "get_fee_history")
            .in_flight_max(INFO_CALLS_IN_FLIGHT_MAX)
            .paged()
            .refuses(&[DB]);
    /// What came and went at an account since a number, and where to go on. Ours.
    pub const ADDRESS_WATCH: Endpoint<AddressWatchParams, AddressWatch> =
        Endpoint::post("address.watch", "watch_address").in_flight_max(INFO_CALLS_IN_FLIGHT_MAX);
}

/// All of them, for documentation and tests.
pub const METHODS: &[MethodSpec] = &[
    ACCOUNT_GET_BALANCE.spec,
    ACCOUNT_GET_UTXOS.spec,
    ACCOUNT_GET_TRANSACTIONS.spec,
    TRANSACTION_ALL.spec,
    TRANSACTION_GET.spec,
    TRANSACTION_CREATE.spec,
    TRANSACTION_MERGE.spec,
    TRANSACTION_SUBMIT_TYPED.spec,
    BLOCK_ALL.spec,
    BLOCK_GET.spec,
    DEPOSIT_ALL.spec,
    FEES_ALL.spec,
    STATS_GET.spec,
    UTXO_GET.spec,
    PROOF_GET.spec,
    FEES_HISTORY.spec,
    ADDRESS_WATCH.spec,
];
