//! The address file: what a deployment consists of, as JSON (protocol 8.1).
//!
//! The first six keys are those that OMG's contract exchanger served, so its clients read our file. Reading one trusts nothing: every
//! key that is missing or wrong is named, and [`Deployment::check`] compares the file with what the chain says.

use crate::ContractFacts;
use plasma_core::wire::{Address, EthHeight, H256};
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::Read;
use std::path::Path;
use thiserror::Error;

/// Largest address file that is read.
pub const ADDRESS_FILE_BYTES_MAX: u64 = 64 << 10;

/// Where the contracts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContractAddresses {
    /// The framework: blocks, registries, exit queues; also the verifying contract of signatures.
    pub plasma_framework: Address,
    /// Holds deposited Ether.
    pub eth_vault: Address,
    /// Holds deposited tokens.
    pub erc20_vault: Address,
    /// The exit game of payments.
    pub payment_exit_game: Address,
}

/// A deployment of the whole system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The transaction that deployed the framework.
    pub plasma_framework_tx_hash: H256,
    /// Where the contracts are.
    pub addresses: ContractAddresses,
    /// The account that submits blocks.
    pub authority: Address,
    /// The chain they are on.
    pub chain_id: u64,
    /// The block that holds `plasma_framework_tx_hash`: nothing of interest happened before.
    pub eth_height: EthHeight,
    /// The time unit of exits, in seconds.
    pub min_exit_period_s: u64,
    /// What is deployed, as a semantic version.
    pub contract_semver: String,
    /// A token that anyone can mint, where one was deployed.
    pub erc20_token: Option<Address>,
}

/// An address file cannot be used.
#[derive(Debug, Error)]
pub enum AddressFileError {
    /// The file cannot be read.
    #[error("the address file cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// The file is larger than any address file.
    #[error("the address file is larger than {ADDRESS_FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// It is not a JSON object.
    #[error("the address file is not a JSON object: {0}")]
    NotJson(String),
    /// A key is missing.
    #[error("the address file has no `{key}`")]
    Missing {
        /// Which key.
        key: &'static str,
    },
    /// The value of a key is not what it should be.
    #[error("`{key}` in the address file is not {wanted}")]
    Wrong {
        /// Which key.
        key: &'static str,
        /// What belongs there.
        wanted: &'static str,
    },
}

/// The address file and the chain disagree.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{key}` is {of_file} in the address file and {on_chain} on the chain: it is the file of another deployment"
)]
pub struct DeploymentMismatch {
    /// The key of the address file.
    pub key: &'static str,
    /// What the file says.
    pub of_file: String,
    /// What the framework says.
    pub on_chain: String,
}

impl Deployment {
    /// Reads an address file.
    ///
    /// # Errors
    /// [`AddressFileError`]; the first wrong key is named.
    pub fn read(path: &Path) -> Result<Self, AddressFileError> {
        let mut text = String::new();
        std::fs::File::open(path)?.take(ADDRESS_FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
        Self::from_json(&text)
    }

    /// Reads the text of an address file. Unknown keys are left alone: later versions and other tools add their own.
    ///
    /// # Errors
    /// [`AddressFileError`]; the first wrong key is named.
    pub fn from_json(text: &str) -> Result<Self, AddressFileError> {
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > ADDRESS_FILE_BYTES_MAX {
            return Err(AddressFileError::TooLarge);
        }
        let fields: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| AddressFileError::NotJson(error.to_string()))?;
        let fields = Fields(fields);
        Ok(Self {
            plasma_framework_tx_hash: H256(fields.hex("plasma_framework_tx_hash", A_HASH)?),
            addresses: ContractAddresses {
                plasma_framework: fields.address("plasma_framework")?,
                eth_vault: fields.address("eth_vault")?,
                erc20_vault: fields.address("erc20_vault")?,
                payment_exit_game: fields.address("payment_exit_game")?,
            },
            authority: fields.address("authority_address")?,
            chain_id: fields.number("chain_id")?,
            eth_height: EthHeight::new(fields.number("eth_height")?),
            min_exit_period_s: fields.number("min_exit_period_s")?,
            contract_semver: fields.text("contract_semver")?.to_owned(),
            erc20_token: match fields.0.get("erc20_token") {
                None | Some(Value::Null) => None,
                Some(_) => Some(fields.address("erc20_token")?),
            },
        })
    }

    /// The text of the address file. Addresses are in lower case, as OMG's tools wrote them.
    pub fn to_json(&self) -> String {
        let file = File {
            plasma_framework_tx_hash: hex(self.plasma_framework_tx_hash.as_bytes()),
            plasma_framework: hex(self.addresses.plasma_framework.as_bytes()),
            eth_vault: hex(self.addresses.eth_vault.as_bytes()),
            erc20_vault: hex(self.addresses.erc20_vault.as_bytes()),
            payment_exit_game: hex(self.addresses.payment_exit_game.as_bytes()),
            authority_address: hex(self.authority.as_bytes()),
            chain_id: self.chain_id,
            eth_height: self.eth_height.get(),
            min_exit_period_s: self.min_exit_period_s,
            contract_semver: &self.contract_semver,
            erc20_token: self.erc20_token.map(|token| hex(token.as_bytes())),
        };
        // Strings and numbers under fixed keys always serialise.
        serde_json::to_string_pretty(&file).unwrap_or_default()
    }

    /// Compares with what the framework says about itself. The version is left out: its text may change.
    ///
    /// # Errors
    /// The first difference.
    pub fn check(&self, facts: &ContractFacts) -> Result<(), DeploymentMismatch> {
        let address = |address: Address| hex(address.as_bytes());
        let (ours, theirs) = (&self.addresses, &facts.addresses);
        for (key, of_file, on_chain) in [
            ("chain_id", self.chain_id.to_string(), facts.chain_id.to_string()),
            ("plasma_framework", address(ours.plasma_framework), address(theirs.plasma_framework)),
            ("eth_vault", address(ours.eth_vault), address(theirs.eth_vault)),
            ("erc20_vault", address(ours.erc20_vault), address(theirs.erc20_vault)),
            (
                "payment_exit_game",
                address(ours.payment_exit_game),
                address(theirs.payment_exit_game),
            ),
            ("authority_address", address(self.authority), address(facts.authority)),
            (
                "min_exit_period_s",
                self.min_exit_period_s.to_string(),
                facts.min_exit_period_s.to_string(),
            ),
        ] {
            if of_file != on_chain {
                return Err(DeploymentMismatch { key, of_file, on_chain });
            }
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct File<'a> {
    plasma_framework_tx_hash: String,
    plasma_framework: String,
    eth_vault: String,
    erc20_vault: String,
    payment_exit_game: String,
    authority_address: String,
    chain_id: u64,
    eth_height: u64,
    min_exit_period_s: u64,
    contract_semver: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    erc20_token: Option<String>,
}

const A_HASH: &str = "0x and 64 hex digits";
const AN_ADDRESS: &str = "an address: 0x and 40 hex digits, not all zero";

struct Fields(Map<String, Value>);

impl Fields {
    fn get(&self, key: &'static str) -> Result<&Value, AddressFileError> {
        self.0.get(key).ok_or(AddressFileError::Missing { key })
    }

    fn hex<const N: usize>(
        &self,
        key: &'static str,
        wanted: &'static str,
    ) -> Result<[u8; N], AddressFileError> {
        self.get(key)?
            .as_str()
            .filter(|text| text.starts_with("0x") && text.len() == 2 + 2 * N)
            .and_then(|text| const_hex::decode_to_array(text).ok())
            .ok_or(AddressFileError::Wrong { key, wanted })
    }

    fn address(&self, key: &'static str) -> Result<Address, AddressFileError> {
        let address = Address::from(self.hex(key, AN_ADDRESS)?);
        if address.is_zero() {
            let wanted = AN_ADDRESS;
            return Err(AddressFileError::Wrong { key, wanted });
        }
        Ok(address)
    }

    fn number(&self, key: &'static str) -> Result<u64, AddressFileError> {
        let wanted = "a whole number";
        self.get(key)?.as_u64().ok_or(AddressFileError::Wrong { key, wanted })
    }

    fn text(&self, key: &'static str) -> Result<&str, AddressFileError> {
        let wanted = "a text";
        self.get(key)?.as_str().ok_or(AddressFileError::Wrong { key, wanted })
    }
}

fn hex(bytes: &[u8]) -> String {
    const_hex::encode_prefixed(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn deployment() -> Deployment {
        let address = Address::repeat_byte;
        Deployment {
            plasma_framework_tx_hash: H256::repeat_byte(1),
            addresses: ContractAddresses {
                plasma_framework: address(2),
                eth_vault: address(3),
                erc20_vault: address(4),
                payment_exit_game: address(5),
            },
            authority: address(6),
            chain_id: 31_337,
            eth_height: EthHeight::new(12),
            min_exit_period_s: 120,
            contract_semver: "1.0.5+penning".to_owned(),
            erc20_token: None,
        }
    }

    fn facts() -> ContractFacts {
        let deployment = deployment();
        ContractFacts {
            chain_id: deployment.chain_id,
            addresses: deployment.addresses,
            authority: deployment.authority,
            activated: true,
            child_block_interval: 1000,
            min_exit_period_s: deployment.min_exit_period_s,
            contract_semver: "2".to_owned(),
        }
    }

    #[test]
    fn address_files_survive_a_round_trip() {
        for erc20_token in [None, Some(Address::repeat_byte(8))] {
            let deployment = Deployment { erc20_token, ..deployment() };
            let text = deployment.to_json();
            assert_eq!(Deployment::from_json(&text).unwrap(), deployment);
        }
    }

    #[test]
    fn the_file_has_the_keys_of_the_exchanger() {
        let value: Value = serde_json::from_str(&deployment().to_json()).unwrap();
        for key in [
            "plasma_framework_tx_hash",
            "plasma_framework",
            "eth_vault",
            "erc20_vault",
            "payment_exit_game",
            "authority_address",
        ] {
            assert!(value[key].as_str().unwrap().starts_with("0x0"), "{key}");
        }
    }

    #[test]
    fn every_wrong_key_is_named() {
        for (key, value, message) in [
            ("eth_vault", None, "the address file has no `eth_vault`"),
            ("chain_id", None, "the address file has no `chain_id`"),
            (
                "eth_vault",
                Some(json!("0x1234")),
                "`eth_vault` in the address file is not an address: 0x and 40 hex digits, not all zero",
            ),
            (
                "authority_address",
                Some(json!("0x0000000000000000000000000000000000000000")),
                "`authority_address` in the address file is not an address: 0x and 40 hex digits, not all zero",
            ),
            (
                "plasma_framework",
                Some(json!(format!("0x0x{}", "2".repeat(40)))),
                "`plasma_framework` in the address file is not an address: 0x and 40 hex digits, not all zero",
            ),
            (
                "plasma_framework_tx_hash",
                Some(json!(7)),
                "`plasma_framework_tx_hash` in the address file is not 0x and 64 hex digits",
            ),
            (
                "eth_height",
                Some(json!(-1)),
                "`eth_height` in the address file is not a whole number",
            ),
            (
                "contract_semver",
                Some(json!([])),
                "`contract_semver` in the address file is not a text",
            ),
        ] {
            let mut file: Map<String, Value> =
                serde_json::from_str(&deployment().to_json()).unwrap();
            match value {
                Some(value) => file.insert(key.to_owned(), value),
                None => file.remove(key),
            };
            let text = serde_json::to_string(&file).unwrap();
            assert_eq!(Deployment::from_json(&text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn files_that_are_none_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("addresses.json");
        assert!(matches!(Deployment::read(&path), Err(AddressFileError::Io(_))));
        for (text, expected) in [
            ("", "not a JSON object"),
            ("[]", "not a JSON object"),
            ("{", "not a JSON object"),
            (&" ".repeat(70_000), "larger than 65536 bytes"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Deployment::read(&path).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        std::fs::write(&path, deployment().to_json()).unwrap();
        assert_eq!(Deployment::read(&path).unwrap(), deployment());
    }

    #[test]
    fn the_file_of_another_deployment_is_noticed() {
        assert_eq!(deployment().check(&facts()), Ok(()));
        let mut facts = facts();
        facts.addresses.erc20_vault = Address::repeat_byte(0xee);
        let mismatch = deployment().check(&facts).unwrap_err();
        assert_eq!(mismatch.key, "erc20_vault");
        assert!(mismatch.to_string().contains("another deployment"), "{mismatch}");
    }

    proptest! {
        #[test]
        fn no_mutation_of_a_file_makes_reading_panic(at: prop::sample::Index, byte: u8) {
            let mut bytes = deployment().to_json().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(read) = Deployment::from_json(&String::from_utf8_lossy(&bytes)) {
                prop_assert_eq!(Deployment::from_json(&read.to_json()).unwrap(), read);
            }
        }
    }
}
