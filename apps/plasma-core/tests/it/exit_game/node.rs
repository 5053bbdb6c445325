//! A watcher without actors and without a network: it is handed blocks and events, and makes the calls that the shells make.

use super::world::{Block, World, domain};
use crate::watching::store::Store;
use plasma_core::db_update::{BlockGetterUpdate, DbUpdate, UtxoKey};
use plasma_core::exit_processor::in_flight_data::InFlightCase;
use plasma_core::exit_processor::{
    ExitFacts, ExitHeights, ExitKey, ExitProcessor, ExitProcessorConfig, StandardExit,
};
use plasma_core::fees::RequiredFee;
use plasma_core::root_chain::{EthEvent, EventKind};
use plasma_core::state::{OutputFacts, Role, State};
use plasma_core::wire::{Blknum, EthHeight, ExitId, UtxoPos};

pub(super) const SLA_MARGIN: u64 = 15;
pub(super) const EXIT_MARGIN: u64 = 4;

const CONFIG: ExitProcessorConfig = ExitProcessorConfig {
    sla_margin_eth_blocks: SLA_MARGIN,
    exit_finality_margin_eth_blocks: EXIT_MARGIN,
};

/// How far the root chain was read, by what was looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Deposits and blocks.
    pub(super) blocks: u64,
    /// Starts and challenges of exits, and what happens to in-flight ones.
    pub(super) exits: u64,
    /// Payments, and exits that left the queue unpaid.
    pub(super) payments: u64,
}

pub(super) struct Node {
    pub(super) store: Store,
    pub(super) exits: ExitProcessor,
    state: State,
    pub(super) seen: Seen,
    is_faulty: bool,
}

pub(super) fn is_payment(event: &EthEvent) -> bool {
    matches!(
        event.event.kind(),
        EventKind::ExitFinalized
            | EventKind::ExitOmitted
            | EventKind::InFlightExitOmitted
            | EventKind::InFlightExitInputWithdrawn
            | EventKind::InFlightExitOutputWithdrawn
            | EventKind::InFlightExitFinalized
    )
}

impl Node {
    pub(super) fn new() -> Self {
        let (store, seen) = (Store::new(), Seen::default());
        let state = State::restore(Role::Watcher, store.pending.clone(), &[]).unwrap();
        let exits = ExitProcessor::restore(CONFIG, domain(), [], [], state.blknum(), None);
        Self { store, exits, state, seen, is_faulty: false }
    }

    pub(super) fn restart(&mut self, world: &World) {
        self.state = State::restore(Role::Watcher, self.store.pending.clone(), &[]).unwrap();
        let active = self.store.exits.values().filter(|exit| exit.phase.is_active()).cloned();
        let in_flight = self.store.in_flight.values().filter(|exit| exit.is_active()).cloned();
        let fault = world.fault.filter(|_| self.is_faulty);
        let next = self.state.blknum();
        self.exits = ExitProcessor::restore(CONFIG, domain(), active, in_flight, next, fault);
        self.judge();
    }

    pub(super) fn heights(&self, world: &World) -> ExitHeights {
        ExitHeights {
            root_chain: EthHeight::new(world.height),
            challenges: EthHeight::new(self.seen.exits),
            in_flight_exits: EthHeight::new(self.seen.exits),
        }
    }

    pub(super) fn read_deposits(&mut self, world: &World, up_to: u64) {
        for (height, deposit) in &world.deposits {
            if (self.seen.blocks + 1..=up_to).contains(height) {
                let position = UtxoPos::deposit(deposit.blknum);
                let mut updates = Vec::new();
                self.state.deposit(&[*deposit], &OutputFacts::new(), &mut updates);
                self.store.commit(updates.into_iter().map(DbUpdate::from).collect());
                self.exits.on_ledger(self.state.blknum(), [position]);
            }
        }
    }

    pub(super) fn read_block(&mut self, world: &World, block: &Block) {
        if world.fault.is_some_and(|fault| fault <= block.blknum) {
            self.on_fault(block.blknum);
            return self.quarantine(world, block);
        }
        let mut updates = Vec::new();
        let mut touched = Vec::new();
        for paper in block.papers.iter().map(|paper| &world.papers[*paper]) {
            let unknown = self.state.unknown_inputs([&paper.tx]).map(|key| key.position);
            let facts = self.facts(unknown.collect());
            let fee = RequiredFee::Ignored;
            self.state.exec(&paper.tx, &fee, &facts, &mut updates).unwrap();
            touched.extend(&paper.inputs);
        }
        self.state.close_block(&mut updates);
        self.store.commit(updates.into_iter().map(DbUpdate::from).collect());
        self.exits.on_ledger(self.state.blknum(), touched);
    }

    pub(super) fn on_fault(&mut self, blknum: Blknum) {
        self.is_faulty = true;
        self.exits.on_fault(blknum);
    }

    fn quarantine(&mut self, world: &World, block: &Block) {
        let mut spends = Vec::new();
        let mut updates = Vec::new();
        for paper in block.papers.iter().map(|paper| &world.papers[*paper]) {
            for (position, owner) in paper.inputs.iter().zip(paper.tx.spenders()) {
                let key = UtxoKey { owner: *owner, position: *position };
                let bytes = paper.tx.signed_bytes().into();
                updates.push(
                    BlockGetterUpdate::PutQuarantinedSpend(key, paper.tx.hash(), bytes).into(),
                );
                spends.push(key);
            }
        }
        self.store.commit(updates);
        self.exits.on_quarantined(&spends);
    }

    /// Takes these events, in this order and company.
    pub(super) fn read_exits(&mut self, events: &[EthEvent]) {
        let stored = self.stored(events);
        let mut updates = Vec::new();
        self.exits.on_events(events, &stored, &mut updates);
        self.store.commit(updates);
        self.read_in_flight(events);
    }

    fn read_in_flight(&mut self, events: &[EthEvent]) {
        let needed = self.exits.in_flight_exits_needed(events).into_iter();
        let stored: Vec<_> =
            needed.filter_map(|exit_id| self.store.in_flight.get(&exit_id).cloned()).collect();
        let mut updates = Vec::new();
        self.exits.on_in_flight_events(events, &stored, &mut updates);
        self.store.commit(updates);
    }

    pub(super) fn read_payments(&mut self, events: &[EthEvent]) {
        let stored = self.stored(events);
        let paid = self.exits.exiting(events, &stored);
        assert_eq!(paid.unknown, []);
        let positions: Vec<UtxoPos> = paid.exiting.iter().map(|exit| exit.position).collect();
        let facts = self.facts(self.state.unknown(positions.iter().copied()).collect());
        let mut updates = Vec::new();
        let outcome = self.state.exit_utxos(&paid.exiting, &facts, &mut updates);
        let mut updates: Vec<DbUpdate> = updates.into_iter().map(DbUpdate::from).collect();
        self.exits.on_finalized(&outcome, &stored, &mut updates);
        self.exits.on_events(events, &stored, &mut updates);
        self.store.commit(updates);
        self.exits.on_ledger(self.state.blknum(), positions);
        self.judge();
        self.read_in_flight(events);
        self.judge();
        self.settle();
    }

    fn settle(&mut self) {
        let due = self.exits.payments_due();
        let exiting: Vec<_> = due.iter().flat_map(|paid| paid.exiting.iter().copied()).collect();
        let positions: Vec<UtxoPos> = exiting.iter().map(|exit| exit.position).collect();
        let facts = self.facts(self.state.unknown(positions.iter().copied()).collect());
        let mut updates = Vec::new();
        let outcome = self.state.exit_utxos(&exiting, &facts, &mut updates);
        let mut updates: Vec<DbUpdate> = updates.into_iter().map(DbUpdate::from).collect();
        self.exits.on_paid(&due, &outcome, &mut updates);
        self.store.commit(updates);
        self.exits.on_ledger(self.state.blknum(), positions);
        self.judge();
        assert_eq!(self.exits.payments_due(), [], "each payment is settled once");
    }

    fn stored(&self, events: &[EthEvent]) -> Vec<StandardExit> {
        let exits = &self.store.exits;
        let needed = self.exits.records_needed(events).into_iter();
        let found = needed.filter_map(|key| match key {
            ExitKey::Position(position) => exits.get(&position),
            ExitKey::Id(id) => exits.values().find(|exit| exit.exit_id == id),
        });
        found.cloned().collect()
    }

    pub(super) fn judge(&mut self) {
        loop {
            let request = self.exits.facts_needed();
            if request.keys.is_empty() {
                return;
            }
            let facts = request.keys.iter().map(|key| (*key, self.store.exit_fact(*key)));
            self.exits.decide(&request, &facts.collect());
        }
    }

    fn facts(&self, positions: Vec<UtxoPos>) -> OutputFacts {
        let facts = positions.into_iter();
        facts.filter_map(|position| Some((position, self.store.output(position)?))).collect()
    }

    /// Looks at an exit as the methods of the API do.
    pub(super) fn with_case<R>(
        &self,
        world: &World,
        exit_id: ExitId,
        look: impl Fn(InFlightCase<'_>) -> R,
    ) -> R {
        let (exit, domain) = (self.store.in_flight.get(&exit_id), domain());
        let fault = world.fault.filter(|_| self.is_faulty);
        let mut facts = ExitFacts::new();
        loop {
            let case = InFlightCase { exit, facts: &facts, fault, domain: &domain };
            let needed = case.keys_needed();
            if needed.is_empty() {
                return look(case);
            }
            facts.extend(needed.into_iter().map(|key| (key, self.store.exit_fact(key))));
        }
    }
}
