//! What there is to know of a decoder in order to attack it.

/// A decoder, what must hold of it, and where to start from.
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    /// The name of its fuzz target.
    pub name: &'static str,
    /// Decodes any bytes, and panics when something does not hold that must. Whether the bytes were accepted.
    pub check: fn(&[u8]) -> bool,
    /// Inputs that are accepted, to be mutated.
    pub seeds: fn() -> Vec<Vec<u8>>,
}
