// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Merkle} from "./Merkle.sol";

/// @title Root of a block that holds exactly one transaction
/// @notice Height 16, the transaction at index 0, every other leaf keccak(0x00 ‖ 32 zero bytes). The roots of the
///         empty subtrees are literals: reading them from code costs a fraction of computing or loading them.
library DepositRoot {
    /// @notice The root of a deposit block with this transaction.
    function compute(bytes calldata depositTx) internal pure returns (bytes32 root) {
        root = Merkle.leaf(depositTx);
        root = Merkle.node(root, 0xf39a869f62e75cf5f0bf914688a6b289caf2049435d8e68c5c5e6d05e44913f3);
        root = Merkle.node(root, 0x4ed5c02d6d48c8932486c99d3ad999e5d8949dc3be3b3058cc2979690c3e3a62);
        root = Merkle.node(root, 0x1c792b14bf66f82af36f00f5fba7014fa0c1e2ff3c7c273bfe523c1acf67dc3f);
        root = Merkle.node(root, 0x5fa080a686a5a0d05c3d4822fd54d632dc9cc04b1616046eba2ce499eb9af79f);
        root = Merkle.node(root, 0x5eb949690a0404abf4cebafc7cfffa382191b7dd9e7df778581e6fb78efab35f);
        root = Merkle.node(root, 0xd364c9d5dadad4569b6dd47f7feabafa3571f842434425548335ac6e690dd071);
        root = Merkle.node(root, 0x68d8bc5b77979c1a6702334f529f5783f79e942fd2cd03f6e55ac2cf496e849f);
        root = Merkle.node(root, 0xde9c446fab46a8d27db1e3100f275a777d385b44e3cbc045cabac9da36cae040);
        root = Merkle.node(root, 0xad516082324c96127cf29f4535eb5b7ebacfe2a1d6d3aab8ec0483d32079a859);
        root = Merkle.node(root, 0xff70f9215970a8beebb1c164c474e82438174c8eeb6fbc8cb4594b88c9448f1d);
        root = Merkle.node(root, 0x40b09beaecac5b45db6e41434a122b695c5a85862d8eae40b3268f6f37e41433);
        root = Merkle.node(root, 0x7be38eba7ab5bbf303d01f4b7ae07fd73edc2f3be05e43948a34418a3272509c);
        root = Merkle.node(root, 0x43c2811a821e5c982ba51874ac7dc9dd79a80cc2f05f6f664c9dbb2e45443513);
        root = Merkle.node(root, 0x7da06ce44de45532a56a3a7007a2d0c6b435f726f95104bfa6e707046fc154ba);
        root = Merkle.node(root, 0xe91898d03a1a0ac6f9b45e471646e2555ac79e3fe87eb1781e26f20500240c37);
        root = Merkle.node(root, 0x9274fe91096e60d1545a8045571fdab9b530d0d6e7e8746e78bf9f20f4e86f06);
    }
}
