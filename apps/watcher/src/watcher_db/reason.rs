//! What is wrong with the database, in words for everybody: they hold no name, address or text of whoever runs it. The log has those.

use super::connection::WriteError;
use super::queries::FOREIGN_REPLICA;

/// Why a question was not answered, or a batch not written.
pub(super) fn reason(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(|error| error.code());
    let told = match code.as_deref() {
        // Codes of PostgreSQL's manual, appendix A.
        Some("3D000") => "there is no such database",
        Some("25006") => "it only reads",
        Some("28000" | "28P01") => "it does not let the watcher in",
        Some("42501") => "it does not allow the watcher enough",
        Some("53100") => "its disk is full",
        Some("53300") => "it has too many connections",
        Some("57014") => "it takes too long",
        Some("57P01" | "57P02" | "57P03") => "it is stopping or starting",
        Some(code) => return format!("it fails with SQLSTATE {code}"),
        None => match error {
            sqlx::Error::Configuration(_) => FOREIGN_REPLICA,
            sqlx::Error::PoolTimedOut => "it takes too long",
            sqlx::Error::RowNotFound | sqlx::Error::Decode(_) => "rows are missing or damaged",
            _ => "it does not answer",
        },
    };
    told.to_owned()
}

impl WriteError {
    /// The same of an error of the writer.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Database(error) => reason(error),
            Self::ForeignSchema(_) => "it has a schema of somebody else".to_owned(),
            other => other.to_string(),
        }
    }
}
