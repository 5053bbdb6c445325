//! What the drill found: a table for people, one document for scripts.

use super::attacks::{Attack, Played};
use super::books::{Account, Person};
use super::watching::Move;
use crate::amount::Denomination;
use crate::failure::ErrorReport;
use crate::wallet::digits;
use plasma_core::wire::U256;
use serde::{Serialize, Serializer};
use std::fmt;

/// The whole drill.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether everything is as it must be.
    pub(super) ok: bool,
    attacks: Vec<AttackReport>,
    /// What every command says that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorReport>,
}

/// An attack, or a few that belong together, with the balances in the end.
#[derive(Debug, Serialize)]
pub(super) struct AttackReport {
    attack: &'static str,
    ok: bool,
    moves: Vec<MoveReport>,
    people: Vec<PersonReport>,
    /// What the attacker lost, gas included; `null` for an attacker who is richer.
    #[serde(serialize_with = "optional_digits")]
    attacker_lost_wei: Option<U256>,
    /// What is not as it must be.
    faults: Vec<String>,
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
        let wrong = attacks.iter().filter(|attack| !attack.ok).count();
        let error = (wrong > 0).then(|| ErrorReport {
            code: "drill:failed".to_owned(),
            message: format!("{wrong} of {} attacks did not end as they must", attacks.len()),
            next: Some("this is a bug: please report it".to_owned()),
            txbytes: None,
        });
        Self { ok: error.is_none(), attacks, error }
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
            attacker_lost_wei: accounts
                .iter()
                .find(|account| !account.person.is_honest())
                .and_then(Account::loss_wei),
            faults,
        }
    }

    /// It did not come to its end.
    pub(super) fn failed(attack: Attack, error: &anyhow::Error) -> Self {
        let faults = vec![format!("{error:#}")];
        Self {
            attack: attack.title(),
            ok: false,
            moves: Vec::new(),
            people: Vec::new(),
            attacker_lost_wei: None,
            faults,
        }
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

/// `null`, or text that no parser rounds.
fn optional_digits<S: Serializer>(value: &Option<U256>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_some(&value.map(|value| value.to_string()))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headings = ["attack", "detected after", "challenged after", "gas", "outcome"];
        line(f, headings.map(str::to_owned))?;
        for attack in &self.attacks {
            for it in &attack.moves {
                let gas = if it.gas == 0 { "-".to_owned() } else { it.gas.to_string() };
                let detected = blocks(it.detected_after_eth_blocks);
                let challenged = blocks(it.challenged_after_eth_blocks);
                line(f, [it.attack.to_owned(), detected, challenged, gas, it.outcome.clone()])?;
            }
            for fault in &attack.faults {
                writeln!(f, "{:<46} WRONG: {fault}", attack.attack)?;
            }
            if let Some(lost_wei) = attack.attacker_lost_wei {
                let lost = Denomination::eth().show(lost_wei);
                writeln!(f, "    the attacker is poorer by {lost}, gas included")?;
            }
        }
        writeln!(f, "\n\"After\" counts L1 blocks, confirmations included. {WHO_ACTS}")?;
        match &self.error {
            None => f.write_str("Every honest user has every wei, and the attacker is poorer."),
            Some(error) => write!(f, "FAILED: {} [{}]", error.message, error.code),
        }
    }
}

const WHO_ACTS: &str = "Users start exits of their own money; in their defence nobody but the Sentinel challenged, answered, blocked or deleted anything.";

fn line(f: &mut fmt::Formatter<'_>, cells: [String; 5]) -> fmt::Result {
    let [attack, detected, challenged, gas, outcome] = cells;
    writeln!(f, "{attack:<46} {detected:>14}  {challenged:>16}  {gas:>7}  {outcome}")
}

fn blocks(count: Option<u64>) -> String {
    count.map_or_else(|| "-".to_owned(), |count| count.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::watching::Challenge;

    fn account(person: Person, fair: u64, gas: u64, after: u64) -> Account {
        Account {
            person,
            fair_wei: fair.into(),
            gas_wei: gas.into(),
            bonds_to_sentinel_wei: U256::zero(),
            after_wei: after.into(),
        }
    }

    fn report(accounts: &[Account]) -> Report {
        let seen = Move {
            attack: "exits a spent output",
            detected: Some(("invalid_exit".to_owned(), 1)),
            challenges: vec![Challenge {
                task: "challenge_standard_exit",
                after_eth_blocks: 2,
                gas: 9,
            }],
            outcome: "challenged".to_owned(),
        };
        let played = Played { moves: vec![seen], bonds_lost_wei: 7.into() };
        Report::new(vec![AttackReport::new(Attack::SpentOutput, played, accounts)])
    }

    #[test]
    fn whoever_lacks_a_wei_and_an_attacker_who_lost_too_little_are_named() {
        use Person::{Alice, Mallory};
        for (accounts, wrong) in [
            ([account(Alice, 100, 5, 95), account(Mallory, 50, 3, 40)], None),
            ([account(Alice, 100, 5, 94), account(Mallory, 50, 3, 40)], Some("Alice")),
            ([account(Alice, 100, 5, 95), account(Mallory, 50, 3, 41)], Some("Mallory")),
            ([account(Alice, 100, 5, 95), account(Mallory, 50, 3, 60)], Some("Mallory")),
            ([account(Alice, 100, 5, 95), account(Mallory, 50, 0, 43)], Some("Mallory")),
        ] {
            let report = report(&accounts);
            assert_eq!(report.ok, wrong.is_none(), "{report:?}");
            let text = report.to_string();
            let named = wrong.is_none_or(|who| text.contains(&format!("WRONG: {who} should")));
            assert!(named && text.contains("FAILED") == wrong.is_some(), "{text}");
        }
    }

    #[test]
    fn the_document_has_a_stable_shape() {
        let accounts = [account(Person::Alice, 100, 5, 95), account(Person::Mallory, 50, 3, 40)];
        let json = serde_json::to_value(report(&accounts)).unwrap();
        for (pointer, expected) in [
            ("/ok", "true"),
            ("/attacks/0/attacker_lost_wei", "\"10\""),
            ("/attacks/0/moves/0/detected_after_eth_blocks", "1"),
            ("/attacks/0/moves/0/challenged_after_eth_blocks", "2"),
            ("/attacks/0/moves/0/gas", "9"),
            ("/attacks/0/people/0/after_wei", "\"95\""),
            ("/attacks/0/people/0/every_wei", "true"),
        ] {
            assert_eq!(json.pointer(pointer).unwrap().to_string(), expected, "{pointer}");
        }
        assert!(json.get("error").is_none());
        let failed = AttackReport::failed(Attack::SpentOutput, &anyhow::anyhow!("stuck"));
        let json = serde_json::to_value(Report::new(vec![failed])).unwrap();
        assert_eq!(json["error"]["code"], "drill:failed");
        assert_eq!(json["attacks"][0]["faults"][0], "stuck");
    }
}
