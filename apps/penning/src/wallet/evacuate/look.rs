//! What an evacuation has to know: from the watcher what there is and whether the chain is safe, from the root chain what leaves
//! already and what leaving costs.
//!
//! It must never take a watcher that is silent for one that says "safe".

use super::super::blocks::VerifiedBlock;
use super::super::exits::{ExitPhase, SeenExit, follow};
use super::super::payments::danger;
use super::super::session::Session;
use super::pending::{inputs, signed_away};
use super::plan::{Facts, Left, Reason, Source};
use crate::failure::Failure;
use anyhow::Result;
use plasma_core::root_chain::EventKind;
use plasma_core::wire::{
    Address, Blknum, ETH, ExitId, OutputIndex, RecoveredTx, SignedTx, TypedDataDomain, U256,
    UtxoPos,
};
use plasma_eth::RootChain;
use plasma_rpc::client::ClientError;
use plasma_rpc::watcher::{ByzantineEvent, Status};
use std::collections::{BTreeMap, BTreeSet};

/// Most blocks, from the first faulty one on, that are searched for what was signed here.
const FAULTY_BLOCKS_MAX: usize = 20;
/// Most blocks whose time is asked for. The newest matter: old outputs leave a period after their start anyway.
const BLOCK_TIMES_MAX: usize = 500;

/// What stays true from one look to the next.
#[derive(Default)]
pub(super) struct Known {
    /// Outputs whose exit was started, in whatever phase it is.
    pub(super) exiting: BTreeSet<UtxoPos>,
    block_times_s: BTreeMap<Blknum, u64>,
    /// Looked for once, when the chain is seen to be faulty.
    in_faulty_block: Option<Vec<Left>>,
}

/// An exit, and how far it is.
pub(super) struct OwnExit {
    pub(super) exit: SeenExit,
    pub(super) phase: ExitPhase,
}

impl Session {
    /// What the watcher says, and why the chain is not safe to merge on; `None` when it is. Refused when nobody answers: without a watcher there is no list of
    /// outputs either.
    async fn verdict(&self) -> Result<(Option<Status>, Option<String>)> {
        match self.status().await {
            Ok(status) => {
                let danger = danger(&status);
                Ok((Some(status), danger))
            }
            Err(error) => match error.downcast_ref::<ClientError>() {
                Some(ClientError::Api(_)) => {
                    let danger = "the watcher does not say whether the chain is safe";
                    Ok((None, Some(format!("{danger}: {error:#}"))))
                }
                Some(_) => Err(unreachable(&error)),
                None => Err(error),
            },
        }
    }

    /// Why the chain is not safe to merge on.
    pub(super) async fn merge_danger(&self) -> Result<Option<String>> {
        Ok(self.verdict().await?.1)
    }

    /// What was signed here and is in blocks that the watcher does not accept. The operator's answers count only as far as the root chain
    /// vouches for them.
    async fn in_faulty_blocks(
        &self,
        owner: Address,
        status: &Status,
        signed: &[SignedTx],
    ) -> Vec<Left> {
        let mut found = Vec::new();
        let Some(first) = first_faulty(status) else { return found };
        let mut blknum = first;
        for _ in 0..FAULTY_BLOCKS_MAX {
            let block = match self.child_block(blknum).await {
                Ok(Some(at)) => self.verified_block(blknum, at.root).await,
                Ok(None) => break,
                Err(error) => Err(error),
            };
            match block {
                Ok(block) => found.extend(own_of(owner, blknum, &block, signed, &self.domain())),
                Err(error) => self.out.progress(format!("block {blknum}: {error:#}")),
            }
            let Some(next) = blknum.next_child_block() else { break };
            blknum = next;
        }
        found
    }

    /// Everything that a plan is made of.
    pub(super) async fn evacuation_facts(
        &self,
        owner: Address,
        known: &mut Known,
    ) -> Result<(Facts, Option<String>)> {
        self.wait_for_watcher().await?;
        let (status, danger) = self.verdict().await?;
        let outputs = self.utxos(owner).await?;
        let mut signed = self.signed_here()?;
        if let (Some(status), None) = (&status, &known.in_faulty_block)
            && first_faulty(status).is_some()
        {
            known.in_faulty_block = Some(self.in_faulty_blocks(owner, status, &signed).await);
        }
        signed.retain(|tx| inputs(tx).any(|at| outputs.contains_key(&at)));
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
            signed_away: signed_away(&signed),
            in_faulty_block: known.in_faulty_block.clone().unwrap_or_default(),
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

fn first_faulty(status: &Status) -> Option<Blknum> {
    let blknums = status.byzantine_events.iter().filter_map(|event| match event {
        ByzantineEvent::InvalidBlock(block) => Some(block.blknum),
        ByzantineEvent::BlockWithholding(block) => Some(block.blknum),
        _ => None,
    });
    blknums.min()
}

/// What an owner signed here that is in a block: the outputs that are his, or the first, as its name.
fn own_of(
    owner: Address,
    blknum: Blknum,
    block: &VerifiedBlock,
    signed: &[SignedTx],
    domain: &TypedDataDomain,
) -> Vec<Left> {
    let is_by_owner = |tx: &SignedTx| {
        let recovered = RecoveredTx::recover(tx.clone(), domain);
        recovered.is_ok_and(|tx| tx.spenders().contains(&owner))
    };
    let mut found = Vec::new();
    for tx in signed {
        let Some(txindex) = block.find(tx.hash()).filter(|_| is_by_owner(tx)) else { continue };
        let reason = Reason::InFaultyBlock { txhash: tx.hash() };
        let outputs = tx.transaction().outputs().iter();
        let outputs = (0_u16..).map(OutputIndex::new).zip(outputs).map(|(oindex, output)| {
            let source = Source::Output(UtxoPos::new(blknum, txindex, oindex));
            let (currency, amount) = (output.currency, output.amount);
            (output.owner, Left { source, currency, amount, reason: reason.clone() })
        });
        let (own, others): (Vec<_>, Vec<_>) = outputs.partition(|(of, _)| *of == owner);
        let named = if own.is_empty() { others.into_iter().take(1).collect() } else { own };
        found.extend(named.into_iter().map(|(_, left)| left));
    }
    found
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

#[cfg(test)]
mod tests {
    use super::super::super::sent_payments::tests::{key, signed};
    use super::*;
    use plasma_core::wire::{Block, H256, MerkleBuilder};
    use plasma_rpc::watcher::{BlockWithholding, InvalidBlock};

    #[test]
    fn a_payment_in_a_faulty_block_is_found_by_its_bytes_and_its_signer() {
        let framework = Address::repeat_byte(4);
        let domain = TypedDataDomain::new(framework);
        let sent: Vec<_> = (1..=3).map(|blknum| signed(blknum, framework)).collect();
        let leaves = sent[..2].iter().map(SignedTx::leaf);
        let root = MerkleBuilder::from_leaves(leaves).unwrap().root();
        let number = Blknum::new(7_000);
        let transactions = sent[..2].iter().map(|tx| tx.as_bytes().into()).collect();
        let block = VerifiedBlock::new(&Block { number, hash: root, transactions }, root).unwrap();
        let of = |owner, kept: &[SignedTx]| -> Vec<_> {
            let found = own_of(owner, number, &block, kept, &domain);
            found.into_iter().map(|left| (left.source, left.reason)).collect()
        };
        // The second of the block is kept; it pays somebody else, and is named all the same.
        let at = UtxoPos::new(number, block.find(sent[1].hash()).unwrap(), OutputIndex::new(0));
        let reason = Reason::InFaultyBlock { txhash: sent[1].hash() };
        assert_eq!(of(key().address(), &sent[1..]), [(Source::Output(at), reason)]);
        assert_eq!(of(Address::repeat_byte(8), &sent[1..]), [], "of another account");
        assert_eq!(of(key().address(), &sent[2..]), [], "in no block");
    }

    #[test]
    fn the_first_faulty_block_is_where_the_search_begins() {
        let hash = H256::zero();
        let withheld = |number| {
            ByzantineEvent::BlockWithholding(BlockWithholding { blknum: Blknum::new(number), hash })
        };
        let (blknum, error_type) = (Blknum::new(5_000), "tx_execution".to_owned());
        let invalid = ByzantineEvent::InvalidBlock(InvalidBlock { hash, blknum, error_type });
        for (byzantine_events, expected) in [
            (vec![], None),
            (vec![withheld(6_000)], Some(6_000)),
            (vec![withheld(6_000), invalid], Some(5_000)),
        ] {
            let status = Status { byzantine_events, ..Status::default() };
            assert_eq!(first_faulty(&status), expected.map(Blknum::new));
        }
    }
}
