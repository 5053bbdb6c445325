//! `devnet.json`: everything about a development network in one file, written by `penning devnet` and read by the wallet.
//!
//! It is an address file as well: it has all the keys of [`Deployment`], so nodes can be started against it. It holds private keys of
//! accounts without value, is readable by its owner only all the same, and its keys are never printed. Reading trusts nothing: an
//! account whose address is not that of its key is refused.

use crate::failure::Failure;
use crate::files::{read_text, write_private};
use crate::secrets::parse_key;
use anyhow::{Context, Result};
use plasma_core::wire::{Address, Currency, H256, SecretKey};
use plasma_eth::{ADDRESS_FILE_BYTES_MAX, ContractAddresses, Deployment, RpcUrl};
use plasma_rpc::json::hex;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use watcher::watcher_db::DatabaseUrl;

/// Folder of a devnet's data, below where it was started.
pub(crate) const DEVNET_FOLDER: &str = ".penning";
/// Name of the file in that folder.
pub(crate) const DEVNET_FILE: &str = "devnet.json";

/// A development network. `Debug` shows keys as the address they control.
#[derive(Clone, Debug)]
pub(crate) struct DevnetFile {
    /// The root chain's node.
    pub(crate) rpc_url: RpcUrl,
    /// The contracts, with a token that anyone can mint.
    pub(crate) deployment: Deployment,
    /// Created the contracts.
    pub(crate) deployer: SecretKey,
    /// Registers vaults and exit games.
    pub(crate) maintainer: SecretKey,
    /// Submits blocks.
    pub(crate) authority: SecretKey,
    /// Receives the fees.
    pub(crate) fee_claimer: Address,
    /// Funded accounts.
    pub(crate) accounts: Vec<SecretKey>,
    /// The operator's node.
    pub(crate) child_chain_url: String,
    /// The watching node, without anything that needs a database.
    pub(crate) watcher_url: String,
    /// The same node with everything that is read from its database; networks from before there was one do without.
    pub(crate) watcher_info_url: Option<String>,
    /// Where a browser shows the chain.
    pub(crate) explorer_url: Option<String>,
    /// The database, with its password.
    pub(crate) database_url: Option<DatabaseUrl>,
}

/// The file as it is written: the keys of the address file, and ours.
#[derive(Serialize, Deserialize)]
struct Raw {
    rpc_url: String,
    chain_id: u64,
    #[serde(with = "hex")]
    plasma_framework: Address,
    #[serde(with = "hex")]
    eth_vault: Address,
    #[serde(with = "hex")]
    erc20_vault: Address,
    #[serde(with = "hex")]
    payment_exit_game: Address,
    #[serde(with = "hex")]
    erc20_token: Currency,
    deployer_key: String,
    maintainer_key: String,
    authority_key: String,
    #[serde(with = "hex")]
    fee_claimer: Address,
    accounts: Vec<RawAccount>,
    child_chain_url: String,
    watcher_url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    watcher_info_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    explorer_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    database_url: Option<String>,
    min_exit_period_s: u64,
    #[serde(with = "hex")]
    plasma_framework_tx_hash: H256,
    #[serde(with = "hex")]
    authority_address: Address,
    eth_height: u64,
    contract_semver: String,
}

#[derive(Serialize, Deserialize)]
struct RawAccount {
    #[serde(with = "hex")]
    address: Address,
    private_key: String,
}

impl DevnetFile {
    /// Looks for `.penning/devnet.json` in a folder and the folders above it.
    pub(crate) fn find(from: &Path) -> Option<PathBuf> {
        from.ancestors()
            .map(|folder| folder.join(DEVNET_FOLDER).join(DEVNET_FILE))
            .find(|path| path.is_file())
    }

    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with the file; never with a key in it.
    #[cfg_attr(not(test), expect(dead_code, reason = "read again by `penning devnet`"))]
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = read_text(path, ADDRESS_FILE_BYTES_MAX);
        let text = text.with_context(|| format!("{} cannot be read", path.display()))?;
        Self::from_json(&text).with_context(|| format!("{} is no devnet.json", path.display()))
    }

    /// Reads the text of a file. Unknown keys are left alone.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn from_json(text: &str) -> Result<Self> {
        // Parsers repeat what they did not expect, and that may be a key. Place and kind are enough.
        let raw: Raw = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let missing = error.to_string();
            let what = match missing.strip_prefix("missing field ") {
                Some(field) => {
                    format!("there is no {}", field.split(" at line").next().unwrap_or_default())
                }
                None => format!("line {line}, column {column} is not what belongs there"),
            };
            Failure::new("network:bad_file", what)
        })?;
        // The address file is checked by the one who knows it.
        let deployment = Deployment::from_json(text)?;
        let accounts = raw.accounts.iter().enumerate().map(|(index, account)| {
            let key = parse_key(&account.private_key)?;
            if key.address() != account.address {
                return Err(Failure::new(
                    "network:bad_file",
                    format!("account {index} has another address than its key"),
                ));
            }
            Ok(key)
        });
        Ok(Self {
            rpc_url: raw.rpc_url.parse()?,
            deployment,
            deployer: parse_key(&raw.deployer_key).context("deployer_key")?,
            maintainer: parse_key(&raw.maintainer_key).context("maintainer_key")?,
            authority: parse_key(&raw.authority_key).context("authority_key")?,
            fee_claimer: raw.fee_claimer,
            accounts: accounts.collect::<Result<_, _>>()?,
            child_chain_url: raw.child_chain_url,
            watcher_url: raw.watcher_url,
            watcher_info_url: raw.watcher_info_url,
            explorer_url: raw.explorer_url,
            database_url: raw.database_url.map(Into::into),
        })
    }

    /// Writes the file, readable by its owner only, in one step: readers see the old one or the new one.
    ///
    /// # Errors
    /// Those of the file system; a deployment without a test token is none of a devnet.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = self.to_json()?;
        write_private(path, &text).with_context(|| format!("{} cannot be written", path.display()))
    }

    /// The text of the file.
    pub(crate) fn to_json(&self) -> Result<String> {
        let secret = |key: &SecretKey| const_hex::encode_prefixed(key.to_bytes());
        let deployment = &self.deployment;
        let ContractAddresses { plasma_framework, eth_vault, erc20_vault, payment_exit_game } =
            deployment.addresses;
        let accounts = self.accounts.iter();
        let raw = Raw {
            rpc_url: self.rpc_url.reveal().to_owned(),
            chain_id: deployment.chain_id,
            plasma_framework,
            eth_vault,
            erc20_vault,
            payment_exit_game,
            erc20_token: deployment.erc20_token.context("a devnet has a test token")?,
            deployer_key: secret(&self.deployer),
            maintainer_key: secret(&self.maintainer),
            authority_key: secret(&self.authority),
            fee_claimer: self.fee_claimer,
            accounts: accounts
                .map(|key| RawAccount { address: key.address(), private_key: secret(key) })
                .collect(),
            child_chain_url: self.child_chain_url.clone(),
            watcher_url: self.watcher_url.clone(),
            watcher_info_url: self.watcher_info_url.clone(),
            explorer_url: self.explorer_url.clone(),
            database_url: self.database_url.as_deref().map(str::to_owned),
            min_exit_period_s: deployment.min_exit_period_s,
            plasma_framework_tx_hash: deployment.plasma_framework_tx_hash,
            authority_address: deployment.authority,
            eth_height: deployment.eth_height.get(),
            contract_semver: deployment.contract_semver.clone(),
        };
        Ok(serde_json::to_string_pretty(&raw)?)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use plasma_core::wire::EthHeight;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;

    fn key(number: u8) -> SecretKey {
        SecretKey::from_bytes([0xa0 | number; 32]).unwrap()
    }

    pub(crate) fn devnet() -> DevnetFile {
        let address = Address::repeat_byte;
        DevnetFile {
            rpc_url: "http://127.0.0.1:8545/".parse().unwrap(),
            deployment: Deployment {
                plasma_framework_tx_hash: H256::repeat_byte(1),
                addresses: ContractAddresses {
                    plasma_framework: address(2),
                    eth_vault: address(3),
                    erc20_vault: address(4),
                    payment_exit_game: address(5),
                },
                authority: key(3).address(),
                chain_id: 31_337,
                eth_height: EthHeight::new(12),
                min_exit_period_s: 120,
                contract_semver: "1.0.5+penning".to_owned(),
                erc20_token: Some(address(6)),
            },
            deployer: key(1),
            maintainer: key(2),
            authority: key(3),
            fee_claimer: address(7),
            accounts: vec![key(4), key(5)],
            child_chain_url: "http://127.0.0.1:9656".to_owned(),
            watcher_url: "http://127.0.0.1:7434".to_owned(),
            watcher_info_url: Some("http://127.0.0.1:7534".to_owned()),
            explorer_url: Some("http://127.0.0.1:7534/explorer/".to_owned()),
            database_url: Some(
                "postgres://penning:secret@127.0.0.1:5433/penning".to_owned().into(),
            ),
        }
    }

    #[test]
    fn the_file_survives_a_round_trip_and_is_an_address_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(DEVNET_FILE);
        let written = devnet();
        written.write(&path).unwrap();
        let read = DevnetFile::read(&path).unwrap();
        assert_eq!(read.to_json().unwrap(), written.to_json().unwrap());
        assert_eq!(Deployment::read(&path).unwrap(), written.deployment);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn the_file_has_the_documented_keys_first() {
        let text = devnet().to_json().unwrap();
        let mut rest = text.as_str();
        for key in "rpc_url chain_id plasma_framework eth_vault erc20_vault payment_exit_game erc20_token deployer_key maintainer_key authority_key fee_claimer accounts address private_key child_chain_url watcher_url watcher_info_url explorer_url database_url min_exit_period_s".split(' ') {
            let at = rest.find(&format!("\"{key}\":"));
            rest = &rest[at.unwrap_or_else(|| panic!("{key} is missing or out of order"))..];
        }
    }

    #[test]
    fn keys_are_neither_shown_nor_repeated_in_errors() {
        let text = devnet().to_json().unwrap();
        let secret = "a4".repeat(20);
        let secret = secret.as_str();
        assert!(text.contains(secret));
        assert!(!format!("{:?}", devnet()).contains(secret));
        for (from, to) in [
            (format!("0x{secret}"), format!("0x0x{secret}")),
            ("\"private_key\": \"0xa4".to_owned(), "\"private_key\": \"0xa5".to_owned()),
            ("\"address\"".to_owned(), "\"other\"".to_owned()),
        ] {
            let error = DevnetFile::from_json(&text.replace(&from, &to)).unwrap_err();
            let shown = format!("{error:?} {error:#}");
            assert!(!shown.contains(&secret[..20]), "{shown}");
        }
        // A key where a list belongs.
        let odd = text.replace("\"accounts\": [", &format!("\"accounts\": \"{secret}\", \"x\": ["));
        let shown = format!("{:?}", DevnetFile::from_json(&odd).unwrap_err());
        assert!(!shown.contains(secret), "{shown}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let text = devnet().to_json().unwrap().replace("watcher_url\"", "other\"");
        let error = DevnetFile::from_json(&text).unwrap_err();
        assert_eq!(error.to_string(), "there is no `watcher_url`");
    }

    #[test]
    fn the_nearest_file_above_is_found() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        assert_eq!(DevnetFile::find(&inner).filter(|path| path.starts_with(root.path())), None);
        let folder = root.path().join(DEVNET_FOLDER);
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join(DEVNET_FILE);
        std::fs::write(&path, "").unwrap();
        assert_eq!(DevnetFile::find(&inner), Some(path));
    }

    proptest! {
        #[test]
        fn no_mutation_of_a_file_makes_reading_panic(at: prop::sample::Index, byte: u8) {
            let mut bytes = devnet().to_json().unwrap().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = DevnetFile::from_json(&String::from_utf8_lossy(&bytes));
        }
    }
}
