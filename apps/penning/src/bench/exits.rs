//! A watcher with many open exits on top of a long history: how soon it answers, what it takes in memory, how long it takes to start.
//!
//! Every answer is timed by a client on a connection of its own until it has the whole of it. Idle, nothing else happens; busy,
//! blocks are paid, formed and followed, and exits start, as fast as that goes.
//!
//! ```text
//! history ─► exits ─► judged ─► answers, idle ─► answers, busy ─► stop ─► start again
//! ```

mod scene;

use super::drive::drive;
use super::machine::{PeakMemory, resident_len};
use super::network::{MARGIN_ETH_BLOCKS, Network, with_network, with_watcher};
use super::workload::Coin;
use crate::nodes::run_system;
use crate::output::Out;
use anyhow::{Context, Result, bail, ensure};
use plasma_core::wire::{SignedTx, U256, UtxoPos};
use plasma_eth::{Deployment, FakeRootChain};
use plasma_rpc::client::HttpRpcClient;
use plasma_rpc::endpoint::Endpoint;
use plasma_rpc::params::NoParams;
use plasma_rpc::watcher::{
    ACCOUNT_GET_EXITABLE_UTXOS, AccountParams, IN_FLIGHT_EXIT_GET_COMPETITOR,
    IN_FLIGHT_EXIT_GET_DATA, IN_FLIGHT_EXIT_GET_INPUT_CHALLENGE_DATA,
    IN_FLIGHT_EXIT_GET_OUTPUT_CHALLENGE_DATA, IN_FLIGHT_EXIT_PROVE_CANONICAL, InputChallengeParams,
    OutputChallengeParams, STATUS_GET, Status, TxBytesParams, UTXO_GET_CHALLENGE_DATA,
    UtxoPosParams,
};
use scene::{Questions, history, pay, start_exits};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::path::Path;
use std::time::{Duration, Instant};

/// Payments of each block that arrives while answers are timed.
const BUSY_PAYMENTS: usize = 2_000;
/// Exits that start with each of these blocks.
const BUSY_EXITS: usize = 10;
/// Nothing takes longer; if it does, something is broken.
const PATIENCE: Duration = Duration::from_secs(600);
/// Pause between two looks at something that is about to happen.
const POLL: Duration = Duration::from_millis(20);

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExitSizes {
    /// Payments of each block.
    pub(super) payments: usize,
    /// Blocks of payments, at least three.
    pub(super) blocks: usize,
    /// Exits, at least 40.
    pub(super) exits: usize,
    /// Calls of each method.
    pub(super) calls: usize,
}

/// How many exits there are of each kind.
#[derive(Clone, Copy, Debug)]
struct Counts {
    /// Standard exits of outputs that are spent.
    invalid: usize,
    /// Those of outputs that are there.
    valid: usize,
    /// In-flight exits of included transactions, rightly piggybacked.
    included: usize,
    /// Those of transactions in no block, which nobody joined.
    withheld: usize,
    /// Those of transactions with a competitor in a block, piggybacked on an input that is spent.
    beaten: usize,
    /// Those of included transactions, piggybacked on an output that is spent.
    overspent: usize,
    /// Those of included transactions, wrongly challenged.
    accused: usize,
}

/// Everything that came out.
#[derive(Clone, Debug, Default)]
pub(super) struct ExitFigures {
    /// Transactions that the watcher executed before the first exit.
    pub(super) transactions: usize,
    /// Open exits.
    pub(super) exits: usize,
    /// Outputs of the account that has most.
    pub(super) owner_utxos: usize,
    /// Bytes of the answer to `status.get`.
    pub(super) status_len: usize,
    /// From the start of the exits to a status that shows all of them judged, in milliseconds.
    pub(super) judged_ms: f64,
    /// Latencies by method: while nothing else happens, and while blocks and exits keep arriving.
    pub(super) latencies: Vec<(&'static str, [Latency; 2])>,
    /// From opening the store to a status that shows everything again, in milliseconds.
    pub(super) restart_ms: f64,
    /// Memory of the process before the exits, with all of them judged, after all calls, and after the restart, in bytes.
    pub(super) resident_len: [u64; 4],
}

/// How long calls took, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Latency {
    /// Half of them were answered within it.
    pub(super) half_ms: f64,
    /// 99 of 100 were.
    pub(super) most_ms: f64,
    /// All were.
    pub(super) max_ms: f64,
}

impl ExitSizes {
    fn counts(&self) -> Counts {
        let part = |per_mille: usize| self.exits * per_mille / 1_000;
        Counts {
            invalid: part(100),
            valid: part(700),
            included: part(50),
            withheld: part(50),
            beaten: part(50),
            overspent: part(25),
            accused: part(25),
        }
    }
}

impl Counts {
    /// In-flight exits.
    const fn in_flight(self) -> usize {
        self.included + self.withheld + self.beaten + self.overspent + self.accused
    }

    /// Whether the status tells of all of these exits what is true of them.
    fn are_shown(self, status: &Status) -> bool {
        let shown = |name: &str| {
            status.byzantine_events.iter().filter(|event| event.name() == name).count()
        };
        status.in_flight_exits.len() == self.in_flight()
            && shown("invalid_exit") == self.invalid
            && shown("non_canonical_ife") == self.beaten
            && shown("invalid_piggyback") == self.beaten + self.overspent
            && shown("invalid_ife_challenge") == self.accused
            && shown("piggyback_available") == self.withheld + self.beaten
    }
}

/// Measures, with stores in this folder.
pub(super) fn measure(
    sizes: ExitSizes,
    folder: &Path,
    out: Out,
) -> Result<(ExitFigures, PeakMemory)> {
    let folder = folder.to_owned();
    let (send, receive) = std::sync::mpsc::channel();
    run_system(async move {
        let mut memory = PeakMemory::default();
        let measured = with_network(&folder, async |network| {
            measure_network(sizes, network, &mut memory, out).await
        });
        let (mut figures, left) = Box::pin(measured).await?;
        out.progress("starting again");
        figures.restart_ms = left.restart(&folder, sizes.counts()).await?;
        figures.resident_len[3] = resident_len();
        memory.note("restart");
        // The receiver is in the caller's frame.
        let _ = send.send((figures, memory));
        Ok(())
    })?;
    receive.recv().context("nothing was measured")
}

/// What outlives the nodes.
struct Left {
    chain: FakeRootChain,
    deployment: Deployment,
    /// Exits that started while answers were timed.
    late_exits: usize,
}

async fn measure_network(
    sizes: ExitSizes,
    network: Network,
    memory: &mut PeakMemory,
    out: Out,
) -> Result<(ExitFigures, Left)> {
    let generations = history(&sizes, &network, out).await?;
    memory.note("history");
    out.progress("starting exits");
    let before = resident_len();
    let counts = sizes.counts();
    let mut figures = ExitFigures {
        transactions: sizes.payments * sizes.blocks,
        exits: counts.invalid + counts.valid + counts.in_flight(),
        ..ExitFigures::default()
    };
    let started = Instant::now();
    let questions = start_exits(&sizes, &network, &generations)?;
    wait_for_status(&network.watcher, |status| counts.are_shown(status)).await?;
    figures.judged_ms = ms(started.elapsed());
    let judged = resident_len();
    memory.note("exits");
    out.progress("timing answers, idle");
    let asker = Asker { client: network.watcher.clone(), calls: sizes.calls, questions };
    figures.owner_utxos = asker.largest_account(&network).await?;
    figures.status_len = asker.status_len().await?;
    let idle = asker.ask_everything(&network).await?;
    memory.note("answers, idle");
    out.progress("timing answers, busy");
    let [_, _, last] = generations;
    // Whatever is part of an exit stays where it is.
    let unused = last.coins.get(2 * sizes.exits..).context("a block has too few payments")?;
    let mut late_exits = 0;
    let busy = tokio::select! {
        ended = keep_busy(&network, unused, &mut late_exits) => match ended? {},
        answers = asker.ask_everything(&network) => answers?,
    };
    memory.note("answers, busy");
    figures.latencies =
        idle.into_iter().zip(busy).map(|((name, idle), (_, busy))| (name, [idle, busy])).collect();
    figures.resident_len = [before, judged, resident_len(), 0];
    let left = Left {
        chain: network.watcher_chain.clone(),
        deployment: network.deployment.clone(),
        late_exits,
    };
    Ok((figures, left))
}

/// Pays, forms blocks, has them followed and starts exits, without end.
async fn keep_busy(
    network: &Network,
    coins: &[Coin],
    late_exits: &mut usize,
) -> Result<std::convert::Infallible> {
    let mut coins: Vec<Coin> = coins.iter().take(BUSY_PAYMENTS).copied().collect();
    let mut made_by = Vec::new();
    loop {
        let paid = pay(network, &coins).await?;
        // Their outputs were just spent.
        let txs = made_by.iter().take(BUSY_EXITS).map(|bytes: &Vec<u8>| SignedTx::decode(bytes));
        let txs = txs.collect::<Result<Vec<_>, _>>()?;
        network.watcher_chain.mine_block(|block| {
            for (coin, tx) in coins.iter().zip(&txs) {
                let owner = network.accounts.owner(coin);
                block.exit_started(owner, coin.position, &tx.unsigned_bytes());
            }
        });
        *late_exits += txs.len();
        network.watcher_chain.mine(2 * MARGIN_ETH_BLOCKS);
        (coins, made_by) = (paid.coins, paid.payments);
    }
}

impl Left {
    /// Starts the watcher again; how long it took until it showed everything, in milliseconds.
    async fn restart(self, folder: &Path, mut counts: Counts) -> Result<f64> {
        counts.invalid += self.late_exits;
        // The last of them may not be confirmed yet.
        self.chain.mine(2 * MARGIN_ETH_BLOCKS);
        with_watcher(folder, &self.chain, self.deployment, async move |client, started| {
            wait_for_status(&client, |status| counts.are_shown(status)).await?;
            Ok(ms(started.elapsed()))
        })
        .await
    }
}

async fn wait_for_status(
    client: &HttpRpcClient,
    is_complete: impl Fn(&Status) -> bool,
) -> Result<()> {
    let started = Instant::now();
    loop {
        let seen = match client.call(&STATUS_GET, &NoParams {}).await {
            Ok(status) if is_complete(&status) => return Ok(()),
            Ok(status) => format!(
                "{} events, {} in-flight exits",
                status.byzantine_events.len(),
                status.in_flight_exits.len()
            ),
            Err(error) if error.is_transient() => error.to_string(),
            Err(error) => bail!(error),
        };
        ensure!(started.elapsed() < PATIENCE, "exits are not judged: {seen}");
        tokio::time::sleep(POLL).await;
    }
}

/// Times answers.
struct Asker {
    client: HttpRpcClient,
    calls: usize,
    questions: Questions,
}

impl Asker {
    /// Every method, one after the other.
    async fn ask_everything(&self, network: &Network) -> Result<Vec<(&'static str, Latency)>> {
        /// The answer is read and not taken apart: that is the client's work.
        const STATUS: Endpoint<NoParams, Box<RawValue>> = STATUS_GET.untyped();
        let questions = &self.questions;
        let txbytes = |bytes: &Vec<u8>| TxBytesParams { txbytes: bytes.clone() };
        let input = |bytes: &Vec<u8>| InputChallengeParams {
            txbytes: bytes.clone(),
            input_index: U256::zero(),
        };
        let output = |bytes: &Vec<u8>| OutputChallengeParams {
            txbytes: bytes.clone(),
            output_index: U256::zero(),
        };
        let owners: Vec<_> = network.accounts.addresses().collect();
        let position = |at: &UtxoPos| UtxoPosParams::new(*at);
        Ok(vec![
            self.ask(&STATUS, &[()], |()| NoParams {}).await?,
            self.ask(&UTXO_GET_CHALLENGE_DATA, &questions.invalid, position).await?,
            self.ask(&IN_FLIGHT_EXIT_GET_COMPETITOR, &questions.beaten, txbytes).await?,
            self.ask(&IN_FLIGHT_EXIT_PROVE_CANONICAL, &questions.accused, txbytes).await?,
            self.ask(&IN_FLIGHT_EXIT_GET_INPUT_CHALLENGE_DATA, &questions.beaten, input).await?,
            self.ask(&IN_FLIGHT_EXIT_GET_OUTPUT_CHALLENGE_DATA, &questions.overspent, output)
                .await?,
            self.ask(&IN_FLIGHT_EXIT_GET_DATA, &questions.startable, txbytes).await?,
            self.ask(&ACCOUNT_GET_EXITABLE_UTXOS, &owners, |owner| AccountParams {
                address: *owner,
            })
            .await?,
        ])
    }

    async fn ask<Q, P, A>(
        &self,
        endpoint: &'static Endpoint<P, A>,
        about: &[Q],
        params: impl Fn(&Q) -> P,
    ) -> Result<(&'static str, Latency)>
    where
        P: Serialize + Send + Sync + 'static,
        A: DeserializeOwned + Send + 'static,
    {
        let calls: Vec<P> = about.iter().cycle().take(self.calls).map(params).collect();
        let client = self.client.clone();
        let answered = drive(calls, 1, move |params| {
            let client = client.clone();
            async move { client.call(endpoint, &params).await.map(drop).map_err(Into::into) }
        });
        let name = endpoint.spec.name;
        let answered = answered.await.with_context(|| name)?;
        let [half_ms, most_ms, max_ms] =
            [50, 99, 100].map(|percent| ms(answered.percentile(percent)));
        Ok((name, Latency { half_ms, most_ms, max_ms }))
    }

    /// Outputs of the account that has most, as far as they can leave.
    async fn largest_account(&self, network: &Network) -> Result<usize> {
        let mut largest = 0;
        for address in network.accounts.addresses().take(self.calls) {
            let params = AccountParams { address };
            largest =
                largest.max(self.client.call(&ACCOUNT_GET_EXITABLE_UTXOS, &params).await?.len());
        }
        Ok(largest)
    }

    async fn status_len(&self) -> Result<usize> {
        const STATUS: Endpoint<NoParams, Box<RawValue>> = STATUS_GET.untyped();
        Ok(self.client.call(&STATUS, &NoParams {}).await?.get().len())
    }
}

fn ms(elapsed: Duration) -> f64 {
    1_000.0 * elapsed.as_secs_f64()
}
