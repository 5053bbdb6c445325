//! A node's settings, from four places: flags win over the environment, that over the file, and that over the defaults.
//!
//! Every setting has one name, its path in the TOML file: `block_queue.form_every_ms` is `--set block_queue.form_every_ms=500` as a
//! flag and `PENNING_CHILD_CHAIN_BLOCK_QUEUE_FORM_EVERY_MS=500` in the environment. A name or a value that does not exist is an
//! error wherever it stands, because a setting that is silently ignored is worse than none.

use plasma_node::telemetry::without_password;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use thiserror::Error;
use toml::{Table, Value};

/// Largest settings file that is read.
const SETTINGS_BYTES_MAX: u64 = 1 << 20;

/// The settings cannot be used.
#[derive(Debug, Error)]
pub(crate) enum SettingsError {
    #[error("the settings file {} cannot be read: {error}", path.display())]
    Io { path: PathBuf, error: std::io::Error },
    #[error("the settings file {} is larger than {SETTINGS_BYTES_MAX} bytes", path.display())]
    TooLarge { path: PathBuf },
    #[error("the settings file {} is not TOML: {reason}", path.display())]
    Toml { path: PathBuf, reason: String },
    #[error("{origin}: there is no setting `{name}`; `--print-settings` lists them all")]
    Unknown { origin: String, name: String },
    #[error("{origin}: `{name}` wants {wanted}, not {found:?}")]
    Wrong { origin: String, name: String, wanted: &'static str, found: String },
    #[error("--set {0:?} is not of the form name=value")]
    NotAnAssignment(String),
    #[error("the settings do not fit together: {0}")]
    Invalid(String),
}

/// Where settings come from, besides their defaults.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    /// Start of the names of environment variables, such as `PENNING_CHILD_CHAIN`.
    pub(crate) env_prefix: &'static str,
    /// The environment.
    pub(crate) env: fn(&str) -> Option<String>,
    /// The file.
    pub(crate) file: Option<&'a Path>,
    /// `name=value`, from flags.
    pub(crate) assignments: &'a [String],
}

impl Sources<'_> {
    /// Lays them over the defaults.
    pub(crate) fn load(&self, defaults: Table) -> Result<Table, SettingsError> {
        let mut settings = defaults;
        if let Some(path) = self.file {
            merge(&mut settings, read(path)?, "", &path.display().to_string())?;
        }
        for name in names(&settings, "") {
            let variable = format!("{}_{}", self.env_prefix, name.replace('.', "_").to_uppercase());
            if let Some(text) = (self.env)(&variable) {
                assign(&mut settings, &name, &text, &variable)?;
            }
        }
        for assignment in self.assignments {
            let (name, text) = assignment
                .split_once('=')
                .ok_or_else(|| SettingsError::NotAnAssignment(assignment.clone()))?;
            assign(&mut settings, name.trim(), text.trim(), "--set")?;
        }
        Ok(settings)
    }
}

/// Settings as what they are for.
pub(crate) fn typed<T: DeserializeOwned>(settings: Table) -> Result<T, SettingsError> {
    let wrong = |error: toml::de::Error| SettingsError::Invalid(error.message().to_owned());
    Value::Table(settings).try_into().map_err(wrong)
}

/// All settings and their values, as lines of `name = value`; passwords in URLs are not shown.
pub(crate) fn list(settings: &Table) -> Vec<String> {
    let line = |name: String| {
        let value = match find(settings, &name)? {
            Value::String(text) => Value::String(without_password(text)),
            other => other.clone(),
        };
        Some(format!("{name} = {value}"))
    };
    names(settings, "").into_iter().filter_map(line).collect()
}

/// Defaults as settings.
pub(crate) fn table<T: Serialize>(settings: &T) -> Result<Table, SettingsError> {
    Table::try_from(settings).map_err(|error| SettingsError::Invalid(error.to_string()))
}

fn read(path: &Path) -> Result<Table, SettingsError> {
    use std::io::Read;
    let io = |error| SettingsError::Io { path: path.to_owned(), error };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(io)?;
    file.take(SETTINGS_BYTES_MAX + 1).read_to_string(&mut text).map_err(io)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > SETTINGS_BYTES_MAX {
        return Err(SettingsError::TooLarge { path: path.to_owned() });
    }
    // The error shows the line, which may be the one with the URL of the database.
    text.parse().map_err(|error: toml::de::Error| SettingsError::Toml {
        path: path.to_owned(),
        reason: without_password(&error.to_string()),
    })
}

/// Names of all settings below a table, in the order of the alphabet.
fn names(table: &Table, prefix: &str) -> Vec<String> {
    table.iter().fold(Vec::new(), |mut all, (key, value)| {
        let name = format!("{prefix}{key}");
        match value {
            Value::Table(inner) => all.extend(names(inner, &format!("{name}."))),
            _ => all.push(name),
        }
        all
    })
}

fn find<'a>(table: &'a Table, name: &str) -> Option<&'a Value> {
    match name.split_once('.') {
        Some((key, rest)) => find(table.get(key)?.as_table()?, rest),
        None => table.get(name),
    }
}

fn find_mut<'a>(table: &'a mut Table, name: &str) -> Option<&'a mut Value> {
    match name.split_once('.') {
        Some((key, rest)) => find_mut(table.get_mut(key)?.as_table_mut()?, rest),
        None => table.get_mut(name).filter(|value| !value.is_table()),
    }
}

fn merge(into: &mut Table, from: Table, prefix: &str, origin: &str) -> Result<(), SettingsError> {
    for (key, value) in from {
        let name = format!("{prefix}{key}");
        match (into.get_mut(&key), value) {
            (None, _) => return Err(SettingsError::Unknown { origin: origin.to_owned(), name }),
            (Some(Value::Table(into)), Value::Table(from)) => {
                merge(into, from, &format!("{name}."), origin)?;
            }
            (Some(known), value) if known.same_type(&value) => *known = value,
            (Some(known), value) => {
                return Err(SettingsError::Wrong {
                    origin: origin.to_owned(),
                    name,
                    wanted: wanted(known),
                    found: value.to_string(),
                });
            }
        }
    }
    Ok(())
}

fn assign(settings: &mut Table, name: &str, text: &str, origin: &str) -> Result<(), SettingsError> {
    let Some(known) = find_mut(settings, name) else {
        return Err(SettingsError::Unknown { origin: origin.to_owned(), name: name.to_owned() });
    };
    let value = match known {
        Value::Integer(_) => text.replace('_', "").parse().ok().map(Value::Integer),
        Value::Float(_) => text.parse().ok().map(Value::Float),
        Value::Boolean(_) => text.parse().ok().map(Value::Boolean),
        Value::String(_) => Some(Value::String(text.to_owned())),
        _ => None,
    };
    *known = value.ok_or_else(|| SettingsError::Wrong {
        origin: origin.to_owned(),
        name: name.to_owned(),
        wanted: wanted(known),
        found: text.to_owned(),
    })?;
    Ok(())
}

fn wanted(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::String(_) => "a text",
        Value::Table(_) => "a table",
        _ => "another kind of value",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        listen: String,
        queue: Queue,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Queue {
        every_ms: u64,
        cors: bool,
    }

    fn defaults() -> Settings {
        Settings { listen: "a".into(), queue: Queue { every_ms: 1, cors: true } }
    }

    fn env(name: &str) -> Option<String> {
        (name == "TEST_QUEUE_EVERY_MS").then(|| "3".to_owned())
    }

    fn load(file: Option<&str>, assignments: &[&str]) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        std::fs::write(&path, file.unwrap_or_default()).unwrap();
        let assignments: Vec<String> = assignments.iter().map(|&text| text.to_owned()).collect();
        let sources = Sources {
            env_prefix: "TEST",
            env,
            file: file.map(|_| path.as_path()),
            assignments: &assignments,
        };
        let error = |error: SettingsError| error.to_string().replace(&*path.to_string_lossy(), "F");
        sources.load(table(&defaults()).unwrap()).and_then(typed).map_err(error)
    }

    fn check(file: &str, assignments: &[&str], listen: &str, every_ms: u64) {
        let settings = load(Some(file), assignments).unwrap();
        assert_eq!((&*settings.listen, settings.queue.every_ms), (listen, every_ms));
    }

    #[test]
    fn flags_win_over_the_environment_over_the_file_over_defaults() {
        check("", &[], "a", 3);
        check("listen = \"b\"\n[queue]\nevery_ms = 2", &[], "b", 3);
        check("listen = \"b\"", &["listen=c", "queue.every_ms=1_000"], "c", 1_000);
    }

    #[test]
    fn every_mistake_names_its_place() {
        let error = |file: Option<&str>, assignments: &[&str]| load(file, assignments).unwrap_err();
        let unknown = "there is no setting `queue.x`; `--print-settings` lists them all";
        assert_eq!(error(Some("[queue]\nx = 1"), &[]), format!("F: {unknown}"));
        assert_eq!(error(None, &["queue.x=1"]), format!("--set: {unknown}"));
        assert_eq!(
            error(None, &["queue=1"]),
            "--set: there is no setting `queue`; `--print-settings` lists them all"
        );
        assert_eq!(
            error(None, &["queue.cors=yes"]),
            "--set: `queue.cors` wants true or false, not \"yes\""
        );
        assert_eq!(error(Some("listen = 1"), &[]), "F: `listen` wants a text, not \"1\"");
        assert_eq!(error(None, &["listen"]), "--set \"listen\" is not of the form name=value");
        assert_eq!(
            error(None, &["queue.every_ms=-1"]),
            "the settings do not fit together: invalid value: integer `-1`, expected u64"
        );
        assert!(error(Some("= 1"), &[]).starts_with("the settings file F is not TOML"));
    }

    #[test]
    fn settings_are_listed_by_the_names_they_are_set_by() {
        let listed = list(&table(&defaults()).unwrap());
        assert_eq!(listed, ["listen = \"a\"", "queue.cors = true", "queue.every_ms = 1"]);
        let secret = Settings { listen: "postgres://a:geheim@b/c".into(), ..defaults() };
        let listed = list(&table(&secret).unwrap());
        assert_eq!(listed.first().unwrap(), "listen = \"postgres://a:***@b/c\"");
    }

    #[test]
    fn a_broken_line_is_shown_without_its_password() {
        let error = load(Some("listen = postgres://a:geheim@b/c"), &[]).unwrap_err();
        assert!(error.contains("postgres://a:***@b/c"), "{error}");
        assert!(!error.contains("geheim"), "{error}");
    }
}
