//! The kit that tests are written with.
//!
//! - [`decoders`]: every decoder of bytes from outside, and what must hold of it whatever the bytes are.
//! - [`openapi`]: servers are driven with what their documents say, and with what they do not.

pub mod decoders;
pub mod openapi;
