//! The watching node as a whole: real HTTP, a real store, a root chain in memory, and an operator who does what the test says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod api;
mod broken_databases;
mod concierge;
mod crashes;
mod exits;
mod in_flight;
mod info;
mod journal;
mod kit;
mod lies;
mod openapi;
mod operator;
mod outages;
#[path = "../watcher_db/postgres.rs"]
mod postgres;
mod sentinel;
mod syncing;
mod users;
mod withholding;
