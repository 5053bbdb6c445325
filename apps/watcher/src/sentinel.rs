//! The Sentinel: challenges by itself what the watcher finds to be wrong, with a key that can only pay gas.
//!
//! It contains no rule: the exit processor says what is wrong, [`Sentinel`] what to send, by when and at what fee
//! (`docs/protocol/sentinel.md`). Everything is on disk before it is sent. A root chain that does not answer changes nothing.
//!
//! ```text
//! findings (invalid exits) ─► duties ─┐
//! new L1 block ─► facts ──────────────┼─► Plan ─► commit ─► simulate, send ─► next Plan …
//! ```

mod duties;

use crate::eventer::FindingsWatch;
use crate::guard::{Findings, GuardHandle};
use duties::Proven;
use futures::future::join_all;
use plasma_core::db_update::{DbUpdate, Service};
use plasma_core::sentinel::{
    Action, Call, Check, Notice, Plan, RootChainFacts, Sentinel, SentinelConfig, Transaction,
};
use plasma_core::wire::{EthHeight, ExitId, TypedDataDomain, U256};
use plasma_eth::{RootChainError, SentinelChain};
use plasma_node::core_actor::Unanswered;
use plasma_node::root_chain_coordinator::CoordinatorHandle;
use plasma_node::supervisor::{Lease, Nursery};
use plasma_node::worker::Worker;
use plasma_rpc::watcher::SentinelAnswer;
use plasma_store::{Store, StoreError};
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinError;

/// Calls that are simulated at the same time.
const CHECKS_AT_ONCE: usize = 8;

/// The Sentinel's answer to whoever asks; `None` before it looked at the root chain.
pub(crate) type SentinelWatch = watch::Receiver<Option<Arc<SentinelAnswer>>>;

/// Why the Sentinel cannot go on: the tree is rebuilt from disk.
#[derive(Debug, Error)]
enum SentinelError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a write was not finished: {0}")]
    Unwritten(#[from] JoinError),
    #[error(transparent)]
    Tree(#[from] Unanswered),
}

/// What the Sentinel is started with.
pub(crate) struct SentinelParts {
    pub(crate) config: SentinelConfig,
    pub(crate) chain: Arc<dyn SentinelChain>,
    pub(crate) guard: GuardHandle,
    pub(crate) store: Store,
    pub(crate) domain: Arc<TypedDataDomain>,
    pub(crate) min_exit_period_s: u64,
    /// How far behind the newest root chain block events of exits are read, when nothing is behind.
    pub(crate) exits_read_margin_eth_blocks: u64,
    pub(crate) tick_ms: u64,
    pub(crate) findings: FindingsWatch,
    pub(crate) coordinator: CoordinatorHandle,
}

/// Starts it from what the store kept.
///
/// # Errors
/// When the store cannot be read.
///
/// # After a restart
/// What was on its way to the root chain is sent again, byte for byte.
pub(crate) fn start_sentinel(
    parts: SentinelParts,
    nursery: &mut Nursery,
) -> Result<SentinelWatch, StoreError> {
    let account = parts.chain.address();
    let recovered = parts.store.sentinel(account)?;
    let sentinel = Sentinel::restore(parts.config, account, recovered);
    let (sender, answer) = watch::channel(None);
    let shell = Shell { parts, sentinel, bonds: BTreeMap::new(), proven: None, sender };
    Worker::start_with_lease("sentinel", nursery, |lease| shell.run(lease));
    Ok(answer)
}

struct Shell {
    parts: SentinelParts,
    sentinel: Sentinel,
    /// Bonds of the standard exits that are to be challenged.
    bonds: BTreeMap<ExitId, U256>,
    proven: Option<Proven>,
    sender: watch::Sender<Option<Arc<SentinelAnswer>>>,
}

impl Shell {
    async fn run(mut self, lease: Lease) -> Result<Infallible, SentinelError> {
        loop {
            // A look costs calls to the root chain's node: there is one for everything new, and another after a failure. What changes
            // while it lasts is new as well.
            let seen = self.sight();
            let is_answered = self.look(&lease).await?;
            self.publish();
            let tick = Duration::from_millis(self.parts.tick_ms);
            while self.sight() == seen {
                tokio::select! {
                    changed = self.parts.coordinator.changed() => changed?,
                    changed = self.parts.findings.changed() => {
                        changed.map_err(|_| Unanswered::Restarting)?;
                    }
                    () = tokio::time::sleep(tick), if !is_answered => break,
                }
            }
        }
    }

    /// What a look depends on, besides the root chain itself.
    fn sight(&self) -> (Option<EthHeight>, Option<Arc<Findings>>, [bool; 2]) {
        let findings = self.parts.findings.borrow().clone();
        let known = findings.as_ref();
        let knows = known.is_some_and(|findings| self.knows_everything(findings));
        let has_ledger = known.is_some_and(|findings| self.knows_the_ledger(findings));
        (self.parts.coordinator.progress().root_chain_height, findings, [knows, has_ledger])
    }

    /// Takes in the newest root chain block, and what is wrong by it. Returns whether everybody answered.
    async fn look(&mut self, lease: &Lease) -> Result<bool, SentinelError> {
        let facts = match self.facts().await {
            Ok(facts) => facts,
            Err(error) => {
                tracing::warn!(%error, "the sentinel waits for the root chain");
                return Ok(false);
            }
        };
        let plan = self.sentinel.on_root_chain(&facts);
        let mut is_answered = self.carry_out(plan, lease).await?;
        let findings = self.parts.findings.borrow_and_update().clone();
        let Some(findings) = findings.filter(|findings| self.knows_everything(findings)) else {
            return Ok(is_answered);
        };
        match self.duties(&findings, facts.eth_time_s).await {
            Ok(Ok((duties, met))) => {
                let plan = self.sentinel.on_duties(duties, |id| met.contains(id));
                is_answered &= self.carry_out(plan, lease).await?;
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "the sentinel cannot read exits on the root chain");
                is_answered = false;
            }
            Err(SentinelError::Tree(Unanswered::Overloaded)) => is_answered = false,
            Err(error) => return Err(error),
        }
        Ok(is_answered)
    }

    /// Everything as of one block, or nothing.
    async fn facts(&self) -> Result<RootChainFacts, RootChainError> {
        let chain = &self.parts.chain;
        let account = chain.account().await?;
        chain.facts(&account, &self.sentinel.receipts_needed(account.nonce)).await
    }

    /// Whether these findings were made with the exits and challenges of the root chain known as far as they ever are. A watcher that
    /// catches up would seem to want nothing, and everything on its way would be withdrawn.
    fn knows_everything(&self, findings: &Findings) -> bool {
        let progress = self.parts.coordinator.progress();
        let Some(newest) = progress.root_chain_height else {
            return false;
        };
        let margin = self.parts.exits_read_margin_eth_blocks;
        let exits = progress.synced.get(&Service::ExitProcessor).copied().unwrap_or_default();
        let heights = [exits, findings.heights.challenges, findings.heights.in_flight_exits];
        heights.into_iter().all(|height| height.plus(margin) >= newest)
    }

    /// Whether the ledger has every block that it can have: else a payment could be in one that it has not.
    fn knows_the_ledger(&self, findings: &Findings) -> bool {
        let progress = self.parts.coordinator.progress();
        let applied = progress.synced.get(&Service::BlockGetter).copied().unwrap_or_default();
        let margin = self.parts.exits_read_margin_eth_blocks;
        // After a fault the ledger stays where it is.
        findings.is_unsafe
            || progress.root_chain_height.is_some_and(|newest| applied.plus(margin) >= newest)
    }

    /// Commits a plan, does what it says, and carries out what comes of it: sends first, for they are decided. Returns whether
    /// everybody answered.
    async fn carry_out(&mut self, plan: Plan, lease: &Lease) -> Result<bool, SentinelError> {
        let (mut plans, mut checks) = (VecDeque::from([plan]), VecDeque::new());
        let mut is_answered = true;
        loop {
            while let Some(plan) = plans.pop_front() {
                self.commit(plan.updates.into_iter().map(DbUpdate::from).collect(), lease).await?;
                plan.notices.iter().for_each(log);
                if let Some(halt) = plan.halt {
                    tracing::error!(%halt, "the sentinel spends nothing more");
                }
                for action in plan.actions {
                    match action {
                        Action::Check(check) => checks.push_back(check),
                        Action::Send(transaction) => {
                            let (plan, is_sent) = self.send(&transaction).await;
                            plans.push_back(plan);
                            is_answered &= is_sent;
                        }
                    }
                }
            }
            let some: Vec<Check> = checks.drain(..checks.len().min(CHECKS_AT_ONCE)).collect();
            if some.is_empty() {
                return Ok(is_answered);
            }
            let results = join_all(some.iter().map(|check| self.parts.chain.check(&check.call)));
            for (check, result) in some.iter().zip(results.await) {
                match result {
                    Ok(checked) => plans.push_back(self.sentinel.on_checked(check, checked)),
                    Err(error) => {
                        tracing::warn!(%error, call = check.call.name(), "a call is not simulated");
                        is_answered = false;
                    }
                }
            }
        }
    }

    async fn send(&mut self, transaction: &Transaction) -> (Plan, bool) {
        let (txhash, outcome) = self.parts.chain.send(transaction).await;
        match &outcome {
            Ok(outcome) => log_sent(transaction, &format!("{outcome:?}")),
            Err(error) => log_sent(transaction, &error.to_string()),
        }
        let plan = self.sentinel.on_sent(transaction, txhash, outcome.as_ref().ok());
        (plan, outcome.is_ok())
    }

    async fn commit(&self, updates: Vec<DbUpdate>, lease: &Lease) -> Result<(), SentinelError> {
        if updates.is_empty() {
            return Ok(());
        }
        let (store, lease) = (self.parts.store.clone(), lease.clone());
        let written = tokio::task::spawn_blocking(move || {
            let written = store.commit(&updates);
            drop(lease);
            written
        });
        Ok(written.await??)
    }

    fn publish(&self) {
        let answer = SentinelAnswer::new(
            self.sentinel.status(),
            &self.sentinel.duties(),
            self.sentinel.history(),
        );
        self.sender.send_if_modified(|known| {
            let is_new = known.as_deref() != Some(&answer);
            if is_new {
                *known = Some(Arc::new(answer));
            }
            is_new
        });
    }
}

fn log_sent(transaction: &Transaction, outcome: &str) {
    let call = transaction.call.as_ref().map_or("fill", Call::name);
    let (nonce, fees) = (transaction.nonce, transaction.fees);
    tracing::info!(call, nonce, ?fees, outcome, "the sentinel sent a transaction");
}

fn log(notice: &Notice) {
    match notice {
        Notice::Ended { id, outcome } => {
            let task = id.task.name();
            tracing::info!(task, exit_id = ?id.exit_id, outcome = outcome.name(), "a duty ended");
        }
        other => tracing::warn!(notice = ?other, "the sentinel"),
    }
}
