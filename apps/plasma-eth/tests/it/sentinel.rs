//! The Sentinel's port: the fake behaves like a real node, and the real one says what our contracts say.
//!
//! A check sees the port and a few hands that move the chain, as in `conformance.rs`; what only the contracts can know is asked of
//! the real ones below.

use crate::conformance::stage::Stage;
use crate::kit::{World, ether};
use plasma_core::sentinel::{Call, Checked, RootChainFacts, Transaction};
use plasma_core::wire::ids::ExitPriority;
use plasma_core::wire::{Address, ETH, ExitId, H256, SecretKey, U256};
use plasma_eth::{
    AccountState, ErrorKind, EthConfig, EthersSentinelChain, FakeRootChain, GasFees, RetryPolicy,
    RootChainCause, SentinelChain, SubmitOutcome,
};

/// Each check as two tests.
macro_rules! checks {
    ($($check:ident)*) => {
        mod fake {
            $(#[tokio::test]
            async fn $check() {
                super::$check(super::Scene::fake()).await;
            })*
        }
        mod real {
            $(#[tokio::test]
            async fn $check() {
                super::$check(super::Scene::real().await).await;
            })*
        }
    };
}

checks! {
    a_transaction_is_pending_then_mined_then_too_late
    facts_are_those_of_their_block
    facts_of_a_block_that_is_gone_are_an_error
    a_reorganisation_undoes_what_was_mined
    higher_fees_replace
    a_gap_in_the_nonces_holds_up_what_follows
    a_call_that_the_contracts_refuse_is_mined_and_fails
    the_poor_are_refused
    calls_are_simulated
    a_node_that_is_away_does_not_hide_the_hash
}

/// A chain and a Sentinel on it.
struct Scene {
    stage: Stage,
    port: Box<dyn SentinelChain>,
}

fn sentinel_of(world: &World) -> EthersSentinelChain {
    let mut config = world.config.clone();
    // Blocks that are gone do not come back.
    config.retry = RetryPolicy { first_pause_ms: 1, pause_ms_max: 5, ..config.retry };
    EthersSentinelChain::new(config, &world.deployment, world.mallory.clone()).unwrap()
}

impl Scene {
    fn fake() -> Self {
        let chain = FakeRootChain::new(7);
        let sentinel = chain.sentinel(Address::repeat_byte(0x5e));
        let reason = "InFlightExitNotFound(exitId: 5)".to_owned();
        sentinel.set_check(delete_unknown().name(), Checked::Reverts { reason });
        Self { stage: Stage::Fake(chain), port: Box::new(sentinel) }
    }

    async fn real() -> Self {
        let stage = Stage::real().await;
        let Stage::Real(world) = &stage else { unreachable!() };
        let port = Box::new(sentinel_of(world));
        Self { stage, port }
    }

    async fn account(&self) -> AccountState {
        self.port.account().await.unwrap()
    }

    async fn facts(&self, receipts_needed: &[H256]) -> RootChainFacts {
        self.port.facts(&self.account().await, receipts_needed).await.unwrap()
    }

    async fn send(&self, transaction: &Transaction) -> (H256, SubmitOutcome) {
        let (txhash, outcome) = self.port.send(transaction).await;
        let outcome = outcome.unwrap();
        assert!(outcome.txhash().is_none_or(|told| told == txhash), "{outcome}");
        (txhash, outcome)
    }

    async fn accepted(&self, transaction: &Transaction) -> H256 {
        match self.send(transaction).await {
            (txhash, SubmitOutcome::Accepted { .. }) => txhash,
            (_, other) => panic!("{other}"),
        }
    }

    /// A transfer of nothing to oneself.
    async fn fill(&self, nonce: u64) -> Transaction {
        Transaction { nonce, call: None, gas_limit: 21_000, fees: self.stage.fees().await }
    }

    async fn set_balance(&self, balance_wei: U256) {
        match &self.stage {
            Stage::Fake(chain) => chain.sentinel(self.port.address()).set_balance(balance_wei),
            Stage::Real(world) => {
                world.dev.set_balance(self.port.address(), balance_wei).await.unwrap();
            }
        }
    }

    /// The same Sentinel with a node that does not answer.
    fn away(&self) -> Box<dyn SentinelChain> {
        match &self.stage {
            Stage::Fake(_) => {
                let chain = FakeRootChain::new(7);
                chain.go_away();
                Box::new(chain.sentinel(self.port.address()))
            }
            Stage::Real(world) => {
                let mut config = EthConfig::new("http://127.0.0.1:1".parse().unwrap());
                config.retry = RetryPolicy::NEVER;
                let key = world.mallory.clone();
                Box::new(EthersSentinelChain::new(config, &world.deployment, key).unwrap())
            }
        }
    }
}

fn delete_unknown() -> Call {
    Call::DeleteNonPiggybackedInFlightExit { exit_id: ExitId::from_u256(5.into()) }
}

fn process(vault_id: u64, token: Address, top_exit_id: Option<ExitId>) -> Call {
    Call::ProcessExits { vault_id, token, top_exit_id, exits_max: 9 }
}

fn times(fees: GasFees, factor: u128) -> GasFees {
    GasFees {
        max_fee_per_gas_wei: fees.max_fee_per_gas_wei * factor,
        max_priority_fee_per_gas_wei: fees.max_priority_fee_per_gas_wei * factor,
    }
}

async fn a_transaction_is_pending_then_mined_then_too_late(scene: Scene) {
    let before = scene.facts(&[]).await;
    assert_eq!((before.account_nonce, before.pending_nonce), (0, 0));
    let fill = scene.fill(0).await;
    let txhash = scene.accepted(&fill).await;
    let again = scene.send(&fill).await;
    assert_eq!(again, (txhash, SubmitOutcome::AlreadyKnown { txhash }));
    let other = H256::repeat_byte(9);
    let waiting = scene.facts(&[txhash, other]).await;
    assert_eq!((waiting.account_nonce, waiting.pending_nonce), (0, 1));
    assert!(waiting.receipts.is_empty());

    scene.stage.mine(1).await;
    let mined = scene.facts(&[txhash, other]).await;
    assert_eq!((mined.account_nonce, mined.pending_nonce), (1, 1));
    assert_eq!(mined.eth_height, before.eth_height.plus(1));
    assert_eq!(mined.receipts.keys().collect::<Vec<_>>(), [&txhash]);
    let receipt = mined.receipts[&txhash];
    assert_eq!((receipt.eth_height, receipt.gas_used), (mined.eth_height, 21_000));
    assert!(receipt.succeeded);
    assert!((1..=fill.fees.max_fee_per_gas_wei).contains(&receipt.gas_price_wei));
    // Nothing left the account but gas.
    assert_eq!(mined.balance_wei + receipt.cost_wei(), before.balance_wei);
    assert_eq!(scene.facts(&[]).await.receipts.len(), 0);
    assert_eq!(scene.send(&fill).await, (txhash, SubmitOutcome::NonceTooLow));
}

async fn facts_are_those_of_their_block(scene: Scene) {
    let then = scene.account().await;
    assert_eq!(then.block, scene.stage.newest().await);
    let of_then = scene.port.facts(&then, &[]).await.unwrap();
    let txhash = scene.accepted(&scene.fill(0).await).await;
    scene.stage.mine(2).await;
    let later = scene.port.facts(&then, &[txhash]).await.unwrap();
    assert_eq!(
        (later.eth_height, later.eth_time_s),
        (then.block.eth_height, then.block.timestamp_s)
    );
    assert_eq!((later.account_nonce, later.balance_wei), (0, of_then.balance_wei));
    assert!(later.receipts.is_empty(), "it was mined after that block");
    // Only what is told of this moment moved on.
    assert_eq!((of_then.pending_nonce, later.pending_nonce), (0, 1));
    assert_eq!(
        scene.facts(&[txhash]).await.receipts[&txhash].eth_height,
        then.block.eth_height.plus(1)
    );
}

async fn facts_of_a_block_that_is_gone_are_an_error(scene: Scene) {
    scene.stage.mine(2).await;
    let gone = scene.account().await;
    scene.stage.reorg(1).await;
    let error = scene.port.facts(&gone, &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient, "{error}");
    let gone = scene.account().await;
    scene.stage.rollback(1).await;
    let error = scene.port.facts(&gone, &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient, "{error}");
    scene.facts(&[]).await;
}

async fn a_reorganisation_undoes_what_was_mined(scene: Scene) {
    scene.stage.mine(1).await;
    let before = scene.facts(&[]).await;
    let fill = scene.fill(0).await;
    let txhash = scene.accepted(&fill).await;
    scene.stage.mine(1).await;
    assert_eq!(scene.account().await.nonce, 1);
    scene.stage.reorg(1).await;
    let after = scene.facts(&[txhash]).await;
    assert_eq!((after.account_nonce, after.pending_nonce), (0, 0));
    assert_eq!((after.receipts.len(), after.balance_wei), (0, before.balance_wei));
    assert_eq!(scene.accepted(&fill).await, txhash);
    scene.stage.mine(1).await;
    let receipts = scene.facts(&[txhash]).await.receipts;
    assert_eq!(receipts[&txhash].eth_height, after.eth_height.plus(1));
}

async fn higher_fees_replace(scene: Scene) {
    let cheap = scene.fill(0).await;
    let dear = Transaction { fees: times(cheap.fees, 2), ..cheap.clone() };
    let same_fees = Transaction { gas_limit: 30_000, ..cheap.clone() };
    let cheap_hash = scene.accepted(&cheap).await;
    let (_, refused) = scene.send(&same_fees).await;
    assert_eq!(refused, SubmitOutcome::ReplacementUnderpriced);
    let dear_hash = scene.accepted(&dear).await;
    assert_ne!(dear_hash, cheap_hash);
    let (again, refused) = scene.send(&cheap).await;
    assert_eq!((again, refused), (cheap_hash, SubmitOutcome::ReplacementUnderpriced));
    scene.stage.mine(1).await;
    let facts = scene.facts(&[cheap_hash, dear_hash]).await;
    assert_eq!(facts.receipts.into_keys().collect::<Vec<_>>(), [dear_hash]);
}

async fn a_gap_in_the_nonces_holds_up_what_follows(scene: Scene) {
    let third = scene.accepted(&scene.fill(2).await).await;
    let second = scene.accepted(&scene.fill(1).await).await;
    scene.stage.mine(1).await;
    let facts = scene.facts(&[second, third]).await;
    assert_eq!((facts.account_nonce, facts.pending_nonce), (0, 0));
    let first = scene.accepted(&scene.fill(0).await).await;
    assert_eq!(scene.facts(&[]).await.pending_nonce, 3);
    scene.stage.mine(1).await;
    let facts = scene.facts(&[first, second, third]).await;
    assert_eq!((facts.account_nonce, facts.receipts.len()), (3, 3));
}

async fn a_call_that_the_contracts_refuse_is_mined_and_fails(scene: Scene) {
    let before = scene.facts(&[]).await;
    let call = Some(delete_unknown());
    let doomed = Transaction { call, gas_limit: 100_000, ..scene.fill(0).await };
    let txhash = scene.accepted(&doomed).await;
    scene.stage.mine(1).await;
    let facts = scene.facts(&[txhash]).await;
    let receipt = facts.receipts[&txhash];
    assert!(!receipt.succeeded && receipt.gas_used > 21_000);
    assert_eq!(facts.account_nonce, 1);
    assert_eq!(facts.balance_wei + receipt.cost_wei(), before.balance_wei);
}

async fn the_poor_are_refused(scene: Scene) {
    scene.set_balance(U256::one()).await;
    let fill = scene.fill(0).await;
    assert_eq!(scene.send(&fill).await.1, SubmitOutcome::InsufficientFunds);
    scene.stage.mine(1).await;
    assert_eq!(scene.facts(&[]).await.balance_wei, U256::one());
}

async fn calls_are_simulated(scene: Scene) {
    scene.stage.deposit_and_exit(ether(1)).await;
    // Nothing is due yet, which is no refusal.
    let checked = scene.port.check(&process(1, ETH, None)).await.unwrap();
    assert!(matches!(checked, Checked::Passes { gas } if gas > 21_000), "{checked:?}");
    let checked = scene.port.check(&delete_unknown()).await.unwrap();
    let reason = "InFlightExitNotFound(exitId: 5)".to_owned();
    assert_eq!(checked, Checked::Reverts { reason });
    assert_eq!(scene.account().await.nonce, 0);
}

async fn a_node_that_is_away_does_not_hide_the_hash(scene: Scene) {
    let account = scene.account().await;
    let fill = scene.fill(0).await;
    let call = Transaction { call: Some(process(1, ETH, None)), ..scene.fill(1).await };
    let away = scene.away();
    assert_eq!(away.address(), scene.port.address());
    let code = |cause: &RootChainCause| cause.code();
    assert_eq!(code(away.account().await.unwrap_err().cause()), "unreachable");
    assert_eq!(code(away.facts(&account, &[]).await.unwrap_err().cause()), "unreachable");
    assert_eq!(code(away.check(&delete_unknown()).await.unwrap_err().cause()), "unreachable");
    assert_eq!(code(away.standard_exits(&[]).await.unwrap_err().cause()), "unreachable");
    assert_eq!(code(away.in_flight_exits(&[]).await.unwrap_err().cause()), "unreachable");
    assert_eq!(code(away.next_exits(&[]).await.unwrap_err().cause()), "unreachable");
    for transaction in [fill, call] {
        let (txhash, outcome) = away.send(&transaction).await;
        assert_eq!(code(outcome.unwrap_err().cause()), "unreachable");
        assert_eq!(scene.accepted(&transaction).await, txhash);
    }
}

// -- what only our contracts can say

#[tokio::test]
async fn exit_queues_and_records_are_those_of_the_contracts() {
    let world = World::new().await;
    let port = sentinel_of(&world);
    let (client, token) = (&world.client, world.token());
    let unknown = Address::repeat_byte(9);
    let queues = [(2, token), (1, ETH), (2, unknown), (7, ETH)];
    assert_eq!(port.next_exits(&queues).await.unwrap(), [None; 4]);

    let mut ids = vec![ExitId::from_u256(5.into())];
    for milli in [1, 2] {
        let output = world.deposit(&world.alice, ETH, ether(milli)).await;
        let started = client.start_standard_exit(&world.alice, &output.start()).await;
        ids.push(world.mined(started).await.started_exit().unwrap().0);
    }
    let queue: Vec<ExitPriority> = client.exit_queue(ETH).await.unwrap().unwrap();
    assert_eq!(port.next_exits(&queues).await.unwrap(), [None, Some(queue[0]), None, None]);
    let records = port.standard_exits(&ids).await.unwrap();
    assert_eq!(records, client.standard_exits(&ids).await.unwrap());
    let shown: Vec<_> = records.iter().map(Option::is_some).collect();
    assert_eq!(shown, [false, true, true]);
    assert_eq!(records[1].unwrap().bond_wei, client.standard_exit_bond_wei().await.unwrap());
    assert_eq!(port.in_flight_exits(&ids).await.unwrap(), [None, None, None]);
    assert_eq!(port.in_flight_exits(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn refusals_have_the_names_and_arguments_of_the_contracts_errors() {
    let world = World::new().await;
    let port = sentinel_of(&world);
    let (token, unknown) = (world.token(), Address::repeat_byte(9));
    let check = async |call| port.check(&call).await.unwrap();
    let refused = |reason: String| Checked::Reverts { reason };
    let queue = |name: &str, vault_id, token| {
        refused(format!("{name}(vaultId: {vault_id}, token: {token:?})"))
    };
    assert_eq!(check(process(1, ETH, None)).await, queue("ExitQueueEmpty", 1, ETH));
    assert_eq!(check(process(2, token, None)).await, queue("ExitQueueEmpty", 2, token));
    assert_eq!(check(process(2, unknown, None)).await, queue("ExitQueueNotFound", 2, unknown));
    let expected = refused("InFlightExitNotFound(exitId: 5)".to_owned());
    assert_eq!(check(delete_unknown()).await, expected);

    let output = world.deposit(&world.alice, ETH, ether(1)).await;
    let started = world.client.start_standard_exit(&world.alice, &output.start()).await;
    let exit_id = world.mined(started).await.started_exit().unwrap().0;
    let wrong_top = check(process(1, ETH, Some(ExitId::from_u256(5.into())))).await;
    assert!(
        matches!(&wrong_top, Checked::Reverts { reason } if reason.starts_with("TopExitIsAnother(")),
        "{wrong_top:?}"
    );
    assert!(matches!(check(process(1, ETH, Some(exit_id))).await, Checked::Passes { .. }));
}

#[tokio::test]
async fn a_sentinel_processes_an_exit() {
    let world = World::new().await;
    let port = sentinel_of(&world);
    let output = world.deposit(&world.alice, ETH, ether(3)).await;
    let started = world.client.start_standard_exit(&world.alice, &output.start()).await;
    let exit_id = world.mined(started).await.started_exit().unwrap().0;
    world.dev.advance_time(2 * crate::kit::MIN_EXIT_PERIOD_S + 2).await.unwrap();
    let call = process(1, ETH, Some(exit_id));
    let Checked::Passes { gas } = port.check(&call).await.unwrap() else { panic!("refused") };
    let fees = port.facts(&port.account().await.unwrap(), &[]).await.unwrap().quote.generous();
    world.dev.set_automine(false).await.unwrap();
    let transaction = Transaction { nonce: 0, call: Some(call), gas_limit: gas * 2, fees };
    let (txhash, outcome) = port.send(&transaction).await;
    assert_eq!(outcome.unwrap(), SubmitOutcome::Accepted { txhash });
    world.dev.mine(1).await.unwrap();
    let facts = port.facts(&port.account().await.unwrap(), &[txhash]).await.unwrap();
    assert!(facts.receipts[&txhash].succeeded);
    assert_eq!(port.standard_exits(&[exit_id]).await.unwrap(), [None]);
    assert_eq!(port.next_exits(&[(1, ETH)]).await.unwrap(), [None]);
}

#[tokio::test]
async fn an_address_file_of_other_contracts_lets_nothing_be_sent() {
    let world = World::new().await;
    let right = sentinel_of(&world);
    let key: SecretKey = world.mallory.clone();
    let (mut other_game, mut other_chain) = (world.deployment.clone(), world.deployment.clone());
    other_game.addresses.payment_exit_game = Address::repeat_byte(9);
    other_chain.chain_id += 1;
    let fees = right.facts(&right.account().await.unwrap(), &[]).await.unwrap().quote.generous();
    let fill = Transaction { nonce: 0, call: None, gas_limit: 21_000, fees };
    for (deployment, code) in [(other_game, "invalid"), (other_chain, "wrong_chain")] {
        let wrong = EthersSentinelChain::new(world.config.clone(), &deployment, key.clone());
        let wrong = wrong.unwrap();
        let (_, outcome) = wrong.send(&fill).await;
        assert_eq!(outcome.unwrap_err().cause().code(), code);
        assert_eq!(wrong.account().await.unwrap_err().cause().code(), code);
    }
    let facts = right.facts(&right.account().await.unwrap(), &[]).await.unwrap();
    assert_eq!(facts.pending_nonce, 0);
}
