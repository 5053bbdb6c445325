// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Membership proofs for the Merkle tree of a child chain block
/// @notice leaf = keccak(0x00 ‖ data), node = keccak(0x01 ‖ left ‖ right). The two prefixes keep an inner node from
///         being presented as a leaf, so the height of the tree need not be fixed here: blocks use 16 by convention.
library Merkle {
    error MerkleProofEmpty();
    error MerkleProofNotWords(uint256 length);
    error MerkleIndexOutOfRange(uint256 index, uint256 depth);

    /// @notice Whether `data` is leaf number `index` under `root`.
    /// @dev Reverts when the proof is empty, is not whole words, or cannot address `index`: without the last check
    ///      one leaf could be proved under several indexes. Wrong data is no error, it answers false.
    function isMember(bytes calldata data, uint256 index, bytes32 root, bytes calldata proof)
        internal
        pure
        returns (bool)
    {
        uint256 length = proof.length;
        if (length == 0) revert MerkleProofEmpty();
        if (length % 32 != 0) revert MerkleProofNotWords(length);
        uint256 depth = length / 32;
        // Shifts of 256 or more give zero, which is right: a tree that deep has room for every index.
        if (index >> depth != 0) revert MerkleIndexOutOfRange(index, depth);
        return _fold(leaf(data), index, proof) == root;
    }

    /// @notice keccak(0x00 ‖ data).
    function leaf(bytes calldata data) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let ptr := mload(0x40)
            mstore8(ptr, 0)
            calldatacopy(add(ptr, 1), data.offset, data.length)
            hash := keccak256(ptr, add(data.length, 1))
        }
    }

    /// @notice keccak(0x01 ‖ left ‖ right).
    function node(bytes32 left, bytes32 right) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let ptr := mload(0x40)
            mstore8(ptr, 1)
            mstore(add(ptr, 0x01), left)
            mstore(add(ptr, 0x21), right)
            hash := keccak256(ptr, 0x41)
        }
    }

    /// @dev Walks from the leaf to the root. Bit i of the index says on which side of its sibling level i lies.
    function _fold(bytes32 hash, uint256 index, bytes calldata proof) private pure returns (bytes32 root) {
        assembly ("memory-safe") {
            let ptr := mload(0x40)
            mstore8(ptr, 1)
            let pair := add(ptr, 1)
            let offset := proof.offset
            let end := add(offset, proof.length)
            root := hash
            for {} lt(offset, end) { offset := add(offset, 0x20) } {
                let side := shl(5, and(index, 1))
                mstore(add(pair, side), root)
                mstore(add(pair, xor(side, 0x20)), calldataload(offset))
                root := keccak256(ptr, 0x41)
                index := shr(1, index)
            }
        }
    }
}
