//! The death of any actor, at any time: the tree comes back from disk and ends where an undisturbed watcher is.

use crate::journal::Told;
use crate::kit::{Watched, World};
use crate::users::{Who, deposit_tx, output, pay, unsigned};
use Who::{Alice, Bob, Carol};
use plasma_core::wire::{EthHeight, UtxoPos};
use plasma_rpc::watcher::{ByzantineEvent, ExitableUtxo};
use std::collections::BTreeMap;

/// All that users can see of a ledger at rest.
#[derive(Debug, PartialEq)]
struct Seen {
    exitable: Vec<Vec<ExitableUtxo>>,
    events: Vec<ByzantineEvent>,
    validated: u64,
    heights: BTreeMap<String, EthHeight>,
}

impl Seen {
    async fn of(watched: &Watched) -> Self {
        let status = watched.synced().await;
        let mut exitable = Vec::new();
        for who in Who::ALL {
            exitable.push(watched.exitable(who.address()).await);
        }
        let services = status.services_synced_heights.into_iter();
        Self {
            exitable,
            events: status.byzantine_events,
            validated: status.last_validated_child_block_number.get(),
            heights: services.map(|at| (at.service, at.height)).collect(),
        }
    }
}

/// One round of everything that can happen to an honest operator's chain: two deposits, a block, a valid exit that is paid, an
/// invalid one that is challenged. Returns an output of Carol's that stays.
fn a_round(world: &mut World) -> UtxoPos {
    let (first, second) = (world.deposit(Alice, 10), world.deposit(Bob, 20));
    let split = pay(&[(first, Alice)], &[(Bob, 3), (Carol, 7)]);
    let block = world.block(vec![split.clone(), pay(&[(second, Bob)], &[(Alice, 20)])]);
    let bobs = output(&block, 0, 0);
    let paid = world.chain.exit_started(Bob.address(), bobs, &unsigned(&split));
    world.chain.exit_started(Alice.address(), first, &deposit_tx(Alice, 10));
    world.chain.mine(1);
    world.chain.exit_challenged(first);
    world.chain.exit_finalized(paid);
    output(&block, 0, 1)
}

#[actix::test]
async fn killing_each_actor_in_turn_changes_nothing_in_the_end() {
    let mut world = World::new().await;
    let mut watched = world.start().await;
    let actors = watched.tree.actors();
    for expected in ["guard", "block_getter", "eventer", "status", "eth_height_monitor"] {
        assert!(actors.contains(&expected), "{actors:?}");
    }
    let mut kept = Vec::new();
    for actor in &actors {
        // Whatever the actors are doing with this round, one of them dies over it.
        kept.push(a_round(&mut world));
        watched.crash(actor).await;
    }
    world.chain.mine(2);
    let newest = kept.last().unwrap().blknum;
    watched.validated(newest).await;
    let disturbed = Seen::of(&watched).await;
    assert_eq!(watched.metric("tree_starts_total").await, actors.len() as u64 + 1);
    assert_eq!(watched.exitable_positions(Carol).await, kept);
    assert_eq!(watched.exitable_positions(Bob).await, []);
    let folder = world.another_folder();
    let other = world.start().await;
    other.validated(newest).await;
    assert_eq!(disturbed, Seen::of(&other).await);
    assert_eq!(disturbed.events, []);
    watched.stop().await;
    other.stop().await;
    // And everybody who was told anything was told the same.
    let disturbed = Told::of(&world.open_store_in(folder.path()).await);
    let undisturbed = Told::of(&world.open_store().await);
    assert_eq!(disturbed.blocks.len(), actors.len());
    assert_eq!(disturbed.exits.len(), actors.len() * 4);
    assert_eq!(disturbed.happened(), undisturbed.happened());
}

#[actix::test]
async fn what_secures_funds_is_served_while_there_are_no_actors() {
    let mut world = World::new().await;
    let deposit = world.deposit(Alice, 10);
    let watched = world.start().await;
    let block = world.block(vec![pay(&[(deposit, Alice)], &[(Bob, 10)])]);
    watched.validated(block.number).await;
    world.chain.exit_started(Alice.address(), deposit, &deposit_tx(Alice, 10));
    world.chain.mine(1);
    watched.events(&["invalid_exit"]).await;
    watched.stop().await;
    // The next process cannot build its actors: the root chain is away.
    world.chain.go_away();
    let watched = world.launch().await;
    watched.alarm("boot_in_progress", true).await;
    let bobs = output(&block, 0, 0);
    assert_eq!(watched.exitable_positions(Bob).await, [bobs]);
    assert!(watched.exit_data(bobs).await.is_ok());
    let data = watched.challenge_data(deposit).await.unwrap();
    crate::users::assert_challenges(&data, deposit, Alice);
    let payment = pay(&[(bobs, Bob)], &[(Carol, 10)]);
    let refused = crate::kit::code(watched.submit(&payment).await.unwrap_err());
    assert_eq!(refused, "operation:service_unavailable");
    world.chain.come_back();
    watched.events(&["invalid_exit"]).await;
    watched.stop().await;
}
