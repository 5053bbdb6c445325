//! Facts about outputs, by guess, by position and by owner.

use crate::{creation, open, pos, primitive, tx_pos, utxo};
use plasma_core::db_update::{DbUpdate, Spender, StateUpdate, UtxoKey};
use plasma_core::state::OutputFact;
use plasma_core::wire::UtxoPos;
use plasma_store::Store;

const ALICE: u8 = 1;
const BOB: u8 = 2;

fn key(owner: u8, position: UtxoPos) -> UtxoKey {
    UtxoKey { owner: primitive(owner), position }
}

fn spend(owner: u8, position: UtxoPos, spender: Spender) -> Vec<DbUpdate> {
    vec![
        StateUpdate::DeleteUtxo(key(owner, position)).into(),
        StateUpdate::PutSpend(position, spender).into(),
    ]
}

fn commit(store: &Store, updates: impl IntoIterator<Item = Vec<DbUpdate>>) {
    store.commit(&updates.into_iter().flatten().collect::<Vec<_>>()).unwrap();
}

#[test]
fn a_guess_finds_the_owner_right_or_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (held, spent) = (pos(1000, 0, 1), pos(1000, 1, 0));
    let by = Spender::Transaction(tx_pos(pos(2000, 0, 0)));
    commit(
        &store,
        [
            creation(primitive(ALICE), held, 5),
            creation(primitive(ALICE), spent, 6),
            spend(ALICE, spent, by),
        ],
    );

    let unspent = OutputFact::Unspent(primitive(ALICE), utxo(5));
    let never = [pos(1000, 0, 2), pos(1000, 7, 0), pos(3000, 0, 0)];
    for guess in [ALICE, BOB] {
        let mut asked = vec![key(guess, held), key(guess, spent)];
        asked.extend(never.map(|position| key(guess, position)));
        let facts = store.input_facts(&asked).unwrap();
        assert_eq!(
            facts.into_iter().collect::<Vec<_>>(),
            [(held, unspent), (spent, OutputFact::Gone(by))]
        );
    }
    let facts = store.output_facts(&[held, spent, never[0]]).unwrap();
    assert_eq!(
        facts.into_iter().collect::<Vec<_>>(),
        [(held, unspent), (spent, OutputFact::Gone(by))]
    );
}

#[test]
fn a_wallets_outputs_are_paged_in_order_and_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let positions: Vec<UtxoPos> = (1..=9).map(|blknum| pos(blknum * 1000, 0, 0)).collect();
    for (index, position) in positions.iter().enumerate() {
        let owner = if index % 3 == 2 { BOB } else { ALICE };
        commit(&store, [creation(primitive(owner), *position, index as u64 + 1)]);
    }
    let page = |after, limit| {
        let found = store.utxos_of(primitive(ALICE), after, limit).unwrap();
        found
            .into_iter()
            .map(|(position, utxo)| (position.blknum.get() / 1000, utxo.amount.low_u64()))
            .collect::<Vec<_>>()
    };
    assert_eq!(page(None, 100), [(1, 1), (2, 2), (4, 4), (5, 5), (7, 7), (8, 8)]);
    assert_eq!(page(None, 2), [(1, 1), (2, 2)]);
    assert_eq!(page(Some(positions[1]), 2), [(4, 4), (5, 5)]);
    assert_eq!(page(Some(positions[7]), 2), []);
    assert_eq!(store.utxos_of(primitive(3), None, 10).unwrap(), []);
    assert_eq!(store.utxos_of(primitive(0xff), None, 10).unwrap(), []);
}

/// Opening must not read outputs: with 200,000 of them it reads as few bytes as with one.
#[test]
fn opening_reads_no_outputs() {
    let open_len = |count: u64| {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        for chunk in (0..count).collect::<Vec<_>>().chunks(20_000) {
            let puts: Vec<DbUpdate> = chunk
                .iter()
                .map(|n| {
                    StateUpdate::PutUtxo(key((n % 251) as u8, pos(1000 + n, 0, 0)), utxo(1)).into()
                })
                .collect();
            store.commit(&puts).unwrap();
        }
        drop(store);
        // The first restart moves what is in the log into files; the second is like any other.
        drop(open(folder.path()));
        let store = open(folder.path());
        let size = store.size().unwrap();
        assert!(size.utxos_estimate >= count / 2, "{size:?}");
        size.cache_len + size.write_buffers_len
    };
    let (few, many) = (open_len(1), open_len(200_000));
    assert!(many < few + (1 << 20), "opening {few} bytes with one output and {many} with many");
}

#[test]
fn readers_see_whole_batches_while_another_thread_commits() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for blknum in 1..=200_u64 {
                commit(&store, [creation(primitive(ALICE), pos(blknum, 0, 0), blknum)]);
            }
        });
        while !writer.is_finished() {
            let seen = store.utxos_of(primitive(ALICE), None, usize::MAX).unwrap();
            for (position, _) in &seen {
                assert!(
                    store.transaction(tx_pos(*position)).unwrap().is_some(),
                    "{position} without its transaction"
                );
            }
        }
        writer.join().unwrap();
    });
    assert_eq!(store.utxos_of(primitive(ALICE), None, usize::MAX).unwrap().len(), 200);
}

/// A commit writes outputs in the order of their keys, not of the updates: what happened last must win all the same.
#[test]
fn of_several_updates_of_an_output_in_one_commit_the_last_one_counts() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let by = |blknum| Spender::Transaction(tx_pos(pos(blknum, 0, 0)));
    // Made and spent in one commit, in either order; the neighbours show that no other key is touched.
    let (spent, remade, before, behind) =
        (pos(2000, 0, 0), pos(3000, 0, 0), pos(1000, 0, 0), pos(4000, 0, 0));
    commit(
        &store,
        [
            creation(primitive(ALICE), behind, 1),
            creation(primitive(ALICE), spent, 2),
            spend(ALICE, spent, by(5000)),
            spend(ALICE, spent, by(6000)),
            spend(ALICE, remade, by(5000)),
            creation(primitive(ALICE), remade, 3),
            creation(primitive(ALICE), before, 4),
            creation(primitive(ALICE), before, 5),
        ],
    );
    let found = store.utxos_of(primitive(ALICE), None, 10).unwrap();
    assert_eq!(found, [(before, utxo(5)), (remade, utxo(3)), (behind, utxo(1))]);
    assert_eq!(store.spender(spent).unwrap(), Some(by(6000)));
    assert_eq!(store.spender(before).unwrap(), None);
}
