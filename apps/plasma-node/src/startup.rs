//! What both nodes make sure of before their first actor starts: that the root chain is the one their address file describes.
//!
//! Nothing is written here, so every error leaves the node as it was.

use crate::alarms::{Alarm, Alarms};
use crate::supervisor::BuildError;
use plasma_core::wire::CHILD_BLOCK_INTERVAL;
use plasma_eth::{
    ContractFacts, Deployment, DeploymentMismatch, ErrorKind, RootChain, RootChainError,
};
use plasma_store::{NodeKind, StoreIdentity};
use std::time::Duration;
use thiserror::Error;

/// First pause before a root chain that is away is asked again; it doubles up to [`PAUSE_MS_MAX`].
const FIRST_PAUSE_MS: u64 = 250;
/// Longest such pause.
const PAUSE_MS_MAX: u64 = 10_000;

/// The root chain cannot be used with this address file.
#[derive(Debug, Error)]
pub enum StartupError {
    /// It does not answer, or not in a way we understand.
    #[error("the root chain cannot be read: {0}")]
    RootChain(#[from] RootChainError),
    /// It is another deployment.
    #[error(transparent)]
    Deployment(#[from] DeploymentMismatch),
    /// Nobody may submit blocks yet.
    #[error(
        "the authority {authority:?} has not activated the child chain: call activateChildChain from its account"
    )]
    NotActivated {
        /// The authority's account.
        authority: plasma_core::wire::Address,
    },
    /// The contracts count blocks in another way than this program.
    #[error(
        "the contracts number child chain blocks in steps of {found}, not {CHILD_BLOCK_INTERVAL}"
    )]
    Interval {
        /// The contracts' step.
        found: u64,
    },
}

impl BuildError for StartupError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::RootChain(error) if error.kind() == ErrorKind::Transient)
    }
}

/// Compares the address file with the contracts.
///
/// # Errors
/// [`StartupError`].
pub async fn check_contracts(
    root_chain: &dyn RootChain,
    deployment: &Deployment,
) -> Result<ContractFacts, StartupError> {
    let facts = root_chain.contract_facts().await?;
    deployment.check(&facts)?;
    if !facts.activated {
        return Err(StartupError::NotActivated { authority: facts.authority });
    }
    if facts.child_block_interval != CHILD_BLOCK_INTERVAL {
        return Err(StartupError::Interval { found: facts.child_block_interval });
    }
    Ok(facts)
}

/// The same, waiting for a root chain that is away as long as it takes.
///
/// # Errors
/// [`StartupError`], when waiting would not help.
pub async fn wait_for_contracts(
    root_chain: &dyn RootChain,
    deployment: &Deployment,
    alarms: &Alarms,
) -> Result<ContractFacts, StartupError> {
    retry_transient(alarms, || check_contracts(root_chain, deployment)).await
}

/// Repeats something that asks the root chain while it fails in passing.
///
/// # Errors
/// The first error that asking again would not cure.
pub async fn retry_transient<T, E: BuildError>(
    alarms: &Alarms,
    mut ask: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, E> {
    let mut pause_ms = FIRST_PAUSE_MS;
    loop {
        match ask().await {
            Err(error) if error.is_transient() => {
                alarms.raise(Alarm::EthereumConnectionError);
                tracing::warn!(%error, "waiting for the root chain");
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                pause_ms = pause_ms.saturating_mul(2).min(PAUSE_MS_MAX);
            }
            other => return other,
        }
    }
}

/// Whose store it is.
pub const fn store_identity(node: NodeKind, deployment: &Deployment) -> StoreIdentity {
    StoreIdentity {
        node,
        chain_id: deployment.chain_id,
        plasma_framework: deployment.addresses.plasma_framework,
    }
}
