//! A watcher whose database is of no use, for any reason: it names the operator's lie and serves exits as if there were no database,
//! and only the informational methods say what is wrong.

use crate::info::refusals_of_all;
use crate::kit::{Watched, World, eventually, soon};
use crate::postgres::Database;
use crate::users::{Who, assert_included, output, pay, unsigned};
use Who::{Alice, Bob, Carol};
use plasma_core::journal::Topic;
use plasma_core::wire::{Block, UtxoPos};
use plasma_rpc::client::{ClientError, HttpRpcClient};
use plasma_rpc::event_client::{EventClient, EventClientConfig, Heard};
use plasma_rpc::info::{ACCOUNT_GET_BALANCE, DbLag};
use plasma_rpc::params::NoParams;
use plasma_rpc::subscription::{EventObject, Start, TopicName};
use plasma_rpc::watcher::{
    AccountParams, ByzantineEvent, STATUS_GET, Status, UTXO_GET_EXIT_DATA, UtxoPosParams,
};
use serde_json::Value;

/// A chain of two valid blocks, the second of which was written when the database was of no use any more.
struct Story {
    world: World,
    watched: Watched,
    database: Database,
    deposit: UtxoPos,
    second: Block,
}

impl Story {
    /// `begin_trouble` happens behind the first block.
    async fn new(database: Database, begin_trouble: impl AsyncFnOnce(&Watched, &Database)) -> Self {
        let mut world = World::new().await;
        world.config.info.listen = ([127, 0, 0, 1], 0).into();
        world.config.watcher_db = database.config.clone();
        let (spent, deposit) = (world.deposit(Alice, 10), world.deposit(Alice, 20));
        let watched = world.start().await;
        let first = world.block(vec![pay(&[(spent, Alice)], &[(Bob, 6), (Alice, 4)])]);
        watched.validated(first.number).await;
        begin_trouble(&watched, &database).await;
        let bobs = output(&first, 0, 0);
        let second = world.block(vec![pay(&[(bobs, Bob)], &[(Carol, 6)])]);
        watched.validated(second.number).await;
        Self { world, watched, database, deposit, second }
    }

    /// The operator gives Bob what is Carol's.
    fn lie(&mut self) {
        let carols = output(&self.second, 0, 0);
        let theft = self.world.next_block(vec![pay(&[(carols, Bob)], &[(Bob, 6)])]);
        self.world.operator.serve(theft.hash, &theft);
        self.world.submit(theft.hash);
    }

    /// A question to the database is refused, with how far it is behind and why.
    async fn is_unavailable(&self, lag: (u64, u64), reason: &str) {
        let what = format!("the database is unavailable, {lag:?}, {reason}");
        eventually(&what, async || {
            let told = lag_of(balance(&self.watched).await.err()?)?;
            let found = (told.lag_blocks?, told.last_indexed_child_block_number.get());
            (found == lag && told.reason.contains(reason)).then_some(())
        })
        .await;
    }

    /// The lie is in the status and everybody can leave with what was valid before, on both ports.
    async fn helps_to_leave(&self) {
        let Self { watched, deposit, second, .. } = self;
        watched.events(&["invalid_block"]).await;
        let carols = output(second, 0, 0);
        for client in [&watched.client, watched.info_client()] {
            let status = client.call(&STATUS_GET, &NoParams {}).await.unwrap();
            is_named(&status);
            assert_eq!(status.last_validated_child_block_number, second.number);
            let data = exit_data(client, carols).await;
            assert_eq!(data.txbytes, unsigned(&second.transactions[0]));
            assert_included(&data.txbytes, carols, &data.proof, second.hash);
            assert_eq!(exit_data(client, *deposit).await.utxo_pos, *deposit);
        }
        assert_eq!(watched.exitable_positions(Carol).await, [carols]);
    }

    /// Nobody was harmed: it is used as soon as it can be.
    async fn answers_again(self) {
        let amount = eventually("the database is used", async || {
            let balance = balance(&self.watched).await.ok()?;
            balance.first().map(|one| one.amount)
        });
        assert_eq!(amount.await, 24.into());
        self.watched.stop().await;
    }
}

async fn balance(watched: &Watched) -> Result<Vec<plasma_rpc::info::Balance>, ClientError> {
    watched.info(&ACCOUNT_GET_BALANCE, &AccountParams { address: Alice.address() }).await
}

async fn exit_data(client: &HttpRpcClient, position: UtxoPos) -> plasma_rpc::watcher::ExitData {
    client.call(&UTXO_GET_EXIT_DATA, &UtxoPosParams::new(position)).await.unwrap()
}

/// How far a database is behind that cannot answer.
fn lag_of(error: ClientError) -> Option<DbLag> {
    assert!(error.is_transient(), "{error}");
    let ClientError::Api(body) = error else { panic!("{error}") };
    assert_eq!(body.code, "watcher_db:unavailable");
    serde_json::from_str(body.messages?.get()).ok()
}

fn is_named(status: &Status) {
    let [ByzantineEvent::InvalidBlock(event)] = &status.byzantine_events[..] else {
        panic!("{status:?}");
    };
    assert_eq!(event.error_type, "tx_execution");
}

/// Follows what goes wrong, on each port.
fn subscribers(watched: &Watched) -> Vec<EventClient> {
    let follow = |addr| {
        let topics = vec![TopicName(Topic::Byzantine)];
        let config = EventClientConfig::new(format!("http://{addr}"), topics);
        EventClient::new(EventClientConfig { from: Start::Sequence(1), ..config }).unwrap()
    };
    [watched.addr, watched.info_addr.unwrap()].map(follow).into()
}

async fn hear(subscriber: &mut EventClient) -> EventObject {
    match soon("an event", subscriber.next()).await.unwrap() {
        Heard::Event(event) => event,
        Heard::Interrupted(interruption) => panic!("{interruption:?}"),
    }
}

/// Tells the lie beside a database of no use, and checks what has to hold, also after a restart of the watcher. `lag`: how many blocks,
/// and the last block that is indexed.
async fn check(mut story: Story, lag: (u64, u64), reason: &str) -> Story {
    story.is_unavailable(lag, reason).await;
    for code in refusals_of_all(&story.watched, story.deposit).await {
        assert_eq!(code, "watcher_db:unavailable");
    }
    let mut before = subscribers(&story.watched);
    story.lie();
    for subscriber in &mut before {
        is_heard(&hear(subscriber).await);
    }
    story.helps_to_leave().await;
    story.watched = story.world.restart(story.watched).await;
    story.is_unavailable(lag, reason).await;
    story.helps_to_leave().await;
    for subscriber in &mut subscribers(&story.watched) {
        is_heard(&hear(subscriber).await);
    }
    story
}

fn is_heard(event: &EventObject) {
    let data: Value = serde_json::from_str(event.data.get()).unwrap();
    assert_eq!((event.sequence, &data["change"]), (1, &"appeared".into()));
    assert_eq!(data["event"]["event"], "invalid_block", "{data}");
}

#[actix::test]
async fn a_lie_is_told_and_exits_are_served_where_no_database_listens() {
    let database = Database::at("postgres://nobody@127.0.0.1:1/nothing".to_owned());
    let story = Story::new(database, async |_, _| {}).await;
    let story = check(story, (2, 0), "does not answer").await;
    story.watched.stop().await;
}

#[actix::test]
async fn a_lie_is_told_and_exits_are_served_where_a_database_never_answers() {
    // It takes connections and says nothing, as behind a broken proxy.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = mute.local_addr().unwrap();
    let mut database = Database::at(format!("postgres://nobody@{addr}/nothing"));
    database.config.connect_ms_max = 100;
    let story = Story::new(database, async |_, _| {}).await;
    let story = check(story, (2, 0), "does not answer").await;
    story.watched.stop().await;
}

#[actix::test]
async fn a_lie_is_told_and_exits_are_served_when_the_database_is_full() {
    let story = Story::new(Database::new().await, async |watched, database| {
        eventually("the first block is indexed", async || {
            let balance = balance(watched).await.ok()?;
            (balance.first()?.amount == 24.into()).then_some(())
        })
        .await;
        database.take_writes_away().await;
    })
    .await;
    let story = check(story, (1, 1_000), "disk is full").await;
    story.database.give_writes_back().await;
    story.answers_again().await;
}

#[actix::test]
async fn a_lie_is_told_and_exits_are_served_when_the_database_is_of_somebody_else() {
    let database = Database::new().await;
    database.run("CREATE TABLE blocks (number integer); INSERT INTO blocks VALUES (1)").await;
    let story = Story::new(database, async |_, _| {}).await;
    let story = check(story, (2, 0), "somebody else").await;
    story.database.run("DROP TABLE blocks").await;
    story.answers_again().await;
}

#[actix::test]
async fn a_watcher_goes_on_where_the_port_of_the_informational_methods_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut world = World::with_database().await;
    world.config.info.listen = taken.local_addr().unwrap();
    let deposit = world.deposit(Alice, 10);
    let watched = world.start().await;
    assert_eq!(watched.info_addr, None);
    assert_eq!(exit_data(&watched.client, deposit).await.utxo_pos, deposit);
    watched.assert_quiet().await;
    watched.stop().await;
}
