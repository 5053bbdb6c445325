// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Erc20Vault} from "../../src/vaults/Erc20Vault.sol";
import {Vault} from "../../src/vaults/Vault.sol";
import {Encode} from "../kit/Encode.sol";
import {MoodyToken} from "../kit/Hostile.sol";
import {TestChain} from "../kit/TestChain.sol";
import {Tree} from "../kit/Tree.sol";
import {bound, vm} from "../kit/Vm.sol";

contract Erc20VaultTest is TestChain {
    MoodyToken private moody;

    function setUp() public override {
        super.setUp();
        moody = new MoodyToken();
    }

    // --- deposits ---

    function testFuzz_a_deposit_is_a_block_of_its_own(uint256 amount) public {
        vm.assume(amount != 0);
        bytes memory raw = prepare(alice, amount);
        vm.expectEmit(address(erc20Vault));
        emit Erc20Vault.DepositCreated(alice, 1, address(moody), amount);
        vm.prank(alice);
        erc20Vault.deposit(raw);
        (bytes32 root,) = framework.blocks(1);
        vm.assertEq(root, Tree.root(txs(raw), 16));
        vm.assertEq(moody.balanceOf(address(erc20Vault)), amount);
    }

    function test_a_token_that_takes_a_fee_is_refused() public {
        // Deposits would be worth more on the child chain than what the vault got: the last to leave would find less.
        bytes memory raw = prepare(alice, 1000);
        moody.mint(address(erc20Vault), 50);
        moody.setMood(MoodyToken.Mood.TakeFee);
        vm.expectRevert(abi.encodeWithSelector(Erc20Vault.ReceivedOtherThanAmount.selector, address(moody), 990, 1000));
        vm.prank(alice);
        erc20Vault.deposit(raw);
    }

    function test_a_token_that_does_not_transfer_makes_no_deposit() public {
        bytes memory raw = prepare(alice, 1000);
        moody.setMood(MoodyToken.Mood.SayFalse);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(moody)));
        vm.prank(alice);
        erc20Vault.deposit(raw);
        moody.setMood(MoodyToken.Mood.Refuse);
        vm.expectRevert(bytes("no"));
        vm.prank(alice);
        erc20Vault.deposit(raw);
        // Somebody else's approval is of no use.
        vm.expectRevert();
        vm.prank(mallory);
        erc20Vault.deposit(raw);
        vm.assertEq(framework.nextDeposit(), 1);
    }

    function test_a_deposit_inside_of_a_deposit_is_refused() public {
        // Measured from outside, the inner deposit would count for the outer one as well.
        bytes memory raw = prepare(alice, 1000);
        moody.setCallBack(address(erc20Vault), abi.encodeCall(erc20Vault.deposit, (raw)));
        vm.expectRevert(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        vm.prank(alice);
        erc20Vault.deposit(raw);
    }

    // --- payouts ---

    function test_only_a_safe_exit_game_withdraws() public {
        deposit(alice, 100);
        address[4] memory others = [alice, maintainer, authority, address(framework)];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Vault.NotASafeExitGame.selector, others[i]));
            vm.prank(others[i]);
            erc20Vault.withdraw(alice, address(moody), 100);
        }
    }

    function test_a_payout_reaches_its_receiver_whether_or_not_the_token_answers() public {
        deposit(alice, 100);
        vm.expectEmit(address(erc20Vault));
        emit Erc20Vault.Erc20Withdrawn(bob, address(moody), 40);
        withdraw(bob, 40);
        moody.setMood(MoodyToken.Mood.SayNothing);
        vm.expectEmit(address(erc20Vault));
        emit Erc20Vault.Erc20Withdrawn(bob, address(moody), 60);
        withdraw(bob, 60);
        vm.assertEq(moody.balanceOf(bob), 100);
    }

    function test_a_payout_the_token_does_not_make_becomes_a_credit() public {
        deposit(alice, 100);
        MoodyToken.Mood[5] memory moods = [
            MoodyToken.Mood.Refuse,
            MoodyToken.Mood.SayFalse,
            MoodyToken.Mood.SaySomethingElse,
            MoodyToken.Mood.BurnGas,
            MoodyToken.Mood.ReturnBomb
        ];
        for (uint256 i = 0; i < moods.length; ++i) {
            moody.setMood(moods[i]);
            vm.expectEmit(address(erc20Vault));
            emit Erc20Vault.WithdrawFailed(bob, address(moody), 10);
            vm.expectEmit(address(erc20Vault));
            emit Erc20Vault.CreditAdded(bob, address(moody), 10);
            withdraw(bob, 10);
        }
        vm.assertEq(erc20Vault.credits(bob, address(moody)), 50);
        vm.assertEq(erc20Vault.totalCredits(address(moody)), 50);
    }

    function test_a_token_that_transfers_and_says_false_does_not_pay_twice() public {
        // Tokens exist that move the money and answer false. Were the answer believed and the transfer kept, the
        // receiver would have the tokens and a credit for them, paid from what others deposited.
        deposit(alice, 100);
        moody.setMood(MoodyToken.Mood.TransferAndSayFalse);
        withdraw(bob, 50);
        vm.assertEq(moody.balanceOf(bob), 0);
        vm.assertEq(erc20Vault.credits(bob, address(moody)), 50);
        moody.setMood(MoodyToken.Mood.Honest);
        erc20Vault.withdrawCredit(bob, address(moody), bob);
        vm.assertEq(moody.balanceOf(bob), 50);
        vm.assertEq(moody.balanceOf(address(erc20Vault)), 50);
    }

    function test_only_the_vault_itself_transfers_out() public {
        deposit(alice, 100);
        vm.expectRevert(abi.encodeWithSelector(Erc20Vault.NotVault.selector, game));
        vm.prank(address(game));
        erc20Vault.transferOut(address(moody), mallory, 100);
    }

    function test_a_token_can_not_make_a_payout_expensive() public {
        deposit(alice, 100);
        MoodyToken.Mood[2] memory moods = [MoodyToken.Mood.BurnGas, MoodyToken.Mood.ReturnBomb];
        for (uint256 i = 0; i < moods.length; ++i) {
            moody.setMood(moods[i]);
            vm.prank(address(game));
            uint256 before = gasleft();
            erc20Vault.withdraw(bob, address(moody), 10);
            vm.assertLt(before - gasleft(), 450_000);
        }
    }

    function test_a_claim_that_deposits_do_not_cover_is_no_debt() public {
        deposit(alice, 100);
        vm.expectEmit(address(erc20Vault));
        emit Erc20Vault.WithdrawFailed(mallory, address(moody), 101);
        withdraw(mallory, 101);
        vm.assertEq(erc20Vault.credits(mallory, address(moody)), 0);
        deposit(alice, 100);
        withdraw(bob, 200);
        vm.assertEq(moody.balanceOf(bob), 200);
    }

    function test_a_payout_never_takes_tokens_that_are_owed_as_credit() public {
        deposit(alice, 100);
        moody.setMood(MoodyToken.Mood.Refuse);
        withdraw(alice, 60);
        moody.setMood(MoodyToken.Mood.Honest);
        withdraw(bob, 41);
        vm.assertEq(moody.balanceOf(bob), 0);
        vm.assertEq(erc20Vault.credits(bob, address(moody)), 0);
        withdraw(bob, 40);
        vm.assertEq(moody.balanceOf(bob), 40);
        erc20Vault.withdrawCredit(alice, address(moody), alice);
        vm.assertEq(moody.balanceOf(alice), 60);
    }

    function test_tokens_that_vanished_are_no_debt() public {
        deposit(alice, 100);
        moody.setMood(MoodyToken.Mood.Refuse);
        withdraw(alice, 60);
        moody.burn(address(erc20Vault), 90);
        withdraw(bob, 5);
        vm.assertEq(erc20Vault.credits(bob, address(moody)), 0);
    }

    function test_a_token_without_code_or_balance_pays_nothing_and_disturbs_nobody() public {
        deposit(alice, 100);
        moody.setMood(MoodyToken.Mood.HideBalance);
        withdraw(bob, 10);
        vm.assertEq(erc20Vault.credits(bob, address(moody)), 0);
        vm.expectEmit(address(erc20Vault));
        emit Erc20Vault.WithdrawFailed(bob, mallory, 10);
        vm.prank(address(game));
        erc20Vault.withdraw(bob, mallory, 10);
    }

    function testFuzz_no_gas_limit_turns_a_good_payout_into_a_credit(uint256 gasLimit) public {
        deposit(alice, 100);
        gasLimit = bound(gasLimit, 5_000, 500_000);
        vm.prank(address(game));
        try erc20Vault.withdraw{gas: gasLimit}(bob, address(moody), 100) {
            vm.assertEq(moody.balanceOf(bob), 100);
        } catch {
            vm.assertEq(moody.balanceOf(bob), 0);
        }
        vm.assertEq(erc20Vault.totalCredits(address(moody)), 0);
    }

    function test_too_little_gas_for_a_transfer_has_its_error() public {
        deposit(alice, 100);
        vm.prank(address(game));
        try erc20Vault.withdraw{gas: 250_000}(bob, address(moody), 100) {
            vm.assertTrue(false);
        } catch (bytes memory reason) {
            vm.assertTrue(bytes4(reason) == Erc20Vault.NotEnoughGasToPay.selector);
        }
    }

    // --- credits ---

    function test_a_credit_is_paid_to_where_its_owner_says() public {
        giveCredit(alice, 30);
        vm.expectEmit(address(erc20Vault));
        emit Erc20Vault.CreditWithdrawn(alice, address(moody), carol, 30);
        vm.prank(alice);
        erc20Vault.withdrawCredit(alice, address(moody), carol);
        vm.assertEq(moody.balanceOf(carol), 30);
        vm.assertEq(erc20Vault.totalCredits(address(moody)), 0);
        vm.expectRevert(abi.encodeWithSelector(Erc20Vault.NoCredit.selector, alice, address(moody)));
        vm.prank(alice);
        erc20Vault.withdrawCredit(alice, address(moody), carol);
    }

    function test_anyone_may_send_a_credit_to_its_owner_and_nowhere_else() public {
        giveCredit(alice, 30);
        vm.startPrank(mallory);
        vm.expectRevert(abi.encodeWithSelector(Erc20Vault.NotCreditOwner.selector, mallory, alice));
        erc20Vault.withdrawCredit(alice, address(moody), mallory);
        erc20Vault.withdrawCredit(alice, address(moody), alice);
        vm.stopPrank();
        vm.assertEq(moody.balanceOf(alice), 30);
    }

    function test_a_credit_stays_when_the_token_still_refuses() public {
        giveCredit(alice, 30);
        moody.setMood(MoodyToken.Mood.Refuse);
        vm.expectRevert(bytes("no"));
        erc20Vault.withdrawCredit(alice, address(moody), alice);
        moody.setMood(MoodyToken.Mood.SayFalse);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(moody)));
        erc20Vault.withdrawCredit(alice, address(moody), alice);
        vm.assertEq(erc20Vault.credits(alice, address(moody)), 30);
    }

    function test_a_credit_is_not_burnt_by_mistake() public {
        giveCredit(alice, 30);
        vm.expectRevert(Erc20Vault.ReceiverZero.selector);
        vm.prank(alice);
        erc20Vault.withdrawCredit(alice, address(moody), address(0));
    }

    function test_a_credit_is_paid_once_even_by_a_token_that_calls_back() public {
        giveCredit(alice, 30);
        moody.setCallBack(
            address(erc20Vault), abi.encodeCall(erc20Vault.withdrawCredit, (alice, address(moody), alice))
        );
        vm.expectRevert(abi.encodeWithSelector(Erc20Vault.NoCredit.selector, alice, address(moody)));
        erc20Vault.withdrawCredit(alice, address(moody), alice);
    }

    // --- helpers ---

    function prepare(address owner, uint256 amount) private returns (bytes memory raw) {
        moody.mint(owner, amount);
        vm.prank(owner);
        moody.approve(address(erc20Vault), amount);
        return Encode.deposit(owner, address(moody), amount);
    }

    function deposit(address owner, uint256 amount) private {
        bytes memory raw = prepare(owner, amount);
        vm.prank(owner);
        erc20Vault.deposit(raw);
    }

    function withdraw(address receiver, uint256 amount) private {
        vm.prank(address(game));
        erc20Vault.withdraw(receiver, address(moody), amount);
    }

    function giveCredit(address owner, uint256 amount) private {
        deposit(owner, amount);
        moody.setMood(MoodyToken.Mood.Refuse);
        withdraw(owner, amount);
        moody.setMood(MoodyToken.Mood.Honest);
    }
}
