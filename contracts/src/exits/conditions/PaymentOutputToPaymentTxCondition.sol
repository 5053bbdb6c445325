// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PaymentTransaction} from "../../transactions/PaymentTransaction.sol";
import {WireTransaction} from "../../transactions/WireTransaction.sol";
import {Position} from "../../utils/Position.sol";
import {ISpendingCondition} from "./ISpendingCondition.sol";
import {PaymentSpend} from "./PaymentSpend.sol";

/// @title A payment output spent by a payment transaction
contract PaymentOutputToPaymentTxCondition is ISpendingCondition, PaymentSpend {
    using PaymentTransaction for PaymentTransaction.Decoded;

    /// @notice Type of the transaction that made the output.
    uint256 public immutable inputTxType;
    /// @notice Type of the transaction that spends it.
    uint256 public immutable spendingTxType;

    error TxTypeZero();

    constructor(address framework, uint256 inputTxType_, uint256 spendingTxType_) PaymentSpend(framework) {
        if (inputTxType_ == 0 || spendingTxType_ == 0) revert TxTypeZero();
        inputTxType = inputTxType_;
        spendingTxType = spendingTxType_;
    }

    /// @inheritdoc ISpendingCondition
    /// @dev The witness is the owner's signature over the EIP-712 digest of the spending transaction. Everything that
    ///      does not fit reverts with its reason: TxTypeUnexpected, OutputNotFound, InputNotFound,
    ///      InputPointsElsewhere, SignatureInvalid, SignerNotOwner, or an error of the decoder.
    function verify(
        bytes calldata inputTx,
        uint256 utxoPos,
        bytes calldata spendingTx,
        uint16 inputIndex,
        bytes calldata witness
    ) external view override returns (bool) {
        (,, uint256 oindex) = Position.decode(utxoPos);
        PaymentTransaction.Decoded memory decoded = PaymentTransaction.decode(inputTx);
        if (decoded.txType != inputTxType) revert TxTypeUnexpected(decoded.txType, inputTxType);
        WireTransaction.Output memory output = decoded.outputAt(oindex);
        _requireSpends(spendingTx, spendingTxType, inputIndex, utxoPos, witness, output.owner);
        return true;
    }
}
