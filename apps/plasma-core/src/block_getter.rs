//! Which blocks to download, when to execute them, and what to do when there is something wrong with them (protocol 5.2).
//!
//! It must never hand a block to the ledger out of order, unverified, or under another root than the root chain has now; never
//! forget a fault; and never go blind: the ledger stops at the first fault, the getter does not. `docs/protocol/watching.md`
//! numbers its rules, and the arms cite them (`W2`).
//!
//! ```text
//! events, roots ─► on_submissions     start_downloads ─► shell ─► check_block ─► on_download
//!                                     next_block ─► apply_block ─► on_applied | on_invalid
//! clock ─► on_time                    next_quarantined ─► evidence for the exit processor
//! ```
//! Methods come in four families:
//! - [`BlockGetter::restore`] builds it from what is on disk;
//! - facts: [`BlockGetter::scan_range`] and [`BlockGetter::facts_needed`] name what to read of the root chain and the store;
//! - `on_*` takes what happened outside; [`BlockGetter::start_downloads`], [`BlockGetter::next_block`] and
//!   [`BlockGetter::next_quarantined`] say what to do next; writes are appended to the caller's batch;
//! - queries by `&self`.

mod apply;
mod attempts;
mod quarantine;
mod submissions;
#[cfg(test)]
pub(crate) mod testing;
mod verified;

pub use apply::{AppliedBlock, ApplyError, apply_block};
pub use quarantine::{MISSING_MAX, QuarantinedBlock};
pub use submissions::{APPLIED_MAX, READ_AHEAD_MAX, SubmissionFacts, WAITING_MAX};
pub use verified::{BlockFault, BlockId, RefusedBlock, VerifiedBlock, check_block};

use crate::byzantine::ByzantineEvent;
use crate::db_update::{BlockGetterUpdate, ChainFault, DbUpdate, FaultKind, Service};
use crate::root_chain::{EthEvent, SubmittedAt};
use crate::wire::{Blknum, BlockHash, CHILD_BLOCK_INTERVAL, EthHeight, RecoveredTx};
use attempts::Attempts;
use quarantine::Quarantine;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use submissions::Submissions;

/// Limits and patience of the getter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockGetterConfig {
    /// Most downloads at one time.
    pub downloads_max: usize,
    /// Most blocks that are being downloaded or wait in memory to be applied. The getter looks no further than this many
    /// blocks ahead of the ledger, so no more than this many can be failing either.
    pub unapplied_max: usize,
    /// Transactions waiting in memory from which on nothing but the ledger's next block is downloaded: blocks differ much in size.
    pub unapplied_txs_max: usize,
    /// How long a submitted block may be unavailable before it counts as withheld.
    pub withholding_ms_max: u64,
    /// Pause after the first failure of a download; it doubles with each further one.
    pub retry_pause_ms_min: u64,
    /// Longest pause between two attempts.
    pub retry_pause_ms_max: u64,
    /// How much of known root chain history is read again each time, because it may have changed.
    pub reorg_margin_eth_blocks: u64,
}

/// What the store knows about the getter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockGetterRecord {
    /// The newest block of the ledger, zero when there is none.
    pub last_applied: Blknum,
    /// Height of [`Service::BlockGetter`].
    pub synced_height: EthHeight,
    /// The fault of the chain, if it has one.
    pub fault: Option<ChainFault>,
    /// The newest [`BlockGetterUpdate::PutQuarantinedUpTo`]; meaningless without a fault.
    pub quarantined_up_to: Blknum,
}

/// One block to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Download {
    /// Its number.
    pub blknum: Blknum,
    /// The root that was submitted for it. `None`: ask the contract first. When the contract has none either, the block is
    /// unavailable.
    pub hash: Option<BlockHash>,
}

/// How a download ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownloadOutcome {
    /// There was an answer in the shape of a block, and this is what [`check_block`] thinks of it.
    Answered(Result<VerifiedBlock, Box<RefusedBlock>>),
    /// There was none: no connection, a time-out, an error object, or bytes that are no block. An attempt must be bounded in
    /// time as a whole, or a slow answer hides that there is none.
    Unavailable,
}

/// What became of a download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Downloaded {
    /// It waits in memory, for the ledger or for the quarantine.
    Kept,
    /// It will be asked for again, not before this time.
    RetryAtMs(u64),
    /// It breaks a rule. The writes are in the batch.
    Fault(ChainFault),
    /// It was not asked for, or its submission is no longer on the root chain.
    Ignored,
}

/// A block that waits in memory.
#[derive(Clone, Debug)]
enum Fetched {
    /// What was submitted.
    Whole(VerifiedBlock),
    /// Whatever was readable of a wrong answer.
    Part(Vec<RecoveredTx>),
}

impl Fetched {
    fn tx_count(&self) -> usize {
        match self {
            Self::Whole(block) => block.transactions().len(),
            Self::Part(transactions) => transactions.len(),
        }
    }
}

/// See the module for the order of calls.
///
/// # After a restart
/// Downloads start over, and so do the clocks of blocks that could not be fetched. A fault stays.
#[derive(Clone, Debug)]
pub struct BlockGetter {
    config: BlockGetterConfig,
    last_applied: Blknum,
    applying: Option<Blknum>,
    /// The next block could not be executed without the deposits up to its height.
    needs_deposits: bool,
    deposits_height: EthHeight,
    synced_height: EthHeight,
    submissions: Submissions,
    attempts: Attempts,
    fetched: BTreeMap<Blknum, Fetched>,
    fault: Option<ChainFault>,
    quarantine: Quarantine,
}

impl BlockGetter {
    /// Continues where the store left off.
    pub fn restore(config: BlockGetterConfig, record: BlockGetterRecord) -> Self {
        let before_fault = record.fault.as_ref();
        let before_fault = before_fault.map(|fault| fault.blknum.previous_child_block());
        Self {
            config,
            last_applied: record.last_applied,
            applying: None,
            needs_deposits: false,
            deposits_height: EthHeight::default(),
            synced_height: record.synced_height,
            submissions: Submissions::starting_at(record.synced_height),
            attempts: Attempts::default(),
            fetched: BTreeMap::new(),
            quarantine: Quarantine::starting_after(
                record.quarantined_up_to.max(before_fault.unwrap_or_default()),
            ),
            fault: record.fault,
        }
    }

    /// Which `BlockSubmitted` events to read to know all of them up to `to`: the new heights and a margin of old ones. `None`
    /// when `to` brings nothing new, or enough submissions wait already. Reading ahead of the height up to which blocks may be applied is allowed.
    pub fn scan_range(&self, to: EthHeight) -> Option<RangeInclusive<EthHeight>> {
        self.submissions.range(to, self.config.reorg_margin_eth_blocks)
    }

    /// Which numbers [`SubmissionFacts`] are needed for to take these events.
    pub fn facts_needed(&self, events: &[EthEvent]) -> Vec<Blknum> {
        self.submissions.unknown(events, self.limit())
    }

    /// Takes all `BlockSubmitted` events of a range, with facts about the numbers that [`Self::facts_needed`] names. A number
    /// without a root counts as not read. (`W1`; `W8` when a ledger block got another root: then the fault is returned.)
    pub fn on_submissions(
        &mut self,
        range: &RangeInclusive<EthHeight>,
        events: &[EthEvent],
        facts: &SubmissionFacts,
        updates: &mut Vec<DbUpdate>,
    ) -> Option<ChainFault> {
        let limit = self.limit();
        let changed = self.submissions.scan(range, events, facts, self.last_applied, limit)?;
        self.raise(changed, BlockFault::SubmittedRootChanged.into(), updates) // W8
    }

    /// Blocks of the ledger that [`Self::on_submissions`] found somewhere else than the journal has them, and where: the root chain was
    /// reorganised. Each is named once, so what comes of it belongs into the same batch.
    pub fn take_moved(&mut self) -> Vec<(Blknum, SubmittedAt)> {
        self.submissions.take_moved()
    }

    /// Takes the contract's `nextChildBlock`. Needed in quarantine only, where blocks may be older than the events that are read.
    pub fn on_next_child_block(&mut self, next_child_block: Blknum) {
        self.submissions.raise_top(next_child_block.previous_child_block());
    }

    /// Blocks to start downloading now. Each ends in one [`Self::on_download`].
    ///
    /// Retries of blocks the ledger waits for come first, then new ones for the ledger, then the quarantine. (`W2`)
    pub fn start_downloads(&mut self, now_ms: u64) -> Vec<Download> {
        let running = self.attempts.running();
        let slots = self.config.downloads_max.saturating_sub(running);
        let held = running.saturating_add(self.fetched.len());
        let room = self.config.unapplied_max.saturating_sub(held);
        let free = slots.min(room);
        let for_ledger = |blknum: Blknum| self.limit().is_none_or(|limit| blknum < limit);
        let txs: usize = self.fetched.values().map(Fetched::tx_count).sum();
        let is_full = txs >= self.config.unapplied_txs_max;
        let next = self.last_applied.next_child_block();
        let has_room = |blknum: &Blknum| !is_full || Some(*blknum) == next;

        let due = self.attempts.due(now_ms).filter(has_room);
        let due = due.filter(|blknum| !self.fetched.contains_key(blknum));
        let (retries, quarantined_retries): (Vec<_>, Vec<_>) =
            due.partition(|blknum| for_ledger(*blknum));
        let fresh = self.submissions.waiting_up_to(self.window_end());
        let fresh = fresh.map(|(blknum, _)| blknum).filter(has_room).filter(|blknum| {
            !self.attempts.contains(*blknum)
                && !self.fetched.contains_key(blknum)
                && self.applying != Some(*blknum)
        });
        let mut picked: Vec<Blknum> = retries.into_iter().chain(fresh).take(free).collect();
        if self.fault.is_some() && !is_full {
            let left = free.saturating_sub(picked.len());
            picked.extend(self.fresh_quarantined(left));
            let left = free.saturating_sub(picked.len());
            picked.extend(quarantined_retries.into_iter().take(left));
        }
        for blknum in &picked {
            self.attempts.start(*blknum);
        }
        let submissions = &self.submissions;
        let with_hash = picked.into_iter().map(|blknum| Download {
            blknum,
            hash: submissions.waiting(blknum).map(|submission| submission.hash),
        });
        with_hash.collect()
    }

    /// A download ended. (`W3`, `W4`, `W5`)
    pub fn on_download(
        &mut self,
        blknum: Blknum,
        outcome: DownloadOutcome,
        now_ms: u64,
        updates: &mut Vec<DbUpdate>,
    ) -> Downloaded {
        if !self.attempts.stop(blknum) {
            return Downloaded::Ignored;
        }
        let quarantined = self.limit().filter(|limit| blknum >= *limit);
        let submitted = self.submissions.waiting(blknum).map(|waiting| waiting.hash);
        let is_current = |id: BlockId| {
            quarantined.is_some() || Some(id.hash) == submitted && id.blknum == blknum
        };
        match outcome {
            DownloadOutcome::Answered(Ok(block)) if is_current(block.id()) => {
                self.attempts.forget(blknum);
                self.found(blknum);
                self.fetched.insert(blknum, Fetched::Whole(block)); // W3
                Downloaded::Kept
            }
            DownloadOutcome::Answered(Err(refused)) if is_current(refused.id) => {
                let fault = self.raise(refused.id, refused.fault.into(), updates); // W4
                self.keep_part(blknum, refused.transactions);
                let retry = self.retry_later(blknum, now_ms);
                fault.map_or(retry, Downloaded::Fault)
            }
            DownloadOutcome::Unavailable if quarantined.is_some() || submitted.is_some() => {
                self.retry_later(blknum, now_ms) // W5
            }
            DownloadOutcome::Answered(_) | DownloadOutcome::Unavailable => {
                self.attempts.forget(blknum);
                Downloaded::Ignored
            }
        }
    }

    /// Time passed: a block that could not be fetched for too long is withheld, whether or not an attempt is running. To be
    /// called at least once per root chain block. (`W5`)
    pub fn on_time(&mut self, now_ms: u64, updates: &mut Vec<DbUpdate>) -> Option<ChainFault> {
        let patience_ms = self.config.withholding_ms_max;
        loop {
            let end = self.limit().unwrap_or(Blknum::new(u64::MAX));
            let blknum = self.attempts.overdue(..end, now_ms, patience_ms)?;
            if let Some(submission) = self.submissions.waiting(blknum) {
                let hash = submission.hash;
                return self.raise(BlockId { blknum, hash }, FaultKind::Withheld, updates); // W5
            }
            self.attempts.forget(blknum);
        }
    }

    /// The next block for the ledger, once it is here and submitted no later than `sync_height`. It ends in one
    /// [`Self::on_applied`] or [`Self::on_invalid`] before the next is given out. `deposits_height` is the height of
    /// [`Service::Depositor`]: the ledger knows all deposits up to it. (`W6`)
    pub fn next_block(
        &mut self,
        sync_height: EthHeight,
        deposits_height: EthHeight,
    ) -> Option<VerifiedBlock> {
        let blknum = self.last_applied.next_child_block()?;
        if self.applying.is_some() || self.limit().is_some_and(|limit| blknum >= limit) {
            return None;
        }
        let submission = self.submissions.waiting(blknum)?;
        self.deposits_height = deposits_height;
        let is_allowed = submission.eth_height <= sync_height;
        let has_deposits = !self.needs_deposits || submission.eth_height <= deposits_height;
        if !is_allowed || !has_deposits {
            return None;
        }
        let hash = submission.hash;
        match self.fetched.remove(&blknum)? {
            Fetched::Whole(block) if block.id().hash == hash => {
                self.applying = Some(blknum); // W6
                Some(block)
            }
            // Another root was submitted since: what is here is history that never was.
            Fetched::Whole(_) | Fetched::Part(_) => None,
        }
    }

    /// The block of [`Self::next_block`] is in the ledger; the batch with its updates is still to be committed. Appends the new
    /// height, if it rises. (`W6`, `W7`)
    pub fn on_applied(&mut self, sync_height: EthHeight, updates: &mut Vec<DbUpdate>) {
        if let Some(blknum) = self.applying.take() {
            self.last_applied = blknum;
            self.needs_deposits = false;
            self.submissions.on_applied(blknum, self.config.reorg_margin_eth_blocks);
        }
        self.on_synced(sync_height, updates);
    }

    /// The ledger refused the block of [`Self::next_block`].
    ///
    /// No fault is returned when nobody is to blame yet: when the block is no longer on the root chain, or spends a deposit from
    /// heights where deposits were not read so far. It will be executed again when they are. (`W4`)
    pub fn on_invalid(
        &mut self,
        block: VerifiedBlock,
        fault: BlockFault,
        updates: &mut Vec<DbUpdate>,
    ) -> Option<ChainFault> {
        self.applying = None;
        let id = block.id();
        let submission = self.submissions.waiting(id.blknum)?;
        let (hash, eth_height) = (submission.hash, submission.eth_height);
        if hash != id.hash {
            return None;
        }
        self.fetched.insert(id.blknum, Fetched::Whole(block));
        let may_be_late = matches!(fault, BlockFault::UnknownDeposit { .. });
        self.needs_deposits = may_be_late && eth_height > self.deposits_height;
        if self.needs_deposits {
            return None; // W6
        }
        self.raise(id, fault.into(), updates) // W4
    }

    /// Moves the height on as far as everything that can go into the ledger is in it, and at most to `sync_height`. Appends it
    /// when it rises. It never falls. (`W7`)
    pub fn on_synced(&mut self, sync_height: EthHeight, updates: &mut Vec<DbUpdate>) {
        let done = self.submissions.done_up_to(sync_height);
        if done > self.synced_height {
            self.synced_height = done; // W7
            updates.push(DbUpdate::ServiceHeight(Service::BlockGetter, done));
        }
    }

    /// Where a block was submitted that waits for the ledger, or went into it not long ago.
    pub fn submitted_at(&self, blknum: Blknum) -> Option<SubmittedAt> {
        self.submissions.at(blknum)
    }

    /// The height to check in with.
    pub const fn synced_height(&self) -> EthHeight {
        self.synced_height
    }

    /// The newest block of the ledger, zero when there is none.
    pub const fn last_applied(&self) -> Blknum {
        self.last_applied
    }

    /// What is wrong with the chain.
    pub const fn fault(&self) -> Option<&ChainFault> {
        self.fault.as_ref()
    }

    /// What is wrong with the chain, as the status shows it.
    pub fn byzantine_event(&self) -> Option<ByzantineEvent> {
        self.fault().map(ByzantineEvent::from)
    }

    /// Blocks in memory.
    pub fn unapplied(&self) -> usize {
        self.fetched.len()
    }

    /// Downloads running.
    pub fn downloading(&self) -> usize {
        self.attempts.running()
    }

    /// The first number that is not for the ledger.
    fn limit(&self) -> Option<Blknum> {
        self.fault.as_ref().map(|fault| fault.blknum)
    }

    fn window_end(&self) -> Blknum {
        let blocks = u64::try_from(self.config.unapplied_max).unwrap_or(u64::MAX);
        let ahead = blocks.saturating_mul(CHILD_BLOCK_INTERVAL);
        Blknum::new(self.last_applied.get().saturating_add(ahead))
    }

    fn retry_later(&mut self, blknum: Blknum, now_ms: u64) -> Downloaded {
        let pauses = (self.config.retry_pause_ms_min, self.config.retry_pause_ms_max);
        let at_ms = self.attempts.retry_later(blknum, now_ms, pauses);
        if let Some(limit) = self.limit() {
            self.limit_missing(limit);
        }
        Downloaded::RetryAtMs(at_ms)
    }

    /// Records a fault, unless the chain has one at this block or before. The ledger ends before it. (`W4`)
    fn raise(
        &mut self,
        at: BlockId,
        kind: FaultKind,
        updates: &mut Vec<DbUpdate>,
    ) -> Option<ChainFault> {
        if self.limit().is_some_and(|limit| limit <= at.blknum) {
            return None;
        }
        let fault = ChainFault { blknum: at.blknum, hash: at.hash, kind };
        let last_valid = at.blknum.previous_child_block();
        self.submissions.drop_from(at.blknum);
        self.quarantine = Quarantine::starting_after(last_valid);
        updates.push(BlockGetterUpdate::PutFault(fault.clone()).into());
        updates.push(BlockGetterUpdate::PutQuarantinedUpTo(last_valid).into());
        self.fault = Some(fault.clone());
        Some(fault)
    }
}

impl From<BlockFault> for FaultKind {
    fn from(fault: BlockFault) -> Self {
        Self::InvalidBlock(fault.to_string())
    }
}

#[cfg(test)]
mod tests;
