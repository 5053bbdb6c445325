// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPlasmaFramework} from "../framework/IPlasmaFramework.sol";
import {DepositRoot} from "../utils/DepositRoot.sol";

/// @title What both vaults do: check deposits, make deposit blocks, pay only exit games
abstract contract Vault {
    /// @notice The framework whose exit games may withdraw.
    IPlasmaFramework public immutable framework;

    uint256 private immutable MIN_EXIT_PERIOD;

    /// @dev Until `maturesAt` (seconds) `_verifier` is in force, from then on `_nextVerifier`. One slot is enough for
    ///      the common case. Zero says that no second verifier was ever set.
    address private _verifier;
    uint64 private _maturesAt;
    address private _nextVerifier;

    /// @dev The exit game that the framework called safe in this transaction. What is safe stays safe. A whole word,
    ///      which is written without being read.
    uint256 private transient _safeExitGame;

    event SetDepositVerifierCalled(address nextDepositVerifier);

    error AddressZero();
    error NotMaintainer(address caller);
    error NotASafeExitGame(address caller);
    error VerifierNotSet();
    error VerifierIndexOutOfRange(uint256 index);

    /// @dev Only an exit game that is registered and out of quarantine.
    modifier onlySafeExitGame() {
        _requireSafeExitGame();
        _;
    }

    constructor(IPlasmaFramework framework_) {
        if (address(framework_) == address(0)) revert AddressZero();
        framework = framework_;
        MIN_EXIT_PERIOD = framework_.minExitPeriod();
    }

    /// @notice Sets the contract that judges deposits: the first at once, any other after 2 * minExitPeriod seconds, so
    ///         that users can leave before a verifier they distrust makes deposits out of nothing.
    /// @dev Maintainer only (NotMaintainer); not zero (AddressZero). A verifier still waiting is replaced and the
    ///      waiting starts anew. Emits SetDepositVerifierCalled.
    function setDepositVerifier(address verifier) external {
        if (msg.sender != framework.getMaintainer()) revert NotMaintainer(msg.sender);
        if (verifier == address(0)) revert AddressZero();
        address effective = _effectiveVerifier();
        if (effective == address(0)) {
            _verifier = verifier;
        } else {
            _verifier = effective;
            _nextVerifier = verifier;
            _maturesAt = uint64(block.timestamp + 2 * MIN_EXIT_PERIOD);
        }
        emit SetDepositVerifierCalled(verifier);
    }

    /// @notice The verifier in force, or zero before the first was set.
    function getEffectiveDepositVerifier() external view returns (address) {
        return _effectiveVerifier();
    }

    /// @notice Verifier 0 is in force before the maturity time, verifier 1 from then on. Reverts with
    ///         VerifierIndexOutOfRange for any other index.
    function depositVerifiers(uint256 index) external view returns (address) {
        if (index > 1) revert VerifierIndexOutOfRange(index);
        return index == 0 ? _verifier : _nextVerifier;
    }

    /// @notice When verifier 1 takes over, in seconds; 2^255 as long as none was announced.
    function newDepositVerifierMaturityTimestamp() external view returns (uint256) {
        return _maturesAt == 0 ? 1 << 255 : _maturesAt;
    }

    /// @dev The verifier in force, or a revert.
    function _requireVerifier() internal view returns (address verifier) {
        verifier = _effectiveVerifier();
        if (verifier == address(0)) revert VerifierNotSet();
    }

    /// @dev Puts the transaction into a deposit block of its own.
    function _submitDepositBlock(bytes calldata depositTx) internal returns (uint256 blknum) {
        return framework.submitDepositBlock(DepositRoot.compute(depositTx));
    }

    function _requireSafeExitGame() private {
        if (_safeExitGame == uint160(msg.sender)) return;
        if (!framework.isExitGameSafeToUse(msg.sender)) revert NotASafeExitGame(msg.sender);
        _safeExitGame = uint160(msg.sender);
    }

    function _effectiveVerifier() private view returns (address) {
        uint64 maturesAt = _maturesAt;
        return maturesAt == 0 || block.timestamp < maturesAt ? _verifier : _nextVerifier;
    }
}
