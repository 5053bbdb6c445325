//! Fuzzes `rpc::block_answer`: what must hold is written there.
#![no_main]

use plasma_fuzz::{rpc, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds(rpc::DECODERS, "block_answer"), |bytes: &[u8]| {
    rpc::block_answer(bytes);
});
