//! What a watcher should say about exits, worked out from everything that happened, every time anew.
//!
//! It knows which blocks the watcher has seen and how far it read the root chain, and shares no other fact with it.

use super::node::{EXIT_MARGIN, Node, SLA_MARGIN};
use super::root::World;
use plasma_core::root_chain::RootChainEvent;
use plasma_core::wire::UtxoPos;
use std::collections::{BTreeMap, BTreeSet};

/// How an exit looks to somebody who knows as much as the watcher does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Judgement {
    /// Nothing can be said against it.
    Fine,
    Invalid,
}

#[derive(Default)]
pub(super) struct Oracle {
    /// Paid, and whether that was wrong by what was known then.
    paid: BTreeMap<UtxoPos, Judgement>,
}

impl Oracle {
    /// The watcher is about to read payments in these heights.
    pub(super) fn pay(&mut self, world: &World, node: &Node, after: u64, up_to: u64) {
        for event in &world.log {
            let RootChainEvent::ExitFinalized { exit_id: paid } = &event.event else {
                continue;
            };
            if event.eth_height.get() <= after || event.eth_height.get() > up_to {
                continue;
            }
            let position = world.log.iter().find_map(|event| match &event.event {
                RootChainEvent::ExitStarted { exit_id, position, .. } if exit_id == paid => {
                    Some(*position)
                }
                _ => None,
            });
            let position = position.unwrap();
            self.paid.insert(position, judge(world, node, position));
        }
    }

    /// Names and outputs, sorted.
    pub(super) fn expected(&self, world: &World, node: &Node) -> Vec<(&'static str, UtxoPos)> {
        let mut expected = Vec::new();
        let now = world.height.min(node.challenges_seen + EXIT_MARGIN);
        for (position, started) in open_exits(world, node) {
            if self.paid.contains_key(&position)
                || started > node.challenges_seen
                || judge(world, node, position) == Judgement::Fine
            {
                continue;
            }
            expected.push(("invalid_exit", position));
            if started + SLA_MARGIN <= now {
                expected.push(("unchallenged_exit", position));
            }
        }
        for (position, judgement) in &self.paid {
            if *judgement == Judgement::Invalid {
                expected.push(("unchallenged_exit", *position));
            }
        }
        expected.sort();
        expected
    }
}

/// Exits whose newest start was read, and no challenge or omission of it, with the height of that start.
fn open_exits(world: &World, node: &Node) -> BTreeMap<UtxoPos, u64> {
    let mut open = BTreeMap::new();
    let mut outputs = BTreeMap::new();
    for event in &world.log {
        let height = event.eth_height.get();
        if let RootChainEvent::ExitStarted { exit_id, position, .. } = &event.event {
            outputs.insert(*exit_id, *position);
        }
        match &event.event {
            RootChainEvent::ExitStarted { position, .. } if height <= node.starts_seen => {
                open.insert(*position, height);
            }
            RootChainEvent::ExitChallenged { position } if height <= node.challenges_seen => {
                open.remove(position);
            }
            RootChainEvent::ExitOmitted { exit_id } if height <= node.paid_seen => {
                open.remove(&outputs[exit_id]);
            }
            _ => {}
        }
    }
    open
}

fn judge(world: &World, node: &Node, position: UtxoPos) -> Judgement {
    if known_spends(world, node).contains(&position) {
        return Judgement::Invalid;
    }
    let is_in_ledger =
        position.blknum <= node.getter.last_applied() || position.blknum.is_deposit();
    let is_after_fault = node.getter.fault().is_some_and(|fault| position.blknum >= fault.blknum);
    let is_judged = is_in_ledger && (!is_after_fault || position.blknum.is_deposit());
    if is_judged && !world.made.contains_key(&position) {
        return Judgement::Invalid;
    }
    Judgement::Fine
}

/// Outputs that their owners spent in a block that the watcher has seen. Thieves sign with keys of their own.
fn known_spends(world: &World, node: &Node) -> BTreeSet<UtxoPos> {
    let seen = world.blocks.iter().filter(|block| {
        let blknum = block.id.blknum;
        blknum <= node.getter.last_applied() || node.quarantined.contains(&blknum)
    });
    let transactions = seen.flat_map(|block| &block.transactions);
    let honest = transactions.filter(|tx| {
        let input = tx.transaction().inputs()[0].position().unwrap();
        let made = world.made.get(&input);
        made.is_some_and(|made| {
            let owner = made.by.outputs()[usize::from(input.oindex.get())].owner;
            tx.spenders() == [owner]
        })
    });
    honest.map(|tx| tx.transaction().inputs()[0].position().unwrap()).collect()
}
