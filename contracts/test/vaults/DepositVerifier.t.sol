// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPlasmaFramework} from "../../src/framework/IPlasmaFramework.sol";
import {DepositVerifier} from "../../src/vaults/DepositVerifier.sol";
import {Erc20DepositVerifier} from "../../src/vaults/Erc20DepositVerifier.sol";
import {Erc20Vault} from "../../src/vaults/Erc20Vault.sol";
import {EthDepositVerifier} from "../../src/vaults/EthDepositVerifier.sol";
import {EthVault} from "../../src/vaults/EthVault.sol";
import {Vault} from "../../src/vaults/Vault.sol";
import {Encode} from "../kit/Encode.sol";
import {TestChain} from "../kit/TestChain.sol";
import {bound, clock, skip, vm} from "../kit/Vm.sol";

/// @title What a deposit is, and who says so
contract DepositVerifierTest is TestChain {
    EthDepositVerifier private eth;
    Erc20DepositVerifier private erc20;

    function setUp() public override {
        super.setUp();
        eth = new EthDepositVerifier(1, 1);
        erc20 = new Erc20DepositVerifier(1, 1);
    }

    // --- the rules both share ---

    function test_a_deposit_has_no_inputs_one_output_and_no_metadata() public {
        bytes memory raw = Encode.payment(1, Encode.one(1e9), outs(alice, 1), Encode.NO_METADATA);
        refuses(raw, abi.encodeWithSelector(DepositVerifier.DepositHasInputs.selector, 1));
        Encode.Output[] memory two = new Encode.Output[](2);
        two[0] = two[1] = Encode.Output(1, alice, ETH, 1);
        raw = Encode.payment(1, new uint256[](0), two, Encode.NO_METADATA);
        refuses(raw, abi.encodeWithSelector(DepositVerifier.DepositOutputsNotOne.selector, 2));
        raw = Encode.payment(1, new uint256[](0), outs(alice, 1), bytes32(uint256(7)));
        refuses(raw, abi.encodeWithSelector(DepositVerifier.DepositMetadataNotZero.selector, bytes32(uint256(7))));
    }

    function test_a_deposit_has_the_types_of_its_verifier() public {
        bytes memory raw = Encode.payment(2, new uint256[](0), outs(alice, 1), Encode.NO_METADATA);
        refuses(raw, abi.encodeWithSelector(DepositVerifier.TxTypeUnexpected.selector, 2, 1));
        Encode.Output[] memory other = Encode.one(Encode.Output(2, alice, ETH, 1));
        raw = Encode.payment(1, new uint256[](0), other, Encode.NO_METADATA);
        refuses(raw, abi.encodeWithSelector(DepositVerifier.OutputTypeUnexpected.selector, 2, 1));
    }

    function test_a_deposit_belongs_to_its_sender() public {
        bytes memory raw = Encode.deposit(bob, ETH, 1);
        refuses(raw, abi.encodeWithSelector(DepositVerifier.DepositorNotOwner.selector, alice, bob));
    }

    function test_the_types_must_be_something() public {
        vm.expectRevert(DepositVerifier.TypeZero.selector);
        new EthDepositVerifier(0, 1);
        vm.expectRevert(DepositVerifier.TypeZero.selector);
        new Erc20DepositVerifier(1, 0);
        vm.assertEq(eth.depositTxType(), 1);
        vm.assertEq(erc20.supportedOutputType(), 1);
    }

    // --- ETH ---

    function test_an_eth_deposit_is_what_was_sent() public {
        eth.verify(Encode.deposit(alice, ETH, 5), 5, alice);
        vm.expectRevert(abi.encodeWithSelector(EthDepositVerifier.AmountNotSent.selector, 5, 4));
        eth.verify(Encode.deposit(alice, ETH, 5), 4, alice);
        vm.expectRevert(abi.encodeWithSelector(EthDepositVerifier.TokenNotEth.selector, token));
        eth.verify(Encode.deposit(alice, address(token), 5), 5, alice);
    }

    // --- ERC-20 ---

    function test_a_token_deposit_needs_an_allowance() public {
        bytes memory raw = Encode.deposit(alice, address(token), 5);
        vm.prank(alice);
        token.approve(address(erc20Vault), 4);
        vm.expectRevert(abi.encodeWithSelector(Erc20DepositVerifier.AllowanceTooLow.selector, 4, 5));
        erc20.verify(raw, alice, address(erc20Vault));
        vm.prank(alice);
        token.approve(address(erc20Vault), 5);
        (address owner, address currency, uint256 amount) = erc20.verify(raw, alice, address(erc20Vault));
        vm.assertEq(owner, alice);
        vm.assertEq(currency, address(token));
        vm.assertEq(amount, 5);
        vm.expectRevert(Erc20DepositVerifier.TokenIsEth.selector);
        erc20.verify(Encode.deposit(alice, ETH, 5), alice, address(erc20Vault));
    }

    // --- changing the verifier ---

    function test_the_first_verifier_counts_at_once_and_the_next_after_two_periods() public {
        EthVault vault = new EthVault(IPlasmaFramework(address(framework)), 2300);
        vm.assertEq(vault.getEffectiveDepositVerifier(), address(0));
        vm.assertEq(vault.newDepositVerifierMaturityTimestamp(), 1 << 255);
        vm.expectRevert(Vault.VerifierNotSet.selector);
        vault.deposit{value: 1}(Encode.deposit(address(this), ETH, 1));

        vm.expectEmit(address(vault));
        emit Vault.SetDepositVerifierCalled(address(eth));
        setVerifier(vault, address(eth));
        checkVerifiers(vault, address(eth), address(0), address(eth));

        setVerifier(vault, address(erc20));
        uint256 maturity = clock() + 2 * MIN_EXIT_PERIOD;
        vm.assertEq(vault.newDepositVerifierMaturityTimestamp(), maturity);
        checkVerifiers(vault, address(eth), address(erc20), address(eth));
        vm.warp(maturity - 1);
        checkVerifiers(vault, address(eth), address(erc20), address(eth));
        vm.warp(maturity);
        checkVerifiers(vault, address(eth), address(erc20), address(erc20));
    }

    function test_a_verifier_still_waiting_is_replaced_and_waits_anew() public {
        address current = ethVault.getEffectiveDepositVerifier();
        setVerifier(ethVault, address(erc20));
        skip(2 * MIN_EXIT_PERIOD - 1);
        setVerifier(ethVault, address(eth));
        skip(2 * MIN_EXIT_PERIOD - 1);
        checkVerifiers(ethVault, current, address(eth), current);
        skip(1);
        checkVerifiers(ethVault, current, address(eth), address(eth));
        setVerifier(ethVault, address(erc20));
        checkVerifiers(ethVault, address(eth), address(erc20), address(eth));
    }

    function test_only_the_maintainer_sets_a_verifier_that_is_somebody() public {
        vm.expectRevert(abi.encodeWithSelector(Vault.NotMaintainer.selector, mallory));
        vm.prank(mallory);
        ethVault.setDepositVerifier(address(eth));
        vm.expectRevert(Vault.AddressZero.selector);
        setVerifier(erc20Vault, address(0));
    }

    function testFuzz_there_are_two_verifiers(uint256 index) public {
        index = bound(index, 2, type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(Vault.VerifierIndexOutOfRange.selector, index));
        ethVault.depositVerifiers(index);
    }

    function test_a_vault_needs_a_framework() public {
        vm.expectRevert(Vault.AddressZero.selector);
        new Erc20Vault(IPlasmaFramework(address(0)));
    }

    function refuses(bytes memory raw, bytes memory reason) private {
        vm.expectRevert(reason);
        eth.verify(raw, 1, alice);
        vm.expectRevert(reason);
        erc20.verify(raw, alice, address(erc20Vault));
    }

    function outs(address owner, uint256 amount) private pure returns (Encode.Output[] memory) {
        return Encode.one(Encode.Output(1, owner, ETH, amount));
    }

    function setVerifier(Vault vault, address verifier) private {
        vm.prank(maintainer);
        vault.setDepositVerifier(verifier);
    }

    function checkVerifiers(Vault vault, address first, address second, address effective) private view {
        vm.assertEq(vault.depositVerifiers(0), first);
        vm.assertEq(vault.depositVerifiers(1), second);
        vm.assertEq(vault.getEffectiveDepositVerifier(), effective);
    }
}
