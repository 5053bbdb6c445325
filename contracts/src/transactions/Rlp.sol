// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Strict RLP reader over call data
/// @notice Accepts exactly one encoding of each value: ids are hashes of transaction bytes, so a second encoding of
///         the same transaction would give it a second identity and let its output leave twice.
/// @dev A reader is a pair (ptr, end) of call data offsets. Every function takes an item at `ptr`, refuses it if it
///      does not end at or before `end`, and returns the offset behind it. The arithmetic is unchecked: offsets stay
///      below `end`, which call data bounds, and a length prefix adds less than 2^64.
library Rlp {
    /// @dev The item begins or ends outside of the space it was given.
    error RlpOutOfBounds();
    /// @dev The length prefix is not the shortest one for its payload.
    error RlpPrefixNotMinimal();
    error RlpNotAList();
    /// @dev The item is a list, or is not a string of the wanted length.
    error RlpWrongLength(uint256 wanted);
    /// @dev Not an integer of at most 32 bytes without leading zeros (zero is 0x80).
    error RlpNotAnInteger();
    /// @dev Bytes are left over behind the last item of a list or behind the list itself.
    error RlpTrailingBytes();

    /// @notice Opens a list that must fill the whole of `data`.
    function open(bytes calldata data) internal pure returns (uint256 ptr, uint256 end) {
        uint256 start;
        assembly ("memory-safe") {
            start := data.offset
            end := add(start, data.length)
        }
        uint256 next;
        (ptr, next) = list(start, end);
        if (next != end) revert RlpTrailingBytes();
    }

    /// @notice Reads a list: its payload is [payload, next).
    function list(uint256 ptr, uint256 end) internal pure returns (uint256 payload, uint256 next) {
        bool isList;
        (isList, payload, next) = item(ptr, end);
        if (!isList) revert RlpNotAList();
    }

    /// @notice Refuses a list with items left.
    function close(uint256 ptr, uint256 end) internal pure {
        if (ptr != end) revert RlpTrailingBytes();
    }

    /// @notice Reads a string of exactly 32 bytes.
    function word(uint256 ptr, uint256 end) internal pure returns (uint256 value, uint256 next) {
        uint256 payload;
        (payload, next) = _string(ptr, end, 32);
        value = _load(payload);
    }

    /// @notice Reads a string of exactly 20 bytes.
    function addr(uint256 ptr, uint256 end) internal pure returns (address value, uint256 next) {
        uint256 payload;
        (payload, next) = _string(ptr, end, 20);
        value = address(uint160(_load(payload) >> 96));
    }

    /// @notice Reads an unsigned integer of at most 32 bytes.
    function integer(uint256 ptr, uint256 end) internal pure returns (uint256 value, uint256 next) {
        bool isList;
        uint256 payload;
        (isList, payload, next) = item(ptr, end);
        unchecked {
            uint256 length = next - payload;
            if (isList || length > 32) revert RlpNotAnInteger();
            if (length != 0) {
                uint256 raw = _load(payload);
                if (raw >> 248 == 0) revert RlpNotAnInteger();
                value = raw >> (256 - 8 * length);
            }
        }
    }

    /// @notice Reads any item's prefix and bounds, not its inside.
    function item(uint256 ptr, uint256 end) internal pure returns (bool isList, uint256 payload, uint256 next) {
        if (ptr >= end) revert RlpOutOfBounds();
        uint256 head = _load(ptr);
        uint256 prefix = head >> 248;
        unchecked {
            if (prefix < 0x80) return (false, ptr, ptr + 1);
            isList = prefix >= 0xc0;
            uint256 length = prefix - (isList ? 0xc0 : 0x80);
            payload = ptr + 1;
            if (length > 55) {
                uint256 lengthOfLength = length - 55;
                payload += lengthOfLength;
                if (payload > end) revert RlpOutOfBounds();
                // Drop the prefix byte, then keep the length's own 1..8 bytes.
                length = (head << 8) >> (256 - 8 * lengthOfLength);
                if (length < 56 || length >> (8 * (lengthOfLength - 1)) == 0) revert RlpPrefixNotMinimal();
            } else if (!isList && length == 1 && (head << 8) >> 248 < 0x80) {
                revert RlpPrefixNotMinimal();
            }
            next = payload + length;
            if (next > end) revert RlpOutOfBounds();
        }
    }

    function _string(uint256 ptr, uint256 end, uint256 length) private pure returns (uint256 payload, uint256 next) {
        bool isList;
        (isList, payload, next) = item(ptr, end);
        unchecked {
            if (isList || next - payload != length) revert RlpWrongLength(length);
        }
    }

    function _load(uint256 ptr) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := calldataload(ptr)
        }
    }
}
