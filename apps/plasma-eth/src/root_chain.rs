//! The port: everything the two nodes ask of the root chain, in core types.
//!
//! It must never show a type of an Ethereum library, and never decides anything: what to read, when and how far, how high a fee to
//! offer and what an answer means are questions for the cores in `plasma-core`. Two implementations stand behind it:
//! [`EthersRootChain`](crate::EthersRootChain) talks to a node, [`FakeRootChain`](crate::FakeRootChain) is a chain in memory whose
//! clock, pool, faults and reorganisations belong to the test.

use crate::{ContractAddresses, RootChainError};
use async_trait::async_trait;
use plasma_core::root_chain::{EthEvent, EventKind};
use plasma_core::wire::{Address, Blknum, BlockHash, EthHeight, H256};
use std::fmt;

/// What both nodes need of the root chain.
///
/// Every call is bounded in time and answer size, and retries transient errors a bounded number of times by itself. What comes back
/// as [`Transient`](crate::ErrorKind::Transient) is worth another try at the caller's next tick; a
/// [`Permanent`](crate::ErrorKind::Permanent) error is worth a human.
#[async_trait]
pub trait RootChain: Send + Sync {
    /// Height of the newest block. Can be lower than at the last call, after a reorganisation or from another node of a cluster.
    async fn eth_height(&self) -> Result<EthHeight, RootChainError>;

    /// Whether the node is still catching up, so that its newest block is old.
    async fn syncing(&self) -> Result<bool, RootChainError>;

    /// The block at this height; `None` when there is none (yet).
    async fn block(&self, height: EthHeight) -> Result<Option<EthBlock>, RootChainError>;

    /// All events of these kinds from block `from` to block `to`, both included, in chain order: by height, then by log index.
    ///
    /// Complete or an error: a range that reaches beyond the newest block is `BeyondHead`. An event may be reported twice, with the
    /// same block hash and log index. An empty range (`from` behind `to`) has no events.
    async fn events(
        &self,
        kinds: &[EventKind],
        from: EthHeight,
        to: EthHeight,
    ) -> Result<Vec<EthEvent>, RootChainError>;

    /// What the framework says about itself and its parts. None of it ever changes on a chain, except the version text.
    async fn contract_facts(&self) -> Result<ContractFacts, RootChainError>;

    /// Where submission stands, everything but the pool's nonce as of one and the same block.
    async fn submission_state(&self) -> Result<SubmissionState, RootChainError>;

    /// Root and time of a child chain block as of the newest root chain block; `None` when the contract has none with this number.
    async fn child_block(&self, blknum: Blknum) -> Result<Option<ChildBlock>, RootChainError>;

    /// What a transaction costs now.
    async fn fee_quote(&self) -> Result<FeeQuote, RootChainError>;

    /// Submits a block root with the authority's key. The same arguments make the same transaction, so doing it again is harmless.
    ///
    /// # Errors
    /// Only when the node's answer does not say what became of the transaction, or the key at hand is not the authority's; a refusal
    /// is a [`SubmitOutcome`].
    async fn submit_block(
        &self,
        root: BlockHash,
        nonce: u64,
        fees: GasFees,
    ) -> Result<SubmitOutcome, RootChainError>;
}

/// A root chain block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EthBlock {
    /// Its number.
    pub eth_height: EthHeight,
    /// Its hash: another one at the same height means another history.
    pub hash: H256,
    /// Its time, in seconds since 1970.
    pub timestamp_s: u64,
}

/// A child chain block as the framework knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildBlock {
    /// Merkle root of its transactions.
    pub root: BlockHash,
    /// When it was submitted, in seconds since 1970.
    pub timestamp_s: u64,
}

/// What the framework says about itself and its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractFacts {
    /// The chain the node follows.
    pub chain_id: u64,
    /// Where the contracts are, by the framework's own registries.
    pub addresses: ContractAddresses,
    /// The account that submits blocks.
    pub authority: Address,
    /// Whether the authority has activated the chain: before that, neither blocks nor deposits are accepted.
    pub activated: bool,
    /// Distance between two blocks of the operator.
    pub child_block_interval: u64,
    /// The time unit of exits, in seconds.
    pub min_exit_period_s: u64,
    /// What is deployed, as a semantic version, for example `1.0.5+penning.0.1.0`.
    pub contract_semver: String,
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
