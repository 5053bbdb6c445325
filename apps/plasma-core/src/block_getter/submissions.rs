//! Which blocks the root chain says were submitted, and where it said so.
//!
//! The newest part of root chain history can change, so it is read again and again: a block may turn up at a height that was
//! already read, move to another height, or vanish for a while (protocol 10.7). What must never go unnoticed is a block of
//! the ledger whose root changed that way.

use super::verified::BlockId;
use crate::root_chain::{ChildBlock, EthEvent, RootChainEvent, SubmittedAt};
use crate::wire::position::BLKNUM_MAX;
use crate::wire::{Blknum, BlockHash, EthHeight, H256};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Most submissions remembered ahead of the ledger. Beyond it the highest are forgotten and read again later, and the height
/// waits for them.
pub const WAITING_MAX: usize = 10_000;
/// Submissions ahead of the ledger from which on no more are read: what does not fit would be read again for each applied block.
pub const READ_AHEAD_MAX: usize = WAITING_MAX / 2;
/// Most submissions of ledger blocks remembered. Of a forgotten one the root is read again when it is next seen.
pub const APPLIED_MAX: usize = 10_000;

/// Facts about the submissions that [`BlockGetter::facts_needed`](super::BlockGetter::facts_needed) named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubmissionFacts {
    /// What the contract holds; a number without a root is left out.
    pub roots: BTreeMap<Blknum, ChildBlock>,
    /// The hashes of those that are blocks of the ledger.
    pub ledger: BTreeMap<Blknum, BlockHash>,
    /// Where the journal says that those were submitted.
    pub journal: BTreeMap<Blknum, SubmittedAt>,
}

/// One `BlockSubmitted` event and the root behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Submission {
    pub(super) hash: BlockHash,
    pub(super) eth_height: EthHeight,
    timestamp_s: u64,
    /// The same event in the same root chain block always stands for the same root.
    eth_block_hash: H256,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Submissions {
    /// Everything up to here was read at least once.
    scanned_to: EthHeight,
    /// Not in the ledger yet, by number.
    waiting: BTreeMap<Blknum, Submission>,
    /// In the ledger, recent enough for a reorganisation to reach.
    applied: BTreeMap<Blknum, Submission>,
    /// The highest number ever seen.
    top: Blknum,
    /// Blocks of the ledger that were submitted somewhere else than they were, and not asked about since.
    moved: Vec<(Blknum, SubmittedAt)>,
}

impl Submission {
    pub(super) const fn at(&self) -> SubmittedAt {
        SubmittedAt { eth_height: self.eth_height, timestamp_s: self.timestamp_s }
    }
}

impl Submissions {
    pub(super) fn starting_at(synced_height: EthHeight) -> Self {
        Self { scanned_to: synced_height, ..Self::default() }
    }

    /// What to read to know everything up to `to`, unless enough is known to go on with.
    pub(super) fn range(
        &self,
        to: EthHeight,
        reorg_margin_eth_blocks: u64,
    ) -> Option<RangeInclusive<EthHeight>> {
        let has_room = self.waiting.len() < READ_AHEAD_MAX;
        let from = self.scanned_to.minus(reorg_margin_eth_blocks);
        (has_room && to > self.scanned_to).then_some(from..=to)
    }

    /// Numbers below `limit` whose root is not known for certain after these events.
    pub(super) fn unknown(&self, events: &[EthEvent], limit: Option<Blknum>) -> Vec<Blknum> {
        let below_limit = |blknum: &Blknum| limit.is_none_or(|limit| *blknum < limit);
        submitted(events)
            .filter(|(blknum, event)| below_limit(blknum) && self.known(*blknum, event).is_none())
            .map(|(blknum, _)| blknum)
            .collect()
    }

    /// Takes all events of a range. Returns the lowest ledger block that was submitted with another root than it has.
    pub(super) fn scan(
        &mut self,
        range: &RangeInclusive<EthHeight>,
        events: &[EthEvent],
        facts: &SubmissionFacts,
        last_applied: Blknum,
        limit: Option<Blknum>,
    ) -> Option<BlockId> {
        let mut seen = BTreeMap::new();
        let mut scanned_to = self.scanned_to.max(*range.end());
        for (blknum, event) in submitted(events) {
            self.top = self.top.max(blknum);
            if limit.is_some_and(|limit| blknum >= limit) {
                continue;
            }
            let known = self.known(blknum, event);
            let known = known.map(|known| (known.hash, known.timestamp_s));
            let read = || facts.roots.get(&blknum).map(|block| (block.root, block.timestamp_s));
            let Some((hash, timestamp_s)) = known.or_else(read) else {
                // History changed between two reads: this height has to be read again.
                scanned_to = scanned_to.min(event.eth_height.minus(1));
                continue;
            };
            let submission = Submission {
                hash,
                eth_height: event.eth_height,
                timestamp_s,
                eth_block_hash: event.eth_block_hash,
            };
            seen.insert(blknum, submission);
        }
        self.waiting.retain(|_, submission| !range.contains(&submission.eth_height));
        self.scanned_to = scanned_to;
        let mut changed = None;
        for (blknum, submission) in seen {
            if blknum > last_applied {
                self.waiting.insert(blknum, submission);
                continue;
            }
            let remembered = self.applied.get(&blknum);
            let of_ledger = remembered.map(|applied| applied.hash);
            let of_ledger = of_ledger.or_else(|| facts.ledger.get(&blknum).copied());
            let before = remembered.map(Submission::at);
            let before = before.or_else(|| facts.journal.get(&blknum).copied());
            match of_ledger {
                Some(hash) if hash != submission.hash => {
                    let hash = submission.hash;
                    changed = changed.or(Some(BlockId { blknum, hash }));
                }
                Some(_) => {
                    if before.is_some_and(|before| before != submission.at()) {
                        self.moved.push((blknum, submission.at()));
                    }
                    self.applied.insert(blknum, submission);
                }
                None => {}
            }
        }
        self.forget_the_excess();
        changed
    }

    /// The contract's word on which numbers exist, for when the events are too old to be read again.
    pub(super) fn raise_top(&mut self, top: Blknum) {
        self.top = self.top.max(top.min(Blknum::new(BLKNUM_MAX)));
    }

    pub(super) fn top(&self) -> Blknum {
        self.top
    }

    pub(super) fn waiting(&self, blknum: Blknum) -> Option<&Submission> {
        self.waiting.get(&blknum)
    }

    /// Where a block was submitted, waiting or recently applied.
    pub(super) fn at(&self, blknum: Blknum) -> Option<SubmittedAt> {
        let submission = self.waiting.get(&blknum).or_else(|| self.applied.get(&blknum));
        submission.map(Submission::at)
    }

    pub(super) fn take_moved(&mut self) -> Vec<(Blknum, SubmittedAt)> {
        std::mem::take(&mut self.moved)
    }

    /// Numbers ahead of the ledger, up to this one.
    pub(super) fn waiting_up_to(&self, last: Blknum) -> impl Iterator<Item = (Blknum, BlockHash)> {
        let waiting = self.waiting.range(..=last);
        waiting.map(|(blknum, submission)| (*blknum, submission.hash))
    }

    /// A block became part of the ledger. History from before `oldest` is not looked at any more.
    pub(super) fn on_applied(&mut self, blknum: Blknum, reorg_margin_eth_blocks: u64) {
        if let Some(submission) = self.waiting.remove(&blknum) {
            self.applied.insert(blknum, submission);
        }
        let oldest = self.scanned_to.minus(reorg_margin_eth_blocks);
        self.applied.retain(|_, submission| submission.eth_height >= oldest);
        self.forget_the_excess();
    }

    /// Nothing from this number on will go into the ledger.
    pub(super) fn drop_from(&mut self, limit: Blknum) {
        self.waiting.split_off(&limit);
    }

    /// The height up to which every submitted block that can go into the ledger is in it, no higher than `sync_height`.
    pub(super) fn done_up_to(&self, sync_height: EthHeight) -> EthHeight {
        let known = sync_height.min(self.scanned_to);
        let heights = self.waiting.values().map(|waiting| waiting.eth_height);
        heights.min().map_or(known, |first| known.min(first.minus(1)))
    }

    /// What is known of this very event.
    fn known(&self, blknum: Blknum, event: &EthEvent) -> Option<&Submission> {
        let known = self.waiting.get(&blknum).or_else(|| self.applied.get(&blknum));
        known.filter(|submission| submission.eth_block_hash == event.eth_block_hash)
    }

    fn forget_the_excess(&mut self) {
        while self.waiting.len() > WAITING_MAX {
            if let Some((_, forgotten)) = self.waiting.pop_last() {
                self.scanned_to = self.scanned_to.min(forgotten.eth_height.minus(1));
            }
        }
        while self.applied.len() > APPLIED_MAX {
            self.applied.pop_first();
        }
    }
}

/// The numbers of operator blocks among these events: multiples of the interval, up to the highest that has positions.
fn submitted(events: &[EthEvent]) -> impl Iterator<Item = (Blknum, &EthEvent)> {
    events.iter().filter_map(|event| match event.event {
        RootChainEvent::BlockSubmitted { blknum }
            if !blknum.is_deposit() && (1..=BLKNUM_MAX).contains(&blknum.get()) =>
        {
            Some((blknum, event))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eth(height: u64) -> EthHeight {
        EthHeight::new(height)
    }

    /// Block `1000 * height` at each height.
    fn scan(submissions: &mut Submissions, to: u64, last_applied: Blknum) {
        let range = submissions.range(eth(to), 20).unwrap();
        let mut facts = SubmissionFacts::default();
        let heights = range.start().get().max(1)..=range.end().get();
        let events = heights.map(|height| {
            let blknum = Blknum::new(height * 1000);
            let root = H256::from_low_u64_be(height);
            facts.roots.insert(blknum, ChildBlock { root, timestamp_s: height });
            facts.ledger.insert(blknum, root);
            EthEvent {
                eth_height: eth(height),
                eth_block_hash: H256::from_low_u64_be(height),
                root_chain_txhash: H256::zero(),
                log_index: 0,
                event: RootChainEvent::BlockSubmitted { blknum },
            }
        });
        let events: Vec<_> = events.collect();
        assert_eq!(submissions.scan(&range, &events, &facts, last_applied, None), None);
    }

    #[test]
    fn what_does_not_fit_in_memory_is_read_again() {
        let fit = u64::try_from(WAITING_MAX).unwrap();
        let mut submissions = Submissions::default();
        scan(&mut submissions, fit + 100, Blknum::default());
        assert_eq!(submissions.waiting.len(), WAITING_MAX);
        assert_eq!(submissions.done_up_to(eth(fit + 100)), eth(0));
        let enough = u64::try_from(READ_AHEAD_MAX).unwrap();
        for height in 1..=fit - enough {
            assert_eq!(submissions.range(eth(fit + 100), 20), None, "there is enough to do");
            submissions.on_applied(Blknum::new(height * 1000), 20);
        }
        submissions.on_applied(Blknum::new((fit - enough + 1) * 1000), 20);
        assert_eq!(submissions.range(eth(fit + 100), 20), Some(eth(fit - 20)..=eth(fit + 100)));
        for height in 1..=fit {
            submissions.on_applied(Blknum::new(height * 1000), 20);
            assert!(submissions.applied.len() <= 21, "old history is forgotten");
        }
        assert_eq!(submissions.done_up_to(eth(fit + 100)), eth(fit), "and no further");
        scan(&mut submissions, fit + 100, Blknum::new(fit * 1000));
        assert_eq!(submissions.waiting.len(), 100);
    }

    #[test]
    fn numbers_that_cannot_be_submitted_are_ignored() {
        for blknum in [0, 1, 999, 1001, BLKNUM_MAX / 1000 * 1000 + 1000, u64::MAX] {
            let mut submissions = Submissions::default();
            let event = EthEvent {
                eth_height: eth(1),
                eth_block_hash: H256::zero(),
                root_chain_txhash: H256::zero(),
                log_index: 0,
                event: RootChainEvent::BlockSubmitted { blknum: Blknum::new(blknum) },
            };
            assert_eq!(submissions.unknown(std::slice::from_ref(&event), None), []);
            let range = eth(0)..=eth(1);
            let facts = SubmissionFacts::default();
            submissions.scan(&range, &[event], &facts, Blknum::default(), None);
            assert_eq!(submissions.top(), Blknum::default(), "{blknum}");
            assert_eq!(submissions.done_up_to(eth(1)), eth(1), "{blknum}");
        }
    }
}
