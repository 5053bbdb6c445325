// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ExitGameBase} from "../../src/exits/payment/ExitGameBase.sol";
import {MoodyToken, MoodyWallet} from "../kit/Hostile.sol";
import {TestChain} from "../kit/TestChain.sol";
import {bound, vm} from "../kit/Vm.sol";

/// @title Receivers and tokens that do their worst while others wait behind them
/// @notice In exit queues that push money, one receiver that refuses has lost its money for good, and one token that
///         reverts has stopped its queue for everybody. The invariants here: what can not be pushed becomes a credit,
///         and the queue goes on.
contract HostileReceiversTest is TestChain {
    function test_eth_exits_behind_hostile_receivers_are_paid() public {
        MoodyWallet[] memory wallets = new MoodyWallet[](4);
        MoodyWallet.Mood[4] memory moods = [
            MoodyWallet.Mood.Refuse, MoodyWallet.Mood.BurnGas, MoodyWallet.Mood.NeedMoreGas, MoodyWallet.Mood.ReturnBomb
        ];
        for (uint256 i = 0; i < 4; ++i) {
            wallets[i] = new MoodyWallet();
            wallets[i].setMood(moods[i]);
            startFrom(wallets[i], depositFrom(wallets[i], 1 ether));
        }
        startExit(depositEth(alice, 1 ether));
        uint256 before = alice.balance;
        warpPastExit();
        processEth(5);
        vm.assertEq(alice.balance, before + 1 ether + SE_BOND);
        for (uint256 i = 0; i < 4; ++i) {
            vm.assertEq(ethVault.credits(address(wallets[i])), 1 ether);
            vm.assertEq(game.credits(address(wallets[i])), SE_BOND);
            wallets[i].setMood(MoodyWallet.Mood.NeedMoreGas);
            ethVault.withdrawCredit(address(wallets[i]), payable(address(wallets[i])));
            game.withdrawCredit(address(wallets[i]), payable(address(wallets[i])));
            vm.assertEq(wallets[i].received(), 1 ether + SE_BOND);
        }
        vm.assertEq(address(ethVault).balance + address(game).balance, 0);
    }

    function test_a_bond_that_is_not_taken_is_announced() public {
        MoodyWallet wallet = new MoodyWallet();
        wallet.setMood(MoodyWallet.Mood.Refuse);
        startFrom(wallet, depositFrom(wallet, 1 ether));
        warpPastExit();
        vm.expectEmit(address(game));
        emit ExitGameBase.BondReturnFailed(address(wallet), SE_BOND);
        processEth(1);
    }

    function test_token_exits_behind_a_transfer_that_fails_are_paid() public {
        MoodyToken moody = new MoodyToken();
        framework.addExitQueue(ERC20_VAULT_ID, address(moody));
        Utxo memory first = depositMoody(moody, alice, 100);
        Utxo memory second = depositMoody(moody, bob, 50);
        startExit(first);
        startExit(second);
        warpPastExit();
        moody.setMood(MoodyToken.Mood.BurnGas);
        framework.processExits(ERC20_VAULT_ID, address(moody), 0, 1);
        moody.setMood(MoodyToken.Mood.Honest);
        framework.processExits(ERC20_VAULT_ID, address(moody), 0, 1);
        vm.assertEq(moody.balanceOf(bob), 50);
        vm.assertEq(erc20Vault.credits(alice, address(moody)), 100);
        erc20Vault.withdrawCredit(alice, address(moody), alice);
        vm.assertEq(moody.balanceOf(alice), 100);
    }

    function test_a_token_that_reverts_for_ever_delays_nobody_else() public {
        MoodyToken moody = new MoodyToken();
        framework.addExitQueue(ERC20_VAULT_ID, address(moody));
        startExit(depositMoody(moody, mallory, 100));
        startExit(depositToken(alice, 10));
        startExit(depositEth(bob, 1 ether));
        moody.setMood(MoodyToken.Mood.Refuse);
        warpPastExit();
        framework.processExits(ERC20_VAULT_ID, address(moody), 0, 10);
        processToken(10);
        processEth(10);
        vm.assertEq(token.balanceOf(alice), 10);
        vm.assertEq(address(ethVault).balance + address(game).balance, 0);
    }

    function test_a_token_that_calls_back_gets_nowhere() public {
        MoodyToken moody = new MoodyToken();
        framework.addExitQueue(ERC20_VAULT_ID, address(moody));
        Utxo memory first = depositMoody(moody, mallory, 100);
        startExit(first);
        startExit(depositMoody(moody, alice, 100));
        startExit(depositEth(bob, 1 ether));
        warpPastExit();
        bytes[3] memory attacks = [
            abi.encodeCall(framework.processExits, (ERC20_VAULT_ID, address(moody), 0, 1)),
            abi.encodeCall(framework.processExits, (ETH_VAULT_ID, ETH, 0, 1)),
            abi.encodeCall(framework.deactivateNonReentrant, ())
        ];
        moody.setCallBack(address(framework), attacks[1]);
        framework.processExits(ERC20_VAULT_ID, address(moody), 0, 1);
        // The call back failed, so the transfer did, so the payout became a credit; nothing was paid twice.
        vm.assertEq(erc20Vault.credits(mallory, address(moody)), 100);
        moody.setCallBack(address(framework), attacks[0]);
        framework.processExits(ERC20_VAULT_ID, address(moody), 0, 1);
        vm.assertEq(erc20Vault.credits(alice, address(moody)), 100);
        vm.assertEq(erc20Vault.totalCredits(address(moody)), moody.balanceOf(address(erc20Vault)));
        vm.assertEq(address(ethVault).balance, 1 ether);
    }

    function testFuzz_a_caller_with_little_gas_takes_nothing_from_anyone(uint256 gasLimit) public {
        // Processing with a chosen gas limit must pay, or change nothing; never turn a push into a credit.
        startExit(depositEth(alice, 1 ether));
        startExit(depositToken(bob, 10));
        warpPastExit();
        gasLimit = bound(gasLimit, 20_000, 900_000);
        uint256 before = alice.balance;
        try framework.processExits{gas: gasLimit}(ETH_VAULT_ID, ETH, 0, 1) {
            vm.assertEq(alice.balance, before + 1 ether + SE_BOND);
        } catch {
            vm.assertEq(alice.balance, before);
        }
        try framework.processExits{gas: gasLimit}(ERC20_VAULT_ID, address(token), 0, 1) {
            vm.assertEq(token.balanceOf(bob), 10);
        } catch {
            vm.assertEq(token.balanceOf(bob), 0);
        }
        vm.assertEq(ethVault.totalCredits() + game.totalCredits() + erc20Vault.totalCredits(address(token)), 0);
    }

    function depositFrom(MoodyWallet wallet, uint256 amount) private returns (Utxo memory utxo) {
        utxo = depositUtxo(address(wallet), ETH, amount);
        wallet.execute{value: amount}(address(ethVault), amount, abi.encodeCall(ethVault.deposit, (utxo.rawTx)));
    }

    function startFrom(MoodyWallet wallet, Utxo memory utxo) private {
        bytes memory data = abi.encodeCall(game.startStandardExit, (startArgs(utxo)));
        wallet.execute{value: SE_BOND}(address(game), SE_BOND, data);
    }

    function depositMoody(MoodyToken moody, address owner, uint256 amount) private returns (Utxo memory utxo) {
        moody.mint(owner, amount);
        utxo = depositUtxo(owner, address(moody), amount);
        vm.startPrank(owner);
        moody.approve(address(erc20Vault), amount);
        erc20Vault.deposit(utxo.rawTx);
        vm.stopPrank();
    }
}
