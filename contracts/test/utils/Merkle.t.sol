// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Merkle} from "../../src/utils/Merkle.sol";
import {Pure} from "../kit/Pure.sol";
import {Tree} from "../kit/Tree.sol";
import {bound, vm} from "../kit/Vm.sol";

contract MerkleTest {
    Pure private lib = new Pure();

    function testFuzz_every_leaf_is_proved_at_its_index_only(uint256 count, uint256 index, uint256 other, uint256 seed)
        public
        view
    {
        bytes[] memory leaves = randomLeaves(bound(count, 1, 20), seed);
        index = bound(index, 0, leaves.length - 1);
        (bytes32 root, bytes memory proof) = Tree.rootAndProof(leaves, 16, index);
        vm.assertTrue(lib.isMember(leaves[index], index, root, proof));
        other = bound(other, 0, 65535);
        if (other != index) vm.assertFalse(lib.isMember(leaves[index], other, root, proof));
    }

    function testFuzz_a_changed_proof_proves_nothing(uint256 where, uint8 flip, uint256 seed) public view {
        vm.assume(flip != 0);
        bytes[] memory leaves = randomLeaves(7, seed);
        (bytes32 root, bytes memory proof) = Tree.rootAndProof(leaves, 16, 3);
        where = where % proof.length;
        proof[where] = bytes1(uint8(proof[where]) ^ flip);
        vm.assertFalse(lib.isMember(leaves[3], 3, root, proof));
    }

    function testFuzz_an_index_the_proof_can_not_address_is_refused(uint256 depth, uint256 index) public {
        // Were it accepted, the leaf at index i would also be proved at i + 2^depth, i + 2 * 2^depth and so on: one
        // output at several positions, to be exited once at each.
        depth = bound(depth, 1, 20);
        index = bound(index, 2 ** depth, type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(Merkle.MerkleIndexOutOfRange.selector, index, depth));
        lib.isMember("leaf", index, bytes32(0), new bytes(32 * depth));
    }

    function test_a_proof_deeper_than_256_levels_addresses_every_index() public view {
        vm.assertFalse(lib.isMember("leaf", type(uint256).max, bytes32(0), new bytes(32 * 257)));
    }

    function test_malformed_proofs_are_refused() public {
        vm.expectRevert(Merkle.MerkleProofEmpty.selector);
        lib.isMember("leaf", 0, bytes32(0), "");
        vm.expectRevert(abi.encodeWithSelector(Merkle.MerkleProofNotWords.selector, 33));
        lib.isMember("leaf", 0, bytes32(0), new bytes(33));
    }

    function test_an_inner_node_is_no_leaf() public view {
        bytes[] memory leaves = randomLeaves(4, 1);
        bytes32 left = node(leaf(leaves[0]), leaf(leaves[1]));
        bytes32 right = node(leaf(leaves[2]), leaf(leaves[3]));
        bytes memory asData = bytes.concat(leaf(leaves[0]), leaf(leaves[1]));
        vm.assertFalse(lib.isMember(asData, 0, node(left, right), bytes.concat(right)));
    }

    function testFuzz_a_deposit_root_is_the_root_of_a_block_of_one(bytes calldata rawTx) public view {
        bytes[] memory leaves = new bytes[](1);
        leaves[0] = rawTx;
        vm.assertEq(lib.depositRoot(rawTx), Tree.root(leaves, 16));
    }

    function leaf(bytes memory data) private pure returns (bytes32) {
        return keccak256(bytes.concat(hex"00", data));
    }

    function node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return keccak256(bytes.concat(hex"01", left, right));
    }

    function randomLeaves(uint256 count, uint256 seed) private pure returns (bytes[] memory leaves) {
        leaves = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            leaves[i] = abi.encode(seed, i);
        }
    }
}
