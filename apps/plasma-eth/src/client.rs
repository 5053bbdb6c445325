//! What users, the wallet and the devnet do on the root chain: deposit, exit, challenge, process, and look.
//!
//! It must never decide whether an exit is valid or a block is right: it does what it is told and says exactly what came of it. Every
//! transaction is tried on the node before it is signed, so that a refusal costs nothing and has the name of the contract's error.
//!
//! ```text
//! deposit, start_standard_exit, … ─► estimate ─► fees ─► nonce ─► sign ─► send ─► SentTransaction
//!                                                             confirm(&sent, n, progress) ─► Receipt
//! ```
//! Keys are handed in per call and never kept. After a restart, [`RootChainClient::confirm`] goes on with a hash from anywhere.

mod credits;
mod deposits;
mod exit_queue;
mod exits;
mod in_flight;
mod in_flight_exits;
mod receipt;
mod sending;
mod tokens;

pub use credits::CreditSource;
pub use exit_queue::EXIT_QUEUE_LIST_MAX;
pub(crate) use exit_queue::next_exit;
pub use exits::{ChallengeStandardExit, StandardExitRecord, StartStandardExit};
pub(crate) use exits::{exit_ids_argument, read_exit_records};
pub(crate) use in_flight_exits::read_in_flight_records;
pub use in_flight_exits::{InFlightExitRecord, InFlightShareRecord, OldestCompetitor};
pub(crate) use receipt::refusal_reason;
pub use receipt::{Receipt, ReceiptNote, TxStatus};
pub use sending::{Progress, SentTransaction};
pub use tokens::TokenMetadata;

use crate::contracts::{Contract, Fields};
use crate::deployed::Deployed;
use crate::node::{At, Node};
use crate::{ContractFacts, Deployment, EthBlock, EthConfig, RootChainCause, RootChainError};
use ethers::abi::Token;
use plasma_core::wire::{Address, Currency, ETH, EthHeight};
use std::sync::Arc;
use tokio::sync::Mutex;

/// A user's connection to the root chain.
#[derive(Debug)]
pub struct RootChainClient {
    deployed: Deployed,
    /// From reading a nonce to handing the transaction over, one transaction at a time: two with the same nonce would replace each
    /// other. Another process with the same key is not covered; the node then refuses one of the two.
    sending: Mutex<()>,
}

impl RootChainClient {
    /// Prepares to talk to a node; makes no call yet.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(config: EthConfig, deployment: &Deployment) -> Result<Self, RootChainError> {
        let framework = deployment.addresses.plasma_framework;
        Ok(Self {
            deployed: Deployed::new(Arc::new(Node::new(config)?), framework, deployment.chain_id),
            sending: Mutex::new(()),
        })
    }

    /// What the framework says about itself and its parts.
    pub async fn contract_facts(&self) -> Result<ContractFacts, RootChainError> {
        self.deployed.facts().await
    }

    /// The newest block, and with it the time of the root chain.
    pub async fn newest_block(&self) -> Result<EthBlock, RootChainError> {
        self.deployed.node.newest_block().await
    }

    /// The block at this height; `None` when there is none.
    pub async fn block(&self, height: EthHeight) -> Result<Option<EthBlock>, RootChainError> {
        self.deployed.node.block(At::Height(height)).await
    }

    /// Reads one value of a contract of this deployment.
    async fn read<T>(
        &self,
        contract: Contract,
        function: &'static str,
        arguments: &[Token],
        value: impl FnOnce(&mut Fields) -> Result<T, RootChainCause>,
    ) -> Result<T, RootChainError> {
        let address = self.address_of(contract).await?;
        self.read_at((contract, address), function, arguments, value).await
    }

    /// Reads one value of any contract.
    async fn read_at<T>(
        &self,
        (contract, address): (Contract, Address),
        function: &'static str,
        arguments: &[Token],
        value: impl FnOnce(&mut Fields) -> Result<T, RootChainCause>,
    ) -> Result<T, RootChainError> {
        let node = &self.deployed.node;
        let mut fields = node.read((contract, address), function, arguments, At::Latest).await?;
        value(&mut fields)
            .map_err(|cause| cause.during(function, format!("{} at {address:?}", contract.name())))
    }

    async fn address_of(&self, contract: Contract) -> Result<Address, RootChainError> {
        let addresses = self.deployed.parts().await?.addresses;
        match contract {
            Contract::PlasmaFramework => Ok(addresses.plasma_framework),
            Contract::EthVault => Ok(addresses.eth_vault),
            Contract::Erc20Vault => Ok(addresses.erc20_vault),
            Contract::PaymentExitGame => Ok(addresses.payment_exit_game),
            other => {
                let cause = RootChainCause::Invalid("not a part of the system".to_owned());
                Err(cause.during("address_of", other.name()))
            }
        }
    }
}

/// The vault that holds a currency.
fn vault_id(currency: Currency) -> u64 {
    if currency == ETH { crate::ETH_VAULT_ID } else { crate::ERC20_VAULT_ID }
}
