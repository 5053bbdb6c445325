//! Standard exits: start, challenge, look.

use super::{RootChainClient, SentTransaction};
use crate::contracts::abi::arg;
use crate::contracts::{Contract, Fields, calls, encode_call};
use crate::{RootChainCause, RootChainError};
use ethers::abi::Token;
use plasma_core::wire::{Address, ExitId, InclusionProof, OutputId, SecretKey, U256, UtxoPos};

/// What it takes to exit an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartStandardExit {
    /// The output.
    pub position: UtxoPos,
    /// Unsigned bytes of the transaction that made it.
    pub output_tx: Vec<u8>,
    /// Proves that transaction in its block.
    pub inclusion_proof: InclusionProof,
}

/// What it takes to challenge the exit of a spent output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeStandardExit {
    /// The exit.
    pub exit_id: ExitId,
    /// Unsigned bytes of the transaction that made the exiting output.
    pub exiting_tx: Vec<u8>,
    /// Unsigned bytes of the transaction that spends it.
    pub challenge_tx: Vec<u8>,
    /// Which of its inputs is the exiting output.
    pub input_index: u16,
    /// The exiting owner's signature of `challenge_tx`: 65 bytes with low `s`.
    pub witness: Vec<u8>,
}

/// A standard exit as the contract keeps it, from its start until it is processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandardExitRecord {
    /// Not challenged.
    pub exitable: bool,
    /// The exiting output.
    pub position: UtxoPos,
    /// Names the output.
    pub output_id: OutputId,
    /// Who will be paid.
    pub exitor: Address,
    /// How much leaves, in the smallest unit.
    pub amount: U256,
    /// What its challenger gets, and else its exitor gets back, in wei.
    pub bond_wei: U256,
}

impl RootChainClient {
    /// The bond for starting a standard exit now, in wei.
    pub async fn standard_exit_bond_wei(&self) -> Result<U256, RootChainError> {
        let game = Contract::PaymentExitGame;
        self.read(game, "startStandardExitBondSize", &[], |fields| fields.u256()).await
    }

    /// Starts the exit of an output of the key's owner, with the bond of this moment.
    ///
    /// # Errors
    /// The contract's refusal (`NotOutputOwner`, `ExitStartedBefore`, …), before anything is sent.
    pub async fn start_standard_exit(
        &self,
        key: &SecretKey,
        exit: &StartStandardExit,
    ) -> Result<SentTransaction, RootChainError> {
        let function = "startStandardExit";
        let bond_wei = self.standard_exit_bond_wei().await?;
        let arguments = Token::Tuple(vec![
            arg::position(exit.position),
            arg::bytes(&exit.output_tx),
            arg::bytes(&exit.inclusion_proof.to_bytes()),
        ]);
        let context = format!("output {}", exit.position);
        self.send_to_exit_game(key, (function, context), bond_wei, arguments).await
    }

    /// Challenges a standard exit. The bond goes to the key's owner, and nobody can take the challenge away from it: the call names
    /// its sender.
    ///
    /// # Errors
    /// The contract's refusal (`ExitNotExitable`, `SpendingConditionNotMet`, …), before anything is sent.
    pub async fn challenge_standard_exit(
        &self,
        key: &SecretKey,
        challenge: &ChallengeStandardExit,
    ) -> Result<SentTransaction, RootChainError> {
        let function = "challengeStandardExit";
        let arguments = calls::challenge_standard_exit(
            challenge.exit_id,
            (&challenge.exiting_tx, &challenge.challenge_tx),
            challenge.input_index,
            &challenge.witness,
            key.address(),
        );
        let context = format!("exit {}", challenge.exit_id);
        self.send_to_exit_game(key, (function, context), U256::zero(), arguments).await
    }

    /// The records of these exits, in their order; `None` for one that was never started or is over.
    pub async fn standard_exits(
        &self,
        exit_ids: &[ExitId],
    ) -> Result<Vec<Option<StandardExitRecord>>, RootChainError> {
        let game = Contract::PaymentExitGame;
        let ids = [exit_ids_argument(exit_ids)];
        self.read(game, "standardExits", &ids, |fields| read_exit_records(fields, exit_ids.len()))
            .await
    }

    /// Whether an output was paid out.
    pub async fn is_output_finalized(&self, output_id: OutputId) -> Result<bool, RootChainError> {
        let framework = Contract::PlasmaFramework;
        let arguments = [arg::h256(output_id)];
        self.read(framework, "isOutputFinalized", &arguments, |fields| fields.bool()).await
    }

    pub(super) async fn send_to_exit_game(
        &self,
        key: &SecretKey,
        (function, context): (&'static str, String),
        value_wei: U256,
        arguments: Token,
    ) -> Result<SentTransaction, RootChainError> {
        let game = Contract::PaymentExitGame;
        let data = encode_call(game, function, &[arguments])
            .map_err(|cause| cause.during(function, context.clone()))?;
        let to = self.address_of(game).await?;
        self.send(key, (function, context), (to, value_wei, data)).await
    }
}

/// The argument of `standardExits`.
pub(crate) fn exit_ids_argument(exit_ids: &[ExitId]) -> Token {
    Token::Array(exit_ids.iter().copied().map(arg::exit_id).collect())
}

/// What `standardExits` returned for so many exits.
pub(crate) fn read_exit_records(
    fields: &mut Fields,
    exits: usize,
) -> Result<Vec<Option<StandardExitRecord>>, RootChainCause> {
    let records: Vec<_> = fields.array()?.into_iter().map(read_record).collect::<Result<_, _>>()?;
    if records.len() == exits {
        Ok(records)
    } else {
        Err(RootChainCause::Malformed("a record too many or too few".to_owned()))
    }
}

fn read_record(token: Token) -> Result<Option<StandardExitRecord>, RootChainCause> {
    let mut fields = Fields::new(vec![token]).tuple()?;
    let (exitable, position) = (fields.bool()?, fields.u256()?);
    let (output_id, exitor) = (fields.h256()?, fields.address()?);
    let (amount, bond_wei) = (fields.u256()?, fields.u256()?);
    if amount.is_zero() {
        return Ok(None);
    }
    let position = UtxoPos::decode_u256(position)
        .ok_or_else(|| RootChainCause::Malformed("a position beyond every block".to_owned()))?;
    Ok(Some(StandardExitRecord { exitable, position, output_id, exitor, amount, bond_wei }))
}
