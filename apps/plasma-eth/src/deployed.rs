//! One deployment on one chain: the framework's address, and the rest by the framework's own word.

use crate::contracts::Contract;
use crate::contracts::abi::arg;
use crate::contracts::events::LogReader;
use crate::node::{At, Node};
use crate::{ContractAddresses, ContractFacts, RootChainCause, RootChainError};
use plasma_core::wire::Address;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// The vault of Ether in the framework's registry (protocol 5.3).
pub const ETH_VAULT_ID: u64 = 1;
/// The vault of ERC-20 tokens in the framework's registry (protocol 5.3).
pub const ERC20_VAULT_ID: u64 = 2;
/// The transaction type whose exit game is the one for payments.
pub(crate) const PAYMENT_TX_TYPE: u64 = 1;

/// A node and the framework on it.
#[derive(Debug)]
pub(crate) struct Deployed {
    pub(crate) node: Arc<Node>,
    framework: Address,
    /// From the address file; a node on another chain is refused.
    chain_id: u64,
    parts: OnceCell<Parts>,
}

/// What never changes: registrations are for good, and so are chain id and authority.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) addresses: ContractAddresses,
    pub(crate) authority: Address,
    pub(crate) logs: LogReader,
}

impl Deployed {
    pub(crate) const fn new(node: Arc<Node>, framework: Address, chain_id: u64) -> Self {
        Self { node, framework, chain_id, parts: OnceCell::const_new() }
    }

    pub(crate) const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    pub(crate) const fn framework(&self) -> (Contract, Address) {
        (Contract::PlasmaFramework, self.framework)
    }

    /// The parts, looked up once. A failure is not remembered.
    pub(crate) async fn parts(&self) -> Result<&Parts, RootChainError> {
        self.parts.get_or_try_init(|| self.look_up_parts()).await
    }

    async fn look_up_parts(&self) -> Result<Parts, RootChainError> {
        let found = self.node.chain_id().await?;
        if found != self.chain_id {
            let expected = self.chain_id;
            return Err(RootChainCause::WrongChain { expected, found }.during("eth_chainId", ""));
        }
        let (authority, eth_vault, erc20_vault, payment_exit_game) = tokio::try_join!(
            self.address("authority", None),
            self.address("vaults", Some(ETH_VAULT_ID)),
            self.address("vaults", Some(ERC20_VAULT_ID)),
            self.address("exitGames", Some(PAYMENT_TX_TYPE)),
        )?;
        let addresses = ContractAddresses {
            plasma_framework: self.framework,
            eth_vault,
            erc20_vault,
            payment_exit_game,
        };
        let logs = LogReader::new(&addresses).map_err(|cause| cause.during("events", ""))?;
        Ok(Parts { addresses, authority, logs })
    }

    /// An address the framework knows; zero is an error, it says that something was never registered.
    async fn address(
        &self,
        function: &'static str,
        key: Option<u64>,
    ) -> Result<Address, RootChainError> {
        let arguments: Vec<_> = key.map(arg::uint).into_iter().collect();
        let mut fields = self.read(function, &arguments, At::Latest).await?;
        fields
            .address()
            .and_then(|address| {
                if address.is_zero() {
                    let key = key.map_or_else(String::new, |key| format!(" {key}"));
                    return Err(RootChainCause::Invalid(format!(
                        "the framework has no {function}{key}: the deployment is not complete"
                    )));
                }
                Ok(address)
            })
            .map_err(|cause| cause.during(function, format!("framework {:?}", self.framework)))
    }

    pub(crate) async fn facts(&self) -> Result<ContractFacts, RootChainError> {
        let parts = self.parts().await?;
        let (mut interval, mut min_exit_period, mut activated, mut version) = tokio::try_join!(
            self.read("childBlockInterval", &[], At::Latest),
            self.read("minExitPeriod", &[], At::Latest),
            self.read("isChildChainActivated", &[], At::Latest),
            self.read("getVersion", &[], At::Latest),
        )?;
        let mut read = || {
            Ok(ContractFacts {
                chain_id: self.chain_id,
                addresses: parts.addresses,
                authority: parts.authority,
                activated: activated.bool()?,
                child_block_interval: interval.u64()?,
                min_exit_period_s: min_exit_period.u64()?,
                contract_semver: crate::error::printable(&version.string()?),
            })
        };
        read().map_err(|cause: RootChainCause| {
            cause.during("contract_facts", format!("framework {:?}", self.framework))
        })
    }

    /// Reads the framework.
    pub(crate) async fn read(
        &self,
        function: &'static str,
        arguments: &[ethers::abi::Token],
        at: At,
    ) -> Result<crate::contracts::Fields, RootChainError> {
        self.node.read(self.framework(), function, arguments, at).await
    }
}
