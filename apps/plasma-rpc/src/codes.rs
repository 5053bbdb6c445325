//! Every stable error code of the servers, in one place: code, description, HTTP status and JSON-RPC number.
//!
//! Codes and descriptions are a promise to clients: they are added, never changed. A refusal that is not listed here is rendered
//! by rule, as `<action>:<reason>` without a description ([`RpcError`](crate::RpcError)).

use crate::endpoint::Service;

/// An error with a code and a text of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StableError {
    /// What clients compare with.
    pub code: &'static str,
    /// What people read.
    pub description: &'static str,
    /// HTTP status in the HTTP-RPC envelope: 200 for everything that the application decides.
    pub http_status: u16,
    /// `error.code` in the JSON-RPC envelope.
    pub json_rpc_code: i32,
}

/// JSON-RPC number of a refusal by the application.
pub const JSON_RPC_REFUSED: i32 = -32_000;
/// JSON-RPC number of everything that is worth a retry: overload, and a service that is not ready.
pub const JSON_RPC_BUSY: i32 = -32_009;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $http:literal, $json_rpc:expr, $description:literal;)*) => {
        $(
            $(#[$doc])*
            pub const $name: StableError = StableError {
                code: $code,
                description: $description,
                http_status: $http,
                json_rpc_code: $json_rpc,
            };
        )*

        /// All of them, for documentation and tests.
        pub const ALL: &[StableError] = &[$($name,)*];
    };
}

codes! {
    /// The body is no JSON.
    MALFORMED_BODY = "operation:bad_request", 400, -32_700, "Server has failed to parse the request.";
    /// The body claims to be something else than JSON.
    WRONG_CONTENT_TYPE = "operation:bad_request", 415, -32_600, "Invalid Content-Type header, use application/json.";
    /// A parameter is missing or wrong; `messages.validation_error` says which.
    BAD_PARAMETERS = "operation:bad_request", 200, -32_602, "Parameters required by this operation are missing or incorrect.";
    /// JSON, but no JSON-RPC 2.0 request. At `/` only.
    NOT_JSON_RPC = "operation:bad_request", 200, -32_600, "The request is not a JSON-RPC 2.0 request.";
    /// A JSON-RPC batch of too many requests. At `/` only.
    BATCH_TOO_LONG = "operation:batch_too_long", 200, -32_010, "The batch holds more requests than the server takes at once.";
    /// Neither a method nor a page is there.
    NOT_FOUND = "operation:not_found", 200, -32_601, "Operation cannot be found. Check request URL.";
    /// An alarm makes the service unhealthy. Rendered without `version` and `service_name` (protocol 6.1). Retry later.
    SERVICE_UNAVAILABLE = "operation:service_unavailable", 200, JSON_RPC_BUSY, "The server is not ready to handle the request. Check the alarms for more info.";
    /// A limit of the server is reached and nothing was done. Retry in a moment.
    OVERLOADED = "operation:overloaded", 200, JSON_RPC_BUSY, "The server is at its limit and has not started this operation. Try again in a moment.";
    /// The body is longer than the method takes.
    BODY_TOO_LARGE = "operation:request_too_large", 413, -32_007, "The request is larger than this operation takes.";
    /// The body came too slowly.
    BODY_TOO_SLOW = "operation:request_timeout", 408, -32_600, "The request body did not arrive in time.";
    /// The answer is longer than the server gives.
    ANSWER_TOO_LARGE = "operation:response_too_large", 200, -32_008, "The answer is larger than the server gives. Ask for less.";
    /// A bug or a broken part of the server; the log says more under the request id.
    INTERNAL = "server:internal_server_error", 500, -32_603, "Server has failed to render the error.";

    /// `fees.all` was asked for a kind of transaction that has no fee specification.
    TX_TYPE_NOT_SUPPORTED = "fee:tx_type_not_supported", 200, JSON_RPC_REFUSED, "At least one of the given transaction types is not supported.";
    /// `fees.all` was asked for a currency that no fee can be paid in.
    CURRENCY_FEE_NOT_SUPPORTED = "fee:currency_fee_not_supported", 200, JSON_RPC_REFUSED, "At least one of the given currencies is not accepted for fees.";

    /// Challenge data of an exit nobody started.
    CHALLENGE_EXIT_NOT_FOUND = "challenge:exit_not_found", 200, JSON_RPC_REFUSED, "No exit of this output is known.";
    /// Challenge data of an exit that is valid as far as the watcher knows.
    CHALLENGE_UTXO_NOT_SPENT = "challenge:utxo_not_spent", 200, JSON_RPC_REFUSED, "The exiting output is not spent, so its exit cannot be challenged.";
    /// Exit data of an output that is not there.
    EXIT_INVALID = "exit:invalid", 200, JSON_RPC_REFUSED, "Utxo was spent or does not exist.";
    /// In-flight exit data of a transaction that spends what nobody made.
    IN_FLIGHT_TX_FOR_INPUT_NOT_FOUND = "in_flight_exit:tx_for_input_not_found", 200, JSON_RPC_REFUSED, "The transaction that made an input is not known.";
    /// In-flight exit data of a transaction that spends a deposit which is gone.
    IN_FLIGHT_DEPOSIT_INPUT_SPENT = "in_flight_exit:deposit_input_spent_ife_unsupported", 200, JSON_RPC_REFUSED, "An input is a deposit that was spent or has left: no in-flight exit data is served for such a transaction.";
    /// An exit that nobody started.
    EXIT_NOT_FOUND = "exit:not_found", 200, JSON_RPC_REFUSED, "No such exit is known.";
    /// The Ethereum node refuses the watcher's connection.
    ETHEREUM_REFUSED = "connection:econnrefused", 200, JSON_RPC_REFUSED, "Cannot connect to the Ethereum node.";
    /// Too few signatures, at a watcher.
    MISSING_SIGNATURE = "submit_typed:missing_signature", 200, JSON_RPC_REFUSED, "The transaction has fewer signatures than inputs.";
    /// Too many signatures, at a watcher.
    SUPERFLUOUS_SIGNATURE = "submit_typed:superfluous_signature", 200, JSON_RPC_REFUSED, "The transaction has more signatures than inputs.";
    /// Too many inputs, at a watcher.
    TOO_MANY_INPUTS = "transaction.create:too_many_inputs", 200, JSON_RPC_REFUSED, "The transaction has more inputs than the protocol allows.";
    /// Too many outputs, at a watcher.
    TOO_MANY_OUTPUTS = "transaction.create:too_many_outputs", 200, JSON_RPC_REFUSED, "The transaction has more outputs than the protocol allows.";
    /// `transaction.create` without payments.
    EMPTY_TRANSACTION = "transaction.create:empty_transaction", 200, JSON_RPC_REFUSED, "There is nothing to pay.";
    /// `transaction.create` for somebody who has too little; `messages` says how much is missing of what.
    INSUFFICIENT_FUNDS = "transaction.create:insufficient_funds", 200, JSON_RPC_REFUSED, "The owner has too little to make the payments and pay the fee.";
    /// `transaction.create` of payments to the one who pays.
    SELF_TRANSACTION = "transaction.create:self_transaction_not_supported", 200, JSON_RPC_REFUSED, "All payments go to the one who pays. Use transaction.merge to join outputs.";
    /// `transaction.merge` of an account that has one output in the currency.
    SINGLE_INPUT = "merge:single_input", 200, JSON_RPC_REFUSED, "There is one output only, so there is nothing to merge.";
    /// `transaction.merge` of an account that has nothing in the currency.
    NO_INPUTS_FOUND = "merge:no_inputs_found", 200, JSON_RPC_REFUSED, "There is no output to merge.";
    /// `transaction.merge` of outputs that are counted in different things.
    MULTIPLE_CURRENCIES = "merge:multiple_currencies", 200, JSON_RPC_REFUSED, "The outputs are of several currencies.";
    /// `transaction.merge` of outputs that belong to different accounts.
    MULTIPLE_INPUT_OWNERS = "merge:multiple_input_owners", 200, JSON_RPC_REFUSED, "The outputs belong to several owners.";
    /// `transaction.merge` of an output with itself.
    DUPLICATE_INPUT_POSITIONS = "merge:duplicate_input_positions", 200, JSON_RPC_REFUSED, "A position is listed twice.";
    /// `transaction.get` of a transaction nobody knows.
    TRANSACTION_NOT_FOUND = "transaction:not_found", 200, JSON_RPC_REFUSED, "No such transaction is known.";
    /// `utxo.get` of an output nobody knows.
    UTXO_NOT_FOUND = "utxo:not_found", 200, JSON_RPC_REFUSED, "No such output is known.";
    /// `proof.get` of a transaction that is in no block.
    PROOF_NOT_FOUND = "proof:not_found", 200, JSON_RPC_REFUSED, "No block with such a transaction is known.";
    /// The child chain cannot be reached, at an informational watcher.
    CHILDCHAIN_UNREACHABLE = "connection:childchain_unreachable", 200, JSON_RPC_REFUSED, "Cannot connect to the child chain.";
    /// The database of an informational watcher is gone, full, foreign or behind; `messages` says which. Retry later.
    WATCHER_DB_UNAVAILABLE = "watcher_db:unavailable", 200, JSON_RPC_BUSY, "The database of the watcher cannot answer. Exits, challenges and the status do not need it.";
    /// The watcher found a fault in the child chain and refuses to help spend on it.
    CHAIN_UNSAFE = "chain:unsafe", 200, JSON_RPC_REFUSED, "The watcher found a fault in the child chain and does not help to spend on it. See byzantine_events of status.get, and exit.";
    /// `sentinel.get` where none runs.
    SENTINEL_NOT_RUNNING = "sentinel:not_running", 200, JSON_RPC_REFUSED, "This watcher tells what is wrong and does nothing about it. Start it with --sentinel to have it challenge.";

    /// `subscribe` without a connection that stays.
    SUBSCRIPTION_NEEDS_WEBSOCKET = "subscription:needs_websocket", 200, JSON_RPC_REFUSED, "Subscriptions need a connection that stays: open a WebSocket at /, or read server-sent events at /events.";
    /// One connection has as many subscriptions as it may have.
    SUBSCRIPTION_TOO_MANY = "subscription:too_many", 200, JSON_RPC_REFUSED, "This connection has as many subscriptions as it may have. Unsubscribe from one first, or open another connection.";
    /// `from` is a number that no event has yet; `messages.head` is the newest.
    SUBSCRIPTION_BEYOND_HEAD = "subscription:from_beyond_head", 200, JSON_RPC_REFUSED, "No event has that number yet. Subscribe without from, or from a number up to one above messages.head.";
    /// The `Last-Event-ID` or the query of `GET /events` cannot be read; `messages` says which part.
    SUBSCRIPTION_BAD_REQUEST = "subscription:bad_request", 200, JSON_RPC_REFUSED, "The topics or the place to start from cannot be read. Ask like /events?topics=blocks,status&from=sequence:1, and send Last-Event-ID as it was received.";
    /// Told to a subscriber that is dropped; `messages.next` is the number to go on from.
    SUBSCRIPTION_TOO_SLOW = "subscription:too_slow", 200, JSON_RPC_REFUSED, "Events were not read in time, so the subscription is over. Subscribe again from messages.next, and read faster.";
    /// The node cannot read its own events; `messages.next` is the number to go on from.
    EVENTS_UNAVAILABLE = "subscription:events_unavailable", 200, JSON_RPC_BUSY, "The node cannot read its events now, so the subscription is over. Subscribe again in a moment from messages.next.";
    /// Told to every subscriber when the server stops; `messages.next` is the number to go on from.
    SUBSCRIPTION_SERVER_STOPS = "subscription:server_stops", 200, JSON_RPC_BUSY, "The server stops, so the subscription is over. Subscribe again from messages.next when it is back.";
}

/// Reasons a watcher renders with a code of their own, whichever method refuses (protocol 6.6).
const WATCHER_REASONS: &[(&str, StableError)] = &[
    ("exit_not_found", CHALLENGE_EXIT_NOT_FOUND),
    ("utxo_not_spent", CHALLENGE_UTXO_NOT_SPENT),
    ("utxo_not_found", EXIT_INVALID),
    ("no_deposit_for_given_blknum", EXIT_INVALID),
    ("tx_for_input_not_found", IN_FLIGHT_TX_FOR_INPUT_NOT_FOUND),
    ("deposit_input_spent_ife_unsupported", IN_FLIGHT_DEPOSIT_INPUT_SPENT),
    ("econnrefused", ETHEREUM_REFUSED),
    ("missing_signature", MISSING_SIGNATURE),
    ("superfluous_signature", SUPERFLUOUS_SIGNATURE),
    ("too_many_inputs", TOO_MANY_INPUTS),
    ("too_many_outputs", TOO_MANY_OUTPUTS),
];

/// Reasons that have a code of their own where the database is asked as well (protocol 6.6).
const INFO_REASONS: &[(&str, StableError)] = &[
    ("empty_transaction", EMPTY_TRANSACTION),
    ("insufficient_funds", INSUFFICIENT_FUNDS),
    ("self_transaction_not_supported", SELF_TRANSACTION),
    ("single_input", SINGLE_INPUT),
    ("no_inputs_found", NO_INPUTS_FOUND),
    ("multiple_currencies", MULTIPLE_CURRENCIES),
    ("multiple_input_owners", MULTIPLE_INPUT_OWNERS),
    ("duplicate_input_positions", DUPLICATE_INPUT_POSITIONS),
    ("transaction_not_found", TRANSACTION_NOT_FOUND),
    ("host_unreachable", CHILDCHAIN_UNREACHABLE),
];

impl Service {
    /// The error with a code of its own that a reason is rendered as, if there is one.
    pub fn stable_error(self, reason: &str) -> Option<StableError> {
        let (shared, own): (&[_], &[_]) = match self {
            Self::ChildChain => (&[], &[]),
            Self::Watcher => (WATCHER_REASONS, &[]),
            Self::WatcherInfo => (WATCHER_REASONS, INFO_REASONS),
        };
        shared.iter().chain(own).find(|(name, _)| *name == reason).map(|(_, error)| *error)
    }
}
