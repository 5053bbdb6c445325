//! The root chain of a drill: anvil with the contracts on it, and people with money. Each attack starts from the same moment.

use super::books::{Keys, Person};
use crate::contracts::contract_semver;
use crate::devnet::roots;
use anyhow::{Context, Result, bail};
use plasma_core::wire::{SecretKey, TypedDataDomain, U256};
use plasma_eth::{
    Anvil, AnvilConfig, DeployRequest, Deployment, DevChain, EthConfig, EthersRootChain,
    RootChainClient, Snapshot, deploy, dev_keys, find_anvil,
};
use std::path::Path;

/// The time unit of exits. Time is not waited for, but jumped over.
pub(super) const MIN_EXIT_PERIOD_S: u64 = 120;
/// Deployer, maintainer, authority and Sentinel.
const OFFICES: usize = 4;
/// Pause between two looks at a receipt.
const RECEIPT_POLL_MS: u64 = 5;

/// The root chain.
pub(super) struct Network {
    /// Runs for as long as this lives.
    anvil: Anvil,
    pub(super) eth: EthConfig,
    pub(super) deployment: Deployment,
    pub(super) client: RootChainClient,
    pub(super) dev: DevChain,
    /// Submits roots, whatever they are of.
    pub(super) authority: EthersRootChain,
    pub(super) sentinel: SecretKey,
    pub(super) keys: Keys,
    pub(super) domain: TypedDataDomain,
    start: Snapshot,
}

impl Network {
    /// Starts anvil and deploys everything.
    pub(super) async fn start(anvil: Option<&Path>) -> Result<Self> {
        let accounts = Person::ALL.len().saturating_add(OFFICES);
        let accounts = u32::try_from(accounts)?;
        let config = AnvilConfig { accounts, ..AnvilConfig::new(find_anvil(anvil, &roots())?) };
        let anvil = Anvil::spawn(&config).await?;
        let mut eth = EthConfig::new(anvil.rpc_url().clone());
        eth.receipt_poll_ms = RECEIPT_POLL_MS;
        let mut people = dev_keys(accounts)?;
        let offices = people.split_off(Person::ALL.len());
        let Ok([deployer, maintainer, authority, sentinel]) = <[_; OFFICES]>::try_from(offices)
        else {
            bail!("the development keys are incomplete");
        };
        let request = DeployRequest {
            deployer,
            maintainer,
            authority: authority.clone(),
            min_exit_period_s: MIN_EXIT_PERIOD_S,
            contract_semver: contract_semver(),
            funding_wei: U256::zero(),
            with_test_token: false,
        };
        let deployment = deploy(eth.clone(), &request, |_| {}).await?;
        let client = RootChainClient::new(eth.clone(), &deployment)?;
        let dev = DevChain::new(&eth)?;
        Ok(Self {
            authority: EthersRootChain::new(eth.clone(), &deployment, Some(authority))?,
            domain: TypedDataDomain::new(deployment.addresses.plasma_framework),
            keys: Person::ALL.into_iter().zip(people).collect(),
            start: dev.snapshot().await?,
            anvil,
            eth,
            deployment,
            client,
            dev,
            sentinel,
        })
    }

    /// Back to the start.
    pub(super) async fn rewind(&mut self) -> Result<()> {
        self.dev.set_automine(true).await?;
        self.dev.revert(self.start).await?;
        self.start = self.dev.snapshot().await?;
        Ok(())
    }

    /// Ends anvil.
    pub(super) async fn stop(self) -> Result<()> {
        self.anvil.stop().await.context("anvil did not stop")
    }

    pub(super) fn key(&self, who: Person) -> Result<&SecretKey> {
        self.keys.get(&who).context("everybody has a key")
    }
}
