//! `wallet pay` and `wallet merge`: the outputs of the payer in, signed transactions out.
//!
//! It must never pay on a chain that the watcher calls unsafe, unless it is told so loudly, and never believe the operator about what
//! was accepted.

use super::keeping::Unconfirmed;
use super::merging::{Made, made_for};
use super::payments::{apply, check_accepted, choose_fee, danger, explain, output_of, sign};
use super::session::{Session, Utxos};
use super::status::{Target, WaitArgs};
use super::view::{self, AmountView, PositionView};
use crate::amount::Denomination;
use crate::failure::Failure;
use crate::parsing::Receiver;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use plasma_core::payment_builder::{CreatedTx, Payment, PaymentOrder, PaymentPlan, build_payment};
use plasma_core::wire::{Address, Currency, H256, SecretKey, SignedTx, TxHash};
use plasma_rpc::child_chain::{FEES_ALL, FeesAllParams, SubmitAnswer, SubmitParams};
use plasma_rpc::json::hex;
use plasma_rpc::{child_chain, watcher};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Most rounds of merging before a payment: four outputs become one in each, so six join thousands.
const MERGE_ROUNDS_MAX: usize = 6;

/// Who takes a transaction to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Via {
    /// The watcher checks it and passes it on
    Watcher,
    /// Straight to the operator
    ChildChain,
}

/// How to submit.
#[derive(Args, Clone, Copy)]
pub(super) struct SubmitArgs {
    /// Who takes the transaction to the operator
    #[arg(long, value_enum, default_value = "watcher")]
    via: Via,
    /// PAY ALTHOUGH THE WATCHER SAYS THAT THE CHAIN IS UNSAFE OR CANNOT TELL. The money may be lost
    #[arg(long)]
    pay_on_an_unsafe_chain: bool,
    /// PAY ALTHOUGH THE SIGNED PAYMENT CANNOT BE WRITTEN TO THE DISK. Keep what is printed: it is all that an in-flight exit starts with
    #[arg(long)]
    no_keep: bool,
}

impl SubmitArgs {
    /// Whether a payment may be sent that is kept nowhere.
    pub(super) const fn may_be_lost(self) -> bool {
        self.no_keep
    }
}

/// Whom to pay.
#[derive(Args)]
pub(super) struct PayArgs {
    /// Receiver, amount and currency (`eth` when left out), such as 0x70997970C51812dc3A010C7d01b50e0d17dc79C8:1.5:eth; again for more
    #[arg(long, value_name = "ADDRESS:AMOUNT[:CURRENCY]", required = true, value_parser = crate::parsing::receiver)]
    to: Vec<Receiver>,
    /// All amounts are in the smallest unit of their currency
    #[arg(long)]
    base_units: bool,
    /// Pay the fee in this currency: `eth` or the address of a token
    #[arg(long, value_parser = crate::parsing::currency)]
    fee_currency: Option<Currency>,
    /// Join small outputs first when too many would be needed. Waits after every round until the watcher has it: about a block each
    #[arg(long)]
    merge: bool,
    #[command(flatten)]
    submit: SubmitArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

/// What to merge.
#[derive(Args)]
pub(super) struct MergeArgs {
    /// `eth` or the address of a token
    #[arg(long, default_value = "eth", value_parser = crate::parsing::currency)]
    currency: Currency,
    #[command(flatten)]
    submit: SubmitArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

/// A transaction the operator has accepted.
pub(super) struct Sent {
    pub(super) created: CreatedTx,
    /// All that an in-flight exit can be started with, should the operator be silent about it.
    signed: SignedTx,
    pub(super) accepted: SubmitAnswer,
}

impl Sent {
    /// Its hash, and what it makes for an owner.
    pub(super) fn made_for(&self, owner: Address) -> Made {
        (self.signed.hash(), made_for(owner, &self.created, &self.accepted))
    }
}

impl Session {
    /// Refuses when the chain is unsafe, or nobody can tell.
    pub(super) async fn check_safe(&self, submit: SubmitArgs) -> Result<()> {
        let danger = match self.status().await {
            Ok(status) => danger(&status).map(|fault| anyhow::anyhow!(fault)),
            Err(error) => Some(error.context("the watcher does not say whether the chain is safe")),
        };
        let Some(danger) = danger else { return Ok(()) };
        if submit.pay_on_an_unsafe_chain {
            self.out.progress(format!("WARNING: paying on an unsafe chain: {danger:#}"));
            return Ok(());
        }
        let failure =
            Failure::new("chain:unsafe", format!("the chain is not safe to pay on: {danger:#}"));
        Err(failure
            .next("take your money out with `penning wallet evacuate`; or ask the watcher with status.get what it sees")
            .into())
    }

    /// Signs, keeps, submits, and checks what comes back.
    pub(super) async fn submit(
        &self,
        created: CreatedTx,
        key: &SecretKey,
        submit: SubmitArgs,
    ) -> Result<Sent> {
        let signed = sign(&created, key, &self.domain())?;
        self.keep_sent(&signed, submit)?;
        self.send(created, signed, submit).await
    }

    /// Submits what is signed and kept, and checks what comes back.
    pub(super) async fn send(
        &self,
        created: CreatedTx,
        signed: SignedTx,
        submit: SubmitArgs,
    ) -> Result<Sent> {
        let params = SubmitParams { transaction: signed.as_bytes().to_vec() };
        // The watcher never passes anything on to a chain it calls unsafe.
        let accepted = match submit.via {
            Via::Watcher if !submit.pay_on_an_unsafe_chain => {
                self.watcher.call(&watcher::TRANSACTION_SUBMIT, &params).await
            }
            _ => self.child_chain.call(&child_chain::TRANSACTION_SUBMIT, &params).await,
        };
        let accepted = accepted.with_context(|| Unconfirmed::new(&signed))?;
        check_accepted(&accepted, &signed)?;
        Ok(Sent { created, signed, accepted })
    }

    /// What the operator asks now.
    pub(super) async fn fees(&self) -> Result<child_chain::FeesAnswer> {
        let fees = self.child_chain.call(&FEES_ALL, &FeesAllParams::default()).await;
        fees.context("the operator does not say what a payment costs")
    }

    /// Makes a payment out of these outputs, after merges where they are needed and allowed: `merge_timeout` is the longest wait for the
    /// watcher to have those of one round. The outputs are brought up to date, with the payment's own as the operator tells.
    pub(super) async fn pay(
        &self,
        (key, submit): (&SecretKey, SubmitArgs),
        order: &PaymentOrder,
        utxos: &mut Utxos,
        merge_timeout: Option<Duration>,
        denominations: &BTreeMap<Currency, Denomination>,
    ) -> Result<(Vec<Sent>, Sent)> {
        let mut merged = Vec::new();
        for _ in 0..=MERGE_ROUNDS_MAX {
            let plan = build_payment(order, utxos.clone());
            let plan = plan.map_err(|error| {
                explain(error, |currency, amount| match denominations.get(&currency) {
                    Some(denomination) => denomination.show(amount),
                    None => Denomination { currency, known: None }.show(amount),
                })
            })?;
            match plan {
                PaymentPlan::Complete(created) => {
                    let sent = self.submit(*created, key, submit).await?;
                    apply(utxos, key, &sent.created, &sent.accepted);
                    return Ok((merged, sent));
                }
                PaymentPlan::Intermediate(merges) => {
                    if let Some(timeout) = merge_timeout {
                        let count = merges.len();
                        self.out.progress(format!("joining small outputs in {count} merges"));
                        let owner = key.address();
                        let sent = self.send_merges(merges, (key, submit), utxos).await?;
                        let made: Vec<_> = sent.iter().map(|sent| sent.made_for(owner)).collect();
                        self.confirm_merges((owner, submit), &made, timeout).await?;
                        utxos.extend(made.into_iter().flat_map(|(_, made)| made));
                        merged.extend(sent);
                        continue;
                    }
                    let inputs: usize = merges.iter().map(|merge| merge.inputs.len()).sum();
                    let message = format!(
                        "{inputs} small outputs are needed, a transaction has room for four"
                    );
                    return Err(Failure::new("payment:needs_merge", message)
                        .next("join them first with `penning wallet merge` (free), or pay with --merge")
                        .into());
                }
            }
        }
        Err(Failure::new("payment:needs_merge", "the outputs are too many and too small").into())
    }
}

impl SubmitArgs {
    /// Through the watcher, and only on a safe chain. For merges, which evacuations keep themselves, and for devnets: a disk that is
    /// full must keep nobody from leaving.
    pub(super) const SAFE: Self =
        Self { via: Via::Watcher, pay_on_an_unsafe_chain: false, no_keep: true };

    /// Whether the user wants to pay whatever the watcher says.
    pub(super) const fn ignores_danger(self) -> bool {
        self.pay_on_an_unsafe_chain
    }
}

impl PayArgs {
    /// Does it.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
        let currencies = self.to.iter().map(|receiver| receiver.currency);
        let mut denominations = session.denominations(currencies).await?;
        let payments = self.payments(&denominations)?;
        session.check_safe(self.submit).await?;
        let fee = choose_fee(&session.fees().await?, self.fee_currency, &payments)?;
        denominations.extend(session.denominations([fee.currency]).await?);
        let key = session.key()?;
        let mut utxos = session.utxos(key.address()).await?;
        let order = PaymentOrder { owner: key.address(), payments, fee, metadata: H256::zero() };
        let timeout = self.merge.then(|| self.wait.longest());
        let paying = session.pay((&key, self.submit), &order, &mut utxos, timeout, &denominations);
        let (merged, sent) = paying.await?;
        let report = PayReport::new(&merged, &sent, &denominations);
        if !self.wait.wait {
            return session.out.finish(&report);
        }
        session.out.progress(&report);
        let phase =
            session.wait_until_final(Target::Position(output_of(&sent.accepted, 0)), &self.wait);
        session.out.finish(&PayReport { phase: phase.await?.phase_name(), ..report })
    }

    fn payments(&self, denominations: &BTreeMap<Currency, Denomination>) -> Result<Vec<Payment>> {
        let payments = self.to.iter().map(|receiver| {
            let unknown = Denomination { currency: receiver.currency, known: None };
            let denomination = denominations.get(&receiver.currency).unwrap_or(&unknown);
            let amount = denomination.parse(&receiver.amount, self.base_units)?;
            Ok(Payment { owner: receiver.owner, currency: receiver.currency, amount })
        });
        payments.collect()
    }
}

impl MergeArgs {
    /// Does it.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
        let denominations = session.denominations([self.currency]).await?;
        session.check_safe(self.submit).await?;
        let key = session.key()?;
        let mut utxos = session.utxos(key.address()).await?;
        let mut merged = session
            .merge((&key, self.submit), self.currency, &mut utxos, self.wait.longest())
            .await?;
        let Some(last) = merged.pop() else {
            return Err(Failure::new(
                "merge:nothing_to_do",
                "there are fewer than two outputs of this currency",
            )
            .into());
        };
        let report = PayReport::new(&merged, &last, &denominations);
        if !self.wait.wait {
            return session.out.finish(&report);
        }
        let phase =
            session.wait_until_final(Target::Position(output_of(&last.accepted, 0)), &self.wait);
        session.out.finish(&PayReport { phase: phase.await?.phase_name(), ..report })
    }
}

/// What `pay` and `merge` print.
#[derive(Serialize)]
struct PayReport {
    #[serde(with = "hex")]
    txhash: TxHash,
    /// With signatures: for an in-flight exit, here or by the receivers.
    #[serde(with = "hex")]
    txbytes: Vec<u8>,
    blknum: u64,
    txindex: u32,
    fee: AmountView,
    inputs: Vec<PositionView>,
    outputs: Vec<OutputView>,
    /// Hashes of the merges that came before.
    #[serde(with = "hex::list")]
    merges: Vec<TxHash>,
    phase: &'static str,
}

#[derive(Serialize)]
struct OutputView {
    #[serde(with = "hex")]
    owner: Address,
    output: PositionView,
    amount: AmountView,
}

impl PayReport {
    fn new(merged: &[Sent], sent: &Sent, denominations: &BTreeMap<Currency, Denomination>) -> Self {
        let amount = |currency, amount| {
            let unknown = Denomination { currency, known: None };
            AmountView::new(denominations.get(&currency).unwrap_or(&unknown), amount)
        };
        let Sent { created, signed, accepted } = sent;
        let outputs = created.tx.outputs.iter().enumerate().map(|(oindex, output)| OutputView {
            owner: output.owner,
            output: output_of(accepted, oindex).into(),
            amount: amount(output.currency, output.amount),
        });
        Self {
            txhash: accepted.txhash,
            txbytes: signed.as_bytes().to_vec(),
            blknum: accepted.blknum.get(),
            txindex: accepted.txindex.get(),
            fee: amount(created.fee.currency, created.fee.amount),
            inputs: created.inputs.iter().map(|(position, _)| (*position).into()).collect(),
            outputs: outputs.collect(),
            merges: merged.iter().map(|sent| sent.accepted.txhash).collect(),
            phase: "pending",
        }
    }
}

impl fmt::Display for PayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for merge in &self.merges {
            writeln!(f, "merged first: {}", view::hash(*merge))?;
        }
        writeln!(f, "transaction {}", view::hash(self.txhash))?;
        writeln!(f, "  block {}, index {}", self.blknum, self.txindex)?;
        for output in &self.outputs {
            let owner = view::address(output.owner);
            writeln!(f, "  {:<16} {} to {owner}", output.output.to_string(), output.amount)?;
        }
        writeln!(f, "  fee {}", self.fee)?;
        match self.phase {
            "pending" => write!(
                f,
                "accepted by the operator; final once its block is on the root chain: `penning wallet status {}`",
                self.outputs.first().map(|output| output.output.to_string()).unwrap_or_default()
            ),
            phase => write!(f, "{phase}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::db_update::Utxo;
    use plasma_core::payment_builder::Fee;
    use plasma_core::wire::{Blknum, ETH, OutputType, TxIndex, U256, UtxoPos};

    fn sent() -> Sent {
        let owner = Address::repeat_byte(1);
        let utxo = Utxo { output_type: OutputType::Payment, currency: ETH, amount: U256::from(9) };
        let order = PaymentOrder {
            owner,
            payments: vec![Payment {
                owner: Address::repeat_byte(2),
                currency: ETH,
                amount: U256::from(5),
            }],
            fee: Fee { currency: ETH, amount: U256::one() },
            metadata: H256::zero(),
        };
        let utxos = [(UtxoPos::deposit(Blknum::new(1)), utxo)];
        let Ok(PaymentPlan::Complete(created)) = build_payment(&order, utxos) else {
            panic!("one input is enough");
        };
        let accepted = SubmitAnswer {
            blknum: Blknum::new(2000),
            txindex: TxIndex::new(7),
            txhash: H256::repeat_byte(3),
        };
        let signed = super::super::sent_payments::tests::signed(1, owner);
        Sent { created: *created, signed, accepted }
    }

    #[test]
    fn reports_have_a_stable_shape() {
        let denominations = [(ETH, Denomination::eth())].into();
        let report = PayReport::new(&[sent()], &sent(), &denominations);
        let json = serde_json::to_value(&report).unwrap();
        let hash = format!("0x{}", "03".repeat(32));
        for (pointer, expected) in [
            ("/txhash", hash.as_str()),
            ("/fee/amount", "1"),
            ("/inputs/0/position", "1:0:0"),
            ("/outputs/0/owner", "0x0202020202020202020202020202020202020202"),
            ("/outputs/0/output/utxo_pos", "2000000070000"),
            ("/outputs/1/amount/amount", "3"),
            ("/merges/0", hash.as_str()),
            ("/phase", "pending"),
        ] {
            assert_eq!(json.pointer(pointer).unwrap(), expected, "{pointer}");
        }
        assert_eq!((json["blknum"].as_u64(), json["txindex"].as_u64()), (Some(2000), Some(7)));
        let text = report.to_string();
        assert!(text.contains("penning wallet status 2000:7:0"), "{text}");
        assert!(text.contains("0.000000000000000005 ETH to 0x0202"), "{text}");
    }
}
