// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Builds Merkle roots and proofs the way a child chain does
library Tree {
    function root(bytes[] memory leaves, uint256 height) internal pure returns (bytes32 top) {
        (top,) = rootAndProof(leaves, height, 0);
    }

    /// @dev Missing leaves hold 32 zero bytes. The proof runs from the bottom up.
    function rootAndProof(bytes[] memory leaves, uint256 height, uint256 index)
        internal
        pure
        returns (bytes32 top, bytes memory proof)
    {
        bytes32 zero = keccak256(abi.encodePacked(uint8(0), bytes32(0)));
        bytes32[] memory level = new bytes32[](leaves.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            level[i] = keccak256(abi.encodePacked(uint8(0), leaves[i]));
        }
        for (uint256 h = 0; h < height; ++h) {
            uint256 sibling = index ^ 1;
            proof = bytes.concat(proof, sibling < level.length ? level[sibling] : zero);
            bytes32[] memory above = new bytes32[]((level.length + 1) / 2);
            for (uint256 i = 0; i < above.length; ++i) {
                bytes32 right = 2 * i + 1 < level.length ? level[2 * i + 1] : zero;
                above[i] = keccak256(abi.encodePacked(uint8(1), level[2 * i], right));
            }
            (level, index) = (above, index / 2);
            zero = keccak256(abi.encodePacked(uint8(1), zero, zero));
        }
        top = level.length == 0 ? zero : level[0];
    }
}
