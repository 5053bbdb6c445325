// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../kit/Vm.sol";
import {FlightPlayers} from "./FlightPlayers.sol";

/// @title Whatever is played, in whatever order, the books balance
/// @notice Beside what is checked here after every move, the players check at each payout that it comes in queue order,
///         once, to an unspent output, and not before its time.
/// forge-config: default.invariant.depth = 160
contract InFlightExitsInvariantTest {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    FlightPlayers private players;

    function setUp() public {
        players = new FlightPlayers();
        players.setUp();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(players);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0].addr = address(players);
        bytes4[] memory moves = new bytes4[](22);
        (moves[0], moves[1], moves[2]) = (players.deposit.selector, players.deposit.selector, players.pay.selector);
        (moves[3], moves[4], moves[5]) = (players.pay.selector, players.start.selector, players.challenge.selector);
        (moves[6], moves[7], moves[8]) = (players.process.selector, players.wait.selector, players.wait.selector);
        (moves[9], moves[10]) = (players.turnMoody.selector, players.claimCredit.selector);
        (moves[11], moves[12]) = (players.startInFlight.selector, players.startInFlight.selector);
        (moves[13], moves[14]) = (players.startIncluded.selector, players.restart.selector);
        (moves[15], moves[16]) = (players.join.selector, players.join.selector);
        (moves[17], moves[18]) = (players.join.selector, players.contest.selector);
        (moves[19], moves[20]) = (players.remove.selector, players.misbehaveInFlight.selector);
        moves[21] = players.process.selector;
        targets[0].selectors = moves;
    }

    function invariant_vaults_cover_owners_and_bonds_are_all_there_and_every_exit_is_queued_once_per_token()
        public
        view
    {
        players.checkVaults();
        players.checkBonds();
        players.checkQueues();
        players.checkFlights();
    }

    /// @dev At the end of each run, everybody gets out.
    function afterInvariant() public {
        players.everybodyLeaves();
        vm.assertTrue(players.isEverybodyGone());
    }
}
