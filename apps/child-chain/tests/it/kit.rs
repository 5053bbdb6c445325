//! A node for tests: short ticks, port 0, a store in a folder that vanishes. Nothing sleeps for a fixed time; conditions are awaited.
//!
//! [`World`] is what outlives a process: the root chain, the store's folder, the fee file. [`Operator`] is one process.

use crate::wallet;
use child_chain::{ChildChainConfig, Node, Setup, tree::ChildChain, tree::ChildChainError};
use plasma_core::db_update::Service;
use plasma_core::wire::{Address, Blknum, Block, ETH, EthHeight, H256, U256, UtxoPos};
use plasma_eth::{Deployment, FakeRootChain, RootChain};
use plasma_node::startup::store_identity;
use plasma_node::supervisor::{Published, SupervisorError};
use plasma_node::telemetry::{LogFormat, init_logging};
use plasma_rpc::child_chain::{
    ALARM_GET, BATCH_SUBMIT_TRANSACTIONS_MAX, BLOCK_GET, BatchItem, BatchSubmitParams,
    BlockGetParams, SubmitAnswer, SubmitParams, TRANSACTION_BATCH_SUBMIT, TRANSACTION_SUBMIT,
};
use plasma_rpc::client::{ClientConfig, ClientError, HttpRpcClient};
use plasma_rpc::params::NoParams;
use plasma_store::{NodeKind, Store, StoreConfig};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long anything may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until there is something to see.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(started.elapsed() < DEADLINE, "never happened: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits for something that has to happen.
pub(crate) async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    let event = tokio::time::timeout(DEADLINE, event).await;
    event.unwrap_or_else(|_| panic!("never happened: {what}"))
}

pub(crate) type Ended = Result<(), SupervisorError<ChildChainError>>;

/// What outlives a process.
pub(crate) struct World {
    pub(crate) chain: FakeRootChain,
    pub(crate) folder: TempDir,
    pub(crate) config: ChildChainConfig,
    pub(crate) deployment: Deployment,
}

impl World {
    /// A root chain that mines submissions at once, and a fee of 1 wei.
    pub(crate) async fn new() -> Self {
        if let Ok(filter) = std::env::var("RUST_LOG") {
            // The first test of the process starts it for all.
            drop(init_logging(LogFormat::Text, &filter));
        }
        let chain = FakeRootChain::new(7);
        chain.set_automine(true);
        let facts = chain.contract_facts().await.unwrap();
        let deployment = Deployment {
            plasma_framework_tx_hash: H256::zero(),
            addresses: facts.addresses,
            authority: facts.authority,
            chain_id: facts.chain_id,
            eth_height: EthHeight::new(0),
            min_exit_period_s: facts.min_exit_period_s,
            contract_semver: facts.contract_semver,
            erc20_token: None,
        };
        let folder = tempfile::tempdir().unwrap();
        let mut config = ChildChainConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            fee_claimer: wallet::fee_claimer(),
            fee_specs_path: folder.path().join("fees.json"),
            fee_specs_poll_ms: 20,
            fee_buffer_ms: 60_000,
            deposit_finality_margin_eth_blocks: 1,
            listener_tick_ms: 20,
            ..ChildChainConfig::default()
        };
        config.eth_height_monitor.poll_ms = 20;
        config.block_queue.tick_ms = 20;
        let world = Self { chain, folder, config, deployment };
        world.write_fees(&fee_file(&[(ETH, 1)]));
        world
    }

    pub(crate) fn write_fees(&self, text: &str) {
        // As an operator should: a file that is being written must not be read.
        let fresh = self.folder.path().join("fees.json.new");
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(fresh, &self.config.fee_specs_path).unwrap();
    }

    /// The store; the one of a process that just ended is released soon.
    pub(crate) async fn open_store(&self) -> Store {
        let identity = store_identity(NodeKind::ChildChain, &self.deployment);
        let path = self.folder.path().join("store");
        eventually("the store is released", async || {
            match Store::open(&path, &identity, &StoreConfig::default()) {
                Ok(store) => Some(store),
                Err(plasma_store::StoreError::Locked { .. }) => None,
                Err(error) => panic!("{error}"),
            }
        })
        .await
    }

    /// Starts a process, and does not wait for it.
    pub(crate) async fn launch(&self) -> Operator {
        let setup = Setup {
            config: self.config.clone(),
            deployment: self.deployment.clone(),
            root_chain: Arc::new(self.chain.clone()),
            store: self.open_store().await,
            version: "0.1.0+0000000".to_owned(),
        };
        let node = Node::start(setup).await.unwrap();
        let (addr, tree) = (node.local_addr(), node.tree());
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::task::spawn_local(node.run(async {
            // A dropped sender is a shutdown as well.
            let _ = stopped.await;
        }));
        let client = HttpRpcClient::new(ClientConfig::new(format!("http://{addr}"))).unwrap();
        Operator { addr, client, tree, chain: self.chain.clone(), stop, ended }
    }

    /// Starts a process and waits until it takes transactions.
    pub(crate) async fn start(&self) -> Operator {
        let operator = self.launch().await;
        operator.healthy().await;
        operator
    }

    /// Mints deposits, one for each owner, and waits until they can be spent.
    pub(crate) async fn deposit(
        &self,
        operator: &Operator,
        owners: &[Address],
        amount: u64,
    ) -> Vec<UtxoPos> {
        let blknums = self.chain.mine_block(|block| {
            let deposit = |owner: &Address| block.deposit(*owner, ETH, U256::from(amount));
            owners.iter().map(deposit).collect::<Vec<Blknum>>()
        });
        self.confirm(operator).await;
        blknums.into_iter().map(UtxoPos::deposit).collect()
    }

    /// Mines what the margin asks for, and waits until everything before was read.
    pub(crate) async fn confirm(&self, operator: &Operator) {
        let height = self.chain.newest_block().eth_height;
        self.chain.mine(1);
        eventually("the root chain is read", async || {
            let synced = operator.tree.get()?.coordinator.progress().synced;
            let services = [Service::Depositor, Service::Exiter, Service::InFlightExiter];
            let read = |service| synced.get(service).is_some_and(|at| *at >= height);
            services.iter().all(read).then_some(())
        })
        .await;
    }

    /// The roots on the root chain, by number.
    pub(crate) async fn roots(&self) -> BTreeMap<Blknum, H256> {
        let mined = self.chain.submission_state().await.unwrap().mined_blknum.get();
        let mut roots = BTreeMap::new();
        for blknum in (1_000..=mined).step_by(1_000).map(Blknum::new) {
            let block = self.chain.child_block(blknum).await.unwrap().unwrap();
            roots.insert(blknum, block.root);
        }
        roots
    }

    /// Waits until a block is on the root chain.
    pub(crate) async fn mined(&self, blknum: Blknum) {
        eventually(&format!("block {blknum} is mined"), async || {
            // The test may want calls to fail.
            let state = self.chain.submission_state().await.ok()?;
            (state.mined_blknum >= blknum).then_some(())
        })
        .await;
    }

    /// Checks that every root on the root chain is served and is the root of what is served, that no transaction is in two places,
    /// and that each of these is where it was answered. Returns the blocks.
    pub(crate) async fn check(&self, operator: &Operator, answered: &[SubmitAnswer]) -> Vec<Block> {
        if let Some(newest) = answered.iter().map(|answer| answer.blknum).max() {
            self.mined(newest).await;
        }
        let mut blocks = Vec::new();
        let mut places = BTreeMap::new();
        for (blknum, root) in self.roots().await {
            let block = operator.block(root).await.unwrap();
            assert_eq!((block.number, block.hash, block.root().unwrap()), (blknum, root, root));
            for (index, bytes) in block.transactions.iter().enumerate() {
                let tx = wallet::decode(bytes);
                let place = (blknum.get(), u32::try_from(index).unwrap());
                assert_eq!(places.insert(tx.hash(), place), None, "in two places");
            }
            blocks.push(block);
        }
        for SubmitAnswer { blknum, txindex, txhash } in answered {
            let found = places.get(txhash);
            assert_eq!(found, Some(&(blknum.get(), txindex.get())), "not where it was answered");
        }
        blocks
    }
}

/// One process.
pub(crate) struct Operator {
    pub(crate) addr: SocketAddr,
    pub(crate) client: HttpRpcClient,
    pub(crate) tree: Published<ChildChain>,
    chain: FakeRootChain,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Ended>,
}

impl Operator {
    /// Waits until it takes transactions.
    pub(crate) async fn healthy(&self) {
        eventually("the node is healthy", async || {
            (get(self.addr, "health").await.0 == 200).then_some(())
        })
        .await;
    }

    pub(crate) async fn submit(&self, transaction: &[u8]) -> Result<SubmitAnswer, ClientError> {
        let params = SubmitParams { transaction: transaction.to_vec() };
        soon("a submission is answered", self.client.call(&TRANSACTION_SUBMIT, &params)).await
    }

    pub(crate) async fn submit_batch(
        &self,
        transactions: Vec<Vec<u8>>,
    ) -> Result<Vec<BatchItem>, ClientError> {
        assert!(transactions.len() <= BATCH_SUBMIT_TRANSACTIONS_MAX + 1);
        let params = BatchSubmitParams { transactions };
        soon("a batch is answered", self.client.call(&TRANSACTION_BATCH_SUBMIT, &params)).await
    }

    /// The code a submission is refused with.
    pub(crate) async fn refusal(&self, transaction: &[u8]) -> String {
        code(self.submit(transaction).await.unwrap_err())
    }

    pub(crate) async fn block(&self, hash: H256) -> Result<Block, ClientError> {
        let params = BlockGetParams { hash };
        let answer = soon("a block is served", self.client.call(&BLOCK_GET, &params)).await;
        answer.map(|answer| answer.0)
    }

    /// Names of the raised alarms.
    pub(crate) async fn alarms(&self) -> Vec<String> {
        let alarms = self.client.call(&ALARM_GET, &NoParams {}).await.unwrap();
        alarms.into_iter().map(|alarm| alarm.name.into_owned()).collect()
    }

    /// Waits until an alarm is raised, or cleared.
    pub(crate) async fn alarm(&self, name: &str, raised: bool) {
        eventually(&format!("{name} raised: {raised}"), async || {
            (self.alarms().await.iter().any(|alarm| alarm == name) == raised).then_some(())
        })
        .await;
    }

    /// How often the actors were started.
    pub(crate) async fn tree_starts(&self) -> u64 {
        let (_, text) = get(self.addr, "metrics").await;
        let line = text.lines().find(|line| line.contains("tree_starts_total "));
        line.and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap()
    }

    /// Mines root chain blocks until a condition holds.
    pub(crate) async fn mine_until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        eventually(what, async || {
            if holds().await {
                return Some(());
            }
            self.chain.mine(1);
            None
        })
        .await;
    }

    /// Ends the process in good order.
    pub(crate) async fn stop(self) {
        let Self { client, tree, stop, ended, .. } = self;
        drop((client, tree, stop));
        soon("the node stops", ended).await.unwrap().unwrap();
    }

    /// What a process says that ends by itself.
    pub(crate) async fn ended(self) -> String {
        soon("the node gives up", self.ended).await.unwrap().unwrap_err().to_string()
    }
}

/// The code of an error.
pub(crate) fn code(error: ClientError) -> String {
    match error {
        ClientError::Api(body) => body.code,
        other => panic!("no answer of the node: {other}"),
    }
}

/// A fee specification for payments.
pub(crate) fn fee_file(fees: &[(Address, u64)]) -> String {
    let spec = |(currency, amount): &(Address, u64)| {
        let spec = serde_json::json!({
            "amount": amount, "subunit_to_unit": 1_000_000, "pegged_amount": null,
            "pegged_currency": null, "pegged_subunit_to_unit": null,
            "updated_at": "2026-01-02T03:04:05Z", "type": "fixed",
        });
        (format!("{currency:?}"), spec)
    };
    let specs: serde_json::Map<String, Value> = fees.iter().map(spec).collect();
    serde_json::json!({ "1": specs }).to_string()
}

/// Status and body of a page.
pub(crate) async fn get(addr: SocketAddr, path: &str) -> (u16, String) {
    read(reqwest::Client::new().get(format!("http://{addr}/{path}"))).await
}

/// The same for a POST.
pub(crate) async fn post(addr: SocketAddr, path: &str, body: impl Into<String>) -> (u16, String) {
    read(reqwest::Client::new().post(format!("http://{addr}/{path}")).body(body.into())).await
}

async fn read(request: reqwest::RequestBuilder) -> (u16, String) {
    let exchange = async {
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    soon("an answer", exchange).await
}
