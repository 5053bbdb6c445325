//! The WatcherDB on a real PostgreSQL: one embedded server for all tests, one database for each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod checks;
mod crashes;
mod hostile;
mod journal;
mod kit;
mod offline_data;
mod outages;
mod plans;
mod postgres;
mod questions;
mod rebuilds;
