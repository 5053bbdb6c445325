//! Fuzzes `wire::fee_specs`: what must hold is written there.
#![no_main]

use plasma_fuzz::{wire, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds(wire::DECODERS, "fee_specs"), |bytes: &[u8]| {
    wire::fee_specs(bytes);
});
