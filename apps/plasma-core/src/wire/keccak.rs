//! Keccak-256, the only hash of the protocol.

use super::primitives::H256;
use sha3::{Digest, Keccak256};

/// Keccak-256 of one byte string.
pub fn keccak256(bytes: &[u8]) -> H256 {
    H256(Keccak256::digest(bytes).into())
}

/// Keccak-256 of the concatenation of several byte strings, without building it.
pub fn keccak256_concat(parts: &[&[u8]]) -> H256 {
    let mut hasher = Keccak256::new();
    for part in parts {
        hasher.update(part);
    }
    H256(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::h256;

    #[test]
    fn hashes_the_reference_string() {
        let expected = h256("f155cc93bbef8b8545f8efe9db33bd36ab4c6ae54566cb071586e65c17d1bb0c");
        assert_eq!(keccak256(b"omg!"), expected);
        assert_eq!(keccak256_concat(&[b"om", b"", b"g!"]), expected);
    }
}
