//! Standard exits: one output of an included transaction leaves.
//!
//! Whatever the root chain reports is kept as it is: bytes that make no sense are recorded and later judged invalid, never
//! dropped (`E6`).

use crate::db_update::UtxoKey;
use crate::root_chain::{EthEvent, RootChainEvent};
use crate::wire::{Address, Currency, EthHeight, ExitId, H256, Output, Transaction, U256, UtxoPos};

/// A standard exit as the root chain reported it, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandardExit {
    /// The contract's key.
    pub exit_id: ExitId,
    /// The exiting output.
    pub position: UtxoPos,
    /// Who exits: the owner of the output.
    pub owner: Address,
    /// What leaves; zero when the transaction says nothing about it.
    pub currency: Currency,
    /// How much leaves, in the smallest unit; zero when the transaction says nothing about it.
    pub amount: U256,
    /// Unsigned bytes of the transaction that made the output.
    pub exiting_tx: Box<[u8]>,
    /// Where the exit was started.
    pub eth_height: EthHeight,
    /// Place of the start among all logs of its root chain block: an exit can be started again in the block of its omission.
    pub log_index: u32,
    /// The root chain transaction that started it.
    pub root_chain_txhash: H256,
    /// Scheduled finalization time in seconds: it can be processed strictly after this.
    pub exitable_at_s: u64,
    /// What became of it.
    pub phase: StandardExitPhase,
}

/// What became of a standard exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StandardExitPhase {
    /// Started, and neither challenged nor processed.
    Active,
    /// Challenged with a spend: it pays nothing.
    Challenged,
    /// Processed, and the output was there to leave.
    Finalized,
    /// Processed although the output was spent or never was: money left that belonged to somebody else.
    FinalizedInvalid,
    /// Processed without a payment, because the output had left with another exit.
    Omitted,
}

impl StandardExitPhase {
    /// Whether the exit still needs watching: it can be paid, or its payment is an alarm that never ends (protocol 5.4).
    pub const fn is_active(self) -> bool {
        match self {
            Self::Active | Self::FinalizedInvalid => true,
            Self::Challenged | Self::Finalized | Self::Omitted => false,
        }
    }
}

impl StandardExit {
    /// The exit that an `ExitStarted` event starts; `None` for other events.
    pub fn from_event(event: &EthEvent) -> Option<Self> {
        let RootChainEvent::ExitStarted { owner, exit_id, position, output_tx, exitable_at_s } =
            &event.event
        else {
            return None;
        };
        let output = output_of(output_tx, *position);
        let (currency, amount) = output.map_or_else(
            || (Currency::zero(), U256::zero()),
            |output| (output.currency, output.amount),
        );
        Some(Self {
            exit_id: *exit_id,
            position: *position,
            owner: *owner,
            currency,
            amount,
            exiting_tx: output_tx.clone(),
            eth_height: event.eth_height,
            log_index: event.log_index,
            root_chain_txhash: event.root_chain_txhash,
            exitable_at_s: *exitable_at_s,
            phase: StandardExitPhase::Active,
        })
    }

    /// Whether the parts of the exit fit together: the transaction decodes, it makes the output that leaves, and the id is
    /// theirs. The contracts let nothing else start. (`E6`)
    pub fn is_consistent(&self) -> bool {
        let output = output_of(&self.exiting_tx, self.position);
        let fits = output.is_some_and(|output| {
            (output.owner, output.currency, output.amount)
                == (self.owner, self.currency, self.amount)
        });
        fits && ExitId::standard(&self.exiting_tx, self.position) == Some(self.exit_id)
    }

    /// The output, under the one who exits it.
    pub(super) const fn key(&self) -> UtxoKey {
        UtxoKey { owner: self.owner, position: self.position }
    }

    /// Where it was started in the order of all root chain events.
    pub(super) const fn place(&self) -> (EthHeight, u32) {
        (self.eth_height, self.log_index)
    }
}

fn output_of(unsigned_tx: &[u8], position: UtxoPos) -> Option<Output> {
    let tx = Transaction::decode_unsigned(unsigned_tx).ok()?;
    tx.outputs().get(usize::from(position.oindex.get())).copied()
}
