// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VaultRegistry} from "./VaultRegistry.sol";

/// @title Roots and times of child chain blocks
/// @notice The operator's blocks are 1000, 2000, …; the numbers between are deposit blocks. A number, once used,
///         never changes its root or time.
abstract contract BlockController is VaultRegistry {
    /// @notice Distance between two blocks of the operator.
    uint256 public constant CHILD_BLOCK_INTERVAL = 1000;

    /// @notice The account that submits blocks. Fixed for good.
    address public immutable authority;

    uint64 private _nextChildBlock = uint64(CHILD_BLOCK_INTERVAL);
    uint64 private _nextDeposit = 1;
    bool private _activated;

    mapping(uint256 blknum => bytes32) private _roots;
    /// @dev Times of blocks, four 64-bit stamps to the word: three of four consecutive blocks find their word in use,
    ///      which saves most of the price of storing it. The operator's blocks and deposit blocks count apart.
    mapping(uint256 word => uint256) private _childStamps;
    mapping(uint256 word => uint256) private _depositStamps;

    event BlockSubmitted(uint256 blknum);
    event ChildChainActivated(address authority);

    error AuthorityZero();
    error NotAuthority(address caller);
    error ChildChainActivatedBefore();
    error ChildChainNotActivated();
    error DepositLimitReached(uint256 limit);
    error BlockNotFound(uint256 blknum);

    modifier onlyAuthority() {
        if (msg.sender != authority) revert NotAuthority(msg.sender);
        _;
    }

    modifier onlyActivated() {
        if (!_activated) revert ChildChainNotActivated();
        _;
    }

    constructor(address authority_) {
        if (authority_ == address(0)) revert AuthorityZero();
        authority = authority_;
    }

    /// @notice Opens the chain for blocks and deposits, once.
    /// @dev Authority only (NotAuthority); reverts with ChildChainActivatedBefore the second time. Emits
    ///      ChildChainActivated. It takes the authority's nonce 0, so that block n * 1000 has nonce n: an authority
    ///      that sends nothing else can never submit a block under a wrong number.
    function activateChildChain() external onlyAuthority {
        if (_activated) revert ChildChainActivatedBefore();
        _activated = true;
        emit ChildChainActivated(authority);
    }

    /// @notice Stores the operator's next block and opens the next interval of deposits.
    /// @dev Authority only (NotAuthority), after activation (ChildChainNotActivated). Emits BlockSubmitted.
    function submitBlock(bytes32 root) external onlyAuthority onlyActivated {
        uint256 blknum = _nextChildBlock;
        _roots[blknum] = root;
        _stamp(_childStamps, blknum / CHILD_BLOCK_INTERVAL);
        _nextChildBlock = uint64(blknum + CHILD_BLOCK_INTERVAL);
        _nextDeposit = 1;
        emit BlockSubmitted(blknum);
    }

    /// @notice Stores a block that holds one deposit.
    /// @dev Only a registered vault out of quarantine (NotASafeVault), after activation (ChildChainNotActivated), at
    ///      most 999 times between two blocks of the operator (DepositLimitReached).
    /// @return blknum The deposit's block number.
    function submitDepositBlock(bytes32 root) external onlySafeVault onlyActivated returns (uint256 blknum) {
        uint256 deposit = _nextDeposit;
        if (deposit == CHILD_BLOCK_INTERVAL) revert DepositLimitReached(CHILD_BLOCK_INTERVAL - 1);
        blknum = _nextChildBlock - CHILD_BLOCK_INTERVAL + deposit;
        _roots[blknum] = root;
        _stamp(_depositStamps, blknum);
        _nextDeposit = uint64(deposit + 1);
    }

    /// @notice Root and submission time (seconds) of a block; both zero for a block that does not exist.
    function blocks(uint256 blknum) public view returns (bytes32 root, uint256 timestamp) {
        root = _roots[blknum];
        (mapping(uint256 => uint256) storage stamps, uint256 index) =
            _isDepositNumber(blknum) ? (_depositStamps, blknum) : (_childStamps, blknum / CHILD_BLOCK_INTERVAL);
        timestamp = uint64(stamps[index / 4] >> (index % 4 * 64));
    }

    /// @notice Whether this existing block is a deposit block. Reverts with BlockNotFound.
    function isDeposit(uint256 blknum) external view returns (bool) {
        (, uint256 timestamp) = blocks(blknum);
        if (timestamp == 0) revert BlockNotFound(blknum);
        return _isDepositNumber(blknum);
    }

    /// @notice The number the next deposit block gets.
    function nextDepositBlock() external view returns (uint256) {
        return _nextChildBlock - CHILD_BLOCK_INTERVAL + _nextDeposit;
    }

    /// @notice The number the operator's next block gets.
    function nextChildBlock() external view returns (uint256) {
        return _nextChildBlock;
    }

    /// @notice One more than the deposits since the operator's last block.
    function nextDeposit() external view returns (uint256) {
        return _nextDeposit;
    }

    /// @notice Distance between two blocks of the operator.
    function childBlockInterval() external pure returns (uint256) {
        return CHILD_BLOCK_INTERVAL;
    }

    /// @notice Whether blocks and deposits are accepted.
    function isChildChainActivated() external view returns (bool) {
        return _activated;
    }

    function _stamp(mapping(uint256 => uint256) storage stamps, uint256 index) private {
        stamps[index / 4] |= block.timestamp << (index % 4 * 64);
    }

    function _isDepositNumber(uint256 blknum) private pure returns (bool) {
        return blknum % CHILD_BLOCK_INTERVAL != 0;
    }
}
