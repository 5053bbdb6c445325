// Money comes in: exit queues, approval, deposits of ETH and of a token, and what the root chain says about them.

import omgUtil from "@omisego/omg-js-util";
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ETH, eth, revert } from "../lib/world.mjs";

const { ethErrorReason, transaction, waitForRootchainTransaction } = omgUtil;

export function deposits(context) {
  describe("deposits", { concurrency: 1 }, () => {
    test("contracts are found from the framework alone", async () => {
      const { rootChain, file } = context.world;
      const address = async (asked) => (await asked).address.toLowerCase();
      assert.equal(await address(rootChain.getEthVault()), file.eth_vault);
      assert.equal(await address(rootChain.getErc20Vault()), file.erc20_vault);
      assert.equal(await address(rootChain.getPaymentExitGame()), file.payment_exit_game);
    });

    test("bonds are those of contracts v1", async () => {
      const { bonds } = await context.world.rootChain.getPaymentExitGame();
      assert.deepEqual(bonds, {
        standardExit: 14_000_000_000_000_000,
        piggyback: 28_000_000_000_000_000,
        inflightExit: 37_000_000_000_000_000,
      });
    });

    test("an exit queue is added once", async () => {
      const { rootChain, web3, token } = context.world;
      const adder = await context.world.account("adder");
      const { address: unknown } = web3.eth.accounts.create();
      assert.equal(await rootChain.hasToken(unknown), false);
      await adder.paid(rootChain.addToken({ token: unknown, txOptions: adder.txOptions }));
      assert.equal(await rootChain.hasToken(unknown), true);
      assert.deepEqual(await rootChain.getExitQueue(unknown), []);
      await assert.rejects(rootChain.addToken({ token: unknown, txOptions: adder.txOptions }), revert("ExitQueueExists(uint256,address)"));
      // What the exits of this run need.
      for (const currency of [ETH, token]) {
        if (!(await rootChain.hasToken(currency))) {
          await adder.paid(rootChain.addToken({ token: currency, txOptions: adder.txOptions }));
        }
        assert.equal(await rootChain.hasToken(currency), true);
      }
      await adder.assertOwns();
    });

    test("ETH is deposited", async () => {
      const { childChain, rootChain } = context.world;
      const alice = await context.world.account("alice");
      const utxo = await alice.deposit(eth("1.000000000000000001"));
      await alice.assertOwns();
      const told = await childChain.getExitData(utxo);
      const own = await rootChain.getDepositExitData({ transactionHash: utxo.transactionHash });
      assert.equal(told.txbytes, own.txbytes);
      assert.equal(told.proof, own.proof);
      assert.equal(`${told.utxo_pos}`, `${own.utxo_pos}`);
      const decoded = transaction.decodeDeposit(told.txbytes);
      assert.deepEqual(decoded, { owner: alice.address, currency: ETH, amount: `${eth("1.000000000000000001")}` });
    });

    test("a token is approved and deposited", async () => {
      const { rootChain, token } = context.world;
      const bob = await context.world.account("bob", { tokens: 70n });
      const options = { amount: "70", currency: token, txOptions: bob.txOptions };
      await assert.rejects(rootChain.deposit(options), revert("AllowanceTooLow(uint256,uint256)"));
      await bob.deposit(69n, token);
      await bob.assertOwns();
      assert.equal(bob.tokens, 1n);
    });

    test("callbacks tell how a deposit gets on", async () => {
      const { rootChain, web3 } = context.world;
      const carol = await context.world.account("carol");
      let countdown = [];
      const receipt = await new Promise((resolve, reject) => {
        const callbacks = { onReceipt: resolve, onConfirmation: () => {} };
        rootChain.deposit({ amount: 5, txOptions: carol.txOptions, callbacks }).catch(reject);
      });
      await carol.paid(receipt, 5n);
      const settled = await waitForRootchainTransaction({
        web3,
        transactionHash: receipt.transactionHash,
        checkIntervalMs: 100,
        blocksToWait: 2,
        onCountdown: (remaining) => countdown.push(remaining),
      });
      assert.equal(settled.transactionHash, receipt.transactionHash);
      assert.equal(countdown.at(-1), 0);
      await carol.assertOwns();
    });

    test("the reason of a refusal reaches the caller", async () => {
      const { rootChain, web3 } = context.world;
      const dora = await context.world.account("dora");
      const { address } = await rootChain.getEthVault();
      const { contract } = await rootChain.getEthVault();
      // Another amount than the one that is sent along.
      const data = contract.methods.deposit(transaction.encodeDeposit(dora.address, "6", ETH)).encodeABI();
      const details = { from: dora.address, to: address, data, value: "7" };
      const reason = revert("AmountNotSent(uint256,uint256)");
      await assert.rejects(web3.eth.estimateGas(details), reason);
      const failed = await dora.send({ ...details, gas: 500_000 }).catch((error) => error.receipt);
      assert.equal(failed.status, false);
      await assert.rejects(ethErrorReason({ web3, hash: failed.transactionHash }), reason);
    });
  });
}
