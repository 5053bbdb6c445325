// Money goes out: exits of deposits and payments in ETH and a token, one that is not valid, the queue, and what everybody gets.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { until } from "../lib/wait.mjs";
import { ETH, WAIT_MS_MAX, eth } from "../lib/world.mjs";

const BOND = 14_000_000_000_000_000n;

export function standardExits(context) {
  describe("standard exits", { concurrency: 1 }, () => {
    const exits = [];
    let people;

    /** Starts an exit, and remembers what the queue must say about it. */
    async function start(account, utxo, { txbytes, proof, utxo_pos: utxoPos }) {
      const { rootChain } = context.world;
      const isDeposit = utxo.blknum % 1000 !== 0;
      const receipt = await account.paid(
        rootChain.startStandardExit({ utxoPos, outputTx: txbytes, inclusionProof: proof, txOptions: account.txOptions }),
        BOND,
      );
      const exitId = await rootChain.getStandardExitId({ txBytes: txbytes, utxoPos, isDeposit });
      const { scheduledFinalizationTime } = await rootChain.getExitTime({
        exitRequestBlockNumber: receipt.blockNumber,
        submissionBlockNumber: utxo.blknum,
      });
      // The client adds five seconds.
      const exit = { account, utxo, utxoPos: `${utxoPos}`, exitId, exitableAt: scheduledFinalizationTime - 5 };
      exits.push(exit);
      return exit;
    }

    test("a deposit exits without the watcher", async () => {
      const { rootChain } = context.world;
      const dave = await context.world.account("dave");
      const utxo = await dave.deposit(eth("0.25"));
      await start(dave, utxo, await rootChain.getDepositExitData({ transactionHash: utxo.transactionHash }));
      people = [dave];
    });

    test("a payment exits with the data of the watcher, and cannot be spent any more", async () => {
      const { childChain } = context.world;
      const erin = await context.world.account("erin");
      const frank = await context.world.account("frank");
      const [deposit, other] = [await erin.deposit(eth("0.5")), await frank.deposit(1n)];
      const [paid] = await erin.submit(erin.sign([deposit, other], [{ owner: frank, amount: eth("0.5") }], [erin, frank]));
      await start(frank, paid, await childChain.getExitData(paid));
      // Without a fee, so that it is refused for that as long as the operator has not seen the exit.
      const again = frank.sign([paid], [{ owner: erin, amount: eth("0.5") }]);
      await until("the operator knows of the exit", WAIT_MS_MAX, async () => {
        const code = await childChain.submitTransaction(again.signed).catch(({ message }) => message);
        assert.match(code, /submit:(utxo_not_found|fees_not_covered)/);
        return code.includes("utxo_not_found");
      });
      people.push(erin, frank);
    });

    test("a token exits", async () => {
      const { childChain, token } = context.world;
      const grace = await context.world.account("grace", { tokens: 1_000n });
      const heidi = await context.world.account("heidi");
      const [tokens, fee] = [await grace.deposit(1_000n, token), await grace.deposit(1n)];
      const outputs = [
        { owner: heidi, currency: token, amount: 400n },
        { owner: grace, currency: token, amount: 600n },
      ];
      const [paid, rest] = await grace.submit(grace.sign([tokens, fee], outputs));
      await start(heidi, paid, await childChain.getExitData(paid));
      await start(grace, rest, await childChain.getExitData(rest));
      people.push(grace, heidi);
    });

    test("an exit of what was spent is reported and challenged", async () => {
      const { childChain, rootChain } = context.world;
      const mallory = await context.world.account("mallory");
      const niaj = await context.world.account("niaj");
      const utxo = await mallory.deposit(eth("0.125"));
      const data = await childChain.getExitData(utxo);
      await mallory.submit(mallory.sign([utxo], [{ owner: niaj, amount: eth("0.125") - 1n }]));
      const exit = await start(mallory, utxo, data);
      exits.pop();
      const isOurs = ({ utxo_pos: utxoPos }) => `${utxoPos}` === exit.utxoPos;
      const event = await context.world.byzantine("invalid_exit", isOurs);
      assert.equal(`${event.amount}`, `${eth("0.125")}`);
      assert.equal(event.owner, mallory.address);
      const challenge = await childChain.getChallengeData(Number(exit.utxoPos));
      assert.equal(`${challenge.exit_id}`, exit.exitId);
      await niaj.paid(
        rootChain.challengeStandardExit({
          standardExitId: challenge.exit_id,
          exitingTx: challenge.exiting_tx,
          challengeTx: challenge.txbytes,
          inputIndex: challenge.input_index,
          challengeTxSig: challenge.sig,
          txOptions: niaj.txOptions,
        }),
      );
      niaj.wei += BOND;
      await Promise.all([mallory, niaj].map((account) => account.assertOwns()));
      await context.world.peace(isOurs);
      people.push(mallory, niaj);
    });

    test("an exit that is valid cannot be challenged", async () => {
      const { childChain } = context.world;
      const ask = () => childChain.getChallengeData(Number(exits[0].utxoPos));
      await assert.rejects(ask(), /utxo_not_spent|challenge|not spent/i);
    });

    test("the queues show every exit and when it is due", async () => {
      const { rootChain } = context.world;
      for (const { utxo, exitId, exitableAt } of exits) {
        const queue = await rootChain.getExitQueue(utxo.currency);
        const entry = queue.find((entry) => entry.exitId === exitId);
        assert.equal(entry?.exitableAt, `${exitableAt}`, `exit ${exitId}`);
      }
    });

    test("nothing leaves before its time", async () => {
      const { rootChain } = context.world;
      const [dave] = people;
      const process = { token: ETH, exitId: 0, maxExitsToProcess: 20, txOptions: dave.txOptions };
      await dave.paid(rootChain.processExits(process));
      await Promise.all(people.map((account) => account.assertOwns()));
    });

    test("everybody gets what is theirs and the bond", async () => {
      const { rootChain, token } = context.world;
      const due = Math.max(...exits.map(({ exitableAt }) => exitableAt));
      await context.world.pass(Math.max(due + 1 - (await context.world.now()), 1));
      const [dave] = people;
      for (const currency of [ETH, token]) {
        const process = { token: currency, exitId: 0, maxExitsToProcess: 100, txOptions: dave.txOptions };
        await dave.paid(rootChain.processExits(process));
      }
      for (const { account, utxo } of exits) {
        account.wei += BOND + (utxo.currency === ETH ? BigInt(utxo.amount) : 0n);
        account.tokens += utxo.currency === ETH ? 0n : BigInt(utxo.amount);
      }
      await Promise.all(people.map((account) => account.assertOwns()));
      const left = [...(await rootChain.getExitQueue(ETH)), ...(await rootChain.getExitQueue(token))];
      assert.ok(!left.some((entry) => exits.some(({ exitId }) => exitId === entry.exitId)));
    });

    test("the watcher has nothing to complain about", async () => {
      const positions = exits.map(({ utxoPos }) => utxoPos);
      await context.world.peace(({ utxo_pos: utxoPos }) => positions.includes(`${utxoPos}`));
      for (const { account, utxo } of exits) {
        const known = await context.world.exitable(account.address);
        assert.ok(!known.some(({ blknum, oindex }) => blknum === utxo.blknum && oindex === utxo.oindex));
      }
    });
  });
}
