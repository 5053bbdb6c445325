//! `wallet evacuate`: leave with everything.
//!
//! It must never start the exit of an output that a signed merge spends, and never depend on what an earlier run remembers: exits are
//! read from the root chain, what is left from the watcher. Only signed merges are kept (`pending`), until a block holds them.
//!
//! ```text
//! look ─► plan ─► show ─► merge (safe chains only) ─► in a block, verified, final ─┐
//!          ▲                                                                        ▼
//!          └──────── look again, before every single exit ◄──── start the next exit ─► wait, process ─► sums
//! ```
//! It can be stopped at any point, and run again: a run does what is left to do.

mod look;
mod merging;
mod pending;
mod plan;
mod report;

pub(crate) use pending::MERGES_FILE;

use super::exits::currency_flag;
use super::merging::Made;
use super::session::{Session, wait_for};
use super::view::{self, AmountView};
use crate::amount::Denomination;
use crate::devnet_file::DevnetFile;
use crate::failure::Failure;
use anyhow::{Context, Result};
use clap::Args;
use look::{Known, OwnExit};
use pending::PendingMerges;
use plan::{Facts, Left, Plan, PlannedExit, Reason, Source, Wishes, plan};
use plasma_core::wire::{Currency, ExitId, SecretKey, U256, UtxoPos};
use plasma_eth::{Receipt, RootChainError};
use plasma_rpc::codes;
use report::{EvacuationReport, StartedView};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Most exits in one processing transaction: some 60,000 gas each, far from a block's limit.
const BATCH_EXITS_MAX: u32 = 50;
/// Longest wait for transactions of the account that are under way.
const SENT_BEFORE_MAX: Duration = Duration::from_secs(120);
/// Shortest and longest pause between two looks at exits that are not due yet.
const PAUSE_S: (u64, u64) = (1, 60);

/// How to leave.
#[derive(Args)]
pub(super) struct EvacuateArgs {
    /// Only print the plan
    #[arg(long)]
    dry_run: bool,
    /// Do not join outputs first: more bonds and gas, but old outputs leave up to one exit period earlier than joined ones
    #[arg(long)]
    no_merge: bool,
    /// Leave behind outputs of less than this; for ETH in place of what the exit costs. Tokens have no price here, so all exit unless you say otherwise. Again for more currencies
    #[arg(long, value_name = "CURRENCY=AMOUNT", value_parser = minimum)]
    min_value: Vec<(Currency, String)>,
    /// When the root chain account cannot pay for all bonds and gas, exit what it can pay for, the most valuable first
    #[arg(long)]
    as_many_as_possible: bool,
    /// Afterwards pay out what is due
    #[arg(long)]
    process: bool,
    /// Afterwards wait until every exit is due, and pay it out; takes one or two exit periods
    #[arg(long)]
    wait: bool,
    /// Longest wait in seconds for merges to be in a verified and final block
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    merge_wait_s: u64,
}

/// Reads `CURRENCY=AMOUNT`.
fn minimum(text: &str) -> Result<(Currency, String), String> {
    let (currency, amount) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} is not CURRENCY=AMOUNT, such as eth=0.01"))?;
    Ok((crate::parsing::currency(currency)?, amount.to_owned()))
}

/// A run.
struct Evacuation<'a> {
    session: &'a Session,
    key: SecretKey,
    wishes: Wishes,
    merges: PendingMerges,
    known: Known,
    /// Of this run, with what they made.
    sent_merges: Vec<Made>,
    started: Vec<StartedView>,
    refused: Vec<Left>,
    gas_wei: U256,
    denominations: BTreeMap<Currency, Denomination>,
}

impl EvacuateArgs {
    /// Does it.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
        let key = session.key()?;
        let mut run = Evacuation::prepare(session, key, &self).await?;
        let (mut facts, mut danger) = run.look().await?;
        let plan = plan(&facts, &run.wishes);
        let mut report =
            EvacuationReport::new(&plan, &facts, danger.as_deref(), &run.denominations);
        if self.dry_run {
            report.add_exits(&run.own_exits().await?, &run.denominations);
            return session.out.finish(&report);
        }
        session.out.progress(&report);
        check_affordable(&plan, &self)?;
        if danger.is_none() && (!plan.merges.is_empty() || !facts.signed_away.is_empty()) {
            run.merge(&plan, &facts, self.merge_wait_s).await?;
        }
        run.wishes.may_merge = false;
        loop {
            (facts, danger) = run.look().await?;
            let mut plan = plan::plan(&facts, &run.wishes);
            if plan.exits.is_empty() {
                plan.left.append(&mut run.refused);
                report.update(&plan, danger.as_deref(), &run.denominations);
                break;
            }
            check_affordable(&plan, &self)?;
            if let Some(next) = plan.exits.first() {
                run.start(next, plan.exits.len()).await?;
            }
        }
        if facts.outputs.keys().all(|at| run.known.exiting.contains(at)) {
            run.merges.forget().context("the file of merges cannot be removed")?;
        }
        let processed = match self.wait || self.process {
            true => run.process(self.wait).await?,
            false => Vec::new(),
        };
        let exits = run.own_exits().await?;
        report.done(run.started, &processed, run.gas_wei);
        report.add_exits(&exits, &run.denominations);
        session.out.finish(&report)
    }
}

impl<'a> Evacuation<'a> {
    async fn prepare(session: &'a Session, key: SecretKey, args: &EvacuateArgs) -> Result<Self> {
        let mut minimums = BTreeMap::new();
        for (currency, amount) in &args.min_value {
            let denomination = session.denomination(*currency).await?;
            minimums.insert(*currency, denomination.parse(amount, false).context("--min-value")?);
        }
        let network_file = match &session.common.network {
            Some(path) => Some(path.clone()),
            None => DevnetFile::find(&std::env::current_dir()?),
        };
        let framework = session.network.deployment.addresses.plasma_framework;
        let mut run = Self {
            session,
            key,
            wishes: Wishes {
                may_merge: !args.no_merge,
                minimums,
                as_many_as_possible: args.as_many_as_possible,
                processes: args.process || args.wait,
            },
            merges: PendingMerges::beside(&network_file.unwrap_or_default(), framework),
            known: Known::default(),
            sent_merges: Vec::new(),
            started: Vec::new(),
            refused: Vec::new(),
            gas_wei: U256::zero(),
            denominations: BTreeMap::new(),
        };
        // An exit that a killed run has sent must not start twice: the second would be refused, and its gas lost.
        wait_for("earlier transactions of this account", SENT_BEFORE_MAX, async || {
            let pending = session.root_chain.pending_transactions(run.key.address()).await?;
            Ok((pending == 0).then_some(()))
        })
        .await?;
        for own in run.own_exits().await? {
            run.known.exiting.insert(own.exit.position);
        }
        Ok(run)
    }

    async fn look(&mut self) -> Result<(Facts, Option<String>)> {
        let owner = self.key.address();
        let found = self.session.evacuation_facts(owner, &self.merges, &mut self.known).await?;
        let currencies = found.0.outputs.values().map(|utxo| utxo.currency);
        self.learn(currencies.collect()).await?;
        Ok(found)
    }

    async fn own_exits(&mut self) -> Result<Vec<OwnExit>> {
        let exits = self.session.own_exits(self.key.address()).await?;
        self.learn(exits.iter().map(|own| own.exit.currency).collect()).await?;
        Ok(exits)
    }

    async fn learn(&mut self, currencies: BTreeSet<Currency>) -> Result<()> {
        let unknown = currencies.into_iter().filter(|one| !self.denominations.contains_key(one));
        let unknown: Vec<_> = unknown.collect();
        self.denominations.extend(self.session.denominations(unknown).await?);
        Ok(())
    }

    /// Starts one exit. A refusal of the contract is this output's own trouble, and the next one follows.
    async fn start(&mut self, next: &PlannedExit, left: usize) -> Result<()> {
        let Source::Output(position) = next.source else { return Ok(()) };
        let number = self.started.len().saturating_add(1);
        let total = self.started.len().saturating_add(left);
        let unknown = Denomination { currency: next.currency, known: None };
        let denomination = self.denominations.get(&next.currency).unwrap_or(&unknown);
        let amount = AmountView::new(denomination, next.amount);
        self.session.out.progress(format!("[{number}/{total}] exit of {position}: {amount}"));
        match self.try_to_start(position).await {
            Ok((exit_id, receipts, bond_wei)) => {
                let fee_wei = sum_of_fees(&receipts);
                self.gas_wei = self.gas_wei.saturating_add(fee_wei);
                let txhash = receipts.last().map(|receipt| receipt.txhash).unwrap_or_default();
                self.started.push(StartedView::new(
                    (position, exit_id),
                    txhash,
                    amount,
                    bond_wei,
                    fee_wei,
                ));
            }
            Err(error) => {
                let why = format!("{error:#}");
                let refusal =
                    error.downcast_ref::<RootChainError>().and_then(RootChainError::revert);
                let is_about_output = refusal.is_some() || is_not_exitable(&error);
                if !is_about_output {
                    return Err(error.context(format!(
                        "the exit of {position} was not confirmed as started; run `penning wallet evacuate` again: it goes on here"
                    )));
                }
                self.session.out.progress(format!("  not possible: {why}"));
                if refusal.map(plasma_eth::Revert::name) != Some("ExitStartedBefore") {
                    let (source, currency, amount) = (next.source, next.currency, next.amount);
                    let reason = Reason::Refused { why };
                    self.refused.push(Left { source, currency, amount, reason });
                }
            }
        }
        self.known.exiting.insert(position);
        Ok(())
    }

    async fn try_to_start(&self, position: UtxoPos) -> Result<(ExitId, Vec<Receipt>, U256)> {
        let exit = self.session.exit_data(position, false).await?;
        let started = self.session.start_exit(&self.key, &exit).await?;
        let (exit_id, _) =
            started.receipt.started_exit().context("the contract reported no exit")?;
        let receipts = started.queue_added.into_iter().chain([started.receipt]).collect();
        Ok((exit_id, receipts, started.bond_wei))
    }

    /// Pays out what is due; or waits until nothing of ours is left in a queue.
    async fn process(&mut self, waits: bool) -> Result<Vec<Receipt>> {
        let mut processed = Vec::new();
        let mut open = self.own_exits().await?;
        loop {
            open.retain(OwnExit::is_open);
            let now_s = self.session.root_chain.newest_block().await?.timestamp_s;
            let due = open.iter().filter(|own| own.exit.exitable_at_s < now_s);
            let due: BTreeSet<Currency> = due.map(|own| own.exit.currency).collect();
            for currency in &due {
                let flag = currency_flag(*currency);
                self.session.out.progress(format!("paying out from the queue of {flag}"));
                let receipts =
                    self.session.process_exits(&self.key, *currency, BATCH_EXITS_MAX).await?;
                self.gas_wei = self.gas_wei.saturating_add(sum_of_fees(&receipts));
                processed.extend(receipts);
            }
            if !due.is_empty() {
                self.drop_ended(&mut open).await?;
            }
            let next_s = open.iter().map(|own| own.exit.exitable_at_s).min();
            let Some(next_s) = next_s.filter(|_| waits) else { return Ok(processed) };
            let wait_s = next_s.saturating_add(1).saturating_sub(now_s);
            let (open_count, wait) = (open.len(), view::duration(wait_s));
            self.session
                .out
                .progress(format!("{open_count} exits wait; the next is due in {wait}"));
            // Twenty looks a wait: the last ones are close to its end.
            let pause_s = (wait_s / 20).clamp(PAUSE_S.0, PAUSE_S.1);
            tokio::time::sleep(Duration::from_secs(pause_s)).await;
        }
    }

    /// Forgets exits that are over: paid, challenged, or gone before.
    async fn drop_ended(&self, open: &mut Vec<OwnExit>) -> Result<()> {
        let ids: Vec<ExitId> = open.iter().map(|own| own.exit.exit_id).collect();
        let records = self.session.root_chain.standard_exits(&ids).await?;
        let mut records = records.into_iter();
        open.retain(|_| records.next().flatten().is_some_and(|record| record.exitable));
        Ok(())
    }
}

fn sum_of_fees(receipts: &[Receipt]) -> U256 {
    receipts.iter().map(Receipt::fee_wei).fold(U256::zero(), U256::saturating_add)
}

fn code_of(error: &anyhow::Error) -> String {
    crate::failure::ErrorReport::of(error).code
}

fn is_not_exitable(error: &anyhow::Error) -> bool {
    code_of(error) == codes::EXIT_INVALID.code
}

/// A run that cannot be paid for to its end does not begin, unless that is what the user wants.
fn check_affordable(plan: &Plan, args: &EvacuateArgs) -> Result<(), Failure> {
    let money = &plan.money;
    if plan.exits.is_empty() || args.as_many_as_possible || money.missing_wei.is_zero() {
        return Ok(());
    }
    let [needed, has, missing] = [money.needed_wei, money.balance_wei, money.missing_wei]
        .map(|wei| AmountView::wei(wei).to_string());
    let message = format!(
        "{} exits need up to {needed} on the root chain for bonds and gas, the account has {has}: {missing} more",
        plan.exits.len()
    );
    Err(Failure::new("evacuate:not_enough_eth", message)
        .next("send Ether to the account on the root chain, join outputs first (without --no-merge), or go on with --as-many-as-possible"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::wire::{Address, ETH};

    #[test]
    fn minimums_are_a_currency_and_an_amount() {
        let token = Address::repeat_byte(1);
        assert_eq!(minimum("eth=0.01"), Ok((ETH, "0.01".to_owned())));
        assert_eq!(minimum(&format!("{token:?}=5")), Ok((token, "5".to_owned())));
        for text in ["", "eth", "0x12=1"] {
            assert!(minimum(text).is_err(), "{text}");
        }
    }
}
