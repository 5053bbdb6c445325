//! Fuzzes `wire::unsigned_tx`: what must hold is written there.
#![no_main]

use plasma_fuzz::{wire, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds(wire::DECODERS, "unsigned_tx"), |bytes: &[u8]| {
    wire::unsigned_tx(bytes);
});
