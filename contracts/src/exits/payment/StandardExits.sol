// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PaymentTransaction} from "../../transactions/PaymentTransaction.sol";
import {WireTransaction} from "../../transactions/WireTransaction.sol";
import {Position} from "../../utils/Position.sol";
import {BondSize} from "../BondSize.sol";
import {ExitableTime} from "../ExitableTime.sol";
import {ExitId} from "../ExitId.sol";
import {ExitGameBase} from "./ExitGameBase.sol";

/// @title Standard exits: the owner of an included output leaves with it
/// @notice start → (challenge) → process. A record lives exactly as long as its queue entry: it is written when the
///         entry is made and deleted when the entry is processed, and a challenge deletes neither. While it lives, the
///         exit can not be started again.
abstract contract StandardExits is ExitGameBase {
    using BondSize for BondSize.Params;
    using PaymentTransaction for PaymentTransaction.Decoded;

    struct StandardExit {
        bool exitable;
        uint256 utxoPos;
        bytes32 outputId;
        address exitTarget;
        uint256 amount;
        uint256 bondSize;
    }

    struct StartStandardExitArgs {
        uint256 utxoPos;
        bytes rlpOutputTx;
        bytes outputTxInclusionProof;
    }

    struct ChallengeStandardExitArgs {
        uint160 exitId;
        bytes exitingTx;
        bytes challengeTx;
        uint16 inputIndex;
        bytes witness;
        bytes32 senderData;
    }

    /// @dev Three slots for every real amount; the fourth is touched only for amounts of 2^128 and above.
    ///      `startedAt` (seconds) is zero for no record; a position takes 68 bits.
    struct Record {
        address exitTarget;
        uint96 bondSize;
        bytes32 outputId;
        uint128 amountLow;
        uint72 utxoPos;
        uint40 startedAt;
        bool exitable;
        bool isAmountLarge;
        uint128 amountHigh;
    }

    /// @notice The first bond for starting a standard exit, in wei.
    uint128 public constant INITIAL_BOND_SIZE = 0.014 ether;

    mapping(uint160 exitId => Record) private _records;
    BondSize.Params private _bondSize;

    event ExitStarted(address indexed owner, uint160 exitId, uint256 utxoPos, bytes outputTx, uint64 exitableAt);
    event ExitChallenged(uint256 indexed utxoPos);
    event ExitOmitted(uint160 indexed exitId);
    event ExitFinalized(uint160 indexed exitId);
    event StandardExitBondUpdated(uint128 bondSize);

    error NotOutputOwner(address caller, address owner);
    error OutputFinalizedBefore(bytes32 outputId);
    error ExitNotExitable(uint160 exitId);

    constructor() {
        _bondSize.updated = uint96(INITIAL_BOND_SIZE);
    }

    /// @notice Starts the exit of an output. The owner sends exactly the bond, in wei, and gets it back with the output
    ///         unless somebody proves that the output was spent.
    /// @dev Reverts with BondNotExact, an error of Position or the decoder, TxTypeNotSupported, OutputNotFound,
    ///      OutputTypeNotSupported, NotOutputOwner, BlockNotFound, ProtocolNotMoreVp, an error of Merkle,
    ///      TransactionNotIncluded, ExitStartedBefore, OutputFinalizedBefore, or an error of the framework:
    ///      NotASafeExitGame, Reentrant, ExitQueueNotFound. Emits ExitQueued (framework), then ExitStarted.
    function startStandardExit(StartStandardExitArgs calldata args) external payable nonReentrant {
        uint96 bondSize = _bondSize.current();
        _requireBond(bondSize);
        (WireTransaction.Output memory output, bool isDeposit, uint64 exitableAt) = _requireExitable(args);
        uint160 exitId = _standardExitIdOf(isDeposit, args.rlpOutputTx, args.utxoPos);
        bytes32 outputId = _outputIdOf(args.rlpOutputTx, args.utxoPos);

        Record storage record = _records[exitId];
        if (record.startedAt != 0) revert ExitStartedBefore(exitId);
        if (framework.isOutputFinalized(outputId)) revert OutputFinalizedBefore(outputId);
        record.exitTarget = msg.sender;
        record.bondSize = bondSize;
        record.outputId = outputId;
        record.amountLow = uint128(output.amount);
        record.utxoPos = uint72(args.utxoPos);
        record.startedAt = uint40(block.timestamp);
        record.exitable = true;
        if (output.amount > type(uint128).max) {
            record.isAmountLarge = true;
            record.amountHigh = uint128(output.amount >> 128);
        }

        _enqueue(output.token, exitableAt, args.utxoPos, exitId, block.timestamp);
        emit ExitStarted(msg.sender, exitId, args.utxoPos, args.rlpOutputTx, exitableAt);
    }

    /// @notice Stops an exit by showing a signed transaction, included or not, that spends its output. The challenger
    ///         gets the exit's bond.
    /// @dev Possible until the exit is processed. `senderData` is keccak(sender as 20 bytes). Reverts with
    ///      SenderDataMismatch, ExitNotExitable, an error of the decoder, ProtocolNotMoreVp, OutputIsAnother,
    ///      SpendingConditionNotFound, SpendingConditionNotMet or an error of the condition, NotEnoughGasToPay, or an
    ///      error of the framework: NotASafeExitGame, Reentrant. Emits ExitChallenged, and BondReturnFailed and
    ///      CreditAdded before it when the challenger does not take the bond.
    function challengeStandardExit(ChallengeStandardExitArgs calldata args)
        external
        nonReentrant
        onlyNamedSender(args.senderData)
    {
        Record storage record = _records[args.exitId];
        if (!record.exitable) revert ExitNotExitable(args.exitId);
        uint256 utxoPos = record.utxoPos;
        _requireChallengeHolds(args, utxoPos, record.outputId);
        record.exitable = false;
        _payBond(msg.sender, record.bondSize);
        emit ExitChallenged(utxoPos);
    }

    /// @notice Announces a new bond for exits started two days from now: half to twice the present one, in wei.
    /// @dev Maintainer only (NotMaintainer); BondSizeOutOfBounds. Running exits keep theirs. Emits
    ///      StandardExitBondUpdated.
    function updateStartStandardExitBondSize(uint128 newBondSize) external onlyMaintainer {
        _bondSize.update(newBondSize);
        emit StandardExitBondUpdated(newBondSize);
    }

    /// @notice The bond for starting a standard exit now, in wei.
    function startStandardExitBondSize() external view returns (uint128) {
        return _bondSize.current();
    }

    /// @notice The records of these exits, all zero where there is none.
    function standardExits(uint160[] calldata exitIds) external view returns (StandardExit[] memory exits) {
        exits = new StandardExit[](exitIds.length);
        for (uint256 i = 0; i < exitIds.length; ++i) {
            Record storage record = _records[exitIds[i]];
            exits[i] = StandardExit(
                record.exitable, record.utxoPos, record.outputId, record.exitTarget, _amountOf(record), record.bondSize
            );
        }
    }

    /// @dev Ends a standard exit whose queue entry came up. The record must be of the same incarnation as the entry and
    ///      at least one minimum exit period old, whatever the queue says.
    function _processStandardExit(uint160 exitId, address token, uint64 startedAt) internal {
        Record storage record = _records[exitId];
        (uint256 startOfRecord, bool exitable, uint256 amount) = (record.startedAt, record.exitable, record.amountLow);
        if (startOfRecord != startedAt) {
            emit ExitOmitted(exitId);
            return;
        }
        _requireDue(exitId, startedAt);
        if (!exitable) {
            _deleteRecord(record);
            emit ExitOmitted(exitId);
            return;
        }

        if (record.isAmountLarge) amount = _amountOf(record);
        (address target, uint256 bondSize) = (record.exitTarget, record.bondSize);
        bool flagged = _flag(record.outputId, exitId);
        _deleteRecord(record);
        _payBond(target, bondSize);
        if (flagged) {
            _withdraw(target, token, amount);
            emit ExitFinalized(exitId);
        } else {
            // The output left through another exit meanwhile. That is no fraud: nobody proved a spend.
            emit ExitOmitted(exitId);
        }
    }

    function _amountOf(Record storage record) private view returns (uint256 amount) {
        amount = record.amountLow;
        if (record.isAmountLarge) amount |= uint256(record.amountHigh) << 128;
    }

    /// @dev `delete` would touch the fourth slot even where it was never written.
    function _deleteRecord(Record storage record) private {
        if (record.isAmountLarge) record.amountHigh = 0;
        assembly ("memory-safe") {
            let slot := record.slot
            sstore(slot, 0)
            sstore(add(slot, 1), 0)
            sstore(add(slot, 2), 0)
        }
    }

    /// @dev Checks that the sender owns the output and that its transaction is in a block.
    function _requireExitable(StartStandardExitArgs calldata args)
        private
        view
        returns (WireTransaction.Output memory output, bool isDeposit, uint64 exitableAt)
    {
        (uint256 blknum, uint256 txindex, uint256 oindex) = Position.decode(args.utxoPos);
        PaymentTransaction.Decoded memory decoded = PaymentTransaction.decode(args.rlpOutputTx);
        if (decoded.txType != supportTxType) revert TxTypeNotSupported(decoded.txType, supportTxType);
        output = decoded.outputAt(oindex);
        // No spending condition covers another type made by a payment: its exit could never be challenged.
        if (output.outputType != PAYMENT_OUTPUT_TYPE) {
            revert OutputTypeNotSupported(output.outputType, PAYMENT_OUTPUT_TYPE);
        }
        if (output.owner != msg.sender) revert NotOutputOwner(msg.sender, output.owner);
        uint256 blockTimestamp =
            _requireStandardFinalized(args.rlpOutputTx, decoded.txType, blknum, txindex, args.outputTxInclusionProof);
        isDeposit = _isDeposit(blknum);
        exitableAt = isDeposit
            ? ExitableTime.ofDeposit(block.timestamp, MIN_EXIT_PERIOD)
            : ExitableTime.ofOutput(block.timestamp, blockTimestamp, MIN_EXIT_PERIOD);
    }

    /// @dev Checks that the challenge transaction spends the exiting output. Comparing the output id first proves that
    ///      `exitingTx` is the transaction that was checked when the exit started.
    function _requireChallengeHolds(ChallengeStandardExitArgs calldata args, uint256 utxoPos, bytes32 outputId)
        private
        view
    {
        bytes32 givenOutputId = _outputIdOf(args.exitingTx, utxoPos);
        if (givenOutputId != outputId) revert OutputIsAnother(givenOutputId, outputId);
        _requireSpent(args.exitingTx, utxoPos, args.challengeTx, args.inputIndex, args.witness);
    }

    function _standardExitIdOf(bool isDeposit, bytes calldata rawTx, uint256 utxoPos) private pure returns (uint160) {
        (,, uint256 oindex) = Position.decode(utxoPos);
        return ExitId.ofStandardExit(isDeposit, rawTx, utxoPos, oindex);
    }
}
