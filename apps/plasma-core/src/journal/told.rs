//! Exit events that were told lately: a reorganisation of the root chain brings some of them again, from another block.
//!
//! It must never hold back what happens for the first time, and never tell the same event of the same root chain transaction twice. A
//! transaction that is mined again emits its events again, perhaps with other heights, times and places in the block: none of these
//! counts. Deposits need no memory of their own, for the ledger knows every output there ever was.

use crate::db_update::TxPos;
use crate::root_chain::{EthEvent, EventKind, RootChainEvent};
use crate::wire::{Currency, H256, U256};
use std::collections::{BTreeSet, VecDeque};

/// Exit events that are remembered: more than fit into the root chain blocks that any reorganisation ever replaced.
pub const TOLD_EXIT_EVENTS_MAX: usize = 4_096;

/// What makes an event the one it is: its transaction, and what happened to what.
type Name = (H256, EventKind, U256, Detail);

/// What else tells events of one kind and one exit apart. The kind tells inputs from outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Detail {
    Nothing,
    Slot(u16),
    Shown(Option<TxPos>),
    Queue(Currency),
}

/// The newest ones.
#[derive(Clone, Debug, Default)]
pub(super) struct ToldEvents {
    known: BTreeSet<Name>,
    oldest_first: VecDeque<Name>,
}

impl ToldEvents {
    /// Takes an event; says whether it was news.
    pub(super) fn take(&mut self, event: &EthEvent) -> bool {
        let name = name(event);
        if !self.known.insert(name) {
            return false;
        }
        self.oldest_first.push_back(name);
        if self.oldest_first.len() > TOLD_EXIT_EVENTS_MAX {
            let oldest = self.oldest_first.pop_front();
            oldest.map(|oldest| self.known.remove(&oldest));
        }
        true
    }
}

fn name(event: &EthEvent) -> Name {
    use RootChainEvent as Event;
    let (subject, detail) = match &event.event {
        Event::DepositCreated { blknum, .. } | Event::BlockSubmitted { blknum } => {
            (U256::from(blknum.get()), Detail::Nothing)
        }
        Event::ExitChallenged { position } => (position.encode().into(), Detail::Nothing),
        Event::ExitStarted { exit_id, .. }
        | Event::ExitFinalized { exit_id }
        | Event::ExitOmitted { exit_id }
        | Event::InFlightExitDeleted { exit_id }
        | Event::InFlightExitFinalized { exit_id } => (exit_id.to_u256(), Detail::Nothing),
        Event::InFlightExitStarted(start) => (start.exit_id.to_u256(), Detail::Nothing),
        Event::InFlightExitPiggybacked { exit_id, slot, .. }
        | Event::InFlightExitPiggybackBlocked { exit_id, slot, .. }
        | Event::InFlightExitPiggybackWithdrawn { exit_id, slot } => {
            (exit_id.to_u256(), Detail::Slot(slot.index))
        }
        Event::InFlightExitChallenged(challenge) => {
            (challenge.exit_id.to_u256(), Detail::Shown(challenge.competing_tx_pos))
        }
        Event::InFlightExitChallengeResponded { exit_id, tx_pos, .. } => {
            (exit_id.to_u256(), Detail::Shown(Some(*tx_pos)))
        }
        Event::InFlightExitOmitted { exit_id, currency } => {
            (exit_id.to_u256(), Detail::Queue(*currency))
        }
    };
    (event.root_chain_txhash, event.event.kind(), subject, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{EthHeight, ExitId};

    fn finalized(txhash: u64, exit: u8, height: u64) -> EthEvent {
        EthEvent {
            eth_height: EthHeight::new(height),
            eth_block_hash: H256::from_low_u64_be(height),
            root_chain_txhash: H256::from_low_u64_be(txhash),
            log_index: 7,
            event: RootChainEvent::ExitFinalized { exit_id: ExitId::from_bytes([exit; 20]) },
        }
    }

    #[test]
    fn a_transaction_that_is_mined_again_brings_no_news() {
        let mut told = ToldEvents::default();
        for (event, is_news) in [
            (finalized(1, 1, 10), true),
            (finalized(1, 2, 10), true),
            (finalized(1, 1, 13), false),
            (finalized(2, 1, 13), true),
        ] {
            assert_eq!(told.take(&event), is_news, "{event:?}");
        }
        let mut omitted = finalized(1, 1, 10);
        omitted.event = RootChainEvent::ExitOmitted { exit_id: ExitId::from_bytes([1; 20]) };
        assert!(told.take(&omitted), "something else happened to the same exit");
    }

    #[test]
    fn memory_is_bounded() {
        let mut told = ToldEvents::default();
        let many = u64::try_from(TOLD_EXIT_EVENTS_MAX).unwrap() + 1;
        for txhash in 0..many {
            assert!(told.take(&finalized(txhash, 1, 1)));
        }
        assert_eq!((told.known.len(), told.oldest_first.len()), (4_096, 4_096));
        assert!(!told.take(&finalized(1, 1, 2)), "the newest are known");
        assert!(told.take(&finalized(0, 1, 2)), "the oldest is forgotten");
    }
}
