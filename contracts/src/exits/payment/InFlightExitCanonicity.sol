// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {WireTransaction} from "../../transactions/WireTransaction.sol";
import {Merkle} from "../../utils/Merkle.sol";
import {Position} from "../../utils/Position.sol";
import {InFlightExitSpends} from "./InFlightExitSpends.sol";

/// @title Canonicity: is the transaction the oldest that spends its inputs?
/// @notice A competitor spends one of the same inputs. One that no block holds counts until the exiting transaction
///         proves that a block holds it; one that a block holds counts until the exiting transaction proves to be older.
///         So each challenge must be older than the one before, and each response older than what it answers.
abstract contract InFlightExitCanonicity is InFlightExitSpends {
    struct ChallengeCanonicityArgs {
        bytes inputTx;
        uint256 inputUtxoPos;
        bytes inFlightTx;
        uint16 inFlightTxInputIndex;
        bytes competingTx;
        uint16 competingTxInputIndex;
        uint256 competingTxPos;
        bytes competingTxInclusionProof;
        bytes competingTxWitness;
    }

    event InFlightExitChallenged(
        address indexed challenger,
        bytes32 indexed txHash,
        uint256 challengeTxPosition,
        uint160 exitId,
        uint16 inFlightTxInputIndex,
        bytes challengeTx,
        uint16 challengeTxInputIndex,
        bytes challengeTxWitness
    );
    event InFlightExitChallengeResponded(
        address indexed challenger, bytes32 indexed txHash, uint256 challengeTxPosition, uint160 exitId
    );

    error CompetitorNotOlder(uint256 position, uint256 oldestCompetitor);
    error ResponseNotOlder(uint256 position, uint256 oldestCompetitor);

    /// @notice Shows a competitor, included or not, in the first phase. The exit's bond now belongs to the challenger.
    /// @dev `competingTxPos` is zero for a competitor that no block holds. Reverts with InFlightExitNotFound,
    ///      FirstPhaseOver, the errors of _requireOtherSpend, PositionNotOfTransaction, BlockNotFound, an error of
    ///      Merkle, TransactionNotIncluded, CompetitorNotOlder, or an error of the framework: NotASafeExitGame,
    ///      Reentrant. Emits InFlightExitChallenged, with 2^256 - 1 as the position of a competitor that no block holds.
    function challengeInFlightExitNotCanonical(ChallengeCanonicityArgs calldata args) external nonReentrant {
        (uint160 exitId, InFlightRecord storage record) = _requireInFlightExit(args.inFlightTx);
        _requireFirstPhase(record);
        uint256 txType = _requireCompetes(record, args);
        uint72 position = NOT_INCLUDED;
        if (args.competingTxPos != 0) {
            position = uint72(args.competingTxPos);
            (uint256 blknum, uint256 txindex) = _decodeTxPosition(args.competingTxPos);
            _requireStandardFinalized(args.competingTx, txType, blknum, txindex, args.competingTxInclusionProof);
        }
        uint72 oldest = record.claim.oldestCompetitor;
        if (oldest != 0 && oldest <= position) revert CompetitorNotOlder(position, oldest);
        record.claim.bondOwner = msg.sender;
        record.claim.oldestCompetitor = position;
        record.head.isCanonical = false;
        _announce(exitId, args);
    }

    /// @notice Answers a competitor by proving that an older block, or place in its block, holds the exiting
    ///         transaction. The exit's bond now belongs to the sender.
    /// @dev Possible until the last entry of the exit is processed; what was paid before stays paid. Reverts with
    ///      InFlightExitNotFound, ResponseNotOlder (also when there is nothing to answer), PositionNotOfTransaction, an
    ///      error of Position, BlockNotFound, an error of Merkle, TransactionNotIncluded, or an error of the framework:
    ///      NotASafeExitGame, Reentrant. Emits InFlightExitChallengeResponded.
    function respondToNonCanonicalChallenge(
        bytes calldata inFlightTx,
        uint256 inFlightTxPos,
        bytes calldata inFlightTxInclusionProof
    ) external nonReentrant {
        (uint160 exitId, InFlightRecord storage record) = _requireInFlightExit(inFlightTx);
        uint256 oldest = record.claim.oldestCompetitor;
        if (oldest <= inFlightTxPos) revert ResponseNotOlder(inFlightTxPos, oldest);
        (uint256 blknum, uint256 txindex) = _decodeTxPosition(inFlightTxPos);
        _requireStandardFinalized(inFlightTx, supportTxType, blknum, txindex, inFlightTxInclusionProof);
        record.claim.bondOwner = msg.sender;
        record.claim.oldestCompetitor = uint72(inFlightTxPos);
        record.head.isCanonical = true;
        emit InFlightExitChallengeResponded(msg.sender, _hashOf(inFlightTx), inFlightTxPos, exitId);
    }

    function _requireCompetes(InFlightRecord storage record, ChallengeCanonicityArgs calldata args)
        private
        view
        returns (uint256 txType)
    {
        uint256 index = args.inFlightTxInputIndex;
        _requireInputIs(record, args.inFlightTx, index, args.inputTx, args.inputUtxoPos);
        _requireOther(args.inFlightTx, args.competingTx);
        return _requireSpent(
            args.inputTx, args.inputUtxoPos, args.competingTx, args.competingTxInputIndex, args.competingTxWitness
        );
    }

    function _announce(uint160 exitId, ChallengeCanonicityArgs calldata args) private {
        emit InFlightExitChallenged(
            msg.sender,
            _hashOf(args.inFlightTx),
            args.competingTxPos == 0 ? type(uint256).max : args.competingTxPos,
            exitId,
            args.inFlightTxInputIndex,
            args.competingTx,
            args.competingTxInputIndex,
            args.competingTxWitness
        );
    }
}
