//! What subscribers are told: the journal and the index of transfers, rendered as documented.
//!
//! It must never tell anything that is not on disk, and keeps nothing itself: an event is read from the store whenever somebody asks,
//! however old it is.

use crate::journal_news::JournalNews;
use plasma_core::db_update::TxPos;
use plasma_core::journal::{JournalBlock, JournalEntry, JournalFact, Topic};
use plasma_core::root_chain::{RootChainEvent, SubmittedAt};
use plasma_core::transfers::Transfer;
use plasma_core::wire::{Blknum, OutputIndex, SignedTx, Transaction, UtxoPos};
use plasma_rpc::server::{Event, EventLog, EventLogError};
use plasma_rpc::subscription::{
    BlockEvent, ConditionEvent, DepositEvent, ExitEventData, StatusEvent, TransferEvent,
    TransferOutput, TransferType,
};
use plasma_store::{Store, StoreError};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::watch;

/// Most events that are read at once, whatever is asked for.
const READ_EVENTS_MAX: usize = 1_000;

/// The events of a watcher.
#[derive(Clone, Debug)]
pub struct StoredEvents {
    store: Store,
    news: JournalNews,
}

impl StoredEvents {
    /// Events of this store, of which this tells.
    pub const fn new(store: Store, news: JournalNews) -> Self {
        Self { store, news }
    }

    fn transfers(
        &self,
        topic: &Topic,
        after: u64,
        max: usize,
    ) -> Result<Option<Vec<Event>>, EventLogError> {
        let Topic::Transfer(account) = topic else {
            return Ok(None);
        };
        let transfers = self.store.transfers_after(*account, after, max).map_err(failed)?;
        let events = transfers.into_iter().map(|(sequence, transfer)| {
            let entry = self.store.journal_entry(transfer.journal).map_err(failed)?;
            let at_ms = entry.ok_or_else(|| damaged("a transfer is not in the journal"))?.at_ms;
            Ok(Event { sequence, at_ms, data: rendered(&self.transfer(transfer)?)? })
        });
        events.collect::<Result<_, _>>().map(Some)
    }

    fn transfer(&self, transfer: Transfer) -> Result<TransferEvent, EventLogError> {
        let TxPos { blknum, txindex } = transfer.at;
        let bytes = self.store.transaction(transfer.at).map_err(failed)?;
        let bytes = bytes.ok_or_else(|| damaged("a transfer has no transaction"))?;
        let signed = SignedTx::decode(&bytes);
        let signed = signed.map_err(|_| damaged("a transaction does not decode"))?;
        let tx = signed.transaction();
        let spent: Vec<UtxoPos> = tx.spent_positions().collect();
        let made = self.store.outputs_at(&spent).map_err(failed)?;
        let inputs = spent.into_iter().zip(made);
        let inputs = inputs
            .filter_map(|(position, output)| Some(TransferOutput::new(position, &output?)))
            .collect();
        let outputs = tx.outputs().iter().zip(0..).map(|(output, oindex)| {
            TransferOutput::new(UtxoPos::new(blknum, txindex, OutputIndex::new(oindex)), output)
        });
        let outputs = outputs.collect();
        let (transfer_type, metadata) = match tx {
            _ if blknum.is_deposit() => (TransferType::Deposit, None),
            Transaction::Payment(payment) => (TransferType::Payment, Some(payment.metadata)),
            Transaction::FeeClaim(_) => (TransferType::Fee, None),
        };
        let txhash = (!blknum.is_deposit()).then(|| signed.hash());
        Ok(TransferEvent { transfer_type, txhash, blknum, txindex, inputs, outputs, metadata })
    }

    fn data(&self, entry: &JournalEntry) -> Result<Box<RawValue>, EventLogError> {
        match &entry.fact {
            JournalFact::Block(block) => {
                // A reorganisation of the root chain may have moved it since.
                let at = self.store.submitted_at(block.blknum).map_err(failed)?;
                let SubmittedAt { eth_height, timestamp_s } = at.unwrap_or(SubmittedAt {
                    eth_height: block.eth_height,
                    timestamp_s: block.timestamp_s,
                });
                rendered(&BlockEvent::from(&JournalBlock { eth_height, timestamp_s, ..*block }))
            }
            JournalFact::Byzantine { change, event } => {
                let event = ConditionEvent { change: (*change).into(), event: (&**event).into() };
                rendered(&event)
            }
            JournalFact::Status { is_unsafe, byzantine_events, last_validated } => {
                rendered(&StatusEvent {
                    is_safe: !is_unsafe,
                    byzantine_events: *byzantine_events,
                    last_validated_child_block_number: *last_validated,
                })
            }
            JournalFact::RootChain(event) => match event.event {
                RootChainEvent::DepositCreated { depositor, blknum, currency, amount } => {
                    rendered(&DepositEvent {
                        root_chain_txhash: event.root_chain_txhash,
                        log_index: event.log_index,
                        eth_height: event.eth_height,
                        owner: depositor,
                        currency,
                        amount,
                        blknum,
                        utxo_pos: UtxoPos::deposit(blknum),
                    })
                }
                _ => {
                    let exit_of = |position| {
                        let exit = self.store.standard_exit(position).map_err(failed)?;
                        Ok(exit.map(|exit| exit.exit_id))
                    };
                    let told = ExitEventData::new(event, exit_of)?;
                    rendered(&told.ok_or_else(|| damaged("an event is in a wrong topic"))?)
                }
            },
            JournalFact::BlockMoved { .. } => Err(damaged("an entry is in a wrong topic")),
        }
    }
}

impl EventLog for StoredEvents {
    fn read(&self, topic: &Topic, after: u64, max: usize) -> Result<Vec<Event>, EventLogError> {
        let max = max.min(READ_EVENTS_MAX);
        if let Some(transfers) = self.transfers(topic, after, max)? {
            return Ok(transfers);
        }
        let entries = self.store.topic_after(*topic, after, max).map_err(failed)?;
        let events = entries.into_iter().map(|(sequence, entry)| {
            Ok(Event { sequence, at_ms: entry.at_ms, data: self.data(&entry)? })
        });
        events.collect()
    }

    fn head(&self, topic: &Topic) -> Result<u64, EventLogError> {
        self.store.topic_head(*topic).map_err(failed)
    }

    fn before_block(&self, topic: &Topic, blknum: Blknum) -> Result<u64, EventLogError> {
        self.store.topic_before_block(*topic, blknum).map_err(failed)
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.news.events()
    }
}

fn rendered(data: &impl Serialize) -> Result<Box<RawValue>, EventLogError> {
    serde_json::value::to_raw_value(data)
        .map_err(|error| EventLogError::Permanent(error.to_string()))
}

fn failed(error: StoreError) -> EventLogError {
    match error {
        StoreError::Io { .. } => EventLogError::Transient(error.to_string()),
        error => EventLogError::Permanent(error.to_string()),
    }
}

fn damaged(what: &str) -> EventLogError {
    EventLogError::Permanent(format!("{what}: the store is damaged"))
}
