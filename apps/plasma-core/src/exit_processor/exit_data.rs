//! What an owner needs to start a standard exit (protocol 5.8).

use crate::db_update::Utxo;
use crate::state::OutputFact;
use crate::wire::{InclusionProof, SignedTx, UtxoPos};
use std::collections::BTreeSet;
use thiserror::Error;

/// What to show to `startStandardExit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitData {
    /// The output that leaves.
    pub position: UtxoPos,
    /// Unsigned bytes of the transaction that made it.
    pub tx_bytes: Box<[u8]>,
    /// Proof that the transaction is in its block.
    pub proof: InclusionProof,
}

/// The output cannot leave: it never was, it is a spent deposit, or the ledger cannot prove it. The text is the stable code (protocol 6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("exit:invalid")]
pub struct ExitInvalid;

/// What is known about an output that somebody wants to take out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExitDataFacts {
    /// What the ledger knows; `None` when it never was.
    pub output: Option<OutputFact>,
    /// Whether the quarantine holds a spend of the output by its owner.
    pub is_spent_in_quarantine: bool,
    /// The signed bytes of the transaction that made it.
    pub created_by: Option<Box<[u8]>>,
    /// The proof of that transaction; a deposit is the only one of its block.
    pub proof: Option<InclusionProof>,
}

/// What to show to the contract to take an output out (`E18`). A deposit that is spent is refused. Data of other spent outputs is
/// served, because clients of OMG's watcher count on it: whoever asks has to know that such an exit is challenged and its bond lost.
///
/// # Errors
/// [`ExitInvalid`]
pub fn exit_data(position: UtxoPos, facts: ExitDataFacts) -> Result<ExitData, ExitInvalid> {
    let is_unspent =
        matches!(facts.output, Some(OutputFact::Unspent(..))) && !facts.is_spent_in_quarantine;
    if facts.output.is_none() || position.blknum.is_deposit() && !is_unspent {
        return Err(ExitInvalid);
    }
    let created_by = facts.created_by.ok_or(ExitInvalid)?;
    let signed = SignedTx::decode(&created_by).map_err(|_| ExitInvalid)?;
    Ok(ExitData {
        position,
        tx_bytes: signed.unsigned_bytes().into(),
        proof: facts.proof.ok_or(ExitInvalid)?,
    })
}

/// The outputs of one owner that can leave (`E19`): unspent in the ledger, not exiting, and not spent in the quarantine.
/// `is_exiting` is [`ExitProcessor::is_exiting`](super::ExitProcessor::is_exiting).
pub fn exitable_utxos(
    unspent: impl IntoIterator<Item = (UtxoPos, Utxo)>,
    spent_in_quarantine: &BTreeSet<UtxoPos>,
    is_exiting: impl Fn(UtxoPos) -> bool,
) -> impl Iterator<Item = (UtxoPos, Utxo)> {
    unspent.into_iter().filter(move |(position, _)| {
        !spent_in_quarantine.contains(position) && !is_exiting(*position)
    })
}
