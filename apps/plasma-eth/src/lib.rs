//! The root chain: the [`RootChain`] port in core types, its ethers implementation, and a deterministic fake.
//!
//! No type of ethers is part of any public item (invariant I4 of `docs/architecture.md`); everything that speaks to a node is in
//! private modules. No rule of the protocol is decided here.
//!
//! ```text
//! child chain, watcher ─► RootChain ──┬─ EthersRootChain ─┐
//!                                     └─ FakeRootChain    ├─► node (JSON-RPC over HTTP) ─► rpc ─► contracts (ABI)
//! wallet, devnet ─► RootChainClient, deploy, DevChain ────┤
//! watcher's Sentinel ─► SentinelChain ── EthersSentinelChain ┘ (or FakeSentinelChain on a FakeRootChain)
//! ```
//! Read in this order:
//! - [`RootChain`]: the port. [`RootChainError`]: how it fails.
//! - [`EthersRootChain`]: the port over a node. [`EthConfig`]: its limits. [`FakeRootChain`]: the port over a chain in memory.
//! - [`SentinelChain`]: the port of a Sentinel, which has a key. [`EthersSentinelChain`]: over a node. [`FakeSentinelChain`]:
//!   over a chain in memory.
//! - [`RootChainClient`]: what users do on the root chain.
//! - [`Deployment`]: the address file. [`keystore`]: keys in encrypted files.

mod anvil;
mod client;
mod config;
mod contracts;
mod deploy;
mod deployed;
mod deployment;
mod dev_chain;
mod error;
mod ethers_root_chain;
mod ethers_sentinel_chain;
mod fake_root_chain;
pub mod keystore;
mod node;
mod revert;
mod root_chain;
mod rpc;
mod sentinel_chain;
mod tx;

pub use anvil::{ANVIL_ENV, Anvil, AnvilConfig, AnvilError, DEV_CHAIN_ID, dev_keys, find_anvil};
pub use client::{
    ChallengeStandardExit, CreditSource, EXIT_QUEUE_LIST_MAX, InFlightExitRecord,
    InFlightShareRecord, OldestCompetitor, Progress, Receipt, ReceiptNote, RootChainClient,
    SentTransaction, StandardExitRecord, StartStandardExit, TokenMetadata, TxStatus,
};
pub use config::{EthConfig, RetryPolicy, RpcUrl};
pub use deploy::{DeployError, DeployRequest, DeployStep, deploy};
pub use deployed::{ERC20_VAULT_ID, ETH_VAULT_ID};
pub use deployment::{
    ADDRESS_FILE_BYTES_MAX, AddressFileError, ContractAddresses, Deployment, DeploymentMismatch,
};
pub use dev_chain::{DevChain, Snapshot};
pub use error::{ErrorKind, NODE_TEXT_CHARS_MAX, RootChainCause, RootChainError};
pub use ethers_root_chain::{EthersRootChain, SUBMIT_BLOCK_GAS_MAX};
pub use ethers_sentinel_chain::EthersSentinelChain;
pub use fake_root_chain::{
    FakeBlock, FakeRootChain, FakeSentinelChain, MinedCall, Orphaned, PoolRules, Pooled,
};
pub use plasma_core::root_chain::{FeeQuote, GasFees, SubmissionState, SubmitOutcome};
pub use revert::Revert;
pub use root_chain::{ChildBlock, ContractFacts, EthBlock, RootChain};
pub use sentinel_chain::{AccountState, SentinelChain};
