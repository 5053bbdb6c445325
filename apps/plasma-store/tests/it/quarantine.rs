//! Evidence from the invalid part of the chain: no spend takes the place of another, also not in a store from before that was so.

use crate::{open, payment, pos, primitive};
use plasma_core::db_update::{BlockGetterUpdate, DbUpdate, UtxoKey};
use plasma_core::wire::{Blknum, SignedTx};
use plasma_store::{Store, StoreError};
use rocksdb::{DB, Options};
use std::collections::BTreeSet;
use std::path::Path;

/// Columns that such a store did not have.
const NEW_COLUMNS: [&str; 4] =
    ["in_flight_records", "in_flight_exits", "active_in_flight_exits", "in_flight_spends"];

fn key(owner: u8, oindex: u16) -> UtxoKey {
    UtxoKey { owner: primitive(owner), position: pos(1000, 0, oindex) }
}

fn tx(salt: u64) -> Box<[u8]> {
    payment(salt, &[primitive(1)])
}

fn spend(key: UtxoKey, salt: u64) -> DbUpdate {
    let hash = SignedTx::decode(&tx(salt)).unwrap().hash();
    BlockGetterUpdate::PutQuarantinedSpend(key, hash, tx(salt)).into()
}

fn found(store: &Store, key: UtxoKey, limit: usize) -> BTreeSet<Box<[u8]>> {
    let spends = store.quarantined_spends(key, limit).unwrap();
    let different: BTreeSet<_> = spends.iter().cloned().collect();
    assert_eq!(different.len(), spends.len(), "none of them twice");
    different
}

/// A store as it was before different spends were kept side by side: the newest spend of an output was under the output alone.
fn old_store(path: &Path, key: UtxoKey, bytes: &[u8]) {
    drop(open(path));
    let columns = DB::list_cf(&Options::default(), path).unwrap();
    let mut db = DB::open_cf(&Options::default(), path, columns).unwrap();
    for column in NEW_COLUMNS {
        db.drop_cf(column).unwrap();
    }
    let at = key.position;
    let old_key = [
        key.owner.as_bytes(),
        &at.blknum.get().to_be_bytes(),
        &at.txindex.get().to_be_bytes(),
        &at.oindex.get().to_be_bytes(),
    ];
    let column = db.cf_handle("quarantined_spends").unwrap();
    db.put_cf(column, old_key.concat(), bytes).unwrap();
    let up_to = [&[1], Blknum::new(5000).get().to_be_bytes().as_slice()].concat();
    db.put_cf(db.cf_handle("meta").unwrap(), b"quarantined_up_to", up_to).unwrap();
}

#[test]
fn different_spends_of_an_output_are_kept_side_by_side_and_found_by_their_signer() {
    let folder = tempfile::tempdir().unwrap();
    // Neighbours in the order of bytes on both sides, and the last owner and output there are.
    let last = UtxoKey { owner: primitive(0xff), position: pos(u64::MAX, u32::MAX, u16::MAX) };
    open(folder.path())
        .commit(&[
            spend(key(1, 2), 1),
            spend(key(1, 2), 2),
            spend(key(1, 2), 3),
            spend(key(1, 2), 2),
            spend(key(1, 1), 4),
            spend(key(1, 3), 5),
            spend(key(2, 2), 6),
            spend(last, 7),
        ])
        .unwrap();
    let store = open(folder.path());
    assert_eq!(found(&store, key(1, 2), 10), [tx(1), tx(2), tx(3)].into());
    assert_eq!(found(&store, key(1, 2), 3).len(), 3);
    assert_eq!(found(&store, key(1, 2), 2).len(), 2);
    assert_eq!(found(&store, key(1, 2), 0).len(), 0);
    assert_eq!(found(&store, key(2, 2), 10), [tx(6)].into());
    assert_eq!(found(&store, last, 10), [tx(7)].into());
    assert_eq!(found(&store, key(2, 1), 10), [].into());
    let spent = |owner: u8, first: u16, end: u16| {
        let between = [pos(1000, 0, first), pos(1000, 0, end)];
        let spent = store.spent_in_quarantine(primitive(owner), between).unwrap();
        spent.into_iter().map(|position| position.oindex.get()).collect::<Vec<_>>()
    };
    assert_eq!(spent(1, 0, 9), [1, 2, 3]);
    assert_eq!(spent(1, 2, 2), [2]);
    assert_eq!(spent(2, 0, 9), [2]);
    assert_eq!(spent(3, 0, 9), Vec::<u16>::new());
}

#[test]
fn spends_from_before_in_flight_exits_still_count_and_each_transaction_once() {
    for (salts, limit, expected) in [
        (vec![], 2, vec![1]),
        (vec![1], 2, vec![1]),
        (vec![2], 2, vec![1, 2]),
        (vec![1, 2], 2, vec![1, 2]),
        (vec![1, 2, 3], 3, vec![1, 2, 3]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        old_store(folder.path(), key(1, 2), &tx(1));
        let store = open(folder.path());
        let updates: Vec<_> = salts.iter().map(|salt| spend(key(1, 2), *salt)).collect();
        store.commit(&updates).unwrap();
        let expected: BTreeSet<_> = expected.into_iter().map(tx).collect();
        assert_eq!(found(&store, key(1, 2), limit), expected, "{salts:?}");
        assert_eq!(found(&store, key(1, 3), limit), [].into());
        let all = [pos(0, 0, 0), pos(u64::MAX, 0, 0)];
        let spent = store.spent_in_quarantine(primitive(1), all).unwrap();
        assert_eq!(spent, [key(1, 2).position].into(), "an old entry counts as well");
    }
}

#[test]
fn the_quarantine_of_a_store_from_before_in_flight_exits_is_looked_at_again() {
    let folder = tempfile::tempdir().unwrap();
    old_store(folder.path(), key(1, 2), &tx(1));
    let store = open(folder.path());
    assert_eq!(store.quarantined_up_to().unwrap(), None);
    store.commit(&[BlockGetterUpdate::PutQuarantinedUpTo(Blknum::new(4000)).into()]).unwrap();
    assert_eq!(store.quarantined_up_to().unwrap(), Some(Blknum::new(4000)));
    drop(store);
    assert_eq!(open(folder.path()).quarantined_up_to().unwrap(), Some(Blknum::new(4000)));
}

#[test]
fn a_damaged_spend_from_before_in_flight_exits_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    old_store(folder.path(), key(1, 2), &tx(1)[..50]);
    let error = open(folder.path()).quarantined_spends(key(1, 2), 2).unwrap_err();
    assert!(
        matches!(error, StoreError::Corrupted { column: "quarantined_spends", .. }),
        "{error:?}"
    );
}
