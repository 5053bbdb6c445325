//! ABI and bytecode of every contract, built into this binary and read once.

use crate::RootChainCause;
use ethers::abi::Abi;
use plasma_core::wire::Address;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

macro_rules! contracts {
    ($($name:ident,)*) => {
        /// A contract of the system, or one it brings along.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Contract {
            $($name,)*
        }

        impl Contract {
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            pub(super) const fn json(self) -> &'static str {
                match self {
                    $(Self::$name => include_str!(concat!(
                        env!("CARGO_MANIFEST_DIR"), "/../../priv/contracts/", stringify!($name), ".json"
                    )),)*
                }
            }
        }
    };
}

contracts! {
    PlasmaFramework,
    EthVault,
    Erc20Vault,
    EthDepositVerifier,
    Erc20DepositVerifier,
    PaymentExitGame,
    FeeExitGame,
    PriorityQueue,
    SpendingConditionRegistry,
    PaymentOutputToPaymentTxCondition,
    FeeClaimOutputToPaymentTxCondition,
    PaymentTransactionStateTransitionVerifier,
    TestToken,
}

/// What the compiler made of a contract.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Artifact {
    pub(crate) abi: Abi,
    /// Hex; holds placeholders where addresses of libraries belong.
    bytecode: String,
    /// Where addresses belong: by source file, then by library.
    link_references: BTreeMap<String, BTreeMap<String, Vec<LinkReference>>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct LinkReference {
    /// In bytes of the code.
    start: usize,
    /// In bytes: 20.
    length: usize,
}

type Artifacts = BTreeMap<Contract, Result<Artifact, String>>;

static ARTIFACTS: LazyLock<Artifacts> = LazyLock::new(|| {
    let parse = |contract: &Contract| {
        serde_json::from_str(contract.json()).map_err(|error| error.to_string())
    };
    Contract::ALL.iter().map(|contract| (*contract, parse(contract))).collect()
});

impl Contract {
    /// The contract with this name in the sources.
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|contract| contract.name() == name)
    }

    /// What the compiler made of it. An error says that this binary was built from broken files; a test keeps that from happening.
    pub(crate) fn artifact(self) -> Result<&'static Artifact, RootChainCause> {
        let why = match ARTIFACTS.get(&self) {
            Some(Ok(artifact)) => return Ok(artifact),
            Some(Err(why)) => why.as_str(),
            None => "missing",
        };
        Err(RootChainCause::Invalid(format!("built-in artifact {}: {why}", self.name())))
    }
}

impl Artifact {
    /// Names of the libraries whose addresses the code needs.
    pub(crate) fn libraries(&self) -> impl Iterator<Item = &str> {
        self.link_references.values().flat_map(BTreeMap::keys).map(String::as_str)
    }

    /// The code with the libraries' addresses filled in.
    pub(crate) fn linked_code(
        &self,
        libraries: &BTreeMap<String, Address>,
    ) -> Result<Vec<u8>, String> {
        let mut hex = self.bytecode.strip_prefix("0x").unwrap_or(&self.bytecode).to_owned();
        for (library, references) in self.link_references.values().flatten() {
            let address = libraries
                .get(library)
                .ok_or_else(|| format!("library {library} is not deployed"))?;
            let address = const_hex::encode(address);
            for LinkReference { start, length } in references.iter().copied() {
                let place = (2 * start)..(2 * (start + length));
                if length != Address::len_bytes() || hex.get(place.clone()).is_none() {
                    return Err(format!("library {library} has no place in the code"));
                }
                hex.replace_range(place, &address);
            }
        }
        const_hex::decode(&hex).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_artifact_is_readable_and_has_code() {
        for contract in Contract::ALL {
            let artifact = contract.artifact().unwrap();
            assert_eq!(artifact.libraries().count(), 0, "{contract:?}");
            let code = artifact.linked_code(&BTreeMap::new()).unwrap();
            assert!(code.len() > 20, "{contract:?}");
            assert_eq!(Contract::by_name(contract.name()), Some(*contract));
        }
        assert_eq!(Contract::by_name("Nothing"), None);
    }

    #[test]
    fn libraries_are_linked_at_every_place() {
        let placeholder = "__$0123456789012345678901234567890123$__";
        let json = format!(
            r#"{{"abi": [], "bytecode": "0xaa{placeholder}bb{placeholder}",
                "linkReferences": {{"src/L.sol": {{"L": [{{"start": 1, "length": 20}}, {{"start": 22, "length": 20}}]}}}}}}"#
        );
        let artifact: Artifact = serde_json::from_str(&json).unwrap();
        assert_eq!(artifact.libraries().collect::<Vec<_>>(), ["L"]);
        assert_eq!(
            artifact.linked_code(&BTreeMap::new()),
            Err("library L is not deployed".to_owned())
        );
        let address = Address::repeat_byte(0xcd);
        let code = artifact.linked_code(&BTreeMap::from([("L".to_owned(), address)])).unwrap();
        let expected =
            [[0xaa].as_slice(), address.as_bytes(), &[0xbb], address.as_bytes()].concat();
        assert_eq!(code, expected);
    }
}
