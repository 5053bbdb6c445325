//! Outputs that leave through the root chain (protocol 3.5).

use super::State;
use super::utxo_set::{OutputFact, OutputFacts};
use crate::db_update::{Spender, StateUpdate, UtxoKey};
use crate::wire::{ExitId, UtxoPos};

/// An output that an exit takes off the child chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exiting {
    /// Which output.
    pub position: UtxoPos,
    /// Which exit.
    pub exit_id: ExitId,
}

/// Which of the exiting outputs were there to leave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExitsOutcome {
    /// Removed now, or removed by the same exit before.
    pub valid: Vec<Exiting>,
    /// Not there: never was, spent, or taken by another exit.
    pub invalid: Vec<Exiting>,
}

impl State {
    /// Takes outputs off the ledger. A transaction that already spent one in the pending block stays.
    ///
    /// `facts` holds what the store knows of the [`State::unknown`] positions.
    ///
    /// # After a restart
    /// The same exits again change nothing and are valid again, since the ledger remembers which exit took an output.
    pub fn exit_utxos(
        &mut self,
        exits: &[Exiting],
        facts: &OutputFacts,
        updates: &mut Vec<StateUpdate>,
    ) -> ExitsOutcome {
        let mut outcome = ExitsOutcome::default();
        for exit in exits {
            let spender = Spender::Exit(exit.exit_id);
            match self.utxos.find(&exit.position, facts) {
                // Nothing of the pending block is on the root chain, so only an in-flight exit can be of it.
                Some(OutputFact::Unspent(owner, _))
                    if exit.position.blknum != self.blknum || exit.exit_id.is_in_flight() =>
                {
                    updates
                        .push(StateUpdate::DeleteUtxo(UtxoKey { owner, position: exit.position }));
                    updates.push(StateUpdate::PutSpend(exit.position, spender));
                    let gone = OutputFact::Gone(spender);
                    if exit.position.blknum == self.blknum {
                        self.utxos.put_fresh(exit.position, gone);
                    } else {
                        self.utxos.put_settled(exit.position, gone);
                    }
                    outcome.valid.push(*exit);
                }
                Some(OutputFact::Gone(by)) if by == spender => outcome.valid.push(*exit),
                Some(_) | None => outcome.invalid.push(*exit),
            }
        }
        outcome
    }
}
