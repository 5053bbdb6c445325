//! What in-flight exits take off the operator's ledger (protocol 3.5, 4.1), in memory or not.

use crate::chain::{TestChain, Who::*, pay, pay_eth, pos};
use plasma_core::root_chain::{EthEvent, InFlightExitStart, PiggybackSlot, RootChainEvent};
use plasma_core::wire::{ETH, EthHeight, ExitId, H256, SignedTx, UtxoPos};

fn event(event: RootChainEvent) -> EthEvent {
    EthEvent {
        eth_height: EthHeight::new(7),
        eth_block_hash: H256::zero(),
        root_chain_txhash: H256::zero(),
        log_index: 0,
        event,
    }
}

fn started(signed: &[u8]) -> EthEvent {
    let signed = SignedTx::decode(signed).unwrap();
    let inputs = signed.transaction().inputs();
    event(RootChainEvent::InFlightExitStarted(Box::new(InFlightExitStart {
        exit_id: ExitId::in_flight(&signed.unsigned_bytes()),
        tx_hash: signed.hash(),
        initiator: Mallory.address(),
        started_at_s: 0,
        tx_bytes: signed.unsigned_bytes().into(),
        input_positions: inputs.iter().map(|input| input.position().unwrap()).collect(),
        witnesses: Vec::new(),
        input_txs: Vec::new(),
    })))
}

fn piggybacked(signed: &[u8], slot: PiggybackSlot) -> EthEvent {
    let signed = SignedTx::decode(signed).unwrap();
    event(RootChainEvent::InFlightExitPiggybacked {
        exit_id: ExitId::in_flight(&signed.unsigned_bytes()),
        tx_hash: signed.hash(),
        slot,
        exit_target: Alice.address(),
        exitable_at_s: 0,
    })
}

/// What was there to leave, and what was not.
fn taken(chain: &mut TestChain, events: &[EthEvent]) -> (Vec<UtxoPos>, Vec<UtxoPos>) {
    let outcome = chain.in_flight(events);
    let positions = |exits: Vec<plasma_core::state::Exiting>| {
        exits.into_iter().map(|exit| exit.position).collect()
    };
    (positions(outcome.valid), positions(outcome.invalid))
}

fn refused(chain: &mut TestChain, bytes: &[u8]) {
    assert_eq!(chain.submit(bytes), Err("utxo_not_found".to_owned()));
}

#[test]
fn the_inputs_of_an_in_flight_exit_cannot_be_spent() {
    let mut chain = TestChain::new();
    let (a, b) = (chain.deposit(Alice, ETH, 10), chain.deposit(Bob, ETH, 5));
    let tx = pay(&[(a, Alice), (b, Bob)], &[(Carol, ETH, 15)]);
    for is_cold in [false, true] {
        if is_cold {
            chain.crash();
        }
        assert_eq!(taken(&mut chain, &[started(&tx)]), (vec![a, b], vec![]));
        refused(&mut chain, &tx);
        refused(&mut chain, &pay_eth(a, Alice, Bob, 10));
    }
    let piggybacks =
        [piggybacked(&tx, PiggybackSlot::input(0)), piggybacked(&tx, PiggybackSlot::output(0))];
    assert_eq!(taken(&mut chain, &piggybacks), (vec![], vec![]), "it is in no block");
}

#[test]
fn a_competitor_that_was_accepted_first_stays() {
    let mut chain = TestChain::new();
    let (a, b) = (chain.deposit(Alice, ETH, 10), chain.deposit(Bob, ETH, 5));
    chain.submit(&pay_eth(a, Alice, Carol, 10)).unwrap();
    let tx = pay(&[(a, Alice), (b, Bob)], &[(Bob, ETH, 15)]);
    assert_eq!(taken(&mut chain, &[started(&tx)]), (vec![b], vec![a]));
    assert_eq!(chain.operator.pending_tx_count(), 1);
}

#[test]
fn the_piggybacked_output_of_an_included_transaction_cannot_be_spent_and_others_can() {
    for (is_pending, is_cold, is_one_batch) in [
        (false, false, false),
        (false, true, false),
        (false, true, true),
        (true, false, false),
        (true, true, true),
    ] {
        let mut chain = TestChain::new();
        let a = chain.deposit(Alice, ETH, 10);
        let tx = pay(&[(a, Alice)], &[(Bob, ETH, 4), (Carol, ETH, 6)]);
        chain.submit(&tx).unwrap();
        if !is_pending {
            chain.form_block();
        }
        if is_cold {
            chain.crash();
        }
        // Mixed with a piggyback of the other side, which must not hide it.
        let piggybacks = [
            piggybacked(&tx, PiggybackSlot::input(0)),
            piggybacked(&tx, PiggybackSlot::output(1)),
            piggybacked(&tx, PiggybackSlot::output(9)),
        ];
        let expected = (vec![pos(1000, 0, 1)], vec![pos(1000, 0, 9)]);
        if is_one_batch {
            let all = [&[started(&tx)][..], &piggybacks].concat();
            assert_eq!(taken(&mut chain, &all), expected);
        } else {
            assert_eq!(taken(&mut chain, &[started(&tx)]), (vec![], vec![]), "spent by itself");
            if is_cold {
                chain.crash();
            }
            assert_eq!(taken(&mut chain, &piggybacks), expected);
        }
        refused(&mut chain, &pay_eth(pos(1000, 0, 1), Carol, Bob, 6));
        assert!(chain.submit(&pay_eth(pos(1000, 0, 0), Bob, Alice, 4)).is_ok());
    }
}

#[test]
fn a_piggyback_without_its_start_has_no_effect() {
    let mut chain = TestChain::new();
    let a = chain.deposit(Alice, ETH, 10);
    let tx = pay_eth(a, Alice, Bob, 10);
    chain.submit(&tx).unwrap();
    chain.form_block();
    let events = [piggybacked(&tx, PiggybackSlot::output(0))];
    assert_eq!(taken(&mut chain, &events), (vec![], vec![]));
    assert!(chain.submit(&pay_eth(pos(1000, 0, 0), Bob, Alice, 10)).is_ok());
}
