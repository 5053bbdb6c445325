//! A process that dies at any moment leaves whole batches behind, in the order they were committed.
//!
//! The story: a ledger that finds half a batch has outputs without the transaction that made them, or a deposit without the height
//! that came with it, and credits it again. A crash is played here by cutting the log of a copied store at any byte.

use crate::{creation, open, pos, primitive, try_open};
use plasma_core::db_update::{DbUpdate, Service};
use plasma_core::wire::EthHeight;
use plasma_store::StoreError;
use std::fs;
use std::path::{Path, PathBuf};

const BATCHES: u64 = 12;

/// Batch `n`: two outputs and the height `n`.
fn batch(n: u64) -> Vec<DbUpdate> {
    let mut updates = creation(primitive(1), pos(n * 1000, 0, 0), n);
    updates.extend(creation(primitive(2), pos(n * 1000, 1, 0), n));
    updates.push(DbUpdate::ServiceHeight(Service::Depositor, EthHeight::new(n)));
    updates
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != "LOCK" {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// The log that holds the batches: the longest one.
fn log(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let logs = files.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    logs.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()
}

#[test]
fn a_log_cut_anywhere_holds_whole_batches() {
    let live = tempfile::tempdir().unwrap();
    let store = open(live.path());
    for n in 1..=BATCHES {
        store.commit(&batch(n)).unwrap();
    }
    // Copied while it is open, as a crash would leave it.
    let len = fs::metadata(log(live.path())).unwrap().len();
    let mut seen = std::collections::BTreeSet::new();
    for cut in (0..=len).rev().step_by(97).chain([0, 1, 7, len - 1]) {
        let copied = tempfile::tempdir().unwrap();
        copy(live.path(), copied.path());
        let file = fs::OpenOptions::new().write(true).open(log(copied.path())).unwrap();
        file.set_len(cut).unwrap();
        let store = match try_open(copied.path()) {
            Ok(store) => store,
            // A cut before the identity leaves a store that cannot be told from a new one, or none at all.
            Err(error) => panic!("cut at {cut} of {len}: {error}"),
        };
        let height = store.service_height(Service::Depositor).unwrap().map_or(0, EthHeight::get);
        for owner in [1, 2] {
            let outputs = store.utxos_of(primitive(owner), None, 100).unwrap();
            assert_eq!(outputs.len() as u64, height, "cut at {cut} of {len}");
            for (position, _) in outputs {
                assert!(store.output_fact(position).unwrap().is_some(), "cut at {cut} of {len}");
            }
        }
        seen.insert(height);
    }
    assert_eq!(
        seen.len() as u64,
        BATCHES + 1,
        "every number of batches was left behind by some cut: {seen:?}"
    );
}

/// Damage in the middle is not what a crash leaves: acknowledged batches behind it would be lost without a word.
#[test]
fn damage_before_the_end_of_the_log_is_reported() {
    let live = tempfile::tempdir().unwrap();
    let store = open(live.path());
    for n in 1..=BATCHES {
        store.commit(&batch(n)).unwrap();
    }
    let copied = tempfile::tempdir().unwrap();
    copy(live.path(), copied.path());
    let path = log(copied.path());
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&path, bytes).unwrap();
    let error = try_open(copied.path()).unwrap_err();
    assert!(matches!(error, StoreError::Io { action: "open", .. }), "{error:?}");
}
