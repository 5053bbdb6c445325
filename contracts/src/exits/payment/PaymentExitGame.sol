// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Position} from "../../utils/Position.sol";
import {BondSize} from "../BondSize.sol";
import {ExitId} from "../ExitId.sol";
import {ExitGameBase} from "./ExitGameBase.sol";
import {InFlightExitCanonicity} from "./InFlightExitCanonicity.sol";
import {InFlightExitPiggybacks} from "./InFlightExitPiggybacks.sol";
import {InFlightExitProcessing} from "./InFlightExitProcessing.sol";
import {InFlightExitStart} from "./InFlightExitStart.sol";
import {StandardExits} from "./StandardExits.sol";

/// @title The exit game of payments
/// @notice Holds the bonds of running exits and the credits of bonds it could not return, nothing else.
contract PaymentExitGame is
    StandardExits,
    InFlightExitStart,
    InFlightExitPiggybacks,
    InFlightExitCanonicity,
    InFlightExitProcessing
{
    /// @notice One bond update divides the bond by this much at most.
    uint16 public constant BOND_LOWER_BOUND_DIVISOR = BondSize.LOWER_BOUND_DIVISOR;
    /// @notice One bond update multiplies the bond by this much at most.
    uint16 public constant BOND_UPPER_BOUND_MULTIPLIER = BondSize.UPPER_BOUND_MULTIPLIER;

    /// @param args Framework, vault ids (both registered: VaultNotRegistered; different: VaultIdsEqual), spending
    ///        condition registry (without owner: RegistryStillOwned), state transition verifier, supported transaction
    ///        type (not zero: TxTypeZero), gas stipend of bond payments (StipendTooLarge). No address may be zero
    ///        (AddressZero).
    constructor(PaymentExitGameArgs memory args) ExitGameBase(args) {}

    /// @notice Processes a queue entry: ends a standard exit, or one token of an in-flight exit, and pays what may leave.
    /// @dev Framework only (NotFramework). The vault follows from the token.
    function processExit(uint160 exitId, uint256, address token, uint64 startedAt) external override onlyFramework {
        if (exitId & ExitId.IN_FLIGHT_FLAG == 0) _processStandardExit(exitId, token, startedAt);
        else _processInFlightExit(exitId, token, startedAt);
    }

    /// @notice The id of the standard exit of the output at `utxoPos`. Reverts with an error of Position, or with
    ///         OutputIndexTooLarge above output index 255.
    /// @param isDeposit Whether the position lies in a deposit block.
    function getStandardExitId(bool isDeposit, bytes calldata txBytes, uint256 utxoPos)
        external
        pure
        returns (uint160)
    {
        (,, uint256 oindex) = Position.decode(utxoPos);
        return ExitId.ofStandardExit(isDeposit, txBytes, utxoPos, oindex);
    }

    /// @notice The id of the in-flight exit of a transaction.
    function getInFlightExitId(bytes calldata txBytes) external pure returns (uint160) {
        return ExitId.ofInFlightExit(txBytes);
    }
}
