#!/usr/bin/env node
// A `solc` command line in front of the pinned solc-js package.
//
// forge wants an executable that answers `--version` and reads a standard-JSON job on stdin. The npm
// package carries the compiler as WebAssembly, so nothing is downloaded and every machine compiles
// with the same bytes.

import { createRequire } from "node:module";

const solc = createRequire(import.meta.url)("solc");
const args = process.argv.slice(2);

if (args.includes("--version")) {
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
} else if (args.includes("--standard-json")) {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  process.stdout.write(solc.compile(Buffer.concat(chunks).toString("utf8")));
} else {
  process.stderr.write("usage: solc.mjs --version | --standard-json < job.json\n");
  process.exitCode = 2;
}
