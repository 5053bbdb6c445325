//! When to form a block, and with which nonce and fee its root goes to the root chain (protocol 4.5).
//!
//! It must never let two roots compete for one number. A block is submitted with one nonce, always the same, and only the nonce
//! before it can be used by the block before it; whoever breaks that from outside halts submission (`Q4`). The rules are numbered in
//! `docs/protocol/block-submission.md`, and the code cites them.
//!
//! ```text
//! snapshot of the root chain ─► on_tick ─► Plan { form, updates, submissions }
//! form_block ─► on_formed        submit each ─► on_outcome        is_stalled ─► alarm
//! ```

mod fees;
mod nonce;
mod recovery;

pub use nonce::QueueHalt;
pub use recovery::{RecoveredQueue, RestoreQueueError};

use crate::db_update::{BlockHeader, BlockQueueUpdate, DbUpdate};
use crate::root_chain::{FeeQuote, GasFees, SubmissionState, SubmitOutcome};
use crate::wire::{Blknum, BlockHash, CHILD_BLOCK_INTERVAL, EthHeight};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most submissions in one tick; the others follow in the next.
pub const SUBMISSIONS_PER_TICK_MAX: usize = 50;
/// Mined blocks that are kept in case the root chain forgets them again (protocol 4.5).
const MINED_BLOCKS_KEPT: u64 = 20;

/// When blocks are formed, and what their submission may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlockQueueConfig {
    /// Pause between two looks at the root chain.
    pub tick_ms: u64,
    /// Root chain blocks between two child chain blocks.
    pub form_every_eth_blocks: u64,
    /// A block with transactions is also formed after this long, however slow the root chain is; 0 switches that off.
    pub form_every_ms: u64,
    /// A block with fewer transactions waits for more, but no longer than the next setting says.
    pub block_txs_min: u32,
    /// How long a transaction waits at most for others to join it.
    pub force_form_after_ms: u64,
    /// No more blocks are formed while this many are not mined.
    pub unmined_blocks_max: usize,
    /// Root chain blocks after which a submission that is not mined offers more.
    pub bump_after_eth_blocks: u64,
    /// Most that a submission ever offers, in wei per gas.
    pub fee_per_gas_wei_max: u64,
    /// Root chain blocks after which a submission that is not mined raises an alarm.
    pub stalled_after_eth_blocks: u64,
}

impl Default for BlockQueueConfig {
    fn default() -> Self {
        Self {
            tick_ms: 1_000,
            form_every_eth_blocks: 1,
            form_every_ms: 0,
            block_txs_min: 1,
            force_form_after_ms: 70_000,
            unmined_blocks_max: 50,
            bump_after_eth_blocks: 3,
            fee_per_gas_wei_max: 500_000_000_000,
            stalled_after_eth_blocks: 4,
        }
    }
}

/// The pending block, as the ledger has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PendingStatus {
    /// Payments accepted so far.
    pub tx_count: u32,
    /// Whether no more fit.
    pub is_full: bool,
}

/// A root to submit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Whose it is.
    pub blknum: Blknum,
    /// The root.
    pub hash: BlockHash,
    /// The authority's nonce, always the same for a block.
    pub nonce: u64,
    /// What it offers.
    pub fees: GasFees,
}

/// What to do in a tick, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Let the ledger form a block, and hand what it formed to [`BlockQueue::on_formed`].
    pub form: bool,
    /// To be on disk before anything is submitted.
    pub updates: Vec<DbUpdate>,
    /// Roots to submit in ascending order; each outcome goes to [`BlockQueue::on_outcome`], which says whether to go on.
    pub submissions: Vec<Submission>,
    /// Why nothing is submitted, if something is wrong.
    pub halt: Option<QueueHalt>,
}

/// A formed block.
#[derive(Clone, Copy, Debug)]
struct Queued {
    hash: BlockHash,
    /// Height at which it was first submitted.
    first_offered: Option<EthHeight>,
    /// Height at which it was last submitted.
    offered: Option<EthHeight>,
    /// Height at which the fees were last raised.
    raised: EthHeight,
    fees: Option<GasFees>,
    underpriced: bool,
    /// The last answer leaves open whether it has its nonce.
    doubtful: bool,
}

/// See the module.
///
/// # After a restart
/// Every formed block that is not mined is submitted again, with the nonce it had. What its submission offered before is forgotten;
/// a node that has it already says so.
#[derive(Clone, Debug)]
pub struct BlockQueue {
    config: BlockQueueConfig,
    nonce_offset: Option<i64>,
    mined: Blknum,
    /// The newest mined block whose root is known to be ours.
    compared: Blknum,
    blocks: BTreeMap<Blknum, Queued>,
    forming: bool,
    formed_at: Option<EthHeight>,
    /// Since when transactions wait in the pending block.
    waiting_since_ms: Option<u64>,
    eth_height: EthHeight,
    halt: Option<QueueHalt>,
}

impl BlockQueue {
    /// The block whose root is to be read from the contract before the next tick with this newest mined block: `None` when it was
    /// compared before.
    pub fn root_needed(&self, mined: Blknum) -> Option<Blknum> {
        (mined > Blknum::default() && mined != self.compared).then_some(mined)
    }

    /// Looks at the root chain and the pending block. `mined_root` is the contract's root of the block that
    /// [`Self::root_needed`] names.
    pub fn on_tick(
        &mut self,
        now_ms: u64,
        state: &SubmissionState,
        mined_root: Option<BlockHash>,
        quote: &FeeQuote,
        pending: PendingStatus,
    ) -> Plan {
        self.eth_height = state.eth_height;
        self.on_mined(state.mined_blknum);
        if let Err(halt) = self.compare(mined_root) {
            self.halt = Some(halt);
            return Plan { halt: Some(halt), ..Plan::default() };
        }
        let mut plan = Plan { form: self.should_form(now_ms, pending), ..Plan::default() };
        self.forming = plan.form;
        match nonce::offset(self.nonce_offset, state, self.unmined()) {
            Ok(offset) => {
                if self.nonce_offset != Some(offset) {
                    plan.updates.push(BlockQueueUpdate::PutNonceOffset(offset).into());
                }
                self.nonce_offset = Some(offset);
                self.halt = None;
                plan.submissions = self.submissions(offset, quote);
            }
            Err(halt) => {
                self.halt = halt;
                plan.halt = halt;
            }
        }
        plan
    }

    /// The ledger formed a block, or found that there was nothing to form. It is submitted in the next tick. (`Q2`)
    pub fn on_formed(&mut self, formed: Option<BlockHeader>) {
        self.forming = false;
        if let Some(header) = formed {
            self.formed_at = Some(self.eth_height);
            self.waiting_since_ms = None;
            self.enqueue(&header);
        }
    }

    /// The node's answer to a submission. Returns whether the next one may be submitted in this tick: not when it is doubtful
    /// whether this one has its nonce, for then the next root could get this one's number. (`Q7`)
    #[must_use]
    pub fn on_outcome(&mut self, submission: &Submission, outcome: &SubmitOutcome) -> bool {
        let height = self.eth_height;
        let Some(queued) = self.blocks.get_mut(&submission.blknum) else {
            return false;
        };
        queued.offered = Some(height);
        if queued.fees != Some(submission.fees) {
            queued.raised = height;
        }
        queued.fees = Some(submission.fees);
        queued.first_offered.get_or_insert(height);
        queued.underpriced = matches!(outcome, SubmitOutcome::Underpriced);
        queued.doubtful = outcome.txhash().is_none();
        !queued.doubtful
    }

    /// Whether a block waits for too long to be mined, or submission is halted. (`Q8`)
    pub fn is_stalled(&self) -> bool {
        let patience = self.config.stalled_after_eth_blocks;
        let stalled = |queued: &Queued| {
            queued.first_offered.is_some_and(|first| self.eth_height >= first.plus(patience))
        };
        self.halt.is_some() || self.unmined_blocks().any(|(_, queued)| stalled(queued))
    }

    /// Blocks that are formed and not mined.
    pub fn unmined(&self) -> usize {
        self.unmined_blocks().count()
    }

    /// The newest mined block, zero when there is none.
    pub const fn mined(&self) -> Blknum {
        self.mined
    }

    fn unmined_blocks(&self) -> impl Iterator<Item = (&Blknum, &Queued)> {
        self.blocks.range(self.mined..).filter(|(blknum, _)| **blknum > self.mined)
    }

    fn enqueue(&mut self, header: &BlockHeader) {
        let queued = Queued {
            hash: header.hash,
            first_offered: None,
            offered: None,
            raised: EthHeight::default(),
            fees: None,
            underpriced: false,
            doubtful: false,
        };
        self.blocks.entry(header.number).or_insert(queued);
    }

    /// Follows the root chain up and, within a margin, down. (`Q3`)
    fn on_mined(&mut self, mined: Blknum) {
        if mined < self.mined {
            // They were submitted long ago; their patience starts anew.
            for (_, queued) in self.blocks.range_mut(mined..) {
                queued.first_offered = None;
            }
        }
        self.mined = mined;
        let kept = MINED_BLOCKS_KEPT.saturating_mul(CHILD_BLOCK_INTERVAL);
        let oldest = Blknum::new(mined.get().saturating_sub(kept));
        self.blocks = self.blocks.split_off(&oldest);
    }

    /// Whether what is mined is what was formed. It is not when somebody else submits with the authority's key. (`Q4`)
    fn compare(&mut self, mined_root: Option<BlockHash>) -> Result<(), QueueHalt> {
        let mined = self.mined;
        let Some(on_chain) = self.root_needed(mined).and(mined_root) else {
            return Ok(());
        };
        let stored = self.blocks.get(&mined).map(|queued| queued.hash);
        if stored != Some(on_chain) {
            return Err(QueueHalt::ForeignRoot { blknum: mined, on_chain, stored });
        }
        self.compared = mined;
        Ok(())
    }

    fn should_form(&mut self, now_ms: u64, pending: PendingStatus) -> bool {
        if pending.tx_count == 0 {
            self.waiting_since_ms = None;
            return false; // Q1
        }
        let since = *self.waiting_since_ms.get_or_insert(now_ms);
        let waited_ms = now_ms.saturating_sub(since);
        if self.forming || self.unmined() >= self.config.unmined_blocks_max {
            return false; // Q2
        }
        let every_ms = self.config.form_every_ms;
        let by_clock = every_ms > 0 && waited_ms >= every_ms;
        let by_height = self
            .formed_at
            .is_none_or(|formed| self.eth_height >= formed.plus(self.config.form_every_eth_blocks));
        let is_worth_it = pending.tx_count >= self.config.block_txs_min
            || waited_ms >= self.config.force_form_after_ms;
        pending.is_full || by_clock || by_height && is_worth_it // Q1
    }

    /// Every unmined block whose submission is new, or not heard of since the last root chain block, up to one that is doubtful
    /// and not to be repeated yet. (`Q5`, `Q6`, `Q7`)
    fn submissions(&self, offset: i64, quote: &FeeQuote) -> Vec<Submission> {
        let is_due = |queued: &Queued| queued.offered.is_none_or(|at| at < self.eth_height);
        let safe = self.unmined_blocks();
        let safe = safe.take_while(|(_, queued)| is_due(queued) || !queued.doubtful);
        let due = safe.filter(|(_, queued)| is_due(queued)).filter_map(|(blknum, queued)| {
            let nonce = nonce::nonce_of(*blknum, offset)?;
            let fees = fees::offer(&self.config, queued, quote, self.eth_height);
            Some(Submission { blknum: *blknum, hash: queued.hash, nonce, fees })
        });
        due.take(SUBMISSIONS_PER_TICK_MAX).collect()
    }
}

#[cfg(test)]
mod tests;
