// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PaymentOutputToPaymentTxCondition} from "../../src/exits/conditions/PaymentOutputToPaymentTxCondition.sol";
import {PaymentEip712} from "../../src/transactions/PaymentEip712.sol";
import {PaymentTransaction} from "../../src/transactions/PaymentTransaction.sol";
import {Encode} from "../kit/Encode.sol";
import {vm} from "../kit/Vm.sol";
import {Vectors} from "./Vectors.sol";

/// @title Encodings, transactions, signatures
contract TransactionVectorsTest is Vectors {
    struct Encoding {
        string name;
        bytes raw;
        string payment;
        string generic;
    }

    struct Tx {
        uint256 txType;
        uint256[] inputs;
        Output[] outputs;
        bytes32 metaData;
        bytes raw;
        bytes32 txHash;
        address verifyingContract;
        bytes32 eip712Hash;
        bytes signature;
    }

    struct Output {
        uint256 outputType;
        address outputGuard;
        address token;
        uint256 amount;
    }

    string private constant ENCODING = "JsonEncoding(string name,bytes raw,string payment,string generic)";
    string private constant TX =
        "JsonTx(uint256 txType,uint256[] inputs,JsonOutput[] outputs,bytes32 metaData,bytes raw,bytes32 txHash,address verifyingContract,bytes32 eip712Hash,bytes signature)JsonOutput(uint256 outputType,address outputGuard,address token,uint256 amount)";

    function test_every_encoding_is_accepted_or_refused_like_the_vectors_say() public view {
        Encoding[] memory encodings = abi.decode(list(".encodings", ENCODING), (Encoding[]));
        vm.assertEq(encodings.length, 76);
        for (uint256 i = 0; i < encodings.length; ++i) {
            Encoding memory e = encodings[i];
            vm.assertEq(decodesAsPayment(e.raw), isSame(e.payment, "accepted"), e.name);
            vm.assertEq(decodesAsCommon(e.raw), isSame(e.generic, "accepted"), e.name);
        }
    }

    function test_every_transaction_decodes_to_its_fields() public view {
        Tx[] memory txs = transactions();
        for (uint256 i = 0; i < txs.length; ++i) {
            PaymentTransaction.Decoded memory decoded = lib.decodePayment(txs[i].raw);
            vm.assertEq(decoded.txType, txs[i].txType);
            vm.assertEq(decoded.inputs, txs[i].inputs);
            vm.assertEq(decoded.metadata, txs[i].metaData);
            vm.assertEq(decoded.outputs.length, txs[i].outputs.length);
            for (uint256 j = 0; j < decoded.outputs.length; ++j) {
                vm.assertEq(decoded.outputs[j].outputType, txs[i].outputs[j].outputType);
                vm.assertEq(decoded.outputs[j].owner, txs[i].outputs[j].outputGuard);
                vm.assertEq(decoded.outputs[j].token, txs[i].outputs[j].token);
                vm.assertEq(decoded.outputs[j].amount, txs[i].outputs[j].amount);
            }
        }
    }

    function test_the_tests_own_encoder_writes_the_vectors() public view {
        Tx[] memory txs = transactions();
        for (uint256 i = 0; i < txs.length; ++i) {
            Encode.Output[] memory outs = new Encode.Output[](txs[i].outputs.length);
            for (uint256 j = 0; j < outs.length; ++j) {
                Output memory o = txs[i].outputs[j];
                outs[j] = Encode.Output(o.outputType, o.outputGuard, o.token, o.amount);
            }
            vm.assertEq(Encode.payment(txs[i].txType, txs[i].inputs, outs, txs[i].metaData), txs[i].raw);
        }
    }

    function test_every_transaction_hashes_to_its_eip712_digest() public view {
        Tx[] memory txs = transactions();
        for (uint256 i = 0; i < txs.length; ++i) {
            vm.assertEq(lib.digest(txs[i].verifyingContract, txs[i].raw), txs[i].eip712Hash);
            vm.assertEq(keccak256(txs[i].raw), txs[i].txHash);
        }
    }

    function test_every_signature_spends_under_the_condition_of_its_framework() public {
        Tx[] memory txs = transactions();
        address signer = vm.parseJsonAddress(file(), ".signer");
        for (uint256 i = 0; i < txs.length; ++i) {
            PaymentOutputToPaymentTxCondition condition =
                new PaymentOutputToPaymentTxCondition(txs[i].verifyingContract, 1, txs[i].txType);
            for (uint16 j = 0; j < txs[i].inputs.length; ++j) {
                uint256 utxoPos = txs[i].inputs[j];
                bytes memory inputTx = outputsFor(signer, utxoPos % 1e4);
                vm.assertTrue(condition.verify(inputTx, utxoPos, txs[i].raw, j, txs[i].signature));
            }
        }
    }

    function test_the_type_hashes_and_empty_structs_are_the_vectors() public view {
        string memory json = file();
        vm.assertEq(PaymentEip712.DOMAIN_TYPEHASH, vm.parseJsonBytes32(json, ".eip712.domainTypeHash"));
        vm.assertEq(PaymentEip712.TX_TYPEHASH, vm.parseJsonBytes32(json, ".eip712.txTypeHash"));
        vm.assertEq(PaymentEip712.TX_TYPEHASH, keccak256(bytes(vm.parseJsonString(json, ".eip712.txType"))));
        vm.assertEq(PaymentEip712.SALT, vm.parseJsonBytes32(json, ".eip712.domain.salt"));
        vm.assertEq(PaymentEip712.EMPTY_INPUT, vm.parseJsonBytes32(json, ".eip712.emptyInputHash"));
        vm.assertEq(PaymentEip712.EMPTY_OUTPUT, vm.parseJsonBytes32(json, ".eip712.emptyOutputHash"));
        vm.assertEq(
            lib.domainSeparator(transactions()[0].verifyingContract),
            vm.parseJsonBytes32(json, ".eip712.frameworkDomainSeparator")
        );
    }

    function transactions() private view returns (Tx[] memory txs) {
        txs = abi.decode(list(".transactions", TX), (Tx[]));
        vm.assertEq(txs.length, 40);
    }

    /// @dev A payment whose output `oindex` belongs to the signer. The vectors point at output indexes up to 3.
    function outputsFor(address signer, uint256 oindex) private pure returns (bytes memory) {
        Encode.Output[] memory outs = new Encode.Output[](oindex + 1);
        for (uint256 i = 0; i <= oindex; ++i) {
            outs[i] = Encode.Output(1, signer, address(0), 1);
        }
        return Encode.payment(1, new uint256[](0), outs, Encode.NO_METADATA);
    }

    function decodesAsPayment(bytes memory raw) private view returns (bool) {
        try lib.decodePayment(raw) {
            return true;
        } catch {
            return false;
        }
    }

    function decodesAsCommon(bytes memory raw) private view returns (bool) {
        try lib.typeOf(raw) {
            return true;
        } catch {
            return false;
        }
    }
}
