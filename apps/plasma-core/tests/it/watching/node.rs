//! A watcher without actors: the same calls in the same order as the shells make them, one commit at a time.

use super::root::{Lie, World, domain};
use super::store::Store;
use plasma_core::block_getter::{
    ApplyError, BlockGetter, BlockGetterConfig, BlockGetterRecord, BlockId, Download,
    DownloadOutcome, SubmissionFacts, apply_block, check_block,
};
use plasma_core::db_update::DbUpdate;
use plasma_core::exit_processor::{
    ChallengeData, ChallengeError, ExitFact, ExitHeights, ExitKey, ExitProcessor,
    ExitProcessorConfig, StandardExit, challenge_data,
};
use plasma_core::root_chain::{ChildBlock, EthEvent, RootChainEvent};
use plasma_core::state::{Deposit, OutputFacts, Role, State};
use plasma_core::wire::{Blknum, EthHeight, UtxoPos};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

pub(super) const EXIT_MARGIN: u64 = 12;
pub(super) const SLA_MARGIN: u64 = 20;
pub(super) const WITHHOLDING_MS: u64 = 1_000_000;

const GETTER: BlockGetterConfig = BlockGetterConfig {
    downloads_max: 3,
    unapplied_max: 6,
    unapplied_txs_max: 5,
    withholding_ms_max: WITHHOLDING_MS,
    retry_pause_ms_min: 1_000,
    retry_pause_ms_max: 4_000,
    reorg_margin_eth_blocks: 20,
};

const EXITS: ExitProcessorConfig = ExitProcessorConfig {
    sla_margin_eth_blocks: SLA_MARGIN,
    exit_finality_margin_eth_blocks: EXIT_MARGIN,
};

pub(super) struct Node {
    pub(super) store: Store,
    pub(super) getter: BlockGetter,
    pub(super) exits: ExitProcessor,
    state: State,
    pub(super) now_ms: u64,
    pub(super) deposits_seen: u64,
    pub(super) starts_seen: u64,
    pub(super) challenges_seen: u64,
    pub(super) paid_seen: u64,
    /// Blocks of which everything readable is evidence, whole or in part.
    pub(super) quarantined: BTreeSet<Blknum>,
}

impl Node {
    pub(super) fn new() -> Self {
        Self::from_store(Store::new())
    }

    fn from_store(store: Store) -> Self {
        let state = State::restore(Role::Watcher, store.pending.clone(), &[]).unwrap();
        let fault = store.fault.as_ref().map(|fault| fault.blknum);
        let active = store.exits.values().filter(|exit| exit.phase.is_active()).cloned();
        let exits = ExitProcessor::restore(EXITS, domain(), active, [], state.blknum(), fault);
        let record = BlockGetterRecord {
            last_applied: state.blknum().previous_child_block(),
            synced_height: store.getter_height,
            fault: store.fault.clone(),
            quarantined_up_to: store.quarantined_up_to,
        };
        Self {
            getter: BlockGetter::restore(GETTER, record),
            exits,
            state,
            store,
            now_ms: 0,
            deposits_seen: 0,
            starts_seen: 0,
            challenges_seen: 0,
            paid_seen: 0,
            quarantined: BTreeSet::new(),
        }
    }

    /// Heights of the listeners are in the store as well; what is evidence already stays evidence.
    pub(super) fn restart(&mut self) {
        let store = std::mem::replace(&mut self.store, Store::new());
        *self = Self {
            now_ms: self.now_ms,
            deposits_seen: self.deposits_seen,
            starts_seen: self.starts_seen,
            challenges_seen: self.challenges_seen,
            paid_seen: self.paid_seen,
            quarantined: std::mem::take(&mut self.quarantined),
            ..Self::from_store(store)
        };
    }

    pub(super) fn ledger_top(&self) -> Option<Blknum> {
        self.store.blocks.keys().next_back().copied()
    }

    pub(super) fn heights(&self, world: &World) -> ExitHeights {
        ExitHeights {
            root_chain: EthHeight::new(world.height),
            challenges: EthHeight::new(self.challenges_seen),
            in_flight_exits: EthHeight::new(self.challenges_seen),
        }
    }

    pub(super) fn read_deposits(&mut self, world: &World, up_to: u64) {
        let up_to = up_to.max(self.deposits_seen);
        let new = self.deposits_seen + 1..=up_to;
        let deposits = world.deposited.iter().filter(|(height, _)| new.contains(height));
        let deposits: Vec<Deposit> = deposits.map(|(_, deposit)| *deposit).collect();
        let positions = deposits.iter().map(|deposit| UtxoPos::deposit(deposit.blknum));
        let positions: Vec<UtxoPos> = positions.collect();
        let facts = self.facts(self.state.unknown(positions.iter().copied()));
        let mut updates = Vec::new();
        self.state.deposit(&deposits, &facts, &mut updates);
        self.store.commit(updates.into_iter().map(DbUpdate::from).collect());
        self.exits.on_ledger(self.state.blknum(), positions);
        self.deposits_seen = up_to;
    }

    /// Reads submissions, downloads, applies and quarantines until nothing more happens.
    pub(super) fn follow(&mut self, world: &World, luck: u8) {
        self.scan(world);
        if let Some(next) = world.top().next_child_block() {
            self.getter.on_next_child_block(next);
        }
        let mut updates = Vec::new();
        if let Some(fault) = self.getter.on_time(self.now_ms, &mut updates) {
            self.exits.on_fault(fault.blknum);
        }
        self.store.commit(updates);
        let mut luck = luck;
        loop {
            let downloads = self.getter.start_downloads(self.now_ms);
            assert!(self.getter.downloading() <= GETTER.downloads_max);
            assert!(self.getter.downloading() + self.getter.unapplied() <= GETTER.unapplied_max);
            let numbers: BTreeSet<Blknum> =
                downloads.iter().map(|download| download.blknum).collect();
            assert_eq!(numbers.len(), downloads.len(), "asked for twice");
            // The last answer comes first.
            for download in downloads.iter().rev() {
                let is_lucky = luck & 1 == 1;
                luck = luck.rotate_right(1);
                self.download(world, *download, is_lucky);
            }
            let progress = self.apply(world) | self.quarantine();
            if downloads.is_empty() && !progress {
                return;
            }
        }
    }

    fn scan(&mut self, world: &World) {
        let to = EthHeight::new(world.height);
        let Some(range) = self.getter.scan_range(to) else {
            return;
        };
        let events = world.submissions(&range);
        let mut facts = SubmissionFacts::default();
        for blknum in self.getter.facts_needed(&events) {
            let root = world.root_of(blknum);
            facts.roots.extend(root.map(|root| (blknum, ChildBlock { root, timestamp_s: 1 })));
            let header = self.store.blocks.get(&blknum);
            facts.ledger.extend(header.map(|header| (blknum, header.hash)));
        }
        let mut updates = Vec::new();
        let fault = self.getter.on_submissions(&range, &events, &facts, &mut updates);
        assert_eq!(fault, None, "no root ever changes here");
        self.store.commit(updates);
    }

    fn download(&mut self, world: &World, download: Download, is_lucky: bool) {
        let submitted = world.submitted(download.blknum).expect("it was submitted");
        let is_shown = is_lucky && submitted.lie != Some(Lie::Silence);
        let outcome = if is_shown {
            assert!(download.hash.is_none_or(|hash| hash == submitted.id.hash));
            let returned = match submitted.lie {
                Some(Lie::WrongNumber) => BlockId { blknum: Blknum::new(1), ..submitted.id },
                _ => submitted.id,
            };
            let recovered = submitted.transactions.iter().cloned().map(Ok).collect();
            DownloadOutcome::Answered(check_block(submitted.id, returned, recovered))
        } else {
            DownloadOutcome::Unavailable
        };
        let mut updates = Vec::new();
        self.getter.on_download(download.blknum, outcome, self.now_ms, &mut updates);
        self.store.commit(updates);
        self.notice_fault();
    }

    fn apply(&mut self, world: &World) -> bool {
        let sync_height = EthHeight::new(world.height);
        let mut is_applied = false;
        let mut updates = Vec::new();
        let deposits_height = EthHeight::new(self.deposits_seen);
        while let Some(block) = self.getter.next_block(sync_height, deposits_height) {
            assert_eq!(world.root_of(block.id().blknum), Some(block.id().hash));
            let inputs = self.state.unknown_inputs(block.transactions());
            let facts = self.facts(inputs.map(|key| key.position));
            match apply_block(&block, &mut self.state, &facts) {
                Ok(applied) => {
                    updates.extend(applied.updates.into_iter().map(DbUpdate::from));
                    self.getter.on_applied(sync_height, &mut updates);
                    self.store.commit(std::mem::take(&mut updates));
                    self.exits.on_ledger(self.state.blknum(), applied.spent);
                    is_applied = true;
                }
                Err(ApplyError::Invalid { fault, .. }) => {
                    self.getter.on_invalid(block, fault, &mut updates);
                }
                Err(error) => panic!("{error}"),
            }
        }
        self.getter.on_synced(sync_height, &mut updates);
        self.store.commit(updates);
        self.notice_fault();
        is_applied
    }

    fn quarantine(&mut self) -> bool {
        let mut is_any = false;
        loop {
            let mut updates = Vec::new();
            let Some(block) = self.getter.next_quarantined(&mut updates) else {
                return is_any;
            };
            self.store.commit(updates);
            self.exits.on_quarantined(&block.spends);
            self.quarantined.insert(block.blknum);
            is_any = true;
        }
    }

    fn notice_fault(&mut self) {
        if let Some(fault) = self.getter.fault() {
            self.exits.on_fault(fault.blknum);
        }
    }

    pub(super) fn read_exits(&mut self, world: &World, starts: u64, challenges: u64) {
        let is_start = |event: &EthEvent| matches!(event.event, RootChainEvent::ExitStarted { .. });
        let is_challenge =
            |event: &EthEvent| matches!(event.event, RootChainEvent::ExitChallenged { .. });
        self.read(events(world, self.starts_seen + 1..=starts, is_start));
        self.read(events(world, self.challenges_seen + 1..=challenges, is_challenge));
        self.starts_seen = starts;
        self.challenges_seen = challenges;
    }

    pub(super) fn read_payments(&mut self, world: &World, paid: u64) {
        let is_payment = |event: &EthEvent| {
            use RootChainEvent::{ExitFinalized, ExitOmitted};
            matches!(event.event, ExitFinalized { .. } | ExitOmitted { .. })
        };
        self.pay(&events(world, self.paid_seen + 1..=paid, is_payment));
        self.paid_seen = paid;
    }

    pub(super) fn replay(&mut self, world: &World, range: RangeInclusive<u64>) {
        let seen = |event: &EthEvent| {
            event.eth_height.get()
                <= match event.event {
                    RootChainEvent::ExitStarted { .. } => self.starts_seen,
                    RootChainEvent::ExitChallenged { .. } => self.challenges_seen,
                    _ => self.paid_seen,
                }
        };
        let events = events(world, range, seen);
        self.read(events.clone());
        self.pay(&events);
    }

    fn read(&mut self, events: Vec<EthEvent>) {
        let stored = self.stored(&events);
        let mut updates = Vec::new();
        self.exits.on_events(&events, &stored, &mut updates);
        self.store.commit(updates);
    }

    fn pay(&mut self, events: &[EthEvent]) {
        let stored = self.stored(events);
        let paid = self.exits.exiting(events, &stored);
        assert_eq!(paid.unknown, []);
        let positions: Vec<UtxoPos> = paid.exiting.iter().map(|exit| exit.position).collect();
        let facts = self.facts(self.state.unknown(positions.iter().copied()));
        let mut updates = Vec::new();
        let outcome = self.state.exit_utxos(&paid.exiting, &facts, &mut updates);
        let mut updates: Vec<DbUpdate> = updates.into_iter().map(DbUpdate::from).collect();
        self.exits.on_finalized(&outcome, &stored, &mut updates);
        self.exits.on_events(events, &stored, &mut updates);
        self.store.commit(updates);
        self.exits.on_ledger(self.state.blknum(), positions);
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
            let facts = request.keys.iter();
            let facts = facts.map(|key| (*key, self.exit_fact(key.position, key.owner)));
            let facts = facts.collect();
            self.exits.decide(&request, &facts);
        }
    }

    fn exit_fact(&self, position: UtxoPos, owner: plasma_core::wire::Address) -> ExitFact {
        let key = plasma_core::db_update::UtxoKey { owner, position };
        self.store.exit_fact(key)
    }

    pub(super) fn challenge_data(
        &self,
        position: UtxoPos,
    ) -> Result<ChallengeData, ChallengeError> {
        let exit = self.store.exits.get(&position).ok_or(ChallengeError::ExitNotFound)?;
        challenge_data(Some(exit), &self.exit_fact(position, exit.owner), &domain())
    }

    fn facts(&self, positions: impl IntoIterator<Item = UtxoPos>) -> OutputFacts {
        let facts = positions.into_iter();
        facts.filter_map(|position| Some((position, self.store.output(position)?))).collect()
    }
}

fn events(
    world: &World,
    range: RangeInclusive<u64>,
    wanted: impl Fn(&EthEvent) -> bool,
) -> Vec<EthEvent> {
    let in_range = world.log.iter().filter(|event| range.contains(&event.eth_height.get()));
    in_range.filter(|event| wanted(event)).cloned().collect()
}
