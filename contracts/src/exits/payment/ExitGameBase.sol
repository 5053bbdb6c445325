// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExitProcessor} from "../../framework/IExitProcessor.sol";
import {IPlasmaFramework} from "../../framework/IPlasmaFramework.sol";
import {Protocol} from "../../framework/Protocol.sol";
import {WireTransaction} from "../../transactions/WireTransaction.sol";
import {EthCredits} from "../../utils/EthCredits.sol";
import {Merkle} from "../../utils/Merkle.sol";
import {Position} from "../../utils/Position.sol";
import {Erc20Vault} from "../../vaults/Erc20Vault.sol";
import {EthVault} from "../../vaults/EthVault.sol";
import {ISpendingCondition} from "../conditions/ISpendingCondition.sol";
import {SpendingConditionRegistry} from "../conditions/SpendingConditionRegistry.sol";
import {ExitId} from "../ExitId.sol";
import {PaymentTransactionStateTransitionVerifier} from "./PaymentTransactionStateTransitionVerifier.sol";

/// @title What standard and in-flight exits of payments share: where everything is, who may call, how money leaves
abstract contract ExitGameBase is EthCredits, IExitProcessor {
    struct PaymentExitGameArgs {
        IPlasmaFramework framework;
        uint256 ethVaultId;
        uint256 erc20VaultId;
        SpendingConditionRegistry spendingConditionRegistry;
        PaymentTransactionStateTransitionVerifier stateTransitionVerifier;
        uint256 supportTxType;
        uint256 safeGasStipend;
    }

    /// @dev The one type of output that a payment makes and that can leave.
    uint256 internal constant PAYMENT_OUTPUT_TYPE = 1;

    /// @notice The framework this game is registered with.
    IPlasmaFramework public immutable framework;
    /// @notice Decides how outputs may be spent. Nobody owns it.
    SpendingConditionRegistry public immutable spendingConditionRegistry;
    /// @notice Decides whether a payment makes nothing out of nothing.
    PaymentTransactionStateTransitionVerifier public immutable stateTransitionVerifier;
    /// @notice The transaction type whose outputs exit here.
    uint256 public immutable supportTxType;

    EthVault internal immutable ETH_VAULT;
    Erc20Vault internal immutable ERC20_VAULT;
    uint256 internal immutable ETH_VAULT_ID;
    uint256 internal immutable ERC20_VAULT_ID;
    /// @dev Seconds.
    uint256 internal immutable MIN_EXIT_PERIOD;
    uint256 internal immutable CHILD_BLOCK_INTERVAL;

    /// @notice A bond could not be pushed to its receiver; it became a credit.
    event BondReturnFailed(address indexed receiver, uint256 amount);

    error AddressZero();
    error TxTypeZero();
    error VaultIdsEqual(uint256 vaultId);
    error VaultNotRegistered(uint256 vaultId);
    error RegistryStillOwned(address owner);
    error NotMaintainer(address caller);
    error NotFramework(address caller);
    error SenderDataMismatch(bytes32 senderData, address sender);
    error BondNotExact(uint256 sent, uint256 wanted);
    error BlockNotFound(uint256 blknum);
    error ProtocolNotMoreVp(uint256 txType, uint8 protocol);
    error TransactionNotIncluded(uint256 blknum, uint256 txindex);
    error TxTypeNotSupported(uint256 txType, uint256 supported);
    error OutputTypeNotSupported(uint256 outputType, uint256 supported);
    error ExitStartedBefore(uint160 exitId);
    error OutputIsAnother(bytes32 outputId, bytes32 wanted);
    error SpendingConditionNotFound(uint256 outputType, uint256 spendingTxType);
    error SpendingConditionNotMet();
    error ExitNotDue(uint160 exitId, uint256 dueAfter);

    /// @dev Takes the mutex that all exit games share with `processExits`; fails while this game is not registered or
    ///      in quarantine.
    modifier nonReentrant() {
        _enter();
        _;
        _leave();
    }

    modifier onlyMaintainer() {
        _requireMaintainer();
        _;
    }

    modifier onlyFramework() {
        if (msg.sender != address(framework)) revert NotFramework(msg.sender);
        _;
    }

    /// @dev A challenge pays whoever sends it. Naming the sender inside its call data makes a copy by another worthless.
    modifier onlyNamedSender(bytes32 senderData) {
        _requireNamedSender(senderData);
        _;
    }

    /// @dev Vaults are looked up once: a registration can not change.
    constructor(PaymentExitGameArgs memory args) EthCredits(args.safeGasStipend) {
        if (
            address(args.framework) == address(0) || address(args.spendingConditionRegistry) == address(0)
                || address(args.stateTransitionVerifier) == address(0)
        ) revert AddressZero();
        if (args.supportTxType == 0) revert TxTypeZero();
        if (args.ethVaultId == args.erc20VaultId) revert VaultIdsEqual(args.ethVaultId);
        address registryOwner = args.spendingConditionRegistry.owner();
        if (registryOwner != address(0)) revert RegistryStillOwned(registryOwner);

        framework = args.framework;
        spendingConditionRegistry = args.spendingConditionRegistry;
        stateTransitionVerifier = args.stateTransitionVerifier;
        supportTxType = args.supportTxType;
        ETH_VAULT_ID = args.ethVaultId;
        ERC20_VAULT_ID = args.erc20VaultId;
        ETH_VAULT = EthVault(_registeredVault(args.framework, args.ethVaultId));
        ERC20_VAULT = Erc20Vault(_registeredVault(args.framework, args.erc20VaultId));
        MIN_EXIT_PERIOD = args.framework.minExitPeriod();
        CHILD_BLOCK_INTERVAL = args.framework.childBlockInterval();
    }

    /// @dev Reverts unless the transaction is in the block at this index and its type's protocol is MoreVP.
    /// @return blockTimestamp When the block was submitted, in seconds.
    function _requireStandardFinalized(
        bytes calldata rawTx,
        uint256 txType,
        uint256 blknum,
        uint256 txindex,
        bytes calldata inclusionProof
    ) internal view returns (uint256 blockTimestamp) {
        bytes32 root;
        (root, blockTimestamp) = _blockOf(blknum);
        if (root == 0) revert BlockNotFound(blknum);
        _requireMoreVp(txType);
        if (!Merkle.isMember(rawTx, txindex, root, inclusionProof)) revert TransactionNotIncluded(blknum, txindex);
    }

    /// @dev Reverts unless a signed transaction, included or not, spends the output at `utxoPos`, which `inputTx` made.
    ///      That `inputTx` did make it is the caller's to check.
    /// @return spendingTxType The spending transaction's type. Its protocol is MoreVP, which counts signed transactions
    ///         whether or not a block holds them.
    function _requireSpent(
        bytes calldata inputTx,
        uint256 utxoPos,
        bytes calldata spendingTx,
        uint16 inputIndex,
        bytes calldata witness
    ) internal view returns (uint256 spendingTxType) {
        (,, uint256 oindex) = Position.decode(utxoPos);
        (, WireTransaction.Output memory output) = WireTransaction.outputAt(inputTx, oindex);
        spendingTxType = WireTransaction.typeOf(spendingTx);
        _requireMoreVp(spendingTxType);
        _requireConditionMet(
            _conditionFor(output.outputType, spendingTxType), inputTx, utxoPos, spendingTx, inputIndex, witness
        );
    }

    function _requireConditionMet(
        ISpendingCondition condition,
        bytes calldata inputTx,
        uint256 utxoPos,
        bytes calldata spendingTx,
        uint16 inputIndex,
        bytes calldata witness
    ) internal view {
        if (!condition.verify(inputTx, utxoPos, spendingTx, inputIndex, witness)) {
            revert SpendingConditionNotMet();
        }
    }

    function _conditionFor(uint256 outputType, uint256 spendingTxType)
        internal
        view
        returns (ISpendingCondition condition)
    {
        condition = spendingConditionRegistry.spendingConditions(outputType, spendingTxType);
        if (address(condition) == address(0)) revert SpendingConditionNotFound(outputType, spendingTxType);
    }

    /// @dev The id of the output at `utxoPos`, which `rawTx` made.
    function _outputIdOf(bytes calldata rawTx, uint256 utxoPos) internal view returns (bytes32) {
        (uint256 blknum,, uint256 oindex) = Position.decode(utxoPos);
        return _isDeposit(blknum) ? ExitId.ofDepositOutput(rawTx, oindex, utxoPos) : ExitId.ofOutput(rawTx, oindex);
    }

    function _isDeposit(uint256 blknum) internal view returns (bool) {
        return blknum % CHILD_BLOCK_INTERVAL != 0;
    }

    function _requireBond(uint96 bondSize) internal view {
        if (msg.value != bondSize) revert BondNotExact(msg.value, bondSize);
    }

    /// @dev Reverts unless the incarnation of the exit is more than one minimum exit period old.
    function _requireDue(uint160 exitId, uint64 startedAt) internal view {
        uint256 dueAfter = uint256(startedAt) + MIN_EXIT_PERIOD;
        if (block.timestamp <= dueAfter) revert ExitNotDue(exitId, dueAfter);
    }

    /// @param utxoPos Orders exits of equal time, by its transaction.
    function _enqueue(address token, uint64 exitableAt, uint256 utxoPos, uint160 exitId, uint256 startedAt) internal {
        uint256 vaultId = token == address(0) ? ETH_VAULT_ID : ERC20_VAULT_ID;
        framework.enqueue(vaultId, token, exitableAt, Position.txPos(utxoPos), exitId, uint64(startedAt));
    }

    /// @return flagged False when the output left before, by whatever exit.
    /// @dev `framework.flagOutputFinalized(outputId, exitId)`, in memory that nobody has claimed: eight times in a large
    ///      in-flight exit.
    function _flag(bytes32 outputId, uint160 exitId) internal returns (bool flagged) {
        address target = address(framework);
        bytes4 selector = IPlasmaFramework.flagOutputFinalized.selector;
        // Widening clears what lies above an id or an address on the stack; assembly would not.
        uint256 id = exitId;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, selector)
            mstore(add(free, 0x04), outputId)
            mstore(add(free, 0x24), id)
            if iszero(call(gas(), target, 0, free, 0x44, 0, 0x20)) {
                returndatacopy(free, 0, returndatasize())
                revert(free, returndatasize())
            }
            flagged := eq(mload(0), 1)
        }
    }

    /// @return exitId The exit that marked this output, or zero: `framework.outputsFinalizations(outputId)`.
    function _markOf(bytes32 outputId) internal view returns (uint256 exitId) {
        address target = address(framework);
        bytes4 selector = IPlasmaFramework.outputsFinalizations.selector;
        assembly ("memory-safe") {
            mstore(0, selector)
            mstore(0x04, outputId)
            if iszero(staticcall(gas(), target, 0, 0x24, 0, 0x20)) {
                let free := mload(0x40)
                returndatacopy(free, 0, returndatasize())
                revert(free, returndatasize())
            }
            exitId := mload(0)
        }
    }

    function _blockOf(uint256 blknum) internal view returns (bytes32 root, uint256 timestamp) {
        return framework.blocks(blknum);
    }

    /// @dev Pays an exit from its vault. Never reverts for anything a receiver or a token does.
    function _withdraw(address receiver, address token, uint256 amount) internal {
        if (token == address(0)) {
            // `ETH_VAULT.withdraw(payable(receiver), amount)` without asking whether the vault has code: registered
            // vaults do.
            address vault = address(ETH_VAULT);
            bytes4 selector = EthVault.withdraw.selector;
            uint256 to = uint160(receiver);
            assembly ("memory-safe") {
                let free := mload(0x40)
                mstore(free, selector)
                mstore(add(free, 0x04), to)
                mstore(add(free, 0x24), amount)
                if iszero(call(gas(), vault, 0, free, 0x44, 0, 0)) {
                    returndatacopy(free, 0, returndatasize())
                    revert(free, returndatasize())
                }
            }
        } else {
            ERC20_VAULT.withdraw(receiver, token, amount);
        }
    }

    /// @dev Pays a bond this contract holds. Never reverts for anything the receiver does.
    function _payBond(address receiver, uint256 amount) internal {
        if (!_push(receiver, amount)) {
            emit BondReturnFailed(receiver, amount);
            _addCredit(receiver, amount);
        }
    }

    function _requireNamedSender(bytes32 senderData) private view {
        if (senderData != keccak256(abi.encodePacked(msg.sender))) revert SenderDataMismatch(senderData, msg.sender);
    }

    function _requireMaintainer() private view {
        if (msg.sender != framework.getMaintainer()) revert NotMaintainer(msg.sender);
    }

    function _enter() private {
        framework.activateNonReentrant();
    }

    function _leave() private {
        framework.deactivateNonReentrant();
    }

    function _requireMoreVp(uint256 txType) private view {
        uint8 protocol = framework.protocols(txType);
        if (protocol != Protocol.MORE_VP) revert ProtocolNotMoreVp(txType, protocol);
    }

    function _registeredVault(IPlasmaFramework framework_, uint256 vaultId) private view returns (address vault) {
        vault = framework_.vaults(vaultId);
        if (vault == address(0)) revert VaultNotRegistered(vaultId);
    }
}
