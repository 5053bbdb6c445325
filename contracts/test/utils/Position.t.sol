// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Position} from "../../src/utils/Position.sol";
import {Pure} from "../kit/Pure.sol";
import {bound, vm} from "../kit/Vm.sol";

contract PositionTest {
    Pure private lib = new Pure();

    function testFuzz_a_position_in_bounds_splits_and_joins(uint256 blknum, uint256 txindex, uint256 oindex)
        public
        view
    {
        blknum = bound(blknum, 0, Position.MAX_BLKNUM);
        txindex = bound(txindex, 0, Position.MAX_TXINDEX);
        oindex = bound(oindex, 0, 9999);
        (uint256 b, uint256 t, uint256 o) = lib.decodePosition(blknum * 1e9 + txindex * 1e4 + oindex);
        vm.assertEq(b, blknum);
        vm.assertEq(t, txindex);
        vm.assertEq(o, oindex);
    }

    function testFuzz_a_block_number_above_the_bound_is_refused(uint256 utxoPos) public {
        utxoPos = bound(utxoPos, (Position.MAX_BLKNUM + 1) * 1e9, type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(Position.BlknumTooLarge.selector, utxoPos / 1e9));
        lib.decodePosition(utxoPos);
    }

    function testFuzz_a_transaction_index_above_the_bound_is_refused(uint256 blknum, uint256 txindex, uint256 oindex)
        public
    {
        blknum = bound(blknum, 0, Position.MAX_BLKNUM);
        txindex = bound(txindex, Position.MAX_TXINDEX + 1, 99999);
        oindex = bound(oindex, 0, 9999);
        vm.expectRevert(abi.encodeWithSelector(Position.TxindexTooLarge.selector, txindex));
        lib.decodePosition(blknum * 1e9 + txindex * 1e4 + oindex);
    }

    function testFuzz_transaction_positions_order_like_positions_and_fit_54_bits(uint256 a, uint256 b) public view {
        (a, b) = (randomPosition(a), randomPosition(b));
        if (a > b) (a, b) = (b, a);
        vm.assertLe(lib.txPos(a), lib.txPos(b));
        vm.assertLt(lib.txPos(b), 1 << 54);
    }

    function randomPosition(uint256 seed) private pure returns (uint256) {
        return bound(seed, 0, Position.MAX_BLKNUM) * 1e9 + bound(seed >> 64, 0, Position.MAX_TXINDEX) * 1e4
            + bound(seed >> 128, 0, 9999);
    }
}
