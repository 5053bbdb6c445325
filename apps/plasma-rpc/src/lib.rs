//! The wire contract of our servers: what they are asked, what they answer, and in which envelopes (`docs/protocol/rpc.md`).
//!
//! This crate must never know a store, an actor or the root chain, never panic on input, and never let a request make memory
//! grow without bound. One table of methods is served in two envelopes on one port: JSON-RPC 2.0 (HTTP and WebSocket) at `/`,
//! and the HTTP-RPC of the OMG network (`POST /block.get`).
//!
//! Read in this order:
//! - [`endpoint`]: a method as a constant, shared by server and client.
//! - [`child_chain`], [`watcher`], [`alarm`]: the methods and their JSON.
//! - [`params`]: how requests are validated. [`json`]: how values look.
//! - [`subscription`]: what happens, told as it happens.
//! - [`codes`], [`error`]: how calls are refused.
//! - [`server`]: handlers in, sockets out. [`client`]: typed calls of all of this.
//! - [`event_client`]: follows topics, and goes on where it was.

pub mod alarm;
pub mod child_chain;
pub mod client;
pub mod codes;
pub mod endpoint;
pub mod error;
pub mod event_client;
pub mod json;
pub mod params;
pub mod server;
pub mod subscription;
pub mod watcher;

pub use endpoint::{Endpoint, Service};
pub use error::{ErrorBody, RpcError};
pub use json::Rendered;
