//! The one way to write: a batch of updates, all of them or none, on disk before it returns.

use crate::columns::Column;
use crate::error::StoreError;
use crate::read::{
    EXITS_INDEXED_KEY, FAULT_KEY, NONCE_OFFSET_KEY, PENDING_KEY, QUARANTINED_UP_TO_KEY, SPENT_KEY,
    height_key,
};
use crate::store::{Store, durable};
use crate::{keys, records};
use plasma_core::db_update::{
    BlockGetterUpdate, BlockQueueUpdate, DbUpdate, JournalUpdate, SentinelUpdate, Spender,
    StateUpdate, TxPos, Utxo, UtxoKey,
};
use plasma_core::exit_concierge::ExitCase;
use plasma_core::exit_processor::{ExitProcessorUpdate, InFlightExit, StandardExit};
use plasma_core::journal::{JournalFact, NumberedEntry};
use plasma_core::root_chain::{RootChainEvent, SubmittedAt};
use plasma_core::wire::{Blknum, UtxoPos};
use rocksdb::{ColumnFamily, WriteBatch};

/// Bytes an update takes in a batch, roughly: saves the batch from growing step by step.
const UPDATE_LEN_ESTIMATE: usize = 128;

impl Store {
    /// Writes a batch atomically and durably. Later updates of the same key win.
    ///
    /// # Errors
    /// [`StoreError::Io`]: nothing of the batch may be relied on, and memory that is ahead of the disk is wrong.
    ///
    /// # After a restart
    /// When this returned, all of the batch is there. When it did not, all or nothing is.
    pub fn commit(&self, updates: &[DbUpdate]) -> Result<(), StoreError> {
        let mut batch = Batch::new(self, updates.len())?;
        for update in updates {
            match update {
                DbUpdate::State(update) => batch.state(update),
                DbUpdate::ExitProcessor(update) => batch.exit_processor(update),
                DbUpdate::BlockGetter(update) => batch.block_getter(update),
                DbUpdate::BlockQueue(BlockQueueUpdate::PutNonceOffset(offset)) => {
                    batch.meta(NONCE_OFFSET_KEY, |value| {
                        records::encode_u64(offset.cast_unsigned(), value)
                    });
                }
                DbUpdate::Sentinel(update) => batch.sentinel(update),
                DbUpdate::Journal(update) => batch.journal_update(update),
                DbUpdate::ServiceHeight(service, height) => {
                    batch.meta(height_key(*service).as_bytes(), |value| {
                        records::encode_u64(height.get(), value)
                    });
                }
            }
        }
        batch.sorted();
        self.db().write_opt(batch.batch, &durable()).map_err(StoreError::io("write to"))
    }
}

impl Store {
    /// Makes the index of exits by account in a store from before there was one: once, for all exits it holds.
    pub(crate) fn index_exits(&self) -> Result<(), StoreError> {
        if self.get(Column::Meta, EXITS_INDEXED_KEY)?.is_some() {
            return Ok(());
        }
        let mut batch = Batch::new(self, 1)?;
        for exit in self.all_standard_exits()? {
            batch.index(&ExitCase::of_standard(&exit));
        }
        let in_flight = self.all_in_flight_exits()?;
        for case in in_flight.iter().filter_map(ExitCase::of_in_flight) {
            batch.index(&case);
        }
        batch.meta(EXITS_INDEXED_KEY, |value| records::encode_u64(1, value));
        self.db().write_opt(batch.batch, &durable()).map_err(StoreError::io("write to"))
    }
}

/// A batch in the making, with the columns looked up once and one buffer for all values.
///
/// Outputs are held back and written in the order of their keys ([`Batch::sorted`]): RocksDB keeps recent writes in a sorted list, and
/// finds the place of a key from that of the key before. Keys all over the place were half of the cost of a commit.
struct Batch<'a> {
    batch: WriteBatch,
    value: Vec<u8>,
    /// What becomes of outputs, oldest update first; `None`: they are gone.
    outputs: Vec<(UtxoKey, Option<&'a Utxo>)>,
    /// How outputs left, oldest update first.
    spenders: Vec<(UtxoPos, Spender)>,
    meta: &'a ColumnFamily,
    utxos: &'a ColumnFamily,
    spends: &'a ColumnFamily,
    transactions: &'a ColumnFamily,
    blocks: &'a ColumnFamily,
    block_hashes: &'a ColumnFamily,
    standard_exits: &'a ColumnFamily,
    standard_exit_ids: &'a ColumnFamily,
    active_exits: &'a ColumnFamily,
    exits_by_account: &'a ColumnFamily,
    in_flight_records: &'a ColumnFamily,
    in_flight_exits: &'a ColumnFamily,
    active_in_flight_exits: &'a ColumnFamily,
    in_flight_spends: &'a ColumnFamily,
    quarantined_spends: &'a ColumnFamily,
    sentinel_nonces: &'a ColumnFamily,
    sentinel_duties: &'a ColumnFamily,
    journal: &'a ColumnFamily,
    journal_topics: &'a ColumnFamily,
    journal_blknums: &'a ColumnFamily,
    journal_open: &'a ColumnFamily,
    submissions: &'a ColumnFamily,
}

impl<'a> Batch<'a> {
    fn new(store: &'a Store, updates: usize) -> Result<Self, StoreError> {
        Ok(Self {
            batch: WriteBatch::with_capacity_bytes(updates.saturating_mul(UPDATE_LEN_ESTIMATE)),
            value: Vec::with_capacity(UPDATE_LEN_ESTIMATE),
            outputs: Vec::new(),
            spenders: Vec::new(),
            meta: store.column(Column::Meta)?,
            utxos: store.column(Column::Utxos)?,
            spends: store.column(Column::Spends)?,
            transactions: store.column(Column::Transactions)?,
            blocks: store.column(Column::Blocks)?,
            block_hashes: store.column(Column::BlockHashes)?,
            standard_exits: store.column(Column::StandardExits)?,
            standard_exit_ids: store.column(Column::StandardExitIds)?,
            active_exits: store.column(Column::ActiveExits)?,
            exits_by_account: store.column(Column::ExitsByAccount)?,
            in_flight_records: store.column(Column::InFlightRecords)?,
            in_flight_exits: store.column(Column::InFlightExits)?,
            active_in_flight_exits: store.column(Column::ActiveInFlightExits)?,
            in_flight_spends: store.column(Column::InFlightSpends)?,
            quarantined_spends: store.column(Column::QuarantinedSpends)?,
            sentinel_nonces: store.column(Column::SentinelNonces)?,
            sentinel_duties: store.column(Column::SentinelDuties)?,
            journal: store.column(Column::Journal)?,
            journal_topics: store.column(Column::JournalTopics)?,
            journal_blknums: store.column(Column::JournalBlknums)?,
            journal_open: store.column(Column::JournalOpen)?,
            submissions: store.column(Column::Submissions)?,
        })
    }

    fn put(&mut self, column: &'a ColumnFamily, key: &[u8], encode: impl FnOnce(&mut Vec<u8>)) {
        self.value.clear();
        encode(&mut self.value);
        self.batch.put_cf(column, key, &self.value);
    }

    fn meta(&mut self, key: &[u8], encode: impl FnOnce(&mut Vec<u8>)) {
        self.put(self.meta, key, encode);
    }

    /// Writes what was held back. Sorting is stable, so of several updates of one key the last one counts: it is the only one written.
    fn sorted(&mut self) {
        let mut outputs = std::mem::take(&mut self.outputs);
        outputs.sort_by_key(|(key, _)| *key);
        for (key, utxo) in last_of_each(&outputs) {
            let key = keys::utxo(*key);
            match utxo {
                Some(utxo) => self.put(self.utxos, &key, |value| records::encode_utxo(utxo, value)),
                None => self.batch.delete_cf(self.utxos, key),
            }
        }
        let mut spenders = std::mem::take(&mut self.spenders);
        spenders.sort_by_key(|(position, _)| *position);
        for (position, spender) in last_of_each(&spenders) {
            let key = keys::position(*position);
            self.put(self.spends, &key, |value| records::encode_spender(*spender, value));
        }
    }

    fn state(&mut self, update: &'a StateUpdate) {
        match update {
            StateUpdate::PutUtxo(key, utxo) => self.outputs.push((*key, Some(utxo))),
            StateUpdate::DeleteUtxo(key) => self.outputs.push((*key, None)),
            StateUpdate::PutSpend(position, spender) => self.spenders.push((*position, *spender)),
            StateUpdate::PutTransaction(blknum, txindex, bytes) => {
                let key = keys::tx_pos(TxPos { blknum: *blknum, txindex: *txindex });
                self.batch.put_cf(self.transactions, key, bytes);
            }
            StateUpdate::PutBlock(header, roots) => {
                let key = keys::blknum(header.number);
                self.put(self.blocks, &key, |value| records::encode_block(header, roots, value));
                self.batch.put_cf(
                    self.block_hashes,
                    keys::block_hash(header.hash, header.number),
                    [],
                );
            }
            StateUpdate::PutPending(pending) => {
                self.meta(PENDING_KEY, |value| records::encode_pending(pending, value));
            }
            StateUpdate::PutInFlightRecord(record) => {
                self.put(self.in_flight_records, record.exit_id.as_bytes(), |value| {
                    records::encode_in_flight_record(record, value);
                });
            }
        }
    }

    fn exit_processor(&mut self, update: &ExitProcessorUpdate) {
        match update {
            ExitProcessorUpdate::PutStandardExit(exit) => self.standard_exit(exit),
            ExitProcessorUpdate::PutInFlightExit(exit) => self.in_flight_exit(exit),
            ExitProcessorUpdate::PutInFlightSpend(key, source, bytes) => {
                let key = keys::in_flight_spend(*key, *source);
                self.batch.put_cf(self.in_flight_spends, key, bytes);
            }
            ExitProcessorUpdate::DeleteInFlightSpend(key, source) => {
                let key = keys::in_flight_spend(*key, *source);
                self.batch.delete_cf(self.in_flight_spends, key);
            }
        }
    }

    fn standard_exit(&mut self, exit: &StandardExit) {
        let key = keys::position(exit.position);
        self.put(self.standard_exits, &key, |value| records::encode_standard_exit(exit, value));
        self.batch.put_cf(self.standard_exit_ids, exit.exit_id.as_bytes(), key);
        if exit.phase.is_active() {
            self.batch.put_cf(self.active_exits, key, []);
        } else {
            self.batch.delete_cf(self.active_exits, key);
        }
        self.index(&ExitCase::of_standard(exit));
    }

    fn in_flight_exit(&mut self, exit: &InFlightExit) {
        let key = exit.exit_id.as_bytes();
        self.put(self.in_flight_exits, key, |value| records::encode_in_flight_exit(exit, value));
        if exit.is_active() {
            self.batch.put_cf(self.active_in_flight_exits, key, []);
        } else {
            self.batch.delete_cf(self.active_in_flight_exits, key);
        }
        if let Some(case) = ExitCase::of_in_flight(exit) {
            self.index(&case);
        }
    }

    /// Whoever an exit ever concerned finds it again.
    fn index(&mut self, case: &ExitCase) {
        for account in case.accounts() {
            let key = keys::account_exit(account, case.exit_id());
            self.batch.put_cf(self.exits_by_account, key, []);
        }
    }

    fn block_getter(&mut self, update: &BlockGetterUpdate) {
        match update {
            BlockGetterUpdate::PutFault(fault) => {
                self.meta(FAULT_KEY, |value| records::encode_fault(fault, value));
            }
            BlockGetterUpdate::PutQuarantinedSpend(key, tx_hash, bytes) => {
                let key = keys::quarantined_spend(*key, *tx_hash);
                self.batch.put_cf(self.quarantined_spends, key, bytes);
            }
            BlockGetterUpdate::PutQuarantinedUpTo(blknum) => {
                self.meta(QUARANTINED_UP_TO_KEY, |value| records::encode_u64(blknum.get(), value));
            }
        }
    }

    fn sentinel(&mut self, update: &SentinelUpdate) {
        match update {
            SentinelUpdate::PutNonce(record) => {
                let key = keys::nonce(record.account, record.nonce);
                self.put(self.sentinel_nonces, &key, |value| records::encode_nonce(record, value));
            }
            SentinelUpdate::DeleteNonce { account, nonce } => {
                self.batch.delete_cf(self.sentinel_nonces, keys::nonce(*account, *nonce));
            }
            SentinelUpdate::PutDuty(record) => {
                let key = keys::duty(record.id);
                self.put(self.sentinel_duties, &key, |value| records::encode_duty(record, value));
            }
            SentinelUpdate::DeleteDuty(id) => {
                self.batch.delete_cf(self.sentinel_duties, keys::duty(*id));
            }
            SentinelUpdate::PutSpent { day, wei } => {
                self.meta(SPENT_KEY, |value| records::encode_spent(*day, *wei, value));
            }
        }
    }

    fn journal_update(&mut self, update: &JournalUpdate) {
        match update {
            JournalUpdate::Append(numbered) => self.append(numbered),
            JournalUpdate::PutOpen(number) => {
                self.batch.put_cf(self.journal_open, number.to_be_bytes(), []);
            }
            JournalUpdate::DeleteOpen(number) => {
                self.batch.delete_cf(self.journal_open, number.to_be_bytes());
            }
        }
    }

    fn append(&mut self, numbered: &NumberedEntry) {
        let NumberedEntry { seq, topic, entry } = numbered;
        self.put(self.journal, &keys::journal(*seq), |value| {
            records::encode_journal_entry(entry, value);
        });
        if let Some((submitted, blknum)) = submission(&entry.fact) {
            self.put(self.submissions, &keys::blknum(blknum), |value| {
                records::encode_submitted_at(submitted, value);
            });
        }
        let Some((topic, number)) =
            topic.and_then(|(topic, number)| keys::topic_byte(topic).map(|topic| (topic, number)))
        else {
            return;
        };
        self.batch.put_cf(self.journal_topics, keys::topic(topic, number), keys::journal(*seq));
        if let Some(blknum) = blknum_of(&entry.fact) {
            self.put(self.journal_blknums, &keys::topic(topic, blknum.get()), |value| {
                records::encode_numbers(number, *seq, value);
            });
        }
    }
}

/// Where a block is submitted according to this entry.
const fn submission(fact: &JournalFact) -> Option<(SubmittedAt, Blknum)> {
    let (blknum, eth_height, timestamp_s) = match fact {
        JournalFact::Block(block) => (block.blknum, block.eth_height, block.timestamp_s),
        JournalFact::BlockMoved { blknum, eth_height, timestamp_s } => {
            (*blknum, *eth_height, *timestamp_s)
        }
        _ => return None,
    };
    Some((SubmittedAt { eth_height, timestamp_s }, blknum))
}

/// The block or deposit that is first told in this entry.
const fn blknum_of(fact: &JournalFact) -> Option<Blknum> {
    match fact {
        JournalFact::Block(block) => Some(block.blknum),
        JournalFact::RootChain(event) => match event.event {
            RootChainEvent::DepositCreated { blknum, .. } => Some(blknum),
            _ => None,
        },
        _ => None,
    }
}

/// The newest update of each key, of updates sorted by key.
fn last_of_each<K: PartialEq, V>(updates: &[(K, V)]) -> impl Iterator<Item = &(K, V)> {
    updates.chunk_by(|(one, _), (next, _)| one == next).filter_map(<[_]>::last)
}
