//! The ledger of a node behind its actor: [`State`] decides, this commits and answers.
//!
//! It contains no rule. Facts the ledger asks for are read from the store on the actor's own thread.

use crate::core_actor::{Core, CoreActor, CoreHandle, Fatal, Order, Unanswered};
use crate::supervisor::Nursery;
use plasma_core::block_queue::PendingStatus;
use plasma_core::db_update::{BlockHeader, DbUpdate, PendingRecord, Service, StateUpdate, UtxoKey};
use plasma_core::fees::AcceptedFees;
use plasma_core::state::{
    Accepted, Deposit, ExecError, Exiting, ExitsOutcome, RestoreError, Role, State,
};
use plasma_core::wire::{DecodeTxError, EthHeight, RecoveredTx, SignedTx, UtxoPos};
use plasma_store::{Store, StoreError};
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::watch;

/// The ledger cannot be rebuilt from the store.
#[derive(Debug, Error)]
pub enum RestoreStateError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The pending block contradicts its record.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// A stored transaction does not decode.
    #[error("a transaction of the stored pending block does not decode: {0}")]
    Decode(#[from] DecodeTxError),
}

/// The ledger and who is told about its pending block.
#[derive(Debug)]
pub struct Ledger {
    state: State,
    status: watch::Sender<PendingStatus>,
}

impl Core for Ledger {
    fn complete_batch(&self, updates: &mut Vec<DbUpdate>) {
        updates.push(StateUpdate::PutPending(self.state.pending_record()).into());
    }
}

impl Ledger {
    /// The rules, for decisions that combine several of them.
    pub const fn state(&mut self) -> &mut State {
        &mut self.state
    }

    fn publish(&self) {
        let status = PendingStatus {
            tx_count: self.state.pending_tx_count(),
            is_full: self.state.is_full(),
        };
        self.status.send_if_modified(|current| std::mem::replace(current, status) != status);
    }
}

/// Talks to the ledger's actor.
#[derive(Clone, Debug)]
pub struct StateHandle {
    core: CoreHandle<Ledger>,
    status: watch::Receiver<PendingStatus>,
}

/// Starts the ledger's actor from what is on disk.
///
/// # Errors
/// [`RestoreStateError`] when that cannot be read or contradicts itself.
pub fn start_state(
    role: Role,
    store: &Store,
    nursery: &mut Nursery,
) -> Result<StateHandle, RestoreStateError> {
    let state = restore_state(role, store)?;
    let (sender, status) = watch::channel(PendingStatus::default());
    let ledger = Ledger { state, status: sender };
    ledger.publish();
    Ok(StateHandle { core: CoreActor::start("state", ledger, store.clone(), nursery), status })
}

/// Rebuilds the ledger from what is on disk.
///
/// # Errors
/// [`RestoreStateError`] when that cannot be read or contradicts itself.
pub fn restore_state(role: Role, store: &Store) -> Result<State, RestoreStateError> {
    let pending: PendingRecord = store.pending()?.unwrap_or_default();
    let transactions = store.transactions(pending.blknum, 0, pending.tx_count)?;
    let leaves = transactions
        .iter()
        .map(|bytes| SignedTx::decode(bytes).map(|tx| tx.leaf()))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(State::restore(role, pending, &leaves)?)
}

impl StateHandle {
    /// The pending block, now and as it changes.
    pub fn pending(&self) -> watch::Receiver<PendingStatus> {
        self.status.clone()
    }

    /// Lets the ledger decide something of its caller's own; see [`CoreHandle::decide`].
    ///
    /// # Errors
    /// As there.
    pub async fn decide<R: Send + 'static>(
        &self,
        order: Order,
        decide: impl FnOnce(&mut State, &Store) -> Result<(R, Vec<DbUpdate>), Fatal> + Send + 'static,
    ) -> Result<R, Unanswered> {
        let decide = move |ledger: &mut Ledger, store: &Store| {
            let decided = decide(&mut ledger.state, store)?;
            ledger.publish();
            Ok(decided)
        };
        self.core.decide(order, decide).await
    }

    /// Executes transactions in order; later ones see the effects of earlier ones. Each answer stands for itself.
    ///
    /// # Errors
    /// [`Unanswered`]; see there for what may have been done.
    ///
    /// # After a restart
    /// Every transaction that was answered with [`Accepted`] is in the pending block or in a block, at the place it was told.
    pub async fn exec(
        &self,
        transactions: Vec<RecoveredTx>,
        fees: Arc<AcceptedFees>,
    ) -> Result<Vec<Result<Accepted, ExecError>>, Unanswered> {
        self.decide(Order::Pipelined, move |state, store| {
            let unknown: Vec<UtxoKey> = state.unknown_inputs(&transactions).collect();
            let facts = store.input_facts(&unknown)?;
            let mut updates = Vec::with_capacity(transactions.len().saturating_mul(5));
            let results = transactions
                .iter()
                .map(|tx| {
                    let required = fees.required_for(tx);
                    state.exec(tx, &required, &facts, &mut updates)
                })
                .collect();
            Ok((results, wrap(updates)))
        })
        .await
    }

    /// Forms a block of what is pending, if there is anything.
    ///
    /// # Errors
    /// [`Unanswered`]; ask the store for the newest block then.
    pub async fn form_block(&self) -> Result<Option<BlockHeader>, Unanswered> {
        self.decide(Order::AfterAll, |state, _| {
            let mut updates = Vec::new();
            let header = state.form_block(&mut updates);
            Ok((header, wrap(updates)))
        })
        .await
    }

    /// Credits deposits seen up to this height, and remembers the height with them.
    ///
    /// # Errors
    /// [`Unanswered`]; the same range can be handed in again.
    pub async fn deposit(
        &self,
        deposits: Vec<Deposit>,
        up_to: EthHeight,
    ) -> Result<(), Unanswered> {
        self.decide(Order::Pipelined, move |state, store| {
            let positions: Vec<UtxoPos> = state
                .unknown(deposits.iter().map(|deposit| UtxoPos::deposit(deposit.blknum)))
                .collect();
            let facts = store.output_facts(&positions)?;
            let mut updates = Vec::new();
            state.deposit(&deposits, &facts, &mut updates);
            let mut updates = wrap(updates);
            updates.push(DbUpdate::ServiceHeight(Service::Depositor, up_to));
            Ok(((), updates))
        })
        .await
    }

    /// Takes exiting outputs off the ledger. `height` is written with them when the caller's service belongs to the ledger.
    ///
    /// # Errors
    /// [`Unanswered`]; the same exits can be handed in again.
    pub async fn exit_utxos(
        &self,
        exits: Vec<Exiting>,
        height: Option<(Service, EthHeight)>,
    ) -> Result<ExitsOutcome, Unanswered> {
        self.decide(Order::Pipelined, move |state, store| {
            let positions: Vec<UtxoPos> =
                state.unknown(exits.iter().map(|exit| exit.position)).collect();
            let facts = store.output_facts(&positions)?;
            let mut updates = Vec::new();
            let outcome = state.exit_utxos(&exits, &facts, &mut updates);
            let mut updates = wrap(updates);
            updates
                .extend(height.map(|(service, height)| DbUpdate::ServiceHeight(service, height)));
            Ok((outcome, updates))
        })
        .await
    }
}

fn wrap(updates: Vec<StateUpdate>) -> Vec<DbUpdate> {
    updates.into_iter().map(DbUpdate::from).collect()
}
