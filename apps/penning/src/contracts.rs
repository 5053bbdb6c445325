//! `penning contracts deploy`: the whole system on any node, with three keys that do not do each other's work.
//!
//! It must never deploy where the address file cannot be written, and never write over one: a deployment whose addresses are lost is
//! lost. Nothing is undone when it fails; run it again with a fresh authority.

use crate::amount::Denomination;
use crate::failure::Failure;
use crate::files::write_private;
use crate::output::Out;
use crate::secrets::{environment, key_file, open_keystore, parse_key};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use plasma_core::wire::SecretKey;
use plasma_eth::{DeployRequest, Deployment, EthConfig, RpcUrl, deploy};
use serde::{Serialize, Serializer};
use std::fmt;
use std::path::{Path, PathBuf};

/// Shortest exit period the contracts take, in seconds (docs/protocol/contracts.md, section 8).
const MIN_EXIT_PERIOD_S_MIN: u64 = 2;
/// Longest exit period the contracts take, in seconds: ten years.
const MIN_EXIT_PERIOD_S_MAX: u64 = 315_360_000;

/// What the contracts call themselves: the interface they implement, and our version.
pub(crate) fn contract_semver() -> String {
    format!("1.0.5+penning.{}", env!("CARGO_PKG_VERSION"))
}

/// What can be done with contracts.
#[derive(Subcommand)]
pub(crate) enum ContractsCommand {
    /// Deploy and register the whole system, and write the address file
    ///
    /// Needs three keys, each from one of: a keystore (--ROLE-keystore), a file that holds nothing but the key (--ROLE-key-file), or
    /// the environment (PENNING_DEPLOYER_KEY, PENNING_MAINTAINER_KEY, PENNING_AUTHORITY_KEY).
    ///
    /// The deployer pays for the contracts and keeps no power over them. The maintainer registers vaults and exit games. The
    /// authority submits blocks; it must not have sent any transaction before.
    Deploy(Box<DeployArgs>),
}

/// What to deploy, and by whom.
#[derive(Args)]
pub(crate) struct DeployArgs {
    /// The root chain's node (JSON-RPC over HTTP)
    #[arg(long, env = "PENNING_RPC_URL", hide_env_values = true, value_name = "URL", default_value = crate::wallet::DEFAULT_RPC_URL)]
    rpc_url: String,
    /// The time unit of exits in seconds: a week (604800) in production. It can never be changed
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(MIN_EXIT_PERIOD_S_MIN..=MIN_EXIT_PERIOD_S_MAX))]
    min_exit_period_s: u64,
    /// Where to write the addresses; must not exist yet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Keystore of the deployer
    #[arg(long, value_name = "FILE", conflicts_with = "deployer_key_file")]
    deployer_keystore: Option<PathBuf>,
    /// File with the deployer's private key
    #[arg(long, value_name = "FILE")]
    deployer_key_file: Option<PathBuf>,
    /// Keystore of the maintainer
    #[arg(long, value_name = "FILE", conflicts_with = "maintainer_key_file")]
    maintainer_keystore: Option<PathBuf>,
    /// File with the maintainer's private key
    #[arg(long, value_name = "FILE")]
    maintainer_key_file: Option<PathBuf>,
    /// Keystore of the authority
    #[arg(long, value_name = "FILE", conflicts_with = "authority_key_file")]
    authority_keystore: Option<PathBuf>,
    /// File with the authority's private key
    #[arg(long, value_name = "FILE")]
    authority_key_file: Option<PathBuf>,
    /// File with the password of all keystores; else PENNING_ROLE_PASSWORD, PENNING_PASSWORD or a prompt
    #[arg(long, env = "PENNING_PASSWORD_FILE", value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// ETH that the deployer gives to maintainer and authority where they have less
    #[arg(long, value_name = "ETH", default_value = "0")]
    funding: String,
    /// Also deploy an ERC-20 token that anyone can mint. For test networks only
    #[arg(long)]
    test_token: bool,
    /// What the contracts call themselves
    #[arg(long, value_name = "VERSION", default_value_t = contract_semver())]
    contract_semver: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl ContractsCommand {
    /// Whether scripts read what it prints.
    pub(crate) const fn is_json(&self) -> bool {
        let Self::Deploy(args) = self;
        args.json
    }

    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        let Self::Deploy(args) = self;
        args.run().await
    }
}

/// A key of one role may come from a keystore, a file or the environment.
pub(crate) struct Role<'a> {
    /// Who, as in flags and the environment.
    pub(crate) name: &'static str,
    /// An encrypted file.
    pub(crate) keystore: Option<&'a Path>,
    /// A file that holds nothing but the key.
    pub(crate) key_file: Option<&'a Path>,
}

impl Role<'_> {
    /// Reads it.
    pub(crate) fn key(&self, password_file: Option<&Path>) -> Result<SecretKey> {
        let upper = self.name.to_uppercase();
        let key = match (self.keystore, self.key_file) {
            (Some(path), _) => {
                let own = format!("PENNING_{upper}_PASSWORD");
                open_keystore(path, password_file, &[&own, crate::secrets::PASSWORD_ENV])
            }
            (None, Some(path)) => key_file(path),
            (None, None) => {
                let name = format!("PENNING_{upper}_KEY");
                let text = environment(&name).ok_or_else(|| {
                    Failure::new("key:missing", format!("the {} has no key", self.name)).next(
                        format!(
                            "give --{0}-keystore FILE or --{0}-key-file FILE, or set {name}",
                            self.name
                        ),
                    )
                })?;
                parse_key(&text).context(name)
            }
        };
        key.with_context(|| format!("the {}'s key cannot be used", self.name))
    }
}

impl DeployArgs {
    async fn run(self) -> Result<()> {
        let out = Out::new(self.json);
        let rpc_url: RpcUrl = self.rpc_url.parse().context("--rpc-url")?;
        let request = self.request()?;
        check_out(&self.out)?;
        out.progress(format!("deploying through {rpc_url}"));
        let deployed =
            deploy(EthConfig::new(rpc_url), &request, |step| out.progress(format!("  {step}")));
        let deployment = deployed.await.context("the deployment did not complete")?;
        let text = deployment.to_json();
        write_private(&self.out, &text).with_context(|| {
            format!("{} cannot be written; keep this text: {text}", self.out.display())
        })?;
        out.finish(&Deployed { deployment, out: self.out })
    }

    fn request(&self) -> Result<DeployRequest> {
        let role = |name, keystore: &Option<PathBuf>, key_file: &Option<PathBuf>| {
            Role { name, keystore: keystore.as_deref(), key_file: key_file.as_deref() }
                .key(self.password_file.as_deref())
        };
        let funding_wei = Denomination::eth().parse(&self.funding, false).context("--funding")?;
        let request = DeployRequest {
            deployer: role("deployer", &self.deployer_keystore, &self.deployer_key_file)?,
            maintainer: role("maintainer", &self.maintainer_keystore, &self.maintainer_key_file)?,
            authority: role("authority", &self.authority_keystore, &self.authority_key_file)?,
            min_exit_period_s: self.min_exit_period_s,
            contract_semver: self.contract_semver.clone(),
            funding_wei,
            with_test_token: self.test_token,
        };
        check_separate(&request)?;
        Ok(request)
    }
}

/// Power is divided among the three for a reason.
fn check_separate(request: &DeployRequest) -> Result<(), Failure> {
    let [deployer, maintainer, authority] =
        [&request.deployer, &request.maintainer, &request.authority].map(SecretKey::address);
    if deployer == maintainer || maintainer == authority || deployer == authority {
        return Err(Failure::new(
            "deploy:shared_key",
            "two of deployer, maintainer and authority have the same key",
        )
        .next("use three keys: `penning wallet key create --out FILE` makes one"));
    }
    Ok(())
}

fn check_out(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    if path.exists() {
        return Err(Failure::new("deploy:out_exists", format!("{shown} exists already"))
            .next("choose another --out: the addresses of a deployment are not written over"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(Failure::new(
            "deploy:no_folder",
            format!("the folder of {shown} does not exist"),
        )
        .next("make the folder first"));
    }
    Ok(())
}

/// What `deploy` prints.
struct Deployed {
    deployment: Deployment,
    out: PathBuf,
}

impl Serialize for Deployed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shape<'a> {
            out: &'a Path,
            deployment: serde_json::Value,
        }
        let deployment = serde_json::from_str(&self.deployment.to_json());
        let deployment = deployment.map_err(serde::ser::Error::custom)?;
        Shape { out: &self.out, deployment }.serialize(serializer)
    }
}

impl fmt::Display for Deployed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deployment = &self.deployment;
        let addresses = &deployment.addresses;
        writeln!(f, "deployed on chain {} and activated", deployment.chain_id)?;
        writeln!(f, "  plasma_framework   {:?}", addresses.plasma_framework)?;
        writeln!(f, "  eth_vault          {:?}", addresses.eth_vault)?;
        writeln!(f, "  erc20_vault        {:?}", addresses.erc20_vault)?;
        writeln!(f, "  payment_exit_game  {:?}", addresses.payment_exit_game)?;
        if let Some(token) = deployment.erc20_token {
            writeln!(f, "  erc20_token        {token:?}")?;
        }
        writeln!(f, "  authority          {:?}", deployment.authority)?;
        write!(f, "address file: {}", self.out.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devnet_file;

    #[test]
    fn the_answer_for_scripts_has_the_keys_of_the_address_file() {
        let deployment = devnet_file::tests::devnet().deployment;
        let shown = Deployed { deployment: deployment.clone(), out: "a.json".into() };
        let json = serde_json::to_value(&shown).unwrap();
        assert_eq!(json["out"], "a.json");
        let text = json["deployment"].to_string();
        assert_eq!(Deployment::from_json(&text).unwrap(), deployment);
        assert!(shown.to_string().ends_with("address file: a.json"));
    }

    #[test]
    fn three_roles_need_three_keys() {
        let devnet = devnet_file::tests::devnet();
        let request = |authority| DeployRequest {
            deployer: devnet.deployer.clone(),
            maintainer: devnet.maintainer.clone(),
            authority,
            min_exit_period_s: 120,
            contract_semver: contract_semver(),
            funding_wei: Default::default(),
            with_test_token: false,
        };
        assert!(check_separate(&request(devnet.authority.clone())).is_ok());
        assert!(check_separate(&request(devnet.deployer.clone())).is_err());
        assert!(check_separate(&request(devnet.maintainer.clone())).is_err());
    }

    #[test]
    fn an_address_file_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        assert!(check_out(&path).is_ok());
        assert!(check_out(Path::new("a-file-beside.json")).is_ok());
        assert!(check_out(&folder.path().join("none/a.json")).is_err());
        std::fs::write(&path, "").unwrap();
        assert!(check_out(&path).is_err());
    }
}
