//! A watcher as its users see it: over HTTP, on a real store, with an operator who may lie and a root chain that may be away.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod api;
mod exits;
mod faults;
mod following;
mod kit;
