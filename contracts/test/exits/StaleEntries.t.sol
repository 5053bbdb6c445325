// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ExitGameBase} from "../../src/exits/payment/ExitGameBase.sol";
import {StandardExits} from "../../src/exits/payment/StandardExits.sol";
import {ExitGameController} from "../../src/framework/ExitGameController.sol";
import {IExitProcessor} from "../../src/framework/IExitProcessor.sol";
import {PlasmaFramework} from "../../src/framework/PlasmaFramework.sol";
import {TestChain} from "../kit/TestChain.sol";
import {clock, skip, vm} from "../kit/Vm.sol";

/// @dev The least a game can be: it queues exits and remembers which start times it was asked to pay.
contract ForgetfulGame is IExitProcessor {
    PlasmaFramework private immutable FRAMEWORK;
    uint64[] public asked;

    constructor(PlasmaFramework framework_) {
        FRAMEWORK = framework_;
    }

    function enqueue(address token, uint160 exitId, uint64 exitableAt) external {
        FRAMEWORK.enqueue(5, token, exitableAt, 1, exitId, uint64(block.timestamp));
    }

    function processExit(uint160, uint256, address, uint64 startedAt) external override {
        asked.push(startedAt);
    }
}

/// @title A queue entry belongs to one incarnation of an exit
///
/// @notice The story. An exit queue orders exits by a number made of a time, a position and an exit id, and the number
/// says nothing about which start of the exit made the entry. In such a design two things have gone wrong:
///
/// A. "Is it queued already?" was judged by what the exit looks like now, not remembered. After a challenge the exit
///    looked unqueued, was queued once more, and either collided with its own entry (so that honest people could not
///    join) or stood in the queue twice.
/// B. An exit was deleted, its entry stayed, and the exit was started again. The entry's time had long passed: the new
///    exit was paid in the very second of its start, before anybody could challenge it. With several tokens it was
///    enough that one token's entry finished the exit and another token's entry stayed.
///
/// Which invariants hold now:
/// 1. A record lives as long as its entry, so there is no second start to mix up (by design).
/// 2. The entry carries the start time it was made for; a record with another start time is left alone.
/// 3. The framework leaves an entry alone until one period after it was made, and the game until one period after its
///    record was, whatever the priority says.
contract StaleEntriesTest is TestChain {
    Utxo private utxo;
    uint160 private exitId;

    function setUp() public override {
        super.setUp();
        utxo = depositEth(alice, 1 ether);
        exitId = startExit(utxo);
    }

    // --- 1: by design ---

    function test_while_an_entry_waits_its_exit_can_not_start_again() public {
        StandardExits.StartStandardExitArgs memory args = startArgs(utxo);
        bytes memory refusal = abi.encodeWithSelector(ExitGameBase.ExitStartedBefore.selector, exitId);
        challenge(utxo, "alice", carol);
        vm.expectRevert(refusal);
        vm.prank(alice);
        game.startStandardExit{value: SE_BOND}(args);
        skip(20 * MIN_EXIT_PERIOD);
        vm.expectRevert(refusal);
        vm.prank(alice);
        game.startStandardExit{value: SE_BOND}(args);
        vm.assertEq(queueLength(), 1);
    }

    function test_a_restarted_exit_waits_its_whole_period_again() public {
        challenge(utxo, "alice", carol);
        skip(20 * MIN_EXIT_PERIOD);
        processEth(10);
        vm.assertEq(queueLength(), 0);
        startExit(utxo);
        vm.assertEq(queueLength(), 1);
        // In the second of the restart, and until the very end of the period, nothing is paid.
        processEth(10);
        skip(MIN_EXIT_PERIOD);
        processEth(10);
        vm.assertEq(address(ethVault).balance, 1 ether);
        challenge(utxo, "alice", carol);
        skip(1);
        processEth(10);
        vm.assertEq(address(ethVault).balance, 1 ether);
    }

    // --- 2: the entry names its incarnation ---

    function test_an_entry_of_an_earlier_start_does_nothing_to_a_later_one() public {
        uint64 firstStart = uint64(clock());
        challenge(utxo, "alice", carol);
        skip(2 * MIN_EXIT_PERIOD);
        processEth(1);
        startExit(utxo);
        skip(2 * MIN_EXIT_PERIOD);
        // As if the first start's entry had stayed in the queue.
        vm.expectEmit(address(game));
        emit StandardExits.ExitOmitted(exitId);
        vm.prank(address(framework));
        game.processExit(exitId, ETH_VAULT_ID, ETH, firstStart);
        vm.assertTrue(exitOf(exitId).exitable);
        vm.assertEq(address(game).balance, SE_BOND);
        vm.assertEq(address(ethVault).balance, 1 ether);
        // Its own entry pays it.
        processEth(1);
        vm.assertEq(address(ethVault).balance, 0);
    }

    function test_an_entry_of_an_exit_that_is_gone_does_nothing() public {
        uint64 start = uint64(clock());
        skip(2 * MIN_EXIT_PERIOD);
        processEth(1);
        depositEth(bob, 1 ether);
        vm.prank(address(framework));
        game.processExit(exitId, ETH_VAULT_ID, ETH, start);
        vm.assertEq(address(ethVault).balance, 1 ether);
    }

    function test_each_entry_brings_back_its_own_start_time() public {
        // Two tokens and two starts of one exit, as an in-flight exit has them.
        ForgetfulGame forgetful = new ForgetfulGame(framework);
        vm.prank(maintainer);
        framework.registerExitGame(7, address(forgetful), 2);
        framework.addExitQueue(5, address(1));
        framework.addExitQueue(5, address(2));
        skip(4 * MIN_EXIT_PERIOD);
        uint64 first = uint64(clock());
        uint64 exitableAt = first + uint64(2 * MIN_EXIT_PERIOD);
        forgetful.enqueue(address(1), 9, exitableAt);
        forgetful.enqueue(address(2), 9, exitableAt);
        skip(1);
        forgetful.enqueue(address(2), 9, exitableAt + 1);
        skip(2 * MIN_EXIT_PERIOD + 1);
        framework.processExits(5, address(1), 0, 10);
        framework.processExits(5, address(2), 0, 10);
        vm.assertEq(forgetful.asked(0), first);
        vm.assertEq(forgetful.asked(1), first);
        vm.assertEq(forgetful.asked(2), first + 1);
    }

    function test_the_same_exit_with_the_same_time_is_queued_once() public {
        ForgetfulGame forgetful = new ForgetfulGame(framework);
        vm.prank(maintainer);
        framework.registerExitGame(7, address(forgetful), 2);
        framework.addExitQueue(5, address(1));
        skip(4 * MIN_EXIT_PERIOD);
        uint64 exitableAt = uint64(clock() + 2 * MIN_EXIT_PERIOD);
        forgetful.enqueue(address(1), 9, exitableAt);
        skip(MIN_EXIT_PERIOD / 2);
        uint256 priority = uint256(exitableAt) << 214 | uint256(1) << 160 | 9;
        vm.expectRevert(abi.encodeWithSelector(ExitGameController.PriorityTaken.selector, priority));
        forgetful.enqueue(address(1), 9, exitableAt);
    }

    // --- 3: nothing before its own period, whatever the queue says ---

    function test_the_game_pays_nothing_before_a_period_after_the_start() public {
        uint64 start = uint64(clock());
        uint256 dueAfter = start + MIN_EXIT_PERIOD;
        vm.warp(dueAfter);
        vm.expectRevert(abi.encodeWithSelector(ExitGameBase.ExitNotDue.selector, exitId, dueAfter));
        vm.prank(address(framework));
        game.processExit(exitId, ETH_VAULT_ID, ETH, start);
        vm.warp(dueAfter + 1);
        vm.prank(address(framework));
        game.processExit(exitId, ETH_VAULT_ID, ETH, start);
        vm.assertEq(address(ethVault).balance, 0);
    }

    function test_the_framework_processes_nothing_before_a_period_after_it_was_queued() public {
        // Forge what no game can make: an entry whose priority says it was due long ago.
        uint256 priority = framework.getNextExit(ETH_VAULT_ID, ETH);
        uint256 forged = priority & ((1 << 214) - 1) | uint256(1) << 214;
        bytes32 entry = loadSlot(delegationSlot(priority));
        vm.store(address(framework), delegationSlot(forged), entry);
        vm.store(address(framework), headSlot(), bytes32(forged));
        vm.assertEq(framework.getNextExit(ETH_VAULT_ID, ETH), forged);

        processEth(10);
        skip(MIN_EXIT_PERIOD);
        processEth(10);
        vm.assertEq(queueLength(), 1);
        vm.assertEq(address(ethVault).balance, 1 ether);
        skip(1);
        processEth(10);
        vm.assertEq(queueLength(), 0);
        vm.assertEq(address(ethVault).balance, 0);
    }

    // --- helpers ---

    function queueLength() private view returns (uint256) {
        bytes32 key = keccak256(abi.encodePacked(ETH_VAULT_ID, ETH));
        return framework.exitQueueHeap(key).length - 1;
    }

    function loadSlot(bytes32 slot) private view returns (bytes32) {
        return vm.load(address(framework), slot);
    }

    function headSlot() private returns (bytes32) {
        vm.record();
        framework.getNextExit(ETH_VAULT_ID, ETH);
        return lastRead();
    }

    function delegationSlot(uint256 priority) private returns (bytes32) {
        vm.record();
        framework.delegations(keccak256(abi.encodePacked(priority, ETH_VAULT_ID, ETH)));
        return lastRead();
    }

    function lastRead() private returns (bytes32) {
        (bytes32[] memory reads,) = vm.accesses(address(framework));
        return reads[reads.length - 1];
    }
}
