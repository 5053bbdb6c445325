//! Every decoder of bytes from outside, and what must hold of it whatever the bytes are.
//!
//! Each is checked twice: by the fuzz targets of `tests/fuzz`, which share these files, and by `tests/it/fuzz_targets.rs` with mutated
//! valid inputs, as part of the ordinary tests. A check that fails panics; that is its purpose, here and nowhere else.

pub mod decoder;
pub mod eth;
pub mod rpc;
pub mod wire;

pub use decoder::Decoder;

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Decoder> {
    [wire::DECODERS, rpc::DECODERS, eth::DECODERS].into_iter().flatten()
}
