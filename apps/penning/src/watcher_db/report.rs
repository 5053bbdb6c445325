//! What `penning watcher-db check` prints: each table, and the first row that is not as it should be.

use crate::failure::{ErrorReport, Failure};
use crate::output::Out;
use anyhow::Result;
use serde::Serialize;
use serde_json::value::RawValue;
use std::fmt;
use watcher::watcher_db::{CheckError, Checked, Difference, TableChecked};

/// Stable code of a database that is not what a rebuild would give.
const DIFFERS: &str = "watcher_db:differs";

/// What is printed.
#[derive(Serialize)]
pub(super) struct CheckReport {
    is_equal: bool,
    last_indexed_child_block_number: u64,
    journal_number: u64,
    /// Where the database will be when a watcher has caught up.
    newest_journal_number: u64,
    tables: Vec<TableReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorReport>,
}

#[derive(Serialize)]
struct TableReport {
    table: String,
    rows: u64,
    missing: u64,
    surplus: u64,
    changed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_difference: Option<DifferenceReport>,
}

/// Rows as the database shows them.
#[derive(Serialize)]
struct DifferenceReport {
    found: Option<Box<RawValue>>,
    expected: Option<Box<RawValue>>,
}

/// Prints what was found; an error when there is a difference.
pub(super) fn tell(checked: Checked, is_json: bool) -> Result<()> {
    let failure = failure(&checked);
    let error = failure.map(anyhow::Error::from);
    let mut report = CheckReport::of(checked)?;
    let Some(error) = error else {
        return Out::new(is_json).finish(&report);
    };
    // One document has to say all; people read errors elsewhere.
    let error = if is_json {
        report.error = Some(ErrorReport::of(&error));
        crate::failure::Told.into()
    } else {
        error
    };
    Out::new(is_json).finish(&report)?;
    Err(error)
}

/// Why nothing can be said, with its code.
pub(super) fn cannot_check(error: CheckError) -> anyhow::Error {
    match error {
        CheckError::Empty => Failure::new("watcher_db:empty", error.to_string())
            .next("start a watcher with this database, or `penning watcher-db rebuild`")
            .into(),
        CheckError::Database(error) => error.into(),
    }
}

fn failure(checked: &Checked) -> Option<Failure> {
    let table = checked.tables.iter().find(|table| !table.is_equal())?;
    let message = format!("the database is not what a rebuild would give: {}", differences(table));
    let next = "run `penning watcher-db rebuild`; unless somebody else wrote into the database, this is a bug: please report it";
    Some(Failure::new(DIFFERS, message).next(next))
}

fn differences(table: &TableChecked) -> String {
    let TableChecked { missing, surplus, changed, .. } = table;
    let mut text = format!(
        "{} has {missing} rows missing, {surplus} too many, {changed} changed",
        table.table
    );
    if let Some(Difference { found, expected }) = &table.first {
        let shown = |row: &Option<String>| row.clone().unwrap_or_else(|| "no row".to_owned());
        text += &format!("; first found {}, expected {}", shown(found), shown(expected));
    }
    text
}

impl CheckReport {
    fn of(checked: Checked) -> Result<Self> {
        Ok(Self {
            is_equal: checked.is_equal(),
            last_indexed_child_block_number: checked.position.last_blknum.get(),
            journal_number: checked.position.seq.0,
            newest_journal_number: checked.journal_head.0,
            tables: checked.tables.into_iter().map(TableReport::of).collect::<Result<_>>()?,
            error: None,
        })
    }
}

impl TableReport {
    fn of(checked: TableChecked) -> Result<Self> {
        let TableChecked { table, rows, missing, surplus, changed, first } = checked;
        let row = |row: Option<String>| row.map(RawValue::from_string).transpose();
        let first_difference = match first {
            Some(first) => {
                Some(DifferenceReport { found: row(first.found)?, expected: row(first.expected)? })
            }
            None => None,
        };
        Ok(Self { table, rows, missing, surplus, changed, first_difference })
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for TableReport { table, rows, missing, surplus, changed, .. } in &self.tables {
            write!(f, "{table:20} {rows:>10} rows")?;
            if missing + surplus + changed > 0 {
                write!(f, ", {missing} missing, {surplus} too many, {changed} changed")?;
            }
            writeln!(f)?;
        }
        let (at, newest) = (self.journal_number, self.newest_journal_number);
        writeln!(f, "compared up to block {}, journal {at}", self.last_indexed_child_block_number)?;
        if newest > at {
            writeln!(f, "the watcher has yet to write journal {} to {newest}", at + 1)?;
        }
        let result = if self.is_equal { "every row is that of a rebuild" } else { "rows differ" };
        f.write_str(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watcher::watcher_db::Position;

    fn table(name: &str, changed: u64, first: Option<Difference>) -> TableChecked {
        TableChecked { table: name.to_owned(), rows: 7, missing: 0, surplus: 0, changed, first }
    }

    #[test]
    fn a_difference_is_an_error_with_the_table_and_both_rows() {
        let row = |amount: &str| Some(format!(r#"{{"blknum":1,"amount":{amount}}}"#));
        let big = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
        let first = Difference { found: row("5"), expected: row(big) };
        let checked = Checked {
            position: Position::default(),
            journal_head: plasma_core::journal::JournalSeq(3),
            tables: vec![table("blocks", 0, None), table("txoutputs", 1, Some(first))],
        };
        let error = ErrorReport::of(&failure(&checked).unwrap().into());
        assert_eq!(error.code, DIFFERS);
        assert!(error.message.contains("txoutputs has 0 rows missing, 0 too many, 1 changed"));
        assert!(error.message.contains(big), "{}", error.message);
        let report = CheckReport::of(checked).unwrap();
        let json = serde_json::to_string(&report).unwrap();
        let rows = format!(
            r#""first_difference":{{"found":{{"blknum":1,"amount":5}},"expected":{{"blknum":1,"amount":{big}}}}}"#
        );
        assert!(json.starts_with(r#"{"is_equal":false,"#) && json.contains(&rows), "{json}");
        let text = report.to_string();
        assert!(text.contains("yet to write journal 1 to 3"), "{text}");
        assert!(text.ends_with("rows differ"), "{text}");
    }

    #[test]
    fn equal_rows_are_no_error() {
        let tables = vec![table("blocks", 0, None)];
        let (position, journal_head) = (Position::default(), Position::default().seq);
        let checked = Checked { position, journal_head, tables };
        assert!(failure(&checked).is_none());
        let text = CheckReport::of(checked).unwrap().to_string();
        assert!(text.ends_with("every row is that of a rebuild"), "{text}");
    }
}
