//! The operator's node as a whole: real HTTP, a real store, and a root chain in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod api;
mod blocks;
mod crashes;
mod exits;
mod fees;
mod in_flight_exits;
mod kit;
mod openapi;
mod overload;
mod root_chain;
mod submissions;
mod wallet;
mod websocket;
