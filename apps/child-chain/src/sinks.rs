//! What root chain events do to the operator's ledger: deposits come in, exiting outputs leave (protocol 3.5).
//!
//! A transaction that was accepted before stays. Effects and the height up to which events were read are one batch.

use async_trait::async_trait;
use plasma_core::db_update::{DbUpdate, InFlightRecord, TxPos};
use plasma_core::eth_event_listener::EventBatch;
use plasma_core::root_chain::{EthEvent, RootChainEvent};
use plasma_core::state::{Deposit, Exiting, ExitsOutcome, InFlightExits, State};
use plasma_core::wire::{SignedTx, TxHash, UtxoPos};
use plasma_node::core_actor::{Fatal, Order, Unanswered};
use plasma_node::eth_event_listener::EventSink;
use plasma_node::state::StateHandle;
use plasma_store::Store;
use std::collections::{BTreeMap, BTreeSet};

/// Credits deposits.
pub(crate) struct DepositSink(pub(crate) StateHandle);

/// Takes exiting outputs off the ledger.
pub(crate) struct ExitSink(pub(crate) StateHandle);

/// Takes inputs and piggybacked outputs of in-flight exits off the ledger.
pub(crate) struct InFlightExitSink(pub(crate) StateHandle);

#[async_trait]
impl EventSink for DepositSink {
    async fn commit(&self, batch: EventBatch) -> Result<(), Unanswered> {
        let up_to = batch.synced_height;
        let deposits = batch.events.into_iter().filter_map(|event| match event.event {
            RootChainEvent::DepositCreated { depositor, blknum, currency, amount } => {
                Some(Deposit { blknum, owner: depositor, currency, amount })
            }
            _ => None,
        });
        self.0.deposit(deposits.collect(), up_to).await
    }
}

#[async_trait]
impl EventSink for ExitSink {
    async fn commit(&self, batch: EventBatch) -> Result<(), Unanswered> {
        let height = (batch.service, batch.synced_height);
        let exits = batch.events.into_iter().filter_map(|event| match event.event {
            RootChainEvent::ExitStarted { exit_id, position, .. } => {
                Some(Exiting { position, exit_id })
            }
            _ => None,
        });
        let outcome = self.0.exit_utxos(exits.collect(), Some(height)).await?;
        for exit in outcome.invalid {
            tracing::warn!(position = %exit.position, "an exit of an output that is not there");
        }
        Ok(())
    }
}

#[async_trait]
impl EventSink for InFlightExitSink {
    async fn commit(&self, batch: EventBatch) -> Result<(), Unanswered> {
        let decide = move |state: &mut State, store: &Store| {
            let (outcome, mut updates) = take_in_flight(state, store, &batch.events)?;
            updates.push(batch.height_update());
            Ok((outcome, updates))
        };
        // What was decided before is looked up in the store: starts of exits, and the transactions of the pending block.
        let outcome = self.0.decide(Order::AfterAll, decide).await?;
        for Exiting { position, exit_id } in outcome.invalid {
            tracing::warn!(%position, %exit_id, "an in-flight exit of an output that is not there");
        }
        Ok(())
    }
}

fn take_in_flight(
    state: &mut State,
    store: &Store,
    events: &[EthEvent],
) -> Result<(ExitsOutcome, Vec<DbUpdate>), Fatal> {
    let needed = InFlightExits::records_needed(events).into_iter();
    let stored: Vec<InFlightRecord> = needed
        .filter_map(|exit_id| store.in_flight_record(exit_id).transpose())
        .collect::<Result<_, _>>()?;
    let exits = InFlightExits::new(events, &stored);

    let inputs = exits.inputs();
    let unknown: Vec<UtxoPos> = state.unknown(inputs.iter().copied()).collect();
    let facts = store.output_facts(&unknown)?;
    let hashes = stored_hashes(store, &state.spending_txs(&inputs, &facts))?;
    let exiting = exits.exiting(state, &facts, &hashes);

    let positions = exiting.iter().map(|exit| exit.position);
    let unknown: Vec<UtxoPos> = state.unknown(positions).collect();
    let facts = store.output_facts(&unknown)?;
    let mut updates = exits.updates().collect();
    let outcome = state.exit_utxos(&exiting, &facts, &mut updates);
    Ok((outcome, updates.into_iter().map(DbUpdate::from).collect()))
}

/// What the transactions at these places are. Whatever spent something is in the store.
fn stored_hashes(
    store: &Store,
    places: &BTreeSet<TxPos>,
) -> Result<BTreeMap<TxPos, TxHash>, Fatal> {
    let hash = |at: &TxPos| {
        let missing = || Fatal::new(format!("what spent an output is not in the store: {at:?}"));
        let bytes = store.transaction(*at)?.ok_or_else(missing)?;
        Ok((*at, SignedTx::decode(&bytes).map_err(Fatal::new)?.hash()))
    };
    places.iter().map(hash).collect()
}
