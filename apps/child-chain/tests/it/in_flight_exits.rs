//! In-flight exits take inputs off the ledger when they start, and outputs when they are piggybacked, and nothing else.

use crate::kit::{Operator, World};
use crate::wallet::{self, alice, bob};
use plasma_core::root_chain::{InFlightExitStart, PiggybackSlot, RootChainEvent};
use plasma_core::wire::{
    Address, Blknum, ExitId, H256, OutputIndex, SecretKey, SignedTx, TxIndex, UtxoPos, keccak256,
};
use plasma_rpc::child_chain::SubmitAnswer;

const GONE: &str = "submit:utxo_not_found";
const OUTPUT: PiggybackSlot = PiggybackSlot::output(0);

fn mallory() -> Address {
    Address::repeat_byte(0x66)
}

/// A payment of Alice's deposits, 10 each, to Bob and back to her, with a fee of 1.
fn split(deposits: &[UtxoPos]) -> SignedTx {
    let left = 10 * u64::try_from(deposits.len()).unwrap() - 5;
    let outputs = [(bob().address(), 4), (alice().address(), left)];
    wallet::decode(&wallet::payment(&alice(), deposits, &outputs))
}

/// A payment of one output, of which 1 is the fee.
fn spend(owner: &SecretKey, position: UtxoPos, amount: u64) -> Vec<u8> {
    wallet::payment(owner, &[position], &[(mallory(), amount - 1)])
}

fn second_output(answer: &SubmitAnswer) -> UtxoPos {
    UtxoPos { oindex: OutputIndex::new(1), ..wallet::output(answer) }
}

/// Whatever is accepted stays in the pending block, also across restarts.
fn form_no_blocks(world: &mut World) {
    world.config.block_queue.block_txs_min = 1_000;
    world.config.block_queue.force_form_after_ms = 3_600_000;
}

async fn deposits<const N: usize>(world: &World, operator: &Operator) -> [UtxoPos; N] {
    let minted = world.deposit(operator, &[alice().address(); N], 10).await;
    minted.try_into().unwrap()
}

#[actix::test]
async fn inputs_of_an_exit_that_started_can_no_longer_be_spent() {
    let world = World::new().await;
    let operator = world.start().await;
    let [first, second, change_of] = deposits(&world, &operator).await;
    // An input that is a deposit, and one that is not.
    let paid = operator.submit(&wallet::to_bob(change_of, 10)).await.unwrap();
    let bobs = wallet::output(&paid);
    world.check(&operator, &[paid]).await;

    let in_flight = split(&[first, second]);
    let of_bobs = wallet::decode(&spend(&bob(), bobs, 9));
    world.chain.in_flight_exit_started(mallory(), &in_flight, &[]);
    world.chain.in_flight_exit_started(mallory(), &of_bobs, &[]);
    world.confirm(&operator).await;
    let refused = [
        spend(&alice(), first, 10),
        spend(&alice(), second, 10),
        in_flight.as_bytes().to_vec(),
        of_bobs.as_bytes().to_vec(),
        wallet::payment(&bob(), &[bobs], &[(alice().address(), 8)]),
    ];
    for transaction in &refused {
        assert_eq!(operator.refusal(transaction).await, GONE);
    }

    operator.stop().await;
    let operator = world.start().await;
    for transaction in &refused {
        assert_eq!(operator.refusal(transaction).await, GONE, "after a restart");
    }
    // It will never be included, so its outputs will never be there.
    world.chain.in_flight_piggybacked(&in_flight, PiggybackSlot::input(0), alice().address());
    world.chain.in_flight_piggybacked(&in_flight, OUTPUT, bob().address());
    world.confirm(&operator).await;
    let [other] = deposits(&world, &operator).await;
    let accepted = operator.submit(&spend(&alice(), other, 10)).await.unwrap();
    world.check(&operator, &[paid, accepted]).await;
    assert_eq!(operator.tree_starts().await, 1);
    operator.stop().await;
}

/// When things happen to the transaction that is in flight.
#[derive(Clone, Copy, Debug, Default)]
struct Timing {
    /// It is included after its exit started, in the time that the events need to become final.
    included_after_start: bool,
    /// It is in the pending block all the time.
    pending: bool,
    /// The node restarts after the start.
    restart_after_start: bool,
    /// Start and piggyback are read at once.
    one_batch: bool,
}

async fn a_piggybacked_output_leaves(timing: Timing) {
    let mut world = World::new().await;
    if timing.pending {
        form_no_blocks(&mut world);
    }
    let mut operator = world.start().await;
    let [deposit] = deposits(&world, &operator).await;
    let tx = split(&[deposit]);
    if timing.included_after_start {
        world.chain.in_flight_exit_started(mallory(), &tx, &[]);
    }
    let included = operator.submit(tx.as_bytes()).await.unwrap();
    if !timing.pending {
        world.check(&operator, &[included]).await;
    }
    if !timing.included_after_start {
        world.chain.in_flight_exit_started(mallory(), &tx, &[]);
    }
    if !timing.one_batch {
        world.confirm(&operator).await;
    }
    if timing.restart_after_start {
        operator.stop().await;
        operator = world.start().await;
    }
    world.chain.mine_block(|block| {
        // A piggyback of the other side must not hide the one that counts.
        block.in_flight_piggybacked(&tx, PiggybackSlot::input(0), alice().address());
        block.in_flight_piggybacked(&tx, OUTPUT, bob().address());
    });
    world.confirm(&operator).await;

    let bobs = spend(&bob(), wallet::output(&included), 4);
    assert_eq!(operator.refusal(&bobs).await, GONE, "{timing:?}");
    let alices = spend(&alice(), second_output(&included), 5);
    let accepted = operator.submit(&alices).await.unwrap();
    if !timing.pending {
        world.check(&operator, &[included, accepted]).await;
    }
    assert_eq!(operator.tree_starts().await, 1, "{timing:?}");
    operator.stop().await;
}

#[actix::test]
async fn an_output_leaves_when_it_is_piggybacked_whenever_the_transaction_was_included() {
    let usual = Timing::default();
    a_piggybacked_output_leaves(usual).await;
    a_piggybacked_output_leaves(Timing { one_batch: true, ..usual }).await;
    a_piggybacked_output_leaves(Timing { restart_after_start: true, ..usual }).await;
    let late = Timing { included_after_start: true, ..usual };
    a_piggybacked_output_leaves(late).await;
    a_piggybacked_output_leaves(Timing { one_batch: true, ..late }).await;
}

#[actix::test]
async fn an_output_of_the_pending_block_leaves_as_well() {
    let usual = Timing { pending: true, ..Timing::default() };
    a_piggybacked_output_leaves(usual).await;
    a_piggybacked_output_leaves(Timing { one_batch: true, ..usual }).await;
    a_piggybacked_output_leaves(Timing { restart_after_start: true, ..usual }).await;
}

#[actix::test]
async fn what_was_accepted_before_an_exit_of_its_input_stays_in_the_pending_block() {
    let mut world = World::new().await;
    let usual = world.config.block_queue;
    form_no_blocks(&mut world);
    let operator = world.start().await;
    let [spent, left] = deposits(&world, &operator).await;
    let accepted = operator.submit(&wallet::to_bob(spent, 10)).await.unwrap();
    world.chain.in_flight_exit_started(mallory(), &split(&[spent, left]), &[]);
    world.confirm(&operator).await;
    assert_eq!(operator.refusal(&wallet::to_bob(left, 10)).await, GONE);
    let spend_of_it = spend(&bob(), wallet::output(&accepted), 9);
    let next = operator.submit(&spend_of_it).await.unwrap();
    operator.stop().await;

    world.config.block_queue = usual;
    let operator = world.start().await;
    world.check(&operator, &[accepted, next]).await;
    operator.stop().await;
}

#[actix::test]
async fn the_same_events_again_change_nothing() {
    let world = World::new().await;
    world.chain.duplicate_events(true);
    let operator = world.start().await;
    let [deposit, exiting, other] = deposits(&world, &operator).await;
    let tx = split(&[deposit]);
    let included = operator.submit(tx.as_bytes()).await.unwrap();
    world.check(&operator, &[included]).await;
    for _ in 0..2 {
        // An exit can start again when it was deleted.
        world.chain.mine_block(|block| {
            for _ in 0..2 {
                block.in_flight_exit_started(mallory(), &tx, &[]);
                block.in_flight_exit_started(mallory(), &split(&[exiting]), &[]);
                block.in_flight_piggybacked(&tx, OUTPUT, bob().address());
            }
        });
        world.confirm(&operator).await;
        assert_eq!(operator.refusal(&spend(&bob(), wallet::output(&included), 4)).await, GONE);
        assert_eq!(operator.refusal(&wallet::to_bob(exiting, 10)).await, GONE);
    }
    let accepted = [
        operator.submit(&spend(&alice(), second_output(&included), 5)).await.unwrap(),
        operator.submit(&wallet::to_bob(other, 10)).await.unwrap(),
    ];
    world.check(&operator, &[&[included][..], &accepted].concat()).await;
    assert_eq!(operator.tree_starts().await, 1);
    operator.stop().await;
}

#[actix::test]
async fn an_output_that_a_standard_exit_took_is_not_taken_again() {
    let world = World::new().await;
    let operator = world.start().await;
    let [both, left] = deposits(&world, &operator).await;
    world.chain.mine_block(|block| {
        block.exit_started(alice().address(), both, b"a deposit");
        block.in_flight_exit_started(mallory(), &split(&[both, left]), &[]);
    });
    world.confirm(&operator).await;
    for deposit in [both, left] {
        assert_eq!(operator.refusal(&wallet::to_bob(deposit, 10)).await, GONE);
    }
    assert_eq!(operator.tree_starts().await, 1);
    operator.stop().await;
}

#[actix::test]
async fn exits_that_no_contract_would_let_start_change_nothing() {
    let world = World::new().await;
    let operator = world.start().await;
    let [spent, deposit] = deposits(&world, &operator).await;
    let paid = operator.submit(&wallet::to_bob(spent, 10)).await.unwrap();
    world.check(&operator, &[paid]).await;
    let unknown = |blknum, txindex, oindex| {
        UtxoPos::new(Blknum::new(blknum), TxIndex::new(txindex), OutputIndex::new(oindex))
    };
    let garbage = |seed: u8, tx_hash: H256, input_positions: Vec<UtxoPos>| {
        RootChainEvent::InFlightExitStarted(Box::new(InFlightExitStart {
            exit_id: ExitId::from_bytes([seed; 20]),
            tx_hash,
            initiator: mallory(),
            started_at_s: u64::MAX,
            tx_bytes: vec![seed; 1_000].into(),
            input_positions,
            witnesses: vec![[seed].into(); 7],
            input_txs: Vec::new(),
        }))
    };
    let piggyback = |seed: u8, slot| RootChainEvent::InFlightExitPiggybacked {
        exit_id: ExitId::from_bytes([seed; 20]),
        tx_hash: H256::zero(),
        slot,
        exit_target: mallory(),
        exitable_at_s: 0,
    };
    world.chain.mine_block(|block| {
        block.event(garbage(0xff, H256::zero(), Vec::new()));
        block.event(piggyback(0xff, PiggybackSlot::output(u16::MAX)));
        let nowhere = vec![unknown(77, 0, 0), unknown(99_000, 3, 9), unknown(u64::MAX, 0, 0)];
        block.event(garbage(0, keccak256(b"nothing"), nowhere));
        block.event(piggyback(0, OUTPUT));
        // The hash of what spent the input, and an output it does not have.
        block.event(garbage(0xfe, paid.txhash, vec![spent; 100]));
        block.event(piggyback(0xfe, PiggybackSlot::output(3)));
        // Of an exit that never started.
        block.event(piggyback(0x11, OUTPUT));
    });
    world.confirm(&operator).await;
    let spend_of_paid = spend(&bob(), wallet::output(&paid), 9);
    let accepted = [
        operator.submit(&wallet::to_bob(deposit, 10)).await.unwrap(),
        operator.submit(&spend_of_paid).await.unwrap(),
    ];
    world.check(&operator, &accepted).await;
    assert_eq!(operator.tree_starts().await, 1);
    operator.stop().await;
}
