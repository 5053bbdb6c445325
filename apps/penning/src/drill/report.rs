//! What the drill found: a table for people, one document for scripts.

use super::attacks::{Attack, Played};
use super::books::{Account, Person};
use super::watching::Move;
use crate::wallet::digits;
use plasma_core::wire::U256;
use serde::Serialize;
use std::fmt;

/// The whole drill.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether everything is as it must be.
    pub(super) ok: bool,
    pub(super) attacks: Vec<AttackReport>,
}

/// An attack, or a few that belong together, with the balances in the end.
#[derive(Debug, Serialize)]
pub(super) struct AttackReport {
    attack: &'static str,
    pub(super) ok: bool,
    moves: Vec<MoveReport>,
    people: Vec<PersonReport>,
    /// What is not as it must be.
    pub(super) faults: Vec<String>,
}

#[derive(Debug, Serialize)]
struct MoveReport {
    attack: &'static str,
    /// What the watcher said; `null` for what it rightly says nothing about.
    event: Option<String>,
    detected_after_eth_blocks: Option<u64>,
    /// The last of the Sentinel's transactions; `null` where there is nothing to challenge.
    challenged_after_eth_blocks: Option<u64>,
    tasks: Vec<&'static str>,
    gas: u64,
    outcome: String,
}

#[derive(Debug, Serialize)]
struct PersonReport {
    who: Person,
    honest: bool,
    #[serde(serialize_with = "digits")]
    fair_wei: U256,
    #[serde(serialize_with = "digits")]
    gas_wei: U256,
    #[serde(serialize_with = "digits")]
    bonds_to_sentinel_wei: U256,
    #[serde(serialize_with = "digits")]
    after_wei: U256,
    every_wei: bool,
}

impl Report {
    pub(super) fn new(attacks: Vec<AttackReport>) -> Self {
        Self { ok: attacks.iter().all(|attack| attack.ok), attacks }
    }
}

impl AttackReport {
    /// Judges what was seen: every honest wei is there, and the attacker is poorer by exactly the bonds and the gas.
    pub(super) fn new(attack: Attack, played: Played, accounts: &[Account]) -> Self {
        let mut faults = Vec::new();
        for account in accounts {
            let (who, fair, after) = (account.person, account.fair_wei, account.after_wei);
            if who.is_honest() && !account.is_whole() {
                faults.push(format!("{who:?} should have {fair} wei less gas, and has {after}"));
            }
            let lost = account.bonds_lost_wei();
            if !who.is_honest()
                && (lost != Some(played.bonds_lost_wei) || account.gas_wei.is_zero())
            {
                let expected = played.bonds_lost_wei;
                faults.push(format!("{who:?} should lose {expected} wei and gas, not {lost:?}"));
            }
        }
        Self {
            attack: attack.title(),
            ok: faults.is_empty(),
            moves: played.moves.into_iter().map(MoveReport::from).collect(),
            people: accounts.iter().map(PersonReport::from).collect(),
            faults,
        }
    }

    /// It did not come to its end.
    pub(super) fn failed(attack: Attack, error: &anyhow::Error) -> Self {
        let faults = vec![format!("{error:#}")];
        Self { attack: attack.title(), ok: false, moves: Vec::new(), people: Vec::new(), faults }
    }
}

impl From<Move> for MoveReport {
    fn from(seen: Move) -> Self {
        let (event, after) = seen.detected.unzip();
        Self {
            attack: seen.attack,
            event,
            detected_after_eth_blocks: after,
            challenged_after_eth_blocks: seen.challenges.iter().map(|it| it.after_eth_blocks).max(),
            tasks: seen.challenges.iter().map(|it| it.task).collect(),
            gas: seen.challenges.iter().map(|it| it.gas).sum(),
            outcome: seen.outcome,
        }
    }
}

impl From<&Account> for PersonReport {
    fn from(account: &Account) -> Self {
        Self {
            who: account.person,
            honest: account.person.is_honest(),
            fair_wei: account.fair_wei,
            gas_wei: account.gas_wei,
            bonds_to_sentinel_wei: account.bonds_to_sentinel_wei,
            after_wei: account.after_wei,
            every_wei: account.is_whole(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, cells: [&str; 5]| {
            let [attack, detected, challenged, gas, outcome] = cells;
            writeln!(f, "{attack:<46} {detected:>8} {challenged:>10} {gas:>8}  {outcome}")
        };
        line(f, ["attack", "detected", "challenged", "gas", "outcome"])?;
        line(f, ["", "after n", "after n", "", ""])?;
        let count =
            |blocks: Option<u64>| blocks.map_or("-".to_owned(), |blocks| blocks.to_string());
        for attack in &self.attacks {
            for it in &attack.moves {
                let gas = if it.gas == 0 { "-".to_owned() } else { it.gas.to_string() };
                let detected = count(it.detected_after_eth_blocks);
                let challenged = count(it.challenged_after_eth_blocks);
                line(f, [it.attack, &detected, &challenged, &gas, &it.outcome])?;
            }
            for fault in &attack.faults {
                writeln!(f, "{:<46} WRONG: {fault}", attack.attack)?;
            }
        }
        writeln!(
            f,
            "\nn counts L1 blocks. Users' own exits are theirs; nobody but the Sentinel challenged, answered, deleted or processed."
        )?;
        write!(
            f,
            "{}",
            match self.ok {
                true => "Every honest user has every wei, and the attacker is poorer each time.",
                false => "Not everything is as it must be.",
            }
        )
    }
}
