//! What tests order for a Sentinel, and no real node does on demand.

use super::*;
use crate::fake_root_chain::Orphaned;
use crate::fake_root_chain::tests::now;
use crate::{ErrorKind, OldestCompetitor, RootChain, SentinelChain};
use plasma_core::root_chain::{EventKind, RootChainEvent};
use plasma_core::sentinel::RootChainFacts;
use plasma_core::wire::{ETH, EthHeight, UtxoPos};

const ACCOUNT: Address = Address::repeat_byte(0x5e);
const FEES: GasFees =
    GasFees { max_fee_per_gas_wei: 3_000_000_000, max_priority_fee_per_gas_wei: 500_000_000 };

fn call(number: u64) -> Call {
    Call::DeleteNonPiggybackedInFlightExit { exit_id: ExitId::from_u256(number.into()) }
}

fn tx(nonce: u64) -> Transaction {
    Transaction { nonce, call: Some(call(nonce)), gas_limit: 250_000, fees: FEES }
}

fn send(port: &FakeSentinelChain, transaction: &Transaction) -> (H256, SubmitOutcome) {
    let (txhash, outcome) = now(port.send(transaction));
    (txhash, outcome.unwrap())
}

fn facts(port: &FakeSentinelChain, receipts_needed: &[H256]) -> RootChainFacts {
    let account = now(port.account()).unwrap();
    now(port.facts(&account, receipts_needed)).unwrap()
}

/// Nonce, and whether it went through.
fn mined(port: &FakeSentinelChain) -> Vec<(u64, bool)> {
    port.mined().iter().map(|call| (call.transaction.nonce, call.receipt.succeeded)).collect()
}

fn reverts(reason: &str) -> Checked {
    Checked::Reverts { reason: reason.to_owned() }
}

#[test]
fn what_was_mined_is_listed_and_paid_for() {
    let chain = FakeRootChain::new(1);
    let port = chain.sentinel(ACCOUNT);
    port.set_balance(U256::exp10(18));
    let sent = [tx(0), tx(1)].map(|tx| (send(&port, &tx).0, tx));
    assert_eq!(port.pooled(), [sent[0].1.clone(), sent[1].1.clone()]);
    chain.mine(1);
    let listed = port.mined();
    let found: Vec<_> = listed.iter().map(|call| (call.txhash, call.transaction.clone())).collect();
    assert_eq!((found, port.pooled()), (sent.to_vec(), vec![]));
    // The base fee and the tip, which together are below the most that is offered.
    assert!(listed.iter().all(|call| call.receipt.gas_price_wei == 1_500_000_000));
    let paid = U256::from(2 * CALL_GAS) * 1_500_000_000;
    let told = facts(&port, &[sent[1].0]);
    assert_eq!(told.balance_wei + paid, U256::exp10(18));
    assert_eq!(told.receipts.into_iter().collect::<Vec<_>>(), [(sent[1].0, listed[1].receipt)]);
    // Another account has seen nothing of it.
    let other = chain.sentinel(Address::repeat_byte(1));
    assert_eq!((mined(&other), now(other.account()).unwrap().nonce), (vec![], 0));
}

#[test]
fn the_contracts_say_what_the_test_wants() {
    let port = FakeRootChain::new(1).sentinel(ACCOUNT);
    let check = |number| now(port.check(&call(number))).unwrap();
    assert_eq!(check(1), Checked::Passes { gas: CALL_GAS });
    port.set_check(call(1).name(), reverts("all"));
    port.set_check_of(call(2), Checked::Passes { gas: 7 });
    port.set_check_of(call(2), reverts("this"));
    assert_eq!((check(1), check(2)), (reverts("all"), reverts("this")));
    let other = Call::ProcessExits { vault_id: 1, token: ETH, top_exit_id: None, exits_max: 1 };
    assert_eq!(now(port.check(&other)).unwrap(), Checked::Passes { gas: CALL_GAS });
}

#[test]
fn a_call_fails_in_its_block_when_somebody_was_faster_or_gas_is_short() {
    let chain = FakeRootChain::new(1);
    let port = chain.sentinel(ACCOUNT);
    for nonce in 0..3 {
        send(&port, &tx(nonce));
    }
    port.set_check_of(call(0), reverts("somebody was faster"));
    port.set_check_of(call(1), Checked::Passes { gas: 250_001 });
    chain.mine(1);
    assert_eq!(mined(&port), [(0, false), (1, false), (2, true)]);
    let gas: Vec<_> = port.mined().iter().map(|call| call.receipt.gas_used).collect();
    assert_eq!(gas, [CALL_GAS, 250_000, CALL_GAS]);
}

#[test]
fn orphaned_calls_wait_again_or_are_forgotten() {
    for (orphaned, waiting) in [(Orphaned::BackToPool, 2), (Orphaned::Dropped, 0)] {
        let chain = FakeRootChain::new(1);
        let port = chain.sentinel(ACCOUNT);
        let balance_wei = facts(&port, &[]).balance_wei;
        let sent: Vec<_> = [0, 1].map(|nonce| send(&port, &tx(nonce)).0).to_vec();
        chain.mine(1);
        let first: Vec<_> = port.mined();
        chain.reorg(1, orphaned);
        let told = facts(&port, &sent);
        assert_eq!((told.account_nonce, told.receipts.len(), mined(&port)), (0, 0, vec![]));
        assert_eq!((told.balance_wei, told.pending_nonce), (balance_wei, waiting));
        chain.mine(1);
        let again: Vec<_> = port.mined().iter().map(|call| call.txhash).collect();
        assert_eq!(again.len(), usize::try_from(waiting).unwrap());
        assert!(again.iter().zip(&first).all(|(txhash, before)| *txhash == before.txhash));
    }
}

#[test]
fn a_key_that_is_used_elsewhere_takes_the_nonce() {
    let chain = FakeRootChain::new(1);
    let port = chain.sentinel(ACCOUNT);
    let (txhash, _) = send(&port, &tx(0));
    port.spend_nonce();
    assert_eq!((port.pooled(), mined(&port)), (vec![], vec![]));
    let told = facts(&port, &[txhash]);
    assert_eq!((told.account_nonce, told.pending_nonce, told.receipts.len()), (1, 1, 0));
    assert_eq!(send(&port, &tx(0)), (txhash, SubmitOutcome::NonceTooLow));
}

#[test]
fn answers_fail_get_lost_or_are_scripted_and_the_hash_is_known() {
    let chain = FakeRootChain::new(1);
    let port = chain.sentinel(ACCOUNT);
    let outcome = |expected: &str| {
        let (txhash, outcome) = now(port.send(&tx(0)));
        let found = match &outcome {
            Ok(outcome) => format!("{outcome:?}"),
            Err(error) => error.cause().code().to_owned(),
        };
        assert!(found.starts_with(expected), "{found}");
        txhash
    };
    chain.go_away();
    let away = outcome("unreachable");
    assert!(now(port.account()).is_err() && now(port.check(&call(0))).is_err());
    chain.come_back();
    chain.fail_next(1, ErrorKind::Permanent);
    let mut hashes = vec![away, outcome("refused")];
    port.answer_next(SubmitOutcome::Underpriced);
    hashes.push(outcome("Underpriced"));
    assert_eq!(port.pooled(), []);
    port.lose_next_answers(1);
    hashes.extend([outcome("timeout"), outcome("AlreadyKnown")]);
    port.drop_pool();
    hashes.push(outcome("Accepted"));
    hashes.dedup();
    assert_eq!(hashes.len(), 1);
}

#[test]
fn nodes_behind_do_not_know_newer_blocks() {
    let chain = FakeRootChain::new(1);
    let port = chain.sentinel(ACCOUNT);
    chain.mine(3);
    let newest = now(port.account()).unwrap();
    chain.set_cluster(&[1]);
    let behind = now(port.account()).unwrap();
    assert_eq!(behind.block.eth_height.plus(1), newest.block.eth_height);
    assert_eq!(now(port.facts(&newest, &[])).unwrap_err().kind(), ErrorKind::Transient);
    assert!(now(port.facts(&behind, &[])).is_ok());
}

#[test]
fn records_and_queues_are_the_word_of_the_test() {
    let port = FakeRootChain::new(1).sentinel(ACCOUNT);
    let ids = [1_u64, 2].map(|number| ExitId::from_u256(number.into()));
    let standard = StandardExitRecord {
        exitable: true,
        position: UtxoPos::deposit(plasma_core::wire::Blknum::new(1)),
        output_id: H256::zero(),
        exitor: ACCOUNT,
        amount: U256::one(),
        bond_wei: U256::one(),
    };
    let in_flight = InFlightExitRecord {
        is_canonical: true,
        started_at_s: 1,
        exit_map: U256::zero(),
        position: standard.position,
        inputs: vec![],
        outputs: vec![],
        bond_owner: ACCOUNT,
        bond_wei: U256::one(),
        oldest_competitor: OldestCompetitor::None,
    };
    let priority = ExitPriority::new(9, standard.position, ids[0]);
    let queues = [(1, ETH), (2, ACCOUNT)];
    for set in [true, false] {
        port.set_standard_exit(ids[1], set.then_some(standard));
        port.set_in_flight_exit(ids[1], set.then(|| in_flight.clone()));
        port.set_next_exit(queues[1], set.then_some(priority));
        assert_eq!(now(port.standard_exits(&ids)).unwrap(), [None, set.then_some(standard)]);
        let expected = [None, set.then(|| in_flight.clone())];
        assert_eq!(now(port.in_flight_exits(&ids)).unwrap(), expected);
        assert_eq!(now(port.next_exits(&queues)).unwrap(), [None, set.then_some(priority)]);
    }
}

#[test]
fn events_of_in_flight_exits_are_told_as_they_are() {
    let chain = FakeRootChain::new(1);
    let event = RootChainEvent::InFlightExitDeleted { exit_id: ExitId::from_u256(5.into()) };
    let txhash = chain.tell(event.clone());
    let height = chain.newest_block().eth_height;
    let kinds = [EventKind::InFlightExitDeleted, EventKind::ExitFinalized];
    let events = now(chain.events(&kinds, EthHeight::new(0), height)).unwrap();
    let told: Vec<_> = events.into_iter().map(|e| (e.root_chain_txhash, e.event)).collect();
    assert_eq!(told, [(txhash, event)]);
}
