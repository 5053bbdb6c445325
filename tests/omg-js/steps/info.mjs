// The informational API as the client uses it: balances, outputs, deposits, fees, payments the watcher builds, and the history.

import omgUtil from "@omisego/omg-js-util";
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { until } from "../lib/wait.mjs";
import { ETH, WAIT_MS_MAX, eth } from "../lib/world.mjs";

const { transaction, waitForChildchainBalance } = omgUtil;

export function info(context) {
  describe("informational API", { concurrency: 1 }, () => {
    let alice;
    let bob;
    const sent = [];

    /** Waits until an account owns exactly this on the child chain, and nothing else. */
    async function owns(account, balances) {
      const { childChain } = context.world;
      const wanted = JSON.stringify(Object.entries(balances).map(([currency, amount]) => [currency, `${amount}`]).sort());
      let got;
      const same = async () => {
        const told = await childChain.getBalance(account.address);
        got = JSON.stringify(told.map(({ currency, amount }) => [currency, `${amount}`]).sort());
        return got === wanted;
      };
      await until("the balance", WAIT_MS_MAX, same).catch((error) => {
        throw new Error(`${account.name} should own ${wanted}, not ${got}`, { cause: error });
      });
    }

    /** Every output of an account, page by page. */
    const utxosOf = ({ address }) => context.world.childChain.getUtxos(address);

    async function create(payments, options = {}) {
      const { childChain } = context.world;
      return childChain.createTransaction({ owner: alice.address, payments, fee: { currency: ETH }, ...options });
    }

    function signTyped(created) {
      return context.world.childChain.signTypedData(created, created.inputs.map(() => alice.privateKey));
    }

    async function refused(asked, code) {
      await assert.rejects(asked, (error) => {
        assert.equal(error.code, code, error.message);
        return true;
      });
    }

    test("who never had anything owns nothing", async () => {
      const { childChain } = context.world;
      [alice, bob] = [await context.world.account("alice", { tokens: 2n ** 200n }), await context.world.account("bob")];
      assert.deepEqual(await childChain.getBalance(alice.address), []);
      assert.deepEqual(await childChain.getUtxos(alice.address), []);
      assert.deepEqual(await childChain.getDeposits({ address: alice.address }), []);
      assert.deepEqual(await childChain.getTransactions({ address: alice.address }), []);
    });

    test("the fees are told", async () => {
      const fees = await context.world.childChain.getFees();
      const [fee, ...more] = fees["1"];
      assert.equal(more.length, 0);
      assert.equal(fee.currency, ETH);
      assert.equal(fee.amount, 1);
      assert.equal(`${fee.subunit_to_unit}`, `${10n ** 18n}`);
    });

    test("deposits become balances, outputs and a list of their own", async () => {
      const { childChain, token } = context.world;
      const deposits = [await alice.deposit(eth(1)), await alice.deposit(2n ** 200n, token)];
      await owns(alice, { [ETH]: eth(1), [token]: 2n ** 200n });
      await waitForChildchainBalance({ childChain, address: alice.address, expectedAmount: `${eth(1)}` });
      const utxos = await utxosOf(alice);
      assert.equal(utxos.length, 2);
      for (const [index, { blknum, currency, amount, transactionHash }] of deposits.entries()) {
        const utxo = utxos.find((utxo) => utxo.blknum === blknum);
        assert.equal(utxo.owner, alice.address);
        assert.equal(utxo.currency, currency);
        assert.equal(`${utxo.amount}`, amount);
        assert.deepEqual([utxo.txindex, utxo.oindex, utxo.otype], [0, 0, 1]);
        assert.equal(`${utxo.utxo_pos}`, `${transaction.encodeUtxoPos(utxo)}`);
        assert.deepEqual([utxo.creating_txhash, utxo.spending_txhash], [null, null]);
        // Newest first, one on each page.
        const [deposit, ...more] = await childChain.getDeposits({ address: alice.address, limit: 1, page: 2 - index });
        assert.equal(more.length, 0);
        assert.equal(deposit.event_type, "deposit");
        assert.equal(deposit.root_chain_txhash, transactionHash);
        assert.equal(deposit.txoutputs[0].blknum, blknum);
      }
    });

    test("createTransaction, signTypedData and submitTyped pay, with metadata", async () => {
      const { token } = context.world;
      const payments = [{ owner: bob.address, currency: ETH, amount: `${eth("0.25")}` }];
      const { result, transactions } = await create(payments, { metadata: "for the coffee" });
      assert.equal(result, "complete");
      const [created, ...more] = transactions;
      assert.equal(more.length, 0);
      assert.equal(`${created.fee.amount}`, "1");
      const told = await context.world.childChain.submitTyped(signTyped(created));
      sent.push(told);
      await owns(bob, { [ETH]: eth("0.25") });
      await owns(alice, { [ETH]: eth("0.75") - 1n, [token]: 2n ** 200n });
    });

    test("createTransaction and buildSignedTransaction pay in two currencies", async () => {
      const { childChain, file, token } = context.world;
      const payments = [
        { owner: bob.address, currency: token, amount: `${2n ** 100n}` },
        { owner: bob.address, currency: ETH, amount: 5 },
      ];
      const { result, transactions } = await create(payments);
      assert.equal(result, "complete");
      const [created] = transactions;
      const typedData = transaction.getTypedData(created, file.plasma_framework);
      const hash = transaction.getToSignHash(typedData);
      assert.equal(`0x${hash.toString("hex")}`, created.sign_hash);
      const signatures = childChain.signTransaction(typedData, created.inputs.map(() => alice.privateKey));
      sent.push(await childChain.submitTransaction(childChain.buildSignedTransaction(typedData, signatures)));
      await owns(bob, { [ETH]: eth("0.25") + 5n, [token]: 2n ** 100n });
      await owns(alice, { [ETH]: eth("0.75") - 7n, [token]: 2n ** 200n - 2n ** 100n });
    });

    test("what cannot be paid is refused with the code of the reason", async () => {
      const { childChain, token } = context.world;
      const pay = (owner, amount, currency = ETH) => [{ owner, currency, amount: `${amount}` }];
      await refused(create(pay(bob.address, eth(1))), "transaction.create:insufficient_funds");
      await refused(create(pay(alice.address, 1n)), "transaction.create:self_transaction_not_supported");
      await refused(create([]), "transaction.create:empty_transaction");
      const fee = { currency: token };
      await refused(create(pay(bob.address, 1n), { fee }), "create:unexpected_fee_currency");
      const many = [1, 2, 3, 4].map((amount) => pay(bob.address, BigInt(amount))[0]);
      await refused(create(many), "transaction.create:too_many_outputs");
      await refused(create([...many, ...many]), "operation:bad_request");
      await refused(childChain.getTransaction(`0x${"77".repeat(32)}`), "transaction:not_found");
      const { transactions } = await create(pay(bob.address, 1n));
      const typed = signTyped(transactions[0]);
      await refused(childChain.submitTyped({ ...typed, signatures: [] }), "submit_typed:missing_signature");
      const superfluous = [...typed.signatures, typed.signatures[0]];
      await refused(childChain.submitTyped({ ...typed, signatures: superfluous }), "submit_typed:superfluous_signature");
    });

    test("mergeUtxos merges what getUtxos told", async () => {
      const { childChain, token } = context.world;
      // Four outputs of alice: three small ones and the change.
      const [utxo] = (await utxosOf(alice)).filter(({ currency }) => currency === ETH);
      const all = BigInt(`${utxo.amount}`);
      await alice.submit(alice.sign([utxo], [1n, 2n, 3n, all - 7n].map((amount) => ({ owner: alice, amount }))));
      await owns(alice, { [ETH]: all - 1n, [token]: 2n ** 200n - 2n ** 100n });
      const utxos = (await utxosOf(alice)).filter(({ currency }) => currency === ETH);
      assert.equal(utxos.length, 4);
      sent.push(await childChain.mergeUtxos({ utxos, privateKey: alice.privateKey }));
      await until("there is one output", WAIT_MS_MAX, async () => {
        const left = (await utxosOf(alice)).filter(({ currency }) => currency === ETH);
        return left.length === 1 && BigInt(`${left[0].amount}`) === all - 1n;
      });
      await owns(alice, { [ETH]: all - 1n, [token]: 2n ** 200n - 2n ** 100n });
    });

    test("a payment of too many small outputs takes an intermediate merge", async () => {
      const { childChain, token } = context.world;
      const [utxo] = (await utxosOf(alice)).filter(({ currency }) => currency === ETH);
      const all = BigInt(`${utxo.amount}`);
      const quarter = all / 4n;
      const parts = [quarter, quarter, quarter, all - 3n * quarter - 1n];
      const split = await alice.submit(alice.sign([utxo], parts.map((amount) => ({ owner: alice, amount }))));
      const eighth = quarter / 2n;
      const halves = [eighth, quarter - eighth - 1n];
      await alice.submit(alice.sign([split[0]], halves.map((amount) => ({ owner: alice, amount }))));
      await owns(alice, { [ETH]: all - 2n, [token]: 2n ** 200n - 2n ** 100n });

      const payments = [{ owner: bob.address, currency: ETH, amount: `${all - 3n}` }];
      let created = await create(payments);
      assert.equal(created.result, "intermediate");
      let merges = 0;
      while (created.result === "intermediate") {
        for (const merge of created.transactions) {
          const told = await childChain.submitTyped(signTyped(merge));
          merges += 1;
          await context.world.spendable(alice, { blknum: told.blknum, txindex: told.txindex, oindex: 0 });
          // The balance is the same before and after; the database follows the watcher a moment later.
          const isMade = ({ blknum, txindex }) => blknum === told.blknum && txindex === told.txindex;
          await until("the merge is listed", WAIT_MS_MAX, async () => (await utxosOf(alice)).some(isMade));
        }
        await owns(alice, { [ETH]: all - 2n, [token]: 2n ** 200n - 2n ** 100n });
        assert.ok(merges < 5, "merging comes to an end");
        created = await create(payments);
      }
      sent.push(await childChain.submitTyped(signTyped(created.transactions[0])));
      await owns(alice, { [token]: 2n ** 200n - 2n ** 100n });
      await owns(bob, { [ETH]: eth("0.25") + 5n + all - 3n, [token]: 2n ** 100n });
    });

    test("the history has every payment, by id, address, block and metadata, page by page", async () => {
      const { childChain } = context.world;
      const [first] = sent;
      const found = await childChain.getTransaction(first.txhash);
      assert.equal(found.txhash, first.txhash);
      assert.deepEqual([found.block.blknum, found.txindex, found.txtype], [first.blknum, first.txindex, 1]);
      assert.equal(transaction.decodeMetadata(found.metadata), "for the coffee");
      const decoded = transaction.decodeTxBytes(found.txbytes);
      assert.deepEqual(
        found.outputs.map(({ owner, amount }) => [owner, `${amount}`]),
        decoded.outputs.map(({ outputGuard, amount }) => [outputGuard, amount]),
      );
      assert.equal(found.inputs[0].spending_txhash, first.txhash);
      assert.equal(found.outputs[0].creating_txhash, first.txhash);

      const { address } = alice;
      const all = await childChain.getTransactions({ address });
      const hashes = all.map(({ txhash }) => txhash);
      for (const { txhash } of sent) assert.ok(hashes.includes(txhash), `${txhash} is in the history`);
      const order = all.map(({ block, txindex }) => block.blknum * 65_536 + txindex);
      assert.deepEqual(order, order.toSorted((a, b) => b - a), "newest first");
      const paged = [];
      for (let page = 1; paged.length < all.length; page += 1) {
        const some = await childChain.getTransactions({ address, limit: 2, page });
        assert.ok(some.length > 0 && some.length <= 2);
        paged.push(...some.map(({ txhash }) => txhash));
      }
      assert.deepEqual(paged, hashes);
      const only = async (filter) => (await childChain.getTransactions({ address, ...filter })).map(({ txhash }) => txhash);
      assert.deepEqual(await only({ metadata: transaction.encodeMetadata("for the coffee") }), [first.txhash]);
      assert.deepEqual(await only({ blknum: first.blknum }), [first.txhash]);
      const isBob = ({ owner }) => owner === bob.address;
      const ofBob = await childChain.getTransactions({ address: bob.address });
      assert.ok(ofBob.length > 0 && ofBob.every(({ outputs }) => outputs.some(isBob)));
    });

    test("what exits is no balance any more", async () => {
      const { childChain, rootChain, token } = context.world;
      const before = await utxosOf(bob);
      const exiting = before.find(({ currency }) => currency === token);
      const { utxo_pos: utxoPos, txbytes, proof } = await childChain.getExitData(exiting);
      const { txOptions } = bob;
      await rootChain.startStandardExit({ utxoPos, outputTx: txbytes, inclusionProof: proof, txOptions });
      const rest = before.filter(({ currency }) => currency === ETH).reduce((sum, { amount }) => sum + BigInt(`${amount}`), 0n);
      await owns(bob, { [ETH]: rest });
    });
  });
}
