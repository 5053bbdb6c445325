// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {FeeClaimOutputToPaymentTxCondition} from "../../src/exits/conditions/FeeClaimOutputToPaymentTxCondition.sol";
import {ISpendingCondition} from "../../src/exits/conditions/ISpendingCondition.sol";
import {PaymentOutputToPaymentTxCondition} from "../../src/exits/conditions/PaymentOutputToPaymentTxCondition.sol";
import {PaymentSpend} from "../../src/exits/conditions/PaymentSpend.sol";
import {SpendingConditionRegistry} from "../../src/exits/conditions/SpendingConditionRegistry.sol";
import {WireTransaction} from "../../src/transactions/WireTransaction.sol";
import {Position} from "../../src/utils/Position.sol";
import {Encode} from "../kit/Encode.sol";
import {TestChain} from "../kit/TestChain.sol";
import {vm} from "../kit/Vm.sol";

/// @title Who may spend an output, and what proves it
contract SpendingConditionsTest is TestChain {
    uint256 private constant POS = 1000 * 1e9;
    /// @dev The order of the curve: s and ORDER - s verify alike.
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    PaymentOutputToPaymentTxCondition private payment;
    FeeClaimOutputToPaymentTxCondition private fee;
    bytes private inputTx;
    bytes private feeTx;
    bytes private spendingTx;
    bytes private signature;

    function setUp() public override {
        super.setUp();
        payment = new PaymentOutputToPaymentTxCondition(address(framework), 1, 1);
        fee = new FeeClaimOutputToPaymentTxCondition(address(framework), 3, 2, 1);
        inputTx = Encode.deposit(alice, ETH, 10);
        feeTx = Encode.feeClaim(alice, ETH, 10, bytes32(uint256(1)));
        spendingTx = paymentTx(POS, bob, ETH, 10);
        signature = sign("alice", digestOf(POS, bob, ETH, 10));
    }

    function test_the_owners_signature_spends() public view {
        vm.assertTrue(payment.verify(inputTx, POS, spendingTx, 0, signature));
        vm.assertTrue(fee.verify(feeTx, POS, spendingTx, 0, signature));
    }

    function test_another_signature_does_not() public {
        bytes memory forged = sign("mallory", digestOf(POS, bob, ETH, 10));
        refusesSignature(forged, abi.encodeWithSelector(PaymentSpend.SignerNotOwner.selector, mallory, alice));
    }

    function test_a_signature_of_another_transaction_does_not() public {
        bytes memory other = sign("alice", digestOf(POS, bob, ETH, 11));
        vm.expectRevert();
        payment.verify(inputTx, POS, spendingTx, 0, other);
    }

    function test_a_signature_has_one_form() public {
        bytes memory invalid = abi.encodeWithSelector(PaymentSpend.SignatureInvalid.selector);
        (bytes32 r, bytes32 s, uint8 v) = parts(signature);
        refusesSignature("", invalid);
        refusesSignature(new bytes(65), invalid);
        refusesSignature(abi.encodePacked(r, s), invalid);
        refusesSignature(abi.encodePacked(r, s, v, uint8(0)), invalid);
        refusesSignature(abi.encodePacked(r, s, v - 27), invalid);
        refusesSignature(abi.encodePacked(r, s, v + 8), invalid);
        // The mirrored signature recovers to the same signer; one of the two must not count.
        bytes32 mirrored = bytes32(ORDER - uint256(s));
        refusesSignature(abi.encodePacked(r, mirrored, v == 27 ? uint8(28) : uint8(27)), invalid);
        // EIP-2098: s with the parity on top.
        bytes32 compact = bytes32(uint256(s) | uint256(v - 27) << 255);
        refusesSignature(abi.encodePacked(r, compact), invalid);
    }

    function testFuzz_noise_is_no_signature(bytes calldata noise) public {
        vm.expectRevert();
        payment.verify(inputTx, POS, spendingTx, 0, noise);
    }

    function test_the_input_must_point_at_the_output() public {
        bytes memory elsewhere = abi.encodeWithSelector(PaymentSpend.InputPointsElsewhere.selector, POS, POS + 1e9);
        vm.expectRevert(elsewhere);
        payment.verify(inputTx, POS + 1e9, spendingTx, 0, signature);
        vm.expectRevert(elsewhere);
        fee.verify(feeTx, POS + 1e9, spendingTx, 0, signature);
        vm.expectRevert(abi.encodeWithSelector(PaymentSpend.InputNotFound.selector, 1));
        payment.verify(inputTx, POS, spendingTx, 1, signature);
    }

    function test_the_output_must_exist() public {
        vm.expectRevert(abi.encodeWithSelector(WireTransaction.OutputNotFound.selector, 1));
        payment.verify(inputTx, POS + 1, spendingTx, 0, signature);
        vm.expectRevert(abi.encodeWithSelector(FeeClaimOutputToPaymentTxCondition.FeeOutputIndexNotZero.selector, 1));
        fee.verify(feeTx, POS + 1, spendingTx, 0, signature);
    }

    function test_the_position_must_be_one() public {
        vm.expectRevert(abi.encodeWithSelector(Position.TxindexTooLarge.selector, 65536));
        payment.verify(inputTx, POS + 65536 * 1e4, spendingTx, 0, signature);
    }

    function test_the_types_must_be_the_conditions() public {
        PaymentOutputToPaymentTxCondition other = new PaymentOutputToPaymentTxCondition(address(framework), 1, 2);
        vm.expectRevert(abi.encodeWithSelector(PaymentSpend.TxTypeUnexpected.selector, 1, 2));
        other.verify(inputTx, POS, spendingTx, 0, signature);
        other = new PaymentOutputToPaymentTxCondition(address(framework), 2, 1);
        vm.expectRevert(abi.encodeWithSelector(PaymentSpend.TxTypeUnexpected.selector, 1, 2));
        other.verify(inputTx, POS, spendingTx, 0, signature);
        vm.expectRevert(abi.encodeWithSelector(PaymentSpend.TxTypeUnexpected.selector, 1, 3));
        fee.verify(inputTx, POS, spendingTx, 0, signature);
        FeeClaimOutputToPaymentTxCondition otherFee =
            new FeeClaimOutputToPaymentTxCondition(address(framework), 3, 4, 1);
        vm.expectRevert(abi.encodeWithSelector(FeeClaimOutputToPaymentTxCondition.OutputTypeUnexpected.selector, 2, 4));
        otherFee.verify(feeTx, POS, spendingTx, 0, signature);
    }

    function test_a_signature_for_another_framework_does_not_spend() public {
        PaymentOutputToPaymentTxCondition other = new PaymentOutputToPaymentTxCondition(mallory, 1, 1);
        vm.expectRevert();
        other.verify(inputTx, POS, spendingTx, 0, signature);
    }

    function test_constructor_arguments_must_be_something() public {
        vm.expectRevert(PaymentSpend.FrameworkZero.selector);
        new PaymentOutputToPaymentTxCondition(address(0), 1, 1);
        vm.expectRevert(PaymentOutputToPaymentTxCondition.TxTypeZero.selector);
        new PaymentOutputToPaymentTxCondition(address(framework), 0, 1);
        vm.expectRevert(PaymentOutputToPaymentTxCondition.TxTypeZero.selector);
        new PaymentOutputToPaymentTxCondition(address(framework), 1, 0);
        vm.expectRevert(FeeClaimOutputToPaymentTxCondition.TypeZero.selector);
        new FeeClaimOutputToPaymentTxCondition(address(framework), 3, 0, 1);
        vm.assertEq(payment.inputTxType() + payment.spendingTxType(), 2);
        vm.assertEq(fee.feeTxType() + fee.feeClaimOutputType() + fee.paymentTxType(), 6);
    }

    // --- the registry ---

    function test_the_registry_finds_what_was_registered() public {
        SpendingConditionRegistry fresh = new SpendingConditionRegistry();
        fresh.registerSpendingCondition(4, 5, payment);
        vm.assertEq(address(fresh.spendingConditions(4, 5)), address(payment));
        vm.assertEq(address(fresh.spendingConditions(5, 4)), address(0));
    }

    function test_the_registry_takes_each_pair_once_and_only_code() public {
        SpendingConditionRegistry fresh = new SpendingConditionRegistry();
        vm.expectRevert(SpendingConditionRegistry.TypeZero.selector);
        fresh.registerSpendingCondition(0, 1, payment);
        vm.expectRevert(SpendingConditionRegistry.TypeZero.selector);
        fresh.registerSpendingCondition(1, 0, payment);
        vm.expectRevert(abi.encodeWithSelector(SpendingConditionRegistry.ConditionWithoutCode.selector, mallory));
        fresh.registerSpendingCondition(1, 1, ISpendingCondition(mallory));
        fresh.registerSpendingCondition(1, 1, payment);
        vm.expectRevert(abi.encodeWithSelector(SpendingConditionRegistry.ConditionRegistered.selector, 1, 1));
        fresh.registerSpendingCondition(1, 1, payment);
    }

    function test_the_registry_obeys_its_owner_until_nobody_owns_it() public {
        SpendingConditionRegistry fresh = new SpendingConditionRegistry();
        vm.assertEq(fresh.owner(), address(this));
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, mallory));
        vm.prank(mallory);
        fresh.registerSpendingCondition(1, 1, payment);
        fresh.renounceOwnership();
        vm.assertEq(fresh.owner(), address(0));
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(this)));
        fresh.registerSpendingCondition(1, 1, payment);
    }

    function refusesSignature(bytes memory witness, bytes memory reason) private {
        vm.expectRevert(reason);
        payment.verify(inputTx, POS, spendingTx, 0, witness);
        vm.expectRevert(reason);
        fee.verify(feeTx, POS, spendingTx, 0, witness);
    }

    function parts(bytes memory sig) private pure returns (bytes32 r, bytes32 s, uint8 v) {
        assembly {
            r := mload(add(sig, 32))
            s := mload(add(sig, 64))
            v := byte(0, mload(add(sig, 96)))
        }
    }
}
