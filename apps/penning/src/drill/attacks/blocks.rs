//! Attacks with blocks: no challenge helps against them. The users' wallets leave, each for its own money, and older money leaves first.

use super::{Played, first, only_did};
use crate::drill::books::Person::{Alice, Bob, Carol, Mallory};
use crate::drill::coins::{Coin, Payment, milli};
use crate::drill::round::Round;
use crate::drill::watching::Move;
use anyhow::{Context, Result, ensure};
use plasma_core::root_chain::PiggybackSlot;
use plasma_core::wire::{ETH, ExitId, U256};

/// Everything that the vault will hold.
fn everything() -> U256 {
    milli(5_000)
}

/// Mallory spends Carol's money without her signature, to herself, and more than it was.
fn theft(round: &Round<'_>, carols: &Coin) -> Result<Payment> {
    round.signed_by(&[Mallory], &[carols], &[(Mallory, everything())])
}

/// Mallory starts the exit of the money she made up.
async fn loot(round: &mut Round<'_>, coin: &Coin) -> Result<ExitId> {
    let started = round.exit(coin).await?;
    Ok(started.started_exit().context("the exit starts")?.0)
}

/// Mallory's turn, when everybody else is out and the vault is empty.
async fn nothing_is_left(round: &mut Round<'_>, exit_id: ExitId) -> Result<()> {
    let client = &round.network.client;
    let vault = round.network.deployment.addresses.eth_vault;
    let left = client.balance(vault, ETH).await?;
    ensure!(left.is_zero(), "{left} wei are left in the vault");
    if let Some(head) = client.next_exit(ETH).await? {
        ensure!(head.exit_id() == exit_id, "somebody else waits");
        let now_s = client.newest_block().await?.timestamp_s;
        let seconds = head.exitable_at_s().saturating_sub(now_s).saturating_add(1);
        round.network.dev.advance_time(seconds).await?;
        // The Sentinel processes it, if it does not hold it for a theft that can still be stopped.
        if !round.is_processed(head).await? {
            round.process_next(Mallory).await?;
        }
    }
    let waiting = round.network.client.next_exit(ETH).await?;
    ensure!(waiting.is_none(), "the made up exit still waits");
    Ok(())
}

/// The operator includes the spend of a deposit before anybody else counts it; and then slips an invalid block in front of a deposit
/// that is under way.
pub(super) async fn front_running(round: &mut Round<'_>) -> Result<Played> {
    let carols = round.deposit(Carol, milli(2_000)).await?;
    let early = round.pay(&[&carols], &[(Bob, milli(2_000))])?;
    round.books.pay(Carol, Bob, milli(2_000));
    round.freeze().await?;
    let bobs = first(round.block(&[early]).await?)?;
    for _ in 0..=round.patience.deposit_margin_eth_blocks {
        round.mine(1).await?;
        round.quiet().await?;
    }
    round.validated(bobs.position.blknum).await?;
    round.quiet().await?;
    let early = Move {
        attack: "spends a deposit before it is confirmed",
        detected: None,
        challenges: Vec::new(),
        outcome: "no false alarm: the block waits for the deposit, and is valid".to_owned(),
    };

    // Alice's deposit is in the pool already when the operator submits.
    let stolen = theft(round, &carols)?;
    let made_up = first(round.block(&[stolen]).await?)?;
    let at = round.network.client.newest_block().await?.eth_height;
    let detected = round.until_detected("invalid_block", at).await?;
    let alices = round.deposit(Alice, milli(3_000)).await?;
    round.thaw().await?;
    let exit_id = loot(round, &made_up).await?;
    round.confirmed().await?;
    round.leave_with(&alices).await?;
    round.leave_with(&bobs).await?;
    round.all_leave(&[exit_id]).await?;
    nothing_is_left(round, exit_id).await?;
    only_did(round, &[]).await?;
    let late = Move {
        attack: "slips an invalid block in front of a deposit",
        detected,
        challenges: Vec::new(),
        outcome: "wallets leave; a deposit waits one period, a fresh output two: the vault is empty when the made-up money's turn comes"
            .to_owned(),
    };
    Ok(Played { moves: vec![early, late], bonds_lost_wei: U256::zero() })
}

/// Users with money on the chain, and a payment that goes down with the block that has it.
struct MassExit {
    /// Alice's, which she paid partly to Bob.
    lost: Payment,
    /// In a good block.
    bobs: Coin,
    carols: Coin,
    /// Mallory's, in the bad block.
    made_up: Coin,
}

/// Good deposits and a good block, and then a bad one: served or not.
async fn bad_block(round: &mut Round<'_>, serves: bool) -> Result<MassExit> {
    let alices = round.deposit(Alice, milli(3_000)).await?;
    let carols = round.deposit(Carol, milli(2_000)).await?;
    round.confirmed().await?;
    let good = round.pay(&[&carols], &[(Bob, milli(1_250)), (Carol, milli(750))])?;
    round.books.pay(Carol, Bob, milli(1_250));
    let mut good = round.block(&[good]).await?.into_iter().flatten();
    let (bobs, carols) = good.next().zip(good.next()).context("two outputs")?;
    round.validated(bobs.position.blknum).await?;
    let lost = round.pay(&[&alices], &[(Bob, milli(1_000)), (Alice, milli(2_000))])?;
    round.books.pay(Alice, Bob, milli(1_000));
    round.freeze().await?;
    let bad = [theft(round, &carols)?, lost.clone()];
    let coins = match serves {
        true => round.block(&bad).await?,
        false => round.withhold(&bad).await?,
    };
    Ok(MassExit { lost, bobs, carols, made_up: first(coins)? })
}

impl MassExit {
    /// Everybody leaves, Mallory first of all.
    async fn leave(self, round: &mut Round<'_>) -> Result<()> {
        round.thaw().await?;
        let exit_id = loot(round, &self.made_up).await?;
        round.exit_in_flight(Alice, &self.lost).await?;
        round.piggyback(Alice, &self.lost, PiggybackSlot::output(1)).await?;
        round.piggyback(Bob, &self.lost, PiggybackSlot::output(0)).await?;
        round.leave_with(&self.bobs).await?;
        round.leave_with(&self.carols).await?;
        round.all_leave(&[exit_id]).await?;
        nothing_is_left(round, exit_id).await?;
        only_did(round, &[]).await
    }
}

const LEFT: &str = "wallets leave: standard exits, in-flight for the payment that went down with the block; the Sentinel processes them, and the vault is empty when the made-up money's turn comes";

/// A root without its block.
pub(super) async fn withholding(round: &mut Round<'_>) -> Result<Played> {
    let users = bad_block(round, false).await?;
    let at = round.network.client.newest_block().await?.eth_height;
    let detected = round.until_detected("block_withholding", at).await?;
    users.leave(round).await?;
    let attack = "withholds a block";
    let moves = vec![Move { attack, detected, challenges: Vec::new(), outcome: LEFT.to_owned() }];
    Ok(Played { moves, bonds_lost_wei: U256::zero() })
}

/// A spend that its owner never signed.
pub(super) async fn invalid_spend(round: &mut Round<'_>) -> Result<Played> {
    let users = bad_block(round, true).await?;
    let at = round.network.client.newest_block().await?.eth_height;
    let detected = round.until_detected("invalid_block", at).await?;
    users.leave(round).await?;
    let attack = "includes an invalid spend";
    let moves = vec![Move { attack, detected, challenges: Vec::new(), outcome: LEFT.to_owned() }];
    Ok(Played { moves, bonds_lost_wei: U256::zero() })
}
