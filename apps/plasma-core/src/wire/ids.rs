//! Names the contracts give to outputs and exits (contracts v1 notes, section 1).

use super::keccak::{keccak256, keccak256_concat};
use super::position::UtxoPos;
use super::primitives::{H256, OutputIndex, U256};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Bits of a transaction hash inside an exit id.
const HASH_BITS: usize = 151;
/// The bit that tells an in-flight exit from a standard one.
const IN_FLIGHT_BIT: usize = HASH_BITS;
/// Where the output index stands in a standard exit's id.
const OUTPUT_INDEX_BIT: usize = 152;
/// Bits of an exit id.
const EXIT_ID_BITS: usize = 160;
/// Where the exitable time stands in a priority: above 54 bits of position and 160 of exit id.
const EXITABLE_AT_BIT: usize = 54 + EXIT_ID_BITS;

/// Hash that names an output: `K(tx ‖ u256(oindex))`, for deposits `K(tx ‖ u256(oindex) ‖ u256(position))`.
pub type OutputId = H256;

/// The contracts' key of an exit: 160 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExitId([u8; 20]);

impl ExitId {
    /// Wraps the 20 bytes of a `uint160`.
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The 20 bytes of a `uint160`.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// The low 160 bits of a number.
    pub fn from_u256(number: U256) -> Self {
        let mut word = [0; 32];
        number.to_big_endian(&mut word);
        Self(word.last_chunk::<20>().copied().unwrap_or_default())
    }

    /// The id as a number.
    pub fn to_u256(self) -> U256 {
        U256::from_big_endian(&self.0)
    }

    /// The id of a standard exit, or `None` when the output index has no room in it (above 255: the contract reverts).
    ///
    /// A deposit's hash covers its position, since two equal deposits have equal bytes.
    pub fn standard(unsigned_tx: &[u8], position: UtxoPos) -> Option<Self> {
        let oindex = u8::try_from(position.oindex.get()).ok()?;
        let hash = if position.blknum.is_deposit() {
            keccak256_concat(&[unsigned_tx, &word(position.encode())])
        } else {
            keccak256(unsigned_tx)
        };
        Some(Self::from_u256(shifted_left(U256::from(oindex), OUTPUT_INDEX_BIT) | top_bits(hash)))
    }

    /// The id of an in-flight exit.
    pub fn in_flight(unsigned_tx: &[u8]) -> Self {
        Self::from_u256(top_bits(keccak256(unsigned_tx)) | shifted_left(U256::one(), IN_FLIGHT_BIT))
    }

    /// Whether this names an in-flight exit.
    pub fn is_in_flight(self) -> bool {
        self.to_u256().bit(IN_FLIGHT_BIT)
    }
}

impl fmt::Display for ExitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_u256().fmt(f)
    }
}

impl Serialize for ExitId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ExitId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <[u8; 20]>::deserialize(deserializer).map(Self)
    }
}

/// A place in the exit queue: `exitableAt (42 bits) | position of the transaction (54 bits) | exit id (160 bits)`. Lower leaves first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExitPriority(U256);

impl ExitPriority {
    /// Builds a priority as the contract does; an exitable time of 2⁴² s or later loses its top bits there, and here.
    pub fn new(exitable_at_s: u64, position: UtxoPos, exit_id: ExitId) -> Self {
        let exitable_at = shifted_left(U256::from(exitable_at_s), EXITABLE_AT_BIT);
        let tx_pos = shifted_left(U256::from(position.tx_pos_for_priority()), EXIT_ID_BITS);
        Self(exitable_at | tx_pos | exit_id.to_u256())
    }

    /// A priority read from the queue.
    pub const fn from_u256(number: U256) -> Self {
        Self(number)
    }

    /// The number in the queue.
    pub const fn to_u256(self) -> U256 {
        self.0
    }

    /// When the exit becomes processable, in seconds of L1 time: strictly after this.
    pub fn exitable_at_s(self) -> u64 {
        shifted_right(self.0, EXITABLE_AT_BIT).low_u64()
    }

    /// Which exit waits here.
    pub fn exit_id(self) -> ExitId {
        ExitId::from_u256(self.0)
    }
}

/// Names an output independently of where its transaction was included; a deposit's also by its position.
pub fn output_id(unsigned_tx: &[u8], position: UtxoPos) -> OutputId {
    let oindex = word(u128::from(position.oindex.get()));
    if position.blknum.is_deposit() {
        keccak256_concat(&[unsigned_tx, &oindex, &word(position.encode())])
    } else {
        normal_output_id(unsigned_tx, position.oindex)
    }
}

/// Names an output of a transaction that is not a deposit, included or not.
pub fn normal_output_id(unsigned_tx: &[u8], oindex: OutputIndex) -> OutputId {
    keccak256_concat(&[unsigned_tx, &word(u128::from(oindex.get()))])
}

/// When an exit becomes processable, in seconds of L1 time (contracts v1 notes, section 1).
///
/// A deposit cannot be invalid and waits one period from now; everything else also waits two from its block.
pub fn exitable_at_s(
    now_s: u64,
    block_timestamp_s: u64,
    min_exit_period_s: u64,
    of_deposit: bool,
) -> u64 {
    let from_now = now_s.saturating_add(min_exit_period_s);
    if of_deposit {
        return from_now;
    }
    from_now.max(block_timestamp_s.saturating_add(min_exit_period_s.saturating_mul(2)))
}

fn top_bits(hash: H256) -> U256 {
    shifted_right(U256::from_big_endian(hash.as_bytes()), 256_usize.saturating_sub(HASH_BITS))
}

#[expect(clippy::arithmetic_side_effects, reason = "a 256-bit shift drops bits and never panics")]
fn shifted_left(number: U256, bits: usize) -> U256 {
    number << bits
}

#[expect(clippy::arithmetic_side_effects, reason = "a 256-bit shift drops bits and never panics")]
fn shifted_right(number: U256, bits: usize) -> U256 {
    number >> bits
}

fn word(number: u128) -> [u8; 32] {
    let mut word = [0; 32];
    if let Some(low) = word.last_chunk_mut::<16>() {
        *low = number.to_be_bytes();
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::unhex;

    #[test]
    fn in_flight_ids_are_the_documented_ones() {
        for (bytes, expected) in [
            ("", "5060277488387867361168243832726934991540486235"),
            ("1234", "3817219175777579444019728485725459454579489354"),
            ("b26f143eb9e68e5b", "4423187252251026420447811542410043191383319711"),
        ] {
            let id = ExitId::in_flight(&unhex(bytes));
            assert_eq!(id.to_string(), expected);
            assert!(id.is_in_flight());
        }
    }
}
