// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Which transactions the ETH vault accepts as deposits
interface IEthDepositVerifier {
    /// @notice Reverts unless `depositTx` gives `sender` exactly `amount` wei.
    function verify(bytes calldata depositTx, uint256 amount, address sender) external view;
}

/// @title Which transactions the ERC-20 vault accepts as deposits
interface IErc20DepositVerifier {
    /// @notice Reverts unless `depositTx` gives `sender` some amount of a token that `vault` may collect.
    function verify(bytes calldata depositTx, address sender, address vault)
        external
        view
        returns (address owner, address token, uint256 amount);
}
