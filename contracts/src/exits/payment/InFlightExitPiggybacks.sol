// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Position} from "../../utils/Position.sol";
import {BondSize} from "../BondSize.sol";
import {ExitableTime} from "../ExitableTime.sol";
import {InFlightExits} from "./InFlightExits.sol";

/// @title Piggybacks: the owners of inputs and outputs join an in-flight exit
/// @notice Who does not piggyback does not leave. Piggybacking the side that does not leave costs nothing but gas.
abstract contract InFlightExitPiggybacks is InFlightExits {
    using BondSize for BondSize.Params;

    struct PiggybackInFlightExitOnInputArgs {
        bytes inFlightTx;
        uint16 inputIndex;
    }

    struct PiggybackInFlightExitOnOutputArgs {
        bytes inFlightTx;
        uint16 outputIndex;
    }

    event InFlightExitInputPiggybacked(
        address indexed exitTarget, bytes32 indexed txHash, uint16 index, uint160 exitId, uint64 exitableAt
    );
    event InFlightExitOutputPiggybacked(
        address indexed exitTarget, bytes32 indexed txHash, uint16 index, uint160 exitId, uint64 exitableAt
    );

    uint256 private constant EXITABLE_AT_BITS = 40;

    error PiggybackedBefore(uint256 index);
    error NotExitTarget(address caller, address exitTarget);

    /// @notice Joins with an input. Its owner sends exactly the piggyback bond, in wei, and gets it back unless somebody
    ///         proves that another transaction spends the input.
    /// @dev Reverts with InputIndexOutOfRange, InFlightExitNotFound, FirstPhaseOver, PiggybackedBefore, NotExitTarget,
    ///      BondNotExact, or an error of the framework: NotASafeExitGame, Reentrant, ExitQueueNotFound. Emits ExitQueued
    ///      (framework) when it is the first piggyback of its token in this exit, then InFlightExitInputPiggybacked.
    function piggybackInFlightExitOnInput(PiggybackInFlightExitOnInputArgs calldata args)
        external
        payable
        nonReentrant
    {
        if (args.inputIndex >= INPUTS_MAX) revert InputIndexOutOfRange(args.inputIndex);
        (uint160 exitId, uint64 exitableAt) = _piggyback(args.inFlightTx, args.inputIndex);
        emit InFlightExitInputPiggybacked(msg.sender, _hashOf(args.inFlightTx), args.inputIndex, exitId, exitableAt);
    }

    /// @notice Joins with an output. Its owner sends exactly the piggyback bond, in wei, and gets it back unless somebody
    ///         proves that the output was spent.
    /// @dev Reverts with OutputIndexOutOfRange, and otherwise like piggybackInFlightExitOnInput. Emits ExitQueued
    ///      (framework) when it is the first piggyback of its token in this exit, then InFlightExitOutputPiggybacked.
    function piggybackInFlightExitOnOutput(PiggybackInFlightExitOnOutputArgs calldata args)
        external
        payable
        nonReentrant
    {
        if (args.outputIndex >= OUTPUTS_MAX) revert OutputIndexOutOfRange(args.outputIndex);
        (uint160 exitId, uint64 exitableAt) = _piggyback(args.inFlightTx, FIRST_OUTPUT + args.outputIndex);
        emit InFlightExitOutputPiggybacked(msg.sender, _hashOf(args.inFlightTx), args.outputIndex, exitId, exitableAt);
    }

    function _piggyback(bytes calldata inFlightTx, uint256 index) private returns (uint160 exitId, uint64 exitableAt) {
        uint96 bondSize = _piggybackBondSize.current();
        _requireBond(bondSize);
        InFlightRecord storage record;
        (exitId, record) = _requireInFlightExit(inFlightTx);
        _requireFirstPhase(record);
        Head memory head = _headOf(record);
        if (head.exitMap >> index & 1 == 1) revert PiggybackedBefore(index);
        // No share, no owner: an index beyond the transaction's inputs or outputs ends here, too.
        address target = head.present >> index & 1 == 1 ? _shareAt(record, index).exitTarget : address(0);
        if (target != msg.sender) revert NotExitTarget(msg.sender, target);

        Piggybacks storage piggybacks = record.piggybacks;
        uint256 group = _groupOf(head.groups, index);
        uint256 shift = EXITABLE_AT_BITS * group;
        if (head.waiting >> group & 1 == 1) {
            exitableAt = uint40(piggybacks.exitableAt >> shift);
        } else {
            exitableAt = _enqueueGroup(exitId, record, head, group);
            head.waiting |= uint8(1 << group);
            // The group's entry is the first: once it was processed, nobody can piggyback any more.
            piggybacks.exitableAt |= uint160(exitableAt) << uint160(shift);
        }
        head.exitMap |= uint8(1 << index);
        _setHead(record, head);
        uint256 firstBond = piggybacks.bondSize;
        if (firstBond == 0) {
            piggybacks.bondSize = bondSize;
        } else if (firstBond != bondSize) {
            record.claim.otherBonds |= uint8(1 << index);
            _shareAt(record, index).otherBond = bondSize;
        }
    }

    /// @dev Queues the exit for a token, which happens once: the record remembers it, whatever becomes of the piggyback.
    function _enqueueGroup(uint160 exitId, InFlightRecord storage record, Head memory head, uint256 group)
        private
        returns (uint64 exitableAt)
    {
        (uint256 blknum,,) = Position.decode(head.position);
        (, uint256 blockTimestamp) = _blockOf(blknum);
        exitableAt = ExitableTime.ofOutput(block.timestamp, blockTimestamp, MIN_EXIT_PERIOD);
        _enqueue(record.tokens[group], exitableAt, head.position, exitId, head.startedAt);
    }
}
