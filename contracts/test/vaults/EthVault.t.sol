// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BlockController} from "../../src/framework/BlockController.sol";
import {IPlasmaFramework} from "../../src/framework/IPlasmaFramework.sol";
import {VaultRegistry} from "../../src/framework/VaultRegistry.sol";
import {EthCredits} from "../../src/utils/EthCredits.sol";
import {EthVault} from "../../src/vaults/EthVault.sol";
import {Vault} from "../../src/vaults/Vault.sol";
import {Encode} from "../kit/Encode.sol";
import {MoodyWallet} from "../kit/Hostile.sol";
import {TestChain} from "../kit/TestChain.sol";
import {Tree} from "../kit/Tree.sol";
import {bound, vm} from "../kit/Vm.sol";

contract EthVaultTest is TestChain {
    MoodyWallet private wallet;

    function setUp() public override {
        super.setUp();
        wallet = new MoodyWallet();
    }

    // --- deposits ---

    function testFuzz_a_deposit_is_a_block_of_its_own(uint96 amount) public {
        vm.assume(amount != 0 && amount < 1_000_000 ether);
        bytes memory raw = Encode.deposit(alice, ETH, amount);
        vm.expectEmit(address(ethVault));
        emit EthVault.DepositCreated(alice, 1, ETH, amount);
        vm.prank(alice);
        ethVault.deposit{value: amount}(raw);
        (bytes32 root, uint256 timestamp) = framework.blocks(1);
        vm.assertEq(root, Tree.root(txs(raw), 16));
        vm.assertEq(timestamp, GENESIS);
        vm.assertEq(address(ethVault).balance, amount);
    }

    function test_a_deposit_needs_a_registered_vault_out_of_quarantine() public {
        EthVault fresh = new EthVault(IPlasmaFramework(address(framework)), 2300);
        address verifier = ethVault.getEffectiveDepositVerifier();
        vm.prank(maintainer);
        fresh.setDepositVerifier(verifier);
        bytes memory refusal = abi.encodeWithSelector(VaultRegistry.NotASafeVault.selector, address(fresh));
        vm.prank(alice);
        vm.expectRevert(refusal);
        fresh.deposit{value: 1}(Encode.deposit(alice, ETH, 1));
        vm.prank(maintainer);
        framework.registerVault(9, address(fresh));
        vm.prank(alice);
        vm.expectRevert(refusal);
        fresh.deposit{value: 1}(Encode.deposit(alice, ETH, 1));
        vm.warp(GENESIS + 2 * MIN_EXIT_PERIOD);
        vm.prank(alice);
        fresh.deposit{value: 1}(Encode.deposit(alice, ETH, 1));
    }

    function test_the_thousandth_deposit_waits_for_the_next_block() public {
        for (uint256 i = 0; i < 999; ++i) {
            depositEth(alice, 1);
        }
        bytes memory raw = Encode.deposit(alice, ETH, 1);
        vm.expectRevert(abi.encodeWithSelector(BlockController.DepositLimitReached.selector, 999));
        vm.prank(alice);
        ethVault.deposit{value: 1}(raw);
    }

    // --- payouts ---

    function test_only_a_safe_exit_game_withdraws() public {
        depositEth(alice, 1 ether);
        address[4] memory others = [alice, maintainer, authority, address(framework)];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Vault.NotASafeExitGame.selector, others[i]));
            vm.prank(others[i]);
            ethVault.withdraw(payable(alice), 1 ether);
        }
    }

    function test_a_payout_reaches_its_receiver() public {
        depositEth(alice, 1 ether);
        uint256 before = bob.balance;
        vm.expectEmit(address(ethVault));
        emit EthVault.EthWithdrawn(bob, 0.4 ether);
        withdraw(bob, 0.4 ether);
        vm.assertEq(bob.balance, before + 0.4 ether);
        vm.assertEq(ethVault.totalCredits(), 0);
    }

    function test_a_payout_that_is_not_taken_becomes_a_credit() public {
        depositEth(alice, 10 ether);
        MoodyWallet.Mood[4] memory moods = [
            MoodyWallet.Mood.Refuse, MoodyWallet.Mood.BurnGas, MoodyWallet.Mood.NeedMoreGas, MoodyWallet.Mood.ReturnBomb
        ];
        for (uint256 i = 0; i < moods.length; ++i) {
            wallet.setMood(moods[i]);
            vm.expectEmit(address(ethVault));
            emit EthVault.WithdrawFailed(address(wallet), 1 ether);
            vm.expectEmit(address(ethVault));
            emit EthCredits.CreditAdded(address(wallet), 1 ether);
            withdraw(address(wallet), 1 ether);
            vm.assertEq(ethVault.credits(address(wallet)), (i + 1) * 1 ether);
        }
        vm.assertEq(ethVault.totalCredits(), 4 ether);
        vm.assertEq(address(ethVault).balance, 10 ether);
    }

    function test_a_receiver_can_not_make_a_payout_expensive() public {
        depositEth(alice, 1 ether);
        wallet.setMood(MoodyWallet.Mood.BurnGas);
        vm.prank(address(game));
        uint256 before = gasleft();
        ethVault.withdraw(payable(address(wallet)), 1 ether);
        vm.assertLt(before - gasleft(), 120_000);
    }

    function test_a_claim_that_deposits_do_not_cover_is_no_debt() public {
        depositEth(alice, 1 ether);
        vm.expectEmit(address(ethVault));
        emit EthVault.WithdrawFailed(mallory, 2 ether);
        withdraw(mallory, 2 ether);
        vm.assertEq(ethVault.credits(mallory), 0);
        // Later deposits are not taken for it, and the money there still pays others.
        depositEth(alice, 5 ether);
        withdraw(bob, 6 ether);
        vm.assertEq(address(ethVault).balance, 0);
    }

    function test_a_payout_never_takes_money_that_is_owed_as_credit() public {
        depositEth(alice, 3 ether);
        wallet.setMood(MoodyWallet.Mood.Refuse);
        withdraw(address(wallet), 2 ether);
        withdraw(bob, 1.5 ether);
        vm.assertEq(address(ethVault).balance, 3 ether);
        vm.assertEq(ethVault.credits(bob), 0);
        withdraw(bob, 1 ether);
        vm.assertEq(address(ethVault).balance, 2 ether);
        wallet.setMood(MoodyWallet.Mood.Accept);
        ethVault.withdrawCredit(address(wallet), payable(address(wallet)));
        vm.assertEq(address(ethVault).balance, 0);
    }

    function testFuzz_no_gas_limit_turns_a_good_payout_into_a_credit(uint256 gasLimit) public {
        // A caller that sends just enough gas could otherwise starve the push alone.
        depositEth(alice, 1 ether);
        gasLimit = bound(gasLimit, 5_000, 150_000);
        uint256 before = bob.balance;
        vm.prank(address(game));
        try ethVault.withdraw{gas: gasLimit}(payable(bob), 1 ether) {
            vm.assertEq(bob.balance, before + 1 ether);
        } catch {
            vm.assertEq(bob.balance, before);
        }
        vm.assertEq(ethVault.totalCredits(), 0);
    }

    function test_too_little_gas_for_a_push_has_its_error() public {
        depositEth(alice, 1 ether);
        bytes4 seen;
        for (uint256 gasLimit = 20_000; gasLimit < 80_000 && seen == 0; gasLimit += 5_000) {
            vm.prank(address(game));
            try ethVault.withdraw{gas: gasLimit}(payable(bob), 1 ether) {}
            catch (bytes memory reason) {
                seen = bytes4(reason);
            }
        }
        vm.assertTrue(seen == EthCredits.NotEnoughGasToPay.selector);
    }

    // --- credits ---

    function test_a_credit_is_paid_to_where_its_owner_says() public {
        giveCredit(1 ether);
        uint256 before = carol.balance;
        vm.expectEmit(address(ethVault));
        emit EthCredits.CreditWithdrawn(address(wallet), carol, 1 ether);
        wallet.execute(address(ethVault), 0, abi.encodeCall(ethVault.withdrawCredit, (address(wallet), payable(carol))));
        vm.assertEq(carol.balance, before + 1 ether);
        vm.assertEq(ethVault.credits(address(wallet)), 0);
        vm.assertEq(ethVault.totalCredits(), 0);
        vm.expectRevert(abi.encodeWithSelector(EthCredits.NoCredit.selector, address(wallet)));
        ethVault.withdrawCredit(address(wallet), payable(address(wallet)));
    }

    function test_anyone_may_send_a_credit_to_its_owner_and_nowhere_else() public {
        giveCredit(1 ether);
        wallet.setMood(MoodyWallet.Mood.NeedMoreGas);
        vm.expectRevert(abi.encodeWithSelector(EthCredits.NotCreditOwner.selector, mallory, address(wallet)));
        vm.prank(mallory);
        ethVault.withdrawCredit(address(wallet), payable(mallory));
        vm.prank(mallory);
        ethVault.withdrawCredit(address(wallet), payable(address(wallet)));
        vm.assertEq(wallet.received(), 1 ether);
    }

    function test_a_credit_stays_when_its_payment_fails() public {
        giveCredit(1 ether);
        vm.expectRevert(abi.encodeWithSelector(EthCredits.CreditTransferFailed.selector, address(wallet), 1 ether));
        ethVault.withdrawCredit(address(wallet), payable(address(wallet)));
        vm.assertEq(ethVault.credits(address(wallet)), 1 ether);
        vm.assertEq(ethVault.totalCredits(), 1 ether);
    }

    function test_a_credit_is_not_burnt_by_mistake() public {
        giveCredit(1 ether);
        vm.expectRevert(EthCredits.ReceiverZero.selector);
        wallet.execute(
            address(ethVault), 0, abi.encodeCall(ethVault.withdrawCredit, (address(wallet), payable(address(0))))
        );
    }

    function test_a_credit_is_paid_once_even_to_a_receiver_that_calls_back() public {
        giveCredit(1 ether);
        wallet.setCallBack(
            address(ethVault), abi.encodeCall(ethVault.withdrawCredit, (address(wallet), payable(address(wallet))))
        );
        vm.expectRevert(abi.encodeWithSelector(EthCredits.CreditTransferFailed.selector, address(wallet), 1 ether));
        ethVault.withdrawCredit(address(wallet), payable(address(wallet)));
    }

    function test_the_stipend_has_a_bound() public {
        vm.assertEq(ethVault.safeGasStipend(), 2300);
        vm.expectRevert(abi.encodeWithSelector(EthCredits.StipendTooLarge.selector, 100_001, 100_000));
        new EthVault(IPlasmaFramework(address(framework)), 100_001);
    }

    function withdraw(address receiver, uint256 amount) private {
        vm.prank(address(game));
        ethVault.withdraw(payable(receiver), amount);
    }

    function giveCredit(uint256 amount) private {
        depositEth(alice, 10 ether);
        wallet.setMood(MoodyWallet.Mood.Refuse);
        withdraw(address(wallet), amount);
    }
}
