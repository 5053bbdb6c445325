//! The world around a watcher: people with keys, a root chain in memory, an operator who serves what a test tells him to, and the
//! watcher itself, which can be stopped, started again from its folder, and asked over HTTP.

mod operator;

pub(crate) use operator::Operator;

use plasma_core::wire::{
    Address, Blknum, Block, ETH, ExitId, H256, Output, OutputIndex, PaymentTx, SecretKey, SignedTx,
    TxIndex, TypedDataDomain, U256, UtxoPos,
};
use plasma_eth::{Deployment, FakeRootChain, RootChain};
use plasma_node::eth_height_monitor::EthHeightMonitorConfig;
use plasma_node::startup::store_identity;
use plasma_node::supervisor::{Published, SupervisorError};
use plasma_rpc::Endpoint;
use plasma_rpc::alarm::Alarm;
use plasma_rpc::client::{ClientConfig, ClientError, HttpRpcClient};
use plasma_rpc::params::NoParams;
use plasma_rpc::watcher::{
    ACCOUNT_GET_EXITABLE_UTXOS, ALARM_GET, AccountParams, ByzantineEvent, ChallengeData, ExitData,
    STATUS_GET, Status, UTXO_GET_CHALLENGE_DATA, UTXO_GET_EXIT_DATA, UtxoPosParams,
};
use plasma_store::{NodeKind, Store, StoreConfig, StoreError};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use watcher::tree::{Watcher as Tree, WatcherError};
use watcher::{Node, Setup, WatcherConfig};

/// Confirmations of deposits.
pub(crate) const D: u64 = 2;
/// Confirmations of exits, the longest margin.
pub(crate) const E: u64 = 3;
/// Root chain blocks in which an invalid exit has to be challenged.
pub(crate) const SLA: u64 = 20;
/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);
/// What `version` says.
const VERSION: &str = "0.1.0+1a2b3c4";

/// A person, by the number the key is made of.
pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes([seed; 32]).unwrap()
}

pub(crate) fn alice() -> SecretKey {
    key(1)
}

pub(crate) fn bob() -> SecretKey {
    key(2)
}

pub(crate) fn pos(blknum: u64, txindex: u32, oindex: u16) -> UtxoPos {
    UtxoPos::new(Blknum::new(blknum), TxIndex::new(txindex), OutputIndex::new(oindex))
}

/// Asks until there is an answer.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "still waiting for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Everything but the watcher.
pub(crate) struct World {
    pub(crate) root_chain: FakeRootChain,
    pub(crate) operator: Operator,
    pub(crate) deployment: Deployment,
    pub(crate) domain: TypedDataDomain,
    pub(crate) config: WatcherConfig,
    folder: TempDir,
    newest: Blknum,
    /// An output of somebody whose payments nobody cares about.
    filler: Option<UtxoPos>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let root_chain = FakeRootChain::new(7);
        let facts = root_chain.contract_facts().await.unwrap();
        let operator = Operator::start().await;
        let config = WatcherConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            child_chain_url: operator.url(),
            deposit_finality_margin_eth_blocks: D,
            exit_finality_margin_eth_blocks: E,
            exit_processor_sla_margin_eth_blocks: SLA,
            download_retry_ms_min: 10,
            download_retry_ms_max: 40,
            tick_ms: 20,
            eth_height_monitor: EthHeightMonitorConfig { poll_ms: 5, stalled_ms: 600_000 },
            ..WatcherConfig::default()
        };
        Self {
            domain: TypedDataDomain::new(facts.addresses.plasma_framework),
            deployment: Deployment {
                plasma_framework_tx_hash: H256::zero(),
                addresses: facts.addresses,
                authority: facts.authority,
                chain_id: facts.chain_id,
                eth_height: Default::default(),
                min_exit_period_s: facts.min_exit_period_s,
                contract_semver: facts.contract_semver,
                erc20_token: None,
            },
            root_chain,
            operator,
            config,
            folder: tempfile::tempdir().unwrap(),
            newest: Blknum::default(),
            filler: None,
        }
    }

    /// A deposit of Ether that can be spent.
    pub(crate) fn deposit(&self, who: &SecretKey, amount: u64) -> UtxoPos {
        let blknum = self.root_chain.deposit(who.address(), ETH, amount.into());
        self.root_chain.mine(D);
        UtxoPos::deposit(blknum)
    }

    /// Signed bytes of a payment of Ether; each input has its owner.
    pub(crate) fn pay(
        &self,
        inputs: &[(UtxoPos, &SecretKey)],
        outputs: &[(Address, u64)],
    ) -> Vec<u8> {
        let output =
            |(owner, amount): &(Address, u64)| Output::payment(*owner, ETH, U256::from(*amount));
        let payment = PaymentTx {
            inputs: inputs.iter().map(|(position, _)| (*position).into()).collect(),
            outputs: outputs.iter().map(output).collect(),
            metadata: H256::zero(),
        };
        let keys: Vec<&SecretKey> = inputs.iter().map(|(_, key)| *key).collect();
        SignedTx::sign_payment(payment, &keys, &self.domain).unwrap().as_bytes().to_vec()
    }

    /// The next block, as an honest operator would serve it.
    pub(crate) fn next_block(&self, transactions: &[Vec<u8>]) -> Block {
        let number = self.newest.next_child_block().unwrap();
        let transactions = transactions.iter().map(|bytes| bytes.as_slice().into()).collect();
        let mut block = Block { number, hash: H256::zero(), transactions };
        block.hash = block.root().unwrap();
        block
    }

    /// Submits a root; the operator answers for it with `served`, or not at all.
    pub(crate) fn submit(&mut self, hash: H256, served: Option<Block>) -> Blknum {
        if let Some(block) = served {
            self.operator.serve(hash, block);
        }
        self.newest = self.root_chain.push_raw_root(hash);
        self.newest
    }

    /// An honest block.
    pub(crate) fn block(&mut self, transactions: &[Vec<u8>]) -> Blknum {
        let block = self.next_block(transactions);
        self.submit(block.hash, Some(block))
    }

    /// An honest block that concerns nobody, and like no other.
    pub(crate) fn any_block(&mut self) -> Blknum {
        let filler = key(99);
        let input = self.filler.unwrap_or_else(|| self.deposit(&filler, 1));
        let payment = self.pay(&[(input, &filler)], &[(filler.address(), 1)]);
        let blknum = self.block(&[payment]);
        self.filler = Some(pos(blknum.get(), 0, 0));
        blknum
    }

    /// The newest block, for an operator who shows it late.
    pub(crate) fn late_block(&self, transactions: &[Vec<u8>]) -> Block {
        Block { number: self.newest, ..self.next_block(transactions) }
    }

    /// Starts an exit of an output of these signed bytes, by its owner.
    pub(crate) fn exit(&self, position: UtxoPos, signed_bytes: &[u8]) -> ExitId {
        let signed = SignedTx::decode(signed_bytes).unwrap();
        let output = signed.transaction().outputs()[usize::from(position.oindex.get())];
        self.root_chain.exit_started(output.owner, position, &signed.unsigned_bytes())
    }

    /// Starts an exit of a deposit.
    pub(crate) fn exit_deposit(&self, position: UtxoPos, who: &SecretKey, amount: u64) -> ExitId {
        let tx = plasma_core::wire::Transaction::deposit(who.address(), ETH, amount.into());
        self.root_chain.exit_started(who.address(), position, &tx.encode_unsigned())
    }

    fn open(&self) -> Result<Store, StoreError> {
        let identity = store_identity(NodeKind::Watcher, &self.deployment);
        Store::open(self.folder.path(), &identity, &StoreConfig::default())
    }

    /// A watcher on this world's folder.
    pub(crate) async fn watch(&self) -> Watcher {
        // The server of a watcher that was stopped may still hold the store for a moment.
        let store = until("the store", async || match self.open() {
            Err(StoreError::Locked { .. }) => None,
            other => Some(other.unwrap()),
        });
        let setup = Setup {
            config: self.config.clone(),
            deployment: self.deployment.clone(),
            root_chain: Arc::new(self.root_chain.with_key_of(None)),
            store: store.await,
            version: VERSION.to_owned(),
        };
        let node = Node::start(setup).await.unwrap();
        let client = ClientConfig::new(format!("http://{}", node.local_addr()));
        let tree = node.tree();
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::task::spawn_local(node.run(async {
            // A dropped sender is a shutdown as well.
            let _ = stopped.await;
        }));
        Watcher { client: HttpRpcClient::new(client).unwrap(), tree, stop, ended }
    }
}

/// A running watcher.
pub(crate) struct Watcher {
    pub(crate) client: HttpRpcClient,
    pub(crate) tree: Published<Tree>,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), SupervisorError<WatcherError>>>,
}

impl Watcher {
    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.ended.await.unwrap().unwrap();
    }

    /// What it ends with when it cannot go on.
    pub(crate) async fn failure(self) -> SupervisorError<WatcherError> {
        let failure = self.ended.await.unwrap().unwrap_err();
        drop(self.stop);
        failure
    }

    /// `status.get`, once it is served.
    pub(crate) async fn status(&self) -> Status {
        until("a status", async || self.client.call(&STATUS_GET, &NoParams {}).await.ok()).await
    }

    /// The status, once it is as wanted.
    pub(crate) async fn status_when(&self, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        let ask = async || Some(self.status().await).filter(&wanted);
        until(what, ask).await
    }

    /// Waits until a block is in the ledger.
    pub(crate) async fn applied(&self, blknum: Blknum) {
        let what = format!("block {blknum} to be applied");
        self.status_when(&what, |status| status.last_validated_child_block_number >= blknum).await;
    }

    /// Waits until every service has read the root chain as far as it may.
    pub(crate) async fn caught_up(&self, world: &World) {
        let height = world.root_chain.newest_block().eth_height;
        let is_done = |status: &Status| {
            let services = &status.services_synced_heights;
            services.len() == 6 && services.iter().all(|service| service.height.plus(E) >= height)
        };
        self.status_when("the root chain to be read", is_done).await;
    }

    /// Waits until exactly these events are told, each by name and block or output.
    pub(crate) async fn events(&self, expected: &[(&str, u128)]) -> Vec<ByzantineEvent> {
        let told = |status: &Status| {
            let events = status.byzantine_events.iter();
            events.map(|event| (event.name(), subject(event))).collect::<Vec<_>>() == expected
        };
        let what = format!("{expected:?}");
        self.status_when(&what, told).await.byzantine_events
    }

    pub(crate) async fn alarms(&self) -> Vec<Alarm> {
        self.client.call(&ALARM_GET, &NoParams {}).await.unwrap()
    }

    /// Whether an alarm of this name is raised.
    pub(crate) async fn has_alarm(&self, name: &str) -> bool {
        self.alarms().await.iter().any(|alarm| alarm.name == name)
    }

    pub(crate) async fn exit_data(&self, position: UtxoPos) -> Result<ExitData, String> {
        let answer = self.client.call(&UTXO_GET_EXIT_DATA, &UtxoPosParams::new(position)).await;
        answer.map_err(code)
    }

    pub(crate) async fn challenge_data(&self, position: UtxoPos) -> Result<ChallengeData, String> {
        let params = UtxoPosParams::new(position);
        self.client.call(&UTXO_GET_CHALLENGE_DATA, &params).await.map_err(code)
    }

    /// Positions of what somebody can exit.
    pub(crate) async fn exitable(&self, owner: &SecretKey) -> Vec<UtxoPos> {
        let params = AccountParams { address: owner.address() };
        let utxos = self.client.call(&ACCOUNT_GET_EXITABLE_UTXOS, &params).await.unwrap();
        utxos.into_iter().map(|utxo| utxo.utxo_pos).collect()
    }

    /// Any method with any parameters: the answer, or the code of the error.
    pub(crate) async fn call(&self, method: &'static str, params: &Value) -> Result<Value, String> {
        let endpoint = Endpoint::<Value, Value>::post(method, "");
        self.client.call(&endpoint, params).await.map_err(code)
    }
}

/// The code of a refusal; anything else is a broken test.
fn code(error: ClientError) -> String {
    match error {
        ClientError::Api(refusal) => refusal.code,
        other => panic!("{other}"),
    }
}

/// The block or the output that an event is about.
fn subject(event: &ByzantineEvent) -> u128 {
    match event {
        ByzantineEvent::InvalidBlock(block) => block.blknum.get().into(),
        ByzantineEvent::BlockWithholding(block) => block.blknum.get().into(),
        ByzantineEvent::InvalidExit(exit) | ByzantineEvent::UnchallengedExit(exit) => {
            exit.utxo_pos.encode()
        }
    }
}
