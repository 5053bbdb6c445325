// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What vaults and exit games ask of the framework
/// @notice Documented where it is implemented.
interface IPlasmaFramework {
    function minExitPeriod() external view returns (uint256);
    function childBlockInterval() external view returns (uint256);
    function getMaintainer() external view returns (address);
    function blocks(uint256 blknum) external view returns (bytes32 root, uint256 timestamp);
    function vaults(uint256 vaultId) external view returns (address);
    function protocols(uint256 txType) external view returns (uint8);
    function isExitGameSafeToUse(address game) external view returns (bool);
    function isOutputFinalized(bytes32 outputId) external view returns (bool);
    function outputsFinalizations(bytes32 outputId) external view returns (uint160 exitId);

    function submitDepositBlock(bytes32 root) external returns (uint256 blknum);
    function activateNonReentrant() external;
    function deactivateNonReentrant() external;
    function flagOutputFinalized(bytes32 outputId, uint160 exitId) external returns (bool flagged);
    function enqueue(uint256 vaultId, address token, uint64 exitableAt, uint256 txPos, uint160 exitId, uint64 startedAt)
        external
        returns (uint256 priority);
}
