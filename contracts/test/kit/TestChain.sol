// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FeeClaimOutputToPaymentTxCondition} from "../../src/exits/conditions/FeeClaimOutputToPaymentTxCondition.sol";
import {PaymentOutputToPaymentTxCondition} from "../../src/exits/conditions/PaymentOutputToPaymentTxCondition.sol";
import {SpendingConditionRegistry} from "../../src/exits/conditions/SpendingConditionRegistry.sol";
import {FeeExitGame} from "../../src/exits/FeeExitGame.sol";
import {ExitGameBase} from "../../src/exits/payment/ExitGameBase.sol";
import {PaymentExitGame} from "../../src/exits/payment/PaymentExitGame.sol";
import {
    PaymentTransactionStateTransitionVerifier
} from "../../src/exits/payment/PaymentTransactionStateTransitionVerifier.sol";
import {StandardExits} from "../../src/exits/payment/StandardExits.sol";
import {IPlasmaFramework} from "../../src/framework/IPlasmaFramework.sol";
import {PlasmaFramework} from "../../src/framework/PlasmaFramework.sol";
import {TestToken} from "../../src/dev/TestToken.sol";
import {Erc20DepositVerifier} from "../../src/vaults/Erc20DepositVerifier.sol";
import {Erc20Vault} from "../../src/vaults/Erc20Vault.sol";
import {EthDepositVerifier} from "../../src/vaults/EthDepositVerifier.sol";
import {EthVault} from "../../src/vaults/EthVault.sol";
import {Encode} from "./Encode.sol";
import {Tree} from "./Tree.sol";
import {bound, skip, vm} from "./Vm.sol";

/// @title A whole system, deployed like the real one, and its people
/// @notice The deployer deploys, the maintainer registers, the authority activates and submits: no key does another's
///         work. Helpers speak of deposits, payments and blocks; a test says what it cares about and no more.
abstract contract TestChain {
    uint256 internal constant MIN_EXIT_PERIOD = 1 weeks;
    uint256 internal constant SE_BOND = 0.014 ether;
    uint256 internal constant ETH_VAULT_ID = 1;
    uint256 internal constant ERC20_VAULT_ID = 2;
    address internal constant ETH = address(0);
    uint256 internal constant GENESIS = 1_600_000_000;

    address internal authority = person("authority");
    address internal maintainer = person("maintainer");
    address internal deployer = person("deployer");
    address internal alice = person("alice");
    address internal bob = person("bob");
    address internal carol = person("carol");
    address internal mallory = person("mallory");

    PlasmaFramework internal framework;
    EthVault internal ethVault;
    Erc20Vault internal erc20Vault;
    SpendingConditionRegistry internal registry;
    PaymentExitGame internal game;
    FeeExitGame internal feeGame;
    TestToken internal token;

    /// @dev An output that is included, with what it takes to exit it.
    struct Utxo {
        uint256 pos;
        bytes rawTx;
        bytes proof;
        address owner;
        address token;
        uint256 amount;
    }

    function setUp() public virtual {
        vm.warp(GENESIS);
        address[4] memory people = [alice, bob, carol, mallory];
        for (uint256 i = 0; i < people.length; ++i) {
            vm.deal(people[i], 1_000_000 ether);
        }
        deploySystem();
    }

    /// @dev The deployment order of docs/protocol/contracts.md.
    function deploySystem() internal {
        vm.startPrank(deployer);
        framework = new PlasmaFramework(MIN_EXIT_PERIOD, 2, 2, authority, maintainer);
        EthDepositVerifier ethVerifier = new EthDepositVerifier(1, 1);
        ethVault = new EthVault(IPlasmaFramework(address(framework)), 2300);
        Erc20DepositVerifier erc20Verifier = new Erc20DepositVerifier(1, 1);
        erc20Vault = new Erc20Vault(IPlasmaFramework(address(framework)));
        vm.stopPrank();

        vm.startPrank(maintainer);
        ethVault.setDepositVerifier(address(ethVerifier));
        framework.registerVault(ETH_VAULT_ID, address(ethVault));
        erc20Vault.setDepositVerifier(address(erc20Verifier));
        framework.registerVault(ERC20_VAULT_ID, address(erc20Vault));
        vm.stopPrank();

        vm.startPrank(deployer);
        registry = deployRegistry();
        game = new PaymentExitGame(gameArgs());
        feeGame = new FeeExitGame();
        token = new TestToken();
        vm.stopPrank();

        vm.startPrank(maintainer);
        framework.registerExitGame(1, address(game), 2);
        framework.registerExitGame(3, address(feeGame), 2);
        framework.setVersion("1.0.5+penning");
        vm.stopPrank();

        vm.prank(authority);
        framework.activateChildChain();
        framework.addExitQueue(ETH_VAULT_ID, ETH);
        framework.addExitQueue(ERC20_VAULT_ID, address(token));
    }

    function deployRegistry() internal returns (SpendingConditionRegistry conditions) {
        conditions = new SpendingConditionRegistry();
        address fw = address(framework);
        conditions.registerSpendingCondition(1, 1, new PaymentOutputToPaymentTxCondition(fw, 1, 1));
        conditions.registerSpendingCondition(1, 2, new PaymentOutputToPaymentTxCondition(fw, 1, 2));
        conditions.registerSpendingCondition(2, 1, new FeeClaimOutputToPaymentTxCondition(fw, 3, 2, 1));
        conditions.renounceOwnership();
    }

    function gameArgs() internal returns (ExitGameBase.PaymentExitGameArgs memory) {
        return ExitGameBase.PaymentExitGameArgs({
            framework: IPlasmaFramework(address(framework)),
            ethVaultId: ETH_VAULT_ID,
            erc20VaultId: ERC20_VAULT_ID,
            spendingConditionRegistry: registry,
            stateTransitionVerifier: new PaymentTransactionStateTransitionVerifier(),
            supportTxType: 1,
            safeGasStipend: 2300
        });
    }

    // --- people ---

    function keyOf(string memory name) internal pure returns (uint256) {
        return uint256(keccak256(bytes(name)));
    }

    function person(string memory name) internal returns (address who) {
        who = vm.addr(keyOf(name));
        vm.label(who, name);
    }

    function sign(string memory name, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf(name), digest);
        return abi.encodePacked(r, s, v);
    }

    // --- money ---

    function depositEth(address owner, uint256 amount) internal returns (Utxo memory utxo) {
        utxo = depositUtxo(owner, ETH, amount);
        vm.prank(owner);
        ethVault.deposit{value: amount}(utxo.rawTx);
    }

    function depositToken(address owner, uint256 amount) internal returns (Utxo memory utxo) {
        token.mint(owner, amount);
        utxo = depositUtxo(owner, address(token), amount);
        vm.prank(owner);
        token.approve(address(erc20Vault), amount);
        vm.prank(owner);
        erc20Vault.deposit(utxo.rawTx);
    }

    /// @dev The output the next deposit makes.
    function depositUtxo(address owner, address currency, uint256 amount) internal view returns (Utxo memory) {
        bytes memory rawTx = Encode.deposit(owner, currency, amount);
        (, bytes memory proof) = Tree.rootAndProof(txs(rawTx), 16, 0);
        return Utxo(framework.nextDepositBlock() * 1e9, rawTx, proof, owner, currency, amount);
    }

    // --- blocks ---

    function txs(bytes memory rawTx) internal pure returns (bytes[] memory list) {
        list = new bytes[](1);
        list[0] = rawTx;
    }

    function submit(bytes32 root) internal returns (uint256 blknum) {
        blknum = framework.nextChildBlock();
        vm.prank(authority);
        framework.submitBlock(root);
    }

    /// @dev Puts the transactions into a block of the operator.
    function includeAll(bytes[] memory rawTxs) internal returns (uint256 blknum) {
        return submit(Tree.root(rawTxs, 16));
    }

    /// @dev A payment of one input that pays everything to `to`, included alone in a block.
    function includePayment(Utxo memory from, address to) internal returns (Utxo memory) {
        bytes memory rawTx = paymentTx(from.pos, to, from.token, from.amount);
        (bytes32 root, bytes memory proof) = Tree.rootAndProof(txs(rawTx), 16, 0);
        return Utxo(submit(root) * 1e9, rawTx, proof, to, from.token, from.amount);
    }

    function paymentTx(uint256 input, address to, address currency, uint256 amount)
        internal
        pure
        returns (bytes memory)
    {
        return Encode.payment(
            1, Encode.one(input), Encode.one(Encode.Output(1, to, currency, amount)), Encode.NO_METADATA
        );
    }

    // --- exits ---

    function isDeposit(uint256 utxoPos) internal pure returns (bool) {
        return utxoPos / 1e9 % 1000 != 0;
    }

    function exitIdOf(Utxo memory utxo) internal view returns (uint160) {
        return game.getStandardExitId(isDeposit(utxo.pos), utxo.rawTx, utxo.pos);
    }

    function outputIdOf(Utxo memory utxo) internal pure returns (bytes32) {
        uint256 oindex = utxo.pos % 1e4;
        return isDeposit(utxo.pos)
            ? keccak256(abi.encodePacked(utxo.rawTx, oindex, utxo.pos))
            : keccak256(abi.encodePacked(utxo.rawTx, oindex));
    }

    function startArgs(Utxo memory utxo) internal pure returns (StandardExits.StartStandardExitArgs memory) {
        return StandardExits.StartStandardExitArgs(utxo.pos, utxo.rawTx, utxo.proof);
    }

    function startExit(Utxo memory utxo) internal returns (uint160 exitId) {
        exitId = exitIdOf(utxo);
        StandardExits.StartStandardExitArgs memory args = startArgs(utxo);
        vm.prank(utxo.owner);
        game.startStandardExit{value: SE_BOND}(args);
    }

    /// @dev A challenge by `challenger` with a payment of the exiting output to mallory, signed by `ownerName`.
    function challengeArgs(Utxo memory utxo, string memory ownerName, address challenger)
        internal
        view
        returns (StandardExits.ChallengeStandardExitArgs memory args)
    {
        bytes memory spend = paymentTx(utxo.pos, mallory, utxo.token, utxo.amount);
        args = StandardExits.ChallengeStandardExitArgs({
            exitId: exitIdOf(utxo),
            exitingTx: utxo.rawTx,
            challengeTx: spend,
            inputIndex: 0,
            witness: sign(ownerName, digestOf(utxo.pos, mallory, utxo.token, utxo.amount)),
            senderData: keccak256(abi.encodePacked(challenger))
        });
    }

    function challenge(Utxo memory utxo, string memory ownerName, address challenger) internal {
        StandardExits.ChallengeStandardExitArgs memory args = challengeArgs(utxo, ownerName, challenger);
        vm.prank(challenger);
        game.challengeStandardExit(args);
    }

    function exitOf(uint160 exitId) internal view returns (StandardExits.StandardExit memory) {
        uint160[] memory ids = new uint160[](1);
        ids[0] = exitId;
        return game.standardExits(ids)[0];
    }

    function processEth(uint256 max) internal {
        framework.processExits(ETH_VAULT_ID, ETH, 0, max);
    }

    function processToken(uint256 max) internal {
        framework.processExits(ERC20_VAULT_ID, address(token), 0, max);
    }

    /// @dev Behind every time an exit started now can leave at.
    function warpPastExit() internal {
        skip(2 * MIN_EXIT_PERIOD + 1);
    }

    // --- EIP-712, written out a second time from the specification ---

    function digestOf(uint256 input, address to, address currency, uint256 amount) internal view returns (bytes32) {
        bytes32 inputType = keccak256("Input(uint256 blknum,uint256 txindex,uint256 oindex)");
        bytes32 outputType = keccak256("Output(uint256 outputType,bytes20 outputGuard,address currency,uint256 amount)");
        bytes32 noInput = keccak256(abi.encode(inputType, 0, 0, 0));
        bytes32 noOutput = keccak256(abi.encode(outputType, 0, bytes20(0), address(0), 0));
        bytes32 input0 = keccak256(abi.encode(inputType, input / 1e9, input % 1e9 / 1e4, input % 1e4));
        bytes32 output0 = keccak256(abi.encode(outputType, 1, bytes20(to), currency, amount));
        bytes32 txType = keccak256(
            "Transaction(uint256 txType,Input input0,Input input1,Input input2,Input input3,Output output0,Output output1,Output output2,Output output3,uint256 txData,bytes32 metadata)Input(uint256 blknum,uint256 txindex,uint256 oindex)Output(uint256 outputType,bytes20 outputGuard,address currency,uint256 amount)"
        );
        bytes memory inputs = abi.encode(txType, 1, input0, noInput, noInput, noInput);
        bytes memory outputs = abi.encode(output0, noOutput, noOutput, noOutput, 0, 0);
        bytes32 structHash = keccak256(bytes.concat(inputs, outputs));
        return keccak256(abi.encodePacked("\x19\x01", domainSeparator(), structHash));
    }

    function domainSeparator() internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,address verifyingContract,bytes32 salt)"),
                keccak256("OMG Network"),
                keccak256("1"),
                address(framework),
                bytes32(0xfad5c7f626d80f9256ef01929f3beb96e058b8b4b0e3fe52d84f054c0e2a7a83)
            )
        );
    }
}
