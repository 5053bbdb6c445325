// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title New vaults and exit games wait before they may touch money
/// @notice Users read a new contract and leave if they dislike it before it can act. The contracts a system starts
///         with are admitted at once by a fixed number of immunities.
library Quarantine {
    struct Data {
        uint256 immunities;
        /// @dev When the address becomes safe, in seconds; zero for an address never admitted.
        mapping(address => uint256) safeFrom;
    }

    error NotAContract(address account);

    /// @notice Admits a contract: safe now while immunities last, else after `period` seconds.
    /// @dev Refuses an address whose code can still change under its readers: one without code, and an account that
    ///      only delegates to code (prefix 0xef0100) and may delegate elsewhere tomorrow.
    function admit(Data storage data, address account, uint256 period) internal {
        if (account.code.length == 0 || _isDelegation(account)) revert NotAContract(account);
        if (data.immunities != 0) {
            data.immunities -= 1;
            data.safeFrom[account] = block.timestamp;
        } else {
            data.safeFrom[account] = block.timestamp + period;
        }
    }

    /// @notice Whether the address was admitted and its quarantine is over.
    function isSafe(Data storage data, address account) internal view returns (bool) {
        uint256 safeFrom = data.safeFrom[account];
        return safeFrom != 0 && block.timestamp >= safeFrom;
    }

    /// @dev Whether the account's code is the EIP-7702 designator of another's. No contract can begin like this.
    function _isDelegation(address account) private view returns (bool) {
        uint256 head;
        assembly ("memory-safe") {
            mstore(0, 0)
            extcodecopy(account, 0, 0, 3)
            head := shr(232, mload(0))
        }
        return head == 0xef0100;
    }
}
