//! `wallet tour`: the whole story on a devnet, told step by step, and every balance checked to the last wei.
//!
//! It uses fresh accounts, funded by the first account of the devnet, so that it can be run again and again. Only the fee claimer is
//! shared with others: nobody else should pay fees while it runs.
//!
//! ```text
//! stage: cast, funding, waiting ─► acts: deposits, merge, payments, fees, exits, fraud, time travel ─► books: compare
//! ```

mod acts;
mod books;
mod stage;

use super::session::Session;
use super::view::AmountView;
use crate::failure::Failure;
use anyhow::Result;
use books::{Difference, Line};
use clap::Args;
use serde::Serialize;
use stage::Tour;
use std::fmt;
use std::time::Duration;

/// How patiently.
#[derive(Args)]
pub(super) struct TourArgs {
    /// Longest wait for anything that should happen by itself, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    wait_s: u64,
}

impl TourArgs {
    /// Tells the whole story.
    pub(super) async fn run(self, session: Session) -> Result<()> {
        let out = session.out;
        let mut tour = Tour::prepare(session, Duration::from_secs(self.wait_s)).await?;
        tour.play().await?;
        let balances = tour.check_balances().await?;
        let report = TourReport { balances, steps: tour.into_steps() };
        out.finish(&report)
    }
}

impl Tour {
    /// All acts, in order.
    async fn play(&mut self) -> Result<()> {
        let deposits = self.deposits().await?;
        // First, because payments sweep small outputs up on their way.
        self.merge().await?;
        self.payments_in_one_block().await?;
        self.payments_across_blocks().await?;
        self.fee_claims().await?;
        let mut exits = self.exits().await?;
        exits.push(self.fraud(deposits.of_mallory).await?);
        self.payout(&exits).await
    }
}

/// The balances are not what they should be.
fn wrong(differences: &[Difference], show: impl Fn(&Difference) -> String) -> Failure {
    let lines: Vec<String> = differences.iter().map(show).collect();
    Failure::new("tour:wrong_balance", format!("balances are not what they should be: {}", lines.join("; ")))
        .next("if nobody else used the fee claimer or these accounts meanwhile, this is a bug: please report it")
}

/// A balance that is as it should be.
#[derive(Serialize)]
struct BalanceView {
    holder: String,
    chain: &'static str,
    amount: AmountView,
}

impl BalanceView {
    fn new(line: &Line, amount: AmountView) -> Self {
        Self { holder: line.holder.to_string(), chain: line.side.name(), amount }
    }
}

/// What the command prints in the end.
#[derive(Serialize)]
struct TourReport {
    steps: Vec<String>,
    balances: Vec<BalanceView>,
}

impl fmt::Display for TourReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nEvery balance is exactly what it should be:")?;
        for balance in &self.balances {
            writeln!(f, "  {:<12} {:<12} {}", balance.holder, balance.chain, balance.amount)?;
        }
        Ok(())
    }
}
