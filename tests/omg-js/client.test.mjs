// The JavaScript client that OMG published on npm, unmodified, through everything it can do, against a devnet.
//
//   npm ci --ignore-scripts --prefix tests/omg-js && npm test --prefix tests/omg-js
//
// PENNING_DEVNET_FILE=.penning/devnet.json drives a network that runs (without --sentinel: it would challenge first). Otherwise a
// fresh one is started from PENNING_BIN, and stopped. Accounts are new in every run, and what they own is asserted to the wei.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openDevnet } from "./lib/devnet.mjs";
import { progress } from "./lib/wait.mjs";
import { METHODS, World } from "./lib/world.mjs";
import { deposits } from "./steps/deposits.mjs";
import { inFlightExits } from "./steps/in_flight_exits.mjs";
import { info } from "./steps/info.mjs";
import { payments } from "./steps/payments.mjs";
import { standardExits } from "./steps/standard_exits.mjs";

describe("omg-js 4.1.2-1.0.4", { concurrency: 1, timeout: 600_000 }, () => {
  const context = {};
  // The client tells every refusal itself, with the raw bytes of the contracts' errors in it.
  console.warn = (text) => progress(`the client warns: ${`${text}`.replace(/[^ -~]+/g, "?").slice(0, 100)}`);
  let devnet;
  before(async () => {
    devnet = await openDevnet();
    context.world = new World(devnet.file);
  });
  after(async () => devnet?.stop());

  for (const steps of [deposits, payments, info, standardExits, inFlightExits]) steps(context);

  test("every method of the client was used", () => {
    const { used } = context.world;
    assert.deepEqual(METHODS.filter((name) => !used.has(name)), []);
  });
});
