//! Every kind of record comes back as it was written, also after a restart.

use crate::{creation, open, payment, pos, primitive, tx_pos};
use plasma_core::db_update::{
    BlockGetterUpdate, BlockHeader, BlockQueueUpdate, ChainFault, DbUpdate, FaultKind,
    PendingRecord, Service, Spender, StateUpdate,
};
use plasma_core::exit_processor::{ExitProcessorUpdate, StandardExit, StandardExitPhase};
use plasma_core::wire::merkle::MerkleBuilder;
use plasma_core::wire::{Blknum, EthHeight, ExitId, H256, SignedTx, TxIndex, U256};
use proptest::prelude::*;

fn exit(phase: StandardExitPhase, position: u64, id: u8) -> StandardExit {
    StandardExit {
        exit_id: ExitId::from_bytes([id; 20]),
        position: pos(position, 3, 1),
        owner: primitive(1),
        currency: primitive(2),
        amount: U256::MAX,
        exiting_tx: payment(1, &[primitive(1)]),
        eth_height: EthHeight::new(77),
        log_index: 5,
        root_chain_txhash: H256::repeat_byte(9),
        exitable_at_s: u64::MAX,
        phase,
    }
}

fn put(exit: &StandardExit) -> DbUpdate {
    ExitProcessorUpdate::PutStandardExit(Box::new(exit.clone())).into()
}

#[test]
fn a_new_store_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert_eq!(store.pending().unwrap(), None);
    assert_eq!(store.fault().unwrap(), None);
    assert_eq!(store.nonce_offset().unwrap(), None);
    assert_eq!(store.newest_block().unwrap(), None);
    assert_eq!(store.block_by_hash(H256::zero()).unwrap(), None);
    assert_eq!(store.active_standard_exits().unwrap(), []);
    assert_eq!(store.output_fact(pos(1, 0, 0)).unwrap(), None);
    assert_eq!(store.inclusion_proof(tx_pos(pos(1, 0, 0))).unwrap(), None);
    assert_eq!(store.inclusion_proof(tx_pos(pos(1000, 0, 0))).unwrap(), None);
    for service in Service::ALL {
        assert_eq!(store.service_height(*service).unwrap(), None);
    }
}

#[test]
fn single_values_survive_a_restart_and_the_last_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let fault = |code: &str| ChainFault {
        blknum: Blknum::new(3000),
        hash: H256::repeat_byte(3),
        kind: FaultKind::InvalidBlock(code.to_owned()),
    };
    let withheld = ChainFault { kind: FaultKind::Withheld, ..fault("") };
    let store = open(folder.path());
    store
        .commit(&[
            BlockGetterUpdate::PutFault(fault("tx_execution")).into(),
            BlockGetterUpdate::PutQuarantinedUpTo(Blknum::new(5000)).into(),
            BlockGetterUpdate::PutQuarantinedUpTo(Blknum::new(4000)).into(),
            BlockQueueUpdate::PutNonceOffset(-3).into(),
        ])
        .unwrap();
    for (height, service) in (1..).zip(Service::ALL) {
        store.commit(&[DbUpdate::ServiceHeight(*service, EthHeight::new(height))]).unwrap();
    }
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.fault().unwrap(), Some(fault("tx_execution")));
    assert_eq!(store.quarantined_up_to().unwrap(), Some(Blknum::new(4000)));
    assert_eq!(store.nonce_offset().unwrap(), Some(-3));
    for (height, service) in (1..).zip(Service::ALL) {
        assert_eq!(store.service_height(*service).unwrap(), Some(EthHeight::new(height)));
    }
    store.commit(&[BlockGetterUpdate::PutFault(withheld.clone()).into()]).unwrap();
    assert_eq!(store.fault().unwrap(), Some(withheld));
}

#[test]
fn blocks_are_found_by_number_and_by_hash() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let header = |number, hash| BlockHeader {
        number: Blknum::new(number),
        hash: H256::repeat_byte(hash),
        tx_count: 1,
    };
    let (first, second, twin) = (header(1000, 1), header(2000, 2), header(3000, 1));
    let puts: Vec<DbUpdate> = [first, second, twin]
        .iter()
        .map(|header| StateUpdate::PutBlock(*header, vec![header.hash]).into())
        .collect();
    store.commit(&puts).unwrap();
    assert_eq!(store.block_header(Blknum::new(2000)).unwrap(), Some(second));
    assert_eq!(store.block_header(Blknum::new(1500)).unwrap(), None);
    assert_eq!(store.block_by_hash(H256::repeat_byte(2)).unwrap(), Some(second));
    assert_eq!(
        store.block_by_hash(H256::repeat_byte(1)).unwrap(),
        Some(twin),
        "the newest of two with the same contents"
    );
    assert_eq!(store.block_by_hash(H256::repeat_byte(9)).unwrap(), None);
    assert_eq!(store.newest_block().unwrap(), Some(twin));
    assert_eq!(store.block_headers(Blknum::new(1001), 10).unwrap(), [second, twin]);
    assert_eq!(store.block_headers(Blknum::new(0), 1).unwrap(), [first]);
}

#[test]
fn every_transaction_of_a_block_is_proven_from_its_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let transactions: Vec<Box<[u8]>> =
        (0..600).map(|salt| payment(salt, &[primitive(1)])).collect();
    let leaves = transactions.iter().map(|bytes| SignedTx::decode(bytes).unwrap().leaf());
    let tree = MerkleBuilder::from_leaves(leaves.clone()).unwrap();
    let number = Blknum::new(1000);
    let header = BlockHeader { number, hash: tree.root(), tx_count: 600 };
    let mut updates: Vec<DbUpdate> =
        vec![StateUpdate::PutBlock(header, tree.subtree_roots()).into()];
    for (txindex, bytes) in (0..).zip(&transactions) {
        updates
            .push(StateUpdate::PutTransaction(number, TxIndex::new(txindex), bytes.clone()).into());
    }
    // A neighbouring block must not be taken for this one.
    updates.extend(creation(primitive(1), pos(1001, 0, 0), 5));
    store.commit(&updates).unwrap();

    for (txindex, leaf) in (0..).zip(leaves).step_by(37) {
        let proof = store.inclusion_proof(tx_pos(pos(1000, txindex, 0))).unwrap().unwrap();
        assert!(proof.verify(leaf, txindex, header.hash), "{txindex}");
    }
    assert_eq!(store.inclusion_proof(tx_pos(pos(1000, 600, 0))).unwrap(), None);
    assert_eq!(store.inclusion_proof(tx_pos(pos(1000, u32::MAX, 0))).unwrap(), None);
    assert_eq!(store.transactions(number, 0, u32::MAX).unwrap(), transactions);
    assert_eq!(store.transactions(number, 598, 5).unwrap(), transactions[598..]);
    assert_eq!(store.transactions(number, 2, 3).unwrap(), transactions[2..5]);

    let deposit =
        SignedTx::decode(&store.transaction(tx_pos(pos(1001, 0, 0))).unwrap().unwrap()).unwrap();
    let places = [pos(1001, 0, 0), pos(9000, 0, 0), pos(1001, 0, 0)].map(tx_pos);
    let bytes = store.transaction(tx_pos(pos(1001, 0, 0))).unwrap();
    assert_eq!(store.transactions_at(&places).unwrap(), [bytes.clone(), None, bytes]);
    let root = MerkleBuilder::from_leaves([deposit.leaf()]).unwrap().root();
    let proof = store.inclusion_proof(tx_pos(pos(1001, 0, 0))).unwrap().unwrap();
    assert!(
        proof.verify(deposit.leaf(), 0, root),
        "a deposit is the only transaction of its block"
    );
    assert_eq!(store.inclusion_proof(tx_pos(pos(1001, 1, 0))).unwrap(), None);
}

#[test]
fn exits_are_found_by_output_and_id_and_only_active_ones_are_restored() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let active = exit(StandardExitPhase::Active, 1000, 1);
    let stolen = exit(StandardExitPhase::FinalizedInvalid, 2000, 2);
    let challenged = exit(StandardExitPhase::Challenged, 3000, 3);
    let paid = exit(StandardExitPhase::Finalized, 4000, 4);
    let omitted = exit(StandardExitPhase::Omitted, 5000, 5);
    let all = [&active, &stolen, &challenged, &paid, &omitted];
    store.commit(&all.map(put)).unwrap();
    assert_eq!(store.active_standard_exits().unwrap(), [active.clone(), stolen.clone()]);
    for exit in all {
        assert_eq!(store.standard_exit(exit.position).unwrap().as_ref(), Some(exit));
        assert_eq!(store.standard_exit_by_id(exit.exit_id).unwrap().as_ref(), Some(exit));
    }
    assert_eq!(store.standard_exit_by_id(ExitId::from_bytes([9; 20])).unwrap(), None);
    let positions = all.map(|exit| exit.position);
    let found = store.with_active_exits(&positions).unwrap();
    assert_eq!(found, [active.position, stolen.position].into());
    for phase in [StandardExitPhase::Finalized, StandardExitPhase::Omitted] {
        store.commit(&[put(&active)]).unwrap();
        assert_eq!(store.active_standard_exits().unwrap().len(), 2);
        let closed = StandardExit { phase, ..active.clone() };
        store.commit(&[put(&closed)]).unwrap();
        assert_eq!(store.with_active_exits(&positions).unwrap(), [stolen.position].into());
        assert_eq!(store.active_standard_exits().unwrap(), std::slice::from_ref(&stolen));
        assert_eq!(store.standard_exit(active.position).unwrap(), Some(closed));
    }
}

#[test]
fn spends_tell_transactions_from_exits() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let by_tx = Spender::Transaction(tx_pos(pos(2000, 65_535, 0)));
    let by_exit = Spender::Exit(ExitId::from_bytes([7; 20]));
    store
        .commit(&[
            StateUpdate::PutSpend(pos(1, 0, 0), by_tx).into(),
            StateUpdate::PutSpend(pos(2, 0, 0), by_exit).into(),
        ])
        .unwrap();
    assert_eq!(store.spender(pos(1, 0, 0)).unwrap(), Some(by_tx));
    assert_eq!(store.spender(pos(2, 0, 0)).unwrap(), Some(by_exit));
    assert_eq!(store.spender(pos(3, 0, 0)).unwrap(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_pending_block_comes_back_with_all_its_fees(
        blknum: u64,
        tx_count: u32,
        fees in proptest::collection::btree_map(any::<[u8; 20]>(), any::<[u8; 32]>(), 0..20),
    ) {
        let pending = PendingRecord {
            blknum: Blknum::new(blknum),
            tx_count,
            fees: fees.iter().map(|(currency, amount)| (currency.into(), U256::from_big_endian(amount))).collect(),
        };
        let folder = tempfile::tempdir().unwrap();
        open(folder.path()).commit(&[StateUpdate::PutPending(pending.clone()).into()]).unwrap();
        prop_assert_eq!(open(folder.path()).pending().unwrap(), Some(pending));
    }
}
