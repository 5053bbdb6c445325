// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ExitGameBase} from "../../src/exits/payment/ExitGameBase.sol";
import {InFlightExitProcessing} from "../../src/exits/payment/InFlightExitProcessing.sol";
import {InFlightExitStart} from "../../src/exits/payment/InFlightExitStart.sol";
import {InFlightChain} from "../kit/InFlightChain.sol";
import {bound, clock, skip, vm} from "../kit/Vm.sol";

/// @title Exits of several owners and several tokens, and the entries they leave in queues
///
/// @notice The story. An exit that several people join must enter the queue of each token once. Two ways to get that
/// wrong are hazards of the design of exit queues:
///
/// A. "Has somebody joined for this token?" is answered from who is joined now. An adversary joins first, then proves
///    against himself that what he joined with was spent, which costs him nothing: he gets his own bond. Now nobody
///    seems to have joined, so the next honest owner puts the exit into the queue again. If the priority is the same,
///    the queue refuses the duplicate, and with it everybody else who still wants to join: they lose what they own. If
///    it is not the same, the exit stands in the queue twice.
/// B. All who joined are proved wrong, the exit is deleted, and its entry stays in the queue. Somebody starts the same
///    exit again later. The old entry is long due, so the new exit is paid in the second of its start, before anybody
///    can challenge it, even if what it pays was spent long ago. With several tokens not even a deletion is needed:
///    one token's entry ends the exit while the entry of another token, whose joiners were proved wrong, stays.
///
/// Which invariants hold now:
/// 1. The record remembers for each token that it has an entry, whatever becomes of those who joined.
/// 2. The record lives until the last of its entries is processed. It can not be deleted before, and while it lives the
///    exit can not start again.
/// 3. An entry carries the start time it was made for; a record with another start time is left alone.
/// 4. Nothing leaves until one period after its record was made, whatever the queue says.
contract InFlightStaleEntriesTest is InFlightChain {
    /// @dev Mallory and Alice pay together, so that Mallory is among those who may join.
    function together() private returns (Payment memory) {
        return pay(
            list(depositEth(mallory, 1 ether), depositEth(alice, 2 ether)),
            and(to(mallory, ETH, 1 ether), to(alice, ETH, 2 ether))
        );
    }

    function twoTokens() private returns (Payment memory) {
        return pay(
            list(depositEth(alice, 2 ether), depositToken(mallory, 100)),
            and(to(alice, ETH, 2 ether), to(mallory, address(token), 100))
        );
    }

    // --- A ---

    function testFuzz_honest_owners_join_after_an_adversary_was_proved_wrong(uint256 age, uint256 wait) public {
        Payment memory payment = together();
        skip(bound(age, 0, 3 * MIN_EXIT_PERIOD));
        startIfe(payment, mallory);
        piggybackInput(payment, 0);
        uint256 head = framework.getNextExit(ETH_VAULT_ID, ETH);
        challengeInput(payment, 0, competitorOf(payment), mallory);
        vm.assertEq(ifeOf(payment).exitMap, 0);

        skip(bound(wait, 0, FIRST_PHASE - 1));
        piggybackInput(payment, 1);
        piggybackOutput(payment, 1);
        vm.assertEq(ifeOf(payment).exitMap, 0x22);
        // One entry, the first one.
        vm.assertEq(entriesOf(ETH_VAULT_ID, ETH), 1);
        vm.assertEq(framework.getNextExit(ETH_VAULT_ID, ETH), head);
        vm.warp((head >> 214) + 1);
        processEth(1);
        vm.assertEq(alice.balance, 1_000_000 ether);
        vm.assertEq(entriesOf(ETH_VAULT_ID, ETH), 0);
        vm.assertEq(ifeOf(payment).exitStartTimestamp, 0);
    }

    function test_the_adversary_may_come_and_go_as_he_likes() public {
        Payment memory payment = together();
        startIfe(payment, mallory);
        for (uint256 i = 0; i < 5; ++i) {
            piggybackInput(payment, 0);
            challengeInput(payment, 0, competitorOf(payment), mallory);
            skip(1);
        }
        piggybackOutput(payment, 1);
        vm.assertEq(entriesOf(ETH_VAULT_ID, ETH), 1);
        warpPastExit();
        processEth(10);
        vm.assertEq(alice.balance, 1_000_000 ether);
        vm.assertEq(address(game).balance, 0);
    }

    // --- B ---

    function test_an_exit_is_not_deleted_while_an_entry_of_it_waits() public {
        Payment memory payment = allProvedWrong();
        warpPastFirstPhase();
        uint160 exitId = idOf(payment);
        bytes memory refusal = abi.encodeWithSelector(InFlightExitProcessing.EntryWaiting.selector, exitId);
        vm.expectRevert(refusal);
        game.deleteNonPiggybackedInFlightExit(exitId);
        skip(20 * MIN_EXIT_PERIOD);
        vm.expectRevert(refusal);
        game.deleteNonPiggybackedInFlightExit(exitId);
        refusesStart(payment);
        // Its own entry ends it and returns its bond.
        processEth(1);
        vm.assertEq(ifeOf(payment).exitStartTimestamp, 0);
        vm.assertEq(entriesOf(ETH_VAULT_ID, ETH), 0);
        vm.assertEq(address(game).balance, 0);
    }

    function test_a_restarted_exit_of_something_spent_gives_everybody_time_to_challenge() public {
        Payment memory payment = allProvedWrong();
        skip(20 * MIN_EXIT_PERIOD);
        processEth(1);
        startIfe(payment, mallory);
        piggybackInput(payment, 0);
        challengeCanonicity(payment, competitorOf(payment), carol);
        for (uint256 i = 0; i < 2; ++i) {
            processEth(10);
            vm.assertEq(address(ethVault).balance, 3 ether);
            skip(MIN_EXIT_PERIOD / 2);
        }
        processEth(10);
        vm.assertEq(address(ethVault).balance, 3 ether);
        challengeInput(payment, 0, competitorOf(payment), carol);
        skip(1);
        processEth(10);
        vm.assertEq(address(ethVault).balance, 3 ether);
        vm.assertEq(ifeOf(payment).exitStartTimestamp, 0);
    }

    function test_an_honest_restart_waits_its_whole_period_too() public {
        Payment memory payment = allProvedWrong();
        skip(20 * MIN_EXIT_PERIOD);
        processEth(1);
        startIfe(payment, alice);
        piggybackOutput(payment, 1);
        uint256 start = clock();
        vm.warp(start + MIN_EXIT_PERIOD);
        processEth(10);
        vm.assertEq(address(ethVault).balance, 3 ether);
        skip(1);
        processEth(10);
        vm.assertEq(address(ethVault).balance, 1 ether);
    }

    function test_one_tokens_entry_does_not_end_an_exit_while_another_tokens_waits() public {
        Payment memory payment = twoTokens();
        startIfe(payment, mallory);
        piggybackOutput(payment, 0);
        piggybackOutput(payment, 1);
        (uint256 pos, bytes memory proof) = include(payment);
        Utxo memory output = outputOf(payment, 1, pos, proof);
        challengeOutput(payment, pos + 1, proof, pay(list(output), to(carol, address(token), 100)), carol);
        warpPastExit();
        processEth(1);
        vm.assertEq(alice.balance, 1_000_000 ether);

        // The ETH left, the tokens' entry waits, and so does the record: no second start.
        vm.assertEq(ifeOf(payment).exitMap, 0);
        vm.assertGt(ifeOf(payment).exitStartTimestamp, 0);
        refusesStart(payment);
        uint160 exitId = idOf(payment);
        vm.expectRevert(abi.encodeWithSelector(InFlightExitProcessing.EntryWaiting.selector, exitId));
        game.deleteNonPiggybackedInFlightExit(exitId);
        processToken(1);
        vm.assertEq(ifeOf(payment).exitStartTimestamp, 0);
        vm.assertEq(token.balanceOf(address(erc20Vault)), 100);

        // A second start has to wait and can be challenged, as the first could.
        startIfe(payment, mallory);
        piggybackOutput(payment, 1);
        skip(MIN_EXIT_PERIOD);
        processToken(10);
        vm.assertEq(token.balanceOf(address(erc20Vault)), 100);
        challengeOutput(payment, pos + 1, proof, pay(list(output), to(carol, address(token), 100)), carol);
        skip(1);
        processToken(10);
        vm.assertEq(token.balanceOf(address(erc20Vault)), 100);
    }

    // --- 3 and 4, as if 1 and 2 were broken ---

    function test_an_entry_of_an_earlier_start_does_nothing_to_a_later_one() public {
        Payment memory payment = allProvedWrong();
        uint64 firstStart = ifeOf(payment).exitStartTimestamp;
        skip(20 * MIN_EXIT_PERIOD);
        processEth(1);
        startIfe(payment, mallory);
        piggybackInput(payment, 0);
        skip(3 * MIN_EXIT_PERIOD);
        bytes32 before = keccak256(abi.encode(ifeOf(payment)));
        omitted(payment, ETH, firstStart);
        vm.assertEq(keccak256(abi.encode(ifeOf(payment))), before);
        vm.assertEq(address(ethVault).balance, 3 ether);
    }

    function test_an_entry_of_a_token_that_does_not_wait_does_nothing() public {
        Payment memory payment = twoTokens();
        startIfe(payment, mallory);
        piggybackOutput(payment, 0);
        uint64 start = ifeOf(payment).exitStartTimestamp;
        warpPastExit();
        omitted(payment, address(token), start);
        omitted(payment, address(this), start);
        processEth(1);
        omitted(payment, ETH, start);
        omitted(payment, ETH, 0);
    }

    function test_the_game_pays_nothing_before_a_period_after_the_start() public {
        Payment memory payment = together();
        startIfe(payment, mallory);
        piggybackOutput(payment, 1);
        (uint160 exitId, uint64 start) = (idOf(payment), ifeOf(payment).exitStartTimestamp);
        uint256 dueAfter = start + MIN_EXIT_PERIOD;
        vm.warp(dueAfter);
        vm.expectRevert(abi.encodeWithSelector(ExitGameBase.ExitNotDue.selector, exitId, dueAfter));
        vm.prank(address(framework));
        game.processExit(exitId, ETH_VAULT_ID, ETH, start);
        skip(1);
        vm.prank(address(framework));
        game.processExit(exitId, ETH_VAULT_ID, ETH, start);
        vm.assertEq(alice.balance, 1_000_000 ether);
    }

    // --- helpers ---

    /// @dev Mallory alone joined, and was proved wrong.
    function allProvedWrong() private returns (Payment memory payment) {
        payment = together();
        startIfe(payment, mallory);
        piggybackInput(payment, 0);
        challengeInput(payment, 0, competitorOf(payment), mallory);
        vm.assertEq(entriesOf(ETH_VAULT_ID, ETH), 1);
    }

    function refusesStart(Payment memory payment) private {
        InFlightExitStart.StartInFlightExitArgs memory args = startArgs(payment);
        vm.expectRevert(abi.encodeWithSelector(ExitGameBase.ExitStartedBefore.selector, idOf(payment)));
        vm.prank(mallory);
        game.startInFlightExit{value: IFE_BOND}(args);
    }

    function omitted(Payment memory payment, address currency, uint64 startedAt) private {
        uint160 exitId = idOf(payment);
        vm.expectEmit(address(game));
        emit InFlightExitProcessing.InFlightExitOmitted(exitId, currency);
        vm.prank(address(framework));
        game.processExit(exitId, ETH_VAULT_ID, currency, startedAt);
    }
}
