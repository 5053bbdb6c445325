//! In-flight exits: start, piggyback, argue, look.
//!
//! Arguments about an exit are [`Call`]s, the same that a Sentinel makes, so that each of them is put into bytes in one place.

use super::exits::exit_ids_argument;
use super::{RootChainClient, SentTransaction};
use crate::contracts::abi::arg;
use crate::contracts::{Contract, Fields, calls};
use crate::{RootChainCause, RootChainError};
use ethers::abi::Token;
use plasma_core::exit_processor::in_flight_data::{InFlightExitData, InFlightInput};
use plasma_core::root_chain::{PiggybackSide, PiggybackSlot};
use plasma_core::sentinel::Call;
use plasma_core::wire::{
    Address, Currency, ExitId, MAX_INPUTS, OutputId, SecretKey, U256, UtxoPos,
};

/// Inputs, and outputs, of a record, whether the transaction has them or not.
const SLOTS: usize = 4;
const _: () = assert!(SLOTS == MAX_INPUTS && SLOTS == plasma_core::wire::MAX_OUTPUTS);

/// An in-flight exit as the contract keeps it, from its start until it was processed in all its queues, or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlightExitRecord {
    /// Whether outputs would be paid now, and not inputs.
    pub is_canonical: bool,
    /// When it was started, in seconds of root chain time.
    pub started_at_s: u64,
    /// Position of the youngest input: the exit's place in the queues.
    pub youngest_input: UtxoPos,
    /// What the transaction spends, in its order.
    pub inputs: Vec<InFlightShare>,
    /// What it makes, in its order.
    pub outputs: Vec<InFlightShare>,
    /// Who gets the bond of the exit: who started it, or contested or answered last.
    pub bond_owner: Address,
    /// The bond of the exit, in wei.
    pub bond_wei: U256,
    /// What was shown last about the age of the transaction; `None` when nothing was.
    pub shown: Option<ShownPlace>,
}

/// An input or output of an in-flight exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlightShare {
    /// Names the output.
    pub output_id: OutputId,
    /// Whom it is paid to.
    pub exit_target: Address,
    /// What it is counted in.
    pub currency: Currency,
    /// How much, in the smallest unit.
    pub amount: U256,
    /// The bond of its piggyback, in wei; `None` while nobody piggybacks it.
    pub piggyback_bond_wei: Option<U256>,
}

/// Where the oldest competitor of an in-flight exit is, or the transaction itself after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownPlace {
    /// In no block.
    NotIncluded,
    /// Position of the first output.
    At(UtxoPos),
}

impl InFlightExitRecord {
    /// The first second in which nobody can piggyback or show a competitor any more.
    pub const fn first_phase_ends_at_s(&self, min_exit_period_s: u64) -> u64 {
        self.started_at_s.saturating_add(min_exit_period_s / 2)
    }

    /// An input or output; `None` beyond the last.
    pub fn share(&self, slot: PiggybackSlot) -> Option<&InFlightShare> {
        let side = match slot.side {
            PiggybackSide::Input => &self.inputs,
            PiggybackSide::Output => &self.outputs,
        };
        side.get(usize::from(slot.index))
    }

    /// Whether anybody takes part now.
    pub fn is_piggybacked(&self) -> bool {
        self.inputs.iter().chain(&self.outputs).any(|share| share.piggyback_bond_wei.is_some())
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
        let read = |fields: &mut Fields| {
            let records: Vec<_> =
                fields.array()?.into_iter().map(read_record).collect::<Result<_, _>>()?;
            match records.len() == exit_ids.len() {
                true => Ok(records),
                false => Err(malformed("a record too many or too few")),
            }
        };
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

fn read_record(token: Token) -> Result<Option<InFlightExitRecord>, RootChainCause> {
    let mut fields = Fields::new(vec![token]).tuple()?;
    let (is_canonical, started_at_s) = (fields.bool()?, fields.u64()?);
    let (piggybacked, youngest_input) = (fields.u256()?, fields.u256()?);
    let inputs = read_shares(fields.fixed_array()?, piggybacked)?;
    let outputs = read_shares(fields.fixed_array()?, piggybacked >> SLOTS)?;
    let (bond_owner, bond_wei) = (fields.address()?, fields.u256()?);
    let shown = fields.u256()?;
    if started_at_s == 0 {
        return Ok(None);
    }
    let shown = match shown {
        nothing if nothing.is_zero() => None,
        U256::MAX => Some(ShownPlace::NotIncluded),
        at => Some(ShownPlace::At(position(at)?)),
    };
    Ok(Some(InFlightExitRecord {
        is_canonical,
        started_at_s,
        youngest_input: position(youngest_input)?,
        inputs,
        outputs,
        bond_owner,
        bond_wei,
        shown,
    }))
}

/// The shares that the transaction has: nothing has the output id zero.
fn read_shares(
    tokens: Vec<Token>,
    piggybacked: U256,
) -> Result<Vec<InFlightShare>, RootChainCause> {
    let mut shares = Vec::new();
    for (index, token) in tokens.into_iter().enumerate() {
        let mut fields = Fields::new(vec![token]).tuple()?;
        let (output_id, exit_target) = (fields.h256()?, fields.address()?);
        let (currency, amount) = (fields.address()?, fields.u256()?);
        let bond_wei = fields.u256()?;
        if output_id.is_zero() {
            break;
        }
        let piggyback_bond_wei = piggybacked.bit(index).then_some(bond_wei);
        shares.push(InFlightShare { output_id, exit_target, currency, amount, piggyback_bond_wei });
    }
    Ok(shares)
}

fn position(number: U256) -> Result<UtxoPos, RootChainCause> {
    UtxoPos::decode_u256(number).ok_or_else(|| malformed("a position beyond every block"))
}

fn malformed(what: &str) -> RootChainCause {
    RootChainCause::Malformed(what.to_owned())
}
