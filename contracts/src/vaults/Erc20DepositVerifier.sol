// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {WireTransaction} from "../transactions/WireTransaction.sol";
import {DepositVerifier} from "./DepositVerifier.sol";
import {IErc20DepositVerifier} from "./IDepositVerifiers.sol";

/// @title ERC-20 deposits
contract Erc20DepositVerifier is IErc20DepositVerifier, DepositVerifier {
    error TokenIsEth();
    error AllowanceTooLow(uint256 allowance, uint256 amount);

    constructor(uint256 txType, uint256 outputType) DepositVerifier(txType, outputType) {}

    /// @inheritdoc IErc20DepositVerifier
    /// @dev Reverts with TokenIsEth, AllowanceTooLow, one of DepositVerifier's errors or one of the decoder's.
    function verify(bytes calldata depositTx, address sender, address vault)
        external
        view
        override
        returns (address owner, address token, uint256 amount)
    {
        WireTransaction.Output memory output = _depositOutput(depositTx, sender);
        (owner, token, amount) = (output.owner, output.token, output.amount);
        if (token == address(0)) revert TokenIsEth();
        uint256 allowance = IERC20(token).allowance(owner, vault);
        if (allowance < amount) revert AllowanceTooLow(allowance, amount);
    }
}
