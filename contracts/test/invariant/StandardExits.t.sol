// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../kit/Vm.sol";
import {Players} from "./Players.sol";

/// @title Whatever is played, in whatever order, the books balance
/// @notice Beside what is checked here after every move, the players check at each payout that it comes in queue order,
///         once, to an unspent output, and not before its time.
contract StandardExitsInvariantTest {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Players private players;

    function setUp() public {
        players = new Players();
        players.setUp();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(players);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0].addr = address(players);
        bytes4[] memory moves = new bytes4[](14);
        (moves[0], moves[1], moves[2]) = (players.deposit.selector, players.deposit.selector, players.pay.selector);
        (moves[3], moves[4], moves[5]) = (players.pay.selector, players.start.selector, players.start.selector);
        (moves[6], moves[7], moves[8]) = (players.challenge.selector, players.process.selector, players.wait.selector);
        (moves[9], moves[10]) = (players.wait.selector, players.turnMoody.selector);
        (moves[11], moves[12]) = (players.claimCredit.selector, players.misbehave.selector);
        moves[13] = players.startAgain.selector;
        targets[0].selectors = moves;
    }

    function invariant_vaults_cover_owners_and_bonds_are_all_there_and_every_exit_is_queued_once() public view {
        players.checkVaults();
        players.checkBonds();
        players.checkQueues();
    }

    /// @dev At the end of each run, everybody gets out.
    function afterInvariant() public {
        players.everybodyLeaves();
        vm.assertTrue(players.isEverybodyGone());
    }
}
