// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A binary min-heap of exit priorities
/// @notice The root is at index 1; parent of i is i / 2. Where it moves a value it moves a hole instead, so that each
///         level costs one write. What lies beyond `size` means nothing: a removed priority stays there until the next
///         insert writes over it, which costs a quarter of a write into a cleared slot.
library ExitQueue {
    struct Data {
        /// @dev The contract through which clients read the heap; zero for a queue that does not exist.
        address window;
        uint64 size;
        mapping(uint256 index => uint256) heap;
    }

    /// @notice Adds a priority.
    function insert(Data storage queue, uint256 priority) internal {
        uint256 index;
        unchecked {
            index = uint256(queue.size) + 1;
        }
        queue.size = uint64(index);
        while (index > 1) {
            uint256 parent = index >> 1;
            uint256 above = queue.heap[parent];
            if (above <= priority) break;
            queue.heap[index] = above;
            index = parent;
        }
        queue.heap[index] = priority;
    }

    /// @notice Removes the smallest priority. The queue must not be empty.
    /// @return head The smallest one left, or zero.
    function removeMin(Data storage queue) internal returns (uint256 head) {
        uint256 size = queue.size;
        unchecked {
            queue.size = uint64(size - 1);
        }
        if (size == 1) return 0;
        uint256 last = queue.heap[size];
        unchecked {
            --size;
        }

        uint256 index = 1;
        while (true) {
            (uint256 child, uint256 least) = _leastChild(queue, index, size);
            if (child == 0 || last <= least) break;
            queue.heap[index] = least;
            if (index == 1) head = least;
            index = child;
        }
        queue.heap[index] = last;
        if (index == 1) head = last;
    }

    /// @dev The smaller child of `index` and its priority; child 0 when there is none.
    function _leastChild(Data storage queue, uint256 index, uint256 size)
        private
        view
        returns (uint256 child, uint256 least)
    {
        unchecked {
            uint256 left = 2 * index;
            if (left > size) return (0, 0);
            (child, least) = (left, queue.heap[left]);
            if (left < size) {
                uint256 right = queue.heap[left + 1];
                if (right < least) (child, least) = (left + 1, right);
            }
        }
    }
}
