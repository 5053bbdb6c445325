// Measures every call again, writes the figures under snapshots/ and prints the table of docs/protocol/contracts.md.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

const { status } = spawnSync("forge", ["test", "--match-contract", "GasTest$"], {
  cwd: root,
  stdio: ["ignore", "ignore", "inherit"],
  env: {
    ...process.env,
    PATH: join(root, "node_modules", ".bin") + delimiter + process.env.PATH,
    FOUNDRY_GAS_SNAPSHOT_CHECK: "false",
    FOUNDRY_GAS_SNAPSHOT_EMIT: "true",
  },
});
if (status !== 0) {
  console.error("forge test --match-contract GasTest failed");
  process.exit(1);
}

const figures = (name) => JSON.parse(readFileSync(join(root, "snapshots", `${name}.json`), "utf8"));
const ours = figures("contracts");
const v1 = figures("contracts-v1");

console.log("| call | gas | contracts v1 | share |");
console.log("|---|---:|---:|---:|");
for (const [call, gas] of Object.entries(ours)) {
  console.log(`| ${call} | ${gas} | ${v1[call]} | ${Math.round((100 * gas) / v1[call])} % |`);
}
