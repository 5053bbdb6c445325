//! The table of cases of protocol 10.5, and random histories of check-ins.

use super::Service::{
    BlockGetter, Depositor, ExitChallenger, ExitFinalizer, ExitProcessor, Exiter, InFlightExiter,
};
use super::WaitsFor::{Synced, SyncedNoMargin};
use super::*;
use proptest::prelude::*;

fn h(height: u64) -> EthHeight {
    EthHeight::new(height)
}

fn coordinator(
    table: Vec<ServiceSetup>,
    root: u64,
    synced: &[(Service, u64)],
) -> RootChainCoordinator {
    let mut coordinator = RootChainCoordinator::new(table).unwrap();
    coordinator.on_eth_height(h(root));
    for (service, height) in synced {
        coordinator.check_in(*service, h(*height)).unwrap();
    }
    coordinator
}

/// How far `service` may read, and what it believes the final height to be.
fn guide(coordinator: &RootChainCoordinator, service: Service) -> Option<(u64, u64)> {
    let guide = coordinator.sync_guide(service).unwrap();
    guide.map(|guide| (guide.sync_height.get(), guide.root_chain_height.get()))
}

#[test]
fn guides_follow_the_formula() {
    let alone = |margin| vec![line(Depositor, margin, &[])];
    let pair =
        |margin: u64, waits_for| vec![line(Depositor, margin, &[]), line(Exiter, 3, &[waits_for])];
    let three = || {
        vec![
            line(Depositor, 0, &[]),
            line(ExitProcessor, 0, &[]),
            line(ExitFinalizer, 0, &[Synced(Depositor), Synced(ExitProcessor)]),
        ]
    };
    #[rustfmt::skip]
    let cases = [
        ("nobody to wait for",            alone(0),                            100, vec![(Depositor, 50)],               Depositor, (100, 100)),
        ("margin only",                   alone(10),                           100, vec![(Depositor, 50)],               Depositor, (90, 90)),
        ("near genesis",                  alone(10),                           7,   vec![(Depositor, 0)],                Depositor, (0, 0)),
        ("leap",                          alone(0),                            9_000, vec![(Depositor, 10)],             Depositor, (2_510, 9_000)),
        ("leap up to the margin",         alone(10),                           2_519, vec![(Depositor, 10)],             Depositor, (2_509, 2_509)),
        ("ahead of a restarted node",     alone(0),                            100, vec![(Depositor, 200)],              Depositor, (100, 100)),
        ("waits for one",                 pair(10, Synced(Depositor)),         100, vec![(Depositor, 40), (Exiter, 20)], Exiter,    (40, 97)),
        ("own margin before the other",   pair(0, Synced(Depositor)),          100, vec![(Depositor, 99), (Exiter, 20)], Exiter,    (97, 97)),
        ("the other's margin ignored",    pair(10, SyncedNoMargin(Depositor)), 100, vec![(Depositor, 40), (Exiter, 20)], Exiter,    (50, 97)),
        ("no further than the root",      pair(10, SyncedNoMargin(Depositor)), 100, vec![(Depositor, 95), (Exiter, 20)], Exiter,    (97, 97)),
        ("back to what it waits for",     pair(10, Synced(Depositor)),         100, vec![(Depositor, 40), (Exiter, 60)], Exiter,    (40, 97)),
        ("waits for the first of many",   three(), 100, vec![(Depositor, 9), (ExitProcessor, 8), (ExitFinalizer, 0)],    ExitFinalizer, (8, 100)),
        ("waits for the second of many",  three(), 100, vec![(Depositor, 7), (ExitProcessor, 8), (ExitFinalizer, 0)],    ExitFinalizer, (7, 100)),
    ];
    for (what, table, root, synced, service, expected) in cases {
        let coordinator = coordinator(table, root, &synced);
        assert_eq!(guide(&coordinator, service), Some(expected), "{what}");
    }
}

#[test]
fn nobody_moves_until_all_are_there_and_the_root_chain_is_known() {
    let mut coordinator = RootChainCoordinator::new(child_chain_services(0)).unwrap();
    coordinator.check_in(Depositor, h(1)).unwrap();
    coordinator.check_in(Exiter, h(1)).unwrap();
    coordinator.check_in(InFlightExiter, h(0)).unwrap();
    assert_eq!(guide(&coordinator, Depositor), None, "no height yet");
    coordinator.on_eth_height(h(10));
    assert_eq!(guide(&coordinator, Depositor), Some((10, 10)));

    coordinator.check_out(Exiter).unwrap();
    assert_eq!(guide(&coordinator, Depositor), None, "one left");
    assert_eq!(guide(&coordinator, Exiter), None, "and has no guide either");
    assert_eq!(coordinator.missing().collect::<Vec<_>>(), [Exiter]);
    coordinator.check_in(Exiter, h(0)).unwrap();
    assert_eq!(guide(&coordinator, Depositor), Some((10, 10)), "back, lower than before");
    let heights: Vec<_> = coordinator.synced_heights().collect();
    assert_eq!(heights, [(Depositor, h(1)), (Exiter, h(0)), (InFlightExiter, h(0))]);
}

#[test]
fn a_lower_root_height_is_ignored() {
    let mut coordinator = coordinator(vec![line(Depositor, 0, &[])], 100, &[(Depositor, 90)]);
    for (height, new, expected) in
        [(99, false, 100), (100, false, 100), (0, false, 100), (101, true, 101)]
    {
        assert_eq!(coordinator.on_eth_height(h(height)), new, "{height}");
        assert_eq!(guide(&coordinator, Depositor), Some((expected, expected)), "{height}");
        assert_eq!(coordinator.root_chain_height(), Some(h(expected)), "{height}");
    }
}

#[test]
fn services_of_another_node_are_refused() {
    let mut coordinator = coordinator(child_chain_services(10), 100, &[]);
    let error = ServiceNotAllowed { service: BlockGetter };
    assert_eq!(coordinator.check_in(BlockGetter, h(1)), Err(error));
    assert_eq!(coordinator.check_out(BlockGetter), Err(error));
    assert_eq!(coordinator.sync_guide(BlockGetter), Err(error));
    assert_eq!(error.to_string(), "service_not_allowed: block_getter does not run on this node");
}

#[test]
fn tables_that_make_no_sense_are_refused() {
    use ServiceTableError::{Cycle, Duplicate, Unknown};
    #[rustfmt::skip]
    let cases = [
        (vec![line(Depositor, 0, &[]), line(Depositor, 1, &[])], Duplicate { service: Depositor }),
        (vec![line(Exiter, 0, &[Synced(Depositor)])], Unknown { service: Exiter, awaited: Depositor }),
        (vec![line(Depositor, 0, &[SyncedNoMargin(Depositor)])], Cycle { service: Depositor }),
        (vec![line(Depositor, 0, &[]), line(Exiter, 0, &[Synced(Depositor), Synced(BlockGetter)]), line(BlockGetter, 0, &[Synced(Exiter)])],
            Cycle { service: Exiter }),
    ];
    for (table, expected) in cases {
        let refused = RootChainCoordinator::new(table).map(|_| ());
        assert_eq!(refused, Err(expected));
    }
}

#[test]
fn blocks_of_a_watcher_are_read_up_to_the_newest_when_deposits_are_final() {
    let table = watcher_services(10, 12);
    let synced: Vec<_> = table.iter().map(|setup| (setup.service, 90)).collect();
    let coordinator = coordinator(table, 100, &synced);
    #[rustfmt::skip]
    let expected = [(Depositor, 90), (BlockGetter, 100), (ExitProcessor, 88), (ExitFinalizer, 88), (ExitChallenger, 88)];
    for (service, height) in expected {
        assert_eq!(guide(&coordinator, service).unwrap().0, height, "{}", service.name());
    }
}

#[derive(Clone, Debug)]
enum Step {
    Root(u64),
    /// A service follows its guide, up to this many blocks of it.
    Sync(usize, u64),
    Restart(usize, u64),
    CheckOut(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0u64..6_000).prop_map(Step::Root),
        8 => (0usize..5, 1u64..4_000).prop_map(|(who, blocks)| Step::Sync(who, blocks)),
        1 => (0usize..5, 0u64..50).prop_map(|(who, back)| Step::Restart(who, back)),
        1 => (0usize..5).prop_map(Step::CheckOut),
    ]
}

proptest! {
    /// Services that follow their guides never read what is not final for them, and never overtake whom they wait for.
    #[test]
    fn nobody_overtakes(d in 0u64..20, e in 0u64..20, steps in proptest::collection::vec(step(), 0..80)) {
        let table = watcher_services(d, e);
        let mut coordinator = RootChainCoordinator::new(table.clone()).unwrap();
        let mut disk: BTreeMap<Service, u64> = table.iter().map(|setup| (setup.service, 0)).collect();
        let mut root_max = 0;
        for step in steps {
            match step {
                Step::Root(height) => {
                    root_max = root_max.max(height);
                    coordinator.on_eth_height(h(height));
                }
                Step::Sync(who, blocks) => {
                    let service = table[who].service;
                    if let Some((limit, _)) = guide(&coordinator, service) {
                        let own = disk[&service];
                        prop_assert!(limit <= own + LEAP_ETH_BLOCKS_MAX);
                        let to = limit.min(own + blocks).max(own);
                        disk.insert(service, to);
                        if to > own {
                            let setup = &table[who];
                            prop_assert!(to + setup.finality_margin_eth_blocks <= root_max);
                            for awaited in &setup.waits_for {
                                let margin = match awaited { Synced(_) => 0, SyncedNoMargin(_) => d };
                                prop_assert!(to <= disk[&awaited.service()] + margin);
                            }
                        }
                    }
                    coordinator.check_in(service, h(disk[&service])).unwrap();
                }
                // The store of a service that starts again may be behind what it said: it never said more than it had, but
                // an operator may have restored a copy.
                Step::Restart(who, back) => {
                    let service = table[who].service;
                    let height = disk[&service].saturating_sub(back);
                    disk.insert(service, height);
                    coordinator.check_in(service, h(height)).unwrap();
                }
                Step::CheckOut(who) => {
                    coordinator.check_out(table[who].service).unwrap();
                    prop_assert!(table.iter().all(|setup| guide(&coordinator, setup.service).is_none()));
                }
            }
        }
        // Given time, everybody arrives.
        for setup in &table {
            coordinator.check_in(setup.service, h(disk[&setup.service])).unwrap();
        }
        coordinator.on_eth_height(h(6_000));
        for _ in 0..6 {
            for setup in &table {
                let to = guide(&coordinator, setup.service).unwrap().0.max(disk[&setup.service]);
                disk.insert(setup.service, to);
                coordinator.check_in(setup.service, h(to)).unwrap();
            }
        }
        for setup in &table {
            let margin = setup.finality_margin_eth_blocks;
            let held_up = setup.waits_for.iter().filter_map(|awaited| match awaited {
                Synced(service) => Some(disk[service]),
                SyncedNoMargin(_) => None,
            });
            let expected = held_up.min().unwrap_or(6_000).min(6_000 - margin);
            prop_assert_eq!(disk[&setup.service], expected);
        }
    }
}
