// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title UTXO positions: blknum * 10^9 + txindex * 10^4 + oindex
/// @notice Must never accept two different positions for one output, because a deposit's ids contain the position.
library Position {
    uint256 internal constant BLKNUM_OFFSET = 1e9;
    uint256 internal constant TXINDEX_OFFSET = 1e4;

    /// @dev A block has at most 2^16 leaves, although the decimal layout has room for 10^5.
    uint256 internal constant MAX_TXINDEX = 65535;

    /// @dev The largest block number whose transaction positions all fit the 54 bits of an exit priority:
    ///      floor((2^54 - 1 - MAX_TXINDEX) / 10^5).
    uint256 internal constant MAX_BLKNUM = 180143985094;

    error BlknumTooLarge(uint256 blknum);
    error TxindexTooLarge(uint256 txindex);

    /// @notice Splits a UTXO position. The output index is the remainder, hence 0..9999.
    function decode(uint256 utxoPos) internal pure returns (uint256 blknum, uint256 txindex, uint256 oindex) {
        unchecked {
            blknum = utxoPos / BLKNUM_OFFSET;
            txindex = (utxoPos % BLKNUM_OFFSET) / TXINDEX_OFFSET;
            oindex = utxoPos % TXINDEX_OFFSET;
        }
        if (blknum > MAX_BLKNUM) revert BlknumTooLarge(blknum);
        if (txindex > MAX_TXINDEX) revert TxindexTooLarge(txindex);
    }

    /// @notice The transaction's position as it enters an exit priority: blknum * 10^5 + txindex.
    function txPos(uint256 utxoPos) internal pure returns (uint256) {
        return utxoPos / TXINDEX_OFFSET;
    }
}
