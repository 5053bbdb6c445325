//! A store in memory, as simple as it can be: it holds what was committed, and answers for all of it.

use plasma_core::db_update::{
    BlockGetterUpdate, BlockHeader, ChainFault, DbUpdate, ExitProcessorUpdate, PendingRecord,
    Service, Spender, StateUpdate, Utxo, UtxoKey,
};
use plasma_core::exit_processor::{
    ExitFact, IN_FLIGHT_SPENDS_MAX, InFlightExit, QUARANTINED_SPENDS_MAX, SpendSource, StandardExit,
};
use plasma_core::state::OutputFact;
use plasma_core::wire::{Address, Blknum, EthHeight, ExitId, TxHash, TxIndex, UtxoPos};
use std::collections::BTreeMap;

#[derive(Default)]
pub(crate) struct Store {
    utxos: BTreeMap<UtxoPos, (Address, Utxo)>,
    spends: BTreeMap<UtxoPos, Spender>,
    transactions: BTreeMap<(Blknum, TxIndex), Box<[u8]>>,
    pub(crate) blocks: BTreeMap<Blknum, BlockHeader>,
    pub(crate) pending: PendingRecord,
    pub(crate) exits: BTreeMap<UtxoPos, StandardExit>,
    pub(crate) in_flight: BTreeMap<ExitId, InFlightExit>,
    pub(crate) in_flight_spends: BTreeMap<(UtxoKey, SpendSource), Box<[u8]>>,
    pub(crate) fault: Option<ChainFault>,
    pub(crate) quarantined: BTreeMap<(UtxoKey, TxHash), Box<[u8]>>,
    pub(crate) quarantined_up_to: Blknum,
    pub(crate) getter_height: EthHeight,
    pub(crate) heights_never_fell: bool,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self { heights_never_fell: true, ..Self::default() }
    }

    pub(crate) fn commit(&mut self, updates: Vec<DbUpdate>) {
        for update in updates {
            match update {
                DbUpdate::State(update) => self.commit_state(update),
                DbUpdate::ExitProcessor(ExitProcessorUpdate::PutStandardExit(exit)) => {
                    self.exits.insert(exit.position, *exit);
                }
                DbUpdate::ExitProcessor(ExitProcessorUpdate::PutInFlightExit(exit)) => {
                    self.in_flight.insert(exit.exit_id, *exit);
                }
                DbUpdate::ExitProcessor(ExitProcessorUpdate::PutInFlightSpend(key, by, bytes)) => {
                    self.in_flight_spends.insert((key, by), bytes);
                }
                DbUpdate::ExitProcessor(ExitProcessorUpdate::DeleteInFlightSpend(key, by)) => {
                    self.in_flight_spends.remove(&(key, by));
                }
                DbUpdate::BlockGetter(BlockGetterUpdate::PutFault(fault)) => {
                    self.fault = Some(fault)
                }
                DbUpdate::BlockGetter(BlockGetterUpdate::PutQuarantinedSpend(key, by, bytes)) => {
                    self.quarantined.insert((key, by), bytes);
                }
                DbUpdate::BlockGetter(BlockGetterUpdate::PutQuarantinedUpTo(blknum)) => {
                    self.quarantined_up_to = blknum;
                }
                DbUpdate::ServiceHeight(Service::BlockGetter, height) => {
                    self.heights_never_fell &= height > self.getter_height;
                    self.getter_height = height;
                }
                other => panic!("nobody here writes this: {other:?}"),
            }
        }
    }

    fn commit_state(&mut self, update: StateUpdate) {
        match update {
            StateUpdate::PutUtxo(key, utxo) => {
                self.utxos.insert(key.position, (key.owner, utxo));
            }
            StateUpdate::DeleteUtxo(key) => {
                self.utxos.remove(&key.position);
            }
            StateUpdate::PutSpend(position, spender) => {
                self.spends.insert(position, spender);
            }
            StateUpdate::PutTransaction(blknum, txindex, bytes) => {
                self.transactions.insert((blknum, txindex), bytes);
            }
            StateUpdate::PutBlock(header, _) => {
                self.blocks.insert(header.number, header);
            }
            StateUpdate::PutPending(pending) => self.pending = pending,
            StateUpdate::PutInFlightRecord(record) => {
                panic!("a watcher remembers none: {record:?}")
            }
        }
    }

    pub(crate) fn output(&self, position: UtxoPos) -> Option<OutputFact> {
        let unspent = self.utxos.get(&position);
        let unspent = unspent.map(|(owner, utxo)| OutputFact::Unspent(*owner, *utxo));
        unspent.or_else(|| self.spends.get(&position).map(|spender| OutputFact::Gone(*spender)))
    }

    pub(crate) fn spent_by(&self, position: UtxoPos) -> Option<Box<[u8]>> {
        match self.spends.get(&position)? {
            Spender::Transaction(at) => self.transactions.get(&(at.blknum, at.txindex)).cloned(),
            Spender::Exit(_) => None,
        }
    }

    /// Everything about one output that exits are judged by.
    pub(crate) fn exit_fact(&self, key: UtxoKey) -> ExitFact {
        let quarantined = self.quarantined.iter().filter(|((spend, _), _)| *spend == key);
        let spends = self.in_flight_spends.iter().filter(|((told, _), _)| *told == key);
        ExitFact {
            output: self.output(key.position),
            spent_by: self.spent_by(key.position),
            quarantined: quarantined
                .map(|(_, by)| by.clone())
                .take(QUARANTINED_SPENDS_MAX)
                .collect(),
            in_flight: spends.map(|(_, by)| by.clone()).take(IN_FLIGHT_SPENDS_MAX).collect(),
        }
    }
}
