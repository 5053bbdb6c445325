//! Attacks with standard exits.

use super::{Beginning, Played, only_did, paid_to_alice};
use crate::drill::round::Round;
use crate::drill::watching::Move;
use anyhow::{Context, Result};

/// Mallory pays Alice, and exits what was spent by that.
pub(super) async fn spent_output(round: &mut Round<'_>) -> Result<Played> {
    let bond_wei = round.network.client.standard_exit_bond_wei().await?;
    let beginning = Beginning::new(round).await?;
    let alices = paid_to_alice(round, &beginning.mallorys).await?;
    round.freeze().await?;
    let started = round.exit(&beginning.mallorys).await?;
    let (exit_id, _) = started.started_exit().context("the exit starts")?;
    let at = started.eth_height;
    let detected = round.until_detected("invalid_exit", at).await?;
    let challenges = round.until_challenged(&[("challenge_standard_exit", exit_id)], at).await?;
    round.thaw().await?;
    beginning.leave(round, &[&alices]).await?;
    only_did(round, &["challenge_standard_exit"]).await?;
    Ok(Played {
        moves: vec![Move {
            attack: "exits a spent output",
            detected,
            challenges,
            outcome: "challenged: the exit pays nothing, its bond is the Sentinel's".to_owned(),
        }],
        bonds_lost_wei: bond_wei,
    })
}
