//! Listens to the root chain for one service: one type, an instance for each line of the table of services.
//!
//! It contains no rule: [`EthEventListener`] says what to read, the [`EventSink`] commits events and height together. A root
//! chain that does not answer, or answers nonsense, is asked again; only a sink that is gone ends the actor.

use crate::core_actor::Unanswered;
use crate::root_chain_coordinator::CoordinatorHandle;
use crate::supervisor::Nursery;
use crate::worker::Worker;
use async_trait::async_trait;
use plasma_core::db_update::Service;
use plasma_core::eth_event_listener::{
    EthEventListener, EthEventListenerConfig, EventBatch, events_of,
};
use plasma_core::wire::EthHeight;
use plasma_eth::RootChain;
use plasma_store::{Store, StoreError};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// Pause before an owner that is busy is handed the same batch again.
const BUSY_PAUSE_MS: u64 = 50;

/// The owner of a service's height and of what its events change.
#[async_trait]
pub trait EventSink: Send + Sync + 'static {
    /// Commits the effects of all events of the batch, and the batch's height, in one durable batch.
    ///
    /// # Errors
    /// [`Unanswered`]: the same batch is handed in again, now or after a restart.
    async fn commit(&self, batch: EventBatch) -> Result<(), Unanswered>;
}

struct Listening {
    listener: EthEventListener,
    root_chain: Arc<dyn RootChain>,
    coordinator: CoordinatorHandle,
    sink: Arc<dyn EventSink>,
    tick_ms: u64,
}

/// What all listeners of a node have in common.
pub struct Listeners<'a> {
    /// Where to read.
    pub root_chain: Arc<dyn RootChain>,
    /// How far to read.
    pub coordinator: CoordinatorHandle,
    /// Where the heights are that were reached.
    pub store: &'a Store,
    /// The block that deployed the contracts: nothing of interest happened before.
    pub deployed_at: EthHeight,
    /// Limits of one step.
    pub config: EthEventListenerConfig,
    /// Pause before the root chain is asked again when nothing changed.
    pub tick_ms: u64,
}

impl Listeners<'_> {
    /// Starts the listener of a service where it left off.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn start(
        &self,
        service: Service,
        sink: Arc<dyn EventSink>,
        nursery: &mut Nursery,
    ) -> Result<(), StoreError> {
        let stored = self.store.service_height(service)?;
        let listening = Listening {
            listener: EthEventListener::restore(service, self.config, stored, self.deployed_at),
            root_chain: self.root_chain.clone(),
            coordinator: self.coordinator.clone(),
            sink,
            tick_ms: self.tick_ms,
        };
        Worker::start(service.name(), nursery, listening.run());
        Ok(())
    }
}

impl Listening {
    async fn run(mut self) -> Result<Infallible, Unanswered> {
        let service = self.listener.service();
        loop {
            let synced_height = self.listener.synced_height();
            let guide = self.coordinator.check_in(service, synced_height).await?;
            self.listener.on_guide(guide);
            while let Some(range) = self.listener.next_range() {
                let Some(batch) = self.read(*range.start(), *range.end()).await else {
                    break;
                };
                self.commit(batch).await?;
            }
            if self.listener.synced_height() == synced_height {
                let tick = Duration::from_millis(self.tick_ms);
                if let Ok(changed) = tokio::time::timeout(tick, self.coordinator.changed()).await {
                    changed?;
                }
            }
        }
    }

    async fn read(&mut self, from: EthHeight, to: EthHeight) -> Option<EventBatch> {
        let service = self.listener.service();
        match self.root_chain.events(events_of(service), from, to).await {
            Ok(events) => match self.listener.on_events(&(from..=to), events) {
                Ok(batch) => return batch,
                Err(error) => tracing::warn!(service = service.name(), %error, "wrong answer"),
            },
            Err(error) => {
                tracing::warn!(service = service.name(), %from, %to, %error, "events not read");
            }
        }
        // Without a pause an error that comes at once would be asked for in a busy loop.
        tokio::time::sleep(Duration::from_millis(self.tick_ms)).await;
        None
    }

    async fn commit(&mut self, batch: EventBatch) -> Result<(), Unanswered> {
        let synced_height = batch.synced_height;
        loop {
            match self.sink.commit(batch.clone()).await {
                Ok(()) => break,
                Err(Unanswered::Overloaded) => {
                    tokio::time::sleep(Duration::from_millis(BUSY_PAUSE_MS)).await;
                }
                Err(gone @ Unanswered::Restarting) => return Err(gone),
            }
        }
        self.listener.on_committed(synced_height);
        Ok(())
    }
}
