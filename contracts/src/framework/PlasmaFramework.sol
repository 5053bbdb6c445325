// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BlockController} from "./BlockController.sol";
import {ExitGameController} from "./ExitGameController.sol";
import {ExitGameRegistry} from "./ExitGameRegistry.sol";
import {FrameworkBase} from "./FrameworkBase.sol";
import {VaultRegistry} from "./VaultRegistry.sol";

/// @title The framework: blocks, registries, exit queues
/// @notice Holds no money. Vaults hold deposits, exit games hold bonds; this contract decides what exists, in which
///         order exits leave, and which output was paid.
contract PlasmaFramework is BlockController, ExitGameController {
    /// @notice What is deployed here, for people and logs.
    string public version;

    /// @param minExitPeriod_ Seconds, 2 to 10 years (MinExitPeriodOutOfBounds). A week in production.
    /// @param initialImmuneVaults How many vaults skip the quarantine.
    /// @param initialImmuneExitGames How many exit games skip the quarantine.
    /// @param authority_ Submits blocks; not zero (AuthorityZero). Can not be changed.
    /// @param maintainer Registers vaults and exit games; not zero (AddressZero). Can not be changed.
    constructor(
        uint256 minExitPeriod_,
        uint256 initialImmuneVaults,
        uint256 initialImmuneExitGames,
        address authority_,
        address maintainer
    )
        FrameworkBase(minExitPeriod_, maintainer)
        VaultRegistry(initialImmuneVaults)
        BlockController(authority_)
        ExitGameRegistry(initialImmuneExitGames)
    {}

    /// @notice Sets the version text. Maintainer only (NotMaintainer), as often as it likes.
    function setVersion(string calldata newVersion) external onlyMaintainer {
        version = newVersion;
    }

    /// @notice What is deployed here, for people and logs.
    function getVersion() external view returns (string memory) {
        return version;
    }
}
