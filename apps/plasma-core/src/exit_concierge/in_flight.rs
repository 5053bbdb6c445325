//! In-flight exits, as the concierge tells them.

use super::advice::{self, Told};
use super::{
    ExitClock, ExitParts, ExitPhase, ExitView, Mover, QueuePlace, SlotPhase, Step, Window,
};
use crate::exit_processor::{
    Canonicity, InFlightEvent, InFlightExit, InFlightFindings, InFlightPhase, Payment,
    PiggybackPhase,
};
use crate::root_chain::{InFlightExitStart, PiggybackSide, PiggybackSlot};
use crate::wire::ids::ExitPriority;
use crate::wire::{
    Address, Blknum, Currency, EthHeight, ExitId, H256, Output, OutputIndex, Transaction, TxHash,
    TxIndex, U256, UtxoPos,
};
use std::collections::{BTreeMap, BTreeSet};

/// What there is to know of an in-flight exit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlightCase {
    /// The contract's key.
    pub exit_id: ExitId,
    /// The transaction.
    pub tx_hash: TxHash,
    /// Who started it.
    pub initiator: Address,
    /// Where it was started.
    pub eth_height: EthHeight,
    /// The root chain transaction that started it.
    pub root_chain_txhash: H256,
    /// When it was started, in seconds.
    pub started_at_s: u64,
    /// Its youngest input, which gives it its place among exits of one time.
    pub youngest_input: UtxoPos,
    /// What became of it.
    pub phase: InFlightPhase,
    /// What the contract holds the transaction for.
    pub canonicity: Canonicity,
    /// What was found out about it.
    pub findings: InFlightFindings,
    /// Its inputs, then its outputs.
    pub slots: Vec<SlotCase>,
}

/// What there is to know of an input or output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotCase {
    /// Which.
    pub slot: PiggybackSlot,
    /// Whose.
    pub owner: Address,
    /// What it is counted in.
    pub currency: Currency,
    /// How much, in the smallest unit.
    pub amount: U256,
    /// Somebody joined: whom it is paid to, and strictly after when.
    pub joined: Option<(Address, u64)>,
    /// What became of it.
    pub outcome: SlotOutcome,
}

/// What became of an input or output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotOutcome {
    /// Nothing yet.
    None,
    /// Its piggyback was challenged.
    Blocked,
    /// Paid.
    Paid,
    /// Paid, and should not have been.
    PaidWrongly,
}

/// An input or output as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotView {
    /// What is known of it.
    pub case: SlotCase,
    /// How it stands. (`C3`)
    pub phase: SlotPhase,
}

impl InFlightCase {
    /// From its record, and what was found out about it. `None` while its start is unknown.
    pub fn new(exit: &InFlightExit, findings: InFlightFindings) -> Option<Self> {
        let (start, now) = exit.start().zip(exit.incarnation())?;
        let payments = payments(exit);
        let slots = outputs(start).into_iter().map(|(slot, output)| {
            let piggyback = now.piggybacks.get(&slot);
            let is_blocked =
                piggyback.is_some_and(|joined| joined.phase == PiggybackPhase::Blocked);
            let outcome = match payments.get(&slot) {
                Some(Payment::Wrongful) => SlotOutcome::PaidWrongly,
                Some(Payment::Due | Payment::Rightful) => SlotOutcome::Paid,
                None if is_blocked => SlotOutcome::Blocked,
                None => SlotOutcome::None,
            };
            SlotCase {
                slot,
                owner: output.owner,
                currency: output.currency,
                amount: output.amount,
                joined: piggyback.map(|joined| (joined.exit_target, joined.exitable_at_s)),
                outcome,
            }
        });
        let genesis = UtxoPos::new(Blknum::new(0), TxIndex::new(0), OutputIndex::new(0));
        Some(Self {
            exit_id: exit.exit_id,
            tx_hash: start.tx_hash,
            initiator: start.initiator,
            eth_height: now.eth_height,
            root_chain_txhash: now.root_chain_txhash,
            started_at_s: now.started_at_s,
            youngest_input: start.input_positions.iter().copied().max().unwrap_or(genesis),
            phase: now.phase,
            canonicity: now.canonicity,
            findings,
            slots: slots.collect(),
        })
    }

    pub(super) fn accounts(&self) -> BTreeSet<Address> {
        let paid = self.slots.iter().filter_map(|slot| slot.joined.map(|(who, _)| who));
        let owners = self.slots.iter().map(|slot| slot.owner);
        owners.chain(paid).chain([self.initiator]).collect()
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == InFlightPhase::Active
    }

    /// The entries that wait, each with its time: there is one for each token that somebody joined with, until it is processed.
    /// An entry stays when its piggybacks are blocked.
    fn entries(&self) -> BTreeMap<Currency, u64> {
        let mut entries = BTreeMap::new();
        if !self.is_open() {
            return entries;
        }
        for (currency, (_, exitable_at_s)) in
            self.slots.iter().filter_map(|slot| Some((slot.currency, slot.joined?)))
        {
            let first: &mut u64 = entries.entry(currency).or_insert(exitable_at_s);
            *first = exitable_at_s.min(*first);
        }
        let paid = self.slots.iter().filter(|slot| slot.is_paid());
        let paid: BTreeSet<Currency> = paid.map(|slot| slot.currency).collect();
        entries.retain(|currency, _| !paid.contains(currency));
        entries
    }

    pub(super) fn queued(&self) -> Vec<(Currency, ExitPriority)> {
        let priority = |at_s| ExitPriority::new(at_s, self.youngest_input, self.exit_id);
        self.entries().into_iter().map(|(currency, at_s)| (currency, priority(at_s))).collect()
    }

    pub(super) fn phase(&self, clock: &ExitClock) -> ExitPhase {
        let is = |outcome| self.slots.iter().any(|slot| slot.outcome == outcome);
        match self.phase {
            InFlightPhase::Deleted => ExitPhase::Deleted,
            InFlightPhase::Finalized if is(SlotOutcome::PaidWrongly) => ExitPhase::PaidWrongly,
            InFlightPhase::Finalized if is(SlotOutcome::Paid) => ExitPhase::Paid,
            InFlightPhase::Finalized => ExitPhase::Unpaid,
            InFlightPhase::Active if clock.now_s < clock.first_half_ends_s(self.started_at_s) => {
                ExitPhase::PiggybackWindow
            }
            InFlightPhase::Active => {
                let first_s = self.entries().into_values().min();
                match first_s {
                    Some(at_s) if at_s < clock.now_s => ExitPhase::Due,
                    Some(_) => ExitPhase::ResponseWindow,
                    None if self.slots.iter().all(|slot| slot.joined.is_none()) => {
                        ExitPhase::Deletable
                    }
                    // Every entry was processed: the end of the exit is read next.
                    None => ExitPhase::Due,
                }
            }
        }
    }

    fn slot_phase(&self, slot: &SlotCase, clock: &ExitClock) -> SlotPhase {
        let is_spent = self.findings.spent.contains(&slot.slot);
        let waits = self.entries().contains_key(&slot.currency);
        let is_window = self.is_open() && clock.now_s < clock.first_half_ends_s(self.started_at_s);
        match slot.outcome {
            SlotOutcome::Blocked => SlotPhase::Blocked,
            SlotOutcome::Paid => SlotPhase::Paid,
            SlotOutcome::PaidWrongly => SlotPhase::PaidWrongly,
            SlotOutcome::None if slot.joined.is_some() && !waits => SlotPhase::Returned,
            SlotOutcome::None if slot.joined.is_some() && is_spent => SlotPhase::Invalid,
            SlotOutcome::None if slot.joined.is_some() => SlotPhase::Joined,
            SlotOutcome::None if is_window && is_spent => SlotPhase::Spent,
            SlotOutcome::None if is_window => SlotPhase::Open,
            SlotOutcome::None => SlotPhase::Missed,
        }
    }

    fn slot_views(&self, clock: &ExitClock) -> Vec<SlotView> {
        let view = |slot: &SlotCase| SlotView { case: *slot, phase: self.slot_phase(slot, clock) };
        self.slots.iter().map(view).collect()
    }

    /// The one thing to do. What others do wrong comes before what can be gained. (`C7`)
    fn next(&self, phase: ExitPhase, slots: &[SlotView], viewer: Option<Address>) -> Step {
        if phase == ExitPhase::PaidWrongly {
            return Step::Leave;
        }
        if phase.is_over() {
            return Step::Nothing;
        }
        if self.findings.is_challenged_wrongly {
            return Step::Respond;
        }
        let is_window = phase == ExitPhase::PiggybackWindow;
        let can_join = |side: PiggybackSide| {
            let is_viewers = |slot: &&SlotView| viewer.is_none_or(|who| who == slot.case.owner);
            let open = slots.iter().filter(|slot| slot.phase == SlotPhase::Open);
            let mut open = open.filter(|slot| slot.case.slot.side == side);
            // An owner of an included output has it anyway: it can leave alone.
            is_window && self.findings.included_at.is_none() && open.any(|slot| is_viewers(&slot))
        };
        let outputs_pay = self.outputs_pay();
        if viewer.is_some() && outputs_pay && can_join(PiggybackSide::Output) {
            return Step::PiggybackOutput;
        }
        if viewer.is_some() && can_join(PiggybackSide::Input) {
            return Step::PiggybackInput;
        }
        if is_window && self.findings.has_viable_competitor {
            return Step::ChallengeCanonicity;
        }
        if slots.iter().any(|slot| slot.phase == SlotPhase::Invalid) {
            return Step::ChallengePiggyback;
        }
        match phase {
            ExitPhase::Due => Step::Process,
            ExitPhase::Deletable => Step::Delete,
            _ if self.is_canonical() && self.findings.has_viable_competitor => Step::Leave,
            _ => Step::Wait,
        }
    }

    /// Whether outputs are what will be paid, as far as is known.
    fn outputs_pay(&self) -> bool {
        !self.findings.has_viable_competitor && self.is_canonical()
    }

    /// With what the viewer should join, outputs first. Nobody knows for sure that no competitor will be shown, so inputs join, too;
    /// outputs do not when there is one. (`C7`)
    fn to_join(&self, slots: &[SlotView], viewer: Option<Address>) -> Vec<PiggybackSlot> {
        let open = slots.iter().filter(|slot| slot.phase == SlotPhase::Open);
        let of_viewer = open.filter(|slot| Some(slot.case.owner) == viewer);
        let (mut outputs, inputs): (Vec<_>, Vec<_>) = of_viewer
            .map(|slot| slot.case.slot)
            .partition(|slot| slot.side == PiggybackSide::Output);
        outputs.retain(|_| self.outputs_pay());
        outputs.extend(inputs);
        outputs
    }

    /// Who can do what until when. (`C6`)
    fn windows(&self, clock: &ExitClock, slots: &[SlotView], first_s: Option<u64>) -> Vec<Window> {
        if !self.is_open() {
            return Vec::new();
        }
        let window = |step, by, until_s, is_hard| Window {
            step,
            by,
            until_s,
            until_eth_height: clock.last_before(until_s),
            is_hard,
        };
        let ends_s = clock.first_half_ends_s(self.started_at_s);
        let is_open = |side| {
            let mut of_side = slots.iter().filter(|slot| slot.case.slot.side == side);
            of_side.any(|slot| slot.phase == SlotPhase::Open)
        };
        let mut windows = Vec::new();
        if is_open(PiggybackSide::Input) {
            windows.push(window(Step::PiggybackInput, Mover::InputOwners, ends_s, true));
        }
        if is_open(PiggybackSide::Output) {
            windows.push(window(Step::PiggybackOutput, Mover::OutputOwners, ends_s, true));
        }
        if clock.now_s < ends_s {
            windows.push(window(Step::ChallengeCanonicity, Mover::Anybody, ends_s, true));
        }
        if let Some(until_s) = first_s.map(|at_s| at_s.saturating_add(1)) {
            windows.push(window(Step::ChallengePiggyback, Mover::Anybody, until_s, false));
            if !self.is_canonical() {
                windows.push(window(Step::Respond, Mover::Anybody, until_s, false));
            }
        }
        windows
    }

    const fn is_canonical(&self) -> bool {
        matches!(self.canonicity, Canonicity::Canonical { .. })
    }

    pub(super) fn view(
        &self,
        clock: &ExitClock,
        queue: Vec<QueuePlace>,
        viewer: Option<Address>,
    ) -> ExitView {
        let phase = self.phase(clock);
        let slots = self.slot_views(clock);
        let mut entries: Vec<(u64, Currency)> =
            self.entries().into_iter().map(|(currency, at_s)| (at_s, currency)).collect();
        entries.sort_unstable();
        let exitable_at_s = entries.first().map(|(at_s, _)| *at_s);
        let eta = exitable_at_s.map(|at_s| clock.eta(at_s));
        let next = self.next(phase, &slots, viewer);
        let told = Told {
            phase,
            next,
            eta,
            tx_hash: Some(self.tx_hash),
            position: None,
            currencies: entries.into_iter().map(|(_, currency)| currency).collect(),
            slots: self.to_join(&slots, viewer),
        };
        ExitView {
            exit_id: self.exit_id,
            phase,
            exitor: self.initiator,
            eth_height: self.eth_height,
            root_chain_txhash: self.root_chain_txhash,
            exitable_at_s,
            eta,
            queue,
            windows: self.windows(clock, &slots, exitable_at_s),
            next,
            advice: advice::sentence(&told),
            parts: ExitParts::InFlight {
                tx_hash: self.tx_hash,
                started_at_s: self.started_at_s,
                is_canonical: self.is_canonical(),
                included_at: self.findings.included_at,
                slots,
            },
        }
    }
}

impl SlotCase {
    const fn is_paid(&self) -> bool {
        matches!(self.outcome, SlotOutcome::Paid | SlotOutcome::PaidWrongly)
    }
}

/// What was paid since the newest start.
fn payments(exit: &InFlightExit) -> BTreeMap<PiggybackSlot, Payment> {
    let mut payments = BTreeMap::new();
    for told in &exit.moves {
        match &told.event {
            InFlightEvent::Started(_) => payments.clear(),
            InFlightEvent::Withdrawn(slot, payment) => {
                payments.insert(*slot, *payment);
            }
            _ => {}
        }
    }
    payments
}

/// The outputs that the transaction spends, then those that it makes. Without those that nobody can make sense of: the contracts
/// let no such exit start.
fn outputs(start: &InFlightExitStart) -> Vec<(PiggybackSlot, Output)> {
    let made_by = start.input_positions.iter().zip(&start.input_txs);
    let inputs = (0..).zip(made_by).filter_map(|(index, (position, made_by))| {
        let tx = Transaction::decode_unsigned(made_by).ok()?;
        let output = tx.outputs().get(usize::from(position.oindex.get())).copied()?;
        Some((PiggybackSlot::input(index), output))
    });
    let tx = Transaction::decode_unsigned(&start.tx_bytes).ok();
    let outputs = tx.map(|tx| tx.outputs().to_vec()).unwrap_or_default();
    let outputs = (0..).zip(outputs).map(|(index, output)| (PiggybackSlot::output(index), output));
    inputs.chain(outputs).collect()
}
