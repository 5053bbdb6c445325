// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ExitGameController} from "../../src/framework/ExitGameController.sol";
import {ExitGameRegistry} from "../../src/framework/ExitGameRegistry.sol";
import {IExitProcessor} from "../../src/framework/IExitProcessor.sol";
import {PlasmaFramework} from "../../src/framework/PlasmaFramework.sol";
import {PriorityQueue} from "../../src/framework/PriorityQueue.sol";
import {TestChain} from "../kit/TestChain.sol";
import {bound, clock, vm} from "../kit/Vm.sol";

/// @dev An exit game that writes down what it is asked to process, and can misbehave.
contract RecordingGame is IExitProcessor {
    struct Call {
        uint160 exitId;
        uint256 vaultId;
        address token;
        uint64 startedAt;
    }

    PlasmaFramework private immutable FRAMEWORK;
    Call[] public calls;
    bytes public reenterWith;

    constructor(PlasmaFramework framework_) {
        FRAMEWORK = framework_;
    }

    function setReenterWith(bytes calldata data) external {
        reenterWith = data;
    }

    function enqueue(uint256 vaultId, address token, uint64 exitableAt, uint256 txPos, uint160 exitId)
        external
        returns (uint256)
    {
        return FRAMEWORK.enqueue(vaultId, token, exitableAt, txPos, exitId, uint64(block.timestamp));
    }

    function processExit(uint160 exitId, uint256 vaultId, address token, uint64 startedAt) external override {
        calls.push(Call(exitId, vaultId, token, startedAt));
        if (reenterWith.length == 0) return;
        (bool success, bytes memory reason) = address(FRAMEWORK).call(reenterWith);
        if (!success) {
            assembly {
                revert(add(reason, 32), mload(reason))
            }
        }
    }

    function count() external view returns (uint256) {
        return calls.length;
    }
}

contract ExitGameControllerTest is TestChain {
    uint256 private constant VAULT = 5;
    address private constant TOKEN = address(0x70CE);

    RecordingGame private recorder;

    function setUp() public override {
        super.setUp();
        recorder = new RecordingGame(framework);
        vm.prank(maintainer);
        framework.registerExitGame(7, address(recorder), 2);
        vm.warp(GENESIS + 4 * MIN_EXIT_PERIOD);
        framework.addExitQueue(VAULT, TOKEN);
    }

    // --- queues ---

    function test_anyone_opens_a_queue_once() public {
        vm.assertFalse(framework.hasExitQueue(1, TOKEN));
        vm.expectEmit(address(framework));
        emit ExitGameController.ExitQueueAdded(1, TOKEN);
        vm.prank(mallory);
        framework.addExitQueue(1, TOKEN);
        vm.assertTrue(framework.hasExitQueue(1, TOKEN));
        vm.expectRevert(abi.encodeWithSelector(ExitGameController.ExitQueueExists.selector, 1, TOKEN));
        framework.addExitQueue(1, TOKEN);
        vm.expectRevert(ExitGameController.VaultIdZeroForQueue.selector);
        framework.addExitQueue(0, TOKEN);
    }

    function test_clients_find_the_heap_through_the_queues_address() public {
        PriorityQueue window = PriorityQueue(framework.exitsQueues(queueKey(VAULT, TOKEN)));
        vm.assertEq(window.heapList().length, 1);
        vm.assertEq(window.currentSize(), 0);
        uint256 first = enqueue(2, 1);
        uint256 second = enqueue(1, 2);
        uint256[] memory heap = window.heapList();
        vm.assertEq(heap.length, 3);
        vm.assertEq(heap[0], 0);
        vm.assertEq(heap[1], second);
        vm.assertEq(heap[2], first);
        vm.assertEq(window.currentSize(), 2);
        vm.assertEq(window.framework(), address(framework));
        // The bits clients read: 42 time, 54 position, 160 exit id.
        vm.assertEq(heap[1] >> 214, clock() + MIN_EXIT_PERIOD);
        vm.assertEq(heap[1] >> 160 & (1 << 54) - 1, 1);
        vm.assertEq(uint160(heap[1]), 2);
        vm.assertEq(framework.getNextExit(VAULT, TOKEN), second);
    }

    function test_two_queues_show_different_heaps() public {
        framework.addExitQueue(VAULT, ETH);
        enqueue(1, 1);
        address other = framework.exitsQueues(queueKey(VAULT, ETH));
        vm.assertNotEq(other, framework.exitsQueues(queueKey(VAULT, TOKEN)));
        vm.assertEq(PriorityQueue(other).currentSize(), 0);
        vm.assertEq(framework.exitsQueues(queueKey(VAULT + 1, ETH)), address(0));
    }

    function test_a_queue_that_is_missing_or_empty_says_so() public {
        bytes memory missing = abi.encodeWithSelector(ExitGameController.ExitQueueNotFound.selector, 77, TOKEN);
        vm.expectRevert(missing);
        framework.getNextExit(77, TOKEN);
        vm.expectRevert(missing);
        framework.processExits(77, TOKEN, 0, 1);
        vm.expectRevert(missing);
        recorder.enqueue(77, TOKEN, soon(), 1, 1);
        bytes memory empty = abi.encodeWithSelector(ExitGameController.ExitQueueEmpty.selector, VAULT, TOKEN);
        vm.expectRevert(empty);
        framework.getNextExit(VAULT, TOKEN);
        vm.expectRevert(empty);
        framework.processExits(VAULT, TOKEN, 0, 1);
    }

    // --- enqueue ---

    function test_an_entry_names_its_processor() public {
        vm.expectEmit(address(framework));
        emit ExitGameController.ExitQueued(9, uint256(soon()) << 214 | uint256(3) << 160 | 9);
        uint256 priority = recorder.enqueue(VAULT, TOKEN, soon(), 3, 9);
        bytes32 key = keccak256(abi.encodePacked(priority, VAULT, TOKEN));
        vm.assertEq(framework.delegations(key), address(recorder));
        vm.assertEq(framework.delegations(bytes32(0)), address(0));
    }

    function test_only_a_safe_exit_game_enqueues_flags_and_locks() public {
        bytes memory refusal = abi.encodeWithSelector(ExitGameRegistry.NotASafeExitGame.selector, mallory);
        vm.startPrank(mallory);
        vm.expectRevert(refusal);
        framework.enqueue(VAULT, TOKEN, soon(), 1, 1, 1);
        vm.expectRevert(refusal);
        framework.flagOutputFinalized(bytes32(uint256(1)), 1);
        vm.expectRevert(refusal);
        framework.activateNonReentrant();
        vm.stopPrank();
    }

    function testFuzz_no_entry_is_made_less_than_a_period_ahead(uint64 exitableAt) public {
        uint256 earliest = clock() + MIN_EXIT_PERIOD;
        exitableAt = uint64(bound(exitableAt, 0, earliest - 1));
        vm.expectRevert(abi.encodeWithSelector(ExitGameController.ExitableTooEarly.selector, exitableAt, earliest));
        recorder.enqueue(VAULT, TOKEN, exitableAt, 1, 1);
    }

    function testFuzz_no_time_loses_bits_in_the_priority(uint64 exitableAt) public {
        exitableAt = uint64(bound(exitableAt, 1 << 42, type(uint64).max));
        vm.expectRevert(abi.encodeWithSelector(ExitGameController.ExitableTooLate.selector, exitableAt, 1 << 42));
        recorder.enqueue(VAULT, TOKEN, exitableAt, 1, 1);
    }

    function test_an_exit_can_not_claim_to_start_in_the_future() public {
        uint64 future = uint64(clock() + 1);
        vm.expectRevert(abi.encodeWithSelector(ExitGameController.StartInFuture.selector, future));
        vm.prank(address(recorder));
        framework.enqueue(VAULT, TOKEN, soon(), 1, 1, future);
    }

    function test_the_same_entry_can_not_be_made_twice() public {
        uint256 priority = enqueue(1, 1);
        vm.expectRevert(abi.encodeWithSelector(ExitGameController.PriorityTaken.selector, priority));
        enqueue(1, 1);
        // The same exit may wait in the queue of another token.
        framework.addExitQueue(VAULT, ETH);
        recorder.enqueue(VAULT, ETH, soon(), 1, 1);
    }

    // --- processing ---

    function test_an_exit_is_due_strictly_after_its_time() public {
        enqueue(1, 1);
        uint256 exitableAt = soon();
        vm.warp(exitableAt);
        process(10);
        vm.assertEq(recorder.count(), 0);
        vm.warp(exitableAt + 1);
        process(10);
        checkCall(0, 1, exitableAt - MIN_EXIT_PERIOD);
        vm.assertEq(recorder.count(), 1);
        bytes32 key = keccak256(abi.encodePacked(uint256(soon()) << 214 | uint256(1) << 160 | 1, VAULT, TOKEN));
        vm.assertEq(framework.delegations(key), address(0));
    }

    function test_a_time_later_than_the_period_is_strict_as_well() public {
        uint64 exitableAt = soon() + 1000;
        recorder.enqueue(VAULT, TOKEN, exitableAt, 1, 1);
        vm.warp(exitableAt);
        process(10);
        vm.assertEq(recorder.count(), 0);
        vm.warp(exitableAt + 1);
        process(10);
        vm.assertEq(recorder.count(), 1);
    }

    function test_processing_stops_at_the_wanted_number_and_counts() public {
        for (uint160 i = 1; i <= 5; ++i) {
            enqueue(i, i);
        }
        vm.warp(soon() + 1);
        expectProcessed(2);
        process(2);
        expectProcessed(3);
        process(100);
        vm.assertEq(recorder.count(), 5);
        for (uint160 i = 0; i < 5; ++i) {
            (uint160 exitId,,,) = recorder.calls(i);
            vm.assertEq(exitId, i + 1);
        }
    }

    function test_processing_nothing_is_no_error() public {
        enqueue(1, 1);
        expectProcessed(0);
        process(10);
        vm.warp(soon() + 1);
        expectProcessed(0);
        process(0);
    }

    function test_the_caller_may_insist_on_the_top_exit() public {
        enqueue(1, 11);
        enqueue(2, 22);
        vm.warp(soon() + 1);
        vm.expectRevert(abi.encodeWithSelector(ExitGameController.TopExitIsAnother.selector, 11, 22));
        framework.processExits(VAULT, TOKEN, 22, 1);
        framework.processExits(VAULT, TOKEN, 11, 1);
        framework.processExits(VAULT, TOKEN, 22, 1);
        vm.assertEq(recorder.count(), 2);
    }

    function testFuzz_exits_leave_by_time_then_position_then_id(uint256 seed, uint8 count) public {
        count = uint8(bound(count, 1, 30));
        for (uint256 i = 0; i < count; ++i) {
            uint256 r = uint256(keccak256(abi.encode(seed, i)));
            recorder.enqueue(VAULT, TOKEN, soon() + uint64(r % 3), (r >> 8) % 4, uint160(uint256(r >> 96) | 1));
        }
        vm.warp(soon() + 3);
        uint256 before = 0;
        for (uint256 i = 0; i < count; ++i) {
            uint256 next = framework.getNextExit(VAULT, TOKEN);
            vm.assertGt(next, before);
            before = next;
            process(1);
            (uint160 exitId,,,) = recorder.calls(i);
            vm.assertEq(exitId, uint160(next));
        }
    }

    // --- the mutex ---

    function test_everything_behind_the_mutex_refuses_a_second_entry() public {
        enqueue(1, 1);
        vm.warp(soon() + 1);
        bytes memory inside = abi.encodeWithSelector(ExitGameController.Reentrant.selector, address(framework));
        recorder.setReenterWith(abi.encodeCall(framework.processExits, (VAULT, TOKEN, 0, 1)));
        vm.expectRevert(inside);
        process(1);
        recorder.setReenterWith(abi.encodeCall(framework.activateNonReentrant, ()));
        vm.expectRevert(inside);
        process(1);
        recorder.setReenterWith(abi.encodeCall(framework.deactivateNonReentrant, ()));
        vm.expectRevert(abi.encodeWithSelector(ExitGameController.NotMutexHolder.selector, address(recorder)));
        process(1);
        recorder.setReenterWith("");
        process(1);
        vm.assertEq(recorder.count(), 1);
    }

    function test_the_mutex_is_free_again_after_each_use() public {
        enqueue(1, 1);
        process(1);
        process(1);
        vm.startPrank(address(game));
        framework.activateNonReentrant();
        framework.deactivateNonReentrant();
        framework.activateNonReentrant();
        vm.expectRevert(abi.encodeWithSelector(ExitGameController.Reentrant.selector, address(game)));
        framework.activateNonReentrant();
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(ExitGameController.Reentrant.selector, address(game)));
        process(1);
        vm.expectRevert(abi.encodeWithSelector(ExitGameController.NotMutexHolder.selector, address(recorder)));
        vm.prank(address(recorder));
        framework.deactivateNonReentrant();
        vm.prank(address(game));
        framework.deactivateNonReentrant();
        process(1);
    }

    // --- finalized outputs ---

    function test_the_first_exit_to_flag_an_output_wins() public {
        bytes32 output = keccak256("output");
        vm.assertFalse(framework.isOutputFinalized(output));
        vm.prank(address(game));
        vm.assertTrue(framework.flagOutputFinalized(output, 5));
        vm.prank(address(recorder));
        vm.assertFalse(framework.flagOutputFinalized(output, 6));
        vm.assertTrue(framework.isOutputFinalized(output));
        vm.assertEq(framework.outputsFinalizations(output), 5);
        bytes32[] memory outputs = new bytes32[](2);
        outputs[0] = keccak256("another");
        vm.assertFalse(framework.isAnyOutputFinalized(outputs));
        outputs[1] = output;
        vm.assertTrue(framework.isAnyOutputFinalized(outputs));
        vm.assertFalse(framework.isAnyOutputFinalized(new bytes32[](0)));
    }

    function test_no_output_is_flagged_by_exit_0() public {
        vm.expectRevert(ExitGameController.ExitIdZero.selector);
        vm.prank(address(game));
        framework.flagOutputFinalized(bytes32(uint256(1)), 0);
    }

    // --- helpers ---

    function soon() private view returns (uint64) {
        return uint64(clock() + MIN_EXIT_PERIOD);
    }

    function enqueue(uint256 txPos, uint160 exitId) private returns (uint256) {
        return recorder.enqueue(VAULT, TOKEN, soon(), txPos, exitId);
    }

    function process(uint256 max) private {
        framework.processExits(VAULT, TOKEN, 0, max);
    }

    function expectProcessed(uint256 count) private {
        vm.expectEmit(address(framework));
        emit ExitGameController.ProcessedExitsNum(count, VAULT, TOKEN);
    }

    function checkCall(uint256 i, uint160 exitId, uint256 startedAt) private view {
        (uint160 calledId, uint256 vaultId, address calledToken, uint64 calledStart) = recorder.calls(i);
        vm.assertEq(calledId, exitId);
        vm.assertEq(vaultId, VAULT);
        vm.assertEq(calledToken, TOKEN);
        vm.assertEq(calledStart, startedAt);
    }

    function queueKey(uint256 vaultId, address currency) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(vaultId, currency));
    }
}
