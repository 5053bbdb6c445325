//! A watcher for tests: short ticks, port 0, a store in a folder that vanishes. Nothing sleeps for a fixed time; conditions are
//! awaited.
//!
//! [`World`] is what outlives a process: the root chain, the operator, the store's folder. [`Watched`] is one process.

use crate::operator::Operator;
use crate::postgres::Database;
use crate::users::{Who, root_of};
use plasma_core::wire::{
    Address, Blknum, Block, BlockHash, Currency, ETH, EthHeight, H256, U256, UtxoPos,
};
use plasma_eth::{Deployment, FakeRootChain, FakeSentinelChain, RootChain};
use plasma_node::startup::store_identity;
use plasma_node::supervisor::{Published, SupervisorError};
use plasma_rpc::child_chain::{SubmitAnswer, SubmitParams};
use plasma_rpc::client::{ClientConfig, ClientError, HttpRpcClient};
use plasma_rpc::endpoint::Endpoint;
use plasma_rpc::info::UTXO_GET;
use plasma_rpc::params::NoParams;
use plasma_rpc::watcher::{
    ACCOUNT_GET_EXITABLE_UTXOS, ALARM_GET, AccountParams, ByzantineEvent, ChallengeData, ExitData,
    ExitableUtxo, STATUS_GET, Status, TRANSACTION_SUBMIT, UTXO_GET_CHALLENGE_DATA,
    UTXO_GET_EXIT_DATA, UtxoPosParams,
};
use plasma_store::{NodeKind, Store, StoreConfig, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use watcher::tree::{Watcher, WatcherError};
use watcher::{Node, Setup, WatcherConfig};

/// How long anything may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(10);
/// Longer than any test: nothing is ever withheld.
pub(crate) const PATIENCE_MS: u64 = 10 * 60 * 1_000;

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

pub(crate) type Ended = Result<(), SupervisorError<WatcherError>>;

/// What outlives a process.
pub(crate) struct World {
    pub(crate) chain: FakeRootChain,
    /// Whether its watchers act, and how.
    pub(crate) sentinel: Option<FakeSentinelChain>,
    pub(crate) operator: Operator,
    pub(crate) config: WatcherConfig,
    /// The database of its watchers, if they have one.
    pub(crate) database: Option<Database>,
    pub(crate) deployment: Deployment,
    next_blknum: Blknum,
    folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let chain = FakeRootChain::new(7).with_key_of(None);
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
        let operator = Operator::start().await;
        let mut config = WatcherConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            child_chain_url: format!("http://{}/", operator.addr),
            deposit_finality_margin_eth_blocks: 1,
            exit_finality_margin_eth_blocks: 1,
            exit_processor_sla_margin_eth_blocks: 1_000,
            withholding_ms_max: PATIENCE_MS,
            download_ms_max: 5_000,
            download_retry_ms_min: 10,
            download_retry_ms_max: 40,
            tick_ms: 20,
            ..WatcherConfig::default()
        };
        config.eth_height_monitor.poll_ms = 20;
        let folder = tempfile::tempdir().unwrap();
        let next_blknum = Blknum::new(1_000);
        Self {
            chain,
            sentinel: None,
            operator,
            config,
            database: None,
            deployment,
            next_blknum,
            folder,
        }
    }

    /// A world with this patience for blocks that are not served.
    pub(crate) async fn with_patience_ms(withholding_ms_max: u64) -> Self {
        let mut world = Self::new().await;
        world.config.withholding_ms_max = withholding_ms_max;
        world
    }

    /// A world whose watchers have a database of their own on a real PostgreSQL, and look at the fees all the time.
    pub(crate) async fn with_database() -> Self {
        let mut world = Self::new().await;
        let database = Database::new().await;
        world.config.watcher_db = database.config.clone();
        world.config.info.listen = ([127, 0, 0, 1], 0).into();
        world.config.info.fees_poll_ms = 20;
        world.database = Some(database);
        world
    }

    /// The next process gets an empty store. Returns the folder of the ones before.
    pub(crate) fn another_folder(&mut self) -> TempDir {
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    // -- what happens on the chains

    /// A deposit, with the confirmations it needs.
    pub(crate) fn deposit(&self, who: Who, amount: u64) -> UtxoPos {
        self.deposit_of(who, ETH, amount.into())
    }

    /// The same in any currency.
    pub(crate) fn deposit_of(&self, who: Who, currency: Currency, amount: U256) -> UtxoPos {
        let blknum = self.chain.deposit(who.address(), currency, amount);
        self.chain.mine(1);
        UtxoPos::deposit(blknum)
    }

    /// An honest block: served, then submitted.
    pub(crate) fn block(&mut self, transactions: Vec<Box<[u8]>>) -> Block {
        let block = self.next_block(transactions);
        self.operator.serve(block.hash, &block);
        self.submit(block.hash);
        block
    }

    /// The next block, which nobody has heard of yet.
    pub(crate) fn next_block(&self, transactions: Vec<Box<[u8]>>) -> Block {
        Block { number: self.next_blknum, hash: root_of(&transactions), transactions }
    }

    /// Submits any root as the next block.
    pub(crate) fn submit(&mut self, root: BlockHash) -> Blknum {
        let blknum = self.chain.push_raw_root(root);
        assert_eq!(blknum, self.next_blknum);
        self.next_blknum = blknum.next_child_block().unwrap();
        blknum
    }

    /// Submissions of blocks from this number on never happened.
    pub(crate) fn forget_from(&mut self, blknum: Blknum) {
        self.next_blknum = blknum;
    }

    // -- processes

    /// The store; the one of a process that just ended is released soon.
    pub(crate) async fn open_store(&self) -> Store {
        self.open_store_in(self.folder.path()).await
    }

    /// The store of a process that had another folder.
    pub(crate) async fn open_store_in(&self, folder: &Path) -> Store {
        let identity = store_identity(NodeKind::Watcher, &self.deployment);
        let path = folder.join("store");
        eventually("the store is released", async || {
            match Store::open(&path, &identity, &StoreConfig::default()) {
                Ok(store) => Some(store),
                Err(StoreError::Locked { .. }) => None,
                Err(error) => panic!("{error}"),
            }
        })
        .await
    }

    pub(crate) async fn setup(&self) -> Setup {
        Setup {
            config: self.config.clone(),
            deployment: self.deployment.clone(),
            root_chain: Arc::new(self.chain.clone()),
            sentinel: self.sentinel.clone().map(|chain| Arc::new(chain) as _),
            store: self.open_store().await,
            version: "0.1.0+0000000".to_owned(),
        }
    }

    /// Starts a process, and does not wait for it.
    pub(crate) async fn launch(&self) -> Watched {
        let node = Node::start(self.setup().await).await.unwrap();
        let (addr, info_addr, tree) = (node.local_addr(), node.info_addr(), node.tree());
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::task::spawn_local(node.run(async {
            // A dropped sender is a shutdown as well.
            let _ = stopped.await;
        }));
        let client =
            |addr| HttpRpcClient::new(ClientConfig::new(format!("http://{addr}"))).unwrap();
        let (client, info) = (client(addr), info_addr.map(client));
        let (chain, config) = (self.chain.clone(), &self.config);
        let margin = config.deposit_finality_margin_eth_blocks;
        let margin = margin.max(config.exit_finality_margin_eth_blocks);
        Watched { addr, info_addr, client, info, tree, chain, margin, stop, ended }
    }

    /// Starts a process and waits until it knows what there is to know.
    pub(crate) async fn start(&self) -> Watched {
        let watched = self.launch().await;
        watched.synced().await;
        watched
    }

    /// Ends a process in good order and starts the next one on the same store.
    pub(crate) async fn restart(&self, watched: Watched) -> Watched {
        watched.stop().await;
        self.start().await
    }
}

/// One process.
pub(crate) struct Watched {
    pub(crate) addr: SocketAddr,
    pub(crate) client: HttpRpcClient,
    /// Its second port, if it has a database.
    pub(crate) info_addr: Option<SocketAddr>,
    /// Calls its second port.
    info: Option<HttpRpcClient>,
    pub(crate) tree: Published<Watcher>,
    chain: FakeRootChain,
    /// The longest of its margins.
    margin: u64,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Ended>,
}

impl Watched {
    pub(crate) async fn call<P: Serialize, A: DeserializeOwned + Send + 'static>(
        &self,
        endpoint: &Endpoint<P, A>,
        params: &P,
    ) -> Result<A, ClientError> {
        soon(endpoint.spec.name, self.client.call(endpoint, params)).await
    }

    /// The same on the port with the informational methods.
    pub(crate) async fn info<P: Serialize, A: DeserializeOwned + Send + 'static>(
        &self,
        endpoint: &Endpoint<P, A>,
        params: &P,
    ) -> Result<A, ClientError> {
        soon(endpoint.spec.name, self.info_client().call(endpoint, params)).await
    }

    pub(crate) fn info_client(&self) -> &HttpRpcClient {
        self.info.as_ref().unwrap()
    }

    /// Waits until an output is in the database, and with it everything that was known before it.
    pub(crate) async fn indexed(&self, position: UtxoPos) {
        let params = UtxoPosParams::new(position);
        eventually(&format!("{position} is in the database"), async || {
            self.info(&UTXO_GET, &params).await.ok()
        })
        .await;
    }

    /// The status, once there is one.
    pub(crate) async fn status(&self) -> Status {
        eventually("there is a status", async || self.call(&STATUS_GET, &NoParams {}).await.ok())
            .await
    }

    /// Waits until the status is as it should be.
    pub(crate) async fn until(&self, what: &str, mut holds: impl FnMut(&Status) -> bool) -> Status {
        let started = Instant::now();
        loop {
            let status = self.status().await;
            if holds(&status) {
                return status;
            }
            assert!(started.elapsed() < DEADLINE, "never happened: {what}; {status:?}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until every service has read the root chain as far as its margin allows, and the status says so.
    pub(crate) async fn synced(&self) -> Status {
        let newest = self.chain.newest_block().eth_height;
        self.until("everything is read", |status| {
            let services = &status.services_synced_heights;
            let is_read = |service: &str, height: EthHeight| match service {
                "block_getter" | "root_chain_height" => height >= newest,
                _ => height >= newest.minus(self.margin),
            };
            services.iter().all(|at| is_read(&at.service, at.height))
                && status.last_seen_eth_block_number >= newest
        })
        .await
    }

    /// Mines, waits, and checks that nothing is wrong; twice, so that whatever was read has been judged.
    pub(crate) async fn assert_quiet(&self) {
        for _ in 0..2 {
            self.chain.mine(1);
            assert_eq!(self.synced().await.byzantine_events, []);
        }
    }

    /// Waits until a block is in the ledger.
    pub(crate) async fn validated(&self, blknum: Blknum) -> Status {
        self.until(&format!("block {blknum} is valid"), |status| {
            status.last_validated_child_block_number >= blknum
        })
        .await
    }

    /// Waits until exactly these events are shown, by name.
    pub(crate) async fn events(&self, names: &[&str]) -> Vec<ByzantineEvent> {
        let what = format!("events are {names:?}");
        let matches =
            |status: &Status| status.byzantine_events.iter().map(name).eq(names.iter().copied());
        self.until(&what, matches).await.byzantine_events
    }

    pub(crate) async fn exitable(&self, owner: Address) -> Vec<ExitableUtxo> {
        let params = AccountParams { address: owner };
        self.call(&ACCOUNT_GET_EXITABLE_UTXOS, &params).await.unwrap()
    }

    /// Positions of what somebody can exit.
    pub(crate) async fn exitable_positions(&self, who: Who) -> Vec<UtxoPos> {
        self.exitable(who.address()).await.iter().map(|utxo| utxo.utxo_pos).collect()
    }

    pub(crate) async fn exit_data(&self, position: UtxoPos) -> Result<ExitData, ClientError> {
        self.call(&UTXO_GET_EXIT_DATA, &UtxoPosParams::new(position)).await
    }

    pub(crate) async fn challenge_data(
        &self,
        position: UtxoPos,
    ) -> Result<ChallengeData, ClientError> {
        self.call(&UTXO_GET_CHALLENGE_DATA, &UtxoPosParams::new(position)).await
    }

    /// Waits until there is something to challenge an exit with.
    pub(crate) async fn challengeable(&self, position: UtxoPos) -> ChallengeData {
        eventually("there is challenge data", async || self.challenge_data(position).await.ok())
            .await
    }

    pub(crate) async fn submit(&self, transaction: &[u8]) -> Result<SubmitAnswer, ClientError> {
        self.call(&TRANSACTION_SUBMIT, &SubmitParams { transaction: transaction.to_vec() }).await
    }

    /// Names of the raised alarms.
    pub(crate) async fn alarms(&self) -> Vec<String> {
        let alarms = self.call(&ALARM_GET, &NoParams {}).await.unwrap();
        alarms.into_iter().map(|alarm| alarm.name.into_owned()).collect()
    }

    /// Waits until an alarm is raised, or cleared.
    pub(crate) async fn alarm(&self, name: &str, raised: bool) {
        eventually(&format!("{name} raised: {raised}"), async || {
            (self.alarms().await.iter().any(|alarm| alarm == name) == raised).then_some(())
        })
        .await;
    }

    /// A number of the metrics page.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let (_, text) = get(self.addr, "metrics").await;
        let line = text.lines().find(|line| !line.starts_with('#') && line.contains(name));
        let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Kills an actor and waits until the next tree is there.
    pub(crate) async fn crash(&mut self, name: &str) {
        assert!(self.tree.crash(name), "there is no {name}");
        soon("the tree is gone", self.tree.wait_down()).await;
        soon("the tree is back", self.tree.wait()).await.unwrap();
    }

    /// What a process says that ends by itself.
    pub(crate) async fn ended(self) -> String {
        soon("the node gives up", self.ended).await.unwrap().unwrap_err().to_string()
    }

    /// Ends the process in good order.
    pub(crate) async fn stop(self) {
        let Self { client, tree, stop, ended, .. } = self;
        drop((client, tree, stop));
        soon("the node stops", ended).await.unwrap().unwrap();
    }
}

/// The documented name of an event.
pub(crate) fn name(event: &ByzantineEvent) -> &'static str {
    match event {
        ByzantineEvent::InvalidBlock(_) => "invalid_block",
        ByzantineEvent::BlockWithholding(_) => "block_withholding",
        ByzantineEvent::InvalidExit(_) => "invalid_exit",
        ByzantineEvent::UnchallengedExit(_) => "unchallenged_exit",
        ByzantineEvent::NonCanonicalIfe(_) => "non_canonical_ife",
        ByzantineEvent::UnchallengedNonCanonicalIfe(_) => "unchallenged_non_canonical_ife",
        ByzantineEvent::InvalidIfeChallenge(_) => "invalid_ife_challenge",
        ByzantineEvent::InvalidPiggyback(_) => "invalid_piggyback",
        ByzantineEvent::UnchallengedPiggyback(_) => "unchallenged_piggyback",
        ByzantineEvent::PiggybackAvailable(_) => "piggyback_available",
    }
}

/// The code of an error.
pub(crate) fn code(error: ClientError) -> String {
    match error {
        ClientError::Api(body) => body.code,
        other => panic!("no answer of the node: {other}"),
    }
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
