//! What an in-flight exit asks the Sentinel for: its case, told as duties.
//!
//! It must never add an opinion: what there is to show is decided by [`InFlightCase`], and this gives it a name, a deadline and a
//! price. (`S15`)

use super::call::{Call, CanonicityProof, CompetitorProof, InputSpentProof, OutputSpentProof};
use super::{Duty, DutyId, Task};
use crate::db_update::TxPos;
use crate::exit_processor::in_flight_data::{
    CanonicityResponse, CompetitorData, InFlightCase, InputChallengeData, OutputChallengeData,
};
use crate::exit_processor::{
    InFlightEvent, InFlightExit, InFlightMove, InFlightPhase, Incarnation,
};
use crate::root_chain::{PiggybackSide, PiggybackSlot};
use crate::wire::ids::ExitPriority;
use crate::wire::{
    Currency, H256, InclusionProof, MAX_INPUTS, OutputIndex, U256, UtxoPos, keccak256,
};

/// What counts for all duties of one exit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlightTerms {
    /// The contracts' exit period, in seconds: its first half is for piggybacks and competitors.
    pub min_exit_period_s: u64,
    /// The bond of the exit, in wei: whoever contests or answers last gets it.
    pub bond_wei: U256,
    /// The bonds of its piggybacks, inputs first, in wei: whoever blocks one gets it.
    pub piggyback_bonds_wei: [U256; 2 * MAX_INPUTS],
}

/// The head of an exit queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueHead {
    /// The vault of the queue.
    pub vault_id: u64,
    /// The currency of the queue.
    pub token: Currency,
    /// Which exit leaves next, and from when on it may. No two starts of an exit have the same.
    pub priority: ExitPriority,
}

/// One exit that is active, and what duties are made of.
struct Active<'a> {
    exit: &'a InFlightExit,
    now: Incarnation,
    terms: &'a InFlightTerms,
}

impl Duty {
    /// Everything that can be shown about an in-flight exit: its competitor, where it is included, the spends of what was
    /// piggybacked. Nothing when the exit is over, or when all of that was shown. `prove` finds the inclusion proof of a transaction.
    /// (`S15`)
    ///
    /// # Errors
    /// Those of `prove`. Where it finds nothing, there is no such duty.
    pub fn of_in_flight_exit<E>(
        case: &InFlightCase<'_>,
        terms: &InFlightTerms,
        mut prove: impl FnMut(TxPos) -> Result<Option<InclusionProof>, E>,
    ) -> Result<Vec<Self>, E> {
        let mut duties = Vec::new();
        let Some(active) = case.exit.and_then(|exit| Active::new(exit, terms)) else {
            return Ok(duties);
        };
        if let Ok(data) = case.competitor() {
            let (index, at) = (data.in_flight_input_index, data.competing_tx_pos);
            let included = at.map(|at| Ok((at, prove(at)?))).transpose()?;
            duties.extend(contest(data, included).map(|call| active.contest(index, call)));
        }
        if let Ok(data) = case.canonicity_response() {
            let proof = prove(data.tx_pos)?;
            duties.extend(proof.map(|proof| active.respond(data, proof)));
        }
        for (slot, _) in active.now.active_piggybacks() {
            let call = match slot.side {
                PiggybackSide::Input => {
                    case.input_challenge(slot.index.into()).ok().map(block_input)
                }
                PiggybackSide::Output => match case.output_challenge(slot.index.into()) {
                    Ok(data) => {
                        prove(tx_pos(data.output_position))?.map(|proof| block_output(data, proof))
                    }
                    Err(_) => None,
                },
            };
            duties.extend(call.and_then(|call| active.block(slot, call)));
        }
        Ok(duties)
    }

    /// Whether this may be wrong while the ledger is behind the root chain: a payment is contested that a block not read yet may have.
    /// When the time to contest runs out, the ledger is not waited for. (`S15`)
    pub fn needs_the_ledger(&self, min_exit_period_s: u64, now_s: u64) -> bool {
        let is_contest = matches!(self.id.task, Task::ChallengeInFlightExit { .. });
        is_contest && now_s < self.due_s.saturating_sub(min_exit_period_s / 8)
    }

    /// To delete an in-flight exit that nobody joined while it was possible. `None` while it is, and when somebody did. It earns
    /// nothing, and is done in the calm period after it became possible. (`S15`)
    pub fn delete_in_flight_exit(
        exit: &InFlightExit,
        min_exit_period_s: u64,
        now_s: u64,
    ) -> Option<Self> {
        let now = exit.incarnation().filter(|now| now.is_deletable(min_exit_period_s, now_s))?;
        let opens_s = now.first_phase_ends_s(min_exit_period_s);
        let task = Task::DeleteInFlightExit;
        Some(Self {
            id: DutyId { exit_id: exit.exit_id, cause: now.root_chain_txhash, task },
            call: Call::DeleteNonPiggybackedInFlightExit { exit_id: exit.exit_id },
            opens_s,
            due_s: opens_s.saturating_add(min_exit_period_s),
            closes_s: None,
            reward_wei: U256::zero(),
            at_stake_wei: None,
        })
    }

    /// To process what can be processed in a queue; `None` while nothing can. Its cause is the contract's key of the entry at the head.
    /// (`S15`)
    pub fn process_exits(
        head: &QueueHead,
        exits_max: u64,
        min_exit_period_s: u64,
        now_s: u64,
    ) -> Option<Self> {
        let QueueHead { vault_id, token, priority } = *head;
        let opens_s = priority.exitable_at_s().saturating_add(1);
        if now_s < opens_s {
            return None;
        }
        let mut key = Vec::with_capacity(84);
        for number in [priority.to_u256(), vault_id.into()] {
            let mut word = [0; 32];
            number.to_big_endian(&mut word);
            key.extend(word);
        }
        key.extend(token.as_bytes());
        let exit_id = priority.exit_id();
        Some(Self {
            id: DutyId { exit_id, cause: keccak256(&key), task: Task::ProcessExits },
            call: Call::ProcessExits { vault_id, token, top_exit_id: Some(exit_id), exits_max },
            opens_s,
            due_s: opens_s.saturating_add(min_exit_period_s),
            closes_s: None,
            reward_wei: U256::zero(),
            at_stake_wei: None,
        })
    }
}

impl DutyId {
    /// Whether somebody has done this to the exit, after what made it necessary. Processing shows in the queue, not here. (`S4`)
    pub fn is_met_by(&self, exit: &InFlightExit) -> bool {
        let causes = exit.moves.iter().rposition(|told| told.root_chain_txhash == self.cause);
        let after = causes.map(|at| exit.moves.iter().skip(at.saturating_add(1)));
        let met = |told: &InFlightMove| match (self.task, &told.event) {
            (Task::ChallengeInFlightExit { .. }, InFlightEvent::Challenged(_))
            | (Task::RespondToChallenge, InFlightEvent::Responded(_))
            | (Task::DeleteInFlightExit, InFlightEvent::Deleted) => true,
            (Task::BlockInput { index }, InFlightEvent::Blocked(slot)) => {
                *slot == PiggybackSlot::input(index)
            }
            (Task::BlockOutput { index }, InFlightEvent::Blocked(slot)) => {
                *slot == PiggybackSlot::output(index)
            }
            _ => false,
        };
        exit.exit_id == self.exit_id && after.into_iter().flatten().any(met)
    }
}

impl<'a> Active<'a> {
    fn new(exit: &'a InFlightExit, terms: &'a InFlightTerms) -> Option<Self> {
        let now = exit.incarnation().filter(|now| now.phase == InFlightPhase::Active)?;
        Some(Self { exit, now, terms })
    }

    /// The root chain transaction of the newest move of this incarnation that is one of these.
    fn cause(&self, is_one: impl Fn(&InFlightEvent) -> bool) -> H256 {
        let found =
            self.exit.moves.iter().rev().find(|told| {
                is_one(&told.event) || matches!(told.event, InFlightEvent::Started(_))
            });
        found.map_or(self.now.root_chain_txhash, |told| told.root_chain_txhash)
    }

    /// The last word about canonicity.
    fn last_word(&self) -> H256 {
        self.cause(|event| {
            matches!(event, InFlightEvent::Challenged(_) | InFlightEvent::Responded(_))
        })
    }

    fn duty(&self, task: Task, cause: H256, call: Call, due_s: u64, reward_wei: U256) -> Duty {
        Duty {
            id: DutyId { exit_id: self.exit.exit_id, cause, task },
            call,
            opens_s: self.now.started_at_s,
            due_s,
            closes_s: None,
            reward_wei,
            at_stake_wei: None,
        }
    }

    fn contest(&self, input_index: u16, call: Call) -> Duty {
        let task = Task::ChallengeInFlightExit { input_index };
        // The last second of the first phase.
        let ends_s = self.now.first_phase_ends_s(self.terms.min_exit_period_s).saturating_sub(1);
        let duty = self.duty(task, self.last_word(), call, ends_s, self.terms.bond_wei);
        Duty { closes_s: Some(ends_s), ..duty }
    }

    fn respond(&self, data: CanonicityResponse, proof: InclusionProof) -> Duty {
        let position = UtxoPos::new(data.tx_pos.blknum, data.tx_pos.txindex, OutputIndex::new(0));
        let in_flight_tx = data.in_flight_tx;
        let call = CanonicityProof { in_flight_tx, position, proof };
        let call = Call::RespondToNonCanonicalChallenge(Box::new(call));
        let exitable = self.now.active_piggybacks().map(|(_, piggyback)| piggyback.exitable_at_s);
        let whole_s = self.now.started_at_s.saturating_add(self.terms.min_exit_period_s);
        let due_s = exitable.min().unwrap_or(whole_s);
        self.duty(Task::RespondToChallenge, self.last_word(), call, due_s, self.terms.bond_wei)
    }

    fn block(&self, slot: PiggybackSlot, call: Call) -> Option<Duty> {
        let index = slot.index;
        let (task, offset) = match slot.side {
            PiggybackSide::Input => (Task::BlockInput { index }, 0),
            PiggybackSide::Output => (Task::BlockOutput { index }, MAX_INPUTS),
        };
        let is_it = |event: &InFlightEvent| matches!(event, InFlightEvent::Piggybacked { slot: at, .. } if *at == slot);
        let bonds = self.terms.piggyback_bonds_wei.iter().skip(offset);
        let bond_wei = bonds.copied().nth(index.into())?;
        let due_s = self.now.piggybacks.get(&slot)?.exitable_at_s;
        Some(self.duty(task, self.cause(is_it), call, due_s, bond_wei))
    }
}

impl Incarnation {
    /// When its first phase ends, in seconds: the contracts take piggybacks and competitors strictly before.
    pub const fn first_phase_ends_s(&self, min_exit_period_s: u64) -> u64 {
        self.started_at_s.saturating_add(min_exit_period_s / 2)
    }

    /// Whether anybody may delete it now: nobody ever joined, and nobody can any more.
    pub fn is_deletable(&self, min_exit_period_s: u64, now_s: u64) -> bool {
        self.phase == InFlightPhase::Active
            && self.piggybacks.is_empty()
            && self.first_phase_ends_s(min_exit_period_s) <= now_s
    }
}

/// `None` when the competitor is included, and the proof of that cannot be found.
fn contest(
    data: CompetitorData,
    included: Option<(TxPos, Option<InclusionProof>)>,
) -> Option<Call> {
    let included = match included {
        None => None,
        Some((at, proof)) => {
            Some((UtxoPos::new(at.blknum, at.txindex, OutputIndex::new(0)), proof?))
        }
    };
    Some(Call::ChallengeInFlightExitNotCanonical(Box::new(CompetitorProof {
        input_tx: data.input_tx,
        input_position: data.input_position,
        in_flight_tx: data.in_flight_tx,
        in_flight_input_index: data.in_flight_input_index,
        competing_tx: data.competing_tx,
        competing_input_index: data.competing_input_index,
        included,
        competing_signature: data.competing_signature,
    })))
}

fn block_input(data: InputChallengeData) -> Call {
    Call::ChallengeInFlightExitInputSpent(Box::new(InputSpentProof {
        in_flight_tx: data.in_flight_tx,
        in_flight_input_index: data.in_flight_input_index,
        challenging_tx: data.spend.tx_bytes,
        challenging_input_index: data.spend.input_index,
        challenging_signature: data.spend.signature,
        input_tx: data.input_tx,
        input_position: data.input_position,
    }))
}

fn block_output(data: OutputChallengeData, in_flight_proof: InclusionProof) -> Call {
    Call::ChallengeInFlightExitOutputSpent(Box::new(OutputSpentProof {
        in_flight_tx: data.in_flight_tx,
        in_flight_proof,
        output_position: data.output_position,
        challenging_tx: data.spend.tx_bytes,
        challenging_input_index: data.spend.input_index,
        challenging_signature: data.spend.signature,
    }))
}

const fn tx_pos(output: UtxoPos) -> TxPos {
    TxPos { blknum: output.blknum, txindex: output.txindex }
}
