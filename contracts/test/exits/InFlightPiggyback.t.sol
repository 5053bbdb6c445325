// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ExitGameBase} from "../../src/exits/payment/ExitGameBase.sol";
import {InFlightExitPiggybacks} from "../../src/exits/payment/InFlightExitPiggybacks.sol";
import {InFlightExits} from "../../src/exits/payment/InFlightExits.sol";
import {ExitGameController} from "../../src/framework/ExitGameController.sol";
import {InFlightChain} from "../kit/InFlightChain.sol";
import {bound, clock, skip, vm} from "../kit/Vm.sol";

contract InFlightPiggybackTest is InFlightChain {
    Payment private stored;
    uint160 private exitId;

    /// @dev Alice's ETH and Bob's tokens become Carol's ETH and Mallory's tokens.
    function setUp() public override {
        super.setUp();
        Payment memory payment = pay(
            list(depositEth(alice, 2 ether), depositToken(bob, 100)),
            and(to(carol, ETH, 2 ether), to(mallory, address(token), 100))
        );
        stored.rawTx = payment.rawTx;
        for (uint256 i = 0; i < 2; ++i) {
            stored.inputs.push(payment.inputs[i]);
            stored.outs.push(payment.outs[i]);
            stored.witnesses.push(payment.witnesses[i]);
        }
        exitId = startIfe(payment, carol);
    }

    function test_an_inputs_owner_joins_and_the_exit_is_queued() public {
        uint64 exitableAt = uint64(clock() + 2 * MIN_EXIT_PERIOD);
        uint256 priority = uint256(exitableAt) << 214 | stored.inputs[1].pos / 1e4 << 160 | exitId;
        vm.expectEmit(address(framework));
        emit ExitGameController.ExitQueued(exitId, priority);
        vm.expectEmit(address(game));
        emit InFlightExitPiggybacks.InFlightExitInputPiggybacked(alice, keccak256(stored.rawTx), 0, exitId, exitableAt);
        piggybackInput(stored, 0);
        InFlightExits.InFlightExit memory exit = ifeOf(stored);
        vm.assertEq(exit.exitMap, 1);
        vm.assertEq(exit.inputs[0].piggybackBondSize, PIGGYBACK_BOND);
        vm.assertEq(address(game).balance, IFE_BOND + PIGGYBACK_BOND);
        vm.assertEq(framework.getNextExit(ETH_VAULT_ID, ETH), priority);
    }

    function test_an_outputs_owner_joins_alike() public {
        uint64 exitableAt = uint64(clock() + 2 * MIN_EXIT_PERIOD);
        vm.expectEmit(address(game));
        emit InFlightExitPiggybacks.InFlightExitOutputPiggybacked(
            mallory, keccak256(stored.rawTx), 1, exitId, exitableAt
        );
        piggybackOutput(stored, 1);
        InFlightExits.InFlightExit memory exit = ifeOf(stored);
        vm.assertEq(exit.exitMap, 1 << 5);
        vm.assertEq(exit.outputs[1].piggybackBondSize, PIGGYBACK_BOND);
        vm.assertEq(entriesOf(ERC20_VAULT_ID, address(token)), 1);
        vm.assertEq(entriesOf(ETH_VAULT_ID, ETH), 0);
    }

    function test_each_token_is_queued_once() public {
        piggybackInput(stored, 0);
        piggybackOutput(stored, 0);
        vm.assertEq(entriesOf(ETH_VAULT_ID, ETH), 1);
        vm.assertEq(entriesOf(ERC20_VAULT_ID, address(token)), 0);
        piggybackOutput(stored, 1);
        piggybackInput(stored, 1);
        vm.assertEq(entriesOf(ETH_VAULT_ID, ETH), 1);
        vm.assertEq(entriesOf(ERC20_VAULT_ID, address(token)), 1);
        vm.assertEq(ifeOf(stored).exitMap, 0x33);
    }

    function testFuzz_old_inputs_leave_one_period_after_the_first_piggyback_of_their_token(uint256 age, uint256 wait)
        public
    {
        age = bound(age, 0, 3 * MIN_EXIT_PERIOD);
        wait = bound(wait, 0, FIRST_PHASE - 1);
        Utxo memory old = depositEth(alice, 1 ether);
        uint256 blockTime = clock();
        skip(age);
        Payment memory payment = pay(list(old), to(bob, ETH, 1 ether));
        startIfe(payment, bob);
        skip(wait / 2);
        uint256 byBlock = blockTime + 2 * MIN_EXIT_PERIOD;
        uint256 byPiggyback = clock() + MIN_EXIT_PERIOD;
        uint64 exitableAt = uint64(byBlock > byPiggyback ? byBlock : byPiggyback);
        vm.expectEmit(address(game));
        emit InFlightExitPiggybacks.InFlightExitOutputPiggybacked(
            bob, keccak256(payment.rawTx), 0, idOf(payment), exitableAt
        );
        piggybackOutput(payment, 0);
        vm.assertEq(framework.getNextExit(ETH_VAULT_ID, ETH) >> 214, exitableAt);
        // Who joins later leaves with the same entry, and is told its time.
        skip(wait - wait / 2);
        vm.expectEmit(address(game));
        emit InFlightExitPiggybacks.InFlightExitInputPiggybacked(
            alice, keccak256(payment.rawTx), 0, idOf(payment), exitableAt
        );
        piggybackInput(payment, 0);
    }

    function test_the_first_phase_ends_half_a_period_after_the_start() public {
        skip(FIRST_PHASE - 1);
        piggybackInput(stored, 0);
        skip(1);
        bytes memory over = abi.encodeWithSelector(InFlightExits.FirstPhaseOver.selector, clock());
        refusesInput(alice, 0, over);
        refusesOutput(carol, 0, over);
    }

    function test_one_piggyback_at_a_time() public {
        piggybackInput(stored, 0);
        piggybackOutput(stored, 0);
        refusesInput(alice, 0, abi.encodeWithSelector(InFlightExitPiggybacks.PiggybackedBefore.selector, 0));
        refusesOutput(carol, 0, abi.encodeWithSelector(InFlightExitPiggybacks.PiggybackedBefore.selector, 4));
    }

    function test_only_owners_join() public {
        bytes4 refusal = InFlightExitPiggybacks.NotExitTarget.selector;
        refusesInput(bob, 0, abi.encodeWithSelector(refusal, bob, alice));
        refusesOutput(alice, 0, abi.encodeWithSelector(refusal, alice, carol));
    }

    function test_there_must_be_such_an_input_or_output() public {
        bytes4 refusal = InFlightExitPiggybacks.NotExitTarget.selector;
        refusesInput(alice, 2, abi.encodeWithSelector(refusal, alice, address(0)));
        refusesOutput(alice, 3, abi.encodeWithSelector(refusal, alice, address(0)));
        refusesInput(alice, 4, abi.encodeWithSelector(InFlightExits.InputIndexOutOfRange.selector, 4));
        refusesOutput(alice, 4, abi.encodeWithSelector(InFlightExits.OutputIndexOutOfRange.selector, 4));
        refusesOutput(alice, 65535, abi.encodeWithSelector(InFlightExits.OutputIndexOutOfRange.selector, 65535));
    }

    function test_there_must_be_an_exit() public {
        Payment memory other = pay(list(depositEth(alice, 1)), to(bob, ETH, 1));
        stored.rawTx = other.rawTx;
        bytes memory refusal = abi.encodeWithSelector(InFlightExits.InFlightExitNotFound.selector, idOf(other));
        refusesInput(alice, 0, refusal);
        refusesOutput(carol, 0, refusal);
        stored.rawTx = "";
        refusesInput(alice, 0, abi.encodeWithSelector(InFlightExits.InFlightExitNotFound.selector, idOf(stored)));
    }

    function test_the_bond_is_exact() public {
        for (uint256 value = PIGGYBACK_BOND - 1; value <= PIGGYBACK_BOND + 1; value += 2) {
            vm.expectRevert(abi.encodeWithSelector(ExitGameBase.BondNotExact.selector, value, PIGGYBACK_BOND));
            vm.prank(alice);
            game.piggybackInFlightExitOnInput{value: value}(
                InFlightExitPiggybacks.PiggybackInFlightExitOnInputArgs(stored.rawTx, 0)
            );
        }
    }

    function test_a_token_needs_its_queue() public {
        address unknown = address(new Nothing());
        Utxo memory utxo = depositUtxo(alice, unknown, 5);
        utxo = Utxo(includeAll(txs(utxo.rawTx)) * 1e9, utxo.rawTx, utxo.proof, alice, unknown, 5);
        Payment memory payment = pay(list(utxo), to(bob, unknown, 5));
        startIfe(payment, bob);
        vm.expectRevert(abi.encodeWithSelector(ExitGameController.ExitQueueNotFound.selector, ERC20_VAULT_ID, unknown));
        vm.prank(bob);
        game.piggybackInFlightExitOnOutput{value: PIGGYBACK_BOND}(
            InFlightExitPiggybacks.PiggybackInFlightExitOnOutputArgs(payment.rawTx, 0)
        );
        framework.addExitQueue(ERC20_VAULT_ID, unknown);
        piggybackOutput(payment, 0);
    }

    function refusesInput(address who, uint16 index, bytes memory reason) private {
        InFlightExitPiggybacks.PiggybackInFlightExitOnInputArgs memory args =
            InFlightExitPiggybacks.PiggybackInFlightExitOnInputArgs(stored.rawTx, index);
        vm.expectRevert(reason);
        vm.prank(who);
        game.piggybackInFlightExitOnInput{value: PIGGYBACK_BOND}(args);
    }

    function refusesOutput(address who, uint16 index, bytes memory reason) private {
        InFlightExitPiggybacks.PiggybackInFlightExitOnOutputArgs memory args =
            InFlightExitPiggybacks.PiggybackInFlightExitOnOutputArgs(stored.rawTx, index);
        vm.expectRevert(reason);
        vm.prank(who);
        game.piggybackInFlightExitOnOutput{value: PIGGYBACK_BOND}(args);
    }
}

contract Nothing {}
