//! What the root chain reports, in the types of the core.
//!
//! Events of our contracts carry everything a node needs to know about them; nothing is ever read from call data.

use crate::db_update::TxPos;
use crate::wire::{
    Address, Blknum, BlockHash, Currency, EthHeight, ExitId, H256, TxHash, U256, UtxoPos, keccak256,
};
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

impl EthEvent {
    /// `root_chain_txhash_event`, by which the WatcherDB knows an event (protocol 7.2): the hash of the transaction's hash as text and
    /// the decimal number of the log.
    pub fn root_chain_txhash_event(&self) -> H256 {
        keccak256(format!("{:#x}{}", self.root_chain_txhash, self.log_index).as_bytes())
    }
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
    /// A standard exit left the queue unpaid: it was challenged, or its output had left with another exit.
    ExitOmitted {
        /// The contract's key.
        exit_id: ExitId,
    },
    /// An in-flight exit was started.
    InFlightExitStarted(Box<InFlightExitStart>),
    /// The owner of an input or an output joined an in-flight exit with a bond.
    InFlightExitPiggybacked {
        /// The contract's key.
        exit_id: ExitId,
        /// The in-flight transaction.
        tx_hash: TxHash,
        /// Which input or output.
        slot: PiggybackSlot,
        /// Whom it will be paid to.
        exit_target: Address,
        /// Scheduled finalization time, in seconds.
        exitable_at_s: u64,
    },
    /// Somebody showed that a piggybacked input or output was spent by another transaction.
    InFlightExitPiggybackBlocked {
        /// The contract's key.
        exit_id: ExitId,
        /// The in-flight transaction.
        tx_hash: TxHash,
        /// Which input or output.
        slot: PiggybackSlot,
        /// Who showed it.
        challenger: Address,
    },
    /// Somebody showed a competitor: the in-flight transaction counts as non-canonical.
    InFlightExitChallenged(Box<InFlightExitChallenge>),
    /// Somebody showed where the in-flight transaction is included: it counts as canonical again.
    InFlightExitChallengeResponded {
        /// The contract's key.
        exit_id: ExitId,
        /// The in-flight transaction.
        tx_hash: TxHash,
        /// Who showed it.
        challenger: Address,
        /// Where it is included.
        tx_pos: TxPos,
    },
    /// A piggybacked input or output was processed and paid.
    InFlightExitPiggybackWithdrawn {
        /// The contract's key.
        exit_id: ExitId,
        /// Which input or output.
        slot: PiggybackSlot,
    },
    /// An in-flight exit that nobody takes part in was deleted.
    InFlightExitDeleted {
        /// The contract's key.
        exit_id: ExitId,
    },
    /// An in-flight exit was processed in the queues of all its currencies, and is over.
    InFlightExitFinalized {
        /// The contract's key.
        exit_id: ExitId,
    },
    /// A place in an exit queue came up that an earlier start of an in-flight exit left behind, or whose currency does not wait.
    /// Nothing changed. The contract is made so that there is no such place; what is paid nothing says nothing.
    InFlightExitOmitted {
        /// The contract's key.
        exit_id: ExitId,
        /// Which queue.
        currency: Currency,
    },
}

/// The start of an in-flight exit. Bytes are as the contract got them; it checked them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlightExitStart {
    /// The contract's key.
    pub exit_id: ExitId,
    /// The in-flight transaction.
    pub tx_hash: TxHash,
    /// Who started the exit: anybody may.
    pub initiator: Address,
    /// When, in seconds of root chain time.
    pub started_at_s: u64,
    /// Unsigned bytes of the in-flight transaction.
    pub tx_bytes: Box<[u8]>,
    /// What it spends, in the order of its inputs.
    pub input_positions: Vec<UtxoPos>,
    /// The signature of each input's owner, in the same order.
    pub witnesses: Vec<Box<[u8]>>,
    /// Unsigned bytes of the transactions that made the inputs, in the same order.
    pub input_txs: Vec<Box<[u8]>>,
}

/// A challenge of the canonicity of an in-flight exit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlightExitChallenge {
    /// The contract's key of the exit.
    pub exit_id: ExitId,
    /// The in-flight transaction.
    pub tx_hash: TxHash,
    /// Who showed the competitor.
    pub challenger: Address,
    /// Where the competitor is included; `None` when it is shown without a block (`2^256 - 1` in the event).
    pub competing_tx_pos: Option<TxPos>,
    /// Which input of the in-flight transaction the competitor spends, too.
    pub input_index: u16,
    /// Unsigned bytes of the competitor.
    pub competing_tx: Box<[u8]>,
    /// Which of its inputs spends it.
    pub competing_input_index: u16,
    /// The owner's signature of the competitor.
    pub competing_witness: Box<[u8]>,
}

/// Which side of an in-flight transaction a piggyback is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PiggybackSide {
    /// What the transaction spends: paid if it is not canonical.
    Input,
    /// What the transaction makes: paid if it is canonical.
    Output,
}

/// One input or output of an in-flight transaction. Inputs come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PiggybackSlot {
    /// Which side.
    pub side: PiggybackSide,
    /// Which of that side.
    pub index: u16,
}

impl PiggybackSlot {
    /// An input.
    pub const fn input(index: u16) -> Self {
        Self { side: PiggybackSide::Input, index }
    }

    /// An output.
    pub const fn output(index: u16) -> Self {
        Self { side: PiggybackSide::Output, index }
    }
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
    /// [`RootChainEvent::ExitOmitted`]
    ExitOmitted,
    /// [`RootChainEvent::InFlightExitStarted`]
    InFlightExitStarted,
    /// [`RootChainEvent::InFlightExitPiggybacked`] of an input
    InFlightExitInputPiggybacked,
    /// [`RootChainEvent::InFlightExitPiggybacked`] of an output
    InFlightExitOutputPiggybacked,
    /// [`RootChainEvent::InFlightExitPiggybackBlocked`] of an input
    InFlightExitInputBlocked,
    /// [`RootChainEvent::InFlightExitPiggybackBlocked`] of an output
    InFlightExitOutputBlocked,
    /// [`RootChainEvent::InFlightExitChallenged`]
    InFlightExitChallenged,
    /// [`RootChainEvent::InFlightExitChallengeResponded`]
    InFlightExitChallengeResponded,
    /// [`RootChainEvent::InFlightExitPiggybackWithdrawn`] of an input
    InFlightExitInputWithdrawn,
    /// [`RootChainEvent::InFlightExitPiggybackWithdrawn`] of an output
    InFlightExitOutputWithdrawn,
    /// [`RootChainEvent::InFlightExitDeleted`]
    InFlightExitDeleted,
    /// [`RootChainEvent::InFlightExitFinalized`]
    InFlightExitFinalized,
    /// [`RootChainEvent::InFlightExitOmitted`]
    InFlightExitOmitted,
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
            Self::ExitOmitted { .. } => EventKind::ExitOmitted,
            Self::InFlightExitStarted(_) => EventKind::InFlightExitStarted,
            Self::InFlightExitPiggybacked { slot, .. } => match slot.side {
                PiggybackSide::Input => EventKind::InFlightExitInputPiggybacked,
                PiggybackSide::Output => EventKind::InFlightExitOutputPiggybacked,
            },
            Self::InFlightExitPiggybackBlocked { slot, .. } => match slot.side {
                PiggybackSide::Input => EventKind::InFlightExitInputBlocked,
                PiggybackSide::Output => EventKind::InFlightExitOutputBlocked,
            },
            Self::InFlightExitChallenged(_) => EventKind::InFlightExitChallenged,
            Self::InFlightExitChallengeResponded { .. } => {
                EventKind::InFlightExitChallengeResponded
            }
            Self::InFlightExitPiggybackWithdrawn { slot, .. } => match slot.side {
                PiggybackSide::Input => EventKind::InFlightExitInputWithdrawn,
                PiggybackSide::Output => EventKind::InFlightExitOutputWithdrawn,
            },
            Self::InFlightExitDeleted { .. } => EventKind::InFlightExitDeleted,
            Self::InFlightExitFinalized { .. } => EventKind::InFlightExitFinalized,
            Self::InFlightExitOmitted { .. } => EventKind::InFlightExitOmitted,
        }
    }
}

/// A child chain block as the framework knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildBlock {
    /// Merkle root of its transactions.
    pub root: BlockHash,
    /// When it was submitted, in seconds since 1970.
    pub timestamp_s: u64,
}

/// Where on the root chain a child chain block was submitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubmittedAt {
    /// The root chain block with the submission.
    pub eth_height: EthHeight,
    /// Its time, in seconds since 1970.
    pub timestamp_s: u64,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_an_event_is_the_documented_one() {
        let event = EthEvent {
            eth_height: EthHeight::new(7),
            eth_block_hash: H256::zero(),
            root_chain_txhash: H256::repeat_byte(0xab),
            log_index: 12,
            event: RootChainEvent::BlockSubmitted { blknum: Blknum::new(1_000) },
        };
        let text = format!("0x{}12", "ab".repeat(32));
        assert_eq!(event.root_chain_txhash_event(), keccak256(text.as_bytes()));
    }
}
