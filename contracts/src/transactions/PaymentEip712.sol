// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Position} from "../utils/Position.sol";
import {PaymentTransaction} from "./PaymentTransaction.sol";
import {WireTransaction} from "./WireTransaction.sol";

/// @title The EIP-712 digest an owner signs to spend
/// @notice Four input and four output fields, missing ones hashed as all-zero structs. The domain names the framework
///         and a fixed salt but no chain: a framework at the same address on two chains shares its signatures.
library PaymentEip712 {
    bytes32 internal constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,address verifyingContract,bytes32 salt)");
    bytes32 internal constant SALT = 0xfad5c7f626d80f9256ef01929f3beb96e058b8b4b0e3fe52d84f054c0e2a7a83;

    bytes32 internal constant TX_TYPEHASH = keccak256(
        "Transaction(uint256 txType,Input input0,Input input1,Input input2,Input input3,Output output0,Output output1,Output output2,Output output3,uint256 txData,bytes32 metadata)Input(uint256 blknum,uint256 txindex,uint256 oindex)Output(uint256 outputType,bytes20 outputGuard,address currency,uint256 amount)"
    );
    bytes32 internal constant INPUT_TYPEHASH = keccak256("Input(uint256 blknum,uint256 txindex,uint256 oindex)");
    bytes32 internal constant OUTPUT_TYPEHASH =
        keccak256("Output(uint256 outputType,bytes20 outputGuard,address currency,uint256 amount)");

    /// @dev Struct hashes of Input(0,0,0) and Output(0,0,0,0).
    bytes32 internal constant EMPTY_INPUT = 0x1a5933eb0b3223b0500fbbe7039cab9badc006adda6cf3d337751412fd7a4b61;
    bytes32 internal constant EMPTY_OUTPUT = 0x7ad3294754e2cfc48a946ab7f8ec5b7dc50fc8ecbc0236a020e5c9c0db60a98c;

    /// @notice The domain separator of a framework.
    function domainSeparator(address framework) internal pure returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("OMG Network"), keccak256("1"), framework, SALT));
    }

    /// @notice The digest to sign. Reverts when an input is not a decodable position.
    function digest(bytes32 domain, PaymentTransaction.Decoded memory decoded) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("\x19\x01", domain, structHash(decoded)));
    }

    /// @notice The struct hash of a payment transaction.
    function structHash(PaymentTransaction.Decoded memory decoded) internal pure returns (bytes32) {
        bytes32[12] memory fields;
        fields[0] = TX_TYPEHASH;
        fields[1] = bytes32(decoded.txType);
        unchecked {
            for (uint256 i = 0; i < PaymentTransaction.MAX_INPUTS; ++i) {
                fields[2 + i] = i < decoded.inputs.length ? _inputHash(decoded.inputs[i]) : EMPTY_INPUT;
            }
            for (uint256 i = 0; i < PaymentTransaction.MAX_OUTPUTS; ++i) {
                fields[6 + i] = i < decoded.outputs.length ? _outputHash(decoded.outputs[i]) : EMPTY_OUTPUT;
            }
        }
        // fields[10] is txData, which a payment transaction has at zero.
        fields[11] = decoded.metadata;
        return keccak256(abi.encode(fields));
    }

    function _inputHash(uint256 utxoPos) private pure returns (bytes32) {
        (uint256 blknum, uint256 txindex, uint256 oindex) = Position.decode(utxoPos);
        return keccak256(abi.encode(INPUT_TYPEHASH, blknum, txindex, oindex));
    }

    /// @dev The guard is a bytes20 and so left-aligned in its word, unlike an address.
    function _outputHash(WireTransaction.Output memory output) private pure returns (bytes32) {
        return
            keccak256(
                abi.encode(OUTPUT_TYPEHASH, output.outputType, bytes20(output.owner), output.token, output.amount)
            );
    }
}
