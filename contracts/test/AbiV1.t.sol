// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ExitGameBase} from "../src/exits/payment/ExitGameBase.sol";
import {InFlightExitCanonicity} from "../src/exits/payment/InFlightExitCanonicity.sol";
import {InFlightExitPiggybacks} from "../src/exits/payment/InFlightExitPiggybacks.sol";
import {InFlightExitProcessing} from "../src/exits/payment/InFlightExitProcessing.sol";
import {InFlightExits} from "../src/exits/payment/InFlightExits.sol";
import {InFlightExitSpends} from "../src/exits/payment/InFlightExitSpends.sol";
import {InFlightExitStart} from "../src/exits/payment/InFlightExitStart.sol";
import {StandardExits} from "../src/exits/payment/StandardExits.sol";
import {BlockController} from "../src/framework/BlockController.sol";
import {ExitGameController} from "../src/framework/ExitGameController.sol";
import {ExitGameRegistry} from "../src/framework/ExitGameRegistry.sol";
import {PriorityQueue} from "../src/framework/PriorityQueue.sol";
import {VaultRegistry} from "../src/framework/VaultRegistry.sol";
import {Erc20Vault} from "../src/vaults/Erc20Vault.sol";
import {EthVault} from "../src/vaults/EthVault.sol";
import {Vault} from "../src/vaults/Vault.sol";
import {TestChain} from "./kit/TestChain.sol";
import {vm} from "./kit/Vm.sol";

/// @title Clients written for contracts v1 call these functions and read these events
contract AbiV1Test is TestChain {
    function test_the_frameworks_functions_keep_their_selectors() public view {
        check(framework.activateChildChain.selector, 0xa11dcc34, "activateChildChain()");
        check(framework.isChildChainActivated.selector, 0x0e71ee02, "isChildChainActivated()");
        check(framework.submitBlock.selector, 0xbaa47694, "submitBlock(bytes32)");
        check(framework.submitDepositBlock.selector, 0xbe5ac698, "submitDepositBlock(bytes32)");
        check(framework.nextDepositBlock.selector, 0x8701fc5d, "nextDepositBlock()");
        check(framework.nextChildBlock.selector, 0x4ca8714f, "nextChildBlock()");
        check(framework.nextDeposit.selector, 0xa8cabcd5, "nextDeposit()");
        check(framework.isDeposit.selector, 0xebde2ec9, "isDeposit(uint256)");
        check(framework.authority.selector, 0xbf7e214f, "authority()");
        check(framework.childBlockInterval.selector, 0x38a9e0bc, "childBlockInterval()");
        check(framework.CHILD_BLOCK_INTERVAL.selector, 0xa831fa07, "CHILD_BLOCK_INTERVAL()");
        check(framework.blocks.selector, 0xf25b3f99, "blocks(uint256)");
        check(framework.minExitPeriod.selector, 0xd4a2b4ef, "minExitPeriod()");
        check(framework.getMaintainer.selector, 0x4b0a72bc, "getMaintainer()");
        check(framework.version.selector, 0x54fd4d50, "version()");
        check(framework.getVersion.selector, 0x0d8e6e2c, "getVersion()");
        check(framework.setVersion.selector, 0x788bc78c, "setVersion(string)");
    }

    function test_the_registries_functions_keep_their_selectors() public view {
        check(framework.registerVault.selector, 0x6a51fd63, "registerVault(uint256,address)");
        check(framework.vaults.selector, 0x8c64ea4a, "vaults(uint256)");
        check(framework.vaultToId.selector, 0xdfb494f0, "vaultToId(address)");
        check(framework.registerExitGame.selector, 0xf2e208e7, "registerExitGame(uint256,address,uint8)");
        check(framework.exitGames.selector, 0xaf079764, "exitGames(uint256)");
        check(framework.exitGameToTxType.selector, 0xa239e5a2, "exitGameToTxType(address)");
        check(framework.protocols.selector, 0x8c396220, "protocols(uint256)");
        check(framework.isExitGameSafeToUse.selector, 0x5a102dae, "isExitGameSafeToUse(address)");
        check(
            registry.registerSpendingCondition.selector,
            0xf9bd9402,
            "registerSpendingCondition(uint256,uint256,address)"
        );
        check(registry.spendingConditions.selector, 0x64f40d6f, "spendingConditions(uint256,uint256)");
        check(registry.renounceOwnership.selector, 0x715018a6, "renounceOwnership()");
    }

    function test_the_queues_functions_keep_their_selectors() public view {
        check(framework.addExitQueue.selector, 0x45f20935, "addExitQueue(uint256,address)");
        check(framework.hasExitQueue.selector, 0xc77b1ed6, "hasExitQueue(uint256,address)");
        check(framework.getNextExit.selector, 0x296d5427, "getNextExit(uint256,address)");
        check(framework.processExits.selector, 0xd9aa4b24, "processExits(uint256,address,uint160,uint256)");
        check(framework.exitsQueues.selector, 0x3701b5ca, "exitsQueues(bytes32)");
        check(framework.delegations.selector, 0xcf049cad, "delegations(bytes32)");
        check(framework.isOutputFinalized.selector, 0x8e29be31, "isOutputFinalized(bytes32)");
        check(framework.outputsFinalizations.selector, 0x77672b5e, "outputsFinalizations(bytes32)");
        check(framework.flagOutputFinalized.selector, 0x72d72e38, "flagOutputFinalized(bytes32,uint160)");
        check(framework.activateNonReentrant.selector, 0xff27b189, "activateNonReentrant()");
        check(framework.deactivateNonReentrant.selector, 0x4e0f7436, "deactivateNonReentrant()");
        check(PriorityQueue.heapList.selector, 0x446b2f88, "heapList()");
    }

    function test_the_vaults_functions_keep_their_selectors() public view {
        check(ethVault.deposit.selector, 0x98b1e06a, "deposit(bytes)");
        check(erc20Vault.deposit.selector, 0x98b1e06a, "deposit(bytes)");
        check(ethVault.withdraw.selector, 0xf3fef3a3, "withdraw(address,uint256)");
        check(erc20Vault.withdraw.selector, 0xd9caed12, "withdraw(address,address,uint256)");
        check(ethVault.setDepositVerifier.selector, 0x2c6ce78b, "setDepositVerifier(address)");
        check(ethVault.getEffectiveDepositVerifier.selector, 0x52518b7f, "getEffectiveDepositVerifier()");
        check(ethVault.safeGasStipend.selector, 0xccbd2176, "safeGasStipend()");
    }

    function test_the_exit_games_functions_keep_their_selectors() public view {
        check(game.startStandardExit.selector, 0x70e01462, "startStandardExit((uint256,bytes,bytes))");
        check(
            game.challengeStandardExit.selector,
            0xdf2933e2,
            "challengeStandardExit((uint160,bytes,bytes,uint16,bytes,bytes32))"
        );
        check(game.standardExits.selector, 0x0ca5b676, "standardExits(uint160[])");
        check(game.startStandardExitBondSize.selector, 0xfe32a124, "startStandardExitBondSize()");
        check(game.updateStartStandardExitBondSize.selector, 0x163d7bc7, "updateStartStandardExitBondSize(uint128)");
        check(game.getStandardExitId.selector, 0xb22d3e14, "getStandardExitId(bool,bytes,uint256)");
        check(game.getInFlightExitId.selector, 0x839c78f9, "getInFlightExitId(bytes)");
        check(game.BOND_LOWER_BOUND_DIVISOR.selector, sig("BOND_LOWER_BOUND_DIVISOR()"), "BOND_LOWER_BOUND_DIVISOR()");
        check(
            game.BOND_UPPER_BOUND_MULTIPLIER.selector,
            sig("BOND_UPPER_BOUND_MULTIPLIER()"),
            "BOND_UPPER_BOUND_MULTIPLIER()"
        );
    }

    function test_the_moves_of_in_flight_exits_keep_their_selectors() public view {
        check(
            game.startInFlightExit.selector, 0x5a528514, "startInFlightExit((bytes,bytes[],uint256[],bytes[],bytes[]))"
        );
        check(game.piggybackInFlightExitOnInput.selector, 0xe5bc60c7, "piggybackInFlightExitOnInput((bytes,uint16))");
        check(game.piggybackInFlightExitOnOutput.selector, 0xa4a25441, "piggybackInFlightExitOnOutput((bytes,uint16))");
        check(
            game.challengeInFlightExitNotCanonical.selector,
            0xe8362298,
            "challengeInFlightExitNotCanonical((bytes,uint256,bytes,uint16,bytes,uint16,uint256,bytes,bytes))"
        );
        check(
            game.respondToNonCanonicalChallenge.selector,
            0x36660de4,
            "respondToNonCanonicalChallenge(bytes,uint256,bytes)"
        );
        check(
            game.challengeInFlightExitInputSpent.selector,
            0xb9a3a28e,
            "challengeInFlightExitInputSpent((bytes,uint16,bytes,uint16,bytes,bytes,uint256,bytes32))"
        );
        check(
            game.challengeInFlightExitOutputSpent.selector,
            0x2c3bad95,
            "challengeInFlightExitOutputSpent((bytes,bytes,uint256,bytes,uint16,bytes,bytes32))"
        );
        check(game.deleteNonPiggybackedInFlightExit.selector, 0xb3c2ec76, "deleteNonPiggybackedInFlightExit(uint160)");
        check(game.inFlightExits.selector, 0xcec9e1a7, "inFlightExits(uint160[])");
    }

    function test_the_bonds_of_in_flight_exits_keep_their_selectors() public view {
        check(game.startIFEBondSize.selector, 0x7702fa17, "startIFEBondSize()");
        check(game.updateStartIFEBondSize.selector, 0xb177ba23, "updateStartIFEBondSize(uint128)");
        check(game.piggybackBondSize.selector, 0x3f1214cf, "piggybackBondSize()");
        check(game.updatePiggybackBondSize.selector, 0x315fb7da, "updatePiggybackBondSize(uint128)");
        check(game.INITIAL_BOND_SIZE.selector, sig("INITIAL_BOND_SIZE()"), "INITIAL_BOND_SIZE()");
        check(game.INITIAL_IFE_BOND_SIZE.selector, sig("INITIAL_IFE_BOND_SIZE()"), "INITIAL_IFE_BOND_SIZE()");
        check(game.INITIAL_PB_BOND_SIZE.selector, sig("INITIAL_PB_BOND_SIZE()"), "INITIAL_PB_BOND_SIZE()");
    }

    function test_the_record_of_an_in_flight_exit_keeps_its_shape() public view {
        // Four words, four inputs and four outputs of five words, three words: all static, behind offset and length.
        (, bytes memory answer) = address(game).staticcall(abi.encodeCall(game.inFlightExits, (new uint160[](1))));
        vm.assertEq(answer.length, (2 + 4 + 4 * 5 + 4 * 5 + 3) * 32);
    }

    function test_the_events_keep_their_topics() public pure {
        topic(EthVault.DepositCreated.selector, "DepositCreated(address,uint256,address,uint256)");
        vm.assertEq(
            EthVault.DepositCreated.selector, 0x18569122d84f30025bb8dffb33563f1bdbfb9637f21552b11b8305686e9cb307
        );
        vm.assertEq(Erc20Vault.DepositCreated.selector, EthVault.DepositCreated.selector);
        vm.assertEq(
            BlockController.BlockSubmitted.selector, 0x5a978f4723b249ccf79cd7a658a8601ce1ff8b89fc770251a6be35216351ce32
        );
        vm.assertEq(
            StandardExits.ExitChallenged.selector, 0x5dfba526c59b25f899f935c5b0d5b8739e97e4d89c38c158eca3192ea34b87d8
        );
        vm.assertEq(
            StandardExits.ExitFinalized.selector, 0x0adb29b0831e081044cefe31155c1f2b2b85ad3613a480a5f901ee287addef55
        );
        topic(EthVault.EthWithdrawn.selector, "EthWithdrawn(address,uint256)");
        topic(EthVault.WithdrawFailed.selector, "WithdrawFailed(address,uint256)");
        topic(Erc20Vault.Erc20Withdrawn.selector, "Erc20Withdrawn(address,address,uint256)");
        topic(Vault.SetDepositVerifierCalled.selector, "SetDepositVerifierCalled(address)");
        topic(BlockController.ChildChainActivated.selector, "ChildChainActivated(address)");
        topic(VaultRegistry.VaultRegistered.selector, "VaultRegistered(uint256,address)");
        topic(ExitGameRegistry.ExitGameRegistered.selector, "ExitGameRegistered(uint256,address,uint8)");
        topic(ExitGameController.ExitQueueAdded.selector, "ExitQueueAdded(uint256,address)");
        topic(ExitGameController.ExitQueued.selector, "ExitQueued(uint160,uint256)");
        topic(ExitGameController.ProcessedExitsNum.selector, "ProcessedExitsNum(uint256,uint256,address)");
        topic(StandardExits.ExitOmitted.selector, "ExitOmitted(uint160)");
        topic(StandardExits.StandardExitBondUpdated.selector, "StandardExitBondUpdated(uint128)");
        topic(ExitGameBase.BondReturnFailed.selector, "BondReturnFailed(address,uint256)");
        topic(InFlightExitProcessing.InFlightExitInputWithdrawn.selector, "InFlightExitInputWithdrawn(uint160,uint16)");
        topic(
            InFlightExitProcessing.InFlightExitOutputWithdrawn.selector, "InFlightExitOutputWithdrawn(uint160,uint16)"
        );
        topic(InFlightExitProcessing.InFlightExitOmitted.selector, "InFlightExitOmitted(uint160,address)");
        topic(InFlightExitProcessing.InFlightExitDeleted.selector, "InFlightExitDeleted(uint160)");
        topic(InFlightExits.InFlightBondReturnFailed.selector, "InFlightBondReturnFailed(address,uint256)");
        topic(InFlightExits.IFEBondUpdated.selector, "IFEBondUpdated(uint128)");
        topic(InFlightExits.PiggybackBondUpdated.selector, "PiggybackBondUpdated(uint128)");
    }

    function test_events_hold_all_that_a_watcher_needs() public pure {
        // The events that changed: with v1's fields a watcher had to find and decode the call.
        topic(StandardExits.ExitStarted.selector, "ExitStarted(address,uint160,uint256,bytes,uint64)");
        topic(
            InFlightExitStart.InFlightExitStarted.selector,
            "InFlightExitStarted(address,bytes32,uint160,uint64,bytes,uint256[],bytes[],bytes[])"
        );
        topic(
            InFlightExitPiggybacks.InFlightExitInputPiggybacked.selector,
            "InFlightExitInputPiggybacked(address,bytes32,uint16,uint160,uint64)"
        );
        topic(
            InFlightExitPiggybacks.InFlightExitOutputPiggybacked.selector,
            "InFlightExitOutputPiggybacked(address,bytes32,uint16,uint160,uint64)"
        );
        topic(
            InFlightExitCanonicity.InFlightExitChallenged.selector,
            "InFlightExitChallenged(address,bytes32,uint256,uint160,uint16,bytes,uint16,bytes)"
        );
        topic(
            InFlightExitCanonicity.InFlightExitChallengeResponded.selector,
            "InFlightExitChallengeResponded(address,bytes32,uint256,uint160)"
        );
        topic(
            InFlightExitSpends.InFlightExitInputBlocked.selector,
            "InFlightExitInputBlocked(address,bytes32,uint16,uint160)"
        );
        topic(
            InFlightExitSpends.InFlightExitOutputBlocked.selector,
            "InFlightExitOutputBlocked(address,bytes32,uint16,uint160)"
        );
        // And one that v1 did not have.
        topic(InFlightExitProcessing.InFlightExitFinalized.selector, "InFlightExitFinalized(uint160)");
    }

    function check(bytes4 selector, bytes4 known, string memory signature) private pure {
        vm.assertEq(bytes32(selector), bytes32(known), signature);
        vm.assertEq(bytes32(selector), bytes32(bytes4(keccak256(bytes(signature)))), signature);
    }

    function sig(string memory signature) private pure returns (bytes4) {
        return bytes4(keccak256(bytes(signature)));
    }

    function topic(bytes32 selector, string memory signature) private pure {
        vm.assertEq(selector, keccak256(bytes(signature)), signature);
    }
}
