//! The ledger's actor on a real store: what it answers is on disk, in the same order, whatever happens next.

use plasma_core::fees::AcceptedFees;
use plasma_core::state::{Accepted, Deposit, ExecError, Role};
use plasma_core::wire::{
    Address, Blknum, ETH, EthHeight, Output, OutputIndex, PaymentTx, RecoveredTx, SecretKey,
    SignedTx, TxIndex, TypedDataDomain, U256, UtxoPos,
};
use plasma_node::core_actor::{Fatal, Order, Unanswered};
use plasma_node::recover::recover_all;
use plasma_node::state::{RestoreStateError, StateHandle, start_state};
use plasma_node::supervisor::{
    BuildError, Nursery, Published, RestartBudget, publisher, supervise,
};
use plasma_store::{NodeKind, Store, StoreConfig, StoreIdentity};
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::oneshot;

const BUDGET: RestartBudget = RestartBudget { restarts_max: 50, window_s: 600 };
const DEPOSITS: u64 = 300;

#[derive(Debug, Error)]
#[error(transparent)]
struct BuildFailed(#[from] RestoreStateError);

impl BuildError for BuildFailed {
    fn is_transient(&self) -> bool {
        false
    }
}

fn alice() -> SecretKey {
    SecretKey::from_bytes([1; 32]).unwrap()
}

fn domain() -> TypedDataDomain {
    TypedDataDomain::new(Address::repeat_byte(0xee))
}

fn role() -> Role {
    Role::Operator { fee_claimer: Address::repeat_byte(0xfe) }
}

fn open(path: &std::path::Path) -> Store {
    let identity = StoreIdentity {
        node: NodeKind::ChildChain,
        chain_id: 1,
        plasma_framework: Address::repeat_byte(0xee),
    };
    Store::open(path, &identity, &StoreConfig::default()).unwrap()
}

/// Alice sends the one output of a position to herself.
fn payment(position: UtxoPos) -> Vec<u8> {
    let mut payment = PaymentTx {
        inputs: [position.into()].into_iter().collect(),
        outputs: Default::default(),
        metadata: Default::default(),
    };
    payment.outputs.push(Output::payment(alice().address(), ETH, U256::one()));
    SignedTx::sign_payment(payment, &[&alice()], &domain()).unwrap().as_bytes().to_vec()
}

async fn recovered(positions: impl IntoIterator<Item = UtxoPos>) -> Vec<RecoveredTx> {
    let bytes: Vec<Vec<u8>> = positions.into_iter().map(payment).collect();
    let recovered = recover_all(bytes, Arc::new(domain())).await;
    recovered.into_iter().map(Result::unwrap).collect()
}

async fn exec(
    state: &StateHandle,
    transactions: Vec<RecoveredTx>,
) -> Result<Vec<Result<Accepted, ExecError>>, Unanswered> {
    state.exec(transactions, Arc::new(AcceptedFees::default())).await
}

async fn deposit_all(state: &StateHandle) {
    let deposit = |blknum| Deposit {
        blknum: Blknum::new(blknum),
        owner: alice().address(),
        currency: ETH,
        amount: U256::one(),
    };
    state.deposit((1..=DEPOSITS).map(deposit).collect(), EthHeight::new(7)).await.unwrap();
}

fn deposited(blknum: u64) -> UtxoPos {
    UtxoPos::deposit(Blknum::new(blknum))
}

/// Runs the ledger on a store in a fresh folder.
async fn with_ledger(act: impl AsyncFnOnce(Published<StateHandle>, Store)) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (publish, published) = publisher();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        // A dropped sender is a shutdown as well.
        let _ = stopped.await;
    };
    let build =
        async |nursery: &mut Nursery| Ok::<_, BuildFailed>(start_state(role(), &store, nursery)?);
    let acting = async {
        act(published, store.clone()).await;
        drop(stop);
    };
    let (ended, ()) = tokio::join!(supervise(build, publish, BUDGET, shutdown), acting);
    ended.unwrap();
}

#[actix::test]
async fn what_is_answered_is_on_disk_and_a_restart_continues_behind_it() {
    with_ledger(async |mut tree, store| {
        let mut state = tree.wait().await.unwrap();
        deposit_all(&state).await;
        let mut next = TxIndex::new(0);
        for round in 0..4_u64 {
            let first = 1 + round * 50;
            let payments = recovered((first..first + 50).map(deposited)).await;
            let answers = exec(&state, payments).await.unwrap();
            for answer in answers {
                assert_eq!(answer.unwrap().txindex, next);
                next = TxIndex::new(next.get() + 1);
            }
            assert_eq!(store.pending().unwrap().unwrap().tx_count, next.get());
            assert!(tree.crash("state"));
            tree.wait_down().await;
            state = tree.wait().await.unwrap();
        }
        let again = exec(&state, recovered([deposited(1)]).await).await.unwrap();
        assert_eq!(again, [Err(ExecError::UtxoNotFound { position: deposited(1) })]);
        let header = state.form_block().await.unwrap().unwrap();
        assert_eq!((header.number, header.tx_count), (Blknum::new(1_000), 200));
        assert_eq!(store.newest_block().unwrap(), Some(header));
        assert_eq!(state.form_block().await.unwrap(), None, "an empty block");
    })
    .await;
}

#[actix::test]
async fn a_crash_at_any_moment_loses_nothing_that_was_answered() {
    with_ledger(async |mut tree, store| {
        deposit_all(&tree.wait().await.unwrap()).await;
        let payments = recovered((1..=DEPOSITS).map(deposited)).await;
        let mut answered = Vec::new();
        for (number, chunk) in payments.chunks(20).enumerate() {
            let state = tree.wait().await.unwrap();
            let (first, second) = chunk.split_at(10);
            let asking =
                async { tokio::join!(exec(&state, first.to_vec()), exec(&state, second.to_vec())) };
            let crashing = async {
                if number % 2 == 0 {
                    tree.crash("state");
                }
            };
            let ((first, second), ()) = tokio::join!(asking, crashing);
            for answers in [first, second] {
                match answers {
                    Ok(answers) => answered.extend(answers.into_iter().map(Result::unwrap)),
                    Err(unanswered) => assert_eq!(unanswered, Unanswered::Restarting),
                }
            }
            if number % 2 == 0 {
                tree.wait_down().await;
            }
        }
        let state = tree.wait().await.unwrap();
        let header = state.form_block().await.unwrap().unwrap();
        let stored = store.transactions(header.number, 0, header.tx_count).unwrap();
        assert!(answered.len() >= 140, "half of them were not disturbed");
        for accepted in answered {
            let bytes = &stored[accepted.txindex.get() as usize];
            assert_eq!(SignedTx::decode(bytes).unwrap().hash(), accepted.tx_hash);
        }
    })
    .await;
}

#[actix::test]
async fn outputs_of_an_unformed_block_are_spendable_at_once() {
    with_ledger(async |mut tree, _| {
        let state = tree.wait().await.unwrap();
        deposit_all(&state).await;
        let pending =
            |txindex| UtxoPos::new(Blknum::new(1_000), TxIndex::new(txindex), OutputIndex::new(0));
        let chain = recovered([deposited(1), pending(0), pending(1), pending(0)]).await;
        let answers = exec(&state, chain).await.unwrap();
        assert_eq!(answers[3], Err(ExecError::UtxoNotFound { position: pending(0) }));
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3);
        assert_eq!(state.pending().borrow().tx_count, 3);
    })
    .await;
}

#[actix::test]
async fn a_store_that_fails_ends_the_tree_and_answers_nobody() {
    with_ledger(async |mut tree, _| {
        let state = tree.wait().await.unwrap();
        let answer =
            state.decide::<()>(Order::AfterAll, |_, _| Err(Fatal::new("the disk is gone"))).await;
        assert_eq!(answer, Err(Unanswered::Restarting));
        tree.wait_down().await;
        assert!(tree.wait().await.is_some());
    })
    .await;
}
