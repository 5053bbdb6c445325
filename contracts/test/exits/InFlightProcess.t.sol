// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ExitGameBase} from "../../src/exits/payment/ExitGameBase.sol";
import {InFlightExitProcessing} from "../../src/exits/payment/InFlightExitProcessing.sol";
import {InFlightExits} from "../../src/exits/payment/InFlightExits.sol";
import {StandardExits} from "../../src/exits/payment/StandardExits.sol";
import {EthCredits} from "../../src/utils/EthCredits.sol";
import {MoodyWallet} from "../kit/Hostile.sol";
import {InFlightChain} from "../kit/InFlightChain.sol";
import {bound, skip, vm} from "../kit/Vm.sol";

/// @title The end of an in-flight exit, to the wei
contract InFlightProcessTest is InFlightChain {
    // --- who is paid ---

    function test_a_canonical_exit_pays_its_outputs_and_returns_every_bond() public {
        Payment memory payment = ethPayment();
        startIfe(payment, mallory);
        piggybackOutput(payment, 0);
        piggybackInput(payment, 1);
        warpPastExit();
        vm.expectEmit(address(game));
        emit InFlightExitProcessing.InFlightExitOutputWithdrawn(idOf(payment), 0);
        vm.expectEmit(address(game));
        emit InFlightExitProcessing.InFlightExitFinalized(idOf(payment));
        processEth(1);
        // Bob piggybacked the side that stays: it costs nothing.
        balances(-2 ether, -1 ether, 2 ether, 0);
        vm.assertEq(address(ethVault).balance, 1 ether);
        gone(payment);
        bool[4] memory outputs = [true, false, false, false];
        finalized(payment, [true, true], outputs, idOf(payment));
    }

    function test_a_non_canonical_exit_pays_its_inputs() public {
        Payment memory payment = ethPayment();
        startIfe(payment, mallory);
        piggybackInput(payment, 1);
        piggybackOutput(payment, 0);
        // Alice pays herself instead.
        challengeCanonicity(payment, competitorOf(payment), carol);
        warpPastExit();
        vm.expectEmit(address(game));
        emit InFlightExitProcessing.InFlightExitInputWithdrawn(idOf(payment), 1);
        processEth(1);
        balances(-2 ether, 0, int256(IFE_BOND), -int256(IFE_BOND));
        gone(payment);
        vm.assertFalse(framework.isOutputFinalized(outputIdOf(payment.inputs[0])));
        vm.assertTrue(framework.isOutputFinalized(outputIdOf(payment.inputs[1])));
        vm.assertFalse(framework.isOutputFinalized(keccak256(abi.encodePacked(payment.rawTx, uint256(0)))));
    }

    function test_an_answered_challenge_pays_outputs_and_the_answerer() public {
        Payment memory payment = ethPayment();
        startIfe(payment, mallory);
        piggybackOutput(payment, 0);
        challengeCanonicity(payment, competitorOf(payment), alice);
        (uint256 pos, bytes memory proof) = include(payment);
        warpPastExit();
        respond(payment, pos, proof, bob);
        processEth(1);
        balances(-2 ether, -1 ether + int256(IFE_BOND), 2 ether, -int256(IFE_BOND));
    }

    function test_each_token_leaves_by_its_own_queue_and_the_last_ends_the_exit() public {
        Payment memory payment = mixedPayment();
        startIfe(payment, mallory);
        piggybackOutput(payment, 0);
        piggybackOutput(payment, 1);
        warpPastExit();
        processEth(1);
        balances(-2 ether, 0, 2 ether, -int256(IFE_BOND + PIGGYBACK_BOND));
        // All inputs are marked with the first token: nothing of the transaction can leave twice.
        bool[4] memory outputs = [true, false, false, false];
        finalized(payment, [true, true], outputs, idOf(payment));
        vm.assertEq(ifeOf(payment).exitMap, 1 << 5);
        processToken(1);
        balances(-2 ether, 0, 2 ether, 0);
        vm.assertEq(token.balanceOf(mallory), 100);
        gone(payment);
    }

    function test_a_token_piggybacked_on_neither_side_stays() public {
        Payment memory payment = mixedPayment();
        startIfe(payment, mallory);
        piggybackOutput(payment, 0);
        warpPastExit();
        processEth(1);
        gone(payment);
        vm.assertEq(token.balanceOf(address(erc20Vault)), 100);
        // Who slept exits the same transaction again, with the exit's own marks on its inputs.
        startIfe(payment, mallory);
        piggybackOutput(payment, 1);
        warpPastExit();
        processToken(1);
        vm.assertEq(token.balanceOf(mallory), 100);
        gone(payment);
    }

    function test_what_left_before_does_not_leave_again() public {
        Payment memory payment = ethPayment();
        (uint256 pos, bytes memory proof) = include(payment);
        startExit(outputOf(payment, 0, pos, proof));
        startIfe(payment, mallory);
        piggybackOutput(payment, 0);
        piggybackOutput(payment, 1);
        warpPastExit();
        processEth(2);
        balances(-2 ether, -1 ether, 2 ether, 1 ether);
        vm.assertEq(address(ethVault).balance, 0);
        gone(payment);
    }

    function test_a_standard_exit_of_what_left_in_flight_is_omitted_and_its_bond_returned() public {
        Payment memory payment = ethPayment();
        startIfe(payment, mallory);
        piggybackOutput(payment, 0);
        (uint256 pos, bytes memory proof) = include(payment);
        skip(MIN_EXIT_PERIOD);
        startExit(outputOf(payment, 0, pos, proof));
        warpPastExit();
        vm.expectEmit(address(game));
        emit InFlightExitProcessing.InFlightExitFinalized(idOf(payment));
        vm.expectEmit(address(game));
        emit StandardExits.ExitOmitted(exitIdOf(outputOf(payment, 0, pos, proof)));
        processEth(2);
        balances(-2 ether, -1 ether, 2 ether, 0);
        vm.assertEq(address(game).balance, 0);
    }

    function test_an_input_that_left_by_a_standard_exit_lets_only_inputs_leave() public {
        Payment memory payment = ethPayment();
        startExit(payment.inputs[0]);
        skip(1);
        startIfe(payment, mallory);
        piggybackInput(payment, 0);
        piggybackInput(payment, 1);
        piggybackOutput(payment, 0);
        warpPastExit();
        processEth(2);
        // Alice left with the standard exit, and only with that.
        balances(0, 0, 0, 0);
        vm.assertEq(address(ethVault).balance, 0);
        gone(payment);
    }

    function test_two_exits_that_share_an_input_pay_it_once() public {
        Payment memory payment = ethPayment();
        Payment memory rival = competitorOf(payment);
        startIfe(payment, mallory);
        piggybackOutput(payment, 0);
        piggybackInput(payment, 1);
        startIfe(rival, mallory);
        piggybackOutput(rival, 0);
        // Nobody challenges. The rival's youngest input is older, so it leaves first; the other finds its input gone.
        warpPastExit();
        processEth(2);
        balances(0, 0, 0, 0);
        vm.assertEq(address(ethVault).balance, 0);
        gone(payment);
        gone(rival);
    }

    function test_with_every_piggyback_blocked_the_exit_ends_when_its_entry_comes_up() public {
        Payment memory payment = ethPayment();
        startIfe(payment, mallory);
        piggybackInput(payment, 0);
        challengeInput(payment, 0, competitorOf(payment), carol);
        warpPastExit();
        vm.expectEmit(address(game));
        emit InFlightExitProcessing.InFlightExitFinalized(idOf(payment));
        processEth(1);
        vm.assertEq(address(game).balance, 0);
        balances(-2 ether - int256(PIGGYBACK_BOND), -1 ether, int256(PIGGYBACK_BOND), 0);
        gone(payment);
    }

    function test_a_late_answer_turns_the_tokens_still_to_come() public {
        Payment memory payment = mixedPayment();
        startIfe(payment, mallory);
        piggybackInput(payment, 0);
        piggybackOutput(payment, 1);
        challengeCanonicity(payment, competitorOf(payment), carol);
        (uint256 pos, bytes memory proof) = include(payment);
        warpPastExit();
        processEth(1);
        respond(payment, pos, proof, mallory);
        processToken(1);
        // Alice has her ETH back; the tokens went on. Of each token, one side left.
        balances(0, 0, 0, 0);
        vm.assertEq(token.balanceOf(mallory), 100);
        gone(payment);
    }

    /// @dev What left as an input must never leave as an output too, also when the exit starts anew as if nobody had
    ///      ever contested it.
    function test_outputs_of_inputs_that_left_never_leave() public {
        Payment memory payment = ethPayment();
        startIfe(payment, mallory);
        piggybackInput(payment, 0);
        challengeCanonicity(payment, competitorOf(payment), carol);
        warpPastExit();
        processEth(1);
        vm.assertEq(address(ethVault).balance, 1 ether);

        startIfe(payment, mallory);
        piggybackOutput(payment, 0);
        piggybackOutput(payment, 1);
        piggybackInput(payment, 1);
        vm.assertTrue(ifeOf(payment).isCanonical);
        warpPastExit();
        processEth(1);
        // Bob's input is all that may still leave.
        balances(0, 0, int256(IFE_BOND), -int256(IFE_BOND));
        vm.assertEq(address(ethVault).balance, 0);
        vm.assertEq(address(game).balance, 0);
    }

    function testFuzz_every_wei_is_accounted_for(uint8 joined, bool contested, uint128 a, uint128 b) public {
        (a, b) = (uint128(bound(a, 1, 1000 ether)), uint128(bound(b, 1, 1000 ether)));
        Payment memory payment =
            pay(list(depositEth(alice, a), depositEth(bob, b)), and(to(carol, ETH, a), to(mallory, ETH, b)));
        startIfe(payment, mallory);
        if (joined & 1 != 0) piggybackInput(payment, 0);
        if (joined & 2 != 0) piggybackInput(payment, 1);
        if (joined & 4 != 0) piggybackOutput(payment, 0);
        if (joined & 8 != 0) piggybackOutput(payment, 1);
        if (contested) challengeCanonicity(payment, competitorOf(payment), mallory);
        warpPastExit();
        if (joined & 15 == 0) game.deleteNonPiggybackedInFlightExit(idOf(payment));
        else processEth(1);
        uint256 left = contested
            ? (joined & 1 != 0 ? a : 0) + (joined & 2 != 0 ? b : 0)
            : (joined & 4 != 0 ? a : 0) + (joined & 8 != 0 ? b : 0);
        vm.assertEq(address(ethVault).balance, uint256(a) + b - left);
        vm.assertEq(address(game).balance, 0);
        gone(payment);
    }

    function testFuzz_amounts_of_every_size_are_paid_in_full(uint256 amount) public {
        amount = bound(amount, 1, type(uint256).max - 1);
        Payment memory payment = pay(list(depositToken(alice, amount)), to(bob, address(token), amount));
        vm.record();
        startIfe(payment, mallory);
        piggybackInput(payment, 0);
        piggybackOutput(payment, 0);
        warpPastExit();
        challengeInput(payment, 0, competitorOf(payment), mallory);
        processToken(1);
        vm.assertEq(token.balanceOf(bob), amount);
        // Not one slot of the record is left behind.
        (, bytes32[] memory writes) = vm.accesses(address(game));
        vm.assertGt(writes.length, 8);
        for (uint256 i = 0; i < writes.length; ++i) {
            vm.assertEq(vm.load(address(game), writes[i]), bytes32(0));
        }
    }

    // --- hostile receivers ---

    function test_receivers_that_take_nothing_do_not_stop_the_others() public {
        MoodyWallet wallet = new MoodyWallet();
        Payment memory payment =
            pay(list(depositEth(alice, 3 ether)), and(to(address(wallet), ETH, 2 ether), to(bob, ETH, 1 ether)));
        startIfe(payment, mallory);
        vm.deal(address(wallet), PIGGYBACK_BOND);
        piggybackOutput(payment, 0);
        piggybackOutput(payment, 1);
        wallet.setMood(MoodyWallet.Mood.BurnGas);
        warpPastExit();
        vm.expectEmit(address(game));
        emit InFlightExits.InFlightBondReturnFailed(address(wallet), PIGGYBACK_BOND);
        processEth(1);
        balances(-3 ether, 1 ether, 0, 0);
        vm.assertEq(ethVault.credits(address(wallet)), 2 ether);
        vm.assertEq(game.credits(address(wallet)), PIGGYBACK_BOND);
        gone(payment);
    }

    // --- when ---

    function test_nothing_leaves_before_its_time() public {
        Payment memory payment = ethPayment();
        uint256 deposited = vm.getBlockTimestamp();
        startIfe(payment, mallory);
        piggybackOutput(payment, 0);
        vm.warp(deposited + 2 * MIN_EXIT_PERIOD);
        processEth(1);
        vm.assertEq(address(ethVault).balance, 3 ether);
        skip(1);
        processEth(1);
        vm.assertEq(address(ethVault).balance, 1 ether);
    }

    function test_only_the_framework_processes() public {
        vm.expectRevert(abi.encodeWithSelector(ExitGameBase.NotFramework.selector, address(this)));
        game.processExit(1 << 151, ETH_VAULT_ID, ETH, 0);
    }

    // --- deletion ---

    function test_an_exit_that_nobody_joins_is_deleted_after_the_first_phase() public {
        Payment memory payment = ethPayment();
        startIfe(payment, mallory);
        challengeCanonicity(payment, competitorOf(payment), carol);
        uint160 exitId = idOf(payment);
        uint256 end = vm.getBlockTimestamp() + FIRST_PHASE;
        vm.warp(end - 1);
        vm.expectRevert(abi.encodeWithSelector(InFlightExits.FirstPhaseNotOver.selector, end));
        game.deleteNonPiggybackedInFlightExit(exitId);
        vm.warp(end);
        vm.expectEmit(address(game));
        emit InFlightExitProcessing.InFlightExitDeleted(exitId);
        game.deleteNonPiggybackedInFlightExit(exitId);
        balances(-2 ether, -1 ether, int256(IFE_BOND), -int256(IFE_BOND));
        gone(payment);
        vm.expectRevert(abi.encodeWithSelector(InFlightExits.InFlightExitNotFound.selector, exitId));
        game.deleteNonPiggybackedInFlightExit(exitId);
    }

    function test_a_deleted_exits_bond_that_is_not_taken_becomes_a_credit() public {
        Payment memory payment = ethPayment();
        MoodyWallet wallet = new MoodyWallet();
        wallet.execute{value: IFE_BOND}(
            address(game), IFE_BOND, abi.encodeCall(game.startInFlightExit, (startArgs(payment)))
        );
        wallet.setMood(MoodyWallet.Mood.Refuse);
        warpPastFirstPhase();
        vm.expectEmit(address(game));
        emit EthCredits.CreditAdded(address(wallet), IFE_BOND);
        game.deleteNonPiggybackedInFlightExit(idOf(payment));
        vm.assertEq(game.credits(address(wallet)), IFE_BOND);
    }
}
