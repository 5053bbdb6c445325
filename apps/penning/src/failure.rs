//! Errors that users meet: what is wrong, where, and what to do next; for scripts a stable code.
//!
//! It must never repeat a secret: keys and passwords are not part of any error, and URLs of nodes are cut to their host where they
//! come from.

use crate::amount::AmountError;
use crate::wallet::Unconfirmed;
use anyhow::Error;
use plasma_core::payment_builder::PaymentError;
use plasma_eth::keystore::KeystoreError;
use plasma_eth::{
    AddressFileError, AnvilError, DeployError, ErrorKind, RootChainCause, RootChainError,
};
use plasma_rpc::ErrorBody;
use plasma_rpc::client::ClientError;
use serde::Serialize;
use std::borrow::Cow;
use watcher::watcher_db::WriteError;

/// An error of our own, with everything a user needs.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    code: Cow<'static, str>,
    message: String,
    next: Option<String>,
}

impl Failure {
    /// What is wrong, and its stable code.
    pub(crate) fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), next: None }
    }

    /// What to do about it.
    #[must_use]
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

/// The command failed, and what it printed says why: nothing is to be added.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the command failed, as it said")]
pub(crate) struct Told;

/// An error as it is shown: `{"error":{"code":…,"message":…,"next":…}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ErrorReport {
    /// Stable: what to compare with.
    pub(crate) code: String,
    /// What is wrong, for people.
    pub(crate) message: String,
    /// What to do, where we know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
    /// The signed payment that was perhaps sent: for an in-flight exit, should it never appear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) txbytes: Option<String>,
}

impl ErrorReport {
    /// Looks through the causes for one that we know more about.
    pub(crate) fn of(error: &Error) -> Self {
        let known = error.chain().find_map(|cause| {
            let cause: &(dyn std::error::Error + 'static) = cause;
            known(cause)
        });
        let (code, next) = known.unwrap_or_else(|| ("failed".to_owned(), None));
        let txbytes = error.downcast_ref::<Unconfirmed>().map(|payment| payment.txbytes.clone());
        Self { code, message: message(error), next, txbytes }
    }
}

/// The texts of all causes. Many repeat the text of their own cause; then it is said once.
fn message(error: &Error) -> String {
    let mut message = String::new();
    for cause in error.chain() {
        let text = match cause.downcast_ref::<ClientError>() {
            Some(ClientError::Api(body)) => refusal_text(body),
            _ => cause.to_string(),
        };
        if !message.contains(&text) {
            let colon = if message.is_empty() { "" } else { ": " };
            message.push_str(colon);
            message.push_str(&text);
        }
    }
    message
}

fn known(cause: &(dyn std::error::Error + 'static)) -> Option<(String, Option<String>)> {
    if let Some(failure) = cause.downcast_ref::<Failure>() {
        return Some((failure.code.clone().into_owned(), failure.next.clone()));
    }
    if let Some(error) = cause.downcast_ref::<RootChainError>() {
        return Some(of_root_chain(error));
    }
    if let Some(error) = cause.downcast_ref::<ClientError>() {
        return Some(of_client(error));
    }
    if let Some(DeployError::AuthorityUsed { .. }) = cause.downcast_ref::<DeployError>() {
        return Some(("deploy:authority_used".to_owned(), None));
    }
    if let Some(error) = cause.downcast_ref::<PaymentError>() {
        return Some((error.to_string(), None));
    }
    if let Some(error) = cause.downcast_ref::<AmountError>() {
        return Some((error.code().to_owned(), None));
    }
    if let Some(error) = cause.downcast_ref::<KeystoreError>() {
        return Some((keystore_code(error).to_owned(), None));
    }
    if let Some(error) = cause.downcast_ref::<WriteError>() {
        return Some((crate::watcher_db::code(error).to_owned(), None));
    }
    if cause.is::<AddressFileError>() {
        return Some(("network:bad_file".to_owned(), None));
    }
    if cause.is::<AnvilError>() {
        return Some(("anvil".to_owned(), None));
    }
    None
}

const fn keystore_code(error: &KeystoreError) -> &'static str {
    match error {
        KeystoreError::Exists { .. } => "keystore:exists",
        KeystoreError::Io { .. } => "keystore:io",
        KeystoreError::NotAKeystore { .. } => "keystore:malformed",
        KeystoreError::WrongPassword { .. } => "keystore:wrong_password",
        KeystoreError::Unavailable(_) => "keystore:unavailable",
    }
}

fn of_root_chain(error: &RootChainError) -> (String, Option<String>) {
    if let Some(revert) = error.revert() {
        return (format!("contract:{}", revert.name()), contract_hint(revert.name()));
    }
    let next = match error.cause() {
        RootChainCause::Unreachable(_) => {
            Some("check --rpc-url; on a devnet, start it with `penning devnet`")
        }
        RootChainCause::InsufficientFunds(_) => {
            Some("send ETH for amount, bond and gas to this account on the root chain")
        }
        RootChainCause::WrongChain { .. } => {
            Some("--network and --rpc-url do not belong together: check both")
        }
        RootChainCause::NoContract(_) => {
            Some("a devnet that was started afresh has a new devnet.json: check --network")
        }
        cause if cause.kind() == ErrorKind::Transient => Some("try again in a moment"),
        _ => None,
    };
    (format!("root_chain:{}", error.cause().code()), next.map(str::to_owned))
}

fn contract_hint(name: &str) -> Option<String> {
    let hint = match name {
        "ExitStartedBefore" => "this exit runs already: look with `penning wallet exits`",
        "OutputFinalizedBefore" => "this output has left already: its money is on the root chain",
        "NotOutputOwner" => "only the owner can exit an output: choose the owner's key",
        "ExitNotExitable" => "the exit was challenged or processed before: nothing is left to do",
        "ExitQueueNotFound" => "no exit of this currency was ever started: nothing is waiting",
        "FirstPhaseOver" => {
            "it is too late: inputs and outputs join, and competitors are shown, in the first half of the exit period"
        }
        "FirstPhaseNotOver" => {
            "owners can still join: try again after the first half of the exit period"
        }
        "EntryWaiting" => {
            "somebody joined this exit: it ends when it is processed with `penning wallet exit process --currency CURRENCY`"
        }
        "PiggybackedBefore" => "this input or output takes part already: nothing is left to do",
        "NotPiggybacked" => "nobody takes part with it (any more): nothing is left to do",
        "InFlightExitNotFound" => "this exit was never started, or is over",
        "NoCredit" => "there is nothing to withdraw",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn of_client(error: &ClientError) -> (String, Option<String>) {
    match error {
        ClientError::Unreachable { .. } => (
            "node:unreachable".to_owned(),
            Some(
                "check --watcher-url and --child-chain-url; on a devnet, start it with `penning devnet`"
                    .to_owned(),
            ),
        ),
        ClientError::Http { .. } => ("node:http_status".to_owned(), None),
        ClientError::Malformed { .. } => {
            ("node:malformed_answer".to_owned(), Some("is this the URL of a Penning node?".to_owned()))
        }
        ClientError::Api(body) => {
            let code = innermost(body).code;
            let next = refusal_hint(&code);
            (code, next)
        }
    }
}

/// A watcher that forwards puts the child chain's refusal into its own.
pub(crate) fn innermost(body: &ErrorBody) -> ErrorBody {
    let inner = body.messages.as_ref().filter(|_| body.code.ends_with(":client_error"));
    inner
        .and_then(|messages| serde_json::from_str(messages.get()).ok())
        .unwrap_or_else(|| body.clone())
}

fn refusal_text(body: &ErrorBody) -> String {
    let body = innermost(body);
    match &body.description {
        Some(description) => format!("refused with {}: {description}", body.code),
        None => format!("refused with {}", body.code),
    }
}

fn refusal_hint(code: &str) -> Option<String> {
    let (_, reason) = code.split_once(':').unwrap_or(("", code));
    let hint = match (code, reason) {
        ("chain:unsafe", _) => "take your money out: `penning wallet evacuate`",
        (_, "utxo_not_found") => {
            "an output was spent a moment ago by a payment that is in no block yet: wait for the next block, then pay again"
        }
        (_, "fees_not_covered" | "overpaying_fees") => {
            "the operator has just changed the fee: try again"
        }
        ("operation:overloaded" | "operation:service_unavailable", _) => "try again in a moment",
        ("in_flight_exit:tx_for_input_not_found", _) => {
            "no block has the payment that made an input: start the exit of that one instead (of the merge: `merges` in what `pay` printed), with `penning wallet exit --in-flight TX`"
        }
        ("in_flight_exit:deposit_input_spent_ife_unsupported", _) => {
            "a deposit that this payment spends was spent in a block, or has left: where a block has this payment, exit its outputs with `penning wallet exit start POSITION`"
        }
        (_, "host_unreachable") => "the watcher cannot reach the operator: try again later",
        _ => return None,
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;
    use plasma_eth::{DeployStep, Revert};

    fn check(error: Error, code: &str, message: &str, has_next: bool) {
        let report = ErrorReport::of(&error);
        assert_eq!(report.code, code);
        assert_eq!(report.message, message);
        assert_eq!(report.next.is_some(), has_next, "{report:?}");
    }

    fn reverted(name: &str) -> RootChainError {
        let cause = RootChainCause::Reverted(Revert::new(name, vec![]));
        RootChainError::new("startStandardExit", "output 1:0:0", cause)
    }

    fn api(json: &str) -> Error {
        ClientError::Api(serde_json::from_str(json).unwrap()).into()
    }

    #[test]
    fn every_error_has_a_code_a_story_and_often_a_next_step() {
        check(anyhow::anyhow!("odd"), "failed", "odd", false);
        check(Failure::new("a:b", "wrong").next("do").into(), "a:b", "wrong", true);
        check(
            Error::new(reverted("NotOutputOwner")).context("cannot exit"),
            "contract:NotOutputOwner",
            "cannot exit: startStandardExit (output 1:0:0): the contract refuses: NotOutputOwner()",
            true,
        );
        check(
            DeployError::Step { step: DeployStep::Look, source: reverted("X") }.into(),
            "contract:X",
            "step \"look at chain and accounts\" failed: startStandardExit (output 1:0:0): the contract refuses: X()",
            false,
        );
        check(
            PaymentError::EmptyTransaction.into(),
            "transaction.create:empty_transaction",
            "transaction.create:empty_transaction",
            false,
        );
        let refused: Result<(), _> = Err(ClientError::Unreachable {
            url: "http://x/y".to_owned(),
            reason: "connection refused".to_owned(),
        });
        check(
            refused.context("cannot ask").unwrap_err(),
            "node:unreachable",
            "cannot ask: http://x/y is unreachable: connection refused",
            true,
        );
    }

    #[test]
    fn the_refusal_behind_a_forwarded_call_is_what_is_shown() {
        check(
            api(r#"{"code":"submit:client_error","messages":{"code":"submit:utxo_not_found"}}"#),
            "submit:utxo_not_found",
            "refused with submit:utxo_not_found",
            true,
        );
        check(
            api(r#"{"code":"exit:invalid","description":"Gone."}"#),
            "exit:invalid",
            "refused with exit:invalid: Gone.",
            false,
        );
        check(
            api(r#"{"code":"submit:client_error"}"#),
            "submit:client_error",
            "refused with submit:client_error",
            false,
        );
    }

    #[test]
    fn refusals_of_in_flight_data_say_what_to_do() {
        for (code, hint) in [
            ("in_flight_exit:tx_for_input_not_found", "exit --in-flight TX"),
            ("in_flight_exit:deposit_input_spent_ife_unsupported", "exit start POSITION"),
        ] {
            let report = ErrorReport::of(&api(&format!(r#"{{"code":"{code}"}}"#)));
            assert!(report.next.as_ref().is_some_and(|next| next.contains(hint)), "{report:?}");
        }
    }

    #[test]
    fn reports_have_a_stable_shape() {
        let report = ErrorReport::of(&Failure::new("a:b", "c").next("d").into());
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(json, r#"{"code":"a:b","message":"c","next":"d"}"#);
    }
}
