//! The decoders and their checks, from the files that the ordinary tests use (`tests/src/decoders`).
//!
//! Included rather than depended on: whatever else `plasma-tests` needs, such as RocksDB, is not built for the fuzzer.

#[path = "../../src/decoders/decoder.rs"]
pub mod decoder;
#[cfg(feature = "eth")]
#[path = "../../src/decoders/eth.rs"]
pub mod eth;
#[path = "../../src/decoders/rpc.rs"]
pub mod rpc;
#[path = "../../src/decoders/wire.rs"]
pub mod wire;

pub use decoder::Decoder;

use std::path::Path;

/// Puts the valid inputs of a decoder into its corpus. The fuzzer initialises its target before it reads the corpus.
///
/// # Panics
/// When the corpus cannot be written, or there is no such decoder.
pub fn write_seeds(decoders: &[Decoder], name: &str) {
    let decoder = decoders.iter().find(|decoder| decoder.name == name).expect("a decoder");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    std::fs::create_dir_all(&folder).expect("a folder for the corpus");
    for (number, seed) in (decoder.seeds)().iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number}")), seed).expect("a file in the corpus");
    }
}
