// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ETH that could not be pushed to its receiver
/// @notice A payout is pushed with little gas, so that no receiver can disturb the others. A receiver that needs more,
///         or refuses, gets a credit instead and fetches it with all the gas it wants.
abstract contract EthCredits {
    /// @notice Gas a receiver gets with a pushed payout, beside the 2300 the EVM adds to a value transfer.
    uint256 public immutable safeGasStipend;

    /// @notice ETH this account may withdraw, in wei.
    mapping(address owner => uint256 amount) public credits;
    /// @notice Sum of all credits, in wei. The contract's balance always covers it.
    uint256 public totalCredits;

    /// @dev A push costs at most 100,000 gas in the receiver's hands.
    uint256 private constant STIPEND_MAX = 100_000;
    /// @dev What the EVM charges at most for a value transfer itself: 2600 for a cold account, 9000 for the value,
    ///      25,000 for an account that does not exist yet; rounded up for the instructions around it.
    uint256 private constant TRANSFER_COST_MAX = 40_000;

    /// @notice A push failed; the amount can be withdrawn.
    event CreditAdded(address indexed owner, uint256 amount);
    /// @notice A credit was paid out.
    event CreditWithdrawn(address indexed owner, address indexed to, uint256 amount);

    error StipendTooLarge(uint256 stipend, uint256 max);
    error NotEnoughGasToPay(uint256 gasLeft, uint256 wanted);
    error NoCredit(address owner);
    error NotCreditOwner(address caller, address owner);
    error ReceiverZero();
    error CreditTransferFailed(address to, uint256 amount);

    constructor(uint256 stipend) {
        if (stipend > STIPEND_MAX) revert StipendTooLarge(stipend, STIPEND_MAX);
        safeGasStipend = stipend;
    }

    /// @notice Pays a whole credit out, with all the gas at hand. Its owner chooses where to; anyone else can only have
    ///         it sent to the owner, which helps contracts that can receive but not call.
    /// @dev Reverts with NotCreditOwner, ReceiverZero, NoCredit, or CreditTransferFailed (the credit stays). Emits CreditWithdrawn.
    function withdrawCredit(address owner, address payable to) external {
        if (msg.sender != owner && to != owner) revert NotCreditOwner(msg.sender, owner);
        if (to == address(0)) revert ReceiverZero();
        uint256 amount = credits[owner];
        if (amount == 0) revert NoCredit(owner);
        credits[owner] = 0;
        totalCredits -= amount;
        emit CreditWithdrawn(owner, to, amount);
        (bool success,) = to.call{value: amount}("");
        if (!success) revert CreditTransferFailed(to, amount);
    }

    function _addCredit(address owner, uint256 amount) internal {
        credits[owner] += amount;
        totalCredits += amount;
        emit CreditAdded(owner, amount);
    }

    /// @dev Sends with the stipend and never copies what the receiver returns. The EVM silently gives a call less gas
    ///      than asked for when there is less, and a caller could make pushes fail that way; hence the check first.
    function _push(address receiver, uint256 amount) internal returns (bool success) {
        uint256 stipend = safeGasStipend;
        uint256 wanted;
        unchecked {
            // The stipend has a limit.
            wanted = (stipend + TRANSFER_COST_MAX) * 64 / 63;
        }
        if (gasleft() < wanted) revert NotEnoughGasToPay(gasleft(), wanted);
        assembly ("memory-safe") {
            success := call(stipend, receiver, amount, 0, 0, 0, 0)
        }
    }
}
