//! Actors of both nodes: what happens when one dies, and what is on disk when somebody is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod ledger;
mod supervision;
