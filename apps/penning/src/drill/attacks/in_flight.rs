//! Attacks with in-flight exits.

use super::{Beginning, Played, only_did, paid_to_alice, stake};
use crate::drill::books::Person::{Bob, Mallory};
use crate::drill::network::MIN_EXIT_PERIOD_S;
use crate::drill::round::Round;
use crate::drill::watching::Move;
use anyhow::{Result, ensure};
use plasma_core::root_chain::PiggybackSlot;
use plasma_core::wire::U256;

/// Mallory pays Alice in a block, and exits another payment of the same money, to herself.
pub(super) async fn non_canonical(round: &mut Round<'_>) -> Result<Played> {
    let bond_wei = round.network.client.in_flight_exit_bond_wei().await?;
    let beginning = Beginning::new(round).await?;
    let alices = paid_to_alice(round, &beginning.mallorys).await?;
    let secret = round.pay(&[&beginning.mallorys], &[(Mallory, stake())])?;
    let exit_id = secret.in_flight_exit_id();
    round.freeze().await?;
    let at = round.exit_in_flight(Mallory, &secret).await?.eth_height;
    let detected = round.until_detected("non_canonical_ife", at).await?;
    let challenges = round.until_challenged(&[("challenge_in_flight_exit", exit_id)], at).await?;
    round.thaw().await?;
    // She hopes to be paid all the same; the bond of this comes back.
    round.piggyback(Mallory, &secret, PiggybackSlot::output(0)).await?;
    beginning.leave(round, &[&alices]).await?;
    only_did(round, &["challenge_in_flight_exit"]).await?;
    Ok(Played {
        moves: vec![Move {
            attack: "starts a non-canonical in-flight exit",
            detected,
            challenges,
            outcome: "contested with the payment in the block: its output is not paid, its bond is the Sentinel's"
                .to_owned(),
        }],
        bonds_lost_wei: bond_wei,
    })
}

/// Mallory joins in-flight exits with an input that she spent in another payment, and with an output that she spent later.
pub(super) async fn spent_piggybacks(round: &mut Round<'_>) -> Result<Played> {
    let client = &round.network.client;
    let bond_wei = client.in_flight_exit_bond_wei().await?;
    let piggyback_bond_wei = client.piggyback_bond_wei().await?;
    let beginning = Beginning::new(round).await?;
    // To herself in one block, to Alice in the next.
    let moved = round.pay(&[&beginning.mallorys], &[(Mallory, stake())])?;
    let mine = super::first(round.block(std::slice::from_ref(&moved)).await?)?;
    round.validated(mine.position.blknum).await?;
    let alices = paid_to_alice(round, &mine).await?;

    let secret = round.pay(&[&beginning.mallorys], &[(Bob, stake())])?;
    let exit_id = secret.in_flight_exit_id();
    round.freeze().await?;
    let at = round.exit_in_flight(Mallory, &secret).await?.eth_height;
    round.until_detected("non_canonical_ife", at).await?;
    round.until_challenged(&[("challenge_in_flight_exit", exit_id)], at).await?;
    let joined = round.piggyback(Mallory, &secret, PiggybackSlot::input(0)).await?;
    let detected = round.until_detected("invalid_piggyback", joined.eth_height).await?;
    let task = [("block_input", exit_id)];
    let challenges = round.until_challenged(&task, joined.eth_height).await?;
    let input = Move {
        attack: "piggybacks a spent input",
        detected,
        challenges,
        outcome: "blocked, and the exit contested: nothing is paid, both bonds are the Sentinel's"
            .to_owned(),
    };

    let exit_id = moved.in_flight_exit_id();
    round.exit_in_flight(Mallory, &moved).await?;
    round.until_over("invalid_piggyback").await?;
    let joined = round.piggyback(Mallory, &moved, PiggybackSlot::output(0)).await?;
    let detected = round.until_detected("invalid_piggyback", joined.eth_height).await?;
    let task = [("block_output", exit_id)];
    let challenges = round.until_challenged(&task, joined.eth_height).await?;
    let output = Move {
        attack: "piggybacks a spent output",
        detected,
        challenges,
        outcome: "blocked: nothing is paid, its bond is the Sentinel's".to_owned(),
    };
    round.thaw().await?;
    beginning.leave(round, &[&alices]).await?;
    only_did(round, &["challenge_in_flight_exit", "block_input", "block_output"]).await?;
    let bonds_lost_wei =
        bond_wei.saturating_add(piggyback_bond_wei).saturating_add(piggyback_bond_wei);
    Ok(Played { moves: vec![input, output], bonds_lost_wei })
}

/// Mallory pays Bob, who exits the payment because no block has it; then a block has it, and she shows a competitor that none has.
pub(super) async fn false_contest(round: &mut Round<'_>) -> Result<Played> {
    let bond_wei = round.network.client.in_flight_exit_bond_wei().await?;
    let beginning = Beginning::new(round).await?;
    let payment = round.pay(&[&beginning.mallorys], &[(Bob, stake())])?;
    round.books.pay(Mallory, Bob, stake());
    round.exit_in_flight(Bob, &payment).await?;
    round.piggyback(Bob, &payment, PiggybackSlot::output(0)).await?;
    let included = super::first(round.block(std::slice::from_ref(&payment)).await?)?;
    round.validated(included.position.blknum).await?;
    round.confirmed().await?;

    let exit_id = payment.in_flight_exit_id();
    let secret = round.pay(&[&beginning.mallorys], &[(Mallory, stake())])?;
    let contest = payment.contest_with(&secret)?;
    round.freeze().await?;
    let at = round.argue(Mallory, &contest).await?.eth_height;
    let detected = round.until_detected("invalid_ife_challenge", at).await?;
    let challenges = round.until_challenged(&[("respond_to_challenge", exit_id)], at).await?;
    round.thaw().await?;
    beginning.leave(round, &[]).await?;
    only_did(round, &["respond_to_challenge"]).await?;
    // A rule of the contracts: the bond of an exit is whose who spoke last about it.
    round.books.bond_to_sentinel(Bob, bond_wei);
    Ok(Played {
        moves: vec![Move {
            attack: "contests an honest in-flight exit",
            detected,
            challenges,
            outcome: "answered: the payment is paid out; the start bond is the Sentinel's who answered last, so it is its user's own"
                .to_owned(),
        }],
        bonds_lost_wei: U256::zero(),
    })
}

/// Mallory starts an exit that nobody joins, so that it stays for ever.
pub(super) async fn nobody_joins(round: &mut Round<'_>) -> Result<Played> {
    let beginning = Beginning::new(round).await?;
    let secret = round.pay(&[&beginning.mallorys], &[(Mallory, stake())])?;
    let exit_id = secret.in_flight_exit_id();
    round.freeze().await?;
    let at = round.exit_in_flight(Mallory, &secret).await?.eth_height;
    let detected = round.until_detected("piggyback_available", at).await?;
    round.network.dev.advance_time(MIN_EXIT_PERIOD_S / 2).await?;
    let challenges = round.until_challenged(&[("delete_in_flight_exit", exit_id)], at).await?;
    round.thaw().await?;
    let records = round.network.client.in_flight_exits(&[exit_id]).await?;
    ensure!(records == [None], "the exit is still there");
    let mallorys = beginning.mallorys.clone();
    // Her deposit is hers: she may leave like everybody else.
    round.confirmed().await?;
    round.quiet().await?;
    beginning.leave(round, &[&mallorys]).await?;
    only_did(round, &["delete_in_flight_exit"]).await?;
    Ok(Played {
        moves: vec![Move {
            attack: "starts an in-flight exit that nobody joins",
            detected,
            challenges,
            outcome: format!(
                "deleted after {} s; the bond goes back, the gas is lost",
                MIN_EXIT_PERIOD_S / 2
            ),
        }],
        bonds_lost_wei: U256::zero(),
    })
}
