// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {WireTransaction} from "../../transactions/WireTransaction.sol";
import {BondSize} from "../BondSize.sol";
import {ExitId} from "../ExitId.sol";
import {ExitGameBase} from "./ExitGameBase.sol";

/// @title In-flight exits: the inputs or the outputs of a transaction leave, whether or not a block ever held it
/// @notice start → piggyback (inputs, outputs) and canonicity challenges, for half a period → challenges of spent inputs
///         and outputs, responses → process, once for each token. While the transaction counts as canonical, the older
///         of all that spend its inputs, its outputs may leave; else its inputs may. Only what was piggybacked leaves.
///
///         A record lives until its last queue entry is processed, or until it is deleted because nobody ever
///         piggybacked. It remembers which tokens have an entry waiting, whatever happens to the piggybacks that made
///         them. While it lives, the exit can not be started again.
/// @dev What all moves share: the records, how they are packed, and who may be meant by a call.
abstract contract InFlightExits is ExitGameBase {
    using BondSize for BondSize.Params;

    struct WithdrawData {
        bytes32 outputId;
        address exitTarget;
        address token;
        uint256 amount;
        uint256 piggybackBondSize;
    }

    struct InFlightExit {
        bool isCanonical;
        uint64 exitStartTimestamp;
        uint256 exitMap;
        uint256 position;
        WithdrawData[4] inputs;
        WithdrawData[4] outputs;
        address bondOwner;
        uint256 bondSize;
        uint256 oldestCompetitorPosition;
    }

    /// @dev One slot. Bit or field i of `exitMap`, `present` and `groups` belongs to share i.
    struct Head {
        /// @dev Seconds; zero for no record.
        uint40 startedAt;
        bool isCanonical;
        /// @dev Which shares are piggybacked now.
        uint8 exitMap;
        /// @dev Which shares exist.
        uint8 present;
        /// @dev Two bits for each share: the first input with the same token, whose number names the token's group.
        uint16 groups;
        /// @dev Which groups have a queue entry that was not processed yet. Only processing the entry clears a bit.
        uint8 waiting;
        /// @dev The youngest input's position, of 68 bits.
        uint72 position;
        uint96 bondSize;
    }

    /// @dev One slot.
    struct Claim {
        address bondOwner;
        /// @dev The oldest competitor's position; zero for none, NOT_INCLUDED for one that no block holds.
        uint72 oldestCompetitor;
        /// @dev Which shares have an amount of 2^96 and above.
        uint8 largeAmounts;
        /// @dev Which inputs left as inputs in this incarnation of the exit.
        uint8 paidInputs;
        /// @dev Which shares are piggybacked with another bond than the first piggyback of the exit.
        uint8 otherBonds;
    }

    /// @dev One slot, written by the first piggyback of each token.
    struct Piggybacks {
        /// @dev The bond of the first piggyback, in wei; the others have the same unless the bond size changed meanwhile.
        uint96 bondSize;
        /// @dev Forty bits for each group: when its entry can leave, in seconds.
        uint160 exitableAt;
    }

    /// @dev An input or an output: two slots for every real amount. The others are touched in rare cases only.
    struct Share {
        bytes32 outputId;
        address exitTarget;
        uint96 amountLow;
        uint256 amountHigh;
        uint256 otherBond;
    }

    /// @dev Shares 0 to 3 are the inputs, 4 to 7 the outputs. Tokens by group; ETH is zero and takes no slot.
    struct InFlightRecord {
        Head head;
        Claim claim;
        Piggybacks piggybacks;
        Share[8] shares;
        address[4] tokens;
    }

    uint256 internal constant INPUTS_MAX = 4;
    uint256 internal constant OUTPUTS_MAX = 4;
    uint256 internal constant FIRST_OUTPUT = INPUTS_MAX;
    uint256 internal constant SHARES = INPUTS_MAX + OUTPUTS_MAX;
    uint256 internal constant INPUTS_MASK = 0x0f;
    uint256 internal constant OUTPUTS_MASK = 0xf0;
    uint256 internal constant AMOUNT_LOW_BITS = 96;
    uint72 internal constant NOT_INCLUDED = type(uint72).max;

    /// @notice The first bond for starting an in-flight exit, in wei.
    uint128 public constant INITIAL_IFE_BOND_SIZE = 0.037 ether;
    /// @notice The first bond for piggybacking, in wei.
    uint128 public constant INITIAL_PB_BOND_SIZE = 0.028 ether;

    mapping(uint160 exitId => InFlightRecord) internal _inFlightExits;
    BondSize.Params internal _inFlightBondSize;
    BondSize.Params internal _piggybackBondSize;

    event IFEBondUpdated(uint128 bondSize);
    event PiggybackBondUpdated(uint128 bondSize);
    /// @notice A bond of an in-flight exit could not be pushed to its receiver; it became a credit.
    event InFlightBondReturnFailed(address indexed receiver, uint256 amount);

    error InFlightExitNotFound(uint160 exitId);
    error InputIndexOutOfRange(uint256 index);
    error OutputIndexOutOfRange(uint256 index);
    error FirstPhaseOver(uint256 endedAt);
    error FirstPhaseNotOver(uint256 endsAt);
    error NotPiggybacked(uint256 index);
    error SpendIsInFlightTx();
    error PositionNotOfTransaction(uint256 position);

    constructor() {
        _inFlightBondSize.updated = uint96(INITIAL_IFE_BOND_SIZE);
        _piggybackBondSize.updated = uint96(INITIAL_PB_BOND_SIZE);
    }

    /// @notice Announces a new bond for in-flight exits started two days from now: half to twice the present one, in
    ///         wei.
    /// @dev Maintainer only (NotMaintainer); BondSizeOutOfBounds. Running exits keep theirs. Emits IFEBondUpdated.
    function updateStartIFEBondSize(uint128 newBondSize) external onlyMaintainer {
        _inFlightBondSize.update(newBondSize);
        emit IFEBondUpdated(newBondSize);
    }

    /// @notice Announces a new bond for piggybacks two days from now: half to twice the present one, in wei.
    /// @dev Maintainer only (NotMaintainer); BondSizeOutOfBounds. Running piggybacks keep theirs. Emits
    ///      PiggybackBondUpdated.
    function updatePiggybackBondSize(uint128 newBondSize) external onlyMaintainer {
        _piggybackBondSize.update(newBondSize);
        emit PiggybackBondUpdated(newBondSize);
    }

    /// @notice The bond for starting an in-flight exit now, in wei.
    function startIFEBondSize() external view returns (uint128) {
        return _inFlightBondSize.current();
    }

    /// @notice The bond for piggybacking now, in wei.
    function piggybackBondSize() external view returns (uint128) {
        return _piggybackBondSize.current();
    }

    /// @notice The records of these exits, all zero where there is none.
    /// @return exits Bit i of an exit map is input i, bit 4 + i output i; piggybacked shares have theirs set. The oldest
    ///         competitor's position is zero for none and 2^256 - 1 for one that no block holds.
    function inFlightExits(uint160[] calldata exitIds) external view returns (InFlightExit[] memory exits) {
        exits = new InFlightExit[](exitIds.length);
        for (uint256 i = 0; i < exitIds.length; ++i) {
            _show(_inFlightExits[exitIds[i]], exits[i]);
        }
    }

    /// @dev The exit of this transaction, or a revert. Exit ids hold 151 bits of the transaction's hash; the id of its
    ///      first output holds all 256, and every payment has a first output.
    function _requireInFlightExit(bytes calldata inFlightTx)
        internal
        view
        returns (uint160 exitId, InFlightRecord storage record)
    {
        exitId = ExitId.ofInFlightExit(inFlightTx);
        record = _inFlightExits[exitId];
        if (record.shares[FIRST_OUTPUT].outputId != ExitId.ofOutput(inFlightTx, 0)) {
            revert InFlightExitNotFound(exitId);
        }
    }

    function _hashOf(bytes calldata rawTx) internal pure returns (bytes32) {
        return keccak256(rawTx);
    }

    function _headOf(InFlightRecord storage record) internal view returns (Head memory) {
        return record.head;
    }

    function _setHead(InFlightRecord storage record, Head memory head) internal {
        record.head = head;
    }

    /// @dev When the first phase ends, in seconds; its last second is the one before.
    function _firstPhaseEnd(InFlightRecord storage record) internal view returns (uint256) {
        return uint256(record.head.startedAt) + MIN_EXIT_PERIOD / 2;
    }

    function _requireFirstPhase(InFlightRecord storage record) internal view {
        uint256 end = _firstPhaseEnd(record);
        if (block.timestamp >= end) revert FirstPhaseOver(end);
    }

    /// @dev The shares of a token's group, as a mask.
    function _membersOf(uint256 groups, uint256 present, uint256 group) internal pure returns (uint256 members) {
        // One token, the common case.
        if (groups == 0) return group == 0 ? present : 0;
        unchecked {
            for (uint256 i = 0; present >> i != 0; ++i) {
                if (present >> i & 1 == 1 && _groupOf(groups, i) == group) members |= 1 << i;
            }
        }
    }

    /// @dev Share `index`, below SHARES, without another look at the bound.
    function _shareAt(InFlightRecord storage record, uint256 index) internal view returns (Share storage share) {
        Share[8] storage shares = record.shares;
        assembly ("memory-safe") {
            share.slot := add(shares.slot, mul(index, 4))
        }
    }

    /// @dev The bond of a share that is piggybacked.
    function _bondOf(InFlightRecord storage record, uint256 otherBonds, uint256 index) internal view returns (uint256) {
        return otherBonds >> index & 1 == 1 ? _shareAt(record, index).otherBond : record.piggybacks.bondSize;
    }

    function _groupOf(uint256 groups, uint256 index) internal pure returns (uint256) {
        return groups >> (index << 1) & 3;
    }

    function _amountOf(InFlightRecord storage record, uint256 largeAmounts, uint256 index)
        internal
        view
        returns (uint256 amount)
    {
        Share storage share = _shareAt(record, index);
        amount = share.amountLow;
        if (largeAmounts >> index & 1 == 1) amount |= share.amountHigh << AMOUNT_LOW_BITS;
    }

    /// @dev Pays a bond of an in-flight exit. Never reverts for anything the receiver does.
    function _payInFlightBond(address receiver, uint256 amount) internal {
        if (!_push(receiver, amount)) {
            emit InFlightBondReturnFailed(receiver, amount);
            _addCredit(receiver, amount);
        }
    }

    function _show(InFlightRecord storage record, InFlightExit memory exit) private view {
        Head memory head = _headOf(record);
        if (head.startedAt == 0) return;
        Claim memory claim = record.claim;
        exit.isCanonical = head.isCanonical;
        exit.exitStartTimestamp = head.startedAt;
        exit.exitMap = head.exitMap;
        exit.position = head.position;
        exit.bondOwner = claim.bondOwner;
        exit.bondSize = head.bondSize;
        exit.oldestCompetitorPosition =
            claim.oldestCompetitor == NOT_INCLUDED ? type(uint256).max : claim.oldestCompetitor;
        for (uint256 i = 0; i < SHARES; ++i) {
            if (head.present >> i & 1 == 0) continue;
            WithdrawData memory data = i < FIRST_OUTPUT ? exit.inputs[i] : exit.outputs[i - FIRST_OUTPUT];
            Share storage share = _shareAt(record, i);
            data.outputId = share.outputId;
            data.exitTarget = share.exitTarget;
            data.token = record.tokens[_groupOf(head.groups, i)];
            data.amount = _amountOf(record, claim.largeAmounts, i);
            if (head.exitMap >> i & 1 == 1) data.piggybackBondSize = _bondOf(record, claim.otherBonds, i);
        }
    }
}
