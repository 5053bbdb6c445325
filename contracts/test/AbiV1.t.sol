// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ExitGameBase} from "../src/exits/payment/ExitGameBase.sol";
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
    }

    function test_a_started_exit_is_announced_with_all_that_a_watcher_needs() public pure {
        // The one event that changed: with v1's two fields a watcher had to find and decode the call.
        topic(StandardExits.ExitStarted.selector, "ExitStarted(address,uint160,uint256,bytes,uint64)");
    }

    function check(bytes4 selector, bytes4 known, string memory signature) private pure {
        vm.assertEq(bytes32(selector), bytes32(known), signature);
        vm.assertEq(bytes32(selector), bytes32(bytes4(keccak256(bytes(signature)))), signature);
    }

    function topic(bytes32 selector, string memory signature) private pure {
        vm.assertEq(selector, keccak256(bytes(signature)), signature);
    }
}
