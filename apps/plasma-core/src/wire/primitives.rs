//! Numbers with a meaning: no bare `u64` crosses a module boundary, so that a height is never taken for a block number.

use serde::{Deserialize, Serialize};
use std::fmt;

pub use primitive_types::{H160 as Address, H256, U256, U512};

/// The contract address that names what an amount is counted in; [`ETH`] is the zero address.
pub type Currency = Address;
/// Merkle root of a child chain block's transactions (depth 16).
pub type BlockHash = H256;
/// Keccak-256 of a transaction's unsigned bytes.
pub type TxHash = H256;

/// The currency Ether.
pub const ETH: Currency = primitive_types::H160([0; 20]);

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name($inner);

        impl $name {
            /// Wraps a plain number.
            pub const fn new(value: $inner) -> Self {
                Self(value)
            }

            /// The plain number.
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// Number of a child chain block. Operator blocks step by [`CHILD_BLOCK_INTERVAL`], deposits fill the gaps.
    Blknum(u64)
}
number! {
    /// Index of a transaction in its block, 0-based. Valid blocks stop at 65,535; a position on the wire may name up to 99,999.
    TxIndex(u32)
}
number! {
    /// Index of an output in its transaction, 0-based.
    OutputIndex(u16)
}
number! {
    /// Number of a root chain (Ethereum) block.
    EthHeight(u64)
}

/// Distance between operator blocks in every deployment of contracts v1 (protocol 2.2). Nodes check it against the contract at start.
pub const CHILD_BLOCK_INTERVAL: u64 = 1000;

impl Blknum {
    /// Whether this is a deposit's block: not a multiple of the interval (protocol 2.2). Block 0 does not exist and is no deposit.
    pub const fn is_deposit(self) -> bool {
        !self.0.is_multiple_of(CHILD_BLOCK_INTERVAL)
    }

    /// The next operator block after this one, or `None` past the end of `u64`.
    pub const fn next_child_block(self) -> Option<Self> {
        let at = self.0.saturating_sub(self.0 % CHILD_BLOCK_INTERVAL);
        match at.checked_add(CHILD_BLOCK_INTERVAL) {
            Some(next) => Some(Self(next)),
            None => None,
        }
    }

    /// The operator block before this one; zero stays zero, which stands for "no block yet".
    pub const fn previous_child_block(self) -> Self {
        let rest = self.0 % CHILD_BLOCK_INTERVAL;
        if rest == 0 {
            Self(self.0.saturating_sub(CHILD_BLOCK_INTERVAL))
        } else {
            Self(self.0.saturating_sub(rest))
        }
    }
}

impl EthHeight {
    /// This height plus a number of blocks, capped at the end of `u64`.
    #[must_use]
    pub const fn plus(self, eth_blocks: u64) -> Self {
        Self(self.0.saturating_add(eth_blocks))
    }

    /// This height minus a number of blocks, floored at genesis.
    #[must_use]
    pub const fn minus(self, eth_blocks: u64) -> Self {
        Self(self.0.saturating_sub(eth_blocks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deposit_blocks_lie_between_child_blocks() {
        for (blknum, deposit, next, previous) in [
            (1, true, 1000, 0),
            (999, true, 1000, 0),
            (1000, false, 2000, 0),
            (1001, true, 2000, 1000),
            (3000, false, 4000, 2000),
        ] {
            let blknum = Blknum::new(blknum);
            assert_eq!(blknum.is_deposit(), deposit, "{blknum}");
            assert_eq!(blknum.next_child_block(), Some(Blknum::new(next)), "{blknum}");
            assert_eq!(blknum.previous_child_block(), Blknum::new(previous), "{blknum}");
        }
    }

    #[test]
    fn the_last_block_number_has_no_successor() {
        assert_eq!(Blknum::new(u64::MAX).next_child_block(), None);
    }
}
