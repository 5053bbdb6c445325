//! The attacks, in the order they are played: what the operator does, and what has to come of it.
//!
//! A scenario fails with the first thing that is not as it must be; balances are compared by the caller.

mod blocks;
mod in_flight;
mod standard;

use super::books::Person::{Alice, Bob, Mallory};
use super::coins::{Coin, milli};
use super::round::{Patience, Round};
use super::watching::Move;
use anyhow::{Result, ensure};
use plasma_core::wire::U256;

/// One attack, or a few that belong together, on a network of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attack {
    SpentOutput,
    NonCanonical,
    SpentPiggybacks,
    FalseContest,
    NobodyJoins,
    FrontRunning,
    Withholding,
    InvalidSpend,
}

/// What was seen, and what it must have cost the attacker besides gas.
#[derive(Clone, Debug)]
pub(super) struct Played {
    pub(super) moves: Vec<Move>,
    /// Bonds that the attacker must have lost, in wei.
    pub(super) bonds_lost_wei: U256,
}

/// Longer than a drill: no block is ever late.
const NEVER_MS: u64 = 3_600_000;
/// How long a withheld block is waited for, where one is withheld.
const WITHHOLDING_MS: u64 = 300;

impl Attack {
    pub(super) const ALL: [Self; 8] = [
        Self::SpentOutput,
        Self::NonCanonical,
        Self::SpentPiggybacks,
        Self::FalseContest,
        Self::NobodyJoins,
        Self::FrontRunning,
        Self::Withholding,
        Self::InvalidSpend,
    ];

    /// For people.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::SpentOutput => "exits a spent output",
            Self::NonCanonical => "starts a non-canonical exit",
            Self::SpentPiggybacks => "piggybacks what is spent",
            Self::FalseContest => "contests an honest in-flight exit",
            Self::NobodyJoins => "starts an exit that nobody joins",
            Self::FrontRunning => "front-runs deposits",
            Self::Withholding => "withholds a block",
            Self::InvalidSpend => "includes an invalid spend",
        }
    }

    pub(super) const fn patience(self) -> Patience {
        Patience {
            deposit_margin_eth_blocks: if matches!(self, Self::FrontRunning) { 3 } else { 1 },
            withholding_ms_max: match self {
                Self::Withholding => WITHHOLDING_MS,
                _ => NEVER_MS,
            },
        }
    }

    /// Plays it to the end: everybody has left.
    pub(super) async fn play(self, round: &mut Round<'_>) -> Result<Played> {
        match self {
            Self::SpentOutput => standard::spent_output(round).await,
            Self::NonCanonical => in_flight::non_canonical(round).await,
            Self::SpentPiggybacks => in_flight::spent_piggybacks(round).await,
            Self::FalseContest => in_flight::false_contest(round).await,
            Self::NobodyJoins => in_flight::nobody_joins(round).await,
            Self::FrontRunning => blocks::front_running(round).await,
            Self::Withholding => blocks::withholding(round).await,
            Self::InvalidSpend => blocks::invalid_spend(round).await,
        }
    }
}

/// What Mallory brings along.
fn stake() -> U256 {
    milli(1_000)
}

/// Mallory's money and that of two bystanders, on a chain that everybody has read.
struct Beginning {
    mallorys: Coin,
    alices: Coin,
    bobs: Coin,
}

impl Beginning {
    async fn new(round: &mut Round<'_>) -> Result<Self> {
        let mallorys = round.deposit(Mallory, stake()).await?;
        let alices = round.deposit(Alice, milli(3_000)).await?;
        let bobs = round.deposit(Bob, milli(2_000)).await?;
        round.confirmed().await?;
        Ok(Self { mallorys, alices, bobs })
    }

    /// Both bystanders leave with their deposits, and with these, and everybody is paid.
    async fn leave(self, round: &mut Round<'_>, others: &[&Coin]) -> Result<()> {
        for coin in [&self.alices, &self.bobs].into_iter().chain(others.iter().copied()) {
            round.leave_with(coin).await?;
        }
        round.all_leave(&[]).await
    }
}

/// Mallory pays Alice, in a block, and stands by it in the books.
async fn paid_to_alice(round: &mut Round<'_>, coin: &Coin) -> Result<Coin> {
    let paid = round.pay(&[coin], &[(Alice, coin.amount)])?;
    let coins = round.block(&[paid]).await?;
    let coin = first(coins)?;
    round.validated(coin.position.blknum).await?;
    round.books.pay(Mallory, Alice, coin.amount);
    Ok(coin)
}

fn first(coins: Vec<Vec<Coin>>) -> Result<Coin> {
    let coin = coins.into_iter().flatten().next();
    coin.ok_or_else(|| anyhow::anyhow!("the block is empty"))
}

/// The Sentinel must have done these things, and processed exits, and nothing else.
async fn only_did(round: &Round<'_>, challenges: &[&str]) -> Result<()> {
    let mut did = round.sentinel_did().await?;
    did.retain(|task| task != "process_exits");
    did.sort_unstable();
    let mut expected = challenges.to_vec();
    expected.sort_unstable();
    ensure!(did == expected, "the Sentinel did {did:?}, not {expected:?}");
    Ok(())
}
