//! Fuzzes `rpc::byzantine_event`: what must hold is written there.
#![no_main]

use plasma_fuzz::{rpc, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds(rpc::DECODERS, "byzantine_event"), |bytes: &[u8]| {
    rpc::byzantine_event(bytes);
});
