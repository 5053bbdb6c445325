// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Whether a transaction rightfully spends an output
interface ISpendingCondition {
    /// @notice Whether input `inputIndex` of `spendingTx` spends the output at `utxoPos`, which `inputTx` made.
    /// @dev Says nothing about inclusion of either transaction. May revert instead of answering false.
    /// @param inputTx RLP of the transaction that made the output.
    /// @param utxoPos The output's position.
    /// @param spendingTx RLP of the spending transaction.
    /// @param inputIndex Which input of the spending transaction.
    /// @param witness What proves the owner's consent, for example a signature.
    function verify(
        bytes calldata inputTx,
        uint256 utxoPos,
        bytes calldata spendingTx,
        uint16 inputIndex,
        bytes calldata witness
    ) external view returns (bool);
}
