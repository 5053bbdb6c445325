// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PaymentTransaction} from "../../transactions/PaymentTransaction.sol";
import {WireTransaction} from "../../transactions/WireTransaction.sol";
import {Position} from "../../utils/Position.sol";
import {BondSize} from "../BondSize.sol";
import {ExitId} from "../ExitId.sol";
import {InFlightExits} from "./InFlightExits.sol";

/// @title The start of an in-flight exit
abstract contract InFlightExitStart is InFlightExits {
    using BondSize for BondSize.Params;

    struct StartInFlightExitArgs {
        bytes inFlightTx;
        bytes[] inputTxs;
        uint256[] inputUtxosPos;
        bytes[] inputTxsInclusionProofs;
        bytes[] inFlightTxWitnesses;
    }

    /// @dev What is known of an exit while its inputs and outputs are checked one by one.
    struct Draft {
        Head head;
        uint256 largeAmounts;
        bytes32[4] inputIds;
        address[4] inputTokens;
        uint16[] outputIndexes;
    }

    /// @dev Payments take some 620 bytes at most, fee claims less. Nothing else bounds a fee claim, and what an input's
    ///      transaction says too much would be repeated in the event, for every watcher to swallow.
    uint256 private constant INPUT_TX_BYTES_MAX = 1024;

    event InFlightExitStarted(
        address indexed initiator,
        bytes32 indexed txHash,
        uint160 exitId,
        uint64 exitStartTimestamp,
        bytes inFlightTx,
        uint256[] inputUtxosPos,
        bytes[] inFlightTxWitnesses,
        bytes[] inputTxs
    );

    error NoInputs();
    error InputCountMismatch(uint256 inputs, uint256 inputTxs, uint256 positions, uint256 proofs, uint256 witnesses);
    error InputTxTooLong(uint256 length, uint256 max);
    error InputUsedTwice(uint256 index);
    error StateTransitionIncorrect();

    /// @notice Starts the exit of a payment, included or not, whose inputs are included. Anyone may. The sender sends
    ///         exactly the bond, in wei, and gets it back unless somebody proves a competitor that nobody answers.
    /// @dev Reverts with BondNotExact, ExitStartedBefore, an error of the decoder or of Position, TxTypeNotSupported,
    ///      OutputTypeNotSupported, NoInputs, InputCountMismatch, and for each input InputTxTooLong, OutputNotFound,
    ///      BlockNotFound, ProtocolNotMoreVp, an error of Merkle, TransactionNotIncluded, SpendingConditionNotFound,
    ///      SpendingConditionNotMet or an error of the condition, InputUsedTwice; then StateTransitionIncorrect; or with
    ///      an error of the framework: NotASafeExitGame, Reentrant. Emits InFlightExitStarted. The exit is queued by its
    ///      first piggyback.
    function startInFlightExit(StartInFlightExitArgs calldata args) external payable nonReentrant {
        uint96 bondSize = _inFlightBondSize.current();
        _requireBond(bondSize);
        uint160 exitId = ExitId.ofInFlightExit(args.inFlightTx);
        InFlightRecord storage record = _inFlightExits[exitId];
        if (record.head.startedAt != 0) revert ExitStartedBefore(exitId);

        Draft memory draft;
        draft.head.startedAt = uint40(block.timestamp);
        draft.head.isCanonical = true;
        draft.head.bondSize = bondSize;
        WireTransaction.Output[] memory outputs = _requireStartable(args);
        uint256 count = args.inputTxs.length;
        draft.outputIndexes = new uint16[](count);
        for (uint256 i = 0; i < count; ++i) {
            _addInput(record, draft, args, i);
        }
        if (!_isCorrectStateTransition(args, draft.outputIndexes)) revert StateTransitionIncorrect();
        for (uint256 i = 0; i < outputs.length; ++i) {
            uint256 group = _groupOfInputs(draft, outputs[i].token, count);
            bytes32 outputId = ExitId.ofOutput(args.inFlightTx, i);
            _addShare(record, draft, FIRST_OUTPUT + i, outputId, outputs[i], group);
        }
        _setHead(record, draft.head);
        record.claim.bondOwner = msg.sender;
        record.claim.largeAmounts = uint8(draft.largeAmounts);
        _announce(exitId, args);
    }

    /// @dev Checks what the transaction and the arguments say about themselves.
    function _requireStartable(StartInFlightExitArgs calldata args)
        private
        view
        returns (WireTransaction.Output[] memory outputs)
    {
        PaymentTransaction.Decoded memory decoded = PaymentTransaction.decode(args.inFlightTx);
        if (decoded.txType != supportTxType) revert TxTypeNotSupported(decoded.txType, supportTxType);
        uint256 count = decoded.inputs.length;
        if (count == 0) revert NoInputs();
        if (
            args.inputTxs.length != count || args.inputUtxosPos.length != count
                || args.inputTxsInclusionProofs.length != count || args.inFlightTxWitnesses.length != count
        ) {
            revert InputCountMismatch(
                count,
                args.inputTxs.length,
                args.inputUtxosPos.length,
                args.inputTxsInclusionProofs.length,
                args.inFlightTxWitnesses.length
            );
        }
        outputs = decoded.outputs;
        for (uint256 i = 0; i < outputs.length; ++i) {
            // No spending condition covers another type made by a payment: its exit could never be challenged.
            if (outputs[i].outputType != PAYMENT_OUTPUT_TYPE) {
                revert OutputTypeNotSupported(outputs[i].outputType, PAYMENT_OUTPUT_TYPE);
            }
        }
    }

    /// @dev Checks that input `i` is included, that the transaction spends it, and that no input before is the same.
    function _addInput(
        InFlightRecord storage record,
        Draft memory draft,
        StartInFlightExitArgs calldata args,
        uint256 i
    ) private {
        uint256 utxoPos = args.inputUtxosPos[i];
        _requireShort(args.inputTxs[i]);
        WireTransaction.Output memory output = _requireInput(args, i);
        bytes32 outputId = _outputIdOf(args.inputTxs[i], utxoPos);
        for (uint256 j = 0; j < i; ++j) {
            // Positions too: the ids of two different transactions that a block proves at one index differ.
            if (draft.inputIds[j] == outputId || args.inputUtxosPos[j] == utxoPos) revert InputUsedTwice(i);
        }
        if (utxoPos > draft.head.position) draft.head.position = uint72(utxoPos);
        draft.inputIds[i] = outputId;
        draft.inputTokens[i] = output.token;
        draft.outputIndexes[i] = uint16(utxoPos % Position.TXINDEX_OFFSET);
        uint256 group = _groupOfInputs(draft, output.token, i);
        if (group == i && output.token != address(0)) record.tokens[i] = output.token;
        _addShare(record, draft, i, outputId, output, group);
    }

    function _requireShort(bytes calldata inputTx) private pure {
        if (inputTx.length > INPUT_TX_BYTES_MAX) revert InputTxTooLong(inputTx.length, INPUT_TX_BYTES_MAX);
    }

    function _requireInput(StartInFlightExitArgs calldata args, uint256 i)
        private
        view
        returns (WireTransaction.Output memory output)
    {
        (uint256 blknum, uint256 txindex, uint256 oindex) = Position.decode(args.inputUtxosPos[i]);
        uint256 txType;
        (txType, output) = WireTransaction.outputAt(args.inputTxs[i], oindex);
        _requireStandardFinalized(args.inputTxs[i], txType, blknum, txindex, args.inputTxsInclusionProofs[i]);
        _requireConditionMet(
            _conditionFor(output.outputType, supportTxType),
            args.inputTxs[i],
            args.inputUtxosPos[i],
            args.inFlightTx,
            uint16(i),
            args.inFlightTxWitnesses[i]
        );
    }

    /// @dev The first of the first `count` inputs with this token, or `count`.
    function _groupOfInputs(Draft memory draft, address token, uint256 count) private pure returns (uint256 group) {
        while (group < count && draft.inputTokens[group] != token) ++group;
    }

    function _addShare(
        InFlightRecord storage record,
        Draft memory draft,
        uint256 index,
        bytes32 outputId,
        WireTransaction.Output memory output,
        uint256 group
    ) private {
        draft.head.present |= uint8(1 << index);
        draft.head.groups |= uint16(group << (2 * index));
        Share storage share = _shareAt(record, index);
        share.outputId = outputId;
        share.exitTarget = output.owner;
        share.amountLow = uint96(output.amount);
        uint256 amountHigh = output.amount >> AMOUNT_LOW_BITS;
        if (amountHigh != 0) {
            share.amountHigh = amountHigh;
            draft.largeAmounts |= 1 << index;
        }
    }

    function _isCorrectStateTransition(StartInFlightExitArgs calldata args, uint16[] memory outputIndexes)
        private
        view
        returns (bool)
    {
        return stateTransitionVerifier.isCorrectStateTransition(args.inFlightTx, args.inputTxs, outputIndexes);
    }

    function _announce(uint160 exitId, StartInFlightExitArgs calldata args) private {
        emit InFlightExitStarted(
            msg.sender,
            _hashOf(args.inFlightTx),
            exitId,
            uint64(block.timestamp),
            args.inFlightTx,
            args.inputUtxosPos,
            args.inFlightTxWitnesses,
            args.inputTxs
        );
    }
}
