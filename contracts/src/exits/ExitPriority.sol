// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Exit priorities: 42 bits exitableAt, 54 bits transaction position, 160 bits exit id
/// @notice The smaller number leaves first. Clients read these bits from `heapList()`, so the layout is fixed and
///         nothing else fits in: what else an entry needs to carry lies beside the queue.
library ExitPriority {
    uint256 private constant EXITABLE_AT_SHIFT = 214;
    uint256 private constant TX_POS_SHIFT = 160;

    /// @dev The first time that does not fit the 42 bits, some 139,000 years from now.
    uint256 internal constant EXITABLE_AT_LIMIT = 1 << 42;

    /// @notice Composes a priority. `exitableAt` must be below EXITABLE_AT_LIMIT or it loses its top bits.
    function encode(uint256 exitableAt, uint256 txPos, uint160 exitId) internal pure returns (uint256) {
        return (exitableAt << EXITABLE_AT_SHIFT) | (txPos << TX_POS_SHIFT) | exitId;
    }

    /// @notice The time behind which the exit may be processed, in seconds since 1970.
    function exitableAtOf(uint256 priority) internal pure returns (uint64) {
        return uint64(priority >> EXITABLE_AT_SHIFT);
    }

    /// @notice The exit id.
    function exitIdOf(uint256 priority) internal pure returns (uint160) {
        return uint160(priority);
    }
}
