//! Hex helpers for the unit tests of this module tree.

use super::primitives::H256;

pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    const_hex::decode(hex).unwrap()
}

pub(crate) fn h256(hex: &str) -> H256 {
    H256::from_slice(&unhex(hex))
}

pub(crate) fn address(hex: &str) -> super::Address {
    super::Address::from_slice(&unhex(hex))
}
