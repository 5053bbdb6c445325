// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Exit ids and output ids
/// @notice An output id names an output by transaction bytes and index; a deposit's also by position, because two
///         equal deposits have equal bytes. An exit id (160 bits) is, from the top: 8 bits output index, 1 flag bit
///         (set for in-flight exits), 151 bits of a transaction hash.
library ExitId {
    uint160 internal constant IN_FLIGHT_FLAG = 1 << 151;
    uint256 private constant OINDEX_SHIFT = 152;
    uint256 private constant HASH_SHIFT = 105;

    error OutputIndexTooLarge(uint256 oindex);

    /// @notice The output id of output `oindex` of a transaction in a block of the operator.
    function ofOutput(bytes calldata rawTx, uint256 oindex) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(rawTx, oindex));
    }

    /// @notice The output id of output `oindex` of a deposit.
    function ofDepositOutput(bytes calldata rawTx, uint256 oindex, uint256 utxoPos) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(rawTx, oindex, utxoPos));
    }

    /// @notice The id of the standard exit of output `oindex`, which must fit a byte.
    function ofStandardExit(bool isDeposit, bytes calldata rawTx, uint256 utxoPos, uint256 oindex)
        internal
        pure
        returns (uint160)
    {
        if (oindex > type(uint8).max) revert OutputIndexTooLarge(oindex);
        bytes32 hash = isDeposit ? keccak256(abi.encodePacked(rawTx, utxoPos)) : keccak256(rawTx);
        return uint160((oindex << OINDEX_SHIFT) | (uint256(hash) >> HASH_SHIFT));
    }

    /// @notice The id of the in-flight exit of a transaction.
    function ofInFlightExit(bytes calldata rawTx) internal pure returns (uint160) {
        return uint160(uint256(keccak256(rawTx)) >> HASH_SHIFT) | IN_FLIGHT_FLAG;
    }
}
