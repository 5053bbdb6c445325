//! Every throughput, several times by turns with the bound, so that whatever else the machine does falls on all of them alike.
//!
//! Outputs that are spent were made a block or more before, so each is read from the store as in a long-running node.

use super::Sizes;
use super::bound::Bound;
use super::clock::{Clock, Spent, Throughput};
use super::drive::{Driven, drive};
use super::machine::PeakMemory;
use super::network::Network;
use super::workload::{Coin, Order};
use crate::output::Out;
use anyhow::{Context, Result};
use plasma_core::db_update::BlockHeader;
use plasma_core::wire::{Blknum, TxIndex};
use plasma_node::recover::recover_all;
use plasma_rpc::child_chain::{
    BatchItem, BatchSubmitParams, SubmitParams, TRANSACTION_BATCH_SUBMIT, TRANSACTION_SUBMIT,
};
use std::sync::Arc;

/// Transactions of one call.
pub(super) const BATCH: usize = 1_000;
/// Calls with a batch at one time.
const BATCHES_IN_FLIGHT: usize = 16;
/// Blocks that a part fills in one measurement. The watcher follows all of a round at once, so that it gets into its stride.
const BLOCKS: usize = 2;
/// Connections that submit one transaction after the other.
const SINGLE_CONNECTIONS: usize = 64;

/// One measurement of everything.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Round {
    /// The bound itself.
    pub(super) bound: Part,
    /// Calls of the ledger, without the wire.
    pub(super) in_process: Part,
    /// `transaction.batch_submit`.
    pub(super) http: Part,
    /// The watcher.
    pub(super) sync: Part,
    /// `transaction.submit`.
    pub(super) single: Part,
    /// Latency of half of these calls and of nearly all, in milliseconds.
    pub(super) single_ms: [f64; 2],
    /// Time to form a block, in milliseconds: the longest.
    pub(super) form_block_ms: f64,
}

/// A throughput and its share of the bound.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    /// Of transactions, or of recoveries.
    pub(super) throughput: Throughput,
    /// Divided by the mean of the bound right before and right after.
    pub(super) of_bound: f64,
}

/// Where an accepted transaction stands.
pub(super) type At = (Blknum, TxIndex);

/// Measures.
pub(super) async fn run(
    sizes: Sizes,
    network: Network,
    memory: &mut PeakMemory,
    out: Out,
) -> Result<Vec<Round>> {
    out.progress("making outputs to spend");
    let mut bench = Bench::prepare(sizes, network).await?;
    memory.note("preparation");
    let mut rounds = Vec::new();
    for number in 1..=sizes.rounds {
        let round = bench.round(memory).await?;
        out.progress(format!(
            "round {number} of {}: bound {:.0}/s, in process {:.2}, HTTP {:.2}, one by one {:.2}, watcher {:.2}, form {:.1} ms",
            sizes.rounds,
            round.bound.throughput.per_s,
            round.in_process.of_bound,
            round.http.of_bound,
            round.single.of_bound,
            round.sync.of_bound,
            round.form_block_ms,
        ));
        rounds.push(round);
    }
    Ok(rounds)
}

struct Bench {
    sizes: Sizes,
    network: Network,
    bound: Arc<Bound>,
    /// Outputs for the payments of each part.
    in_process: Vec<Coin>,
    http: Vec<Coin>,
    single: Vec<Coin>,
}

impl Bench {
    /// Splits one deposit into outputs for everybody, and lets the watcher follow.
    async fn prepare(sizes: Sizes, network: Network) -> Result<Self> {
        let bound = Arc::new(Bound::prepare(network.accounts.keys()));
        let wanted = 2 * sizes.payments + sizes.single_payments;
        let coins = split_deposit(&network, wanted).await?;
        let mut coins = coins.into_iter();
        let mut take = |count| coins.by_ref().take(count).collect::<Vec<_>>();
        let (in_process, http) = (take(sizes.payments), take(sizes.payments));
        let single = take(sizes.single_payments);
        Ok(Self { sizes, network, bound, in_process, http, single })
    }

    async fn round(&mut self, memory: &mut PeakMemory) -> Result<Round> {
        let before = self.bound().await?;
        let mut blocks = Vec::new();
        let (in_process, form_block_ms) = self.in_process_part(&mut blocks).await?;
        memory.note("in process");
        let middle = self.bound().await?;
        let (http, other_ms) = self.http_part(&mut blocks).await?;
        memory.note("over HTTP, in batches");
        let after = self.bound().await?;
        let (single, single_ms) = self.single_part(&mut blocks).await?;
        memory.note("over HTTP, one by one");
        for block in &blocks {
            self.network.warm_up(block).await?;
        }
        let before_sync = self.bound().await?;
        memory.note("preparation");
        let transactions = blocks.iter().map(|block| block.tx_count).sum::<u32>();
        let clock = Clock::start();
        self.network.sync(&blocks).await?;
        let sync = clock.stop(usize::try_from(transactions)?);
        memory.note("watcher");
        let last = self.bound().await?;
        Ok(Round {
            bound: Part::new(middle, [middle, middle]),
            in_process: Part::new(in_process, [before, middle]),
            http: Part::new(http, [middle, after]),
            single: Part::new(single, [after, before_sync]),
            sync: Part::new(sync, [before_sync, last]),
            single_ms,
            form_block_ms: form_block_ms.max(other_ms),
        })
    }

    async fn bound(&self) -> Result<Throughput> {
        let (bound, count) = (Arc::clone(&self.bound), self.sizes.recoveries);
        tokio::task::spawn_blocking(move || bound.measure(count)).await?
    }

    async fn in_process_part(
        &mut self,
        blocks: &mut Vec<BlockHeader>,
    ) -> Result<(Throughput, f64)> {
        let (mut spent, mut form_ms) = (Spent::default(), 0.0);
        for _ in 0..BLOCKS {
            let (calls, orders) = batches(self.network.accounts.pay(&self.in_process)?, BATCH);
            let clock = Clock::start();
            let accepted = in_process(&self.network, calls).await?;
            spent.add(clock, self.in_process.len());
            self.in_process = coins_of(&orders, &accepted.answers, 1);
            form_ms = self.form_block(blocks).await?.max(form_ms);
        }
        Ok((spent.throughput(), form_ms))
    }

    async fn http_part(&mut self, blocks: &mut Vec<BlockHeader>) -> Result<(Throughput, f64)> {
        let (mut spent, mut form_ms) = (Spent::default(), 0.0);
        for _ in 0..BLOCKS {
            let (calls, orders) = batches(self.network.accounts.pay(&self.http)?, BATCH);
            let client = self.network.client.clone();
            let accepted = drive(calls, BATCHES_IN_FLIGHT, move |transactions| {
                let client = client.clone();
                async move {
                    let params = BatchSubmitParams { transactions };
                    let answers = client.call(&TRANSACTION_BATCH_SUBMIT, &params).await?;
                    answers.into_iter().map(accepted).collect::<Result<Vec<At>>>()
                }
            });
            let clock = Clock::start();
            let accepted = accepted.await?;
            spent.add(clock, self.http.len());
            self.http = coins_of(&orders, &accepted.answers, 1);
            form_ms = self.form_block(blocks).await?.max(form_ms);
        }
        Ok((spent.throughput(), form_ms))
    }

    /// Returns how long it took, in milliseconds.
    async fn form_block(&self, blocks: &mut Vec<BlockHeader>) -> Result<f64> {
        let (block, elapsed) = self.network.form_block().await?;
        blocks.push(block);
        Ok(1_000.0 * elapsed.as_secs_f64())
    }

    async fn single_part(
        &mut self,
        blocks: &mut Vec<BlockHeader>,
    ) -> Result<(Throughput, [f64; 2])> {
        let (calls, orders) = batches(self.network.accounts.pay(&self.single)?, 1);
        let client = self.network.client.clone();
        let accepted = drive(calls, SINGLE_CONNECTIONS, move |mut transactions| {
            let client = client.clone();
            async move {
                let transaction = transactions.pop().context("an empty batch")?;
                let answer =
                    client.call(&TRANSACTION_SUBMIT, &SubmitParams { transaction }).await?;
                Ok(vec![(answer.blknum, answer.txindex)])
            }
        });
        let clock = Clock::start();
        let accepted = accepted.await?;
        let throughput = clock.stop(self.single.len());
        let latencies =
            [50, 99].map(|percent| 1_000.0 * accepted.percentile(percent).as_secs_f64());
        self.single = coins_of(&orders, &accepted.answers, 1);
        self.form_block(blocks).await?;
        Ok((throughput, latencies))
    }
}

impl Part {
    fn new(throughput: Throughput, bounds: [Throughput; 2]) -> Self {
        let bound = bounds.iter().map(|bound| bound.per_s).sum::<f64>() / 2.0;
        Self { throughput, of_bound: throughput.per_s / bound }
    }
}

/// Splits one deposit into at least so many outputs, and lets the watcher follow.
pub(super) async fn split_deposit(network: &Network, wanted: usize) -> Result<Vec<Coin>> {
    let mut coins = vec![network.deposited().await?];
    while coins.len() < wanted {
        // Each split makes three more, and a block has no room for many too many.
        let splits = coins.len().min((wanted - coins.len()).div_ceil(3));
        let rest = coins.split_off(splits);
        let orders = network.accounts.split(&coins)?;
        let (calls, orders) = batches(orders, BATCH);
        let accepted = in_process(network, calls).await?;
        coins = coins_of(&orders, &accepted.answers, usize::MAX);
        coins.extend(rest);
    }
    let (block, _) = network.form_block().await?;
    network.sync(&[block]).await?;
    Ok(coins)
}

/// What a node does with a batch, without the wire.
pub(super) async fn in_process(
    network: &Network,
    calls: Vec<Vec<Vec<u8>>>,
) -> Result<Driven<Vec<At>>> {
    let (state, fees) = (network.operator.state.clone(), network.operator.fees.clone());
    let domain = network.accounts.domain();
    drive(calls, BATCHES_IN_FLIGHT, move |transactions| {
        let (state, domain) = (state.clone(), Arc::clone(&domain));
        let fees = Arc::clone(&fees.borrow().accepted);
        async move {
            let recovered = recover_all(transactions, domain).await;
            let recovered = recovered.into_iter().collect::<Result<Vec<_>, _>>()?;
            let answers = state.exec(recovered, fees).await?;
            let at = |accepted: plasma_core::state::Accepted| (accepted.blknum, accepted.txindex);
            Ok(answers.into_iter().map(|answer| answer.map(at)).collect::<Result<Vec<_>, _>>()?)
        }
    })
    .await
}

fn accepted(item: BatchItem) -> Result<At> {
    match item {
        BatchItem::Accepted(answer) => Ok((answer.blknum, answer.txindex)),
        BatchItem::Refused { error } => anyhow::bail!("a payment was refused: {error}"),
    }
}

/// Takes the bytes out of the orders, in calls of this many.
pub(super) fn batches(orders: Vec<Order>, size: usize) -> (Vec<Vec<Vec<u8>>>, Vec<Order>) {
    let mut orders = orders;
    let calls = orders.chunks_mut(size);
    let calls = calls.map(|batch| batch.iter_mut().map(|order| std::mem::take(&mut order.bytes)));
    (calls.map(Iterator::collect).collect(), orders)
}

/// The outputs that were made, `per_order_max` of each order.
pub(super) fn coins_of(orders: &[Order], answers: &[Vec<At>], per_order_max: usize) -> Vec<Coin> {
    let places = answers.iter().flatten();
    let coins = orders
        .iter()
        .zip(places)
        .flat_map(|(order, (blknum, txindex))| order.coins(*blknum, *txindex).take(per_order_max));
    coins.collect()
}
