//! dev only
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    dead_code,
    unreachable_pub
)]
#[path = "it/api.rs"]
mod api;
#[path = "it/kit.rs"]
mod kit;
#[path = "it/openapi.rs"]
mod openapi;
#[path = "it/wallet.rs"]
mod wallet;
