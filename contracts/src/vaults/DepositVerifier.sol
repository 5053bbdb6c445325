// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PaymentTransaction} from "../transactions/PaymentTransaction.sol";
import {WireTransaction} from "../transactions/WireTransaction.sol";

/// @title What a deposit transaction of either vault looks like
/// @notice No inputs, one output to the sender, and empty metadata: owner, token and amount, which DepositCreated
///         carries, give the transaction's bytes, and with them everything a later exit needs.
abstract contract DepositVerifier {
    /// @notice Type a deposit transaction must have.
    uint256 public immutable depositTxType;
    /// @notice Type its output must have.
    uint256 public immutable supportedOutputType;

    error TypeZero();
    error TxTypeUnexpected(uint256 txType, uint256 expected);
    error OutputTypeUnexpected(uint256 outputType, uint256 expected);
    error DepositHasInputs(uint256 count);
    error DepositOutputsNotOne(uint256 count);
    error DepositMetadataNotZero(bytes32 metadata);
    error DepositorNotOwner(address depositor, address owner);

    constructor(uint256 txType, uint256 outputType) {
        if (txType == 0 || outputType == 0) revert TypeZero();
        depositTxType = txType;
        supportedOutputType = outputType;
    }

    /// @dev The only output of a deposit by `sender`, or a revert.
    function _depositOutput(bytes calldata depositTx, address sender)
        internal
        view
        returns (WireTransaction.Output memory output)
    {
        PaymentTransaction.Decoded memory decoded = PaymentTransaction.decode(depositTx);
        if (decoded.txType != depositTxType) revert TxTypeUnexpected(decoded.txType, depositTxType);
        if (decoded.inputs.length != 0) revert DepositHasInputs(decoded.inputs.length);
        if (decoded.outputs.length != 1) revert DepositOutputsNotOne(decoded.outputs.length);
        if (decoded.metadata != 0) revert DepositMetadataNotZero(decoded.metadata);
        output = decoded.outputs[0];
        if (output.outputType != supportedOutputType) {
            revert OutputTypeUnexpected(output.outputType, supportedOutputType);
        }
        if (output.owner != sender) revert DepositorNotOwner(sender, output.owner);
    }
}
