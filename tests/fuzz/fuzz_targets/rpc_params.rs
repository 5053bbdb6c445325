//! Fuzzes `rpc::rpc_params`: what must hold is written there.
#![no_main]

use plasma_fuzz::{rpc, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds(rpc::DECODERS, "rpc_params"), |bytes: &[u8]| {
    rpc::rpc_params(bytes);
});
