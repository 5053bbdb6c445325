//! A small honest network in one process: an operator and a watcher that share one ledger in memory, on a real root chain with our
//! contracts. It follows the documented answers, so that the wallet can be tested without the nodes; it proves nothing about them.

use crate::kit::root;
use plasma_core::root_chain::{EthEvent, EventKind, RootChainEvent};
use plasma_core::wire::{
    Address, Blknum, Block, BlockHash, CHILD_BLOCK_INTERVAL, Currency, ETH, EthHeight, ExitId,
    H256, InclusionProof, MerkleBuilder, Output, OutputIndex, OutputType, RecoveredTx, SecretKey,
    SignedTx, Transaction, TxIndex, TypedDataDomain, U256, UtxoPos, merkle::leaf_hash,
};
use plasma_eth::{
    Anvil, AnvilConfig, DeployRequest, Deployment, EthConfig, EthersRootChain, RootChain, deploy,
    dev_keys, find_anvil,
};
use plasma_rpc::alarm::{Alarm, AlarmName, RaisedBy};
use plasma_rpc::child_chain::{
    self, BlockAnswer, FeeAnswer, FeesAnswer, SubmitAnswer, SubmitParams,
};
use plasma_rpc::server::{MethodTable, Probes, Server, ServerConfig};
use plasma_rpc::watcher::{
    self, ByzantineEvent, ChallengeData, ContractAddresses, ExitData, ExitEvent, ExitableUtxo,
    Status, WatcherConfiguration,
};
use plasma_rpc::{RpcError, Service};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// What a payment costs, in wei.
pub(crate) const FEE_WEI: u64 = 1_000_007;
const EVERY_KIND: [EventKind; 5] = [
    EventKind::DepositCreated,
    EventKind::BlockSubmitted,
    EventKind::ExitStarted,
    EventKind::ExitChallenged,
    EventKind::ExitFinalized,
];

/// The network. Everything ends when it is dropped.
pub(crate) struct SmallChain {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) ledger: Arc<Shared>,
    _servers: [Server; 2],
    _anvil: Anvil,
}

pub(crate) struct Shared {
    ledger: Mutex<Ledger>,
    domain: TypedDataDomain,
    deployment: Deployment,
}

#[derive(Default)]
struct Ledger {
    unspent: BTreeMap<UtxoPos, Output>,
    /// Unsigned bytes and proof of what made an output, once it is in a block.
    made: BTreeMap<UtxoPos, (Vec<u8>, InclusionProof)>,
    /// Unsigned bytes, input and signature of what spent an output.
    spends: BTreeMap<UtxoPos, (Vec<u8>, u8, Vec<u8>)>,
    exits: BTreeMap<UtxoPos, ExitEvent>,
    blocks: BTreeMap<BlockHash, Block>,
    pending: Vec<SignedTx>,
    fees: BTreeMap<Currency, U256>,
    newest: Blknum,
    /// The block that was formed last: the root chain may not have it yet.
    formed: Blknum,
    synced: EthHeight,
    /// Set by a test: the watcher reports a withheld block.
    is_unsafe: bool,
    /// Set by a test: the watcher cannot reach the root chain.
    is_unhealthy: bool,
    /// Set by a test: the operator names a place that another transaction has.
    lies_about_places: bool,
    /// Set by a test: from the first exit on, one wei of the fees is missing.
    loses_a_wei: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }

    pub(crate) fn make_unsafe(&self) {
        self.lock().is_unsafe = true;
    }

    pub(crate) fn make_unhealthy(&self) {
        self.lock().is_unhealthy = true;
    }

    pub(crate) fn lie_about_places(&self) {
        self.lock().lies_about_places = true;
    }

    pub(crate) fn lose_a_wei(&self) {
        self.lock().loses_a_wei = true;
    }
}

impl Ledger {
    fn forming(&self) -> Blknum {
        self.newest.max(self.formed).next_child_block().unwrap()
    }

    fn exec(&mut self, bytes: &[u8], domain: &TypedDataDomain) -> Result<SubmitAnswer, RpcError> {
        let tx =
            RecoveredTx::from_bytes(bytes, domain).map_err(|e| RpcError::reason(e.to_string()))?;
        let Transaction::Payment(payment) = tx.transaction() else { panic!("no payment") };
        let mut left = BTreeMap::<Currency, U256>::new();
        for (input, spender) in payment.inputs.iter().zip(tx.spenders()) {
            let output = input.position().and_then(|at| self.unspent.get(&at));
            let output = output.ok_or_else(|| RpcError::reason("utxo_not_found"))?;
            if output.owner != *spender {
                return Err(RpcError::reason("unauthorized_spend"));
            }
            *left.entry(output.currency).or_default() += output.amount;
        }
        for output in &payment.outputs {
            let sum = left.entry(output.currency).or_default();
            *sum = sum
                .checked_sub(output.amount)
                .ok_or_else(|| RpcError::reason("amounts_do_not_add_up"))?;
        }
        left.retain(|_, amount| !amount.is_zero());
        let asked = [(ETH, U256::from(FEE_WEI))].into();
        let wanted = if plasma_core::fees::is_merge(&tx) { BTreeMap::new() } else { asked };
        if left != wanted {
            return Err(RpcError::reason("fees_not_covered"));
        }
        left.into_iter().for_each(|(currency, fee)| *self.fees.entry(currency).or_default() += fee);
        let signed = SignedTx::decode(bytes).unwrap();
        let answer = SubmitAnswer {
            blknum: self.forming(),
            txindex: TxIndex::new(u32::try_from(self.pending.len()).unwrap()),
            txhash: tx.hash(),
        };
        for (index, input) in payment.inputs.iter().enumerate() {
            let at = input.position().unwrap();
            let signature = signed.signatures().nth(index).unwrap().as_bytes().to_vec();
            let index = u8::try_from(index).unwrap();
            self.spends.insert(at, (signed.unsigned_bytes(), index, signature));
            self.unspent.remove(&at);
        }
        self.add(&signed, answer.txindex);
        self.pending.push(signed);
        if self.lies_about_places {
            let (blknum, txindex) = (Blknum::new(CHILD_BLOCK_INTERVAL), TxIndex::new(0));
            return Ok(SubmitAnswer { blknum, txindex, ..answer });
        }
        Ok(answer)
    }

    fn add(&mut self, signed: &SignedTx, txindex: TxIndex) {
        for (oindex, output) in (0..).zip(signed.transaction().outputs()) {
            let at = UtxoPos::new(self.forming(), txindex, OutputIndex::new(oindex));
            self.unspent.insert(at, *output);
        }
    }

    /// The pending block with its fee claims.
    fn form(&mut self, claimer: Address) -> Option<Block> {
        if self.pending.is_empty() {
            return None;
        }
        let number = self.forming();
        for (currency, amount) in std::mem::take(&mut self.fees) {
            let claim = Transaction::fee_claim(number, claimer, currency, amount);
            let claim = SignedTx::new(claim, &[]).unwrap();
            let txindex = TxIndex::new(u32::try_from(self.pending.len()).unwrap());
            self.add(&claim, txindex);
            self.pending.push(claim);
        }
        self.formed = number;
        let transactions = std::mem::take(&mut self.pending);
        let leaves: Vec<H256> = transactions.iter().map(SignedTx::leaf).collect();
        for (txindex, tx) in (0..).zip(&transactions) {
            for (oindex, _) in (0..).zip(tx.transaction().outputs()) {
                let at = UtxoPos::new(number, TxIndex::new(txindex), OutputIndex::new(oindex));
                let proof = InclusionProof::from_leaves(txindex, &leaves).unwrap();
                self.made.insert(at, (tx.unsigned_bytes(), proof));
            }
        }
        let hash = MerkleBuilder::from_leaves(leaves).unwrap().root();
        let transactions = transactions.iter().map(|tx| tx.as_bytes().into()).collect();
        let block = Block { number, hash, transactions };
        self.blocks.insert(hash, block.clone());
        Some(block)
    }

    fn on_event(&mut self, event: &EthEvent) {
        match &event.event {
            RootChainEvent::DepositCreated { depositor, blknum, currency, amount } => {
                let at = UtxoPos::deposit(*blknum);
                let tx = Transaction::deposit(*depositor, *currency, *amount).encode_unsigned();
                let proof = InclusionProof::from_leaves(0, &[leaf_hash(&tx)]).unwrap();
                self.unspent.insert(at, Output::payment(*depositor, *currency, *amount));
                self.made.insert(at, (tx, proof));
            }
            RootChainEvent::BlockSubmitted { .. } => {}
            RootChainEvent::ExitStarted { owner, position, output_tx, exitable_at_s, .. } => {
                if std::mem::take(&mut self.loses_a_wei) {
                    let claimed = self.unspent.values_mut();
                    let mut claimed =
                        claimed.filter(|output| output.output_type == OutputType::FeeClaim);
                    claimed.next().unwrap().amount -= U256::one();
                }
                let tx = Transaction::decode_unsigned(output_tx).unwrap();
                let output = tx.outputs()[usize::from(position.oindex.get())];
                let exit = ExitEvent {
                    amount: output.amount,
                    currency: output.currency,
                    owner: *owner,
                    eth_height: event.eth_height,
                    utxo_pos: *position,
                    root_chain_txhash: event.root_chain_txhash,
                    scheduled_finalization_time: *exitable_at_s,
                    spending_txhash: None,
                };
                self.exits.insert(*position, exit);
            }
            RootChainEvent::ExitChallenged { position } => drop(self.exits.remove(position)),
            RootChainEvent::ExitFinalized { exit_id } => {
                let gone = self.exits.keys().copied().find(|at| self.exit_id(*at) == *exit_id);
                self.exits.remove(&gone.unwrap());
                self.unspent.remove(&gone.unwrap());
            }
            other => panic!("this chain knows no in-flight exits: {other:?}"),
        }
    }

    fn exit_id(&self, at: UtxoPos) -> ExitId {
        ExitId::standard(&self.made[&at].0, at).unwrap()
    }

    fn status(&self, deployment: &Deployment) -> Status {
        let invalid = self.exits.values().filter(|exit| self.spends.contains_key(&exit.utxo_pos));
        let mut events: Vec<_> = invalid.map(|exit| ByzantineEvent::InvalidExit(*exit)).collect();
        if self.is_unsafe {
            let (blknum, hash) = (Blknum::new(1000), H256::zero());
            events
                .push(ByzantineEvent::BlockWithholding(watcher::BlockWithholding { blknum, hash }));
        }
        let addresses = deployment.addresses;
        Status {
            last_validated_child_block_number: self.newest,
            last_mined_child_block_number: self.newest,
            byzantine_events: events,
            contract_addr: ContractAddresses {
                plasma_framework: addresses.plasma_framework,
                eth_vault: addresses.eth_vault,
                erc20_vault: addresses.erc20_vault,
                payment_exit_game: addresses.payment_exit_game,
            },
            ..Status::default()
        }
    }

    fn exitable(&self, owner: Address) -> Vec<ExitableUtxo> {
        let known = |at: &UtxoPos| self.made.contains_key(at) && !self.exits.contains_key(at);
        let own = self.unspent.iter().filter(|(at, output)| output.owner == owner && known(at));
        own.map(|(at, output)| ExitableUtxo {
            blknum: at.blknum,
            txindex: at.txindex,
            oindex: at.oindex,
            otype: output.output_type.number(),
            owner,
            currency: output.currency,
            amount: output.amount,
            utxo_pos: *at,
        })
        .collect()
    }

    fn exit_data(&self, at: UtxoPos) -> Result<ExitData, RpcError> {
        // As the watcher does (E18), which guards nobody against the exit of a spent output that is no deposit.
        let is_served = |_: &&_| self.unspent.contains_key(&at) || !at.blknum.is_deposit();
        let made = self.made.get(&at).filter(is_served);
        let (txbytes, proof) = made.ok_or_else(|| RpcError::reason("utxo_not_found"))?;
        Ok(ExitData { utxo_pos: at, txbytes: txbytes.clone(), proof: proof.to_bytes() })
    }

    fn challenge_data(&self, at: UtxoPos) -> Result<ChallengeData, RpcError> {
        let (exiting_tx, _) =
            self.made.get(&at).ok_or_else(|| RpcError::reason("exit_not_found"))?;
        let spend = self.spends.get(&at).ok_or_else(|| RpcError::reason("utxo_not_spent"))?;
        let (txbytes, input_index, sig) = spend.clone();
        let exit_id = self.exit_id(at);
        Ok(ChallengeData { exit_id, exiting_tx: exiting_tx.clone(), txbytes, input_index, sig })
    }
}

fn child_chain_methods(ledger: &Arc<Shared>) -> MethodTable<Shared> {
    MethodTable::new(Service::ChildChain, Arc::clone(ledger))
        .on(&child_chain::TRANSACTION_SUBMIT, async |shared, params: SubmitParams| {
            shared.lock().exec(&params.transaction, &shared.domain)
        })
        .on(&child_chain::BLOCK_GET, async |shared, params| {
            let block = shared.lock().blocks.get(&params.hash).cloned();
            let block = block.ok_or_else(|| RpcError::reason("not_found"))?;
            Ok(BlockAnswer::render(block.number, block.hash, &block.transactions).unwrap())
        })
        .on(&child_chain::FEES_ALL, async |_, _| {
            let fee = FeeAnswer {
                currency: ETH,
                amount: U256::from(FEE_WEI),
                subunit_to_unit: U256::exp10(18),
                pegged_currency: None,
                pegged_amount: None,
                pegged_subunit_to_unit: None,
                updated_at: "2020-01-01T00:00:00Z".to_owned(),
            };
            Ok(FeesAnswer([(1, vec![fee])].into()))
        })
}

fn watcher_methods(ledger: &Arc<Shared>) -> MethodTable<Shared> {
    MethodTable::new(Service::Watcher, Arc::clone(ledger))
        .on(&watcher::STATUS_GET, async |shared, _| Ok(shared.lock().status(&shared.deployment)))
        .on(&watcher::CONFIGURATION_GET, async |_, _| {
            Ok(WatcherConfiguration {
                deposit_finality_margin: 1,
                contract_semver: String::new(),
                network: "LOCALCHAIN".to_owned(),
                exit_processor_sla_margin: 10,
            })
        })
        .on(&watcher::ACCOUNT_GET_EXITABLE_UTXOS, async |shared, params| {
            Ok(shared.lock().exitable(params.address))
        })
        .on(&watcher::UTXO_GET_EXIT_DATA, async |shared, params| {
            shared.lock().exit_data(params.position().unwrap())
        })
        .on(&watcher::UTXO_GET_CHALLENGE_DATA, async |shared, params| {
            shared.lock().challenge_data(params.position().unwrap())
        })
        .on(&watcher::TRANSACTION_SUBMIT, async |shared, params: SubmitParams| {
            if shared.lock().is_unsafe {
                return Err(plasma_rpc::codes::CHAIN_UNSAFE.into());
            }
            shared.lock().exec(&params.transaction, &shared.domain)
        })
}

/// Follows the root chain and submits blocks, for ever.
async fn run(shared: Arc<Shared>, root_chain: EthersRootChain, claimer: Address) {
    loop {
        let height = root_chain.eth_height().await.unwrap();
        let from = shared.lock().synced.plus(1);
        let events = root_chain.events(&EVERY_KIND, from, height).await.unwrap();
        {
            let mut ledger = shared.lock();
            events.iter().for_each(|event| ledger.on_event(event));
            ledger.synced = height;
        }
        let block = shared.lock().form(claimer);
        if let Some(block) = block {
            submit(&root_chain, &block).await;
            shared.lock().newest = block.number;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn submit(root_chain: &EthersRootChain, block: &Block) {
    let nonce = block.number.get() / CHILD_BLOCK_INTERVAL;
    let fees = root_chain.fee_quote().await.unwrap().generous();
    let outcome = root_chain.submit_block(block.hash, nonce, fees).await.unwrap();
    assert!(outcome.txhash().is_some(), "{outcome}");
    while root_chain.child_block(block.number).await.unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl SmallChain {
    /// Starts everything and writes `.penning/devnet.json` into a fresh folder.
    pub(crate) async fn start() -> Self {
        let binary = find_anvil(None, &[root()])
            .unwrap_or_else(|error| panic!("these tests need a real node. {error}"));
        let anvil = Anvil::spawn(&AnvilConfig::new(binary)).await.unwrap();
        let config = EthConfig::new(anvil.rpc_url().clone());
        let keys = dev_keys(8).unwrap();
        let request = DeployRequest {
            deployer: keys[7].clone(),
            maintainer: keys[6].clone(),
            authority: keys[5].clone(),
            min_exit_period_s: 600,
            contract_semver: "1.0.5+test".to_owned(),
            funding_wei: U256::zero(),
            with_test_token: true,
        };
        let deployment = deploy(config.clone(), &request, |_| {}).await.unwrap();
        let authority = Some(request.authority.clone());
        let root_chain = EthersRootChain::new(config, &deployment, authority).unwrap();
        let shared = Arc::new(Shared {
            ledger: Mutex::default(),
            domain: TypedDataDomain::new(deployment.addresses.plasma_framework),
            deployment,
        });
        let child_chain = serve(&shared, child_chain_methods(&shared)).await;
        let watcher = serve(&shared, watcher_methods(&shared)).await;
        let folder = tempfile::tempdir().unwrap();
        let file = devnet_json(&shared.deployment, &anvil, &keys, [&child_chain, &watcher]);
        std::fs::create_dir(folder.path().join(".penning")).unwrap();
        std::fs::write(folder.path().join(".penning/devnet.json"), file).unwrap();
        tokio::spawn(run(Arc::clone(&shared), root_chain, keys[4].address()));
        Self { folder, ledger: shared, _servers: [child_chain, watcher], _anvil: anvil }
    }
}

async fn serve(shared: &Arc<Shared>, table: MethodTable<Shared>) -> Server {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = ServerConfig::new(listen, "0.1.0+1a2b3c4");
    let shared = Arc::clone(shared);
    let alarm = || {
        let raised_by = RaisedBy { node: "test".to_owned(), reporter: "test".to_owned() };
        Alarm::new(AlarmName::EthereumConnectionError, raised_by)
    };
    let alarms = move || shared.lock().is_unhealthy.then(alarm).into_iter().collect();
    let probes = Probes { alarms: Arc::new(alarms), metrics: Arc::new(String::new) };
    Server::start(config, table, probes).await.unwrap()
}

fn devnet_json(
    deployment: &Deployment,
    anvil: &Anvil,
    keys: &[SecretKey],
    [child_chain, watcher]: [&Server; 2],
) -> String {
    let secret = |key: &SecretKey| const_hex::encode_prefixed(key.to_bytes());
    let mut file: serde_json::Value = serde_json::from_str(&deployment.to_json()).unwrap();
    file["rpc_url"] = anvil.rpc_url().reveal().into();
    file["child_chain_url"] = format!("http://{}", child_chain.local_addr()).into();
    file["watcher_url"] = format!("http://{}", watcher.local_addr()).into();
    file["deployer_key"] = secret(&keys[7]).into();
    file["maintainer_key"] = secret(&keys[6]).into();
    file["authority_key"] = secret(&keys[5]).into();
    file["fee_claimer"] = format!("{:?}", keys[4].address()).into();
    let accounts = keys[..4].iter().map(|key| {
        serde_json::json!({"address": format!("{:?}", key.address()), "private_key": secret(key)})
    });
    file["accounts"] = accounts.collect::<Vec<_>>().into();
    file.to_string()
}
