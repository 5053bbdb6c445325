//! Why a call to the root chain failed, and whether calling again can help.
//!
//! No variant ever carries the node's URL beyond its host: URLs of hosted nodes hold API keys. Texts that come from a node are cut
//! to [`NODE_TEXT_CHARS_MAX`] printable characters before they get here.

use crate::{Revert, SubmitOutcome};
use plasma_core::wire::{Address, EthHeight, H256};
use thiserror::Error;

/// Longest text of a node that is repeated in an error.
pub const NODE_TEXT_CHARS_MAX: usize = 300;

/// Whether calling again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The node or the way to it is in trouble: wait and call again. Nothing was changed, or calling again does it at most once.
    Transient,
    /// The same call fails the same way however often it is made: somebody has to change something first.
    Permanent,
}

/// A failed call to the root chain: what was asked, and why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{method}{}: {cause}", in_brackets(context))]
pub struct RootChainError {
    method: &'static str,
    context: String,
    cause: RootChainCause,
}

fn in_brackets(context: &str) -> String {
    if context.is_empty() { String::new() } else { format!(" ({context})") }
}

impl RootChainError {
    /// `method` is what was called; `context` names its arguments and may be empty.
    pub fn new(method: &'static str, context: impl Into<String>, cause: RootChainCause) -> Self {
        Self { method, context: context.into(), cause }
    }

    /// Whether calling again can help.
    pub const fn kind(&self) -> ErrorKind {
        self.cause.kind()
    }

    /// What was called: a JSON-RPC method, a contract function, or a method of the port.
    pub const fn method(&self) -> &'static str {
        self.method
    }

    /// Why there is no answer.
    pub const fn cause(&self) -> &RootChainCause {
        &self.cause
    }

    /// The reason a contract gave for refusing, if that is what happened.
    pub const fn revert(&self) -> Option<&Revert> {
        match &self.cause {
            RootChainCause::Reverted(revert) => Some(revert),
            _ => None,
        }
    }
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RootChainCause {
    /// No connection, or it broke.
    #[error("the node cannot be reached: {0}")]
    Unreachable(String),
    /// The answer, or the thing waited for, did not come in time.
    #[error("nothing came within {after_ms} ms")]
    Timeout {
        /// How long was waited.
        after_ms: u64,
    },
    /// The node answered with an HTTP error and no JSON-RPC answer. That includes 401 and 403: hosted nodes answer so in passing.
    #[error("the node answered with HTTP status {status}")]
    HttpStatus {
        /// The status.
        status: u16,
    },
    /// The node wants fewer calls.
    #[error("the node asks for fewer calls")]
    RateLimited,
    /// The answer is not what the protocol promises.
    #[error("the answer makes no sense: {0}")]
    Malformed(String),
    /// A JSON-RPC error that passes.
    #[error("the node is in trouble: {message} (code {code})")]
    NodeTrouble {
        /// The JSON-RPC error code.
        code: i64,
        /// What the node says about it.
        message: String,
    },
    /// The node has not seen this height yet.
    #[error("block {wanted} is beyond the node's newest block {newest}")]
    BeyondHead {
        /// What was asked for.
        wanted: EthHeight,
        /// What there is.
        newest: EthHeight,
    },
    /// The root chain was reorganised while it was read.
    #[error("the chain was reorganised while it was read")]
    HistoryChanged,
    /// The node did not take a transaction.
    #[error("the node did not take the transaction: {0}")]
    NotAccepted(SubmitOutcome),
    /// Another transaction with the same nonce was mined instead.
    #[error("transaction {txhash:?} was replaced by another with nonce {nonce}")]
    Replaced {
        /// The transaction that will never be mined.
        txhash: H256,
        /// Its nonce.
        nonce: u64,
    },
    /// A JSON-RPC error that repeats: unknown method, invalid parameters.
    #[error("the node refuses: {message} (code {code})")]
    Refused {
        /// The JSON-RPC error code.
        code: i64,
        /// What the node says about it.
        message: String,
    },
    /// The answer is larger than allowed.
    #[error("the answer is larger than {bytes_max} bytes")]
    AnswerTooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// A single block has more events than the node is willing to tell.
    #[error("the node refuses to list the events of a single block: {0}")]
    TooManyEvents(String),
    /// A contract refused.
    #[error("the contract refuses: {0}")]
    Reverted(Revert),
    /// The account cannot pay for the transaction.
    #[error("the account cannot pay for the transaction: {0}")]
    InsufficientFunds(String),
    /// The node follows another chain than expected.
    #[error("the node follows chain {found}, not chain {expected}")]
    WrongChain {
        /// From the address file.
        expected: u64,
        /// What the node says.
        found: u64,
    },
    /// There is no contract, or another one, at this address.
    #[error("there is no such contract at {0:?}")]
    NoContract(Address),
    /// Submitting needs the authority's key.
    #[error("the key belongs to {key:?}, but blocks are submitted by {authority:?}")]
    NotAuthority {
        /// Account of the key at hand; zero when there is none.
        key: Address,
        /// Account the framework accepts blocks from.
        authority: Address,
    },
    /// What was asked for cannot be expressed, or our own set-up is wrong.
    #[error("{0}")]
    Invalid(String),
}

impl RootChainCause {
    /// Whether calling again can help.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreachable(_)
            | Self::Timeout { .. }
            | Self::HttpStatus { .. }
            | Self::RateLimited
            | Self::Malformed(_)
            | Self::NodeTrouble { .. }
            | Self::BeyondHead { .. }
            | Self::HistoryChanged
            | Self::NotAccepted(_) => ErrorKind::Transient,
            Self::Replaced { .. }
            | Self::Refused { .. }
            | Self::AnswerTooLarge { .. }
            | Self::TooManyEvents(_)
            | Self::Reverted(_)
            | Self::InsufficientFunds(_)
            | Self::WrongChain { .. }
            | Self::NoContract(_)
            | Self::NotAuthority { .. }
            | Self::Invalid(_) => ErrorKind::Permanent,
        }
    }

    /// Stable name, for metrics and logs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::HttpStatus { .. } => "http_status",
            Self::RateLimited => "rate_limited",
            Self::Malformed(_) => "malformed_answer",
            Self::NodeTrouble { .. } => "node_trouble",
            Self::BeyondHead { .. } => "beyond_head",
            Self::HistoryChanged => "history_changed",
            Self::NotAccepted(_) => "not_accepted",
            Self::Replaced { .. } => "replaced",
            Self::Refused { .. } => "refused",
            Self::AnswerTooLarge { .. } => "answer_too_large",
            Self::TooManyEvents(_) => "too_many_events",
            Self::Reverted(_) => "reverted",
            Self::InsufficientFunds(_) => "insufficient_funds",
            Self::WrongChain { .. } => "wrong_chain",
            Self::NoContract(_) => "no_contract",
            Self::NotAuthority { .. } => "not_authority",
            Self::Invalid(_) => "invalid",
        }
    }

    /// Puts method and arguments in front.
    pub(crate) fn during(self, method: &'static str, context: impl Into<String>) -> RootChainError {
        RootChainError::new(method, context, self)
    }
}

/// A node's text, fit for an error or a log line: printable and short.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(NODE_TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_carry_method_and_arguments() {
        let cause = RootChainCause::Timeout { after_ms: 20 };
        for (context, expected) in [
            ("", "eth_getLogs: nothing came within 20 ms"),
            ("blocks 1 to 5", "eth_getLogs (blocks 1 to 5): nothing came within 20 ms"),
        ] {
            let error = cause.clone().during("eth_getLogs", context);
            assert_eq!(error.to_string(), expected);
            assert_eq!(error.kind(), ErrorKind::Transient);
        }
    }

    #[test]
    fn texts_of_nodes_are_made_printable_and_short() {
        assert_eq!(printable("a\nb\u{7}c"), "a b c");
        assert_eq!(printable(&"x".repeat(5000)).chars().count(), NODE_TEXT_CHARS_MAX);
    }
}
