//! A transaction with its signatures, decoded under the rules of protocol 3.1, steps 1 to 9.

use super::keccak::keccak256_concat;
use super::position::InputPointer;
use super::primitives::{Address, H256, TxHash};
use super::rlp::{self, Item, Items, UintError, list_header};
use super::signing::{SIGNATURE_LEN, SecretKey, Signature};
use super::transaction::{FeeClaimTx, Output, OutputType, PaymentTx, Transaction, TxType};
use super::typed_data::TypedDataDomain;
use super::{MAX_INPUTS, MAX_OUTPUTS};
use arrayvec::ArrayVec;
use thiserror::Error;

/// Why bytes are not a transaction. The text of each error is its stable code (protocol 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeTxError {
    /// Not one canonical RLP item.
    #[error("malformed_transaction_rlp")]
    MalformedRlp,
    /// RLP, but not the list a transaction is.
    #[error("malformed_transaction")]
    Malformed,
    /// Signatures are not a list of 65-byte strings.
    #[error("malformed_witnesses")]
    MalformedWitnesses,
    /// Neither a payment nor a fee claim.
    #[error("unrecognized_transaction_type")]
    UnrecognizedType,
    /// Inputs are not a list of 32-byte non-zero words.
    #[error("malformed_inputs")]
    MalformedInputs,
    /// More inputs than the protocol has room for.
    #[error("too_many_inputs")]
    TooManyInputs,
    /// No outputs.
    #[error("empty_outputs")]
    EmptyOutputs,
    /// Outputs are not a list of `[type, [owner, currency, amount]]`.
    #[error("malformed_outputs")]
    MalformedOutputs,
    /// More outputs than the protocol has room for.
    #[error("too_many_outputs")]
    TooManyOutputs,
    /// An output is of no known type.
    #[error("unrecognized_output_type")]
    UnrecognizedOutputType,
    /// This kind of transaction cannot make this type or number of outputs.
    ///
    /// A payment that made a fee output could be exited and never challenged, because no spending condition covers it; so
    /// this is refused everywhere, also in blocks (docs/adr/0007).
    #[error("tx_cannot_create_output_type")]
    CannotCreateOutputType,
    /// An owner or currency is not 20 bytes.
    #[error("malformed_address")]
    MalformedAddress,
    /// An owner is the zero address.
    #[error("output_guard_cant_be_zero")]
    ZeroOwner,
    /// A number is not a proper 256-bit integer.
    #[error(transparent)]
    Uint(#[from] UintError),
    /// An output of nothing.
    #[error("amount_cant_be_zero")]
    ZeroAmount,
    /// Transaction data other than zero.
    #[error("malformed_tx_data")]
    MalformedTxData,
    /// Metadata is not 32 bytes.
    #[error("malformed_metadata")]
    MalformedMetadata,
    /// The nonce of a fee claim is not 32 bytes.
    #[error("malformed_nonce")]
    MalformedNonce,
}

/// A well-formed transaction and the signed bytes it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTx {
    tx: Transaction,
    bytes: Box<[u8]>,
    layout: Layout,
}

/// Where the parts lie in the signed bytes, so that no part is ever copied to be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    /// First byte of the first signature's header.
    signatures_start: usize,
    signature_count: usize,
    /// First byte behind the signatures: the fields of the unsigned form.
    fields_start: usize,
}

/// A 65-byte string is two bytes of header and 65 of payload.
const ENCODED_SIGNATURE_LEN: usize = SIGNATURE_LEN + 2;

impl SignedTx {
    /// Decodes the bytes that travel.
    ///
    /// # Errors
    /// The first rule broken, in the order of protocol 3.1.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeTxError> {
        let mut fields = top_level(bytes)?;
        let signatures = fields.next().ok_or(DecodeTxError::Malformed)?;
        if fields.clone().next().is_none() {
            return Err(DecodeTxError::Malformed);
        }
        let Item::List(payload) = signatures else {
            return Err(DecodeTxError::MalformedWitnesses);
        };
        let mut signature_count = 0_usize;
        for signature in rlp::items(payload) {
            signature.fixed::<SIGNATURE_LEN>().ok_or(DecodeTxError::MalformedWitnesses)?;
            signature_count = signature_count.saturating_add(1);
        }
        let fields_start = bytes.len().saturating_sub(fields.rest().len());
        let layout = Layout {
            signatures_start: fields_start.saturating_sub(payload.len()),
            signature_count,
            fields_start,
        };
        let tx = decode_fields(fields)?;
        Ok(Self { tx, bytes: bytes.into(), layout })
    }

    /// Puts signatures on a transaction.
    pub fn new(tx: Transaction, signatures: &[Signature]) -> Result<Self, DecodeTxError> {
        Self::decode(&tx.encode_signed(signatures))
    }

    /// Signs a payment with the key of each input's owner, in the order of the inputs.
    ///
    /// # Errors
    /// [`DecodeTxError`] when the payment breaks a rule, such as one without outputs.
    pub fn sign_payment(
        payment: PaymentTx,
        keys: &[&SecretKey],
        domain: &TypedDataDomain,
    ) -> Result<Self, DecodeTxError> {
        let digest = domain.sign_hash(&payment);
        let signatures: Vec<Signature> = keys.iter().map(|key| key.sign(digest)).collect();
        Self::new(Transaction::Payment(payment), &signatures)
    }

    /// What is signed.
    pub const fn transaction(&self) -> &Transaction {
        &self.tx
    }

    /// The bytes that travel, as they came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes the parts: the transaction and the bytes that travel.
    pub fn into_parts(self) -> (Transaction, Box<[u8]>) {
        (self.tx, self.bytes)
    }

    /// The signatures, in order.
    pub fn signatures(&self) -> impl ExactSizeIterator<Item = Signature> + '_ {
        (0..self.layout.signature_count).map(|index| self.signature(index))
    }

    /// Keccak-256 of the unsigned bytes.
    pub fn hash(&self) -> TxHash {
        let (header, fields) = self.unsigned();
        keccak256_concat(&[&header, fields])
    }

    /// The leaf of this transaction in its block's Merkle tree.
    pub fn leaf(&self) -> H256 {
        let (header, fields) = self.unsigned();
        keccak256_concat(&[&[super::merkle::LEAF_SALT], &header, fields])
    }

    /// The unsigned bytes: what is hashed and proven on L1.
    pub fn unsigned_bytes(&self) -> Vec<u8> {
        let (header, fields) = self.unsigned();
        [&header, fields].concat()
    }

    /// Canonical RLP makes the unsigned form a new list header in front of the very same field bytes.
    fn unsigned(&self) -> (ArrayVec<u8, 9>, &[u8]) {
        let fields = self.bytes.get(self.layout.fields_start..).unwrap_or_default();
        (list_header(fields.len()), fields)
    }

    fn signature(&self, index: usize) -> Signature {
        let start = index
            .saturating_mul(ENCODED_SIGNATURE_LEN)
            .saturating_add(self.layout.signatures_start)
            .saturating_add(2);
        let bytes = self.bytes.get(start..).and_then(<[u8]>::first_chunk::<SIGNATURE_LEN>);
        Signature::from_bytes(bytes.copied().unwrap_or([0; SIGNATURE_LEN]))
    }
}

impl Transaction {
    /// Decodes unsigned bytes, as they stand in events and exit data.
    ///
    /// # Errors
    /// The first rule broken, in the order of protocol 3.1 without the steps about signatures.
    pub fn decode_unsigned(bytes: &[u8]) -> Result<Self, DecodeTxError> {
        let fields = top_level(bytes)?;
        match fields.clone().next() {
            Some(Item::String(_)) => decode_fields(fields),
            _ => Err(DecodeTxError::Malformed),
        }
    }
}

fn top_level(bytes: &[u8]) -> Result<Items<'_>, DecodeTxError> {
    if bytes.is_empty() {
        return Err(DecodeTxError::Malformed);
    }
    let item = rlp::check(bytes).map_err(|_| DecodeTxError::MalformedRlp)?;
    item.list().ok_or(DecodeTxError::Malformed)
}

fn decode_fields(mut fields: Items<'_>) -> Result<Transaction, DecodeTxError> {
    let tx_type = fields
        .next()
        .and_then(|item| item.uint().ok())
        .and_then(TxType::from_number)
        .ok_or(DecodeTxError::UnrecognizedType)?;
    let rest: ArrayVec<Item<'_>, 5> = fields.take(5).collect();
    match (tx_type, rest.as_slice()) {
        (TxType::Payment, [inputs, outputs, tx_data, metadata]) => {
            decode_payment(*inputs, *outputs, *tx_data, *metadata).map(Transaction::Payment)
        }
        (TxType::FeeClaim, [outputs, nonce]) => {
            decode_fee_claim(*outputs, *nonce).map(Transaction::FeeClaim)
        }
        _ => Err(DecodeTxError::Malformed),
    }
}

fn decode_payment(
    inputs: Item<'_>,
    outputs: Item<'_>,
    tx_data: Item<'_>,
    metadata: Item<'_>,
) -> Result<PaymentTx, DecodeTxError> {
    let inputs = decode_inputs(inputs)?;
    let outputs = decode_outputs(outputs, OutputType::Payment)?;
    if !tx_data.uint()?.is_zero() {
        return Err(DecodeTxError::MalformedTxData);
    }
    let metadata = metadata.fixed::<32>().ok_or(DecodeTxError::MalformedMetadata)?;
    Ok(PaymentTx { inputs, outputs, metadata: H256(*metadata) })
}

fn decode_fee_claim(outputs: Item<'_>, nonce: Item<'_>) -> Result<FeeClaimTx, DecodeTxError> {
    let outputs = decode_outputs(outputs, OutputType::FeeClaim)?;
    let nonce = nonce.fixed::<32>().ok_or(DecodeTxError::MalformedNonce)?;
    match outputs.as_slice() {
        [output] => Ok(FeeClaimTx { output: *output, nonce: H256(*nonce) }),
        _ => Err(DecodeTxError::CannotCreateOutputType),
    }
}

fn decode_inputs(item: Item<'_>) -> Result<ArrayVec<InputPointer, MAX_INPUTS>, DecodeTxError> {
    let mut inputs = ArrayVec::new();
    let mut too_many = false;
    for input in item.list().ok_or(DecodeTxError::MalformedInputs)? {
        let word = input.fixed::<32>().ok_or(DecodeTxError::MalformedInputs)?;
        too_many |= inputs.try_push(InputPointer::from_bytes(*word)).is_err();
    }
    if too_many {
        return Err(DecodeTxError::TooManyInputs);
    }
    if inputs.iter().any(InputPointer::is_zero) {
        return Err(DecodeTxError::MalformedInputs);
    }
    Ok(inputs)
}

fn decode_outputs(
    item: Item<'_>,
    expected: OutputType,
) -> Result<ArrayVec<Output, MAX_OUTPUTS>, DecodeTxError> {
    let items = item.list().ok_or(DecodeTxError::MalformedOutputs)?;
    match items.clone().take(MAX_OUTPUTS.saturating_add(1)).count() {
        0 => return Err(DecodeTxError::EmptyOutputs),
        count if count > MAX_OUTPUTS => return Err(DecodeTxError::TooManyOutputs),
        _ => {}
    }
    let outputs: ArrayVec<Output, MAX_OUTPUTS> =
        items.map(decode_output).collect::<Result<_, _>>()?;
    if outputs.iter().any(|output| output.output_type != expected) {
        return Err(DecodeTxError::CannotCreateOutputType);
    }
    Ok(outputs)
}

fn decode_output(item: Item<'_>) -> Result<Output, DecodeTxError> {
    let [output_type, body] = exactly(item)?;
    if body.list().is_none() {
        return Err(DecodeTxError::MalformedOutputs);
    }
    let output_type = OutputType::from_number(output_type.uint()?)
        .ok_or(DecodeTxError::UnrecognizedOutputType)?;
    let [owner, currency, amount] = exactly(body)?;
    let owner = decode_address(owner)?;
    if owner.is_zero() {
        return Err(DecodeTxError::ZeroOwner);
    }
    let currency = decode_address(currency)?;
    let amount = amount.uint()?;
    if amount.is_zero() {
        return Err(DecodeTxError::ZeroAmount);
    }
    Ok(Output { output_type, owner, currency, amount })
}

fn decode_address(item: Item<'_>) -> Result<Address, DecodeTxError> {
    item.fixed::<20>()
        .map(|bytes| primitive_types::H160(*bytes))
        .ok_or(DecodeTxError::MalformedAddress)
}

/// The items of a list that has exactly `N`.
fn exactly<'a, const N: usize>(item: Item<'a>) -> Result<[Item<'a>; N], DecodeTxError> {
    let mut items = item.list().ok_or(DecodeTxError::MalformedOutputs)?;
    let found: ArrayVec<Item<'a>, N> = items.by_ref().take(N).collect();
    match (found.into_inner(), items.next()) {
        (Ok(array), None) => Ok(array),
        _ => Err(DecodeTxError::MalformedOutputs),
    }
}
