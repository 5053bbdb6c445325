//! Where keys and passwords come from: encrypted files, key files, the environment, a prompt. Never the command line.
//!
//! Nothing here is ever printed, logged or part of an error, not even a prefix of it.

use crate::failure::Failure;
use crate::files::read_text;
use anyhow::{Context, Result};
use plasma_core::wire::SecretKey;
use plasma_eth::keystore;
use std::fmt;
use std::io::IsTerminal;
use std::path::Path;

/// Environment variable with the password of keystores.
pub(crate) const PASSWORD_ENV: &str = "PENNING_PASSWORD";
/// Longest key or password file.
const SECRET_FILE_BYTES_MAX: u64 = 4096;

/// A password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Password(String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

impl Password {
    /// For opening a keystore and nothing else.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

/// Reads the environment; tests bring their own.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A secret from a file (`from_file`), the environment, or a prompt with this question, in this order. A new password is asked for
/// twice.
pub(crate) fn password(
    from_file: Option<&Path>,
    env_names: &[&str],
    question: &str,
    is_new: bool,
) -> Result<Password> {
    let text = if let Some(path) = from_file {
        first_line(path)?
    } else if let Some(text) = env_names.iter().find_map(|name| environment(name)) {
        text
    } else {
        prompt(question, is_new)?
    };
    if is_new && text.is_empty() {
        return Err(Failure::new("password:empty", "an empty password protects nothing").into());
    }
    Ok(Password(text))
}

/// A key from the text of a key file, an environment variable or a prompt: 64 hex digits, with or without `0x`.
pub(crate) fn parse_key(text: &str) -> Result<SecretKey, Failure> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let bytes: Option<[u8; 32]> = (digits.len() == 64 && !digits.starts_with("0x"))
        .then(|| const_hex::decode_to_array(digits).ok())
        .flatten();
    // The text itself must not be repeated: it may be a key with a typing error.
    bytes.and_then(|bytes| SecretKey::from_bytes(bytes).ok()).ok_or_else(|| {
        Failure::new(
            "key:malformed",
            "this is no private key: 64 hex digits, below the order of the curve",
        )
    })
}

/// The key in a file that holds nothing else.
pub(crate) fn key_file(path: &Path) -> Result<SecretKey> {
    let line = first_line(path)?;
    parse_key(&line).with_context(|| format!("key file {}", path.display()))
}

/// The key in an encrypted file.
pub(crate) fn open_keystore(
    path: &Path,
    password_file: Option<&Path>,
    env_names: &[&str],
) -> Result<SecretKey> {
    // Before a password is asked for, so that a wrong path costs nobody any typing.
    let account = keystore::address(path)?;
    let account = account.map_or_else(String::new, |account| format!(" of {account:?}"));
    let question = format!("Password for the key{account} in {}: ", path.display());
    let password = password(password_file, env_names, &question, false)?;
    Ok(keystore::open(path, password.reveal())?)
}

/// A private key from standard input: hidden while it is typed, or the first line of what is piped in.
pub(crate) fn key_from_stdin() -> Result<SecretKey> {
    let text = if std::io::stdin().is_terminal() {
        rpassword::prompt_password("Private key (not shown): ").context("no key was entered")?
    } else {
        let mut line = String::new();
        let stdin = std::io::Read::take(std::io::stdin().lock(), SECRET_FILE_BYTES_MAX);
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdin), &mut line)
            .context("standard input cannot be read")?;
        line
    };
    Ok(parse_key(&text)?)
}

fn first_line(path: &Path) -> Result<String> {
    let text = read_text(path, SECRET_FILE_BYTES_MAX);
    let text = text.with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn prompt(question: &str, is_new: bool) -> Result<String> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(
            "password:missing",
            "a password is needed and nobody is there to type it",
        )
        .next(format!("give --password-file FILE, or set {PASSWORD_ENV}"))
        .into());
    }
    let first = rpassword::prompt_password(question).context("no password was entered")?;
    if is_new {
        let again =
            rpassword::prompt_password("The same again: ").context("no password was entered")?;
        if first != again {
            return Err(Failure::new("password:mismatch", "the two passwords differ").into());
        }
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "7880aec93413f117ef14bd4e6d130875ab2c7d7d55a064fac3c2f7bd51516380";

    #[test]
    fn keys_are_read_with_and_without_a_prefix_and_never_repeated() {
        let address = parse_key(KEY).unwrap().address();
        assert_eq!(parse_key(&format!(" 0x{KEY}\n")).unwrap().address(), address);
        let zero = "0".repeat(64);
        let typo = KEY.replace('7', "g");
        for text in ["", "0x", &KEY[1..], &zero, &typo, &format!("0x0x{}", &KEY[4..])] {
            let message = format!("{:?}", parse_key(text).unwrap_err());
            assert!(text.len() < 8 || !message.contains(text), "{message}");
        }
    }

    #[test]
    fn passwords_come_from_the_first_line_of_a_file_and_are_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "hunter2 \nrest").unwrap();
        let found = password(Some(&path), &[], "", true).unwrap();
        assert_eq!(found.reveal(), "hunter2 ");
        assert_eq!(format!("{found:?}"), "Password");
        std::fs::write(&path, "").unwrap();
        assert!(password(Some(&path), &[], "", true).is_err(), "an empty new password");
        assert!(password(Some(&path), &[], "", false).is_ok(), "an old one may be empty");
        assert!(password(Some(Path::new("/nowhere")), &[], "", false).is_err());
    }
}
