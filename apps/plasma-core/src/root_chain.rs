//! What the root chain reports, in the types of the core.
//!
//! Events of our contracts carry everything a node needs to know about them; nothing is ever read from call data.

use crate::wire::{Address, Blknum, Currency, EthHeight, ExitId, H256, U256, UtxoPos};
use std::fmt;

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

/// Where submission stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubmissionState {
    /// The newest root chain block; what follows is as of this block.
    pub eth_height: EthHeight,
    /// The operator's newest block in the contract, 0 for none.
    pub mined_blknum: Blknum,
    /// The nonce of the authority's next transaction, counting mined ones only.
    pub authority_nonce: u64,
    /// The same, also counting those in the node's pool. Read after the rest.
    pub pending_nonce: u64,
}

/// What a transaction costs now (EIP-1559).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeQuote {
    /// What every transaction of the next block pays, in wei per gas.
    pub base_fee_per_gas_wei: u128,
    /// What is usually paid on top to be in the next block, in wei per gas.
    pub priority_fee_per_gas_wei: u128,
}

/// What a transaction offers to pay (EIP-1559).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GasFees {
    /// At most this altogether, in wei per gas.
    pub max_fee_per_gas_wei: u128,
    /// Of which at most this goes to the block's producer, in wei per gas.
    pub max_priority_fee_per_gas_wei: u128,
}

impl FeeQuote {
    /// What to offer so that the transaction stays payable while the base fee doubles (six full blocks in a row).
    pub const fn generous(self) -> GasFees {
        GasFees {
            max_fee_per_gas_wei: self
                .base_fee_per_gas_wei
                .saturating_mul(2)
                .saturating_add(self.priority_fee_per_gas_wei),
            max_priority_fee_per_gas_wei: self.priority_fee_per_gas_wei,
        }
    }
}

/// What a node made of a transaction it was handed (protocol 4.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// It is in the pool.
    Accepted {
        /// Its hash.
        txhash: H256,
    },
    /// The very same transaction was in the pool already.
    AlreadyKnown {
        /// Its hash.
        txhash: H256,
    },
    /// It pays less than the node or the next block wants.
    Underpriced,
    /// Another transaction with the same nonce is in the pool, and this one does not pay enough more to take its place.
    ReplacementUnderpriced,
    /// A transaction with this nonce, this one or another, has been mined.
    NonceTooLow,
    /// The account cannot pay for it.
    InsufficientFunds,
    /// A node that signs by itself does not have the key unlocked.
    AccountLocked,
    /// The node has another reason.
    Refused {
        /// The JSON-RPC error code.
        code: i64,
        /// What the node says about it.
        message: String,
    },
}

impl SubmitOutcome {
    /// The hash of the transaction when it is in the pool.
    pub const fn txhash(&self) -> Option<H256> {
        match self {
            Self::Accepted { txhash } | Self::AlreadyKnown { txhash } => Some(*txhash),
            _ => None,
        }
    }
}

impl fmt::Display for SubmitOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { txhash } => write!(f, "accepted as {txhash:?}"),
            Self::AlreadyKnown { txhash } => write!(f, "already known as {txhash:?}"),
            Self::Underpriced => f.write_str("underpriced"),
            Self::ReplacementUnderpriced => f.write_str("underpriced as a replacement"),
            Self::NonceTooLow => f.write_str("nonce too low"),
            Self::InsufficientFunds => f.write_str("insufficient funds"),
            Self::AccountLocked => f.write_str("account locked"),
            Self::Refused { code, message } => write!(f, "{message} (code {code})"),
        }
    }
}
