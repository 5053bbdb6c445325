// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A contract that owns outputs and takes ETH as it pleases
contract MoodyWallet {
    enum Mood {
        Accept,
        Refuse,
        BurnGas,
        NeedMoreGas,
        ReturnBomb,
        CallBack
    }

    Mood public mood;
    uint256 public received;
    address public callBackTo;
    bytes public callBackData;

    function setMood(Mood mood_) external {
        mood = mood_;
    }

    function setCallBack(address to, bytes calldata data) external {
        mood = Mood.CallBack;
        callBackTo = to;
        callBackData = data;
    }

    /// @dev Does what its master wants.
    function execute(address to, uint256 value, bytes calldata data) external payable returns (bytes memory) {
        (bool success, bytes memory answer) = to.call{value: value}(data);
        if (!success) {
            assembly {
                revert(add(answer, 32), mload(answer))
            }
        }
        return answer;
    }

    receive() external payable {
        if (mood == Mood.Accept) return;
        if (mood == Mood.Refuse) revert("no");
        if (mood == Mood.NeedMoreGas) {
            received += msg.value;
        } else if (mood == Mood.BurnGas) {
            while (true) {}
        } else if (mood == Mood.ReturnBomb) {
            assembly {
                revert(0, 1000000)
            }
        } else {
            (bool success, bytes memory reason) = callBackTo.call(callBackData);
            if (!success) {
                assembly {
                    revert(add(reason, 32), mload(reason))
                }
            }
        }
    }
}

/// @title A token that transfers as it pleases
contract MoodyToken is ERC20("Moody", "MOOD") {
    enum Mood {
        Honest,
        Refuse,
        SayFalse,
        SayNothing,
        TransferAndSayFalse,
        SaySomethingElse,
        BurnGas,
        ReturnBomb,
        TakeFee,
        CallBack,
        HideBalance
    }

    Mood public mood;
    address public callBackTo;
    bytes public callBackData;

    function setMood(Mood mood_) external {
        mood = mood_;
    }

    function setCallBack(address to, bytes calldata data) external {
        mood = Mood.CallBack;
        callBackTo = to;
        callBackData = data;
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function burn(address from, uint256 amount) external {
        _burn(from, amount);
    }

    function balanceOf(address account) public view override returns (uint256) {
        if (mood == Mood.HideBalance) revert("hidden");
        return super.balanceOf(account);
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        _beMoody(to, amount);
        return super.transfer(to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        _beMoody(to, amount);
        return super.transferFrom(from, to, amount);
    }

    function _beMoody(address to, uint256 amount) private {
        if (mood == Mood.Honest) return;
        if (mood == Mood.Refuse || mood == Mood.HideBalance) revert("no");
        if (mood == Mood.SayFalse) answer(0, 32);
        if (mood == Mood.SaySomethingElse) answer(2, 32);
        if (mood == Mood.SayNothing) {
            _transfer(msg.sender, to, amount);
            answer(0, 0);
        }
        if (mood == Mood.TransferAndSayFalse) {
            _transfer(msg.sender, to, amount);
            answer(0, 32);
        }
        if (mood == Mood.BurnGas) while (true) {}
        if (mood == Mood.ReturnBomb) answer(0, 200_000);
        if (mood == Mood.TakeFee) _burn(to, amount / 100);
        if (mood == Mood.CallBack) {
            Mood before = mood;
            mood = Mood.Honest;
            (bool success, bytes memory reason) = callBackTo.call(callBackData);
            mood = before;
            if (!success) {
                assembly {
                    revert(add(reason, 32), mload(reason))
                }
            }
        }
    }

    function answer(uint256 word, uint256 size) private pure {
        assembly {
            mstore(0, word)
            return(0, size)
        }
    }
}
