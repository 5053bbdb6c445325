//! The bench measures what it says, in the smallest sizes there are; how fast is not judged here.

use super::clock::Throughput;
use super::*;

const TINY: Sizes =
    Sizes { rounds: 1, recoveries: 64, payments: 40, single_payments: 10, utxos: 3_000 };

#[test]
fn every_part_is_measured_and_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let report = measure(TINY, folder.path(), Out::new(true)).unwrap();
    let names: Vec<&str> = report.rows.iter().map(|row| row.what.as_str()).collect();
    assert_eq!(
        names,
        [
            "signature recoveries: the bound",
            "in process",
            "over HTTP, in batches",
            "over HTTP, one by one",
            "watcher",
            "one by one, p50",
            "one by one, p99",
            "forming a block of 41",
            "store of 3000 outputs: write",
            "store of 3000 outputs: on disk",
            "store of 3000 outputs: open",
            "store of 3000 outputs: held, opened",
            "store of 3000 outputs: held, used",
            "store of 3000 outputs: process before",
            "store of 3000 outputs: process opened",
            "store of 3000 outputs: process used",
            "store of 3000 outputs: look up",
        ]
    );
    for row in &report.rows {
        // So few outputs are in the log and in no file.
        let may_be_nothing = row.what.ends_with("on disk") || row.what.contains(": held");
        assert!(row.value > 0.0 || may_be_nothing && row.value == 0.0, "{row:?}");
        assert!(row.of_bound.is_none_or(|share| share > 0.0), "{row:?}");
        assert!(row.is_met.is_none() || row.aim.is_some(), "{row:?}");
    }
    let parts: Vec<&str> = report.memory.parts.iter().map(|(part, _)| *part).collect();
    let expected = [
        "preparation",
        "in process",
        "over HTTP, in batches",
        "over HTTP, one by one",
        "watcher",
        "store",
    ];
    assert_eq!(parts, expected);
    assert!(report.memory.parts.iter().all(|(_, peak)| *peak > 0));

    let (document, table) = (report.document(), report.to_string());
    for row in &report.rows {
        assert!(document.contains(&format!("| {} |", row.what)), "{document}");
        assert!(table.contains(&row.what), "{table}");
    }
    assert!(document.contains(&report.machine.command), "{document}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "stores are left behind");
}

#[test]
fn a_watcher_with_open_exits_is_asked_everything_and_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = ExitSizes { payments: 120, blocks: 3, exits: 40, calls: 5 };
    let report = measure_exits(sizes, folder.path(), Out::new(true)).unwrap();
    for method in [
        "status.get",
        "utxo.get_challenge_data",
        "in_flight_exit.get_competitor",
        "in_flight_exit.prove_canonical",
        "in_flight_exit.get_input_challenge_data",
        "in_flight_exit.get_output_challenge_data",
        "in_flight_exit.get_data",
        "account.get_exitable_utxos",
    ] {
        for when in ["idle", "busy"] {
            let name = format!("{method}, {when}");
            let row = report.rows.iter().find(|row| row.what == name).unwrap();
            assert!(row.value > 0.0 && row.is_met.is_some(), "{row:?}");
        }
    }
    let value = |name: &str| report.rows.iter().find(|row| row.what == name).unwrap().value;
    assert_eq!((value("history"), value("open exits")), (360.0, 40.0));
    assert!(value("restart") > 0.0 && value("largest account") > 0.0);
    let document = report.document();
    for row in &report.rows {
        assert!(document.contains(&format!("| {} |", row.what)), "{document}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "stores are left behind");
}

#[test]
fn shares_of_a_bound_that_swings_are_shown_and_not_judged() {
    let part = rounds::Part { of_bound: 0.9, ..rounds::Part::default() };
    let judged = |slowest: f64| {
        let round = |per_s: f64| rounds::Round {
            bound: rounds::Part {
                throughput: Throughput { per_s, ..Throughput::default() },
                ..part
            },
            in_process: part,
            sync: rounds::Part { of_bound: 0.1, ..part },
            ..rounds::Round::default()
        };
        let rounds = [round(slowest), round(100.0)];
        let machine = Machine::look(Path::new("/"));
        let figures = store::StoreFigures::default();
        let report = Report::new(machine, TINY, &rounds, &figures, PeakMemory::default());
        let row = |name: &str| report.rows.iter().find(|row| row.what == name).unwrap().is_met;
        [row("in process"), row("watcher"), row("forming a block of 41")]
    };
    assert_eq!(judged(90.0), [Some(true), Some(false), Some(true)]);
    assert_eq!(judged(50.0), [None, None, Some(true)]);
}

#[test]
fn subscribers_are_told_of_every_block_and_it_is_written_down() {
    let sizes = SubscriberSizes { subscribers: 50, blocks: 2, is_apart: false };
    let folder = tempfile::tempdir().unwrap();
    let report = measure_subscribers(sizes, folder.path(), Out::new(true)).unwrap();
    let values: Vec<f64> = report.rows.iter().map(|row| row.value).collect();
    assert!(values[..3].is_sorted() && values[0] > 0.0, "{values:?}");
    let document = report.document();
    assert!(document.contains("| to 50 subscribers, p99 |"), "{document}");
}
