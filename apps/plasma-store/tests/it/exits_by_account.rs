//! Every exit is found by the accounts it concerns, page by page, in stores from before the index as well.

use crate::in_flight::{active, put};
use crate::{open, pos, primitive};
use plasma_core::db_update::DbUpdate;
use plasma_core::exit_processor::{ExitProcessorUpdate, StandardExit, StandardExitPhase};
use plasma_core::wire::{EthHeight, ExitId, H256, U256};
use plasma_store::Store;
use rocksdb::{DB, Options};
use std::path::Path;

fn exit(id: u8, owner: u8, phase: StandardExitPhase) -> DbUpdate {
    let exit = StandardExit {
        exit_id: ExitId::from_bytes([id; 20]),
        position: pos(id.into(), 0, 0),
        owner: primitive(owner),
        currency: primitive(0),
        amount: U256::one(),
        exiting_tx: Box::default(),
        eth_height: EthHeight::new(5),
        log_index: 0,
        root_chain_txhash: H256::zero(),
        exitable_at_s: 9,
        phase,
    };
    ExitProcessorUpdate::PutStandardExit(Box::new(exit)).into()
}

fn ids(ids: &[u8]) -> Vec<ExitId> {
    ids.iter().map(|id| ExitId::from_bytes([*id; 20])).collect()
}

fn check(store: &Store) {
    let of = |account, after: Option<u8>, limit| {
        let after = after.map(|id| ExitId::from_bytes([id; 20]));
        store.exits_of(primitive(account), after, limit).unwrap()
    };
    assert_eq!(of(7, None, 10), ids(&[3, 5, 255]));
    assert_eq!(of(7, None, 2), ids(&[3, 5]));
    assert_eq!(of(7, Some(4), 10), ids(&[5, 255]));
    assert_eq!(of(7, Some(5), 10), ids(&[255]));
    assert_eq!(of(7, Some(255), 10), []);
    assert_eq!(of(255, None, 10), ids(&[255]), "nothing lies behind the last account");
    assert_eq!(of(255, Some(255), 10), []);
    assert_eq!(of(2, None, 10), ids(&[6]), "who started an in-flight exit");
    assert_eq!(of(9, None, 10), []);
}

/// Takes the index away, as if the store were from before it.
fn forget_index(path: &Path) {
    let columns = DB::list_cf(&Options::default(), path).unwrap();
    let mut db = DB::open_cf(&Options::default(), path, columns).unwrap();
    db.delete_cf(db.cf_handle("meta").unwrap(), b"exits_indexed").unwrap();
    db.drop_cf("exits_by_account").unwrap();
}

#[test]
fn exits_are_found_by_account_also_in_a_store_from_before_the_index() {
    use StandardExitPhase::{Active, Challenged, Finalized};
    let folder = tempfile::tempdir().unwrap();
    let updates = [
        exit(5, 7, Active),
        exit(3, 7, Challenged),
        exit(255, 7, Finalized),
        exit(4, 8, Active),
        put(&active(6)),
    ];
    {
        let store = open(folder.path());
        store.commit(&updates).unwrap();
        // The exit of an output starts again, and belongs to the same accounts and more.
        store.commit(&[exit(5, 7, Active), exit(255, 255, Active)]).unwrap();
        check(&store);
    }
    check(&open(folder.path()));
    forget_index(folder.path());
    // An old store tells what its records say now.
    let store = open(folder.path());
    assert_eq!(store.exits_of(primitive(7), None, 10).unwrap(), ids(&[3, 5]));
    assert_eq!(store.exits_of(primitive(255), None, 10).unwrap(), ids(&[255]));
    assert_eq!(store.exits_of(primitive(2), None, 10).unwrap(), ids(&[6]));
}
