//! The crate against a real node with our contracts, and against nodes that misbehave.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod conformance;
mod deploying;
mod deposits;
mod exits;
mod in_flight;
mod kit;
mod misbehaving_node;
mod processes;
mod sentinel;
mod submitting;
