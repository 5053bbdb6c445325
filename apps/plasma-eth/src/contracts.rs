//! Our contracts as the compiler left them (`priv/contracts/*.json`): how to call them, read their answers, events and refusals.
//!
//! Nothing here talks to a node. Everything that is decoded comes from a node and is not believed: a value that does not encode back
//! to the very same bytes is an error, and so is a number that does not fit.

pub(crate) mod abi;
pub(crate) mod artifacts;
pub(crate) mod calls;
pub(crate) mod events;
pub(crate) mod reverts;

pub(crate) use abi::{Fields, decode_output, encode_call};
pub(crate) use artifacts::Contract;
