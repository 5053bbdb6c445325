// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InFlightExitCanonicity} from "../../src/exits/payment/InFlightExitCanonicity.sol";
import {InFlightExitPiggybacks} from "../../src/exits/payment/InFlightExitPiggybacks.sol";
import {InFlightExits} from "../../src/exits/payment/InFlightExits.sol";
import {InFlightExitSpends} from "../../src/exits/payment/InFlightExitSpends.sol";
import {InFlightExitStart} from "../../src/exits/payment/InFlightExitStart.sol";
import {Encode} from "./Encode.sol";
import {TestChain} from "./TestChain.sol";
import {Tree} from "./Tree.sol";
import {skip, vm} from "./Vm.sol";

/// @title A system with in-flight exits in it
/// @notice A payment here is a signed transaction that no block holds yet. Everything about it can be had from it: its
///         exit, the piggybacks, challenges with it and against it.
abstract contract InFlightChain is TestChain {
    uint256 internal constant IFE_BOND = 0.037 ether;
    uint256 internal constant PIGGYBACK_BOND = 0.028 ether;
    uint256 internal constant FIRST_PHASE = MIN_EXIT_PERIOD / 2;

    /// @dev What leads from an address to its key; contracts have none.
    mapping(address owner => string name) internal nameOf;

    struct Payment {
        bytes rawTx;
        Utxo[] inputs;
        Encode.Output[] outs;
        bytes[] witnesses;
    }

    function setUp() public virtual override {
        super.setUp();
        (nameOf[alice], nameOf[bob], nameOf[carol]) = ("alice", "bob", "carol");
        nameOf[mallory] = "mallory";
    }

    // --- payments ---

    function list(Utxo memory a) internal pure returns (Utxo[] memory utxos) {
        utxos = new Utxo[](1);
        utxos[0] = a;
    }

    function list(Utxo memory a, Utxo memory b) internal pure returns (Utxo[] memory utxos) {
        utxos = new Utxo[](2);
        (utxos[0], utxos[1]) = (a, b);
    }

    function to(address owner, address currency, uint256 amount) internal pure returns (Encode.Output[] memory) {
        return Encode.one(Encode.Output(1, owner, currency, amount));
    }

    function and(Encode.Output[] memory one, Encode.Output[] memory other)
        internal
        pure
        returns (Encode.Output[] memory outs)
    {
        outs = new Encode.Output[](one.length + other.length);
        for (uint256 i = 0; i < outs.length; ++i) {
            outs[i] = i < one.length ? one[i] : other[i - one.length];
        }
    }

    /// @dev A payment of these inputs, signed by their owners.
    function pay(Utxo[] memory inputs, Encode.Output[] memory outs) internal view returns (Payment memory) {
        return pay(inputs, outs, Encode.NO_METADATA);
    }

    function pay(Utxo[] memory inputs, Encode.Output[] memory outs, bytes32 metadata)
        internal
        view
        returns (Payment memory payment)
    {
        uint256[] memory positions = new uint256[](inputs.length);
        for (uint256 i = 0; i < inputs.length; ++i) {
            positions[i] = inputs[i].pos;
        }
        payment.rawTx = Encode.payment(1, positions, outs, metadata);
        payment.inputs = inputs;
        payment.outs = outs;
        payment.witnesses = new bytes[](inputs.length);
        bytes32 digest = digestOf(positions, outs, metadata);
        for (uint256 i = 0; i < inputs.length; ++i) {
            payment.witnesses[i] = sign(nameOf[inputs[i].owner], digest);
        }
    }

    /// @dev Another payment of the same first input, back to its owner.
    function competitorOf(Payment memory payment) internal view returns (Payment memory) {
        Utxo memory utxo = payment.inputs[0];
        return pay(list(utxo), to(utxo.owner, utxo.token, utxo.amount), "another");
    }

    /// @dev Puts the payment alone into a block. Output `i` of it is then at `pos + i`.
    function include(Payment memory payment) internal returns (uint256 pos, bytes memory proof) {
        bytes32 root;
        (root, proof) = Tree.rootAndProof(txs(payment.rawTx), 16, 0);
        pos = submit(root) * 1e9;
    }

    function outputOf(Payment memory payment, uint256 i, uint256 pos, bytes memory proof)
        internal
        pure
        returns (Utxo memory)
    {
        return Utxo(pos + i, payment.rawTx, proof, payment.outs[i].owner, payment.outs[i].token, payment.outs[i].amount);
    }

    function idOf(Payment memory payment) internal view returns (uint160) {
        return game.getInFlightExitId(payment.rawTx);
    }

    // --- moves ---

    function startArgs(Payment memory payment)
        internal
        pure
        returns (InFlightExitStart.StartInFlightExitArgs memory args)
    {
        uint256 count = payment.inputs.length;
        args.inFlightTx = payment.rawTx;
        args.inputTxs = new bytes[](count);
        args.inputUtxosPos = new uint256[](count);
        args.inputTxsInclusionProofs = new bytes[](count);
        args.inFlightTxWitnesses = payment.witnesses;
        for (uint256 i = 0; i < count; ++i) {
            Utxo memory input = payment.inputs[i];
            (args.inputTxs[i], args.inputUtxosPos[i], args.inputTxsInclusionProofs[i]) =
            (input.rawTx, input.pos, input.proof);
        }
    }

    function startIfe(Payment memory payment, address initiator) internal returns (uint160 exitId) {
        exitId = idOf(payment);
        InFlightExitStart.StartInFlightExitArgs memory args = startArgs(payment);
        vm.prank(initiator);
        game.startInFlightExit{value: IFE_BOND}(args);
    }

    function piggybackInput(Payment memory payment, uint16 index) internal {
        vm.prank(payment.inputs[index].owner);
        game.piggybackInFlightExitOnInput{value: PIGGYBACK_BOND}(
            InFlightExitPiggybacks.PiggybackInFlightExitOnInputArgs(payment.rawTx, index)
        );
    }

    function piggybackOutput(Payment memory payment, uint16 index) internal {
        vm.prank(payment.outs[index].owner);
        game.piggybackInFlightExitOnOutput{value: PIGGYBACK_BOND}(
            InFlightExitPiggybacks.PiggybackInFlightExitOnOutputArgs(payment.rawTx, index)
        );
    }

    /// @dev A challenge with a competitor that spends input `index` as its first.
    function canonicityArgs(Payment memory payment, uint16 index, Payment memory competitor)
        internal
        pure
        returns (InFlightExitCanonicity.ChallengeCanonicityArgs memory)
    {
        return InFlightExitCanonicity.ChallengeCanonicityArgs({
            inputTx: payment.inputs[index].rawTx,
            inputUtxoPos: payment.inputs[index].pos,
            inFlightTx: payment.rawTx,
            inFlightTxInputIndex: index,
            competingTx: competitor.rawTx,
            competingTxInputIndex: 0,
            competingTxPos: 0,
            competingTxInclusionProof: "",
            competingTxWitness: competitor.witnesses[0]
        });
    }

    function challengeCanonicity(Payment memory payment, Payment memory competitor, address who) internal {
        InFlightExitCanonicity.ChallengeCanonicityArgs memory args = canonicityArgs(payment, 0, competitor);
        vm.prank(who);
        game.challengeInFlightExitNotCanonical(args);
    }

    function challengeCanonicity(
        Payment memory payment,
        Payment memory competitor,
        uint256 pos,
        bytes memory proof,
        address who
    ) internal {
        InFlightExitCanonicity.ChallengeCanonicityArgs memory args = canonicityArgs(payment, 0, competitor);
        (args.competingTxPos, args.competingTxInclusionProof) = (pos, proof);
        vm.prank(who);
        game.challengeInFlightExitNotCanonical(args);
    }

    function respond(Payment memory payment, uint256 pos, bytes memory proof, address who) internal {
        vm.prank(who);
        game.respondToNonCanonicalChallenge(payment.rawTx, pos, proof);
    }

    /// @dev A challenge of input `index` with a payment that spends it as its first.
    function inputSpentArgs(Payment memory payment, uint16 index, Payment memory spend, address challenger)
        internal
        pure
        returns (InFlightExitSpends.ChallengeInputSpentArgs memory)
    {
        return InFlightExitSpends.ChallengeInputSpentArgs({
            inFlightTx: payment.rawTx,
            inFlightTxInputIndex: index,
            challengingTx: spend.rawTx,
            challengingTxInputIndex: 0,
            challengingTxWitness: spend.witnesses[0],
            inputTx: payment.inputs[index].rawTx,
            inputUtxoPos: payment.inputs[index].pos,
            senderData: keccak256(abi.encodePacked(challenger))
        });
    }

    function challengeInput(Payment memory payment, uint16 index, Payment memory spend, address who) internal {
        InFlightExitSpends.ChallengeInputSpentArgs memory args = inputSpentArgs(payment, index, spend, who);
        vm.prank(who);
        game.challengeInFlightExitInputSpent(args);
    }

    /// @dev A challenge of the output at `pos` with a payment that spends it as its first input.
    function outputSpentArgs(
        Payment memory payment,
        uint256 pos,
        bytes memory proof,
        Payment memory spend,
        address challenger
    ) internal pure returns (InFlightExitSpends.ChallengeOutputSpentArgs memory) {
        return InFlightExitSpends.ChallengeOutputSpentArgs({
            inFlightTx: payment.rawTx,
            inFlightTxInclusionProof: proof,
            outputUtxoPos: pos,
            challengingTx: spend.rawTx,
            challengingTxInputIndex: 0,
            challengingTxWitness: spend.witnesses[0],
            senderData: keccak256(abi.encodePacked(challenger))
        });
    }

    function challengeOutput(Payment memory payment, uint256 pos, bytes memory proof, Payment memory spend, address who)
        internal
    {
        InFlightExitSpends.ChallengeOutputSpentArgs memory args = outputSpentArgs(payment, pos, proof, spend, who);
        vm.prank(who);
        game.challengeInFlightExitOutputSpent(args);
    }

    // --- what is ---

    function ifeOf(Payment memory payment) internal view returns (InFlightExits.InFlightExit memory) {
        uint160[] memory ids = new uint160[](1);
        ids[0] = idOf(payment);
        return game.inFlightExits(ids)[0];
    }

    function entriesOf(uint256 vaultId, address currency) internal view returns (uint256) {
        return framework.exitQueueHeap(keccak256(abi.encodePacked(vaultId, currency))).length - 1;
    }

    function warpPastFirstPhase() internal {
        skip(FIRST_PHASE);
    }

    // --- stories that several tests tell ---

    /// @dev Alice's 2 and Bob's 1 ETH become Carol's 2 and Mallory's 1.
    function ethPayment() internal returns (Payment memory) {
        return pay(
            list(depositEth(alice, 2 ether), depositEth(bob, 1 ether)),
            and(to(carol, ETH, 2 ether), to(mallory, ETH, 1 ether))
        );
    }

    /// @dev Alice's 2 ETH and Bob's 100 tokens become Carol's ETH and Mallory's tokens.
    function mixedPayment() internal returns (Payment memory) {
        return pay(
            list(depositEth(alice, 2 ether), depositToken(bob, 100)),
            and(to(carol, ETH, 2 ether), to(mallory, address(token), 100))
        );
    }

    /// @dev What each has more, or less, than in the beginning.
    function balances(int256 ofAlice, int256 ofBob, int256 ofCarol, int256 ofMallory) internal view {
        address[4] memory people = [alice, bob, carol, mallory];
        int256[4] memory gains = [ofAlice, ofBob, ofCarol, ofMallory];
        for (uint256 i = 0; i < 4; ++i) {
            vm.assertEq(people[i].balance, uint256(int256(1_000_000 ether) + gains[i]), nameOf[people[i]]);
        }
    }

    function gone(Payment memory payment) internal view {
        vm.assertEq(ifeOf(payment).exitStartTimestamp, 0);
        vm.assertEq(ifeOf(payment).bondOwner, address(0));
        vm.assertEq(ifeOf(payment).inputs[0].outputId, bytes32(0));
    }

    function finalized(Payment memory payment, bool[2] memory inputs, bool[4] memory outputs, uint160 exitId)
        internal
        view
    {
        for (uint256 i = 0; i < payment.inputs.length; ++i) {
            vm.assertEq(framework.outputsFinalizations(outputIdOf(payment.inputs[i])), inputs[i] ? exitId : 0);
        }
        for (uint256 i = 0; i < payment.outs.length; ++i) {
            bytes32 outputId = keccak256(abi.encodePacked(payment.rawTx, i));
            vm.assertEq(framework.outputsFinalizations(outputId), outputs[i] ? exitId : 0);
        }
    }

    // --- EIP-712, written out a second time from the specification ---

    function digestOf(uint256[] memory inputs, Encode.Output[] memory outs, bytes32 metadata)
        internal
        view
        returns (bytes32)
    {
        bytes32 outputType = keccak256("Output(uint256 outputType,bytes20 outputGuard,address currency,uint256 amount)");
        bytes memory fields = abi.encode(
            keccak256(
                "Transaction(uint256 txType,Input input0,Input input1,Input input2,Input input3,Output output0,Output output1,Output output2,Output output3,uint256 txData,bytes32 metadata)Input(uint256 blknum,uint256 txindex,uint256 oindex)Output(uint256 outputType,bytes20 outputGuard,address currency,uint256 amount)"
            ),
            1
        );
        for (uint256 i = 0; i < 4; ++i) {
            fields = bytes.concat(fields, inputHash(i < inputs.length ? inputs[i] : 0));
        }
        for (uint256 i = 0; i < 4; ++i) {
            Encode.Output memory out = i < outs.length ? outs[i] : Encode.Output(0, address(0), address(0), 0);
            bytes memory encoded = abi.encode(outputType, out.outputType, bytes20(out.owner), out.token, out.amount);
            fields = bytes.concat(fields, keccak256(encoded));
        }
        bytes32 structHash = keccak256(bytes.concat(fields, abi.encode(0, metadata)));
        return keccak256(abi.encodePacked("\x19\x01", domainSeparator(), structHash));
    }

    function inputHash(uint256 pos) private pure returns (bytes32) {
        bytes32 inputType = keccak256("Input(uint256 blknum,uint256 txindex,uint256 oindex)");
        return keccak256(abi.encode(inputType, pos / 1e9, pos % 1e9 / 1e4, pos % 1e4));
    }
}
