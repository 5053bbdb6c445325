//! Fuzzes `eth::keystore_file`: what must hold is written there.
#![no_main]

use plasma_fuzz::{eth, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds(eth::DECODERS, "keystore_file"), |bytes: &[u8]| {
    eth::keystore_file(bytes);
});
