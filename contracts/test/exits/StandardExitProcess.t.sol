// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BondSize} from "../../src/exits/BondSize.sol";
import {SpendingConditionRegistry} from "../../src/exits/conditions/SpendingConditionRegistry.sol";
import {ExitGameBase} from "../../src/exits/payment/ExitGameBase.sol";
import {PaymentExitGame} from "../../src/exits/payment/PaymentExitGame.sol";
import {
    PaymentTransactionStateTransitionVerifier
} from "../../src/exits/payment/PaymentTransactionStateTransitionVerifier.sol";
import {StandardExits} from "../../src/exits/payment/StandardExits.sol";
import {ExitGameController} from "../../src/framework/ExitGameController.sol";
import {IPlasmaFramework} from "../../src/framework/IPlasmaFramework.sol";
import {EthVault} from "../../src/vaults/EthVault.sol";
import {TestChain} from "../kit/TestChain.sol";
import {clock, skip, vm} from "../kit/Vm.sol";

/// @title The end of a standard exit, and the game around it
contract StandardExitProcessTest is TestChain {
    function test_an_unchallenged_exit_pays_output_and_bond() public {
        Utxo memory utxo = includePayment(depositEth(alice, 1 ether), bob);
        uint160 exitId = startExit(utxo);
        uint256 before = bob.balance;
        warpPastExit();
        vm.expectEmit(address(ethVault));
        emit EthVault.EthWithdrawn(bob, 1 ether);
        vm.expectEmit(address(game));
        emit StandardExits.ExitFinalized(exitId);
        vm.expectEmit(address(framework));
        emit ExitGameController.ProcessedExitsNum(1, ETH_VAULT_ID, ETH);
        processEth(1);
        vm.assertEq(bob.balance, before + 1 ether + SE_BOND);
        vm.assertEq(address(game).balance + address(ethVault).balance, 0);
        vm.assertEq(framework.outputsFinalizations(outputIdOf(utxo)), exitId);
        checkGone(exitId);
    }

    function test_an_exit_is_paid_strictly_after_its_time() public {
        Utxo memory utxo = depositEth(alice, 1 ether);
        uint160 exitId = startExit(utxo);
        vm.warp(GENESIS + MIN_EXIT_PERIOD);
        processEth(1);
        vm.assertTrue(exitOf(exitId).exitable);
        vm.warp(GENESIS + MIN_EXIT_PERIOD + 1);
        processEth(1);
        checkGone(exitId);
    }

    function test_a_token_exit_pays_tokens_and_the_bond_in_eth() public {
        Utxo memory utxo = depositToken(alice, 100);
        startExit(utxo);
        uint256 before = alice.balance;
        warpPastExit();
        processToken(1);
        vm.assertEq(token.balanceOf(alice), 100);
        vm.assertEq(alice.balance, before + SE_BOND);
    }

    function test_a_challenged_exit_is_omitted_and_can_start_again() public {
        Utxo memory utxo = depositEth(alice, 1 ether);
        uint160 exitId = startExit(utxo);
        challenge(utxo, "alice", carol);
        warpPastExit();
        vm.expectEmit(address(game));
        emit StandardExits.ExitOmitted(exitId);
        processEth(1);
        checkGone(exitId);
        vm.assertFalse(framework.isOutputFinalized(outputIdOf(utxo)));
        // Whoever tries again puts up another bond for another challenge, and waits a whole period again.
        startExit(utxo);
        processEth(1);
        vm.assertEq(address(ethVault).balance, 1 ether);
        challenge(utxo, "alice", carol);
    }

    function test_an_exit_whose_output_left_elsewhere_gets_its_bond_back() public {
        // Its owner did nothing wrong: nobody proved a spend. Keeping the bond in the contract would help nobody.
        Utxo memory utxo = depositEth(alice, 1 ether);
        uint160 exitId = startExit(utxo);
        vm.prank(address(feeGame));
        framework.flagOutputFinalized(outputIdOf(utxo), 77);
        uint256 before = alice.balance;
        warpPastExit();
        vm.expectEmit(address(game));
        emit StandardExits.ExitOmitted(exitId);
        processEth(1);
        vm.assertEq(alice.balance, before + SE_BOND);
        vm.assertEq(address(ethVault).balance, 1 ether);
        vm.assertEq(framework.outputsFinalizations(outputIdOf(utxo)), 77);
        checkGone(exitId);
    }

    function test_older_outputs_leave_first_whoever_exits_first() public {
        Utxo memory older = includePayment(depositEth(alice, 1 ether), alice);
        Utxo memory younger = includePayment(depositEth(bob, 2 ether), bob);
        Utxo memory deposit = depositEth(carol, 4 ether);
        startExit(younger);
        startExit(older);
        startExit(deposit);
        warpPastExit();
        uint256[3] memory before = [carol.balance, alice.balance, bob.balance];
        processEth(1);
        vm.assertEq(carol.balance, before[0] + 4 ether + SE_BOND);
        processEth(1);
        vm.assertEq(alice.balance, before[1] + 1 ether + SE_BOND);
        processEth(1);
        vm.assertEq(bob.balance, before[2] + 2 ether + SE_BOND);
    }

    function test_an_operator_that_makes_money_up_finds_the_honest_gone() public {
        Utxo memory honest = includePayment(depositEth(alice, 1 ether), bob);
        // Mallory and the operator include a payment of nothing, worth all there is.
        bytes memory raw = paymentTx(1e9, mallory, ETH, 1 ether);
        Utxo memory fake = depositUtxo(mallory, ETH, 1 ether);
        fake.rawTx = raw;
        fake.pos = includeAll(txs(raw)) * 1e9;
        startExit(fake);
        startExit(honest);
        warpPastExit();
        uint256 before = bob.balance;
        processEth(2);
        vm.assertEq(bob.balance, before + 1 ether + SE_BOND);
        vm.assertEq(ethVault.credits(mallory), 0);
        depositEth(alice, 1 ether);
        vm.assertEq(address(ethVault).balance, 1 ether);
    }

    function test_an_amount_beyond_128_bits_is_processed_like_any_other() public {
        uint256 amount = uint256(type(uint128).max) + 5;
        Utxo memory utxo = depositToken(alice, amount);
        uint160 exitId = startExit(utxo);
        warpPastExit();
        processToken(1);
        vm.assertEq(token.balanceOf(alice), amount);
        checkGone(exitId);
    }

    // --- who may call what ---

    function test_only_the_framework_processes() public {
        uint160 exitId = startExit(depositEth(alice, 1 ether));
        warpPastExit();
        address[3] memory others = [alice, maintainer, authority];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ExitGameBase.NotFramework.selector, others[i]));
            vm.prank(others[i]);
            game.processExit(exitId, 1, ETH, uint64(GENESIS));
        }
    }

    function test_the_maintainer_changes_the_bond_and_running_exits_keep_theirs() public {
        vm.assertEq(game.INITIAL_BOND_SIZE(), SE_BOND);
        vm.assertEq(game.startStandardExitBondSize(), SE_BOND);
        vm.assertEq(game.BOND_LOWER_BOUND_DIVISOR(), 2);
        vm.assertEq(game.BOND_UPPER_BOUND_MULTIPLIER(), 2);
        Utxo memory first = depositEth(alice, 1 ether);
        startExit(first);
        vm.expectEmit(address(game));
        emit StandardExits.StandardExitBondUpdated(uint128(2 * SE_BOND));
        vm.prank(maintainer);
        game.updateStartStandardExitBondSize(uint128(2 * SE_BOND));
        vm.assertEq(game.startStandardExitBondSize(), SE_BOND);
        skip(2 days);
        vm.assertEq(game.startStandardExitBondSize(), 2 * SE_BOND);
        Utxo memory second = depositEth(bob, 1 ether);
        StandardExits.StartStandardExitArgs memory args = startArgs(second);
        vm.prank(bob);
        game.startStandardExit{value: 2 * SE_BOND}(args);
        uint256[2] memory before = [alice.balance, bob.balance];
        warpPastExit();
        processEth(2);
        vm.assertEq(alice.balance, before[0] + 1 ether + SE_BOND);
        vm.assertEq(bob.balance, before[1] + 1 ether + 2 * SE_BOND);
    }

    function test_only_the_maintainer_changes_the_bond_and_only_in_steps() public {
        vm.expectRevert(abi.encodeWithSelector(ExitGameBase.NotMaintainer.selector, mallory));
        vm.prank(mallory);
        game.updateStartStandardExitBondSize(uint128(SE_BOND));
        vm.expectRevert(
            abi.encodeWithSelector(BondSize.BondSizeOutOfBounds.selector, 2 * SE_BOND + 1, SE_BOND / 2, 2 * SE_BOND)
        );
        vm.prank(maintainer);
        game.updateStartStandardExitBondSize(uint128(2 * SE_BOND + 1));
    }

    function test_a_record_that_does_not_exist_is_all_zero() public view {
        checkGone(12345);
        vm.assertEq(game.standardExits(new uint160[](0)).length, 0);
    }

    // --- construction ---

    function test_a_game_is_built_only_on_what_exists() public {
        ExitGameBase.PaymentExitGameArgs memory args = gameArgs();
        args.framework = IPlasmaFramework(address(0));
        refuses(args, abi.encodePacked(ExitGameBase.AddressZero.selector));
        args = gameArgs();
        args.spendingConditionRegistry = SpendingConditionRegistry(address(0));
        refuses(args, abi.encodePacked(ExitGameBase.AddressZero.selector));
        args = gameArgs();
        args.stateTransitionVerifier = PaymentTransactionStateTransitionVerifier(address(0));
        refuses(args, abi.encodePacked(ExitGameBase.AddressZero.selector));
        args = gameArgs();
        args.supportTxType = 0;
        refuses(args, abi.encodePacked(ExitGameBase.TxTypeZero.selector));
        args = gameArgs();
        args.erc20VaultId = ETH_VAULT_ID;
        refuses(args, abi.encodeWithSelector(ExitGameBase.VaultIdsEqual.selector, ETH_VAULT_ID));
        args = gameArgs();
        args.erc20VaultId = 77;
        refuses(args, abi.encodeWithSelector(ExitGameBase.VaultNotRegistered.selector, 77));
    }

    function test_a_game_refuses_a_registry_that_somebody_can_still_change() public {
        ExitGameBase.PaymentExitGameArgs memory args = gameArgs();
        args.spendingConditionRegistry = new SpendingConditionRegistry();
        refuses(args, abi.encodeWithSelector(ExitGameBase.RegistryStillOwned.selector, address(this)));
    }

    function test_a_game_says_what_it_is_built_on() public view {
        vm.assertEq(address(game.framework()), address(framework));
        vm.assertEq(address(game.spendingConditionRegistry()), address(registry));
        vm.assertNotEq(address(game.stateTransitionVerifier()), address(0));
        vm.assertEq(game.supportTxType(), 1);
        vm.assertEq(game.safeGasStipend(), 2300);
    }

    function refuses(ExitGameBase.PaymentExitGameArgs memory args, bytes memory reason) private {
        vm.expectRevert(reason);
        new PaymentExitGame(args);
    }

    function checkGone(uint160 exitId) private view {
        StandardExits.StandardExit memory exit = exitOf(exitId);
        vm.assertFalse(exit.exitable);
        vm.assertEq(exit.utxoPos, 0);
        vm.assertEq(exit.outputId, bytes32(0));
        vm.assertEq(exit.exitTarget, address(0));
        vm.assertEq(exit.amount, 0);
        vm.assertEq(exit.bondSize, 0);
    }
}
