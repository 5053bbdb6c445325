//! What a watcher should say, worked out from the whole history by the text of the rules, every time anew and with no index.
//!
//! It knows how far the watcher read, and shares no other fact with it. Only what payments were worth is remembered, because it
//! depends on what was known at the time.

use super::node::{EXIT_MARGIN, SLA_MARGIN, Seen};
use super::world::{World, is_older, key};
use plasma_core::db_update::TxPos;
use plasma_core::root_chain::{
    EthEvent, InFlightExitStart, PiggybackSide, PiggybackSlot, RootChainEvent,
};
use plasma_core::wire::{ExitId, OutputIndex, TxHash, UtxoPos, keccak256};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(super) struct Oracle {
    /// Which exit took an output, by what was paid.
    left: BTreeMap<UtxoPos, ExitId>,
    paid_standard: BTreeMap<UtxoPos, bool>,
    /// Slots that were paid wrongly.
    wrongly_paid: BTreeMap<ExitId, BTreeSet<PiggybackSlot>>,
}

/// The newest incarnation of an in-flight exit, as the root chain tells it.
struct Incarnation<'a> {
    start: &'a InFlightExitStart,
    eth_height: u64,
    is_over: bool,
    is_deleted: bool,
    is_canonical: bool,
    oldest: Option<Option<TxPos>>,
    /// With the height at which it was joined; `false` once it was blocked or paid.
    slots: BTreeMap<PiggybackSlot, (u64, bool)>,
}

/// A signed spend that somebody could show.
struct Spend {
    tx_hash: TxHash,
    input: UtxoPos,
    at: Option<TxPos>,
    is_in_block: bool,
}

/// What counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// Every spend that could be shown.
    Any,
    /// Those that are in some block, good or bad.
    Block,
}

/// The history up to where the watcher read it.
pub(super) struct View<'a> {
    pub(super) world: &'a World,
    pub(super) seen: Seen,
}

fn is_of_payment(event: &EthEvent) -> bool {
    super::node::is_payment(event)
}

impl<'a> View<'a> {
    fn events(&self) -> impl Iterator<Item = &'a EthEvent> {
        let seen = self.seen;
        self.world.log.iter().filter(move |event| {
            let limit = if is_of_payment(event) { seen.payments } else { seen.exits };
            event.eth_height.get() <= limit
        })
    }

    /// Whether the ledger can be asked about an output.
    fn is_ahead(&self, position: UtxoPos) -> bool {
        let applied = self.world.blocks.iter().any(|block| {
            block.blknum == position.blknum
                && block.eth_height <= self.seen.blocks
                && self.world.fault.is_none_or(|fault| block.blknum < fault)
        });
        !position.blknum.is_deposit() && !applied
    }

    /// Where the ledger has a transaction.
    fn place(&self, tx_hash: TxHash) -> Option<TxPos> {
        self.spends().into_iter().find(|spend| spend.tx_hash == tx_hash && spend.at.is_some())?.at
    }

    fn spends_by(&self, by: By) -> impl Iterator<Item = Spend> {
        let all = self.spends().into_iter();
        all.filter(move |spend| by == By::Any || spend.is_in_block)
    }

    /// Everything that was signed and seen.
    fn spends(&self) -> Vec<Spend> {
        let mut spends = Vec::new();
        for block in &self.world.blocks {
            if block.eth_height > self.seen.blocks {
                continue;
            }
            let is_good = self.world.fault.is_none_or(|fault| block.blknum < fault);
            for paper in block.papers.iter().map(|paper| &self.world.papers[*paper]) {
                let at = paper.included_at.filter(|_| is_good);
                let tx_hash = paper.tx.hash();
                spends.extend(paper.inputs.iter().map(|input| Spend {
                    tx_hash,
                    input: *input,
                    at,
                    is_in_block: true,
                }));
            }
        }
        for exit_id in self.in_flight_ids() {
            if let Some(game) = self.incarnation(exit_id).filter(|game| !game.is_deleted) {
                let inputs = game.start.input_positions.iter();
                let tx_hash = game.start.tx_hash;
                spends.extend(inputs.map(|input| Spend {
                    tx_hash,
                    input: *input,
                    at: None,
                    is_in_block: false,
                }));
            }
        }
        for event in self.events() {
            if let RootChainEvent::InFlightExitChallenged(challenge) = &event.event {
                let tx_hash = keccak256(&challenge.competing_tx);
                let mut papers = self.world.papers.iter();
                let paper = papers.find(|paper| paper.tx.hash() == tx_hash).unwrap();
                let input = paper.inputs[usize::from(challenge.competing_input_index)];
                spends.push(Spend { tx_hash, input, at: None, is_in_block: false });
            }
        }
        spends
    }

    pub(super) fn in_flight_ids(&self) -> BTreeSet<ExitId> {
        let starts = self.events().filter_map(|event| match &event.event {
            RootChainEvent::InFlightExitStarted(start) => Some(start.exit_id),
            _ => None,
        });
        starts.collect()
    }

    fn incarnation(&self, wanted: ExitId) -> Option<Incarnation<'a>> {
        let mut game: Option<Incarnation<'a>> = None;
        for event in self.events() {
            let height = event.eth_height.get();
            if let RootChainEvent::InFlightExitStarted(start) = &event.event {
                if start.exit_id == wanted {
                    game = Some(Incarnation {
                        start,
                        eth_height: height,
                        is_over: false,
                        is_deleted: false,
                        is_canonical: true,
                        oldest: None,
                        slots: BTreeMap::new(),
                    });
                }
                continue;
            }
            let Some(game) = &mut game else {
                continue;
            };
            match &event.event {
                RootChainEvent::InFlightExitPiggybacked { exit_id, slot, .. }
                    if *exit_id == wanted =>
                {
                    game.slots.insert(*slot, (height, true));
                }
                RootChainEvent::InFlightExitPiggybackBlocked { exit_id, slot, .. }
                | RootChainEvent::InFlightExitPiggybackWithdrawn { exit_id, slot }
                    if *exit_id == wanted =>
                {
                    game.slots.get_mut(slot).unwrap().1 = false;
                }
                RootChainEvent::InFlightExitChallenged(challenge)
                    if challenge.exit_id == wanted =>
                {
                    game.is_canonical = false;
                    game.oldest = Some(challenge.competing_tx_pos);
                }
                RootChainEvent::InFlightExitChallengeResponded { exit_id, tx_pos, .. }
                    if *exit_id == wanted =>
                {
                    game.is_canonical = true;
                    game.oldest = Some(Some(*tx_pos));
                }
                RootChainEvent::InFlightExitDeleted { exit_id } if *exit_id == wanted => {
                    game.is_over = true;
                    game.is_deleted = true;
                }
                RootChainEvent::InFlightExitFinalized { exit_id } if *exit_id == wanted => {
                    game.is_over = true;
                }
                _ => {}
            }
        }
        game
    }

    /// The oldest other transaction that spends an input of this one; inside, where it is.
    fn competitor(&self, start: &InFlightExitStart, by: By) -> Option<Option<TxPos>> {
        let others = self.spends_by(by).filter(|spend| {
            spend.tx_hash != start.tx_hash && start.input_positions.contains(&spend.input)
        });
        others.map(|spend| spend.at).min_by_key(|at| (at.is_none(), *at))
    }

    /// Whether a different transaction spends an input, or any transaction an output.
    fn is_spent(&self, start: &InFlightExitStart, slot: PiggybackSlot, by: By) -> bool {
        let output = |at: TxPos| UtxoPos::new(at.blknum, at.txindex, OutputIndex::new(slot.index));
        let position = match slot.side {
            PiggybackSide::Input => Some(start.input_positions[usize::from(slot.index)]),
            PiggybackSide::Output => self.place(start.tx_hash).map(output),
        };
        let mut spends = self.spends_by(by);
        spends.any(|spend| Some(spend.input) == position && spend.tx_hash != start.tx_hash)
    }

    fn is_standard_invalid(&self, position: UtxoPos, by: By) -> bool {
        self.spends_by(by).any(|spend| spend.input == position)
    }
}

impl Oracle {
    /// The watcher is about to take payments above this height.
    pub(super) fn pay(&mut self, view: &View<'_>, after: u64) {
        let in_ledger = |position: UtxoPos| {
            let made = &view.world.made[&position];
            let is_spent = |spend: Spend| spend.input == position && spend.at.is_some();
            made.eth_height <= view.seen.blocks && !view.spends().into_iter().any(is_spent)
        };
        let new: Vec<&EthEvent> = view
            .events()
            .filter(|event| is_of_payment(event) && event.eth_height.get() > after)
            .collect();
        for event in &new {
            let RootChainEvent::ExitFinalized { exit_id: paid } = &event.event else {
                continue;
            };
            let position = view.world.log.iter().find_map(|event| match &event.event {
                RootChainEvent::ExitStarted { exit_id, position, .. } if exit_id == paid => {
                    Some(*position)
                }
                _ => None,
            });
            let position = position.unwrap();
            let is_there = in_ledger(position) && !self.left.contains_key(&position);
            let is_fine = is_there || view.is_ahead(position);
            let is_right = is_fine && !view.is_standard_invalid(position, By::Block);
            if is_there && !view.is_ahead(position) {
                self.left.insert(position, *paid);
            }
            self.paid_standard.insert(position, is_right);
        }
        for event in &new {
            let RootChainEvent::InFlightExitPiggybackWithdrawn { exit_id, slot } = &event.event
            else {
                continue;
            };
            let start = view.incarnation(*exit_id).unwrap().start;
            let place = view.place(start.tx_hash);
            let taken: Vec<UtxoPos> = match (slot.side, place) {
                (PiggybackSide::Input, _) => {
                    vec![start.input_positions[usize::from(slot.index)]]
                }
                (PiggybackSide::Output, Some(at)) => {
                    vec![UtxoPos::new(at.blknum, at.txindex, OutputIndex::new(slot.index))]
                }
                (PiggybackSide::Output, None) => start.input_positions.clone(),
            };
            let mut is_right = !view.is_spent(start, *slot, By::Block);
            if slot.side == PiggybackSide::Output && place.is_none() {
                is_right &= view.competitor(start, By::Block).is_none();
            }
            for position in taken.into_iter().filter(|position| !view.is_ahead(*position)) {
                let is_free = self.left.get(&position).is_none_or(|by| by == exit_id);
                if in_ledger(position) && is_free {
                    self.left.insert(position, *exit_id);
                } else {
                    is_right = false;
                }
            }
            if !is_right {
                self.wrongly_paid.entry(*exit_id).or_default().insert(*slot);
            }
        }
    }

    /// Everything that should be said, one line each.
    pub(super) fn expected(&self, view: &View<'_>) -> BTreeSet<String> {
        let now = view.world.height.min(view.seen.exits + EXIT_MARGIN);
        let mut expected = self.expected_standard(view, now);
        for exit_id in view.in_flight_ids() {
            let game = view.incarnation(exit_id).unwrap();
            let is_late = |since: u64| since + SLA_MARGIN <= now;
            let paid = self.wrongly_paid.get(&exit_id).cloned();
            let mut unchallenged = paid.unwrap_or_default();
            if !game.is_over {
                let invalid: BTreeSet<PiggybackSlot> = (game.slots.iter())
                    .filter(|(slot, (_, is_active))| {
                        *is_active && view.is_spent(game.start, **slot, By::Any)
                    })
                    .map(|(slot, _)| *slot)
                    .collect();
                let late = invalid.iter().filter(|slot| is_late(game.slots[*slot].0));
                unchallenged.extend(late);
                expected.extend(line("invalid_piggyback", exit_id, &invalid));
                expected.extend(self.expected_canonicity(view, exit_id, &game, is_late));
            }
            expected.extend(line("unchallenged_piggyback", exit_id, &unchallenged));
        }
        expected
    }

    fn expected_standard(&self, view: &View<'_>, now: u64) -> BTreeSet<String> {
        let mut open = BTreeMap::new();
        let mut outputs = BTreeMap::new();
        for event in view.events() {
            match &event.event {
                RootChainEvent::ExitStarted { exit_id, position, .. } => {
                    open.insert(*position, event.eth_height.get());
                    outputs.insert(*exit_id, *position);
                }
                RootChainEvent::ExitOmitted { exit_id } => {
                    open.remove(&outputs[exit_id]);
                }
                RootChainEvent::ExitChallenged { position } => {
                    open.remove(position);
                }
                _ => {}
            }
        }
        let mut expected = BTreeSet::new();
        for (position, started) in open {
            if !self.paid_standard.contains_key(&position)
                && view.is_standard_invalid(position, By::Any)
            {
                expected.insert(format!("invalid_exit {position}"));
                if started + SLA_MARGIN <= now {
                    expected.insert(format!("unchallenged_exit {position}"));
                }
            }
        }
        for (position, is_right) in &self.paid_standard {
            if !is_right {
                expected.insert(format!("unchallenged_exit {position}"));
            }
        }
        expected
    }

    fn expected_canonicity(
        &self,
        view: &View<'_>,
        exit_id: ExitId,
        game: &Incarnation<'_>,
        is_late: impl Fn(u64) -> bool,
    ) -> Vec<String> {
        let mut expected = Vec::new();
        let seen_at = view.place(game.start.tx_hash);
        if let Some(at) = view.competitor(game.start, By::Any) {
            let is_viable = match (seen_at, game.oldest) {
                (None, None) => true,
                (Some(_), None) => is_older(at, seen_at),
                (None, Some(oldest)) => is_older(at, oldest),
                (Some(_), Some(oldest)) => is_older(at, seen_at) && is_older(at, oldest),
            };
            if is_viable {
                expected.push(format!("non_canonical_ife {exit_id}"));
                let in_block = view.competitor(game.start, By::Block).is_some();
                if game.is_canonical && in_block && is_late(game.eth_height) {
                    expected.push(format!("unchallenged_non_canonical_ife {exit_id}"));
                }
            }
        }
        if !game.is_canonical && seen_at.is_some() && is_older(seen_at, game.oldest.unwrap()) {
            expected.push(format!("invalid_ife_challenge {exit_id}"));
        }
        if seen_at.is_none() {
            let papers = &view.world.papers;
            let paper = papers.iter().find(|paper| paper.tx.hash() == game.start.tx_hash).unwrap();
            let inputs = paper.inputs.iter();
            let owners = inputs.map(|position| key(view.world.made[position].owner).address());
            let inputs = (0..).map(PiggybackSlot::input).zip(owners);
            let outputs = paper.tx.transaction().outputs().iter().map(|output| output.owner);
            let all = inputs.chain((0..).map(PiggybackSlot::output).zip(outputs));
            let free: Vec<_> = all.filter(|(slot, _)| !game.slots.contains_key(slot)).collect();
            if !free.is_empty() {
                expected.push(format!("piggyback_available {exit_id} {free:?}"));
            }
        }
        expected
    }
}

fn line(name: &str, exit_id: ExitId, slots: &BTreeSet<PiggybackSlot>) -> Option<String> {
    (!slots.is_empty()).then(|| format!("{name} {exit_id} {slots:?}"))
}
