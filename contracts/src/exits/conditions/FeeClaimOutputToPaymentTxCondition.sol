// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {WireTransaction} from "../../transactions/WireTransaction.sol";
import {Position} from "../../utils/Position.sol";
import {ISpendingCondition} from "./ISpendingCondition.sol";
import {PaymentSpend} from "./PaymentSpend.sol";

/// @title The operator's claimed fees spent by a payment transaction
contract FeeClaimOutputToPaymentTxCondition is ISpendingCondition, PaymentSpend {
    /// @notice Type of the transaction that claims fees.
    uint256 public immutable feeTxType;
    /// @notice Type of its only output.
    uint256 public immutable feeClaimOutputType;
    /// @notice Type of the transaction that spends the claimed fees.
    uint256 public immutable paymentTxType;

    error TypeZero();
    error FeeOutputIndexNotZero(uint256 oindex);
    error OutputTypeUnexpected(uint256 outputType, uint256 expected);

    constructor(address framework, uint256 feeTxType_, uint256 feeClaimOutputType_, uint256 paymentTxType_)
        PaymentSpend(framework)
    {
        if (feeTxType_ == 0 || feeClaimOutputType_ == 0 || paymentTxType_ == 0) revert TypeZero();
        feeTxType = feeTxType_;
        feeClaimOutputType = feeClaimOutputType_;
        paymentTxType = paymentTxType_;
    }

    /// @inheritdoc ISpendingCondition
    /// @dev A fee transaction has one output, so only output index 0 can be spent. Everything that does not fit
    ///      reverts with its reason: FeeOutputIndexNotZero, TxTypeUnexpected, OutputTypeUnexpected, InputNotFound,
    ///      InputPointsElsewhere, SignatureInvalid, SignerNotOwner, or an error of the decoder.
    function verify(
        bytes calldata inputTx,
        uint256 utxoPos,
        bytes calldata spendingTx,
        uint16 inputIndex,
        bytes calldata witness
    ) external view override returns (bool) {
        (,, uint256 oindex) = Position.decode(utxoPos);
        if (oindex != 0) revert FeeOutputIndexNotZero(oindex);
        (uint256 txType, WireTransaction.Output memory output) = WireTransaction.outputAt(inputTx, 0);
        if (txType != feeTxType) revert TxTypeUnexpected(txType, feeTxType);
        if (output.outputType != feeClaimOutputType) {
            revert OutputTypeUnexpected(output.outputType, feeClaimOutputType);
        }
        _requireSpends(spendingTx, paymentTxType, inputIndex, utxoPos, witness, output.owner);
        return true;
    }
}
