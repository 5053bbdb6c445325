//! EIP-712 documents: what wallets show before they sign, and what comes back signed (protocol 1.5 and 6.5).
//!
//! The document has a flaw of the original that clients rely on: its types declare `outputType`, `outputGuard`, `txType` and `txData`,
//! while its message says `owner` and leaves the others out. The digest is that of the types.

use crate::json::{hex, uint};
use crate::params::{Field, Map, ParamError, RawParams, RequestParams};
use plasma_core::wire::typed_data::{
    DOMAIN_NAME, DOMAIN_SALT, DOMAIN_TYPE, DOMAIN_VERSION, INPUT_TYPE, OUTPUT_TYPE,
    TRANSACTION_TYPE,
};
use plasma_core::wire::{
    Address, Currency, H256, MAX_INPUTS, PaymentTx, Signature, TypedInput, TypedOutput, TypedTx,
    U256,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A document to sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TypedData {
    /// `Transaction`.
    #[serde(rename = "primaryType")]
    pub primary_type: Cow<'static, str>,
    /// What the names mean.
    pub types: TypedDataTypes,
    /// Whose signatures they are.
    pub domain: TypedDataDomain,
    /// The transaction.
    pub message: TypedDataMessage,
}

/// The declarations of EIP-712.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TypedDataTypes {
    /// The domain.
    #[serde(rename = "EIP712Domain")]
    pub domain: Vec<TypedDataField>,
    /// The transaction.
    #[serde(rename = "Transaction")]
    pub transaction: Vec<TypedDataField>,
    /// An input.
    #[serde(rename = "Input")]
    pub input: Vec<TypedDataField>,
    /// An output.
    #[serde(rename = "Output")]
    pub output: Vec<TypedDataField>,
}

/// One declared member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TypedDataField {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
}

/// The domain of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TypedDataDomain {
    /// `OMG Network`.
    pub name: Cow<'static, str>,
    /// `1`.
    pub version: Cow<'static, str>,
    /// A constant of the protocol.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<H256>")]
    pub salt: H256,
    /// The framework contract.
    #[serde(rename = "verifyingContract", with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub verifying_contract: Address,
}

/// A transaction as its signers see it: what is missing is all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TypedDataMessage {
    /// The first input.
    pub input0: TypedDataInput,
    /// The second.
    pub input1: TypedDataInput,
    /// The third.
    pub input2: TypedDataInput,
    /// The fourth.
    pub input3: TypedDataInput,
    /// The first output.
    pub output0: TypedDataOutput,
    /// The second.
    pub output1: TypedDataOutput,
    /// The third.
    pub output2: TypedDataOutput,
    /// The fourth.
    pub output3: TypedDataOutput,
    /// 32 bytes of the sender's choice, zero when unused.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<H256>")]
    pub metadata: H256,
}

/// An input: the position of what it spends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TypedDataInput {
    /// Its block.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub blknum: U256,
    /// The transaction in the block.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub txindex: U256,
    /// The output in the transaction.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub oindex: U256,
}

/// An output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TypedDataOutput {
    /// Who will own it.
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
}

/// Parameters of [`TRANSACTION_SUBMIT_TYPED`](super::TRANSACTION_SUBMIT_TYPED): a signed [`TypedData`]. Its types are not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SubmitTypedParams {
    /// Has to be ours.
    pub domain: TypedDataDomain,
    /// The transaction.
    pub message: TypedDataMessage,
    /// One for each input, in their order; at most one more than a transaction has inputs is kept.
    #[serde(serialize_with = "signatures")]
    #[schemars(with = "Vec<hex::Hex<Vec<u8>>>")]
    pub signatures: Vec<Signature>,
}

fn signatures<S: serde::Serializer>(
    signatures: &[Signature],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(signatures.iter().map(|signature| hex::encode(signature.as_bytes())))
}

impl TypedData {
    /// The document of a payment.
    pub fn of(payment: &PaymentTx, verifying_contract: Address) -> Self {
        Self {
            primary_type: "Transaction".into(),
            types: TypedDataTypes {
                domain: declared(DOMAIN_TYPE),
                transaction: declared(TRANSACTION_TYPE),
                input: declared(INPUT_TYPE),
                output: declared(OUTPUT_TYPE),
            },
            domain: TypedDataDomain::of(verifying_contract),
            message: TypedTx::of(payment).into(),
        }
    }
}

impl TypedDataDomain {
    /// The domain of the deployment whose framework has this address.
    pub const fn of(verifying_contract: Address) -> Self {
        Self {
            name: Cow::Borrowed(DOMAIN_NAME),
            version: Cow::Borrowed(DOMAIN_VERSION),
            salt: DOMAIN_SALT,
            verifying_contract,
        }
    }
}

/// The members of a type string: what is between its first parentheses.
fn declared(type_string: &'static str) -> Vec<TypedDataField> {
    let (_, rest) = type_string.split_once('(').unwrap_or_default();
    let (members, _) = rest.split_once(')').unwrap_or_default();
    let members = members.split(',').filter_map(|member| member.split_once(' '));
    members.map(|(kind, name)| TypedDataField { name: name.into(), kind: kind.into() }).collect()
}

impl From<TypedTx> for TypedDataMessage {
    fn from(tx: TypedTx) -> Self {
        let input =
            |TypedInput { blknum, txindex, oindex }| TypedDataInput { blknum, txindex, oindex };
        let output =
            |TypedOutput { owner, currency, amount }| TypedDataOutput { owner, currency, amount };
        let [input0, input1, input2, input3] = tx.inputs.map(input);
        let [output0, output1, output2, output3] = tx.outputs.map(output);
        let metadata = tx.metadata;
        Self { input0, input1, input2, input3, output0, output1, output2, output3, metadata }
    }
}

impl From<TypedDataMessage> for TypedTx {
    fn from(message: TypedDataMessage) -> Self {
        let TypedDataMessage { input0, input1, input2, input3, .. } = message;
        let TypedDataMessage { output0, output1, output2, output3, metadata, .. } = message;
        let input =
            |TypedDataInput { blknum, txindex, oindex }| TypedInput { blknum, txindex, oindex };
        let output =
            |TypedDataOutput { owner, currency, amount }| TypedOutput { owner, currency, amount };
        Self {
            inputs: [input0, input1, input2, input3].map(input),
            outputs: [output0, output1, output2, output3].map(output),
            metadata,
        }
    }
}

impl RequestParams for SubmitTypedParams {
    const NAMES: &'static [&'static str] = &["domain", "message", "signatures"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        let domain = raw.field("domain").map(&["name", "version", "salt", "verifyingContract"])?;
        let domain = TypedDataDomain {
            name: domain.field("name").text()?.into(),
            version: domain.field("version").text()?.into(),
            salt: domain.field("salt").hash()?,
            verifying_contract: domain.field("verifyingContract").address()?,
        };
        let message = message(&raw.field("message").map(MESSAGE_NAMES)?)?;
        let signatures = raw.field("signatures").list(
            "signature",
            MAX_INPUTS.saturating_add(1),
            &[],
            |signature| signature.signature().map(Signature::from_bytes),
        )?;
        Ok(Self { domain, message, signatures })
    }
}

const MESSAGE_NAMES: &[&str] = &[
    "input0", "input1", "input2", "input3", "output0", "output1", "output2", "output3", "metadata",
];

fn message(message: &Map<'_>) -> Result<TypedDataMessage, ParamError> {
    Ok(TypedDataMessage {
        input0: input(&message.field("input0"))?,
        input1: input(&message.field("input1"))?,
        input2: input(&message.field("input2"))?,
        input3: input(&message.field("input3"))?,
        output0: output(&message.field("output0"))?,
        output1: output(&message.field("output1"))?,
        output2: output(&message.field("output2"))?,
        output3: output(&message.field("output3"))?,
        metadata: message.field("metadata").hash()?,
    })
}

fn input(input: &Field<'_>) -> Result<TypedDataInput, ParamError> {
    let input = input.map(&["blknum", "txindex", "oindex"])?;
    Ok(TypedDataInput {
        blknum: input.field("blknum").non_neg_integer()?,
        txindex: input.field("txindex").non_neg_integer()?,
        oindex: input.field("oindex").non_neg_integer()?,
    })
}

fn output(output: &Field<'_>) -> Result<TypedDataOutput, ParamError> {
    let output = output.map(&["owner", "currency", "amount"])?;
    Ok(TypedDataOutput {
        owner: output.field("owner").address()?,
        currency: output.field("currency").address()?,
        amount: output.field("amount").non_neg_integer()?,
    })
}
