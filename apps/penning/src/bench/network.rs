//! What is measured: an operator and a watcher, whole nodes with their stores and ports, in this process.
//!
//! Only the root chain is a double, in memory. Each node has its own: the bench itself says when a block is formed, and when the
//! watcher hears of it.

use super::workload::{Accounts, Coin};
use crate::nodes::open_store;
use anyhow::{Context, Result, bail};
use child_chain::{ChildChainConfig, tree::ChildChain};
use plasma_core::block_queue::BlockQueueConfig;
use plasma_core::db_update::BlockHeader;
use plasma_core::wire::{Address, Blknum, ETH, EthHeight, H256, TypedDataDomain, U256};
use plasma_eth::{Deployment, FakeRootChain, RootChain};
use plasma_node::eth_height_monitor::EthHeightMonitorConfig;
use plasma_rpc::child_chain::{BLOCK_GET, BlockGetParams};
use plasma_rpc::client::{ClientConfig, HttpRpcClient};
use plasma_store::{NodeKind, Store};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use watcher::WatcherConfig;

/// The specification that comes with the program.
const FEE_SPECS: &str = include_str!("../../../../priv/fee_specs.json");
/// How much the one deposit is worth.
const DEPOSIT_WEI: u128 = 1_000_000_000_000_000_000_000_000;
/// Confirmations of everything on both root chains.
pub(super) const MARGIN_ETH_BLOCKS: u64 = 1;
/// Pause between two looks at something that is about to happen.
const POLL: Duration = Duration::from_millis(2);
/// How long a store may be held after its node ended.
const RELEASE: Duration = Duration::from_secs(10);
/// Nothing takes longer; if it does, something is broken.
const PATIENCE: Duration = Duration::from_secs(600);

/// Both nodes, running.
pub(super) struct Network {
    /// The operator's actors.
    pub(super) operator: ChildChain,
    /// Calls the operator's port.
    pub(super) client: HttpRpcClient,
    /// Whose money it is.
    pub(super) accounts: Accounts,
    /// Calls the watcher's port.
    pub(super) watcher: HttpRpcClient,
    /// What the watcher sees of the root chain.
    pub(super) watcher_chain: FakeRootChain,
    /// Where the contracts are said to be.
    pub(super) deployment: Deployment,
    operator_store: Store,
    watcher_store: Store,
}

/// Runs both nodes with stores in this folder, for as long as `act` takes. Needs an actix system around it.
pub(super) async fn with_network<R: Send + 'static>(
    folder: &Path,
    act: impl AsyncFnOnce(Network) -> Result<R>,
) -> Result<R> {
    let (operator_chain, watcher_chain) = (FakeRootChain::new(1), FakeRootChain::new(1));
    let deployment = deployment(&operator_chain).await?;
    let domain = Arc::new(TypedDataDomain::new(deployment.addresses.plasma_framework));
    let accounts = Accounts::new(domain)?;
    let operator_store =
        open_store(&folder.join("child-chain"), NodeKind::ChildChain, &deployment)?;
    let watcher_store = open_watcher_store(folder, &deployment)?;
    let fee_specs_path = folder.join("fee_specs.json");
    std::fs::write(&fee_specs_path, FEE_SPECS)
        .context("the fee specification cannot be written")?;

    let operator = child_chain::Node::start(child_chain::Setup {
        config: operator_config(fee_specs_path),
        deployment: deployment.clone(),
        root_chain: Arc::new(operator_chain.clone()),
        store: operator_store.clone(),
        version: crate::nodes::version(),
    });
    let operator = operator.await?;
    let child_chain_url = format!("http://{}", operator.local_addr());
    let watcher = watcher::Node::start(watcher::Setup {
        config: watcher_config(child_chain_url.clone()),
        deployment: deployment.clone(),
        root_chain: Arc::new(watcher_chain.with_key_of(None)),
        sentinel: None,
        store: watcher_store.clone(),
        version: crate::nodes::version(),
    });
    let watcher = watcher.await?;
    let watcher_url = format!("http://{}", watcher.local_addr());
    for chain in [&operator_chain, &watcher_chain] {
        chain.deposit(accounts.depositor(), ETH, U256::from(DEPOSIT_WEI));
        chain.mine(2 * MARGIN_ETH_BLOCKS);
    }

    let (stop, stopped) = watch::channel(false);
    let is_over = async |mut stopped: watch::Receiver<bool>| {
        // A sender that is gone says the same.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    let mut tree = operator.tree();
    let acting = async {
        let operator = tree.wait().await.context("the operator's node ended")?;
        let client = HttpRpcClient::new(ClientConfig::new(child_chain_url))?;
        let watcher = HttpRpcClient::new(ClientConfig::new(watcher_url))?;
        act(Network {
            operator,
            client,
            accounts,
            watcher,
            watcher_chain,
            deployment,
            operator_store,
            watcher_store,
        })
        .await
    };
    let nodes = async {
        tokio::try_join!(
            async { operator.run(is_over(stopped.clone())).await.context("the operator's node") },
            async { watcher.run(is_over(stopped.clone())).await.context("the watcher") },
        )
    };
    tokio::pin!(nodes);
    let acted = tokio::select! {
        ended = &mut nodes => { ended?; bail!("the nodes ended before the measurement") }
        acted = acting => acted,
    };
    stop.send_replace(true);
    nodes.await?;
    acted
}

impl Network {
    /// The output of the one deposit, as soon as the operator knows of it.
    pub(super) async fn deposited(&self) -> Result<Coin> {
        let coin = Accounts::deposited(Blknum::new(1), DEPOSIT_WEI);
        let owner = self.accounts.depositor();
        wait_until("a deposit", || Ok(!self.operator_store.utxos_of(owner, None, 1)?.is_empty()))
            .await?;
        Ok(coin)
    }

    /// The operator forms a block; how long it took until that was on disk.
    pub(super) async fn form_block(&self) -> Result<(BlockHeader, Duration)> {
        let started = Instant::now();
        let header = self.operator.state.form_block().await?;
        let elapsed = started.elapsed();
        Ok((header.context("there was nothing to form a block of")?, elapsed))
    }

    /// Downloads a block once, so that the operator has it ready.
    pub(super) async fn warm_up(&self, block: &BlockHeader) -> Result<()> {
        self.client.call(&BLOCK_GET, &BlockGetParams { hash: block.hash }).await?;
        Ok(())
    }

    /// The roots of these blocks come to the root chain; waits until the watcher has the last of them on disk.
    pub(super) async fn sync(&self, blocks: &[BlockHeader]) -> Result<()> {
        let last = blocks.last().context("there is nothing to follow")?;
        for block in blocks {
            let blknum = self.watcher_chain.push_raw_root(block.hash);
            anyhow::ensure!(blknum == block.number, "block {} became {blknum}", block.number);
        }
        self.watcher_chain.mine(2 * MARGIN_ETH_BLOCKS);
        wait_until("the watcher", || {
            let newest = self.watcher_store.newest_block()?;
            Ok(newest.is_some_and(|newest| newest == *last))
        })
        .await
    }
}

/// Starts the watcher alone on the store that [`with_network`] left in this folder, and runs it for as long as `act` takes with a
/// client of it and the time at which its store began to open.
pub(super) async fn with_watcher<R: Send + 'static>(
    folder: &Path,
    chain: &FakeRootChain,
    deployment: Deployment,
    act: impl AsyncFnOnce(HttpRpcClient, Instant) -> Result<R>,
) -> Result<R> {
    let released = Instant::now();
    let (store, started) = loop {
        let started = Instant::now();
        match open_watcher_store(folder, &deployment) {
            Ok(store) => break (store, started),
            // A connection that is being closed may hold it for a moment longer than its node.
            Err(_) if released.elapsed() < RELEASE => tokio::time::sleep(POLL).await,
            Err(error) => return Err(error),
        }
    };
    let watcher = watcher::Node::start(watcher::Setup {
        // Nobody is there to be called.
        config: watcher_config("http://127.0.0.1:9".to_owned()),
        store,
        deployment,
        root_chain: Arc::new(chain.with_key_of(None)),
        sentinel: None,
        version: crate::nodes::version(),
    });
    let watcher = watcher.await?;
    let client = HttpRpcClient::new(ClientConfig::new(format!("http://{}", watcher.local_addr())))?;
    let (stop, mut stopped) = watch::channel(false);
    let running = watcher.run(async move {
        // A sender that is gone says the same.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    });
    tokio::pin!(running);
    let acted = tokio::select! {
        ended = &mut running => { ended?; bail!("the watcher ended before the measurement") }
        acted = act(client, started) => acted,
    };
    stop.send_replace(true);
    running.await?;
    acted
}

fn open_watcher_store(folder: &Path, deployment: &Deployment) -> Result<Store> {
    open_store(&folder.join("watcher"), NodeKind::Watcher, deployment)
}

async fn wait_until(whom: &str, mut is_done: impl FnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    while !is_done()? {
        anyhow::ensure!(started.elapsed() < PATIENCE, "waited in vain for {whom}");
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// The address file that belongs to the double.
async fn deployment(chain: &FakeRootChain) -> Result<Deployment> {
    let facts = chain.contract_facts().await?;
    Ok(Deployment {
        plasma_framework_tx_hash: H256::zero(),
        addresses: facts.addresses,
        authority: facts.authority,
        chain_id: facts.chain_id,
        eth_height: EthHeight::default(),
        min_exit_period_s: facts.min_exit_period_s,
        contract_semver: facts.contract_semver,
        erc20_token: None,
    })
}

fn operator_config(fee_specs_path: std::path::PathBuf) -> ChildChainConfig {
    ChildChainConfig {
        listen: (std::net::Ipv4Addr::LOCALHOST, 0).into(),
        fee_claimer: Address::repeat_byte(0xfe),
        fee_specs_path,
        deposit_finality_margin_eth_blocks: MARGIN_ETH_BLOCKS,
        eth_height_monitor: HEIGHTS,
        // Blocks are formed when the bench says so.
        block_queue: BlockQueueConfig {
            block_txs_min: u32::MAX,
            force_form_after_ms: u64::MAX,
            ..BlockQueueConfig::default()
        },
        ..ChildChainConfig::default()
    }
}

fn watcher_config(child_chain_url: String) -> WatcherConfig {
    WatcherConfig {
        listen: (std::net::Ipv4Addr::LOCALHOST, 0).into(),
        child_chain_url,
        deposit_finality_margin_eth_blocks: MARGIN_ETH_BLOCKS,
        exit_finality_margin_eth_blocks: MARGIN_ETH_BLOCKS,
        eth_height_monitor: HEIGHTS,
        ..WatcherConfig::default()
    }
}

/// The root chain is heard of at once, and may stand still.
const HEIGHTS: EthHeightMonitorConfig =
    EthHeightMonitorConfig { poll_ms: 10, stalled_ms: 24 * 60 * 60 * 1_000 };
