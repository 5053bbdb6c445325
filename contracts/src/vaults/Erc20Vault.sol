// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IPlasmaFramework} from "../framework/IPlasmaFramework.sol";
import {IErc20DepositVerifier} from "./IDepositVerifiers.sol";
import {Vault} from "./Vault.sol";

/// @title Custody of deposited ERC-20 tokens
/// @notice A token is foreign code. It can refuse, lie, burn gas or call back; what it does can hurt its own holders
///         only. A token that takes a fee on transfers is refused at the deposit; one whose balances change by
///         themselves should not be deposited, because the last to leave bear what is missing.
contract Erc20Vault is Vault, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice Tokens this account may withdraw.
    mapping(address owner => mapping(address token => uint256 amount)) public credits;
    /// @notice Sum of all credits of a token.
    mapping(address token => uint256 amount) public totalCredits;

    /// @dev Gas a token gets for the transfer of a pushed payout; honest ones need 30,000 to 250,000.
    uint256 private constant TOKEN_GAS = 300_000;
    /// @dev What the EVM charges at most for the call itself, rounded up for the instructions around it.
    uint256 private constant CALL_COST_MAX = 5_000;

    event DepositCreated(address indexed depositor, uint256 indexed blknum, address indexed token, uint256 amount);
    event Erc20Withdrawn(address indexed receiver, address indexed token, uint256 amount);
    /// @notice The token did not transfer.
    event WithdrawFailed(address indexed receiver, address indexed token, uint256 amount);
    /// @notice A transfer failed; the amount can be withdrawn.
    event CreditAdded(address indexed owner, address indexed token, uint256 amount);
    /// @notice A credit was paid out.
    event CreditWithdrawn(address indexed owner, address indexed token, address indexed to, uint256 amount);

    error ReceivedOtherThanAmount(address token, uint256 received, uint256 amount);
    error NotEnoughGasToPay(uint256 gasLeft, uint256 wanted);
    error NoCredit(address owner, address token);
    error NotCreditOwner(address caller, address owner);
    error ReceiverZero();
    error NotVault(address caller);

    constructor(IPlasmaFramework framework_) Vault(framework_) {}

    /// @notice Deposits tokens of the sender, as the only output of `depositTx`. The vault must have an allowance.
    /// @dev Reverts with VerifierNotSet, an error of the verifier, SafeERC20FailedOperation or the token's own error,
    ///      ReceivedOtherThanAmount when the balance grew by anything but the amount, or an error of the framework:
    ///      NotASafeVault, ChildChainNotActivated, DepositLimitReached. Emits DepositCreated. Not reentrant: a deposit
    ///      inside of a deposit would be counted in both.
    /// @param depositTx RLP of the deposit transaction.
    function deposit(bytes calldata depositTx) external nonReentrant {
        (address owner, address token, uint256 amount) =
            IErc20DepositVerifier(_requireVerifier()).verify(depositTx, msg.sender, address(this));
        uint256 balance = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(owner, address(this), amount);
        uint256 received = IERC20(token).balanceOf(address(this)) - balance;
        if (received != amount) revert ReceivedOtherThanAmount(token, received, amount);
        uint256 blknum = _submitDepositBlock(depositTx);
        emit DepositCreated(msg.sender, blknum, token, amount);
    }

    /// @notice Pays an exit. Never reverts for anything the token or the receiver does.
    /// @dev Only a registered exit game out of quarantine (NotASafeExitGame); reverts with NotEnoughGasToPay when the
    ///      caller sends too little gas for a fair try. Emits Erc20Withdrawn; or WithdrawFailed and CreditAdded when
    ///      the token did not transfer; or WithdrawFailed alone when deposits do not cover the amount, or the token
    ///      does not even tell its balance.
    function withdraw(address receiver, address token, uint256 amount) external onlySafeExitGame {
        bool covered = totalCredits[token] == 0 || _isCovered(token, amount);
        if (covered && _transfer(token, receiver, amount)) {
            emit Erc20Withdrawn(receiver, token, amount);
            return;
        }
        emit WithdrawFailed(receiver, token, amount);
        if (_isCovered(token, amount)) {
            credits[receiver][token] += amount;
            totalCredits[token] += amount;
            emit CreditAdded(receiver, token, amount);
        }
    }

    /// @notice The transfer of a payout, in a frame that can fail alone. Only the vault itself calls it (NotVault).
    function transferOut(address token, address receiver, uint256 amount) external {
        if (msg.sender != address(this)) revert NotVault(msg.sender);
        IERC20(token).safeTransfer(receiver, amount);
    }

    /// @notice Pays a whole credit out, with all the gas at hand. Its owner chooses where to; anyone else can only have
    ///         it sent to the owner, which helps contracts that can receive but not call.
    /// @dev Reverts with NotCreditOwner, ReceiverZero, NoCredit, SafeERC20FailedOperation or the token's own error (the credit
    ///      stays). Emits CreditWithdrawn.
    function withdrawCredit(address owner, address token, address to) external {
        if (msg.sender != owner && to != owner) revert NotCreditOwner(msg.sender, owner);
        if (to == address(0)) revert ReceiverZero();
        uint256 amount = credits[owner][token];
        if (amount == 0) revert NoCredit(owner, token);
        credits[owner][token] = 0;
        totalCredits[token] -= amount;
        emit CreditWithdrawn(owner, token, to, amount);
        IERC20(token).safeTransfer(to, amount);
    }

    /// @dev Whether tokens that no credit claims cover the amount.
    function _isCovered(address token, uint256 amount) private view returns (bool) {
        bytes memory data = abi.encodeCall(IERC20.balanceOf, (address(this)));
        uint256 gasLimit = _fairGas();
        bool success;
        uint256 held;
        assembly ("memory-safe") {
            success := staticcall(gasLimit, token, add(data, 0x20), mload(data), 0, 0x20)
            success := and(success, gt(returndatasize(), 0x1f))
            held := mload(0)
        }
        uint256 claimed = totalCredits[token];
        return success && held >= claimed && held - claimed >= amount;
    }

    /// @dev Whether the token made the transfer. Some tokens move the money and say false all the same; a frame of its
    ///      own undoes whatever such a token did, so that nobody has both the tokens and a credit for them.
    function _transfer(address token, address receiver, uint256 amount) private returns (bool) {
        try this.transferOut{gas: _fairGas()}(token, receiver, amount) {
            return true;
        } catch {
            return false;
        }
    }

    /// @dev The gas limit of a call to a token. The EVM silently gives a call less gas than asked for when there is
    ///      less, and a caller could make transfers fail that way; hence the check.
    function _fairGas() private view returns (uint256) {
        uint256 wanted = TOKEN_GAS * 64 / 63 + CALL_COST_MAX;
        if (gasleft() < wanted) revert NotEnoughGasToPay(gasleft(), wanted);
        return TOKEN_GAS;
    }
}
