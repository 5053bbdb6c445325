//! `wallet exit`: money back to the root chain.
//!
//! It must never start the exit of a spent output unless it is forced to: the bond would go to whoever challenges (`exit_data.rs`).

use super::exit_data::exiting_output;
use super::exit_process::ProcessArgs;
use super::exits::{EthClock, ExitView, currency_flag, follow};
use super::in_flight::{DeleteArgs, PiggybackArgs, SlotArgs, StartWishes, TX};
use super::session::Session;
use super::tx_name::{TxName, tx_name};
use super::view::{self, AmountView, PositionView, digits};
use crate::failure::Failure;
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use plasma_core::root_chain::EventKind;
use plasma_core::wire::{Address, Currency, EthHeight, ExitId, H256, SecretKey, U256, UtxoPos};
use plasma_eth::{Receipt, RootChain, RootChainError, StartStandardExit};
use plasma_rpc::json::hex;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// Blocks over which the pace of the root chain is measured.
const PACE_ETH_BLOCKS: u64 = 100;

/// What to do about exits, or, in short, which payment to exit.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub(super) struct ExitArgs {
    /// Short for `exit start --in-flight`: take back, or take out, a payment that never appeared in a block
    #[arg(long, value_name = TX, value_parser = tx_name)]
    in_flight: Option<TxName>,
    #[command(subcommand)]
    command: Option<ExitCommand>,
}

/// What can be done about exits.
#[derive(Subcommand)]
enum ExitCommand {
    /// Start the exit of an output of yours, of the outputs in an exit pack, or of a payment that never appeared
    ///
    /// Costs a bond, which comes back with the money. Whoever proves that the output was spent gets the bond, so never spend an
    /// exiting output.
    Start(StartArgs),
    /// Join an in-flight exit with what is yours; who does not join is not paid
    Piggyback(PiggybackArgs),
    /// End an in-flight exit that nobody joined; its bond goes back
    DeleteInFlight(DeleteArgs),
    /// How far exits are: phase, time left, bond and the next step
    Status(StatusArgs),
    /// Pay out exits that are due, yours and others', in the order of the queue
    Process(ProcessArgs),
}

/// Which output.
#[derive(Args)]
pub(super) struct StartArgs {
    /// The output, such as 1000:0:1; with --pack, only this one of the pack
    #[arg(required_unless_present_any = ["pack", "in_flight"], value_parser = crate::parsing::position)]
    position: Option<UtxoPos>,
    /// EXIT ALTHOUGH THE WATCHER REFUSES, OR A PAYMENT SIGNED HERE SPENDS IT. The exit of a spent output can be challenged, and then its
    /// bond is lost
    #[arg(long, conflicts_with = "in_flight")]
    force: bool,
    /// Exit from a file of `penning wallet exit-pack`: asks the root chain only, neither operator nor watcher
    #[arg(long, value_name = "FILE", conflicts_with = "in_flight")]
    pack: Option<PathBuf>,
    /// Exit a payment that never appeared: its hash if it was sent from here, its signed bytes, or a file with them
    #[arg(long, value_name = TX, value_parser = tx_name, conflicts_with = "position")]
    in_flight: Option<TxName>,
    /// Start the in-flight exit for somebody else, and join with nothing
    #[arg(long, requires = "in_flight", conflicts_with_all = ["inputs", "outputs"])]
    no_piggyback: bool,
    /// Start the in-flight exit although an earlier one has ended, or money of the payment has left: all bonds are paid again
    #[arg(long, requires = "in_flight")]
    again: bool,
    #[command(flatten)]
    slots: SlotArgs,
}

/// Which exits.
#[derive(Args)]
pub(super) struct StatusArgs {
    /// The exiting output; else all exits of an account
    #[arg(value_parser = crate::parsing::position)]
    position: Option<UtxoPos>,
    /// Whose exits; else those of the key's account
    #[arg(long, value_parser = crate::parsing::address, conflicts_with = "position")]
    address: Option<Address>,
    /// Look no further back than this root chain block
    #[arg(long, value_name = "ETH_HEIGHT")]
    from_eth_height: Option<u64>,
}

impl ExitArgs {
    /// Does it.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
        match (self.command, self.in_flight) {
            (None, Some(tx)) => {
                session.start_in_flight(&tx, &SlotArgs::default(), StartWishes::USUAL).await
            }
            (Some(command), None) => command.run(session).await,
            _ => Err(Failure::new("usage", "give either a command or --in-flight")
                .next("see `penning wallet exit --help`")
                .into()),
        }
    }
}

impl ExitCommand {
    async fn run(self, session: &Session) -> Result<()> {
        match self {
            Self::Start(args) => args.run(session).await,
            Self::Piggyback(args) => args.run(session).await,
            Self::DeleteInFlight(args) => args.run(session).await,
            Self::Status(args) => args.run(session).await,
            Self::Process(args) => args.run(session).await,
        }
    }
}

/// An exit that was started, and all that this cost.
pub(super) struct Started {
    pub(super) receipt: Receipt,
    pub(super) bond_wei: U256,
    /// The transaction that opened the queue of the currency, if it had none.
    pub(super) queue_added: Option<Receipt>,
    pub(super) currency: Currency,
    pub(super) amount: U256,
}

impl Session {
    /// Starts an exit, after opening the queue of its currency where there is none.
    pub(super) async fn start_exit(
        &self,
        key: &SecretKey,
        exit: &StartStandardExit,
    ) -> Result<Started> {
        let output = exiting_output(exit)?;
        let queue_added = self.open_exit_queue(key, output.currency).await?;
        let bond_wei = self.root_chain.standard_exit_bond_wei().await?;
        self.out
            .progress(format!("starting the exit with a bond of {}", AmountView::wei(bond_wei)));
        let sent = self.root_chain.start_standard_exit(key, exit).await?;
        let receipt = self.mined(sent).await?;
        let (currency, amount) = (output.currency, output.amount);
        Ok(Started { receipt, bond_wei, queue_added, currency, amount })
    }

    /// Opens the queue of a currency where there is none; tells the transaction that did.
    pub(super) async fn open_exit_queue(
        &self,
        key: &SecretKey,
        currency: Currency,
    ) -> Result<Option<Receipt>> {
        if self.root_chain.has_exit_queue(currency).await? {
            return Ok(None);
        }
        self.out.progress("this currency has no exit queue yet: opening it, once for everybody");
        let added = match self.root_chain.add_exit_queue(key, currency).await {
            Ok(sent) => self.mined(sent).await,
            Err(error) => Err(error.into()),
        };
        match added {
            Err(error) if is_queue_there(&error) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Time and pace of the root chain.
    pub(super) async fn clock(&self) -> Result<EthClock> {
        let newest = self.root_chain.newest_block().await?;
        let older = self.root_chain.block(newest.eth_height.minus(PACE_ETH_BLOCKS)).await?;
        let older = older.unwrap_or(newest);
        Ok(EthClock::new(
            (newest.eth_height, newest.timestamp_s),
            (older.eth_height, older.timestamp_s),
        ))
    }

    /// The exits of an owner or of a position, from the events of the root chain.
    pub(super) async fn exits(
        &self,
        is_wanted: impl Fn(UtxoPos, Address) -> bool,
        from: EthHeight,
    ) -> Result<Vec<ExitView>> {
        const KINDS: [EventKind; 3] =
            [EventKind::ExitStarted, EventKind::ExitChallenged, EventKind::ExitFinalized];
        let clock = self.clock().await?;
        let events = self.reader.events(&KINDS, from, clock.eth_height).await?;
        let mut seen = follow(&events);
        seen.retain(|exit| is_wanted(exit.position, exit.owner));
        let ids: Vec<ExitId> = seen.iter().map(|exit| exit.exit_id).collect();
        let records = self.root_chain.standard_exits(&ids).await?;
        let denominations = self.denominations(seen.iter().map(|exit| exit.currency)).await?;
        let mut queues = std::collections::BTreeMap::new();
        for currency in denominations.keys() {
            queues.insert(
                *currency,
                self.root_chain.exit_queue(*currency).await?.unwrap_or_default(),
            );
        }
        let views = seen.iter().zip(&records).filter_map(|(exit, record)| {
            let queue = queues.get(&exit.currency)?;
            let place = queue.iter().position(|priority| priority.exit_id() == exit.exit_id);
            let place = place.map(|index| index.saturating_add(1)).filter(|_| record.is_some());
            Some(exit.view(record.as_ref(), &clock, place, denominations.get(&exit.currency)?))
        });
        Ok(views.collect())
    }
}

/// Somebody else was faster, and it is there.
fn is_queue_there(error: &anyhow::Error) -> bool {
    let refusal = error.downcast_ref::<RootChainError>().and_then(RootChainError::revert);
    refusal.map(plasma_eth::Revert::name) == Some("ExitQueueExists")
}

impl StartArgs {
    async fn run(self, session: &Session) -> Result<()> {
        if let Some(tx) = &self.in_flight {
            let wishes = StartWishes { joins: !self.no_piggyback, again: self.again };
            return session.start_in_flight(tx, &self.slots, wishes).await;
        }
        if !self.slots.is_empty() {
            let message = "--input and --output are for --in-flight";
            return Err(Failure::new("usage", message).into());
        }
        if let Some(pack) = &self.pack {
            return session.start_pack(pack, self.position, self.force).await;
        }
        let position = self.position.context("an output is missing")?;
        let exit = session.exit_to_start(position, self.force).await?;
        let key = session.key()?;
        let started = session.start_exit(&key, &exit).await?;
        let (exit_id, exitable_at_s) =
            started.receipt.started_exit().context("the contract reported no exit")?;
        let denomination = session.denomination(started.currency).await?;
        let (eta_s, eta_eth_height) = session.clock().await?.eta(exitable_at_s);
        session.out.finish(&StartReport {
            txhash: started.receipt.txhash,
            exit_id,
            output: position.into(),
            amount: AmountView::new(&denomination, started.amount),
            bond: AmountView::wei(started.bond_wei),
            exit_queue_added: started.queue_added.is_some(),
            exitable_at_s,
            eta_s,
            eta_eth_height: eta_eth_height.get(),
            next: format!(
                "do not spend this output; in {}, about root chain block {eta_eth_height}: `penning wallet exit process --currency {}`",
                view::duration(eta_s),
                currency_flag(started.currency)
            ),
        })
    }
}

impl StatusArgs {
    async fn run(self, session: &Session) -> Result<()> {
        let deployed_at = session.network.deployment.eth_height;
        let from = self.from_eth_height.map_or(deployed_at, EthHeight::new).max(deployed_at);
        let exits = match self.position {
            Some(wanted) => session.exits(|position, _| position == wanted, from).await?,
            None => {
                let wanted = session.account(self.address)?;
                session.exits(|_, owner| owner == wanted, from).await?
            }
        };
        if let (Some(position), true) = (self.position, exits.is_empty()) {
            return Err(Failure::new(
                "exit:not_found",
                format!("no exit of {position} was ever started"),
            )
            .next(format!("start it with `penning wallet exit start {position}`"))
            .into());
        }
        session.out.finish(&ExitsReport { exits })
    }
}

/// What `start` prints.
#[derive(Serialize)]
struct StartReport {
    #[serde(with = "hex")]
    txhash: H256,
    #[serde(serialize_with = "digits")]
    exit_id: ExitId,
    output: PositionView,
    amount: AmountView,
    bond: AmountView,
    exit_queue_added: bool,
    exitable_at_s: u64,
    eta_s: u64,
    eta_eth_height: u64,
    next: String,
}

impl fmt::Display for StartReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit {} of {} started: {}", self.exit_id, self.output, self.amount)?;
        writeln!(f, "  root chain transaction {}", view::hash(self.txhash))?;
        writeln!(f, "  bond {}, which comes back with the money", self.bond)?;
        if self.exit_queue_added {
            writeln!(f, "  this opened the exit queue of the currency")?;
        }
        write!(f, "next: {}", self.next)
    }
}

/// What `status` prints.
#[derive(Serialize)]
struct ExitsReport {
    exits: Vec<ExitView>,
}

impl fmt::Display for ExitsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.exits.is_empty() {
            return f.write_str("no exits");
        }
        for exit in &self.exits {
            writeln!(f, "{exit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_eth::{Revert, RootChainCause};

    #[test]
    fn a_queue_that_somebody_else_just_opened_is_good() {
        for (name, expected) in [("ExitQueueExists", true), ("ExitQueueNotFound", false)] {
            let cause = RootChainCause::Reverted(Revert::new(name, vec![]));
            let error = RootChainError::new("addExitQueue", "", cause).into();
            assert_eq!(is_queue_there(&error), expected, "{name}");
        }
        assert!(!is_queue_there(&anyhow::anyhow!("ExitQueueExists")));
    }

    #[test]
    fn a_started_exit_is_reported_with_its_bond_and_next_step() {
        let report = StartReport {
            txhash: H256::repeat_byte(1),
            exit_id: ExitId::from_u256(U256::from(9)),
            output: UtxoPos::decode(1_000_000_000_000).unwrap().into(),
            amount: AmountView::wei(U256::exp10(18)),
            bond: AmountView::wei(U256::exp10(16)),
            exit_queue_added: true,
            exitable_at_s: 5,
            eta_s: 4,
            eta_eth_height: 3,
            next: "wait".to_owned(),
        };
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["exit_id"], "9");
        assert_eq!(json["bond"]["units"], "0.01");
        assert_eq!(json["exit_queue_added"], true);
        let text = report.to_string();
        assert!(text.contains("exit 9 of 1000:0:0 started: 1 ETH"), "{text}");
        assert!(text.contains("opened the exit queue"), "{text}");
    }
}
