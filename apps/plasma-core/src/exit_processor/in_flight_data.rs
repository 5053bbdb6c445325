//! What to show to the contracts about an in-flight exit (protocol 5.8): to start one, and to win the argument about one.
//!
//! Everything is built from facts about the inputs of one transaction and, where it is included, about its outputs.

use super::challenge::Spend;
use super::competitor::{Competitor, competitors, included_at};
use super::exit_data::ExitDataFacts;
use super::in_flight_exit::InFlightTx;
use super::verdict::LedgerEdge;
use super::{ExitFact, ExitFacts, InFlightExit, InFlightPhase, Incarnation, PiggybackPhase};
use crate::db_update::{TxPos, UtxoKey};
use crate::root_chain::{InFlightExitStart, PiggybackSlot};
use crate::state::OutputFact;
use crate::wire::{
    Blknum, InclusionProof, InputPointer, MAX_INPUTS, Signature, SignedTx, TypedDataDomain, UtxoPos,
};
use thiserror::Error;

/// What to show to `startInFlightExit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlightExitData {
    /// Unsigned bytes of the in-flight transaction.
    pub tx_bytes: Box<[u8]>,
    /// What it spends, in its order, with the proof of each.
    pub inputs: Vec<InFlightInput>,
    /// Its signatures in order, with low `s`.
    pub signatures: Vec<Signature>,
}

/// An input of an in-flight transaction, as the contract wants it proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlightInput {
    /// Where it was made.
    pub position: UtxoPos,
    /// Unsigned bytes of the transaction that made it.
    pub tx_bytes: Box<[u8]>,
    /// Proof that this one is in its block.
    pub proof: InclusionProof,
}

/// Why no in-flight exit can be started. The text is the stable code (protocol 6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InFlightExitDataError {
    /// The ledger does not know what made an input.
    #[error("in_flight_exit:tx_for_input_not_found")]
    TxForInputNotFound,
    /// An input is a deposit that is gone.
    #[error("in_flight_exit:deposit_input_spent_ife_unsupported")]
    DepositInputSpent,
}

/// What to show to `challengeInFlightExitNotCanonical`. The proof of the competitor is the store's for `competing_tx_pos`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompetitorData {
    /// Unsigned bytes of the in-flight transaction.
    pub in_flight_tx: Box<[u8]>,
    /// Which of its inputs the competitor spends, too.
    pub in_flight_input_index: u16,
    /// Unsigned bytes of the transaction that made that input.
    pub input_tx: Box<[u8]>,
    /// Where that was.
    pub input_position: UtxoPos,
    /// Unsigned bytes of the competitor.
    pub competing_tx: Box<[u8]>,
    /// Which of its inputs spends it.
    pub competing_input_index: u16,
    /// The owner's signature of the competitor, with low `s`.
    pub competing_signature: Signature,
    /// Where the competitor is included; shown as position 0 with an empty proof when it is not.
    pub competing_tx_pos: Option<TxPos>,
}

/// What to show to `respondToNonCanonicalChallenge`. The proof is the store's for `tx_pos`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicityResponse {
    /// Unsigned bytes of the in-flight transaction.
    pub in_flight_tx: Box<[u8]>,
    /// Where it is included.
    pub tx_pos: TxPos,
}

/// What to show to `challengeInFlightExitInputSpent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputChallengeData {
    /// Unsigned bytes of the in-flight transaction.
    pub in_flight_tx: Box<[u8]>,
    /// Which of its inputs was spent.
    pub in_flight_input_index: u16,
    /// Unsigned bytes of the transaction that made that input.
    pub input_tx: Box<[u8]>,
    /// Where that was.
    pub input_position: UtxoPos,
    /// The spend.
    pub spend: SpendData,
}

/// What to show to `challengeInFlightExitOutputSpent`. The proof of the in-flight transaction is the store's for the position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputChallengeData {
    /// Unsigned bytes of the in-flight transaction.
    pub in_flight_tx: Box<[u8]>,
    /// Where its output is.
    pub output_position: UtxoPos,
    /// The spend.
    pub spend: SpendData,
}

/// A spend of one input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendData {
    /// Unsigned bytes of the transaction that spends.
    pub tx_bytes: Box<[u8]>,
    /// Which of its inputs does.
    pub input_index: u16,
    /// The owner's signature, with low `s`.
    pub signature: Signature,
}

/// Why there is nothing to show about an in-flight exit. Servers put the name of the method in front of the text
/// (`get_competitor:competitor_not_found`, protocol 6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InFlightDataError {
    /// No in-flight exit of this transaction is known, or it was deleted.
    #[error("ife_not_known_for_tx")]
    Unknown,
    /// Nobody else spends an input of it, as far as is known.
    #[error("competitor_not_found")]
    CompetitorNotFound,
    /// The contract would not take the competitor, or an answer to it is at hand.
    #[error("no_viable_competitor_found")]
    NoViableCompetitor,
    /// The exit was not challenged, or the ledger has no older place of its transaction.
    #[error("no_viable_canonical_proof_found")]
    NoViableCanonicalProof,
    /// There never is such an input or output.
    #[error("piggybacked_index_out_of_range")]
    IndexOutOfRange,
    /// Nobody piggybacked it, the piggyback is blocked already, or it was not spent.
    #[error("no_double_spend_on_particular_piggyback")]
    NoDoubleSpend,
}

/// Everything that the argument about one in-flight exit is built from.
#[derive(Clone, Copy, Debug)]
pub struct InFlightCase<'a> {
    /// The record; `None` when there is none.
    pub exit: Option<&'a InFlightExit>,
    /// About [`Self::keys_needed`].
    pub facts: &'a ExitFacts,
    /// The block of the chain's fault.
    pub fault: Option<Blknum>,
    /// What is signed.
    pub domain: &'a TypedDataDomain,
}

/// An exit that is known, with its parts.
struct Known<'a> {
    start: &'a InFlightExitStart,
    now: Incarnation,
    tx: InFlightTx,
}

/// The inputs of a transaction, to be looked up for [`in_flight_exit_data`].
pub fn inputs_to_prove(signed: &SignedTx) -> Vec<Option<UtxoPos>> {
    signed.transaction().inputs().iter().copied().map(InputPointer::position).collect()
}

/// What to show to start an exit of this transaction. `facts` are about [`inputs_to_prove`], in the same order. (`I20`)
///
/// # Errors
/// [`InFlightExitDataError`], the one of the first input that has one.
pub fn in_flight_exit_data(
    signed: &SignedTx,
    facts: Vec<ExitDataFacts>,
) -> Result<InFlightExitData, InFlightExitDataError> {
    let not_found = InFlightExitDataError::TxForInputNotFound;
    let mut facts = facts.into_iter();
    let mut inputs = Vec::new();
    for position in inputs_to_prove(signed) {
        let (position, facts) = position.zip(facts.next()).ok_or(not_found)?;
        if facts.output.is_none() {
            return Err(not_found);
        }
        let is_unspent = matches!(facts.output, Some(OutputFact::Unspent(..)));
        if position.blknum.is_deposit() && !is_unspent {
            return Err(InFlightExitDataError::DepositInputSpent);
        }
        let created_by = facts.created_by.ok_or(not_found)?;
        let created_by = SignedTx::decode(&created_by).map_err(|_| not_found)?;
        inputs.push(InFlightInput {
            position,
            tx_bytes: created_by.unsigned_bytes().into(),
            proof: facts.proof.ok_or(not_found)?,
        });
    }
    Ok(InFlightExitData {
        tx_bytes: signed.unsigned_bytes().into(),
        inputs,
        signatures: signed.signatures().map(Signature::to_low_s).collect(),
    })
}

impl<'a> InFlightCase<'a> {
    /// What to look up besides what is there: first the inputs of the transaction, then, where it is included, its outputs. Ask
    /// until there is nothing more.
    pub fn keys_needed(&self) -> Vec<UtxoKey> {
        let Ok(known) = self.known() else {
            return Vec::new();
        };
        let inputs = known.tx.inputs.iter().copied();
        let outputs = self.included_at(&known).into_iter().flat_map(|at| known.tx.outputs_at(at));
        inputs.chain(outputs).filter(|key| !self.facts.contains_key(key)).collect()
    }

    /// The oldest competitor, if the contract should be shown it. (`I8`)
    ///
    /// # Errors
    /// [`InFlightDataError`]
    pub fn competitor(&self) -> Result<CompetitorData, InFlightDataError> {
        let known = self.known()?;
        let oldest = self.competitors(&known).into_iter().next();
        let competitor = oldest.ok_or(InFlightDataError::CompetitorNotFound)?;
        if !known.now.canonicity.is_viable(self.included_at(&known), &competitor) {
            return Err(InFlightDataError::NoViableCompetitor);
        }
        let (input_tx, input_position) =
            known.input(competitor.input_index).ok_or(InFlightDataError::CompetitorNotFound)?;
        Ok(CompetitorData {
            in_flight_tx: known.start.tx_bytes.clone(),
            in_flight_input_index: competitor.input_index,
            input_tx,
            input_position,
            competing_tx: competitor.spend.tx_bytes,
            competing_input_index: competitor.spend.input_index,
            competing_signature: competitor.spend.signature,
            competing_tx_pos: competitor.included_at,
        })
    }

    /// Where the transaction is included, if that answers the challenge. (`I10`)
    ///
    /// # Errors
    /// [`InFlightDataError`]
    pub fn canonicity_response(&self) -> Result<CanonicityResponse, InFlightDataError> {
        let known = self.known()?;
        let answer = known.now.canonicity.answer(self.included_at(&known));
        let tx_pos = answer.ok_or(InFlightDataError::NoViableCanonicalProof)?;
        Ok(CanonicityResponse { in_flight_tx: known.start.tx_bytes.clone(), tx_pos })
    }

    /// The other transaction that spends a piggybacked input. (`I11`)
    ///
    /// # Errors
    /// [`InFlightDataError`]
    pub fn input_challenge(&self, index: u64) -> Result<InputChallengeData, InFlightDataError> {
        let index = in_range(index)?;
        let known = self.known()?;
        known.check_piggybacked(PiggybackSlot::input(index))?;
        let mut competitors = self.competitors(&known).into_iter();
        let found = competitors.find(|competitor| competitor.input_index == index);
        let (competitor, (input_tx, input_position)) =
            found.zip(known.input(index)).ok_or(InFlightDataError::NoDoubleSpend)?;
        Ok(InputChallengeData {
            in_flight_tx: known.start.tx_bytes.clone(),
            in_flight_input_index: index,
            input_tx,
            input_position,
            spend: competitor.spend.into(),
        })
    }

    /// The transaction that spends a piggybacked output. (`I11`)
    ///
    /// # Errors
    /// [`InFlightDataError`]
    pub fn output_challenge(&self, index: u64) -> Result<OutputChallengeData, InFlightDataError> {
        let index = in_range(index)?;
        let known = self.known()?;
        known.check_piggybacked(PiggybackSlot::output(index))?;
        let at = self.included_at(&known).ok_or(InFlightDataError::NoDoubleSpend)?;
        let key = known.tx.outputs_at(at).nth(index.into());
        let key = key.ok_or(InFlightDataError::NoDoubleSpend)?;
        let spends = |fact: &ExitFact| fact.spends(key, self.edge(), self.domain).next();
        let found = self.facts.get(&key).and_then(spends);
        let spend = found.ok_or(InFlightDataError::NoDoubleSpend)?.spend;
        Ok(OutputChallengeData {
            in_flight_tx: known.start.tx_bytes.clone(),
            output_position: key.position,
            spend: spend.into(),
        })
    }

    fn known(&self) -> Result<Known<'a>, InFlightDataError> {
        let exit = self.exit.ok_or(InFlightDataError::Unknown)?;
        let now = exit.incarnation().filter(|now| now.phase != InFlightPhase::Deleted);
        let known = exit.start().zip(now).zip(exit.tx());
        let ((start, now), tx) = known.ok_or(InFlightDataError::Unknown)?;
        Ok(Known { start, now, tx })
    }

    /// Where the ledger ends does not matter here: only what it has counts.
    fn edge(&self) -> LedgerEdge {
        LedgerEdge { next: Blknum::new(u64::MAX), fault: self.fault }
    }

    fn included_at(&self, known: &Known<'_>) -> Option<TxPos> {
        included_at(&known.tx, self.facts, self.edge())
    }

    fn competitors(&self, known: &Known<'_>) -> Vec<Competitor> {
        competitors(&known.tx, self.facts, self.edge(), self.domain)
    }
}

impl Known<'_> {
    /// What made an input, and where.
    fn input(&self, index: u16) -> Option<(Box<[u8]>, UtxoPos)> {
        let made_by = self.start.input_txs.get(usize::from(index))?;
        let key = self.tx.inputs.get(usize::from(index))?;
        Some((made_by.clone(), key.position))
    }

    /// Closed piggybacks are served as well, blocked ones are not.
    fn check_piggybacked(&self, slot: PiggybackSlot) -> Result<(), InFlightDataError> {
        match self.now.piggybacks.get(&slot).map(|piggyback| piggyback.phase) {
            Some(PiggybackPhase::Active | PiggybackPhase::Withdrawn) => Ok(()),
            Some(PiggybackPhase::Blocked) | None => Err(InFlightDataError::NoDoubleSpend),
        }
    }
}

impl From<Spend> for SpendData {
    fn from(spend: Spend) -> Self {
        let Spend { tx_bytes, input_index, signature, .. } = spend;
        Self { tx_bytes, input_index, signature }
    }
}

/// The protocol has as many slots for outputs as for inputs.
fn in_range(index: u64) -> Result<u16, InFlightDataError> {
    let index = u16::try_from(index).ok().filter(|index| usize::from(*index) < MAX_INPUTS);
    index.ok_or(InFlightDataError::IndexOutOfRange)
}
