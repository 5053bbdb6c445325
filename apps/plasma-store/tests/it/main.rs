//! The store on real disks: what was committed is there, whatever happens, and nothing else is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod corruption;
mod crash;
mod exits_by_account;
mod identity;
mod in_flight;
mod journal;
mod outputs;
mod quarantine;
mod records;
mod sentinel;

use plasma_core::db_update::{DbUpdate, StateUpdate, TxPos, Utxo, UtxoKey};
use plasma_core::wire::{
    Address, Blknum, ETH, H256, InputPointer, Output, OutputIndex, OutputType, PaymentTx,
    Signature, Transaction, TxIndex, U256, UtxoPos,
};
use plasma_store::{NodeKind, Store, StoreConfig, StoreError, StoreIdentity};
use std::path::Path;

pub(crate) const IDENTITY: StoreIdentity =
    StoreIdentity { node: NodeKind::Watcher, chain_id: 31337, plasma_framework: primitive(0xee) };

pub(crate) const fn primitive(byte: u8) -> Address {
    primitive_types::H160([byte; 20])
}

pub(crate) fn try_open(path: &Path) -> Result<Store, StoreError> {
    Store::open(path, &IDENTITY, &StoreConfig::default())
}

pub(crate) fn open(path: &Path) -> Store {
    try_open(path).unwrap()
}

pub(crate) fn pos(blknum: u64, txindex: u32, oindex: u16) -> UtxoPos {
    UtxoPos::new(Blknum::new(blknum), TxIndex::new(txindex), OutputIndex::new(oindex))
}

pub(crate) fn tx_pos(at: UtxoPos) -> TxPos {
    TxPos { blknum: at.blknum, txindex: at.txindex }
}

pub(crate) fn utxo(amount: u64) -> Utxo {
    Utxo { output_type: OutputType::Payment, currency: ETH, amount: amount.into() }
}

/// The signed bytes of a transaction with one output per owner.
pub(crate) fn payment(salt: u64, owners: &[Address]) -> Box<[u8]> {
    let tx = Transaction::Payment(PaymentTx {
        inputs: [InputPointer::from(pos(1, 0, 0))].into_iter().collect(),
        outputs: owners.iter().map(|owner| Output::payment(*owner, ETH, U256::from(7))).collect(),
        metadata: H256::from_low_u64_be(salt),
    });
    tx.encode_signed(&[Signature::from_bytes([1; 65])]).into()
}

/// What creating an output writes, with the transaction that made it.
pub(crate) fn creation(owner: Address, at: UtxoPos, amount: u64) -> Vec<DbUpdate> {
    let owners = vec![owner; usize::from(at.oindex.get()) + 1];
    vec![
        StateUpdate::PutTransaction(at.blknum, at.txindex, payment(amount, &owners)).into(),
        StateUpdate::PutUtxo(UtxoKey { owner, position: at }, utxo(amount)).into(),
    ]
}
