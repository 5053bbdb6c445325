// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Which rules make a transaction final enough to exit
library Protocol {
    /// @dev A transaction counts once it is in a block and its inputs' owners confirmed it.
    uint8 internal constant MVP = 1;
    /// @dev A transaction counts as soon as it is signed.
    uint8 internal constant MORE_VP = 2;

    /// @notice Whether the number names a protocol.
    function isKnown(uint8 protocol) internal pure returns (bool) {
        return protocol == MVP || protocol == MORE_VP;
    }
}
