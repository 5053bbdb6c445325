//! Fuzzes `wire::signed_tx`: what must hold is written there.
#![no_main]

use plasma_fuzz::{wire, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds(wire::DECODERS, "signed_tx"), |bytes: &[u8]| {
    wire::signed_tx(bytes);
});
