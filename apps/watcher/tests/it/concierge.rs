//! `exit.get` and `exit.all`: what is said about exits while they go through their phases, to whom, and how fast.

use crate::kit::{Watched, World, code, eventually};
use crate::users::{Who, deposit_tx, output, pay, txhash};
use Who::{Alice, Bob, Carol};
use plasma_core::exit_concierge::{ExitKind, ExitPhase};
use plasma_core::root_chain::{PiggybackSlot, RootChainEvent};
use plasma_core::wire::{Blknum, ETH, ExitId, SignedTx, U256, UtxoPos};
use plasma_rpc::watcher::{
    EXIT_ALL, EXIT_GET, EXIT_PAGE_LEN_MAX, Exit, ExitAllParams, ExitGetParams, ExitPage,
};
use std::time::{Duration, Instant};

/// How long an answer may take with ten thousand open exits.
const ANSWER_MAX: Duration = Duration::from_millis(50);

impl Watched {
    async fn exit(&self, params: ExitGetParams) -> Result<Exit, String> {
        self.call(&EXIT_GET, &params).await.map_err(code)
    }

    /// Waits until an exit is in this phase.
    async fn exit_in(&self, exit_id: ExitId, phase: ExitPhase, viewer: Option<Who>) -> Exit {
        eventually(&format!("exit {exit_id} is {phase}"), async || {
            let params = ExitGetParams::of_id(exit_id, viewer.map(Who::address));
            self.exit(params).await.ok().filter(|exit| exit.phase == phase.name())
        })
        .await
    }

    async fn page(&self, params: ExitAllParams) -> ExitPage {
        self.call(&EXIT_ALL, &params).await.unwrap()
    }

    /// Ids of all exits, with as many pages as it takes.
    async fn pages(&self, mut params: ExitAllParams) -> Vec<ExitId> {
        let mut ids = Vec::new();
        loop {
            let page = self.page(params).await;
            assert!(page.exits.len() <= params.limit.unwrap_or(EXIT_PAGE_LEN_MAX));
            ids.extend(page.exits.iter().map(|exit| exit.exit_id));
            let Some(cursor) = page.cursor else {
                return ids;
            };
            params.cursor = Some(cursor.to_u256());
        }
    }
}

fn of(who: Who) -> ExitAllParams {
    ExitAllParams { address: Some(who.address()), ..ExitAllParams::default() }
}

/// Lets the root chain's clock pass this time.
fn pass(world: &World, time_s: u64) {
    world.chain.mine_at(time_s + 1);
    world.chain.mine(2);
}

#[actix::test]
async fn a_standard_exit_is_told_from_its_start_to_its_payment() {
    let world = World::new().await;
    let (first, second) = (world.deposit(Alice, 10), world.deposit(Bob, 20));
    let mut watched = world.start().await;
    let started = world.chain.newest_block().eth_height.get() + 1;
    let exit_id = world.chain.exit_started(Alice.address(), first, &deposit_tx(Alice, 10));
    let later = world.chain.exit_started(Bob.address(), second, &deposit_tx(Bob, 20));
    world.chain.mine(1);
    let exit = eventually("both exits are on the board", async || {
        let exit = watched.exit(ExitGetParams::of_id(exit_id, None)).await.ok()?;
        let is_shown = exit.queue.first().is_some_and(|place| place.of == 2);
        is_shown.then_some(exit)
    })
    .await;
    watched.synced().await;
    assert_eq!(exit.phase, "waiting");
    let by_output = watched.exit(ExitGetParams::of_output(first, None)).await.unwrap();
    assert_eq!((by_output.exit_id, by_output.queue.len()), (exit_id, 1));
    assert_eq!(
        (exit.kind.as_str(), exit.utxo_pos, exit.amount),
        ("standard", Some(first), Some(10.into()))
    );
    assert_eq!(
        (exit.exitor, exit.currency, exit.eth_height.get()),
        (Alice.address(), Some(ETH), started)
    );
    assert_eq!((exit.next.as_str(), exit.is_over, exit.bond), ("wait", false, None));
    assert_eq!(
        (exit.windows[0].step.as_str(), exit.windows[0].by.as_str()),
        ("challenge", "anybody")
    );
    let exitable_at_s = exit.exitable_at_s.unwrap();
    let newest = world.chain.newest_block();
    let exit = watched.exit(ExitGetParams::of_id(later, None)).await.unwrap();
    assert_eq!((exit.queue[0].place, exit.queue[0].of), (2, 2));
    assert_eq!(exit.eta_s, Some(exit.exitable_at_s.unwrap() + 1 - newest.timestamp_s));
    pass(&world, exitable_at_s);
    let due = watched.exit_in(exit_id, ExitPhase::Due, None).await;
    assert_eq!((due.next.as_str(), due.eta_s), ("process", Some(0)));
    assert!(due.advice.contains("`penning wallet exit process --currency eth`"), "{}", due.advice);
    world.chain.exit_finalized(exit_id);
    world.chain.mine(1);
    for is_restarted in [false, true] {
        if is_restarted {
            watched = world.restart(watched).await;
        }
        let paid = watched.exit_in(exit_id, ExitPhase::Paid, None).await;
        assert_eq!((paid.next.as_str(), paid.is_over, paid.queue.len()), ("nothing", true, 0));
        assert_eq!(watched.pages(of(Alice)).await, [exit_id], "closed ones are found by account");
        assert_eq!(watched.pages(ExitAllParams::default()).await, [later]);
        let next = watched.exit_in(later, ExitPhase::Due, None).await;
        assert_eq!((next.queue[0].place, next.queue[0].of), (1, 1));
    }
    watched.stop().await;
}

#[actix::test]
async fn an_exit_whose_output_left_with_another_one_is_superseded_until_it_is_omitted() {
    let mut world = World::new().await;
    let deposit = world.deposit(Alice, 10);
    let mut watched = world.start().await;
    let block = world.block(vec![pay(&[(deposit, Alice)], &[(Bob, 10)])]);
    watched.validated(block.number).await;
    let (tx, bobs) = (SignedTx::decode(&block.transactions[0]).unwrap(), output(&block, 0, 0));
    let exit_id = world.chain.exit_started(Bob.address(), bobs, &tx.unsigned_bytes());
    let made = deposit_tx(Alice, 10);
    let in_flight = world.chain.in_flight_exit_started(Carol.address(), &tx, &[made]);
    let slot = PiggybackSlot::output(0);
    world.chain.in_flight_piggybacked(&tx, slot, Bob.address());
    world.chain.mine_block(|block| {
        let exit_id = in_flight;
        block.event(RootChainEvent::InFlightExitPiggybackWithdrawn { exit_id, slot });
        block.event(RootChainEvent::InFlightExitFinalized { exit_id });
    });
    world.chain.mine(1);
    let superseded = watched.exit_in(exit_id, ExitPhase::Superseded, None).await;
    assert_eq!((superseded.is_over, superseded.queue.len()), (false, 1));
    assert_eq!(watched.pages(ExitAllParams::default()).await, [exit_id]);
    world.chain.exit_omitted(exit_id);
    world.chain.mine(1);
    for is_restarted in [false, true] {
        if is_restarted {
            watched = world.restart(watched).await;
        }
        let omitted = watched.exit_in(exit_id, ExitPhase::Omitted, Some(Bob)).await;
        assert_eq!((omitted.is_over, omitted.next.as_str()), (true, "nothing"));
        assert_eq!((omitted.queue.len(), omitted.windows.len(), omitted.eta_s), (0, 0, None));
        assert!(omitted.advice.contains("the bond came back"), "{}", omitted.advice);
        assert_eq!(watched.pages(ExitAllParams::default()).await, [], "nothing is open");
        let mine = watched.pages(of(Bob)).await;
        assert!(mine.contains(&exit_id) && mine.contains(&in_flight), "{mine:?}");
        let unpaid = ExitAllParams { phase: Some(ExitPhase::Omitted), ..of(Bob) };
        assert_eq!(watched.pages(unpaid).await, [exit_id]);
        assert_eq!(watched.exitable_positions(Bob).await, []);
        watched.assert_quiet().await;
    }
    watched.stop().await;
}

#[actix::test]
async fn an_invalid_exit_is_to_be_challenged_by_anybody_but_its_owner() {
    let mut world = World::new().await;
    let deposit = world.deposit(Alice, 10);
    let watched = world.start().await;
    let block = world.block(vec![pay(&[(deposit, Alice)], &[(Bob, 10)])]);
    watched.validated(block.number).await;
    let exit_id = world.chain.exit_started(Alice.address(), deposit, &deposit_tx(Alice, 10));
    world.chain.mine(1);
    let seen = watched.exit_in(exit_id, ExitPhase::Invalid, Some(Bob)).await;
    assert_eq!(seen.next, "challenge");
    assert!(seen.advice.contains(&format!("`penning wallet challenge {deposit}`")));
    assert_eq!(seen.spending_txhash, Some(txhash(&block.transactions[0])));
    let own = watched.exit_in(exit_id, ExitPhase::Invalid, Some(Alice)).await;
    assert_eq!(own.next, "nothing");
    let invalid = ExitAllParams { phase: Some(ExitPhase::Invalid), ..ExitAllParams::default() };
    assert_eq!(watched.pages(invalid).await, [exit_id]);
    let waiting = ExitAllParams { phase: Some(ExitPhase::Waiting), ..of(Alice) };
    assert_eq!(watched.pages(waiting).await, []);
    world.chain.exit_challenged(deposit);
    world.chain.mine(1);
    let closed = watched.exit_in(exit_id, ExitPhase::Challenged, None).await;
    assert_eq!((closed.is_over, closed.windows.len(), closed.queue.len()), (true, 0, 0));
    assert_eq!(watched.pages(ExitAllParams::default()).await, []);
    watched.stop().await;
}

#[actix::test]
async fn an_in_flight_exit_tells_each_of_its_owners_what_to_do() {
    let world = World::new().await;
    let deposit = world.deposit(Alice, 10);
    let mut watched = world.start().await;
    let tx = pay(&[(deposit, Alice)], &[(Bob, 6), (Carol, 4)]);
    let tx = SignedTx::decode(&tx).unwrap();
    let made = deposit_tx(Alice, 10);
    let exit_id = world.chain.in_flight_exit_started(Carol.address(), &tx, &[made]);
    world.chain.mine(1);
    let window = ExitPhase::PiggybackWindow;
    for (viewer, next) in [
        (None, "wait"),
        (Some(Alice), "piggyback_input"),
        (Some(Bob), "piggyback_output"),
        (Some(Carol), "piggyback_output"),
    ] {
        let exit = watched.exit_in(exit_id, window, viewer).await;
        assert_eq!(exit.next, next, "{viewer:?}");
        assert_eq!((exit.txhash, exit.eta_s, exit.queue.len()), (Some(tx.hash()), None, 0));
    }
    let slot = PiggybackSlot::output(0);
    world.chain.in_flight_piggybacked(&tx, slot, Bob.address());
    world.chain.mine(1);
    let joined = eventually("Bob joined", async || {
        let exit = watched.exit_in(exit_id, window, Some(Bob)).await;
        (exit.slots[1].phase == "joined").then_some(exit)
    })
    .await;
    assert_eq!((joined.next.as_str(), joined.queue[0].place), ("wait", 1));
    let shown: Vec<_> = joined.slots.iter().map(|slot| slot.phase.as_str()).collect();
    assert_eq!(shown, ["open", "joined", "open"]);
    let sides: Vec<_> = joined.slots.iter().map(|slot| (slot.side.as_str(), slot.index)).collect();
    assert_eq!(sides, [("input", 0), ("output", 0), ("output", 1)]);
    let half_s = joined.started_at_s.unwrap() + world.deployment.min_exit_period_s / 2;
    pass(&world, half_s);
    watched.exit_in(exit_id, ExitPhase::ResponseWindow, None).await;
    pass(&world, joined.exitable_at_s.unwrap());
    assert_eq!(watched.exit_in(exit_id, ExitPhase::Due, Some(Bob)).await.next, "process");
    let kind = ExitAllParams { kind: Some(ExitKind::InFlight), ..ExitAllParams::default() };
    assert_eq!(watched.pages(kind).await, [exit_id]);
    world.chain.mine_block(|block| {
        block.event(RootChainEvent::InFlightExitPiggybackWithdrawn { exit_id, slot });
        block.event(RootChainEvent::InFlightExitFinalized { exit_id });
    });
    world.chain.mine(1);
    for is_restarted in [false, true] {
        if is_restarted {
            watched = world.restart(watched).await;
        }
        let paid = watched.exit_in(exit_id, ExitPhase::Paid, Some(Bob)).await;
        let shown: Vec<_> = paid.slots.iter().map(|slot| slot.phase.as_str()).collect();
        assert_eq!(shown, ["missed", "paid", "missed"]);
        for who in [Alice, Bob, Carol] {
            assert_eq!(watched.pages(of(who)).await, [exit_id], "it concerns all of them");
        }
        assert_eq!(watched.pages(ExitAllParams::default()).await, []);
    }
    watched.stop().await;
}

#[actix::test]
async fn a_spend_that_only_a_deleted_exit_told_of_makes_no_exit_invalid() {
    let world = World::new().await;
    let deposit = world.deposit(Alice, 10);
    let watched = world.start().await;
    let alone = world.chain.exit_started(Alice.address(), deposit, &deposit_tx(Alice, 10));
    let tx = SignedTx::decode(&pay(&[(deposit, Alice)], &[(Bob, 10)])).unwrap();
    let exit_id = world.chain.in_flight_exit_started(Bob.address(), &tx, &[deposit_tx(Alice, 10)]);
    let slot = PiggybackSlot::input(0);
    world.chain.in_flight_piggybacked(&tx, slot, Alice.address());
    world.chain.mine(1);
    // The in-flight exit told of a spend, so the other one is invalid; once deleted, it would be valid again.
    watched.exit_in(alone, ExitPhase::Invalid, None).await;
    world.chain.event(RootChainEvent::InFlightExitDeleted { exit_id });
    world.chain.mine(1);
    watched.exit_in(exit_id, ExitPhase::Deleted, None).await;
    watched.exit_in(alone, ExitPhase::Waiting, None).await;
    watched.stop().await;
}

#[actix::test]
async fn exits_nobody_started_and_bad_pages_get_the_documented_error() {
    let world = World::new().await;
    let watched = world.start().await;
    let nobodys = ExitId::from_u256(7.into());
    for params in [
        ExitGetParams::of_id(nobodys, None),
        ExitGetParams::of_id(ExitId::in_flight(b"x"), Some(Alice.address())),
        ExitGetParams::of_output(UtxoPos::deposit(Blknum::new(1)), None),
        ExitGetParams { exit_id: Some(U256::MAX), ..ExitGetParams::default() },
        ExitGetParams { utxo_pos: Some(U256::MAX), ..ExitGetParams::default() },
    ] {
        assert_eq!(watched.exit(params).await.unwrap_err(), "exit:not_found", "{params:?}");
    }
    let beyond = ExitAllParams { cursor: Some(U256::MAX), ..ExitAllParams::default() };
    for params in [ExitAllParams::default(), beyond, of(Alice)] {
        assert_eq!(watched.page(params).await, ExitPage::default());
    }
    for limit in [0, EXIT_PAGE_LEN_MAX + 1] {
        let params = ExitAllParams { limit: Some(limit), ..ExitAllParams::default() };
        let refused = watched.call(&EXIT_ALL, &params).await.unwrap_err();
        assert_eq!(code(refused), "operation:bad_request");
    }
    watched.stop().await;
}

#[actix::test]
async fn ten_thousand_open_exits_are_paged_and_answered_at_once() {
    const EXITS: u64 = 10_000;
    let world = World::new().await;
    let watched = world.start().await;
    let made = deposit_tx(Alice, 1);
    let ids: Vec<ExitId> = world.chain.mine_block(|block| {
        let operators = |blknum: &u64| !blknum.is_multiple_of(1_000);
        let blknums = (1..).filter(operators).take(usize::try_from(EXITS).unwrap());
        let positions = blknums.map(|blknum| UtxoPos::deposit(Blknum::new(blknum)));
        positions.map(|at| block.exit_started(Alice.address(), at, &made)).collect()
    });
    world.chain.mine(1);
    let last = *ids.last().unwrap();
    // The store has exits before they are judged and shown.
    eventually("all exits are on the board", async || {
        let exit = watched.exit(ExitGetParams::of_id(last, None)).await.ok()?;
        exit.queue.first().filter(|place| place.of == EXITS).map(drop)
    })
    .await;
    let mut expected = ids.clone();
    expected.sort_unstable();
    let all = ExitAllParams::default();
    assert!(watched.pages(all).await == expected);
    assert!(watched.pages(of(Alice)).await == expected);
    // The best of some, for other tests run beside this one.
    let mut fastest = [Duration::MAX; 4];
    let none = ExitAllParams { phase: Some(ExitPhase::Due), ..all };
    let middle = ExitAllParams { cursor: Some(expected[5_000].to_u256()), ..of(Alice) };
    for _ in 0..10 {
        let mut took = Vec::new();
        for params in [all, none, middle] {
            let started = Instant::now();
            watched.page(params).await;
            took.push(started.elapsed());
        }
        let started = Instant::now();
        let exit = watched.exit(ExitGetParams::of_id(last, None)).await.unwrap();
        took.push(started.elapsed());
        assert_eq!(exit.queue[0].of, EXITS);
        for (best, took) in fastest.iter_mut().zip(took) {
            *best = took.min(*best);
        }
    }
    assert!(fastest.iter().all(|took| *took < ANSWER_MAX), "{fastest:?}");
    watched.stop().await;
}
