//! The three state machines that secure funds, behind one actor: ledger, block getter and exit processor.
//!
//! They share an actor because they share commits: a block, the height it completes and the spends it makes known are one batch.
//! It contains no rule; every method is a question to the cores and a lookup in the store. Whatever learns something new leaves it to
//! [`GuardHandle::settle`] to judge exits again, when all of it is on disk.

use crate::exit_facts::{exit_facts, stored_exits, stored_in_flight_exits};
use crate::journal_news::{JournalNews, now_ms};
use crate::status::in_flight_exits;
use plasma_core::block_getter::{
    ApplyError, BlockGetter, BlockGetterConfig, BlockGetterRecord, apply_block,
};
use plasma_core::byzantine::ByzantineEvent;
use plasma_core::db_update::{BlockHeader, ChainFault, DbUpdate, Service, StateUpdate, UtxoKey};
use plasma_core::eth_event_listener::EventBatch;
use plasma_core::eventer::Notification;
use plasma_core::exit_concierge::ExitBoard;
use plasma_core::exit_processor::{ExitHeights, ExitProcessor, ExitProcessorConfig};
use plasma_core::journal::{Journal, JournalBlock, JournalFact};
use plasma_core::root_chain::{EthEvent, RootChainEvent, SubmittedAt};
use plasma_core::state::{Deposit, Exiting, State};
use plasma_core::wire::{Blknum, EthHeight, TypedDataDomain, UtxoPos};
use plasma_node::core_actor::{Core, CoreActor, CoreHandle, Fatal, Order, Unanswered};
use plasma_node::supervisor::Nursery;
use plasma_rpc::watcher::InFlightExitStatus;
use plasma_store::{Store, StoreError};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Notify;

/// The cores, and what they were told since exits were last judged.
pub(crate) struct Guard {
    pub(crate) state: State,
    pub(crate) getter: BlockGetter,
    pub(crate) exits: ExitProcessor,
    touched: Vec<UtxoPos>,
    quarantined: Vec<UtxoKey>,
    board: Arc<ExitBoard>,
    journal: Journal,
    /// What the journal was asked to tell last.
    told: Option<(Arc<Shown>, bool)>,
    /// What was told last, and what it came of.
    shown: Option<(Basis, Arc<Shown>)>,
}

/// While it is the same, so is what is shown: how much exits were learned about, how far the root chain was read, and what is wrong with
/// the blocks.
type Basis = (u64, ExitHeights, Option<ByzantineEvent>);

impl Core for Guard {
    fn complete_batch(&self, updates: &mut Vec<DbUpdate>) {
        updates.push(StateUpdate::PutPending(self.state.pending_record()).into());
    }
}

/// What is wrong, and how far the ledger is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// What is listed.
    pub(crate) shown: Arc<Shown>,
    /// [`ExitProcessor::revision`]: while it stays, so do the proofs of what is wrong with exits.
    pub(crate) revision: u64,
    /// How far the root chain was read when these were made.
    pub(crate) heights: ExitHeights,
    /// Whether nobody should receive or spend on the chain.
    pub(crate) is_unsafe: bool,
    /// The newest block of the ledger, zero when there is none.
    pub(crate) last_applied: Blknum,
    /// All open exits, to be shown. Shared with the guard until it changes them.
    pub(crate) board: Arc<ExitBoard>,
}

/// The long lists of findings. Findings that follow each other share them as long as nothing in them changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Everything that is wrong now, in order of urgency.
    pub(crate) events: Vec<ByzantineEvent>,
    /// In-flight exits that can be paid.
    pub(crate) in_flight_exits: Vec<InFlightExitStatus>,
}

/// What became of an attempt to apply the next block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It is in the ledger.
    Block { blknum: Blknum, tx_count: u32 },
    /// It breaks a rule, or cannot be judged before more deposits are known.
    Refused(Option<ChainFault>),
    /// There is none to apply.
    Nothing,
}

/// Talks to the guard.
#[derive(Clone, Debug)]
pub(crate) struct GuardHandle {
    core: CoreHandle<Guard>,
    news: Arc<Notify>,
    journal: JournalNews,
}

/// Starts the guard around a ledger, with everything else from the store. Nothing of interest happened before `deployed_at`.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn start_guard(
    state: State,
    domain: TypedDataDomain,
    (getter, exits): (BlockGetterConfig, ExitProcessorConfig),
    deployed_at: EthHeight,
    store: &Store,
    journal_news: &JournalNews,
    nursery: &mut Nursery,
) -> Result<GuardHandle, StoreError> {
    let fault = store.fault()?;
    let faulty = fault.as_ref().map(|fault| fault.blknum);
    let synced_height = store.service_height(Service::BlockGetter)?.unwrap_or_default();
    let record = BlockGetterRecord {
        last_applied: state.blknum().previous_child_block(),
        synced_height: synced_height.max(deployed_at.minus(1)),
        fault,
        quarantined_up_to: store.quarantined_up_to()?.unwrap_or_default(),
    };
    let active = store.active_standard_exits()?;
    let guard = Guard {
        getter: BlockGetter::restore(getter, record),
        exits: ExitProcessor::restore(
            exits,
            domain,
            active,
            store.active_in_flight_exits()?,
            state.blknum(),
            faulty,
        ),
        state,
        touched: Vec::new(),
        quarantined: Vec::new(),
        board: Arc::default(),
        journal: Journal::restore(store.journal_record()?),
        told: None,
        shown: None,
    };
    // What was committed just before a restart may not have been told.
    journal_news.raise(guard.journal.head());
    let core = CoreActor::start("guard", guard, store.clone(), nursery);
    Ok(GuardHandle { core, news: Arc::new(Notify::new()), journal: journal_news.clone() })
}

impl GuardHandle {
    /// Asks something of the cores that changes nothing on disk.
    pub(crate) async fn ask<R: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Guard) -> R + Send + 'static,
    ) -> Result<R, Unanswered> {
        self.core.decide(Order::Pipelined, |guard, _| Ok((ask(guard), Vec::new()))).await
    }

    /// Lets the cores decide, when everything before is on disk.
    pub(crate) async fn decide<R: Send + 'static>(
        &self,
        decide: impl FnOnce(&mut Guard, &Store, &mut Vec<DbUpdate>) -> Result<R, Fatal> + Send + 'static,
    ) -> Result<R, Unanswered> {
        let decide = move |guard: &mut Guard, store: &Store| {
            let mut updates = Vec::new();
            let result = decide(guard, store, &mut updates)?;
            if let Some(fault) = guard.getter.fault() {
                guard.exits.on_fault(fault.blknum);
            }
            Ok(((result, guard.journal.head()), updates))
        };
        let decided = self.core.decide(Order::AfterAll, decide).await;
        self.news.notify_one();
        let (result, journal_head) = decided?;
        self.journal.raise(journal_head);
        Ok(result)
    }

    /// Waits until something was decided since the last call.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    /// Judges exits by everything that was learned, and tells what is wrong. What appeared and what was resolved is in the journal when
    /// this returns; not so as long as the heights are not known, for what is still true would be resolved then.
    pub(crate) async fn settle(
        &self,
        heights: ExitHeights,
        are_known: bool,
    ) -> Result<(Findings, Vec<Notification>), Unanswered> {
        let settle = move |guard: &mut Guard, store: &Store| {
            guard.judge(store)?;
            let fault = guard.getter.byzantine_event();
            let is_unsafe = fault.is_some() || guard.exits.is_chain_unsafe(heights);
            let revision = guard.exits.revision();
            let shown = guard.shown((revision, heights, fault));
            let last_applied = guard.getter.last_applied();
            ExitBoard::update(&mut guard.board, &mut guard.exits);
            let board = guard.board.clone();
            let mut updates = Vec::new();
            let told = if are_known { guard.tell(&shown, is_unsafe, &mut updates) } else { vec![] };
            let findings = Findings { shown, revision, heights, is_unsafe, last_applied, board };
            Ok((((findings, told), guard.journal.head()), updates))
        };
        let (told, journal_head) = self.core.decide(Order::AfterAll, settle).await?;
        self.journal.raise(journal_head);
        Ok(told)
    }

    /// Credits deposits.
    pub(crate) async fn on_deposits(&self, batch: EventBatch) -> Result<(), Unanswered> {
        self.decide(move |guard, store, updates| {
            let deposits: Vec<Deposit> = batch.events.iter().filter_map(deposit).collect();
            let positions: Vec<UtxoPos> =
                deposits.iter().map(|deposit| UtxoPos::deposit(deposit.blknum)).collect();
            let unknown: Vec<UtxoPos> = guard.state.unknown(positions.iter().copied()).collect();
            let facts = store.output_facts(&unknown)?;
            let mut written = Vec::new();
            let credited = guard.state.deposit(&deposits, &facts, &mut written);
            let mut credited: BTreeSet<Blknum> = credited.into_iter().collect();
            updates.extend(written.into_iter().map(DbUpdate::from));
            updates.push(batch.height_update());
            // After a reorganisation of the root chain deposits come again, from other blocks.
            let news = batch.events.into_iter().filter(|event| {
                deposit(event).is_some_and(|deposit| credited.remove(&deposit.blknum))
            });
            guard.note_events(news, updates);
            guard.touched.extend(positions);
            Ok(())
        })
        .await
    }

    /// Takes starts or challenges of exits.
    pub(crate) async fn on_exit_events(&self, batch: EventBatch) -> Result<(), Unanswered> {
        self.decide(move |guard, store, updates| {
            let stored = stored_exits(store, &guard.exits.records_needed(&batch.events))?;
            guard.exits.on_events(&batch.events, &stored, updates);
            updates.push(batch.height_update());
            guard.note_events(batch.events, updates);
            Ok(())
        })
        .await
    }

    /// Takes payments of exits, which leave the ledger, and exits that left the queue unpaid.
    pub(crate) async fn on_exits_paid(&self, batch: EventBatch) -> Result<(), Unanswered> {
        self.decide(move |guard, store, updates| {
            guard.judge(store)?;
            let stored = stored_exits(store, &guard.exits.records_needed(&batch.events))?;
            let paid = guard.exits.exiting(&batch.events, &stored);
            for exit_id in &paid.unknown {
                tracing::error!(?exit_id, "an exit was paid whose start was never seen");
            }
            let positions: Vec<UtxoPos> = paid.exiting.iter().map(|exit| exit.position).collect();
            let unknown: Vec<UtxoPos> = guard.state.unknown(positions.iter().copied()).collect();
            let facts = store.output_facts(&unknown)?;
            let mut written = Vec::new();
            let outcome = guard.state.exit_utxos(&paid.exiting, &facts, &mut written);
            updates.extend(written.into_iter().map(DbUpdate::from));
            guard.exits.on_finalized(&outcome, &stored, updates);
            guard.exits.on_events(&batch.events, &stored, updates);
            updates.push(batch.height_update());
            guard.note_events(batch.events, updates);
            guard.touched.extend(positions);
            Ok(())
        })
        .await
    }

    /// Takes events of in-flight exits, payments included; what was paid leaves the ledger.
    pub(crate) async fn on_in_flight_events(&self, batch: EventBatch) -> Result<(), Unanswered> {
        self.decide(move |guard, store, updates| {
            let needed = guard.exits.in_flight_exits_needed(&batch.events);
            let stored = stored_in_flight_exits(store, needed)?;
            guard.exits.on_in_flight_events(&batch.events, &stored, updates);
            updates.push(batch.height_update());
            guard.note_events(batch.events, updates);
            Ok(())
        })
        .await?;
        self.settle_payments().await
    }

    /// Takes what in-flight exits were paid off the ledger, once it is known what they are.
    async fn settle_payments(&self) -> Result<(), Unanswered> {
        self.decide(|guard, store, updates| {
            guard.judge(store)?;
            let due = guard.exits.payments_due();
            if due.is_empty() {
                return Ok(());
            }
            let exiting: Vec<Exiting> =
                due.iter().flat_map(|paid| paid.exiting.iter().copied()).collect();
            let positions: Vec<UtxoPos> = exiting.iter().map(|exit| exit.position).collect();
            let unknown: Vec<UtxoPos> = guard.state.unknown(positions.iter().copied()).collect();
            let facts = store.output_facts(&unknown)?;
            let mut written = Vec::new();
            let outcome = guard.state.exit_utxos(&exiting, &facts, &mut written);
            updates.extend(written.into_iter().map(DbUpdate::from));
            guard.exits.on_paid(&due, &outcome, updates);
            guard.touched.extend(positions);
            Ok(())
        })
        .await
    }

    /// Applies the next block, if it is here and may be.
    pub(crate) async fn apply_next(
        &self,
        sync_height: EthHeight,
        deposits_height: EthHeight,
    ) -> Result<Applied, Unanswered> {
        self.decide(move |guard, store, updates| {
            let Some(block) = guard.getter.next_block(sync_height, deposits_height) else {
                guard.getter.on_synced(sync_height, updates);
                return Ok(Applied::Nothing);
            };
            let unknown: Vec<UtxoKey> = guard.state.unknown_inputs(block.transactions()).collect();
            let facts = store.input_facts(&unknown)?;
            match apply_block(&block, &mut guard.state, &facts) {
                Ok(applied) => {
                    // There is nothing before it, and it is big: this takes it over in place.
                    *updates = applied.updates.into_iter().map(DbUpdate::from).collect();
                    let header = applied.header;
                    guard.note_block(header, updates)?;
                    guard.getter.on_applied(sync_height, updates);
                    guard.touched.extend(applied.spent);
                    Ok(Applied::Block { blknum: header.number, tx_count: header.tx_count })
                }
                Err(ApplyError::Invalid { fault, .. }) => {
                    Ok(Applied::Refused(guard.getter.on_invalid(block, fault, updates)))
                }
                // The ledger closed another block than was verified: memory is wrong.
                Err(error) => Err(Fatal::new(error)),
            }
        })
        .await
    }

    /// Takes one downloaded block into the quarantine; returns which.
    pub(crate) async fn quarantine_next(&self) -> Result<Option<Blknum>, Unanswered> {
        self.decide(|guard, _, updates| {
            let Some(block) = guard.getter.next_quarantined(updates) else {
                return Ok(None);
            };
            guard.quarantined.extend(block.spends);
            Ok(Some(block.blknum))
        })
        .await
    }
}

impl Guard {
    /// Has the journal tell of a block that is about to be committed.
    fn note_block(
        &mut self,
        header: BlockHeader,
        updates: &mut Vec<DbUpdate>,
    ) -> Result<(), Fatal> {
        let BlockHeader { number: blknum, hash, tx_count } = header;
        let unknown = || Fatal::new(format_args!("block {blknum} was applied but not submitted"));
        let at = self.getter.submitted_at(blknum).ok_or_else(unknown)?;
        let SubmittedAt { eth_height, timestamp_s } = at;
        let block = JournalBlock { blknum, hash, tx_count, eth_height, timestamp_s };
        self.journal.append(now_ms(), JournalFact::Block(block), updates);
        Ok(())
    }

    /// Has the journal tell of blocks that a reorganisation of the root chain moved.
    pub(crate) fn note_moved(&mut self, updates: &mut Vec<DbUpdate>) {
        for (blknum, SubmittedAt { eth_height, timestamp_s }) in self.getter.take_moved() {
            let fact = JournalFact::BlockMoved { blknum, eth_height, timestamp_s };
            self.journal.append(now_ms(), fact, updates);
        }
    }

    /// Has the journal tell of events whose effects are about to be committed.
    fn note_events(
        &mut self,
        events: impl IntoIterator<Item = EthEvent>,
        updates: &mut Vec<DbUpdate>,
    ) {
        let now_ms = now_ms();
        for event in events {
            self.journal.append(now_ms, JournalFact::RootChain(Box::new(event)), updates);
        }
    }

    /// Has the journal tell what appeared, what was resolved and whether the chain can be used, if any of it may have changed.
    fn tell(
        &mut self,
        shown: &Arc<Shown>,
        is_unsafe: bool,
        updates: &mut Vec<DbUpdate>,
    ) -> Vec<Notification> {
        let told = self.told.as_ref();
        if told.is_some_and(|(told, was)| Arc::ptr_eq(told, shown) && *was == is_unsafe) {
            return Vec::new();
        }
        self.told = Some((shown.clone(), is_unsafe));
        let status = (is_unsafe, self.getter.last_applied());
        self.journal.on_findings(now_ms(), shown.events.iter().cloned(), status, updates)
    }

    /// What is listed now: looked for only if something may have changed it, and the very same lists if nothing did.
    fn shown(&mut self, basis: Basis) -> Arc<Shown> {
        let known = match self.shown.take() {
            Some((known, shown)) if known == basis => {
                self.shown = Some((known, shown.clone()));
                return shown;
            }
            known => known.map(|(_, shown)| shown),
        };
        let (_, heights, fault) = &basis;
        let events = self.exits.byzantine_events(*heights).into_iter().chain(fault.clone());
        let events = events.collect();
        let news = Shown { events, in_flight_exits: in_flight_exits(&self.exits) };
        let shown = known.filter(|known| **known == news).unwrap_or_else(|| Arc::new(news));
        self.shown = Some((basis, shown.clone()));
        shown
    }

    /// Everything it was told before is on disk.
    fn judge(&mut self, store: &Store) -> Result<(), StoreError> {
        let touched = std::mem::take(&mut self.touched);
        self.exits.on_ledger(self.state.blknum(), touched);
        self.exits.on_quarantined(&std::mem::take(&mut self.quarantined));
        loop {
            let request = self.exits.facts_needed();
            if request.keys.is_empty() {
                return Ok(());
            }
            let facts = exit_facts(store, &request.keys)?;
            self.exits.decide(&request, &facts);
        }
    }
}

fn deposit(event: &EthEvent) -> Option<Deposit> {
    match event.event {
        RootChainEvent::DepositCreated { depositor, blknum, currency, amount } => {
            Some(Deposit { blknum, owner: depositor, currency, amount })
        }
        _ => None,
    }
}
