//! `wallet status`: from pending to final on the root chain.
//!
//! A transaction is found in the operator's blocks, each checked against its root on the root chain; whether a block is valid is for
//! the watcher to say.

use super::blocks::VerifiedBlock;
use super::payments::danger;
use super::progress::{BlockFacts, Phase, phase};
use super::session::{Session, wait_for};
use super::view::{self, PositionView};
use crate::failure::Failure;
use anyhow::Result;
use clap::Args;
use plasma_core::wire::{
    Blknum, CHILD_BLOCK_INTERVAL, H256, OutputIndex, TxHash, TxIndex, UtxoPos,
};
use plasma_eth::RootChain;
use plasma_rpc::json::hex;
use plasma_rpc::params::NoParams;
use plasma_rpc::watcher::CONFIGURATION_GET;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Tx(TxHash),
    Position(UtxoPos),
}

/// Reads a transaction hash or a position.
fn target(text: &str) -> Result<Target, String> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 64);
    if let Some(bytes) = digits.and_then(|digits| const_hex::decode_to_array::<_, 32>(digits).ok())
    {
        return Ok(Target::Tx(H256(bytes)));
    }
    let position = crate::parsing::position(text).map(Target::Position);
    position.map_err(|error| format!("{error}; or give a transaction hash: 0x and 64 hex digits"))
}

/// What to look for, and how far.
#[derive(Args)]
pub(super) struct StatusArgs {
    /// A transaction hash, or the position of one of its outputs
    #[arg(value_name = "TXHASH|POSITION", value_parser = target)]
    target: Target,
    /// How many of the newest blocks are searched for a hash
    #[arg(long, value_name = "N", default_value_t = 100)]
    search_blocks: u64,
    #[command(flatten)]
    wait: WaitArgs,
}

/// Whether and how long to wait for finality.
#[derive(Args, Clone, Copy)]
pub(super) struct WaitArgs {
    /// Wait until it is final
    #[arg(long)]
    pub(super) wait: bool,
    /// Longest wait in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    wait_s: u64,
    /// Root chain blocks that make it final; else as many as this chain asks for deposits
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    confirmations: Option<u64>,
}

impl WaitArgs {
    /// So long, and no flag.
    pub(super) const fn of(wait_s: u64) -> Self {
        Self { wait: true, wait_s, confirmations: None }
    }

    /// The longest wait.
    pub(super) const fn longest(&self) -> Duration {
        Duration::from_secs(self.wait_s)
    }
}

impl StatusArgs {
    /// Does it.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
        let target = match self.target {
            Target::Tx(txhash) => match session.find(txhash, self.search_blocks).await? {
                Some(position) => Target::Position(position),
                None if self.wait.wait => {
                    return Err(Failure::new(
                        "status:unknown",
                        "this transaction is in no block yet, or in an older one",
                    )
                    .next("wait for the position of one of its outputs instead; `pay` printed it")
                    .into());
                }
                None => {
                    return session.out.finish(&StatusReport::unknown(txhash, self.search_blocks));
                }
            },
            found => found,
        };
        let report = if self.wait.wait {
            session.wait_until_final(target, &self.wait).await?
        } else {
            session.look(target, self.wait.confirmations).await?
        };
        session.out.finish(&report)
    }
}

impl Session {
    /// Searches the newest blocks for a transaction, the newest first.
    async fn find(&self, txhash: TxHash, blocks_max: u64) -> Result<Option<UtxoPos>> {
        let mut blknum = self.reader.submission_state().await?.mined_blknum;
        for _ in 0..blocks_max {
            let Some(at) = self.child_block(blknum).await? else { break };
            let block = self.verified_block(blknum, at.root).await?;
            if let Some(txindex) = block.find(txhash) {
                return Ok(Some(UtxoPos::new(blknum, txindex, OutputIndex::new(0))));
            }
            blknum = blknum.previous_child_block();
        }
        Ok(None)
    }

    /// Waits until a transaction is final.
    pub(super) async fn wait_until_final(
        &self,
        target: Target,
        wait: &WaitArgs,
    ) -> Result<StatusReport> {
        let timeout = wait.longest();
        let mut last = Phase::Unknown;
        wait_for("the transaction to be final", timeout, async || {
            let report = self.look(target, wait.confirmations).await?;
            if report.phase != last {
                self.out.progress(format!("  {}: {}", report.phase.name(), report.next));
                last = report.phase;
            }
            if report.phase == Phase::Unsafe {
                return Err(Failure::new("chain:unsafe", report.next).into());
            }
            Ok((report.phase == Phase::Final).then_some(report))
        })
        .await
    }

    /// Looks once.
    async fn look(&self, target: Target, confirmations: Option<u64>) -> Result<StatusReport> {
        let position = match target {
            Target::Position(position) => position,
            Target::Tx(txhash) => return Ok(StatusReport::unknown(txhash, 0)),
        };
        let wanted = match confirmations {
            Some(wanted) => wanted,
            None => {
                let configuration = self.watcher.call(&CONFIGURATION_GET, &NoParams {}).await?;
                configuration.deposit_finality_margin.max(1)
            }
        };
        let blknum = position.blknum;
        let on_root_chain = self.child_block(blknum).await?;
        let mut report = StatusReport::pending(position);
        report.wanted = wanted;
        if let Some(at) = on_root_chain {
            let newest = self.root_chain.newest_block().await?.eth_height;
            // Where several blocks share a second, the last one: fewer confirmations rather than more.
            let (first, height) = self.heights_at(at.timestamp_s).await?;
            if first <= height {
                report.eth_height = Some(height.get());
                let confirmations = newest.get().saturating_sub(height.get()).saturating_add(1);
                report.confirmations = confirmations;
            }
            if !blknum.is_deposit() {
                report.txhash =
                    Some(check_included(&self.verified_block(blknum, at.root).await?, position)?);
            }
        }
        let status = self.status().await?;
        let submissions = self.reader.submission_state().await?;
        let ahead = blknum.get().saturating_sub(submissions.mined_blknum.get());
        let facts = BlockFacts {
            confirmations: on_root_chain.map(|_| report.confirmations),
            wanted,
            blocks_until: ahead / CHILD_BLOCK_INTERVAL,
            submissions_under_way: submissions
                .pending_nonce
                .saturating_sub(submissions.authority_nonce),
            is_verified: blknum.is_deposit() || status.last_validated_child_block_number >= blknum,
            is_unsafe: danger(&status).is_some(),
        };
        report.is_verified = facts.is_verified && on_root_chain.is_some();
        (report.phase, report.next) = phase(&facts);
        Ok(report)
    }
}

/// The hash of the transaction at a position of a block that is on the root chain.
fn check_included(block: &VerifiedBlock, position: UtxoPos) -> Result<TxHash, Failure> {
    let tx = block.transaction(position.txindex).ok_or_else(|| {
        let (root, index) = (block.root, position.txindex);
        Failure::new(
            "status:not_included",
            format!("block {} (root {root:?}) has no transaction {index}", position.blknum),
        )
        .next(
            "if the operator promised this place, he has broken his word: the payment was not made",
        )
    })?;
    Ok(tx.hash())
}

/// What the command prints.
#[derive(Serialize)]
pub(super) struct StatusReport {
    phase: Phase,
    #[serde(with = "hex::optional")]
    txhash: Option<TxHash>,
    blknum: Option<Blknum>,
    txindex: Option<TxIndex>,
    output: Option<PositionView>,
    eth_height: Option<u64>,
    confirmations: u64,
    wanted: u64,
    is_verified: bool,
    next: String,
}

impl StatusReport {
    /// The stable name of the phase.
    pub(super) const fn phase_name(&self) -> &'static str {
        self.phase.name()
    }

    const fn empty(phase: Phase, next: String) -> Self {
        Self {
            phase,
            txhash: None,
            blknum: None,
            txindex: None,
            output: None,
            eth_height: None,
            confirmations: 0,
            wanted: 0,
            is_verified: false,
            next,
        }
    }

    fn unknown(txhash: TxHash, searched: u64) -> Self {
        let next = format!(
            "it is in none of the newest {searched} blocks: pending, never accepted, or older (--search-blocks)"
        );
        Self { txhash: Some(txhash), ..Self::empty(Phase::Unknown, next) }
    }

    fn pending(position: UtxoPos) -> Self {
        Self {
            blknum: Some(position.blknum),
            txindex: Some(position.txindex),
            output: Some(position.into()),
            ..Self::empty(Phase::Pending, String::new())
        }
    }
}

impl fmt::Display for StatusReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.phase.name())?;
        if let Some(txhash) = self.txhash {
            write!(f, "\n  transaction {}", view::hash(txhash))?;
        }
        if let (Some(blknum), Some(txindex)) = (self.blknum, self.txindex) {
            write!(f, "\n  block {blknum}, index {txindex}")?;
        }
        if let Some(height) = self.eth_height {
            let (found, wanted) = (self.confirmations, self.wanted);
            write!(
                f,
                "\n  on the root chain since block {height}: {found} of {wanted} confirmations"
            )?;
            let verified = if self.is_verified { "verified" } else { "not yet verified" };
            write!(f, "\n  {verified} by the watcher")?;
        }
        write!(f, "\n  next: {}", self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_hash_or_a_position() {
        let hash = format!("0x{}", "ab".repeat(32));
        assert_eq!(target(&hash), Ok(Target::Tx(H256::repeat_byte(0xab))));
        let position = UtxoPos::deposit(Blknum::new(1000));
        assert_eq!(target("1000:0:0"), Ok(Target::Position(position)));
        assert_eq!(target("1000000000000"), Ok(Target::Position(position)));
        for text in ["", "0x", "0xab", &format!("0x0x{}", "ab".repeat(31)), "x"] {
            assert!(target(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reports_have_a_stable_shape() {
        let unknown = StatusReport::unknown(H256::repeat_byte(1), 5);
        let json = serde_json::to_value(&unknown).unwrap();
        assert_eq!(json["phase"], "unknown");
        assert_eq!(json["blknum"], serde_json::Value::Null);

        let mut report = StatusReport::pending(UtxoPos::deposit(Blknum::new(1000)));
        report.phase = Phase::Submitted;
        report.eth_height = Some(9);
        report.confirmations = 1;
        report.wanted = 2;
        report.next = "wait".to_owned();
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(
            json,
            r#"{"phase":"submitted","txhash":null,"blknum":1000,"txindex":0,"output":{"position":"1000:0:0","utxo_pos":"1000000000000"},"eth_height":9,"confirmations":1,"wanted":2,"is_verified":false,"next":"wait"}"#
        );
        let text = report.to_string();
        assert!(text.contains("1 of 2 confirmations"), "{text}");
        assert!(text.ends_with("next: wait"), "{text}");
    }
}
