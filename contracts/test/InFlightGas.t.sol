// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Encode} from "./kit/Encode.sol";
import {InFlightChain} from "./kit/InFlightChain.sol";
import {vm} from "./kit/Vm.sol";

/// @title What each call of an in-flight exit costs, beside what it cost in contracts v1
/// @notice Measured like GasTest, and written to the same files.
/// forge-config: default.isolate = true
contract InFlightGasTest is InFlightChain {
    /// @dev Writes down the call just made. `v1` is the least that call cost in contracts v1.
    function measure(string memory name, uint256 v1) private {
        uint256 used = vm.snapshotGasLastCall("contracts", name);
        vm.snapshotValue("contracts-v1", name, v1);
        vm.assertLt(used, v1, name);
    }

    function test_gas_of_one_input_and_output() public {
        Payment memory payment = square(1);
        startIfe(payment, carol);
        measure("startInFlightExit 1 in/1 out (deposits)", 575735);
        piggybackOutput(payment, 0);
        measure("piggyback outputs of 1x1, first", 327895);
        piggybackInput(payment, 0);
        measure("piggyback input (same token, no enqueue)", 215399);
        warpPastExit();
        processEth(1);
        measure("processExits IFE canonical 1x1, output and input piggybacked", 386643);
    }

    function test_gas_of_processing_one_input_and_output() public {
        Payment memory payment = square(1);
        startIfe(payment, carol);
        piggybackOutput(payment, 0);
        warpPastExit();
        processEth(1);
        measure("processExits IFE canonical 1x1, all outputs piggybacked", 386643);
    }

    function test_gas_of_two_inputs_and_outputs() public {
        Payment memory payment = square(2);
        startIfe(payment, carol);
        measure("startInFlightExit 2 in/2 out (deposits)", 986634);
        joinAll(payment);
        measure("piggyback outputs of 2x2, later", 214068);
        warpPastExit();
        processEth(1);
        measure("processExits IFE canonical 2x2, all outputs piggybacked", 440641);
    }

    function test_gas_of_three_inputs_and_outputs() public {
        Payment memory payment = square(3);
        startIfe(payment, carol);
        measure("startInFlightExit 3 in/3 out (deposits)", 1429443);
        joinAll(payment);
        warpPastExit();
        processEth(1);
        measure("processExits IFE canonical 3x3, all outputs piggybacked", 509312);
    }

    function test_gas_of_four_inputs_and_outputs() public {
        Payment memory payment = square(4);
        startIfe(payment, carol);
        measure("startInFlightExit 4 in/4 out (deposits)", 1908614);
        joinAll(payment);
        measure("piggyback outputs of 4x4, later", 216771);
        warpPastExit();
        processEth(1);
        measure("processExits IFE canonical 4x4, all outputs piggybacked", 579391);
    }

    function test_gas_of_included_inputs() public {
        Utxo memory one = includePayment(depositEth(alice, 1 ether), alice);
        Utxo memory other = includePayment(depositEth(bob, 1 ether), bob);
        Payment memory payment = pay(list(one, other), and(to(carol, ETH, 1 ether), to(mallory, ETH, 1 ether)));
        startIfe(payment, carol);
        measure("startInFlightExit 2 in/2 out", 1033150);
        payment = pay(list(one, other), to(carol, ETH, 1 ether));
        startIfe(payment, carol);
        measure("startInFlightExit 2 in/1 out", 854411);
        payment = pay(list(one), and(to(carol, ETH, 0.4 ether), to(mallory, ETH, 0.6 ether)));
        startIfe(payment, carol);
        measure("startInFlightExit 1 in/2 out", 692191);
        piggybackOutput(payment, 0);
        measure("piggyback output (first of token, enqueues)", 313991);
        piggybackOutput(payment, 1);
        measure("piggyback output (same token, no enqueue)", 214421);
    }

    function test_gas_of_canonicity() public {
        Payment memory payment = square(2);
        startIfe(payment, carol);
        piggybackInput(payment, 0);
        piggybackInput(payment, 1);
        Payment memory competitor = competitorOf(payment);
        (uint256 older, bytes memory olderProof) = include(payment);
        (uint256 pos, bytes memory proof) = include(competitor);
        challengeCanonicity(payment, competitor, mallory);
        measure("challengeInFlightExitNotCanonical (in-flight competitor)", 324509);
        challengeCanonicity(payment, competitor, pos, proof, mallory);
        measure("challengeInFlightExitNotCanonical (included competitor)", 337652);
        challengeInput(payment, 0, competitor, mallory);
        measure("challengeInFlightExitInputSpent", 340550);
        uint256 snapshot = vm.snapshotState();
        warpPastExit();
        processEth(1);
        measure("processExits IFE non canonical", 357396);
        vm.revertToState(snapshot);
        respond(payment, older, olderProof, carol);
        measure("respondToNonCanonicalChallenge", 96612);
    }

    function test_gas_of_spent_outputs() public {
        Payment memory payment = square(2);
        startIfe(payment, carol);
        piggybackOutput(payment, 0);
        (uint256 pos, bytes memory proof) = include(payment);
        Payment memory spend = pay(list(outputOf(payment, 0, pos, proof)), to(bob, ETH, 1));
        challengeOutput(payment, pos, proof, spend, mallory);
        measure("challengeInFlightExitOutputSpent", 390511);
        warpPastExit();
        processEth(1);
        measure("processExits IFE with nothing left", 330803);
    }

    function test_gas_of_deletion() public {
        Payment memory payment = square(1);
        startIfe(payment, carol);
        warpPastFirstPhase();
        game.deleteNonPiggybackedInFlightExit(idOf(payment));
        measure("deleteNonPiggybackedInFlightExit", 158106);
    }

    function test_gas_of_two_tokens() public {
        Payment memory payment = pay(
            list(depositEth(alice, 1 ether), depositToken(bob, 100)),
            and(to(carol, ETH, 1 ether), to(mallory, address(token), 100))
        );
        startIfe(payment, carol);
        measure("startInFlightExit 2 in/2 out ETH+ERC20", 1022660);
        joinAll(payment);
        warpPastExit();
        processEth(1);
        measure("processExits IFE two tokens: ETH", 400300);
        processToken(1);
        measure("processExits IFE two tokens: ERC20", 365164);
    }

    function test_gas_of_claimed_fees() public {
        bytes memory feeTx = Encode.feeClaim(carol, ETH, 5, bytes32(0));
        uint256 pos = includeAll(txs(feeTx)) * 1e9;
        Utxo memory fee = Utxo(pos, feeTx, depositUtxo(carol, ETH, 5).proof, carol, ETH, 5);
        startIfe(pay(list(fee), to(bob, ETH, 5)), carol);
        measure("startInFlightExit 1 fee input/1 out", 576639);
    }

    /// @dev A payment of `count` deposits by different people to as many others.
    function square(uint256 count) private returns (Payment memory) {
        Utxo[] memory inputs = new Utxo[](count);
        Encode.Output[] memory outs = new Encode.Output[](count);
        for (uint256 i = 0; i < count; ++i) {
            inputs[i] = depositEth([alice, bob, carol, mallory][i], 1 ether);
            outs[i] = Encode.Output(1, [bob, carol, mallory, alice][i], ETH, 1 ether);
        }
        return pay(inputs, outs);
    }

    function joinAll(Payment memory payment) private {
        for (uint16 i = 0; i < payment.outs.length; ++i) {
            piggybackOutput(payment, i);
        }
    }
}
