//! The kit that tests are written with.
//!
//! - [`decoders`]: every decoder of bytes from outside, and what must hold of it whatever the bytes are.

pub mod decoders;
