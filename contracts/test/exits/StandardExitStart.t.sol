// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ExitGameBase} from "../../src/exits/payment/ExitGameBase.sol";
import {PaymentExitGame} from "../../src/exits/payment/PaymentExitGame.sol";
import {StandardExits} from "../../src/exits/payment/StandardExits.sol";
import {ExitGameController} from "../../src/framework/ExitGameController.sol";
import {ExitGameRegistry} from "../../src/framework/ExitGameRegistry.sol";
import {PaymentTransaction} from "../../src/transactions/PaymentTransaction.sol";
import {WireTransaction} from "../../src/transactions/WireTransaction.sol";
import {Merkle} from "../../src/utils/Merkle.sol";
import {Position} from "../../src/utils/Position.sol";
import {Encode} from "../kit/Encode.sol";
import {TestChain} from "../kit/TestChain.sol";
import {Tree} from "../kit/Tree.sol";
import {bound, clock, skip, vm} from "../kit/Vm.sol";

/// @title Starting a standard exit
contract StandardExitStartTest is TestChain {
    function test_a_deposit_waits_one_period() public {
        Utxo memory utxo = depositEth(alice, 1 ether);
        submit(bytes32(uint256(1)));
        skip(MIN_EXIT_PERIOD / 2);
        checkStart(utxo, clock() + MIN_EXIT_PERIOD);
    }

    function test_a_young_payment_waits_two_periods_from_its_block() public {
        Utxo memory utxo = includePayment(depositEth(alice, 1 ether), bob);
        uint256 included = clock();
        skip(MIN_EXIT_PERIOD / 3);
        checkStart(utxo, included + 2 * MIN_EXIT_PERIOD);
    }

    function test_an_old_payment_waits_one_period() public {
        Utxo memory utxo = includePayment(depositEth(alice, 1 ether), bob);
        skip(5 * MIN_EXIT_PERIOD);
        checkStart(utxo, clock() + MIN_EXIT_PERIOD);
    }

    function test_a_token_exit_waits_in_the_tokens_queue() public {
        Utxo memory utxo = depositToken(alice, 100);
        uint160 exitId = startExit(utxo);
        vm.assertEq(uint160(framework.getNextExit(ERC20_VAULT_ID, address(token))), exitId);
    }

    function test_any_output_of_any_transaction_of_a_block_can_exit() public {
        bytes[] memory rawTxs = new bytes[](3);
        for (uint256 i = 0; i < 3; ++i) {
            rawTxs[i] = fourOutputs(i);
        }
        uint256 blknum = includeAll(rawTxs);
        for (uint256 txindex = 0; txindex < 3; ++txindex) {
            (, bytes memory proof) = Tree.rootAndProof(rawTxs, 16, txindex);
            for (uint256 oindex = 0; oindex < 4; ++oindex) {
                uint256 pos = blknum * 1e9 + txindex * 1e4 + oindex;
                uint256 amount = 100 * (txindex + 1) + oindex;
                checkStart(Utxo(pos, rawTxs[txindex], proof, bob, ETH, amount), clock() + 2 * MIN_EXIT_PERIOD);
            }
        }
        vm.assertEq(address(game).balance, 12 * SE_BOND);
    }

    function testFuzz_the_record_keeps_every_amount(uint256 amount) public {
        // No deposit could back most of these; the record must hold them all the same.
        amount = bound(amount, 1, type(uint256).max);
        bytes memory raw = paymentTx(1e9, bob, ETH, amount);
        (bytes32 root, bytes memory proof) = Tree.rootAndProof(txs(raw), 16, 0);
        Utxo memory utxo = Utxo(submit(root) * 1e9, raw, proof, bob, ETH, amount);
        checkStart(utxo, clock() + 2 * MIN_EXIT_PERIOD);
    }

    // --- refusals ---

    function test_the_bond_is_exact() public {
        Utxo memory utxo = depositEth(alice, 1 ether);
        refuses(utxo, SE_BOND - 1, abi.encodeWithSelector(ExitGameBase.BondNotExact.selector, SE_BOND - 1, SE_BOND));
        refuses(utxo, SE_BOND + 1, abi.encodeWithSelector(ExitGameBase.BondNotExact.selector, SE_BOND + 1, SE_BOND));
        refuses(utxo, 0, abi.encodeWithSelector(ExitGameBase.BondNotExact.selector, 0, SE_BOND));
    }

    function test_only_the_owner_starts() public {
        Utxo memory utxo = depositEth(alice, 1 ether);
        utxo.owner = mallory;
        refuses(utxo, abi.encodeWithSelector(StandardExits.NotOutputOwner.selector, mallory, alice));
    }

    /// A payment can name an output type that no spending condition for payments covers. Its owner could spend it on the
    /// child chain and leave with it as well: no challenge would ever be accepted, and the vault would pay twice.
    function test_a_payment_leaves_with_payment_outputs_only() public {
        uint256[2] memory others = [uint256(2), 7];
        for (uint256 i = 0; i < others.length; ++i) {
            bytes memory raw = Encode.payment(
                1, Encode.one(1e9), Encode.one(Encode.Output(others[i], bob, ETH, 1)), Encode.NO_METADATA
            );
            (bytes32 root, bytes memory proof) = Tree.rootAndProof(txs(raw), 16, 0);
            Utxo memory utxo = Utxo(submit(root) * 1e9, raw, proof, bob, ETH, 1);
            refuses(utxo, abi.encodeWithSelector(ExitGameBase.OutputTypeNotSupported.selector, others[i], 1));
        }
    }

    function test_the_position_must_be_one_with_an_output() public {
        Utxo memory utxo = depositEth(alice, 1 ether);
        utxo.pos += 1;
        refuses(utxo, abi.encodeWithSelector(WireTransaction.OutputNotFound.selector, 1));
        utxo.pos += 65536 * 1e4;
        refuses(utxo, abi.encodeWithSelector(Position.TxindexTooLarge.selector, 65536));
        utxo.pos = (Position.MAX_BLKNUM + 1) * 1e9;
        refuses(utxo, abi.encodeWithSelector(Position.BlknumTooLarge.selector, Position.MAX_BLKNUM + 1));
    }

    function test_the_block_must_exist() public {
        Utxo memory utxo = depositEth(alice, 1 ether);
        utxo.pos += 1e9;
        refuses(utxo, abi.encodeWithSelector(ExitGameBase.BlockNotFound.selector, 2));
        utxo.pos = 1000 * 1e9;
        refuses(utxo, abi.encodeWithSelector(ExitGameBase.BlockNotFound.selector, 1000));
    }

    function test_nothing_leaves_a_block_without_a_root() public {
        Utxo memory utxo = depositEth(alice, 1 ether);
        utxo.pos = submit(bytes32(0)) * 1e9;
        refuses(utxo, abi.encodeWithSelector(ExitGameBase.BlockNotFound.selector, 1000));
    }

    function test_the_transaction_must_be_in_the_block_at_its_index() public {
        Utxo memory utxo = depositEth(alice, 1 ether);
        Utxo memory moved = depositEth(alice, 1 ether);
        moved.pos += 1e4;
        refuses(moved, abi.encodeWithSelector(ExitGameBase.TransactionNotIncluded.selector, 2, 1));
        bytes memory proof = utxo.proof;
        proof[100] = bytes1(uint8(proof[100]) ^ 1);
        refuses(utxo, abi.encodeWithSelector(ExitGameBase.TransactionNotIncluded.selector, 1, 0));
        utxo.proof = "";
        refuses(utxo, abi.encodePacked(Merkle.MerkleProofEmpty.selector));
        utxo.rawTx = bytes.concat(utxo.rawTx, hex"00");
        vm.expectRevert();
        vm.prank(alice);
        game.startStandardExit{value: SE_BOND}(startArgs(utxo));
    }

    function test_only_payments_of_the_supported_type_leave() public {
        bytes memory raw =
            Encode.payment(2, Encode.one(1e9), Encode.one(Encode.Output(1, bob, ETH, 1)), Encode.NO_METADATA);
        (bytes32 root, bytes memory proof) = Tree.rootAndProof(txs(raw), 16, 0);
        Utxo memory utxo = Utxo(submit(root) * 1e9, raw, proof, bob, ETH, 1);
        refuses(utxo, abi.encodeWithSelector(ExitGameBase.TxTypeNotSupported.selector, 2, 1));
    }

    function test_nothing_leaves_under_a_protocol_without_exits_of_unconfirmed_transactions() public {
        Utxo memory utxo = depositEth(alice, 1 ether);
        // As if payments had been registered as an MVP type.
        bytes memory asMvp = abi.encodeCall(framework.protocols, (1));
        vm.mockCall(address(framework), asMvp, abi.encode(1));
        refuses(utxo, abi.encodeWithSelector(ExitGameBase.ProtocolNotMoreVp.selector, 1, 1));
    }

    function test_claimed_fees_leave_only_through_a_payment() public {
        bytes32 nonce = keccak256("nonce");
        bytes memory raw = Encode.feeClaim(bob, ETH, 1, nonce);
        (bytes32 root, bytes memory proof) = Tree.rootAndProof(txs(raw), 16, 0);
        Utxo memory utxo = Utxo(submit(root) * 1e9, raw, proof, bob, ETH, 1);
        refuses(utxo, abi.encodeWithSelector(PaymentTransaction.TxDataNotZero.selector, nonce));
    }

    function test_an_exit_is_not_started_twice() public {
        Utxo memory utxo = depositEth(alice, 1 ether);
        uint160 exitId = startExit(utxo);
        refuses(utxo, abi.encodeWithSelector(ExitGameBase.ExitStartedBefore.selector, exitId));
        challenge(utxo, "alice", carol);
        refuses(utxo, abi.encodeWithSelector(ExitGameBase.ExitStartedBefore.selector, exitId));
    }

    function test_an_output_that_left_does_not_leave_again() public {
        Utxo memory utxo = depositEth(alice, 1 ether);
        depositEth(bob, 5 ether);
        startExit(utxo);
        warpPastExit();
        processEth(1);
        refuses(utxo, abi.encodeWithSelector(StandardExits.OutputFinalizedBefore.selector, outputIdOf(utxo)));
    }

    function test_two_equal_deposits_are_two_exits() public {
        Utxo memory first = depositEth(alice, 1 ether);
        Utxo memory second = depositEth(alice, 1 ether);
        vm.assertEq(first.rawTx, second.rawTx);
        vm.assertNotEq(startExit(first), startExit(second));
    }

    function test_the_same_bytes_in_two_blocks_are_one_output() public {
        Utxo memory first = includePayment(depositEth(alice, 1 ether), bob);
        (bytes32 root,) = Tree.rootAndProof(txs(first.rawTx), 16, 0);
        Utxo memory copy = Utxo(submit(root) * 1e9, first.rawTx, first.proof, bob, ETH, 1 ether);
        uint160 exitId = startExit(first);
        refuses(copy, abi.encodeWithSelector(ExitGameBase.ExitStartedBefore.selector, exitId));
        warpPastExit();
        processEth(1);
        refuses(copy, abi.encodeWithSelector(StandardExits.OutputFinalizedBefore.selector, outputIdOf(copy)));
    }

    function test_a_token_without_a_queue_can_not_leave_yet() public {
        bytes memory raw = paymentTx(1e9, bob, mallory, 1);
        (bytes32 root, bytes memory proof) = Tree.rootAndProof(txs(raw), 16, 0);
        Utxo memory utxo = Utxo(submit(root) * 1e9, raw, proof, bob, mallory, 1);
        refuses(utxo, abi.encodeWithSelector(ExitGameController.ExitQueueNotFound.selector, ERC20_VAULT_ID, mallory));
        framework.addExitQueue(ERC20_VAULT_ID, mallory);
        startExit(utxo);
    }

    function test_a_game_in_quarantine_starts_and_challenges_nothing() public {
        Utxo memory utxo = depositEth(alice, 1 ether);
        StandardExits.ChallengeStandardExitArgs memory args = challengeArgs(utxo, "alice", carol);
        game = new PaymentExitGame(gameArgs());
        bytes memory refusal = abi.encodeWithSelector(ExitGameRegistry.NotASafeExitGame.selector, address(game));
        refuses(utxo, refusal);
        vm.prank(maintainer);
        framework.registerExitGame(9, address(game), 2);
        refuses(utxo, refusal);
        vm.expectRevert(refusal);
        vm.prank(carol);
        game.challengeStandardExit(args);
        skip(4 * MIN_EXIT_PERIOD - 1);
        refuses(utxo, refusal);
    }

    // --- helpers ---

    function checkStart(Utxo memory utxo, uint256 exitableAt) private {
        uint160 exitId = exitIdOf(utxo);
        uint256 balance = address(game).balance;
        uint256 priority = exitableAt << 214 | utxo.pos / 1e4 << 160 | exitId;
        StandardExits.StartStandardExitArgs memory args = startArgs(utxo);
        vm.expectEmit(address(framework));
        emit ExitGameController.ExitQueued(exitId, priority);
        vm.expectEmit(address(game));
        emit StandardExits.ExitStarted(utxo.owner, exitId, utxo.pos, utxo.rawTx, uint64(exitableAt));
        vm.prank(utxo.owner);
        game.startStandardExit{value: SE_BOND}(args);
        vm.assertEq(address(game).balance, balance + SE_BOND);
        checkRecord(utxo, exitId);
    }

    function checkRecord(Utxo memory utxo, uint160 exitId) private view {
        StandardExits.StandardExit memory exit = exitOf(exitId);
        vm.assertTrue(exit.exitable);
        vm.assertEq(exit.utxoPos, utxo.pos);
        vm.assertEq(exit.outputId, outputIdOf(utxo));
        vm.assertEq(exit.exitTarget, utxo.owner);
        vm.assertEq(exit.amount, utxo.amount);
        vm.assertEq(exit.bondSize, SE_BOND);
    }

    function refuses(Utxo memory utxo, bytes memory reason) private {
        refuses(utxo, SE_BOND, reason);
    }

    function refuses(Utxo memory utxo, uint256 bond, bytes memory reason) private {
        StandardExits.StartStandardExitArgs memory args = startArgs(utxo);
        vm.expectRevert(reason);
        vm.prank(utxo.owner);
        game.startStandardExit{value: bond}(args);
    }

    function fourOutputs(uint256 i) private view returns (bytes memory) {
        Encode.Output[] memory outs = new Encode.Output[](4);
        for (uint256 oindex = 0; oindex < 4; ++oindex) {
            outs[oindex] = Encode.Output(1, bob, ETH, 100 * (i + 1) + oindex);
        }
        return Encode.payment(1, Encode.one(1e9 + i), outs, Encode.NO_METADATA);
    }
}
