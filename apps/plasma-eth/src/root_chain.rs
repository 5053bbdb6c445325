//! The port: everything the two nodes ask of the root chain, in core types.
//!
//! It must never show a type of an Ethereum library, and never decides anything: what to read, when and how far, how high a fee to
//! offer and what an answer means are questions for the cores in `plasma-core`. Two implementations stand behind it:
//! [`EthersRootChain`](crate::EthersRootChain) talks to a node, [`FakeRootChain`](crate::FakeRootChain) is a chain in memory whose
//! clock, pool, faults and reorganisations belong to the test.

use crate::{ContractAddresses, RootChainError};
use async_trait::async_trait;
pub use plasma_core::root_chain::ChildBlock;
use plasma_core::root_chain::{
    EthEvent, EventKind, FeeQuote, GasFees, SubmissionState, SubmitOutcome,
};
use plasma_core::wire::{Address, Blknum, BlockHash, EthHeight, H256};

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
