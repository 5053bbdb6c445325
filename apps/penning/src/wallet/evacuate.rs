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

pub(crate) use pending::MERGES_FILES;
pub(super) use pending::{PendingMerges, inputs};

use super::exit_process::BATCH_EXITS_MAX;
use super::exits::currency_flag;
use super::merging::{Made, is_listed};
use super::session::{Session, wait_for};
use super::signed_away::SIGNED_AWAY;
use super::view::{self, AmountView};
use crate::amount::Denomination;
use crate::failure::{Failure, Told};
use anyhow::{Context, Result};
use clap::Args;
use look::{Known, OwnExit};
use pending::is_over;
use plan::{Facts, Left, Plan, PlannedExit, Reason, Source, Wishes, plan};
use plasma_core::wire::{Currency, ExitId, SecretKey, SignedTx, TxHash, U256, UtxoPos};
use plasma_eth::{Receipt, RootChainError};
use plasma_rpc::codes;
use report::{EvacuationReport, StartedView};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Longest wait for transactions of the account that are under way; then it goes on.
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
    /// Leave this currency where it is: `eth` or the address of a token. Again for more
    #[arg(long, value_name = "CURRENCY", value_parser = crate::parsing::currency)]
    skip: Vec<Currency>,
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
    merges: &'a PendingMerges,
    known: Known,
    /// Of this run, with what they made.
    sent_merges: Vec<Made>,
    /// Those whose outputs the watcher lists.
    verified_merges: BTreeSet<TxHash>,
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
        let (facts, danger) = run.look().await?;
        let plan = plan(&facts, &run.wishes);
        let mut report =
            EvacuationReport::new(&plan, &facts, danger.as_deref(), &run.denominations);
        if self.dry_run {
            report.add_exits(&run.own_exits().await?, &run.denominations);
            return session.out.finish(&report);
        }
        session.out.progress(&report);
        check_affordable(&plan, &self)?;
        let mut processed = Vec::new();
        let left = run.leave(&self, &plan, &facts, &mut report, &mut processed).await;
        if let Err(error) = left {
            if run.started.is_empty() && processed.is_empty() {
                return Err(error);
            }
            // What was started is told all the same, and paid for.
            report.stopped(&error);
        }
        report.done(std::mem::take(&mut run.started), &processed, run.gas_wei);
        match run.own_exits().await {
            Ok(exits) => report.add_exits(&exits, &run.denominations),
            Err(error) => report.stopped(&error),
        }
        session.out.finish(&report)?;
        if report.is_stopped() { Err(Told.into()) } else { Ok(()) }
    }
}

impl<'a> Evacuation<'a> {
    async fn prepare(session: &'a Session, key: SecretKey, args: &EvacuateArgs) -> Result<Self> {
        let mut minimums = BTreeMap::new();
        for (currency, amount) in &args.min_value {
            let denomination = session.denomination(*currency).await?;
            minimums.insert(*currency, denomination.parse(amount, false).context("--min-value")?);
        }
        let mut run = Self {
            session,
            key,
            wishes: Wishes {
                may_merge: !args.no_merge,
                minimums,
                skipped: args.skip.iter().copied().collect(),
                as_many_as_possible: args.as_many_as_possible,
                processes: args.process || args.wait,
            },
            merges: &session.merges,
            known: Known::default(),
            sent_merges: Vec::new(),
            verified_merges: BTreeSet::new(),
            started: Vec::new(),
            refused: Vec::new(),
            gas_wei: U256::zero(),
            denominations: BTreeMap::new(),
        };
        if !args.dry_run {
            run.wait_for_sent_before().await;
        }
        for own in run.own_exits().await? {
            run.known.exiting.insert(own.exit.position);
        }
        Ok(run)
    }

    /// An exit that a killed run has sent should not start twice: the contract would refuse the second. But a transaction that is stuck
    /// must not keep everything in.
    async fn wait_for_sent_before(&self) {
        let (session, owner) = (self.session, self.key.address());
        let what = "earlier transactions of this account";
        let waited = wait_for(what, SENT_BEFORE_MAX, async || {
            let pending = session.root_chain.pending_transactions(owner).await?;
            Ok((pending == 0).then_some(()))
        });
        if let Err(error) = waited.await {
            session.out.progress(format!("WARNING: going on although some are under way: {error:#}. Exits come after them; speed them up, or replace them"));
        }
    }

    /// Merges, starts one exit after the other, and pays out.
    async fn leave(
        &mut self,
        args: &EvacuateArgs,
        plan: &Plan,
        facts: &Facts,
        report: &mut EvacuationReport,
        processed: &mut Vec<Receipt>,
    ) -> Result<()> {
        if facts.is_safe && (!plan.merges.is_empty() || !facts.signed_away.is_empty()) {
            self.merge(plan, facts, args.merge_wait_s).await?;
        }
        self.wishes.may_merge = false;
        // It could be paid for when it began: whatever has become dearer since, what can still be paid for leaves.
        self.wishes.as_many_as_possible = true;
        loop {
            let (facts, danger) = self.look().await?;
            let mut plan = plan::plan(&facts, &self.wishes);
            plan.left.extend(self.refused.iter().cloned());
            report.update(&plan, danger.as_deref(), &self.denominations);
            let Some(next) = plan.exits.first() else { break };
            self.start(next, plan.exits.len()).await?;
        }
        let exits = self.own_exits().await?;
        let verified = &self.verified_merges;
        let is_over = |tx: &SignedTx| verified.contains(&tx.hash()) || is_over(tx, &exits);
        self.merges.forget(is_over).context("the file of merges cannot be written")?;
        if args.wait || args.process {
            self.process(args.wait, processed).await?;
        }
        Ok(())
    }

    async fn look(&mut self) -> Result<(Facts, Option<String>)> {
        let owner = self.key.address();
        let found = self.session.evacuation_facts(owner, &mut self.known).await?;
        for (txhash, made) in &self.sent_merges {
            if is_listed(&found.0.outputs, made, *txhash).is_ok_and(|is_listed| is_listed) {
                self.verified_merges.insert(*txhash);
            }
        }
        let currencies = found.0.outputs.values().map(|utxo| utxo.currency);
        let faulty = found.0.in_faulty_block.iter().map(|left| left.currency);
        self.learn(currencies.chain(faulty).collect()).await?;
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
        let exit = self.session.exit_to_start(position, false).await?;
        let started = self.session.start_exit(&self.key, &exit).await?;
        let (exit_id, _) =
            started.receipt.started_exit().context("the contract reported no exit")?;
        let receipts = started.queue_added.into_iter().chain([started.receipt]).collect();
        Ok((exit_id, receipts, started.bond_wei))
    }

    /// Pays out what is due; or waits until nothing of ours is left in a queue.
    async fn process(&mut self, waits: bool, processed: &mut Vec<Receipt>) -> Result<()> {
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
            let Some(next_s) = next_s.filter(|_| waits) else { return Ok(()) };
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
    [codes::EXIT_INVALID.code, SIGNED_AWAY].contains(&code_of(error).as_str())
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
