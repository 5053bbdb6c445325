//! The operator is killed (SIGKILL) again and again under load, at any moment: nothing that was promised is lost, doubled or moved.

use crate::load::{Load, Promises, client, settled, told_by_watcher, users};
use crate::nodes::Nodes;
use crate::process::{Moments, POLL, Process};
use plasma_core::wire::{Address, Blknum, OutputIndex, SignedTx, TxHash, TxIndex, U256, UtxoPos};
use plasma_eth::RootChain;
use plasma_rpc::child_chain::{BLOCK_GET, BlockGetParams};
use plasma_rpc::client::HttpRpcClient;
use plasma_rpc::params::NoParams;
use plasma_rpc::watcher::STATUS_GET;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Environment variable with the number of kills.
const KILLS_ENV: &str = "PENNING_TEST_KILLS";
const KILLS: u64 = 50;
/// Longest life of an operator after it answered.
const LIFE_MS_MAX: u64 = 900;
/// How long a restarted operator may take until it accepts again, on a busy machine.
const BACK_MAX: Duration = Duration::from_secs(20);

fn kills() -> u64 {
    std::env::var(KILLS_ENV).map_or(KILLS, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_acknowledged_is_lost_however_the_operator_dies() {
    let nodes = Nodes::new().await;
    let mut watcher = nodes.watcher();
    let mut operator = nodes.child_chain();
    let load = Arc::new(Load::default());
    let deposits = nodes.deposits().await;
    let users = users(&nodes, &load, &deposits);
    load.everybody_pays(users.len()).await;
    let watching = client(&nodes.watcher_url);
    let mut moments = Moments::new(0x5eed);
    let mut slowest = Duration::ZERO;
    for kill in 0..kills() {
        slowest = slowest.max(until_it_accepts(&load, &mut operator, kill).await);
        tokio::time::sleep(Duration::from_millis(moments.next_ms(LIFE_MS_MAX))).await;
        operator.kill();
        operator = nodes.child_chain();
        assert!(watcher.is_running());
        if let Ok(status) = watching.call(&STATUS_GET, &NoParams {}).await {
            assert_eq!(status.byzantine_events, [], "after kill {kill}");
        }
    }
    slowest = slowest.max(until_it_accepts(&load, &mut operator, kills()).await);
    load.is_over.store(true, Ordering::Relaxed);
    let mut promises = Vec::new();
    for user in users {
        promises.push(user.await.unwrap());
    }
    let books = Books::read(&nodes, &promises, &deposits, &watching).await;
    books.check_promises(&promises);
    let silently: usize = promises.iter().map(|of_user| of_user.silently_accepted.len()).sum();
    println!(
        "{} kills: {} payments acknowledged and {silently} without an answer in blocks up to {}; back after {} ms at most",
        kills(),
        load.acknowledged.load(Ordering::Relaxed),
        books.newest,
        slowest.as_millis()
    );
    for owner in nodes.keys.iter().map(plasma_core::wire::SecretKey::address) {
        let expected = books.unspent_of(owner);
        assert_eq!(told_by_watcher(&watching, owner).await, expected, "{owner:?}");
    }
    assert!(operator.stop().success() && watcher.stop().success());
}

/// Waits until the operator has accepted something since it was started.
async fn until_it_accepts(load: &Load, operator: &mut Process, kill: u64) -> Duration {
    let (started, before) = (Instant::now(), load.acknowledged.load(Ordering::Relaxed));
    while load.acknowledged.load(Ordering::Relaxed) == before {
        assert!(operator.is_running(), "it ended by itself after kill {kill}");
        assert!(started.elapsed() < BACK_MAX, "nothing is accepted after kill {kill}");
        tokio::time::sleep(POLL).await;
    }
    started.elapsed()
}

/// What the root chain and the operator's blocks say, without asking the watcher.
struct Books {
    newest: Blknum,
    places: BTreeMap<TxHash, (Blknum, TxIndex)>,
    unspent: BTreeMap<UtxoPos, (Address, U256)>,
}

impl Books {
    /// Reads every block that is on the root chain, once the last promise is kept and the watcher has seen all.
    async fn read(
        nodes: &Nodes,
        promises: &[Promises],
        deposits: &[(UtxoPos, U256)],
        watching: &HttpRpcClient,
    ) -> Self {
        let answers = promises.iter().flat_map(|of_user| of_user.acknowledged.values());
        let last = answers.map(|answer| answer.blknum).max().unwrap();
        let newest = settled(last, watching).await;
        let owners = nodes.accounts().iter().zip(deposits);
        let mut books = Self {
            newest,
            places: BTreeMap::new(),
            unspent: owners.map(|(key, (at, amount))| (*at, (key.address(), *amount))).collect(),
        };
        let child_chain = client(&nodes.child_chain_url);
        let mut blknum = Blknum::new(0);
        while blknum < newest {
            blknum = blknum.next_child_block().unwrap();
            let root = nodes.reader.child_block(blknum).await.unwrap().unwrap().root;
            let block = child_chain.call(&BLOCK_GET, &BlockGetParams { hash: root }).await;
            let block = block.unwrap_or_else(|error| panic!("block {blknum}: {error}")).0;
            assert_eq!((block.number, block.hash), (blknum, root));
            assert_eq!(block.root().unwrap(), root, "block {blknum} is not what was submitted");
            for (txindex, bytes) in (0..).zip(&block.transactions) {
                books.apply((blknum, TxIndex::new(txindex)), &SignedTx::decode(bytes).unwrap());
            }
        }
        books
    }

    fn apply(&mut self, at: (Blknum, TxIndex), signed: &SignedTx) {
        let before = self.places.insert(signed.hash(), at);
        assert_eq!(before, None, "a transaction is in two blocks, the second is {}", at.0);
        for input in signed.transaction().inputs() {
            let input = input.position().unwrap();
            assert!(self.unspent.remove(&input).is_some(), "{input} is spent twice in {}", at.0);
        }
        for (oindex, output) in (0..).zip(signed.transaction().outputs()) {
            let position = UtxoPos::new(at.0, at.1, OutputIndex::new(oindex));
            self.unspent.insert(position, (output.owner, output.amount));
        }
    }

    fn check_promises(&self, promises: &[Promises]) {
        let mut payments = 0;
        for of_user in promises {
            for (txhash, answer) in &of_user.acknowledged {
                let promised = (answer.blknum, answer.txindex);
                assert_eq!(self.places.get(txhash), Some(&promised), "{txhash:?}");
            }
            for txhash in &of_user.silently_accepted {
                assert!(self.places.contains_key(txhash), "{txhash:?} spent and is nowhere");
            }
            payments += of_user.acknowledged.len() + of_user.silently_accepted.len();
        }
        let sum = self.unspent.values().fold(U256::zero(), |sum, (_, amount)| sum + amount);
        assert_eq!(sum, U256::exp10(18) * promises.len(), "money came or went");
        assert!(payments > 0 && payments < self.places.len(), "fee claims come on top");
    }

    fn unspent_of(&self, wanted: Address) -> BTreeMap<UtxoPos, U256> {
        let own = self.unspent.iter().filter(|(_, (owner, _))| *owner == wanted);
        own.map(|(at, (_, amount))| (*at, *amount)).collect()
    }
}
