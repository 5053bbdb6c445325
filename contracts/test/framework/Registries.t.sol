// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FeeExitGame} from "../../src/exits/FeeExitGame.sol";
import {BlockController} from "../../src/framework/BlockController.sol";
import {ExitGameRegistry} from "../../src/framework/ExitGameRegistry.sol";
import {FrameworkBase} from "../../src/framework/FrameworkBase.sol";
import {PlasmaFramework} from "../../src/framework/PlasmaFramework.sol";
import {Quarantine} from "../../src/framework/Quarantine.sol";
import {VaultRegistry} from "../../src/framework/VaultRegistry.sol";
import {TestChain} from "../kit/TestChain.sol";
import {bound, vm} from "../kit/Vm.sol";

contract RegistriesTest is TestChain {
    // --- construction ---

    function testFuzz_the_min_exit_period_has_bounds(uint256 minExitPeriod) public {
        if (minExitPeriod < 2 || minExitPeriod > 3650 days) {
            vm.expectRevert(
                abi.encodeWithSelector(FrameworkBase.MinExitPeriodOutOfBounds.selector, minExitPeriod, 2, 3650 days)
            );
        }
        new PlasmaFramework(minExitPeriod, 2, 2, authority, maintainer);
    }

    function test_the_bounds_of_the_min_exit_period_are_within() public {
        vm.assertEq(new PlasmaFramework(2, 2, 2, authority, maintainer).minExitPeriod(), 2);
        vm.assertEq(new PlasmaFramework(3650 days, 2, 2, authority, maintainer).minExitPeriod(), 3650 days);
    }

    function test_authority_and_maintainer_must_be_somebody() public {
        vm.expectRevert(BlockController.AuthorityZero.selector);
        new PlasmaFramework(MIN_EXIT_PERIOD, 2, 2, address(0), maintainer);
        vm.expectRevert(FrameworkBase.AddressZero.selector);
        new PlasmaFramework(MIN_EXIT_PERIOD, 2, 2, authority, address(0));
    }

    function test_the_version_is_the_maintainers_to_set() public {
        vm.assertEq(framework.getMaintainer(), maintainer);
        vm.assertEq(framework.version(), "1.0.5+penning");
        vm.prank(maintainer);
        framework.setVersion("a version text that needs more than thirty-one bytes");
        vm.assertEq(framework.getVersion(), "a version text that needs more than thirty-one bytes");
        vm.expectRevert(abi.encodeWithSelector(FrameworkBase.NotMaintainer.selector, authority));
        vm.prank(authority);
        framework.setVersion("mine");
    }

    // --- vaults ---

    function test_a_vault_is_found_by_id_and_by_address() public {
        address vault = somebodysContract();
        vm.expectEmit(address(framework));
        emit VaultRegistry.VaultRegistered(9, vault);
        registerVault(9, vault);
        vm.assertEq(framework.vaults(9), vault);
        vm.assertEq(framework.vaultToId(vault), 9);
    }

    function test_a_vault_is_registered_by_the_maintainer_once() public {
        address vault = somebodysContract();
        vm.expectRevert(abi.encodeWithSelector(FrameworkBase.NotMaintainer.selector, mallory));
        vm.prank(mallory);
        framework.registerVault(9, vault);
        vm.expectRevert(VaultRegistry.VaultIdZero.selector);
        registerVault(0, vault);
        vm.expectRevert(abi.encodeWithSelector(VaultRegistry.VaultIdTaken.selector, 1));
        registerVault(1, vault);
        vm.expectRevert(abi.encodeWithSelector(VaultRegistry.VaultRegisteredBefore.selector, address(ethVault)));
        registerVault(9, address(ethVault));
    }

    function testFuzz_the_third_vault_waits_two_periods(uint256 wait) public {
        address vault = somebodysContract();
        registerVault(9, vault);
        wait = bound(wait, 0, 4 * MIN_EXIT_PERIOD);
        vm.warp(GENESIS + wait);
        if (wait < 2 * MIN_EXIT_PERIOD) {
            vm.expectRevert(abi.encodeWithSelector(VaultRegistry.NotASafeVault.selector, vault));
        }
        vm.prank(vault);
        framework.submitDepositBlock(bytes32(uint256(1)));
    }

    // --- exit games ---

    function test_an_exit_game_is_found_by_type_and_by_address() public {
        address newGame = somebodysContract();
        vm.expectEmit(address(framework));
        emit ExitGameRegistry.ExitGameRegistered(7, newGame, 1);
        registerGame(7, newGame, 1);
        vm.assertEq(framework.exitGames(7), newGame);
        vm.assertEq(framework.exitGameToTxType(newGame), 7);
        vm.assertEq(framework.protocols(7), 1);
        vm.assertEq(framework.protocols(1), 2);
        vm.assertEq(framework.protocols(2), 0);
        vm.assertEq(framework.exitGames(2), address(0));
    }

    function test_an_exit_game_is_registered_by_the_maintainer_once() public {
        address newGame = somebodysContract();
        vm.expectRevert(abi.encodeWithSelector(FrameworkBase.NotMaintainer.selector, mallory));
        vm.prank(mallory);
        framework.registerExitGame(7, newGame, 2);
        vm.expectRevert(ExitGameRegistry.TxTypeZero.selector);
        registerGame(0, newGame, 2);
        vm.expectRevert(abi.encodeWithSelector(ExitGameRegistry.TxTypeTaken.selector, 1));
        registerGame(1, newGame, 2);
        vm.expectRevert(abi.encodeWithSelector(ExitGameRegistry.ExitGameRegisteredBefore.selector, address(game)));
        registerGame(7, address(game), 2);
        vm.expectRevert(abi.encodeWithSelector(ExitGameRegistry.ProtocolUnknown.selector, 0));
        registerGame(7, newGame, 0);
        vm.expectRevert(abi.encodeWithSelector(ExitGameRegistry.ProtocolUnknown.selector, 3));
        registerGame(7, newGame, 3);
    }

    function testFuzz_the_third_exit_game_waits_four_periods(uint256 wait) public {
        address newGame = somebodysContract();
        registerGame(7, newGame, 2);
        wait = bound(wait, 0, 8 * MIN_EXIT_PERIOD);
        vm.warp(GENESIS + wait);
        bool safe = wait >= 4 * MIN_EXIT_PERIOD;
        vm.assertEq(framework.isExitGameSafeToUse(newGame), safe);
        if (!safe) vm.expectRevert(abi.encodeWithSelector(ExitGameRegistry.NotASafeExitGame.selector, newGame));
        vm.prank(newGame);
        framework.flagOutputFinalized(bytes32(uint256(1)), 1);
    }

    function test_the_first_two_are_safe_at_once() public view {
        vm.assertTrue(framework.isExitGameSafeToUse(address(game)));
        vm.assertTrue(framework.isExitGameSafeToUse(address(feeGame)));
        vm.assertFalse(framework.isExitGameSafeToUse(mallory));
    }

    // --- what may be registered ---

    function test_an_address_without_code_can_not_be_registered() public {
        // Its owner could wait out the quarantine and deploy something else than what users expected.
        vm.expectRevert(abi.encodeWithSelector(Quarantine.NotAContract.selector, mallory));
        registerVault(9, mallory);
        vm.expectRevert(abi.encodeWithSelector(Quarantine.NotAContract.selector, mallory));
        registerGame(7, mallory, 2);
    }

    function test_an_account_that_delegates_to_code_can_not_be_registered() public {
        // Such an account (EIP-7702) has code to look at during the quarantine and can change it afterwards.
        vm.etch(mallory, bytes.concat(hex"ef0100", bytes20(address(ethVault))));
        vm.expectRevert(abi.encodeWithSelector(Quarantine.NotAContract.selector, mallory));
        registerVault(9, mallory);
        vm.expectRevert(abi.encodeWithSelector(Quarantine.NotAContract.selector, mallory));
        registerGame(7, mallory, 2);
    }

    function registerVault(uint256 vaultId, address vault) private {
        vm.prank(maintainer);
        framework.registerVault(vaultId, vault);
    }

    function registerGame(uint256 txType, address newGame, uint8 protocol) private {
        vm.prank(maintainer);
        framework.registerExitGame(txType, newGame, protocol);
    }

    function somebodysContract() private returns (address) {
        return address(new FeeExitGame());
    }
}
