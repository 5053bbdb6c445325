// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PaymentSpend} from "../../src/exits/conditions/PaymentSpend.sol";
import {ExitGameBase} from "../../src/exits/payment/ExitGameBase.sol";
import {InFlightExits} from "../../src/exits/payment/InFlightExits.sol";
import {InFlightExitStart} from "../../src/exits/payment/InFlightExitStart.sol";
import {PaymentTransaction} from "../../src/transactions/PaymentTransaction.sol";
import {WireTransaction} from "../../src/transactions/WireTransaction.sol";
import {Merkle} from "../../src/utils/Merkle.sol";
import {Position} from "../../src/utils/Position.sol";
import {Encode} from "../kit/Encode.sol";
import {InFlightChain} from "../kit/InFlightChain.sol";
import {Tree} from "../kit/Tree.sol";
import {bound, clock, skip, vm} from "../kit/Vm.sol";

contract InFlightStartTest is InFlightChain {
    Utxo private utxo;

    function setUp() public override {
        super.setUp();
        utxo = depositEth(alice, 2 ether);
    }

    function test_anyone_starts_the_exit_of_a_payment_and_everything_is_announced() public {
        Payment memory payment = pay(list(utxo), to(bob, ETH, 2 ether));
        InFlightExitStart.StartInFlightExitArgs memory args = startArgs(payment);
        vm.expectEmit(address(game));
        emit InFlightExitStart.InFlightExitStarted(
            carol,
            keccak256(payment.rawTx),
            idOf(payment),
            uint64(clock()),
            payment.rawTx,
            args.inputUtxosPos,
            args.inFlightTxWitnesses,
            args.inputTxs
        );
        startIfe(payment, carol);

        InFlightExits.InFlightExit memory exit = ifeOf(payment);
        vm.assertTrue(exit.isCanonical);
        vm.assertEq(exit.exitStartTimestamp, clock());
        vm.assertEq(exit.exitMap, 0);
        vm.assertEq(exit.position, utxo.pos);
        vm.assertEq(exit.bondOwner, carol);
        vm.assertEq(exit.bondSize, IFE_BOND);
        vm.assertEq(exit.oldestCompetitorPosition, 0);
        same(exit.inputs[0], outputIdOf(utxo), alice, ETH, 2 ether);
        same(exit.outputs[0], keccak256(abi.encodePacked(payment.rawTx, uint256(0))), bob, ETH, 2 ether);
        for (uint256 i = 1; i < 4; ++i) {
            same(exit.inputs[i], 0, address(0), address(0), 0);
            same(exit.outputs[i], 0, address(0), address(0), 0);
        }
        vm.assertEq(address(game).balance, IFE_BOND);
        vm.assertEq(entriesOf(ETH_VAULT_ID, ETH), 0);
    }

    function test_an_exit_that_is_not_is_all_zero() public view {
        uint160[] memory ids = new uint160[](2);
        ids[0] = 1 << 151;
        InFlightExits.InFlightExit[] memory exits = game.inFlightExits(ids);
        vm.assertEq(exits.length, 2);
        vm.assertEq(keccak256(abi.encode(exits[0])), keccak256(new bytes(47 * 32)));
    }

    function testFuzz_every_number_of_inputs_and_outputs_and_every_amount(uint256 seed, uint8 ins, uint8 outs) public {
        (ins, outs) = (uint8(bound(ins, 1, 4)), uint8(bound(outs, 1, 4)));
        // Per output what its input can cover: input i pays output i, the rest of the outputs take from input 0.
        Utxo[] memory inputs = new Utxo[](ins);
        Encode.Output[] memory outputs = new Encode.Output[](outs);
        for (uint256 i = 0; i < ins; ++i) {
            uint256 amount = bound(uint256(keccak256(abi.encode(seed, i))), 100, type(uint256).max >> (8 + seed % 200));
            bool isToken = seed >> i & 1 == 1;
            // A block of the operator holds whatever it says it holds.
            inputs[i] = madeUp([alice, bob, carol, mallory][i], isToken ? address(token) : ETH, amount);
        }
        for (uint256 i = 0; i < outs; ++i) {
            Utxo memory from = inputs[i < ins ? i : 0];
            outputs[i] = Encode.Output(1, [bob, carol, mallory, alice][i], from.token, from.amount / 4);
        }
        Payment memory payment = pay(inputs, outputs);
        startIfe(payment, mallory);

        InFlightExits.InFlightExit memory exit = ifeOf(payment);
        vm.assertEq(exit.position, inputs[ins - 1].pos);
        for (uint256 i = 0; i < 4; ++i) {
            if (i < ins) {
                same(exit.inputs[i], outputIdOf(inputs[i]), inputs[i].owner, inputs[i].token, inputs[i].amount);
            } else {
                same(exit.inputs[i], 0, address(0), address(0), 0);
            }
            if (i < outs) {
                bytes32 outputId = keccak256(abi.encodePacked(payment.rawTx, i));
                same(exit.outputs[i], outputId, outputs[i].owner, outputs[i].token, outputs[i].amount);
            } else {
                same(exit.outputs[i], 0, address(0), address(0), 0);
            }
        }
    }

    function test_the_youngest_input_gives_the_position_wherever_it_stands() public {
        Utxo memory younger = depositEth(bob, 1 ether);
        Payment memory payment = pay(list(younger, utxo), to(bob, ETH, 3 ether));
        startIfe(payment, bob);
        vm.assertEq(ifeOf(payment).position, younger.pos);
    }

    function test_claimed_fees_are_an_input() public {
        bytes memory feeTx = Encode.feeClaim(carol, ETH, 5, bytes32(0));
        (bytes32 root, bytes memory proof) = Tree.rootAndProof(txs(feeTx), 16, 0);
        Utxo memory fee = Utxo(submit(root) * 1e9, feeTx, proof, carol, ETH, 5);
        Payment memory payment = pay(list(fee), to(bob, ETH, 5));
        startIfe(payment, carol);
        same(ifeOf(payment).inputs[0], outputIdOf(fee), carol, ETH, 5);
    }

    /// @dev Whoever reads events must be able to. A fee claim decodes with any number of outputs behind its first.
    function test_a_fee_claim_made_long_by_its_operator_is_no_input() public {
        uint256 length;
        for (uint256 outs = 20; outs < 24; ++outs) {
            Encode.Output[] memory outputs = new Encode.Output[](outs);
            for (uint256 i = 0; i < outs; ++i) {
                outputs[i] = Encode.Output(2, carol, ETH, 5);
            }
            bytes memory feeTx = Encode.payment(3, new uint256[](0), outputs, Encode.NO_METADATA);
            (bytes32 root, bytes memory proof) = Tree.rootAndProof(txs(feeTx), 16, 0);
            Payment memory payment = pay(list(Utxo(submit(root) * 1e9, feeTx, proof, carol, ETH, 5)), to(bob, ETH, 5));
            length = feeTx.length;
            if (length <= 1024) {
                startIfe(payment, carol);
            } else {
                refuses(
                    startArgs(payment), abi.encodeWithSelector(InFlightExitStart.InputTxTooLong.selector, length, 1024)
                );
            }
        }
        vm.assertGt(length, 1024);
    }

    function test_an_included_payment_exits_in_flight_alike() public {
        Payment memory payment = pay(list(utxo), to(bob, ETH, 2 ether));
        include(payment);
        startIfe(payment, bob);
        vm.assertTrue(ifeOf(payment).isCanonical);
    }

    function test_the_bond_is_exact() public {
        InFlightExitStart.StartInFlightExitArgs memory args = startArgs(pay(list(utxo), to(bob, ETH, 1)));
        for (uint256 value = IFE_BOND - 1; value <= IFE_BOND + 1; value += 2) {
            vm.expectRevert(abi.encodeWithSelector(ExitGameBase.BondNotExact.selector, value, IFE_BOND));
            game.startInFlightExit{value: value}(args);
        }
    }

    function test_an_exit_runs_once_at_a_time() public {
        Payment memory payment = pay(list(utxo), to(bob, ETH, 2 ether));
        uint160 exitId = startIfe(payment, bob);
        refuses(startArgs(payment), abi.encodeWithSelector(ExitGameBase.ExitStartedBefore.selector, exitId));
    }

    function test_only_payments_of_payment_outputs() public {
        Payment memory payment = pay(list(utxo), to(bob, ETH, 2 ether));
        InFlightExitStart.StartInFlightExitArgs memory args = startArgs(payment);
        args.inFlightTx = Encode.payment(2, Encode.one(utxo.pos), payment.outs, Encode.NO_METADATA);
        refuses(args, abi.encodeWithSelector(ExitGameBase.TxTypeNotSupported.selector, 2, 1));
        payment.outs[0].outputType = 2;
        payment = pay(list(utxo), and(to(bob, ETH, 1 ether), payment.outs));
        refuses(startArgs(payment), abi.encodeWithSelector(ExitGameBase.OutputTypeNotSupported.selector, 2, 1));
    }

    function test_a_deposit_is_no_payment_of_something() public {
        Payment memory payment = pay(new Utxo[](0), to(bob, ETH, 2 ether));
        refuses(startArgs(payment), abi.encodePacked(InFlightExitStart.NoInputs.selector));
    }

    function test_five_inputs_are_none_of_ours() public {
        Utxo[] memory inputs = new Utxo[](5);
        for (uint256 i = 0; i < 5; ++i) {
            inputs[i] = depositEth(alice, 1);
        }
        refuses(startArgs(pay(inputs, to(bob, ETH, 1))), abi.encodePacked(PaymentTransaction.TooManyInputs.selector));
    }

    function test_there_is_one_of_everything_for_each_input() public {
        Payment memory payment = pay(list(utxo, depositEth(bob, 1)), to(bob, ETH, 1));
        for (uint256 kind = 0; kind < 4; ++kind) {
            InFlightExitStart.StartInFlightExitArgs memory args = startArgs(payment);
            uint256[4] memory counts = [uint256(2), 2, 2, 2];
            counts[kind] = 1;
            if (kind == 0) args.inputTxs = txs(args.inputTxs[0]);
            else if (kind == 1) args.inputUtxosPos = Encode.one(args.inputUtxosPos[0]);
            else if (kind == 2) args.inputTxsInclusionProofs = txs(args.inputTxsInclusionProofs[0]);
            else args.inFlightTxWitnesses = txs(args.inFlightTxWitnesses[0]);
            refuses(
                args,
                abi.encodeWithSelector(
                    InFlightExitStart.InputCountMismatch.selector, 2, counts[0], counts[1], counts[2], counts[3]
                )
            );
        }
    }

    function test_an_input_is_used_once() public {
        Payment memory payment = pay(list(utxo, utxo), to(bob, ETH, 4 ether));
        refuses(startArgs(payment), abi.encodeWithSelector(InFlightExitStart.InputUsedTwice.selector, 1));
    }

    function test_one_transaction_in_two_blocks_still_makes_one_output() public {
        Utxo memory first = includePayment(utxo, bob);
        uint256 again = submit(Tree.root(txs(first.rawTx), 16)) * 1e9;
        Utxo memory second = Utxo(again, first.rawTx, first.proof, bob, ETH, first.amount);
        Payment memory payment = pay(list(first, second), to(bob, ETH, 4 ether));
        refuses(startArgs(payment), abi.encodeWithSelector(InFlightExitStart.InputUsedTwice.selector, 1));
    }

    function test_two_transactions_at_one_index_of_a_crooked_tree_are_one_input() public {
        // Index 1 is a leaf at depth 1 and another at depth 2.
        bytes memory high = Encode.deposit(bob, ETH, 7 ether);
        bytes memory low = Encode.deposit(bob, ETH, 8 ether);
        bytes32 left = keccak256(abi.encodePacked(uint8(1), bytes32(0), leaf(low)));
        uint256 pos = submit(keccak256(abi.encodePacked(uint8(1), left, leaf(high)))) * 1e9 + 1e4;
        Utxo memory one = Utxo(pos, high, abi.encodePacked(left), bob, ETH, 7 ether);
        Utxo memory other = Utxo(pos, low, abi.encodePacked(bytes32(0), leaf(high)), bob, ETH, 8 ether);
        startIfe(pay(list(one), to(bob, ETH, 7 ether)), bob);
        startIfe(pay(list(other), to(bob, ETH, 8 ether)), bob);
        Payment memory payment = pay(list(one, other), to(bob, ETH, 15 ether));
        refuses(startArgs(payment), abi.encodeWithSelector(InFlightExitStart.InputUsedTwice.selector, 1));
    }

    function test_inputs_are_included() public {
        Payment memory payment = pay(list(utxo), to(bob, ETH, 2 ether));
        InFlightExitStart.StartInFlightExitArgs memory args = startArgs(payment);
        args.inputTxs[0] = Encode.deposit(alice, ETH, 3 ether);
        refuses(args, abi.encodeWithSelector(ExitGameBase.TransactionNotIncluded.selector, utxo.pos / 1e9, 0));
        args = startArgs(payment);
        args.inputTxsInclusionProofs[0] = "";
        refuses(args, abi.encodePacked(Merkle.MerkleProofEmpty.selector));
        args = startArgs(payment);
        args.inputUtxosPos[0] += 1e12;
        refuses(args, abi.encodeWithSelector(ExitGameBase.BlockNotFound.selector, utxo.pos / 1e9 + 1000));
        args = startArgs(payment);
        args.inputUtxosPos[0] = type(uint256).max;
        refuses(args, abi.encodeWithSelector(Position.BlknumTooLarge.selector, type(uint256).max / 1e9));
    }

    function test_inputs_are_outputs_of_their_transactions() public {
        Payment memory payment = pay(list(utxo), to(bob, ETH, 2 ether));
        InFlightExitStart.StartInFlightExitArgs memory args = startArgs(payment);
        args.inputUtxosPos[0] += 1;
        refuses(args, abi.encodeWithSelector(WireTransaction.OutputNotFound.selector, 1));
    }

    function test_a_transaction_of_a_type_without_a_game_makes_no_inputs() public {
        bytes memory rawTx = Encode.payment(4, Encode.one(utxo.pos), to(bob, ETH, 2 ether), Encode.NO_METADATA);
        (bytes32 root, bytes memory proof) = Tree.rootAndProof(txs(rawTx), 16, 0);
        Payment memory payment =
            pay(list(Utxo(submit(root) * 1e9, rawTx, proof, bob, ETH, 2 ether)), to(bob, ETH, 2 ether));
        refuses(startArgs(payment), abi.encodeWithSelector(ExitGameBase.ProtocolNotMoreVp.selector, 4, 0));
    }

    function test_owners_of_the_inputs_signed() public {
        Payment memory payment = pay(list(utxo), to(bob, ETH, 2 ether));
        InFlightExitStart.StartInFlightExitArgs memory args = startArgs(payment);
        args.inFlightTxWitnesses[0] = sign("mallory", digestOf(args.inputUtxosPos, payment.outs, bytes32(0)));
        refuses(args, abi.encodeWithSelector(PaymentSpend.SignerNotOwner.selector, mallory, alice));
        args.inFlightTxWitnesses[0] = "";
        refuses(args, abi.encodePacked(PaymentSpend.SignatureInvalid.selector));
    }

    function test_inputs_stand_in_the_order_of_the_transaction() public {
        Utxo memory other = depositEth(bob, 1 ether);
        Payment memory payment = pay(list(utxo, other), to(bob, ETH, 1 ether));
        payment.inputs = list(other, utxo);
        refuses(
            startArgs(payment), abi.encodeWithSelector(PaymentSpend.InputPointsElsewhere.selector, utxo.pos, other.pos)
        );
    }

    function test_an_output_type_without_a_condition_is_no_input() public {
        bytes memory rawTx = Encode.payment(
            1, Encode.one(utxo.pos), Encode.one(Encode.Output(9, bob, ETH, 2 ether)), Encode.NO_METADATA
        );
        (bytes32 root, bytes memory proof) = Tree.rootAndProof(txs(rawTx), 16, 0);
        Payment memory payment =
            pay(list(Utxo(submit(root) * 1e9, rawTx, proof, bob, ETH, 2 ether)), to(bob, ETH, 2 ether));
        refuses(startArgs(payment), abi.encodeWithSelector(ExitGameBase.SpendingConditionNotFound.selector, 9, 1));
    }

    function test_a_condition_that_says_no_is_heard() public {
        vm.etch(address(registry.spendingConditions(1, 1)), hex"5f5f5260205ff3"); // one word of zero, always
        refuses(
            startArgs(pay(list(utxo), to(bob, ETH, 1))), abi.encodePacked(ExitGameBase.SpendingConditionNotMet.selector)
        );
    }

    function test_nothing_comes_out_of_nothing() public {
        Utxo memory tokens = depositToken(bob, 100);
        bytes memory refusal = abi.encodePacked(InFlightExitStart.StateTransitionIncorrect.selector);
        refuses(startArgs(pay(list(utxo), to(bob, ETH, 2 ether + 1))), refusal);
        refuses(startArgs(pay(list(utxo), to(bob, address(token), 1))), refusal);
        refuses(startArgs(pay(list(utxo, tokens), and(to(bob, ETH, 1), to(bob, address(token), 101)))), refusal);
    }

    function test_garbage_is_refused() public {
        InFlightExitStart.StartInFlightExitArgs memory args = startArgs(pay(list(utxo), to(bob, ETH, 1)));
        args.inFlightTx = bytes.concat(args.inFlightTx, "a");
        vm.expectRevert();
        game.startInFlightExit{value: IFE_BOND}(args);
        args.inFlightTx = "";
        vm.expectRevert();
        game.startInFlightExit{value: IFE_BOND}(args);
    }

    function refuses(InFlightExitStart.StartInFlightExitArgs memory args, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(carol);
        game.startInFlightExit{value: IFE_BOND}(args);
    }

    function madeUp(address owner, address currency, uint256 amount) private returns (Utxo memory) {
        bytes memory rawTx = Encode.deposit(owner, currency, amount);
        (bytes32 root, bytes memory proof) = Tree.rootAndProof(txs(rawTx), 16, 0);
        return Utxo(submit(root) * 1e9, rawTx, proof, owner, currency, amount);
    }

    function leaf(bytes memory rawTx) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(uint8(0), rawTx));
    }

    function same(
        InFlightExits.WithdrawData memory data,
        bytes32 outputId,
        address exitTarget,
        address currency,
        uint256 amount
    ) private pure {
        vm.assertEq(data.outputId, outputId);
        vm.assertEq(data.exitTarget, exitTarget);
        vm.assertEq(data.token, currency);
        vm.assertEq(data.amount, amount);
        vm.assertEq(data.piggybackBondSize, 0);
    }
}
