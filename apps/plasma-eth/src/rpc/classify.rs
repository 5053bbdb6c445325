//! What the errors of nodes mean. Every node words them differently; the tables below are what has been seen in the wild.

use super::{Failure, NodeError};
use crate::contracts::reverts;
use crate::{ErrorKind, RootChainCause, SubmitOutcome};
use plasma_core::wire::H256;

/// The JSON-RPC code geth gives to a revert.
const REVERT_CODE: i64 = 3;
/// Codes that say the request itself is wrong: invalid request, no such method, invalid parameters, method not supported.
const REFUSAL_CODES: [i64; 4] = [-32600, -32601, -32602, -32004];
/// Codes of the server, by JSON-RPC 2.0.
const SERVER_CODES: std::ops::RangeInclusive<i64> = -32099..=-32000;

/// Words of a node that wants fewer calls.
const RATE_LIMIT_WORDS: &[&str] = &[
    "rate limit",
    "rate-limit",
    "ratelimit",
    "too many requests",
    "request count exceeded",
    "requests per second",
    "compute units",
    "throughput",
];

/// Words of a node that wants a smaller range of blocks.
const RANGE_WORDS: &[&str] = &[
    "more than 10000 results",
    "query returned more than",
    "too many results",
    "too many logs",
    "block range",
    "range is too",
    "range too large",
    "is limited to a",
    "range limit",
    "response size",
    "logs matched by query exceeds",
    "result set too large",
    "query timeout exceeded",
    "exceeds max results",
];

/// Words of a node that has not seen the end of a range yet, which a smaller range does not help.
const BEYOND_HEAD_WORDS: &[&str] = &["beyond current head", "after last accepted block"];

type MakeOutcome = fn(H256) -> SubmitOutcome;

/// What a refusal of a transaction means (protocol 4.5); the first match counts. Words are compared in lower case.
const SUBMIT_WORDS: &[(MakeOutcome, &[&str])] = &[
    (
        |txhash| SubmitOutcome::AlreadyKnown { txhash },
        &[
            "already known",
            "alreadyknown",
            "known transaction",
            "already imported",
            "already exists",
        ],
    ),
    (
        |_| SubmitOutcome::ReplacementUnderpriced,
        &[
            "replacement transaction underpriced",
            "replacementnotallowed",
            "gas price is too low. there is another",
        ],
    ),
    (
        |_| SubmitOutcome::Underpriced,
        &["underpriced", "feetoolow", "gas price is too low", "less than block base fee"],
    ),
    (|_| SubmitOutcome::NonceTooLow, &["nonce too low", "nonce is too low", "oldnonce"]),
    (
        |_| SubmitOutcome::InsufficientFunds,
        &["insufficient funds", "insufficientfunds", "upfront cost exceeds account balance"],
    ),
    (|_| SubmitOutcome::AccountLocked, &["authentication needed", "account is locked"]),
];

/// Whether the same request may be answered later.
pub(super) fn kind_of(failure: &Failure) -> ErrorKind {
    match failure {
        Failure::Cause(cause) => cause.kind(),
        Failure::RateLimited(_) => ErrorKind::Transient,
        Failure::Node(error) if is_range_refusal(error) || is_about_the_transaction(error) => {
            ErrorKind::Permanent
        }
        Failure::Node(error) => cause_of_node_error(error).kind(),
    }
}

pub(crate) fn cause_of(failure: Failure) -> RootChainCause {
    match failure {
        Failure::Cause(cause) => cause,
        Failure::RateLimited(_) => RootChainCause::RateLimited,
        Failure::Node(error) => cause_of_node_error(&error),
    }
}

fn cause_of_node_error(error: &NodeError) -> RootChainCause {
    let message = error.message.to_lowercase();
    if is_rate_limit(&message) {
        return RootChainCause::RateLimited;
    }
    if error.code == REVERT_CODE || message.contains("revert") {
        return RootChainCause::Reverted(reverts::of_node_error(error));
    }
    if message.contains("insufficient funds") || message.contains("insufficientfunds") {
        return RootChainCause::InsufficientFunds(error.message.clone());
    }
    let (code, message) = (error.code, error.message.clone());
    if REFUSAL_CODES.contains(&code) {
        RootChainCause::Refused { code, message }
    } else {
        RootChainCause::NodeTrouble { code, message }
    }
}

/// Whether a node refuses a range of blocks as too large, rather than refusing to answer now.
pub(crate) fn is_range_refusal(error: &NodeError) -> bool {
    let message = error.message.to_lowercase();
    let mentions = |words: &[&str]| words.iter().any(|word| message.contains(word));
    mentions(RANGE_WORDS) && !mentions(BEYOND_HEAD_WORDS) && !is_rate_limit(&message)
}

/// What a node's error about a transaction it was handed means; the cause when it means nothing about the transaction.
pub(crate) fn submit_outcome(
    failure: Failure,
    txhash: H256,
) -> Result<SubmitOutcome, RootChainCause> {
    let error = match failure {
        Failure::Node(error) => error,
        other => return Err(cause_of(other)),
    };
    let message = error.message.to_lowercase();
    if is_rate_limit(&message) {
        return Err(RootChainCause::RateLimited);
    }
    if let Some(outcome) = refusal_outcome(&message) {
        return Ok(outcome(txhash));
    }
    if SERVER_CODES.contains(&error.code) {
        let NodeError { code, message, .. } = error;
        return Ok(SubmitOutcome::Refused { code, message });
    }
    Err(cause_of_node_error(&error))
}

/// The same transaction again would only be refused again.
fn is_about_the_transaction(error: &NodeError) -> bool {
    refusal_outcome(&error.message.to_lowercase()).is_some()
}

fn refusal_outcome(message: &str) -> Option<MakeOutcome> {
    SUBMIT_WORDS
        .iter()
        .find(|(_, words)| words.iter().any(|word| message.contains(word)))
        .map(|(outcome, _)| *outcome)
}

fn is_rate_limit(message: &str) -> bool {
    RATE_LIMIT_WORDS.iter().any(|word| message.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node_error(code: i64, message: &str) -> NodeError {
        NodeError { code, message: message.to_owned(), data: None }
    }

    #[test]
    fn refusals_of_transactions_are_classified_as_documented() {
        use SubmitOutcome as O;
        let txhash = H256::repeat_byte(7);
        let known = O::AlreadyKnown { txhash };
        let other = O::Refused { code: -32000, message: "exceeds block gas limit".to_owned() };
        for (code, message, expected) in [
            (-32000, "already known", &known),
            (-32000, "known transaction: 0xabc", &known),
            (-32010, "Transaction with the same hash was already imported.", &known),
            (-32010, "AlreadyKnown", &known),
            (-32003, "transaction already imported", &known),
            (-32000, "transaction underpriced", &O::Underpriced),
            (-32000, "replacement transaction underpriced", &O::ReplacementUnderpriced),
            (
                -32010,
                "Transaction gas price is too low. There is another transaction with same nonce in the queue. Try increasing the gas price or incrementing the nonce.",
                &O::ReplacementUnderpriced,
            ),
            (-32003, "max fee per gas less than block base fee", &O::Underpriced),
            (-32000, "nonce too low", &O::NonceTooLow),
            (-32000, "nonce too low: next nonce 5, tx nonce 3", &O::NonceTooLow),
            (-32010, "Transaction nonce is too low. Try incrementing the nonce.", &O::NonceTooLow),
            (-32000, "insufficient funds for gas * price + value", &O::InsufficientFunds),
            (-32003, "Insufficient funds for gas * price + value", &O::InsufficientFunds),
            (-32000, "authentication needed: password or unlock", &O::AccountLocked),
            (-32000, "exceeds block gas limit", &other),
        ] {
            let failure = Failure::Node(node_error(code, message));
            assert_eq!(submit_outcome(failure, txhash).as_ref(), Ok(expected), "{message}");
        }
    }

    #[test]
    fn errors_that_say_nothing_about_the_transaction_stay_errors() {
        let txhash = H256::zero();
        for (failure, kind) in [
            (Failure::RateLimited(None), ErrorKind::Transient),
            (
                Failure::Node(node_error(-32005, "daily request count exceeded")),
                ErrorKind::Transient,
            ),
            (Failure::Cause(RootChainCause::Timeout { after_ms: 1 }), ErrorKind::Transient),
            (Failure::Node(node_error(-32601, "the method does not exist")), ErrorKind::Permanent),
        ] {
            let cause = submit_outcome(failure, txhash).unwrap_err();
            assert_eq!(cause.kind(), kind, "{cause}");
        }
    }

    #[test]
    fn node_errors_pass_or_stay() {
        for (code, message, expected) in [
            (-32000, "header not found", "node_trouble"),
            (-32000, "missing trie node 12 (path )", "node_trouble"),
            (-32603, "Internal error", "node_trouble"),
            (-32001, "resource not found", "node_trouble"),
            (429, "anything", "node_trouble"),
            (-32005, "project rate limit reached", "rate_limited"),
            (-32016, "your app has exceeded its compute units per second capacity", "rate_limited"),
            (-32601, "the method eth_foo does not exist", "refused"),
            (-32602, "invalid argument 0", "refused"),
            (3, "execution reverted", "reverted"),
            (-32000, "execution reverted", "reverted"),
            (-32000, "VM Exception while processing transaction: revert", "reverted"),
            (-32000, "insufficient funds for transfer", "insufficient_funds"),
        ] {
            let cause = cause_of_node_error(&node_error(code, message));
            assert_eq!(cause.code(), expected, "{message}");
        }
    }

    #[test]
    fn refused_ranges_are_told_from_other_refusals() {
        for (code, message, expected) in [
            (-32005, "query returned more than 10000 results", true),
            (
                -32602,
                "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range",
                true,
            ),
            (-32614, "eth_getLogs is limited to a 10,000 range", true),
            (-32062, "Block range is too large", true),
            (-32000, "block range too wide", true),
            (-32602, "exceed maximum block range: 5000", true),
            (-32000, "block range extends beyond current head block", false),
            (-32005, "daily request count exceeded, request rate limited", false),
            (-32000, "header not found", false),
        ] {
            assert_eq!(is_range_refusal(&node_error(code, message)), expected, "{message}");
        }
    }
}
