//! A value that was damaged on disk is an error that names it, and never a panic.

use crate::{creation, in_flight, journal, open, pos, primitive, sentinel};
use plasma_core::db_update::{
    BlockGetterUpdate, BlockHeader, BlockQueueUpdate, ChainFault, DbUpdate, FaultKind,
    PendingRecord, SentinelUpdate, Service, Spender, StateUpdate,
};
use plasma_core::exit_processor::{ExitProcessorUpdate, StandardExit, StandardExitPhase};
use plasma_core::journal::{JournalSeq, Topic};
use plasma_core::sentinel::{DutyOutcome, Fate};
use plasma_core::wire::{Blknum, EthHeight, ExitId, H256, U256};
use plasma_store::{Store, StoreError};
use proptest::prelude::*;
use std::path::Path;

const COLUMNS: [&str; 25] = [
    "default",
    "meta",
    "utxos",
    "spends",
    "transactions",
    "blocks",
    "block_hashes",
    "standard_exits",
    "standard_exit_ids",
    "active_exits",
    "exits_by_account",
    "in_flight_records",
    "in_flight_exits",
    "active_in_flight_exits",
    "in_flight_spends",
    "quarantined_spends",
    "sentinel_nonces",
    "sentinel_duties",
    "journal",
    "journal_topics",
    "journal_blknums",
    "journal_open",
    "submissions",
    "transfers",
    "transfer_heads",
];

fn fill(path: &Path) {
    let at = pos(1000, 0, 0);
    let exit = StandardExit {
        exit_id: ExitId::from_bytes([1; 20]),
        position: at,
        owner: primitive(1),
        currency: primitive(0),
        amount: U256::from(300),
        exiting_tx: Box::new([1, 2, 3]),
        eth_height: EthHeight::new(1),
        log_index: 0,
        root_chain_txhash: H256::zero(),
        exitable_at_s: 5,
        phase: StandardExitPhase::Active,
    };
    let header = BlockHeader { number: Blknum::new(1000), hash: H256::repeat_byte(1), tx_count: 1 };
    let fault = ChainFault {
        blknum: Blknum::new(2000),
        hash: H256::zero(),
        kind: FaultKind::InvalidBlock("tx_execution".into()),
    };
    let pending = PendingRecord {
        blknum: Blknum::new(2000),
        tx_count: 0,
        fees: [(primitive(0), U256::from(7))].into_iter().collect(),
    };
    let mut updates = creation(primitive(1), at, 300);
    updates.extend([
        StateUpdate::PutSpend(pos(1, 0, 0), Spender::Exit(ExitId::from_bytes([1; 20]))).into(),
        StateUpdate::PutBlock(header, vec![H256::repeat_byte(2)]).into(),
        StateUpdate::PutPending(pending).into(),
        BlockGetterUpdate::PutFault(fault).into(),
        BlockQueueUpdate::PutNonceOffset(1).into(),
        DbUpdate::ServiceHeight(Service::Depositor, EthHeight::new(3)),
        ExitProcessorUpdate::PutStandardExit(Box::new(exit)).into(),
        in_flight::put_record(&in_flight::record(1)),
        in_flight::put(&in_flight::active(1)),
        sentinel::put_nonce(&sentinel::nonce(1, 5, Fate::Open)),
        sentinel::put_duty(&sentinel::duty(1, Some(DutyOutcome::Done))),
        SentinelUpdate::PutSpent { day: 1, wei: U256::from(300) }.into(),
    ]);
    updates.extend(journal::story());
    let store = open(path);
    store.commit(&updates).unwrap();
    store.index_transfers(&journal::transfers(primitive(1))).unwrap();
}

/// Reads everything there is; the first error, if any.
fn read_all(store: &Store) -> Result<(), StoreError> {
    store.pending()?;
    store.fault()?;
    store.nonce_offset()?;
    store.quarantined_up_to()?;
    store.service_height(Service::Depositor)?;
    store.newest_block()?;
    store.block_headers(Blknum::new(0), 10)?;
    store.block_by_hash(H256::repeat_byte(1))?;
    store.inclusion_proof(crate::tx_pos(pos(1000, 0, 0)))?;
    store.output_fact(pos(1000, 0, 0))?;
    store.utxos_of(primitive(1), None, 10)?;
    store.spender(pos(1, 0, 0))?;
    store.active_standard_exits()?;
    store.standard_exit_by_id(ExitId::from_bytes([1; 20]))?;
    store.exits_of(primitive(1), None, 10)?;
    store.in_flight_record(in_flight::id(1))?;
    store.active_in_flight_exits()?;
    store.sentinel(primitive(1))?;
    store.journal_after(JournalSeq(0), 10)?;
    store.journal_record()?;
    store.submitted_at(Blknum::new(1000))?;
    let account = Topic::Transfer(primitive(1));
    for topic in [Topic::Blocks, Topic::Deposits, Topic::Exits, Topic::Byzantine, account] {
        store.topic_head(topic)?;
        store.topic_after(topic, 0, 10)?;
        store.topic_before_block(topic, Blknum::new(1000))?;
    }
    store.transfers_after(primitive(1), 0, 10)?;
    store.transfers_heads([primitive(1)])?;
    store.transfers_cursor()?;
    Ok(())
}

/// Changes the values of one column with RocksDB itself.
fn damage(path: &Path, column: &str, mut change: impl FnMut(&mut Vec<u8>)) -> usize {
    let db = rocksdb::DB::open_cf(&rocksdb::Options::default(), path, COLUMNS).unwrap();
    let handle = db.cf_handle(column).unwrap();
    let entries: Vec<_> =
        db.iterator_cf(handle, rocksdb::IteratorMode::Start).map(Result::unwrap).collect();
    let mut changed = 0;
    for (key, value) in entries {
        if &*key == b"identity" || value.is_empty() {
            continue;
        }
        let mut value = value.into_vec();
        change(&mut value);
        db.put_cf(handle, &key, value).unwrap();
        changed += 1;
    }
    changed
}

#[test]
fn truncated_values_are_reported_with_their_key() {
    for column in [
        "meta",
        "utxos",
        "spends",
        "transactions",
        "blocks",
        "standard_exits",
        "standard_exit_ids",
        "in_flight_records",
        "in_flight_exits",
        "sentinel_nonces",
        "sentinel_duties",
        "journal",
        "journal_topics",
        "journal_blknums",
        "submissions",
        "transfers",
        "transfer_heads",
    ] {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path());
        assert_eq!(read_all(&open(folder.path())), Ok(()));
        assert!(damage(folder.path(), column, |value| value.truncate(3)) > 0, "{column}");
        match read_all(&open(folder.path())) {
            Err(error @ StoreError::Corrupted { column: found, .. }) => {
                assert_eq!(found, column);
                assert!(
                    error.to_string().contains("at key 0x") && !error.is_transient(),
                    "{error}"
                );
            }
            other => panic!("{column}: {other:?}"),
        }
    }
}

#[test]
fn values_of_an_unknown_version_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    damage(folder.path(), "utxos", |value| value[0] = 9);
    let error = read_all(&open(folder.path())).unwrap_err();
    assert!(
        error.to_string().contains("unknown version of the value in utxos at key 0x0101"),
        "{error}"
    );
}

#[test]
fn a_store_of_another_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    {
        let db =
            rocksdb::DB::open_cf(&rocksdb::Options::default(), folder.path(), COLUMNS).unwrap();
        let meta = db.cf_handle("meta").unwrap();
        db.put_cf(meta, b"identity", 7_u32.to_be_bytes()).unwrap();
    }
    let error = crate::try_open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Format { found: 7, .. }), "{error:?}");
    assert!(error.to_string().contains("has format 7, and this program reads format 1"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_damage_makes_reading_panic(
        column in prop::sample::select(&COLUMNS[1..]),
        at: prop::sample::Index,
        flip in 1u8..,
        cut: prop::sample::Index,
        append in proptest::collection::vec(any::<u8>(), 0..4),
    ) {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path());
        damage(folder.path(), column, |value| {
            let len = value.len();
            value[at.index(len)] ^= flip;
            value.truncate(cut.index(len) + 1);
            value.extend(&append);
        });
        let _ = read_all(&open(folder.path()));
    }
}
