//! Fuzzes `eth::rpc_url`: what must hold is written there.
#![no_main]

use plasma_fuzz::{eth, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds(eth::DECODERS, "rpc_url"), |bytes: &[u8]| {
    eth::rpc_url(bytes);
});
