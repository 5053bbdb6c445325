//! Every rule of the Penning child chain, as data in and data out.
//!
//! This crate must never do IO, read a clock, draw a random number, depend on hash order, or panic on input
//! (invariants I2 and I3 of `docs/architecture.md`). Shells in the other crates fetch facts, hand them in, commit the
//! returned [`DbUpdate`](db_update::DbUpdate)s and only then tell anybody.
//!
//! Read in this order:
//! - [`wire`]: what travels — positions, transactions, signatures, Merkle trees, blocks, ids.
//! - [`root_chain`]: what L1 reports.
//! - [`db_update`]: every write there is, and who owns it.
//! - [`root_chain_coordinator`]: how far who may read L1. [`eth_event_listener`]: what to read next.
//! - [`fees`]: what the operator asks. [`state`]: the ledger.
//! - [`byzantine`]: what can be wrong. [`block_getter`]: what a watcher downloads and executes, and what it does with what is
//!   wrong. [`block_validator`]: a block without its history.
//! - [`exit_processor`]: which exits are valid. [`eventer`]: what appeared and what was resolved. [`exit_concierge`]: how far each exit
//!   is, and what to do next.
//! - [`sentinel`]: what a watcher does about it on L1 by itself.
//! - [`journal`]: what is told to the outside, in order. [`transfers`]: what of it concerns one account.
//! - [`payment_builder`]: what a wallet sends. [`inclusion`]: what it can keep as a proof.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    unused_crate_dependencies
)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        unused_crate_dependencies
    )
)]

pub mod block_getter;
pub mod block_queue;
pub mod block_validator;
pub mod byzantine;
pub mod db_update;
pub mod eth_event_listener;
pub mod eventer;
pub mod exit_concierge;
pub mod exit_processor;
pub mod fees;
pub mod fresh_blocks;
pub mod inclusion;
pub mod journal;
pub mod payment_builder;
pub mod root_chain;
pub mod root_chain_coordinator;
pub mod sentinel;
pub mod state;
pub mod submission;
pub mod transfers;
pub mod wire;
