// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The exit game of fee transactions, which has no moves
/// @notice Registering it makes fee transactions known to the framework, so that claimed fees can be spent in a
///         payment. They leave through the exit of that payment, never through a fee transaction itself.
contract FeeExitGame {}
