// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PaymentTransaction} from "../../src/transactions/PaymentTransaction.sol";
import {Rlp} from "../../src/transactions/Rlp.sol";
import {WireTransaction} from "../../src/transactions/WireTransaction.sol";
import {Encode} from "../kit/Encode.sol";
import {Pure} from "../kit/Pure.sol";
import {bound, vm} from "../kit/Vm.sol";

/// @title One transaction, one encoding
/// @notice Exit games that read RLP loosely have let one transaction be shown in several encodings, each with its own
///         hash and so its own exit id: the same output could leave once per encoding. The invariant here: whatever
///         decodes is, byte for byte, what an encoder writes for the decoded fields.
contract PaymentTransactionTest {
    Pure private lib = new Pure();

    // --- whatever decodes is canonical ---

    function testFuzz_what_an_encoder_writes_decodes_to_what_was_written(uint256 seed) public view {
        (bytes memory raw, PaymentTransaction.Decoded memory written) = randomPayment(seed);
        PaymentTransaction.Decoded memory read = lib.decodePayment(raw);
        vm.assertEq(keccak256(abi.encode(read)), keccak256(abi.encode(written)));
        vm.assertEq(lib.typeOf(raw), written.txType);
    }

    function testFuzz_a_changed_byte_gives_another_transaction_or_none(uint256 seed, uint256 where, uint8 to)
        public
        view
    {
        (bytes memory raw,) = randomPayment(seed);
        raw[where % raw.length] = bytes1(to);
        checkCanonical(raw);
    }

    function testFuzz_an_added_byte_gives_no_transaction_or_another(uint256 seed, uint256 where, uint8 added)
        public
        view
    {
        (bytes memory raw,) = randomPayment(seed);
        where = where % (raw.length + 1);
        checkCanonical(bytes.concat(slice(raw, 0, where), bytes1(added), slice(raw, where, raw.length)));
    }

    function testFuzz_a_missing_byte_gives_no_transaction_or_another(uint256 seed, uint256 where) public view {
        (bytes memory raw,) = randomPayment(seed);
        where = where % raw.length;
        checkCanonical(bytes.concat(slice(raw, 0, where), slice(raw, where + 1, raw.length)));
    }

    function testFuzz_two_changed_bytes_give_another_transaction_or_none(uint256 seed, uint256 where, uint16 to)
        public
        view
    {
        (bytes memory raw,) = randomPayment(seed);
        raw[where % raw.length] = bytes1(uint8(to));
        raw[(where >> 128) % raw.length] = bytes1(uint8(to >> 8));
        checkCanonical(raw);
    }

    function testFuzz_noise_is_no_transaction(bytes calldata noise) public view {
        checkCanonical(noise);
    }

    function testFuzz_noise_behind_a_transaction_is_refused(uint256 seed, bytes calldata noise) public {
        vm.assume(noise.length != 0);
        (bytes memory raw,) = randomPayment(seed);
        vm.expectRevert(Rlp.RlpTrailingBytes.selector);
        lib.decodePayment(bytes.concat(raw, noise));
    }

    function testFuzz_a_cut_transaction_is_refused(uint256 seed, uint256 length) public {
        (bytes memory raw,) = randomPayment(seed);
        length = length % raw.length;
        vm.expectRevert();
        lib.decodePayment(slice(raw, 0, length));
    }

    // --- each rule has its error ---

    function test_every_rule_has_its_error() public {
        bytes memory none = Encode.inputList(new uint256[](0));
        bytes memory outs = Encode.outputList(Encode.one(output()));
        bytes memory word = Encode.str(abi.encode(uint256(0)));
        bytes memory one = Encode.integer(1);
        bytes memory zero = Encode.integer(0);

        refuses(tx5(one, inputsOf(5), outs, zero, word), PaymentTransaction.TooManyInputs.selector);
        refuses(tx5(one, none, outputsOf(5), zero, word), PaymentTransaction.TooManyOutputs.selector);
        refuses(tx5(one, none, hex"c0", zero, word), PaymentTransaction.NoOutputs.selector);
        refuses(tx5(one, Encode.inputList(Encode.one(0)), outs, zero, word), PaymentTransaction.InputZero.selector);
        refuses(tx5(one, none, outs, one, word), abi.encodeWithSelector(PaymentTransaction.TxDataNotZero.selector, 1));
        refuses(tx5(zero, none, outs, zero, word), WireTransaction.TxTypeZero.selector);
        refuses(tx5(one, none, outs, zero, hex"80"), abi.encodeWithSelector(Rlp.RlpWrongLength.selector, 32));
        refuses(tx5(one, hex"80", outs, zero, word), Rlp.RlpNotAList.selector);
        refuses(tx5(hex"c0", none, outs, zero, word), Rlp.RlpNotAnInteger.selector);
        refuses(tx5(hex"820001", none, outs, zero, word), Rlp.RlpNotAnInteger.selector);
        refuses(tx5(hex"8101", none, outs, zero, word), Rlp.RlpPrefixNotMinimal.selector);
        refuses(tx5(hex"b801ff", none, outs, zero, word), Rlp.RlpPrefixNotMinimal.selector);
        refuses(bytes.concat(tx5(one, none, outs, zero, word), hex"00"), Rlp.RlpTrailingBytes.selector);
        refuses(tx5(one, none, outs, zero, bytes.concat(word, hex"01")), Rlp.RlpTrailingBytes.selector);
        refuses("", Rlp.RlpOutOfBounds.selector);
        refuses(hex"c101", Rlp.RlpOutOfBounds.selector);
    }

    function test_every_rule_about_an_output_has_its_error() public {
        Encode.Output memory o = output();
        o.owner = address(0);
        refuses(withOutput(o), WireTransaction.OwnerZero.selector);
        o = output();
        o.amount = 0;
        refuses(withOutput(o), WireTransaction.AmountZero.selector);
        o = output();
        o.outputType = 0;
        refuses(withOutput(o), WireTransaction.OutputTypeZero.selector);
    }

    function test_lengths_beyond_the_data_do_not_wrap_around() public {
        // A list that claims 2^64 - 1 bytes, and a string in a list that does.
        refuses(hex"ffffffffffffffffff", Rlp.RlpOutOfBounds.selector);
        refuses(hex"c9bfffffffffffffffff", Rlp.RlpOutOfBounds.selector);
    }

    // --- the shape all types share ---

    function test_any_output_of_a_fee_claim_reads_as_a_fungible_one() public view {
        bytes memory raw = Encode.feeClaim(address(0xbeef), address(0xcafe), 7, bytes32(uint256(1)));
        (uint256 txType, WireTransaction.Output memory o) = lib.outputAt(raw, 0);
        vm.assertEq(txType, 3);
        vm.assertEq(o.outputType, 2);
        vm.assertEq(o.owner, address(0xbeef));
        vm.assertEq(o.token, address(0xcafe));
        vm.assertEq(o.amount, 7);
    }

    function testFuzz_reading_one_output_agrees_with_decoding_all(uint256 seed, uint256 oindex) public {
        (bytes memory raw, PaymentTransaction.Decoded memory written) = randomPayment(seed);
        oindex = bound(oindex, 0, 5);
        if (oindex >= written.outputs.length) {
            vm.expectRevert(abi.encodeWithSelector(WireTransaction.OutputNotFound.selector, oindex));
            lib.outputAt(raw, oindex);
        } else {
            (, WireTransaction.Output memory o) = lib.outputAt(raw, oindex);
            vm.assertEq(keccak256(abi.encode(o)), keccak256(abi.encode(written.outputs[oindex])));
        }
    }

    // --- helpers ---

    function checkCanonical(bytes memory raw) private view {
        try lib.decodePayment(raw) returns (PaymentTransaction.Decoded memory decoded) {
            vm.assertEq(reencoded(decoded), raw);
            vm.assertEq(lib.typeOf(raw), decoded.txType);
        } catch {}
    }

    function refuses(bytes memory raw, bytes4 selector) private {
        refuses(raw, abi.encodePacked(selector));
    }

    function refuses(bytes memory raw, bytes memory revertData) private {
        vm.expectRevert(revertData);
        lib.decodePayment(raw);
    }

    function randomPayment(uint256 seed)
        private
        pure
        returns (bytes memory raw, PaymentTransaction.Decoded memory decoded)
    {
        decoded.txType = random(seed, 0) % 3 == 0 ? random(seed, 1) | 1 : 1 + random(seed, 1) % 4;
        decoded.inputs = new uint256[](random(seed, 2) % 5);
        for (uint256 i = 0; i < decoded.inputs.length; ++i) {
            decoded.inputs[i] = random(seed, 10 + i) | 1;
        }
        decoded.outputs = new WireTransaction.Output[](1 + random(seed, 3) % 4);
        for (uint256 i = 0; i < decoded.outputs.length; ++i) {
            uint256 r = random(seed, 20 + i);
            decoded.outputs[i] = WireTransaction.Output(
                1 + r % 300, address(uint160(r | 1)), address(uint160(r >> 96)), (r >> (r % 256)) | 1
            );
        }
        decoded.metadata = bytes32(random(seed, 4));
        raw = reencoded(decoded);
    }

    function random(uint256 seed, uint256 n) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, n)));
    }

    function reencoded(PaymentTransaction.Decoded memory decoded) private pure returns (bytes memory) {
        Encode.Output[] memory outs = new Encode.Output[](decoded.outputs.length);
        for (uint256 i = 0; i < outs.length; ++i) {
            WireTransaction.Output memory o = decoded.outputs[i];
            outs[i] = Encode.Output(o.outputType, o.owner, o.token, o.amount);
        }
        return Encode.payment(decoded.txType, decoded.inputs, outs, decoded.metadata);
    }

    function tx5(bytes memory txType, bytes memory ins, bytes memory outs, bytes memory data, bytes memory metadata)
        private
        pure
        returns (bytes memory)
    {
        return Encode.list(bytes.concat(txType, ins, outs, data, metadata));
    }

    function output() private pure returns (Encode.Output memory) {
        return Encode.Output(1, address(1), address(0), 1);
    }

    function withOutput(Encode.Output memory o) private pure returns (bytes memory) {
        return Encode.payment(1, new uint256[](0), Encode.one(o), Encode.NO_METADATA);
    }

    function inputsOf(uint256 count) private pure returns (bytes memory) {
        uint256[] memory inputs = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            inputs[i] = 1e9 + i;
        }
        return Encode.inputList(inputs);
    }

    function outputsOf(uint256 count) private pure returns (bytes memory) {
        Encode.Output[] memory outs = new Encode.Output[](count);
        for (uint256 i = 0; i < count; ++i) {
            outs[i] = output();
        }
        return Encode.outputList(outs);
    }

    function slice(bytes memory data, uint256 from, uint256 to) private pure returns (bytes memory out) {
        out = new bytes(to - from);
        for (uint256 i = 0; i < out.length; ++i) {
            out[i] = data[from + i];
        }
    }
}
