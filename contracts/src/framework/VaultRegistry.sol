// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FrameworkBase} from "./FrameworkBase.sol";
import {Quarantine} from "./Quarantine.sol";

/// @title Vaults by number
/// @notice A new vault waits two minimum exit periods before it may submit deposits: users whose money lies in an
///         older vault can leave before blocks backed by the new one appear.
abstract contract VaultRegistry is FrameworkBase {
    using Quarantine for Quarantine.Data;

    /// @notice The vault with this id, or zero.
    mapping(uint256 vaultId => address) public vaults;
    /// @notice The id of this vault, or zero.
    mapping(address vault => uint256) public vaultToId;

    Quarantine.Data private _quarantine;

    event VaultRegistered(uint256 vaultId, address vaultAddress);

    error VaultIdZero();
    error VaultIdTaken(uint256 vaultId);
    error VaultRegisteredBefore(address vault);
    error NotASafeVault(address caller);

    modifier onlySafeVault() {
        if (!_quarantine.isSafe(msg.sender)) revert NotASafeVault(msg.sender);
        _;
    }

    constructor(uint256 immunities) {
        _quarantine.immunities = immunities;
    }

    /// @notice Registers a vault for good: neither the id nor the address can be registered again.
    /// @dev Maintainer only (NotMaintainer). Reverts with VaultIdZero, VaultIdTaken, VaultRegisteredBefore or
    ///      NotAContract. Emits VaultRegistered. The vault is safe at once while immunities last, else after
    ///      2 * minExitPeriod seconds.
    function registerVault(uint256 vaultId, address vaultAddress) external onlyMaintainer {
        if (vaultId == 0) revert VaultIdZero();
        if (vaults[vaultId] != address(0)) revert VaultIdTaken(vaultId);
        if (vaultToId[vaultAddress] != 0) revert VaultRegisteredBefore(vaultAddress);
        vaults[vaultId] = vaultAddress;
        vaultToId[vaultAddress] = vaultId;
        _quarantine.admit(vaultAddress, 2 * minExitPeriod);
        emit VaultRegistered(vaultId, vaultAddress);
    }
}
