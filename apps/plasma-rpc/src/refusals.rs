//! Why methods refuse, for documents: which codes a caller of a method has to reckon with.
//!
//! Nothing here refuses anything. The lists are those of the core's errors, and a test compares them with its source; the hostile
//! test of the API fails when a server answers a code that its document does not list.

use crate::codes::{self, StableError};
use crate::endpoint::{MethodSpec, Verb};
use crate::error::RpcError;

/// Some refusals of a method.
#[derive(Clone, Copy, Debug)]
pub enum Refusals {
    /// One with a code of its own.
    Stable(StableError),
    /// Reasons, rendered by rule as [`RpcError::reason`] is.
    Reasons(&'static [&'static str]),
    /// A reason that is a text in the original.
    Text(&'static str),
}

/// What bytes that are no transaction are refused for.
pub const DECODING: Refusals = Refusals::Reasons(&[
    "malformed_transaction_rlp",
    "malformed_transaction",
    "malformed_witnesses",
    "unrecognized_transaction_type",
    "malformed_inputs",
    "too_many_inputs",
    "empty_outputs",
    "malformed_outputs",
    "too_many_outputs",
    "unrecognized_output_type",
    "tx_cannot_create_output_type",
    "malformed_address",
    "output_guard_cant_be_zero",
    "amount_cant_be_zero",
    "malformed_tx_data",
    "malformed_metadata",
    "malformed_nonce",
    "malformed_uint256",
    "leading_zeros_in_encoded_uint",
    "encoded_uint_too_big",
]);
/// What transactions are refused for whose signatures do not fit.
pub const RECOVERING: Refusals = Refusals::Reasons(&[
    "duplicate_inputs",
    "superfluous_signature",
    "missing_signature",
    "corrupted_witness",
]);
/// The one reason that is a text.
pub const RECOVERY_ID: Refusals = Refusals::Text("recovery_id_not_u8");
/// What fee claims are refused for: only the operator makes them.
pub const CLAIMING: Refusals = Refusals::Reasons(&["transaction_not_supported"]);
/// What the ledger refuses transactions for.
pub const EXECUTING: Refusals = Refusals::Reasons(&[
    "too_many_transactions_in_block",
    "payments_rejected_during_fee_claiming",
    "input_utxo_ahead_of_state",
    "utxo_not_found",
    "unauthorized_spend",
    "amounts_do_not_add_up",
    "surplus_in_token_not_collected",
    "claimed_and_collected_amounts_mismatch",
    "fees_not_covered",
    "overpaying_fees",
    "multiple_potential_currency_fees",
]);
/// How calls fail that a watcher hands on to the child chain. What the child chain says is in `messages`.
pub const FORWARDING: Refusals =
    Refusals::Reasons(&["client_error", "host_unreachable", "server_error", "malformed_response"]);
/// Why a watcher does not submit a transaction, however it was given.
pub const SUBMITTING: &[Refusals] = &[
    DECODING,
    RECOVERING,
    RECOVERY_ID,
    CLAIMING,
    FORWARDING,
    Refusals::Stable(codes::CHAIN_UNSAFE),
];

/// Why no payment can be written for somebody. What is missing of the funds is told apart.
pub const CREATING: Refusals = Refusals::Reasons(&[
    "empty_transaction",
    "too_many_outputs",
    "too_many_inputs",
    "self_transaction_not_supported",
    "amount_cant_be_zero",
    "output_guard_cant_be_zero",
    "unexpected_fee_currency",
]);
/// Why outputs cannot be merged.
pub const MERGING: Refusals = Refusals::Reasons(&[
    "single_input",
    "no_inputs_found",
    "position_not_found",
    "duplicate_input_positions",
    "multiple_input_owners",
    "multiple_currencies",
    "too_many_inputs",
]);

impl Refusals {
    /// Each of them as a handler would answer it.
    pub fn errors(self) -> Vec<RpcError> {
        match self {
            Self::Stable(error) => vec![error.into()],
            Self::Reasons(reasons) => {
                reasons.iter().map(|reason| RpcError::reason(*reason)).collect()
            }
            Self::Text(text) => vec![RpcError::text(text)],
        }
    }
}

/// Everything that a caller of a method can be refused for.
pub fn of(method: &MethodSpec) -> Vec<RpcError> {
    let mut errors: Vec<RpcError> = match method.verb {
        Verb::Get => Vec::new(),
        Verb::Post => vec![
            codes::MALFORMED_BODY.into(),
            codes::WRONG_CONTENT_TYPE.into(),
            codes::BAD_PARAMETERS.into(),
            codes::BODY_TOO_LARGE.into(),
            codes::BODY_TOO_SLOW.into(),
        ],
    };
    let of_all =
        [codes::SERVICE_UNAVAILABLE, codes::OVERLOADED, codes::ANSWER_TOO_LARGE, codes::INTERNAL];
    errors.extend(of_all.map(RpcError::from));
    errors.extend(method.refusals.iter().flat_map(|refusals| refusals.errors()));
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of the errors in a source file, apart from those that are no code.
    fn texts(source: &str, of: &str) -> Vec<String> {
        let (_, source) = source.split_once(&format!("pub enum {of} {{")).unwrap();
        let (body, _) = source.split_once("\n}").unwrap();
        let texts = body.split("#[error(\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        texts.map(ToOwned::to_owned).collect()
    }

    fn check(refusals: Refusals, sources: &[(&str, &str)]) {
        let Refusals::Reasons(reasons) = refusals else {
            panic!("{refusals:?}");
        };
        let mut expected: Vec<String> =
            sources.iter().flat_map(|(source, of)| texts(source, of)).collect();
        expected.retain(|text| text != "recovery_id_not_u8");
        let mut listed: Vec<String> = reasons.iter().map(ToString::to_string).collect();
        expected.sort();
        listed.sort();
        assert_eq!(listed, expected);
    }

    #[test]
    fn reasons_are_those_of_the_core() {
        let signed = include_str!("../../plasma-core/src/wire/signed.rs");
        let rlp = include_str!("../../plasma-core/src/wire/rlp.rs");
        let recovered = include_str!("../../plasma-core/src/wire/recovered.rs");
        let signing = include_str!("../../plasma-core/src/wire/signing.rs");
        let exec = include_str!("../../plasma-core/src/state/exec.rs");
        let fees = include_str!("../../plasma-core/src/fees.rs");
        check(DECODING, &[(signed, "DecodeTxError"), (rlp, "UintError")]);
        check(RECOVERING, &[(recovered, "RecoverTxError"), (signing, "RecoverError")]);
        check(EXECUTING, &[(exec, "ExecError"), (fees, "FeeError")]);
    }
}
