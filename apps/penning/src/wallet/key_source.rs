//! Which key a command uses: what was asked for on the command line, else what the environment says.
//!
//! It must never choose between two keys by itself: two in the environment are an error.

use super::Common;
use crate::devnet_file::DevnetFile;
use crate::failure::Failure;
use crate::secrets::{PASSWORD_ENV, environment, open_keystore, parse_key};
use anyhow::{Context, Result};
use plasma_core::wire::{Address, SecretKey};
use plasma_eth::keystore;
use std::fmt;
use std::path::PathBuf;

const PRIVATE_KEY_ENV: &str = "PENNING_PRIVATE_KEY";
const KEYSTORE_ENV: &str = "PENNING_KEYSTORE";
const ACCOUNT_ENV: &str = "PENNING_ACCOUNT";

/// Where a key is.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum KeySource {
    Keystore(PathBuf),
    Account(usize),
    /// The text of the environment variable.
    Environment(String),
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keystore(path) => write!(f, "keystore {}", path.display()),
            Self::Account(index) => write!(f, "account {index}"),
            Self::Environment(_) => f.write_str(PRIVATE_KEY_ENV),
        }
    }
}

impl KeySource {
    /// Flags first, then the environment.
    pub(super) fn choose(
        common: &Common,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        if let Some(path) = &common.keystore {
            return Ok(Self::Keystore(path.clone()));
        }
        if let Some(index) = common.account {
            return Ok(Self::Account(index));
        }
        let key = environment(PRIVATE_KEY_ENV).map(Self::Environment);
        let keystore = environment(KEYSTORE_ENV).map(|path| Self::Keystore(path.into()));
        let account = environment(ACCOUNT_ENV).map(|text| {
            text.parse().map(Self::Account).map_err(|_| {
                Failure::new("key:malformed", format!("{ACCOUNT_ENV} is not a number"))
            })
        });
        let mut found = [key, keystore].into_iter().flatten().map(Ok).chain(account);
        match (found.next(), found.next()) {
            (Some(only), None) => only,
            (None, _) => Err(Failure::new("key:missing", "no key was chosen").next(format!(
                "give --keystore FILE, or --account N on a devnet, or set {PRIVATE_KEY_ENV}"
            ))),
            (Some(_), Some(_)) => Err(Failure::new(
                "key:ambiguous",
                format!(
                    "more than one of {PRIVATE_KEY_ENV}, {KEYSTORE_ENV} and {ACCOUNT_ENV} is set"
                ),
            )
            .next("leave one of them, or choose with --keystore or --account")),
        }
    }

    /// The key.
    pub(super) fn open(&self, common: &Common, devnet: Option<&DevnetFile>) -> Result<SecretKey> {
        match self {
            Self::Keystore(path) => {
                open_keystore(path, common.password_file.as_deref(), &[PASSWORD_ENV])
            }
            Self::Account(index) => Ok(account(*index, devnet)?.clone()),
            Self::Environment(text) => Ok(parse_key(text).context(PRIVATE_KEY_ENV)?),
        }
    }

    /// The account of the key, without a password where the keystore tells it. Good enough to look, not to be paid at.
    pub(super) fn address(&self, common: &Common, devnet: Option<&DevnetFile>) -> Result<Address> {
        if let Self::Keystore(path) = self
            && let Some(claimed) = keystore::address(path)?
        {
            return Ok(claimed);
        }
        Ok(self.open(common, devnet)?.address())
    }

    /// Chooses by the flags and this process's environment.
    pub(super) fn of(common: &Common) -> Result<Self, Failure> {
        Self::choose(common, environment)
    }
}

fn account(index: usize, devnet: Option<&DevnetFile>) -> Result<&SecretKey, Failure> {
    let devnet = devnet.ok_or_else(|| {
        Failure::new("key:no_accounts", "--account works with a devnet.json only")
            .next("give --keystore FILE, or --network with the devnet.json")
    })?;
    devnet.accounts.get(index).ok_or_else(|| {
        let count = devnet.accounts.len();
        Failure::new(
            "key:no_such_account",
            format!("devnet.json has {count} accounts, counted from 0"),
        )
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::devnet_file;

    pub(crate) fn common() -> Common {
        Common {
            network: None,
            rpc_url: None,
            child_chain_url: None,
            watcher_url: None,
            keystore: None,
            account: None,
            password_file: None,
            json: false,
        }
    }

    #[test]
    fn flags_come_before_the_environment_and_nothing_is_guessed() {
        let keystore = Some(PathBuf::from("k"));
        let of_keystore = |path: &str| Ok(KeySource::Keystore(path.into()));
        for (keystore, account, environment, expected) in [
            (keystore, None, &[("PENNING_PRIVATE_KEY", "1")][..], of_keystore("k")),
            (None, Some(3), &[("PENNING_KEYSTORE", "e")], Ok(KeySource::Account(3))),
            (None, None, &[("PENNING_KEYSTORE", "e")], of_keystore("e")),
            (None, None, &[("PENNING_ACCOUNT", "2")], Ok(KeySource::Account(2))),
            (None, None, &[("PENNING_ACCOUNT", "x")], Err("is not a number")),
            (None, None, &[("PENNING_PRIVATE_KEY", "1")], Ok(KeySource::Environment("1".into()))),
            (None, None, &[], Err("no key was chosen")),
            (
                None,
                None,
                &[("PENNING_PRIVATE_KEY", "1"), ("PENNING_ACCOUNT", "2")],
                Err("more than one"),
            ),
        ] {
            let common = Common { keystore, account, ..common() };
            let look_up = |name: &str| {
                environment.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned())
            };
            match (KeySource::choose(&common, look_up), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (found, expected) => panic!("{found:?} instead of {expected:?}"),
            }
        }
    }

    #[test]
    fn accounts_are_those_of_the_devnet() {
        let devnet = devnet_file::tests::devnet();
        let source = KeySource::Account(1);
        let key = source.open(&common(), Some(&devnet)).unwrap();
        assert_eq!(key.address(), devnet.accounts[1].address());
        assert!(KeySource::Account(2).open(&common(), Some(&devnet)).is_err());
        assert!(source.open(&common(), None).is_err());
    }

    #[test]
    fn a_key_from_the_environment_is_never_shown() {
        let source = KeySource::Environment("secret".to_owned());
        assert_eq!(format!("{source:?}"), "PENNING_PRIVATE_KEY");
        let error = source.open(&common(), None).unwrap_err();
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}
