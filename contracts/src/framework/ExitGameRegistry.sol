// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FrameworkBase} from "./FrameworkBase.sol";
import {Protocol} from "./Protocol.sol";
import {Quarantine} from "./Quarantine.sol";

/// @title Exit games by transaction type
/// @notice A new exit game waits four minimum exit periods before it may move money: long enough to notice a hostile
///         one, start an exit, and see it through.
abstract contract ExitGameRegistry is FrameworkBase {
    using Quarantine for Quarantine.Data;

    struct Registration {
        address game;
        uint8 protocol;
    }

    /// @notice The transaction type of this exit game, or zero.
    mapping(address game => uint256) public exitGameToTxType;

    mapping(uint256 txType => Registration) private _registrations;
    Quarantine.Data private _quarantine;

    /// @dev The game that processed an exit last in this transaction. It made the entry, so it was safe then, and what
    ///      is safe stays safe. A whole word, which is written without being read.
    uint256 private transient _processor;

    event ExitGameRegistered(uint256 txType, address exitGameAddress, uint8 protocol);

    error TxTypeZero();
    error TxTypeTaken(uint256 txType);
    error ExitGameRegisteredBefore(address game);
    error ProtocolUnknown(uint8 protocol);
    error NotASafeExitGame(address caller);

    modifier onlySafeExitGame() {
        if (!_quarantine.isSafe(msg.sender)) revert NotASafeExitGame(msg.sender);
        _;
    }

    constructor(uint256 immunities) {
        _quarantine.immunities = immunities;
    }

    /// @notice Registers an exit game for good: neither the type nor the address can be registered again.
    /// @dev Maintainer only (NotMaintainer). Reverts with TxTypeZero, TxTypeTaken, ExitGameRegisteredBefore,
    ///      ProtocolUnknown or NotAContract. Emits ExitGameRegistered. The game is safe at once while immunities
    ///      last, else after 4 * minExitPeriod seconds.
    /// @param protocol 1 (MVP) or 2 (MoreVP).
    function registerExitGame(uint256 txType, address game, uint8 protocol) external onlyMaintainer {
        if (txType == 0) revert TxTypeZero();
        if (_registrations[txType].game != address(0)) revert TxTypeTaken(txType);
        if (exitGameToTxType[game] != 0) revert ExitGameRegisteredBefore(game);
        if (!Protocol.isKnown(protocol)) revert ProtocolUnknown(protocol);
        _registrations[txType] = Registration(game, protocol);
        exitGameToTxType[game] = txType;
        _quarantine.admit(game, 4 * minExitPeriod);
        emit ExitGameRegistered(txType, game, protocol);
    }

    /// @notice The exit game of this transaction type, or zero.
    function exitGames(uint256 txType) external view returns (address) {
        return _registrations[txType].game;
    }

    /// @notice The protocol of this transaction type: 1 (MVP), 2 (MoreVP), or zero when it has no exit game.
    function protocols(uint256 txType) external view returns (uint8) {
        return _registrations[txType].protocol;
    }

    /// @notice Whether the exit game is registered and out of quarantine.
    function isExitGameSafeToUse(address game) external view returns (bool) {
        return _isTrusted(game);
    }

    /// @dev Spares a game that is about to process exits the look into storage.
    function _trustProcessor(address game) internal {
        _processor = uint160(game);
    }

    /// @dev Whether the game is safe: for what games call while they process.
    function _isTrusted(address game) internal view returns (bool) {
        return uint160(game) == _processor && game != address(0) || _quarantine.isSafe(game);
    }
}
