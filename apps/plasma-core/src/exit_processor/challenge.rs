//! Proof that an exiting output was spent, in the form the contracts take (protocol 5.8).

use super::{ExitFact, StandardExit};
use crate::wire::{
    Address, ExitId, Signature, SignedTx, Transaction, TxHash, TypedDataDomain, UtxoPos,
};
use thiserror::Error;

/// What to show to `challengeStandardExit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeData {
    /// The contract's key of the exit.
    pub exit_id: ExitId,
    /// Unsigned bytes of the transaction that made the exiting output.
    pub exiting_tx: Box<[u8]>,
    /// Unsigned bytes of the transaction that spends it.
    pub tx_bytes: Box<[u8]>,
    /// Which input of that transaction spends it.
    pub input_index: u16,
    /// The owner's signature of that transaction, with low `s`: the only form the contracts take.
    pub signature: Signature,
}

/// Why there is nothing to show. The text is the stable code (protocol 6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ChallengeError {
    /// No exit of this output was ever seen.
    #[error("challenge:exit_not_found")]
    ExitNotFound,
    /// The output was not spent by its owner, as far as is known.
    #[error("challenge:utxo_not_spent")]
    UtxoNotSpent,
}

/// A spend of an output by its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spend {
    pub(super) tx_hash: TxHash,
    pub(super) tx_bytes: Box<[u8]>,
    pub(super) input_index: u16,
    pub(super) signature: Signature,
}

impl Spend {
    /// Finds the input that spends `position`, and makes sure that `owner` signed for it.
    pub(super) fn find(
        signed_bytes: &[u8],
        position: UtxoPos,
        owner: Address,
        domain: &TypedDataDomain,
    ) -> Option<Self> {
        let signed = SignedTx::decode(signed_bytes).ok()?;
        let Transaction::Payment(payment) = signed.transaction() else {
            return None;
        };
        let mut inputs = payment.inputs.iter();
        let index = inputs.position(|input| input.position() == Some(position))?;
        let signature = signed.signatures().nth(index)?.to_low_s();
        let signer = signature.recover(domain.sign_hash(payment)).ok()?;
        (signer == owner).then(|| Self {
            tx_hash: signed.hash(),
            tx_bytes: signed.unsigned_bytes().into(),
            input_index: u16::try_from(index).unwrap_or(u16::MAX),
            signature,
        })
    }
}

/// What to show to the contract to stop an exit (`E17`). `exit` is the exit of the output, also a closed one; `fact` is what is
/// known about the output.
///
/// # Errors
/// [`ChallengeError`] when no such exit was seen, or nothing shows that its owner spent the output.
pub fn challenge_data(
    exit: Option<&StandardExit>,
    fact: &ExitFact,
    domain: &TypedDataDomain,
) -> Result<ChallengeData, ChallengeError> {
    let exit = exit.ok_or(ChallengeError::ExitNotFound)?;
    let spend = fact.spend(exit, domain).ok_or(ChallengeError::UtxoNotSpent)?;
    Ok(ChallengeData {
        exit_id: exit.exit_id,
        exiting_tx: exit.exiting_tx.clone(),
        tx_bytes: spend.tx_bytes,
        input_index: spend.input_index,
        signature: spend.signature,
    })
}
