// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PaymentSpend} from "../../src/exits/conditions/PaymentSpend.sol";
import {ExitGameBase} from "../../src/exits/payment/ExitGameBase.sol";
import {StandardExits} from "../../src/exits/payment/StandardExits.sol";
import {Rlp} from "../../src/transactions/Rlp.sol";
import {EthCredits} from "../../src/utils/EthCredits.sol";
import {Encode} from "../kit/Encode.sol";
import {MoodyWallet} from "../kit/Hostile.sol";
import {TestChain} from "../kit/TestChain.sol";
import {skip, vm} from "../kit/Vm.sol";

/// @title Challenging a standard exit
contract StandardExitChallengeTest is TestChain {
    Utxo private utxo;
    uint160 private exitId;

    function setUp() public override {
        super.setUp();
        utxo = includePayment(depositEth(alice, 1 ether), bob);
        exitId = startExit(utxo);
    }

    function test_a_spend_stops_the_exit_and_earns_the_bond() public {
        uint256 before = carol.balance;
        StandardExits.ChallengeStandardExitArgs memory args = challengeArgs(utxo, "bob", carol);
        vm.expectEmit(address(game));
        emit StandardExits.ExitChallenged(utxo.pos);
        vm.prank(carol);
        game.challengeStandardExit(args);
        vm.assertEq(carol.balance, before + SE_BOND);
        vm.assertEq(address(game).balance, 0);
        StandardExits.StandardExit memory exit = exitOf(exitId);
        vm.assertFalse(exit.exitable);
        vm.assertEq(exit.utxoPos, utxo.pos);
        vm.assertEq(exit.outputId, outputIdOf(utxo));
        vm.assertEq(exit.amount, utxo.amount);
    }

    function test_a_deposit_is_challenged_alike() public {
        Utxo memory deposit = depositEth(alice, 2 ether);
        startExit(deposit);
        challenge(deposit, "alice", carol);
        vm.assertFalse(exitOf(exitIdOf(deposit)).exitable);
    }

    function test_an_exit_is_challenged_even_late_until_it_is_processed() public {
        skip(10 * MIN_EXIT_PERIOD);
        challenge(utxo, "bob", carol);
        processEth(1);
        vm.assertEq(address(ethVault).balance, 1 ether);
    }

    function test_an_exit_is_challenged_once() public {
        challenge(utxo, "bob", carol);
        refuses(
            challengeArgs(utxo, "bob", carol), abi.encodeWithSelector(StandardExits.ExitNotExitable.selector, exitId)
        );
    }

    function test_there_must_be_an_exit() public {
        StandardExits.ChallengeStandardExitArgs memory args = challengeArgs(utxo, "bob", carol);
        args.exitId = exitId + 1;
        refuses(args, abi.encodeWithSelector(StandardExits.ExitNotExitable.selector, exitId + 1));
        warpPastExit();
        processEth(1);
        refuses(
            challengeArgs(utxo, "bob", carol), abi.encodeWithSelector(StandardExits.ExitNotExitable.selector, exitId)
        );
    }

    function test_a_challenge_names_its_sender_so_that_a_copy_is_worthless() public {
        StandardExits.ChallengeStandardExitArgs memory args = challengeArgs(utxo, "bob", carol);
        vm.expectRevert(abi.encodeWithSelector(ExitGameBase.SenderDataMismatch.selector, args.senderData, mallory));
        vm.prank(mallory);
        game.challengeStandardExit(args);
    }

    function test_the_spend_must_be_signed_by_the_owner() public {
        StandardExits.ChallengeStandardExitArgs memory args = challengeArgs(utxo, "mallory", carol);
        refuses(args, abi.encodeWithSelector(PaymentSpend.SignerNotOwner.selector, mallory, bob));
        args.witness = "";
        refuses(args, abi.encodePacked(PaymentSpend.SignatureInvalid.selector));
    }

    function test_the_spend_must_point_at_the_exiting_output() public {
        StandardExits.ChallengeStandardExitArgs memory args = challengeArgs(utxo, "bob", carol);
        args.challengeTx = paymentTx(utxo.pos + 1, mallory, ETH, 1 ether);
        refuses(args, abi.encodeWithSelector(PaymentSpend.InputPointsElsewhere.selector, utxo.pos + 1, utxo.pos));
        args = challengeArgs(utxo, "bob", carol);
        args.inputIndex = 1;
        refuses(args, abi.encodeWithSelector(PaymentSpend.InputNotFound.selector, 1));
    }

    function test_the_exiting_transaction_must_be_the_one_that_was_checked() public {
        StandardExits.ChallengeStandardExitArgs memory args = challengeArgs(utxo, "bob", carol);
        args.exitingTx = paymentTx(1e9, mallory, ETH, 1 ether);
        bytes32 given = keccak256(abi.encodePacked(args.exitingTx, uint256(0)));
        refuses(args, abi.encodeWithSelector(ExitGameBase.OutputIsAnother.selector, given, outputIdOf(utxo)));
    }

    function test_the_spend_must_be_of_a_type_that_moreVp_finalizes() public {
        StandardExits.ChallengeStandardExitArgs memory args = challengeArgs(utxo, "bob", carol);
        args.challengeTx = typed(2);
        refuses(args, abi.encodeWithSelector(ExitGameBase.ProtocolNotMoreVp.selector, 2, 0));
        args.challengeTx = "";
        refuses(args, abi.encodePacked(Rlp.RlpOutOfBounds.selector));
    }

    function test_the_spend_must_be_of_a_type_with_a_condition() public {
        StandardExits.ChallengeStandardExitArgs memory args = challengeArgs(utxo, "bob", carol);
        args.challengeTx = typed(3);
        refuses(args, abi.encodeWithSelector(ExitGameBase.SpendingConditionNotFound.selector, 1, 3));
    }

    function test_a_condition_that_says_no_is_heard() public {
        StandardExits.ChallengeStandardExitArgs memory args = challengeArgs(utxo, "bob", carol);
        address condition = address(registry.spendingConditions(1, 1));
        vm.etch(condition, hex"5f5f5260205ff3"); // returns one word of zero, whatever it is asked
        refuses(args, abi.encodePacked(ExitGameBase.SpendingConditionNotMet.selector));
    }

    function test_a_challenger_that_does_not_take_the_bond_gets_a_credit() public {
        MoodyWallet wallet = new MoodyWallet();
        wallet.setMood(MoodyWallet.Mood.NeedMoreGas);
        StandardExits.ChallengeStandardExitArgs memory args = challengeArgs(utxo, "bob", address(wallet));
        vm.expectEmit(address(game));
        emit ExitGameBase.BondReturnFailed(address(wallet), SE_BOND);
        vm.expectEmit(address(game));
        emit EthCredits.CreditAdded(address(wallet), SE_BOND);
        vm.expectEmit(address(game));
        emit StandardExits.ExitChallenged(utxo.pos);
        wallet.execute(address(game), 0, abi.encodeCall(game.challengeStandardExit, (args)));
        game.withdrawCredit(address(wallet), payable(address(wallet)));
        vm.assertEq(wallet.received(), SE_BOND);
        vm.assertEq(address(game).balance, 0);
    }

    function refuses(StandardExits.ChallengeStandardExitArgs memory args, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(carol);
        game.challengeStandardExit(args);
    }

    function typed(uint256 txType) private view returns (bytes memory) {
        return
            Encode.payment(
                txType, Encode.one(utxo.pos), Encode.one(Encode.Output(1, mallory, ETH, 1)), Encode.NO_METADATA
            );
    }
}
