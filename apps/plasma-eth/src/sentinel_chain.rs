//! The Sentinel's port: its account's facts, simulations and transactions, in core types.
//!
//! It must never decide anything (that is `plasma_core::sentinel`), send anything with value (`S12`), or tell facts that are only
//! partly known (`S11`). It stands beside [`RootChain`](crate::RootChain) and is not a part of it, so that a watcher without a
//! Sentinel has no key.
//!
//! ```text
//! account() ──► AccountState (one block, its nonce) ──► Sentinel::receipts_needed ──► facts() ──► Sentinel::on_root_chain
//! Action::Check ──► check() ──► Sentinel::on_checked, unless it is an error
//! Action::Send  ──► send()  ──► Sentinel::on_sent, always
//! standard_exits() · in_flight_exits() · next_exits() ──► what only the contracts know: bonds and heads of queues
//! ```

use crate::{EthBlock, InFlightExitRecord, RootChainError, StandardExitRecord, SubmitOutcome};
use async_trait::async_trait;
use plasma_core::sentinel::{Call, Checked, RootChainFacts, Transaction};
use plasma_core::wire::ids::ExitPriority;
use plasma_core::wire::{Address, ExitId, H256};

/// What a Sentinel does on the root chain, with its own key.
///
/// Calls are bounded in time and size and retried like those of [`RootChain`](crate::RootChain).
#[async_trait]
pub trait SentinelChain: Send + Sync {
    /// Whose key it is.
    fn address(&self) -> Address;

    /// The newest block, and the account's nonce as of it: what [`Sentinel::receipts_needed`] wants to know.
    ///
    /// [`Sentinel::receipts_needed`]: plasma_core::sentinel::Sentinel::receipts_needed
    async fn account(&self) -> Result<AccountState, RootChainError>;

    /// The rest of the facts as of the very block that `account` tells about, with the receipts of all of these transactions that
    /// are mined in it or before. The pool's nonce and the fee quote are of this moment, as nothing else makes sense.
    ///
    /// # Errors
    /// A transient error when that block is not part of the node's chain any more or not yet (another node of a cluster answers),
    /// when a receipt is of another history, and when anything at all could not be read.
    async fn facts(
        &self,
        account: &AccountState,
        receipts_needed: &[H256],
    ) -> Result<RootChainFacts, RootChainError>;

    /// Simulates a call from the account, without value, on the newest block.
    ///
    /// # Errors
    /// Whenever the node's answer does not say what the contracts would do; that they would refuse is no error.
    async fn check(&self, call: &Call) -> Result<Checked, RootChainError>;

    /// Signs a transaction and hands it to the node. The same transaction always has the same hash, which is known whatever the
    /// node says, also before it was ever reached; doing it again is harmless.
    ///
    /// The second part is an error when the node's answer does not say what became of the transaction; a refusal is a
    /// [`SubmitOutcome`].
    async fn send(
        &self,
        transaction: &Transaction,
    ) -> (H256, Result<SubmitOutcome, RootChainError>);

    /// The contract's records of these standard exits as of one block, in their order; `None` for one that was never started or is
    /// over. The bond is in no event, and stays what it was when the exit was started.
    async fn standard_exits(
        &self,
        exit_ids: &[ExitId],
    ) -> Result<Vec<Option<StandardExitRecord>>, RootChainError>;

    /// The same of in-flight exits; `None` for one that was never started or is over.
    async fn in_flight_exits(
        &self,
        exit_ids: &[ExitId],
    ) -> Result<Vec<Option<InFlightExitRecord>>, RootChainError>;

    /// Which exit leaves each of these queues next, and from when it may, all as of one block and in their order. A queue is named
    /// by its vault and its token; `None` for one that is empty or does not exist.
    async fn next_exits(
        &self,
        queues: &[(u64, Address)],
    ) -> Result<Vec<Option<ExitPriority>>, RootChainError>;
}

/// The account as of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountState {
    /// The block.
    pub block: EthBlock,
    /// The nonce of the account's next transaction, counting mined ones only.
    pub nonce: u64,
}
