//! Rounds of merges: small outputs become large ones, and what a round made is spent by the next.
//!
//! It must never sign over an output of which only the operator told: an operator who names the place of another, larger output as that
//! of a merge would be given it as a fee. So a place that cannot be the merge's is refused at once, and every other waits for the watcher.
//!
//! ```text
//! sign, send ─► place is new? ─► watcher lists owner, currency and amount there ─► the next round may spend it
//! ```

use super::pay::{Sent, SubmitArgs};
use super::payments::{danger, output_of};
use super::session::{Session, Utxos, wait_for};
use super::view;
use crate::failure::Failure;
use anyhow::Result;
use plasma_core::db_update::Utxo;
use plasma_core::payment_builder::{CreatedTx, build_merges};
use plasma_core::wire::{Address, Blknum, Currency, SecretKey, TxHash, TxIndex};
use plasma_rpc::child_chain::SubmitAnswer;
use std::collections::BTreeSet;
use std::time::Duration;

/// Places that no new transaction can have.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    taken: BTreeSet<(Blknum, TxIndex)>,
    newest_validated: Blknum,
}

impl Places {
    /// Those of what an account has, and of everything up to the newest block that the watcher has executed.
    pub(super) fn of(utxos: &Utxos, newest_validated: Blknum) -> Self {
        let taken = utxos.keys().map(|at| (at.blknum, at.txindex)).collect();
        Self { taken, newest_validated }
    }

    /// Takes the place that the operator promises.
    ///
    /// # Errors
    /// `operator:wrong_position` when another transaction has it, or none of a user can.
    pub(super) fn take(&mut self, accepted: &SubmitAnswer) -> Result<(), Failure> {
        let SubmitAnswer { blknum, txindex, txhash } = *accepted;
        let is_over = blknum.is_deposit() || blknum <= self.newest_validated;
        if !is_over && self.taken.insert((blknum, txindex)) {
            return Ok(());
        }
        let place = output_of(accepted, 0);
        let message = format!(
            "the operator promises transaction {} the place {place}, which another has",
            view::hash(txhash)
        );
        Err(Failure::new("operator:wrong_position", message).next(take_back(txhash)))
    }
}

/// What a transaction makes for an owner, where the operator says that it is.
pub(super) fn made_for(owner: Address, created: &CreatedTx, accepted: &SubmitAnswer) -> Utxos {
    let own = created.tx.outputs.iter().enumerate().filter(|(_, output)| output.owner == owner);
    let own = own.map(|(oindex, output)| {
        let (output_type, currency) = (output.output_type, output.currency);
        (output_of(accepted, oindex), Utxo { output_type, currency, amount: output.amount })
    });
    own.collect()
}

/// Whether the watcher lists all that a transaction made.
///
/// # Errors
/// `operator:wrong_position` when it lists something else there.
pub(super) fn is_listed(listed: &Utxos, made: &Utxos, txhash: TxHash) -> Result<bool, Failure> {
    for (at, expected) in made {
        match listed.get(at) {
            Some(found) if found == expected => {}
            Some(_) => {
                let txhash_text = view::hash(txhash);
                let message = format!(
                    "the operator says that {txhash_text} is at {at}, but the watcher has another output there"
                );
                return Err(
                    Failure::new("operator:wrong_position", message).next(take_back(txhash))
                );
            }
            None => return Ok(false),
        }
    }
    Ok(true)
}

fn take_back(txhash: TxHash) -> String {
    format!(
        "do not trust this operator: nothing more was signed. If the transaction never appears, `penning wallet exit --in-flight {}`",
        view::hash(txhash)
    )
}

/// A merge that was sent, and what it makes for its owner.
pub(super) type Made = (TxHash, Utxos);

impl Session {
    /// Which places are taken, as the watcher tells.
    pub(super) async fn places(&self, utxos: &Utxos, submit: SubmitArgs) -> Result<Places> {
        let newest = match self.status().await {
            Ok(status) => status.last_validated_child_block_number,
            Err(_) if submit.ignores_danger() => Blknum::default(),
            Err(error) => return Err(error),
        };
        Ok(Places::of(utxos, newest))
    }

    /// Sends merges. Their inputs are gone from the outputs; what they make is not there yet.
    pub(super) async fn send_merges(
        &self,
        merges: Vec<CreatedTx>,
        (key, submit): (&SecretKey, SubmitArgs),
        utxos: &mut Utxos,
    ) -> Result<Vec<Sent>> {
        let mut places = self.places(utxos, submit).await?;
        let mut merged = Vec::new();
        for merge in merges {
            let sent = self.submit(merge, key, submit).await?;
            places.take(&sent.accepted)?;
            for (position, _) in &sent.created.inputs {
                utxos.remove(position);
            }
            merged.push(sent);
        }
        Ok(merged)
    }

    /// Waits until the watcher lists what these merges made.
    ///
    /// # Errors
    /// `operator:wrong_position`, `chain:unsafe`, and `merge:unconfirmed` when the time is over.
    pub(super) async fn confirm_merges(
        &self,
        (owner, submit): (Address, SubmitArgs),
        made: &[Made],
        timeout: Duration,
    ) -> Result<()> {
        self.out.progress("waiting until the watcher has these merges in a block");
        let waited = wait_for("the watcher to list the merges", timeout, async || {
            let fault = self.status().await.map(|status| danger(&status));
            let fault = if submit.ignores_danger() { None } else { fault? };
            if let Some(fault) = fault {
                let message = format!("the chain has become unsafe: {fault}");
                return Ok(Some(Err(Failure::new("chain:unsafe", message)
                    .next("take your money out: `penning wallet evacuate`"))));
            }
            let listed = self.utxos(owner).await?;
            for (txhash, made) in made {
                match is_listed(&listed, made, *txhash) {
                    Ok(true) => {}
                    Ok(false) => return Ok(None),
                    Err(failure) => return Ok(Some(Err(failure))),
                }
            }
            Ok(Some(Ok(())))
        });
        match waited.await {
            Ok(confirmed) => Ok(confirmed?),
            Err(error) => {
                let first = made.first().map(|(txhash, _)| *txhash).unwrap_or_default();
                Err(Failure::new("merge:unconfirmed", format!("{error:#}"))
                    .next(format!("nothing that the watcher does not list is spent: run this again once `penning wallet utxos` shows it. If it never does: `penning wallet exit --in-flight {}`", view::hash(first)))
                    .into())
            }
        }
    }

    /// Joins all outputs of one currency into one.
    pub(super) async fn merge(
        &self,
        (key, submit): (&SecretKey, SubmitArgs),
        currency: Currency,
        utxos: &mut Utxos,
        timeout: Duration,
    ) -> Result<Vec<Sent>> {
        let mut merged = Vec::new();
        loop {
            let merges = build_merges(key.address(), currency, utxos.clone());
            if merges.is_empty() {
                return Ok(merged);
            }
            let sent = self.send_merges(merges, (key, submit), utxos).await?;
            let made: Vec<Made> = sent.iter().map(|sent| sent.made_for(key.address())).collect();
            merged.extend(sent);
            utxos.extend(made.iter().flat_map(|(_, made)| made.clone()));
            if !build_merges(key.address(), currency, utxos.clone()).is_empty() {
                self.confirm_merges((key.address(), submit), &made, timeout).await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::wire::{ETH, H256, OutputType, U256, UtxoPos};

    fn answer(blknum: u64, txindex: u32) -> SubmitAnswer {
        let (blknum, txindex) = (Blknum::new(blknum), TxIndex::new(txindex));
        SubmitAnswer { blknum, txindex, txhash: H256::repeat_byte(7) }
    }

    fn utxo(amount: u64) -> Utxo {
        Utxo { output_type: OutputType::Payment, currency: ETH, amount: amount.into() }
    }

    fn code(failure: Failure) -> String {
        crate::failure::ErrorReport::of(&failure.into()).code
    }

    #[test]
    fn an_operator_cannot_name_the_place_of_something_else() {
        let large = output_of(&answer(9_000, 3), 1);
        let known: Utxos = [(large, utxo(1_000_000))].into();
        for (blknum, txindex, is_new) in [
            (6_000, 0, true),
            (9_000, 2, true),
            // Of another output of that transaction.
            (9_000, 3, false),
            // Decided already, deposits.
            (5_000, 0, false),
            (1_000, 9, false),
            (0, 0, false),
            (9_001, 0, false),
        ] {
            let mut places = Places::of(&known, Blknum::new(5_000));
            let first = places.take(&answer(blknum, txindex));
            assert_eq!(first.is_ok(), is_new, "{blknum}:{txindex}");
            let again = places.take(&answer(blknum, txindex)).unwrap_err();
            assert_eq!(code(again), "operator:wrong_position", "{blknum}:{txindex}");
        }
    }

    #[test]
    fn only_what_the_watcher_lists_as_expected_may_be_spent() {
        let owner = Address::repeat_byte(1);
        let coins = (1..=3).map(|number| (UtxoPos::deposit(Blknum::new(number)), utxo(number)));
        let merge = build_merges(owner, ETH, coins).remove(0);
        let made = made_for(owner, &merge, &answer(2_000, 5));
        let at = output_of(&answer(2_000, 5), 0);
        assert_eq!(made, [(at, utxo(6))].into());
        assert_eq!(made_for(Address::zero(), &merge, &answer(2_000, 5)), Utxos::new());
        let other = Address::repeat_byte(9);
        for (listed, expected) in [
            (None, Some(false)),
            (Some((at, utxo(6))), Some(true)),
            (Some((output_of(&answer(2_000, 6), 0), utxo(6))), Some(false)),
            (Some((at, utxo(7))), None),
            (Some((at, Utxo { currency: other, ..utxo(6) })), None),
        ] {
            let listed = listed.into_iter().collect();
            let found = is_listed(&listed, &made, H256::repeat_byte(7));
            match (found, expected) {
                (Ok(found), Some(expected)) => assert_eq!(found, expected),
                (Err(failure), None) => assert_eq!(code(failure), "operator:wrong_position"),
                (found, expected) => panic!("{found:?} instead of {expected:?}"),
            }
        }
        assert_eq!(U256::from(6), made[&at].amount);
    }
}
