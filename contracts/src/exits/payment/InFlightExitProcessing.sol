// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InFlightExits} from "./InFlightExits.sol";

/// @title The end of an in-flight exit
/// @notice Each token's entry pays what is piggybacked of this token: outputs while the transaction is canonical and no
///         input left through another exit, else inputs. Then the piggybacks of this token get their bonds back,
///         whichever side they joined. The last entry ends the exit and returns its bond.
abstract contract InFlightExitProcessing is InFlightExits {
    event InFlightExitInputWithdrawn(uint160 indexed exitId, uint16 index);
    event InFlightExitOutputWithdrawn(uint160 indexed exitId, uint16 index);
    event InFlightExitOmitted(uint160 indexed exitId, address token);
    event InFlightExitFinalized(uint160 indexed exitId);
    event InFlightExitDeleted(uint160 indexed exitId);

    error EntryWaiting(uint160 exitId);

    /// @dev Marks inputs that left as inputs. The exit's own id marks those whose value left with the outputs. Bits 152
    ///      to 159 are zero in every in-flight exit's id, and a standard exit's has bit 151 unset.
    uint160 private constant LEFT_AS_INPUT = 1 << 152;

    /// @notice Ends an exit that nobody piggybacked, after its first phase. Anyone may; its bond goes to whom it belongs.
    /// @dev Reverts with InFlightExitNotFound, FirstPhaseNotOver, EntryWaiting when a piggyback put the exit into a queue
    ///      (it ends there, even if all its piggybacks were blocked), NotEnoughGasToPay, or an error of the framework:
    ///      NotASafeExitGame, Reentrant. Emits InFlightExitDeleted, and InFlightBondReturnFailed and CreditAdded before
    ///      it when the bond is not taken.
    function deleteNonPiggybackedInFlightExit(uint160 exitId) external nonReentrant {
        InFlightRecord storage record = _inFlightExits[exitId];
        Head memory head = _headOf(record);
        if (head.startedAt == 0) revert InFlightExitNotFound(exitId);
        uint256 end = _firstPhaseEnd(record);
        if (block.timestamp < end) revert FirstPhaseNotOver(end);
        if (head.waiting != 0) revert EntryWaiting(exitId);
        _deleteHead(record);
        _endExit(record, head, record.claim);
        emit InFlightExitDeleted(exitId);
    }

    /// @dev Processes one token of an in-flight exit, whose queue entry came up. The record must be of the same
    ///      incarnation as the entry and at least one minimum exit period old, whatever the queue says.
    function _processInFlightExit(uint160 exitId, address token, uint64 startedAt) internal {
        InFlightRecord storage record = _inFlightExits[exitId];
        Head memory head = _headOf(record);
        uint256 group = _waitingGroupOf(record, head, token);
        if (head.startedAt != startedAt || group == INPUTS_MAX) {
            emit InFlightExitOmitted(exitId, token);
            return;
        }
        _requireDue(exitId, startedAt);

        uint256 piggybacked = _membersOf(head.groups, head.exitMap, group);
        head.exitMap ^= uint8(piggybacked);
        head.waiting ^= uint8(1 << group);
        Claim memory claim = record.claim;
        uint256 leaving = _finalize(exitId, record, head, claim, piggybacked);
        bool isLast = head.waiting == 0;
        // Before anything is paid: nobody who is paid sees a piggyback that was.
        if (isLast) {
            _deleteHead(record);
        } else {
            _setHead(record, head);
            if (claim.paidInputs | claim.otherBonds != 0) {
                // Read first: the shares below still need to know whose bond is another.
                record.claim.paidInputs = claim.paidInputs;
                record.claim.otherBonds = uint8(claim.otherBonds & ~piggybacked);
            }
        }
        uint256 firstBond = record.piggybacks.bondSize;
        for (uint256 i = 0; piggybacked >> i != 0;) {
            if (piggybacked >> i & 1 == 1) {
                uint256 bondSize = firstBond;
                if (claim.otherBonds >> i & 1 == 1) bondSize = _takeOtherBond(record, i);
                _payShare(exitId, record, claim, token, i, leaving >> i & 1 == 1, bondSize);
            }
            unchecked {
                ++i;
            }
        }
        if (isLast) {
            _endExit(record, head, claim);
            emit InFlightExitFinalized(exitId);
        }
    }

    /// @dev Pays a piggybacked share, if it leaves, and its piggyback's bond.
    function _payShare(
        uint160 exitId,
        InFlightRecord storage record,
        Claim memory claim,
        address token,
        uint256 index,
        bool isLeaving,
        uint256 bondSize
    ) private {
        Share storage share = _shareAt(record, index);
        (address target, uint256 amount) = (share.exitTarget, share.amountLow);
        if (isLeaving) {
            if (claim.largeAmounts >> index & 1 == 1) amount = _amountOf(record, claim.largeAmounts, index);
            _withdraw(target, token, amount);
            unchecked {
                if (index < FIRST_OUTPUT) emit InFlightExitInputWithdrawn(exitId, uint16(index));
                else emit InFlightExitOutputWithdrawn(exitId, uint16(index - FIRST_OUTPUT));
            }
        }
        _payInFlightBond(target, bondSize);
    }

    function _takeOtherBond(InFlightRecord storage record, uint256 index) private returns (uint256 bondSize) {
        Share storage share = _shareAt(record, index);
        bondSize = share.otherBond;
        share.otherBond = 0;
    }

    /// @dev Decides which side leaves and marks it, and of a canonical transaction all inputs, whatever their tokens.
    /// @return leaving Those of the piggybacked shares that leave now: the side that may, without what left before.
    function _finalize(
        uint160 exitId,
        InFlightRecord storage record,
        Head memory head,
        Claim memory claim,
        uint256 piggybacked
    ) private returns (uint256 leaving) {
        if (head.isCanonical) {
            (bool isAnyGone, uint256 unmarked) =
                _inputsLeft(exitId, record, head.present & INPUTS_MASK, claim.paidInputs);
            if (!isAnyGone) {
                _flagAll(exitId, record, unmarked);
                return _flagAll(exitId, record, piggybacked & OUTPUTS_MASK);
            }
        }
        leaving = _flagAll(exitId | LEFT_AS_INPUT, record, piggybacked & INPUTS_MASK);
        claim.paidInputs |= uint8(leaving);
    }

    /// @dev Whether an input left through another exit, or as an input in an earlier incarnation of this one. An input
    ///      that left as an input in this incarnation does not count: a response may come between two tokens.
    /// @return isAnyGone The answer.
    /// @return unmarked The inputs that no exit marked so far; complete when none is gone.
    function _inputsLeft(uint160 exitId, InFlightRecord storage record, uint256 inputs, uint256 paidInputs)
        private
        view
        returns (bool isAnyGone, uint256 unmarked)
    {
        unchecked {
            for (uint256 i = 0; inputs >> i != 0; ++i) {
                uint256 by = _markOf(_shareAt(record, i).outputId);
                if (by == 0) unmarked |= 1 << i;
                else if (by != exitId && (by != exitId | LEFT_AS_INPUT || paidInputs >> i & 1 == 0)) return (true, 0);
            }
        }
    }

    /// @return flagged Those of the shares that were not marked before.
    function _flagAll(uint160 exitId, InFlightRecord storage record, uint256 shares) private returns (uint256 flagged) {
        unchecked {
            for (uint256 i = 0; shares >> i != 0; ++i) {
                if (shares >> i & 1 == 1 && _flag(_shareAt(record, i).outputId, exitId)) {
                    flagged |= 1 << i;
                }
            }
        }
    }

    /// @dev The group of this token if its entry waits, or INPUTS_MAX.
    function _waitingGroupOf(InFlightRecord storage record, Head memory head, address token)
        private
        view
        returns (uint256 group)
    {
        while (group < INPUTS_MAX && (head.waiting >> group & 1 == 0 || record.tokens[group] != token)) ++group;
    }

    function _deleteHead(InFlightRecord storage record) private {
        assembly ("memory-safe") {
            sstore(record.slot, 0)
        }
    }

    /// @dev Deletes the record behind its head and pays the exit's bond.
    function _endExit(InFlightRecord storage record, Head memory head, Claim memory claim) private {
        uint256 present = head.present;
        uint256 largeAmounts = claim.largeAmounts;
        for (uint256 i = 0; present >> i != 0;) {
            if (present >> i & 1 == 1) {
                Share storage share = _shareAt(record, i);
                assembly ("memory-safe") {
                    sstore(share.slot, 0)
                    sstore(add(share.slot, 1), 0)
                }
                if (largeAmounts >> i & 1 == 1) share.amountHigh = 0;
                // The first input's token is often ETH, whose zero lies in no slot.
                if (i < INPUTS_MAX && _groupOf(head.groups, i) == i && record.tokens[i] != address(0)) {
                    record.tokens[i] = address(0);
                }
            }
            unchecked {
                ++i;
            }
        }
        assembly ("memory-safe") {
            sstore(add(record.slot, 1), 0)
            sstore(add(record.slot, 2), 0)
        }
        _payInFlightBond(claim.bondOwner, head.bondSize);
    }
}
