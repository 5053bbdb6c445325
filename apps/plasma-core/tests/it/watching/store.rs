//! A store in memory, as simple as it can be: it holds what was committed, and answers for all of it.

use plasma_core::db_update::{
    BlockGetterUpdate, BlockHeader, ChainFault, DbUpdate, ExitProcessorUpdate, PendingRecord,
    Service, Spender, StateUpdate, Utxo, UtxoKey,
};
use plasma_core::exit_processor::StandardExit;
use plasma_core::state::OutputFact;
use plasma_core::wire::{Address, Blknum, EthHeight, TxIndex, UtxoPos};
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct Store {
    utxos: BTreeMap<UtxoPos, (Address, Utxo)>,
    spends: BTreeMap<UtxoPos, Spender>,
    transactions: BTreeMap<(Blknum, TxIndex), Box<[u8]>>,
    pub(super) blocks: BTreeMap<Blknum, BlockHeader>,
    pub(super) pending: PendingRecord,
    pub(super) exits: BTreeMap<UtxoPos, StandardExit>,
    pub(super) fault: Option<ChainFault>,
    pub(super) quarantined: BTreeMap<UtxoKey, Box<[u8]>>,
    pub(super) quarantined_up_to: Blknum,
    pub(super) getter_height: EthHeight,
    pub(super) heights_never_fell: bool,
}

impl Store {
    pub(super) fn new() -> Self {
        Self { heights_never_fell: true, ..Self::default() }
    }

    pub(super) fn commit(&mut self, updates: Vec<DbUpdate>) {
        for update in updates {
            match update {
                DbUpdate::State(update) => self.commit_state(update),
                DbUpdate::ExitProcessor(ExitProcessorUpdate::PutStandardExit(exit)) => {
                    self.exits.insert(exit.position, *exit);
                }
                DbUpdate::BlockGetter(BlockGetterUpdate::PutFault(fault)) => {
                    self.fault = Some(fault)
                }
                DbUpdate::BlockGetter(BlockGetterUpdate::PutQuarantinedSpend(key, bytes)) => {
                    self.quarantined.insert(key, bytes);
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

    pub(super) fn output(&self, position: UtxoPos) -> Option<OutputFact> {
        let unspent = self.utxos.get(&position);
        let unspent = unspent.map(|(owner, utxo)| OutputFact::Unspent(*owner, *utxo));
        unspent.or_else(|| self.spends.get(&position).map(|spender| OutputFact::Gone(*spender)))
    }

    pub(super) fn spent_by(&self, position: UtxoPos) -> Option<Box<[u8]>> {
        match self.spends.get(&position)? {
            Spender::Transaction(at) => self.transactions.get(&(at.blknum, at.txindex)).cloned(),
            Spender::Exit(_) => None,
        }
    }
}
