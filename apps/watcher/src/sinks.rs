//! What root chain events do to a watcher: deposits come in, exits start, are challenged, and are paid.

use crate::guard::GuardHandle;
use async_trait::async_trait;
use plasma_core::eth_event_listener::EventBatch;
use plasma_node::core_actor::Unanswered;
use plasma_node::eth_event_listener::EventSink;

/// Credits deposits.
pub(crate) struct DepositSink(pub(crate) GuardHandle);
/// Takes starts and challenges of exits.
pub(crate) struct ExitSink(pub(crate) GuardHandle);
/// Takes everything that happens to in-flight exits.
pub(crate) struct InFlightExitSink(pub(crate) GuardHandle);
/// Takes payments of exits, and that one left the queue unpaid.
pub(crate) struct PaidExitSink(pub(crate) GuardHandle);

#[async_trait]
impl EventSink for DepositSink {
    async fn commit(&self, batch: EventBatch) -> Result<(), Unanswered> {
        self.0.on_deposits(batch).await
    }
}

#[async_trait]
impl EventSink for ExitSink {
    async fn commit(&self, batch: EventBatch) -> Result<(), Unanswered> {
        self.0.on_exit_events(batch).await
    }
}

#[async_trait]
impl EventSink for InFlightExitSink {
    async fn commit(&self, batch: EventBatch) -> Result<(), Unanswered> {
        self.0.on_in_flight_events(batch).await
    }
}

#[async_trait]
impl EventSink for PaidExitSink {
    async fn commit(&self, batch: EventBatch) -> Result<(), Unanswered> {
        self.0.on_exits_paid(batch).await
    }
}
