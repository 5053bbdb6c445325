// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rlp} from "./Rlp.sol";
import {WireTransaction} from "./WireTransaction.sol";

/// @title Payment transactions
/// @notice [txType, [position32 …], [[outputType, [owner20, token20, amount]] …], 0x80, metadata32] with 0..4 inputs
///         and 1..4 outputs. The type itself is the caller's to check.
library PaymentTransaction {
    uint256 internal constant MAX_INPUTS = 4;
    uint256 internal constant MAX_OUTPUTS = 4;
    /// @dev An input on the wire: 32 bytes behind their prefix.
    uint256 private constant INPUT_BYTES = 33;

    struct Decoded {
        uint256 txType;
        uint256[] inputs;
        WireTransaction.Output[] outputs;
        bytes32 metadata;
    }

    error TooManyInputs();
    error TooManyOutputs();
    error NoOutputs();
    error InputZero();
    error TxDataNotZero(uint256 txData);

    /// @notice Decodes and checks everything a payment transaction says about itself.
    function decode(bytes calldata raw) internal pure returns (Decoded memory decoded) {
        (uint256 ptr, uint256 end) = Rlp.open(raw);
        (decoded.txType, ptr) = WireTransaction.readTxType(ptr, end);
        (decoded.inputs, ptr) = _inputs(ptr, end);
        (decoded.outputs, ptr) = _outputs(ptr, end);
        uint256 txData;
        (txData, ptr) = Rlp.integer(ptr, end);
        if (txData != 0) revert TxDataNotZero(txData);
        uint256 metadata;
        (metadata, ptr) = Rlp.word(ptr, end);
        decoded.metadata = bytes32(metadata);
        Rlp.close(ptr, end);
    }

    /// @notice The output at `oindex`, or a revert when there is none.
    function outputAt(Decoded memory decoded, uint256 oindex) internal pure returns (WireTransaction.Output memory) {
        if (oindex >= decoded.outputs.length) revert WireTransaction.OutputNotFound(oindex);
        return decoded.outputs[oindex];
    }

    /// @notice Input `index` of a transaction that decoded before and has that many.
    function inputAt(bytes calldata raw, uint256 index) internal pure returns (uint256 input) {
        (uint256 ptr, uint256 end) = Rlp.open(raw);
        (, ptr) = WireTransaction.readTxType(ptr, end);
        (ptr, end) = Rlp.list(ptr, end);
        unchecked {
            (input,) = Rlp.word(ptr + INPUT_BYTES * index, end);
        }
    }

    function _inputs(uint256 ptr, uint256 end) private pure returns (uint256[] memory inputs, uint256 next) {
        (ptr, next) = Rlp.list(ptr, end);
        unchecked {
            // A list that is no multiple of it fails below.
            uint256 count = (next - ptr) / INPUT_BYTES;
            if (count > MAX_INPUTS) revert TooManyInputs();
            inputs = new uint256[](count);
            for (uint256 i = 0; i < count; ++i) {
                (inputs[i], ptr) = Rlp.word(ptr, next);
                if (inputs[i] == 0) revert InputZero();
            }
        }
        Rlp.close(ptr, next);
    }

    function _outputs(uint256 ptr, uint256 end)
        private
        pure
        returns (WireTransaction.Output[] memory outputs, uint256 next)
    {
        (ptr, next) = Rlp.list(ptr, end);
        if (ptr == next) revert NoOutputs();
        outputs = new WireTransaction.Output[](MAX_OUTPUTS);
        uint256 count;
        while (ptr < next) {
            if (count == MAX_OUTPUTS) revert TooManyOutputs();
            ptr = WireTransaction.readOutput(outputs[count], ptr, next);
            unchecked {
                ++count;
            }
        }
        // Shrink the array to what was read; the unused tail is only ever memory nobody names.
        assembly ("memory-safe") {
            mstore(outputs, count)
        }
    }
}
