// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Tree} from "../kit/Tree.sol";
import {vm} from "../kit/Vm.sol";
import {Vectors} from "./Vectors.sol";

/// @title Merkle roots and proofs
contract MerkleVectorsTest is Vectors {
    struct Proof {
        bytes leaf;
        uint256 index;
        bytes32 root;
        bytes proof;
        string expect;
    }

    string private constant PROOF = "JsonProof(bytes leaf,uint256 index,bytes32 root,bytes proof,string expect)";

    function test_every_proof_is_judged_like_the_vectors_say() public {
        Proof[] memory proofs = vectors();
        for (uint256 i = 0; i < proofs.length; ++i) {
            Proof memory p = proofs[i];
            if (isSame(p.expect, "revert")) {
                vm.expectRevert();
                lib.isMember(p.leaf, p.index, p.root, p.proof);
            } else {
                vm.assertEq(lib.isMember(p.leaf, p.index, p.root, p.proof), isSame(p.expect, "true"));
            }
        }
    }

    function test_the_tests_own_trees_are_the_vectors() public view {
        Proof[] memory proofs = vectors();
        string memory json = file();
        uint256 checked = 0;
        for (uint256 i = 0; i < proofs.length; ++i) {
            string memory key = string.concat(nth(".merkle", i), ".leaves");
            if (!vm.keyExistsJson(json, key)) continue;
            bytes[] memory leaves = vm.parseJsonBytesArray(json, key);
            (bytes32 root, bytes memory proof) = Tree.rootAndProof(leaves, 16, proofs[i].index);
            vm.assertEq(root, proofs[i].root);
            vm.assertEq(proof, proofs[i].proof);
            ++checked;
        }
        vm.assertGt(checked, 10);
    }

    function test_the_roots_of_empty_trees_are_the_vectors() public view {
        bytes32[] memory zeros = vm.parseJsonBytes32Array(file(), ".merkleNotes.zeroHashes");
        vm.assertEq(zeros.length, 17);
        for (uint256 height = 0; height <= 16; ++height) {
            vm.assertEq(Tree.root(new bytes[](0), height), zeros[height]);
        }
    }

    function vectors() private view returns (Proof[] memory proofs) {
        proofs = abi.decode(list(".merkle", PROOF), (Proof[]));
        vm.assertEq(proofs.length, 39);
    }
}
