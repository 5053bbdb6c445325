// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Pure} from "../kit/Pure.sol";
import {vm} from "../kit/Vm.sol";

/// @title Vectors made by the contracts that existing clients were written for
abstract contract Vectors {
    Pure internal lib = new Pure();

    function file() internal view returns (string memory) {
        return vm.readFile("../tests/fixtures/contracts-v1.json");
    }

    /// @dev The elements of a list as an ABI encoded array of the described struct.
    function list(string memory key, string memory description) internal view returns (bytes memory) {
        return vm.parseJsonTypeArray(file(), key, description);
    }

    /// @dev The key of a list's element.
    function nth(string memory key, uint256 i) internal pure returns (string memory) {
        return string.concat(key, "[", vm.toString(i), "]");
    }

    function isSame(string memory left, string memory right) internal pure returns (bool) {
        return keccak256(bytes(left)) == keccak256(bytes(right));
    }
}
