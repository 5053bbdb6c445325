//! The command line: one line per command. `--help` is the documentation.

use crate::bench::BenchArgs;
use crate::contracts::ContractsCommand;
use crate::devnet::DevnetArgs;
use crate::drill::DrillArgs;
use crate::nodes::{ChildChainArgs, WatcherArgs, run_system};
use crate::openapi::OpenapiArgs;
use crate::wallet::WalletArgs;
use crate::watch::WatchArgs;
use crate::watcher_db::WatcherDbCommand;
use anyhow::{Context, Result};
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use plasma_node::telemetry::{LogFormat, init_logging};
use std::future::Future;

/// Environment variable with the log filter, in the language of `RUST_LOG`.
const LOG_ENV: &str = "PENNING_LOG";

/// Penning: a payment network whose operator cannot steal.
///
/// Options are taken from flags, then from the environment (PENNING_...), then from files, then from defaults. Private keys and
/// passwords are never taken from flags.
#[derive(Parser)]
#[command(name = "penning", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What can be done.
#[derive(Subcommand)]
pub(crate) enum Command {
    Devnet(DevnetArgs),
    ChildChain(Box<ChildChainArgs>),
    Watcher(Box<WatcherArgs>),
    /// Look at a watcher's database, prove that it is right, or build it again
    #[command(subcommand)]
    WatcherDb(WatcherDbCommand),
    /// Deploy the contracts on the root chain
    #[command(subcommand)]
    Contracts(ContractsCommand),
    /// Deposit, pay, look, exit
    ///
    /// The key comes from a keystore (--keystore), an account of a devnet (--account), or the environment: PENNING_PRIVATE_KEY,
    /// PENNING_KEYSTORE or PENNING_ACCOUNT. On a devnet, `penning wallet tour` tells the whole story.
    ///
    /// With --json, exactly one JSON document is printed, also when a command fails: {"error": {"code", "message", "next"}}, with the
    /// signed "txbytes" of a payment that was perhaps sent. The exit code is 0 when it worked, 1 when it failed, and 2 when
    /// the command line cannot be understood.
    Wallet(Box<WalletArgs>),
    Watch(WatchArgs),
    Bench(BenchArgs),
    Drill(DrillArgs),
    Openapi(OpenapiArgs),
    /// Print a completion script for a shell
    ///
    /// For bash: `penning completions bash > ~/.local/share/bash-completion/completions/penning`
    Completions {
        /// Which shell
        shell: Shell,
    },
}

impl Command {
    /// Whether scripts read what it prints.
    pub(crate) fn is_json(&self) -> bool {
        match self {
            Self::Devnet(args) => args.json,
            Self::ChildChain(_) | Self::Watcher(_) => false,
            Self::WatcherDb(command) => command.is_json(),
            Self::Contracts(command) => command.is_json(),
            Self::Wallet(args) => args.common.json,
            Self::Watch(args) => args.json,
            Self::Bench(args) => args.json,
            Self::Drill(args) => args.json,
            Self::Openapi(_) | Self::Completions { .. } => false,
        }
    }
}

impl Cli {
    /// Does what was asked.
    pub(crate) fn run(self) -> Result<()> {
        match self.command {
            Command::Devnet(args) => args.run(),
            Command::ChildChain(args) => args.run(),
            Command::Watcher(args) => args.run(),
            Command::WatcherDb(command) => run_system(command.run()),
            Command::Contracts(command) => wait_for(command.run()),
            Command::Wallet(args) => wait_for(args.run()),
            Command::Watch(args) => wait_for(args.run()),
            Command::Bench(args) => args.run(),
            Command::Drill(args) => args.run(),
            Command::Openapi(args) => args.run(),
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Self::command(), "penning", &mut script);
                crate::output::Out::new(false).tell(String::from_utf8_lossy(&script).trim_end());
                Ok(())
            }
        }
    }
}

/// Runs a command that is over when it has answered. Logs are for trouble only, unless asked for.
fn wait_for(command: impl Future<Output = Result<()>>) -> Result<()> {
    let filter = std::env::var(LOG_ENV).unwrap_or_else(|_| "warn".to_owned());
    init_logging(LogFormat::Text, &filter).context("logging cannot be started")?;
    let runtime = tokio::runtime::Runtime::new().context("the runtime cannot be started")?;
    runtime.block_on(command)
}

#[cfg(test)]
mod told_commands;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    fn check(line: &str, is_fine: bool) {
        let parsed = Cli::try_parse_from(line.split(' '));
        assert_eq!(parsed.is_ok(), is_fine, "{line}: {:?}", parsed.err().map(|e| e.to_string()));
    }

    #[test]
    fn lines_are_taken_or_refused() {
        let alice = "0x1111111111111111111111111111111111111111";
        for (line, is_fine) in [
            ("penning completions bash", true),
            ("penning completions cobol", false),
            ("penning contracts deploy --min-exit-period-s 120 --out a.json", true),
            ("penning contracts deploy --out a.json", false),
            ("penning contracts deploy --min-exit-period-s 1 --out a.json", false),
            ("penning wallet balance --account 1 --json", true),
            ("penning wallet --json --account 1 balance", true),
            ("penning wallet balance --account 1 --keystore k", false),
            ("penning wallet deposit 1.5", true),
            ("penning wallet deposit 1.5 --currency eth --wait", true),
            ("penning wallet deposit 1.5 --currency doge", false),
            ("penning wallet deposit", false),
            (&format!("penning wallet pay --to {alice}:1 --to {alice}:2:{alice}"), true),
            (&format!("penning wallet pay --to {alice}"), false),
            ("penning wallet pay", false),
            ("penning wallet merge --currency eth", true),
            ("penning wallet status 1000:0:0", true),
            (&format!("penning wallet status 0x{}", "1".repeat(64)), true),
            ("penning wallet status 1000:0", false),
            ("penning wallet exit start 1000:0:0 --force", true),
            ("penning wallet exit start", false),
            ("penning wallet exit status", true),
            ("penning wallet exit status 1000:0:0", true),
            ("penning wallet exit process --currency eth", true),
            ("penning wallet exit process", false),
            ("penning wallet challenge 1000:0:0", true),
            ("penning wallet credit", true),
            (&format!("penning wallet withdraw-credit --from eth-vault --to {alice}"), true),
            ("penning wallet key create --out k", true),
            ("penning wallet key import --out k", true),
            ("penning wallet key show k", true),
            ("penning wallet tour", true),
            ("penning bench --quick --json --out performance.md", true),
            ("penning drill --json --anvil anvil", true),
            ("penning drill withhold", false),
            ("penning openapi --out priv/openapi", true),
            ("penning openapi", false),
            ("penning bench --exits --quick", true),
            ("penning watcher-db rebuild --network a.json --data-dir w", true),
            ("penning watcher-db check --network a.json --data-dir w --json", true),
            ("penning watcher-db status --json", true),
            ("penning watcher-db", false),
            ("penning bench --subscribers 10000", true),
            ("penning bench --subscribers 0", false),
            ("penning bench --exits --subscribers 10", false),
            ("penning watch blocks status --from 1 --json", true),
            (&format!("penning watch transfer:{alice} --from blknum:1000 --count 1"), true),
            ("penning watch blocks exits --place blocks:5,exits:0", true),
            ("penning watch blocks --place 5", false),
            ("penning watch", false),
            ("penning watch nonsense", false),
            ("penning watch blocks --from yesterday", false),
            ("penning", false),
        ] {
            check(line, is_fine);
        }
    }

    #[test]
    fn no_flag_takes_a_secret() {
        fn walk(command: &clap::Command, found: &mut Vec<String>) {
            let names = command.get_arguments().filter_map(clap::Arg::get_long);
            found.extend(names.map(str::to_owned));
            command.get_subcommands().for_each(|sub| walk(sub, found));
        }
        let mut flags = Vec::new();
        walk(&Cli::command(), &mut flags);
        for flag in flags {
            let names_a_file = flag.ends_with("-file") || flag.ends_with("keystore");
            let is_secret = ["key", "password", "secret"].iter().any(|word| flag.contains(word));
            assert!(!is_secret || names_a_file, "--{flag}");
        }
    }
}
