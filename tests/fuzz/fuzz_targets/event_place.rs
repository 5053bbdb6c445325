//! Fuzzes `rpc::event_place`: what must hold is written there.
#![no_main]

use plasma_fuzz::{rpc, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds(rpc::DECODERS, "event_place"), |bytes: &[u8]| {
    rpc::event_place(bytes);
});
