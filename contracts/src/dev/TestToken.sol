// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A token anyone can mint, for development networks only
contract TestToken is ERC20("Penning Test Token", "PTT") {
    /// @notice Makes `amount` new tokens for `to`.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
