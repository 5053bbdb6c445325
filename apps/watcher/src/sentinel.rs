//! The Sentinel: challenges by itself what the watcher finds to be wrong, with a key that can only pay gas.
//!
//! It contains no rule: the exit processor says what is wrong, [`Sentinel`] what to send, by when and at what fee
//! (`docs/protocol/sentinel.md`). Everything is on disk before it is sent. A root chain that does not answer changes nothing.
//!
//! ```text
//! findings (invalid exits) ─► duties ─┐
//! new L1 block ─► facts ──────────────┼─► Plan ─► commit ─► simulate, send ─► next Plan …
//! ```

use crate::eventer::FindingsWatch;
use crate::exit_facts::exit_fact;
use crate::guard::Findings;
use plasma_core::byzantine::{ByzantineEvent, ExitFault};
use plasma_core::db_update::{DbUpdate, Service};
use plasma_core::exit_processor::{ChallengeData, StandardExitPhase, challenge_data};
use plasma_core::sentinel::{
    Action, Call, Duty, DutyId, Notice, Plan, Sentinel, SentinelConfig, Transaction,
};
use plasma_core::wire::{ExitId, TypedDataDomain, U256};
use plasma_eth::{RootChainError, SentinelChain};
use plasma_node::core_actor::Unanswered;
use plasma_node::root_chain_coordinator::CoordinatorHandle;
use plasma_node::supervisor::{Lease, Nursery};
use plasma_node::worker::Worker;
use plasma_rpc::watcher::SentinelAnswer;
use plasma_store::{Store, StoreError};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
    pub(crate) store: Store,
    pub(crate) domain: Arc<TypedDataDomain>,
    pub(crate) min_exit_period_s: u64,
    pub(crate) exit_finality_margin_eth_blocks: u64,
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
    let account = parts.chain.account();
    let recovered = parts.store.sentinel()?;
    let sentinel = Sentinel::restore(parts.config, account, recovered);
    let (sender, answer) = watch::channel(None);
    let shell = Shell { parts, sentinel, bonds: BTreeMap::new(), sender };
    Worker::start_with_lease("sentinel", nursery, |lease| shell.run(lease));
    Ok(answer)
}

struct Shell {
    parts: SentinelParts,
    sentinel: Sentinel,
    /// Bonds of the exits that are wanted now.
    bonds: BTreeMap<ExitId, U256>,
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
        let sentinel = &self.sentinel;
        let receipts_needed = |nonce| sentinel.receipts_needed(nonce);
        let facts = match self.parts.chain.facts(&receipts_needed).await {
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
        match self.duties(findings).await? {
            Ok((duties, met)) => {
                let plan = self.sentinel.on_duties(duties, |id| met.contains(id));
                self.carry_out(plan, lease).await
            }
            Err(error) => {
                tracing::warn!(%error, "the sentinel cannot read the bonds of exits");
                Ok(())
            }
        }
    }

    /// Whether the exits and challenges of the root chain are known as far as they ever are. A watcher that catches up would seem to
    /// want nothing, and everything on its way would be withdrawn.
    fn knows_everything(&self) -> bool {
        let progress = self.parts.coordinator.progress();
        let Some(newest) = progress.root_chain_height else {
            return false;
        };
        let margin = self.parts.exit_finality_margin_eth_blocks;
        let reaches = |service| {
            progress.synced.get(&service).is_some_and(|height| height.plus(margin) >= newest)
        };
        reaches(Service::ExitProcessor) && reaches(Service::ExitChallenger)
    }

    /// What is to be done, and what somebody has done of what was wanted before.
    async fn duties(
        &mut self,
        findings: Arc<Findings>,
    ) -> Result<Result<(Vec<Duty>, BTreeSet<DutyId>), RootChainError>, SentinelError> {
        let before: Vec<DutyId> = self.sentinel.duties().iter().map(|duty| duty.id).collect();
        let (store, domain) = (self.parts.store.clone(), self.parts.domain.clone());
        let read = move || {
            let met = met(&store, &before)?;
            Ok::<_, StoreError>((proofs(&store, &findings, &domain)?, met))
        };
        let (proofs, met) = tokio::task::spawn_blocking(read).await??;
        self.bonds.retain(|exit_id, _| proofs.iter().any(|(exit, _)| exit.exit_id == *exit_id));
        let unknown = proofs.iter().map(|(exit, _)| exit.exit_id);
        let unknown: Vec<ExitId> = unknown.filter(|id| !self.bonds.contains_key(id)).collect();
        match self.parts.chain.exit_bonds(&unknown).await {
            Ok(bonds) => self.bonds.extend(unknown.into_iter().zip(bonds)),
            Err(error) => return Ok(Err(error)),
        }
        let period_s = self.parts.min_exit_period_s;
        let duty = |(exit, proof): (ExitFault, ChallengeData)| {
            let bond_wei = self.bonds.get(&exit.exit_id).copied().unwrap_or_default();
            Duty::challenge_standard_exit(&exit, proof, bond_wei, period_s)
        };
        Ok(Ok((proofs.into_iter().map(duty).collect(), met)))
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

/// Which duties somebody has done: their exits are challenged.
fn met(store: &Store, duties: &[DutyId]) -> Result<BTreeSet<DutyId>, StoreError> {
    let mut met = BTreeSet::new();
    for id in duties {
        let exit = store.standard_exit_by_id(id.exit_id)?;
        let is_done = exit.is_some_and(|exit| {
            exit.root_chain_txhash == id.cause && exit.phase == StandardExitPhase::Challenged
        });
        met.extend(is_done.then_some(*id));
    }
    Ok(met)
}

/// The invalid exits that can be challenged, each with its proof.
fn proofs(
    store: &Store,
    findings: &Findings,
    domain: &TypedDataDomain,
) -> Result<Vec<(ExitFault, ChallengeData)>, StoreError> {
    let mut proofs = Vec::new();
    for event in &findings.events {
        let ByzantineEvent::InvalidExit(fault) = event else {
            continue;
        };
        let exit = store.standard_exit(fault.position)?;
        let fact = exit_fact(store, fault.owner, fault.position)?;
        match challenge_data(exit.as_ref(), &fact, domain) {
            Ok(proof) if proof.exit_id == fault.exit_id => proofs.push((fault.clone(), proof)),
            // Another exit of the output was started meanwhile: the next findings are about that.
            Ok(_) => {}
            Err(error) => {
                let position = fault.position;
                tracing::debug!(%position, %error, "an invalid exit cannot be challenged");
            }
        }
    }
    Ok(proofs)
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
