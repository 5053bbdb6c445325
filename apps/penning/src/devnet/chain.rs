//! The devnet's L1: anvil with its state on disk, and the contracts on it.

use super::folder::Folder;
use crate::contracts::contract_semver;
use crate::failure::Failure;
use anyhow::{Context, Result, bail};
use plasma_core::wire::{SecretKey, U256};
use plasma_eth::{
    Anvil, AnvilConfig, DeployRequest, Deployment, DevChain, EthConfig, RootChainClient, deploy,
    dev_keys, find_anvil,
};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Accounts for users. Those for the network itself come after them, so that users have the well-known first ones.
const ACCOUNTS: usize = 10;
/// Deployer, maintainer, authority, fee claimer and Sentinel.
const OFFICES: usize = 5;
/// The time unit of exits when nobody says otherwise.
const MIN_EXIT_PERIOD_S: u64 = 120;
/// How often anvil writes its state, against a power cut.
const STATE_INTERVAL_S: u64 = 5;
/// Whole test tokens each account starts with.
const TOKENS_EACH: u64 = 1_000;

/// Who is who on a devnet.
pub(super) struct Keys {
    pub(super) accounts: Vec<SecretKey>,
    pub(super) deployer: SecretKey,
    pub(super) maintainer: SecretKey,
    pub(super) authority: SecretKey,
    pub(super) fee_claimer: SecretKey,
    pub(super) sentinel: SecretKey,
}

impl Keys {
    fn well_known() -> Result<Self> {
        let mut keys = dev_keys(u32::try_from(ACCOUNTS + OFFICES)?)?;
        let offices = keys.split_off(ACCOUNTS);
        let Ok([deployer, maintainer, authority, fee_claimer, sentinel]) =
            <[_; OFFICES]>::try_from(offices)
        else {
            bail!("the development keys are incomplete");
        };
        Ok(Self { accounts: keys, deployer, maintainer, authority, fee_claimer, sentinel })
    }
}

/// What to start.
pub(super) struct ChainRequest<'a> {
    pub(super) anvil: Option<&'a Path>,
    pub(super) port: u16,
    pub(super) block_time_s: u64,
    pub(super) min_exit_period_s: Option<u64>,
}

/// The running L1 with the contracts on it.
pub(super) struct Chain {
    pub(super) anvil: Anvil,
    pub(super) deployment: Deployment,
    pub(super) keys: Keys,
}

impl Chain {
    /// Starts it where it left off, or anew in an empty folder.
    pub(super) async fn start(
        folder: &Folder,
        request: &ChainRequest<'_>,
        mut on_step: impl FnMut(String) + Send,
    ) -> Result<Self> {
        let keys = Keys::well_known()?;
        let addresses = folder.file("addresses.json");
        let known = addresses.exists();
        if known {
            check_period(&Deployment::read(&addresses)?, request.min_exit_period_s)?;
        }
        let config = AnvilConfig {
            port: Some(request.port),
            accounts: u32::try_from(ACCOUNTS + OFFICES)?,
            state_file: Some(folder.file("anvil-state.json")),
            state_interval_s: Some(STATE_INTERVAL_S),
            log_file: Some(folder.file("anvil.log")),
            own_process_group: true,
            ..AnvilConfig::new(find_anvil(request.anvil, &roots())?)
        };
        on_step(format!("starting anvil on port {}", request.port));
        let anvil = Anvil::spawn(&config).await?;
        folder.remember_anvil(anvil.process_id())?;
        let eth = EthConfig::new(anvil.rpc_url().clone());
        let deployment = match known {
            true => Deployment::read(&addresses)?,
            false => {
                let period_s = request.min_exit_period_s.unwrap_or(MIN_EXIT_PERIOD_S);
                let deployment = deploy_all(&eth, &keys, period_s, &mut on_step).await?;
                std::fs::write(&addresses, deployment.to_json())
                    .context("writing addresses.json")?;
                deployment
            }
        };
        let client = RootChainClient::new(eth.clone(), &deployment)?;
        let facts = client.contract_facts().await;
        facts.ok().and_then(|facts| deployment.check(&facts).ok()).with_context(|| {
            format!(
                "the contracts are not on the L1 that was kept in {}: start with --fresh",
                folder.path().display()
            )
        })?;
        let dev = DevChain::new(&eth)?;
        keep_time_rising(&client, &dev).await?;
        dev.set_automine(false).await?;
        dev.set_interval_mining(request.block_time_s).await?;
        Ok(Self { anvil, deployment, keys })
    }
}

/// Anvil forgets on a restart how far its clock was moved ahead, and its blocks would go back in time.
async fn keep_time_rising(client: &RootChainClient, dev: &DevChain) -> Result<()> {
    let newest_s = client.newest_block().await?.timestamp_s;
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    if newest_s >= now_s {
        dev.advance_time(newest_s - now_s + 1).await?;
    }
    Ok(())
}

fn check_period(deployment: &Deployment, wanted_s: Option<u64>) -> Result<()> {
    let kept_s = deployment.min_exit_period_s;
    match wanted_s {
        Some(wanted_s) if wanted_s != kept_s => Err(Failure::new(
            "devnet:other_period",
            format!("the network that is kept here has a min exit period of {kept_s} s, not {wanted_s} s"),
        )
        .next("leave --min-exit-period-s out to go on with it, or forget it with --fresh")
        .into()),
        _ => Ok(()),
    }
}

async fn deploy_all(
    eth: &EthConfig,
    keys: &Keys,
    min_exit_period_s: u64,
    on_step: &mut (impl FnMut(String) + Send),
) -> Result<Deployment> {
    let request = DeployRequest {
        deployer: keys.deployer.clone(),
        maintainer: keys.maintainer.clone(),
        authority: keys.authority.clone(),
        min_exit_period_s,
        contract_semver: contract_semver(),
        funding_wei: U256::zero(),
        with_test_token: true,
    };
    let deployment = deploy(eth.clone(), &request, |step| on_step(step.to_string())).await?;
    let token = deployment.erc20_token.context("no test token was deployed")?;
    on_step(format!("{TOKENS_EACH} test tokens for each account"));
    let client = RootChainClient::new(eth.clone(), &deployment)?;
    let amount = U256::from(TOKENS_EACH) * U256::exp10(18);
    for account in &keys.accounts {
        let sent = client.mint(&keys.deployer, token, account.address(), amount).await?;
        client.confirm(&sent, 1, |_| {}).await?.success()?;
    }
    Ok(deployment)
}

/// Where anvil may be installed: below the working directory, or in the repository this program was built from.
pub(crate) fn roots() -> Vec<PathBuf> {
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::env::current_dir().into_iter().chain([built_from]).collect()
}
