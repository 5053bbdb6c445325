//! In-flight exits: a transaction leaves whose inclusion is not known, with whoever joins.
//!
//! A record is nothing but what the root chain said about one exit id, in root chain order; how the exit stands is worked out
//! from it. So no order of reading, no repetition and no reorganisation can lead two watchers to different records.
//! It never depends on the ledger, apart from what became of payments.

use super::canonicity::Canonicity;
use super::piggyback::{Piggyback, PiggybackPhase};
use crate::db_update::{TxPos, UtxoKey};
use crate::root_chain::{
    EthEvent, InFlightExitChallenge, InFlightExitStart, PiggybackSlot, RootChainEvent,
};
use crate::wire::{
    Address, EthHeight, ExitId, H256, Output, OutputIndex, Transaction, TxHash, UtxoPos, keccak256,
};
use std::collections::{BTreeMap, BTreeSet};

/// Everything the root chain said about one exit id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlightExit {
    /// The contract's key. It is made of the transaction, so it names the transaction as well.
    pub exit_id: ExitId,
    /// What happened, in root chain order. (`I1`)
    pub moves: Vec<InFlightMove>,
}

/// One event of an in-flight exit, and where it stands on the root chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlightMove {
    /// Number of the root chain block.
    pub eth_height: EthHeight,
    /// Place among all logs of the block.
    pub log_index: u32,
    /// Hash of the root chain block.
    pub eth_block_hash: H256,
    /// The root chain transaction that emitted it.
    pub root_chain_txhash: H256,
    /// What happened.
    pub event: InFlightEvent,
}

/// What happened to an in-flight exit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InFlightEvent {
    /// It was started, perhaps again.
    Started(Box<InFlightExitStart>),
    /// An owner joined.
    Piggybacked {
        /// With which input or output.
        slot: PiggybackSlot,
        /// Whom it will be paid to.
        exit_target: Address,
        /// Scheduled finalization time, in seconds.
        exitable_at_s: u64,
    },
    /// A piggyback was challenged with a spend: it pays nothing.
    Blocked(PiggybackSlot),
    /// A competitor was shown.
    Challenged(Box<InFlightExitChallenge>),
    /// The transaction was shown to be included here.
    Responded(TxPos),
    /// A piggyback was paid.
    Withdrawn(PiggybackSlot, Payment),
    /// It was deleted, for nobody took part.
    Deleted,
    /// It is over.
    Finalized,
}

/// What is known about a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Payment {
    /// The ledger was not asked yet.
    Due,
    /// What was paid was there to leave.
    Rightful,
    /// Money left that belonged to somebody else.
    Wrongful,
}

/// How the newest incarnation of an exit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InFlightPhase {
    /// Started, and neither deleted nor finalized.
    Active,
    /// Deleted: the contract forgot it. It may be started again.
    Deleted,
    /// Over. It may be started again.
    Finalized,
}

/// How an exit stands, from its newest start on. (`I2`)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incarnation {
    /// Where it was started.
    pub eth_height: EthHeight,
    /// The root chain transaction that started it.
    pub root_chain_txhash: H256,
    /// When it was started, in seconds.
    pub started_at_s: u64,
    /// What became of it.
    pub phase: InFlightPhase,
    /// Whether the contract counts the transaction as canonical.
    pub canonicity: Canonicity,
    /// Who joined, also those that were blocked or paid since.
    pub piggybacks: BTreeMap<PiggybackSlot, Piggyback>,
}

/// The transaction of an exit in a form to work with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InFlightTx {
    pub(super) tx_hash: TxHash,
    /// What it spends, each with the owner.
    pub(super) inputs: Vec<UtxoKey>,
    /// Who owns what it makes.
    pub(super) output_owners: Vec<Address>,
}

impl InFlightMove {
    /// The move that an event tells, and of which exit. `None` for other events, and for an omission, which changes nothing.
    pub fn from_event(event: &EthEvent) -> Option<(ExitId, Self)> {
        use RootChainEvent as Event;
        let (exit_id, what) = match &event.event {
            Event::InFlightExitStarted(start) => {
                (start.exit_id, InFlightEvent::Started(start.clone()))
            }
            Event::InFlightExitPiggybacked {
                exit_id, slot, exit_target, exitable_at_s, ..
            } => {
                let (slot, exit_target, exitable_at_s) = (*slot, *exit_target, *exitable_at_s);
                (*exit_id, InFlightEvent::Piggybacked { slot, exit_target, exitable_at_s })
            }
            Event::InFlightExitPiggybackBlocked { exit_id, slot, .. } => {
                (*exit_id, InFlightEvent::Blocked(*slot))
            }
            Event::InFlightExitChallenged(challenge) => {
                (challenge.exit_id, InFlightEvent::Challenged(challenge.clone()))
            }
            Event::InFlightExitChallengeResponded { exit_id, tx_pos, .. } => {
                (*exit_id, InFlightEvent::Responded(*tx_pos))
            }
            Event::InFlightExitPiggybackWithdrawn { exit_id, slot } => {
                (*exit_id, InFlightEvent::Withdrawn(*slot, Payment::Due))
            }
            Event::InFlightExitDeleted { exit_id } => (*exit_id, InFlightEvent::Deleted),
            Event::InFlightExitFinalized { exit_id } => (*exit_id, InFlightEvent::Finalized),
            Event::InFlightExitOmitted { .. }
            | Event::DepositCreated { .. }
            | Event::BlockSubmitted { .. }
            | Event::ExitStarted { .. }
            | Event::ExitChallenged { .. }
            | Event::ExitFinalized { .. } => return None,
        };
        let told = Self {
            eth_height: event.eth_height,
            log_index: event.log_index,
            eth_block_hash: event.eth_block_hash,
            root_chain_txhash: event.root_chain_txhash,
            event: what,
        };
        Some((exit_id, told))
    }

    /// Where it stands in the order of all root chain events.
    pub(super) const fn place(&self) -> (EthHeight, u32) {
        (self.eth_height, self.log_index)
    }

    /// Whether both cannot be on the same branch: a height has one block, and a root chain transaction is in one block.
    fn excludes(&self, other: &Self) -> bool {
        self.eth_block_hash != other.eth_block_hash
            && (self.eth_height == other.eth_height
                || self.root_chain_txhash == other.root_chain_txhash)
    }
}

impl InFlightExit {
    /// An exit of which nothing is known.
    pub(super) const fn unknown(exit_id: ExitId) -> Self {
        Self { exit_id, moves: Vec::new() }
    }

    /// Takes a move; says whether it was news. What stood on a branch that is gone is forgotten. (`I1`)
    pub(super) fn take(&mut self, news: InFlightMove) -> bool {
        let same = |known: &InFlightMove| {
            known.place() == news.place() && known.eth_block_hash == news.eth_block_hash
        };
        if self.moves.iter().any(same) {
            return false;
        }
        self.moves.retain(|known| !known.excludes(&news));
        let at = self.moves.partition_point(|known| known.place() < news.place());
        self.moves.insert(at, news);
        true
    }

    /// The newest start; `None` while it is unknown.
    pub fn start(&self) -> Option<&InFlightExitStart> {
        self.moves.iter().rev().find_map(|known| match &known.event {
            InFlightEvent::Started(start) => Some(&**start),
            _ => None,
        })
    }

    /// How the exit stands; `None` while its start is unknown. (`I2`)
    pub fn incarnation(&self) -> Option<Incarnation> {
        let mut newest: Option<Incarnation> = None;
        for told in &self.moves {
            if let InFlightEvent::Started(start) = &told.event {
                newest = Some(Incarnation {
                    eth_height: told.eth_height,
                    root_chain_txhash: told.root_chain_txhash,
                    started_at_s: start.started_at_s,
                    phase: InFlightPhase::Active,
                    canonicity: Canonicity::Canonical { included_at: None },
                    piggybacks: BTreeMap::new(),
                });
            } else if let Some(incarnation) = &mut newest {
                incarnation.apply(told);
            }
        }
        newest
    }

    /// Whether it still needs watching: it can be paid, a payment waits for the ledger, or a payment is an alarm that never
    /// ends.
    pub fn is_active(&self) -> bool {
        let is_open = self.moves.iter().any(|told| {
            matches!(told.event, InFlightEvent::Withdrawn(_, Payment::Due | Payment::Wrongful))
        });
        is_open || self.incarnation().is_some_and(|now| now.phase == InFlightPhase::Active)
    }

    /// What was paid wrongly, whenever that was.
    pub(super) fn paid_wrongfully(&self) -> BTreeSet<PiggybackSlot> {
        let wrongful = self.moves.iter().filter_map(|told| match told.event {
            InFlightEvent::Withdrawn(slot, Payment::Wrongful) => Some(slot),
            _ => None,
        });
        wrongful.collect()
    }

    /// The outputs that the transaction spends, each with its owner: what facts are needed about to judge or challenge the exit.
    /// Empty when the parts of the exit do not fit together.
    pub fn input_keys(&self) -> Vec<UtxoKey> {
        self.tx().map(|tx| tx.inputs).unwrap_or_default()
    }

    /// The transaction, if the parts of the exit fit together. The contracts let nothing else start. (`I3`)
    pub(super) fn tx(&self) -> Option<InFlightTx> {
        let start = self.start()?;
        let tx_hash = keccak256(&start.tx_bytes);
        let is_named = start.exit_id == ExitId::in_flight(&start.tx_bytes)
            && start.exit_id == self.exit_id
            && start.tx_hash == tx_hash;
        let Ok(Transaction::Payment(payment)) = Transaction::decode_unsigned(&start.tx_bytes)
        else {
            return None;
        };
        let positions = payment.inputs.iter().map(|input| input.position());
        let is_told = positions.eq(start.input_positions.iter().copied().map(Some));
        if !is_named || !is_told || start.input_positions.is_empty() {
            return None;
        }
        let made = start.input_positions.iter().zip(&start.input_txs);
        let inputs = made.filter_map(|(position, made_by)| {
            let owner = output_of(made_by, position.oindex)?.owner;
            Some(UtxoKey { owner, position: *position })
        });
        let inputs: Vec<UtxoKey> = inputs.collect();
        let output_owners = payment.outputs.iter().map(|output| output.owner).collect();
        let is_whole = inputs.len() == start.input_positions.len();
        is_whole.then_some(InFlightTx { tx_hash, inputs, output_owners })
    }
}

impl Incarnation {
    fn apply(&mut self, told: &InFlightMove) {
        match &told.event {
            InFlightEvent::Piggybacked { slot, exit_target, exitable_at_s } => {
                let piggyback = Piggyback {
                    eth_height: told.eth_height,
                    exit_target: *exit_target,
                    exitable_at_s: *exitable_at_s,
                    phase: PiggybackPhase::Active,
                };
                self.piggybacks.insert(*slot, piggyback);
            }
            InFlightEvent::Blocked(slot) => self.close(*slot, PiggybackPhase::Blocked),
            InFlightEvent::Withdrawn(slot, _) => self.close(*slot, PiggybackPhase::Withdrawn),
            InFlightEvent::Challenged(challenge) => {
                self.canonicity =
                    Canonicity::NonCanonical { competitor: challenge.competing_tx_pos };
            }
            InFlightEvent::Responded(tx_pos) => {
                self.canonicity = Canonicity::Canonical { included_at: Some(*tx_pos) };
            }
            InFlightEvent::Deleted => self.phase = InFlightPhase::Deleted,
            InFlightEvent::Finalized => self.phase = InFlightPhase::Finalized,
            InFlightEvent::Started(_) => {}
        }
    }

    fn close(&mut self, slot: PiggybackSlot, phase: PiggybackPhase) {
        if let Some(piggyback) = self.piggybacks.get_mut(&slot) {
            piggyback.phase = phase;
        }
    }

    /// Whether somebody joined with this input or output while the exit can be paid, blocked or not. (`I18`)
    pub fn may_pay(&self, slot: PiggybackSlot) -> bool {
        self.phase == InFlightPhase::Active && self.piggybacks.contains_key(&slot)
    }

    /// Piggybacks that wait to be paid.
    pub fn active_piggybacks(&self) -> impl Iterator<Item = (PiggybackSlot, &Piggyback)> {
        let all = self.piggybacks.iter();
        all.filter(|(_, piggyback)| piggyback.phase == PiggybackPhase::Active)
            .map(|(slot, piggyback)| (*slot, piggyback))
    }
}

impl InFlightTx {
    /// The outputs it makes where it is included, each with its owner.
    pub(super) fn outputs_at(&self, at: TxPos) -> impl Iterator<Item = UtxoKey> {
        let owners = self.output_owners.iter();
        (0..).zip(owners).map(move |(oindex, owner)| {
            let position = UtxoPos::new(at.blknum, at.txindex, OutputIndex::new(oindex));
            UtxoKey { owner: *owner, position }
        })
    }
}

/// The output that an input names, if its transaction makes one there.
pub(super) fn output_of(unsigned_tx: &[u8], oindex: OutputIndex) -> Option<Output> {
    let tx = Transaction::decode_unsigned(unsigned_tx).ok()?;
    tx.outputs().get(usize::from(oindex.get())).copied()
}
