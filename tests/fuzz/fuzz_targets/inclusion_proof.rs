//! Fuzzes `wire::inclusion_proof`: what must hold is written there.
#![no_main]

use plasma_fuzz::{wire, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds(wire::DECODERS, "inclusion_proof"), |bytes: &[u8]| {
    wire::inclusion_proof(bytes);
});
