//! What both nodes share: actor shells around the cores, the supervisor, telemetry.
//!
//! This crate contains no rule of the protocol (invariant I7): shells fetch facts, let a core decide, commit, and tell.
//!
//! - [`supervisor`]: any death stops the whole tree, and the whole tree comes back from disk.
//! - [`core_actor`]: decide → commit → tell, with many decisions per fsync.
//! - [`state`]: the ledger behind it. [`recover`]: signatures on all cores.

pub mod core_actor;
pub mod recover;
pub mod state;
pub mod supervisor;
