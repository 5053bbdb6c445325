// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {WireTransaction} from "../transactions/WireTransaction.sol";
import {DepositVerifier} from "./DepositVerifier.sol";
import {IEthDepositVerifier} from "./IDepositVerifiers.sol";

/// @title ETH deposits
contract EthDepositVerifier is IEthDepositVerifier, DepositVerifier {
    error TokenNotEth(address token);
    error AmountNotSent(uint256 amount, uint256 sent);

    constructor(uint256 txType, uint256 outputType) DepositVerifier(txType, outputType) {}

    /// @inheritdoc IEthDepositVerifier
    /// @dev Reverts with TokenNotEth, AmountNotSent, one of DepositVerifier's errors or one of the decoder's.
    function verify(bytes calldata depositTx, uint256 amount, address sender) external view override {
        WireTransaction.Output memory output = _depositOutput(depositTx, sender);
        if (output.token != address(0)) revert TokenNotEth(output.token);
        if (output.amount != amount) revert AmountNotSent(output.amount, amount);
    }
}
