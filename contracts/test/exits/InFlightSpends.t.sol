// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PaymentSpend} from "../../src/exits/conditions/PaymentSpend.sol";
import {ExitGameBase} from "../../src/exits/payment/ExitGameBase.sol";
import {InFlightExits} from "../../src/exits/payment/InFlightExits.sol";
import {InFlightExitSpends} from "../../src/exits/payment/InFlightExitSpends.sol";
import {EthCredits} from "../../src/utils/EthCredits.sol";
import {Encode} from "../kit/Encode.sol";
import {MoodyWallet} from "../kit/Hostile.sol";
import {InFlightChain} from "../kit/InFlightChain.sol";
import {skip, vm} from "../kit/Vm.sol";

contract InFlightSpendsTest is InFlightChain {
    Utxo private utxo;
    Utxo private other;

    function setUp() public override {
        super.setUp();
        utxo = depositEth(alice, 2 ether);
        other = depositEth(bob, 1 ether);
    }

    // --- inputs ---

    function test_whoever_shows_another_spend_of_an_input_gets_its_bond() public {
        Payment memory payment = started();
        piggybackInput(payment, 0);
        piggybackInput(payment, 1);
        uint256 before = mallory.balance;
        Payment memory spend = competitorOf(payment);
        vm.expectEmit(address(game));
        emit InFlightExitSpends.InFlightExitInputBlocked(mallory, keccak256(payment.rawTx), 0, idOf(payment));
        challengeInput(payment, 0, spend, mallory);
        vm.assertEq(mallory.balance, before + PIGGYBACK_BOND);
        vm.assertEq(ifeOf(payment).exitMap, 2);
        vm.assertEq(ifeOf(payment).inputs[0].piggybackBondSize, 0);
        vm.assertEq(entriesOf(ETH_VAULT_ID, ETH), 1);
    }

    function test_inputs_are_challenged_until_they_are_processed_and_pay_nothing_then() public {
        Payment memory payment = started();
        piggybackInput(payment, 0);
        challengeCanonicity(payment, competitorOf(payment), mallory);
        skip(20 * MIN_EXIT_PERIOD);
        challengeInput(payment, 0, competitorOf(payment), mallory);
        processEth(1);
        vm.assertEq(address(ethVault).balance, 3 ether);
        vm.assertEq(address(game).balance, 0);
    }

    function test_an_input_must_be_piggybacked() public {
        Payment memory payment = started();
        InFlightExitSpends.ChallengeInputSpentArgs memory args =
            inputSpentArgs(payment, 0, competitorOf(payment), mallory);
        bytes memory refusal = abi.encodeWithSelector(InFlightExits.NotPiggybacked.selector, 0);
        refuses(args, refusal);
        piggybackInput(payment, 0);
        challengeInput(payment, 0, competitorOf(payment), mallory);
        refuses(args, refusal);
    }

    function test_the_exiting_transaction_may_spend_its_inputs() public {
        Payment memory payment = started();
        piggybackInput(payment, 0);
        refuses(
            inputSpentArgs(payment, 0, payment, mallory), abi.encodePacked(InFlightExits.SpendIsInFlightTx.selector)
        );
    }

    function test_the_spend_of_an_input_is_a_signed_spend_of_it() public {
        Payment memory payment = started();
        piggybackInput(payment, 0);
        InFlightExitSpends.ChallengeInputSpentArgs memory args =
            inputSpentArgs(payment, 0, competitorOf(payment), mallory);
        args.challengingTxWitness = "";
        refuses(args, abi.encodePacked(PaymentSpend.SignatureInvalid.selector));
        args = inputSpentArgs(payment, 0, pay(list(other), to(bob, ETH, 1)), mallory);
        refuses(args, abi.encodeWithSelector(PaymentSpend.InputPointsElsewhere.selector, other.pos, utxo.pos));
        args = inputSpentArgs(payment, 0, competitorOf(payment), mallory);
        args.challengingTxInputIndex = 1;
        refuses(args, abi.encodeWithSelector(PaymentSpend.InputNotFound.selector, 1));
        args.challengingTx = Encode.payment(2, Encode.one(utxo.pos), payment.outs, Encode.NO_METADATA);
        refuses(args, abi.encodeWithSelector(ExitGameBase.ProtocolNotMoreVp.selector, 2, 0));
    }

    function test_the_spent_input_is_the_exits_own() public {
        Payment memory payment = started();
        piggybackInput(payment, 0);
        InFlightExitSpends.ChallengeInputSpentArgs memory args =
            inputSpentArgs(payment, 0, competitorOf(payment), mallory);
        args.inFlightTxInputIndex = 1;
        refuses(args, abi.encodeWithSelector(InFlightExitSpends.InputPositionIsAnother.selector, utxo.pos, other.pos));
        args.inFlightTxInputIndex = 4;
        refuses(args, abi.encodeWithSelector(InFlightExits.InputIndexOutOfRange.selector, 4));
        args.inFlightTxInputIndex = 0;
        args.inputTx = other.rawTx;
        bytes32 given = keccak256(abi.encodePacked(other.rawTx, uint256(0), utxo.pos));
        refuses(args, abi.encodeWithSelector(ExitGameBase.OutputIsAnother.selector, given, outputIdOf(utxo)));
    }

    function test_challenges_need_an_exit() public {
        Payment memory payment = pay(list(utxo), to(carol, ETH, 2 ether));
        bytes memory refusal = abi.encodeWithSelector(InFlightExits.InFlightExitNotFound.selector, idOf(payment));
        refuses(inputSpentArgs(payment, 0, competitorOf(payment), mallory), refusal);
        (uint256 pos, bytes memory proof) = include(payment);
        refuses(outputSpentArgs(payment, pos, proof, spendOf(payment, 0, pos, proof), mallory), refusal);
    }

    function test_challenges_name_their_sender_so_that_a_copy_is_worthless() public {
        Payment memory payment = started();
        piggybackInput(payment, 0);
        piggybackOutput(payment, 0);
        (uint256 pos, bytes memory proof) = include(payment);
        bytes32 named = keccak256(abi.encodePacked(carol));
        bytes memory refusal = abi.encodeWithSelector(ExitGameBase.SenderDataMismatch.selector, named, mallory);
        refuses(inputSpentArgs(payment, 0, competitorOf(payment), carol), refusal);
        refuses(outputSpentArgs(payment, pos, proof, spendOf(payment, 0, pos, proof), carol), refusal);
    }

    // --- outputs ---

    function test_whoever_shows_a_spend_of_an_output_gets_its_bond() public {
        Payment memory payment = started();
        piggybackOutput(payment, 0);
        piggybackOutput(payment, 1);
        (uint256 pos, bytes memory proof) = include(payment);
        Payment memory spend = spendOf(payment, 1, pos, proof);
        uint256 before = carol.balance;
        vm.expectEmit(address(game));
        emit InFlightExitSpends.InFlightExitOutputBlocked(carol, keccak256(payment.rawTx), 1, idOf(payment));
        challengeOutput(payment, pos + 1, proof, spend, carol);
        vm.assertEq(carol.balance, before + PIGGYBACK_BOND);
        vm.assertEq(ifeOf(payment).exitMap, 1 << 4);
        vm.assertEq(ifeOf(payment).outputs[1].piggybackBondSize, 0);
    }

    function test_an_output_must_be_piggybacked() public {
        Payment memory payment = started();
        (uint256 pos, bytes memory proof) = include(payment);
        InFlightExitSpends.ChallengeOutputSpentArgs memory args =
            outputSpentArgs(payment, pos, proof, spendOf(payment, 0, pos, proof), mallory);
        bytes memory refusal = abi.encodeWithSelector(InFlightExits.NotPiggybacked.selector, 4);
        refuses(args, refusal);
        piggybackOutput(payment, 0);
        vm.prank(mallory);
        game.challengeInFlightExitOutputSpent(args);
        refuses(args, refusal);
    }

    function test_the_exiting_transaction_must_be_in_a_block() public {
        Payment memory payment = started();
        piggybackOutput(payment, 0);
        (uint256 pos, bytes memory proof) = include(payment);
        Payment memory spend = spendOf(payment, 0, pos, proof);
        InFlightExitSpends.ChallengeOutputSpentArgs memory args =
            outputSpentArgs(payment, pos + 1e12, proof, spend, mallory);
        refuses(args, abi.encodeWithSelector(ExitGameBase.BlockNotFound.selector, pos / 1e9 + 1000));
        args.outputUtxoPos = pos + 1e4;
        refuses(args, abi.encodeWithSelector(ExitGameBase.TransactionNotIncluded.selector, pos / 1e9, 1));
        args.outputUtxoPos = pos + 4;
        refuses(args, abi.encodeWithSelector(InFlightExits.OutputIndexOutOfRange.selector, 4));
    }

    function test_the_spend_of_an_output_is_a_signed_spend_of_it() public {
        Payment memory payment = started();
        piggybackOutput(payment, 0);
        (uint256 pos, bytes memory proof) = include(payment);
        Payment memory spend = spendOf(payment, 1, pos, proof);
        InFlightExitSpends.ChallengeOutputSpentArgs memory args = outputSpentArgs(payment, pos, proof, spend, mallory);
        refuses(args, abi.encodeWithSelector(PaymentSpend.InputPointsElsewhere.selector, pos + 1, pos));
        args = outputSpentArgs(payment, pos, proof, spendOf(payment, 0, pos, proof), mallory);
        args.challengingTxWitness = spend.witnesses[0];
        vm.expectRevert();
        vm.prank(mallory);
        game.challengeInFlightExitOutputSpent(args);
        args.challengingTx = Encode.payment(3, Encode.one(pos), payment.outs, Encode.NO_METADATA);
        refuses(args, abi.encodeWithSelector(ExitGameBase.SpendingConditionNotFound.selector, 1, 3));
    }

    function test_a_challenger_that_does_not_take_the_bond_gets_a_credit() public {
        Payment memory payment = started();
        piggybackInput(payment, 0);
        MoodyWallet wallet = new MoodyWallet();
        wallet.setMood(MoodyWallet.Mood.Refuse);
        InFlightExitSpends.ChallengeInputSpentArgs memory args =
            inputSpentArgs(payment, 0, competitorOf(payment), address(wallet));
        vm.expectEmit(address(game));
        emit InFlightExits.InFlightBondReturnFailed(address(wallet), PIGGYBACK_BOND);
        vm.expectEmit(address(game));
        emit EthCredits.CreditAdded(address(wallet), PIGGYBACK_BOND);
        wallet.execute(address(game), 0, abi.encodeCall(game.challengeInFlightExitInputSpent, (args)));
        vm.assertEq(game.credits(address(wallet)), PIGGYBACK_BOND);
    }

    function started() private returns (Payment memory payment) {
        payment = pay(list(utxo, other), and(to(carol, ETH, 2 ether), to(mallory, ETH, 1 ether)));
        startIfe(payment, alice);
    }

    function spendOf(Payment memory payment, uint256 index, uint256 pos, bytes memory proof)
        private
        view
        returns (Payment memory)
    {
        Utxo memory output = outputOf(payment, index, pos, proof);
        return pay(list(output), to(bob, ETH, 1));
    }

    function refuses(InFlightExitSpends.ChallengeInputSpentArgs memory args, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(mallory);
        game.challengeInFlightExitInputSpent(args);
    }

    function refuses(InFlightExitSpends.ChallengeOutputSpentArgs memory args, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(mallory);
        game.challengeInFlightExitOutputSpent(args);
    }
}
