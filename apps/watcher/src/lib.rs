//! The watching node: executes every block again, watches every exit, and tells its users (architecture section 3).
//!
//! It contains no rule of the protocol (invariant I7), and never goes blind: after a fault it keeps reading both chains, and keeps
//! serving what is needed to leave and to challenge.
//!
//! - [`Node`]: port, actors, shutdown. [`WatcherConfig`]: what can be set.
//! - [`tree`]: the actors. `guard`: the cores and their commits. `block_getter`, `download`: following the operator. `sinks`: following
//!   the root chain. `eventer`: what is wrong. `sentinel`: what is done about it. `api`, `status`, `exit_facts`: the methods. `event_log`, `transfers`:
//!   what subscribers are told. `journal_news`: that there is more of it.
//! - [`info_api`]: what is answered from a database, for convenience.

mod api;
mod block_getter;
mod config;
mod download;
mod event_log;
mod eventer;
mod exit_facts;
mod exits_api;
mod guard;
pub mod info_api;
mod journal_news;
mod node;
mod sentinel;
mod sinks;
mod status;
mod transfers;
pub mod tree;

pub use config::{InfoConfig, WatcherConfig};
pub use event_log::StoredEvents;
pub use journal_news::JournalNews;
pub use node::{Node, Setup, SetupError};
