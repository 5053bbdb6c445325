// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StandardExits} from "../../src/exits/payment/StandardExits.sol";
import {PriorityQueue} from "../../src/framework/PriorityQueue.sol";
import {MoodyWallet} from "../kit/Hostile.sol";
import {InFlightChain} from "../kit/InFlightChain.sol";
import {bound, clock, skip, vm, Vm} from "../kit/Vm.sol";

/// @title Everybody who plays: owners, thieves, a watcher, an honest operator
/// @notice Each move is legal, or tried and seen to fail. Coins are never handed out but by deposits and payments, so
///         what the vaults must hold is known at every step.
contract Players is InFlightChain {
    struct Coin {
        Utxo utxo;
        uint256 person;
        uint256 createdAt;
        uint256 startedAt;
        bool isSpent;
        bool isPaid;
        /// @dev The running standard exit was challenged.
        bool isChallenged;
        /// @dev The owner signed a spend that no block holds. An honest operator includes no other.
        bool isSigned;
        /// @dev Where in the list the coin is that the spend made.
        uint256 madeCoin;
        /// @dev A signed spend, included or not: what a watcher shows against a standard exit.
        bytes spendTx;
        bytes spendSignature;
        uint16 spendInputIndex;
    }

    string[4] internal names = ["alice", "bob", "carol", "mallory"];
    /// @dev The fifth person is a contract that takes ETH as it pleases, and signs nothing.
    uint256 internal constant WALLET = 4;

    Coin[] internal _coins;
    MoodyWallet public wallet;
    uint256 public liveBonds;
    mapping(uint160 exitId => uint256 index) internal _coinOf;

    function setUp() public override {
        super.setUp();
        wallet = new MoodyWallet();
        vm.deal(address(wallet), 1_000_000 ether);
    }

    // --- legal moves ---

    function deposit(uint256 who, uint256 amount, bool isToken) external {
        if (framework.nextDeposit() == 1000) return;
        who = bound(who, 0, WALLET);
        amount = bound(amount, 1, 100 ether);
        Utxo memory utxo;
        if (who == WALLET) {
            utxo = depositUtxo(address(wallet), ETH, amount);
            wallet.execute(address(ethVault), amount, abi.encodeCall(ethVault.deposit, (utxo.rawTx)));
        } else {
            address owner = vm.addr(keyOf(names[who]));
            utxo = isToken ? depositToken(owner, amount) : depositEth(owner, amount);
        }
        add(utxo, who);
    }

    function pay(uint256 seed, uint256 whom) external {
        (bool found, uint256 i) = find(seed);
        // An honest operator includes no spend of an output that was spent or has left.
        if (!found || _coins[i].isSpent || _coins[i].isSigned || _coins[i].isPaid || _coins[i].person == WALLET) {
            return;
        }
        whom = bound(whom, 0, WALLET);
        Utxo memory from = _coins[i].utxo;
        address receiver = addressOf(whom);
        Utxo memory made = includePayment(from, receiver);
        _coins[i].isSpent = true;
        _coins[i].madeCoin = _coins.length;
        _coins[i].spendTx = made.rawTx;
        _coins[i].spendSignature = sign(names[_coins[i].person], digestOf(from.pos, receiver, from.token, from.amount));
        add(made, whom);
    }

    /// @dev The owner exits; a spent coin too, which the watcher will challenge.
    function start(uint256 seed) external {
        (bool found, uint256 i) = find(seed);
        if (!found || hasLeft(i) || _coins[i].startedAt != 0) return;
        startCoin(i);
    }

    function challenge(uint256 seed, uint256 who) external {
        (bool found, uint256 i) = find(seed);
        if (!found || !(_coins[i].isSpent || _coins[i].isSigned) || !isExiting(i)) return;
        challengeCoin(i, vm.addr(keyOf(names[bound(who, 0, 3)])));
    }

    /// @dev Anyone processes, but the watcher has challenged what had to be before.
    function process(uint256 max, bool isToken) external {
        watch();
        processQueue(isToken, bound(max, 0, 5));
    }

    /// @dev Time passes only after the watcher has done what has a deadline.
    function wait(uint256 time) external {
        watch();
        skip(bound(time, 1, MIN_EXIT_PERIOD));
    }

    function turnMoody(uint8 mood) external {
        wallet.setMood(MoodyWallet.Mood(mood % 5));
    }

    function claimCredit() external {
        wallet.setMood(MoodyWallet.Mood.Accept);
        if (ethVault.credits(address(wallet)) != 0) {
            ethVault.withdrawCredit(address(wallet), payable(address(wallet)));
        }
        if (game.credits(address(wallet)) != 0) game.withdrawCredit(address(wallet), payable(address(wallet)));
    }

    // --- illegal moves, each of which must fail ---

    function misbehave(uint256 kind, uint256 seed) external {
        (bool found, uint256 i) = find(seed);
        if (!found) return;
        Utxo memory utxo = _coins[i].utxo;
        StandardExits.StartStandardExitArgs memory args = startArgs(utxo);
        StandardExits.ChallengeStandardExitArgs memory forged = challengeArgs(utxo, "nobody", mallory);
        (uint160 exitId, bytes32 outputId) = (exitIdOf(utxo), outputIdOf(utxo));
        kind = bound(kind, 0, 6);
        vm.startPrank(kind < 2 ? utxo.owner : mallory);
        vm.deal(utxo.owner, utxo.owner.balance + SE_BOND);
        vm.expectRevert();
        if (kind == 0) {
            game.startStandardExit{value: SE_BOND - 1}(args);
        } else if (kind == 1) {
            args.utxoPos += 1e15;
            game.startStandardExit{value: SE_BOND}(args);
        } else if (kind == 2) {
            args.utxoPos = args.utxoPos + 1;
            game.startStandardExit{value: SE_BOND}(args);
        } else if (kind == 3) {
            game.challengeStandardExit(forged);
        } else if (kind == 4) {
            game.processExit(exitId, 1, utxo.token, uint64(clock()));
        } else if (kind == 5) {
            ethVault.withdraw(payable(mallory), 1);
        } else {
            framework.flagOutputFinalized(outputId, 1);
        }
        vm.stopPrank();
    }

    function startAgain(uint256 seed) external {
        (bool found, uint256 i) = find(seed);
        if (!found || (_coins[i].startedAt == 0 && !_coins[i].isPaid)) return;
        StandardExits.StartStandardExitArgs memory args = startArgs(_coins[i].utxo);
        vm.deal(_coins[i].utxo.owner, _coins[i].utxo.owner.balance + SE_BOND);
        vm.expectRevert();
        vm.prank(_coins[i].utxo.owner);
        game.startStandardExit{value: SE_BOND}(args);
    }

    // --- the end: everybody leaves ---

    function everybodyLeaves() external virtual {
        wallet.setMood(MoodyWallet.Mood.Accept);
        for (uint256 i = 0; i < _coins.length; ++i) {
            if (!_coins[i].isSpent && !_coins[i].isPaid && _coins[i].startedAt == 0) startCoin(i);
        }
        skip(2 * MIN_EXIT_PERIOD + 1);
        watch();
        processQueue(false, type(uint256).max);
        processQueue(true, type(uint256).max);
    }

    // --- what must hold ---

    function checkVaults() external view {
        uint256 eth = 0;
        uint256 tokens = 0;
        for (uint256 i = 0; i < _coins.length; ++i) {
            if (_coins[i].isSpent || _coins[i].isPaid) continue;
            if (_coins[i].utxo.token == ETH) eth += _coins[i].utxo.amount;
            else tokens += _coins[i].utxo.amount;
        }
        vm.assertEq(address(ethVault).balance, eth + ethVault.totalCredits(), "ETH vault");
        vm.assertEq(token.balanceOf(address(erc20Vault)), tokens, "ERC-20 vault");
        vm.assertEq(ethVault.totalCredits(), ethVault.credits(address(wallet)), "ETH credits");
    }

    function checkBonds() external view {
        vm.assertEq(address(game).balance, liveBonds + game.totalCredits(), "bonds");
        vm.assertEq(game.totalCredits(), game.credits(address(wallet)), "bond credits");
    }

    function checkQueues() external view {
        uint256 entries = checkHeap(ETH_VAULT_ID, ETH) + checkHeap(ERC20_VAULT_ID, address(token));
        uint256 records = 0;
        for (uint256 i = 0; i < _coins.length; ++i) {
            bool hasRecord = exitOf(exitIdOf(_coins[i].utxo)).utxoPos != 0;
            vm.assertEq(hasRecord, _coins[i].startedAt != 0, "record");
            if (hasRecord) ++records;
        }
        vm.assertEq(entries, records + entriesOfFlights(), "one entry per record");
    }

    function isEverybodyGone() public view returns (bool) {
        return address(ethVault).balance == ethVault.totalCredits() && token.balanceOf(address(erc20Vault)) == 0
            && liveBonds == 0;
    }

    // --- what in-flight exits add ---

    function entriesOfFlights() internal view virtual returns (uint256) {
        return 0;
    }

    /// @dev Takes notice of a log of the game. Answers the in-flight exit it belongs to, or zero.
    function note(Vm.Log memory log) internal virtual returns (uint160 exitId) {}

    /// @dev An entry of an in-flight exit was processed.
    function endEntry(uint160 exitId, bool isToken) internal virtual {}

    // --- helpers ---

    function addressOf(uint256 who) internal view returns (address) {
        return who == WALLET ? address(wallet) : vm.addr(keyOf(names[who]));
    }

    /// @dev Whether the coin was paid, or a transaction that spends it in flight.
    function hasLeft(uint256 i) internal view returns (bool) {
        return _coins[i].isPaid || framework.isOutputFinalized(outputIdOf(_coins[i].utxo));
    }

    function add(Utxo memory utxo, uint256 who) internal {
        _coinOf[exitIdOf(utxo)] = _coins.length;
        Coin storage coin = _coins.push();
        coin.utxo = utxo;
        coin.person = who;
        coin.createdAt = clock();
    }

    function find(uint256 seed) internal view returns (bool, uint256) {
        return _coins.length == 0 ? (false, 0) : (true, seed % _coins.length);
    }

    function isExiting(uint256 i) internal view returns (bool) {
        return _coins[i].startedAt != 0 && exitOf(exitIdOf(_coins[i].utxo)).exitable;
    }

    function startCoin(uint256 i) internal {
        Utxo memory utxo = _coins[i].utxo;
        bytes memory data = abi.encodeCall(game.startStandardExit, (startArgs(utxo)));
        if (_coins[i].person == WALLET) wallet.execute(address(game), SE_BOND, data);
        else startExit(utxo);
        _coins[i].startedAt = clock();
        _coins[i].isChallenged = false;
        liveBonds += SE_BOND;
    }

    function challengeCoin(uint256 i, address who) internal {
        Utxo memory utxo = _coins[i].utxo;
        uint256 before = who.balance;
        StandardExits.ChallengeStandardExitArgs memory args = StandardExits.ChallengeStandardExitArgs({
            exitId: exitIdOf(utxo),
            exitingTx: utxo.rawTx,
            challengeTx: _coins[i].spendTx,
            inputIndex: _coins[i].spendInputIndex,
            witness: _coins[i].spendSignature,
            senderData: keccak256(abi.encodePacked(who))
        });
        vm.prank(who);
        game.challengeStandardExit(args);
        vm.assertEq(who.balance, before + SE_BOND, "challenger's bond");
        liveBonds -= SE_BOND;
        _coins[i].isChallenged = true;
    }

    function watch() internal virtual {
        for (uint256 i = 0; i < _coins.length; ++i) {
            if ((_coins[i].isSpent || _coins[i].isSigned) && isExiting(i)) challengeCoin(i, carol);
        }
    }

    function processQueue(bool isToken, uint256 max) internal {
        (uint256 vaultId, address currency) = isToken ? (ERC20_VAULT_ID, address(token)) : (ETH_VAULT_ID, ETH);
        PriorityQueue window = PriorityQueue(framework.exitsQueues(keccak256(abi.encodePacked(vaultId, currency))));
        if (window.currentSize() == 0) return;
        uint256[] memory expected = sorted(window.heapList());
        vm.recordLogs();
        framework.processExits(vaultId, currency, 0, max);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 place = 0;
        for (uint256 i = 0; i < logs.length; ++i) {
            uint160 exitId = note(logs[i]);
            bool isFinalized = logs[i].topics[0] == StandardExits.ExitFinalized.selector;
            bool isStandard = isFinalized || logs[i].topics[0] == StandardExits.ExitOmitted.selector;
            if (isStandard) exitId = uint160(uint256(logs[i].topics[1]));
            if (exitId == 0) continue;
            // Each speaks when its entry's turn has come, and an in-flight exit as often as it has something to say.
            while (uint160(expected[place]) != exitId) ++place;
            if (isStandard) settle(_coinOf[exitId], isFinalized);
        }
        uint256 processed = expected.length - 1 - window.currentSize();
        for (uint256 i = 1; i <= processed; ++i) {
            if (expected[i] >> 151 & 1 == 1) endEntry(uint160(expected[i]), isToken);
        }
    }

    function settle(uint256 i, bool isFinalized) internal {
        Coin storage coin = _coins[i];
        vm.assertGt(clock(), coin.startedAt + MIN_EXIT_PERIOD);
        if (!isDeposit(coin.utxo.pos)) vm.assertGt(clock(), coin.createdAt + 2 * MIN_EXIT_PERIOD);
        vm.assertEq(isFinalized, !coin.isChallenged && !coin.isPaid, "what is spent or left stays, all else leaves");
        vm.assertTrue(coin.isChallenged || !(coin.isSpent || coin.isSigned), "what is spent was challenged");
        coin.startedAt = 0;
        if (!coin.isChallenged) liveBonds -= SE_BOND;
        if (isFinalized) coin.isPaid = true;
    }

    function checkHeap(uint256 vaultId, address currency) internal view returns (uint256 size) {
        bytes32 key = keccak256(abi.encodePacked(vaultId, currency));
        uint256[] memory heap = PriorityQueue(framework.exitsQueues(key)).heapList();
        size = heap.length - 1;
        for (uint256 i = 2; i <= size; ++i) {
            vm.assertLt(heap[i / 2], heap[i], "heap");
        }
    }

    function sorted(uint256[] memory list) internal pure returns (uint256[] memory) {
        for (uint256 i = 1; i < list.length; ++i) {
            for (uint256 j = i; j > 0 && list[j - 1] > list[j]; --j) {
                (list[j - 1], list[j]) = (list[j], list[j - 1]);
            }
        }
        return list;
    }
}
