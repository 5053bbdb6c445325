//! The acts of the tour. Each does something through the wallet, and enters in the books what it should have done.

use super::books::Person::{self, Alice, Bob, Carol, Dave, Mallory};
use super::stage::{Tour, milli};
use crate::failure::Failure;
use crate::wallet::exits::ExitPhase;
use crate::wallet::pay::{Sent, SubmitArgs};
use crate::wallet::payments::{choose_fee, output_of};
use crate::wallet::session::{Utxos, wait_for};
use crate::wallet::status::{Target, WaitArgs};
use crate::wallet::view;
use anyhow::{Context, Result};
use plasma_core::payment_builder::{Payment, PaymentOrder};
use plasma_core::wire::{Blknum, Currency, ETH, H256, Transaction, U256, UtxoPos};
use plasma_rpc::watcher::ByzantineEvent;

/// How often two payments may miss each other before it is a fault.
const SAME_BLOCK_ATTEMPTS_MAX: usize = 10;
/// Exits in one transaction.
const EXITS_PER_TRANSACTION: u32 = 20;

/// Deposits that later acts need.
pub(super) struct Deposits {
    pub(super) of_mallory: UtxoPos,
}

/// An exit under way.
pub(super) struct Exiting {
    person: Person,
    position: UtxoPos,
    currency: Currency,
    amount: U256,
    bond_wei: U256,
    exitable_at_s: u64,
    expected: ExitPhase,
}

impl Tour {
    /// Money in: ETH in three pieces, tokens, and Mallory's share.
    pub(super) async fn deposits(&mut self) -> Result<Deposits> {
        self.step("Deposits", "Alice and Mallory put money on the child chain");
        let mut of_alice = Vec::new();
        for (currency, amount) in [
            (ETH, milli(1_000)),
            (ETH, milli(250)),
            (ETH, milli(250)),
            (self.token, self.tokens(100)),
        ] {
            of_alice.push(self.deposit(Alice, currency, amount).await?);
        }
        let of_mallory = self.deposit(Mallory, ETH, milli(500)).await?;
        let alice = self.key(Alice)?;
        self.session.wait_for_outputs(&alice, &of_alice, self.timeout).await?;
        let mallory = self.key(Mallory)?;
        self.session.wait_for_outputs(&mallory, &[of_mallory], self.timeout).await?;
        self.tell("the watcher shows them all: they can be spent");
        Ok(Deposits { of_mallory })
    }

    async fn deposit(
        &mut self,
        person: Person,
        currency: Currency,
        amount: U256,
    ) -> Result<UtxoPos> {
        let key = self.key(person)?;
        let deposited = self.session.deposit(&key, currency, amount).await?;
        let gas_wei = deposited.receipt.fee_wei().saturating_add(deposited.approval_fee_wei);
        self.books.deposit(person, currency, amount)?;
        self.books.spend_wei(person, gas_wei)?;
        self.tell(format!(
            "{person:?} deposits {} as output {}",
            self.show(currency, amount),
            deposited.position
        ));
        Ok(deposited.position)
    }

    /// An output that is spent in the very block that makes it.
    pub(super) async fn payments_in_one_block(&mut self) -> Result<()> {
        self.step(
            "Payments in one block",
            "Bob spends what Alice pays him before it is in a block",
        );
        let mut of_alice = self.utxos(Alice).await?;
        for _ in 0..SAME_BLOCK_ATTEMPTS_MAX {
            let first = self.pay(Alice, &mut of_alice, &[(Bob, ETH, milli(50))]).await?;
            let mut of_bob = self.received(&first, Bob);
            let second = self.pay(Bob, &mut of_bob, &[(Carol, ETH, milli(20))]).await?;
            if first.accepted.blknum == second.accepted.blknum {
                self.tell(format!("both are in block {}", first.accepted.blknum));
                return self.wait_until_final(&[&first, &second]).await;
            }
            self.tell("a block was formed between the two; once more");
        }
        Err(Failure::new("tour:never_together", "two payments never came into one block").into())
    }

    /// Several receivers and currencies in one transaction, spent again in a later block.
    pub(super) async fn payments_across_blocks(&mut self) -> Result<()> {
        self.step("Payments across blocks", "Alice pays Bob and Carol at once; Carol pays later");
        let mut of_alice = self.utxos(Alice).await?;
        let tokens = self.tokens(5);
        let receivers = [(Bob, ETH, milli(200)), (Carol, self.token, tokens)];
        let first = self.pay(Alice, &mut of_alice, &receivers).await?;
        self.wait_until_final(&[&first]).await?;
        let mut of_carol = self.utxos(Carol).await?;
        let second = self.pay(Carol, &mut of_carol, &[(Bob, ETH, milli(5))]).await?;
        if second.accepted.blknum <= first.accepted.blknum {
            return Err(
                Failure::new("tour:wrong_block", "a later payment is in no later block").into()
            );
        }
        self.wait_until_final(&[&second]).await
    }

    /// Alice's outputs become one, for free.
    pub(super) async fn merge(&mut self) -> Result<()> {
        self.step("A merge", "Alice joins her ETH into one output; merges are free");
        let key = self.key(Alice)?;
        let mut utxos = self.utxos(Alice).await?;
        let before = utxos.values().filter(|utxo| utxo.currency == ETH).count();
        let merged =
            self.session.merge((&key, SubmitArgs::SAFE), ETH, &mut utxos, self.timeout).await?;
        let merged: Vec<&Sent> = merged.iter().collect();
        self.wait_until_final(&merged).await?;
        let after = self.utxos(Alice).await?;
        let after = after.values().filter(|utxo| utxo.currency == ETH).count();
        if before < 2 || after != 1 {
            let message = format!("{before} outputs became {after}, not one");
            return Err(Failure::new("tour:wrong_merge", message).into());
        }
        self.tell(format!("{before} outputs became one"));
        Ok(())
    }

    /// The operator's reward is there for everybody to see.
    pub(super) async fn fee_claims(&mut self) -> Result<()> {
        self.step("Fees", "each block ends with the operator's claim of its fees");
        let newest = self.session.status().await?.last_validated_child_block_number;
        let mut blknum = newest;
        while blknum > Blknum::new(0) {
            let claims = self.claims(blknum).await?;
            if !claims.is_empty() {
                let claims: Vec<_> = claims
                    .into_iter()
                    .map(|(currency, amount)| self.show(currency, amount))
                    .collect();
                self.tell(format!(
                    "block {blknum}: {} for {}",
                    claims.join(" and "),
                    view::address(self.fee_claimer)
                ));
                return Ok(());
            }
            blknum = blknum.previous_child_block();
        }
        let fees = self.session.fees().await?;
        if fees.0.values().flatten().all(|fee| fee.amount.is_zero()) {
            self.tell("this operator asks no fees");
            return Ok(());
        }
        Err(Failure::new("tour:no_fee_claim", "fees were paid, and no block claims any").into())
    }

    async fn claims(&self, blknum: Blknum) -> Result<Vec<(Currency, U256)>> {
        let at = self.session.child_block(blknum).await?;
        let at = at.with_context(|| format!("block {blknum} is not on the root chain"))?;
        let block = self.session.verified_block(blknum, at.root).await?;
        let claims = block.transactions().iter().filter_map(|signed| match signed.transaction() {
            Transaction::FeeClaim(claim) if claim.output.owner == self.fee_claimer => {
                Some((claim.output.currency, claim.output.amount))
            }
            _ => None,
        });
        Ok(claims.collect())
    }

    /// Bob takes ETH home and Carol tokens.
    pub(super) async fn exits(&mut self) -> Result<Vec<Exiting>> {
        self.step("Exits", "Bob takes ETH back to the root chain, Carol tokens");
        let mut exits = Vec::new();
        for (person, currency) in [(Bob, ETH), (Carol, self.token)] {
            let position = self.largest(person, currency).await?;
            exits.push(self.exit(person, position, ExitPhase::Paid).await?);
        }
        Ok(exits)
    }

    async fn exit(
        &mut self,
        person: Person,
        position: UtxoPos,
        expected: ExitPhase,
    ) -> Result<Exiting> {
        let is_honest = expected == ExitPhase::Paid;
        let data = self.session.exit_data(position, !is_honest).await?;
        let key = self.key(person)?;
        let started = self.session.start_exit(&key, &data).await?;
        let queue_wei = started.queue_added.as_ref().map(plasma_eth::Receipt::fee_wei);
        let gas_wei = started.receipt.fee_wei().saturating_add(queue_wei.unwrap_or_default());
        self.books.spend_wei(person, gas_wei)?;
        self.books.spend_wei(person, started.bond_wei)?;
        let (_, exitable_at_s) =
            started.receipt.started_exit().context("the contract reported no exit")?;
        self.tell(format!(
            "{person:?} exits output {position} of {} with a bond of {}",
            self.show(started.currency, started.amount),
            self.show(ETH, started.bond_wei)
        ));
        Ok(Exiting {
            person,
            position,
            currency: started.currency,
            amount: started.amount,
            bond_wei: started.bond_wei,
            exitable_at_s,
            expected,
        })
    }

    /// Mallory spends her deposit and tries to take it out as well; Alice stops her.
    pub(super) async fn fraud(&mut self, deposit: UtxoPos) -> Result<Exiting> {
        self.step("A fraud", "Mallory exits an output that she has spent, and is challenged");
        let mut of_mallory = self.utxos(Mallory).await?;
        let paid = self.pay(Mallory, &mut of_mallory, &[(Alice, ETH, milli(400))]).await?;
        self.wait_until_final(&[&paid]).await?;
        if self.session.exit_data(deposit, false).await.is_ok() {
            let message = "the watcher helps to exit a spent output";
            return Err(Failure::new("tour:fraud_helped", message).into());
        }
        self.tell("the watcher refuses to help her; she does it by herself");
        let exiting = self.exit(Mallory, deposit, ExitPhase::Challenged).await?;
        self.wait_for_invalid_exit(deposit, true).await?;
        self.tell("the watcher reports an invalid exit");
        let data = wait_for("the proof of the fraud", self.timeout, async || {
            self.session.challenge_data(deposit).await.map(Some)
        })
        .await?;
        let key = self.key(Alice)?;
        let challenged = self.session.challenge(&key, data).await?;
        self.books.spend_wei(Alice, challenged.receipt.fee_wei())?;
        self.books.win_bond(Alice, exiting.bond_wei);
        self.wait_for_invalid_exit(deposit, false).await?;
        self.tell(format!(
            "Alice challenges it and gets the bond of {}",
            self.show(ETH, exiting.bond_wei)
        ));
        Ok(exiting)
    }

    async fn wait_for_invalid_exit(&self, position: UtxoPos, is_there: bool) -> Result<()> {
        let what = if is_there { "the watcher to report" } else { "the watcher to forget" };
        let what = format!("{what} the invalid exit of {position}");
        wait_for(&what, self.timeout, async || {
            let status = self.session.status().await?;
            let found = status.byzantine_events.iter().any(|event| match event {
                ByzantineEvent::InvalidExit(exit) => exit.utxo_pos == position,
                _ => false,
            });
            Ok((found == is_there).then_some(()))
        })
        .await
    }

    /// Over the exit period, and everybody gets what is his.
    pub(super) async fn payout(&mut self, exits: &[Exiting]) -> Result<()> {
        let last = exits.iter().map(|exit| exit.exitable_at_s).max().unwrap_or_default();
        let now_s = self.session.root_chain.newest_block().await?.timestamp_s;
        let leap_s = last.saturating_sub(now_s).saturating_add(1);
        self.step("Time travel", format!("{} pass on the root chain", view::duration(leap_s)));
        self.dev.advance_time(leap_s).await?;
        self.step("Payout", "Dave, who is nobody special, processes the exits");
        let key = self.key(Dave)?;
        for currency in [ETH, self.token] {
            let processing = self.session.process_exits(&key, currency, EXITS_PER_TRANSACTION);
            for receipt in processing.await? {
                self.books.spend_wei(Dave, receipt.fee_wei())?;
            }
        }
        for exit in exits {
            self.check_exit(exit).await?;
        }
        Ok(())
    }

    async fn check_exit(&mut self, exit: &Exiting) -> Result<()> {
        let position = exit.position;
        let from = self.session.network.deployment.eth_height;
        let views = self.session.exits(|at, _| at == position, from).await?;
        let found = views.first().map(|view| view.phase);
        if found != Some(exit.expected) {
            let message =
                format!("the exit of {position} should be {:?} and is {found:?}", exit.expected);
            return Err(Failure::new("tour:wrong_exit", message).into());
        }
        let (person, amount) = (exit.person, self.show(exit.currency, exit.amount));
        if exit.expected == ExitPhase::Paid {
            self.books.exit(person, exit.currency, exit.amount, exit.bond_wei)?;
            self.tell(format!("{person:?} has {amount} on the root chain, and the bond back"));
        } else {
            self.tell(format!("{person:?} gets nothing, and the bond is gone"));
        }
        Ok(())
    }

    async fn pay(
        &mut self,
        payer: Person,
        utxos: &mut Utxos,
        receivers: &[(Person, Currency, U256)],
    ) -> Result<Sent> {
        let payments: Vec<Payment> = receivers
            .iter()
            .map(|(receiver, currency, amount)| Payment {
                owner: self.address(*receiver),
                currency: *currency,
                amount: *amount,
            })
            .collect();
        let fee = choose_fee(&self.session.fees().await?, None, &payments)?;
        let key = self.key(payer)?;
        let order = PaymentOrder { owner: key.address(), payments, fee, metadata: H256::zero() };
        let submit = SubmitArgs::SAFE;
        let paying = self.session.pay(
            (&key, submit),
            &order,
            utxos,
            Some(self.timeout),
            &self.denominations,
        );
        let (_, sent) = paying.await?;
        self.books.pay(payer, receivers, fee)?;
        let receivers: Vec<String> = receivers
            .iter()
            .map(|(receiver, currency, amount)| {
                format!("{receiver:?} {}", self.show(*currency, *amount))
            })
            .collect();
        self.tell(format!(
            "{payer:?} pays {} (fee {}): block {}, index {}",
            receivers.join(" and "),
            self.show(fee.currency, fee.amount),
            sent.accepted.blknum,
            sent.accepted.txindex
        ));
        Ok(sent)
    }

    /// What a payment gives to a person, before any block has it.
    fn received(&self, sent: &Sent, person: Person) -> Utxos {
        let owner = self.address(person);
        let outputs = sent.created.tx.outputs.iter().enumerate();
        let received = outputs.filter(|(_, output)| output.owner == owner);
        let received = received.map(|(oindex, output)| {
            let utxo = plasma_core::db_update::Utxo {
                output_type: output.output_type,
                currency: output.currency,
                amount: output.amount,
            };
            (output_of(&sent.accepted, oindex), utxo)
        });
        received.collect()
    }

    async fn wait_until_final(&self, sent: &[&Sent]) -> Result<()> {
        let wait = WaitArgs::of(self.timeout.as_secs());
        for sent in sent {
            let target = Target::Position(output_of(&sent.accepted, 0));
            self.session.wait_until_final(target, &wait).await?;
        }
        self.tell("final on the root chain, and verified by the watcher");
        Ok(())
    }
}
