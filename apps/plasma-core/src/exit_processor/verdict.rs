//! Whether one standard exit is valid, by what is known about its output (protocol 5.5).

use super::StandardExit;
use super::challenge::Spend;
use crate::db_update::{Spender, TxPos, UtxoKey};
use crate::state::OutputFact;
use crate::wire::{Blknum, SignedTx, TxHash, TypedDataDomain, UtxoPos};
use std::collections::BTreeMap;

/// What is known about an output that an exit is about, all of it read from the store at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExitFact {
    /// What the ledger knows; `None` when the output never was.
    pub output: Option<OutputFact>,
    /// The signed bytes of the transaction that spent it, when the ledger says that one did.
    pub spent_by: Option<Box<[u8]>>,
    /// The signed bytes that the quarantine holds under the owner and the output, at most [`QUARANTINED_SPENDS_MAX`] of them.
    pub quarantined: Vec<Box<[u8]>>,
    /// The signed bytes that exit events told of
    /// ([`PutInFlightSpend`](super::ExitProcessorUpdate::PutInFlightSpend)) under the owner and the output, at most
    /// [`IN_FLIGHT_SPENDS_MAX`](super::IN_FLIGHT_SPENDS_MAX) of them.
    pub in_flight: Vec<Box<[u8]>>,
}

/// Most quarantined spends that facts hold about one output: of any two, one is not the transaction that is judged.
pub const QUARANTINED_SPENDS_MAX: usize = 2;

/// Facts by output and owner.
pub type ExitFacts = BTreeMap<UtxoKey, ExitFact>;

/// How an exit is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not judged: nobody looked yet, or the output is in a block that is not in the ledger.
    #[default]
    Open,
    /// The output is there to leave.
    Valid,
    /// It left with another exit.
    Superseded,
    /// The output was spent, or never was.
    Invalid {
        /// The transaction that spent it.
        spending_txhash: Option<TxHash>,
        /// Whether nothing but exit events told of that transaction: it took from nobody as long as it is in no block.
        is_told: bool,
    },
}

/// Where the part of the ledger ends that the root chain agrees with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LedgerEdge {
    /// The number of the block the ledger takes next.
    pub(super) next: Blknum,
    /// The block of the chain's fault.
    pub(super) fault: Option<Blknum>,
}

impl LedgerEdge {
    /// The first operator block that exits are not measured by.
    pub(super) fn blknum(self) -> Blknum {
        self.fault.map_or(self.next, |fault| fault.min(self.next))
    }

    /// Whether the ledger says nothing about this output. Deposits come from the root chain, whatever the operator does.
    pub(super) fn is_ahead(self, position: UtxoPos) -> bool {
        !position.blknum.is_deposit() && position.blknum >= self.blknum()
    }

    /// Whether the root chain agrees that something is included here.
    pub(super) fn vouches_for(self, at: TxPos) -> bool {
        self.fault.is_none_or(|fault| at.blknum < fault)
    }
}

impl ExitFact {
    /// The spend of the exiting output by the one who exits, if there is one, wherever it is.
    pub(super) fn spend(&self, exit: &StandardExit, domain: &TypedDataDomain) -> Option<Spend> {
        let edge = LedgerEdge { next: Blknum::default(), fault: None };
        let known = self.spends(exit.key(), edge, domain).next();
        known.map(|known| known.spend)
    }
}

/// Judges an exit. The rules are numbered in `docs/protocol/exits.md`.
pub(super) fn judge(
    exit: &StandardExit,
    fact: &ExitFact,
    edge: LedgerEdge,
    domain: &TypedDataDomain,
) -> Verdict {
    let invalid = |spending_txhash| Verdict::Invalid { spending_txhash, is_told: false };
    if !exit.is_consistent() {
        return invalid(None); // E6
    }
    if let Some(known) = fact.spends(exit.key(), edge, domain).next() {
        let spending_txhash = Some(known.spend.tx_hash);
        return Verdict::Invalid { spending_txhash, is_told: known.is_told }; // E7
    }
    if edge.is_ahead(exit.position) {
        return Verdict::Open; // E8
    }
    match fact.output {
        Some(OutputFact::Unspent(owner, utxo))
            if (owner, utxo.currency, utxo.amount) == (exit.owner, exit.currency, exit.amount) =>
        {
            Verdict::Valid // E9
        }
        Some(OutputFact::Gone(Spender::Exit(exit_id))) if exit_id != exit.exit_id => {
            Verdict::Superseded // E10
        }
        Some(OutputFact::Gone(Spender::Exit(_))) => Verdict::Valid, // E10
        None if exit.position.blknum.is_deposit() => Verdict::Open, // E11
        Some(OutputFact::Gone(Spender::Transaction(_))) => {
            let spent_by = fact.spent_by.as_deref();
            let spending = spent_by.and_then(|bytes| SignedTx::decode(bytes).ok());
            invalid(spending.map(|signed| signed.hash())) // E9
        }
        Some(OutputFact::Unspent(..)) | None => invalid(None), // E9
    }
}
