//! The core against vectors made by the contracts and against random input.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod chain;
mod decoding;
mod exit_game;
mod merkle;
mod state;
mod state_in_flight;
mod state_model;
mod vectors;
mod watching;

/// Bytes from hex, with or without the prefix.
pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    const_hex::decode(hex).unwrap()
}
