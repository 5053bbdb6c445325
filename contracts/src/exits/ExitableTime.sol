// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title When an exit becomes exitable
/// @notice A deposit block cannot be invalid, so its output waits one minimum exit period. Everything else waits one
///         period more when its block is young, so that the owners of older outputs can leave first.
library ExitableTime {
    /// @param start When the exit enters the queue, in seconds.
    /// @param minExitPeriod Seconds.
    function ofDeposit(uint256 start, uint256 minExitPeriod) internal pure returns (uint64) {
        return uint64(start + minExitPeriod);
    }

    /// @param start When the exit enters the queue, in seconds.
    /// @param blockTimestamp When the block of the exiting output was submitted, in seconds.
    /// @param minExitPeriod Seconds.
    function ofOutput(uint256 start, uint256 blockTimestamp, uint256 minExitPeriod) internal pure returns (uint64) {
        uint256 bySubmission = blockTimestamp + 2 * minExitPeriod;
        uint256 byStart = start + minExitPeriod;
        return uint64(bySubmission > byStart ? bySubmission : byStart);
    }
}
