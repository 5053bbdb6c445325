// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The side of an exit game that pays out
interface IExitProcessor {
    /// @notice Finishes one queue entry. Only the framework calls it, once per entry, in queue order.
    /// @dev Must not revert for anything a user, a receiver or a token can bring about: it would block the queue.
    /// @param exitId The exit.
    /// @param vaultId The vault of the entry's queue.
    /// @param token The token of the entry's queue.
    /// @param startedAt The incarnation of the exit that made the entry, as given to `enqueue`.
    function processExit(uint160 exitId, uint256 vaultId, address token, uint64 startedAt) external;
}
