// Exits of payments that are not (known to be) in a block: honest ones, one that has a competitor, one that is wrongly challenged,
// piggybacks on what was spent, and one that nobody joins. Each takes the client's way: ask the watcher, send what it answers.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ETH, WAIT_MS_MAX, eth } from "../lib/world.mjs";
import { until } from "../lib/wait.mjs";

const EXIT_BOND = 37_000_000_000_000_000n;
const PIGGYBACK_BOND = 28_000_000_000_000_000n;

export function inFlightExits(context) {
  describe("in-flight exits", { concurrency: 1 }, () => {
    const people = [];
    const started = [];

    async function join(name, options) {
      const account = await context.world.account(name, options);
      people.push(account);
      return account;
    }

    /** Asks the watcher for everything, starts the exit, and waits until the watcher follows it. */
    async function start(account, { signed, unsigned }) {
      const { childChain, rootChain } = context.world;
      const data = await childChain.inFlightExitGetData(signed);
      assert.equal(data.in_flight_tx, unsigned);
      await account.paid(
        rootChain.startInFlightExit({
          inFlightTx: data.in_flight_tx,
          inputTxs: data.input_txs,
          inputUtxosPos: data.input_utxos_pos,
          inputTxsInclusionProofs: data.input_txs_inclusion_proofs,
          inFlightTxSigs: data.in_flight_tx_sigs,
          txOptions: account.txOptions,
        }),
        EXIT_BOND,
      );
      const exitId = await rootChain.getInFlightExitId({ txBytes: unsigned });
      started.push(unsigned);
      await until("the watcher follows the exit", WAIT_MS_MAX, () => followed(unsigned));
      return exitId;
    }

    async function followed(unsigned) {
      const { in_flight_exits: exits } = await context.world.childChain.status();
      return exits.find(({ txbytes }) => txbytes === unsigned);
    }

    async function onOutput(account, { unsigned: inFlightTx }, outputIndex) {
      const { rootChain } = context.world;
      const { txOptions } = account;
      await account.paid(rootChain.piggybackInFlightExitOnOutput({ inFlightTx, outputIndex, txOptions }), PIGGYBACK_BOND);
    }

    async function onInput(account, { unsigned: inFlightTx }, inputIndex) {
      const { rootChain } = context.world;
      const { txOptions } = account;
      await account.paid(rootChain.piggybackInFlightExitOnInput({ inFlightTx, inputIndex, txOptions }), PIGGYBACK_BOND);
    }

    async function exitData(exitId) {
      const [exit] = await context.world.rootChain.getInFlightExitData({ exitIds: [exitId] });
      return exit;
    }

    const about = ({ unsigned }) => ({ txbytes }) => txbytes === unsigned;

    test("a payment that the operator withholds exits, in two currencies", async () => {
      const { childChain, token } = context.world;
      const ann = await join("ann", { tokens: 50n });
      const ben = await join("ben");
      const inputs = [await ann.deposit(eth(1)), await ann.deposit(50n, token)];
      const payment = ann.sign(inputs, [
        { owner: ben, amount: eth("0.4") },
        { owner: ben, currency: token, amount: 30n },
        { owner: ann, amount: eth("0.6") - 1n },
        { owner: ann, currency: token, amount: 20n },
      ]);
      const exitId = await start(ann, payment);
      const offered = await context.world.byzantine("piggyback_available", about(payment));
      assert.deepEqual(offered.available_inputs, [0, 1].map((index) => ({ index, address: ann.address })));
      const owners = [ben, ben, ann, ann].map(({ address }, index) => ({ index, address }));
      assert.deepEqual(offered.available_outputs, owners);

      await onOutput(ben, payment, 0);
      await onOutput(ben, payment, 1);
      await onOutput(ann, payment, 2);
      const exit = await exitData(exitId);
      assert.equal(exit.isCanonical, true);
      assert.equal(exit.exitMap, `${0b0111_0000}`);
      assert.equal(exit.bondOwner.toLowerCase(), ann.address);
      assert.equal(exit.outputs[1].amount, "30");
      assert.equal(exit.outputs[1].exitTarget.toLowerCase(), ben.address);
      await until("the watcher knows the piggybacks", WAIT_MS_MAX, async () => {
        const { piggybacked_outputs: outputs } = await followed(payment.unsigned);
        return `${outputs}` === "0,1,2";
      });
      await context.world.byzantine(
        "piggyback_available",
        ({ txbytes, available_outputs: outputs }) => txbytes === payment.unsigned && `${outputs.map(({ index }) => index)}` === "3",
      );
      const queue = await context.world.rootChain.getExitQueue(token);
      assert.ok(queue.some((entry) => entry.exitId === exitId));

      // There is nothing to be said against it.
      await assert.rejects(childChain.inFlightExitGetCompetitor(payment.unsigned), /competitor_not_found/);
      await assert.rejects(childChain.inFlightExitProveCanonical(payment.unsigned), /no_viable_canonical_proof_found/);
      await assert.rejects(childChain.inFlightExitGetOutputChallengeData(payment.unsigned, 0), /no_double_spend/);
      await assert.rejects(childChain.inFlightExitGetInputChallengeData(payment.unsigned, 0), /no_double_spend/);
      await assert.rejects(childChain.inFlightExitGetInputChallengeData(payment.unsigned, 4), /index_out_of_range/);

      ben.owed = eth("0.4") + 2n * PIGGYBACK_BOND;
      ben.owedTokens = 30n;
      ann.owed = eth("0.6") - 1n + PIGGYBACK_BOND + EXIT_BOND;
    });

    test("an exit with a competitor is challenged, and pays only the inputs that were not spent", async () => {
      const { childChain, rootChain } = context.world;
      const [cat, dan, eve] = [await join("cat"), await join("dan"), await join("eve")];
      const half = eth("0.5");
      const deposit = await cat.deposit(eth(1));
      const [first, second] = await cat.submit(cat.sign([deposit], [half, half - 1n].map((amount) => ({ owner: cat, amount }))));
      const payment = cat.sign([first, second], [{ owner: dan, amount: 2n * half - 2n }]);
      const competitor = cat.sign([first], [{ owner: eve, amount: half - 1n }]);
      await cat.submit(competitor);
      const exitId = await start(dan, payment);

      await context.world.byzantine("non_canonical_ife", about(payment));
      const data = await childChain.inFlightExitGetCompetitor(payment.unsigned);
      assert.equal(data.competing_txbytes, competitor.unsigned);
      await eve.paid(
        rootChain.challengeInFlightExitNotCanonical({
          inputTx: data.input_tx,
          inputUtxoPos: data.input_utxo_pos,
          inFlightTx: data.in_flight_txbytes,
          inFlightTxInputIndex: data.in_flight_input_index,
          competingTx: data.competing_txbytes,
          competingTxInputIndex: data.competing_input_index,
          competingTxPos: data.competing_tx_pos,
          competingTxInclusionProof: data.competing_proof,
          competingTxWitness: data.competing_sig,
          txOptions: eve.txOptions,
        }),
      );
      assert.equal((await exitData(exitId)).isCanonical, false);

      await onInput(cat, payment, 0);
      await onInput(cat, payment, 1);
      const invalid = await context.world.byzantine("invalid_piggyback", about(payment));
      assert.deepEqual([invalid.inputs, invalid.outputs], [[0], []]);
      const spent = await childChain.inFlightExitGetInputChallengeData(payment.unsigned, 0);
      await eve.paid(
        rootChain.challengeInFlightExitInputSpent({
          inFlightTx: spent.in_flight_txbytes,
          inFlightTxInputIndex: spent.in_flight_input_index,
          challengingTx: spent.spending_txbytes,
          challengingTxInputIndex: spent.spending_input_index,
          challengingTxWitness: spent.spending_sig,
          inputTx: spent.input_tx,
          inputUtxoPos: spent.input_utxo_pos,
          txOptions: eve.txOptions,
        }),
      );
      eve.wei += PIGGYBACK_BOND;
      await eve.assertOwns();
      assert.equal((await exitData(exitId)).exitMap, `${0b10}`);
      await context.world.peace(about(payment), ["piggyback_available"]);

      cat.owed = half - 1n + PIGGYBACK_BOND;
      // Whoever showed the competitor gets the bond of the exit.
      eve.owed = EXIT_BOND;
    });

    test("a wrong challenge is answered, and an output that was spent does not exit again", async () => {
      const { childChain, rootChain } = context.world;
      const [fay, gus, mal] = [await join("fay"), await join("gus"), await join("mal")];
      const deposit = await fay.deposit(eth(1));
      const [input] = await fay.submit(fay.sign([deposit], [{ owner: fay, amount: eth(1) - 1n }]));
      const payment = fay.sign([input], [
        { owner: gus, amount: eth("0.25") },
        { owner: fay, amount: eth("0.75") - 2n },
      ]);
      const [paid] = await fay.submit(payment);
      const spending = gus.sign([paid], [{ owner: fay, amount: eth("0.25") - 1n }]);
      await gus.submit(spending);
      const exitId = await start(gus, payment);

      // Signed by fay, never submitted: younger than the payment, which is in a block.
      const competitor = fay.sign([input], [{ owner: mal, amount: eth(1) - 2n }]);
      const { input_txs: inputTxs, input_utxos_pos: inputUtxosPos } = await childChain.inFlightExitGetData(payment.signed);
      await mal.paid(
        rootChain.challengeInFlightExitNotCanonical({
          inputTx: inputTxs[0],
          inputUtxoPos: inputUtxosPos[0],
          inFlightTx: payment.unsigned,
          inFlightTxInputIndex: 0,
          competingTx: competitor.unsigned,
          competingTxInputIndex: 0,
          competingTxPos: 0,
          competingTxInclusionProof: "0x",
          competingTxWitness: competitor.signatures[0],
          txOptions: mal.txOptions,
        }),
      );
      assert.equal((await exitData(exitId)).isCanonical, false);
      await context.world.byzantine("invalid_ife_challenge", about(payment));
      const proof = await childChain.inFlightExitProveCanonical(payment.unsigned);
      await fay.paid(
        rootChain.respondToNonCanonicalChallenge({
          inFlightTx: proof.in_flight_txbytes,
          inFlightTxPos: proof.in_flight_tx_pos,
          inFlightTxInclusionProof: proof.in_flight_proof,
          txOptions: fay.txOptions,
        }),
      );
      assert.equal((await exitData(exitId)).isCanonical, true);

      await onOutput(gus, payment, 0);
      await onOutput(fay, payment, 1);
      const invalid = await context.world.byzantine("invalid_piggyback", about(payment));
      assert.deepEqual([invalid.inputs, invalid.outputs], [[], [0]]);
      const spent = await childChain.inFlightExitGetOutputChallengeData(payment.unsigned, 0);
      assert.equal(spent.spending_txbytes, spending.unsigned);
      await fay.paid(
        rootChain.challengeInFlightExitOutputSpent({
          inFlightTx: spent.in_flight_txbytes,
          inFlightTxInclusionProof: spent.in_flight_proof,
          inFlightTxOutputPos: spent.in_flight_output_pos,
          challengingTx: spent.spending_txbytes,
          challengingTxInputIndex: spent.spending_input_index,
          challengingTxWitness: spent.spending_sig,
          txOptions: fay.txOptions,
        }),
      );
      fay.wei += PIGGYBACK_BOND;
      await fay.assertOwns();
      await context.world.peace(about(payment));

      // Whoever showed the block gets the bond of the exit.
      fay.owed = eth("0.75") - 2n + PIGGYBACK_BOND + EXIT_BOND;
    });

    test("an exit that nobody joins is deleted after the first phase", async () => {
      const { file, rootChain } = context.world;
      const ida = await join("ida");
      const payment = ida.sign([await ida.deposit(eth("0.1"))], [{ owner: ida, amount: eth("0.1") - 1n }]);
      const exitId = await start(ida, payment);
      const { txOptions } = ida;
      await assert.rejects(rootChain.deleteNonPiggybackedInFlightExit({ exitId, txOptions }), /revert/);
      await context.world.pass(Math.floor(file.min_exit_period_s / 2) + 1);
      await ida.paid(rootChain.deleteNonPiggybackedInFlightExit({ exitId, txOptions }));
      ida.wei += EXIT_BOND;
      await ida.assertOwns();
      await until("the watcher forgets the exit", WAIT_MS_MAX, async () => !(await followed(payment.unsigned)));
      await context.world.peace(about(payment));
    });

    test("everybody gets what is theirs and the bonds", async () => {
      const { file, rootChain, token } = context.world;
      await context.world.pass(2 * file.min_exit_period_s);
      const [ann] = people;
      for (const currency of [ETH, token]) {
        const process = { token: currency, exitId: 0, maxExitsToProcess: 100, txOptions: ann.txOptions };
        await ann.paid(rootChain.processExits(process));
      }
      for (const account of people) {
        account.wei += account.owed ?? 0n;
        account.tokens += account.owedTokens ?? 0n;
      }
      await Promise.all(people.map((account) => account.assertOwns()));
    });

    test("the watcher follows none of them any more, and has nothing to complain about", async () => {
      const isOurs = ({ txbytes }) => started.includes(txbytes);
      await context.world.peace(isOurs);
      await until("no exit is followed", WAIT_MS_MAX, async () => {
        const { in_flight_exits: exits } = await context.world.childChain.status();
        return !exits.some(isOurs);
      });
    });
  });
}
