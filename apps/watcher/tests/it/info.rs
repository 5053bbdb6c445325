//! The informational methods over real HTTP, on a real PostgreSQL: what they take from it, from the operator and from the watcher.

mod methods;
mod pages;
mod rows;

use crate::kit::{Watched, World, code, eventually};
use crate::operator::Taking;
use crate::users::{Who, at, output, pay};
use Who::{Alice, Bob};
use plasma_core::inclusion::{InclusionClaim, verify_inclusion};
use plasma_core::wire::{
    Blknum, Currency, ETH, EthHeight, H256, SignedTx, TxIndex, U256, UtxoPos, keccak256,
};
use plasma_rpc::child_chain::{FeesAllParams, SubmitAnswer};
use plasma_rpc::client::ClientError;
use plasma_rpc::endpoint::Endpoint;
use plasma_rpc::info::{
    self, AccountPageParams, AddressWatchParams, BlockParams, BlocksParams, CreateFee,
    CreateParams, CreatePayment, CreateResult, Created, FeeHistoryParams, InclusionReference,
    MergeParams, Paging, ProofParams, SubmitTypedParams, TransactionByIdParams, TransactionsParams,
};
use plasma_rpc::params::NoParams;
use plasma_rpc::watcher::{AccountParams, UtxoPosParams};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn token() -> Currency {
    Currency::repeat_byte(2)
}

fn order(amount: u64, fee: Currency) -> CreateParams {
    let payment = CreatePayment { amount: amount.into(), currency: ETH, owner: Bob.address() };
    CreateParams {
        owner: Alice.address(),
        payments: vec![payment],
        fee: CreateFee { currency: fee },
        metadata: None,
    }
}

async fn refusal<P: Serialize, A: DeserializeOwned + Send + std::fmt::Debug + 'static>(
    watched: &Watched,
    endpoint: &Endpoint<P, A>,
    params: &P,
) -> String {
    code(watched.info(endpoint, params).await.unwrap_err())
}

/// What its owner sends back.
fn signed(created: &Created, who: Who) -> SubmitTypedParams {
    SubmitTypedParams {
        domain: created.typed_data.domain.clone(),
        message: created.typed_data.message,
        signatures: vec![who.key().sign(created.sign_hash); created.inputs.len()],
    }
}

#[actix::test]
async fn a_payment_is_written_signed_and_submitted() {
    let world = World::with_database().await;
    let (large, dust) = (world.deposit(Alice, 10), world.deposit(Alice, 2));
    world.deposit_of(Alice, token(), 9.into());
    let watched = world.start().await;
    watched.indexed(world.deposit(Bob, 99)).await;
    let mut params = order(6, ETH);
    params.metadata = Some(H256::repeat_byte(7));
    let creation = watched.info(&info::TRANSACTION_CREATE, &params).await.unwrap();
    assert_eq!(creation.result, CreateResult::Complete);
    let [created] = creation.transactions.as_slice() else {
        panic!("{creation:?}");
    };
    let inputs: Vec<UtxoPos> = created.inputs.iter().map(|input| input.utxo_pos).collect();
    assert_eq!(inputs, [large, dust]);
    let outputs = created.outputs.iter();
    let outputs: Vec<_> = outputs.map(|output| (output.owner, output.amount.as_u64())).collect();
    assert_eq!(outputs, [(Bob.address(), 6), (Alice.address(), 5)]);
    assert_eq!((created.fee.amount, created.fee.currency), (U256::one(), ETH));
    assert_eq!(created.metadata, params.metadata);

    let txhash = keccak256(&created.txbytes);
    let accepted = SubmitAnswer { blknum: Blknum::new(1_000), txindex: TxIndex::new(3), txhash };
    world.operator.take(Taking::Accepts(accepted));
    let submitted = signed(created, Alice);
    let answer = watched.info(&info::TRANSACTION_SUBMIT_TYPED, &submitted).await.unwrap();
    assert_eq!(answer, accepted);
    let taken = world.operator.behaviour.taken.lock().unwrap().clone();
    let [bytes] = taken.as_slice() else {
        panic!("{} transactions", taken.len());
    };
    let forwarded = SignedTx::decode(bytes).unwrap();
    assert_eq!((forwarded.hash(), forwarded.unsigned_bytes()), (txhash, created.txbytes.clone()));

    let mut unsigned = submitted.clone();
    unsigned.signatures.pop();
    let missing = refusal(&watched, &info::TRANSACTION_SUBMIT_TYPED, &unsigned).await;
    assert_eq!(missing, "submit_typed:missing_signature");
    let mut twice = submitted.clone();
    twice.signatures.extend(submitted.signatures.clone());
    let superfluous = refusal(&watched, &info::TRANSACTION_SUBMIT_TYPED, &twice).await;
    assert_eq!(superfluous, "submit_typed:superfluous_signature");
    let mut foreign = submitted.clone();
    foreign.domain.verifying_contract = Bob.address();
    let mismatch = watched.info(&info::TRANSACTION_SUBMIT_TYPED, &foreign).await.unwrap_err();
    assert_eq!(
        messages(mismatch, "operation:bad_request"),
        json!({"validation_error": {"parameter": "domain", "validator": ":domain_separator_mismatch"}})
    );
    world.operator.take(Taking::Refuses("utxo_not_found"));
    let refused = watched.info(&info::TRANSACTION_SUBMIT_TYPED, &submitted).await.unwrap_err();
    let inner = messages(refused, "submit_typed:client_error");
    assert_eq!(inner["code"], "submit:utxo_not_found");
    watched.stop().await;
}

/// The messages of a refusal with this code.
fn messages(error: ClientError, expected: &str) -> Value {
    let ClientError::Api(body) = error else {
        panic!("{error}");
    };
    assert_eq!(body.code, expected);
    serde_json::from_str(body.messages.unwrap().get()).unwrap()
}

#[actix::test]
async fn payments_that_cannot_be_written_are_refused_with_their_codes() {
    let mut world = World::with_database().await;
    let watched = world.start().await;
    let create = &info::TRANSACTION_CREATE;
    watched.indexed(world.deposit(Alice, 10)).await;
    let missing = watched.info(create, &order(12, ETH)).await.unwrap_err();
    assert_eq!(
        messages(missing, "transaction.create:insufficient_funds"),
        json!([{"token": format!("{:?}", ETH), "missing": 3}])
    );
    let fee = refusal(&watched, create, &order(1, token())).await;
    assert_eq!(fee, "create:unexpected_fee_currency");
    let mut none = order(1, ETH);
    none.payments.clear();
    let empty = refusal(&watched, create, &none).await;
    assert_eq!(empty, "transaction.create:empty_transaction");
    let mut own = order(1, ETH);
    own.payments[0].owner = Alice.address();
    let own = refusal(&watched, create, &own).await;
    assert_eq!(own, "transaction.create:self_transaction_not_supported");
    let mut nobody = order(1, ETH);
    nobody.payments[0].owner = ETH;
    assert_eq!(refusal(&watched, create, &nobody).await, "create:output_guard_cant_be_zero");
    let mut four = order(1, ETH);
    four.payments = vec![four.payments[0]; 4];
    let four = refusal(&watched, create, &four).await;
    assert_eq!(four, "transaction.create:too_many_outputs");
    world.operator.go_away().await;
    let gone = refusal(&watched, create, &order(1, ETH)).await;
    assert_eq!(gone, "connection:childchain_unreachable");
    let gone = refusal(&watched, &info::FEES_ALL, &FeesAllParams::default()).await;
    assert_eq!(gone, "connection:childchain_unreachable");
    watched.stop().await;
}

#[actix::test]
async fn too_many_outputs_are_merged_first_also_when_not_all_of_them_are_listed() {
    let mut world = World::with_database().await;
    // Four outputs for each deposit: more than are looked at for one payment, which are 2,000.
    let deposits: Vec<UtxoPos> = (0..510).map(|_| world.deposit(Bob, 4)).collect();
    let watched = world.start().await;
    let four = [(Alice, 1); 4];
    let payments = deposits.iter().map(|deposit| pay(&[(*deposit, Bob)], &four));
    let block = world.block(payments.collect());
    watched.validated(block.number).await;
    watched.indexed(output(&block, 509, 3)).await;
    // The largest 2,000 and the smallest three, when all are needed and not all are looked at.
    for (amount, merged) in [(8, 8), (2_005, 2_003)] {
        let creation = watched.info(&info::TRANSACTION_CREATE, &order(amount, ETH)).await.unwrap();
        assert_eq!(creation.result, CreateResult::Intermediate);
        let counts = creation.transactions.iter().map(|merge| merge.inputs.len());
        assert_eq!(counts.sum::<usize>(), merged, "{amount}");
        assert!(creation.transactions.iter().all(|merge| merge.fee.amount.is_zero()));
    }
    watched.stop().await;
}

#[actix::test]
async fn outputs_are_merged_by_account_and_by_position() {
    let mut world = World::with_database().await;
    let watched = world.start().await;
    let merge = &info::TRANSACTION_MERGE;
    let account = MergeParams::Account { address: Alice.address(), currency: ETH };
    let bobs = world.deposit(Bob, 7);
    watched.indexed(bobs).await;
    assert_eq!(refusal(&watched, merge, &account).await, "merge:no_inputs_found");
    let a = world.deposit(Alice, 5);
    watched.indexed(a).await;
    assert_eq!(refusal(&watched, merge, &account).await, "merge:single_input");
    let (b, spent) = (world.deposit(Alice, 7), world.deposit(Alice, 7));
    let tokens = world.deposit_of(Alice, token(), 7.into());
    watched.indexed(tokens).await;
    let block = world.block(vec![pay(&[(spent, Alice)], &[(Bob, 6)])]);
    watched.indexed(output(&block, 0, 0)).await;
    let merges = watched.info(merge, &account).await.unwrap();
    assert_eq!(merges.transactions[0].outputs[0].amount, 12.into());
    let positions = |positions: &[UtxoPos]| MergeParams::Positions {
        utxo_positions: positions.iter().copied().map(Some).collect(),
    };
    let merges = watched.info(merge, &positions(&[b, a])).await.unwrap();
    let inputs: Vec<_> = merges.transactions[0].inputs.iter().map(|input| input.utxo_pos).collect();
    assert_eq!(inputs, [b, a]);
    for (listed, expected) in [
        (vec![a, spent], "merge:position_not_found"),
        (vec![a, at(Blknum::new(7_000), 0, 0)], "merge:position_not_found"),
        (vec![a, a], "merge:duplicate_input_positions"),
        (vec![a, bobs], "merge:multiple_input_owners"),
        (vec![a, tokens], "merge:multiple_currencies"),
    ] {
        assert_eq!(refusal(&watched, merge, &positions(&listed)).await, expected);
    }
    watched.stop().await;
}

#[actix::test]
async fn nobody_is_helped_to_spend_on_an_unsafe_chain() {
    let mut world = World::with_database().await;
    let deposit = world.deposit(Alice, 10);
    let watched = world.start().await;
    watched.indexed(deposit).await;
    let created = watched.info(&info::TRANSACTION_CREATE, &order(1, ETH)).await.unwrap();
    let stolen = world.next_block(vec![pay(&[(deposit, Bob)], &[(Bob, 10)])]);
    world.operator.serve(stolen.hash, &stolen);
    world.submit(stolen.hash);
    watched.events(&["invalid_block"]).await;
    let unsafe_chain = "chain:unsafe";
    let create = refusal(&watched, &info::TRANSACTION_CREATE, &order(1, ETH)).await;
    let account = MergeParams::Account { address: Alice.address(), currency: ETH };
    let merge = refusal(&watched, &info::TRANSACTION_MERGE, &account).await;
    let signed = signed(&created.transactions[0], Alice);
    let submit = refusal(&watched, &info::TRANSACTION_SUBMIT_TYPED, &signed).await;
    assert_eq!([create, merge, submit], [unsafe_chain; 3]);
    let balance = AccountParams { address: Alice.address() };
    watched.info(&info::ACCOUNT_GET_BALANCE, &balance).await.unwrap();
    watched.stop().await;
}

/// What is verified before anybody trusts it. Returns where the root chain has the root.
fn assert_proven(proof: &InclusionReference) -> Option<EthHeight> {
    let claim = InclusionClaim {
        tx_hash: proof.txhash,
        tx_bytes: &proof.txbytes,
        txindex: proof.txindex,
        proof: &proof.proof,
        root: proof.block_hash,
    };
    assert_eq!(verify_inclusion(&claim).unwrap().hash(), proof.txhash);
    proof.eth_height
}

#[actix::test]
async fn a_payment_can_be_proven_without_a_database() {
    let mut world = World::with_database().await;
    let deposit = world.deposit(Alice, 10);
    let payment = pay(&[(deposit, Alice)], &[(Bob, 7), (Alice, 3)]);
    let block = world.block(vec![payment.clone()]);
    let watched = world.start().await;
    watched.validated(block.number).await;
    watched.indexed(output(&block, 0, 0)).await;
    let number = BlockParams::number(block.number);
    let row = watched.info(&info::BLOCK_GET, &number).await.unwrap();
    let of = |position: UtxoPos| ProofParams {
        utxo_pos: Some(position.encode().into()),
        ..ProofParams::default()
    };
    for (position, eth_height) in [(output(&block, 0, 1), Some(row.eth_height)), (deposit, None)] {
        let proof = watched.info(&info::PROOF_GET, &of(position)).await.unwrap();
        assert_eq!((assert_proven(&proof), proof.blknum), (eth_height, position.blknum));
    }
    let proof = watched.info(&info::PROOF_GET, &of(output(&block, 0, 0))).await.unwrap();
    assert_eq!((proof.block_hash, proof.timestamp), (block.hash, Some(row.timestamp)));
    let by_hash = ProofParams { txhash: Some(proof.txhash), ..ProofParams::default() };
    assert_eq!(watched.info(&info::PROOF_GET, &by_hash).await.unwrap(), proof);
    for unknown in [output(&block, 0, 2), output(&block, 1, 0), at(Blknum::new(9_000), 0, 0)] {
        assert_eq!(refusal(&watched, &info::PROOF_GET, &of(unknown)).await, "proof:not_found");
    }
    let nobodys = ProofParams { txhash: Some(H256::zero()), ..ProofParams::default() };
    assert_eq!(refusal(&watched, &info::PROOF_GET, &nobodys).await, "proof:not_found");
    let database = world.database.as_ref().unwrap();
    database.remove().await;
    let proof = watched.info(&info::PROOF_GET, &of(output(&block, 0, 0))).await.unwrap();
    assert_eq!((assert_proven(&proof), proof.block_hash), (None, block.hash));
    let unavailable = refusal(&watched, &info::PROOF_GET, &by_hash).await;
    assert_eq!(unavailable, "watcher_db:unavailable");
    watched.stop().await;
}

/// Asks everything of a database once, and returns the codes of the refusals.
pub(crate) async fn refusals_of_all(watched: &Watched, deposit: UtxoPos) -> Vec<String> {
    let account = AccountParams { address: Alice.address() };
    let utxos = AccountPageParams::first(Alice.address());
    let deposits = AccountPageParams::first(Alice.address());
    let all = TransactionsParams::default();
    let id = TransactionByIdParams { id: H256::zero() };
    let blocks = BlocksParams { paging: Paging::first(100) };
    let number = BlockParams::number(Blknum::new(1_000));
    let fees = FeeHistoryParams { currency: None, paging: Paging::first(10) };
    let merge = MergeParams::Account { address: Alice.address(), currency: ETH };
    vec![
        refusal(watched, &info::ACCOUNT_GET_BALANCE, &account).await,
        refusal(watched, &info::ACCOUNT_GET_UTXOS, &utxos).await,
        refusal(watched, &info::ACCOUNT_GET_TRANSACTIONS, &all).await,
        refusal(watched, &info::TRANSACTION_ALL, &all).await,
        refusal(watched, &info::TRANSACTION_GET, &id).await,
        refusal(watched, &info::TRANSACTION_CREATE, &order(1, ETH)).await,
        refusal(watched, &info::TRANSACTION_MERGE, &merge).await,
        refusal(watched, &info::BLOCK_ALL, &blocks).await,
        refusal(watched, &info::BLOCK_GET, &number).await,
        refusal(watched, &info::DEPOSIT_ALL, &deposits).await,
        refusal(watched, &info::STATS_GET, &NoParams {}).await,
        refusal(watched, &info::UTXO_GET, &UtxoPosParams::new(deposit)).await,
        refusal(watched, &info::FEES_HISTORY, &fees).await,
    ]
}

#[actix::test]
async fn a_database_that_goes_away_says_so_and_the_watcher_goes_on() {
    let mut world = World::with_database().await;
    let deposits = [world.deposit(Alice, 10), world.deposit(Alice, 20), world.deposit(Alice, 30)];
    let watched = world.start().await;
    let first = world.block(vec![pay(&[(deposits[0], Alice)], &[(Bob, 9)])]);
    watched.indexed(output(&first, 0, 0)).await;
    world.database.as_ref().unwrap().remove().await;
    let second = world.block(vec![pay(&[(deposits[1], Alice)], &[(Bob, 19)])]);
    watched.validated(second.number).await;
    let account = AccountParams { address: Alice.address() };
    let lag = eventually("the lag is told", async || {
        let refused = watched.info(&info::ACCOUNT_GET_BALANCE, &account).await.unwrap_err();
        assert!(refused.is_transient());
        let lag = messages(refused, "watcher_db:unavailable");
        (lag["lag_blocks"] == 1).then_some(lag)
    })
    .await;
    assert_eq!(lag["last_indexed_child_block_number"], 1_000);
    assert!(lag["reason"].as_str().unwrap().contains("no such database"), "{lag}");
    let codes = refusals_of_all(&watched, deposits[2]).await;
    assert_eq!(codes, vec!["watcher_db:unavailable"; codes.len()]);
    watched.assert_quiet().await;
    assert_eq!(watched.exitable_positions(Alice).await, [deposits[2]]);
    watched.exit_data(deposits[2]).await.unwrap();

    // An empty one in its place is filled again, by itself.
    world.database.as_ref().unwrap().create().await;
    watched.indexed(output(&second, 0, 0)).await;
    let balance = watched.info(&info::ACCOUNT_GET_BALANCE, &account).await.unwrap();
    assert_eq!(balance.iter().map(|one| one.amount).collect::<Vec<_>>(), [30.into()]);
    watched.stop().await;
}

#[actix::test]
async fn the_second_port_answers_everything_and_the_first_nothing_of_a_database() {
    let world = World::with_database().await;
    let deposit = world.deposit(Alice, 10);
    let watched = world.start().await;
    watched.indexed(deposit).await;
    let account = AccountParams { address: Alice.address() };
    let balance = watched.info(&info::ACCOUNT_GET_BALANCE, &account).await.unwrap();
    assert_eq!(balance.iter().map(|one| one.amount).collect::<Vec<_>>(), [10.into()]);
    let page = watched
        .info(&info::ACCOUNT_GET_UTXOS, &AccountPageParams::first(Alice.address()))
        .await
        .unwrap();
    assert_eq!(page.data.iter().map(|utxo| utxo.utxo_pos).collect::<Vec<_>>(), [deposit]);
    let utxo = watched.info(&info::UTXO_GET, &UtxoPosParams::new(deposit)).await.unwrap();
    assert_eq!(utxo.owner, Alice.address());
    let stats = watched.info(&info::STATS_GET, &NoParams {}).await.unwrap();
    assert_eq!(stats.average_block_interval_seconds.all_time, None);
    watched.info(&plasma_rpc::watcher::STATUS_GET, &NoParams {}).await.unwrap();
    for method in info::METHODS {
        let (status, text) = crate::kit::post(watched.addr, method.name, "{}").await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        let found = (status, &answer["data"]["code"], &answer["service_name"]);
        assert_eq!(found, (200, &json!("operation:not_found"), &json!("watcher")));
    }
    watched.stop().await;
}

#[actix::test]
async fn what_the_operator_asks_for_is_handed_on_and_noted() {
    let world = World::with_database().await;
    let watched = world.start().await;
    let fees = watched.info(&info::FEES_ALL, &FeesAllParams::default()).await.unwrap();
    assert_eq!(fees.of_payment(ETH), Some(U256::one()));
    let wrong = FeesAllParams { currencies: vec![token()], ..FeesAllParams::default() };
    let refused = watched.info(&info::FEES_ALL, &wrong).await.unwrap_err();
    let inner = messages(refused, "fees_all:client_error");
    assert_eq!(inner["code"], "fee:currency_fee_not_supported");
    let params = FeeHistoryParams { currency: None, paging: Paging::first(10) };
    let changes = eventually("the fee is noted", async || {
        // At first, the database is not open.
        let page = watched.info(&info::FEES_HISTORY, &params).await.ok()?;
        (!page.data.is_empty()).then_some(page.data)
    })
    .await;
    let noted: Vec<_> =
        changes.iter().map(|change| (change.sequence, change.currency, change.amount)).collect();
    assert_eq!(noted, [(1, ETH, Some(U256::one()))], "once, although it is asked again and again");
    watched.stop().await;
}

#[actix::test]
async fn what_happens_at_an_account_is_listed_and_says_where_to_go_on() {
    let world = World::with_database().await;
    world.deposit(Alice, 10);
    world.deposit(Alice, 11);
    let watched = world.start().await;
    let mut params = AddressWatchParams { address: Alice.address(), from: None, limit: 1 };
    let first = eventually("both are listed", async || {
        let answer = watched.info(&info::ADDRESS_WATCH, &params).await.unwrap();
        (answer.head == 2).then_some(answer)
    })
    .await;
    assert_eq!((first.events[0].sequence, first.next), (1, 2));
    params.from = Some(first.next);
    let second = watched.info(&info::ADDRESS_WATCH, &params).await.unwrap();
    assert_eq!((second.events[0].sequence, second.next), (2, 3));
    params.from = Some(second.next);
    let none = watched.info(&info::ADDRESS_WATCH, &params).await.unwrap();
    assert_eq!((none.events.len(), none.head, none.next), (0, 2, 3));
    watched.stop().await;
}
