//! The bench measures what it says, in the smallest sizes there are; how fast is not judged here.

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
            "store of 3000 outputs: memory before",
            "store of 3000 outputs: memory opened",
            "store of 3000 outputs: memory used",
            "store of 3000 outputs: look up",
        ]
    );
    for row in &report.rows {
        // So few outputs are in the log and in no file.
        let may_be_nothing = row.what.ends_with("on disk");
        assert!(row.value > 0.0 || may_be_nothing && row.value == 0.0, "{row:?}");
        assert!(row.of_bound.is_none_or(|share| share > 0.0), "{row:?}");
        assert_eq!(row.aim.is_some(), row.is_met.is_some(), "{row:?}");
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
