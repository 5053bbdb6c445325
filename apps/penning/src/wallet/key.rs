//! `wallet key`: keys in encrypted files.

use super::key_source::KeySource;
use super::{Common, view};
use crate::output::Out;
use crate::secrets::{PASSWORD_ENV, key_from_stdin, password};
use anyhow::Result;
use clap::Subcommand;
use plasma_core::wire::Address;
use plasma_eth::keystore;
use plasma_rpc::json::hex;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// What can be done with keys.
#[derive(Subcommand)]
pub(super) enum KeyCommand {
    /// Make a new key and store it in a new encrypted file
    ///
    /// The file is the standard format of wallets (Web3 Secret Storage). Whoever loses file or password loses the money: keep copies.
    Create {
        /// The new file; must not exist yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Store an existing private key in a new encrypted file
    ///
    /// The key comes from PENNING_PRIVATE_KEY, a hidden prompt, or the first line of standard input.
    Import {
        /// The new file; must not exist yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Print the address of a key; never the key
    Show {
        /// A keystore; else the key that the options choose
        file: Option<PathBuf>,
    },
}

impl KeyCommand {
    /// Does it. Needs no network.
    pub(super) fn run(self, common: &Common, out: Out) -> Result<()> {
        let result = match self {
            Self::Create { out: path } => {
                let password = new_password(common, &path)?;
                let key = keystore::create(&path, password.reveal())?;
                KeyReport { address: key.address(), file: Some(path) }
            }
            Self::Import { out: path } => {
                let key = match KeySource::of(common) {
                    Ok(source @ KeySource::Environment(_)) => source.open(common, None)?,
                    _ => key_from_stdin()?,
                };
                let password = new_password(common, &path)?;
                keystore::import(&path, &key, password.reveal())?;
                KeyReport { address: key.address(), file: Some(path) }
            }
            Self::Show { file } => {
                let source = match file {
                    Some(path) => KeySource::Keystore(path),
                    None => KeySource::of(common)?,
                };
                let devnet = super::session::devnet_of(common)?;
                let address = source.address(common, devnet.as_ref())?;
                let file = match source {
                    KeySource::Keystore(path) => Some(path),
                    _ => None,
                };
                KeyReport { address, file }
            }
        };
        out.finish(&result)
    }
}

fn new_password(common: &Common, path: &Path) -> Result<crate::secrets::Password> {
    // Before anybody thinks up a password.
    if path.exists() {
        return Err(keystore::KeystoreError::Exists { path: path.to_owned() }.into());
    }
    let question = format!("New password for {}: ", path.display());
    password(common.password_file.as_deref(), &[PASSWORD_ENV], &question, true)
}

/// What the commands print.
#[derive(Serialize)]
struct KeyReport {
    #[serde(with = "hex")]
    address: Address,
    file: Option<PathBuf>,
}

impl fmt::Display for KeyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "address: {}", view::address(self.address))?;
        match &self.file {
            Some(file) => write!(f, "\nfile:    {}", file.display()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_have_a_stable_shape() {
        let report = KeyReport { address: Address::repeat_byte(1), file: Some("k".into()) };
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            r#"{"address":"0x0101010101010101010101010101010101010101","file":"k"}"#
        );
        assert_eq!(
            report.to_string(),
            "address: 0x0101010101010101010101010101010101010101\nfile:    k"
        );
    }
}
