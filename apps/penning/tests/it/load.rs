//! Users who pay themselves as fast as they can, remember every promise of the operator, and never believe that silence means no.

use crate::nodes::Nodes;
use crate::process::POLL;
use plasma_core::wire::{
    Address, Blknum, ETH, Output, OutputIndex, PaymentTx, SecretKey, SignedTx, TxHash,
    TypedDataDomain, U256, UtxoPos,
};
use plasma_rpc::child_chain::{
    BatchItem, BatchSubmitParams, SubmitAnswer, TRANSACTION_BATCH_SUBMIT,
};
use plasma_rpc::client::{ClientConfig, ClientError, HttpRpcClient};
use plasma_rpc::params::NoParams;
use plasma_rpc::watcher::{ACCOUNT_GET_EXITABLE_UTXOS, AccountParams, STATUS_GET, Status};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// What a payment costs (priv/fee_specs.json).
const FEE_WEI: u64 = 1;
/// Outputs a user splits his money into, and so the most payments of one batch.
const OUTPUTS_MAX: usize = 64;
/// Pause after the operator did not answer.
const AWAY: Duration = Duration::from_millis(10);
/// How long the chain may take to begin, and to settle in the end.
const SETTLED_MAX: Duration = Duration::from_secs(60);

/// What all users share.
#[derive(Default)]
pub(crate) struct Load {
    /// Told to end.
    pub(crate) is_over: AtomicBool,
    /// What each user waits after each batch.
    pub(crate) pause: Duration,
    /// Transactions that the operator has accepted.
    pub(crate) acknowledged: AtomicU64,
    /// Users whose deposit the operator knows. Nobody may kill him before all are there.
    pub(crate) users: AtomicUsize,
}

impl Load {
    /// Waits until the operator has taken a payment of each of so many users.
    pub(crate) async fn everybody_pays(&self, users: usize) {
        let started = Instant::now();
        while self.users.load(Ordering::Relaxed) < users {
            assert!(started.elapsed() < SETTLED_MAX, "the operator does not see the deposits");
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Lets every account pay what it has deposited.
pub(crate) fn users(
    nodes: &Nodes,
    load: &Arc<Load>,
    deposits: &[(UtxoPos, U256)],
) -> Vec<JoinHandle<Promises>> {
    let user = |(key, deposit): (&SecretKey, &(UtxoPos, U256))| {
        let domain = TypedDataDomain::new(nodes.deployment.addresses.plasma_framework);
        let urls = [nodes.child_chain_url.as_str(), nodes.watcher_url.as_str()];
        let user = User::new(key.clone(), domain, urls, Arc::clone(load), *deposit);
        tokio::spawn(user.run())
    };
    nodes.accounts().iter().zip(deposits).map(user).collect()
}

/// What one user knows in the end.
#[derive(Default)]
pub(crate) struct Promises {
    /// Where each accepted transaction will be.
    pub(crate) acknowledged: BTreeMap<TxHash, SubmitAnswer>,
    /// Transactions that must be in a block although nobody said so: their inputs were gone when they were sent again.
    pub(crate) silently_accepted: Vec<TxHash>,
}

/// One user.
pub(crate) struct User {
    pub(crate) key: SecretKey,
    pub(crate) domain: TypedDataDomain,
    pub(crate) child_chain: HttpRpcClient,
    pub(crate) watcher: HttpRpcClient,
    pub(crate) load: Arc<Load>,
    /// What can be spent now.
    pub(crate) unspent: BTreeMap<UtxoPos, U256>,
    /// Payments without an answer, by the output they spend.
    unanswered: BTreeMap<UtxoPos, SignedTx>,
    /// Outputs that are spent for sure, whatever the watcher knows.
    spent: BTreeMap<UtxoPos, TxHash>,
    promises: Promises,
}

pub(crate) fn client(url: &str) -> HttpRpcClient {
    let mut config = ClientConfig::new(url);
    config.call_timeout = Duration::from_secs(10);
    HttpRpcClient::new(config).unwrap()
}

impl User {
    pub(crate) fn new(
        key: SecretKey,
        domain: TypedDataDomain,
        urls: [&str; 2],
        load: Arc<Load>,
        deposit: (UtxoPos, U256),
    ) -> Self {
        Self {
            key,
            domain,
            child_chain: client(urls[0]),
            watcher: client(urls[1]),
            load,
            unspent: [deposit].into(),
            unanswered: BTreeMap::new(),
            spent: BTreeMap::new(),
            promises: Promises::default(),
        }
    }

    /// Pays until it is over, and finds out about every payment that was not answered.
    pub(crate) async fn run(mut self) -> Promises {
        loop {
            let is_over = self.load.is_over.load(Ordering::Relaxed);
            if is_over && self.unanswered.is_empty() {
                return self.promises;
            }
            if !is_over && self.unanswered.is_empty() {
                self.make_payments();
            }
            if self.unanswered.is_empty() {
                self.look_for_outputs().await;
            }
            self.submit().await;
            if !self.load.pause.is_zero() {
                tokio::time::sleep(self.load.pause).await;
            }
        }
    }

    /// Spends everything at once; the first payments split the money, so that batches grow.
    fn make_payments(&mut self) {
        let splits = self.unspent.len() < OUTPUTS_MAX;
        for (position, amount) in std::mem::take(&mut self.unspent) {
            let left = amount - FEE_WEI;
            let amounts = if splits { vec![left / 2, left - left / 2] } else { vec![left] };
            let owner = self.key.address();
            let output = |amount: U256| Output::payment(owner, ETH, amount);
            let tx = PaymentTx {
                inputs: [position.into()].into_iter().collect(),
                outputs: amounts.into_iter().map(output).collect(),
                metadata: Default::default(),
            };
            let signed = SignedTx::sign_payment(tx, &[&self.key], &self.domain).unwrap();
            self.unanswered.insert(position, signed);
        }
    }

    /// Sends what has no answer, for the first time or again.
    async fn submit(&mut self) {
        let transactions = self.unanswered.values().map(|tx| tx.as_bytes().to_vec()).collect();
        let params = BatchSubmitParams { transactions };
        match self.child_chain.call(&TRANSACTION_BATCH_SUBMIT, &params).await {
            Ok(items) => {
                assert_eq!(items.len(), self.unanswered.len());
                let asked = std::mem::take(&mut self.unanswered);
                for ((position, tx), item) in asked.into_iter().zip(items) {
                    self.on_answer(position, &tx, item);
                }
            }
            Err(error) if error.is_transient() => tokio::time::sleep(AWAY).await,
            // A process that dies in the middle of its answer leaves half of one.
            Err(ClientError::Malformed { .. }) => tokio::time::sleep(AWAY).await,
            Err(error) => panic!("{error}"),
        }
    }

    fn on_answer(&mut self, position: UtxoPos, tx: &SignedTx, item: BatchItem) {
        let txhash = tx.hash();
        let is_first = self.promises.acknowledged.is_empty();
        self.spent.insert(position, txhash);
        match item {
            BatchItem::Accepted(answer) => {
                assert_eq!(answer.txhash, txhash);
                for (oindex, output) in (0..).zip(tx.transaction().outputs()) {
                    let oindex = OutputIndex::new(oindex);
                    let at = UtxoPos::new(answer.blknum, answer.txindex, oindex);
                    self.unspent.insert(at, output.amount);
                }
                let before = self.promises.acknowledged.insert(txhash, answer);
                assert!(before.is_none(), "{txhash:?} was accepted twice");
                self.load.users.fetch_add(usize::from(is_first), Ordering::Relaxed);
                self.load.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            BatchItem::Refused { .. } if is_first => {
                self.unanswered.insert(position, tx.clone());
            }
            // Nobody else can have spent it.
            BatchItem::Refused { error } => {
                assert_eq!(error, "utxo_not_found", "{position} in {txhash:?}");
                self.promises.silently_accepted.push(txhash);
            }
        }
    }

    /// Asks the watcher what the payments without an answer have become.
    async fn look_for_outputs(&mut self) {
        tokio::time::sleep(10 * AWAY).await;
        let params = AccountParams { address: self.key.address() };
        let Ok(listed) = self.watcher.call(&ACCOUNT_GET_EXITABLE_UTXOS, &params).await else {
            return;
        };
        for utxo in listed {
            if !self.spent.contains_key(&utxo.utxo_pos) {
                self.unspent.insert(utxo.utxo_pos, utxo.amount);
            }
        }
    }
}

/// What an owner has, as the watcher tells it.
pub(crate) async fn told_by_watcher(
    watcher: &HttpRpcClient,
    owner: Address,
) -> BTreeMap<UtxoPos, U256> {
    let params = AccountParams { address: owner };
    let listed = watcher.call(&ACCOUNT_GET_EXITABLE_UTXOS, &params).await;
    listed.unwrap().into_iter().map(|utxo| (utxo.utxo_pos, utxo.amount)).collect()
}

/// Waits until the watcher has validated everything up to this block and there is nothing behind it; the newest block then.
pub(crate) async fn settled(last: Blknum, watching: &HttpRpcClient) -> Blknum {
    let started = Instant::now();
    loop {
        let status: Status = watching.call(&STATUS_GET, &NoParams {}).await.unwrap();
        assert_eq!(status.byzantine_events, []);
        let validated = status.last_validated_child_block_number;
        if validated >= last && validated == status.last_mined_child_block_number {
            return validated;
        }
        assert!(started.elapsed() < SETTLED_MAX, "block {last} is not there: {status:?}");
        tokio::time::sleep(POLL).await;
    }
}
