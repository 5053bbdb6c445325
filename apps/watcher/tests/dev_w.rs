//! dev only
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    dead_code,
    unreachable_pub
)]
#[path = "it/info.rs"]
mod info;
#[path = "it/kit.rs"]
mod kit;
#[path = "it/openapi.rs"]
mod openapi;
#[path = "it/operator.rs"]
mod operator;
#[path = "it/users.rs"]
mod users;
