//! A store with millions of unspent outputs: opening it, and looking one up.

use super::clock::per_s;
use super::machine::resident_len;
use crate::output::Out;
use anyhow::{Context, Result, ensure};
use plasma_core::db_update::{DbUpdate, StateUpdate, Utxo, UtxoKey};
use plasma_core::wire::{
    Address, Blknum, CHILD_BLOCK_INTERVAL, ETH, OutputIndex, OutputType, TxIndex, U256, UtxoPos,
    keccak256,
};
use plasma_store::{NodeKind, Store, StoreConfig, StoreIdentity};
use std::path::Path;
use std::time::Instant;

/// Outputs of one commit.
const COMMIT: u64 = 100_000;
/// Outputs of one made-up block.
const PER_BLOCK: u64 = 50_000;
/// Outputs that are looked up together, as for a batch of transactions.
const LOOK_UP: u64 = 1_000;
/// How many such batches.
const LOOK_UPS: u64 = 100;

/// What came out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StoreFigures {
    /// Unspent outputs.
    pub(super) utxos: u64,
    /// Outputs written in a second, in durable batches.
    pub(super) written_per_s: f64,
    /// Time to open the store, in milliseconds.
    pub(super) open_ms: f64,
    /// Memory of the process before it was opened, right after, and after the look-ups, in bytes.
    pub(super) resident_len: [u64; 3],
    /// What RocksDB says it holds right after opening, and after the look-ups, in bytes.
    pub(super) held_len: [u64; 2],
    /// Look-ups a second of outputs all over the store, from one thread.
    pub(super) looked_up_per_s: f64,
    /// Bytes of all its files.
    pub(super) files_len: u64,
}

/// Makes a store with this many outputs, and opens it again.
pub(super) fn measure(folder: &Path, utxos: u64, out: Out) -> Result<StoreFigures> {
    let path = folder.join("big");
    let mut figures = StoreFigures { utxos, ..StoreFigures::default() };
    let store = open(&path)?;
    let started = Instant::now();
    let mut first = 0;
    while first < utxos {
        let end = utxos.min(first + COMMIT);
        let updates: Vec<DbUpdate> = (first..end).map(put).collect();
        store.commit(&updates)?;
        if end.is_multiple_of(10 * COMMIT) {
            out.progress(format!("{end} of {utxos} outputs written"));
        }
        first = end;
    }
    figures.written_per_s = per_s(usize::try_from(utxos)?, started.elapsed());
    drop(store);

    let before = resident_len();
    let started = Instant::now();
    let store = open(&path)?;
    figures.open_ms = 1_000.0 * started.elapsed().as_secs_f64();
    let opened = resident_len();
    let held = held_len(&store)?;
    figures.looked_up_per_s = look_up(&store, utxos)?;
    figures.held_len = [held, held_len(&store)?];
    figures.resident_len = [before, opened, resident_len()];
    figures.files_len = store.size()?.files_len;
    Ok(figures)
}

fn held_len(store: &Store) -> Result<u64> {
    let size = store.size()?;
    Ok(size.cache_len + size.write_buffers_len)
}

fn open(path: &Path) -> Result<Store> {
    let identity = StoreIdentity {
        node: NodeKind::ChildChain,
        chain_id: 1,
        plasma_framework: Address::zero(),
    };
    Store::open(path, &identity, &StoreConfig::default()).context("the big store")
}

fn look_up(store: &Store, utxos: u64) -> Result<f64> {
    let batches = LOOK_UPS.min(utxos / LOOK_UP + 1);
    // Every so many, so that the last batch ends where the store does; neighbours are far apart because owners are random.
    let step = utxos / (batches * LOOK_UP) + 1;
    let numbers: Vec<u64> = (0..utxos).step_by(usize::try_from(step)?).collect();
    let batches: Vec<Vec<UtxoKey>> = numbers
        .chunks(usize::try_from(LOOK_UP)?)
        .map(|batch| batch.iter().copied().map(key).collect())
        .collect();
    let started = Instant::now();
    for batch in &batches {
        let facts = store.input_facts(batch)?;
        ensure!(facts.len() == batch.len(), "outputs are missing in the big store");
    }
    Ok(per_s(numbers.len(), started.elapsed()))
}

fn put(number: u64) -> DbUpdate {
    let amount = U256::from(1_000_000_000_000_000_000_u64 + number);
    let utxo = Utxo { output_type: OutputType::Payment, currency: ETH, amount };
    StateUpdate::PutUtxo(key(number), utxo).into()
}

/// An owner with one output, in the order of blocks.
fn key(number: u64) -> UtxoKey {
    let hash = keccak256(&number.to_be_bytes());
    let owner = Address::from_slice(hash.as_bytes().last_chunk::<20>().unwrap_or(&[0; 20]));
    let blknum = Blknum::new((number / PER_BLOCK + 1) * CHILD_BLOCK_INTERVAL);
    let txindex = TxIndex::new(u32::try_from(number % PER_BLOCK).unwrap_or_default());
    UtxoKey { owner, position: UtxoPos::new(blknum, txindex, OutputIndex::new(0)) }
}
