//! A wallet's connections: the network file, the root chain, the operator and the watcher.
//!
//! The watcher is believed, the operator is not. It must never mix two deployments: a watcher of another framework is refused before
//! anything is asked of it.

use super::Common;
use super::evacuate::PendingMerges;
use super::key_source::KeySource;
use super::sent_payments::SentPayments;
use crate::amount::Denomination;
use crate::devnet_file::DevnetFile;
use crate::failure::Failure;
use crate::files::read_text;
use crate::output::Out;
use anyhow::{Context, Result};
use plasma_core::db_update::Utxo;
use plasma_core::wire::{Address, Currency, OutputType, SecretKey, TypedDataDomain, UtxoPos};
use plasma_eth::{
    ADDRESS_FILE_BYTES_MAX, Deployment, ErrorKind, EthConfig, EthersRootChain, Receipt,
    RootChainClient, RootChainError, RpcUrl, SentTransaction,
};
use plasma_rpc::client::{ClientConfig, ClientError, HttpRpcClient};
use plasma_rpc::codes;
use plasma_rpc::params::NoParams;
use plasma_rpc::watcher::{
    ACCOUNT_GET_EXITABLE_UTXOS, AccountParams, ExitableUtxo, STATUS_GET, Status,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The root chain's node when nothing else is said.
pub(crate) const DEFAULT_RPC_URL: &str = "http://127.0.0.1:8545";
const DEFAULT_CHILD_CHAIN_URL: &str = "http://127.0.0.1:9656";
const DEFAULT_WATCHER_URL: &str = "http://127.0.0.1:7434";
/// Longest wait for an answer of operator or watcher.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause between two looks at something that is waited for.
const POLL: Duration = Duration::from_millis(300);

/// Outputs of one owner.
pub(super) type Utxos = BTreeMap<UtxoPos, Utxo>;

/// Which deployment, and where its nodes are.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) deployment: Deployment,
    pub(super) rpc_url: RpcUrl,
    pub(super) child_chain_url: String,
    pub(super) watcher_url: String,
    /// The whole file, on a devnet.
    pub(super) devnet: Option<DevnetFile>,
    /// Where it was read.
    file: PathBuf,
}

impl Network {
    /// Flags and environment come before the file, the file before defaults.
    fn load(common: &Common) -> Result<Self> {
        let path = match &common.network {
            Some(path) => path.clone(),
            None => find_devnet()?.ok_or_else(|| {
                Failure::new("network:missing", "no network was chosen and there is no devnet here")
                    .next("give --network with an address file or a devnet.json, or start a devnet with `penning devnet`")
            })?,
        };
        Self::read(&path)?.with_flags(common)
    }

    fn read(path: &Path) -> Result<Self> {
        let text = read_text(path, ADDRESS_FILE_BYTES_MAX)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        let network = Self::from_json(&text);
        let network = network.with_context(|| format!("network file {}", path.display()))?;
        Ok(Self { file: path.to_owned(), ..network })
    }

    fn from_json(text: &str) -> Result<Self> {
        let value: serde_json::Value = serde_json::from_str(text)
            .map_err(|_| Failure::new("network:bad_file", "this is not JSON"))?;
        if value.get("accounts").is_some() {
            let devnet = DevnetFile::from_json(text)?;
            return Ok(Self {
                deployment: devnet.deployment.clone(),
                rpc_url: devnet.rpc_url.clone(),
                child_chain_url: devnet.child_chain_url.clone(),
                watcher_url: devnet.watcher_url.clone(),
                devnet: Some(devnet),
                file: PathBuf::new(),
            });
        }
        Ok(Self {
            deployment: Deployment::from_json(text)?,
            rpc_url: DEFAULT_RPC_URL.parse()?,
            child_chain_url: DEFAULT_CHILD_CHAIN_URL.to_owned(),
            watcher_url: DEFAULT_WATCHER_URL.to_owned(),
            devnet: None,
            file: PathBuf::new(),
        })
    }

    fn with_flags(mut self, common: &Common) -> Result<Self> {
        if let Some(url) = &common.rpc_url {
            self.rpc_url = url.parse().context("--rpc-url")?;
        }
        if let Some(url) = &common.child_chain_url {
            self.child_chain_url.clone_from(url);
        }
        if let Some(url) = &common.watcher_url {
            self.watcher_url.clone_from(url);
        }
        Ok(self)
    }
}

fn find_devnet() -> Result<Option<PathBuf>> {
    let here = std::env::current_dir().context("the current folder is unknown")?;
    Ok(DevnetFile::find(&here))
}

/// The devnet that the options name, for commands that need no network.
pub(super) fn devnet_of(common: &Common) -> Result<Option<DevnetFile>> {
    let path = match (&common.network, common.account) {
        (Some(path), _) => Some(path.clone()),
        (None, Some(_)) => find_devnet()?,
        (None, None) => None,
    };
    path.map_or(Ok(None), |path| Ok(Network::read(&path)?.devnet))
}

/// A wallet that is connected.
pub(super) struct Session {
    pub(super) common: Common,
    pub(super) out: Out,
    pub(super) network: Network,
    pub(super) root_chain: RootChainClient,
    /// For reading events and blocks.
    pub(super) reader: EthersRootChain,
    pub(super) child_chain: HttpRpcClient,
    pub(super) watcher: HttpRpcClient,
    /// What was signed here, for the day on which the operator is silent.
    pub(super) sent_payments: SentPayments,
    /// Merges of evacuations that no block is known to hold.
    pub(super) merges: PendingMerges,
}

impl Session {
    /// Prepares everything; makes no call yet.
    pub(super) fn open(common: &Common, out: Out) -> Result<Self> {
        let network = Network::load(common)?;
        let config = EthConfig::new(network.rpc_url.clone());
        let client = |url: &str| {
            let mut config = ClientConfig::new(url);
            config.call_timeout = CALL_TIMEOUT;
            HttpRpcClient::new(config)
        };
        let framework = network.deployment.addresses.plasma_framework;
        Ok(Self {
            common: common.clone(),
            out,
            sent_payments: SentPayments::beside(&network.file, framework),
            merges: PendingMerges::beside(&network.file, framework),
            root_chain: RootChainClient::new(config.clone(), &network.deployment)?,
            reader: EthersRootChain::new(config, &network.deployment, None)?,
            child_chain: client(&network.child_chain_url).context("--child-chain-url")?,
            watcher: client(&network.watcher_url).context("--watcher-url")?,
            network,
        })
    }

    /// How the node is reached, for powers over a development node.
    pub(super) fn eth_config(&self) -> EthConfig {
        EthConfig::new(self.network.rpc_url.clone())
    }

    /// The key that the options choose. May ask for a password.
    pub(super) fn key(&self) -> Result<SecretKey> {
        KeySource::of(&self.common)?.open(&self.common, self.network.devnet.as_ref())
    }

    /// The account that is looked at: the one given, else that of the key.
    pub(super) fn account(&self, given: Option<Address>) -> Result<Address> {
        match given {
            Some(address) => Ok(address),
            None => {
                KeySource::of(&self.common)?.address(&self.common, self.network.devnet.as_ref())
            }
        }
    }

    /// What payments are signed under.
    pub(super) fn domain(&self) -> TypedDataDomain {
        TypedDataDomain::new(self.network.deployment.addresses.plasma_framework)
    }

    /// What the watcher says; refused when it watches another deployment.
    pub(super) async fn status(&self) -> Result<Status> {
        let status = self.watcher.call(&STATUS_GET, &NoParams {}).await?;
        let (ours, theirs) = (
            self.network.deployment.addresses.plasma_framework,
            status.contract_addr.plasma_framework,
        );
        if ours != theirs {
            return Err(Failure::new(
                "network:other_deployment",
                format!(
                    "the watcher watches framework {theirs:?}, not {ours:?} of the network file"
                ),
            )
            .next("check --watcher-url and --network")
            .into());
        }
        Ok(status)
    }

    /// Refuses a watcher of another deployment. One that is in trouble of its own still answers about outputs and exits, so that is no
    /// reason to refuse.
    pub(super) async fn check_deployment(&self) -> Result<()> {
        match self.status().await {
            Err(error) if is_unavailable(&error) => {
                self.out.progress(format!("WARNING: the watcher may be behind: {error:#}"));
                Ok(())
            }
            other => other.map(drop),
        }
    }

    /// The outputs of an owner that the watcher knows and that are not exiting.
    pub(super) async fn utxos(&self, owner: Address) -> Result<Utxos> {
        let params = AccountParams { address: owner };
        let listed = self.watcher.call(&ACCOUNT_GET_EXITABLE_UTXOS, &params).await;
        let listed = listed.context("the watcher does not tell what this account has")?;
        listed.iter().map(|utxo| own_utxo(utxo, owner)).collect()
    }

    /// A currency that must be known to be counted in whole units.
    pub(super) async fn denomination(&self, currency: Currency) -> Result<Denomination> {
        let metadata = self.root_chain.token_metadata(currency).await;
        match metadata {
            Ok(metadata) => {
                let known = Some((metadata.symbol, metadata.decimals));
                Ok(Denomination { currency, known })
            }
            Err(error) if is_silence(&error) => Err(error.into()),
            // No token, or one that does not tell, in whatever way: its amounts are numbers.
            Err(_) => Ok(Denomination { currency, known: None }),
        }
    }

    /// The denominations of these currencies, each asked for once.
    pub(super) async fn denominations(
        &self,
        currencies: impl IntoIterator<Item = Currency>,
    ) -> Result<BTreeMap<Currency, Denomination>> {
        let mut known = BTreeMap::new();
        for currency in currencies {
            if let std::collections::btree_map::Entry::Vacant(entry) = known.entry(currency) {
                entry.insert(self.denomination(currency).await?);
            }
        }
        Ok(known)
    }

    /// Waits for a transaction of ours, which must succeed.
    pub(super) async fn mined(&self, sent: SentTransaction) -> Result<Receipt> {
        self.out.progress(format!("  sent {:?}, waiting for the root chain", sent.txhash));
        Ok(self.root_chain.confirm(&sent, 1, |_| {}).await?.success()?)
    }
}

fn is_unavailable(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::Api(body)) => body.code == codes::SERVICE_UNAVAILABLE.code,
        _ => false,
    }
}

/// Whether nobody answers. A token that burns all gas, answers without end or makes the node fail is a token's own trouble, and must not
/// keep anybody's money in.
fn is_silence(error: &RootChainError) -> bool {
    use plasma_eth::RootChainCause as Cause;
    matches!(error.cause(), Cause::Unreachable(_) | Cause::Timeout { .. })
}

/// An output in the core's words. The watcher is believed, but a mix-up of owners would be signed for.
fn own_utxo(listed: &ExitableUtxo, owner: Address) -> Result<(UtxoPos, Utxo)> {
    let output_type = OutputType::from_number(listed.otype.into());
    let (Some(output_type), true) = (output_type, listed.owner == owner) else {
        return Err(Failure::new(
            "watcher:malformed_answer",
            format!(
                "the watcher lists output {}, which is of another owner or kind",
                listed.utxo_pos
            ),
        )
        .into());
    };
    Ok((listed.utxo_pos, Utxo { output_type, currency: listed.currency, amount: listed.amount }))
}

/// Looks again and again until there is an answer. Errors that pass are waited out.
pub(super) async fn wait_for<T>(
    what: &str,
    timeout: Duration,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        let trouble = match look().await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => None,
            Err(error) if is_transient(&error) => Some(error),
            Err(error) => return Err(error),
        };
        if started.elapsed() >= timeout {
            let message = format!("waited {} s for {what}", timeout.as_secs());
            let failure = Failure::new("timeout", message)
                .next("look at the watcher's status.get and its log, or wait longer");
            return Err(match trouble {
                Some(error) => error.context(failure.to_string()),
                None => failure.into(),
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

fn is_transient(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let of_node = cause.downcast_ref::<ClientError>().is_some_and(ClientError::is_transient);
        let of_chain = cause
            .downcast_ref::<RootChainError>()
            .is_some_and(|error| error.kind() == ErrorKind::Transient);
        of_node || of_chain
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devnet_file;
    use crate::wallet::key_source::tests::common as no_flags;
    use plasma_core::wire::{Blknum, ETH, OutputIndex, TxIndex, U256};

    #[test]
    fn flags_come_before_the_file_and_the_file_before_defaults() {
        let devnet = devnet_file::tests::devnet();
        let address_file = devnet.deployment.to_json();
        let network = Network::from_json(&address_file).unwrap();
        assert_eq!(network.watcher_url, DEFAULT_WATCHER_URL);
        assert_eq!(network.deployment, devnet.deployment);
        assert!(network.devnet.is_none());

        let flags = Common {
            rpc_url: Some("http://localhost:1/".to_owned()),
            watcher_url: Some("http://w".to_owned()),
            ..no_flags()
        };
        let network = network.with_flags(&flags).unwrap();
        assert_eq!(network.rpc_url.reveal(), "http://localhost:1/");
        assert_eq!(network.watcher_url, "http://w");
        assert_eq!(network.child_chain_url, DEFAULT_CHILD_CHAIN_URL);
    }

    #[test]
    fn a_devnet_file_brings_accounts_and_urls() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("devnet.json");
        let mut devnet = devnet_file::tests::devnet();
        devnet.watcher_url = "http://elsewhere".to_owned();
        devnet.write(&path).unwrap();
        let network = Network::read(&path).unwrap();
        assert_eq!(network.watcher_url, "http://elsewhere");
        assert_eq!(network.devnet.unwrap().accounts.len(), 2);
        assert!(Network::from_json("{}").is_err());
        assert!(Network::from_json("").is_err());
    }

    #[test]
    fn outputs_of_somebody_else_are_not_taken() {
        let owner = Address::repeat_byte(1);
        let utxo = ExitableUtxo {
            blknum: Blknum::new(1),
            txindex: TxIndex::new(0),
            oindex: OutputIndex::new(0),
            otype: 1,
            owner,
            currency: ETH,
            amount: U256::one(),
            utxo_pos: UtxoPos::deposit(Blknum::new(1)),
        };
        assert!(own_utxo(&utxo, owner).is_ok());
        assert!(own_utxo(&utxo, Address::repeat_byte(2)).is_err());
        assert!(own_utxo(&ExitableUtxo { otype: 9, ..utxo }, owner).is_err());
    }

    #[test]
    fn a_token_in_any_trouble_is_a_token_without_a_name() {
        use plasma_eth::RootChainCause as Cause;
        let text = || "x".to_owned();
        for (cause, expected) in [
            (Cause::Unreachable(text()), true),
            (Cause::Timeout { after_ms: 1 }, true),
            (Cause::NoContract(Address::zero()), false),
            (Cause::Malformed(text()), false),
            (Cause::NodeTrouble { code: -32000, message: "out of gas".to_owned() }, false),
            (Cause::Refused { code: -32602, message: text() }, false),
            (Cause::AnswerTooLarge { bytes_max: 1 }, false),
        ] {
            let error = RootChainError::new("decimals", "", cause);
            assert_eq!(is_silence(&error), expected, "{error}");
        }
    }

    #[tokio::test]
    async fn waiting_ends_with_the_answer_or_with_what_was_waited_for() {
        let mut looks = 0;
        let found = wait_for("x", Duration::from_secs(5), async || {
            looks += 1;
            Ok((looks == 2).then_some(looks))
        });
        assert_eq!(found.await.unwrap(), 2);
        let never = wait_for("the moon", Duration::ZERO, async || Ok(None::<()>));
        assert_eq!(never.await.unwrap_err().to_string(), "waited 0 s for the moon");
    }
}
