//! `wallet exit`: money back to the root chain.
//!
//! It must never start the exit of a spent output unless it is forced to: the bond would go to whoever challenges (`exit_data.rs`).

use super::exit_data::exiting_output;
use super::exits::{EthClock, ExitView, currency_flag, follow};
use super::session::Session;
use super::view::{self, AmountView, PositionView, digits};
use crate::failure::Failure;
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use plasma_core::root_chain::{EventKind, RootChainEvent};
use plasma_core::wire::{Address, Currency, EthHeight, ExitId, H256, SecretKey, U256, UtxoPos};
use plasma_eth::{Receipt, ReceiptNote, RootChain, StartStandardExit};
use plasma_rpc::json::hex;
use serde::Serialize;
use std::fmt;

/// Most exits in one transaction: some 60,000 gas each, far from a block's limit.
const BATCH_EXITS_MAX: u32 = 50;
/// Blocks over which the pace of the root chain is measured.
const PACE_ETH_BLOCKS: u64 = 100;

/// What can be done about exits.
#[derive(Subcommand)]
pub(super) enum ExitCommand {
    /// Start the exit of an output of yours
    ///
    /// Costs a bond, which comes back with the money. Whoever proves that the output was spent gets the bond, so never spend an
    /// exiting output.
    Start(StartArgs),
    /// How far exits are: phase, time left, bond and the next step
    Status(StatusArgs),
    /// Pay out exits that are due, yours and others', in the order of the queue
    Process(ProcessArgs),
}

/// Which output.
#[derive(Args)]
pub(super) struct StartArgs {
    /// The output, such as 1000:0:1
    #[arg(value_parser = crate::parsing::position)]
    position: UtxoPos,
    /// EXIT ALTHOUGH THE WATCHER REFUSES. The exit of a spent output can be challenged, and then its bond is lost
    #[arg(long)]
    force: bool,
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

/// Which queue.
#[derive(Args)]
pub(super) struct ProcessArgs {
    /// `eth` or the address of a token
    #[arg(long, value_parser = crate::parsing::currency)]
    currency: Currency,
    /// Most exits in one transaction
    #[arg(long, value_name = "N", default_value_t = BATCH_EXITS_MAX, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
}

impl ExitCommand {
    /// Does it.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
        match self {
            Self::Start(args) => args.run(session).await,
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
        let mut queue_added = None;
        if !self.root_chain.has_exit_queue(output.currency).await? {
            self.out
                .progress("this currency has no exit queue yet: opening it, once for everybody");
            let sent = self.root_chain.add_exit_queue(key, output.currency).await?;
            queue_added = Some(self.mined(sent).await?);
        }
        let bond_wei = self.root_chain.standard_exit_bond_wei().await?;
        self.out
            .progress(format!("starting the exit with a bond of {}", AmountView::wei(bond_wei)));
        let sent = self.root_chain.start_standard_exit(key, exit).await?;
        let receipt = self.mined(sent).await?;
        let (currency, amount) = (output.currency, output.amount);
        Ok(Started { receipt, bond_wei, queue_added, currency, amount })
    }

    /// Pays out what is due in a queue, batch after batch, until nothing is due any more.
    pub(super) async fn process_exits(
        &self,
        key: &SecretKey,
        currency: Currency,
        batch: u32,
    ) -> Result<Vec<Receipt>> {
        let mut receipts = Vec::new();
        loop {
            let next = self.root_chain.next_exit(currency).await?;
            let now_s = self.root_chain.newest_block().await?.timestamp_s;
            if next.is_none_or(|next| next.exitable_at_s() >= now_s) {
                return Ok(receipts);
            }
            self.out.progress("processing what is due");
            let sent = self.root_chain.process_exits(key, currency, None, batch).await?;
            let receipt = self.mined(sent).await?;
            let count = processed(&receipt);
            receipts.push(receipt);
            if count == 0 {
                return Ok(receipts);
            }
        }
    }

    async fn clock(&self) -> Result<EthClock> {
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

/// How many exits a transaction processed, paid or not.
pub(super) fn processed(receipt: &Receipt) -> u64 {
    let counts = receipt.notes.iter().map(|note| match note {
        ReceiptNote::ExitsProcessed { count } => *count,
        ReceiptNote::CreditAdded { .. } | ReceiptNote::ExitOmitted { .. } => 0,
    });
    counts.fold(0, u64::saturating_add)
}

impl StartArgs {
    async fn run(self, session: &Session) -> Result<()> {
        let exit = session.exit_data(self.position, self.force).await?;
        let key = session.key()?;
        let started = session.start_exit(&key, &exit).await?;
        let (exit_id, exitable_at_s) =
            started.receipt.started_exit().context("the contract reported no exit")?;
        let denomination = session.denomination(started.currency).await?;
        let (eta_s, eta_eth_height) = session.clock().await?.eta(exitable_at_s);
        session.out.finish(&StartReport {
            txhash: started.receipt.txhash,
            exit_id,
            output: self.position.into(),
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

impl ProcessArgs {
    async fn run(self, session: &Session) -> Result<()> {
        let key = session.key()?;
        let receipts = session.process_exits(&key, self.currency, self.batch).await?;
        let mut report = ProcessReport::new(&receipts);
        if let Some(next) = session.root_chain.next_exit(self.currency).await? {
            let (eta_s, _) = session.clock().await?.eta(next.exitable_at_s());
            report.next_due_in_s = Some(eta_s);
        }
        session.out.finish(&report)
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

/// What `process` prints.
#[derive(Serialize)]
struct ProcessReport {
    #[serde(with = "hex::list")]
    txhashes: Vec<H256>,
    processed: u64,
    /// Ids of exits that were paid.
    paid: Vec<String>,
    /// Ids of exits that left unpaid: challenged, or their output left before.
    omitted: Vec<String>,
    /// Payouts and bonds that their receivers did not take.
    credits: usize,
    next_due_in_s: Option<u64>,
}

impl ProcessReport {
    fn new(receipts: &[Receipt]) -> Self {
        let events = receipts.iter().flat_map(|receipt| &receipt.events);
        let notes = || receipts.iter().flat_map(|receipt| &receipt.notes);
        let paid = events.filter_map(|event| match &event.event {
            RootChainEvent::ExitFinalized { exit_id } => Some(exit_id.to_string()),
            _ => None,
        });
        let omitted = notes().filter_map(|note| match note {
            ReceiptNote::ExitOmitted { exit_id } => Some(exit_id.to_string()),
            _ => None,
        });
        Self {
            txhashes: receipts.iter().map(|receipt| receipt.txhash).collect(),
            processed: receipts.iter().map(processed).fold(0, u64::saturating_add),
            paid: paid.collect(),
            omitted: omitted.collect(),
            credits: notes().filter(|note| matches!(note, ReceiptNote::CreditAdded { .. })).count(),
            next_due_in_s: None,
        }
    }
}

impl fmt::Display for ProcessReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transactions = self.txhashes.len();
        write!(f, "{} exits processed in {transactions} transactions", self.processed)?;
        write!(f, ": {} paid, {} left unpaid", self.paid.len(), self.omitted.len())?;
        if self.credits > 0 {
            write!(
                f,
                "\n{} payouts were not taken and wait: `penning wallet credit`",
                self.credits
            )?;
        }
        match self.next_due_in_s {
            Some(0) => write!(f, "\nnext: another is due; run this again"),
            Some(wait_s) => write!(f, "\nnext: another is due in {}", view::duration(wait_s)),
            None => write!(f, "\nnext: nothing waits in this queue"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::root_chain::EthEvent;
    use plasma_eth::{CreditSource, TxStatus};

    fn receipt() -> Receipt {
        let exit_id = ExitId::from_u256(U256::from(9));
        Receipt {
            txhash: H256::repeat_byte(1),
            eth_height: EthHeight::new(5),
            eth_block_hash: H256::zero(),
            status: TxStatus::Succeeded,
            gas_used: 1,
            gas_price_wei: 1,
            events: vec![EthEvent {
                eth_height: EthHeight::new(5),
                eth_block_hash: H256::zero(),
                root_chain_txhash: H256::repeat_byte(1),
                log_index: 0,
                event: RootChainEvent::ExitFinalized { exit_id },
            }],
            notes: vec![
                ReceiptNote::ExitOmitted { exit_id: ExitId::from_u256(U256::from(8)) },
                ReceiptNote::CreditAdded {
                    source: CreditSource::EthVault,
                    owner: Address::zero(),
                    amount: U256::one(),
                },
                ReceiptNote::ExitsProcessed { count: 2 },
            ],
        }
    }

    #[test]
    fn processing_is_reported_over_all_batches() {
        let report = ProcessReport::new(&[receipt(), receipt()]);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["processed"], 4);
        assert_eq!(json["paid"], serde_json::json!(["9", "9"]));
        assert_eq!(json["omitted"], serde_json::json!(["8", "8"]));
        assert_eq!(json["credits"], 2);
        let text = report.to_string();
        assert!(
            text.contains("4 exits processed in 2 transactions: 2 paid, 2 left unpaid"),
            "{text}"
        );
        assert!(text.ends_with("nothing waits in this queue"), "{text}");
        assert_eq!(ProcessReport::new(&[]).processed, 0);
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
