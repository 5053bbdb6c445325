// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BondSize} from "../../src/exits/BondSize.sol";
import {bound, skip, vm} from "../kit/Vm.sol";

contract BondSizeTest {
    using BondSize for BondSize.Params;

    BondSize.Params private params;

    function setUp() public {
        vm.warp(1_600_000_000);
        params.updated = 1 ether;
    }

    function update(uint128 size) external {
        params.update(size);
    }

    function current() external view returns (uint256) {
        return params.current();
    }

    function test_a_new_size_takes_effect_after_two_days() public {
        this.update(2 ether);
        skip(2 days - 1);
        vm.assertEq(this.current(), 1 ether);
        skip(1);
        vm.assertEq(this.current(), 2 ether);
    }

    function test_a_waiting_size_is_replaced_and_waits_anew() public {
        this.update(2 ether);
        skip(1 days);
        this.update(0.5 ether);
        skip(2 days - 1);
        vm.assertEq(this.current(), 1 ether);
        skip(1);
        vm.assertEq(this.current(), 0.5 ether);
    }

    function testFuzz_one_step_halves_or_doubles_at_most(uint96 start, uint128 next) public {
        params.updated = uint96(bound(start, 1, type(uint96).max));
        uint256 size = this.current();
        uint256 max = 2 * size > type(uint96).max ? type(uint96).max : 2 * size;
        if (next == 0 || next < size / 2 || next > max) {
            vm.expectRevert(abi.encodeWithSelector(BondSize.BondSizeOutOfBounds.selector, next, size / 2, max));
            this.update(next);
        } else {
            this.update(next);
            skip(2 days);
            vm.assertEq(this.current(), next);
        }
    }

    function test_the_bounds_belong_to_the_step() public {
        this.update(0.5 ether);
        this.update(2 ether);
        vm.expectRevert(
            abi.encodeWithSelector(BondSize.BondSizeOutOfBounds.selector, 0.5 ether - 1, 0.5 ether, 2 ether)
        );
        this.update(0.5 ether - 1);
        vm.expectRevert(abi.encodeWithSelector(BondSize.BondSizeOutOfBounds.selector, 2 ether + 1, 0.5 ether, 2 ether));
        this.update(2 ether + 1);
    }

    function test_a_bond_of_nothing_is_refused() public {
        params.updated = 1;
        vm.expectRevert(abi.encodeWithSelector(BondSize.BondSizeOutOfBounds.selector, 0, 0, 2));
        this.update(0);
    }
}
