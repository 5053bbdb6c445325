//! One attack's world: the root chain as it was deployed, an operator without scruples, a real watcher with a Sentinel, and what the
//! people in it do. They act for themselves only: nobody but the Sentinel challenges, answers, deletes or processes.

use super::books::{Books, Person, Wealth};
use super::coins::{Coin, Payment, coins_of};
use super::network::{MIN_EXIT_PERIOD_S, Network};
use super::operator::Operator;
use crate::nodes::{open_store, version};
use anyhow::{Context, Result, bail};
use plasma_core::root_chain::PiggybackSlot;
use plasma_core::sentinel::{Call, SentinelConfig};
use plasma_core::wire::{
    Blknum, Block, ETH, H256, MerkleBuilder, Output, PaymentTx, SecretKey, SignedTx, U256,
};
use plasma_eth::{
    EthersRootChain, EthersSentinelChain, Receipt, RootChain, RootChainError, SentTransaction,
};
use plasma_node::eth_height_monitor::EthHeightMonitorConfig;
use plasma_rpc::client::{ClientConfig, HttpRpcClient};
use plasma_store::NodeKind;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;
use watcher::WatcherConfig;

/// Confirmations of exits.
pub(super) const EXIT_MARGIN_ETH_BLOCKS: u64 = 1;
/// Pause between two looks of the watcher at anything.
const TICK_MS: u64 = 20;

/// What differs between attacks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Confirmations of deposits.
    pub(super) deposit_margin_eth_blocks: u64,
    /// How long a block may be missing.
    pub(super) withholding_ms_max: u64,
}

/// A world under attack.
pub(super) struct Round<'a> {
    pub(super) network: &'a Network,
    pub(super) watcher: HttpRpcClient,
    pub(super) books: Books,
    pub(super) patience: Patience,
    operator: Operator,
    next_blknum: Blknum,
    /// Root chain blocks come when they are called.
    is_frozen: bool,
}

/// Runs a watcher with its store in this folder, for as long as `act` takes. Needs an actix system around it.
pub(super) async fn with_round<R>(
    network: &Network,
    folder: &Path,
    patience: Patience,
    act: impl AsyncFnOnce(&mut Round<'_>) -> Result<R>,
) -> Result<R> {
    let operator = Operator::start().await?;
    let deployment = network.deployment.clone();
    let sentinel = network.sentinel.clone();
    let sentinel = EthersSentinelChain::new(network.eth.clone(), &deployment, sentinel)?;
    let root_chain = EthersRootChain::new(network.eth.clone(), &deployment, None)?;
    let node = watcher::Node::start(watcher::Setup {
        config: config(operator.url(), patience),
        root_chain: Arc::new(root_chain),
        sentinel: Some(Arc::new(sentinel)),
        store: open_store(folder, NodeKind::Watcher, &deployment)?,
        version: version(),
        deployment,
    });
    let node = node.await?;
    let url = format!("http://{}", node.local_addr());
    let mut round = Round {
        network,
        watcher: HttpRpcClient::new(ClientConfig::new(url))?,
        books: Books::open(wealth(network).await?),
        patience,
        operator,
        next_blknum: Blknum::new(0).next_child_block().context("there is a first block")?,
        is_frozen: false,
    };
    let (stop, mut stopped) = watch::channel(false);
    let running = node.run(async move {
        // A sender that is gone says the same.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    });
    tokio::pin!(running);
    let acted = tokio::select! {
        ended = &mut running => { ended?; bail!("the watcher ended") }
        acted = act(&mut round) => acted,
    };
    stop.send_replace(true);
    running.await?;
    acted
}

fn config(child_chain_url: String, patience: Patience) -> WatcherConfig {
    WatcherConfig {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        child_chain_url,
        deposit_finality_margin_eth_blocks: patience.deposit_margin_eth_blocks,
        exit_finality_margin_eth_blocks: EXIT_MARGIN_ETH_BLOCKS,
        exit_processor_sla_margin_eth_blocks: MIN_EXIT_PERIOD_S,
        exit_processor_sla_margin_forced: true,
        withholding_ms_max: patience.withholding_ms_max,
        download_retry_ms_min: TICK_MS,
        download_retry_ms_max: 10 * TICK_MS,
        tick_ms: TICK_MS,
        // The root chain stands still while nobody needs a block.
        eth_height_monitor: EthHeightMonitorConfig { poll_ms: TICK_MS, stalled_ms: 3_600_000 },
        sentinel: SentinelConfig {
            process_exits: true,
            finality_margin_eth_blocks: 1,
            ..SentinelConfig::default()
        },
        ..WatcherConfig::default()
    }
}

/// What everybody has on the root chain.
pub(super) async fn wealth(network: &Network) -> Result<Wealth> {
    let mut wealth = Wealth::new();
    for (who, key) in &network.keys {
        wealth.insert(*who, network.client.balance(key.address(), ETH).await?);
    }
    Ok(wealth)
}

impl Round<'_> {
    // -- time

    /// From now on root chain blocks come only with what people do, or with [`Self::mine`]: so everything can be counted.
    pub(super) async fn freeze(&mut self) -> Result<()> {
        self.is_frozen = true;
        Ok(self.network.dev.set_automine(false).await?)
    }

    /// From now on every transaction gets a block at once.
    pub(super) async fn thaw(&mut self) -> Result<()> {
        self.is_frozen = false;
        self.mine(1).await?;
        Ok(self.network.dev.set_automine(true).await?)
    }

    pub(super) async fn mine(&self, eth_blocks: u64) -> Result<()> {
        Ok(self.network.dev.mine(eth_blocks).await?)
    }

    /// Waits for a person's transaction, and writes down what it cost.
    async fn mined(
        &mut self,
        who: Person,
        sent: Result<SentTransaction, RootChainError>,
    ) -> Result<Receipt> {
        let sent = sent?;
        if self.is_frozen {
            self.mine(1).await?;
        }
        let receipt = self.network.client.confirm(&sent, 1, |_| {}).await?.success()?;
        self.books.gas(who, receipt.fee_wei());
        Ok(receipt)
    }

    fn key(&self, who: Person) -> Result<SecretKey> {
        Ok(self.network.key(who)?.clone())
    }

    // -- what people do

    /// A deposit, not yet confirmed.
    pub(super) async fn deposit(&mut self, who: Person, amount: U256) -> Result<Coin> {
        let key = self.key(who)?;
        let sent = self.network.client.deposit(&key, ETH, amount).await;
        let receipt = self.mined(who, sent).await?;
        let blknum = receipt.deposit_blknum().context("a deposit has a block")?;
        Coin::deposited(blknum, (who, key.address()), amount)
    }

    /// A payment that the owners of the inputs sign.
    pub(super) fn pay(&self, inputs: &[&Coin], outputs: &[(Person, U256)]) -> Result<Payment> {
        let signers: Vec<Person> = inputs.iter().map(|coin| coin.owner).collect();
        self.signed_by(&signers, inputs, outputs)
    }

    /// A payment that others sign than it needs.
    pub(super) fn signed_by(
        &self,
        signers: &[Person],
        inputs: &[&Coin],
        outputs: &[(Person, U256)],
    ) -> Result<Payment> {
        let mut made = PaymentTx {
            inputs: inputs.iter().map(|coin| coin.position.into()).collect(),
            outputs: Default::default(),
            metadata: H256::zero(),
        };
        for (who, amount) in outputs {
            let output = Output::payment(self.network.key(*who)?.address(), ETH, *amount);
            made.outputs.try_push(output).ok().context("too many outputs")?;
        }
        let keys = signers.iter().map(|who| self.network.key(*who)).collect::<Result<Vec<_>>>()?;
        Ok(Payment {
            signed: SignedTx::sign_payment(made, &keys, &self.network.domain)?,
            inputs: inputs.iter().map(|coin| (*coin).clone()).collect(),
            outputs: outputs.to_vec(),
        })
    }

    /// Starts the exit of an output.
    pub(super) async fn exit(&mut self, coin: &Coin) -> Result<Receipt> {
        let key = self.key(coin.owner)?;
        let exit = coin.start_standard_exit();
        let sent = self.network.client.start_standard_exit(&key, &exit).await;
        self.mined(coin.owner, sent).await
    }

    /// Starts the exit of a payment.
    pub(super) async fn exit_in_flight(
        &mut self,
        who: Person,
        payment: &Payment,
    ) -> Result<Receipt> {
        let (key, exit) = (self.key(who)?, payment.start_in_flight_exit());
        let sent = self.network.client.start_in_flight_exit(&key, &exit).await;
        self.mined(who, sent).await
    }

    /// Joins the exit of a payment.
    pub(super) async fn piggyback(
        &mut self,
        who: Person,
        payment: &Payment,
        slot: PiggybackSlot,
    ) -> Result<Receipt> {
        let key = self.key(who)?;
        let sent = self.network.client.piggyback(&key, &payment.tx_bytes(), slot).await;
        self.mined(who, sent).await
    }

    /// Argues about the exit of a payment.
    pub(super) async fn argue(&mut self, who: Person, call: &Call) -> Result<Receipt> {
        let key = self.key(who)?;
        let sent = self.network.client.argue(&key, call).await;
        self.mined(who, sent).await
    }

    /// Processes the next exit.
    pub(super) async fn process_next(&mut self, who: Person) -> Result<Receipt> {
        let key = self.key(who)?;
        let sent = self.network.client.process_exits(&key, ETH, None, 1).await;
        self.mined(who, sent).await
    }

    // -- what the operator does

    /// A block that is served and submitted.
    pub(super) async fn block(&mut self, payments: &[Payment]) -> Result<Vec<Vec<Coin>>> {
        self.operator.serve(self.next_block(payments)?);
        self.withhold(payments).await
    }

    /// A block that is submitted and not served.
    pub(super) async fn withhold(&mut self, payments: &[Payment]) -> Result<Vec<Vec<Coin>>> {
        let block = self.next_block(payments)?;
        let authority = &self.network.authority;
        let state = authority.submission_state().await?;
        let fees = authority.fee_quote().await?.generous();
        let outcome = authority.submit_block(block.hash, state.pending_nonce, fees).await?;
        outcome.txhash().with_context(|| format!("block {}: {outcome}", block.number))?;
        if self.is_frozen {
            self.mine(1).await?;
        }
        let is_mined = async || {
            let mined = authority.child_block(block.number).await?;
            Ok(mined.filter(|mined| mined.root == block.hash).map(drop))
        };
        super::watching::wait_for("a block to be submitted", is_mined).await?;
        self.next_blknum = block.number.next_child_block().context("no more blocks")?;
        coins_of(block.number, payments)
    }

    fn next_block(&self, payments: &[Payment]) -> Result<Block> {
        let leaves = payments.iter().map(|payment| payment.signed.leaf());
        Ok(Block {
            number: self.next_blknum,
            hash: MerkleBuilder::from_leaves(leaves)?.root(),
            transactions: payments.iter().map(|p| p.signed.as_bytes().into()).collect(),
        })
    }
}
