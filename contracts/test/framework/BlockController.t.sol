// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BlockController} from "../../src/framework/BlockController.sol";
import {PlasmaFramework} from "../../src/framework/PlasmaFramework.sol";
import {VaultRegistry} from "../../src/framework/VaultRegistry.sol";
import {TestChain} from "../kit/TestChain.sol";
import {clock, skip, vm} from "../kit/Vm.sol";

contract BlockControllerTest is TestChain {
    bytes32 private constant ROOT = keccak256("root");

    function test_blocks_count_in_thousands() public {
        for (uint256 n = 1; n <= 9; ++n) {
            vm.warp(GENESIS + n * 15);
            vm.assertEq(framework.nextChildBlock(), n * 1000);
            vm.expectEmit(address(framework));
            emit BlockController.BlockSubmitted(n * 1000);
            vm.assertEq(submit(bytes32(n)), n * 1000);
        }
        // Four times share a word of storage; each must read back alone.
        for (uint256 n = 1; n <= 9; ++n) {
            checkBlock(n * 1000, bytes32(n), GENESIS + n * 15);
            vm.assertFalse(framework.isDeposit(n * 1000));
        }
    }

    function test_deposit_blocks_count_between_them() public {
        for (uint256 interval = 0; interval < 3; ++interval) {
            for (uint256 n = 1; n <= 6; ++n) {
                skip(7);
                uint256 blknum = interval * 1000 + n;
                vm.assertEq(framework.nextDepositBlock(), blknum);
                vm.assertEq(framework.nextDeposit(), n);
                vm.assertEq(submitDeposit(bytes32(blknum)), blknum);
                checkBlock(blknum, bytes32(blknum), clock());
                vm.assertTrue(framework.isDeposit(blknum));
            }
            submit(ROOT);
            vm.assertEq(framework.nextDeposit(), 1);
        }
        checkBlock(1003, bytes32(uint256(1003)), GENESIS + 9 * 7);
    }

    function testFuzz_no_block_changes_another(uint256 seed) public {
        uint256[24] memory numbers;
        uint256[24] memory times;
        for (uint256 i = 0; i < 24; ++i) {
            uint256 r = uint256(keccak256(abi.encode(seed, i)));
            skip(r % 1000);
            times[i] = clock();
            numbers[i] = r % 2048 < 1024 ? submit(bytes32(i + 1)) : submitDeposit(bytes32(i + 1));
        }
        for (uint256 i = 0; i < 24; ++i) {
            checkBlock(numbers[i], bytes32(i + 1), times[i]);
        }
    }

    function test_999_deposits_fit_between_two_blocks_and_no_more() public {
        for (uint256 n = 1; n <= 999; ++n) {
            submitDeposit(ROOT);
        }
        vm.expectRevert(abi.encodeWithSelector(BlockController.DepositLimitReached.selector, 999));
        submitDeposit(ROOT);
        submit(ROOT);
        vm.assertEq(submitDeposit(ROOT), 1001);
    }

    function test_only_the_authority_submits_and_activates() public {
        address[3] memory others = [maintainer, deployer, mallory];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(BlockController.NotAuthority.selector, others[i]));
            vm.prank(others[i]);
            framework.submitBlock(ROOT);
            vm.expectRevert(abi.encodeWithSelector(BlockController.NotAuthority.selector, others[i]));
            vm.prank(others[i]);
            framework.activateChildChain();
        }
    }

    function test_only_a_vault_submits_deposits() public {
        address[3] memory others = [authority, maintainer, address(game)];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(VaultRegistry.NotASafeVault.selector, others[i]));
            vm.prank(others[i]);
            framework.submitDepositBlock(ROOT);
        }
    }

    function test_nothing_happens_before_activation_and_that_happens_once() public {
        PlasmaFramework fresh = new PlasmaFramework(MIN_EXIT_PERIOD, 2, 2, authority, maintainer);
        vm.assertFalse(fresh.isChildChainActivated());
        vm.prank(maintainer);
        fresh.registerVault(1, address(ethVault));
        vm.expectRevert(BlockController.ChildChainNotActivated.selector);
        vm.prank(authority);
        fresh.submitBlock(ROOT);
        vm.expectRevert(BlockController.ChildChainNotActivated.selector);
        vm.prank(address(ethVault));
        fresh.submitDepositBlock(ROOT);

        vm.expectEmit(address(fresh));
        emit BlockController.ChildChainActivated(authority);
        vm.prank(authority);
        fresh.activateChildChain();
        vm.assertTrue(fresh.isChildChainActivated());
        vm.expectRevert(BlockController.ChildChainActivatedBefore.selector);
        vm.prank(authority);
        fresh.activateChildChain();
    }

    function testFuzz_a_block_that_does_not_exist_is_all_zero_and_no_deposit(uint256 blknum) public {
        (bytes32 root, uint256 timestamp) = framework.blocks(blknum);
        vm.assertEq(root, bytes32(0));
        vm.assertEq(timestamp, 0);
        vm.expectRevert(abi.encodeWithSelector(BlockController.BlockNotFound.selector, blknum));
        framework.isDeposit(blknum);
    }

    function test_the_interval_is_1000() public view {
        vm.assertEq(framework.CHILD_BLOCK_INTERVAL(), 1000);
        vm.assertEq(framework.childBlockInterval(), 1000);
        vm.assertEq(framework.authority(), authority);
    }

    function checkBlock(uint256 blknum, bytes32 root, uint256 timestamp) private view {
        (bytes32 storedRoot, uint256 storedTimestamp) = framework.blocks(blknum);
        vm.assertEq(storedRoot, root);
        vm.assertEq(storedTimestamp, timestamp);
    }

    function submitDeposit(bytes32 root) private returns (uint256) {
        vm.prank(address(ethVault));
        return framework.submitDepositBlock(root);
    }
}
