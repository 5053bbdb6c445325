// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Writes transactions the way wallets do
/// @notice An encoder of its own: the contracts only ever read.
library Encode {
    struct Output {
        uint256 outputType;
        address owner;
        address token;
        uint256 amount;
    }

    bytes32 internal constant NO_METADATA = bytes32(0);

    function payment(uint256 txType, uint256[] memory inputs, Output[] memory outs, bytes32 metadata)
        internal
        pure
        returns (bytes memory)
    {
        return list(
            bytes.concat(
                integer(txType), inputList(inputs), outputList(outs), integer(0), str(abi.encodePacked(metadata))
            )
        );
    }

    function deposit(address owner, address token, uint256 amount) internal pure returns (bytes memory) {
        return payment(1, new uint256[](0), one(Output(1, owner, token, amount)), NO_METADATA);
    }

    function feeClaim(address owner, address token, uint256 amount, bytes32 nonce)
        internal
        pure
        returns (bytes memory)
    {
        return list(
            bytes.concat(
                integer(3),
                inputList(new uint256[](0)),
                outputList(one(Output(2, owner, token, amount))),
                str(abi.encodePacked(nonce)),
                str(abi.encodePacked(NO_METADATA))
            )
        );
    }

    function inputList(uint256[] memory inputs) internal pure returns (bytes memory) {
        bytes memory items;
        for (uint256 i = 0; i < inputs.length; ++i) {
            items = bytes.concat(items, str(abi.encodePacked(inputs[i])));
        }
        return list(items);
    }

    function outputList(Output[] memory outs) internal pure returns (bytes memory) {
        bytes memory items;
        for (uint256 i = 0; i < outs.length; ++i) {
            bytes memory data = list(
                bytes.concat(
                    str(abi.encodePacked(outs[i].owner)), str(abi.encodePacked(outs[i].token)), integer(outs[i].amount)
                )
            );
            items = bytes.concat(items, list(bytes.concat(integer(outs[i].outputType), data)));
        }
        return list(items);
    }

    function one(Output memory output) internal pure returns (Output[] memory outs) {
        outs = new Output[](1);
        outs[0] = output;
    }

    function one(uint256 input) internal pure returns (uint256[] memory inputs) {
        inputs = new uint256[](1);
        inputs[0] = input;
    }

    function integer(uint256 value) internal pure returns (bytes memory) {
        return value == 0 ? bytes(hex"80") : str(minimal(value));
    }

    function str(bytes memory data) internal pure returns (bytes memory) {
        if (data.length == 1 && uint8(data[0]) < 0x80) return data;
        return bytes.concat(prefix(0x80, data.length), data);
    }

    function list(bytes memory items) internal pure returns (bytes memory) {
        return bytes.concat(prefix(0xc0, items.length), items);
    }

    function prefix(uint256 base, uint256 length) internal pure returns (bytes memory) {
        if (length < 56) return abi.encodePacked(uint8(base + length));
        bytes memory size = minimal(length);
        return bytes.concat(abi.encodePacked(uint8(base + 55 + size.length)), size);
    }

    function minimal(uint256 value) internal pure returns (bytes memory out) {
        uint256 length = 0;
        for (uint256 rest = value; rest != 0; rest >>= 8) {
            ++length;
        }
        out = new bytes(length);
        for (uint256 i = length; i > 0; --i) {
            out[i - 1] = bytes1(uint8(value));
            value >>= 8;
        }
    }
}
