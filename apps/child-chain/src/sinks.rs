//! What root chain events do to the operator's ledger: deposits come in, exiting outputs leave (protocol 3.5).

use async_trait::async_trait;
use plasma_core::eth_event_listener::EventBatch;
use plasma_core::root_chain::RootChainEvent;
use plasma_core::state::{Deposit, Exiting};
use plasma_node::core_actor::Unanswered;
use plasma_node::eth_event_listener::EventSink;
use plasma_node::state::StateHandle;

/// Credits deposits.
pub(crate) struct DepositSink(pub(crate) StateHandle);

/// Takes exiting outputs off the ledger.
pub(crate) struct ExitSink(pub(crate) StateHandle);

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
