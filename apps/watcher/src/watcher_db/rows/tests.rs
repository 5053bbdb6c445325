//! Which rows entries make.

use super::*;
use plasma_core::root_chain::PiggybackSlot;
use plasma_core::wire::{ETH, ExitId, InputPointer, Output, PaymentTx, Signature};

const ALICE: Address = Address::repeat_byte(0xa);
const BOB: Address = Address::repeat_byte(0xb);

fn batch(facts: impl IntoIterator<Item = (JournalFact, Vec<Box<[u8]>>)>) -> Batch {
    let entries = facts.into_iter().zip(1..).map(|((fact, body), seq)| {
        (JournalSeq(seq), JournalEntry { at_ms: 1_000 + seq, fact }, body)
    });
    Batch { entries: entries.collect() }
}

fn event(event: RootChainEvent) -> (JournalFact, Vec<Box<[u8]>>) {
    let event = EthEvent {
        eth_height: EthHeight::new(7),
        eth_block_hash: H256::zero(),
        root_chain_txhash: H256::repeat_byte(0xab),
        log_index: 12,
        event,
    };
    (JournalFact::RootChain(Box::new(event)), Vec::new())
}

fn deposit() -> (JournalFact, Vec<Box<[u8]>>) {
    event(RootChainEvent::DepositCreated {
        depositor: ALICE,
        blknum: Blknum::new(1),
        currency: ETH,
        amount: U256::from(10),
    })
}

fn payment(input: UtxoPos, to: Address) -> Box<[u8]> {
    let payment = PaymentTx {
        inputs: [InputPointer::from(input)].into_iter().collect(),
        outputs: [Output::payment(to, ETH, U256::from(10))].into_iter().collect(),
        metadata: H256::zero(),
    };
    let signature = Signature::from_bytes([1; 65]);
    SignedTx::new(Transaction::Payment(payment), &[signature]).unwrap().as_bytes().into()
}

fn block(blknum: u64, tx_count: u32, body: Vec<Box<[u8]>>) -> (JournalFact, Vec<Box<[u8]>>) {
    let block = JournalBlock {
        blknum: Blknum::new(blknum),
        hash: H256::zero(),
        tx_count,
        eth_height: EthHeight::new(8),
        timestamp_s: 99,
    };
    (JournalFact::Block(block), body)
}

fn at(blknum: u64, txindex: u32) -> UtxoPos {
    UtxoPos::new(Blknum::new(blknum), TxIndex::new(txindex), OutputIndex::new(0))
}

#[test]
fn what_is_spent_in_its_own_batch_is_spent_in_its_row() {
    let body = vec![payment(UtxoPos::deposit(Blknum::new(1)), BOB), payment(at(1_000, 0), ALICE)];
    let rows = batch([deposit(), block(1_000, 2, body)]).rows().unwrap();
    assert!(rows.spends.is_empty());
    let spent: Vec<bool> = rows.outputs.iter().map(|output| output.spent.is_some()).collect();
    assert_eq!(spent, [true, true, false]);
    let times: Vec<_> =
        rows.outputs.iter().map(|output| (output.inserted_ms, output.updated_ms)).collect();
    assert_eq!(times, [(1_001, 1_002), (1_002, 1_002), (1_002, 1_002)]);
    let concerned: Vec<_> =
        rows.account_transactions.iter().map(|row| (row.account, row.txindex.get())).collect();
    assert_eq!(concerned, [(ALICE, 0), (ALICE, 1), (BOB, 0), (BOB, 1)]);
}

#[test]
fn what_an_older_batch_made_is_a_spend() {
    let body = vec![payment(UtxoPos::deposit(Blknum::new(1)), BOB)];
    let rows = batch([block(1_000, 1, body)]).rows().unwrap();
    let [spend] = rows.spends.as_slice() else { panic!("{:?}", rows.spends) };
    assert_eq!(spend.position, UtxoPos::deposit(Blknum::new(1)));
    assert_eq!(spend.by, (1, Blknum::new(1_000), TxIndex::new(0)));
    assert_eq!(spend.txhash, rows.transactions[0].txhash);
}

#[test]
fn events_become_rows_with_links() {
    let joined = |slot| RootChainEvent::InFlightExitPiggybacked {
        exit_id: ExitId::from_u256(U256::one()),
        tx_hash: H256::repeat_byte(5),
        slot,
        exit_target: ALICE,
        exitable_at_s: 0,
    };
    let exit = RootChainEvent::ExitStarted {
        owner: ALICE,
        exit_id: ExitId::from_u256(U256::one()),
        position: at(1_000, 3),
        output_tx: Box::default(),
        exitable_at_s: 0,
    };
    for (facts, expected, links, piggybacks) in [
        (deposit(), Some("deposit"), 1, 0),
        (event(exit), Some("standard_exit"), 1, 0),
        (event(joined(PiggybackSlot::output(1))), Some("in_flight_exit"), 0, 1),
        (event(joined(PiggybackSlot::input(1))), None, 0, 0),
        (event(RootChainEvent::ExitChallenged { position: at(1, 0) }), None, 0, 0),
    ] {
        let rows = batch([facts]).rows().unwrap();
        assert_eq!(rows.events.first().map(|event| event.event_type), expected);
        assert_eq!((rows.links.len(), rows.piggybacks.len()), (links, piggybacks), "{expected:?}");
    }
}

#[test]
fn a_block_that_moved_is_changed_in_its_batch_or_later() {
    let moved = |eth_height| {
        let (blknum, eth_height) = (Blknum::new(1_000), EthHeight::new(eth_height));
        (JournalFact::BlockMoved { blknum, eth_height, timestamp_s: 5 }, Vec::new())
    };
    let rows = batch([block(1_000, 0, vec![]), moved(20), moved(21)]).rows().unwrap();
    assert_eq!((rows.blocks[0].eth_height.get(), rows.blocks[0].updated_ms), (21, 1_003));
    assert!(rows.moves.is_empty());
    let rows = batch([moved(20), moved(21)]).rows().unwrap();
    let [moved] = rows.last_moves()[..] else { panic!() };
    assert_eq!((moved.eth_height.get(), moved.at_ms), (21, 1_002));
}

#[test]
fn a_block_that_lacks_transactions_is_refused() {
    let error = batch([block(1_000, 2, vec![])]).rows().unwrap_err();
    assert!(matches!(error, RowsError::Incomplete { expected: 2, found: 0, .. }));
    let error = batch([block(1_000, 1, vec![Box::from([1_u8, 2])])]).rows().unwrap_err();
    assert!(matches!(error, RowsError::Transaction { txindex: 0, .. }));
}
