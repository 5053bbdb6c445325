//! How values of the core look in JSON (protocol 6.1): hex is `0x` and lowercase, amounts and positions are plain integers of
//! up to 256 bits.
//!
//! Nothing here may go through `serde_json::Value` or a float: both lose the low digits of big integers. The modules are named
//! in `#[serde(with = "…")]`, so that the fields of a DTO keep their core types.

pub mod hex;
mod rendered;
pub mod uint;

pub use rendered::Rendered;

/// Longest JSON that is parsed where it arrived; a longer one goes to a thread that may block.
pub(crate) const INLINE_PARSE_LEN_MAX: usize = 256 * 1024;
