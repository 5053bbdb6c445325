//! `penning wallet`: what users do. The command line of the wallet, and who does what.
//!
//! It must never send money on a chain that the watcher calls unsafe, never guess a unit, and never print a key. Pure plans
//! (`payments`, `exits`, `progress`, `in_flight_plan`, `remedies`, `packs`,
//! `tour::books`) are apart from the commands that carry them out.

mod blocks;
mod catching_up;
mod challenge;
mod credit;
mod deposit;
mod evacuate;
mod exit;
mod exit_data;
mod exit_lines;
mod exit_pack;
mod exit_process;
mod exits;
mod exits_command;
mod in_flight;
mod in_flight_data;
mod in_flight_plan;
mod in_flight_start;
mod keeping;
mod key;
mod key_source;
mod look;
mod merging;
mod packs;
mod pay;
mod payments;
mod progress;
mod remedies;
mod sent_payments;
mod session;
mod signed_away;
mod status;
mod tour;
mod tx_name;
mod verify_proof;
mod view;

pub(crate) use evacuate::MERGES_FILES;
pub(crate) use keeping::Unconfirmed;
pub(crate) use sent_payments::SENT_PAYMENTS_FILES;
pub(crate) use session::DEFAULT_RPC_URL;
pub(crate) use view::digits;

use crate::output::Out;
use anyhow::Result;
use clap::{Args, Subcommand};
use session::Session;
use std::path::PathBuf;

/// Options of all wallet commands, and the command.
#[derive(Args)]
pub(crate) struct WalletArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    command: WalletCommand,
}

/// Options of all wallet commands.
#[derive(Args, Clone)]
#[command(next_help_heading = "Options of all wallet commands")]
pub(crate) struct Common {
    /// Address file of the deployment, or a devnet.json; else .penning/devnet.json in this folder or one above
    #[arg(long, global = true, env = "PENNING_NETWORK", value_name = "FILE")]
    pub(crate) network: Option<PathBuf>,
    /// The root chain's node (JSON-RPC over HTTP)
    #[arg(
        long,
        global = true,
        env = "PENNING_RPC_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(crate) rpc_url: Option<String>,
    /// The operator's node
    #[arg(
        long,
        global = true,
        env = "PENNING_CHILD_CHAIN_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(crate) child_chain_url: Option<String>,
    /// The watcher: the node you trust to tell you what is true
    #[arg(
        long,
        global = true,
        env = "PENNING_WATCHER_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(crate) watcher_url: Option<String>,
    /// Use the key in this encrypted file [env: PENNING_KEYSTORE]
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "account")]
    pub(crate) keystore: Option<PathBuf>,
    /// Use this account of devnet.json, counted from 0 [env: PENNING_ACCOUNT]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) account: Option<usize>,
    /// File with the keystore's password; else PENNING_PASSWORD or a prompt
    #[arg(long, global = true, env = "PENNING_PASSWORD_FILE", value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Print one JSON document; amounts and positions in it are strings of digits
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What users do.
#[derive(Subcommand)]
enum WalletCommand {
    /// Make, import and look at keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Put ETH or tokens from the root chain on the child chain
    Deposit(deposit::DepositArgs),
    /// What an account has, by currency
    Balance(look::BalanceArgs),
    /// The single outputs an account has
    Utxos(look::UtxosArgs),
    /// Pay one or more receivers
    Pay(pay::PayArgs),
    /// Join small outputs of one currency into one; free of charge
    ///
    /// At most four become one at a time. Before a round spends what the last one made, the watcher must list it: about a block each.
    Merge(pay::MergeArgs),
    /// How far a transaction is: pending, in a block, submitted, final
    Status(status::StatusArgs),
    /// What an answer of `proof.get` proves, without asking anybody; with --on-root-chain only the contract
    VerifyProof(verify_proof::VerifyProofArgs),
    /// Take money back to the root chain
    Exit(Box<exit::ExitArgs>),
    /// How far all exits of an account are: phase, time left, place in the queue, bond, and what to do next
    Exits(exits_command::ExitsArgs),
    /// Make the proof file with which outputs exit when operator and watcher are gone
    ExitPack(exit_pack::ExitPackArgs),
    /// Leave with everything: merge while that is safe, exit what is worth it, in the best order
    ///
    /// Prints the plan and carries it out without asking. It can be stopped at any point and run again: it continues.
    Evacuate(evacuate::EvacuateArgs),
    /// Stop an exit that must not be paid, and earn its bond
    Challenge(challenge::ChallengeArgs),
    /// Payouts and bonds that could not be delivered and wait for you
    Credit(credit::CreditArgs),
    /// Withdraw a payout or bond that could not be delivered
    WithdrawCredit(credit::WithdrawCreditArgs),
    /// The whole story on a devnet, told step by step, with every balance checked
    Tour(tour::TourArgs),
}

impl WalletArgs {
    /// Does what was asked.
    pub(crate) async fn run(self) -> Result<()> {
        let out = Out::new(self.common.json);
        let session = || Session::open(&self.common, out);
        // Each future is large; boxed, so that the others do not pay for the largest.
        match self.command {
            WalletCommand::Key(command) => command.run(&self.common, out),
            WalletCommand::Deposit(args) => Box::pin(args.run(&session()?)).await,
            WalletCommand::Balance(args) => Box::pin(args.run(&session()?)).await,
            WalletCommand::Utxos(args) => Box::pin(args.run(&session()?)).await,
            WalletCommand::Pay(args) => Box::pin(args.run(&session()?)).await,
            WalletCommand::Merge(args) => Box::pin(args.run(&session()?)).await,
            WalletCommand::Status(args) => Box::pin(args.run(&session()?)).await,
            WalletCommand::VerifyProof(args) => Box::pin(args.run(&self.common, out)).await,
            WalletCommand::Exit(args) => Box::pin(args.run(&session()?)).await,
            WalletCommand::ExitPack(args) => Box::pin(args.run(&session()?)).await,
            WalletCommand::Exits(args) => Box::pin(args.run(&session()?)).await,
            WalletCommand::Evacuate(args) => Box::pin(args.run(&session()?)).await,
            WalletCommand::Challenge(args) => Box::pin(args.run(&session()?)).await,
            WalletCommand::Credit(args) => Box::pin(args.run(&session()?)).await,
            WalletCommand::WithdrawCredit(args) => Box::pin(args.run(&session()?)).await,
            WalletCommand::Tour(args) => Box::pin(args.run(session()?)).await,
        }
    }
}
