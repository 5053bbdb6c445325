//! Piggybacks: owners of inputs and outputs of an in-flight transaction who take part in its exit (protocol 5.5).

use super::ExitFacts;
use super::competitor::{Competitor, competitors, included_at};
use super::in_flight_exit::{InFlightTx, Incarnation};
use super::verdict::LedgerEdge;
use crate::byzantine::AvailablePiggyback;
use crate::db_update::{TxPos, UtxoKey};
use crate::root_chain::{PiggybackSide, PiggybackSlot};
use crate::wire::{Address, EthHeight, TxHash, TypedDataDomain, UtxoPos};
use std::collections::BTreeSet;

/// Somebody who joined an in-flight exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piggyback {
    /// Where he joined.
    pub eth_height: EthHeight,
    /// Whom it will be paid to.
    pub exit_target: Address,
    /// Scheduled finalization time in seconds: it can be processed strictly after this.
    pub exitable_at_s: u64,
    /// What became of it.
    pub phase: PiggybackPhase,
}

/// What became of a piggyback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PiggybackPhase {
    /// It can be paid.
    Active,
    /// Challenged with a spend: it pays nothing.
    Blocked,
    /// Paid.
    Withdrawn,
}

/// What the ledger and all evidence say about an in-flight transaction, whoever joined its exit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct InFlightVerdict {
    /// Where the ledger has it.
    pub(super) included_at: Option<TxPos>,
    /// Its oldest competitor.
    pub(super) competitor: Option<Competitor>,
    /// Inputs that another transaction spends, and outputs that any transaction spends.
    pub(super) spent: BTreeSet<PiggybackSlot>,
    /// Those of them of which a block shows it, and every output if a block shows a competitor of a transaction that is in none.
    spent_in_blocks: BTreeSet<PiggybackSlot>,
    /// Inputs that the ledger has as spent in a block that is not to be believed: it does not know whether they are there.
    pub(super) unclear: BTreeSet<UtxoPos>,
}

/// Judges an in-flight transaction. `facts` are about its inputs and, where it is included, about its outputs. (`I5` to `I7`)
pub(super) fn judge_in_flight(
    tx: &InFlightTx,
    facts: &ExitFacts,
    edge: LedgerEdge,
    domain: &TypedDataDomain,
) -> InFlightVerdict {
    let included_at = included_at(tx, facts, edge);
    let competitors = competitors(tx, facts, edge, domain);
    let (mut spent, mut spent_in_blocks) = (BTreeSet::new(), BTreeSet::new());
    for competitor in &competitors {
        let slot = PiggybackSlot::input(competitor.input_index);
        spent.insert(slot);
        if !competitor.is_told {
            spent_in_blocks.insert(slot);
            let outputs = (0..).zip(&tx.output_owners).filter(|_| included_at.is_none());
            spent_in_blocks.extend(outputs.map(|(oindex, _)| PiggybackSlot::output(oindex)));
        }
    }
    let outputs = included_at.into_iter().flat_map(|at| tx.outputs_at(at));
    for (oindex, key) in (0..).zip(outputs) {
        let fact = facts.get(&key);
        // What blocks show comes before what was told.
        if let Some(known) = fact.and_then(|fact| fact.spends(key, edge, domain).next()) {
            let slot = PiggybackSlot::output(oindex);
            spent.insert(slot);
            if !known.is_told {
                spent_in_blocks.insert(slot);
            }
        }
    }
    let competitor = competitors.into_iter().next();
    let is_unclear = |key: &&UtxoKey| {
        facts.get(*key).is_some_and(|fact| fact.is_spent() && fact.spent_at(edge).is_none())
    };
    let unclear = tx.inputs.iter().filter(is_unclear).map(|key| key.position).collect();
    InFlightVerdict { included_at, competitor, spent, spent_in_blocks, unclear }
}

impl InFlightVerdict {
    /// The competitor that the contract should be shown. (`I8`)
    pub(super) fn viable_competitor(&self, now: &Incarnation) -> Option<TxHash> {
        let competitor = self.competitor.as_ref()?;
        let is_viable = now.canonicity.is_viable(self.included_at, competitor);
        is_viable.then_some(competitor.spend.tx_hash)
    }

    /// Whether a block shows a competitor: who was paid there would lose.
    pub(super) fn takes_from_somebody(&self) -> bool {
        self.spent_in_blocks.iter().any(|slot| slot.side == PiggybackSide::Input)
    }

    /// Whether a payment of this takes from somebody. (`I17`)
    pub(super) fn is_wrong_to_pay(&self, slot: PiggybackSlot) -> bool {
        self.spent_in_blocks.contains(&slot)
    }
}

/// What can still be piggybacked on one side: what nobody ever did in this incarnation. (`I13`)
pub(super) fn available(
    side: PiggybackSide,
    owners: impl Iterator<Item = Address>,
    now: &Incarnation,
) -> Vec<AvailablePiggyback> {
    let all = (0..).zip(owners).map(|(index, owner)| AvailablePiggyback { index, owner });
    all.filter(|free| !now.piggybacks.contains_key(&PiggybackSlot { side, index: free.index }))
        .collect()
}
