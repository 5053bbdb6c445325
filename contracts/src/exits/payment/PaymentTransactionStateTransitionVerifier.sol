// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PaymentTransaction} from "../../transactions/PaymentTransaction.sol";
import {WireTransaction} from "../../transactions/WireTransaction.sol";

/// @title A payment makes nothing out of nothing
contract PaymentTransactionStateTransitionVerifier {
    /// @notice Whether for every token of the outputs the inputs hold at least as much as the outputs.
    /// @dev The surplus is the fee. Answers false when the array lengths differ; reverts when a transaction does not
    ///      decode, an output does not exist, or a sum overflows.
    /// @param txBytes RLP of the payment transaction.
    /// @param inputTxs RLP of the transactions that made its inputs.
    /// @param outputIndexOfInputTxs Which output of each is the input.
    function isCorrectStateTransition(
        bytes calldata txBytes,
        bytes[] calldata inputTxs,
        uint16[] calldata outputIndexOfInputTxs
    ) external pure returns (bool) {
        uint256 count = inputTxs.length;
        if (count != outputIndexOfInputTxs.length) return false;
        WireTransaction.Output[] memory inputs = new WireTransaction.Output[](count);
        for (uint256 i = 0; i < count; ++i) {
            (, inputs[i]) = WireTransaction.outputAt(inputTxs[i], outputIndexOfInputTxs[i]);
        }
        WireTransaction.Output[] memory outputs = PaymentTransaction.decode(txBytes).outputs;
        for (uint256 i = 0; i < outputs.length; ++i) {
            address token = outputs[i].token;
            if (_sum(inputs, token) < _sum(outputs, token)) return false;
        }
        return true;
    }

    function _sum(WireTransaction.Output[] memory outputs, address token) private pure returns (uint256 sum) {
        for (uint256 i = 0; i < outputs.length; ++i) {
            if (outputs[i].token == token) sum += outputs[i].amount;
        }
    }
}
