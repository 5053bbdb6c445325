// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TestChain} from "../kit/TestChain.sol";
import {vm} from "../kit/Vm.sol";
import {Vectors} from "./Vectors.sol";

/// @title Positions, output ids, exit ids, priorities, times
contract IdVectorsTest is TestChain, Vectors {
    struct Position {
        uint256 utxoPos;
        bool ok;
    }

    struct Decoded {
        uint256 blockNum;
        uint256 txIndex;
        uint256 outputIndex;
        uint256 reEncoded;
        uint256 txPosForPriority;
    }

    struct Tx {
        bytes raw;
        uint256 utxoPosOfTx;
        Ids[] normalOutputs;
        DepositIds asDeposit;
        uint256 inFlightExitId;
    }

    struct Ids {
        uint256 index;
        bytes32 outputId;
        uint256 standardExitId;
    }

    struct DepositIds {
        uint256 utxoPos;
        bytes32 outputId;
        uint256 standardExitId;
    }

    struct Edge {
        bool isDeposit;
        bytes rawTx;
        uint256 utxoPos;
        string result;
    }

    struct Priority {
        uint256 exitableAt;
        uint256 utxoPos;
        uint160 exitId;
        uint256 priority;
        uint256 parsedExitableAt;
        uint256 parsedExitId;
    }

    struct Exitable {
        uint256 nowAt;
        uint256 blockTimestamp;
        uint256 normal;
        uint256 deposit;
    }

    string private constant POSITION = "JsonPosition(uint256 utxoPos,bool ok)";
    string private constant DECODED =
        "JsonDecoded(uint256 blockNum,uint256 txIndex,uint256 outputIndex,uint256 reEncoded,uint256 txPosForPriority)";
    string private constant TX =
        "JsonTx(bytes raw,uint256 utxoPosOfTx,JsonIds[] normalOutputs,JsonDepositIds asDeposit,uint256 inFlightExitId)JsonIds(uint256 index,bytes32 outputId,uint256 standardExitId)JsonDepositIds(uint256 utxoPos,bytes32 outputId,uint256 standardExitId)";
    string private constant EDGE = "JsonEdge(bool isDeposit,bytes tx,uint256 utxoPos,string result)";
    string private constant PRIORITY =
        "JsonPriority(uint256 exitableAt,uint256 utxoPos,uint160 exitId,uint256 priority,uint256 parsedExitableAt,uint256 parsedExitId)";
    string private constant EXITABLE = "JsonExitable(uint256 now,uint256 blockTimestamp,uint256 tx,uint256 deposit)";

    function test_every_position_decodes_or_is_refused() public {
        Position[] memory positions = abi.decode(list(".positions", POSITION), (Position[]));
        vm.assertEq(positions.length, 33);
        string memory json = file();
        for (uint256 i = 0; i < positions.length; ++i) {
            if (!positions[i].ok) {
                vm.expectRevert();
                lib.decodePosition(positions[i].utxoPos);
                continue;
            }
            Decoded memory d = abi.decode(vm.parseJsonType(json, nth(".positions", i), DECODED), (Decoded));
            (uint256 blknum, uint256 txindex, uint256 oindex) = lib.decodePosition(positions[i].utxoPos);
            vm.assertEq(blknum, d.blockNum);
            vm.assertEq(txindex, d.txIndex);
            vm.assertEq(oindex, d.outputIndex);
            vm.assertEq(blknum * 1e9 + txindex * 1e4 + oindex, d.reEncoded);
            vm.assertEq(lib.txPos(positions[i].utxoPos), d.txPosForPriority);
        }
    }

    function test_every_transaction_has_its_output_ids_and_exit_ids() public view {
        Tx[] memory all = abi.decode(list(".transactions", TX), (Tx[]));
        vm.assertEq(all.length, 40);
        for (uint256 i = 0; i < all.length; ++i) {
            Tx memory t = all[i];
            for (uint256 j = 0; j < t.normalOutputs.length; ++j) {
                Ids memory ids = t.normalOutputs[j];
                vm.assertEq(lib.outputId(t.raw, ids.index), ids.outputId);
                vm.assertEq(game.getStandardExitId(false, t.raw, t.utxoPosOfTx + ids.index), ids.standardExitId);
            }
            vm.assertEq(lib.depositOutputId(t.raw, 0, t.asDeposit.utxoPos), t.asDeposit.outputId);
            vm.assertEq(game.getStandardExitId(true, t.raw, t.asDeposit.utxoPos), t.asDeposit.standardExitId);
            vm.assertEq(game.getInFlightExitId(t.raw), t.inFlightExitId);
        }
    }

    function test_standard_exit_ids_at_the_edges() public {
        Edge[] memory edges = abi.decode(list(".standardExitIdEdges", EDGE), (Edge[]));
        vm.assertEq(edges.length, 8);
        for (uint256 i = 0; i < edges.length; ++i) {
            Edge memory e = edges[i];
            if (isSame(e.result, "revert")) {
                vm.expectRevert();
                game.getStandardExitId(e.isDeposit, e.rawTx, e.utxoPos);
            } else {
                vm.assertEq(game.getStandardExitId(e.isDeposit, e.rawTx, e.utxoPos), vm.parseUint(e.result));
            }
        }
    }

    function test_every_priority_composes_and_parses() public view {
        Priority[] memory priorities = abi.decode(list(".priorities", PRIORITY), (Priority[]));
        vm.assertEq(priorities.length, 20);
        for (uint256 i = 0; i < priorities.length; ++i) {
            Priority memory p = priorities[i];
            vm.assertEq(lib.priority(p.exitableAt, lib.txPos(p.utxoPos), p.exitId), p.priority);
            (uint64 time, uint160 exitId) = lib.parsePriority(p.priority);
            vm.assertEq(time, p.parsedExitableAt);
            vm.assertEq(exitId, p.parsedExitId);
        }
    }

    function test_every_exitable_time_is_the_vectors() public view {
        uint256 minExitPeriod = vm.parseJsonUint(file(), ".minExitPeriod");
        Exitable[] memory times = abi.decode(list(".exitable", EXITABLE), (Exitable[]));
        vm.assertEq(times.length, 8);
        for (uint256 i = 0; i < times.length; ++i) {
            Exitable memory t = times[i];
            vm.assertEq(lib.exitableOfOutput(t.nowAt, t.blockTimestamp, minExitPeriod), t.normal);
            vm.assertEq(lib.exitableOfDeposit(t.nowAt, minExitPeriod), t.deposit);
        }
    }
}
