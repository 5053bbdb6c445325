// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PaymentTransaction} from "../../transactions/PaymentTransaction.sol";
import {Position} from "../../utils/Position.sol";
import {InFlightExits} from "./InFlightExits.sol";

/// @title Piggybacks of what was spent are blocked
/// @notice An input leaves only if nothing but the exiting transaction spends it; an output only if nothing spends it.
///         Whoever shows a signed transaction that does, included or not, gets the piggyback's bond. Possible until the
///         piggyback's token is processed.
abstract contract InFlightExitSpends is InFlightExits {
    struct ChallengeInputSpentArgs {
        bytes inFlightTx;
        uint16 inFlightTxInputIndex;
        bytes challengingTx;
        uint16 challengingTxInputIndex;
        bytes challengingTxWitness;
        bytes inputTx;
        uint256 inputUtxoPos;
        bytes32 senderData;
    }

    struct ChallengeOutputSpentArgs {
        bytes inFlightTx;
        bytes inFlightTxInclusionProof;
        uint256 outputUtxoPos;
        bytes challengingTx;
        uint16 challengingTxInputIndex;
        bytes challengingTxWitness;
        bytes32 senderData;
    }

    event InFlightExitInputBlocked(address indexed challenger, bytes32 indexed txHash, uint16 index, uint160 exitId);
    event InFlightExitOutputBlocked(address indexed challenger, bytes32 indexed txHash, uint16 index, uint160 exitId);

    error InputPositionIsAnother(uint256 utxoPos, uint256 wanted);

    /// @notice Blocks a piggybacked input that another transaction spends.
    /// @dev `senderData` is keccak(sender as 20 bytes). Reverts with SenderDataMismatch, InFlightExitNotFound,
    ///      InputIndexOutOfRange, NotPiggybacked, InputPositionIsAnother, OutputIsAnother, SpendIsInFlightTx, an error of
    ///      the decoder, ProtocolNotMoreVp, SpendingConditionNotFound, SpendingConditionNotMet or an error of the
    ///      condition, NotEnoughGasToPay, or an error of the framework: NotASafeExitGame, Reentrant. Emits
    ///      InFlightExitInputBlocked, and InFlightBondReturnFailed and CreditAdded before it when the challenger does not
    ///      take the bond.
    function challengeInFlightExitInputSpent(ChallengeInputSpentArgs calldata args)
        external
        nonReentrant
        onlyNamedSender(args.senderData)
    {
        (uint160 exitId, InFlightRecord storage record) = _requireInFlightExit(args.inFlightTx);
        uint16 index = args.inFlightTxInputIndex;
        _requireInputIs(record, args.inFlightTx, index, args.inputTx, args.inputUtxoPos);
        _requireOther(args.inFlightTx, args.challengingTx);
        _requireSpent(
            args.inputTx, args.inputUtxoPos, args.challengingTx, args.challengingTxInputIndex, args.challengingTxWitness
        );
        _block(record, index);
        emit InFlightExitInputBlocked(msg.sender, _hashOf(args.inFlightTx), index, exitId);
    }

    /// @notice Blocks a piggybacked output that was spent. The exiting transaction must be in a block: an output has no
    ///         position to spend before.
    /// @dev `senderData` is keccak(sender as 20 bytes). Reverts with SenderDataMismatch, InFlightExitNotFound, an error
    ///      of Position, OutputIndexOutOfRange, NotPiggybacked, BlockNotFound, an error of Merkle,
    ///      TransactionNotIncluded, an error of the decoder, ProtocolNotMoreVp, SpendingConditionNotFound,
    ///      SpendingConditionNotMet or an error of the condition, NotEnoughGasToPay, or an error of the framework:
    ///      NotASafeExitGame, Reentrant. Emits InFlightExitOutputBlocked, and InFlightBondReturnFailed and CreditAdded
    ///      before it when the challenger does not take the bond.
    function challengeInFlightExitOutputSpent(ChallengeOutputSpentArgs calldata args)
        external
        nonReentrant
        onlyNamedSender(args.senderData)
    {
        (uint160 exitId, InFlightRecord storage record) = _requireInFlightExit(args.inFlightTx);
        (uint256 blknum, uint256 txindex, uint256 oindex) = Position.decode(args.outputUtxoPos);
        if (oindex >= OUTPUTS_MAX) revert OutputIndexOutOfRange(oindex);
        _requireStandardFinalized(args.inFlightTx, supportTxType, blknum, txindex, args.inFlightTxInclusionProof);
        _requireSpent(
            args.inFlightTx,
            args.outputUtxoPos,
            args.challengingTx,
            args.challengingTxInputIndex,
            args.challengingTxWitness
        );
        _block(record, FIRST_OUTPUT + oindex);
        emit InFlightExitOutputBlocked(msg.sender, _hashOf(args.inFlightTx), uint16(oindex), exitId);
    }

    /// @dev Checks that `inputTx` made input `index` of the exiting transaction, and that this is its position. The
    ///      position matters beside the id: a spend of the same bytes at another position, say one that a reorganisation
    ///      of the root chain moved, spends something else.
    function _requireInputIs(
        InFlightRecord storage record,
        bytes calldata inFlightTx,
        uint256 index,
        bytes calldata inputTx,
        uint256 inputUtxoPos
    ) internal view {
        if (index >= INPUTS_MAX || record.head.present >> index & 1 == 0) {
            revert InputIndexOutOfRange(index);
        }
        uint256 wanted = PaymentTransaction.inputAt(inFlightTx, index);
        if (wanted != inputUtxoPos) revert InputPositionIsAnother(inputUtxoPos, wanted);
        bytes32 outputId = _outputIdOf(inputTx, inputUtxoPos);
        bytes32 wantedId = _shareAt(record, index).outputId;
        if (outputId != wantedId) revert OutputIsAnother(outputId, wantedId);
    }

    /// @dev The exiting transaction does not compete with itself. A transaction has one encoding.
    function _requireOther(bytes calldata inFlightTx, bytes calldata spendingTx) internal pure {
        if (_hashOf(inFlightTx) == _hashOf(spendingTx)) revert SpendIsInFlightTx();
    }

    /// @dev Splits the position of a transaction, which has no output index.
    function _decodeTxPosition(uint256 position) internal pure returns (uint256 blknum, uint256 txindex) {
        uint256 oindex;
        (blknum, txindex, oindex) = Position.decode(position);
        if (oindex != 0) revert PositionNotOfTransaction(position);
    }

    /// @dev Takes the piggyback back and pays its bond to the sender. The queue entry stays, and the record with it.
    function _block(InFlightRecord storage record, uint256 index) private {
        uint256 exitMap = record.head.exitMap;
        if (exitMap >> index & 1 == 0) revert NotPiggybacked(index);
        record.head.exitMap = uint8(exitMap ^ 1 << index);
        uint256 otherBonds = record.claim.otherBonds;
        uint256 bondSize = _bondOf(record, otherBonds, index);
        if (otherBonds >> index & 1 == 1) {
            record.claim.otherBonds = uint8(otherBonds ^ 1 << index);
            _shareAt(record, index).otherBond = 0;
        }
        _payInFlightBond(msg.sender, bondSize);
    }
}
