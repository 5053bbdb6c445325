// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What every part of the framework knows from construction
abstract contract FrameworkBase {
    /// @notice Seconds; the time unit of every rule about exits and quarantines.
    uint256 public immutable minExitPeriod;

    /// @dev The first half of an in-flight exit is minExitPeriod / 2 and must not be empty.
    uint256 internal constant MIN_EXIT_PERIOD_MIN = 2;
    /// @dev Keeps every sum of times far below the 42 bits an exit priority has for it.
    uint256 internal constant MIN_EXIT_PERIOD_MAX = 3650 days;

    address private immutable MAINTAINER;

    error MinExitPeriodOutOfBounds(uint256 minExitPeriod, uint256 min, uint256 max);
    error AddressZero();
    error NotMaintainer(address caller);

    modifier onlyMaintainer() {
        if (msg.sender != MAINTAINER) revert NotMaintainer(msg.sender);
        _;
    }

    constructor(uint256 minExitPeriod_, address maintainer) {
        if (minExitPeriod_ < MIN_EXIT_PERIOD_MIN || minExitPeriod_ > MIN_EXIT_PERIOD_MAX) {
            revert MinExitPeriodOutOfBounds(minExitPeriod_, MIN_EXIT_PERIOD_MIN, MIN_EXIT_PERIOD_MAX);
        }
        if (maintainer == address(0)) revert AddressZero();
        minExitPeriod = minExitPeriod_;
        MAINTAINER = maintainer;
    }

    /// @notice The account that registers vaults and exit games and sets verifiers, bond sizes and the version.
    function getMaintainer() external view returns (address) {
        return MAINTAINER;
    }
}
