// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

/// @title What a queue's window asks of the framework
interface IExitQueues {
    function exitQueueHeap(bytes32 queueKey) external view returns (uint256[] memory);
}

/// @title The window to one exit queue
/// @notice Clients look a queue's address up in `exitsQueues` and read `heapList()` there. The queue itself lies in
///         the framework's storage, where adding to it takes no call; this contract only shows it. The framework
///         deploys it once and a minimal clone, with the queue's key in its code, for each queue.
contract PriorityQueue {
    /// @notice The framework that holds the queue.
    address public immutable framework = msg.sender;

    /// @notice The heap as it lies in storage, behind a leading zero: element i has the children 2i and 2i + 1.
    function heapList() public view returns (uint256[] memory) {
        return IExitQueues(framework).exitQueueHeap(bytes32(Clones.fetchCloneArgs(address(this))));
    }

    /// @notice The number of exits in the queue.
    function currentSize() external view returns (uint256) {
        return heapList().length - 1;
    }
}
