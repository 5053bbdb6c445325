// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ISpendingCondition} from "./ISpendingCondition.sol";

/// @title Which contract decides how an output type may be spent
/// @notice Filled by the deployer, who then renounces the ownership; exit games refuse a registry that has an owner.
contract SpendingConditionRegistry is Ownable {
    mapping(uint256 outputType => mapping(uint256 spendingTxType => ISpendingCondition)) private _conditions;

    error TypeZero();
    error ConditionWithoutCode(address condition);
    error ConditionRegistered(uint256 outputType, uint256 spendingTxType);

    constructor() Ownable(msg.sender) {}

    /// @notice The condition for spending an output of `outputType` in a transaction of `spendingTxType`, or zero.
    function spendingConditions(uint256 outputType, uint256 spendingTxType) external view returns (ISpendingCondition) {
        return _conditions[outputType][spendingTxType];
    }

    /// @notice Registers a condition, once per pair of types.
    /// @dev Owner only (OwnableUnauthorizedAccount). Reverts with TypeZero, ConditionWithoutCode or
    ///      ConditionRegistered.
    function registerSpendingCondition(uint256 outputType, uint256 spendingTxType, ISpendingCondition condition)
        external
        onlyOwner
    {
        if (outputType == 0 || spendingTxType == 0) revert TypeZero();
        if (address(condition).code.length == 0) revert ConditionWithoutCode(address(condition));
        if (address(_conditions[outputType][spendingTxType]) != address(0)) {
            revert ConditionRegistered(outputType, spendingTxType);
        }
        _conditions[outputType][spendingTxType] = condition;
    }
}
