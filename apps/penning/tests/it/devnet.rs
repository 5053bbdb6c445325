//! How a devnet starts, ends, and comes back: after Ctrl-C, after a `kill -9`, with other flags, and in a folder of another network.

use crate::kit::penning;
use crate::process::{free_port, is_anvil_of, wait_for};
use crate::test_chain::{TestChain, milli};
use plasma_core::wire::ETH;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

/// More than a child process needs to be seen gone.
const GONE_MAX: Duration = Duration::from_secs(5);

#[test]
fn a_busy_port_is_named_and_nothing_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let busy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let busy_port = busy.local_addr().unwrap().port().to_string();
    let flags = ["--rpc-port", "--child-chain-port", "--watcher-port"];
    for taken in flags {
        let mut arguments = vec!["devnet".to_owned(), "--json".to_owned()];
        for flag in flags {
            let port = if flag == taken { busy_port.clone() } else { free_port().to_string() };
            arguments.extend([flag.to_owned(), port]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let refused = penning(folder.path(), &arguments).refused("devnet:port_in_use");
        let message = refused["error"]["message"].as_str().unwrap();
        assert!(message.contains(&format!("port {busy_port} ")), "{message}");
        let next = refused["error"]["next"].as_str().unwrap();
        assert!(next.ends_with(taken), "{next}");
        assert!(!folder.path().join(".penning/anvil.pid").exists());
    }
}

#[test]
fn ctrl_c_stops_everything_and_the_next_start_continues_until_it_is_fresh() {
    let started = Instant::now();
    let mut chain = TestChain::start(60);
    // Shown by the failing test, or with --nocapture: the aim is 10 s on a quiet machine.
    println!("ready after {} ms", started.elapsed().as_millis());
    let anvil = chain.anvil().unwrap();
    chain.wallet(0, "deposit 1 --wait");
    let bob = chain.address(1);
    chain.wallet(0, &format!("pay --to {bob:?}:0.25 --wait"));

    chain.another_devnet(&[]).refused("devnet:in_use");
    chain.another_devnet(&["--fresh"]).refused("devnet:in_use");
    assert_eq!(chain.on_child_chain(bob, ETH), milli(250), "another start disturbs nothing");

    assert!(chain.process.stop().success(), "{}", chain.process.log());
    assert!(!is_anvil_of(anvil, chain.folder.path()), "anvil outlives the devnet");
    let other = chain.another_devnet(&["--min-exit-period-s", "61"]).refused("devnet:other_period");
    let message = other["error"]["message"].as_str().unwrap();
    assert!(message.contains("60 s, not 61 s"), "{message}");

    chain.start_again();
    assert_eq!(chain.on_child_chain(bob, ETH), milli(250));
    chain.wallet(1, "pay --to 0x7777777777777777777777777777777777777777:0.1 --wait");

    assert!(chain.process.stop().success(), "{}", chain.process.log());
    chain.start_fresh(61);
    assert_eq!(chain.on_child_chain(bob, ETH), 0.into());
    assert_eq!(chain.file["min_exit_period_s"], 61);
}

#[test]
fn a_killed_devnet_leaves_an_anvil_that_the_next_start_ends_in_good_order() {
    let mut chain = TestChain::start(60);
    let bob = chain.address(1);
    chain.wallet(0, "deposit 1 --wait");
    chain.wallet(0, &format!("pay --to {bob:?}:0.25 --wait"));
    let orphan = chain.anvil().unwrap();
    chain.process.kill();
    assert!(is_anvil_of(orphan, chain.folder.path()), "it is out of reach of our signals");

    chain.start_again();
    let is_gone = || (!is_anvil_of(orphan, chain.folder.path())).then_some(());
    wait_for("the orphan to end", GONE_MAX, is_gone);
    assert_eq!(chain.on_child_chain(bob, ETH), milli(250));
    assert_eq!(chain.on_child_chain(chain.address(0), ETH), milli(750) - 1);
    let paid = chain.wallet(1, "pay --to 0x7777777777777777777777777777777777777777:0.1 --wait");
    assert_eq!(paid["phase"], "final", "{paid}");
}

#[test]
fn a_devnet_whose_database_cannot_be_used_does_without_it() {
    let nobody = format!("postgres://penning:geheim@127.0.0.1:{}/penning", free_port());
    let chain = TestChain::start_in(60, &[("DATABASE_URL", &nobody)]);
    assert_eq!(chain.file["database_url"], *nobody);
    chain.wallet(0, "deposit 1 --wait");
    assert_eq!(chain.on_child_chain(chain.address(0), ETH), milli(1_000));
    let log = std::fs::read_to_string(chain.folder.path().join("devnet.log")).unwrap();
    assert!(log.contains("database"), "{log}");
    assert!(!log.contains("geheim"), "{log}");
}
