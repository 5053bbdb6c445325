//! The byzantine-operator drill, on a real root chain: the Sentinel alone leaves every honest user with every wei.

use crate::kit::penning;
use serde_json::Value;

/// A move of the operator; what the watcher says about it, and after how many root chain blocks; what the Sentinel does.
type Move = (&'static str, Option<(&'static str, u64)>, &'static [&'static str]);

/// What is played, what the watcher says about it, and what its Sentinel does. Detection of an exit takes the one confirmation that
/// exits need in a drill, and the challenge is in the next block.
const MOVES: [Move; 10] = [
    ("exits a spent output", Some(("invalid_exit", 1)), &["challenge_standard_exit"]),
    (
        "starts a non-canonical in-flight exit",
        Some(("non_canonical_ife", 1)),
        &["challenge_in_flight_exit"],
    ),
    ("piggybacks a spent input", Some(("invalid_piggyback", 1)), &["block_input"]),
    ("piggybacks a spent output", Some(("invalid_piggyback", 1)), &["block_output"]),
    (
        "contests an honest in-flight exit",
        Some(("invalid_ife_challenge", 1)),
        &["respond_to_challenge"],
    ),
    (
        "starts an in-flight exit that nobody joins",
        Some(("piggyback_available", 1)),
        &["delete_in_flight_exit"],
    ),
    ("spends a deposit before it is confirmed", None, &[]),
    ("slips an invalid block in front of a deposit", Some(("invalid_block", 0)), &[]),
    ("withholds a block", Some(("block_withholding", 0)), &[]),
    ("includes an invalid spend", Some(("invalid_block", 0)), &[]),
];

#[test]
fn whatever_the_operator_does_every_honest_user_has_every_wei() {
    let folder = tempfile::tempdir().unwrap();
    let report = penning(folder.path(), &["drill", "--json"]).json();
    assert_eq!(report["ok"], true);
    let attacks = report["attacks"].as_array().unwrap();
    let moves: Vec<&Value> =
        attacks.iter().flat_map(|attack| attack["moves"].as_array().unwrap()).collect();
    assert_eq!(moves.len(), MOVES.len());
    for (seen, (attack, detected, tasks)) in moves.into_iter().zip(MOVES) {
        assert_eq!(seen["attack"], attack);
        let event = seen["event"].as_str();
        assert_eq!(event.zip(seen["detected_after_eth_blocks"].as_u64()), detected, "{seen}");
        assert_eq!(seen["tasks"], serde_json::json!(tasks), "{attack}");
        // A deletion has to wait for the second half of the exit period.
        let challenged = match tasks {
            [] => None,
            ["delete_in_flight_exit"] => Some(3),
            _ => Some(2),
        };
        assert_eq!(seen["challenged_after_eth_blocks"].as_u64(), challenged, "{seen}");
        assert_eq!(seen["gas"].as_u64().unwrap() > 0, challenged.is_some(), "{seen}");
    }
    let mut bonds = 0;
    for attack in attacks {
        assert_eq!((&attack["ok"], &attack["faults"]), (&true.into(), &serde_json::json!([])));
        let people = attack["people"].as_array().unwrap();
        let wei = |person: &Value, name: &str| -> u128 {
            person[name].as_str().unwrap().parse().unwrap()
        };
        assert_eq!(people.len(), 4, "{attack}");
        for person in people {
            let (fair, after) = (wei(person, "fair_wei"), wei(person, "after_wei"));
            let spent = wei(person, "gas_wei") + wei(person, "bonds_to_sentinel_wei");
            match person["honest"] == true {
                true => assert_eq!(fair - spent, after, "{person}"),
                false => {
                    assert!(after < fair, "{person}");
                    bonds += fair - after - wei(person, "gas_wei");
                }
            }
        }
    }
    // 0.014 of a standard exit, 0.037 of each of two contested exits, 0.028 of each of two blocked piggybacks.
    assert_eq!(bonds, 144_000_000_000_000_000);
}
