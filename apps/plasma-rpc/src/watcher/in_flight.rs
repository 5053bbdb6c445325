//! Methods about in-flight exits: what they take and what they answer (protocol 5.8 and 6.5).
//!
//! Every answer has what one function of the exit game contract wants to be shown. Transactions in parameters are bytes here; whoever
//! answers decodes them.

use crate::endpoint::{Endpoint, endpoints};
use crate::json::{hex, uint};
use crate::params::{ParamError, RawParams, RequestParams};
use crate::refusals::{CLAIMING, DECODING, Refusals};
use plasma_core::wire::{U256, UtxoPos};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

endpoints! {
    /// What `startInFlightExit` has to be shown. Takes the signed bytes.
    pub const IN_FLIGHT_EXIT_GET_DATA: Endpoint<TxBytesParams, InFlightExitData> =
        Endpoint::post("in_flight_exit.get_data", "get_in_flight_exit")
            .refuses(&[
                DECODING,
                CLAIMING,
                Refusals::Reasons(&[
                    "missing_signature",
                    "superfluous_signature",
                    "tx_for_input_not_found",
                    "deposit_input_spent_ife_unsupported",
                ]),
            ]);
    /// What `challengeInFlightExitNotCanonical` has to be shown. Takes the unsigned bytes.
    pub const IN_FLIGHT_EXIT_GET_COMPETITOR: Endpoint<TxBytesParams, CompetitorData> =
        Endpoint::post("in_flight_exit.get_competitor", "get_competitor")
            .refuses(&[
                DECODING,
                Refusals::Reasons(&[
                    "ife_not_known_for_tx",
                    "competitor_not_found",
                    "no_viable_competitor_found",
                ]),
            ]);
    /// What `respondToNonCanonicalChallenge` has to be shown. Takes the unsigned bytes.
    pub const IN_FLIGHT_EXIT_PROVE_CANONICAL: Endpoint<TxBytesParams, CanonicalProof> =
        Endpoint::post("in_flight_exit.prove_canonical", "prove_canonical")
            .refuses(&[
                DECODING,
                Refusals::Reasons(&["ife_not_known_for_tx", "no_viable_canonical_proof_found"]),
            ]);
    /// What `challengeInFlightExitInputSpent` has to be shown. Takes the unsigned bytes.
    pub const IN_FLIGHT_EXIT_GET_INPUT_CHALLENGE_DATA: Endpoint<
        InputChallengeParams,
        InputChallengeData,
    > = Endpoint::post("in_flight_exit.get_input_challenge_data", "get_input_challenge_data")
            .refuses(&[
                DECODING,
                Refusals::Reasons(&[
                    "ife_not_known_for_tx",
                    "piggybacked_index_out_of_range",
                    "no_double_spend_on_particular_piggyback",
                ]),
            ]);
    /// What `challengeInFlightExitOutputSpent` has to be shown. Takes the unsigned bytes.
    pub const IN_FLIGHT_EXIT_GET_OUTPUT_CHALLENGE_DATA: Endpoint<
        OutputChallengeParams,
        OutputChallengeData,
    > = Endpoint::post("in_flight_exit.get_output_challenge_data", "get_output_challenge_data")
            .refuses(&[
                DECODING,
                Refusals::Reasons(&[
                    "ife_not_known_for_tx",
                    "piggybacked_index_out_of_range",
                    "no_double_spend_on_particular_piggyback",
                ]),
            ]);
}

/// Parameters of methods about one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TxBytesParams {
    /// Its bytes; the method says whether with signatures.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub txbytes: Vec<u8>,
}

/// Parameters of [`IN_FLIGHT_EXIT_GET_INPUT_CHALLENGE_DATA`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct InputChallengeParams {
    /// Unsigned bytes of the in-flight transaction.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub txbytes: Vec<u8>,
    /// The piggybacked input. Any integer is well-formed.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub input_index: U256,
}

/// Parameters of [`IN_FLIGHT_EXIT_GET_OUTPUT_CHALLENGE_DATA`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OutputChallengeParams {
    /// Unsigned bytes of the in-flight transaction.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub txbytes: Vec<u8>,
    /// The piggybacked output. Any integer is well-formed.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub output_index: U256,
}

/// Answer of [`IN_FLIGHT_EXIT_GET_DATA`]. The lists have an item for each input, in the order of the transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InFlightExitData {
    /// Unsigned bytes of the in-flight transaction.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub in_flight_tx: Vec<u8>,
    /// Unsigned bytes of the transactions that made its inputs.
    #[serde(with = "hex::list")]
    #[schemars(with = "Vec<hex::Hex<Vec<u8>>>")]
    pub input_txs: Vec<Vec<u8>>,
    /// Its inputs.
    #[serde(with = "uint::list")]
    #[schemars(with = "Vec<uint::Number<UtxoPos>>")]
    pub input_utxos_pos: Vec<UtxoPos>,
    /// Merkle proofs that `input_txs` are in their blocks.
    #[serde(with = "hex::list")]
    #[schemars(with = "Vec<hex::Hex<Vec<u8>>>")]
    pub input_txs_inclusion_proofs: Vec<Vec<u8>>,
    /// Its signatures, 65 bytes each.
    #[serde(with = "hex::list")]
    #[schemars(with = "Vec<hex::Hex<Vec<u8>>>")]
    pub in_flight_tx_sigs: Vec<Vec<u8>>,
}

/// Answer of [`IN_FLIGHT_EXIT_GET_COMPETITOR`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CompetitorData {
    /// Unsigned bytes of the in-flight transaction.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub in_flight_txbytes: Vec<u8>,
    /// Which of its inputs the competitor spends, too.
    pub in_flight_input_index: u16,
    /// Unsigned bytes of the competitor.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub competing_txbytes: Vec<u8>,
    /// Which of its inputs spends the same output.
    pub competing_input_index: u16,
    /// The owner's signature of the competitor.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub competing_sig: Vec<u8>,
    /// Where the competitor is included, as the position of its first output; 0 when it is in no block.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<UtxoPos>")]
    pub competing_tx_pos: UtxoPos,
    /// Merkle proof that it is there; empty when it is in no block.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub competing_proof: Vec<u8>,
    /// Unsigned bytes of the transaction that made the contested output.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub input_tx: Vec<u8>,
    /// The contested output.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<UtxoPos>")]
    pub input_utxo_pos: UtxoPos,
}

/// Answer of [`IN_FLIGHT_EXIT_PROVE_CANONICAL`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CanonicalProof {
    /// Unsigned bytes of the in-flight transaction.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub in_flight_txbytes: Vec<u8>,
    /// Where it is included, as the position of its first output.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<UtxoPos>")]
    pub in_flight_tx_pos: UtxoPos,
    /// Merkle proof that it is there.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub in_flight_proof: Vec<u8>,
}

/// Answer of [`IN_FLIGHT_EXIT_GET_INPUT_CHALLENGE_DATA`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InputChallengeData {
    /// Unsigned bytes of the in-flight transaction.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub in_flight_txbytes: Vec<u8>,
    /// The piggybacked input.
    pub in_flight_input_index: u16,
    /// Unsigned bytes of the other transaction that spends it.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub spending_txbytes: Vec<u8>,
    /// Which of its inputs does.
    pub spending_input_index: u16,
    /// The owner's signature of it.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub spending_sig: Vec<u8>,
    /// Unsigned bytes of the transaction that made the spent output.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub input_tx: Vec<u8>,
    /// The spent output.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<UtxoPos>")]
    pub input_utxo_pos: UtxoPos,
}

/// Answer of [`IN_FLIGHT_EXIT_GET_OUTPUT_CHALLENGE_DATA`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutputChallengeData {
    /// Unsigned bytes of the in-flight transaction.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub in_flight_txbytes: Vec<u8>,
    /// The piggybacked output, where the transaction is included.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<UtxoPos>")]
    pub in_flight_output_pos: UtxoPos,
    /// Merkle proof that the transaction is there.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub in_flight_proof: Vec<u8>,
    /// Unsigned bytes of the transaction that spends the output.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub spending_txbytes: Vec<u8>,
    /// Which of its inputs does.
    pub spending_input_index: u16,
    /// The owner's signature of it.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub spending_sig: Vec<u8>,
}

impl RequestParams for TxBytesParams {
    const NAMES: &'static [&'static str] = &["txbytes"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        Ok(Self { txbytes: raw.field("txbytes").hex(&[])? })
    }
}

impl RequestParams for InputChallengeParams {
    const NAMES: &'static [&'static str] = &["txbytes", "input_index"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        Ok(Self {
            txbytes: raw.field("txbytes").hex(&[])?,
            input_index: raw.field("input_index").non_neg_integer()?,
        })
    }
}

impl RequestParams for OutputChallengeParams {
    const NAMES: &'static [&'static str] = &["txbytes", "output_index"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        Ok(Self {
            txbytes: raw.field("txbytes").hex(&[])?,
            output_index: raw.field("output_index").non_neg_integer()?,
        })
    }
}
