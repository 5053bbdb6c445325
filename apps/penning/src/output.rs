//! What a command prints: text for people, or one JSON document for scripts.
//!
//! With `--json`, standard output holds exactly one document, also when the command fails (`{"error": …}`), and nothing but logs goes
//! to standard error. Amounts, positions and ids are strings of decimal digits in it, so that no parser rounds them. Otherwise
//! results go to standard output and progress to standard error. Whoever stops reading (`| head`) is no error.

use crate::failure::ErrorReport;
use serde::Serialize;
use std::fmt::Display;
use std::io::Write;

/// Where a command's words go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    is_json: bool,
    shows_progress: bool,
}

/// An error in the shape scripts read.
#[derive(Serialize)]
struct ErrorDocument<'a> {
    error: &'a ErrorReport,
}

impl Out {
    /// Text, or one JSON document.
    pub(crate) const fn new(is_json: bool) -> Self {
        Self { is_json, shows_progress: !is_json }
    }

    /// The same without progress, for a command that tells a story of its own.
    #[must_use]
    pub(crate) const fn without_progress(self) -> Self {
        Self { shows_progress: false, ..self }
    }

    /// Says what is being done, to people only.
    pub(crate) fn progress(&self, text: impl Display) {
        if self.shows_progress {
            ignore_closed(writeln!(std::io::stderr(), "{text}"));
        }
    }

    /// Tells a piece of a longer story, to people only.
    pub(crate) fn tell(&self, text: impl Display) {
        if !self.is_json {
            ignore_closed(writeln!(std::io::stdout(), "{text}"));
        }
    }

    /// Prints the result.
    pub(crate) fn finish<T: Serialize + Display>(&self, result: &T) -> anyhow::Result<()> {
        let text = if self.is_json { serde_json::to_string(result)? } else { result.to_string() };
        ignore_closed(writeln!(std::io::stdout(), "{}", text.trim_end()));
        Ok(())
    }

    /// Prints an error.
    pub(crate) fn fail(&self, report: &ErrorReport) {
        if self.is_json {
            let text = serde_json::to_string(&ErrorDocument { error: report });
            ignore_closed(writeln!(std::io::stdout(), "{}", text.unwrap_or_default()));
            return;
        }
        ignore_closed(writeln!(std::io::stderr(), "error: {} [{}]", report.message, report.code));
        if let Some(next) = &report.next {
            ignore_closed(writeln!(std::io::stderr(), "next:  {next}"));
        }
    }
}

/// A reader that has gone does not want to hear that either.
fn ignore_closed(written: std::io::Result<()>) {
    if let Err(error) = written
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        tracing::warn!(%error, "output is lost");
    }
}
