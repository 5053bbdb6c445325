//! Fuzzes `wire::utxo_pos`: what must hold is written there.
#![no_main]

use plasma_fuzz::{wire, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds(wire::DECODERS, "utxo_pos"), |bytes: &[u8]| {
    wire::utxo_pos(bytes);
});
