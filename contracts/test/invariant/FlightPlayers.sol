// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InFlightExitPiggybacks} from "../../src/exits/payment/InFlightExitPiggybacks.sol";
import {InFlightExitProcessing} from "../../src/exits/payment/InFlightExitProcessing.sol";
import {InFlightExits} from "../../src/exits/payment/InFlightExits.sol";
import {Encode} from "../kit/Encode.sol";
import {MoodyWallet} from "../kit/Hostile.sol";
import {bound, clock, skip, vm, Vm} from "../kit/Vm.sol";
import {Players} from "./Players.sol";

/// @title The same people, and in-flight exits
/// @notice Payments in flight have one or two inputs and as many outputs; output i pays input i on. So of each such pair
///         at most one may ever leave, and it is known at every step what the vaults must hold. Owners sign several
///         payments of one coin, exit what was spent, contest each other, come and go; an honest watcher does its duty
///         before time passes.
contract FlightPlayers is Players {
    struct Flight {
        Payment payment;
        uint256[2] coins;
        uint256 count;
        /// @dev Where a block holds the payment; zero for one that stays in flight for ever.
        uint256 pos;
        bytes proof;
        bool isRunning;
        bool isCanonical;
        uint256 startedAt;
        uint256 oldest;
        /// @dev As in the exit map, kept by ourselves.
        uint256 joined;
        /// @dev When the entry was made, in the queue of ETH and of the token; zero for no entry.
        uint256[2] queuedAt;
    }

    uint256 private constant FLIGHTS_MAX = 12;

    Flight[] private _flights;
    mapping(uint160 exitId => uint256 index) private _flightOf;
    uint256 private _signed;

    // --- legal moves ---

    /// @dev A payment that no block will ever hold, of one coin or two. A coin spent before makes its owner a thief.
    function startInFlight(uint256 seed, uint256 otherSeed, uint256 whom, bool isPair) external {
        (bool found, uint256 i) = find(seed);
        if (!found || _flights.length == FLIGHTS_MAX || !canSign(i)) return;
        (, uint256 k) = find(otherSeed);
        isPair = isPair && k != i && canSign(k) && !_coins[i].isSpent && !_coins[k].isSpent;
        Utxo[] memory inputs = isPair ? list(_coins[i].utxo, _coins[k].utxo) : list(_coins[i].utxo);
        Encode.Output[] memory outs = passedOn(i, whom);
        if (isPair) outs = and(outs, passedOn(k, whom / 7));
        uint256 index = addFlight(pay(inputs, outs, bytes32(++_signed)), i, k);
        for (uint256 s = 0; s < inputs.length; ++s) {
            Coin storage coin = _coins[s == 0 ? i : k];
            if (coin.isSpent || coin.isSigned) continue;
            coin.isSigned = true;
            (coin.spendTx, coin.spendInputIndex) = (_flights[index].payment.rawTx, uint16(s));
            coin.spendSignature = _flights[index].payment.witnesses[s];
        }
        launch(index);
    }

    /// @dev A payment that a block holds. Its receiver may have spent what it made.
    function startIncluded(uint256 seed) external {
        (bool found, uint256 i) = find(seed);
        if (!found || _flights.length == FLIGHTS_MAX || !_coins[i].isSpent) return;
        if (isKnown(game.getInFlightExitId(_coins[i].spendTx))) return;
        Utxo memory made = _coins[_coins[i].madeCoin].utxo;
        Payment memory payment;
        payment.rawTx = _coins[i].spendTx;
        payment.inputs = list(_coins[i].utxo);
        payment.outs = to(made.owner, made.token, made.amount);
        payment.witnesses = txs(_coins[i].spendSignature);
        uint256 index = addFlight(payment, i, i);
        (_flights[index].pos, _flights[index].proof) = (made.pos, made.proof);
        launch(index);
    }

    function restart(uint256 seed) external {
        (bool found, uint256 index) = findFlight(seed);
        if (found && !_flights[index].isRunning) launch(index);
    }

    function join(uint256 seed, uint256 share) external {
        (bool found, uint256 index) = findFlight(seed);
        if (found && isInFirstPhase(index)) joinShare(index, bound(share, 0, 7));
    }

    /// @dev An owner signs once more, for nothing but to contest.
    function contest(uint256 seed) external {
        (bool found, uint256 index) = findFlight(seed);
        if (!found || !isInFirstPhase(index)) return;
        Flight storage flight = _flights[index];
        Payment memory payment = flight.payment;
        Payment memory competitor = competitorOf(payment);
        if (flight.oldest != 0) vm.expectRevert();
        challengeCanonicity(payment, competitor, mallory);
        if (flight.oldest == 0) (flight.isCanonical, flight.oldest) = (false, type(uint256).max);
    }

    function remove(uint256 seed) external {
        (bool found, uint256 index) = findFlight(seed);
        if (!found) return;
        Flight storage flight = _flights[index];
        uint160 exitId = idOf(flight.payment);
        bool isFree = flight.isRunning && !isInFirstPhase(index) && entriesOfFlight(flight) == 0;
        if (!isFree) vm.expectRevert();
        game.deleteNonPiggybackedInFlightExit(exitId);
        if (isFree) land(flight);
    }

    // --- illegal moves, each of which must fail ---

    function misbehaveInFlight(uint256 kind, uint256 seed) external {
        (bool found, uint256 index) = findFlight(seed);
        if (!found) return;
        Payment memory payment = _flights[index].payment;
        Payment memory competitor = competitorOf(payment);
        (bool isOver, bool isRunning) = (!isInFirstPhase(index), _flights[index].isRunning);
        (uint256 pos, uint256 inputSide, uint256 outputSide) =
            (_flights[index].pos, _flights[index].joined & 1, _flights[index].joined >> 4 & 1);
        kind = bound(kind, 0, 6);
        if (kind == 0 && isRunning) {
            bytes memory start = abi.encodeCall(game.startInFlightExit, (startArgs(payment)));
            refused(mallory, IFE_BOND, start);
        } else if (kind == 1) {
            // Nobody joins twice, late, or for somebody else.
            if (isOver || inputSide == 1) joinRefused(payment, payment.inputs[0].owner, 0);
            joinRefused(payment, authority, 0);
            joinRefused(payment, payment.inputs[0].owner, 3);
        } else if (kind == 2) {
            refused(
                carol,
                0,
                abi.encodeCall(game.challengeInFlightExitInputSpent, inputSpentArgs(payment, 0, competitor, mallory))
            );
            if (inputSide == 1) return;
            refused(
                mallory,
                0,
                abi.encodeCall(game.challengeInFlightExitInputSpent, inputSpentArgs(payment, 0, competitor, mallory))
            );
        } else if (kind == 3) {
            if (isOver) {
                refused(
                    mallory,
                    0,
                    abi.encodeCall(game.challengeInFlightExitNotCanonical, canonicityArgs(payment, 0, competitor))
                );
            }
            refused(
                mallory, 0, abi.encodeCall(game.challengeInFlightExitNotCanonical, canonicityArgs(payment, 0, payment))
            );
        } else if (kind == 4) {
            uint256 wrong = pos == 0 ? _coins[0].utxo.pos : pos + 1e4;
            bytes memory proof = _coins[0].utxo.proof;
            refused(mallory, 0, abi.encodeCall(game.respondToNonCanonicalChallenge, (payment.rawTx, wrong, proof)));
        } else if (kind == 5 && (pos == 0 || outputSide == 0)) {
            refused(
                mallory,
                0,
                abi.encodeCall(
                    game.challengeInFlightExitOutputSpent,
                    outputSpentArgs(payment, pos, _coins[0].utxo.proof, competitor, mallory)
                )
            );
        } else if (kind == 6) {
            refused(mallory, 0, abi.encodeCall(game.processExit, (idOf(payment), 1, ETH, uint64(clock()))));
        }
    }

    // --- the end: everybody leaves ---

    function everybodyLeaves() external override {
        wallet.setMood(MoodyWallet.Mood.Accept);
        for (uint256 round = 0; round < 8 && !isEverybodyGone(); ++round) {
            for (uint256 i = 0; i < _coins.length; ++i) {
                bool mustFly = _coins[i].isSpent || _coins[i].isSigned;
                if (!mustFly && !hasLeft(i) && _coins[i].startedAt == 0) startCoin(i);
            }
            for (uint256 index = 0; index < _flights.length; ++index) {
                if (!_flights[index].isRunning && holdsSomething(index)) launch(index);
                for (uint256 share = 0; share < 8 && isInFirstPhase(index); ++share) {
                    joinShare(index, share);
                }
            }
            watch();
            skip(2 * MIN_EXIT_PERIOD + 1);
            watch();
            processQueue(false, type(uint256).max);
            processQueue(true, type(uint256).max);
            for (uint256 index = 0; index < _flights.length; ++index) {
                if (!_flights[index].isRunning) continue;
                game.deleteNonPiggybackedInFlightExit(idOf(_flights[index].payment));
                land(_flights[index]);
            }
        }
    }

    // --- what must hold ---

    function checkFlights() external view {
        for (uint256 index = 0; index < _flights.length; ++index) {
            Flight storage flight = _flights[index];
            InFlightExits.InFlightExit memory exit = ifeOf(flight.payment);
            vm.assertEq(exit.exitStartTimestamp, flight.isRunning ? flight.startedAt : 0);
            vm.assertEq(exit.exitMap, flight.joined);
            vm.assertEq(exit.isCanonical, flight.isRunning && flight.isCanonical);
            vm.assertEq(exit.oldestCompetitorPosition, flight.isRunning ? flight.oldest : 0);
        }
    }

    // --- what in-flight exits add ---

    function entriesOfFlights() internal view override returns (uint256 entries) {
        for (uint256 index = 0; index < _flights.length; ++index) {
            entries += entriesOfFlight(_flights[index]);
        }
    }

    /// @dev What left must have joined, must not have left before, must not have been spent, and its time has come.
    function note(Vm.Log memory log) internal override returns (uint160 exitId) {
        bool isInput = log.topics[0] == InFlightExitProcessing.InFlightExitInputWithdrawn.selector;
        if (!isInput && log.topics[0] != InFlightExitProcessing.InFlightExitOutputWithdrawn.selector) return 0;
        exitId = uint160(uint256(log.topics[1]));
        uint256 slot = abi.decode(log.data, (uint256));
        Flight storage flight = _flights[_flightOf[exitId]];
        vm.assertEq(flight.joined >> (isInput ? slot : 4 + slot) & 1, 1, "who did not join stays");
        uint256 youngest = 0;
        for (uint256 s = 0; s < flight.count; ++s) {
            uint256 createdAt = _coins[flight.coins[s]].createdAt;
            if (createdAt > youngest) youngest = createdAt;
        }
        vm.assertGt(clock(), youngest + 2 * MIN_EXIT_PERIOD);
        vm.assertGt(clock(), flight.startedAt + MIN_EXIT_PERIOD);
        vm.assertGt(clock(), flight.queuedAt[queueOf(flight, slot)] + MIN_EXIT_PERIOD);
        Coin storage coin = _coins[coinOf(flight, isInput, slot)];
        vm.assertFalse(coin.isPaid, "paid twice");
        vm.assertFalse(coin.isSpent, "what is spent stays");
        coin.isPaid = true;
    }

    function endEntry(uint160 exitId, bool isToken) internal override {
        Flight storage flight = _flights[_flightOf[exitId]];
        uint256 queue = isToken ? 1 : 0;
        flight.queuedAt[queue] = 0;
        for (uint256 share = 0; share < 8; ++share) {
            if (flight.joined >> share & 1 == 0 || queueOf(flight, share % 4) != queue) continue;
            flight.joined ^= 1 << share;
            liveBonds -= PIGGYBACK_BOND;
        }
        if (entriesOfFlight(flight) == 0) land(flight);
    }

    /// @dev An honest watcher: contests what a block shows to be spent otherwise, answers for what a block holds, blocks
    ///      those who joined with what was spent.
    function watch() internal override {
        super.watch();
        for (uint256 index = 0; index < _flights.length; ++index) {
            if (!_flights[index].isRunning) continue;
            if (_flights[index].pos == 0) watchOutsider(index);
            else watchIncluded(index);
        }
    }

    function watchOutsider(uint256 index) private {
        Flight storage flight = _flights[index];
        // Only a payment of one coin spends what was spent.
        Coin storage coin = _coins[flight.coins[0]];
        if (!coin.isSpent) return;
        Payment memory payment = flight.payment;
        Payment memory rival;
        (rival.rawTx, rival.witnesses) = (coin.spendTx, txs(coin.spendSignature));
        Utxo memory made = _coins[coin.madeCoin].utxo;
        if (isInFirstPhase(index) && (flight.oldest == 0 || flight.oldest > made.pos)) {
            challengeCanonicity(payment, rival, made.pos, made.proof, carol);
            (flight.isCanonical, flight.oldest) = (false, made.pos);
        }
        if (flight.joined & 1 == 1) {
            challengeInput(payment, 0, rival, carol);
            unjoin(flight, 0);
        }
    }

    function watchIncluded(uint256 index) private {
        Flight storage flight = _flights[index];
        Payment memory payment = flight.payment;
        if (!flight.isCanonical) {
            respond(payment, flight.pos, flight.proof, carol);
            (flight.isCanonical, flight.oldest) = (true, flight.pos);
        }
        Coin storage made = _coins[coinOf(flight, false, 0)];
        if (!(made.isSpent || made.isSigned) || flight.joined >> 4 & 1 == 0) return;
        Payment memory spend;
        (spend.rawTx, spend.witnesses) = (made.spendTx, txs(made.spendSignature));
        if (made.spendInputIndex == 0) {
            challengeOutput(payment, flight.pos, flight.proof, spend, carol);
            unjoin(flight, 4);
        }
    }

    // --- helpers ---

    function findFlight(uint256 seed) private view returns (bool, uint256) {
        return _flights.length == 0 ? (false, 0) : (true, seed % _flights.length);
    }

    function canSign(uint256 i) private view returns (bool) {
        return _coins[i].person != WALLET && !hasLeft(i);
    }

    function passedOn(uint256 i, uint256 whom) private view returns (Encode.Output[] memory) {
        return to(addressOf(whom % 5), _coins[i].utxo.token, _coins[i].utxo.amount);
    }

    function isKnown(uint160 exitId) private view returns (bool) {
        return _flights.length != 0 && idOf(_flights[_flightOf[exitId]].payment) == exitId;
    }

    /// @dev Solidity does not copy lists of structs from memory.
    function addFlight(Payment memory payment, uint256 i, uint256 k) private returns (uint256 index) {
        index = _flights.length;
        Flight storage flight = _flights.push();
        flight.payment.rawTx = payment.rawTx;
        flight.payment.witnesses = payment.witnesses;
        for (uint256 s = 0; s < payment.inputs.length; ++s) {
            flight.payment.inputs.push(payment.inputs[s]);
            flight.payment.outs.push(payment.outs[s]);
        }
        flight.coins = [i, k];
        flight.count = payment.inputs.length;
        _flightOf[idOf(payment)] = index;
    }

    function launch(uint256 index) private {
        startIfe(_flights[index].payment, mallory);
        Flight storage flight = _flights[index];
        (flight.isRunning, flight.isCanonical) = (true, true);
        (flight.startedAt, flight.oldest) = (clock(), 0);
        liveBonds += IFE_BOND;
    }

    function land(Flight storage flight) private {
        vm.assertEq(flight.joined, 0);
        flight.isRunning = false;
        liveBonds -= IFE_BOND;
    }

    function unjoin(Flight storage flight, uint256 share) private {
        flight.joined ^= 1 << share;
        liveBonds -= PIGGYBACK_BOND;
    }

    function joinShare(uint256 index, uint256 share) private {
        Flight storage flight = _flights[index];
        uint256 slot = share % 4;
        if (slot >= flight.count || flight.joined >> share & 1 == 1) return;
        Payment memory payment = flight.payment;
        if (share < 4) {
            piggybackInput(payment, uint16(slot));
        } else if (payment.outs[slot].owner == address(wallet)) {
            InFlightExitPiggybacks.PiggybackInFlightExitOnOutputArgs memory args =
                InFlightExitPiggybacks.PiggybackInFlightExitOnOutputArgs(payment.rawTx, uint16(slot));
            bytes memory data = abi.encodeCall(game.piggybackInFlightExitOnOutput, (args));
            wallet.execute(address(game), PIGGYBACK_BOND, data);
        } else {
            piggybackOutput(payment, uint16(slot));
        }
        flight.joined |= 1 << share;
        liveBonds += PIGGYBACK_BOND;
        uint256 queue = queueOf(flight, slot);
        if (flight.queuedAt[queue] == 0) flight.queuedAt[queue] = clock();
    }

    function joinRefused(Payment memory payment, address who, uint16 index) private {
        vm.deal(who, who.balance + PIGGYBACK_BOND);
        InFlightExitPiggybacks.PiggybackInFlightExitOnInputArgs memory args =
            InFlightExitPiggybacks.PiggybackInFlightExitOnInputArgs(payment.rawTx, index);
        refused(who, PIGGYBACK_BOND, abi.encodeCall(game.piggybackInFlightExitOnInput, (args)));
    }

    function refused(address who, uint256 value, bytes memory data) private {
        vm.prank(who);
        (bool success,) = address(game).call{value: value}(data);
        vm.assertFalse(success);
    }

    function isInFirstPhase(uint256 index) private view returns (bool) {
        return _flights[index].isRunning && clock() < _flights[index].startedAt + FIRST_PHASE;
    }

    function entriesOfFlight(Flight storage flight) private view returns (uint256) {
        return (flight.queuedAt[0] == 0 ? 0 : 1) + (flight.queuedAt[1] == 0 ? 0 : 1);
    }

    function queueOf(Flight storage flight, uint256 slot) private view returns (uint256) {
        return flight.payment.inputs[slot].token == ETH ? 0 : 1;
    }

    /// @dev The coin whose value a share is: the input's, or the one made of it if a block holds the payment.
    function coinOf(Flight storage flight, bool isInput, uint256 slot) private view returns (uint256) {
        uint256 i = flight.coins[slot];
        return isInput || flight.pos == 0 ? i : _coins[i].madeCoin;
    }

    function holdsSomething(uint256 index) private view returns (bool) {
        Flight storage flight = _flights[index];
        for (uint256 slot = 0; slot < flight.count; ++slot) {
            Coin storage coin = _coins[flight.coins[slot]];
            if (!coin.isSpent && !coin.isPaid) return true;
        }
        return false;
    }
}
