//! `wallet exit process`: what is due is paid, standard and in-flight exits alike, for whoever it is.
//!
//! It must never stop at one batch while more is due: who waits further back in the queue waits for the batch before.

use super::remedies::SlotName;
use super::session::Session;
use super::view::{self, digits};
use anyhow::Result;
use clap::Args;
use plasma_core::root_chain::RootChainEvent;
use plasma_core::wire::{Currency, ExitId, H256, SecretKey};
use plasma_eth::{Receipt, ReceiptNote, RootChainCause, RootChainError, SubmitOutcome};
use plasma_rpc::json::hex;
use serde::Serialize;
use std::fmt;

/// Most exits in one transaction. An in-flight exit of four inputs and four outputs takes 385,000 gas, a transaction at most 2^24
/// (EIP-7825).
pub(super) const BATCH_EXITS_MAX: u32 = 16;

/// Which queue.
#[derive(Args)]
pub(super) struct ProcessArgs {
    /// `eth` or the address of a token
    #[arg(long, value_parser = crate::parsing::currency)]
    currency: Currency,
    /// Most exits in one transaction; fewer where the node refuses so many
    #[arg(long, value_name = "N", default_value_t = BATCH_EXITS_MAX, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
}

impl Session {
    /// Pays out what is due in a queue, batch after batch, until nothing is due any more.
    pub(super) async fn process_exits(
        &self,
        key: &SecretKey,
        currency: Currency,
        mut batch: u32,
    ) -> Result<Vec<Receipt>> {
        let mut receipts = Vec::new();
        loop {
            let next = self.root_chain.next_exit(currency).await?;
            let now_s = self.root_chain.newest_block().await?.timestamp_s;
            if next.is_none_or(|next| next.exitable_at_s() >= now_s) {
                return Ok(receipts);
            }
            self.out.progress("processing what is due");
            let sent = match self.root_chain.process_exits(key, currency, None, batch).await {
                Err(error) if batch > 1 && may_be_too_many(&error) => {
                    batch = batch.div_euclid(2);
                    self.out.progress(format!("too many at once ({error}): {batch} are tried"));
                    continue;
                }
                other => other?,
            };
            let receipt = self.mined(sent).await?;
            let count = processed(&receipt);
            receipts.push(receipt);
            if count == 0 {
                return Ok(receipts);
            }
        }
    }
}

/// Whether fewer exits could be what the node, or the gas of one transaction, allows. Nothing was sent then. Nodes say it in many ways,
/// so only what certainly means something else is told apart.
fn may_be_too_many(error: &RootChainError) -> bool {
    match error.cause() {
        RootChainCause::Reverted(revert) => !revert.name().starts_with("ExitQueue"),
        RootChainCause::Refused { .. }
        | RootChainCause::NodeTrouble { .. }
        | RootChainCause::InsufficientFunds(_)
        | RootChainCause::Invalid(_)
        | RootChainCause::NotAccepted(SubmitOutcome::Refused { .. }) => true,
        _ => false,
    }
}

/// How many exits a transaction processed, paid or not.
pub(super) fn processed(receipt: &Receipt) -> u64 {
    let counts = receipt.notes.iter().map(|note| match note {
        ReceiptNote::ExitsProcessed { count } => *count,
        ReceiptNote::CreditAdded { .. } => 0,
    });
    counts.fold(0, u64::saturating_add)
}

impl ProcessArgs {
    /// Does it.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
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

/// What `process` prints.
#[derive(Serialize)]
struct ProcessReport {
    #[serde(with = "hex::list")]
    txhashes: Vec<H256>,
    processed: u64,
    /// Ids of standard exits that were paid.
    paid: Vec<String>,
    /// Inputs and outputs of in-flight exits that were paid.
    in_flight: Vec<InFlightPaid>,
    /// Ids of exits that left unpaid: challenged, or their output left before, or over already.
    omitted: Vec<String>,
    /// Payouts and bonds that their receivers did not take.
    credits: usize,
    next_due_in_s: Option<u64>,
}

/// An input or output of an in-flight exit that was paid.
#[derive(Serialize)]
struct InFlightPaid {
    #[serde(serialize_with = "digits")]
    exit_id: ExitId,
    name: String,
}

impl ProcessReport {
    fn new(receipts: &[Receipt]) -> Self {
        let events = || receipts.iter().flat_map(|receipt| &receipt.events);
        let notes = || receipts.iter().flat_map(|receipt| &receipt.notes);
        let paid = events().filter_map(|event| match &event.event {
            RootChainEvent::ExitFinalized { exit_id } => Some(exit_id.to_string()),
            _ => None,
        });
        let omitted = receipts.iter().flat_map(Receipt::omitted_exits);
        let in_flight = receipts.iter().flat_map(Receipt::withdrawn_piggybacks);
        let in_flight = in_flight
            .map(|(exit_id, slot)| InFlightPaid { exit_id, name: SlotName(slot).to_string() });
        Self {
            txhashes: receipts.iter().map(|receipt| receipt.txhash).collect(),
            processed: receipts.iter().map(processed).fold(0, u64::saturating_add),
            paid: paid.collect(),
            in_flight: in_flight.collect(),
            omitted: omitted.map(|exit_id| exit_id.to_string()).collect(),
            credits: notes().filter(|note| matches!(note, ReceiptNote::CreditAdded { .. })).count(),
            next_due_in_s: None,
        }
    }
}

impl fmt::Display for ProcessReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transactions = self.txhashes.len();
        write!(f, "{} exits processed in {transactions} transactions", self.processed)?;
        let paid = self.paid.len().saturating_add(self.in_flight.len());
        write!(f, ": {paid} paid, {} left unpaid", self.omitted.len())?;
        for InFlightPaid { exit_id, name } in &self.in_flight {
            write!(f, "\npaid: {name} of in-flight exit {exit_id}")?;
        }
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
    use plasma_eth::Revert;

    #[test]
    fn batches_that_a_node_may_find_too_large_are_halved() {
        let message = || "gas required exceeds allowance".to_owned();
        let reverted = |name| RootChainCause::Reverted(Revert::new(name, vec![]));
        for (cause, expected) in [
            (RootChainCause::Refused { code: -32000, message: message() }, true),
            (RootChainCause::NodeTrouble { code: -32000, message: message() }, true),
            (RootChainCause::InsufficientFunds(message()), true),
            (reverted("OutOfGas"), true),
            (reverted("ExitQueueEmpty"), false),
            (reverted("ExitQueueNotFound"), false),
            (RootChainCause::Unreachable(message()), false),
            (RootChainCause::Timeout { after_ms: 1 }, false),
        ] {
            let error = RootChainError::new("processExits", "", cause);
            assert_eq!(may_be_too_many(&error), expected, "{error}");
        }
    }

    use plasma_core::root_chain::{EthEvent, PiggybackSlot};
    use plasma_core::wire::{Address, EthHeight, U256};
    use plasma_eth::{CreditSource, TxStatus};

    fn event(event: RootChainEvent) -> EthEvent {
        EthEvent {
            eth_height: EthHeight::new(5),
            eth_block_hash: H256::zero(),
            root_chain_txhash: H256::repeat_byte(1),
            log_index: 0,
            event,
        }
    }

    fn receipt() -> Receipt {
        let exit_id = ExitId::from_u256(U256::from(9));
        Receipt {
            txhash: H256::repeat_byte(1),
            eth_height: EthHeight::new(5),
            eth_block_hash: H256::zero(),
            status: TxStatus::Succeeded,
            gas_used: 1,
            gas_price_wei: 1,
            events: vec![
                event(RootChainEvent::ExitFinalized { exit_id }),
                event(RootChainEvent::InFlightExitPiggybackWithdrawn {
                    exit_id: ExitId::from_u256(U256::from(7)),
                    slot: PiggybackSlot::output(1),
                }),
                event(RootChainEvent::ExitOmitted { exit_id: ExitId::from_u256(U256::from(8)) }),
            ],
            notes: vec![
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
        assert_eq!(json["in_flight"][1], serde_json::json!({"exit_id": "7", "name": "output 1"}));
        let text = report.to_string();
        assert!(
            text.contains("4 exits processed in 2 transactions: 4 paid, 2 left unpaid"),
            "{text}"
        );
        assert!(text.contains("\npaid: output 1 of in-flight exit 7"), "{text}");
        assert!(text.ends_with("nothing waits in this queue"), "{text}");
        assert_eq!(ProcessReport::new(&[]).processed, 0);
    }
}
