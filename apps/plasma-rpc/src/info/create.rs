//! `transaction.create` and `transaction.merge`: what somebody wants, and what they have to sign for it (protocol 5.10).

use super::objects::Utxo;
use super::typed_data::TypedData;
use crate::json::{hex, uint};
use crate::params::{Check, ParamError, RawParams, RequestParams, Validator};
use plasma_core::wire::{Address, Currency, H256, MAX_INPUTS, MAX_OUTPUTS, U256, UtxoPos};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Parameters of [`TRANSACTION_CREATE`](super::TRANSACTION_CREATE).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CreateParams {
    /// Who pays, and gets the change.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub owner: Address,
    /// At most as many as a transaction has outputs.
    #[schemars(length(max = MAX_OUTPUTS))]
    pub payments: Vec<CreatePayment>,
    /// What the fee is paid in.
    pub fee: CreateFee,
    /// 32 bytes of the sender's choice.
    #[serde(with = "hex::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<hex::Hex<H256>>")]
    pub metadata: Option<H256>,
}

/// One amount for one receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CreatePayment {
    /// How much, in the smallest unit; above zero.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub amount: U256,
    /// What it is counted in.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Currency>")]
    pub currency: Currency,
    /// Who receives it.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub owner: Address,
}

/// What the fee is paid in; how much it is, the child chain says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CreateFee {
    /// The currency.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Currency>")]
    pub currency: Currency,
}

/// Answer of [`TRANSACTION_CREATE`](super::TRANSACTION_CREATE).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Creation {
    /// Whether it makes the payments, or what has to come before.
    pub result: CreateResult,
    /// One that makes the payments, or merges to be sent first.
    pub transactions: Vec<Created>,
}

/// What a [`Creation`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CreateResult {
    /// The transaction makes the payments.
    Complete,
    /// They need more inputs than a transaction has: send these merges, wait until they are in a block, and ask again.
    Intermediate,
}

/// Answer of [`TRANSACTION_MERGE`](super::TRANSACTION_MERGE).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Merges {
    /// One for every four outputs.
    pub transactions: Vec<Created>,
}

/// A transaction for its owner to sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Created {
    /// What it spends, in the order of its inputs.
    pub inputs: Vec<Utxo>,
    /// What it makes.
    pub outputs: Vec<CreatedOutput>,
    /// What is left to the operator.
    pub fee: CreatedFee,
    /// As it was asked for; `null` when it was not.
    #[serde(with = "hex::optional")]
    #[schemars(with = "Option<hex::Hex<H256>>")]
    pub metadata: Option<H256>,
    /// Unsigned bytes.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub txbytes: Vec<u8>,
    /// What every owner of an input signs: the EIP-712 digest.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<H256>")]
    pub sign_hash: H256,
    /// The same as a document for wallets.
    pub typed_data: TypedData,
}

/// An output of a [`Created`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CreatedOutput {
    /// How much, in the smallest unit.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub amount: U256,
    /// What it is counted in.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Currency>")]
    pub currency: Currency,
    /// Who will own it.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub owner: Address,
}

/// The fee of a [`Created`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CreatedFee {
    /// How much, in the smallest unit; zero for a merge.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub amount: U256,
    /// What it is counted in.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Currency>")]
    pub currency: Currency,
}

/// One of the `messages` of `transaction.create:insufficient_funds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MissingFunds {
    /// Which currency.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Currency>")]
    pub token: Currency,
    /// How much more of it is needed, in the smallest unit.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub missing: U256,
}

/// Most outputs of an account that [`TRANSACTION_MERGE`](super::TRANSACTION_MERGE) merges in one answer, the smallest first.
pub const MERGED_OUTPUTS_MAX: usize = 2_000;

/// Parameters of [`TRANSACTION_MERGE`](super::TRANSACTION_MERGE): positions, or the smallest of an account in one currency. Positions
/// count when there are both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum MergeParams {
    /// These outputs.
    Positions {
        /// Two to four. One that no block can ever have is `None`, and as unknown as any other.
        #[serde(serialize_with = "positions")]
        utxo_positions: Vec<Option<UtxoPos>>,
    },
    /// The smallest outputs there are, at most [`MERGED_OUTPUTS_MAX`]: whoever has more asks again when these are merged.
    Account {
        /// Whose.
        #[serde(with = "hex")]
        address: Address,
        /// Of which currency.
        #[serde(with = "hex")]
        currency: Currency,
    },
}

fn positions<S: serde::Serializer>(
    positions: &[Option<UtxoPos>],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let known: Vec<UtxoPos> = positions.iter().copied().flatten().collect();
    uint::list::serialize(&known, serializer)
}

impl RequestParams for CreateParams {
    const NAMES: &'static [&'static str] = &["owner", "payments", "fee", "metadata"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        let owner = raw.field("owner").address()?;
        let payments = raw.field("payments").list_of_maps(
            "payment",
            &["amount", "currency", "owner"],
            MAX_OUTPUTS,
            |payment| {
                Ok(CreatePayment {
                    amount: payment.field("amount").pos_integer()?,
                    currency: payment.field("currency").address()?,
                    owner: payment.field("owner").address()?,
                })
            },
        )?;
        let (payments, count) = payments;
        if count > MAX_OUTPUTS {
            return Err(raw.field("payments").fails(Validator::TooManyPayments(MAX_OUTPUTS)));
        }
        let fee = raw.field("fee").map(&["currency"])?;
        let fee = CreateFee { currency: fee.field("currency").address()? };
        let metadata = raw.field("metadata").optional().map(|field| field.hash()).transpose()?;
        Ok(Self { owner, payments, fee, metadata })
    }
}

/// What the parser does not say: which of the names belong together.
impl JsonSchema for MergeParams {
    fn schema_name() -> Cow<'static, str> {
        "MergeParams".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": format!("Positions, or the smallest outputs of an account in one currency, at most {MERGED_OUTPUTS_MAX} in one answer. Positions count when there are both."),
            "type": "object",
            "properties": {
                "utxo_positions": {"description": "These outputs."},
                "address": {"description": "Whose smallest outputs."},
                "currency": {"description": "In which currency."},
            },
            "anyOf": [
                {
                    "required": ["utxo_positions"],
                    "properties": {"utxo_positions": {"type": "array"}},
                },
                {
                    "required": ["address", "currency"],
                    "properties": {"address": {"type": "string"}, "currency": {"type": "string"}},
                },
            ],
        })
    }
}

impl RequestParams for MergeParams {
    const NAMES: &'static [&'static str] = &["utxo_positions", "address", "currency"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        const CHECKS: &[Check] = &[Check::MinLength(2), Check::MaxLength(MAX_INPUTS)];
        let Some(positions) = raw.field("utxo_positions").optional() else {
            return Ok(Self::Account {
                address: raw.field("address").address()?,
                currency: raw.field("currency").address()?,
            });
        };
        let utxo_positions = positions.list("utxo_pos", MAX_INPUTS, CHECKS, |position| {
            Ok(UtxoPos::decode_u256(position.pos_integer()?))
        })?;
        Ok(Self::Positions { utxo_positions })
    }
}
