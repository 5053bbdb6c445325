// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {PaymentEip712} from "../../transactions/PaymentEip712.sol";
import {PaymentTransaction} from "../../transactions/PaymentTransaction.sol";

/// @title The spending half of both spending conditions
/// @notice A payment transaction spends an output when it points at its position and its owner signed it.
abstract contract PaymentSpend {
    bytes32 private immutable DOMAIN_SEPARATOR;

    error FrameworkZero();
    error TxTypeUnexpected(uint256 txType, uint256 expected);
    error InputNotFound(uint256 inputIndex);
    error InputPointsElsewhere(uint256 input, uint256 utxoPos);
    error SignatureInvalid();
    error SignerNotOwner(address signer, address owner);

    constructor(address framework) {
        if (framework == address(0)) revert FrameworkZero();
        DOMAIN_SEPARATOR = PaymentEip712.domainSeparator(framework);
    }

    /// @dev Reverts unless input `inputIndex` of `spendingTx` points at `utxoPos` and `owner` signed the transaction.
    function _requireSpends(
        bytes calldata spendingTx,
        uint256 spendingTxType,
        uint256 inputIndex,
        uint256 utxoPos,
        bytes calldata signature,
        address owner
    ) internal view {
        PaymentTransaction.Decoded memory decoded = PaymentTransaction.decode(spendingTx);
        if (decoded.txType != spendingTxType) revert TxTypeUnexpected(decoded.txType, spendingTxType);
        if (inputIndex >= decoded.inputs.length) revert InputNotFound(inputIndex);
        if (decoded.inputs[inputIndex] != utxoPos) revert InputPointsElsewhere(decoded.inputs[inputIndex], utxoPos);
        address signer = _recover(PaymentEip712.digest(DOMAIN_SEPARATOR, decoded), signature);
        if (signer != owner) revert SignerNotOwner(signer, owner);
    }

    /// @dev Exactly 65 bytes r ‖ s ‖ v with v 27 or 28 and s in the lower half: one signature per signer and digest.
    function _recover(bytes32 digest, bytes calldata signature) private pure returns (address) {
        if (signature.length != 65) revert SignatureInvalid();
        (address signer, ECDSA.RecoverError err,) =
            ECDSA.tryRecover(digest, uint8(signature[64]), bytes32(signature[0:32]), bytes32(signature[32:64]));
        if (err != ECDSA.RecoverError.NoError) revert SignatureInvalid();
        return signer;
    }
}
