//! Where a database is, which is a secret when it holds a password.
//!
//! It must never be shown as it is: logs and people see `***` for the password. Files, the environment and PostgreSQL read the whole.

use plasma_node::telemetry::without_password;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Deref;

/// `postgres://user:password@host:port/database`. Empty for none.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl From<String> for DatabaseUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

/// With the password.
impl Deref for DatabaseUrl {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Without the password.
impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", without_password(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::WatcherDbConfig;

    #[test]
    fn settings_are_shown_without_the_passwords_in_them() {
        let url = |host| format!("postgres://penning:geheim@{host}:5432/penning");
        let config = WatcherDbConfig {
            database_url: url("main").into(),
            database_read_url: url("replica").into(),
            ..WatcherDbConfig::default()
        };
        let shown = format!("{config:?}");
        assert!(!shown.contains("geheim"), "{shown}");
        assert!(shown.contains("postgres://penning:***@replica:5432/penning"), "{shown}");
        assert_eq!(*config.database_url, *url("main"));
    }
}
