//! Fuzzes `rpc::rpc_answer`: what must hold is written there.
#![no_main]

use plasma_fuzz::{rpc, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds(rpc::DECODERS, "rpc_answer"), |bytes: &[u8]| {
    rpc::rpc_answer(bytes);
});
