//! Watcher and PostgreSQL are killed (SIGKILL) again and again under load, at any moment: whoever follows the watcher hears everything
//! once, and the database is that of a rebuild, row by row.

use crate::kit::{Penning, penning, root};
use crate::load::{Load, client, settled, users};
use crate::nodes::Nodes;
use crate::process::{Moments, POLL, Process, free_port};
use crate::subscribers::{Events, Subscriber, note};
use plasma_core::journal::Topic;
use plasma_core::wire::{Blknum, CHILD_BLOCK_INTERVAL};
use plasma_rpc::subscription::{EventObject, TopicName};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use watcher::watcher_db::embedded::{
    DATABASE_URL_ENV, EmbeddedConfig, EmbeddedPostgres, find_postgres,
};
use watcher::watcher_db::{Inspection, WatcherDbConfig, inspect};

/// Environment variable with the number of kills.
const KILLS_ENV: &str = "PENNING_TEST_WATCHER_KILLS";
const KILLS: u64 = 6;
/// Longest time under load between two kills, after everything went on.
const LIFE_MS_MAX: u64 = 1_000;
/// How long it may take until everything goes on, on a busy machine.
const BACK_MAX: Duration = Duration::from_secs(60);
/// Pause of each user between batches: everything is read several times in the end, and that should not take longer than the load.
const PAUSE: Duration = Duration::from_millis(200);
/// Fewer payments are no load.
const PAYMENTS_MIN: u64 = 1_000;

/// What is killed.
struct Victims<'a> {
    nodes: &'a Nodes,
    postgres: EmbeddedConfig,
    url: String,
    /// `None` while it is dead.
    running: Option<(Process, EmbeddedPostgres)>,
}

impl<'a> Victims<'a> {
    fn start(nodes: &'a Nodes) -> Self {
        // PostgreSQL is run by somebody else when we are root.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(nodes.at(), open).unwrap();
        let postgres = EmbeddedConfig {
            native: find_postgres(&[root()]).unwrap(),
            data_dir: nodes.at().join("postgres"),
            port: Some(free_port()),
            is_durable: true,
        };
        let server = EmbeddedPostgres::start(&postgres).unwrap();
        let url = server.url("postgres");
        let running = Some((nodes.watcher_with(&url), server));
        Self { nodes, postgres, url, running }
    }

    /// Kills the watcher, the database, or both, and starts them again.
    fn kill(&mut self, kill: u64) {
        let (mut watcher, mut server) = self.running.take().unwrap();
        assert!(watcher.is_running() && server.is_running(), "it ended by itself before {kill}");
        let (kills_watcher, kills_server) =
            [(true, true), (false, true), (true, false)][kill as usize % 3];
        let mut server = Some(server);
        if kills_server {
            server.take().unwrap().kill().unwrap();
        }
        if kills_watcher {
            watcher.kill();
            watcher = self.nodes.watcher_with(&self.url);
        }
        let server = server.unwrap_or_else(|| EmbeddedPostgres::start(&self.postgres).unwrap());
        self.running = Some((watcher, server));
    }

    async fn database(&self) -> Option<Inspection> {
        let database_url = self.url.clone().into();
        inspect(&WatcherDbConfig { database_url, ..WatcherDbConfig::default() }).await.ok()?
    }

    /// Waits until so many more blocks are indexed.
    async fn indexes(&self, blocks: u64) {
        let indexed = async || self.database().await.map_or(0, |database| database.block_count);
        let before = eventually("the database answers", async || self.database().await).await;
        eventually("blocks are indexed", async || {
            (indexed().await >= before.block_count + blocks).then_some(())
        })
        .await;
    }
}

async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < BACK_MAX, "waited {} s: {what}", BACK_MAX.as_secs());
        tokio::time::sleep(POLL).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_missed_and_every_row_is_right_however_watcher_and_database_die() {
    let nodes = Nodes::new().await;
    let mut victims = Victims::start(&nodes);
    let mut operator = nodes.child_chain();
    let load = Arc::new(Load { pause: PAUSE, ..Load::default() });
    let deposits = nodes.deposits().await;
    let users = users(&nodes, &load, &deposits);
    load.everybody_pays(users.len()).await;
    let accounts = nodes.accounts().iter().map(|key| Topic::Transfer(key.address()));
    let topics: Vec<TopicName> =
        [Topic::Blocks, Topic::Deposits].into_iter().chain(accounts).map(TopicName).collect();
    let blocks = TopicName(Topic::Blocks);
    let subscribers = [
        Subscriber::over_websocket(&nodes.watcher_url, &topics),
        Subscriber::over_http(&nodes.info_url, &topics),
    ];
    let mut moments = Moments::new(0x5eed);
    for kill in 0..kills() {
        let heard = subscribers.each_ref().map(|subscriber| subscriber.count(blocks));
        victims.indexes(1).await;
        for (subscriber, heard) in subscribers.iter().zip(heard) {
            let hears = async || (subscriber.count(blocks) > heard).then_some(());
            eventually("subscribers hear of blocks", hears).await;
        }
        tokio::time::sleep(Duration::from_millis(moments.next_ms(LIFE_MS_MAX))).await;
        tokio::task::block_in_place(|| victims.kill(kill));
    }
    victims.indexes(1).await;
    load.is_over.store(true, Ordering::Relaxed);
    let mut expected: Vec<u64> = Vec::new();
    let mut last = Blknum::new(0);
    for user in users {
        let promises = user.await.unwrap();
        // A deposit comes first. An answer may have come too late, on a busy machine.
        let payments = promises.acknowledged.len() + promises.silently_accepted.len();
        expected.push(1 + payments as u64);
        last = promises.acknowledged.values().map(|answer| answer.blknum).max().unwrap().max(last);
    }
    let payments = load.acknowledged.load(Ordering::Relaxed);
    assert!(payments >= PAYMENTS_MIN, "{payments} payments");
    let newest = settled(last, &client(&nodes.watcher_url)).await;
    let block_count = newest.get() / CHILD_BLOCK_INTERVAL;
    expected.splice(0..0, [block_count, deposits.len() as u64]);
    for subscriber in &subscribers {
        for (topic, expected) in topics.iter().zip(&expected) {
            let hears = async || (subscriber.count(*topic) as u64 >= *expected).then_some(());
            eventually(&format!("{expected} events of {topic}"), hears).await;
            assert_eq!(subscriber.count(*topic) as u64, *expected, "{topic}");
        }
        assert!(u64::from(subscriber.losses()) >= kills() / 3, "the watcher never died");
    }
    let fresh = heard_from_the_first(&nodes, &topics, expected.iter().sum());
    for subscriber in &subscribers {
        assert!(subscriber.events() == fresh, "who comes later hears something else");
    }
    eventually("everything is indexed", async || {
        let database = victims.database().await?;
        // Fee claims come on top.
        let all = database.position.last_blknum == newest && database.transaction_count >= payments;
        all.then_some(())
    })
    .await;
    drop(subscribers);
    let (mut watcher, server) = victims.running.take().unwrap();
    assert!(watcher.stop().success() && operator.stop().success());
    let checked = tokio::task::block_in_place(|| {
        check(&nodes, &server.url("template1")).refused("watcher_db:empty");
        check(&nodes, &victims.url).json()
    });
    assert_eq!(checked["is_equal"], true, "{checked}");
    println!("{} kills: {payments} payments in {block_count} blocks; {checked}", kills());
    tokio::task::block_in_place(|| server.stop()).unwrap();
}

fn kills() -> u64 {
    std::env::var(KILLS_ENV).map_or(KILLS, |text| text.parse().unwrap())
}

/// What `penning watch` prints that begins with the first event of each topic.
fn heard_from_the_first(nodes: &Nodes, topics: &[TopicName], count: u64) -> Events {
    let (names, count): (Vec<_>, _) =
        (topics.iter().map(ToString::to_string).collect(), count.to_string());
    let mut arguments = vec!["watch"];
    arguments.extend(names.iter().map(String::as_str));
    arguments.extend(["--json", "--from", "1", "--count", &count]);
    arguments.extend(["--watcher-url", &nodes.watcher_url]);
    let output = tokio::task::block_in_place(|| penning(nodes.at(), &arguments).run());
    assert!(output.status.success(), "{}", crate::kit::all(&output));
    let mut events: Events = topics.iter().map(|topic| (*topic, Vec::new())).collect();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        note(&mut events, &serde_json::from_str::<EventObject>(line).unwrap());
    }
    events
}

/// Asks whether every row is that of a rebuild.
fn check(nodes: &Nodes, database_url: &str) -> Penning {
    let settings = nodes.watcher_arguments();
    let settings = settings.iter().skip(1).map(String::as_str);
    let arguments: Vec<_> = ["watcher-db", "check", "--json"].into_iter().chain(settings).collect();
    penning(nodes.at(), &arguments).env(DATABASE_URL_ENV, database_url)
}
