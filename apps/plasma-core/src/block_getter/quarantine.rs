//! Evidence from blocks that will never be part of the ledger.
//!
//! A signed spend is evidence wherever it turns up: the contracts accept it as a challenge whether it was included or not. It
//! is kept under the signer, the output and the transaction, so that nobody can push somebody else's evidence aside, and only where the
//! contracts could read it, so that nobody can push his own aside with something useless.

use super::{BlockGetter, Fetched};
use crate::db_update::{BlockGetterUpdate, DbUpdate, UtxoKey};
use crate::wire::{Blknum, InputPointer, RecoveredTx, UtxoPos};
use std::collections::BTreeSet;

/// Most blocks of the quarantine that are missing at one time. Beyond it the oldest is given up until a restart.
pub const MISSING_MAX: usize = 4_096;

/// How far the quarantine got.
#[derive(Clone, Debug, Default)]
pub(super) struct Quarantine {
    /// The lowest number never asked for.
    next: Blknum,
    /// Looked at, though higher than `next`: these were in memory when the fault was found.
    done_ahead: BTreeSet<Blknum>,
    /// Everything up to here was looked at, as the store knows.
    stored_up_to: Blknum,
    /// Missing blocks of which a wrong answer was already searched for evidence. One is enough: else a liar fills the disk.
    searched: BTreeSet<Blknum>,
}

/// A block whose signed spends are now evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedBlock {
    /// The block.
    pub blknum: Blknum,
    /// What is known to be spent, and by whom: exits of these are to be judged again.
    pub spends: Vec<UtxoKey>,
}

impl Quarantine {
    pub(super) fn starting_after(stored_up_to: Blknum) -> Self {
        Self { next: next(stored_up_to), stored_up_to, ..Self::default() }
    }
}

impl BlockGetter {
    /// Takes one downloaded block into the quarantine: the writes are appended, to be committed before the next call. `None`
    /// when there is none, or when nothing is wrong with the chain. (`W9`)
    ///
    /// # After a restart
    /// Blocks above the first one that is missing are downloaded and written again, which changes nothing.
    pub fn next_quarantined(&mut self, updates: &mut Vec<DbUpdate>) -> Option<QuarantinedBlock> {
        let limit = self.limit()?;
        let (blknum, _) = self.fetched.range(limit..).next()?;
        let blknum = *blknum;
        let transactions = match self.fetched.remove(&blknum)? {
            Fetched::Whole(block) => {
                if blknum >= self.quarantine.next {
                    self.quarantine.done_ahead.insert(blknum);
                }
                block.into_transactions()
            }
            Fetched::Part(transactions) => transactions,
        };
        let mut spends = Vec::new();
        for tx in transactions {
            for key in evidence(&tx) {
                let bytes = tx.signed_bytes().into();
                updates.push(BlockGetterUpdate::PutQuarantinedSpend(key, tx.hash(), bytes).into());
                spends.push(key);
            }
        }
        self.skip_known();
        let missing = self.attempts.lowest(limit..);
        let fetched = self.fetched.range(limit..).next().map(|(blknum, _)| *blknum);
        let open = [missing, fetched, Some(self.quarantine.next)];
        if let Some(first_open) = open.into_iter().flatten().min() {
            let up_to = first_open.previous_child_block();
            if up_to > self.quarantine.stored_up_to {
                self.quarantine.stored_up_to = up_to;
                updates.push(BlockGetterUpdate::PutQuarantinedUpTo(up_to).into());
            }
        }
        Some(QuarantinedBlock { blknum, spends })
    }

    /// The next blocks of the quarantine that were never asked for, at most `count`.
    pub(super) fn fresh_quarantined(&mut self, count: usize) -> Vec<Blknum> {
        let mut fresh = Vec::new();
        self.skip_known();
        while fresh.len() < count && self.quarantine.next <= self.submissions.top() {
            fresh.push(self.quarantine.next);
            self.quarantine.next = next(self.quarantine.next);
            self.skip_known();
        }
        fresh
    }

    /// Moves on to a number that was never asked for.
    fn skip_known(&mut self) {
        loop {
            let blknum = self.quarantine.next;
            let is_known = self.quarantine.done_ahead.remove(&blknum)
                || self.attempts.contains(blknum)
                || self.fetched.contains_key(&blknum);
            if !is_known {
                return;
            }
            self.quarantine.next = next(blknum);
        }
    }

    /// A wrong answer for a block of the quarantine: its evidence counts, once, and the right answer is still asked for.
    pub(super) fn keep_part(&mut self, blknum: Blknum, transactions: Vec<RecoveredTx>) {
        if self.quarantine.searched.insert(blknum) {
            self.fetched.insert(blknum, Fetched::Part(transactions));
        }
    }

    /// The block is no longer missing, so that a wrong answer no longer matters.
    pub(super) fn found(&mut self, blknum: Blknum) {
        self.quarantine.searched.remove(&blknum);
    }

    /// Gives up the oldest missing blocks when there are too many.
    pub(super) fn limit_missing(&mut self, limit: Blknum) {
        let missing = self.attempts.failing(limit..).count();
        let excess = missing.saturating_sub(MISSING_MAX);
        let given_up: Vec<Blknum> = self.attempts.failing(limit..).take(excess).collect();
        for blknum in given_up {
            self.attempts.forget(blknum);
            self.found(blknum);
        }
    }
}

/// The spends of a transaction that a challenge can show. The contracts cannot hash a transaction with an input beyond their
/// bounds, so such a transaction proves nothing, and it must not take the place of one that does. (`W9`)
fn evidence(tx: &RecoveredTx) -> impl Iterator<Item = UtxoKey> {
    let inputs = tx.transaction().inputs().iter().copied();
    let positions = inputs.map(InputPointer::position);
    let readable =
        positions.clone().all(|position| position.is_some_and(UtxoPos::is_decodable_on_chain));
    positions
        .flatten()
        .zip(tx.spenders())
        .filter(move |_| readable)
        .map(|(position, owner)| UtxoKey { owner: *owner, position })
}

fn next(blknum: Blknum) -> Blknum {
    blknum.next_child_block().unwrap_or(blknum)
}
