//! How an evacuation is shown: the plan, and in the end what came of it. One shape for both, so that scripts read one.

use super::super::exits::ExitPhase;
use super::super::view::{self, AmountView, PositionView, digits};
use super::look::OwnExit;
use super::plan::{Facts, Left, Money, Plan, PlannedExit, Reason, Source};
use crate::amount::Denomination;
use crate::failure::ErrorReport;
use plasma_core::wire::{Currency, ExitId, H256, U256, UtxoPos};
use plasma_eth::Receipt;
use plasma_rpc::json::hex;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

type Denominations = BTreeMap<Currency, Denomination>;

/// What `evacuate` prints.
#[derive(Serialize)]
pub(super) struct EvacuationReport {
    is_done: bool,
    is_safe: bool,
    danger: Option<String>,
    merges: Vec<MergeView>,
    /// As planned, in this order.
    exits: Vec<ExitPlanView>,
    left: Vec<LeftView>,
    root_chain: MoneyView,
    /// By this run.
    started: Vec<StartedView>,
    /// Transactions of this run that paid out.
    #[serde(with = "hex::list")]
    processed: Vec<H256>,
    gas_paid: AmountView,
    /// All standard exits of the account.
    totals: Vec<TotalView>,
    /// What ended this run before its end.
    error: Option<ErrorReport>,
    next: String,
    #[serde(skip)]
    exit_period_s: u64,
}

#[derive(Serialize)]
struct MergeView {
    outputs: usize,
    transactions: usize,
    amount: AmountView,
}

#[derive(Serialize)]
struct ExitPlanView {
    #[serde(flatten)]
    source: SourceView,
    amount: AmountView,
    cost: AmountView,
    exitable_in_s: u64,
}

/// An output, or how many outputs become it.
#[derive(Serialize)]
struct SourceView {
    output: Option<PositionView>,
    merged_outputs: Option<usize>,
}

#[derive(Serialize)]
struct LeftView {
    #[serde(flatten)]
    source: SourceView,
    amount: AmountView,
    /// Stable: `costs_more`, `below_minimum`, `not_affordable`, `signed_away`, `in_faulty_block`,
    /// `skipped`, `refused`.
    reason: &'static str,
    text: String,
}

#[derive(Serialize)]
struct MoneyView {
    bonds: AmountView,
    gas: AmountView,
    needed: AmountView,
    balance: AmountView,
    missing: AmountView,
}

/// An exit that this run started.
#[derive(Serialize)]
pub(super) struct StartedView {
    output: PositionView,
    #[serde(serialize_with = "digits")]
    exit_id: ExitId,
    #[serde(with = "hex")]
    txhash: H256,
    amount: AmountView,
    bond: AmountView,
    /// With what it took to open the queue.
    root_chain_fee: AmountView,
}

#[derive(Serialize)]
struct TotalView {
    exits: usize,
    paid: AmountView,
    waiting: AmountView,
    due: AmountView,
    challenged: AmountView,
}

impl StartedView {
    pub(super) fn new(
        (position, exit_id): (UtxoPos, ExitId),
        txhash: H256,
        amount: AmountView,
        bond_wei: U256,
        fee_wei: U256,
    ) -> Self {
        let (bond, root_chain_fee) = (AmountView::wei(bond_wei), AmountView::wei(fee_wei));
        Self { output: position.into(), exit_id, txhash, amount, bond, root_chain_fee }
    }
}

impl From<Source> for SourceView {
    fn from(source: Source) -> Self {
        match source {
            Source::Output(at) => Self { output: Some(at.into()), merged_outputs: None },
            Source::Merged(count) => Self { output: None, merged_outputs: Some(count) },
        }
    }
}

impl fmt::Display for SourceView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.output, self.merged_outputs) {
            (Some(at), _) => at.fmt(f),
            (None, count) => write!(f, "{} outputs, merged", count.unwrap_or_default()),
        }
    }
}

fn amount_of(denominations: &Denominations, currency: Currency, amount: U256) -> AmountView {
    let unknown = Denomination { currency, known: None };
    AmountView::new(denominations.get(&currency).unwrap_or(&unknown), amount)
}

impl EvacuationReport {
    /// The plan.
    pub(super) fn new(
        plan: &Plan,
        facts: &Facts,
        danger: Option<&str>,
        denominations: &Denominations,
    ) -> Self {
        let amount = |currency, of| amount_of(denominations, currency, of);
        let merges = plan.merges.iter().map(|merge| MergeView {
            outputs: merge.outputs,
            transactions: merge.transactions,
            amount: amount(merge.currency, merge.amount),
        });
        let exits = plan.exits.iter().map(|exit: &PlannedExit| ExitPlanView {
            source: exit.source.into(),
            amount: amount(exit.currency, exit.amount),
            cost: AmountView::wei(exit.cost_wei),
            exitable_in_s: exit.exitable_at_s.saturating_sub(facts.now_s),
        });
        let mut report = Self {
            is_done: false,
            is_safe: facts.is_safe,
            danger: None,
            merges: merges.collect(),
            exits: exits.collect(),
            left: Vec::new(),
            root_chain: MoneyView::new(&plan.money),
            started: Vec::new(),
            processed: Vec::new(),
            gas_paid: AmountView::wei(U256::zero()),
            totals: Vec::new(),
            error: None,
            next: "the same without --dry-run".to_owned(),
            exit_period_s: facts.min_exit_period_s,
        };
        report.update(plan, danger, denominations);
        report
    }

    /// What has changed by the end: what stays behind, and whether the chain is safe.
    pub(super) fn update(
        &mut self,
        plan: &Plan,
        danger: Option<&str>,
        denominations: &Denominations,
    ) {
        self.is_safe = danger.is_none();
        self.danger = danger.map(str::to_owned);
        let left = plan.left.iter().map(|left| LeftView::new(left, denominations));
        self.left = left.collect();
    }

    /// What this run has done.
    pub(super) fn done(&mut self, started: Vec<StartedView>, processed: &[Receipt], gas_wei: U256) {
        self.is_done = true;
        self.started = started;
        self.processed = processed.iter().map(|receipt| receipt.txhash).collect();
        self.gas_paid = AmountView::wei(gas_wei);
    }

    /// What ended this run before its end; the first such error counts.
    pub(super) fn stopped(&mut self, error: &anyhow::Error) {
        let report = ErrorReport::of(error);
        self.next = "`penning wallet evacuate` again: it goes on where this run ended".to_owned();
        self.error.get_or_insert(report);
    }

    /// Whether it ended before its end.
    pub(super) const fn is_stopped(&self) -> bool {
        self.error.is_some()
    }

    /// Sums of all exits of the account.
    pub(super) fn add_exits(&mut self, exits: &[OwnExit], denominations: &Denominations) {
        let mut sums = BTreeMap::<Currency, (usize, [U256; 4])>::new();
        for own in exits {
            let (count, sums) = sums.entry(own.exit.currency).or_default();
            *count = count.saturating_add(1);
            let [paid, waiting, due, challenged] = sums;
            let sum = match own.phase {
                ExitPhase::Paid => paid,
                ExitPhase::Waiting => waiting,
                ExitPhase::Due => due,
                ExitPhase::Challenged => challenged,
                // It had left otherwise before; that exit is counted.
                ExitPhase::Omitted => continue,
            };
            *sum = sum.saturating_add(own.exit.amount);
        }
        if self.is_done && self.error.is_none() {
            let open = |(_, [_, waiting, due, _]): &(usize, [U256; 4])| {
                !waiting.is_zero() || !due.is_zero()
            };
            let next = match (sums.values().any(open), self.left.is_empty()) {
                (true, _) => "`penning wallet evacuate --wait` pays out what exits once it is due",
                (false, true) => "nothing: everything that the watcher knows is on the root chain",
                (false, false) => "see above what stays behind and why",
            };
            self.next = next.to_owned();
        }
        let totals = sums.into_iter().map(|(currency, (exits, sums))| {
            let [paid, waiting, due, challenged] =
                sums.map(|sum| amount_of(denominations, currency, sum));
            TotalView { exits, paid, waiting, due, challenged }
        });
        self.totals = totals.collect();
    }

    fn fmt_plan(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(danger) = &self.danger {
            writeln!(f, "THE CHAIN IS NOT SAFE, so nothing is merged: {danger}")?;
        }
        for merge in &self.merges {
            let (outputs, amount) = (merge.outputs, &merge.amount);
            writeln!(
                f,
                "merge {outputs} outputs into one of {amount}, in {} free transactions",
                merge.transactions
            )?;
        }
        if !self.merges.is_empty() {
            let period = view::duration(self.exit_period_s);
            writeln!(
                f,
                "  what is merged is young, and leaves up to {period} later than an old output (--no-merge)"
            )?;
        }
        for (number, exit) in (1_usize..).zip(&self.exits) {
            let wait = view::duration(exit.exitable_in_s);
            writeln!(
                f,
                "exit {number}: {} ({}), for gas of {}, paid out in {wait}",
                exit.amount, exit.source, exit.cost
            )?;
        }
        if self.exits.is_empty() {
            return writeln!(f, "nothing is left to exit");
        }
        let money = &self.root_chain;
        writeln!(
            f,
            "needed on the root chain: bonds of {}, which come back, and gas of {}",
            money.bonds, money.gas
        )?;
        writeln!(
            f,
            "  up to {} should gas become dearer; the account has {}",
            money.needed, money.balance
        )
    }

    fn fmt_done(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(danger) = &self.danger {
            writeln!(f, "the chain is not safe: {danger}")?;
        }
        let (started, transactions) = (self.started.len(), self.processed.len());
        writeln!(
            f,
            "{started} exits started, {transactions} transactions paid out; gas {}",
            self.gas_paid
        )
    }
}

impl fmt::Display for EvacuationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_done {
            self.fmt_done(f)?
        } else {
            self.fmt_plan(f)?
        }
        for left in &self.left {
            writeln!(f, "stays behind: {} ({}): {}", left.amount, left.source, left.text)?;
        }
        for total in &self.totals {
            writeln!(f, "paid out {}", total.paid)?;
            writeln!(
                f,
                "  waiting {}, due {}, challenged {}",
                total.waiting, total.due, total.challenged
            )?;
        }
        if let Some(error) = &self.error {
            writeln!(f, "ENDED EARLY: {} [{}]", error.message, error.code)?;
            if let Some(next) = &error.next {
                writeln!(f, "  {next}")?;
            }
        }
        if self.is_done { write!(f, "next: {}", self.next) } else { Ok(()) }
    }
}

impl LeftView {
    fn new(left: &Left, denominations: &Denominations) -> Self {
        let amount = |of| amount_of(denominations, left.currency, of);
        let (reason, text) = match &left.reason {
            Reason::CostsMore { cost_wei } => {
                ("costs_more", format!("its exit costs {} of gas", AmountView::wei(*cost_wei)))
            }
            Reason::BelowMinimum { minimum } => {
                ("below_minimum", format!("less than --min-value {}", amount(*minimum)))
            }
            Reason::NotAffordable { cost_wei } => (
                "not_affordable",
                format!(
                    "the account cannot pay its bond and {} of gas",
                    AmountView::wei(*cost_wei)
                ),
            ),
            Reason::SignedAway { txhash } => {
                let txhash = view::hash(*txhash);
                (
                    "signed_away",
                    format!(
                        "the payment or merge {txhash} spends it, and no verified block holds that yet: run this again later; if it never appears, `penning wallet exit --in-flight {txhash}`"
                    ),
                )
            }
            Reason::InFaultyBlock { txhash } => {
                let txhash = view::hash(*txhash);
                (
                    "in_faulty_block",
                    format!(
                        "the payment or merge {txhash} made it, in a block that the watcher does not accept: `penning wallet exit --in-flight {txhash}`"
                    ),
                )
            }
            Reason::Skipped => ("skipped", "--skip".to_owned()),
            Reason::Refused { why } => ("refused", why.clone()),
        };
        Self { source: left.source.into(), amount: amount(left.amount), reason, text }
    }
}

impl MoneyView {
    fn new(money: &Money) -> Self {
        let [bonds, gas, needed, balance, missing] = [
            money.bonds_wei,
            money.gas_wei,
            money.needed_wei,
            money.balance_wei,
            money.missing_wei,
        ]
        .map(AmountView::wei);
        Self { bonds, gas, needed, balance, missing }
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Wishes, plan};
    use super::*;
    use plasma_core::db_update::Utxo;
    use plasma_core::wire::{Blknum, ETH, OutputType};

    fn report(danger: Option<&str>) -> EvacuationReport {
        let outputs =
            [(1, 10_u64.pow(18)), (2, 2 * 10_u64.pow(18)), (3, 5)].map(|(blknum, wei)| {
                let amount = U256::from(wei);
                let utxo = Utxo { output_type: OutputType::Payment, currency: ETH, amount };
                (UtxoPos::deposit(Blknum::new(blknum)), utxo)
            });
        let facts = Facts {
            outputs: outputs.into_iter().collect(),
            is_safe: danger.is_none(),
            min_exit_period_s: 3_600,
            gas_price_wei: U256::exp10(9),
            gas_price_max_wei: U256::exp10(9) * 2,
            bond_wei: U256::exp10(16),
            balance_wei: U256::exp10(18),
            ..Facts::default()
        };
        let plan = plan(&facts, &Wishes { may_merge: true, ..Wishes::default() });
        EvacuationReport::new(&plan, &facts, danger, &[(ETH, Denomination::eth())].into())
    }

    #[test]
    fn a_plan_says_what_leaves_when_for_how_much_and_what_stays() {
        let text = report(None).to_string();
        for expected in [
            "merge 3 outputs into one of 3.000000000000000005 ETH, in 1 free transactions",
            "leaves up to 1 h later than an old output",
            "exit 1: 3.000000000000000005 ETH (3 outputs, merged), for gas of 0.000288 ETH, paid out in 2 h",
            "bonds of 0.01 ETH, which come back, and gas of 0.0002 ETH",
        ] {
            assert!(text.contains(expected), "{text}");
        }
        let text = report(Some("block 1000 is withheld")).to_string();
        for expected in [
            "THE CHAIN IS NOT SAFE, so nothing is merged: block 1000 is withheld",
            "exit 1: 2 ETH (2:0:0), for gas of 0.000288 ETH, paid out in 1 h",
            "exit 2: 1 ETH (1:0:0)",
            "stays behind: 0.000000000000000005 ETH (3:0:0): its exit costs 0.000288 ETH of gas",
        ] {
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn plans_and_results_have_one_stable_shape() {
        let mut report = report(Some("x"));
        let json = serde_json::to_value(&report).unwrap();
        for (pointer, expected) in [
            ("/exits/0/output/position", "2:0:0"),
            ("/exits/0/amount/units", "2"),
            ("/left/0/reason", "costs_more"),
            ("/root_chain/bonds/units", "0.02"),
            ("/root_chain/missing/amount", "0"),
            ("/danger", "x"),
        ] {
            assert_eq!(json.pointer(pointer).unwrap(), expected, "{pointer}");
        }
        assert_eq!(json["exits"][0]["exitable_in_s"], 3_600);
        report.done(Vec::new(), &[], U256::one());
        report.add_exits(&[], &Denominations::new());
        let told = serde_json::to_value(&report).unwrap();
        assert_eq!(told["gas_paid"]["amount"], "1");
        assert_eq!(told["is_done"], true);
        assert!(
            report.to_string().ends_with("next: see above what stays behind and why"),
            "{report}"
        );
        let keys = |value: &serde_json::Value| -> Vec<String> {
            value.as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(keys(&told), keys(&json));
    }

    #[test]
    fn a_run_that_ends_early_tells_what_it_started_and_why_it_ended() {
        let mut report = report(None);
        report.stopped(&anyhow::anyhow!("the node is gone"));
        report.stopped(&anyhow::anyhow!("still"));
        let amount = AmountView::wei(U256::one());
        let exit = (UtxoPos::deposit(Blknum::new(2)), ExitId::from_u256(7.into()));
        let started = StartedView::new(exit, H256::zero(), amount, U256::one(), U256::one());
        report.done(vec![started], &[], U256::one());
        report.add_exits(&[], &Denominations::new());
        assert!(report.is_stopped());
        let told = serde_json::to_value(&report).unwrap();
        assert_eq!(told["started"][0]["output"]["position"], "2:0:0");
        assert_eq!(told["error"]["message"], "the node is gone");
        let text = report.to_string();
        for expected in ["1 exits started", "ENDED EARLY: the node is gone [failed]", "again"] {
            assert!(text.contains(expected), "{text}");
        }
    }
}
