//! In-flight exits: start, piggyback, argue, look.
//!
//! Arguments about an exit are [`Call`]s, the same that a Sentinel makes, so that each of them is put into bytes in one place.

use super::exits::exit_ids_argument;
use super::in_flight_exits::{InFlightExitRecord, InFlightShareRecord, read_in_flight_records};
use super::{RootChainClient, SentTransaction};
use crate::RootChainError;
use crate::contracts::abi::arg;
use crate::contracts::{Contract, Fields, calls};
use ethers::abi::Token;
use plasma_core::exit_processor::in_flight_data::{InFlightExitData, InFlightInput};
use plasma_core::root_chain::{PiggybackSide, PiggybackSlot};
use plasma_core::sentinel::Call;
use plasma_core::wire::{ExitId, SecretKey, U256};

impl InFlightExitRecord {
    /// The first second in which nobody can piggyback or show a competitor any more.
    pub const fn first_phase_ends_at_s(&self, min_exit_period_s: u64) -> u64 {
        self.started_at_s.saturating_add(min_exit_period_s / 2)
    }

    /// An input or output; `None` beyond the last.
    pub fn share(&self, slot: PiggybackSlot) -> Option<&InFlightShareRecord> {
        let side = match slot.side {
            PiggybackSide::Input => &self.inputs,
            PiggybackSide::Output => &self.outputs,
        };
        side.get(usize::from(slot.index))
    }
}

impl RootChainClient {
    /// The bond for starting an in-flight exit now, in wei.
    pub async fn in_flight_exit_bond_wei(&self) -> Result<U256, RootChainError> {
        let game = Contract::PaymentExitGame;
        self.read(game, "startIFEBondSize", &[], |fields| fields.u256()).await
    }

    /// The bond for each piggyback now, in wei.
    pub async fn piggyback_bond_wei(&self) -> Result<U256, RootChainError> {
        let game = Contract::PaymentExitGame;
        self.read(game, "piggybackBondSize", &[], |fields| fields.u256()).await
    }

    /// Starts the exit of a payment, with the bond of this moment. Anyone may; whoever owns an input or output has to piggyback it.
    ///
    /// # Errors
    /// The contract's refusal (`ExitStartedBefore`, `TransactionNotIncluded`, …), before anything is sent.
    pub async fn start_in_flight_exit(
        &self,
        key: &SecretKey,
        exit: &InFlightExitData,
    ) -> Result<SentTransaction, RootChainError> {
        let bond_wei = self.in_flight_exit_bond_wei().await?;
        let context = format!("in-flight exit {}", ExitId::in_flight(&exit.tx_bytes));
        let call = ("startInFlightExit", context);
        self.send_to_exit_game(key, call, bond_wei, start_argument(exit)).await
    }

    /// Joins an in-flight exit with an input or output of the key's owner, with the bond of this moment. The queue of its currency
    /// must be open: see [`Self::add_exit_queue`].
    ///
    /// # Errors
    /// The contract's refusal (`NotExitTarget`, `FirstPhaseOver`, `ExitQueueNotFound`, …), before anything is sent.
    pub async fn piggyback(
        &self,
        key: &SecretKey,
        in_flight_tx: &[u8],
        slot: PiggybackSlot,
    ) -> Result<SentTransaction, RootChainError> {
        let bond_wei = self.piggyback_bond_wei().await?;
        let (function, side) = match slot.side {
            PiggybackSide::Input => ("piggybackInFlightExitOnInput", "input"),
            PiggybackSide::Output => ("piggybackInFlightExitOnOutput", "output"),
        };
        let exit_id = ExitId::in_flight(in_flight_tx);
        let context = format!("{side} {} of in-flight exit {exit_id}", slot.index);
        let argument = Token::Tuple(vec![arg::bytes(in_flight_tx), arg::uint(slot.index)]);
        self.send_to_exit_game(key, (function, context), bond_wei, argument).await
    }

    /// Makes a call that argues about an exit: a competitor, an answer, the spend of an input or output, or a deletion. It costs gas
    /// only, and what it earns goes to the key's owner.
    ///
    /// # Errors
    /// The contract's refusal (`InFlightExitNotFound`, `CompetitorNotOlder`, `NotPiggybacked`, …), before anything is sent.
    pub async fn argue(
        &self,
        key: &SecretKey,
        call: &Call,
    ) -> Result<SentTransaction, RootChainError> {
        let (contract, data) = calls::call_data(call, key.address());
        let to = self.address_of(contract).await?;
        self.send(key, (call.name(), subject(call)), (to, U256::zero(), data)).await
    }

    /// The records of these in-flight exits, in their order; `None` for one that was never started or is over.
    pub async fn in_flight_exits(
        &self,
        exit_ids: &[ExitId],
    ) -> Result<Vec<Option<InFlightExitRecord>>, RootChainError> {
        let (game, ids) = (Contract::PaymentExitGame, [exit_ids_argument(exit_ids)]);
        let read = |fields: &mut Fields| read_in_flight_records(fields, exit_ids.len());
        self.read(game, "inFlightExits", &ids, read).await
    }
}

fn start_argument(exit: &InFlightExitData) -> Token {
    let of_inputs =
        |part: fn(&InFlightInput) -> Token| Token::Array(exit.inputs.iter().map(part).collect());
    let signatures = exit.signatures.iter().map(|signature| arg::bytes(signature.as_bytes()));
    Token::Tuple(vec![
        arg::bytes(&exit.tx_bytes),
        of_inputs(|input| arg::bytes(&input.tx_bytes)),
        of_inputs(|input| arg::position(input.position)),
        of_inputs(|input| arg::bytes(&input.proof.to_bytes())),
        Token::Array(signatures.collect()),
    ])
}

/// What a call is about, for errors.
fn subject(call: &Call) -> String {
    let in_flight_tx = match call {
        Call::ChallengeStandardExit(data) => return format!("exit {}", data.exit_id),
        Call::DeleteNonPiggybackedInFlightExit { exit_id } => {
            return format!("in-flight exit {exit_id}");
        }
        Call::ProcessExits { token, .. } => return format!("currency {token:?}"),
        Call::ChallengeInFlightExitNotCanonical(proof) => &proof.in_flight_tx,
        Call::RespondToNonCanonicalChallenge(proof) => &proof.in_flight_tx,
        Call::ChallengeInFlightExitInputSpent(proof) => &proof.in_flight_tx,
        Call::ChallengeInFlightExitOutputSpent(proof) => &proof.in_flight_tx,
    };
    format!("in-flight exit {}", ExitId::in_flight(in_flight_tx))
}
