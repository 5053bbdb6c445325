// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ExitableTime} from "../../src/exits/ExitableTime.sol";
import {ExitId} from "../../src/exits/ExitId.sol";
import {ExitPriority} from "../../src/exits/ExitPriority.sol";
import {PaymentEip712} from "../../src/transactions/PaymentEip712.sol";
import {PaymentTransaction} from "../../src/transactions/PaymentTransaction.sol";
import {WireTransaction} from "../../src/transactions/WireTransaction.sol";
import {DepositRoot} from "../../src/utils/DepositRoot.sol";
import {Merkle} from "../../src/utils/Merkle.sol";
import {Position} from "../../src/utils/Position.sol";

/// @title The pure libraries behind a door, so that tests reach them through call data and see their reverts
contract Pure {
    function decodePosition(uint256 utxoPos) external pure returns (uint256, uint256, uint256) {
        return Position.decode(utxoPos);
    }

    function txPos(uint256 utxoPos) external pure returns (uint256) {
        return Position.txPos(utxoPos);
    }

    function isMember(bytes calldata leaf, uint256 index, bytes32 root, bytes calldata proof)
        external
        pure
        returns (bool)
    {
        return Merkle.isMember(leaf, index, root, proof);
    }

    function depositRoot(bytes calldata rawTx) external pure returns (bytes32) {
        return DepositRoot.compute(rawTx);
    }

    function decodePayment(bytes calldata rawTx) external pure returns (PaymentTransaction.Decoded memory) {
        return PaymentTransaction.decode(rawTx);
    }

    function typeOf(bytes calldata rawTx) external pure returns (uint256) {
        return WireTransaction.typeOf(rawTx);
    }

    function outputAt(bytes calldata rawTx, uint256 oindex)
        external
        pure
        returns (uint256, WireTransaction.Output memory)
    {
        return WireTransaction.outputAt(rawTx, oindex);
    }

    function digest(address framework, bytes calldata rawTx) external pure returns (bytes32) {
        return PaymentEip712.digest(PaymentEip712.domainSeparator(framework), PaymentTransaction.decode(rawTx));
    }

    function domainSeparator(address framework) external pure returns (bytes32) {
        return PaymentEip712.domainSeparator(framework);
    }

    function outputId(bytes calldata rawTx, uint256 oindex) external pure returns (bytes32) {
        return ExitId.ofOutput(rawTx, oindex);
    }

    function depositOutputId(bytes calldata rawTx, uint256 oindex, uint256 utxoPos) external pure returns (bytes32) {
        return ExitId.ofDepositOutput(rawTx, oindex, utxoPos);
    }

    function priority(uint256 exitableAt, uint256 txPos_, uint160 exitId) external pure returns (uint256) {
        return ExitPriority.encode(exitableAt, txPos_, exitId);
    }

    function parsePriority(uint256 priority_) external pure returns (uint64, uint160) {
        return (ExitPriority.exitableAtOf(priority_), ExitPriority.exitIdOf(priority_));
    }

    function exitableOfDeposit(uint256 start, uint256 minExitPeriod) external pure returns (uint64) {
        return ExitableTime.ofDeposit(start, minExitPeriod);
    }

    function exitableOfOutput(uint256 start, uint256 blockTimestamp, uint256 minExitPeriod)
        external
        pure
        returns (uint64)
    {
        return ExitableTime.ofOutput(start, blockTimestamp, minExitPeriod);
    }
}
