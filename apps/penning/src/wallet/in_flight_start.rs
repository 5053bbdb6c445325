//! What is looked at before the bond of an in-flight exit is paid, and before each bond of joining it.
//!
//! It must never start an exit that its owner could not join for want of money, and never pay a bond that is known to be lost, unless
//! that is chosen. It must never keep an owner from joining because nobody answers: who does not join is not paid.

use super::exits::currency_flag;
use super::in_flight_plan::{Joining, Loss, split_lost};
use super::remedies::SlotName;
use super::session::{Session, wait_for};
use super::view::{self, AmountView};
use crate::failure::Failure;
use anyhow::{Context, Result};
use plasma_core::exit_processor::in_flight_data::InFlightExitData;
use plasma_core::root_chain::{PiggybackSide, PiggybackSlot};
use plasma_core::wire::ids::{normal_output_id, output_id};
use plasma_core::wire::{
    Address, Currency, ETH, ExitId, OutputIndex, RecoveredTx, Transaction, U256, keccak256,
};
use plasma_eth::{InFlightExitRecord, RootChain};
use plasma_rpc::client::ClientError;
use plasma_rpc::codes;
use plasma_rpc::watcher::{EXIT_GET, Exit, ExitGetParams};
use std::collections::BTreeSet;
use std::time::Duration;

/// Upper bounds of what was measured (`contracts/snapshots`): a start, then for each input and output of the payment.
const START_GAS: u64 = 90_000;
const START_INPUT_GAS: u64 = 140_000;
const START_OUTPUT_GAS: u64 = 70_000;
/// The first piggyback of a token, which enters the queue.
const PIGGYBACK_GAS: u64 = 135_000;
/// `addExitQueue`.
const OPEN_QUEUE_GAS: u64 = 95_000;
/// How long the watcher may take to see an exit that was just started.
const WATCHER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a root chain node may lag behind the one that told of a start.
const RECORD_TIMEOUT: Duration = Duration::from_secs(60);

/// What of a payment is an account's, outputs first: those of an honest payment are paid.
pub(super) fn own_slots(tx: &RecoveredTx, account: Address) -> Vec<PiggybackSlot> {
    let outputs = (0..u16::MAX).map(PiggybackSlot::output).zip(tx.transaction().outputs());
    let outputs = outputs.filter(|(_, output)| output.owner == account).map(|(slot, _)| slot);
    let inputs = (0..u16::MAX).map(PiggybackSlot::input).zip(tx.spenders());
    let inputs = inputs.filter(|(_, spender)| **spender == account).map(|(slot, _)| slot);
    outputs.chain(inputs).collect()
}

/// Refuses a choice that the contract would refuse once the start is paid.
pub(super) fn check_chosen(
    tx: &RecoveredTx,
    account: Address,
    chosen: &[PiggybackSlot],
) -> Result<(), Failure> {
    for slot in chosen {
        let index = usize::from(slot.index);
        let owner = match slot.side {
            PiggybackSide::Input => tx.spenders().get(index).copied(),
            PiggybackSide::Output => tx.transaction().outputs().get(index).map(|it| it.owner),
        };
        check_share(*slot, owner, account)?;
    }
    Ok(())
}

/// Whether an account may join with this input or output.
pub(super) fn check_share(
    slot: PiggybackSlot,
    owner: Option<Address>,
    account: Address,
) -> Result<(), Failure> {
    let name = SlotName(slot);
    let Some(owner) = owner else {
        let message = format!("the payment has no {name}");
        return Err(Failure::new("in_flight_exit:no_such_share", message));
    };
    if owner == account {
        return Ok(());
    }
    Err(Failure::new("in_flight_exit:not_owner", format!("{name} belongs to {owner:?}"))
        .next("only the owner can join with it: choose the owner's key"))
}

/// What starting and joining take together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Needs {
    start_bond_wei: U256,
    piggyback_bond_wei: U256,
    piggybacks: u64,
    gas: u64,
    /// The highest price that will be offered.
    gas_price_wei: U256,
}

impl Needs {
    fn sum_wei(&self) -> U256 {
        let bonds = self.piggyback_bond_wei.saturating_mul(self.piggybacks.into());
        let gas = self.gas_price_wei.saturating_mul(self.gas.into());
        self.start_bond_wei.saturating_add(bonds).saturating_add(gas)
    }

    fn check(&self, balance_wei: U256) -> Result<(), Failure> {
        let missing = self.sum_wei().saturating_sub(balance_wei);
        if missing.is_zero() {
            return Ok(());
        }
        let missing = AmountView::wei(missing);
        let message = format!(
            "starting takes a bond of {}, joining {} times {}, and both gas: together {}, but the account has {}",
            AmountView::wei(self.start_bond_wei),
            self.piggybacks,
            AmountView::wei(self.piggyback_bond_wei),
            AmountView::wei(self.sum_wei()),
            AmountView::wei(balance_wei),
        );
        Err(Failure::new("in_flight_exit:insufficient_funds", message).next(format!(
            "send at least {missing} more to this account on the root chain, or join with less (--input, --output)"
        )))
    }
}

fn gas(tx: &Transaction, piggybacks: u64, queues: usize) -> u64 {
    let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
    let parts = [
        START_GAS,
        START_INPUT_GAS.saturating_mul(count(tx.inputs().len())),
        START_OUTPUT_GAS.saturating_mul(count(tx.outputs().len())),
        PIGGYBACK_GAS.saturating_mul(piggybacks),
        OPEN_QUEUE_GAS.saturating_mul(count(queues)),
    ];
    parts.into_iter().fold(0, u64::saturating_add)
}

/// Why an exit is not started: money has left, or it was over once.
fn over(what: &str) -> Failure {
    let message = format!("{what}: starting the exit anew would cost all its bonds again");
    Failure::new("in_flight_exit:over", message).next(
        "look with `penning wallet exits`; what has not left can still leave with `penning wallet exit start --in-flight TX --again`",
    )
}

/// An earlier exit of the payment that ended.
fn ended(exit: &Exit) -> Option<Failure> {
    exit.is_over.then(|| over(&format!("an exit of this payment has ended ({})", exit.phase)))
}

impl Session {
    /// Refuses to start what was started before and is over, or what has left with another exit. Asked before the watcher is asked for
    /// data: it serves none about a deposit that has left.
    pub(super) async fn check_not_over(&self, tx: &Transaction, tx_bytes: &[u8]) -> Result<()> {
        let exit = self.watched_exit(ExitId::in_flight(tx_bytes)).await?;
        if let Some(failure) = exit.as_ref().and_then(ended) {
            return Err(failure.into());
        }
        for (index, _) in (0..).zip(tx.outputs()) {
            let output_id = normal_output_id(tx_bytes, OutputIndex::new(index));
            if self.root_chain.is_output_finalized(output_id).await? {
                let what = format!("output {index} of this payment has left already");
                return Err(over(&what).into());
            }
        }
        Ok(())
    }

    /// Refuses to start what spends an output that has left.
    pub(super) async fn check_inputs_stay(&self, data: &InFlightExitData) -> Result<()> {
        for input in &data.inputs {
            let output_id = output_id(&input.tx_bytes, input.position);
            if self.root_chain.is_output_finalized(output_id).await? {
                let what = format!(
                    "input {} has left already, so no output of this payment will be paid, only its other inputs",
                    input.position
                );
                return Err(over(&what).into());
            }
        }
        Ok(())
    }

    /// Refuses to start what cannot be joined then.
    pub(super) async fn check_funds(
        &self,
        account: Address,
        tx: &Transaction,
        joining: &[PiggybackSlot],
    ) -> Result<()> {
        let mut currencies: BTreeSet<Currency> = [ETH].into();
        currencies.extend(tx.outputs().iter().map(|output| output.currency));
        let mut queues: usize = 0;
        for currency in currencies {
            let is_open = self.root_chain.has_exit_queue(currency).await?;
            queues = queues.saturating_add(usize::from(!is_open && !joining.is_empty()));
        }
        let piggybacks = u64::try_from(joining.len()).unwrap_or(u64::MAX);
        let quote = self.reader.fee_quote().await?.generous();
        let needs = Needs {
            start_bond_wei: self.root_chain.in_flight_exit_bond_wei().await?,
            piggyback_bond_wei: self.root_chain.piggyback_bond_wei().await?,
            piggybacks,
            gas: gas(tx, piggybacks, queues),
            gas_price_wei: quote.max_fee_per_gas_wei.into(),
        };
        Ok(needs.check(self.root_chain.balance(account, ETH).await?)?)
    }

    /// The record of an exit.
    pub(super) async fn in_flight_record(
        &self,
        exit_id: ExitId,
    ) -> Result<Option<InFlightExitRecord>> {
        let records = self.root_chain.in_flight_exits(&[exit_id]).await?;
        Ok(records.into_iter().next().flatten())
    }

    /// The record of an exit that was just started: behind a load balancer, the next answer may be older than the one before.
    pub(super) async fn started_record(&self, exit_id: ExitId) -> Result<InFlightExitRecord> {
        wait_for("the root chain node to show the exit", RECORD_TIMEOUT, async || {
            self.in_flight_record(exit_id).await
        })
        .await
    }

    /// Without what the watcher knows to be lost; and why.
    pub(super) async fn leave_out_lost(
        &self,
        exit_id: ExitId,
        record: &InFlightExitRecord,
        joinings: Vec<Joining>,
    ) -> (Vec<Joining>, Vec<String>) {
        if joinings.is_empty() {
            return (joinings, Vec::new());
        }
        self.out.progress("asking the watcher what was spent");
        let seen = wait_for("the watcher to see this exit", WATCHER_TIMEOUT, async || {
            // What was found out is told together with this list; `exit.get` alone may still answer from what was read before.
            let listed = self.status().await?.in_flight_exits;
            let is_listed =
                |exit: &Exit| exit.txhash.is_some_and(|tx| listed.iter().any(|it| it.txhash == tx));
            let exit = self.watched_exit(exit_id).await?;
            Ok(exit
                .filter(|exit| exit.started_at_s == Some(record.started_at_s) && is_listed(exit)))
        })
        .await;
        let exit = match seen {
            Ok(exit) => exit,
            Err(error) => {
                let warning = format!(
                    "nobody says what was spent, and the bond of what was spent is lost: {error:#}"
                );
                return (joinings, vec![warning]);
            }
        };
        let (joinings, lost) = split_lost(joinings, &exit.slots);
        (joinings, lost.into_iter().map(|(slot, loss)| left_out(slot, loss)).collect())
    }

    async fn watched_exit(&self, exit_id: ExitId) -> Result<Option<Exit>> {
        let params = ExitGetParams::of_id(exit_id, None);
        match self.watcher.call(&EXIT_GET, &params).await {
            Ok(exit) => Ok(Some(exit).filter(|exit| exit.exit_id == exit_id)),
            Err(ClientError::Api(body)) if body.code == codes::EXIT_NOT_FOUND.code => Ok(None),
            Err(error) => Err(error).context("the watcher does not tell about this exit"),
        }
    }
}

/// Why an input or output does not join.
fn left_out(slot: PiggybackSlot, loss: Loss) -> String {
    let name = SlotName(slot);
    let why = match loss {
        Loss::Spent => "it was spent",
        Loss::Blocked => "it joined before, and its spend was shown",
    };
    let flag = match slot.side {
        PiggybackSide::Input => "--input",
        PiggybackSide::Output => "--output",
    };
    format!(
        "{name} does not join: {why}, so its bond would be lost ({flag} {} joins all the same)",
        slot.index
    )
}

/// The commands that pay what waits in these queues.
pub(super) fn process_commands(currencies: BTreeSet<Currency>) -> String {
    let commands = currencies.into_iter().map(|currency| {
        format!("`penning wallet exit process --currency {}`", currency_flag(currency))
    });
    commands.collect::<Vec<_>>().join(", ")
}

/// What is to be done next, and until when.
pub(super) fn next_step(tx_bytes: &[u8], left_s: u64, currencies: BTreeSet<Currency>) -> String {
    let (left, tx) = (view::duration(left_s), view::hash(keccak256(tx_bytes)));
    match currencies.is_empty() {
        true => format!(
            "nobody is paid who does not join within {left}: `penning wallet exit piggyback --exit {tx}`; an exit that nobody joined is ended with `penning wallet exit delete-in-flight {tx}`, and its bond returned"
        ),
        false => format!(
            "spend nothing that takes part; others can join and argue for {left}, your watcher tells about what is wrong (`penning wallet challenge {tx}`); when it is due: {}",
            process_commands(currencies)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sent_payments::tests::{key, signed};
    use super::*;
    use plasma_core::wire::TypedDataDomain;

    const RECEIVER: Address = Address::repeat_byte(9);

    fn recovered() -> RecoveredTx {
        let framework = Address::repeat_byte(3);
        RecoveredTx::recover(signed(1, framework), &TypedDataDomain::new(framework)).unwrap()
    }

    #[test]
    fn a_choice_is_checked_against_the_payment_before_anything_is_paid() {
        let (input, output) = (PiggybackSlot::input, PiggybackSlot::output);
        let payer = key().address();
        assert_eq!(own_slots(&recovered(), payer), [input(0)]);
        assert_eq!(own_slots(&recovered(), RECEIVER), [output(0)]);
        assert_eq!(own_slots(&recovered(), Address::zero()), []);
        for (account, chosen, refused) in [
            (payer, vec![], None),
            (payer, vec![input(0)], None),
            (RECEIVER, vec![output(0)], None),
            (RECEIVER, vec![output(0), input(0)], Some("input 0 belongs to")),
            (payer, vec![input(0), output(0)], Some("output 0 belongs to 0x0909")),
            (payer, vec![input(1)], Some("the payment has no input 1")),
            (payer, vec![output(3)], Some("the payment has no output 3")),
        ] {
            let told = check_chosen(&recovered(), account, &chosen).err().map(|e| e.to_string());
            match refused {
                None => assert_eq!(told, None, "{chosen:?}"),
                Some(text) => assert!(told.unwrap().starts_with(text), "{chosen:?}"),
            }
        }
    }

    #[test]
    fn all_bonds_and_all_gas_are_needed_before_the_start() {
        let needs = Needs {
            start_bond_wei: 100.into(),
            piggyback_bond_wei: 10.into(),
            piggybacks: 2,
            gas: 3,
            gas_price_wei: 7.into(),
        };
        assert!(needs.check(141.into()).is_ok());
        let error = needs.check(140.into()).unwrap_err();
        let report = crate::failure::ErrorReport::of(&error.into());
        assert_eq!(report.code, "in_flight_exit:insufficient_funds");
        assert!(report.next.unwrap().contains("0.000000000000000001 ETH more"));
        let tx = recovered();
        assert_eq!(gas(tx.transaction(), 0, 0), 300_000);
        assert_eq!(gas(tx.transaction(), 2, 1), 300_000 + 270_000 + 95_000);
    }

    #[test]
    fn what_is_left_out_says_how_to_join_all_the_same() {
        let text = left_out(PiggybackSlot::input(2), Loss::Blocked);
        assert!(text.starts_with("input 2 does not join: it joined before"), "{text}");
        assert!(text.contains("(--input 2 joins"), "{text}");
        assert!(left_out(PiggybackSlot::output(0), Loss::Spent).contains("--output 0"));
    }

    #[test]
    fn an_exit_that_ended_is_not_started_again_unasked() {
        let exit = |phase: &str, is_over: bool| -> Exit {
            let text = serde_json::json!({
                "exit_id": 1, "kind": "in_flight", "phase": phase, "is_over": is_over,
                "exitor": RECEIVER, "eth_height": 1, "root_chain_txhash": plasma_core::wire::H256::zero(),
                "slots": [], "queue": [], "windows": [], "next": "nothing", "advice": "",
                "utxo_pos": null, "currency": null, "amount": null, "spending_txhash": null, "txhash": null,
                "started_at_s": 5, "is_canonical": true, "included_at": null, "exitable_at_s": null,
                "eta_s": null, "eta_eth_height": null, "bond": null,
            });
            serde_json::from_str(&text.to_string()).unwrap()
        };
        for (phase, is_over) in [("paid", true), ("deleted", true), ("due", false)] {
            let told = ended(&exit(phase, is_over)).map(|failure| failure.to_string());
            assert_eq!(told.is_some(), is_over);
            assert!(told.is_none_or(|text| text.contains(phase)));
        }
    }

    #[test]
    fn the_next_step_names_the_payment() {
        let tx = format!("{:?}", keccak256(b"tx"));
        let alone = next_step(b"tx", 3_600, BTreeSet::new());
        assert!(alone.contains(&format!("exit piggyback --exit {tx}`")), "{alone}");
        assert!(alone.contains(&format!("exit delete-in-flight {tx}`")), "{alone}");
        let joined = next_step(b"tx", 3_600, [ETH].into());
        assert!(joined.contains("for 1 h"), "{joined}");
        assert!(joined.ends_with("`penning wallet exit process --currency eth`"), "{joined}");
    }
}
