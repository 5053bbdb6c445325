//! The merges of an evacuation: sent round after round, and waited for until the root chain will not forget their blocks.
//!
//! It must never take a merge for refused because the operator says so: only the watcher's own word means that nobody has it.

use super::super::look::sums;
use super::super::merging::{Made, made_for};
use super::super::pay::SubmitArgs;
use super::super::payments::sign;
use super::super::session::{Utxos, wait_for};
use super::Evacuation;
use super::plan::{Facts, Plan};
use anyhow::{Context, Result};
use plasma_core::payment_builder::{CreatedTx, build_merges};
use plasma_core::wire::{TxHash, U256, UtxoPos};
use plasma_rpc::child_chain::{SubmitAnswer, SubmitParams};
use plasma_rpc::client::ClientError;
use plasma_rpc::params::NoParams;
use plasma_rpc::{codes, watcher};
use std::time::Duration;

impl Evacuation<'_> {
    /// Merges, and waits until the watcher has the results and the root chain will not forget their blocks. Ends early, and well, when
    /// the chain turns unsafe or the operator is too slow: what is not signed away exits all the same.
    pub(super) async fn merge(&mut self, plan: &Plan, facts: &Facts, wait_s: u64) -> Result<()> {
        let out = self.session.out;
        for kept in self.merges.of(&facts.outputs)? {
            out.progress(format!("sending the merge {:?} of an earlier run again", kept.hash()));
            let params = SubmitParams { transaction: kept.as_bytes().to_vec() };
            // The operator has it already, or takes it now; what counts is whether a block holds it.
            let _ = self.session.watcher.call(&watcher::TRANSACTION_SUBMIT, &params).await;
        }
        let mut utxos = facts.outputs.clone();
        utxos.retain(|at, _| !facts.exiting.contains(at) && !facts.signed_away.contains_key(at));
        utxos.retain(|_, utxo| plan.merges.iter().any(|merge| merge.currency == utxo.currency));
        if let Err(error) = self.merge_rounds(plan, utxos, Duration::from_secs(wait_s)).await {
            out.progress(format!("merging ends here: {error:#}"));
        }
        self.merged(facts, wait_s).await
    }

    /// A round joins what it can of every currency, and the watcher must list what it made before the next round spends that.
    async fn merge_rounds(
        &mut self,
        plan: &Plan,
        mut utxos: Utxos,
        timeout: Duration,
    ) -> Result<()> {
        let owner = self.key.address();
        let total = plan.merges.iter().map(|merge| merge.transactions).sum();
        let mut sent = 0_usize;
        let next_round = |utxos: &Utxos| -> Vec<CreatedTx> {
            let currencies = plan.merges.iter().map(|merge| merge.currency);
            currencies.flat_map(|currency| build_merges(owner, currency, utxos.clone())).collect()
        };
        loop {
            let round = next_round(&utxos);
            if round.is_empty() {
                return Ok(());
            }
            let mut places = self.session.places(&utxos, SubmitArgs::SAFE).await?;
            let mut made = Vec::<Made>::new();
            for created in round {
                sent = sent.saturating_add(1);
                let accepted = self.send_merge(&created, (sent, total)).await?;
                places.take(&accepted)?;
                for (position, _) in &created.inputs {
                    utxos.remove(position);
                }
                made.push((accepted.txhash, made_for(owner, &created, &accepted)));
            }
            let made_utxos = made.iter().flat_map(|(_, made)| made.clone());
            utxos.extend(made_utxos);
            if next_round(&utxos).is_empty() {
                self.sent_merges.extend(made);
                return Ok(());
            }
            self.session.confirm_merges((owner, SubmitArgs::SAFE), &made, timeout).await?;
            self.verified_merges.extend(made.into_iter().map(|(txhash, _)| txhash));
        }
    }

    /// A merge is on the disk before it is sent, and is forgotten again where the watcher did not pass it on.
    async fn send_merge(
        &self,
        created: &CreatedTx,
        (number, total): (usize, usize),
    ) -> Result<SubmitAnswer> {
        let count = created.inputs.len();
        self.session.out.progress(format!("[{number}/{total}] merging {count} outputs"));
        let signed = sign(created, &self.key, &self.session.domain())?;
        self.merges.keep(&signed).context("the merge cannot be kept on the disk")?;
        let sending = self.session.send(created.clone(), signed.clone(), SubmitArgs::SAFE);
        let error = match sending.await {
            Ok(sent) => {
                self.session.keep_sent(&signed, SubmitArgs::SAFE)?;
                return Ok(sent.accepted);
            }
            Err(error) => error,
        };
        if watcher_refused(&error) {
            self.merges.forget(|merge| merge.hash() == signed.hash())?;
        } else {
            self.session.keep_sent(&signed, SubmitArgs::SAFE)?;
        }
        Err(error)
    }

    /// Waits until the watcher lists as much as before, and nothing that a merge spends.
    async fn merged(&self, facts: &Facts, wait_s: u64) -> Result<()> {
        // What a payment spends may go away meanwhile.
        let merges = self.merges.of(&facts.outputs)?;
        let is_merge = |txhash: TxHash| merges.iter().any(|merge| merge.hash() == txhash);
        let is_paid =
            |at: &UtxoPos| facts.signed_away.get(at).is_some_and(|txhash| !is_merge(*txhash));
        let staying = |mut utxos: Utxos| {
            utxos.retain(|at, _| !self.known.exiting.contains(at) && !is_paid(at));
            sums(&utxos)
        };
        let before = staying(facts.outputs.clone());
        let session = self.session;
        session
            .out
            .progress("waiting until the merges are in a verified block, final on the root chain");
        let configuration = session.watcher.call(&watcher::CONFIGURATION_GET, &NoParams {}).await?;
        let wanted = configuration.deposit_finality_margin.max(1);
        let timeout = Duration::from_secs(wait_s);
        let waited = wait_for("the merges to be in a block", timeout, async || {
            if let Some(danger) = session.merge_danger().await? {
                session.out.progress(format!("THE CHAIN IS UNSAFE, exits start now: {danger}"));
                return Ok(Some(()));
            }
            let listed = session.utxos(self.key.address()).await?;
            let now = staying(listed.clone());
            let sum_now = |currency| now.get(currency).map_or(U256::zero(), |(_, sum)| *sum);
            let is_all_there = before.iter().all(|(currency, (_, sum))| sum_now(currency) >= *sum);
            if !is_all_there || !self.merges.of(&listed)?.is_empty() {
                return Ok(None);
            }
            let youngest = listed.keys().map(|at| at.blknum).filter(|at| !at.is_deposit()).max();
            let Some(blknum) = youngest else { return Ok(Some(())) };
            let Some(block) = session.child_block(blknum).await? else { return Ok(None) };
            let (_, height) = session.heights_at(block.timestamp_s).await?;
            let newest = session.root_chain.newest_block().await?.eth_height;
            let confirmations = newest.get().saturating_sub(height.get()).saturating_add(1);
            Ok((confirmations >= wanted).then_some(()))
        });
        if let Err(error) = waited.await {
            session.out.progress(format!("WARNING: going on without all merges: {error:#}"));
        }
        Ok(())
    }
}

/// Whether the watcher says by itself that it does not pass anything on. What the operator answers comes inside of another code, and he
/// may have kept the merge whatever he says.
fn watcher_refused(error: &anyhow::Error) -> bool {
    let refusal = error.downcast_ref::<ClientError>();
    matches!(refusal, Some(ClientError::Api(body)) if body.code == codes::CHAIN_UNSAFE.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_cannot_speak_for_the_watcher() {
        for (json, expected) in [
            (r#"{"code":"chain:unsafe"}"#, true),
            (r#"{"code":"submit:client_error","messages":{"code":"chain:unsafe"}}"#, false),
            (r#"{"code":"chain:unsafe:client_error","messages":{"code":"chain:unsafe"}}"#, false),
            (r#"{"code":"operation:overloaded"}"#, false),
        ] {
            let error = ClientError::Api(serde_json::from_str(json).unwrap());
            let error = anyhow::Error::new(error).context("not confirmed as accepted");
            assert_eq!(watcher_refused(&error), expected, "{json}");
        }
        assert!(!watcher_refused(&anyhow::anyhow!("chain:unsafe")));
    }
}
