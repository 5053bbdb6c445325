//! A transaction that passed every stateless rule: its spenders are known (protocol 3.1, steps 10 to 12).
//!
//! This is the only thing [`State`](crate::state::State) executes, and [`RecoveredTx::recover`] is the only way to make one.

use super::MAX_INPUTS;
use super::primitives::{Address, H256, TxHash};
use super::signed::{DecodeTxError, SignedTx};
use super::signing::RecoverError;
use super::transaction::{Transaction, TxType};
use super::typed_data::TypedDataDomain;
use arrayvec::ArrayVec;
use thiserror::Error;

/// Why a transaction is statelessly invalid. The text of each error is its stable code (protocol 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RecoverTxError {
    /// The bytes are no transaction.
    #[error(transparent)]
    Decode(#[from] DecodeTxError),
    /// The same input twice.
    #[error("duplicate_inputs")]
    DuplicateInputs,
    /// More signatures than inputs; an all-zero one does not count.
    #[error("superfluous_signature")]
    SuperfluousSignature,
    /// Fewer signatures than inputs.
    #[error("missing_signature")]
    MissingSignature,
    /// A signature recovers to nobody.
    #[error(transparent)]
    Witness(#[from] RecoverError),
}

/// A statelessly valid transaction with everything the ledger needs of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredTx {
    tx: Transaction,
    signed_bytes: Box<[u8]>,
    tx_hash: TxHash,
    leaf: H256,
    spenders: ArrayVec<Address, MAX_INPUTS>,
}

impl RecoveredTx {
    /// Decodes and recovers in one step.
    ///
    /// # Errors
    /// The first rule broken, in the order of protocol 3.1.
    pub fn from_bytes(bytes: &[u8], domain: &TypedDataDomain) -> Result<Self, RecoverTxError> {
        Self::recover(SignedTx::decode(bytes)?, domain)
    }

    /// Recovers the spender of every input. This is the expensive step of the whole chain: one curve operation per input.
    ///
    /// # Errors
    /// The first rule broken, in the order of protocol 3.1, steps 10 to 12.
    pub fn recover(signed: SignedTx, domain: &TypedDataDomain) -> Result<Self, RecoverTxError> {
        let inputs = signed.transaction().inputs();
        if has_duplicates(inputs) {
            return Err(RecoverTxError::DuplicateInputs);
        }
        let present = signed.signatures().filter(|signature| !signature.is_missing()).count();
        match present.cmp(&inputs.len()) {
            std::cmp::Ordering::Greater => return Err(RecoverTxError::SuperfluousSignature),
            std::cmp::Ordering::Less => return Err(RecoverTxError::MissingSignature),
            std::cmp::Ordering::Equal => {}
        }
        let spenders = match signed.transaction() {
            Transaction::Payment(payment) if signed.signatures().len() > 0 => {
                let digest = domain.sign_hash(payment);
                recover_all(&signed, digest)?
            }
            Transaction::Payment(_) | Transaction::FeeClaim(_) => ArrayVec::new(),
        };
        let (tx_hash, leaf) = (signed.hash(), signed.leaf());
        let (tx, signed_bytes) = signed.into_parts();
        Ok(Self { tx, signed_bytes, tx_hash, leaf, spenders })
    }

    /// The operator's own fee claim, which nobody signs.
    pub fn fee_claim(tx: super::FeeClaimTx) -> Self {
        let tx = Transaction::FeeClaim(tx);
        let unsigned = tx.encode_unsigned();
        Self {
            signed_bytes: tx.encode_signed(&[]).into(),
            tx_hash: super::keccak256(&unsigned),
            leaf: super::merkle::leaf_hash(&unsigned),
            spenders: ArrayVec::new(),
            tx,
        }
    }

    /// What was signed.
    pub const fn transaction(&self) -> &Transaction {
        &self.tx
    }

    /// Its kind.
    pub const fn tx_type(&self) -> TxType {
        self.tx.tx_type()
    }

    /// The bytes that travel, as they came.
    pub fn signed_bytes(&self) -> &[u8] {
        &self.signed_bytes
    }

    /// Keccak-256 of the unsigned bytes.
    pub const fn hash(&self) -> TxHash {
        self.tx_hash
    }

    /// Its leaf in the block's Merkle tree.
    pub const fn leaf(&self) -> H256 {
        self.leaf
    }

    /// Who signed, in the order of the inputs; as many as there are inputs.
    pub fn spenders(&self) -> &[Address] {
        &self.spenders
    }
}

fn recover_all(
    signed: &SignedTx,
    digest: H256,
) -> Result<ArrayVec<Address, MAX_INPUTS>, RecoverTxError> {
    let mut spenders = ArrayVec::new();
    for signature in signed.signatures() {
        // Many owners of several inputs sign once and repeat the bytes: recovering them again would tell nothing new.
        let known = spenders
            .last()
            .copied()
            .filter(|_| previous_equals(signed, spenders.len(), &signature));
        let spender = match known {
            Some(spender) => spender,
            None => signature.recover(digest)?,
        };
        // Only an all-zero signature makes the list longer than the inputs, and that one never recovers.
        spenders.try_push(spender).map_err(|_| RecoverTxError::SuperfluousSignature)?;
    }
    Ok(spenders)
}

fn previous_equals(signed: &SignedTx, index: usize, signature: &super::Signature) -> bool {
    index
        .checked_sub(1)
        .and_then(|previous| signed.signatures().nth(previous))
        .is_some_and(|other| other == *signature)
}

fn has_duplicates(inputs: &[super::InputPointer]) -> bool {
    inputs
        .iter()
        .enumerate()
        .any(|(index, input)| inputs.iter().take(index).any(|other| other == input))
}
