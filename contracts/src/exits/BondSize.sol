// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A bond size that changes slowly and with notice
/// @notice One step halves or doubles at most, and takes effect two days after it was announced. One storage slot.
library BondSize {
    uint16 internal constant LOWER_BOUND_DIVISOR = 2;
    uint16 internal constant UPPER_BOUND_MULTIPLIER = 2;
    uint64 internal constant WAITING_PERIOD = 2 days;

    /// @dev 96 bits of wei are 79 billion ETH.
    struct Params {
        uint96 previous;
        uint96 updated;
        uint64 effectiveAt;
    }

    error BondSizeOutOfBounds(uint256 newBondSize, uint256 min, uint256 max);

    /// @notice The size in force, in wei.
    function current(Params storage params) internal view returns (uint96) {
        Params memory p = params;
        return block.timestamp < p.effectiveAt ? p.previous : p.updated;
    }

    /// @notice Announces a new size; a size still waiting is replaced.
    function update(Params storage params, uint128 newBondSize) internal {
        uint256 size = current(params);
        uint256 min = size / LOWER_BOUND_DIVISOR;
        uint256 max = size * UPPER_BOUND_MULTIPLIER;
        if (max > type(uint96).max) max = type(uint96).max;
        if (newBondSize == 0 || newBondSize < min || newBondSize > max) {
            revert BondSizeOutOfBounds(newBondSize, min, max);
        }
        params.previous = uint96(size);
        params.updated = uint96(newBondSize);
        params.effectiveAt = uint64(block.timestamp) + WAITING_PERIOD;
    }
}
