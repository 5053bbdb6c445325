//! What the table of questions is about: one chain, what clients ask about it, and what they are told.

use super::methods::ask;
use super::token;
use crate::kit::{Watched, World, eventually};
use crate::operator::{Taking, hex};
use crate::users::{Who, domain, output, pay, txhash, unsigned};
use Answer::{Data, Page, Refusal};
use Who::{Alice, Bob, Carol};
use plasma_core::wire::{
    Blknum, Block, ETH, PaymentTx, SignedTx, Transaction, TxIndex, U256, UtxoPos,
};
use plasma_rpc::child_chain::SubmitAnswer;
use plasma_rpc::info::TypedData;
use serde_json::{Value, json};

/// Alice paid Bob 6 of her deposit of 10 in block 1000, and Bob paid Carol all of it in block 2000. Alice exits her deposit of 20; one of
/// 9 tokens is left to her. Carol has as many tokens as there can be.
pub(super) struct Books {
    pub(super) world: World,
    pub(super) watched: Watched,
    first: Block,
    second: Block,
    exiting: UtxoPos,
    tokens: UtxoPos,
    pub(super) most: UtxoPos,
    /// What Alice signed and the child chain takes.
    payment: Box<[u8]>,
}

impl Books {
    pub(super) async fn new() -> Self {
        let mut world = World::with_database().await;
        let paid = world.deposit(Alice, 10);
        let exiting = world.deposit(Alice, 20);
        let tokens = world.deposit_of(Alice, token(), 9.into());
        let watched = world.start().await;
        let first = world.block(vec![pay(&[(paid, Alice)], &[(Bob, 6), (Alice, 4)])]);
        watched.validated(first.number).await;
        let second = world.block(vec![pay(&[(output(&first, 0, 0), Bob)], &[(Carol, 6)])]);
        watched.validated(second.number).await;
        let deposit = Transaction::deposit(Alice.address(), ETH, 20.into());
        world.chain.exit_started(Alice.address(), exiting, &deposit.encode_unsigned());
        world.chain.mine(2);
        watched.synced().await;
        let most = world.deposit_of(Carol, token(), U256::MAX);
        watched.indexed(most).await;
        eventually("the fee is noted", async || {
            let (_, answer) = ask(&watched, "fees.history", "{}").await;
            answer["data"].get(0).map(drop)
        })
        .await;
        let payment = pay(&[(output(&first, 0, 1), Alice)], &[(Carol, 3)]);
        let (blknum, txindex) = (Blknum::new(3_000), TxIndex::new(0));
        let txhash = txhash(&payment);
        world.operator.take(Taking::Accepts(SubmitAnswer { blknum, txindex, txhash }));
        Self { world, watched, first, second, exiting, tokens, most, payment }
    }

    /// What the child chain says to it.
    fn accepted(&self) -> Value {
        json!({"blknum": 3000, "txindex": 0, "txhash": hex(txhash(&self.payment).as_bytes())})
    }

    fn payment_tx(&self) -> PaymentTx {
        match SignedTx::decode(&self.payment).unwrap().transaction() {
            Transaction::Payment(payment) => payment.clone(),
            other => panic!("{other:?}"),
        }
    }
}

/// What is said to a question.
pub(super) enum Answer {
    /// Yes, with at least this in `data`: members that are not told here may be anything.
    Data(Value),
    /// Yes, a page of rows with at least this, and exactly this about the page.
    Page(Value, Value),
    /// No, with this code.
    Refusal(&'static str),
}

/// A method, its parameters, and the answer.
pub(super) type Row = (&'static str, Value, Answer);

/// A method, parameters of which one is wrong, the name of that one, and what it fails.
pub(super) type Wrong = (&'static str, &'static str, &'static str, &'static str);

/// Parameters that are checked before anything is looked up.
pub(super) const WRONG: &[Wrong] = &[
    ("account.get_balance", "{}", "address", ":hex"),
    ("account.get_balance", r#"{"address": "0x12"}"#, "address", "{:length, 20}"),
    ("account.get_utxos", r#"{"address": "0xzz"}"#, "address", ":hex"),
    ("account.get_transactions", r#"{"address": 1}"#, "address", ":hex"),
    ("account.get_transactions", r#"{"page": 0}"#, "page", "{:greater, 0}"),
    ("account.get_transactions", r#"{"cursor": "1"}"#, "cursor", ":cursor"),
    ("transaction.all", r#"{"limit": 0}"#, "limit", "{:greater, 0}"),
    ("transaction.all", r#"{"limit": 1000}"#, "limit", "{:lesser, 1000}"),
    ("transaction.all", r#"{"blknum": 0}"#, "blknum", "{:greater, 0}"),
    ("transaction.all", r#"{"txtypes": ["1"]}"#, "txtypes.txtype", ":integer"),
    (
        "transaction.all",
        r#"{"txtypes": [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}"#,
        "txtypes",
        "{:max_length, 16}",
    ),
    ("transaction.all", r#"{"metadata": "0x12"}"#, "metadata", "{:length, 32}"),
    ("transaction.all", r#"{"end_datetime": 0}"#, "end_datetime", "{:greater, 0}"),
    ("transaction.get", r#"{"id": "0x12"}"#, "id", "{:length, 32}"),
    ("transaction.create", "{}", "owner", ":hex"),
    ("transaction.merge", "{}", "address", ":hex"),
    ("transaction.merge", r#"{"utxo_positions": [1]}"#, "utxo_positions", "{:min_length, 2}"),
    ("transaction.submit_typed", "{}", "domain", ":map"),
    ("block.all", r#"{"limit": "1"}"#, "limit", ":integer"),
    ("block.get", "{}", "blknum", ":integer"),
    ("block.get", r#"{"blknum": 0}"#, "blknum", "{:greater, 0}"),
    ("block.get", r#"{"hash": "0x12"}"#, "hash", "{:length, 32}"),
    ("block.get", r#"{"hash": 7}"#, "hash", ":hex"),
    ("deposit.all", r#"{"address": null}"#, "address", ":hex"),
    ("fees.all", r#"{"currencies": "ETH"}"#, "currencies", ":list"),
    ("utxo.get", r#"{"utxo_pos": 0}"#, "utxo_pos", "{:greater, 0}"),
    ("utxo.get", r#"{"utxo_pos": "1"}"#, "utxo_pos", ":integer"),
    ("proof.get", r#"{"txhash": "0x12"}"#, "txhash", "{:length, 32}"),
    ("fees.history", r#"{"currency": "0x"}"#, "currency", "{:length, 20}"),
    ("address.watch", "{}", "address", ":hex"),
    ("account.get_exitable_utxos", "{}", "address", ":hex"),
    ("block.validate", r#"{"hash": "0x12"}"#, "hash", "{:length, 32}"),
    ("utxo.get_exit_data", "{}", "utxo_pos", ":integer"),
    ("utxo.get_challenge_data", "{}", "utxo_pos", ":integer"),
    ("exit.get", "{}", "exit_id", ":integer"),
    ("exit.all", r#"{"kind": "fast"}"#, "kind", ":name"),
    ("transaction.submit", r#"{"transaction": "zz"}"#, "transaction", ":hex"),
    ("transaction.batch_submit", "{}", "transactions", ":list"),
    ("in_flight_exit.get_data", "{}", "txbytes", ":hex"),
    ("in_flight_exit.get_competitor", "{}", "txbytes", ":hex"),
    ("in_flight_exit.prove_canonical", "{}", "txbytes", ":hex"),
    ("in_flight_exit.get_input_challenge_data", "{}", "txbytes", ":hex"),
    ("in_flight_exit.get_output_challenge_data", "{}", "txbytes", ":hex"),
];

/// What is left to Alice of her payment.
const LEFT: u64 = 1_000_000_000_001;

/// The books as clients see them.
struct Told {
    alice: String,
    bob: String,
    carol: String,
    ether: String,
    tokens: String,
    /// Hash of the transaction in each block.
    hashes: [String; 2],
    /// The deposit that Alice spent.
    spent: Value,
    /// What is left to her.
    left: Value,
    /// The newest first, as lists have them.
    blocks: [Value; 2],
    txs: [Value; 2],
}

impl Told {
    fn new(books: &Books) -> Self {
        let [alice, bob, carol] = Who::ALL.map(|who| hex(who.address().as_bytes()));
        let (ether, tokens) = (hex(ETH.as_bytes()), hex(token().as_bytes()));
        let sent = [&books.first, &books.second].map(|block| &block.transactions[0]);
        let hashes = sent.map(|bytes| hex(txhash(bytes).as_bytes()));
        let spent = json!({"blknum": 1, "txindex": 0, "oindex": 0, "utxo_pos": 1_000_000_000, "owner": alice,
            "amount": 10, "creating_txhash": null, "spending_txhash": hashes[0]});
        let left = json!({"blknum": 1000, "txindex": 0, "oindex": 1, "otype": 1, "utxo_pos": LEFT, "owner": alice,
            "currency": ether, "amount": 4, "creating_txhash": hashes[0], "spending_txhash": null});
        let passed =
            json!({"utxo_pos": LEFT - 1, "owner": bob, "amount": 6, "spending_txhash": hashes[1]});
        let kept = json!({"owner": carol, "amount": 6, "spending_txhash": null});
        let blocks = [&books.second, &books.first].map(|block| {
            json!({"blknum": block.number.get(), "hash": hex(block.hash.as_bytes()), "tx_count": 1})
        });
        let tx = |of: usize, inputs: [&Value; 1], outputs: &[&Value]| {
            json!({"txindex": 0, "txhash": hashes[of], "txtype": 1, "txbytes": hex(sent[of]),
                "metadata": hex(&[0; 32]), "block": blocks[1 - of], "inputs": inputs, "outputs": outputs})
        };
        let txs = [tx(1, [&passed], &[&kept]), tx(0, [&spent], &[&passed, &left])];
        Self { alice, bob, carol, ether, tokens, hashes, spent, left, blocks, txs }
    }
}

/// What a page of rows says that is the last one.
fn last(limit: u32) -> Value {
    json!({"page": 1, "limit": limit})
}

/// What one page of one row says.
fn one(page: u32, next_cursor: &str) -> Value {
    json!({"page": page, "limit": 1, "next_cursor": next_cursor})
}

fn row(method: &'static str, params: Value, answer: Answer) -> Row {
    (method, params, answer)
}

fn of_accounts(told: &Told) -> Vec<Row> {
    let Told { alice, bob, ether, tokens, spent, left, txs, .. } = told;
    let [second, first] = txs;
    let held = json!([{"currency": ether, "amount": 4}, {"currency": tokens, "amount": 9}]);
    let coins = json!([{"utxo_pos": 3_000_000_000_u64, "currency": tokens, "amount": 9}, left]);
    let deposit =
        |utxo: Value| json!({"event_type": "deposit", "log_index": 0, "txoutputs": [utxo]});
    let deposits = json!([
        deposit(json!({"utxo_pos": 3_000_000_000_u64, "currency": tokens})),
        deposit(json!({"utxo_pos": 2_000_000_000, "amount": 20})),
        deposit(spent.clone()),
    ]);
    let (balance, utxos) = ("account.get_balance", "account.get_utxos");
    let transactions = "account.get_transactions";
    let only = json!({"address": alice, "limit": 1, "page": 2});
    vec![
        row(balance, json!({"address": alice}), Data(held)),
        row(balance, json!({"address": hex(&[9; 20])}), Data(json!([]))),
        row(utxos, json!({"address": alice}), Page(coins, last(200))),
        row(utxos, json!({"address": bob}), Page(json!([]), last(200))),
        row(utxos, only, Page(json!([left]), one(2, "1000.0.1"))),
        row(transactions, json!({"address": alice}), Page(json!([first]), last(200))),
        row(
            transactions,
            json!({"address": bob, "limit": 999}),
            Page(json!([second, first]), last(200)),
        ),
        row("deposit.all", json!({"address": alice}), Page(deposits, last(100))),
        row("deposit.all", json!({"address": bob}), Page(json!([]), last(100))),
    ]
}

fn of_transactions(told: &Told) -> Vec<Row> {
    let Told { alice, carol, hashes, txs, .. } = told;
    let [second, first] = txs;
    let all = "transaction.all";
    let answers = |params: Value, rows: &[&Value]| row(all, params, Page(json!(rows), last(200)));
    let plain = hex(&[0; 32]);
    let get = |id: &str, answer| row("transaction.get", json!({"id": id}), answer);
    let count = json!({"all_time": 2, "last_24_hours": 0});
    let stats = json!({"transaction_count": count, "block_count": count,
        "average_block_interval_seconds": {"last_24_hours": null}});
    vec![
        answers(json!({}), &[second, first]),
        answers(json!({"blknum": 1000}), &[first]),
        answers(json!({"blknum": 1001}), &[]),
        answers(json!({"metadata": plain}), &[second, first]),
        answers(json!({"metadata": plain, "address": carol}), &[second]),
        answers(json!({"metadata": plain, "address": carol, "blknum": 1000}), &[]),
        answers(json!({"metadata": hex(&[1; 32])}), &[]),
        answers(json!({"txtypes": [1]}), &[second, first]),
        answers(json!({"txtypes": [3, 7], "address": alice}), &[]),
        answers(json!({"end_datetime": 1}), &[]),
        answers(json!({"end_datetime": 99_999_999_999_u64}), &[second, first]),
        get(&hashes[0], Data(first.clone())),
        get(&plain, Refusal("transaction:not_found")),
        row("stats.get", json!({}), Data(stats)),
    ]
}

fn of_blocks(told: &Told) -> Vec<Row> {
    let [second, first] = &told.blocks;
    let get = |params, answer| row("block.get", params, answer);
    let unknown = || Refusal("get_block:block_not_found");
    vec![
        row("block.all", json!({}), Page(json!([second, first]), last(100))),
        row("block.all", json!({"limit": 1}), Page(json!([second]), one(1, "2000"))),
        row("block.all", json!({"limit": 1, "page": 2}), Page(json!([first]), one(2, "1000"))),
        row(
            "block.all",
            json!({"limit": 1, "cursor": "2000"}),
            Page(json!([first]), one(1, "1000")),
        ),
        get(json!({"blknum": 1000}), Data(first.clone())),
        get(json!({"hash": second["hash"]}), Data(second.clone())),
        get(json!({"hash": second["hash"], "blknum": null}), Data(second.clone())),
        get(json!({"hash": second["hash"], "blknum": 1000}), Data(first.clone())),
        get(json!({"blknum": 1}), unknown()),
        get(json!({"hash": hex(&[1; 32])}), unknown()),
    ]
}

fn of_spending(books: &Books, told: &Told) -> Vec<Row> {
    let Told { alice, bob, ether, tokens, .. } = told;
    let typed = TypedData::of(&books.payment_tx(), domain().verifying_contract());
    let signature = SignedTx::decode(&books.payment).unwrap().signatures().next().unwrap();
    let create = |amount: u64, fee: &str, answer| {
        let payment = json!({"amount": amount, "currency": ether, "owner": bob});
        let order = json!({"owner": alice, "payments": [payment], "fee": {"currency": fee}});
        row("transaction.create", order, answer)
    };
    let fee = json!({"currency": ether, "amount": 1});
    let created = json!({"result": "complete", "transactions": [{"fee": fee, "metadata": null,
        "inputs": [{"utxo_pos": LEFT}], "outputs": [{"owner": bob, "amount": 3, "currency": ether}]}]});
    let sign = |signatures: Value, answer| {
        let params =
            json!({"domain": typed.domain, "message": typed.message, "signatures": signatures});
        row("transaction.submit_typed", params, answer)
    };
    let mine = json!({"address": alice, "currency": ether});
    vec![
        create(3, ether, Data(created)),
        create(4, ether, Refusal("transaction.create:insufficient_funds")),
        create(1, tokens, Refusal("create:unexpected_fee_currency")),
        row("transaction.merge", mine, Refusal("merge:single_input")),
        sign(json!([hex(signature.as_bytes())]), Data(books.accepted())),
        sign(json!([]), Refusal("submit_typed:missing_signature")),
        row("fees.all", json!({"currencies": [ether]}), Data(json!({"1": [fee]}))),
        row("fees.all", json!({"currencies": [tokens]}), Refusal("fees_all:client_error")),
    ]
}

/// What the originals do not have.
fn of_ours(books: &Books, told: &Told) -> Vec<Row> {
    let Told { carol, bob, ether, tokens, hashes, spent, left, .. } = told;
    let proof = json!({"txhash": hashes[0], "blknum": 1000, "txindex": 0, "block_hash": hex(books.first.hash.as_bytes()),
        "txbytes": hex(&unsigned(&books.first.transactions[0]))});
    let utxo = |position: u64, answer| row("utxo.get", json!({"utxo_pos": position}), answer);
    let prove = |params, answer| row("proof.get", params, answer);
    let fee = json!({"sequence": 1, "txtype": 1, "currency": ether, "amount": 1});
    let payment = json!({"type": "payment", "blknum": 2000, "inputs": [{"owner": bob}],
        "outputs": [{"owner": carol, "amount": 6}]});
    let deposit = json!({"type": "deposit", "txhash": null, "outputs": [{"owner": carol, "currency": tokens}]});
    let events = json!([{"sequence": 1, "data": payment}, {"sequence": 2, "data": deposit}]);
    let topic = format!("transfer:{carol}");
    vec![
        utxo(1_000_000_000, Data(spent.clone())),
        utxo(LEFT, Data(left.clone())),
        utxo(9_000_000_000_000, Refusal("utxo:not_found")),
        prove(json!({"utxo_pos": LEFT}), Data(proof.clone())),
        prove(json!({"txhash": hashes[0]}), Data(proof)),
        prove(json!({"txhash": hex(&[1; 32])}), Refusal("proof:not_found")),
        row("fees.history", json!({}), Page(json!([fee]), last(200))),
        row("fees.history", json!({"currency": tokens}), Page(json!([]), last(200))),
        row(
            "address.watch",
            json!({"address": carol}),
            Data(json!({"topic": topic, "head": 2, "next": 3, "events": events})),
        ),
        row(
            "address.watch",
            json!({"address": carol, "from": 3, "limit": 1}),
            Data(json!({"head": 2, "next": 3, "events": []})),
        ),
    ]
}

/// The methods of the watcher, which are answered here as well, with or without a database.
fn of_safety(books: &Books, told: &Told) -> Vec<Row> {
    let (signed, bytes) = (hex(&books.payment), hex(&unsigned(&books.payment)));
    let (exiting, tokens) = (books.exiting.encode(), books.tokens.encode());
    let exit = json!({"kind": "standard", "utxo_pos": exiting, "exitor": told.alice, "amount": 20, "is_over": false});
    let transactions: Vec<_> = books.first.transactions.iter().map(|bytes| hex(bytes)).collect();
    let block = json!({"hash": hex(books.first.hash.as_bytes()), "transactions": transactions, "number": 1000});
    let status = json!({"last_validated_child_block_number": 2000, "byzantine_events": []});
    let position =
        |method, position: u128, answer| row(method, json!({"utxo_pos": position}), answer);
    let in_flight = |method, code| {
        let params = json!({"txbytes": bytes, "input_index": 0, "output_index": 0});
        row(method, params, Refusal(code))
    };
    let mine = json!({"address": told.alice});
    let exitable = json!([{"utxo_pos": tokens}, {"utxo_pos": LEFT, "amount": 4}]);
    let none = json!({"address": told.alice, "kind": "in_flight"});
    let data = json!({"in_flight_tx": bytes, "input_utxos_pos": [LEFT]});
    vec![
        row("status.get", json!({}), Data(status)),
        row("configuration.get", json!({}), Data(json!({"deposit_finality_margin": 1}))),
        row("alarm.get", json!({}), Data(json!([]))),
        row("sentinel.get", json!({}), Refusal("sentinel:not_running")),
        row("account.get_exitable_utxos", mine, Data(exitable)),
        row("block.validate", block, Data(json!({"valid": true}))),
        position("utxo.get_exit_data", LEFT.into(), Data(json!({"utxo_pos": LEFT}))),
        position("utxo.get_exit_data", 7, Refusal("exit:invalid")),
        position("utxo.get_challenge_data", exiting, Refusal("challenge:utxo_not_spent")),
        position("exit.get", exiting, Data(exit.clone())),
        position("exit.get", LEFT.into(), Refusal("exit:not_found")),
        row("exit.all", json!({}), Data(json!({"exits": [exit], "cursor": null}))),
        row("exit.all", none, Data(json!({"exits": []}))),
        row("transaction.submit", json!({"transaction": signed}), Data(books.accepted())),
        row(
            "transaction.batch_submit",
            json!({"transactions": [signed]}),
            Data(json!([books.accepted()])),
        ),
        row("in_flight_exit.get_data", json!({"txbytes": signed}), Data(data)),
        in_flight("in_flight_exit.get_competitor", "get_competitor:ife_not_known_for_tx"),
        in_flight("in_flight_exit.prove_canonical", "prove_canonical:ife_not_known_for_tx"),
        in_flight(
            "in_flight_exit.get_input_challenge_data",
            "get_input_challenge_data:ife_not_known_for_tx",
        ),
        in_flight(
            "in_flight_exit.get_output_challenge_data",
            "get_output_challenge_data:ife_not_known_for_tx",
        ),
    ]
}

/// All questions.
pub(super) fn rows(books: &Books) -> Vec<Row> {
    let told = Told::new(books);
    let parts = [
        of_accounts(&told),
        of_transactions(&told),
        of_blocks(&told),
        of_spending(books, &told),
        of_ours(books, &told),
        of_safety(books, &told),
    ];
    parts.into_iter().flatten().collect()
}
