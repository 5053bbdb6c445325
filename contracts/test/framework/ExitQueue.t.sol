// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ExitQueue} from "../../src/framework/ExitQueue.sol";
import {bound, vm} from "../kit/Vm.sol";

/// @title The heap against a sorted list
contract ExitQueueTest {
    using ExitQueue for ExitQueue.Data;

    ExitQueue.Data private queue;

    function testFuzz_priorities_leave_in_order(uint256[] calldata priorities) public {
        uint256 count = bound(priorities.length, 0, 40);
        if (count > priorities.length) count = priorities.length;
        for (uint256 i = 0; i < count; ++i) {
            queue.insert(priorities[i] | 1);
            checkHeap();
        }
        uint256 before = 0;
        for (uint256 left = count; left > 0; --left) {
            uint256 least = queue.heap[1];
            vm.assertGe(least, before);
            before = least;
            uint256 next = queue.removeMin();
            vm.assertEq(queue.size, left - 1);
            vm.assertEq(next, left == 1 ? 0 : queue.heap[1]);
            checkHeap();
        }
    }

    function testFuzz_mixed_inserts_and_removals_keep_the_least_on_top(uint256 seed, uint8 steps) public {
        uint256[] memory model = new uint256[](256);
        uint256 size = 0;
        for (uint256 i = 0; i < steps; ++i) {
            uint256 r = uint256(keccak256(abi.encode(seed, i)));
            if (size == 0 || r % 3 != 0) {
                uint256 priority = (r >> 8) % 1000 + 1;
                queue.insert(priority);
                model[size++] = priority;
            } else {
                uint256 least = leastOf(model, size);
                vm.assertEq(queue.heap[1], model[least]);
                model[least] = model[--size];
                queue.removeMin();
            }
            vm.assertEq(queue.size, size);
            if (size != 0) vm.assertEq(queue.heap[1], model[leastOf(model, size)]);
        }
    }

    function test_a_long_queue_stays_affordable() public {
        // Whoever fills a queue with exits to make others pay for its length buys twelve levels with 4096 bonds.
        for (uint256 i = 0; i < 4096; ++i) {
            queue.insert(1_000_000 + i);
        }
        uint256 before = gasleft();
        queue.insert(1);
        vm.assertLt(before - gasleft(), 120_000);
        before = gasleft();
        queue.removeMin();
        vm.assertLt(before - gasleft(), 150_000);
    }

    function test_what_lies_beyond_the_end_means_nothing() public {
        // Slots are not cleared: the next insert into them is cheaper. Smaller numbers there must not come back.
        for (uint256 i = 10; i > 0; --i) {
            queue.insert(i);
        }
        for (uint256 i = 0; i < 10; ++i) {
            queue.removeMin();
        }
        vm.assertEq(queue.size, 0);
        for (uint256 i = 0; i < 10; ++i) {
            queue.insert(100 - i);
            vm.assertEq(queue.heap[1], 100 - i);
        }
        for (uint256 i = 0; i < 9; ++i) {
            vm.assertEq(queue.removeMin(), 92 + i);
        }
        vm.assertEq(queue.removeMin(), 0);
    }

    function checkHeap() private view {
        for (uint256 i = 2; i <= queue.size; ++i) {
            vm.assertLe(queue.heap[i / 2], queue.heap[i]);
        }
    }

    function leastOf(uint256[] memory model, uint256 size) private pure returns (uint256 least) {
        for (uint256 i = 1; i < size; ++i) {
            if (model[i] < model[least]) least = i;
        }
    }
}
