//! Watching the watcher: when it knew of an attack, what its Sentinel did, and how everything ended, counted in root chain blocks.
//!
//! While something is counted, root chain blocks come only when they are called, one by one. A block is called when the watcher has read
//! everything before it, and what is waited for has not come.

use super::coins::Coin;
use super::round::{EXIT_MARGIN_ETH_BLOCKS, Round, wealth};
use anyhow::{Context, Result, bail, ensure};
use plasma_core::wire::ids::ExitPriority;
use plasma_core::wire::{Blknum, ETH, EthHeight, ExitId, H256, InclusionProof};
use plasma_eth::SentTransaction;
use plasma_rpc::params::NoParams;
use plasma_rpc::watcher::{
    SENTINEL_GET, STATUS_GET, SentinelAnswer, Status, UTXO_GET_EXIT_DATA, UtxoPosParams,
};
use std::time::{Duration, Instant};

/// Root chain blocks that anything may take.
const ETH_BLOCKS_MAX: u64 = 12;
/// How long anything may take that does not need another block.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long something that may need another block is waited for.
const SHORT_PATIENCE: Duration = Duration::from_secs(2);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// A move of the attacker and what came of it.
#[derive(Clone, Debug)]
pub(super) struct Move {
    /// What was done.
    pub(super) attack: &'static str,
    /// What the watcher said, and root chain blocks until it did; `None` for what it rightly says nothing about.
    pub(super) detected: Option<(String, u64)>,
    /// What the Sentinel did.
    pub(super) challenges: Vec<Challenge>,
    /// How it ended.
    pub(super) outcome: String,
}

/// A transaction of the Sentinel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) task: &'static str,
    /// Root chain blocks from the attack to it.
    pub(super) after_eth_blocks: u64,
    pub(super) gas: u64,
}

/// Looks until there is something to see; everything here takes no further root chain block.
pub(super) async fn wait_for<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let seen = wait_at_most(PATIENCE, &mut look).await?;
    seen.with_context(|| format!("waited in vain for {what}"))
}

async fn wait_at_most<T>(
    patience: Duration,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let started = Instant::now();
    loop {
        let seen = look().await?;
        if seen.is_some() || started.elapsed() > patience {
            return Ok(seen);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl Round<'_> {
    /// The status; `None` while the watcher starts.
    pub(super) async fn status(&self) -> Option<Status> {
        self.watcher.call(&STATUS_GET, &NoParams {}).await.ok()
    }

    pub(super) async fn sentinel(&self) -> Option<SentinelAnswer> {
        self.watcher.call(&SENTINEL_GET, &NoParams {}).await.ok()
    }

    async fn newest(&self) -> Result<EthHeight> {
        Ok(self.network.client.newest_block().await?.eth_height)
    }

    /// Waits until the watcher has read the root chain as far as its margins allow.
    pub(super) async fn synced(&self) -> Result<Status> {
        let margin = self.patience.deposit_margin_eth_blocks.max(EXIT_MARGIN_ETH_BLOCKS);
        wait_for("the watcher to read the root chain", async || {
            let newest = self.newest().await?;
            let Some(status) = self.status().await else { return Ok(None) };
            let services = &status.services_synced_heights;
            let is_read = status.last_seen_eth_block_number >= newest
                && services.iter().all(|service| service.height.plus(margin) >= newest);
            Ok(is_read.then_some(status))
        })
        .await
    }

    /// Everything so far is confirmed and read.
    pub(super) async fn confirmed(&self) -> Result<()> {
        let margin = self.patience.deposit_margin_eth_blocks.max(EXIT_MARGIN_ETH_BLOCKS);
        self.mine(margin).await?;
        self.synced().await.map(drop)
    }

    /// Waits until this block is found valid.
    pub(super) async fn validated(&self, blknum: Blknum) -> Result<()> {
        wait_for("a block to be found valid", async || {
            let status = self.status().await;
            Ok(status.filter(|it| it.last_validated_child_block_number >= blknum).map(drop))
        })
        .await
    }

    /// Nothing may be wrong.
    pub(super) async fn quiet(&self) -> Result<()> {
        let status = self.synced().await?;
        let events: Vec<&str> = status.byzantine_events.iter().map(|event| event.name()).collect();
        ensure!(events.is_empty(), "the watcher complains without a reason: {events:?}");
        Ok(())
    }

    /// Calls root chain blocks until the watcher knows; how many that took.
    pub(super) async fn until_detected(
        &self,
        event: &str,
        attacked_at: EthHeight,
    ) -> Result<Option<(String, u64)>> {
        let is_of_block = matches!(event, "invalid_block" | "block_withholding");
        for eth_blocks in 0..ETH_BLOCKS_MAX {
            // Events of exits need their confirmations first.
            if eth_blocks > 0 || !is_of_block {
                self.mine(1).await?;
            }
            let found = wait_at_most(SHORT_PATIENCE, async || {
                let Some(status) = self.status().await else { return Ok(None) };
                let is_known = status.byzantine_events.iter().any(|known| known.name() == event);
                Ok(is_known.then_some(()))
            });
            if found.await?.is_some() {
                return Ok(Some((
                    event.to_owned(),
                    blocks_between(attacked_at, self.newest().await?),
                )));
            }
        }
        bail!("the watcher does not say {event} within {ETH_BLOCKS_MAX} blocks")
    }

    /// Calls root chain blocks until the watcher says it no more.
    pub(super) async fn until_over(&self, event: &str) -> Result<()> {
        for _ in 0..ETH_BLOCKS_MAX {
            self.mine(1).await?;
            let status = self.synced().await?;
            if status.byzantine_events.iter().all(|known| known.name() != event) {
                return Ok(());
            }
        }
        bail!("the watcher still says {event} after {ETH_BLOCKS_MAX} blocks")
    }

    /// Calls root chain blocks until the Sentinel has done all of this.
    pub(super) async fn until_challenged(
        &self,
        tasks: &[(&'static str, ExitId)],
        attacked_at: EthHeight,
    ) -> Result<Vec<Challenge>> {
        for _ in 0..ETH_BLOCKS_MAX {
            wait_at_most(SHORT_PATIENCE, async || {
                let Some(answer) = self.sentinel().await else { return Ok(None) };
                let is_sent = |(task, exit_id): &(&str, ExitId)| {
                    let mut duties = answer.duties.iter().filter(|duty| duty.phase == "in_flight");
                    duties.any(|it| it.duty.task == *task && it.duty.exit_id == *exit_id)
                        || txhash(&answer, task, *exit_id).is_some()
                };
                Ok(tasks.iter().all(is_sent).then_some(()))
            })
            .await?;
            self.mine(1).await?;
            let done = wait_at_most(SHORT_PATIENCE, async || {
                let Some(answer) = self.sentinel().await else { return Ok(None) };
                let hashes: Vec<_> = tasks
                    .iter()
                    .filter_map(|(task, id)| Some((*task, txhash(&answer, task, *id)?)))
                    .collect();
                Ok((hashes.len() == tasks.len()).then_some(hashes))
            });
            if let Some(done) = done.await? {
                let mut challenges = Vec::new();
                for (task, txhash) in done {
                    challenges.push(self.challenge(task, txhash, attacked_at).await?);
                }
                return Ok(challenges);
            }
        }
        bail!("the Sentinel does not do {tasks:?}: {:?}", self.sentinel().await)
    }

    async fn challenge(
        &self,
        task: &'static str,
        txhash: H256,
        attacked_at: EthHeight,
    ) -> Result<Challenge> {
        let sent = SentTransaction { txhash, sender: self.network.sentinel.address(), nonce: 0 };
        let receipt = self.network.client.confirm(&sent, 1, |_| {}).await?.success()?;
        let after_eth_blocks = blocks_between(attacked_at, receipt.eth_height);
        Ok(Challenge { task, after_eth_blocks, gas: receipt.gas_used })
    }

    /// An honest user leaves with this, as a wallet does: with the watcher's proof, if it is the one the user knows.
    pub(super) async fn leave_with(&mut self, coin: &Coin) -> Result<()> {
        let params = UtxoPosParams::new(coin.position);
        let data = self.watcher.call(&UTXO_GET_EXIT_DATA, &params).await?;
        let known = coin.start_standard_exit();
        let is_same = data.txbytes == known.output_tx
            && InclusionProof::from_bytes(&data.proof).as_ref() == Some(&known.inclusion_proof);
        ensure!(is_same, "the watcher's exit data of {} is another", coin.position);
        self.exit(coin).await.map(drop)
    }

    /// Lets time pass until the Sentinel has processed every exit, but for those of `left_over`, which must come last.
    pub(super) async fn all_leave(&mut self, left_over: &[ExitId]) -> Result<()> {
        let client = &self.network.client;
        let mut last = None;
        let mut rounds = 0_usize;
        while let Some(head) = client.next_exit(ETH).await? {
            if left_over.contains(&head.exit_id()) {
                break;
            }
            ensure!(rounds < 64, "the queue does not empty");
            rounds = rounds.saturating_add(1);
            let now_s = client.newest_block().await?.timestamp_s;
            if now_s <= head.exitable_at_s() {
                let seconds = head.exitable_at_s().saturating_sub(now_s).saturating_add(1);
                self.network.dev.advance_time(seconds).await?;
            } else if last == Some(head) {
                self.mine(1).await?;
            }
            self.synced().await?;
            self.is_processed(head).await?;
            last = Some(head);
        }
        let waiting = client.exit_queue(ETH).await?.unwrap_or_default();
        ensure!(
            waiting.iter().all(|exit| left_over.contains(&exit.exit_id())),
            "exits that should have left wait behind {left_over:?}"
        );
        Ok(())
    }

    /// Whether somebody processes an exit that is due, without being asked.
    pub(super) async fn is_processed(&self, head: ExitPriority) -> Result<bool> {
        let processed = wait_at_most(SHORT_PATIENCE, async || {
            let next = self.network.client.next_exit(ETH).await?;
            Ok((next != Some(head)).then_some(()))
        });
        Ok(processed.await?.is_some())
    }

    /// What the Sentinel did, by the names of its tasks; all of it must have succeeded, and nothing else been tried.
    pub(super) async fn sentinel_did(&self) -> Result<Vec<String>> {
        self.confirmed().await?;
        self.confirmed().await?;
        let answer = self.sentinel().await.context("the Sentinel does not answer")?;
        let reverts: usize = answer.history.iter().map(|record| record.reverts).sum();
        ensure!(reverts == 0, "the Sentinel paid for calls that failed: {:?}", answer.history);
        let mined = answer.history.iter().filter(|record| record.txhash.is_some());
        Ok(mined.map(|record| record.duty.task.clone()).collect())
    }

    /// What everybody has now.
    pub(super) async fn accounts(&self) -> Result<Vec<super::books::Account>> {
        Ok(self.books.close(&wealth(self.network).await?))
    }
}

fn blocks_between(from: EthHeight, to: EthHeight) -> u64 {
    to.get().saturating_sub(from.get())
}

/// The transaction that did a task, once it is mined.
fn txhash(answer: &SentinelAnswer, task: &str, exit_id: ExitId) -> Option<H256> {
    let of_duties = answer.duties.iter().map(|it| (&it.duty, it.txhash));
    let of_history = answer.history.iter().map(|it| (&it.duty, it.txhash));
    of_duties
        .chain(of_history)
        .find(|(duty, txhash)| duty.task == task && duty.exit_id == exit_id && txhash.is_some())?
        .1
}
