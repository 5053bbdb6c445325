//! `wallet exit --in-flight` and what belongs to it: the exit of a payment that never appeared in a block.
//!
//! It must never pay the bond of an exit in which the key's account owns nothing, unless it is told to: who does not take part gets
//! nothing out of it. It must never start an exit whose signatures are not those of the owners.
//!
//! ```text
//! signed payment ─► signers recovered ─► watcher: inputs and proofs ─► checks ─► start (bond) ─► watcher: what was spent
//!                ─► queue of each currency ─► piggybacks (bond each), outputs first
//! ```
//! After an interruption the same command goes on: what was started, or joined, is not done again. What is over is not started again
//! unless that is asked for.

use super::in_flight_plan::{Joining, joined_currencies, paid_if, plan};
use super::in_flight_start::{check_chosen, next_step, own_slots};
use super::remedies::SlotName;
use super::session::Session;
use super::tx_name::{TxName, tx_name};
use super::view::{self, AmountView, digits};
use crate::failure::Failure;
use anyhow::{Context, Result};
use clap::Args;
use plasma_core::root_chain::PiggybackSlot;
use plasma_core::sentinel::Call;
use plasma_core::wire::{
    Address, Currency, ExitId, H256, RecoveredTx, SecretKey, SignedTx, TxHash, keccak256,
};
use plasma_eth::InFlightExitRecord;
use plasma_rpc::json::hex;
use serde::Serialize;
use std::fmt;

/// How a payment is named on the command line.
pub(super) const TX: &str = "TX";

/// Which inputs and outputs to join with.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct SlotArgs {
    /// Join with this input (from 0); again for more. Else with everything that is yours and was not spent: inputs are paid if an older
    /// payment spends the same, outputs if not. As sender think of your inputs and your change, as receiver of your outputs
    #[arg(long = "input", value_name = "N", value_parser = clap::value_parser!(u16).range(..4))]
    inputs: Vec<u16>,
    /// Join with this output (from 0); again for more
    #[arg(long = "output", value_name = "N", value_parser = clap::value_parser!(u16).range(..4))]
    outputs: Vec<u16>,
}

impl SlotArgs {
    /// Whether nothing was chosen.
    pub(super) const fn is_empty(&self) -> bool {
        self.inputs.is_empty() && self.outputs.is_empty()
    }

    fn slots(&self) -> Vec<PiggybackSlot> {
        let outputs = self.outputs.iter().copied().map(PiggybackSlot::output);
        outputs.chain(self.inputs.iter().copied().map(PiggybackSlot::input)).collect()
    }
}

/// How to start the exit of a payment.
#[derive(Clone, Copy, Debug)]
pub(super) struct StartWishes {
    /// Join it.
    pub(super) joins: bool,
    /// Also when it was started before and is over, or part of the money has left.
    pub(super) again: bool,
}

impl StartWishes {
    /// What `exit --in-flight` means.
    pub(super) const USUAL: Self = Self { joins: true, again: false };
}

/// Which exit to join.
#[derive(Args)]
pub(super) struct PiggybackArgs {
    /// The payment: its hash, its bytes, a file with them, or the id of its exit
    #[arg(long = "exit", visible_alias = "tx", value_name = TX, value_parser = tx_name)]
    tx: TxName,
    #[command(flatten)]
    slots: SlotArgs,
}

/// Which exit to delete.
#[derive(Args)]
pub(super) struct DeleteArgs {
    /// The payment: its hash, its bytes, a file with them, or the id of its exit
    #[arg(value_name = TX, value_parser = tx_name)]
    tx: TxName,
}

impl Session {
    /// Starts the exit of a payment where it does not run yet, and joins it.
    pub(super) async fn start_in_flight(
        &self,
        name: &TxName,
        slots: &SlotArgs,
        wishes: StartWishes,
    ) -> Result<()> {
        let signed = self.signed_tx(name)?;
        let recovered = self.recovered(&signed)?;
        let tx_bytes = signed.unsigned_bytes();
        let (key, chosen) = (self.key()?, slots.slots());
        let own = own_slots(&recovered, key.address());
        if wishes.joins && own.is_empty() {
            let message = "nothing that this payment spends or makes belongs to the key's account";
            return Err(Failure::new("in_flight_exit:not_owner", message)
                .next("choose the owner's key; `penning wallet exit start --in-flight TX --no-piggyback` starts the exit for somebody else, with your bond")
                .into());
        }
        check_chosen(&recovered, key.address(), &chosen)?;
        let exit_id = ExitId::in_flight(&tx_bytes);
        let (started, record) = match self.in_flight_record(exit_id).await? {
            Some(record) => {
                self.out.progress("this exit runs already: joining it");
                (None, record)
            }
            None => {
                let joining = match (wishes.joins, chosen.is_empty()) {
                    (false, _) => Vec::new(),
                    (true, true) => own,
                    (true, false) => chosen.clone(),
                };
                let cost = self.send_start(&key, &signed, &joining, wishes.again).await?;
                let record = self.started_record(exit_id).await.with_context(|| {
                    let (txhash, tx) = (view::hash(cost.txhash), view::hash(signed.hash()));
                    format!("the exit was started by root chain transaction {txhash}, but nobody joined yet: run `penning wallet exit piggyback --exit {tx}` in time")
                });
                (Some(cost), record?)
            }
        };
        let joined = match wishes.joins {
            true => self.join(&key, &tx_bytes, &record, &chosen).await?,
            false => Joins::default(),
        };
        self.out.finish(&self.in_flight_report(&tx_bytes, &record, started, joined).await?)
    }

    /// The signers. The contract refuses a start with wrong signatures; that it is said here is only kinder.
    fn recovered(&self, signed: &SignedTx) -> Result<RecoveredTx> {
        RecoveredTx::recover(signed.clone(), &self.domain()).map_err(|error| {
            let message = format!("this payment was not signed for this deployment ({error})");
            Failure::new("tx:not_signed", message)
                .next("check --network, and ask the payer for the signed bytes")
                .into()
        })
    }

    async fn send_start(
        &self,
        key: &SecretKey,
        signed: &SignedTx,
        joining: &[PiggybackSlot],
        again: bool,
    ) -> Result<Cost> {
        self.check_deployment().await?;
        if !again {
            self.check_not_over(signed.transaction(), &signed.unsigned_bytes()).await?;
        }
        let data = self.in_flight_exit_data(signed).await?;
        if !again {
            self.check_inputs_stay(&data).await?;
        }
        self.check_funds(key.address(), signed.transaction(), joining).await?;
        let bond = AmountView::wei(self.root_chain.in_flight_exit_bond_wei().await?);
        self.out.progress(format!("starting the exit with a bond of {bond}"));
        let receipt = self.mined(self.root_chain.start_in_flight_exit(key, &data).await?).await?;
        Ok(Cost { txhash: receipt.txhash, bond })
    }

    /// Joins an exit with what is the key's: what was chosen, else everything that is not known to be lost.
    async fn join(
        &self,
        key: &SecretKey,
        tx_bytes: &[u8],
        record: &InFlightExitRecord,
        chosen: &[PiggybackSlot],
    ) -> Result<Joins> {
        let mut warnings = Vec::new();
        let mut joinings = plan(record, key.address(), chosen)?;
        if chosen.is_empty() {
            (joinings, warnings) =
                self.leave_out_lost(ExitId::in_flight(tx_bytes), record, joinings).await;
            warnings.iter().for_each(|warning| self.out.progress(format!("WARNING: {warning}")));
        }
        let mut joined = Vec::new();
        for joining in joinings {
            let name = SlotName(joining.slot);
            let sent = self.piggyback(key, tx_bytes, joining).await.with_context(|| {
                let tx = view::hash(keccak256(tx_bytes));
                format!("the exit runs, but {name} did not join; run `penning wallet exit piggyback --exit {tx}` in time")
            });
            joined.push(sent?);
        }
        Ok(Joins { joined, warnings })
    }

    async fn piggyback(
        &self,
        key: &SecretKey,
        tx_bytes: &[u8],
        Joining { slot, share }: Joining,
    ) -> Result<JoinedView> {
        self.open_exit_queue(key, share.currency).await?;
        let bond = AmountView::wei(self.root_chain.piggyback_bond_wei().await?);
        self.out.progress(format!("joining with {} and a bond of {bond}", SlotName(slot)));
        let receipt = self.mined(self.root_chain.piggyback(key, tx_bytes, slot).await?).await?;
        let exitable_at_s = receipt.piggyback_exitable_at_s();
        let denomination = self.denomination(share.currency).await?;
        Ok(JoinedView {
            name: SlotName(slot).to_string(),
            paid_if: paid_if(slot.side),
            amount: AmountView::new(&denomination, share.amount),
            bond,
            txhash: receipt.txhash,
            exitable_at_s: exitable_at_s.context("the contract reported no piggyback")?,
            currency: share.currency,
        })
    }

    async fn in_flight_report(
        &self,
        tx_bytes: &[u8],
        record: &InFlightExitRecord,
        started: Option<Cost>,
        Joins { joined, warnings }: Joins,
    ) -> Result<InFlightReport> {
        let min_exit_period_s = self.root_chain.contract_facts().await?.min_exit_period_s;
        let first_phase_ends_at_s = record.first_phase_ends_at_s(min_exit_period_s);
        let now_s = self.root_chain.newest_block().await?.timestamp_s;
        let left_s = first_phase_ends_at_s.saturating_sub(now_s);
        let mut currencies = joined_currencies(record);
        currencies.extend(joined.iter().map(|joined| joined.currency));
        Ok(InFlightReport {
            exit_id: ExitId::in_flight(tx_bytes),
            in_flight_txhash: keccak256(tx_bytes),
            started,
            next: next_step(tx_bytes, left_s, currencies),
            joined,
            warnings,
            first_phase_ends_at_s,
        })
    }
}

impl PiggybackArgs {
    /// Does it.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
        let tx_bytes = session.in_flight_tx(&self.tx).await?;
        let exit_id = ExitId::in_flight(&tx_bytes);
        let record =
            session.in_flight_record(exit_id).await?.ok_or_else(|| not_running(exit_id))?;
        let key = session.key()?;
        let joined = session.join(&key, &tx_bytes, &record, &self.slots.slots()).await?;
        if joined.joined.is_empty() {
            let nothing =
                "nothing in this exit that could join and be paid belongs to the key's account";
            let reasons = joined.warnings.iter().map(|warning| format!("; {warning}"));
            let message = reasons.fold(nothing.to_owned(), |message, reason| message + &reason);
            return Err(Failure::new("in_flight_exit:nothing_to_join", message).into());
        }
        session.out.finish(&session.in_flight_report(&tx_bytes, &record, None, joined).await?)
    }
}

impl DeleteArgs {
    /// Does it.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
        let exit_id = match &self.tx {
            TxName::ExitId(exit_id) => *exit_id,
            name => ExitId::in_flight(&session.in_flight_tx(name).await?),
        };
        let record =
            session.in_flight_record(exit_id).await?.ok_or_else(|| not_running(exit_id))?;
        let key = session.key()?;
        let call = Call::DeleteNonPiggybackedInFlightExit { exit_id };
        let receipt = session.mined(session.root_chain.argue(&key, &call).await?).await?;
        session.out.finish(&DeleteReport {
            txhash: receipt.txhash,
            exit_id,
            bond: AmountView::wei(record.bond_wei),
            bond_owner: record.bond_owner,
        })
    }
}

fn not_running(exit_id: ExitId) -> Failure {
    let message =
        format!("in-flight exit {exit_id} does not run: it was never started, or is over");
    Failure::new("in_flight_exit:not_found", message)
}

/// What joined, and what is to be known about that.
#[derive(Default)]
struct Joins {
    joined: Vec<JoinedView>,
    warnings: Vec<String>,
}

/// A transaction of ours that took a bond.
#[derive(Serialize)]
struct Cost {
    #[serde(with = "hex")]
    txhash: H256,
    bond: AmountView,
}

/// What `exit --in-flight` and `exit piggyback` print.
#[derive(Serialize)]
struct InFlightReport {
    #[serde(serialize_with = "digits")]
    exit_id: ExitId,
    #[serde(with = "hex")]
    in_flight_txhash: TxHash,
    /// `null` when the exit ran before.
    started: Option<Cost>,
    joined: Vec<JoinedView>,
    /// What did not join although it could have, and what nobody could tell.
    warnings: Vec<String>,
    /// Until then inputs and outputs can join, and competitors can be shown.
    first_phase_ends_at_s: u64,
    next: String,
}

#[derive(Serialize)]
struct JoinedView {
    name: String,
    amount: AmountView,
    bond: AmountView,
    paid_if: &'static str,
    #[serde(with = "hex")]
    txhash: H256,
    exitable_at_s: u64,
    #[serde(skip)]
    currency: Currency,
}

impl fmt::Display for InFlightReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = if self.started.is_some() { "started" } else { "runs" };
        writeln!(f, "in-flight exit {} {phase}", self.exit_id)?;
        writeln!(f, "  of payment {}", view::hash(self.in_flight_txhash))?;
        if let Some(started) = &self.started {
            let bond = &started.bond;
            writeln!(
                f,
                "  bond {bond}, which comes back unless somebody shows an older payment that spends the same"
            )?;
        }
        for JoinedView { name, amount, bond, paid_if, .. } in &self.joined {
            writeln!(f, "  {name}: {amount}, bond {bond}; {paid_if}")?;
        }
        write!(f, "next: {}", self.next)
    }
}

/// What `exit delete-in-flight` prints.
#[derive(Serialize)]
struct DeleteReport {
    #[serde(with = "hex")]
    txhash: H256,
    #[serde(serialize_with = "digits")]
    exit_id: ExitId,
    bond: AmountView,
    #[serde(with = "hex")]
    bond_owner: Address,
}

impl fmt::Display for DeleteReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = view::address(self.bond_owner);
        write!(
            f,
            "in-flight exit {} is over; its bond of {} went to {owner}",
            self.exit_id, self.bond
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::wire::{ETH, U256};

    #[test]
    fn reports_have_a_stable_shape() {
        let joined = || JoinedView {
            name: "output 1".to_owned(),
            amount: AmountView::wei(U256::exp10(18)),
            bond: AmountView::wei(U256::exp10(16)),
            paid_if: paid_if(plasma_core::root_chain::PiggybackSide::Output),
            txhash: H256::repeat_byte(2),
            exitable_at_s: 9,
            currency: ETH,
        };
        let report = |joined: Vec<JoinedView>| InFlightReport {
            exit_id: ExitId::from_u256(U256::from(9)),
            in_flight_txhash: H256::repeat_byte(1),
            started: Some(Cost {
                txhash: H256::repeat_byte(2),
                bond: AmountView::wei(U256::one()),
            }),
            next: next_step(b"tx", 3_600, joined.iter().map(|joined| joined.currency).collect()),
            joined,
            warnings: vec!["input 0 does not join".to_owned()],
            first_phase_ends_at_s: 5,
        };
        let json = serde_json::to_value(report(vec![joined()])).unwrap();
        for (pointer, expected) in [
            ("/exit_id", "9"),
            ("/started/bond/amount", "1"),
            ("/joined/0/name", "output 1"),
            ("/joined/0/amount/units", "1"),
            ("/warnings/0", "input 0 does not join"),
        ] {
            assert_eq!(json.pointer(pointer).unwrap(), expected, "{pointer}");
        }
        let text = report(vec![joined()]).to_string();
        assert!(text.contains("in-flight exit 9 started"), "{text}");
        assert!(text.contains("output 1: 1 ETH, bond 0.01 ETH; paid if no older"), "{text}");
        assert!(text.contains("for 1 h"), "{text}");
        assert!(text.ends_with("`penning wallet exit process --currency eth`"), "{text}");
        let alone = report(vec![]).to_string();
        assert!(alone.contains("delete-in-flight"), "{alone}");
    }

    #[test]
    fn inputs_and_outputs_are_chosen_by_their_index() {
        let slots = SlotArgs { inputs: vec![1], outputs: vec![0, 3] }.slots();
        let expected =
            [PiggybackSlot::output(0), PiggybackSlot::output(3), PiggybackSlot::input(1)];
        assert_eq!(slots, expected);
        assert!(SlotArgs::default().slots().is_empty());
    }
}
