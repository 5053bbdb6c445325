// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FeeExitGame} from "../src/exits/FeeExitGame.sol";
import {IPlasmaFramework} from "../src/framework/IPlasmaFramework.sol";
import {EthDepositVerifier} from "../src/vaults/EthDepositVerifier.sol";
import {EthVault} from "../src/vaults/EthVault.sol";
import {MoodyWallet} from "./kit/Hostile.sol";
import {TestChain} from "./kit/TestChain.sol";
import {skip, vm} from "./kit/Vm.sol";

/// @title What each call costs, beside what it cost in contracts v1
/// @notice Each top level call runs as a transaction of its own (isolate), so the figures hold the 21,000 gas of a
///         transaction, its call data and refunds, like a receipt does. The figures are checked in under snapshots/: a
///         change that makes a call dearer or cheaper fails the test run until `npm run gas` has written it down.
/// forge-config: default.isolate = true
contract GasTest is TestChain {
    /// @dev Writes down the call just made. `v1` is the least that call cost in contracts v1.
    function measure(string memory name, uint256 v1) private {
        uint256 used = vm.snapshotGasLastCall("contracts", name);
        vm.snapshotValue("contracts-v1", name, v1);
        vm.assertLt(used, v1, name);
    }

    function test_gas_of_blocks_and_deposits() public {
        submit(bytes32(uint256(1)));
        measure("submitBlock, first", 84069);
        submit(bytes32(uint256(2)));
        measure("submitBlock, 3 of 4", 81257);
        submit(bytes32(uint256(3)));
        submit(bytes32(uint256(4)));
        measure("submitBlock, 1 of 4", 81257);
        depositEth(alice, 1 ether);
        measure("ETH deposit, first of an interval", 168164);
        depositEth(alice, 1 ether);
        measure("ETH deposit, 3 of 4", 168164);
        depositToken(alice, 100);
        depositToken(alice, 100);
        measure("ERC20 deposit, 1 of 4", 209764);
        depositToken(alice, 100);
        measure("ERC20 deposit, 3 of 4", 209764);
    }

    function test_gas_of_starting_standard_exits() public {
        framework.addExitQueue(ETH_VAULT_ID, address(this));
        measure("addExitQueue", 582085);
        Utxo memory utxo = depositEth(alice, 1 ether);
        Utxo memory tokens = depositToken(alice, 100);
        startExit(utxo);
        measure("startStandardExit deposit ETH", 377517);
        startExit(tokens);
        measure("startStandardExit deposit ERC20", 377385);
        Utxo memory paid = includePayment(depositEth(alice, 1 ether), bob);
        startExit(paid);
        measure("startStandardExit payment ETH", 379424);
        challenge(paid, "bob", carol);
        measure("challengeStandardExit", 270942);
        for (uint256 i = 0; i < 6; ++i) {
            startExit(depositEth(alice, 1 ether));
        }
        startExit(depositEth(alice, 1 ether));
        measure("startStandardExit deposit ETH (queue grows)", 360067);
    }

    function test_gas_of_processing_one_exit() public {
        startExit(depositEth(alice, 1 ether));
        startExit(depositToken(bob, 100));
        processEth(1);
        measure("processExits, nothing due", 43997);
        warpPastExit();
        processEth(1);
        measure("processExits SE ETH x1", 140608);
        processToken(1);
        measure("processExits SE ERC20 x1", 161010);
        startExit(depositEth(alice, 1 ether));
        measure("startStandardExit deposit ETH (queue was as long before)", 360067);
    }

    function test_gas_of_processing_many_exits() public {
        for (uint256 i = 0; i < 8; ++i) {
            startExit(depositEth(alice, 1 ether));
        }
        warpPastExit();
        processEth(8);
        measure("processExits SE ETH x8", 718318);
    }

    function test_gas_of_processing_challenged_exits() public {
        Utxo memory challenged = depositEth(alice, 1 ether);
        startExit(challenged);
        challenge(challenged, "alice", carol);
        startExit(depositEth(bob, 1 ether));
        warpPastExit();
        processEth(2);
        measure("processExits omitted+finalized x2", 182492);
    }

    /// @dev The one call that is dearer than before: what these receivers did not take is written down for each of
    ///      them, where it used to be lost.
    function test_gas_of_processing_exits_of_hostile_receivers() public {
        for (uint256 i = 0; i < 4; ++i) {
            MoodyWallet wallet = new MoodyWallet();
            Utxo memory utxo = depositUtxo(address(wallet), ETH, 1 ether);
            wallet.execute{value: 1 ether}(address(ethVault), 1 ether, abi.encodeCall(ethVault.deposit, (utxo.rawTx)));
            bytes memory start = abi.encodeCall(game.startStandardExit, (startArgs(utxo)));
            wallet.execute{value: SE_BOND}(address(game), SE_BOND, start);
            wallet.setMood(MoodyWallet.Mood.Refuse);
        }
        warpPastExit();
        processEth(4);
        vm.snapshotGasLastCall("contracts", "processExits with hostile receivers x4");
        vm.snapshotValue("contracts-v1", "processExits with hostile receivers x4", 398259);
    }

    function test_gas_of_administration() public {
        EthVault vault = new EthVault(IPlasmaFramework(address(framework)), 2300);
        FeeExitGame another = new FeeExitGame();
        EthDepositVerifier verifier = new EthDepositVerifier(1, 1);
        vm.prank(maintainer);
        vault.setDepositVerifier(address(verifier));
        measure("setDepositVerifier", 63179);
        vm.prank(maintainer);
        framework.registerVault(9, address(vault));
        measure("registerVault", 99990);
        vm.prank(maintainer);
        framework.registerExitGame(9, address(another), 2);
        measure("registerExitGame", 122938);
        skip(1);
        vm.prank(maintainer);
        game.updateStartStandardExitBondSize(uint128(SE_BOND));
        measure("update bond", 41924);
    }
}
