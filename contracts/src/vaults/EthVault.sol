// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPlasmaFramework} from "../framework/IPlasmaFramework.sol";
import {EthCredits} from "../utils/EthCredits.sol";
import {IEthDepositVerifier} from "./IDepositVerifiers.sol";
import {Vault} from "./Vault.sol";

/// @title Custody of deposited ETH
contract EthVault is Vault, EthCredits {
    event DepositCreated(address indexed depositor, uint256 indexed blknum, address indexed token, uint256 amount);
    event EthWithdrawn(address indexed receiver, uint256 amount);
    event WithdrawFailed(address indexed receiver, uint256 amount);

    constructor(IPlasmaFramework framework_, uint256 safeGasStipend_) Vault(framework_) EthCredits(safeGasStipend_) {}

    /// @notice Deposits the ETH sent along, as the only output of `depositTx`, which must belong to the sender.
    /// @dev Reverts with VerifierNotSet, an error of the verifier, or an error of the framework: NotASafeVault,
    ///      ChildChainNotActivated, DepositLimitReached. Emits DepositCreated.
    /// @param depositTx RLP of the deposit transaction.
    function deposit(bytes calldata depositTx) external payable {
        IEthDepositVerifier(_requireVerifier()).verify(depositTx, msg.value, msg.sender);
        uint256 blknum = _submitDepositBlock(depositTx);
        emit DepositCreated(msg.sender, blknum, address(0), msg.value);
    }

    /// @notice Pays an exit. Never reverts for anything the receiver does.
    /// @dev Only a registered exit game out of quarantine (NotASafeExitGame); reverts with NotEnoughGasToPay when the
    ///      caller sends too little gas for a fair try. Emits EthWithdrawn; or WithdrawFailed and CreditAdded when the
    ///      receiver did not take it; or WithdrawFailed alone when deposits do not cover the amount: a claim without
    ///      money behind it must not become a debt to be paid from later deposits.
    function withdraw(address payable receiver, uint256 amount) external onlySafeExitGame {
        if (amount > address(this).balance - totalCredits) {
            emit WithdrawFailed(receiver, amount);
        } else if (_push(receiver, amount)) {
            emit EthWithdrawn(receiver, amount);
        } else {
            emit WithdrawFailed(receiver, amount);
            _addCredit(receiver, amount);
        }
    }
}
