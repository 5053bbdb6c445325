//! The Sentinel goes on where it was, with its own key only.

use crate::{open, primitive};
use plasma_core::db_update::DbUpdate;
use plasma_core::root_chain::GasFees;
use plasma_core::sentinel::{
    Call, DutyId, DutyOutcome, DutyRecord, Fate, Mined, NonceRecord, Offer, Receipt,
    RecoveredSentinel, Sentinel, SentinelConfig, SentinelUpdate, Task,
};
use plasma_core::wire::{Address, EthHeight, ExitId, H256, U256};
use plasma_store::Store;
use proptest::prelude::*;
use rocksdb::{DB, Options};

pub(crate) fn id(byte: u8) -> DutyId {
    let exit_id = ExitId::from_bytes([byte; 20]);
    DutyId { exit_id, cause: H256([byte; 32]), task: Task::BlockInput { index: byte.into() } }
}

pub(crate) fn nonce(account: u8, nonce: u64, fate: Fate) -> NonceRecord {
    let offer = Offer {
        duty: Some(id(1)),
        is_fill: false,
        gas_limit: 100_000,
        fees: GasFees { max_fee_per_gas_wei: 7, max_priority_fee_per_gas_wei: 2 },
        txhash: None,
    };
    let raised = Offer { txhash: Some(H256([nonce as u8; 32])), ..offer };
    let call = Call::DeleteNonPiggybackedInFlightExit { exit_id: id(1).exit_id };
    let offers = vec![offer, raised];
    NonceRecord { account: primitive(account), nonce, offers, call: Some(call), fate }
}

pub(crate) fn duty(byte: u8, outcome: Option<DutyOutcome>) -> DutyRecord {
    DutyRecord {
        id: id(byte),
        account: primitive(1),
        found_s: 10,
        due_s: 20,
        reward_wei: U256::from(300),
        gas_used: 30,
        cost_wei: U256::MAX,
        reverts: 1,
        txhash: Some(H256([byte; 32])),
        outcome,
        ended_s: 40,
        ended_seq: byte.into(),
    }
}

pub(crate) fn put_nonce(record: &NonceRecord) -> DbUpdate {
    SentinelUpdate::PutNonce(Box::new(record.clone())).into()
}

pub(crate) fn put_duty(record: &DutyRecord) -> DbUpdate {
    SentinelUpdate::PutDuty(Box::new(record.clone())).into()
}

fn put_spent(day: u64, wei: U256) -> DbUpdate {
    SentinelUpdate::PutSpent { day, wei }.into()
}

fn delete_nonce(account: u8, nonce: u64) -> DbUpdate {
    SentinelUpdate::DeleteNonce { account: primitive(account), nonce }.into()
}

fn of(store: &Store, account: u8) -> RecoveredSentinel {
    store.sentinel(primitive(account)).unwrap()
}

#[test]
fn a_new_store_knows_no_sentinel() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(of(&open(folder.path()), 1), RecoveredSentinel::default());
}

#[test]
fn everything_comes_back_after_a_restart_and_the_newest_of_each_counts() {
    let folder = tempfile::tempdir().unwrap();
    let receipt = Receipt {
        eth_height: EthHeight::new(9),
        gas_used: 1,
        gas_price_wei: u128::MAX,
        succeeded: false,
    };
    let mined = Mined { txhash: H256([5; 32]), receipt, seen_s: u64::MAX };
    let nonces = [
        nonce(1, 5, Fate::Mined(mined)),
        nonce(1, 255, Fate::Foreign { at: EthHeight::new(3) }),
        nonce(1, 256, Fate::Open),
        nonce(1, u64::MAX, Fate::Open),
    ];
    let duties = [duty(1, None), duty(2, Some(DutyOutcome::LostRace))];
    {
        let store = open(folder.path());
        let old = [put_nonce(&nonce(1, 5, Fate::Open)), put_duty(&duty(2, None))];
        store.commit(&old).unwrap();
        store.commit(&[put_spent(1, U256::one()), put_spent(2, U256::MAX)]).unwrap();
        let updates: Vec<_> =
            nonces.iter().rev().map(put_nonce).chain(duties.iter().rev().map(put_duty)).collect();
        store.commit(&updates).unwrap();
    }
    let expected = RecoveredSentinel {
        nonces: nonces.into(),
        duties: duties.into(),
        spent: Some((2, U256::MAX)),
    };
    assert_eq!(of(&open(folder.path()), 1), expected);
}

#[test]
fn what_is_deleted_is_gone_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (kept, final_one) = (nonce(1, 6, Fate::Open), nonce(1, 5, Fate::Open));
    // The same exit and cause, but another task.
    let other_task = DutyId { task: Task::BlockOutput { index: 1 }, ..id(1) };
    let sibling = DutyRecord { id: other_task, ..duty(1, None) };
    let history = duty(1, Some(DutyOutcome::Done));
    store
        .commit(&[put_nonce(&kept), put_nonce(&final_one), put_duty(&history), put_duty(&sibling)])
        .unwrap();
    store
        .commit(&[
            delete_nonce(1, 5),
            delete_nonce(2, 6),
            SentinelUpdate::DeleteDuty(history.id).into(),
        ])
        .unwrap();
    drop(store);
    let found = of(&open(folder.path()), 1);
    assert_eq!((found.nonces, found.duties), (vec![kept], vec![sibling]));
}

#[test]
fn another_key_sends_nothing_of_the_one_before_and_forgets_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    // Neighbours in the order of bytes, and the last account there is.
    let accounts = [1, 2, 0xff];
    for account in accounts {
        store.commit(&[5, 6].map(|number| put_nonce(&nonce(account, number, Fate::Open)))).unwrap();
    }
    let done = duty(1, Some(DutyOutcome::Done));
    store.commit(&[put_duty(&done), put_spent(7, U256::from(300))]).unwrap();
    store.commit(&[delete_nonce(2, 5)]).unwrap();
    for (account, numbers) in [(1, vec![5, 6]), (2, vec![6]), (3, vec![]), (0xff, vec![5, 6])] {
        let found = of(&store, account);
        let expected = numbers.into_iter().map(|number| nonce(account, number, Fate::Open));
        assert_eq!(found.nonces, expected.collect::<Vec<_>>());
        assert_eq!(found.duties, std::slice::from_ref(&done));
        assert_eq!(found.spent, Some((7, U256::from(300))));
    }
}

#[test]
fn a_sentinel_ignores_what_was_read_for_another_key() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.commit(&[put_nonce(&nonce(1, 5, Fate::Open))]).unwrap();
    let needed = |account: u8, read_for: u8| {
        let config = SentinelConfig::default();
        let sentinel = Sentinel::restore(config, primitive(account), of(&store, read_for));
        (sentinel.status().in_flight, sentinel.receipts_needed(u64::MAX).len())
    };
    assert_eq!(needed(1, 1), (1, 1));
    assert_eq!(needed(2, 1), (0, 0));
    assert_eq!(needed(2, 2), (0, 0));
}

#[test]
fn a_store_from_before_the_sentinel_opens_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    {
        let columns = DB::list_cf(&Options::default(), folder.path()).unwrap();
        let mut db = DB::open_cf(&Options::default(), folder.path(), columns).unwrap();
        db.drop_cf("sentinel_nonces").unwrap();
        db.drop_cf("sentinel_duties").unwrap();
    }
    let store = open(folder.path());
    assert_eq!(of(&store, 1), RecoveredSentinel::default());
    let record = nonce(1, 5, Fate::Open);
    store.commit(&[put_nonce(&record)]).unwrap();
    assert_eq!(of(&store, 1).nonces, [record]);
}

fn any_offer() -> impl Strategy<Value = Offer> {
    let txhash = prop::option::of(any::<[u8; 32]>().prop_map(H256));
    let duty = prop_oneof![
        (any::<u8>(), any::<bool>()).prop_map(|(byte, is_fill)| (Some(id(byte)), is_fill)),
        Just((None, true)),
    ];
    (duty, any::<(u64, u128, u128)>(), txhash).prop_map(
        |((duty, is_fill), (gas_limit, max, tip), txhash)| {
            let fees = GasFees { max_fee_per_gas_wei: max, max_priority_fee_per_gas_wei: tip };
            Offer { duty, is_fill, gas_limit, fees, txhash }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn every_nonce_comes_back_with_all_its_offers(
        account: [u8; 20],
        number: u64,
        offers in prop::collection::vec(any_offer(), 1..40),
        exit in prop::option::of(any::<[u8; 20]>()),
        (height, gas_used, gas_price_wei, succeeded, seen_s) in any::<(u64, u64, u128, bool, u64)>(),
        is_mined: bool,
    ) {
        let eth_height = EthHeight::new(height);
        let receipt = Receipt { eth_height, gas_used, gas_price_wei, succeeded };
        let mined = Mined { txhash: H256([height as u8; 32]), receipt, seen_s };
        let record = NonceRecord {
            account: Address::from(account),
            nonce: number,
            offers,
            call: exit.map(|exit| Call::ProcessExits {
                vault_id: number,
                token: Address::from(exit),
                top_exit_id: Some(ExitId::from_bytes(exit)),
                exits_max: height,
            }),
            fate: if is_mined { Fate::Mined(mined) } else { Fate::Foreign { at: eth_height } },
        };
        let folder = tempfile::tempdir().unwrap();
        open(folder.path()).commit(&[put_nonce(&record)]).unwrap();
        prop_assert_eq!(open(folder.path()).sentinel(record.account).unwrap().nonces, [record]);
    }
}
