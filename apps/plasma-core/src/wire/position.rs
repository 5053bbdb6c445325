//! Where an output was created: block, transaction, output, and the one integer that encodes the three (protocol 2.1).
//!
//! `position = blknum · 10⁹ + txindex · 10⁴ + oindex`

use super::keccak::keccak256;
use super::primitives::{Blknum, H256, OutputIndex, TxIndex, U256};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Step of the block number inside an encoded position.
pub const BLOCK_OFFSET: u64 = 1_000_000_000;
/// Step of the transaction index inside an encoded position.
pub const TX_OFFSET: u64 = 10_000;
/// Largest transaction index the contracts accept.
pub const TX_INDEX_MAX: u32 = 65_535;
/// Largest block number the contracts accept: `floor((2^54 - 1 - 65535) / 10^5)` (contracts v1 notes, section 1).
pub const BLKNUM_MAX: u64 = 180_143_985_094;

// Every index a block can hold must fit in front of the next block number.
const _: () = assert!((TX_INDEX_MAX as u64 + 1) * TX_OFFSET <= BLOCK_OFFSET);
const _: () = assert!(super::MAX_BLOCK_TRANSACTIONS - 1 == TX_INDEX_MAX);

/// Position of an output on the child chain. Ordered by age: older first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct UtxoPos {
    /// Block that holds the creating transaction.
    pub blknum: Blknum,
    /// The creating transaction in that block.
    pub txindex: TxIndex,
    /// The output in that transaction.
    pub oindex: OutputIndex,
}

impl UtxoPos {
    /// A position from its three parts.
    pub const fn new(blknum: Blknum, txindex: TxIndex, oindex: OutputIndex) -> Self {
        Self { blknum, txindex, oindex }
    }

    /// The only output of a deposit: `(blknum, 0, 0)`.
    pub const fn deposit(blknum: Blknum) -> Self {
        Self::new(blknum, TxIndex::new(0), OutputIndex::new(0))
    }

    /// The integer form. Never overflows: 64-bit block numbers need 94 bits.
    pub const fn encode(self) -> u128 {
        (self.blknum.get() as u128)
            .saturating_mul(BLOCK_OFFSET as u128)
            .saturating_add((self.txindex.get() as u128).saturating_mul(TX_OFFSET as u128))
            .saturating_add(self.oindex.get() as u128)
    }

    /// Reads the integer form; `None` when the block number does not fit 64 bits, which no block ever will.
    pub fn decode(position: u128) -> Option<Self> {
        let blknum = u64::try_from(position.checked_div(BLOCK_OFFSET.into())?).ok()?;
        let within_block = u64::try_from(position.checked_rem(BLOCK_OFFSET.into())?).ok()?;
        let txindex = u32::try_from(within_block.checked_div(TX_OFFSET)?).ok()?;
        let oindex = u16::try_from(within_block.checked_rem(TX_OFFSET)?).ok()?;
        Some(Self::new(Blknum::new(blknum), TxIndex::new(txindex), OutputIndex::new(oindex)))
    }

    /// [`Self::decode`] for a 256-bit integer.
    pub fn decode_u256(position: U256) -> Option<Self> {
        u128::try_from(position).ok().and_then(Self::decode)
    }

    /// Whether the contracts can decode this position: block number and transaction index within their bounds.
    pub const fn is_decodable_on_chain(self) -> bool {
        self.blknum.get() <= BLKNUM_MAX && self.txindex.get() <= TX_INDEX_MAX
    }

    /// The transaction's place for exit priorities: `position / 10^4`, which drops the output (contracts v1 notes, section 1).
    pub fn tx_pos_for_priority(self) -> u128 {
        self.encode().checked_div(TX_OFFSET.into()).unwrap_or_default()
    }

    /// `child_chain_utxohash`, by which the WatcherDB knows an output (protocol 7.2): the hash of its integer form in decimals, in
    /// angle brackets.
    pub fn child_chain_utxohash(self) -> H256 {
        keccak256(format!("<{}>", self.encode()).as_bytes())
    }
}

impl fmt::Display for UtxoPos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.blknum, self.txindex, self.oindex)
    }
}

/// An input as it stands in a transaction: 32 bytes that name a position, decodable or not.
///
/// Any non-zero word is well-formed (protocol 1.6); a word beyond every block is simply ahead of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputPointer([u8; 32]);

impl InputPointer {
    /// Wraps the 32 bytes of the wire.
    pub const fn from_bytes(word: [u8; 32]) -> Self {
        Self(word)
    }

    /// The 32 bytes of the wire.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The word as a number.
    pub fn to_u256(self) -> U256 {
        U256::from_big_endian(&self.0)
    }

    /// The position it names; `None` when its block number is beyond 64 bits.
    pub fn position(self) -> Option<UtxoPos> {
        let (high, low) = self.0.split_first_chunk::<16>()?;
        if high != &[0; 16] {
            return None;
        }
        UtxoPos::decode(u128::from_be_bytes(low.try_into().ok()?))
    }

    /// Whether all 32 bytes are zero, which is no input at all.
    pub fn is_zero(&self) -> bool {
        self.0 == [0; 32]
    }
}

impl From<UtxoPos> for InputPointer {
    fn from(position: UtxoPos) -> Self {
        let mut word = [0; 32];
        if let Some(low) = word.last_chunk_mut::<16>() {
            *low = position.encode().to_be_bytes();
        }
        Self(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pos(blknum: u64, txindex: u32, oindex: u16) -> UtxoPos {
        UtxoPos::new(Blknum::new(blknum), TxIndex::new(txindex), OutputIndex::new(oindex))
    }

    #[test]
    fn encodes_the_documented_example() {
        assert_eq!(pos(4, 5, 1).encode(), 4_000_050_001);
        assert_eq!(UtxoPos::decode(4_000_050_001), Some(pos(4, 5, 1)));
    }

    #[test]
    fn the_id_of_an_output_is_the_documented_one() {
        let expected = "67eeedb4464d10caa1e79e0bf8b6cada454b91015788271fa5f599dc5a2ec6e9";
        assert_eq!(format!("{:x}", pos(1_000, 0, 0).child_chain_utxohash()), expected);
    }

    #[test]
    fn the_not_included_position_of_the_contracts_is_ahead_of_everything() {
        assert_eq!(UtxoPos::decode_u256(U256::MAX), None);
        assert_eq!(InputPointer::from_bytes([0xff; 32]).position(), None);
    }

    proptest! {
        #[test]
        fn positions_survive_a_round_trip(blknum: u64, txindex in 0u32..100_000, oindex in 0u16..10_000) {
            let position = pos(blknum, txindex, oindex);
            prop_assert_eq!(UtxoPos::decode(position.encode()), Some(position));
            prop_assert_eq!(InputPointer::from(position).position(), Some(position));
        }

        #[test]
        fn no_number_makes_decoding_panic(position: u128) {
            if let Some(decoded) = UtxoPos::decode(position) {
                prop_assert_eq!(decoded.encode(), position);
            }
        }
    }
}
