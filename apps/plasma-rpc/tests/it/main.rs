//! The wire contract over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod client;
mod docs;
mod golden;
mod hostile;
mod info;
mod limits;
mod nodes;
mod pages;
mod raw;
mod subscriptions;
mod websocket;
