// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    PaymentTransactionStateTransitionVerifier
} from "../../src/exits/payment/PaymentTransactionStateTransitionVerifier.sol";
import {WireTransaction} from "../../src/transactions/WireTransaction.sol";
import {Encode} from "../kit/Encode.sol";
import {bound, vm} from "../kit/Vm.sol";

contract StateTransitionTest {
    address private constant ETH = address(0);
    address private constant TOKEN = address(0x70CE);

    PaymentTransactionStateTransitionVerifier private verifier = new PaymentTransactionStateTransitionVerifier();
    bytes[] private inputTxs;
    uint16[] private indexes;

    function testFuzz_outputs_of_one_token_may_not_exceed_its_inputs(uint128 a, uint128 b, uint128 x, uint128 y)
        public
    {
        (a, b) = (a | 1, b | 1);
        (x, y) = (x | 1, y | 1);
        spend(ETH, a);
        spend(ETH, b);
        vm.assertEq(isCorrect(pay(ETH, x, ETH, y)), uint256(x) + y <= uint256(a) + b);
    }

    function testFuzz_each_token_is_counted_alone(uint128 a, uint128 b, uint128 x, uint128 y) public {
        (a, b) = (a | 1, b | 1);
        (x, y) = (x | 1, y | 1);
        spend(ETH, a);
        spend(TOKEN, b);
        vm.assertEq(isCorrect(pay(ETH, x, TOKEN, y)), x <= a && y <= b);
    }

    function test_what_the_outputs_leave_over_is_the_fee_even_a_whole_token() public {
        spend(ETH, 10);
        spend(TOKEN, 10);
        vm.assertTrue(isCorrect(pay(ETH, 1, ETH, 2)));
    }

    function test_a_token_without_inputs_can_not_appear() public {
        spend(ETH, 10);
        vm.assertFalse(isCorrect(pay(ETH, 1, TOKEN, 1)));
    }

    function test_nothing_comes_from_no_inputs() public view {
        vm.assertFalse(isCorrect(pay(ETH, 1, ETH, 1)));
    }

    function test_a_claimed_fee_can_be_an_input() public {
        inputTxs.push(Encode.feeClaim(address(1), ETH, 10, bytes32(0)));
        indexes.push(0);
        vm.assertTrue(isCorrect(pay(ETH, 5, ETH, 5)));
    }

    function test_any_output_of_a_transaction_can_be_an_input() public {
        inputTxs.push(pay(ETH, 3, TOKEN, 9));
        indexes.push(1);
        vm.assertTrue(isCorrect(pay(TOKEN, 4, TOKEN, 5)));
        indexes[0] = 2;
        vm.expectRevert(abi.encodeWithSelector(WireTransaction.OutputNotFound.selector, 2));
        isCorrect(pay(TOKEN, 4, TOKEN, 5));
    }

    function test_a_missing_index_is_no_transition() public {
        spend(ETH, 10);
        indexes.pop();
        vm.assertFalse(isCorrect(pay(ETH, 1, ETH, 1)));
    }

    function testFuzz_sums_do_not_wrap_around(uint256 a, uint256 b) public {
        a = bound(a, 1, type(uint256).max);
        b = bound(b, type(uint256).max - a + 1, type(uint256).max);
        spend(ETH, 10);
        vm.expectRevert();
        isCorrect(pay(ETH, a, ETH, b));
    }

    function spend(address token, uint256 amount) private {
        inputTxs.push(Encode.deposit(address(1), token, amount));
        indexes.push(0);
    }

    function pay(address token1, uint256 amount1, address token2, uint256 amount2) private pure returns (bytes memory) {
        Encode.Output[] memory outs = new Encode.Output[](2);
        outs[0] = Encode.Output(1, address(2), token1, amount1);
        outs[1] = Encode.Output(1, address(2), token2, amount2);
        return Encode.payment(1, Encode.one(1e9), outs, Encode.NO_METADATA);
    }

    function isCorrect(bytes memory rawTx) private view returns (bool) {
        return verifier.isCorrectStateTransition(rawTx, inputTxs, indexes);
    }
}
