// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BondSize} from "../../src/exits/BondSize.sol";
import {ExitGameBase} from "../../src/exits/payment/ExitGameBase.sol";
import {InFlightExitPiggybacks} from "../../src/exits/payment/InFlightExitPiggybacks.sol";
import {InFlightExits} from "../../src/exits/payment/InFlightExits.sol";
import {InFlightChain} from "../kit/InFlightChain.sol";
import {clock, skip, vm} from "../kit/Vm.sol";

/// @title Bonds of in-flight exits: whose they are, and what holds for whom when they change
contract InFlightBondsTest is InFlightChain {
    function test_a_new_bond_holds_for_what_starts_two_days_later() public {
        Payment memory payment = ethPayment();
        startIfe(payment, mallory);
        vm.startPrank(maintainer);
        vm.expectEmit(address(game));
        emit InFlightExits.IFEBondUpdated(uint128(IFE_BOND * 2));
        game.updateStartIFEBondSize(uint128(IFE_BOND * 2));
        vm.expectEmit(address(game));
        emit InFlightExits.PiggybackBondUpdated(uint128(PIGGYBACK_BOND / 2));
        game.updatePiggybackBondSize(uint128(PIGGYBACK_BOND / 2));
        vm.stopPrank();
        piggybackOutput(payment, 0);
        vm.assertEq(game.startIFEBondSize(), IFE_BOND);
        vm.assertEq(game.piggybackBondSize(), PIGGYBACK_BOND);
        skip(2 days);
        vm.assertEq(game.startIFEBondSize(), IFE_BOND * 2);
        vm.assertEq(game.piggybackBondSize(), PIGGYBACK_BOND / 2);
        vm.assertEq(ifeOf(payment).bondSize, IFE_BOND);
        vm.assertEq(ifeOf(payment).outputs[0].piggybackBondSize, PIGGYBACK_BOND);
        warpPastExit();
        processEth(1);
        vm.assertEq(address(game).balance, 0);
    }

    function test_piggybacks_with_different_bonds_get_back_what_each_paid() public {
        Payment memory payment = pay(
            list(depositEth(alice, 1 ether), depositToken(bob, 7)),
            and(to(carol, ETH, 1 ether), to(mallory, address(token), 7))
        );
        vm.prank(maintainer);
        game.updatePiggybackBondSize(uint128(PIGGYBACK_BOND / 2));
        skip(1 days);
        startIfe(payment, mallory);
        piggybackOutput(payment, 0);
        piggybackInput(payment, 1);
        skip(1 days);
        piggybackForHalf(payment, true, 0);
        piggybackForHalf(payment, false, 1);
        bonds(payment, PIGGYBACK_BOND / 2, PIGGYBACK_BOND, PIGGYBACK_BOND, PIGGYBACK_BOND / 2);

        // A challenge pays what the piggyback paid, whichever it was, and the next one pays anew.
        uint256 before = mallory.balance;
        challengeInput(payment, 0, competitorOf(payment), mallory);
        vm.assertEq(mallory.balance, before + PIGGYBACK_BOND / 2);
        bonds(payment, 0, PIGGYBACK_BOND, PIGGYBACK_BOND, PIGGYBACK_BOND / 2);
        piggybackForHalf(payment, true, 0);
        bonds(payment, PIGGYBACK_BOND / 2, PIGGYBACK_BOND, PIGGYBACK_BOND, PIGGYBACK_BOND / 2);

        warpPastExit();
        (uint256 ofAlice, uint256 ofCarol) = (alice.balance, carol.balance);
        processEth(1);
        vm.assertEq(alice.balance, ofAlice + PIGGYBACK_BOND / 2);
        vm.assertEq(carol.balance, ofCarol + 1 ether + PIGGYBACK_BOND);
        bonds(payment, 0, PIGGYBACK_BOND, 0, PIGGYBACK_BOND / 2);
        (uint256 ofBob, uint256 ofMallory) = (bob.balance, mallory.balance);
        vm.record();
        processToken(1);
        vm.assertEq(bob.balance, ofBob + PIGGYBACK_BOND);
        vm.assertEq(mallory.balance, ofMallory + PIGGYBACK_BOND / 2 + IFE_BOND);
        vm.assertEq(address(game).balance, 0);
        gone(payment);
        (, bytes32[] memory writes) = vm.accesses(address(game));
        for (uint256 i = 0; i < writes.length; ++i) {
            vm.assertEq(vm.load(address(game), writes[i]), bytes32(0));
        }
    }

    function test_an_exit_that_starts_again_owes_nothing_of_its_former_piggybacks() public {
        Payment memory payment = ethPayment();
        startIfe(payment, mallory);
        piggybackInput(payment, 0);
        challengeInput(payment, 0, competitorOf(payment), mallory);
        warpPastExit();
        processEth(1);
        gone(payment);
        vm.prank(maintainer);
        game.updatePiggybackBondSize(uint128(PIGGYBACK_BOND / 2));
        skip(2 days);
        startIfe(payment, mallory);
        piggybackForHalf(payment, true, 0);
        vm.assertEq(ifeOf(payment).inputs[0].piggybackBondSize, PIGGYBACK_BOND / 2);
        vm.assertEq(framework.getNextExit(ETH_VAULT_ID, ETH) >> 214, clock() + MIN_EXIT_PERIOD);
        warpPastExit();
        processEth(1);
        vm.assertEq(address(game).balance, 0);
    }

    function piggybackForHalf(Payment memory payment, bool isInput, uint16 index) private {
        if (isInput) {
            vm.prank(payment.inputs[index].owner);
            game.piggybackInFlightExitOnInput{value: PIGGYBACK_BOND / 2}(
                InFlightExitPiggybacks.PiggybackInFlightExitOnInputArgs(payment.rawTx, index)
            );
        } else {
            vm.prank(payment.outs[index].owner);
            game.piggybackInFlightExitOnOutput{value: PIGGYBACK_BOND / 2}(
                InFlightExitPiggybacks.PiggybackInFlightExitOnOutputArgs(payment.rawTx, index)
            );
        }
    }

    function bonds(Payment memory payment, uint256 in0, uint256 in1, uint256 out0, uint256 out1) private view {
        InFlightExits.InFlightExit memory exit = ifeOf(payment);
        vm.assertEq(exit.inputs[0].piggybackBondSize, in0);
        vm.assertEq(exit.inputs[1].piggybackBondSize, in1);
        vm.assertEq(exit.outputs[0].piggybackBondSize, out0);
        vm.assertEq(exit.outputs[1].piggybackBondSize, out1);
    }

    function test_the_maintainer_alone_sets_bonds_and_in_small_steps() public {
        bytes memory refusal = abi.encodeWithSelector(ExitGameBase.NotMaintainer.selector, address(this));
        vm.expectRevert(refusal);
        game.updateStartIFEBondSize(uint128(IFE_BOND));
        vm.expectRevert(refusal);
        game.updatePiggybackBondSize(uint128(PIGGYBACK_BOND));
        for (uint256 size = 0; size <= 1; ++size) {
            vm.expectRevert(
                abi.encodeWithSelector(BondSize.BondSizeOutOfBounds.selector, size, IFE_BOND / 2, IFE_BOND * 2)
            );
            vm.prank(maintainer);
            game.updateStartIFEBondSize(uint128(size));
        }
        vm.expectRevert();
        vm.prank(maintainer);
        game.updatePiggybackBondSize(uint128(PIGGYBACK_BOND * 2 + 1));
        vm.assertEq(game.INITIAL_IFE_BOND_SIZE(), IFE_BOND);
        vm.assertEq(game.INITIAL_PB_BOND_SIZE(), PIGGYBACK_BOND);
    }
}
