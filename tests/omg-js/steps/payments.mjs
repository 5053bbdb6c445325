// Payments that the client builds, signs and submits by itself: one currency and several, merges, and every refusal's code.

import omgUtil from "@omisego/omg-js-util";
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ETH, FEE, WAIT_MS_MAX, eth } from "../lib/world.mjs";
import { until } from "../lib/wait.mjs";

const { transaction } = omgUtil;

export function payments(context) {
  describe("payments", { concurrency: 1 }, () => {
    let alice;
    let bob;
    let change;

    test("sendTransaction pays, with fee, metadata and change", async () => {
      const { childChain, web3 } = context.world;
      [alice, bob] = [await context.world.account("alice", { tokens: 2n ** 200n }), await context.world.account("bob")];
      const utxo = await alice.deposit(eth(1));
      const told = await childChain.sendTransaction({
        fromAddress: alice.address,
        fromUtxos: [utxo],
        fromPrivateKeys: [alice.privateKey],
        payments: [{ owner: bob.address, currency: ETH, amount: `${eth("0.3")}` }],
        fee: FEE,
        metadata: "for the coffee",
      });
      const { blknum, txindex } = told;
      const rest = `${eth("0.7") - 1n}`;
      change = await context.world.spendable(alice, { blknum, txindex, oindex: 0, currency: ETH, amount: rest });
      const paid = await context.world.spendable(bob, { blknum, txindex, oindex: 1, currency: ETH, amount: `${eth("0.3")}` });
      const { txbytes } = await childChain.getExitData(paid);
      assert.equal(web3.utils.sha3(txbytes), told.txhash);
      const decoded = transaction.decodeTxBytes(txbytes);
      assert.equal(transaction.decodeMetadata(decoded.metadata), "for the coffee");
      assert.deepEqual(decoded.inputs, [{ blknum: utxo.blknum, txindex: 0, oindex: 0 }]);
      assert.deepEqual(decoded.outputs, [
        { outputType: 1, outputGuard: alice.address, currency: ETH, amount: rest },
        { outputType: 1, outputGuard: bob.address, currency: ETH, amount: `${eth("0.3")}` },
      ]);
    });

    test("two currencies go in one payment, amounts beyond 2^53 and 2^128 unharmed", async () => {
      const { childChain, token } = context.world;
      const tokens = await alice.deposit(2n ** 200n, token);
      const { blknum, txindex } = await childChain.sendTransaction({
        fromAddress: alice.address,
        fromUtxos: [change, tokens],
        fromPrivateKeys: [alice.privateKey, alice.privateKey],
        payments: [{ owner: bob.address, currency: token, amount: `${2n ** 199n - 1n}` }],
        fee: FEE,
      });
      const at = { blknum, txindex };
      // Change comes first, in the order of payments and fee.
      const rest = `${2n ** 199n + 1n}`;
      await context.world.spendable(alice, { ...at, oindex: 0, currency: token, amount: rest });
      change = await context.world.spendable(alice, { ...at, oindex: 1, currency: ETH, amount: `${eth("0.7") - 2n}` });
      const paid = await context.world.spendable(bob, { ...at, oindex: 2, currency: token, amount: `${2n ** 199n - 1n}` });
      const { txbytes } = await childChain.getExitData(paid);
      const amounts = transaction.decodeTxBytes(txbytes).outputs.map(({ amount }) => amount);
      assert.deepEqual(amounts, [rest, `${eth("0.7") - 2n}`, `${2n ** 199n - 1n}`]);
    });

    test("four inputs of different owners and four outputs", async () => {
      const parts = [1n, 2n, 3n, eth("0.7") - 9n];
      const split = await alice.submit(
        alice.sign([change], parts.map((amount, index) => ({ owner: index % 2 ? bob : alice, amount }))),
      );
      const owners = [alice, bob, alice, bob];
      const [, , , last] = await alice.submit(
        alice.sign(split, [4n, 1n, 1n, eth("0.7") - 10n].map((amount) => ({ owner: alice, amount })), owners),
      );
      change = last;
    });

    test("mergeUtxos makes one of four, without a fee", async () => {
      const { childChain } = context.world;
      const amounts = [10n, 20n, 30n, eth("0.7") - 71n];
      const four = await alice.submit(alice.sign([change], amounts.map((amount) => ({ owner: alice, amount }))));
      const { blknum, txindex } = await childChain.mergeUtxos({ utxos: four, privateKey: alice.privateKey });
      const sum = `${eth("0.7") - 11n}`;
      change = await context.world.spendable(alice, { blknum, txindex, oindex: 0, currency: ETH, amount: sum });
      const { txbytes } = await childChain.getExitData(change);
      assert.deepEqual(transaction.decodeTxBytes(txbytes).outputs, [
        { outputType: 1, outputGuard: alice.address, currency: ETH, amount: sum },
      ]);
      const gone = (utxo) => four.some(({ oindex }) => utxo.blknum === four[0].blknum && utxo.oindex === oindex);
      await until("the merged outputs are gone", WAIT_MS_MAX, async () => !(await context.world.exitable(alice.address)).some(gone));
    });

    test("refusals carry the codes that wallets know", async () => {
      const { childChain, file } = context.world;
      const all = eth("0.7") - 11n;
      const spend = (amount, signers) => alice.sign([change], [{ owner: bob, amount }], signers).signed;
      const refused = async (signed, code) => {
        await assert.rejects(childChain.submitTransaction(signed), (error) => {
          assert.match(error.message, code);
          return true;
        });
      };
      await refused(spend(all), /submit:fees_not_covered/);
      await refused(spend(all - 2n), /submit:overpaying_fees/);
      await refused(spend(all + 1n), /submit:amounts_do_not_add_up/);
      await refused(spend(all - 1n, [bob]), /submit:unauthorized_spend/);
      await refused("0x1234", /submit:malformed_transaction/);
      const nowhere = { ...change, blknum: change.blknum + 1_000_000 };
      const ahead = alice.sign([nowhere], [{ owner: bob, amount: all - 1n }]).signed;
      await refused(ahead, /submit:input_utxo_ahead_of_state/);
      const { signatures } = alice.sign([change], [{ owner: bob, amount: all - 1n }]);
      const typedData = transaction.getTypedData(
        { inputs: [change, change], outputs: [{ owner: bob.address, currency: ETH, amount: `${all}` }] },
        file.plasma_framework,
      );
      const twice = childChain.buildSignedTransaction(typedData, [signatures[0], signatures[0]]);
      await refused(twice, /submit:duplicate_inputs/);
      await alice.submit(alice.sign([change], [{ owner: bob, amount: all - 1n }]));
      await refused(spend(all - 1n), /submit:utxo_not_found/);
    });

    test("what owners have on the root chain did not change", async () => {
      await Promise.all([alice, bob].map((account) => account.assertOwns()));
    });
  });
}
