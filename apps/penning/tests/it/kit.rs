//! Runs the built binary with nothing inherited that could choose a key or a network.

use plasma_eth::ANVIL_ENV;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A call of the binary, in a folder of its own.
pub(crate) struct Penning {
    command: Command,
    stdin: String,
}

pub(crate) fn penning(folder: &Path, arguments: &[&str]) -> Penning {
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(folder);
    clean_env(&mut command);
    Penning { command, stdin: String::new() }
}

pub(crate) const fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_penning")
}

/// Nothing that the caller of the tests has set chooses a key, a network or a setting. Only where anvil is stays.
pub(crate) fn clean_env(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PENNING_") && name != ANVIL_ENV {
            command.env_remove(name);
        }
    }
}

impl Penning {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn stdin(mut self, text: &str) -> Self {
        text.clone_into(&mut self.stdin);
        self
    }

    pub(crate) fn run(mut self) -> Output {
        let command = self.command.stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that does not read its input may be gone already.
        let _ = child.stdin.take().unwrap().write_all(self.stdin.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Must succeed with one JSON document.
    pub(crate) fn json(self) -> Value {
        let output = self.run();
        assert!(output.status.success(), "{}", all(&output));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", all(&output)))
    }

    /// Must fail with an error document of this code.
    pub(crate) fn refused(self, code: &str) -> Value {
        let output = self.run();
        assert!(!output.status.success(), "{}", all(&output));
        let document: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("no JSON: {}", all(&output)));
        assert_eq!(document["error"]["code"], code, "{}", all(&output));
        document
    }
}

/// Everything that was printed.
pub(crate) fn all(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
