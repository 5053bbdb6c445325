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
use crate::guard::GuardHandle;
use duties::Proven;
use plasma_core::db_update::{DbUpdate, Service};
use plasma_core::sentinel::{
    Action, Call, Notice, Plan, RootChainFacts, Sentinel, SentinelConfig, Transaction,
};
use plasma_core::wire::{ExitId, TypedDataDomain, U256};
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
            self.look(&lease).await?;
            self.publish();
            let tick = Duration::from_millis(self.parts.tick_ms);
            tokio::select! {
                changed = self.parts.coordinator.changed() => changed?,
                changed = self.parts.findings.changed() => {
                    changed.map_err(|_| Unanswered::Restarting)?;
                }
                () = tokio::time::sleep(tick), if self.has_work() => {}
            }
        }
    }

    fn has_work(&self) -> bool {
        !self.sentinel.duties().is_empty() || self.sentinel.status().in_flight > 0
    }

    /// Takes in the newest root chain block, and what is wrong by it.
    async fn look(&mut self, lease: &Lease) -> Result<(), SentinelError> {
        let facts = match self.facts().await {
            Ok(facts) => facts,
            Err(error) => {
                tracing::warn!(%error, "the sentinel waits for the root chain");
                return Ok(());
            }
        };
        let plan = self.sentinel.on_root_chain(&facts);
        self.carry_out(plan, lease).await?;
        let findings = self.parts.findings.borrow_and_update().clone();
        let Some(findings) = findings.filter(|_| self.knows_everything()) else {
            return Ok(());
        };
        match self.duties(&findings, facts.eth_time_s).await? {
            Ok((duties, met)) => {
                let plan = self.sentinel.on_duties(duties, |id| met.contains(id));
                self.carry_out(plan, lease).await
            }
            Err(error) => {
                tracing::warn!(%error, "the sentinel cannot read exits on the root chain");
                Ok(())
            }
        }
    }

    /// Everything as of one block, or nothing.
    async fn facts(&self) -> Result<RootChainFacts, RootChainError> {
        let chain = &self.parts.chain;
        let account = chain.account().await?;
        chain.facts(&account, &self.sentinel.receipts_needed(account.nonce)).await
    }

    /// Whether the exits and challenges of the root chain are known as far as they ever are. A watcher that catches up would seem to
    /// want nothing, and everything on its way would be withdrawn.
    fn knows_everything(&self) -> bool {
        let progress = self.parts.coordinator.progress();
        let Some(newest) = progress.root_chain_height else {
            return false;
        };
        let margin = self.parts.exits_read_margin_eth_blocks;
        let reaches = |service| {
            progress.synced.get(&service).is_some_and(|height| height.plus(margin) >= newest)
        };
        let services =
            [Service::ExitProcessor, Service::ExitChallenger, Service::InFlightExitProcessor];
        services.into_iter().all(reaches)
    }

    /// Commits a plan, does what it says, and carries out what comes of it.
    async fn carry_out(&mut self, plan: Plan, lease: &Lease) -> Result<(), SentinelError> {
        let mut plans = VecDeque::from([plan]);
        while let Some(plan) = plans.pop_front() {
            self.commit(plan.updates.into_iter().map(DbUpdate::from).collect(), lease).await?;
            plan.notices.iter().for_each(log);
            if let Some(halt) = plan.halt {
                tracing::error!(%halt, "the sentinel spends nothing more");
            }
            for action in plan.actions {
                plans.extend(self.act(action).await);
            }
        }
        Ok(())
    }

    async fn act(&mut self, action: Action) -> Option<Plan> {
        match action {
            Action::Check(check) => match self.parts.chain.check(&check.call).await {
                Ok(checked) => Some(self.sentinel.on_checked(&check, checked)),
                Err(error) => {
                    tracing::warn!(%error, call = check.call.name(), "a call is not simulated");
                    None
                }
            },
            Action::Send(transaction) => {
                let (txhash, outcome) = self.parts.chain.send(&transaction).await;
                match &outcome {
                    Ok(outcome) => log_sent(&transaction, &format!("{outcome:?}")),
                    Err(error) => log_sent(&transaction, &error.to_string()),
                }
                Some(self.sentinel.on_sent(&transaction, txhash, outcome.ok().as_ref()))
            }
        }
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
