// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {ExitPriority} from "../exits/ExitPriority.sol";
import {ExitGameRegistry} from "./ExitGameRegistry.sol";
import {ExitQueue} from "./ExitQueue.sol";
import {IExitProcessor} from "./IExitProcessor.sol";
import {IExitQueues, PriorityQueue} from "./PriorityQueue.sol";

/// @title Exit queues, finalized outputs and the mutex of all exit games
///
/// @notice A queue entry belongs to one incarnation of an exit. The priority has no room to say which (clients read its
///         bits), so an entry carries, beside the queue, the exit game that made it, the time the game says the exit
///         started, and the time the entry was made. Three independent rules follow:
///         1. `enqueue` refuses a time to leave that is less than one minimum exit period away;
///         2. `processExits` leaves an entry alone until one minimum exit period after it was made, whatever its
///            priority says;
///         3. the game gets the start time back and must treat an entry as void unless its record has the same one.
///         An exit can be started again only after its record is gone, which takes time; so (exit id, start time) never
///         names two incarnations, and an entry left over from one can do nothing to the next.
abstract contract ExitGameController is ExitGameRegistry, IExitQueues {
    using ExitPriority for uint256;
    using ExitQueue for ExitQueue.Data;

    struct Delegation {
        IExitProcessor processor;
        uint48 startedAt;
        uint48 queuedAt;
    }

    /// @notice The exit that finalized this output, or zero.
    mapping(bytes32 outputId => uint160 exitId) public outputsFinalizations;

    mapping(bytes32 key => Delegation) private _delegations;
    mapping(bytes32 key => ExitQueue.Data) private _queues;
    address private immutable QUEUE_WINDOW = address(new PriorityQueue());

    /// @dev Who is inside: an exit game, or the framework itself while it processes exits. Transient storage (EIP-1153)
    ///      costs 100 gas where a storage slot costs thousands, and can not stay locked beyond the transaction. A whole
    ///      word, which is written without being read.
    uint256 private transient _mutexHolder;

    event ExitQueueAdded(uint256 vaultId, address token);
    event ProcessedExitsNum(uint256 processedNum, uint256 vaultId, address token);
    event ExitQueued(uint160 indexed exitId, uint256 priority);

    error Reentrant(address holder);
    error NotMutexHolder(address caller);
    error VaultIdZeroForQueue();
    error ExitQueueExists(uint256 vaultId, address token);
    error ExitQueueNotFound(uint256 vaultId, address token);
    error ExitQueueEmpty(uint256 vaultId, address token);
    error TopExitIsAnother(uint160 topExitId, uint160 wanted);
    error ExitableTooEarly(uint256 exitableAt, uint256 earliest);
    error ExitableTooLate(uint256 exitableAt, uint256 limit);
    error StartInFuture(uint256 startedAt);
    error PriorityTaken(uint256 priority);
    error ExitIdZero();

    /// @notice Takes the mutex that all exit games and `processExits` share.
    /// @dev Only a registered exit game out of quarantine (NotASafeExitGame); reverts with Reentrant while it is taken.
    function activateNonReentrant() external onlySafeExitGame {
        _takeMutex(msg.sender);
    }

    /// @notice Gives the mutex back. Only its holder can (NotMutexHolder).
    function deactivateNonReentrant() external {
        if (_mutexHolder != uint160(msg.sender)) revert NotMutexHolder(msg.sender);
        _mutexHolder = 0;
    }

    /// @notice Opens the queue for a token. Anyone may; exits of a token need it.
    /// @dev Reverts with VaultIdZeroForQueue or ExitQueueExists. Emits ExitQueueAdded.
    /// @param token Zero for ETH.
    function addExitQueue(uint256 vaultId, address token) external {
        if (vaultId == 0) revert VaultIdZeroForQueue();
        bytes32 key = _queueKey(vaultId, token);
        ExitQueue.Data storage queue = _queues[key];
        if (queue.window != address(0)) revert ExitQueueExists(vaultId, token);
        queue.window = Clones.cloneWithImmutableArgs(QUEUE_WINDOW, abi.encode(key));
        emit ExitQueueAdded(vaultId, token);
    }

    /// @notice Puts an exit into a queue; the calling game will process it.
    /// @dev Only a registered exit game out of quarantine (NotASafeExitGame). Reverts with ExitQueueNotFound,
    ///      ExitableTooEarly, ExitableTooLate, StartInFuture, or PriorityTaken when the queue holds the same exit with
    ///      the same time. Emits ExitQueued.
    /// @param exitableAt Seconds; the exit may leave in any later second, at least minExitPeriod from now.
    /// @param txPos The transaction position that orders exits of equal time: blknum * 10^5 + txindex.
    /// @param startedAt Seconds; when this incarnation of the exit started. Handed back to the game.
    /// @return priority The entry's place in the queue, lower first.
    function enqueue(uint256 vaultId, address token, uint64 exitableAt, uint256 txPos, uint160 exitId, uint64 startedAt)
        external
        onlySafeExitGame
        returns (uint256 priority)
    {
        ExitQueue.Data storage queue = _existingQueue(vaultId, token);
        uint256 earliest = block.timestamp + minExitPeriod;
        if (exitableAt < earliest) revert ExitableTooEarly(exitableAt, earliest);
        if (exitableAt >= ExitPriority.EXITABLE_AT_LIMIT) {
            revert ExitableTooLate(exitableAt, ExitPriority.EXITABLE_AT_LIMIT);
        }
        if (startedAt > block.timestamp) revert StartInFuture(startedAt);

        priority = ExitPriority.encode(exitableAt, txPos, exitId);
        Delegation storage delegation = _delegations[_delegationKey(priority, vaultId, token)];
        if (address(delegation.processor) != address(0)) revert PriorityTaken(priority);
        delegation.processor = IExitProcessor(msg.sender);
        delegation.startedAt = uint48(startedAt);
        delegation.queuedAt = uint48(block.timestamp);
        queue.insert(priority);
        emit ExitQueued(exitId, priority);
    }

    /// @notice Processes exits that are due, in order. Anyone may.
    /// @dev An exit is due in any second after its time to leave. Reverts with ExitQueueNotFound, ExitQueueEmpty,
    ///      TopExitIsAnother or Reentrant. Emits ProcessedExitsNum, also when nothing was due.
    /// @param topExitId The exit the caller expects at the head, or zero for any.
    /// @param maxExitsToProcess Stops after so many.
    function processExits(uint256 vaultId, address token, uint160 topExitId, uint256 maxExitsToProcess) external {
        _takeMutex(address(this));
        ExitQueue.Data storage queue = _existingQueue(vaultId, token);
        if (queue.size == 0) revert ExitQueueEmpty(vaultId, token);
        uint256 head = queue.heap[1];
        if (topExitId != 0 && topExitId != head.exitIdOf()) revert TopExitIsAnother(head.exitIdOf(), topExitId);

        uint256 processedNum = 0;
        address trusted = address(0);
        // Priorities are never zero, so zero says that the queue has run empty.
        while (head != 0 && processedNum < maxExitsToProcess && head.exitableAtOf() < block.timestamp) {
            Delegation storage delegation = _delegations[_delegationKey(head, vaultId, token)];
            (address processor, uint64 startedAt, uint256 queuedAt) =
                (address(delegation.processor), delegation.startedAt, delegation.queuedAt);
            // Both terms lie far below 2^64.
            unchecked {
                if (queuedAt + minExitPeriod >= block.timestamp) break;
                ++processedNum;
            }
            assembly ("memory-safe") {
                sstore(delegation.slot, 0)
            }
            uint160 exitId = head.exitIdOf();
            head = queue.removeMin();
            if (processor != trusted) {
                trusted = processor;
                _trustProcessor(trusted);
            }
            IExitProcessor(processor).processExit(exitId, vaultId, token, startedAt);
        }
        emit ProcessedExitsNum(processedNum, vaultId, token);
        _mutexHolder = 0;
    }

    /// @notice Marks an output as paid out, for ever. The first exit to do so wins.
    /// @dev Only a registered exit game out of quarantine (NotASafeExitGame); reverts with ExitIdZero.
    /// @return flagged False when the output was marked before, by whatever exit.
    function flagOutputFinalized(bytes32 outputId, uint160 exitId) external returns (bool flagged) {
        if (!_isTrusted(msg.sender)) revert NotASafeExitGame(msg.sender);
        if (exitId == 0) revert ExitIdZero();
        if (outputsFinalizations[outputId] != 0) return false;
        outputsFinalizations[outputId] = exitId;
        return true;
    }

    /// @notice Whether the queue exists.
    function hasExitQueue(uint256 vaultId, address token) external view returns (bool) {
        return _queues[_queueKey(vaultId, token)].window != address(0);
    }

    /// @notice The window (PriorityQueue) of the queue with this key, keccak(vaultId as 32 bytes ‖ token), or zero.
    function exitsQueues(bytes32 queueKey) external view returns (address) {
        return _queues[queueKey].window;
    }

    /// @notice The heap of the queue with this key behind a leading zero; [0] for a queue that does not exist.
    function exitQueueHeap(bytes32 queueKey) external view returns (uint256[] memory heap) {
        ExitQueue.Data storage queue = _queues[queueKey];
        uint256 size = queue.size;
        heap = new uint256[](size + 1);
        for (uint256 i = 1; i <= size; ++i) {
            heap[i] = queue.heap[i];
        }
    }

    /// @notice The priority of the exit that leaves next. Reverts with ExitQueueNotFound or ExitQueueEmpty.
    function getNextExit(uint256 vaultId, address token) external view returns (uint256) {
        ExitQueue.Data storage queue = _existingQueue(vaultId, token);
        if (queue.size == 0) revert ExitQueueEmpty(vaultId, token);
        return queue.heap[1];
    }

    /// @notice The exit game that processes the entry with this key, keccak(priority ‖ vaultId ‖ token), or zero.
    function delegations(bytes32 key) external view returns (address) {
        return address(_delegations[key].processor);
    }

    /// @notice Whether the output was paid out.
    function isOutputFinalized(bytes32 outputId) public view returns (bool) {
        return outputsFinalizations[outputId] != 0;
    }

    /// @notice Whether one of the outputs was paid out.
    function isAnyOutputFinalized(bytes32[] calldata outputIds) external view returns (bool) {
        for (uint256 i = 0; i < outputIds.length; ++i) {
            if (isOutputFinalized(outputIds[i])) return true;
        }
        return false;
    }

    function _takeMutex(address holder) private {
        uint256 current = _mutexHolder;
        if (current != 0) revert Reentrant(address(uint160(current)));
        _mutexHolder = uint160(holder);
    }

    function _existingQueue(uint256 vaultId, address token) private view returns (ExitQueue.Data storage queue) {
        queue = _queues[_queueKey(vaultId, token)];
        if (queue.window == address(0)) revert ExitQueueNotFound(vaultId, token);
    }

    function _queueKey(uint256 vaultId, address token) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(vaultId, token));
    }

    /// @dev keccak(priority as 32 bytes ‖ vaultId as 32 bytes ‖ token), in memory that nobody has claimed.
    function _delegationKey(uint256 priority, uint256 vaultId, address token) private pure returns (bytes32 key) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, priority)
            mstore(add(free, 0x20), vaultId)
            mstore(add(free, 0x40), shl(96, token))
            key := keccak256(free, 0x54)
        }
    }
}
