//! What a devnet says when it is ready: where everything is, who has money, and what to try next.

use crate::devnet_file::DevnetFile;
use anyhow::Result;
use plasma_rpc::json::hex;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::fmt;
use std::path::PathBuf;

/// Text for people; devnet.json for scripts.
pub(super) struct Report<'a> {
    file: &'a DevnetFile,
    json: Box<RawValue>,
    path: PathBuf,
    /// Why the database cannot be used, if so.
    without_database: Option<String>,
}

impl<'a> Report<'a> {
    pub(super) fn new(
        file: &'a DevnetFile,
        path: PathBuf,
        without_database: Option<String>,
    ) -> Result<Self> {
        let json = RawValue::from_string(file.to_json()?)?;
        Ok(Self { file, json, path, without_database })
    }
}

impl Serialize for Report<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DevnetFile { deployment, rpc_url, child_chain_url, watcher_url, .. } = self.file;
        let DevnetFile { watcher_info_url, explorer_url, .. } = self.file;
        let addresses = &deployment.addresses;
        writeln!(f, "\nThe devnet is ready. Everybody knows these keys: no real money, ever.\n")?;
        writeln!(f, "  root chain    {rpc_url}  (chain id {})", deployment.chain_id)?;
        writeln!(f, "  child chain   {child_chain_url}")?;
        writeln!(f, "  watcher       {watcher_url}")?;
        if let (Some(info), Some(explorer)) = (watcher_info_url, explorer_url) {
            writeln!(f, "  informational {info}  (with everything from the database)")?;
            writeln!(f, "  explorer      {explorer}")?;
        }
        if let Some(reason) = &self.without_database {
            writeln!(f, "  database      CANNOT BE USED: {reason}")?;
            writeln!(
                f,
                "    Payments and exits go on without it, and it is tried again. Where that does not help: stop the devnet and"
            )?;
            writeln!(
                f,
                "    run `penning watcher-db rebuild` with the watcher's folder, or let DATABASE_URL name another database."
            )?;
        }
        for (name, address) in [
            ("framework", addresses.plasma_framework),
            ("ETH vault", addresses.eth_vault),
            ("ERC-20 vault", addresses.erc20_vault),
            ("exit game", addresses.payment_exit_game),
        ] {
            writeln!(f, "  {name:<13} {}", hex::encode(address))?;
        }
        if let Some(token) = deployment.erc20_token {
            writeln!(f, "  test token    {}  (anyone may mint)", hex::encode(token))?;
        }
        writeln!(f, "  exit period   {} s\n", deployment.min_exit_period_s)?;
        writeln!(f, "  account  address                                     on the root chain")?;
        for (number, key) in self.file.accounts.iter().enumerate() {
            let address = hex::encode(key.address());
            writeln!(f, "  {number:>7}  {address}  ETH and test tokens")?;
        }
        writeln!(f, "\n  All of this, and the keys: {}\n", self.path.display())?;
        writeln!(f, "What to try next, in another terminal:")?;
        writeln!(f, "  penning wallet tour")?;
        writeln!(f, "  penning wallet --account 0 deposit 1.5 --wait")?;
        if let Some(bob) = self.file.accounts.get(1) {
            let bob = hex::encode(bob.address());
            writeln!(f, "  penning wallet --account 0 pay --to {bob}:0.5 --wait")?;
        }
        writeln!(f, "  penning wallet --account 1 balance")?;
        write!(
            f,
            "\nCtrl-C stops it; the next start continues here, and --fresh forgets everything."
        )
    }
}
