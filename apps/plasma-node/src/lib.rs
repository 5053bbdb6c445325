//! What both nodes share: actor shells around the cores, the supervisor, telemetry.
//!
//! This crate contains no rule of the protocol (invariant I7): shells fetch facts, let a core decide, commit, and tell.
//!
//! - [`supervisor`]: any death stops the whole tree, and the whole tree comes back from disk.
//! - [`core_actor`]: decide → commit → tell, with many decisions per fsync.
//! - [`state`]: the ledger behind it. [`recover`]: signatures on all cores.
//! - [`eth_height_monitor`] → [`root_chain_coordinator`] → [`eth_event_listener`]: how the root chain is read.
//! - [`worker`]: loops as actors. [`alarms`], [`memory_monitor`], [`telemetry`]: what operators see. [`startup`]: checks before the first actor.

pub mod alarms;
pub mod core_actor;
pub mod eth_event_listener;
pub mod eth_height_monitor;
pub mod memory_monitor;
pub mod recover;
pub mod root_chain_coordinator;
pub mod startup;
pub mod state;
pub mod supervisor;
pub mod telemetry;
pub mod worker;
