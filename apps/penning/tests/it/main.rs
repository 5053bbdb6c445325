//! The binary as users run it: what it prints, what it stores, how it ends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs
)]

mod devnet;
mod drill;
mod end_to_end;
mod evacuate;
mod exits;
mod in_flight_exits;
mod keys;
mod killed_operator;
mod killed_watcher;
mod kit;
mod load;
mod nodes;
mod on_root_chain;
mod on_small_chain;
mod process;
mod small_chain;
mod standalone_nodes;
mod subscribers;
mod test_chain;
mod watch;
