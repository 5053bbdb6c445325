//! What an evacuation has to know: from the watcher what there is and whether the chain is safe, from the root chain what leaves
//! already and what leaving costs.
//!
//! It must never take a watcher that is silent for one that says "safe".

use super::super::exits::{ExitPhase, SeenExit, follow};
use super::super::payments::danger;
use super::super::session::Session;
use super::pending::{PendingMerges, signed_away};
use super::plan::Facts;
use crate::failure::Failure;
use anyhow::{Context, Result};
use plasma_core::root_chain::EventKind;
use plasma_core::wire::{Address, Blknum, ETH, ExitId, U256, UtxoPos};
use plasma_eth::RootChain;
use plasma_rpc::client::ClientError;
use std::collections::{BTreeMap, BTreeSet};

/// Most blocks whose time is asked for. The newest matter: old outputs leave a period after their start anyway.
const BLOCK_TIMES_MAX: usize = 500;

/// What stays true from one look to the next.
#[derive(Default)]
pub(super) struct Known {
    /// Outputs whose exit was started, in whatever phase it is.
    pub(super) exiting: BTreeSet<UtxoPos>,
    block_times_s: BTreeMap<Blknum, u64>,
}

/// An exit, and how far it is.
pub(super) struct OwnExit {
    pub(super) exit: SeenExit,
    pub(super) phase: ExitPhase,
}

impl Session {
    /// Why the chain is not safe to merge on; `None` when it is. Refused when nobody answers: without a watcher there is no list of
    /// outputs either.
    pub(super) async fn merge_danger(&self) -> Result<Option<String>> {
        match self.status().await {
            Ok(status) => Ok(danger(&status)),
            Err(error) => match error.downcast_ref::<ClientError>() {
                Some(ClientError::Api(_)) => Ok(Some(format!(
                    "the watcher does not say whether the chain is safe: {error:#}"
                ))),
                Some(_) => Err(unreachable(&error)),
                None => Err(error),
            },
        }
    }

    /// Everything that a plan is made of.
    pub(super) async fn evacuation_facts(
        &self,
        owner: Address,
        merges: &PendingMerges,
        known: &mut Known,
    ) -> Result<(Facts, Option<String>)> {
        let danger = self.merge_danger().await?;
        let outputs = self.utxos(owner).await?;
        let kept = merges.of(&outputs).context("the merges of earlier runs cannot be read")?;
        let mut blknums: Vec<Blknum> = outputs.keys().map(|at| at.blknum).collect();
        blknums.retain(|blknum| !blknum.is_deposit());
        blknums.dedup();
        for blknum in blknums.into_iter().rev().take(BLOCK_TIMES_MAX) {
            if !known.block_times_s.contains_key(&blknum)
                && let Some(block) = self.child_block(blknum).await?
            {
                known.block_times_s.insert(blknum, block.timestamp_s);
            }
        }
        let mut without_queue = BTreeSet::new();
        for currency in outputs.values().map(|utxo| utxo.currency).collect::<BTreeSet<_>>() {
            if !self.root_chain.has_exit_queue(currency).await? {
                without_queue.insert(currency);
            }
        }
        let quote = self.reader.fee_quote().await?;
        let now = quote.base_fee_per_gas_wei.saturating_add(quote.priority_fee_per_gas_wei);
        let facts = Facts {
            signed_away: signed_away(&kept),
            outputs,
            exiting: known.exiting.clone(),
            is_safe: danger.is_none(),
            now_s: self.root_chain.newest_block().await?.timestamp_s,
            min_exit_period_s: self.network.deployment.min_exit_period_s,
            block_times_s: known.block_times_s.clone(),
            without_queue,
            gas_price_wei: now.into(),
            gas_price_max_wei: U256::from(quote.generous().max_fee_per_gas_wei),
            bond_wei: self.root_chain.standard_exit_bond_wei().await?,
            balance_wei: self.root_chain.balance(owner, ETH).await?,
        };
        Ok((facts, danger))
    }

    /// All standard exits that an account ever started, as the root chain tells.
    pub(super) async fn own_exits(&self, owner: Address) -> Result<Vec<OwnExit>> {
        const KINDS: [EventKind; 3] =
            [EventKind::ExitStarted, EventKind::ExitChallenged, EventKind::ExitFinalized];
        let newest = self.root_chain.newest_block().await?;
        let from = self.network.deployment.eth_height;
        let events = self.reader.events(&KINDS, from, newest.eth_height).await?;
        let mut exits = follow(&events);
        exits.retain(|exit| exit.owner == owner);
        let ids: Vec<ExitId> = exits.iter().map(|exit| exit.exit_id).collect();
        let records = self.root_chain.standard_exits(&ids).await?;
        let own = exits.into_iter().zip(records).map(|(exit, record)| {
            let phase = exit.phase(record.as_ref(), newest.timestamp_s);
            OwnExit { exit, phase }
        });
        Ok(own.collect())
    }
}

impl OwnExit {
    /// Whether it waits in a queue and can still be paid.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, ExitPhase::Waiting | ExitPhase::Due)
    }
}

fn unreachable(error: &anyhow::Error) -> anyhow::Error {
    let message =
        format!("the watcher does not answer, and only it knows what this account has: {error:#}");
    Failure::new("watcher:unreachable", message)
        .next("use another watcher (--watcher-url), or a proof file that `penning wallet exit-pack` made while one answered: with it, exits need the root chain only")
        .into()
}
