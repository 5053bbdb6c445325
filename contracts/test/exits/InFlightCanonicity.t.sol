// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PaymentSpend} from "../../src/exits/conditions/PaymentSpend.sol";
import {ExitGameBase} from "../../src/exits/payment/ExitGameBase.sol";
import {InFlightExitCanonicity} from "../../src/exits/payment/InFlightExitCanonicity.sol";
import {InFlightExits} from "../../src/exits/payment/InFlightExits.sol";
import {InFlightExitSpends} from "../../src/exits/payment/InFlightExitSpends.sol";
import {Merkle} from "../../src/utils/Merkle.sol";
import {Encode} from "../kit/Encode.sol";
import {InFlightChain} from "../kit/InFlightChain.sol";
import {bound, skip, vm} from "../kit/Vm.sol";

contract InFlightCanonicityTest is InFlightChain {
    Utxo private utxo;
    Utxo private other;

    function setUp() public override {
        super.setUp();
        utxo = depositEth(alice, 2 ether);
        other = depositEth(bob, 1 ether);
    }

    // --- challenges ---

    function test_a_competitor_that_no_block_holds_makes_the_exit_non_canonical() public {
        Payment memory payment = started();
        Payment memory competitor = competitorOf(payment);
        vm.expectEmit(address(game));
        emit InFlightExitCanonicity.InFlightExitChallenged(
            mallory,
            keccak256(payment.rawTx),
            type(uint256).max,
            idOf(payment),
            0,
            competitor.rawTx,
            0,
            competitor.witnesses[0]
        );
        challengeCanonicity(payment, competitor, mallory);
        InFlightExits.InFlightExit memory exit = ifeOf(payment);
        vm.assertFalse(exit.isCanonical);
        vm.assertEq(exit.oldestCompetitorPosition, type(uint256).max);
        vm.assertEq(exit.bondOwner, mallory);
    }

    function test_an_included_competitor_makes_the_exit_non_canonical() public {
        Payment memory payment = started();
        Payment memory competitor = competitorOf(payment);
        (uint256 pos, bytes memory proof) = include(competitor);
        InFlightExitCanonicity.ChallengeCanonicityArgs memory args = canonicityArgs(payment, 0, competitor);
        (args.competingTxPos, args.competingTxInclusionProof) = (pos, proof);
        vm.expectEmit(address(game));
        emit InFlightExitCanonicity.InFlightExitChallenged(
            mallory, keccak256(payment.rawTx), pos, idOf(payment), 0, competitor.rawTx, 0, competitor.witnesses[0]
        );
        vm.prank(mallory);
        game.challengeInFlightExitNotCanonical(args);
        vm.assertEq(ifeOf(payment).oldestCompetitorPosition, pos);
        vm.assertFalse(ifeOf(payment).isCanonical);
    }

    function test_any_input_can_be_contested_by_any_input_of_a_competitor() public {
        Payment memory payment = started();
        Utxo memory third = depositEth(carol, 1 ether);
        Payment memory competitor = pay(list(third, other), to(carol, ETH, 2 ether));
        InFlightExitCanonicity.ChallengeCanonicityArgs memory args = canonicityArgs(payment, 1, competitor);
        (args.competingTxInputIndex, args.competingTxWitness) = (1, competitor.witnesses[1]);
        game.challengeInFlightExitNotCanonical(args);
        vm.assertFalse(ifeOf(payment).isCanonical);
    }

    function test_included_inputs_are_contested_alike() public {
        Utxo memory paid = includePayment(utxo, carol);
        Payment memory payment = pay(list(paid), to(bob, ETH, 2 ether));
        startIfe(payment, bob);
        challengeCanonicity(payment, competitorOf(payment), mallory);
        vm.assertFalse(ifeOf(payment).isCanonical);
    }

    function testFuzz_each_competitor_must_be_older_than_the_one_before(uint256 first, uint256 second) public {
        Payment memory payment = started();
        Payment memory competitor = competitorOf(payment);
        uint256[3] memory positions;
        bytes[3] memory proofs;
        for (uint256 i = 1; i < 3; ++i) {
            (positions[i], proofs[i]) = include(competitor);
        }
        (first, second) = (bound(first, 0, 2), bound(second, 0, 2));
        challengeCanonicity(payment, competitor, positions[first], proofs[first], mallory);
        // 0 is the youngest: no block holds it.
        uint256[3] memory ages = [uint256(type(uint72).max), positions[1], positions[2]];
        if (ages[second] >= ages[first]) {
            InFlightExitCanonicity.ChallengeCanonicityArgs memory args = canonicityArgs(payment, 0, competitor);
            (args.competingTxPos, args.competingTxInclusionProof) = (positions[second], proofs[second]);
            refuses(
                args,
                abi.encodeWithSelector(InFlightExitCanonicity.CompetitorNotOlder.selector, ages[second], ages[first])
            );
        } else {
            challengeCanonicity(payment, competitor, positions[second], proofs[second], carol);
            vm.assertEq(ifeOf(payment).bondOwner, carol);
            vm.assertEq(ifeOf(payment).oldestCompetitorPosition, positions[second]);
        }
    }

    function test_challenges_end_with_the_first_phase() public {
        Payment memory payment = started();
        InFlightExitCanonicity.ChallengeCanonicityArgs memory args = canonicityArgs(payment, 0, competitorOf(payment));
        uint256 end = ifeOf(payment).exitStartTimestamp + FIRST_PHASE;
        vm.warp(end);
        refuses(args, abi.encodeWithSelector(InFlightExits.FirstPhaseOver.selector, end));
        vm.warp(end - 1);
        game.challengeInFlightExitNotCanonical(args);
    }

    function test_there_must_be_an_exit() public {
        Payment memory payment = pay(list(utxo), to(bob, ETH, 2 ether));
        refuses(
            canonicityArgs(payment, 0, competitorOf(payment)),
            abi.encodeWithSelector(InFlightExits.InFlightExitNotFound.selector, idOf(payment))
        );
    }

    /// @dev Ids hold 151 bits of a hash. Whoever finds two payments with one id must not answer for one with the other:
    ///      the inclusion of something harmless would let something spent leave.
    function test_another_transaction_with_the_same_id_is_not_the_exits() public {
        Payment memory payment = started();
        challengeCanonicity(payment, competitorOf(payment), mallory);
        Payment memory twin = pay(list(other), to(bob, ETH, 1 ether));
        (uint256 pos, bytes memory proof) = include(twin);
        // As if the twin's id were the same: its place in the mapping holds the exit's record.
        for (uint256 slot = 0; slot < 40; ++slot) {
            vm.store(
                address(game),
                bytes32(uint256(recordSlot(idOf(twin))) + slot),
                vm.load(address(game), bytes32(uint256(recordSlot(idOf(payment))) + slot))
            );
        }
        vm.assertEq(ifeOf(twin).exitStartTimestamp, ifeOf(payment).exitStartTimestamp);
        refusesResponse(
            twin, pos, proof, abi.encodeWithSelector(InFlightExits.InFlightExitNotFound.selector, idOf(twin))
        );
    }

    function test_a_transaction_does_not_compete_with_itself() public {
        Payment memory payment = started();
        refuses(canonicityArgs(payment, 0, payment), abi.encodePacked(InFlightExits.SpendIsInFlightTx.selector));
    }

    function test_there_must_be_such_an_input() public {
        Payment memory payment = started();
        InFlightExitCanonicity.ChallengeCanonicityArgs memory args = canonicityArgs(payment, 0, competitorOf(payment));
        for (uint16 index = 2; index < 6; ++index) {
            args.inFlightTxInputIndex = index;
            refuses(args, abi.encodeWithSelector(InFlightExits.InputIndexOutOfRange.selector, index));
        }
    }

    function test_the_contested_input_is_the_exits_own() public {
        Payment memory payment = started();
        InFlightExitCanonicity.ChallengeCanonicityArgs memory args = canonicityArgs(payment, 0, competitorOf(payment));
        args.inFlightTxInputIndex = 1;
        refuses(args, abi.encodeWithSelector(InFlightExitSpends.InputPositionIsAnother.selector, utxo.pos, other.pos));
        args.inFlightTxInputIndex = 0;
        args.inputTx = other.rawTx;
        bytes32 given = keccak256(abi.encodePacked(other.rawTx, uint256(0), utxo.pos));
        refuses(args, abi.encodeWithSelector(ExitGameBase.OutputIsAnother.selector, given, outputIdOf(utxo)));
    }

    /// @dev A reorganisation of the root chain moves a block; its payments get other positions. What an owner signed
    ///      for the old position spends nothing.
    function test_a_spend_of_the_same_bytes_at_another_position_is_no_competitor() public {
        Utxo memory paid = includePayment(utxo, carol);
        Payment memory payment = pay(list(paid), to(bob, ETH, 2 ether));
        startIfe(payment, bob);
        Utxo memory moved = paid;
        moved.pos += 1000 * 1e9;
        Payment memory competitor = pay(list(moved), to(carol, ETH, 2 ether));
        InFlightExitCanonicity.ChallengeCanonicityArgs memory args = canonicityArgs(payment, 0, competitor);
        args.inputUtxoPos = moved.pos;
        refuses(
            args,
            abi.encodeWithSelector(
                InFlightExitSpends.InputPositionIsAnother.selector, moved.pos, moved.pos - 1000 * 1e9
            )
        );
    }

    function test_a_competitor_is_signed_and_spends_the_input() public {
        Payment memory payment = started();
        Payment memory competitor = competitorOf(payment);
        InFlightExitCanonicity.ChallengeCanonicityArgs memory args = canonicityArgs(payment, 0, competitor);
        args.competingTxWitness = sign("mallory", digestOf(Encode.one(utxo.pos), competitor.outs, "another"));
        refuses(args, abi.encodeWithSelector(PaymentSpend.SignerNotOwner.selector, mallory, alice));
        args = canonicityArgs(payment, 0, pay(list(other), to(bob, ETH, 1)));
        refuses(args, abi.encodeWithSelector(PaymentSpend.InputPointsElsewhere.selector, other.pos, utxo.pos));
    }

    function test_a_competitor_is_of_a_type_with_a_game_and_a_condition() public {
        Payment memory payment = started();
        InFlightExitCanonicity.ChallengeCanonicityArgs memory args = canonicityArgs(payment, 0, competitorOf(payment));
        args.competingTx = Encode.payment(2, Encode.one(utxo.pos), payment.outs, Encode.NO_METADATA);
        refuses(args, abi.encodeWithSelector(ExitGameBase.ProtocolNotMoreVp.selector, 2, 0));
        args.competingTx = Encode.payment(3, Encode.one(utxo.pos), payment.outs, Encode.NO_METADATA);
        refuses(args, abi.encodeWithSelector(ExitGameBase.SpendingConditionNotFound.selector, 1, 3));
    }

    function test_the_block_of_an_included_competitor_holds_it() public {
        Payment memory payment = started();
        Payment memory competitor = competitorOf(payment);
        (uint256 pos, bytes memory proof) = include(competitor);
        InFlightExitCanonicity.ChallengeCanonicityArgs memory args = canonicityArgs(payment, 0, competitor);
        (args.competingTxPos, args.competingTxInclusionProof) = (pos + 1, proof);
        refuses(args, abi.encodeWithSelector(InFlightExits.PositionNotOfTransaction.selector, pos + 1));
        args.competingTxPos = pos + 1e4;
        refuses(args, abi.encodeWithSelector(ExitGameBase.TransactionNotIncluded.selector, pos / 1e9, 1));
        args.competingTxPos = pos + 1e12;
        refuses(args, abi.encodeWithSelector(ExitGameBase.BlockNotFound.selector, pos / 1e9 + 1000));
        (args.competingTxPos, args.competingTxInclusionProof) = (pos, "");
        refuses(args, abi.encodePacked(Merkle.MerkleProofEmpty.selector));
    }

    // --- responses ---

    function test_inclusion_answers_a_competitor_that_no_block_holds() public {
        Payment memory payment = started();
        challengeCanonicity(payment, competitorOf(payment), mallory);
        (uint256 pos, bytes memory proof) = include(payment);
        vm.expectEmit(address(game));
        emit InFlightExitCanonicity.InFlightExitChallengeResponded(carol, keccak256(payment.rawTx), pos, idOf(payment));
        respond(payment, pos, proof, carol);
        InFlightExits.InFlightExit memory exit = ifeOf(payment);
        vm.assertTrue(exit.isCanonical);
        vm.assertEq(exit.oldestCompetitorPosition, pos);
        vm.assertEq(exit.bondOwner, carol);
    }

    function test_an_older_block_answers_an_included_competitor_and_a_younger_does_not() public {
        Payment memory payment = started();
        Payment memory competitor = competitorOf(payment);
        (uint256 older, bytes memory olderProof) = include(payment);
        (uint256 pos, bytes memory proof) = include(competitor);
        (uint256 younger, bytes memory youngerProof) = include(payment);
        challengeCanonicity(payment, competitor, pos, proof, mallory);
        refusesResponse(
            payment,
            younger,
            youngerProof,
            abi.encodeWithSelector(InFlightExitCanonicity.ResponseNotOlder.selector, younger, pos)
        );
        respond(payment, older, olderProof, carol);
        vm.assertTrue(ifeOf(payment).isCanonical);
        // What was answered can not be challenged again with the same, and not answered twice.
        InFlightExitCanonicity.ChallengeCanonicityArgs memory args = canonicityArgs(payment, 0, competitor);
        (args.competingTxPos, args.competingTxInclusionProof) = (pos, proof);
        refuses(args, abi.encodeWithSelector(InFlightExitCanonicity.CompetitorNotOlder.selector, pos, older));
        refusesResponse(
            payment,
            older,
            olderProof,
            abi.encodeWithSelector(InFlightExitCanonicity.ResponseNotOlder.selector, older, older)
        );
    }

    function test_an_older_competitor_challenges_what_was_answered() public {
        Payment memory payment = started();
        Payment memory competitor = competitorOf(payment);
        (uint256 older, bytes memory olderProof) = include(competitor);
        (uint256 pos, bytes memory proof) = include(payment);
        challengeCanonicity(payment, competitor, mallory);
        respond(payment, pos, proof, carol);
        challengeCanonicity(payment, competitor, older, olderProof, mallory);
        vm.assertFalse(ifeOf(payment).isCanonical);
        vm.assertEq(ifeOf(payment).bondOwner, mallory);
    }

    function test_responses_have_no_deadline_but_processing() public {
        Payment memory payment = started();
        piggybackOutput(payment, 0);
        challengeCanonicity(payment, competitorOf(payment), mallory);
        (uint256 pos, bytes memory proof) = include(payment);
        skip(10 * MIN_EXIT_PERIOD);
        respond(payment, pos, proof, carol);
        processEth(1);
        vm.assertEq(carol.balance, 1_000_000 ether + IFE_BOND + 3 ether);
        refusesResponse(
            payment, pos, proof, abi.encodeWithSelector(InFlightExits.InFlightExitNotFound.selector, idOf(payment))
        );
    }

    function test_there_must_be_something_to_answer_and_a_proof() public {
        Payment memory payment = started();
        (uint256 pos, bytes memory proof) = include(payment);
        bytes4 refusal = InFlightExitCanonicity.ResponseNotOlder.selector;
        refusesResponse(payment, pos, proof, abi.encodeWithSelector(refusal, pos, 0));
        refusesResponse(payment, 0, proof, abi.encodeWithSelector(refusal, 0, 0));
        challengeCanonicity(payment, competitorOf(payment), mallory);
        refusesResponse(
            payment, pos + 1, proof, abi.encodeWithSelector(InFlightExits.PositionNotOfTransaction.selector, pos + 1)
        );
        refusesResponse(
            payment, pos + 1e12, proof, abi.encodeWithSelector(ExitGameBase.BlockNotFound.selector, pos / 1e9 + 1000)
        );
        refusesResponse(
            payment,
            pos + 1e4,
            proof,
            abi.encodeWithSelector(ExitGameBase.TransactionNotIncluded.selector, pos / 1e9, 1)
        );
        refusesResponse(payment, 0, proof, abi.encodeWithSelector(ExitGameBase.BlockNotFound.selector, 0));
    }

    /// @dev Carol gets what Alice and Bob have.
    function started() private returns (Payment memory payment) {
        payment = pay(list(utxo, other), to(carol, ETH, 3 ether));
        startIfe(payment, alice);
    }

    /// @dev Where the record lies: the slot that the view reads first.
    function recordSlot(uint160 exitId) private returns (bytes32) {
        uint160[] memory ids = new uint160[](1);
        ids[0] = exitId;
        vm.record();
        game.inFlightExits(ids);
        (bytes32[] memory reads,) = vm.accesses(address(game));
        return reads[0];
    }

    function refuses(InFlightExitCanonicity.ChallengeCanonicityArgs memory args, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(mallory);
        game.challengeInFlightExitNotCanonical(args);
    }

    function refusesResponse(Payment memory payment, uint256 pos, bytes memory proof, bytes memory reason) private {
        vm.expectRevert(reason);
        game.respondToNonCanonicalChallenge(payment.rawTx, pos, proof);
    }
}
