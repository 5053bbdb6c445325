// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rlp} from "./Rlp.sol";

/// @title What every transaction on the wire has in common
/// @notice [txType, inputs, [[outputType, data] …], txData, metadata32]: enough to know a transaction's type and to
///         read an output whose data is [owner, token, amount]. Inputs, output data and txData belong to the type.
library WireTransaction {
    struct Output {
        uint256 outputType;
        address owner;
        address token;
        uint256 amount;
    }

    error TxTypeZero();
    error OutputTypeZero();
    error OutputNotFound(uint256 oindex);
    error OwnerZero();
    error AmountZero();

    /// @notice Checks the common shape and returns the type.
    function typeOf(bytes calldata raw) internal pure returns (uint256 txType) {
        (txType,,) = _open(raw);
    }

    /// @notice Checks the common shape and reads one fungible output.
    function outputAt(bytes calldata raw, uint256 oindex) internal pure returns (uint256 txType, Output memory output) {
        uint256 ptr;
        uint256 end;
        (txType, ptr, end) = _open(raw);
        for (uint256 i = 0; i < oindex && ptr < end; ++i) {
            (,, ptr) = Rlp.item(ptr, end);
        }
        if (ptr == end) revert OutputNotFound(oindex);
        readOutput(output, ptr, end);
    }

    /// @notice Reads the output [outputType, [owner20, token20, amount]] at `ptr` into `output`.
    /// @return next The offset behind it.
    function readOutput(Output memory output, uint256 ptr, uint256 end) internal pure returns (uint256 next) {
        (ptr, next) = Rlp.list(ptr, end);
        (output.outputType, ptr) = _outputType(ptr, next);
        uint256 dataEnd;
        (ptr, dataEnd) = Rlp.list(ptr, next);
        Rlp.close(dataEnd, next);
        (output.owner, ptr) = Rlp.addr(ptr, dataEnd);
        if (output.owner == address(0)) revert OwnerZero();
        (output.token, ptr) = Rlp.addr(ptr, dataEnd);
        (output.amount, ptr) = Rlp.integer(ptr, dataEnd);
        if (output.amount == 0) revert AmountZero();
        Rlp.close(ptr, dataEnd);
    }

    /// @notice Reads a non-zero transaction type.
    function readTxType(uint256 ptr, uint256 end) internal pure returns (uint256 txType, uint256 next) {
        (txType, next) = Rlp.integer(ptr, end);
        if (txType == 0) revert TxTypeZero();
    }

    /// @dev Checks all five items; the outputs lie at [outputs, outputsEnd).
    function _open(bytes calldata raw) private pure returns (uint256 txType, uint256 outputs, uint256 outputsEnd) {
        (uint256 ptr, uint256 end) = Rlp.open(raw);
        (txType, ptr) = readTxType(ptr, end);
        ptr = _skipInputs(ptr, end);
        (outputs, outputsEnd) = Rlp.list(ptr, end);
        _checkOutputs(outputs, outputsEnd);
        (,, ptr) = Rlp.item(outputsEnd, end);
        (, ptr) = Rlp.word(ptr, end);
        Rlp.close(ptr, end);
    }

    function _skipInputs(uint256 ptr, uint256 end) private pure returns (uint256 next) {
        (ptr, next) = Rlp.list(ptr, end);
        while (ptr < next) (,, ptr) = Rlp.item(ptr, next);
    }

    function _checkOutputs(uint256 ptr, uint256 end) private pure {
        while (ptr < end) {
            (uint256 field, uint256 next) = Rlp.list(ptr, end);
            (, field) = _outputType(field, next);
            (,, field) = Rlp.item(field, next);
            Rlp.close(field, next);
            ptr = next;
        }
    }

    function _outputType(uint256 ptr, uint256 end) private pure returns (uint256 outputType, uint256 next) {
        (outputType, next) = Rlp.integer(ptr, end);
        if (outputType == 0) revert OutputTypeZero();
    }
}
