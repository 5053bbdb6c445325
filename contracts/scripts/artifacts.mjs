// Writes ABI and bytecode of every deployable contract to priv/contracts/<Name>.json, where the Rust side finds them.
//
//   node scripts/artifacts.mjs           writes the files
//   node scripts/artifacts.mjs --check   compares them with the sources; names what differs, exits with 1
//
// The output depends on the sources, on foundry.toml and on the pinned compiler, and on nothing else: no metadata hash,
// no paths of this machine, sources in sorted order.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const solc = createRequire(import.meta.url)("solc");
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const target = join(root, "..", "priv", "contracts");

const DEPLOYABLE = [
  "Erc20DepositVerifier",
  "Erc20Vault",
  "EthDepositVerifier",
  "EthVault",
  "FeeClaimOutputToPaymentTxCondition",
  "FeeExitGame",
  "PaymentExitGame",
  "PaymentOutputToPaymentTxCondition",
  "PaymentTransactionStateTransitionVerifier",
  "PlasmaFramework",
  "PriorityQueue",
  "SpendingConditionRegistry",
  "TestToken",
];

// EIP-170: the root chain refuses to deploy more.
const CODE_SIZE_MAX = 24576;

/** The value of a top level key of foundry.toml, so that tests and artifacts share one set of settings. */
function setting(key) {
  const line = readFileSync(join(root, "foundry.toml"), "utf8").match(new RegExp(`^${key} = (.+)$`, "m"));
  if (!line) throw new Error(`foundry.toml does not set ${key}`);
  return JSON.parse(line[1]);
}

const settings = {
  evmVersion: setting("evm_version"),
  optimizer: { enabled: setting("optimizer"), runs: setting("optimizer_runs") },
  viaIR: setting("via_ir"),
  metadata: { bytecodeHash: setting("bytecode_hash"), appendCBOR: setting("cbor_metadata") },
};

function sourceFiles(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".sol"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .sort();
}

function compile() {
  const sources = {};
  for (const path of sourceFiles(join(root, "src"))) {
    sources[path] = { content: readFileSync(join(root, path), "utf8") };
  }
  const findImport = (path) => {
    if (!path.startsWith("@openzeppelin/")) return { error: `unexpected import ${path}` };
    return { contents: readFileSync(join(root, "node_modules", path), "utf8") };
  };
  const outputSelection = { "*": { "*": ["abi", "evm.bytecode.object", "evm.bytecode.linkReferences", "evm.deployedBytecode.object"] } };
  const job = { language: "Solidity", sources, settings: { ...settings, outputSelection } };
  const output = JSON.parse(solc.compile(JSON.stringify(job), { import: findImport }));
  // Warnings about our own sources count as errors; what others are warned about in theirs is theirs to judge.
  const ours = (message) => message.severity === "error" || message.sourceLocation?.file.startsWith("src/");
  const messages = (output.errors ?? []).filter(ours);
  if (messages.length !== 0) throw new Error(messages.map((message) => message.formattedMessage).join("\n"));
  return output.contracts;
}

function artifact(contracts, name) {
  const found = Object.values(contracts).filter((file) => name in file);
  if (found.length !== 1) throw new Error(`${found.length} contracts are named ${name}`);
  const { abi, evm } = found[0][name];
  const deployedBytecodeSize = evm.deployedBytecode.object.length / 2;
  if (deployedBytecodeSize > CODE_SIZE_MAX) throw new Error(`${name} has ${deployedBytecodeSize} bytes of code`);
  return {
    contractName: name,
    compiler: { version: solc.version(), ...settings },
    abi,
    bytecode: `0x${evm.bytecode.object}`,
    linkReferences: evm.bytecode.linkReferences,
    deployedBytecodeSize,
  };
}

function main() {
  const check = process.argv.includes("--check");
  const contracts = compile();
  const stale = [];
  mkdirSync(target, { recursive: true });
  for (const name of DEPLOYABLE) {
    const path = join(target, `${name}.json`);
    const text = `${JSON.stringify(artifact(contracts, name), null, 2)}\n`;
    const isCurrent = existsSync(path) && readFileSync(path, "utf8") === text;
    if (isCurrent) continue;
    stale.push(relative(join(root, ".."), path));
    if (!check) writeFileSync(path, text);
  }
  const orphans = readdirSync(target)
    .filter((file) => !DEPLOYABLE.includes(file.replace(/\.json$/, "")))
    .map((file) => relative(join(root, ".."), join(target, file)));
  for (const file of orphans) console.error(`${file} belongs to no contract`);
  for (const file of stale) console.log(check ? `${file} differs from the sources: run npm run artifacts` : `wrote ${file}`);
  if (orphans.length !== 0 || (check && stale.length !== 0)) process.exitCode = 1;
}

main();
