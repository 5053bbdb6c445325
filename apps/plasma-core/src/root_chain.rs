//! What the root chain reports, in the types of the core.
//!
//! Events of our contracts carry everything a node needs to know about them; nothing is ever read from call data.

use crate::wire::{Address, Blknum, Currency, EthHeight, ExitId, H256, U256, UtxoPos};

/// One event of the framework, a vault or the exit game, and where it stands on the root chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EthEvent {
    /// Number of the root chain block.
    pub eth_height: EthHeight,
    /// Hash of the root chain block, to notice that history changed.
    pub eth_block_hash: H256,
    /// The transaction that emitted it.
    pub root_chain_txhash: H256,
    /// Its place among all logs of the block.
    pub log_index: u32,
    /// What happened.
    pub event: RootChainEvent,
}

/// What happened on the root chain (protocol 5.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootChainEvent {
    /// Money came in.
    DepositCreated {
        /// Owner of the new output.
        depositor: Address,
        /// Block the vault gave the deposit.
        blknum: Blknum,
        /// What came in.
        currency: Currency,
        /// How much, in the smallest unit.
        amount: U256,
    },
    /// The operator submitted the root of a block.
    BlockSubmitted {
        /// The number the contract gave it.
        blknum: Blknum,
    },
    /// A standard exit was started.
    ExitStarted {
        /// Who exits.
        owner: Address,
        /// The contract's key.
        exit_id: ExitId,
        /// The exiting output.
        position: UtxoPos,
        /// Unsigned bytes of the transaction that made it.
        output_tx: Box<[u8]>,
        /// Scheduled finalization time, in seconds.
        exitable_at_s: u64,
    },
    /// A standard exit was challenged.
    ExitChallenged {
        /// The output that was exiting.
        position: UtxoPos,
    },
    /// A standard exit was processed and paid.
    ExitFinalized {
        /// The contract's key.
        exit_id: ExitId,
    },
}

/// Kinds of events, to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// [`RootChainEvent::DepositCreated`]
    DepositCreated,
    /// [`RootChainEvent::BlockSubmitted`]
    BlockSubmitted,
    /// [`RootChainEvent::ExitStarted`]
    ExitStarted,
    /// [`RootChainEvent::ExitChallenged`]
    ExitChallenged,
    /// [`RootChainEvent::ExitFinalized`]
    ExitFinalized,
}

impl RootChainEvent {
    /// Its kind.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::DepositCreated { .. } => EventKind::DepositCreated,
            Self::BlockSubmitted { .. } => EventKind::BlockSubmitted,
            Self::ExitStarted { .. } => EventKind::ExitStarted,
            Self::ExitChallenged { .. } => EventKind::ExitChallenged,
            Self::ExitFinalized { .. } => EventKind::ExitFinalized,
        }
    }
}
