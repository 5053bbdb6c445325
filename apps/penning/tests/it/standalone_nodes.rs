//! `penning child-chain` and `penning watcher` by themselves: their settings, and what they refuse to start with.

use crate::kit::{Penning, all, penning};
use crate::load::client;
use crate::nodes::Nodes;
use crate::process::{Process, wait_for};
use plasma_rpc::params::NoParams;
use plasma_rpc::watcher::STATUS_GET;
use std::path::Path;
use std::time::Duration;

/// How long a node may take until it answers.
const READY_MAX: Duration = Duration::from_secs(20);

fn print_settings(folder: &Path, node: &str, more: &[&str]) -> Penning {
    let arguments = [node, "--network", "none.json", "--data-dir", "none", "--print-settings"];
    penning(folder, &[&arguments, more].concat())
}

fn refused(call: Penning) -> String {
    let output = call.run();
    assert_eq!(output.status.code(), Some(1), "{}", all(&output));
    all(&output)
}

#[test]
fn settings_are_printed_in_their_order_of_precedence_and_unknown_ones_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let text = "fee_buffer_ms = 1\nfee_specs_poll_ms = 2\nfresh_blocks_max = 3\n";
    std::fs::write(at.join("settings.toml"), text).unwrap();
    let from_all = print_settings(
        at,
        "child-chain",
        &["--config", "settings.toml", "--set", "fresh_blocks_max=5"],
    )
    .env("PENNING_CHILD_CHAIN_FEE_SPECS_POLL_MS", "4")
    .env("PENNING_CHILD_CHAIN_FRESH_BLOCKS_MAX", "4")
    .run();
    assert!(from_all.status.success(), "{}", all(&from_all));
    let printed = all(&from_all);
    for line in [
        "fee_buffer_ms = 1",
        "fee_specs_poll_ms = 4",
        "fresh_blocks_max = 5",
        "block_queue.tick_ms = 1000",
    ] {
        assert!(printed.lines().any(|found| found == line), "{line}: {printed}");
    }
    assert!(!at.join("none").exists(), "nothing is started");
    let watcher = print_settings(at, "watcher", &[]).run();
    assert!(all(&watcher).contains("listen = \"127.0.0.1:7434\""), "{}", all(&watcher));

    let url = "postgres://penning:geheim@db.example/penning";
    let set = format!("watcher_db.database_url={url}");
    let with_database = print_settings(at, "watcher", &["--set", &set])
        .env("PENNING_WATCHER_WATCHER_DB_DATABASE_READ_URL", url)
        .run();
    let printed = all(&with_database);
    for name in ["database_url", "database_read_url"] {
        let line = format!("watcher_db.{name} = \"postgres://penning:***@db.example/penning\"");
        assert!(printed.lines().any(|found| found == line), "{line}: {printed}");
    }
    assert!(!printed.contains("geheim"), "{printed}");

    for node in ["child-chain", "watcher"] {
        let unknown = refused(print_settings(at, node, &["--set", "fresh_blocks=5"]));
        assert!(unknown.contains("there is no setting `fresh_blocks`"), "{unknown}");
        let wrong = refused(print_settings(at, node, &["--set", "listener_tick=now"]));
        assert!(wrong.contains("listener_tick"), "{wrong}");
    }
    std::fs::write(at.join("settings.toml"), "[block_queue]\ntick = 1\n").unwrap();
    let unknown = refused(print_settings(at, "child-chain", &["--config", "settings.toml"]));
    assert!(unknown.contains("there is no setting `block_queue.tick`"), "{unknown}");
    let wrong = refused(
        print_settings(at, "child-chain", &[]).env("PENNING_CHILD_CHAIN_FEE_BUFFER_MS", "soon"),
    );
    assert!(wrong.contains("`fee_buffer_ms` wants a whole number"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_another_deployment_or_node_is_refused_and_left_alone() {
    let ours = Nodes::new().await;
    let theirs = Nodes::deployed_by(3).await;
    let mut operator = ours.child_chain();
    let mut watcher = ours.watcher();
    let watching = client(&ours.watcher_url);
    let started = std::time::Instant::now();
    while watching.call(&STATUS_GET, &NoParams {}).await.is_err() {
        assert!(started.elapsed() < READY_MAX, "{}", watcher.log());
        tokio::time::sleep(crate::process::POLL).await;
    }
    assert!(watcher.stop().success() && operator.stop().success());

    let store = ours.at().join("child-chain");
    let of_watcher = ours.at().join("watcher");
    for (nodes, store, expected) in
        [(&theirs, &store, "is of framework"), (&ours, &of_watcher, "is of kind watcher")]
    {
        let mut arguments = nodes.child_chain_arguments();
        let at = arguments.iter().position(|argument| argument == "--data-dir").unwrap();
        arguments[at + 1] = store.display().to_string();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut stranger = Process::start(nodes.at(), "stranger", &arguments, &[]);
        let ended = stranger.wait(READY_MAX).expect("it runs on the store of another");
        assert_eq!(ended.code(), Some(1));
        let log = stranger.log();
        assert!(log.contains(expected) && log.contains("choose another data folder"), "{log}");
    }

    let mut operator = ours.child_chain();
    let what = "the operator to come back to its own store";
    wait_for(what, READY_MAX, || {
        assert!(operator.is_running(), "{}", operator.log());
        std::net::TcpStream::connect(ours.child_chain_url.trim_start_matches("http://")).ok()
    });
    assert!(operator.stop().success());
}
